"""What a block is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fwgen.model.embedded.behaviour import AtBoot
from fwgen.model.embedded.compose.runtime import Alarm

if TYPE_CHECKING:
    from fwgen.model.embedded.behaviour import Line
    from fwgen.model.embedded.compose.jobs import Do, Job, Mirror, Walk, When
    from fwgen.model.embedded.compose.runtime import Runtime
    from fwgen.model.embedded.compose.silicon import Silicon


@dataclass(frozen=True, slots=True)
class Bid:
    """What a way of doing a job would cost: bytes of flash, roughly."""

    bytes: int
    why: str


class Block(ABC):
    """One way to do one job.

    The composer asks every kind of block for a ``bid`` and takes the cheapest; then, in the order
    of the jobs: ``claim`` (alarms, cells, interrupts), ``prepare`` (registers before the first
    sleep), ``service`` (code of the loop). What starts and stops a job by an edge is code too,
    put where the edge is found.
    """

    name = ""

    def __init__(self, job: Job, label: str) -> None:
        self.job = job
        self.label = label
        self.alarm: Alarm | None = None
        self.rivals: list[Block] = []  # walks on its lines, which end when it begins

    @classmethod
    @abstractmethod
    def bid(cls, job: Job, silicon: Silicon) -> Bid | None:
        """What it would cost to do ``job`` this way; None when this way cannot do it."""

    @property
    def when(self) -> When:
        """When the job runs."""
        return self.job.when

    @abstractmethod
    def durations(self) -> list[int]:
        """Every duration (ps) that its alarm must count; empty when it needs none."""

    def make_alarm(self) -> Alarm | None:
        """The alarm that it needs, if any."""
        return None

    def claim(self, rt: Runtime) -> None:  # noqa: B027 - many need none
        """Take cells, uses of peripherals, and reactions to edges."""

    def prepare(self, rt: Runtime) -> None:  # noqa: B027 - many need none
        """Ask for registers, and for code before the first sleep."""

    def service(self, rt: Runtime) -> None:  # noqa: B027 - many need none
        """Code of the loop."""

    def start(self, rt: Runtime) -> None:  # noqa: B027 - many need none
        """Code that starts the job from its beginning."""

    def stop(self, rt: Runtime) -> None:  # noqa: B027 - many need none
        """Code that ends the job: nothing is due any more and its lines are off."""

    # ------------------------------------------------------------------ shared by most

    @property
    def from_reset(self) -> bool:
        """Whether reset alone starts it."""
        return isinstance(self.when.start, AtBoot) and self.when.gate is None

    def off(self, rt: Runtime) -> None:
        """Code that turns every line of the job off."""
        lines = _lines(self.job)
        if lines:
            rt.drive(dict.fromkeys(lines, 0), f"{self.label}: off")

    def take_over(self, rt: Runtime) -> None:
        """Code that ends whatever else is walking over its lines."""
        for rival in self.rivals:
            assert rival.alarm is not None
            rt.disarm(rival.alarm)

    def outputs(self, rt: Runtime) -> None:
        """Every line of the job is an output."""
        for line in _lines(self.job):
            rt.setup.pin(line.pin, 1, note=f"{line.pin} ({line.name}) output")
            rt.use(rt.silicon.port(line.pin))


def _lines(job: Walk | Do | Mirror) -> tuple[Line, ...]:
    return job.lines
