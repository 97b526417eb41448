"""The controller's side of the bus: its modes, its errors, what it tells. RM0090 §32.4, §32.7.6."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from fwgen.machine.peripheral import Peek, Peripheral, Reg
from fwgen.machine.stm32.can_v1.fifos import Fifo
from fwgen.machine.stm32.can_v1.mailboxes import COUNT, Mailboxes
from fwgen.machine.time import NEVER
from fwgen.trace import Gap

if TYPE_CHECKING:
    from fwgen.board.types import PeripheralSpec
    from fwgen.machine.soc import Soc
    from fwgen.machine.stm32.can_v1.frame import Frame
    from fwgen.machine.time import Timer

JOINING_BITS = 11  # recessive ones, before the bus is taken part in (§32.4.2)
RECOVERIES = 128  # of them, to leave bus-off (§32.7.6)
FASTEST_HZ = 1_000_000
WARNING_LIMIT, PASSIVE_ABOVE, OFF_ABOVE = 96, 127, 255


class Sent(NamedTuple):
    """What a controller has on the bus."""

    box: int
    frame: Frame
    stamp: int
    pc: int


class Controller(Peripheral, registers="stm32.can_v1"):
    """Modes, errors, interrupts and the registers of them; who sends and hears builds on it."""

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
        if mcr.INRQ:  # whatever SLEEP says: ST's HAL waits for INAK before it clears SLEEP
            if not msr.INAK or self._joins:
                self._enter(initialisation=True)
        elif mcr.SLEEP:
            if not msr.SLAK:
                self._enter(initialisation=False)
                msr.set(SLAKI=1)
        elif (msr.INAK or msr.SLAK) and not self._joins:
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
        configured = self.msr.INAK  # else SLEEP was cleared on the way to initialisation
        if configured:
            self._check_rate()
        if not self._internal and self._level(t_ps) != 1:
            if configured:
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

    def _plan(self, t_ps: int) -> None:
        """Begin the next frame as soon as the bus is idle."""
        raise NotImplementedError

    # ------------------------------------------------------------------ errors and interrupts

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
