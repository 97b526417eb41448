"""Every example of the reference loads, says what it claims, and every kind has one."""

from __future__ import annotations

import re
from pathlib import Path
from typing import get_args

import pytest

from fwgen.board import load_board
from fwgen.contract import Expectation, Stimulus, describe, dump_contract, load_contract
from fwgen.contract.reading import _VERBS

PAGE = Path(__file__).parents[2] / "docs" / "contracts.md"
BOARD = load_board("nucleo-f401")
EXAMPLES = re.findall(r"```toml\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)


@pytest.mark.parametrize("text", EXAMPLES, ids=lambda text: text.split("\n")[1][:30])
def test_an_example_loads_and_is_written_back(text: str) -> None:
    made = load_contract(text, BOARD)
    assert load_contract(dump_contract(made, BOARD), BOARD) == made
    assert all(describe(made, BOARD))


def test_every_kind_has_an_example() -> None:
    made = [load_contract(text, BOARD) for text in EXAMPLES]
    assert {type(e) for c in made for e in c.expectations} == set(get_args(Expectation))
    assert {type(s) for c in made for s in c.stimuli} == set(get_args(Stimulus))
    page = PAGE.read_text(encoding="utf-8")
    assert all(f"`{verb}`" in page for verb in _VERBS)
