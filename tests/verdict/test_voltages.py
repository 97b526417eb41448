"""Numbers that tell of a voltage, and voltages in a trace: written, read, drawn."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fwgen.contract import Analog, Bound, Says
from fwgen.trace import Voltage, dump_trace, dump_vcd, load_trace
from fwgen.verdict import Outcome
from tests.verdict.trace_painter import BOARD, MS, Painter, S, found

STEP = (Analog("PA0", 0, ((0, 1_000_000),)), Analog("PA0", S, ((0, 2_000_000),)))


def said(text, at=500 * MS):
    made = Painter()
    for step in STEP:
        made.does(step.at_ps, "PA0").volts("PA0", step.at_ps, step.points[0][1])
    return made.says(at, text + "\n")


def judged(tracks, text, at=500 * MS, **bound):
    says = Says("console", "{n}", (("n", Bound(tracks=tracks, **bound)),))
    return found(says, said(text, at), STEP)


@pytest.mark.parametrize(
    ("tracks", "right", "wrong"),
    [("mV:A0", 1000, 999), ("uV:PA0", 1_000_000, 999_999), ("percent:A0", 30, 31),
     ("adc12:A0", 1241, 1242), ("adc10:A0", 310, 311), ("adc8:A0", 78, 77), ("adc6:A0", 19, 20)],
)  # fmt: skip
def test_a_number_tells_the_voltage_or_does_not(tracks, right, wrong) -> None:
    assert judged(tracks, str(right)).outcome is Outcome.PASS
    seen = judged(tracks, str(wrong))
    assert seen.outcome is Outcome.FAIL
    assert f"{right} would tell it" in seen.text
    assert judged(tracks, str(wrong), slack=1).outcome is Outcome.PASS


def test_a_measurement_may_be_as_old_as_its_age() -> None:
    assert judged("mV:A0", "1000", S + 90 * MS).outcome is Outcome.PASS
    assert judged("mV:A0", "2000", S + 90 * MS).outcome is Outcome.PASS
    assert judged("mV:A0", "1000", S + 110 * MS).outcome is Outcome.FAIL
    assert judged("mV:A0", "1000", S + 90 * MS, age_ps=80 * MS).outcome is Outcome.FAIL


def test_a_voltage_that_nothing_gives_cannot_be_told() -> None:
    assert "nothing gave A1 a voltage" in judged("mV:A1", "0").text


shapes = st.builds(
    Voltage,
    st.integers(0, 10**9),
    st.just("PA0"),
    st.integers(0, 3_300_000),
    st.integers(0, 3_300_000),
    st.integers(0, 10**10),
    st.integers(0, 10**6),
    st.just(0) | st.integers(1, 10**10),
    st.integers(0, 10**5),
    st.integers(0, 1),
)


@given(shapes, st.lists(st.integers(0, 3 * 10**10), min_size=2, max_size=6))
def test_a_voltage_stays_within_its_bounds(voltage, times) -> None:
    times = sorted(voltage.t_ps + t for t in times)
    low, high = voltage.bounds(times[0], times[-1])
    assert all(low <= voltage.at(t) <= high for t in times)


def test_it_is_written_read_and_drawn() -> None:
    trace = said("1").volts("PA0", 1500 * MS, 0, 3_300_000, 100 * MS).trace()
    assert load_trace(dump_trace(trace)) == trace
    text = dump_vcd(trace, BOARD)
    assert "$var real 64" in text
    assert "r1.65 " in text  # half way up the ramp
    assert text.count("\nr2 ") == 1
