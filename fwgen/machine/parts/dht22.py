"""DHT22 (AM2302): temperature and humidity on one wire.

Source: Aosong AM2302 product manual, §7 single-bus communication: the host holds the line low for
0.8 ms to 20 ms (typically 1 ms) and lets go; 80 us low and 80 us high answer; each of 40 bits is
50 us low and then high for 26 us (0) or 70 us (1). No more often than every 2 s, not in the first
second.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fwgen.machine.parts.module import ModuleModel
from fwgen.units import PS_PER_MS, PS_PER_S, PS_PER_US, show_duration

if TYPE_CHECKING:
    from fwgen.board.types import Module
    from fwgen.machine.soc import Soc

START_PS, LONGEST_START_PS = 800 * PS_PER_US, 20 * PS_PER_MS
RELEASE_PS = 30 * PS_PER_US
ANSWER_PS = 80 * PS_PER_US
LOW_PS, ZERO_PS, ONE_PS = 50 * PS_PER_US, 26 * PS_PER_US, 70 * PS_PER_US
READY_PS, CYCLE_PS = PS_PER_S, 2 * PS_PER_S


def frame(humidity_ppm: int, temperature_mc: int) -> bytes:
    """Five bytes: tenths of a percent, tenths of a degree with a sign bit, and their sum."""
    wet = max(0, min(1000, (humidity_ppm + 500) // 1000))
    size = (abs(temperature_mc) + 50) // 100
    warm = size | (0x8000 if temperature_mc < 0 and size else 0)
    data = wet.to_bytes(2, "big") + warm.to_bytes(2, "big")
    return data + bytes([sum(data) & 0xFF])


class Dht22(ModuleModel):
    """Its module has a pull-up of its own."""

    SOURCE = "AM2302 product manual"

    def __init__(self, soc: Soc, spec: Module) -> None:
        super().__init__(soc, spec)
        self._talking = False
        self.pads["data"].set_resistor(0, 1)
        self.hear("data", self._moved)

    def power_on(self, t_ps: int) -> None:
        """It needs a second."""
        self._on_ps, self._fell = t_ps, -1
        self._asked_ps: int | None = None
        self._talking = False
        self.drive(t_ps, "data", None)

    def _moved(self, t_ps: int, level: int) -> None:
        if self._talking:
            return
        if not level:
            self._fell = t_ps
            return
        if self._fell < 0:
            return
        low = t_ps - self._fell
        if low < START_PS:
            if low > 100 * PS_PER_US:  # less is no start, but a pin being set up
                self.hazard(
                    t_ps, "dht-start", f"a start of {show_duration(low)}: it needs 0.8 ms, and does"
                    " not answer", "§7, host start signal", "hold the line low for 1 ms",
                )  # fmt: skip
            return
        if low > LONGEST_START_PS:
            self.hazard(
                t_ps, "dht-start", f"a start of {show_duration(low)}; it takes 20 ms at the most",
                "§7, host start signal", "hold the line low for 1 ms",
            )  # fmt: skip
        self._start(t_ps)

    def _start(self, t_ps: int) -> None:
        if t_ps - self._on_ps < READY_PS:
            self.hazard(
                t_ps, "dht-too-soon", f"asked {show_duration(t_ps - self._on_ps)} after power-on: "
                "it is not ready", "§6, power supply", "wait a second after reset",
            )  # fmt: skip
            return
        if self._asked_ps is not None and t_ps - self._asked_ps < CYCLE_PS:
            self.hazard(
                t_ps, "dht-too-soon", f"asked {show_duration(t_ps - self._asked_ps)} after the last"
                " time: it measures every 2 s", "§6, sampling period", "wait 2 s between readings",
            )  # fmt: skip
            return
        self._asked_ps = t_ps
        self._talking = True
        data = frame(self.sensed("humidity", t_ps), self.sensed("temperature", t_ps))
        at = t_ps + RELEASE_PS
        self._put(at, 0)
        self._put(at := at + ANSWER_PS, 1)
        at += ANSWER_PS
        for bit in range(40):
            self._put(at, 0)
            self._put(at := at + LOW_PS, 1)
            at += ONE_PS if data[bit // 8] >> 7 - bit % 8 & 1 else ZERO_PS
        self._put(at, 0)
        self.later(at + LOW_PS, self._end)

    def _put(self, t_ps: int, level: int) -> None:
        # It drives both ways while it answers (§7, figure 5): who holds the line low then fights.
        self.later(t_ps, lambda t: self.drive(t, "data", level))

    def _end(self, t_ps: int) -> None:
        self.drive(t_ps, "data", None)
        self._talking, self._fell = False, -1


MODEL = Dht22
