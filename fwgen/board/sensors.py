"""Parts that turn what they sense into a voltage at a pin: potentiometer, NTC and LDR.

A potentiometer lies between ground and supply, its wiper at the pin: it senses its position in
parts per million. A thermistor (NTC, thousandths of a degree Celsius) or a photoresistor (LDR,
millilux) makes a divider with a fixed resistor.

Sources: the beta formula of a thermistor, R = R25 exp(B (1/T - 1/298.15 K)); the gamma formula of a
photoresistor, R = R10 (E / 10 lx)^-gamma.
"""

from __future__ import annotations

from math import exp, log
from typing import TYPE_CHECKING, NamedTuple

from fwgen.errors import UnitError
from fwgen.units import (
    PPM,
    parse_illuminance,
    parse_ratio,
    parse_temperature,
    show_ratio,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from fwgen.board.types import Part, Sensor

_ZERO_MK = 273_150  # 0 °C in thousandths of a kelvin
_AT_MK = 298_150  # 25 °C
_AT_MLX = 10_000  # 10 lx


class Quantity(NamedTuple):
    """What a kind of part senses: how it is read and shown, and its range."""

    parse: Callable[[str], int]
    show: Callable[[int], str]
    least: int
    most: int
    unit: int  # how many of ours make one as people count it
    rests: str


def _show_milli(unit: str) -> Callable[[int], str]:
    return lambda value: f"{value / 1000:.7g} {unit}"


QUANTITIES = {
    "potentiometer": Quantity(parse_ratio, lambda v: show_ratio(v, 7), 0, PPM, 10_000, "50 %"),
    "ntc": Quantity(parse_temperature, _show_milli("°C"), -55_000, 150_000, 1000, "25 °C"),
    "ldr": Quantity(parse_illuminance, _show_milli("lx"), 10, 200_000_000, 1000, "100 lx"),
}


def parse_sensed(kind: str, text: str) -> int:
    """What a part of a kind senses, from text. Raises UnitError, also when out of its range."""
    quantity = QUANTITIES[kind]
    value = quantity.parse(text)
    if not quantity.least <= value <= quantity.most:
        raise UnitError(
            f"{text!r} is beyond what a {kind} senses",
            hint=f"{quantity.show(quantity.least)} to {quantity.show(quantity.most)}",
        )
    return value


def voltage_of(part: Part, value: int, supply_uv: int) -> tuple[int, int]:
    """The voltage at the pin in microvolts, and the resistance that it comes from in ohms."""
    assert part.sensor is not None
    sensor = part.sensor
    if part.kind == "potentiometer":
        return supply_uv * value // PPM, sensor.ohm * value // PPM * (PPM - value) // PPM
    ohm = _resistance(part.kind, sensor, value)
    both = ohm + sensor.fixed_ohm
    across = sensor.fixed_ohm if sensor.to_supply else ohm
    return round(supply_uv * across / both), round(ohm * sensor.fixed_ohm / both)


def sensed_at(part: Part, uv: int, supply_uv: int) -> int:
    """What a part senses that gives a voltage; the end of its range where none does."""
    assert part.sensor is not None
    sensor, quantity = part.sensor, QUANTITIES[part.kind]
    if part.kind == "potentiometer":
        return max(0, min(PPM, round(uv * PPM / supply_uv)))
    share = min(max(uv / supply_uv, 1e-9), 1 - 1e-9)
    ratio = (1 - share) / share if sensor.to_supply else share / (1 - share)
    fraction = log(ratio * sensor.fixed_ohm / sensor.ohm)  # of the resistance and its nominal one
    if part.kind == "ntc":
        kelvin = 1 / (1000 / _AT_MK + fraction / sensor.curve)
        value = round(kelvin * 1000) - _ZERO_MK if kelvin > 0 else quantity.most
    else:
        value = round(_AT_MLX * exp(min(40.0, -fraction * 1000 / sensor.curve)))
    return max(quantity.least, min(quantity.most, value))


def rises(part: Part) -> bool:
    """Whether the voltage rises with what is sensed."""
    assert part.sensor is not None
    return part.kind == "potentiometer" or part.sensor.to_supply


def _resistance(kind: str, sensor: Sensor, value: int) -> float:
    if kind == "ntc":
        return sensor.ohm * exp(sensor.curve * (1000 / (value + _ZERO_MK) - 1000 / _AT_MK))
    return sensor.ohm * float((value / _AT_MLX) ** (-sensor.curve / 1000))
