"""A character display on an I2C backpack: an HD44780 whose bus a PCF8574 moves.

Source: NXP PCF8574 data sheet, rev 5 (quasi-bidirectional I/Os, power-on reset: all pins high);
Hitachi HD44780U data sheet, ADE-207-272(Z), bus timing. All pins of an expander move at one moment,
so what the display wants one after the other must come in two writes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fwgen.machine.parts.bus_part import BusPart
from fwgen.machine.parts.hd44780 import SETTLED_PS
from fwgen.machine.parts.hd44780_core import Controller
from fwgen.machine.parts.module import Settled

if TYPE_CHECKING:
    from fwgen.board.types import Module
    from fwgen.machine.soc import Soc

RS, RW, E, BACKLIGHT = 1, 2, 4, 8


class Hd44780I2c(BusPart):
    """Shows ``text`` and ``backlight``."""

    SOURCE = "HD44780U data sheet"
    RATE_SECTION = "PCF8574 data sheet, dynamic characteristics, fSCL"

    def __init__(self, soc: Soc, spec: Module) -> None:
        super().__init__(soc, spec)
        for role in ("scl", "sda"):
            self.pads[role].set_resistor(0, 1)
        self.controller = Controller(self.setting("columns"), self.setting("rows"), self.hazard)
        self._text = Settled(self, self._tell, SETTLED_PS)

    def power_on(self, t_ps: int) -> None:
        """Blank and lit: an expander comes up with all its pins high."""
        self.controller.power_on(t_ps)
        self._port, self._enabled = 0xFF, False
        self._nibble: int | None = None  # what the display puts out
        self.show(t_ps, "text", "")
        self.show(t_ps, "backlight", "on")

    def _tell(self, t_ps: int) -> None:
        self.show(t_ps, "text", self.controller.text())

    def written(self, t_ps: int, byte: int) -> bool:
        """The eight pins move as a byte is acknowledged."""
        before, self._port = self._port, byte
        moved = before ^ byte
        if moved & E and byte & E:
            self._rises(t_ps, moved)
        elif moved & E:
            self._falls(t_ps, before, moved)
        self.show(t_ps, "backlight", "on" if byte & BACKLIGHT else "off")
        return True

    def _rises(self, t_ps: int, moved: int) -> None:
        self._enabled = True
        if moved & (RS | RW):
            self._wrong(t_ps, "RS or R/W changes as E rises", "tAS",
                        "write RS and R/W with E low first, then the same with E high")  # fmt: skip
        if not self._port & RW:
            return
        self._nibble = self.controller.read(t_ps, self._port & RS)
        if low := self._nibble & ~(self._port >> 4) & 0xF:
            self.hazard(
                t_ps, "output-fight",
                f"the expander holds D{4 + (low & -low).bit_length() - 1} low while the display "
                "drives it high", "PCF8574 data sheet, quasi-bidirectional I/Os",
                "write ones to P4 to P7 before reading",
            )  # fmt: skip

    def _falls(self, t_ps: int, before: int, moved: int) -> None:
        # From power-on E stands high; nothing began with it.
        if self._enabled and moved & (RS | RW):
            self._wrong(t_ps, "RS or R/W changes as E falls", "tAH",
                        "write E low with RS and R/W as they are")  # fmt: skip
        self._enabled = False
        if before & RW:
            self._nibble = None
            return
        if moved & 0xF0:
            self._wrong(t_ps, "data change as E falls", "tH", "write E low with the same data")
        if self.controller.write(t_ps, before & RS, before >> 4):
            self._text.touch(t_ps)

    def _wrong(self, t_ps: int, what: str, symbol: str, cure: str) -> None:
        self.hazard(t_ps, "lcd-timing", f"{what}: all pins of the expander move at once",
                    f"bus timing characteristics, {symbol}", cure)  # fmt: skip

    def read(self, t_ps: int) -> int:
        """The pins: low where either side pulls them low."""
        if self._nibble is None:
            return self._port
        return self._port & (self._nibble << 4 | 0x0F)


MODEL = Hd44780I2c
