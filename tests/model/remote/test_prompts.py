"""What a model is told: right, short, and the same at its beginning."""

from __future__ import annotations

import re

import pytest

from fwgen import pipeline
from fwgen.contract import load_contract
from fwgen.image.link import link
from fwgen.image.wire import parse_emission
from fwgen.model.remote.card import card
from fwgen.model.remote.contracts import contract_toml, schema
from fwgen.model.remote.contracts import system_prompt as contract_prompt
from fwgen.model.remote.emissions import prompt_of
from fwgen.model.remote.system import example, needs_of, system_prompt, text_of
from fwgen.model.remote.tokens import count_tokens
from fwgen.thumb import encode

from .brain import BOARD

BLINK = "blink LED at 2 Hz"
MUCH = (
    "Every 100 ms read the potentiometer on A0 with the ADC, print its value on the serial "
    "console, and set the brightness of the LED to it by a timer's PWM"
)
CONTRACT = """\
title = "much"
[[expect]]
says = "{n}"
every = "100 ms"
numbers.n = { least = 0, most = 4095 }
[[expect]]
pwm = "LD2"
frequency = "1 kHz"
duty = "50 %"
[[expect]]
quiet = true
but = ["LD2", "console"]
"""


def test_a_blink_takes_less_than_three_thousand_tokens() -> None:
    system, task = prompt_of(pipeline.read(BLINK, BOARD))
    assert count_tokens(system) + count_tokens(task) < 3000


def test_serial_adc_and_a_timer_take_less_than_six_thousand() -> None:
    from fwgen.model.protocol import Reading

    contract = load_contract(CONTRACT, BOARD)
    system, task = prompt_of(Reading(MUCH, (), contract, BOARD))
    assert count_tokens(system) + count_tokens(task) < 6000
    for name in ("ADC1", "USART2", "TIM2", "GPIOA", "PA0", "ADC1_IN0", "SQR3", "BRR", "CCMR1"):
        assert name in system


def test_only_what_matters_is_told() -> None:
    system, _ = prompt_of(pipeline.read(BLINK, BOARD))
    for name in ("USART2_BRR", "ADC1", "EXTI", "I2C1"):
        assert name not in system.partition("PERIPHERALS")[2]


def test_the_beginning_is_the_same_for_every_request() -> None:
    one, _ = prompt_of(pipeline.read(BLINK, BOARD))
    two, _ = prompt_of(pipeline.read("toggle LED on each press of the button", BOARD))
    assert one.partition("PERIPHERALS")[0] == two.partition("PERIPHERALS")[0]
    assert one != two


def test_the_examples_are_right_answers() -> None:
    system, _ = prompt_of(pipeline.read('print "hi" every second', BOARD))
    examples = re.findall(r"^EXAMPLE (.+)\n(\{.*\})$", system, re.M)
    assert len(examples) == 2
    for sentence, answer in examples:
        emission = parse_emission(answer)
        contract = pipeline.read(sentence, BOARD).contract
        assert pipeline.prove(link(emission, BOARD), BOARD, contract).passed


def test_the_example_of_a_contract_is_a_right_answer() -> None:
    import json

    sentence, answer = text_of("contract").partition("EXAMPLE ")[2].split("\n", 1)
    data = json.loads(answer)
    assert set(data) == set(schema()["required"])
    contract = load_contract(contract_toml(data, sentence, BOARD), BOARD)
    image = pipeline.generate("toggle the LED on each press of the button", BOARD).proof.image
    assert pipeline.prove(image, BOARD, contract).passed


def test_the_contract_prompt_names_every_verb() -> None:
    text = contract_prompt(BOARD)
    for key in ("do", "expect"):
        for verb in schema()["properties"][key]["items"]["properties"]["verb"]["enum"]:
            assert verb == "send_hex" or re.search(rf"\b{verb}\b", text)
    assert count_tokens(text) < 2000


CARD = {
    "movs r3, #7": (0x2000, {"d": (8, 3), "i": (0, 7)}),
    "ldr r4, [r1, #20]": (0x6800, {"i": (6, 5), "n": (3, 1), "t": (0, 4)}),
    "strh r3, [r0, #2]": (0x8000, {"i": (6, 1), "n": (3, 0), "t": (0, 3)}),
    "adds r1, r2, #3": (0x1C00, {"i": (6, 3), "n": (3, 2), "d": (0, 1)}),
    "eors r1, r5": (0x4000, {"OP": (6, 1), "m": (3, 5), "d": (0, 1)}),
    "ldrh r1, [r2, r3]": (0x5000, {"OP": (9, 5), "m": (6, 3), "n": (3, 2), "t": (0, 1)}),
}


@pytest.mark.parametrize("asm", CARD)
def test_the_card_says_what_our_encoder_does(asm: str) -> None:
    base, fields = CARD[asm]
    word = base
    for low, value in fields.values():
        word |= value << low
    assert int.from_bytes(encode(asm), "little") == word
    text = card("cortex-m4f")
    assert f"{base:04x}" in text
    for name, (low, _) in fields.items():
        assert f"|{name}<<{low}" in text if low else f"|{name}" in text


def test_a_small_core_is_not_told_what_it_lacks() -> None:
    assert "cbz" in card("cortex-m4f")
    for absent in ("cbz", "movw", "str.w"):
        assert absent not in card("cortex-m0")


def test_a_board_that_the_embedded_model_cannot_serve_has_no_examples() -> None:
    from dataclasses import replace

    bare = replace(BOARD, parts={}, words={}, console=None)
    assert example(bare, BLINK) == ""
    needs = needs_of("blink PA5", pipeline.read("blink PA5 at 2 Hz", BOARD).contract, bare)
    assert "GPIOA" in system_prompt(bare, needs)
