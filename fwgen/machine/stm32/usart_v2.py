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
    from fwgen.machine.soc import Soc
    from fwgen.machine.time import Timer

# Rates that terminals and protocols use, in baud.
STANDARD_RATES = (
    300, 600, 1200, 2400, 4800, 9600, 14400, 19200, 28800, 31250, 38400, 57600, 76800, 115_200,
    230_400, 250_000, 460_800, 500_000, 921_600, 1_000_000, 1_500_000, 2_000_000, 3_000_000,
)  # fmt: skip
_TOLERATED = Fraction(2, 100)  # of a standard rate
_LOST = Fraction(4, 100)  # beyond this a receiver samples the wrong bit (§19.3.5: 3.75 %)

_IDLE, _BREAK = -1, -2  # what the shift register may hold besides data


@dataclass(slots=True)
class _Frame:
    """A frame on its way out: ``content`` is data bits, _IDLE or _BREAK; times as kernel ticks."""

    content: int
    start: int
    end: int
    start_ps: int
    bits: int  # data bits on the wire, parity included


class Usart(Peripheral, registers="stm32.usart_v2"):
    """Asynchronous serial port. RM0368 §19.3.

    A frame out takes one event: it is recorded as a SerialByte at the end of its stop bit. Its
    edges are written out on the TX line only while somebody listens to that line, or while
    ``bit_level`` is set. A frame in (``receive``, or edges of the RX pad) is sampled at this
    receiver's own bit times, as §19.3.3 describes: a sender at another rate is read wrongly.

    Bytes that leave while no pin carries TX are not seen outside: a hazard, and no SerialByte.

    Not modelled (a Gap where firmware asks for it): LIN, IrDA, smartcard, synchronous clock, DMA,
    CTS and RTS. The edge detector's quantisation to the sample clock is taken as zero. A clock
    that changes within a frame shifts the end of a frame going out, not the sampling of one
    coming in.
    """

    sr, dr, brr = Reg(), Reg(), Reg()
    cr1 = Reg()
    cr2 = Reg(unmodelled=("CLKEN", "LINEN", "LBDIE"))
    cr3 = Reg(
        unmodelled=("IREN", "SCEN", "NACK", "DMAR", "DMAT", "RTSE", "CTSE", "CTSIE"),
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
        self._start()

    def _start(self) -> None:
        self._tdr: int | None = None
        self._rdr = 0
        self._frame: _Frame | None = None
        self._preamble = False
        self._seen = 0  # flags that the last read of SR showed: half of a clearing sequence
        self._checked: tuple[int, Fraction] | None = None
        self._levels: list[tuple[int, int]] = []  # of the RX line: changes, oldest first
        self._known_until = 0  # up to here the RX line's future is known
        self._receiving = False
        self._began = 0  # start edge of the word being received, picoseconds
        self._length = Fraction(0)  # of one of its bits
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
        ticks = self.bit_ticks
        return round(self.clock.hz * MHZ_PER_HZ / ticks) if ticks else 0

    def _check_rate(self) -> None:
        ticks, hz = self.bit_ticks, self.clock.hz
        if not hz or self._checked == (ticks, hz):
            return
        self._checked = (ticks, hz)
        if not ticks:
            self.soc.hazard(
                "baud-error",
                "error",
                f"{self.name}.BRR gives no baud rate: nothing is sent or received",
                section="RM0368 §19.3.4",
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
                "baud-error",
                "error" if abs(error) > _LOST else "warning",
                f"{self.name} runs at {float(rate):.0f} baud, {float(error) * 100:+.1f} % from"
                f" {standard}: BRR is {self.brr.value:#x} with a clock of {float(hz):.0f} Hz",
                section="RM0368 §19.3.4",
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
                "warning",
                f"{self.name}.DR written while TXE is 0: the byte that waited there is lost",
                section="RM0368 §19.3.2",
                cure="wait for TXE in SR before each write to DR",
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
        line = bool(
            (sr.TXE and cr1.TXEIE)
            or (sr.TC and cr1.TCIE)
            or ((sr.RXNE or sr.ORE) and cr1.RXNEIE)
            or (sr.IDLE and cr1.IDLEIE)
            or (sr.PE and cr1.PEIE)
            # EIE acts "whenever DMAR = 1" (§19.6.6)
            or ((sr.FE or sr.NE or sr.ORE) and self.cr3.EIE and self.cr3.DMAR)
        )
        if line != self._line:
            self._line = line
            self.irq(t_ps, "global", line)

    # ------------------------------------------------------------------ sending

    @property
    def _word(self) -> int:
        return 8 + self.cr1.M  # bits between start and stop, parity included

    @property
    def _stop_halves(self) -> int:
        return (2, 1, 4, 3)[self.cr2.STOP]

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
        self._check_rate()
        bit = self.bit_ticks
        if not bit:
            return
        word = self._word
        if self._preamble:
            # An idle frame, after "a 1 bit-time delay before the transmission starts" (CR1.TE).
            self._preamble = False
            content, halves = _IDLE, 2 * (word + 2) + 2
        elif cr1.SBK:
            content, halves = _BREAK, 2 * (word + 2) + 2
        else:
            assert self._tdr is not None
            content, halves = self._with_parity(self._tdr), 2 * (word + 1) + self._stop_halves
            self._tdr = None
            self.sr.set(TXE=1)
            self._warn_of_format()
        start = self.clock.ticks_at(t_ps) + 1 if tick is None else tick
        end = start + -(-halves * bit // 2)
        self._frame = _Frame(content, start, end, self.clock.time_of(start), word)
        self._await_end()
        if content != _IDLE and (self.bit_level or self._tx.listened):
            self._write_out(self._frame, bit)

    def _with_parity(self, data: int) -> int:
        word = self._word
        if not self.cr1.PCE:
            return data & ((1 << word) - 1)
        data &= (1 << (word - 1)) - 1
        return data | (data.bit_count() & 1 ^ self.cr1.PS) << (word - 1)

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
                "warning",
                f"{self.name} sends, but no pin is set to {self.name}_TX: nothing comes out",
                section="RM0368 §8.3.2",
                cure=f"set MODER to alternate function and AFR of a pin with {self.name}_TX",
            )
            return
        data = frame.bits - 1 if self.cr1.PCE else frame.bits
        is_break = frame.content == _BREAK
        byte = 0 if is_break else frame.content & ((1 << data) - 1)
        halves = 2 * (frame.bits + 2) + 2 if is_break else 2 * (frame.bits + 1) + self._stop_halves
        if frame.end - frame.start == -(-halves * self.bit_ticks // 2):
            baud = self.baud_mhz
        else:  # BRR was changed within the frame
            baud = round(Fraction(halves, 2) * PS_PER_S * MHZ_PER_HZ / (t_ps - frame.start_ps))
        self.soc.recorder.add(
            SerialByte(
                t_ps, self.name, "tx", byte, baud, frame.start_ps, "break" if is_break else ""
            )
        )

    def _warn_of_format(self) -> None:
        cr1 = self.cr1
        if not cr1.PCE and not cr1.M:
            return
        data = self._word - cr1.PCE
        parity = ("N", "E", "O")[cr1.PCE + (cr1.PCE and cr1.PS)]
        self.soc.hazard(
            "serial-format",
            "warning" if data == 7 else "note",
            f"{self.name} sends {data} data bits, parity {parity}: a terminal set to 8N1 reads"
            " other bytes",
            section="RM0368 §19.3.7",
            cure="set M together with PCE: the parity bit counts as one of the data bits"
            if data == 7
            else "set the terminal to the same format",
        )

    def _cut(self, t_ps: int) -> None:
        """TE cleared within a frame: "the current data being transmitted are lost" (§19.3.2)."""
        assert self._frame is not None
        if self._frame.content != _IDLE:
            self.soc.hazard(
                "tx-cut",
                "error",
                f"{self.name}: TE cleared while a frame was on its way: the frame is lost",
                section="RM0368 §19.3.2",
                cure="wait for TC in SR before clearing TE",
            )
        for timer in (self._sending, self._bit):
            if timer is not None:
                timer.cancel()
        self._frame = self._sending = self._bit = None

    def _write_out(self, frame: _Frame, bit: int) -> None:
        """Put a frame on the line edge by edge."""
        if frame.content == _BREAK:
            levels = [0] * (frame.bits + 2) + [1]
        else:
            levels = [0, *(frame.content >> n & 1 for n in range(frame.bits)), 1]
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
        stop_bits: int = 1,
    ) -> int:
        """A frame arrives on the RX pin, its start edge at ``start_ps`` (not before now).

        The sender's rate is in millibaud; ``parity`` "none", "even" or "odd" is sent after the
        ``bits`` of data. Returns the end of its stop bit, where the next frame may start. A pin
        that is not set to RX, or a receiver that is off, does not hear it.
        """
        length = Fraction(PS_PER_S * MHZ_PER_HZ, baud_mhz)
        levels = [0, *(byte >> n & 1 for n in range(bits))]
        if parity != "none":
            levels.append((byte & ((1 << bits) - 1)).bit_count() & 1 ^ (parity == "odd"))
        end = start_ps + int((len(levels) + stop_bits) * length)
        edges = [(start_ps + int(n * length), level) for n, level in enumerate([*levels, 1])]
        edges = [e for n, e in enumerate(edges) if n == 0 or e[1] != edges[n - 1][1]]

        def arrive(t_ps: int) -> None:
            self._last_error = ""
            heard = self._on and self._rx.pad is not None
            if heard:
                self._levels += edges
                self._known_until = end
                self._falling(t_ps)

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
        source = self._half_duplex if self.cr3.HDSEL else self._rx
        self._unlisten = source.listen(self._pad_edge)
        level = source.level(t_ps)
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

    def _sample(self, bit: int, *which: int) -> list[int]:
        """Samples ``which`` (1 .. 16, or 8 when oversampling by 8) of a bit (0: start)."""
        return [self._level_at(self._sample_ps(bit, one)) for one in which]

    def _sample_ps(self, bit: int, sample: int) -> int:
        # A sample lies in the middle of its slot; whole numbers because this is asked often.
        slots, length = 16 if self.cr1.OVER8 else 32, self._length
        return self._began + (bit * slots + 2 * sample - 1) * length.numerator // (
            slots * length.denominator
        )

    @property
    def _votes(self) -> tuple[int, ...]:
        return (4, 5, 6) if self.cr1.OVER8 else (8, 9, 10)

    def _falling(self, t_ps: int) -> None:
        """A falling edge: perhaps a start bit."""
        if self._receiving or not self._on:
            return
        self._check_rate()
        if not self.bit_ticks or not self.clock.hz:
            return
        if self._idle is not None:
            self._idle.cancel()
            self._idle = None
        self._receiving = True
        self._began = t_ps
        self._length = self.bit_ticks * PS_PER_S / self.clock.hz
        self._levels = [(at, level) for at, level in self._levels if at >= t_ps] or [(t_ps, 0)]
        at = self._sample_ps(0, self._votes[-1])
        if at <= self._known_until:
            self._validate(at)
        else:
            self._sampling = self.soc.scheduler.at(at, self._validate)

    def _validate(self, t_ps: int) -> None:
        """Is it a start bit? Each triple of samples must hold two zeros (§19.3.3)."""
        triples = [self._votes] if self.cr1.OVER8 else [(3, 5, 7), self._votes]
        votes = [sum(self._sample(0, *triple)) for triple in triples]
        if max(votes) >= 2:
            self._receiving = False
            self._look_on(t_ps)
            return
        self._noise = any(votes) and not self.cr3.ONEBIT
        at = self._sample_ps(1 + self._word, self._votes[-1])
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
        one_bit = self.cr3.ONEBIT
        word, value = self._word, 0
        for n in range(1, word + 1):
            samples = self._sample(n, *self._votes)
            value |= (samples[1] if one_bit else sum(samples) >= 2) << (n - 1)
            self._noise |= not one_bit and len(set(samples)) > 1
        # "0.5 stop bit: no sampling is done" (§19.3.3)
        framing = self.cr2.STOP != 1 and sum(self._sample(word + 1, *self._votes)) < 2
        self._deliver(value, framing=framing)
        frame = self._length * Fraction(2 * (word + 1) + self._stop_halves, 2)
        self._look_on(t_ps)
        self._await_idle(self._began + int(frame))
        self._request(t_ps)

    def _deliver(self, value: int, *, framing: bool) -> None:
        sr, cr1 = self.sr, self.cr1
        top = self._word - 1
        parity_error = bool(cr1.PCE) and value.bit_count() & 1 != cr1.PS
        self._last_error = (
            "break" if framing and not value
            else "framing" if framing
            else "parity" if parity_error
            else "noise" if self._noise
            else ""
        )  # fmt: skip
        if cr1.WAKE:
            mark = value >> (top - cr1.PCE) & 1
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
        if not self.bit_ticks or not self.clock.hz:
            return
        length = self.bit_ticks * PS_PER_S / self.clock.hz
        frame = length * Fraction(2 * (self._word + 1) + self._stop_halves, 2)
        self._idle = self.soc.scheduler.at(from_ps + int(frame), self._line_idle)

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
