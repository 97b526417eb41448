"""What a model is told when it was wrong: compact, and only what was seen.

What does not decode or link is told line by line: the bytes, what they are, what the assembly
would be. What ran and departed is told as a person with a logic analyser and a debugger would:
what was asked and seen, the events around the first departure, where the core was then, and what
the registers held.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from fwgen.board.modules import load_module_kind
from fwgen.trace import Fault, Gap, Hazard, Pictured, Shown, Stimulated, Voltage
from fwgen.trace.excerpt import excerpt, picture_words, shown_value
from fwgen.units import show_duration, show_voltage
from fwgen.verdict import Outcome

if TYPE_CHECKING:
    from fwgen.bench import Look
    from fwgen.board.types import Board
    from fwgen.image.emission import Emission
    from fwgen.image.types import Image
    from fwgen.model.protocol import Feedback
    from fwgen.trace import Trace
    from fwgen.verdict import Verdict

MOST_PROBLEMS: Final = 12
MOST_EVENTS: Final = 10
_TOLD_APART = (Fault, Hazard, Gap)
_AROUND: Final = 4  # lines of the listing, before and after
_LONGEST: Final = 400  # characters of one line of evidence


def evidence(feedback: Feedback, board: Board) -> str:
    """What was wrong with an emission, for the model that made it.

    ``board`` has the parts of the contract wired to it.
    """
    parts: list[str] = []
    if feedback.unsound:
        parts.append(_unsound(feedback))
    elif feedback.verdict is None or feedback.trace is None:
        parts += feedback.problems
    else:
        parts.append(_judged(feedback.verdict))
        parts += _went_wrong(feedback.trace, feedback.image)
        first = feedback.verdict.first_departure
        if first is not None and not any(feedback.trace.of(Fault)):
            parts.append(_around(feedback.trace, board, first.t_ps, first.text))
        if feedback.look is not None:
            parts.append(_state(feedback.look, feedback.image))
    return "\n".join(part for part in parts if part)


def _unsound(feedback: Feedback) -> str:
    lines = []
    for problem in feedback.unsound[:MOST_PROBLEMS]:
        said = _line_of(feedback.emission, problem.unit, problem.line)
        quoted = f" {said!r}" if said and said not in problem.message else ""
        place = f"unit {problem.unit}" if problem.unit else "emission"
        place += f" line {problem.line}" if problem.line is not None else ""
        hint = f" ({problem.hint})" if problem.hint else ""
        lines.append(_cut(f"- {place}{quoted}: {problem.message}{hint}"))
    more = len(feedback.unsound) - MOST_PROBLEMS
    if more > 0:
        lines.append(f"- and {more} more")
    return "It does not hold together:\n" + "\n".join(lines)


def _line_of(emission: Emission | None, label: str, number: int | None) -> str:
    if emission is None or number is None:
        return ""
    for unit in emission.units:
        if unit.label == label and 0 < number <= len(unit.lines):
            line = unit.lines[number - 1]
            return str(getattr(line, "asm", "") or getattr(line, "expression", ""))
    return ""


def _judged(verdict: Verdict) -> str:
    bad = [f for f in verdict.all if f.outcome is not Outcome.PASS]
    lines = []
    for finding in bad[:MOST_PROBLEMS]:
        asked = f"asked: {finding.claim}; " if finding.claim not in ("", finding.text) else ""
        mark = "" if finding.outcome is Outcome.FAIL else "unsure: "
        lines.append(_cut(f"- {mark}{asked}seen: {finding.text}"))
    good = len(verdict.all) - len(bad)
    return f"It ran and departs ({good} of {len(verdict.all)} claims hold):\n" + "\n".join(lines)


def _went_wrong(trace: Trace, image: Image | None) -> list[str]:
    """Faults, hazards with their cure, and what is not modelled."""
    parts = []
    for fault in list(trace.of(Fault))[:1]:
        report = "\n".join(fault.report.splitlines()[:24])
        parts.append(f"FAULT at {show_duration(fault.t_ps)}: {report or fault.reason}")
    told: set[str] = set()
    for hazard in trace.of(Hazard):
        if hazard.severity == "note" or hazard.code in told or len(told) > 4:
            continue
        told.add(hazard.code)
        cure = f"; cure: {hazard.cure}" if hazard.cure else ""
        parts.append(_cut(f"HAZARD {hazard.code}: {hazard.message}{cure}"))
        parts.append(_listing(image, hazard.pc, 1))
    for gap in list(trace.of(Gap))[:2]:
        parts.append(_cut(f"NOT MODELLED: {gap.access} of {gap.peripheral}.{gap.register}; do "
                          "without it where you can"))  # fmt: skip
        parts.append(_listing(image, gap.pc, 1))
    return parts


def _around(trace: Trace, board: Board, t_ps: int, text: str) -> str:
    """The events about a moment; repeated rounds of sleep are folded."""
    lines = [_cut(f"First departure at {show_duration(t_ps)}: {text}")]
    before = excerpt(trace, board, stop_ps=t_ps, without=_TOLD_APART)
    after = excerpt(trace, board, start_ps=t_ps + 1, without=_TOLD_APART)
    shown = [*before[-MOST_EVENTS:], *after[: MOST_EVENTS // 2]]
    lines += [f" {line}" for line in shown] or [" nothing moved at all"]
    held = _held(trace, board, t_ps)
    return "\n".join([*lines, _cut(f"By then: {'; '.join(held)}")] if held else lines)


def _held(trace: Trace, board: Board, t_ps: int) -> list[str]:
    """What parts showed and sensed at a moment, and the voltages that stood at pins."""
    last: dict[tuple[str, str], Shown | Pictured] = {}
    volts: dict[str, Voltage] = {}
    done: dict[str, str] = {}
    for event in trace.events:
        if event.t_ps > t_ps:
            break
        if isinstance(event, Shown):
            last[event.part, event.what] = event
        elif isinstance(event, Pictured):
            last[event.part, "picture"] = event
        elif isinstance(event, Voltage):
            volts[event.pin] = event
        elif isinstance(event, Stimulated) and event.subject.partition(".")[0] in board.modules:
            done[event.subject] = event.what
    told = []
    for module in board.modules.values():
        for what in load_module_kind(module.kind).shows:
            shown = last.get((module.name, what))
            if isinstance(shown, Pictured):
                told.append(f"{picture_words(shown)} (since {show_duration(shown.t_ps)})")
                continue
            said = "nothing yet" if shown is None else shown_value(shown, module.kind)
            since = "" if shown is None else f" (since {show_duration(shown.t_ps)})"
            told.append(f"{module.name} shows {what} {said}{since}")
    told += [
        f"{pin} is held at {show_voltage(volt.at(t_ps))}"
        for pin, volt in volts.items()
        if volt.uv is not None
    ]
    return [*told, *done.values()]


def _state(look: Look, image: Image | None) -> str:
    """Where the core is, and what is set up."""
    doing = "asleep" if look.asleep else "running"
    lines = [f"At {show_duration(look.t_ps)} the core is {doing} at {look.pc:#x}:"]
    lines.append(_listing(image, look.pc, _AROUND))
    used = " ".join(f"{name}={value:#x}" for name, value in look.core.items() if name != "lr")
    lines.append(_cut(f" {used}"))
    held = " ".join(f"{name}={value:#x}" for name, value in look.peripherals.items())
    lines.append(_cut(f" not as after reset: {held or 'nothing'}"))
    return "\n".join(line for line in lines if line)


def _listing(image: Image | None, address: int, around: int) -> str:
    lines = image.listing.around(address, around, around) if image is not None else ()
    here = image.listing.line_for(address) if image is not None else None
    shown = []
    for line in lines:
        mark = ">" if here is not None and line.number == here.number else " "
        shown.append(f" {mark}{re.sub(r'  +', '  ', line.text)}"[:110])
    return "\n".join(shown)


def _cut(text: str) -> str:
    line = " ".join(text.split()) if "\n" in text else text
    return line if len(line) <= _LONGEST else f"{line[: _LONGEST - 3]}..."
