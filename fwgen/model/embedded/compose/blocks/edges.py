"""Edges of inputs: what wakes the core when a button moves, and when a press is a press.

The first edge closes the edge detector's mask and sets one common alarm ``SETTLE_PS`` on: while
the contact bounces the core sleeps. When the alarm comes the mask is opened again, and whatever
level has changed is a press or a release. Where a line copies an input, every edge is wanted: then
the mask stays open and every edge puts the alarm off.
Source: RM0368 §10.2 (EXTI), §7.2 (SYSCFG_EXTICR).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from fwgen.errors import ModelError
from fwgen.model.embedded.compose.runtime import Alarm, Cell
from fwgen.model.embedded.compose.setup import Stage
from fwgen.units import PS_PER_MS

if TYPE_CHECKING:
    from collections.abc import Callable

    from fwgen.model.embedded.behaviour import Held, Line
    from fwgen.model.embedded.compose.runtime import Runtime

SETTLE_PS = 20 * PS_PER_MS


@dataclass(slots=True)
class _Source:
    """One input and what its edges cause."""

    line: Line
    pressed: list[Callable[[], None]] = field(default_factory=list)
    released: list[Callable[[], None]] = field(default_factory=list)
    presses: Cell | None = None


@dataclass(slots=True)
class Edges:
    """All inputs of a program."""

    sources: dict[str, _Source] = field(default_factory=dict)  # by pin
    copies: list[Callable[[Runtime], None]] = field(default_factory=list)
    alarm: Alarm | None = None
    at_reset: bool = False  # whether what is held at reset matters
    _last: dict[str, Cell] = field(default_factory=dict)  # port -> levels after the last settling
    _changed: Cell | None = None

    def watch(self, rt: Runtime, line: Line) -> _Source:
        """An input whose edges wake the core."""
        known = self.sources.get(line.pin)
        if known:
            return known
        silicon, setup = rt.silicon, rt.setup
        index = silicon.index(line.pin)
        for other in self.sources.values():
            if silicon.index(other.line.pin) == index:
                raise ModelError(
                    f"{line.name} and {other.line.name} are both pin {index} of their ports: the "
                    "chip can watch only one of them for edges",
                    hint="wire one of them to another pin",
                )
        setup.clock("SYSCFG")
        setup.clock(silicon.port(line.pin))
        register, shift = f"SYSCFG_EXTICR{index // 4 + 1}", 4 * (index % 4)
        port = ord(silicon.chip.pins[line.pin].port) - ord("A")
        setup.ask(
            register, port << shift, Stage.VALUE, mask=15 << shift, note=f"line {index}: {line.pin}"
        )
        for edge in ("RTSR", "FTSR"):
            setup.ask(f"EXTI_{edge}", 1 << index, Stage.VALUE, note=f"{line.name}, both edges")
        setup.ask("EXTI_IMR", 1 << index, Stage.MODE, note=f"{line.name} interrupts")
        if line.pull is not None:
            setup.pull(line.pin, bool(line.pull))
        rt.wake_by(silicon.edge_irq(index))
        rt.use("EXTI", 2)
        self.sources[line.pin] = source = _Source(line)
        return source

    def settled(self, rt: Runtime, line: Line) -> _Source:
        """An input of which presses and releases are told, debounced."""
        source = self.watch(rt, line)
        port = rt.silicon.port(line.pin)
        if port not in self._last:
            self._last[port] = rt.cell(f"{port} levels")
            rt.use(port)
        if not line.active:
            self._last[port].initial = int(self._last[port].initial) | self._bit(rt, line)
        return source

    @staticmethod
    def _bit(rt: Runtime, line: Line) -> int:
        return 1 << rt.silicon.index(line.pin)

    def _mask(self, rt: Runtime) -> int:
        """The lines of EXTI that are watched."""
        return sum(self._bit(rt, source.line) for source in self.sources.values())

    def count(self, rt: Runtime, line: Line) -> Cell:
        """The cell that counts presses."""
        source = self.settled(rt, line)
        if source.presses is None:
            source.presses = rt.cell(f"presses of {line.name}")
        return source.presses

    @property
    def told(self) -> list[_Source]:
        """The inputs that anybody wants presses or releases of."""
        return [s for s in self.sources.values() if s.pressed or s.released or s.presses]

    def claim(self, rt: Runtime) -> None:
        """Once everybody has said what they watch."""
        if len(self.told) > 1:
            self._changed = rt.cell("changed levels")

    def unless_held(self, rt: Runtime, gate: Held, skip: str) -> None:
        """Code: go to ``skip`` unless the gate is open."""
        code = rt.code
        line = gate.source
        levels = rt.hold(self._last[rt.silicon.port(line.pin)], "r0")
        code.op(f"lsls r0, {levels}, #{31 - rt.silicon.index(line.pin)}", f"is {line.name} held?")
        open_when_high = bool(line.active) != gate.invert
        code.branch("bpl" if open_when_high else "bmi", skip)

    def service(self, rt: Runtime) -> None:
        """Code of the loop: an edge copies levels and puts the settling off."""
        if not self.sources:
            return
        code = rt.code
        none = code.unique("noedge")
        pending = rt.silicon.address("EXTI_PR")
        code.load("r0", pending, "has an input moved?")
        if self.copies or self.alarm is None:
            code.op("cmp r0, #0")
            code.branch("beq", none)
            code.save("r0", pending, comment="seen")
        else:
            with code.live("r0"):
                code.load("r1", rt.silicon.address("EXTI_IMR"))
            code.op("ands r0, r1", "and may it tell?")
            code.branch("beq", none)
            code.store(0, rt.silicon.address("EXTI_IMR"), comment="let it bounce, unheard")
        for copy in self.copies:
            copy(rt)
        if self.alarm is not None:
            code.load("r0", rt.reg(self.alarm.timer, "CNT"), "now")
            with code.live("r0"):
                wait = code.have(rt.ticks(SETTLE_PS), avoid="r0")
                code.op(f"adds r0, r0, {wait}", "then it will have settled")
                code.save("r0", rt.ccr(self.alarm))
            if not self.copies:
                code.branch("b", "idle")  # anything else still pends
        code.label(none)

    def only_copy(self, rt: Runtime) -> None:
        """The whole loop where nothing but edges wakes the core, and all they do is copy.

        What was seen is cleared first and the NVIC last: an edge in between stays pending.
        """
        code = rt.code
        code.label("idle")
        code.store(self._mask(rt), rt.silicon.address("EXTI_PR"), comment="seen")
        for copy in self.copies:
            copy(rt)
        rt.clear_pending()
        code.op("wfi", "sleep until an input moves")
        code.branch("b", "idle")

    def pin_constants(self, rt: Runtime) -> None:
        """What ``only_copy`` stores at each pass stays in registers."""
        rt.code.pin("r3", self._mask(rt))
        if len(words := {irq // 32 for irq in rt.irqs}) == 1:
            word = words.pop()
            rt.code.pin("r2", sum(1 << irq % 32 for irq in rt.irqs if irq // 32 == word))

    def settle(self, rt: Runtime) -> None:
        """Code of the loop: what has changed when all is quiet."""
        if self.alarm is None:
            return
        code = rt.code
        skip = code.unique("unsettled")
        rt.unless_due(self.alarm, skip)
        if not self.copies:  # listen first, look then: no change is missed
            mask = self._mask(rt)
            code.store(mask, rt.silicon.address("EXTI_PR"), comment="what bounced is past")
            code.store(mask, rt.silicon.address("EXTI_IMR"), comment="listen again")
        told = self.told
        for port, cell in self._last.items():
            mine = [s for s in told if rt.silicon.port(s.line.pin) == port]
            code.load("r0", rt.silicon.address(f"{port}_IDR"), "the levels now")
            with code.live("r0"):
                last = rt.hold(cell, "r1", "the levels before")
                if last != "r1":
                    code.op(f"movs r1, {last}")
                code.op("eors r1, r0", "what has changed")
                rt.keep(cell, "r0")
                if self._changed is not None:
                    rt.keep(self._changed, "r1")
            for source in mine:
                self._tell(rt, source, cell)
        code.label(skip)

    def _tell(self, rt: Runtime, source: _Source, cell: Cell) -> None:
        code, line = rt.code, source.line
        shift = 31 - rt.silicon.index(line.pin)
        same = code.unique("same")
        if self._changed is None:
            code.op(f"lsls r1, r1, #{shift}", f"has {line.name} changed?")
            code.branch("bpl", same)
            code.op(f"lsls r0, r0, #{shift}", f"{line.name}: high?")
        else:
            changed = rt.hold(self._changed, "r1")
            code.op(f"lsls r1, {changed}, #{shift}", f"has {line.name} changed?")
            code.branch("bpl", same)
            levels = rt.hold(cell, "r0")
            code.op(f"lsls r0, {levels}, #{shift}", f"{line.name}: high?")
        pressed = list(source.pressed)
        if source.presses is not None:
            counter = source.presses
            pressed.insert(0, lambda: _count(rt, counter))
        on_high, on_low = (pressed, source.released) if line.active else (source.released, pressed)
        if not on_low or not on_high:
            code.branch("bpl" if on_high else "bmi", same, "that is of no interest")
            for action in on_high or on_low:
                action()
        else:
            high = code.unique("high")
            code.branch("bmi", high)
            for action in on_low:
                action()
            code.branch("b", same)
            code.label(high)
            for action in on_high:
                action()
        code.label(same)


def _count(rt: Runtime, cell: Cell) -> None:
    value = rt.hold(cell, "r0")
    rt.code.op(f"adds {value}, #1", cell.name)
    rt.keep(cell, value)
