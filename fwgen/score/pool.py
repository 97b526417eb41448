"""Processes of this computer that end with us, however we end.

Workers take no notice of a Ctrl-C, which a terminal sends to all of us; they end at once when the
other end of a pipe is closed: when the ``with`` is left, or when this process is no more.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from concurrent.futures import Executor, ProcessPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from multiprocessing.connection import Connection


@contextmanager
def pool(jobs: int) -> Iterator[Executor]:
    """So many processes; work that is under way when the block is left is given up."""
    # Not "fork": a child would inherit, and keep open, the pipe's other end.
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe(duplex=False)
    executor = ProcessPoolExecutor(jobs, mp_context=context, initializer=_serve, initargs=(ours,))
    try:
        yield executor
    finally:
        executor.shutdown(wait=False, cancel_futures=True)
        theirs.close()
        executor.shutdown(wait=True)
        ours.close()


def _serve(pipe: Connection) -> None:
    """In a worker: end when nobody wants anything of us any more."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)

    def watch() -> None:
        try:
            pipe.recv_bytes()
        except (EOFError, OSError):
            os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
