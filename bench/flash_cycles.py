"""Flash cycles on a virtual board while faults strike at random: what held, and what was said.

    uv run python bench/flash_cycles.py [--cycles 200] [--seed 1]

Each cycle flashes one of six images onto the same chip, struck or not by a pulled cable, disturbed
reads, a controller that hangs, a failing supply, another chip, a protected sector. What must hold
after each is in tests/rig/cycles.py; an AssertionError says where it does not.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cycles", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()

    from fwgen.board import load_board
    from tests.rig.cycles import Cycles

    with tempfile.TemporaryDirectory() as folder:
        os.environ["FWGEN_DATA"] = folder
        began = time.perf_counter()
        tally = Cycles(load_board("nucleo-f401"), asked.seed).run(asked.cycles)
        took = time.perf_counter() - began
    print(f"{asked.cycles} cycles, seed {asked.seed}: {took:.0f} s")
    print(f"{tally.flashed} flashed, {tally.refused} ended with an error, all as they must")
    print(f"{tally.wrong_chips} times another chip: never written")
    for title, counts in (("struck", tally.struck), ("said", tally.said)):
        print(f"\n{title}")
        for what, count in sorted(counts.items(), key=lambda item: -item[1]):
            print(f"{count:5}  {what}")


if __name__ == "__main__":
    main()
