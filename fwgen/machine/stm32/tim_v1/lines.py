"""The lines of a timer: inputs with their filters, outputs that speak in waves where they can."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

from fwgen.machine.signals import Signal
from fwgen.machine.stm32.tim_v1.counter import FOREVER
from fwgen.machine.waves import SquareWave
from fwgen.units import PS_PER_S

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from fwgen.machine.time import ClockDomain, Scheduler, Timer

# ICxF, ETF: samples that must agree, and how many ticks lie between them (RM0368 §12.4.7); from
# 4 on, samples are taken at fDTS / n and CKD stretches them.
_SAMPLES = (0, 2, 4, 8, 6, 8, 6, 8, 6, 8, 5, 6, 8, 5, 6, 8)
_SPACING = (1, 1, 1, 1, 2, 2, 4, 4, 8, 8, 16, 16, 16, 32, 32, 32)


def filter_ticks(code: int, ckd: int) -> int:
    """Kernel ticks for which an input must be steady before the filter lets it through."""
    return _SAMPLES[code] * _SPACING[code] * ((1 << min(ckd, 2)) if code >= 4 else 1)


class InputLine:
    """One input after its filter; several signals make it their exclusive or (CR2.TI1S).

    A line that nothing drives reads 0. Not modelled: the two or three kernel cycles of the
    resynchronisation before the filter.
    """

    def __init__(
        self,
        signals: Sequence[Signal],
        ticks: int,
        clock: ClockDomain,
        scheduler: Scheduler,
        call: Callable[[int, int], None],
    ) -> None:
        self._signals = tuple(signals)
        self._ticks = ticks
        self._clock = clock
        self._scheduler = scheduler
        self._call = call
        self._pending: Timer | None = None
        self.level = self._raw(scheduler.now_ps)
        self._stops = [signal.listen(self._edge) for signal in self._signals]

    def close(self) -> None:
        """Listen no more."""
        for stop in self._stops:
            stop()
        if self._pending is not None:
            self._pending.cancel()

    def _raw(self, t_ps: int) -> int:
        level = 0
        for signal in self._signals:
            level ^= signal.level(t_ps) or 0
        return level

    def _edge(self, t_ps: int, _: int | None) -> None:
        raw = self._raw(t_ps)
        if self._pending is not None:  # too short: the filter never saw it
            self._pending.cancel()
            self._pending = None
        if raw == self.level:
            return
        if not self._ticks:
            self._take(t_ps, raw)
            return
        at = self._clock.time_of(self._clock.ticks_at(t_ps) + self._ticks)
        self._pending = self._scheduler.at(at, lambda t: self._take(t, raw))

    def _take(self, t_ps: int, level: int) -> None:
        self._pending = None
        self.level = level
        self._call(t_ps, level)


class ClockLine:
    """A clock of the chip as the input of a timer (OR): high for half a period from each tick."""

    def __init__(self, clock: ClockDomain, scheduler: Scheduler) -> None:
        self.signal = Signal(clock.name, scheduler, 0)
        self._clock = clock
        clock.on_change(self._changed)
        self._changed(scheduler.now_ps)

    def _changed(self, t_ps: int) -> None:
        clock = self._clock
        if not clock.hz:
            self.signal.drive(t_ps, 0)
            return
        half = Fraction(PS_PER_S, 2) / clock.hz
        self.signal.drive_wave(SquareWave(clock.time_of(clock.ticks_at(t_ps)), 1, half, half))


class OutputLine:
    """What a timer puts out on one line: a steady level, or a wave while it repeats."""

    def __init__(self, signal: Signal, clock: ClockDomain) -> None:
        self._signal = signal
        self._clock = clock
        self._level: int | None = None
        # tick at which it began, level, ticks of that level, ticks of the other, clock
        self._wave: tuple[int, int, int, int, Fraction] | None = None

    def steady(self, t_ps: int, level: int | None) -> None:
        """Drive a level, or (None) nothing."""
        if self._wave is not None or level != self._level:
            self._wave, self._level = None, level
            self._signal.drive(t_ps, level)

    def follow(self, t_ps: int, tick: int, level: int, ahead: list[int], *, repeats: bool) -> int:
        """Be at ``level`` now (at ``tick``), and change ``ahead[n]`` ticks from now.

        Returns the ticks after which to call again, 0 for no need.
        """
        if not ahead:
            self.steady(t_ps, level)
            return 0
        if repeats and len(ahead) == 3:
            first, second, third = ahead[0], ahead[1] - ahead[0], ahead[2] - ahead[1]
            if self._continues(tick, level, first, second, third):
                return 0
            if first == third and self._clock.time_of(tick) == t_ps:
                length = Fraction(PS_PER_S) / self._clock.hz
                self._wave = (tick, level, first, second, self._clock.hz)
                self._signal.drive_wave(SquareWave(t_ps, level, first * length, second * length))
                return 0
        self.steady(t_ps, level)
        return ahead[0]

    def _continues(self, tick: int, level: int, first: int, second: int, third: int) -> bool:
        if self._wave is None:
            return False
        start, start_level, one, other, hz = self._wave
        into = (tick - start) % (one + other)
        current = start_level if into < one else start_level ^ 1
        left = one - into if into < one else one + other - into
        same = (other, one) if current == start_level else (one, other)
        return (
            hz == self._clock.hz and (current, left) == (level, first) and (second, third) == same
        )


class DeadTime:
    """Delays the active edges of a pair of outputs, so that never both are active. §12.3.11.

    Follows OCxREF by what is foretold of it at each look; nothing changes in between but that.
    """

    def __init__(self) -> None:
        self._level = 0
        self._since = -FOREVER  # tick of the last change of OCxREF before the last look
        self._foretold: list[int] = []
        self._looked = -FOREVER  # tick of the last look, and what was before it
        self._before = (-FOREVER, 0)

    def look(self, tick: int, level: int, ahead: list[int]) -> None:
        """OCxREF is at ``level`` at ``tick``, and will change ``ahead[n]`` ticks from now."""
        if tick != self._looked:  # of several changes within a tick only the last is seen
            self._looked, self._before = tick, self._just_before(tick)
        since, before = self._before
        self._since, self._level = since if level == before else tick, level
        self._foretold = [tick + n for n in ahead]

    def _just_before(self, tick: int) -> tuple[int, int]:
        """The last change of OCxREF before ``tick``, and the level it made."""
        past = [edge for edge in self._foretold if edge < tick]
        if not past:
            return self._since, self._level
        if len(past) < 3:
            return past[-1], self._level ^ len(past) & 1
        first, second, third = past
        turns = (tick - 1 - first) // (third - first) * (third - first)
        if second + turns < tick:
            return second + turns, self._level
        return first + turns, self._level ^ 1

    def output(self, tick: int, active: int, delay: int) -> tuple[bool, list[int]]:
        """The output that is active while OCxREF is at ``active``, ``delay`` ticks late.

        Returns whether it is active now, and its next changes in ticks from now. A pulse that is
        not longer than the delay does not come at all.
        """
        edges = list(self._foretold)
        if len(edges) == 3:
            edges += [edge + edges[2] - edges[0] for edge in edges[1:]]
        level, since = self._level, self._since
        now = on = level == active and tick - since >= delay
        found = []
        for edge in [*edges, FOREVER]:
            if level == active and not on and since + delay < edge:
                found.append(since + delay)
                on = True
            if on and edge < FOREVER:
                found.append(edge)
                on = False
            level, since = level ^ 1, edge
        return now, [at - tick for at in found[:3]]


def dead_ticks(dtg: int, ckd: int) -> int:
    """Kernel ticks of dead time that BDTR.DTG asks for. §12.4.18."""
    if dtg < 0x80:
        steps = dtg
    elif dtg < 0xC0:
        steps = (64 + (dtg & 0x3F)) * 2
    elif dtg < 0xE0:
        steps = (32 + (dtg & 0x1F)) * 8
    else:
        steps = (32 + (dtg & 0x1F)) * 16
    return steps << min(ckd, 2)
