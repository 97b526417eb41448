"""A slave in the TI frame format: a pulse of NSS, then the bits. RM0368 §20.3.4, §20.3.9.

Data change on rising edges of SCK and are sampled on falling ones, most significant bit first. NSS
is high for one bit before the first one, which may be the last bit of the frame before.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fwgen.machine.stm32.spi_v2.slave import Slave

if TYPE_CHECKING:
    from fwgen.machine.time import Timer

# MISO is let go of half a bit of this port's own rate and 4 to 6 clocks after the last edge.
RELEASE_CLOCKS = 5


class TiSlave(Slave):
    """The shift register of a slave in TI mode; NSS starts it, whatever SSM says."""

    _armed = False  # NSS was high at the last falling edge
    _release: Timer | None = None

    def stop(self) -> None:
        """The port is off, or a master."""
        super().stop()
        self._armed = False
        self._stay()

    def present(self, t_ps: int) -> None:
        """Nothing stands on the line before its pulse."""

    def _selected(self, t_ps: int, _level: int | None) -> None:
        """NSS counts only where SCK falls."""

    def _clock(self, t_ps: int, level: int | None) -> None:
        if level is None:
            return
        if level:
            if self._armed:
                self._armed = False
                self._stay()
                self._begin(t_ps)
            if self._out is not None:
                self._put(t_ps)
            return
        port = self._port
        pulse = bool(port.lines.nss_in.level(t_ps))
        if self._out is None:
            self._armed = pulse
        elif pulse and self._bits + 1 < port.bits:
            # "the NSS pulse is ignored, and the SPI waits for the next NSS pulse" (FRE)
            self._clear()
            port.sr.set(FRE=1, BSY=0)
            self._let_go(t_ps)
            port.request(t_ps)
        else:
            self._armed = pulse
            self._sample(t_ps)
            if self._out is None and not pulse:
                self._let_go(t_ps)

    def _let_go(self, t_ps: int) -> None:
        port, clock = self._port, self._port.clock
        tick = clock.ticks_at(t_ps) + (1 << port.cr1.BR) + RELEASE_CLOCKS
        self._stay()
        self._release = port.soc.scheduler.at(
            clock.time_of(tick), lambda t: port.lines.miso.drive(t, None)
        )

    def _stay(self) -> None:
        if self._release is not None:
            self._release.cancel()
            self._release = None
