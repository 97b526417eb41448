"""A picture of lit and dark pixels, as a display shows it: text, bits, PNG, and for a terminal.

Its text is rows of ``#`` (lit) and ``.`` (dark). Its bits are rows from the top, each packed into
bytes from the left, most significant bit first: what PBM's P4 holds.
Source: PNG (W3C recommendation, third edition) §5, §11.
"""

from __future__ import annotations

import base64
import binascii
import struct
import zlib
from dataclasses import dataclass

from fwgen.errors import UnitError

LIT, DARK = "#", "."
MOST_SIDE = 1024  # pixels
NARROW = 76  # columns of a terminal that a drawing may take before it is set in braille
_HALVES = " ▀▄█"
_DOTS = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))  # of a braille cell, by row


@dataclass(frozen=True, slots=True)
class Picture:
    """Pixels; ``bits`` are rows of whole bytes, what is beyond the width is 0."""

    width: int
    height: int
    bits: bytes

    def __post_init__(self) -> None:
        row = self.stride
        if not (0 < self.width <= MOST_SIDE and 0 < self.height <= MOST_SIDE):
            raise ValueError(f"a picture of {self.width} x {self.height}")
        if len(self.bits) != row * self.height:
            raise ValueError(f"{len(self.bits)} bytes are not {self.width} x {self.height} pixels")

    @property
    def stride(self) -> int:
        """Bytes of a row."""
        return (self.width + 7) // 8

    @property
    def lit(self) -> int:
        """How many pixels are lit."""
        return int.from_bytes(self.bits).bit_count()

    def at(self, x: int, y: int) -> bool:
        """Whether a pixel is lit; outside all is dark."""
        if not (0 <= x < self.width and 0 <= y < self.height):
            return False
        return bool(self.bits[y * self.stride + (x >> 3)] >> (7 - (x & 7)) & 1)

    def part(self, x: int, y: int, width: int, height: int) -> Picture:
        """A region of it."""
        return from_pixels(
            [[self.at(x + i, y + j) for i in range(width)] for j in range(height)]
        )  # fmt: skip

    def turned(self) -> Picture:
        """The picture upside down: turned by half a turn."""
        rows = self.text().split("\n")
        return parse_picture("\n".join(row[::-1] for row in reversed(rows)))

    def bounds(self) -> tuple[int, int, int, int] | None:
        """The smallest region (x, y, width, height) that holds all that is lit; None: nothing."""
        rows = [y for y in range(self.height) if any(self._row(y))]
        if not rows:
            return None
        merged = int.from_bytes(self._row(0))
        for y in rows:
            merged |= int.from_bytes(self._row(y))
        bits = 8 * self.stride
        left, right = bits - merged.bit_length(), bits - (merged & -merged).bit_length()
        return left, rows[0], right - left + 1, rows[-1] - rows[0] + 1

    def _row(self, y: int) -> bytes:
        return self.bits[y * self.stride : (y + 1) * self.stride]

    def text(self) -> str:
        """Rows of ``#`` and ``.``."""
        table = str.maketrans("10", LIT + DARK)
        width = 8 * self.stride
        rows = (
            f"{int.from_bytes(self._row(y)):0{width}b}"[: self.width] for y in range(self.height)
        )
        return "\n".join(rows).translate(table)

    def packed(self) -> str:
        """Its bits in base64."""
        return base64.b64encode(self.bits).decode("ascii")

    def draw(self, columns: int = NARROW) -> list[str]:
        """Lines of block characters, two rows each; in braille where those are too wide."""
        if self.width > columns:
            return self._braille()
        return [
            "".join(
                _HALVES[self.at(x, y) + 2 * self.at(x, y + 1)] for x in range(self.width)
            ).rstrip()
            for y in range(0, self.height, 2)
        ]

    def _braille(self) -> list[str]:
        """Four rows of two pixels a character."""
        lines = []
        for y in range(0, self.height, 4):
            cells = (
                sum(
                    dot
                    for j, dots in enumerate(_DOTS)
                    for i, dot in enumerate(dots)
                    if self.at(x + i, y + j)
                )
                for x in range(0, self.width, 2)
            )
            lines.append("".join(chr(0x2800 + cell) if cell else " " for cell in cells).rstrip())
        return lines

    def png(self, scale: int = 4) -> bytes:
        """A PNG file in two colours, each pixel ``scale`` pixels wide and high. The same always."""
        ones = f"0{scale}b"
        wide = (self.width * scale + 7) // 8
        raw = bytearray()
        for y in range(self.height):
            line = "".join(
                format((1 << scale) - 1 if self.at(x, y) else 0, ones) for x in range(self.width)
            )
            row = int(line.ljust(8 * wide, "0"), 2).to_bytes(wide)
            raw += (b"\0" + row) * scale  # each begins with its filter: none
        head = struct.pack(">IIBBBBB", self.width * scale, self.height * scale, 1, 0, 0, 0, 0)
        return b"\x89PNG\r\n\x1a\n" + b"".join(
            (_chunk(b"IHDR", head), _chunk(b"IDAT", zlib.compress(bytes(raw), 9)),
             _chunk(b"IEND", b""))
        )  # fmt: skip


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def from_pixels(rows: list[list[bool]]) -> Picture:
    """A picture from rows of equal length."""
    width = len(rows[0])
    stride = (width + 7) // 8
    bits = b"".join(
        int("".join("1" if lit else "0" for lit in row).ljust(8 * stride, "0"), 2).to_bytes(stride)
        for row in rows
    )
    return Picture(width, len(rows), bits)


def unpack(width: int, height: int, packed: str) -> Picture:
    """A picture from its base64. Raises ValueError."""
    try:
        return Picture(width, height, base64.b64decode(packed, validate=True))
    except binascii.Error as error:
        raise ValueError(f"the bits of a picture: {error}") from None


def parse_picture(text: str) -> Picture:
    """A picture from rows of ``#`` and ``.``; an indent that all have does not count.

    Raises UnitError.
    """
    rows = [row.strip() for row in text.strip().splitlines()]
    if not rows or not rows[0]:
        raise UnitError("the picture has no rows", hint="rows of # (lit) and . (dark)")
    for number, row in enumerate(rows, 1):
        odd = next((c for c in row if c not in LIT + DARK), None)
        if odd is not None:
            raise UnitError(
                f"row {number} of the picture has a {odd!r} in it", hint="# is lit, . is dark"
            )
        if len(row) != len(rows[0]):
            raise UnitError(
                f"row {number} of the picture is {len(row)} wide, the first one {len(rows[0])}",
                hint="all rows are equally wide: fill up with .",
            )
    if len(rows) > MOST_SIDE or len(rows[0]) > MOST_SIDE:
        raise UnitError(f"a picture of {len(rows[0])} x {len(rows)} is larger than any display")
    return from_pixels([[c == LIT for c in row] for row in rows])
