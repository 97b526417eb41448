"""Trace port interface unit: the asynchronous pin SWO."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fwgen.machine.peripheral import Peripheral, Reg
from fwgen.units import PS_PER_S

if TYPE_CHECKING:
    from fwgen.board.types import PeripheralSpec
    from fwgen.machine.soc import Soc

NRZ = 2  # SPPR.TXMODE: as a UART would
BITS = 10  # a byte with its start and stop bit


class Tpiu(Peripheral, registers="armv7m.tpiu"):
    """Sends trace packets on SWO at HCLK / (ACPR + 1), NRZ coded, where DBGMCU gave it the pin.

    Only a power reset clears it.

    Source: Arm ARM DDI0403 C1.10; RM0368 §23.17.
    Not modelled: the parallel port, Manchester coding, the formatter (each is a Gap when used).
    """

    cspsr, acpr, sppr, ffcr = Reg(), Reg(), Reg(), Reg()

    def __init__(self, spec: PeripheralSpec, soc: Soc) -> None:
        super().__init__(spec, soc)
        self._hclk = soc.clock("HCLK")

    def reset(self, t_ps: int) -> None:
        """Only a power reset clears it."""
        if self.soc.powered_up:
            super().reset(t_ps)

    def send(self, packet: bytes, t_ps: int) -> int:
        """Send a packet; gives when it has left."""
        dbgmcu: Any = self.soc.peripherals.get("DBGMCU")
        if dbgmcu is not None and not dbgmcu.cr.TRACE_IOEN:
            return t_ps
        if self.sppr.TXMODE != NRZ or self.ffcr.EnFCont:
            self.soc.gap(self.name, "SPPR", "write", self.spec.base + 0xF0, "not NRZ on SWO")
            return t_ps
        baud = self._hclk.hz / (self.acpr.SWOSCALER + 1)
        if not baud:
            return t_ps
        if self.soc.on_trace is not None:
            self.soc.on_trace(packet, t_ps, round(baud))
        return t_ps + round(len(packet) * BITS * PS_PER_S / baud)


PERIPHERAL = Tpiu
