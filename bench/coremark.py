"""CoreMark in the machine: iterations a second and MHz, by optimisation and flash wait states.

    uv run python bench/coremark.py --source FOLDER [--iterations 5]

``FOLDER`` is a checkout of github.com/eembc/coremark (or name it in COREMARK); it is not part of
this repository. Needs arm-none-eabi-gcc. Where either is missing it says so, and is no failure.
What CoreMark itself checks (its CRCs) must hold: else the exit code is 1. What compilers make of
CoreMark differs by a third, so that a figure says something only beside one of the same compiler
and options on silicon.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import tools

from fwgen.board import load_board
from fwgen.image.load import load_image
from fwgen.machine import Machine

PORT = tools.C / "coremark"
SOURCES = ("core_list_join.c", "core_main.c", "core_matrix.c", "core_state.c", "core_util.c")
OPTIONS = ("-O2", "-O3", "-O3 -funroll-loops")
# FLASH_ACR: LATENCY, and prefetch and both caches (RM0368 §3.8.1).
FLASH = {"0, plain": 0x000, "2, plain": 0x002, "2, prefetch and caches": 0x702}
CYCLES, ERRORS, DONE = 0x2001_7000, 0x2001_7004, 0x2001_7008
STEP_PS, STEPS = 50 * 10**9, 400
HEAD = ("options", "wait states", "cycles an iteration", "CoreMark/MHz")


def built(source: Path, folder: Path, options: str, acr: int, iterations: int) -> Path:
    """CoreMark and our port of it, compiled and linked."""
    out = folder / "coremark.elf"
    files = [str(source / name) for name in SOURCES]
    command = [
        tools.GCC, "-mcpu=cortex-m4", "-mthumb", "-ffreestanding", "-nostdlib", "-nostartfiles",
        *options.split(), f"-DITERATIONS={iterations}", f"-DACR={acr}", "-DPERFORMANCE_RUN=1",
        f"-I{source}", f"-I{PORT}", f"-Wl,-T,{PORT / 'link.ld'}", "-o", str(out), *files,
        str(PORT / "core_portme.c"), "-lgcc",
    ]  # fmt: skip
    subprocess.run(command, check=True)
    return out


def cycles(image: Path, iterations: int) -> int | None:
    """Cycles of one iteration; None when CoreMark's own checks failed, or it never ended."""
    board = load_board("nucleo-f401")
    with Machine(board) as machine:
        machine.load(load_image(image, board))
        memory = machine.core.memory
        for n in range(1, STEPS):
            machine.advance(n * STEP_PS)
            if memory.word(DONE) == 1:
                spent = memory.word(CYCLES)
                return None if memory.word(ERRORS) or not spent else spent // iterations
    return None


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--source", type=Path, default=os.environ.get("COREMARK"))
    options.add_argument("--iterations", type=int, default=5)
    chosen = options.parse_args()
    if tools.compiler() is None or chosen.source is None or not chosen.source.is_dir():
        print(f"needs {tools.GCC} and a checkout of github.com/eembc/coremark (--source)")
        return 0
    rows, good = [], True
    with tempfile.TemporaryDirectory() as name:
        for flags in OPTIONS:
            for states, acr in FLASH.items():
                image = built(chosen.source.resolve(), Path(name), flags, acr, chosen.iterations)
                spent = cycles(image, chosen.iterations)
                good &= spent is not None
                mark = f"{1e6 / spent:.2f}" if spent else "its checks fail"
                rows.append((flags, states, str(spent), mark))
    print(tools.table(HEAD, rows))
    print(f"\n{tools.compiler()}; fwgen {tools.version()}")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
