"""The registers of an SPI of the STM32F4, and when it sends and receives. RM0368 §20.3."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fwgen.machine.buses.spi import ports_on
from fwgen.machine.peripheral import Reg
from fwgen.machine.stm32.spi_v2.block import Block
from fwgen.machine.stm32.spi_v2.crc import crc, reversed_bits
from fwgen.machine.stm32.spi_v2.extension import I2sExtension
from fwgen.machine.stm32.spi_v2.frames import Lines, MasterFrame
from fwgen.machine.stm32.spi_v2.i2s import I2sMaster
from fwgen.machine.stm32.spi_v2.i2s_slave import I2sSlave
from fwgen.machine.stm32.spi_v2.slave import Slave
from fwgen.machine.stm32.spi_v2.ti import TiSlave
from fwgen.trace import SpiFrame

if TYPE_CHECKING:
    from collections.abc import Callable

    from fwgen.board.types import PeripheralSpec
    from fwgen.machine.buses.spi import SpiPort
    from fwgen.machine.peripheral import Register
    from fwgen.machine.signals import Signal
    from fwgen.machine.soc import Soc

SECTION = "RM0368 §20.3"


class Spi(Block):
    """Serial peripheral interface, and I2S. RM0368 §20.

    Master and slave, four modes, 8 and 16 bits, full duplex, receive only, one bidirectional line,
    NSS by software and by hardware, CRC, interrupts ("global") and DMA requests ("rx", "tx").

    A master's frame takes two events (the middle of its last bit, its end) and one record
    (SpiFrame); its edges are written out only while somebody listens to them: a slave on the same
    wire, a timer, an EXTI line.

    TI frames. I2S: master and slave, all standards, from the PLLI2S or I2S_CKIN, with MCK; full
    duplex with I2SxEXT.

    Not modelled: nothing. What a slave shifts out when nothing was written to DR is not defined:
    here it is what it received last.
    """

    cr1, crcpr, rxcrcr, txcrcr = Reg(), Reg(), Reg(), Reg()
    cr2, i2scfgr, i2spr = Reg(), Reg(), Reg()

    def __init__(self, spec: PeripheralSpec, soc: Soc) -> None:
        super().__init__(spec, soc)
        self.lines = Lines(soc, self.name)
        self.slave, self.ti_slave = Slave(self), TiSlave(self)
        self.frame: MasterFrame | None = None
        self._unwatch: Callable[[], None] | None = None
        self.i2s = I2sMaster(self)
        self.i2s_slave = I2sSlave(self, self.lines.mosi, self.lines.mosi_in)
        self._start()

    def _start(self) -> None:
        self._extension_asks = False
        self._floated = False
        self._crc_by_dma = False
        self._led = False  # NSS rose for a frame that is still to begin

    def on_reset(self, t_ps: int) -> None:
        """Drop what was on its way; let go of the lines."""
        if self.frame is not None:
            self.frame.cancel()
            self.frame = None
        self._stop_slave()
        self._watch_nss(watch=False)
        self._i2s_off(t_ps)
        self._start()
        self.lines.release(t_ps)
        super().on_reset(t_ps)

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
    def ti(self) -> bool:
        """Whether frames are TI's: mode, order of bits and NSS are then not CR1's (§20.3.4)."""
        return bool(self.cr2.FRF)

    @property
    def ear(self) -> Slave:
        """What listens while another master clocks."""
        return self.ti_slave if self.ti else self.slave

    @property
    def data_in(self) -> Signal:
        """The line it takes data from: one line serves both ways in bidirectional mode."""
        cr1, lines = self.cr1, self.lines
        if cr1.MSTR:
            return lines.mosi_in if cr1.BIDIMODE else lines.miso_in
        return lines.miso_in if cr1.BIDIMODE else lines.mosi_in

    def nss(self, t_ps: int) -> int:
        """The level of NSS as this port sees it; a pin that floats or is not there reads 0."""
        if self.ti and self.cr1.MSTR:
            return 1
        if self.cr1.SSM:
            return self.cr1.SSI
        if self.cr1.MSTR and self.cr2.SSOE:
            return 1
        return self.lines.nss_in.level(t_ps) or 0

    def in_order(self, value: int) -> int:
        """A frame with its first bit on top, from DR or to it."""
        return reversed_bits(value, self.bits) if self.cr1.LSBFIRST and not self.ti else value

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
    def _control_2(self, t_ps: int, _written: int, before: int) -> None:
        if self.cr1.SPE:
            if self.cr2.field("FRF", before) != self.cr2.FRF:
                self._stop_slave()
            self._lines_on(t_ps)
            self.mode_fault(t_ps)
        self.request(t_ps)

    @i2scfgr.on_write
    def _i2s_configured(self, t_ps: int, _written: int, before: int) -> None:
        cfg = self.i2scfgr
        was_on = cfg.field("I2SE", before) and cfg.field("I2SMOD", before)
        on = cfg.I2SE and cfg.I2SMOD
        if on and not was_on:
            if cfg.I2SCFG & 2:
                self.i2s.switched_on(t_ps)
            else:
                self.lines.release(t_ps)
                self.i2s_slave.switched_on(t_ps, self.lines.sck_in, self.lines.nss_in)
            self.extension_attends(t_ps)
        elif was_on and not on:
            self._i2s_off(t_ps)
            self.extension_attends(t_ps)
        elif on and cfg.value != before:
            self._i2s_reconfigured(cfg)
        self.request(t_ps)

    @i2spr.on_write
    def _i2s_divided(self, _t_ps: int, _written: int, before: int) -> None:
        if self.i2scfgr.I2SE and self.i2scfgr.I2SMOD and self.i2spr.value != before:
            self._i2s_reconfigured(self.i2spr)

    def _i2s_reconfigured(self, register: Register) -> None:
        self.soc.hazard(
            "spi-reconfigured",
            f"{self.name}.{register.name} changed while I2SE is 1: its fields are to be set before",
            section="RM0368 §20.5.8, §20.5.9",
            cure="clear I2SE first",
        )

    def _i2s_off(self, t_ps: int) -> None:
        self.i2s.switched_off(t_ps)
        self.i2s_slave.switched_off(t_ps)

    def extension_interrupt(self, t_ps: int, level: bool) -> None:
        """I2SxEXT asks for the interrupt that both share."""
        self._extension_asks = level
        self.interrupt(t_ps, self._line)

    def interrupt(self, t_ps: int, level: bool) -> None:
        """Raise the interrupt for this block or its extension."""
        super().interrupt(t_ps, level or self._extension_asks)

    def extension_attends(self, t_ps: int) -> None:
        """I2SxEXT, if it is on, hears this block's clock and word select while that is on."""
        extension = self.soc.peripherals.get(f"{self.name.replace('SPI', 'I2S')}ext")
        if isinstance(extension, I2sExtension):
            extension.attend(t_ps, self)

    def emptied(self, t_ps: int) -> None:
        """DR is read."""
        if self.sr.RXNE and self._floated:
            pad = self.data_in.pad
            self.soc.hazard(
                "floating-input",
                f"{self.name} reads what nothing gives:"
                f" {pad.name if pad is not None else 'its data input'} floats",
                section="RM0368 §8.3.9",
                cure="wire the part's output to this pin, or set a pull in PUPDR",
            )

    def filled(self, t_ps: int) -> None:
        """DR was written."""
        if not self.i2scfgr.I2SMOD:
            assert self.tx is not None
            self.tx &= (1 << self.bits) - 1
            self.next(t_ps)
            self.ear.present(t_ps)
        else:
            self.i2s.next(t_ps)

    def on_dma(self, t_ps: int, request: str, left: int) -> None:
        """The CRC follows the last item that DMA gives or takes, by itself (§20.3.10)."""
        if left or not self.cr1.CRCEN:
            return
        if request == "tx":
            self._crc_by_dma = True
            self.next(t_ps)
        elif not (self.cr2.TXDMAEN or self.drives):
            self._crc_by_dma = True
            if self.frame is not None:  # a master that only receives clocks on by itself
                self.frame.crc = True

    # ------------------------------------------------------------------ on and off

    def _lines_on(self, t_ps: int) -> None:
        cr1, lines = self.cr1, self.lines
        if self.frame is not None:
            return
        watch = bool(cr1.MSTR and not (cr1.SSM or self.cr2.SSOE or self.ti))
        self._watch_nss(watch=watch)
        if cr1.MSTR:
            self._stop_slave()
            lines.miso.drive(t_ps, None)
            lines.nss.drive(t_ps, 0 if self.ti or (self.cr2.SSOE and not cr1.SSM) else None)
            lines.sck.drive(t_ps, cr1.CPOL and not self.ti)
            if not self.drives:
                lines.mosi.drive(t_ps, None)
            elif lines.mosi.level(t_ps) is None:
                lines.mosi.drive(t_ps, 0)
        else:
            for line in (lines.sck, lines.mosi, lines.nss):
                line.drive(t_ps, None)
            self.ear.listen(t_ps)

    def _stop_slave(self) -> None:
        self.slave.stop()
        self.ti_slave.stop()

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
            if self.frame.is_sampled:
                self.record(t_ps, self.frame.sent, self.frame.heard, self.frame.start_ps)
            self.frame = None
        elif self.ear.within_frame:
            self.soc.hazard(
                "spi-cut",
                f"{self.name}: SPE cleared while the master was clocking a frame: it is lost",
                section=f"{SECTION}.8",
                cure="wait until the master is done, and BSY has fallen",
            )
        self._stop_slave()
        self._led = False
        self._watch_nss(watch=False)
        if self.frame is None:  # one that is only received comes to its end
            self.sr.set(BSY=0)
            self.lines.release(t_ps)

    def _check_reconfigured(self, before: int) -> None:
        cr1 = self.cr1
        changed = (cr1.value ^ before) & cr1.mask(
            "BR", "CPOL", "CPHA", "DFF", "LSBFIRST", "CRCEN", "MSTR"
        )
        if self.ti:
            changed &= ~cr1.mask("CPOL", "CPHA", "LSBFIRST")
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
            sent = self.shift_out(is_crc=is_crc)
        start = self.clock.ticks_at(t_ps) + 1 if tick is None else tick
        self._check_connected()
        self.sr.set(BSY=1)
        self.frame = MasterFrame(
            self.soc, self.clock, self.lines, start=start, bit_ticks=2 << cr1.BR, bits=self.bits,
            cpol=0 if self.ti else cr1.CPOL, cpha=1 if self.ti else cr1.CPHA, sent=sent,
            source=self.data_in if self.listens else None, sampled=self._sampled,
            done=self._framed, ti=self.ti, led=self._led, more=self._follows,
        )  # fmt: skip
        self._led = False
        self.frame.crc = is_crc

    def _follows(self, _t_ps: int) -> bool:
        """Whether a frame follows the one whose last bit begins."""
        cr1 = self.cr1
        waits = self.tx is not None or self.crc_is_next or self._receives_only
        return bool(cr1.SPE and cr1.MSTR and waits)

    def shift_out(self, *, is_crc: bool) -> int | None:
        """What goes into the shift register, first bit on top; None: nothing was written."""
        if is_crc:
            return self.txcrcr.value & ((1 << self.bits) - 1)
        value = self.take()
        if value is None:
            return None
        sent = self.in_order(value)
        if self.cr1.CRCEN:
            self.txcrcr.value = crc(self.txcrcr.value, sent, self.crcpr.value, self.bits)
        return sent

    def _sampled(self, t_ps: int) -> None:
        """The last bit of a master's frame was sampled: RXNE rises here, BSY falls at its end."""
        frame = self.frame
        assert frame is not None
        lonely = all(port.miso is not self.data_in.pad for port in self._parts())
        self._floated = frame.floated and lonely
        self.settle(frame.heard, is_crc=frame.crc)
        self.request(t_ps)

    def _framed(self, t_ps: int) -> None:
        """A master's frame is over."""
        frame = self.frame
        assert frame is not None
        self.frame, self._led = None, frame.leads
        self.record(t_ps, frame.sent, frame.heard, frame.start_ps)
        self.next(t_ps, frame.end)
        if self.frame is None:
            self.sr.set(BSY=0)
            if not self.cr1.SPE:
                self.lines.release(t_ps)
        self.request(t_ps)

    def settle(self, heard: int | None, *, is_crc: bool) -> None:
        """A frame was shifted in, its first bit on top; None: nobody listened."""
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
            self.give(self.in_order(heard))

    def record(self, t_ps: int, sent: int | None, heard: int | None, start_ps: int) -> None:
        """Tell the trace of a frame; both have their first bit on top."""
        told = [None if value is None else self.in_order(value) for value in (sent, heard)]
        role = "master" if self.cr1.MSTR else "slave"
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
