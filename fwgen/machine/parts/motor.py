"""DC motor drivers: what the pins make a bridge do to its motor.

Sources: TI L293D data sheet, SLRS008, tables of bidirectional control; Toshiba TB6612FNG data
sheet, H-SW control function.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fwgen.machine.parts.duty import Duty
from fwgen.machine.parts.module import ModuleModel
from fwgen.units import PS_PER_S, show_frequency

if TYPE_CHECKING:
    from fwgen.board.types import Module
    from fwgen.machine.soc import Soc

FORWARD, REVERSE, BRAKE, COAST = "forward", "reverse", "brake", "coast"


def l293d(levels: dict[str, int]) -> str:
    """What the L293D does: EN low lets the motor run free, equal inputs stop it fast."""
    if not levels["en"]:
        return COAST
    return {(1, 0): FORWARD, (0, 1): REVERSE}.get((levels["in1"], levels["in2"]), BRAKE)


def tb6612(levels: dict[str, int]) -> str:
    """What the TB6612FNG does: STBY low or both inputs low lets the motor run free."""
    if not levels.get("stby", 1):
        return COAST
    both = levels["in1"], levels["in2"]
    if both == (0, 0):
        return COAST if levels["pwm"] else BRAKE
    if both == (1, 1) or not levels["pwm"]:
        return BRAKE
    return FORWARD if both == (1, 0) else REVERSE


CHIPS = {
    "l293d": (l293d, 5_000, "L293D data sheet, SLRS008", "recommended operating conditions"),
    "tb6612": (tb6612, 100_000, "TB6612FNG data sheet", "PWM input frequency"),
}


class Motor(ModuleModel):
    """Shows ``direction`` (what it does while it is driven) and ``speed``, a signed duty."""

    def __init__(self, soc: Soc, spec: Module) -> None:
        super().__init__(soc, spec)
        self._does, self._limit_hz, self.source, self._section = CHIPS[spec.kind]
        self._duty = Duty(self, self._measured)
        self._state = COAST
        self._way = 0
        for role in self.pads:
            self.hear(role, self._moved)

    def power_on(self, t_ps: int) -> None:
        """The pins say at once what it does."""
        self._moved(t_ps, 0)
        if self._state not in (FORWARD, REVERSE):
            self.show(t_ps, "speed", 0)
            self.show(t_ps, "direction", self._state)

    def _moved(self, t_ps: int, _level: int) -> None:
        state = self._does({role: self.level(role) for role in self.pads})
        if state == self._state:
            return
        way = {FORWARD: 1, REVERSE: -1}.get(state, 0)
        if way and self._way and way != self._way:
            self._duty.forget()
        self._way = way or self._way
        self._state = state
        self._duty.set(t_ps, on=bool(way))
        if self._duty.period_ps and way:
            hz = PS_PER_S // self._duty.period_ps
            if hz > self._limit_hz:
                self.hazard(
                    t_ps, "motor-pwm", f"switched at {show_frequency(hz * 1000)}; it takes "
                    f"{show_frequency(self._limit_hz * 1000)}", self._section, "slow the PWM down",
                )  # fmt: skip

    def _measured(self, t_ps: int, ppm: int) -> None:
        self.show(t_ps, "speed", ppm * (self._way if ppm else 0))
        driven = FORWARD if self._way > 0 else REVERSE
        self.show(t_ps, "direction", driven if ppm else self._state)


MODEL = Motor
