"""What every part on an I2C or SPI bus has beside what a module has: a port, and a limit of speed.

The bus calls with whole bytes: ``Target`` of fwgen.machine.buses.i2c, ``SpiDevice`` of
fwgen.machine.buses.spi. What a part does not override it does not care about.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fwgen.board.modules import load_module_kind
from fwgen.machine.buses.i2c import I2cPort
from fwgen.machine.buses.spi import SpiPort
from fwgen.machine.parts.module import ModuleModel
from fwgen.units import MHZ_PER_HZ, show_frequency

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fwgen.board.types import Module
    from fwgen.machine.soc import Soc


class BusPart(ModuleModel):
    """A module on a bus. A shown or sensed quantity, a pin of its own: as any module has it.

    ``facts`` are its data sheet's; ``max_rate``, or ``max_rate_i2c`` and ``max_rate_spi``, the
    fastest clock that it takes, in hertz.
    """

    RATE_SECTION = "AC characteristics"

    def __init__(self, soc: Soc, spec: Module) -> None:
        super().__init__(soc, spec)
        self.facts: Mapping[str, int] = load_module_kind(spec.kind).facts
        if spec.bus == "i2c" and self.word("pull") == "up":
            for role in ("scl", "sda"):
                self.pads[role].set_resistor(0, 1)

        self.port: I2cPort | SpiPort | None = None

    def attach(self) -> None:
        """Begin to listen to the bus."""
        if self.spec.bus == "i2c":
            self.port = I2cPort(self.soc, self.spec, self)
        else:
            self.port = SpiPort(self.soc, self.spec, self)

    @property
    def address(self) -> int:
        """Its address on I2C, without the R/W bit."""
        return self.setting("address")

    def rate_limit(self) -> int:
        """The fastest clock now, in hertz; 0: none known."""
        return self.facts.get("max_rate", self.facts.get(f"max_rate_{self.spec.bus}", 0))

    def clocked(self, t_ps: int, hz: int) -> None:
        """A transfer at this rate begins."""
        limit = self.rate_limit()
        if limit and hz > limit:
            self.hazard(
                t_ps, "part-too-fast",
                f"clocked at {show_frequency(hz * MHZ_PER_HZ)}; its limit here is "
                f"{show_frequency(limit * MHZ_PER_HZ)}", self.RATE_SECTION,
                "raise CCR of the I2C port" if self.spec.bus == "i2c" else
                "raise BR in CR1 of the SPI",
            )  # fmt: skip

    # ------------------------------------------------------------------ I2C

    def started(self, t_ps: int) -> None:
        """A START, or a repeated one."""

    def addressed(self, t_ps: int, byte: int) -> bool:
        """The first byte after a START, R/W bit included. True: it is acknowledged."""
        return byte >> 1 == self.address

    def written(self, t_ps: int, byte: int) -> bool:
        """A further byte from the master. True: it is acknowledged."""
        return False

    def read(self, t_ps: int) -> int:
        """The next byte to the master."""
        return 0xFF

    def answered(self, t_ps: int, *, acked: bool) -> None:
        """Whether the master acknowledged the byte that it read."""

    def stopped(self, t_ps: int) -> None:
        """A STOP."""

    # ------------------------------------------------------------------ SPI

    def select(self, t_ps: int) -> None:
        """Its chip select went low."""

    def deselect(self, t_ps: int, bits: int) -> None:
        """Its chip select went high, ``bits`` into a byte (0: between bytes)."""

    def shift_out(self, t_ps: int) -> int | None:
        """The next byte to put out; None: it leaves the line alone."""
        return None

    def shift_in(self, t_ps: int, byte: int) -> None:
        """A byte arrived."""
