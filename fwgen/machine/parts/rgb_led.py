"""An RGB LED: three LEDs in one case, each as bright as its PWM lets it be.

Source: Kingbright WP154A4 data sheet, internal circuit. The levels are linear in the duty.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fwgen.machine.parts.duty import Duty
from fwgen.machine.parts.module import ModuleModel
from fwgen.units import PPM

if TYPE_CHECKING:
    from fwgen.board.types import Module
    from fwgen.machine.soc import Soc

CHANNELS = ("red", "green", "blue")


class RgbLed(ModuleModel):
    """Shows ``colour``; an LED whose pin floats is dark."""

    def __init__(self, soc: Soc, spec: Module) -> None:
        super().__init__(soc, spec)
        self._lit_at = 1 if self.word("common") == "cathode" else 0
        self._levels_of = dict.fromkeys(CHANNELS, 0)
        for channel in CHANNELS:
            self._watch(channel)

    def _watch(self, channel: str) -> None:
        def told(t_ps: int, ppm: int) -> None:
            self._levels_of[channel] = (ppm * 255 + PPM // 2) // PPM
            self._tell(t_ps)

        duty = Duty(self, told)
        # A floating pin lights nothing, so its level is asked for, not kept.
        self.pads[channel].listen(lambda t, level: duty.set(t, on=level == self._lit_at))
        level = self.pads[channel].level
        if level == self._lit_at:
            duty.set(0, on=True)

    def power_on(self, t_ps: int) -> None:
        """All dark until measured."""
        self._tell(t_ps)

    def _tell(self, t_ps: int) -> None:
        self.show(t_ps, "colour", "#" + "".join(f"{self._levels_of[c]:02x}" for c in CHANNELS))


MODEL = RgbLed
