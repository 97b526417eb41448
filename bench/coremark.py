"""CoreMark in the machine: iterations a second and MHz, by optimisation and flash wait states.

    uv run python bench/coremark.py --source FOLDER [--iterations 5]

``FOLDER`` is a checkout of github.com/eembc/coremark (or name it in COREMARK); it is not part of
this repository. Needs arm-none-eabi-gcc. Where either is missing it says so, and is no failure.
What CoreMark itself checks (its CRCs) must hold, and what is published for the same options must
lie between the least and the most cycles that the manuals allow: else the exit code is 1. What
compilers make of CoreMark differs by a third, so that a figure says something only beside one of
the same compiler and options on silicon.
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
from fwgen.thumb.cycles import PACES, Pace

PORT = tools.C / "coremark"
SOURCES = ("core_list_join.c", "core_main.c", "core_matrix.c", "core_state.c", "core_util.c")
OPTIONS = ("-O2", "-O3", "-O3 -funroll-loops")
# FLASH_ACR: LATENCY, and prefetch and both caches (RM0368 §3.8.1).
FLASH = {"0, plain": 0x000, "2, plain": 0x002, "2, prefetch and caches": 0x702}
CYCLES, ERRORS, DONE = 0x2001_7000, 0x2001_7004, 0x2001_7008
STEP_PS, STEPS = 50 * 10**9, 400
# Analog Devices' MSDK, Examples/MAX32690/Coremark: README.md has 348.0 at 120 MHz (a Cortex-M4F,
# instruction cache on), by gcc 10.3.1 with these options (project.mk).
PUBLISHED = {
    "as the MSDK's": (
        "-O2 -funroll-all-loops -fgcse-sm -fgcse-las -finline-functions -finline-limit=1000 "
        "-mfloat-abi=soft",
        348.005325 / 120,
    )
}
HEAD = ("options", "wait states", *PACES, "published")


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


def cycles(image: Path, iterations: int, pace: Pace) -> int | None:
    """Cycles of one iteration; None when CoreMark's own checks failed, or it never ended."""
    board = load_board("nucleo-f401")
    with Machine(board, pace=pace) as machine:
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
                spent = [cycles(image, chosen.iterations, pace) for pace in PACES]
                marks = [1e6 / each if each else 0.0 for each in spent]
                good &= all(marks)
                shown = [f"{mark:.2f}" if mark else "its checks fail" for mark in marks]
                rows.append((flags, states, *shown, ""))
        for label, (flags, record) in PUBLISHED.items():
            image = built(chosen.source.resolve(), Path(name), flags, 0, chosen.iterations)
            marks = [1e6 / (cycles(image, chosen.iterations, p) or 10**9) for p in PACES]
            good &= marks[2] <= record <= marks[0]
            shown = [f"{mark:.2f}" for mark in marks]
            rows.append((label, "0, plain", *shown, f"{record:.2f}"))
    print("CoreMark/MHz by the cycle counts taken\n")
    print(tools.table(HEAD, rows))
    print(f"\n{tools.compiler()}; fwgen {tools.version()}")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
