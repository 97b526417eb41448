"""Two benches: what both together are worth, and where they differ."""

from __future__ import annotations

from dataclasses import replace

import pytest

from fwgen.contract import Blinks, Quiet, Says
from fwgen.trace import Gap, Hazard
from fwgen.verdict import Outcome, judge
from fwgen.verdict.both import joint, outcome_of
from fwgen.verdict.compare import differences
from tests.verdict.sampling import through_a_rig
from tests.verdict.trace_painter import BOARD, MS, SETUP, US, Painter, S, contract

ASKED = contract(Blinks("LD2", 500 * MS), span_ps=2 * S - 100 * MS)
PINS = ("PA5", "PA6", "PC13")


def rig(painter, **kwargs):
    return through_a_rig(painter.trace(), every_ps=MS, seed=1, pins=PINS, **kwargs)


def blinking(*events, half=250 * MS):
    return Painter().blinks("PA5", half, half).at(*events)


def both(machine, seen, asked=ASKED):
    one = judge(asked, machine, BOARD)
    return joint(one, judge(asked, seen, BOARD, beside=machine))


def test_what_no_rig_sees_rests_on_the_machine() -> None:
    claims = both(blinking().trace(), rig(blinking()))
    assert outcome_of(claims) is Outcome.PASS
    hazards = next(c for c in claims if c.rig and c.rig.about == "hazards")
    assert (hazards.machine.outcome, hazards.rig.outcome) == (Outcome.PASS, Outcome.UNSURE)
    assert hazards.outcome is Outcome.PASS
    bad = blinking(Hazard(S, "clock-off", "error", "GPIOA has no clock", 0)).trace()
    assert outcome_of(both(bad, rig(blinking()))) is Outcome.FAIL


def test_what_the_machine_does_not_model_rests_on_the_rig() -> None:
    gap = blinking(Gap(US, "RTC", "DR", "read", 0x4000_2804, 0)).trace()
    assert judge(ASKED, gap, BOARD).outcome is Outcome.UNSURE
    assert outcome_of(both(gap, rig(blinking()))) is Outcome.PASS


def test_either_bench_can_fail_and_a_rig_that_is_unsure_leaves_it_so() -> None:
    slow = blinking(half=300 * MS)
    assert outcome_of(both(blinking().trace(), rig(slow))) is Outcome.FAIL
    assert outcome_of(both(slow.trace(), rig(blinking()))) is Outcome.FAIL
    quiet = replace(ASKED, expectations=(Quiet(("LD2",)),))
    claims = both(blinking().trace(), rig(blinking()), quiet)
    assert outcome_of(claims) is Outcome.UNSURE  # most pins were not watched


# ---------------------------------------------------------------------------- differences


def told(machine, seen, asked=ASKED):
    return differences(asked, machine.trace(), seen, BOARD)


def test_the_same_firmware_seen_twice_differs_in_nothing() -> None:
    assert told(blinking(), rig(blinking())) == ()
    assert told(blinking(), rig(blinking(), hiccups=2)) == ()


def test_a_clock_that_is_a_percent_off_is_no_difference() -> None:
    assert told(blinking(), rig(blinking(half=252 * MS + 500 * US))) == ()
    (found,) = told(blinking(), rig(blinking(half=270 * MS)))
    assert found.subject == "LD2"
    assert "turns off at 250.02 ms" in found.machine


def test_a_pin_that_stays_where_it_should_move_is_told_from_both_sides() -> None:
    (found,) = told(blinking(), rig(Painter().levels("PA5", (SETUP, 1))))
    assert found.machine == "it turns off at 250.02 ms"
    assert found.rig == "it stays on from 10 ms on"
    assert found.text == f"LD2: in the machine {found.machine}; on the rig {found.rig}"


def test_a_pin_that_moves_on_the_rig_alone_is_a_difference() -> None:
    painter = blinking().levels("PA6", (SETUP, 0), (S, 1))
    (found,) = told(blinking().levels("PA6", (SETUP, 0)), rig(painter))
    assert (found.subject, found.t_ps // MS) == ("PA6", S // MS)


def test_what_is_too_fast_or_driven_or_not_watched_is_not_compared() -> None:
    fast = Painter().blinks("PA5", MS, MS)
    assert told(fast, rig(fast)) == ()
    wave = Painter().wave("PA5", SETUP, 100 * US, 100 * US)
    assert told(wave, rig(Painter().levels("PA5", (SETUP, 0)))) == ()
    moved = blinking().levels("PA8", (SETUP, 0), (S, 1))
    assert told(moved, rig(blinking())) == ()


@pytest.mark.parametrize(
    ("said", "machine", "on_rig"),
    [
        ("n 2\n", 'it said "n 1" at 10 ms', 'it said "n 2" at 10 ms'),
        ("", 'it said "n 1" at 10 ms', "it said nothing more"),
    ],
)
def test_text_is_compared_line_by_line(said, machine, on_rig) -> None:
    asked = replace(ASKED, expectations=(Says("console", "n {n}"),))
    ours = Painter().says(10 * MS, "n 1\n")
    (found,) = told(ours, rig(Painter().says(10 * MS, said)), asked)
    assert (found.subject, found.machine, found.rig) == ("USART2", machine, on_rig)
    assert told(ours, rig(ours), asked) == ()


def test_what_comes_at_the_very_end_may_be_missing_from_one() -> None:
    span = ASKED.span_ps
    late = blinking().levels("PA6", (SETUP, 0), (span - MS, 1))
    assert told(late, rig(blinking().levels("PA6", (SETUP, 0)))) == ()


def test_a_trace_that_says_not_what_it_watched_is_not_compared() -> None:
    assert differences(ASKED, blinking().trace(), blinking(half=MS).trace(), BOARD) == ()
