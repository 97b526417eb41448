"""An OLED display with an SSD1306, on I2C or 4-wire SPI.

Source: Solomon Systech SSD1306 data sheet, rev 1.1: MCU interface (8.1.3, 8.1.5), power on sequence
(8.9: RES# and tAF), AC characteristics. On I2C without ``res`` the module resets itself.
"""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING, Literal, cast

from fwgen.machine.buses.spi import SpiPort
from fwgen.machine.parts.bus_part import BusPart
from fwgen.machine.parts.module import Settled
from fwgen.machine.parts.ssd1306_core import Controller
from fwgen.picture import Picture
from fwgen.units import PS_PER_MS, PS_PER_US, show_duration

if TYPE_CHECKING:
    from fwgen.board.types import Module
    from fwgen.machine.soc import Soc

FRAME_PS = 10 * PS_PER_MS
"""What is written and overwritten within a frame is not seen: 370 kHz / 54 / 64 rows."""
LIGHTS_PS = 100 * PS_PER_MS  # tAF: from AFh to when segments and COMs are on
RESET_PS = 3 * PS_PER_US  # t1, t2: RES# low, and high before anything is sent


class Ssd1306(BusPart):
    """Shows ``picture`` and ``lit``."""

    SOURCE = "SSD1306 data sheet, rev 1.1"

    def __init__(self, soc: Soc, spec: Module) -> None:
        super().__init__(soc, spec)
        self.controller = Controller(
            cast("Literal['128x64', '128x32']", self.word("size")), self.hazard, self._gap,
            external=self.word("vcc") == "external",
        )  # fmt: skip
        self._turned = self.word("turned") == "yes"
        self._seen = Settled(self, self._tell, FRAME_PS)
        if "res" in self.pads:
            self.hear("res", self._reset)
        if "dc" in self.pads:
            self.hear("dc", self._dc)

    def power_on(self, t_ps: int) -> None:
        """Dark; the memory holds chance, and so do the registers until a reset."""
        noise = Random(f"{self.name} {self.soc.chance}").randbytes(len(self.controller.memory))
        self.controller.power_on(noise)
        self._lights_ps = t_ps
        self._fell_ps = self._rose_ps = -1
        self._was_reset = "res" not in self.pads
        self._control: int | None = None  # the last control byte; None: one comes next
        self._tell(t_ps)

    def _gap(self, t_ps: int, command: str, what: str) -> None:
        self.soc.gap(self.name, command, "write", 0, what)

    # ------------------------------------------------------------------ reset

    def _reset(self, t_ps: int, level: int) -> None:
        if not level:
            self._fell_ps = t_ps
            self.controller.reset()
            self._seen.touch(t_ps)
            return
        self._rose_ps = t_ps
        low = t_ps - self._fell_ps
        self._was_reset = self._fell_ps >= 0 and low >= RESET_PS
        if self._fell_ps >= 0 and low < RESET_PS:
            self._unready(t_ps, f"RES# is low for {show_duration(low)} only, of 3 us")

    def _ready(self, t_ps: int) -> bool:
        """Whether it hears what is sent; tells why not."""
        if "res" not in self.pads:
            return True
        if not self.level("res"):
            self._unready(t_ps, "spoken to while RES# is low")
            return False
        if not self._was_reset:
            self._unready(t_ps, "spoken to before RES# was low for 3 us")
        elif t_ps - self._rose_ps < RESET_PS:
            self._unready(t_ps, f"spoken to {show_duration(t_ps - self._rose_ps)} after RES#"
                                " rose: it needs 3 us")  # fmt: skip
        return True

    def _unready(self, t_ps: int, what: str) -> None:
        self.hazard(
            t_ps, "oled-reset", what, "8.9, power on sequence",
            "pull RES# low for 10 us, raise it, and wait 10 us",
        )  # fmt: skip

    # ------------------------------------------------------------------ bytes

    def _take(self, t_ps: int, byte: int, *, data: bool) -> None:
        if not self._ready(t_ps):
            return
        if data:
            self.controller.data(t_ps, byte)
        else:
            was_on = self.controller.on
            self.controller.command(t_ps, byte)
            if self.controller.on and not was_on:
                self._lights_ps = t_ps + LIGHTS_PS
                self.later(self._lights_ps, self._seen.touch)
        self._seen.touch(t_ps)

    def started(self, t_ps: int) -> None:
        """After its address comes a control byte. Section 8.1.5.2."""
        self._control = None

    def addressed(self, t_ps: int, byte: int) -> bool:
        """It answers unless it is held in reset."""
        if not super().addressed(t_ps, byte):
            return False
        return "res" not in self.pads or bool(self.level("res"))

    def written(self, t_ps: int, byte: int) -> bool:
        """A control byte (Co, D/C), then one byte, or with Co 0 all that come."""
        if self._control is None:
            if byte & 0x3F:
                self.hazard(
                    t_ps, "oled-command", f"a control byte of {byte:02X}h: its lower six bits are"
                    " 0", "8.1.5.2, write mode for I2C",
                    "send 00h before commands, 40h before data",
                )  # fmt: skip
            self._control = byte
            return True
        self._take(t_ps, byte, data=bool(self._control & 0x40))
        if self._control & 0x80:
            self._control = None
        return True

    def read(self, t_ps: int) -> int:
        """Its status: D6 tells that it is off; what else is in it the data sheet leaves open."""
        self.soc.gap(self.name, "status", "read", 0, "bits other than D6 are not known")
        return self.controller.status

    def shift_in(self, t_ps: int, byte: int) -> None:
        """A byte on SPI: D/C says what it is."""
        self._take(t_ps, byte, data=bool(self.level("dc")))

    def _dc(self, t_ps: int, _level: int) -> None:
        port = self.port
        if isinstance(port, SpiPort) and port.selected and port.under_way:
            self.hazard(
                t_ps, "oled-dc", "D/C changes within a byte", "8.1.3, 4-wire serial interface",
                "wait until BSY is 0 before moving D/C",
            )  # fmt: skip

    # ------------------------------------------------------------------ the glass

    def _tell(self, t_ps: int) -> None:
        picture = self.controller.picture()
        if picture is not None and t_ps < self._lights_ps:
            picture = Picture(picture.width, picture.height, bytes(len(picture.bits)))
        elif picture is not None and self._turned:
            picture = picture.turned()
        self.show_picture(t_ps, picture)
        self.show(t_ps, "lit", None if picture is None else picture.lit)


MODEL = Ssd1306
