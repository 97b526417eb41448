"""TMP102: a thermometer on I2C with limits and an alert pin.

Source: TI SBOS397 (TMP102 data sheet): pointer, temperature, configuration and limit registers
(§7.5, tables 6 to 12); conversion modes, one-shot and alert (§7.4); serial interface, general call
and SMBus alert (§7.3). A conversion takes 26 ms, as is typical. A resistor at ALERT is the board's.
Not modelled: the time-out of the bus (30 ms), and the high-speed mode.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fwgen.machine.parts.bus_part import BusPart
from fwgen.units import PS_PER_MS

if TYPE_CHECKING:
    from fwgen.board.types import Module
    from fwgen.machine.soc import Soc
    from fwgen.machine.time import Timer

CONVERSION_PS = 26 * PS_PER_MS
PERIODS_PS = tuple(ms * PS_PER_MS for ms in (4000, 1000, 250, 125))  # by CR1 and CR0
FAULTS = (1, 2, 4, 6)  # by F1 and F0
TEMPERATURE, CONFIG, LOW, HIGH = range(4)
OS, POL, TM, SD = 0x8000, 0x0400, 0x0200, 0x0100
AL, EM, RATE = 0x0020, 0x0010, 0x00C0
WRITABLE = 0x1FD0  # of the configuration, but for OS: R1 and R0 are 1, AL follows the temperature
GENERAL_CALL, ALERT_RESPONSE, RESET = 0x00, 0x19, 0x06


class Tmp102(BusPart):
    """One chip; ``alert`` is its open-drain pin."""

    SOURCE = "TMP102 data sheet, SBOS397"
    RATE_SECTION = "timing requirements"

    def __init__(self, soc: Soc, spec: Module) -> None:
        super().__init__(soc, spec)
        self._timer: Timer | None = None

    def power_on(self, t_ps: int) -> None:
        """It converts at once, four times a second; until then the temperature reads 0 °C."""
        self._config, self._limits = 0x0080, {LOW: 0x4B00, HIGH: 0x5000}
        self._temperature = 0
        self._pointer = TEMPERATURE
        self._taken: list[int] | None = None  # bytes since the address; None: not written to
        self._given = 0
        self._word = 0
        self._asked = ""  # "call" after the general call, "alert" after the SMBus alert response
        self._over = False  # beyond T_HIGH, and not yet back below T_LOW (bit AL)
        self._waits_low = False  # in interrupt mode: the next alert is the one below T_LOW
        self._counted = 0
        self._why_low = False
        self._begun_ps = t_ps
        self._assert(t_ps, on=False)
        self._convert(t_ps)

    # ------------------------------------------------------------------ conversions

    def _convert(self, t_ps: int) -> None:
        self._rest()
        self._begun_ps, self._mc = t_ps, self.sensed("temperature", t_ps)
        self._timer = self.later(t_ps + CONVERSION_PS, self._converted)

    def _converted(self, t_ps: int) -> None:
        extended = bool(self._config & EM)
        step = (self._mc * 16 + 500) // 1000
        top = 0xFFF if extended else 0x7FF
        step = max(-top - 1, min(top, step))
        self._temperature = (step << 3 | 1) & 0xFFFF if extended else step << 4 & 0xFFFF
        self._timer = None
        self._compare(t_ps, step)
        if not self._config & SD:
            self._wait(t_ps)

    def _wait(self, t_ps: int) -> None:
        due = max(t_ps, self._begun_ps + PERIODS_PS[self._config >> 6 & 3])
        self._rest()
        self._timer = self.later(due, self._convert)

    def _limit(self, which: int) -> int:
        word = self._limits[which]
        return (word - (word >> 15 << 16)) >> (3 if self._config & EM else 4)

    def _compare(self, t_ps: int, step: int) -> None:
        """So many conversions in a row beyond a limit change the state."""
        waits_low = self._waits_low if self._config & TM else self._over
        beyond = step < self._limit(LOW) if waits_low else step >= self._limit(HIGH)
        self._counted = self._counted + 1 if beyond else 0
        if self._counted < FAULTS[self._config >> 11 & 3]:
            return
        self._counted = 0
        self._over = not waits_low
        if self._config & TM:
            self._waits_low = not waits_low
            self._why_low = waits_low
            self._assert(t_ps, on=True)
        else:
            self._assert(t_ps, on=self._over)

    def _assert(self, t_ps: int, *, on: bool) -> None:
        self._alert = on
        if "alert" in self.pads:
            high = on == bool(self._config & POL)
            self.drive(t_ps, "alert", None if high else 0)

    def _registers(self) -> dict[int, int]:
        return {TEMPERATURE: self._temperature, CONFIG: self._read_config(), **self._limits}

    def _read_config(self) -> int:
        al = self._over == bool(self._config & POL)
        os = bool(self._config & SD) and self._timer is None
        return self._config & ~(OS | AL) | 0x6000 | OS * os | AL * al

    def _configure(self, t_ps: int, word: int) -> None:
        changed, self._config = (word ^ self._config) & WRITABLE, word & WRITABLE
        busy = self._timer is not None and t_ps < self._begun_ps + CONVERSION_PS
        if word & SD and not busy:  # a conversion under way is brought to its end
            self._rest()
            if word & OS:
                self._convert(t_ps)
        elif changed & SD and not busy:
            self._convert(t_ps)
        elif changed & RATE and not busy:
            self._wait(t_ps)
        if changed & (TM | POL) or (word & TM and changed & SD):
            self._assert(t_ps, on=self._alert and not (word & TM and word & SD))

    def _rest(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None

    # ------------------------------------------------------------------ the bus

    def started(self, t_ps: int) -> None:
        """A transfer that is not over writes nothing."""
        self._end(t_ps)

    def stopped(self, t_ps: int) -> None:
        """Likewise."""
        self._end(t_ps)

    def _end(self, t_ps: int) -> None:
        if self._taken is not None and len(self._taken) == 2 and not self._asked:
            low = self._registers()[self._pointer] & 0xFF  # "to update only the MS byte"
            self._write(t_ps, self._taken[1] << 8 | low)
        self._taken, self._asked = None, ""

    def addressed(self, t_ps: int, byte: int) -> bool:
        """Its own address, the general call, and the SMBus alert response while it alerts."""
        self._taken, self._given = None, 0
        if byte == GENERAL_CALL:
            self._taken, self._asked = [], "call"
            return True
        if byte == ALERT_RESPONSE:
            if not (self._config & TM and self._alert):
                return False
            self._asked = "alert"
            return True
        if byte >> 1 != self.address:
            return False
        if not byte & 1:
            self._taken = []
        return True

    def written(self, t_ps: int, byte: int) -> bool:
        """The pointer, then the two bytes of a register, the high one first."""
        if self._taken is None:
            return False
        self._taken.append(byte)
        if self._asked:
            if byte == RESET:
                self.power_on(t_ps)
            return byte == RESET
        if len(self._taken) == 1:
            if byte & ~3:
                self.hazard(
                    t_ps, "part-reserved", f"the pointer is written with {byte:#04x}: P7 to P2 "
                    "must be 0", "§7.5.1, pointer register", "write 0 to 3",
                )  # fmt: skip
            self._pointer = byte & 3
        elif len(self._taken) == 3:
            self._write(t_ps, self._taken[1] << 8 | byte)
        return len(self._taken) <= 3

    def _write(self, t_ps: int, word: int) -> None:
        if self._pointer == CONFIG:
            self._configure(t_ps, word)
        elif self._pointer == TEMPERATURE:
            self.hazard(
                t_ps, "part-ignored", "the temperature is written: it can only be read",
                "§7.5.2, temperature register", "set the pointer to 1 to 3",
            )  # fmt: skip
        else:
            mask = 0xFFF8 if self._config & EM else 0xFFF0
            self._limits[self._pointer] = word & mask

    def read(self, t_ps: int) -> int:
        """The register of the pointer, high byte first; in interrupt mode this ends an alert."""
        self._given += 1
        if self._asked == "alert":
            self._assert(t_ps, on=False)
            return self.address << 1 | (self._why_low != bool(self._config & POL))
        if self._given == 1:
            self._word = self._registers()[self._pointer]
            if self._config & TM and self._alert:
                self._assert(t_ps, on=False)
            return self._word >> 8
        if self._given == 3:
            self.soc.gap(
                self.name, f"register {self._pointer}", "read", 0,
                "what follows the two bytes of a register is not in the data sheet",
            )  # fmt: skip
        return self._word & 0xFF if self._given == 2 else 0xFF


MODEL = Tmp102
