"""Floating-point context registers."""

from __future__ import annotations

from fwgen.machine.peripheral import Peripheral, Reg


class Fpu(Peripheral, registers="armv7m.fpu"):
    """How floating-point state is kept across exceptions; ``fpcontext`` does it.

    Source: Arm ARM DDI0403 B3.2.21; PM0214 §4.6.
    Not modelled: the FPU exception interrupt.
    """

    fpccr, fpcar, fpdscr, mvfr0, mvfr1 = Reg(), Reg(), Reg(), Reg(), Reg()

    @fpccr.on_write
    @fpcar.on_write
    @fpdscr.on_write
    def _changed(self, t_ps: int, written: int, before: int) -> None:
        if self.soc.core is not None:
            self.soc.core.fp_written()


PERIPHERAL = Fpu
