"""A USART that is served by native code: see ``fwgen.machine.talk``.

Plain is: eight bits, no parity, no flow control, no errors, no edges that somebody listens to;
frames that come in are of one burst and heard clearly, as for rows of them (``flows``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fwgen.machine.native.service import (
    BRR,
    CR1,
    CR2,
    CR3,
    DR,
    INTO,
    NEVER,
    OUT_OF,
    PORT,
    REGISTERS,
    SR,
    Clock,
)  # fmt: skip
from fwgen.machine.stm32.usart_v2.flows import heard_plainly
from fwgen.machine.stm32.usart_v2.frame import Frame

if TYPE_CHECKING:
    from collections.abc import Callable

    from fwgen.machine.native.service import Course, Service
    from fwgen.machine.stm32.usart_v2.burst import Burst
    from fwgen.machine.stm32.usart_v2.frame import Format
    from fwgen.machine.stm32.usart_v2.usart import Usart
    from fwgen.machine.talk import Server
    from fwgen.machine.time import Timer

REQUESTS = 0xF0  # TXEIE, TCIE, RXNEIE and IDLEIE in CR1, as their flags in SR
_PLAIN_FLAGS = 0xE0 | 1 << 4  # TXE, TC, RXNE; IDLE says nothing of the frames to come
_DMAR, _DMAT = 1 << 6, 1 << 7  # CR3
# What may change of CR1 where its interrupt would be taken, and of CR3. Nothing that PEIE and EIE
# are for is there.
_FREE_1, _FREE_3 = REQUESTS | 1 << 8, _DMAR | _DMAT | 1
_DMA_REQUESTS = {INTO: "rx", OUT_OF: "tx"}
_MODES = ("M", "PCE", "RWU", "SBK", "WAKE")


def talk(usart: Usart) -> UsartTalk | None:
    """What it sends and receives from now on; None where any of it is not plain."""
    cr1, cr3 = usart.cr1, usart.cr3
    if usart._line or usart._preamble:
        return None
    if not cr1.UE or cr1.value & cr1.mask(*_MODES) or usart.cr2.LINEN or usart._clocked:
        return None
    if cr3.HDSEL or (usart._has_flow and (cr3.CTSE or cr3.RTSE or cr3.CTSIE)):
        return None
    how = usart._format()
    if not how.bit or how.stop_halves != 2 or usart.sr.value & ~_PLAIN_FLAGS:
        return None
    if usart._checked != (how.bit, usart.clock.hz) or (cr1.TE and not _sends_plainly(usart, how)):
        return None
    burst = None
    if usart._receiving and usart._sampling is not None and not usart.sr.RXNE:
        burst = heard_plainly(usart, how)
    if burst is None:
        within = usart._receiving or any(one.at and one.timers for one in usart.bursts)
        if within or usart._frame is None:
            return None  # what comes next is not known here
    register = usart.spec.base + usart.dr.spec.offset
    server = usart.soc.dma.server(usart, _DMA_REQUESTS, register)
    return UsartTalk(usart, how, burst, server) if server is not None else None


def _sends_plainly(usart: Usart, how: Format) -> bool:
    """Whether what it sends goes out as plain frames, and nobody listens to edges."""
    frame = usart._frame
    return (
        (frame is None or (frame.content >= 0 and frame.format is how and not frame.stretched))
        and (frame is not None or usart._tdr is None)
        and usart._bit is None
        and usart._pulse is None
        and not (usart.bit_level or usart._tx.listened)
        and usart._tx.taken
    )


class UsartTalk:
    """What a USART sends and receives from now on."""

    def __init__(self, usart: Usart, how: Format, burst: Burst | None, server: Server) -> None:
        self._usart, self._how, self._burst, self._server = usart, how, burst, server
        self.baud_mhz = how.baud_mhz
        self.heard_mhz = burst.baud_mhz if burst is not None else 0
        self._sampled = how.samples[-1][-1]
        self._frame = usart._frame
        self._halves = how.halves

    @property
    def name(self) -> str:
        """The port's."""
        return self._usart.name

    @property
    def irqs(self) -> dict[int, int]:
        """The numbers of its interrupt and its streams'."""
        return {PORT: self._usart.spec.irqs["global"], **self._server.irqs}

    def asks(self, line: int) -> bool:
        """Whether a line may interrupt, as its registers are now."""
        if line != PORT:
            return self._server.asks(line)
        return bool(self._usart.cr1.value & REQUESTS)

    @property
    def timers(self) -> list[Timer]:
        """The end of the frame going out; of the one coming in its sample, its end, the next."""
        usart = self._usart
        made = [] if usart._sending is None else [usart._sending]
        if self._burst is not None:
            assert usart._sampling is not None
            made += [usart._sampling, *self._burst.timers]
        return made

    def fill(self, service: Service, seat: int) -> None:
        """Put the port's part into the structure, and its streams'."""
        usart, frame, burst, course = self._usart, self._frame, self._burst, service.course
        service.base, service.kernel = usart.spec.base, Clock(*usart.clock.terms)
        named = {
            SR: usart.sr, DR: usart.dr, BRR: usart.brr,
            CR1: usart.cr1, CR2: usart.cr2, CR3: usart.cr3,
        }  # fmt: skip
        for number in range(REGISTERS):
            register = named[number]
            service.offsets[number] = register.spec.offset
            service.readable[number] = register.readable
            service.tells[number] = usart.tells(register.spec.offset)
            service.held[number] = register.value
        service.free_cr1 = _FREE_1 if service.takes(PORT) else 0
        service.free_cr3 = _FREE_3
        service.cleared_by_0 = usart.sr.cleared_by_0
        service.frame_ticks = -(-self._halves * self._how.bit // 2) if usart.cr1.TE else 0
        course.sr, course.cr1, course.dr = usart.sr.value, usart.cr1.value, usart.dr.value
        course.cr3, course.asks = usart.cr3.value, usart._asks
        course.rdr, course.seen = usart._rdr, usart._seen
        course.tdr = -1 if usart._tdr is None else usart._tdr
        course.content = -1
        if frame is not None:
            course.content, course.start_ps = frame.content, frame.start_ps
            course.start_tick, course.end_tick = frame.start, frame.end
            course.end_ps = usart.clock.time_of(frame.end)
            usart._sent_as = self._how  # who reads afterwards what was sent asks how
        course.received = course.over = 0
        order_of = usart.soc.scheduler.order_of
        course.sent_order = order_of(usart._sending)
        service.frames, service.data = 0, b""
        if burst is not None:
            service.data = burst.data[burst.at - 1 :]
            service.frames = len(burst.data) - burst.at + 1
            service.began, service.length = burst.began, burst.frame_ps
            service.sampled = self._sampled
            course.end_order = order_of(burst.timers[0])
            course.sample_order = order_of(usart._sampling)
        self._server.fill(service)

    def take(self, service: Service, seat: int) -> list[tuple[int, Callable[[], None]]]:
        """Go on from where serving it came to; what asks for its calls anew, in what order."""
        usart, flags_read, course = self._usart, self._usart.soc.flags_read, service.course
        usart.sr.value, usart.dr.value, usart._seen = course.sr, course.dr, course.seen
        usart.cr1.value = course.cr1
        if course.port_read_ps != NEVER:
            flags_read[usart.name] = course.port_read_ps
        if course.dma_read_ps != NEVER:
            flags_read[self._server.name] = course.dma_read_ps
        self._server.take(course)
        self._take_requests(course)
        return [*self._take_sending(course), *self._take_receiving(course)]

    def _take_requests(self, course: Course) -> None:
        usart = self._usart
        if usart.cr3.value != course.cr3:
            usart.cr3.value = course.cr3
            usart._tell_flowing()
        changed, usart._asks = usart._asks ^ course.asks, course.asks
        for mask, request in ((_DMAR, "rx"), (_DMAT, "tx")):
            if changed & mask:
                usart.soc.dma.put(usart, request, bool(course.asks & mask))

    def _take_sending(self, course: Course) -> list[tuple[int, Callable[[], None]]]:
        usart, how = self._usart, self._how
        usart._tdr = None if course.tdr < 0 else course.tdr
        before = -1 if self._frame is None else self._frame.end
        if course.content < 0:
            if usart._sending is not None:
                usart._sending.cancel()
            if usart._frame is not None:
                usart._sent_as = how
            usart._frame = usart._sending = None
        elif course.end_tick != before:
            usart._sent_as = how
            usart._frame = Frame(
                course.content, course.start_tick, course.end_tick, course.start_ps,
                self._halves, 0, how,
            )  # fmt: skip
            return [(course.sent_order, usart._await_end)]
        return []

    def _take_receiving(self, course: Course) -> list[tuple[int, Callable[[], None]]]:
        usart, burst = self._usart, self._burst
        if not course.received:
            return []
        assert burst is not None
        assert usart._sampling is not None
        usart._sampling.cancel()
        usart._rdr, usart._heard_any, usart._violated = course.rdr, True, False
        usart._last_error = ""
        return [
            (course.end_order, lambda: burst.go_on(course.received)),
            (course.sample_order, self._await_sample),
        ]

    def _await_sample(self) -> None:
        usart, burst = self._usart, self._burst
        assert burst is not None
        usart._began, usart._levels = burst.began, burst.edges()
        usart._known_until = burst.end
        usart._sampling = usart.soc.scheduler.at(burst.began + self._sampled, usart._received)
