"""What a bench that cannot watch everything should watch, to decide a contract."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from fwgen.contract.subjects import resolve
from fwgen.contract.timing import cycle_of, slack_of, window_of
from fwgen.contract.types import Blinks, Follows, Pattern, Pwm, Replies, Responds, Says, Tone
from fwgen.units import PPM, PS_PER_MS
from fwgen.verdict.watching import subjects_of

if TYPE_CHECKING:
    from fwgen.board.types import Board
    from fwgen.contract.types import Contract, Expectation

FINEST_PS, COARSEST_PS = PS_PER_MS * 3 // 10, 6 * PS_PER_MS
"""No probe is faster than the first; no flash for an eye falls between looks by the second."""

_LOOKS = 5
"""So many looks within a tolerance decide: two are lost to each edge of a time."""


@dataclass(frozen=True, slots=True)
class Needs:
    """``pins`` to look at ``every_ps``; ``bauds`` are the rates that the console must be heard at.

    ``too_fast`` are the pins whose times no probe can follow: a logic analyser can.
    """

    pins: tuple[str, ...]
    every_ps: int
    bauds: tuple[int, ...]
    too_fast: tuple[str, ...] = ()


def needs(contract: Contract, board: Board) -> Needs:
    """What to watch for a contract. Raises ContractError when it names what the board lacks."""
    pins: dict[str, None] = {}
    too_fast: dict[str, None] = {}
    bauds: dict[int, None] = {}
    every = COARSEST_PS
    for e in contract.expectations:
        finest = _finest(e)
        for name in subjects_of(e):
            subject = resolve(name, board)
            if subject.pin:
                pins[subject.pin] = None
                if finest is not None and finest < FINEST_PS:
                    too_fast[subject.pin] = None
        if isinstance(e, Says) and e.baud is not None:
            bauds[e.baud] = None
        if finest is not None and finest >= FINEST_PS:
            every = min(every, max(FINEST_PS, finest // _LOOKS))
    for stimulus in contract.stimuli:
        subject = resolve(stimulus.subject, board)
        if subject.pin:
            pins[subject.pin] = None
    return Needs(tuple(pins), every, tuple(bauds), tuple(too_fast))


def _finest(e: Expectation) -> int | None:
    """The shortest time that must be told from another one; None: none in particular."""
    match e:
        case Blinks():
            duty = e.duty_ppm if e.duty_ppm is not None else PPM // 2
            return slack_of(e.period_ps * min(duty, PPM - duty) // PPM, e.tolerance_ppm)
        case Pattern():
            times = [s.duration_ps for s in e.steps if s.duration_ps is not None]
            return min((slack_of(t, e.tolerance_ppm) for t in times), default=None)
        case Pwm() | Tone():
            period = cycle_of(e) or 1
            tolerance = e.duty_tolerance_ppm if isinstance(e, Pwm) else e.tolerance_ppm
            return min(slack_of(period, e.tolerance_ppm), slack_of(period, tolerance))
        case Follows():
            return e.latency_ps // _LOOKS
        case Responds():
            return (e.within_ps - e.after_ps) // _LOOKS
        case Says() | Replies():
            return None
        case _:
            window = window_of(e)
            if window.stop_ps is None:
                return None
            return max(FINEST_PS, (window.stop_ps - window.start_ps) // 2)
