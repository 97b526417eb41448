"""The far ends of serial cables."""

from __future__ import annotations

import os

import pytest

needs_pty = pytest.mark.skipif(os.name != "posix", reason="needs pseudo-terminals")


class Cable:
    """A tty whose other end the test holds."""

    def __init__(self) -> None:
        self.end, slave = os.openpty()
        self.device = os.ttyname(slave)
        os.close(slave)

    def pull(self) -> None:
        if self.end >= 0:
            os.close(self.end)
            self.end = -1
