"""Choosing numbers for timers: prescaler and periods that come closest to what was asked."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import gcd
from typing import TYPE_CHECKING

from fwgen.errors import ModelError
from fwgen.units import show_duration, show_frequency

if TYPE_CHECKING:
    from collections.abc import Iterable

PS_PER_S = 10**12
PSC_LIMIT = 1 << 16
WORST_PPM = 5_000  # of a period: well inside the 2 % that a contract allows
GOOD_PPM = 20  # better than the clock itself: not worth a prescaler


@dataclass(frozen=True, slots=True)
class Wave:
    """A timer's round: ``prescale`` clocks a tick, ``period`` ticks, the first ``first`` of them.

    ``error_ppm`` is how far the period is from what was asked.
    """

    prescale: int
    period: int
    first: int
    error_ppm: Fraction


def cycles(ps: int, clock_hz: int) -> Fraction:
    """A duration in clock cycles, exactly."""
    return Fraction(ps * clock_hz, PS_PER_S)


def over_clock(ticks: int, clock_hz: int) -> str:
    """A number of clocks as an expression over CLK where that says more than the number."""
    ratio = Fraction(ticks, clock_hz)
    if ratio.numerator > 9999 or ratio.denominator > 9999:
        return str(ticks)
    times = f" * {ratio.numerator}" if ratio.numerator != 1 else ""
    return f"CLK{times} / {ratio.denominator}" if ratio.denominator != 1 else f"CLK{times}"


def wave(first_ps: int, second_ps: int, clock_hz: int, limit: int, clause: str) -> Wave:
    """The best round for two durations on a counter of ``limit`` ticks. Raises ModelError."""
    whole = cycles(first_ps + second_ps, clock_hz)
    part = cycles(first_ps, clock_hz)
    least = max(1, -(-round(whole) // limit))
    if least > PSC_LIMIT:
        longest = PSC_LIMIT * limit * PS_PER_S // clock_hz
        raise ModelError(
            f"a period of {show_duration(first_ps + second_ps, 3)} is longer than a timer of "
            f"{clock_hz // 10**6} MHz can count",
            where=clause or None,
            hint=f"at most {show_duration(longest, 3)}",
        )
    best: Wave | None = None
    for prescale in range(least, min(least + 400, PSC_LIMIT) + 1):
        period, first = round(whole / prescale), round(part / prescale)
        if period < 2 or not 0 < first < period:
            break
        error = abs(Fraction(period * prescale) / whole - 1) * 1_000_000
        error = max(error, abs(first * prescale - part) / whole * 1_000_000)
        if best is None or error < best.error_ppm:
            best = Wave(prescale, period, first, error)
        if error == 0 or (prescale == 1 and error <= GOOD_PPM):
            break
    if best is None or best.error_ppm > WORST_PPM:
        raise _too_fast(first_ps, second_ps, clock_hz, clause)
    return best


def _too_fast(first_ps: int, second_ps: int, clock_hz: int, clause: str) -> ModelError:
    period = first_ps + second_ps
    asked = show_frequency(round(Fraction(PS_PER_S * 1000, period)))
    near = max(2, int(cycles(period, clock_hz)))
    can = " or ".join(show_frequency(clock_hz * 1000 // n, 4) for n in (near + 1, near))
    return ModelError(
        f"{asked} cannot be made from a clock of {show_frequency(clock_hz * 1000)} with "
        f"{show_duration(first_ps, 3)} on and {show_duration(second_ps, 3)} off",
        where=clause or None,
        hint=f"nearest are {can}; {show_frequency(clock_hz * 500)} is the fastest",
    )


@dataclass(frozen=True, slots=True)
class Tick:
    """The unit of a free-running counter: ``prescale`` clocks; ``wrap`` ticks a round."""

    prescale: int
    clock_hz: int
    wrap: int = 1 << 32

    def ticks(self, ps: int) -> int:
        """A duration in ticks, to the nearest, one at least."""
        return max(1, round(cycles(ps, self.clock_hz) / self.prescale))

    def spread(self, durations: Iterable[int]) -> list[int]:
        """Consecutive durations in ticks, rounded so that their sum does not drift."""
        made, at, ps = [], 0, 0
        for duration in durations:
            ps += duration
            end = max(at + 1, round(cycles(ps, self.clock_hz) / self.prescale))
            made.append(end - at)
            at = end
        return made


def choose_tick(
    durations: Iterable[int], clock_hz: int, *, ticks: int = 1, want: int | None = None
) -> Tick:
    """The finest tick with which the longest duration still fits the counter.

    ``want``: a prescale that would be welcome if all durations are whole multiples of it, and
    ``ticks`` of them at least: what starts at unforeseen moments is off by up to one.
    Raises ModelError when no tick does.
    """
    spans = [cycles(ps, clock_hz) for ps in durations]
    longest, shortest = max(spans, default=Fraction(1)), min(spans, default=Fraction(1))
    if want and longest < want * (1 << 32):
        whole = all(span.denominator == 1 and span % want == 0 for span in spans)
        if whole and shortest >= ticks * want:
            return Tick(want, clock_hz)
    least = max(1, -(-int(longest + 1) // ((1 << 32) - 1)))
    if least == 1:
        return Tick(1, clock_hz)
    common = 0
    for span in spans:
        common = gcd(common, round(span))
    options = [n for n in range(least, min(PSC_LIMIT, 4 * least + 4096) + 1) if common % n == 0]
    prescale = options[0] if options else least
    if prescale > PSC_LIMIT or shortest < 20 * prescale:
        raise ModelError(
            f"{show_duration(int(longest / clock_hz * PS_PER_S), 3)} and "
            f"{show_duration(int(shortest / clock_hz * PS_PER_S), 3)} are too far apart for one "
            f"counter",
            hint=f"at most {show_duration(PSC_LIMIT * (1 << 32) * PS_PER_S // clock_hz, 3)}",
        )
    return Tick(prescale, clock_hz)
