"""Power control of the STM32F4. RM0368 §5."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fwgen.errors import BoardError
from fwgen.machine.peripheral import Peek, Peripheral, Reg
from fwgen.machine.soc import FROM_STANDBY
from fwgen.machine.time import NEVER
from fwgen.units import MHZ_PER_HZ, show_frequency

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from fractions import Fraction

    from fwgen.board.types import PeripheralSpec
    from fwgen.machine.pads import Pad
    from fwgen.machine.soc import Soc

# 2 LPDS + FPDS, then Standby.
MODES = ("run", "run_flash_down", "low_power", "low_power_flash_down", "standby")
# DS10086, embedded reset and power control block, typical: where PVDO falls and rises again, by
# PLS, in millivolts of a supply that rises and falls.
PVD_MV = (
    (2140, 2040), (2300, 2190), (2450, 2350), (2600, 2510),
    (2760, 2660), (2930, 2840), (3030, 2930), (3140, 3030),
)  # fmt: skip
PVD_LINE = 16  # of EXTI
BACKUP_READY_PS = 100 * 10**6  # from BRE to BRR; no manual tells it (docs/limits.md)
RTC_EVENTS = ("ALRAF", "ALRBF", "WUTF", "TSF", "TAMP1F", "TAMP2F")


class Pwr(Peripheral, registers="stm32.pwr_f4", also=("stm32.pwr_f411",)):
    """Power control: regulator scale, low-power modes, the backup domain's lock. RM0368 §5.

    The scale that VOS chooses holds while the PLL is on, and cannot be changed then; without the
    PLL it is the chip's ``vos_pll_off`` (§5.4.1). Where a chip has none (STM32F405/407: RM0090
    §5.4.1), VOS holds always and is free.

    WUF is set by a rising edge of the WKUP pin or of what the RTC requests, in any mode; it ends
    Standby, and one that was not cleared ends it at once. Stop is not entered while a line of
    EXTI is pending or a flag of the RTC is set (§5.3.5).

    ``options.wake_ns``: the way back from Stop, by what the regulator and the flash did meanwhile,
    and from Standby (``MODES``), in nanoseconds.

    The supply is the board's, and steady unless ``supply`` says otherwise.

    BRE is locked as the backup domain is; it and BRR outlast every reset but the loss of VBAT
    (§5.4.2). What the regulator keeps, backup SRAM, is another's matter.

    Not modelled: what the low-voltage modes change (Gaps), a Stop that waits for the flash to be
    programmed, when VOSRDY rises without the PLL. How long BRR takes is an assumption.
    """

    cr = Reg(unmodelled=("LPLVDS", "MRLVDS", "ADCDC1", "FMSSR", "FISSR"))
    csr = Reg()

    def __init__(self, spec: PeripheralSpec, soc: Soc) -> None:
        super().__init__(spec, soc)
        self._wake_ps = _wake(spec)
        self._lines: dict[str, int] = {}  # who can wake -> the level
        self._leaving = False
        self._regulated_ps = 0  # when BRR follows BRE
        self._supply_mv = soc.board.supply_uv // 1000
        self._stop_listening: Callable[[], None] | None = None
        self._wkup: Pad | None = None
        for pin in soc.chip.pins.values():
            if "WKUP" in pin.additional:
                self._wkup = soc.fabric.pads[pin.name]
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
        return self._wake_ps[2 * self.cr.LPDS + self.cr.FPDS]

    def refuses_stop(self) -> bool:
        """Whether something pending keeps the chip from entering Stop: the core goes on."""
        exti, rtc = self.soc.peripherals.get("EXTI"), self.soc.peripherals.get("RTC")
        pending = exti.states["PR"].value if exti is not None else 0
        if pending:
            what = f"EXTI_PR is {pending:#x}"
        else:
            isr = rtc.states["ISR"] if rtc is not None else None
            flags = [f for f in RTC_EVENTS if isr is not None and isr.field(f, isr.value)]
            if not flags:
                return False
            what = f"RTC_ISR has {' and '.join(flags)} set"
        self.soc.hazard(
            "stop-refused",
            f"Stop is not entered: {what}",
        )
        return True

    # ------------------------------------------------------------------ what wakes

    def wake_line(self, t_ps: int, who: str, level: int) -> None:
        """A level that can wake from Standby: a rise is a wake-up event."""
        before, self._lines[who] = self._lines.get(who, 0), level
        if level and not before:
            self._woken(t_ps)

    def _woken(self, t_ps: int) -> None:
        self.csr.set(WUF=1)
        if self.soc.in_standby:
            self._leave(t_ps)

    def standby(self, t_ps: int) -> None:
        """Standby begins. PWR has the supply of the wake-up logic, and stays as it is."""
        self.csr.set(SBF=1)
        if self.csr.EWUP and self._wkup is not None:
            self._wkup.drive(t_ps, None, 0)  # "forced in input pull down" (§5.4.2)
        if self.csr.WUF:
            self._leave(t_ps)

    def _leave(self, t_ps: int) -> None:
        if not self._leaving:
            self._leaving = True
            self.soc.scheduler.at(t_ps + self._wake_ps[-1], self._leave_now)

    def _leave_now(self, t_ps: int) -> None:
        if self._leaving:
            self._leaving = False
            self.soc.request_reset(t_ps, FROM_STANDBY)

    @csr.on_write
    def _status_written(self, t_ps: int, written: int, before: int) -> None:
        self._switch_backup(t_ps, before)
        if self.csr.field("EWUP", before) != self.csr.EWUP:
            self._watch_wkup(t_ps)

    def _switch_backup(self, t_ps: int, before: int) -> None:
        """BRE is written only while DBP is set (§5.4.1); BRR follows."""
        was = self.csr.field("BRE", before)
        if was == self.csr.BRE:
            return
        if not self.cr.DBP:
            self.csr.set(BRE=was)
            self.soc.hazard(
                "backup-locked",
                "PWR_CSR.BRE written while the backup domain is locked: the write is lost",
            )
        elif was:
            self.csr.set(BRR=0)
        else:
            self._regulated_ps = t_ps + BACKUP_READY_PS
            self.soc.scheduler.at(self._regulated_ps, self._backup_ready)

    def _backup_ready(self, t_ps: int) -> None:
        if t_ps >= self._regulated_ps:
            self.csr.set(BRR=self.csr.BRE)

    def _watch_wkup(self, t_ps: int) -> None:
        """An event is also detected if EWUP is set while the pin is high (§5.4.2)."""
        if self._stop_listening is not None:
            self._stop_listening()
            self._stop_listening = None
        if self.csr.EWUP and self._wkup is not None:
            self._stop_listening = self._wkup.listen(
                lambda t, level: self.wake_line(t, "WKUP", int(level == 1))
            )
            self.wake_line(t_ps, "WKUP", int(self._wkup.level == 1))
        else:
            self._lines["WKUP"] = 0

    # ------------------------------------------------------------------ supply

    def supply(self, t_ps: int, uv: int) -> None:
        """The supply becomes so many microvolts."""
        self._supply_mv = uv // 1000
        self._detect(t_ps)

    def _detect(self, t_ps: int) -> None:
        """PVDO is set while the supply is below what PLS says, with some hysteresis (§5.2.3)."""
        rising, falling = PVD_MV[self.cr.PLS]
        low = self._supply_mv < (rising if self.csr.PVDO else falling)
        self.csr.set(PVDO=int(low and self.cr.PVDE))
        exti: Any = self.soc.peripherals.get("EXTI")
        if exti is not None:
            exti.drive(PVD_LINE, self.csr.PVDO, t_ps)

    # ------------------------------------------------------------------ behaviour

    def reset(self, t_ps: int) -> None:
        """Of CSR, Standby leaves all, a system reset SBF, a power reset nothing (§5.4.2)."""
        kept = 0
        regulator = self.csr.mask("BRE", "BRR")
        if self.soc.in_standby:
            kept = self.csr.value & (self.csr.mask("SBF", "WUF", "EWUP") | regulator)
        elif not self.soc.powered_up:
            kept = self.csr.value & (self.csr.mask("SBF") | regulator)
        else:
            kept = self.csr.value & regulator
        if self.soc.backup_lost:
            kept = 0
        self._leaving = False
        super().reset(t_ps)
        self.csr.value |= kept
        self._watch_wkup(t_ps)
        self._detect(t_ps)
        self._pll_changed(t_ps)

    @cr.on_write
    def _control(self, t_ps: int, written: int, before: int) -> None:
        if self.cr.field("CWUF", written):
            self.csr.set(WUF=0)
        if self.cr.field("CSBF", written):
            self.csr.set(SBF=0)
        if self.cr.field("VOS", before) != self.cr.VOS:
            self._choose_scale(before)
        self._detect(t_ps)

    def _choose_scale(self, before: int) -> None:
        locked = self.soc.chip.clocks.vos_pll_off is not None
        if locked and self.soc.clock("PLL").hz:
            self.cr.set(VOS=self.cr.field("VOS", before))
            self.soc.hazard(
                "vos-locked",
                "PWR_CR.VOS written while the PLL is on: the write is lost",
            )
        self._check_scale()

    @csr.on_peek
    def _status(self, t_ps: int) -> Peek:
        rising = self.csr.BRE and not self.csr.BRR
        return Peek(self.csr.value, self._regulated_ps if rising else NEVER)

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
                f"HCLK runs at {show_frequency(round(hclk * MHZ_PER_HZ))}; the regulator's scale "
                f"(VOS {vos}) carries {show_frequency(limit * MHZ_PER_HZ)}",
                cure=_cure(clocks.vos_hclk_hz, hclk),
            )


def _wake(spec: PeripheralSpec) -> tuple[int, ...]:
    """The times of ``MODES``. Raises BoardError when the chip file lacks one."""
    given = spec.options.get("wake_ns")
    times = given if isinstance(given, dict) else {}
    if set(times) != set(MODES):
        raise BoardError(
            f"wake_ns names {', '.join(MODES)}", where=f"peripherals.{spec.name}.options"
        )
    return tuple(int(times[mode]) * 1000 for mode in MODES)


def _cure(limits: Mapping[int, int], hclk: Fraction) -> str:
    enough = [vos for vos, limit in sorted(limits.items()) if limit >= hclk]
    if not enough:
        return "no scale carries that: slow the clock down"
    return f"set PWR_CR.VOS to {enough[0]} before the clock is raised, and before the PLL is on"


PERIPHERAL = Pwr
