"""Rules boiled down to jobs: the few shapes that machine code is made for.

    Walk     lines go through timed steps, so often or for ever
    Do       something is done at a moment, once or again and again
    Mirror   a line takes the level of an input

Many ways to say a thing become one here ("toggle every 250 ms" *is* a blink; "on for 3 s" is a
walk of one step), so that the planner can choose by what must be seen, not by how it was said.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from fwgen.errors import ModelError
from fwgen.model.embedded.behaviour import (
    AtBoot,
    Follow,
    Held,
    Line,
    OnEdge,
    Play,
    Put,
    Say,
    Step,
)  # fmt: skip

if TYPE_CHECKING:
    from fwgen.model.embedded.behaviour import Program, Rule


@dataclass(frozen=True, slots=True)
class When:
    """What starts a job, and the condition that it is under."""

    start: AtBoot | OnEdge
    gate: Held | None = None

    @property
    def at_reset(self) -> bool:
        """Whether it begins at reset and nothing ever holds it."""
        return self.start == AtBoot() and self.gate is None


@dataclass(frozen=True, slots=True)
class Walk:
    """``steps`` gone through ``times`` times (None: for ever), then ``tail``, then all off."""

    when: When
    steps: tuple[Step, ...]
    times: int | None
    clause: str
    tail: tuple[Step, ...] = ()

    @property
    def lines(self) -> tuple[Line, ...]:
        """Every line that it drives."""
        return tuple(dict.fromkeys(line for step in self.steps for line, _ in step.levels))


@dataclass(frozen=True, slots=True)
class Do:
    """``actions`` at the start, or every ``every_ps`` (``times`` times; None: for ever).

    ``at_once``: first at the start itself, else one interval later.
    """

    when: When
    actions: tuple[Put | Say, ...]
    every_ps: int | None
    at_once: bool
    times: int | None
    clause: str

    @property
    def lines(self) -> tuple[Line, ...]:
        """Every line that it drives."""
        return tuple(dict.fromkeys(a.line for a in self.actions if isinstance(a, Put)))


@dataclass(frozen=True, slots=True)
class Mirror:
    """``line`` is on while ``source`` is pressed; ``until_ps`` after the start it goes off."""

    when: When
    line: Line
    source: Line
    invert: bool
    until_ps: int | None
    clause: str

    @property
    def lines(self) -> tuple[Line, ...]:
        """The line that it drives."""
        return (self.line,)


Job = Walk | Do | Mirror


def lower(program: Program) -> tuple[Job, ...]:
    """The jobs of a program, in the order of its rules. Raises ModelError naming the clause."""
    if not program.rules:
        raise ModelError("there is nothing to do: the program has no rules")
    return tuple(job for rule in program.rules for job in _lower(rule))


def split(job: Job) -> tuple[Job, ...]:
    """A walk of two steps as one walk for each of its lines; anything else as it is."""
    if not isinstance(job, Walk) or len(job.steps) != 2 or len(job.lines) < 2:
        return (job,)
    one, two = (dict(step.levels) for step in job.steps)
    if set(one) != set(two):
        return (job,)
    return tuple(
        replace(
            job,
            steps=tuple(
                Step(((line, levels[line]),), step.duration_ps)
                for levels, step in zip((one, two), job.steps, strict=True)
            ),
        )
        for line in job.lines
    )


def still(job: Job) -> Job:
    """A walk that never changes anything after its first step is no walk: it is a Do."""
    if isinstance(job, Walk) and len(job.steps) == 1 and job.times is None:
        puts = tuple(Put(line, "on" if level else "off") for line, level in job.steps[0].levels)
        return Do(job.when, puts, None, True, 1, job.clause)
    return job


def _lower(rule: Rule) -> list[Job]:
    when = When(rule.start, rule.gate)
    action = rule.action
    _check(rule)
    if isinstance(action, Play):
        return [_walk(when, action, rule)]
    if isinstance(action, Follow):
        return [Mirror(when, action.line, action.source, action.invert, rule.stop_ps, rule.clause)]
    if rule.every_ps is not None:
        return [_repeat(when, action, rule, rule.every_ps)]
    if isinstance(action, Put) and rule.stop_ps is not None and action.level != "off":
        if action.level == "on":
            step = Step(((action.line, 1),), rule.stop_ps)
            return [Walk(when, (step,), 1, rule.clause)]
        later = replace(rule.start, after_ps=rule.start.after_ps + rule.stop_ps)
        off = Do(When(later, rule.gate), (Put(action.line, "off"),), None, True, 1, rule.clause)
        return [Do(when, (action,), None, True, 1, rule.clause), off]
    return [Do(when, (action,), None, True, 1, rule.clause)]


def _check(rule: Rule) -> None:
    times: list[int | None] = [rule.every_ps, rule.stop_ps]
    if isinstance(rule.action, Play):
        if not rule.action.steps or not rule.action.lines:
            raise ModelError("there is nothing to play", where=rule.clause or None)
        if rule.action.times is not None and rule.action.times < 1:
            raise ModelError(
                "to play something 0 times is to do nothing", where=rule.clause or None
            )
        times += [step.duration_ps for step in rule.action.steps]
    if rule.start.after_ps < 0 or any(t is not None and t <= 0 for t in times):
        raise ModelError("a time must be longer than nothing", where=rule.clause or None)


def _walk(when: When, play: Play, rule: Rule) -> Walk:
    steps, times = _shortest(play.steps), play.times
    period = sum(step.duration_ps for step in steps)
    if times is not None:
        times *= play.period_ps // period
        if len(steps) == 1:  # so often the same is once for so long
            steps = (replace(steps[0], duration_ps=steps[0].duration_ps * times),)
            period, times = period * times, 1
    stop = rule.stop_ps
    if stop is None or (times is not None and times * period <= stop):
        return Walk(when, steps, times, rule.clause)
    if len(steps) == 1:
        return Walk(when, (replace(steps[0], duration_ps=stop),), 1, rule.clause)
    rounds, rest = divmod(stop, period)
    tail: list[Step] = []
    for step in steps:
        if rest <= 0:
            break
        tail.append(replace(step, duration_ps=min(rest, step.duration_ps)))
        rest -= step.duration_ps
    if not rounds:
        return Walk(when, tuple(tail), 1, rule.clause)
    return Walk(when, steps, rounds, rule.clause, tuple(tail))


def _shortest(steps: tuple[Step, ...]) -> tuple[Step, ...]:
    """The same round with equal neighbours joined and repetitions within it folded."""
    joined: list[Step] = []
    held: dict[Line, int] = {}
    for step in steps:
        levels = tuple(step.levels)
        if joined and all(held.get(line) == level for line, level in levels):
            last = joined[-1]
            joined[-1] = replace(last, duration_ps=last.duration_ps + step.duration_ps)
            continue
        joined.append(Step(levels, step.duration_ps))
        held.update(levels)
    for size in range(1, len(joined)):
        if len(joined) % size == 0 and joined == joined[:size] * (len(joined) // size):
            return tuple(joined[:size])
    return tuple(joined)


def _repeat(when: When, action: Put | Say, rule: Rule, every: int) -> Job:
    stop = rule.stop_ps
    times = None
    if stop is not None:
        # At start + 0, every, 2 every ... as long as that is before the stop.
        times = -(-stop // every) if rule.at_once else (stop - 1) // every
    line = action.line if isinstance(action, Put) else None
    if line and action == Put(line, "toggle") and times is None and when.at_reset:
        on, off = Step(((line, 1),), every), Step(((line, 0),), every)
        return Walk(when, (on, off) if rule.at_once else (off, on), None, rule.clause)
    if line and stop is not None:
        if action == Put(line, "toggle") or action == Put(line, "on"):
            return _finite(when, action, rule, every, stop)
        return Do(when, (action,), every, rule.at_once, times, rule.clause)
    if times == 0:
        raise ModelError("it would stop before it begins", where=rule.clause or None)
    if times == 1 and rule.at_once:
        return Do(when, (action,), None, True, 1, rule.clause)
    return Do(when, (action,), every, rule.at_once, times, rule.clause)


def _finite(when: When, put: Put, rule: Rule, every: int, stop: int) -> Walk:
    """A line that is toggled (or turned on again and again) and goes off at the end."""
    if put.level == "on":
        if rule.at_once:
            return Walk(when, (Step(((put.line, 1),), stop),), 1, rule.clause)
        on = Step(((put.line, 1),), max(stop - every, 1))
        if when.gate is None:
            begun = replace(when.start, after_ps=when.start.after_ps + every)
            return Walk(When(begun), (on,), 1, rule.clause)
        return Walk(when, (Step(((put.line, 0),), every), on), 1, rule.clause)
    levels = (1, 0) if rule.at_once else (0, 1)
    play = Play(tuple(Step(((put.line, level),), every) for level in levels))
    return _walk(when, play, rule)


def merged(jobs: list[Job]) -> list[Job]:
    """Jobs with one schedule become one job: they need one alarm between them."""
    made: list[Job] = []
    for job in jobs:
        for i, other in enumerate(made):
            # A rule in between that drives the same line must keep its place in the order.
            passed = {line for later in made[i + 1 :] for line in later.lines}
            if passed.isdisjoint(job.lines) and (joint := _join(other, job)):
                made[i] = joint
                break
        else:
            made.append(job)
    return made


def _join(one: Job, two: Job) -> Job | None:
    if isinstance(one, Do) and isinstance(two, Do):
        same = (one.when, one.every_ps, one.at_once, one.times) == (
            two.when, two.every_ps, two.at_once, two.times
        )  # fmt: skip
        if not same:
            return None
        clause = _clauses(one.clause, two.clause)
        return replace(one, actions=one.actions + two.actions, clause=clause)
    if isinstance(one, Walk) and isinstance(two, Walk):
        if one.when != two.when or one.times != two.times or set(one.lines) & set(two.lines):
            return None
        if [s.duration_ps for s in one.steps] != [s.duration_ps for s in two.steps]:
            return None
        if [s.duration_ps for s in one.tail] != [s.duration_ps for s in two.tail]:
            return None
        steps, tail = (
            tuple(Step(a.levels + b.levels, a.duration_ps) for a, b in zip(x, y, strict=True))
            for x, y in ((one.steps, two.steps), (one.tail, two.tail))
        )
        return replace(one, steps=steps, tail=tail, clause=_clauses(one.clause, two.clause))
    return None


def _clauses(one: str, two: str) -> str:
    return one if two in one else f"{one}; {two}" if one else two
