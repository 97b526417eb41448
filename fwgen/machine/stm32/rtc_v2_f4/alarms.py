"""When an alarm goes off next. RM0368 §17.3.3, §17.6.8, §17.6.18."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from fwgen.machine.stm32.rtc_v2_f4.calendar import DAY, from_bcd, hour_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from fwgen.machine.stm32.rtc_v2_f4.calendar import Moment

MOST_DAYS = 9 * 366  # in which every date and every day of the week comes, 29 February too
NEVER_MATCHES = -1


@dataclass(frozen=True, slots=True)
class Pattern:
    """What the calendar must show; None: anything. A field that is no time never matches.

    ``mask`` of the lowest bits of SSR must equal those of ``sub``; with none, the alarm goes off
    where a second begins.
    """

    second: int | None
    minute: int | None
    hour: int | None
    day: int | None
    weekly: bool  # ``day`` is one of the week
    sub: int = 0
    mask: int = 0

    def on(self, moment: Moment) -> bool:
        """Whether a day matches."""
        if self.day is None:
            return True
        return self.day == (moment.weekday if self.weekly else moment.day_shown)

    def time_from(self, of_day: int) -> int | None:
        """The first matching second of a day at or after one, as seconds since midnight."""
        hour, minute, second = of_day // 3600, of_day // 60 % 60, of_day % 60
        for h in _choices(self.hour, hour, 24):
            for m in _choices(self.minute, minute if h == hour else 0, 60):
                first = second if (h, m) == (hour, minute) else 0
                for s in _choices(self.second, first, 60):
                    return h * 3600 + m * 60 + s
        return None

    def next_second(self, moment: Moment) -> int | None:
        """How many seconds after a moment it matches first; 0 when it does right there."""
        midnight = -moment.of_day
        for _ in range(MOST_DAYS):
            start = max(midnight, 0)
            today = moment.later(start)
            if self.on(today):
                found = self.time_from(today.of_day)
                if found is not None:
                    return midnight + found
                if start == midnight:
                    return None  # a whole day has no such time
            midnight += DAY
        return None

    def following(self, moment: Moment, sub: int, reload: int) -> tuple[int, int] | None:
        """The next match after a moment with SSR at ``sub``: seconds from there, and SSR then."""
        if not self.mask:
            found = self.next_second(moment.later(1))
            return None if found is None else (found + 1, reload)
        if sub and self.next_second(moment) == 0:
            there = self._sub_from(sub - 1)
            if there is not None:
                return 0, there
        there = self._sub_from(reload)
        found = self.next_second(moment.later(1))
        return None if there is None or found is None else (found + 1, there)

    def _sub_from(self, sub: int) -> int | None:
        """The first value at or below one, counting down, whose lowest bits match."""
        found = sub - ((sub - self.sub) & self.mask)
        return found if found >= 0 else None


def _choices(wanted: int | None, first: int, count: int) -> Iterable[int]:
    if wanted is None:
        return range(first, count)
    return (wanted,) if first <= wanted < count else ()


def read_pattern(register: int, sub: int, *, twelve: bool) -> Pattern:
    """The pattern in RTC_ALRMxR and RTC_ALRMxSSR."""

    def digits(bits: int) -> int:
        value = from_bcd(bits)
        return NEVER_MATCHES if value is None else value

    hour: int | None = None
    if not register >> 23 & 1:
        bits, afternoon = register >> 16 & 0x3F, register >> 22 & 1
        hour = hour_of(bits, afternoon=afternoon, twelve=twelve)
        hour = NEVER_MATCHES if hour is None else hour
    weekly = bool(register >> 30 & 1)
    day = register >> 24 & 15 if weekly else digits(register >> 24 & 0x3F)
    return Pattern(
        second=None if register >> 7 & 1 else digits(register & 0x7F),
        minute=None if register >> 15 & 1 else digits(register >> 8 & 0x7F),
        hour=hour,
        day=None if register >> 31 else day,
        weekly=weekly,
        sub=sub & 0x7FFF,
        mask=(1 << (sub >> 24 & 15)) - 1,
    )
