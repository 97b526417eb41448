"""The core: runs code on the engine in exact virtual time, and takes exceptions itself.

Time is the number of cycles of HCLK, which the clock controller may change at any moment. A BLOCK
hook adds the cached cost of each block before it runs; an access to a peripheral happens at the
block's start plus the cost of what comes before it. What is due within a block makes the block
run in two parts, so that interrupts are taken between the two instructions where silicon takes
them.

``Core`` is the run loop and the hooks; its rooms do the rest: ``Bus`` what is not plain memory,
``Entry`` exception entry and return, ``Traps`` and ``Escalation`` faults, ``Sleeper`` WFI and
WFE, ``Codebook`` what is known of code, ``Skipper`` loops that only wait. All of them work on
one ``CoreState``.

Source: Arm ARM DDI0403 B1.5; Cortex-M4 TRM 100166 §3.9.
Not modelled: interrupts within an IT block or within one instruction (a load or store multiple
is not cut short; a divide is not abandoned).
"""

from __future__ import annotations

import ctypes
from typing import TYPE_CHECKING, Any

from unicorn import unicorn_const as uc

from fwgen.machine.armv7m import engine as eng
from fwgen.machine.armv7m import exceptions as exc
from fwgen.machine.armv7m import skippable
from fwgen.machine.armv7m.accelerate import HOT
from fwgen.machine.armv7m.blocks import FAR, ISB, MASKS, NEAR, SYNC, SYSTEM, UNALIGNED, WFI
from fwgen.machine.armv7m.breakpoints import Breakpoints
from fwgen.machine.armv7m.bus import Bus
from fwgen.machine.armv7m.codebook import Codebook
from fwgen.machine.armv7m.conditional import Conditional
from fwgen.machine.armv7m.debug import Debug
from fwgen.machine.armv7m.debugger import Debugger
from fwgen.machine.armv7m.entry import Entry
from fwgen.machine.armv7m.escalation import Escalation
from fwgen.machine.armv7m.fetch import LINE
from fwgen.machine.armv7m.fpcontext import FpContext
from fwgen.machine.armv7m.guard import Guard
from fwgen.machine.armv7m.itstate import IT_BITS
from fwgen.machine.armv7m.profile import by_instruction
from fwgen.machine.armv7m.rounds import Rounds
from fwgen.machine.armv7m.services import Services
from fwgen.machine.armv7m.skipper import Skipper
from fwgen.machine.armv7m.sleeper import Sleeper
from fwgen.machine.armv7m.stack import StackGuard
from fwgen.machine.armv7m.state import (
    ATTENTION,
    FREE,
    GUARD_CYCLES,
    HALTED,
    IN_RESET,
    NOWHERE,
    NOWHERE_YET,
    STEPPING,
    look_around,
)  # fmt: skip
from fwgen.machine.armv7m.stuck import why_stuck
from fwgen.machine.armv7m.symbolic import NotLinear
from fwgen.machine.armv7m.traps import Traps
from fwgen.machine.armv7m.watch import Watches
from fwgen.machine.native import SLOW
from fwgen.machine.time import NEVER
from fwgen.thumb.cycles import MOST_REFILL
from fwgen.trace import Reset

if TYPE_CHECKING:
    from collections.abc import Callable

    from fwgen.machine.armv7m.blocks import Block
    from fwgen.machine.armv7m.profile import Profile
    from fwgen.machine.armv7m.symbolic import Outcome
    from fwgen.machine.memory import MemoryMap
    from fwgen.machine.soc import Soc
    from fwgen.thumb.cycles import Pace


TURNS = 2048  # of the run loop, between two looks at the wall clock
MSP, PSP, CONTROL = 8, 9, 20  # as MSR numbers them


class Core(skippable.Core):
    """An ARMv7-M core in a chip. ``soc`` sees it as its bus master."""

    def __init__(
        self,
        soc: Soc,
        memory: MemoryMap,
        *,
        accelerate: bool = True,
        native: bool | None = None,
        pace: Pace = "typical",
        profile: Profile | None = None,
    ) -> None:
        super().__init__(soc, memory, native=native if profile is None else False, pace=pace)
        self._profile = profile  # with one, every block must be seen
        self._may_accelerate = accelerate and profile is None
        self._one_ran = False  # the instruction that a debugger steps
        self._turns = 0  # of the run loop
        self.steps = 0  # times the engine was entered: what a runaway costs
        self.patience: Callable[[], bool] | None = None  # asked now and then: go on?
        self.gave_up = False
        self.rounds = Rounds(self)
        self._stack = StackGuard(self)
        self._book = Codebook(self, self.rounds, self._stack)
        self._skipper = Skipper(self, self.rounds, self._book)
        self.services = Services(self, self._book)
        self._sleeper = Sleeper(
            self, self.rounds, self._skipper, self.services, leaps=self._may_accelerate
        )
        self.debug = Debug(self, self._sleeper)
        escalation = Escalation(self, self.debug)
        self._guard = Guard(self)
        self._context = FpContext(self, self._guard)
        self._entry = Entry(
            self, self.rounds, escalation, self._stack, self._sleeper, self._context, self._guard,
            self._book.fetch,
        )  # fmt: skip
        self._traps = Traps(self, self._book, self._entry, escalation, self._sleeper, self.debug)
        self.breakpoints = Breakpoints(self, self._traps, self.debug, self._run_one, self._let_skip)
        self._conditional = Conditional(self, self._traps, self._context, self._book, self._run_one)
        self._watches = Watches(self, self._traps)
        self._watches.before_fixed = self._conditional.before_fixed
        self._ran: Block | None = None  # changed what is special, and is done
        self._monitored = False
        self._retimed = False  # the flash
        self._bus = Bus(self, self._book, self._traps, self.debug, self._guard)
        self.debugger = Debugger(self, self._bus)
        self._let_skip(True)
        self._listen()
        self._bus.map()
        self._install()

    def _listen(self) -> None:
        """Hear what the chip has to tell its core."""
        soc, memory, flash = self.soc, self.memory, self.flash
        self.hclk.on_change(self._clock_changed)
        soc.core = self
        soc.on_system_reset = self._request_reset
        self.exceptions.changed = self.wake_up
        memory.code_changed = self._book.changed
        if flash is not None:
            flash.on_timing(self._flash_timing)
            flash.on_changed(lambda address, size: memory.changed(address, address + size))
        exti: Any = soc.peripherals.get("EXTI")
        if exti is not None:
            exti.on_event = self._external_event
        if self.rcc is not None:
            self.rcc.on_nmi = self._nmi_request

    def _install(self) -> None:
        engine = self.engine
        if self.native is None:
            engine.hook(uc.UC_HOOK_BLOCK, eng.BLOCK, self._block_hook())
        else:
            self.at.slow = SLOW(self._slow_block)
            hook = ctypes.cast(self.native.fwgen_on_block, eng.BLOCK)
            engine.hook(uc.UC_HOOK_BLOCK, eng.BLOCK, hook, user=ctypes.addressof(self.at))
        engine.hook(uc.UC_HOOK_INTR, eng.INTR, self._on_interrupt)
        engine.hook(uc.UC_HOOK_INSN_INVALID, eng.INVALID, self._on_invalid)
        self._bus.install()

    def close(self) -> None:
        """Give the engine back."""
        self.engine.close()
        self._book.forget()
        self._bus.close()

    # ------------------------------------------------------------------ what the chip tells

    def wake_up(self, t_ps: int) -> None:
        """Something changed that may interrupt: look before the next block."""
        if self.exceptions.best() is not None:
            self.attend()

    def _what_matters(self) -> int:
        """Flags of the blocks behind which to stop: those that may change what comes next.

        With nothing pending, no mask that is lifted lets anything through.
        """
        heed = SYSTEM
        if self._monitored or self.exceptions.best() is not None:
            heed |= MASKS
        return heed | SYNC if self._book.in_ram else heed

    def configure(self) -> None:
        """CCR or CPACR changed: what blocks must watch may have, too."""
        self.fp_enabled = self.scb is None or self.scb.cpacr.CP10 == 3
        ccr = self.scb.ccr
        self._watches.trap(unaligned=bool(ccr.UNALIGN_TRP), divide=bool(ccr.DIV_0_TRP))
        self._book.forget()

    def configure_sleep(self) -> None:
        """SCR or DEMCR changed."""
        self.exceptions.pended = self._event_by_pending if self.scb.scr.SEVONPEND else None
        self._monitored = self.debug.monitored
        self.attend()

    def _event_by_pending(self) -> None:
        """SEVONPEND: an exception that becomes pending is an event, enabled or not."""
        self.event = True
        self.attend()

    def fp_written(self) -> None:
        """A register of the floating-point context was written."""
        self._context.written()

    def mpu_written(self) -> None:
        """A register of the memory protection unit was written, or reset."""
        self._guard.written()

    def code_matters_anew(self) -> None:
        """What the engine must stop before changed."""
        self._book.forget()

    def _external_event(self, t_ps: int) -> None:
        """A pulse on the event input: it ends WFE, now or the next (RXEV, B1.5.18)."""
        self.event = True
        self.attend()

    def _nmi_request(self, t_ps: int, level: bool) -> None:
        """The clock security system asks for NMI."""
        if level:
            self.exceptions.pend(exc.NMI, t_ps)

    def _request_reset(self, t_ps: int, cause: str) -> None:
        if self.reset_cause is None:
            self.reset_cause = cause
        self.attend()

    def _flash_timing(self, t_ps: int) -> None:
        """What the flash makes code wait changed: from the next instruction on."""
        at, block = self.at, self._book.running()
        self._book.fetch.forget()
        if self.access_pc is not None and block is not None and block.has_it:
            # The engine is not stopped within this block: what is left of it is another one.
            offset, into = block.following(self.access_pc)
            if offset < block.size:
                at.cycle, at.start = at.cycle + into, block.address + offset
                at.cost = self._book.look_at(at.start, at.end - at.start).cost
            self._book.forget()
        self._retimed = True
        self.attend()

    def _clock_changed(self, t_ps: int) -> None:
        """What is due comes after another number of cycles now."""
        self.deadline = -1

    # ------------------------------------------------------------------ hooks

    def _block_hook(self) -> Callable[..., None]:
        at, blocks, slow = self.at, self._book.blocks, self._slow_block

        def on_block(_uc: Any, address: int, size: int, _user: Any) -> None:
            cycle = before = at.cycle + at.cost
            look = at.look
            block = blocks.get(address << 12 | size)
            if address != at.end:
                before = cycle = cycle + at.refill
                if block is not None:
                    if block.flags & UNALIGNED and at.refill < MOST_REFILL:
                        cycle += 1
                    lines = (address >> LINE) - (at.end - 1 >> LINE)
                    if lines:
                        cycle += at.near if lines == 1 and block.flags & NEAR else block.landing
                        if lines != 1:
                            look |= FAR
            if block is None or block.flags & look or cycle + block.cost > at.limit:
                slow(before, address, size)
                return
            if address <= at.start:
                block.entries += 1
                if block.entries > at.hot:
                    slow(before, address, size)
                    return
            at.cycle, at.cost, at.start, at.end = cycle, block.cost, address, address + size
            at.refill, at.near = block.refill, block.near
            if block.flags & at.heed:
                at.attention, at.limit = 1, ATTENTION

        profile = self._profile
        if profile is None:
            return on_block

        def on_profiled(_uc: Any, address: int, size: int, _user: Any) -> None:
            profile.enter(address, size, self.awake_cycles)
            on_block(_uc, address, size, _user)

        return on_profiled

    def profile(self) -> dict[int, int]:
        """Awake cycles so far by the address of the instruction; empty without a Profile."""
        made: dict[int, int] = {}
        blocks = self._profile.blocks(self.awake_cycles) if self._profile is not None else {}
        for (address, size), spent in blocks.items():
            for at, share in by_instruction(self._book.look_at(address, size), *spent).items():
                made[at] = made.get(at, 0) + share
        return made

    def _slow_block(self, cycle: int, address: int, size: int) -> None:
        """A block that is new, or does not end before something is due."""
        try:
            at, book = self.at, self._book
            if at.looks:
                self._bus.told()
            if eng.SCRATCH <= address < eng.SCRATCH + eng.SCRATCH_SIZE:
                if self.engine.clearing:
                    return
                self.next_pc = address
                self.stop(lambda: self._traps.fetch_fault(address))
                return
            backward = address <= at.start
            if address != at.end:
                if book.landed(address):
                    self._skipper.stop_recording()
                cycle += book.landing(address)
            if at.attention:
                ran = book.blocks.get(at.start << 12 | at.end - at.start & 0xFFF)
                self._ran = ran if ran is not None and ran.writes >= 0 else None
                if ran is not None and ran.last == ISB:
                    book.synchronised()
            at.cycle, at.cost, at.start, at.end = cycle, 0, NOWHERE_YET, address
            self.next_pc = address
            if at.attention or cycle >= self.due:
                self.rounds.tour = None
                self.pause()
                return
            if cycle + GUARD_CYCLES // 2 >= self.ask_at:
                self._ask(cycle)
            block = book.blocks.get(address << 12 | size)
            if block is None:
                block = book.learn(address, size)
                if self._watches.add(block):
                    self.stop(lambda: self.engine.drop_code(address, address + size))
                    return
            if backward and (block.flags & at.look or self._guard.look):
                book.entered_again(block)
            if backward and self._accelerates and self.hold != STEPPING:
                skipped = self._accelerate(block, cycle)
                if skipped is None:
                    return
                cycle = at.cycle = cycle + skipped
            stop = book.must_stop(block)
            if self._guard.look:
                runs = self._guard.runs_up_to(address, size)
                if runs == 0:
                    self.stop(lambda: self._traps.execution_fault(address))
                    return
                stop = min(stop, runs)
            if self.hold == STEPPING:
                stop = min(stop, block.first)
                self._one_ran = stop in (0, size)
                if self._one_ran:
                    self.attend()
            if stop == 0:
                self.stop(self._conditional.here)
                return
            if cycle + block.cost > self.due:
                self.rounds.tour = None
                if cycle >= self.due:
                    self.pause()
                    return
                stop = min(stop, block.stop_after(self.due - cycle))
            if stop < size:
                self.until = address + stop
                self.stop(lambda: self.engine.drop_code(address, address + size))
                return
            at.cost, at.start, at.end = block.cost, address, address + size
            at.refill, at.near = block.refill, block.near
            if self._skipper.recording is not None:
                self._skipper.record(block)
            self.rounds.ran(block)
            self.event |= block.sends_event
            if block.flags & at.heed:
                self.attend()
            if at.limit == ATTENTION:
                self.arm()  # unless what is recorded goes on
        except BaseException as error:  # noqa: BLE001 - re-raised by _step
            self.fail(error)

    def _accelerate(self, block: Block, cycle: int) -> int | None:
        """At a backward entry: cycles skipped; None when the core stands where one is due."""
        key = block.address << 12 | block.size
        if self.native is not None:
            block.entries = self.native.fwgen_entries(self.at, key)
        if block.entries <= HOT:
            return 0
        skipped = self._skipper.skip(block, cycle)
        if skipped != 0:
            self.at.epoch += 1
        if self.native is not None and key in self._book.blocks:
            self._book.publish(key, block)
        return skipped

    def arm(self) -> None:
        """Tell the block hook by when to look; at once while blocks are being recorded."""
        recording = self._skipper.recording is not None or self.rounds.tour is not None
        look = self.at.attention or recording or self._guard.look
        self.at.limit = ATTENTION if look else min(self.due, self.ask_at)

    def _ask(self, cycle: int) -> None:
        """Whether to go on: firmware that computes for ever must not hold the bench for ever."""
        self.ask_at = cycle + GUARD_CYCLES
        self.arm()
        if not self.lasts():
            self.pause()

    @property
    def stuck(self) -> str:
        """Why a fault has ended what the firmware does, until a reset or NMI; "" if it goes on."""
        return why_stuck(self)

    def lasts(self) -> bool:
        """Whether there is patience left; once there is none, the core has given up."""
        if self.patience is not None and not self.patience():
            self.gave_up = True
        return not self.gave_up

    def _on_interrupt(self, _uc: Any, number: int, _user: Any) -> None:
        """The engine met an exception of its own: it becomes one of ours."""
        try:
            self.stop(lambda: self._traps.engine_exception(number))
        except BaseException as error:  # noqa: BLE001 - re-raised by _step
            self.fail(error)

    def _on_invalid(self, _uc: Any, _user: Any) -> bool:
        try:
            self.stop(self._traps.invalid)
        except BaseException as error:  # noqa: BLE001 - re-raised by _step
            self.fail(error)
        return False

    def _let_skip(self, yes: bool) -> None:
        """Loops may be skipped, as far as was asked for; or a debugger must see each access."""
        self._accelerates = self._may_accelerate and yes
        self.at.plain = 0  # until the engine is entered anew
        self.at.hot = HOT if self._accelerates else NEVER
        self._book.forget()

    # ------------------------------------------------------------------ the run loop

    def advance(self, until_ps: int) -> None:
        """Run until a time: to the first place between two instructions not before it.

        Raises whatever a peripheral's model raised: that is our defect, not the firmware's.
        """
        self.until_ps = until_ps
        soc, scheduler, at = self.soc, self.soc.scheduler, self.at
        while not self.gave_up:
            self._turns += 1
            if not self._turns % TURNS and not self.lasts():
                return
            scheduler.catch_up(self.now_ps)
            if self.reset_cause is not None:
                self._reset_now()
                continue
            if self.asleep or self.locked or self.hold:
                if not self._held():
                    return
                continue
            if self.hclk.time_of(at.cycle + at.cost) >= until_ps:
                return
            self._settle()
            self._stall()
            self._take_pending()
            if self._monitored and self.debug.monitor_steps:
                self._run_one()
                self.debug.monitor("HALTED")
                continue
            self._sleeper.woken = False
            if at.cost == 0 and self.now_ps >= until_ps:
                continue
            at.attention = 0
            self._skipper.interrupted()
            if (soc.talking or soc.beating) and self.services.serve(until_ps):
                self._sleeper.brought()
                self.lasts()
                continue
            self.set_limit()
            self._step()

    def _settle(self) -> None:
        """What registers were written to that changes how code runs."""
        if self._retimed:
            self._retimed = False
            self._book.forget()
        if self._watches.stale:
            self._watches.renew()
        if self._guard.stale:
            self._guard.renew()
            if self.guarded != self._guard.on:
                # Where a store is refused in an IT block, the engine runs what follows it.
                self.guarded = self._guard.on
                self._book.forget()
        if self._context.stale:
            self._context.refresh()
        ran, self._ran = self._ran, None
        if ran is None:
            return
        if ran.writes == MSP:
            self._stack.given(self.engine.read(eng.MSP))
        if ran.writes in (MSP, PSP) and not self.engine.read(eng.CONTROL) & 1:
            which = eng.MSP if ran.writes == MSP else eng.PSP
            self.engine.write(which, self.engine.read(which) & ~3)
        elif ran.writes == CONTROL:
            self._context.control_written()

    def _held(self) -> bool:
        """Asleep, locked up, halted or stepped. False when the time is over."""
        if self.hold == STEPPING:
            if self.now_ps >= self.until_ps:
                return False
            self._step_by_debugger()
            return True
        if self.hold != FREE:
            self.debug.enter()
            if self.debug.stops_time and self.hold == HALTED:
                return False
        return self._sleeper.idle()

    def _step_by_debugger(self) -> None:
        """One instruction; or, where an exception is to be taken, its entry (C1.4)."""
        self._settle()
        self._stall()
        before = self.exceptions.active
        self._take_pending()
        if self.exceptions.active == before:
            self._run_one()
        self.debug.stepped()

    def _run_one(self) -> None:
        """Run the instruction at ``next_pc`` by itself."""
        held, self.hold = self.hold, STEPPING
        self._one_ran = False
        while not self._one_ran and self.hold == STEPPING:
            self.at.attention = 0
            self._skipper.interrupted()
            self.due, self.at.limit = NEVER, ATTENTION
            self._step()
        if self.hold == STEPPING:
            self.hold = held

    def _step(self) -> None:
        """Let the engine run until something needs us."""
        self.reason = None
        self.steps += 1
        at = self.at
        at.heed = self._what_matters()
        at.plain = not (self.hold or self.watching or self._guard.on)
        at.epoch += 1
        until, self.until = self.until, NOWHERE
        error = self.engine.start(self.next_pc, until)
        self.access_pc = None
        if at.looks:
            self._bus.told()
        if self.failure is not None:
            failure, self.failure = self.failure, None
            raise failure
        reason, self.reason = self.reason, None
        if reason is not look_around:  # else the block hook has set the PC
            self.next_pc = self.engine.read(eng.PC)
            if reason is not None:
                reason()
            elif error:
                self._traps.bad_instruction()
            elif self.next_pc == until and self.engine.read(eng.XPSR) & IT_BITS:
                self._conditional.through_it()
            elif self.next_pc == self.at.end and self.at.cost and self.last_hint() == WFI:
                self._sleeper.wait(event=False)
        if self.imprecise is not None and not self.locked:
            (address, store), self.imprecise = self.imprecise, None
            self._entry.fault(exc.BUS_FAULT, "IMPRECISERR", self.next_pc, address, store)

    def _take_pending(self) -> None:
        """Take the exception that preempts what runs, if one does."""
        state = self.exceptions
        if state.best() is None:
            return
        priority = state.execution_priority(*self.masks())
        number = state.preempting(priority)
        if number is not None:
            if number == exc.SYSTICK and not state.active and self._accelerates:
                self.rounds.taken(woken=self._sleeper.woken)
            self._entry.enter(number, priority)

    def _stall(self) -> None:
        """While the flash programs or erases, fetching from it waits (RM0368 §3.5)."""
        busy = getattr(self.flash, "busy_until_ps", 0)
        if busy > self.now_ps and self.in_flash(self.next_pc):
            at = self.at
            until = min(busy, self.until_ps)
            self.soc.scheduler.catch_up(until)
            at.cost += max(0, self.cycle_of(until) - at.cycle - at.cost)

    # ------------------------------------------------------------------ reset

    def power_on(self) -> None:
        """Come out of power-on reset at time 0."""
        self.reset_cause = None
        self.breakpoints.clear()
        self.debug.power_on()
        self.soc.reset(0, "PORRSTF")
        self._restart()

    def power_cycle(self) -> None:
        """The supply went and came back: what is programmed survives, nothing else does."""
        self.breakpoints.clear()
        self.debug.power_on()
        self.memory.lose_power()
        self.reset_cause = "PORRSTF"
        self._reset_now()

    def reset_line(self, *, asserted: bool) -> None:
        """NRST is driven low, which holds the whole chip in reset, or let go."""
        if asserted and self.hold != IN_RESET:
            self.reset_cause = "PINRSTF"
            self._reset_now()
            self.hold, self.asleep_since = IN_RESET, self.at.cycle + self.at.cost
        elif not asserted and self.hold == IN_RESET:
            self.asleep_cycles += self.at.cycle + self.at.cost - self.asleep_since
            self.hold = FREE
            self._restart()

    def _reset_now(self) -> None:
        cause, self.reset_cause = self.reset_cause, None
        assert cause is not None
        if self.asleep or self.locked:
            self._sleeper.end_idle()
        # In Stop and Standby no cycle tells the time.
        t_ps = max(self.now_ps, self.soc.scheduler.now_ps)
        self.soc.recorder.add(Reset(t_ps, cause))
        self.soc.reset(t_ps, cause)
        self._restart()

    def _restart(self) -> None:
        """B1.5.5 TakeReset: the core's registers, then SP and PC from the table at 0."""
        engine = self.engine
        self.exceptions.reset()
        self.asleep = self.locked = self.event = False
        self.imprecise = None
        self._ran = None
        self._stack.reset()
        self._context.reset()
        self.configure()
        self.configure_sleep()
        engine.write_many((eng.PRIMASK, eng.BASEPRI, eng.FAULTMASK), (0, 0, 0))
        # From Handler mode the IPSR write swaps the stacks: go there first, whatever it was.
        engine.write(eng.XPSR, 1 << 24)
        engine.write(eng.CONTROL, 0)
        engine.write(eng.APSR_NZCV, 0)
        engine.write(eng.LR, 0xFFFFFFFF)
        stack = self.memory.word(0)
        start = self.memory.word(4)
        engine.write(eng.SP, (stack or 0) & ~3)
        self.debug.was_reset()
        self._entry.go_to(start if start is not None else 0)

    # ------------------------------------------------------------------ what skipping asks

    @property
    def sleeps_evenly(self) -> bool:
        """Whether WFI stops nothing but the core's clock."""
        return self._sleeper.sleeps_evenly

    @property
    def looked_at(self) -> bool:
        """Whether each access, or each instruction, matters to somebody."""
        return not self._accelerates or self._monitored or self._guard.on

    def foresee(self, cycle: int) -> Callable[[int, int], tuple[int, int | None] | None]:
        """How to read without effects at a cycle: value, and until when it holds (None: RAM)."""
        return self._bus.foresee(cycle)

    def looked(self, address: int, cycle: int) -> None:
        """Reads that were foreseen were left out, the last one at a cycle."""
        self._bus.looked(address, cycle)

    def count_at(self, address: int, cycle: int) -> tuple[int, int, int] | None:
        """A register that counts cycles: its value at one, what each adds, until when (ps) so."""
        return self._bus.count_at(address, cycle)

    def latch_at(self, address: int) -> tuple[int, Outcome] | None:
        """Where a write only moves pins: the register that holds its outcome, and what it is."""
        return self._bus.latch_at(address)

    def cycle_at(self, pc: int) -> int:
        """The cycle at which an instruction of the block that runs begins; for a hook."""
        at, block = self.at, self._book.running()
        begun: int = at.cycle
        inside = block is not None and at.start <= pc < at.end
        return begun + block.before(pc) if block is not None and inside else self.cycle

    def cost_from(self, block: Block, address: int) -> int:
        """Cycles of the rest of a block when the core goes on within it."""
        return self._book.cost_from(block, address)

    def takes(self, number: int) -> bool:
        """Whether an exception would be taken now if it were pending."""
        state = self.exceptions
        if not state.enabled >> number & 1 or (self.scb is not None and self.scb.scr.SLEEPONEXIT):
            return False
        return state.group(state.priority[number]) < state.execution_priority(*self.masks())

    def frame_of_thread(self, sp: int) -> tuple[int, int, bool]:
        """Of an exception in Thread mode: frame, padding of SP, whether s0-s15 are in it.

        Raises NotLinear where taking it would be told of.
        """
        control = self.engine.read(eng.CONTROL)
        made = self._entry.frame_at(sp, control)
        if control & 2 or bool(control & 4) != made[2] or self._stack.in_data(made[0]):
            raise NotLinear("an exception that is not plain")
        if made[2] and not self._entry.fp_words() and self.fpu.fpcar.value != made[0] + 32 & ~7:
            raise NotLinear("another place for floating-point state")
        return made

    def frame_size(self, control: int) -> int:
        """Bytes of the frame of an exception; 0 where floating-point state would be moved."""
        fp = self._entry.frame_at(0, control)[2]
        if bool(control & 4) != fp or (fp and (self._entry.fp_moves or self._context.lazy)):
            return 0
        return 104 if fp else 32

    def served(self, frame: int, control: int, xpsr: int) -> None:
        """Exceptions were taken elsewhere, and returned from: what the last one leaves behind."""
        self.event = True
        if control & 4:
            self._context.reserve(frame, control, xpsr)
            self._context.returned(fp=True)

    def fp_words(self) -> tuple[int, ...]:
        """What of the floating-point registers goes into a frame."""
        return self._entry.fp_words()

    def stacking_cycles(self, *, fp: bool) -> tuple[int, int]:
        """What entry to and return from an exception cost."""
        return self._entry.stacking_cycles(fp=fp)
