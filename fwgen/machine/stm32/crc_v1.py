"""CRC calculation unit of the STM32F1 to F4. RM0368 §4."""

from __future__ import annotations

from fwgen.machine.peripheral import Peripheral, Reg

POLYNOMIAL = 0x04C1_1DB7  # of Ethernet's CRC-32 (§4.2)


def _table() -> tuple[int, ...]:
    made = []
    for byte in range(256):
        value = byte << 24
        for _ in range(8):
            value = (value << 1) ^ (POLYNOMIAL if value >> 31 else 0)
            value &= 0xFFFF_FFFF
        made.append(value)
    return tuple(made)


TABLE = _table()


def crc32(before: int, word: int) -> int:
    """The CRC of 32 bits more, most significant bit first; neither reflected nor inverted."""
    value = before ^ word
    for _ in range(4):
        value = (value << 8 & 0xFFFF_FFFF) ^ TABLE[value >> 24]
    return value


class Crc(Peripheral, registers="stm32.crc_v1"):
    """Feeds words written to DR into a CRC-32, which DR reads. RM0368 §4.3.

    IDR is one byte to keep anything in; RESET leaves it alone.

    Not modelled: the bus cycles by which a write waits for the four that the one before it takes.
    """

    dr, idr, cr = Reg(), Reg(), Reg()

    def write(self, offset: int, size: int, value: int, t_ps: int) -> None:
        """The unit takes words: what part of one does to the CRC is not told (§4.4)."""
        if offset < 4 and size != 4:
            self.soc.hazard(
                "access-size",
                f"{8 * size} bits written to {self.name}.DR: it takes whole words",
            )
        super().write(offset, size, value, t_ps)

    @dr.on_write
    def _feed(self, t_ps: int, written: int, before: int) -> None:
        self.dr.value = crc32(before, written)

    @cr.on_write
    def _reset(self, t_ps: int, written: int, before: int) -> None:
        if self.cr.field("RESET", written):
            self.dr.value = self.dr.reset_value


PERIPHERAL = Crc
