"""Flash and waking time: the embedded model's images beside our C for the same behaviours.

    uv run python bench/size.py [--write] [--only TEXT]

Both are held against the same contract, the one that the embedded model reads out of the prompt,
in the same machine; a C program that does not pass is shown as such and bars nothing. Awake is
the cycles that the core was not asleep in the contract's span, start-up included. Exit code 1
when an image of the model is larger or more awake than a C program at -Os.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import tools

from fwgen import pipeline
from fwgen.image.load import load_image

BOARD = "nucleo-f401"
PS = 10**12

# What is asked for, and the programs of bench/c that do it.
BEHAVIOURS = (
    ("blink LED at 2 Hz", ("blink", "blink_pwm")),
    ("blink LED at 2 Hz and D4 at 3 Hz", ("two_rates", "two_rates_pwm")),
    ("blink LED at 1 Hz with 20 % duty", ("duty_pwm",)),
    ("send SOS in morse on LED", ("morse",)),
    ("traffic light with red on D2, yellow on D3 and green on D4", ("traffic",)),
    ("run a chaser on D2, D3, D4 and D5, 100 ms each", ("chaser",)),
    ("after 5 seconds turn on LED", ("after",)),
    ("blink LED 3 times at 2 Hz then turn on D2", ("sequence",)),
    ('print "hello" every second', ("hello", "hello_irq")),
    ('print "count" and a counter every 500 ms', ("counter",)),
    ("print the uptime every second", ("uptime",)),
    ("LED follows the button", ("follow", "follow_irq")),
    ("toggle LED on each press of the button", ("toggle",)),
    ("print the press count on each press of the button", ("count_presses",)),
    ("while the button is held blink LED at 5 Hz, otherwise at 1 Hz", ("held",)),
    ("blink LED 3 times at 2 Hz when the button is pressed", ("blink_on_press",)),
)
HEAD = (
    "what", "by", "flash, bytes", "of the model's", "awake, cycles/s", "of the model's", "contract",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Row:
    """One image, measured."""

    by: str
    flash: int
    awake: float  # cycles per second
    passed: bool
    why: str = ""


def measured(by: str, proof: pipeline.Proof) -> Row:
    awake = proof.trace.awake_cycles * PS / proof.trace.span_ps
    why = next((f.text for f in proof.verdict.all if f.outcome.exit_code), "")
    return Row(by, proof.image.flash_used, awake, proof.passed, why)


def compare(prompt: str, sources: tuple[str, ...], folder: Path) -> tuple[Row, list[Row]]:
    """The model's row, and gcc's."""
    made = pipeline.generate(prompt, BOARD).proof
    ours = measured("**fwgen**", made)
    theirs = []
    for source in sources:
        for optimise in ("-Os", "-O2"):
            image = load_image(tools.build(tools.C / f"{source}.c", folder, optimise), made.board)
            proof = pipeline.prove(image, made.board, made.contract)
            theirs.append(measured(f"{source}.c {optimise}", proof))
    return ours, theirs


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--write", action="store_true", help="put the table into docs/bench.md")
    options.add_argument("--only", default="", help="only prompts that hold this text")
    chosen = options.parse_args()
    version = tools.compiler()
    if version is None:
        print(f"{tools.GCC} is not installed: there is nothing to compare with", file=sys.stderr)
        return 2
    lines, lost, broken = [], [], []
    with tempfile.TemporaryDirectory() as folder:
        for prompt, sources in BEHAVIOURS:
            if chosen.only not in prompt:
                continue
            ours, theirs = compare(prompt, sources, Path(folder))
            for row in (ours, *theirs):
                lines.append((
                    prompt if row is ours else "", row.by, str(row.flash),
                    "" if row is ours else f"{row.flash / ours.flash:.2f}",
                    f"{row.awake:.1f}",
                    "" if row is ours else f"{row.awake / ours.awake:.2f}",
                    "PASS" if row.passed else "FAIL",
                ))  # fmt: skip
                if not row.passed:
                    broken.append(f"{prompt}: {row.by}: {row.why}")
                elif row is not ours and row.by.endswith("-Os"):
                    if row.flash <= ours.flash:
                        lost.append(f"{prompt}: {row.by} is {row.flash} bytes, ours {ours.flash}")
                    if row.awake <= ours.awake:
                        lost.append(
                            f"{prompt}: {row.by} is awake {row.awake:.1f} cycles/s, "
                            f"ours {ours.awake:.1f}"
                        )
    text = tools.table(HEAD, lines)
    notes = [f"{version}. Cycles of HCLK at 16 MHz, over the contract's span."]
    notes += [f"- DOES NOT PASS: {line}" for line in broken]
    notes += [f"- **LOST**: {line}" for line in lost]
    if not lost and not broken:
        notes.append("Every image of the model is smaller and less awake than each -Os program.")
    text = "\n\n".join([text, "\n".join(notes)])
    print(text)
    if chosen.write and not chosen.only:
        tools.write("size", text)
    return 1 if lost or broken else 0


if __name__ == "__main__":
    sys.exit(main())
