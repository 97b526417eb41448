"""Embench in the machine beside what it took on an STM32F407.

    uv run python bench/embench.py --source FOLDER [--gcc arm-none-eabi-gcc]

``FOLDER`` is a checkout of github.com/embench/embench-iot at the tag embench-2.0rc2 or embench-0.5
(or name it in EMBENCH); it is not part of this repository. Needs arm-none-eabi-gcc with newlib;
``--gcc`` names another one, such as the record's own version. Where something is missing it says
so, and is no failure. What a program itself checks must hold: else the exit code is 1. The programs
that compute in software floating point or need a heap of the C library's are left out: what they
take is the C library's. Memory is copied by code of ours, a byte at a time: the records' library
was built for size.
"""

from __future__ import annotations

import argparse
import math
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
    """Milliseconds at 16 MHz on an STM32F407VG; flash as after reset: no wait states, no caches."""

    compiler: str
    options: tuple[str, ...]
    took_ms: dict[str, int]


# A program repeats itself as often as its processor has MHz; here it runs for 1 MHz's worth.
# github.com/embench/embench-iot-results, results/cortexm4-armv7m-gcc-9.2-o2.json
FIRST = Record(
    "gcc 9.2.0", ("-DCPU_MHZ=1",),
    {
        "aha-mont64": 4004, "crc32": 4010, "edn": 4010, "huffbench": 4120, "matmult-int": 3985,
        "nettle-aes": 4026, "nettle-sha256": 3997, "nsichneu": 4001, "picojpeg": 4030,
        "qrduino": 4253, "sglib-combined": 3981, "slre": 4010, "statemate": 4001, "ud": 3999,
    },
)  # fmt: skip
# github.com/embench/embench-iot, baseline-data/speed.json (since July 2024) and
# examples/arm/stm32f4-discovery/README.md
SECOND = Record(
    "gcc 14.1.0", ("-DGLOBAL_SCALE_FACTOR=1", "-fdata-sections"),
    {
        "aha-mont64": 4002, "crc32": 4006, "depthconv": 3842, "edn": 4006, "huffbench": 3993,
        "matmult-int": 4010, "md5sum": 3931, "nettle-aes": 3956, "nettle-sha256": 3998,
        "nsichneu": 4303, "picojpeg": 3915, "qrduino": 3927, "sglib-combined": 4131,
        "slre": 3995, "statemate": 6421, "tarfind": 4005, "ud": 3934, "xgboost": 3528,
    },
)  # fmt: skip
CYCLES_A_MS = 1000
PORT = tools.C / "embench" / "board.c"
LIBRARY = tools.C / "embench" / "library.c"
LINK = tools.C / "coremark" / "link.ld"
MACHINE = ("-mcpu=cortex-m4", "-mthumb", "-mfloat-abi=soft")
CYCLES, RETURNED, DONE = 0x2001_7000, 0x2001_7004, 0x2001_7008
STEP_PS, STEPS = 10**11, 90
HEAD = ("program", "silicon, cycles", *PACES)


def compiled(gcc: str, file: Path, folder: Path, *options: str) -> str:
    """An object of one file."""
    out = folder / f"{file.stem}.o"
    command = [gcc, *MACHINE, "-ffunction-sections", "-w", *options]
    subprocess.run([*command, "-c", str(file), "-o", str(out)], check=True)
    return str(out)


def built(source: Path, folder: Path, name: str, gcc: str, record: Record) -> Path:
    """One program and our board, compiled and linked."""
    out = folder / f"{name}.elf"
    support = source / "support"
    options = (
        "-O2", "-DWARMUP_HEAT=1", *record.options, f"-I{support}", f"-I{folder}"
    )  # fmt: skip
    files = (*sorted((source / "src" / name).glob("*.c")), support / "main.c", support / "beebsc.c")
    objects = [compiled(gcc, file, folder, *options) for file in files]
    small = ("-Os", "-ffreestanding", "-fno-tree-loop-distribute-patterns")
    objects.append(compiled(gcc, LIBRARY, folder, *small))
    command = [
        tools.GCC, *MACHINE, "-O2", "-nostartfiles", "-specs=nosys.specs", "-Wl,--gc-sections",
        f"-Wl,-T,{LINK}", *objects, str(PORT), "-o", str(out),
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
    options.add_argument("--gcc", default=tools.GCC)
    chosen = options.parse_args()
    version, source = tools.compiler(chosen.gcc), chosen.source
    if None in (tools.compiler(), version) or source is None or not Path(source).is_dir():
        print(f"needs {tools.GCC} and a checkout of github.com/embench/embench-iot (--source)")
        return 0
    source = Path(source).resolve()
    record = SECOND if (source / "src" / "tarfind").is_dir() else FIRST
    rows, logs, good = [], [], True
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        (folder / "boardsupport.h").write_text("")
        for name, took_ms in record.took_ms.items():
            silicon = took_ms * CYCLES_A_MS
            image = built(source, folder, name, chosen.gcc, record)
            spent = [cycles(image, pace) for pace in PACES]
            good &= all(spent)
            ratios = [each / silicon if each else math.nan for each in spent]
            logs.append([math.log(ratio) for ratio in ratios])
            rows.append((name, str(silicon), *(f"{ratio:.3f}" for ratio in ratios)))
    means = [math.exp(sum(each) / len(each)) for each in zip(*logs, strict=True)]
    rows.append(("geometric mean", "", *(f"{mean:.3f}" for mean in means)))
    print("Cycles in the machine, as a share of silicon's, by the cycle counts taken\n")
    print(tools.table(HEAD, rows))
    print(f"\n{version}, silicon's by {record.compiler}; fwgen {tools.version()}")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
