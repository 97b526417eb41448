"""What SPIx and I2SxEXT have in common: DR with its flags, interrupts, DMA. RM0368 §20.5."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fwgen.machine.peripheral import Peek, Peripheral, Reg
from fwgen.machine.time import NEVER

if TYPE_CHECKING:
    from fwgen.board.types import PeripheralSpec
    from fwgen.machine.soc import Soc

# Of SR
RXNE, TXE, UDR, CRCERR, MODF, OVR, FRE = (1 << n for n in (0, 1, 3, 4, 5, 6, 8))


class Block(Peripheral, registers="stm32.spi_v2"):
    """A transmit and a receive buffer behind DR, with their flags and requests.

    Subclasses say what moves the data: they take ``tx`` and call ``give``.
    """

    cr2, sr, dr, i2scfgr, i2spr = Reg(), Reg(), Reg(), Reg(), Reg()

    def __init__(self, spec: PeripheralSpec, soc: Soc) -> None:
        super().__init__(spec, soc)
        self._clear()

    def _clear(self) -> None:
        self.tx: int | None = None  # what waits in the transmit buffer
        self.rx = 0
        self._line = False
        self._asks = (False, False)
        self._read_since_ovr = False
        self._modf_seen = False

    def on_reset(self, t_ps: int) -> None:
        """Drop what waited."""
        self._clear()
        self.request(t_ps)

    # ------------------------------------------------------------------ for subclasses

    def filled(self, t_ps: int) -> None:
        """DR was written."""

    def emptied(self, t_ps: int) -> None:
        """DR is read."""

    def take(self) -> int | None:
        """What was written to DR goes on; None: nothing was."""
        value, self.tx = self.tx, None
        self.sr.set(TXE=1)
        return value

    def give(self, value: int) -> bool:
        """What was received goes into DR; False: one that nobody read is there, this is lost."""
        if self.sr.RXNE:
            self.sr.set(OVR=1)
            self._read_since_ovr = False
            return False
        self.rx = value
        self.sr.set(RXNE=1)
        return True

    # ------------------------------------------------------------------ registers

    @sr.on_read
    def _status(self, t_ps: int) -> int:
        # Firmware polls this: the bits are named in numbers.
        sr = self.sr
        value = sr.value
        self._modf_seen |= bool(value & MODF)
        cleared = FRE | UDR
        if self._read_since_ovr:  # "a read of SPI_DR followed by a read access to SPI_SR"
            cleared |= OVR
            self._read_since_ovr = False
        if value & cleared:
            sr.value = value & ~cleared
            self.request(t_ps)
        return value

    @sr.on_peek
    def _peek_status(self, t_ps: int) -> Peek:
        value = self.sr.value
        clears = value & (FRE | UDR) or (value & OVR and self._read_since_ovr)
        return Peek(value, t_ps if clears else NEVER)  # else it changes with an event or an access

    @sr.on_write
    def _status_written(self, t_ps: int, _written: int, _before: int) -> None:
        self._modf_seen |= bool(self.sr.MODF)
        self.request(t_ps)

    @dr.on_read
    def _data_read(self, t_ps: int) -> int:
        self.emptied(t_ps)
        self.sr.set(RXNE=0)
        self._read_since_ovr |= bool(self.sr.OVR)
        self.request(t_ps)
        return self.rx

    @dr.on_write
    def _data_written(self, t_ps: int, written: int, _before: int) -> None:
        if not self.sr.TXE:
            self.soc.hazard(
                "tx-overrun",
                f"{self.name}.DR written while TXE is 0: the frame that waited there is lost",
                section="RM0368 §20.3.5",
                cure="wait for TXE in SR before each write to DR",
            )
        self.tx = written & 0xFFFF
        self.sr.set(TXE=0)
        self.filled(t_ps)
        self.request(t_ps)

    def request(self, t_ps: int) -> None:
        """Raise or lower the interrupt and the DMA requests."""
        sr, cr2 = self.sr.value, self.cr2.value
        # TXEIE, RXNEIE and ERRIE, each against its flags
        line = bool(
            (cr2 & 0x80 and sr & TXE)
            or (cr2 & 0x40 and sr & RXNE)
            or (cr2 & 0x20 and sr & (MODF | OVR | CRCERR | FRE | UDR))
        )
        if line != self._line:
            self._line = line
            self.interrupt(t_ps, line)
        asks = (bool(cr2 & 2 and sr & TXE), bool(cr2 & 1 and sr & RXNE))  # TXDMAEN, RXDMAEN
        if asks != self._asks:
            before, self._asks = self._asks, asks
            for request, level, old in zip(("tx", "rx"), asks, before, strict=True):
                if level != old:
                    self.dma(t_ps, request, level)

    def interrupt(self, t_ps: int, level: bool) -> None:
        """The interrupt request changed."""
        if "global" in self.spec.irqs:
            self.irq(t_ps, "global", level)
