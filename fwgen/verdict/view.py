"""A trace as the judge looks at it: subjects in their own levels, within a window.

A wave of a timer may hold millions of cycles that are all alike. Such a wave is cut into its
first and last few cycles, with a segment between that only counts the ones left out.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import lcm
from typing import TYPE_CHECKING, NamedTuple

from fwgen.contract.subjects import Subject, find, resolve
from fwgen.contract.timing import STARTUP_PS
from fwgen.trace import SerialByte, Stimulated
from fwgen.verdict.types import Departure, Figure, Outcome

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from fwgen.board.types import Board
    from fwgen.contract.types import Contract, Edge, Stimulus, Window
    from fwgen.trace import Run, Trace, Wave

_SHOWN = 8  # cycles at each end of a long wave that are written out
_MOST = 400_000  # segments that we are ready to write out where every one is needed


class TooFastError(Exception):
    """A signal has more edges than can be compared one by one (never leaves this room)."""


class Seg(NamedTuple):
    """A stretch of one level; ``skipped`` > 0: so many cycles of a wave, all like the last one."""

    start: int
    stop: int
    level: int | None
    skipped: int = 0


class Span(NamedTuple):
    """The part of a window that the contract's run covers."""

    start: int
    stop: int

    @property
    def settled(self) -> int:
        """When pins must have been set up by: a moment after reset, at once later on."""
        return self.start + STARTUP_PS if self.start == 0 else self.start


@dataclass(frozen=True, slots=True)
class Seen:
    """What came of judging one expectation."""

    outcome: Outcome
    text: str
    figures: tuple[Figure, ...] = ()
    departure: Departure | None = None


def passed(text: str, *figures: Figure) -> Seen:
    """Seen as asked."""
    return Seen(Outcome.PASS, text, figures)


def failed(t_ps: int, text: str, *figures: Figure) -> Seen:
    """It departs, first at ``t_ps``."""
    return Seen(Outcome.FAIL, text, figures, Departure(t_ps, text))


def unsure(text: str, *figures: Figure, at_ps: int | None = None) -> Seen:
    """The evidence does not decide."""
    departure = None if at_ps is None else Departure(at_ps, text)
    return Seen(Outcome.UNSURE, text, figures, departure)


def fits(value: int, low: int, high: int, blur: int) -> Outcome:
    """Whether a duration measured to ``blur`` either way lies in [low, high]."""
    if low <= value - blur and value + blur <= high:
        return Outcome.PASS
    if value + blur < low or value - blur > high:
        return Outcome.FAIL
    return Outcome.UNSURE


@dataclass(slots=True)
class View:
    """A contract, a trace and a board, with what was looked up on the way."""

    contract: Contract
    trace: Trace
    board: Board
    _subjects: dict[str, Subject] = field(default_factory=dict)
    _segments: dict[tuple[str, int, int, int, bool], list[Seg]] = field(default_factory=dict)
    _done: list[Stimulated] = field(default_factory=list)
    _bytes: dict[tuple[str, str], list[SerialByte]] = field(default_factory=dict)

    @property
    def blur(self) -> int:
        """How far a measured duration may be off: two readings of this bench's clock."""
        return self.trace.resolution_ps

    def subject(self, name: str) -> Subject:
        """What a name means. Raises ContractError."""
        if name not in self._subjects:
            self._subjects[name] = resolve(name, self.board)
        return self._subjects[name]

    def span(self, window: Window) -> Span:
        """The part of a window that the contract's run covers."""
        stop = self.contract.span_ps
        return Span(window.start_ps, stop if window.stop_ps is None else min(window.stop_ps, stop))

    def segments(self, name: str, start: int, stop: int, *, whole: bool = False) -> list[Seg]:
        """The levels of a subject in [start, stop), neighbours unlike.

        ``whole`` writes out every cycle. Raises TooFastError where that would be too many.
        """
        subject = self.subject(name)
        key = (subject.pin, subject.active, start, stop, whole)
        if key not in self._segments:
            self._segments[key] = self._cut(subject, start, stop, whole=whole)
        return self._segments[key]

    def _cut(self, subject: Subject, start: int, stop: int, *, whole: bool) -> list[Seg]:
        made: list[Seg] = []
        flip = not subject.active
        for run in self.trace.runs(subject.pin):
            if run.stop_ps <= start or run.start_ps >= stop:
                continue
            begin, end = max(start, run.start_ps), min(stop, run.stop_ps)
            pieces = (
                (Seg(begin, end, run.level),)
                if run.wave is None
                else _cycles(run, run.wave, begin, end, whole=whole)
            )
            for seg in pieces:
                level = seg.level
                if flip and level is not None:
                    level = 1 - level
                last = made[-1] if made else None
                if last and last.level == level and not last.skipped and not seg.skipped:
                    made[-1] = Seg(last.start, seg.stop, level)
                else:
                    made.append(Seg(seg.start, seg.stop, level, seg.skipped))
                    if len(made) > _MOST:
                        raise TooFastError(subject.name)
        return made

    def level(self, name: str, t_ps: int) -> int | None:
        """The level of a subject at a time."""
        subject = self.subject(name)
        level = self.trace.level(subject.pin, t_ps)
        return level if level is None or subject.active else 1 - level

    def edges(self, name: str, edge: Edge, start: int, stop: int) -> Iterator[int]:
        """When a subject turns on (rising), off (falling) or either, in [start, stop).

        A floating pin is not on: from floating to on is rising, from floating to off is nothing.
        Raises TooFastError.
        """
        # One picosecond earlier, to see what an edge at the very start came from.
        segs = self.segments(name, max(0, start - 1), stop, whole=True)
        was = bool(segs[0].level) if segs else False
        for seg in segs[1:]:
            now = bool(seg.level)
            if now != was and (edge == "both" or (edge == "rising") == now) and seg.start >= start:
                yield seg.start
            was = now

    def bytes_on(self, port: str, direction: str) -> Sequence[SerialByte]:
        """The frames on a port in one direction, in order of time."""
        if not self._bytes:
            for event in self.trace.of(SerialByte):
                self._bytes.setdefault((event.port, event.direction), []).append(event)
        return self._bytes.get((port, direction), ())

    def happened(self, stimulus: Stimulus) -> int | None:
        """When the bench did a stimulus, or None when the trace does not tell of it."""
        key = self.subject(stimulus.subject).key
        allowed = max(STARTUP_PS // 10, 2 * self.blur)
        if not self._done:
            self._done = list(self.trace.of(Stimulated))
        near = (e for e in self._done if abs(e.t_ps - stimulus.at_ps) <= allowed)
        return next((e.t_ps for e in near if self._means(e.subject, key)), None)

    def _means(self, name: str, key: str) -> bool:
        found = find(name, self.board)
        return found is not None and found.key == key


def _cycles(run: Run, wave: Wave, start: int, stop: int, *, whole: bool) -> Iterator[Seg]:
    """The segments of a wave within [start, stop)."""
    d = lcm(wave.first_ps.denominator, wave.second_ps.denominator)
    one, two = int(wave.first_ps * d), int(wave.second_ps * d)
    if one <= 0 or two <= 0:
        # A duty of nothing or all is no wave at all.
        yield Seg(start, stop, wave.level if one > 0 else 1 - wave.level)
        return
    cycle, origin = one + two, run.start_ps * d
    first = (start * d - origin) // cycle
    last = -((origin - stop * d) // cycle)  # one past
    if whole and 2 * (last - first) > _MOST:
        raise TooFastError
    skip_from, skip_to = first + _SHOWN, last - _SHOWN
    k = first
    while k < last:
        if k == skip_from and skip_to > skip_from and not whole:
            yield Seg((origin + k * cycle) // d, (origin + skip_to * cycle) // d, None, skip_to - k)
            k = skip_to
            continue
        base = origin + k * cycle
        marks = (base // d, (base + one) // d, (base + cycle) // d)
        for a, b, level in (
            (marks[0], marks[1], wave.level),
            (marks[1], marks[2], 1 - wave.level),
        ):
            a, b = max(a, start), min(b, stop)
            if b > a:
                yield Seg(a, b, level)
        k += 1
