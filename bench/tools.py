"""What the benches share: building bench/c with gcc, tables, and docs/bench.md."""

from __future__ import annotations

import os
import platform
import re
import resource
import shutil
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING

import fwgen

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

BENCH = Path(__file__).resolve().parent
C = BENCH / "c"
DOC = BENCH.parent / "docs" / "bench.md"
GCC = "arm-none-eabi-gcc"
QEMU = "qemu-system-arm"
FLAGS = (
    "-mcpu=cortex-m4", "-mthumb", "-std=c11", "-Wall", "-Wextra", "-Werror", "-ffreestanding",
    "-ffunction-sections", "-fdata-sections", "-nostdlib", "-nostartfiles",
    "-Wl,--gc-sections", "-Wl,--fatal-warnings", "-Wl,-T,link.ld",
)  # fmt: skip


def compiler(gcc: str = GCC) -> str | None:
    """The version of arm-none-eabi-gcc, or of another; None where it is not installed."""
    return _first_line(gcc)


def qemu() -> str | None:
    """The version of qemu-system-arm, or None where it is not installed."""
    return _first_line(QEMU)


def _first_line(tool: str) -> str | None:
    if shutil.which(tool) is None:
        return None
    told = subprocess.run([tool, "--version"], capture_output=True, text=True, check=True)
    return re.sub(r"\s*\([^)]*\)", "", told.stdout.splitlines()[0]).strip()


def build(source: Path, folder: Path, *options: str) -> Path:
    """Compile one program of bench/c to an .elf; ``options`` are "-Os", "-DTIMES=3" and such."""
    out = folder / f"{source.stem}{''.join(options)}.elf"
    command = [GCC, *FLAGS, *options, "-o", str(out), str(source)]
    subprocess.run(command, check=True, cwd=C)
    return out


def clock(kind: str) -> Callable[[], float]:
    """What tells the seconds: "wall", or "cpu": of this process and of those it waited for."""
    if kind == "wall":
        return time.perf_counter

    def spent() -> float:
        both = [resource.getrusage(w) for w in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
        return sum(use.ru_utime + use.ru_stime for use in both)

    return spent


def host() -> str:
    """The computer that it runs on, in words."""
    cpu = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.is_file():
        model = re.search(r"^model name\s*:\s*(.+)$", info.read_text(), re.MULTILINE)
        cpu = model[1].strip() if model else cpu
    return f"{cpu}, {os.cpu_count()} cores, {platform.system()}, Python {platform.python_version()}"


def version() -> str:
    """Which state of fwgen is measured: its commit, "+" when files of it differ from that."""
    if shutil.which("git") is None:
        return fwgen.__version__
    told = [
        subprocess.run(["git", *what], capture_output=True, text=True, check=False, cwd=BENCH)
        for what in (
            ("rev-parse", "--short=12", "HEAD"),
            ("status", "--porcelain", "--", "../fwgen", "../boards", "../bench"),
        )
    ]
    commit, changed = (one.stdout.strip() for one in told)
    return f"{commit}{'+' if changed else ''}" if commit else fwgen.__version__


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A markdown table whose columns line up; all but the first are set to the right."""
    lines = [list(head), *[list(row) for row in rows]]
    widths = [max(len(line[n]) for line in lines) for n in range(len(head))]
    rule = ["-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])]
    text = []
    for line in [lines[0], rule, *lines[1:]]:
        cells = [line[0].ljust(widths[0])]
        cells += [cell.rjust(width) for cell, width in zip(line[1:], widths[1:], strict=True)]
        text.append(f"| {' | '.join(cells)} |")
    return "\n".join(text)


def write(marker: str, text: str, page: Path = DOC) -> None:
    """Put ``text`` between the lines ``<!-- marker -->`` and ``<!-- /marker -->`` of a page."""
    whole = page.read_text(encoding="utf-8")
    begin, end = f"<!-- {marker} -->\n", f"<!-- /{marker} -->"
    before, _, rest = whole.partition(begin)
    _, _, after = rest.partition(end)
    if not rest or end not in rest:
        raise SystemExit(f"{page.name} has no place called {marker!r}")
    page.write_text(f"{before}{begin}\n{text}\n\n{end}{after}", encoding="utf-8")
