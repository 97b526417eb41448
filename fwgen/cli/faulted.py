"""What faults mean for who looks on: the first one, how many, and whether anything can follow."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fwgen.trace import Fault, Reset
from fwgen.units import PS_PER_MS

if TYPE_CHECKING:
    from collections.abc import Callable

    from fwgen.trace import Event

MOST_ALIKE = 1000  # faults in a row: a handler that returns to what faults again changes nothing
QUIET_PS = 20 * PS_PER_MS  # without an event: what was under way has come out


class Faults:
    """The faults of a board that goes on after them, as its firmware's handlers have it.

    Feed it every event; ``why_over`` then says whether more can come.
    """

    def __init__(self) -> None:
        self.first: Fault | None = None
        self.seen_ps = 0  # when anything was seen last
        self._times: list[int] = []
        self._last: Fault | None = None
        self._alike = 0

    def take(self, event: Event) -> None:
        """The next event, of whatever kind."""
        self.seen_ps = event.t_ps
        if isinstance(event, Reset):
            self._last, self._alike = None, 0
        elif isinstance(event, Fault):
            last, self._last = self._last, event
            self.first = self.first or event
            self._times.append(event.t_ps)
            same = last is not None and (last.pc, last.registers) == (event.pc, event.registers)
            self._alike = self._alike + 1 if same else 0

    def __len__(self) -> int:
        """How many there were."""
        return len(self._times)

    def told(self) -> str:
        """How many there were, in words; "" for none."""
        return f"{len(self)} fault{'' if len(self) == 1 else 's'}" if self._times else ""

    def power_off(self) -> None:
        """The board begins at time 0 again; what it did before has been seen."""
        self.seen_ps, self._last, self._alike = 0, None, 0

    def forget_from(self, t_ps: int) -> None:
        """Time went back: what happens from then on is yet to come."""
        if self.first is not None and self.first.t_ps >= t_ps:
            self.first = None
        self._times = [time for time in self._times if time < t_ps]

    def returns(self) -> str:
        """Why going on would only repeat the fault; "" where it may not."""
        return "the handler returns to what faults again" if self._alike >= MOST_ALIKE else ""

    def why_over(self, now_ps: int, stuck: Callable[[], str]) -> str:
        """Why nothing more comes after a fault; "" while something may.

        ``stuck`` says it of the core. What was under way then has come out.
        """
        if self.first is None:
            return ""
        quiet = now_ps - self.seen_ps >= QUIET_PS
        return self.returns() or (stuck() if quiet else "")
