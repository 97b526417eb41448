"""Which frames a controller keeps, in which FIFO, and by which filter. RM0090 §32.7.4."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from fwgen.machine.peripheral import Register
    from fwgen.machine.stm32.can_v1.frame import Frame

BANKS = 28


class Match(NamedTuple):
    """The FIFO that a frame goes to, and the index of the filter among those of that FIFO."""

    fifo: int
    number: int


class Filter(NamedTuple):
    """One filter: ``rank`` orders by scale (32 bits first), then by mode (list first)."""

    rank: tuple[int, int]
    fifo: int
    number: int
    wide: bool
    identifier: int
    mask: int

    def matches(self, frame: Frame) -> bool:
        """Whether a frame passes."""
        word = wide(frame) if self.wide else narrow(frame)
        return not (word ^ self.identifier) & self.mask


def wide(frame: Frame) -> int:
    """Identifier, IDE and RTR as a filter of 32 bits holds them."""
    if frame.extended:
        return frame.identifier << 3 | 4 | frame.remote << 1
    return frame.identifier << 21 | frame.remote << 1


def narrow(frame: Frame) -> int:
    """The same of 16 bits: of a long identifier the upper 14 bits."""
    if frame.extended:
        base, next3 = frame.identifier >> 18, frame.identifier >> 15 & 7
        return base << 5 | frame.remote << 4 | 1 << 3 | next3
    return frame.identifier << 5 | frame.remote << 4


def find(frame: Frame, states: Mapping[str, Register], first: int, stop: int) -> Match | None:
    """Where a frame goes by the banks from ``first`` up to ``stop``; None: it is dropped."""
    found = [one for one in filters(states, first, stop) if one.matches(frame)]
    if not found:
        return None
    # Scale, then mode, then the lower number (§32.7.4, filter priority rules).
    best = min(found, key=lambda one: (one.rank, one.number))
    return Match(best.fifo, best.number)


def filters(states: Mapping[str, Register], first: int, stop: int) -> Iterator[Filter]:
    """The active filters of some banks. Numbers count inactive ones, too (§32.7.4)."""
    numbers = [0, 0]
    for bank in range(first, stop):
        on, listed, scale, fifo = (
            states[name].value >> bank & 1 for name in ("FA1R", "FM1R", "FS1R", "FFA1R")
        )
        pair = states[f"F{bank}R1"].value, states[f"F{bank}R2"].value
        made = list(_in_bank(*pair, wide=bool(scale), listed=bool(listed)))
        for at, (identifier, mask) in enumerate(made):
            if on:
                rank = (1 - scale, 1 - listed)
                yield Filter(rank, fifo, numbers[fifo] + at, bool(scale), identifier, mask)
        numbers[fifo] += len(made)


def _in_bank(one: int, two: int, *, wide: bool, listed: bool) -> Iterator[tuple[int, int]]:
    """What a bank's two registers hold, as (identifier, mask)."""
    if wide:
        every = 0xFFFF_FFFE  # bit 0 of the mapping is no bit of the frame
        yield from ((one, every), (two, every)) if listed else ((one, two & every),)
        return
    for register in (one, two):
        low, high = register & 0xFFFF, register >> 16
        yield from ((low, 0xFFFF), (high, 0xFFFF)) if listed else ((low, high),)
