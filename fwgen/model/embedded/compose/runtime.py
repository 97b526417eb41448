"""The runtime: the core sleeps, something happens, it looks what, acts, and sleeps again.

    idle:   clear pending bits in the NVIC
            wfi
            edges?   alarms?   bytes to send?
            b idle

PRIMASK is set for ever. An enabled interrupt that becomes pending still ends WFI (Arm ARM
DDI0403 B1.5.19), but is never taken: no vector table beyond the two words that reset needs, no
exception entry and exit (24 cycles), no handlers that interrupt one another, nothing to save.
A peripheral's flag is cleared when it is seen and the NVIC's pending bit just before WFI; a flag
that is raised in between holds its line, and a line that is held stays pending (B3.4.5), so
nothing is ever lost.

**Alarms.** A 32-bit timer runs free; each of its compare channels is the alarm of one block. An
alarm that goes on is moved by its duration from where it *was* due, so nothing drifts, however
late the core came.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from fwgen.errors import ModelError
from fwgen.model.embedded.compose.assembler import PINNABLE, Assembler
from fwgen.model.embedded.compose.setup import Setup, Stage

if TYPE_CHECKING:
    from collections.abc import Callable

    from fwgen.image.emission import Unit
    from fwgen.model.embedded.behaviour import Line
    from fwgen.model.embedded.compose.blocks.edges import Edges
    from fwgen.model.embedded.compose.blocks.speech import Speech
    from fwgen.model.embedded.compose.rates import Tick
    from fwgen.model.embedded.compose.silicon import Silicon

_HIGH = ("r8", "r9", "r10", "r11", "r12")
_ONES = 0xFFFFFFFF
_FLAGS = 0x1E  # SR: CC1IF to CC4IF; writing 1 keeps one, the others are of no interest


@dataclass(slots=True)
class Cell:
    """A variable: in a register, or a word of the stack."""

    name: str
    initial: int | str  # a number, or the label of a table ...
    plus: int = 0  # ... and so many bytes into it
    place: str = ""  # "r4", "r8", or "" for the stack
    offset: int = 0
    weight: int = 1

    @property
    def low(self) -> bool:
        """Whether it lives in a register that every instruction can name."""
        return len(self.place) == 2 and self.place < "r8"


@dataclass(slots=True)
class Alarm:
    """A moment that a block waits for: a compare channel, or (``soft``) a cell in a crowd.

    ``due_ps`` is when it first comes after reset, None when something else arms it.
    ``now``: it comes at once. ``kept``: it is armed for ever once it is.
    """

    owner: str
    due_ps: int | None = None
    now: bool = False
    kept: bool = True
    timer: str = ""
    channel: int = 0
    soft: Cell | None = None
    armed: Cell | None = None  # a crowd's word of who waits; bit ``number`` is this one's
    number: int = 0

    @property
    def bit(self) -> int:
        """Its flag in SR, its enable in DIER and its trigger in EGR."""
        return 1 << self.channel


@dataclass(slots=True)
class Runtime:
    """What blocks build with: the assembler, the setup, and the resources dealt out."""

    silicon: Silicon
    tick: Tick | None = None
    code: Assembler = field(init=False)
    setup: Setup = field(init=False)
    cells: list[Cell] = field(default_factory=list)
    alarms: list[Alarm] = field(default_factory=list)
    irqs: set[int] = field(default_factory=set)
    uses: dict[int, int] = field(default_factory=dict)
    tables: list[Unit] = field(default_factory=list)
    buffer: int = 0  # bytes of the stack that are no cells
    flags: str = "r0"
    at_boot: list[Callable[[], None]] = field(default_factory=list)
    stack: list[tuple[int, int, str]] = field(default_factory=list)  # offset, value, what for
    levels: dict[Line, int] = field(default_factory=dict)  # how lines begin
    edges: Edges = field(init=False)
    ports: dict[str, Speech] = field(default_factory=dict)
    masked: bool = False  # whether PRIMASK must be set though the NVIC enables nothing
    uptime: str = ""  # the timer that counts milliseconds

    def __post_init__(self) -> None:
        from fwgen.model.embedded.compose.blocks.edges import Edges

        self.edges = Edges()
        self.code = Assembler(self.silicon.facts)
        self.setup = Setup(self.silicon)

    def speech(self, port: str) -> Speech:
        """Who speaks on a serial port."""
        from fwgen.model.embedded.compose.blocks.speech import Speech

        return self.ports.setdefault(port, Speech(port))

    # ------------------------------------------------------------------ claims

    def cell(self, name: str, initial: int | str = 0, *, plus: int = 0, weight: int = 1) -> Cell:
        """A new variable."""
        cell = Cell(name, initial, plus, weight=weight)
        self.cells.append(cell)
        return cell

    def use(self, peripheral: str, times: int = 1) -> None:
        """Blocks will address this peripheral so often in the loop."""
        base = self.silicon.chip.peripherals[peripheral].base
        self.uses[base] = self.uses.get(base, 0) + times

    def wake_by(self, irq: int) -> None:
        """An interrupt that ends sleep."""
        self.irqs.add(irq)
        self.setup.interrupt(irq)

    def base(self, peripheral: str) -> int:
        """A peripheral's base address."""
        return self.silicon.chip.peripherals[peripheral].base

    def settle_registers(self) -> None:
        """Deal out registers: the busiest bases and cells get the low ones."""
        free = [register for register in PINNABLE if register not in self.code.busy]
        several = any(len([a for a in self.alarms if a.timer == t]) > 1 for t in self.timers())
        if several:
            self.flags = free.pop()
            self.code.occupy(self.flags)
        wanted: list[tuple[int, int, int | Cell]] = [
            (-count, base, base) for base, count in self.uses.items() if count > 1
        ]
        wanted += [(-2 * c.weight, -1 - i, c) for i, c in enumerate(self.cells) if c.weight > 1]
        wanted.sort(key=lambda item: (item[0], item[1]))
        for _, _, thing in wanted[: len(free)]:
            register = free.pop(0)
            if isinstance(thing, Cell):
                thing.place = register
                self.code.occupy(register)
            else:
                self.code.pin(register, thing)
        high = list(_HIGH)
        offset = self.buffer
        for cell in self.cells:
            if cell.place:
                continue
            if high:
                cell.place = high.pop(0)
            else:
                cell.offset = offset
                offset += 4
        self.buffer = offset

    def timers(self) -> list[str]:
        """The timers that alarms run on, in the order in which they were dealt."""
        return list(dict.fromkeys(a.timer for a in self.alarms if a.timer))

    # ------------------------------------------------------------------ cells

    def hold(self, cell: Cell, register: str, comment: str = "") -> str:
        """A low register with the cell's value: its own, or ``register`` after a load."""
        if cell.low:
            return cell.place
        note = comment or cell.name
        if cell.place:
            self.code.op(f"mov {register}, {cell.place}", note)
        else:
            self.code.op(f"ldr {register}, [sp, #{cell.offset}]", note)
        return register

    def keep(self, cell: Cell, register: str, comment: str = "") -> None:
        """Give the cell the value of a low register."""
        if cell.place == register:
            return
        if cell.place:
            self.code.op(f"mov {cell.place}, {register}", comment or cell.name)
        else:
            self.code.op(f"str {register}, [sp, #{cell.offset}]", comment or cell.name)

    def point(self, cell: Cell, label: str, plus: int = 0) -> None:
        """Make the cell point into a table."""
        low = cell.place if cell.low else "r2"
        self.code.address(low, label, plus, cell.name)
        self.keep(cell, low)

    def fill(self, cell: Cell, value: int, comment: str = "") -> None:
        """Give the cell a constant."""
        if cell.low:
            if value < 256:
                self.code.op(f"movs {cell.place}, #{value}", comment or cell.name)
            else:
                self.code.op(f"mov {cell.place}, {self.code.have(value)}", comment or cell.name)
            return
        self.keep(cell, self.code.have(value), comment)

    # ------------------------------------------------------------------ alarms

    def ccr(self, alarm: Alarm) -> int:
        """The address of an alarm's compare register."""
        return self.silicon.address(f"{alarm.timer}_CCR{alarm.channel}")

    def reg(self, timer: str, register: str) -> int:
        """The address of a timer's register."""
        return self.silicon.address(f"{timer}_{register}")

    def ticks(self, ps: int) -> int:
        """A duration in ticks of the alarms' counter."""
        if self.tick is None:
            raise ModelError("nothing counts time here")
        return self.tick.ticks(ps)

    def unless_due(self, alarm: Alarm, skip: str) -> None:
        """Go to ``skip`` unless the alarm has come."""
        if alarm.soft is not None:
            if not alarm.kept:
                assert alarm.armed is not None
                armed = self.hold(alarm.armed, "r0")
                self.code.op(f"lsls r0, {armed}, #{31 - alarm.number}")
                self.code.branch("bpl", skip, f"{alarm.owner} is not armed")
            due = self.hold(alarm.soft, "r1")
            self.code.load("r0", self.reg(alarm.timer, "CNT"), "now", keep=due)
            self.code.op(f"subs r0, r0, {due}")
            self.code.branch("bmi", skip, f"{alarm.owner} is not due")
            return
        self.code.op(f"lsls r0, {self.flags}, #{31 - alarm.channel}", f"CC{alarm.channel}IF")
        self.code.branch("bpl", skip, f"{alarm.owner} is not due")

    def advance(self, alarm: Alarm, amount: int | str, comment: str = "") -> None:
        """Move an alarm on from where it was due, by a constant or a register (not r3)."""
        note = comment or f"due again so much later, {alarm.owner}"
        if alarm.soft is not None:
            due = self.hold(alarm.soft, "r3")
            if isinstance(amount, int):
                amount = self.code.have(amount, avoid=f"{due} r2")
            self.code.op(f"adds {due}, {due}, {amount}", note)
            self.keep(alarm.soft, due)
            return
        if isinstance(amount, int):
            amount = self.code.have(amount, avoid="r3 r2")
        self.code.load("r3", self.ccr(alarm), keep=f"{amount} r2 r1 r0")
        self.code.op(f"adds r3, r3, {amount}", note)
        self.code.save("r3", self.ccr(alarm))

    def arm(self, alarm: Alarm, after: int) -> None:
        """The alarm comes ``after`` ticks from now; 0: at once."""
        code, timer = self.code, alarm.timer
        code.load("r0", self.reg(timer, "CNT"), "now")
        if after:
            amount = code.have(after, avoid="r0")
            code.op(f"adds r0, r0, {amount}")
        if alarm.soft is not None:
            self.keep(alarm.soft, "r0")
            if not alarm.kept:
                self._switch_soft(alarm, "orrs")
            code.store(alarm.bit, self.reg(timer, "EGR"), comment="the crowd looks again")
            return
        elif self.tick and self.tick.prescale > 1:
            code.op("subs r0, #1", "this tick has begun already")
        code.save("r0", self.ccr(alarm), comment=f"{alarm.owner} is due")
        if after:
            code.store(_FLAGS ^ alarm.bit, self.reg(timer, "SR"), comment="not for an older match")
        if not alarm.kept:
            self._switch(alarm, "orrs")
        if not after:
            code.store(alarm.bit, self.reg(timer, "EGR"), comment="its event, now")

    def disarm(self, alarm: Alarm) -> None:
        """The alarm does not come any more."""
        if alarm.soft is not None:
            self._switch_soft(alarm, "bics")
        else:
            self._switch(alarm, "bics")

    def _switch_soft(self, alarm: Alarm, how: str) -> None:
        assert alarm.armed is not None
        armed = self.hold(alarm.armed, "r0")
        with self.code.live(armed):
            bit = self.code.have(1 << alarm.number)
            self.code.op(f"{how} {armed}, {bit}", f"{alarm.owner}: {how}")
        self.keep(alarm.armed, armed)

    def _switch(self, alarm: Alarm, how: str) -> None:
        self.code.load("r0", self.reg(alarm.timer, "DIER"))
        bit = self.code.have(alarm.bit, avoid="r0")
        self.code.op(f"{how} r0, {bit}", f"CC{alarm.channel}IE")
        self.code.save("r0", self.reg(alarm.timer, "DIER"))

    # ------------------------------------------------------------------ lines

    def drive(self, levels: dict[Line, int], comment: str) -> None:
        """Put lines on (1) or off (0), all of one port at once."""
        for port, word in self.bsrr(levels).items():
            self.code.store(word, self.silicon.address(f"{port}_BSRR"), comment=comment)

    def bsrr(self, levels: dict[Line, int]) -> dict[str, int]:
        """The word for each port's BSRR that puts lines on or off."""
        words: dict[str, int] = {}
        for line, level in levels.items():
            port, index = self.silicon.port(line.pin), self.silicon.index(line.pin)
            high = level == line.active
            words[port] = words.get(port, 0) | 1 << (index if high else index + 16)
        return words

    def toggle(self, lines: tuple[Line, ...], comment: str) -> None:
        """Turn lines round."""
        masks: dict[str, int] = {}
        for line in lines:
            port = self.silicon.port(line.pin)
            masks[port] = masks.get(port, 0) | 1 << self.silicon.index(line.pin)
        for port, mask in masks.items():
            odr = self.silicon.address(f"{port}_ODR")
            with self.code.live("r0"):
                self.code.load("r0", odr)
                bit = self.code.have(mask)
                self.code.op(f"eors r0, {bit}", comment)
                self.code.save("r0", odr)

    # ------------------------------------------------------------------ the loop

    def begin(self) -> None:
        """From reset to the first sleep."""
        code = self.code
        if self.irqs or self.masked:
            code.op("cpsid i", "interrupts wake, but are never taken")
        for alarm in self.alarms:
            self._set_up(alarm)
        for number, timer in enumerate(self.timers()):
            self._start(timer, number)
        for line, level in self.levels.items():
            self.setup.level(line.pin, line.active if level else 1 - line.active)
        self.setup.emit(code)
        if self.buffer:
            code.op(f"sub sp, #{self.buffer}", "room for what does not fit in registers")
        for offset, value, what in self.stack:
            code.op(f"str {code.have(value)}, [sp, #{offset}]", what)
        for cell in self.cells:
            self._initialise(cell)
        code.load_pins()
        for action in self.at_boot:
            action()

    def _set_up(self, alarm: Alarm) -> None:
        setup, timer = self.setup, alarm.timer
        if alarm.soft is None:
            if alarm.kept or alarm.now or alarm.due_ps is not None:
                setup.ask(f"{timer}_DIER", alarm.bit, Stage.MODE, note=alarm.owner)
            if alarm.due_ps is not None:
                ticks = self.ticks(alarm.due_ps)
                setup.ask(
                    f"{timer}_CCR{alarm.channel}", ticks, Stage.VALUE, mask=_ONES,
                    note=f"{alarm.owner} is first due",
                )  # fmt: skip
            if alarm.now:
                setup.ask(f"{timer}_EGR", alarm.bit, Stage.MODE, note=f"{alarm.owner}, at once")

    def _start(self, timer: str, number: int) -> None:
        setup = self.setup
        setup.clock(timer)
        if self.tick and self.tick.prescale > 1:
            setup.ask(
                f"{timer}_PSC", self.tick.prescale - 1, Stage.VALUE, mask=0xFFFF,
                note=f"a tick is {self.tick.prescale} clocks",
            )  # fmt: skip
            setup.ask(f"{timer}_EGR", 1, Stage.MODE, note="the prescaler takes effect")
        setup.ask(f"{timer}_CR1", 1, Stage.START, note=f"{timer} counts")
        irq = next(t.irq for t in self.silicon.timers if t.name == timer)
        if irq is None:
            raise ModelError(f"{timer} has no interrupt")
        self.wake_by(irq)

    def _initialise(self, cell: Cell) -> None:
        if isinstance(cell.initial, str):
            self.point(cell, cell.initial, cell.plus)
        else:
            self.fill(cell, cell.initial, f"{cell.name} = {cell.initial}")

    def sleep(self) -> None:
        """The top of the loop: nothing is pending any more; wait."""
        code = self.code
        code.label("idle")
        self.clear_pending()
        code.op("wfi", "sleep until something happens")
        code.forget()

    def clear_pending(self) -> None:
        """Nothing is pending in the NVIC but what is still raised."""
        code = self.code
        words = sorted({irq // 32 for irq in self.irqs})
        for word in words:
            exact = sum(1 << irq % 32 for irq in self.irqs if irq // 32 == word)
            value = exact if code.cost(exact) < code.cost(_ONES) else _ONES
            address = self.silicon.address(f"NVIC_ICPR{word}")
            code.store(value, address, comment=f"NVIC_ICPR{word}: seen")

    def take_flags(self, timer: str) -> None:
        """See which alarms of a timer have come, and clear them."""
        code = self.code
        mine = [a for a in self.alarms if a.timer == timer and a.soft is None]
        flags = self.flags
        code.load(flags, self.reg(timer, "SR"), "which alarms have come?")
        spare = "r1" if flags == "r0" else "r0"
        with code.live(flags):
            if len(mine) > 1:
                code.put(spare, _FLAGS)
                code.op(f"bics {spare}, {flags}")
            else:
                code.put(spare, 0)
            code.save(spare, self.reg(timer, "SR"), comment="what was seen is cleared")
        if any(not a.kept for a in mine):
            code.load(spare, self.reg(timer, "DIER"), keep=flags)
            code.op(f"ands {flags}, {spare}", "only those that are armed")
