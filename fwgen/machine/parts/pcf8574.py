"""PCF8574 and PCF8574A: eight quasi-bidirectional pins on I2C, to which other parts are wired.

Source: NXP PCF8574; PCF8574A data sheet, rev 5: quasi-bidirectional I/Os (7.1), writing and reading
(7.2, 7.3), power-on reset (7.4), interrupt (7.5). What a pin gives while it is high is 0.1 mA.
Not modelled: the strong pull-up for half a clock of SCL as a pin is set.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fwgen.machine.parts.bus_part import BusPart

if TYPE_CHECKING:
    from fwgen.board.types import Module
    from fwgen.machine.soc import Soc


class Pcf8574(BusPart):
    """Shows ``outputs``: what was written, P7 to P0."""

    SOURCE = "PCF8574 data sheet"
    RATE_SECTION = "dynamic characteristics, fSCL"

    def __init__(self, soc: Soc, spec: Module) -> None:
        super().__init__(soc, spec)
        self._latch = self._known = 0xFF
        self._put(0)
        for pad in self.outs.values():
            pad.listen(lambda t, _level: self._compare(t))

    def power_on(self, t_ps: int) -> None:
        """All pins are inputs: weakly high."""
        self._latch = 0xFF
        self._put(t_ps)
        self._settle(t_ps)

    def _put(self, t_ps: int) -> None:
        self.put_out(t_ps, {
            own: (None, 1) if self._latch >> n & 1 else (0, None)
            for n, own in enumerate(self.spec.outputs)
        })  # fmt: skip

    def levels(self) -> int:
        """What its pins read: one that nobody is wired to is as it was written."""
        read = self._latch
        for n, own in enumerate(self.spec.outputs):
            pad = self.outs.get(own)
            if pad is not None and pad.level is not None:
                read = read & ~(1 << n) | pad.level << n
        return read

    def written(self, t_ps: int, byte: int) -> bool:
        """Each byte goes to the pins as it is acknowledged."""
        self._latch = byte
        self._put(t_ps)
        self._settle(t_ps)
        return True

    def read(self, t_ps: int) -> int:
        """The levels of the pins."""
        self._settle(t_ps)
        return self._known

    # ------------------------------------------------------------------ interrupt

    def _settle(self, t_ps: int) -> None:
        """Reading and writing end an interrupt."""
        self._known = self.levels()
        self.show(t_ps, "outputs", f"{self._latch:08b}")
        self._compare(t_ps)

    def _compare(self, t_ps: int) -> None:
        """INT is low while an input differs from what was last read or written. Section 7.5."""
        if "int" in self.pads:
            differs = (self.levels() ^ self._known) & self._latch
            self.drive(t_ps, "int", 0 if differs else None)


MODEL = Pcf8574
