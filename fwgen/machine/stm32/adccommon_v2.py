"""Registers common to the ADCs of an STM32F2/F4, here with one ADC. RM0368 §11.12.15."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fwgen.machine.peripheral import Peek, Peripheral, Reg
from fwgen.machine.stm32.adc_v2.adc import Adc
from fwgen.machine.time import NEVER

if TYPE_CHECKING:
    from fwgen.board.types import PeripheralSpec
    from fwgen.machine.soc import Soc


class AdcCommon(Peripheral, registers="stm32.adccommon_v2"):
    """The prescaler of ADCCLK, the switches of the internal sources, and SR once more.

    Not modelled: dual and triple mode, which take more than one ADC.
    """

    csr, ccr = Reg(), Reg()

    def __init__(self, spec: PeripheralSpec, soc: Soc) -> None:
        super().__init__(spec, soc)
        self._adc: Adc | None = None

    @property
    def adc(self) -> Adc | None:
        """The converter that this belongs to."""
        if self._adc is None:
            found = (p for p in self.soc.peripherals.values() if isinstance(p, Adc))
            self._adc = next(found, None)
        return self._adc

    def on_reset(self, t_ps: int) -> None:
        """Everything off, the prescaler at 2."""
        self._tell(t_ps)

    def read(self, offset: int, size: int, t_ps: int) -> int:
        """A read: the converter is first brought up to now."""
        if self.adc is not None:
            self.adc.bring_up_to(t_ps)
        return super().read(offset, size, t_ps)

    def write(self, offset: int, size: int, value: int, t_ps: int) -> None:
        """A write: the converter is first brought up to now."""
        if self.adc is not None:
            self.adc.bring_up_to(t_ps)
        super().write(offset, size, value, t_ps)

    def peek(self, offset: int, size: int, t_ps: int) -> Peek | None:
        """CSR is foreseen as SR is."""
        if offset == self.csr.spec.offset and self.adc is not None:
            return self.adc.peek(self.adc.sr.spec.offset, size, t_ps)
        return super().peek(offset, size, t_ps)

    @csr.on_peek
    def _status(self, t_ps: int) -> Peek:
        return Peek(self.adc.sr.value if self.adc is not None else 0, NEVER)

    @ccr.on_write
    def _control(self, t_ps: int, _written: int, _before: int) -> None:
        self._tell(t_ps)

    def _tell(self, t_ps: int) -> None:
        if self.adc is not None:
            ccr = self.ccr
            self.adc.common_changed(
                t_ps, 2 * (ccr.ADCPRE + 1), sensor=bool(ccr.TSVREFE), vbat=bool(ccr.VBATE)
            )


PERIPHERAL = AdcCommon
