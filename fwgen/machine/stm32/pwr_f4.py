"""Power control of the STM32F401. RM0368 §5."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fwgen.machine.peripheral import Peek, Peripheral, Reg
from fwgen.machine.time import NEVER
from fwgen.units import MHZ_PER_HZ, PS_PER_US, show_frequency

if TYPE_CHECKING:
    from fwgen.board.types import PeripheralSpec
    from fwgen.machine.soc import Soc

# DS10086, low-power mode wake-up timings, typical, from Stop: by (LPDS, FPDS).
STOP_WAKE_PS = {
    (0, 0): 13 * PS_PER_US + PS_PER_US // 2,
    (0, 1): 105 * PS_PER_US,
    (1, 0): 21 * PS_PER_US,
    (1, 1): 113 * PS_PER_US,
}


class Pwr(Peripheral, registers="stm32.pwr_f4"):
    """Power control: regulator scale, low-power modes, the backup domain's lock. RM0368 §5.

    The scale that VOS chooses holds while the PLL is on; without it, scale 3 (§5.4.1).

    Not modelled: the supply's ups and downs (PVDO stays 0, whatever PLS says), what a backup
    regulator or low-voltage mode changes, the WKUP pin (EWUP, a Gap).
    """

    cr = Reg(unmodelled=("PVDE", "LPLVDS", "MRLVDS", "ADCDC1"))
    csr = Reg(unmodelled=("EWUP", "BRE"))

    def __init__(self, spec: PeripheralSpec, soc: Soc) -> None:
        super().__init__(spec, soc)
        soc.clock("PLL").on_change(self._pll_changed)
        soc.clock("HCLK").on_change(lambda _: self._check_scale())

    # ------------------------------------------------------------------ for the core

    @property
    def deep_mode(self) -> str:
        """What WFI and WFE lead to while SCR.SLEEPDEEP is set: "stop" or "standby"."""
        return "standby" if self.cr.PDDS else "stop"

    @property
    def stop_wake_ps(self) -> int:
        """How long the way back from Stop takes."""
        return STOP_WAKE_PS[self.cr.LPDS, self.cr.FPDS]

    def wake_from_standby(self) -> None:
        """The chip starts anew from Standby: SBF and WUF tell it."""
        self.csr.set(SBF=1, WUF=1)

    # ------------------------------------------------------------------ behaviour

    def reset(self, t_ps: int) -> None:
        """CSR's flags outlive a system reset, not a power reset (§5.4.2)."""
        kept = 0
        if not self.soc.powered_up:
            kept = self.csr.value & self.csr.mask("SBF", "WUF")
        super().reset(t_ps)
        self.csr.value |= kept
        self._pll_changed(t_ps)

    @cr.on_write
    def _control(self, t_ps: int, written: int, before: int) -> None:
        if self.cr.field("CWUF", written):
            self.csr.set(WUF=0)
        if self.cr.field("CSBF", written):
            self.csr.set(SBF=0)
        if self.soc.clock("PLL").hz and self.cr.field("VOS", before) != self.cr.VOS:
            self.cr.set(VOS=self.cr.field("VOS", before))
            self.soc.hazard(
                "vos-locked",
                "PWR_CR.VOS written while the PLL is on: the write is lost",
            )

    @csr.on_peek
    def _status(self, t_ps: int) -> Peek:
        return Peek(self.csr.value, NEVER)

    def _pll_changed(self, t_ps: int) -> None:
        self.csr.set(VOSRDY=int(self.soc.clock("PLL").hz > 0))

    def _check_scale(self) -> None:
        """The regulator must carry the clock. 00 acts as scale 3, 11 as scale 2 (§5.4.1)."""
        limits = self.soc.chip.clocks.vos_hclk_hz
        hclk = self.soc.clock("HCLK").hz
        pll = self.soc.clock("PLL").hz > 0
        vos = {0: 1, 3: 2}.get(self.cr.VOS, self.cr.VOS) if pll else 1
        limit = limits.get(vos)
        if limit is not None and hclk > limit:
            self.soc.hazard(
                "regulator-scale",
                f"HCLK runs at {show_frequency(round(hclk * MHZ_PER_HZ))}; the regulator's scale "
                f"(VOS {vos}) carries {show_frequency(limit * MHZ_PER_HZ)}",
                cure="set PWR_CR.VOS to scale 2 before the PLL is switched on",
            )


PERIPHERAL = Pwr
