"""Data watchpoint and trace unit: the cycle counter."""

from __future__ import annotations

from fwgen.machine.peripheral import Peek, Peripheral, Reg
from fwgen.machine.time import NEVER

_WORD = 0xFFFFFFFF


class Dwt(Peripheral, registers="armv7m.dwt"):
    """CYCCNT counts core cycles while CTRL.CYCCNTENA is set; asleep, it stands still.

    Source: Arm ARM DDI0403 C1.8.7, C1.8.8.
    Not modelled: DEMCR.TRCENA as the unit's enable (taken as set), the event counters,
    comparators and trace packets.
    """

    ctrl, cyccnt = (
        Reg(
            unmodelled=(
                "PCSAMPLENA", "EXCTRCENA", "CPIEVTENA", "EXCEVTENA", "SLEEPEVTENA", "LSUEVTENA",
                "FOLDEVTENA", "CYCEVTENA",
            )
        ),
        Reg(),
    )  # fmt: skip

    def on_reset(self, t_ps: int) -> None:
        """Stopped at 0."""
        self._value = 0
        self._since = 0

    @ctrl.on_write
    def _enable(self, t_ps: int, written: int, before: int) -> None:
        if (written ^ before) & 1:
            if before & 1:
                self._value += self._cycles() - self._since
            self._since = self._cycles()

    @cyccnt.on_write
    def _set(self, t_ps: int, written: int, before: int) -> None:
        self._value, self._since = written, self._cycles()

    @cyccnt.on_peek
    def _count(self, t_ps: int) -> Peek:
        if not self.ctrl.CYCCNTENA:
            return Peek(self._value & _WORD, NEVER)
        return Peek((self._value + self._cycles() - self._since) & _WORD, t_ps)

    def _cycles(self) -> int:
        return self.soc.core.awake_cycles if self.soc.core is not None else 0


PERIPHERAL = Dwt
