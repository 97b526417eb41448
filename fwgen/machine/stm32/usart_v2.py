"""USART of the STM32F4. RM0368 §19."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

from fwgen.machine.peripheral import Peek, Peripheral, Reg
from fwgen.machine.time import NEVER
from fwgen.trace import SerialByte
from fwgen.units import MHZ_PER_HZ, PS_PER_S

if TYPE_CHECKING:
    from collections.abc import Callable

    from fwgen.board.types import PeripheralSpec
    from fwgen.machine.signals import Signal
    from fwgen.machine.soc import Soc
    from fwgen.machine.time import Timer

# Rates that terminals and protocols use, in baud.
STANDARD_RATES = (
    300, 600, 1200, 2400, 4800, 9600, 14400, 19200, 28800, 31250, 38400, 57600, 76800, 115_200,
    230_400, 250_000, 460_800, 500_000, 921_600, 1_000_000, 1_500_000, 2_000_000, 3_000_000,
)  # fmt: skip
_TOLERATED = Fraction(2, 100)  # of a standard rate
_LOST = Fraction(4, 100)  # beyond this a receiver samples the wrong bit (§19.3.5: 3.75 %)

_DMAR, _DMAT = 1 << 6, 1 << 7  # CR3
_IDLE, _BREAK = -1, -2  # what the shift register may hold besides data


@dataclass(frozen=True, slots=True)
class _Format:
    """How BRR, CR1 and CR2 say that a frame looks, at one frequency of the clock."""

    bit: int  # kernel ticks; 0 while BRR gives no rate
    word: int  # bits between start and stop, parity included
    parity: str  # "N", "E", "O"
    stop_halves: int  # half bits
    baud_mhz: int
    length: Fraction  # of a bit, picoseconds
    start_samples: tuple[tuple[int, ...], ...]  # picoseconds from the start edge
    samples: tuple[tuple[int, ...], ...]  # likewise, of each bit of the word and the stop bit

    @property
    def data(self) -> int:
        """Data bits."""
        return self.word - (self.parity != "N")

    @property
    def halves(self) -> int:
        """Half bits in a frame."""
        return 2 * (self.word + 1) + self.stop_halves

    @property
    def frame_ps(self) -> int:
        """A frame's length."""
        return int(self.length * self.halves / 2)


@dataclass(slots=True)
class _Frame:
    """A frame on its way out: ``content`` is data bits, _IDLE or _BREAK; times as kernel ticks."""

    content: int
    start: int
    end: int
    start_ps: int
    halves: int
    format: _Format
    stretched: bool = False  # the clock changed on the way


class Usart(Peripheral, registers="stm32.usart_v2"):
    """Asynchronous serial port. RM0368 §19.3.

    A frame out takes one event: it is recorded as a SerialByte at the end of its stop bit. Its
    edges are written out on the TX line only while somebody listens to that line, or while
    ``bit_level`` is set. A frame in (``receive``, or edges of the RX pad) is sampled at this
    receiver's own bit times, as §19.3.3 describes: a sender at another rate is read wrongly.

    Bytes that leave while no pin carries TX are not seen outside: a hazard, and no SerialByte.

    DMA requests (§19.3.13): "tx" while TXE and DMAT are set, "rx" while RXNE and DMAR are.

    Not modelled (a Gap where firmware asks for it): LIN, IrDA, smartcard, synchronous clock, CTS
    and RTS. The edge detector's quantisation to the sample clock is taken as zero. A clock
    that changes within a frame shifts the end of a frame going out, not the sampling of one
    coming in.
    """

    sr, dr, brr = Reg(), Reg(), Reg()
    cr1 = Reg()
    cr2 = Reg(unmodelled=("CLKEN", "LINEN", "LBDIE"))
    cr3 = Reg(
        unmodelled=("IREN", "SCEN", "NACK", "RTSE", "CTSE", "CTSIE"),
    )

    def __init__(self, spec: PeripheralSpec, soc: Soc) -> None:
        super().__init__(spec, soc)
        self.bit_level = False
        self._tx = soc.fabric.output(f"{self.name}_TX")
        self._rx = soc.fabric.input(f"{self.name}_RX")
        self._half_duplex = soc.fabric.input(f"{self.name}_TX")
        self._unlisten: Callable[[], None] | None = None
        self._sending: Timer | None = None
        self._bit: Timer | None = None
        self._sampling: Timer | None = None
        self._idle: Timer | None = None
        self._line = False  # the interrupt request
        self._asks = 0  # DMA requests: CR3's DMAT and DMAR where they are raised
        self._forming = self.cr1.mask("M", "PCE", "PS", "OVER8")
        self._formed: tuple[tuple[object, ...], _Format] | None = None
        self._start()

    def _start(self) -> None:
        self._asks = 0
        self._tdr: int | None = None
        self._rdr = 0
        self._frame: _Frame | None = None
        self._sent_as: _Format | None = None
        self._preamble = False
        self._seen = 0  # flags that the last read of SR showed: half of a clearing sequence
        self._checked: tuple[int, Fraction] | None = None
        self._levels: list[tuple[int, int]] = []  # of the RX line: changes, oldest first
        self._known_until = 0  # up to here the RX line's future is known
        self._receiving = False
        self._began = 0  # start edge of the word being received, picoseconds
        self._heard: _Format | None = None  # how it is sampled
        self._noise = False
        self._last_error = ""

    def on_reset(self, t_ps: int) -> None:
        """Drop what was on its way; let go of the lines."""
        for timer in (self._sending, self._bit, self._sampling, self._idle):
            if timer is not None:
                timer.cancel()
        self._sending = self._bit = self._sampling = self._idle = None
        self._start()
        self._listen(t_ps)
        self._tx.drive(t_ps, None)
        self._request(t_ps)

    def on_clock(self, t_ps: int) -> None:
        """A frame going out stretches with the clock."""
        if self._frame is not None:
            self._frame.stretched = True
            self._await_end()

    # ------------------------------------------------------------------ rate

    @property
    def bit_ticks(self) -> int:
        """Kernel ticks in one bit; 0 while BRR gives no rate. §19.3.4."""
        brr = self.brr
        if brr.DIV_Mantissa == 0:
            return 0
        if self.cr1.OVER8:
            return brr.DIV_Mantissa * 8 + (brr.DIV_Fraction & 7)
        return brr.value & 0xFFFF

    @property
    def baud_mhz(self) -> int:
        """The rate that BRR and the clock give, in millibaud; 0 for none."""
        return self._format().baud_mhz

    @property
    def sent_as(self) -> tuple[int, str, int]:
        """The format of the frame recorded last: data bits, parity "N", "E" or "O", half stop bits.

        What a SerialByte leaves out and a receiver at the other end of the line needs.
        """
        how = self._sent_as or self._format()
        return how.data, how.parity, how.stop_halves

    @property
    def sending_since(self) -> int | None:
        """The start edge of the frame on its way out, picoseconds; None while there is none."""
        frame = self._frame
        return None if frame is None or frame.content == _IDLE else frame.start_ps

    def _format(self) -> _Format:
        """The format now; made anew only when something of it changed."""
        cr1 = self.cr1
        key = (self.brr.value, cr1.value & self._forming, self.cr2.STOP, self.clock.hz)
        if self._formed is not None and self._formed[0] == key:
            return self._formed[1]
        bit, hz, word = self.bit_ticks, self.clock.hz, 8 + cr1.M
        length = bit * PS_PER_S / hz if hz else Fraction(0)
        slots, votes = (8, (4, 5, 6)) if cr1.OVER8 else (16, (8, 9, 10))
        starts = (votes,) if cr1.OVER8 else ((3, 5, 7), votes)

        def times(n: int, which: tuple[int, ...]) -> tuple[int, ...]:
            # A sample lies in the middle of its slot.
            return tuple(int(length * (2 * (n * slots + k) - 1) / (2 * slots)) for k in which)

        made = _Format(
            bit,
            word,
            parity="NNEO"[2 * cr1.PCE + cr1.PS],
            stop_halves=(2, 1, 4, 3)[self.cr2.STOP],
            baud_mhz=round(hz * MHZ_PER_HZ / bit) if bit else 0,
            length=length,
            start_samples=tuple(times(0, triple) for triple in starts),
            samples=tuple(times(n, votes) for n in range(1, word + 2)),
        )
        self._formed = (key, made)
        return made

    def _check_rate(self, ticks: int) -> None:
        hz = self.clock.hz
        if not hz or self._checked == (ticks, hz):
            return
        self._checked = (ticks, hz)
        if not ticks:
            self.soc.hazard(
                "baud-error",
                f"{self.name}.BRR gives no baud rate: nothing is sent or received",
                cure=f"write BRR, for example {round(hz / 115_200):#x} for 115200 baud",
            )
            return
        rate = hz / ticks
        standard = min(STANDARD_RATES, key=lambda r: abs(rate - r) / r)
        console = self.soc.board.console
        if console is not None and console.uart == self.name:
            off = abs(rate - console.baud) / console.baud
            if off < Fraction(1, 5):  # meant to be the console's
                standard = console.baud
        error = (rate - standard) / standard
        if abs(error) > _TOLERATED:
            self.soc.hazard(
                "baud-error" if abs(error) > _LOST else "baud-off",
                f"{self.name} runs at {float(rate):.0f} baud, {float(error) * 100:+.1f} % from"
                f" {standard}: BRR is {self.brr.value:#x} with a clock of {float(hz):.0f} Hz",
                cure=self._better_brr(hz, standard),
            )

    def _better_brr(self, hz: Fraction, baud: int) -> str:
        ticks = round(hz / baud)
        over8 = self.cr1.OVER8
        value = (ticks // 8 << 4 | ticks % 8) if over8 else ticks
        if ticks < (8 if over8 else 16):
            return f"raise the clock: {baud} baud is too fast for it"
        got = float((hz / ticks - baud) / baud) * 100
        return f"write {value:#x} to BRR ({got:+.2f} %)"

    # ------------------------------------------------------------------ registers

    @sr.on_read
    def _status(self, t_ps: int) -> int:
        self._seen = self.sr.value
        return self.sr.value

    @sr.on_peek
    def _peek_status(self, t_ps: int) -> Peek:
        return Peek(self.sr.value, NEVER)  # every change comes with an event

    @sr.on_write
    def _status_written(self, t_ps: int, _written: int, _before: int) -> None:
        self._request(t_ps)

    @dr.on_read
    def _data_read(self, t_ps: int) -> int:
        sr = self.sr
        # "a read from SR followed by a read from DR" clears what that read of SR showed.
        sr.value &= ~(self._seen & sr.mask("PE", "FE", "NE", "ORE", "IDLE"))
        self._seen &= sr.mask("TC")
        sr.set(RXNE=0)
        self._request(t_ps)
        return self._rdr

    @dr.on_write
    def _data_written(self, t_ps: int, written: int, _before: int) -> None:
        sr = self.sr
        if self._seen & sr.mask("TC"):
            sr.set(TC=0)
            self._seen &= ~sr.mask("TC")
        if not sr.TXE:
            self.soc.hazard(
                "tx-overrun",
                f"{self.name}.DR written while TXE is 0: the byte that waited there is lost",
            )
        self._tdr = written & 0x1FF
        sr.set(TXE=0)
        self._send_next(t_ps)
        self._request(t_ps)

    @brr.on_write
    def _rate_written(self, t_ps: int, _written: int, _before: int) -> None:
        self._send_next(t_ps)  # data that waited for a rate

    @cr1.on_write
    def _control_1(self, t_ps: int, _written: int, before: int) -> None:
        cr1 = self.cr1
        was_on = cr1.field("UE", before) and cr1.field("TE", before)
        if cr1.UE and cr1.TE:
            if not was_on:
                self._preamble = True
                self._idle_level(t_ps)
                self._send_next(t_ps)
            elif cr1.SBK:
                self._send_next(t_ps)
        elif was_on:
            if cr1.field("TE", before) and not cr1.TE and self._frame is not None:
                self._cut(t_ps)
            if self._frame is None:
                self._tx.drive(t_ps, None)
        if (cr1.UE and cr1.RE) != (cr1.field("UE", before) and cr1.field("RE", before)):
            self._listen(t_ps)
        self._request(t_ps)

    @cr3.on_write
    def _control_3(self, t_ps: int, _written: int, before: int) -> None:
        if self.cr3.field("HDSEL", before) != self.cr3.HDSEL:
            self._listen(t_ps)
            if self.cr1.UE and self.cr1.TE:
                self._idle_level(t_ps)
        self._request(t_ps)

    def _request(self, t_ps: int) -> None:
        sr, cr1 = self.sr, self.cr1
        # TXEIE, TCIE, RXNEIE and IDLEIE stand in CR1 where their flags stand in SR.
        line = bool((sr.value & cr1.value & 0xF0) or (sr.value & 0x0F and self._request_error()))
        if line != self._line:
            self._line = line
            self.irq(t_ps, "global", line)
        dma = self.cr3.value & (_DMAT | _DMAR)
        if dma or self._asks:
            self._request_dma(t_ps, dma if cr1.UE else 0)

    def _request_dma(self, t_ps: int, dma: int) -> None:
        """Raise and lower the DMA requests, where they changed."""
        sr = self.sr
        asks = dma & ((_DMAT if sr.TXE else 0) | (_DMAR if sr.RXNE else 0))
        changed, self._asks = asks ^ self._asks, asks
        if changed & _DMAT:
            self.dma(t_ps, "tx", bool(asks & _DMAT))
        if changed & _DMAR:
            self.dma(t_ps, "rx", bool(asks & _DMAR))

    def _request_error(self) -> bool:
        sr, cr1, cr3 = self.sr, self.cr1, self.cr3
        return bool(
            (sr.ORE and cr1.RXNEIE)
            or (sr.PE and cr1.PEIE)
            # EIE acts "whenever DMAR = 1" (§19.6.6)
            or ((sr.FE or sr.NE or sr.ORE) and cr3.EIE and cr3.DMAR)
        )

    # ------------------------------------------------------------------ sending

    def _idle_level(self, t_ps: int) -> None:
        # Single-wire: "TX is always released when no data is transmitted" (§19.3.10).
        self._tx.drive(t_ps, None if self.cr3.HDSEL else 1)

    def _send_next(self, t_ps: int, tick: int | None = None) -> None:
        """Fill the shift register, if it is free and something waits."""
        cr1 = self.cr1
        if self._frame is not None or not (cr1.UE and cr1.TE):
            return
        if not (self._preamble or cr1.SBK or self._tdr is not None):
            return
        how = self._format()
        self._check_rate(how.bit)
        if not how.bit:
            return
        if self._preamble:
            # An idle frame, after "a 1 bit-time delay before the transmission starts" (CR1.TE).
            self._preamble = False
            content, halves = _IDLE, 2 * (how.word + 2) + 2
        elif cr1.SBK:
            content, halves = _BREAK, 2 * (how.word + 2) + 2
        else:
            assert self._tdr is not None
            content, halves = self._with_parity(self._tdr, how), how.halves
            self._tdr = None
            self.sr.set(TXE=1)
            if how.word != 8 or how.parity != "N":
                self._warn_of_format(how)
        start = self.clock.ticks_at(t_ps) + 1 if tick is None else tick
        end = start + -(-halves * how.bit // 2)
        self._frame = _Frame(content, start, end, self.clock.time_of(start), halves, how)
        self._await_end()
        if content != _IDLE and (self.bit_level or self._tx.listened):
            self._write_out(self._frame)

    @staticmethod
    def _with_parity(data: int, how: _Format) -> int:
        data &= (1 << how.data) - 1
        if how.parity == "N":
            return data
        return data | (data.bit_count() & 1 ^ (how.parity == "O")) << how.data

    def _await_end(self) -> None:
        assert self._frame is not None
        if self._sending is not None:
            self._sending.cancel()
        at = min(NEVER, self.clock.time_of(self._frame.end))
        self._sending = self.soc.scheduler.at(at, self._sent)

    def _sent(self, t_ps: int) -> None:
        """The stop bit is over."""
        frame = self._frame
        assert frame is not None
        self._frame = self._sending = None
        if frame.content != _IDLE:
            self._record(t_ps, frame)
        if frame.content == _BREAK:
            self.cr1.set(SBK=0)
        if not (self.cr1.UE and self.cr1.TE):  # switched off meanwhile: outputs stop here
            self._tx.drive(t_ps, None)
        self._send_next(t_ps, frame.end)
        if self._frame is None:
            if self.cr3.HDSEL:
                self._idle_level(t_ps)
            if frame.content >= 0 and self.sr.TXE:
                self.sr.set(TC=1)
        self._request(t_ps)

    def _record(self, t_ps: int, frame: _Frame) -> None:
        if not self._tx.taken:
            self.soc.hazard(
                "tx-not-connected",
                f"{self.name} sends, but no pin is set to {self.name}_TX: nothing comes out",
                cure=f"set MODER to alternate function and AFR of a pin with {self.name}_TX",
            )
            return
        how = self._sent_as = frame.format
        is_break = frame.content == _BREAK
        byte = 0 if is_break else frame.content & ((1 << how.data) - 1)
        baud = how.baud_mhz
        if frame.stretched:
            length = t_ps - frame.start_ps
            baud = round(Fraction(frame.halves * PS_PER_S * MHZ_PER_HZ, 2 * length))
        self.soc.recorder.add(
            SerialByte(
                t_ps, self.name, "tx", byte, baud, frame.start_ps, "break" if is_break else ""
            )
        )

    def _warn_of_format(self, how: _Format) -> None:
        self.soc.hazard(
            "serial-seven-bits" if how.data == 7 else "serial-format",
            f"{self.name} sends {how.data} data bits, parity {how.parity}: a terminal set to 8N1"
            " reads other bytes",
        )

    def _cut(self, t_ps: int) -> None:
        """TE cleared within a frame: "the current data being transmitted are lost" (§19.3.2)."""
        assert self._frame is not None
        if self._frame.content != _IDLE:
            self.soc.hazard(
                "tx-cut",
                f"{self.name}: TE cleared while a frame was on its way: the frame is lost",
            )
        for timer in (self._sending, self._bit):
            if timer is not None:
                timer.cancel()
        self._frame = self._sending = self._bit = None

    def _write_out(self, frame: _Frame) -> None:
        """Put a frame on the line edge by edge."""
        word, bit = frame.format.word, frame.format.bit
        if frame.content == _BREAK:
            levels = [0] * (word + 2) + [1]
        else:
            levels = [0, *(frame.content >> n & 1 for n in range(word)), 1]
        edges = [
            (frame.start + n * bit, level)
            for n, level in enumerate(levels)
            if n == 0 or level != levels[n - 1]
        ]
        self._next_bit(edges)

    def _next_bit(self, edges: list[tuple[int, int]]) -> None:
        if not edges:
            self._bit = None
            return
        tick, level = edges[0]

        def edge(t_ps: int) -> None:
            self._tx.drive(t_ps, level)
            self._next_bit(edges[1:])

        self._bit = self.soc.scheduler.at(min(NEVER, self.clock.time_of(tick)), edge)

    # ------------------------------------------------------------------ receiving

    def receive(
        self,
        start_ps: int,
        byte: int,
        baud_mhz: int,
        *,
        bits: int = 8,
        parity: str = "none",
        stop_bits: int | Fraction = 1,
        flipped: int = 0,
    ) -> int:
        """A frame arrives on the RX pin, its start edge at ``start_ps`` (not before now).

        The sender's rate is in millibaud; ``parity`` "none", "even", "odd", "mark" or "space" is
        sent after the ``bits`` of data; noise inverts the bits of the frame whose bits are set in
        ``flipped`` (bit 0: the start bit). Returns the end of its stop bit, where the next frame
        may start. A pin that is not set to RX, or a receiver that is off, does not hear it.
        """
        length = Fraction(PS_PER_S * MHZ_PER_HZ, baud_mhz)
        levels = [0, *(byte >> n & 1 for n in range(bits))]
        if parity in ("even", "odd"):
            levels.append((byte & ((1 << bits) - 1)).bit_count() & 1 ^ (parity == "odd"))
        elif parity != "none":
            levels.append(int(parity == "mark"))
        end = start_ps + int((len(levels) + stop_bits) * length)
        levels = [level ^ (flipped >> n & 1) for n, level in enumerate([*levels, 1])]
        bit, parts = length.numerator, length.denominator
        edges = [(start_ps + n * bit // parts, level) for n, level in enumerate(levels)]
        edges.append((end, 1))
        edges = [e for n, e in enumerate(edges) if e[1] != (edges[n - 1][1] if n else 1)]

        def arrive(_t_ps: int) -> None:
            self._last_error = ""
            if self._on and self._source.pad is not None and edges:
                self._levels += edges
                self._known_until = end
                self.soc.scheduler.at(edges[0][0], self._falling)

        def finish(t_ps: int) -> None:
            # A slower receiver is still sampling: it knows better what it got.
            if self._receiving and self._sampling is not None and self._began < end:
                self.soc.scheduler.at(self._sampling.t_ps, record)
            else:
                record(t_ps)

        def record(t_ps: int) -> None:
            self.soc.recorder.add(
                SerialByte(t_ps, self.name, "rx", byte, baud_mhz, start_ps, self._last_error)
            )

        self.soc.scheduler.at(start_ps, arrive)
        self.soc.scheduler.at(end, finish)
        return end

    @property
    def _on(self) -> bool:
        return bool(self.cr1.UE and self.cr1.RE)

    @property
    def _source(self) -> Signal:
        # Single-wire: "the RX pin is no longer used" (§19.3.10).
        return self._half_duplex if self.cr3.HDSEL else self._rx

    def _listen(self, t_ps: int) -> None:
        """Listen to the pad while the receiver is on."""
        if self._unlisten is not None:
            self._unlisten()
            self._unlisten = None
        for timer in (self._sampling, self._idle):
            if timer is not None:
                timer.cancel()
        self._sampling = self._idle = None
        self._receiving = False
        self._levels = []
        if not self._on:
            return
        self._unlisten = self._source.listen(self._pad_edge)
        level = self._source.level(t_ps)
        self._levels = [(t_ps, 1 if level is None else level)]
        if level:
            self._await_idle(t_ps)

    def _pad_edge(self, t_ps: int, level: int | None) -> None:
        self._levels.append((t_ps, 1 if level is None else level))
        self._known_until = max(self._known_until, t_ps)
        if level == 0:
            self._falling(t_ps)

    def _level_at(self, t_ps: int) -> int:
        level = 1
        for at, new in self._levels:
            if at > t_ps:
                break
            level = new
        return level

    def _sample(self, offsets: tuple[int, ...]) -> list[int]:
        return [self._level_at(self._began + offset) for offset in offsets]

    def _falling(self, t_ps: int) -> None:
        """A falling edge: perhaps a start bit."""
        if self._receiving or not self._on:
            return
        how = self._format()
        self._check_rate(how.bit)
        if not how.length:
            return
        if self._idle is not None:
            self._idle.cancel()
            self._idle = None
        self._receiving = True
        self._began = t_ps
        self._heard = how
        self._levels = [(at, level) for at, level in self._levels if at >= t_ps] or [(t_ps, 0)]
        at = t_ps + how.start_samples[-1][-1]
        if at <= self._known_until:
            self._validate(at)
        else:
            self._sampling = self.soc.scheduler.at(at, self._validate)

    def _validate(self, t_ps: int) -> None:
        """Is it a start bit? Each triple of samples must hold two zeros (§19.3.3)."""
        assert self._heard is not None
        votes = [sum(self._sample(triple)) for triple in self._heard.start_samples]
        if max(votes) >= 2:
            self._receiving = False
            self._look_on(t_ps)
            return
        self._noise = any(votes) and not self.cr3.ONEBIT
        at = self._began + self._heard.samples[-1][-1]
        self._sampling = self.soc.scheduler.at(at, self._received)

    def _look_on(self, t_ps: int) -> None:
        """After a frame: the next falling edge that is known already, or idle."""
        level = self._level_at(t_ps)
        last = level
        for at, new in self._levels:
            if at > t_ps:
                if last and not new:
                    self.soc.scheduler.at(at, self._falling)
                    break
                last = new
        self._levels = [(t_ps, level), *((at, new) for at, new in self._levels if at > t_ps)]

    def _received(self, t_ps: int) -> None:
        """The stop bit is sampled: a word is here."""
        self._sampling = None
        self._receiving = False
        how = self._heard
        assert how is not None
        one_bit, value = self.cr3.ONEBIT, 0
        *word, stop = (self._sample(offsets) for offsets in how.samples)
        for n, samples in enumerate(word):
            ones = sum(samples)
            value |= (samples[1] if one_bit else int(ones >= 2)) << n
            self._noise |= not one_bit and 0 < ones < 3
        # "0.5 stop bit: no sampling is done" (§19.3.3)
        framing = how.stop_halves != 1 and sum(stop) < 2
        self._deliver(value, how, framing=framing)
        self._look_on(t_ps)
        self._await_idle(self._began + how.frame_ps)
        self._request(t_ps)

    def _deliver(self, value: int, how: _Format, *, framing: bool) -> None:
        sr, cr1 = self.sr, self.cr1
        parity_error = how.parity != "N" and value.bit_count() & 1 != (how.parity == "O")
        self._last_error = (
            "break" if framing and not value
            else "framing" if framing
            else "parity" if parity_error
            else "noise" if self._noise
            else ""
        )  # fmt: skip
        if cr1.WAKE:
            mark = value >> (how.data - 1) & 1
            if mark:  # an address: "compared with the ADD bits" (§19.3.6)
                cr1.set(RWU=int(value & 0xF != self.cr2.ADD))
        if cr1.RWU:
            return
        if sr.RXNE:
            sr.set(ORE=1)
            self._last_error = "overrun"
            return
        self._rdr = value
        sr.set(RXNE=1)
        if framing:
            sr.set(FE=1)
        if self._noise:
            sr.set(NE=1)
        if parity_error:
            sr.set(PE=1)

    def _await_idle(self, from_ps: int) -> None:
        """IDLE comes when the line stays high for a whole frame."""
        how = self._format()
        if how.length:
            self._idle = self.soc.scheduler.at(from_ps + how.frame_ps, self._line_idle)

    def _line_idle(self, t_ps: int) -> None:
        self._idle = None
        if self._receiving or not self._level_at(t_ps):
            return
        if self.cr1.RWU:
            if not self.cr1.WAKE:
                self.cr1.set(RWU=0)  # "the IDLE bit is not set in the SR register" (§19.3.6)
            return
        self.sr.set(IDLE=1)
        self._request(t_ps)


PERIPHERAL = Usart
