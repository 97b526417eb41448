"""Lines that go through timed steps, woken by an alarm at each step.

Three ways, by what the steps are like:

    Toggler   two equal steps: turn the lines round, and again so much later
    Beats     one alternation: a table of bytes says how many units each state lasts
    Steps     anything: a table of durations and of the words for each port's BSRR
"""

from __future__ import annotations

from math import gcd
from typing import TYPE_CHECKING

from fwgen.image.emission import Unit, WordLine
from fwgen.model.embedded.behaviour import AtBoot, Step
from fwgen.model.embedded.compose.blocks.base import Bid, Block
from fwgen.model.embedded.compose.jobs import Walk
from fwgen.model.embedded.compose.runtime import Alarm, Cell, Runtime

if TYPE_CHECKING:
    from fwgen.model.embedded.behaviour import Line
    from fwgen.model.embedded.compose.jobs import Job
    from fwgen.model.embedded.compose.silicon import Silicon


class _Walking(Block):
    """What all walks share."""

    job: Walk

    @property
    def first(self) -> dict[Line, int]:
        """The levels of the first step; lines that it does not name are off."""
        return dict.fromkeys(self.job.lines, 0) | dict(self.job.steps[0].levels)

    @property
    def folded(self) -> bool:
        """Whether the first step is how the chip comes up: no code for it at all."""
        return self.from_reset and self.when.start.after_ps == 0

    def durations(self) -> list[int]:
        """Every duration (ps) that the alarm must count."""
        found = [step.duration_ps for step in (*self.job.steps, *self.job.tail)]
        if self.when.start.after_ps:
            found.append(self.when.start.after_ps)
        return found

    def make_alarm(self) -> Alarm:
        """The alarm that it needs."""
        start = self.when.start
        due: int | None = None
        if self.folded:
            due = self.job.steps[0].duration_ps
        elif self.from_reset:
            due = start.after_ps
        kept = self.from_reset and self.job.times is None
        return Alarm(self.label, due, kept=kept)

    def prepare(self, rt: Runtime) -> None:
        """How its lines begin."""
        levels = self.first if self.folded else dict.fromkeys(self.job.lines, 0)
        for line, level in levels.items():
            if self.folded:
                rt.levels[line] = level
            else:
                rt.levels.setdefault(line, 0)
        self.outputs(rt)

    def stop(self, rt: Runtime) -> None:
        """Code that ends it."""
        assert self.alarm is not None
        rt.disarm(self.alarm)
        self.off(rt)


class Toggler(_Walking):
    """Lines turned round at equal intervals, so often or for ever."""

    name = "toggle by alarm"

    @classmethod
    def bid(cls, job: Job, silicon: Silicon) -> Bid | None:
        """Two equal steps that turn every line round, from all on unless that is how it begins."""
        if not isinstance(job, Walk) or job.tail or len(job.steps) != 2:
            return None
        one, two = job.steps
        if not _alternates(job.steps) or one.duration_ps != two.duration_ps:
            return None
        endless = job.when.at_reset and job.times is None
        if not endless and any(level == 0 for _, level in one.levels):
            return None
        ports = {silicon.port(line.pin) for line in job.lines}
        return Bid(22 + 8 * len(ports), "equal steps: the lines are turned round")

    @property
    def _turns(self) -> int | None:
        """How often they are turned round after the first step (or before it, if that is later)."""
        if self.job.times is None:
            return None
        return 2 * self.job.times - (0 if self.from_reset and not self.folded else 1)

    def claim(self, rt: Runtime) -> None:
        """Take cells, and say which peripherals are used."""
        turns = self._turns
        self._left: Cell | None = None
        if turns is not None and turns > 1:
            self._left = rt.cell(f"{self.label}_left", turns)

    def service(self, rt: Runtime) -> None:
        """Code of the loop."""
        assert self.alarm is not None
        code = rt.code
        skip = code.unique("next")
        rt.unless_due(self.alarm, skip)
        if self.when.start.after_ps:
            self.take_over(rt)
        rt.toggle(self.job.lines, f"{self.label}: turn round")
        rt.advance(self.alarm, rt.ticks(self.job.steps[0].duration_ps))
        if self.job.times is not None:
            if self._left is not None:
                left = rt.hold(self._left, "r0")
                code.op(f"subs {left}, #1", "one turn less")
                rt.keep(self._left, left)
                code.branch("bne", skip)
            rt.disarm(self.alarm)
        code.label(skip)

    def start(self, rt: Runtime) -> None:
        """Code that starts it from its beginning."""
        assert self.alarm is not None
        self.take_over(rt)
        rt.drive(self.first, f"{self.label}: begin")
        if self._left is not None:
            rt.fill(self._left, self._turns or 0, "so many turns")
        rt.arm(self.alarm, rt.ticks(self.job.steps[0].duration_ps))


class Beats(_Walking):
    """Lines turned round at intervals that a table of bytes gives in units."""

    name = "beats from a table of bytes"

    @classmethod
    def bid(cls, job: Job, silicon: Silicon) -> Bid | None:
        """An even number of steps, each the opposite of the one before, in units of a byte."""
        if not isinstance(job, Walk) or job.tail or len(job.steps) % 2:
            return None
        if not isinstance(job.when.start, AtBoot):  # begun anew while on, it would go wrong way
            return None
        if not _alternates(job.steps) or any(level == 0 for _, level in job.steps[0].levels):
            return None
        if len({silicon.port(line.pin) for line in job.lines}) > 1:
            return None
        unit = _unit(job)
        if any(step.duration_ps // unit > 255 for step in job.steps):
            return None
        return Bid(50 + len(job.steps), "on and off in turn: a byte says for how many units")

    def claim(self, rt: Runtime) -> None:
        """Take cells, and say which peripherals are used."""
        # Where the table goes round is where the walk begins.
        self._table = f"{self.label}_beats"
        plus = 1 if self.folded else 0
        self._at = rt.cell(f"{self.label}_at", self._table, plus=plus, weight=3)
        self._left = _counter(self, rt)

    def service(self, rt: Runtime) -> None:
        """Code of the loop."""
        assert self.alarm is not None
        code = rt.code
        skip, on = code.unique("next"), code.unique("more")
        rt.unless_due(self.alarm, skip)
        if self.when.start.after_ps:
            self.take_over(rt)
        at = rt.hold(self._at, "r2")
        with code.live(at):
            code.op(f"ldrb r0, [{at}, #0]", "units to the next turn")
            code.op(f"adds {at}, #1")
            with code.live("r0"):
                unit = code.have(rt.ticks(_unit(self.job)), avoid="r0")
                code.op(f"muls r0, {unit}")
                rt.advance(self.alarm, "r0")
            rt.toggle(self.job.lines, f"{self.label}: turn round")
            code.address("r0", self._table, len(self.job.steps))
            code.op(f"cmp {at}, r0", "end of the table?")
            code.branch("bne", on)
            _round(self, rt, self._left, at, self._table)
            code.label(on)
            rt.keep(self._at, at)
        code.label(skip)
        self._add_table(rt)

    def _add_table(self, rt: Runtime) -> None:
        unit = _unit(self.job)
        beats = [step.duration_ps // unit for step in self.job.steps]
        data = bytes(beats)
        what = f"{self.label}: how long on, off, on ..."
        rt.tables.append(Unit(self._table, "bytes", data=data, align=4, purpose=what))

    def start(self, rt: Runtime) -> None:
        """Code that starts it from its beginning."""
        _begin(self, rt, self._at, self._table, self._left)


class Steps(_Walking):
    """Lines that take their levels from a table, step by step."""

    name = "steps from a table"

    @classmethod
    def bid(cls, job: Job, silicon: Silicon) -> Bid | None:
        """Any walk."""
        if not isinstance(job, Walk):
            return None
        ports = {silicon.port(line.pin) for line in job.lines}
        count = len(job.steps) + len(job.tail)
        return Bid(38 + 4 * (1 + len(ports)) * count, "a table of durations and levels")

    def claim(self, rt: Runtime) -> None:
        """Take cells, and say which peripherals are used."""
        self._table = f"{self.label}_steps"
        self._ports = list(dict.fromkeys(rt.silicon.port(line.pin) for line in self.job.lines))
        self._row_size = 4 * (1 + len(self._ports))
        plus = self._row_size if self.folded else 0
        self._at = rt.cell(f"{self.label}_at", self._table, plus=plus, weight=3)
        self._left = _counter(self, rt)
        for port in self._ports:
            rt.use(port)

    def service(self, rt: Runtime) -> None:
        """Code of the loop."""
        assert self.alarm is not None
        code = rt.code
        skip, on = code.unique("next"), code.unique("more")
        rt.unless_due(self.alarm, skip)
        if self.when.start.after_ps:
            self.take_over(rt)
        at = rt.hold(self._at, "r2")
        with code.live(at):
            first, *others = self._ports
            code.op(f"ldmia {at}!, {{r0, r1}}", "how long, and which levels")
            with code.live("r0", "r1"):
                code.save("r1", rt.silicon.address(f"{first}_BSRR"), comment=self.label)
                for port in others:
                    code.op(f"ldmia {at}!, {{r1}}")
                    code.save("r1", rt.silicon.address(f"{port}_BSRR"), comment=self.label)
            with code.live("r0"):
                rt.advance(self.alarm, "r0")
            self._again(rt, at, on)
            code.label(on)
            rt.keep(self._at, at)
            if self.job.times is not None:
                self._reached(rt, at, len(self.job.steps) + len(self.job.tail) + 1, skip)
                rt.disarm(self.alarm)
        code.label(skip)
        self._add_table(rt)

    def _again(self, rt: Runtime, at: str, on: str) -> None:
        """At the end of a round, the next round."""
        code, times = rt.code, self.job.times
        if times == 1:
            return
        self._reached(rt, at, len(self.job.steps), on)
        if self._left is not None:
            left = rt.hold(self._left, "r0")
            code.op(f"subs {left}, #1", "one round less")
            rt.keep(self._left, left)
            code.branch("beq", on, "that was the last")
        code.address(at, self._table, comment="from the beginning")

    def _reached(self, rt: Runtime, at: str, rows: int, otherwise: str) -> None:
        rt.code.address("r0", self._table, rows * self._row_size)
        rt.code.op(f"cmp {at}, r0", f"after row {rows}?")
        rt.code.branch("bne", otherwise)

    def _add_table(self, rt: Runtime) -> None:
        job = self.job
        ticks = self._ticks(rt, (*job.steps, *job.tail))
        rows = [
            self._row(rt, dict(step.levels), count)
            for step, count in zip((*job.steps, *job.tail), ticks, strict=True)
        ]
        if job.times is not None:
            rows.append(self._row(rt, dict.fromkeys(job.lines, 0), 1))
        what = f"{self.label}: durations and levels"
        words = tuple(word for row in rows for word in row)
        rt.tables.append(Unit(self._table, "words", words, purpose=what))

    @staticmethod
    def _ticks(rt: Runtime, steps: tuple[Step, ...]) -> list[int]:
        assert rt.tick is not None
        return rt.tick.spread(step.duration_ps for step in steps)

    def _row(self, rt: Runtime, levels: dict[Line, int], ticks: int) -> tuple[WordLine, ...]:
        words = rt.bsrr(levels)
        said = ", ".join(
            f"{line.name} {'on' if level else 'off'}" for line, level in levels.items()
        )
        return (
            WordLine(str(ticks), said),
            *(WordLine(f"0x{words.get(port, 0):08X}", f"{port}_BSRR") for port in self._ports),
        )

    def start(self, rt: Runtime) -> None:
        """Code that starts it from its beginning."""
        _begin(self, rt, self._at, self._table, self._left)


def _alternates(steps: tuple[Step, ...]) -> bool:
    """Whether every step turns every line round, going round and round."""
    levels = [dict(step.levels) for step in steps]
    if len(levels) % 2 or any(set(each) != set(levels[0]) for each in levels):
        return False
    return all(
        one[line] != two[line]
        for one, two in zip(levels, (*levels[1:], levels[0]), strict=True)
        for line in one
    )


def _unit(job: Walk) -> int:
    unit = 0
    for step in job.steps:
        unit = gcd(unit, step.duration_ps)
    return unit


def _counter(block: _Walking, rt: Runtime) -> Cell | None:
    times = block.job.times
    if times is None or times == 1:
        return None
    return rt.cell(f"{block.label}_left", times)


def _round(block: Beats, rt: Runtime, left: Cell | None, at: str, table: str) -> None:
    """At the end of a round: begin again, or end."""
    code = rt.code
    assert block.alarm is not None
    if block.job.times is not None:
        if left is not None:
            again = code.unique("again")
            count = rt.hold(left, "r0")
            code.op(f"subs {count}, #1", "one round less")
            rt.keep(left, count)
            code.branch("bne", again)
            rt.disarm(block.alarm)
            code.label(again)
        else:
            rt.disarm(block.alarm)
    code.address(at, table, comment="from the beginning")


def _begin(block: _Walking, rt: Runtime, at: Cell, table: str, left: Cell | None) -> None:
    assert block.alarm is not None
    if not block.when.start.after_ps:
        block.take_over(rt)
    rt.point(at, table)
    if left is not None:
        assert block.job.times is not None
        rt.fill(left, block.job.times, "so many rounds")
    after = block.when.start.after_ps
    rt.arm(block.alarm, rt.ticks(after) if after else 0)
