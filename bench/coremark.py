"""CoreMark in the machine: iterations a second and MHz, by optimisation and flash wait states.

    uv run python bench/coremark.py --source FOLDER [--iterations 5] [--gcc arm-none-eabi-gcc]

``FOLDER`` is a checkout of github.com/eembc/coremark (or name it in COREMARK); it is not part of
this repository. Needs arm-none-eabi-gcc; ``--gcc`` names another one, such as a record's own
version. Where something is missing it says so, and is no failure. What CoreMark itself checks (its
CRCs) must hold; without ``--gcc``, what is published for the same options must lie between the
least and the most cycles that the manuals allow, too: else the exit code is 1. What compilers make
of CoreMark differs by a third, so that a figure says something only beside one of the same compiler
and options on silicon.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

import tools

from fwgen.board import load_board
from fwgen.image.load import load_image
from fwgen.machine import Machine
from fwgen.thumb.cycles import PACES, Pace


class Record(NamedTuple):
    """What silicon took: whose, what FLASH_ACR is here for the same, CoreMark/MHz, the options."""

    label: str
    acr: int
    mark: float
    options: str


PORT = tools.C / "coremark"
MACHINE = ("-mcpu=cortex-m4", "-mthumb")
SOURCES = ("core_list_join.c", "core_main.c", "core_matrix.c", "core_state.c", "core_util.c")
OPTIONS = ("-O2", "-O3", "-O3 -funroll-loops")
# FLASH_ACR: LATENCY, and prefetch and both caches (RM0368 §3.8.1).
FLASH = {"0": 0x000, "2": 0x002, "2, prefetch and caches": 0x702}
BEYOND = {0x000: "", 0x600: ", caches", 0x700: ", prefetch and caches"}
CYCLES, ERRORS, DONE = 0x2001_7000, 0x2001_7004, 0x2001_7008
STEP_PS, STEPS = 50 * 10**9, 400
# Analog Devices' MSDK, Examples/MAX32690/Coremark: README.md has 348.0 at 120 MHz (a Cortex-M4F,
# instruction cache on), with these options (project.mk).
# github.com/hacklabos/CoremarkPlatform: an STM32L476 at 80 MHz, an STM32F446 and an STM32F427 at
# 180 MHz, each with its wait states, prefetch and both caches; options in each Makefile. The
# STM32L4 has another interface than the STM32F4 (lines of 64 bits, four of which are a line of its
# cache: RM0351 §3.3.4): here all its code is in the cache, as without the prefetch buffer.
PUBLISHED = (
    Record(
        "MAX32690, gcc 10.3.1", 0x000, 348.005325 / 120,
        "-O2 -funroll-all-loops -fgcse-sm -fgcse-las -finline-functions -finline-limit=1000 "
        "-mfloat-abi=soft",
    ),
    Record("STM32L476, gcc 8.2.1 -Og", 0x604, 127.866337 / 80, "-Og"),
    Record("STM32F446, gcc 8.2.1 -Og", 0x705, 261.551874 / 180, "-Og"),
    Record("STM32F427, gcc 5.4.1 -Og", 0x705, 258.331181 / 180, "-Og"),
)  # fmt: skip
HEAD = ("options", "wait states", *PACES, "published")


class Build(NamedTuple):
    """What CoreMark is built by, from where and to where."""

    gcc: str
    source: Path
    folder: Path
    iterations: int

    def made(self, options: str, acr: int) -> Path:
        """CoreMark and our port of it, compiled and linked."""
        out, objects = self.folder / "coremark.elf", []
        for file in (*(self.source / name for name in SOURCES), PORT / "core_portme.c"):
            objects.append(str(self.folder / f"{file.stem}.o"))
            command = [
                self.gcc, *MACHINE, "-ffreestanding", "-ffunction-sections", *options.split(),
                f"-DITERATIONS={self.iterations}", f"-DACR={acr}", "-DPERFORMANCE_RUN=1",
                f"-I{self.source}", f"-I{PORT}", "-c", str(file), "-o", objects[-1],
            ]  # fmt: skip
            subprocess.run(command, check=True)
        linked = [
            tools.GCC, *MACHINE, "-nostdlib", "-nostartfiles", f"-Wl,-T,{PORT / 'link.ld'}",
            "-o", str(out), *objects, "-lgcc",
        ]  # fmt: skip
        subprocess.run(linked, check=True)
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
    options.add_argument("--gcc", default=tools.GCC)
    chosen = options.parse_args()
    version = tools.compiler(chosen.gcc)
    missing = None in (tools.compiler(), version, chosen.source)
    if missing or not Path(chosen.source).is_dir():
        print(f"needs {tools.GCC} and a checkout of github.com/eembc/coremark (--source)")
        return 0
    rows, good = [], True
    with tempfile.TemporaryDirectory() as name:
        source = Path(chosen.source).resolve()
        build = Build(chosen.gcc, source, Path(name), chosen.iterations)

        def marked(flags: str, acr: int) -> list[float]:
            image = build.made(flags, acr)
            spent = [cycles(image, chosen.iterations, pace) for pace in PACES]
            return [1e6 / each if each else 0.0 for each in spent]

        for flags in OPTIONS:
            for states, acr in FLASH.items():
                marks = marked(flags, acr)
                good &= all(marks)
                shown = [f"{mark:.2f}" if mark else "its checks fail" for mark in marks]
                rows.append((flags, states, *shown, ""))
        for record in PUBLISHED:
            marks = marked(record.options, record.acr)
            good &= marks[2] <= record.mark <= marks[0] or chosen.gcc != tools.GCC
            states = f"{record.acr & 15}{BEYOND[record.acr & 0x700]}"
            shown = [f"{mark:.2f}" for mark in marks]
            rows.append((record.label, states, *shown, f"{record.mark:.2f}"))
    print("CoreMark/MHz by the cycle counts taken\n")
    print(tools.table(HEAD, rows))
    print(f"\n{version}; fwgen {tools.version()}")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
