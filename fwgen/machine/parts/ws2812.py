"""WS2812B: a chain of RGB LEDs that take their colours from the widths of pulses.

Source: Worldsemi WS2812B data sheet, data transfer time: T0H 0.4 us, T1H 0.8 us, T0L 0.85 us,
T1L 0.45 us, each within 150 ns; a reset is low for more than 50 us (newer ones: 280 us). Green
comes first, then red and blue, the most significant bit first.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fwgen.machine.parts.module import ModuleModel
from fwgen.units import show_duration

if TYPE_CHECKING:
    from fwgen.board.types import Module
    from fwgen.machine.soc import Soc
    from fwgen.machine.time import Timer

NS = 1000
GIVE_PS = 150 * NS
HIGH_PS = (400 * NS, 800 * NS)
LOW_PS = (850 * NS, 450 * NS)


class Ws2812(ModuleModel):
    """Shows ``colours`` once they are latched."""

    SOURCE = "WS2812B data sheet"

    def __init__(self, soc: Soc, spec: Module) -> None:
        super().__init__(soc, spec)
        self._count, self._reset_ps = self.setting("count"), self.setting("reset")
        self.hear("data", self._moved)

    def power_on(self, t_ps: int) -> None:
        """All dark."""
        self._bits: list[int] = []
        self._rise = self._fall = -1
        self._timer: Timer | None = None
        self._bad = False
        self._colours = ["#000000"] * self._count
        self.show(t_ps, "colours", " ".join(self._colours))

    def _moved(self, t_ps: int, level: int) -> None:
        if level:
            self._rises(t_ps)
        elif self._rise >= 0:
            self._falls(t_ps)

    def _rises(self, t_ps: int) -> None:
        if self._bits and self._fall >= 0:
            low = t_ps - self._fall
            wanted = LOW_PS[self._bits[-1]]
            if abs(low - wanted) > GIVE_PS and low < self._reset_ps:
                self._wrong(t_ps, f"T{self._bits[-1]}L", low, wanted)
        self._rise = t_ps

    def _falls(self, t_ps: int) -> None:
        high = t_ps - self._rise
        bit = int(high > (HIGH_PS[0] + HIGH_PS[1]) // 2)
        if abs(high - HIGH_PS[bit]) > GIVE_PS:
            self._wrong(t_ps, f"T{bit}H", high, HIGH_PS[bit])
        self._bits.append(bit)
        self._fall = t_ps
        if self._timer is None:
            self._timer = self.later(t_ps + self._reset_ps, self._look)

    def _wrong(self, t_ps: int, what: str, ps: int, wanted: int) -> None:
        self._bad = True
        self.hazard(
            t_ps, "ws2812-timing", f"{what} is {show_duration(ps)}; it takes "
            f"{show_duration(wanted - GIVE_PS)} to {show_duration(wanted + GIVE_PS)}",
            "data transfer time", "let a timer with DMA, or SPI, make the pulses",
        )  # fmt: skip

    def _look(self, t_ps: int) -> None:
        due = max(self._fall, self._rise) + self._reset_ps
        if t_ps < due:
            self._timer = self.later(due, self._look)
            return
        self._timer = None
        if self.level("data"):
            return
        self._latch(t_ps)

    def _latch(self, t_ps: int) -> None:
        bits, self._bits = self._bits, []
        if len(bits) % 24:
            self.hazard(
                t_ps, "ws2812-bits", f"{len(bits)} bits before a reset, not 24 for each LED",
                "composition of 24 bit data", "send whole colours, and pause only after the last",
            )  # fmt: skip
        for at in range(min(len(bits) // 24, self._count)):
            value = int("".join(map(str, bits[24 * at : 24 * at + 24])), 2)
            green, red, blue = value >> 16, value >> 8 & 0xFF, value & 0xFF
            self._colours[at] = f"#{red:02x}{green:02x}{blue:02x}"
        self.show(t_ps, "colours", " ".join(self._colours))


MODEL = Ws2812
