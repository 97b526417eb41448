"""Straight-line code drawn from the table of forms does here what it does in QEMU."""

from __future__ import annotations

from dataclasses import replace
from random import Random

import pytest

from fwgen.thumb.forms import all_forms

from .bench import Program, needs_qemu
from .compare import RUNS, assert_alike, drawn
from .draw import DEPARTS, draw_it, draw_of, draw_program, draw_state, straight_forms

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


# Instructions that only ever move sp are drawn with the stack's own programs.
_STACK_ONLY = ("push", "pop", "vpush", "vpop", "add {sp,}", "sub {sp,}")


def instances(kinds: tuple[str, ...], each: int, states: int) -> list[Program]:
    programs = []
    for form in (form for kind in kinds for form in straight_forms()[kind]):
        rng = Random(form.texts[0] + str(form.value))
        for _ in range(each):
            code = draw_of(form, rng)
            if code is not None:
                programs += [Program(draw_state(rng), (code,)) for _ in range(states)]
            else:
                assert form.texts[0].startswith(_STACK_ONLY), form
    return programs


@pytest.mark.parametrize("room", ROOMS)
def test_every_form_agrees(room: str) -> None:
    assert_alike(instances(ROOMS[room], 2 * RUNS, 6))


@pytest.mark.parametrize("room", ROOMS)
def test_it_blocks_agree(room: str) -> None:
    def block(seed: int) -> Program:
        rng = Random(f"{room} {seed}")
        return Program(draw_state(rng), (draw_it(rng, ROOMS[room]),))

    assert_alike(drawn(block, 150))


def test_runs_of_mixed_instructions_agree() -> None:
    assert_alike(drawn(lambda seed: draw_program(Random(seed), 24), 60))


def fixed_point(rounding: int) -> list[Program]:
    rng = Random(rounding)
    forms = [form for form in all_forms() if form.texts[0].startswith(DEPARTS)]
    programs = []
    for form in forms * 8:
        code = draw_of(form, rng)
        start = draw_state(rng)
        fpscr = start.fpscr & ~(3 << 22) | rounding << 22
        if code is not None:
            programs.append(Program(replace(start, fpscr=fpscr), (code,)))
    return programs


def test_fixed_point_numbers_become_floats_alike() -> None:
    assert_alike(fixed_point(0))


@pytest.mark.parametrize("rounding", [1, 2, 3])
def test_fixed_point_numbers_round_to_nearest_whatever_fpscr_says(rounding: int) -> None:
    """A7.7.229."""
    assert_alike(fixed_point(rounding))


def test_every_kind_of_instruction_is_drawn_somewhere() -> None:
    rooms = {kind for kinds in ROOMS.values() for kind in kinds}
    assert rooms | {"barrier"} == set(straight_forms())
