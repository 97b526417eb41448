"""What modules are set to, sense and show: quantities by name, to and from text.

A number is a whole one in a fixed unit (``fwgen.units``); a text is as it stands; a colour is
"#rrggbb", and several of them stand in a row with spaces between; a picture is rows of # and .
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

from fwgen.errors import UnitError, did_you_mean
from fwgen.picture import parse_picture
from fwgen.units import (
    parse_acceleration,
    parse_angle,
    parse_distance,
    parse_duration,
    parse_pressure,
    parse_ratio,
    parse_rotation,
    parse_temperature,
    show_duration,
    show_ratio,
)

if TYPE_CHECKING:
    from collections.abc import Callable

_HEX = re.compile(r"#[0-9a-f]{6}")

COLOURS = {
    "black": "#000000", "off": "#000000", "red": "#ff0000", "green": "#00ff00",
    "blue": "#0000ff", "yellow": "#ffff00", "cyan": "#00ffff", "magenta": "#ff00ff",
    "white": "#ffffff",
}  # fmt: skip


class Quantity(NamedTuple):
    """How a quantity is read, shown, and written to its last digit."""

    parse: Callable[[str], int | str]
    show: Callable[[int | str], str]
    exact: Callable[[int | str], str]
    signed: bool = False


def parse_count(text: str) -> int:
    """A whole number. Raises UnitError."""
    if re.fullmatch(r"-?\d{1,9}", text.strip()) is None:
        raise UnitError(f"{text!r} is not a whole number")
    return int(text)


CALENDAR_START = datetime(2000, 1, 1)


def parse_moment(text: str) -> int:
    """Seconds from 2000-01-01 00:00:00 to a date and time as a calendar says it. Raises UnitError.

    From 2000 to 2199, as "2024-02-29 23:59:50".
    """
    hint = 'such as "2024-02-29 23:59:50"'
    try:
        made = datetime.fromisoformat(text.strip())
    except ValueError:
        raise UnitError(f"{text!r} is no date and time", hint=hint) from None
    if made.tzinfo is not None or made.microsecond:
        raise UnitError(f"{text!r}: whole seconds, and no time zone", hint=hint)
    if not 2000 <= made.year <= 2199:
        raise UnitError(f"{text!r} is not from 2000 to 2199", hint=hint)
    return round((made - CALENDAR_START).total_seconds())


def show_moment(seconds: int | str) -> str:
    """A date and time as a calendar says it."""
    return (CALENDAR_START + timedelta(seconds=int(seconds))).isoformat(" ")


def parse_address(text: str) -> int:
    """An address on an I2C bus, as "0x50" or "80". Raises UnitError."""
    try:
        return int(text.strip(), 0)
    except ValueError:
        raise UnitError(f"{text!r} is no address", hint='such as "0x50"') from None


def parse_bytes(text: str) -> str:
    """Hexadecimal bytes, as "01 a2". Raises UnitError."""
    try:
        return bytes.fromhex(text).hex(" ")
    except ValueError:
        raise UnitError(
            f"{text!r} should be hexadecimal bytes", hint='such as "48 65 6c"'
        ) from None


def parse_colours(text: str) -> str:
    """Colours, by name or as #rrggbb, as "#rrggbb" each. Raises UnitError."""
    made = []
    for word in text.replace(",", " ").casefold().split():
        colour = COLOURS.get(word, word)
        if not _HEX.fullmatch(colour):
            raise UnitError(
                f"{word!r} is no colour",
                hint=did_you_mean(word, COLOURS) or 'such as "red" or "#ff8000"',
            )
        made.append(colour)
    if not made:
        raise UnitError("no colour", hint='such as "red" or "#ff8000"')
    return " ".join(made)


def parse_lines(text: str) -> str:
    """Text as a display shows it: no blanks at the end of a line, no empty lines at the end."""
    return "\n".join(line.rstrip() for line in text.split("\n")).rstrip("\n")


def parse_rows(text: str) -> str:
    """A picture's rows of # and ., without what stands about them. Raises UnitError."""
    return parse_picture(text).text()


def _sized(value: int | str) -> str:
    rows = str(value).split("\n")
    return f"of {len(rows[0])} x {len(rows)} pixels, {str(value).count('#')} lit"


def channels(colours: str) -> list[int]:
    """Every channel of every colour, 0 to 255."""
    return [int(c[i : i + 2], 16) for c in colours.split() for i in (1, 3, 5)]


def _scaled(unit: str, scale: int) -> Quantity:
    def show(value: int | str) -> str:
        return f"{int(value) / scale:.7g}{'' if unit == '°' else ' '}{unit}"

    def exact(value: int | str) -> str:
        whole, rest = divmod(abs(int(value)), scale)
        digits = f"{rest:0{len(str(scale)) - 1}d}".rstrip("0")
        sign = "-" if int(value) < 0 else ""
        return f"{sign}{whole}{'.' if digits else ''}{digits} {unit}"

    parse = {
        "°C": parse_temperature, "cm": parse_distance, "°": parse_angle, "%": parse_ratio,
        "us": parse_duration, "hPa": parse_pressure, "g": parse_acceleration, "°/s": parse_rotation,
    }[unit]  # fmt: skip
    return Quantity(parse, show, exact, unit not in ("cm", "us", "hPa"))


def _quoted(value: int | str) -> str:
    return '"' + str(value).encode("unicode_escape").decode("ascii") + '"'


TEXTS = frozenset(("text", "word", "colour", "picture"))
"""Quantities whose values are texts, and not whole numbers."""

QUANTITIES: dict[str, Quantity] = {
    "temperature": _scaled("°C", 1000),
    "distance": _scaled("cm", 10_000),
    "angle": _scaled("°", 1000),
    "ratio": _scaled("%", 10_000)._replace(show=lambda v: show_ratio(int(v))),
    "duration": _scaled("us", 1_000_000)._replace(show=lambda v: show_duration(int(v))),
    "pressure": _scaled("hPa", 100_000),
    "acceleration": _scaled("g", 10**6),
    "rotation": _scaled("°/s", 1000),
    "moment": Quantity(parse_moment, show_moment, show_moment),
    "count": Quantity(parse_count, str, str, signed=True),
    "text": Quantity(parse_lines, _quoted, str),
    "word": Quantity(str, str, str),
    "address": Quantity(parse_address, lambda v: f"{int(v):#04x}", lambda v: f"{int(v):#04x}"),
    "bytes": Quantity(parse_bytes, str, str),
    "colour": Quantity(parse_colours, str, str),
    "picture": Quantity(parse_rows, _sized, str),
}
