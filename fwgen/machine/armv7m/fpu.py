"""Floating-point context registers."""

from __future__ import annotations

from fwgen.machine.peripheral import Peripheral, Reg


class Fpu(Peripheral, registers="armv7m.fpu"):
    """How floating-point state is kept across exceptions.

    The core reads ASPEN and LSPEN here. With LSPEN, frames are reserved at once and filled at
    once too: what a handler can see differs from silicon only in memory it does not own.

    Source: Arm ARM DDI0403 B3.2.21; PM0214 §4.6.
    Not modelled: LSPACT and the other FPCCR status bits, the FPU exception interrupt; FPDSCR (a
    new context starts with FPSCR = 0).
    """

    fpccr, fpcar, mvfr0, mvfr1 = Reg(), Reg(), Reg(), Reg()
    fpdscr = Reg(unmodelled=("RMODE", "FZ", "DN", "AHP"))


PERIPHERAL = Fpu
