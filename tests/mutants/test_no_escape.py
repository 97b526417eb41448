"""A sample of the mutants of bench/mutants.py: none departs visibly and passes all the same."""

from __future__ import annotations

import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pytest

from fwgen.board import load_board

PATH = Path(__file__).parents[2] / "bench" / "mutants.py"
BOARD = load_board("nucleo-f401")


@pytest.fixture(scope="module")
def mutants():
    spec = spec_from_file_location("fwgen_bench_mutants", PATH)
    module = module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    "prompt", ["blink LED at 2Hz", "turn on the LED", "LED follows the button"]
)
def test_a_mutant_fails_or_does_the_same(mutants, prompt):
    score = mutants.examine(prompt, BOARD, 4, 4, "tests")
    assert not score.escapes
    assert score.counts["fail"] > score.counts.total() // 2, "mutants that change nothing"


def test_a_difference_is_seen(mutants):
    same = mutants.Seen({"PA5": [(0, 0), (10**12, 1)]}, {}, [], 0)
    late = mutants.Seen({"PA5": [(0, 0), (11 * 10**11, 1)]}, {}, [], 0)
    assert not mutants.difference(same, same, 10**13)
    assert "instead of" in mutants.difference(same, late, 10**13)
    assert "Fault" in mutants.difference(same, mutants.Seen({}, {}, ["Fault: x"], 0), 10**13)
