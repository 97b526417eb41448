"""Which encodings of the core are held against QEMU, and where.

An encoding is a form of the table in ``fwgen.thumb``: ``add Rd, Rn, #imm3`` is one, ``add.w`` with
a shifted register another.
"""

from __future__ import annotations

from functools import cache
from random import Random
from typing import TYPE_CHECKING

from fwgen.thumb import decode_all
from fwgen.thumb.forms import Form, all_forms, recognise

from .draw import draw_program
from .scene import END_QEMU, image_of
from .scripts import Script
from .structured import draw_structured
from .test_instructions import ROOMS, fixed_point, instances
from .test_scenes import FAULTS, FRAMES, SUBTLE, WHOLE

if TYPE_CHECKING:
    from collections.abc import Iterator

FEATURES = frozenset(("v7m", "dsp", "fp"))  # of a Cortex-M4F
PLACES = ("by itself", "in runs", "in flow", "in scenes")
CLASSES = {
    "data processing": ("alu",),
    "multiply and divide": ("mul", "mla", "mull", "mlal", "divide"),
    "DSP": (),  # of any cost: what a core without DSP lacks
    "load and store": (
        "load", "store", "store-reg", "load-double", "store-double", "load-multiple",
        "store-multiple",
    ),
    "exclusive": ("load-exclusive", "store-exclusive"),
    "branch, IT, table branch": ("branch", "it", "table-branch"),
    "floating point": ("fp-alu", "fp-mla", "fp-divide", "fp-sqrt", "fp-move-two"),
    "floating-point load and store": (
        "fp-load", "fp-store", "fp-load-double", "fp-store-double", "fp-multiple",
    ),
    "system, barriers": ("system", "barrier"),
    "coprocessor (none is there)": ("coprocessor",),
}  # fmt: skip


def forms_of_core() -> tuple[Form, ...]:
    """Every encoding that a Cortex-M4F has."""
    return tuple(form for form in all_forms() if form.needs <= FEATURES)


def class_of(form: Form) -> str:
    """The class that an encoding is counted in."""
    if "dsp" in form.needs:
        return "DSP"
    return next(name for name, costs in CLASSES.items() if form.cost in costs)


def _drawn() -> Iterator[tuple[str, bytes]]:
    for kinds in ROOMS.values():
        yield from (("by itself", program.code) for program in instances(kinds, 2, 1))
    yield from (("by itself", program.code) for program in fixed_point(0))
    yield from (("in runs", draw_program(Random(seed), 24).code) for seed in range(60))
    yield from (("in flow", draw_structured(Random(seed)).code) for seed in range(100))
    scenes = [source for group in (FAULTS, FRAMES, SUBTLE, WHOLE) for source in group.values()]
    scenes += [Script(Random(seed)).source() for seed in range(24)]
    yield from (("in scenes", image_of(source, END_QEMU)[0x100:]) for source in scenes)


@cache
def places() -> dict[Form, frozenset[str]]:
    """Where each encoding that is drawn at all is drawn."""
    found: dict[Form, set[str]] = {}
    for place, code in _drawn():
        for one in decode_all(code):
            match = recognise(one.code)
            if match is not None and match.fault is None:
                found.setdefault(match.form, set()).add(place)
    return {form: frozenset(where) for form, where in found.items()}


def rows() -> list[tuple[str, ...]]:
    """The table: a class, how many encodings it has, and how many are drawn in each place."""
    table = []
    for name in CLASSES:
        forms = [form for form in forms_of_core() if class_of(form) == name]
        counts = [sum(place in places().get(form, ()) for form in forms) for place in PLACES]
        covered = sum(form in places() for form in forms)
        table.append((name, *(str(n) for n in (len(forms), *counts, len(forms) - covered))))
    return table
