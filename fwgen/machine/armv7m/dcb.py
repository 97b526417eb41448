"""Debug control block: how a debugger holds the core; firmware uses it to switch the DWT on."""

from __future__ import annotations

from fwgen.machine.armv7m.exceptions import DEBUG_MONITOR
from fwgen.machine.peripheral import Peek, Peripheral, Reg
from fwgen.machine.time import NEVER


class Dcb(Peripheral, registers="armv7m.dcb"):
    """DHCSR halts and steps the core, DCRSR and DCRDR reach its registers, DEMCR catches vectors.

    DEMCR.TRCENA enables the DWT and the ITM. Only a power reset clears DEMCR and C_DEBUGEN.
    Firmware reads DHCSR to see whether a debugger is there; it cannot enable halting debug, but
    the debug monitor (MON_EN, MON_PEND, MON_STEP).

    Source: Arm ARM DDI0403 C1.6.
    Not modelled: C_SNAPSTALL.
    """

    dhcsr, dcrsr, dcrdr = Reg(), Reg(), Reg()
    demcr = Reg()

    def reset(self, t_ps: int) -> None:
        """Only a power reset clears what a debugger set up (C1.6)."""
        if self.soc.powered_up:
            super().reset(t_ps)

    def write(self, offset: int, size: int, value: int, t_ps: int) -> None:
        """A write by the bus. DHCSR's key lies over its status bits, and needs the whole word."""
        if offset & ~3 != self.dhcsr.spec.offset:
            super().write(offset, size, value, t_ps)
        elif size == 4 and self.soc.core is not None:
            self.soc.core.debug.control(value)

    @dhcsr.on_read
    def _status(self, t_ps: int) -> int:
        return self.soc.core.debug.status(clear=True) if self.soc.core is not None else 0

    @dcrsr.on_write
    def _transfer(self, t_ps: int, written: int, before: int) -> None:
        """Moves a register of the halted core to or from DCRDR, at once (S_REGRDY stays)."""
        core = self.soc.core
        if core is None:
            return
        if not core.debug.halted:
            self.soc.gap(self.name, "DCRSR", "write", self.spec.base + 4, "the core runs")
        elif self.dcrsr.field("REGWnR", written):
            core.debug.set_register(self.dcrsr.field("REGSEL", written), self.dcrdr.value)
        else:
            self.dcrdr.value = core.debug.register(self.dcrsr.field("REGSEL", written))

    @demcr.on_peek
    def _monitor(self, t_ps: int) -> Peek:
        pending = self.soc.exceptions.pending >> DEBUG_MONITOR & 1
        return Peek(self.demcr.value & ~self.demcr.mask("MON_PEND") | pending << 17, NEVER)

    @demcr.on_write
    def _enable(self, t_ps: int, written: int, before: int) -> None:
        pends = self.demcr.MON_PEND
        self.demcr.set(MON_PEND=0)  # the exception's state is what is read
        if pends:
            self.soc.exceptions.pend(DEBUG_MONITOR, t_ps)
        else:
            self.soc.exceptions.unpend(DEBUG_MONITOR, t_ps)
        if self.soc.core is not None:
            self.soc.core.configure_sleep()
        if (written ^ before) & self.demcr.mask("TRCENA"):
            for name in ("DWT", "ITM"):
                unit = self.soc.peripherals.get(name)
                if unit is not None:
                    unit.on_clock(t_ps)


PERIPHERAL = Dcb
