"""From the prompt to the verdict: how long a person waits, held against the bars.

    uv run python bench/start.py [--write] [--rounds 5] [--clock wall|cpu]

The main job and ``fwgen --help`` are whole processes, from ``exec`` to the exit. The three blinks
at 2 Hz (counting, polling, asleep: bench/firmware.py) are run for ten seconds of their time and
judged, in this process. Medians. Exit code 1 when a bar is missed.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
from typing import TYPE_CHECKING

import firmware
import tools

from fwgen import pipeline
from fwgen.board import load_board
from fwgen.contract import Blinks, Contract
from fwgen.machine.machine import Machine

if TYPE_CHECKING:
    from collections.abc import Callable

    from fwgen.board.types import Board
    from fwgen.image.types import Image

PS = 10**12
SPAN_PS = 10 * PS
JUDGED_S = 1.0  # ten seconds of blinking, run and judged
FACTOR = 100  # times real time
HEAD = ("what", "taken, s", "bar, s", "times real time", "bar", "kept")


def process(*arguments: str) -> Callable[[], None]:
    """Runs fwgen as a person does."""

    def run() -> None:
        with tempfile.TemporaryDirectory() as out:
            command = [sys.executable, "-m", "fwgen", *(a.format(out=out) for a in arguments)]
            subprocess.run(command, check=True, capture_output=True)

    return run


def judged(image: Image, board: Board) -> Callable[[], None]:
    """Runs a blink for ten seconds of its time in pure Python, and judges it."""
    contract = Contract("2 Hz", board.name, SPAN_PS, (), (Blinks("LED", PS // 2),))

    def run() -> None:
        proof = pipeline.prove(image, board, contract, bench=Machine(board, native=False))
        if not proof.passed:
            raise SystemExit(str([finding.text for finding in proof.verdict.all]))

    return run


def taken(job: Callable[[], None], rounds: int, clock: str) -> float:
    """The median seconds of a job, after one that warms the caches."""
    now, found = tools.clock(clock), []
    job()
    for _ in range(rounds):
        before = now()
        job()
        found.append(now() - before)
    return statistics.median(found)


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--write", action="store_true", help="put the table into docs/bench.md")
    options.add_argument("--rounds", type=int, default=5)
    options.add_argument("--clock", choices=("wall", "cpu"), default="wall")
    chosen = options.parse_args()
    board = load_board("nucleo-f401")
    lines, missed = [], False

    for what, bar, arguments in (
        ("`fwgen --help`", 0.25, ("--help",)),
        ("`fwgen \"blink LED at 2Hz\"`, to the verdict", 2.0,
         ("blink LED at 2Hz", "--board", board.name, "--out", "{out}/made")),
    ):  # fmt: skip
        seconds = taken(process(*arguments), chosen.rounds, chosen.clock)
        missed |= seconds >= bar
        kept = "yes" if seconds < bar else "**no**"
        lines.append((what, f"{seconds:.3f}", f"< {bar}", "", "", kept))

    for name, text in firmware.WAITS.items():
        image = firmware.blink(text, board)
        seconds = taken(judged(image, board), chosen.rounds, chosen.clock)
        factor = SPAN_PS / PS / seconds
        good = seconds < JUDGED_S and factor >= FACTOR
        missed |= not good
        lines.append((
            f"10 s of 2 Hz by {name}, pure Python", f"{seconds:.3f}", f"< {JUDGED_S:g}",
            f"{factor:.0f}", f">= {FACTOR}", "yes" if good else "**no**",
        ))  # fmt: skip
    what = "CPU" if chosen.clock == "cpu" else "wall"
    text = (
        f"{tools.table(HEAD, lines)}\n\n"
        f"{what.capitalize()} seconds, medians of {chosen.rounds}. fwgen {tools.version()}; "
        f"{tools.host()}."
    )
    print(text)
    if chosen.write:
        tools.write("start", text)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
