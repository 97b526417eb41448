"""A peripheral that asks the DMA: a data register that gives and takes what a test says."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fwgen.machine.memory import MemoryMap
from fwgen.machine.peripheral import Peripheral, Reg
from tests.machine.stm32.alone import MHZ, soc_with

if TYPE_CHECKING:
    from fwgen.machine.soc import Soc

RX = {"SPI2": (3, 0), "SPI1": (0, 3)}  # stream and channel
TX = {"SPI2": (4, 0), "SPI1": (3, 3)}


class Mouth(Peripheral, registers="stm32.spi_v2"):
    """``gives`` is read from DR one after the other, ``takes`` collects what is written there.

    Each request stands while there is something to give, or ``room``.
    """

    dr = Reg()

    def open(self) -> None:
        self.gives: list[int] = []
        self.takes: list[tuple[int, int]] = []  # time, value
        self.served: list[tuple[int, str, int]] = []
        self.room = 0
        self.length: int | None = None  # items, where this peripheral is the flow controller

    def offer(self, t_ps: int, *values: int) -> None:
        self.gives += values
        self._ask(t_ps)

    def make_room(self, t_ps: int, count: int) -> None:
        self.room += count
        self._ask(t_ps)

    def _ask(self, t_ps: int) -> None:
        self.dma(t_ps, "rx", bool(self.gives), last=self.length is not None)
        self.dma(t_ps, "tx", self.room > 0)

    @dr.on_read
    def _give(self, t_ps: int) -> int:
        value = self.gives.pop(0) if self.gives else 0
        self._ask(t_ps)
        return value

    @dr.on_write
    def _take(self, t_ps: int, written: int, _before: int) -> None:
        self.takes.append((t_ps, written & 0xFFFF))
        self.room -= 1
        self._ask(t_ps)

    def on_dma(self, t_ps: int, request: str, left: int) -> None:
        self.served.append((t_ps, request, left))


def soc_with_mouth(name: str, *others: str, hz: int = 16 * MHZ) -> tuple[Soc, Mouth]:
    """DMA1, DMA2 and the mouth in the place of an SPI, all clocked, with memory."""
    soc = soc_with("DMA1", "DMA2", name, *others, hz=hz)
    soc.memory = MemoryMap(soc.chip)
    mouth = Mouth(soc.chip.peripherals[name], soc)
    mouth.open()
    soc.peripherals[name] = mouth
    return soc, mouth
