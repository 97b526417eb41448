"""A bench that looks now and then is never wrong: where it cannot tell, it says so.

The referee is the machine's own trace, seen whole. The same run, looked at at random moments, must
never pass what fails by more than could be seen, and never fail what passes. The cases are drawn by
chance, most of them near what is asked: it is there that a judge errs.
"""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import replace

import pytest

from fwgen.contract import (
    Blinks,
    Counts,
    Exclusive,
    Follows,
    Level,
    Never,
    Pattern,
    Press,
    Pwm,
    Quiet,
    Replies,
    Responds,
    Says,
    Step,
    Tone,
    Trigger,
    Window,
)
from fwgen.contract.types import Bound, Phase, Send
from fwgen.trace import Edge
from fwgen.verdict import Outcome, judge
from tests.verdict.sampling import through_a_rig
from tests.verdict.trace_painter import BOARD, MS, SETUP, US, Painter, contract

SPAN, ASKED = 1200 * MS, 1050 * MS
PINS = ("PA5", "PA6", "PC13")
PRESS = Press("B1", 500 * MS, 150 * MS, 3 * MS)
RATES = (100 * US, 300 * US, MS, 2 * MS, 5 * MS, 30 * MS)
CASES, DRAWS = 12, 60  # how many tests, how many cases in each


class Draw:
    """One case by chance: a run, and something asked of it."""

    def __init__(self, seed: int) -> None:
        self.chance = chance = random.Random(seed)
        self.painter = Painter(SPAN)
        self.stimuli = (PRESS,)
        self.painter.presses(500 * MS, 150 * MS, chance.choice([(), (MS, 2 * MS)]))
        self.level, self.error = chance.randint(0, 1), chance.choice([0, 3_000, 15_000, 60_000])
        self.tolerance = chance.choice([5_000, 20_000, 20_000, 50_000])
        self.window = chance.choice([
            Window(), Window(), Window(100 * MS), Window(0, 900 * MS), Window(300 * MS, 1000 * MS),
        ])  # fmt: skip
        makers = [name for name in dir(self) if name.startswith("ask_")]
        self.asked = getattr(self, chance.choice(makers))()

    def off(self, length: int) -> int:
        """A length with an error; now and then a big one."""
        error = 200_000 if self.chance.random() < 0.03 else self.error
        return max(1, length + length * self.chance.randint(-error, error) // 10**6)

    def walk(self, pin: str, lengths, *, level: int = 1, start: int = SETUP) -> None:
        """Levels in turn, each for its length with errors, over and over; or a mess."""
        t, i = start, 0
        if self.chance.random() < 0.1:
            self.mess(pin)
            return
        while t < SPAN:
            self.painter.levels(pin, (t, level))
            t, level, i = t + self.off(lengths[i % len(lengths)]), 1 - level, i + 1

    def mess(self, pin: str, fewest: int = 0) -> None:
        """Any levels for any times, long and short."""
        chance, t = self.chance, SETUP
        self.painter.levels(pin, (t, self.level))
        for i in range(chance.randint(fewest, 9)):
            shortest = chance.choice([20 * US, 3 * MS, 40 * MS])
            t += chance.randint(shortest, chance.choice([2, 7]) * shortest)
            self.painter.levels(pin, (t, (self.level + i + 1) % 2))

    def times(self) -> tuple[int, int, int]:
        period = 2 * self.chance.choice([2, 10, 20, 50, 100]) * MS
        duty = self.chance.choice([200_000, 500_000, 500_000, 700_000])
        return period, duty, period * duty // 10**6

    def ask_blinks(self):
        period, duty, on = self.times()
        self.walk("PA5", (on, period - on) if self.level else (period - on, on), level=self.level)
        asked = self.chance.choice([duty, duty, None])
        starts = self.chance.choice([None, self.level])
        return Blinks("LD2", period, asked, None, self.tolerance, self.window, starts)

    def ask_phase(self):
        period, duty, on = self.times()
        offset = self.chance.choice([0, period // 4])
        self.walk("PA6", (period // 2, period // 2))
        self.walk("PA5", (on, period - on), start=SETUP + offset)
        return Blinks(
            "LD2", period, duty, Phase("PA6", self.off(offset)), self.tolerance, self.window
        )

    def ask_pattern(self):
        lengths = [self.chance.choice([2, 20, 50, 100, 150]) * MS for _ in range(4)]
        self.walk("PA5", lengths)
        steps = tuple(Step((("LD2", 1 - i % 2),), t) for i, t in enumerate(lengths))
        window = self.chance.choice([Window(), Window(0, 900 * MS)])
        return Pattern(steps, self.chance.random() < 0.5, self.tolerance, window=window)

    def ask_pair(self):
        lengths = [self.chance.choice([10, 50, 100, 150]) * MS for _ in range(2)]
        t, i = SETUP, 0
        while t < SPAN:
            skew = self.chance.choice([0, 100 * US, 900 * US, 3 * MS])
            self.painter.levels("PA5", (t, 1 - i % 2)).levels("PA6", (t + skew, i % 2))
            t, i = t + self.off(lengths[i % 2]), i + 1
        pairs = (("LD2", 1), ("PA6", 0)), (("LD2", 0), ("PA6", 1))
        steps = tuple(Step(p, t) for p, t in zip(pairs, lengths, strict=True))
        return Pattern(steps, True, self.tolerance)

    def ask_once(self):
        length = self.chance.choice([20, 100, 300]) * MS
        self.painter.levels("PA5", (SETUP, 0), (SETUP + self.off(length), 1))
        steps = Step((("LD2", 0),), length), Step((("LD2", 1),), None)
        return Pattern(steps, False, self.tolerance)

    def ask_counts(self):
        self.mess("PA5")
        what = self.chance.choice(["rising", "falling", "both", "pulse"])
        any_count = Counts("LD2", what, 0, None, self.window)
        seen = self.judged(any_count, self.painter.trace()).figures[0].value
        least = max(0, seen + self.chance.choice([0, 0, -1, 1, 2]))
        most = self.chance.choice([least, least, least + 2, None])
        return Counts("LD2", what, least, most, self.window)

    def ask_pwm(self):
        period, duty, on = self.times()
        self.walk("PA5", (on, period - on))
        to = self.chance.choice([None, None, duty + 100_000])
        return Pwm("LD2", 10**15 // period, duty, to, self.tolerance, 30_000, self.window)

    def ask_constant(self):
        self.painter.levels("PA5", (SETUP, self.level))
        if self.chance.random() < 0.5:
            self.mess("PA5")
        return Pwm("LD2", 10**6, self.level * 10**6, window=self.window)

    def ask_tone(self):
        period, _, on = self.times()
        self.walk("PA5", (on, period - on))
        return Tone("LD2", 10**15 // period, self.tolerance, self.window)

    def ask_level(self):
        if self.chance.random() < 0.5:
            self.mess("PA5")
        else:
            at = self.chance.choice([100, 300, 900, 1000]) * MS + self.chance.randint(-9, 9) * MS
            self.painter.levels("PA5", (SETUP, 1 - self.level), (at, self.level))
        return Level("LD2", self.level, window=self.window)

    def ask_level_at(self):
        self.mess("PA5", 2)
        edges = [e.t_ps for e in self.painter.events if isinstance(e, Edge) and e.pin == "PA5"]
        at = self.chance.choice([*edges, 400 * MS]) + self.chance.randint(-9, 9) * MS
        return Level("LD2", self.level, max(SETUP, at))

    def ask_follows(self):
        self.mess("PA6", 2)
        lag = self.chance.choice([0, MS, 10 * MS, 40 * MS])
        for e in list(self.painter.events):
            if isinstance(e, Edge) and e.pin == "PA6":
                t = e.t_ps + (self.off(lag) if e.t_ps > SETUP else 0)
                self.painter.levels("PA5", (t, e.level))
        within = self.chance.choice([MS, 10 * MS, 50 * MS])
        return Follows("LD2", "PA6", False, within, self.window)

    def ask_follows_button(self):
        lag = self.chance.choice([0, 5, 20, 45]) * MS
        self.painter.levels("PA5", (SETUP, 0), (500 * MS + lag, 1), (650 * MS + self.off(lag), 0))
        return Follows("LD2", "B1", False, self.chance.choice([5, 20, 50]) * MS)

    def ask_responds(self):
        lag = self.chance.choice([0, 5, 20, 45, 200]) * MS
        self.painter.levels("PA5", (SETUP, 0), (500 * MS + self.off(lag), 1))
        if self.chance.random() < 0.3:
            self.painter.levels("PA5", (500 * MS + lag + self.chance.choice([1, 50]) * MS, 0))
        trigger = self.chance.choice([Trigger("B1"), Trigger("B1", "rising")])
        response = Trigger("LD2", self.chance.choice(["rising", "both", "falling"]))
        after = self.chance.choice([0, 0, 5 * MS, 20 * MS])
        return Responds(trigger, response, self.chance.choice([20, 50]) * MS + after, after)

    def ask_responds_to_a_pin(self):
        lengths = [self.chance.choice([20, 60, 130]) * MS, 90 * MS]
        lag = self.chance.choice([0, 1, 5, 20]) * MS
        self.walk("PA6", lengths)
        for e in list(self.painter.events):
            if isinstance(e, Edge) and e.pin == "PA6":
                self.painter.levels("PA5", (e.t_ps + self.off(lag), e.level))
        edge = self.chance.choice(["rising", "both"])
        within = self.chance.choice([2, 10, 50]) * MS
        return Responds(Trigger("PA6", edge), Trigger("LD2", edge), within, 0, self.window)

    def ask_never(self):
        self.mess("PA5")
        return Never(Trigger("LD2", self.chance.choice(["rising", "falling", "both"])), self.window)

    def ask_exclusive(self):
        gap = self.chance.choice([-2 * MS, -50 * US, 0, 50 * US, 2 * MS])
        t = SETUP
        while t < SPAN:
            length = self.chance.choice([20, 70]) * MS
            self.painter.levels("PA5", (t, 1), (t + length, 0))
            self.painter.levels("PA6", (t + length + gap, 1), (t + 2 * length, 0))
            t += 2 * length + max(gap, 0) + US
        return Exclusive(("LD2", "PA6"), self.window)

    def ask_quiet(self):
        if self.chance.random() < 0.5:
            self.mess("PA6")
        elif self.chance.random() < 0.5:
            self.painter.levels("PA6", (ASKED + self.chance.randint(-9, 9) * MS, 1))
        self.mess("PA5")
        pins = tuple(pin for pin in BOARD.chip.pins if pin not in ("PA5", "PA6"))
        return Quiet(("LD2", *pins))

    def ask_says(self):
        period = self.chance.choice([50, 100, 200]) * MS
        t = MS
        for i in range(int(ASKED // period) + 2):
            self.painter.says(t, f"n {i}\n")
            t += self.off(period)
        times = self.chance.choice([None, None, 5])
        bounds = (("n", Bound(first=0, step=1)),) if self.window.start_ps == 0 else ()
        return Says("console", "n {n}", bounds, period, times=times, window=self.window,
                    tolerance_ppm=self.tolerance)  # fmt: skip

    def ask_uptime(self):
        for i in range(5):
            t = 150 * MS * (i + 1)
            self.painter.says(t, f"{self.off(t) // MS}\n")
        return Says("console", "{ms}", (("ms", Bound(tracks="uptime_ms", slack=1)),), only=False)

    def ask_presses(self):
        late = self.chance.choice([-30, -5, 0, 20, 90, 130, 190]) * MS
        self.painter.says(400 * MS, "0\n").says(500 * MS + late, "1\n")
        return Says("console", "{n}", (("n", Bound(tracks="presses:B1")),))

    def ask_replies(self):
        self.stimuli = (PRESS, Send("console", 300 * MS, b"ping\n"))
        self.painter.does(300 * MS, "console").hears(300 * MS, "ping\n")
        heard = 300 * MS + 435 * US
        self.painter.says(heard + self.chance.choice([0, 5, 20, 48, 60]) * MS, "pong\n")
        return Replies("console", "ping", "pong", within_ps=self.chance.choice([20, 50]) * MS)

    def judged(self, asked, trace, **kwargs):
        made = contract(asked, span_ps=ASKED, stimuli=self.stimuli)
        return judge(made, trace, BOARD, **kwargs).findings[0]

    def looked_at(self, whole):
        chance = self.chance
        pins = PINS
        if isinstance(self.asked, Quiet):
            pins = (*PINS, *(p for p in BOARD.chip.pins if p not in PINS))[:3]
        return through_a_rig(
            whole, every_ps=chance.choice(RATES), seed=chance.randint(0, 10**9), pins=pins,
            hiccups=chance.choice([0, 0, 1, 2]), zero_ps=chance.choice([0, 0, 200 * US, MS]),
            port_blur_ps=chance.choice([0, 100 * US, MS]),
        )  # fmt: skip


def never_wrong(seed: int) -> tuple[str, str, str]:
    """Judge one case whole and in part; the kind of expectation and both outcomes."""
    draw = Draw(seed)
    asked, whole = draw.asked, draw.painter.trace()
    seen = draw.looked_at(whole)
    referee = draw.judged(asked, whole)
    finding = draw.judged(asked, seen, beside=whole if draw.chance.random() < 0.5 else None)
    kind = type(asked).__name__, referee.outcome.name, finding.outcome.name
    if referee.outcome is Outcome.PASS:
        assert finding.outcome is not Outcome.FAIL, (seed, asked, referee.text, finding.text)
    elif referee.outcome is Outcome.UNSURE:
        assert finding.outcome is Outcome.UNSURE, (seed, asked, referee.text, finding.text)
    elif referee.outcome is Outcome.FAIL and finding.outcome is Outcome.PASS:
        unseen = max(p.longest_ps(0, SPAN) for p in seen.watched.pins.values())
        off = seen.watched.zero_ps + max(h.blur_ps for h in seen.watched.ports.values())
        plain = replace(
            whole, events=tuple(_plain(whole, unseen)), resolution_ps=2 * (unseen + off)
        )
        same = draw.judged(asked, plain)
        narrower = draw.judged(_narrowed(asked, unseen + off), plain)
        if isinstance(asked, Counts) and narrower.figures[0].value <= (asked.most or 99):
            return kind  # those near the borders make the difference
        assert Outcome.FAIL is not same.outcome or Outcome.FAIL is not narrower.outcome, (
            seed, asked, referee.text, narrower.text, finding.text,
        )  # fmt: skip
    return kind


def _plain(trace, shorter_ps):
    """The events without levels that come and go while nobody looks."""
    for e in trace.events:
        if not isinstance(e, Edge):
            yield e
    for pin in trace.moving_pins():
        level = trace.initial.get(pin)
        runs = trace.runs(pin)
        long = [run for run in runs if run.stop_ps - run.start_ps > shorter_ps]
        for i, run in enumerate(long):
            if run.level != level:
                level = run.level
                # What came before may have been too short to be seen, but it was no floating.
                yield Edge(run.start_ps if i else min(run.start_ps, SETUP), pin, level)


def _narrowed(asked, off):
    """The same, asked of a window that nothing near its borders belongs to."""
    window = getattr(asked, "window", None)
    if window is None:
        return asked
    start = window.start_ps and window.start_ps + off
    stop = (window.stop_ps or ASKED) - off
    return replace(asked, window=Window(start, max(stop, start + 1)))


@pytest.mark.parametrize("part", range(CASES))
def test_what_is_seen_in_part_is_never_judged_wrong(part) -> None:
    kinds = Counter(never_wrong(seed) for seed in range(part * DRAWS, (part + 1) * DRAWS))
    # Who never decides anything is never wrong, either.
    decided = sum(n for (_, _, mine), n in kinds.items() if mine != "UNSURE")
    assert decided > DRAWS // 3, kinds
