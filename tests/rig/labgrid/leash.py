"""Runs a program for as long as our standard input is open: who started us may be killed.

``python -I -S leash.py PROGRAM ARGUMENT...``. The program's own input ends together with ours; one
that does not end by that is sent SIGTERM, and killed when it does not mind. The standard library
alone, so that it starts at once and any Python can run it.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading

GRACE_S = 5.0  # for a program whose input has ended
PATIENCE_S = 20.0  # for one that was asked to end


def end(program: subprocess.Popen[bytes], told: threading.Event, over: threading.Event) -> None:
    """End it, in order if it can; at once if we were ``told``."""
    assert program.stdin is not None
    with contextlib.suppress(OSError):
        program.stdin.close()
    over.clear()
    if not told.is_set() and program.poll() is None:
        over.wait(GRACE_S)
    program.terminate()
    try:
        program.wait(PATIENCE_S)
    except subprocess.TimeoutExpired:
        program.kill()


def main(line: list[str]) -> int:
    program = subprocess.Popen(line, stdin=subprocess.PIPE)
    over, told = threading.Event(), threading.Event()

    def tell(*_: object) -> None:
        told.set()
        over.set()

    signal.signal(signal.SIGTERM, tell)

    def hold() -> None:
        while os.read(0, 4096):
            pass
        over.set()

    def see_end() -> None:
        program.wait()
        over.set()

    for watcher in (hold, see_end):
        threading.Thread(target=watcher, daemon=True).start()
    while not over.wait(3600):
        pass
    if program.poll() is None:
        end(program, told, over)
    return abs(program.wait())


if __name__ == "__main__":
    code = main(sys.argv[1:])
    os._exit(code)  # the watcher of our input may still wait
