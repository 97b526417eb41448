"""A device on a serial line that answers what it is asked by a script: a GPS, a modem, a meter.

It samples each bit in its middle, and takes a rate that is off by no more than 2 % (half a bit in
ten, both clocks and the edges counted: ST AN4908 §2).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fwgen.machine.parts.module import ModuleModel
from fwgen.units import PS_PER_S, show_ratio

if TYPE_CHECKING:
    from fwgen.board.types import Module
    from fwgen.machine.soc import Soc

OFF_PPM = 20_000
LONGEST_LINE = 4096


class SerialDevice(ModuleModel):
    """``tx`` is its output, wired to the chip's RX; ``rx`` its input. Shows ``heard``, a line."""

    SOURCE = "8 data bits, no parity, 1 stop bit"

    def __init__(self, soc: Soc, spec: Module) -> None:
        super().__init__(soc, spec)
        self._bit_ps = PS_PER_S // self.setting("baud")
        self._end = self.word("ends").encode().decode("unicode_escape").encode("latin-1")
        self._script = [
            (asked.strip(), said.strip())
            for asked, arrow, said in (
                line.partition("->") for line in self.word("script").splitlines()
            )
            if arrow
        ]
        self.hear("rx", self._moved)

    def power_on(self, t_ps: int) -> None:
        """Silent; its output idles high."""
        self._start: int | None = None
        self._bits: list[int] = []
        self._line = b""
        self._edge = t_ps
        self._free_ps = t_ps
        self.drive(t_ps, "tx", 1)
        for asked, said in self._script:
            if not asked:
                self._say(t_ps + self.setting("after"), said)

    # ------------------------------------------------------------------ hearing

    def _moved(self, t_ps: int, level: int) -> None:
        if self._start is None:
            if not level:
                self._start = t_ps
                self._bits = []
                for n in range(10):
                    self.later(t_ps + n * self._bit_ps + self._bit_ps // 2, self._sample)
        else:
            self._check(t_ps)
        self._edge = t_ps

    def _check(self, t_ps: int) -> None:
        """An edge lies on a whole number of bits from the start."""
        assert self._start is not None
        into = t_ps - self._start
        bits = round(into / self._bit_ps)
        off = abs(into - bits * self._bit_ps) * 1_000_000 // max(1, bits * self._bit_ps)
        if bits and off > OFF_PPM:
            self.hazard(
                t_ps, "serial-baud", f"hears a rate that is off by {show_ratio(off)}",
                "2 % at the most", f"send at {self.setting('baud')} baud",
            )  # fmt: skip

    def _sample(self, t_ps: int) -> None:
        self._bits.append(self.level("rx"))
        if len(self._bits) < 10:
            return
        self._start = None
        byte = sum(bit << n for n, bit in enumerate(self._bits[1:9]))
        if self._bits[0] or not self._bits[9]:
            self.hazard(
                t_ps, "serial-framing", "hears a frame without its stop bit", "frame",
                f"send at {self.setting('baud')} baud, 8 bits, no parity",
            )  # fmt: skip
            self._line = b""
            return
        self._line = (self._line + bytes([byte]))[-LONGEST_LINE:]
        if self._line.endswith(self._end):
            line = self._line[: -len(self._end)].decode("utf-8", "backslashreplace")
            self._line = b""
            self.show(t_ps, "heard", line)
            said = next((said for asked, said in self._script if asked and asked == line), None)
            if said is not None:
                self._say(t_ps + self.setting("after"), said)

    # ------------------------------------------------------------------ saying

    def _say(self, t_ps: int, text: str) -> None:
        at = max(t_ps, self._free_ps)
        for byte in text.encode("utf-8") + self._end:
            level, frame = 1, byte << 1 | 1 << 9
            for n in range(10):
                new = frame >> n & 1
                if new != level:
                    level = new
                    self._put(at + n * self._bit_ps, level)
            at += 10 * self._bit_ps
        self._free_ps = at

    def _put(self, t_ps: int, level: int) -> None:
        self.later(t_ps, lambda t: self.drive(t, "tx", level))


MODEL = SerialDevice
