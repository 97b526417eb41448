"""From a Program to the contract that states it: what is done to the board, what must be seen.

Times are set so that everything periodic shows several times, every button is pressed with a
bouncing contact, and every line is accounted for at all times but for short allowances: firmware
may take ``SETTLE`` after reset, and ``REACTION`` after a press (debouncing).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING

from fwgen.contract import (
    Blinks,
    Bound,
    Contract,
    Counts,
    Follows,
    Level,
    Pattern,
    Press,
    Quiet,
    Says,
    Window,
    required_span,
)
from fwgen.contract import Step as SeenStep
from fwgen.model.embedded.behaviour import (
    AtBoot,
    Count,
    Follow,
    Held,
    Line,
    OnEdge,
    Play,
    Presses,
    Program,
    Put,
    Rule,
    Say,
    State,
    Uptime,
)
from fwgen.model.embedded.read.meaning import lines_of, sources_of, span_of
from fwgen.units import PPM, PS_PER_MS, PS_PER_S

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fwgen.board.types import Board
    from fwgen.contract import Expectation, Stimulus

MS = PS_PER_MS
SECOND = PS_PER_S
SETTLE = 10 * MS  # after reset
REACTION = 60 * MS  # after a press: contacts bounce, firmware waits until they are quiet
BOUNCE = 4 * MS
TOLERANCE_PPM = 20_000
PRESSES = 3
ENOUGH_NUMBERS = 12  # that a number has two digits
LONGEST = 60 * SECOND  # to wait for that
TAP = 150 * MS
TAIL = 2 * SECOND  # what has come to rest is seen to stay so
ENOUGH = 4  # periods


@dataclass(frozen=True, slots=True)
class _Hold:
    """One press of a button."""

    down: int
    up: int


def specify(program: Program, board: Board, title: str) -> Contract:
    """The contract of a program on a board."""
    holds = _plan_presses(program)
    stimuli: tuple[Stimulus, ...] = tuple(
        sorted(
            (
                # Every other contact is clean: chatter has both edges, a clean press only one.
                Press(source.name, hold.down, hold.up - hold.down, 0 if i % 2 else BOUNCE)
                for source, presses in holds.items()
                for i, hold in enumerate(presses)
            ),
            key=lambda press: press.at_ps,
        )
    )
    spec = _Spec(program, holds, board)
    expectations = tuple(spec.expectations())
    last_up = max((h.up for hs in holds.values() for h in hs), default=0)
    span = required_span(expectations, stimuli)
    if holds:
        span = max(span, last_up + spec.tail + 2 * REACTION)
    starts = [getattr(e, "window", Window()).start_ps for e in expectations]
    span = max(span, max(starts) + TAIL, _two_digits(program))
    expectations = tuple(spec.closed(expectations, span))
    return Contract(
        title=title,
        board=board.name,
        span_ps=span,
        stimuli=stimuli,
        expectations=expectations,
        prompt=program.prompt,
    )


def _plan_presses(program: Program) -> dict[Line, tuple[_Hold, ...]]:
    """When each button is pressed: long enough to see what a hold does, far enough apart."""
    sources = tuple(dict.fromkeys(s for rule in program.rules for s in sources_of(rule)))
    hold, gap = 300 * MS, 400 * MS
    for rule in program.rules:
        if rule.gate is not None:
            length = _shown_ps(rule)
            if rule.gate.invert:
                gap = max(gap, length)
            else:
                hold = max(hold, length)
        if isinstance(rule.start, OnEdge):
            length = rule.start.after_ps + _shown_ps(rule) + 2 * REACTION
            hold, gap = max(hold, length), max(gap, length)
    begin = 700 * MS
    for rule in program.rules:  # what only starts later is pressed for later
        if isinstance(rule.start, AtBoot) and rule.gate is not None:
            begin = max(begin, rule.start.after_ps + 200 * MS)
        if rule.gate is not None and rule.gate.invert:
            begin = max(begin, _shown_ps(rule) + 200 * MS)
    made: dict[Line, tuple[_Hold, ...]] = {}
    at = begin
    for source in sources:
        presses = []
        for i in range(ENOUGH_NUMBERS if _numbers_presses(program) else PRESSES):
            # No two neighbours alike, so that nothing matches by accident.
            length = hold + i % PRESSES * 37 * MS
            presses.append(_Hold(at, at + length))
            at += length + gap + i % PRESSES * 53 * MS
        if not any(rule.gate for rule in program.rules):
            presses.append(_Hold(at, at + TAP))  # a press counts however short it is
            at += hold + gap
        made[source] = tuple(presses)
    return made


def _numbers_presses(program: Program) -> bool:
    """Whether a number is said that grows with presses."""
    return any(
        isinstance(part, Presses) or (isinstance(part, Count) and isinstance(rule.start, OnEdge))
        for rule in program.rules
        if isinstance(rule.action, Say)
        for part in rule.action.parts
    )


def _two_digits(program: Program) -> int:
    """How long it takes until every number that grows with time has two digits."""
    longest = 0
    for rule in program.rules:
        if isinstance(rule.action, Say) and isinstance(rule.start, AtBoot) and rule.every_ps:
            if any(isinstance(part, Count) for part in rule.action.parts):
                longest = max(longest, rule.start.after_ps + ENOUGH_NUMBERS * rule.every_ps)
            if Uptime("s") in rule.action.parts:
                longest = max(longest, 10 * SECOND + 2 * rule.every_ps)
    return min(longest, LONGEST)


def _shown_ps(rule: Rule) -> int:
    """How long it takes to show what a rule does."""
    match rule.action:
        case Play(times=None) as play:
            length = ENOUGH * play.period_ps + play.period_ps // 2
        case Play() as play:
            length = (play.times or 1) * play.period_ps + 200 * MS
        case Say():
            length = ENOUGH * (rule.every_ps or 0) + 100 * MS
        case _:
            length = 200 * MS
    if rule.stop_ps is not None:
        length = max(rule.stop_ps, min(length, rule.stop_ps)) + 200 * MS
    return length + 2 * REACTION


@dataclass(frozen=True, slots=True)
class _Segment:
    """What one line does from ``start`` on; ``rule`` None: steady at ``level``.

    The change into it may come ``early`` before ``start`` to ``late`` after.
    """

    start: int
    level: int
    rule: Rule | None = None
    early: int = 0
    late: int = SETTLE
    stop: int | None = None
    next_early: int = 0

    @property
    def window(self) -> Window:
        """When it surely holds."""
        stop = None if self.stop is None else self.stop - self.next_early
        return Window(self.start + self.late, stop)


def _margin(t_ps: int) -> int:
    """How far a moment that is timed from reset may be off."""
    return max(SETTLE, t_ps * TOLERANCE_PPM // PPM)


class _Spec:
    def __init__(
        self, program: Program, holds: dict[Line, tuple[_Hold, ...]], board: Board
    ) -> None:
        self.board = board
        self.rules = program.rules
        self.holds = holds
        self.tail = max((_shown_ps(r) for r in program.rules), default=0)

    def expectations(self) -> Iterator[Expectation]:
        """Everything that must be seen."""
        lines = tuple(dict.fromkeys(x for rule in self.rules for x in lines_of(rule)))
        done: set[tuple[int, int]] = set()
        for line in lines:
            mine = [r for r in self.rules if line in lines_of(r)]
            if isinstance(mine[0].action, Follow):
                for rule in mine:
                    follow = rule.action
                    assert isinstance(follow, Follow)
                    source = follow.source
                    # The contract knows a button by what is pressed, a plain pin by its level.
                    low = self.board.find_part(source.name) is None and not source.active
                    yield Follows(line.name, source.name, follow.invert ^ low, latency_ps=REACTION)
                continue
            yield from self._line(line, done)
        yield from self._speech()
        ports = tuple(dict.fromkeys(r.action.port for r in self.rules if isinstance(r.action, Say)))
        yield Quiet((*(line.name for line in lines), *ports))

    def closed(self, expectations: tuple[Expectation, ...], span: int) -> Iterator[Expectation]:
        """Drop windows that the span leaves no room for, as after the last press."""
        for e in expectations:
            window = getattr(e, "window", None)
            if window is None or window.start_ps < span:
                yield e

    # ------------------------------------------------------------------ lines

    def _line(self, line: Line, done: set[tuple[int, int]]) -> Iterator[Expectation]:
        segments = self._segments(line)
        for segment in segments:
            window = segment.window
            if segment.rule is None:
                if window.stop_ps is None or window.stop_ps > window.start_ps:
                    yield Level(line.name, segment.level, window=window)
                continue
            play = segment.rule.action
            assert isinstance(play, Play)
            if len(play.lines) > 1:
                # One pattern over all its lines at once, told when its first line comes.
                key = (id(segment.rule), segment.start)
                if key in done:
                    continue
                done.add(key)
            yield from _play(line, play, segment)
        if any(isinstance(rule.start, OnEdge) for rule in self.rules if line in lines_of(rule)):
            steady = [s for s in segments if s.rule is None]
            if len(steady) == len(segments):
                changes = sum(a.level != b.level for a, b in pairwise(steady))
                yield Counts(line.name, "both", changes, changes)

    def _segments(self, line: Line) -> list[_Segment]:
        """The life of a line, under the presses that are planned."""
        moments: list[tuple[int, int, str, Rule]] = []  # time, order, what, rule
        for order, rule in enumerate(self.rules):
            if line not in lines_of(rule):
                continue
            for start, stop in self._active(rule):
                moments.append((start, order, "start", rule))
                if stop is not None:
                    moments.append((stop, order - 1000, "stop", rule))
        moments.sort(key=lambda m: (m[0], m[1]))
        segments = [_Segment(0, 0)]

        def go(at: int, level: int, rule: Rule | None, cause: Rule) -> None:
            early, late = self._allowance(cause, at)
            before = segments[-1]
            if before.start == at:
                segments.pop()
            elif before.rule is None and rule is None and before.level == level:
                return
            segments.append(_Segment(at, level, rule, early, late))

        for at, _, what, rule in moments:
            now = segments[-1]
            match rule.action:
                case Put(level=to) if what == "start":
                    go(at, {"on": 1, "off": 0, "toggle": 1 - now.level}[to], None, rule)
                case Play() if what == "start":
                    go(at, 0, rule, rule)
                case Play() if now.rule is not rule:
                    pass  # something else has taken over
                case _:
                    go(at, 0, None, rule)
        ends = [(following.start, following.early) for following in segments[1:]]
        return [
            replace(segment, stop=stop, next_early=early)
            for segment, (stop, early) in zip(segments, [*ends, (None, 0)], strict=True)
        ]

    def _allowance(self, cause: Rule, at: int) -> tuple[int, int]:
        """How early and how late a change that a rule makes at a time may come."""
        if cause.gate is not None and at:
            return 0, REACTION
        if isinstance(cause.start, OnEdge):
            edges = [e for h in self.holds[cause.start.source] for e in (h.down, h.up) if e <= at]
            drift = (at - max(edges, default=at)) * TOLERANCE_PPM // PPM
            return drift, REACTION + drift
        return (_margin(at), _margin(at)) if at else (0, SETTLE)

    def _active(self, rule: Rule) -> Iterator[tuple[int, int | None]]:
        """From when until when a rule acts."""
        if isinstance(rule.start, OnEdge):
            for hold in self.holds[rule.start.source]:
                at = (hold.down if rule.start.pressed else hold.up) + rule.start.after_ps
                yield at, self._end(rule, at)
            return
        start, stop = span_of(rule)
        if rule.gate is None:
            yield start, stop
            return
        for down, up in self._gated(rule.gate):
            low, high = max(down, start), up
            if stop is not None:
                high = stop if high is None else min(high, stop)
            if high is None or low < high:
                yield low, high

    def _end(self, rule: Rule, start: int) -> int | None:
        if rule.stop_ps is not None:
            return start + rule.stop_ps
        if isinstance(rule.action, Play) and rule.action.times is not None:
            return start + rule.action.times * rule.action.period_ps
        return None

    def _gated(self, gate: Held) -> Iterator[tuple[int, int | None]]:
        holds = self.holds[gate.source]
        if not gate.invert:
            yield from ((h.down, h.up) for h in holds)
            return
        at = 0
        for hold in holds:
            yield at, hold.down
            at = hold.up
        yield at, None

    # ------------------------------------------------------------------ text

    def _speech(self) -> Iterator[Expectation]:
        says = [rule for rule in self.rules if isinstance(rule.action, Say)]
        for rule in says:
            say = rule.action
            assert isinstance(say, Say)
            alone = sum(isinstance(r.action, Say) and r.action.port == say.port for r in says) == 1
            if any(isinstance(part, State) for part in say.parts):
                yield from self._states(rule, say)
            elif isinstance(rule.start, OnEdge):
                yield from self._on_press(rule, say, alone)
            else:
                yield from self._timed(rule, say, alone)

    def _timed(self, rule: Rule, say: Say, alone: bool) -> Iterator[Expectation]:
        pattern, bounds = _pattern(say)
        late = 100 * MS
        for start, stop in self._active(rule):
            first = start + (0 if rule.at_once or rule.every_ps is None else rule.every_ps)
            shift = REACTION if rule.gate is not None else 0
            times = None
            if rule.every_ps is None:
                times = 1
            elif stop is not None and rule.gate is None:
                times = (stop - first - 1) // rule.every_ps + 1
            window = Window(max(0, start - _margin(start)) if start else 0, None)
            if rule.gate is not None:
                window = Window(start, stop + late if stop is not None else None)
            yield Says(
                say.port,
                pattern,
                bounds,
                period_ps=rule.every_ps if times != 1 else None,
                baud=say.baud,
                times=times,
                only=alone,
                first_by_ps=first + max(late, _margin(first)) + shift,
                window=window,
            )

    def _on_press(self, rule: Rule, say: Say, alone: bool) -> Iterator[Expectation]:
        assert isinstance(rule.start, OnEdge)
        pattern, bounds = _pattern(say)
        # Said at each press, the count of presses has no room for a delay: 1, 2, 3.
        own = {f"n{i}" for i, p in enumerate(say.parts) if p == Presses(rule.start.source)}
        bounds = tuple((n, replace(b, first=1, step=1) if n in own else b) for n, b in bounds)
        moments = [start for start, _ in self._active(rule)]
        yield Says(
            say.port, pattern, bounds, baud=say.baud, times=len(moments), only=alone,
            first_by_ps=moments[0] + 2 * REACTION,
        )  # fmt: skip
        for at in moments:
            window = Window(at, at + 3 * REACTION)
            yield Says(say.port, pattern, baud=say.baud, times=1, only=False, window=window)

    def _states(self, rule: Rule, say: Say) -> Iterator[Expectation]:
        """A text that tells a state says something else each time: one window for each."""
        times = [start for start, _ in self._active(rule)]
        if rule.every_ps is not None:
            first = times[0]
            times = [first + i * rule.every_ps for i in range(ENOUGH + 1)]
            last = max((h.up for hs in self.holds.values() for h in hs), default=0)
            while times[-1] < last:
                times.append(times[-1] + rule.every_ps)
        room = min(300 * MS, (rule.every_ps or SECOND) * 3 // 4)
        for at in times:
            settled = self._settled(say, at)
            if settled is not None:
                pattern, bounds = _pattern(say, settled)
                window = Window(max(0, at - _margin(at)), at + room)
                yield Says(
                    say.port, pattern, bounds, baud=say.baud, times=1, only=False, window=window
                )

    def _settled(self, say: Say, at: int) -> dict[Line, int] | None:
        """The levels of the lines that a text tells, or None while one is about to change."""
        levels: dict[Line, int] = {}
        for part in say.parts:
            if not isinstance(part, State):
                continue
            before = self._level(part.line, at - REACTION)
            after = self._level(part.line, at + REACTION)
            if before != after or after is None:
                return None
            levels[part.line] = after
        return levels

    def _level(self, line: Line, at: int) -> int | None:
        if line in self.holds:
            return int(any(h.down <= at < h.up for h in self.holds[line]))
        for rule in self.rules:
            if isinstance(rule.action, Follow) and rule.action.line == line:
                held = self._level(rule.action.source, at)
                return None if held is None else held ^ int(rule.action.invert)
        for segment in self._segments(line):
            if segment.start <= max(at, 0) and (segment.stop is None or at < segment.stop):
                if segment.rule is None:
                    return segment.level
                assert isinstance(segment.rule.action, Play)
                return _level_in(segment.rule.action, line, max(at, 0) - segment.start)
        return None


def _level_in(play: Play, line: Line, into: int) -> int:
    into %= play.period_ps
    level = dict(play.steps[-1].levels).get(line, 0)
    for step in play.steps:
        level = dict(step.levels).get(line, level)
        if into < step.duration_ps:
            break
        into -= step.duration_ps
    return level


def _play(line: Line, play: Play, segment: _Segment) -> Iterator[Expectation]:
    """What is seen of a Play in one stretch of time."""
    window = segment.window
    length = None if segment.stop is None else segment.stop - segment.start
    prompt = segment.start == 0 and segment.late == SETTLE
    whole = length is None or length >= (ENOUGH - 1) * play.period_ps + 2 * segment.late
    if play.times is None and whole:
        if len(play.steps) == 2 and len(play.lines) == 1:
            on = sum(s.duration_ps for s in play.steps if dict(s.levels)[line])
            yield Blinks(
                line.name,
                play.period_ps,
                round(on * PPM / play.period_ps),
                tolerance_ppm=TOLERANCE_PPM,
                window=Window(0, window.stop_ps) if prompt else window,
            )
            return
        within = segment.early + segment.late + (0 if prompt else play.period_ps)
        opened = Window(0 if prompt else window.start_ps, window.stop_ps)
        yield Pattern(_seen(_full(play)), True, TOLERANCE_PPM, within, opened)
        return
    # Once through, cut where it is stopped, then dark: from its earliest start.
    steps, left = [], length
    rounds = play.times if play.times is not None else ENOUGH
    for step in _full(play) * rounds:
        if left is not None and left <= 0:
            break
        shown = step.duration_ps if left is None else min(left, step.duration_ps)
        steps.append(PlayStep(step.levels, shown))
        left = None if left is None else left - shown
    dark = SeenStep(tuple((x.name, 0) for x in play.lines), None)
    total = sum(step.duration_ps for step in steps)
    # What takes over at its very end is stated by itself.
    taken_over = length is not None and length <= total
    seen = _seen(steps) if taken_over else (*_seen(steps), dark)
    start = segment.start - segment.early
    stop = segment.start + total * 51 // 50 + 2 * segment.late
    within = segment.early + segment.late
    yield Pattern(seen, False, TOLERANCE_PPM, within, Window(start, stop))


def _seen(steps: list[PlayStep]) -> tuple[SeenStep, ...]:
    return tuple(
        SeenStep(tuple((x.name, level) for x, level in step.levels), step.duration_ps)
        for step in steps
    )


def _full(play: Play) -> list[PlayStep]:
    """The steps with every line's level written out, equal neighbours made one."""
    levels: dict[Line, int] = dict.fromkeys(play.lines, 0)
    for step in play.steps:
        levels.update(step.levels)  # what the last round left
    full: list[PlayStep] = []
    for step in play.steps:
        levels = {**levels, **dict(step.levels)}
        shown = tuple(levels.items())
        if full and full[-1].levels == shown:
            full[-1] = PlayStep(shown, full[-1].duration_ps + step.duration_ps)
        else:
            full.append(PlayStep(shown, step.duration_ps))
    return full


@dataclass(frozen=True, slots=True)
class PlayStep:
    """A step with the level of every line of its Play."""

    levels: tuple[tuple[Line, int], ...]
    duration_ps: int


def _pattern(
    say: Say, levels: dict[Line, int] | None = None
) -> tuple[str, tuple[tuple[str, Bound], ...]]:
    """The text as a pattern with captures, and what each captured number must be."""
    text, bounds = "", []
    for i, part in enumerate(say.parts):
        name = f"n{i}"
        match part:
            case str():
                text += part.replace("{", "{{").replace("}", "}}")
            case Count(first, step):
                text += f"{{{name}}}"
                bounds.append((name, Bound(first=first, step=step)))
            case Uptime(unit):
                text += f"{{{name}}}"
                slack = 0 if unit == "s" else 20
                bounds.append((name, Bound(tracks=f"uptime_{unit}", slack=slack)))
            case Presses(source):
                text += f"{{{name}}}"
                bounds.append((name, Bound(tracks=f"presses:{source.name}")))
            case State(line, on, off):
                text += on if levels and levels[line] else off
    return text, tuple(bounds)
