"""A master on the bus: START, bytes and STOP as the lines show them. UM10204 §3.1; RM0368 §18.3.3.

Where the bus is the port's alone, a byte is one event and the parts are told it. Else every bit is
an event: another master may win, a slave may hold SCL low, anybody may look.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fwgen.machine.signals import pulses

if TYPE_CHECKING:
    from collections.abc import Callable

    from fwgen.machine.buses.i2c import I2cPort
    from fwgen.machine.stm32.i2c_v1.lines import BusLines
    from fwgen.machine.time import Timer

HOLD_PS = 300_000  # SDA changes this long after SCL fell, or in the middle of a shorter low


class Talker:
    """One thing at a time: ``start``, ``send``, ``receive`` or ``stop``; then a call back.

    ``low_ps`` and ``high_ps`` are how long SCL is low and high. Between two of these calls SCL is
    held low. ``lost`` is called where another master was stronger.
    """

    def __init__(self, lines: BusLines, lost: Callable[[int], None]) -> None:
        self._lines, self._lost = lines, lost
        self._scheduler = lines.soc.scheduler
        self.low_ps = self.high_ps = 0
        self.busy = False
        self.alone = False  # the bus is ours: bytes, not bits
        self._timer: Timer | None = None
        self._unlisten: Callable[[], None] | None = None
        self._active: list[I2cPort] = []
        self._sda = 1

    @property
    def _hold(self) -> int:
        return min(HOLD_PS, self.low_ps // 2)

    @property
    def _bit(self) -> int:
        return self.low_ps + self.high_ps

    def abort(self, t_ps: int) -> None:
        """Drop what is under way, and let go."""
        if self._timer is not None:
            self._timer.cancel()
        self._wait_no_more()
        self.busy = False
        self._lines.release(t_ps)
        self._leave()

    def _at(self, t_ps: int, call: Callable[[int], None]) -> None:
        self._timer = self._scheduler.at(t_ps, call)

    def _end(self, done: Callable[[int], None]) -> Callable[[int], None]:
        def end(t_ps: int) -> None:
            self.busy = False
            done(t_ps)

        return end

    def _leave(self) -> None:
        if self.alone:
            self.alone = False
            self._active = []
            self._lines.give_back()

    # ------------------------------------------------------------------ START

    def start(self, t_ps: int, hz: int, done: Callable[[int], None], *, again: bool) -> None:
        """A START, or a repeated one; then SCL is low."""
        self.busy = True
        if not again:
            self.alone = self._lines.take_alone()
            for port in self._lines.ports:
                clocked = getattr(port.device, "clocked", None)
                if clocked is not None:
                    clocked(t_ps, hz)
            self._fall(t_ps, done)
            return
        if self.alone:
            up, down = t_ps + self.low_ps, t_ps + self.low_ps + self.high_ps
            self._lines.sda_out.drive_wave(
                pulses(t_ps, [(t_ps, self._sda), (t_ps + self._hold, 1), (down, 0)])
            )
            self._lines.scl_out.drive_wave(
                pulses(t_ps, [(t_ps, 0), (up, 1), (down + self.high_ps, 0)])
            )
            self._sda = 0
            self._tell_start(down)
            self._at(down + self.high_ps, self._end(done))
            return

        def risen(t: int) -> None:
            self._at(t + self.high_ps, lambda t2: self._fall(t2, done))

        def released(t: int) -> None:
            self._lines.pull_scl(t, low=False)
            self._when_high(t, risen)

        def changed(t: int) -> None:
            self._lines.pull_sda(t, low=False)
            self._at(t_ps + self.low_ps, released)

        self._at(t_ps + self._hold, changed)

    def _fall(self, t_ps: int, done: Callable[[int], None]) -> None:
        self._lines.pull_sda(t_ps, low=True)
        self._sda = 0
        if self.alone:
            self._tell_start(t_ps)

        def low(t: int) -> None:
            self._lines.pull_scl(t, low=True)
            self._end(done)(t)

        self._at(t_ps + self.high_ps, low)

    def _tell_start(self, t_ps: int) -> None:
        self._active = []
        for port in self._lines.ports:
            port.device.started(t_ps)

    # ------------------------------------------------------------------ STOP

    def stop(self, t_ps: int, done: Callable[[int], None]) -> None:
        """A STOP: SDA rises while SCL is high; the bus is free."""
        self.busy = True
        if self.alone:
            up = t_ps + self.low_ps
            self._lines.sda_out.drive_wave(
                pulses(t_ps, [(t_ps, self._sda), (t_ps + self._hold, 0), (up + self.high_ps, 1)])
            )
            self._lines.scl_out.drive_wave(pulses(t_ps, [(t_ps, 0), (up, 1)]))
            self._at(up + self.high_ps, lambda t: self._stopped(t, done))
            return

        def risen(t: int) -> None:
            self._at(t + self.high_ps, lambda t2: self._stopped(t2, done))

        def released(t: int) -> None:
            self._lines.pull_scl(t, low=False)
            self._when_high(t, risen)

        def changed(t: int) -> None:
            self._lines.pull_sda(t, low=True)
            self._at(t_ps + self.low_ps, released)

        self._at(t_ps + self._hold, changed)

    def _stopped(self, t_ps: int, done: Callable[[int], None]) -> None:
        for port in self._lines.ports:
            port.device.stopped(t_ps)
        if not self.alone:
            self._lines.release(t_ps)
        self._sda = 1
        self._leave()
        self._end(done)(t_ps)

    # ------------------------------------------------------------------ bytes

    def send(
        self, t_ps: int, byte: int, done: Callable[[int, bool], None], *, address: bool
    ) -> None:
        """Eight bits out; ``done(t_ps, acked)``. ``address``: the first byte after a START."""
        self.busy = True
        if not self.alone:
            self._bits_out(t_ps, byte, 7, done)
            return
        acked = self._told(t_ps + 8 * self._bit, byte, address=address)
        bits = [(t_ps + n * self._bit + self._hold, byte >> 7 - n & 1) for n in range(8)]
        ack = t_ps + 8 * self._bit
        tail = [(ack, 0), (ack + self._bit, 1)] if acked else [(ack + self._hold, 1)]
        self._lines.sda_out.drive_wave(pulses(t_ps, [(t_ps, self._sda), *bits, *tail]))
        self._clock(t_ps, 9)
        self._sda = 1

        def end(t: int) -> None:
            self.busy = False
            done(t, acked)

        self._at(t_ps + 9 * self._bit, end)

    def _told(self, t_ps: int, byte: int, *, address: bool) -> bool:
        if address:
            self._active = [p for p in self._lines.ports if p.device.addressed(t_ps, byte)]
            return bool(self._active)
        return any(port.device.written(t_ps, byte) for port in self._active)

    def _clock(self, t_ps: int, count: int) -> None:
        levels = [(t_ps, 0)]
        for n in range(count):
            begin = t_ps + n * self._bit
            levels += [(begin + self.low_ps, 1), (begin + self._bit, 0)]
        self._lines.scl_out.drive_wave(pulses(t_ps, levels))

    def receive(
        self, t_ps: int, ack: Callable[[], bool], done: Callable[[int, int, bool], None]
    ) -> None:
        """Eight bits in; ``ack`` is asked when the ninth begins; ``done(t_ps, byte, acked)``."""
        self.busy = True
        if not self.alone:
            self._bits_in(t_ps, 0, 8, ack, done)
            return
        byte = 0xFF
        for port in self._active:
            byte &= port.device.read(t_ps)
        bits = [(t_ps + n * self._bit, byte >> 7 - n & 1) for n in range(8)]
        self._lines.sda_out.drive_wave(pulses(t_ps, [*bits, (t_ps + 8 * self._bit, 1)]))
        self._clock(t_ps, 8)
        self._sda = 1

        def ninth(t: int) -> None:
            acked = ack()
            self._lines.sda_out.drive_wave(
                pulses(t, [(t, 1), (t + self._hold, 0)] if acked else [(t, 1)])
            )
            self._clock(t, 1)
            self._sda = int(not acked)
            self._at(t + self._bit, lambda t2: end(t2, acked))

        def end(t: int, acked: bool) -> None:
            for port in self._active:
                port.device.answered(t, acked=acked)
            self.busy = False
            done(t, byte, acked)

        self._at(t_ps + 8 * self._bit, ninth)

    # ------------------------------------------------------------------ bits

    def _when_high(self, t_ps: int, call: Callable[[int], None]) -> None:
        """Once SCL is really high: a slave may hold it low."""
        if self._lines.scl(t_ps):
            call(t_ps)
            return

        def rose(t: int, level: int | None) -> None:
            if level:
                self._wait_no_more()
                call(t)

        self._unlisten = self._lines.scl_in.listen(rose)

    def _wait_no_more(self) -> None:
        if self._unlisten is not None:
            self._unlisten()
            self._unlisten = None

    def _one_bit(
        self, t_ps: int, level: int, call: Callable[[int, int], None], *, wins: bool = False
    ) -> None:
        """One bit: ``call(t_ps, sda)`` when SCL has fallen again, with what SDA was.

        ``wins``: a 1 that another master makes a 0 loses the bus.
        """
        seen = 1

        def fall(t: int) -> None:
            self._lines.pull_scl(t, low=True)
            call(t, seen)

        def risen(t: int) -> None:
            nonlocal seen
            seen = self._lines.sda(t)
            if wins and level and not seen:
                self.busy = False
                self._lines.release(t)
                self._lost(t)
                return
            self._at(t + self.high_ps, fall)

        def rise(t: int) -> None:
            self._lines.pull_scl(t, low=False)
            self._when_high(t, risen)

        def change(t: int) -> None:
            self._lines.pull_sda(t, low=not level)
            self._at(t_ps + self.low_ps, rise)

        self._at(t_ps + self._hold, change)

    def _bits_out(self, t_ps: int, byte: int, bit: int, done: Callable[[int, bool], None]) -> None:
        if bit < 0:

            def acked(t: int, sda: int) -> None:
                self.busy = False
                done(t, not sda)

            self._one_bit(t_ps, 1, acked)
            return
        self._one_bit(
            t_ps, byte >> bit & 1, lambda t, _sda: self._bits_out(t, byte, bit - 1, done), wins=True
        )

    def _bits_in(
        self, t_ps: int, byte: int, left: int, ack: Callable[[], bool],
        done: Callable[[int, int, bool], None],
    ) -> None:  # fmt: skip
        if left:
            self._one_bit(
                t_ps, 1, lambda t, sda: self._bits_in(t, byte << 1 | sda, left - 1, ack, done)
            )
            return
        acked = ack()

        def over(t: int, _sda: int) -> None:
            self.busy = False
            done(t, byte, acked)

        self._one_bit(t_ps, int(not acked), over)
