"""What the direct strategy can do with a program, and at which price."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from fwgen.errors import ModelError
from fwgen.image.emission import CodeLine, Emission
from fwgen.model.embedded.compose.blocks.wave import WaveBlock, deal, fits
from fwgen.model.embedded.compose.direct.play import Made, play
from fwgen.model.embedded.compose.direct.press import press
from fwgen.model.embedded.compose.direct.score import score
from fwgen.model.embedded.compose.direct.tell import tell, telling
from fwgen.model.embedded.compose.jobs import Walk, lower, split, still

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from fwgen.model.embedded.behaviour import Program
    from fwgen.model.embedded.compose.jobs import Job
    from fwgen.model.embedded.compose.silicon import Silicon

VECTORS = 8  # bytes: the stack's beginning and the reset


@dataclass(frozen=True, slots=True)
class Offer:
    """One way to do a whole program: the waves beside it, and its code."""

    waves: tuple[WaveBlock, ...]
    rest: tuple[Job, ...]
    made: Made

    @property
    def bytes(self) -> int:
        """Bytes of flash in all."""
        return VECTORS + self.made.bytes

    @property
    def how(self) -> str:
        """In words."""
        return self.made.how

    @property
    def choices(self) -> tuple[tuple[str, str, tuple[str, ...]], ...]:
        """For each job: the clause, how it is done, and what it uses."""
        made = [
            (
                wave.job.clause,
                f"{wave.output.timer.name} drives {wave.line.pin} by itself in PWM mode",
                (wave.output.timer.name, wave.line.pin),
            )
            for wave in self.waves
        ]
        uses = tuple(dict.fromkeys(line.pin for job in self.rest for line in job.lines))
        clauses = "; ".join(dict.fromkeys(job.clause for job in self.rest if job.clause))
        return (*made, (clauses, self.made.how, (*uses, "SysTick")))

    def emission(self, plan: str) -> Emission:
        """The firmware."""
        units = self.made.code.units(
            "reset", "bring up the chip, then step by step", self.made.tables
        )
        return Emission(plan, units, (("Reset", "reset"),))


def _take_turns(job: Job) -> bool:
    """Whether the lines of a job are on at different times."""
    return isinstance(job, Walk) and any(
        len({level for _, level in step.levels}) > 1 for step in job.steps
    )


def _hands_off(emission: Emission) -> bool:
    """Whether nothing ever wakes the core: who wakes it masks interrupts first."""
    lines = (line for unit in emission.units for line in unit.lines)
    return not any(isinstance(line, CodeLine) and line.asm == "cpsid i" for line in lines)


def _size(emission: Emission) -> int:
    """Bytes of flash, without the vectors."""
    at = 0
    for unit in emission.units:
        if unit.kind == "zero":
            continue
        align = unit.align or {"words": 4, "bytes": 1}.get(unit.kind, 2)
        at += -at % align
        code = sum(len(line.code) for line in unit.lines if isinstance(line, CodeLine))
        at += 4 * len(unit.lines) if unit.kind == "words" else code + len(unit.data)
    return at


def offers(program: Program, silicon: Silicon) -> Offer | None:
    """The cheapest direct way to do a program; None where this strategy has none."""
    return _cheapest(_offers(program, silicon))


def unhurried(program: Program, silicon: Silicon) -> Offer | None:
    """The cheapest direct way in which the core moves no line by the clock, or None.

    Timers may then move lines as fast as they can count.
    """
    return _cheapest(_presses(program, silicon))


def _cheapest(found: Iterable[Offer]) -> Offer | None:
    try:
        return min(found, key=lambda offer: (offer.made.price, offer.bytes), default=None)
    except ModelError:
        return None  # the general strategy tells why


def better(
    program: Program, silicon: Silicon, other: Emission, used: Iterable[tuple[str, ...]]
) -> Offer | None:
    """An offer to be preferred to another firmware for the same program, or None.

    ``used``: what each of the other's jobs uses. Bytes decide; but a core that never wakes is
    better still, unless lines that take turns were dealt out to timers that begin one after the
    other, which would let them overlap.
    """
    timer_of = {pin: timer for timer, *pins in (u for u in used if len(u) == 2) for pin in pins}
    torn = False
    for job in lower(program):
        timers = {timer_of.get(line.pin) for line in job.lines}
        torn |= _take_turns(job) and timers != {None} and len(timers) > 1
    if _hands_off(other) and not torn:
        return None
    offer = offers(program, silicon)
    if offer is None or (not torn and offer.bytes > VECTORS + _size(other)):
        return None
    return offer


def _presses(program: Program, silicon: Silicon) -> Iterator[Offer]:
    for waves, rest in _shares(program, silicon):
        for way in press(rest, waves, silicon):
            yield Offer(waves, rest, way)


def _offers(program: Program, silicon: Silicon) -> Iterator[Offer]:
    yield from _presses(program, silicon)
    for waves, rest in _shares(program, silicon):
        if (line := telling(rest, waves, silicon)) is not None:
            for way in tell(line, silicon):
                yield Offer(waves, rest, way)
        if rest and (made := score(rest)) is not None:
            for way in play(made, waves, silicon):
                yield Offer(waves, rest, way)


def _shares(
    program: Program, silicon: Silicon
) -> Iterator[tuple[tuple[WaveBlock, ...], tuple[Job, ...]]]:
    """Ways to share out the work: what timers can do by themselves is theirs."""
    jobs = tuple(still(job) for job in lower(program))
    parts = tuple(part for job in jobs for part in split(job))
    count: dict[str, int] = {}
    for part in parts:
        for line in part.lines:
            count[line.pin] = count.get(line.pin, 0) + 1
    free = frozenset(
        i for i, part in enumerate(jobs) if fits(part) and count[part.lines[0].pin] == 1
    )
    if free:
        dealt = deal(jobs, free, silicon, frozenset())
        if dealt.waves:
            yield dealt.waves, dealt.rest
            return
    yield (), jobs
