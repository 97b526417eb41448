"""The answer while it comes, and the JSON in it."""

from __future__ import annotations

import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fwgen.model.remote.answers import json_object, why_no_json
from fwgen.model.remote.scanner import Scanner
from fwgen.model.remote.tokens import count_tokens

from .brain import emission_of

BLINK = json.dumps(emission_of("blink LED at 2 Hz"))


@given(st.lists(st.integers(1, 60), max_size=40))
def test_how_it_is_cut_does_not_matter(cuts: list[int]) -> None:
    scanner, at = Scanner(), 0
    for cut in cuts:
        assert scanner.feed(BLINK[at : at + cut]) is None
        at += cut
    assert scanner.feed(BLINK[at:]) is None
    whole = json.loads(BLINK)
    lines = [line for unit in whole["units"] for line in unit["lines"]]
    assert (scanner.units, scanner.lines) == (len(whole["units"]), len(lines))
    assert scanner.code_bytes == 42
    assert scanner.complete


def test_it_is_linear_in_the_answer() -> None:
    def taken(count: int) -> float:
        lines = [f"movs r0, #{n % 256} ; 20{n % 256:02x}" for n in range(count)]
        text = json.dumps({"plan": "", "units": [{"lines": lines}], "vectors": []})
        best = 9.0
        for _ in range(3):
            scanner, began = Scanner(), time.process_time()
            for at in range(0, len(text), 4):
                assert scanner.feed(text[at : at + 4]) is None
            best = min(best, time.process_time() - began)
        return best

    assert taken(8000) < 4 * 4 * taken(2000)  # quadratic would be sixteen times and more


def test_a_fence_and_a_greeting_do_not_count() -> None:
    scanner = Scanner()
    scanner.feed('Here "it" is [1, 2]:\n```json\n' + BLINK + "\n```\n")
    assert scanner.complete
    assert scanner.units == 4


@pytest.mark.parametrize(
    "text",
    [BLINK, f"```json\n{BLINK}\n```", f"Sure! {{here}} it is:\n{BLINK}\nGood luck {{}}",
     f"```\n{BLINK}\n```\nand ```c\nint main() {{ }}\n```"],
)  # fmt: skip
def test_the_object_is_found_wherever_it_stands(text: str) -> None:
    found = json_object(text)
    assert found is not None
    assert json.loads(found) == json.loads(BLINK)


@pytest.mark.parametrize(
    ("text", "why"),
    [("", "no JSON object"), ("I cannot", "no JSON object"), (BLINK[:200], "not JSON"),
     ("[1, 2]", "no JSON object"), ("{" * 5000, "not JSON")],
)  # fmt: skip
def test_where_there_is_none_it_is_said_why(text: str, why: str) -> None:
    assert json_object(text) is None
    assert why in why_no_json(text)


def test_tokens_are_counted_on_the_safe_side() -> None:
    # Counted with o200k_base: the emission of shared knowledge, 784 of 1656 characters.
    assert count_tokens("") == 0
    assert count_tokens("hello world") == 2
    assert count_tokens("ldr r0, k_rcc ; 4800 ; PC8 k_rcc") in range(15, 25)
