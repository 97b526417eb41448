"""BME280: temperature, humidity and pressure, on I2C or SPI.

Source: Bosch BST-BME280-DS002: power modes (§3.3), measurement flow and filter (§3.4), register map
(§5.3, §5.4), interfaces (§6), measurement time (§9.1, the longest). What the converter gives is
computed back from what was set, so that the data sheet's compensation yields it (bme280_numbers).
Not modelled: SPI with three wires (a Gap), and the high-speed mode of I2C.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fwgen.machine.parts.bme280_numbers import (
    TOP_20,
    fine,
    raw_humidity,
    raw_pressure,
    raw_temperature,
    trimming,
)
from fwgen.machine.parts.register_part import RegisterPart
from fwgen.units import PS_PER_MS, PS_PER_US

if TYPE_CHECKING:
    from fwgen.board.types import Module
    from fwgen.machine.soc import Soc
    from fwgen.machine.time import Timer

ID, RESET, CTRL_HUM, STATUS, CTRL_MEAS, CONFIG, DATA = 0xD0, 0xE0, 0xF2, 0xF3, 0xF4, 0xF5, 0xF7
CHIP_ID, RESET_WORD = 0x60, 0xB6
STARTUP_PS = 2 * PS_PER_MS  # §1, table 1: t_startup
MEASURING, IM_UPDATE = 0x08, 0x01
SLEEP, NORMAL = 0, 3
STANDBY_PS = tuple(us * PS_PER_US for us in (500, 62_500, 125_000, 250_000, 500_000, 1_000_000,
                                             10_000, 20_000))  # fmt: skip
NOTHING = (0x80000, 0x80000, 0x8000)  # pressure, temperature, humidity that were never measured
FIRST_BYTES = (0xF7, 0xFA, 0xFD)  # of each value


def samples(osrs: int) -> int:
    """How often a value is measured: 0, 1, 2, 4, 8 or 16 times (§5.4.3, §5.4.5)."""
    return min(1 << osrs >> 1, 16)


class Bme280(RegisterPart):
    """One chip; its first byte on SPI is the register with the R/W bit on top."""

    SOURCE = "BME280 data sheet, BST-BME280-DS002"
    RATE_SECTION = "§6.4, interface parameters"
    IN_PAIRS = True  # §6.2.1

    def __init__(self, soc: Soc, spec: Module) -> None:
        super().__init__(soc, spec)
        self._trimming = trimming()
        self._timer: Timer | None = None

    def power_on(self, t_ps: int) -> None:
        """It sleeps; the trimming values are there after 2 ms."""
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None
        self.awake_ps = t_ps + STARTUP_PS
        self._hum = self._hum_used = self._meas = self._config = 0
        self._asked: int | None = None  # a ctrl_meas that waits for the end of a measurement
        self._measuring = False
        self._filtered: list[int | None] = [None, None]
        self._data, self._count = self._pack(NOTHING), 0
        self._shadow, self._shadow_count = self._data, 0
        self._command: int | None = None
        self._reads = self._mute = False

    # ------------------------------------------------------------------ measurements

    def _begin(self, t_ps: int) -> None:
        self._measuring = True
        osrs_t, osrs_p = self._meas >> 5, self._meas >> 2 & 7
        ppm = [samples(osrs_t), samples(osrs_p), samples(self._hum_used)]
        us = 1250 + 2300 * ppm[0] + sum(2300 * n + 575 for n in ppm[1:] if n)
        self._raw = self._convert(t_ps)
        self._timer = self.later(t_ps + us * PS_PER_US, self._over)

    def _convert(self, t_ps: int) -> tuple[int, int, int]:
        osrs_t, osrs_p, osrs_h = self._meas >> 5, self._meas >> 2 & 7, self._hum_used
        temperature = raw_temperature(self.sensed("temperature", t_ps))
        fine_t = fine(temperature)
        return (
            self._resolved(raw_pressure(self.sensed("pressure", t_ps), fine_t), osrs_p),
            self._resolved(temperature, osrs_t),
            raw_humidity(self.sensed("humidity", t_ps), fine_t) if osrs_h else NOTHING[2],
        )

    def _resolved(self, raw: int, osrs: int) -> int:
        """Without the filter there are 16 bits, and one more for each doubling (§3.4.1, §3.4.3)."""
        if not osrs:
            return NOTHING[0]
        step = 1 if self._config >> 2 & 7 else 1 << max(0, 4 - (min(osrs, 5) - 1))
        return min((raw + step // 2) // step * step, TOP_20 & -step)

    def _over(self, t_ps: int) -> None:
        """The data registers get all values at once (§4: shadowing)."""
        pressure, temperature, humidity = self._raw
        values = (
            self._filter(0, pressure, self._meas >> 2 & 7),
            self._filter(1, temperature, self._meas >> 5),
            humidity,
        )
        self._data = self._pack(values)
        self._count += 1
        self._measuring = False
        self._timer = None
        if self._asked is not None:
            asked, self._asked = self._asked, None
            self._set_mode(t_ps, asked)
        elif self._meas & 3 == NORMAL:
            self._timer = self.later(t_ps + STANDBY_PS[self._config >> 5], self._begin)
        else:
            self._meas &= ~3

    def _filter(self, which: int, raw: int, osrs: int) -> int:
        """§3.4.4; a value that was not measured leaves it alone."""
        share = 1 << min(self._config >> 2 & 7, 4)
        old = self._filtered[which]
        if not osrs:
            return raw
        made = raw if share == 1 or old is None else (old * (share - 1) + raw) // share
        self._filtered[which] = made
        return made

    @staticmethod
    def _pack(values: tuple[int, int, int]) -> bytes:
        pressure, temperature, humidity = values
        return b"".join((
            (pressure << 4).to_bytes(3, "big"), (temperature << 4).to_bytes(3, "big"),
            humidity.to_bytes(2, "big"),
        ))  # fmt: skip

    def _set_mode(self, t_ps: int, value: int) -> None:
        self._meas, self._hum_used = value, self._hum
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if value & 3 != SLEEP:
            self._begin(t_ps)

    # ------------------------------------------------------------------ registers

    def transfer_begins(self, t_ps: int, *, reads: bool) -> None:
        """A burst reads one and the same measurement."""
        self._shadow, self._shadow_count = self._data, self._count

    def read_register(self, t_ps: int, register: int) -> int:
        """As the memory map has it (§5.3)."""
        if DATA <= register < DATA + 8:
            first = max(n for n in FIRST_BYTES if n <= register)
            self.part_read(t_ps, first, register, self._shadow_count, "§4, data readout")
        value = self._value(t_ps, register)
        if value is None:
            self.reserved(register, "read")
        return value or 0

    def _value(self, t_ps: int, register: int) -> int | None:
        if DATA <= register < DATA + 8:
            return self._shadow[register - DATA]
        if register == STATUS:
            return MEASURING * self._measuring | IM_UPDATE * (t_ps < self.awake_ps)
        meas = self._meas if self._asked is None else self._asked
        known = {ID: CHIP_ID, RESET: 0, CTRL_HUM: self._hum, CTRL_MEAS: meas, CONFIG: self._config}
        return known.get(register, self._trimming.get(register))

    def write_register(self, t_ps: int, register: int, value: int) -> None:
        """§5.4; what is only read is not written."""
        if register == RESET:
            if value == RESET_WORD:
                self.power_on(t_ps)
        elif register == CTRL_HUM:
            self._check_reserved(t_ps, "ctrl_hum", value, 0xF8)
            self._hum = value & 7  # "becomes effective after a write operation to ctrl_meas"
        elif register == CTRL_MEAS:
            self._write_meas(t_ps, value)
        elif register == CONFIG:
            self._write_config(t_ps, value)
        elif register in self._trimming or register in (ID, STATUS) or register >= DATA:
            self.hazard(
                t_ps, "part-ignored", f"register {register:02X}h is written: it can only be read",
                "§5.3, memory map", "write F2h, F4h, F5h or E0h",
            )  # fmt: skip
        else:
            self.reserved(register, "write")

    def _write_meas(self, t_ps: int, value: int) -> None:
        if not self._measuring:
            self._set_mode(t_ps, value)
            return
        if self._asked is not None:
            self.hazard(
                t_ps, "part-ignored", "ctrl_meas is written while an earlier mode still waits for "
                "the end of a measurement", "§3.3.1, sensor modes",
                "wait until the bit measuring of status is 0",
            )  # fmt: skip
            return
        self._asked = value

    def _write_config(self, t_ps: int, value: int) -> None:
        self._check_reserved(t_ps, "config", value, 0x02)
        if value & 1:
            self.soc.gap(self.name, "config.spi3w_en", "write", 0, "SPI with three wires")
        if self._meas & 3 == NORMAL:
            self.hazard(
                t_ps, "part-ignored", "config is written in normal mode: it may be ignored",
                "§5.4.6, config", "write config in sleep mode, before ctrl_meas",
            )  # fmt: skip
            return
        if not value >> 2 & 7:
            self._filtered = [None, None]
        self._config = value & 0xFD

    def _check_reserved(self, t_ps: int, what: str, value: int, mask: int) -> None:
        if value & mask:
            self.hazard(
                t_ps, "part-reserved", f"{what} is written with {value:#04x}: {value & mask:#04x} "
                "is reserved", "§5.4, register description", "read it, and keep these bits",
            )  # fmt: skip

    # ------------------------------------------------------------------ I2C

    def addressed(self, t_ps: int, byte: int) -> bool:
        """Its own address, once it is up."""
        if byte >> 1 == self.address and self.too_soon(t_ps, "table 1, start-up time"):
            return False
        return super().addressed(t_ps, byte)

    # ------------------------------------------------------------------ SPI

    def select(self, t_ps: int) -> None:
        """A new transfer."""
        self._command = None
        self._mute = self.too_soon(t_ps, "table 1, start-up time")

    def shift_in(self, t_ps: int, byte: int) -> None:
        """The register, bit 7 being R/W, then (to write) its byte, and so on (§6.3)."""
        if self._mute:
            return
        if self._command is None:
            self._command, self._reads = byte | 0x80, bool(byte & 0x80)
            self.transfer_begins(t_ps, reads=self._reads)
        elif self._reads:
            self.read_register(t_ps, self._command)  # now that all its bits are read
            self._command = self._command + 1 & 0xFF | 0x80
        else:
            register, self._command = self._command, None
            self.write_register(t_ps, register, byte)

    def shift_out(self, t_ps: int) -> int | None:
        """Registers in a row."""
        if self._mute or self._command is None or not self._reads:
            return None
        return self._value(t_ps, self._command) or 0

    def deselect(self, t_ps: int, bits: int) -> None:
        """The end of a transfer."""
        if bits:
            self.hazard(
                t_ps, "part-cut-short", f"deselected {bits} bits into a byte", "§6.3, SPI",
                "wait until BSY is 0 before raising the chip select",
            )  # fmt: skip
        self._command = None


MODEL = Bme280
