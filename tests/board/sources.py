"""Second sources of a chip, and how our register maps depart from them."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fwgen.board.registers import RegisterMap, RegisterSpec

FOLDER = Path(__file__).parent / "facts"

# Map -> (struct of the header, prefix of its fields, peripherals of the SVD with their offset).
Place = tuple[str, str, dict[str, int]]
# The header spells some registers otherwise.
NAMES = {
    "APB1FZ": "APB1_FZ",
    "APB2FZ": "APB2_FZ",
    "AFR0": "AFRL",
    "AFR1": "AFRH",
    **{f"EXTICR{n}": f"EXTICR{n + 1}" for n in range(4)},
}


@cache
def facts(name: str) -> dict[str, Any]:
    """What ``tools/extract_facts.py`` drew for a chip or a board."""
    found: dict[str, Any] = json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    return found


def departures(mapped: RegisterMap, chip: str, place: Place) -> set[str]:
    """All that a map says otherwise than the header and the SVD of a chip, by register."""
    found = facts(chip)
    return {*_from_header(mapped, found["header"], place), *_from_svd(mapped, found["svd"], place)}


def _from_header(mapped: RegisterMap, header: dict[str, Any], place: Place) -> Iterator[str]:
    struct, prefix, _ = place
    offsets: dict[str, int] = header["structs"][struct]
    for theirs, offset in offsets.items():
        ours = mapped.registers.get(NAMES.get(theirs, theirs))
        if ours is None or ours.offset != offset:
            yield f"header {theirs}"
    names = {offset: name for name, offset in offsets.items()}
    for register in mapped.registers.values():
        fields = _fields_of(register, header["fields"], prefix, names)
        if not fields:
            continue
        bits = 0
        for name, (lsb, width) in fields.items():
            bits |= ((1 << width) - 1) << lsb
            mine = register.fields.get(name)
            if mine is not None and (mine.lsb, mine.width) != (lsb, width):
                yield f"header {register.name}.{name}"
        if bits != register.defined:
            yield f"header {register.name} bits"


def _fields_of(
    register: RegisterSpec, fields: dict[str, Any], prefix: str, names: dict[int, str]
) -> dict[str, list[int]]:
    for candidate in (register.name, names.get(register.offset)):
        if found := fields.get(f"{prefix}.{candidate}"):
            return dict(found)
    return {}


def _from_svd(mapped: RegisterMap, svd: dict[str, Any], place: Place) -> Iterator[str]:
    ours = {r.offset: r for r in mapped.registers.values()}
    for peripheral, base in place[2].items():
        for theirs, (offset, reset, fields) in svd[peripheral].items():
            register = ours.get(base + offset)
            if register is None:
                yield f"svd {theirs}"
                continue
            if register.reset != reset:
                yield f"svd {register.name} reset"
            for name, bits in fields.items():
                mine = register.fields.get(name)
                if mine is not None and [mine.lsb, mine.width] != bits:
                    yield f"svd {register.name}.{name}"
