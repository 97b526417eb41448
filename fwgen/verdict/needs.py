"""What a bench that cannot watch everything should watch, to decide a contract."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from fwgen.contract.subjects import fitted, resolve
from fwgen.contract.timing import cycle_of, slack_of
from fwgen.contract.types import Blinks, Follows, Pattern, Pwm, Replies, Responds, Says, Tone
from fwgen.units import PPM, PS_PER_MS
from fwgen.verdict.watching import subjects_of

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from fwgen.board.types import Board
    from fwgen.contract.types import Contract, Expectation

FINEST_PS, COARSEST_PS = PS_PER_MS * 3 // 10, 6 * PS_PER_MS
"""No probe is faster than the first; who looks as seldom as the second still sees any flash that
an eye would."""

_LOOKS = 5
"""So many looks within a tolerance decide: two are lost to each edge of a time."""


@dataclass(frozen=True, slots=True)
class Needs:
    """``pins`` to look at, each with the shortest time that must be told from another one.

    That is in picoseconds; None: none in particular. ``bauds`` are the rates that the console must
    be heard at, ``heard_ps`` the shortest time between lines that must be told from another one.
    """

    pins: Mapping[str, int | None]
    bauds: tuple[int, ...]
    heard_ps: int | None = None

    def every_ps(self, without: Collection[str] = ()) -> int:
        """How often to look at the pins, but for those that something sharper watches."""
        finest = [t for pin, t in self.pins.items() if t is not None and pin not in without]
        if self.heard_ps is not None:
            finest.append(self.heard_ps)
        return max(FINEST_PS, min([COARSEST_PS, *(t // _LOOKS for t in finest)]))

    def finer_than(self, ps: int) -> tuple[str, ...]:
        """The pins of which times shorter than this must be told apart."""
        return tuple(pin for pin, t in self.pins.items() if t is not None and t < ps)


def needs(contract: Contract, board: Board) -> Needs:
    """What to watch for a contract. Raises ContractError when it names what the board lacks."""
    board = fitted(board, contract.parts, contract.devices)
    pins: dict[str, int | None] = {}
    bauds: dict[int, None] = {}
    heard: list[int] = []
    for e in contract.expectations:
        finest = _finest(e)
        for name in subjects_of(e):
            pin = resolve(name, board).pin
            if pin:
                known = pins.get(pin)
                times = [t for t in (known, finest) if t is not None]
                pins[pin] = min(times, default=None)
        if isinstance(e, Says) and e.baud is not None:
            bauds[e.baud] = None
        if isinstance(e, Says) and e.period_ps is not None:
            heard.append(slack_of(e.period_ps, e.tolerance_ppm))
        if isinstance(e, Replies):
            heard.append(e.within_ps)
    for stimulus in contract.stimuli:
        pin = resolve(stimulus.subject, board).pin
        if pin:
            pins.setdefault(pin, None)
    return Needs(pins, tuple(bauds), min(heard, default=None))


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
            return e.latency_ps // (2 * _LOOKS)
        case Responds():
            return (e.within_ps - e.after_ps) // _LOOKS
        case Says() | Replies():
            return None
        case _:
            return None
