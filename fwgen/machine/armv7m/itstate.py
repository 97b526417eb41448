"""ITSTATE, where XPSR keeps it, and the conditions. Arm ARM DDI0403 A7.3, B1.4.2."""

from __future__ import annotations

IT_BITS = 0x0600_FC00  # of XPSR


def it_of(xpsr: int) -> int:
    """ITSTATE as the manual numbers it, of an XPSR."""
    return xpsr >> 25 & 3 | xpsr >> 8 & 0xFC


def it_left(it: int) -> int:
    """How many instructions of the IT block are still to come."""
    low = it & 15
    return 4 - ((low & -low).bit_length() - 1) if low else 0


def is_it(halfword: int) -> bool:
    """Whether a 16-bit instruction is IT; its low byte is then the ITSTATE that it sets."""
    return halfword >> 8 == 0xBF and bool(halfword & 15)


def stepped(it: int) -> int:
    """ITSTATE one instruction on; 0 behind the last."""
    return it & 0xE0 | it << 1 & 0x1F if it & 7 else 0


def advanced(xpsr: int) -> int:
    """XPSR with ITSTATE one instruction on (ITAdvance)."""
    it = stepped(it_of(xpsr))
    return xpsr & ~IT_BITS | (it & 3) << 25 | (it & 0xFC) << 8


def holds(condition: int, xpsr: int) -> bool:
    """Whether a condition code holds (ConditionPassed)."""
    n, z, c, v = (bool(xpsr >> bit & 1) for bit in (31, 30, 29, 28))
    truth = (z, c, n, v, c and not z, n == v, n == v and not z, True)[condition >> 1]
    return truth != bool(condition & 1 and condition != 15)
