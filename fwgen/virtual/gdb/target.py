"""What a debugger does to the machine: registers, memory, breaks, halt, step, reset."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fwgen.machine.armv7m.comparators import Break
from fwgen.machine.armv7m.state import HALTED
from fwgen.virtual.gdb.registers import registers

if TYPE_CHECKING:
    from fwgen.machine.armv7m.core import Core
    from fwgen.machine.machine import Machine

DHCSR, DEMCR, AIRCR = 0xE000_EDF0, 0xE000_EDFC, 0xE000_ED0C
KEY, DEBUGEN, HALT, STEP, MASKINTS = 0xA05F << 16, 1, 2, 4, 8
TRCENA, VC_CORERESET = 1 << 24, 1
FAULTS = 0x7F0  # DEMCR.VC_HARDERR to VC_MMERR
SYSRESETREQ = 0x05FA_0004
# Who holds breakpoints, beside FPB and DWT, which are the firmware's to see.
HOLDER, STEP_END = "gdb", "gdb's step"
SLEEPERS = (0xBF30, 0xBF20)  # WFI, WFE
SIGINT, SIGTRAP, SIGSEGV = 2, 5, 11
DFSR = 0xE000_ED30
DFSR_VCATCH = 1 << 3


Breaks = dict[tuple[int, int, int], Break]  # kind, address, length, as gdb gives them


class Target:
    """The machine as a debugger has it. Its time stands still while the core is halted."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self._breaks: Breaks = {}
        self.registers = registers(fpu="f" in machine.board.chip.core.removeprefix("cortex-"))

    @property
    def _core(self) -> Core:
        return self._machine.core

    @property
    def running(self) -> bool:
        """Whether the core is not in debug state."""
        return self._core.hold != HALTED

    # ------------------------------------------------------------------ halt, run, step, reset

    def attach(self) -> None:
        """Halt, and catch faults from now on."""
        self._core.debug.stops_time = True
        self.halt()
        demcr = self._word(DEMCR) & TRCENA
        self._core.debugger.write(DEMCR, 4, demcr | FAULTS)

    def detach(self) -> None:
        """Leave nothing behind, and let the core run."""
        self._breaks.clear()
        self._set_breaks()
        self._core.debugger.write(DEMCR, 4, self._word(DEMCR) & TRCENA)
        self._control(DEBUGEN)  # runs
        self._core.debugger.write(DHCSR, 4, KEY)
        self._core.debug.stops_time = False

    def stand(self, breaks: Breaks) -> None:
        """Halt here, for no reason of the firmware's, and have these breaks instead of others."""
        self.halt()
        self._core.hit = None
        self._core.debugger.write(DFSR, 4, 0x1F)
        self._core.breakpoints.set(STEP_END, ())
        self._breaks = dict(breaks)
        self._set_breaks()

    def halt(self) -> None:
        """Halt between two instructions."""
        self._control(DEBUGEN | HALT)

    def resume(self) -> None:
        """Let the core run; the caller lets time pass."""
        self._core.hit = None
        self._core.debugger.write(DFSR, 4, 0x1F)
        self._control(DEBUGEN)

    def step(self) -> None:
        """Run one instruction, as soon as time passes; interrupts wait meanwhile.

        But for WFI and WFE: they sleep until something wakes the core, and what does is served,
        where halting at once would let the firmware go on too early.
        """
        core = self._core
        if core.debugger.read(core.next_pc, 2) in SLEEPERS:
            core.breakpoints.set(STEP_END, (_before(core.next_pc + 2),))
            self.resume()
            return
        core.hit = None
        core.debugger.write(DFSR, 4, 0x1F)
        self._control(DEBUGEN | HALT | MASKINTS)
        self._control(DEBUGEN | STEP | MASKINTS)

    def stood(self) -> None:
        """After a step: interrupts are let through again."""
        self._core.breakpoints.set(STEP_END, ())
        if self._core.debug.halted:
            self._control(DEBUGEN | HALT)

    def reset(self) -> None:
        """Reset the chip, and halt before the first instruction."""
        core = self._core
        demcr = self._word(DEMCR)
        core.debugger.write(DEMCR, 4, demcr | VC_CORERESET)
        core.debugger.write(AIRCR, 4, SYSRESETREQ)
        self._machine.advance(core.now_ps)
        core.debugger.write(DEMCR, 4, demcr)
        core.debugger.write(DFSR, 4, 0x1F)  # it was no fault

    def _control(self, bits: int) -> None:
        self._core.debugger.write(DHCSR, 4, KEY | bits)

    def _word(self, address: int) -> int:
        return self._core.debugger.read(address, 4) or 0

    def reason(self) -> tuple[int, str]:
        """Why the core halted: a signal of gdb's, and what else a stop reply says."""
        hit = self._core.hit
        if self._word(DFSR) & DFSR_VCATCH:
            return SIGSEGV, ""
        if hit is None or hit.execute:
            return SIGTRAP, ""
        return SIGTRAP, watched(hit)

    # ------------------------------------------------------------------ registers and memory

    @property
    def here(self) -> tuple[int, int]:
        """Where the core stands: the cycle, and the address of the next instruction."""
        return self._core.cycle, self._core.next_pc

    @property
    def machine(self) -> Machine:
        """The board."""
        return self._machine

    def is_plain(self, address: int, length: int) -> bool:
        """Whether reading there is memory alone, and does nothing to the board."""
        return self._core.debugger.read_block(address, length) is not None

    def read_memory(self, address: int, length: int) -> bytes:
        """As many bytes from ``address`` on as the bus gives."""
        debugger = self._core.debugger
        block = debugger.read_block(address, length)
        if block is not None:
            return block
        made = bytearray()
        while len(made) < length:
            at = address + len(made)
            size = _size(at, length - len(made))
            value = debugger.read(at, size)
            if value is None:
                break
            made += value.to_bytes(size, "little")
        return bytes(made)

    def write_memory(self, address: int, data: bytes) -> bool:
        """Write all of it; False where the bus refuses some."""
        debugger = self._core.debugger
        if debugger.write_block(address, data):
            return True
        at = 0
        while at < len(data):
            size = _size(address + at, len(data) - at)
            value = int.from_bytes(data[at : at + size], "little")
            if not debugger.write(address + at, size, value):
                return False
            at += size
        return True

    def program(self, address: int, data: bytes) -> bool:
        """Put bytes into flash as a programmer does; False where there is none."""
        return self._machine.core.memory.program(address, data)

    # ------------------------------------------------------------------ breaks

    def set_break(self, kind: int, address: int, length: int) -> None:
        """Z0 to Z4: before an instruction (0, 1), after a write, a read, or either."""
        if kind <= 1:
            made = _before(address & ~1)
        else:
            made = Break(
                address, address + length, "DWTTRAP", read=kind in (3, 4), write=kind in (2, 4)
            )
        self._breaks[kind, address, length] = made
        self._set_breaks()

    @property
    def breaks(self) -> Breaks:
        """What is set now."""
        return dict(self._breaks)

    def clear_break(self, kind: int, address: int, length: int) -> None:
        """Undo ``set_break``."""
        self._breaks.pop((kind, address, length), None)
        self._set_breaks()

    def _set_breaks(self) -> None:
        self._core.breakpoints.set(HOLDER, list(dict.fromkeys(self._breaks.values())))


def watched(hit: Break) -> str:
    """What a stop reply says of a watchpoint; nothing of a breakpoint."""
    if hit.execute:
        return ""
    kind = "watch" if not hit.read else "awatch" if hit.write else "rwatch"
    return f"{kind}:{hit.begin:x};"


def _before(address: int) -> Break:
    return Break(address, address + 2, "BKPT", execute=True)


def _size(address: int, left: int) -> int:
    """The widest aligned access."""
    return next(size for size in (4, 2, 1) if not address % size and size <= left)
