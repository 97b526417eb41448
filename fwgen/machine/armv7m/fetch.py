"""What the flash makes code wait for. RM0368 §3.4.

The flash gives a line of 128 bits at a time, after its wait states. The line at hand costs nothing
more. What an instruction waits depends on the path alone: on where it lies, and whether it follows
what ran before or was branched to from another line. What else a line costs depends on the prefetch
buffer and the caches:

- Without them each line waits in full, whether it follows or is branched to; a branch within the
  line at hand does not, but to its start. So does a constant beside the code (a load relative to
  pc). An instruction that reaches into the next line waits for that.
- The prefetch buffer gets the line that follows while the one before runs.
- The instruction cache keeps 64 lines, the least recently used goes first: as long as no more were
  run since the cost was last asked for, code does not wait. Beyond that the manual leaves it to
  the past: "most" then waits as if there were no cache, the other paces do not.
- The data cache keeps 8 lines, of all that is read: only "most" waits for a constant.

Not modelled: the first fetch of a line into a cache (64 times the wait states, once); constants
that are read through a pointer; the waits of DMA and core for each other. A branch to the start of
the line that it is in waits as if that line followed. How long a line ran before the prefetched one
is needed: "typical" takes the 4 cycles that the manual gives as the least, also where a branch led
into the middle of the line; "least" has it always come in time. Handlers, and code that is returned
to, are fetched beside the stack: they wait as what follows does ("most": ``vector``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fwgen.machine.armv7m.state import CoreState

LINE = 4  # bits of an address within a line
_CACHED_LINES = 64
_LINE_CYCLES = 4  # a line of eight 16-bit or four 32-bit instructions runs at least so long


class Fetch:
    """The waits of a core for its flash, as the interface is set now."""

    def __init__(self, core: CoreState) -> None:
        self._core = core
        self._lines: set[int] = set()

    @property
    def _latency(self) -> int:
        return getattr(self._core.flash, "latency", 0)

    @property
    def _hits(self) -> bool:
        """Whether code is in the instruction cache."""
        if not self._core.flash.icache:
            return False
        return self._core.pace != "most" or len(self._lines) <= _CACHED_LINES

    @property
    def waits(self) -> bool:
        """Whether code waits for lines of the flash."""
        return bool(self._latency) and not self._hits

    def ran(self, address: int, size: int) -> bool:
        """Code runs for the first time. True when the cache no longer holds all that ran."""
        if self._core.pace != "most" or not self._core.in_flash(address):
            return False
        before = len(self._lines)
        self._lines.update(range(address >> LINE, (address + size - 1 >> LINE) + 1))
        return before <= _CACHED_LINES < len(self._lines)

    def forget(self) -> None:
        """The caches are switched, or the code is new."""
        self._lines.clear()

    def line(self, address: int, size: int) -> int:
        """What an instruction waits for the line that it is the first to reach, if it is."""
        latency, last = self._latency, address + size - 1
        if not latency or last & 15 >= size or not self._core.in_flash(address) or self._hits:
            return 0
        if not self._core.flash.prefetch or self._core.pace == "most":
            return latency
        return 0 if self._core.pace == "least" else max(0, latency - _LINE_CYCLES)

    def landing(self, address: int, size: int) -> int:
        """What a branch from another line waits for an instruction, beyond its ``line``."""
        latency = self._latency
        if not latency or not self._core.in_flash(address) or self._hits:
            return 0
        if self._core.flash.prefetch and self._core.pace == "least":
            return 0
        lines = (address + size - 1 >> LINE) - (address >> LINE) + 1
        return lines * latency - self.line(address, size)

    def literal(self, address: int) -> int:
        """What a load relative to pc, at ``address``, waits for its constant."""
        latency = self._latency
        if not latency or not self._core.in_flash(address):
            return 0
        return 0 if self._core.flash.dcache and self._core.pace != "most" else latency

    def vector(self) -> int:
        """What an exception may wait for its vector and its handler, or the code it returns to."""
        return 2 * self._latency if self._core.pace == "most" else 0
