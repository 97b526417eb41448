"""The USART of the STM32F4: its registers, what it sends and what it receives. RM0368 §19."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

from fwgen.board.frame import PLAIN
from fwgen.machine.peripheral import Peek, Peripheral, Reg
from fwgen.machine.stm32.usart_v2.burst import Burst
from fwgen.machine.stm32.usart_v2.flows import flows, heard_plainly
from fwgen.machine.stm32.usart_v2.frame import (
    BREAK,
    IDLE,
    LIN_BREAK,
    Format,
    Frame,
    captures,
    clock_edges,
)
from fwgen.machine.stm32.usart_v2.lin import BreakDetector
from fwgen.machine.stm32.usart_v2.rates import check_rate
from fwgen.machine.stm32.usart_v2.talk import talk
from fwgen.machine.time import NEVER
from fwgen.trace import SerialByte
from fwgen.units import MHZ_PER_HZ, PS_PER_S

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from fwgen.board.types import PeripheralSpec
    from fwgen.machine.leap import Flow
    from fwgen.machine.signals import Signal
    from fwgen.machine.soc import Soc
    from fwgen.machine.talk import Talk
    from fwgen.machine.time import Timer

_DMAR, _DMAT = 1 << 6, 1 << 7  # CR3
_PE, _ERRORS_AND_IDLE, _TC = 1 << 0, 0x1F, 1 << 6  # SR
_RXNE, _TXE, _LBD, _CTS = 1 << 5, 1 << 7, 1 << 8, 1 << 9  # SR


class Usart(Peripheral, registers="stm32.usart_v2", also=("stm32.uart_v2",)):
    """Serial port: asynchronous, LIN, single-wire, synchronous master. RM0368 §19.3.

    A frame out takes one event: it is recorded as a SerialByte at the end of its stop bit. Its
    edges are written out on the TX line only while somebody listens to that line, or while
    ``bit_level`` is set. A frame in (``receive``, or edges of the RX pad) is sampled at this
    receiver's own bit times, as §19.3.3 describes: a sender at another rate is read wrongly.

    Bytes that leave while no pin carries TX are not seen outside: a hazard, and no SerialByte.

    DMA requests (§19.3.13): "tx" while TXE and DMAT are set, "rx" while RXNE and DMAR are.

    In synchronous mode TX and CK are written out edge by edge while a pin carries CK. RXNE then
    rises with the capture of the last bit.

    RTS is low as soon as RTSE is set, and goes low again after an overrun, as ES0222 has it.

    A chip whose port lacks CK, RTS and CTS (UART4, UART5) says so with the map "stm32.uart_v2".

    Not modelled (a Gap where firmware asks for it): IrDA, smartcard, what is received in
    synchronous mode when LBCL leaves out the last pulse of CK. The edge detector's quantisation
    to the sample clock is taken as zero. A clock that changes within a frame shifts the end of a
    frame going out, not the sampling of one coming in, nor the pulses of CK.
    """

    sr, dr, brr = Reg(), Reg(), Reg()
    cr1 = Reg()
    cr2 = Reg()
    cr3 = Reg(unmodelled=("IREN", "SCEN", "NACK"))

    def __init__(self, spec: PeripheralSpec, soc: Soc) -> None:
        super().__init__(spec, soc)
        self.bit_level = False
        self._tx = soc.fabric.output(f"{self.name}_TX")
        self._rx = soc.fabric.input(f"{self.name}_RX")
        self._half_duplex = soc.fabric.input(f"{self.name}_TX")
        self._has_flow = self.has("CR3", "CTSE")
        self._has_clock = self.has("CR2", "CLKEN")
        if self._has_flow:
            self._cts = soc.fabric.input(f"{self.name}_CTS")
            self._rts = soc.fabric.output(f"{self.name}_RTS")
        if self._has_clock:
            self._ck = soc.fabric.output(f"{self.name}_CK")
        self._unlisten: Callable[[], None] | None = None
        self._unlisten_cts: Callable[[], None] | None = None
        self._lin = BreakDetector(soc.scheduler, self._break_detected)
        self._sending: Timer | None = None
        self._bit: Timer | None = None
        self._pulse: Timer | None = None
        self._sampling: Timer | None = None
        self._idle: Timer | None = None
        self._line = False  # the interrupt request
        self._asks = 0  # DMA requests: CR3's DMAT and DMAR where they are raised
        self._forming = self.cr1.mask("M", "PCE", "PS", "OVER8")
        self._formed: tuple[tuple[object, ...], Format] | None = None
        self.bursts: list[Burst] = []  # that are coming in, or will
        # Who is at the other end: the console, set otherwise or not.
        console = soc.board.console
        frame = console.frame if console is not None and console.uart == self.name else PLAIN
        self._read_as, self._reader = (frame.bits, frame.parity), str(frame)
        self._start()

    def _start(self) -> None:
        self._asks = 0
        self._tdr: int | None = None
        self._rdr = 0
        self._frame: Frame | None = None
        self._sent_as: Format | None = None
        self._preamble = False
        self._seen = 0  # flags that the last read of SR showed: half of a clearing sequence
        self._checked: tuple[int, Fraction] | None = None
        self._levels: list[tuple[int, int]] = []  # of the RX line: changes, oldest first
        self._known_until = 0  # up to here the RX line's future is known
        self._receiving = False
        self._began = 0  # start edge of the word being received, picoseconds
        self._heard: Format | None = None  # how it is sampled
        self._heard_any = False  # a word came in since reset
        self._violated = False  # a sender ignored RTS
        self._noise = False
        self._last_error = ""

    def on_reset(self, t_ps: int) -> None:
        """Drop what was on its way; let go of the lines."""
        for timer in (self._sending, self._bit, self._pulse, self._sampling, self._idle):
            if timer is not None:
                timer.cancel()
        self._sending = self._bit = self._pulse = self._sampling = self._idle = None
        self._start()
        self._listen(t_ps)
        self._flow_control(t_ps)
        self._release(t_ps)
        self._request(t_ps)
        self._tell_flowing()
        self._tell_talking()

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
        return None if frame is None or frame.content == IDLE else frame.start_ps

    def _format(self) -> Format:
        """The format now; made anew only when something of it changed."""
        cr1 = self.cr1
        key = (self.brr.value, cr1.value & self._forming, self.cr2.STOP, self.clock.hz)
        if self._formed is not None and self._formed[0] == key:
            return self._formed[1]
        made = Format.of(
            self.bit_ticks,
            self.clock.hz,
            word=8 + cr1.M,
            parity="NNEO"[2 * cr1.PCE + cr1.PS],
            stop_halves=(2, 1, 4, 3)[self.cr2.STOP],
            over8=bool(cr1.OVER8),
        )
        self._formed = (key, made)
        return made

    def _check_rate(self, ticks: int) -> None:
        hz = self.clock.hz
        if not hz or self._checked == (ticks, hz):
            return
        self._checked = (ticks, hz)
        check_rate(self, ticks, over8=bool(self.cr1.OVER8), synchronous=self._clocked)

    # ------------------------------------------------------------------ modes

    @property
    def _clocked(self) -> bool:
        """Synchronous mode."""
        return self._has_clock and bool(self.cr2.CLKEN)

    def _check_modes(self) -> None:
        """What the manual says must be kept clear beside LINEN, CLKEN and HDSEL."""
        if not self.cr1.UE:
            return
        linen, clocked, hdsel = self.cr2.LINEN, self._clocked, self.cr3.HDSEL
        clashes = [
            (linen and self.cr2.STOP, "LINEN", "STOP", "§19.3.8"),
            (linen and clocked, "LINEN", "CLKEN", "§19.3.8"),
            (linen and hdsel, "LINEN", "HDSEL", "§19.3.8"),
            (clocked and hdsel, "CLKEN", "HDSEL", "§19.3.9"),
        ]
        for clash, one, other, section in clashes:
            if clash:
                self.soc.hazard(
                    "serial-mode",
                    f"{self.name}: {other} must be clear while {one} is set",
                    section=f"RM0368 {section}",
                    cure=f"clear {other} before UE is set",
                )

    def _release(self, t_ps: int) -> None:
        """The transmitter is off: its outputs stop."""
        self._tx.drive(t_ps, None)
        if self._has_clock:
            self._ck.drive(t_ps, self.cr2.CPOL if self._clocked and self.cr1.UE else None)

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
        sr.value &= ~(self._seen & _ERRORS_AND_IDLE | _RXNE)
        self._seen &= _TC
        self._violated = False
        self._drive_rts(t_ps)
        self._request(t_ps)
        return self._rdr

    @dr.on_write
    def _data_written(self, t_ps: int, written: int, _before: int) -> None:
        sr = self.sr
        if self._seen & _TC:
            sr.set(TC=0)
            self._seen &= ~_TC
        if self._seen & _PE:
            # PE goes with "a read or write access to the USART_DR" (§19.6.1): ES0222 warns of it.
            sr.set(PE=0)
            self._seen &= ~_PE
        if not sr.value & _TXE:
            self.soc.hazard(
                "tx-overrun",
                f"{self.name}.DR written while TXE is 0: the byte that waited there is lost",
            )
        self._tdr = written & 0x1FF
        sr.value &= ~_TXE
        self._send_next(t_ps)
        self._request(t_ps)

    @brr.on_write
    def _rate_written(self, t_ps: int, _written: int, _before: int) -> None:
        self._send_next(t_ps)  # data that waited for a rate

    @cr1.on_write
    def _control_1(self, t_ps: int, _written: int, before: int) -> None:
        cr1 = self.cr1
        was_on = cr1.field("UE", before) and cr1.field("TE", before)
        self._force_oversampling()
        self._mute(before)
        self._check_modes()
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
                self._release(t_ps)
        if (cr1.UE and cr1.RE) != (cr1.field("UE", before) and cr1.field("RE", before)):
            self._listen(t_ps)
        if cr1.field("UE", before) != cr1.UE:
            self._flow_control(t_ps)
            self._tell_talking()
        self._request(t_ps)

    def _mute(self, before: int) -> None:
        """RWU cannot be written at any time: the notes of §19.6.4."""
        cr1 = self.cr1
        if cr1.field("RWU", before) == cr1.RWU:
            return
        if cr1.WAKE and self.sr.RXNE:
            cr1.set(RWU=cr1.field("RWU", before))
            self.soc.hazard(
                "serial-mute",
                f"{self.name}: RWU cannot change while RXNE is set: the write is lost",
            )
        elif cr1.RWU and not cr1.WAKE and not self._heard_any:
            self.soc.hazard(
                "serial-mute",
                f"{self.name}: RWU set before any byte came: an idle line will not wake it",
            )

    def _force_oversampling(self) -> None:
        if self.cr2.LINEN:
            self.cr1.set(OVER8=0)  # "not available in ... LIN modes": forced to 0 (§19.6.4)

    @cr2.on_write
    def _control_2(self, t_ps: int, _written: int, before: int) -> None:
        cr1, cr2 = self.cr1, self.cr2
        self._force_oversampling()
        self._check_modes()
        if self._has_clock:
            shape = cr2.mask("CPOL", "CPHA", "LBCL", "CLKEN")
            if (cr2.value ^ before) & shape and cr1.UE and (cr1.TE or cr1.RE):
                self.soc.hazard(
                    "serial-mode",
                    f"{self.name}: the clock's shape changes while TE or RE is set",
                    section="RM0368 §19.3.9",
                    cure="write CLKEN, CPOL, CPHA and LBCL while the port is off",
                )
            if self._frame is None:
                self._ck.drive(t_ps, cr2.CPOL if self._clocked and cr1.UE else None)
        if (cr2.value ^ before) & cr2.mask("LINEN") or (
            self._has_clock and (cr2.value ^ before) & cr2.mask("CLKEN")
        ):
            self._listen(t_ps)
        self._request(t_ps)

    @cr3.on_write
    def _control_3(self, t_ps: int, _written: int, before: int) -> None:
        self._check_modes()
        if self.cr3.field("HDSEL", before) != self.cr3.HDSEL:
            self._listen(t_ps)
            if self.cr1.UE and self.cr1.TE:
                self._idle_level(t_ps)
        self._flow_control(t_ps)
        self._request(t_ps)
        self._tell_flowing()

    def _tell_flowing(self) -> None:
        flowing = self.soc.flowing
        if self in flowing:
            flowing.remove(self)
        if self.cr3.value & (_DMAT | _DMAR):
            flowing.append(self)

    def _tell_talking(self) -> None:
        talking = self.soc.talking
        if self in talking:
            talking.remove(self)
        if self.cr1.UE:
            talking.append(self)

    # ------------------------------------------------------------------ flow control

    def _flow_control(self, t_ps: int) -> None:
        """Listen to CTS and drive RTS as CR3 says. §19.3.14."""
        if not self._has_flow:
            return
        if self._unlisten_cts is not None:
            self._unlisten_cts()
            self._unlisten_cts = None
        if self.cr3.CTSE and self.cr1.UE:
            self._unlisten_cts = self._cts.listen(self._cts_toggled)
        self._drive_rts(t_ps)
        self._send_next(t_ps)  # data that waited for CTS

    def _drive_rts(self, t_ps: int) -> None:
        if self._has_flow:
            full = self.sr.RXNE and not self._violated
            self._rts.drive(t_ps, int(bool(full)) if self.cr3.RTSE else None)

    def _cts_toggled(self, t_ps: int, _level: int | None) -> None:
        self.sr.set(CTS=1)
        self._send_next(t_ps)
        self._request(t_ps)

    def _clear_to_send(self, t_ps: int) -> bool:
        if not (self._has_flow and self.cr3.CTSE):
            return True
        level = self._cts.level(t_ps)
        if level is None:
            unwired = self._cts.pad is None
            self.soc.hazard(
                "cts-not-connected" if unwired else "floating-input",
                f"{self.name} waits for its CTS, but no pin is set to {self._cts.name}"
                if unwired
                else f"{self._cts.name} decides what {self.name} sends, yet nothing drives it",
                section="RM0368 §19.3.14",
                cure=f"set a pin to {self._cts.name}, or clear CTSE"
                if unwired
                else "wire the pin, or set its pull",
            )
            return not self.soc.chance
        return not level  # CTS is active low

    def _request(self, t_ps: int) -> None:
        sr, cr1 = self.sr, self.cr1
        # TXEIE, TCIE, RXNEIE and IDLEIE stand in CR1 where their flags stand in SR.
        line = bool((sr.value & cr1.value & 0xF0) or (sr.value & 0x0F and self._request_error()))
        if sr.value & (_LBD | _CTS) and not line:
            line = bool(
                (sr.value & _LBD and self.cr2.LBDIE)
                or (sr.value & _CTS and self._has_flow and self.cr3.CTSIE)
            )
        if line != self._line:
            self._line = line
            self.irq(t_ps, "global", line)
        dma = self.cr3.value & (_DMAT | _DMAR)
        if dma or self._asks:
            self._request_dma(t_ps, dma if cr1.UE else 0)

    def _request_dma(self, t_ps: int, dma: int) -> None:
        """Raise and lower the DMA requests, where they changed."""
        sr = self.sr
        flags = sr.value
        asks = dma & (flags & _TXE | (flags & _RXNE) << 1)  # TXE stands where DMAT does
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
        if self._clocked:
            self._ck.drive(t_ps, self.cr2.CPOL)

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
        low = 0
        if self._preamble:
            # An idle frame, after "a 1 bit-time delay before the transmission starts" (CR1.TE).
            self._preamble = False
            content, halves = IDLE, 2 * (how.word + 2) + 2
        elif cr1.SBK:  # "the transmitter does not check the nCTS input" for a break (§19.3.14)
            low = LIN_BREAK if self.cr2.LINEN else how.word + 2
            content, halves = BREAK, 2 * low + 2
        elif not self._clear_to_send(t_ps):
            return
        else:
            assert self._tdr is not None
            content, halves = how.with_parity(self._tdr), how.halves
            self._tdr = None
            self.sr.set(TXE=1)
            if (how.data, how.parity) != self._read_as and not self._clocked:
                self._warn_of_format(how)
        start = self.clock.ticks_at(t_ps) + 1 if tick is None else tick
        end = start + -(-halves * how.bit // 2)
        frame = self._frame = Frame(
            content, start, end, self.clock.time_of(start), halves, low, how
        )
        self._await_end()
        clocked = content >= 0 and self._clocked
        if content != IDLE and (self.bit_level or self._tx.listened or clocked):
            self._bit = self._play(self._tx, list(frame.edges()), "_bit")
        if clocked:
            self._clock_out(frame)

    def _clock_out(self, frame: Frame) -> None:
        """Synchronous mode: pulses on CK, and what RX is at them."""
        cr1, cr2 = self.cr1, self.cr2
        if self._ck.taken:
            edges = clock_edges(frame, cpol=cr2.CPOL, cpha=cr2.CPHA, lbcl=cr2.LBCL)
            self._pulse = self._play(self._ck, edges, "_pulse")
        else:
            self.soc.hazard(
                "ck-not-connected",
                f"{self.name} clocks its data, but no pin is set to {self._ck.name}",
            )
        if not cr1.RE:
            return
        if not cr2.LBCL:
            address = self.spec.base + self.cr2.spec.offset
            self.soc.gap(self.name, "CR2.LBCL", "write", address, "received without a last pulse")
        times = [min(NEVER, self.clock.time_of(tick)) for tick in captures(frame)]
        self._sampling = self.soc.scheduler.at(
            times[-1], lambda t: self._captured(t, times, frame.format)
        )

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
        if frame.content != IDLE:
            self._record(t_ps, frame)
        if frame.content == BREAK:
            self.cr1.set(SBK=0)
        if not (self.cr1.UE and self.cr1.TE):  # switched off meanwhile: outputs stop here
            self._release(t_ps)
        self._send_next(t_ps, frame.end)
        if self._frame is None:
            if self.cr3.HDSEL:
                self._idle_level(t_ps)
            if frame.content >= 0 and self.sr.TXE:
                self.sr.set(TC=1)
        self._request(t_ps)

    def _record(self, t_ps: int, frame: Frame) -> None:
        if not self._tx.taken:
            self.soc.hazard(
                "tx-not-connected",
                f"{self.name} sends, but no pin is set to {self.name}_TX: nothing comes out",
                cure=f"set MODER to alternate function and AFR of a pin with {self.name}_TX",
            )
            return
        how = self._sent_as = frame.format
        is_break = frame.content == BREAK
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

    def _warn_of_format(self, how: Format) -> None:
        self.soc.hazard(
            "serial-seven-bits" if how.data == 7 else "serial-format",
            f"{self.name} sends {how.data} data bits, parity {how.parity}: a terminal set to "
            f"{self._reader} reads other bytes",
        )

    def _cut(self, t_ps: int) -> None:
        """TE cleared within a frame: "the current data being transmitted are lost" (§19.3.2)."""
        assert self._frame is not None
        if self._frame.content != IDLE:
            self.soc.hazard(
                "tx-cut",
                f"{self.name}: TE cleared while a frame was on its way: the frame is lost",
            )
        for timer in (self._sending, self._bit, self._pulse):
            if timer is not None:
                timer.cancel()
        self._frame = self._sending = self._bit = self._pulse = None

    def _play(self, line: Signal, edges: list[tuple[int, int]], slot: str) -> Timer | None:
        """Drive a line edge by edge, (tick, level); the attribute ``slot`` holds what is next."""
        if not edges:
            return None
        tick, level = edges[0]

        def edge(t_ps: int) -> None:
            line.drive(t_ps, level)
            setattr(self, slot, self._play(line, edges[1:], slot))

        return self.soc.scheduler.at(min(NEVER, self.clock.time_of(tick)), edge)

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
        if (bits, parity, stop_bits, flipped) == (8, "none", 1, 0):
            return self.receive_all(start_ps, bytes((byte & 0xFF,)), baud_mhz)
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

        at = self.soc.scheduler.at
        at(start_ps, lambda t_ps: self._frame_arrives(t_ps, edges, end))
        at(end, lambda t_ps: self._frame_over(t_ps, start_ps, end, byte, baud_mhz))
        return end

    def receive_all(self, start_ps: int, data: bytes, baud_mhz: int) -> int:
        """Frames arrive back to back: eight bits, no parity, one stop bit. As ``receive``."""
        if not data:
            return start_ps
        burst = Burst(
            self.soc.scheduler, start_ps, data, baud_mhz, self._frame_arrives, self._frame_over
        )
        self.bursts = [one for one in self.bursts if one.timers]
        self.bursts.append(burst)
        return start_ps + len(data) * burst.frame_ps

    def _frame_arrives(self, _t_ps: int, edges: list[tuple[int, int]], end: int) -> None:
        self._last_error = ""
        if self._on and self._source.pad is not None and edges and not self._clocked:
            if self.cr2.LINEN:
                self._hear_lin(edges[0][0], edges)
            self._levels += edges
            self._known_until = end
            self.soc.scheduler.at(edges[0][0], self._falling)

    def _frame_over(self, t_ps: int, start_ps: int, end: int, byte: int, baud_mhz: int) -> None:
        def record(t_ps: int) -> None:
            self.soc.recorder.add(
                SerialByte(t_ps, self.name, "rx", byte, baud_mhz, start_ps, self._last_error)
            )

        # A slower receiver is still sampling: it knows better what it got.
        if self._receiving and self._sampling is not None and self._began < end:
            self.soc.scheduler.at(self._sampling.t_ps, record)
        else:
            record(t_ps)

    def flows(self) -> Iterable[Flow]:
        """What goes by DMA now and is known ahead."""
        return flows(self)

    def talk(self) -> Talk | None:
        """What goes byte by byte now and is known ahead."""
        return talk(self)

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
        self._lin.stop()
        if not self._on:
            return
        self._unlisten = self._source.listen(self._pad_edge)
        level = self._source.level(t_ps)
        self._levels = [(t_ps, 1 if level is None else level)]
        if level and not self._clocked:
            self._await_idle(t_ps)

    def _pad_edge(self, t_ps: int, level: int | None) -> None:
        change = (t_ps, 1 if level is None else level)
        if self._clocked:
            if self._sampling is None:  # no word under way: only the last level matters
                self._levels.clear()
            self._levels.append(change)
            return
        self._levels.append(change)
        self._known_until = max(self._known_until, t_ps)
        if self.cr2.LINEN:
            self._hear_lin(t_ps, [change])
        if level == 0:
            self._falling(t_ps)

    # ---- LIN

    def _hear_lin(self, t_ps: int, changes: Iterable[tuple[int, int]]) -> None:
        bits = 11 if self.cr2.LBDL else 10
        self._lin.look_for(self._format(), bits, one_bit=bool(self.cr3.ONEBIT))
        self._lin.hear(t_ps, changes)

    def _break_detected(self, t_ps: int) -> None:
        self.sr.set(LBD=1)
        self._request(t_ps)

    # ---- synchronous

    def _captured(self, t_ps: int, times: list[int], how: Format) -> None:
        """The last bit of a word is captured: there are no start and stop bits to look at."""
        self._sampling = None
        value = sum(self._level_at(at) << n for n, at in enumerate(times))
        self._levels = self._levels[-1:]
        self._noise = False
        self._deliver(t_ps, value, how, framing=False)
        self._request(t_ps)

    # ---- asynchronous

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
        self._decode(how, t_ps)
        self._look_on(t_ps)
        self._await_idle(self._began + how.frame_ps)
        self._request(t_ps)

    def _decode(self, how: Format, t_ps: int) -> None:
        """What the samples of a frame that is over say."""
        burst = heard_plainly(self, how) if how.word == 8 else None
        if burst is not None:
            self._deliver(t_ps, burst.data[burst.at - 1], how, framing=False)
            return
        one_bit, value = self.cr3.ONEBIT, 0
        *word, stop = (self._sample(offsets) for offsets in how.samples)
        for n, samples in enumerate(word):
            ones = sum(samples)
            value |= (samples[1] if one_bit else int(ones >= 2)) << n
            self._noise |= not one_bit and 0 < ones < 3
        # "0.5 stop bit: no sampling is done" (§19.3.3)
        framing = how.stop_halves != 1 and sum(stop) < 2
        self._deliver(t_ps, value, how, framing=framing)

    def _deliver(self, t_ps: int, value: int, how: Format, *, framing: bool) -> None:
        sr, cr1 = self.sr, self.cr1
        self._heard_any = True
        parity_error = how.parity_wrong(value)
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
            self._violated = True
            self._drive_rts(t_ps)
            return
        self._rdr = value
        sr.set(RXNE=1)
        self._drive_rts(t_ps)
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
