"""Nested vectored interrupt controller: enables, pending states, priorities."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fwgen.machine.armv7m.exceptions import FIRST_IRQ
from fwgen.machine.peripheral import Peek, Peripheral
from fwgen.machine.time import NEVER

if TYPE_CHECKING:
    from fwgen.board.types import PeripheralSpec
    from fwgen.machine.soc import Soc

ISER, ICER, ISPR, ICPR, IABR, IPR, END = 0x000, 0x080, 0x100, 0x180, 0x200, 0x300, 0x3F0
_WORD = 0xFFFFFFFF


class Nvic(Peripheral, registers="armv7m.nvic"):
    """The interrupt lines' registers; the state itself is ``soc.exceptions``.

    The registers are banks of one bit (or one byte) a line, so they are computed rather than
    declared one by one. Lines that the chip lacks read 0 and ignore writes.

    Source: Arm ARM DDI0403 B3.4; PM0214 §4.3.
    """

    def __init__(self, spec: PeripheralSpec, soc: Soc) -> None:
        super().__init__(spec, soc)
        self.exceptions = soc.exceptions
        self._lines = (1 << self.exceptions.lines) - 1
        soc.interrupts.on_level = self.exceptions.line

    def peek(self, offset: int, size: int, t_ps: int) -> Peek | None:
        """What a read gives; reading has no effects here."""
        if offset >= END:
            return None
        return Peek(self._lane(offset, size), NEVER)

    def read(self, offset: int, size: int, t_ps: int) -> int:
        """A read by the bus."""
        return self._lane(offset, size) if offset < END else self._gap(offset, "read", size)

    def write(self, offset: int, size: int, value: int, t_ps: int) -> None:
        """A write by the bus: bits set or clear, bytes are priorities."""
        state = self.exceptions
        if offset >= END:
            self._gap(offset, "write")
        elif offset >= IPR:
            for lane in range(size):
                line = offset - IPR + lane
                if line < state.lines:
                    state.set_priority(FIRST_IRQ + line, (value >> (8 * lane)) & 0xFF, t_ps)
        elif offset < IABR:
            bank, into = offset & ~0x7F, offset & 0x7F
            mask = ((value << (8 * into)) & self._lines) << FIRST_IRQ
            if bank == ISER:
                state.enable(mask, t_ps)
            elif bank == ICER:
                state.disable(mask, t_ps)
            elif bank == ISPR:
                state.pend_all(mask, t_ps)
            else:
                state.pending &= ~mask | state.levels
                state.touch(t_ps)

    def _lane(self, offset: int, size: int) -> int:
        state = self.exceptions
        if offset >= IPR:
            first = FIRST_IRQ + offset - IPR
            return int.from_bytes(bytes(state.priority[first : first + size]), "little")
        bank, into = offset & ~0x7F, offset & 0x7F
        if bank in (ISER, ICER):
            bits = state.enabled
        else:
            bits = state.active if bank == IABR else state.pending
        return (bits >> FIRST_IRQ >> (8 * into)) & ((1 << (8 * size)) - 1)


PERIPHERAL = Nvic
