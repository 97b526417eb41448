"""The four pins of a part on an SPI bus, and how its bytes come about.

The part samples on rising edges of its clock and puts out on falling ones, most significant bit
first: modes 0 and 3, as memories and most sensors want it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from fwgen.machine.waves import pulses

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from fwgen.board.types import Module
    from fwgen.machine.pads import Pad
    from fwgen.machine.soc import Soc


class SpiDevice(Protocol):
    """What a part does with the bytes of its bus."""

    def select(self, t_ps: int) -> None:
        """Its chip select went low."""

    def deselect(self, t_ps: int, bits: int) -> None:
        """Its chip select went high, ``bits`` into a byte (0: between bytes)."""

    def shift_out(self, t_ps: int) -> int | None:
        """The next byte to put out; None: it leaves the line alone."""

    def shift_in(self, t_ps: int, byte: int) -> None:
        """A byte arrived."""

    def clocked(self, t_ps: int, hz: int) -> None:
        """A frame at this rate begins."""


class SpiPort:
    """A part's clock, data and select pins."""

    def __init__(self, soc: Soc, spec: Module, device: SpiDevice) -> None:
        self.name, self._soc, self._device = spec.name, soc, device
        pads = soc.fabric.pads
        self.sck, self.mosi = pads[spec.pins["sck"]], pads[spec.pins["mosi"]]
        self.cs = pads[spec.pins["cs"]]
        self.miso = pads[spec.pins["miso"]] if "miso" in spec.pins else None
        self.selected = False
        self._edges = True
        self._unlisten: Callable[[], None] | None = None
        self._bits = 0  # of the byte under way
        self._in = 0
        self._out: int | None = None
        self._loaded = False
        self._frame: tuple[int, int, int, int] | None = None  # told: start, end, bits, byte
        self.sck.clients.append(self)
        self.cs.listen(self._cs_moved)
        if self.cs.level == 0:
            self._select(0)

    # ------------------------------------------------------------------ told whole frames

    def attend(self, *, edges: bool) -> None:
        """Listen to the clock's edges while selected, or be told frames by whoever drives it."""
        if edges != self._edges:
            self._edges = edges
            self._listen()

    @property
    def between_bytes(self) -> bool:
        """Whether a whole byte can begin."""
        return self._bits == 0

    @property
    def under_way(self) -> bool:
        """Whether some of a byte was heard, and not all of it."""
        return self._frame is not None or self._bits != 0

    def begin(self, start_ps: int, times: Sequence[int], sent: int | None, hz: int) -> int | None:
        """A frame begins: ``times`` are the beginnings of its bits and its end.

        ``sent`` are its bits as they stand on this part's input, first one on top; None: as the
        pin is. Gives the bits that the part puts out, or None where it does not.
        """
        bits = len(times) - 1
        if sent is None:
            sent = (1 << bits) - 1 if self.mosi.level_at(start_ps) else 0
        self._device.clocked(start_ps, hz)
        out, driven = 0, False
        for n in range(bits // 8):
            if not self._loaded:
                self._load(times[8 * n])
            byte = self._out
            driven |= byte is not None
            out = out << 8 | (0xFF if byte is None else byte)
            self._loaded = False
            if n < bits // 8 - 1:
                self._device.shift_in(times[8 * n + 8], sent >> bits - 8 - 8 * n & 0xFF)
        self._frame = (start_ps, times[-1], bits, sent & 0xFF)
        if not driven or self.miso is None:
            return None
        levels = [(t, out >> bits - 1 - n & 1) for n, t in enumerate(times[:-1])]
        self.miso.play(self.name, pulses(start_ps, levels), self._soc.scheduler)
        return out

    def end(self, t_ps: int) -> None:
        """The frame is over."""
        if self._frame is not None:
            byte = self._frame[3]
            self._frame = None
            self._device.shift_in(t_ps, byte)

    # ------------------------------------------------------------------ pins

    def _cs_moved(self, t_ps: int, level: int | None) -> None:
        if (level == 0) == self.selected:
            return
        if level == 0:
            self._select(t_ps)
        else:
            self._deselect(t_ps)

    def _select(self, t_ps: int) -> None:
        self.selected = True
        self._bits, self._in, self._frame = 0, 0, None
        self._device.select(t_ps)
        self._load(t_ps)
        self._put(t_ps)
        self._listen()

    def _deselect(self, t_ps: int) -> None:
        bits = self._bits
        if self._frame is not None:
            start, end, count, _ = self._frame
            # Sampled in the middle of each bit: so many were there.
            bits = (2 * (t_ps - start) * count // (end - start) + 1) // 2 if end > start else 0
            if bits < count:
                bits, self._frame = bits % 8, None
                self._soc.hazard(
                    "cs-within-frame",
                    f"{self.name} is deselected while a frame is still on its way",
                    section="RM0368 §20.3.8",
                    cure="wait until BSY is 0 before raising the chip select",
                )
            else:  # the last edge is still to come, but the part has all it needs
                bits = 0
                self.end(t_ps)
        self.selected = False
        self._listen()
        self._device.deselect(t_ps, bits)
        self._drive(t_ps, None)

    def _listen(self) -> None:
        wanted = self.selected and self._edges
        if wanted and self._unlisten is None:
            self._unlisten = self.sck.listen(self._sck_moved)
        elif not wanted and self._unlisten is not None:
            self._unlisten()
            self._unlisten = None

    def _load(self, t_ps: int) -> None:
        self._out, self._loaded = self._device.shift_out(t_ps), True

    def _put(self, t_ps: int) -> None:
        level = None if self._out is None else self._out >> 7 - self._bits & 1
        self._drive(t_ps, level)

    def _drive(self, t_ps: int, level: int | None) -> None:
        if self.miso is not None:
            self.miso.drive_outside(t_ps, self.name, level)

    def _sck_moved(self, t_ps: int, level: int | None) -> None:
        if level:
            bit = self.mosi.level_at(t_ps)
            self._in = self._in << 1 | (self._soc.chance if bit is None else bit)
            self._bits += 1
            if self._bits == 8:
                byte, self._bits, self._in, self._loaded = self._in & 0xFF, 0, 0, False
                self._device.shift_in(t_ps, byte)
        elif self.selected:
            if not self._loaded:
                self._load(t_ps)
            self._put(t_ps)


def ports_on(pad: Pad) -> list[SpiPort]:
    """The parts whose clock a pad is."""
    return [client for client in pad.clients if isinstance(client, SpiPort)]
