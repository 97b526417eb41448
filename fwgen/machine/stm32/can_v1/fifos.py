"""A receive FIFO: three frames, of which the registers show the first. RM0090 §32.7.3."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fwgen.machine.peripheral import Register
    from fwgen.machine.stm32.can_v1.frame import Frame

DEPTH = 3
NAMES = ("RI", "RDT", "RDL", "RDH")


class Received(NamedTuple):
    """A frame as the FIFO keeps it."""

    frame: Frame
    number: int  # FMI
    stamp: int  # TIME


class Fifo:
    """One of the two."""

    def __init__(self, states: Mapping[str, Register], number: int) -> None:
        self._states, self.number = states, number
        self.status = states[f"RF{number}R"]
        self.held: list[Received] = []

    def reset(self) -> None:
        """Empty."""
        self.held.clear()

    def take(self, received: Received, *, locked: bool) -> bool:
        """A frame that passed a filter came; False: there was no room (RFLM is ``locked``)."""
        room = len(self.held) < DEPTH
        if room:
            self.held.append(received)
        elif not locked:
            self.held[-1] = received
        self._show()
        if not room:
            self._flag("FOVR")
        elif len(self.held) == DEPTH:
            self._flag("FULL")
        return room

    def release(self) -> None:
        """RFOM was set."""
        if self.held:
            self.held.pop(0)
        self.status.set(**{f"RFOM{self.number}": 0})
        self._show()

    def _flag(self, name: str) -> None:
        self.status.set(**{f"{name}{self.number}": 1})

    def _show(self) -> None:
        n, states = self.number, self._states
        self.status.set(**{f"FMP{n}": len(self.held)})
        if not self.held:
            return  # the registers keep what was there
        frame, number, stamp = self.held[0]
        head = states[f"RI{n}R"]
        head.value = 0
        head.set(IDE=frame.extended, RTR=frame.remote)
        if frame.extended:
            head.set(STID=frame.identifier >> 18, EXID=frame.identifier)
        else:
            head.set(STID=frame.identifier)
        states[f"RDT{n}R"].set(DLC=frame.dlc, FMI=number, TIME=stamp)
        states[f"RDL{n}R"].value = int.from_bytes(frame.data[:4], "little")
        states[f"RDH{n}R"].value = int.from_bytes(frame.data[4:8], "little")
