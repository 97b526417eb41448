"""Software trigger interrupt register."""

from __future__ import annotations

from fwgen.machine.armv7m.exceptions import FIRST_IRQ
from fwgen.machine.peripheral import Peripheral, Reg


class Stir(Peripheral, registers="armv7m.stir"):
    """Writing a line's number pends it. Arm ARM DDI0403 B3.2.26.

    Unprivileged code may with CCR.USERSETMPEND: the bus sees to it.
    """

    stir = Reg()

    @stir.on_write
    def _trigger(self, t_ps: int, written: int, before: int) -> None:
        line = written & 0x1FF
        self.stir.value = 0
        if line < self.soc.exceptions.lines:
            self.soc.exceptions.pend(FIRST_IRQ + line, t_ps)


PERIPHERAL = Stir
