"""I2S_CKIN, the clock that comes in on a pin for I2S. RM0368 §20.4.4, RCC_CFGR.I2SSRC."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

from fwgen.machine.time import ClockDomain
from fwgen.units import PS_PER_S

if TYPE_CHECKING:
    from collections.abc import Callable

    from fwgen.machine.soc import Soc
    from fwgen.machine.time import Timer

ROUNDING_PS = 2  # edges lie on whole picoseconds: a steady clock's periods differ by so much


class ExternalClock:
    """A clock domain whose rate is that of a pin's rising edges, while it is watched.

    It is known from the second edge on, and stands still when two periods pass without one.
    """

    def __init__(self, soc: Soc) -> None:
        self._soc = soc
        self.clock = ClockDomain("I2S_CKIN")
        self._unlisten: Callable[[], None] | None = None
        self._silence: Timer | None = None
        self._forget()

    def _forget(self) -> None:
        self._last: int | None = None
        self._period: int | None = None

    def watch(self) -> None:
        """Follow the pin."""
        if self._unlisten is None:
            self._unlisten = self._soc.fabric.input("I2S_CKIN").listen(self._moved)

    def leave(self, t_ps: int) -> None:
        """And no more."""
        if self._unlisten is not None:
            self._unlisten()
            self._unlisten = None
            self._stop(t_ps)

    def _moved(self, t_ps: int, level: int | None) -> None:
        if not level:
            return
        last, self._last = self._last, t_ps
        if last is None:
            return
        period = t_ps - last
        if self._period is None or abs(period - self._period) > ROUNDING_PS:
            self._period = period
            self.clock.set(Fraction(PS_PER_S, period), t_ps)
        if self._silence is not None:
            self._silence.cancel()
        self._silence = self._soc.scheduler.at(t_ps + 2 * period, self._stop)

    def _stop(self, t_ps: int) -> None:
        if self._silence is not None:
            self._silence.cancel()
            self._silence = None
        self._forget()
        self.clock.set(0, t_ps)
