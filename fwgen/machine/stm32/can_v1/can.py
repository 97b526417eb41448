"""What a controller sends and hears. RM0090 §32.7."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from fwgen.machine.peripheral import Reg
from fwgen.machine.stm32.can_v1 import filters
from fwgen.machine.stm32.can_v1.controller import OFF_ABOVE, Controller, Sent
from fwgen.machine.stm32.can_v1.fifos import NAMES as FIFO_NAMES
from fwgen.machine.stm32.can_v1.fifos import Received
from fwgen.machine.stm32.can_v1.frame import (
    EOF,
    ERROR_DELIMITER,
    ERROR_FLAG,
    INTERMISSION,
    SUSPEND,
    Frame,
    stuffed,
)
from fwgen.machine.stm32.can_v1.mailboxes import COUNT
from fwgen.machine.stm32.can_v1.mailboxes import NAMES as BOX_NAMES
from fwgen.machine.time import NEVER
from fwgen.machine.waves import pulses
from fwgen.trace import Hazard

if TYPE_CHECKING:
    from collections.abc import Callable

    from fwgen.machine.pads import Pad

ACK, DOMINANT = 3, 5  # LEC (§32.9.2)


class Can(Controller):
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
            kept = Received(frame._replace(data=data.ljust(8, b"\0")), match.number, stamp)
            if not self.fifos[match.fifo].take(kept, locked=bool(self.mcr.RFLM)):
                self.soc.hazard("can-overrun", f"{self.name}: FIFO {match.fifo} was full")
        self._settle(t_ps)


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
