"""Embench in the machine beside what it took on an STM32F407.

    uv run python bench/embench.py --source FOLDER

``FOLDER`` is a checkout of github.com/embench/embench-iot at the tag embench-0.5 (or name it in
EMBENCH); it is not part of this repository. Needs arm-none-eabi-gcc with newlib. Where either is
missing it says so, and is no failure. What a program itself checks must hold: else the exit code
is 1. The programs that compute in software floating point or need a heap are left out: what they
take is the C library's.
"""

from __future__ import annotations

import argparse
import math
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

# Milliseconds at 16 MHz on an STM32F407VG, flash as after reset (no wait states, no caches), by
# gcc 9.2.0 -O2: github.com/embench/embench-iot-results, results/cortexm4-armv7m-gcc-9.2-o2.json.
# A program repeats itself as often as its processor has MHz; here it runs for 1 MHz's worth.
RECORD_MS = {
    "aha-mont64": 4004, "crc32": 4010, "edn": 4010, "huffbench": 4120, "matmult-int": 3985,
    "nettle-aes": 4026, "nettle-sha256": 3997, "nsichneu": 4001, "picojpeg": 4030,
    "qrduino": 4253, "sglib-combined": 3981, "slre": 4010, "statemate": 4001, "ud": 3999,
}  # fmt: skip
CYCLES_A_MS = 1000
PORT = tools.C / "embench" / "board.c"
LINK = tools.C / "coremark" / "link.ld"
CYCLES, RETURNED, DONE = 0x2001_7000, 0x2001_7004, 0x2001_7008
STEP_PS, STEPS = 10**11, 40
HEAD = ("program", "silicon, cycles", *PACES)


def built(source: Path, folder: Path, name: str) -> Path:
    """One program and our board, compiled and linked."""
    out = folder / f"{name}.elf"
    command = [
        tools.GCC, "-mcpu=cortex-m4", "-mthumb", "-mfloat-abi=soft", "-O2", "-ffunction-sections",
        "-w", "-nostartfiles", "-specs=nosys.specs", "-Wl,--gc-sections", f"-Wl,-T,{LINK}",
        "-DCPU_MHZ=1", "-DWARMUP_HEAT=1", f"-I{source / 'support'}", f"-I{folder}",
        *map(str, sorted((source / "src" / name).glob("*.c"))),
        *(str(source / "support" / file) for file in ("main.c", "beebsc.c")),
        str(PORT), "-o", str(out),
    ]  # fmt: skip
    subprocess.run(command, check=True, stderr=subprocess.DEVNULL)
    return out


def cycles(image: Path, pace: Pace) -> int | None:
    """Cycles of the program; None when its own check failed, or it never ended."""
    board = load_board("nucleo-f401")
    with Machine(board, pace=pace) as machine:
        machine.load(load_image(image, board))
        memory = machine.core.memory
        for n in range(1, STEPS):
            machine.advance(n * STEP_PS)
            if memory.word(DONE) == 1:
                return memory.word(CYCLES) if memory.word(RETURNED) == 0 else None
    return None


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--source", type=Path, default=os.environ.get("EMBENCH"))
    source = options.parse_args().source
    if tools.compiler() is None or source is None or not Path(source).is_dir():
        print(f"needs {tools.GCC} and a checkout of github.com/embench/embench-iot (--source)")
        return 0
    rows, logs, good = [], [], True
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        (folder / "boardsupport.h").write_text("")
        for name, took_ms in RECORD_MS.items():
            silicon = took_ms * CYCLES_A_MS
            image = built(Path(source).resolve(), folder, name)
            spent = [cycles(image, pace) for pace in PACES]
            good &= all(spent)
            ratios = [each / silicon if each else math.nan for each in spent]
            logs.append([math.log(ratio) for ratio in ratios])
            rows.append((name, str(silicon), *(f"{ratio:.3f}" for ratio in ratios)))
    means = [math.exp(sum(each) / len(each)) for each in zip(*logs, strict=True)]
    rows.append(("geometric mean", "", *(f"{mean:.3f}" for mean in means)))
    print("Cycles in the machine, as a share of silicon's, by the cycle counts taken\n")
    print(tools.table(HEAD, rows))
    print(f"\n{tools.compiler()}, silicon's by gcc 9.2.0; fwgen {tools.version()}")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
