"""A firmware on the machine and on a rig: both verdicts, and where the two saw different things."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.text import Text

from fwgen.contract.subjects import resolve
from fwgen.contract.words import quoted
from fwgen.report.console import MARKS, section, show_fault
from fwgen.report.data import finding_data, proof_data
from fwgen.report.folder import RIG_NAMES
from fwgen.report.layout import Columns, Paragraph
from fwgen.trace import ByHand, Fault, NotDone, SerialByte
from fwgen.units import show_duration
from fwgen.verdict import Outcome
from fwgen.verdict.both import UNSEEN_BY_RIGS
from fwgen.verdict.speech import lines_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import Console

    from fwgen.pipeline import Confirmed
    from fwgen.trace import Trace
    from fwgen.verdict.both import Joint
    from fwgen.verdict.compare import Difference

TRACE, VCD, DIFFERENCE, CONTRACT = RIG_NAMES
BEFORE, AFTER = 4, 8  # changes about a difference that are shown
MOST_SHOWN = 5  # differences

UNWIRED = "nothing is wired to"
WIRE_IT = (
    "a wire from a pin of a second board, named under [wires] in a rig file, does it; and at a "
    "terminal you are asked to press a button by hand"
)
BY_HAND = "the contract's times count from there"

Row = tuple[int, str, str]


def show_confirmed(console: Console, confirmed: Confirmed) -> None:
    """What the rig saw of each claim, beside what the machine saw; differences side by side."""
    watched = confirmed.rig.trace.watched
    console.print()
    if watched is not None:
        who = [confirmed.rig.trace.bench, watched.means]
        console.print(section("rig", ", ".join(text for text in who if text)))
        acts = [_act(act) for act in confirmed.rig.trace.of(ByHand)]
        if acts:
            console.print(section("by hand", *acts, BY_HAND))
        console.print()
    console.print(Text(" machine, rig", style="dim"))
    for claim in confirmed.claims:
        _show_claim(console, claim)
    for fault in list(confirmed.rig.trace.of(Fault))[:1]:
        show_fault(console, fault)
    for difference in confirmed.differences[:MOST_SHOWN]:
        console.print()
        console.print(section("differs", difference.text, style="bold magenta"))
        rows = [(show_duration(t), one, two) for t, one, two in beside(confirmed, difference)]
        console.print(Columns(("at", "machine", "rig"), rows))
    more = len(confirmed.differences) - MOST_SHOWN
    if more > 0:
        console.print(section("", f"… and {more} more"))
    if any(e.why.startswith(UNWIRED) for e in confirmed.rig.trace.of(NotDone)):
        console.print()
        console.print(section("hint", WIRE_IT, style="yellow"))
    console.print()
    console.print(_whole(confirmed))


def _act(act: ByHand) -> str:
    held = "" if act.until_ps is None else f" for {show_duration(act.until_ps - act.t_ps, 3)}"
    return (
        f"{act.subject} was pressed at {show_duration(act.t_ps, 4)}{held} "
        f"(to be at {show_duration(act.asked_ps)})"
    )


def _show_claim(console: Console, claim: Joint) -> None:
    seen = claim.rig or claim.machine
    assert seen is not None
    mark = Text(" ")
    for finding in (claim.machine, claim.rig):
        sign, style = MARKS[finding.outcome] if finding is not None else (" ", "")
        mark.append(sign, style)
    mark = mark[1:]
    text = seen.text
    if claim.machine is not None and seen.about in UNSEEN_BY_RIGS:
        text = f"{claim.machine.text} in the machine; a rig cannot tell"
    elif claim.machine is not None and claim.machine.outcome is Outcome.FAIL:
        text = f"in the machine: {claim.machine.text}; on the rig: {seen.text}"
    console.print(Paragraph(mark, [text], width=2, hang=0))
    if claim.outcome is not Outcome.PASS and claim.claim not in ("", seen.text):
        console.print(Paragraph("", [Text(f"asked: {claim.claim}", style="dim")], width=2))


def _whole(confirmed: Confirmed) -> Paragraph:
    outcome = confirmed.outcome
    _, style = MARKS[outcome]
    word = Text(f" {outcome.name} ", style=f"reverse {style}")
    bad = sum(claim.outcome is outcome for claim in confirmed.claims)
    total = len(confirmed.claims)
    if outcome is Outcome.PASS:
        said = "everything was seen as asked, in the machine and on the rig"
    elif outcome is Outcome.UNSURE:
        said = f"{bad} of {total} claims cannot be told from what was seen on the rig"
    else:
        said = f"{bad} of {total} claims were not seen as asked"
    if confirmed.differences:
        said += "; machine and rig saw different things"
    return Paragraph(word, [said], width=word.cell_len + 1, hang=0)


def beside(confirmed: Confirmed, difference: Difference) -> list[Row]:
    """What both benches saw of a subject about its difference: (time, machine, rig)."""
    rows: list[Row] = []
    for bench, trace in enumerate((confirmed.machine.trace, confirmed.rig.trace)):
        told = list(_told(trace, difference.subject, confirmed))
        near = [i for i, (t, _) in enumerate(told) if t >= difference.t_ps]
        first = near[0] if near else len(told)
        for t, text in told[max(0, first - BEFORE) : first + AFTER]:
            rows.append((t, text if bench == 0 else "", text if bench == 1 else ""))
    return sorted(rows)


def _told(trace: Trace, name: str, confirmed: Confirmed) -> Iterator[tuple[int, str]]:
    subject = resolve(name, confirmed.machine.board)
    if subject.port:
        frames = [e for e in trace.of(SerialByte) if e.port == subject.port and e.direction == "tx"]
        for line in lines_of(frames):
            yield line.start, quoted(line.text)
        return

    def word(level: int | None) -> str:
        return subject.word(level if level is None or subject.active else 1 - level)

    yield 0, word(trace.initial.get(subject.pin))
    blurs = {run.start_ps: run.blur_ps for run in trace.runs(subject.pin)}
    for t, level in trace.edges(subject.pin):
        blur = blurs.get(t, 0)
        yield t, word(level) + (f" (± {show_duration(blur)})" if blur else "")


def difference_text(confirmed: Confirmed) -> str:
    """Every difference with both traces side by side, for a bug report; "" when there is none."""
    if not confirmed.differences:
        return ""
    lines = [
        "Machine and rig saw different things of the same firmware.",
        f"board: {confirmed.machine.board.name}",
        f"contract: {confirmed.machine.contract.title}",
    ]
    watched = confirmed.rig.trace.watched
    if watched is not None:
        lines.append(f"rig: {watched.means}")
    for difference in confirmed.differences:
        lines += ["", difference.text]
        rows = [(show_duration(t), one, two) for t, one, two in beside(confirmed, difference)]
        widths = [max([len(row[n]) for row in rows] + [10]) for n in range(2)]
        for row in (("at", "machine", "rig"), *rows):
            lines.append(f"  {row[0]:<{widths[0]}}  {row[1]:<{widths[1]}}  {row[2]}".rstrip())
    return "\n".join(lines) + "\n"


def rig_files(confirmed: Confirmed) -> dict[str, bytes]:
    """What the rig saw, for the output folder; how it differs, where it does."""
    from fwgen.contract import dump_contract
    from fwgen.trace import dump_trace, dump_vcd

    rig = confirmed.rig
    files = {
        TRACE: dump_trace(rig.trace).encode(),
        VCD: dump_vcd(rig.trace, rig.board).encode(),
    }
    if any(rig.trace.of(ByHand)):  # the contract in the time of what was done
        files[CONTRACT] = dump_contract(rig.contract).encode()
    text = difference_text(confirmed)
    if text:
        files[DIFFERENCE] = text.encode()
    return files


def rig_data(confirmed: Confirmed) -> dict[str, object]:
    """Both verdicts, for programs: the ``rig`` of a report. docs/report.md describes it."""
    rig = proof_data(confirmed.rig)
    watched = confirmed.rig.trace.watched
    return {
        "outcome": rig["outcome"],
        "bench": rig["bench"],
        "means": watched.means if watched is not None else "",
        "findings": [finding_data(f) for f in confirmed.rig.verdict.all],
        "faults": rig["faults"],
        "claims": [
            {
                "claim": claim.claim,
                "outcome": claim.outcome.value,
                "machine": claim.machine.outcome.value if claim.machine is not None else None,
                "rig": claim.rig.outcome.value if claim.rig is not None else None,
            }
            for claim in confirmed.claims
        ],
        "differences": [
            {"t_ps": d.t_ps, "subject": d.subject, "machine": d.machine, "rig": d.rig}
            for d in confirmed.differences
        ],
    }
