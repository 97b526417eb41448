"""Quantities with units, to and from exact integers.

Inside fwgen a quantity is an ``int`` in one fixed unit, and its name says which:

    duration   picoseconds   ``_ps``
    frequency  millihertz    ``_mhz``
    voltage    microvolts    ``_uv``
    ratio      parts per million  ``_ppm``
    temperature  thousandths of a degree Celsius  ``_mc``
    illuminance  millilux  ``_mlx``
    resistance   ohms  ``_ohm``
    pressure     thousandths of a pascal  ``_mpa``
    acceleration  millionths of g  ``_ug``
    angular rate  thousandths of a degree per second  ``_mdps``

Text that people write ("2 Hz", "500ms", "3.3 V", "50 %", "4k7" is not one of them) is parsed
here and nowhere else; so is the text that we print.
"""

from __future__ import annotations

import re
from fractions import Fraction

from fwgen.errors import UnitError

PS_PER_S = 10**12
PS_PER_MS = 10**9
PS_PER_US = 10**6
MHZ_PER_HZ = 1000
PPM = 1_000_000

_DURATION = {
    "ps": 1,
    "ns": 10**3,
    "us": 10**6,
    "µs": 10**6,
    "μs": 10**6,
    "ms": 10**9,
    "s": 10**12,
    "sec": 10**12,
    "min": 60 * 10**12,
    "h": 3600 * 10**12,
}
_FREQUENCY = {"mHz": 1, "Hz": 10**3, "kHz": 10**6, "MHz": 10**9}
_VOLTAGE = {"uV": 1, "µV": 1, "μV": 1, "mV": 10**3, "V": 10**6}
_RATIO = {"%": 10_000, "ppm": 1}
_TEMPERATURE = {"°C": 1000, "degC": 1000, "C": 1000}
_ILLUMINANCE = {"lx": 1000, "lux": 1000, "klx": 1_000_000}
_DISTANCE = {"um": 1, "µm": 1, "μm": 1, "mm": 1000, "cm": 10_000, "m": 1_000_000}
_ANGLE = {"°": 1000, "deg": 1000}
_PRESSURE = {"Pa": 1000, "hPa": 100_000, "mbar": 100_000, "kPa": 1_000_000, "bar": 10**8}
_ACCELERATION = {"ug": 1, "mg": 1000, "g": 10**6}
_ROTATION = {"°/s": 1000, "deg/s": 1000, "dps": 1000}
_RESISTANCE = {"ohm": 1, "Ω": 1, "kohm": 1000, "kΩ": 1000, "Mohm": 10**6, "MΩ": 10**6}

_QUANTITY = re.compile(
    r"\s*([+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d{1,2})?)\s*([A-Za-zµμ%°Ω\u2126/]+)\s*"
)


def _parse(text: str, units: dict[str, int], what: str) -> int:
    match = _QUANTITY.fullmatch(text)
    folded = {name.casefold(): scale for name, scale in units.items()}
    # "mHz" and "MHz" differ in nothing but case: only an exact spelling tells them apart.
    ambiguous = len(folded) < len(units)
    if match is None:
        raise UnitError(f"{text!r} is not a {what}", hint=f"write a number and a unit, as {what}s")
    number, unit = match.groups()
    scale = units.get(unit) if ambiguous else folded.get(unit.casefold())
    if scale is None and "Hz" in units:
        lowered = unit.casefold()
        scale = {"hz": 10**3, "khz": 10**6}.get(lowered)
    if scale is None:
        raise UnitError(f"{text!r}: {unit!r} is no unit of {what}", hint=f"use {', '.join(units)}")
    return round(Fraction(number) * scale)


def parse_duration(text: str) -> int:
    """Picoseconds in a text such as "500 ms". Raises UnitError."""
    return _parse(text, _DURATION, "duration")


def parse_frequency(text: str) -> int:
    """Millihertz in a text such as "84 MHz". Raises UnitError."""
    return _parse(text, _FREQUENCY, "frequency")


def parse_voltage(text: str) -> int:
    """Microvolts in a text such as "3.3 V". Raises UnitError."""
    return _parse(text, _VOLTAGE, "voltage")


def parse_ratio(text: str) -> int:
    """Parts per million in a text such as "50 %". Raises UnitError."""
    return _parse(text, _RATIO, "ratio")


def parse_temperature(text: str) -> int:
    """Thousandths of a degree Celsius in a text such as "23.5 °C". Raises UnitError."""
    return _parse(text, _TEMPERATURE, "temperature")


def parse_illuminance(text: str) -> int:
    """Millilux in a text such as "300 lx". Raises UnitError."""
    return _parse(text, _ILLUMINANCE, "illuminance")


def parse_distance(text: str) -> int:
    """Micrometres in a text such as "40 cm". Raises UnitError."""
    return _parse(text, _DISTANCE, "distance")


def parse_angle(text: str) -> int:
    """Thousandths of a degree in a text such as "90°". Raises UnitError."""
    return _parse(text, _ANGLE, "angle")


def parse_pressure(text: str) -> int:
    """Thousandths of a pascal in a text such as "1013.25 hPa". Raises UnitError."""
    return _parse(text, _PRESSURE, "pressure")


def parse_acceleration(text: str) -> int:
    """Millionths of g in a text such as "-1 g". Raises UnitError."""
    return _parse(text, _ACCELERATION, "acceleration")


def parse_rotation(text: str) -> int:
    """Thousandths of a degree per second in a text such as "90 °/s". Raises UnitError."""
    return _parse(text, _ROTATION, "angular rate")


def parse_resistance(text: str) -> int:
    """Ohms in a text such as "4.7 kohm". Raises UnitError."""
    # The sign for ohms exists twice: the letter is how it should be written.
    return _parse(text.replace("\u2126", "Ω"), _RESISTANCE, "resistance")


def period_ps(frequency_mhz: int) -> int:
    """The period of a frequency in millihertz, rounded to a picosecond."""
    return round(Fraction(PS_PER_S * MHZ_PER_HZ, frequency_mhz))


def frequency_mhz(period: int) -> int:
    """The frequency in millihertz of a period in picoseconds, rounded."""
    return round(Fraction(PS_PER_S * MHZ_PER_HZ, period))


def _show(value: int, steps: tuple[tuple[int, str], ...], digits: int) -> str:
    scale, unit = next(((s, u) for s, u in steps if abs(value) >= s), steps[-1])
    text = f"{value / scale:.{digits}g}"
    if "e" in text:
        text = str(round(value / scale))
    return f"{text} {unit}"


def show_duration(ps: int, digits: int = 6) -> str:
    """A duration in picoseconds as people write it, to ``digits`` significant digits."""
    if ps == 0:
        return "0 s"
    steps = ((10**12, "s"), (10**9, "ms"), (10**6, "µs"), (10**3, "ns"), (1, "ps"))
    return _show(ps, steps, digits)


def show_frequency(mhz: int, digits: int = 6) -> str:
    """A frequency in millihertz as people write it, to ``digits`` significant digits."""
    if mhz == 0:
        return "0 Hz"
    return _show(mhz, ((10**9, "MHz"), (10**6, "kHz"), (10**3, "Hz"), (1, "mHz")), digits)


def show_ratio(ppm: int, digits: int = 5) -> str:
    """A ratio in parts per million, in percent."""
    return f"{ppm / 10_000:.{digits}g} %"


def show_voltage(uv: int, digits: int = 4) -> str:
    """A voltage in microvolts as people write it."""
    if uv == 0:
        return "0 V"
    return _show(uv, ((10**6, "V"), (10**3, "mV"), (1, "µV")), digits)


def show_resistance(ohm: int) -> str:
    """A resistance in ohms as people write it."""
    return "0 ohm" if ohm == 0 else _show(ohm, ((10**6, "Mohm"), (10**3, "kohm"), (1, "ohm")), 4)
