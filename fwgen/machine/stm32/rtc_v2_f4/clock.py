"""The RTC on its registers. RM0368 §17."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from fwgen.machine.peripheral import Peek, Peripheral, Reg
from fwgen.machine.stm32.rtc_v2_f4.alarms import read_pattern
from fwgen.machine.stm32.rtc_v2_f4.calendar import DAY, HOUR, Moment, read_registers
from fwgen.machine.stm32.rtc_v2_f4.pins import Pins
from fwgen.machine.stm32.rtc_v2_f4.prescalers import Coarse, Prescalers, Smooth
from fwgen.machine.stm32.rtc_v2_f4.waits import Waits
from fwgen.machine.time import NEVER

if TYPE_CHECKING:
    from collections.abc import Callable

    from fwgen.board.types import PeripheralSpec
    from fwgen.machine.peripheral import Register
    from fwgen.machine.soc import Soc

UNLOCK = (0xCA, 0x53)
SYNC = 2  # ticks until a change of INIT, ALRxE or WUTE is seen (§17.3.5: 1 to 2)
LOAD = 4  # ticks until the calendar counts after initialization (§17.3.5)
RECALIBRATION = 3  # cycles of ck_apre until a new CALR counts (§17.3.11)
BACKUPS = 20
LINES = {"ALARM": 17, "STAMP": 21, "WAKEUP": 22}  # of EXTI (§17.5)
EVENTS = ("ALRAF", "ALRBF", "WUTF", "TSF", "TSOVF", "TAMP1F", "TAMP2F")
SHADOWS = ("TR", "DR", "SSR")
OUTSIDE_THE_KEY = ("WPR", "TAFCR", "ISR")  # ISR: its events only


class Rtc(Peripheral, registers="stm32.rtc_v2_f4"):
    """Calendar, two alarms, wake-up timer, timestamp, tamper detection, backup registers.

    Counts RTCCLK, in Stop and Standby too where that is LSE or LSI; nothing is scheduled but what
    raises a flag. The backup domain's reset clears it, a system reset only INIT, INITF, RSF and
    the shadow registers. What firmware writes reaches it while PWR_CR.DBP is set.

    TR, DR and SSR read the shadow registers, copied on every second tick, or with BYPSHAD the
    counters. Reading SSR or TR holds what is above it until DR is read.

    Source: RM0368 §17.3, §17.6.
    Not modelled: reference clock detection (REFCKON) and the output on RTC_AF1 (COE, OSEL), which
    are Gaps; RTC_AF2, which this package lacks; the two wait states of an access; the value that
    a read through BYPSHAD may spoil when the counter moves under it (§17.3.6).
    Not known, and taken as: synchronisation takes two ticks wherever "1 to 2" are told; a shift
    happens as soon as that; the wake-up timer's divided clock begins with WUTE, and neither
    calibration reaches it; ADD1H at 23 h begins the next day; a time without a date (DR = 0) counts
    up to midnight, and is a Gap from then on.
    """

    tr, dr, ssr, prer, wutr = Reg(), Reg(), Reg(), Reg(), Reg()
    cr = Reg(unmodelled=("REFCKON", "COE", "OSEL"))
    isr, calibr, wpr, shiftr, calr = Reg(), Reg(), Reg(), Reg(), Reg()
    alrmar, alrmbr, alrmassr, alrmbssr = Reg(), Reg(), Reg(), Reg()
    tstr, tsdr, tsssr = Reg(), Reg(), Reg()
    tafcr = Reg(unmodelled=("TAMP2E", "TAMP1INSEL", "TSINSEL"))
    (
        bkp0r, bkp1r, bkp2r, bkp3r, bkp4r, bkp5r, bkp6r, bkp7r, bkp8r, bkp9r, bkp10r, bkp11r,
        bkp12r, bkp13r, bkp14r, bkp15r, bkp16r, bkp17r, bkp18r, bkp19r,
    ) = (Reg() for _ in range(BACKUPS))  # fmt: skip

    def __init__(self, spec: PeripheralSpec, soc: Soc) -> None:
        super().__init__(spec, soc)
        self._rtcclk = soc.clock("RTCCLK")
        self.waits = Waits(soc.scheduler, self._rtcclk)
        self._pins = Pins(self)
        self._begin()

    def _begin(self) -> None:
        """As after a reset of the backup domain: counting from 00-01-01 0:00, locked."""
        self._key = 0  # of the two keys, how many came
        self._running = True
        self._dividers = Prescalers(tick=self.tick)
        self._moment = Moment(0)
        self._spre = 0  # seconds divided so far, whatever the calendar was set to
        self._wake_from = 0  # tick, or second, at which the wake-up timer began
        self._stamped: tuple[Moment, int] | None = None
        self._asleep = False
        self._prescaled = 0  # writes of PRER since initialization mode was entered
        self._set = False  # whether TR or DR was written since
        self._unset: list[str] = []  # what of a time that nobody wrote is none, until it is read
        self._reset_shadows()

    @property
    def tick(self) -> int:
        """Ticks of RTCCLK so far."""
        return self._rtcclk.ticks_at(self.soc.now_ps)

    # ------------------------------------------------------------------ resets

    def reset(self, t_ps: int) -> None:
        """Only a reset of the backup domain reaches more than the interface."""
        if self.soc.backup_lost:
            self.reset_backup_domain(t_ps)
            return
        if self.isr.INIT or self.isr.INITF:
            self._leave_initialization(t_ps)
        self.isr.set(INIT=0, INITF=0, RSF=0)
        self._asleep = False
        self._reset_shadows()
        self._requests(t_ps)

    def reset_backup_domain(self, t_ps: int) -> None:
        """Power came, or RCC_BDCR.BDRST."""
        self.waits.clear()
        for state in self.states.values():
            state.value = state.reset_value
        self._begin()
        self._pins.configure(t_ps, enabled=False)
        self._requests(t_ps)

    def standby(self, t_ps: int) -> None:
        """The interface loses its supply, the backup domain does not."""

    def _reset_shadows(self) -> None:
        self._held: tuple[int, int, int] | None = (0, self.dr.spec.reset, 0)
        self._locked: dict[str, int] = {}
        self._await_copy()

    # ------------------------------------------------------------------ the bus

    def write(self, offset: int, size: int, value: int, t_ps: int) -> None:
        """A write passes the backup domain's lock, and then the key's."""
        spec = self.MAP.at(offset)
        name = spec.name if spec is not None else ""
        if self._backup_locked():
            self._lost(name, "while PWR_CR.DBP is 0", "set PWR_CR.DBP first", "backup-locked")
        elif (
            self._key < len(UNLOCK)
            and not name.startswith("BKP")
            and (name not in OUTSIDE_THE_KEY and name in self.states)
        ):
            self._lost(name, "while write-protected", "write 0xCA, then 0x53 to WPR", "rtc-locked")
        elif name.startswith("BKP") and self.isr.TAMP1F:
            self._lost(name, "while TAMP1F holds it at 0", "clear TAMP1F first", "rtc-tampered")
        else:
            super().write(offset, size, value, t_ps)

    def _backup_locked(self) -> bool:
        pwr, rcc = self.soc.peripherals.get("PWR"), self.soc.peripherals.get("RCC")
        held = rcc is not None and rcc.states["BDCR"].BDRST
        return bool(held or (pwr is not None and not pwr.states["CR"].DBP))

    def _lost(self, name: str, why: str, cure: str, code: str = "rtc-write") -> None:
        self.soc.hazard(
            code,
            f"{self.name}.{name} written {why}: the write is lost",
            section="RM0368 §17.3.5",
            cure=cure,
        )

    def _keep(self, register: Register, before: int, why: str, cure: str) -> None:
        """Undo a write that the hardware does not take."""
        if register.value != before:
            register.value = before
            self._lost(register.name, why, cure)

    @wpr.on_write
    def _unlock(self, t_ps: int, written: int, before: int) -> None:
        key = written & 0xFF
        if self._key == 1 and key == UNLOCK[1]:
            self._key = 2
        else:
            self._key = int(key == UNLOCK[0] and self._key < 2)
        self.wpr.value = 0

    # ------------------------------------------------------------------ time

    def _calendar(self, tick: int) -> tuple[Moment, int]:
        """What the counters hold at a tick."""
        if not self._running:
            return self._moment, self._dividers.sub
        seconds, sub = self._dividers.at(max(tick, self._dividers.tick))
        return self._moment.later(seconds), sub

    def _settle(self) -> None:
        """Bring what is remembered of the counters up to now, before something changes them."""
        tick = self.tick
        if self._running and tick > self._dividers.tick:
            seconds, _ = self._dividers.at(tick)
            self._moment = self._moment.later(seconds)
            self._spre += seconds
            self._dividers = self._dividers.moved(tick)
        else:
            self._dividers = replace(self._dividers, tick=tick)

    def _foresee(self) -> None:
        """The counters go on otherwise: find anew when each flag rises."""
        for alarm in "AB":
            self._arm_alarm(alarm)
        self._arm_wakeup()
        self.waits.cancel("MIDNIGHT")
        if self._running and self._moment.undated:
            tick = max(self.tick, self._dividers.tick)
            there = self._dividers.moved(tick)
            midnight = there.tick_of(DAY - self._calendar(tick)[0].of_day, there.synchronous)
            self.waits.at("MIDNIGHT", midnight, self._undated_midnight)

    def _undated_midnight(self, t_ps: int) -> None:
        where = self.spec.base + self.dr.spec.offset
        self.soc.gap(self.name, "DR", "read", where, "midnight came while there is no date")

    def _registers(self, tick: int) -> tuple[int, int, int]:
        moment, sub = self._calendar(tick)
        return moment.time_register(twelve=bool(self.cr.FMT)), moment.date_register(), sub

    # ------------------------------------------------------------------ shadow registers

    def on_clock(self, t_ps: int) -> None:
        """Without the APB's clock (Stop) nothing is copied; then it takes up to two ticks."""
        if not self.clock.hz and not self._asleep:
            self._asleep = True
            self._hold()
            self.waits.cancel("COPY")
        elif self.clock.hz and self._asleep:
            self._asleep = False
            self._await_copy()

    def _hold(self) -> None:
        if self._held is None:
            self._held = self._registers(self.tick & ~1)

    def _await_copy(self) -> None:
        """The shadow registers are as they are until the next copy."""
        if self._running and not self._asleep and "SHIFT" not in self.waits:
            self.waits.at("COPY", (self.tick & ~1) + 2, self._copied)

    def _copied(self, t_ps: int) -> None:
        self._held = None
        if not self.cr.BYPSHAD:
            self.isr.set(RSF=1)

    def _shown(self, name: str, tick: int) -> int:
        if self.isr.INITF:
            return self._dividers.sub if name == "SSR" else self.states[name].value
        if self.cr.BYPSHAD:
            return self._registers(tick)[SHADOWS.index(name)]
        if name in self._locked:
            return self._locked[name]
        values = self._held or self._registers(tick & ~1)
        return values[SHADOWS.index(name)]

    @tr.on_read
    def _read_time(self, t_ps: int) -> int:
        return self._read_shadow("TR")

    @dr.on_read
    def _read_date(self, t_ps: int) -> int:
        value = self._read_shadow("DR")
        self._locked.clear()
        return value

    @ssr.on_read
    def _read_sub(self, t_ps: int) -> int:
        return self._read_shadow("SSR")

    def _read_shadow(self, name: str) -> int:
        """Reading locks the registers above until DR is read (§17.3.6)."""
        tick = self.tick
        value = self._shown(name, tick)
        if not self.isr.INITF:
            wrong, self._unset = self._unset, []
            self._tell_no_time(wrong)
        if not self.cr.BYPSHAD and not self.isr.INITF:
            self._doubt(name, value, tick)
            for above in {"SSR": ("TR", "DR"), "TR": ("DR",)}.get(name, ()):
                self._locked.setdefault(above, self._shown(above, tick))
        return value

    def _doubt(self, name: str, value: int, tick: int) -> None:
        """What makes a shadow register tell something else than the time."""
        if not self.isr.RSF:
            self._stale(name, "before RSF is set", "wait for RSF in ISR first")
        elif self._held is not None:
            self._stale(
                name, "right after Stop: it is as before", "clear RSF after waking, and wait for it"
            )
        elif name in self._locked and value != self._registers(tick & ~1)[SHADOWS.index(name)]:
            self._stale(
                name, "again without reading DR, which locks it", "read DR after each SSR or TR"
            )
        elif self.clock.hz < 7 * self._rtcclk.hz:
            self._stale(
                name, "with APB1 slower than seven times RTCCLK", "set BYPSHAD, and read twice"
            )

    def _stale(self, name: str, when: str, cure: str) -> None:
        self.soc.hazard(
            "rtc-shadow",
            f"{self.name}.{name} read {when}: it need not be the time",
            cure=cure,
        )

    def peek(self, offset: int, size: int, t_ps: int) -> Peek | None:
        """The calendar can be foreseen unless a read would change what the next one gives."""
        spec = self.MAP.at(offset)
        if spec is None or spec.name not in SHADOWS:
            return super().peek(offset, size, t_ps)
        tick = self._rtcclk.ticks_at(t_ps)
        bypass = bool(self.cr.BYPSHAD)
        now = self._registers(tick if bypass else tick & ~1)
        plain = self.isr.RSF and self._held is None and self.clock.hz >= 7 * self._rtcclk.hz
        held = any(now[SHADOWS.index(name)] != value for name, value in self._locked.items())
        if self.isr.INITF or self._unset or (not bypass and (held or not plain)):
            return None
        lane = offset - spec.offset
        value = now[SHADOWS.index(spec.name)] >> 8 * lane & (1 << 8 * size) - 1
        return Peek(value, self._holds_until(spec.name, tick, bypass=bypass))

    def _holds_until(self, name: str, tick: int, *, bypass: bool) -> int:
        if not self._running:
            return NEVER
        shown = max(tick if bypass else tick & ~1, self._dividers.tick)
        there = self._dividers.moved(shown)
        if name == "SSR" and there.sub:
            changes = there.tick_of(0, there.sub - 1)
        elif name == "DR":
            left = DAY - self._calendar(shown)[0].of_day
            changes = there.tick_of(left, there.synchronous)
        else:
            changes = there.tick_of(1, there.synchronous)
        if not bypass:
            changes += changes & 1
        return min(NEVER, self._rtcclk.time_of(max(changes, tick + 1)))

    # ------------------------------------------------------------------ initialization

    @isr.on_peek
    def _status(self, t_ps: int) -> Peek:
        moment, _ = self._calendar(self._rtcclk.ticks_at(t_ps))
        value, until = self.isr.value, NEVER
        if moment.second >= 366 * 86400:
            value |= self.isr.mask("INITS")  # "the calendar year field is different from 0"
        if self._running:
            base = max(self._rtcclk.ticks_at(t_ps), self._dividers.tick)
            there = self._dividers.moved(base)
            turn = there.tick_of(moment.seconds_to_year(), there.synchronous)
            until = min(NEVER, self._rtcclk.time_of(turn))
        return Peek(value, until)

    @isr.on_write
    def _status_written(self, t_ps: int, written: int, before: int) -> None:
        events = self.isr.mask(*EVENTS)
        cleared = before & ~self.isr.value & events
        if self._key < len(UNLOCK):
            kept = self.isr.value & events | before & ~events
            if kept != self.isr.value and not cleared:
                self._lost(
                    "ISR", "while write-protected", "write 0xCA, then 0x53 to WPR", "rtc-locked"
                )
            self.isr.value = kept
        self._events_cleared(t_ps, cleared)
        if self.isr.field("RSF", before) and not self.isr.RSF:
            self._hold()
            self._await_copy()
        if self.isr.INIT and not self.isr.field("INIT", before):
            self.waits.cancel("LOAD")
            self.waits.after("INIT", SYNC, self._initialize)
        elif not self.isr.INIT and self.isr.field("INIT", before):
            self._leave_initialization(t_ps)

    def _events_cleared(self, t_ps: int, cleared: int) -> None:
        self._requests(t_ps)
        for alarm in "AB":
            if self.isr.field(f"ALR{alarm}F", cleared):
                self._arm_alarm(alarm)
        if self.isr.field("WUTF", cleared):
            self._arm_wakeup()
        if self.isr.field("TSF", cleared):
            for register in (self.tstr, self.tsdr, self.tsssr):
                register.value = 0
        if self.isr.field("TAMP1F", cleared):
            self._pins.look_again(t_ps)

    def _initialize(self, t_ps: int) -> None:
        """Initialization mode: the calendar stands still, TR and DR take what is written."""
        self._settle()
        self.tr.value, self.dr.value, _ = self._registers(self.tick)
        self._running = False
        self._prescaled, self._set = 0, False
        self.isr.set(INITF=1, RSF=0)
        self._locked.clear()
        self.waits.cancel("COPY")
        self._foresee()

    def _leave_initialization(self, t_ps: int) -> None:
        if not self.isr.INITF:
            self.waits.cancel("INIT")
            return
        self.isr.set(INITF=0)
        self._moment, wrong = read_registers(self.tr.value, self.dr.value, twelve=bool(self.cr.FMT))
        # CR.FMT and PRER may well be set before the time: 0 h of 12 was written by nobody.
        self._unset = [] if self._set else wrong
        if self._set:
            self._tell_no_time(wrong)
        if self._moment.undated:
            self.soc.hazard("rtc-undated", f"{self.name} counts the time without a date: DR has 0")
        if self._prescaled == 1:
            self.soc.hazard(
                "rtc-prescalers",
                f"{self.name}.PRER was written once; the manual asks for two writes",
            )
        self._held = (self.tr.value, self.dr.value, self.prer.PREDIV_S)
        self._dividers = replace(
            self._dividers, asynchronous=self.prer.PREDIV_A, synchronous=self.prer.PREDIV_S,
            coarse=Coarse(2 * self.calibr.DC if self.cr.DCE else 0, bool(self.calibr.DCS)),
            smooth=self._smooth(), minute=0, cycle=0, sub=self.prer.PREDIV_S,
        )  # fmt: skip
        self.waits.after("LOAD", LOAD, self._load)

    def _tell_no_time(self, wrong: list[str]) -> None:
        for what in wrong:
            self.soc.hazard("rtc-no-time", f"{self.name} is set to what is no time: {what}")

    def _load(self, t_ps: int) -> None:
        self._settle()
        self._running = True
        self._await_copy()
        if self.isr.RECALPF:
            self._await_calibration()
        self._foresee()

    @tr.on_write
    def _set_time(self, t_ps: int, written: int, before: int) -> None:
        self._set = True
        self._only_in_initialization(self.tr, before)

    @dr.on_write
    def _set_date(self, t_ps: int, written: int, before: int) -> None:
        self._set = True
        self._only_in_initialization(self.dr, before)

    @prer.on_write
    def _set_prescalers(self, t_ps: int, written: int, before: int) -> None:
        self._only_in_initialization(self.prer, before)
        self._prescaled += 1

    @calibr.on_write
    def _set_coarse(self, t_ps: int, written: int, before: int) -> None:
        self._only_in_initialization(self.calibr, before)

    def _only_in_initialization(self, register: Register, before: int) -> None:
        if not self.isr.INITF:
            # What TR and DR hold beside initialization is no one's to compare with.
            if register in (self.tr, self.dr):
                register.value = before
                self._lost(register.name, "while INITF is 0", "set INIT, wait for INITF")
            else:
                self._keep(register, before, "while INITF is 0", "set INIT, wait for INITF")

    # ------------------------------------------------------------------ control

    @cr.on_write
    def _control(self, t_ps: int, written: int, before: int) -> None:
        self._refuse(before)
        cr, now = self.cr, self.cr.value
        changed = before ^ now
        if cr.field("BYPSHAD", changed):
            self._bypass()
        for alarm in "AB":
            if cr.field(f"ALR{alarm}E", changed):
                self._enable_alarm(alarm, on=bool(cr.field(f"ALR{alarm}E", now)))
        if cr.field("WUTE", changed):
            self._enable_wakeup(on=bool(cr.WUTE))
        if cr.field("TSE", changed):
            self._pins.configure(t_ps, enabled=False)
        elif cr.TSE and cr.field("TSEDGE", changed):
            self.soc.hazard(
"rtc-edge",
f"{self.name}.CR.TSEDGE changed while TSE is set: TSF may "
                "be set by that",
)  # fmt: skip
        if not self.isr.INITF and (cr.field("ADD1H", written) or cr.field("SUB1H", written)):
            hours = cr.field("ADD1H", written) - cr.field("SUB1H", written)
            self._at_next_second("HOUR", lambda _: self._shift_hour(hours))
        if self.cr.DCE and self.calr.value:
            self._both_calibrations()
        self._requests(t_ps)

    def _refuse(self, before: int) -> None:
        """Put back the bits that may not be written now (§17.6.3)."""
        cr, wrong = self.cr, before ^ self.cr.value
        if not self.isr.INITF:
            bits = wrong & cr.mask("DCE", "FMT", "REFCKON")
            if bits:
                cr.value ^= bits
                self._lost("CR", "(DCE, FMT or REFCKON) while INITF is 0", "set INIT first")
        bits = wrong & cr.mask("WUCKSEL")
        if bits and (cr.field("WUTE", before) or not self.isr.WUTWF):
            cr.value ^= bits
            self._lost("CR", "(WUCKSEL) while WUTWF is 0", "clear WUTE, wait for WUTWF")

    def _bypass(self) -> None:
        self._locked.clear()
        if self.cr.BYPSHAD:
            self.isr.set(RSF=0)
        elif not self.isr.INITF:
            self._await_copy()

    def _at_next_second(self, name: str, call: Callable[[int], None]) -> None:
        if self._running:
            there = self._dividers.moved(max(self.tick, self._dividers.tick))
            self.waits.at(name, there.tick_of(1, there.synchronous), call)

    def _shift_hour(self, hours: int) -> None:
        self._settle()
        if hours > 0 or (hours < 0 and self._moment.hour):
            self._moment = self._moment.later(hours * HOUR)
            self._foresee()

    @shiftr.on_write
    def _shift(self, t_ps: int, written: int, before: int) -> None:
        self.shiftr.value = 0
        _, sub = self._calendar(self.tick)
        if self.isr.SHPF:
            self._lost("SHIFTR", "while SHPF is set", "wait until SHPF is 0")
            return
        if sub >> 15:
            self.soc.hazard(
"rtc-shift",
f"{self.name}.SHIFTR written while SSR is {sub:#x}: it may "
                "overflow",
)  # fmt: skip
        self.isr.set(SHPF=1, RSF=0)
        self._hold()
        self.waits.cancel("COPY")
        add, less = self.shiftr.field("ADD1S", written), self.shiftr.field("SUBFS", written)
        self.waits.after("SHIFT", SYNC, lambda _: self._shifted(add, less))

    def _shifted(self, add: int, less: int) -> None:
        self._settle()
        self._moment = self._moment.later(add)
        self._dividers = replace(self._dividers, sub=(self._dividers.sub + less) & 0xFFFF)
        self.isr.set(SHPF=0)
        self._await_copy()
        self._foresee()

    @calr.on_write
    def _calibrate(self, t_ps: int, written: int, before: int) -> None:
        if self.isr.RECALPF:
            self._keep(self.calr, before, "while RECALPF is set", "wait until RECALPF is 0")
            return
        if self.cr.DCE and self.calr.value:
            self._both_calibrations()
        self.isr.set(RECALPF=1)
        if self._running:
            self._await_calibration()

    def _both_calibrations(self) -> None:
        self.soc.hazard(
"rtc-calibrations",
f"{self.name}: coarse and smooth calibration together",
)  # fmt: skip

    def _await_calibration(self) -> None:
        there = self._dividers.moved(max(self.tick, self._dividers.tick))
        self.waits.at("RECALP", there.tick_of_cycle(RECALIBRATION), self._calibrated)

    def _calibrated(self, t_ps: int) -> None:
        self._settle()
        self.isr.set(RECALPF=0)
        self._dividers = replace(self._dividers, smooth=self._smooth())
        self._foresee()

    def _smooth(self) -> Smooth:
        stuck = 3 if self.calr.CALW8 else self.calr.CALW16
        # "If PREDIV_A is less than 3, CALP is ignored" (§17.3.11).
        return Smooth(bool(self.calr.CALP and self.prer.PREDIV_A >= 3), self.calr.CALM & ~stuck)

    # ------------------------------------------------------------------ alarms

    def _enable_alarm(self, alarm: str, *, on: bool) -> None:
        if on:
            self.waits.cancel(f"ALR{alarm}WF")
            self.isr.set(**{f"ALR{alarm}WF": 0})
            if self.prer.PREDIV_S < 3 and not self.states[f"ALRM{alarm}R"].MSK1:
                self.soc.hazard(
"rtc-alarm",
f"alarm {alarm} compares seconds, and PREDIV_S is "
                    f"{self.prer.PREDIV_S}: it may not go off",
)  # fmt: skip
        else:
            flag = {f"ALR{alarm}WF": 1}
            self.waits.after(f"ALR{alarm}WF", SYNC, lambda _: self.isr.set(**flag))
        self._arm_alarm(alarm)

    @alrmar.on_write
    def _set_alarm_a(self, t_ps: int, written: int, before: int) -> None:
        self._set_alarm("A", self.alrmar, before)

    @alrmbr.on_write
    def _set_alarm_b(self, t_ps: int, written: int, before: int) -> None:
        self._set_alarm("B", self.alrmbr, before)

    @alrmassr.on_write
    def _set_alarm_a_sub(self, t_ps: int, written: int, before: int) -> None:
        self._set_alarm("A", self.alrmassr, before)

    @alrmbssr.on_write
    def _set_alarm_b_sub(self, t_ps: int, written: int, before: int) -> None:
        self._set_alarm("B", self.alrmbssr, before)

    def _set_alarm(self, alarm: str, register: Register, before: int) -> None:
        flag = f"ALR{alarm}WF"
        if not self.isr.field(flag, self.isr.value) and not self.isr.INITF:
            cure = f"clear CR.ALR{alarm}E, wait for {flag}"
            self._keep(register, before, f"while {flag} is 0", cure)

    def _arm_alarm(self, alarm: str) -> None:
        name = f"ALR{alarm}F"
        self.waits.cancel(name)
        enabled = self.cr.field(f"ALR{alarm}E", self.cr.value)
        if not enabled or not self._running or self.isr.field(name, self.isr.value):
            return
        pattern = read_pattern(
            self.states[f"ALRM{alarm}R"].value, self.states[f"ALRM{alarm}SSR"].value,
            twelve=bool(self.cr.FMT),
        )  # fmt: skip
        tick = max(self.tick, self._dividers.tick)
        moment, sub = self._calendar(tick)
        there = self._dividers.moved(tick)
        found = pattern.following(moment, sub, there.synchronous)
        if found is not None:
            self.waits.at(name, there.tick_of(*found), lambda t: self.raise_flag(t, name))

    def raise_flag(self, t_ps: int, name: str) -> None:
        """An event's flag, and what it requests."""
        self.isr.set(**{name: 1})
        self._requests(t_ps)

    # ------------------------------------------------------------------ wake-up timer

    @wutr.on_write
    def _set_wakeup(self, t_ps: int, written: int, before: int) -> None:
        if not self.isr.WUTWF and not self.isr.INITF:
            self._keep(self.wutr, before, "while WUTWF is 0", "clear WUTE, wait for WUTWF")

    def _enable_wakeup(self, *, on: bool) -> None:
        self._settle()
        self._wake_from = self._spre if self.cr.WUCKSEL & 4 else self.tick
        if on and self.cr.WUCKSEL == 3 and self.wutr.WUT == 0:
            self.soc.hazard(
"rtc-wakeup",
f"{self.name}.WUTR is 0 with RTCCLK/2, which is forbidden",
)  # fmt: skip
        after = int(not on)
        self.waits.after("WUTWF", SYNC, lambda _: self.isr.set(WUTWF=after))
        self._arm_wakeup()

    def _arm_wakeup(self) -> None:
        self.waits.cancel("WUTF")
        if not self.cr.WUTE or self.isr.WUTF:
            return
        period, choice = self.wutr.WUT + 1, self.cr.WUCKSEL
        if choice & 4:
            if not self._running:
                return
            tick = max(self.tick, self._dividers.tick)
            done = self._spre + self._dividers.at(tick)[0]
            period += 0x10000 if choice & 2 else 0
            left = period - (done - self._wake_from) % period
            there = self._dividers.moved(tick)
            due = there.tick_of(left, there.synchronous)
        else:
            period *= 16 >> choice
            due = self.tick + period - (self.tick - self._wake_from) % period
        self.waits.at("WUTF", due, lambda t: self.raise_flag(t, "WUTF"))

    # ------------------------------------------------------------------ timestamp, tamper

    @tafcr.on_write
    def _tamper_setup(self, t_ps: int, written: int, before: int) -> None:
        enabled = self.tafcr.TAMP1E and not self.tafcr.field("TAMP1E", before)
        self._pins.configure(t_ps, enabled=bool(enabled))
        self._requests(t_ps)

    def stamp(self, t_ps: int) -> None:
        """A timestamp event: kept now, told two cycles of ck_apre later (§17.3.12)."""
        if self.isr.TSF or self._stamped is not None:
            self.isr.set(TSOVF=1)
            return
        self._stamped = self._calendar(self.tick)
        there = self._dividers.moved(max(self.tick, self._dividers.tick))
        self.waits.at("STAMP", there.tick_of_cycle(2), self._tell_stamp)

    def _tell_stamp(self, t_ps: int) -> None:
        if self._stamped is None:
            return
        (moment, sub), self._stamped = self._stamped, None
        self.tstr.value = moment.time_register(twelve=bool(self.cr.FMT))
        self.tsdr.value = moment.date_register() & 0xFFFF
        self.tsssr.value = sub
        self.raise_flag(t_ps, "TSF")

    def tampered(self, t_ps: int) -> None:
        """A tamper event erases the backup registers (§17.3.13)."""
        for n in range(BACKUPS):
            self.states[f"BKP{n}R"].value = 0
        if self.tafcr.TAMPTS:
            if self.isr.TSF or self._stamped is not None:
                self.isr.set(TSOVF=1)
            else:
                self._stamped = self._calendar(self.tick)
                self._tell_stamp(t_ps)
        self.raise_flag(t_ps, "TAMP1F")

    # ------------------------------------------------------------------ requests

    def _requests(self, t_ps: int) -> None:
        """Levels into EXTI, whose edges interrupt; and into PWR, where they wake (§17.5)."""
        isr, cr = self.isr, self.cr
        levels = {
            "ALARM": isr.ALRAF & cr.ALRAIE | isr.ALRBF & cr.ALRBIE,
            "STAMP": isr.TSF & cr.TSIE | isr.TAMP1F & self.tafcr.TAMPIE,
            "WAKEUP": isr.WUTF & cr.WUTIE,
        }
        self.soc.fabric.output("RTC_WAKEUP").drive(t_ps, int(bool(levels["WAKEUP"])))  # to TIM5
        exti: Any = self.soc.peripherals.get("EXTI")
        pwr: Any = self.soc.peripherals.get("PWR")
        for name, level in levels.items():
            if pwr is not None:
                pwr.wake_line(t_ps, f"RTC.{name}", level)
            if exti is not None:
                exti.drive(LINES[name], level, t_ps)
