"""How much of the time a line is on, as an eye or a motor takes it in."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fwgen.units import PPM, PS_PER_MS

if TYPE_CHECKING:
    from collections.abc import Callable

    from fwgen.machine.parts.module import ModuleModel
    from fwgen.machine.time import Timer

LONGEST_PS = 20 * PS_PER_MS
"""What repeats more seldom than this (50 Hz) is seen as going on and off."""


class Duty:
    """Measures each period from one rise to the next; a line that keeps still is at 0 or all.

    ``told(t_ps, ppm)`` hears each measurement.
    """

    def __init__(self, module: ModuleModel, told: Callable[[int, int], None]) -> None:
        self._module, self._told = module, told
        self._on, self._edge, self._rise, self._fall = False, 0, -1, -1
        self._timer: Timer | None = None
        self.period_ps = 0  # of the last one; 0: it keeps still

    def set(self, t_ps: int, *, on: bool) -> None:
        """The line is on or off from now on."""
        if on == self._on and self._timer is not None:
            return
        if on != self._on:
            self._on = on
            if on:
                period = t_ps - self._rise
                if 0 <= self._rise < self._fall and 0 < period <= LONGEST_PS:
                    self.period_ps = period
                    self._told(t_ps, (self._fall - self._rise) * PPM // period)
                self._rise = t_ps
            else:
                self._fall = t_ps
        self._edge = t_ps
        if self._timer is None:
            self._timer = self._module.later(t_ps + LONGEST_PS, self._look)

    def forget(self) -> None:
        """What was measured so far is of something else."""
        self._rise = self._fall = -1
        self._on = False
        self.period_ps = 0

    def _look(self, t_ps: int) -> None:
        due = self._edge + LONGEST_PS
        if t_ps < due:
            self._timer = self._module.later(due, self._look)
            return
        self._timer = None
        self.period_ps, self._rise, self._fall = 0, (t_ps if self._on else -1), -1
        if self._on:
            self._rise = self._edge
        self._told(t_ps, PPM if self._on else 0)
