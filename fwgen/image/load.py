"""Firmware files in: .hex, .bin and .elf, ours or any toolchain's.

A file that is not whole, does not fit the chip's flash, or was made for another chip is refused
with the file's name and the place; nothing is guessed.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fwgen.board.types import Board
from fwgen.errors import ImageError
from fwgen.image.names import spelled
from fwgen.image.types import Image, Segment, Symbol, SymbolKind

if TYPE_CHECKING:
    from collections.abc import Iterable

    from fwgen.board.types import Chip, Memory

_MAX_FILE = 64 << 20  # debug information included; a firmware of this size is no firmware


def load_image(path: str | Path, board: Board | Chip) -> Image:
    """Read a firmware file and check that it is one for this board's chip.

    The suffix says the format: .hex/.ihex (Intel HEX), .bin (placed at the flash's base),
    .elf/.axf/.out (placed by the program headers' physical addresses). An ELF file under any other
    name is read, too: cargo gives its programs no suffix. Raises ImageError.
    """
    path = Path(path)
    chip = board.chip if isinstance(board, Board) else board
    readers = {
        ".hex": _read_hex,
        ".ihex": _read_hex,
        ".bin": _read_bin,
        ".elf": _read_elf,
        ".axf": _read_elf,
        ".out": _read_elf,
    }
    reader = readers.get(path.suffix.casefold())
    if reader is None and is_elf(path):
        reader = _read_elf
    if reader is None:
        raise ImageError(
            f"{path.suffix or 'a file without a suffix'} is no firmware format that we read",
            where=str(path),
            hint="use .hex, .bin or .elf",
        )
    segments, symbols, ram_used = reader(str(path), _bytes_of(path, chip), chip)
    return checked_image(
        segments, chip, symbols=symbols, ram_used=ram_used, source=str(path), where=str(path)
    )


def parse_hex(text: str, board: Board | Chip, where: str = "hex") -> Image:
    """The image of an Intel HEX text; ``where`` is what errors call it. Raises ImageError."""
    chip = board.chip if isinstance(board, Board) else board
    segments, symbols, _ = _read_hex(where, text.encode(errors="replace"), chip)
    return checked_image(segments, chip, symbols=symbols, where=where)


def checked_image(
    segments: Iterable[Segment],
    chip: Chip,
    *,
    symbols: tuple[Symbol, ...] = (),
    ram_used: int = 0,
    source: str = "",
    where: str | None = None,
) -> Image:
    """An image of these segments, once they are known to be a firmware for ``chip``.

    Checked: inside the flash, no overlap, a vector table at the flash's base whose initial SP is
    in RAM and whose reset vector is Thumb code of this image, at its own address or at the boot
    alias that mirrors it (RM0368 §2.4). Source: Arm ARM DDI0403 B1.5.5. Raises ImageError.
    """
    merged = _merged(segments, chip, where)
    flash = chip.flash
    image = Image(
        merged,
        entry=0,
        initial_sp=0,
        symbols=symbols,
        ram_used=ram_used,
        source=source,
        core=chip.core,
    )
    initial_sp, entry = image.word(flash.base), image.word(flash.base + 4)
    if initial_sp is None or entry is None:
        raise ImageError(
            f"the firmware has no vector table at {flash.base:#010x}, where {chip.title}'s flash "
            "starts",
            where=where,
            hint=f"it starts at {merged[0].address:#010x}" if merged else None,
        )
    if initial_sp == entry == 0xFFFFFFFF:
        raise ImageError("the vector table is blank (all ones)", where=where)
    _check_stack(initial_sp, chip, where)
    if not entry & 1:
        raise ImageError(
            f"reset vector {entry:#010x} is even: not Thumb code",
            where=where,
            hint="a Cortex-M runs Thumb only; is this another kind of file?",
        )
    if image.read(_in_flash(entry & ~1, chip), 2) is None:
        raise ImageError(
            f"reset vector {entry:#010x} points outside the image",
            where=where,
            hint=f"made for another chip? {chip.title}'s flash is {_range(flash)}",
        )
    return replace(image, entry=entry, initial_sp=initial_sp)


def _in_flash(address: int, chip: Chip) -> int:
    """The address in the flash that one at the boot alias means; any other is as it is."""
    alias = next((m for m in chip.memories.values() if m.alias_of == chip.flash.name), None)
    if alias is not None and alias.base <= address < alias.base + alias.size:
        return chip.flash.base + address - alias.base
    return address


def _range(memory: Memory) -> str:
    return f"{memory.base:#010x}..{memory.base + memory.size - 1:#010x}"


def _check_stack(initial_sp: int, chip: Chip, where: str | None) -> None:
    rams = [m for m in chip.memories.values() if m.kind == "ram"]
    if not any(ram.base < initial_sp <= ram.base + ram.size for ram in rams):
        places = ", ".join(_range(ram) for ram in rams)
        raise ImageError(
            f"initial stack pointer {initial_sp:#010x} is outside the RAM of {chip.title}",
            where=where,
            hint=f"made for another chip? RAM here is {places}",
        )
    if initial_sp & 3:
        raise ImageError(
            f"initial stack pointer {initial_sp:#010x} is not a multiple of 4", where=where
        )


def _merged(segments: Iterable[Segment], chip: Chip, where: str | None) -> tuple[Segment, ...]:
    ordered = sorted((s for s in segments if s.data), key=lambda s: s.address)
    if not ordered:
        raise ImageError("the firmware holds no bytes for the flash: it is empty", where=where)
    flash = chip.flash
    for segment in ordered:
        if segment.address < flash.base or segment.end > flash.base + flash.size:
            raise ImageError(
                _outside(segment, chip), where=where, hint=_outside_hint(segment, chip)
            )
    merged: list[Segment] = []
    for segment in ordered:
        last = merged[-1] if merged else None
        if last and segment.address < last.end:
            raise ImageError(
                f"two parts overlap at {segment.address:#010x}: one ends at {last.end:#010x}",
                where=where,
            )
        if last and segment.address == last.end:
            merged[-1] = Segment(last.address, last.data + segment.data)
        else:
            merged.append(segment)
    return tuple(merged)


def _outside(segment: Segment, chip: Chip) -> str:
    flash = chip.flash
    if flash.base <= segment.address < flash.base + flash.size:
        over = segment.end - flash.base - flash.size
        return (
            f"the firmware does not fit: {over} bytes too many for the {flash.size} bytes of flash"
        )
    place = next(
        (
            f"in the {m.name} memory"
            for m in chip.memories.values()
            if m.base <= segment.address < m.base + m.size
        ),
        "in no memory of the chip",
    )
    return f"bytes at {segment.address:#010x} are {place}, not in {chip.title}'s flash"


def _outside_hint(segment: Segment, chip: Chip) -> str:
    alias = next((m for m in chip.memories.values() if m.kind == "alias"), None)
    flash = chip.flash
    if alias and alias.base <= segment.address < alias.base + alias.size:
        return f"that is a boot alias: link it at {flash.base:#010x}"
    return f"the flash is {_range(flash)}"


def is_elf(path: Path) -> bool:
    """Whether a file begins as an ELF file does, whatever its name."""
    try:
        if not path.is_file():  # opening a pipe would wait for its other end
            return False
        with path.open("rb") as file:
            return file.read(4) == b"\x7fELF"
    except (OSError, ValueError):  # told where the whole file is read
        return False


def _bytes_of(path: Path, chip: Chip) -> bytes:
    try:
        size = path.stat().st_size
        if not path.is_file():
            raise ImageError("this is not a file", where=str(path))
        if path.suffix.casefold() == ".bin" and size > chip.flash.size:
            raise ImageError(
                f"the file does not fit: {size} bytes, and {chip.title} has {chip.flash.size} of "
                "flash",
                where=str(path),
            )
        if size > _MAX_FILE:
            raise ImageError(f"{size} bytes is too large for a firmware", where=str(path))
        data = path.read_bytes()
    except FileNotFoundError:
        raise ImageError("there is no such file", where=str(path)) from None
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise ImageError(f"the file cannot be read: {reason}", where=str(path)) from None
    if not data:
        raise ImageError("the file is empty", where=str(path))
    return data


_Read = tuple[list[Segment], tuple[Symbol, ...], int]


def _read_bin(where: str, data: bytes, chip: Chip) -> _Read:
    if len(data) < 8:
        raise ImageError(f"{len(data)} bytes hold no vector table", where=where)
    if data[:4] == b"\x7fELF":
        raise ImageError(
            "the file is an ELF file, not a plain binary", where=where, hint="rename it .elf"
        )
    return [Segment(chip.flash.base, data)], (), 0


def _read_hex(where: str, data: bytes, chip: Chip) -> _Read:
    import io

    from intelhex import IntelHex, IntelHexError

    try:
        text = data.decode("ascii")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise ImageError(
            "the file is not Intel HEX: not text", where=f"{where}: line {line}"
        ) from None
    read = IntelHex()
    try:
        read.loadhex(io.StringIO(text))
    except IntelHexError as error:
        raise ImageError(f"the file is not valid Intel HEX: {error}", where=where) from None
    lines = [line.strip() for line in text.splitlines()]
    ends = [number for number, line in enumerate(lines, 1) if line.upper() == ":00000001FF"]
    if not ends:
        raise ImageError(
            "the file has no end record: truncated", where=f"{where}: line {len(lines)}"
        )
    if any(lines[ends[0] :]):
        raise ImageError(
            "the file goes on after its end record", where=f"{where}: line {ends[0] + 1}"
        )
    segments = [
        Segment(start, bytes(read.tobinarray(start=start, end=end - 1)))
        for start, end in read.segments()
        if start < end
    ]
    return segments, (), 0


def _read_elf(where: str, data: bytes, chip: Chip) -> _Read:
    import io
    import struct

    from elftools.common.exceptions import ELFError
    from elftools.construct import ConstructError
    from elftools.elf.elffile import ELFFile

    if data[:4] != b"\x7fELF":
        raise ImageError("the file is not an ELF file", where=where)
    try:
        elf = ELFFile(io.BytesIO(data))
        _check_machine(elf, where)
        segments, ram_used = _elf_segments(elf, len(data), where, chip)
        return segments, tuple(_elf_symbols(elf, len(data))), ram_used
    # pyelftools trusts what it reads; a damaged file shows as one of these.
    except (
        ELFError,
        ConstructError,
        struct.error,
        ValueError,
        LookupError,
        TypeError,
        AttributeError,
        ArithmeticError,
        AssertionError,
        MemoryError,
        RecursionError,
    ) as error:
        reason = str(error) or type(error).__name__
        raise ImageError(
            f"the file is a damaged or truncated ELF file: {reason}", where=where
        ) from None


def _check_machine(elf: Any, where: str) -> None:
    header = elf.header
    machine, kind = str(header["e_machine"]), str(header["e_type"])
    if not elf.little_endian:
        raise ImageError(
            "the file is big-endian; a Cortex-M of this family is little-endian", where=where
        )
    if machine != "EM_ARM" or elf.elfclass != 32:
        name = machine.removeprefix("EM_")
        raise ImageError(
            f"the file is for {name} ({elf.elfclass}-bit), not for a 32-bit Arm",
            where=where,
            hint="is this a program for your computer, or for another board?",
        )
    if kind != "ET_EXEC":
        raise ImageError(
            f"the file is {'an object file' if kind == 'ET_REL' else 'not an executable'} ({kind})",
            where=where,
            hint="link it first",
        )


def _elf_segments(elf: Any, length: int, where: str, chip: Chip) -> tuple[list[Segment], int]:
    segments: list[Segment] = []
    ram = 0
    rams = [m for m in chip.memories.values() if m.kind == "ram"]
    for table in ("ph", "sh"):
        end = elf[f"e_{table}off"] + elf[f"e_{table}num"] * elf[f"e_{table}entsize"]
        if end > length:
            what = "program" if table == "ph" else "section"
            raise ImageError(f"the file is truncated: its {what} headers are cut off", where=where)
    for number in range(elf.num_segments()):
        header = elf.get_segment(number).header
        if header["p_type"] != "PT_LOAD" or not header["p_memsz"]:
            continue
        offset, size = header["p_offset"], header["p_filesz"]
        if offset + size > length:
            raise ImageError(
                f"the file is truncated: program header {number} needs {offset + size} bytes, "
                f"the file has {length}",
                where=where,
            )
        if size > header["p_memsz"]:
            raise ImageError(f"program header {number} holds more than its memory", where=where)
        virtual, in_memory = header["p_vaddr"], header["p_memsz"]
        if any(m.base <= virtual < m.base + m.size for m in rams):
            ram += in_memory
            home = next(m for m in rams if m.base <= virtual < m.base + m.size)
            if virtual + in_memory > home.base + home.size:
                raise ImageError(
                    f"the firmware needs RAM up to {virtual + in_memory:#010x}, beyond the end of "
                    f"{chip.title}'s at {home.base + home.size:#010x}",
                    where=where,
                )
        if size:
            segments.append(Segment(header["p_paddr"], _contents(elf, header)))
    return segments, ram


def _contents(elf: Any, header: Any) -> bytes:
    elf.stream.seek(header["p_offset"])
    return bytes(elf.stream.read(header["p_filesz"]))


def _elf_symbols(elf: Any, length: int) -> Iterable[Symbol]:
    from elftools.elf.sections import SymbolTableSection

    if elf["e_shoff"] + elf.num_sections() * elf["e_shentsize"] > length:
        return
    for section in elf.iter_sections():
        if not isinstance(section, SymbolTableSection):
            continue
        if section["sh_offset"] + section["sh_size"] > length or not section["sh_entsize"]:
            continue
        for symbol in section.iter_symbols():
            made = _symbol(elf, symbol)
            if made:
                yield made


def _symbol(elf: Any, symbol: Any) -> Symbol | None:
    index, kind = symbol["st_shndx"], symbol["st_info"]["type"]
    if not symbol.name or symbol.name[0] == "$" or isinstance(index, str):
        return None  # mapping symbols, undefined and absolute ones name no bytes
    address, size = symbol["st_value"], symbol["st_size"]
    if index >= elf.num_sections():
        return None
    home = elf.get_section(index)
    flags = home["sh_flags"]
    inside = home["sh_addr"] <= address & ~1 <= home["sh_addr"] + home["sh_size"]
    if not flags & 2 or not inside:  # SHF_ALLOC; a linker script's mark may lie anywhere
        return None
    name = spelled(symbol.name)
    linkage = symbol.name if name != symbol.name else ""
    if kind == "STT_FUNC":
        return Symbol(name, address & ~1, size, "code", linkage)
    if kind not in ("STT_OBJECT", "STT_NOTYPE"):
        return None
    meant: SymbolKind = "data"
    if flags & 1:  # SHF_WRITE: lives in RAM
        meant = "zero"
    elif flags & 4 and kind == "STT_NOTYPE":  # SHF_EXECINSTR
        meant = "label"
        address &= ~1
    return Symbol(name, address, size, meant, linkage)
