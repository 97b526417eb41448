"""The whole verdict: what every contract implies, and evidence that does not decide."""

from __future__ import annotations

import time

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
    Responds,
    Says,
    Step,
    Tone,
    Trigger,
    Window,
)
from fwgen.contract.types import Bound, Send
from fwgen.errors import ContractError
from fwgen.hazards import REGISTER
from fwgen.trace import Fault, Gap, Hazard, Reset
from fwgen.verdict import Outcome, judge
from tests.verdict.trace_painter import BOARD, MS, SETUP, US, Painter, S, contract, found

BLINK = Blinks("LD2", 500 * MS)


def blinking(span_ps=2 * S, **kwargs):
    return Painter(span_ps, **kwargs).blinks("PA5", 250 * MS, 250 * MS)


def verdict(painter, *expectations, **kwargs):
    made = contract(*(expectations or (BLINK,)), **kwargs)
    return judge(made, painter.trace(), BOARD)


def implied(made, about):
    return next(f for f in made.implied if f.about == about)


def test_what_is_as_asked_passes_with_exit_code_0() -> None:
    made = verdict(blinking())
    assert (made.outcome, made.exit_code, made.passed) == (Outcome.PASS, 0, True)
    assert made.first_departure is None
    assert {f.name: f.text for f in made.findings[0].figures}["frequency"] == "2 Hz"
    assert made.findings[0].claim == "LD2 blinks at 2 Hz (250 ms on, 250 ms off), each within 2 %"


def test_the_example_of_a_departure_reads_as_promised() -> None:
    painter = Painter(4 * S).blinks("PA5", 512 * MS - SETUP, 508 * MS + SETUP)
    made = verdict(painter, span_ps=4 * S)
    assert made.exit_code == 1
    assert made.first_departure.text == (
        "LD2 first turned off at 512 ms, after 511.98 ms on; expected 250 ms ± 2 %: it blinks at "
        "0.98 Hz"
    )


@pytest.mark.parametrize(
    ("event", "about", "words"),
    [
        (Fault(S, "UsageFault", "divided by 0 in main", 0x0800_0100), "faults", "divided by 0"),
        (
            Hazard(S, "clock-off", "error", "GPIOA has no clock", 0, "RM0368 §6", "enable it"),
            "hazards",
            "GPIOA has no clock at 1 s (RM0368 §6); enable it [clock-off]",
        ),
        (Hazard(S, "x", "warning", "hm", 0), "hazards", "hm"),
        (Reset(S, "IWDGRSTF"), "resets", "the chip reset at 1 s (IWDGRSTF)"),
    ],
)
def test_what_silicon_would_not_forgive_fails_any_contract(event, about, words) -> None:
    made = verdict(blinking().at(event))
    assert made.exit_code == 1
    assert made.findings[0].outcome is Outcome.PASS
    assert words in implied(made, about).text
    assert made.first_departure.t_ps == S


def test_notes_are_shown_and_do_no_harm() -> None:
    made = verdict(blinking().at(Hazard(S, "n", "note", "the LSE is not fitted", 0)))
    assert made.exit_code == 0
    assert "LSE" in implied(made, "hazards").text


def test_hazards_resets_and_gaps_are_accepted_by_name_with_a_reason() -> None:
    painter = blinking().at(
        Hazard(S, "swd-remapped", "error", "PA13 taken", 0),
        Reset(S, "SFTRSTF"),
        Gap(S, "RTC", "DR", "read", 0x4000_2804, 0),
    )
    assert verdict(painter).exit_code == 1
    accept = (("swd-remapped", "bootloader"), ("reset:SFTRSTF", "on purpose"), ("gap:RTC", "odd"))
    made = verdict(painter, accept=accept)
    assert made.exit_code == 0
    assert "bootloader" in implied(made, "hazards").text
    assert verdict(painter, accept=(*accept[:1], ("reset:IWDGRSTF", ""), accept[2])).exit_code == 1


def test_a_power_on_reset_at_0_is_none() -> None:
    assert verdict(blinking().at(Reset(0, "PORRSTF"))).exit_code == 0


def test_a_gap_makes_a_pass_unsure_but_a_fail_stays_a_fail() -> None:
    gap = Gap(10 * US, "RTC", "DR", "read", 0x4000_2804, 0x0800_0100)
    made = verdict(blinking().at(gap), BLINK, Level("PA6", 1))
    blink, level = made.findings
    assert blink.outcome is Outcome.UNSURE
    assert "RTC.DR was read at 10 µs, which is not modelled" in blink.text
    assert level.outcome is Outcome.FAIL
    assert made.exit_code == 1
    assert verdict(blinking().at(gap)).exit_code == 3


def test_a_gap_after_all_that_was_asked_does_not_matter() -> None:
    gap = Gap(1900 * MS, "RTC", "DR", "read", 0x4000_2804, 0)
    early = Blinks("LD2", 500 * MS, window=Window(0, 1800 * MS))
    made = verdict(blinking().at(gap), early)
    assert made.exit_code == 0
    assert "none that matters" in implied(made, "gaps").text


def test_a_run_cut_short_is_unsure_about_what_it_did_not_show() -> None:
    made = verdict(blinking(S))
    assert made.exit_code == 3
    assert "the run ended at 1 s" in made.findings[0].text
    assert implied(made, "span").outcome is Outcome.UNSURE
    few = verdict(blinking(S), Counts("LD2", "pulse", 4, 4))
    assert few.findings[0].outcome is Outcome.UNSURE  # too few so far proves nothing


def test_a_run_cut_short_that_departed_before_is_a_fail() -> None:
    made = verdict(Painter(S).blinks("PA5", 300 * MS, 200 * MS))
    assert made.findings[0].outcome is Outcome.FAIL


def test_what_the_bench_did_not_do_is_not_proven() -> None:
    press = (Press("B1", 500 * MS, 100 * MS),)
    made = verdict(blinking(), stimuli=press)
    assert made.exit_code == 3
    assert "At 500 ms B1 is pressed" in implied(made, "stimuli").text
    done = blinking().does(500 * MS, "PC13")  # another name for the same pin
    assert verdict(done, stimuli=press).exit_code == 0


@pytest.mark.parametrize("resolution", [MS, 2 * MS, 4 * MS])
def test_a_coarse_bench_still_sees_what_is_plainly_right_or_wrong(resolution) -> None:
    good = blinking(resolution_ps=resolution)
    assert found(BLINK, good).outcome is Outcome.PASS
    bad = Painter(resolution_ps=resolution).blinks("PA5", 300 * MS, 200 * MS)
    assert found(BLINK, bad).outcome is Outcome.FAIL


def test_a_bench_too_coarse_for_the_tolerance_is_unsure() -> None:
    assert found(BLINK, blinking(resolution_ps=6 * MS)).outcome is Outcome.UNSURE
    edge = Painter(resolution_ps=2 * MS).blinks("PA5", 254 * MS, 250 * MS)
    assert found(BLINK, edge).outcome is Outcome.UNSURE
    wave = Painter(resolution_ps=MS).wave("PA5", SETUP, 250 * US, 750 * US)
    assert found(Pwm("LD2", 1_000_000, 250_000), wave).outcome is Outcome.UNSURE


def test_a_name_that_the_board_lacks_is_refused() -> None:
    with pytest.raises(ContractError, match="has no 'LD7'"):
        verdict(blinking(), Level("LD7", 1))


# ---------------------------------------------------------------------------- the finer points


def test_contact_bounce_counts_as_one_press() -> None:
    bounces = (MS, 2 * MS, 3 * MS, 4 * MS)
    painter = Painter().presses(500 * MS, bounces=bounces).levels("PA5", (SETUP, 0), (505 * MS, 1))
    respond = Responds(Trigger("B1", "rising"), Trigger("LD2", "both"), 10 * MS)
    press = Press("B1", 500 * MS, 100 * MS)
    clean = found(respond, painter, (press,))
    assert clean.outcome is Outcome.PASS
    chattering = found(respond, painter, (Press("B1", 500 * MS, 100 * MS, 5 * MS),))
    assert {f.name: f.value for f in chattering.figures}["times"] == 1
    assert {f.name: f.value for f in clean.figures}["times"] == 3


def test_a_stimulus_is_a_moment() -> None:
    painter = Painter().presses(500 * MS).levels("PA5", (SETUP, 0), (505 * MS, 1))
    respond = Responds(Trigger("B1"), Trigger("LD2", "rising"), 10 * MS)
    assert found(respond, painter, (Press("B1", 500 * MS, 100 * MS),)).outcome is Outcome.PASS


def test_text_sent_is_a_moment_and_text_said_a_response() -> None:
    send = (Send("console", 500 * MS, b"on\n"),)
    painter = Painter().does(500 * MS, "console").hears(500 * MS, "on\n")
    painter.levels("PA5", (SETUP, 0), (501 * MS, 1)).says(502 * MS, "ok\n")
    lit = Responds(Trigger("console", text="on"), Trigger("LD2", "rising"), 10 * MS)
    said = Responds(Trigger("console", text="on"), Trigger("console", text="ok"), 10 * MS)
    assert found(lit, painter, send).outcome is Outcome.PASS
    assert found(said, painter, send).outcome is Outcome.PASS
    assert found(Never(Trigger("console", text="ok")), painter, send).outcome is Outcome.FAIL


@pytest.mark.parametrize(
    ("lines", "tracks", "good"),
    [
        ([(1000, "1000"), (2000, "2000")], "uptime_ms", True),
        ([(1000.4, "1000")], "uptime_ms", True),
        ([(100, "98")], "uptime_ms", True),  # within 2 % and a count that lags by less than one
        ([(100, "96")], "uptime_ms", False),
        ([(100, "103")], "uptime_ms", False),
        ([(1500, "1")], "uptime_s", True),
        ([(1500, "2")], "uptime_s", False),
        ([(1500, "1500")], "uptime_s", False),
        ([(100, "0"), (700, "1"), (900, "2")], "presses:B1", True),
        ([(100, "0"), (900, "1")], "presses:B1", False),
        ([(400, "1")], "presses:B1", False),
        ([(510, "0")], "presses:B1", True),  # just pressed: it may not be counted yet
        ([(700, "2")], "presses:B1", False),
    ],
)
def test_numbers_that_track_something(lines, tracks, good) -> None:
    stimuli = (Press("B1", 500 * MS, 100 * MS), Press("B1", 750 * MS, 50 * MS))
    painter = Painter().presses(500 * MS).presses(750 * MS, 50 * MS)
    for at, text in lines:
        painter.says(int(at * MS), f"{text}\n")
    says = Says("console", "{n}", (("n", Bound(tracks=tracks)),))
    assert found(says, painter, stimuli).outcome is (Outcome.PASS if good else Outcome.FAIL)


def test_uptime_begins_again_with_a_reset() -> None:
    painter = Painter().at(Reset(S, "SFTRSTF")).says(1500 * MS, "500\n")
    says = Says("console", "{n}", (("n", Bound(tracks="uptime_ms")),))
    assert found(says, painter).outcome is Outcome.PASS


def test_lines_of_two_expectations_explain_each_other() -> None:
    painter = Painter()
    for i in range(4):
        painter.says((5 + 500 * i) * MS, "tick\n").says((255 + 500 * i) * MS, "tock\n")
    both = [Says("console", word, period_ps=500 * MS) for word in ("tick", "tock")]
    assert verdict(painter, *both).exit_code == 0
    assert verdict(painter, both[0]).exit_code == 1


def test_a_run_that_ends_within_a_line_is_no_broken_line() -> None:
    painter = Painter(2 * S).says(10 * MS, "tick\n").says(2 * S - 200 * US, "tick\n")
    assert found(Says("console", "tick"), painter).outcome is Outcome.PASS


def test_follows_a_source_that_never_moves_shows_nothing() -> None:
    painter = Painter().levels("PA5", (SETUP, 0))
    assert found(Follows("LD2", "B1"), painter).outcome is Outcome.UNSURE


def test_waiting_for_a_trigger_that_firmware_never_makes_fails() -> None:
    respond = Responds(Trigger("PA6", "rising"), Trigger("LD2", "rising"), MS)
    assert found(respond, blinking()).outcome is Outcome.FAIL


# ---------------------------------------------------------------------------- speed


def test_a_megahertz_wave_is_judged_without_being_written_out() -> None:
    painter = Painter(10 * S).wave("PA8", SETUP, 250_000, 750_000)
    began = time.process_time()
    pwm = found(Pwm("PA8", 10**9, 250_000), painter)
    count = found(Counts("PA8", "rising", 9_999_980, 9_999_980), painter)
    assert pwm.outcome is Outcome.PASS, pwm.text
    assert {f.name: f.value for f in pwm.figures}["periods"] == 9_999_979
    assert count.outcome is Outcome.PASS, count.text
    assert found(Level("PA8", 1), painter).outcome is Outcome.FAIL
    assert found(Tone("PA8", 10**9), painter).outcome is Outcome.FAIL
    assert found(Blinks("PA8", 10**6, 250_000), painter).outcome is Outcome.PASS
    assert time.process_time() - began < 2  # writing it out would take minutes


def test_what_would_have_to_be_compared_edge_by_edge_for_ever_is_unsure() -> None:
    painter = Painter(10 * S).wave("PA8", SETUP, 250_000, 750_000)
    finding = found(Exclusive(("PA8", "PA9")), painter)
    assert finding.outcome is Outcome.UNSURE
    assert "more often than can be compared" in finding.text


def test_a_pattern_in_which_nothing_changes_is_a_level() -> None:
    still = Pattern((Step((("LD2", 1),), MS), Step((("LD2", 1),), MS)))
    assert found(still, Painter().levels("PA5", (SETUP, 1))).outcome is Outcome.PASS
    assert found(still, Painter().levels("PA5", (SETUP, 1), (S, 0))).outcome is Outcome.FAIL


def test_a_pattern_joined_halfway_is_found_where_it_begins() -> None:
    # A dash, a dot and a pause: what the window opens on looks like a dot, and is a dash's end.
    steps = tuple(
        Step((("LD2", level),), length * MS)
        for level, length in ((1, 100), (0, 100), (1, 300), (0, 300))
    )
    lengths = [100 * MS, 100 * MS, 300 * MS, 300 * MS] * 4
    painter = Painter(3 * S).holds("PA5", SETUP, *lengths)
    joined = Pattern(steps, start_within_ps=800 * MS, window=Window(400 * MS, 3 * S))
    assert found(joined, painter).outcome is Outcome.PASS
    lengths[9] = 110 * MS
    late = found(joined, Painter(3 * S).holds("PA5", SETUP, *lengths))
    assert late.outcome is Outcome.FAIL
    assert abs(late.departure.t_ps - 1802 * MS) < MS


def test_a_pattern_that_may_begin_at_the_very_end_is_not_proven_by_it() -> None:
    steps = (Step((("LD2", 1),), 100 * MS), Step((("LD2", 0),), 100 * MS))
    anywhere = Pattern(steps, start_within_ps=2 * S)
    good = Painter().blinks("PA5", 100 * MS, 100 * MS)
    assert found(anywhere, good).outcome is Outcome.PASS
    bad = Painter().blinks("PA5", 150 * MS, 150 * MS)
    assert found(anywhere, bad).outcome is not Outcome.PASS


def test_what_is_accepted_and_never_occurs_is_told() -> None:
    accept = (("clock-off", "why"), ("reset:IWDGRSTF", "why"), ("gap:RTC", "why"))
    made = verdict(blinking(), accept=accept)
    assert made.passed
    for about, name in (("hazards", "clock-off"), ("resets", "IWDGRSTF"), ("gaps", "RTC")):
        assert f"accepted, but it did not occur: {name}" in implied(made, about).text


def test_a_hazard_that_is_accepted_does_not_hide_another() -> None:
    seen = blinking().at(
        Hazard.of("clock-off", "GPIOA has no clock", S), Hazard.of("tx-cut", "cut", S)
    )
    made = verdict(seen, accept=(("clock-off", "why"),))
    assert not made.passed
    assert "[tx-cut]" in implied(made, "hazards").text


def test_each_severity_does_to_a_verdict_what_it_says() -> None:
    for code, kind in REGISTER.items():
        made = verdict(blinking().at(Hazard.of(code, "something", S)))
        assert made.passed is not kind.fails
        assert "something" in implied(made, "hazards").text
