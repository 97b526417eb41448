"""Any bytes as firmware, any access to any register, for as long as one likes.

    uv run python bench/fuzz.py --minutes 30 [--seed 0] [--only bytes|registers]

Every run must come back, raise nothing, and give the same trace however it is sped up. What does
not is told with its seed, as it happens: ``--seed N --minutes 0`` runs it again. The exit code is
1 when anything was found. Each run has a minute: a hang ends the script with a stack dump.
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

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from fwgen.board import load_board  # noqa: E402
from tests.machine.core import fuzz  # noqa: E402

HANG_S = 60.0
BOARD = "nucleo-f401"


def one(kind: str, seed: int) -> None:
    """One firmware from a seed, run both ways. Raises what it finds."""
    board, rng = load_board(BOARD), Random(f"{kind} {seed}")
    if kind == "bytes":
        firmware = fuzz.any_image(rng)
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
    options.add_argument("--only", choices=("bytes", "registers"))
    chosen = options.parse_args()
    kinds = (chosen.only,) if chosen.only else ("bytes", "registers")
    until, seed, found = time.monotonic() + 60 * chosen.minutes, chosen.seed, Counter()
    while True:
        for kind in kinds:
            print(f"\r{kind} {seed}   ", end="", file=sys.stderr, flush=True)
            faulthandler.dump_traceback_later(HANG_S, exit=True)
            try:
                one(kind, seed)
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
