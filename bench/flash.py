"""How long flashing takes: erase, program, read back, compare, through pyocd's own code.

    uv run python bench/flash.py [--write] [--rounds 5]

A virtual board in this process behind three probes; imports and the board are there before, as in a
session of tests. Exit code 1 when a bar is missed.
"""

from __future__ import annotations

import argparse
import os
import random
import statistics
import sys
import tempfile
from typing import TYPE_CHECKING

import tools

from fwgen.board import load_board
from fwgen.image.types import Image, Segment
from fwgen.rig.flash import flash_board
from fwgen.virtual import cmsis_dap, stlink
from fwgen.virtual.board import VirtualBoard

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

BOARD = load_board("nucleo-f401")
PROBES: dict[str, Callable[[VirtualBoard], AbstractContextManager[object]]] = {
    "its wires alone": VirtualBoard.plugged,
    "ST-Link": stlink.plugged,
    "CMSIS-DAP": cmsis_dap.plugged,
}
BARS = {64 << 10: 1.0, 1 << 10: 0.2}  # bytes -> wall seconds
HEAD = ("bytes", "probe", "wall, s", "bar, s", "kept")


def image(size: int, seed: int) -> Image:
    """Random bytes behind a vector table that leads to themselves."""
    base = BOARD.chip.flash.base
    top = BOARD.chip.ram.base + BOARD.chip.ram.size
    data = bytearray(random.Random(seed).randbytes(size))
    data[:8] = top.to_bytes(4, "little") + (base + 9).to_bytes(4, "little")
    return Image(segments=(Segment(base, bytes(data)),), entry=base + 9, initial_sp=top)


def once(probe: str, size: int, seed: int) -> float:
    """Wall seconds of one flash of a new board."""
    now = tools.clock("wall")
    with VirtualBoard(BOARD) as board, PROBES[probe](board):
        before = now()
        flash_board(BOARD, image(size, seed), probe=board.uid, clock=board)
        return now() - before


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--write", action="store_true", help="put the table into docs/bench.md")
    options.add_argument("--rounds", type=int, default=5)
    chosen = options.parse_args()
    rows, good = [], True
    with tempfile.TemporaryDirectory() as folder:
        os.environ["FWGEN_DATA"] = os.environ["FWGEN_RUNTIME_DIR"] = folder
        for probe in PROBES:
            once(probe, 1 << 10, 0)  # what is imported on the way
            for size, bar in BARS.items():
                seconds = statistics.median(once(probe, size, n) for n in range(chosen.rounds))
                good &= seconds < bar
                kept = "yes" if seconds < bar else "NO"
                rows.append((str(size), probe, f"{seconds:.2f}", f"< {bar:g}", kept))
    text = (
        f"{tools.table(HEAD, rows)}\n\n"
        f"Medians of {chosen.rounds}. fwgen {tools.version()}; {tools.host()}."
    )
    print(text)
    if chosen.write:
        tools.write("flash", text)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
