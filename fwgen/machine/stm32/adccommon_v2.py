"""Registers common to the ADCs of an STM32F2/F4: one, or three of them. RM0090 §13.13.15 on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fwgen.machine.peripheral import Peek, Peripheral, Reg
from fwgen.machine.stm32.adc_v2.adc import Adc
from fwgen.machine.stm32.adc_v2.multi import Group, Mode, Settings, mode_of
from fwgen.machine.time import NEVER, ClockDomain

if TYPE_CHECKING:
    from fwgen.board.types import PeripheralSpec
    from fwgen.machine.soc import Soc

LANE = 8  # bits of CSR for each converter


class AdcCommon(Peripheral, registers="stm32.adccommon_v2", also=("stm32.adccommon_f407",)):
    """The prescaler of ADCCLK, the switches of the internal sources, and each SR once more.

    ``adcs`` of the chip file names the converters where there are several: they then work together
    as MULTI says (``adc_v2/multi.py``), in step with one ADCCLK.

    Not modelled: what reading CDR without DMA clears; interleaved conversions without end whose
    DELAY outlasts a conversion (Gaps).
    """

    csr, ccr, cdr = Reg(), Reg(), Reg()

    def __init__(self, spec: PeripheralSpec, soc: Soc) -> None:
        super().__init__(spec, soc)
        self._adcs: list[Adc] = []
        self._group: Group | None = None
        self._adcclk = ClockDomain(f"{self.name}_ADCCLK")
        self._divider = 2
        if self.has("CCR", "MULTI"):
            # Set before the converters hear of it: theirs is this one, while it is as fast.
            self._bus = soc.clock(str(spec.bus))
            self._bus.on_change(self._set_clock)

    def _set_clock(self, t_ps: int) -> None:
        self._adcclk.set(self._bus.hz / self._divider, t_ps)

    @property
    def adcs(self) -> list[Adc]:
        """The converters that this belongs to."""
        if not self._adcs:
            names = self.spec.options.get("adcs")
            every = self.soc.peripherals.values()
            found = [one for one in every if isinstance(one, Adc)]
            if isinstance(names, list):
                self._adcs = sorted(
                    (one for one in found if one.name in names), key=lambda a: names.index(a.name)
                )
            else:
                self._adcs = found[:1]
            if self._adcs and self.has("CCR", "MULTI"):
                self._group = Group(self.soc, self._adcs)
                for one in self._adcs:
                    one.companions = self._group
        return self._adcs

    def on_reset(self, t_ps: int) -> None:
        """Everything off, the prescaler at 2."""
        self._tell(t_ps)

    def _bring_up_to(self, t_ps: int) -> None:
        for adc in self.adcs:
            adc.bring_up_to(t_ps)

    def read(self, offset: int, size: int, t_ps: int) -> int:
        """A read: the converters are first brought up to now."""
        self._bring_up_to(t_ps)
        return super().read(offset, size, t_ps)

    def looked(self, offset: int, t_ps: int) -> None:
        """Reads that were left out: the last one would have brought them up to then."""
        self._bring_up_to(t_ps)
        super().looked(offset, t_ps)

    def write(self, offset: int, size: int, value: int, t_ps: int) -> None:
        """A write: the converters are first brought up to now."""
        self._bring_up_to(t_ps)
        super().write(offset, size, value, t_ps)

    def peek(self, offset: int, size: int, t_ps: int) -> Peek | None:
        """CSR is foreseen as each SR is."""
        found = super().peek(offset, size, t_ps)
        home = self.csr.spec.offset
        if found is None or not home <= offset < home + 4:
            return found
        until = found.stable_until_ps
        for adc in self.adcs:
            status = adc.peek(adc.sr.spec.offset, 4, t_ps)
            if status is None:
                return None
            until = min(until, status.stable_until_ps)
        return Peek(found.value, until)

    @csr.on_peek
    def _status(self, t_ps: int) -> Peek:
        value = sum(adc.sr.value << LANE * nth for nth, adc in enumerate(self.adcs))
        return Peek(value, NEVER)

    @cdr.on_read
    def _data(self, t_ps: int) -> int:
        if self._group is None:
            return 0
        address = self.spec.base + self.cdr.spec.offset
        return self._group.data(
            t_ps, lambda detail: self.soc.gap(self.name, "CDR", "read", address, detail)
        )

    @ccr.on_write
    def _control(self, t_ps: int, _written: int, _before: int) -> None:
        self._tell(t_ps)

    def _tell(self, t_ps: int) -> None:
        ccr = self.ccr
        parent = None
        self._divider = 2 * (ccr.ADCPRE + 1)
        if self.has("CCR", "MULTI"):
            parent = self._adcclk
            self._set_clock(t_ps)
        for adc in self.adcs:
            adc.common_changed(
                t_ps, self._divider, sensor=bool(ccr.TSVREFE), vbat=bool(ccr.VBATE), parent=parent
            )
        if self._group is not None:
            self._group.configure(t_ps, self._settings())

    def _settings(self) -> Settings:
        ccr = self.ccr
        mode = mode_of(ccr.MULTI)
        if mode is None or mode.converters > len(self.adcs):
            self.soc.hazard(
                "reserved-value", f"{self.name}_CCR.MULTI = {ccr.MULTI:#07b} is reserved",
                section="RM0090 §13.13.16", cure="choose a mode that the manual lists",
            )  # fmt: skip
            mode = Mode()
        return Settings(mode, ccr.DELAY, ccr.DMA, bool(ccr.DDS))


PERIPHERAL = AdcCommon
