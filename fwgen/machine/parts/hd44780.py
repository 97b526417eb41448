"""A character display with an HD44780, wired with four data lines.

Source: Hitachi HD44780U data sheet, ADE-207-272(Z), bus timing characteristics.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from fwgen.machine.parts.hd44780_core import Controller
from fwgen.machine.parts.module import ModuleModel, Settled
from fwgen.units import PS_PER_MS, show_duration

if TYPE_CHECKING:
    from fwgen.board.types import Module
    from fwgen.machine.soc import Soc

NS = 1000
SETTLED_PS = 10 * PS_PER_MS
"""What is written and overwritten faster than this is not seen: the crystals are slower."""


class _Times(NamedTuple):
    """Picoseconds that the bus asks for."""

    cycle: int
    width: int
    address: int
    data: int
    address_hold: int
    data_hold: int


TIMES = {
    "5 V": _Times(500 * NS, 230 * NS, 40 * NS, 80 * NS, 10 * NS, 10 * NS),
    "3.3 V": _Times(1000 * NS, 450 * NS, 60 * NS, 195 * NS, 20 * NS, 10 * NS),
}
DATA = ("d4", "d5", "d6", "d7")


class Hd44780(ModuleModel):
    """Shows ``text``."""

    SOURCE = "HD44780U data sheet"

    def __init__(self, soc: Soc, spec: Module) -> None:
        super().__init__(soc, spec)
        self._times = TIMES[self.word("supply")]
        self.controller = Controller(self.setting("columns"), self.setting("rows"), self.hazard)
        self._text = Settled(self, self._tell, SETTLED_PS)
        self._enable_rise = self._enable_fall = self._address_ps = self._data_ps = -(10**12)
        self._reading = self._enabled = False
        self.hear("e", self._enable)
        for role in ("rs", "rw"):
            if role in self.pads:
                self.hear(role, self._addressed)
        for role in DATA:
            self.hear(role, self._data)

    def power_on(self, t_ps: int) -> None:
        """Blank."""
        self.controller.power_on(t_ps)
        if self._reading:
            self._put(t_ps, None)
        self._enabled = False
        self.show(t_ps, "text", "")

    def _tell(self, t_ps: int) -> None:
        self.show(t_ps, "text", self.controller.text())

    def _reads(self) -> bool:
        return "rw" in self.pads and bool(self.level("rw"))

    def _addressed(self, t_ps: int, _level: int) -> None:
        self._address_ps = t_ps
        if t_ps - self._enable_fall < self._times.address_hold:
            self._slow(t_ps, "RS or R/W changes as E falls", self._times.address_hold, "tAH")
        elif t_ps == self._enable_rise:
            self._slow(t_ps, "RS or R/W changes as E rises", self._times.address, "tAS")

    def _data(self, t_ps: int, _level: int) -> None:
        if self._reading:
            return
        self._data_ps = t_ps
        if t_ps - self._enable_fall < self._times.data_hold and not self._reads():
            self._slow(t_ps, "data changes as E falls", self._times.data_hold, "tH")

    def _enable(self, t_ps: int, level: int) -> None:
        times = self._times
        if level:
            self._late(t_ps, t_ps - self._address_ps, times.address, "RS and R/W stand", "tAS")
            self._late(t_ps, t_ps - self._enable_rise, times.cycle, "E rises again after", "tcycE")
            self._enable_rise, self._enabled = t_ps, True
            if self._reads():
                self._put(t_ps, self.controller.read(t_ps, self.level("rs")))
            return
        if not self._enabled:
            return  # it stood high from power-on, as an expander's pins do: nothing began with it
        self._enable_fall, self._enabled = t_ps, False
        self._late(t_ps, t_ps - self._enable_rise, times.width, "E is high for", "PWEH")
        if self._reading:
            self._put(t_ps, None)
            return
        self._late(t_ps, t_ps - self._data_ps, times.data, "data stand for", "tDSW")
        nibble = sum(self.level(role) << n for n, role in enumerate(DATA))
        if self.controller.write(t_ps, self.level("rs"), nibble):
            self._text.touch(t_ps)

    def _put(self, t_ps: int, nibble: int | None) -> None:
        self._reading = nibble is not None
        for n, role in enumerate(DATA):
            self.drive(t_ps, role, None if nibble is None else nibble >> n & 1)

    def _late(self, t_ps: int, had: int, needs: int, what: str, symbol: str) -> None:
        if had < needs:
            self._slow(t_ps, f"{what} {show_duration(had)}", needs, symbol)

    def _slow(self, t_ps: int, what: str, needs: int, symbol: str) -> None:
        self.hazard(
            t_ps, "lcd-timing", f"{what}: it needs {show_duration(needs)}",
            f"bus timing characteristics, {symbol}", "put a delay between the edges",
        )  # fmt: skip


MODEL = Hd44780
