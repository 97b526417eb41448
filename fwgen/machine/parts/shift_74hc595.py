"""74HC595: a shift register with an output latch; several in a chain.

Source: TI SN74HC595 data sheet, SCLS041, timing requirements. They are given at 2 V and 4.5 V: at
3.3 V the model asks for what lies between, in a straight line.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fwgen.machine.parts.module import ModuleModel
from fwgen.units import show_duration

if TYPE_CHECKING:
    from fwgen.board.types import Module
    from fwgen.machine.soc import Soc

#: Nanoseconds at 2 V and at 4.5 V, 25 °C.
WIDTH, SETUP, CLOCK_TO_LATCH = (80, 16), (100, 20), (75, 15)


def at_supply(times: tuple[int, int], supply_uv: int) -> int:
    """What a supply asks for, in picoseconds."""
    slow, fast = times
    share = min(max(supply_uv - 2_000_000, 0), 2_500_000)
    return slow * 1000 - (slow - fast) * 1000 * share // 2_500_000


class Shift595(ModuleModel):
    """Shows ``outputs``: QH to QA of the last chip first, as "10100000"; "off" while OE is high."""

    SOURCE = "SN74HC595 data sheet, SCLS041"

    def __init__(self, soc: Soc, spec: Module) -> None:
        super().__init__(soc, spec)
        self._bits = 8 * self.setting("chips")
        supply = soc.board.supply_uv
        self._width, self._setup = at_supply(WIDTH, supply), at_supply(SETUP, supply)
        self._to_latch = at_supply(CLOCK_TO_LATCH, supply)
        self._begin()
        self._drive(0)  # whoever is wired to it finds the level that it comes up with
        for role in self.pads:
            self.hear(role, lambda t, level, role=role: self._moved(t, role, level))  # type: ignore[misc]

    def _begin(self) -> None:
        self._shift = self._latch = (1 << self._bits) - 1 if self.soc.chance else 0
        self._edges = dict.fromkeys(self.pads, -(10**12))

    def power_on(self, t_ps: int) -> None:
        """What the registers hold is chance: each run draws another."""
        self._begin()
        self._tell(t_ps)

    def _moved(self, t_ps: int, role: str, level: int) -> None:
        since = t_ps - self._edges[role]
        if role in ("clock", "latch") and since < self._width:
            self._wrong(t_ps, f"{role} is {'low' if level else 'high'} for {show_duration(since)}",
                        self._width, "tw")  # fmt: skip
        self._edges[role] = t_ps
        if role == "clear" and not level:
            self._shift = 0
        if role == "clock" and level and ("clear" not in self.pads or self.level("clear")):
            if t_ps - self._edges["data"] < self._setup:
                self._wrong(
                    t_ps, f"data changes {show_duration(t_ps - self._edges['data'])} before clock "
                    "rises", self._setup, "tsu, SER before SRCLK",
                )  # fmt: skip
            mask = (1 << self._bits) - 1
            self._shift = (self._shift << 1 | self.level("data")) & mask
        if role == "latch" and level:
            if t_ps - self._edges["clock"] < self._to_latch and self.level("clock"):
                self._wrong(
                    t_ps, f"latch rises {show_duration(t_ps - self._edges['clock'])} after clock",
                    self._to_latch, "tsu, SRCLK before RCLK",
                )  # fmt: skip
            self._latch = self._shift
        self._tell(t_ps)

    def _wrong(self, t_ps: int, what: str, least: int, section: str) -> None:
        self.hazard(
            t_ps, "74hc595-timing", f"{what}; at this supply it needs {show_duration(least)}",
            f"timing requirements, {section}", "put an instruction or two between the edges",
        )  # fmt: skip

    def _tell(self, t_ps: int) -> None:
        self.show(t_ps, "outputs", "off" if self._off() else f"{self._latch:0{self._bits}b}")
        self._drive(t_ps)

    def _off(self) -> bool:
        return "enable" in self.pads and bool(self.level("enable"))

    def _drive(self, t_ps: int) -> None:
        """QA is the bit that was shifted in last."""
        off = self._off()
        self.put_out(t_ps, {
            own: (None if off else self._latch >> n & 1, None)
            for n, own in enumerate(self.spec.outputs)
        })  # fmt: skip


MODEL = Shift595
