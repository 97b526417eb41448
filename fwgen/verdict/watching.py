"""What a bench that sees only some things, now and then, can decide.

The machine sees everything, and nothing here concerns its traces. A rig looks at some pins every
millisecond or so: a claim about what it did not watch is UNSURE, and so is one that needs a sharper
eye. What it saw that departs, departs.
"""

from __future__ import annotations

from dataclasses import replace
from math import isqrt
from typing import TYPE_CHECKING

from fwgen.contract.types import (
    Asleep,
    Blinks,
    Exclusive,
    Follows,
    Never,
    Pattern,
    Pwm,
    Quiet,
    Replies,
    Responds,
    Says,
    Tone,
    Transfers,
)
from fwgen.trace import Looked, NotDone
from fwgen.units import PPM, PS_PER_MS, show_duration, show_ratio
from fwgen.verdict.levels import ratio
from fwgen.verdict.types import Departure, Outcome
from fwgen.verdict.view import failed, passed, unsure

if TYPE_CHECKING:
    from fwgen.contract.types import Expectation, Trigger
    from fwgen.verdict.view import Seen, Span, View

GLANCE_PS = 20 * PS_PER_MS
"""Who looks away for longer cannot say that a pin kept still: an eye sees a flash that long."""

SIGMAS = 4
"""Samples of sleep are drawn at random: a share is known to this many standard deviations."""


def subjects_of(e: Expectation) -> tuple[str, ...]:
    """The parts, pins and ports that an expectation is about; Quiet is about all the others."""
    match e:
        case Pattern():
            return tuple(dict.fromkeys(name for step in e.steps for name, _ in step.levels))
        case Exclusive():
            return e.subjects
        case Follows() if e.above_uv is not None:
            return (e.subject,)  # the voltage is what the bench gives
        case Follows():
            return e.subject, e.source
        case Responds():
            return e.trigger.subject, e.response.subject
        case Never():
            return (e.moment.subject,)
        case Says() | Replies():
            return (e.port,)
        case Blinks() if e.phase is not None:
            return e.subject, e.phase.reference
        case Asleep() | Quiet() | Transfers():
            return ()
        case _:
            return (e.subject,)


def unwatched(e: Expectation, view: View) -> Seen | None:
    """The doubt about what this bench did not watch at all, or None."""
    watched = view.trace.watched
    if watched is None:
        return None
    if isinstance(e, Asleep) and not watched.asleep:
        return unsure("this bench did not look whether the core sleeps")
    if isinstance(e, Transfers):
        return unsure(f"this bench does not listen to {e.port}")
    for name in subjects_of(e):
        if isinstance(e, Responds) and name == e.trigger.subject and _is_done(e.trigger):
            continue
        subject = view.subject(name)
        if subject.pin and subject.pin not in watched.pins:
            on = f", which is on {subject.pin}," if subject.part is not None else ""
            return unsure(f"{name}{on} was not watched")
        if subject.port and subject.port not in watched.ports:
            return unsure(f"nobody listened to {name}")
    if isinstance(e, Says) and e.baud is not None:
        baud = watched.ports[view.subject(e.port).port].baud
        if baud != e.baud:
            return unsure(f"{e.port} was listened to at {baud} baud, not at {e.baud}")
    return None


def _is_done(trigger: Trigger) -> bool:
    """Whether a trigger is what the bench itself does, which needs no watching."""
    return trigger.edge is None and trigger.text is None


def as_far_as_seen(e: Expectation, seen: Seen, view: View, span: Span) -> Seen:
    """A judgement with what this bench could not see of it, and with what it could not do."""
    watched = view.trace.watched
    if watched is None:
        return seen
    missing = _missing(view, span)
    if missing is not None and seen.outcome is not Outcome.UNSURE:
        decided = (
            seen.outcome is Outcome.FAIL
            and seen.departure is not None
            and seen.departure.t_ps < missing.t_ps
        )
        if not decided:
            why = f"{missing.subject}: {missing.what} was not done at "
            why += f"{show_duration(missing.t_ps)}, {missing.why}"
            return unsure(f"{why}; without it: {seen.text}", *seen.figures, at_ps=missing.t_ps)
    if seen.outcome is not Outcome.PASS:
        return seen
    if isinstance(e, (Says, Replies)):
        heard = watched.ports[view.subject(e.port).port]
        text = (
            f"{seen.text} (heard at {heard.baud} baud, give or take "
            f"{show_duration(heard.blur_ps)})"
        )  # fmt: skip
        return replace(seen, text=text)
    unseen = _unseen(e, view, span)
    if not unseen:
        return seen
    how = f"looked at every {show_duration(unseen)} at the longest"
    own_scale = isinstance(e, (Blinks, Pattern, Pwm, Tone))
    if unseen > GLANCE_PS and not own_scale:
        text = f"{seen.text}; but {how}, too seldom to be sure"
        return replace(
            seen, outcome=Outcome.UNSURE, text=text, departure=Departure(span.stop, text)
        )
    return replace(seen, text=f"{seen.text} ({how})")


def _unseen(e: Expectation, view: View, span: Span) -> int:
    watched = view.trace.watched
    assert watched is not None
    if isinstance(e, Quiet):
        return max((p.longest_ps(span.start, span.stop) for p in watched.pins.values()), default=0)
    return max((view.unseen(name, span) for name in _looked_at(e, view)), default=0)


def _looked_at(e: Expectation, view: View) -> list[str]:
    watched = view.trace.watched
    assert watched is not None
    return [name for name in subjects_of(e) if view.subject(name).pin in watched.pins]


def _missing(view: View, span: Span) -> NotDone | None:
    """The first stimulus that was not done before the end of a window, or None."""
    told = list(view.trace.of(NotDone))
    first: NotDone | None = None
    for stimulus in view.contract.stimuli:
        if stimulus.at_ps >= span.stop or view.happened(stimulus) is not None:
            continue
        key = view.subject(stimulus.subject).key
        known = next((e for e in told if e.t_ps == stimulus.at_ps and view.means(e.subject, key)),
                     None)  # fmt: skip
        if known is None:
            known = NotDone(stimulus.at_ps, stimulus.subject, "what was asked", "nobody said why")
        if first is None or known.t_ps < first.t_ps:
            first = known
    return first


def judge_looked(e: Asleep, view: View, span: Span) -> Seen:
    """The share of the window that the core sleeps, from looks at random moments."""
    stop = min(span.stop, view.trace.span_ps)
    times = asleep = 0
    first, last = stop, span.start
    for look in view.trace.of(Looked):
        if look.start_ps >= span.start and look.t_ps <= stop:
            times += look.times
            asleep += look.asleep
            first, last = min(first, look.start_ps), max(last, look.t_ps)
    if not times or 2 * (last - first) < stop - span.start:
        return unsure("the core was looked at too seldom in this window to tell how long it sleeps")
    low, high = bounds(asleep, times)
    share = asleep * PPM // times
    text = (
        f"the core slept at {asleep} of {times} looks: {show_ratio(low, 4)} to "
        f"{show_ratio(high, 4)} of the time"
    )
    figures = (ratio("asleep", share), ratio("at least", low), ratio("at most", high))
    # What lies between the looks that count and the window's borders was not seen.
    rest = (stop - span.start - (last - first)) * PPM // max(1, stop - span.start)
    low, high = low * (PPM - rest) // PPM, high * (PPM - rest) // PPM + rest
    if low >= e.least_ppm:
        return passed(text, *figures)
    wanted = f"{text}; expected at least {show_ratio(e.least_ppm)}"
    if high < e.least_ppm:
        return failed(span.stop, wanted, *figures)
    return unsure(wanted, *figures, at_ps=span.stop)


def bounds(hits: int, times: int) -> tuple[int, int]:
    """Between which shares, in ppm, the truth lies when ``hits`` of ``times`` looks found it.

    Source: E. B. Wilson, "Probable inference, the law of succession, and statistical inference",
    JASA 22 (1927) 209, with SIGMAS standard deviations.
    """
    z2 = SIGMAS * SIGMAS
    # (2h + z2 ± z sqrt(z2 + 4h(n - h)/n)) / 2(n + z2), in ppm and rounded outwards.
    root = isqrt((z2 * times + 4 * hits * (times - hits)) * z2 * PPM * PPM // times) + 1
    middle, below = (2 * hits + z2) * PPM, 2 * (times + z2)
    return max(0, (middle - root) // below), min(PPM, -(-(middle + root) // below))
