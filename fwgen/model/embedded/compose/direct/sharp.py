"""The macro assembler for straight-line code: knowledge survives labels where it can.

A branch carries what the registers hold to the label that it goes to. What is known at the head
of a loop is what was known on entry less what the loop was seen to overwrite; since that is seen
only behind the head, a program is built again until nothing new is learnt. Constants that a loop
loads are loaded before it instead, as long as registers last.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from fwgen.errors import ModelError
from fwgen.model.embedded.compose.assembler import Assembler, _Line
from fwgen.thumb import encode
from fwgen.thumb.cycles import cost

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from fwgen.image.emission import Unit
    from fwgen.image.facts import Facts

_MASK = 0xFFFFFFFF
LOW = tuple(f"r{n}" for n in range(8))
_ROUNDS = 24  # builds until it must have settled


@dataclass(slots=True)
class Learnt:
    """What earlier builds of the same program have found out."""

    lost: dict[str, set[tuple[str, int]]] = field(default_factory=dict)  # what a loop overwrites
    loads: dict[str, list[int]] = field(default_factory=dict)  # loop -> constants it loads
    uses: dict[str, set[int]] = field(default_factory=dict)  # loop -> constants it uses
    changed: bool = False


@dataclass(slots=True)
class _Loop:
    name: str
    known: dict[str, int]
    state: dict[str, int]


class Sharp(Assembler):
    """An assembler for one build; ``learnt`` goes from build to build."""

    def __init__(self, facts: Facts, learnt: Learnt, hoist: int = 8) -> None:
        super().__init__(facts)
        self._learnt = learnt
        self._hoist = hoist
        self._order: list[str] = []  # low registers, least recently used first
        self._carried: dict[str, list[tuple[dict[str, int], dict[str, int]]]] = {}
        self._loops: list[_Loop] = []
        self._weights: list[float] = []
        self._reachable = True
        self.weight = 0.1  # how often a second the code that follows runs
        self.state: dict[str, int] = {}  # what else is known: registers of peripherals
        self._core = facts.chip.core

    # ------------------------------------------------------------------ registers

    def take(self) -> str:
        """A low register for a variable; nothing else uses it until ``release``."""
        register = self._scratch("")
        self.occupy(register)
        return register

    def release(self, *registers: str) -> None:
        """These registers are free again."""
        for register in registers:
            self._busy.discard(register)
            self._known.pop(register, None)

    def _scratch(self, avoid: str) -> str:
        held = self._held
        pool = [
            r
            for r in LOW
            if r not in avoid.split() and r not in self._live | self._busy and r not in held
        ]
        if not pool:
            raise ModelError("too many registers at once")
        for register in pool:
            if register not in self._known:
                return register
        wanted = self._wanted

        def worth(register: str) -> tuple[bool, int]:
            last = self._order.index(register) if register in self._order else -1
            return self._known[register] in wanted, last

        return min(pool, key=worth)

    @property
    def _wanted(self) -> set[int]:
        """Constants that the loops around use."""
        wanted: set[int] = set()
        for loop in self._loops:
            wanted |= self._learnt.uses.get(loop.name, set())
        return wanted

    def _used_here(self, value: int) -> None:
        for loop in self._loops:
            uses = self._learnt.uses.setdefault(loop.name, set())
            if value not in uses:
                uses.add(value)
                self._learnt.changed = True

    @property
    def _held(self) -> set[str]:
        """Registers with what the loops around were given beforehand."""
        held: set[str] = set()
        for loop in self._loops:
            wanted = self._learnt.loads.get(loop.name, [])
            held |= {r for r, v in loop.known.items() if v in wanted and self._known.get(r) == v}
        return held

    def op_put(self, register: str, value: int, comment: str = "") -> None:
        """A constant into a variable's register."""
        super().put(register, value, "", comment)
        self._known.pop(register, None)

    def op_literal(self, register: str, value: int, text: str = "") -> None:
        """A constant into a variable's register, without touching the flags."""
        label = self._literal(value, text)
        self._append(_Line(f"ldr {register}, {label}", text, label, "THM_PC8"))
        self._known.pop(register, None)

    def fix(self, register: str, value: int, comment: str = "") -> None:
        """From now on this register holds this constant, and nothing else."""
        super().put(register, value, "", comment)
        self._busy.add(register)

    def _touch(self, register: str) -> None:
        if register in self._order:
            self._order.remove(register)
        self._order.append(register)

    def put(self, register: str, value: int, text: str = "", comment: str = "") -> None:
        """Load a constant; loops around learn that they load it."""
        value &= _MASK
        if self._known.get(register) != value:
            for loop in self._loops:
                loads = self._learnt.loads.setdefault(loop.name, [])
                if value not in loads and len(loads) < self._hoist:
                    loads.append(value)
                    self._learnt.changed = True
        super().put(register, value, text, comment)
        self._touch(register)

    def have(self, value: int, text: str = "", comment: str = "", avoid: str = "") -> str:
        """A low register that holds a constant; loops around learn that they use it."""
        register = super().have(value, text, comment, avoid)
        self._touch(register)
        self._used_here(value & _MASK)
        return register

    def place(
        self, address: int, width: int = 4, avoid: str = "", text: str = ""
    ) -> tuple[str, int]:
        """A base register and an offset; loops around learn that they use the base."""
        register, offset = super().place(address, width, avoid, text)
        if register in self._known:
            self._touch(register)
            self._used_here(self._known[register])
        return register, offset

    def _two_steps(self, rd: str, value: int, known: dict[str, int]) -> list[str]:
        zeros = (value & -value).bit_length() - 1
        if value >> zeros < 256:
            return [f"movs {rd}, #{value >> zeros}", f"lsls {rd}, {rd}, #{zeros}"]
        if value ^ _MASK < 256:
            return [f"movs {rd}, #{value ^ _MASK}", f"mvns {rd}, {rd}"]
        if modified(value):
            return [f"mov.w {rd}, #{value}"]
        if value < 1 << 16:
            return [f"movw {rd}, #{value}"]
        for register, base in known.items():
            for name, amount in (("add", value - base), ("sub", base - value)):
                if modified(amount & _MASK):
                    return [f"{name}.w {rd}, {register}, #{amount & _MASK}"]
        for r, v in known.items():
            if r == rd:
                continue
            for n in range(1, 32):
                for shift, made in (("lsls", v << n & _MASK), ("lsrs", v >> n)):
                    if 0 < value - made < 256:
                        return [f"{shift} {rd}, {r}, #{n}", f"adds {rd}, #{value - made}"]
                    if 0 < made - value < 256:
                        return [f"{shift} {rd}, {r}, #{n}", f"subs {rd}, #{made - value}"]
        return []

    def _base_of(self, address: int) -> tuple[int, str]:
        spec = self._facts.chip.peripheral_at(address)
        if spec is not None and spec.kind == "armv7m.systick":
            return spec.base & ~0xFFF, ""  # one instruction makes it, and it reaches the SCB
        return super()._base_of(address)

    # ------------------------------------------------------------------ flow

    def label(self, name: str) -> None:
        """Name the next instruction; what all ways to it agree on is still known."""
        ways = self._carried.pop(name, [])
        if self._reachable:
            ways.append((dict(self._known), dict(self.state)))
        super().label(name)
        self._known = _common([known for known, _ in ways])
        self.state = _common([state for _, state in ways])
        self._reachable = True

    def branch(self, name: str, target: str, comment: str = "") -> None:
        """A branch; what is known here is carried to the label."""
        loop = next((x for x in self._loops if x.name == target), None)
        if loop is None:
            self._carried.setdefault(target, []).append((dict(self._known), dict(self.state)))
        else:
            self._check(loop)
        super().branch(name, target, comment)
        if name == "b":
            self._reachable = False

    def branch_if(self, name: str, register: str, target: str, comment: str = "") -> None:
        """``cbz`` or ``cbnz``: forward, and no further than 126 bytes."""
        self._carried.setdefault(target, []).append((dict(self._known), dict(self.state)))
        self._append_branch(f"{name} {register}, {target}", target, comment)

    def call(self, target: str) -> None:
        """``bl`` to a subroutine that touches no register that anything is known of."""
        for register in ("r0", "r1"):
            self._known.pop(register, None)
        self._carried.setdefault(target, []).append((dict(self._known), dict(self.state)))
        self._append_branch(f"bl {target}", target, "", "THM_CALL")

    def _append_branch(self, asm: str, target: str, comment: str, kind: str = "THM_JUMP6") -> None:
        self._append(_Line(asm, comment, target, kind))

    def _check(self, loop: _Loop) -> None:
        lost = self._learnt.lost.setdefault(loop.name, set())
        for register, value in loop.known.items():
            if self._known.get(register) != value and (register, value) not in lost:
                lost.add((register, value))
                self._learnt.changed = True
        for name, value in loop.state.items():
            if self.state.get(name) != value and (name, value) not in lost:
                lost.add((name, value))
                self._learnt.changed = True

    @contextmanager
    def loop(self, stem: str, weight: float) -> Iterator[str]:
        """A loop, run so often a second; its head is here. The body branches to its name."""
        name = self.unique(stem)
        self._loops.append(_Loop(name, {}, {}))
        for value in self._learnt.loads.get(name, []):
            self.have(value)
        self._loops.pop()
        lost = self._learnt.lost.get(name, set())
        known = {r: v for r, v in self._known.items() if (r, v) not in lost}
        state = {n: v for n, v in self.state.items() if (n, v) not in lost}
        super().label(name)
        self._known, self.state = dict(known), dict(state)
        self._loops.append(_Loop(name, known, state))
        before, self.weight = self.weight, weight
        yield name
        self.weight = before
        self._loops.pop()

    def units(self, label: str, purpose: str, tables: Iterable[Unit]) -> tuple[Unit, ...]:
        """The code, its literals and the tables. Raises ModelError where a branch is too short."""
        behind = tuple(tables)
        made = super().units(label, purpose, behind)
        at = self._layout(label, behind)
        position = 0
        for line in self._lines:
            if line.type == "THM_JUMP6" and not 4 <= at[str(line.target)] - position <= 130:
                raise ModelError("a short branch does not reach")
            position += line.size
        return made

    # ------------------------------------------------------------------ what it costs

    def _append(self, line: object) -> None:
        super()._append(line)  # type: ignore[arg-type]
        self._weights.append(self.weight)

    @property
    def loads(self) -> list[list[int]]:
        """The constants that each loop wanted to load."""
        return list(self._learnt.loads.values())

    @property
    def awake(self) -> float:
        """Cycles a second, roughly: every backward or unconditional branch is taken."""
        total = 0.0
        seen: set[str] = set()
        for line, weight in zip(self._lines, self._weights, strict=True):
            if line.label:
                seen.add(line.label)
            made = cost(encode(line.text), self._core)
            price = made.total
            if line.type.startswith("THM_JUMP") and (
                line.target in seen or line.asm.startswith("b ")
            ):
                price += made.refill
            total += weight * price
        return total

    def size(self, tables: Iterable[Unit]) -> int:
        """Bytes of code, literals and tables, once ``units`` has been asked for."""
        behind = tuple(tables)
        places = self._layout("", behind)
        end = sum(line.size for line in self._lines)
        for name in self._literals.values():
            end = max(end, places[name] + 4)
        for unit in behind:
            size = 4 * len(unit.lines) if unit.kind == "words" else len(unit.data)
            end = max(end, places[unit.label] + size)
        return -(-end // 4) * 4


def modified(value: int) -> bool:
    """Whether an instruction can carry the constant. Source: Arm ARM DDI0403 A5.3.2."""
    low = value & 0xFF
    if value in (low, low * 0x10001, low * 0x1010101, (value >> 8 & 0xFF) * 0x1000100):
        return True
    zeros = (value & -value).bit_length() - 1
    return value >> zeros < 256


def _common(states: list[dict[str, int]]) -> dict[str, int]:
    if not states:
        return {}
    first, *others = states
    return {k: v for k, v in first.items() if all(other.get(k) == v for other in others)}


def settle(facts: Facts, hoist: int, build: Callable[[Sharp], None]) -> Sharp | None:
    """Build until nothing new is learnt; None when it never settles."""
    learnt = Learnt()
    for _ in range(_ROUNDS):
        learnt.changed = False
        code = Sharp(facts, learnt, hoist)
        try:
            build(code)
        except ModelError:
            return None
        if not learnt.changed:
            return code
    return None
