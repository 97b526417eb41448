"""System control registers that are not in the SCB: how many interrupts there are, and ACTLR."""

from __future__ import annotations

from fwgen.machine.peripheral import Peripheral, Reg


class Scnscb(Peripheral, registers="armv7m.scnscb"):
    """ICTR tells the lines in groups of 32. ACTLR.DISDEFWBUF makes faults of stores precise.

    DISMCYCINT changes nothing: no instruction is interrupted here. DISOOFP and DISFOLD change what
    instructions cost, within what is known of that at all.

    Source: Arm ARM DDI0403 B3.2.24; PM0214 §4.4.1.
    Not modelled: DISFPCA (a Gap when it is set).
    """

    ictr = Reg()
    actlr = Reg(unmodelled=("DISFPCA",))


PERIPHERAL = Scnscb
