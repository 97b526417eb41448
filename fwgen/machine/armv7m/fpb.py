"""Flash patch and breakpoint unit."""

from __future__ import annotations

from fwgen.machine.armv7m.comparators import Break
from fwgen.machine.peripheral import Peripheral, Reg

CODE_COMPARATORS = 6
CODE_END = 0x2000_0000  # it sees fetches from the code region only


class Fpb(Peripheral, registers="armv7m.fpb"):
    """Six comparators of code addresses, each a breakpoint on one or both halfwords of a word.

    Only a power reset clears it. FP_CTRL takes a write only with KEY.

    Source: Arm ARM DDI0403 C1.11.
    Not modelled: remapping (REPLACE 0 in an enabled comparator, FP_REMAP) and the two comparators
    of literal loads: each is a Gap.
    """

    ctrl = Reg(name="FP_CTRL")
    remap = Reg(name="FP_REMAP", unmodelled=("REMAP",))
    comp0, comp1, comp2 = Reg(name="FP_COMP0"), Reg(name="FP_COMP1"), Reg(name="FP_COMP2")
    comp3, comp4, comp5 = Reg(name="FP_COMP3"), Reg(name="FP_COMP4"), Reg(name="FP_COMP5")
    comp6 = Reg(name="FP_COMP6", unmodelled=("ENABLE",))
    comp7 = Reg(name="FP_COMP7", unmodelled=("ENABLE",))

    def reset(self, t_ps: int) -> None:
        """Only a power reset clears what a debugger set up."""
        if self.soc.powered_up:
            super().reset(t_ps)
            self._tell()

    @ctrl.on_write
    def _control(self, t_ps: int, written: int, before: int) -> None:
        if not self.ctrl.field("KEY", written):
            self.ctrl.value = before
        self._tell()

    @comp0.on_write
    @comp1.on_write
    @comp2.on_write
    @comp3.on_write
    @comp4.on_write
    @comp5.on_write
    def _compare(self, t_ps: int, written: int, before: int) -> None:
        self._tell()

    def _tell(self) -> None:
        """The comparators, as breakpoints of the core."""
        if self.soc.core is None:
            return
        breaks = []
        for n in range(CODE_COMPARATORS if self.ctrl.ENABLE else 0):
            comparator = self.states[f"FP_COMP{n}"]
            address = comparator.COMP << 2
            if not comparator.ENABLE or address >= CODE_END:
                continue
            if not comparator.REPLACE:
                self.soc.gap(self.name, comparator.name, "write", self.spec.base + 8 + 4 * n)
            for half in (0, 1):
                if comparator.REPLACE >> half & 1:
                    at = address + 2 * half
                    breaks.append(Break(at, at + 1, "BKPT", execute=True))
        self.soc.core.breakpoints.set(self.name, breaks)


PERIPHERAL = Fpb
