"""A serial line as a receiver samples it: levels over time, whatever rate made them.

A sender puts whole frames on a ``Line``; a ``Receiver`` at its own rate finds start bits and
samples in the middle of where it expects each bit. Equal formats give the bytes that were sent;
any others give the garbage that a wire would give.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from fractions import Fraction
from random import Random
from typing import TYPE_CHECKING

from fwgen.board.frame import PLAIN, Frame, parity_bit
from fwgen.units import MHZ_PER_HZ, PPM, PS_PER_S

if TYPE_CHECKING:
    from collections.abc import Sequence

SLOTS = 16  # of a bit, in which a receiver may sample
EARLY, MIDDLE = (3, 5, 7), (8, 9, 10)  # counted from 1


@dataclass(frozen=True, slots=True)
class Framing:
    """How frames look: ``baud``, data ``bits``, ``parity`` (N, E, O, M, S), ``stop_halves``.

    ``stop_halves`` counts half bits: 2 is one stop bit, 3 one and a half, 4 two.
    """

    baud: int
    bits: int = 8
    parity: str = "N"
    stop_halves: int = 2

    @property
    def baud_mhz(self) -> int:
        """The rate in millibaud."""
        return self.baud * MHZ_PER_HZ

    @property
    def frame_ps(self) -> int:
        """A frame's length, from its start edge to the end of its stop bit, picoseconds."""
        return self.frame.halves * PS_PER_S // (2 * self.baud)

    @property
    def frame(self) -> Frame:
        """The format alone."""
        return Frame(self.bits, self.parity, self.stop_halves)

    @classmethod
    def of(cls, baud: int, frame: Frame) -> Framing:
        """A rate and a format."""
        return cls(baud, frame.bits, frame.parity, frame.stop_halves)

    @property
    def plain(self) -> bool:
        """Whether it is 8N1."""
        return self.frame == PLAIN

    def word(self, byte: int) -> list[int]:
        """The levels between start and stop: data, least significant bit first, and parity."""
        return self.frame.levels(byte)

    def __str__(self) -> str:
        return f"{self.baud} baud, {self.frame}"


@dataclass(frozen=True, slots=True)
class Noise:
    """Noise on the line, the same for the same ``seed``: so many of a million bits are inverted.

    What happens to a frame depends on the seed, the direction and the time of its start only.
    """

    seed: int = 0
    flips_ppm: int = 0

    def flipped(self, direction: str, start_ps: int, bits: int) -> int:
        """Which bits of a frame of ``bits`` are inverted, as a mask; bit 0 is the start bit."""
        if not self.flips_ppm:
            return 0
        random = Random(f"{self.seed} {direction} {start_ps}")
        return sum((random.randrange(PPM) < self.flips_ppm) << bit for bit in range(bits))


@dataclass(frozen=True, slots=True)
class Word:
    """What a receiver made of the line: its start edge, and when the stop bit was sampled.

    ``error`` is "", "framing", "parity" or "break", as in a trace.
    """

    start_ps: int
    t_ps: int
    byte: int
    error: str = ""


class Line:
    """A wire's level over time: high until something pulls it low."""

    def __init__(self) -> None:
        self._times: list[int] = []
        self._levels: list[int] = []

    def put(self, t_ps: int, level: int) -> None:
        """From ``t_ps``, which is not before the last change, the line is at ``level``."""
        if level != self.last_level:
            if self._times and t_ps <= self._times[-1]:  # a level that lasted no time
                self._levels[-1] = level
                return
            self._times.append(t_ps)
            self._levels.append(level)

    def put_frame(
        self,
        start_ps: int,
        bit_ps: Fraction,
        end_ps: int,
        levels: Sequence[int],
        *,
        flipped: int = 0,
    ) -> None:
        """A frame from its start edge to the end of its stop bit, each bit ``bit_ps`` long.

        ``levels`` are those between start and stop; noise inverts the bits in ``flipped``.
        """
        length, parts = bit_ps.numerator, bit_ps.denominator
        for n, level in enumerate((0, *levels, 1)):
            self.put(start_ps + n * length // parts, level ^ (flipped >> n & 1))
        self.put(end_ps, 1)

    @property
    def untouched(self) -> bool:
        """Whether it is idle, and always was."""
        return not self._times

    @property
    def last_level(self) -> int:
        """The level after the last change."""
        return self._levels[-1] if self._levels else 1

    def level_at(self, t_ps: int) -> int:
        """The level at a time, after any change at that time."""
        at = bisect_right(self._times, t_ps)
        return self._levels[at - 1] if at else 1

    def falls_from(self, t_ps: int) -> int | None:
        """The first falling edge at or after a time."""
        at = bisect_right(self._times, t_ps - 1)
        for n in range(at, len(self._times)):
            if not self._levels[n] and (n == 0 or self._levels[n - 1]):
                return self._times[n]
        return None

    def forget_before(self, t_ps: int) -> None:
        """Drop changes that no sample at or after ``t_ps`` depends on."""
        at = bisect_right(self._times, t_ps) - 1
        if at > 0 and self._levels[at - 1] == 1:
            del self._times[:at], self._levels[:at]
        elif at > 1:
            del self._times[: at - 1], self._levels[: at - 1]

    def clear(self) -> None:
        """An idle line with no past."""
        self._times.clear()
        self._levels.clear()


class Receiver:
    """Makes words of a line, by its own ``framing``.

    It samples as the probe's own chip does: sixteen slots to a bit, and the majority of three in
    the middle. A falling edge is a start bit if the slots before and in the middle are low, too.
    A stop bit that is low is a framing error; the next start then needs the line to rise first.
    The sampling clock is ideal, and begins at the edge itself.

    Source: RM0008 §27.3.3 (the STM32F103 of an ST-LINK/V2-1).
    """

    def __init__(self, framing: Framing) -> None:
        self.line = Line()
        self._from_ps = 0  # from here on, a falling edge is looked for
        self._set(framing)

    def _set(self, framing: Framing) -> None:
        self.framing = framing
        bit = Fraction(PS_PER_S, framing.baud)
        words = framing.bits + (framing.parity != "N")

        def times(n: int, slots: tuple[int, ...]) -> tuple[int, ...]:
            return tuple(int(bit * (2 * (SLOTS * n + k) - 1) / (2 * SLOTS)) for k in slots)

        self._start = times(0, EARLY), times(0, MIDDLE)
        self._samples = tuple(times(n, MIDDLE) for n in range(1, words + 2))
        self._last = self._samples[-1][-1]
        self._clear: dict[tuple[tuple[int, str, int], int], bool] = {}  # by sender's format, rate

    def retune(self, framing: Framing, now_ps: int) -> None:
        """Receive by another format from now on; a word on its way is lost."""
        if framing != self.framing:
            self._set(framing)
            self._from_ps = max(self._from_ps, now_ps)

    def restart(self) -> None:
        """Begin at time 0, with an idle line."""
        self.line.clear()
        self._from_ps = 0

    def clear_word(
        self, start_ps: int, sent_as: tuple[int, str, int], baud_mhz: int, byte: int
    ) -> Word | None:
        """What a frame after an idle line becomes, without sampling it; None: it must be sampled.

        ``sent_as`` is the sender's format: bits, parity, half stop bits. The word is that of
        ``words``: it is given where every sample falls into the bit that it is meant for.
        """
        if start_ps < self._from_ps:
            return None
        line = self.line
        if not line.untouched:
            if not line.last_level or line.falls_from(self._from_ps) is not None:
                return None
            line.clear()
        clear = self._clear.get((sent_as, baud_mhz))
        if clear is None:
            clear = self._clear[sent_as, baud_mhz] = self._is_clear(sent_as, baud_mhz)
        if not clear:
            return None
        self._from_ps = start_ps + self._last
        return Word(start_ps, self._from_ps, byte)

    def _is_clear(self, sent_as: tuple[int, str, int], baud_mhz: int) -> bool:
        """Whether each sample, from the start edge on, lies within the sender's bit."""
        mine = self.framing
        if sent_as[:2] != (mine.bits, mine.parity) or sent_as[2] < 2:
            return False
        length = Fraction(PS_PER_S * MHZ_PER_HZ, baud_mhz)
        triples = ((*self._start[0], *self._start[1]), *self._samples)
        return all(
            int(n * length) <= at < int((n + 1) * length)  # as ``put_frame`` rounds them
            for n, triple in enumerate(triples)
            for at in triple
        )

    @property
    def due_ps(self) -> int | None:
        """When the last sample of the next word falls, as far as the line is known."""
        began = self.line.falls_from(self._from_ps)
        return None if began is None else began + self._last

    def words(self, known_ps: int) -> list[Word]:
        """The words that can be told by now, the line being known up to ``known_ps``."""
        found = []
        line, sure = self.line, self._start[-1][-1]
        while (began := line.falls_from(self._from_ps)) is not None:
            if began + sure > known_ps:
                break
            if any(self._majority(began, triple) for triple in self._start):
                self._from_ps = began + sure  # a glitch
                continue
            if began + self._last > known_ps:
                break
            found.append(self._sample(began))
            self._from_ps = began + self._last
        line.forget_before(min(self._from_ps, known_ps))
        return found

    def _majority(self, began: int, offsets: tuple[int, ...]) -> int:
        return int(2 * sum(self.line.level_at(began + at) for at in offsets) > len(offsets))

    def _sample(self, began: int) -> Word:
        *levels, stop = (self._majority(began, triple) for triple in self._samples)
        data = levels[: self.framing.bits]
        byte = sum(level << n for n, level in enumerate(data))
        parity = self.framing.parity
        if not stop:
            error = "framing" if any(levels) else "break"
        else:
            wrong = parity != "N" and levels[-1] != parity_bit(parity, data)
            error = "parity" if wrong else ""
        return Word(began, began + self._last, byte, error)
