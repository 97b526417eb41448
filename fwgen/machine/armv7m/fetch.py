"""What the flash makes code wait for. RM0368 §3.4.

The flash gives a line of 128 bits at a time, after its wait states. The line at hand costs nothing
more. What an instruction waits depends on the path alone: on where it lies, and whether it follows
what ran before or was branched to from another line. What else a line costs depends on the prefetch
buffer and the caches:

- Without them each line waits in full, whether it follows or is branched to; a branch within the
  line at hand does not, but to its start. So does a constant beside the code (a load relative to
  pc). An instruction that reaches into the next line waits for that.
- The prefetch buffer gets the line that follows while the one before runs: what is left of the wait
  states after that is waited for. A branch to the line that follows finds it there, too.
- The instruction cache keeps 64 lines. Only what misses is copied into it, not what the prefetch
  buffer had (§3.4.2): so the cache holds lines that were branched to from elsewhere, and with the
  prefetch buffer on, code that follows a branch waits for its next lines, however often it runs.
- The data cache keeps 8 lines, of all that is read: only "most" waits for a constant.

How long a line ran when the next one is needed is taken from where it was branched to, the last
such place before, or from its start. "least" has the prefetched line always come in time, and all
code in the cache. "most" takes no profit of the prefetch buffer, and of the cache as long as no
more than 64 lines were run since the cost was last asked for.

Not modelled: the first fetch of a line into a cache (64 times the wait states, once), and in
"typical" lines that leave the instruction cache, the least recently used first; constants that are
read through a pointer; the waits of DMA and core for each other. Without the cache, a branch to the
start of the line that it is in waits as if that line followed. Handlers, and code that is returned
to, are fetched beside the stack: they wait as what follows does ("most": ``vector``); with the
prefetch buffer, a handler's first line does not wait in "typical".
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fwgen.thumb import cycles

if TYPE_CHECKING:
    from fwgen.machine.armv7m.state import CoreState

LINE = 4  # bits of an address within a line
_CACHED_LINES = 64


class Fetch:
    """The waits of a core for its flash, as the interface is set now."""

    def __init__(self, core: CoreState) -> None:
        self._core = core
        self._lines: set[int] = set()  # that were run
        self._cached: set[int] = set()  # lines that are not waited for by what leads to them
        self._begun: dict[int, set[int]] = {}  # by line: the places in it that were branched to
        self._first: dict[int, int] = {}  # by line: the first instruction that begins in it

    @property
    def _latency(self) -> int:
        return getattr(self._core.flash, "latency", 0)

    @property
    def _hits(self) -> bool:
        """Whether all code is in the instruction cache."""
        if not self._core.flash.icache:
            return False
        if self._core.pace == "most":
            return len(self._lines) <= _CACHED_LINES
        return not self._buffered

    @property
    def _buffered(self) -> bool:
        """Whether what a line waits for depends on how long the one before ran."""
        return self._core.pace == "typical" and self._core.flash.prefetch

    def ran(self, address: int, size: int) -> bool:
        """Code runs for the first time. True when the cache no longer holds all that ran."""
        if self._core.pace != "most" or not self._core.in_flash(address):
            return False
        before = len(self._lines)
        self._lines.update(range(address >> LINE, (address + size - 1 >> LINE) + 1))
        return before <= _CACHED_LINES < len(self._lines)

    def knows(self, address: int) -> bool:
        """Whether a branch there, from elsewhere than this line and the one before, is no news."""
        if not self._latency or not self._buffered or not self._core.in_flash(address):
            return True
        return address in self._begun.get(address >> LINE, ())

    def landed(self, address: int) -> bool:
        """Code was branched to from elsewhere. Whether that is news: it changes what code waits."""
        if self.knows(address):
            return False
        line = address >> LINE
        self._begun.setdefault(line, set()).add(address)
        if self._core.flash.icache:
            self._cached.add(line)
        return True

    def entered(self, address: int) -> bool:
        """A handler is entered. Whether that is news, as for ``landed``."""
        news = self.landed(address)
        if news:
            self._cached.add(address >> LINE)
        return news

    def forget(self) -> None:
        """The flash is set otherwise: what was learned of the path is of another setting."""
        self._lines.clear()
        self._cached.clear()
        self._begun.clear()
        self._first.clear()

    def line(self, address: int, size: int) -> int:
        """What an instruction waits for the line that it is the first to reach, if it is."""
        latency, last = self._latency, address + size - 1
        if not latency or last & 15 >= size or not self._core.in_flash(address) or self._hits:
            return 0
        flash, pace = self._core.flash, self._core.pace
        if not flash.prefetch or pace == "most":
            return latency
        if pace == "least":
            return 0
        line = last >> LINE
        self._first[line] = address if address >> LINE == line else address + size
        return 0 if line in self._cached else max(0, latency - self._ran(line - 1, address))

    def _ran(self, line: int, until: int) -> int:
        """Cycles that the line at hand ran, up to an address."""
        core = self._core
        places = [place for place in self._begun.get(line, ()) if place <= until]
        begun = max(places) if places else self._first.get(line, line << LINE)
        code = core.memory.read(begun, until - begun) if begun < until else b""
        return cycles.cost(code or b"", core.kind, core.pace, address=begun).total

    def follows(self, address: int) -> bool:
        """Whether a branch there from the line before waits what that one's ``near`` says."""
        if not self._latency or not self._buffered or not self._core.in_flash(address):
            return False
        return address >> LINE not in self._cached

    def near(self, end: int, refill: int) -> int:
        """What a branch at an end, which takes ``refill``, waits for the line that follows."""
        latency = self._latency
        if not latency or not self._buffered or not self._core.in_flash(end - 1):
            return 0
        return max(0, latency - refill - self._ran(end - 1 >> LINE, end))

    def landing(self, address: int, size: int) -> int:
        """What a branch from another line waits for an instruction, beyond its ``line``."""
        latency = self._latency
        if not latency or not self._core.in_flash(address) or self._hits:
            return 0
        if self._core.flash.prefetch and self._core.pace == "least":
            return 0
        if self._buffered and self._core.flash.icache:
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
