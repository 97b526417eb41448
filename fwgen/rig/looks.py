"""Looks at a pin now and then, as evidence: edges that lie between two looks."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from statistics import median_low
from typing import TYPE_CHECKING

from fwgen.trace import Edge, Sampled

if TYPE_CHECKING:
    from collections.abc import Mapping

OUTLIER = 3
"""A time without a look that is this many times the usual one is a hole."""


@dataclass(slots=True)
class Looks:
    """What was seen of one pin: its level in reset, then one look after the other.

    Reset was released at ``since_ps`` or later, which may lie a little before 0. Each look happened
    at some moment between its ``start_ps`` and ``stop_ps``: when it was asked for, and when the
    answer was there; ``seen`` has them all, each with the level.
    """

    pin: str
    level: int | None
    since_ps: int = 0  # the last look was at this time or later
    first: int | None = field(init=False)  # the level that it began with
    seen: list[tuple[int, int, int | None]] = field(default_factory=list, repr=False)
    _away: list[tuple[int, int]] = field(default_factory=list)
    _edges: list[Edge] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.first = self.level

    def look(self, start_ps: int, stop_ps: int, level: int | None) -> Edge | None:
        """Take a look; the Edge that it tells of, if the level is not the one before."""
        since_ps, self.since_ps = self.since_ps, start_ps
        self._away.append((since_ps, stop_ps))
        self.seen.append((start_ps, stop_ps, level))
        if level == self.level:
            return None
        self.level = level
        t_ps = max(1, (since_ps + stop_ps) // 2)  # at 0 it would be no change
        edge = Edge(t_ps, self.pin, level, max(stop_ps - t_ps, t_ps - since_ps))
        self._edges.append(edge)
        return edge

    def so_far(self) -> Looks:
        """What was seen up to now, to go on with from a better source."""
        made = Looks(self.pin, self.first, self.since_ps)
        made.level, made._edges = self.level, list(self._edges)
        return made

    def rests_at(self, level: int | None) -> None:
        """The pin was let go and was seen to rest at a level: so it did each time before."""
        if level is not None:
            edges = self._edges
            self._edges = [replace(e, level=level) if e.level is None else e for e in edges]
            self.level = level

    def skip(self, until_ps: int) -> None:
        """It was looked at all along up to a time, as often as ever, and did not change."""
        self.since_ps = max(self.since_ps, until_ps)

    @property
    def edges(self) -> tuple[Edge, ...]:
        """What the looks tell of, in order of time."""
        return tuple(self._edges)

    @property
    def until_ps(self) -> int:
        """Up to when the looks tell of the pin: the last one was not earlier than this."""
        return self.since_ps

    def sampled(self) -> Sampled:
        """How often the pin was looked at."""
        times = [stop - start for start, stop in self._away]
        if not times:
            return Sampled(0)
        limit = OUTLIER * median_low(times)
        usual = [time for time in times if time <= limit]
        holes = [(a, b) for a, b in self._away if b - a > limit]
        return Sampled(max(usual), tuple(holes))


@dataclass(frozen=True, slots=True)
class Captured:
    """What a logic analyser saw, by pin, in the probe's time give or take ``off_ps``.

    ``notes`` say in words why a pin that it is wired to is not among them.
    """

    looks: Mapping[str, Looks]
    off_ps: int = 0
    notes: tuple[str, ...] = ()
