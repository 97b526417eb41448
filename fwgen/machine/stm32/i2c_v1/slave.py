"""An I2C port that another master addresses. RM0368 §18.3.2."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fwgen.machine.stm32.i2c_v1.port import I2c

HEADER = 0xF0  # of a 10-bit address, with its two high bits and R/W below


class Slave:
    """What the port answers to the master on its bus; the Ear tells what comes."""

    def __init__(self, port: I2c) -> None:
        self._port = port
        self.start_ps = -1  # when the last START came
        self.clear()

    def clear(self) -> None:
        """Not addressed."""
        self.selected = False  # by its address, up to the STOP or the next START
        self._sends = False
        self._awaits_second = False
        self._ten_selected = False
        self._new = False  # addressed, and ADDR is to rise when the acknowledge is over
        self._taken: int | None = None  # received, to be told when the acknowledge is over
        self._stretches = False
        self._refused = False  # the master wants no more
        self._sent = 0

    @property
    def transmits(self) -> bool:
        """Whether the master reads from this port."""
        return self.selected and self._sends

    # ------------------------------------------------------------------ what the Ear tells

    def started(self, t_ps: int) -> None:
        """A START on the bus."""
        port = self._port
        self.start_ps = t_ps
        self._misplaced(t_ps)
        if self.selected:
            port.log.end(t_ps, "restart")
        if not (port.is_master or (port.sr2.BUSY and self.selected)):
            port.pec.clear()
        port.sr2.set(BUSY=1)
        port.cr1.set(PEC=0)
        port.smbus.bounded()
        self._leave(t_ps)
        if not port.is_master:
            port.log.start(t_ps, "slave")

    def _leave(self, t_ps: int) -> None:
        ten = self._ten_selected
        if self.selected and self._sends:
            self._port.sr1.set(TXE=0)
            self._port.tx = None
        if self.selected:
            self._port.sr2.set(TRA=0, DUALF=0, GENCALL=0, SMBDEFAULT=0, SMBHOST=0)
        self.clear()
        self._ten_selected = ten

    def addressed(self, t_ps: int, byte: int) -> bool:
        """The first byte after a START."""
        port = self._port
        cr1, oar1, oar2, sr2 = port.cr1, port.oar1, port.oar2, port.sr2
        if port.is_master or not (cr1.PE and cr1.ACK):
            return False
        self._sends = bool(byte & 1)
        seven = byte >> 1
        if byte == 0 and cr1.ENGC:
            sr2.set(GENCALL=1)
        elif port.smbus.recognises(byte):
            pass
        elif oar1.ADDMODE and byte & 0xF8 == HEADER:
            if byte >> 1 & 3 != oar1.ADD8_9:
                return False
            if byte & 1:  # a repeated START after the whole address
                if not self._ten_selected:
                    return False
                port.pec.count(byte)
                port.log.address(byte, second=True)
                self.selected = self._new = True
                port.log.answered()
                return True
            port.pec.count(byte)
            port.log.address(byte)
            self._awaits_second = True
            return True
        elif not oar1.ADDMODE and seven == oar1.ADD1_7:
            pass
        elif oar2.ENDUAL and seven == oar2.ADD2:
            sr2.set(DUALF=1)
        else:
            return False
        port.pec.count(byte)
        port.log.address(byte)
        port.log.answered()
        self.selected = self._new = True
        self._ten_selected = False
        return True

    def written(self, t_ps: int, byte: int) -> bool:
        """A byte from the master."""
        port = self._port
        if self._awaits_second:
            self._awaits_second = False
            low = port.oar1.value & 0xFF
            if byte != low:
                return False
            port.pec.count(byte)
            port.log.second(byte)
            port.log.answered()
            self.selected = self._new = self._ten_selected = True
            return True
        acked = bool(port.cr1.ACK)
        if port.pec.is_next:  # "NACK [...] if the next received byte is not equal" (§18.3.8)
            acked = port.pec.check(byte)
        else:
            port.pec.count(byte)
        port.log.byte(byte, acked=acked)
        if acked:
            self._taken = byte
        else:
            self._take(t_ps, byte)
        return acked

    def paused(self, t_ps: int) -> None:
        """The acknowledge is over, SCL is low: flags rise, and the port may hold the line."""
        port = self._port
        if self._new:
            self._new = False
            port.sr1.set(ADDR=1)
            port.sr2.set(TRA=int(self._sends))
            if self._sends:
                port.sr1.set(TXE=1)
            self._hold(t_ps)
        elif self._taken is not None:
            byte, self._taken = self._taken, None
            self._take(t_ps, byte)
        port.request(t_ps)

    def _take(self, t_ps: int, byte: int) -> None:
        port = self._port
        if port.sr1.RXNE and port.cr1.NOSTRETCH:
            port.sr1.set(OVR=1)
            return
        port.take_in(byte)
        if port.held is not None:
            self._hold(t_ps)

    def read(self, t_ps: int) -> int:
        """The next byte to the master."""
        port = self._port
        byte, port.tx = port.tx, None
        if byte is None and port.pec.is_next:
            byte = port.pec.value
            port.pec.over()
        elif byte is None:  # NOSTRETCH: nothing was written in time
            port.sr1.set(OVR=1)
            byte = 0xFF
        else:
            port.pec.count(byte)
        port.sr1.set(TXE=int(not port.pec.is_next), BTF=0)
        self._sent = byte
        port.request(t_ps)
        return byte

    def answered(self, t_ps: int, *, acked: bool) -> None:
        """The master took a byte, and wants more or not."""
        port = self._port
        port.log.byte(self._sent, acked=acked)
        if not acked:
            port.sr1.set(AF=1, TXE=0)
            self._sends, self._refused = False, True
            port.tx = None
        elif port.tx is None and not port.pec.is_next:
            port.sr1.set(BTF=1)
            self._hold(t_ps)
        port.request(t_ps)

    def outbid(self, t_ps: int) -> bool:
        """Somebody made a 0 of a 1 that this port sends: on SMBus it gives up (§18.6.6, ARLO)."""
        port = self._port
        if not (port.smbus.on and self.transmits):
            return False
        port.log.end(t_ps, "lost")
        port.sr1.set(ARLO=1)
        self._leave(t_ps)
        port.lines.pull_sda(t_ps, low=False)
        port.request(t_ps)
        return True

    def stopped(self, t_ps: int) -> None:
        """A STOP on the bus."""
        port = self._port
        self._misplaced(t_ps)
        if self.selected:
            port.log.end(t_ps, "stop")
            if not self._refused:  # "not set after a NACK reception" (§18.6.6)
                port.sr1.set(STOPF=1)
        self._leave(t_ps)
        self._ten_selected = False
        if not port.talker.busy:
            port.stopped(t_ps)
            port.free(t_ps)
        port.request(t_ps)

    # ------------------------------------------------------------------ stretching

    def _hold(self, t_ps: int) -> None:
        """Hold SCL low until software has done its part."""
        if self._port.cr1.NOSTRETCH:
            return
        self._stretches = self._port.ear.waits = True
        self._port.lines.pull_scl(t_ps, low=True)
        self._port.smbus.holds(t_ps)

    def go_on(self, t_ps: int) -> None:
        """Let SCL go, if nothing of the port's is in the way any more."""
        port = self._port
        if not self._stretches or port.sr1.ADDR or port.held is not None:
            return
        if self._sends and port.tx is None and not port.pec.is_next:
            return
        self._stretches = False
        port.smbus.lets_go(t_ps)
        port.ear.go_on(t_ps)
        port.lines.pull_scl(t_ps, low=False)

    def _misplaced(self, t_ps: int) -> None:
        port = self._port
        if port.ear.misplaced and (self.selected or port.is_master):
            port.sr1.set(BERR=1)
