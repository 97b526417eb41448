"""The BME280's trimming values, its compensation in integers, and the way back.

Source: Bosch BST-BME280-DS002, §4.2.2 (trimming parameter readout, table 16) and §4.2.3
(compensation formulas). The values are our own, such as a chip might have.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

T1, T2, T3 = 28_009, 25_654, 50
P1, P2, P3, P4, P5, P6, P7, P8, P9 = 37_393, -10_555, 3_024, 8_144, -82, -7, 12_300, -12_000, 5_000
H1, H2, H3, H4, H5, H6 = 75, 372, 0, 305, 50, 30

TOP_20, TOP_16 = (1 << 20) - 1, (1 << 16) - 1


def trimming() -> dict[int, int]:
    """The bytes of the trimming values by register; the rest of their space reads 0."""
    low = struct.pack("<HhhHhhhhhhhh", T1, T2, T3, P1, P2, P3, P4, P5, P6, P7, P8, P9)
    high = struct.pack("<hB", H2, H3)
    high += bytes([H4 >> 4 & 0xFF, H4 & 0xF | (H5 & 0xF) << 4, H5 >> 4 & 0xFF])
    high += struct.pack("b", H6)
    made = dict.fromkeys((*range(0x88, 0xA2), *range(0xE1, 0xF1)), 0)
    made |= dict(enumerate(low, 0x88)) | {0xA1: H1} | dict(enumerate(high, 0xE1))
    return made


def fine(raw: int) -> int:
    """The fine temperature, on which the other two depend."""
    one = ((raw >> 3) - (T1 << 1)) * T2 >> 11
    offset = (raw >> 4) - T1
    return one + ((offset * offset >> 12) * T3 >> 14)


def centidegrees(raw: int) -> int:
    """Hundredths of a degree Celsius."""
    return fine(raw) * 5 + 128 >> 8


def pascals_q8(raw: int, fine_t: int) -> int:
    """Pascals in 24.8 fixed point."""
    v1 = fine_t - 128_000
    v2 = v1 * v1 * P6 + (v1 * P5 << 17) + (P4 << 35)
    v1 = (v1 * v1 * P3 >> 8) + (v1 * P2 << 12)
    v1 = ((1 << 47) + v1) * P1 >> 33
    if v1 == 0:
        return 0
    p = _quotient(((1_048_576 - raw << 31) - v2) * 3125, v1)
    v1 = P9 * (p >> 13) * (p >> 13) >> 25
    v2 = P8 * p >> 19
    return (p + v1 + v2 >> 8) + (P7 << 4)


def _quotient(a: int, b: int) -> int:
    """A quotient as C has it, towards 0."""
    return abs(a) // abs(b) * (1 if (a < 0) == (b < 0) else -1)


def percent_q10(raw: int, fine_t: int) -> int:
    """Percent of relative humidity in 22.10 fixed point."""
    x = fine_t - 76_800
    left = (raw << 14) - (H4 << 20) - H5 * x + 16_384 >> 15
    scale = ((x * H6 >> 10) * ((x * H3 >> 11) + 32_768) >> 10) + 2_097_152
    x = left * (scale * H2 + 8_192 >> 14)
    x -= ((x >> 15) * (x >> 15) >> 7) * H1 >> 4
    return min(max(x, 0), 419_430_400) >> 12


def _nearest(wanted: int, top: int, value: Callable[[int], int], *, falls: bool = False) -> int:
    """The raw value whose compensated one is nearest; ``falls`` as it rises."""
    low, high = 0, top
    while low < high:
        middle = (low + high) // 2
        if (value(middle) <= wanted) if falls else (value(middle) >= wanted):
            high = middle
        else:
            low = middle + 1
    return min((n for n in (low - 1, low) if n >= 0), key=lambda n: abs(value(n) - wanted))


def raw_temperature(mc: int) -> int:
    """What the converter gives at a temperature in thousandths of a degree."""
    # In steps of 1/5120 degree, finer than the compensated value: the middle of the ones it has.
    return _nearest(mc * 5120 // 1000, TOP_20, fine)


def raw_pressure(mpa: int, fine_t: int) -> int:
    """What the converter gives at a pressure in thousandths of a pascal."""
    return _nearest(mpa * 256 // 1000, TOP_20, lambda n: pascals_q8(n, fine_t), falls=True)


def raw_humidity(ppm: int, fine_t: int) -> int:
    """What the converter gives at a relative humidity in parts per million."""
    return _nearest(ppm * 1024 // 10_000, TOP_16, lambda n: percent_q10(n, fine_t))
