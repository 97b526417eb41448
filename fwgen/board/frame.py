"""How a character is framed on a serial line: "8N1", as terminals write it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fwgen.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

PARITIES = {"N": "none", "E": "even", "O": "odd", "M": "mark", "S": "space"}
_WRITTEN = re.compile(r"([5-8])([NEOMS])(1|1\.5|2)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Frame:
    """Data ``bits``, ``parity`` (N, E, O, M, S: none, even, odd, mark, space), ``stop_halves``.

    ``stop_halves`` counts half bits: 2 is one stop bit, 3 one and a half, 4 two.
    """

    bits: int = 8
    parity: str = "N"
    stop_halves: int = 2

    @property
    def halves(self) -> int:
        """Its length from the start edge to the end of the stop bit, in half bits."""
        return 2 * (1 + self.bits + (self.parity != "N")) + self.stop_halves

    def levels(self, byte: int) -> list[int]:
        """The levels between start and stop: data, least significant bit first, and parity."""
        data = [byte >> n & 1 for n in range(self.bits)]
        return data if self.parity == "N" else [*data, parity_bit(self.parity, data)]

    def __str__(self) -> str:
        return f"{self.bits}{self.parity}{self.stop_halves / 2:g}"


PLAIN = Frame()


def parity_bit(parity: str, data: Sequence[int]) -> int:
    """The parity bit of data bits, by "E", "O", "M" (always 1) or "S" (always 0)."""
    match parity:
        case "E":
            return sum(data) & 1
        case "O":
            return sum(data) & 1 ^ 1
        case _:
            return int(parity == "M")


def parse_frame(text: str, option: str = "--format") -> Frame:
    """A frame from "8N1", "7e1", "8N1.5" ... Raises InputError."""
    match = _WRITTEN.fullmatch(text.strip())
    if match is None:
        raise InputError(
            f"{option} {text!r} is no format of a serial line",
            hint="data bits 5 to 8, parity N, E, O, M or S, stop bits 1, 1.5 or 2: 8N1",
        )
    bits, parity, stop_bits = match.groups()
    return Frame(int(bits), parity.upper(), int(2 * float(stop_bits)))
