"""When floating-point state begins, where an exception keeps it, and when it is really saved.

With FPCCR.LSPEN an exception only reserves the place (FPCAR); the first floating-point
instruction after that saves s0-s15 and FPSCR there, and a handler that has none saves nothing.

Source: Arm ARM DDI0403 B1.5.7 (PushStack, PreserveFPState, ExecuteFPCheck), B3.2.21 to B3.2.23;
Cortex-M4 TRM 100166 §7.2.4.
"""

from __future__ import annotations

from struct import Struct
from typing import TYPE_CHECKING

from fwgen.machine.armv7m import engine as eng
from fwgen.machine.armv7m import exceptions as exc

if TYPE_CHECKING:
    from collections.abc import Callable

    from fwgen.machine.armv7m.guard import Guard
    from fwgen.machine.armv7m.state import CoreState

FP_STACK_CYCLES = 17  # s0-s15 and fpscr, when they are moved
FP_REGISTERS = tuple(range(eng.S0, eng.S0 + 16))
WORDS = Struct("<17I")  # the word above fpscr is not written
_MODES = 0x1F << 22  # AHP, DN, FZ, RMode: what FPDSCR sets in FPSCR


class FpContext:
    """FPCA, LSPACT and what hangs on them. ``fault(number, bit, pc, address)`` is the core's."""

    def __init__(self, core: CoreState, guard: Guard) -> None:
        self._core, self._guard = core, guard
        self._engine = core.engine
        self._fpu = core.fpu
        self._active = False  # FPCA while ASPEN is clear: the engine's is not it then
        self._aspen = True
        self.stale = False  # a register was written: ``refresh`` before code runs
        self.fault: Callable[[int, str, int, int], None] | None = None

    @property
    def aspen(self) -> bool:
        """Whether floating-point instructions set FPCA."""
        return self._fpu is None or bool(self._fpu.fpccr.ASPEN)

    @property
    def lazy(self) -> bool:
        """Whether what an exception should have saved is not saved yet (LSPACT)."""
        return self._fpu is not None and bool(self._fpu.fpccr.LSPACT)

    def fpca(self, control: int) -> int:
        """CONTROL.FPCA, of the engine's CONTROL."""
        return control >> 2 & 1 if self.aspen else int(self._active)

    def reset(self) -> None:
        """As after a reset."""
        self._active, self._aspen, self.stale = False, True, False
        self._core.fp_look = False

    def written(self) -> None:
        """FPCCR, FPCAR or FPDSCR was written."""
        self.stale = True
        self._core.attend()

    def refresh(self) -> None:
        """Find out whether the next floating-point instruction needs a look."""
        self.stale = False
        core, engine = self._core, self._engine
        if self._fpu is None:
            return
        control = engine.read(eng.CONTROL)
        if self.aspen != self._aspen:
            self._aspen = self.aspen
            if self._aspen:
                control = control & ~4 | self._active << 2
                engine.write(eng.CONTROL, control)
            else:
                self._active = bool(control & 4)
            core.code_matters_anew()
        # With FPDSCR = 0 the engine begins a context as it must be begun.
        begins = not control & 4 and (not self._aspen or self._fpu.fpdscr.value)
        core.fp_look = self.lazy or bool(begins)

    def control_written(self) -> None:
        """MSR CONTROL was run."""
        if not self.aspen:
            self._active = bool(self._engine.read(eng.CONTROL) & 4)
        self.refresh()

    # ------------------------------------------------------------------ exceptions

    def reserve(self, frame: int, control: int, xpsr: int) -> None:
        """An exception reserved an extended frame: note where, and who ran (UpdateFPCCR)."""
        fpu, core = self._fpu, self._core
        thread = not xpsr & 0x1FF
        state, scb = core.exceptions, core.scb
        priority = state.execution_priority(*core.masks())

        def ready(number: int) -> bool:
            enabled = bool(state.enabled >> number & 1)
            return enabled and state.group(state.priority[number]) < priority

        monitor = core.dcb is not None and bool(core.dcb.demcr.MON_EN)
        fpu.fpcar.value = (frame + 32) & ~7
        fpu.fpccr.set(
            LSPACT=1,
            USER=int(thread and bool(control & 1)),
            THREAD=int(thread),
            HFRDY=int(priority > -1),
            MMRDY=int(scb is not None and ready(exc.MEM_MANAGE)),
            BFRDY=int(scb is not None and ready(exc.BUS_FAULT)),
            MONRDY=int(monitor and ready(exc.DEBUG_MONITOR)),
        )

    def entered(self) -> None:
        """A handler begins, with FPCA clear."""
        self._active = False
        self.refresh()

    def returned(self, *, fp: bool) -> bool:
        """A handler ends; whether the frame's floating-point state must be read back."""
        self._active = fp
        if fp and self.lazy:
            self._fpu.fpccr.set(LSPACT=0)
            return False
        return fp

    # ------------------------------------------------------------------ instructions

    def begin(self, pc: int) -> None:
        """A floating-point instruction is about to run (ExecuteFPCheck)."""
        if self.lazy and not self._preserve(pc):
            return
        engine = self._engine
        control = engine.read(eng.CONTROL)
        if not control & 4:
            engine.write(eng.CONTROL, control | 4)  # else the engine begins a context of its own
            if self.aspen and self._fpu is not None:
                engine.write(eng.FPSCR, self._fpu.fpdscr.value & _MODES)  # its flags are UNKNOWN
        self._core.fp_look = False

    def _preserve(self, pc: int) -> bool:
        """Save what an exception left to be saved; False when that faulted."""
        core, fpccr = self._core, self._fpu.fpccr
        where = self._fpu.fpcar.value
        if not self._guard.allows(where, 68, write=True, privileged=not fpccr.USER):
            self._failed(exc.MEM_MANAGE, "MLSPERR", pc, where)
            return False
        data = WORDS.pack(*self._engine.read_many(FP_REGISTERS), self._engine.read(eng.FPSCR))
        if not core.memory.write_ram(where, data):
            self._failed(exc.BUS_FAULT, "LSPERR", pc, where)
            return False
        core.at.cost += FP_STACK_CYCLES
        fpccr.set(LSPACT=0)
        return True

    def _failed(self, number: int, bit: str, pc: int, where: int) -> None:
        if self.fault is not None:
            self.fault(number, bit, pc, where)
