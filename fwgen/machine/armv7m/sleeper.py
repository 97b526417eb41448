"""WFI, WFE and what ends them. Time passes there without a cycle being run.

Source: Arm ARM DDI0403 B1.5.18, B1.5.19.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fwgen.machine.armv7m.exceptions import NMI
from fwgen.machine.armv7m.state import FREE, LOCKUP_PC
from fwgen.machine.leap import Leaper
from fwgen.trace import Sleep, Wake

if TYPE_CHECKING:
    from fwgen.machine.armv7m.rounds import Rounds
    from fwgen.machine.armv7m.services import Services
    from fwgen.machine.armv7m.skipper import Skipper
    from fwgen.machine.armv7m.state import CoreState


EVENTS = 2048  # while asleep, between two looks at the wall clock


class Sleeper:
    """Puts the core to sleep and wakes it.

    ``woken``: by an exception, and it has not run since.
    """

    def __init__(
        self,
        core: CoreState,
        rounds: Rounds,
        skipper: Skipper,
        services: Services,
        *,
        leaps: bool,
    ) -> None:
        self._core = core
        self._at = core.at
        self._soc = core.soc
        self._exceptions = core.exceptions
        self._hclk = core.hclk
        self._rounds, self._skipper, self._services = rounds, skipper, services
        self.woken = False
        self._standby = self._waits_for_event = False
        self._leaps = leaps
        self._leaper = Leaper(core.soc)
        self._events = 0  # that came while it slept

    def wait(self, *, event: bool) -> None:
        """WFI or WFE: sleep unless something waits already."""
        core = self._core
        if self._skipper.recording is not None:
            self._skipper.not_waiting()  # it sleeps
        if event and core.event:
            core.event = False
            return
        if self._would_wake():
            return
        self._soc.scheduler.catch_up(core.now_ps)
        if self._would_wake():
            return
        deep = core.scb is not None and bool(core.scb.scr.SLEEPDEEP)
        mode = getattr(core.pwr, "deep_mode", "stop") if deep else "sleep"
        if mode == "stop" and hasattr(core.pwr, "refuses_stop") and core.pwr.refuses_stop():
            return
        self._standby = mode == "standby"
        core.asleep = True
        self._waits_for_event = event
        core.asleep_since = self._at.cycle + self._at.cost
        if event:
            self._rounds.tour = None
        else:
            self._rounds.slept()
        self._soc.recorder.add(Sleep(core.now_ps, mode))
        dbgmcu: Any = self._soc.peripherals.get("DBGMCU")
        if hasattr(core.rcc, "enter_sleep"):
            core.rcc.enter_sleep(core.now_ps, mode)
        if self._standby:
            powered = dbgmcu is not None and dbgmcu.keeps_clocks(mode)
            self._soc.enter_standby(self._soc.now_ps, powered=powered)
            if not powered:
                core.memory.lose_power()

    def _would_wake(self) -> bool:
        """Whether an interrupt would be taken if PRIMASK were clear (B1.5.19)."""
        if self._exceptions.best() is None:
            return False
        _, basepri, faultmask = self._core.masks()
        priority = self._exceptions.execution_priority(0, basepri, faultmask)
        return self._exceptions.preempting(priority) is not None

    def idle(self) -> bool:
        """Asleep, locked up or held: let events happen. False when the time is over."""
        core = self._core
        scheduler, until = self._soc.scheduler, core.until_ps
        while True:
            self._events += 1
            if not self._events % EVENTS and not core.lasts():
                self._move_to(scheduler.now_ps)
                return False
            if core.reset_cause is not None:
                self._move_to(scheduler.now_ps)
                return True
            if (
                core.asleep
                and core.hold == FREE
                and not self._standby
                and (self._would_wake() or (self._waits_for_event and core.event))
            ):
                self._wake_now()
                return True
            if core.locked and core.hold == FREE and self._nmi_comes():
                self._move_to(scheduler.now_ps)
                self.end_idle()
                core.next_pc = LOCKUP_PC
                return True
            if self._may_leap and self._leaper.leap(until):
                continue
            if self._may_leap and not self._waits_for_event and self._services.serve(until):
                self.brought()
                if not core.lasts():
                    self._move_to(scheduler.now_ps)
                    return False
                if core.asleep:
                    continue
                return True
            due = scheduler.next_ps
            if due > until:
                scheduler.catch_up(until)
                self._move_to(until)
                return False
            scheduler.catch_up(due)

    def brought(self) -> None:
        """Whether the core sleeps, by WFI, was decided elsewhere."""
        core = self._core
        self._rounds.tour = None
        self._waits_for_event = self._standby = self.woken = False
        if core.asleep and hasattr(core.rcc, "enter_sleep"):
            core.rcc.enter_sleep(core.now_ps, "sleep")
        elif hasattr(core.rcc, "leave_sleep"):
            core.rcc.leave_sleep(core.now_ps)

    @property
    def _may_leap(self) -> bool:
        """Whether nothing that a byte by DMA brings is looked at: plain sleep, with clocks."""
        core = self._core
        return self._leaps and core.asleep and core.hold == FREE and not self._standby

    def _nmi_comes(self) -> bool:
        """NMI preempts a lockup, unless it is what locked up (B1.5.15)."""
        state = self._exceptions
        return bool(state.pending & ~state.masked & 1 << NMI) and not state.active & 1 << NMI

    def _move_to(self, t_ps: int) -> None:
        """Asleep: time passes without a cycle being run."""
        at = self._at
        at.cycle = max(at.cycle + at.cost, self._core.cycle_of(t_ps) if self._hclk.hz else 0)
        at.cost = 0

    def _wake_now(self) -> None:
        core = self._core
        best = self._exceptions.best()
        cause = self._exceptions.name(best[1]) if best is not None else "event"
        t_ps = self._soc.scheduler.now_ps
        if self._waits_for_event:
            core.event = False
        if hasattr(core.rcc, "leave_sleep"):
            ready = core.rcc.leave_sleep(t_ps)
            self._soc.scheduler.catch_up(ready)
        self._move_to(self._soc.scheduler.now_ps)
        self.end_idle()
        self.woken = True
        self._soc.recorder.add(Wake(core.now_ps, cause))

    def end_idle(self, told: str | None = None) -> None:
        """The core runs again, is halted or is reset; ``told`` as what woke it."""
        core = self._core
        core.asleep_cycles += self._at.cycle + self._at.cost - core.asleep_since
        core.asleep = core.locked = False
        self._soc.asked_ps = core.now_ps
        if told is not None:
            self._soc.recorder.add(Wake(core.now_ps, told))

    @property
    def sleeps_evenly(self) -> bool:
        """Whether WFI stops nothing but the core's clock."""
        core = self._core
        deep = core.scb is not None and bool(core.scb.scr.SLEEPDEEP)
        return not deep and not getattr(core.rcc, "sleepers", ())
