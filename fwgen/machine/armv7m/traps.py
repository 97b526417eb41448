"""What the engine met and will not do by itself: SVC, BKPT, hints, faults of an instruction."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fwgen.machine.armv7m import engine as eng
from fwgen.machine.armv7m import exceptions as exc
from fwgen.machine.armv7m.blocks import WFE

if TYPE_CHECKING:
    from fwgen.machine.armv7m.codebook import Codebook
    from fwgen.machine.armv7m.debug import Debug
    from fwgen.machine.armv7m.entry import Entry
    from fwgen.machine.armv7m.escalation import Escalation
    from fwgen.machine.armv7m.sleeper import Sleeper
    from fwgen.machine.armv7m.state import CoreState


class Traps:
    """Makes exceptions of the core from what stopped the engine."""

    def __init__(
        self,
        core: CoreState,
        book: Codebook,
        entry: Entry,
        escalation: Escalation,
        sleeper: Sleeper,
        debug: Debug,
    ) -> None:
        self._core = core
        self._engine = core.engine
        self._at = core.at
        self._memory = core.memory
        self._exceptions = core.exceptions
        self._book, self._entry = book, entry
        self._escalation, self._sleeper = escalation, sleeper
        self._debug = debug

    def note(self, bit: str, address: int) -> None:
        """Set the status of a fault that is not taken."""
        self._escalation.note(bit, address)

    def value_fault(self, pc: int, bit: str, address: int) -> None:
        """A UsageFault for the values that an instruction met."""
        self.cut_short(pc)
        self._entry.fault(exc.USAGE_FAULT, bit, pc, address)

    def engine_exception(self, number: int) -> None:
        """The engine met an exception of its own."""
        if number == 2:
            self._supervisor_call()
        elif number == 8:
            self._entry.leave(self._core.next_pc | 1)
        elif number == 7:
            self._breakpoint()
        elif number == 3:
            self.fetch_fault(self._core.next_pc)
        else:
            self.bad_instruction()

    def _supervisor_call(self) -> None:
        priority = self._exceptions.execution_priority(*self._core.masks())
        if self._exceptions.group(self._exceptions.priority[exc.SVCALL]) < priority:
            self._entry.enter(exc.SVCALL, priority, synchronous=True)
        else:
            self._escalation.note("FORCED", None)
            self._entry.fault(exc.HARD_FAULT, "SVC", self._core.next_pc)

    def _breakpoint(self) -> None:
        pc = self._core.next_pc
        if self._debug.enabled or self._debug.monitored:
            self.cut_short(pc)
        if not self._debug.breakpoint() and not self._debug.monitor("BKPT"):
            self._entry.fault(exc.HARD_FAULT, "DEBUGEVT", pc)

    def invalid(self) -> None:
        """An instruction that the engine does not run: WFE, YIELD and SEV are ours."""
        core = self._core
        hint = core.last_hint() if core.next_pc == self._at.end else -1
        if not self._engine.read(eng.EPSR) >> 24 & 1:
            self._entry.fault(exc.USAGE_FAULT, "INVSTATE", core.next_pc)
        elif hint == WFE:
            self._sleeper.wait(event=True)
        elif hint < 0:
            self.bad_instruction()

    def bad_instruction(self) -> None:
        """The instruction at ``next_pc`` is one that the core does not have."""
        core = self._core
        code = self._memory.read(core.next_pc, 4) or b""
        first = int.from_bytes(code[:2], "little")
        second = int.from_bytes(code[2:4], "little")
        if not self._engine.read(eng.EPSR) >> 24 & 1:
            self._entry.fault(exc.USAGE_FAULT, "INVSTATE", core.next_pc)
        elif (
            # A5.3.18: to a coprocessor that is off, or that the core lacks.
            first & 0xEC00 == 0xEC00
            and first & 0x3E0
            and first & 0x300 != 0x300
            and (second >> 9 & 7 != 5 or not core.fp_enabled)
        ):
            self._entry.fault(exc.USAGE_FAULT, "NOCP", core.next_pc)
        else:
            self._entry.fault(exc.USAGE_FAULT, "UNDEFINSTR", core.next_pc)

    def cut_short(self, pc: int) -> None:
        """An instruction of the block that runs did not complete: time stops before it."""
        at = self._at
        block = self._book.running()
        if block is not None and at.start <= pc < at.end:
            at.cost = block.reached(pc)
            at.end = pc  # going on there is no branch out of the block, and costs no refill
        self._core.next_pc = pc

    def bus_fault(self, pc: int, address: int) -> None:
        """The bus refused the access of the instruction at ``pc``."""
        self.cut_short(pc)
        self._entry.fault(exc.BUS_FAULT, "PRECISERR", pc, address)

    def protection_fault(self, pc: int, address: int) -> None:
        """The MPU refused the access of the instruction at ``pc``."""
        self.cut_short(pc)
        self._entry.fault(exc.MEM_MANAGE, "DACCVIOL", pc, address)

    def execution_fault(self, address: int) -> None:
        """The MPU lets nothing run at an address."""
        self._entry.fault(exc.MEM_MANAGE, "IACCVIOL", address)

    def fetch_fault(self, address: int) -> None:
        """There is no code at an address, or none that may run."""
        region = self._memory.find(address)
        never = address >= 0xA000_0000 or 0x4000_0000 <= address < 0x6000_0000
        if never or (region is not None and region.executable):  # B3.1, B3.5: execute never
            self._entry.fault(exc.MEM_MANAGE, "IACCVIOL", address)
        else:
            self._entry.fault(exc.BUS_FAULT, "IBUSERR", address)
