"""How long things take: the span that shows them, and the allowances that are made."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fwgen.contract.types import (
    Analog,
    Asleep,
    Blinks,
    Counts,
    Drive,
    Exclusive,
    Follows,
    Level,
    Never,
    Pattern,
    Press,
    Pwm,
    Quiet,
    Replies,
    Responds,
    Says,
    Send,
    Tone,
    Window,
)
from fwgen.units import PPM, PS_PER_MS, PS_PER_S, period_ps

if TYPE_CHECKING:
    from collections.abc import Iterable

    from fwgen.contract.types import Expectation, Step, Stimulus

STARTUP_PS = 10 * PS_PER_MS
"""After reset, firmware may take this long to set up; until then its pins may float."""

ENOUGH_PERIODS = 4
"""A run shows periodic things this often, so that one odd period stands out."""

FEWEST_PERIODS = 3
"""A window that holds fewer periods than this proves nothing periodic."""

_FRAME_BITS = 10  # start, 8 data, stop
_USUAL_BAUD = 115_200


def window_of(expectation: Expectation) -> Window:
    """When an expectation holds; a Quiet and a Level at a time name no window of their own."""
    if isinstance(expectation, Quiet):
        return Window()
    if isinstance(expectation, Level) and expectation.at_ps is not None:
        return Window(expectation.at_ps, expectation.at_ps + 1)
    return expectation.window


def slack_of(duration_ps: int, tolerance_ppm: int) -> int:
    """A tolerance as a time, at least the picosecond that rounding costs."""
    return duration_ps * tolerance_ppm // PPM + 1


def cycle_of(expectation: Expectation) -> int | None:
    """The period of a periodic expectation, or None."""
    match expectation:
        case Blinks():
            return expectation.period_ps
        case Pwm() | Tone():
            return period_ps(expectation.frequency_mhz)
        case Pattern() if expectation.repeat:
            return length_of(expectation.steps)
        case Says() if expectation.times is None:
            return expectation.period_ps
        case _:
            return None


def length_of(steps: tuple[Step, ...]) -> int:
    """How long the steps of a pattern take, those without end not counted."""
    return sum(step.duration_ps or 0 for step in steps)


def sending_ps(stimulus: Send) -> int:
    """How long the bytes of a Send take on the wire."""
    bits = len(stimulus.data) * _FRAME_BITS
    return -(-bits * PS_PER_S // (stimulus.baud or _USUAL_BAUD))


def end_of(stimulus: Stimulus) -> int:
    """When a stimulus is over (one that never ends: when it has begun)."""
    match stimulus:
        case Press():
            return stimulus.at_ps + (stimulus.hold_ps or 0) + stimulus.bounce_ps
        case Send():
            return stimulus.at_ps + sending_ps(stimulus)
        case Analog():
            return stimulus.at_ps + (stimulus.points[-1][0] if stimulus.points else 0)
        case Drive():
            return stimulus.at_ps


def required_span(expectations: Iterable[Expectation], stimuli: Iterable[Stimulus] = ()) -> int:
    """The shortest run in picoseconds that can show all this, periodic things several times."""
    expectations, stimuli = tuple(expectations), tuple(stimuli)
    last = max((end_of(stimulus) for stimulus in stimuli), default=0)
    spans = [_needed(expectation, last) for expectation in expectations]
    return max([2 * STARTUP_PS, last + STARTUP_PS, *spans])


def _needed(expectation: Expectation, last_stimulus: int) -> int:
    window = window_of(expectation)
    start = window.start_ps
    if window.stop_ps is not None:
        return window.stop_ps
    cycle = cycle_of(expectation)
    match expectation:
        case Pattern(repeat=False):
            tail = slack_of(length_of(expectation.steps), expectation.tolerance_ppm) + STARTUP_PS
            return start + length_of(expectation.steps) + expectation.start_within_ps + tail
        case Says(times=int(times)):
            first = expectation.first_by_ps if expectation.first_by_ps is not None else start
            period = expectation.period_ps or STARTUP_PS * 5
            # One period more shows that it stops.
            return first + (times + 1) * period + slack_of(period, expectation.tolerance_ppm)
        case Says(first_by_ps=int(first), period_ps=None):
            return first + STARTUP_PS * 5
        case Follows():
            return max(start, last_stimulus) + expectation.latency_ps + STARTUP_PS
        case Responds() | Replies():
            return max(start, last_stimulus) + expectation.within_ps + STARTUP_PS
        case Blinks() | Pwm() | Tone() | Pattern() | Says() if cycle is not None:
            first = getattr(expectation, "first_on_by_ps", None) or start
            return max(start, first) + ENOUGH_PERIODS * cycle + cycle // 10 + STARTUP_PS
        case Level() | Counts() | Never() | Exclusive() | Asleep() | Quiet() | _:
            return start + 2 * STARTUP_PS
