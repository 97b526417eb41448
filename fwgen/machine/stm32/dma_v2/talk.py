"""The streams of a controller that serve a port, by native code: see ``fwgen.machine.talk``.

Plain is what ``carry`` moves, too: direct mode, bytes, the memory pointer going up; one buffer.
No other stream of the controller has anything to do.
"""

from __future__ import annotations

import ctypes
from typing import TYPE_CHECKING

from fwgen.machine.native.service import INTO, OUT_OF
from fwgen.machine.stm32.dma_v2.stream import TO_MEMORY, TO_PERIPHERAL

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from fwgen.board.types import DmaLine
    from fwgen.machine.native.service import Course, Service
    from fwgen.machine.native.service import Stream as Served
    from fwgen.machine.stm32.dma_v2.controller import Dma
    from fwgen.machine.stm32.dma_v2.stream import Stream

_DIRECTIONS = {INTO: TO_MEMORY, OUT_OF: TO_PERIPHERAL}
_INTERRUPTS = ("DMEIE", "TEIE", "HTIE", "TCIE")
_LIVE = ("EN", "CIRC")  # may change while the stream is enabled, beside these


def server(dma: Dma, lines: Mapping[int, Sequence[DmaLine]], register: int) -> StreamServer | None:
    """Who serves a port whose data are at ``register``; None where it is not plain.

    ``lines``: what may bring its bytes into memory, and take them out of it.
    """
    if dma._step is not None or (dma._timer is not None and dma._timer.pending):
        return None
    found: dict[int, Stream] = {}
    for which, wired in lines.items():
        direction = _DIRECTIONS[which]
        asked = [dma.streams[x.stream] for x in wired if dma.streams[x.stream].channel == x.channel]
        enabled = [stream for stream in asked if stream.enabled]
        if any(not _is_plain(stream, register, direction) for stream in enabled):
            return None
        ready = enabled or [
            stream
            for x in wired
            if x.channel == (stream := dma.streams[x.stream]).cr.CHSEL
            and not stream.enabled
            and stream.par.value == register
        ]
        if len(ready) > 1:
            return None
        if ready:
            found[which] = ready[0]
    ours = found.values()
    others = (stream for stream in dma._enabled if stream not in ours)
    if any(dma._lines) or any(one.next_step(alone=False) is not None for one in others):
        return None
    if any(one.next_step(alone=False) is not None for one in ours):
        return None
    if not dma.clock.hz:
        return None if any(one.enabled for one in ours) else StreamServer(dma, {})
    return StreamServer(dma, found)


def _is_plain(stream: Stream, register: int, direction: int) -> bool:
    return (
        stream.moves_bytes_of(register)
        and stream.direction == direction
        and not stream.cr.DBM
        and len(stream.fifo) <= (direction == TO_PERIPHERAL)
    )


class StreamServer:
    """At most two streams, by what they do: ``INTO`` memory, ``OUT_OF`` it."""

    def __init__(self, dma: Dma, streams: Mapping[int, Stream]) -> None:
        self._dma, self._streams = dma, streams
        self._cycles: ctypes.Array[ctypes.c_int64] | None = None  # the structure points to it

    @property
    def name(self) -> str:
        """The controller's."""
        return self._dma.name

    @property
    def irqs(self) -> dict[int, int]:
        """The numbers of their interrupts."""
        spec = self._dma.spec
        return {
            which: spec.irqs[f"stream{stream.number}"] for which, stream in self._streams.items()
        }

    def asks(self, line: int) -> bool:
        """Whether a stream may interrupt."""
        stream = self._streams[line]
        cr = stream.cr
        return bool(cr.value & cr.mask(*_INTERRUPTS) or stream.fcr.FEIE)

    def fill(self, service: Service) -> None:
        """Put the streams into the structure."""
        dma, course = self._dma, service.course
        if not self._streams:
            return
        service.dma_base = dma.spec.base
        service.ahb = type(service.ahb)(*dma.clock.terms)
        service.clears = dma.lifcr.spec.defined
        course.flags[0], course.flags[1] = dma.lisr.value, dma.hisr.value
        course.free_tick = dma._free
        memory, regions = dma.memory, dma.soc.memory.regions if dma.soc.memory is not None else ()
        self._cycles = (ctypes.c_int64 * len(regions))()
        for n, region in enumerate(regions):
            if memory.allows(memory.place(region.base)):
                self._cycles[n] = memory.cycles(region.base, 1)
        service.memory_cycles = self._cycles
        for which, stream in self._streams.items():
            wire, cr = service.wires[which - INTO], stream.cr
            interrupts = cr.mask(*_INTERRUPTS)
            wire.exists, wire.number = 1, stream.number
            way = _DIRECTIONS[which] << 6  # DIR
            wire.shape = way | cr.value & cr.mask("CHSEL") | cr.mask("MINC")
            wire.defined = cr.spec.defined & ~(0 if service.takes(which) else interrupts)
            wire.free = cr.mask(*_LIVE) | interrupts
            wire.register_cycles = dma.peripheral.cycles(stream.par.value, 1)
            _put(stream, course.streams[which - INTO])

    def take(self, course: Course) -> None:
        """Go on from where serving came to."""
        dma = self._dma
        if not self._streams:
            return
        dma.lisr.value, dma.hisr.value = course.flags[0], course.flags[1]
        dma._free = course.free_tick
        for which, stream in self._streams.items():
            _take(stream, course.streams[which - INTO])
        others = [one for one in dma._enabled if one not in self._streams.values()]
        enabled = [one for one in self._streams.values() if one.enabled]
        dma._enabled = sorted([*others, *enabled], key=lambda one: (-one.priority, one.number))


def _put(stream: Stream, into: Served) -> None:
    into.cr, into.ndtr, into.par = stream.cr.value, stream.ndtr.value, stream.par.value
    into.m0ar, into.fcr, into.reload = stream.m0ar.value, stream.fcr.value, stream.reload
    into.at, into.left = stream._m_at, stream._m_left
    into.total, into.done, into.halfway = stream._total, stream._done, stream._halfway
    into.fifo = stream.fifo[0] if stream.fifo else -1
    into.enabled, into.began = stream.enabled, 0


def _take(stream: Stream, came: Served) -> None:
    stream.cr.value = came.cr
    stream.par.value, stream.m0ar.value, stream.fcr.value = came.par, came.m0ar, came.fcr
    stream.reload = came.reload
    if came.began:
        stream.configure()
        stream.start()
        stream.unclocked = False
    stream.enabled, stream.ndtr.value = bool(came.enabled), came.ndtr
    stream._m_at, stream._m_left = came.at, came.left
    stream._total, stream._done, stream._halfway = came.total, came.done, bool(came.halfway)
    stream.fifo[:] = b"" if came.fifo < 0 else bytes((came.fifo,))
