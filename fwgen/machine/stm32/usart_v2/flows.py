"""What a USART sends or receives by DMA, many bytes at once: see ``fwgen.machine.leap``.

Only frames of eight bits without parity, whose next is known: going out, the next byte waits in
DR; coming in, they are of one burst (``Usart.receive_all``), back to back, and each is heard
clearly. All else that a byte may set off (an interrupt, a flag that is looked at, flow control,
edges that somebody listens to) rules it out.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from fwgen.machine.stm32.usart_v2.burst import bit_edges
from fwgen.machine.stm32.usart_v2.frame import Frame
from fwgen.trace import SerialByte

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from fwgen.machine.leap import Carrier, Flow
    from fwgen.machine.stm32.usart_v2.burst import Burst
    from fwgen.machine.stm32.usart_v2.frame import Format
    from fwgen.machine.stm32.usart_v2.usart import Usart
    from fwgen.machine.time import Timer


_TC = 1 << 6  # SR
_ERRORS_AND_IDLE = 0x1F  # PE, FE, NF, ORE, IDLE
_MODES = ("M", "PCE", "RWU", "SBK")


def flows(usart: Usart) -> Iterator[Flow]:
    """The rows of bytes that go by DMA now."""
    cr1, cr3, sr = usart.cr1, usart.cr3, usart.sr
    if not cr1.UE or not (cr3.DMAT or cr3.DMAR):
        return
    if cr1.value & cr1.mask(*_MODES) or usart.cr2.LINEN or usart._clocked or cr3.HDSEL:
        return
    if usart._has_flow and (cr3.CTSE or cr3.RTSE):
        return
    how = usart._format()
    if not how.bit or usart._checked != (how.bit, usart.clock.hz):
        return
    data = usart.spec.base + usart.dr.spec.offset
    if cr3.DMAT and cr1.TE and not (cr1.TXEIE or sr.TXE) and _sends_plainly(usart, how):
        carrier = usart.soc.dma.carrier(usart, "tx", data)
        if carrier is not None and not carrier.writes:
            yield Sending(usart, how, carrier)
    hears = usart._receiving and usart._sampling is not None
    hears = hears and not usart._seen & _ERRORS_AND_IDLE
    if hears and cr3.DMAR and cr1.RE and not (cr1.RXNEIE or sr.RXNE):
        burst = heard_plainly(usart, how)
        if burst is not None:
            carrier = usart.soc.dma.carrier(usart, "rx", data)
            if carrier is not None and carrier.writes:
                yield Receiving(usart, how, burst, carrier)


def _sends_plainly(usart: Usart, how: Format) -> bool:
    """Whether a frame of data is on its way, another waits, and nobody listens to edges."""
    frame = usart._frame
    return (
        frame is not None
        and frame.content >= 0
        and frame.format is how
        and not frame.stretched
        and usart._tdr is not None
        and not usart._seen & (_TC | 1)
        and usart._bit is None
        and not (usart.bit_level or usart._tx.listened)
        and usart._tx.taken
    )


def heard_plainly(usart: Usart, how: Format) -> Burst | None:
    """The burst whose frame is being received, where this and the next are heard clearly."""
    begun = [one for one in usart.bursts if one.at and one.timers]
    if len(begun) != 1:
        return None
    burst = begun[0]
    clear = (
        usart._began == burst.began
        and usart._heard is how
        and not usart._noise
        and usart._levels == burst.edges()
        and how.stop_halves != 1
        and _in_its_bit(how, burst.baud_mhz)
    )
    return burst if clear else None


@lru_cache(maxsize=64)
def _in_its_bit(how: Format, baud_mhz: int) -> bool:
    """Whether each sample lies within the bit that it is meant for, whatever the bits are."""
    edges = bit_edges(baud_mhz)
    starts = (one for triple in how.start_samples for one in triple)
    return all(0 <= one < edges[1] for one in starts) and all(
        edges[n] <= one < edges[n + 1] for n, three in enumerate(how.samples, 1) for one in three
    )


class Sending:
    """Frames going out: a round is the end of one, whose successor has gone into the shifter."""

    def __init__(self, usart: Usart, how: Format, carrier: Carrier) -> None:
        self._usart, self._how, self.carrier = usart, how, carrier
        self.told_after_ps = 0
        frame = usart._frame
        assert frame is not None
        self._frame = frame
        self._ticks = -(-frame.halves * how.bit // 2)

    @property
    def timers(self) -> tuple[Timer, ...]:
        """The end of the frame on its way."""
        assert self._usart._sending is not None
        return (self._usart._sending,)

    @property
    def rounds(self) -> int:
        """As many as the stream has bytes for."""
        return self.carrier.rounds

    def asked(self, rounds: int) -> Sequence[int]:
        """A byte is asked for when the one before has gone to the shifter."""
        return self._usart.clock.times_of(self._frame.end, rounds + 1, self._ticks)

    def move(self, rounds: int) -> list[SerialByte]:
        """Frames leave; the last that was asked for waits in DR."""
        usart, frame, how = self._usart, self._frame, self._how
        ends = self.asked(rounds)
        waiting = usart._tdr
        assert waiting is not None
        sent = bytes((frame.content & 0xFF, waiting & 0xFF)) + self.carrier.give(rounds)
        name, baud, start = usart.name, how.baud_mhz, frame.start_ps
        starts = (start, *ends)
        told = [
            SerialByte(t_ps, name, "tx", byte, baud, began)
            for t_ps, byte, began in zip(ends, sent[:rounds], starts, strict=False)
        ][:rounds]
        begin = frame.end + (rounds - 1) * self._ticks
        usart._frame = Frame(
            sent[rounds], begin, begin + self._ticks, ends[rounds - 1], frame.halves, 0, how
        )
        last = sent[rounds + 1]
        # The bridge to APB duplicates a byte (RM0368 §2.1): bit 8 of DR is bit 0 of the next.
        usart._tdr = usart.dr.value = last | (last & 1) << 8
        usart._sent_as = how
        usart._await_end()
        return told


class Receiving:
    """Frames coming in: a round begins where the stop bit is sampled, and ends with the frame."""

    def __init__(self, usart: Usart, how: Format, burst: Burst, carrier: Carrier) -> None:
        self._usart, self._burst, self.carrier = usart, burst, carrier
        self._sampled = how.samples[-1][-1]
        self.told_after_ps = burst.frame_ps - self._sampled

    @property
    def timers(self) -> tuple[Timer, ...]:
        """The sample of the frame under way, its end, and the next one's start."""
        assert self._usart._sampling is not None
        return (self._usart._sampling, *self._burst.timers)

    @property
    def rounds(self) -> int:
        """Frames of the burst, without its last."""
        return len(self._burst.data) - self._burst.at

    def asked(self, rounds: int) -> Sequence[int]:
        """A byte is there when its stop bit is sampled."""
        first, step = self._burst.began + self._sampled, self._burst.frame_ps
        return range(first, first + (rounds + 1) * step, step)

    def move(self, rounds: int) -> list[SerialByte]:
        """Frames come in; the next is under way."""
        usart, burst = self._usart, self._burst
        came = burst.data[burst.at - 1 : burst.at - 1 + rounds]
        self.carrier.take(came)
        name, baud = usart.name, burst.baud_mhz
        began, step = burst.began, burst.frame_ps
        told = [
            SerialByte(began + step, name, "rx", byte, baud, began)
            for began, byte in zip(range(began, began + rounds * step, step), came, strict=True)
        ]
        assert usart._sampling is not None
        usart._sampling.cancel()
        burst.go_on(rounds)
        usart._rdr, usart._heard_any, usart._violated = came[-1], True, False
        usart._last_error = ""
        usart._seen &= _TC
        usart._began, usart._levels = burst.began, burst.edges()
        usart._known_until = burst.end
        usart._sampling = usart.soc.scheduler.at(burst.began + self._sampled, usart._received)
        return told
