"""The DS3231's calendar: seconds to and from its registers 00h to 06h.

Source: Maxim 19-5170 (DS3231 data sheet), timekeeping registers (figure 1) and clock and calendar.
Every fourth year is a leap year, and 2100, too: the compensation holds up to there.
"""

from __future__ import annotations

from typing import NamedTuple

DAY_S = 86_400
MONTHS = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
YEARS = 200
FOUR_YEARS = 4 * 365 + 1
HOURS_12, PM, CENTURY = 0x40, 0x20, 0x80


class Moment(NamedTuple):
    """A date and time; ``year`` from 2000 on, 0 to 199; ``weekday`` 1 to 7."""

    year: int
    month: int
    date: int
    weekday: int
    second: int  # of the day


def length(year: int, month: int) -> int:
    """The days of a month."""
    return MONTHS[month - 1] + (month == 2 and year % 4 == 0)


def days_to(year: int, month: int, date: int) -> int:
    """Days since 2000-01-01."""
    whole = year // 4 * FOUR_YEARS + sum(366 if n % 4 == 0 else 365 for n in range(year % 4))
    return whole + sum(length(year, m) for m in range(1, month)) + date - 1


def date_of(days: int) -> tuple[int, int, int]:
    """Year, month and date; after 199 years it begins anew."""
    fours, days = divmod(days % (YEARS // 4 * FOUR_YEARS), FOUR_YEARS)
    year = 0 if days < 366 else 1 + (days - 366) // 365
    days -= 0 if year == 0 else 366 + (year - 1) * 365
    month = 1
    while days >= length(year, month):
        days -= length(year, month)
        month += 1
    return 4 * fours + year, month, days + 1


def bcd(value: int) -> int:
    """Two decimal digits."""
    return value // 10 << 4 | value % 10


def binary(value: int) -> int | None:
    """What two decimal digits say; None where they are none."""
    high, low = value >> 4, value & 15
    return None if high > 9 or low > 9 else 10 * high + low


def hours_register(hour: int, *, twelve: bool) -> int:
    """The hours, in either mode."""
    if not twelve:
        return bcd(hour)
    return HOURS_12 | PM * (hour >= 12) | bcd((hour + 11) % 12 + 1)


def hour_of(register: int) -> int | None:
    """What a register of hours says; None for what is no hour."""
    if not register & HOURS_12:
        hour = binary(register & 0x3F)
        return hour if hour is not None and hour < 24 else None
    hour = binary(register & 0x1F)
    if hour is None or not 1 <= hour <= 12:
        return None
    return hour % 12 + 12 * bool(register & PM)


def registers(moment: Moment, *, twelve: bool) -> list[int]:
    """Registers 00h to 06h."""
    hour, rest = divmod(moment.second, 3600)
    century = CENTURY * (moment.year >= 100)
    return [
        bcd(rest % 60), bcd(rest // 60), hours_register(hour, twelve=twelve), moment.weekday,
        bcd(moment.date), bcd(moment.month) | century, bcd(moment.year % 100),
    ]  # fmt: skip


def moment_of(values: list[int]) -> Moment | None:
    """What registers 00h to 06h say; None where it is no date or time."""
    second, minute = binary(values[0]), binary(values[1])
    hour, year = hour_of(values[2]), binary(values[6])
    date, month = binary(values[4]), binary(values[5] & 0x7F)
    if None in (second, minute, hour, date, month, year):
        return None
    assert second is not None
    assert minute is not None
    assert hour is not None
    assert date is not None
    assert month is not None
    assert year is not None
    year += 100 * bool(values[5] & CENTURY)
    if second > 59 or minute > 59 or not 1 <= month <= 12 or not 1 <= values[3] <= 7:
        return None
    if not 1 <= date <= length(year, month):
        return None
    return Moment(year, month, date, values[3], 3600 * hour + 60 * minute + second)
