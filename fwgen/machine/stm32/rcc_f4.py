"""Reset and clock control of the STM32F4. RM0368 §6.

Every change of a flag is an event of the scheduler, so registers hold what a read at the present
time gives. Which bit clocks which peripheral is data (``PeripheralSpec.gate``).

Not modelled: HSITRIM (a Gap), spread spectrum (a Gap), the HSI's deviation from its nominal
frequency, LSE and HSE drift, the AHB cycles that a new prescaler may take (§6.3.3), an external
clock's shorter start (HSEBYP is given the crystal's).
"""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Any

from fwgen.machine.peripheral import Peek, Peripheral, Reg
from fwgen.machine.time import NEVER
from fwgen.machine.waves import SquareWave
from fwgen.trace import Clock
from fwgen.units import MHZ_PER_HZ, PS_PER_S, show_frequency

if TYPE_CHECKING:
    from collections.abc import Callable

    from fwgen.board.types import PeripheralSpec
    from fwgen.machine.soc import Soc
    from fwgen.machine.time import Timer

STOPPED = Fraction(0)
SOURCES = ("hsi", "hse", "pll")  # CFGR.SW
NAMES = ("lsi", "lse", "hsi", "hse", "pll", "plli2s")  # in the order of CIR

# Cycles of its own clock after which a ready flag falls when the oscillator is switched off
# (§6.3.1, §6.3.21, §6.3.22).
FALL_CYCLES = {"hsi": 6, "hse": 6, "lsi": 3, "lse": 6, "pll": 0, "plli2s": 0}
# Cycles of the old and of the new clock that a switch of SYSCLK takes. The manual gives no
# figure; two of each is what a glitch-free multiplexer needs.
SWITCH_CYCLES = 2

RTC_MOST_HZ = 1_000_000  # RTCPRE: "the clock supplied to the RTC is 1 MHz" (§6.3.3)
RESET_FLAGS = ("BORRSTF", "PINRSTF", "PORRSTF", "SFTRSTF", "IWDGRSTF", "WWDGRSTF", "LPWRRSTF")


class Oscillator:
    """One source: when it became, or becomes, ready, and the event that is to come."""

    __slots__ = ("on", "ready", "timer")

    def __init__(self) -> None:
        self.on = False
        self.ready = False
        self.timer: Timer | None = None

    def cancel(self) -> None:
        """Forget the change that is under way."""
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None


class Rcc(Peripheral, registers="stm32.rcc_f4", also=("stm32.rcc_f407",)):
    """Reset and clock control. RM0368 §6.

    Keeps the chip's clock domains ("SYSCLK", "HCLK", "APB1", "APB2", "APB1_TIM", "APB2_TIM",
    "HSI", "HSE", "PLL", "PLL48", "PLLI2S", "LSI", "LSE", "RTCCLK", "HSE_RTC"), each
    peripheral's own domain and ``soc.gated``.

    ``on_nmi(t_ps, level)`` is the clock security system's request to the core.
    """

    cr = Reg(unmodelled=("HSITRIM",))
    pllcfgr, cfgr, cir = Reg(), Reg(), Reg()
    ahb1rstr, ahb2rstr, ahb3rstr, apb1rstr, apb2rstr = Reg(), Reg(), Reg(), Reg(), Reg()
    ahb1enr, ahb2enr, ahb3enr, apb1enr, apb2enr = Reg(), Reg(), Reg(), Reg(), Reg()
    ahb1lpenr, ahb2lpenr, ahb3lpenr, apb1lpenr, apb2lpenr = Reg(), Reg(), Reg(), Reg(), Reg()
    bdcr, csr = Reg(), Reg()
    sscgr = Reg(unmodelled=("SSCGEN",))
    plli2scfgr, dckcfgr = Reg(), Reg()

    def __init__(self, spec: PeripheralSpec, soc: Soc) -> None:
        super().__init__(spec, soc)
        self.on_nmi: Callable[[int, bool], None] | None = None
        self.hse_fails = False  # the board's HSE is broken
        self._oscillators = {name: Oscillator() for name in NAMES}
        self._switch: Timer | None = None
        self._sleep = ""  # "", "sleep", "stop", "standby"
        self._lsi_forced = False
        self._gates: dict[str, list[PeripheralSpec]] = {}  # enable register -> what it clocks
        for other in soc.chip.peripherals.values():
            if other.gate is not None:
                self._gates.setdefault(other.gate.register, []).append(other)
        self.sleepers: tuple[PeripheralSpec, ...] = ()  # enabled, but not while the core sleeps
        self._held: set[str] = set()  # peripherals in reset
        self._frozen: set[str] = set()  # while a debugger halts the core

    # ------------------------------------------------------------------ reset

    def reset(self, t_ps: int) -> None:
        """System reset; a power reset when the cause says so. CSR's flags and BDCR outlive it."""
        cause = self.soc.reset_cause
        power, backup = self.soc.powered_up, self.soc.backup_lost
        csr, bdcr = self.csr.value & ~self.csr.mask("LSION", "LSIRDY"), self.bdcr.value
        self._sleep = ""
        if self._switch is not None:
            self._switch.cancel()
            self._switch = None
        for name, oscillator in self._oscillators.items():
            if name != "lse" or backup:
                oscillator.cancel()
                oscillator.on = oscillator.ready = name == "hsi"
        self._lsi_forced = False
        self._held.clear()
        for state in self.states.values():
            state.value = state.reset_value
        if not power:
            # Every reset but those of the supply pulls NRST low, hence PINRSTF (§6.1.1).
            self.csr.value = csr
            self.csr.set(PINRSTF=1)
        if cause in RESET_FLAGS:
            self.csr.set(**{cause: 1})
        if not backup:
            self.bdcr.value = bdcr
        self._requests(t_ps)
        self._apply(t_ps)

    def freeze(self, t_ps: int, *, frozen: bool) -> None:
        """Timers stand still while the core is halted, where DBGMCU asks for it (§23.16.3)."""
        dbgmcu: Any = self.soc.peripherals.get("DBGMCU")
        names: set[str] = set()
        if frozen and dbgmcu is not None:
            gated = (spec for specs in self._gates.values() for spec in specs)
            names = {spec.name for spec in gated if dbgmcu.freezes(spec.name)}
            names |= {"RTC"} if dbgmcu.freezes("RTC") else set()
        if names != self._frozen:
            self._frozen = names
            self._gate(t_ps)
            self.soc.clock("RTCCLK").set(self._rtc(), t_ps)

    # ------------------------------------------------------------------ oscillators

    def hertz(self, name: str) -> Fraction:
        """The frequency of a source while it runs: "hsi", "hse", "lsi", "lse", "pll", "plli2s"."""
        clocks, board = self.soc.chip.clocks, self.soc.board
        match name:
            case "hsi":
                return Fraction(clocks.hsi_hz)
            case "hse":
                return Fraction(board.hse_hz or 0)
            case "lsi":
                return Fraction(clocks.lsi_hz)
            case "lse":
                return Fraction(board.lse_hz or 0)
            case "pll":
                return self._vco() / (2 * (self.pllcfgr.PLLP + 1))
            case _:
                n, r = self.plli2scfgr.PLLI2SN, self.plli2scfgr.PLLI2SR
                return self._vco_in("plli2s") * n / r if r else STOPPED

    def running(self, name: str) -> Fraction:
        """The frequency of a source now: 0 unless it is ready."""
        return self.hertz(name) if self._oscillators[name].ready else STOPPED

    def force_lsi(self, t_ps: int) -> None:
        """The independent watchdog needs the LSI: on, and no way to switch it off (§6.2.5)."""
        self._lsi_forced = True
        self._start("lsi", t_ps)

    def fail_hse(self, t_ps: int) -> None:
        """The board's HSE breaks. The clock security system, if on, saves the day (§6.2.7)."""
        self.hse_fails = True
        hse = self._oscillators["hse"]
        watched = self.cr.CSSON and hse.ready
        hse.cancel()
        hse.ready = False
        self.cr.set(HSERDY=0)
        if watched:
            self._to_hsi(t_ps)
            self.cir.set(CSSF=1)
            self._requests(t_ps)
            if self.on_nmi is not None:
                self.on_nmi(t_ps, True)
        elif self.pllcfgr.PLLSRC:
            for name in ("pll", "plli2s"):
                self._set_ready(name, ready=False)
        self._apply(t_ps)

    def _to_hsi(self, t_ps: int) -> None:
        hsi = self._oscillators["hsi"]
        hsi.cancel()
        hsi.on = hsi.ready = True
        for name in ("hse", "pll", "plli2s") if self.pllcfgr.PLLSRC else ("hse",):
            self._oscillators[name].cancel()
            self._oscillators[name].on = False
            self._set_ready(name, ready=False)
        self.cr.set(HSION=1, HSIRDY=1, HSEON=0, CSSON=0)
        if self.pllcfgr.PLLSRC:
            self.cr.set(PLLON=0, PLLI2SON=0)
        if self._source() not in ("hsi", *(() if self.pllcfgr.PLLSRC else ("pll",))):
            self.cfgr.set(SW=0, SWS=0)

    def _divider(self, pll: str) -> int:
        """What divides a PLL's source: PLLM, unless PLLI2S has a divider of its own (F411)."""
        if pll == "plli2s" and self.has("PLLI2SCFGR", "PLLI2SM"):
            return self.plli2scfgr.PLLI2SM
        return self.pllcfgr.PLLM

    def _vco_in(self, pll: str = "pll") -> Fraction:
        m = self._divider(pll)
        source = self.running("hse" if self.pllcfgr.PLLSRC else "hsi")
        return source / m if m else STOPPED

    def _vco(self) -> Fraction:
        return self._vco_in() * self.pllcfgr.PLLN

    def _exists(self, name: str) -> bool:
        board = self.soc.board
        if name == "hse":
            # Bypass hands the pin's clock on; a crystal does not swing without its oscillator.
            bypassed_crystal = self.cr.HSEBYP and not board.hse_bypass
            return board.hse_hz is not None and not bypassed_crystal and not self.hse_fails
        if name == "lse":
            # No board here feeds OSC32_IN with a clock, which is what bypass needs.
            return board.lse_hz is not None and not self.bdcr.LSEBYP
        if name in ("pll", "plli2s"):
            return bool(self._oscillators["hse" if self.pllcfgr.PLLSRC else "hsi"].ready)
        return True

    def _start(self, name: str, t_ps: int) -> None:
        oscillator = self._oscillators[name]
        if oscillator.on:
            return
        oscillator.on = True
        oscillator.cancel()
        if oscillator.ready:  # switched on again before its flag fell
            return
        if self._exists(name):
            startup = self.soc.chip.clocks.startup_ps["pll" if name == "plli2s" else name]
            oscillator.timer = self.soc.scheduler.at(
                t_ps + startup, lambda t: self._became_ready(name, t)
            )

    def _stop(self, name: str, t_ps: int) -> None:
        oscillator = self._oscillators[name]
        if not oscillator.on or (name == "lsi" and self._lsi_forced):
            return
        oscillator.on = False
        oscillator.cancel()
        hz = self.running(name)
        if hz and FALL_CYCLES[name]:
            falls = t_ps + int(FALL_CYCLES[name] * PS_PER_S / hz)
            oscillator.timer = self.soc.scheduler.at(falls, lambda t: self._stopped(name, t))
        else:
            self._stopped(name, t_ps)

    def _became_ready(self, name: str, t_ps: int) -> None:
        self._oscillators[name].timer = None
        self._set_ready(name, ready=True)
        if self.cir.field(f"{name.upper()}RDYIE", self.cir.value):
            self.cir.set(**{f"{name.upper()}RDYF": 1})
            self._requests(t_ps)
        if name in ("hsi", "hse"):
            for pll in ("pll", "plli2s"):  # a PLL that was waiting for its source begins to lock
                waiting = self._oscillators[pll]
                if waiting.on and not waiting.ready and waiting.timer is None:
                    waiting.on = False
                    self._start(pll, t_ps)
        self._apply(t_ps)
        self._begin_switch(t_ps)

    def _stopped(self, name: str, t_ps: int) -> None:
        self._oscillators[name].timer = None
        self._set_ready(name, ready=False)
        if name == ("hse" if self.pllcfgr.PLLSRC else "hsi"):
            for pll in ("pll", "plli2s"):
                self._oscillators[pll].cancel()
                self._set_ready(pll, ready=False)
        self._apply(t_ps)

    def _set_ready(self, name: str, *, ready: bool) -> None:
        self._oscillators[name].ready = ready
        state = {"lsi": self.csr, "lse": self.bdcr}.get(name, self.cr)
        state.set(**{f"{name.upper()}RDY": int(ready)})

    def _next_change(self) -> int:
        timers = [o.timer for o in self._oscillators.values()]
        return min((t.t_ps for t in (*timers, self._switch) if t is not None), default=NEVER)

    # ------------------------------------------------------------------ control registers

    @cr.on_peek
    def _peek_cr(self, t_ps: int) -> Peek:
        return Peek(self.cr.value, self._next_change())

    @cfgr.on_peek
    def _peek_cfgr(self, t_ps: int) -> Peek:
        return Peek(self.cfgr.value, self._next_change())

    @csr.on_peek
    def _peek_csr(self, t_ps: int) -> Peek:
        return Peek(self.csr.value, self._next_change())

    @bdcr.on_peek
    def _peek_bdcr(self, t_ps: int) -> Peek:
        return Peek(self.bdcr.value, self._next_change())

    @cr.on_write
    def _control(self, t_ps: int, written: int, before: int) -> None:
        # "This bit cannot be cleared if the clock is used directly or indirectly as the system
        # clock", and so for each of them (§6.3.1). One that SW has left may be cleared while the
        # switch is under way: ST's LL_RCC_DeInit does, and waits without end for PLLRDY to fall.
        used = self._in_use()
        needed = used if self._switch is None else self._behind(SOURCES[self.cfgr.SW])
        for name in ("hsi", "hse", "pll"):
            if name in needed:
                self.cr.set(**{f"{name.upper()}ON": 1})
        if self.cr.field("HSEON", before):
            self.cr.set(HSEBYP=self.cr.field("HSEBYP", before))
        for name in ("hsi", "hse", "pll", "plli2s"):
            on = self.cr.field(f"{name.upper()}ON", self.cr.value)
            if on and not self.cr.field(f"{name.upper()}ON", before):
                self._check_source(name)
                self._start(name, t_ps)
            elif not on and name not in used:
                self._stop(name, t_ps)

    @pllcfgr.on_write
    def _configure_pll(self, t_ps: int, written: int, before: int) -> None:
        self._keep_while_on("pll", before)

    @plli2scfgr.on_write
    def _configure_plli2s(self, t_ps: int, written: int, before: int) -> None:
        self._keep_while_on("plli2s", before)

    def _keep_while_on(self, pll: str, before: int) -> None:
        register = self.pllcfgr if pll == "pll" else self.plli2scfgr
        if self._oscillators[pll].on and register.value != before:
            register.value = before
            self.soc.hazard(
                "pll-running",
                f"{register.name} written while {pll.upper()} is on: the write is lost",
            )

    @cfgr.on_write
    def _configure(self, t_ps: int, written: int, before: int) -> None:
        self._apply(t_ps)
        if self.cfgr.SW == 3:
            self.soc.hazard(
                "clock-select",
                "CFGR.SW selects no clock",
            )
        elif self._switch is None or self.cfgr.field("SW", before) != self.cfgr.SW:
            self._begin_switch(t_ps)

    def _begin_switch(self, t_ps: int) -> None:
        """A switch to a source that is not ready happens when it becomes ready (§6.2.6)."""
        wanted = self.cfgr.SW
        if self._switch is not None:
            self._switch.cancel()
            self._switch = None
        if wanted == self.cfgr.SWS or wanted == 3:
            return
        new, old = self.running(SOURCES[wanted]), self.running(self._source())
        if new:
            took = SWITCH_CYCLES * PS_PER_S * (1 / new + (1 / old if old else 0))
            self._switch = self.soc.scheduler.at(t_ps + int(took), self._switched)

    def _switched(self, t_ps: int) -> None:
        self._switch = None
        if self._oscillators[SOURCES[self.cfgr.SW]].ready:
            self.cfgr.set(SWS=self.cfgr.SW)
            self._apply(t_ps)
            for name in ("pll", "hse", "hsi"):
                if not self.cr.field(f"{name.upper()}ON", self.cr.value):
                    self._stop(name, t_ps)

    def _source(self) -> str:
        return SOURCES[self.cfgr.SWS]

    def _in_use(self) -> set[str]:
        used = self._behind(self._source())
        return used if self._switch is None else used | self._behind(SOURCES[self.cfgr.SW])

    def _behind(self, source: str) -> set[str]:
        """A source of SYSCLK, and what the PLL runs from."""
        return {source, "hse" if self.pllcfgr.PLLSRC else "hsi"} if source == "pll" else {source}

    # ------------------------------------------------------------------ interrupts

    @cir.on_write
    def _clear_flags(self, t_ps: int, written: int, before: int) -> None:
        for name in NAMES:
            if self.cir.field(f"{name.upper()}RDYC", written):
                self.cir.set(**{f"{name.upper()}RDYF": 0})
        if self.cir.field("CSSC", written) and self.cir.CSSF:
            self.cir.set(CSSF=0)
            if self.on_nmi is not None:
                self.on_nmi(t_ps, False)
        self._requests(t_ps)

    def _requests(self, t_ps: int) -> None:
        flags = self.cir.mask(*(f"{name.upper()}RDYF" for name in NAMES))
        self.irq(t_ps, "global", bool(self.cir.value & flags))
        self.soc.fabric.output("RCC_CSSF").drive(t_ps, self.cir.CSSF)  # breaks TIM1 and TIM8

    # ------------------------------------------------------------------ backup domain, LSI

    @bdcr.on_write
    def _backup_domain(self, t_ps: int, written: int, before: int) -> None:
        pwr = self.soc.peripherals.get("PWR")
        if pwr is not None and not pwr.states["CR"].DBP:
            lost = self.bdcr.value != before
            self.bdcr.value = before
            if lost:
                self.soc.hazard(
                    "backup-locked",
                    "RCC_BDCR written while the backup domain is locked: the write is lost",
                )
            return
        if self.bdcr.BDRST:
            self.bdcr.value &= self.bdcr.mask("BDRST", "LSERDY")
            self._reset_backup_domain(t_ps, begins=not self.bdcr.field("BDRST", before))
        elif self.bdcr.field("RTCSEL", before):
            self._keep_rtc_source(before)
        if self.bdcr.field("LSEON", before):
            self.bdcr.set(LSEBYP=self.bdcr.field("LSEBYP", before))
        if self.bdcr.LSEON:
            self._check_lse()
            self._start("lse", t_ps)
        else:
            self._stop("lse", t_ps)
        self._apply(t_ps)
        self._check_rtc_source()

    def _keep_rtc_source(self, before: int) -> None:
        """Once chosen, only a reset of the backup domain frees the choice (§6.3.20)."""
        chosen, wanted = self.bdcr.field("RTCSEL", before), self.bdcr.RTCSEL
        if chosen != wanted:
            self.bdcr.set(RTCSEL=chosen)
            self.soc.hazard(
                "rtc-source" if wanted else "rtc-source-kept",
                f"RCC_BDCR.RTCSEL written as {wanted} after a clock was chosen: the write is lost",
            )

    def _reset_backup_domain(self, t_ps: int, *, begins: bool) -> None:
        rtc: Any = self.soc.peripherals.get("RTC")
        if begins and rtc is not None:
            rtc.reset_backup_domain(t_ps)

    def _check_rtc_source(self) -> None:
        hz = self.soc.clock("RTCCLK").hz
        if self.bdcr.RTCSEL == 3 and hz > RTC_MOST_HZ:
            self.soc.hazard(
                "rtc-clock",
                f"RTCCLK is {_show(hz)}: from the HSE it may be {_show(Fraction(RTC_MOST_HZ))}",
            )

    def _check_lse(self) -> None:
        if self.soc.board.lse_hz is None:
            self.soc.hazard("lse-absent", "the board has no LSE: LSERDY never rises")
        elif self.bdcr.LSEBYP:
            self.soc.hazard(
                "lse-mode", "the board has a crystal, yet LSEBYP is 1: LSERDY never rises"
            )

    @csr.on_write
    def _control_status(self, t_ps: int, written: int, before: int) -> None:
        if self.csr.field("RMVF", written):
            self.csr.set(**dict.fromkeys(RESET_FLAGS, 0))
        if self.csr.LSION:
            self._start("lsi", t_ps)
        else:
            self._stop("lsi", t_ps)

    # ------------------------------------------------------------------ gates and resets

    @ahb1enr.on_write
    @ahb2enr.on_write
    @ahb3enr.on_write
    @apb1enr.on_write
    @apb2enr.on_write
    @ahb1lpenr.on_write
    @ahb2lpenr.on_write
    @ahb3lpenr.on_write
    @apb1lpenr.on_write
    @apb2lpenr.on_write
    @ahb1rstr.on_write
    @ahb2rstr.on_write
    @ahb3rstr.on_write
    @apb1rstr.on_write
    @apb2rstr.on_write
    def _gates_changed(self, t_ps: int, written: int, before: int) -> None:
        if written != before:  # drivers enable what is enabled, at each pin that they set up
            self._gate(t_ps)

    @dckcfgr.on_write
    def _timer_prescaler(self, t_ps: int, written: int, before: int) -> None:
        self._apply(t_ps)

    def _gate(self, t_ps: int) -> None:
        """Open and close the gates of all peripherals, reset them, and set their domains."""
        sleepers = []
        for register, specs in self._gates.items():
            enabled = self.states[register].value
            low_power = self.states.get(register.replace("ENR", "LPENR"))
            for spec in specs:
                assert spec.gate is not None
                mask = 1 << spec.gate.bit
                on = bool(enabled & mask)
                if on != self.soc.gated.get(spec.name, False):
                    self._settle(spec, t_ps, on=on)
                    self.soc.unclocked.clocked(spec.name)
                self.soc.gated[spec.name] = on
                if on and low_power is not None and not low_power.value & mask:
                    sleepers.append(spec)
                self._hold(spec, t_ps)
                still = spec.name in self._held or spec.name in self._frozen
                self._clock(spec, t_ps, on=on and not still)
        self.sleepers = tuple(sleepers)
        if self._sleep:
            self._stop_sleepers(t_ps)

    def _settle(self, spec: PeripheralSpec, t_ps: int, *, on: bool) -> None:
        """A new clock reaches its peripheral after a few cycles."""
        self.soc.settling.pop(spec.name, None)
        hclk = self.soc.clock("HCLK").hz
        if on and hclk:
            # The write's own cycle, then two of AHB, or one and the APB prescaler (ES0222).
            bus = self.soc.clock(spec.bus).hz if spec.bus.startswith("APB") else hclk
            self.soc.settling[spec.name] = t_ps + int((2 + hclk / bus) * PS_PER_S / hclk)

    def _hold(self, spec: PeripheralSpec, t_ps: int) -> None:
        """A peripheral is held in reset while its bit is set: it stands still, writes are lost."""
        assert spec.gate is not None
        register, bit = spec.gate.reset_register, spec.gate.reset_at
        held = register is not None and bool(self.states[register].value >> bit & 1)
        if held == (spec.name in self._held):
            return
        self._held ^= {spec.name}
        peripheral = self.soc.peripherals.get(spec.name)
        if peripheral is not None:
            peripheral.reset(t_ps)

    def read(self, offset: int, size: int, t_ps: int) -> int:
        """A read comes after the writes before it: one of the erratum's ways to wait."""
        self.soc.settling.clear()
        return super().read(offset, size, t_ps)

    def _clock(self, spec: PeripheralSpec, t_ps: int, *, on: bool) -> None:
        if spec.kind is None:
            return
        parent = self.soc.clock(_parent(spec))
        self.soc.clock(spec.name).set(parent.hz if on else STOPPED, t_ps, parent)

    # ------------------------------------------------------------------ sleep

    def enter_sleep(self, t_ps: int, mode: str) -> None:
        """The core stops: "sleep", "stop" or "standby". RM0368 §5.3.

        Sleep leaves the clocks that xLPENR enables; the others leave LSI and LSE.
        """
        self._sleep = mode
        if mode == "sleep":
            self._stop_sleepers(t_ps)
            return
        if self._switch is not None:
            self._switch.cancel()
            self._switch = None
        for name in ("hsi", "hse", "pll", "plli2s"):
            self._oscillators[name].cancel()
            self._oscillators[name].on = False
            self._set_ready(name, ready=False)
        self.cr.set(HSION=0, HSEON=0, PLLON=0, PLLI2SON=0)
        self.cfgr.set(SW=0, SWS=0)
        dbgmcu: Any = self.soc.peripherals.get("DBGMCU")
        if dbgmcu is not None and dbgmcu.keeps_clocks(mode):
            # The HSI goes on for the debugger, and SysTick with it (§23.16.1).
            self._oscillators["hsi"].on = True
            self._set_ready("hsi", ready=True)
            self.cr.set(HSION=1)
        self._apply(t_ps)

    def standby(self, t_ps: int) -> None:
        """``enter_sleep`` did it; the flags and the backup domain are kept till the reset."""

    def leave_sleep(self, t_ps: int) -> int:
        """The core goes on: at the returned time, until when the caller lets events pass.

        After Stop the system clock is the HSI, once it and the regulator are up.
        """
        mode, self._sleep = self._sleep, ""
        if mode == "sleep":
            for spec in self.sleepers:
                self._clock(spec, t_ps, on=True)
        if mode in ("", "sleep"):
            return t_ps
        pwr = self.soc.peripherals.get("PWR")
        if self._oscillators["hsi"].ready:  # kept for a debugger
            self._gate(t_ps)
            return t_ps
        wake = t_ps + getattr(pwr, "stop_wake_ps", self.soc.chip.clocks.startup_ps["hsi"])
        self.cr.set(HSION=1)
        hsi = self._oscillators["hsi"]
        hsi.on = True
        hsi.timer = self.soc.scheduler.at(wake, lambda t: self._became_ready("hsi", t))
        return wake

    def _stop_sleepers(self, t_ps: int) -> None:
        gated = (spec for specs in self._gates.values() for spec in specs)
        for spec in self.sleepers if self._sleep == "sleep" else gated:
            self._clock(spec, t_ps, on=False)

    # ------------------------------------------------------------------ the tree

    def _apply(self, t_ps: int) -> None:
        """Set every domain from the registers and from what is ready. RM0368 Figure 12."""
        soc, cfgr = self.soc, self.cfgr
        for name in ("hsi", "hse", "lsi", "lse", "pll", "plli2s"):
            soc.clock(name.upper()).set(self.running(name), t_ps)
        q = self.pllcfgr.PLLQ
        pll48 = self._vco() / q if q and self._oscillators["pll"].ready else STOPPED
        soc.clock("PLL48").set(pll48, t_ps)
        sysclk = self.running(self._source())
        hclk = sysclk / _ahb_divider(cfgr.HPRE)
        before = soc.clock("HCLK").hz
        soc.clock("SYSCLK").set(sysclk, t_ps)
        soc.clock("HCLK").set(hclk, t_ps)
        for bus, field in (("APB1", cfgr.PPRE1), ("APB2", cfgr.PPRE2)):
            divider = _apb_divider(field)
            soc.clock(bus).set(hclk / divider, t_ps)
            # §6.2: timers run at twice the bus when it is divided; §6.3.25: TIMPRE widens that.
            fast = 4 if self.has("DCKCFGR") and self.dckcfgr.TIMPRE else 2
            soc.clock(f"{bus}_TIM").set(hclk / divider * min(divider, fast), t_ps)
        soc.clock("RTCCLK").set(self._rtc(), t_ps)
        for_rtc = self.running("hse") / cfgr.RTCPRE if cfgr.RTCPRE >= 2 else STOPPED
        soc.clock("HSE_RTC").set(for_rtc, t_ps)
        for spec in soc.chip.peripherals.values():
            if spec.gate is None:
                self._clock(spec, t_ps, on=True)
        self._gate(t_ps)
        self._clock_outputs(t_ps)
        if hclk not in (before, 0) and soc.recorder.started:
            source = self._source().upper()
            soc.recorder.add(Clock(t_ps, round(hclk * MHZ_PER_HZ), source))
        self._check_limits()

    def _rtc(self) -> Fraction:
        if not self.bdcr.RTCEN or "RTC" in self._frozen:
            return STOPPED
        match self.bdcr.RTCSEL:
            case 1:
                return self.running("lse")
            case 2:
                return self.running("lsi")
            case 3 if self.cfgr.RTCPRE >= 2:
                return self.running("hse") / self.cfgr.RTCPRE
            case _:
                return STOPPED

    def _clock_outputs(self, t_ps: int) -> None:
        cfgr = self.cfgr
        first = ("hsi", "lse", "hse", "pll")[cfgr.MCO1]
        second = ("", "plli2s", "hse", "pll")[cfgr.MCO2]
        for pin, hz, prescaler in (
            ("MCO_1", self.running(first), cfgr.MCO1PRE),
            (
                "MCO_2",
                self.running(second) if second else self.soc.clock("SYSCLK").hz,
                cfgr.MCO2PRE,
            ),
        ):
            output = self.soc.fabric.output(pin)
            if not hz:
                output.drive(t_ps, 0)
                continue
            divider = prescaler - 2 if prescaler & 4 else 1
            half = Fraction(PS_PER_S * divider, 2) / hz
            wave = output.wave
            if not isinstance(wave, SquareWave) or wave.first_ps != half:
                output.drive_wave(SquareWave(t_ps, 1, half, half))

    # ------------------------------------------------------------------ limits

    def _check_limits(self) -> None:
        clocks = self.soc.chip.clocks
        limits = {"SYSCLK": clocks.sysclk_max_hz, "HCLK": clocks.hclk_max_hz, **clocks.apb_max_hz}
        for name, limit in limits.items():
            hz = self.soc.clock(name).hz
            if hz > limit:
                self.soc.hazard(
                    "clock-limit",
                    f"{name} runs at {_show(hz)}; its limit is {_show(Fraction(limit))}",
                )

    def _check_source(self, name: str) -> None:
        """What silicon does not promise about a source that is being switched on."""
        if name == "hse":
            self._check_hse()
        elif name in ("pll", "plli2s"):
            self._check_pll(name)

    def _check_hse(self) -> None:
        board, clocks = self.soc.board, self.soc.chip.clocks
        if board.hse_hz is None:
            self.soc.hazard("hse-absent", "the board has no HSE: HSERDY never rises")
        elif board.hse_bypass and not self.cr.HSEBYP:
            self.soc.hazard(
                "hse-mode",
                "the board feeds OSC_IN with a clock, yet HSEBYP is 0: HSE may not start",
                cure="set HSEBYP before HSEON",
            )
        elif self.cr.HSEBYP and not board.hse_bypass:
            self.soc.hazard(
                "hse-mode",
                "the board has a crystal, yet HSEBYP is 1: HSERDY never rises",
                cure="leave HSEBYP at 0",
            )
        else:
            low, high = clocks.hse_bypass_hz if self.cr.HSEBYP else clocks.hse_hz
            if high and not low <= board.hse_hz <= high:
                self.soc.hazard(
                    "hse-range",
                    f"HSE is {_show(Fraction(board.hse_hz))}, outside {_range(low, high)}",
                )

    def _check_pll(self, name: str) -> None:
        ranges = self.soc.chip.clocks.pll
        source = self.hertz("hse" if self.pllcfgr.PLLSRC else "hsi")
        m = self._divider(name)
        vco_in = source / m if m else STOPPED
        if name == "pll":
            n, label = self.pllcfgr.PLLN, "PLLN"
        else:
            n, label = self.plli2scfgr.PLLI2SN, "PLLI2SN"
        checks: list[tuple[str, Fraction, tuple[int, int], Callable[[Fraction], str]]] = [
            ("the divider M", Fraction(m), ranges["m"], str),
            (label, Fraction(n), ranges["n"], str),
            ("the VCO's input", vco_in, ranges["vco_in"], _show),
            ("the VCO's output", vco_in * n, ranges["vco_out"], _show),
        ]
        for what, value, (low, high), show in checks:
            if not low <= value <= high:
                self.soc.hazard(
                    "pll-range",
                    f"{name.upper()}: {what} is {show(value)}, "
                    f"outside {show(Fraction(low))} to {show(Fraction(high))}",
                )
        least, most = ranges["q"]
        if name == "pll" and not least <= self.pllcfgr.PLLQ <= most:
            self.soc.hazard(
                "pll-q", f"PLLQ is {self.pllcfgr.PLLQ}, outside {least} to {most}: no 48 MHz clock"
            )


def _parent(spec: PeripheralSpec) -> str:
    """The domain that a peripheral's clock follows: its bus, or what the chip file says."""
    if spec.kind is not None and spec.kind.startswith("stm32.tim_"):
        return f"{spec.bus}_TIM"
    return "HCLK" if spec.bus.startswith("AHB") or spec.bus == "PPB" else spec.bus


def _ahb_divider(hpre: int) -> int:
    return (2, 4, 8, 16, 64, 128, 256, 512)[hpre & 7] if hpre & 8 else 1


def _apb_divider(ppre: int) -> int:
    return 2 << (ppre & 3) if ppre & 4 else 1


def _show(hz: Fraction) -> str:
    return show_frequency(round(hz * MHZ_PER_HZ))


def _range(low: int, high: int) -> str:
    return f"{_show(Fraction(low))} to {_show(Fraction(high))}"


PERIPHERAL = Rcc
