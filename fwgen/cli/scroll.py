"""What came from a serial port, as it is shown: as it is, with the time of each line, or in hex."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

ROW = 16  # bytes in a row of the hex view
QUIET_S = 0.05  # after so long a row that is not full is shown


class Scroll:
    """Makes of bytes, as they come, the bytes to show.

    ``stamped``: each line begins with when its first byte came, to the millisecond.
    ``hex``: rows of bytes in hex and as text, with the time if ``stamped``.
    """

    def __init__(self, *, stamped: bool = False, in_hex: bool = False) -> None:
        self.stamped, self.in_hex = stamped, in_hex
        self._at_start = True  # of a line
        self._row = bytearray()
        self._row_at: datetime | None = None
        self._last_at: datetime | None = None

    def take(self, data: bytes, at: datetime) -> bytes:
        """What to show for bytes that came ``at`` a time."""
        if self.in_hex:
            return self._take_rows(data, at)
        if not self.stamped:
            self._at_start = data.endswith(b"\n") if data else self._at_start
            return data
        shown = bytearray()
        for line in _lines(data):
            if self._at_start:
                shown += _stamp(at)
            shown += line
            self._at_start = line.endswith(b"\n")
        return bytes(shown)

    def idle(self, at: datetime) -> bytes:
        """What to show when nothing came: a row that waited for more long enough."""
        if self._last_at is None or (at - self._last_at).total_seconds() < QUIET_S:
            return b""
        return self.rest()

    def rest(self) -> bytes:
        """What is left to show, before the view changes or ends."""
        if not self._row:
            return b""
        at, row = self._row_at, bytes(self._row)
        self._row.clear()
        self._last_at = None
        self._at_start = True
        digits = row.hex(" ").ljust(3 * ROW - 1)
        text = "".join(chr(byte) if 32 <= byte < 127 else "." for byte in row)
        stamp = _stamp(at) if self.stamped and at is not None else b""
        return stamp + f"{digits}  {text}\n".encode()

    def _take_rows(self, data: bytes, at: datetime) -> bytes:
        shown = bytearray()
        if data and not self._at_start:
            shown += b"\n"  # a line of text was begun before the view changed
            self._at_start = True
        for byte in data:
            if not self._row:
                self._row_at = at
            self._row.append(byte)
            if len(self._row) == ROW:
                shown += self.rest()
        self._last_at = at
        return bytes(shown)


def _lines(data: bytes) -> list[bytes]:
    """Lines that end in a newline only: a carriage return alone goes back on its line."""
    pieces = data.split(b"\n")
    lines = [piece + b"\n" for piece in pieces[:-1]]
    return [*lines, pieces[-1]] if pieces[-1] else lines


def _stamp(at: datetime) -> bytes:
    return f"{at:%H:%M:%S}.{at.microsecond // 1000:03d} ".encode()
