"""Many boards at once: virtual ones behind labgrid's coordinator and exporter, on one computer.

    .ci/farm                                      # labgrid's environment, made once
    uv run python bench/farm.py [--write] [--boards 8] [--clients 8]

Each client is a fwgen of its own: it acquires a place with the tag of the board, flashes a firmware
that blinks the LED and counts on the serial port, and holds the board against three claims: the LED
within 2 %, the lines within 2 %, no other pin moves. More clients than boards queue. Exit code 1
when one of them does not pass.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

import tools  # noqa: E402

from tests.rig.labgrid import farm as farms  # noqa: E402
from tests.rig.labgrid import jobs  # noqa: E402

HEAD = ("boards", "clients", "wall, s", "held at once", "pass", "fail", "unsure", "error")
CODES = {0: "pass", 1: "fail", 3: "unsure"}


def measured(boards: int, clients: int) -> tuple[tuple[str, ...], bool]:
    """A row of the table, and whether all passed."""
    with tempfile.TemporaryDirectory() as name, farms.farm_of(Path(name), boards) as farm:
        rig = f"labgrid:board={jobs.BOARD},wait=10min"
        with farms.held(farm) as held:
            began = time.monotonic()
            ran = jobs.verify(farm, Path(name), [rig] * clients)
            seconds = time.monotonic() - began
    for one in ran:
        if not one.passed:
            print(one.said, file=sys.stderr)
    counted = Counter(CODES.get(one.code, "error") for one in ran)
    words = [str(counted[word]) for word in ("pass", "fail", "unsure", "error")]
    row = (str(boards), str(clients), f"{seconds:.1f}", str(held()), *words)
    return row, all(one.passed for one in ran)


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--write", action="store_true", help="put the table into docs/bench.md")
    options.add_argument("--boards", type=int)
    options.add_argument("--clients", type=int)
    chosen = options.parse_args()
    subprocess.run([ROOT / ".ci" / "farm"], check=True)
    some = chosen.boards or chosen.clients or 0
    sizes = [(chosen.boards or some, chosen.clients or some)] if some else [(1, 1), (4, 4), (8, 8)]
    rows, good = [], True
    for boards, clients in sizes:
        row, passed = measured(boards, clients)
        rows.append(row)
        good &= passed
    text = f"{tools.table(HEAD, rows)}\n\nfwgen {tools.version()}; {tools.host()}."
    print(text)
    if chosen.write:
        tools.write("farm", text)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
