"""The machine's core against QEMU's, with ever new programs, for as long as one likes.

    uv run python bench/referee.py --minutes 60 [--seed 0] [--only instructions|runs|it|flow|...]
    uv run python bench/referee.py --write          # the table of docs/referee.md

Every encoding by itself from corner states, mixed runs, IT blocks, loops and calls, scripts of
exceptions, regions of the MPU: each round draws what no round before drew. A disagreement is cut
down and told as it is found; the exit code is 1 then. Needs qemu-system-arm.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

import tools  # noqa: E402

from tests.machine.referee import coverage, test_mpu  # noqa: E402
from tests.machine.referee.bench import Program  # noqa: E402
from tests.machine.referee.compare import disagreeing, shrink, told  # noqa: E402
from tests.machine.referee.draw import (  # noqa: E402
    draw_it,
    draw_of,
    draw_program,
    draw_state,
    straight_forms,
)  # fmt: skip
from tests.machine.referee.scene import assert_same_scene  # noqa: E402
from tests.machine.referee.scripts import Script  # noqa: E402
from tests.machine.referee.structured import draw_structured  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Callable

HEAD = ("class", "encodings", *coverage.PLACES, "left out")


def _alone(rng: Random) -> list[Program]:
    forms = [form for kind in straight_forms().values() for form in kind]
    codes = [draw_of(form, rng) for form in forms]
    return [Program(draw_state(rng), (code,)) for code in codes if code is not None for _ in "ab"]


def _runs(rng: Random) -> list[Program]:
    return [draw_program(rng, 24) for _ in range(60)]


def _it(rng: Random) -> list[Program]:
    return [Program(draw_state(rng), (draw_it(rng),)) for _ in range(200)]


def _flow(rng: Random) -> list[Program]:
    return [draw_structured(rng) for _ in range(80)]


PROGRAMS: dict[str, Callable[[Random], list[Program]]] = {
    "instructions": _alone, "runs": _runs, "it": _it, "flow": _flow,
}  # fmt: skip
SCENES: dict[str, Callable[[Random], str]] = {
    "exceptions": lambda rng: Script(rng).source(),
    "mpu": lambda rng: test_mpu.Script(rng).source(),
}
SCENES_A_ROUND = 12


def compared(kind: str, seed: int) -> tuple[int, list[str]]:
    """How many were compared, and what was found, in words."""
    if kind in PROGRAMS:
        programs = PROGRAMS[kind](Random(f"night {kind} {seed}"))
        wrong = disagreeing(programs)
        return len(programs), [told(*(shrink(one[0]) or one)) for one in wrong[:3]]
    found = []
    for n in range(SCENES_A_ROUND):
        try:
            assert_same_scene(SCENES[kind](Random(f"night {kind} {seed} {n}")))
        except AssertionError as error:
            found.append(f"scene {n}: {error}")
    return SCENES_A_ROUND, found


def main() -> int:
    kinds = (*PROGRAMS, *SCENES)
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--minutes", type=float, default=1.0)
    options.add_argument("--seed", type=int, default=0, help="the first one")
    options.add_argument("--only", choices=kinds)
    options.add_argument("--write", action="store_true", help="renew the table of the page")
    chosen = options.parse_args()
    if chosen.write:
        text = tools.table(HEAD, coverage.rows())
        tools.write("coverage", text, page=tools.BENCH.parent / "docs" / "referee.md")
        print(text)
        return 0
    if tools.qemu() is None:
        print(f"{tools.QEMU} is not installed: nothing to compare with", file=sys.stderr)
        return 0
    until, seed = time.monotonic() + 60 * chosen.minutes, chosen.seed
    counts, wrong = Counter[str](), 0
    while True:
        for kind in (chosen.only,) if chosen.only else kinds:
            count, found = compared(kind, seed)
            counts[kind] += count
            wrong += len(found)
            for text in found:
                print(f"{kind}, --seed {seed}: {text}\n", flush=True)
        seed += 1
        if time.monotonic() >= until:
            break
    print(", ".join(f"{count} {kind}" for kind, count in counts.items()), f"- {wrong} disagree")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
