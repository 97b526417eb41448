"""Lines that an edge sets blinking by themselves: as the reference says, and the core asleep."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fwgen import pipeline
from fwgen.contract import Press
from fwgen.errors import ModelError
from fwgen.image.link import link
from fwgen.machine.machine import Machine
from fwgen.model.embedded.behaviour import AtBoot, OnEdge, Play, Program, Put, Rule, Step
from fwgen.model.embedded.compose import compose
from fwgen.model.embedded.compose.direct import offers
from fwgen.model.embedded.compose.direct.burst import _Gate
from fwgen.model.embedded.compose.silicon import Silicon
from fwgen.trace import Trace
from tests.effort import often
from tests.model.embedded.compose.harness import B1, BOARD, LED, MS, S, blink, line
from tests.model.embedded.compose.harness import program as rules_of
from tests.model.embedded.compose.reference import Hold
from tests.model.embedded.direct.test_direct import US, check, offered, presses

SILICON = Silicon(BOARD)
SETTLED = 20 * MS
NEAR = 20 * US
TICK = 20 * US  # of the slowest timer here: a pulse that begins anew may lack one
PRESSED = OnEdge(B1)
TIM2, TIM3, TIM4, TIM1 = ("PA5", "PB3", "PB10"), ("PB4", "PB5", "PC8"), ("PB6", "PB8"), ("PA8",)
assert BOARD.console
CHANNELS = tuple(
    pin
    for pin, what in sorted(BOARD.chip.pins.items())
    if SILICON.outputs(pin) and what.reset_af is None and pin != BOARD.console.rx
)


def how(what: Program) -> str:
    return offered(what).how


def ran(what: Program, presses: tuple[tuple[int, int], ...], span: int) -> Trace:
    """Run the offer with presses from ... to, without bounces."""
    image = link(offered(what).emission("plan"), BOARD)
    stimuli = [Press("B1", start, end - start) for start, end in presses]
    with Machine(BOARD) as machine:
        return machine.run(image, stimuli, span)


durations = st.sampled_from([1, 5, 20, 33, 100, 250, 400]).map(lambda n: n * MS)


@st.composite
def started(draw, pins: tuple[str, ...]):
    """A blink of some lines of one timer that a press or a release starts."""
    lines = [line(pin, draw(st.integers(0, 1))) for pin in draw(st.permutations(pins))]
    lines = lines[: draw(st.integers(1, len(lines)))]
    start = OnEdge(B1, draw(st.booleans()))
    if draw(st.integers(0, 4)) == 0:
        return Rule(Put(lines[0], "on"), start, stop_ps=draw(durations))
    first = draw(st.integers(0, 1))
    steps = tuple(
        Step(tuple((each, level) for each in lines), draw(durations))
        for level in (first, 1 - first)
    )
    play = Play(steps, draw(st.sampled_from([None, 1, 2, 3, 7])))
    stop = draw(st.sampled_from([None, None, 100 * MS, 777 * MS]))
    return Rule(play, start, stop_ps=stop)


@st.composite
def programs(draw):
    """What one button starts, sometimes something else beside it."""
    rules = [draw(started(draw(st.sampled_from([TIM2, TIM3, TIM4, TIM1]))))]
    if draw(st.booleans()):
        rules.append(draw(started(("PA2",))))
    if draw(st.booleans()):
        rules.append(Rule(Put(line("PC0"), "toggle"), OnEdge(B1, draw(st.booleans()))))
    if draw(st.booleans()):
        rules.append(Rule(blink(line("PB9"), 70 * MS, 30 * MS)))
    return Program(tuple(rules))


@given(programs(), presses())
@settings(max_examples=often(60), deadline=None)
def test_random_bursts_do_what_they_mean(what: Program, holds: tuple[Hold, ...]):
    if offers(what, SILICON) is not None:
        check(what, holds[-1].up + S, holds, slack=TICK)


@pytest.mark.parametrize("active", [0, 1])
@pytest.mark.parametrize("pin", CHANNELS)
def test_every_pin_with_a_channel_blinks_by_itself(pin: str, active: int):
    what = rules_of(Rule(blink(line(pin, active), 30 * MS, 20 * MS, 3), PRESSED))
    assert "by itself while one pulse" in how(what)
    check(what, 600 * MS, (Hold(B1, 100 * MS, 200 * MS, 4 * MS), Hold(B1, 300 * MS, 400 * MS)))


def test_a_pin_without_a_channel_is_left_to_the_core():
    assert offers(rules_of(Rule(blink(line("PC0"), 30 * MS, 20 * MS, 3), PRESSED)), SILICON) is None


@pytest.mark.parametrize("play", [blink(LED, 40 * MS, 60 * MS, 3), blink(LED, 240 * MS, MS, 1)])
@pytest.mark.parametrize("again", [70, 110, 150, 179, 250, 400])
def test_a_press_meanwhile_begins_anew_without_a_glitch(play: Play, again: int):
    """While on or off: not even for a clock is the line anything else than asked."""
    gap = 40  # ms from a press to its release
    holds = tuple((at * MS, (at + gap) * MS) for at in (50, 50 + again))
    trace = ran(rules_of(Rule(play, PRESSED)), holds, 2 * S)
    on, off = (step.duration_ps for step in play.steps)
    wanted: list[tuple[int, int]] = []
    for at, until in zip((50, 50 + again), (50 + again, 2000), strict=True):
        begin, end = at * MS + SETTLED, until * MS + SETTLED
        for n in range(play.times or 0):
            for moment, level in ((begin + n * (on + off), 1), (begin + n * (on + off) + on, 0)):
                if moment < end and (wanted[-1][1] if wanted else 0) != level:
                    wanted.append((moment, level))
    seen = [edge for edge in trace.edges("PA5") if edge[0] > MS]  # before: the pin is set up
    assert [level for _, level in seen] == [level for _, level in wanted], seen
    assert all(abs(t - due) < NEAR for (t, _), (due, _) in zip(seen, wanted, strict=True)), seen


@pytest.mark.parametrize("times", [2, 3, 17, 1000])
def test_the_core_sleeps_however_often_the_line_blinks(times: int):
    once = rules_of(Rule(blink(LED, 3 * MS, 2 * MS, 2), PRESSED))
    often = rules_of(Rule(blink(LED, 3 * MS, 2 * MS, times), PRESSED))
    holds = ((100 * MS, 200 * MS),)
    few, many = (ran(what, holds, 6 * S) for what in (once, often))
    assert len([*many.edges("PA5")]) - len([*few.edges("PA5")]) == 2 * (times - 2)
    assert abs(many.awake_cycles - few.awake_cycles) <= 4  # other constants


def test_an_endless_one_and_a_single_one_need_one_timer():
    assert "TIM2 then drives PA5" in how(rules_of(Rule(blink(LED, 30 * MS, 20 * MS), PRESSED)))
    assert "one pulse of TIM2 on PA5" in how(rules_of(Rule(Put(LED, "on"), PRESSED, stop_ps=3 * S)))


def test_what_would_end_while_the_lines_are_on_is_left_to_the_core():
    """Nothing tells a timer to stop there: two rounds and a part of a time on."""
    rule = Rule(blink(LED, 100 * MS, 100 * MS), PRESSED)
    assert offers(rules_of(replace(rule, stop_ps=450 * MS)), SILICON) is None
    check(rules_of(replace(rule, stop_ps=550 * MS)), 2 * S, (Hold(B1, 50 * MS, 200 * MS),))


def test_what_another_rule_moves_is_left_to_the_core():
    burst = Rule(blink(LED, 100 * MS, 100 * MS, 3), PRESSED)
    for other in (Rule(Put(LED, "off"), OnEdge(B1, pressed=False)), replace(burst, start=AtBoot())):
        assert offers(rules_of(burst, other), SILICON) is None


def test_bursts_do_not_take_each_others_timers():
    """TIM2 is the nearest gate of TIM1, but has a line of its own to drive."""
    what = rules_of(
        Rule(blink(line("PA10"), 30 * MS, 20 * MS, 3), PRESSED),
        Rule(blink(LED, 10 * MS, 20 * MS, 4), OnEdge(B1, pressed=False)),
        Rule(blink(line("PB9"), 7 * MS, 3 * MS)),
    )
    assert offered(what).waves
    check(what, S, (Hold(B1, 100 * MS, 250 * MS, 3 * MS), Hold(B1, 400 * MS, 500 * MS)))


@given(st.integers(100, 1 << 38), st.integers(1, 1 << 38), st.sampled_from([16, 32]))
def test_a_gate_closes_where_it_should(low: int, width: int, bits: int):
    timer = next(t for t in SILICON.timers if t.width == bits)
    gate = _Gate.between(low, low + width, timer, 0)
    if gate is not None:
        assert low <= gate.prescale * gate.period <= low + width
        assert 1 <= gate.prescale <= 1 << 16
        assert 2 <= gate.period <= timer.limit
    elif low + width <= 1 << 16 + bits:
        assert width < 1 << 16  # a prescaler can be so long; what is wider always has room


FAST = "when the button is pressed blink LED 1000 times at 5 kHz"


@pytest.mark.parametrize(
    "prompt",
    [
        "blink LED 3 times at 2 Hz when the button is pressed",
        "when the button is pressed blink D7 5 times at 4 Hz with 10 % duty",
        "when the button is pressed blink LED and D3 3 times at 2 Hz and turn on D4",
        "turn on LED for 3 seconds when the button is pressed",
        "when the button is released blink D9 20 times at 20 Hz",
        "blink D4 at 1 Hz. when the button is pressed blink LED 3 times at 2 Hz",
        FAST,
    ],
)
def test_prompts_are_proven(prompt: str):
    """Against the contract that is read from the prompt: faults, hazards and gaps fail it."""
    assert pipeline.generate(prompt, "nucleo-f401").proof.passed


def test_what_is_too_fast_for_the_core_is_a_timers_affair_or_refused():
    fast = blink(LED, 10 * US, 10 * US, 3)
    assert compose(rules_of(Rule(fast, PRESSED)), BOARD)
    for rules in (
        (Rule(fast, PRESSED), Rule(Put(LED, "off"), OnEdge(B1, pressed=False))),
        (Rule(blink(line("PC0"), 10 * US, 10 * US, 3), PRESSED),),
        (Rule(fast), Rule(Put(line("PB5"), "on"), AtBoot(S))),
    ):
        with pytest.raises(ModelError, match="too short for a line that the core moves"):
            compose(rules_of(*rules), BOARD)
