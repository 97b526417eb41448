"""Instructions that the engine must not run as they stand; it stops before each of them.

Conditions that fail before what would fault, an ISB within an IT block (which makes the engine
forget the block's conditions), the first floating-point instruction of a context, CONTROL while
FPCCR.ASPEN is clear, fixed-point numbers that become floats: run here, or let pass.

Source: Arm ARM DDI0403 A7.3 (conditions), A7.3.3 (ITSTATE), A7.7.229 (VCVT).
"""

from __future__ import annotations

from struct import Struct
from typing import TYPE_CHECKING

from fwgen.machine.armv7m import engine as eng
from fwgen.machine.armv7m.itstate import IT_BITS, advanced, holds, it_left, it_of
from fwgen.machine.armv7m.opcodes import from_fixed, is_fp, is_isb, reads_control
from fwgen.machine.armv7m.state import FREE, NOWHERE_YET
from fwgen.thumb.forms import is_wide

if TYPE_CHECKING:
    from collections.abc import Callable

    from fwgen.machine.armv7m.codebook import Codebook
    from fwgen.machine.armv7m.fpcontext import FpContext
    from fwgen.machine.armv7m.state import CoreState
    from fwgen.machine.armv7m.traps import Traps

INEXACT = 1 << 4  # FPSCR.IXC
NEAREST = 3 << 22  # FPSCR.RMode is 0 there
_SINGLE = Struct("<f")


class Conditional:
    """Runs what must not be left to the engine. ``run_one`` runs a single instruction."""

    def __init__(
        self,
        core: CoreState,
        traps: Traps,
        context: FpContext,
        book: Codebook,
        run_one: Callable[[], None],
    ) -> None:
        self._core = core
        self._engine = core.engine
        self._at = core.at
        self._traps, self._context, self._book, self._run_one = traps, context, book, run_one
        self._within = False

    def here(self) -> None:
        """The engine was stopped before the instruction at ``next_pc``."""
        xpsr = self._engine.read(eng.XPSR)
        pc = self._core.next_pc
        code = self._core.memory.read(pc, 4) or self._core.memory.read(pc, 2) or b""
        first = int.from_bytes(code[:2], "little")
        second = int.from_bytes(code[2:4], "little") if is_wide(first) else 0
        fails = bool(it_of(xpsr)) and not holds(it_of(xpsr) >> 4, xpsr)
        if fails or (second and self._by_hand(first, second)):
            self._pass_by(first, second, xpsr)
        elif second and self._core.fp_look and self._core.fp_enabled and is_fp(first, second):
            self._context.begin(pc)
        elif it_of(xpsr) and not self._within and not self._faults(first, second):
            self._alone()
        else:
            self._traps.bad_instruction()

    def through_it(self) -> None:
        """The engine stopped within an IT block: the rest of it, instruction by instruction."""
        core, engine = self._core, self._engine
        if self._within:
            return
        while core.hold == FREE and not (core.asleep or core.locked or core.reset_cause):
            xpsr, active = engine.read(eng.XPSR), core.exceptions.active
            if not xpsr & IT_BITS:
                return
            self.here()
            if core.exceptions.active != active:
                return

    def _faults(self, first: int, second: int) -> bool:
        """Whether an instruction whose condition holds is one that the core does not run."""
        return is_fp(first, second) and not self._core.fp_enabled

    def _alone(self) -> None:
        self._within = True
        try:
            self._run_one()
        finally:
            self._within = False

    def _pass_by(self, first: int, second: int, xpsr: int) -> None:
        """Go on behind an instruction that is done, or that its condition keeps from being run."""
        core, at = self._core, self._at
        size = 4 if is_wide(first) else 2
        at.cost += self._book.look_at(core.next_pc, size, it_left(it_of(xpsr))).cost
        core.next_pc += size
        at.start, at.end = NOWHERE_YET, core.next_pc
        if xpsr & IT_BITS:
            xpsr = advanced(xpsr)
            self._engine.write_many((eng.XPSR, eng.APSR_NZCV), (xpsr, xpsr & 0xF0000000))

    def _by_hand(self, first: int, second: int) -> bool:
        """Do what an instruction does; False when it is not ours."""
        if is_isb(first, second):
            return True  # no instruction was fetched ahead here
        if reads_control(first, second) and not self._context.aspen:
            register, control = eng.GENERAL[second >> 8 & 15], self._engine.read(eng.CONTROL)
            self._engine.write(register, control & ~4 | self._context.fpca(control) << 2)
            return True
        if from_fixed(first, second) and self._core.fp_enabled and not self._core.fp_look:
            self._to_float(first, second)
            return True
        return False

    def _to_float(self, first: int, second: int) -> None:
        """FixedToFP rounds to nearest, whatever FPSCR.RMode says."""
        engine = self._engine
        register = eng.S0 + ((second >> 12 & 15) << 1 | first >> 6 & 1)
        size = 32 if second >> 7 & 1 else 16
        places = size - ((second & 15) << 1 | second >> 5 & 1)
        value = engine.read(register) & (1 << size) - 1
        if not first & 1 and value >> (size - 1):
            value -= 1 << size
        exact = value / (1 << places) if places >= 0 else float(value)
        bits = _SINGLE.pack(exact)
        engine.write(register, int.from_bytes(bits, "little"))
        if _SINGLE.unpack(bits)[0] != exact:
            engine.write(eng.FPSCR, engine.read(eng.FPSCR) | INEXACT)

    def before_fixed(self, address: int) -> None:
        """Outside an IT block, the engine is about to convert from fixed point."""
        core = self._core
        if self._engine.read(eng.FPSCR) & NEAREST:
            core.stop(lambda: self._fixed(address))

    def _fixed(self, address: int) -> None:
        self._traps.cut_short(address)
        self.here()
