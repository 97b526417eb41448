"""Sentences are read, not matched: what they mean, in figures."""

from __future__ import annotations

import re
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fwgen.board import load_board
from fwgen.errors import PromptError
from fwgen.model.embedded.behaviour import (
    AtBoot,
    Count,
    Follow,
    Held,
    OnEdge,
    Play,
    Presses,
    Put,
    Say,
    State,
    Uptime,
)
from fwgen.model.embedded.read import grammar, read
from fwgen.model.embedded.read.say_back import say_back
from fwgen.model.embedded.read.words import lexicon, split

BOARD = load_board("nucleo-f401")
MS, S = 10**9, 10**12


def meaning(prompt: str) -> tuple[str, ...]:
    return say_back(read(prompt, BOARD).program)


def rules(prompt: str):
    return read(prompt, BOARD).program.rules


def refusal(prompt: str) -> PromptError:
    with pytest.raises(PromptError) as caught:
        read(prompt, BOARD)
    return caught.value


BLINK_2HZ = ("LD2 blinks at 2 Hz: 250 ms on, 250 ms off",)


@pytest.mark.parametrize(
    "prompt",
    [
        "blink LED at 2Hz",
        "Blink the LED at 2 Hz.",
        "please blink the green LED twice a second",
        "flash LD2 every 500 ms",
        "blink the onboard led two times per second!",
        "LED blinks with a period of 0.5 s",
        "the user LED should flash at 2 hertz",
        "make the LED blink 2 times a second",
        "I want the LED to blink at 2 Hz",
        "blink LED on for 250 ms and off for 250 ms",
        "blink the led 250 ms on, 250 ms off",
        "LED on for 0.25 seconds, off for a quarter second",
        "toggle the LED every 250 ms",
        "blink LED every half a second",
        "Blink at 120 bpm",
        "at 2 Hz blink the LED",
        "start blinking the LED at 2 Hz",
        "blink LED on and off twice a second",
    ],
)
def test_one_meaning_said_in_many_ways(prompt):
    (rule,) = rules(prompt)
    assert isinstance(rule.action, Play)
    assert rule.action.period_ps == 500 * MS
    assert {s.duration_ps for s in rule.action.steps} == {250 * MS}
    assert [line.name for line in rule.action.lines] == ["LD2"]
    assert rule.start == AtBoot(0)
    assert rule.gate is None
    assert rule.stop_ps is None


@pytest.mark.parametrize(
    ("prompt", "said"),
    [
        ("blink LED at 2 Hz with 20% duty", "LD2 blinks at 2 Hz: 100 ms on, 400 ms off"),
        (
            "blink PA5 with a duty cycle of 25 %, at 2 Hz",
            "PA5 blinks at 2 Hz: 125 ms on, 375 ms off",
        ),
        ("blink D13 1 s on and 200 ms off", "D13 blinks at 833 mHz: 1 s on, 200 ms off"),
        ("pulse D4 for 10 ms every second", "D4 blinks at 1 Hz: 10 ms on, 990 ms off"),
        ("blink LED 3 times at 2Hz", "LD2 blinks 3 times at 2 Hz: 250 ms on, 250 ms off"),
        ("blink LED every other second", "LD2 blinks at 500 mHz: 1 s on, 1 s off"),
        ("blink LED at two and a half Hz", "LD2 blinks at 2.5 Hz: 200 ms on, 200 ms off"),
        ("blink LED every 1 minute and 30 seconds", "LD2 blinks at 11 mHz: 45 s on, 45 s off"),
        ("turn on the LED", "LD2 goes on"),
        ("after five seconds set D4 high", "D4 goes on, from 5 s after reset"),
        ("blink pin 13 at 2 Hz", "D13 blinks at 2 Hz: 250 ms on, 250 ms off"),
        ("the button toggles the LED", "LD2 toggles each time B1 is pressed"),
        ("press the button to toggle the LED", "LD2 toggles each time B1 is pressed"),
        ("count up every second", "USART2 says '{count from 0}' at 115200 baud every 1 s"),
        (
            'print "t=" uptime " s" every second',
            "USART2 says 't={uptime in s} s' at 115200 baud every 1 s",
        ),
        (
            "alternate LED and D7 every 500 ms",
            "LD2 and D7: LD2 500 ms, D7 500 ms, over and over",
        ),
        (
            "traffic light: red on D2 for 5 seconds, yellow on D3 for 1 s, green on D4 for 4 s",
            "D2, D3 and D4: D2 5 s, D3 1 s, D4 4 s, over and over",
        ),
        ("LED follows the button", "LD2 is on while B1 is held"),
        ("the LED is off while B1 is pressed", "LD2 is off while B1 is held"),
        ("LED inverts the button", "LD2 is off while B1 is held"),
        ("toggle LED on each press of the button", "LD2 toggles each time B1 is pressed"),
        ("when the button is released, toggle D7", "D7 toggles each time B1 is released"),
        ("print hello every second", "USART2 says 'hello' at 115200 baud every 1 s"),
        ('say "boot" once at startup', "USART2 says 'boot' at 115200 baud once"),
        ("send 'x' over uart1 at 9600 baud every 2 s", "USART1 says 'x' at 9600 baud every 2 s"),
        (
            "while the button is held blink LED at 5Hz",
            "LD2 blinks at 5 Hz: 100 ms on, 100 ms off, only while B1 is held",
        ),
        (
            "pulse LED for 1 second when the button is pressed",
            "LD2 goes on each time B1 is pressed, for 1 s",
        ),
        (
            "cycle through D2, D3 and D4, 200 ms each",
            "D2, D3 and D4: D2 200 ms, D3 200 ms, D4 200 ms, over and over",
        ),
        (
            "chaser on D2-D4 every 50 ms",
            "D2, D3 and D4: D2 50 ms, D3 50 ms, D4 50 ms, over and over",
        ),
        (
            "knight rider on D2 to D4 with 80 ms per step",
            "D2, D3 and D4: D2 80 ms, D3 80 ms, D4 80 ms, D3 80 ms, over and over",
        ),
        (
            "traffic light with red on D2, yellow on D3 and green on D4: red 5 s, red and yellow "
            "1 s, green 4 s, yellow 1 s",
            "D2, D3 and D4: D2 5 s, D2+D3 1 s, D4 4 s, D3 1 s, over and over",
        ),
        (
            "LED on 100 ms, off 200 ms, on 300 ms, off 1 s, repeat",
            "LD2: on 100 ms, off 200 ms, on 300 ms, off 1 s, over and over",
        ),
        (
            "blink LED twice every 3 seconds",
            "LD2: on 200 ms, off 200 ms, on 200 ms, off 2.4 s, over and over",
        ),
    ],
)
def test_a_sentence_means_this(prompt, said):
    assert meaning(prompt) == (said,)


@pytest.mark.parametrize(
    ("prompt", "count"),
    [
        ("blink LED at 2Hz and D7 at 3 Hz", 2),
        ("blink LED at 2 Hz, D7 at 3 Hz and D8 at 5 Hz", 3),
        ("blink LED and D7 at 2 Hz", 2),
        ("blink LED at 1 Hz, and print hello every second while blinking D7 at 3 Hz", 3),
        ('Print "Hello, world!" once at boot. Then blink the LED every second.', 2),
        ("blink LED at 1 Hz; toggle D7 when the button is pressed; print x every 2 s", 3),
    ],
)
def test_clauses_join(prompt, count):
    assert len(rules(prompt)) == count


def test_then_begins_where_the_clause_before_ends():
    one, two, three = rules(
        "blink LED at 2 Hz for 5 seconds, then at 5 Hz for 1 s, then turn it on"
    )
    assert (one.stop_ps, two.start, three.start) == (5 * S, AtBoot(5 * S), AtBoot(6 * S))
    assert isinstance(three.action, Put)


def test_then_after_something_endless_is_refused():
    error = refusal("blink LED at 2 Hz then print hello")
    assert "never ends" in error.message
    assert error.hint


def test_an_event_is_shared_by_the_clauses_it_introduces():
    for prompt in (
        'when the button is pressed, toggle the LED and print "x"',
        'toggle the LED and print "x" when the button is pressed',
    ):
        assert all(isinstance(rule.start, OnEdge) for rule in rules(prompt))


def test_it_means_what_was_last_spoken_of():
    on, off = rules("when the button is pressed turn D7 on, when it is released turn it off")
    assert on.start.source == off.start.source
    assert (on.start.pressed, off.start.pressed) == (True, False)
    assert on.action.line == off.action.line


def test_a_pause_comes_between():
    one, two, three = rules("turn on D2, wait 1 second, turn on D3, wait 2 s, turn on D4")
    assert [r.start.after_ps for r in (one, two, three)] == [0, S, 3 * S]


def test_a_sequence_repeats_as_one_pattern():
    (rule,) = rules("turn on LED, wait 500 ms, turn it off, wait 250 ms, repeat")
    assert [s.duration_ps for s in rule.action.steps] == [500 * MS, 250 * MS]
    assert rule.action.times is None
    (rule,) = rules("blink LED 3 times at 2 Hz, pause 1 second, repeat")
    assert rule.action.period_ps == 2500 * MS


def test_what_is_endless_ends_where_the_next_begins():
    one, two = rules("blink LED at 1 Hz, then after 10 seconds at 2 Hz")
    assert (one.stop_ps, two.start) == (10 * S, AtBoot(10 * S))


def test_otherwise_is_the_other_case():
    one, two = rules("while the button is held blink LED at 5 Hz, otherwise at 1 Hz")
    assert one.gate == Held(two.gate.source, invert=False)
    assert two.gate.invert
    assert two.action.period_ps == S


def test_alternating_outputs_are_one_pattern():
    (rule,) = rules("blink LED and D7 alternately at 2 Hz")
    first, second = (dict(step.levels) for step in rule.action.steps)
    assert all(first[line] == 1 - second[line] for line in rule.action.lines)


def test_morse_is_keyed_as_the_recommendation_says():
    (rule,) = rules("send SOS in morse on D7 with a dot of 50 ms")
    dots = [
        (dict(s.levels)[rule.action.lines[0]], s.duration_ps // (50 * MS))
        for s in rule.action.steps
    ]
    s = [(1, 1), (0, 1), (1, 1), (0, 1), (1, 1)]
    o = [(1, 3), (0, 1), (1, 3), (0, 1), (1, 3)]
    assert dots == [*s, (0, 3), *o, (0, 3), *s, (0, 7)]


def test_words_per_minute_set_the_dot():
    (rule,) = rules("send E in morse at 12 wpm")
    assert rule.action.steps[0].duration_ps == 100 * MS


def test_a_message_is_made_of_text_and_numbers():
    (rule,) = rules(
        'print "t=", the uptime in ms, "n=" and a counter from 5 in steps of 2 every second'
    )
    assert rule.action == Say("USART2", ("t=", Uptime("ms"), " n=", Count(5, 2)), 115_200)


def test_the_count_that_was_spoken_of_is_the_count_of_presses():
    (rule,) = rules("count button presses and print the count")
    assert isinstance(rule.action.parts[0], Presses)
    assert isinstance(rule.start, OnEdge)


def test_a_state_is_told_in_its_own_words():
    (rule,) = rules('print "LED is " and the state of the LED every second')
    assert isinstance(rule.action.parts[1], State)


def test_a_button_can_be_any_pin():
    (rule,) = rules("LED follows D2")
    assert isinstance(rule.action, Follow)
    assert (rule.action.source.pin, rule.action.source.active, rule.action.source.pull) == (
        "PA10",
        0,
        1,
    )


# ------------------------------------------------------------------ refusals


@pytest.mark.parametrize(
    ("prompt", "words"),
    [
        ("make me a sandwich", ("me", "sandwich")),
        ("blink LED at 2Hz and order a pizza", ("pizza",)),
        ("blink LED at 2 parsecs", ("parsecs",)),
        ("print the temperature every second", ("temperature",)),
        ("blink D99 at 2 Hz", ("D99",)),
        ("blink LED at 2 Hz frobnicate", ("frobnicate",)),
        ("bilnk LED at 2Hz", ("bilnk",)),
        ("äöü", ("äöü",)),
        ("🙂 blink", ("🙂",)),
    ],
)
def test_what_is_not_understood_is_named(prompt, words):
    assert refusal(prompt).words == words


@pytest.mark.parametrize(
    ("prompt", "part"),
    [
        ("", "empty"),
        ("   \n ", "empty"),
        ("blink LED at 0 Hz", "more than zero"),
        ("blink LED at 2 Hz and blink LED at 3 Hz", "cannot both"),
        ("blink LED at 2 Hz and turn on the LED", "cannot both"),
        ("blink B1 at 2 Hz", "button"),
        ("blink PC13 at 2 Hz", "button"),
        ("blink D0 at 2 Hz", "console RX"),
        ("blink PA13 at 2 Hz", "debug probe"),
        ("blink PH0 at 2 Hz", "oscillator"),
        ("blink LED at 2 Hz every second", "two rates"),
        ("toggle the LED", "when to toggle"),
        ("blink LED at 2 Hz at 9600 baud", "does not go with"),
        ("traffic light on D2 and D3", "three lamps"),
        ("blink LED fast", "how fast"),
        ("send äö in morse", "'ä' 'ö'"),
        ('send "ß" in morse', "no sign"),
        ('print "grün" every second', "ASCII"),
        ("print hello at 7 baud", "50 and"),
        ("count button presses", "never be seen"),
        ("blink LED and LD2 at 2 Hz", "twice"),
        ("LED follows D13", "no button"),
        ("blink D2 and let LED follow D2", "both as a button and as an output"),
        ("x" * 3000, "characters long"),
    ],
)
def test_what_cannot_be_is_refused_with_the_reason(prompt, part):
    assert part in str(refusal(prompt))


def test_a_misspelling_gets_a_suggestion():
    assert "blink" in (refusal("bilnk LED at 2Hz").hint or "")
    assert "D9" in (refusal("blink D99 at 2 Hz").hint or "")


def test_what_was_left_open_is_told():
    assert any("1 Hz" in a for a in read("blink the LED", BOARD).assumptions)
    assert not read("blink LED at 2Hz", BOARD).assumptions


@given(st.text(max_size=60))
def test_any_text_is_read_or_refused(prompt):
    with suppress(PromptError):
        read(prompt, BOARD)


SENTENCES = [
    "blink LED at 2 Hz and D7 at 3 Hz",
    "when the button is pressed toggle LED",
    'print "hi" and a counter every 2 seconds',
    "traffic light on D2, D3, D4: red 5 s, green 4 s, yellow 1 s",
]


@given(st.sampled_from(SENTENCES), st.integers(0, 20), st.sampled_from(["zorp", "quux7", "∆"]))
def test_a_word_without_meaning_is_never_passed_over(sentence, at, word):
    words = sentence.split(" ")
    words.insert(min(at, len(words)), word)
    with pytest.raises(PromptError):
        read(" ".join(words), BOARD)


@given(st.integers(1, 5000), st.sampled_from(["Hz", "hz", "hertz"]))
def test_every_rate_is_read_exactly(rate, unit):
    (rule,) = rules(f"blink D7 at {rate} {unit}")
    assert abs(rule.action.period_ps * rate - S) <= rate


@given(st.permutations(["at 2 Hz", "with 20 % duty", "while the button is held"]))
def test_modifiers_come_in_any_order(parts):
    assert meaning("blink LED " + " ".join(parts)) == meaning(
        "blink LED at 2 Hz with 20 % duty while the button is held"
    )


# ------------------------------------------------------------------ the grammar itself

SPECIAL = {"QUOTED", "NUMBER", "UNIT", "HERTZ", "PIN", "PIN_", "USART", "BARE", "LED", "BUTTON"}


def test_every_terminal_is_in_the_lexicon_and_every_kind_is_used():
    kinds = set(lexicon().kinds)
    assert grammar().terminals - kinds - SPECIAL == set()
    assert kinds - grammar().terminals == set()


def test_every_rule_can_be_reached():
    reached, todo = set(), ["program"]
    from fwgen.model.embedded.read.parser import _used

    while todo:
        name = todo.pop()
        if name not in reached and name in grammar().rules:
            reached.add(name)
            todo += [n for n in _used(grammar().rules[name]) if n[0].islower()]
    assert set(grammar().rules) - reached == set()


def test_hyphens_in_words_are_not_ranges():
    assert [w.folded for w in split("on-board LED, D2-D4")] == [
        "on",
        "board",
        "led",
        ",",
        "d2",
        "-",
        "d4",
    ]


def test_every_example_of_the_documentation_is_read():
    page = Path(__file__).parents[4] / "docs" / "embedded-model.md"
    said = page.read_text(encoding="utf-8").split("## What it can say")[1].split("- **Pins**")[0]
    examples = [e for e in re.findall(r"`([^`]+)`", said) if " " in e and not e.startswith("...")]
    assert len(examples) > 30
    for example in examples:
        assert read(example, BOARD).program.rules
