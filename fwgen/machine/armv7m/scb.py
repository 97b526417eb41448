"""System control block: vectors, priorities, sleep, faults, reset."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fwgen.machine.armv7m import exceptions as exc
from fwgen.machine.peripheral import Peek, Peripheral, Reg
from fwgen.machine.soc import CORE_ONLY
from fwgen.machine.time import NEVER

if TYPE_CHECKING:
    from fwgen.board.types import PeripheralSpec
    from fwgen.machine.soc import Soc

_KEY = 0x05FA
_KEY_READS = 0xFA05
_ENABLES = {16: exc.MEM_MANAGE, 17: exc.BUS_FAULT, 18: exc.USAGE_FAULT}
_ACTIVE = {
    0: exc.MEM_MANAGE, 1: exc.BUS_FAULT, 3: exc.USAGE_FAULT, 7: exc.SVCALL,
    8: exc.DEBUG_MONITOR, 10: exc.PENDSV, 11: exc.SYSTICK,
}  # fmt: skip
_PENDED = {12: exc.USAGE_FAULT, 13: exc.MEM_MANAGE, 14: exc.BUS_FAULT, 15: exc.SVCALL}


class Scb(Peripheral, registers="armv7m.scb"):
    """What the system knows of itself, and how it is told to behave.

    The core reads VTOR, SCR, CCR and CPACR from here and reports faults into CFSR and HFSR.

    Source: Arm ARM DDI0403 B3.2; PM0214 §4.4.
    Not modelled: writing SHCSR's active and pended bits, AIRCR.VECTRESET and VECTCLRACTIVE by
    firmware.
    """

    cpuid, icsr, vtor, aircr, scr = Reg(), Reg(), Reg(), Reg(), Reg()
    ccr = Reg()
    shpr1, shpr2, shpr3, shcsr = Reg(), Reg(), Reg(), Reg()
    cfsr, hfsr, dfsr, mmfar, bfar, afsr = Reg(), Reg(), Reg(), Reg(), Reg(), Reg()
    id_pfr0, id_pfr1, cpacr = Reg(name="ID_PFR0"), Reg(name="ID_PFR1"), Reg()

    def __init__(self, spec: PeripheralSpec, soc: Soc) -> None:
        super().__init__(spec, soc)
        self.exceptions = soc.exceptions

    @icsr.on_peek
    def _state(self, t_ps: int) -> Peek:
        state = self.exceptions
        best = state.best()
        active = self.soc.core.exception if self.soc.core is not None else 0
        others = state.active & ~(1 << active) if active else 0
        value = active | (best[1] << 12 if best else 0)
        value |= (not others) << 11 | bool(state.pending >> exc.FIRST_IRQ) << 22
        value |= (state.pending >> exc.SYSTICK & 1) << 26
        value |= (state.pending >> exc.PENDSV & 1) << 28 | (state.pending >> exc.NMI & 1) << 31
        return Peek(value, NEVER)

    @icsr.on_write
    def _pend(self, t_ps: int, written: int, before: int) -> None:
        state, field = self.exceptions, self.icsr.field
        self.icsr.value = 0
        if field("PENDSTCLR", written):
            state.unpend(exc.SYSTICK, t_ps)
        if field("PENDSVCLR", written):
            state.unpend(exc.PENDSV, t_ps)
        if field("PENDSTSET", written):
            state.pend(exc.SYSTICK, t_ps)
        if field("PENDSVSET", written):
            state.pend(exc.PENDSV, t_ps)
        if field("NMIPENDSET", written):
            state.pend(exc.NMI, t_ps)

    @vtor.on_write
    def _move_table(self, t_ps: int, written: int, before: int) -> None:
        needed = 4 << (self.exceptions.count - 1).bit_length()
        if written & (needed - 1):
            self.soc.hazard(
                "vtor-misaligned",
                f"VTOR = {written:#010x}, but a table of {self.exceptions.count} vectors must "
                f"be aligned to {needed} bytes",
                cure=f"place the vector table at a multiple of {needed:#x}",
            )

    @aircr.on_write
    def _control(self, t_ps: int, written: int, before: int) -> None:
        """Without the key in its upper half a write is ignored."""
        if written >> 16 != _KEY:
            self.aircr.value = before
            return
        self.aircr.value = _KEY_READS << 16 | (written & 0x700)
        self.exceptions.set_grouping(self.aircr.PRIGROUP, t_ps)
        halted = self.soc.core is not None and self.soc.core.debug.halted
        if written & 3 and not halted:  # for a debugger, on a halted core (B3.2.6)
            self.soc.gap(self.name, "AIRCR.VECTRESET", "write", self.spec.base + 0x0C)
        elif written & 2:
            self.exceptions.active = 0
        elif written & 1:
            self.soc.request_reset(t_ps, CORE_ONLY)
        if written & 4:
            self.soc.request_reset(t_ps, "SFTRSTF")

    @scr.on_write
    def _sleep(self, t_ps: int, written: int, before: int) -> None:
        if self.soc.core is not None:
            self.soc.core.configure_sleep()

    @ccr.on_write
    def _configure(self, t_ps: int, written: int, before: int) -> None:
        if self.soc.core is not None:
            self.soc.core.configure()

    @cpacr.on_write
    def _coprocessors(self, t_ps: int, written: int, before: int) -> None:
        if self.soc.core is not None:
            self.soc.core.configure()

    # ------------------------------------------------------------------ priorities

    def _priorities(self, first: int, value: int, t_ps: int) -> None:
        for lane in range(4):
            self.exceptions.set_priority(first + lane, (value >> (8 * lane)) & 0xFF, t_ps)

    @shpr1.on_write
    def _system1(self, t_ps: int, written: int, before: int) -> None:
        self.shpr1.value &= 0x010101 * self.exceptions.priority_mask
        self._priorities(4, self.shpr1.value, t_ps)

    @shpr2.on_write
    def _system2(self, t_ps: int, written: int, before: int) -> None:
        self.shpr2.value &= self.exceptions.priority_mask << 24
        self._priorities(8, self.shpr2.value, t_ps)

    @shpr3.on_write
    def _system3(self, t_ps: int, written: int, before: int) -> None:
        self.shpr3.value &= 0x01010001 * self.exceptions.priority_mask
        self._priorities(12, self.shpr3.value, t_ps)

    # ------------------------------------------------------------------ faults

    def reset(self, t_ps: int) -> None:
        """DFSR keeps why a debugger halted the core; only a power reset clears it."""
        kept = self.dfsr.value
        super().reset(t_ps)
        if not self.soc.powered_up:
            self.dfsr.value = kept

    @shcsr.on_peek
    def _handlers(self, t_ps: int) -> Peek:
        state = self.exceptions
        value = sum(1 << bit for bit, n in _ENABLES.items() if state.enabled >> n & 1)
        value |= sum(1 << bit for bit, n in _ACTIVE.items() if state.active >> n & 1)
        value |= sum(1 << bit for bit, n in _PENDED.items() if state.pending >> n & 1)
        return Peek(value, NEVER)

    @shcsr.on_write
    def _enable(self, t_ps: int, written: int, before: int) -> None:
        for bit, number in _ENABLES.items():
            change = self.exceptions.enable if written >> bit & 1 else self.exceptions.disable
            change(1 << number, t_ps)
        self.shcsr.value = 0

    def write(self, offset: int, size: int, value: int, t_ps: int) -> None:
        """A write by the bus. A narrow write of SHCSR keeps the other enables."""
        if offset & ~3 == self.shcsr.spec.offset:
            self.shcsr.value = self._handlers(t_ps).value
        super().write(offset, size, value, t_ps)


PERIPHERAL = Scb
