"""A bell for a thread that waits in ``select``: others ring it, none waits."""

from __future__ import annotations

import contextlib
import socket


class Bell:
    """``ring`` makes ``fileno`` readable until ``quiet``."""

    def __init__(self) -> None:
        self._ear, self._hand = socket.socketpair()
        self._ear.setblocking(False)
        self._hand.setblocking(False)

    def fileno(self) -> int:
        """What ``select`` waits for."""
        return self._ear.fileno()

    def ring(self) -> None:
        """Wake the thread; ringing again before it looks does no more."""
        with contextlib.suppress(OSError):  # full: it rings already; closed: nobody listens
            self._hand.send(b"!")

    def quiet(self) -> None:
        """Heard."""
        with contextlib.suppress(BlockingIOError):
            while self._ear.recv(4096):
                pass

    def close(self) -> None:
        """Take it down."""
        self._ear.close()
        self._hand.close()
