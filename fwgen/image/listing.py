"""The annotated listing: what each byte is, what it touches, and why it is there.

    08000008  4809       ldr r0, k_rcc            ; = 0x40023830 RCC.AHB1ENR
    0800000a  6801       ldr r1, [r0, #0]         ; RCC.AHB1ENR
    0800000e  6001       str r1, [r0, #0]         ; RCC.AHB1ENR GPIOAEN=1 -- clock of port A

Instructions are printed as the manual prints them (halfwords, most significant nibble first),
words as numbers, other data as bytes in memory order.
"""

from __future__ import annotations

import textwrap
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from fwgen.image.types import Listing, ListingLine
from fwgen.thumb.belief import manual

if TYPE_CHECKING:
    from collections.abc import Iterable

_WIDTH = 100
_ROW = 8  # bytes of data on a line
ItemKind = Literal["vector", "code", "data", "zero", "alias"]


@dataclass(frozen=True, slots=True)
class Item:
    """One thing at one address, before it is a line: an instruction, a word, some bytes.

    "zero" is RAM (``size`` bytes, none of them in the image); "alias" is only a further label.
    """

    address: int
    data: bytes
    kind: ItemKind
    asm: str = ""
    note: str = ""
    comment: str = ""
    purpose: str = ""
    label: str = ""  # of a unit
    local: str = ""  # within one
    size: int = 0

    def labelled(self, name: str, *, local: bool = False) -> Item:
        """The same item under a label."""
        return replace(self, local=name) if local else replace(self, label=name)


def render(items: Iterable[Item], title: str, plan: str = "") -> Listing:
    """The listing of ``items`` in the order given, under a head of ``title`` and ``plan``."""
    page = _Page()
    page.text(f"; {title}")
    for paragraph in plan.splitlines():
        page.prose(paragraph)
    before = None
    for item in items:
        page.item(item, before)
        before = item
    return Listing(tuple(page.lines))


class _Page:
    def __init__(self) -> None:
        self.lines: list[ListingLine] = []

    def text(self, text: str) -> None:
        self.lines.append(ListingLine(len(self.lines) + 1, _shown(text)))

    def prose(self, text: str) -> None:
        """A comment of its own, in rows: a line break in it must not break the listing."""
        words = " ".join(text.split())
        for row in textwrap.wrap(words, _WIDTH - 2, break_long_words=False):
            self.text(f"; {row}")

    def item(self, item: Item, before: Item | None) -> None:
        self._heading(item, before)
        if item.kind == "alias":
            return
        if item.kind == "zero":
            self._line(item, "", f".zero   {item.size}", item.size)
        elif item.kind == "code":
            self._line(item, manual(item.data), item.asm, len(item.data))
        elif len(item.data) == 4 and (item.asm or item.kind == "vector"):
            value = int.from_bytes(item.data, "little")
            self._line(item, f"{value:08x}", item.asm or f".word   {value:#010x}", 4)
        else:
            self._rows(item)

    def _heading(self, item: Item, before: Item | None) -> None:
        if item.kind == "vector" and (before is None or before.kind != "vector"):
            self.text("")
            self.text("; vector table")
        if item.kind == "zero" and (before is None or before.kind != "zero"):
            self.text("")
            self.text("; RAM")
        if item.label:
            in_a_row = before is not None and {before.kind, item.kind} <= {"data", "alias"}
            if item.purpose or (not in_a_row and item.kind != "zero"):
                self.text("")
            if item.purpose:
                self.prose(item.purpose)
            same = f"  ; same as {item.address:08x}" if item.kind == "alias" else ""
            self.text(f"{item.label}:{same}")
        elif item.kind == "data" and before is not None and before.kind == "code":
            self.text("")
        if item.local:
            self.text(f"{item.local}:")

    def _line(self, item: Item, shown: str, asm: str, size: int) -> None:
        remarks = " -- ".join(part for part in (item.note, item.comment) if part)
        asm = asm.replace("\t", " ")
        text = f"{item.address:08x}  {shown:<9}  {asm}"
        if remarks:
            text = f"{text:<46}  ; {' '.join(remarks.split())}"
        kind = "data" if item.kind == "alias" else item.kind
        self.lines.append(
            ListingLine(
                len(self.lines) + 1,
                _shown(text),
                kind,
                item.address,
                size,
                asm,
                item.note,
                item.comment,
            )
        )

    def _rows(self, item: Item) -> None:
        for at in range(0, len(item.data), _ROW):
            row = item.data[at : at + _ROW]
            shown = "".join(chr(b) if 0x20 <= b < 0x7F else "." for b in row)
            part = replace(
                item,
                address=item.address + at,
                data=row,
                note=item.note if at == 0 else "",
                comment=item.comment if at == 0 else "",
            )
            self._line(part, "", f".byte   {row.hex(' '):<24}{shown}", len(row))


def _shown(text: str) -> str:
    """Text from outside as one line that does nothing to a terminal, and that UTF-8 can hold."""
    return "".join(char if char.isprintable() else "?" for char in text).rstrip()
