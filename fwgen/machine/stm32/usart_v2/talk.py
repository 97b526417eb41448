"""A USART that is served byte by byte, by native code: see ``fwgen.machine.talk``.

Plain is: eight bits, no parity, no DMA, no flow control, no errors, no edges that somebody listens
to; frames that come in are of one burst and heard clearly, as for DMA (``flows``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fwgen.machine.native.service import BRR, CR1, CR2, CR3, DR, REGISTERS, SR
from fwgen.machine.stm32.usart_v2.flows import heard_plainly
from fwgen.machine.stm32.usart_v2.frame import Frame

if TYPE_CHECKING:
    from fwgen.machine.native.service import Course, Service
    from fwgen.machine.stm32.usart_v2.burst import Burst
    from fwgen.machine.stm32.usart_v2.frame import Format
    from fwgen.machine.stm32.usart_v2.usart import Usart
    from fwgen.machine.time import Timer

REQUESTS = 0xF0  # TXEIE, TCIE, RXNEIE and IDLEIE in CR1, as their flags in SR
_MAY_CHANGE = 0xE0  # of these
_PLAIN_FLAGS = 0xE0 | 1 << 4  # TXE, TC, RXNE; IDLE asks for nothing
_DMA = 1 << 6 | 1 << 7  # CR3
_MODES = ("M", "PCE", "RWU", "SBK", "WAKE")


def talk(usart: Usart) -> UsartTalk | None:
    """What it sends and receives from now on; None where any of it is not plain."""
    cr1, cr3 = usart.cr1, usart.cr3
    if cr3.value & _DMA or usart._asks or usart._line or usart._preamble:
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
    return UsartTalk(usart, how, burst)


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

    def __init__(self, usart: Usart, how: Format, burst: Burst | None) -> None:
        self._usart, self._how, self._burst = usart, how, burst
        self.kernel, self.baud_mhz = usart.clock, how.baud_mhz
        self.heard_mhz = burst.baud_mhz if burst is not None else 0
        self._sampled = how.samples[-1][-1]
        self._frame = usart._frame
        self._halves = how.halves

    @property
    def name(self) -> str:
        """The port's."""
        return self._usart.name

    @property
    def interrupts(self) -> bool:
        """Whether it asks for its interrupt; else it is polled."""
        return bool(self._usart.cr1.value & REQUESTS)

    @property
    def irq(self) -> int:
        """The number of its interrupt."""
        return self._usart.spec.irqs["global"]

    @property
    def timers(self) -> list[Timer]:
        """The end of the frame going out; of the one coming in its sample, its end, the next."""
        usart = self._usart
        made = [] if usart._sending is None else [usart._sending]
        if self._burst is not None:
            assert usart._sampling is not None
            made += [usart._sampling, *self._burst.timers]
        return made

    def fill(self, service: Service) -> None:
        """Put the port's part into the structure."""
        usart, frame, burst, course = self._usart, self._frame, self._burst, service.course
        service.base = usart.spec.base
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
        service.free_bits = _MAY_CHANGE if self.interrupts else 0
        service.frame_ticks = -(-self._halves * self._how.bit // 2) if usart.cr1.TE else 0
        course.sr, course.cr1, course.dr = usart.sr.value, usart.cr1.value, usart.dr.value
        course.rdr, course.seen = usart._rdr, usart._seen
        course.tdr = -1 if usart._tdr is None else usart._tdr
        course.content = -1
        if frame is not None:
            course.content, course.start_ps = frame.content, frame.start_ps
            course.start_tick, course.end_tick = frame.start, frame.end
            course.end_ps = usart.clock.time_of(frame.end)
        course.received = course.over = 0
        order_of = usart.soc.scheduler.order_of
        course.sent_order, course.asked = order_of(usart._sending), usart.soc.scheduler.take_order()
        service.frames, service.data = 0, b""
        if burst is not None:
            service.data = burst.data[burst.at - 1 :]
            service.frames = len(burst.data) - burst.at + 1
            service.began, service.step = burst.began, burst.frame_ps
            service.sampled = self._sampled
            course.end_order = order_of(burst.timers[0])
            course.sample_order = order_of(usart._sampling)

    def take(self, course: Course) -> None:
        """Go on from where serving it came to."""
        usart = self._usart
        usart.sr.value, usart.dr.value, usart._seen = course.sr, course.dr, course.seen
        usart.cr1.value = course.cr1
        self._take_sending(course)
        if course.received:
            self._take_receiving(course)

    def _take_sending(self, course: Course) -> None:
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
            usart._await_end()

    def _take_receiving(self, course: Course) -> None:
        usart, burst = self._usart, self._burst
        assert burst is not None
        assert usart._sampling is not None
        usart._sampling.cancel()
        burst.go_on(course.received)
        usart._rdr, usart._heard_any, usart._violated = course.rdr, True, False
        usart._last_error = ""
        usart._began, usart._levels = burst.began, burst.edges()
        usart._known_until = burst.end
        usart._sampling = usart.soc.scheduler.at(burst.began + self._sampled, usart._received)
