"""A debugger's view of memory: accesses of the debug access port, beside those of the core.

They see what the bus has, with the side effects that silicon has, and are no doing of the
firmware: no hazard or gap is told of them. The core must stand between two instructions.

Source: Arm ARM DDI0403 C1.2; RM0368 §23.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from fwgen.machine.armv7m.bus import PPB
from fwgen.machine.armv7m.state import IN_RESET

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fwgen.machine.armv7m.bus import Bus
    from fwgen.machine.armv7m.state import CoreState
    from fwgen.machine.memory import Region


class Debugger:
    """Reads and writes memory, by bytes, halfwords or words; a refused access gives None, False."""

    def __init__(self, core: CoreState, bus: Bus) -> None:
        self._core, self._bus = core, bus
        self._memory = core.memory
        self._soc = core.soc

    def read(self, address: int, size: int) -> int | None:
        """A naturally aligned read of 1, 2 or 4 bytes; None where the bus refuses it."""
        if not self._reachable(address):
            return None
        with self._on_the_bus():
            return self._bus.read(address, size) if self._bus.reaches(address) else None

    def write(self, address: int, size: int, value: int) -> bool:
        """A naturally aligned write of 1, 2 or 4 bytes; False where the bus refuses it."""
        if not self._reachable(address) or not self._bus.reaches(address):
            return False
        region = self._memory.find(address)
        if region is not None and region.kind == "ram":
            return self._memory.program(address, value.to_bytes(size, "little"))
        with self._on_the_bus():
            if region is not None and self._bus.spec_at(address) is None:
                return self._program(region, address, size, value)
            self._bus.write(address, size, value)
        return True

    def read_block(self, address: int, size: int) -> bytes | None:
        """Many bytes of one memory at once; None where it is not all plain memory."""
        if not self._reachable(address) or self._bus.spec_at(address) is not None:
            return None
        return self._memory.read(address, size)

    def write_block(self, address: int, data: bytes) -> bool:
        """Many bytes of RAM at once; False where it is not all RAM."""
        region = self._memory.find(address)
        if region is None or region.kind != "ram" or not self._reachable(address):
            return False
        return self._memory.program(address, data)

    def _program(self, region: Region, address: int, size: int, value: int) -> bool:
        """A store into the flash, as the core's: its controller decides what becomes of it."""
        core, flash = self._core, self._core.flash
        if region.kind != "flash" or not hasattr(flash, "program"):
            return False
        self._soc.scheduler.catch_up(core.now_ps)
        offset = address - region.base
        flash.program(self._soc.chip.flash.base + offset, size, value, core.now_ps)
        return True

    def _reachable(self, address: int) -> bool:
        """Held in reset, only what debugs answers; the flash may be protected (RM0368 §3.6.3)."""
        core = self._core
        if core.hold == IN_RESET and address < PPB:
            return False
        protected = getattr(core.flash, "protected", False)
        return not (protected and core.in_flash(address))

    @contextmanager
    def _on_the_bus(self) -> Iterator[None]:
        core, soc = self._core, self._soc
        core.access_cycle = core.at.cycle + core.at.cost
        soc.by_debugger = True
        try:
            yield
        finally:
            soc.by_debugger = False
