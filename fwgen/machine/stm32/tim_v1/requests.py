"""A timer's DMA requests, and the window (DMAR) through which a burst reaches its registers.

A request is a pulse that waits to be served, not a flag: what happens again meanwhile is one
request. Source: RM0368 §12.3.20, §13.3.16 (bursts), §12.4.4 (DIER), §12.4.2 (CR2.CCDS).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

# By bit of SR: what the chip file calls the request. DIER enables it eight bits higher.
NAMES = {0: "up", 1: "ch1", 2: "ch2", 3: "ch3", 4: "ch4", 5: "com", 6: "trig"}
_BITS = {name: 1 << bit for bit, name in NAMES.items()}
ALL, _COMPARE, _UPDATE = 0x7F, 0x1E, 0x01
COM, TRIGGER = 0x20, 0x40


class Requests:
    """What a timer asks of the DMA. ``tell(t_ps, request, level)`` drives a request's line."""

    __slots__ = ("_asked", "_happened", "_tell", "index")

    def __init__(self, tell: Callable[[int, str, bool], None]) -> None:
        self._tell = tell
        self.clear()

    def clear(self) -> None:
        """As after reset."""
        self._asked = self._happened = 0
        self.index = 0  # the next register of a burst, beyond DBA

    def happened(self, events: int) -> None:
        """Events, as the flags of SR that they raise."""
        self._happened |= events

    def settle(self, t_ps: int, enabled: int, *, on_update: bool) -> None:
        """Raise what happened and is enabled (bits of SR); ``on_update`` is CR2.CCDS."""
        events, self._happened = self._happened, 0
        if on_update:
            events = events & ~_COMPARE | (_COMPARE if events & _UPDATE else 0)
        if not events and self._asked & enabled == self._asked:
            return
        new = events & enabled & ~self._asked
        gone = self._asked & ~enabled
        self._asked = (self._asked | new) & enabled
        for bit, name in NAMES.items():
            if (new | gone) >> bit & 1:
                self._tell(t_ps, name, bool(new >> bit & 1))

    def awaited(self, enabled: int, *, on_update: bool) -> int:
        """The events (bits of SR) that would raise a request."""
        waiting = enabled & ~self._asked
        if on_update and waiting & _COMPARE:
            waiting = waiting & ~_COMPARE | _UPDATE
        return waiting

    def served(self, t_ps: int, request: str) -> None:
        """A request was served. Within a burst it stands until the burst is over."""
        self._happened &= ~self._asked  # what came while it waited is the same request
        if self.index:
            return
        bit = _BITS[request]
        if self._asked & bit:
            self._asked &= ~bit
            self._tell(t_ps, request, False)

    def through_window(self, base: int, length: int) -> int:
        """An access to DMAR: the register, counted from CR1, that it goes to (DBA, DBL)."""
        at = base + self.index
        self.index = 0 if self.index >= length else self.index + 1
        return at
