"""What the direct strategy can do with a program, and at which price."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from fwgen.errors import ModelError
from fwgen.image.emission import Emission
from fwgen.model.embedded.compose.blocks.wave import WaveBlock, deal, fits
from fwgen.model.embedded.compose.direct.play import Made, play
from fwgen.model.embedded.compose.direct.score import score
from fwgen.model.embedded.compose.jobs import lower, split, still

if TYPE_CHECKING:
    from collections.abc import Iterator

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

    def emission(self, plan: str) -> Emission:
        """The firmware."""
        units = self.made.code.units(
            "reset", "bring up the chip, then step by step", self.made.tables
        )
        return Emission(plan, units, (("Reset", "reset"),))


def offers(program: Program, silicon: Silicon) -> Offer | None:
    """The cheapest direct way to do a program; None where this strategy has none."""
    try:
        found = list(_offers(program, silicon))
    except ModelError:
        return None  # the general strategy tells why
    return min(found, key=lambda offer: (offer.made.price, offer.bytes), default=None)


def _offers(program: Program, silicon: Silicon) -> Iterator[Offer]:
    jobs = tuple(still(job) for job in lower(program))
    for waves, rest in _shares(jobs, silicon):
        if rest and (made := score(rest)) is not None:
            for way in play(made, waves, silicon):
                yield Offer(waves, rest, way)


def _shares(
    jobs: tuple[Job, ...], silicon: Silicon
) -> Iterator[tuple[tuple[WaveBlock, ...], tuple[Job, ...]]]:
    """Ways to share out the work between timers and the core."""
    yield (), jobs
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
