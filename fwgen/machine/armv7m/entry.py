"""Exception entry and return: frames, vectors, EXC_RETURN, tail-chaining.

Source: Arm ARM DDI0403 B1.5.6 to B1.5.8; Cortex-M4 TRM 100166 §3.9.
"""

from __future__ import annotations

from struct import Struct
from typing import TYPE_CHECKING

from fwgen.machine.armv7m import engine as eng
from fwgen.machine.armv7m import exceptions as exc
from fwgen.machine.armv7m.fpcontext import FP_REGISTERS, FP_STACK_CYCLES, WORDS

if TYPE_CHECKING:
    from fwgen.machine.armv7m.escalation import Escalation
    from fwgen.machine.armv7m.fetch import Fetch
    from fwgen.machine.armv7m.fpcontext import FpContext
    from fwgen.machine.armv7m.guard import Guard
    from fwgen.machine.armv7m.rounds import Rounds
    from fwgen.machine.armv7m.sleeper import Sleeper
    from fwgen.machine.armv7m.stack import StackGuard
    from fwgen.machine.armv7m.state import CoreState

ENTRY_CYCLES = 12  # TRM §3.9.1, zero wait states
RETURN_CYCLES = 10
TAIL_CHAIN_CYCLES = 6
LATE_CYCLES = 2  # a store, then at once the return

_CALLER = (
    eng.R0, eng.R0 + 1, eng.R0 + 2, eng.R0 + 3, eng.R0 + 12, eng.LR, eng.SP, eng.XPSR, eng.CONTROL,
)  # fmt: skip
_ENTER = (eng.SP, eng.XPSR, eng.CONTROL, eng.APSR_NZCV, eng.LR)
_SELECT_MAIN = (eng.CONTROL, eng.XPSR, eng.CONTROL, eng.XPSR, eng.APSR_NZCV)
_LEAVE = (
    eng.CONTROL, eng.XPSR, eng.CONTROL, eng.APSR_NZCV,
    eng.R0, eng.R0 + 1, eng.R0 + 2, eng.R0 + 3, eng.R0 + 12, eng.LR, eng.SP,
)  # fmt: skip
_FRAME = Struct("<8I")
_RETURN = (
    eng.XPSR, eng.PRIMASK, eng.BASEPRI, eng.FAULTMASK, eng.CONTROL, eng.MSP, eng.PSP,
)  # fmt: skip


class Entry:
    """Takes exceptions and returns from them."""

    def __init__(
        self,
        core: CoreState,
        rounds: Rounds,
        escalation: Escalation,
        stack: StackGuard,
        sleeper: Sleeper,
        context: FpContext,
        guard: Guard,
        fetch: Fetch,
    ) -> None:
        self._core = core
        self._engine = core.engine
        self._at = core.at
        self._memory = core.memory
        self._soc = core.soc
        self._exceptions = core.exceptions
        self._rounds = rounds
        self._escalation, self._stack, self._sleeper = escalation, stack, sleeper
        self._context, self._guard, self._fetch = context, guard, fetch
        context.fault = self.fault

    def enter(self, number: int, priority: int, *, synchronous: bool = False) -> None:
        """Stack the frame and go to the handler (B1.5.6). A later, higher one goes first."""
        core, engine, at = self._core, self._engine, self._at
        r0, r1, r2, r3, r12, lr, sp, xpsr, control = engine.read_many(_CALLER)
        frame, padded, fp = self.frame_at(sp, control)
        stacked = xpsr & ~0x200 | padded << 9
        data = _FRAME.pack(r0, r1, r2, r3, r12, lr, core.next_pc, stacked)
        if fp and self.fp_moves:
            data += WORDS.pack(*self.fp_words())
            at.cost += FP_STACK_CYCLES
        elif fp:
            self._context.reserve(frame, control, xpsr)
        thread = not xpsr & 0x1FF
        link = 0xFFFFFFE1 if fp else 0xFFFFFFF1
        if thread:
            link |= 0xC if control & 2 else 0x8
        at.cost += ENTRY_CYCLES + self._fetch.vector()
        if not control & 2:
            self._stack.check(frame)
        if self._guard.refused_now(frame, len(data), write=True) is not None:
            number = self._escalation.stacking_failed(number, frame, exc.MEM_MANAGE, "MSTKERR")
        elif not self._memory.write_ram(frame, data):
            number = self._escalation.stacking_failed(number, frame, exc.BUS_FAULT, "STKERR")
        elif not synchronous:
            self._soc.scheduler.catch_up(core.now_ps)
            number = self._exceptions.preempting(priority) or number
        self._begin(number, frame, xpsr, control, link)

    def frame_at(self, sp: int, control: int) -> tuple[int, int, bool]:
        """Where a frame goes, whether SP was padded for it, and whether s0-s15 are in it."""
        core = self._core
        fp = bool(self._context.fpca(control))
        frame = (sp - (104 if fp else 32)) & 0xFFFFFFFF
        if fp or core.scb is None or core.scb.ccr.STKALIGN:
            return frame & ~7, frame >> 2 & 1, fp
        return frame, 0, fp

    def fp_words(self) -> tuple[int, ...]:
        """What of the floating-point registers an exception puts into an extended frame."""
        if not self.fp_moves:
            return ()
        return (*self._engine.read_many(FP_REGISTERS), self._engine.read(eng.FPSCR))

    def stacking_cycles(self, *, fp: bool) -> tuple[int, int]:
        """What entry to and return from an exception cost."""
        moved = FP_STACK_CYCLES if fp and self.fp_moves else 0
        waits = self._fetch.vector()
        return ENTRY_CYCLES + moved + waits, RETURN_CYCLES + moved + waits

    def _begin(self, number: int, sp: int, xpsr: int, control: int, link: int) -> None:
        """Enter a handler whose frame is in place."""
        core = self._core
        if number != exc.SYSTICK:
            self._rounds.tour = None
        core.event = True
        self._soc.asked_ps = core.now_ps
        self._exceptions.activate(number)
        self._exceptions.entered[number] = core.now_ps
        self._engine.write_many(
            _ENTER,
            (sp, xpsr & 0xF80F0000 | 1 << 24 | number, control & ~4, xpsr & 0xF0000000, link),
        )
        if control & 2:  # SPSEL is clear in a handler; only privileged Thread mode can clear it
            after = self._engine.read(eng.XPSR)
            self._engine.write_many(
                _SELECT_MAIN, (2, 1 << 24, control & 1, after, xpsr & 0xF0000000)
            )
        if core.uses_monitor:
            self._engine.clear_exclusive()
        self._context.entered()
        vector = self._memory.word(core.vector_base() + 4 * number)
        if vector is None:
            self._vector_failed(number)
            return
        if self._fetch.entered(vector & ~1):
            core.code_matters_anew()
        self.go_to(vector)

    def leave(self, link: int) -> None:
        """Return from an exception (B1.5.8), or go straight to the next (tail-chain)."""
        core, engine, at, state = self._core, self._engine, self._at, self._exceptions
        values = engine.read_many(_RETURN)
        xpsr, primask, basepri, faultmask, control, main, process = values
        number = xpsr & 0x1FF
        known = link & 0xF in (0x1, 0x9, 0xD) and link | 0x1F == 0xFFFFFFFF
        nested = state.active & state.active - 1
        if nested and link & 8 and not (core.scb is not None and core.scb.ccr.NONBASETHRDENA):
            known = False  # to Thread mode, with another exception active
        if not known or not state.active >> number & 1:
            state.deactivate(number)
            self._chain_fault(exc.USAGE_FAULT, "INVPC", link)
            return
        self._late_clear(number)
        if number != exc.NMI and faultmask:
            engine.write(eng.FAULTMASK, 0)
            faultmask = 0
        state.deactivate(number)
        core.event = True
        self._soc.scheduler.catch_up(core.now_ps)
        following = state.preempting(state.execution_priority(primask, basepri, faultmask))
        if following is not None:
            at.cost += TAIL_CHAIN_CYCLES + self._fetch.vector()
            self._begin(following, main, xpsr, control, link)
            return
        to_process = bool(link & 4)
        frame = process if to_process else main
        fp = not link & 0x10
        size = 104 if fp else 32
        data = self._memory.read(frame, size)
        rights = bool(link & 0xF == 1) or not control & 1
        if not self._guard.allows(frame, size, write=False, privileged=rights):
            self._chain_fault(exc.MEM_MANAGE, "MUNSTKERR", link, frame)
            return
        if data is None:
            self._chain_fault(exc.BUS_FAULT, "UNSTKERR", link, frame)
            return
        r0, r1, r2, r3, r12, lr, pc, stacked = _FRAME.unpack_from(data)
        to_handler = bool(link & 0xF == 1)
        if to_handler != bool(stacked & 0x1FF):
            self._chain_fault(exc.USAGE_FAULT, "INVPC", link)
            return
        at.cost += RETURN_CYCLES + self._fetch.vector()
        if self._context.returned(fp=fp):
            at.cost += FP_STACK_CYCLES
            words = WORDS.unpack_from(data, 32)
            engine.write_many(FP_REGISTERS, words[:16])
            engine.write(eng.FPSCR, words[16])
        sp = frame + size + (4 if stacked & 0x200 else 0)
        final = control & 1 | (2 if to_process else 0) | (4 if fp else 0)
        first = control & 3 & ~1 if to_handler else 0
        if core.uses_monitor:
            engine.write(eng.EPSR, 1 << 24)
            engine.clear_exclusive()
        engine.write_many(
            _LEAVE,
            (first | (4 if fp else 0), stacked & ~0x200, final, stacked & 0xF0000000,
             r0, r1, r2, r3, r12, lr, sp),
        )  # fmt: skip
        if core.fp_look or fp:
            self._context.refresh()
        core.next_pc = pc & ~1
        at.start = at.end = core.next_pc
        if not stacked >> 24 & 1:
            self.fault(exc.USAGE_FAULT, "INVSTATE", core.next_pc)
            return
        if self._rounds.tour is not None:
            self._rounds.returned(link, self.stacking_cycles(fp=fp))
        if not to_handler and core.scb is not None and core.scb.scr.SLEEPONEXIT:
            self._sleeper.wait(event=False)

    def go_to(self, target: int) -> None:
        """Continue at a vector or a return address; bit 0 is the Thumb bit."""
        core = self._core
        core.next_pc = target & ~1
        self._at.start = self._at.end = core.next_pc
        if not target & 1:
            self.fault(exc.USAGE_FAULT, "INVSTATE", core.next_pc)

    @property
    def fp_moves(self) -> bool:
        """Whether an exception saves floating-point state at once."""
        return self._core.fpu is not None and not self._core.fpu.fpccr.LSPEN

    def _late_clear(self, number: int) -> None:
        """A request that fell just before the return would still be seen by silicon's NVIC.

        A handler that looks at its flags first should bear that: with another ``chance`` it has to.
        """
        fell = self._exceptions.fell.pop(number, None)
        if fell is None:
            return
        if self._at.cycle + self._at.cost - self._core.cycle_of(fell) <= LATE_CYCLES:
            name = self._exceptions.name(number)
            if self._looked_first(number):
                self._soc.hazard(
                    "flag-cleared-last",
                    f"the handler of {name} clears its flag with its last store: silicon may "
                    "enter it again, to find the flag clear",
                )
                if self._soc.chance:
                    self._exceptions.pend(number, self._core.now_ps)
                return
            self._soc.hazard(
                "flag-cleared-late",
                f"the handler of {name} clears its flag with its last store: silicon may enter "
                "it again, as the store is still under way at the return",
            )

    def _looked_first(self, number: int) -> bool:
        """Whether a handler read the flags of who requests before it cleared them.

        A second entry would read them again, which waits for the store: it finds them clear.
        """
        since, irq = self._exceptions.entered[number], number - exc.FIRST_IRQ
        return any(
            self._soc.flags_read.get(spec.name, -1) >= since
            for spec in self._soc.chip.peripherals.values()
            if irq in spec.irqs.values()
        )

    def fault(
        self,
        number: int,
        bit: str,
        pc: int,
        address: int | None = None,
        culprit: int | None = None,
    ) -> None:
        """A synchronous fault: to its handler, else to HardFault, else lock up (B1.5.14)."""
        self._core.next_pc = pc
        taken = self._escalation.escalate(number, bit, address, culprit)
        if taken is not None:
            self.enter(taken, exc.THREAD, synchronous=True)

    def _chain_fault(self, number: int, bit: str, link: int, address: int | None = None) -> None:
        """A fault of an exception return: its handler follows without stacking anew."""
        engine = self._engine
        taken = self._escalation.escalate(number, bit, address)
        if taken is not None:
            xpsr, control, sp = engine.read_many((eng.XPSR, eng.CONTROL, eng.SP))
            self._at.cost += TAIL_CHAIN_CYCLES + self._fetch.vector()
            self._begin(taken, sp, xpsr, control, link)

    def _vector_failed(self, number: int) -> None:
        self._escalation.note("VECTTBL", None)
        if number in (exc.HARD_FAULT, exc.NMI):
            self._escalation.lock_up("VECTTBL", "the HardFault vector")
            return
        self._exceptions.deactivate(number)
        self.fault(exc.HARD_FAULT, "VECTTBL", self._core.next_pc)
