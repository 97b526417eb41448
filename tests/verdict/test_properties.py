"""Any trace made from an expectation with its errors inside the tolerance passes; outside, not."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from fwgen.contract import (
    Blinks,
    Counts,
    Exclusive,
    Follows,
    Level,
    Pattern,
    Press,
    Pwm,
    Quiet,
    Responds,
    Says,
    Step,
    Tone,
    Trigger,
)
from fwgen.trace import Edge, Trace, Wave
from fwgen.verdict import Outcome, judge
from tests.verdict.trace_painter import BOARD, MS, SETUP, US, Painter, contract, found

quick = settings(max_examples=60, deadline=None)
TOLERANCE = 20_000
inside = st.integers(-9_900, 9_900)  # ppm of a length; two of them make one period's
outside = st.sampled_from([-1, 1]).flatmap(
    lambda sign: st.integers(21_000, 200_000).map(lambda ppm: sign * ppm)
)


def off_by(length: int, ppm: int) -> int:
    return length + length * ppm // 10**6


@quick
@given(
    st.integers(10 * US, 400 * MS),
    st.integers(100_000, 900_000),
    st.lists(inside, min_size=12, max_size=12),
    st.integers(0, 11),
    outside,
)
def test_blinks(period, duty, errors, where, wrong) -> None:
    on = period * duty // 10**6
    halves = [off_by(on if i % 2 == 0 else period - on, e) for i, e in enumerate(errors)]
    asked = Blinks("LD2", period, duty)
    stop = SETUP + sum(halves)
    good = Painter(stop).holds("PA5", SETUP, *halves)
    assert found(asked, good).outcome is Outcome.PASS
    halves[where] = off_by(on if where % 2 == 0 else period - on, wrong)
    bad = Painter(SETUP + sum(halves)).holds("PA5", SETUP, *halves)
    # The last one ends with the run, so it may only be too short: that is not seen.
    assume(where < 11 or wrong > 0)
    finding = found(asked, bad)
    assert finding.outcome is Outcome.FAIL, finding
    begins = SETUP + sum(halves[:where])
    assert begins <= finding.departure.t_ps <= begins + 2 * halves[where] + period


@quick
@given(
    st.lists(st.integers(20 * MS, 300 * MS), min_size=2, max_size=5),
    st.lists(inside, min_size=15, max_size=15),
    st.integers(1, 8),
    outside,
)
def test_patterns(lengths, errors, where, wrong) -> None:
    if len(lengths) % 2:
        lengths = lengths[:-1]
    assume(len(lengths) >= 2)
    steps = tuple(Step((("LD2", 1 - i % 2),), length) for i, length in enumerate(lengths))
    asked = Pattern(steps)
    real = [off_by(lengths[i % len(lengths)], e) for i, e in enumerate(errors)]
    good = Painter(SETUP + sum(real)).holds("PA5", SETUP, *real)
    assert found(asked, good).outcome is Outcome.PASS
    real[where] = off_by(lengths[where % len(lengths)], wrong)
    bad = Painter(SETUP + sum(real)).holds("PA5", SETUP, *real)
    assert found(asked, bad).outcome is Outcome.FAIL
    once = found(replace(asked, repeat=False), good)
    assert once.outcome is Outcome.PASS


@quick
@given(st.lists(inside, min_size=6, max_size=6), st.integers(0, 5), outside)
def test_says_with_a_period(errors, where, wrong) -> None:
    def said(gaps):
        painter, t = Painter(MS + sum(gaps) + 50 * MS), MS
        painter.says(t, "tick\r\n")
        for gap in gaps:
            t += gap
            painter.says(t, "tick\r\n")
        return painter

    gaps = [off_by(200 * MS, e) for e in errors]
    asked = Says("console", "tick", period_ps=200 * MS)
    assert found(asked, said(gaps)).outcome is Outcome.PASS
    gaps[where] = off_by(200 * MS, wrong)
    assert found(asked, said(gaps)).outcome is Outcome.FAIL


@quick
@given(st.integers(0, 20 * MS), st.integers(0, 20 * MS), st.integers(1, 300 * MS), st.booleans())
def test_follows(rise, fall, late, invert) -> None:
    press = (Press("B1", 500 * MS, 400 * MS),)
    asked = Follows("LD2", "B1", invert, 20 * MS)
    on = 1 - invert

    def led(up, down):
        made = Painter().presses(500 * MS, 400 * MS)
        return made.levels("PA5", (SETUP, 1 - on), (500 * MS + up, on), (900 * MS + down, 1 - on))

    finding = found(asked, led(rise, fall), press)
    assert finding.outcome is Outcome.PASS
    assert finding.figures[0].value == max(rise, fall)
    finding = found(asked, led(20 * MS + late, fall), press)
    assert finding.outcome is Outcome.FAIL
    assert finding.departure.t_ps == 520 * MS


@quick
@given(st.integers(0, 100 * MS), st.integers(1, 100 * MS), st.integers(1, 50 * MS))
def test_responds(after, window, beyond) -> None:
    def lit(wait):
        return Painter().presses(500 * MS).levels("PA5", (SETUP, 0), (500 * MS + wait, 1))

    asked = Responds(Trigger("B1", "rising"), Trigger("LD2", "rising"), after + window, after)
    assert found(asked, lit(after)).outcome is Outcome.PASS
    assert found(asked, lit(after + window)).outcome is Outcome.PASS
    assert found(asked, lit(after + window + beyond)).outcome is Outcome.FAIL
    if after:
        assert found(asked, lit(max(0, after - beyond))).outcome is Outcome.FAIL


@quick
@given(
    st.integers(1_000, 10**8),
    st.integers(100_000, 900_000),
    st.integers(-9_000, 9_000),
    st.integers(-19_000, 19_000),
    st.integers(11_000, 90_000),
)
def test_pwm_as_a_wave(frequency, duty, duty_error, period_error, wrong) -> None:
    period = 10**15 // frequency
    asked = Pwm("PA8", frequency, duty)
    span = 50 * period + SETUP

    def made(duty, period):
        on = period * duty // 10**6
        assume(on > 0)
        return Painter(span).wave("PA8", SETUP, on, period - on)

    good = made(duty + duty_error, off_by(period, period_error))
    assert found(asked, good).outcome is Outcome.PASS
    assert found(asked, made(duty + wrong, period)).outcome is Outcome.FAIL
    assert found(asked, made(duty - wrong, period)).outcome is Outcome.FAIL
    assert found(asked, made(duty, off_by(period, 2 * wrong))).outcome is Outcome.FAIL


ANY = [
    Blinks("PA5", 10 * MS),
    Blinks("PA5", 10 * MS, None, tolerance_ppm=100_000),
    Pwm("PA5", 100_000, 500_000),
    Pwm("PA5", 50_000, 200_000, 800_000, duty_tolerance_ppm=300_000),
    Tone("PA5", 100_000),
    Tone("PA5", 100_000, tolerance_ppm=300_000),
    Level("PA5", 1),
    Level("PA5", 0, 70 * MS),
    Counts("PA5", "rising", 9, 40),
    Counts("PA5", "both", 30, 50),
    Counts("PA5", "pulse", 20, 22),
    Exclusive(("PA5", "PA6")),
    Quiet(("PA6",)),
    Pattern((Step((("PA5", 1),), 5 * MS), Step((("PA5", 0),), 5 * MS))),
    Follows("PA5", "PA6", False, 3 * MS),
    Follows("PA6", "PA5", True, 100 * US),
]

sections = st.lists(
    st.one_of(
        st.tuples(st.integers(1, 60 * MS), st.sampled_from([0, 1, None])),
        st.tuples(
            st.integers(1, 250 * MS),
            st.integers(0, 1),
            st.sampled_from([5 * MS, 4 * MS, 7 * MS]),
            st.sampled_from([5 * MS, 6 * MS, 3 * MS]),
        ),
    ),
    min_size=1,
    max_size=4,
)


@settings(max_examples=150, deadline=None)
@given(sections, sections)
def test_a_wave_is_judged_as_the_edges_that_it_stands_for(one, two) -> None:
    painter = Painter(400 * MS)
    for pin, parts in (("PA5", one), ("PA6", two)):
        t = 0
        for length, level, *halves in parts:
            if halves:
                painter.wave(pin, t, *halves, level=level)
            else:
                painter.levels(pin, (t, level))
            t += length
    waves = painter.trace()
    edges = [Edge(t, pin, level) for pin in ("PA5", "PA6") for t, level in waves.edges(pin)]
    written_out = Trace(
        waves.bench,
        waves.board,
        waves.span_ps,
        tuple(sorted(edges, key=lambda e: e.t_ps)),
        waves.initial,
    )
    assert not any(isinstance(e, Wave) for e in written_out.events)
    for asked in ANY:
        made = contract(asked, span_ps=waves.span_ps)
        first = judge(made, waves, BOARD).findings[0]
        second = judge(made, written_out, BOARD).findings[0]
        assert first.outcome is second.outcome, (asked, first, second)
        if first.departure is not None and not isinstance(asked, Pwm | Tone):
            assert abs(first.departure.t_ps - second.departure.t_ps) <= 20 * MS
        assert {f.name: f.value for f in first.figures if not f.unit} == {
            f.name: f.value for f in second.figures if not f.unit
        }, asked
