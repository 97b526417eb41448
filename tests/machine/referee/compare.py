"""Both benches on the same programs; a disagreement is cut down and shown as people read code."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING

from fwgen.thumb import decode_all, manual

from .bench import State, on_machine, on_qemu

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from .bench import Outcome, Program

RUNS = int(os.environ.get("FWGEN_REFEREE_RUNS", "1"))  # how many times the default effort


def disagreeing(programs: Sequence[Program]) -> list[tuple[Program, Outcome, Outcome]]:
    """The programs that leave something else here than in QEMU: (program, ours, QEMU's)."""
    pairs = zip(programs, on_machine(programs), on_qemu(programs), strict=True)
    return [(program, ours, theirs) for program, ours, theirs in pairs if ours != theirs]


def shrink(program: Program) -> tuple[Program, Outcome, Outcome] | None:
    """The least of a disagreeing program that still disagrees, from a plainer state too.

    None when it agrees when run alone: then one before it left something behind.
    """
    best = next(iter(disagreeing([program])), None)
    while best is not None:
        whole = best[0]
        less = [
            replace(whole, units=whole.units[:n] + whole.units[n + size :])
            for size in (len(whole.units) // 2, len(whole.units) // 4, 1)
            if size
            for n in range(0, len(whole.units) - size + 1, size)
            if size < len(whole.units)
        ]
        start = whole.start
        plainer = [
            replace(start, r=State().r),
            replace(start, s=State().s),
            *(replace(start, r=(*start.r[:n], 0, *start.r[n + 1 :])) for n in range(13)),
            *(replace(start, s=(*start.s[:n], 0, *start.s[n + 1 :])) for n in range(32)),
            *(replace(start, **{name: 0}) for name in ("lr", "apsr", "fpscr")),
        ]
        less += [replace(whole, start=state) for state in plainer if state != start]
        best, found = next(iter(disagreeing(less)), None), best
        if best is None:
            return found
    return None


def told(program: Program, ours: Outcome, theirs: Outcome) -> str:
    """A disagreement: where from, the code, what was left (here != in QEMU)."""
    start = program.start
    given = [f"r{n} = {value:#x}" for n, value in enumerate(start.r) if value]
    given += [f"s{n} = {value:#x}" for n, value in enumerate(start.s) if value]
    given += [
        f"{name} = {getattr(start, name):#x}"
        for name in ("lr", "apsr", "fpscr")
        if getattr(start, name) != getattr(State(), name)
    ]
    code = [f"    {manual(d.code):<10} {d.text}" for d in decode_all(program.code)]
    left = [f"    {line}" for line in ours.differences(theirs)]
    return "\n".join([f"from {', '.join(given)}", *code, "  here != QEMU", *left])


def assert_alike(programs: Sequence[Program]) -> None:
    """Every program leaves the same here as in QEMU."""
    wrong = disagreeing(programs)
    if not wrong:
        return
    shown = []
    for program, ours, theirs in wrong[:3]:
        shown.append(told(*(shrink(program) or (program, ours, theirs))))
    text = "\n\n".join(shown)
    raise AssertionError(f"{len(wrong)} of {len(programs)} programs disagree\n\n{text}")


def drawn(make: Callable[[int], Program], count: int) -> list[Program]:
    """``count`` programs, times FWGEN_REFEREE_RUNS, each from its own seed."""
    return [make(seed) for seed in range(count * RUNS)]
