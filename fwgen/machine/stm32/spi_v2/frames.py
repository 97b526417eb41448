"""A master's frame on the pins: whole for parts that can be told, else edge by edge."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fwgen.machine.buses.spi import SpiPort, ports_on
from fwgen.machine.signals import pulses
from fwgen.machine.time import NEVER

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from fwgen.machine.signals import Pad, Signal
    from fwgen.machine.soc import Soc
    from fwgen.machine.time import ClockDomain, Timer


class Lines:
    """The lines of one SPI: outputs, and the pads that its inputs are on."""

    def __init__(self, soc: Soc, name: str) -> None:
        fabric = soc.fabric
        self.sck, self.mosi = fabric.output(f"{name}_SCK"), fabric.output(f"{name}_MOSI")
        self.miso, self.nss = fabric.output(f"{name}_MISO"), fabric.output(f"{name}_NSS")
        self.sck_in, self.mosi_in = fabric.input(f"{name}_SCK"), fabric.input(f"{name}_MOSI")
        self.miso_in, self.nss_in = fabric.input(f"{name}_MISO"), fabric.input(f"{name}_NSS")

    def release(self, t_ps: int) -> None:
        """The port is off: it drives nothing."""
        for line in (self.sck, self.mosi, self.miso, self.nss):
            line.drive(t_ps, None)


class MasterFrame:
    """One frame that a master clocks out and in.

    ``sent`` and ``heard`` have the first bit on top; ``sent`` None: the data line is not driven.
    ``heard`` is what was sampled once the frame is over, None without a ``source``; ``floated``
    says that nothing gave it.
    """

    def __init__(
        self, soc: Soc, clock: ClockDomain, lines: Lines, *, start: int, bit_ticks: int, bits: int,
        cpol: int, cpha: int, sent: int | None, source: Signal | None,
        done: Callable[[int], None],
    ) -> None:  # fmt: skip
        self._soc, self._clock, self._lines = soc, clock, lines
        self.sent, self.bits, self.start, self.end = sent, bits, start, start + bits * bit_ticks
        self._half, self._cpol, self._cpha = bit_ticks // 2, cpol, cpha
        self._source, self._done = source, done
        self.heard: int | None = 0
        self.floated = False
        self.crc = False
        self._ports: list[SpiPort] = []
        self._timers: list[Timer] = []
        times = clock.times_of(start, 2 * bits + 1, self._half)
        self.start_ps = times[0]
        self._put_out(times)
        self._timer = soc.scheduler.at(min(NEVER, clock.time_of(self.end)), self._over)

    def stretch(self) -> None:
        """The clock changed its rate on the way."""
        self._timer.cancel()
        self._timer = self._soc.scheduler.at(min(NEVER, self._clock.time_of(self.end)), self._over)

    def cancel(self) -> None:
        """It is not to be finished."""
        for timer in (self._timer, *self._timers):
            timer.cancel()

    # ------------------------------------------------------------------ inside

    def _put_out(self, times: Sequence[int]) -> None:
        lines, bits, sent = self._lines, self.bits, self.sent
        begins = times[::2]
        pad = lines.sck_in.pad
        hz = int(self._clock.hz / (2 * self._half))
        told, played = self._may_tell(pad), False
        for port in self._ports:
            data = sent if port.mosi is lines.mosi_in.pad else None
            out = port.begin(times[0], begins, data, hz)
            if out is not None and self._source is not None and port.miso is self._source.pad:
                self.heard, played = out, True
        lines.sck.drive_wave(pulses(times[0], self._clock_levels(times)))
        if sent is not None:
            levels = [(t, sent >> bits - 1 - n & 1) for n, t in enumerate(begins[:-1])]
            lines.mosi.drive_wave(pulses(times[0], levels))
        if self._source is None:
            self.heard = None
        elif not played:
            self._sample(self._source.pad, times, told=told)

    def _may_tell(self, pad: Pad | None) -> bool:
        """Whether all that listens to the clock are parts that can be told whole bytes."""
        if pad is None:
            return False
        ports = ports_on(pad)
        chosen = [port for port in ports if port.selected]
        fit = self._cpol == self._cpha and all(port.between_bytes for port in chosen)
        for port in ports:
            port.attend(edges=not fit)
        if fit and pad.quiet:
            self._ports = chosen
            return True
        for port in ports:
            port.attend(edges=True)
        return False

    def _clock_levels(self, times: Sequence[int]) -> list[tuple[int, int]]:
        # CPHA 0: the first edge is in the middle of a bit; 1: at its beginning (Figure 195).
        idle, active = self._cpol, self._cpol ^ 1
        order = (active, idle) if self._cpha else (idle, active)
        levels = [(t, order[n & 1]) for n, t in enumerate(times[:-1])]
        return [*levels, (times[-1], idle)]

    def _sample(self, pad: Pad | None, times: Sequence[int], *, told: bool) -> None:
        """In the middle of each bit; a line that nobody moves needs but one look."""
        if pad is None or (told and pad.quiet):
            level = None if pad is None else pad.level_at(times[0])
            self.floated = level is None
            level = self._soc.chance if level is None else level
            self.heard = (1 << self.bits) - 1 if level else 0
            return
        self._timers = [self._soc.scheduler.at(t, self._look) for t in times[1::2]]

    def _look(self, t_ps: int) -> None:
        assert self._source is not None
        assert self.heard is not None
        level = self._source.level(t_ps)
        self.floated |= level is None
        self.heard = self.heard << 1 | (self._soc.chance if level is None else level)

    def _over(self, t_ps: int) -> None:
        for port in self._ports:
            port.end(t_ps)
        self._done(t_ps)
