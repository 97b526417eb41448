"""A master's frame on the pins: whole for parts that can be told, else edge by edge."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fwgen.machine.buses.spi import SpiPort, ports_on
from fwgen.machine.time import NEVER
from fwgen.machine.waves import pulses

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from fwgen.machine.pads import Pad
    from fwgen.machine.signals import Signal
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
    ``heard`` is what was sampled, None without a ``source``; ``floated`` says that nothing gave
    it. ``sampled`` is called in the middle of the last bit, ``done`` at its end.

    ``ti``: in the TI format (§20.3.4), ``led``: its pulse of NSS came with the frame before, else
    it takes a bit of its own. ``more(t_ps)`` is then asked as the last bit begins: whether another
    frame follows, for which NSS is to rise now.
    """

    def __init__(
        self, soc: Soc, clock: ClockDomain, lines: Lines, *, start: int, bit_ticks: int, bits: int,
        cpol: int, cpha: int, sent: int | None, source: Signal | None,
        sampled: Callable[[int], None], done: Callable[[int], None],
        ti: bool = False, led: bool = False, more: Callable[[int], bool] | None = None,
    ) -> None:  # fmt: skip
        self._soc, self._clock, self._lines = soc, clock, lines
        self._lead = bit_ticks if ti and not led else 0
        self.sent, self.bits, self.start = sent, bits, start + self._lead
        self.end = self.start + bits * bit_ticks
        self._half, self._cpol, self._cpha = bit_ticks // 2, cpol, cpha
        self._source, self._sampled, self._done, self._more = source, sampled, done, more
        self.heard: int | None = 0
        self.floated = False
        self.crc = False
        self.is_sampled = False
        self.leads = False  # NSS rose for another frame
        self._ti = ti
        self._ports: list[SpiPort] = []
        self._timers: list[Timer] = []
        times = clock.times_of(self.start, 2 * bits + 1, self._half)
        self.start_ps = times[0]
        if self._lead:
            self._lead_in(clock.time_of(start), times)
        else:
            self._put_out(times)
        if ti:
            self._timers.append(soc.scheduler.at(times[-3], self._last_bit))
        self._timer = self._next_timer()

    def _next_timer(self) -> Timer:
        tick, call = self.end, self._over
        if not self.is_sampled:
            tick, call = self.end - self._half, self._middle
        return self._soc.scheduler.at(min(NEVER, self._clock.time_of(tick)), call)

    def stretch(self) -> None:
        """The clock changed its rate on the way."""
        self._timer.cancel()
        self._timer = self._next_timer()

    def cancel(self) -> None:
        """It is not to be finished."""
        for timer in (self._timer, *self._timers):
            timer.cancel()

    # ------------------------------------------------------------------ inside

    def _lead_in(self, start_ps: int, times: Sequence[int]) -> None:
        """NSS is high for a bit, with the clock running; then the frame."""
        lines, middle = self._lines, start_ps + (times[0] - start_ps) // 2
        lines.sck.drive_wave(pulses(start_ps, [(start_ps, 1), (middle, 0)]))
        lines.nss.drive_wave(pulses(start_ps, [(start_ps, 1), (times[0], 0)]))

        def begin(_t_ps: int) -> None:
            self._put_out(times)
            self.stretch()  # what is sampled last comes before anybody is told

        self._timers.append(self._soc.scheduler.at(times[0], begin))

    def _last_bit(self, t_ps: int) -> None:
        self.leads = self._more is not None and self._more(t_ps)
        if self.leads:
            end = self._clock.time_of(self.end)
            self._lines.nss.drive_wave(pulses(t_ps, [(t_ps, 1), (end, 0)]))

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
        fit = (
            not self._ti and self._cpol == self._cpha and all(port.between_bytes for port in chosen)
        )
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
        self._timers += [self._soc.scheduler.at(t, self._look) for t in times[1::2]]

    def _look(self, t_ps: int) -> None:
        assert self._source is not None
        assert self.heard is not None
        level = self._source.level(t_ps)
        self.floated |= level is None
        self.heard = self.heard << 1 | (self._soc.chance if level is None else level)

    def _middle(self, t_ps: int) -> None:
        self.is_sampled = True
        self._timer = self._next_timer()
        self._sampled(t_ps)

    def _over(self, t_ps: int) -> None:
        for port in self._ports:
            port.end(t_ps)
        self._done(t_ps)
