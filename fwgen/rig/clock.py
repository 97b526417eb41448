"""Time as the rig sees it: the wall's for a real board, the machine's for a virtual one."""

from __future__ import annotations

import time
from typing import Protocol

from fwgen.units import PS_PER_S

PS_PER_NS = 1000


class Clock(Protocol):
    """What time it is, in picoseconds since some moment, and a way to let it pass."""

    @property
    def now_ps(self) -> int:
        """The time."""

    def sleep(self, ps: int) -> None:
        """Let at least ``ps`` picoseconds pass; none when it is not positive."""


class WallClock:
    """The wall's."""

    @property
    def now_ps(self) -> int:
        """The time since some moment before this process."""
        return time.monotonic_ns() * PS_PER_NS

    def sleep(self, ps: int) -> None:
        """Wait."""
        if ps > 0:
            time.sleep(ps / PS_PER_S)
