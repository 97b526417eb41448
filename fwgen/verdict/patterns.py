"""Judging a pattern: several subjects walking through steps together."""

from __future__ import annotations

from itertools import cycle
from typing import TYPE_CHECKING, NamedTuple

from fwgen.contract.timing import length_of, slack_of
from fwgen.contract.words import named
from fwgen.units import PS_PER_MS, show_duration, show_ratio
from fwgen.verdict.levels import duration, number, too_seldom
from fwgen.verdict.types import Outcome
from fwgen.verdict.view import failed, fits, passed, unsure

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from fwgen.contract.types import Pattern, Step
    from fwgen.verdict.view import Seen, Span, View

SKEW_PS = PS_PER_MS
"""Subjects that change together may do so this far apart: instructions take their time."""

Levels = tuple[tuple[str, int], ...]


class Wanted(NamedTuple):
    """A step as it is looked for: like neighbours are one, unnamed subjects keep their level."""

    levels: Levels
    lasts: int | None
    number: int  # of the step in the contract, from 1
    asked: tuple[int, ...]  # the levels alone


class Moment(NamedTuple):
    """The levels of all subjects from ``start`` until ``stop``."""

    start: int
    stop: int
    levels: tuple[int | None, ...]
    blur: int = 0  # how far its start may be off


def unfold(steps: Sequence[Step], *, repeat: bool) -> Iterator[Wanted]:
    """The steps as they follow each other, for ever where they repeat."""
    made = _sticky(steps, repeat=repeat)
    if repeat and len({levels for levels, _ in made}) == 1:
        yield _wanted(made[0][0], None, 1)
        return
    pending: Wanted | None = None
    for count, (levels, lasts) in cycle(enumerate(made, 1)) if repeat else enumerate(made, 1):
        if pending is not None and pending.levels == levels and pending.lasts is not None:
            more = None if lasts is None else pending.lasts + lasts
            pending = _wanted(levels, more, pending.number)
            continue
        if pending is not None:
            yield pending
            if pending.lasts is None:
                return
        pending = _wanted(levels, lasts, count)
    if pending is not None:
        yield pending


def _wanted(levels: Levels, lasts: int | None, count: int) -> Wanted:
    return Wanted(levels, lasts, count, tuple(level for _, level in levels))


def _sticky(steps: Sequence[Step], *, repeat: bool) -> list[tuple[Levels, int | None]]:
    """Each step with the levels of all subjects: unnamed ones keep theirs."""
    held: dict[str, int] = {}
    if repeat:
        for step in steps:
            held |= dict(step.levels)
    names = list(dict.fromkeys(name for step in steps for name, _ in step.levels))
    made: list[tuple[Levels, int | None]] = []
    for step in steps:
        held |= dict(step.levels)
        levels = tuple((name, held[name]) for name in names if name in held)
        made.append((levels, step.duration_ps))
    return made


def together(view: View, names: Sequence[str], start: int, stop: int) -> list[Moment]:
    """The levels of several subjects, cut where any of them changes. Raises TooFastError."""
    lives = [view.segments(name, start, stop, whole=True) for name in names]
    if len(lives) == 1:
        return [Moment(seg.start, seg.stop, (seg.level,), seg.before) for seg in lives[0]]
    marks = sorted({seg.start for life in lives for seg in life} | {start})
    at = [0] * len(lives)
    blurs: dict[int, int] = {}
    for life in lives:
        for seg in life:
            blurs[seg.start] = max(blurs.get(seg.start, 0), seg.before)
    made: list[Moment] = []
    for i, mark in enumerate(marks):
        for k, life in enumerate(lives):
            while at[k] + 1 < len(life) and life[at[k] + 1].start <= mark:
                at[k] += 1
        end = marks[i + 1] if i + 1 < len(marks) else stop
        levels = tuple(life[at[k]].level if life else None for k, life in enumerate(lives))
        made.append(Moment(mark, end, levels, blurs.get(mark, 0)))
    return made


def judge_pattern(e: Pattern, view: View) -> Seen:
    """Each step in turn: the levels, and how long they are held."""
    span = view.span(e.window)
    names = list(dict.fromkeys(name for step in e.steps for name, _ in step.levels))
    seldom = _too_seldom(e, names, view, span)
    if seldom is not None:
        return seldom
    moments = _trimmed(together(view, names, span.start, span.stop), span)
    first = next(unfold(e.steps, repeat=e.repeat))
    latest = span.start + e.start_within_ps
    best: tuple[int, Seen] | None = None
    doubt: Seen | None = None
    # Step 1 may look like a later step, so each moment that could be its beginning is tried.
    for i, moment in enumerate(moments):
        if moment.start - view.blur - moment.blur - span.blur > latest:
            break
        walk = _Walk(e, view, span, names, moments, i)
        if not walk.matches(moment, first):
            continue
        seen = walk.judge()
        if seen.outcome is Outcome.PASS:
            return seen
        if view.trace.watched is not None and seen.outcome is Outcome.UNSURE:
            doubt = doubt or seen
        reached = seen.departure.t_ps if seen.departure is not None else span.stop
        if best is None or reached > best[0]:
            best = reached, seen
    if best is None:
        return _never_begins(view, span, names, moments, first, latest)
    return doubt or best[1]


def _too_seldom(e: Pattern, names: Sequence[str], view: View, span: Span) -> Seen | None:
    """Doubt about steps so short that this bench may not see them, or None."""
    times = [step.duration_ps for step in e.steps if step.duration_ps is not None]
    if not times:
        return None
    shortest = min(t - slack_of(t, e.tolerance_ppm) for t in times)
    if span.start > 0:
        shortest = min(shortest, times[0] - slack_of(times[0], e.tolerance_ppm) - e.start_within_ps)
    for name in names:
        seldom = too_seldom(name, shortest, view, span)
        if seldom is not None:
            return seldom
    return None


def _trimmed(moments: Sequence[Moment], span: Span) -> list[Moment]:
    """Moments without those at the ends that may belong to what comes before or after."""
    kept = list(moments)
    while len(kept) > 1 and span.start and kept[1].start - kept[1].blur - span.blur <= span.start:
        del kept[0]
        more = kept[0].start - span.start
        kept[0] = kept[0]._replace(start=span.start, blur=kept[0].blur + more)
    while len(kept) > 1 and kept[-1].start + kept[-1].blur + span.blur >= span.stop:
        del kept[-1]
    return kept


def _never_begins(
    view: View,
    span: Span,
    names: Sequence[str],
    moments: Sequence[Moment],
    first: Wanted,
    latest: int,
) -> Seen:
    at = next((m for m in moments if m.start <= latest < m.stop), moments[-1])
    seen = _shown(list(zip(names, at.levels, strict=True)), view)
    asked = f"expected {_shown(first.levels, view)} by {show_duration(latest)}"
    return failed(
        min(latest, span.stop), f"step 1 does not come: {seen} at {show_duration(latest)}; {asked}"
    )


def _shown(levels: Sequence[tuple[str, int | None]], view: View) -> str:
    return " ".join(f"{name} {named(name, view.board).word(level)}" for name, level in levels)


class _Walk:
    """One pass along the trace, step by step, from the moment that step 1 begins at."""

    def __init__(
        self,
        e: Pattern,
        view: View,
        span: Span,
        names: Sequence[str],
        moments: Sequence[Moment],
        begin: int,
    ) -> None:
        self.e, self.view, self.span, self.names = e, view, span, names
        self.moments, self.begin, self.i = moments, begin, begin
        self.left = span.start  # when the step before was left
        self.left_blur = 0
        self.give = 2 * max(view.pin_blur(name) for name in names)
        self.doubt: Seen | None = None
        self.steps_seen = 0

    def judge(self) -> Seen:
        """Follow every step until the window ends or the steps do."""
        steps = unfold(self.e.steps, repeat=self.e.repeat)
        wanted = next(steps)
        # A step begins with the first change towards it: skew is not taken off its time.
        began, first = self.moments[self.i].start, True
        self.left_blur = self.moments[self.i].blur
        for following in steps:
            seen = self._hold(wanted, following, began, first=first)
            if seen is not None:
                return seen
            if self.i >= len(self.moments):
                return self._done(whole=self.e.repeat)
            wanted, first, began = following, False, self.left
        seen = self._last(wanted, began, first=first)
        return seen or self._done(whole=True)

    def _done(self, *, whole: bool) -> Seen:
        figures = (number("steps", self.steps_seen),)
        if self.doubt is not None:
            return self.doubt
        names = ", ".join(self.names)
        if self.e.repeat and self.span.stop - self.moments[self.begin].start < length_of(
            self.e.steps
        ):
            return unsure(f"{names} begin too late to show every step", *figures)
        if not whole:
            return unsure(f"the run ended after {self.steps_seen} steps of {names}", *figures)
        return passed(f"{names}: {self.steps_seen} steps, each as asked", *figures)

    def matches(self, moment: Moment, wanted: Wanted) -> bool:
        if len(wanted.levels) == len(self.names):
            return moment.levels == wanted.asked
        want = dict(wanted.levels)
        return all(
            name not in want or level == want[name]
            for name, level in zip(self.names, moment.levels, strict=True)
        )

    def _seen_at(self, moment: Moment) -> str:
        return _shown(list(zip(self.names, moment.levels, strict=True)), self.view)

    def _hold(self, wanted: Wanted, following: Wanted, began: int, *, first: bool) -> Seen | None:
        """Follow ``wanted`` until ``following`` is complete."""
        assert wanted.lasts is not None
        slack = slack_of(wanted.lasts, self.e.tolerance_ppm)
        low, high = wanted.lasts - slack, wanted.lasts + slack
        if first:
            # The pattern may begin this much later than its levels are first there, and, where
            # the window opens on it, so much earlier.
            latest = self.span.start + self.e.start_within_ps
            high += max(0, latest + self.span.blur - began)
            if began == self.span.start > 0:
                low -= min(self.e.start_within_ps, low)
        while self.i < len(self.moments) and self.matches(self.moments[self.i], wanted):
            self.i += 1
        ended = self.i == len(self.moments)
        left = self.left = self.moments[-1].stop if ended else self.moments[self.i].start
        lasted = left - began
        blur = self.view.blur + self.left_blur
        self.left_blur = self.give if ended else self.moments[self.i].blur
        blur += self.left_blur
        if ended and lasted - blur <= high:
            self.steps_seen += 1
            return None
        step = f"step {wanted.number} ({_shown(wanted.levels, self.view)})"
        asked = f"expected {show_duration(wanted.lasts)} ± {show_ratio(self.e.tolerance_ppm)}"
        fit = Outcome.FAIL if ended else fits(lasted, low, high, blur)
        if fit is not Outcome.PASS:
            more = "at least " if ended else ""
            text = (
                f"{step}, from {show_duration(began)} on, lasts {more}{show_duration(lasted)}; "
                f"{asked}"
            )
            t = min(left, began + high + 1)
            if fit is Outcome.FAIL:
                return failed(t, text, duration("lasted", lasted))
            self.doubt = self.doubt or unsure(text, duration("lasted", lasted), at_ps=t)
        return self._change(wanted, following, left)

    def _change(self, wanted: Wanted, following: Wanted, left: int) -> Seen | None:
        """From one step to the next every subject changes at most once, within the skew."""
        shortest = min(wanted.lasts or SKEW_PS, following.lasts or SKEW_PS)
        skew = min(SKEW_PS, slack_of(shortest, self.e.tolerance_ppm)) + self.view.blur + self.give
        old, new = dict(wanted.levels), dict(following.levels)
        moved: set[str] = set()
        while self.i < len(self.moments):
            moment = self.moments[self.i]
            if self.matches(moment, following):
                self.steps_seen += 1
                return None
            for name, level in zip(self.names, moment.levels, strict=True):
                if name in new and level == new[name] != old.get(name):
                    moved.add(name)
                astray = name in new and level != new[name] and (
                    level != old.get(name) or name in moved
                )  # fmt: skip
                if astray or moment.start - left > skew:
                    return self._astray(moment, following)
            if moment.stop - left > skew:
                return self._astray(moment, following)
            self.i += 1
        self.steps_seen += 1
        return None

    def _astray(self, moment: Moment, following: Wanted) -> Seen:
        return failed(
            moment.start,
            f"at {show_duration(moment.start)} there is {self._seen_at(moment)}; expected "
            f"step {following.number}, {_shown(following.levels, self.view)}",
        )

    def _last(self, wanted: Wanted, began: int, *, first: bool) -> Seen | None:
        """The last step lasts as long as asked, or from then on."""
        while self.i < len(self.moments) and self.matches(self.moments[self.i], wanted):
            self.i += 1
        ended = self.i == len(self.moments)
        left = self.span.stop if ended else self.moments[self.i].start
        if wanted.lasts is None:
            if ended:
                self.steps_seen += 1
                return None
            low = self.span.stop - began
        else:
            low = wanted.lasts - slack_of(wanted.lasts, self.e.tolerance_ppm)
            if first and began == self.span.start > 0:
                low -= min(self.e.start_within_ps, low)
        if left - began < low - self.view.blur - self.give:
            if ended:
                return unsure(f"the run ended {show_duration(left - began)} into the last step")
            moment = self.moments[self.i]
            held = "for good" if wanted.lasts is None else f"for {show_duration(wanted.lasts)}"
            return failed(
                left,
                f"at {show_duration(left)} there is {self._seen_at(moment)}; expected "
                f"step {wanted.number}, {_shown(wanted.levels, self.view)}, {held}",
            )
        self.steps_seen += 1
        return None
