"""Something done at a moment: lines put on, off or round, texts said; once or again and again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fwgen.model.embedded.behaviour import Put
from fwgen.model.embedded.compose.blocks.base import Bid, Block
from fwgen.model.embedded.compose.jobs import Do
from fwgen.model.embedded.compose.runtime import Alarm, Cell

if TYPE_CHECKING:
    from fwgen.model.embedded.behaviour import Line
    from fwgen.model.embedded.compose.jobs import Job
    from fwgen.model.embedded.compose.runtime import Runtime
    from fwgen.model.embedded.compose.silicon import Silicon


class Act(Block):
    """Does its actions when it is started, when its alarm comes, or both."""

    name = "done at its moment"
    job: Do

    @classmethod
    def bid(cls, job: Job, silicon: Silicon) -> Bid | None:
        """Any Do."""
        return Bid(20, "done at its moment") if isinstance(job, Do) else None

    @property
    def _after(self) -> int:
        return self.when.start.after_ps

    @property
    def _first_at_reset(self) -> bool:
        """Whether the first time is how the chip comes up."""
        return self.from_reset and self._after == 0 and self.job.at_once

    @property
    def _times(self) -> int | None:
        """How often the alarm must come after reset."""
        times = self.job.times if self.job.every_ps is not None else 1
        return times - 1 if times is not None and self._first_at_reset else times

    @property
    def _needs_alarm(self) -> bool:
        if self.from_reset:
            return self._times is None or self._times > 0
        return bool(self._after) or self.job.every_ps is not None

    def durations(self) -> list[int]:
        """Every duration (ps) that the alarm must count."""
        return [ps for ps in (self._after, self.job.every_ps) if ps]

    def make_alarm(self) -> Alarm | None:
        """The alarm that it needs, if any."""
        if not self._needs_alarm:
            return None
        every = self.job.every_ps or 0
        due: int | None = None
        if self.from_reset:
            wait = 0 if self.job.at_once and self._after else every
            due = self._after + wait
        return Alarm(self.label, due, kept=self.from_reset and self._times is None)

    def claim(self, rt: Runtime) -> None:
        """Take cells, and say which peripherals are used."""
        self._left: Cell | None = None
        every = self.job.every_ps
        if every is not None and self.job.times is not None:
            initial = self._times if self.from_reset else 0
            if not self.from_reset or (initial is not None and initial > 1):
                self._left = rt.cell(f"{self.label}_left", initial or 0)
        for action in self.job.actions:
            if not isinstance(action, Put):
                rt.speech(action.port).add(rt, self, action)

    def prepare(self, rt: Runtime) -> None:
        """How its lines begin."""
        for line in self.job.lines:
            rt.levels.setdefault(line, 0)
        if self._first_at_reset:
            for action in self.job.actions:
                if not isinstance(action, Put):
                    rt.speech(action.port).at_reset(self, action)
                elif action.level == "toggle":
                    rt.levels[action.line] ^= 1
                else:
                    rt.levels[action.line] = int(action.level == "on")
        self.outputs(rt)

    def service(self, rt: Runtime) -> None:
        """Code of the loop."""
        if self.alarm is None:
            return
        skip = rt.code.unique("next")
        rt.unless_due(self.alarm, skip)
        if self.job.every_ps is None:
            rt.disarm(self.alarm)
        else:
            rt.advance(self.alarm, rt.ticks(self.job.every_ps))
            self._count(rt)
        self.perform(rt)
        rt.code.label(skip)

    def _count(self, rt: Runtime) -> None:
        """One time less; after the last it comes no more."""
        if self.job.times is None:
            return
        assert self.alarm is not None
        if self._left is None:
            rt.disarm(self.alarm)
            return
        go_on = rt.code.unique("goon")
        left = rt.hold(self._left, "r0")
        rt.code.op(f"subs {left}, #1", "one time less")
        rt.keep(self._left, left)
        rt.code.branch("bne", go_on)
        rt.disarm(self.alarm)
        rt.code.label(go_on)

    def perform(self, rt: Runtime) -> None:
        """Code that does it."""
        self.take_over(rt)
        put: dict[Line, int] = {}
        for action in self.job.actions:
            if isinstance(action, Put) and action.level != "toggle":
                put[action.line] = int(action.level == "on")
                continue
            if put:
                rt.drive(put, self.label)
                put = {}
            if isinstance(action, Put):
                rt.toggle((action.line,), f"{action.line.name} turns round")
            else:
                rt.speech(action.port).say(rt, self, action)
        if put:
            rt.drive(put, self.label)

    def start(self, rt: Runtime) -> None:
        """Code that starts it from its beginning."""
        if self.alarm is None:
            self.perform(rt)
            return
        if self._left is not None:
            assert self.job.times is not None
            rt.fill(self._left, self.job.times, "so many times")
        wait = self._after
        if self.job.every_ps is not None and not self.job.at_once:
            wait += self.job.every_ps
        rt.arm(self.alarm, rt.ticks(wait) if wait else 0)

    def stop(self, rt: Runtime) -> None:
        """Code that ends it."""
        if self.alarm is not None:
            rt.disarm(self.alarm)
        self.off(rt)
