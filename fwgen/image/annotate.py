"""Putting notes on a listing's items: what the code around each instruction shows it touches."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from fwgen.image.flow import steps_of
from fwgen.image.touches import touches

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from fwgen.board.types import Chip
    from fwgen.image.flow import Step
    from fwgen.image.listing import Item
    from fwgen.image.types import Image


def annotated(
    items: Iterable[Item], image: Image, chip: Chip, steps: Sequence[Step] | None = None
) -> list[Item]:
    """The items with a note on each instruction whose registers or constants are known.

    ``steps`` are the items' instructions where they are decoded already.
    """
    items = list(items)
    steps = _steps(items) if steps is None else steps
    calls = {step.target for step in steps if step.is_call and step.target is not None}
    vectors = {int.from_bytes(item.data, "little") & ~1 for item in items if item.kind == "vector"}
    # Marks such as _edata have no size; what has one is the better name for an address, unless it
    # is the compiler's own (.L).
    by_size = sorted(image.symbols, key=lambda s: (s.size > 0 and s.name[:2] != ".L", s.size))
    named = {symbol.address | symbol.is_code: symbol.name for symbol in by_size}
    notes = touches(steps, chip, image.word, named, calls | vectors)
    return [
        replace(item, note=notes[item.address])
        if item.kind == "code" and not item.note and item.address in notes
        else item
        for item in items
    ]


def _steps(items: Iterable[Item]) -> list[Step]:
    """The code items as instructions, decoded in runs so that IT blocks stay whole."""
    runs: list[tuple[int, bytearray]] = []
    for item in items:
        if item.kind != "code":
            continue
        if not runs or runs[-1][0] + len(runs[-1][1]) != item.address:
            runs.append((item.address, bytearray()))
        runs[-1][1].extend(item.data)
    return [step for address, code in runs for step in steps_of(bytes(code), address)]
