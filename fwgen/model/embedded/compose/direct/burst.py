"""Lines that an edge sets blinking: timers do all of it, the core only gives the start.

    once      one-pulse mode: the counter stops by itself, back at 0, where the lines are off
    several   another timer in one-pulse mode is the gate: while it counts, the lines' timer
              does; the gate closes in the middle of the last time off
    endless   nothing stops the counter

A start begins anew, whether the lines rest or blink, and takes none off that is on. (That is why
the repetition counter of TIM1 does not count the rounds: it reloads at an update only, which
would put CNT back to 0, where one-pulse mode has the lines off.)

Source: RM0368 §13.3.10 (one-pulse mode), §13.3.15 (a timer that enables another), §13.4.2 (MMS:
"to control a window in which a slave timer is enabled"), §13.4.3 (SMS, TS); §12.3.3.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from fwgen.errors import ModelError
from fwgen.model.embedded.behaviour import Step
from fwgen.model.embedded.compose.blocks.wave import WaveBlock
from fwgen.model.embedded.compose.jobs import Walk, split
from fwgen.model.embedded.compose.rates import PSC_LIMIT, over_clock, wave
from fwgen.model.embedded.compose.setup import Stage

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from fwgen.model.embedded.compose.direct.ground import Ground
    from fwgen.model.embedded.compose.silicon import Silicon, Timer

_COUNT, _COUNT_ONCE = 1, 1 | 1 << 3  # CR1: CEN; CEN and OPM
_UG = 1  # EGR: from the beginning, with what the prescaler was set to
_ON_ENABLE = 0b001 << 4  # CR2.MMS: TRGO is high while the timer counts
_GATED = 0b101  # SMCR.SMS: count while the trigger is high; TS is from bit 4 on
_NEAR = 32  # clocks: gate and counter are never so far apart, at the start or at the end
_NARROW = 400  # prescalers to try beside the plain numbers, where little room is left


def bursts(
    walks: Sequence[Walk], silicon: Silicon, taken: frozenset[str]
) -> tuple[Burst, ...] | None:
    """The cheapest way to do all walks without the timers ``taken``; None where there is none."""
    if not walks:
        return ()
    best: tuple[Burst, ...] | None = None
    for way in _ways(walks[0], silicon, taken):
        others = bursts(walks[1:], silicon, taken | way.timers)
        if others is not None and (best is None or _cost((way, *others)) < _cost(best)):
            best = (way, *others)
    return best


def _ways(walk: Walk, silicon: Silicon, taken: frozenset[str]) -> Iterator[Burst]:
    shape = _Shape.of(walk)
    if shape is None:
        return iter(())
    kind = _Endless if shape.rounds is None else _Once if shape.rounds == 1 else _Several
    return kind.ways(shape, silicon, taken)


def _cost(ways: tuple[Burst, ...]) -> tuple[int, int]:
    return sum(way.cost[0] for way in ways), sum(way.cost[1] for way in ways)


@dataclass(frozen=True, slots=True)
class _Shape:
    """All lines of ``job`` on for ``on_ps`` and off for ``off_ps``, ``rounds`` times.

    ``first``: whether they begin on. ``rounds`` None: for ever.
    """

    job: Walk
    first: int
    on_ps: int
    off_ps: int
    rounds: int | None

    @classmethod
    def of(cls, job: Walk) -> _Shape | None:
        """The shape of a walk; None when it has another, or ends within a time on."""
        levels = [{level for _, level in step.levels} for step in job.steps]
        if levels == [{1}] and job.times == 1:
            on = job.steps[0].duration_ps
            return cls(job, 1, on, on, 1)
        if levels not in ([{1}, {0}], [{0}, {1}]):
            return None
        if len({frozenset(line for line, _ in step.levels) for step in job.steps}) > 1:
            return None
        first = levels[0] == {1}
        on, off = (step.duration_ps for step in job.steps[:: 1 if first else -1])
        cut = [step.duration_ps for step in job.tail[0 if first else 1 :: 2]]  # its times on
        if cut not in ([], [on]):
            return None
        rounds = None if job.times is None else job.times + len(cut)
        return cls(job, int(first), on, off, rounds)

    @property
    def order(self) -> tuple[int, int]:
        """How long they have their first level, and how long the other."""
        return (self.on_ps, self.off_ps) if self.first else (self.off_ps, self.on_ps)

    def channels(
        self, silicon: Silicon, taken: frozenset[str], first: int, one_ps: int, two_ps: int
    ) -> Iterator[tuple[WaveBlock, ...]]:
        """Every timer that reaches all lines: a channel for each, all of one wave.

        The lines have the level ``first`` for ``one_ps`` and the other for ``two_ps``.
        """
        lines = self.job.lines
        steps = tuple(
            Step(tuple((line, level) for line in lines), ps)
            for level, ps in ((first, one_ps), (1 - first, two_ps))
        )
        parts = [
            part
            for part in split(replace(self.job, steps=steps, tail=()))
            if isinstance(part, Walk)
        ]
        outputs = [{out.timer: out for out in silicon.outputs(line.pin)} for line in lines]
        for timer in outputs[0]:
            # A timer without triggers has no one-pulse mode either (§14.2.2: TIM10, TIM11).
            if timer.name in taken or not silicon.masters(timer):
                continue
            if not all(timer in reached for reached in outputs):
                continue
            try:
                made = wave(one_ps, two_ps, silicon.clock_hz, timer.limit, self.job.clause)
            except ModelError:
                continue  # another timer may be longer
            yield tuple(
                WaveBlock(part, reached[timer], made)
                for part, reached in zip(parts, outputs, strict=True)
            )


class Burst:
    """What timers do: ``blocks`` are the channels of the lines' timer."""

    def __init__(self, blocks: tuple[WaveBlock, ...], silicon: Silicon) -> None:
        self.blocks, self.silicon = blocks, silicon
        self.timer, self.wave = blocks[0].output.timer, blocks[0].wave

    @property
    def pins(self) -> str:
        """What it drives, for the plan."""
        return " and ".join(block.line.pin for block in self.blocks)

    @property
    def timers(self) -> frozenset[str]:
        """The timers that nothing else may use."""
        return frozenset((self.timer.name,))

    @property
    def how(self) -> str:
        """In words."""
        raise NotImplementedError

    @property
    def cost(self) -> tuple[int, int]:
        """Bytes, roughly, that another way might not take; then the timers' numbers, summed."""
        bytes_ = (8 if self.wave.prescale > 1 else 0) + (6 if self.timer.advanced else 0)
        return bytes_, _number(self.timer)

    def prepare(self, ground: Ground) -> None:
        """Ask for what can be set before the first start; the lines are off."""
        for block in self.blocks:
            block.form(ground.setup, self.silicon.clock_hz)

    def start(self, ground: Ground) -> None:
        """Code: begin, or begin anew."""
        raise NotImplementedError

    def _rests_off(self, ground: Ground) -> None:
        """Ask that a counter that begins where the lines are on waits where they are off."""
        if self.blocks[0].first:
            ground.setup.ask(
                f"{self.timer.name}_CNT", self.wave.period - 1, Stage.VALUE,
                text=f"{over_clock(self.wave.period, self.silicon.clock_hz)} - 1",
                note="off until the start",
            )  # fmt: skip

    def _store(self, ground: Ground, value: int, register: str, comment: str) -> None:
        ground.code.store(value, self.silicon.address(register), comment=comment)


class _Endless(Burst):
    """The start makes the counter count."""

    @classmethod
    def ways(cls, shape: _Shape, silicon: Silicon, taken: frozenset[str]) -> Iterator[Burst]:
        """One for each timer that reaches the lines."""
        one, two = shape.order
        for blocks in shape.channels(silicon, taken, shape.first, one, two):
            yield cls(blocks, silicon)

    @property
    def how(self) -> str:
        """In words."""
        return f"{self.timer.name} then drives {self.pins} by itself"

    def prepare(self, ground: Ground) -> None:
        """Off until the start."""
        super().prepare(ground)
        self._rests_off(ground)

    def start(self, ground: Ground) -> None:
        """Code: from the beginning, and on."""
        name = self.timer.name
        self._store(ground, _UG, f"{name}_EGR", f"{name}: from its beginning")
        self._store(ground, _COUNT, f"{name}_CR1", f"{name} counts")


class _Once(Burst):
    """One pulse: off from 0 to the compare value, on from there to the end of the count."""

    def __init__(self, blocks: tuple[WaveBlock, ...], silicon: Silicon, *, at_once: bool) -> None:
        super().__init__(blocks, silicon)
        self.at_once = at_once  # on with the start: only the first tick is off, and skipped

    @classmethod
    def ways(cls, shape: _Shape, silicon: Silicon, taken: frozenset[str]) -> Iterator[Burst]:
        """One for each timer that reaches the lines."""
        off = shape.on_ps if shape.first else shape.off_ps
        for blocks in shape.channels(silicon, taken, 0, off, shape.on_ps):
            if shape.first:
                made = blocks[0].wave
                short = replace(made, period=made.period - made.first + 1, first=1)
                blocks = tuple(replace(block, wave=short) for block in blocks)
            yield cls(blocks, silicon, at_once=bool(shape.first))

    @property
    def how(self) -> str:
        """In words."""
        return f"one pulse of {self.timer.name} on {self.pins}"

    def prepare(self, ground: Ground) -> None:
        """A prescaler takes effect now if the start will be no update."""
        super().prepare(ground)
        if self.at_once and self.wave.prescale > 1:
            update = f"{self.timer.name}_EGR"
            ground.setup.ask(update, _UG, Stage.MODE, note="the prescaler takes effect")

    def start(self, ground: Ground) -> None:
        """Code: to where the pulse begins, and on.

        An update would take off, for some clocks, a line that is on and shall stay so. A write to
        CNT does not; but the prescaler goes on, so the first tick may be a shorter one.
        """
        name = self.timer.name
        how = "CNT" if self.at_once else "EGR"  # CNT = 1, UG = 1
        self._store(ground, 1, f"{name}_{how}", f"{name}: from its beginning")
        self._store(ground, _COUNT_ONCE, f"{name}_CR1", f"{name} counts once")


class _Several(Burst):
    """The lines' timer counts while the gate's one pulse lasts."""

    def __init__(
        self, blocks: tuple[WaveBlock, ...], silicon: Silicon, rounds: int, gate: _Gate
    ) -> None:
        super().__init__(blocks, silicon)
        self.rounds, self.gate = rounds, gate

    @classmethod
    def ways(cls, shape: _Shape, silicon: Silicon, taken: frozenset[str]) -> Iterator[Burst]:
        """One for each timer that reaches the lines, and each that can be its gate."""
        rounds = shape.rounds or 0
        one, two = shape.order
        for blocks in shape.channels(silicon, taken, shape.first, one, two):
            made = blocks[0].wave
            begin = made.first if shape.first else made.period  # of the last time off
            end = made.period if shape.first else made.period + made.first
            before = (rounds - 1) * made.period
            low, high = ((before + tick) * made.prescale for tick in (begin, end))
            for trigger, timer in silicon.masters(blocks[0].output.timer):
                if timer.name in taken:
                    continue
                gate = _Gate.between(low + _NEAR, high - _NEAR, timer, trigger)
                if gate is not None:
                    yield cls(blocks, silicon, rounds, gate)

    @property
    def how(self) -> str:
        """In words."""
        name, gate = self.timer.name, self.gate.name
        return f"{name} drives {self.pins} by itself while one pulse of {gate} lasts"

    @property
    def timers(self) -> frozenset[str]:
        """The timers that nothing else may use."""
        return frozenset((self.timer.name, self.gate.name))

    @property
    def cost(self) -> tuple[int, int]:
        """Bytes, roughly, that another way might not take; then the timers' numbers, summed."""
        bytes_, number = super().cost
        clocks = {gate.register for name in self.timers if (gate := self.silicon.gate(name))}
        own = self.gate.bytes + 4 * (len(clocks) - 1)
        return bytes_ + own, number + _number(self.gate.timer)

    def prepare(self, ground: Ground) -> None:
        """The lines' timer waits at its gate."""
        super().prepare(ground)
        self._rests_off(ground)
        setup, name, gate = ground.setup, self.timer.name, self.gate
        setup.clock(gate.name)
        last = f"within the last time off of {self.rounds}"
        if gate.prescale > 1:
            note = f"{self.silicon.clock_hz} Hz / {gate.prescale}"
            setup.ask(f"{gate.name}_PSC", gate.prescale - 1, Stage.VALUE, note=note)
        whole = gate.timer.limit - 1
        setup.ask(
            f"{gate.name}_ARR", gate.period - 1, Stage.VALUE, mask=whole,
            note=f"{gate.period} ticks: {last}",
        )  # fmt: skip
        setup.ask(
            f"{gate.name}_CR2", _ON_ENABLE, Stage.MODE, note=f"{gate.name} tells while it counts"
        )
        setup.ask(
            f"{name}_SMCR", gate.trigger << 4 | _GATED, Stage.MODE,
            note=f"{name} counts while {gate.name} does",
        )  # fmt: skip
        setup.ask(f"{name}_CR1", _COUNT, Stage.START, note=f"{name} counts, when it may")

    def start(self, ground: Ground) -> None:
        """Code: both from the beginning, and the gate opens."""
        name, gate = self.timer.name, self.gate.name
        self._store(ground, _UG, f"{name}_EGR", f"{name}: from its beginning")
        self._store(ground, _UG, f"{gate}_EGR", f"{gate}, too")
        self._store(ground, _COUNT_ONCE, f"{gate}_CR1", f"{gate} counts once")


@dataclass(frozen=True, slots=True)
class _Gate:
    """One pulse of a timer: ``period`` ticks of ``prescale`` clocks.

    ``trigger`` is its number in the other's SMCR.TS.
    """

    timer: Timer
    trigger: int
    prescale: int
    period: int

    @property
    def name(self) -> str:
        """The timer's name."""
        return self.timer.name

    @property
    def bytes(self) -> int:
        """Bytes of code for its two numbers: equal ones share a register."""
        prescaler, reload = self.prescale - 1, self.period - 1
        own = 0 if reload == prescaler else _bytes(reload)
        return own + (2 + _bytes(prescaler) if prescaler else 0)

    @classmethod
    def between(cls, low: int, high: int, timer: Timer, trigger: int) -> _Gate | None:
        """The cheapest pulse of ``low`` to ``high`` clocks; of these the one next to the middle."""
        middle = (low + high) // 2
        least = -(-low // timer.limit)
        plain = (k << s for s in range(9) for k in range(256))
        prescales = {p + 1 for p in plain} | set(range(least, least + _NARROW))
        found = [
            cls(timer, trigger, prescale, period)
            for prescale in sorted(prescales)
            if 0 < prescale <= PSC_LIMIT
            for period in {prescale, middle // prescale, _plain(middle // prescale) + 1}
            if low <= prescale * period <= high and 1 < period <= timer.limit
        ]
        return min(
            found,
            key=lambda gate: (
                gate.bytes, abs(gate.prescale * gate.period - middle), gate.prescale, gate.period
            ),
            default=None,
        )  # fmt: skip


def _plain(number: int) -> int:
    """The number with all but its eight highest bits 0: two short instructions make it."""
    zeros = max(0, number.bit_length() - 8)
    return number >> zeros << zeros


def _bytes(number: int) -> int:
    """Bytes that a constant takes, roughly."""
    return 2 if number < 256 else 4 if number < 1 << 16 or number == _plain(number) else 6


def _number(timer: Timer) -> int:
    return int(timer.name.removeprefix("TIM"))
