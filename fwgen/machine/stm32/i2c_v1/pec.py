"""The packet error code of SMBus: the CRC-8 at the end of a message. RM0368 §18.3.8."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fwgen.machine.stm32.spi_v2.crc import crc

if TYPE_CHECKING:
    from fwgen.machine.stm32.i2c_v1.port import I2c

POLYNOMIAL = 0x07


class Pec:
    """What the PEC register of one port holds, and whether the PEC is the next byte.

    ``by_dma``: DMA came to the end of its transfer, after which a PEC follows by itself.
    """

    def __init__(self, port: I2c) -> None:
        self._port = port
        self.value = 0
        self.by_dma = False

    def clear(self) -> None:
        """A message begins."""
        self.value = 0
        self._port.sr2.set(PEC=0)

    def count(self, byte: int) -> None:
        """A byte of a message, its addresses included."""
        if self._port.cr1.ENPEC:
            self.value = crc(self.value, byte, POLYNOMIAL, 8)
            self._port.sr2.set(PEC=self.value)

    @property
    def is_next(self) -> bool:
        """Whether the next byte that is sent, or has been received, is the PEC."""
        cr1 = self._port.cr1
        return bool(cr1.ENPEC and (cr1.PEC or self.by_dma))

    def over(self) -> None:
        """It was sent, checked, or is not to come any more."""
        self._port.cr1.set(PEC=0)
        self.by_dma = False

    def check(self, byte: int) -> bool:
        """It was received; whether it is the right one."""
        self.over()
        fits = byte == self.value
        if not fits:
            self._port.sr1.set(PECERR=1)
        return fits
