"""Virtual boards in a process of their own, as a farm has them: served to whoever comes.

``python -m tests.rig.labgrid.boards COUNT`` prints where they are as one line of JSON, and runs
until its standard input ends.
"""

from __future__ import annotations

import json
import sys
from contextlib import ExitStack

from fwgen.board import load_board
from fwgen.rig.targets import register
from fwgen.virtual.board import VirtualBoard
from fwgen.virtual.serial.rfc2217 import Rfc2217Server
from fwgen.virtual.server import Served

BOARD = "nucleo-f401"


def main(count: int) -> None:
    board = load_board(BOARD)
    target = register(board)
    with ExitStack() as held:
        found = []
        for _ in range(count):
            made = held.enter_context(VirtualBoard(board))
            console = held.enter_context(Rfc2217Server(made.serial))
            served = held.enter_context(Served(made, target=target, serial=console.url))
            made.start_free_running()
            found.append(
                {
                    "uid": made.uid,
                    "probe": served.remote,
                    "console": int(console.url.rpartition(":")[2]),
                }
            )
        print(json.dumps(found), flush=True)  # noqa: T201
        sys.stdin.read()


if __name__ == "__main__":
    main(int(sys.argv[1]))
