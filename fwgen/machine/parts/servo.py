"""A hobby servo: the width of a pulse every 20 ms is the angle.

Source: TowerPro SG90 data sheet (50 Hz, dead band 10 us); the usual 1 ms to 2 ms for its travel.
The angle is the one that is asked for: that the arm takes 100 ms for 60° is not modelled.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fwgen.machine.parts.module import ModuleModel
from fwgen.units import PS_PER_MS, PS_PER_US, show_duration

if TYPE_CHECKING:
    from fwgen.board.types import Module
    from fwgen.machine.soc import Soc
    from fwgen.machine.time import Timer

PERIOD_PS = 20 * PS_PER_MS
OFF_PS = PERIOD_PS // 10
DEAD_BAND_PS = 10 * PS_PER_US
LIMP_PS = 100 * PS_PER_MS  # without a pulse it no longer holds


class Servo(ModuleModel):
    """Shows ``angle``; None while it gets no pulses."""

    SOURCE = "SG90 data sheet"

    def __init__(self, soc: Soc, spec: Module) -> None:
        super().__init__(soc, spec)
        self._low, self._high = self.setting("min_pulse"), self.setting("max_pulse")
        self._rise = -1
        self._timer: Timer | None = None
        self.hear("signal", self._moved)

    def power_on(self, t_ps: int) -> None:
        """It holds no angle yet."""
        self._rise = -1
        self.show(t_ps, "angle", None)

    def _moved(self, t_ps: int, level: int) -> None:
        if level:
            period = t_ps - self._rise
            if self._rise >= 0 and period < LIMP_PS and abs(period - PERIOD_PS) > OFF_PS:
                self.hazard(
                    t_ps, "servo-rate", f"pulses {show_duration(period)} apart; it wants one every "
                    "20 ms", "control system: 50 Hz", "set the timer to a period of 20 ms",
                )  # fmt: skip
            self._rise = t_ps
        elif self._rise >= 0:
            self._pulse(t_ps, t_ps - self._rise)

    def _pulse(self, t_ps: int, width: int) -> None:
        low, high = self._low, self._high
        if not low - DEAD_BAND_PS <= width <= high + DEAD_BAND_PS:
            self.hazard(
                t_ps, "servo-pulse",
                f"a pulse of {show_duration(width)}, which drives it against its stop: it takes "
                f"{show_duration(low)} to {show_duration(high)}",
                "pulse width", "keep the width between min_pulse and max_pulse",
            )  # fmt: skip
        width = min(max(width, low), high)
        self.show(t_ps, "angle", (width - low) * self.setting("travel") // (high - low))
        if self._timer is None:
            self._timer = self.later(t_ps + LIMP_PS, self._look)

    def _look(self, t_ps: int) -> None:
        due = self._rise + LIMP_PS
        if t_ps < due:
            self._timer = self.later(due, self._look)
            return
        self._timer = None
        self.show(t_ps, "angle", None)


MODEL = Servo
