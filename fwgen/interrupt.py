"""Ctrl-C at a good moment.

An exception must not come while the instruction engine is inside one of our callbacks (it would
vanish there), nor between two renames. ``held`` keeps it back for a block that is soon over.
"""

from __future__ import annotations

import signal
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def held() -> Iterator[None]:
    """Raise the KeyboardInterrupt of a Ctrl-C that comes within the block only after it.

    Does nothing in another thread than the main one, or where Ctrl-C is not Python's to handle.
    """
    ours = threading.current_thread() is threading.main_thread()
    if not ours or signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield
        return
    came: list[int] = []
    signal.signal(signal.SIGINT, lambda number, _frame: came.append(number))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if came:
        raise KeyboardInterrupt
