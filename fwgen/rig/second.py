"""A pin of a second board, driven through its probe, as a wire to the first.

The second board's core stands still and its firmware does not run: its probe writes the registers
of the pin. Any board that we can flash can do it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from fwgen.errors import RigError
from fwgen.image.facts import Facts
from fwgen.rig.pads import INPUT, OUTPUT, port_maps

if TYPE_CHECKING:
    from fwgen.rig.clock import Clock
    from fwgen.rig.connection import Connection


@dataclass(slots=True)
class SecondBoard:
    """A board whose pins drive those of another. Its core is halted for as long as it serves."""

    connection: Connection
    clock: Clock

    def __post_init__(self) -> None:
        self.connection.reset(halt=True)

    def wire(self, pin: str) -> ProbedPin:
        """A pin of it, let go at first. Raises RigError when it has no such pin."""
        board = self.connection.board
        port = next((port for port in port_maps(board) if pin in port.pins), None)
        facts = Facts(board.chip)
        moder, bsrr = (
            (facts.get(f"{port.name}_{register}") for register in ("MODER", "BSRR"))
            if port is not None
            else (None, None)
        )
        if port is None or moder is None or bsrr is None:
            raise RigError(f"{pin} of {board.title} cannot be driven through its probe")
        if port.gate is not None:
            address, bit = port.gate
            word = self.connection.read_word(address)
            self.connection.write_word(address, word | 1 << bit)
        made = ProbedPin(self.connection, self.clock, moder, bsrr, port.pins[pin])
        made.drive(None, self.clock.now_ps)
        return made


@dataclass(frozen=True, slots=True)
class ProbedPin:
    """One pin of a halted board: driven high or low, or let go, by its registers."""

    connection: Connection
    clock: Clock
    moder: int
    bsrr: int
    number: int

    def drive(self, level: int | None, at_ps: int) -> tuple[int, int]:
        """Drive at a time of the clock; gives between which times it came about."""
        left = at_ps - self.clock.now_ps
        if left > 0:
            self.clock.sleep(left)
        before = self.clock.now_ps
        if level is not None:
            # The latch first: a pin that was let go takes its level when it becomes an output.
            self.connection.write_word(
                self.bsrr, 1 << self.number if level else 1 << self.number + 16
            )
        word = self.connection.read_word(self.moder) & ~(3 << 2 * self.number)
        mode = INPUT if level is None else OUTPUT
        self.connection.write_word(self.moder, word | mode << 2 * self.number)
        return before, self.clock.now_ps
