"""What a model is told when it was wrong."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from fwgen import pipeline
from fwgen.image.link import link
from fwgen.image.problems import UnsoundEmissionError
from fwgen.image.wire import parse_emission
from fwgen.model.protocol import Feedback
from fwgen.model.remote.emissions import merge
from fwgen.model.remote.evidence import evidence

from .brain import BOARD, contract_of, emission_of, line, replaced

if TYPE_CHECKING:
    from collections.abc import Callable

    from .brain import Emission

BLINK = "blink LED at 2 Hz"
SPEAK = 'print "hi" every second'


def told(prompt: str, *damages: Callable[[Emission], Emission]) -> str:
    """The evidence against an emission that was damaged."""
    data = emission_of(prompt)
    for damage in damages:
        data = damage(data)
    emission = parse_emission(json.dumps(data))
    try:
        image = link(emission, BOARD)
    except UnsoundEmissionError as error:
        return evidence(Feedback(emission, ("x",), unsound=error.problems), BOARD)
    contract = contract_of(prompt)
    proof = pipeline.prove(image, BOARD, contract)
    assert not proof.passed
    from fwgen.machine.machine import Machine

    first = proof.verdict.first_departure
    at_ps = min(first.t_ps if first else 0, proof.trace.span_ps)
    look = Machine(BOARD).look(image, contract.stimuli, at_ps)
    return evidence(Feedback(emission, ("x",), (), image, proof.trace, proof.verdict, look), BOARD)


def test_a_slip_is_told_with_what_it_is_and_what_it_should_be() -> None:
    said = told(BLINK, line("reset", 1, "movs r1, #1 ; 2102"))
    assert "unit reset line 2: 'movs r1, #1' is 2101, but the bytes 2102 are movs r1, #2" in said


def test_many_slips_are_counted() -> None:
    damages = [line("reset", n, f"movs r{n % 8}, #1 ; ffff") for n in range(20)]
    said = told(BLINK, *damages)
    assert "- and 9 more" in said  # and "idle", which was the label of one of them
    assert said.count("\n- ") == 13


def test_a_line_that_links_to_nothing_is_quoted() -> None:
    right = "ldr r2, k_gpioa ; 4a00 ; PC8 k_gpioa"
    said = told(BLINK, replaced(right, right.replace("gpioa", "gpio")))
    assert "'ldr r2, k_gpio'" in said
    assert "did you mean k_gpioa" in said


def test_a_departure_is_told_with_what_was_around_it() -> None:
    said = told(SPEAK, replaced("68 69 0d 0a 00", "68 6f 0d 0a 00"))
    assert "asked: " in said
    assert "First departure at" in said
    assert "says b'ho" in said
    assert "slept" in said
    assert "the core is asleep at 0x" in said
    assert " >" in said  # the line where it is
    assert "USART2_BRR=0x8b" in said
    assert len(said) < 3000


def test_silence_is_told() -> None:
    said = told(BLINK, replaced('"str r1, [r7, #0] ; 6039', '"nop ; bf00'))
    assert "GPIOA_MODER" in said
    assert "TIM2_CR1" not in said.partition("not as after reset")[2]


def test_a_hazard_is_told_once_with_its_cure_and_its_line() -> None:
    said = told(BLINK, replaced("str r1, [r0, #64] ; 6401", "nop ; bf00"))
    assert said.count("HAZARD clock-off") == 1
    assert "cure: " in said
    assert "[r7, #" in said.partition("HAZARD")[2]


def test_a_fault_is_told_as_a_debugger_does() -> None:
    said = told(BLINK, replaced("str r1, [r7, #0] ; 6039", "udf #0 ; de00"))
    assert "FAULT at" in said
    assert "udf" in said


STANDING = {
    "plan": "p",
    "units": [
        {"label": "a", "kind": "code", "lines": ["nop ; bf00"]},
        {"label": "b", "kind": "words", "lines": ["1"]},
    ],
    "vectors": ["Reset=a"],
}


def test_changed_units_take_the_place_of_the_old_ones() -> None:
    new = {"label": "a", "kind": "code", "lines": ["wfi ; bf30"]}
    more = {"label": "c", "kind": "words", "lines": ["2"]}
    merged = merge(STANDING, {"plan": "q", "units": [more, new], "vectors": []})
    assert [unit["label"] for unit in merged["units"]] == ["a", "b", "c"]
    assert merged["units"][0] == new
    assert merged["vectors"] == ["Reset=a"]
    assert merged["plan"] == "q"
    assert STANDING["units"][0]["lines"] == ["nop ; bf00"]  # type: ignore[index]


def test_a_unit_without_lines_is_taken_out() -> None:
    gone = {"label": "b", "kind": "words", "lines": []}
    merged = merge(STANDING, {"plan": "", "units": [gone], "vectors": ["Reset=a"]})
    assert [unit["label"] for unit in merged["units"]] == ["a"]


@pytest.mark.parametrize("units", [None, 3, "x", [3], [{"label": 3}], [{}], [None]])
def test_what_is_no_unit_is_left_to_the_reader_of_emissions(units: object) -> None:
    merged = merge(STANDING, {"plan": "", "units": units, "vectors": []})
    with pytest.raises(UnsoundEmissionError):
        parse_emission(json.dumps(merged))
