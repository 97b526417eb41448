"""The tables of a contract's TOML, asked key by key; what nobody asked for is refused."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, TypeVar

from fwgen.errors import ContractError, UnitError, did_you_mean
from fwgen.units import parse_duration

if TYPE_CHECKING:
    from collections.abc import Callable

_N = TypeVar("_N", int, int | str)

_LONGEST = 60  # characters of a quantity: "1e999999999 s" is refused before it is computed
_EXPONENT = re.compile(r"[0-9.][eE][+-]?[0-9]{2}")


class Table:
    """A TOML table that knows its place and which of its keys were asked for.

    Every question raises ContractError, with the key's place, for a value of the wrong kind.
    """

    def __init__(self, data: object, where: str, joint: str = ".") -> None:
        if not isinstance(data, dict):
            raise ContractError("expected a table", where=where)
        self.data: dict[str, object] = data
        self.where = where
        self.joint = joint  # between the place of the table and a key in it
        self.asked: set[str] = set()

    def __contains__(self, key: str) -> bool:
        """Whether a key is there; it counts as asked for."""
        self.asked.add(key)
        return key in self.data

    def place(self, key: str) -> str:
        """Where a key stands, for an error."""
        return f"{self.where}{self.joint}{key}"

    def wrong(self, key: str, message: str, hint: str | None = None) -> ContractError:
        """The error that says what is wrong with a key."""
        return ContractError(message, where=self.place(key), hint=hint)

    def get(self, key: str) -> object:
        """A value as it stands; None where there is none."""
        self.asked.add(key)
        return self.data.get(key)

    def text(self, key: str, default: str | None = None) -> str:
        """A text; ``default`` where it may be left out."""
        value = self.get(key)
        if value is None and default is not None:
            return default
        if value is None:
            raise ContractError(f"{key!r} is missing", where=self.where)
        if not isinstance(value, str):
            raise self.wrong(key, f"expected text, not {value!r}")
        return value

    def flag(self, key: str, *, default: bool) -> bool:
        """A truth value."""
        value = self.get(key)
        if value is None:
            return default
        if not isinstance(value, bool):
            raise self.wrong(key, f"expected true or false, not {value!r}")
        return value

    def whole(self, key: str) -> int | None:
        """A whole number, or None."""
        value = self.get(key)
        if value is None:
            return None
        if not isinstance(value, int) or isinstance(value, bool):
            raise self.wrong(key, f"expected a whole number, not {value!r}")
        return value

    def count(self, key: str) -> int | None:
        """A whole number that is not negative, or None."""
        value = self.whole(key)
        if value is not None and value < 0:
            raise self.wrong(key, f"{value} is less than none")
        return value

    def names(self, key: str) -> tuple[str, ...]:
        """A name, or several."""
        value = self.get(key)
        if isinstance(value, str):
            value = [value]
        if not isinstance(value, list) or not all(isinstance(name, str) for name in value):
            raise self.wrong(key, "expected names", hint='such as ["LD2", "PA6"]')
        return tuple(value)

    def quantity(self, key: str, parse: Callable[[str], _N]) -> _N | None:
        """A quantity by its parser, or None."""
        value = self.get(key)
        if value is None:
            return None
        return self.parsed(key, value, parse)

    def parsed(
        self, key: str, value: object, parse: Callable[[str], _N], *, signed: bool = False
    ) -> _N:
        """A text as a quantity, which is not negative unless ``signed``."""
        if not isinstance(value, str):
            raise self.wrong(
                key, f"{value!r} has no unit", hint='write a quantity as text, such as "250 ms"'
            )
        if len(value) > _LONGEST or _EXPONENT.search(value):
            raise self.wrong(key, f"{value[:_LONGEST]!r} is not a quantity as people write it")
        try:
            made = parse(value)
        except UnitError as error:
            raise self.wrong(key, error.message, error.hint) from None
        if isinstance(made, int) and made < 0 and not signed:
            raise self.wrong(key, f"{value!r} is negative")
        return made

    def duration(self, key: str) -> int | None:
        """A time in picoseconds, or None."""
        return self.quantity(key, parse_duration)

    def close(self) -> None:
        """Refuse the keys that nobody asked for."""
        for key in self.data:
            if key not in self.asked:
                raise ContractError(
                    f"unknown key {key!r}",
                    where=self.where,
                    hint=did_you_mean(key, self.asked)
                    or f"known here: {', '.join(sorted(self.asked))}",
                )
