"""The chip's memories: one host buffer each, seen by the engine and by us.

Source: RM0368 §2.3, §2.4 (boot alias).
"""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from fwgen.board.types import Chip, Memory

PAGE = 0x1000
ERASED = 0xFF
_OPPOSITE = bytes(range(255, -1, -1))


@dataclass(frozen=True, slots=True)
class Region:
    """A stretch of memory. Aliases share the buffer of what they mirror."""

    name: str
    kind: str
    base: int
    size: int
    buffer: Any  # a ctypes array; at least ``size`` bytes
    view: memoryview
    executable: bool = True  # code can be fetched from it

    @property
    def end(self) -> int:
        """First address past the region."""
        return self.base + self.size


class MemoryMap:
    """All memories of a chip by address.

    Flash, OTP and option bytes start erased, system memory reads 0; RAM starts with what looks
    like noise but is the same every time, as RAM after power-on has no value to rely on. With
    another ``chance`` each bit of it is the opposite.
    """

    def __init__(self, chip: Chip, flash: bytearray | None = None, *, chance: int = 0) -> None:
        self._chance = chance
        self.regions: list[Region] = []
        self.code_changed: Callable[[int, int], None] | None = None  # base, end of new bytes
        own = {}
        for memory in chip.memories.values():
            if memory.alias_of is None:
                shared = flash if memory.kind == "flash" else None
                own[memory.name] = self._make(memory, shared)
        for memory in chip.memories.values():
            if memory.alias_of is not None:
                mirrored = own[memory.alias_of]
                size = min(memory.size, mirrored.size)
                self.regions.append(
                    Region(
                        memory.name, mirrored.kind, memory.base, size, mirrored.buffer,
                        mirrored.view, mirrored.executable,
                    )
                )  # fmt: skip
        self.regions.sort(key=lambda region: region.base)
        self._last = self.regions[0]
        self._mirrors = {  # base of a region -> bases of all that show its bytes
            one.base: tuple(r.base for r in self.regions if r.buffer is one.buffer)
            for one in self.regions
        }
        self.power_on()

    def _make(self, memory: Memory, shared: bytearray | None) -> Region:
        whole = ctypes.c_ubyte * (-(-memory.size // PAGE) * PAGE)
        buffer = whole() if shared is None else whole.from_buffer(shared)
        view = memoryview(buffer).cast("B")
        region = Region(
            memory.name, memory.kind, memory.base, memory.size, buffer, view, memory.executable
        )
        self.regions.append(region)
        return region

    def power_on(self) -> None:
        """Give RAM its noise, and everything that is programmed its erased state."""
        self.lose_power()
        for region in self.regions:
            if region.kind in ("flash", "otp", "options"):
                ctypes.memset(region.buffer, ERASED, region.size)

    def lose_power(self) -> None:
        """Give RAM its noise."""
        done: set[int] = set()
        for region in self.regions:
            if region.kind == "ram" and id(region.buffer) not in done:
                done.add(id(region.buffer))
                region.view[: region.size] = self._noise(region)
                self.changed(region.base, region.end)

    def touched_below(self, top: int, gap: int) -> int | None:
        """The lowest address of RAM that was written to, going down from ``top``.

        ``gap`` bytes in a row that still hold the noise of power-on end it. None when even the
        first are untouched, or there is no RAM. What happens to hold its noise counts as untouched.
        """
        region = self.find(top - 1)
        if region is None or region.kind != "ram":
            return None
        noise, size = self._noise(region), top - region.base
        now, lowest, at = bytes(region.view[:size]), None, size
        while at > 0:
            piece = slice(max(0, at - gap), at)
            if now[piece] == noise[piece]:
                break
            changed = next(n for n in range(piece.start, at) if now[n] != noise[n])
            lowest, at = changed, changed
        return None if lowest is None else region.base + lowest

    def _noise(self, region: Region) -> bytes:
        noise = Random(region.base).randbytes(region.size)
        return noise.translate(_OPPOSITE) if self._chance else noise

    def find(self, address: int) -> Region | None:
        """The region that holds an address, or None."""
        last = self._last
        if last.base <= address < last.base + last.size:
            return last
        for region in self.regions:
            if region.base <= address < region.base + region.size:
                self._last = region
                return region
        return None

    def read(self, address: int, size: int) -> bytes | None:
        """Bytes, or None where memory does not hold all of them."""
        region = self.find(address)
        if region is None or address + size > region.base + region.size:
            return None
        at = address - region.base
        return bytes(region.view[at : at + size])

    def word(self, address: int) -> int | None:
        """The little-endian word at an address, or None."""
        data = self.read(address, 4)
        return None if data is None else int.from_bytes(data, "little")

    def write_ram(self, address: int, data: bytes) -> bool:
        """Store into RAM as the core does when it stacks; False where there is none."""
        region = self.find(address)
        if region is None or region.kind != "ram" or address + len(data) > region.end:
            return False
        at = address - region.base
        region.view[at : at + len(data)] = data
        return True

    def program(self, address: int, data: bytes) -> bool:
        """Put bytes into any memory, as a programmer or the flash controller does.

        False where there is no memory. Translated code is forgotten.
        """
        region = self.find(address)
        if region is None or address + len(data) > region.end:
            return False
        at = address - region.base
        region.view[at : at + len(data)] = data
        self.changed(address, address + len(data))
        return True

    def changed(self, start: int, end: int) -> None:
        """The bytes in [start, end) are new: tell who translated them, at every alias."""
        region = self.find(start)
        if region is None or self.code_changed is None:
            return
        for base in self._mirrors[region.base]:
            shift = base - region.base
            self.code_changed(start + shift, end + shift)

    def close(self) -> None:
        """Let go of the buffers."""
        for region in self.regions:
            region.view.release()
        self.regions.clear()
