"""Loops, calls, branches and tables end here as they end in QEMU, skipped loops included."""

from __future__ import annotations

from dataclasses import replace
from random import Random
from typing import TYPE_CHECKING

import pytest

from .bench import STACK, WINDOW, needs_qemu, on_machine, on_qemu
from .compare import assert_alike, drawn, told
from .draw import draw_program
from .structured import draw_structured

if TYPE_CHECKING:
    from collections.abc import Callable

    from .bench import Program

pytestmark = needs_qemu


def test_structured_programs_agree() -> None:
    assert_alike(drawn(lambda seed: draw_structured(Random(seed)), 100))


def test_without_skipping_loops_they_end_alike() -> None:
    programs = drawn(lambda seed: draw_structured(Random(f"plain {seed}")), 40)
    assert on_machine(programs) == on_machine(programs, accelerate=False)


# What lies below the stack pointer does not outlive an interrupt: these programs keep off it.
_REGISTERS_ONLY = ("alu", "mul", "mla", "divide", "fp-alu", "fp-mla", "fp-sqrt", "fp-move-two")


def _structured(seed: str) -> Program:
    return draw_structured(Random(seed))


def _straight(seed: str) -> Program:
    return draw_program(Random(seed), 40, _REGISTERS_ONLY)


@pytest.mark.parametrize("draw", [_structured, _straight])
@pytest.mark.parametrize("reload", [150, 211, 1009])
def test_interrupted_anywhere_they_end_alike(draw: Callable[[str], Program], reload: int) -> None:
    """An interrupt keeps all that a program can see."""
    programs = drawn(lambda seed: draw(f"{reload} {seed}"), 20)
    below = STACK - WINDOW
    ours = on_machine(programs, reload=reload)
    theirs = on_qemu(programs)
    for program, mine, other in zip(programs, ours, theirs, strict=True):
        left = replace(mine, window=bytes(below) + mine.window[below:])
        right = replace(other, window=bytes(below) + other.window[below:])
        assert left == right, told(program, left, right)
