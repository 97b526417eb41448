"""One TOML table being read: typed keys, findings by place, nothing left unasked."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from fwgen.errors import BoardError, UnitError, did_you_mean
from fwgen.units import parse_duration, parse_frequency, parse_resistance, parse_voltage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

T = TypeVar("T")

_SMALL = re.compile(r"[0-9]{1,4}")


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing wrong with a board or chip file, and where: "boards/x.toml: parts.LD2.pin"."""

    where: str
    message: str
    hint: str | None = None

    def error(self) -> BoardError:
        """The finding as an error."""
        return BoardError(self.message, where=self.where, hint=self.hint)


class _Missing:
    """Marks a key that must be there."""


_MISSING = _Missing()


class Table:
    """One TOML table being read: each key is taken once; what is left over is unknown."""

    __slots__ = ("_is_table", "_known", "_left", "findings", "where")

    def __init__(self, data: object, where: str, findings: list[Finding]) -> None:
        self.where = where
        self.findings = findings
        self._known: list[str] = []
        self._left: dict[str, object] = dict(data) if isinstance(data, dict) else {}
        self._is_table = isinstance(data, dict)
        if not self._is_table:
            self.complain("", "should be a table")

    def at(self, key: str) -> str:
        """The place of a key, as the user knows it."""
        if not key:
            return self.where
        return f"{self.where}.{key}" if ": " in self.where else f"{self.where}: {key}"

    def complain(self, key: str, message: str, hint: str | None = None) -> None:
        """Add a finding at a key."""
        self.findings.append(Finding(self.at(key), message, hint))

    def raw(self, key: str, default: object = _MISSING) -> object:
        """The value of a key as TOML gave it."""
        self._known.append(key)
        if key in self._left:
            return self._left.pop(key)
        if default is _MISSING and self._is_table:
            self.complain(key, "is missing")
        return default

    def peek(self, key: str) -> object:
        """The value of a key, not taken; None when absent."""
        return self._left.get(key)

    def take(self, key: str, kind: type[T], default: T | _Missing = _MISSING) -> T | None:
        """The value of a key if it is of that type; None after a complaint."""
        value = self.raw(key, default)
        if value is _MISSING or value is None:
            return None
        # bool is an int in Python; a board file that says `baud = true` is wrong all the same.
        if isinstance(value, kind) and (kind is bool or not isinstance(value, bool)):
            return value
        self.complain(key, f"{value!r} should be {_TYPE_NAMES[kind]}")
        return None

    def text(self, key: str, default: str | _Missing = _MISSING) -> str:
        """A text, "" after a complaint."""
        return self.take(key, str, default) or ""

    def number(
        self, key: str, default: int | _Missing = _MISSING, *, low: int = 0, high: int = 2**32
    ) -> int:
        """A whole number from ``low`` to ``high``, ``low`` after a complaint."""
        value = self.take(key, int, default)
        if value is None:
            return low
        if not low <= value <= high:
            self.complain(key, f"{value} is not from {low} to {high}")
            return low
        return value

    def one_of(self, key: str, choices: Iterable[str]) -> str:
        """One of a few texts, "" after a complaint."""
        value, known = self.take(key, str), list(choices)
        if value is not None and value not in known:
            self.complain(key, f"{value!r} is unknown", suggest(value, known))
        return value if value in known else ""

    def texts(self, key: str, default: list[object] | _Missing = _MISSING) -> tuple[str, ...]:
        """A list of texts, empty after a complaint."""
        value = self.take(key, list, default) or []
        if not all(isinstance(item, str) for item in value):
            self.complain(key, "should be a list of texts")
            return ()
        return tuple(value)

    def read(self, key: str, read: Callable[[Table, str, object], int]) -> int:
        """A value that ``read`` turns into a number; 0 after a complaint."""
        value = self.raw(key)
        return 0 if value is _MISSING else read(self, key, value)

    def pair(self, key: str, read: Callable[[Table, str, object], int]) -> tuple[int, int]:
        """A range, lowest first; each end read by ``read``."""
        value = self.take(key, list)
        if value is None:
            return (0, 0)
        if len(value) != 2:
            self.complain(key, "should be a range: [lowest, highest]")
            return (0, 0)
        low, high = (read(self, key, end) for end in value)
        if low > high:
            self.complain(key, f"{value[0]!r} is above {value[1]!r}", "the lowest comes first")
        return (low, high)

    def names(self) -> list[str]:
        """Every remaining key."""
        return list(self._left)

    def table(self, key: str, default: object = _MISSING) -> Table:
        """A table within this one."""
        value = self.raw(key, default)
        return Table({} if value is _MISSING else value, self.at(key), self.findings)

    def tables(self) -> Iterable[tuple[str, Table]]:
        """Every remaining key as a table."""
        for key, value in self._left.items():
            yield key, Table(value, self.at(key), self.findings)
        self._left = {}

    def items(self) -> Iterable[tuple[str, object]]:
        """Every remaining key with its raw value."""
        left, self._left = self._left, {}
        return left.items()

    def close(self) -> None:
        """Complain about every key that nobody asked for."""
        for key in self._left:
            self.complain(key, f"unknown key {key!r}", suggest(key, self._known))


_TYPE_NAMES = {str: "a text", int: "a whole number", bool: "true or false", list: "a list"}


def suggest(word: str, known: Iterable[str]) -> str | None:
    """A hint: the closest known words, or all of them when they are few."""
    pool = list(known)
    if close := did_you_mean(word, pool):
        return close
    return f"known: {', '.join(pool)}" if 0 < len(pool) <= 12 else None


def index_of(text: str, limit: int) -> int | None:
    """The number that a key spells, if it is below ``limit``."""
    number = int(text) if _SMALL.fullmatch(text) else limit
    return number if number < limit else None


def _quantity(parse: Callable[[str], int], table: Table, key: str, value: object) -> int:
    """A text with a unit, parsed; 0 after a complaint."""
    if isinstance(value, str):
        try:
            return parse(value)
        except UnitError as error:
            table.complain(key, error.message, error.hint)
            return 0
    table.complain(key, f"{value!r} needs a unit", 'for example "8 MHz", "3.3 V", "2 ms"')
    return 0


def hertz(table: Table, key: str, value: object) -> int:
    """A frequency in whole hertz."""
    millihertz = _quantity(parse_frequency, table, key, value)
    if millihertz < 0 or millihertz % 1000:
        table.complain(key, f"{value!r} is not a whole number of hertz")
    return max(millihertz // 1000, 0)


def microvolts(table: Table, key: str, value: object) -> int:
    """A voltage in microvolts."""
    return _quantity(parse_voltage, table, key, value)


def ohms(table: Table, key: str, value: object) -> int:
    """A resistance in ohms."""
    return _quantity(parse_resistance, table, key, value)


def picoseconds(table: Table, key: str, value: object) -> int:
    """A duration in picoseconds."""
    return _quantity(parse_duration, table, key, value)


def plain(table: Table, key: str, value: object) -> int:
    """A number without unit."""
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    table.complain(key, f"{value!r} should be a whole number")
    return 0
