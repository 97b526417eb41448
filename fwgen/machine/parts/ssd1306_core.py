"""The SSD1306 controller of OLED displays: commands, memory, and what a panel makes of them.

Source: Solomon Systech SSD1306 data sheet, rev 1.1: command table (9-1), descriptions (10),
addressing modes (10.1.3), offset, start line and multiplex (tables 10-1, 10-2), COM pins (10.1.18),
reset (8.5), and its application note on the charge pump (8Dh).
Not modelled: scrolling (2Fh) and the fading and zoom of later revisions (23h, D6h): each is a Gap.
Brightness: contrast, precharge and VCOMH are taken, and change nothing that is told.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from fwgen.picture import Picture

if TYPE_CHECKING:
    from collections.abc import Callable

    #: t_ps, code, message, section, cure
    Complain = Callable[[int, str, str, str, str], None]
    Panel = Literal["128x64", "128x32"]

SEGMENTS, COMS, PAGES = 128, 64, 8
HORIZONTAL, VERTICAL, BY_PAGE = 0, 1, 2
#: Further bytes of a command; of those that are not named, none.
ARGUMENTS = {
    0x20: 1, 0x21: 2, 0x22: 2, 0x23: 1, 0x26: 6, 0x27: 6, 0x29: 5, 0x2A: 5, 0x81: 1, 0x8D: 1,
    0xA3: 2, 0xA8: 1, 0xD3: 1, 0xD5: 1, 0xD6: 1, 0xD9: 1, 0xDA: 1, 0xDB: 1,
}  # fmt: skip
_BIT = [bytes(b"01"[value >> bit & 1] for value in range(256)) for bit in range(8)]


class Controller:
    """``complain`` takes a hazard; ``gap`` takes (t_ps, command, what is not modelled).

    ``external``: the panel's voltage comes from outside, so there is no charge pump to switch on.
    """

    def __init__(
        self, panel: Panel, complain: Complain, gap: Callable[[int, str, str], None],
        *, external: bool = False,
    ) -> None:  # fmt: skip
        self._high = int(panel.split("x")[1])
        self._complain, self._gap, self._external = complain, gap, external
        self.memory = bytearray(SEGMENTS * PAGES)
        self.reset()

    def power_on(self, noise: bytes) -> None:
        """The supply came: the memory holds chance."""
        self.memory[:] = noise
        self.reset()

    def reset(self) -> None:
        """RES# was low. The memory stays as it is. Section 8.5."""
        self.on = self._pump = self._inverse = self._all = self.scrolls = False
        self._mode = BY_PAGE
        self._column, self._columns, self._first_column = 0, (0, SEGMENTS - 1), 0
        self._page, self._pages = 0, (0, PAGES - 1)
        self._line, self._offset, self._ratio = 0, 0, COMS
        self._remapped = self._upward = False
        self._alternative, self._swapped = True, False
        self._waiting: list[int] = []  # a command whose bytes are not all there

    # ------------------------------------------------------------------ the bus

    def data(self, t_ps: int, byte: int) -> None:
        """A byte into the memory."""
        if self._waiting:
            self._odd(t_ps, f"data come before command {self._waiting[0]:02X}h is complete")
            self._waiting = []
        # "Data already stored in GDDRAM have no changes": the remap is one of what is written.
        segment = SEGMENTS - 1 - self._column if self._remapped else self._column
        self.memory[self._page * SEGMENTS + segment] = byte
        self._step(t_ps)

    def command(self, t_ps: int, byte: int) -> None:
        """A byte of a command."""
        self._waiting.append(byte)
        first, *more = self._waiting
        if len(more) == ARGUMENTS.get(first, 0):
            self._waiting = []
            self._do(t_ps, first, more)

    @property
    def status(self) -> int:
        """What a read gives: D6 is 1 while the display is off."""
        return (not self.on) << 6

    @property
    def powered(self) -> bool:
        """Whether the panel has its voltage."""
        return self._external or self._pump

    # ------------------------------------------------------------------ addresses

    def _step(self, t_ps: int) -> None:
        if self._mode == BY_PAGE:
            if self._column == SEGMENTS - 1 and self._first_column:
                self._gap(t_ps, "data", "a page written past its end, from a column other than 0")
            last = self._column == SEGMENTS - 1
            self._column = self._first_column if last else self._column + 1
        elif self._mode == HORIZONTAL:
            self._column, over = _next(self._column, self._columns, SEGMENTS)
            if over:
                self._page, _ = _next(self._page, self._pages, PAGES)
        else:
            self._page, over = _next(self._page, self._pages, PAGES)
            if over:
                self._column, _ = _next(self._column, self._columns, SEGMENTS)

    def _window(self, t_ps: int, first: int, ends: list[int], mask: int) -> tuple[int, int]:
        low, high = (end & mask for end in ends)
        if low > high:
            self._odd(t_ps, f"command {first:02X}h: its end {high} lies before its start {low}")
        return low, high

    # ------------------------------------------------------------------ commands

    def _do(self, t_ps: int, first: int, more: list[int]) -> None:
        if first < 0x20:
            # Stated for page addressing; drivers use it in the other modes too, where it moves
            # the same pointer.
            shift = 4 * (first >> 4)
            self._column = self._column & ~(0xF << shift) & 0x7F | (first & 0xF) << shift & 0x7F
            self._first_column = self._column
        elif 0x40 <= first < 0x80:
            self._line = first & 0x3F
        elif 0xB0 <= first < 0xB8:
            self._page = first & 7
        elif 0x20 <= first < 0x23:
            self._addressing(t_ps, first, more)
        elif first in (0xA8, 0xC0, 0xC8, 0xD3, 0xDA):
            self._rows(t_ps, first, more)
        else:
            self._switch(t_ps, first, more)

    def _addressing(self, t_ps: int, first: int, more: list[int]) -> None:
        if first == 0x20:
            if more[0] & 3 == 3:
                self._odd(t_ps, "command 20h: addressing mode 3 is invalid")
            self._mode = more[0] & 3
        elif first == 0x21:
            self._columns = self._window(t_ps, first, more, SEGMENTS - 1)
            self._column = self._columns[0]
        else:
            self._pages = self._window(t_ps, first, more, PAGES - 1)
            self._page = self._pages[0]

    def _rows(self, t_ps: int, first: int, more: list[int]) -> None:
        if first == 0xA8:
            if more[0] & 0x3F < 15:
                self._odd(t_ps, f"command A8h: a multiplex ratio of {(more[0] & 0x3F) + 1}, of 16"
                          " at least")  # fmt: skip
            self._ratio = (more[0] & 0x3F) + 1
        elif first == 0xD3:
            self._offset = more[0] & 0x3F
        elif first == 0xDA:
            if more[0] & 0xCF != 0x02:
                self._odd(t_ps, f"command DAh: {more[0]:02X}h is none of 02h, 12h, 22h, 32h")
            self._alternative, self._swapped = bool(more[0] & 0x10), bool(more[0] & 0x20)
        else:
            self._upward = first == 0xC8

    def _switch(self, t_ps: int, first: int, more: list[int]) -> None:
        match first:
            case 0xA0 | 0xA1:
                self._remapped = first == 0xA1
            case 0xA4 | 0xA5:
                self._all = first == 0xA5
            case 0xA6 | 0xA7:
                self._inverse = first == 0xA7
            case 0x8D:
                self._pump = bool(more[0] & 4)
            case 0xAE:
                self.on = False
            case 0xAF:
                self.on = True
                if not self.powered:
                    self._complain(
                        t_ps, "oled-no-pump",
                        "switched on (AFh) while its charge pump is off: it stays dark",
                        "application note, charge pump setting", "send 8Dh 14h before AFh",
                    )  # fmt: skip
            case 0x2F:
                self.scrolls = True
                self._gap(t_ps, "2Fh", "scrolling: what is seen then hangs on its own oscillator")
            case 0x2E:
                self.scrolls = False
            case 0x23 | 0xD6:
                self._gap(t_ps, f"{first:02X}h", "fading, blinking and zoom")
            case 0xD9:
                if not more[0] & 0xF or not more[0] >> 4:
                    self._odd(t_ps, f"command D9h: {more[0]:02X}h has a phase of 0")
            case 0x81 | 0xD5 | 0xDB | 0xE3 | 0xA3 | 0x26 | 0x27 | 0x29 | 0x2A:
                pass  # brightness, the oscillator, NOP, and how it would scroll
            case _:
                self._odd(t_ps, f"there is no command {first:02X}h")

    def _odd(self, t_ps: int, what: str) -> None:
        self._complain(
            t_ps, "oled-command", what, "command table 9-1", "send what the command table has"
        )

    # ------------------------------------------------------------------ the panel

    def picture(self) -> Picture | None:
        """What is seen, upright where segments (A1h) and COMs (C8h) are both remapped.

        None while it scrolls.
        """
        if self.scrolls and self.on and self.powered:
            return None
        rows = [bytes(SEGMENTS // 8)] * self._high
        if self.on and self.powered:
            for k in range(COMS):
                y = self._glass(k)
                if y is not None and (row := self._driven(k)) is not None:
                    rows[y] = row
        return Picture(SEGMENTS, self._high, b"".join(rows))

    def _driven(self, k: int) -> bytes | None:
        """The pixels on the k-th COM that is scanned; None: it is not driven. Tables 10-1, 10-2."""
        row = (self._ratio - 1 - k if self._upward else k) + self._offset
        row %= COMS
        if row >= self._ratio:
            return None
        line = (row + self._line) % COMS
        page = self.memory[(line >> 3) * SEGMENTS : ((line >> 3) + 1) * SEGMENTS]
        # SEG127 is at the left of a panel.
        pixels = int(page[::-1].translate(_BIT[line & 7]), 2)
        every = (1 << SEGMENTS) - 1
        if self._all:
            pixels = every
        elif self._inverse:
            pixels ^= every
        return pixels.to_bytes(SEGMENTS // 8)

    def _glass(self, k: int) -> int | None:
        """The row of the panel, from its top, that the k-th COM goes to. Section 10.1.18."""
        half, rest = (k & 1, k >> 1) if self._alternative else divmod(k, 32)
        half ^= self._swapped
        if self._high == 32:
            # Its lines are COM0 to COM31 in sequence; the other half is not bonded.
            return None if half else 31 - rest
        return 63 - (2 * rest + half)  # COM0 and COM32 come in turn from both sides of the glass


def _next(at: int, ends: tuple[int, int], size: int) -> tuple[int, bool]:
    """The next address, and whether it began anew."""
    return (ends[0], True) if at == ends[1] else ((at + 1) % size, False)
