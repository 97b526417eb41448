"""What touches the board from outside: who can drive which pin, and what a stimulus is made of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from fwgen.contract import Drive, Press
from fwgen.contract.subjects import find

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fwgen.board.types import Board
    from fwgen.contract import Stimulus

CHATTER = 4
"""How often a contact opens and closes while it bounces."""


class Wire(Protocol):
    """Something that drives one pin: a second board, a relay, a digital output, a virtual wire."""

    def drive(self, level: int | None, at_ps: int) -> tuple[int, int]:
        """Drive the pin to a level, or let it float, at a time of the rig's clock; now, if past.

        Returns the times between which it came about. Raises RigError.
        """


class Hand(Protocol):
    """A person at the board, who presses what nothing is wired to when asked to."""

    def press(self, stimulus: Press, within_ps: int) -> None:
        """Ask to press a button now, within so much time; returns at once."""

    def let_go(self, stimulus: Press) -> None:
        """Ask to let go of it now; returns at once."""

    def seen(self, stimulus: Press, text: str) -> None:
        """Tell what was seen of it: that it was pressed, or why it does not count."""


@dataclass(frozen=True, slots=True, order=True)
class Move:
    """A pin is driven at ``at_ps`` since reset; ``begins`` what this is the first move of."""

    at_ps: int
    pin: str
    level: int | None
    begins: Stimulus | None = None


def pin_of(stimulus: Stimulus, board: Board) -> str:
    """The pin that a stimulus moves; "" for none."""
    subject = find(stimulus.subject, board)
    return subject.pin if subject is not None else ""


def moves_of(stimulus: Press | Drive, board: Board) -> Iterator[Move]:
    """A press or a level as moves of its pin: a contact closes, bounces, opens, bounces."""
    subject = find(stimulus.subject, board)
    assert subject is not None
    pin = subject.pin
    if isinstance(stimulus, Drive):
        level = stimulus.level
        if level is not None and subject.part is not None:
            level = subject.active if level else 1 - subject.active
        yield Move(stimulus.at_ps, pin, level, stimulus)
        return
    # On a plain pin it is a button from there to ground.
    closed = subject.active if subject.part is not None else 0
    yield from _contact(pin, stimulus.at_ps, closed, None, stimulus.bounce_ps, stimulus)
    if stimulus.hold_ps is not None:
        until = stimulus.at_ps + stimulus.hold_ps
        yield from _contact(pin, until, None, closed, stimulus.bounce_ps, None)


def _contact(
    pin: str, at_ps: int, now: int | None, before: int | None, bounce_ps: int,
    begins: Stimulus | None,
) -> Iterator[Move]:  # fmt: skip
    yield Move(at_ps, pin, now, begins)
    for i in range(CHATTER if bounce_ps else 0):
        yield Move(at_ps + bounce_ps * (i + 1) // CHATTER, pin, now if i % 2 else before)
