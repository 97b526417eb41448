"""Calls at ticks of a clock that may stop, and go on at another rate."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fwgen.machine.time import NEVER

if TYPE_CHECKING:
    from collections.abc import Callable

    from fwgen.machine.time import ClockDomain, Scheduler, Timer


class Waits:
    """At most one call by each name."""

    def __init__(self, scheduler: Scheduler, clock: ClockDomain) -> None:
        self._scheduler, self._clock = scheduler, clock
        self._pending: dict[str, tuple[int, Callable[[int], None], Timer]] = {}
        clock.on_change(self._move)

    def at(self, name: str, tick: int, call: Callable[[int], None]) -> None:
        """Ask for ``call(t_ps)`` at a tick, instead of what was asked for by that name."""
        self.cancel(name)
        self._arm(name, tick, call)

    def after(self, name: str, ticks: int, call: Callable[[int], None]) -> None:
        """Ask for ``call(t_ps)`` after so many ticks."""
        self.at(name, self._clock.ticks_at(self._scheduler.now_ps) + ticks, call)

    def cancel(self, name: str) -> None:
        """Forget a call. Harmless when there is none."""
        found = self._pending.pop(name, None)
        if found is not None:
            found[2].cancel()

    def clear(self) -> None:
        """Forget them all."""
        for name in tuple(self._pending):
            self.cancel(name)

    def __contains__(self, name: str) -> bool:
        return name in self._pending

    def _arm(self, name: str, tick: int, call: Callable[[int], None]) -> None:
        def due(t_ps: int) -> None:
            del self._pending[name]
            call(t_ps)

        timer = self._scheduler.at(min(NEVER, self._clock.time_of(tick)), due)
        self._pending[name] = tick, call, timer

    def _move(self, _t_ps: int) -> None:
        for name, (tick, call, timer) in tuple(self._pending.items()):
            timer.cancel()
            self._arm(name, tick, call)
