"""Time and date as the RTC has them: BCD, 12 or 24 hours, years 00 to 99. RM0368 §17.6.1, §17.6.2.

Every year that 4 divides is a leap year, 00 too; after 99 comes 00. The day of the week is what
was set, and goes on from there: the hardware does not derive it from the date.

Month, day and day of the week may all be 0: no date, but the time counts, and alarms compare with
day 0. ST's own millisecond of the RTC rests on it (stm32f4xx_hal_timebase_rtc_alarm: DR = 0, an
alarm on the day 0 at second 1). What midnight makes of it no manual tells.
"""

from __future__ import annotations

from calendar import monthrange
from dataclasses import dataclass
from datetime import date, timedelta

MINUTE, HOUR, DAY = 60, 3600, 86400
_FIRST = date(2000, 1, 1)
_CENTURY = 36525  # days
_DAY_FIELDS = 0xFF3F  # of RTC_DR: WDU, MT, MU, DT, DU


@dataclass(frozen=True, slots=True)
class Moment:
    """Whole seconds since the year 00 began, and the day of the week that it began with (0-6).

    ``undated``: month, day and day of the week are 0, until midnight; ``second`` then counts as
    on the first day of the year.
    """

    second: int
    week: int = 0
    undated: bool = False

    def later(self, seconds: int) -> Moment:
        """So many seconds later; earlier, if negative."""
        days, second = divmod(self.second + seconds, DAY)
        turns, day = divmod(days, _CENTURY)
        undated = self.undated and days == self.second // DAY
        return Moment(day * DAY + second, (self.week + turns * _CENTURY) % 7, undated)

    @property
    def of_day(self) -> int:
        """Seconds since midnight."""
        return self.second % DAY

    @property
    def hour(self) -> int:
        """0 to 23."""
        return self.of_day // HOUR

    @property
    def date(self) -> date:
        """The date, in 2000 to 2099."""
        return _FIRST + timedelta(self.second // DAY)

    @property
    def weekday(self) -> int:
        """1 to 7, or 0 where there is no date."""
        return 0 if self.undated else (self.second // DAY + self.week) % 7 + 1

    @property
    def day_shown(self) -> int:
        """The day of the month as RTC_DR has it: 1 to 31, or 0 where there is no date."""
        return 0 if self.undated else self.date.day

    def seconds_to_year(self) -> int:
        """Until the next year begins."""
        today = self.date
        end = date(today.year + 1, 1, 1)
        return (end - today).days * DAY - self.of_day

    def time_register(self, *, twelve: bool) -> int:
        """RTC_TR: BCD; with ``twelve`` hours 1 to 12 and PM."""
        hour, minute = self.hour, self.of_day // MINUTE % 60
        afternoon = 0
        if twelve:
            afternoon, hour = hour >= 12, (hour - 1) % 12 + 1
        return afternoon << 22 | bcd(hour) << 16 | bcd(minute) << 8 | bcd(self.of_day % 60)

    def date_register(self) -> int:
        """RTC_DR: BCD, and the day of the week."""
        day = self.date
        year = bcd(day.year - 2000) << 16
        if self.undated:
            return year
        return year | self.weekday << 13 | bcd(day.month) << 8 | bcd(day.day)


def bcd(value: int) -> int:
    """Two decimal digits, four bits each."""
    return value // 10 << 4 | value % 10


def from_bcd(bits: int) -> int | None:
    """What two digits say; None when one of them is none."""
    tens, units = bits >> 4, bits & 15
    return None if tens > 9 or units > 9 else tens * 10 + units


def hour_of(bits: int, *, afternoon: int, twelve: bool) -> int | None:
    """0 to 23 from HT, HU and PM; None for what is no hour of the format."""
    hour = from_bcd(bits)
    if hour is None:
        return None
    if not twelve:
        return hour if hour < 24 and not afternoon else None
    return hour % 12 + 12 * afternoon if 1 <= hour <= 12 else None


def read_registers(tr: int, dr: int, *, twelve: bool) -> tuple[Moment, list[str]]:
    """The moment that RTC_TR and RTC_DR say, and what in them is no time or date.

    What is wrong is taken as the nearest that is not: nobody knows what the counter would do.
    """
    wrong: list[str] = []

    def value(name: str, bits: int, low: int, high: int) -> int:
        found = from_bcd(bits)
        if found is None or not low <= found <= high:
            wrong.append(f"{name} is {bits:#04x}, not BCD from {low} to {high}")
            return low if found is None else min(max(found, low), high)
        return found

    second = value("the second", tr & 0x7F, 0, 59)
    minute = value("the minute", tr >> 8 & 0x7F, 0, 59)
    afternoon = tr >> 22 & 1
    hour = hour_of(tr >> 16 & 0x3F, afternoon=afternoon, twelve=twelve)
    if hour is None:
        form = "12 hours with PM" if twelve else "24 hours, PM 0"
        wrong.append(f"the hour is {tr >> 16 & 0x3F:#04x}, PM {afternoon}, not BCD of {form}")
        hour = 0
    year = 2000 + value("the year", dr >> 16 & 0xFF, 0, 99)
    time = hour * HOUR + minute * MINUTE + second
    if not dr & _DAY_FIELDS:
        return Moment((date(year, 1, 1) - _FIRST).days * DAY + time, undated=True), wrong
    month = value("the month", dr >> 8 & 0x1F, 1, 12)
    day = value("the day", dr & 0x3F, 1, monthrange(year, month)[1])
    weekday = dr >> 13 & 7
    if weekday == 0:
        wrong.append("the day of the week is 0, which is forbidden")
        weekday = 1
    days = (date(year, month, day) - _FIRST).days
    return Moment(days * DAY + time, (weekday - 1 - days) % 7), wrong
