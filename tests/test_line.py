"""The whole line, from a sentence to a verdict: everything the first vocabulary can say passes."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import fwgen.pipeline as line
from fwgen.board import load_board
from fwgen.contract import dump_contract, load_contract
from fwgen.errors import PromptError
from fwgen.image.write import hex_bytes
from fwgen.trace import Hazard
from tests.effort import often

BOARD = load_board("nucleo-f401")

PROMPTS = [
    "blink LED at 2Hz",
    "blink LED and D7 at 2 Hz",
    "blink LED at 2Hz and D7 at 3 Hz",
    "blink PA5 at 1Hz, PA6 at 2Hz, PA7 at 4Hz and PB6 at 8 Hz and D2 at 3 Hz and D4 at 5 Hz",
    "blink PC0 at 2 Hz and PC1 at 3 Hz and PC2 at 5 Hz and PC3 at 7 Hz",
    "blink D7 1 s on and 200 ms off",
    "blink LED every 20 seconds",
    "blink LED at 1 kHz with 10 % duty",
    "blink LED 3 times at 2 Hz",
    "blink LED twice every 3 seconds",
    "blink LED and D7 alternately at 2 Hz",
    "blink D7 opposite to LED at 2 Hz",
    "toggle D4 every 300 ms",
    "pulse D4 for 10 ms every second",
    "turn on the LED",
    "set D2 high and turn on D4",
    "LED on 100 ms, off 200 ms, on 300 ms, off 1 s",
    "send SOS in morse on LED",
    'send "HI 5" in morse on D7 with a dot of 50 ms once',
    "traffic light on D2, D3, D4: red 5 s, green 4 s, yellow 1 s",
    "traffic light with red on D2, yellow on D3 and green on D4: red 2 s, red and yellow 1 s, "
    "green 2 s, yellow 1 s",
    "chaser on D2 to D6 every 100 ms",
    "knight rider on D2-D9 with 60 ms per step",
    "print hello every second",
    'print "boot" once at startup',
    'print "count" and a counter every 500 ms',
    'print "uptime" and the uptime in seconds every second',
    "print the uptime in ms every 250 ms",
    'send "hi" over uart1 at 9600 baud every second',
    'print "LED is " and the state of the LED every second and blink LED at 0.3 Hz',
    "LED follows the button",
    "LED inverts the button",
    "LED follows D2",
    "the LED is off while the button is pressed",
    "toggle LED when the button is pressed",
    "toggle the LED on each press of the button and print the press count",
    "count button presses and print the count",
    "when the button is pressed turn the LED on, when it is released turn it off",
    "pulse LED for 1 second when the button is pressed",
    "when I press the button, blink LED 3 times at 5 Hz",
    "while the button is held blink LED at 5 Hz",
    "while the button is held blink LED at 5 Hz, otherwise at 1 Hz",
    "after 5 seconds turn on LED",
    "turn LED on, then after 2 seconds turn it off",
    "blink LED at 2 Hz for 3 seconds, then at 5 Hz",
    "turn on LED for 2 seconds, then blink it at 2 Hz and print go every second",
]


@pytest.mark.parametrize("prompt", PROMPTS)
def test_it_passes_its_own_contract_and_the_contract_file(prompt, tmp_path):
    result = line.generate(prompt, BOARD)
    assert result.passed, [f.text for f in result.proof.verdict.all if f.outcome.exit_code]
    assert not list(result.proof.trace.of(Hazard)), "not even a note"
    # What a user does with the files: the same verdict from the hex file and the TOML.
    (tmp_path / "firmware.hex").write_bytes(hex_bytes(result.proof.image))
    (tmp_path / "contract.toml").write_text(dump_contract(result.proof.contract))
    again = line.verify(tmp_path / "firmware.hex", BOARD, tmp_path / "contract.toml")
    assert again.passed, [f.text for f in again.verdict.all if f.outcome.exit_code]


@pytest.mark.parametrize("prompt", PROMPTS)
def test_it_sleeps_when_there_is_nothing_to_do(prompt):
    proof = line.generate(prompt, BOARD).proof
    assert proof.trace.asleep_ps() > proof.trace.span_ps * 97 // 100


def test_the_main_job_is_small_and_sleeps_for_ever():
    proof = line.generate("blink LED at 2Hz", BOARD).proof
    assert proof.passed
    assert proof.image.flash_used <= 80
    assert proof.trace.asleep_ps() > proof.trace.span_ps * 999 // 1000


def test_the_same_prompt_gives_the_same_bytes():
    one, two = (line.generate("blink LED at 2Hz and print hello every second", BOARD) for _ in "12")
    assert one.proof.image == two.proof.image
    assert one.proof.trace == two.proof.trace


def test_a_contract_file_overrules_the_prompt():
    asked = line.generate("blink LED at 3 Hz", BOARD).proof.contract
    result = line.generate("blink LED at 2 Hz", BOARD, contract=asked)
    assert not result.passed
    assert "2 Hz" in " ".join(f.text for f in result.proof.verdict.findings)


PINS = ["LED", "D2", "D4", "D7", "PC0", "PB6", "A1", "PB12"]
OUTPUTS = st.lists(st.sampled_from(PINS), min_size=1, max_size=5, unique=True)


@settings(max_examples=often(25))
@given(OUTPUTS, st.data())
def test_any_outputs_blink_at_any_rates(pins, data):
    clauses = []
    for pin in pins:
        tenths = data.draw(st.integers(3, 400))
        duty = data.draw(st.sampled_from(["", " with 20 % duty", " with 75 % duty"]))
        clauses.append(f"{pin} at {tenths / 10} Hz{duty}")
    result = line.generate("blink " + " and ".join(clauses), BOARD)
    assert result.passed, [f.text for f in result.proof.verdict.all if f.outcome.exit_code]


CLAUSES = {
    "LED": ["blink LED at 2 Hz", "toggle LED when the button is pressed", "LED follows the button",
            "send E in morse on LED", "while the button is held blink LED at 8 Hz"],
    "D4": ["blink D4 at 3 Hz", "pulse D4 for 50 ms every second", "after 2 seconds turn on D4",
           "pulse D4 for 300 ms when the button is pressed"],
    "D7": ["blink D7 5 times at 10 Hz", "toggle D7 every 200 ms", "D7 inverts the button"],
    "text": ['print "n" and a counter every 700 ms', "print hi on each press of the button",
             "print the uptime in seconds every second"],
}  # fmt: skip


@settings(max_examples=25)
@given(st.data())
def test_clauses_compose(data):
    chosen = data.draw(st.lists(st.sampled_from(sorted(CLAUSES)), min_size=2, unique=True))
    prompt = ". ".join(data.draw(st.sampled_from(CLAUSES[name])) for name in chosen)
    try:
        result = line.generate(prompt, BOARD)
    except PromptError:
        pytest.fail(f"not understood: {prompt}")
    assert result.passed, (
        prompt,
        [f.text for f in result.proof.verdict.all if f.outcome.exit_code],
    )


def test_a_contract_in_plain_toml_survives_the_way_there_and_back():
    for prompt in PROMPTS[:10]:
        contract = line.generate(prompt, BOARD).proof.contract
        text = dump_contract(contract)
        assert dump_contract(load_contract(text, BOARD)) == text
