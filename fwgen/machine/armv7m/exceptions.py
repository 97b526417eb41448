"""Which exceptions are enabled, pending and active, and which of them comes first.

Pure state, shared by the core, the NVIC and the SCB. Exceptions are numbered as the Arm ARM does:
2 NMI, 3 HardFault, 4 MemManage, 5 BusFault, 6 UsageFault, 11 SVCall, 12 DebugMonitor, 14 PendSV,
15 SysTick, 16 + n for interrupt line n. Sets of them are bit masks.

Source: Arm ARM DDI0403 B1.5.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

RESET, NMI, HARD_FAULT, MEM_MANAGE, BUS_FAULT, USAGE_FAULT = 1, 2, 3, 4, 5, 6
SVCALL, DEBUG_MONITOR, PENDSV, SYSTICK = 11, 12, 14, 15
FIRST_IRQ = 16

NAMES = {
    RESET: "Reset", NMI: "NMI", HARD_FAULT: "HardFault", MEM_MANAGE: "MemManage",
    BUS_FAULT: "BusFault", USAGE_FAULT: "UsageFault", SVCALL: "SVCall",
    DEBUG_MONITOR: "DebugMonitor", PENDSV: "PendSV", SYSTICK: "SysTick",
}  # fmt: skip

THREAD = 256  # execution priority with nothing active: below every exception
_ALWAYS = sum(1 << n for n in (NMI, HARD_FAULT, SVCALL, DEBUG_MONITOR, PENDSV, SYSTICK))
_FIXED = {RESET: -3, NMI: -2, HARD_FAULT: -1}


class Exceptions:
    """The state of every exception of a core.

    ``changed`` is told when something became pending, enabled or of another priority; ``pended``
    (for SEVONPEND) of each exception that was not pending before.
    """

    def __init__(
        self, lines: int, priority_bits: int, interrupts: Mapping[int, str] | None = None
    ) -> None:
        self.lines = lines
        self.count = FIRST_IRQ + lines
        self.priority_mask = 0xFF & ~((1 << (8 - priority_bits)) - 1)
        self._interrupts = interrupts or {}
        self.changed: Callable[[int], None] | None = None
        self.pended: Callable[[], None] | None = None
        self.levels = 0  # lines that request right now
        self.masked = 0  # kept from being taken by a debugger
        self.reset()

    def reset(self) -> None:
        """As after a system reset: only lines that still request are pending."""
        self.enabled = _ALWAYS
        self.pending = self.levels
        self.active = 0
        self.group_shift = 1  # PRIGROUP 0: bits [7:1] preempt
        self.priority = [_FIXED.get(number, 0) for number in range(self.count)]
        self.fell: dict[int, int] = {}  # exception -> when its line last fell
        self.entered: dict[int, int] = {}  # exception -> when its handler was last entered
        self._best: tuple[int, int] | None = None
        self._fresh = False

    def name(self, number: int) -> str:
        """An exception's name as the manuals write it."""
        if number < FIRST_IRQ:
            return NAMES.get(number, f"exception {number}")
        return self._interrupts.get(number - FIRST_IRQ, f"IRQ{number - FIRST_IRQ}")

    # ------------------------------------------------------------------ changes

    def pend(self, number: int, t_ps: int) -> None:
        """An exception becomes pending."""
        self.pend_all(1 << number, t_ps)

    def pend_all(self, mask: int, t_ps: int) -> None:
        """Exceptions become pending."""
        self._raise(mask)
        self.touch(t_ps)

    def _raise(self, mask: int) -> None:
        new = mask & ~self.pending
        self.pending |= mask
        if new and self.pended is not None:
            self.pended()

    def unpend(self, number: int, t_ps: int) -> None:
        """Software clears a pending exception; a line that still requests stays pending."""
        self.pending &= ~(1 << number) | self.levels
        self.touch(t_ps)

    def line(self, irq: int, level: bool, t_ps: int) -> None:
        """An interrupt line rose or fell. A rise pends; a fall leaves what is pending."""
        if irq >= self.lines:
            return
        bit = 1 << (FIRST_IRQ + irq)
        if level:
            self.levels |= bit
            self._raise(bit)
            self.touch(t_ps)
        else:
            self.levels &= ~bit
            self.fell[FIRST_IRQ + irq] = t_ps

    def enable(self, mask: int, t_ps: int) -> None:
        """Enable exceptions."""
        self.enabled |= mask
        self.touch(t_ps)

    def disable(self, mask: int, t_ps: int) -> None:
        """Disable exceptions; pending ones stay pending."""
        self.enabled &= ~mask
        self.touch(t_ps)

    def set_priority(self, number: int, value: int, t_ps: int) -> None:
        """Set a configurable priority; bits that the chip lacks stay 0."""
        if number < self.count and number not in _FIXED:
            self.priority[number] = value & self.priority_mask
            self.touch(t_ps)

    def set_grouping(self, prigroup: int, t_ps: int) -> None:
        """AIRCR.PRIGROUP: bits [7:prigroup+1] of a priority decide preemption."""
        self.group_shift = prigroup + 1
        self.touch(t_ps)

    def touch(self, t_ps: int) -> None:
        """Something changed: whoever runs the core must look again."""
        self._fresh = False
        if self.changed is not None:
            self.changed(t_ps)

    # ------------------------------------------------------------------ questions

    def group(self, priority: int) -> int:
        """The part of a priority that decides preemption."""
        return priority if priority < 0 else priority >> self.group_shift << self.group_shift

    def best(self) -> tuple[int, int] | None:
        """The pending, enabled exception that comes first: (priority, number), or None.

        Lowest priority value first, then lowest number (B1.5.4).
        """
        if not self._fresh:
            waiting = self.pending & self.enabled & ~self.masked
            best: tuple[int, int] | None = None
            while waiting:
                low = waiting & -waiting
                number = low.bit_length() - 1
                key = (self.priority[number], number)
                if best is None or key < best:
                    best = key
                waiting ^= low
            self._best, self._fresh = best, True
        return self._best

    def active_priority(self) -> int:
        """The group priority of what is active; THREAD when nothing is."""
        priority, active = THREAD, self.active
        while active:
            low = active & -active
            number = low.bit_length() - 1
            priority = min(priority, self.group(self.priority[number]))
            active ^= low
        return priority

    def execution_priority(self, primask: int, basepri: int, faultmask: int) -> int:
        """The priority that the core runs at (B1.5.4, ExecutionPriority).

        Of BASEPRI, as of a priority, a core has the upper bits only: the others mask nothing.
        """
        priority = self.active_priority()
        if basepri & self.priority_mask:
            priority = min(priority, self.group(basepri))
        if primask:
            priority = min(priority, 0)
        if faultmask:
            priority = min(priority, -1)
        return priority

    def preempting(self, execution_priority: int) -> int | None:
        """The exception that would be taken at an execution priority, or None."""
        best = self.best()
        if best is None or self.group(best[0]) >= execution_priority:
            return None
        return best[1]

    # ------------------------------------------------------------------ the core's own

    def activate(self, number: int) -> None:
        """An exception is entered."""
        bit = 1 << number
        self.pending &= ~bit
        self.active |= bit
        self._fresh = False

    def deactivate(self, number: int) -> None:
        """An exception returned; a line that still requests pends it again."""
        bit = 1 << number
        self.active &= ~bit
        self._raise(self.levels & bit)
        self._fresh = False
