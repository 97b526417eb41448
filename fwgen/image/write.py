"""Firmware files out: .bin, .hex, .elf and the listing; the same image gives the same bytes.

Every writer is atomic: a file is either the old one or the whole new one.
"""

from __future__ import annotations

import contextlib
import secrets
from pathlib import Path
from typing import TYPE_CHECKING

from fwgen.errors import OutputError

if TYPE_CHECKING:
    from fwgen.image.types import Image

ERASED = 0xFF  # what flash holds between segments (RM0368 §3.5.3: an erased bit reads 1)


def write_bin(image: Image, path: str | Path) -> Path:
    """The flash from its base to the image's last byte, gaps as erased. Raises OutputError."""
    return write_atomic(path, bin_bytes(image))


def write_hex(image: Image, path: str | Path) -> Path:
    """Intel HEX, 16 bytes a record, with the entry as start address. Raises OutputError."""
    return write_atomic(path, hex_bytes(image))


def write_elf(image: Image, path: str | Path, *, listing_name: str | None = None) -> Path:
    """ELF with symbols and DWARF lines into the listing. Raises OutputError.

    ``listing_name`` is the listing's file name as the debugger will look it up, relative to
    where the debugger runs; by default the file beside the .elf with the suffix .lst.
    """
    from fwgen.image.elf import elf_bytes

    path = Path(path)
    return write_atomic(path, elf_bytes(image, listing_name or path.with_suffix(".lst").name))


def write_listing(image: Image, path: str | Path) -> Path:
    """The annotated listing as text (UTF-8). Raises OutputError."""
    return write_atomic(path, str(image.listing).encode())


def bin_bytes(image: Image) -> bytes:
    """The contents of a .bin file."""
    data = bytearray()
    for segment in image.segments:
        data += bytes([ERASED]) * (segment.address - image.base - len(data))
        data += segment.data
    return bytes(data)


def hex_bytes(image: Image) -> bytes:
    """The contents of a .hex file."""
    import io

    from intelhex import IntelHex

    made = IntelHex()
    for segment in image.segments:
        made.puts(segment.address, segment.data)
    made.start_addr = {"EIP": image.entry}
    text = io.StringIO()
    made.write_hex_file(text, eolstyle="native")
    return text.getvalue().replace("\r\n", "\n").encode("ascii")


def write_atomic(path: str | Path, data: bytes) -> Path:
    """Put ``data`` into the file at once: write beside it, then rename over it.

    Missing folders are made. Raises OutputError, and then the old file is untouched.
    """
    path = Path(path)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_bytes(data)
        if path.is_file():
            temporary.chmod(path.stat().st_mode & 0o777)
        temporary.replace(path)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        with contextlib.suppress(OSError, ValueError):
            temporary.unlink(missing_ok=True)
        raise OutputError(
            f"the file cannot be written: {reason}", where=str(path), hint="choose another folder"
        ) from None
    return path
