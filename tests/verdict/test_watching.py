"""What was not watched, not done, or not seen well enough is UNSURE, with the reason."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fwgen.contract import (
    Asleep,
    Blinks,
    Counts,
    Follows,
    Level,
    Never,
    Pattern,
    Press,
    Pwm,
    Quiet,
    Responds,
    Says,
    Step,
    Tone,
    Trigger,
    Window,
)  # fmt: skip
from fwgen.trace import (
    Edge,
    Fault,
    Heard,
    Looked,
    NotDone,
    Reset,
    Sampled,
    Trace,
    Watched,
)  # fmt: skip
from fwgen.verdict import Outcome, judge
from fwgen.verdict.needs import needs
from fwgen.verdict.watching import bounds
from tests.verdict.trace_painter import BOARD, MS, SETUP, Painter, S, contract

PIN = Sampled(MS)


def watched(**kwargs):
    given = {"pins": {"PA5": PIN}, "ports": {"USART2": Heard(MS, 115_200)}, "core": True}
    return Watched(**{**given, **kwargs})


def seen(painter, **kwargs):
    trace = painter.trace()
    blurred = tuple(replace(e, blur_ps=MS // 2) if isinstance(e, Edge) else e for e in trace.events)
    return Trace("rig", trace.board, trace.span_ps, blurred, trace.initial,
                 watched=watched(**kwargs))  # fmt: skip


def judged(expectation, trace, stimuli=(), span=2 * S - 50 * MS):
    return judge(contract(expectation, span_ps=span, stimuli=stimuli), trace, BOARD)


def blinking():
    return Painter().blinks("PA5", 250 * MS, 250 * MS)


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        (Level("PA6", 1), "PA6 was not watched"),
        (Follows("LD2", "B1"), "B1, which is on PC13, was not watched"),
        (Pattern((Step((("LD2", 1), ("PA7", 0)), S),)), "PA7 was not watched"),
        (Responds(Trigger("B1", "rising"), Trigger("LD2", "both"), MS), "was not watched"),
        (Says("USART1", "x"), "nobody listened to USART1"),
        (Says("console", "x", baud=9600), "listened to at 115200 baud, not at 9600"),
        (Asleep(1), "did not look whether the core sleeps"),
        (Quiet(("LD2",)), "not watched: PA0"),
    ],
)
def test_what_was_not_watched_is_unsure(asked, words) -> None:
    finding = judged(asked, seen(blinking())).findings[0]
    assert finding.outcome is Outcome.UNSURE
    assert words in finding.text


def test_what_was_seen_passes_and_says_how_it_was_looked_at() -> None:
    finding = judged(Blinks("LD2", 500 * MS), seen(blinking())).findings[0]
    assert finding.outcome is Outcome.PASS
    assert finding.text.endswith("(looked at every 1 ms at the longest)")
    said = Painter().says(10 * MS, "hi\n")
    finding = judged(Says("console", "hi"), seen(said)).findings[0]
    assert finding.outcome is Outcome.PASS
    assert "heard at 115200 baud, give or take 1 ms" in finding.text


def test_a_clear_departure_fails() -> None:
    bad = Painter().blinks("PA5", 300 * MS, 200 * MS)
    assert judged(Blinks("LD2", 500 * MS), seen(bad)).findings[0].outcome is Outcome.FAIL
    assert judged(Quiet(), seen(blinking())).findings[0].outcome is Outcome.FAIL


@pytest.mark.parametrize(
    "asked",
    [Blinks("LD2", 2 * MS), Tone("LD2", 600_000), Pwm("LD2", 1_000_000, 500_000),
     Pattern((Step((("LD2", 1),), MS), Step((("LD2", 0),), MS)))],
)  # fmt: skip
def test_what_is_faster_than_the_looks_is_unsure_either_way(asked) -> None:
    for painter in (blinking(), Painter().blinks("PA5", MS, MS)):
        finding = judged(asked, seen(painter)).findings[0]
        assert finding.outcome is Outcome.UNSURE
        assert "too seldom" in finding.text


def test_who_looks_away_for_long_cannot_say_that_nothing_moved() -> None:
    still = Painter().levels("PA5", (SETUP, 0))
    asked = Never(Trigger("LD2", "rising"))
    assert judged(asked, seen(still)).findings[0].outcome is Outcome.PASS
    hole = {"PA5": Sampled(MS, ((500 * MS, 530 * MS),))}
    finding = judged(asked, seen(still, pins=hole)).findings[0]
    assert finding.outcome is Outcome.UNSURE
    assert "looked at every 30 ms at the longest" in finding.text
    later = replace(asked, window=Window(S))
    assert judged(later, seen(still, pins=hole)).findings[0].outcome is Outcome.PASS


def test_an_edge_that_was_not_seen_came_not_if_the_machine_shows_that_it_would_be_seen() -> None:
    asked = Counts("LD2", "pulse", 1, 1)
    nothing = seen(Painter().levels("PA5", (SETUP, 0)))
    plain = contract(asked, span_ps=S)
    assert judge(plain, nothing, BOARD).findings[0].outcome is Outcome.UNSURE
    long = Painter().holds("PA5", SETUP, 100 * MS, 100 * MS, level=0).trace()
    finding = judge(plain, nothing, BOARD, beside=long).findings[0]
    assert finding.outcome is Outcome.FAIL
    short = Painter().holds("PA5", SETUP, 100 * MS, MS, level=0).trace()
    assert judge(plain, nothing, BOARD, beside=short).findings[0].outcome is Outcome.UNSURE


def test_what_was_not_done_leaves_open_whatever_comes_after_it() -> None:
    press = (Press("B1", S, 100 * MS),)
    why = "nothing is wired to PC13"
    trace = seen(blinking().at(NotDone(S, "PC13", "the press", why)))
    verdict = judged(Blinks("LD2", 500 * MS), trace, press)
    assert verdict.findings[0].outcome is Outcome.UNSURE
    assert f"PC13: the press was not done at 1 s, {why}" in verdict.findings[0].text
    assert why in next(f for f in verdict.implied if f.about == "stimuli").text
    early = Blinks("LD2", 250 * MS, window=Window(0, S))
    assert judged(early, trace, press).findings[0].outcome is Outcome.FAIL
    shorter = Blinks("LD2", 200 * MS, window=Window(0, 800 * MS))
    assert judged(shorter, trace, press).findings[0].outcome is Outcome.FAIL


def test_a_rig_tells_of_faults_and_resets_but_not_of_hazards() -> None:
    made = {f.about: f.outcome for f in judged(Level("LD2", 1, S), seen(blinking())).implied}
    assert made["faults"] is made["resets"] is made["gaps"] is Outcome.PASS
    assert made["hazards"] is Outcome.UNSURE
    blind = judged(Level("LD2", 1, S), seen(blinking(), core=False)).implied
    made = {f.about: f.outcome for f in blind}
    assert made["faults"] is made["resets"] is Outcome.UNSURE
    for event in (Fault(S, "HardFault", "so", 0), Reset(S, "IWDGRSTF")):
        trace = seen(blinking().at(event))
        assert judged(Level("LD2", 1, S // 2), trace).outcome is Outcome.FAIL


# ---------------------------------------------------------------------------- sleep


def looks(asleep, times, *, until=2 * S):
    painter = Painter()
    count = 20
    for i in range(count):
        start, stop = until * i // count, until * (i + 1) // count - 1
        painter.at(Looked(stop, start, times // count, asleep // count))
    return seen(painter, asleep=True)


@pytest.mark.parametrize(
    ("least", "outcome"),
    [(800_000, Outcome.PASS), (895_000, Outcome.UNSURE), (990_000, Outcome.FAIL)],
)
def test_a_share_of_sleep_is_known_as_well_as_samples_tell(least, outcome) -> None:
    assert judged(Asleep(least), looks(1800, 2000), span=2 * S).findings[0].outcome is outcome


def test_a_few_looks_or_half_of_the_window_are_not_enough() -> None:
    assert judged(Asleep(900_000), looks(20, 20)).findings[0].outcome is Outcome.UNSURE
    early = looks(2000, 2000, until=600 * MS)
    assert judged(Asleep(900_000), early).findings[0].outcome is Outcome.UNSURE


@given(st.integers(1, 10**6), st.integers(0, 10**6))
def test_bounds_hold_the_share_and_narrow_with_more_samples(times, part) -> None:
    hits = times * part // 10**6
    low, high = bounds(hits, times)
    assert 0 <= low <= hits * 10**6 // times <= high <= 10**6
    low_10, high_10 = bounds(10 * hits, 10 * times)
    assert high_10 - low_10 <= high - low + 2


# ---------------------------------------------------------------------------- needs


def test_what_to_watch_follows_from_the_contract() -> None:
    made = contract(
        Blinks("LD2", 500 * MS),
        Says("console", "x", baud=9600),
        Level("PA6", 1),
        Pattern((Step((("PA7", 1),), 10 * MS), Step((("PA7", 0),), 10 * MS))),
        stimuli=(Press("B1", S, MS),),
    )
    asked = needs(made, BOARD)
    assert set(asked.pins) == {"PA5", "PA6", "PA7", "PC13"}
    assert asked.bauds == (9600,)
    assert asked.finer_than(MS) == ("PA7",)
    assert asked.every_ps() < asked.every_ps(without=("PA7",)) <= MS
