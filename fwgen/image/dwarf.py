"""Line information that makes a debugger step through the listing as if it were the source.

One compilation unit in assembly language, one subprogram per code unit, one row of the line
table per instruction. Source: DWARF Debugging Information Format, version 4, §6.2, §7.5.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fwgen.image.types import Image

_PRODUCER = "fwgen"
_MIPS_ASSEMBLER = 0x8001  # the code for "assembly", whatever the machine (§7.12)
_OPCODE_BASE = 13
_STANDARD_LENGTHS = bytes((0, 1, 1, 1, 1, 0, 0, 0, 1, 0, 0, 1))
_COPY, _ADVANCE_PC, _ADVANCE_LINE = 1, 2, 3
_SET_ADDRESS = 2
_END = bytes((0, 1, 1))  # DW_LNE_end_sequence

_ABBREVIATIONS = bytes(
    (
        # 1: compile unit with children: producer, language, name, stmt_list, low_pc, high_pc
        1, 0x11, 1, 0x25, 0x08, 0x13, 0x05, 0x03, 0x08, 0x10, 0x17, 0x11, 0x01, 0x12, 0x06, 0, 0,
        # 2: subprogram: name, external, decl_file, decl_line, low_pc, high_pc
        2, 0x2E, 0, 0x03, 0x08, 0x3F, 0x19, 0x3A, 0x0B, 0x3B, 0x06, 0x11, 0x01, 0x12, 0x06, 0, 0,
        0,
    )
)  # fmt: skip


def debug_sections(image: Image, listing_name: str) -> tuple[tuple[str, bytes], ...]:
    """The DWARF sections by name; none when the image has no listing with code."""
    rows = list(_rows(image))
    if not rows:
        return ()
    return (
        (".debug_abbrev", _ABBREVIATIONS),
        (".debug_info", _info(image, listing_name, rows)),
        (".debug_line", _lines(listing_name, rows)),
    )


def _rows(image: Image) -> Iterator[tuple[int, int, int]]:
    """Address, size and listing line of each instruction, by address."""
    placed = [
        (line.address, line.size, line.number)
        for line in image.listing.lines
        if line.kind == "code" and line.address is not None and line.size
    ]
    yield from sorted(placed)


def _info(image: Image, listing_name: str, rows: list[tuple[int, int, int]]) -> bytes:
    low, high = rows[0][0], max(address + size for address, size, _ in rows)
    line_at = {address: number for address, _, number in rows}
    body = bytearray(struct.pack("<HIB", 4, 0, 4))  # version, abbreviations, address size
    body += b"\x01" + _text(_PRODUCER) + struct.pack("<H", _MIPS_ASSEMBLER) + _text(listing_name)
    body += struct.pack("<III", 0, low, high - low)
    for symbol in image.symbols:
        if symbol.kind == "code" and symbol.size and symbol.address in line_at:
            body += b"\x02" + _text(symbol.name) + b"\x01"
            body += struct.pack("<III", line_at[symbol.address], symbol.address, symbol.size)
    body += b"\0"
    return struct.pack("<I", len(body)) + bytes(body)


def _lines(listing_name: str, rows: list[tuple[int, int, int]]) -> bytes:
    # minimum instruction 2, one operation each, rows are statements, no special opcodes used
    header = struct.pack("<BBBbBB", 2, 1, 1, -5, 14, _OPCODE_BASE) + _STANDARD_LENGTHS
    header += b"\0" + _text(listing_name) + b"\0\0\0" + b"\0"  # no folders; one file
    program = bytearray()
    at: int | None = None
    last_line = 1
    for address, size, line in rows:
        if at != address:
            if at is not None:
                program += _END
                last_line = 1
            program += b"\0\x05" + bytes((_SET_ADDRESS,)) + struct.pack("<I", address)
        if line != last_line:
            program += bytes((_ADVANCE_LINE,)) + _sleb(line - last_line)
        program += bytes((_COPY, _ADVANCE_PC)) + _uleb(size // 2)
        at, last_line = address + size, line
    program += _END
    body = struct.pack("<HI", 4, len(header)) + header + bytes(program)
    return struct.pack("<I", len(body)) + body


def _text(text: str) -> bytes:
    return text.encode() + b"\0"


def _uleb(value: int) -> bytes:
    out = bytearray()
    while True:
        byte, value = value & 0x7F, value >> 7
        out.append(byte | (0x80 if value else 0))
        if not value:
            return bytes(out)


def _sleb(value: int) -> bytes:
    out = bytearray()
    while True:
        byte, value = value & 0x7F, value >> 7
        done = (value == 0 and not byte & 0x40) or (value == -1 and byte & 0x40)
        out.append(byte if done else byte | 0x80)
        if done:
            return bytes(out)
