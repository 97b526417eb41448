"""Virtual boards, each in a process of its own, as a farm has them: served to whoever comes.

``python -m tests.rig.labgrid.boards COUNT`` prints where they are as one line of JSON, and runs
until its standard input ends. What is imported is imported once: the processes are forks.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from fwgen.board import load_board
from fwgen.rig.targets import register
from fwgen.virtual.analyser import AnalyserServer
from fwgen.virtual.board import VirtualBoard
from fwgen.virtual.serial.rfc2217 import Rfc2217Server
from fwgen.virtual.server import Served

if TYPE_CHECKING:
    from fwgen.board.types import Board

BOARD = "nucleo-f401"


def serve(board: Board, target: str, told: int) -> None:
    """One board, until a signal, or until the input ends that we share with who started us."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})

    def leave() -> None:
        while os.read(0, 1):
            pass
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=leave, daemon=True).start()
    with (
        VirtualBoard(board) as made,
        Rfc2217Server(made.serial) as console,
        AnalyserServer(made) as analyser,
        Served(made, target=target, serial=console.url) as served,
    ):
        made.start_free_running()
        where: dict[str, Any] = {
            "uid": made.uid,
            "pid": os.getpid(),
            "probe": served.remote,
            "analyser": analyser.port,
            "console": int(console.url.rpartition(":")[2]),
        }
        os.write(told, json.dumps(where).encode())
        os.close(told)
        signal.sigwait({signal.SIGTERM})


def main(count: int) -> None:
    board = load_board(BOARD)
    target = register(board)
    found, children = [], []
    for _ in range(count):
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(reading)
            with suppress(BaseException):
                serve(board, target, writing)
            os._exit(0)
        children.append(child)
        os.close(writing)
        with open(reading, "rb") as told:  # noqa: PTH123 - a pipe
            found.append(json.loads(told.read()))
    print(json.dumps(found), flush=True)  # noqa: T201
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # our input ends, too: then we end in order
    sys.stdin.read()
    for child in children:
        os.kill(child, signal.SIGTERM)
    for child in children:
        os.waitpid(child, 0)


if __name__ == "__main__":
    main(int(sys.argv[1]))
