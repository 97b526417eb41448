"""The registers of an I2C port of the STM32F4, and their sequences. RM0368 §18.3, §18.6."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fwgen.machine.buses.i2c import Ear
from fwgen.machine.peripheral import Peek, Peripheral, Reg
from fwgen.machine.stm32.i2c_v1.checks import (
    check_pending,
    check_pins,
    check_reconfigured,
    check_timing,
    period_ps,
    scl_hz,
    scl_ticks,
)
from fwgen.machine.stm32.i2c_v1.lines import BusLines
from fwgen.machine.stm32.i2c_v1.log import TransferLog
from fwgen.machine.stm32.i2c_v1.pec import Pec
from fwgen.machine.stm32.i2c_v1.slave import Slave
from fwgen.machine.stm32.i2c_v1.smbus import Smbus
from fwgen.machine.stm32.i2c_v1.talker import Talker
from fwgen.machine.time import NEVER

if TYPE_CHECKING:
    from fwgen.board.types import PeripheralSpec
    from fwgen.machine.soc import Soc

# What a master is doing: nothing; waiting for software after START, the first or the second address
# byte; sending one of them; transmitting, receiving; refused; sending a STOP.
OFF, SB, HEADER, ADDRESS = "", "sb", "header", "address"
ADDR, TX, RX, REFUSED, STOPPING = "addr", "tx", "rx", "refused", "stopping"


class I2c(Peripheral, registers="stm32.i2c_v1"):
    """Inter-integrated circuit. RM0368 §18.

    Master and slave, 7 and 10 bit addresses, a second address, general call, standard and fast
    mode, clock stretching, POS, PEC, arbitration, clock synchronisation, interrupts ("ev", "er"),
    DMA ("rx", "tx", LAST), SMBus. Flags are cleared only by the sequences that the manual gives.

    Times are CCR's; the rise time of the lines and the few clocks until the port sees them are
    taken as zero. While only parts of the board are on the bus, a byte takes an event or two;
    with anybody else there, and on SMBus, every bit does.

    Not modelled: FLTR is stored, as there are no glitches to filter.
    """

    cr1, cr2, oar1, oar2, dr, sr1, sr2 = Reg(), Reg(), Reg(), Reg(), Reg(), Reg(), Reg()
    ccr, trise, fltr = Reg(), Reg(), Reg()

    def __init__(self, spec: PeripheralSpec, soc: Soc) -> None:
        super().__init__(spec, soc)
        self.lines = BusLines(soc, self.name)
        self.talker = Talker(self.lines, self._lost)
        self.slave = Slave(self)
        self.ear = Ear(self.lines, self.slave, self.slave.paused, outbid=self.slave.outbid)
        self.smbus = Smbus(self)
        self.pec = Pec(self)
        self.log = TransferLog(soc.recorder, self.name)
        self._start()

    def _start(self) -> None:
        self.pec.clear()
        self.phase = OFF
        self.tx: int | None = None  # what waits in DR to be sent
        self.held: int | None = None  # a byte received while DR was full
        self._data = 0
        self._seen = 0  # what the last read of SR1 showed: half of a clearing sequence
        self._reads = False  # the master's direction
        self._ten_bit = False
        self._ack_latch = False
        self._nack_last = False
        self._sent_any = False
        self._refused = False  # the last byte received was not acknowledged
        self._ev = self._er = False
        self._asks = (False, False)
        self._free_from = 0  # a START keeps this distance from the STOP before

    def on_reset(self, t_ps: int) -> None:
        """Drop what was on its way; let go of the lines."""
        self.log.cut(t_ps)
        self.talker.abort(t_ps)
        self.lines.listen(None)
        self.ear.clear()
        self.slave.clear()
        self.smbus.configured(t_ps)
        self._start()
        self.lines.release(t_ps)
        self.request(t_ps)

    # ------------------------------------------------------------------ CR1

    @cr1.on_write
    def _control_1(self, t_ps: int, written: int, before: int) -> None:
        cr1, sr1 = self.cr1, self.sr1
        if cr1.SWRST:
            self._check_cut("SWRST set")
            self.reset(t_ps)
            cr1.set(SWRST=1)
            return
        if self._seen & sr1.mask("STOPF") and sr1.STOPF:
            sr1.set(STOPF=0)
            self._seen &= ~sr1.mask("STOPF")
        was_on = cr1.field("PE", before)
        if was_on and cr1.PE:
            check_pending(self, before)
        if cr1.PE and not was_on:
            self._switched_on(t_ps)
        elif was_on and not cr1.PE:
            self._switched_off(t_ps)
        if not cr1.PE:
            cr1.set(START=0, STOP=0, PEC=0)
        self.smbus.configured(t_ps)
        self._advance(t_ps)
        self.slave.go_on(t_ps)
        self.request(t_ps)

    def _switched_on(self, t_ps: int) -> None:
        self.lines.release(t_ps)
        self.lines.listen(self.ear)
        # "set by hardware on detection of SDA or SCL low" (BUSY, §18.6.7)
        self.sr2.set(BUSY=int(not (self.lines.scl(t_ps) and self.lines.sda(t_ps))))

    def _switched_off(self, t_ps: int) -> None:
        self._check_cut("PE cleared")
        self.log.cut(t_ps)
        self.talker.abort(t_ps)
        self.lines.listen(None)
        self.ear.clear()
        self.slave.clear()
        self.phase, self.tx, self.held, self.pec.by_dma = OFF, None, None, False
        self.sr1.value = self.sr2.value = 0
        self.lines.release(t_ps)

    def _check_cut(self, what: str) -> None:
        if self.phase != OFF:
            why = "within a transfer: a part that is sending may hold SDA low"
            if self.cr1.STOP:
                why = "before the STOP that was asked for is out: it may be lost"
            self.soc.hazard(
                "i2c-cut",
                f"{self.name}: {what} {why}",
                section="RM0368 §18.6.1, UM10204 §3.1.16",
                cure="set STOP, and wait until it falls, before",
            )

    @cr2.on_write
    def _control_2(self, t_ps: int, _written: int, _before: int) -> None:
        self.request(t_ps)

    @ccr.on_write
    def _rate(self, t_ps: int, _written: int, before: int) -> None:
        check_reconfigured(self, self.ccr, before)

    @trise.on_write
    def _rise_time(self, t_ps: int, _written: int, before: int) -> None:
        check_reconfigured(self, self.trise, before)

    # ------------------------------------------------------------------ SR1, SR2

    @sr1.on_read
    def _status_1(self, t_ps: int) -> int:
        self._seen = self.sr1.value
        return self._seen

    @sr1.on_peek
    def _peek_1(self, t_ps: int) -> Peek:
        return Peek(self.sr1.value, NEVER)  # every change comes with an event or an access

    @sr1.on_write
    def _status_1_written(self, t_ps: int, _written: int, _before: int) -> None:
        self.request(t_ps)

    @sr2.on_read
    def _status_2(self, t_ps: int) -> int:
        value, sr1 = self.sr2.value, self.sr1
        if sr1.ADDR and self._seen & sr1.mask("ADDR"):
            sr1.set(ADDR=0)
            self._seen &= ~sr1.mask("ADDR")
            self._addressed(t_ps)
            self.request(t_ps)
        return value

    @sr2.on_peek
    def _peek_2(self, t_ps: int) -> Peek:
        # While ADDR is set, a read of SR1 and one of SR2 clear it.
        return Peek(self.sr2.value, t_ps if self.sr1.ADDR else NEVER)

    def _addressed(self, t_ps: int) -> None:
        """Software has seen ADDR."""
        if self.phase != ADDR:
            self.slave.go_on(t_ps)
            return
        if self._reads:
            self.phase = RX
            self._receive(t_ps)
        else:
            self.phase, self._sent_any = TX, False
            self.sr1.set(TXE=1)
            self._advance(t_ps)

    # ------------------------------------------------------------------ DR

    @dr.on_write
    def _data_written(self, t_ps: int, written: int, _before: int) -> None:
        sr1, byte = self.sr1, written & 0xFF
        if sr1.SB or sr1.ADD10:
            flag = "SB" if sr1.SB else "ADD10"
            if not self._seen & sr1.mask(flag):
                self.soc.hazard(
                    "i2c-sequence",
                    f"{self.name}.DR written with {flag} set, without a read of SR1 before: the"
                    " address is not sent",
                    section="RM0368 §18.6.6",
                    cure=f"read SR1 until {flag} is 1, then write DR",
                )
                return
            self._seen &= ~sr1.mask(flag)
            if sr1.SB:
                sr1.set(SB=0)
                self._send_address(t_ps, byte)
            else:
                sr1.set(ADD10=0)
                self._send_second(t_ps, byte)
            self.request(t_ps)
            return
        if self.phase != TX and not self.slave.transmits:
            self.soc.hazard(
                "i2c-not-sending",
                f"{self.name}.DR written while nothing is being sent: the byte is lost",
                section="RM0368 §18.6.5",
                cure="wait for SB, or for TXE after the address, before writing DR",
            )
            return
        if self.tx is not None:
            self.soc.hazard(
                "tx-overrun",
                f"{self.name}.DR written while TXE is 0: the byte that waited there is lost",
                section="RM0368 §18.6.5",
                cure="wait for TXE in SR1 before each write to DR",
            )
        self.tx = byte
        sr1.set(TXE=0, BTF=0)
        self._advance(t_ps)
        self.slave.go_on(t_ps)
        self.request(t_ps)

    @dr.on_read
    def _data_read(self, t_ps: int) -> int:
        sr1, value = self.sr1, self._data
        if sr1.RXNE:
            sr1.set(RXNE=0, BTF=0)
            if self.held is not None:
                byte, self.held = self.held, None
                self.take_in(byte)
            self._advance(t_ps)
            self.slave.go_on(t_ps)
            self.request(t_ps)
        return value

    def take_in(self, byte: int) -> None:
        """A byte was received: into DR, or held in the shift register while DR is full."""
        sr1 = self.sr1
        if sr1.RXNE:
            self.held = byte
            sr1.set(BTF=1)
        else:
            self._data = byte
            sr1.set(RXNE=1)

    # ------------------------------------------------------------------ requests

    def request(self, t_ps: int) -> None:
        """Raise or lower the interrupts and the DMA requests."""
        sr1, cr2 = self.sr1, self.cr2
        flags = sr1.value
        buffer = bool(sr1.TXE or sr1.RXNE)
        ev = bool(cr2.ITEVTEN and (flags & 0x1F or (cr2.ITBUFEN and buffer)))
        er = bool(cr2.ITERREN and flags & 0xDF00)
        if ev != self._ev:
            self._ev = ev
            self.irq(t_ps, "ev", ev)
        if er != self._er:
            self._er = er
            self.irq(t_ps, "er", er)
        asks = (bool(cr2.DMAEN and sr1.TXE), bool(cr2.DMAEN and sr1.RXNE))
        if asks != self._asks:
            before, self._asks = self._asks, asks
            for name, level, old in zip(("tx", "rx"), asks, before, strict=True):
                if level != old:
                    self.dma(t_ps, name, level)

    def on_dma(self, t_ps: int, request: str, left: int) -> None:
        """With LAST, the byte after the last but one is not acknowledged (§18.3.7).

        With ENPEC that byte is the PEC, or one follows the last byte that is sent (§18.3.8).
        """
        pec = bool(self.cr1.ENPEC)
        if request == "rx" and left == 1:
            self._nack_last = bool(self.cr2.LAST)
            self.pec.by_dma = pec
        elif request == "tx" and left == 0 and pec:
            self.pec.by_dma = True
            self.sr1.set(TXE=0)
            self._advance(t_ps)
            self.slave.go_on(t_ps)
            self.request(t_ps)

    # ------------------------------------------------------------------ a master's transfer

    @property
    def is_master(self) -> bool:
        """Whether this port began the transfer that is under way."""
        return self.phase != OFF

    def _advance(self, t_ps: int) -> None:
        """Whatever comes next on the bus, now that nothing is under way there."""
        cr1 = self.cr1
        if self.talker.busy or not cr1.PE:
            return
        if self.phase == OFF:
            # Whoever starts at the same moment as another master finds out by arbitration.
            free = not self.sr2.BUSY or self.slave.start_ps == t_ps
            if cr1.START and not free:
                check_pins(self)  # lines that float look like a bus that is busy
            if cr1.START and free and not self.slave.selected:
                if t_ps < self._free_from:
                    self.soc.scheduler.at(self._free_from, self._retry)
                else:
                    self._begin(t_ps, again=False)
            return
        if cr1.STOP and self.phase in (SB, TX, RX, REFUSED):
            self._stop(t_ps)
        elif cr1.START and self.phase in (TX, RX, REFUSED):
            self._begin(t_ps, again=True)
        elif self.phase == TX:
            self._transmit(t_ps)
        elif self.phase == RX and self.held is None and not self._refused:
            self._receive(t_ps)

    def _retry(self, t_ps: int) -> None:
        self._advance(t_ps)
        self.request(t_ps)

    def _begin(self, t_ps: int, *, again: bool) -> None:
        low, high = scl_ticks(self)
        if not low or not self.clock.hz:
            self.soc.hazard(
                "i2c-no-rate", f"{self.name}: CCR gives no rate: the bus does not move",
                section="RM0368 §18.6.8", cure="write CCR before PE",
            )  # fmt: skip
            return
        check_timing(self)
        if not again and not check_pins(self) and self.lines.scl_in.pad is not None:
            return
        self.talker.low_ps, self.talker.high_ps = period_ps(self, low), period_ps(self, high)
        if again:
            self.log.end(t_ps, "restart")
        else:
            self.pec.clear()
        self.sr1.set(TXE=0, BTF=0)
        self.tx = self.held = None
        self._refused = self._nack_last = self.pec.by_dma = False
        if self.phase == OFF:
            self._ten_bit = False
        self.phase = ADDRESS
        self.log.start(t_ps, "master")
        self.talker.start(t_ps, int(scl_hz(self)), self._begun, again=again)

    def _begun(self, t_ps: int) -> None:
        self.cr1.set(START=0, PEC=0)
        self.phase = SB
        self.sr1.set(SB=1)
        self.sr2.set(MSL=1, BUSY=1, TRA=0)
        self._advance(t_ps)
        self.request(t_ps)

    def _send_address(self, t_ps: int, byte: int) -> None:
        header = byte & 0xF8 == 0xF0
        again = header and byte & 1
        self._reads = bool(byte & 1)
        self._ten_bit = header
        self.phase = ADDRESS
        self.log.address(byte, second=bool(again))
        self.pec.count(byte)

        def sent(t: int, acked: bool) -> None:
            if not acked:
                self._refuse(t)
            elif header and not again:
                self.phase = HEADER
                self.sr1.set(ADD10=1)
            else:
                self._is_addressed(t)
            self.request(t)

        self.talker.send(t_ps, byte, sent, address=True)

    def _send_second(self, t_ps: int, byte: int) -> None:
        self.phase = ADDRESS
        self.log.second(byte)
        self.pec.count(byte)

        def sent(t: int, acked: bool) -> None:
            if acked:
                self._is_addressed(t)
            else:
                self._refuse(t)
            self.request(t)

        self.talker.send(t_ps, byte, sent, address=False)

    def _is_addressed(self, t_ps: int) -> None:
        self.log.answered()
        self.phase = ADDR
        self._ack_latch = bool(self.cr1.ACK)
        self.sr1.set(ADDR=1)
        self.sr2.set(TRA=int(not self._reads))

    def _refuse(self, t_ps: int) -> None:
        self.sr1.set(AF=1)
        self.phase = REFUSED
        self._advance(t_ps)

    def _transmit(self, t_ps: int) -> None:
        sr1 = self.sr1
        pec = False
        if self.tx is not None:
            byte, self.tx = self.tx, None
            # "TxE is not set if [...] the next byte to be transmitted is PEC" (§18.6.6)
            sr1.set(TXE=int(not self.pec.is_next), BTF=0)
        elif self.pec.is_next:
            byte, pec = self.pec.value, True
            self.pec.over()
        else:
            if self._sent_any:
                sr1.set(BTF=1)
            return
        self._sent_any = True
        if not pec:
            self.pec.count(byte)

        def sent(t: int, acked: bool) -> None:
            self.log.byte(byte, acked=acked)
            if acked:
                if pec:
                    sr1.set(TXE=1)
                self._advance(t)
            else:
                sr1.set(TXE=0)
                self._refuse(t)
            self.request(t)

        self.talker.send(t_ps, byte, sent, address=False)

    def _receive(self, t_ps: int) -> None:
        is_pec = False

        def ack(byte: int) -> bool:
            nonlocal is_pec
            is_pec = self.pec.is_next
            if is_pec and (byte != self.pec.value or not self.pec.by_dma):
                return False  # "NACK must follow the PEC whatever the check result" (§18.3.8)
            now = bool(self.cr1.ACK)
            wanted = self._ack_latch if self.cr1.POS else now
            self._ack_latch = now
            return wanted and not self._nack_last

        def received(t: int, byte: int, acked: bool) -> None:
            self.log.byte(byte, acked=acked)
            self._refused = not acked
            if is_pec:
                self.pec.check(byte)
            else:
                self.pec.count(byte)
            self.take_in(byte)
            self._advance(t)
            self.request(t)

        self.talker.receive(t_ps, ack, received)

    def _stop(self, t_ps: int) -> None:
        if self.tx is not None:
            self.soc.hazard(
                "i2c-data-lost",
                f"{self.name}: STOP comes before the byte in DR was sent",
                section="RM0368 §18.3.3",
                cure="wait for BTF before setting STOP",
            )
        self._send_stop(t_ps)

    def _send_stop(self, t_ps: int) -> None:
        self.phase = STOPPING

        def stopped(t: int) -> None:
            self.stopped(t)
            self.log.end(t, "stop")
            self._advance(t)
            self.request(t)

        self.talker.stop(t_ps, stopped)

    def stopped(self, t_ps: int) -> None:
        """A STOP, of this port or of another master."""
        ours = self.phase == STOPPING
        self._free_from = t_ps + period_ps(self, scl_ticks(self)[0])
        self.sr2.set(BUSY=0, MSL=0, TRA=0)
        self.sr1.set(TXE=0, SB=0)
        if not self.held:
            self.sr1.set(BTF=0)
        self.pec.over()
        self.smbus.bounded()
        if ours or self.phase == OFF:
            self.cr1.set(STOP=0)  # "cleared [...] when a Stop condition is detected"
        if ours:
            self.phase, self.tx = OFF, None

    def _lost(self, t_ps: int) -> None:
        """Another master was stronger (§18.3.4)."""
        self.log.end(t_ps, "lost")
        self.phase, self.tx = OFF, None
        self.cr1.set(STOP=0)
        self.pec.over()
        self.sr1.set(ARLO=1, SB=0, TXE=0, BTF=0)
        self.sr2.set(MSL=0, TRA=0)
        self.request(t_ps)

    def timed_out(self, t_ps: int) -> None:
        """SMBus: SCL was held for too long. A master sends STOP, a slave lets go (§18.6.6)."""
        self.sr1.set(TIMEOUT=1)
        if self.phase not in (OFF, STOPPING):
            self.talker.drop()
            self.sr1.set(SB=0, ADDR=0, ADD10=0)
            self.tx = None
            self._send_stop(t_ps)
        elif self.phase == OFF:
            self.log.end(t_ps, "cut")
            self.ear.clear()
            self.slave.clear()
            self.tx = self.held = None
            self.sr1.set(ADDR=0, TXE=0, BTF=0)
            self.sr2.set(TRA=0)
            self.lines.release(t_ps)
        self.request(t_ps)

    def free(self, t_ps: int) -> None:
        """The bus became free: a START that waited for it begins."""
        self._advance(t_ps)
