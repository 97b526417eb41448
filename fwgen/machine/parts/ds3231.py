"""DS3231: a clock with calendar, two alarms, square waves and a thermometer, on I2C.

Source: Maxim 19-5170 (DS3231 data sheet): timekeeping registers (figure 1), clock and calendar,
alarms (table 2), control (0Eh), status (0Fh), temperature (11h, 12h), I2C serial data bus.
Its battery keeps it running while the board's supply is away. Not modelled: what the aging offset
does to the rate, wear of the crystal, and square waves on the battery.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from fwgen.board.quantities import CALENDAR_START
from fwgen.machine.parts.ds3231_calendar import (
    DAY_S,
    HOURS_12,
    Moment,
    date_of,
    days_to,
    moment_of,
    registers,
)
from fwgen.machine.parts.register_part import RegisterPart
from fwgen.units import PS_PER_MS, PS_PER_S

if TYPE_CHECKING:
    from fwgen.board.types import Module
    from fwgen.contract.types import Sense
    from fwgen.machine.soc import Soc
    from fwgen.machine.time import Timer

ALARM_1, CONTROL, STATUS, AGING, TEMPERATURE, LAST = 0x07, 0x0E, 0x0F, 0x10, 0x11, 0x12
EOSC, CONV, INTCN = 0x80, 0x20, 0x04
OSF, EN32KHZ, BSY = 0x80, 0x08, 0x04
ENABLES = (0x01, 0x02)  # of the alarms in control, and their flags in status
RATES_HZ = (1, 1024, 4096, 8192)  # by RS2 and RS1
CONVERSION_PS, EVERY_PS, BUSY_AFTER_PS = 200 * PS_PER_MS, 64 * PS_PER_S, 2 * PS_PER_MS
MASK, BY_DAY = 0x80, 0x40
#: Which of a time's registers are not compared, from the seconds on: table 2, as bits.
MASKS_1, MASKS_2 = (0b1111, 0b1110, 0b1100, 0b1000, 0), (0b111, 0b110, 0b100, 0)
WRITABLE = (0x7F, 0x7F, 0x7F, 0x07, 0x3F, 0x9F, *[0xFF] * 9, 0x8F, 0xFF, 0x00, 0x00)


class Ds3231(RegisterPart):
    """One chip. Its pins ``int`` (INT/SQW) and ``32khz`` are open-drain."""

    SOURCE = "DS3231 data sheet, 19-5170"
    RATE_SECTION = "AC electrical characteristics"

    def __init__(self, soc: Soc, spec: Module) -> None:
        super().__init__(soc, spec)
        self._set = bool(self.setting("time"))
        self._ran = False
        self._timers: dict[str, Timer] = {}

    def power_on(self, t_ps: int) -> None:
        """A battery kept what it had; else it begins at 2000-01-01 and says so by OSF."""
        if self._ran and self.word("battery") == "yes":
            self._catch_up(t_ps)
            if self._control & EOSC:
                self._status |= OSF
        else:
            self._begin(t_ps)
        self._ran = True
        self._pending: dict[int, int] = {}
        self._chain_ps: int | None = None
        self._buffer = self._time(t_ps)
        self._arrange(t_ps)

    def _begin(self, t_ps: int) -> None:
        knows = self._set and not self._ran
        started = CALENDAR_START + timedelta(seconds=self.setting("time") if knows else 0)
        weekday = started.isoweekday() if knows else 1
        seconds = started.hour * 3600 + started.minute * 60 + started.second
        self._twelve = False
        self._alarms = [0] * 7
        self._control, self._status, self._aging = 0x1C, EN32KHZ | OSF * (not knows), 0
        self._set_time(
            t_ps, Moment(started.year - 2000, started.month, started.day, weekday, seconds)
        )
        self._measured = self.sensed("temperature", t_ps) if knows else 0
        self._origin_ps, self._conversions = t_ps, -1
        self._held: tuple[int, int, bool] | None = None  # under way: value, begun, asked for

    # ------------------------------------------------------------------ time

    def _set_time(self, t_ps: int, moment: Moment, phase_ps: int | None = None) -> None:
        days = days_to(moment.year, moment.month, moment.date)
        self._weekday_0 = moment.weekday - 1 - days
        self._base_s = days * DAY_S + moment.second
        self._base_ps = t_ps if phase_ps is None else phase_ps
        self._seen_s = self._base_s

    def _second(self, t_ps: int) -> int:
        return self._base_s + (t_ps - self._base_ps) // PS_PER_S

    def _moment(self, seconds: int) -> Moment:
        days, second = divmod(seconds, DAY_S)
        return Moment(*date_of(days), (days + self._weekday_0) % 7 + 1, second)

    def _time(self, t_ps: int) -> list[int]:
        return registers(self._moment(self._second(t_ps)), twelve=self._twelve)

    def _catch_up(self, t_ps: int) -> None:
        """Alarms that came, and temperatures that were measured."""
        now = self._second(t_ps)
        for second in range(max(self._seen_s + 1, now - 366 * DAY_S), now + 1):
            if self._status & 3 == 3:
                break
            values = registers(self._moment(second), twelve=self._twelve)
            for alarm, flag in enumerate(ENABLES):
                if not self._status & flag and self._matches(alarm, values):
                    self._status |= flag
        self._seen_s = max(now, self._seen_s)
        self._measure(t_ps)

    def _matches(self, alarm: int, values: list[int]) -> bool:
        """Table 2; alarm 2 has no seconds, and comes as a minute begins."""
        asked = self._alarms[4:] if alarm else self._alarms[:4]
        by_day = bool(asked[-1] & BY_DAY)
        now = [*values[:3], values[3] if by_day else values[4]]
        if alarm:
            if values[0]:
                return False
            now = now[1:]
        compared = list(zip(asked, now, strict=True))
        date, day = compared.pop()
        whole = date & MASK or (date & (0x0F if by_day else 0x3F)) == day
        return bool(whole) and all(a & MASK or a & 0x7F == b for a, b in compared)

    def _check_masks(self, t_ps: int) -> None:
        """A combination of masks that table 2 does not have."""
        for alarm, flag in enumerate(ENABLES):
            asked = self._alarms[4:] if alarm else self._alarms[:4]
            masks = sum(bool(value & MASK) << n for n, value in enumerate(asked))
            if self._control & flag and masks not in (MASKS_2 if alarm else MASKS_1):
                self.hazard(
                    t_ps, "part-reserved", f"alarm {alarm + 1} is enabled with masks that table 2 "
                    "does not have", "alarms, table 2", "mask from the seconds up, without a hole",
                )  # fmt: skip

    # ------------------------------------------------------------------ temperature

    def _measure(self, t_ps: int) -> None:
        if self._held is not None and t_ps >= self._held[1] + CONVERSION_PS:
            self._measured, self._held = self._held[0], None
        count = (t_ps - self._origin_ps) // EVERY_PS
        if count > self._conversions:
            self._conversions = count
            begun = self._origin_ps + count * EVERY_PS
            self._held = (self.sensed("temperature", begun), begun, False)
            if t_ps >= begun + CONVERSION_PS:
                self._measured, self._held = self._held[0], None

    def _busy(self, t_ps: int) -> bool:
        if self._held is None:
            return False
        _, begun, asked = self._held
        return not asked or t_ps >= begun + BUSY_AFTER_PS

    def set_sense(self, sense: Sense, what: str) -> None:
        """What was measured before has the old value."""
        self._catch_up(sense.at_ps)
        super().set_sense(sense, what)

    # ------------------------------------------------------------------ pins

    def _arrange(self, t_ps: int) -> None:
        """What is at the pins now, and when they move next."""
        for timer in self._timers.values():
            timer.cancel()
        self._timers = {}
        if "32khz" in self.pads:
            self._wave(t_ps, "32khz", 32_768 if self._status & EN32KHZ else 0)
        if "int" not in self.pads:
            return
        if not self._control & INTCN:
            self._wave(t_ps, "int", RATES_HZ[self._control >> 3 & 3])
            return
        self.drive(t_ps, "int", 0 if self._status & self._control & 3 else None)
        if self._control & 3:
            due = self._base_ps + ((t_ps - self._base_ps) // PS_PER_S + 1) * PS_PER_S
            self._timers["int"] = self.later(due, self._ticked)

    def _ticked(self, t_ps: int) -> None:
        self._catch_up(t_ps)
        self._arrange(t_ps)

    def _wave(self, t_ps: int, pin: str, hz: int) -> None:
        """Low in the first half of a period; the countdown chain is its phase."""
        if not hz:
            self.drive(t_ps, pin, None)
            return
        half = (t_ps - self._base_ps) * 2 * hz // PS_PER_S
        self.drive(t_ps, pin, None if half & 1 else 0)
        due = self._base_ps - (-(half + 1) * PS_PER_S // (2 * hz))
        self._timers[pin] = self.later(due, lambda t: self._wave(t, pin, hz))

    # ------------------------------------------------------------------ registers

    def next_register(self, register: int) -> int:
        """After 12h comes 00h."""
        return 0 if register >= LAST else register + 1

    def started(self, t_ps: int) -> None:
        """A START copies the time, so that it does not move while it is read."""
        self._commit(t_ps)
        super().started(t_ps)
        self._buffer = self._time(t_ps)

    def stopped(self, t_ps: int) -> None:
        """What was written of the time is one."""
        self._commit(t_ps)
        super().stopped(t_ps)

    def read_register(self, t_ps: int, register: int) -> int:
        """As figure 1 has it."""
        self._catch_up(t_ps)
        if register > LAST:
            self.reserved(register, "read")
            return 0
        if register == LAST:
            self._buffer = self._time(t_ps)  # "when the register pointer rolls over to zero"
        if register < ALARM_1:
            return self._buffer[register]
        if register < CONTROL:
            return self._alarms[register - ALARM_1]
        if register == CONTROL:
            return self._control | CONV * (self._held is not None and self._held[2])
        if register == STATUS:
            return self._status | BSY * self._busy(t_ps)
        quarters = (self._measured * 4 + 500) // 1000
        return {
            AGING: self._aging, TEMPERATURE: quarters >> 2 & 0xFF, LAST: (quarters & 3) << 6,
        }[register]  # fmt: skip

    def write_register(self, t_ps: int, register: int, value: int) -> None:
        """The time is taken at the end of the transfer, its seconds as they come."""
        self._catch_up(t_ps)
        if register > LAST:
            self.reserved(register, "write")
            return
        if register >= TEMPERATURE:
            self.hazard(
                t_ps, "part-ignored", "the temperature is written: it can only be read",
                "temperature registers (11h, 12h)", "stop before 11h",
            )  # fmt: skip
            return
        if value & ~WRITABLE[register]:
            self.hazard(
                t_ps, "part-reserved", f"register {register:02X}h is written with {value:#04x}: "
                f"{value & ~WRITABLE[register] & 0xFF:#04x} is no bit of it",
                "figure 1, timekeeping registers", "write 0 there",
            )  # fmt: skip
        if register < ALARM_1:
            self._pending[register] = value & WRITABLE[register]
            if register == 0:
                self._chain_ps = t_ps  # "writing the seconds resets the countdown chain"
            return
        if register < CONTROL:
            self._alarms[register - ALARM_1] = value
        elif register == CONTROL:
            self._write_control(t_ps, value)
        elif register == STATUS:
            kept = self._status & (OSF | 3) & value  # these can be cleared, not set
            self._status = kept | value & EN32KHZ
        else:
            self._aging = value
        self._arrange(t_ps)

    def _write_control(self, t_ps: int, value: int) -> None:
        if value & CONV:
            if self._held is None:
                self._held = (self.sensed("temperature", t_ps), t_ps, True)
            elif not self._held[2]:
                self.hazard(
                    t_ps, "part-ignored", "CONV is set while a conversion is under way",
                    "control register (0Eh), CONV", "wait until BSY is 0",
                )  # fmt: skip
        self._control = value & ~CONV

    def _commit(self, t_ps: int) -> None:
        """The time that was written, if it is one."""
        if not self._pending and not self._control & 3:
            return
        self._check_masks(t_ps)
        if not self._pending:
            return
        self._catch_up(t_ps)
        values = self._time(t_ps)
        for register, value in self._pending.items():
            values[register] = value
        moment = moment_of(values)
        if moment is None:
            told = " ".join(f"{value:02x}" for value in values)
            self.hazard(
                t_ps, "part-reserved", f"{told} in 00h to 06h is no date and time: what it does "
                "with it is not defined", "clock and calendar", "write BCD, and a date there is",
            )  # fmt: skip
        else:
            self._twelve = bool(values[2] & HOURS_12)
            whole = (t_ps - self._base_ps) // PS_PER_S * PS_PER_S
            phase = self._base_ps + whole if self._chain_ps is None else self._chain_ps
            self._set_time(t_ps, moment, phase)
        self._pending, self._chain_ps = {}, None
        self._arrange(t_ps)


MODEL = Ds3231
