"""Device electronic signature: unique identifier and flash size. RM0368 §24."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING

from fwgen.machine.peripheral import Peripheral, Reg
from fwgen.machine.stm32.adc_v2.conversion import quantised
from fwgen.machine.stm32.adc_v2.inputs import (
    CALIBRATION_C,
    CALIBRATION_UV,
    REFERENCE_UV,
    sensor_uv,
)

if TYPE_CHECKING:
    from fwgen.board.types import PeripheralSpec
    from fwgen.machine.soc import Soc


class Uid(Peripheral, registers="stm32.uid_v1"):
    """What the factory wrote into system memory. RM0368 §24.

    The unique identifier of an emulated chip is made from its board's name, or from that of one
    board among others of its kind (``make_from``). The flash size is the chip's.

    The calibration values are those of a chip that is as typical as the ADC's model
    (DS10086, Tables 70 and 73: VDDA = 3.3 V, 30 and 110 °C).

    Not modelled: the package code (touching it is a Gap).
    """

    uid0, uid1, uid2, f_size = Reg(), Reg(), Reg(), Reg()
    vrefin_cal, ts_cal1, ts_cal2 = Reg(), Reg(), Reg()

    def __init__(self, spec: PeripheralSpec, soc: Soc) -> None:
        super().__init__(spec, soc)
        self.make_from(soc.board.name)
        self.f_size.reset_value = self.f_size.value = soc.chip.flash.size // 1024
        cold, hot = CALIBRATION_C
        for register, uv in (
            (self.vrefin_cal, REFERENCE_UV),
            (self.ts_cal1, sensor_uv(cold)),
            (self.ts_cal2, sensor_uv(hot)),
        ):
            register.reset_value = register.value = quantised(uv, CALIBRATION_UV, 12)

    def make_from(self, name: str) -> None:
        """Another name, another identifier."""
        for n, word in enumerate((self.uid0, self.uid1, self.uid2)):
            word.reset_value = word.value = zlib.crc32(f"{name} {n}".encode())


PERIPHERAL = Uid
