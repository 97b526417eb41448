"""What every contract implies: no fault, no hazard, no reset, no gap that could matter."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fwgen.contract.accept import GAP, HAZARD, RESET
from fwgen.contract.words import say
from fwgen.hazards import Severity
from fwgen.trace import Fault, Gap, Hazard, NotDone, Reset
from fwgen.units import show_duration
from fwgen.verdict.accepted import occurrences
from fwgen.verdict.levels import number
from fwgen.verdict.types import Departure, Finding, Outcome

if TYPE_CHECKING:
    from fwgen.contract.types import Stimulus
    from fwgen.verdict.view import View


NO_HAZARDS = "a board does not tell of hazards: only the machine sees them"


def implied(view: View, gaps: tuple[Gap, ...]) -> tuple[Finding, ...]:
    """The findings on what nobody has to write down; ``gaps`` are those that could matter."""
    made = [_faults(view), _hazards(view), _resets(view), _gaps(view, gaps)]
    if view.contract.stimuli:
        made.append(_stimuli(view))
    if view.trace.span_ps < view.contract.span_ps:
        made.append(_span(view))
    return tuple(made)


def accepted_gap(gap: Gap, view: View) -> bool:
    """Whether the contract accepts a gap, as "gap:RTC" or "gap:RTC.DR"."""
    accepted = dict(view.contract.accept)
    return any(
        name in accepted
        for name in (f"gap:{gap.peripheral}", f"gap:{gap.peripheral}.{gap.register}")
    )


def _faults(view: View) -> Finding:
    claim = "The CPU never faults"
    faults = list(view.trace.of(Fault))
    watched = view.trace.watched
    if not faults and watched is not None and not watched.core:
        return Finding("faults", claim, Outcome.UNSURE, "this bench did not look for faults")
    if not faults:
        return Finding("faults", claim, Outcome.PASS, "no fault")
    first = faults[0]
    text = f"{first.exception} at {show_duration(first.t_ps)}: {first.reason}"
    return Finding(
        "faults", claim, Outcome.FAIL, text, None,
        (number("faults", len(faults)),), Departure(first.t_ps, text),
    )  # fmt: skip


def _hazards(view: View) -> Finding:
    claim = "Nothing that silicon would take amiss"
    accepted = dict(view.contract.accept)
    hazards = list(view.trace.of(Hazard))
    if view.trace.watched is not None and not hazards:
        return Finding("hazards", claim, Outcome.UNSURE, NO_HAZARDS)
    bad = [h for h in hazards if h.severity != Severity.NOTE and h.code not in accepted]
    if bad:
        first = bad[0]
        section = f" ({first.section})" if first.section else ""
        cure = f"; {first.cure}" if first.cure else ""
        text = f"{first.message} at {show_duration(first.t_ps)}{section}{cure} [{first.code}]"
        others = sorted({h.code for h in bad} - {first.code})
        text += f"; besides: {', '.join(others)}" if others else ""
        return Finding(
            "hazards", claim, Outcome.FAIL, text, None,
            (number("hazards", len(bad)),), Departure(first.t_ps, text),
        )  # fmt: skip
    taken = {h.code: h for h in reversed(hazards) if h.severity != Severity.NOTE}
    notes = [
        f"accepted: {taken[code].message} [{code}], {accepted[code]}" for code in sorted(taken)
    ]
    notes += _never(HAZARD, view)
    notes += list(
        dict.fromkeys(f"note: {h.message}" for h in hazards if h.severity == Severity.NOTE)
    )
    return Finding("hazards", claim, Outcome.PASS, "; ".join(notes) or "no hazard")


def _never(what: str, view: View) -> list[str]:
    """What was accepted and did not occur, where the bench would have seen it."""
    if view.trace.watched is not None:
        return []
    return [
        f"accepted, but it did not occur: {one.name}"
        for one, times in occurrences(view.contract, view.trace)
        if one.what == what and not times
    ]


def _resets(view: View) -> Finding:
    claim = "The chip does not reset"
    accepted = dict(view.contract.accept)
    resets = [reset for reset in view.trace.of(Reset) if reset.t_ps > 0]
    bad = [reset for reset in resets if f"reset:{reset.cause}" not in accepted]
    if bad:
        text = f"the chip reset at {show_duration(bad[0].t_ps)} ({bad[0].cause})"
        return Finding(
            "resets", claim, Outcome.FAIL, text, None,
            (number("resets", len(bad)),), Departure(bad[0].t_ps, text),
        )  # fmt: skip
    watched = view.trace.watched
    if watched is not None and not watched.core:
        return Finding("resets", claim, Outcome.UNSURE, "this bench did not look for resets")
    taken = list(dict.fromkeys(f"accepted: reset by {reset.cause}" for reset in resets))
    taken += _never(RESET, view)
    return Finding("resets", claim, Outcome.PASS, "; ".join(taken) or "no reset")


def _gaps(view: View, gaps: tuple[Gap, ...]) -> Finding:
    claim = "Everything touched is modelled"
    if gaps:
        names = list(dict.fromkeys(f"{gap.peripheral}.{gap.register}" for gap in gaps))
        shown = ", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "")
        text = f"{gap_words(gaps[0])}; not modelled: {shown}"
        return Finding(
            "gaps", claim, Outcome.UNSURE, text, None,
            (number("gaps", len(gaps)),), Departure(gaps[0].t_ps, text),
        )  # fmt: skip
    if view.trace.watched is not None:
        return Finding("gaps", claim, Outcome.PASS, "a board itself has no gap")
    total = sum(1 for _ in view.trace.of(Gap))
    text = f"{total} accesses to what is not modelled, none that matters" if total else "no gap"
    return Finding("gaps", claim, Outcome.PASS, "; ".join([text, *_never(GAP, view)]))


def gap_words(gap: Gap) -> str:
    """One gap as a phrase: "RTC.DR was read at 3 ms"."""
    verb = {"read": "was read", "write": "was written"}.get(gap.access, gap.access)
    detail = f" ({gap.detail})" if gap.detail else ""
    return f"{gap.peripheral}.{gap.register} {verb} at {show_duration(gap.t_ps)}{detail}"


def _stimuli(view: View) -> Finding:
    claim = "Everything that was to be done to the board was done"
    missing = [s for s in view.contract.stimuli if view.happened(s) is None]
    if missing:
        text = f"the bench did not do this: {say(missing[0], view.board)}{_why(missing[0], view)}"
        return Finding(
            "stimuli", claim, Outcome.UNSURE, text, None, (), Departure(missing[0].at_ps, text)
        )
    return Finding("stimuli", claim, Outcome.PASS, _done(len(view.contract.stimuli)))


def _why(stimulus: Stimulus, view: View) -> str:
    """Why a stimulus was not done, if the bench says."""
    key = view.subject(stimulus.subject).key
    told = (e.why for e in view.trace.of(NotDone)
            if e.t_ps == stimulus.at_ps and view.means(e.subject, key))  # fmt: skip
    why = next(told, "")
    return why and f": {why}"


def _done(count: int) -> str:
    return "the stimulus was done" if count == 1 else f"all {count} stimuli were done"


def _span(view: View) -> Finding:
    claim = f"The run lasts {show_duration(view.contract.span_ps)}"
    end = view.trace.span_ps
    text = f"the run ended at {show_duration(end)}"
    return Finding("span", claim, Outcome.UNSURE, text, None, (), Departure(end, text))
