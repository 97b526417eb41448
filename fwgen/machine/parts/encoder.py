"""A rotary encoder: two contacts to ground, a quarter of a step apart, and maybe a button.

Source: ALPS EC11E data sheet, output signal: turned to the right, A closes before B; both are
open at rest.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fwgen.machine.parts.module import ModuleModel

if TYPE_CHECKING:
    from fwgen.board.types import Module
    from fwgen.machine.soc import Soc


class Encoder(ModuleModel):
    """``pull`` up: the resistors that a KY-040 has are there."""

    def __init__(self, soc: Soc, spec: Module) -> None:
        super().__init__(soc, spec)
        if self.word("pull") == "up":
            for pad in self.pads.values():
                pad.set_resistor(0, 1)

    def turn(self, t_ps: int, right: bool, quarter: int, *, closed: bool) -> None:
        """Quarters 0 and 1 close the contacts, 2 and 3 open them in the same order."""
        role = "ab"[quarter % 2] if right else "ba"[quarter % 2]
        self.drive(t_ps, role, 0 if closed else None)

    def press(self, t_ps: int, key: str, *, closed: bool) -> None:
        """The button in its axis."""
        if "sw" in self.pads:
            self.drive(t_ps, "sw", 0 if closed else None)


MODEL = Encoder
