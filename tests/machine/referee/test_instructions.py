"""Straight-line code drawn from the table of forms does here what it does in QEMU."""

from __future__ import annotations

from random import Random

import pytest

from fwgen.thumb.forms import all_forms

from .bench import Program, State, needs_qemu
from .compare import assert_alike, drawn
from .draw import CORNERS, draw_float, draw_program, draw_state, draw_value, straight_forms

pytestmark = needs_qemu

ROOMS = {
    "data": ("alu",),
    "multiply": ("mul", "mla", "mull", "mlal", "divide"),
    "memory": (
        "load", "store", "store-reg", "load-double", "store-double", "load-multiple",
        "store-multiple", "load-exclusive", "store-exclusive",
    ),
    "floating-point": ("fp-alu", "fp-mla", "fp-divide", "fp-sqrt", "fp-move-two"),
    "floating-point memory": (
        "fp-load", "fp-store", "fp-load-double", "fp-store-double", "fp-multiple",
    ),
}  # fmt: skip


@pytest.mark.parametrize("room", ROOMS)
def test_single_instructions_and_it_blocks_agree(room: str) -> None:
    kinds = ROOMS[room]
    assert_alike(drawn(lambda seed: draw_program(Random(f"{room} {seed}"), 1, kinds), 500))


def test_runs_of_mixed_instructions_agree() -> None:
    assert_alike(drawn(lambda seed: draw_program(Random(seed), 24), 120))


def test_every_straight_form_is_drawn() -> None:
    forms = {form for found in straight_forms().values() for form in found}
    rooms = {kind for kinds in ROOMS.values() for kind in kinds}
    assert rooms | {"barrier"} == set(straight_forms())
    assert len(forms) > 300
