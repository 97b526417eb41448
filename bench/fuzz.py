"""Any bytes as firmware, any access to any register, for as long as one likes.

    uv run python bench/fuzz.py --minutes 30 [--seed 0] [--only bytes|registers|alive] [--board B]

``bytes`` are any bytes; ``registers`` are touched with anything; ``alive`` sets the masters of the
bus up with addresses that exist, enables and interrupts, and lets them run. Each seed is on one of
the boards. Every run must come back, raise nothing, and give the same trace however it is sped up.
What does not is told with its seed, as it happens: ``--seed N --minutes 0`` runs it again. The
exit code is 1 when anything was found. Each run has a minute: a hang ends the script with a stack
dump.
"""

from __future__ import annotations

import argparse
import faulthandler
import sys
import time
import traceback
from collections import Counter
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from fwgen.board import list_boards, load_board  # noqa: E402
from tests.machine.core import fuzz  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Sequence

HANG_S = 60.0
KINDS = ("bytes", "registers", "alive")


def one(kind: str, seed: int, boards: Sequence[str]) -> None:
    """One firmware from a seed, run both ways. Raises what it finds."""
    board, rng = load_board(boards[seed % len(boards)]), Random(f"{kind} {seed}")
    if kind == "bytes":
        firmware = fuzz.any_image(rng)
    elif kind == "alive":
        firmware = fuzz.any_masters(board, rng)
    else:
        places = fuzz.registers(board)
        some = rng.sample(sorted(places), rng.choice((1, 1, 2, 3, len(places))))
        near = [place for name in some for place in places[name]]
        accesses = [fuzz.any_access(rng, near) for _ in range(rng.randint(1, 120))]
        opened = [*fuzz.clocks_on(board)] if rng.random() < 0.9 else []
        firmware = fuzz.touching([*opened, *accesses], waits=rng.random() < 0.5)
    fuzz.both_ways(board, firmware)


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--minutes", type=float, default=1.0)
    options.add_argument("--seed", type=int, default=0, help="the first one")
    options.add_argument("--only", choices=KINDS)
    options.add_argument("--board", help="only on this one; else each seed is on the next")
    chosen = options.parse_args()
    kinds = (chosen.only,) if chosen.only else KINDS
    boards = (chosen.board,) if chosen.board else tuple(one.name for one in list_boards())
    until, seed, found = time.monotonic() + 60 * chosen.minutes, chosen.seed, Counter()
    while True:
        for kind in kinds:
            print(f"\r{kind} {seed}   ", end="", file=sys.stderr, flush=True)
            faulthandler.dump_traceback_later(HANG_S, exit=True)
            try:
                one(kind, seed, boards)
            except Exception as error:  # noqa: BLE001 - all of them are findings
                where = traceback.extract_tb(error.__traceback__)[-1]
                place = f"{Path(where.filename).name}:{where.lineno}"
                key = f"{type(error).__name__} at {place}"
                found[key] += 1
                if found[key] <= 3:
                    print(f"\n{kind} --seed {seed}: {key}: {str(error)[:300]}", flush=True)
                if found[key] == 1 and not isinstance(error, AssertionError):
                    traceback.print_exception(error, limit=-4, file=sys.stdout)
            faulthandler.cancel_dump_traceback_later()
        seed += 1
        if time.monotonic() >= until:
            break
    print(f"\n{(seed - chosen.seed) * len(kinds)} firmwares from seed {chosen.seed} on")
    for key, count in found.most_common():
        print(f"{count:6}  {key}")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
