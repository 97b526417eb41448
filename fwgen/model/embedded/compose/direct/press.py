"""One button, and what its presses and releases do: the core sleeps from edge to edge.

The first edge closes the detector's mask, and the SysTick waits until the contact has come to
rest; then the detector listens again, and whether the level is another than before is all that
matters. It listens before it looks, so that no change is missed.

    reactions   lines put on, off or round at a press or a release; timers set going (burst.py)
    waves       a timer drives a line, at one rate while the button is held, at another while not
    counting    a line of text at each press
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from fwgen.model.embedded.behaviour import AtBoot, Count, OnEdge, Presses, Put, Say
from fwgen.model.embedded.compose.blocks.edges import SETTLE_PS
from fwgen.model.embedded.compose.blocks.wave import WaveBlock
from fwgen.model.embedded.compose.direct.burst import bursts
from fwgen.model.embedded.compose.direct.ground import Beating, Ground
from fwgen.model.embedded.compose.direct.play import made_of
from fwgen.model.embedded.compose.direct.sharp import modified
from fwgen.model.embedded.compose.direct.tell import Speaker, open_port, texts, wire
from fwgen.model.embedded.compose.jobs import Do, Walk
from fwgen.model.embedded.compose.rates import Wave, cycles, over_clock, wave
from fwgen.model.embedded.compose.setup import Stage

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fwgen.model.embedded.behaviour import Line
    from fwgen.model.embedded.compose.direct.burst import Burst
    from fwgen.model.embedded.compose.direct.play import Made
    from fwgen.model.embedded.compose.direct.sharp import Sharp
    from fwgen.model.embedded.compose.jobs import Job
    from fwgen.model.embedded.compose.silicon import Silicon

_SECONDS = 3.0  # what runs once is thought to run once in so long ...
_MANY = 100_000  # counts: of these one more or less is nothing
_EDGES = 2.0  # ... and edges to come so often a second


def press(jobs: Sequence[Job], beside: Sequence[WaveBlock], silicon: Silicon) -> list[Made]:
    """Every way to do what one button causes, and the waves ``beside`` it.

    None where there is more to do than that.
    """
    taken = frozenset(block.output.timer.name for block in beside)
    for kind in (_Reactions, _Waves, _Counting):
        doer = kind.of(jobs, silicon, taken)
        if doer is not None:
            build = partial(doer.build, beside=beside)
            return list(made_of(doer.how, silicon, Beating(1, ()), build, seconds=_SECONDS))
    return []


class _Edges:
    """The part that all share."""

    how = ""

    def __init__(self, source: Line, silicon: Silicon) -> None:
        self.source, self.silicon = source, silicon
        self.index = silicon.index(source.pin)
        self.irq = silicon.edge_irq(self.index)

    def watch(self, ground: Ground) -> None:
        """Edges of the source end sleep."""
        setup, silicon, line = ground.setup, self.silicon, self.source
        port = silicon.port(line.pin)
        setup.clock("SYSCFG")
        setup.clock(port)
        shift = 4 * (self.index % 4)
        number = ord(silicon.chip.pins[line.pin].port) - ord("A")
        setup.ask(
            f"SYSCFG_EXTICR{self.index // 4 + 1}", number << shift, Stage.VALUE,
            mask=15 << shift, note=f"line {self.index}: {line.pin}",
        )  # fmt: skip
        for edge in ("RTSR", "FTSR"):
            setup.ask(f"EXTI_{edge}", 1 << self.index, Stage.VALUE, note=f"{line.name}, both edges")
        setup.ask("EXTI_IMR", 1 << self.index, Stage.MODE, note=f"{line.name} interrupts")
        if line.pull is not None:
            setup.pull(line.pin, bool(line.pull))
        setup.interrupt(self.irq)

    @property
    def settle(self) -> int:
        """Counts that a contact needs to come to rest."""
        return int(cycles(SETTLE_PS, self.silicon.clock_hz))

    def meanwhile(self, ground: Ground) -> None:
        """Code: what is needed all the time stays in registers; the SysTick knows its wait."""
        ground.code.fix("r7", self.silicon.address("SYST_CSR") & ~0xFFF, "the core's registers")
        ground.reload(self.settle)
        ground.code.fix("r6", self.silicon.chip.peripherals["EXTI"].base, "EXTI")

    def deaf(self, ground: Ground) -> None:
        """Code: edges are of no account, and none is pending."""
        code = ground.code
        code.store(0, self._exti("IMR"), comment="EXTI_IMR: deaf")
        code.store(1 << self.index, self._exti("PR"), comment="EXTI_PR: what was seen is past")
        pending = self.silicon.address(f"NVIC_ICPR{self.irq // 32}")
        code.store(1 << self.irq % 32, pending, comment="no longer pending")

    def _exti(self, register: str) -> int:
        return self.silicon.address(f"EXTI_{register}")

    def rest(self, ground: Ground) -> None:
        """Code: sleep until an edge, and then until the contact is at rest."""
        code = ground.code
        code.op("wfi", "sleep until the button moves")
        self.deaf(ground)
        ground.reload(self.settle)
        ground.run()
        ground.tick()
        ground.halt()

    def look(self, ground: Ground, level: str) -> None:
        """Code: listen again; the level into a register, its bit at the button's place."""
        code = ground.code
        idr = self.silicon.address(f"{self.silicon.port(self.source.pin)}_IDR")
        code.place(idr)  # an address that was just computed is waited for
        code.store(1 << self.index, self._exti("IMR"), comment="EXTI_IMR: listen again")
        code.load(level, idr, "and look")

    def begin_was(self, ground: Ground) -> str:
        """A register with the level before: at reset nothing is held."""
        was = ground.code.take()
        idle = 0 if self.source.active else 1 << self.index
        ground.code.op_put(was, idle, f"{self.source.name} is not held")
        return was

    def changed(self, ground: Ground, was: str, level: str, same: str) -> None:
        """Code: go to ``same`` unless the level has changed; then N tells whether it is high."""
        code = ground.code
        shift = 31 - self.index
        code.op(f"eors {was}, {level}", "what has changed")
        code.op(f"lsls {was}, {was}, #{shift}", f"has {self.source.name}?")
        code.op(f"mov {was}, {level}")
        code.branch("bpl", same)
        code.op(f"lsls {level}, {level}, #{shift}", "is it high?")

    def went(self, ground: Ground, was: str, level: str, other: str, *, high: bool) -> None:
        """Code: go to ``other`` unless the level has just gone high (or low)."""
        code = ground.code
        if high:
            scratch = code.take()
            code.op(f"bic.w {scratch}, {level}, {was}")
            code.op(f"mov {was}, {level}")
            code.op(f"lsls {scratch}, {scratch}, #{31 - self.index}", "high now, not before?")
            code.release(scratch)
        else:
            code.op(f"bics {was}, {level}")
            code.op(f"lsls {was}, {was}, #{31 - self.index}", "high before, not now?")
            code.op(f"mov {was}, {level}")
        code.branch("bpl", other)


class _Reactions(_Edges):
    """Lines put on, off or round; timers set going, which then need the core no more."""

    def __init__(
        self,
        puts: dict[bool, list[Put]],
        bursts: dict[bool, tuple[Burst, ...]],
        source: Line,
        silicon: Silicon,
    ) -> None:
        super().__init__(source, silicon)
        self.puts, self.bursts = puts, bursts  # at a release, at a press
        timers = (burst.how for way in bursts.values() for burst in way)
        self.how = "; ".join(("straight code from edge to edge", *timers))

    @classmethod
    def of(cls, jobs: Sequence[Job], silicon: Silicon, taken: frozenset[str]) -> _Reactions | None:
        """Jobs that put lines at edges of one source, or set timers going on lines of their own."""
        puts: dict[bool, list[Put]] = {False: [], True: []}
        walks: dict[bool, list[Walk]] = {False: [], True: []}
        sources: set[Line] = set()
        for job in jobs:
            start = job.when.start
            if not isinstance(start, OnEdge) or start.after_ps or job.when.gate:
                return None
            sources.add(start.source)
            if isinstance(job, Walk):
                walks[start.pressed].append(job)
            elif isinstance(job, Do) and job.every_ps is None:
                puts[start.pressed] += [action for action in job.actions if isinstance(action, Put)]
                if not all(isinstance(action, Put) for action in job.actions):
                    return None
            else:
                return None
        both = (*walks[False], *walks[True])
        pins = [line.pin for walk in both for line in walk.lines]
        pins += {put.line.pin for way in puts.values() for put in way}
        if len(sources) != 1 or len(set(pins)) < len(pins):
            return None  # what a timer drives, nothing else can: it would have to be stopped
        found = bursts(both, silicon, taken)
        if found is None:
            return None
        released, pressed = found[: len(walks[False])], found[len(walks[False]) :]
        return cls(puts, {False: released, True: pressed}, sources.pop(), silicon)

    def build(self, ground: Ground, beside: Sequence[WaveBlock]) -> None:
        """The whole program."""
        code = ground.code
        self.watch(ground)
        for way in self.bursts.values():
            for each in way:
                each.prepare(ground)
        lines = {put.line: 0 for way in self.puts.values() for put in way}
        ground.begin(beside, lines, lambda: self.meanwhile(ground))
        was, level = self.begin_was(ground), code.take()
        with code.loop("edge", _EDGES) as head:
            self.rest(ground)
            self.look(ground, level)
            if not self._reacts(pressed=True):
                self.went(ground, was, level, head, high=not self.source.active)
                self._do(ground, pressed=False)
            elif not self._reacts(pressed=False):
                self.went(ground, was, level, head, high=bool(self.source.active))
                self._do(ground, pressed=True)
            else:
                self.changed(ground, was, level, head)
                high = bool(self.source.active)
                other = code.unique("other")
                code.branch("bpl", other)
                self._do(ground, pressed=high)
                code.branch("b", head)
                code.label(other)
                self._do(ground, pressed=not high)
            code.branch("b", head)

    def _reacts(self, *, pressed: bool) -> bool:
        return bool(self.puts[pressed] or self.bursts[pressed])

    def _do(self, ground: Ground, *, pressed: bool) -> None:
        for each in self.bursts[pressed]:
            each.start(ground)
        self._put(ground, self.puts[pressed])

    def _put(self, ground: Ground, puts: list[Put]) -> None:
        code, silicon = ground.code, self.silicon
        level: dict[Line, int] = {}
        turned: dict[Line, int] = {}
        for put in puts:
            if put.level == "toggle" and put.line in level:
                level[put.line] ^= 1
            elif put.level == "toggle":
                turned[put.line] = turned.get(put.line, 0) ^ 1
            else:
                turned.pop(put.line, None)
                level[put.line] = int(put.level == "on")
        words: dict[str, int] = {}
        for line, on in level.items():
            port, index = silicon.port(line.pin), silicon.index(line.pin)
            bit = index if on == line.active else index + 16
            words[port] = words.get(port, 0) | 1 << bit
        going_on = {silicon.port(line.pin) for line, on in level.items() if on}
        for port, word in sorted(words.items(), key=lambda w: (w[0] in going_on, w[0])):
            said = ", ".join(f"{x.name} {'on' if on else 'off'}" for x, on in level.items())
            code.store(word, silicon.address(f"{port}_BSRR"), comment=said)
        masks: dict[str, int] = {}
        for line, odd in turned.items():
            port = silicon.port(line.pin)
            masks[port] = masks.get(port, 0) | odd << silicon.index(line.pin)
        for port, mask in masks.items():
            odr = silicon.address(f"{port}_ODR")
            latch = code.take()
            base, _ = code.place(odr)
            turned_by = code.have(mask, avoid=base)
            code.load(latch, odr)
            code.op(f"eors {latch}, {turned_by}", "turn round")
            code.save(latch, odr)
            code.release(latch)


class _Waves(_Edges):
    """A timer's channel on one line; edges give it another rate."""

    how = "a timer drives the line; edges of the button set its rate"

    def __init__(
        self, source: Line, silicon: Silicon, held: Walk | None, free: Walk | None, block: WaveBlock
    ) -> None:
        super().__init__(source, silicon)
        self.held, self.free, self.block = held, free, block

    @classmethod
    def of(cls, jobs: Sequence[Job], silicon: Silicon, taken: frozenset[str]) -> _Waves | None:
        """One or two blinks of one line, while a button is held and while it is not."""
        held: Walk | None = None
        free: Walk | None = None
        for job in jobs:
            gate = job.when.gate
            if not isinstance(job, Walk) or gate is None or job.when.start != AtBoot():
                return None
            if job.times is not None or len(job.steps) != 2 or len(job.lines) != 1:
                return None
            if [dict(step.levels).get(job.lines[0]) for step in job.steps] != [1, 0]:
                return None
            if (free if gate.invert else held) is not None:
                return None
            held, free = (held, job) if gate.invert else (job, free)
        both = [job for job in (held, free) if job is not None]
        gates = {job.when.gate.source for job in both if job.when.gate}
        if not both or len(gates) != 1 or len({job.lines for job in both}) != 1:
            return None
        for output in silicon.outputs(both[0].lines[0].pin):
            if output.timer.name in taken:
                continue
            made = [cls._wave(job, silicon, output.timer.limit) for job in both]
            if len({w.prescale for w in made}) == 1 and not output.timer.advanced:
                # While nothing is held there is the wave for that, or none: a compare with 0.
                wave_now = made[-1] if free is not None else replace(made[-1], first=0)
                block = WaveBlock(both[-1], output, wave_now)
                return cls(gates.pop(), silicon, held, free, block)
        return None

    @staticmethod
    def _wave(job: Walk, silicon: Silicon, limit: int) -> Wave:
        one, two = (step.duration_ps for step in job.steps)
        return wave(one, two, silicon.clock_hz, limit, job.clause)

    def build(self, ground: Ground, beside: Sequence[WaveBlock]) -> None:
        """The whole program."""
        code = ground.code
        self.watch(ground)
        ground.begin((*beside, self.block), {}, lambda: self.meanwhile(ground))
        was, level = self.begin_was(ground), code.take()
        with code.loop("edge", _EDGES) as head:
            self.rest(ground)
            self.look(ground, level)
            self.changed(ground, was, level, head)
            code.release(level)
            go = code.unique("go")
            period, first = code.take(), code.take()
            on_high, on_low = (self.held, self.free)[:: 1 if self.source.active else -1]
            half = all(
                job is None or self._half(job) for job in (on_high, on_low)
            ) and None not in (
                on_high,
                on_low,
            )
            self._rates(on_high, period, "" if half else first, code)
            code.branch("bmi", go)
            self._rates(on_low, period, "" if half else first, code)
            code.label(go)
            if half:
                code.op(f"lsrs {first}, {period}, #1", "half of it")
            timer = self.block.output.timer.name
            code.store(1, self.silicon.address(f"{timer}_EGR"), comment="from its beginning")
            code.save(period, self.silicon.address(f"{timer}_ARR"), comment="a round")
            ccr = self.silicon.address(f"{timer}_CCR{self.block.output.channel}")
            code.save(first, ccr, comment="of which it is on")
            code.branch("b", head)
        code.release(period, first)

    def _half(self, job: Walk) -> bool:
        """Whether a wave is on for half of its round, to within a count of very many."""
        made = self._wave(job, self.silicon, self.block.output.timer.limit)
        return made.first * 2 == made.period > _MANY

    def _rates(self, job: Walk | None, period: str, first: str, code: Sharp) -> None:
        """Code: the registers of a wave; loads from literals, which leave the flags alone."""
        hz = self.silicon.clock_hz
        if job is None:
            code.op_literal(first, 0)
            return
        made = self._wave(job, self.silicon, self.block.output.timer.limit)
        code.op_literal(period, made.period - 1, f"{over_clock(made.period, hz)} - 1")
        if first:
            code.op_literal(first, made.first, over_clock(made.first, hz))


class _Counting(_Edges):
    """A line of text at each press."""

    how = "a line at each press; the SysTick waits for the contact and paces the bytes"

    def __init__(self, job: Do, say: Say, source: Line, silicon: Silicon) -> None:
        super().__init__(source, silicon)
        self.job, self.say = job, say
        self.first, self.step = 0, 1

    @classmethod
    def of(cls, jobs: Sequence[Job], silicon: Silicon, taken: frozenset[str]) -> _Counting | None:
        """One text at each press, with one number at most; the SysTick is all the time it needs."""
        if len(jobs) != 1:
            return None
        job = jobs[0]
        if not isinstance(job, Do) or len(job.actions) != 1 or job.every_ps is not None:
            return None
        say, start = job.actions[0], job.when.start
        if not isinstance(say, Say) or not isinstance(start, OnEdge) or job.when.gate:
            return None
        if start.after_ps or not start.pressed or wire(say, silicon) is None:
            return None
        made = cls(job, say, start.source, silicon)
        numbers = [part for part in say.parts if not isinstance(part, str)]
        if len(numbers) > 1 or any("\0" in text for text in texts(say)):
            return None
        for part in numbers:
            if isinstance(part, Count):
                made.first, made.step = part.first - part.step, part.step
            elif part != Presses(start.source):
                return None
        return made if modified(abs(made.step)) else None

    def build(self, ground: Ground, beside: Sequence[WaveBlock]) -> None:
        """The whole program."""
        code, say = ground.code, self.say
        line = wire(say, self.silicon)
        assert line is not None
        self.watch(ground)
        open_port(ground, say, line, self.job.clause)
        speaker = Speaker(ground, say, line)

        def meanwhile() -> None:
            speaker.settle()
            ground.reload(self.settle)

        ground.begin(beside, {}, meanwhile)
        speaker.begin()
        was = "r2"
        code.occupy(was)
        code.op_put(was, 0 if self.source.active else 1 << self.index)
        if speaker.numbers:
            code.op_put("r0", self.first)
            code.op("mov r8, r0", "the number")
        with code.loop("edge", _EDGES) as head:
            self.rest(ground)
            with code.loop("look", _EDGES) as look:
                level = code.take()
                self.look(ground, level)
                self.went(ground, was, level, head, high=bool(self.source.active))
                code.release(level)
                self.deaf(ground)
                ground.reload(line.pace)
                ground.run()
                if speaker.numbers and self.step:
                    name = "add" if self.step >= 0 else "sub"
                    code.op(f"{name}.w r8, r8, #{abs(self.step)}", "one more")
                for register in ("r0", "r1", "r6", "r7"):
                    code.release(register)
                speaker.line_of("sent", counted=False)
                if not speaker.numbers:
                    code.label("sent")
                ground.halt()
                code.branch("b", look, "it may have moved meanwhile")
        speaker.subroutine(counted=False)
