"""Halting debug, and the debug monitor. None of it costs anything while neither is enabled.

The core halts between two instructions: at a debugger's wish, at a breakpoint, a watchpoint, a
caught vector, or after a step. Halted, time passes and the peripherals go on, except those that
stop for a debugger (SysTick; others as DBGMCU says).

Source: Arm ARM DDI0403 C1.
Not modelled: C_SNAPSTALL (there is no stalled access to abandon), external debug requests.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from fwgen.machine.armv7m import engine as eng
from fwgen.machine.armv7m import exceptions as exc
from fwgen.machine.armv7m.state import FREE, HALTED, LOCKUP_PC, STEPPING

if TYPE_CHECKING:
    from collections.abc import Callable

    from fwgen.machine.armv7m.sleeper import Sleeper
    from fwgen.machine.armv7m.state import CoreState

_T = TypeVar("_T")

KEY = 0xA05F  # DHCSR takes a write only with this in its upper half
C_DEBUGEN, C_HALT, C_STEP, C_MASKINTS = 1 << 0, 1 << 1, 1 << 2, 1 << 3
S_REGRDY, S_HALT, S_SLEEP, S_LOCKUP = 1 << 16, 1 << 17, 1 << 18, 1 << 19
S_RETIRE_ST, S_RESET_ST = 1 << 24, 1 << 25
MASKED = (1 << exc.PENDSV) | (1 << exc.SYSTICK) | -(1 << exc.FIRST_IRQ)

# What DCRSR.REGSEL selects (C1.6.3).
PC, XPSR, MSP, PSP, SPECIAL, FPSCR, S0 = 15, 16, 17, 18, 20, 33, 64
_SPECIAL = (eng.CONTROL, eng.FAULTMASK, eng.BASEPRI, eng.PRIMASK)
# The vector catch bit of DEMCR for each reason of a fault (C1.6.5); VC_HARDERR besides.
_CATCHES = {
    "NOCP": "VC_NOCPERR", "UNALIGNED": "VC_CHKERR", "DIVBYZERO": "VC_CHKERR",
    "UNDEFINSTR": "VC_STATERR", "INVSTATE": "VC_STATERR", "INVPC": "VC_STATERR",
    "PRECISERR": "VC_BUSERR", "IMPRECISERR": "VC_BUSERR", "IBUSERR": "VC_BUSERR",
    "STKERR": "VC_INTERR", "UNSTKERR": "VC_INTERR", "VECTTBL": "VC_INTERR",
    "IACCVIOL": "VC_MMERR", "DACCVIOL": "VC_MMERR", "MLSPERR": "VC_MMERR",
    "MSTKERR": "VC_INTERR", "MUNSTKERR": "VC_INTERR", "LSPERR": "VC_BUSERR",
}  # fmt: skip


class Debug:
    """The debug state of a core; DCB's registers show it.

    ``enabled`` is C_DEBUGEN: without it nothing here ever happens. With ``stops_time`` the whole
    board stands still while the core is halted, which silicon cannot do.
    """

    def __init__(self, core: CoreState, sleeper: Sleeper) -> None:
        self._core = core
        self._engine = core.engine
        self._soc = core.soc
        self._sleeper = sleeper
        self.stops_time = False
        self._entered = False  # whether debug state was; `was_reset` ends it for who stood still
        self.power_on()

    def power_on(self) -> None:
        """Only a power reset clears what a debugger set up."""
        self.enabled = self._halting = self._stepping = False
        self._mask(masked=False)
        self._was_reset = True
        self._retired = 0
        self.released_ps: int | None = None  # when it was last let run

    @property
    def halted(self) -> bool:
        """Whether the core is in debug state."""
        return self._core.hold == HALTED

    # ------------------------------------------------------------------ DHCSR

    def control(self, value: int) -> None:
        """A write of DHCSR, by the debugger or by firmware, which cannot enable debug."""
        core = self._core
        if value >> 16 != KEY:
            return
        if self._soc.by_debugger:
            self.enabled = bool(value & C_DEBUGEN)
        if not self.enabled:
            self._halting = self._stepping = False
            self._mask(masked=False)
            if core.hold in (HALTED, STEPPING):
                self._leave(FREE)
            return
        self._halting = bool(value & C_HALT)
        self._stepping = bool(value & C_STEP)
        self._mask(masked=bool(value & C_MASKINTS))
        if self._halting and core.hold == FREE:
            self.halt("HALTED")
        elif not self._halting and core.hold == HALTED:
            self._leave(STEPPING if self._stepping else FREE)

    def status(self, *, clear: bool) -> int:
        """What DHCSR reads; reading clears the sticky bits."""
        core = self._core
        value = self.enabled | self._halting << 1 | self._stepping << 2
        value |= bool(core.exceptions.masked) << 3 | S_REGRDY
        value |= S_HALT if core.hold == HALTED else 0
        value |= S_SLEEP if core.asleep else 0
        value |= S_LOCKUP if core.locked else 0
        ran = core.awake_cycles
        value |= S_RETIRE_ST if ran != self._retired else 0
        value |= S_RESET_ST if self._was_reset else 0
        if clear:
            self._was_reset, self._retired = False, ran
        return value

    def _mask(self, *, masked: bool) -> None:
        """C_MASKINTS keeps PendSV, SysTick and the interrupt lines from being taken."""
        state = self._core.exceptions
        if bool(state.masked) != masked:
            state.masked = MASKED if masked else 0
            state.touch(self._core.now_ps)

    # ------------------------------------------------------------------ in and out of debug state

    def halt(self, why: str) -> None:
        """Enter debug state before the next instruction; ``why`` is a field of DFSR."""
        core = self._core
        core.scb.dfsr.set(**{why: 1})
        core.hold = HALTED
        self._halting, self._entered = True, False
        core.attend()
        if self._soc.by_debugger:  # between two instructions already
            self.enter()

    def enter(self) -> None:
        """The core stands: debug state begins, unless it has."""
        core = self._core
        if self._entered:
            return
        self._entered = True
        if core.locked:
            core.next_pc = LOCKUP_PC
        if core.asleep or core.locked:
            self._sleeper.end_idle(told="debug" if core.asleep else None)
        core.asleep_since = core.at.cycle + core.at.cost
        self._soc.freeze(core.now_ps, frozen=True)

    def _leave(self, hold: int) -> None:
        """Run, or step, from where the debugger left the PC."""
        core = self._core
        core.asleep_cycles += core.at.cycle + core.at.cost - core.asleep_since
        core.hold, self._entered = hold, False
        if hold == FREE:
            self.released_ps = core.now_ps
        core.at.start = core.at.end = core.next_pc
        self._soc.freeze(core.now_ps, frozen=False)
        core.attend()

    def stepped(self) -> None:
        """The instruction to step is done, or its exception entered."""
        if self._core.hold == STEPPING:
            self.halt("HALTED")

    # ------------------------------------------------------------------ the monitor (C1.5)

    @property
    def monitored(self) -> bool:
        """Whether debug events go to the DebugMonitor exception."""
        dcb = self._core.dcb
        return not self.enabled and dcb is not None and bool(dcb.demcr.MON_EN)

    def monitor(self, why: str) -> bool:
        """A debug event, by its field of DFSR: pends DebugMonitor where that can be taken."""
        core, state = self._core, self._core.exceptions
        priority = state.execution_priority(*core.masks())
        if not self.monitored or state.group(state.priority[exc.DEBUG_MONITOR]) >= priority:
            return False
        core.scb.dfsr.set(**{why: 1})
        state.pend(exc.DEBUG_MONITOR, core.now_ps)
        return True

    @property
    def monitor_steps(self) -> bool:
        """Whether the monitor is to run again after one more instruction (MON_STEP)."""
        core, state = self._core, self._core.exceptions
        if not self.monitored or not core.dcb.demcr.MON_STEP:
            return False
        priority = state.execution_priority(*core.masks())
        return state.group(state.priority[exc.DEBUG_MONITOR]) < priority

    def breakpoint(self) -> bool:
        """A BKPT instruction, or a match of the FPB: whether it halts the core (C1.5)."""
        if self.enabled:
            self.halt("BKPT")
        return self.enabled

    def fault(self, number: int, bit: str) -> None:
        """A fault is about to be taken: the debugger may have asked to catch its vector."""
        dcb = self._core.dcb
        if not self.enabled or dcb is None:
            return
        demcr = dcb.demcr
        caught = number == exc.HARD_FAULT and demcr.VC_HARDERR
        if caught or (bit in _CATCHES and getattr(demcr, _CATCHES[bit])):
            self.halt("VCATCH")

    def was_reset(self) -> None:
        """The core came out of a reset: debug state is left, or entered at once (VC_CORERESET)."""
        core = self._core
        if self._entered:
            core.asleep_cycles += core.at.cycle + core.at.cost - core.asleep_since
            self._soc.freeze(core.now_ps, frozen=False)
        core.hold, self._entered = FREE, False
        self._halting = self._stepping = False
        self._was_reset = True
        if self.enabled and core.dcb is not None and core.dcb.demcr.VC_CORERESET:
            self.halt("VCATCH")

    # ------------------------------------------------------------------ registers (DCRSR)

    def register(self, selector: int) -> int:
        """A register of the halted core; 0 for one that does not exist."""
        core, engine = self._core, self._engine
        if selector < PC:
            return engine.read(eng.GENERAL[selector])
        if selector == PC:
            return core.next_pc
        if selector == XPSR:
            return engine.read(eng.XPSR)
        if selector in (MSP, PSP, SPECIAL):
            return self._as_handler(lambda: self._special(selector))
        if selector == FPSCR:
            return engine.read(eng.FPSCR)
        if S0 <= selector < S0 + 32:
            return engine.read(eng.S0 + selector - S0)
        return 0

    def set_register(self, selector: int, value: int) -> None:
        """Set a register of the halted core. One that does not exist stays so."""
        core, engine = self._core, self._engine
        if selector < 13 or selector == 14:
            engine.write(eng.GENERAL[selector], value)
        elif selector == 13:
            engine.write(eng.SP, value & ~3)
        elif selector == PC:
            core.next_pc = value & ~1
            core.at.start = core.at.end = core.next_pc
        elif selector == XPSR:
            value |= 1 << 24  # a core without its Thumb bit could only fault
            engine.write_many((eng.XPSR, eng.APSR_NZCV), (value, value & 0xF0000000))
        elif selector in (MSP, PSP):
            which = eng.MSP if selector == MSP else eng.PSP
            self._as_handler(lambda: engine.write(which, value & ~3))
        elif selector == SPECIAL:
            self._set_special(value)
        elif selector == FPSCR:
            engine.write(eng.FPSCR, value)
        elif S0 <= selector < S0 + 32:
            engine.write(eng.S0 + selector - S0, value)

    def _special(self, selector: int) -> int:
        if selector != SPECIAL:
            return self._engine.read(eng.MSP if selector == MSP else eng.PSP)
        control, faultmask, basepri, primask = self._engine.read_many(_SPECIAL)
        return control << 24 | faultmask << 16 | basepri << 8 | primask

    def _set_special(self, value: int) -> None:
        control = value >> 24 & 7

        def masks() -> None:
            self._engine.write_many(
                (eng.FAULTMASK, eng.BASEPRI, eng.PRIMASK, eng.CONTROL),
                (value >> 16 & 1, value >> 8 & 0xFF, value & 1, control & ~3),
            )

        self._as_handler(masks)  # privileged now, so that SPSEL and nPRIV can be set
        self._engine.write(eng.CONTROL, control)
        self._core.exceptions.touch(self._core.now_ps)

    def _as_handler(self, do: Callable[[], _T]) -> _T:
        """Do something with the rights of a handler: the engine hides much from Thread mode."""
        engine = self._engine
        xpsr = engine.read(eng.XPSR)
        if xpsr & 0x1FF:
            return do()
        engine.write(eng.XPSR, xpsr | exc.NMI)
        done = do()
        engine.write_many((eng.XPSR, eng.APSR_NZCV), (xpsr, xpsr & 0xF0000000))
        return done
