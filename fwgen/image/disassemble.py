"""A listing for an image that came without one: code followed from where control enters.

Recursive descent from the vector table, the symbols of functions, and function pointers in
literals. What no path reaches is shown as data; what only a computed jump reaches, too.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from fwgen.board.types import Board
from fwgen.image.annotate import annotated
from fwgen.image.facts import Facts
from fwgen.image.flow import Step, next_steps, number
from fwgen.image.listing import Item, render

if TYPE_CHECKING:
    from fwgen.board.types import Chip
    from fwgen.image.types import Image, Listing


def disassemble(image: Image, target: Board | Chip) -> Listing:
    """The annotated listing of any image."""
    facts = Facts(target)
    found = _Found(image, facts)
    found.follow()
    title = f"{facts.title}: {image.flash_used} bytes of flash"
    steps = [found.steps[address] for address in sorted(found.steps)]
    items = annotated(found.items(), image, facts.chip, steps)
    return render(items, title, f"read back from {image.source}" if image.source else "")


@dataclass(slots=True)
class _Found:
    image: Image
    facts: Facts
    steps: dict[int, Step] = field(default_factory=dict)
    literals: set[int] = field(default_factory=set)
    labels: dict[int, str] = field(default_factory=dict)
    functions: set[int] = field(default_factory=set)
    vectors: int = 2
    _work: list[int] = field(default_factory=list)
    _starts: list[int] = field(default_factory=list)
    _data: dict[int, str] = field(default_factory=dict)

    def follow(self) -> None:
        base = self.image.base
        self.vectors = self._count_vectors()
        for symbol in self.image.symbols:
            if symbol.kind == "data":
                self._data.setdefault(symbol.address, symbol.name)
            if symbol.is_code:
                self.labels.setdefault(symbol.address, symbol.name)
                if symbol.kind == "code" and symbol.address >= base + 4 * self.vectors:
                    self._enter(symbol.address)
        for index in range(1, self.vectors):
            entry = self.image.word(base + 4 * index) or 0
            if entry & 1:
                self._enter(entry & ~1)
                name = self.facts.exception_name(index)
                self.labels.setdefault(entry & ~1, f"{name}_handler".replace(" ", "_"))
        while self._work:
            self._run(self._work.pop())

    def _count_vectors(self) -> int:
        """The table ends at the first word that is no handler, or at the first code."""
        base, limit = self.image.base, 16 + self.facts.chip.nvic_lines
        first_code, count = 1 << 32, 1
        while count < limit and base + 4 * count < first_code:
            entry = self.image.word(base + 4 * count)
            plausible = entry is not None and (
                entry == 0 or (entry & 1 and self.image.read(entry & ~1, 2) is not None)
            )
            if entry is None or not plausible:
                break
            if entry:
                first_code = min(first_code, entry & ~1)
            count += 1
        while count > 2 and self.image.word(base + 4 * (count - 1)) == 0:
            count -= 1
        return max(count, 2)

    def _enter(self, address: int) -> None:
        if address not in self.functions:
            self.functions.add(address)
            self._work.append(address)

    def _run(self, address: int) -> None:
        while address not in self.steps and address not in self.literals:
            steps = next_steps(self._ahead(address, 18), address)
            if not steps:
                return
            for step in steps:
                self.steps[step.address] = step
                self._look(step)
            if steps[-1].name in ("tbb", "tbh"):
                self._table_branch(steps[-1])
            if not steps[-1].falls_through:
                return
            address = steps[-1].end

    def _table_branch(self, step: Step) -> None:
        """Follow a compiler's switch: "cmp rN, #last; bhi other; tbb [pc, rN]"."""
        width = 1 if step.name == "tbb" else 2
        parts = [part.strip() for part in step.operands[0].strip("[]").split(",")]
        if parts[0] != "pc":
            return
        count = self._table_length(step, parts[1])
        for index in range(count):
            entry = self.image.read(step.end + index * width, width)
            if entry is None:
                return
            target = step.end + 2 * int.from_bytes(entry, "little")
            if target >= step.end + count * width and self.image.read(target, 2):
                self._work.append(target)
                self.labels.setdefault(target, f"L_{target:08x}")
        if count:
            self.labels.setdefault(step.end, f"T_{step.end:08x}")

    def _table_length(self, step: Step, index: str) -> int:
        for back in range(2, 14, 2):
            before = self.steps.get(step.address - back)
            if before and before.name == "cmp" and before.operands[0] == index:
                last = number(before.operands[1])
                return last + 1 if last is not None and 0 <= last < 1024 else 0
        return 0

    def _ahead(self, address: int, size: int) -> bytes:
        """Up to ``size`` bytes from ``address``, fewer where the segment ends."""
        for segment in self.image.segments:
            if segment.address <= address < segment.end:
                at = address - segment.address
                return segment.data[at : at + size]
        return b""

    def _look(self, step: Step) -> None:
        target = step.target
        if target is not None and self.image.read(target, 2) is not None:
            if step.is_call:
                self._enter(target)
                self.labels.setdefault(target, f"sub_{target:08x}")
            else:
                self._work.append(target)
                self.labels.setdefault(target, f"L_{target:08x}")
        literal = step.literal
        if literal is None or step.name != "ldr" or self.image.read(literal, 4) is None:
            return
        self.literals.add(literal)
        value = self.image.word(literal) or 0
        if value & 1 and self.image.read(value & ~1, 2) is not None and self._is_code(value & ~1):
            self._enter(value & ~1)
            self.labels.setdefault(value & ~1, f"sub_{value & ~1:08x}")

    def _is_code(self, address: int) -> bool:
        """Whether a literal that looks like a function pointer leads to plausible code."""
        table_end = self.image.base + 4 * self.vectors
        return address >= table_end and bool(next_steps(self._ahead(address, 4), address))

    def items(self) -> list[Item]:
        made: list[Item] = []
        named = {s.address for s in self.image.symbols} | self.literals | set(self.steps)
        self._starts = sorted(named)
        for segment in self.image.segments:
            at = segment.address
            while at < segment.end:
                item = self._item(at, segment.end)
                made.append(item)
                at += len(item.data)
        return made

    def _item(self, at: int, end: int) -> Item:
        base = self.image.base
        label = self.labels.get(at, "")
        whole, local = (label, "") if at in self.functions else ("", label)
        if at < base + 4 * self.vectors and at + 4 <= end:
            index = (at - base) // 4
            note = "initial SP" if index == 0 else self._vector_note(index)
            return Item(at, self._bytes(at, 4), "vector", note=note)
        step = self.steps.get(at)
        if step and step.end <= end:
            data = self._bytes(at, step.size)
            return Item(at, data, "code", asm=self._text(step), label=whole, local=local)
        if at in self.literals and at + 4 <= end:
            value = self.image.word(at) or 0
            return Item(at, self._bytes(at, 4), "data", asm=f".word   {value:#010x}")
        index = bisect_right(self._starts, at)
        stop = min(self._starts[index], end) if index < len(self._starts) else end
        return Item(at, self._bytes(at, stop - at), "data", label=self._data.get(at, ""))

    def _vector_note(self, index: int) -> str:
        entry = (self.image.word(self.image.base + 4 * index) or 0) & ~1
        if not entry:
            return f"{self.facts.exception_name(index)}: none"
        return f"{self.facts.exception_name(index)}: {self.labels.get(entry, f'{entry:#010x}')}"

    def _bytes(self, at: int, size: int) -> bytes:
        return self.image.read(at, size) or b""

    def _text(self, step: Step) -> str:
        if step.target is not None and step.target in self.labels:
            head = step.text.rsplit(" ", 1)[0]
            return f"{head} {self.labels[step.target]}"
        return step.text
