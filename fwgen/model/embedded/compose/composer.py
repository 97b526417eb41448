"""From a Program to machine code: choose how each job is done, deal out the chip, and build.

    rules ──▶ jobs ──▶ waves (timers that drive pins by themselves)
                  └──▶ blocks (woken by alarms, edges and transmitters) ──▶ one loop

The choice is always the same: what the core need not do at all comes first; of what is left, the
fewest bytes. Same program, same bytes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from fwgen.errors import ModelError
from fwgen.image.emission import CodeLine, Emission
from fwgen.model.embedded.behaviour import AtBoot, OnEdge, Say, Uptime
from fwgen.model.embedded.compose.blocks.act import Act
from fwgen.model.embedded.compose.blocks.crowd import Crowd
from fwgen.model.embedded.compose.blocks.edges import SETTLE_PS
from fwgen.model.embedded.compose.blocks.later import Later, split_delay
from fwgen.model.embedded.compose.blocks.mirror import Copy
from fwgen.model.embedded.compose.blocks.solo import Solo, timeline
from fwgen.model.embedded.compose.blocks.walk import Beats, Steps, Toggler
from fwgen.model.embedded.compose.blocks.wave import Dealt, WaveBlock, deal, fits
from fwgen.model.embedded.compose.direct import better, unhurried
from fwgen.model.embedded.compose.jobs import Do, Mirror, Walk, lower, merged, split, still
from fwgen.model.embedded.compose.rates import Tick, choose_tick
from fwgen.model.embedded.compose.runtime import Alarm, Runtime
from fwgen.model.embedded.compose.silicon import Silicon
from fwgen.units import PS_PER_MS, PS_PER_US, show_duration, show_frequency

if TYPE_CHECKING:
    from collections.abc import Callable

    from fwgen.board.types import Board
    from fwgen.model.embedded.behaviour import Line, Program
    from fwgen.model.embedded.compose.blocks.base import Block
    from fwgen.model.embedded.compose.jobs import Job
    from fwgen.model.embedded.compose.silicon import Timer

BLOCKS: tuple[type[Block], ...] = (Toggler, Beats, Steps, Act, Copy)
"""Every way to do a job that needs the core; a new one is a new file and a name here."""

SHORTEST_PS = 50 * PS_PER_US  # between two alarms: a pass of the loop takes some 10 us
CROWDED_PS = PS_PER_MS // 2  # the same, when others may be served first


@dataclass(frozen=True, slots=True)
class Choice:
    """How one job is done, with what, and why: one line of the plan."""

    clause: str
    how: str
    uses: tuple[str, ...] = ()

    def __str__(self) -> str:
        with_what = f" [{', '.join(self.uses)}]" if self.uses else ""
        return f"{self.clause}: {self.how}{with_what}" if self.clause else f"{self.how}{with_what}"


@dataclass(frozen=True, slots=True)
class Plan:
    """All choices, and what the core has to do with it.

    ``hands_off``: timers do everything, the core sleeps for ever.
    """

    choices: tuple[Choice, ...]
    hands_off: bool
    clock_hz: int

    def __str__(self) -> str:
        sleep = (
            "The core sleeps for ever: no interrupt is enabled."
            if self.hands_off
            else "Between events the core sleeps (WFI); interrupts wake it but are never taken."
        )
        clock = f"Clock: HSI, {show_frequency(self.clock_hz * 1000)}."
        return "\n".join((clock, *(str(choice) for choice in self.choices), sleep))


def compose(program: Program, board: Board) -> Emission:
    """Machine code for a program on a board. Raises ModelError naming the clause."""
    return _chosen(program, board)[1]


def plan(program: Program, board: Board) -> Plan:
    """How ``compose`` does it, as data. Raises ModelError naming the clause."""
    return _chosen(program, board)[0]


class _TooFastError(ModelError):
    """Lines would have to be moved by the core more often than it can."""


def _chosen(program: Program, board: Board) -> tuple[Plan, Emission]:
    """The better of two strategies: blocks around a loop, or one thing straight after another."""
    silicon = Silicon(board)
    try:
        made, emission = _composed(program, board)
    except _TooFastError:
        offer = unhurried(program, silicon)
        if offer is None:
            raise
    else:
        offer = better(program, silicon, emission, [choice.uses for choice in made.choices])
        if offer is None:
            return made, emission
    choices = tuple(Choice(*choice) for choice in offer.choices)
    direct = Plan(choices, False, silicon.clock_hz)
    return direct, offer.emission(str(direct))


def _composed(program: Program, board: Board) -> tuple[Plan, Emission]:
    """Composed once to see which constants a lone loop wants, and again with these at hand."""
    silicon = Silicon(board)
    first = _Composer(program, silicon)
    result = first.run()
    if first.solo is None or not first.solo.loops:
        return result
    second = _Composer(program, silicon)
    second.often = first.often
    return min(result, second.run(), key=_awake_then_size)


def _awake_then_size(result: tuple[Plan, Emission]) -> tuple[int, int]:
    """Instructions of the loop first, for they are what keeps the core awake; then all."""
    code = result[1].units[0].lines
    loops = ("again", "turn")
    label = next(i for i, x in enumerate(code) if isinstance(x, CodeLine) and x.label in loops)
    return len(code) - label, len(code)


class _Composer:
    def __init__(self, program: Program, silicon: Silicon) -> None:
        self.program = program
        self.silicon = silicon
        self.rt = Runtime(silicon)
        self.jobs: tuple[Job, ...] = tuple(still(job) for job in lower(program))
        self.waves: tuple[WaveBlock, ...] = ()
        self.blocks: list[Block] = []
        self.crowd: Crowd | None = None
        self.solo: Solo | None = None
        self.rest: tuple[Job, ...] = ()
        self.often: tuple[int, ...] = ()
        self._coarse = False  # whether ticks may be long, for want of timers

    def run(self) -> tuple[Plan, Emission]:
        self._check_pins()
        self._share_out()
        self._react()
        for block in self.blocks:
            block.claim(self.rt)
        self._after_claims()
        for wave in self.waves:
            wave.prepare(self.rt.setup, self.silicon.clock_hz)
        for block in self.blocks:
            block.prepare(self.rt)
        if self.solo is not None:
            self.solo.prepare()
        for speech in self.rt.ports.values():
            speech.claim(self.rt)
        return self._plan(), self._emission()

    # ------------------------------------------------------------------ what is asked of the pins

    def _check_pins(self) -> None:
        outputs: dict[str, Job] = {}
        inputs: dict[str, str] = {}
        for job in self.jobs:
            for line in job.lines:
                self.silicon.pin(line.pin, job.clause)
                outputs[line.pin] = job
        for rule in self.program.rules:
            for source in _sources(rule.action, rule.start, rule.gate):
                self.silicon.pin(source.pin, rule.clause)
                inputs[source.pin] = rule.clause
            if isinstance(rule.action, Say):
                pin, _ = self.silicon.transmitter(rule.action.port, rule.clause)
                if pin in outputs:
                    raise ModelError(
                        f"{pin} sends what {rule.action.port} says, it cannot do anything else",
                        where=outputs[pin].clause or None,
                    )
        for pin in inputs:
            if pin in outputs:
                raise ModelError(
                    f"{pin} cannot be an input and an output at once", where=inputs[pin] or None
                )

    # ------------------------------------------------------------------ who does what

    def _share_out(self) -> None:
        """Waves to timers, the rest to blocks; alarms to the timers that are left."""
        parts: list[Job] = []
        for job in self.jobs:
            pieces = split(job)
            parts += pieces if all(fits(piece) for piece in pieces) else (job,)
        count: dict[str, int] = {}
        for part in parts:
            for line in part.lines:
                count[line.pin] = count.get(line.pin, 0) + 1
        free = frozenset(
            i for i, part in enumerate(parts)
            if fits(part) and all(count[line.pin] == 1 for line in part.lines)
        )  # fmt: skip
        wide = [t for t in self.silicon.timers if t.width == 32 and t.channels]
        choices: list[tuple[int, int, Dealt]] = []
        for self._coarse in (False, True):
            for number, spared in enumerate(_spare_sets(wide)):
                dealt = deal(tuple(parts), free, self.silicon, spared)
                taken = {wave.output.timer.name for wave in dealt.waves}
                left = [t for t in wide if t.name not in taken]
                if self._enough(dealt, left):
                    choices.append((len(dealt.rest), number, dealt))
            if choices:
                break
        if not choices:
            raise ModelError(
                "too much at once: this needs more compare channels than the 32-bit timers of "
                f"{self.silicon.chip.title} have",
                hint="leave out some of what buttons start, or what ends by itself",
            )
        dealt = min(choices, key=lambda choice: choice[:2])[2]
        self.waves = dealt.waves
        taken = {wave.output.timer.name for wave in dealt.waves}
        left = [t for t in wide if t.name not in taken]
        if self._alone(dealt.rest, [t.name for t in left]):
            return
        self.blocks = self._build(dealt.rest)
        self._find_rivals()
        self._deal_alarms(left)

    def _alone(self, rest: tuple[Job, ...], timers: list[str]) -> bool:
        """Whether all that is left for the core is one course of events; then it is Solo's."""
        course = timeline(tuple(merged(list(rest))))
        if course is None or not Solo.fits(course, self.silicon.clock_hz, timers):
            return False
        self.rest = rest
        self.solo = Solo(course, self.rt, timers)
        return True

    def _build(self, rest: tuple[Job, ...]) -> list[Block]:
        made: list[Block] = []
        names: dict[str, int] = {}
        for whole in merged(list(rest)):
            job, delay = split_delay(whole)
            bids = [
                (bid.bytes, n)
                for n, kind in enumerate(BLOCKS)
                if (bid := kind.bid(job, self.silicon))
            ]
            if not bids:
                raise ModelError("I know no way to do this", where=job.clause or None)
            kind = BLOCKS[min(bids)[1]]
            stem = kind.__name__.lower()
            names[stem] = names.get(stem, 0) + 1
            block = kind(job, f"{stem}{names[stem]}")
            if delay is not None:
                later = Later(delay, f"{block.label}_later")
                later.target = block
                made.append(later)
            made.append(block)
        return made

    def _demand(self, blocks: list[Block]) -> int:
        """How many alarms are needed."""
        return sum(block.make_alarm() is not None for block in blocks) + self._settles

    @property
    def _settles(self) -> bool:
        return any(
            isinstance(rule.start, OnEdge) or rule.gate is not None for rule in self.program.rules
        ) or any(
            type(part).__name__ == "Presses"
            for rule in self.program.rules
            if isinstance(rule.action, Say)
            for part in rule.action.parts
        )

    @property
    def _tells_time(self) -> bool:
        return any(
            isinstance(part, Uptime)
            for rule in self.program.rules
            if isinstance(rule.action, Say)
            for part in rule.action.parts
        )

    def _enough(self, dealt: Dealt, left: list[Timer]) -> bool:
        wanted = self._demand(self._build(dealt.rest))
        channels = sum(t.channels for t in left)
        if self._tells_time:
            if not left:
                return False
            if not wanted or not self._shares_ms(dealt.rest):
                channels -= left[-1].channels  # a timer for the milliseconds alone
        return channels >= min(wanted, self._settles + 1)  # the settling's own, and a crowd's

    def _shares_ms(self, rest: tuple[Job, ...]) -> bool:
        """Whether the alarms' counter can count milliseconds, too."""
        tick = self._choose_tick(self._build(rest))
        return tick.prescale * 1000 == self.silicon.clock_hz

    def _choose_tick(self, blocks: list[Block]) -> Tick:
        want = self.silicon.clock_hz // 1000 if self._tells_time else None
        durations = [ps for block in blocks for ps in block.durations()]
        ticks = 1 if all(block.from_reset for block in blocks) else 10 if self._coarse else 100
        return choose_tick(durations, self.silicon.clock_hz, ticks=ticks, want=want)

    def _deal_alarms(self, left: list[Timer]) -> None:
        rt = self.rt
        if self._settles:
            # What is held at reset matters to gates alone: a press is an edge.
            gates = any(rule.gate is not None for rule in self.program.rules)
            due = SETTLE_PS if gates else None
            rt.edges.alarm = Alarm("settling", due)
            rt.alarms.append(rt.edges.alarm)
        for block in self.blocks:
            block.alarm = block.make_alarm()
            if block.alarm:
                if any(block in other.rivals for other in self.blocks):
                    block.alarm.kept = False
                rt.alarms.append(block.alarm)
        if rt.alarms:
            rt.tick = self._choose_tick(self.blocks)
            self._check_speed()
        if self._tells_time:
            self._deal_clock(left)
        slots = [(t.name, c) for t in left for c in range(1, t.channels + 1)]
        if len(rt.alarms) > len(slots):
            self._gather(slots)
        hard = [alarm for alarm in rt.alarms if alarm.soft is None]
        for alarm, (timer, channel) in zip(hard, slots, strict=False):
            alarm.timer, alarm.channel = timer, channel
        if self.crowd is not None:
            for member in self.crowd.members:
                assert member.alarm is not None
                member.alarm.timer = self.crowd.alarm.timer
                member.alarm.channel = self.crowd.alarm.channel
        for timer in rt.timers():
            rt.use(timer, 6)

    def _gather(self, slots: list[tuple[str, int]]) -> None:
        """Make enough alarms share the last channel."""
        rt = self.rt
        able = [block for block in self.blocks if block.alarm]
        able.sort(key=lambda block: not (block.alarm and block.alarm.kept))
        over = len(rt.alarms) - len(slots) + 1
        chosen = able[:over]
        members = [block for block in self.blocks if block in chosen]
        dues = [b.alarm.due_ps for b in members if b.alarm and b.alarm.due_ps is not None]
        shared = Alarm("crowd", min(dues, default=None))
        self.crowd = Crowd(shared, members)
        waiting = 0
        passing = [b.alarm for b in members if b.alarm and not b.alarm.kept]
        for number, alarm in enumerate(passing):
            alarm.number = number
            waiting |= (alarm.due_ps is not None) << number
        if len(passing) > 32:
            raise ModelError("more than 32 things that end by themselves")
        armed = rt.cell("who waits", waiting) if passing else None
        for member in members:
            assert member.alarm is not None
            due = rt.ticks(member.alarm.due_ps) if member.alarm.due_ps is not None else 0
            member.alarm.soft = rt.cell(f"{member.label} due", due)
            member.alarm.armed = armed
        rt.alarms.append(shared)

    def _deal_clock(self, left: list[Timer]) -> None:
        """The timer that counts milliseconds: the alarms', or one of its own."""
        rt = self.rt
        per_ms = self.silicon.clock_hz // 1000
        if rt.tick is not None and rt.tick.prescale == per_ms:
            rt.uptime = left[0].name
            return
        if rt.tick is None:
            rt.tick = Tick(per_ms, self.silicon.clock_hz)
        own = left.pop()
        rt.uptime = own.name
        from fwgen.model.embedded.compose.setup import Stage

        setup = rt.setup
        setup.clock(own.name)
        setup.ask(
            f"{own.name}_PSC", per_ms - 1, Stage.VALUE, mask=0xFFFF, text="CLK / 1000 - 1",
            note="counts milliseconds",
        )  # fmt: skip
        setup.ask(f"{own.name}_EGR", 1, Stage.MODE, note="the prescaler takes effect")
        setup.ask(f"{own.name}_CR1", 1, Stage.START, note=f"{own.name} counts")

    def _check_speed(self) -> None:
        """What goes through the core cannot be arbitrarily fast."""
        alone = len(self.rt.alarms) == 1 and not self.rt.ports
        limit = SHORTEST_PS if alone else CROWDED_PS
        for block in self.blocks:
            for ps in block.durations():
                if ps < limit:
                    raise _TooFastError(
                        f"{show_duration(ps, 3)} is too short for a line that the core moves",
                        where=block.job.clause or None,
                        hint=f"at least {show_duration(limit, 3)}, or a pin that a free timer "
                        "can drive by itself",
                    )

    # ------------------------------------------------------------------ who ends whom

    def _find_rivals(self) -> None:
        """A job that begins on lines over which another walks ends that walk."""
        for block in self.blocks:
            for other in self.blocks:
                shared = set(block.job.lines) & set(other.job.lines)
                if block is other or not shared or not isinstance(other.job, Walk):
                    continue
                if _runs_when_begins(other, block):
                    if not set(other.job.lines) <= set(block.job.lines):
                        names = ", ".join(sorted(line.name for line in shared))
                        raise ModelError(
                            f"{names} cannot be taken out of a pattern that goes on",
                            where=block.job.clause or None,
                            hint="say what all lines of the pattern should do",
                        )
                    block.rivals.append(other)

    # ------------------------------------------------------------------ what edges cause

    def _react(self) -> None:
        rt, edges = self.rt, self.rt.edges
        delayed = [block.target for block in self.blocks if isinstance(block, Later)]
        for block in self.blocks:
            start, gate = block.when.start, block.when.gate
            if isinstance(block.job, Mirror) or block in delayed:
                continue
            if isinstance(start, OnEdge):
                source = edges.settled(rt, start.source)
                actions = source.pressed if start.pressed else source.released
                actions.append(self._starter(block))
            elif gate is not None:
                if start.after_ps:
                    raise ModelError(
                        "a condition and a later start do not go together yet",
                        where=block.job.clause or None,
                        hint="leave out one of them",
                    )
                source = edges.settled(rt, gate.source)
                actions = source.released if gate.invert else source.pressed
                actions.append(self._starter(block))
                if gate.invert:  # at reset nothing is held, until it is seen otherwise
                    rt.at_boot.append(self._starter(block))
            if gate is not None:
                source = edges.settled(rt, gate.source)
                (source.pressed if gate.invert else source.released).append(self._stopper(block))

    def _starter(self, block: Block) -> Callable[[], None]:
        rt = self.rt

        def start() -> None:
            gate = block.when.gate
            if gate is None or not isinstance(block.when.start, OnEdge):
                block.start(rt)
                return
            closed = rt.code.unique("closed")
            rt.edges.unless_held(rt, gate, closed)
            block.start(rt)
            rt.code.label(closed)

        return start

    def _stopper(self, block: Block) -> Callable[[], None]:
        return lambda: block.stop(self.rt)

    def _after_claims(self) -> None:
        rt = self.rt
        rt.edges.claim(rt)
        if rt.irqs or rt.alarms:
            rt.use("NVIC", 2)

    # ------------------------------------------------------------------ the code

    def _emission(self) -> Emission:
        rt, code = self.rt, self.rt.code
        if self.solo is not None:
            rt.masked = bool(self.solo.waits)
            self.solo.occupy()
            rt.settle_registers()
            self.solo.pin_constants(self.often)
            rt.begin()
            code.wanted.clear()
            self.solo.emit()
            bases = set(rt.uses)
            self.often = tuple(
                v for v, _ in sorted(code.wanted.items(), key=lambda x: (-x[1], x[0]))
                if v not in bases
            )  # fmt: skip
            return self._linkable()
        for alarm in rt.alarms:
            irq = next((t.irq for t in self.silicon.timers if t.name == alarm.timer), None)
            if irq is not None:
                rt.irqs.add(irq)
        rt.settle_registers()
        if rt.edges.copies and not rt.alarms and not rt.ports:
            rt.edges.pin_constants(rt)
            rt.begin()
            rt.edges.only_copy(rt)
            return self._linkable()
        rt.begin()
        rt.sleep()
        for speech in rt.ports.values():
            speech.service(rt)
        rt.edges.service(rt)
        shared = self.crowd.members if self.crowd else []
        own = [block for block in self.blocks if block not in shared]
        for timer in rt.timers():
            rt.take_flags(timer)
            if rt.edges.alarm is not None and rt.edges.alarm.timer == timer:
                rt.edges.settle(rt)
            for block in own:
                if block.alarm is not None and block.alarm.timer == timer:
                    block.service(rt)
            if self.crowd is not None and self.crowd.alarm.timer == timer:
                self.crowd.service(rt)
        code.branch("b", "idle")
        return self._linkable()

    def _linkable(self) -> Emission:
        rt, code = self.rt, self.rt.code
        tables = sorted(rt.tables, key=lambda unit: unit.kind != "words")
        units = code.units("reset", "bring up the chip, then sleep and serve", tables)
        return Emission(str(self._plan()), units, (("Reset", "reset"),))

    def _plan(self) -> Plan:
        choices = []
        for wave in self.waves:
            timer = wave.output.timer.name
            rate = f"{wave.wave.period} ticks of {wave.wave.prescale} clocks"
            error = f", off by {float(wave.wave.error_ppm):.2g} ppm" if wave.wave.error_ppm else ""
            choices.append(
                Choice(
                    wave.job.clause,
                    f"{timer} drives {wave.line.pin} by itself in PWM mode, {rate}{error}",
                    (timer, wave.line.pin),
                )
            )
        if self.solo is not None:
            by = "SysTick" if self.solo.systick else self.solo.timer
            for job in self.rest:
                pins = tuple(line.pin for line in job.lines)
                how = f"the core, alone: straight code, woken by {by} for each change"
                if not self.solo.waits:
                    how = "set at reset, for ever"
                choices.append(Choice(job.clause, how, (*pins, by) if self.solo.waits else pins))
        for block in self.blocks:
            alarm = block.alarm
            uses = [line.pin for line in block.job.lines]
            if alarm is not None and alarm.timer:
                uses.append(
                    f"{alarm.timer} channel {alarm.channel}" if alarm.channel else alarm.timer
                )
            bid = block.bid(block.job, self.silicon)
            why = f" ({bid.why})" if bid and bid.why != block.name else ""
            choices.append(Choice(block.job.clause, f"{block.name}{why}", tuple(uses)))
        return Plan(tuple(choices), not (self.rt.irqs or self.rt.masked), self.silicon.clock_hz)


def _sources(action: object, start: object, gate: object) -> list[Line]:
    found: list[Line] = []
    for thing in (action, start, gate):
        source = getattr(thing, "source", None)
        if source is not None:
            found.append(source)
    for part in getattr(action, "parts", ()):
        source = getattr(part, "source", None)
        if source is not None:
            found.append(source)
    return found


def _spare_sets(wide: list[Timer]) -> list[frozenset[str]]:
    """Which timers to keep from waves: none, each alone, all."""
    names = [t.name for t in wide]
    sets = [frozenset[str](), *(frozenset((name,)) for name in names)]
    return [*sets, frozenset(names)] if len(names) > 1 else sets


def _runs_when_begins(walk: Block, other: Block) -> bool:
    """Whether ``walk`` may be running when ``other`` begins (and is not merely still to come)."""
    one, two = walk.when.start, other.when.start
    if isinstance(other.job, Do) and other.from_reset and two.after_ps == 0:
        return False
    if not (walk.from_reset and other.from_reset):
        return isinstance(two, OnEdge) or isinstance(one, OnEdge) or not walk.from_reset
    assert isinstance(one, AtBoot)
    if one.after_ps >= two.after_ps:
        return False
    job = walk.job
    assert isinstance(job, Walk)
    if job.times is None:
        return True
    length = job.times * sum(s.duration_ps for s in job.steps) + sum(
        s.duration_ps for s in job.tail
    )
    return one.after_ps + length > two.after_ps
