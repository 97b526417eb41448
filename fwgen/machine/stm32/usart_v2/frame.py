"""What a frame of a USART looks like, and when its bits are sampled. RM0368 §19.3."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import TYPE_CHECKING

from fwgen.units import MHZ_PER_HZ, PS_PER_S

if TYPE_CHECKING:
    from collections.abc import Iterator

IDLE, BREAK = -1, -2  # what the shift register may hold besides data
LIN_BREAK = 13  # bits: what SBK sends in LIN mode (§19.3.8)


@dataclass(frozen=True)
class Format:
    """How BRR, CR1 and CR2 say that a frame looks, at one frequency of the clock."""

    bit: int  # kernel ticks; 0 while BRR gives no rate
    word: int  # bits between start and stop, parity included
    parity: str  # "N", "E", "O"
    stop_halves: int  # half bits
    baud_mhz: int
    length: Fraction  # of a bit, picoseconds
    start_samples: tuple[tuple[int, ...], ...]  # picoseconds from the start edge
    samples: tuple[tuple[int, ...], ...]  # likewise, of each bit of the word and the stop bit

    @classmethod
    def of(
        cls, bit: int, hz: Fraction, *, word: int, parity: str, stop_halves: int, over8: bool
    ) -> Format:
        """The format of frames whose bits take ``bit`` ticks of a clock of ``hz``."""
        length = bit * PS_PER_S / hz if hz else Fraction(0)
        votes = (4, 5, 6) if over8 else (8, 9, 10)
        starts = (votes,) if over8 else ((3, 5, 7), votes)
        slots = 8 if over8 else 16
        return cls(
            bit,
            word,
            parity,
            stop_halves,
            baud_mhz=round(hz * MHZ_PER_HZ / bit) if bit else 0,
            length=length,
            start_samples=tuple(_times(length, 0, which, slots) for which in starts),
            samples=tuple(_times(length, n, votes, slots) for n in range(1, word + 2)),
        )

    def votes(self, n: int) -> tuple[int, ...]:
        """The three samples of bit ``n`` with oversampling by 16, 0 being the start bit."""
        return _times(self.length, n, (8, 9, 10), 16)

    @cached_property
    def data(self) -> int:
        """Data bits."""
        return self.word - (self.parity != "N")

    @property
    def halves(self) -> int:
        """Half bits in a frame."""
        return 2 * (self.word + 1) + self.stop_halves

    @cached_property
    def frame_ps(self) -> int:
        """A frame's length."""
        return int(self.length * self.halves / 2)

    def with_parity(self, data: int) -> int:
        """What the shift register sends for a word of DR."""
        data &= (1 << self.data) - 1
        if self.parity == "N":
            return data
        return data | (data.bit_count() & 1 ^ (self.parity == "O")) << self.data

    def parity_wrong(self, word: int) -> bool:
        """Whether a word that came in has the wrong parity."""
        return self.parity != "N" and word.bit_count() & 1 != (self.parity == "O")


def _times(length: Fraction, n: int, which: tuple[int, ...], slots: int) -> tuple[int, ...]:
    # A sample lies in the middle of its slot.
    return tuple(int(length * (2 * (n * slots + k) - 1) / (2 * slots)) for k in which)


@dataclass(slots=True)
class Frame:
    """A frame on its way out: ``content`` is data bits, IDLE or BREAK; times as kernel ticks."""

    content: int
    start: int
    end: int
    start_ps: int
    halves: int
    low: int  # bits, of a break
    format: Format
    stretched: bool = False  # the clock changed on the way

    def edges(self) -> Iterator[tuple[int, int]]:
        """(tick, level) wherever the line changes."""
        word, bit = self.format.word, self.format.bit
        levels = [0, *(self.content >> n & 1 for n in range(word)), 1]
        if self.content == BREAK:
            levels = [0] * self.low + [1]
        for n, level in enumerate(levels):
            if n == 0 or level != levels[n - 1]:
                yield self.start + n * bit, level


# ------------------------------------------------------------------ synchronous mode


def captures(frame: Frame) -> list[int]:
    """The ticks at which the bits of the word are captured in synchronous mode (§19.3.9)."""
    bit = frame.format.bit
    return [frame.start + n * bit + bit // 2 for n in range(1, frame.format.word + 1)]


def clock_edges(frame: Frame, *, cpol: int, cpha: int, lbcl: int) -> list[tuple[int, int]]:
    """(tick, level) of CK: a pulse for each bit of the word, none for start and stop bits.

    CPHA = 0 captures at the first edge of a pulse, 1 at the second; LBCL = 0 leaves the pulse of
    the last bit out. Source: RM0368 §19.3.9, Figures "USART data clock timing diagram".
    """
    half, bit = frame.format.bit // 2, frame.format.bit
    edges = []
    for middle in captures(frame)[: None if lbcl else -1]:
        first = middle - half if cpha else middle
        second = middle if cpha else middle - half + bit
        edges += [(first, cpol ^ 1), (second, cpol)]
    return edges
