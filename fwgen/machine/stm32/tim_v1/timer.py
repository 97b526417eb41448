"""A timer of the STM32F4: the counter hung on registers, interrupts, pins and other timers."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from fwgen.machine.peripheral import Peek, Peripheral, Reg, Register
from fwgen.machine.stm32.tim_v1.counter import CC1IF, FOREVER, FROZEN, UIF, Counter
from fwgen.machine.stm32.tim_v1.instance import Instance
from fwgen.machine.stm32.tim_v1.lines import (
    ClockLine,
    DeadTime,
    InputLine,
    OutputLine,
    dead_ticks,
    filter_ticks,
)
from fwgen.machine.stm32.tim_v1.outputs import NP, OFF, E, Idle, P, Stage, frozen, stages
from fwgen.machine.stm32.tim_v1.requests import ALL, COM, TRIGGER, Requests
from fwgen.machine.stm32.tim_v1.talk import INTERRUPTS, beating
from fwgen.machine.time import NEVER

if TYPE_CHECKING:
    from collections.abc import Callable

    from fwgen.board.types import PeripheralSpec
    from fwgen.machine.signals import Signal
    from fwgen.machine.soc import Soc
    from fwgen.machine.talk import Beating
    from fwgen.machine.time import Timer

_CHANNELS = (0, 1, 2, 3)  # channel indices: CH1 is 0
_ENCODERS = (1, 2, 3)  # SMCR.SMS
_RESET, _GATED, _TRIGGER, _CLOCK = 4, 5, 6, 7
_TI1_ED, _TI1, _TI2, _ETR = 4, 5, 6, 7  # SMCR.TS; below: the internal triggers
_ON_RESET, _ON_ENABLE, _ON_UPDATE, _ON_COMPARE = 0, 1, 2, 3  # CR2.MMS; above: OCxREF
_PWM = 6  # OCxM: from here on PWM
_COMMUTED = 3  # channels with a complement: CCPC preloads their CCxE, CCxNE and OCxM


def _compare_written(i: int) -> Callable[[Tim, int, int, int], None]:
    return lambda self, t_ps, _written, before: self.compare_written(i, t_ps, before)


def _compare_read(i: int) -> Callable[[Tim, int], int]:
    return lambda self, t_ps: self.compare_read(i, t_ps)


class Tim(Peripheral, registers="stm32.tim_v1"):
    """Advanced, general-purpose and small timers. RM0368 §12 (TIM1), §13 (TIM2-5), §14 (TIM9-11).

    Nothing happens while nobody would notice: CNT and the flags of SR follow from the time when
    they are asked for. Events are scheduled for interrupts that are enabled, for outputs that are
    on and do not repeat, for preloads that change an output, and for timers that listen to TRGO.

    Time: the count begins one kernel tick after CEN is set (§12.3.4): with PSC = p the first
    clock of the counter comes p + 2 ticks after the write.

    With a DMA request enabled its events are scheduled, too, until one of them waits to be served.

    Not modelled (a Gap where firmware asks for it): OCxFE in another slave mode than the trigger
    mode, triggers from USB and Ethernet (OR.ITR1_RMP).
    Resynchronisation of inputs, the three or five cycles from a trigger to an output (OCxFE), and
    the delays between chained timers are taken as zero: MSM, which makes up for them, does
    nothing. Switching OCxM to PWM applies the comparison at once. COMG raises COMIF without CCPC,
    too. What OCxFE forces lasts until the next update event. A failed clock (CSS) breaks once,
    when it fails; the outputs may be enabled again before CSSF is cleared.
    """

    cr1, cr2, smcr, dier, sr, egr = Reg(), Reg(), Reg(), Reg(), Reg(), Reg()
    ccmr1, ccmr2, ccer, cnt, psc, arr, rcr = Reg(), Reg(), Reg(), Reg(), Reg(), Reg(), Reg()
    ccr1, ccr2, ccr3, ccr4 = Reg(), Reg(), Reg(), Reg()
    bdtr = Reg()
    dcr, dmar, or_ = Reg(), Reg(), Reg(name="OR")

    for _i, _reg in enumerate((ccr1, ccr2, ccr3, ccr4)):
        _reg.on_write(_compare_written(_i))
        _reg.on_read(_compare_read(_i))
    del _i, _reg

    def __init__(self, spec: PeripheralSpec, soc: Soc) -> None:
        super().__init__(spec, soc)
        self.instance = Instance.of(spec)
        self._keep_only_what_it_has()
        self._channels = _CHANNELS[: self.instance.channels]
        fabric = soc.fabric
        self._mains = [
            OutputLine(fabric.output(f"{self.name}_CH{i + 1}"), self.clock) for i in self._channels
        ]
        self._complements = [
            OutputLine(fabric.output(f"{self.name}_CH{i + 1}N"), self.clock)
            for i in self._channels[:3]
            if self.instance.advanced
        ]
        self._trgo = fabric.output(f"{self.name}_TRGO")
        for line in (*(f"CH{i + 1}" for i in self._channels), "ETR", "BKIN"):
            fabric.input(f"{self.name}_{line}")
        cr1 = self.states["CR1"].spec.fields
        self._has_opm, self._has_ckd = "OPM" in cr1, "CKD" in cr1
        self._clock_lines: dict[str, ClockLine] = {}  # what OR may connect to an input
        self._alarm: Timer | None = None
        self._wires: dict[str, InputLine] = {}
        self._wiring: tuple[object, ...] = ()
        self._unlisten: Callable[[], None] | None = None
        self._slaves = 0
        self._master: Tim | None = None
        self._lines: dict[str, bool] = {}
        self._requests = Requests(self.dma)
        self._triggered = False  # a trigger is being handled: loops of timers end here
        self._start()

    def _keep_only_what_it_has(self) -> None:
        resets = self.spec.options.get("reset", {})
        assert isinstance(resets, dict)
        has = self.instance.registers(self.MAP.name)
        self.states = {
            name: Register(has[name], resets.get(name)) for name in self.states if name in has
        }
        self._by_offset = {
            state.spec.offset + lane: (state, self.DECLARED[name], lane)
            for name, state in self.states.items()
            for lane in range(4)
        }

    def _start(self) -> None:
        self._counter = Counter(self.instance.width, self.instance.channels)
        self._tick = 0  # the state is that of this kernel tick; may lie one ahead of now
        self._counting = False  # by the internal clock
        self._dier = self._mms = self._sms = 0
        self._gate = True
        self._prescaled = [0] * len(self._channels)  # captures since the last that counted
        self._etr_prescaled = 0
        self._trigger_level = 0
        self._updated = self._matched = self._reinitialised = False
        self._requests.clear()
        self._restage = True
        self._following: list[tuple[OutputLine, int, int]] = []  # line, channel, inverted
        self._dead: dict[int, DeadTime] = {}  # channels whose both outputs follow, with dead time
        self._ccer_acts = 0  # CCER's CCxE and CCxNE as they act (CCPC)
        self._ocm_acts = [0] * len(self._channels)
        self._lock_written = False  # LOCK is written once
        self._idle_from = 0  # tick from which outputs take their idle levels (OISx)

    def on_reset(self, t_ps: int) -> None:
        """Stop counting, let go of every line."""
        self._start()
        self._tell_beating()
        self._tick = self.clock.ticks_at(t_ps)
        self._configure(t_ps)
        self._settle(t_ps)

    def on_clock(self, t_ps: int) -> None:
        """Ticks go on without a jump; waves and alarms are told anew in the new time."""
        self._sync(t_ps)
        self._settle(t_ps)

    # ------------------------------------------------------------------ bus

    def read(self, offset: int, size: int, t_ps: int) -> int:
        """A read: the state is first brought up to now."""
        self._sync(t_ps)
        return super().read(offset, size, t_ps)

    def write(self, offset: int, size: int, value: int, t_ps: int) -> None:
        """A write: the state is first brought up to now."""
        self._sync(t_ps)
        super().write(offset, size, value, t_ps)

    def _gap(self, offset: int, access: str, size: int = 4) -> int:
        spec = self.MAP.at(offset)
        if spec is None or spec.name not in self.DECLARED:
            return super()._gap(offset, access, size)
        self.soc.hazard(
            "reserved-bits",
            f"{self.name} has no {spec.name}: {access} of a reserved register",
            section=self.spec.section,
            cure=f"use a timer that has {spec.name}",
        )
        return 0

    # ------------------------------------------------------------------ registers

    @cr1.on_write
    def _control_1(self, t_ps: int, _written: int, before: int) -> None:
        cr1 = self.cr1
        if self.instance.updown and (cr1.field("CMS", before) or self._sms in _ENCODERS):
            cr1.set(DIR=int(self._counter.down))  # read-only then (§12.4.1)
        if self.instance.updown and cr1.CMS and before & cr1.mask("CMS", "CEN") == 1:
            self.soc.hazard(
                "timer-mode",
                f"{self.name}: from edge-aligned to centre-aligned mode while the counter runs",
            )
        if cr1.CEN and not cr1.field("CEN", before):
            self._begin(t_ps)
        self._configure(t_ps)
        self._settle(t_ps)

    @cr1.on_peek
    def _peek_control_1(self, t_ps: int) -> Peek:
        ahead = self._ahead(t_ps)
        value = self.cr1.value
        if ahead.stopped:
            value &= ~self.cr1.mask("CEN")
        if self.instance.updown:
            value = value & ~self.cr1.mask("DIR") | (self.cr1.mask("DIR") if ahead.down else 0)
        until = NEVER
        if self._running and (ahead.centre or ahead.opm) and not ahead.stopped:
            until = self._time_after(t_ps, ahead, ahead.clocks_to_event())
        return Peek(value, until)

    def _reconfigured(self, t_ps: int, _written: int, _before: int) -> None:
        self._configure(t_ps)
        self._settle(t_ps)

    @ccer.on_write
    def _enables(self, t_ps: int, _written: int, before: int) -> None:
        self._hold_locked(self.ccer, before)
        self._reconfigured(t_ps, _written, before)

    smcr.on_write(_reconfigured)
    or_.on_write(_reconfigured)
    psc.on_write(_reconfigured)
    arr.on_write(_reconfigured)
    rcr.on_write(_reconfigured)

    @cr2.on_write
    def _control_2(self, t_ps: int, _written: int, before: int) -> None:
        self._hold_locked(self.cr2, before)
        self._reconfigured(t_ps, _written, before)

    def _hold_locked(self, state: Register, before: int) -> None:
        """Keep what BDTR.LOCK, as it was before this write, protects."""
        if not self.instance.advanced:
            return
        lock = self.bdtr.field("LOCK", before if state is self.bdtr else self.bdtr.value)
        mask = frozen(state.name, lock, self._counter.outputs)
        if state is self.bdtr and self._lock_written:
            mask |= state.mask("LOCK")  # "written only once after the reset"
        if (state.value ^ before) & mask:
            state.value = state.value & ~mask | before & mask
            self.soc.hazard(
                "timer-locked",
                f"{self.name}.{state.name}: bits {mask:#x} are locked until reset (LOCK = {lock})",
            )

    @dier.on_write
    def _interrupt_enable(self, t_ps: int, _written: int, _before: int) -> None:
        self._dier = self.dier.value
        self._tell_beating()
        self._settle(t_ps)

    def _tell_beating(self) -> None:
        beating = self.soc.beating
        if self in beating:
            beating.remove(self)
        if self._dier & INTERRUPTS:
            beating.append(self)

    def beating(self) -> Beating | None:
        """Itself, while it only counts and interrupts."""
        return beating(self)

    @sr.on_write
    def _status_written(self, t_ps: int, _written: int, _before: int) -> None:
        if self.instance.advanced and self._broken:
            self.sr.set(BIF=1)  # "cleared by software if the break input is not active"
        self._settle(t_ps)

    @sr.on_peek
    def _peek_status(self, t_ps: int) -> Peek:
        ahead = self._ahead(t_ps)
        value = self.sr.value | ahead.flags
        until = NEVER
        if self._running and not ahead.stopped:
            clocks = FOREVER if value & UIF else ahead.clocks_to_update()
            if not ahead.settled or ahead.opm:
                clocks = min(clocks, ahead.clocks_to_update())
            for i in ahead.outputs:
                if not value & CC1IF << i:
                    clocks = min(clocks, ahead.clocks_to_flag(i))
            until = self._time_after(t_ps, ahead, clocks)
        return Peek(value, until)

    @egr.on_write
    def _generate(self, t_ps: int, written: int, _before: int) -> None:
        egr = self.egr
        for i in self._channels:
            if egr.field(f"CC{i + 1}G", written):
                if i in self._counter.outputs:
                    self.sr.value |= CC1IF << i
                    self._requests.happened(CC1IF << i)
                else:
                    self._capture(i)
        if self.instance.slave and egr.field("TG", written):
            self._trigger_flag()
        if self.instance.advanced:
            if egr.field("COMG", written):
                self._commute(t_ps)
            if egr.field("BG", written):
                self._break()
        if egr.field("UG", written):
            self._reinitialise()
        self._settle(t_ps)

    @ccmr1.on_write
    def _modes_1(self, t_ps: int, _written: int, before: int) -> None:
        self._modes_written(t_ps, self.ccmr1, before, self._channels[:2])

    @ccmr2.on_write
    def _modes_2(self, t_ps: int, _written: int, before: int) -> None:
        self._modes_written(t_ps, self.ccmr2, before, self._channels[2:])

    def _modes_written(
        self, t_ps: int, state: Register, before: int, channels: tuple[int, ...]
    ) -> None:
        self._hold_locked(state, before)
        for i in channels:
            lane = 8 * (i & 1)
            if self._enable_bits(i) & E and (before ^ state.value) >> lane & 3:
                # "CCxS bits are writable only when the channel is off" (§13.4.7)
                state.value = state.value & ~(3 << lane) | before & 3 << lane
                self.soc.hazard(
                    "timer-direction",
                    f"{self.name}.{state.name}.CC{i + 1}S cannot change while CC{i + 1}E is set",
                    cure=f"clear CC{i + 1}E in CCER first",
                )
        self._configure(t_ps)
        self._settle(t_ps)

    @cnt.on_write
    def _count_written(self, t_ps: int, _written: int, _before: int) -> None:
        self._counter.cnt = self.cnt.value
        self._counter.normalise()
        self._settle(t_ps)

    @cnt.on_read
    def _read_count(self, t_ps: int) -> int:
        return self._counter.cnt  # `read` brought it up to now

    @cnt.on_peek
    def _peek_count(self, t_ps: int) -> Peek:
        ahead = self._ahead(t_ps)
        until = NEVER
        if self._running and ahead.arr and not ahead.stopped:
            until = self._time_after(t_ps, ahead, 1)
        return Peek(ahead.cnt, until)

    def compare_written(self, i: int, t_ps: int, before: int) -> None:
        """CCRx was written: it acts at once, or (OCxPE) at the next update event."""
        if i not in self._counter.outputs:
            self.states[f"CCR{i + 1}"].value = before  # read-only in capture mode
            return
        self._configure(t_ps)
        self._settle(t_ps)

    def compare_read(self, i: int, t_ps: int) -> int:
        """CCRx is read: in capture mode that clears CCxIF (§13.4.5)."""
        if i not in self._counter.outputs and self.sr.value & CC1IF << i:
            self.sr.value &= ~(CC1IF << i)
            self._settle(t_ps)
        return self.states[f"CCR{i + 1}"].value

    @bdtr.on_write
    def _break_and_outputs(self, t_ps: int, _written: int, before: int) -> None:
        self._hold_locked(self.bdtr, before)
        self._lock_written = True
        if self.bdtr.field("MOE", before) and not self.bdtr.MOE:
            self._begin_idle()
        self._configure(t_ps)
        if self._broken:
            self._break()
        self._settle(t_ps)

    # ------------------------------------------------------------------ DMA

    @property
    def _ccds(self) -> bool:
        """Whether compare channels ask the DMA at each update event instead of their own."""
        return bool(self._dier & 0x1E00 and self.cr2.CCDS)

    def on_dma(self, t_ps: int, request: str, left: int) -> None:
        """A request was served: the next event asks again."""
        self._sync(t_ps)
        self._requests.served(t_ps, request)
        self._settle(t_ps)

    @dcr.on_write
    def _burst_written(self, _t_ps: int, _written: int, _before: int) -> None:
        self._requests.index = 0

    @dmar.on_read
    def _window_read(self, t_ps: int) -> int:
        offset = self._through_window()
        return 0 if offset is None else super().read(offset, 4, t_ps)

    @dmar.on_write
    def _window_written(self, t_ps: int, _written: int, _before: int) -> None:
        value, self.dmar.value = self.dmar.value, 0
        offset = self._through_window()
        if offset is not None:
            # A narrow item comes doubled: what the register behind lacks of it is nobody's fault.
            super().write(offset, 4, value & self.defined(offset), t_ps)

    def _through_window(self) -> int | None:
        """The offset of the register behind DMAR; None where there is none to reach."""
        register = self._requests.through_window(self.dcr.DBA, self.dcr.DBL)
        offset = 4 * register
        if offset < self.dcr.spec.offset:
            return offset
        self.soc.hazard(
            "timer-burst",
            f"{self.name}: a burst of {self.dcr.DBL + 1} registers from DBA = {self.dcr.DBA} goes"
            " beyond the last one",
        )
        return None

    # ------------------------------------------------------------------ configuration

    def _enable_bits(self, i: int) -> int:
        """The channel's bits of CCER, as they act."""
        bits = self.ccer.value
        if self._preloads(i):
            enables = 0x555 & 0xF << 4 * i
            bits = bits & ~enables | self._ccer_acts & enables
        return bits >> 4 * i & 0xF

    def _preloads(self, i: int) -> bool:
        """Whether CCxE, CCxNE and OCxM of a channel wait for a commutation (CCPC). §12.3.14."""
        if not self.instance.advanced or i >= _COMMUTED or not self.cr2.CCPC:
            return False
        return not self._mode_byte(i) & 3

    def _commute(self, t_ps: int) -> None:
        """COM: what was preloaded acts."""
        self._ccer_acts = self.ccer.value
        for i in self._channels:
            self._ocm_acts[i] = self._mode_byte(i) >> 4 & 7
        self.sr.set(COMIF=1)
        self._requests.happened(COM)
        self._configure(t_ps)

    def _mode_byte(self, i: int) -> int:
        return self.states["CCMR1" if i < 2 else "CCMR2"].value >> 8 * (i & 1) & 0xFF

    def _configure(self, t_ps: int) -> None:
        """Hand what the registers say to the counter; connect the lines it needs."""
        counter, cr1, has = self._counter, self.cr1, self.instance
        counter.udis, counter.urs = bool(cr1.UDIS), bool(cr1.URS)
        counter.opm = self._has_opm and bool(cr1.OPM)
        counter.psc_next, counter.arr_next = self.psc.value, self.arr.value
        if not cr1.ARPE:
            counter.arr = counter.arr_next
        if has.advanced:
            counter.rcr = self.rcr.value
        outputs = []
        for i in self._channels:
            mode = self._mode_byte(i)
            if mode & 3:
                counter.mode[i] = FROZEN
                continue
            outputs.append(i)
            if not self._preloads(i):
                self._ocm_acts[i] = mode >> 4 & 7
            ocm = self._ocm_acts[i]
            if ocm != counter.mode[i]:
                counter.ref[i] = counter.reference(i)
                counter.mode[i] = ocm
            counter.ccr_next[i] = self.states[f"CCR{i + 1}"].value
            if not mode & 0x08:  # OCxPE
                counter.ccr[i] = counter.ccr_next[i]
        counter.outputs = tuple(outputs)
        for i in self._channels:
            if not self._preloads(i):
                enables = 0x555 & 0xF << 4 * i
                self._ccer_acts = self._ccer_acts & ~enables | self.ccer.value & enables
            if not self._enable_bits(i) & E:
                self._prescaled[i] = 0  # "reset as soon as CCxE = 0" (§13.4.7)
        self._sms = self._slave_mode()
        ece = self._ece
        if has.updown:
            counter.centre = cr1.CMS
            if not counter.centre and self._sms not in _ENCODERS:
                counter.down = bool(cr1.DIR)
        counter.normalise()
        self._restage = True
        # A timer without master mode gives its OC1REF to others (TIM10, TIM11: §14.3.13).
        self._mms = self.cr2.MMS if has.master else _ON_COMPARE + 1
        self._rewire(t_ps)
        self._clear_references()
        self._check_fast()
        external = ece or self._sms in (*_ENCODERS, _CLOCK)
        self._counting = bool(cr1.CEN and not external and self._gate)

    @property
    def _ece(self) -> int:
        return self.smcr.ECE if self.instance.slave and self.instance.updown else 0

    def _slave_mode(self) -> int:
        if not self.instance.slave:
            return 0
        sms = self.smcr.SMS
        if sms in _ENCODERS and not self.instance.updown:
            self.soc.hazard(
                "timer-slave-mode",
                f"{self.name} has no encoder modes: SMS = {sms} is reserved there",
            )
            return 0
        return sms

    def _clearing(self) -> int:
        """The channels (bits) that ETRF clears: OCxCE. Forced modes do not hear it."""
        mask = 0
        if self.instance.updown and self.instance.slave:
            for i in self._counter.outputs:
                mask |= bool(self._mode_byte(i) & 0x80) << i
        return mask

    def _clear_references(self) -> None:
        """OCxREF stays low while ETRF is high, and until the update after. §12.3.13."""
        channels = self._clearing()
        if not channels:
            self._counter.clear(0, held=False)
            return
        smcr = self.smcr
        if smcr.ETPS or smcr.ECE:
            self.soc.hazard(
                "timer-clear",
                f"{self.name}: OCxCE with {'ETPS' if smcr.ETPS else 'ECE'} set",
            )
        self._counter.clear(channels, held=bool(self._wires["ETR"].level ^ smcr.ETP))

    def _check_fast(self) -> None:
        """OCxFE is known to act in trigger mode only."""
        if self._sms not in (_RESET, _GATED, _CLOCK):
            return
        for i in self._counter.outputs:
            if self._mode_byte(i) & 0x04 and self._counter.mode[i] >= _PWM:
                state = self.states["CCMR1" if i < 2 else "CCMR2"]
                address = self.spec.base + state.spec.offset
                self.soc.gap(self.name, f"{state.name}.OC{i + 1}FE", "write", address)

    def _rewire(self, t_ps: int) -> None:
        """Listen to exactly the inputs that matter."""
        enabled = [i for i in self._channels if self._enable_bits(i) & E]
        sources = {i: self._capture_source(i) for i in enabled if self._mode_byte(i) & 3}
        trigger = self.smcr.TS if self.instance.slave else 0
        traced = any(self._mode_byte(i) & 3 == 3 for i in sources)
        commutes = self.instance.advanced and self.cr2.CCPC and self.cr2.CCUS
        wants_trigger = self._sms >= _RESET or traced or bool(commutes)
        ti = {source for source in sources.values() if source is not None}
        ti &= set(self._channels)  # one channel has no TI2: CC1S = 2 is reserved there, and deaf
        if self._sms in _ENCODERS or (wants_trigger and trigger == _TI1_ED):
            ti.add(0)
        if self._sms in _ENCODERS or (wants_trigger and trigger == _TI2):
            ti.add(1)
        if wants_trigger and trigger == _TI1:
            ti.add(0)
        etr = self.instance.slave and self.instance.updown
        etr = etr and bool(self._ece or self._clearing() or (wants_trigger and trigger == _ETR))
        bkin = self.instance.advanced and self.bdtr.BKE
        internal = trigger if wants_trigger and trigger < _TI1_ED else None
        xor = self.instance.master and bool(self._channels) and self.cr2.TI1S
        ckd = self.cr1.CKD if self._has_ckd else 0
        remap = self.or_.value if self.instance.remap else 0
        filters = [self._mode_byte(i) >> 4 if self._mode_byte(i) & 3 else 0 for i in self._channels]
        etf = self.smcr.ETF if etr else 0
        wiring = (
            frozenset(ti), etr, bkin, internal, xor, ckd, tuple(filters), etf,
            self._sms, trigger, self._enable_polarity(), etr and self.smcr.ETP, commutes, remap,
        )  # fmt: skip
        if wiring == self._wiring:
            return
        self._wiring = wiring
        for wire in self._wires.values():
            wire.close()
        self._wires = {}
        for i in sorted(ti):
            names = ("CH1", "CH2", "CH3") if i == 0 and xor else (f"CH{i + 1}",)
            ticks = filter_ticks(filters[i], ckd)
            inside = self._remapped(f"TI{i + 1}_RMP")
            signals = [inside] if inside is not None else None
            self._wire(f"TI{i + 1}", names, ticks, partial(self._input, i), signals)
        if etr:
            self._wire("ETR", ("ETR",), filter_ticks(etf, ckd), self._external)
        if bkin:
            self._wire("BKIN", ("BKIN",), 0, lambda t, _: self._break_input(t))
            # "a clock failure event generated by the CSS" breaks, too (§12.3.12).
            css = [self.soc.fabric.output("RCC_CSSF")]
            self._wire("CSS", (), 0, self._clock_failed, css)
        self._listen_to_master(t_ps, internal)
        self._trigger_level = self._trigger_now(t_ps, trigger) if wants_trigger else 0
        self._gate = self._sms != _GATED or bool(self._trigger_level)

    def _remapped(self, field: str) -> Signal | None:
        """What OR connects to an input instead of its pin. §13.4.20, §14.5.11."""
        sources = self.instance.remap.get(field)
        name = sources[getattr(self.or_, field)] if sources else ""
        if not name:
            return None
        if name == "RTC_WAKEUP":
            return self.soc.fabric.output(name)
        if name not in self._clock_lines:
            self._clock_lines[name] = ClockLine(self.soc.clock(name), self.soc.scheduler)
        return self._clock_lines[name].signal

    def _enable_polarity(self) -> int:
        return self.ccer.value & 0xAAAA if self._channels else 0

    def _wire(
        self,
        key: str,
        names: tuple[str, ...],
        ticks: int,
        call: Callable[[int, int], None],
        signals: list[Signal] | None = None,
    ) -> None:
        if signals is None:
            signals = [self.soc.fabric.input(f"{self.name}_{name}") for name in names]
        self._wires[key] = InputLine(signals, ticks, self.clock, self.soc.scheduler, call)

    def _listen_to_master(self, t_ps: int, internal: int | None) -> None:
        if self._unlisten is not None:
            self._unlisten()
            self._unlisten = None
        if self._master is not None:
            self._master.slave_listens(t_ps, -1)
            self._master = None
        if internal is None:
            return
        name = self.instance.itr[internal] if internal < len(self.instance.itr) else ""
        if internal == 1 and "ITR1_RMP" in self.instance.remap:
            name = self.instance.remap["ITR1_RMP"][self.or_.ITR1_RMP] or name
        master = self.soc.peripherals.get(name)
        if not isinstance(master, Tim):
            address = self.spec.base + 0x08
            self.soc.gap(self.name, f"SMCR.TS = ITR{internal}", "write", address)
            return
        self._unlisten = self.soc.fabric.output(f"{name}_TRGO").listen(
            lambda t, level: self._trigger(t, level or 0)
        )
        self._master = master
        master.slave_listens(t_ps, 1)

    def slave_listens(self, t_ps: int, change: int) -> None:
        """A slave begins (+1) or ends (-1) to listen to TRGO."""
        self._slaves += change
        self._sync(t_ps)
        self._settle(t_ps)

    def _capture_source(self, i: int) -> int | None:
        """The TI (by index) that channel ``i`` captures from; None for TRC."""
        select = self._mode_byte(i) & 3
        return None if select == 3 else i if select == 1 else i ^ 1

    # ------------------------------------------------------------------ inputs

    def _input(self, ti: int, t_ps: int, level: int) -> None:
        """TIx changed after its filter."""
        # A wave's edge is rounded down to a picosecond: belong to the tick that it came from.
        self._sync(t_ps + 1)
        for i in self._channels:
            bits = self._enable_bits(i)
            if bits & E and self._mode_byte(i) & 3 and self._capture_source(i) == ti:
                both = bits & P and bits & NP
                if both or level ^ bool(bits & P):
                    self._prescaled_capture(i)
        if self._sms in _ENCODERS:
            self._encoder(ti, level)
        trigger = self.smcr.TS if self.instance.slave else None
        if ti == 0 and trigger == _TI1_ED:
            self._trigger(t_ps, 1)
            self._trigger(t_ps, 0)
        elif (ti, trigger) in ((0, _TI1), (1, _TI2)):
            bits = self._enable_bits(ti)
            if bits & P and bits & NP:
                self._trigger(t_ps, 1)
                self._trigger(t_ps, 0)
            else:
                self._trigger(t_ps, level ^ bool(bits & P))
        self._settle(t_ps)

    def _prescaled_capture(self, i: int) -> None:
        every = 1 << (self._mode_byte(i) >> 2 & 3)  # ICxPSC
        self._prescaled[i] += 1
        if self._prescaled[i] >= every:
            self._prescaled[i] = 0
            self._capture(i)

    def _capture(self, i: int) -> None:
        flag = CC1IF << i
        if self.sr.value & flag:
            self.sr.set(**{f"CC{i + 1}OF": 1})
        self.sr.value |= flag
        self._requests.happened(flag)
        self.states[f"CCR{i + 1}"].value = self._counter.cnt
        self._matched |= i == 0

    def _encoder(self, ti: int, level: int) -> None:
        """A quadrature edge. §13.3.12, Table "Counting direction versus encoder signals"."""
        if not self.cr1.CEN or (self._sms == 1 and ti == 0) or (self._sms == 2 and ti == 1):
            return
        one = self._wires["TI1"].level ^ bool(self._enable_bits(0) & P)
        two = self._wires["TI2"].level ^ bool(self._enable_bits(1) & P)
        # An edge of TI1 counts up when TI1 then differs from TI2; of TI2 when it equals TI1.
        self._counter.down = one == two if ti == 0 else one != two
        self.cr1.set(DIR=int(self._counter.down))
        self._pulse()

    def _external(self, t_ps: int, level: int) -> None:
        """ETR changed after its filter; ETP inverts, ETPS divides."""
        self._sync(t_ps + 1)
        active = level ^ self.smcr.ETP
        if clearing := self._clearing():
            self._counter.clear(clearing, held=bool(active))
        if self.smcr.ETPS:
            if not active:
                self._settle(t_ps)
                return
            self._etr_prescaled = (self._etr_prescaled + 1) % (1 << self.smcr.ETPS)
            if self._etr_prescaled:
                self._settle(t_ps)
                return
        if self._ece and active and self.cr1.CEN and self._gate:
            self._pulse()
        if self.smcr.TS == _ETR and self._sms:
            self._trigger(t_ps, active)
            if self.smcr.ETPS:
                self._trigger(t_ps, 0)
        self._settle(t_ps)

    def _pulse(self) -> None:
        """One edge of an external clock."""
        self._counter.advance(1)
        self._collect()

    def _trigger_flag(self) -> None:
        self.sr.set(TIF=1)
        self._requests.happened(TRIGGER)

    def _trigger_now(self, t_ps: int, trigger: int) -> int:
        if trigger == _TI1 and "TI1" in self._wires:
            return self._wires["TI1"].level ^ bool(self._enable_bits(0) & P)
        if trigger == _TI2 and "TI2" in self._wires:
            return self._wires["TI2"].level ^ bool(self._enable_bits(1) & P)
        if trigger == _ETR and "ETR" in self._wires:
            return self._wires["ETR"].level ^ self.smcr.ETP
        if self._master is not None:
            return self.soc.fabric.output(f"{self._master.name}_TRGO").level(t_ps) or 0
        return 0

    def _trigger(self, t_ps: int, level: int) -> None:
        """TRGI changed: what the slave mode controller does with it. §13.3.14."""
        if level == self._trigger_level or self._triggered:
            return
        self._triggered = True
        self._trigger_level = level
        self._sync(t_ps + 1)
        if level:
            for i in self._channels:
                if self._mode_byte(i) & 3 == 3 and self._enable_bits(i) & E:
                    self._prescaled_capture(i)
            if self.instance.advanced and self.cr2.CCPC and self.cr2.CCUS:
                self._commute(t_ps)
        if self._sms == _GATED:
            self._gate = bool(level)
            self._trigger_flag()
            self._counting = bool(self.cr1.CEN and not self._ece and self._gate)
        elif level and self._sms >= _RESET:
            self._trigger_flag()
            if self._sms == _RESET:
                self._reinitialise()
            elif self._sms == _TRIGGER:
                for i in self._counter.outputs:  # OCxFE
                    self._counter.fast |= bool(self._mode_byte(i) & 0x04) << i
                if not self.cr1.CEN:
                    self.cr1.set(CEN=1)
                    self._begin(t_ps)
                    self._counting = not self._ece
            elif self._sms == _CLOCK and self.cr1.CEN:
                self._pulse()
        self._settle(t_ps)
        self._triggered = False

    # ------------------------------------------------------------------ break

    @property
    def _broken(self) -> bool:
        wire = self._wires.get("BKIN")
        return wire is not None and wire.level == self.bdtr.BKP

    def _break_input(self, t_ps: int) -> None:
        self._sync(t_ps)
        if self._broken:
            self._break()
        self._settle(t_ps)

    def _clock_failed(self, t_ps: int, level: int) -> None:
        if level:
            self._sync(t_ps)
            self._break()
            self._settle(t_ps)

    def _begin_idle(self) -> None:
        """MOE falls: idle levels come after a dead time. §12.3.12."""
        self._idle_from = self._tick + dead_ticks(self.bdtr.DTG, self.cr1.CKD)
        self._restage = True

    def _break(self) -> None:
        if self.bdtr.MOE:
            self._begin_idle()
        self.bdtr.set(MOE=0)
        self.sr.set(BIF=1)
        self._restage = True

    # ------------------------------------------------------------------ time

    @property
    def _running(self) -> bool:
        return self._counting and bool(self.clock.hz)

    def _begin(self, t_ps: int) -> None:
        self._tick = self.clock.ticks_at(t_ps) + 1

    def _sync(self, t_ps: int) -> None:
        """Bring the state up to now."""
        tick = self.clock.ticks_at(t_ps)
        passed = tick - self._tick
        if passed > 0:
            self._tick = tick
            if self._counting:
                self._counter.advance(passed)
                self._collect()

    def _ahead(self, t_ps: int) -> Counter:
        """The counter as it will be at a time, only to be looked at."""
        passed = self.clock.ticks_at(t_ps) - self._tick if self._counting else 0
        if passed <= 0:
            return self._counter
        ahead = self._counter.copy()
        ahead.advance(passed)
        return ahead

    def _time_after(self, t_ps: int, ahead: Counter, clocks: int) -> int:
        if clocks >= FOREVER:
            return NEVER
        tick = max(self._tick, self.clock.ticks_at(t_ps))
        return min(NEVER, self.clock.time_of(tick + ahead.ticks_for(clocks)))

    def _collect(self) -> None:
        """Take over what the counter did."""
        counter = self._counter
        if counter.flags:
            self.sr.value |= counter.flags
            self._requests.happened(counter.flags)
            counter.flags = 0
        if counter.matched:
            self._matched |= bool(counter.matched & CC1IF)
            counter.matched = 0
        if counter.updates:
            counter.updates = 0
            self._updated = True
            if self.instance.advanced and self.bdtr.AOE and not self._broken:
                self.bdtr.set(MOE=1)
                self._restage = True
        if counter.stopped:
            counter.stopped = False
            self._counting = False
            self.cr1.set(CEN=0)
        if counter.centre:
            self.cr1.set(DIR=int(counter.down))
        self.cnt.value = counter.cnt

    def _reinitialise(self) -> None:
        self._counter.reinitialise()
        self._reinitialised = True
        self._collect()

    def _on_alarm(self, t_ps: int) -> None:
        self._alarm = None
        self._sync(t_ps)
        self._settle(t_ps)

    def _settle(self, t_ps: int) -> None:
        """The state is new: tell interrupts, pins and slaves, and ask to be called again."""
        self._raise_interrupts(t_ps)
        self._requests.settle(t_ps, self._dier >> 8 & ALL, on_update=self._ccds)
        ticks = self._tell_slaves(t_ps)  # first: a slave may act back on this timer at once
        ticks = min(ticks, self._drive(t_ps), self._ticks_to_event())
        at = NEVER if ticks >= FOREVER else self.clock.time_of(self._tick + ticks)
        alarm = self._alarm
        if alarm is not None:
            if alarm.pending and alarm.t_ps == at:
                return
            alarm.cancel()
            self._alarm = None
        if at < NEVER:
            self._alarm = self.soc.scheduler.at(at, self._on_alarm)

    def _raise_interrupts(self, t_ps: int) -> None:
        active = self.sr.value & self._dier
        if self.instance.advanced:
            levels = {
                "up": bool(active & UIF),
                "cc": bool(active & 0x1E),
                "trg_com": bool(active & 0x60),
                "brk": bool(active & 0x80),
            }
        else:
            levels = {"global": bool(active & 0xFF)}
        for request, level in levels.items():
            if level != self._lines.get(request, False):
                self._lines[request] = level
                self.irq(t_ps, request, level)

    def _ticks_to_event(self) -> int:
        """Ticks until something would interrupt or ask the DMA."""
        if not self._running:
            return FOREVER
        counter, clocks = self._counter, FOREVER
        waiting = self._dier & ~self.sr.value
        waiting |= self._requests.awaited(self._dier >> 8 & ALL, on_update=self._ccds)
        if waiting & UIF:
            clocks = counter.clocks_to_update()
        if waiting & 0x1E:
            for i in counter.outputs:
                if waiting & CC1IF << i:
                    clocks = min(clocks, counter.clocks_to_flag(i))
            if not counter.settled:
                clocks = min(clocks, counter.clocks_to_update())
        return FOREVER if clocks >= FOREVER else counter.ticks_for(clocks)

    # ------------------------------------------------------------------ outputs

    def _drive(self, t_ps: int) -> int:
        """Put out what the channels say; ticks until that must be looked at again."""
        if self._restage:
            self._stage(t_ps)
        need = FOREVER
        if self._idle_from:
            need = self._idle_from - self._tick
            if need <= 0:
                self._idle_from = 0
                self._stage(t_ps)
                need = FOREVER
        for line, i, invert in self._following:
            ticks = self._follow(t_ps, line, i, invert)
            need = min(need, ticks or FOREVER)
        for i in self._dead:
            need = min(need, self._follow_late(t_ps, i))
        counter = self._counter
        awaited = bool(self._following or self._dead) and (counter.opm or not counter.settled)
        if self.instance.advanced and self.bdtr.AOE and not self.bdtr.MOE:
            awaited = True  # the next update switches the outputs on
        if awaited and self._running:
            clocks = counter.clocks_to_update()
            need = min(need, counter.ticks_for(clocks) if clocks < FOREVER else FOREVER)
        return need

    def _stage(self, t_ps: int) -> None:
        """Sort the output lines: those that follow OCxREF, and those that hold a level."""
        self._restage = False
        self._following = []
        was_dead, self._dead = self._dead, {}
        delay = dead_ticks(self.bdtr.DTG, self.cr1.CKD) if self.instance.advanced else 0
        for i in self._channels:
            if delay and self._stages(i)[1][0] and self._stages(i)[0][0]:
                self._dead[i] = was_dead.get(i, DeadTime())
                continue
            lines = (self._mains[i], *self._complements[i : i + 1])
            for line, (follows, level) in zip(lines, self._stages(i), strict=False):
                if follows:
                    assert level is not None
                    self._following.append((line, i, level))
                else:
                    line.steady(t_ps, level)

    def _follow(self, t_ps: int, line: OutputLine, i: int, invert: int) -> int:
        counter = self._counter
        ahead: list[int] = []
        if self._running:
            ahead = [counter.ticks_for(clocks) for clocks in counter.changes(i)]
        level = counter.reference(i) ^ invert
        return line.follow(t_ps, self._tick, level, ahead, repeats=not counter.opm)

    def _follow_late(self, t_ps: int, i: int) -> int:
        """Both outputs of a channel, with dead time between them."""
        counter, tick = self._counter, self.clock.ticks_at(t_ps)
        early = max(0, self._tick - tick)  # the count has yet to begin
        tick = self._tick - early
        ahead = []
        if self._running:
            ahead = [early + counter.ticks_for(clocks) for clocks in counter.changes(i)]
        pair = self._dead[i]
        pair.look(tick, counter.reference(i), ahead)
        delay = dead_ticks(self.bdtr.DTG, self.cr1.CKD)
        need = FOREVER
        for active, line, polarity in (
            (1, self._mains[i], P),
            (0, self._complements[i], NP),
        ):
            on, changes = pair.output(tick, active, delay)
            level = on ^ bool(self._enable_bits(i) & polarity)
            if changes and not self.clock.hz:
                changes = []
            ticks = line.follow(
                t_ps, tick, level, changes, repeats=self._running and not counter.opm
            )
            need = min(need, ticks - early if ticks else FOREVER)
        return need

    def _stages(self, i: int) -> tuple[Stage, Stage]:
        """CHx and CHxN of a channel."""
        bits = self._enable_bits(i)
        if i not in self._counter.outputs:
            return OFF, OFF
        if not self.instance.advanced:
            return (True, int(bool(bits & P))) if bits & E else OFF, OFF
        bdtr, has_n = self.bdtr, i < len(self._complements)
        idle = Idle(
            moe=bool(bdtr.MOE),
            ossi=bool(bdtr.OSSI),
            ossr=bool(bdtr.OSSR),
            ois=getattr(self.cr2, f"OIS{i + 1}"),
            ois_n=getattr(self.cr2, f"OIS{i + 1}N") if has_n else 0,
            settling=self._idle_from > self._tick,
        )
        if not idle.moe and idle.ossi and has_n and idle.both_active(bits):
            self.soc.hazard(
                "timer-idle",
                f"{self.name}: OIS{i + 1} and OIS{i + 1}N make both outputs active: they stay off",
            )
        return stages(bits, idle, has_n=has_n)

    def _tell_slaves(self, t_ps: int) -> int:
        """TRGO, as CR2.MMS selects it; ticks until it changes by itself."""
        updated, matched = self._updated, self._matched
        reinitialised = self._reinitialised
        self._updated = self._matched = self._reinitialised = False
        if not self._slaves:
            return FOREVER
        counter, mms = self._counter, self._mms
        clocks = FOREVER
        if mms == _ON_ENABLE:
            self._trgo.drive(t_ps, int(bool(self.cr1.CEN and self._gate)))
            if self._running and counter.opm:
                clocks = counter.clocks_to_update()
        elif mms > _ON_COMPARE:
            i = mms - _ON_COMPARE - 1
            if i in self._channels:
                self._trgo.drive(t_ps, counter.reference(i))
                clocks = min([*counter.changes(i)[:1], FOREVER])
        else:
            happened = {_ON_RESET: reinitialised, _ON_UPDATE: updated, _ON_COMPARE: matched}
            self._trgo.drive(t_ps, 0)
            if happened[mms]:
                self._trgo.drive(t_ps, 1)
                self._trgo.drive(t_ps, 0)
            if mms == _ON_UPDATE:
                clocks = counter.clocks_to_update()
            elif mms == _ON_COMPARE and 0 in counter.outputs:
                clocks = counter.clocks_to_flag(0)
        if not self._running:
            return FOREVER
        if not counter.settled:
            clocks = min(clocks, counter.clocks_to_update())
        return counter.ticks_for(clocks) if clocks < FOREVER else FOREVER
