"""Linking: an emission gets its addresses, its offsets and its numbers.

What a linker does to machine code and no more: place units, fill relocations, compute constant
expressions, write the vector table. On the way every claim of the emission is checked, and all
that is wrong is reported at once.

    flash   vector table | units in the order given, constants that are alike stored once
    RAM     zero units from the base upward            ...            stack, from the top down

**The vector table is only as long as it must be.** A firmware without interrupts has two words:
initial SP and Reset. A fault would then take its handler's address from whatever stands where
the entry would be, which ends in a lockup or worse; ``trap_faults=True`` gives every fault and
NMI an endless loop to stop in (at most 22 bytes more). Unused entries below the last one used go
to the same 2-byte loop, `b .`, or to the emission's own code where it has a label
``default_handler``; reserved entries are zero. Source: Arm ARM DDI0403 B1.5.3.
"""

from __future__ import annotations

import itertools
import re
from bisect import bisect_right
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from fwgen.errors import EmissionError, did_you_mean
from fwgen.image import expression
from fwgen.image.annotate import annotated
from fwgen.image.emission import CodeLine, WordLine
from fwgen.image.facts import SYSTEM_EXCEPTIONS, Facts
from fwgen.image.flow import steps_of
from fwgen.image.listing import Item, render
from fwgen.image.problems import Problem, ProblemKind, UnsoundEmissionError
from fwgen.image.types import Image, Segment, Symbol, SymbolKind
from fwgen.image.wire import ABSOLUTE
from fwgen.thumb import disagreements, isa, relocate

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fwgen.board.types import Board, Chip
    from fwgen.image.emission import Emission, Relocation, Unit

DEFAULT_HANDLER = "default_handler"
STACK_RESERVE = 256  # bytes: two nested exception frames with floating point, and some calls

_LOOP_FOREVER = b"\xfe\xe7"  # b .
_NOP = b"\x00\xbf"
_RESERVED = frozenset({7, 8, 9, 10, 13})
_LAST_FAULT = SYSTEM_EXCEPTIONS["UsageFault"]
_OWN_ALIGN = {"code": 2, "words": 4, "bytes": 1, "zero": 4}
_MOST_ALIGN = 4096
_KIND: dict[str, SymbolKind] = {"code": "code", "words": "data", "bytes": "data", "zero": "zero"}
_BRANCHES = frozenset(
    {"THM_CALL", "THM_JUMP24", "THM_JUMP19", "THM_JUMP11", "THM_JUMP8", "THM_JUMP6"}
)


def link(
    emission: Emission,
    target: Board | Chip,
    symbols: Mapping[str, int] | None = None,
    *,
    trap_faults: bool = False,
    stack_reserve: int = STACK_RESERVE,
) -> Image:
    """Place and fill an emission.

    ``symbols`` are further names for expressions, and take the place of the board's own facts
    (``CLK`` when the firmware changes its clock). ``stack_reserve`` bytes of RAM are kept free.

    Raises UnsoundEmissionError with every problem found.
    """
    return _Link(emission, Facts(target), dict(symbols or {}), stack_reserve).run(trap_faults)


@dataclass(slots=True)
class _Place:
    """Where a label is."""

    address: int
    kind: SymbolKind
    size: int
    unit: str


@dataclass(slots=True)
class _Placed:
    """A unit and where it went; ``shared`` names the unit whose place it took over."""

    unit: Unit
    address: int
    size: int
    shared: str | None = None


@dataclass(slots=True)
class _Link:
    emission: Emission
    facts: Facts
    symbols: dict[str, int]
    stack_reserve: int
    problems: list[Problem] = field(default_factory=list)
    places: dict[str, _Place] = field(default_factory=dict)
    placed: list[_Placed] = field(default_factory=list)
    items: list[Item] = field(default_factory=list)
    labels: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        for unit in self.emission.units:
            inner = (line.label for line in unit.lines if isinstance(line, CodeLine) and line.label)
            self.labels |= {unit.label, *inner}

    def run(self, trap_faults: bool) -> Image:
        chip = self.facts.chip
        vectors = self._read_vectors()
        count = max([_LAST_FAULT if trap_faults else 1, *vectors]) + 1
        gaps = [n for n in range(2, count) if n not in vectors and n not in _RESERVED]
        flash_end, ram_end = self._place(chip.flash.base + 4 * count, chip.ram.base)
        theirs = self.places.get(DEFAULT_HANDLER)
        handler = own = None
        if gaps and theirs:
            handler = theirs.address
        elif gaps:
            handler = own = flash_end + flash_end % 2
            flash_end = own + len(_LOOP_FOREVER)
            self._name(DEFAULT_HANDLER, _Place(own, "code", len(_LOOP_FOREVER), ""))
        self._check_sizes(flash_end, ram_end)

        data = bytearray(flash_end - chip.flash.base)
        self._write_table(data, count, vectors, handler)
        self._write_units(data)
        if own is not None:
            data[own - chip.flash.base :] = _LOOP_FOREVER
            purpose = "where every unused vector below the last one used leads"
            item = Item(own, _LOOP_FOREVER, "code", asm="b .", purpose=purpose)
            self.items.append(item.labelled(DEFAULT_HANDLER))
        self._check_falls()
        if self.problems:
            raise UnsoundEmissionError(tuple(self.problems))
        return self._image(bytes(data), ram_end - chip.ram.base)

    def _problem(
        self,
        kind: ProblemKind,
        message: str,
        unit: str = "",
        offset: int | None = None,
        line: int | None = None,
        hint: str | None = None,
    ) -> None:
        self.problems.append(Problem(kind, message, unit, offset, line, hint))

    # --- the vector table ---

    def _read_vectors(self) -> dict[int, str]:
        found: dict[int, str] = {}
        for name, label in self.emission.vectors:
            number = self.facts.vector(name)
            if number is None or number == 0:
                hint = did_you_mean(name, self.facts.vector_names())
                message = (
                    "vector 0 is the initial stack pointer, which the linker sets"
                    if number == 0 or name == "0"
                    else f"the chip has no exception or interrupt {name!r}"
                )
                self._problem("vector", message, hint=hint)
            elif number in found:
                known = self.facts.exception_name(number)
                self._problem("vector", f"{known} has two handlers: {found[number]} and {label}")
            else:
                found[number] = label
        if 1 not in found:
            self._problem("vector", "there is no Reset vector", hint='add "Reset=<label>"')
        return found

    def _write_table(
        self, data: bytearray, count: int, vectors: dict[int, str], handler: int | None
    ) -> None:
        chip = self.facts.chip
        stack_top = chip.ram.base + chip.ram.size
        for number in range(count):
            label = vectors.get(number)
            if number == 0:
                value, note = stack_top, "initial SP: top of RAM"
            elif label is not None:
                value = self._handler(number, label)
                note = f"{self.facts.exception_name(number)}: {label}"
            elif number in _RESERVED or handler is None:
                value, note = 0, "reserved"
            else:
                value = handler | 1
                note = f"{self.facts.exception_name(number)}: {DEFAULT_HANDLER}"
            word = value.to_bytes(4, "little")
            data[4 * number : 4 * number + 4] = word
            self.items.append(Item(chip.flash.base + 4 * number, word, "vector", note=note))

    def _handler(self, number: int, label: str) -> int:
        name = self.facts.exception_name(number)
        place = self.places.get(label)
        if place is None:
            hint = did_you_mean(label, self.places)
            self._problem("vector", f"{name}: nothing is called {label!r}", hint=hint)
            return 0
        if place.kind not in ("code", "label"):
            self._problem("vector", f"{name}: {label} is {_SAID[place.kind]}, not code")
        return place.address | 1

    # --- placing ---

    def _place(self, flash: int, ram: int) -> tuple[int, int]:
        constants: dict[object, _Placed] = {}  # of the pool that is being placed
        for unit in self.emission.units:
            align, size = self._shape(unit)
            if unit.kind != "words":
                constants.clear()
            key = self._constant(unit)
            same = constants.get(key) if key is not None else None
            if same:
                placed = _Placed(unit, same.address, size, shared=same.unit.label)
            elif unit.kind == "zero":
                placed = _Placed(unit, ram + -ram % align, size)
                ram = placed.address + size
            else:
                placed = _Placed(unit, flash + -flash % align, size)
                flash = placed.address + size
            if key is not None:
                constants.setdefault(key, placed)
            self.placed.append(placed)
            self._name(unit.label, _Place(placed.address, _KIND[unit.kind], size, unit.label))
            self._name_lines(placed)
        return flash, ram

    def _shape(self, unit: Unit) -> tuple[int, int]:
        align = unit.align or _OWN_ALIGN[unit.kind]
        least = _OWN_ALIGN[unit.kind] if unit.kind != "zero" else 1
        if align & (align - 1) or not least <= align <= _MOST_ALIGN:
            hint = f"a power of two from {least} to {_MOST_ALIGN}"
            self._problem("format", f"cannot align to {align}", unit.label, hint=hint)
            align = _OWN_ALIGN[unit.kind]
        wanted = {"code": CodeLine, "words": WordLine}.get(unit.kind)
        for number, line in enumerate(unit.lines, 1):
            if wanted is None or not isinstance(line, wanted):
                message = f"does not belong in a {unit.kind} unit"
                self._problem("format", message, unit.label, line=number)
        size = {
            "code": sum(len(line.code) for line in unit.lines if isinstance(line, CodeLine)),
            "words": 4 * len(unit.lines),
            "bytes": len(unit.data),
            "zero": unit.size,
        }[unit.kind]
        if size <= 0:
            self._problem("format", f"a {unit.kind} unit of {size} bytes", unit.label)
        return align, max(size, 0)

    def _constant(self, unit: Unit) -> object:
        """What makes a one-word unit the same as another, or None when it is not one."""
        if unit.kind != "words" or len(unit.lines) != 1 or unit.align > 4:
            return None
        line = unit.lines[0]
        if not isinstance(line, WordLine):
            return None
        try:
            return expression.evaluate(line.expression, self._constant_name) & 0xFFFFFFFF
        except expression.ExpressionError:
            return line.expression.replace(" ", "")

    def _constant_name(self, name: str) -> int | None:
        """Names whose value does not hang on where things are placed."""
        return None if name in self.labels else self.symbols.get(name, self.facts.get(name))

    def _name_lines(self, placed: _Placed) -> None:
        offset = 0
        for number, line in enumerate(placed.unit.lines, 1):
            if not isinstance(line, CodeLine):
                continue
            if line.label:
                place = _Place(placed.address + offset, "label", 0, placed.unit.label)
                self._name(line.label, place, offset, number)
            offset += len(line.code)

    def _name(
        self, label: str, place: _Place, offset: int | None = None, line: int | None = None
    ) -> None:
        before = self.places.get(label)
        if not expression.is_name(label):
            hint = "letters, digits, _ and ., not starting with a digit"
            self._problem("format", f"{label!r} is not a label", place.unit, offset, line, hint)
        elif before:
            where = f"unit {before.unit}" if before.unit != label else "another unit"
            message = f"{label!r} is already the name of a place in {where}"
            self._problem("duplicate", message, place.unit, offset, line)
        elif label in self.symbols or self.facts.is_fixed(label):
            message = f"{label!r} already names something on the chip or board"
            self._problem("duplicate", message, place.unit, offset, line, "choose another label")
        else:
            self.places[label] = place

    def _check_sizes(self, flash_end: int, ram_end: int) -> None:
        chip = self.facts.chip
        over = flash_end - chip.flash.base - chip.flash.size
        if over > 0:
            message = f"{over} bytes too many for the {chip.flash.size} bytes of flash"
            self._problem("size", message, self._crossing(chip.flash.base + chip.flash.size))
        used = ram_end - chip.ram.base
        over = used + self.stack_reserve - chip.ram.size
        if over > 0:
            self._problem(
                "size",
                f"{used} bytes of RAM and {self.stack_reserve} of stack are {over} more "
                f"than the {chip.ram.size} of the chip",
                self._crossing(chip.ram.base + chip.ram.size - self.stack_reserve),
            )

    def _crossing(self, limit: int) -> str:
        return next(
            (p.unit.label for p in self.placed if p.address <= limit < p.address + p.size), ""
        )

    # --- filling ---

    def _write_units(self, data: bytearray) -> None:
        base = self.facts.chip.flash.base
        before: _Placed | None = None
        for placed in self.placed:
            unit = placed.unit
            if unit.kind == "zero":
                item = Item(placed.address, b"", "zero", purpose=unit.purpose, size=placed.size)
                self.items.append(item.labelled(unit.label))
                continue
            if placed.shared:
                self.items.append(Item(placed.address, b"", "alias").labelled(unit.label))
                continue
            start = placed.address - base
            if before and before.unit.kind == "code" and unit.kind == "code":
                gap = range(before.address + before.size - base, start, 2)
                for at in gap:
                    data[at : at + 2] = _NOP
                    self.items.append(Item(base + at, _NOP, "code", asm="nop", comment="padding"))
            before = placed
            if unit.kind == "code":
                filled = self._code(placed)
            elif unit.kind == "words":
                filled = self._words(placed)
            else:
                filled = unit.data
                item = Item(placed.address, filled, "data", purpose=unit.purpose)
                self.items.append(item.labelled(unit.label))
            data[start : start + len(filled)] = filled

    def _words(self, placed: _Placed) -> bytes:
        out = bytearray()
        for number, line in enumerate(placed.unit.lines, 1):
            value = 0
            if isinstance(line, WordLine):
                where = (placed.unit.label, len(out), number)
                value = self._evaluate(line.expression, *where) or 0
                if not -(1 << 31) <= value < 1 << 32:
                    message = f"{line.expression} is {value}, which no 32-bit word holds"
                    self._problem("expression", message, *where)
                word = (value & 0xFFFFFFFF).to_bytes(4, "little")
                item = Item(
                    placed.address + len(out),
                    word,
                    "data",
                    asm=f".word   {line.expression}",
                    comment=line.comment,
                    purpose=placed.unit.purpose if number == 1 else "",
                )
                self.items.append(item.labelled(placed.unit.label) if number == 1 else item)
            out += (value & 0xFFFFFFFF).to_bytes(4, "little")
        return bytes(out)

    def _evaluate(self, text: str, unit: str, offset: int, line: int) -> int | None:
        try:
            if expression.is_name(text) and (place := self.places.get(text)):
                # A code label by itself is a pointer to Thumb code: AAELF32's (S + A) | T.
                return place.address | (place.kind in ("code", "label"))
            return expression.evaluate(text, self._lookup)
        except expression.UnknownNameError as error:
            hint = self._meant(error.name)
            self._problem("symbol", f"nothing is called {error.name!r}", unit, offset, line, hint)
        except expression.ExpressionError as error:
            message = f"{text}: {error.message}"
            self._problem("expression", message, unit, offset, line, error.hint)
        return None

    def _meant(self, name: str) -> str | None:
        return did_you_mean(name, [*self.places, *self.symbols, *self.facts.names(name)])

    def _lookup(self, name: str) -> int | None:
        place = self.places.get(name)
        return place.address if place else self.symbols.get(name, self.facts.get(name))

    def _code(self, placed: _Placed) -> bytes:
        unit = placed.unit
        out = bytearray()
        offsets: list[int] = []
        for number, line in enumerate(unit.lines, 1):
            if not isinstance(line, CodeLine):
                continue
            where = (unit.label, len(out), number)
            offsets.append(len(out))
            code = line.code
            if line.relocation:
                code = self._relocated(line, placed.address + len(out), where)
            item = Item(
                placed.address + len(out),
                code,
                "code",
                asm=line.asm,
                comment=line.comment,
                purpose=unit.purpose if number == 1 else "",
            )
            if line.label:
                item = item.labelled(line.label, local=True)
            self.items.append(item.labelled(unit.label) if number == 1 else item)
            out += code
        self._check_lines(unit, offsets)
        return bytes(out)

    def _check_lines(self, unit: Unit, offsets: list[int]) -> None:
        """The bytes against what they are believed to be, and against what the core has."""
        lines = [line for line in unit.lines if isinstance(line, CodeLine)]
        wrong = set()
        for index, found in disagreements(
            (line.asm, line.code, line.relocation.type if line.relocation else None)
            for line in lines
        ):
            wrong.add(offsets[index])
            self._problem("encoding", found.reason, unit.label, offsets[index], index + 1)
        for index, line in enumerate(lines):
            meant = self._other_label(line)
            if meant and line.relocation:
                message = f"{line.asm!r} names {meant}, its relocation {line.relocation.symbol}"
                self._problem("encoding", message, unit.label, offsets[index], index + 1)
        for fault in isa.check(b"".join(_codes(unit)), self.facts.chip.core):
            if fault.offset not in wrong:
                number = bisect_right(offsets, fault.offset)
                self._problem("isa", fault.message, unit.label, fault.offset, number)

    def _other_label(self, line: CodeLine) -> str | None:
        """A label that the asm names though its relocation is for another."""
        if line.relocation is None:
            return None
        named = [word for word in re.findall(r"[\w.$]+", line.asm)[1:] if word in self.places]
        return named[0] if named and line.relocation.symbol not in named else None

    def _relocated(self, line: CodeLine, at: int, where: tuple[str, int, int]) -> bytes:
        rel = line.relocation
        assert rel is not None
        target = self._target(rel, where)
        if target is None:
            return line.code
        try:
            return relocate.apply(rel.type, line.code, at, target)
        except EmissionError as error:
            self._problem("relocation", error.message, *where, error.hint)
            return line.code

    def _target(self, rel: Relocation, where: tuple[str, int, int]) -> int | None:
        """The value S + A of a relocation, with the Thumb bit of a code label where it counts."""
        place = self.places.get(rel.symbol)
        if rel.type in ABSOLUTE:
            value = self._evaluate(rel.symbol, *where)
            return None if value is None else (value + rel.addend) & 0xFFFFFFFF
        if place is None:
            hint = self._meant(rel.symbol)
            self._problem("symbol", f"nothing is called {rel.symbol!r}", *where, hint)
            return None
        if rel.type in _BRANCHES and place.kind not in ("code", "label"):
            message = f"branches to {rel.symbol}, which is {_SAID[place.kind]}, not code"
            self._problem("relocation", message, *where)
            return None
        return place.address + rel.addend

    # --- what only the whole shows ---

    def _check_falls(self) -> None:
        """Code must not run off its end into constants, text, or blank flash."""
        stored = [p for p in self.placed if p.unit.kind != "zero" and not p.shared]
        for placed, following in itertools.zip_longest(stored, stored[1:]):
            if placed.unit.kind != "code" or (following and following.unit.kind == "code"):
                continue
            steps = steps_of(b"".join(_codes(placed.unit)), placed.address)
            if not steps or steps[-1].end != placed.address + placed.size:
                continue  # not all of it is code: reported with its own line
            if steps[-1].falls_through:
                into = (
                    f"{following.unit.label}, which is {_SAID[_KIND[following.unit.kind]]}"
                    if following
                    else "what comes after the firmware"
                )
                self._problem(
                    "fallthrough",
                    f"runs off its end into {into}",
                    placed.unit.label,
                    steps[-1].address - placed.address,
                    len(placed.unit.lines),
                    "end it with a branch or a return",
                )

    def _image(self, data: bytes, ram_used: int) -> Image:
        chip = self.facts.chip
        symbols = [
            Symbol(name, place.address, place.size, place.kind)
            for name, place in self.places.items()
        ]
        symbols.sort(key=lambda s: (s.address, s.kind == "label", s.name))
        title = f"{self.facts.title}: {len(data)} bytes of flash, {ram_used} bytes of RAM"
        image = Image(
            segments=(Segment(chip.flash.base, data),),
            entry=int.from_bytes(data[4:8], "little"),
            initial_sp=int.from_bytes(data[:4], "little"),
            symbols=tuple(symbols),
            ram_used=ram_used,
            stack_reserve=self.stack_reserve,
            core=chip.core,
        )
        items = sorted(self.items, key=lambda item: item.kind == "zero")  # RAM comes last
        listing = render(annotated(items, image, chip), title, self.emission.plan)
        return replace(image, listing=listing)


def _codes(unit: Unit) -> list[bytes]:
    return [line.code for line in unit.lines if isinstance(line, CodeLine)]


_SAID = {"code": "code", "label": "code", "data": "constant data", "zero": "RAM"}
