"""A master on the bus: START, bytes and STOP as the lines show them. UM10204 §3.1; RM0368 §18.3.3.

Where the bus is the port's alone, a byte is one event and the parts are told it. Else every bit is
an event: another master may win, a slave may hold SCL low, anybody may look.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fwgen.machine.waves import pulses

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
        self._active: list[I2cPort] = []
        self._sda = 1
        self._held = 0  # until when a part that is told bytes holds SCL low

    @property
    def _hold(self) -> int:
        return min(HOLD_PS, self.low_ps // 2)

    @property
    def _bit(self) -> int:
        return self.low_ps + self.high_ps

    def drop(self) -> None:
        """Forget what is under way; the lines stay as they are."""
        if self._timer is not None:
            self._timer.cancel()
        self._lines.watcher = None
        self.busy = False

    def abort(self, t_ps: int) -> None:
        """Drop what is under way, and let go."""
        self.drop()
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
            self.alone, self._held = False, 0
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
            up = max(t_ps + self.low_ps, self._held)
            down = up + self.high_ps
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
            if self._lines.sda(t):
                self._at(t + self.high_ps, lambda t2: self._fall(t2, done))
            else:
                self._outbid(t)

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

        self._while_high(t_ps, low)

    def _tell_start(self, t_ps: int) -> None:
        self._active = []
        for port in self._lines.ports:
            port.device.started(t_ps)

    # ------------------------------------------------------------------ STOP

    def stop(self, t_ps: int, done: Callable[[int], None]) -> None:
        """A STOP: SDA rises while SCL is high; the bus is free."""
        self.busy = True
        if self.alone:
            up = max(t_ps + self.low_ps, self._held)
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
        begin = self._released(t_ps)
        ack = begin + 8 * self._bit
        acked = self._told(ack, byte, address=address)
        bits = [(begin + n * self._bit + self._hold, byte >> 7 - n & 1) for n in range(8)]
        tail = [(ack, 0), (ack + self._bit, 1)] if acked else [(ack + self._hold, 1)]
        self._lines.sda_out.drive_wave(pulses(t_ps, [(t_ps, self._sda), *bits, *tail]))
        self._clock(t_ps, begin, 9)
        self._sda = 1

        def end(t: int) -> None:
            self._ask(t)
            self.busy = False
            done(t, acked)

        self._at(ack + self._bit, end)

    def _ask(self, t_ps: int) -> None:
        """A byte is over: the parts may hold SCL low."""
        self._held = max((port.held_until(t_ps) for port in self._active), default=0)

    def _released(self, t_ps: int) -> int:
        """When the low before the next bit begins, so that SCL rises no earlier than it may."""
        return max(t_ps, self._held - self.low_ps)

    def _told(self, t_ps: int, byte: int, *, address: bool) -> bool:
        if address:
            self._active = [p for p in self._lines.ports if p.device.addressed(t_ps, byte)]
            return bool(self._active)
        return any(port.device.written(t_ps, byte) for port in self._active)

    def _clock(self, t_ps: int, first: int, count: int) -> None:
        levels = [(t_ps, 0)]
        for begin in range(first, first + count * self._bit, self._bit):
            levels += [(begin + self.low_ps, 1), (begin + self._bit, 0)]
        self._lines.scl_out.drive_wave(pulses(t_ps, levels))

    def receive(
        self, t_ps: int, ack: Callable[[int], bool], done: Callable[[int, int, bool], None]
    ) -> None:
        """Eight bits in; ``ack(byte)`` as the ninth begins; then ``done(t_ps, byte, acked)``."""
        self.busy = True
        if not self.alone:
            self._bits_in(t_ps, 0, 8, ack, done)
            return
        byte, begin = 0xFF, self._released(t_ps)
        for port in self._active:
            byte &= port.device.read(begin)
        bits = [(begin + n * self._bit, byte >> 7 - n & 1) for n in range(8)]
        self._lines.sda_out.drive_wave(pulses(t_ps, [(t_ps, 1), *bits, (begin + 8 * self._bit, 1)]))
        self._clock(t_ps, begin, 8)
        self._sda = 1

        def ninth(t: int) -> None:
            acked = ack(byte)
            self._lines.sda_out.drive_wave(
                pulses(t, [(t, 1), (t + self._hold, 0)] if acked else [(t, 1)])
            )
            self._clock(t, t, 1)
            self._sda = int(not acked)
            self._at(t + self._bit, lambda t2: end(t2, acked))

        def end(t: int, acked: bool) -> None:
            for port in self._active:
                port.device.answered(t, acked=acked)
            if acked:
                self._ask(t)
            else:
                self._held = 0
            self.busy = False
            done(t, byte, acked)

        self._at(begin + 8 * self._bit, ninth)

    # ------------------------------------------------------------------ bits

    def _when_high(self, t_ps: int, call: Callable[[int], None]) -> None:
        """Once SCL is really high: a slave may hold it low."""
        if self._lines.scl(t_ps):
            call(t_ps)
            return

        def moved(t: int, level: int) -> None:
            if level:
                self._lines.watcher = None
                call(t)

        self._lines.watcher = moved

    def _while_high(self, t_ps: int, call: Callable[[int], None]) -> None:
        """While SCL stays high: up to our own time, or another master's. UM10204 §3.1.7."""

        def over(t: int) -> None:
            self._lines.watcher = None
            call(t)

        def moved(t: int, level: int) -> None:
            if not level:
                timer.cancel()
                over(t)

        timer = self._scheduler.at(t_ps + self.high_ps, over)
        self._timer, self._lines.watcher = timer, moved

    def _outbid(self, t_ps: int) -> None:
        """Another master made a 0 of our 1: the bus is its own."""
        self.busy = False
        self._lines.release(t_ps)
        self._lost(t_ps)

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
                self._outbid(t)
                return
            self._while_high(t, fall)

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
        self, t_ps: int, byte: int, left: int, ack: Callable[[int], bool],
        done: Callable[[int, int, bool], None],
    ) -> None:  # fmt: skip
        if left:
            self._one_bit(
                t_ps, 1, lambda t, sda: self._bits_in(t, byte << 1 | sda, left - 1, ack, done)
            )
            return
        acked = ack(byte)

        def over(t: int, _sda: int) -> None:
            self.busy = False
            done(t, byte, acked)

        # Of two masters that read the same, one may want more: it acknowledges, and wins.
        self._one_bit(t_ps, int(not acked), over, wins=True)
