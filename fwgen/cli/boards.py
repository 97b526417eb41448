"""``fwgen boards``: list, show, check."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.console import RenderableType

    from fwgen.board.pinmap import PinGroup, PinRow


def app() -> typer.Typer:
    """The ``boards`` commands."""
    made = typer.Typer(
        help="The boards fwgen knows: list them, show one, check a file of your own.",
        invoke_without_command=True,
    )
    made.callback()(listed)
    made.command("show")(show)
    made.command("check")(check)
    return made


def listed(ctx: typer.Context) -> int:
    """List the boards."""
    if ctx.invoked_subcommand is not None:
        return 0
    from rich.console import Console
    from rich.table import Table

    from fwgen.board import list_boards

    table = Table(box=None, pad_edge=True, header_style="dim")
    for column in ("board", "title", "chip", "also called"):
        table.add_column(column)
    for summary in list_boards():
        table.add_row(
            f"[bold]{summary.name}[/]", summary.title, summary.chip, ", ".join(summary.aliases)
        )
    console = Console(highlight=False)
    console.print()
    console.print(table)
    console.print("\n [dim]fwgen boards show NAME[/] shows its pins\n")
    return 0


def show(name: Annotated[str, typer.Argument(help="Board name, or a board's TOML file.")]) -> int:
    """Show a board: parts, console, and a pin map."""
    from rich.console import Console

    from fwgen.board import load_board
    from fwgen.board.pinmap import pin_map
    from fwgen.report.console import section

    board = load_board(name)
    chip = board.chip
    made = pin_map(board)
    console = Console(highlight=False)
    console.print()
    console.print(f" [bold]{board.title}[/] · {chip.title} · {made.package}")
    console.print()
    clocks = chip.clocks
    console.print(
        section(
            "chip",
            f"{chip.core}, {clocks.hclk_max_hz // 10**6} MHz at most, "
            f"{chip.flash.size // 1024} KB of flash, {chip.ram.size // 1024} KB of RAM",
        )
    )
    if board.console is not None:
        c = board.console
        console.print(section("console", f"{c.uart}, TX {c.tx}, RX {c.rx}, {c.baud} baud"))
    for part in board.parts.values():
        level = "high" if part.active else "low"
        what = "lit" if part.kind == "led" else "pressed"
        colour = f"{part.colour} " if part.colour else ""
        names = [w for w, meant in board.words.items() if meant == part.name]
        also = f" · called {', '.join(names[:6])}" if names else ""
        console.print(
            section(part.name, f"{colour}{part.kind} on {part.pin}, {what} when {level}{also}")
        )
    modelled = sum(p.kind is not None for p in chip.peripherals.values())
    left = [p.name for p in chip.peripherals.values() if p.kind is None]
    console.print(section("modelled", f"{modelled} of {len(chip.peripherals)} peripherals"))
    console.print(section("not yet", ", ".join(left)))
    for group in made.groups:
        console.print()
        console.print(_group(group))
    console.print()
    return 0


def check(path: Annotated[Path, typer.Argument(help="A board or chip TOML file.")]) -> int:
    """Check a board file of your own: every finding at once."""
    from rich.console import Console

    from fwgen.board import check_board_file
    from fwgen.report.console import show_error

    console = Console(highlight=False)
    findings = check_board_file(path)
    for finding in findings:
        show_error(console, finding.error())
    if findings:
        console.print(f"\n {len(findings)} to mend in {path}")
        return 2
    console.print(f' [green]✔[/] {path} is sound: fwgen "blink LED at 2Hz" --board {path}')
    return 0


def _group(group: PinGroup) -> RenderableType:
    from rich.table import Table

    table = Table(box=None, title=f" {group.title}", title_justify="left", title_style="bold cyan",
                  header_style="dim", pad_edge=True)  # fmt: skip
    for column in ("pin", "chip", "used by", "also", "functions"):
        table.add_column(column, overflow="fold", no_wrap=column in ("pin", "chip"))
    for row in group.rows:
        table.add_row(*_cells(row))
    return table


def _cells(row: PinRow) -> tuple[str, str, str, str, str]:
    if row.pin is None:
        return row.label, f"[dim]{row.net}[/]", "", "", ""
    used = f"[yellow]{row.used_by}[/]" if row.used_by else ""
    return row.label, f"[bold]{row.pin}[/]", used, " ".join(row.labels), f"[dim]{row.functions}[/]"
