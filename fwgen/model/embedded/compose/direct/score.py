"""Everything that lines do from reset on, written out as one sequence of moments.

Several jobs may take part: what matters is which levels the lines have, and for how long. A
finite part comes first, then a round that goes on for ever, or rest.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass
from itertools import pairwise
from math import lcm
from typing import TYPE_CHECKING

from fwgen.model.embedded.behaviour import AtBoot, Put
from fwgen.model.embedded.compose.jobs import Do, Walk

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from fwgen.model.embedded.behaviour import Line
    from fwgen.model.embedded.compose.jobs import Job

_MOST = 160  # moments: more is work for a table that something else walks
_END, _BEGIN = 0, 1  # at one moment what ends comes first

Levels = dict["Line", int]


@dataclass(frozen=True, slots=True)
class Beat:
    """These levels of all lines, for so long (ps)."""

    levels: tuple[tuple[Line, int], ...]
    duration_ps: int

    @property
    def on(self) -> Levels:
        """The levels as a dict."""
        return dict(self.levels)


@dataclass(frozen=True, slots=True)
class Score:
    """``first``, then ``round`` for ever; without a round the levels of ``rest`` remain."""

    lines: tuple[Line, ...]
    first: tuple[Beat, ...]
    round: tuple[Beat, ...]
    rest: tuple[tuple[Line, int], ...]

    @property
    def begin(self) -> Levels:
        """The levels at reset."""
        beats = (*self.first, *self.round)
        return beats[0].on if beats else dict(self.rest)

    @property
    def durations(self) -> tuple[int, ...]:
        """Every duration (ps), once."""
        return tuple(dict.fromkeys(b.duration_ps for b in (*self.first, *self.round)))


def score(jobs: Sequence[Job]) -> Score | None:
    """The score of jobs that reset alone starts; None when they cannot be written out."""
    if not all(_plain(job) for job in jobs):
        return None
    lines = tuple(dict.fromkeys(line for job in jobs for line in job.lines))
    settled, period = 0, 1
    for job in jobs:
        begin, length, rounds = _extent(job)
        settled = max(settled, begin + (length or 0))
        if rounds:
            period = lcm(period, rounds)
    endless = period > 1
    stop = settled + 4 * period if endless else settled + 1
    moments = _play(jobs, lines, stop)
    if moments is None or not moments:
        return None
    if not endless:
        beats = _beats(moments)
        return Score(lines, tuple(beats), (), _levels(lines, moments[-1][1]))
    return _cut(lines, moments, settled, period)


def _plain(job: Job) -> bool:
    if not isinstance(job.when.start, AtBoot) or job.when.gate is not None:
        return False
    if isinstance(job, Do):
        return all(isinstance(action, Put) for action in job.actions)
    return isinstance(job, Walk)


def _extent(job: Job) -> tuple[int, int | None, int | None]:
    """When it begins; how long until it is over, or repeats itself; its period for ever."""
    begin = job.when.start.after_ps
    if isinstance(job, Walk):
        one = sum(step.duration_ps for step in job.steps)
        if job.times is None:
            return begin, one, one
        return begin, one * job.times + sum(step.duration_ps for step in job.tail), None
    assert isinstance(job, Do)
    if job.every_ps is None:
        return begin, 0, None
    if job.times is None:
        toggles = any(isinstance(a, Put) and a.level == "toggle" for a in job.actions)
        return begin, 2 * job.every_ps, job.every_ps * (2 if toggles else 1)
    return begin, job.every_ps * (job.times + 1), None


def _happenings(job: Job) -> Iterator[tuple[int, int, str, tuple[tuple[Line, object], ...]]]:
    """Times, order within a moment, what, and levels: "begin", "set", "put", "end"."""
    at = job.when.start.after_ps
    if isinstance(job, Walk):
        rounds = 0
        begun = False
        while job.times is None or rounds < job.times:
            for step in job.steps:
                yield at, _BEGIN, "set" if begun else "begin", step.levels
                begun = True
                at += step.duration_ps
            rounds += 1
        for step in job.tail:
            yield at, _BEGIN, "set", step.levels
            at += step.duration_ps
        yield at, _END, "end", tuple((line, 0) for line in job.lines)
        return
    assert isinstance(job, Do)
    puts = tuple((a.line, a.level) for a in job.actions if isinstance(a, Put))
    if job.every_ps is None:
        yield at, _BEGIN, "put", puts
        return
    if not job.at_once:
        at += job.every_ps
    done = 0
    while job.times is None or done < job.times:
        yield at, _BEGIN, "put", puts
        at += job.every_ps
        done += 1


def _play(
    jobs: Sequence[Job], lines: tuple[Line, ...], stop: int
) -> list[tuple[int, Levels]] | None:
    """Every moment at which levels change, with the levels then; None when there are too many."""
    streams = [_happenings(job) for job in jobs]
    heap = []
    for number, stream in enumerate(streams):
        first = next(stream, None)
        if first is not None:
            heap.append((first[0], first[1], number, first[2], first[3]))
    heapq.heapify(heap)
    levels: Levels = dict.fromkeys(lines, 0)
    owner: dict[Line, int] = {}
    moments: list[tuple[int, Levels]] = [(0, dict(levels))]
    happened = 0
    while heap and heap[0][0] <= stop:
        at, _, number, what, changes = heapq.heappop(heap)
        following = next(streams[number], None)
        if following is not None:
            heapq.heappush(heap, (following[0], following[1], number, following[2], following[3]))
        happened += 1
        if happened > 20 * _MOST:
            return None
        if what in ("begin", "put"):
            taken = {owner.get(line) for line in jobs[number].lines} - {None, number}
            for other in taken:
                assert other is not None
                if not set(jobs[other].lines) <= set(jobs[number].lines):
                    return None  # a part of a pattern cannot be taken out
            for line in jobs[number].lines:
                owner[line] = number
        for line, level in changes:
            if owner.get(line) != number:
                continue
            if level == "toggle":
                levels[line] ^= 1
            else:
                levels[line] = int(level in (1, "on"))
        if moments[-1][0] == at:
            moments[-1] = (at, dict(levels))
        else:
            moments.append((at, dict(levels)))
    joined: list[tuple[int, Levels]] = []
    for at, now in moments:
        if not joined or joined[-1][1] != now:
            joined.append((at, now))
    return joined if len(joined) <= 4 * _MOST else None


def _levels(lines: tuple[Line, ...], levels: Levels) -> tuple[tuple[Line, int], ...]:
    return tuple((line, levels[line]) for line in lines)


def _beats(moments: list[tuple[int, Levels]]) -> list[Beat]:
    return [
        Beat(tuple(levels.items()), after - at) for (at, levels), (after, _) in pairwise(moments)
    ]


def _cut(
    lines: tuple[Line, ...], moments: list[tuple[int, Levels]], settled: int, period: int
) -> Score | None:
    """The finite part and one round: the earliest moment from which all repeats itself."""
    beats = _beats(moments)
    times = [at for at, _ in moments]
    # What changes at that very moment may be the end of something finite.
    late = next((i for i, at in enumerate(times) if at > settled), None)
    if late is None:  # nothing changes any more
        return Score(lines, tuple(beats), (), _levels(lines, moments[-1][1]))
    after = next((i for i, at in enumerate(times) if at == times[late] + period), None)
    if after is None:
        return None
    size = after - late
    if beats[late:after] != beats[after : after + size][:size]:
        return None
    begin = late
    while begin and beats[begin - 1] == beats[begin - 1 + size]:
        begin -= 1
    if begin > _MOST or size > _MOST:
        return None
    return Score(lines, tuple(beats[:begin]), tuple(beats[begin : begin + size]), ())
