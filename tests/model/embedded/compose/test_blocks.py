"""Each way of doing a job, alone in the machine."""

from __future__ import annotations

import pytest

from fwgen.errors import ModelError
from fwgen.model.embedded.behaviour import (
    AtBoot,
    Count,
    Follow,
    Held,
    OnEdge,
    Play,
    Presses,
    Program,
    Put,
    Rule,
    Say,
    State,
    Step,
    Uptime,
)
from fwgen.model.embedded.compose import compose, plan
from tests.model.embedded.compose.harness import (
    B1,
    BOARD,
    LED,
    MS,
    US,
    S,
    blink,
    check,
    line,
    program,
    run,
)
from tests.model.embedded.compose.reference import Hold

PRESSES = (Hold(B1, 300 * MS, 400 * MS, 4 * MS), Hold(B1, 900 * MS, 1200 * MS, 4 * MS))
C0, C1, D2, D4, D7 = (line(pin) for pin in ("PC0", "PC1", "PA10", "PB5", "PA8"))


def test_a_timer_blinks_the_led_in_few_bytes_while_the_core_sleeps_for_ever():
    seen = check(program(Rule(blink(LED, 250 * MS, 250 * MS))), 5 * S)
    assert seen.image.flash_used <= 64
    assert seen.awake < 1e-5
    assert plan(seen.program, BOARD).hands_off


def test_the_debug_pins_keep_their_function():
    seen = run(program(Rule(blink(line("PA15"), 100 * MS, 100 * MS)), Rule(Put(D2, "on"))), S)
    assert seen.trace.level("PA15", S // 2) is not None
    with pytest.raises(ModelError, match="debug pin"):
        compose(program(Rule(Put(line("PA13"), "on"))), BOARD)


@pytest.mark.parametrize("active", [0, 1])
@pytest.mark.parametrize("first", [0, 1])
def test_a_wave_begins_with_its_first_step_and_its_own_idea_of_on(active, first):
    led = line("PA8", active)
    steps = (Step(((led, first),), 30 * MS), Step(((led, 1 - first),), 70 * MS))
    check(program(Rule(Play(steps))), S)


@pytest.mark.parametrize("period", [10 * US, 250 * US, S // 3, 7 * S])
def test_a_wave_keeps_its_period_without_drift(period):
    seen = run(program(Rule(blink(D7, period // 2, period - period // 2))), 40 * period)
    rises = [t for t, on in seen.edges(D7) if on] if period > 100 * US else []
    rises = rises or [t for t, level in seen.trace.edges("PA8") if level]
    drift = (rises[-1] - rises[1]) / (len(rises) - 2) / period - 1
    assert abs(drift) < 100e-6


def test_hours_are_counted_as_exactly_as_milliseconds():
    hour = 3600 * S
    for led in (LED, C0):
        seen = run(program(Rule(blink(led, hour, hour))), 5 * hour // 2)
        assert [round(t / S) for t, _ in seen.edges(led)] == [0, 3600, 7200]


def test_what_is_too_fast_is_refused_with_the_nearest_that_is_not():
    with pytest.raises(ModelError, match=r"3 MHz.*nearest are 2.667 MHz or 3.2 MHz"):
        compose(program(Rule(blink(LED, 166_667, 166_666))), BOARD)
    with pytest.raises(ModelError, match="too short for a line that the core moves"):
        compose(program(Rule(blink(C0, 10 * US, 10 * US), clause="blink C0")), BOARD)


def test_four_lines_share_a_timer_when_they_share_a_period():
    lines = tuple(line(pin) for pin in ("PA8", "PA9", "PA10", "PA11"))
    what = program(*(Rule(blink(x, 20 * MS, (80) * MS)) for x in lines))
    assert plan(what, BOARD).hands_off
    check(what, S)


def test_more_rates_than_the_chip_has_channels_share_one():
    pins = ("PC0", "PC1", "PC2", "PC3", "PC4", "PC5", "PC10", "PC11", "PC12", "PB12", "PD2", "PB2")
    rules = [Rule(blink(line(p), (20 + 3 * i) * MS, (20 + 3 * i) * MS)) for i, p in enumerate(pins)]
    check(program(*rules), S // 2)


def test_a_lone_course_of_events_needs_no_flags():
    steps = (
        Step(((D2, 1), (D4, 0), (C0, 0)), 300 * MS),
        Step(((D4, 1),), 100 * MS),
        Step(((D2, 0), (D4, 0), (C0, 1)), 300 * MS),
        Step(((C0, 0), (D4, 1)), 100 * MS),
    )
    seen = check(program(Rule(Play(steps))), 3 * S)
    assert seen.image.flash_used <= 160
    assert seen.awake < 1e-5


def test_a_course_of_events_may_come_to_its_end():
    rules = (
        Rule(Put(LED, "on"), stop_ps=300 * MS),
        Rule(blink(LED, 50 * MS, 50 * MS, 4), start=AtBoot(300 * MS)),
        Rule(Put(D2, "on"), start=AtBoot(700 * MS)),
    )
    seen = check(program(*rules), 3 * S)
    assert seen.trace.asleep_ps(S, 3 * S) == 2 * S


def test_morse_is_a_table_of_bytes():
    beats = [1, 1, 1, 1, 1, 3, 3, 1, 3, 1, 3, 3, 1, 1, 1, 1, 1, 7]
    steps = tuple(Step(((LED, 1 - i % 2),), n * 50 * MS) for i, n in enumerate(beats))
    assert check(program(Rule(Play(steps))), 5 * S).image.flash_used <= 120
    check(program(Rule(Play(steps)), Rule(Say("USART2", ("sos",)), every_ps=S)), 3 * S)


def test_a_long_table_of_several_ports():
    lines = (D2, D4, C0)
    steps = tuple(
        Step(tuple((x, (i * 7 + j) // (j + 1) % 2) for j, x in enumerate(lines)), (20 + i) * MS)
        for i in range(14)
    )
    check(program(Rule(Play(steps))), 2 * S)
    check(program(Rule(Play(steps, times=2), stop_ps=500 * MS)), 2 * S)


def test_hello_at_once_and_every_second():
    seen = check(program(Rule(Say("USART2", ("hello",)), every_ps=S)), 4 * S)
    assert seen.text() == "hello\r\n" * 4
    assert seen.awake < 1e-4


def test_counters_and_the_time_are_put_in():
    parts = ("n=", Count(5, -2), " m=", Count(0, 1000), " at ", Uptime("ms"), " ms")
    seen = check(program(Rule(Say("USART2", parts), every_ps=250 * MS)), 2 * S)
    assert seen.text().startswith("n=5 m=0 at 0 ms\r\nn=3 m=1000 at 250 ms\r\nn=1 m=2000 at 500 ms")
    assert "n=4294967295 " in seen.text()


def test_texts_of_one_port_never_mix():
    rules = tuple(
        Rule(Say("USART2", (name * 30, Count())), every_ps=20 * MS) for name in ("a", "b", "c")
    )
    seen = run(program(*rules), S // 2)
    for _, text in seen.lines():
        assert len(set(text[:30])) == 1


def test_two_ports_speak_at_the_same_time():
    rules = (
        Rule(Say("USART2", ("two ", Count())), every_ps=100 * MS),
        Rule(Say("USART1", ("one ", Count()), 9600), every_ps=100 * MS),
    )
    check(program(*rules), S, slack=MS)  # a transmitter begins with an idle frame


def test_a_state_is_told_as_a_word():
    rules = (
        Rule(Put(LED, "toggle"), start=OnEdge(B1)),
        Rule(Say("USART2", ("LED is ", State(LED, "lit", "dark"), "!")), every_ps=100 * MS),
    )
    check(program(*rules), 2 * S, PRESSES)


def test_a_baud_rate_that_the_clock_cannot_make_is_refused():
    with pytest.raises(ModelError, match="baud cannot be made"):
        compose(program(Rule(Say("USART2", ("x",), 3_000_000))), BOARD)


def test_every_press_toggles_once_however_the_contact_bounces():
    rule = Rule(Put(LED, "toggle"), start=OnEdge(B1))
    holds = tuple(Hold(B1, i * 200 * MS, (i * 200 + 100) * MS, i * MS) for i in range(1, 14))
    seen = check(program(rule), 3 * S, holds)
    assert len(seen.edges(LED)) == 13
    assert seen.awake < 1e-4


def test_press_counts_are_printed():
    seen = check(
        program(Rule(Say("USART2", ("Presses: ", Presses(B1))), OnEdge(B1))), 2 * S, PRESSES
    )
    assert seen.text() == "Presses: 1\r\nPresses: 2\r\n"


@pytest.mark.parametrize("invert", [False, True])
@pytest.mark.parametrize("active", [0, 1])
def test_a_line_follows_an_input_at_once(invert, active):
    led = line("PA5", active)
    clean = (Hold(B1, 300 * MS, 400 * MS), Hold(B1, 600 * MS, 1200 * MS))
    check(program(Rule(Follow(led, B1, invert))), 2 * S, clean)
    other = Rule(blink(C0, 30 * MS, 30 * MS))
    check(program(Rule(Follow(led, B1, invert)), other), 2 * S, clean)


def test_while_held_and_while_not():
    rules = (
        Rule(blink(LED, 50 * MS, 50 * MS), gate=Held(B1)),
        Rule(blink(D2, 70 * MS, 70 * MS), gate=Held(B1, invert=True)),
    )
    check(program(*rules), 2 * S, PRESSES)


def test_a_press_ends_a_blink_that_went_on():
    rules = (Rule(blink(LED, 50 * MS, 50 * MS)), Rule(Put(LED, "off"), start=OnEdge(B1)))
    check(program(*rules), 2 * S, PRESSES)


def test_a_button_held_at_reset_opens_its_gate():
    seen = run(program(Rule(Put(LED, "on"), gate=Held(B1))), S, (Hold(B1, 0, 500 * MS),))
    assert [on for _, on in seen.edges(LED)] == [1, 0]


def test_impossible_wiring_is_refused_by_name():
    with pytest.raises(ModelError, match="input and an output"):
        compose(program(Rule(Put(LED, "toggle"), OnEdge(LED))), BOARD)
    with pytest.raises(ModelError, match="sends what USART2 says"):
        compose(program(Rule(Put(line("PA2"), "on")), Rule(Say("USART2", ("x",)))), BOARD)
    rules = (Rule(Put(LED, "on"), OnEdge(B1)), Rule(Put(LED, "off"), OnEdge(line("PB13"))))
    with pytest.raises(ModelError, match="both pin 13"):
        compose(program(*rules), BOARD)
    with pytest.raises(ModelError, match="no pin"):
        compose(program(Rule(Put(line("PZ9"), "on"))), BOARD)
    with pytest.raises(ModelError, match="nothing to do"):
        compose(Program(()), BOARD)


def test_the_same_program_gives_the_same_bytes():
    what = program(Rule(blink(C0, 10 * MS, 20 * MS)), Rule(Say("USART2", (Count(),)), every_ps=S))
    assert compose(what, BOARD) == compose(what, BOARD)
