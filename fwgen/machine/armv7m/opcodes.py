"""The few 32-bit instructions that a core must tell apart, by their two halfwords.

Source: Arm ARM DDI0403 A7.7.
"""

from __future__ import annotations


def is_isb(first: int, second: int) -> bool:
    """ISB (T1)."""
    return first == 0xF3BF and second & 0xFFF0 == 0x8F60


def is_fp(first: int, second: int) -> bool:
    """An instruction of coprocessors 10 and 11."""
    return first & 0xEC00 == 0xEC00 and first & 0x300 != 0x300 and second >> 9 & 7 == 5


def reads_control(first: int, second: int) -> bool:
    """MRS Rd, CONTROL (T1)."""
    return first & 0xFFEF == 0xF3EF and second & 0xD0FF == 0x8014


def from_fixed(first: int, second: int) -> bool:
    """VCVT from a fixed-point number to a single (T1)."""
    return first & 0xFFBE == 0xEEBA and second & 0x0F50 == 0x0A40


def is_exclusive(first: int, second: int) -> bool:
    """A load that opens the exclusive monitor: LDREX, LDREXB, LDREXH (T1)."""
    return first & 0xFFF0 == 0xE850 or (first & 0xFFF0 == 0xE8D0 and second & 0xE0 == 0x40)


def stops_within_it(first: int, second: int) -> bool:
    """What the engine gets wrong within an IT block."""
    return is_isb(first, second) or from_fixed(first, second)


def is_store(first: int) -> bool:
    """Whether an instruction stores to memory. Arm ARM DDI0403 A5.2, A5.3."""
    if first >> 11 < 0b11101:
        narrow = first >> 11
        return (
            narrow in (0b01100, 0b01110, 0b10000, 0b10010, 0b11000)
            or first & 0xFE00 == 0xB400
            or (narrow == 0b01010 and first >> 9 & 3 != 3)
        )
    if first & 0xFE00 == 0xF800:
        return not first & 0x10
    return first & 0xFE10 in (0xE800, 0xEC00)
