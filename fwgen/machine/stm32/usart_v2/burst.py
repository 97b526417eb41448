"""Frames that come in back to back: a terminal sends, eight bits, no parity, one stop bit."""

from __future__ import annotations

from fractions import Fraction
from functools import lru_cache
from typing import TYPE_CHECKING

from fwgen.units import MHZ_PER_HZ, PS_PER_S

if TYPE_CHECKING:
    from collections.abc import Callable

    from fwgen.machine.time import Scheduler, Timer

    Arrives = Callable[[int, "list[tuple[int, int]]", int], None]  # t_ps, edges, end
    Over = Callable[[int, int, int, int, int], None]  # t_ps, begin, end, byte, baud


@lru_cache(maxsize=64)
def bit_edges(baud_mhz: int) -> tuple[int, ...]:
    """Where the bits of a frame begin, from its start on, and its end: picoseconds."""
    length = Fraction(PS_PER_S * MHZ_PER_HZ, baud_mhz)
    return tuple(int(n * length) for n in range(11))


@lru_cache(maxsize=4096)
def frame_edges(byte: int, baud_mhz: int) -> tuple[tuple[int, int], ...]:
    """(time, level) wherever the line changes within a frame, and at its end."""
    times = bit_edges(baud_mhz)
    bits = (0, *(byte >> n & 1 for n in range(8)), 1)
    changes = [(0, 0)] + [(times[n], bits[n]) for n in range(1, 10) if bits[n] != bits[n - 1]]
    return tuple(changes)


class Burst:
    """Bytes on their way in. ``at`` counts the frames that have begun; the last at ``began``.

    ``arrives`` is called as each frame begins, ``over`` as it ends.
    """

    def __init__(
        self,
        scheduler: Scheduler,
        start_ps: int,
        data: bytes,
        baud_mhz: int,
        arrives: Arrives,
        over: Over,
    ) -> None:
        self.data, self.baud_mhz = data, baud_mhz
        self.frame_ps = bit_edges(baud_mhz)[10]
        self.at, self.began = 0, start_ps
        self._scheduler, self._arrives, self._over = scheduler, arrives, over
        self._next: Timer | None = scheduler.at(start_ps, self._begin)
        self._last: Timer | None = None

    @property
    def timers(self) -> tuple[Timer, ...]:
        """Its calls to come."""
        return tuple(one for one in (self._last, self._next) if one is not None and one.pending)

    @property
    def end(self) -> int:
        """When the frame under way is over."""
        return self.began + self.frame_ps

    def edges(self) -> list[tuple[int, int]]:
        """(time, level) of the frame under way."""
        began = self.began
        found = frame_edges(self.data[self.at - 1], self.baud_mhz)
        return [(began + t, level) for t, level in found]

    def go_on(self, frames: int) -> None:
        """So many frames are over, and the next is under way."""
        for timer in self.timers:
            timer.cancel()
        self.began += frames * self.frame_ps
        self.at += frames
        self._await_end()

    def _begin(self, t_ps: int) -> None:
        self.began = t_ps
        self.at += 1
        self._arrives(t_ps, self.edges(), self.end)
        self._await_end()

    def _await_end(self) -> None:
        end = self.end
        self._last = self._scheduler.at(end, self._ended)
        self._next = self._scheduler.at(end, self._begin) if self.at < len(self.data) else None

    def _ended(self, t_ps: int) -> None:
        # The next begins at this moment, but after this call.
        began = t_ps - self.frame_ps
        self._over(t_ps, began, t_ps, self.data[self.at - 1], self.baud_mhz)
