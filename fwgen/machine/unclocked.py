"""Accesses to peripherals whose clock is off: which of them matter.

Such a read gives 0 and a write is lost (RM0368 §6.3); that is no harm by itself. Drivers read a
register back, clear some of its bits and write the 0 that they had read (Arduino's analogRead), or
put into their reset state streams that never left it (HAL_DMA_DeInit). What matters is a write
that would have done something, and asking again for what is not 0 with the clock on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fwgen.board.types import PeripheralSpec
    from fwgen.machine.soc import Soc


class Unclocked:
    """What a chip's firmware asked of peripherals while their clock was off."""

    def __init__(self, soc: Soc) -> None:
        self._soc = soc
        self._read: dict[tuple[str, int], bool] = {}  # what read as 0 -> it would have been else

    def clocked(self, name: str) -> None:
        """A peripheral's clock comes on: what was read before is past."""
        for key in [key for key in self._read if key[0] == name]:
            del self._read[key]

    def read(self, spec: PeripheralSpec, offset: int, size: int, t_ps: int) -> None:
        """A read, which gives 0."""
        peripheral, key = self._soc.peripherals.get(spec.name), (spec.name, offset)
        told = peripheral.peek(offset, size, t_ps) if peripheral is not None else None
        misread = told is None or told.value != 0
        if told is None or (misread and self._read.get(key)):
            self._matters(spec)
            return
        self._read[key] = misread
        self._idle(spec, f"{spec.name} read while its clock is off: it gives 0")

    def write(self, spec: PeripheralSpec, offset: int, size: int, written: int) -> None:
        """A write, which is lost."""
        peripheral, key = self._soc.peripherals.get(spec.name), (spec.name, offset)
        as_read = self._read.pop(key, None) is not None and not written
        if as_read or (peripheral is not None and peripheral.keeps(offset, size, written)):
            self._idle(spec, f"{spec.name} written while its clock is off: nothing changes by it")
        else:
            self._matters(spec)

    def _matters(self, spec: PeripheralSpec) -> None:
        self._soc.hazard(
            "clock-off",
            f"{spec.name} touched while its clock is off: reads give 0, writes are lost",
            cure=_cure(spec),
        )

    def _idle(self, spec: PeripheralSpec, message: str) -> None:
        self._soc.hazard("clock-off-idle", message, cure=_cure(spec))


def _cure(spec: PeripheralSpec) -> str:
    assert spec.gate is not None
    return f"set bit {spec.gate.bit} of RCC_{spec.gate.register} first"
