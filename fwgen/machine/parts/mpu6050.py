"""MPU-6050: accelerometer, gyroscope and thermometer on I2C, with a FIFO and an interrupt pin.

Source: InvenSense RM-MPU-6000A (register map and descriptions) and PS-MPU-6000A (product
specification: §6.1 gyroscope, §6.2 accelerometer, §6.5 start-up times). DATA_RDY and FIFO_OFLOW of
INT_STATUS are set only where INT_ENABLE has them, as the register map reads.
Not modelled (a Gap each): its I2C master, self-test, FSYNC, cycle mode and motion detection. The
filters delay nothing; an axis reads what was set as it is sampled.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fwgen.machine.parts.register_part import RegisterPart
from fwgen.units import PS_PER_MS, PS_PER_S, PS_PER_US

if TYPE_CHECKING:
    from fwgen.board.types import Module
    from fwgen.contract.types import Sense
    from fwgen.machine.soc import Soc
    from fwgen.machine.time import Timer

SMPLRT_DIV, CONFIG, GYRO_CONFIG, ACCEL_CONFIG, FIFO_EN = 0x19, 0x1A, 0x1B, 0x1C, 0x23
INT_PIN_CFG, INT_ENABLE, INT_STATUS, DATA = 0x37, 0x38, 0x3A, 0x3B
SIGNAL_PATH_RESET, USER_CTRL, PWR_MGMT_1, PWR_MGMT_2 = 0x68, 0x6A, 0x6B, 0x6C
FIFO_COUNTH, FIFO_COUNTL, FIFO_R_W, WHO_AM_I = 0x72, 0x73, 0x74, 0x75
GYRO_DATA = 0x43
#: Register -> bits that can be written; of these, bits that have no model; the rest is reserved.
WRITABLE = {
    SMPLRT_DIV: (0xFF, 0), CONFIG: (0x3F, 0x38), GYRO_CONFIG: (0xF8, 0xE0),
    ACCEL_CONFIG: (0xF8, 0xE0), FIFO_EN: (0xFF, 0x07), INT_PIN_CFG: (0xFE, 0x0C),
    INT_ENABLE: (0x19, 0x08), SIGNAL_PATH_RESET: (0x07, 0), USER_CTRL: (0x67, 0x22),
    PWR_MGMT_1: (0xEF, 0x20), PWR_MGMT_2: (0xFF, 0xC0), FIFO_R_W: (0xFF, 0xFF),
}  # fmt: skip
READ_ONLY = (INT_STATUS, *range(DATA, 0x49), FIFO_COUNTH, FIFO_COUNTL, WHO_AM_I)

DEVICE_RESET, SLEEP, TEMP_DIS = 0x80, 0x40, 0x08
INT_LOW, INT_OPEN, LATCH, RD_CLEAR = 0x80, 0x40, 0x20, 0x10
OVERFLOW, READY = 0x10, 0x01
FIFO_ON, FIFO_RESET, SIGNAL_RESET = 0x40, 0x04, 0x01
FIFO_BYTES = 1024
PULSE_PS = 50 * PS_PER_US
UP_PS, GYRO_UP_PS = 100 * PS_PER_MS, 30 * PS_PER_MS  # PS §6.5 (the longest), §6.1
ACCELERATIONS = ("accel_x", "accel_y", "accel_z")
ROTATIONS = ("gyro_x", "gyro_y", "gyro_z")


def limited(value: int) -> bytes:
    """Sixteen bits; beyond the range it stays at its end."""
    return max(-32768, min(32767, value)).to_bytes(2, "big", signed=True)


class Mpu6050(RegisterPart):
    """One chip; ``int`` is its interrupt pin. Samples are made up when somebody looks."""

    SOURCE = "MPU-6000/6050 register map, RM-MPU-6000A"
    RATE_SECTION = "PS-MPU-6000A §6.5, serial interface"

    def __init__(self, soc: Soc, spec: Module) -> None:
        super().__init__(soc, spec)
        self._timer: Timer | None = None

    def power_on(self, t_ps: int) -> None:
        """It sleeps, and takes 100 ms until its registers can be spoken to."""
        self.awake_ps = t_ps + UP_PS
        self._resetting_ps = t_ps
        self._reset(t_ps)

    def _reset(self, t_ps: int) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._registers = dict.fromkeys(WRITABLE, 0) | {PWR_MGMT_1: SLEEP}
        self._data = bytes(14)
        self._shadow, self._shadow_count = self._data, 0
        self._samples = 0  # made up so far
        self._origin_ps, self._number = t_ps, 0  # when sample 0 of this rate would be, and how many
        self._woke_ps = t_ps
        self._fifo = bytearray()
        self._fifo_last = self._fifo_count = 0
        self._status = self._fresh = 0
        self._pin(t_ps, on=False)

    # ------------------------------------------------------------------ samples

    @property
    def _period_ps(self) -> int:
        """RM §4.2: the gyroscope's 8 kHz, or 1 kHz with its filter, by 1 + SMPLRT_DIV."""
        fast = self._registers[CONFIG] & 7 in (0, 7)
        return PS_PER_S // (8000 if fast else 1000) * (1 + self._registers[SMPLRT_DIV])

    @property
    def _sleeps(self) -> bool:
        return bool(self._registers[PWR_MGMT_1] & SLEEP)

    def _catch_up(self, t_ps: int) -> None:
        """The samples that were due by now."""
        if self._sleeps:
            return
        due = (t_ps - self._origin_ps) // self._period_ps
        if due <= self._number:
            return
        length = self._frame_length()
        # Of older ones nothing is left: pushed out of the FIFO, or overwritten.
        first = max(self._number + 1, due - (FIFO_BYTES // length + 1 if length else 0))
        if length and len(self._fifo) + length * (due - self._number) > FIFO_BYTES:
            self._raise(OVERFLOW)
        for number in range(first, due + 1):
            self._sample(self._origin_ps + number * self._period_ps)
        self._samples += due - self._number
        self._number = due
        self._raise(READY)

    def _raise(self, flag: int) -> None:
        self._status |= flag & self._registers[INT_ENABLE]
        self._fresh |= flag & self._registers[INT_ENABLE]

    def _sample(self, t_ps: int) -> None:
        standby, old = self._registers[PWR_MGMT_2], self._data
        pieces = []
        for n, what in enumerate(ACCELERATIONS):
            scale = 16384 >> (self._registers[ACCEL_CONFIG] >> 3 & 3)
            raw = limited(round(self.sensed(what, t_ps) * scale / 10**6))
            pieces.append(old[2 * n : 2 * n + 2] if standby & 0x20 >> n else raw)
        raw = limited(round((self.sensed("temperature", t_ps) - 36_530) * 340 / 1000))
        pieces.append(old[6:8] if self._registers[PWR_MGMT_1] & TEMP_DIS else raw)
        for n, what in enumerate(ROTATIONS):
            tenths = (1310, 655, 328, 164)[self._registers[GYRO_CONFIG] >> 3 & 3]
            raw = limited(round(self.sensed(what, t_ps) * tenths / 10_000))
            pieces.append(old[8 + 2 * n : 10 + 2 * n] if standby & 4 >> n else raw)
        self._data = b"".join(pieces)
        if self._registers[USER_CTRL] & FIFO_ON:
            for start, stop in self._chosen():
                self._fifo += self._data[start:stop]
            del self._fifo[:-FIFO_BYTES]

    def _chosen(self) -> list[tuple[int, int]]:
        """What goes into the FIFO, in the order of the registers (RM §4.6)."""
        enabled = self._registers[FIFO_EN]
        spans = ((0x08, 0, 6), (0x80, 6, 8), (0x40, 8, 10), (0x20, 10, 12), (0x10, 12, 14))
        return [(start, stop) for bit, start, stop in spans if enabled & bit]

    def _frame_length(self) -> int:
        if not self._registers[USER_CTRL] & FIFO_ON:
            return 0
        return sum(stop - start for start, stop in self._chosen())

    def set_sense(self, sense: Sense, what: str) -> None:
        """What was sampled before has the old value."""
        self._catch_up(sense.at_ps)
        super().set_sense(sense, what)

    # ------------------------------------------------------------------ the interrupt pin

    def _watch(self, t_ps: int) -> None:
        """Somebody notices the next sample if the pin is wired and enabled."""
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None
        if "int" in self.pads and not self._sleeps and self._registers[INT_ENABLE] & 0x11:
            due = self._origin_ps + (self._number + 1) * self._period_ps
            self._timer = self.later(max(due, t_ps), self._noticed)

    def _noticed(self, t_ps: int) -> None:
        self._catch_up(t_ps)
        fresh, self._fresh = self._fresh, 0  # by whomever it was made up
        if fresh:
            self._pin(t_ps, on=True)
            if not self._registers[INT_PIN_CFG] & LATCH:
                self.later(t_ps + PULSE_PS, lambda t: self._pin(t, on=False))
        self._watch(t_ps)

    def _pin(self, t_ps: int, *, on: bool) -> None:
        self._on = on
        if "int" in self.pads:
            config = self._registers[INT_PIN_CFG]
            level = int(on != bool(config & INT_LOW))
            self.drive(t_ps, "int", None if level and config & INT_OPEN else level)

    # ------------------------------------------------------------------ registers

    def transfer_begins(self, t_ps: int, *, reads: bool) -> None:
        """The registers that are read follow the sensors only while the bus is idle (RM §4.17)."""
        self._catch_up(t_ps)
        self._shadow, self._shadow_count = self._data, self._samples

    def next_register(self, register: int) -> int:
        """The FIFO's register stays."""
        return register if register == FIFO_R_W else register + 1 & 0xFF

    def read_register(self, t_ps: int, register: int) -> int:
        """Reading INT_STATUS clears it; with INT_RD_CLEAR any read does."""
        self._catch_up(t_ps)
        if self._registers[INT_PIN_CFG] & RD_CLEAR and register != INT_STATUS:
            self._clear(t_ps)
        if DATA <= register < DATA + 14:
            return self._read_data(t_ps, register)
        if register == INT_STATUS:
            status = self._status
            self._clear(t_ps)
            return status
        if register == FIFO_COUNTH:
            self._fifo_count = len(self._fifo)  # "must read FIFO_COUNTH first"
            return self._fifo_count >> 8
        if register == FIFO_COUNTL:
            return self._fifo_count & 0xFF
        if register == FIFO_R_W:
            return self._read_fifo(t_ps)
        if register == WHO_AM_I:
            return 0x68
        if register == PWR_MGMT_1 and t_ps < self._resetting_ps:
            return DEVICE_RESET | SLEEP
        if register not in self._registers:
            self.reserved(register, "read")
        return self._registers.get(register, 0)

    def _read_data(self, t_ps: int, register: int) -> int:
        if register >= GYRO_DATA and not self._sleeps and t_ps < self._woke_ps + GYRO_UP_PS:
            self.hazard(
                t_ps, "part-too-soon", "the gyroscope is read within 30 ms of waking up",
                "PS-MPU-6000A §6.1, gyroscope start-up time", "wait 30 ms after SLEEP is cleared",
            )  # fmt: skip
        first = register - (register - DATA & 1)
        self.part_read(t_ps, first, register, self._shadow_count, "§4.17, sensor registers")
        return self._shadow[register - DATA]

    def _read_fifo(self, t_ps: int) -> int:
        if self._fifo:
            self._fifo_last = self._fifo.pop(0)
        else:
            self.hazard(
                t_ps, "part-empty", "the FIFO is read while it is empty", "§4.33, FIFO_R_W",
                "read FIFO_COUNT before",
            )  # fmt: skip
        return self._fifo_last

    def _clear(self, t_ps: int) -> None:
        self._status = 0
        if self._registers[INT_PIN_CFG] & LATCH:
            self._pin(t_ps, on=False)

    def write_register(self, t_ps: int, register: int, value: int) -> None:
        """What changes the rate or wakes it up begins a new row of samples."""
        self._catch_up(t_ps)
        if t_ps < self._resetting_ps:
            self.hazard(
                t_ps, "part-too-soon", f"register {register:02X}h is written while the reset is "
                "under way", "§4.28, PWR_MGMT_1", "wait 100 ms, or until DEVICE_RESET reads 0",
            )  # fmt: skip
            return
        if register in READ_ONLY:
            self.hazard(
                t_ps, "part-ignored", f"register {register:02X}h is written: it can only be read",
                "§3, register map", "write the register that was meant",
            )  # fmt: skip
            return
        if register not in WRITABLE:
            self.reserved(register, "write")
            return
        known, unmodelled = WRITABLE[register]
        if value & ~known:
            self.hazard(
                t_ps, "part-reserved", f"register {register:02X}h is written with {value:#04x}: "
                f"{value & ~known & 0xFF:#04x} is reserved", "§4, register descriptions",
                "write 0 there",
            )  # fmt: skip
        if value & unmodelled:
            self.reserved(register, "write")
        self._write(t_ps, register, value & known)

    def _write(self, t_ps: int, register: int, value: int) -> None:
        if register == PWR_MGMT_1 and value & DEVICE_RESET:
            self._resetting_ps = t_ps + UP_PS
            self._reset(t_ps)
            return
        before = self._period_ps, self._sleeps
        if register == USER_CTRL:
            value = self._control(value)
        if register in (SIGNAL_PATH_RESET, FIFO_R_W):
            value = 0
        self._registers[register] = value
        if (self._period_ps, self._sleeps) != before:
            self._origin_ps, self._number = t_ps, 0
            if before[1] and not self._sleeps:
                self._woke_ps = t_ps
        if register == INT_PIN_CFG:
            self._pin(t_ps, on=self._on)
        self._watch(t_ps)

    def _control(self, value: int) -> int:
        if value & FIFO_RESET:
            if value & FIFO_ON:
                self.soc.gap(
                    self.name, "USER_CTRL.FIFO_RESET", "write", 0,
                    "what it does while FIFO_EN is 1 is not in the register map",
                )  # fmt: skip
            self._fifo.clear()
        if value & SIGNAL_RESET:
            self._data = bytes(14)
        return value & ~(FIFO_RESET | SIGNAL_RESET)

    # ------------------------------------------------------------------ the bus

    def addressed(self, t_ps: int, byte: int) -> bool:
        """Its own address, once it is up."""
        if byte >> 1 == self.address and self.too_soon(t_ps, "PS-MPU-6000A §6.5, start-up time"):
            return False
        return super().addressed(t_ps, byte)


MODEL = Mpu6050
