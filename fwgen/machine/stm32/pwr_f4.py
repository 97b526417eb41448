"""Power control of the STM32F4. RM0368 §5."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fwgen.errors import BoardError
from fwgen.machine.peripheral import Peek, Peripheral, Reg
from fwgen.machine.time import NEVER
from fwgen.units import MHZ_PER_HZ, show_frequency

if TYPE_CHECKING:
    from collections.abc import Mapping
    from fractions import Fraction

    from fwgen.board.types import PeripheralSpec
    from fwgen.machine.soc import Soc

MODES = ("run", "run_flash_down", "low_power", "low_power_flash_down")  # 2 LPDS + FPDS


class Pwr(Peripheral, registers="stm32.pwr_f4", also=("stm32.pwr_f411",)):
    """Power control: regulator scale, low-power modes, the backup domain's lock. RM0368 §5.

    The scale that VOS chooses holds while the PLL is on, and cannot be changed then; without the
    PLL it is the chip's ``vos_pll_off`` (§5.4.1). Where a chip has none (STM32F405/407: RM0090
    §5.4.1), VOS holds always and is free.

    ``options.stop_wake_ns``: the way back from Stop, by what the regulator and the flash did
    meanwhile (``MODES``), in nanoseconds.

    Not modelled: the supply's ups and downs (PVDO stays 0, whatever PLS says), what a backup
    regulator or low-voltage mode changes, the WKUP pin (EWUP, a Gap), when VOSRDY rises without
    the PLL.
    """

    cr = Reg(unmodelled=("PVDE", "LPLVDS", "MRLVDS", "ADCDC1", "FMSSR", "FISSR"))
    csr = Reg(unmodelled=("EWUP", "BRE"))

    def __init__(self, spec: PeripheralSpec, soc: Soc) -> None:
        super().__init__(spec, soc)
        self._stop_wake_ps = _stop_wake(spec)
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
        return self._stop_wake_ps[2 * self.cr.LPDS + self.cr.FPDS]

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
        if self.cr.field("VOS", before) != self.cr.VOS:
            self._choose_scale(before)

    def _choose_scale(self, before: int) -> None:
        locked = self.soc.chip.clocks.vos_pll_off is not None
        if locked and self.soc.clock("PLL").hz:
            self.cr.set(VOS=self.cr.field("VOS", before))
            self.soc.hazard(
                "vos-locked",
                "warning",
                "PWR_CR.VOS written while the PLL is on: the write is lost",
                section="RM0368 §5.4.1",
                cure="set VOS before the PLL is switched on",
            )
        self._check_scale()

    @csr.on_peek
    def _status(self, t_ps: int) -> Peek:
        return Peek(self.csr.value, NEVER)

    def _pll_changed(self, t_ps: int) -> None:
        self.csr.set(VOSRDY=int(self.soc.clock("PLL").hz > 0))

    def _check_scale(self) -> None:
        """The regulator must carry the clock."""
        clocks = self.soc.chip.clocks
        hclk = self.soc.clock("HCLK").hz
        vos = self.cr.VOS
        if clocks.vos_pll_off is not None and not self.soc.clock("PLL").hz:
            vos = clocks.vos_pll_off
        limit = clocks.vos_hclk_hz.get(vos)
        if limit is not None and hclk > limit:
            self.soc.hazard(
                "regulator-scale",
                "error",
                f"HCLK runs at {show_frequency(round(hclk * MHZ_PER_HZ))}; the regulator's scale "
                f"(VOS {vos}) carries {show_frequency(limit * MHZ_PER_HZ)}",
                section="RM0368 §5.1.3",
                cure=_cure(clocks.vos_hclk_hz, hclk),
            )


def _stop_wake(spec: PeripheralSpec) -> tuple[int, ...]:
    """The times of ``MODES``. Raises BoardError when the chip file lacks one."""
    given = spec.options.get("stop_wake_ns")
    times = given if isinstance(given, dict) else {}
    if set(times) != set(MODES):
        raise BoardError(
            f"stop_wake_ns names {', '.join(MODES)}", where=f"peripherals.{spec.name}.options"
        )
    return tuple(int(times[mode]) * 1000 for mode in MODES)


def _cure(limits: Mapping[int, int], hclk: Fraction) -> str:
    enough = [vos for vos, limit in sorted(limits.items()) if limit >= hclk]
    if not enough:
        return "no scale carries that: slow the clock down"
    return f"set PWR_CR.VOS to {enough[0]} before the clock is raised, and before the PLL is on"


PERIPHERAL = Pwr
