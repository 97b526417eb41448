"""I2S2ext and I2S3ext: full duplex beside I2S2 and I2S3. RM0368 §20.4.2."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from fwgen.machine.peripheral import Reg
from fwgen.machine.stm32.spi_v2.block import Block
from fwgen.machine.stm32.spi_v2.i2s_slave import I2sSlave

if TYPE_CHECKING:
    from fwgen.board.types import PeripheralSpec
    from fwgen.machine.soc import Soc
    from fwgen.machine.stm32.spi_v2.port import Spi


class I2sExtension(Block):
    """I2SxEXT: the other direction of a full-duplex I2S, always a slave of I2Sx. RM0368 §20.4.2.

    Its clock and word select are I2Sx's, its interrupt too. Its line is I2Sxext_SD.
    """

    i2scfgr = Reg()

    def __init__(self, spec: PeripheralSpec, soc: Soc) -> None:
        super().__init__(spec, soc)
        fabric = soc.fabric
        sd = f"{self.name}_SD"
        self._slave = I2sSlave(self, fabric.output(sd), fabric.input(sd))

    @property
    def _port(self) -> Spi | None:
        name = self.name.replace("I2S", "SPI").removesuffix("ext")
        return cast("Spi | None", self.soc.peripherals.get(name))

    def on_reset(self, t_ps: int) -> None:
        """Let go of the line."""
        self._slave.switched_off(t_ps)
        super().on_reset(t_ps)

    @i2scfgr.on_write
    def _configured(self, t_ps: int, _written: int, _before: int) -> None:
        if self._port is not None:
            self.attend(t_ps, self._port)
        self.request(t_ps)

    def attend(self, t_ps: int, port: Spi) -> None:
        """Listen to the port's clock, if both are on."""
        cfg, theirs, lines = self.i2scfgr, port.i2scfgr, port.lines
        on = cfg.I2SE and cfg.I2SMOD and theirs.I2SE and theirs.I2SMOD
        if cfg.I2SCFG & 2 and cfg.I2SE:
            self.soc.hazard(
                "i2s-extension-master",
                f"{self.name} is set up as a master: it is always a slave of {port.name}",
            )
        elif not on:
            self._slave.switched_off(t_ps)
        elif not self._slave.on:
            ours = theirs.I2SCFG & 2  # the port gives clock and word select
            self._slave.switched_on(
                t_ps, lines.sck if ours else lines.sck_in, lines.nss if ours else lines.nss_in
            )

    def interrupt(self, t_ps: int, level: bool) -> None:
        """The port's interrupt is this one's, too."""
        if self._port is not None:
            self._port.extension_interrupt(t_ps, level)
