"""Data watchpoint and trace unit: the cycle counter."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fwgen.machine.peripheral import Peek, Peripheral, Reg
from fwgen.machine.time import NEVER

if TYPE_CHECKING:
    from fwgen.board.types import PeripheralSpec
    from fwgen.machine.soc import Soc

_WORD = 0xFFFFFFFF


class Dwt(Peripheral, registers="armv7m.dwt"):
    """CYCCNT counts core cycles while CTRL.CYCCNTENA and DEMCR.TRCENA are set.

    Asleep, it stands still. ``on_clock`` hears of TRCENA.

    Source: Arm ARM DDI0403 C1.8.7, C1.8.8.
    Not modelled: the event counters, comparators and trace packets.
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

    def __init__(self, spec: PeripheralSpec, soc: Soc) -> None:
        super().__init__(spec, soc)
        self.on_reset(0)

    def on_reset(self, t_ps: int) -> None:
        """Stopped at 0."""
        self._value = 0
        self._since = 0
        self._counting = False

    @ctrl.on_write
    def _enable(self, t_ps: int, written: int, before: int) -> None:
        self.on_clock(t_ps)

    def on_clock(self, t_ps: int) -> None:
        """What enables the counter may have changed."""
        counting = bool(self.ctrl.CYCCNTENA) and self._enabled()
        if counting != self._counting:
            if self._counting:
                self._value += self._cycles() - self._since
            self._since = self._cycles()
            self._counting = counting

    def _enabled(self) -> bool:
        dcb = self.soc.peripherals.get("DCB")
        return dcb is None or bool(dcb.states["DEMCR"].TRCENA)

    @cyccnt.on_write
    def _set(self, t_ps: int, written: int, before: int) -> None:
        self._value, self._since = written, self._cycles()

    @cyccnt.on_peek
    def _count(self, t_ps: int) -> Peek:
        if not self._counting:
            return Peek(self._value & _WORD, NEVER)
        return Peek((self._value + self._cycles() - self._since) & _WORD, t_ps)

    def _cycles(self) -> int:
        return self.soc.core.awake_cycles if self.soc.core is not None else 0


PERIPHERAL = Dwt
