"""Straight-line programs do in the machine what the reference says, and are the smaller ones."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

sys.path.append(str(Path(__file__).parents[1] / "compose"))

from fwgen.contract import Press
from fwgen.image.link import link
from fwgen.machine.machine import Machine
from fwgen.model.embedded.behaviour import (
    AtBoot,
    Count,
    Follow,
    Held,
    Line,
    OnEdge,
    Part,
    Play,
    Presses,
    Program,
    Put,
    Rule,
    Say,
    Step,
    Uptime,
)
from fwgen.model.embedded.compose.composer import _composed
from fwgen.model.embedded.compose.direct import Offer, offers
from fwgen.model.embedded.compose.silicon import Silicon
from fwgen.model.embedded.model import EmbeddedModel
from fwgen.trace import Fault, Gap, Hazard
from tests.effort import often
from tests.model.embedded.compose.harness import B1, BOARD, LED, MS, S, blink, expect, line
from tests.model.embedded.compose.harness import _compare as compare
from tests.model.embedded.compose.harness import program as rules_of
from tests.model.embedded.compose.reference import Hold

PINS = ("PA5", "PA8", "PB5", "PB12", "PC0", "PC1", "PA10")
US = 10**6


def offered(what: Program) -> Offer:
    offer = offers(what, Silicon(BOARD))
    assert offer is not None, what
    return offer


def check(what: Program, span: int, holds: tuple[Hold, ...] = (), slack: int = 0) -> int:
    """Run the offer against the reference; how many cycles the core was awake."""
    from tests.model.embedded.compose.harness import Seen

    offer = offered(what)
    image = link(offer.emission("plan"), BOARD)
    assert offer.bytes - 3 <= image.flash_used <= offer.bytes
    stimuli = [Press(h.source.name, h.down, h.up - h.down, h.bounce) for h in holds]
    with Machine(BOARD) as machine:
        trace = machine.run(image, stimuli, span)
    wrong = [e for e in trace.events if isinstance(e, (Fault, Hazard, Gap))]
    assert not wrong, (wrong, str(image.listing))
    seen, expected = Seen(image, trace, what), expect(what, span, holds)
    lines = {x.pin: x for rule in what.rules for x in lines_of(rule)}
    for pin, levels in expected.levels.items():
        compare(pin, seen.edges(lines[pin]), levels, span, slack, seen)
    for port, said in expected.said.items():
        compare(port, seen.lines(port), said, span, 2 * MS, seen)
    return trace.awake_cycles


def lines_of(rule: Rule) -> tuple[Line, ...]:
    if isinstance(rule.action, Play):
        return rule.action.lines
    return (rule.action.line,) if isinstance(rule.action, Put) else ()


short = st.sampled_from([5, 7, 10, 20, 33, 50, 100, 250, 400]).map(lambda n: n * MS)


@st.composite
def walks(draw, lines):
    steps = draw(
        st.lists(
            st.tuples(st.lists(st.integers(0, 1), min_size=len(lines), max_size=len(lines)), short),
            min_size=2, max_size=6,
        )
    )  # fmt: skip
    return tuple(Step(tuple(zip(lines, levels, strict=True)), d) for levels, d in steps)


@st.composite
def sequences(draw):
    """Rules that reset starts, at different times and on their own lines."""
    pins = list(draw(st.permutations(PINS)))
    made = []
    for n in range(draw(st.integers(1, 3))):
        lines = tuple(
            line(pins.pop(), draw(st.integers(0, 1))) for _ in range(draw(st.integers(1, 2)))
        )
        start = AtBoot(draw(st.sampled_from([0, 0, 100, 333, 1000])) * MS)
        kind = draw(st.sampled_from(["once", "times", "put", "for ever"]))
        if kind == "for ever" and n == 0:
            made.append(Rule(Play(draw(walks(lines))), start))
        elif kind == "put":
            put = Put(lines[0], draw(st.sampled_from(["on", "off", "toggle"])))
            made.append(Rule(put, start))
        else:
            times = 1 if kind == "once" else draw(st.integers(2, 5))
            made.append(Rule(Play(draw(walks(lines)), times), start))
    return Program(tuple(made))


@given(sequences())
@settings(max_examples=often(40), deadline=None)
def test_random_sequences_do_what_they_mean(what: Program):
    if offers(what, Silicon(BOARD)) is not None:
        check(what, 4 * S)


@given(st.lists(st.integers(1, 7), min_size=4, max_size=24), st.integers(2, 40))
@settings(max_examples=often(20), deadline=None)
def test_random_alternations_do_what_they_mean(units: list[int], unit: int):
    units = units[: len(units) // 2 * 2]
    steps = tuple(Step(((LED, 1 - n % 2),), k * unit * MS) for n, k in enumerate(units))
    what = rules_of(Rule(Play(steps)))
    if offers(what, Silicon(BOARD)) is not None:  # a plain blink is a timer's affair
        check(what, 3 * S)


@given(
    st.lists(st.sampled_from(["a", "temperature: ", "\t", "ü"]), max_size=2),
    st.sampled_from([None, Count(), Count(7, 3), Count(2000, -5), Uptime("s"), Uptime("ms")]),
    st.sampled_from([500, 777, 1000, 2000, 2500]),
    st.booleans(),
    st.sampled_from([9600, 57_600, 115_200]),
)
@settings(max_examples=often(20), deadline=None)
def test_random_lines_of_text_come_when_they_should(before, number, every, at_once, baud):
    parts = (*before, *((number,) if number else ()), "!")
    what = rules_of(Rule(Say("USART2", parts, baud), AtBoot(), every * MS, at_once))
    if offers(what, Silicon(BOARD)) is not None:
        check(what, 6 * S)


def test_long_durations_do_not_drift():
    """Steps of seconds, of unlike lengths: a minute later all is still where it belongs."""
    red, green = line("PA10"), line("PB5")
    steps = (
        Step(((red, 1), (green, 0)), 5 * S),
        Step(((red, 0), (green, 1)), 2 * S),
        Step(((red, 0), (green, 0)), 20 * S),
    )
    check(rules_of(Rule(Play(steps))), 110 * S)


def test_lines_that_take_turns_never_overlap():
    """Not by a single clock, on one port or on two."""
    for pins in (("PA10", "PB3"), ("PB3", "PB5")):
        one, two = (line(pin) for pin in pins)
        steps = (
            Step(((one, 1), (two, 0)), 20 * MS),
            Step(((one, 0), (two, 1)), 20 * MS),
        )
        what = rules_of(Rule(Play(steps)))
        with Machine(BOARD) as machine:
            trace = machine.run(link(offered(what).emission("plan"), BOARD), [], S)
        level: dict[str, int] = {}
        moments = sorted((t, now, pin) for pin in pins for t, now in trace.edges(pin))
        for _, now, pin in moments:
            level[pin] = now
            assert list(level.values()).count(1) <= 1


CLAIMED = (
    "send SOS in morse on LED",
    "traffic light with red on D2, yellow on D3 and green on D4",
    "run a chaser on D2, D3, D4 and D5, 100 ms each",
    "after 5 seconds turn on LED",
    "blink LED 3 times at 2 Hz then turn on D2",
    'print "hello" every second',
    'print "count" and a counter every 500 ms',
    "print the uptime every second",
    "toggle LED on each press of the button",
    "print the press count on each press of the button",
    "while the button is held blink LED at 5 Hz, otherwise at 1 Hz",
    "blink LED 3 times at 2 Hz when the button is pressed",
    "turn on LED for 3 seconds when the button is pressed",
    "blink D4 at 1 Hz. when the button is pressed blink LED 3 times at 2 Hz",
)


@pytest.mark.parametrize("prompt", CLAIMED)
def test_what_is_offered_is_smaller_and_sleeps_longer(prompt: str):
    reading = EmbeddedModel().read(prompt, BOARD)
    what, awake = reading.meaning, []
    assert isinstance(what, Program)
    general = link(_composed(what, BOARD)[1], BOARD)
    direct = link(offered(what).emission("plan"), BOARD)
    for image in (general, direct):
        with Machine(BOARD) as machine:
            trace = machine.run(image, reading.contract.stimuli, reading.contract.span_ps)
        awake.append(trace.awake_cycles)
    assert direct.flash_used <= general.flash_used
    assert awake[1] <= awake[0]


def test_what_it_cannot_do_is_not_offered():
    for what in (
        rules_of(Rule(Follow(LED, B1))),
        rules_of(Rule(Say("USART2", ("x",)), AtBoot(), 20 * S)),
        rules_of(Rule(blink(LED, 3 * US, 5 * US)), Rule(Say("USART2", ("x",)), AtBoot(), S)),
    ):
        offer = offers(what, Silicon(BOARD))
        assert offer is None or offer.waves


@st.composite
def presses(draw):
    """Presses of B1 far enough apart for a contact to come to rest in between."""
    made, at = [], 0
    for _ in range(draw(st.integers(1, 5))):
        at += draw(st.integers(60, 700)) * MS
        down = at
        at += draw(st.integers(60, 500)) * MS
        made.append(Hold(B1, down, at, draw(st.integers(0, 10)) * MS))
    return tuple(made)


@st.composite
def reactions(draw):
    """Lines that a button's edges put on, off or round."""
    pins = list(draw(st.permutations(PINS)))
    made = []
    for _ in range(draw(st.integers(1, 3))):
        what = line(pins.pop(), draw(st.integers(0, 1)))
        levels = draw(st.lists(st.sampled_from(["on", "off", "toggle"]), min_size=1, max_size=2))
        for level in levels:
            made.append(Rule(Put(what, level), OnEdge(B1, draw(st.booleans()))))
    return Program(tuple(made))


@given(reactions(), presses())
@settings(max_examples=often(25), deadline=None)
def test_random_reactions_do_what_they_mean(what: Program, holds: tuple[Hold, ...]):
    check(what, holds[-1].up + 100 * MS, holds)


@given(presses(), st.sampled_from([Presses(B1), Count(), Count(5, -2), "x"]))
@settings(max_examples=12, deadline=None)
def test_random_presses_are_told(holds: tuple[Hold, ...], part: Part):
    what = rules_of(Rule(Say("USART2", ("pressed ", part)), OnEdge(B1)))
    check(what, holds[-1].up + 100 * MS, holds)


half = st.sampled_from([(100, 100), (50, 50), (20, 80), (333, 111)])


@given(presses(), half, half, st.sampled_from(["held", "free", "both"]), st.integers(0, 1))
@settings(max_examples=15, deadline=None)
def test_random_holds_switch_the_rate(holds, one, two, which: str, active: int):
    what = Line("PA5", "PA5", active)
    slow, fast = (Rule(blink(what, on * MS, off * MS)) for on, off in (one, two))
    rules = []
    if which != "free":
        rules.append(replace(fast, gate=Held(B1)))
    if which != "held":
        rules.append(replace(slow, gate=Held(B1, invert=True)))
    check(rules_of(*rules), holds[-1].up + 900 * MS, holds)
