"""A start that comes some time after an edge, while what it starts may still be running."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from fwgen.model.embedded.behaviour import OnEdge
from fwgen.model.embedded.compose.blocks.base import Bid, Block
from fwgen.model.embedded.compose.jobs import Do, Mirror
from fwgen.model.embedded.compose.runtime import Alarm

if TYPE_CHECKING:
    from fwgen.model.embedded.compose.jobs import Job
    from fwgen.model.embedded.compose.runtime import Runtime
    from fwgen.model.embedded.compose.silicon import Silicon


def split_delay(job: Job) -> tuple[Job, Do | None]:
    """A lasting job that starts after an edge as one that starts at once, and the delay."""
    start = job.when.start
    lasting = not isinstance(job, Mirror) and not (isinstance(job, Do) and job.every_ps is None)
    if not isinstance(start, OnEdge) or not start.after_ps or not lasting:
        return job, None
    at_once = replace(job, when=replace(job.when, start=replace(start, after_ps=0)))
    return at_once, Do(job.when, (), None, True, 1, job.clause)


class Later(Block):
    """Waits, then starts another block."""

    name = "a delayed start"
    target: Block

    @classmethod
    def bid(cls, job: Job, silicon: Silicon) -> Bid | None:
        """Made with what it starts, never chosen by itself."""
        return None

    def durations(self) -> list[int]:
        """Every duration (ps) that the alarm must count."""
        return [self.when.start.after_ps]

    def make_alarm(self) -> Alarm:
        """The alarm that it needs."""
        return Alarm(self.label, None, kept=False)

    def service(self, rt: Runtime) -> None:
        """Code of the loop."""
        assert self.alarm is not None
        skip = rt.code.unique("next")
        rt.unless_due(self.alarm, skip)
        rt.disarm(self.alarm)
        self.target.start(rt)
        rt.code.label(skip)

    def start(self, rt: Runtime) -> None:
        """Code that starts it from its beginning."""
        assert self.alarm is not None
        rt.arm(self.alarm, rt.ticks(self.when.start.after_ps))

    def stop(self, rt: Runtime) -> None:
        """Code that ends it."""
        assert self.alarm is not None
        rt.disarm(self.alarm)
        self.target.stop(rt)
