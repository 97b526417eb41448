"""Results in the terminal: what was understood, asked, made and seen, as it comes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Console, Group
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from fwgen.contract import describe
from fwgen.report.data import asleep_ppm, awake_per_second
from fwgen.trace import Fault
from fwgen.units import show_duration
from fwgen.verdict import Outcome

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import RenderableType

    from fwgen.board.types import Board
    from fwgen.contract import Contract
    from fwgen.errors import FwgenError
    from fwgen.image.types import Image
    from fwgen.model.protocol import Reading
    from fwgen.pipeline import Proof
    from fwgen.verdict import Finding

LABEL = 12  # columns
MARKS = {
    Outcome.PASS: ("✔", "green"),
    Outcome.FAIL: ("✘", "bold red"),
    Outcome.UNSURE: ("?", "bold yellow"),
}
MOST_CLAIMS = 12  # of a contract, in the terminal; the file holds them all


def section(label: str, *lines: RenderableType | str, style: str = "cyan") -> Padding:
    """One labelled paragraph: the label on the left, its lines beside it."""
    grid = Table.grid(padding=(0, 1))
    grid.add_column(width=LABEL, style=style, no_wrap=True)
    grid.add_column(overflow="fold")
    for i, line in enumerate(lines):
        shown = Text(line) if isinstance(line, str) else line
        grid.add_row(label if i == 0 else "", shown)
    return Padding(grid, (0, 0, 0, 1), expand=False)


def show_title(console: Console, board: Board, model: str) -> None:
    """Who does what."""
    console.print()
    console.print(
        Text.assemble(
            (" fwgen", "bold"), (" · ", "dim"), board.title, (" · ", "dim"), f"{model} model"
        )
    )
    console.print()


def show_reading(console: Console, reading: Reading) -> None:
    """What was understood, what was assumed, and the contract in plain words."""
    console.print(section("understood", *reading.understood))
    if reading.assumed:
        console.print(section("assumed", *reading.assumed, style="yellow"))
    show_contract(console, reading.contract, reading.board)


def show_contract(console: Console, contract: Contract, board: Board) -> None:
    """The contract in plain words."""
    says = describe(contract, board)
    lines = list(says[:MOST_CLAIMS])
    if len(says) > MOST_CLAIMS:
        lines.append(f"… and {len(says) - MOST_CLAIMS} more (contract.toml has them all)")
    lines.append(f"No fault, no hazard, nothing unknown, over {show_duration(contract.span_ps)}")
    for code, reason in contract.accept:
        lines.append(f"Hazard {code} is accepted: {reason}")
    console.print(section("contract", *lines))


def show_plan(console: Console, plan: str) -> None:
    """How the model goes about it."""
    if plan:
        console.print(section("plan", *plan.splitlines()))


def show_image(console: Console, proof: Proof) -> None:
    """Bytes of flash and RAM, cycles awake."""
    image, trace = proof.image, proof.trace
    sizes = Text.assemble(
        (f"{image.flash_used}", "bold"), " bytes of flash, ",
        (f"{image.ram_used}", "bold"), " bytes of RAM",
        f" (and {image.stack_reserve} kept for the stack)" if image.stack_reserve else "",
    )  # fmt: skip
    awake = Text.assemble(
        (f"{awake_per_second(trace)}", "bold"), " cycles awake per second: asleep ",
        (f"{asleep_ppm(trace) / 10_000:.4f} %", "bold"), " of the time",
    )  # fmt: skip
    console.print(section("image", sizes, awake))


def show_verdict(console: Console, proof: Proof) -> None:
    """Each expectation with what was measured, then the whole."""
    verdict = proof.verdict
    console.print()
    for finding in verdict.findings:
        console.print(_finding(finding))
    quiet = [f for f in verdict.implied if f.outcome is Outcome.PASS]
    for finding in verdict.implied:
        if finding.outcome is not Outcome.PASS:
            console.print(_finding(finding))
    if quiet:
        console.print(_line(Outcome.PASS, "; ".join(f.text for f in quiet)))
    for fault in list(proof.trace.of(Fault))[:1]:
        if fault.report:
            console.print()
            console.print(Padding(Text(fault.report), (0, 0, 0, 3), expand=False))
    console.print()
    console.print(_whole(proof))


def show_files(console: Console, folder: str, names: Sequence[str]) -> None:
    """Where the results are."""
    console.print(section("files", Text(f"{folder}/", style="bold"), "  ".join(names)))


def show_next(console: Console, steps: Sequence[tuple[str, str]]) -> None:
    """What to type next: (what for, command)."""
    grid = Table.grid(padding=(0, 1))
    grid.add_column(style="dim", no_wrap=True)
    grid.add_column(overflow="fold")
    for what, command in steps:
        grid.add_row(what, Text(command, style="bold"))
    console.print(section("next", grid))
    console.print()


def show_error(console: Console, error: FwgenError) -> None:
    """An error for a person: what, where, what to do."""
    what = Text.assemble(("error ", "bold red"), error.message)
    console.print(Padding(what, (0, 0, 0, 1), expand=False))
    if error.where:
        console.print(section("where", error.where, style="dim"))
    if error.hint:
        console.print(section("hint", error.hint, style="yellow"))


def show_image_head(console: Console, image: Image, board: Board) -> None:
    """What an image is, in a few lines."""
    reset = image.symbol_at(image.entry & ~1)
    entry = f"{image.entry & ~1:#010x}" + (f" {reset.name}" if reset else "")
    console.print(
        section(
            "image",
            f"{image.flash_used} bytes of flash at {image.base:#010x}, for {board.chip.title}",
            f"stack from {image.initial_sp:#010x} down, starts at {entry}",
        )
    )


def _finding(finding: Finding) -> Group | Padding:
    shown = _line(finding.outcome, finding.text)
    if finding.outcome is Outcome.PASS or finding.claim == finding.text or not finding.claim:
        return shown
    asked = Padding(
        Text.assemble(("asked: ", "dim"), (finding.claim, "dim")), (0, 0, 0, 3), expand=False
    )
    return Group(shown, asked)


def _line(outcome: Outcome, text: str) -> Padding:
    mark, style = MARKS[outcome]
    grid = Table.grid(padding=(0, 1))
    grid.add_column(width=1)
    grid.add_column(overflow="fold")
    grid.add_row(Text(mark, style=style), Text(text))
    return Padding(grid, (0, 0, 0, 1), expand=False)


def _whole(proof: Proof) -> Padding:
    verdict = proof.verdict
    _, style = MARKS[verdict.outcome]
    said = Text.assemble((f" {verdict.outcome.name} ", f"reverse {style}"))
    bad = sum(f.outcome is not Outcome.PASS for f in verdict.all)
    if verdict.passed:
        said.append(f"  everything was seen as asked, in {proof.trace.bench}")
    else:
        said.append(f"  {bad} of {len(verdict.all)} claims were not seen as asked")
        first = verdict.first_departure
        if first is not None:
            said.append(f"; the first departure is at {show_duration(first.t_ps)}")
    return Padding(said, (0, 0, 0, 1), expand=False)
