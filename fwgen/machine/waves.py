"""Levels in time that are told at once: what repeats, and rows of pulses."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from fractions import Fraction
from math import lcm
from typing import TYPE_CHECKING

from fwgen.machine.time import NEVER

if TYPE_CHECKING:
    from collections.abc import Iterable


@dataclass(frozen=True, slots=True)
class SquareWave:
    """From ``t_ps``: ``level`` for ``first_ps``, the other for ``second_ps``, and again.

    Both durations are positive. An edge that lies between two picoseconds is rounded down.
    """

    t_ps: int
    level: int
    first_ps: Fraction
    second_ps: Fraction

    def level_at(self, t_ps: int) -> int:
        """The level at a time at or after the wave's start, after any edge at that time."""
        unit, first, second = self._whole()
        into = (t_ps + 1 - self.t_ps) * unit % (first + second)
        return self.level if 0 < into <= first else self.level ^ 1

    def next_edge(self, t_ps: int) -> int:
        """The first change of level after ``t_ps``."""
        unit, first, second = self._whole()
        period = first + second
        turns, into = divmod((t_ps + 1 - self.t_ps) * unit, period)
        edge = first if 0 < into <= first else period if into else 0
        return self.t_ps + (turns * period + edge) // unit

    def _whole(self) -> tuple[int, int, int]:
        """A unit that divides a picosecond, and both durations in it."""
        first, second = self.first_ps, self.second_ps
        unit = lcm(first.denominator, second.denominator)
        return (
            unit,
            first.numerator * (unit // first.denominator),
            second.numerator * (unit // second.denominator),
        )

    def again(self, t_ps: int) -> SquareWave:
        """The same wave, told from a whole picosecond after ``t_ps`` at which it begins anew."""
        period = self.first_ps + self.second_ps
        whole = int(period * period.denominator)
        start = self.t_ps + ((t_ps - self.t_ps) // whole + 1) * whole
        return SquareWave(start, self.level, self.first_ps, self.second_ps)


@dataclass(frozen=True, slots=True)
class Pulses:
    """From ``t_ps`` at ``level``, and the other way at each of ``after_ps``; then it rests.

    ``after_ps`` counts from ``t_ps``, in ascending order. What a bus does within a byte: known
    beforehand, and written out edge by edge only for those who listen to edges.
    """

    t_ps: int
    level: int
    after_ps: tuple[int, ...]

    def level_at(self, t_ps: int) -> int:
        """The level at a time at or after the start, after any edge at that time."""
        return self.level ^ (bisect_right(self.after_ps, t_ps - self.t_ps) & 1)

    def next_edge(self, t_ps: int) -> int:
        """The first change of level after ``t_ps``; NEVER when it rests."""
        index = bisect_right(self.after_ps, t_ps - self.t_ps)
        return self.t_ps + self.after_ps[index] if index < len(self.after_ps) else NEVER

    @property
    def end_ps(self) -> int:
        """From when on it rests."""
        return self.t_ps + (self.after_ps[-1] if self.after_ps else 0)

    def again(self, t_ps: int) -> Pulses:
        """How it rests, told from a moment after ``t_ps``."""
        return Pulses(max(self.end_ps, t_ps + 1), self.level ^ (len(self.after_ps) & 1), ())


def pulses(t_ps: int, levels: Iterable[tuple[int, int]]) -> Pulses:
    """Pulses from (time, level) in order of time, the first at ``t_ps``; no change, no edge."""
    first, last, after = None, 0, []
    for at, level in levels:
        if first is None:
            first = last = level
        elif level != last:
            after.append(at - t_ps)
            last = level
    return Pulses(t_ps, first or 0, tuple(after))
