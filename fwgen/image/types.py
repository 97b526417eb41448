"""What a linked or loaded firmware is: bytes at addresses, symbols, and a listing to read it by."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, field
from typing import Literal

SymbolKind = Literal["code", "label", "data", "zero"]
LineKind = Literal["text", "vector", "code", "data", "zero"]


@dataclass(frozen=True, slots=True)
class Segment:
    """Bytes in flash. ``address`` is where they are programmed (the load address, LMA)."""

    address: int
    data: bytes

    @property
    def end(self) -> int:
        """First address past the segment."""
        return self.address + len(self.data)


@dataclass(frozen=True, slots=True)
class Symbol:
    """A name for ``size`` bytes at ``address`` (the Thumb bit is not part of the address).

    ``kind``: "code" is a whole code unit or function, "label" a place within one, "data" constants
    in flash, "zero" RAM. ``linkage`` is the linker's name where the source has another (C++, Rust).
    """

    name: str
    address: int
    size: int
    kind: SymbolKind
    linkage: str = ""

    @property
    def is_code(self) -> bool:
        """Whether a pointer to it carries the Thumb bit."""
        return self.kind in ("code", "label")


@dataclass(frozen=True, slots=True)
class ListingLine:
    """One line of the listing file: ``text`` is what stands there, the rest is what it says.

    ``kind`` "text" is a heading, a comment or a blank line and has no address.
    """

    number: int  # in the file, from 1
    text: str
    kind: LineKind = "text"
    address: int | None = None
    size: int = 0
    asm: str = ""
    note: str = ""  # registers and fields touched, value loaded
    comment: str = ""  # the emitter's own


@dataclass(frozen=True, slots=True)
class Listing:
    """A firmware as people read it. ``str()`` is the listing file, byte for byte."""

    lines: tuple[ListingLine, ...] = ()
    _starts: tuple[tuple[int, int], ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        placed = (
            (line.address, index)
            for index, line in enumerate(self.lines)
            if line.address is not None and line.size
        )
        object.__setattr__(self, "_starts", tuple(sorted(placed)))

    def __str__(self) -> str:
        return "".join(f"{line.text}\n" for line in self.lines)

    def __bool__(self) -> bool:
        return bool(self.lines)

    def line_for(self, address: int) -> ListingLine | None:
        """The line whose bytes hold ``address`` (the Thumb bit may be set), or None.

        An odd address means the code it points to; for a byte of data ask with ``byte_line``.
        """
        return self.byte_line(address & ~1)

    def byte_line(self, address: int) -> ListingLine | None:
        """The line that holds the byte at exactly ``address``, or None."""
        index = bisect_right(self._starts, (address, len(self.lines))) - 1
        if index < 0:
            return None
        line = self.lines[self._starts[index][1]]
        start = line.address or 0
        return line if start <= address < start + line.size else None

    def around(self, address: int, before: int = 3, after: int = 3) -> tuple[ListingLine, ...]:
        """The lines about ``address``, for a fault report; empty when no line holds it."""
        line = self.line_for(address)
        if line is None:
            return ()
        first = max(0, line.number - 1 - before)
        return self.lines[first : line.number + after]


@dataclass(frozen=True, slots=True)
class Image:
    """A firmware ready for a bench.

    ``segments`` are sorted, apart and within the chip's flash. ``entry`` is the reset vector as it
    stands in the table, Thumb bit included. ``ram_used`` are the bytes that the image itself
    claims (zeroed units, .data and .bss); ``stack_reserve`` is what the linker kept free above
    them (0 when unknown, as in a loaded file). ``core`` names the instruction set
    ("cortex-m4f").
    """

    segments: tuple[Segment, ...]
    entry: int
    initial_sp: int
    symbols: tuple[Symbol, ...] = ()
    ram_used: int = 0
    stack_reserve: int = 0
    listing: Listing = field(default_factory=Listing)
    source: str = ""  # the file it came from, as the user knows it
    core: str = ""

    @property
    def base(self) -> int:
        """Lowest address: where the vector table stands."""
        return self.segments[0].address

    @property
    def flash_used(self) -> int:
        """Bytes of flash that the image programs."""
        return sum(len(segment.data) for segment in self.segments)

    def read(self, address: int, size: int) -> bytes | None:
        """``size`` bytes at ``address``, or None where the image does not hold all of them."""
        for segment in self.segments:
            if segment.address <= address and address + size <= segment.end:
                offset = address - segment.address
                return segment.data[offset : offset + size]
        return None

    def word(self, address: int) -> int | None:
        """The little-endian word at ``address``, or None."""
        data = self.read(address, 4)
        return None if data is None else int.from_bytes(data, "little")

    def find(self, name: str) -> Symbol | None:
        """The symbol called ``name``, or None."""
        return next((s for s in self.symbols if s.name == name), None)

    def symbol_at(self, address: int) -> Symbol | None:
        """The innermost symbol whose bytes hold ``address``, or None.

        Marks of a linker script, which have no size, name an address that nothing else does.
        """
        holding = [s for s in self.symbols if s.address <= address < s.address + max(s.size, 1)]
        return max(holding, key=lambda s: (s.address, s.size > 0, -s.size), default=None)
