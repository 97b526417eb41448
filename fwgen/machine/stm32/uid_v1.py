"""Device electronic signature: unique identifier and flash size. RM0368 §24."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING

from fwgen.machine.peripheral import Peripheral, Reg

if TYPE_CHECKING:
    from fwgen.board.types import PeripheralSpec
    from fwgen.machine.soc import Soc


class Uid(Peripheral, registers="stm32.uid_v1"):
    """What the factory wrote into system memory. RM0368 §24.

    The unique identifier of an emulated chip is made from its board's name, or from that of one
    board among others of its kind (``make_from``). The flash size is the chip's.

    Not modelled: calibration values and the package code (touching them is a Gap).
    """

    uid0, uid1, uid2, f_size = Reg(), Reg(), Reg(), Reg()

    def __init__(self, spec: PeripheralSpec, soc: Soc) -> None:
        super().__init__(spec, soc)
        self.make_from(soc.board.name)
        self.f_size.reset_value = self.f_size.value = soc.chip.flash.size // 1024

    def make_from(self, name: str) -> None:
        """Another name, another identifier."""
        for n, word in enumerate((self.uid0, self.uid1, self.uid2)):
            word.reset_value = word.value = zlib.crc32(f"{name} {n}".encode())


PERIPHERAL = Uid
