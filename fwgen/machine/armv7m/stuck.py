"""Whether a fault has ended what a firmware does: the core is locked up, or its handler only spins.

Source: Arm ARM DDI0403 B1.5.14, B1.5.15.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fwgen.machine.armv7m.exceptions import FIRST_IRQ, HARD_FAULT, SYSTICK, USAGE_FAULT
from fwgen.machine.armv7m.steps import NOTHING, compile_one
from fwgen.machine.armv7m.symbolic import AL
from fwgen.machine.time import NEVER
from fwgen.thumb.forms import is_wide

if TYPE_CHECKING:
    from fwgen.machine.armv7m.state import CoreState
    from fwgen.machine.memory import MemoryMap

LONGEST = 16  # instructions of an endless loop that is looked for
_CPS = 0xB660  # and what it masks: bits 0 to 2, bit 4


def why_stuck(core: CoreState) -> str:
    """Why nothing but a reset or NMI makes the core go on; "" while something may."""
    if core.locked:
        return "the core is locked up"
    number = core.exception
    if not HARD_FAULT <= number <= USAGE_FAULT or not _spins(core.memory, core.next_pc):
        return ""
    if _may_be_interrupted(core):
        return ""
    return f"the handler of {core.exceptions.name(number)} only spins"


def _may_be_interrupted(core: CoreState) -> bool:
    """Whether an interrupt that is enabled would preempt what runs."""
    state = core.exceptions
    priority = state.execution_priority(*core.masks())
    ticks = core.systick is not None and core.systick.due_ps < NEVER
    return any(
        state.enabled >> number & 1 and state.group(state.priority[number]) < priority
        for number in range(SYSTICK if ticks else FIRST_IRQ, state.count)
    )


def _spins(memory: MemoryMap, pc: int) -> bool:
    """Whether code from ``pc`` on goes round without end, and does nothing on the way."""
    seen: set[int] = set()
    while pc not in seen and len(seen) < LONGEST:
        seen.add(pc)
        code = memory.read(pc, 2)
        if code is not None and is_wide(int.from_bytes(code, "little")):
            code = memory.read(pc, 4)
        if code is None:
            return False
        made = compile_one(pc, code)
        if made is not None and made.condition == AL and made.target is not None:
            pc = made.target
        elif made is NOTHING or _waits(code):
            pc += len(code)
        else:
            return False
    return pc in seen


def _waits(code: bytes) -> bool:
    """Whether an instruction is a hint (WFI, WFE ...) or CPS."""
    first = int.from_bytes(code[:2], "little")
    if len(code) == 4:
        return first == 0xF3AF and code[3] == 0x80
    return first & 0xFF0F == 0xBF00 or first & 0xFFE8 == _CPS
