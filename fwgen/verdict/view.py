"""A trace as the judge looks at it: subjects in their own levels, within a window.

A wave of a timer may hold millions of cycles that are all alike. Such a wave is cut into its
first and last few cycles, with a segment between that only counts the ones left out.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
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
    """A stretch of one level; ``skipped`` > 0: so many cycles of a wave, all like the last one.

    ``before`` and ``after``: how far its start and its stop may be off, either way.
    """

    start: int
    stop: int
    level: int | None
    skipped: int = 0
    before: int = 0
    after: int = 0

    @property
    def blur(self) -> int:
        """How far its length may be off."""
        return self.before + self.after


class Span(NamedTuple):
    """The part of a window that the contract's run covers.

    ``blur``: how far a moment of the bench may be off from one of the contract, either way.
    """

    start: int
    stop: int
    blur: int = 0

    @property
    def settled(self) -> int:
        """When pins must have been set up by: a moment after reset, at once later on."""
        return self.start + STARTUP_PS + self.blur if self.start == 0 else self.start

    def at_border(self, t: int, blur: int = 0) -> bool:
        """Whether a moment may lie on the other side of the window's start or stop than it does.

        Nothing comes before reset.
        """
        off = self.blur + blur
        return off > 0 and ((self.start > 0 and abs(t - self.start) <= off)
                            or abs(t - self.stop) <= off)  # fmt: skip


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
    beside: Trace | None = None  # of the same firmware on a bench that sees everything
    _subjects: dict[str, Subject] = field(default_factory=dict)
    _segments: dict[tuple[str, int, int, int, bool], list[Seg]] = field(default_factory=dict)
    _done: list[Stimulated] = field(default_factory=list)
    _bytes: dict[tuple[str, str], list[SerialByte]] = field(default_factory=dict)
    _held: dict[str, list[tuple[int, int, Fraction | int]]] = field(default_factory=dict)

    @property
    def blur(self) -> int:
        """How far a measured duration may be off: two readings of this bench's clock."""
        return self.trace.resolution_ps

    @property
    def zero(self) -> int:
        """How far a moment counted from reset may be off, either way."""
        return self.trace.watched.zero_ps if self.trace.watched is not None else 0

    def unseen(self, name: str, span: Span) -> int:
        """How long a level of a pin may come and go in the window without a mark; 0: not at all.

        The pin must have been watched.
        """
        watched, pin = self.trace.watched, self.subject(name).pin
        if watched is None or not pin:
            return 0
        return watched.pins[pin].longest_ps(span.start, span.stop)

    def may_hide(self, name: str, span: Span) -> bool:
        """Whether there may be changes of a pin that were not seen.

        There are none where the same firmware, on a bench that sees everything, holds each level
        of the pin for longer than this bench looks away.
        """
        unseen = self.unseen(name, span)
        if not unseen:
            return False
        if self.beside is None:
            return True
        return any(
            time <= 2 * unseen and stop > span.start - unseen and start < span.stop + unseen
            for start, stop, time in self._times(self.subject(name).pin)
        )

    def _times(self, pin: str) -> list[tuple[int, int, Fraction | int]]:
        """How long a pin holds each level in the trace beside: (start, stop, shortest time)."""
        assert self.beside is not None
        if pin not in self._held:
            runs = self.beside.runs(pin)
            self._held[pin] = [
                (run.start_ps, run.stop_ps,
                 min(run.wave.first_ps, run.wave.second_ps) if run.wave is not None
                 else run.stop_ps - run.start_ps)
                for i, run in enumerate(runs)
                if run.wave is not None or 0 < i < len(runs) - 1
            ]  # fmt: skip
        return self._held[pin]

    def edge_near(self, name: str, t_ps: int) -> bool:
        """Whether an edge of a pin may lie on the other side of a moment than it does."""
        if self.trace.watched is None:
            return False
        runs = self.trace.runs(self.subject(name).pin)
        return any(abs(run.start_ps - t_ps) <= run.blur_ps + self.zero for run in runs[1:])

    def port_blur(self, name: str) -> int:
        """How far the time of a byte on a port may be off, either way."""
        watched, port = self.trace.watched, self.subject(name).port
        if watched is None or not port:
            return 0
        return watched.ports[port].blur_ps

    def pin_blur(self, name: str) -> int:
        """How far any edge of a pin may be off, either way."""
        if self.trace.watched is None or not self.subject(name).pin:
            return 0
        return max((run.blur_ps for run in self.trace.runs(self.subject(name).pin)), default=0)

    def moment_blur(self, name: str) -> int:
        """How far a moment of a pin or a port may be off, either way."""
        return max(self.pin_blur(name), self.port_blur(name))

    def subject(self, name: str) -> Subject:
        """What a name means. Raises ContractError."""
        if name not in self._subjects:
            self._subjects[name] = resolve(name, self.board)
        return self._subjects[name]

    def span(self, window: Window) -> Span:
        """The part of a window that the contract's run covers."""
        stop = self.contract.span_ps
        if window.stop_ps is not None:
            stop = min(window.stop_ps, stop)
        return Span(window.start_ps, stop, self.zero)

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
        runs = self.trace.runs(subject.pin)
        for i, run in enumerate(runs):
            if run.stop_ps <= start or run.start_ps >= stop:
                continue
            begin, end = max(start, run.start_ps), min(stop, run.stop_ps)
            before, after = run.blur_ps, runs[i + 1].blur_ps if i + 1 < len(runs) else 0
            pieces = (
                (Seg(begin, end, run.level, 0, before, after),)
                if run.wave is None
                else _cycles(run, run.wave, begin, end, whole=whole)
            )
            for seg in pieces:
                level = seg.level
                if flip and level is not None:
                    level = 1 - level
                last = made[-1] if made else None
                if last and last.level == level and not last.skipped and not seg.skipped:
                    made[-1] = Seg(last.start, seg.stop, level, 0, last.before, seg.after)
                else:
                    made.append(Seg(seg.start, seg.stop, level, seg.skipped, seg.before, seg.after))
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
        allowed = max(STARTUP_PS // 10, 2 * self.blur, 2 * self.zero)
        if not self._done:
            self._done = list(self.trace.of(Stimulated))
        near = (e for e in self._done if abs(e.t_ps - stimulus.at_ps) <= allowed)
        return next((e.t_ps for e in near if self.means(e.subject, key)), None)

    def means(self, name: str, key: str) -> bool:
        """Whether a name of the trace is that of a subject."""
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
