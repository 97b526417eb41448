"""The registers of an SPI of the STM32F4, and when it sends and receives. RM0368 §20.3."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fwgen.machine.buses.spi import ports_on
from fwgen.machine.peripheral import Peek, Peripheral, Reg
from fwgen.machine.stm32.spi_v2.crc import crc, reversed_bits
from fwgen.machine.stm32.spi_v2.frames import Lines, MasterFrame
from fwgen.machine.stm32.spi_v2.i2s import I2s
from fwgen.machine.stm32.spi_v2.slave import Slave
from fwgen.machine.time import NEVER
from fwgen.trace import SpiFrame

if TYPE_CHECKING:
    from collections.abc import Callable

    from fwgen.board.types import PeripheralSpec
    from fwgen.machine.buses.spi import SpiPort
    from fwgen.machine.signals import Signal
    from fwgen.machine.soc import Soc

SECTION = "RM0368 §20.3"

# Of SR
_RXNE, _TXE, _UDR, _CRCERR, _MODF, _OVR, _FRE = (1 << n for n in (0, 1, 3, 4, 5, 6, 8))


class Spi(Peripheral, registers="stm32.spi_v2"):
    """Serial peripheral interface. RM0368 §20.3.

    Master and slave, four modes, 8 and 16 bits, full duplex, receive only, one bidirectional line,
    NSS by software and by hardware, CRC, interrupts ("global") and DMA requests ("rx", "tx").

    A master's frame takes one event and one record (SpiFrame); its edges are written out only
    while somebody listens to them: a slave on the same wire, a timer, an EXTI line. RXNE rises
    with the end of a frame, half a bit later than on silicon.

    I2S as a master: transmitter or receiver, all standards, from the PLLI2S, with MCK.

    Not modelled (a Gap where firmware asks for it): I2S as a slave, its full duplex (I2SxEXT) and
    I2S_CKIN; the TI frame format. What a slave shifts out when nothing was written to DR is not
    defined: here it is what it received last.
    """

    cr1 = Reg()
    cr2 = Reg(unmodelled=("FRF",))
    sr, dr, crcpr, rxcrcr, txcrcr = Reg(), Reg(), Reg(), Reg(), Reg()
    i2scfgr, i2spr = Reg(), Reg()

    def __init__(self, spec: PeripheralSpec, soc: Soc) -> None:
        super().__init__(spec, soc)
        self.lines = Lines(soc, self.name)
        self.slave = Slave(self)
        self.frame: MasterFrame | None = None
        self._unwatch: Callable[[], None] | None = None
        self.i2s = I2s(self)
        self._start()

    def _start(self) -> None:
        self.tx: int | None = None  # what waits in the transmit buffer
        self.rx = 0
        self._floated = False
        self._line = False
        self._asks = (False, False)
        self._read_since_ovr = False
        self._modf_seen = False
        self._crc_by_dma = False

    def on_reset(self, t_ps: int) -> None:
        """Drop what was on its way; let go of the lines."""
        if self.frame is not None:
            self.frame.cancel()
            self.frame = None
        self.slave.stop()
        self._watch_nss(watch=False)
        self.i2s.switched_off(t_ps)
        self._start()
        self.lines.release(t_ps)
        self.request(t_ps)

    def on_clock(self, t_ps: int) -> None:
        """A frame going out stretches with the clock."""
        if self.frame is not None:
            self.frame.stretch()

    # ------------------------------------------------------------------ what CR1 says

    @property
    def bits(self) -> int:
        """Bits in a frame."""
        return 16 if self.cr1.DFF else 8

    @property
    def drives(self) -> bool:
        """Whether it puts data out."""
        cr1 = self.cr1
        return bool(cr1.BIDIOE) if cr1.BIDIMODE else not cr1.RXONLY

    @property
    def listens(self) -> bool:
        """Whether it takes data in."""
        return not (self.cr1.BIDIMODE and self.cr1.BIDIOE)

    @property
    def data_in(self) -> Signal:
        """The line it takes data from: one line serves both ways in bidirectional mode."""
        cr1, lines = self.cr1, self.lines
        if cr1.MSTR:
            return lines.mosi_in if cr1.BIDIMODE else lines.miso_in
        return lines.miso_in if cr1.BIDIMODE else lines.mosi_in

    def nss(self, t_ps: int) -> int:
        """The level of NSS as this port sees it; a pin that floats or is not there reads 0."""
        if self.cr1.SSM:
            return self.cr1.SSI
        if self.cr1.MSTR and self.cr2.SSOE:
            return 1
        return self.lines.nss_in.level(t_ps) or 0

    def in_order(self, value: int) -> int:
        """A frame with its first bit on top, from DR or to it."""
        return reversed_bits(value, self.bits) if self.cr1.LSBFIRST else value

    # ------------------------------------------------------------------ registers

    @cr1.on_write
    def _control_1(self, t_ps: int, _written: int, before: int) -> None:
        cr1 = self.cr1
        was_on = cr1.field("SPE", before)
        if self.sr.MODF:
            # "Hardware does not allow the user to set the SPE and MSTR bits while MODF is set"
            cr1.set(SPE=0, MSTR=0)
            if self._modf_seen:
                self.sr.set(MODF=0)
                self._modf_seen = False
        if cr1.CRCEN and not cr1.field("CRCEN", before):
            self.rxcrcr.value = self.txcrcr.value = 0
        if was_on and not cr1.SPE:
            self._switched_off(t_ps)
        elif cr1.SPE:
            if was_on and self.sr.BSY:
                self._check_reconfigured(before)
            self._lines_on(t_ps)
            self.mode_fault(t_ps)
            self.next(t_ps)
        self.request(t_ps)

    @cr2.on_write
    def _control_2(self, t_ps: int, _written: int, _before: int) -> None:
        if self.cr1.SPE:
            self._lines_on(t_ps)
            self.mode_fault(t_ps)
        self.request(t_ps)

    @i2scfgr.on_write
    def _i2s_configured(self, t_ps: int, _written: int, before: int) -> None:
        cfg = self.i2scfgr
        was_on = cfg.field("I2SE", before) and cfg.field("I2SMOD", before)
        on = cfg.I2SE and cfg.I2SMOD
        if on and not was_on:
            if self._i2s_is_modelled():
                self.i2s.switched_on(t_ps)
        elif was_on and not on:
            self.i2s.switched_off(t_ps)
        self.request(t_ps)

    def _i2s_is_modelled(self) -> bool:
        address = self.spec.base + self.i2scfgr.spec.offset
        rcc = self.soc.peripherals.get("RCC")
        if self.i2scfgr.I2SCFG < 2:
            self.soc.gap(self.name, "I2SCFGR.I2SCFG", "write", address, "I2S as a slave")
        elif rcc is not None and rcc.states["CFGR"].I2SSRC:
            self.soc.gap(self.name, "I2SCFGR.I2SE", "write", address, "the clock from I2S_CKIN")
        else:
            return True
        return False

    @sr.on_read
    def _status(self, t_ps: int) -> int:
        # Firmware polls this: the bits are named in numbers.
        sr = self.sr
        value = sr.value
        self._modf_seen |= bool(value & _MODF)
        cleared = _FRE | _UDR
        if self._read_since_ovr:  # "a read of SPI_DR followed by a read access to SPI_SR"
            cleared |= _OVR
            self._read_since_ovr = False
        if value & cleared:
            sr.value = value & ~cleared
            self.request(t_ps)
        return value

    @sr.on_peek
    def _peek_status(self, t_ps: int) -> Peek:
        return Peek(self.sr.value, NEVER)  # every change comes with an event or an access

    @sr.on_write
    def _status_written(self, t_ps: int, _written: int, _before: int) -> None:
        self._modf_seen |= bool(self.sr.MODF)
        self.request(t_ps)

    @dr.on_read
    def _data_read(self, t_ps: int) -> int:
        sr = self.sr
        if sr.RXNE and self._floated:
            pad = self.data_in.pad
            self.soc.hazard(
                "floating-input",
                f"{self.name} reads what nothing gives:"
                f" {pad.name if pad is not None else 'its data input'} floats",
                section="RM0368 §8.3.9",
                cure="wire the part's output to this pin, or set a pull in PUPDR",
            )
        sr.set(RXNE=0)
        self._read_since_ovr |= bool(sr.OVR)
        value = self.rx
        self.i2s.read(t_ps)
        self.request(t_ps)
        return value

    @dr.on_write
    def _data_written(self, t_ps: int, written: int, _before: int) -> None:
        if not self.sr.TXE:
            self.soc.hazard(
                "tx-overrun",
                f"{self.name}.DR written while TXE is 0: the frame that waited there is lost",
                section=f"{SECTION}.5",
                cure="wait for TXE in SR before each write to DR",
            )
        self.tx = written & (0xFFFF if self.i2scfgr.I2SMOD else (1 << self.bits) - 1)
        self.sr.set(TXE=0)
        self.i2s.next(t_ps)
        self.next(t_ps)
        self.slave.present(t_ps)
        self.request(t_ps)

    def request(self, t_ps: int) -> None:
        """Raise or lower the interrupt and the DMA requests."""
        sr, cr2 = self.sr.value, self.cr2.value
        # TXEIE, RXNEIE and ERRIE, each against its flags
        line = bool(
            (cr2 & 0x80 and sr & _TXE)
            or (cr2 & 0x40 and sr & _RXNE)
            or (cr2 & 0x20 and sr & (_MODF | _OVR | _CRCERR | _FRE | _UDR))
        )
        if line != self._line:
            self._line = line
            if "global" in self.spec.irqs:
                self.irq(t_ps, "global", line)
        asks = (bool(cr2 & 2 and sr & _TXE), bool(cr2 & 1 and sr & _RXNE))  # TXDMAEN, RXDMAEN
        if asks != self._asks:
            before, self._asks = self._asks, asks
            for request, level, old in zip(("tx", "rx"), asks, before, strict=True):
                if level != old:
                    self.dma(t_ps, request, level)

    def on_dma(self, t_ps: int, request: str, left: int) -> None:
        """The CRC follows the last item that DMA gives, by itself (§20.3.10)."""
        if request == "tx" and left == 0 and self.cr1.CRCEN:
            self._crc_by_dma = True
            self.next(t_ps)

    # ------------------------------------------------------------------ on and off

    def _lines_on(self, t_ps: int) -> None:
        cr1, lines = self.cr1, self.lines
        if self.frame is not None:
            return
        self._watch_nss(watch=bool(cr1.MSTR and not cr1.SSM and not self.cr2.SSOE))
        if cr1.MSTR:
            self.slave.stop()
            lines.miso.drive(t_ps, None)
            lines.nss.drive(t_ps, 0 if self.cr2.SSOE and not cr1.SSM else None)
            lines.sck.drive(t_ps, cr1.CPOL)
            if not self.drives:
                lines.mosi.drive(t_ps, None)
            elif lines.mosi.level(t_ps) is None:
                lines.mosi.drive(t_ps, 0)
        else:
            for line in (lines.sck, lines.mosi, lines.nss):
                line.drive(t_ps, None)
            self.slave.listen(t_ps)

    def _watch_nss(self, *, watch: bool) -> None:
        """Another master may pull NSS low at any time."""
        if watch and self._unwatch is None:
            self._unwatch = self.lines.nss_in.listen(lambda t_ps, _level: self.mode_fault(t_ps))
        elif not watch and self._unwatch is not None:
            self._unwatch()
            self._unwatch = None

    def _switched_off(self, t_ps: int) -> None:
        if self.frame is not None and not (self.cr1.MSTR and self._receives_only):
            self.soc.hazard(
                "spi-cut",
                f"{self.name}: SPE cleared while a frame was on its way: the frame is lost",
                section=f"{SECTION}.8",
                cure="wait for TXE, then for BSY to fall, before clearing SPE",
            )
            self.frame.cancel()
            self.frame = None
        elif self.slave.within_frame:
            self.soc.hazard(
                "spi-cut",
                f"{self.name}: SPE cleared while the master was clocking a frame: it is lost",
                section=f"{SECTION}.8",
                cure="wait until the master is done, and BSY has fallen",
            )
        self.slave.stop()
        self._watch_nss(watch=False)
        if self.frame is None:  # one that is only received comes to its end
            self.sr.set(BSY=0)
            self.lines.release(t_ps)

    def _check_reconfigured(self, before: int) -> None:
        cr1 = self.cr1
        changed = (cr1.value ^ before) & cr1.mask(
            "BR", "CPOL", "CPHA", "DFF", "LSBFIRST", "CRCEN", "MSTR"
        )
        if changed:
            self.soc.hazard(
                "spi-reconfigured",
                f"{self.name}.CR1: bits {changed:#06x} changed while a frame is on its way",
                section="RM0368 §20.5.1",
                cure="wait until BSY is 0, and clear SPE first",
            )

    def mode_fault(self, t_ps: int) -> None:
        """A master whose NSS is low gives up (§20.3.9)."""
        cr1 = self.cr1
        if not (cr1.SPE and cr1.MSTR) or self.nss(t_ps):
            return
        if self.frame is not None:
            self.frame.cancel()
            self.frame = None
        cr1.set(SPE=0, MSTR=0)
        self.sr.set(MODF=1, BSY=0)
        self._modf_seen = False
        self.lines.release(t_ps)
        self.soc.hazard(
            "spi-mode-fault",
            f"{self.name} is master, and its NSS is low: it falls back to slave, and is off",
            section=f"{SECTION}.9",
            cure="set SSM and SSI in CR1, or SSOE in CR2, unless there is another master",
        )
        self.request(t_ps)

    # ------------------------------------------------------------------ frames

    @property
    def _receives_only(self) -> bool:
        return not self.drives

    @property
    def crc_is_next(self) -> bool:
        """Whether the next frame carries the CRC."""
        cr1 = self.cr1
        wanted = cr1.CRCEN and (cr1.CRCNEXT or self._crc_by_dma)
        return bool(wanted and (self.tx is None or not self.drives))

    def next(self, t_ps: int, tick: int | None = None) -> None:
        """Begin a master's frame, if it is time for one."""
        cr1 = self.cr1
        if self.frame is not None or not (cr1.SPE and cr1.MSTR) or self.sr.MODF:
            return
        is_crc = self.crc_is_next
        if not (self.tx is not None or is_crc or self._receives_only):
            return
        sent: int | None = None
        if self.drives:
            sent = self.take(is_crc=is_crc)
        start = self.clock.ticks_at(t_ps) + 1 if tick is None else tick
        self._check_connected()
        self.sr.set(BSY=1)
        self.frame = MasterFrame(
            self.soc, self.clock, self.lines, start=start, bit_ticks=2 << cr1.BR, bits=self.bits,
            cpol=cr1.CPOL, cpha=cr1.CPHA, sent=sent,
            source=self.data_in if self.listens else None, done=self._framed,
        )  # fmt: skip
        self.frame.crc = is_crc

    def take(self, *, is_crc: bool) -> int | None:
        """What goes into the shift register, first bit on top; None: nothing was written."""
        if is_crc:
            return self.txcrcr.value & ((1 << self.bits) - 1)
        value, self.tx = self.tx, None
        self.sr.set(TXE=1)
        if value is None:
            return None
        sent = self.in_order(value)
        if self.cr1.CRCEN:
            self.txcrcr.value = crc(self.txcrcr.value, sent, self.crcpr.value, self.bits)
        return sent

    def _framed(self, t_ps: int) -> None:
        """A master's frame is over."""
        frame = self.frame
        assert frame is not None
        self.frame = None
        lonely = all(port.miso is not self.data_in.pad for port in self._parts())
        self._floated = frame.floated and lonely
        self.settle(t_ps, frame.sent, frame.heard, frame.start_ps, is_crc=frame.crc)
        self.next(t_ps, frame.end)
        if self.frame is None:
            self.sr.set(BSY=0)
            if not self.cr1.SPE:
                self.lines.release(t_ps)
        self.request(t_ps)

    def settle(
        self, t_ps: int, sent: int | None, heard: int | None, start_ps: int, *, is_crc: bool
    ) -> None:
        """A frame was shifted out and in: both have their first bit on top."""
        sr, cr1 = self.sr, self.cr1
        if is_crc:
            cr1.set(CRCNEXT=0)
            self._crc_by_dma = False
        if heard is not None:
            if is_crc:
                if heard != self.rxcrcr.value:
                    sr.set(CRCERR=1)
            elif cr1.CRCEN:
                self.rxcrcr.value = crc(self.rxcrcr.value, heard, self.crcpr.value, self.bits)
            if sr.RXNE:
                sr.set(OVR=1)
                self._read_since_ovr = False
            else:
                self.rx = self.in_order(heard)
                sr.set(RXNE=1)
        told = [None if value is None else self.in_order(value) for value in (sent, heard)]
        role = "master" if cr1.MSTR else "slave"
        self.soc.recorder.add(
            SpiFrame(t_ps, self.name, role, told[0], told[1], self.bits, start_ps)
        )

    def _parts(self) -> list[SpiPort]:
        pad = self.lines.sck_in.pad
        return ports_on(pad) if pad is not None else []

    def _check_connected(self) -> None:
        if not (self.lines.sck.taken or self.lines.mosi.taken):
            self.soc.hazard(
                "spi-not-connected",
                f"{self.name} clocks a frame, but no pin is set to {self.name}_SCK: nothing comes"
                " out",
                section="RM0368 §8.3.2",
                cure=f"set MODER to alternate function and AFR of a pin with {self.name}_SCK",
            )
