"""The CRC of frames, as the shift registers make it. RM0368 §20.3.6."""

from __future__ import annotations


def crc(value: int, frame: int, polynomial: int, bits: int) -> int:
    """What a CRC register holds after one more frame.

    ``frame`` has its first bit on top; ``bits`` is 8 or 16, and so is the register's width.
    """
    top, mask = 1 << bits - 1, (1 << bits) - 1
    value = (value ^ frame) & mask
    for _ in range(bits):
        value = (value << 1 ^ (polynomial if value & top else 0)) & mask
    return value


def reversed_bits(value: int, bits: int) -> int:
    """The same bits, the last one first."""
    return int(f"{value:0{bits}b}"[::-1], 2)
