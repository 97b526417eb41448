"""What SMBus adds to an I2C port: addresses, the alert line, time limits. RM0368 §18.3.6."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fwgen.units import PS_PER_S

if TYPE_CHECKING:
    from collections.abc import Callable

    from fwgen.machine.stm32.i2c_v1.port import I2c
    from fwgen.machine.time import Timer

HOST, ALERT_RESPONSE, DEFAULT = 0b0001000, 0b0001100, 0b1100001  # seven bits

# The limits that TIMEOUT tells of (§18.6.6): SCL low; a master's own extension within a byte; a
# slave's, summed up from START to STOP.
LOW_PS, MASTER_PS, SLAVE_PS = (n * PS_PER_S // 1000 for n in (25, 10, 25))


class Smbus:
    """Watches the lines while CR1 says SMBUS."""

    def __init__(self, port: I2c) -> None:
        self._port = port
        fabric = port.soc.fabric
        self._alert_out = fabric.output(f"{port.name}_SMBA")
        self._alert_in = fabric.input(f"{port.name}_SMBA")
        self._unlisten: list[Callable[[], None]] = []
        self._low: Timer | None = None
        self._slave: Timer | None = None
        self._held_from = 0
        self._extended = 0

    @property
    def on(self) -> bool:
        """Whether the port is on, and an SMBus one."""
        return bool(self._port.cr1.PE and self._port.cr1.SMBUS)

    def configured(self, t_ps: int) -> None:
        """CR1 was written, or the port reset."""
        cr1, lines = self._port.cr1, self._port.lines
        self._alert_out.drive(t_ps, int(not (cr1.ALERT and not cr1.SMBTYPE)) if self.on else None)
        if self.on and not self._unlisten:
            # Who listens to the lines keeps the port from handing bytes to parts: each edge counts.
            self._unlisten = [
                lines.scl_in.listen(self._scl_moved), self._alert_in.listen(self._alerted),
            ]  # fmt: skip
            if self._alert_in.pad is not None:
                self._alerted(t_ps, self._alert_in.level(t_ps))
        elif not self.on and self._unlisten:
            for unlisten in self._unlisten:
                unlisten()
            self._unlisten = []
            self._wait_no_more()

    # ------------------------------------------------------------------ addresses

    def recognises(self, byte: int) -> bool:
        """Whether an address is one of SMBus's that the port answers to; sets its flag."""
        cr1, sr2 = self._port.cr1, self._port.sr2
        if not self.on:
            return False
        seven = byte >> 1
        if cr1.ENARP and seven == (HOST if cr1.SMBTYPE else DEFAULT):
            sr2.set(**{"SMBHOST" if cr1.SMBTYPE else "SMBDEFAULT": 1})
            return True
        if cr1.ALERT and not cr1.SMBTYPE and byte == ALERT_RESPONSE << 1 | 1:
            self._port.sr1.set(SMBALERT=1)
            return True
        return False

    def _alerted(self, t_ps: int, level: int | None) -> None:
        if level == 0 and self._port.cr1.SMBTYPE:
            self._port.sr1.set(SMBALERT=1)
            self._port.request(t_ps)

    # ------------------------------------------------------------------ time limits

    def _wait_no_more(self) -> None:
        for timer in (self._low, self._slave):
            if timer is not None:
                timer.cancel()
        self._low = self._slave = None
        self._extended = 0

    def _scl_moved(self, t_ps: int, level: int | None) -> None:
        if self._low is not None:
            self._low.cancel()
            self._low = None
        if not level:
            self._low = self._port.soc.scheduler.at(t_ps + MASTER_PS, self._low_for_long)

    def _low_for_long(self, t_ps: int) -> None:
        port = self._port
        if port.is_master and not port.talker.busy:  # nobody but this master holds it
            self._low = None
            self._over(t_ps)
        else:
            self._low = port.soc.scheduler.at(t_ps + LOW_PS - MASTER_PS, self._over)

    def holds(self, t_ps: int) -> None:
        """The port begins to hold SCL as a slave."""
        if self.on:
            self._held_from = t_ps
            self._slave = self._port.soc.scheduler.at(t_ps + SLAVE_PS - self._extended, self._over)

    def lets_go(self, t_ps: int) -> None:
        """It holds it no more."""
        if self._slave is not None:
            self._slave.cancel()
            self._slave = None
            self._extended += t_ps - self._held_from

    def bounded(self) -> None:
        """A START or STOP: a slave's time begins anew."""
        self._extended = 0

    def _over(self, t_ps: int) -> None:
        self._wait_no_more()
        self._port.timed_out(t_ps)
