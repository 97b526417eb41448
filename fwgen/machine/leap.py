"""Rows of bytes that nobody looks at, moved at once.

While the core sleeps, a port that sends or receives by DMA does the same thing for each byte: it
asks, a stream moves the byte, nothing interrupts. A ``Flow`` is such a row of rounds, known ahead.
A leap moves as many rounds of all flows as end before anything else happens; what is recorded,
and what is left in registers and memory, is what the rounds would have left one by one.

Flows do not wait for each other: where two would ask for the same ports at a time, it stops short
of that.
"""

from __future__ import annotations

from bisect import bisect_right
from itertools import chain, pairwise
from operator import attrgetter
from typing import TYPE_CHECKING, NamedTuple, Protocol

from fwgen.machine.time import NEVER

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from fwgen.machine.soc import Soc
    from fwgen.machine.time import Timer
    from fwgen.trace import SerialByte

LEAST = 4  # rounds that are worth it
MOST_RESTS = 8  # events


class Carrier(Protocol):
    """A stream of a DMA controller that serves a flow, one byte a round."""

    writes: bool
    """Whether it puts the bytes into memory."""

    @property
    def ports(self) -> object:
        """What it shares with other streams."""

    @property
    def rounds(self) -> int:
        """How many rounds it does before it has something to tell, or has memory for."""

    def span(self, rounds: int) -> tuple[int, int]:
        """The memory that so many rounds touch: [start, end)."""

    @property
    def busy_ps(self) -> int:
        """From when a round is asked for, the ports are free again after this at the latest."""

    def take(self, data: bytes) -> None:
        """What came in so many rounds; it is in memory then."""

    def give(self, rounds: int) -> bytes:
        """What goes out in so many rounds."""


class Flow(Protocol):
    """Rounds that are known ahead.

    A round begins when the port asks (``asked``) and is over when it is recorded
    (``told_after_ps`` later) and the stream is done with it.
    """

    carrier: Carrier
    told_after_ps: int

    @property
    def timers(self) -> Iterable[Timer]:
        """Its own calls to come, which a leap makes needless."""

    @property
    def rounds(self) -> int:
        """How many rounds are known, besides the one that must be left."""

    def asked(self, rounds: int) -> Sequence[int]:
        """When so many rounds, and the one after them, ask: times, one more than ``rounds``."""

    def move(self, rounds: int) -> list[SerialByte]:
        """Do so many rounds; what they tell."""


class _Ahead(NamedTuple):
    flow: Flow
    asked: Sequence[int]  # one more than the rounds that are known
    lag_ps: int  # after it asked, a round is over

    def over(self, stop: int) -> int:
        """How many rounds are over by a time."""
        return min(bisect_right(self.asked, stop - self.lag_ps), len(self.asked) - 1)


class Leaper:
    """Moves rows of bytes at once, and knows when a try would be in vain."""

    def __init__(self, soc: Soc) -> None:
        self._soc = soc
        self._vain = 0  # tries in a row without a flow
        self._rests = 0  # events to let pass before the next
        self._not_before_ps = 0  # a round that must be run as it is comes first

    def leap(self, until_ps: int) -> bool:
        """Move what can be moved up to ``until_ps`` and before what else is due. False: nothing."""
        soc = self._soc
        if not soc.flowing or soc.recorder.listeners or soc.now_ps < self._not_before_ps:
            return False
        if self._rests:
            self._rests -= 1
            return False
        flows = [flow for peripheral in soc.flowing for flow in peripheral.flows()]
        if not flows:
            self._rests = self._vain = min(self._vain + 1, MOST_RESTS)
            return False
        self._vain = 0
        return self._move(flows, until_ps)

    def _move(self, flows: list[Flow], until_ps: int) -> bool:
        soc = self._soc
        own = [timer for flow in flows for timer in flow.timers]
        stop = min(until_ps, soc.scheduler.next_but_all(own) - 1)
        for flow in flows:
            stop = min(stop, flow.asked(min(flow.rounds, flow.carrier.rounds))[-1] - 1)
        self._not_before_ps = stop + 1
        rounds = [bisect_right(_asks(flow, stop), stop) for flow in flows]
        if sum(rounds) >= LEAST:
            ahead = [_ahead(flow, count) for flow, count in zip(flows, rounds, strict=True)]
            stop = _clear(ahead, stop)
            counts = [one.over(stop) for one in ahead]
            if sum(counts) >= LEAST and not _share_memory(ahead, counts):
                self._do(ahead, counts, stop)
                return True
        return False

    def _do(self, ahead: Sequence[_Ahead], counts: Sequence[int], stop: int) -> None:
        pairs = zip(ahead, counts, strict=True)
        told = [one.flow.move(count) for one, count in pairs if count]
        events = told[0]
        if len(told) > 1:
            events = sorted(chain(*told), key=attrgetter("t_ps", "start_ps"))
        self._soc.recorder.add_all(events)
        self._soc.scheduler.catch_up(stop)


def _asks(flow: Flow, stop: int) -> Sequence[int]:
    """When rounds ask, up to beyond ``stop`` or to the last that is known."""
    first, second = flow.asked(1)
    known = min(flow.rounds, flow.carrier.rounds)
    return flow.asked(min(known, max(0, (stop - first) // (second - first) + 2)))


def _ahead(flow: Flow, rounds: int) -> _Ahead:
    return _Ahead(flow, flow.asked(rounds), max(flow.carrier.busy_ps, flow.told_after_ps))


def _clear(ahead: Sequence[_Ahead], stop: int) -> int:
    """A moment, not after ``stop``, at which no flow is within a round, nor waited before."""
    stop = min(stop, *(one.asked[-1] - 1 for one in ahead))
    for n, one in enumerate(ahead):
        for other in ahead[:n]:
            if one.flow.carrier.ports is other.flow.carrier.ports:
                stop = min(stop, _clash(one, other) - 1)
    while True:
        before = stop
        for one in ahead:
            next_ask = one.asked[one.over(stop)]
            if next_ask <= stop:
                stop = next_ask - 1
        if stop == before:
            return stop


def _clash(one: _Ahead, other: _Ahead) -> int:
    """When a stream first takes the ports that another is about to want; NEVER when none does."""
    a, b = one.asked, other.asked
    a_ps, b_ps = one.flow.carrier.busy_ps, other.flow.carrier.busy_ps
    if isinstance(a, range) and isinstance(b, range) and a.step == b.step:
        apart = (b.start - a.start) % a.step
        return NEVER if a_ps < apart < a.step - b_ps else min(a.start, b.start)
    windows = sorted((*((t, t + a_ps) for t in a), *((t, t + b_ps) for t in b)))
    return next((x[0] for x, y in pairwise(windows) if y[0] <= x[1]), NEVER)


def _share_memory(ahead: Sequence[_Ahead], counts: Sequence[int]) -> bool:
    """Whether what one flow writes is read, or written, by another."""
    spans = [
        (one.flow.carrier.span(count), one.flow.carrier.writes)
        for one, count in zip(ahead, counts, strict=True)
        if count
    ]
    return any(
        (writes or also) and a < d and c < b
        for n, ((a, b), writes) in enumerate(spans)
        for (c, d), also in spans[:n]
    )
