"""Virtual time: exact, integer, and following the clock tree that the firmware sets up.

The master is the core's cycle count. A ``ClockDomain`` turns ticks into picoseconds and back
without drift: tick n of a domain lies at ``origin + floor(n / f)``, computed from the exact
rational frequency each time, and moves its origin only when the frequency changes. All domains
that divide the same clock therefore put their common edges on the same picosecond.
"""

from __future__ import annotations

import heapq
from fractions import Fraction
from itertools import count
from typing import TYPE_CHECKING

from fwgen.units import PS_PER_S

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

NEVER = 1 << 62  # picoseconds: some 53 days; later than any run


class ClockDomain:
    """A clock: ``hz`` as an exact rational, 0 when stopped.

    ``ticks_at`` counts the ticks (rising edges) seen up to and including a time; ``time_of`` is
    the time of a tick. Counting goes on, without a jump, when the frequency changes.
    """

    __slots__ = ("_den", "_listeners", "_num", "_ticks0", "_time0", "hz", "name")

    def __init__(self, name: str, hz: Fraction | int = 0) -> None:
        self.name = name
        self.hz = Fraction(hz)
        self._ticks0 = 0
        self._time0 = 0
        self._num, self._den = self.hz.numerator, self.hz.denominator * PS_PER_S
        self._listeners: list[Callable[[int], None]] = []

    @property
    def terms(self) -> tuple[int, int, int, int]:
        """Of the time of tick n, ``time0 + (n - ticks0) * den // num``: time0, ticks0, num, den."""
        return self._time0, self._ticks0, self._num, self._den

    def ticks_at(self, t_ps: int) -> int:
        """Ticks up to and including ``t_ps``."""
        if not self._num:
            return self._ticks0
        return self._ticks0 + -(-(t_ps - self._time0 + 1) * self._num // self._den) - 1

    def time_of(self, tick: int) -> int:
        """When a tick comes, in picoseconds; NEVER when the clock stands still before it."""
        if not self._num:
            return NEVER if tick > self._ticks0 else self._time0
        return self._time0 + (tick - self._ticks0) * self._den // self._num

    def times_of(self, tick: int, count: int, step: int) -> Sequence[int]:
        """When ``count`` ticks come of which each is ``step`` after the one before."""
        first = self.time_of(tick)
        if self._num and not step * self._den % self._num:
            step_ps = step * self._den // self._num
            return range(first, first + count * step_ps, step_ps)
        return [self.time_of(one) for one in range(tick, tick + count * step, step)]

    def next_edge(self, t_ps: int) -> int:
        """The first tick at or after ``t_ps``, as a time."""
        tick = self.ticks_at(t_ps)
        at = self.time_of(tick)
        return at if at >= t_ps else self.time_of(tick + 1)

    def set(self, hz: Fraction | int, t_ps: int, parent: ClockDomain | None = None) -> None:
        """Change the frequency at ``t_ps``; listeners are told after it holds.

        Ticks come from ``t_ps`` on, or on the edges of a ``parent`` of the same frequency.
        """
        hz = Fraction(hz)
        if hz == self.hz:
            return
        self._ticks0 = self.ticks_at(t_ps)
        self._time0 = t_ps
        if parent is not None and parent.hz == hz:
            self._ticks0 -= parent.ticks_at(t_ps) - parent._ticks0
            self._time0 = parent._time0
        self.hz = hz
        self._num, self._den = hz.numerator, hz.denominator * PS_PER_S
        for listener in tuple(self._listeners):
            listener(t_ps)

    def on_change(self, listener: Callable[[int], None]) -> None:
        """Call ``listener(t_ps)`` after each change of frequency."""
        self._listeners.append(listener)


class Timer:
    """A pending call; ``cancel`` it and it never comes."""

    __slots__ = ("call", "t_ps")

    def __init__(self, t_ps: int, call: Callable[[int], None]) -> None:
        self.t_ps = t_ps
        self.call: Callable[[int], None] | None = call

    def cancel(self) -> None:
        """Forget the call. Harmless when it already came."""
        self.call = None

    @property
    def pending(self) -> bool:
        """Whether the call is still to come."""
        return self.call is not None


class Scheduler:
    """Calls at times, in order of time, then in order of asking."""

    def __init__(self) -> None:
        self._heap: list[tuple[int, int, Timer]] = []
        self._order = count()
        self.now_ps = 0  # time of the call being made, or of the last catch-up

    def at(self, t_ps: int, call: Callable[[int], None]) -> Timer:
        """Ask for ``call(t_ps)`` at a time; a time past is due at once."""
        timer = Timer(max(t_ps, self.now_ps), call)
        if t_ps < NEVER:
            heapq.heappush(self._heap, (timer.t_ps, next(self._order), timer))
        return timer

    def order_of(self, timer: Timer | None) -> int:
        """Of two calls due at once, the one with the lower number comes first; 0 for none."""
        return next((order for _, order, one in self._heap if one is timer), 0)

    def take_order(self) -> int:
        """As if another call were asked for: the number that it would have."""
        return next(self._order)

    @property
    def next_ps(self) -> int:
        """When the next call is due; NEVER when none is."""
        heap = self._heap
        while heap and heap[0][2].call is None:
            heapq.heappop(heap)
        return heap[0][0] if heap else NEVER

    def next_but(self, timer: Timer | None) -> int:
        """When the next call other than ``timer``'s is due; NEVER when none is."""
        others = (t for t, _, one in self._heap if one.call is not None and one is not timer)
        return min(others, default=NEVER)

    def next_but_all(self, timers: Sequence[Timer]) -> int:
        """When the next call other than those of ``timers`` is due; NEVER when none is."""
        others = (t for t, _, one in self._heap if one.call is not None and one not in timers)
        return min(others, default=NEVER)

    def catch_up(self, t_ps: int) -> None:
        """Make every call due up to and including ``t_ps``; then it is ``t_ps``."""
        heap = self._heap
        while heap and heap[0][0] <= t_ps:
            at, _, timer = heapq.heappop(heap)
            call, timer.call = timer.call, None
            if call is not None:
                self.now_ps = at
                call(at)
        if t_ps > self.now_ps:
            self.now_ps = t_ps
