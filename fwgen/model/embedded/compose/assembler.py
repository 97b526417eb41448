"""A macro assembler that knows what its registers hold.

Blocks say *what* ("store this value in that register"); this finds the fewest bytes that do it:
a register that already holds the value, a shift or a sum of one that does, an immediate, a
literal that is there anyway. Straight code keeps its knowledge; a label forgets all but the
registers that are pinned for the whole program.

Conventions: r0 to r3 are scratch and die at every label; r4 to r7 may be pinned to a constant
(a peripheral's base) or to a cell (a variable); r8 to r12 hold cells; sp addresses the rest.
Nothing is called and no exception is taken, so nothing is ever saved.
"""

from __future__ import annotations

import re
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fwgen.errors import ModelError
from fwgen.image.emission import CodeLine, Relocation, Unit, WordLine
from fwgen.thumb import EncodeError, encode

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from fwgen.image.facts import Facts

_MASK = 0xFFFFFFFF
SCRATCH = ("r0", "r1", "r2", "r3")
PINNABLE = ("r7", "r6", "r5", "r4")
_NO_RESULT = frozenset(("str", "strb", "strh", "cmp", "tst", "push", "b", "cbz", "cbnz", "cmn"))
_NEVER_WRITES = frozenset(("wfi", "nop", "cpsid", "dsb"))
_OFFSET = {4: ("str", 124), 2: ("strh", 62), 1: ("strb", 31)}
_WIDE = {
    "THM_JUMP11": "THM_JUMP24",
    "THM_JUMP8": "THM_JUMP19",
    "THM_PC8": "THM_PC12",
}


@dataclass(slots=True)
class _Line:
    asm: str
    comment: str = ""
    target: str | None = None  # what the relocation points to
    type: str = ""
    label: str | None = None
    wide: bool = False
    addend: int = 0

    @property
    def text(self) -> str:
        if not self.wide:
            return self.asm
        name, _, rest = self.asm.partition(" ")
        return f"{name}.w {rest}"

    @property
    def size(self) -> int:
        return len(encode(self.text))

    def relocation(self) -> Relocation | None:
        if self.target is None:
            return None
        kind = self.type
        if self.wide:
            kind = "THM_ALU_PREL_11_0" if self.asm.startswith("adr") else _WIDE[kind]
        return Relocation(kind, self.target, self.addend)


class Assembler:
    """Code in the making: one run of instructions, its literals, and the tables behind it."""

    def __init__(self, facts: Facts) -> None:
        self._facts = facts
        self._lines: list[_Line] = []
        self._literals: dict[str, str] = {}  # expression -> label
        self._literal_values: dict[int, str] = {}
        self._known: dict[str, int] = {}
        self._pins: dict[str, int] = {}  # registers that hold a constant for ever
        self._pinned = False  # whether the pins are loaded for good
        self._busy: set[str] = set()  # registers that hold a cell for ever
        self._label: str | None = None  # waiting for the next instruction
        self._alias: dict[str, str] = {}  # labels of one and the same instruction
        self._used: list[str] = []  # scratch, least recently loaded first
        self._names: set[str] = set()
        self._fresh: dict[str, int] = {}
        self.wanted: dict[int, int] = {}  # how often each constant was asked for
        self._live: set[str] = set()  # scratch with a value that must not be overwritten

    @contextmanager
    def live(self, *registers: str) -> Iterator[None]:
        """While this lasts, these registers are not taken for constants and bases."""
        before = self._live
        self._live = before | set(registers)
        yield
        self._live = before

    # ------------------------------------------------------------------ what things are worth

    def unique(self, stem: str) -> str:
        """A label that is not in use, made from ``stem``."""
        count = self._fresh.get(stem, 0) + 1
        self._fresh[stem] = count
        return stem if count == 1 else f"{stem}_{count}"

    # ------------------------------------------------------------------ pins

    def pin(self, register: str, value: int) -> None:
        """From now on ``register`` is for this constant alone; it is loaded when first needed."""
        self._pins[register] = value

    def unpin(self, register: str) -> None:
        """From now on ``register`` is free again."""
        self._pins.pop(register, None)

    def occupy(self, register: str) -> None:
        """From now on ``register`` belongs to a cell."""
        self._busy.add(register)
        self._known.pop(register, None)

    def spare(self) -> list[str]:
        """Low registers that nothing was given to."""
        given = self._pins.keys() | self._busy
        return [r for r in (*PINNABLE, *reversed(SCRATCH)) if r not in given]

    @property
    def pinned(self) -> frozenset[int]:
        """The constants that have a register of their own."""
        return frozenset(self._pins.values())

    @property
    def busy(self) -> frozenset[str]:
        """Registers that belong to cells."""
        return frozenset(self._busy)

    def load_pins(self) -> None:
        """Load every pinned constant that no code has needed so far."""
        self._pinned = True
        for register, value in self._pins.items():
            if self._known.get(register) != value:
                self.put(register, value)

    # ------------------------------------------------------------------ plain instructions

    def label(self, name: str) -> None:
        """Name the next instruction; others may come here, so only pins are still known."""
        if self._label:
            self._alias[name] = self._label
        else:
            self._label = name
        self.forget()

    def forget(self) -> None:
        """Know nothing but the pins."""
        self._known = {r: v for r, v in self._known.items() if self._pins.get(r) == v}
        self._used.clear()

    def op(self, asm: str, comment: str = "") -> None:
        """One instruction without a relocation."""
        self._append(_Line(asm, comment))
        for register in _written(asm):
            self._known.pop(register, None)

    def branch(self, name: str, target: str, comment: str = "") -> None:
        """A branch ("b", "bne" ...) to a label."""
        kind = "THM_JUMP11" if name == "b" else "THM_JUMP8"
        self._append(_Line(f"{name} {target}", comment, target, kind))

    def address(self, register: str, label: str, plus: int = 0, comment: str = "") -> None:
        """The address of a table behind the code (and so many bytes on), into a low register."""
        place = f"{label}+{plus}" if plus else label
        self._append(_Line(f"adr {register}, {place}", comment, label, "THM_PC8", addend=plus))
        self._known.pop(register, None)

    def _append(self, line: _Line) -> None:
        line.label, self._label = self._label, None
        self._lines.append(line)

    # ------------------------------------------------------------------ constants

    def put(self, register: str, value: int, text: str = "", comment: str = "") -> None:
        """Load a constant into a low register in the fewest bytes; flags are lost."""
        value &= _MASK
        if self._known.get(register) == value:
            return
        note = comment or text
        for asm in self._cheapest(register, value, text):
            if asm.startswith("ldr "):
                label = asm.rsplit(" ", 1)[1]
                self._append(_Line(asm, note, label, "THM_PC8"))
            else:
                self._append(_Line(asm, note))
            note = ""
        self._known[register] = value
        if register in SCRATCH:
            if register in self._used:
                self._used.remove(register)
            self._used.append(register)

    def have(self, value: int, text: str = "", comment: str = "", avoid: str = "") -> str:
        """A low register that holds a constant; loads it into scratch when none does."""
        value &= _MASK
        self.wanted[value] = self.wanted.get(value, 0) + 1
        for register, known in self._known.items():
            if known == value and register[1:].isdigit() and int(register[1:]) < 8:
                return register
        for register, pinned in self._pins.items():
            if pinned == value and register not in self._live and register not in avoid.split():
                self.put(register, value, text, comment)
                return register
        register = self._scratch(avoid)
        self.put(register, value, text, comment)
        return register

    def _scratch(self, avoid: str) -> str:
        pool = [
            r
            for r in (*SCRATCH, *PINNABLE)
            if (r not in self._pins or (not self._pinned and self._known.get(r) != self._pins[r]))
            and r not in self._busy
            and r not in self._live
            and r not in avoid.split()
        ]
        return next((r for r in pool if r not in self._known), None) or next(
            (r for r in self._used if r in pool), pool[0]
        )

    def cost(self, value: int) -> int:
        """Bytes to have a constant, roughly: for choosing between ways."""
        value &= _MASK
        if value in self._known.values():
            return 0
        return sum(6 if a.startswith("ldr") and "new" in a else 2 for a in self._ways("r?", value))

    def _cheapest(self, register: str, value: int, text: str) -> list[str]:
        found = self._ways(register, value)
        if found and not found[0].startswith("ldr"):
            return found
        return [f"ldr {register}, {self._literal(value, text)}"]

    def _ways(self, rd: str, value: int) -> list[str]:
        """Instructions that make ``value`` in ``rd``; a new literal is ``ldr new``."""
        known = {r: v for r, v in self._known.items() if _low(r)}
        if value < 256:
            return [f"movs {rd}, #{value}"]
        one = self._one_step(rd, value, known)
        if one:
            return [one]
        if value in self._literal_values:
            return ["ldr"]
        return self._two_steps(rd, value, known) or ["ldr new"]

    def _one_step(self, rd: str, value: int, known: dict[str, int]) -> str | None:
        for r, v in known.items():
            if v == value:
                return f"movs {rd}, {r}"
            shifted = _shift(v, value)
            if shifted:
                return f"{shifted[0]} {rd}, {r}, #{shifted[1]}"
            if v ^ _MASK == value:
                return f"mvns {rd}, {r}"
            if 0 < value - v < 8:
                return f"adds {rd}, {r}, #{value - v}"
            if 0 < v - value < 8:
                return f"subs {rd}, {r}, #{v - value}"
        if rd in known and 0 < value - known[rd] < 256:
            return f"adds {rd}, #{value - known[rd]}"
        if rd in known and 0 < known[rd] - value < 256:
            return f"subs {rd}, #{known[rd] - value}"
        values = {v: r for r, v in known.items()}
        for r, v in known.items():
            if (value - v) & _MASK in values:
                return f"adds {rd}, {r}, {values[(value - v) & _MASK]}"
            if (v - value) & _MASK in values:
                return f"subs {rd}, {r}, {values[(v - value) & _MASK]}"
        return None

    def _two_steps(self, rd: str, value: int, known: dict[str, int]) -> list[str]:
        zeros = (value & -value).bit_length() - 1
        if value >> zeros < 256:
            return [f"movs {rd}, #{value >> zeros}", f"lsls {rd}, {rd}, #{zeros}"]
        if value ^ _MASK < 256:
            return [f"movs {rd}, #{value ^ _MASK}", f"mvns {rd}, {rd}"]
        if value < 511:
            return [f"movs {rd}, #255", f"adds {rd}, #{value - 255}"]
        for r, v in known.items():
            if r == rd:
                continue
            if 0 < (value - v) & _MASK < 256:
                return [f"movs {rd}, #{(value - v) & _MASK}", f"adds {rd}, {rd}, {r}"]
            for n in range(1, 32):
                for name, made in (("lsls", v << n & _MASK), ("lsrs", v >> n)):
                    if 0 < value - made < 256:
                        return [f"{name} {rd}, {r}, #{n}", f"adds {rd}, #{value - made}"]
                    if 0 < made - value < 256:
                        return [f"{name} {rd}, {r}, #{n}", f"subs {rd}, #{made - value}"]
        for asm in (f"mov.w {rd}, #{value}", f"movw {rd}, #{value}"):
            try:
                encode(asm.replace("r?", "r0"))
            except EncodeError:
                continue
            return [asm]
        return []

    def _literal(self, value: int, text: str) -> str:
        if value in self._literal_values:
            return self._literal_values[value]
        text = text or f"0x{value:08X}"
        stem = re.sub(r"\W+", "_", f"k_{text}").strip("_").lower()
        label = stem if stem not in self._literals.values() else f"{stem}_{value:x}"
        self._literals[text] = label
        self._literal_values[value] = label
        return label

    # ------------------------------------------------------------------ stores and loads

    def place(
        self, address: int, width: int = 4, avoid: str = "", text: str = ""
    ) -> tuple[str, int]:
        """A base register and an offset that reach an address; loads a base if none does."""
        found = self._reach(address, width)
        if found:
            return found
        base, name = self._base_of(address)
        for pinned in self._pins.values():
            if 0 <= address - pinned <= _OFFSET[width][1]:
                base, name = pinned, self._name_of(pinned)
        register = self.have(base, name, avoid=avoid)
        return register, address - base

    def _reach(self, address: int, width: int) -> tuple[str, int] | None:
        limit = _OFFSET[width][1]
        near: tuple[str, int] | None = None
        for r, v in self._known.items():
            offset = address - v
            if _low(r) and 0 <= offset <= limit and offset % width == 0:
                return r, offset
            if _low(r) and 0 <= offset <= 4095 and not near:
                near = r, offset
        # A wide store costs 2 bytes more than a narrow one; a base costs 2 at the least.
        if near and not any(0 <= address - p <= limit for p in self._pins.values()):
            return near
        return None

    def _base_of(self, address: int) -> tuple[int, str]:
        chip = self._facts.chip
        spec = chip.peripheral_at(address)
        if spec is None:
            return address, ""
        if address - spec.base <= 124:
            return spec.base, spec.name
        return address, ""

    def _name_of(self, base: int) -> str:
        spec = self._facts.chip.peripheral_at(base)
        return spec.name if spec and spec.base == base else ""

    def store(
        self, value: int, address: int, width: int = 4, text: str = "", comment: str = ""
    ) -> None:
        """Store a constant."""
        if self._reach(address, width):
            base, offset = self.place(address, width)
            register = self.have(value, text, avoid=base)
        else:
            # The base first: constants are often shifts of one another.
            base, offset = self.place(address, width)
            register = self.have(value, text, avoid=base)
        self.put_at(register, base, offset, width, comment)

    def loads_before(self, address: int) -> int:
        """How many instructions at least ``store`` would need before the store itself."""
        return 0 if self._reach(address, 1) or self._reach(address, 4) else 1

    def store_cost(self, value: int, address: int, width: int) -> int:
        """Bytes that ``store`` would take now."""
        reach = self._reach(address, width)
        cost = 2 + self.cost(value)
        if reach is None:
            return cost + self.cost(self._base_of(address)[0])
        return cost + (2 if reach[1] > _OFFSET[width][1] else 0)

    def put_at(
        self, register: str, base: str, offset: int, width: int = 4, comment: str = ""
    ) -> None:
        """Store a register at base + offset."""
        name, limit = _OFFSET[width]
        wide = ".w" if offset > limit or offset % width else ""
        self._append(_Line(f"{name}{wide} {register}, [{base}, #{offset}]", comment))

    def save(self, register: str, address: int, width: int = 4, comment: str = "") -> None:
        """Store a register at an address."""
        base, offset = self.place(address, width, avoid=register)
        self.put_at(register, base, offset, width, comment)

    def load(self, register: str, address: int, comment: str = "", keep: str = "") -> None:
        """Load a word from an address; registers in ``keep`` survive."""
        base, offset = self.place(address, 4, avoid=keep)
        wide = ".w" if offset > 124 else ""
        self._append(_Line(f"ldr{wide} {register}, [{base}, #{offset}]", comment))
        self._known.pop(register, None)

    # ------------------------------------------------------------------ the result

    @property
    def count(self) -> int:
        """How many instructions there are so far."""
        return len(self._lines)

    def units(self, label: str, purpose: str, tables: Iterable[Unit]) -> tuple[Unit, ...]:
        """The code as one unit, then its literals, then the tables. Raises ModelError."""
        behind = tuple(tables)
        for line in self._lines:
            if line.target in self._alias:
                target = self._alias[line.target]
                line.asm = line.asm.replace(line.target, target)
                line.target = target
        self._relax(label, behind)
        lines = tuple(
            CodeLine(line.text, encode(line.text), line.relocation(), line.label, line.comment)
            for line in self._lines
        )
        constants = tuple(
            Unit(name, "words", (WordLine(text),), purpose="")
            for text, name in self._literals.items()
        )
        return (Unit(label, "code", lines, purpose=purpose), *constants, *behind)

    def _relax(self, label: str, behind: tuple[Unit, ...]) -> None:
        while True:
            at = self._layout(label, behind)
            widened = False
            position = 0
            for line in self._lines:
                if line.target is not None and not line.wide:
                    if line.target not in at:
                        raise ModelError(f"the composer lost the label {line.target!r}")
                    if not _in_reach(line, position, at[line.target] + line.addend):
                        line.wide = widened = True
                position += line.size
            if not widened:
                return

    def _layout(self, label: str, behind: tuple[Unit, ...]) -> dict[str, int]:
        at = {label: 0}
        position = 0
        for line in self._lines:
            if line.label:
                at[line.label] = position
            position += line.size
        for name in self._literals.values():
            position += -position % 4
            at[name] = position
            position += 4
        for unit in behind:
            if unit.kind == "zero":
                continue
            align = unit.align or {"words": 4, "bytes": 1}.get(unit.kind, 2)
            position += -position % align
            at[unit.label] = position
            position += 4 * len(unit.lines) if unit.kind == "words" else len(unit.data)
        return at


def _in_reach(line: _Line, position: int, target: int) -> bool:
    if line.type == "THM_PC8":
        offset = target - ((position + 4) & ~3)
        return 0 <= offset <= 1020 and offset % 4 == 0
    offset = target - (position + 4)
    return -2048 <= offset <= 2046 if line.type == "THM_JUMP11" else -256 <= offset <= 254


def _low(register: str) -> bool:
    return len(register) == 2 and register < "r8"


def _shift(source: int, value: int) -> tuple[str, int] | None:
    """How one shift makes ``value`` out of ``source``, or None."""
    if source == 0:
        return None
    for n in range(1, 32):
        if source << n & _MASK == value:
            return "lsls", n
        if source >> n == value:
            return "lsrs", n
    return None


def _written(asm: str) -> Iterator[str]:
    """The registers that an instruction changes."""
    name, _, rest = asm.partition(" ")
    name = name.split(".")[0]
    if (
        name in _NO_RESULT
        or name in _NEVER_WRITES
        or re.fullmatch(r"b(eq|ne|pl|mi|cc|cs|..)?", name)
    ):
        return
    found = re.findall(r"\b(?:r\d+|sp|lr)\b", rest)
    if name.startswith("ldm"):
        yield from found
    elif name != "it" and found:
        yield found[0]
        if rest.endswith("!") or re.search(r"\],", rest):
            yield found[1]


__all__ = ["PINNABLE", "SCRATCH", "Assembler"]
