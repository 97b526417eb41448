"""What is wrong with a stream as it is enabled, and what silicon makes of it.

Source: RM0368 §9.3.8 to §9.3.17.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from fwgen.machine.stm32.dma_v2.stream import FIFO, MEMORY_TO_MEMORY

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fwgen.machine.stm32.dma_v2.controller import Dma
    from fwgen.machine.stm32.dma_v2.stream import Stream

_KILOBYTE = 1024  # which no burst may cross (§9.3.11)


class Flaw(NamedTuple):
    """A hazard to tell."""

    code: str
    message: str
    section: str
    cure: str


def _flaw(code: str, message: str, section: str, cure: str) -> Flaw:
    return Flaw(code, message, f"RM0368 §{section}", cure)


def flaws(dma: Dma, stream: Stream) -> Iterator[Flaw]:
    """The hazards of a stream that is configured and about to start."""
    yield from _modes(stream)
    yield from _sizes(stream)
    yield from _addresses(stream)
    if stream.direction != MEMORY_TO_MEMORY:
        yield from _request(dma, stream)


def fits_threshold(stream: Stream) -> bool:
    """Whether the FIFO's threshold is a whole number of memory bursts. §9.3.12."""
    size = stream.mbeats * stream.msize
    return stream.direct or stream.mbeats == 1 or (size <= FIFO and stream.threshold % size == 0)


def _modes(stream: Stream) -> Iterator[Flaw]:
    name, cr = stream.name, stream.cr
    if cr.DIR == 3 or cr.PSIZE == 3 or cr.MSIZE == 3:
        yield _flaw(
            "dma-mode", f"{name} is enabled with a reserved DIR, PSIZE or MSIZE",
            "9.5.5", "write 0, 1 or 2 to these fields",
        )  # fmt: skip
    if stream.direction == MEMORY_TO_MEMORY and (cr.CIRC or cr.DBM):
        yield _flaw(
            "dma-mode",
            f"{name} copies memory to memory, which cannot be circular or double buffered",
            "9.3.6", "clear CIRC and DBM",
        )  # fmt: skip
    if cr.PFCTRL and cr.DBM:
        yield _flaw(
            "dma-mode",
            f"{name}: double buffer mode goes with the DMA as flow controller only",
            "9.3.16", "clear DBM or PFCTRL",
        )  # fmt: skip
    if not stream.direct and stream.pbeats * stream.psize > FIFO:
        yield _flaw(
            "dma-burst",
            f"{name}: a burst of {stream.pbeats} times {stream.psize} bytes does not fit the FIFO",
            "9.3.12", "make PBURST times PSIZE at most 16 bytes",
        )  # fmt: skip
    elif not stream.direct and stream.pbeats * stream.psize == FIFO and stream.threshold == 12:
        yield _flaw(
            "dma-burst",
            f"{name}: bursts of 16 bytes with a threshold of 3/4 never find room",
            "9.3.12", "use another threshold in FTH",
        )  # fmt: skip


def _sizes(stream: Stream) -> Iterator[Flaw]:
    name, items = stream.name, stream.ndtr.value
    if not items:
        yield _flaw(
            "dma-empty", f"{name} is enabled with NDTR 0: nothing will be transferred",
            "9.5.6", "write the number of items to NDTR before EN is set",
        )  # fmt: skip
        return
    if stream.cr.PFCTRL:
        return
    if items * stream.psize % stream.msize:
        yield _flaw(
            "dma-incomplete",
            f"{name}: {items} items of {stream.psize} bytes are no whole number of"
            f" {stream.msize}-byte units of memory",
            "9.3.10", f"make NDTR a multiple of {stream.msize // stream.psize}",
        )  # fmt: skip
    if stream.circular and stream.mbeats > 1:
        burst = stream.mbeats * stream.msize
        if items * stream.psize % burst:
            yield _flaw(
                "dma-incomplete",
                f"{name}: in circular mode {items} items of {stream.psize} bytes must be whole"
                f" bursts of {burst} bytes",
                "9.3.8", "choose NDTR so, or single transfers in MBURST",
            )  # fmt: skip


def _addresses(stream: Stream) -> Iterator[Flaw]:
    places = [("PAR", stream.par.value, stream.psize), ("M0AR", stream.m0ar.value, stream.msize)]
    if stream.cr.DBM:
        places.append(("M1AR", stream.m1ar.value, stream.msize))
    for register, address, size in places:
        if address % size:
            yield _flaw(
                "dma-misaligned",
                f"{stream.name}: {register} is {address:#010x}, which is not aligned to the"
                f" {size} bytes of an item",
                "9.3.11", "align the buffer, or transfer smaller items",
            )  # fmt: skip
    bursts = []
    if stream.mbeats > 1 and stream.cr.MINC:
        bursts.append(("M0AR", stream.m0ar.value, stream.mbeats * stream.msize))
        if stream.cr.DBM:
            bursts.append(("M1AR", stream.m1ar.value, stream.mbeats * stream.msize))
    if stream.pbeats > 1 and stream.cr.PINC:
        bursts.append(("PAR", stream.par.value, stream.pbeats * stream.psize))
    length = stream.ndtr.value * stream.psize
    for register, address, burst in bursts:
        room = _KILOBYTE - address % _KILOBYTE
        if room % burst and length > room:
            yield _flaw(
                "dma-burst",
                f"{stream.name}: bursts of {burst} bytes from {address:#010x} ({register}) cross a"
                " boundary of 1 KB: an error that no flag reports",
                "9.3.11", f"align the buffer to {burst} bytes",
            )  # fmt: skip


def _request(dma: Dma, stream: Stream) -> Iterator[Flaw]:
    wired = dma.wired(stream)
    if not wired:
        yield _flaw(
            "dma-no-request",
            f"{stream.name} listens to channel {stream.channel}, on which nothing requests",
            "9.3.3", "look up stream and channel of the request in Tables 27 and 28",
        )  # fmt: skip


def unasked(dma: Dma, stream: Stream) -> Flaw | None:
    """What keeps a stream waiting that is enabled: whoever asks it has no clock.

    It may be enabled first, as §9.3.17 has it; only one that is never asked is a flaw.
    """
    wired = dma.wired(stream)
    gated = dma.soc.gated
    if not wired or any(s.gate is None or gated.get(s.name, False) for s, _ in wired):
        return None
    names = " and ".join(dict.fromkeys(spec.name for spec, _ in wired))
    return _flaw(
        "dma-no-request",
        f"{stream.name} waits for a request on channel {stream.channel}, and the clock of {names},"
        " which would make it, is off",
        "9.3.3", f"enable the clock of {names}",
    )  # fmt: skip
