"""``fwgen boards``: list, show, check."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fwgen.cli.options import JsonOption
from fwgen.cli.output import put_json, screen

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

    from fwgen.board.pinmap import PinMap, PinRow
    from fwgen.board.types import Board


def app() -> typer.Typer:
    """The ``boards`` commands."""
    made = typer.Typer(
        help="The boards fwgen knows: list them, show one, check a file of your own.",
        invoke_without_command=True,
        rich_markup_mode=None,
    )
    made.callback()(listed)
    made.command("show")(show)
    made.command("check")(check)
    return made


def listed(ctx: typer.Context, *, as_json: JsonOption = False) -> int:
    """List the boards; show one with its pins; check a file of your own."""
    if ctx.invoked_subcommand is not None:
        return 0
    from fwgen.board import list_boards

    boards = list_boards()
    if as_json:
        from fwgen.report.data import boards_data

        put_json(boards_data(boards))
        return 0
    from rich.text import Text

    from fwgen.report.layout import Columns

    console = screen()
    console.print()
    rows = [
        (Text(board.name, style="bold"), board.title, board.chip, ", ".join(board.aliases))
        for board in boards
    ]
    console.print(Columns(("board", "title", "chip", "also called"), rows))
    console.print("\n [dim]fwgen boards show NAME   shows a board and its pins[/]\n")
    return 0


def show(
    name: Annotated[str, typer.Argument(help="Board name, or a board's TOML file.")],
    *,
    as_json: JsonOption = False,
) -> int:
    """Show a board: parts, console, and a pin map."""
    from fwgen.board import load_board
    from fwgen.board.pinmap import pin_map

    board = load_board(name)
    made = pin_map(board)
    if as_json:
        from fwgen.report.data import board_data

        put_json(board_data(board, made))
        return 0
    console = screen()
    console.print()
    console.print(f" [bold]{board.title}[/] · {board.chip.title} · {made.package}")
    console.print()
    _show_board(console, board)
    _show_pins(console, made)
    console.print()
    return 0


def check(
    path: Annotated[Path, typer.Argument(help="A board or chip TOML file.")],
    *,
    as_json: JsonOption = False,
) -> int:
    """Check a board file of your own: every finding at once."""
    from fwgen.board import check_board_file

    findings = [finding.error() for finding in check_board_file(path)]
    if as_json:
        from fwgen.report.data import check_data

        put_json(check_data(str(path), findings))
        return 2 if findings else 0
    from fwgen.report.console import show_error

    console = screen()
    for error in findings:
        show_error(console, error)
    if findings:
        console.print(f"\n {len(findings)} to mend in {path}", markup=False)
        return 2
    console.print(" [green]✔[/] ", end="")
    console.print(f'{path} is sound: fwgen "blink LED at 2Hz" --board {path}',
                  markup=False, soft_wrap=True)  # fmt: skip
    return 0


def _show_board(console: Console, board: Board) -> None:
    from fwgen.board.sensors import QUANTITIES
    from fwgen.report.console import section
    from fwgen.units import show_resistance

    chip, clocks = board.chip, board.chip.clocks
    core = (
        f"{chip.core}, {clocks.hclk_max_hz // 10**6} MHz at most, "
        f"{chip.flash.size // 1024} KB of flash, {chip.ram.size // 1024} KB of RAM"
    )
    console.print(section("chip", core))
    if board.console is not None:
        c = board.console
        console.print(section("console", f"{c.uart}, TX {c.tx}, RX {c.rx}, {c.baud} baud"))
    for part in board.parts.values():
        level = "high" if part.active else "low"
        what = "lit" if part.kind == "led" else "pressed"
        colour = f"{part.colour} " if part.colour else ""
        names = [word for word, meant in board.words.items() if meant == part.name]
        lines = [f"{colour}{part.kind} on {part.pin}, {what} when {level}"]
        if part.sensor is not None:
            rests = QUANTITIES[part.kind].show(part.sensor.rests)
            lines = [f"{part.kind} on {part.pin}, {show_resistance(part.sensor.ohm)}, at {rests}"]
        if names:
            lines.append(f"called {', '.join(names[:6])}")
        console.print(section(part.name, *lines))
    modelled = sum(p.kind is not None for p in chip.peripherals.values())
    left = [p.name for p in chip.peripherals.values() if p.kind is None]
    console.print(section("modelled", f"{modelled} of {len(chip.peripherals)} peripherals"))
    if left:
        console.print(section("not yet", ", ".join(left)))


def _show_pins(console: Console, made: PinMap) -> None:
    from fwgen.report.layout import Columns

    for group in made.groups:
        console.print()
        console.print(f" [bold cyan]{group.title}[/]")
        header = ("pin", "chip", "used by", "also", "functions")
        console.print(Columns(header, [_cells(row) for row in group.rows]))


def _cells(row: PinRow) -> tuple[str | Text, ...]:
    from rich.text import Text

    if row.pin is None:
        return row.label, Text(row.net, style="dim"), "", "", ""
    return (
        row.label,
        Text(row.pin, style="bold"),
        Text(row.used_by, style="yellow"),
        " ".join(row.labels),
        Text(row.functions, style="dim"),
    )
