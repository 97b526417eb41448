"""A 7-segment display of one to four digits, the digits lit in turn.

Source: Kingbright SA56-11 and CC56-12 data sheets, internal circuits. What is read is what an eye
makes of it: a segment is lit when it is lit for a fair part of each 20 ms, and is read when two
such stretches agree.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fwgen.machine.parts.module import ModuleModel
from fwgen.units import PS_PER_MS

if TYPE_CHECKING:
    from fwgen.board.types import Module
    from fwgen.machine.soc import Soc
    from fwgen.machine.time import Timer

FRAME_PS = 20 * PS_PER_MS
SEGMENTS = ("a", "b", "c", "d", "e", "f", "g", "dp")
LEAST_SHARE, GHOST_SHARE = 4, 20
"""A segment is lit with a quarter of the brightest one's time; with a twentieth it glimmers."""

GLYPHS = {
    "abcdef": "0", "bc": "1", "abdeg": "2", "abcdg": "3", "bcfg": "4", "acdfg": "5",
    "acdefg": "6", "abc": "7", "abcdefg": "8", "abcdfg": "9", "abcefg": "A", "cdefg": "b",
    "adef": "C", "bcdeg": "d", "adefg": "E", "aefg": "F", "deg": "c", "cdeg": "o", "eg": "r",
    "ceg": "n", "defg": "t", "def": "L", "bcefg": "H", "abefg": "P", "bcdef": "U", "cde": "u",
    "g": "-", "d": "_", "": " ", "abfg": "°", "bcdfg": "y", "bcd": "J",
}  # fmt: skip
# Other ways to write a digit: 9 without its tail, 7 with a hook.
GLYPHS |= {"abcf": "7", "abcfg": "9"}


class SevenSegment(ModuleModel):
    """Shows ``text``; None where no two frames agree, as what flickers is not read."""

    SOURCE = "CC56-12 data sheet"

    def __init__(self, soc: Soc, spec: Module) -> None:
        super().__init__(soc, spec)
        cathode = self.word("common") == "cathode"
        self._lit_at = int(cathode)
        says = self.word("digit_on")
        self._digit_at = {"low": 0, "high": 1}.get(says, int(not cathode))
        self._digits = [role for role in ("d1", "d2", "d3", "d4") if role in self.pads]
        self._segments = [role for role in SEGMENTS if role in self.pads]
        for role in (*self._digits, *self._segments):
            # A pin that floats lights nothing.
            self.pads[role].listen(lambda t, _level: self._moved(t))

    def power_on(self, t_ps: int) -> None:
        """Nothing was read yet."""
        self._since = self._begin = t_ps
        self._lit = self._now()
        self._times: dict[tuple[int, str], int] = {}
        self._before: str | None = ""
        self._unlike = 0
        self._timer: Timer | None = self.later(t_ps + FRAME_PS, self._frame)

    def _now(self) -> list[tuple[int, str]]:
        on = [role for role in self._segments if self.pads[role].level == self._lit_at]
        if not self._digits:
            return [(0, role) for role in on]
        return [
            (n, role)
            for n, digit in enumerate(self._digits)
            if self.pads[digit].level == self._digit_at
            for role in on
        ]

    def _add(self, t_ps: int) -> None:
        for key in self._lit:
            self._times[key] = self._times.get(key, 0) + t_ps - self._since
        self._since = t_ps

    def _moved(self, t_ps: int) -> None:
        if self._timer is None:
            # It kept still since the last frame, which told what that shows.
            self._begin = self._since = t_ps
            self._timer = self.later(t_ps + FRAME_PS, self._frame)
        else:
            self._add(t_ps)
        self._lit = self._now()

    def _frame(self, t_ps: int) -> None:
        moved = self._since > self._begin
        self._add(t_ps)
        text = self._read()
        self._times, self._begin = {}, t_ps
        if text == self._before:
            self._unlike = 0
            self.show(t_ps, "text", text)
            if not moved:
                self._timer = None
                return
        else:
            self._unlike += 1
            if self._unlike > 10:
                self.show(t_ps, "text", None)
        self._before = text
        self._timer = self.later(t_ps + FRAME_PS, self._frame)

    def _read(self) -> str | None:
        brightest = max(self._times.values(), default=0)
        if brightest * 50 < FRAME_PS:
            return ""  # a fiftieth of the time, and less, is dark
        text = ""
        for n in range(max(1, len(self._digits))):
            lit = {
                role for (digit, role), time in self._times.items()
                if digit == n and time * LEAST_SHARE >= brightest
            }  # fmt: skip
            dim = any(
                digit == n and brightest <= time * GHOST_SHARE and time * LEAST_SHARE < brightest
                for (digit, _), time in self._times.items()
            )
            if dim:
                return None
            glyph = GLYPHS.get("".join(s for s in SEGMENTS[:7] if s in lit), "?")
            text += glyph + ("." if "dp" in lit else "")
        return text.rstrip()


MODEL = SevenSegment
