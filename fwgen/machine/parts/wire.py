"""A wire from outside to a pin."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fwgen.errors import BenchError, did_you_mean
from fwgen.trace import Stimulated

if TYPE_CHECKING:
    from fwgen.contract import Drive
    from fwgen.machine.soc import Soc

WHO = "the bench"


def drive(stimulus: Drive, soc: Soc) -> None:
    """Drive a pin to a level from a time on, or let it float.

    The level of a part is its own: 1 lights it or presses it. Raises BenchError when the board
    has no such pin.
    """
    board = soc.board
    pin = board.find_pin(stimulus.subject)
    if pin is None:
        raise BenchError(
            f"{board.name} has no pin {stimulus.subject!r}",
            hint=did_you_mean(stimulus.subject, [*board.chip.pins, *board.parts]),
        )
    part = board.find_part(stimulus.subject)
    level = stimulus.level
    if part is not None and level is not None:
        level = part.active if level else 1 - part.active
    pad = soc.fabric.pads[pin.name]
    who = part.name if part is not None and part.kind == "switch" else WHO

    def act(t_ps: int) -> None:
        what = "let go" if level is None else f"driven {'high' if level else 'low'}"
        soc.recorder.add(Stimulated(t_ps, pin.name, what))
        pad.drive_outside(t_ps, who, level)

    soc.scheduler.at(stimulus.at_ps, act)
