"""Break detection of LIN mode: a circuit of its own beside the receiver. RM0368 §19.3.8."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from fwgen.machine.stm32.usart_v2.frame import Format
    from fwgen.machine.time import Scheduler, Timer


class BreakDetector:
    """Calls ``found(t_ps)`` when enough low bits in a row were ended by a high line.

    Each falling edge may begin a break, also one within a frame. Its bits are sampled as those of
    data; a bit that is 1 ends the search, and the next falling edge begins it anew. One event for
    each such edge, at the sample of the last bit that must be low.
    """

    def __init__(self, scheduler: Scheduler, found: Callable[[int], None]) -> None:
        self._scheduler = scheduler
        self._found = found
        self._timer: Timer | None = None
        self.stop()

    def stop(self) -> None:
        """Look for nothing any more."""
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None
        self._log: list[tuple[int, int]] = []  # changes of the line, oldest first
        self._how: Format | None = None
        self._bits = 0
        self._one_bit = False
        self._delimiter = False  # low for long enough: waits for the line to rise

    def look_for(self, how: Format, bits: int, *, one_bit: bool) -> None:
        """A break is ``bits`` low bits from now on, the start bit included (CR2.LBDL)."""
        self._how, self._bits, self._one_bit = how, bits, one_bit

    def hear(self, now_ps: int, changes: Iterable[tuple[int, int]]) -> None:
        """The line changes: (time, level), oldest first; times may lie ahead."""
        known = len(self._log)
        for at, level in changes:
            if not self._log or level != self._log[-1][1]:
                self._log.append((at, level))
        if self._delimiter:
            self._await_delimiter(now_ps)
        elif self._timer is None and known < len(self._log):
            self._search(now_ps, self._log[known][0])

    def _level_at(self, t_ps: int) -> int:
        level = 1
        for at, new in self._log:
            if at > t_ps:
                break
            level = new
        return level

    def _search(self, now_ps: int, from_ps: int) -> None:
        """The first falling edge from a time on may begin a break."""
        self._timer = None
        falling = [at for at, level in self._log if at >= from_ps and not level]
        if not falling or self._how is None or not self._how.length:
            self._log = self._log[-1:]
            return
        began = falling[0]
        self._log = [change for change in self._log if change[0] >= began]
        last = began + self._how.votes(self._bits - 1)[-1]
        self._timer = self._scheduler.at(max(now_ps, last), lambda t: self._check(t, began))

    def _check(self, t_ps: int, began: int) -> None:
        assert self._how is not None
        self._timer = None
        for n in range(self._bits):
            times = self._how.votes(n)
            samples = [self._level_at(began + offset) for offset in times]
            if samples[1] if self._one_bit else sum(samples) >= 2:
                self._search(t_ps, began + times[-1] + 1)
                return
        if self._level_at(t_ps):
            self._break(t_ps)
            return
        self._delimiter = True
        self._log = [(began, 0), *(change for change in self._log if change[0] > t_ps)]
        self._await_delimiter(t_ps)

    def _await_delimiter(self, now_ps: int) -> None:
        rising = [at for at, level in self._log if level]
        if rising and self._timer is None:
            self._timer = self._scheduler.at(max(now_ps, rising[0]), self._break)

    def _break(self, t_ps: int) -> None:
        self._timer, self._delimiter = None, False
        self._found(t_ps)
        self._search(t_ps, t_ps)
