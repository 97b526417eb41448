"""The image as an ELF file: segments, symbols, and DWARF lines that point into the listing.

ELF32, little-endian, EABI version 5. Mapping symbols ($t, $d) tell a disassembler code from
data; the build attributes say "ARMv7E-M, microcontroller profile" so that it decodes as the core
does. Source: ELF for the Arm Architecture (AAELF32) §5.2, §5.5.5; Addenda32 §3.3.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fwgen.image.dwarf import debug_sections

if TYPE_CHECKING:
    from fwgen.image.types import Image

_HEADER, _PROGRAM, _SECTION, _SYMBOL = (
    struct.Struct("<16sHHIIIIIHHHHHH"),
    struct.Struct("<IIIIIIII"),
    struct.Struct("<IIIIIIIIII"),
    struct.Struct("<IIIBBH"),
)
_IDENT = b"\x7fELF\x01\x01\x01" + bytes(9)
_EM_ARM, _ET_EXEC, _EABI5 = 40, 2, 0x05000000
_PROGBITS, _SYMTAB, _STRTAB, _NOBITS, _ATTRIBUTES = 1, 2, 3, 8, 0x70000003
_WRITE, _ALLOC, _EXEC = 1, 2, 4
_LOCAL, _GLOBAL = 0, 1
_NOTYPE, _OBJECT, _FUNC = 0, 1, 2
_ARCH = {"cortex-m0": 11, "cortex-m0+": 12, "cortex-m3": 10}  # Tag_CPU_arch; else v7E-M
_V7E_M = 13


@dataclass(slots=True)
class _Section:
    name: str
    type: int
    flags: int
    address: int
    data: bytes
    size: int
    link: int = 0
    info: int = 0
    align: int = 1
    entry: int = 0
    offset: int = 0


def elf_bytes(image: Image, listing_name: str) -> bytes:
    """The contents of an .elf file whose source lines are those of ``listing_name``."""
    sections = [_Section("", 0, 0, 0, b"", 0, align=0)]
    for number, part in enumerate(image.segments):
        name = ".text" if number == 0 else f".text.{number}"
        sections.append(
            _Section(
                name, _PROGBITS, _ALLOC | _EXEC, part.address, part.data, len(part.data), align=4
            )
        )
    ram = [symbol for symbol in image.symbols if symbol.kind == "zero" and symbol.size]
    if ram:
        start = min(symbol.address for symbol in ram)
        size = max(symbol.address + symbol.size for symbol in ram) - start
        sections.append(_Section(".bss", _NOBITS, _ALLOC | _WRITE, start, b"", size, align=4))
    loaded = sections[1:]
    attributes = _attributes(image.core)
    sections.append(_Section(".ARM.attributes", _ATTRIBUTES, 0, 0, attributes, len(attributes)))
    for name, data in debug_sections(image, listing_name):
        sections.append(_Section(name, _PROGBITS, 0, 0, data, len(data)))
    _add_symbols(image, sections, loaded)
    return _laid_out(image, sections, loaded)


def _add_symbols(image: Image, sections: list[_Section], loaded: list[_Section]) -> None:
    names = bytearray(b"\0")
    local: list[bytes] = [bytes(_SYMBOL.size)]
    shared: list[bytes] = []

    def add(name: str, address: int, size: int, kind: int, bind: int) -> None:
        index = next(
            (
                number
                for number, section in enumerate(loaded, 1)
                if section.address <= address & ~1 <= section.address + section.size
            ),
            0,
        )
        packed = _SYMBOL.pack(len(names), address, size, bind << 4 | kind, 0, index)
        (shared if bind == _GLOBAL else local).append(packed)
        names.extend(name.encode() + b"\0")

    for address, mapping in _mapping(image):
        add(mapping, address, 0, _NOTYPE, _LOCAL)
    for symbol in image.symbols:
        kind = {"code": _FUNC, "label": _NOTYPE}.get(symbol.kind, _OBJECT)
        thumb = 1 if symbol.kind == "code" else 0
        bind = _LOCAL if symbol.kind == "label" else _GLOBAL
        add(symbol.linkage or symbol.name, symbol.address | thumb, symbol.size, kind, bind)
    table = b"".join(local + shared)
    sections.append(
        _Section(
            ".symtab",
            _SYMTAB,
            0,
            0,
            table,
            len(table),
            link=len(sections) + 1,
            info=len(local),
            align=4,
            entry=_SYMBOL.size,
        )
    )
    sections.append(_Section(".strtab", _STRTAB, 0, 0, bytes(names), len(names)))


def _mapping(image: Image) -> list[tuple[int, str]]:
    """Where code ($t) and data ($d) begin. Source: AAELF32 §5.5.5."""
    found: list[tuple[int, str]] = []
    for address, is_code in _code_or_data(image):
        name = "$t" if is_code else "$d"
        if not found or found[-1][1] != name:
            found.append((address, name))
    return found


def _code_or_data(image: Image) -> list[tuple[int, bool]]:
    listed = [
        (line.address, line.kind == "code")
        for line in image.listing.lines
        if line.address is not None and line.kind in ("code", "data", "vector")
    ]
    if listed:
        return sorted(listed)
    marks: list[tuple[int, bool]] = [(part.address, False) for part in image.segments]
    marks += [(s.address, s.kind == "code") for s in image.symbols if s.kind in ("code", "data")]
    return sorted(marks)


def _attributes(core: str) -> bytes:
    arch = _ARCH.get(core, _V7E_M)
    # Tag_CPU_arch, Tag_CPU_arch_profile = 'M', Tag_THUMB_ISA_use (1: 16-bit set, 2: Thumb-2)
    tags = bytes((6, arch, 7, ord("M"), 9, 1 if arch in (11, 12) else 2))
    body = b"\x01" + struct.pack("<I", 5 + len(tags)) + tags  # Tag_File
    vendor = b"aeabi\0"
    return b"A" + struct.pack("<I", 4 + len(vendor) + len(body)) + vendor + body


def _laid_out(image: Image, sections: list[_Section], loaded: list[_Section]) -> bytes:
    names = bytearray(b"\0")
    offsets = {section.name: 0 for section in sections}
    for name in [*(section.name for section in sections[1:]), ".shstrtab"]:
        offsets[name] = len(names)
        names += name.encode() + b"\0"
    sections.append(_Section(".shstrtab", _STRTAB, 0, 0, bytes(names), len(names)))

    at = _HEADER.size + _PROGRAM.size * len(loaded)
    body = bytearray()
    for section in sections[1:]:
        padding = -at % max(section.align, 1)
        body += bytes(padding) + section.data
        section.offset = at + padding
        at = section.offset + len(section.data)
    body += bytes(-at % 4)
    at += -at % 4

    header = _HEADER.pack(
        _IDENT,
        _ET_EXEC,
        _EM_ARM,
        1,
        image.entry,
        _HEADER.size,
        at,
        _EABI5,
        _HEADER.size,
        _PROGRAM.size,
        len(loaded),
        _SECTION.size,
        len(sections),
        len(sections) - 1,
    )
    programs = b"".join(
        _PROGRAM.pack(
            1,
            s.offset,
            s.address,
            s.address,
            len(s.data),
            s.size,
            6 if s.flags & _WRITE else 5,
            4,
        )
        for s in loaded
    )
    table = b"".join(
        _SECTION.pack(
            offsets[s.name],
            s.type,
            s.flags,
            s.address,
            s.offset,
            s.size,
            s.link,
            s.info,
            s.align,
            s.entry,
        )
        for s in sections
    )
    return header + programs + bytes(body) + table
