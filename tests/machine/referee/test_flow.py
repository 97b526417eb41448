"""Loops, calls, branches and tables end here as they end in QEMU, skipped loops included."""

from __future__ import annotations

from random import Random

from .bench import needs_qemu, on_machine
from .compare import assert_alike, drawn
from .structured import draw_structured

pytestmark = needs_qemu


def test_structured_programs_agree() -> None:
    assert_alike(drawn(lambda seed: draw_structured(Random(seed)), 150))


def test_without_skipping_loops_they_end_alike() -> None:
    programs = drawn(lambda seed: draw_structured(Random(f"plain {seed}")), 40)
    assert on_machine(programs) == on_machine(programs, accelerate=False)
