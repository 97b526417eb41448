"""The HD44780 controller of character displays: memories, cursor, instructions, busy times.

Source: Hitachi HD44780U data sheet, ADE-207-272(Z): instructions (table 6), initialising by
instruction (figure 24), execution times at 270 kHz, character generator ROM A00.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fwgen.units import PS_PER_MS, PS_PER_US, show_duration

if TYPE_CHECKING:
    from collections.abc import Callable

POWER_UP_PS = 15 * PS_PER_MS
FIRST_PS, SECOND_PS = 4_100 * PS_PER_US, 100 * PS_PER_US  # initialising by instruction
HOME_PS, SHORT_PS, DATA_PS = 1_520 * PS_PER_US, 37 * PS_PER_US, 41 * PS_PER_US
LINE_STARTS = (0x00, 0x40, 0x14, 0x54)
LINE_BYTES = 40


class Controller:
    """``complain`` takes (t_ps, code, message, section, cure)."""

    def __init__(
        self, columns: int, rows: int, complain: Callable[[int, str, str, str, str], None]
    ) -> None:
        self._columns, self._rows, self._complain = columns, rows, complain
        self.power_on(0)

    def power_on(self, t_ps: int) -> None:
        """Initialised by its internal reset: 8 bits, one line, display off."""
        self._on_ps = t_ps
        self._ddram = bytearray(b" " * 0x80)
        self._cgram = bytearray(64)
        self._address, self._in_cgram = 0, False
        self._right, self._follow, self._shift = True, False, 0
        self._display = False
        self._eight, self._two_lines = True, False
        self._wakes = 0
        self._high: int | None = None  # the first nibble of two
        self._read_low = False
        self._free_ps = t_ps

    # ------------------------------------------------------------------ the bus

    def write(self, t_ps: int, rs: int, nibble: int) -> bool:
        """Four bits came with E falling. True: something may look different now."""
        self._read_low = False
        if self._eight:
            # Its lower four lines are not wired: an instruction is all in the upper ones.
            return self._take(t_ps, rs, nibble << 4)
        if self._high is None:
            self._high = nibble
            return False
        byte, self._high = self._high << 4 | nibble, None
        return self._take(t_ps, rs, byte)

    def read(self, t_ps: int, rs: int) -> int:
        """What four bits it puts out while E is high."""
        status = (t_ps < self._free_ps) << 7 | self._address & 0x7F
        byte = self._memory() if rs else status
        if self._eight:
            return byte >> 4
        low, self._read_low = self._read_low, not self._read_low
        if low and rs:
            self._step()
        return byte & 0xF if low else byte >> 4

    def _take(self, t_ps: int, rs: int, byte: int) -> bool:
        if t_ps - self._on_ps < POWER_UP_PS:
            self._complain(
                t_ps, "lcd-too-soon", f"spoken to {show_duration(t_ps - self._on_ps)} after "
                "power-on: it needs 15 ms", "figure 24, initializing by instruction",
                "wait 15 ms (40 ms at 3 V) first",
            )  # fmt: skip
        if t_ps < self._free_ps:
            self._complain(
                t_ps, "lcd-busy", f"written to {show_duration(self._free_ps - t_ps)} before it is "
                "done with the last instruction: this one is lost", "table 6, execution time",
                "wait 37 us (1.52 ms after clear and home), or read the busy flag",
            )  # fmt: skip
            return False
        if rs:
            self._free_ps = t_ps + DATA_PS
            self._put(byte)
        else:
            self._free_ps = t_ps + self._instruction(byte)
        return True

    # ------------------------------------------------------------------ instructions

    def _instruction(self, byte: int) -> int:
        """Carry one out; how long it takes."""
        if byte & 0x80:
            self._address, self._in_cgram = byte & 0x7F, False
        elif byte & 0x40:
            self._address, self._in_cgram = byte & 0x3F, True
        elif byte & 0x20:
            return self._function_set(byte)
        elif byte & 0x10:
            self._cursor_shift(display=bool(byte & 8), right=bool(byte & 4))
        elif byte & 0x08:
            self._display = bool(byte & 4)
        elif byte & 0x04:
            self._right, self._follow = bool(byte & 2), bool(byte & 1)
        elif byte & 0x03:
            if byte & 1:
                self._ddram[:] = b" " * len(self._ddram)
                self._right = True
            self._address, self._in_cgram, self._shift = 0, False, 0
            return HOME_PS
        return SHORT_PS

    def _function_set(self, byte: int) -> int:
        was_eight, self._eight = self._eight, bool(byte & 0x10)
        if self._eight and was_eight and self._wakes < 2:
            self._wakes += 1
            return FIRST_PS if self._wakes == 1 else SECOND_PS
        self._two_lines = bool(byte & 8)
        return SHORT_PS

    def _cursor_shift(self, *, display: bool, right: bool) -> None:
        if display:
            self._shift = (self._shift + (-1 if right else 1)) % LINE_BYTES
        else:
            self._move(1 if right else -1)

    def _memory(self) -> int:
        return self._cgram[self._address & 0x3F] if self._in_cgram else self._ddram[self._address]

    def _put(self, byte: int) -> None:
        if self._in_cgram:
            self._cgram[self._address & 0x3F] = byte
        else:
            self._ddram[self._address] = byte
        self._step()
        if self._follow and not self._in_cgram:
            self._shift = (self._shift + (1 if self._right else -1)) % LINE_BYTES

    def _step(self) -> None:
        self._move(1 if self._right else -1)

    def _move(self, by: int) -> None:
        if self._in_cgram:
            self._address = self._address + by & 0x3F
        elif self._two_lines:
            line, at = self._address >> 6, (self._address & 0x3F) + by
            if at >= LINE_BYTES or at < 0:
                line, at = line ^ 1, at % LINE_BYTES
            self._address = line << 6 | at
        else:
            self._address = (self._address + by) % 80

    # ------------------------------------------------------------------ the glass

    def text(self) -> str:
        """What is to be read: rows with line ends, no blanks at their ends; "" while it is off."""
        if not self._display:
            return ""
        rows = [self._row(n) for n in range(self._rows)]
        return "\n".join(rows).rstrip()

    def _row(self, n: int) -> str:
        if n and not self._two_lines:
            return ""
        start = LINE_STARTS[n]
        line, at = start & 0x40, start & 0x3F
        length = LINE_BYTES if self._two_lines else 80
        cells = (self._ddram[line | (at + i + self._shift) % length] for i in range(self._columns))
        return "".join(map(glyph, cells)).rstrip()


def glyph(code: int) -> str:
    """A character of ROM A00; ① to ⑧ are those that firmware defines, ␦ those not named here."""
    special = {0x5C: "¥", 0x7E: "→", 0x7F: "←", 0xDF: "°", 0xE4: "µ", 0xF7: "π", 0xFF: "█"}
    if code in special:
        return special[code]
    if code < 0x10:
        return chr(0x2460 + (code & 7))
    return chr(code) if 0x20 <= code < 0x7E else "␦"
