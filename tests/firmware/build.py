"""Compiles the programs beside this file with gcc, where it is installed."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

HERE = Path(__file__).resolve().parent
PROGRAMS = HERE / "programs"
GCC = "arm-none-eabi-gcc"
FLAGS = (
    "-mcpu=cortex-m4", "-mthumb", "-mfloat-abi=hard", "-mfpu=fpv4-sp-d16", "-std=gnu11",
    "-Wall", "-Wextra", "-Werror", "-Wno-override-init", "-ffreestanding", "-g",
    "-nostdlib", "-nostartfiles",
    f"-I{HERE / 'c'}", "-Wl,--fatal-warnings", f"-Wl,-T,{HERE / 'c' / 'link.ld'}",
)  # fmt: skip


def installed() -> bool:
    """Whether the compiler is there."""
    return shutil.which(GCC) is not None


def compile_firmware(name: str, options: tuple[str, ...], out: Path) -> Path:
    """Build one program to the ELF ``out``; ``options`` are "-Os", "-DLATENCY=0" and such."""
    sources = [PROGRAMS / f"{name}.c", HERE / "c" / "startup.c"]
    command = [GCC, *FLAGS, *options, "-o", str(out), *map(str, sources), "-lgcc"]
    told = subprocess.run(command, check=False, capture_output=True, text=True)
    assert told.returncode == 0, told.stderr
    return out
