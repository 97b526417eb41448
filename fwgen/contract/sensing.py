"""Voltages in contracts: what parts give, thresholds, and numbers that tell of a voltage."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fwgen.board.sensors import QUANTITIES, rises, sensed_at, voltage_of
from fwgen.units import PPM

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from fwgen.board.types import Part

PIECES = 64
"""A part's curve is drawn in so many straight lines for each ramp of what it senses."""


def courses(
    part: Part, start: int, stop: int, over_ps: int, supply_uv: int
) -> tuple[tuple[tuple[int, int], ...], int]:
    """The voltage of a part as what it senses goes evenly from one value to another.

    Returns the points (time, microvolts), and the highest resistance on the way, in ohms.
    """
    pieces = PIECES if over_ps and part.kind != "potentiometer" else 1 if over_ps else 0
    values = [start + (stop - start) * i // pieces for i in range(pieces + 1)] if pieces else [stop]
    given = [voltage_of(part, value, supply_uv) for value in values]
    ohms = [ohm for _, ohm in given]
    if part.kind == "potentiometer" and min(start, stop) < PPM // 2 < max(start, stop):
        ohms.append(voltage_of(part, PPM // 2, supply_uv)[1])  # most in the middle
    times = [over_ps * i // max(1, pieces) for i in range(pieces + 1)]
    return tuple(zip(times, (uv for uv, _ in given), strict=True)), max(ohms)


def threshold(part: Part | None, value: int, supply_uv: int) -> tuple[int, bool]:
    """A threshold in microvolts, and whether the voltage falls where what is sensed rises."""
    if part is None:
        return value, False
    return voltage_of(part, value, supply_uv)[0], not rises(part)


def _code(bits: int) -> Callable[[int, int], int]:
    # An ideal converter's first step lies at half an LSB (DS10086, ADC accuracy characteristics).
    return lambda uv, supply: min((2 * (uv << bits) + supply) // (2 * supply), (1 << bits) - 1)


VOLTAGE_UNITS: Mapping[str, Callable[[int, int], int] | None] = {
    "uV": lambda uv, _: uv,
    "mV": lambda uv, _: uv // 1000,
    "percent": lambda uv, supply: uv * 100 // supply,
    "adc12": _code(12),
    "adc10": _code(10),
    "adc8": _code(8),
    "adc6": _code(6),
    "sensed": None,  # by the part's own curve
}
"""What a number may tell of a voltage: microvolts and the supply to that number."""

UNIT_WORDS = {
    "uV": "the microvolts at", "mV": "the millivolts at", "percent": "the percent of the supply at",
    "adc12": "the 12-bit code of", "adc10": "the 10-bit code of", "adc8": "the 8-bit code of",
    "adc6": "the 6-bit code of", "sensed": "what is sensed by",
}  # fmt: skip


def told(kind: str, part: Part | None, uv: int, supply_uv: int) -> int:
    """The number that tells of a voltage."""
    convert = VOLTAGE_UNITS[kind]
    if convert is not None:
        return convert(max(0, uv), supply_uv)
    assert part is not None
    return sensed_at(part, uv, supply_uv) // QUANTITIES[part.kind].unit
