"""A CAN frame: what is in it, and the bits that it is on the wire. ISO 11898-1; RM0090 §32.7.6."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

CRC_POLYNOMIAL = 0x4599  # of 15 bits
EOF, INTERMISSION = 7, 3
ERROR_FLAG, ERROR_DELIMITER, SUSPEND = 6, 8, 8


class Frame(NamedTuple):
    """``identifier`` has 11 bits, or 29 where ``extended``; a remote frame carries no data."""

    identifier: int
    extended: bool
    remote: bool
    dlc: int
    data: bytes

    @property
    def priority(self) -> tuple[int, ...]:
        """Whose is smaller wins the arbitration: the field as it is on the wire."""
        return tuple(self._arbitration())

    def _arbitration(self) -> list[int]:
        if not self.extended:
            return [*_bits(self.identifier, 11), int(self.remote), 0]
        base, rest = self.identifier >> 18, self.identifier & 0x3FFFF
        return [*_bits(base, 11), 1, 1, *_bits(rest, 18), int(self.remote)]

    def plain(self) -> list[int]:
        """From SOF to the CRC, before stuffing; 0 is dominant."""
        made = [0, *self._arbitration(), *([0, 0] if self.extended else [0]), *_bits(self.dlc, 4)]
        if not self.remote:
            for byte in self.data[: min(self.dlc, 8)]:
                made += _bits(byte, 8)
        return [*made, *_bits(crc15(made), 15)]


@lru_cache(256)
def stuffed(frame: Frame) -> tuple[int, ...]:
    """From SOF to the CRC as they are on the wire: after five alike comes the other."""
    made: list[int] = []
    for bit in frame.plain():
        made.append(bit)
        # A stuffed bit counts among the next five.
        if len(made) >= 5 and len(set(made[-5:])) == 1:
            made.append(1 - bit)
    return tuple(made)


def crc15(bits: list[int]) -> int:
    """The CRC of ISO 11898-1 over bits."""
    crc = 0
    for bit in bits:
        feed = bit ^ crc >> 14
        crc = crc << 1 & 0x7FFF
        if feed:
            crc ^= CRC_POLYNOMIAL
    return crc


def _bits(value: int, width: int) -> list[int]:
    return [value >> at & 1 for at in reversed(range(width))]
