"""System configuration controller of the STM32F4. RM0368 §7."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fwgen.machine.peripheral import Peripheral, Reg
from fwgen.units import PS_PER_US

if TYPE_CHECKING:
    from collections.abc import Callable

    from fwgen.board.types import PeripheralSpec
    from fwgen.machine.soc import Soc

PORTS = "ABCDEFGHI"  # EXTICR: 0 is port A ... 7 is port H, 8 port I (RM0090 §9.2.3)
COMPENSATION_PS = 2 * PS_PER_US  # the manual gives no time; the order of a few microseconds


class Syscfg(Peripheral, registers="stm32.syscfg_f4"):
    """Which port feeds which EXTI line; what lies at address 0. RM0368 §7.

    The multiplexers keep their choice while SYSCFG's clock is off.

    Not modelled: a memory other than main flash at address 0 (a Gap), ADC1DC2, MII_RMII_SEL.
    """

    memrmp = Reg(unmodelled=("MEM_MODE",))
    pmc = Reg()
    exticr1, exticr2, exticr3, exticr4 = Reg(), Reg(), Reg(), Reg()
    cmpcr = Reg()

    def __init__(self, spec: PeripheralSpec, soc: Soc) -> None:
        super().__init__(spec, soc)
        self.on_route: Callable[[int, int], None] | None = None  # line, t_ps: EXTI's hook
        self._epoch = 0

    def port(self, line: int) -> str:
        """The letter of the port that feeds an EXTI line; "" for a reserved choice."""
        choice = self.states[f"EXTICR{line // 4 + 1}"].value >> 4 * (line % 4) & 15
        return PORTS[choice] if choice < len(PORTS) else ""

    def on_reset(self, t_ps: int) -> None:
        """All lines from port A."""
        self._epoch += 1
        self._routed(t_ps, range(16))

    @exticr1.on_write
    def _route_1(self, t_ps: int, written: int, before: int) -> None:
        self._routed(t_ps, range(4))

    @exticr2.on_write
    def _route_2(self, t_ps: int, written: int, before: int) -> None:
        self._routed(t_ps, range(4, 8))

    @exticr3.on_write
    def _route_3(self, t_ps: int, written: int, before: int) -> None:
        self._routed(t_ps, range(8, 12))

    @exticr4.on_write
    def _route_4(self, t_ps: int, written: int, before: int) -> None:
        self._routed(t_ps, range(12, 16))

    def _routed(self, t_ps: int, lines: range) -> None:
        if self.on_route is not None:
            for line in lines:
                self.on_route(line, t_ps)

    @cmpcr.on_write
    def _compensation_cell(self, t_ps: int, written: int, before: int) -> None:
        if not self.cmpcr.CMP_PD:
            self.cmpcr.set(READY=0)
        elif not self.cmpcr.field("CMP_PD", before):
            epoch = self._epoch

            def ready(_: int) -> None:
                if epoch == self._epoch:
                    self.cmpcr.set(READY=self.cmpcr.CMP_PD)

            self.soc.scheduler.at(t_ps + COMPENSATION_PS, ready)


PERIPHERAL = Syscfg
