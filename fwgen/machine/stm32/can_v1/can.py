"""The controller: its modes, what it sends and hears, its errors. RM0090 §32."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from fwgen.machine.peripheral import Peek, Peripheral, Reg
from fwgen.machine.signals import pulses
from fwgen.machine.stm32.can_v1 import filters
from fwgen.machine.stm32.can_v1.fifos import NAMES as FIFO_NAMES
from fwgen.machine.stm32.can_v1.fifos import Fifo, Received
from fwgen.machine.stm32.can_v1.frame import (
    EOF,
    ERROR_DELIMITER,
    ERROR_FLAG,
    INTERMISSION,
    SUSPEND,
    Frame,
    stuffed,
)
from fwgen.machine.stm32.can_v1.mailboxes import COUNT, Mailboxes
from fwgen.machine.stm32.can_v1.mailboxes import NAMES as BOX_NAMES
from fwgen.machine.time import NEVER
from fwgen.trace import Gap, Hazard

if TYPE_CHECKING:
    from collections.abc import Callable

    from fwgen.board.types import PeripheralSpec
    from fwgen.machine.signals import Pad
    from fwgen.machine.soc import Soc
    from fwgen.machine.time import Timer

JOINING_BITS = 11  # recessive ones, before the bus is taken part in (§32.4.2)
RECOVERIES = 128  # of them, to leave bus-off (§32.7.6)
FASTEST_HZ = 1_000_000
WARNING_LIMIT, PASSIVE_ABOVE, OFF_ABOVE = 96, 127, 255
STUFF, FORM, ACK, RECESSIVE, DOMINANT, CRC = range(1, 7)  # LEC


class Sent(NamedTuple):
    """What a controller has on the bus."""

    box: int
    frame: Frame
    stamp: int
    pc: int


class Can(Peripheral, registers="stm32.can_v1"):
    """bxCAN. RM0090 §32.

    Frames have the bits and the time that they have on a wire, and CAN_TX shows them; what becomes
    of one is settled when it begins. In loop back mode all is inside. Otherwise CAN_RX must hear
    CAN_TX over a wire of the board (a transceiver is no more than that here), and controllers of
    the chip that share the wire arbitrate with and acknowledge each other. Alone on the bus a
    sender becomes error passive and tries on (§32.7.6: no more errors are counted then).

    A frame waits in its FIFO a bit before the last of its end. INAK and SLAK follow at once, or
    when the frame under way is over.

    Not modelled (a Gap): frames that something else than a bxCAN of this chip puts on the bus; two
    controllers that send one identifier at once. Not there: resynchronisation (SJW), errors of
    receivers, MSR.RXM and SAMP, and what DBF does while a debugger halts the core.
    """

    mcr, msr, tsr, rf0r, rf1r = Reg(), Reg(), Reg(), Reg(), Reg()
    ier, esr, btr, fmr = Reg(), Reg(), Reg(), Reg()

    def __init__(self, spec: PeripheralSpec, soc: Soc) -> None:
        super().__init__(spec, soc)
        self._master = str(spec.options.get("filters", spec.name))
        self._slave = str(spec.options.get("shares_filters", ""))
        if self._master != self.name:
            self._drop_filters()
        self.boxes = Mailboxes(self.states)
        self.fifos = (Fifo(self.states, 0), Fifo(self.states, 1))
        self._tx = soc.fabric.output(f"{self.name}_TX")
        self._rx = soc.fabric.input(f"{self.name}_RX")
        self._rx.listen(self._on_level)
        self._round = 0
        self._timer: Timer | None = None
        self._clear()

    def _drop_filters(self) -> None:
        """The filters of both are CAN1's (§32.9.4)."""
        home = self.fmr.spec.offset
        self._by_offset = {at: one for at, one in self._by_offset.items() if at < home}
        self.states = {n: one for n, one in self.states.items() if one.spec.offset < home}

    def _clear(self) -> None:
        self._round += 1
        self._tec = self._rec = 0
        self._off = False  # bus-off
        self._joins = False  # counts recessive bits before it takes part
        self._busy_ps = 0  # until when the bus is taken, as far as is known
        self._starts_ps = NEVER  # when its own next frame begins
        self._sent: Sent | None = None
        self._since_ps = 0  # when bit times began to be counted
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    # ------------------------------------------------------------------ for the chip

    def on_reset(self, t_ps: int) -> None:
        """Asleep, all empty, CAN_TX recessive."""
        self._clear()
        self.boxes.reset()
        for fifo in self.fifos:
            fifo.reset()
        self._tx.drive(t_ps, 1)
        self._settle(t_ps)

    def on_clock(self, t_ps: int) -> None:
        """What waits for bit times goes on when there are some."""
        if not self.bit_ps:
            return
        if self._joins and (self._internal or self._level(t_ps) == 1):
            self._count_recessive(t_ps)
        self._plan(t_ps)

    def _on_level(self, t_ps: int, level: int | None) -> None:
        """CAN_RX changed."""
        if level == 1 and self._joins and not self._internal:
            self._count_recessive(t_ps)
        elif level == 0 and self.msr.SLAK:
            self.msr.set(WKUI=1)
            if self.mcr.AWUM:
                self.mcr.set(SLEEP=0)
                self._change_mode(t_ps)
            self._settle(t_ps)
        elif level == 0 and self.takes_part and not self._internal and t_ps >= self._busy_ps:
            self._stray()

    # ------------------------------------------------------------------ modes

    @property
    def _internal(self) -> bool:
        return bool(self.btr.LBKM)

    @property
    def takes_part(self) -> bool:
        """Whether it hears the bus, and may send."""
        return not (self.msr.INAK or self.msr.SLAK or self._joins or self._off)

    @mcr.on_write
    def _control(self, t_ps: int, written: int, before: int) -> None:
        if self.mcr.RESET:
            self._master_reset(t_ps)
            return
        if self.mcr.TTCM and not self.mcr.field("TTCM", before):
            self._since_ps = t_ps
        self._change_mode(t_ps)
        self._settle(t_ps)

    def _master_reset(self, t_ps: int) -> None:
        """MCR and the FIFOs as after reset, and asleep (§32.9.2, RESET)."""
        self.mcr.value = self.mcr.reset_value
        self.msr.value = self.msr.reset_value
        for fifo in self.fifos:
            fifo.reset()
            fifo.status.value = 0
        self.boxes.reset()
        self.tsr.value = self.tsr.reset_value
        self._clear()
        self._tx.drive(t_ps, 1)
        self._settle(t_ps)

    def _change_mode(self, t_ps: int) -> None:
        """What INRQ and SLEEP ask for, as soon as the bus lets it (§32.4, Figure 336)."""
        mcr, msr = self.mcr, self.msr
        if self._sent is not None or (self.takes_part and t_ps < self._busy_ps):
            self._again(max(t_ps, self._busy_ps))
            return
        if mcr.INRQ and not mcr.SLEEP:
            if not msr.INAK or self._joins:
                self._enter(initialisation=True)
        elif mcr.SLEEP and not mcr.INRQ:
            if not msr.SLAK:
                self._enter(initialisation=False)
                msr.set(SLAKI=1)
        elif not mcr.INRQ and (msr.INAK or msr.SLAK) and not self._joins:
            self._join(t_ps)

    def _enter(self, *, initialisation: bool) -> None:
        self.msr.set(INAK=initialisation, SLAK=not initialisation)
        self._joins = False
        self._round += 1
        self._starts_ps = NEVER

    def _again(self, t_ps: int) -> None:
        """Look at the modes again when the frame is over."""
        if self._timer is not None and self._timer.pending:
            return

        def look(at_ps: int) -> None:
            self._change_mode(at_ps)
            self._settle(at_ps)

        self._timer = self.soc.scheduler.at(t_ps + 1, look)

    def _join(self, t_ps: int) -> None:
        """Wait for recessive bits on CAN_RX; with a bus that is not there it stays so."""
        self._joins = True
        self._check_rate()
        if not self._internal and self._level(t_ps) != 1:
            self._no_bus(t_ps)
            return
        self._count_recessive(t_ps)

    def _count_recessive(self, t_ps: int) -> None:
        """The bus is taken part in after 11 of them, which nobody may break."""
        mine, bit = self._round, self.bit_ps
        begins = max(t_ps, self._busy_ps)

        def joined(at_ps: int) -> None:
            if mine != self._round or not self._joins:
                return
            if not self._internal and (self._level(at_ps) != 1 or self._busy_ps > begins):
                self._count_recessive(at_ps)
                return
            self._joins = False
            self.msr.set(INAK=0, SLAK=0)
            self._since_ps = at_ps
            if self._off:
                self._recover(at_ps)
            self._settle(at_ps)
            self._plan(at_ps)

        if bit:
            self.soc.scheduler.at(begins + JOINING_BITS * bit, joined)

    def _recover(self, t_ps: int) -> None:
        """Out of bus-off after 128 times 11 recessive bits."""
        mine = self._round

        def recovered(at_ps: int) -> None:
            if mine == self._round:
                self._off, self._tec, self._rec = False, 0, 0
                self._settle(at_ps)
                self._plan(at_ps)

        self.soc.scheduler.at(t_ps + RECOVERIES * JOINING_BITS * self.bit_ps, recovered)

    def _no_bus(self, t_ps: int) -> None:
        level, pad = self._level(t_ps), self._rx.pad
        if pad is None:
            why = "no pin is connected to it"
        else:
            why = f"{pad.name} {'floats' if level is None else 'is low'}"
        self.soc.hazard("can-no-bus", f"{self.name} waits for a recessive {self.name}_RX: {why}")

    def _level(self, t_ps: int) -> int | None:
        return self._rx.level(t_ps) if self._rx.pad is not None else None

    @property
    def bit_ps(self) -> int:
        """A bit time in picoseconds; 0 while there is no clock. §32.7.7."""
        quanta = self.btr.TS1 + self.btr.TS2 + 3
        hz = self.clock.hz
        return int((self.btr.BRP + 1) * quanta * 10**12 / hz) if hz else 0

    def _check_rate(self) -> None:
        hz = self.clock.hz / ((self.btr.BRP + 1) * (self.btr.TS1 + self.btr.TS2 + 3))
        if hz > FASTEST_HZ:
            self.soc.hazard(
                "can-bit-rate", f"{self.name} runs at {float(hz) / 1000:g} kbit/s: at most 1000"
            )

    # ------------------------------------------------------------------ other registers

    @msr.on_peek
    def _status(self, t_ps: int) -> Peek:
        """RX is the level of the pin; one that floats or is not there reads as chance has it."""
        level, pad = self._level(t_ps), self._rx.pad
        bit = self.msr.mask("RX")
        high = self.soc.chance if level is None else level
        value = self.msr.value & ~bit | (bit if high else 0)
        return Peek(value, NEVER if pad is None else pad.stable_until(t_ps))

    @msr.on_write
    @ier.on_write
    def _flags(self, t_ps: int, _written: int, _before: int) -> None:
        self._settle(t_ps)

    @esr.on_write
    def _errors(self, t_ps: int, _written: int, _before: int) -> None:
        self._settle(t_ps)

    @btr.on_write
    def _timing(self, t_ps: int, _written: int, before: int) -> None:
        if not self.msr.INAK:
            self.btr.value = before
            self.soc.hazard("can-locked", f"{self.name}_BTR is written while INAK is 0")

    @tsr.on_write
    def _transmit_status(self, t_ps: int, _written: int, before: int) -> None:
        """Clearing RQCP clears what it tells (§32.9.2)."""
        tsr = self.tsr
        for box in range(COUNT):
            if tsr.field(f"RQCP{box}", before) and not tsr.field(f"RQCP{box}", tsr.value):
                tsr.set(**{f"{name}{box}": 0 for name in ("TXOK", "ALST", "TERR")})
            if tsr.field(f"ABRQ{box}", tsr.value):
                self.boxes.abort(box)
        self._settle(t_ps)

    @rf0r.on_write
    def _first_fifo(self, t_ps: int, _written: int, _before: int) -> None:
        if self.rf0r.RFOM0:
            self.fifos[0].release()
        self._settle(t_ps)

    @rf1r.on_write
    def _second_fifo(self, t_ps: int, _written: int, _before: int) -> None:
        if self.rf1r.RFOM1:
            self.fifos[1].release()
        self._settle(t_ps)

    def box_written(self, t_ps: int, box: int, register: str, before: int) -> None:
        """A register of a mailbox was written: only an empty one takes it."""
        if self.boxes.holds(box):
            self.states[register].value = before
            self.soc.hazard("can-mailbox", f"{self.name}: mailbox {box} is written, but not empty")
        elif register.startswith("TI") and self.states[register].TXRQ:
            self.boxes.request(box)
            self._plan(t_ps)
            self._settle(t_ps)

    def filter_written(self, register: str, before: int) -> None:
        """Filters hold still while they are in use."""
        if self.fmr.FINIT:
            return
        bank = int(register[1:].split("R", maxsplit=1)[0]) if register.startswith("F") and (
            register[1].isdecimal()
        ) else None  # fmt: skip
        if bank is not None and not self.states["FA1R"].value >> bank & 1:
            return
        if self.states[register].value != before:
            self.states[register].value = before
            self.soc.hazard("can-filter-locked", f"{register} is written while FINIT is 0")

    # ------------------------------------------------------------------ sending

    def _plan(self, t_ps: int) -> None:
        """Begin the next frame as soon as the bus is idle."""
        ready = self.takes_part and self._sent is None and self._starts_ps == NEVER
        if not ready or not self.boxes.waiting or (self.btr.SILM and not self.btr.LBKM):
            return
        self._starts_ps = max(t_ps, self._busy_ps)
        mine = self._round

        def begin(at_ps: int) -> None:
            if mine == self._round and self._starts_ps == at_ps:
                self._begin(at_ps)

        self._starts_ps = self.soc.scheduler.at(self._starts_ps, begin).t_ps

    def _take(self, t_ps: int) -> Sent | None:
        """Its next frame, which it now has on the bus."""
        self._starts_ps = NEVER
        box = self.boxes.next(by_order=bool(self.mcr.TXFP))
        if box is None or not self.takes_part or self.mcr.INRQ or self.mcr.SLEEP:
            return None
        stamp = self._stamp(t_ps)
        tdt = self.states[f"TDT{box}R"]
        if self.mcr.TTCM:
            tdt.set(TIME=stamp)
        frame = self.boxes.frame(box)
        if self.mcr.TTCM and tdt.TGT and frame.dlc == 8:
            frame = frame._replace(data=frame.data[:6] + stamp.to_bytes(2, "little"))
        self._sent = Sent(box, frame, stamp, self.soc.pc)
        self.boxes.sending = box
        return self._sent

    def _stamp(self, t_ps: int) -> int:
        """Bit times, while TTCM has them counted (§32.7.5)."""
        return (t_ps - self._since_ps) // self.bit_ps & 0xFFFF if self.mcr.TTCM else 0

    def _begin(self, t_ps: int) -> None:
        """SOF: whoever is ready at this moment arbitrates, and the winner's frame is settled."""
        if t_ps < self._busy_ps or not self.bit_ps:
            self._starts_ps = NEVER
            if self.bit_ps:
                self._plan(t_ps)
            return
        sent = self._take(t_ps)
        if sent is None:
            return
        if self._internal:
            self._send(t_ps, sent, [], heard=True)
            return
        pad = self._rx.pad
        if pad is None or self._level(t_ps) != 1:
            self._stray()
            self._sent, self.boxes.sending = None, None
            return
        peers = self._peers()
        rivals: list[tuple[Frame, Can]] = [(sent.frame, self)]
        for peer in peers:
            if peer._starts_ps == t_ps and (other := peer._take(t_ps)) is not None:
                rivals.append((other.frame, peer))
        rivals.sort(key=lambda one: one[0].priority)
        if len(rivals) > 1 and rivals[0][0].priority == rivals[1][0].priority:
            self._unknown("two controllers send one identifier at once")
        _, winner = rivals[0]
        heard = self._hears(pad)
        assert winner._sent is not None
        winner._send(t_ps, winner._sent, [one for one in (self, *peers) if one is not winner],
                     heard=heard)  # fmt: skip

    def _hears(self, pad: Pad) -> bool:
        return any(pad.wired_with(one) for one in self.soc.fabric.carrying(self._tx))

    def _peers(self) -> list[Can]:
        """The other controllers of the chip whose lines are on the same wire."""
        mine = self._rx.pad
        found = []
        for other in self.soc.peripherals.values():
            if not isinstance(other, Can) or other is self or mine is None or other._internal:
                continue
            pad = other._rx.pad
            if pad is not None and pad.wired_with(mine) and other._hears(pad) and other.takes_part:
                found.append(other)
        return found

    def _send(self, t_ps: int, sent: Sent, peers: list[Can], *, heard: bool) -> None:
        """A frame is on the bus from SOF at ``t_ps`` on."""
        bit, body = self.bit_ps, stuffed(sent.frame)
        hearing = [peer for peer in peers if self._same_rate(peer)]
        answering = [peer for peer in hearing if not peer.btr.SILM]
        error = 0
        if not heard:
            error, length = DOMINANT, 1
        elif not (answering or self._internal):
            error, length = ACK, len(body) + 2
        else:
            length = len(body) + 3 + EOF
        shown = [*body, 1, 1, 1][:length]
        if error:
            shown += [int(self._passive)] * ERROR_FLAG
            length += ERROR_FLAG + ERROR_DELIMITER
        end = t_ps + length * bit
        idle = end + INTERMISSION * bit
        for one in (self, *peers, *self._joining()):
            one._busy_ps = idle
        if error and self._passive:
            self._busy_ps += SUSPEND * bit
        self._show(t_ps, shown)
        if not error:
            for peer in answering:
                peer._acknowledge(t_ps + (len(body) + 1) * bit)
            for one in [*hearing, self] if self._internal else hearing:
                self.soc.scheduler.at(end - bit, one._receiver(sent.frame, t_ps))
        mine = self._round

        def over(at_ps: int) -> None:
            if mine == self._round:
                self._finish(at_ps, error)

        self.soc.scheduler.at(end, over)
        for peer in peers:
            if peer._sent is not None:
                peer._lost()
            peer._plan(t_ps)
            peer._settle(t_ps)

    def _same_rate(self, peer: Can) -> bool:
        same = abs(peer.bit_ps - self.bit_ps) * 100 <= self.bit_ps
        if not same:
            self.soc.hazard("can-bit-rate", f"{self.name} and {peer.name} have unlike bit times")
        return same

    def _joining(self) -> list[Can]:
        """The other controllers, which may be about to join: they do not within a frame."""
        if self._internal:
            return []
        every = self.soc.peripherals.values()
        return [one for one in every if isinstance(one, Can) and one._joins]

    def _show(self, t_ps: int, bits: list[int]) -> None:
        """CAN_TX, unless in silent mode it stays recessive (§32.5.1)."""
        if self.btr.SILM:
            return
        levels = [(t_ps + n * self.bit_ps, level) for n, level in enumerate([*bits, 1])]
        self._tx.drive_wave(pulses(t_ps, levels))

    def _acknowledge(self, t_ps: int) -> None:
        bit = self.bit_ps

        def pull(at_ps: int) -> None:
            self._tx.drive_wave(pulses(at_ps, [(at_ps, 0), (at_ps + bit, 1)]))

        self.soc.scheduler.at(t_ps, pull)

    def _lost(self) -> None:
        """The arbitration went to another: it hears that frame, and tries again."""
        assert self._sent is not None
        box, self._sent, self.boxes.sending = self._sent.box, None, None
        self.boxes.failed(box, lost=True)
        if self.mcr.NART or self.boxes.given_up(box):
            self.boxes.empty(box, sent=False)

    def _finish(self, t_ps: int, error: int) -> None:
        sent, self._sent, self.boxes.sending = self._sent, None, None
        if sent is None:
            return
        if not error:
            self._tec = max(0, self._tec - 1)
            self.esr.set(LEC=0)
            self.boxes.empty(sent.box, sent=True)
        else:
            # A passive sender that nobody acknowledges counts no further (ISO 11898-1).
            if not (error == ACK and self._passive):
                self._tec += 8
            self.esr.set(LEC=error)
            self.boxes.failed(sent.box, lost=False)
            if self.mcr.NART or self.boxes.given_up(sent.box):
                self.boxes.empty(sent.box, sent=False)
            self._tell_failure(t_ps, sent, error)
            self._note_error()
        if self._tec > OFF_ABOVE:
            self._go_off(t_ps)
        self._change_mode(t_ps)
        self._settle(t_ps)
        self._plan(t_ps)

    def _tell_failure(self, t_ps: int, sent: Sent, error: int) -> None:
        if error == ACK:
            said = f"{self.name}: nobody acknowledges identifier {sent.frame.identifier:#x}"
            hazard = Hazard.of("can-alone", said, t_ps, sent.pc)
            self.soc.recorder.add_once(hazard, ("can-alone", self.name))
        else:
            said = f"{self.name} does not hear on {self.name}_RX what it sends on {self.name}_TX"
            hazard = Hazard.of("can-no-bus", said, t_ps, sent.pc)
            self.soc.recorder.add_once(hazard, ("can-no-bus", self.name, "tx"))

    @property
    def _passive(self) -> bool:
        return max(self._tec, self._rec) > PASSIVE_ABOVE

    def _go_off(self, t_ps: int) -> None:
        """Bus-off: out of it by ABOM, or by way of initialisation (§32.7.6)."""
        self._off = True
        self._round += 1
        self._starts_ps = NEVER
        self._tx.drive(t_ps, 1)
        if self.mcr.ABOM:
            self._recover(t_ps)

    # ------------------------------------------------------------------ hearing

    def _receiver(self, frame: Frame, start_ps: int) -> Callable[[int], None]:
        stamp = self._stamp(start_ps)
        return partial(self._receive, frame, stamp)

    def _receive(self, frame: Frame, stamp: int, t_ps: int) -> None:
        if not self.takes_part:
            return
        self._rec = max(0, self._rec - 1)
        self.esr.set(LEC=0)
        home = self.soc.peripherals.get(self._master)
        assert isinstance(home, Can)
        if home.fmr.FINIT:
            return
        first, stop = 0, filters.BANKS
        if home is not self:
            first = home.fmr.CAN2SB
        elif self._slave:
            stop = self.fmr.CAN2SB
        match = filters.find(frame, home.states, first, stop)
        if match is not None:
            data = b"" if frame.remote else frame.data[: min(frame.dlc, 8)]
            kept = Received(frame._replace(data=data.ljust(8, b"\0")), match.index, stamp)
            if not self.fifos[match.fifo].take(kept, locked=bool(self.mcr.RFLM)):
                self.soc.hazard("can-overrun", f"{self.name}: FIFO {match.fifo} was full")
        self._settle(t_ps)

    def _stray(self) -> None:
        self._unknown(f"{self.name}_RX is held dominant by something that is no bxCAN of this chip")

    def _unknown(self, detail: str) -> None:
        address = self.spec.base + self.msr.spec.offset
        gap = Gap(self.soc.now_ps, self.name, "MSR.RX", "read", address, self.soc.pc, detail)
        self.soc.recorder.add_once(gap, ("gap", self.name, detail))

    # ------------------------------------------------------------------ interrupts

    def _note_error(self) -> None:
        """MSR.ERRI, where CAN_IER asks for what happened (§32.8)."""
        self._show_errors()
        ier, esr = self.ier, self.esr
        told = (esr.EWGF and ier.EWGIE) or (esr.EPVF and ier.EPVIE) or (esr.BOFF and ier.BOFIE)
        if told or (esr.LEC and ier.LECIE):
            self.msr.set(ERRI=1)

    def _show_errors(self) -> None:
        worst = max(self._tec, self._rec)
        self.esr.set(
            EWGF=worst >= WARNING_LIMIT, EPVF=worst > PASSIVE_ABOVE,
            BOFF=self._off or self._tec > OFF_ABOVE, TEC=self._tec & 0xFF, REC=self._rec,
        )  # fmt: skip

    def _settle(self, t_ps: int) -> None:
        ier, msr, tsr = self.ier, self.msr, self.tsr
        self._show_errors()
        self.irq(t_ps, "tx", bool(ier.TMEIE and (tsr.RQCP0 or tsr.RQCP1 or tsr.RQCP2)))
        for n, state in enumerate((self.rf0r, self.rf1r)):
            level = any(
                ier.field(f"{enable}{n}", ier.value) and state.field(f"{flag}{n}", state.value)
                for enable, flag in (("FMPIE", "FMP"), ("FFIE", "FULL"), ("FOVIE", "FOVR"))
            )
            self.irq(t_ps, f"rx{n}", level)
        changed = (msr.ERRI and ier.ERRIE) or (msr.WKUI and ier.WKUIE) or (msr.SLAKI and ier.SLKIE)
        self.irq(t_ps, "sce", bool(changed))
        msr.set(TXM=self._sent is not None)


def _box_writer(box: int, register: str) -> Callable[[Can, int, int, int], None]:
    def write(self: Can, t_ps: int, _written: int, before: int) -> None:
        self.box_written(t_ps, box, register, before)

    return write


def _filter_writer(register: str) -> Callable[[Can, int, int, int], None]:
    def write(self: Can, _t_ps: int, _written: int, before: int) -> None:
        self.filter_written(register, before)

    return write


for _box in range(COUNT):
    for _name in BOX_NAMES:
        _register = f"{_name}{_box}R"
        Can.DECLARED[_register] = Reg(name=_register)
        Can.DECLARED[_register].on_write(_box_writer(_box, _register))
for _fifo in range(2):
    for _name in FIFO_NAMES:
        Can.DECLARED[f"{_name}{_fifo}R"] = Reg(name=f"{_name}{_fifo}R")
Can.DECLARED["FA1R"] = Reg(name="FA1R")
_banks = [f"F{bank}R{half}" for bank in range(filters.BANKS) for half in (1, 2)]
for _register in ("FM1R", "FS1R", "FFA1R", *_banks):
    Can.DECLARED[_register] = Reg(name=_register)
    Can.DECLARED[_register].on_write(_filter_writer(_register))
