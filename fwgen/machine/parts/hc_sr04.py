"""HC-SR04: an echo as long as sound takes to the nearest thing and back.

Source: HC-SR04 user's manual (ElecFreaks): a trigger of at least 10 us, distance = width / 58 in
cm, 2 cm to 400 cm, more than 60 ms between two measurements; 38 ms without an echo.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fwgen.machine.parts.module import ModuleModel
from fwgen.units import PS_PER_MS, PS_PER_US, show_duration

if TYPE_CHECKING:
    from fwgen.board.types import Module
    from fwgen.machine.soc import Soc

TRIGGER_PS = 10 * PS_PER_US
BURST_PS = (
    450 * PS_PER_US
)  # from the trigger's end, over eight cycles of 40 kHz, to the echo's rise
PS_PER_UM = 58 * PS_PER_US // 10_000
NEAREST_UM, FARTHEST_UM = 20_000, 4_000_000
NOTHING_PS = 38 * PS_PER_MS
CYCLE_PS = 60 * PS_PER_MS


class HcSr04(ModuleModel):
    """Senses ``distance``; beyond 4 m nothing comes back."""

    SOURCE = "HC-SR04 user's manual"

    def __init__(self, soc: Soc, spec: Module) -> None:
        super().__init__(soc, spec)
        self.hear("trig", self._trig)

    def power_on(self, t_ps: int) -> None:
        """No measurement is under way."""
        self._rise = -1
        self._last = -CYCLE_PS
        self._busy = False
        self.drive(t_ps, "echo", 0)

    def _trig(self, t_ps: int, level: int) -> None:
        if level:
            self._rise = t_ps
            return
        if self._rise < 0:
            return
        width = t_ps - self._rise
        if width < TRIGGER_PS:
            self.hazard(
                t_ps, "sonar-trigger", f"a trigger of {show_duration(width)}: it needs 10 us, and "
                "may not measure", "timing diagram", "hold trig high for 10 us or more",
            )  # fmt: skip
            return
        if self._busy or t_ps - self._last < CYCLE_PS:
            self.hazard(
                t_ps, "sonar-too-soon", f"triggered {show_duration(t_ps - self._last)} after the "
                "last time: it may hear the old echo", "measurement cycle",
                "wait 60 ms between two measurements",
            )  # fmt: skip
        if self._busy:
            return
        self._last, self._busy = t_ps, True
        self.later(t_ps + BURST_PS, self._begin)

    def _begin(self, t_ps: int) -> None:
        distance = self.sensed("distance", t_ps)
        there = NEAREST_UM <= distance <= FARTHEST_UM
        self.drive(t_ps, "echo", 1)
        self.later(t_ps + (distance * PS_PER_UM if there else NOTHING_PS), self._end)

    def _end(self, t_ps: int) -> None:
        self._busy = False
        self.drive(t_ps, "echo", 0)


MODEL = HcSr04
