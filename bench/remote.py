"""What fwgen itself adds to a call of a remote model, held against the bar.

    uv run python bench/remote.py [--write] [--rounds 5] [--rate 100] [--clock wall|cpu]

A server on the loopback streams answers at so many tokens a second, as a fast model does: first a
contract, then the emission, one damaged and then mended. What the server takes to send them is
known; the rest of the wall time is ours (prompts, scanning, checks, linking, worker, proof).
Medians. Exit code 1 when the bar is missed.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import Any

import tools

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from fwgen import pipeline  # noqa: E402
from fwgen.model.remote.model import RemoteModel  # noqa: E402
from fwgen.model.remote.settings import change_settings  # noqa: E402
from tests.model.remote.brain import BOARD, Brain  # noqa: E402
from tests.model.remote.server import Asked, Reply, chat, serving  # noqa: E402

BAR = 0.05
HEAD = ("what", "answers", "tokens", "wall, s", "of which the model's, s", "ours", "bar", "kept")
TOKEN = 2  # characters: an emission has 2.1 for each token of o200k_base
PROMPTS = ("blink LED at 2 Hz", 'print "hi" every second', "toggle LED on each press of the button")


class Paced:
    """A brain whose answers come at a steady rate; ``busy_s`` is how long it was at it."""

    def __init__(self, brain: Brain, rate: float) -> None:
        self.brain, self.rate = brain, rate
        self.busy_s = 0.0
        self.pieces = 0

    def __call__(self, asked: Asked) -> Reply:
        called = time.monotonic()
        reply = self.brain(asked)
        pieces = list(reply.pieces)
        self.busy_s += time.monotonic() - called

        def paced():  # type: ignore[no-untyped-def]
            began = time.monotonic()
            for number, piece in enumerate(pieces, 1):
                wait = began + number / self.rate - time.monotonic()
                if wait > 0:
                    time.sleep(wait)
                self.pieces += 1
                yield piece
            self.busy_s += time.monotonic() - began

        reply.pieces = paced()
        return reply


def slip(emission: dict[str, Any]) -> dict[str, Any]:
    """One instruction whose bytes are not what it says."""
    lines = emission["units"][0]["lines"]
    at = next(n for n, line in enumerate(lines) if line.startswith("movs r"))
    asm, code, *rest = lines[at].split(" ; ")
    lines[at] = " ; ".join((asm, f"{int(code, 16) ^ 1:04x}", *rest))
    return emission


def once(prompt: str, rate: float) -> tuple[float, float, int]:
    """Wall seconds of a whole run, the model's part of it, and how many pieces it sent."""
    speak = partial(chat, piece=TOKEN)
    brain = Paced(Brain(prompt, [slip], speak=speak), rate)
    with serving(brain) as server:
        change_settings({"providers.lab.base_url": server.url})
        model = RemoteModel.named("lab/m")
        began = time.monotonic()
        result = pipeline.generate(prompt, BOARD, model=model)
        taken = time.monotonic() - began
        model.close()
    if not result.passed or result.attempts != 2:
        raise SystemExit(f"{prompt}: it should have been mended and pass")
    return taken, brain.busy_s, brain.pieces


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--write", action="store_true", help="put the table into docs/bench.md")
    options.add_argument("--rounds", type=int, default=5)
    options.add_argument("--rate", type=float, default=100.0, help="tokens a second of the model")
    options.add_argument("--clock", choices=("wall",), default="wall")
    chosen = options.parse_args()
    lines, missed = [], False
    with tempfile.TemporaryDirectory() as home:
        for kind in ("CONFIG", "STATE", "CACHE"):
            os.environ[f"XDG_{kind}_HOME"] = str(Path(home) / kind.lower())
        once(PROMPTS[0], 2000.0)  # warms the imports: they are paid once, not per call
        for prompt in PROMPTS:
            runs = [once(prompt, chosen.rate) for _ in range(chosen.rounds)]
            wall, model = (statistics.median(run[n] for run in runs) for n in (0, 1))
            ours = statistics.median((run[0] - run[1]) / run[0] for run in runs)
            missed |= ours >= BAR
            lines.append((
                f"`{prompt}`", "3", str(runs[0][2]), f"{wall:.2f}", f"{model:.2f}",
                f"{100 * ours:.1f} %", f"< {100 * BAR:g} %", "yes" if ours < BAR else "**no**",
            ))  # fmt: skip
    text = (
        f"{tools.table(HEAD, lines)}\n\n"
        f"A model of {chosen.rate:g} tokens a second, one repair; medians of {chosen.rounds}. "
        f"fwgen {tools.version()}; {tools.host()}."
    )
    print(text)
    if chosen.write:
        tools.write("remote", text)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
