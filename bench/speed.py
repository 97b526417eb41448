"""How fast the machine is: seconds of the firmware's time per second of ours.

    uv run python bench/speed.py [--write] [--rounds 3] [--clock cpu|wall] [--only NAME]

Each firmware of bench/c/speed does its work so often and stops at a breakpoint. The same bytes
run in our machine (as it is installed; in pure Python; without acceleration, for a part of the
time) and, where installed, in ``qemu-system-arm -icount``. What is divided is the time that the
work takes at 16 MHz in our machine, the same number for both. A round runs every contender once;
the medians of the rounds are shown, and the bars that were missed (exit code 1). What QEMU needs
to begin and to end is measured by an image that stops at once, and taken off QEMU's time; nothing
is taken off ours.
"""

from __future__ import annotations

import argparse
import gc
import random
import statistics
import subprocess
import sys
import tempfile
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING

import tools

from fwgen.board import load_board
from fwgen.contract import Send
from fwgen.image.load import load_image
from fwgen.machine.machine import Machine
from fwgen.trace import Fault

if TYPE_CHECKING:
    from fwgen.image.types import Image

PS = 10**12
LONGEST_PS = 10_000 * PS
FIRST_PS = PS // 100  # the least that is run without acceleration
ENOUGH_S = 0.2  # and when that has taken long enough
PATIENCE_S = 60  # given to QEMU for one image
FACTOR = 100  # times real time: the bar for firmware that waits, in pure Python
NOISE_S = 0.004  # below this QEMU's net time is not a measurement


@dataclass(frozen=True, slots=True)
class Work:
    """One firmware: how often it does its thing, and what QEMU makes of it.

    ``shift``: QEMU runs an instruction every 2**shift ns. Its SysTick counts 168 MHz there, so 3
    makes 1.34 ticks an instruction, about what silicon has; its TIM2 counts 1 GHz, so 0 for it.
    ``waits``: it only waits, so the bars are for it. ``fed``: it is sent ``times`` bytes at
    1 Mbaud, at 84 MHz; ``live``: the bar is real time, as installed. ``unlike``: why QEMU's figure
    cannot be held against ours; ``cannot``: why it has none.
    """

    name: str
    what: str
    times: int
    optimise: str = "-O2"
    shift: int = 3
    waits: bool = False
    unlike: str = ""
    cannot: str = ""
    options: tuple[str, ...] = ()
    fed: bool = False
    live: bool = False

    @property
    def stimuli(self) -> tuple[Send, ...]:
        """What is sent to it: any bytes, after a millisecond."""
        data = random.Random(self.name).randbytes(self.times) if self.fed else b""
        return (Send("USART2", FIRST_PS // 10, data, 1_000_000),) if data else ()


UNFED = "has nobody to send"
WORKS = (
    Work("wfi_blink", "WFI, 4 wakes a second", 4000, waits=True),
    Work("wfi_millis", "WFI, 1000 wakes a second", 40, waits=True),
    Work("delay", "delay loop, register", 40, waits=True),
    Work("delay_volatile", "delay loop, volatile at -O0", 40, "-O0", waits=True),
    Work("poll_systick", "polls SysTick COUNTFLAG", 20, waits=True),
    Work("poll_timer", "polls TIM2 SR", 20, shift=0, waits=True),
    Work("poll_millis", "polls a count of milliseconds", 40, waits=True),
    Work("uart_polled", "USART at 115200, polls TXE", 100, unlike="sends bytes in no time"),
    Work("uart_irq", "USART at 115200, interrupt", 100, cannot="has no TXE interrupt: hangs"),
    Work(
        "echo_dma",
        "1 Mbaud echoed by DMA, 1 KiB",
        100_000,
        cannot=UNFED,
        options=("-DSIZE=1024u",),
        fed=True,
        live=True,
    ),
    Work(
        "echo_dma",
        "1 Mbaud echoed by DMA, 256 bytes",
        100_000,
        cannot=UNFED,
        fed=True,
        live=True,
    ),
    Work("echo_irq", "1 Mbaud echoed by interrupt", 30_000, cannot=UNFED, fed=True, live=True),
    Work("crc32", "computes: CRC-32", 2000),
    Work("sieve", "computes: sieve", 200),
    Work("matrix", "computes: matrices", 800),
)
HEAD = (
    "firmware", "its time, s", "fwgen", "pure Python", "not accelerated", "QEMU", "fwgen / QEMU",
    "pure / QEMU",
)  # fmt: skip


@dataclass(slots=True)
class Measured:
    """Seconds for one work, by contender and round."""

    work_ps: int
    seconds: dict[str, list[float]] = field(default_factory=dict)

    def add(self, contender: str, seconds: float) -> None:
        self.seconds.setdefault(contender, []).append(seconds)

    def median(self, contender: str) -> float | None:
        taken = self.seconds.get(contender)
        return statistics.median(taken) if taken else None


class Runner:
    """Runs images here and in QEMU, and takes the time."""

    def __init__(self, clock: str) -> None:
        self.board = load_board("nucleo-f401")
        self._now = tools.clock(clock)

    def ours(
        self,
        work: Work,
        image: Image,
        span_ps: int,
        *,
        accelerate: bool = True,
        native: bool | None = None,
    ) -> tuple[float, int]:
        """Seconds that a run took, and the time at which the firmware stopped, or the span."""
        gc.collect()  # what is left of the run before is not this one's
        before = self._now()
        machine = Machine(self.board, accelerate=accelerate, native=native)
        trace = machine.run(image, work.stimuli, span_ps)
        taken = self._now() - before
        stop = next((e.t_ps for e in trace.events if isinstance(e, Fault)), span_ps)
        return taken, stop

    def plain(self, work: Work, image: Image, span_ps: int) -> float:
        """Seconds without acceleration and in pure Python."""
        return self.ours(work, image, span_ps, accelerate=False, native=False)[0]

    def qemu(self, path: Path, shift: int) -> float:
        """Seconds that QEMU took for an image. Raises TimeoutExpired where it hangs."""
        command = [
            tools.QEMU, "-M", "netduinoplus2", "-icount", f"shift={shift},sleep=off,align=off",
            "-display", "none", "-monitor", "none", "-serial", "null", "-serial", "null",
            "-semihosting-config", "enable=on,target=native", "-kernel", str(path),
        ]  # fmt: skip
        before = self._now()
        subprocess.run(command, check=True, timeout=PATIENCE_S, capture_output=True)
        return self._now() - before


def measure(work: Work, clock: str, rounds: int, folder: Path, begin: float) -> Measured:
    """Run one work with every contender, in turns."""
    runner = Runner(clock)
    source = tools.C / "speed" / f"{work.name}.c"
    path = tools.build(source, folder, work.optimise, f"-DTIMES={work.times}", *work.options)
    image = load_image(path, runner.board)
    _, work_ps = runner.ours(work, image, LONGEST_PS)
    if work_ps == LONGEST_PS:
        raise SystemExit(f"{work.name} never stopped")
    found = Measured(work_ps)
    part_ps = _part(runner, work, image, work_ps)
    for _ in range(rounds):
        found.add("fwgen", runner.ours(work, image, work_ps)[0])
        found.add("pure", runner.ours(work, image, work_ps, native=False)[0])
        if part_ps == work_ps:
            found.add("plain", runner.plain(work, image, work_ps))
        else:
            net = runner.plain(work, image, part_ps) - runner.plain(work, image, 1)
            found.add("plain", net * work_ps / part_ps)
        if tools.qemu() and not work.cannot:
            found.add("qemu", max(runner.qemu(path, work.shift) - begin, 0.0))
    return found


def _part(runner: Runner, work: Work, image: Image, work_ps: int) -> int:
    """How much of the work to run without acceleration, which may be slower than life."""
    part_ps = min(FIRST_PS, work_ps)
    while part_ps < work_ps and runner.plain(work, image, part_ps) < ENOUGH_S:
        part_ps = min(part_ps * 4, work_ps)
    return part_ps


def row(work: Work, found: Measured) -> tuple[str, ...]:
    """The line of the table: rates, and ours over QEMU's."""
    virtual = found.work_ps / PS

    def rate(contender: str) -> str:
        taken = found.median(contender)
        if taken is None:
            return work.cannot or "not installed"
        if contender == "qemu" and taken < NOISE_S:
            return f"> {shown(virtual / NOISE_S)}"
        return shown(virtual / taken)

    def ratio(contender: str) -> str:
        ours, theirs = found.median(contender), found.median("qemu")
        if ours is None or theirs is None:
            return "-"
        if work.unlike:
            return work.unlike
        times = shown(max(theirs, NOISE_S) / ours)
        return f"< {times}" if theirs < NOISE_S else times

    return (
        work.what, shown(virtual), *map(rate, ("fwgen", "pure", "plain", "qemu")),
        ratio("fwgen"), ratio("pure"),
    )  # fmt: skip


def missed(work: Work, found: Measured) -> list[str]:
    """The bars that this work does not keep, as sentences."""
    told = []
    if work.live:
        ours = found.median("fwgen")
        assert ours is not None
        rate = found.work_ps / PS / ours
        if rate < 1:
            told.append(f"{work.what}: {shown(rate)} times real time; 1 asked")
    if not work.waits:
        return told
    pure, theirs = found.median("pure"), found.median("qemu")
    assert pure is not None
    rate = found.work_ps / PS / pure
    if rate < FACTOR:
        told.append(f"{work.what}: {shown(rate)} times real time; {FACTOR} asked")
    if theirs is not None and pure > max(theirs, NOISE_S):
        told.append(f"{work.what}: QEMU is {shown(pure / max(theirs, NOISE_S))} times as fast")
    return told


def shown(value: float) -> str:
    """A rate to three figures, without exponents."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--write", action="store_true", help="put the table into docs/bench.md")
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--clock", choices=("cpu", "wall"), default="cpu")
    options.add_argument("--only", default="", help="only firmware whose name holds this text")
    chosen = options.parse_args()
    version = tools.compiler()
    if version is None:
        print(f"{tools.GCC} is not installed: the firmware cannot be built", file=sys.stderr)
        return 2
    runner = Runner(chosen.clock)
    lines, misses = [], []
    with ExitStack() as held:
        folder = Path(held.enter_context(tempfile.TemporaryDirectory()))
        begin = 0.0
        if tools.qemu():
            nothing = tools.build(tools.C / "speed" / "nothing.c", folder, "-O2", "-DTIMES=1")
            begin = statistics.median(runner.qemu(nothing, 3) for _ in range(chosen.rounds + 2))
        # Each in a process of its own: what others left behind is not its affair.
        pool = held.enter_context(
            ProcessPoolExecutor(1, get_context("spawn"), max_tasks_per_child=1)
        )
        for work in WORKS:
            if chosen.only in work.name:
                print(f"{work.name} ...", file=sys.stderr, flush=True)
                found = pool.submit(
                    measure, work, chosen.clock, chosen.rounds, folder, begin
                ).result()
                lines.append(row(work, found))
                misses += missed(work, found)
    what = "CPU" if chosen.clock == "cpu" else "wall"
    bars = "\n".join(f"- **MISSED**: {line}" for line in misses) or "All bars are kept."
    text = (
        f"{tools.table(HEAD, lines)}\n\n"
        f"Seconds of the firmware's time (16 MHz; those at 1 Mbaud 84 MHz) per {what} second; "
        f"medians of {chosen.rounds} rounds. "
        f"QEMU's start and end, {begin * 1000:.0f} ms, are taken off. "
        f"fwgen {tools.version()}; {version}; {tools.qemu() or 'no QEMU'}; {tools.host()}.\n\n"
        f"Bars for what only waits, in pure Python: {FACTOR} times real time, no slower than "
        f"QEMU; for DMA and interrupts at 1 Mbaud, as installed: real time.\n\n{bars}"
    )
    print(text)
    if chosen.write and not chosen.only:
        tools.write("speed", text)
    return 1 if misses else 0


if __name__ == "__main__":
    sys.exit(main())
