"""An SPI that another master clocks: bit by bit, by the edges of its pins. RM0368 §20.3.2."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from fwgen.machine.stm32.spi_v2.port import Spi


class Slave:
    """The shift register of a slave."""

    def __init__(self, port: Spi) -> None:
        self._port = port
        self._unlisten: list[Callable[[], None]] = []
        self._clear()
        self._last = 0  # what was shifted in last

    def _clear(self) -> None:
        self._bits = 0
        self._in = 0
        self._out: int | None = None  # what is being shifted out, first bit on top
        self._sent: int | None = None
        self._crc = False
        self._began = 0

    @property
    def within_frame(self) -> bool:
        """Whether some bits of a frame were clocked, and not all."""
        return bool(self._unlisten) and self._bits > 0

    def listen(self, t_ps: int) -> None:
        """The port was switched on as a slave, or was so before."""
        lines = self._port.lines
        if not self._unlisten:
            self._clear()
            self._unlisten = [
                lines.sck_in.listen(self._clock),
                lines.nss_in.listen(self._selected),
            ]
        self.present(t_ps)

    def stop(self) -> None:
        """The port is off, or a master."""
        for unlisten in self._unlisten:
            unlisten()
        self._unlisten = []
        self._clear()

    def present(self, t_ps: int) -> None:
        """Put out the first bit before the first edge, where CPHA is 0; let go while deselected."""
        port = self._port
        if not self._unlisten or self._bits:
            return
        if port.nss(t_ps) or not port.drives:
            port.lines.miso.drive(t_ps, None)
        elif not port.cr1.CPHA:
            port.lines.miso.drive(t_ps, self._next_out() >> port.bits - 1 & 1)
        elif port.lines.miso.level(t_ps) is None:
            port.lines.miso.drive(t_ps, self._last & 1)

    def _next_out(self) -> int:
        port = self._port
        if port.crc_is_next:
            return port.txcrcr.value
        return self._last if port.tx is None else port.in_order(port.tx)

    def _selected(self, t_ps: int, _level: int | None) -> None:
        if self._port.nss(t_ps) and self._bits:
            self._clear()  # the master gave up within a frame
            self._port.sr.set(BSY=0)
        self.present(t_ps)

    def _clock(self, t_ps: int, level: int | None) -> None:
        port = self._port
        if level is None or port.nss(t_ps):
            return
        cr1 = port.cr1
        first_of_bit = level != cr1.CPOL
        if first_of_bit and self._bits == 0 and self._out is None:
            self._begin(t_ps)
        if self._out is None:
            self.present(t_ps)  # the trailing edge of the last bit: the next frame's first one
            return
        if first_of_bit == (not cr1.CPHA):
            self._sample(t_ps)
        elif self._bits < port.bits:
            self._put(t_ps)

    def _begin(self, t_ps: int) -> None:
        port = self._port
        self._began, self._crc = t_ps, port.crc_is_next
        self._sent = None
        if port.drives:
            empty = port.tx is None and not self._crc
            out = self._next_out()
            self._sent = out if empty else port.shift_out(is_crc=self._crc)
            if empty and port.lines.miso.taken:
                port.soc.hazard(
                    "spi-slave-empty",
                    f"{port.name} is clocked as a slave, and nothing was written to its DR",
                    section="RM0368 §20.3.5",
                    cure="write DR before the master begins",
                )
        self._out = self._sent or 0
        port.sr.set(BSY=1)
        port.request(t_ps)

    def _put(self, t_ps: int) -> None:
        port = self._port
        if port.drives and self._out is not None:
            port.lines.miso.drive(t_ps, self._out >> port.bits - 1 - self._bits & 1)

    def _sample(self, t_ps: int) -> None:
        port = self._port
        level = port.data_in.level(t_ps)
        self._in = self._in << 1 | (port.soc.chance if level is None else level)
        self._bits += 1
        if self._bits < port.bits:
            return
        heard, sent, crc, began = self._in, self._sent, self._crc, self._began
        self._last = heard
        self._clear()
        port.sr.set(BSY=0)
        taken = heard if port.listens else None
        port.settle(taken, is_crc=crc)
        port.record(t_ps, sent, taken, began)
        port.request(t_ps)
