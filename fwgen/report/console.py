"""Results in the terminal: what was understood, asked, made and seen, as it comes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.text import Text

from fwgen.contract import describe, describe_accepted
from fwgen.report.data import asleep_ppm, awake_per_second
from fwgen.report.layout import Paragraph, folded
from fwgen.report.pictures import last_pictures
from fwgen.trace import Fault
from fwgen.trace.excerpt import drawn, picture_words
from fwgen.units import show_duration
from fwgen.verdict import Outcome

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

    from fwgen.board.types import Board
    from fwgen.contract import Contract
    from fwgen.errors import FwgenError
    from fwgen.image.types import Image, Listing
    from fwgen.model.protocol import Reading
    from fwgen.pipeline import Proof, Result
    from fwgen.trace import Trace
    from fwgen.verdict import Finding

MARKS = {
    Outcome.PASS: ("✔", "green"),
    Outcome.FAIL: ("✘", "bold red"),
    Outcome.UNSURE: ("?", "bold yellow"),
}
SEEN = 12  # columns before what a display shows
MOST_CLAIMS = 12  # of a contract, in the terminal; the file holds them all


def section(label: str, *lines: str | Text, style: str = "cyan") -> Paragraph:
    """One labelled paragraph: the label on the left, its lines beside it."""
    return Paragraph(label, lines, style=style)


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
    if reading.doubts:
        console.print(section("doubts", *reading.doubts, style="bold yellow"))


def show_notes(console: Console, notes: Sequence[str]) -> None:
    """What else there is to say about a run."""
    if notes:
        console.print(section("model", *notes, style="dim"))


def show_attempt(console: Console, number: int, why: str) -> None:
    """An attempt that went back to the model, and why."""
    console.print(section(f"attempt {number}", why, style="yellow"))


def show_stopped(console: Console, result: Result) -> None:
    """Why a model that did not make it was not asked again."""
    if result.stopped and result.model != "embedded":
        plural = "s" if result.attempts != 1 else ""
        said = f"after {result.attempts} attempt{plural}: {result.stopped}"
        console.print(section("stopped", said, style="yellow"))


def show_contract(console: Console, contract: Contract, board: Board) -> None:
    """The contract in plain words."""
    says = describe(contract, board)
    lines = list(says[:MOST_CLAIMS])
    if len(says) > MOST_CLAIMS:
        lines.append(f"… and {len(says) - MOST_CLAIMS} more (contract.toml has them all)")
    lines.append(f"No fault, no hazard, nothing unknown, over {show_duration(contract.span_ps)}")
    lines += describe_accepted(contract)
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
        (f"{awake_per_second(trace):,}".replace(",", " "), "bold"),
        " cycles awake per second: asleep ",
        (f"{asleep_ppm(trace) / 10_000:.4f} %", "bold"), " of the time", *_deeper(trace),
    )  # fmt: skip
    console.print(section("image", sizes, awake))


def _deeper(trace: Trace) -> tuple[str, ...]:
    """How much of the sleep was Stop or Standby, if any was."""
    shares = {mode: asleep_ppm(trace, mode) for mode in ("stop", "standby")}
    told = [f"{ppm / 10_000:.4f} % in {mode.title()}" for mode, ppm in shares.items() if ppm]
    return (f", {' and '.join(told)}",) if told else ()


def show_verdict(console: Console, proof: Proof) -> None:
    """Each expectation with what was measured, then the whole."""
    verdict = proof.verdict
    console.print()
    for finding in verdict.findings:
        _show_finding(console, finding)
    for finding in verdict.implied:
        if finding.outcome is not Outcome.PASS:
            _show_finding(console, finding)
    quiet = [f.text for f in verdict.implied if f.outcome is Outcome.PASS]
    if quiet:
        console.print(_marked(Outcome.PASS, "; ".join(quiet)))
    for fault in list(proof.trace.of(Fault))[:1]:
        show_fault(console, fault)
    first = verdict.first_departure
    _show_pictures(console, proof.trace, first.t_ps if first is not None else None)
    console.print()
    console.print(_whole(proof))


def _show_pictures(console: Console, trace: Trace, until_ps: int | None) -> None:
    """What each display shows, in block characters."""
    for event in last_pictures(trace, until_ps):
        said = Text(f"{picture_words(event)}, from {show_duration(event.t_ps)} on")
        console.print(section("seen", said))
        for row in drawn(event, max(20, console.width - SEEN - 1)):
            console.print(Text(" " * SEEN + row), soft_wrap=True)


def show_fault(console: Console, fault: Fault) -> None:
    """A fault as a debugger tells it."""
    console.print()
    for line in (fault.report or fault.reason).splitlines():
        indent = len(line) - len(line.lstrip()) + 2
        for part in folded(Text(f"   {line}"), console.width, 3 + indent):
            console.print(part, soft_wrap=True)


def show_files(console: Console, folder: str, names: Sequence[str]) -> None:
    """Where the results are."""
    where = Text(f"{folder}/", style="bold")
    console.print(Paragraph("files", [where, "  ".join(names)], hang=0))


def show_next(console: Console, steps: Sequence[tuple[str, str]]) -> None:
    """What to type next: (what for, command)."""
    for i, (what, command) in enumerate(steps):
        line = Text.assemble((f" {'' if i else 'next':<10} ", "cyan"), (f"{what:<8} ", "dim"))
        # One line however long it is: a command that was broken up cannot be copied.
        console.print(line.append(command, "bold"), soft_wrap=True)
    console.print()


def show_error(console: Console, error: FwgenError) -> None:
    """An error for a person: what, where, what to do."""
    console.print(Paragraph(Text("error", style="bold red"), [error.message], width=5))
    if error.where:
        # One line however long it is: a path that was broken up cannot be copied.
        console.print(Text.assemble((" where ", "dim"), error.where), soft_wrap=True)
    if error.hint:
        console.print(Paragraph("hint", [error.hint], style="yellow", width=5))


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


def show_listing(console: Console, listing: Listing) -> None:
    """A listing, its remarks set back so that the instructions stand out."""
    for line in listing.lines:
        shown = Text(f" {line.text}".rstrip(), style="" if line.address is not None else "cyan")
        if line.address is not None:
            remark = shown.plain.find("; ")
            shown.stylize("dim", 0, len(" 00000000"))
            if remark > 0:
                shown.stylize("dim", remark)
        # Not wrapped: a listing has columns.
        console.print(shown, soft_wrap=True)


def _show_finding(console: Console, finding: Finding) -> None:
    console.print(_marked(finding.outcome, finding.text))
    if finding.outcome is not Outcome.PASS and finding.claim not in ("", finding.text):
        console.print(Paragraph("", [Text(f"asked: {finding.claim}", style="dim")], width=1))


def _marked(outcome: Outcome, text: str) -> Paragraph:
    mark, style = MARKS[outcome]
    return Paragraph(Text(mark, style=style), [text], width=1, hang=0)


def _whole(proof: Proof) -> Paragraph:
    verdict = proof.verdict
    _, style = MARKS[verdict.outcome]
    word = Text(f" {verdict.outcome.name} ", style=f"reverse {style}")
    bad = sum(f.outcome is verdict.outcome for f in verdict.all)
    if verdict.passed:
        said = f"everything was seen as asked, in the {proof.trace.bench}"
    elif verdict.outcome is Outcome.UNSURE:
        said = f"{bad} of {len(verdict.all)} claims cannot be told from what was seen"
    else:
        said = f"{bad} of {len(verdict.all)} claims were not seen as asked"
        first = verdict.first_departure
        if first is not None:
            said += f"; the first departure is at {show_duration(first.t_ps)}"
    return Paragraph(word, [said], width=word.cell_len + 1, hang=0)
