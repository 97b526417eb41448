"""Data watchpoint and trace unit: the cycle counter, PC samples, comparators."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fwgen.machine.armv7m.comparators import Break
from fwgen.machine.peripheral import Peek, Peripheral, Reg
from fwgen.machine.time import NEVER

if TYPE_CHECKING:
    from fwgen.board.types import PeripheralSpec
    from fwgen.machine.soc import Soc

_WORD = 0xFFFFFFFF
COMPARATORS = 4
# FUNCTION: what a comparator halts the core for (C1.8.17); the others make trace packets.
EXECUTE, READ, WRITE, ACCESS = 4, 5, 6, 7
_TRACE = (
    "EMITRANGE", "CYCMATCH", "DATAVMATCH", "DATAVSIZE", "DATAVADDR0", "DATAVADDR1",
)  # fmt: skip


class Dwt(Peripheral, registers="armv7m.dwt"):
    """CYCCNT counts cycles of HCLK while CTRL.CYCCNTENA and DEMCR.TRCENA are set.

    It counts on while the core sleeps, as long as HCLK runs: SLEEPCNT tells which of its cycles
    were slept. Halted, it stands still. ``on_clock`` hears of TRCENA. PCSR gives an instruction
    just executed. A comparator halts a debugged core before an instruction or after an access;
    only a power reset clears them.

    Source: Arm ARM DDI0403 C1.8; Arm's article 103489824 and erratum 532314 of the Cortex-M3, by
    which CYCCNT, less what was slept and otherwise lost, is the instructions executed.
    Not modelled: the event counters, and whatever makes trace packets: comparators of other
    functions, data values, PC sampling into the trace.
    """

    ctrl, cyccnt = (
        Reg(
            unmodelled=(
                "PCSAMPLENA", "EXCTRCENA", "CPIEVTENA", "EXCEVTENA", "SLEEPEVTENA", "LSUEVTENA",
                "FOLDEVTENA", "CYCEVTENA",
            )
        ),
        Reg(),
    )  # fmt: skip
    pcsr = Reg()
    lar, lsr = Reg(), Reg()  # the Cortex-M4 has no lock here: a key changes nothing (D4.2)
    comp0, comp1, comp2, comp3 = Reg(), Reg(), Reg(), Reg()
    mask0, mask1, mask2, mask3 = Reg(), Reg(), Reg(), Reg()
    function0, function1 = Reg(unmodelled=_TRACE), Reg(unmodelled=_TRACE[2:3])
    function2, function3 = Reg(unmodelled=_TRACE[2:3]), Reg(unmodelled=_TRACE[2:3])

    def __init__(self, spec: PeripheralSpec, soc: Soc) -> None:
        super().__init__(spec, soc)
        self._frozen = False
        self.on_reset(0)

    def reset(self, t_ps: int) -> None:
        """Only a power reset stops it."""
        if self.soc.powered_up:
            super().reset(t_ps)
            self._tell()

    def on_reset(self, t_ps: int) -> None:
        """Stopped at 0."""
        self._value = 0
        self._since = 0
        self._counting = False

    @ctrl.on_write
    def _enable(self, t_ps: int, written: int, before: int) -> None:
        self.on_clock(t_ps)

    def on_clock(self, t_ps: int) -> None:
        """What enables the counter may have changed."""
        self._tell()
        counting = bool(self.ctrl.CYCCNTENA) and self._enabled() and not self._frozen
        if counting != self._counting:
            if self._counting:
                self._value += self._cycles() - self._since
            self._since = self._cycles()
            self._counting = counting

    def freeze(self, t_ps: int, *, frozen: bool) -> None:
        """In Debug state it does not count (article 103489824)."""
        self._frozen = frozen
        self.on_clock(t_ps)

    def _enabled(self) -> bool:
        dcb = self.soc.peripherals.get("DCB")
        return dcb is None or bool(dcb.states["DEMCR"].TRCENA)

    @cyccnt.on_write
    def _set(self, t_ps: int, written: int, before: int) -> None:
        self._value, self._since = written, self._cycles()

    @cyccnt.on_peek
    def _count(self, t_ps: int) -> Peek:
        if not self._counting:
            return Peek(self._value & _WORD, NEVER)
        return Peek((self._value + self._cycles() - self._since) & _WORD, t_ps)

    def count_at(self, offset: int, cycle: int) -> tuple[int, int, int] | None:
        """CYCCNT while it counts."""
        if offset != self.cyccnt.spec.offset or not self._counting:
            return None
        return (self._value + cycle - self._since) & _WORD, 1, NEVER

    @pcsr.on_read
    def _sample(self, t_ps: int) -> int:
        core = self.soc.core
        if core is None or core.debug.halted or not self._enabled():
            return _WORD
        return core.pc & ~1

    @comp0.on_write
    @comp1.on_write
    @comp2.on_write
    @comp3.on_write
    @mask0.on_write
    @mask1.on_write
    @mask2.on_write
    @mask3.on_write
    @function0.on_write
    @function1.on_write
    @function2.on_write
    @function3.on_write
    def _compare(self, t_ps: int, written: int, before: int) -> None:
        self._tell()

    def _tell(self) -> None:
        """The comparators that halt the core, as such."""
        breaks = []
        for n in range(COMPARATORS if self._enabled() else 0):
            function = self.states[f"FUNCTION{n}"].FUNCTION
            size = 1 << self.states[f"MASK{n}"].MASK
            begin = self.states[f"COMP{n}"].value & ~(size - 1)
            if function == EXECUTE:
                breaks.append(Break(begin, begin + size, "DWTTRAP", execute=True))
            elif function in (READ, WRITE, ACCESS):
                reads, writes = function != WRITE, function != READ
                made = Break(begin, begin + size, "DWTTRAP", read=reads, write=writes)
                breaks.append(made)
            elif function:
                register = self.states[f"FUNCTION{n}"].spec
                address = self.spec.base + register.offset
                self.soc.gap(self.name, f"{register.name}.FUNCTION", "write", address)
        if self.soc.core is not None:
            self.soc.core.breakpoints.set(self.name, breaks)

    def _cycles(self) -> int:
        return self.soc.core.cycle if self.soc.core is not None else 0


PERIPHERAL = Dwt
