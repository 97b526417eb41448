"""Firmware that does the tasks: references in C for what the embedded model does not understand.

Each ``references/<task>.c`` passes the task's contract; the same built with -DMISS does it almost,
and fails. They are compiled where arm-none-eabi-gcc is installed.
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

from fwgen.image.load import load_image

if TYPE_CHECKING:
    from fwgen.board.types import Board
    from fwgen.image.types import Image

HERE = Path(__file__).parent / "references"
HEADERS = Path(__file__).parents[2] / "bench" / "c"
GCC = "arm-none-eabi-gcc"
FLAGS = (
    "-mcpu=cortex-m4", "-mthumb", "-std=c11", "-O2", "-Wall", "-Wextra", "-Werror",
    "-Wno-unused-function", "-ffreestanding", "-fno-tree-loop-distribute-patterns", "-nostdlib",
    "-nostartfiles", "-ffunction-sections", "-fdata-sections", "-Wl,--gc-sections",
    "-Wl,--fatal-warnings", f"-I{HEADERS}", f"-Wl,-T,{HEADERS / 'link.ld'}",
)  # fmt: skip

HAS_GCC = shutil.which(GCC) is not None


def names() -> list[str]:
    """The tasks that have a reference."""
    return sorted(path.stem for path in HERE.glob("*.c"))


def build(name: str, folder: Path, board: Board, *, miss: bool = False) -> Image:
    """Compile a reference, or its near miss."""
    out = folder / f"{name}{'-miss' if miss else ''}.elf"
    options = ["-DMISS"] if miss else []
    subprocess.run(
        [GCC, *FLAGS, *options, "-o", str(out), str(HERE / f"{name}.c")], check=True, timeout=60
    )
    return load_image(out, board)
