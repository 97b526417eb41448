"""From RTCCLK to seconds: calibrated, divided, and never counted one by one.

    RTCCLK -> smooth calibration -> /(PREDIV_A + 1) = ck_apre -> coarse calibration
           -> down-counter of PREDIV_S + 1 (SSR) = ck_spre

Each stage is a monotonic function of a count, with its inverse: what the dividers hold at any tick,
and the tick at which they will hold it, cost a few operations however far away it is.

Source: RM0368 §17.3.1, §17.3.10, §17.3.11, Figure 176.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

MINUTE = 15360  # cycles of ck_apre in which the coarse calibration corrects once
CYCLE = 64  # minutes in which it comes round


@dataclass(frozen=True, slots=True)
class Smooth:
    """RTC_CALR: pulses of RTCCLK masked (``minus``) in each 2^20, one more (``plus``) in 2^11."""

    plus: bool = False
    minus: int = 0

    def pulses(self, ticks: int) -> int:
        """Pulses let through in the first ticks of a calibration cycle, and of those after it."""
        if not self.plus and not self.minus:
            return ticks
        passed = ticks + (ticks >> 11 if self.plus else 0)
        for bit in range(9):
            if self.minus >> bit & 1:
                # CALM[bit] masks the pulses at odd multiples of 2^(19 - bit) (§17.3.11).
                passed -= (ticks + (1 << 19 - bit)) >> 20 - bit
        return passed


@dataclass(frozen=True, slots=True)
class Coarse:
    """RTC_CALIBR: in so many of 64 minutes two cycles of ck_apre more, or one less.

    Where in the minute is not told; it is taken to be its end.
    """

    minutes: int = 0
    negative: bool = False

    def cycles(self, count: int) -> int:
        """Cycles after the correction, of those before it."""
        if not self.minutes:
            return count
        turns, minute = divmod(count // MINUTE, CYCLE)
        corrected = turns * self.minutes + min(minute, self.minutes)
        return count - corrected if self.negative else count + 2 * corrected


def least(count: Callable[[int], int], wanted: int) -> int:
    """The first argument at which a monotonic count, within 1 % of it, is reached."""
    if wanted <= 0:
        return 0
    slack = wanted // 64 + 4
    return bisect_left(range(wanted + slack), wanted, lo=max(0, wanted - slack), key=count)


@dataclass(frozen=True, slots=True)
class Prescalers:
    """What the dividers hold at a tick of RTCCLK, and how they are set.

    ``calibration`` and ``minute`` count from where the calibrations' cycles began: ticks and
    cycles of ck_apre. ``cycle`` is what the asynchronous prescaler holds of its next cycle,
    ``sub`` is SSR, which a shift may raise above PREDIV_S.
    """

    tick: int = 0
    asynchronous: int = 127
    synchronous: int = 255
    smooth: Smooth = Smooth()
    coarse: Coarse = Coarse()
    calibration: int = 0
    minute: int = 0
    cycle: int = 0
    sub: int = 255

    def _pulses(self, ticks: int) -> int:
        done = self.smooth.pulses(self.calibration)
        return self.smooth.pulses(self.calibration + ticks) - done

    def _cycles(self, count: int) -> int:
        return self.coarse.cycles(self.minute + count) - self.coarse.cycles(self.minute)

    def at(self, tick: int) -> tuple[int, int]:
        """Seconds that have begun since ``self.tick``, and SSR, at a tick not before it."""
        total = self.cycle + self._pulses(tick - self.tick)
        return self._count(self._cycles(total // (self.asynchronous + 1)))

    def _count(self, cycles: int) -> tuple[int, int]:
        if cycles <= self.sub:
            return 0, self.sub - cycles
        turns, into = divmod(cycles - self.sub - 1, self.synchronous + 1)
        return turns + 1, self.synchronous - into

    def moved(self, tick: int) -> Prescalers:
        """The same dividers at another tick, not before this one."""
        ticks = tick - self.tick
        count, cycle = divmod(self.cycle + self._pulses(ticks), self.asynchronous + 1)
        return replace(
            self,
            tick=tick,
            calibration=self.calibration + ticks,
            minute=self.minute + count,
            cycle=cycle,
            sub=self._count(self._cycles(count))[1],
        )

    def tick_of(self, second: int, sub: int) -> int:
        """The tick at which SSR comes to ``sub`` in the n-th second from here (0: this one)."""
        cycles = self.sub - sub
        if second:
            cycles = self.sub + 1 + (second - 1) * (self.synchronous + 1) + self.synchronous - sub
        return self.tick_of_cycle(least(self._cycles, cycles))

    def tick_of_cycle(self, count: int) -> int:
        """The tick of the n-th cycle of ck_apre from here."""
        return self.tick + least(self._pulses, count * (self.asynchronous + 1) - self.cycle)
