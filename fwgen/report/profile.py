"""Where a firmware spends its cycles, and how deep its stack goes."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich.text import Text

from fwgen.report.console import section
from fwgen.report.layout import Columns

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rich.console import Console

    from fwgen.board.types import Board
    from fwgen.image.types import Image, Listing

MOST_UNITS, MOST_LINES = 12, 12
ELSEWHERE = "no symbol"


@dataclass(frozen=True, slots=True)
class Spent:
    """Cycles of one unit or one line, and what share of all they are."""

    what: str
    cycles: int
    ppm: int


def by_unit(cycles: Mapping[int, int], image: Image) -> tuple[Spent, ...]:
    """Cycles by the unit (symbol) at or before an instruction, the most first."""
    units = sorted((s for s in image.symbols if s.kind == "code"), key=lambda s: s.address & ~1)
    starts = [s.address & ~1 for s in units]
    found: Counter[str] = Counter()
    for address, spent in cycles.items():
        n = bisect_right(starts, address) - 1
        found[units[n].name if n >= 0 else ELSEWHERE] += spent
    return _shares(found)


def by_line(cycles: Mapping[int, int], listing: Listing) -> tuple[Spent, ...]:
    """Cycles by line of the listing, the most first."""
    found: Counter[str] = Counter()
    for address, spent in cycles.items():
        line = listing.line_for(address)
        text = line.text.rstrip() if line is not None else f"{address:08x}"
        found[text] += spent
    return _shares(found)


def _shares(found: Counter[str]) -> tuple[Spent, ...]:
    total = sum(found.values()) or 1
    return tuple(Spent(what, n, n * 1_000_000 // total) for what, n in found.most_common() if n)


def show_profile(console: Console, cycles: Mapping[int, int], image: Image, board: Board) -> None:
    """The hot units, then the hot lines."""
    from fwgen.image.disassemble import disassemble

    total = sum(cycles.values())
    if not total:
        console.print(section("cycles", "the core never was awake"))
        return
    listing = image.listing if image.listing.lines else disassemble(image, board)
    console.print(section("cycles", f"{total} awake; by unit, then by line"))
    units, lines = by_unit(cycles, image), by_line(cycles, listing)
    for spent, most in ((units, MOST_UNITS), (lines, MOST_LINES)):
        console.print(Columns(("cycles", "share", ""), _rows(spent[:most])))
        if len(spent) > most:
            rest = sum(one.cycles for one in spent[most:])
            console.print(section("", f"… and {rest} more in {len(spent) - most} others"))


def _rows(spent: Sequence[Spent]) -> list[tuple[str, str, str]]:
    return [(str(one.cycles), f"{one.ppm / 10_000:.2f} %", one.what) for one in spent]


def show_stack(console: Console, lowest: int | None, image: Image) -> None:
    """The deepest use of the main stack."""
    top = image.initial_sp
    if lowest is None:
        said = f"nothing was ever written below {top:#010x}"
    else:
        said = f"written to {top - lowest} bytes deep, from {top:#010x} down to {lowest:#010x}"
        if image.stack_reserve:
            said += f"; {image.stack_reserve} were reserved"
    console.print(section("stack", Text(said)))
