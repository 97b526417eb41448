"""A stream that moves single bytes between a data register and RAM, many rounds at once.

See ``fwgen.machine.leap``. Only where each round is like the next: direct mode, bytes, the memory
pointer going up, no flag before the last round.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fwgen.machine.stm32.dma_v2.stream import TO_MEMORY, TO_PERIPHERAL
from fwgen.units import PS_PER_S

if TYPE_CHECKING:
    from fwgen.machine.stm32.dma_v2.controller import Dma
    from fwgen.machine.stm32.dma_v2.stream import Stream


class ByteCarrier:
    """One stream at rest, as the carrier of a flow."""

    def __init__(self, dma: Dma, stream: Stream) -> None:
        self._dma, self._stream = dma, stream
        self.writes = stream.direction == TO_MEMORY

    @property
    def ports(self) -> Dma:
        """The controller."""
        return self._dma

    @property
    def rounds(self) -> int:
        """Rounds before half or all of the transfer is done, or its memory ends."""
        stream = self._stream
        left = stream.rounds_before_flag
        region = self._dma.memory.place(stream.memory_at).region
        assert region is not None
        room = region.end - stream.memory_at
        return max(0, min(left, room, *((stream.ahead - 1,) if not self.writes else ())))

    def span(self, rounds: int) -> tuple[int, int]:
        """The memory that so many rounds touch."""
        at = self._stream.memory_at
        return at, at + rounds

    @property
    def busy_ps(self) -> int:
        """How long the ports are taken at the most, from when the register asks.

        Both accesses, whichever comes first, and up to a cycle before the clock's next edge.
        """
        dma, stream = self._dma, self._stream
        cycles = dma.peripheral.cycles(stream.register_at, 1)
        cycles += dma.memory.cycles(stream.memory_at, 1)
        return int((cycles + 2) * PS_PER_S / dma.clock.hz)

    def take(self, data: bytes) -> None:
        """Bytes that came: into memory."""
        stream = self._stream
        self._dma.memory.write_block(stream.memory_at, data)
        stream.moved(len(data))

    def give(self, rounds: int) -> bytes:
        """Bytes that go out: what waits in the FIFO, then from memory; the next waits there."""
        stream = self._stream
        data = self._dma.memory.read_block(stream.memory_at, rounds)
        assert data is not None
        whole = bytes(stream.fifo) + data
        stream.fifo[:] = whole[rounds:]
        stream.moved(rounds)
        return whole[:rounds]


def carrier(dma: Dma, stream: Stream, register: int) -> ByteCarrier | None:
    """The carrier for a byte at ``register``; None where rounds are not all alike."""
    if not dma.clock.hz or not stream.moves_bytes_of(register):
        return None
    place = dma.memory.place(stream.memory_at)
    if place.region is None or not dma.memory.allows(place):
        return None
    if stream.direction == TO_MEMORY and place.region.kind != "ram":
        return None
    if stream.direction == TO_PERIPHERAL and len(stream.fifo) != 1:
        return None
    return ByteCarrier(dma, stream)
