"""Bringing the chip up: which registers must differ from reset, and the fewest bytes to say so.

Blocks *ask* for bits; several may ask for bits of one register. Since every register's reset
value is known, one store each is enough, never a read-modify-write; and a GPIO register, which
takes bytes and halfwords (RM0368 §8.4), is touched only where it changes, which leaves the debug
pins alone.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum
from typing import TYPE_CHECKING

from fwgen.errors import ModelError

if TYPE_CHECKING:
    from fwgen.model.embedded.compose.assembler import Assembler
    from fwgen.model.embedded.compose.silicon import Silicon


class Stage(IntEnum):
    """The order of bringing up: nothing reaches a pin before it has its right level."""

    CLOCK = 0
    VALUE = 1  # periods, compare values, baud rates, routing of edges
    LEVEL = 1  # output latches, before a pin becomes an output
    MODE = 2  # what a channel does, what interrupts
    PIN = 3  # pins take their functions
    START = 4


_WORTH_A_BASE = 3  # stores: a base is 2 to 6 bytes, each wide store 2 more than a narrow one


@dataclass(slots=True)
class _Register:
    stage: Stage
    reset: int
    mask: int = 0
    bits: int = 0
    always: bool = False
    texts: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def value(self) -> int:
        return self.reset & ~self.mask | self.bits


class Setup:
    """All that must be set before the first sleep."""

    def __init__(self, silicon: Silicon) -> None:
        self._silicon = silicon
        self._registers: dict[str, _Register] = {}

    def ask(
        self,
        register: str,
        bits: int,
        stage: Stage,
        *,
        mask: int | None = None,
        text: str = "",
        note: str = "",
        always: bool = False,
    ) -> None:
        """Bits that a register must have (within ``mask``; default: the bits themselves).

        ``always``: written even if that is what reset gives (where reset gives nothing sure).
        """
        mask = bits if mask is None else mask
        known = self._registers.get(register)
        if known is None:
            known = _Register(stage, self._silicon.reset_value(register))
            self._registers[register] = known
        if known.mask & mask & (known.bits ^ bits):
            raise ModelError(f"two clauses want {register} differently")
        known.always |= always
        known.mask |= mask
        known.bits |= bits
        for made, words in ((known.texts, text), (known.notes, note)):
            if words and words not in made:
                made.append(words)

    def clock(self, peripheral: str) -> None:
        """The peripheral's clock must run."""
        gate = self._silicon.gate(peripheral)
        if gate:
            self.ask(f"RCC_{gate.register}", 1 << gate.bit, Stage.CLOCK, note=peripheral)

    def pin(self, pin: str, mode: int, af: int | None = None, note: str = "") -> None:
        """A pin's mode (1 output, 2 alternate function) and function."""
        port, index = self._silicon.port(pin), self._silicon.index(pin)
        self.clock(port)
        if af:
            half = "AFRL" if index < 8 else "AFRH"
            shift = 4 * (index % 8)
            bits, mask = af << shift, 15 << shift
            self.ask(f"{port}_{half}", bits, Stage.VALUE, mask=mask, note=f"{pin} AF{af}")
        said = note or f"{pin} {('input', 'output', 'alternate function')[mode]}"
        self.ask(f"{port}_MODER", mode << 2 * index, Stage.PIN, mask=3 << 2 * index, note=said)

    def pull(self, pin: str, up: bool) -> None:
        """Pull an input up or down."""
        port, index = self._silicon.port(pin), self._silicon.index(pin)
        self.clock(port)
        self.ask(
            f"{port}_PUPDR",
            (1 if up else 2) << 2 * index,
            Stage.LEVEL,
            mask=3 << 2 * index,
            note=f"pull {pin} {'up' if up else 'down'}",
        )

    def level(self, pin: str, level: int) -> None:
        """The level that an output begins with."""
        port, index = self._silicon.port(pin), self._silicon.index(pin)
        self.clock(port)
        self.ask(
            f"{port}_ODR",
            level << index,
            Stage.LEVEL,
            mask=1 << index,
            note=f"{pin} begins {'high' if level else 'low'}",
        )

    def interrupt(self, number: int) -> None:
        """An interrupt may wake the core (PRIMASK keeps it from being taken)."""
        self.ask(
            f"NVIC_ISER{number // 32}",
            1 << number % 32,
            Stage.MODE,
            note=f"{self._silicon.chip.interrupts[number]} may wake the core",
        )

    def emit(self, code: Assembler) -> None:
        """Write every register that must differ from reset."""
        lent = self._lend(code)
        self._emit(code)
        for register in lent:
            code.unpin(register)

    def _lend(self, code: Assembler) -> list[str]:
        """Give the peripherals with the most registers to write a base of their own meanwhile."""
        count: dict[int, int] = {}
        for name, register in self._registers.items():
            spec = self._silicon.chip.peripherals[name.partition("_")[0]]
            if register.value != register.reset and spec.base not in code.pinned:
                count[spec.base] = count.get(spec.base, 0) + 1
        busiest = sorted(count, key=lambda base: (-count[base], base))
        spare = [r for r in code.spare() if r >= "r4"]
        lent = []
        for register_name, base in zip(spare, busiest, strict=False):
            if count[base] >= _WORTH_A_BASE:
                code.pin(register_name, base)
                lent.append(register_name)
        return lent

    def _emit(self, code: Assembler) -> None:
        gated: dict[str, int] = {}  # peripheral -> length of code when its clock came on
        for stage in Stage:
            left = {
                name: register
                for name, register in self._registers.items()
                if register.stage is stage and (register.value != register.reset or register.always)
            }
            while left:
                name = min(
                    left,
                    key=lambda n: (
                        self._plan(code, n)[0] + 2 * self._too_soon(code, n, gated),
                        self._silicon.address(n),
                    ),
                )
                for _ in range(self._too_soon(code, name, gated)):
                    code.op("nop", "a clock that comes on takes two cycles")
                self._write(code, name, left.pop(name))
                if stage is Stage.CLOCK:
                    gated[name] = code.count

    def _too_soon(self, code: Assembler, name: str, gated: dict[str, int]) -> int:
        """Cycles missing of the two between a clock's coming on and the first access.

        A base that must be loaded first takes one of them. Source: ES0222 §2.2.13, RM0368 §6.2.
        """
        gate = self._silicon.gate(name.partition("_")[0])
        since = gated.get(f"RCC_{gate.register}") if gate else None
        if since is None:
            return 0
        loads = code.loads_before(self._silicon.address(name))
        return max(0, 2 - (code.count - since) - loads)

    def _plan(self, code: Assembler, name: str) -> tuple[int, list[tuple[int, int, int]]]:
        """The cheapest stores for a register: bytes, and (offset, width, value) of each."""
        register = self._registers[name]
        address = self._silicon.address(name)
        changed = register.value ^ register.reset
        ways = [[(0, 4, register.value)]]
        if name.startswith("GPIO"):
            for width in (2, 1):
                mask = (1 << 8 * width) - 1
                ways.append(
                    [
                        (at, width, register.value >> 8 * at & mask)
                        for at in range(0, 4, width)
                        if changed >> 8 * at & mask
                    ]
                )
        priced = [
            (sum(code.store_cost(v, address + at, width) for at, width, v in way), i, way)
            for i, way in enumerate(ways)
        ]
        cost, _, best = min(priced)
        return cost, best

    def _write(self, code: Assembler, name: str, register: _Register) -> None:
        address = self._silicon.address(name)
        note = f"{name}: {', '.join(register.notes)}" if register.notes else name
        text = register.texts[0] if len(register.texts) == 1 else ""
        for at, width, value in self._plan(code, name)[1]:
            code.store(value, address + at, width, text if width == 4 else "", note)
