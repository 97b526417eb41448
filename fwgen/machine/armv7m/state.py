"""What the rooms of a core share: its engine, its clockwork, where it stands and why it stopped.

The block that runs began at ``at.cycle`` and costs ``at.cost``; the engine goes on at
``next_pc``. Everything that bends the flow happens outside the engine: a hook notes why
(``stop``), and the run loop acts when the engine has returned.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any

from fwgen.errors import BenchError
from fwgen.machine.armv7m import engine as eng
from fwgen.machine.armv7m import exceptions as exc
from fwgen.machine.armv7m.blocks import FP
from fwgen.machine.armv7m.engine import Engine
from fwgen.machine.native import NativeClockwork, library
from fwgen.machine.time import NEVER

if TYPE_CHECKING:
    from collections.abc import Callable

    from fwgen.image.types import Image
    from fwgen.machine.armv7m.comparators import Break
    from fwgen.machine.memory import MemoryMap
    from fwgen.machine.soc import Soc
    from fwgen.thumb.cycles import Pace

NOWHERE = 1  # an ``until`` that no instruction has: odd
NOWHERE_YET = -1  # a ``start`` from which no entry is backward
ATTENTION = -1  # a ``limit`` that every block meets
GUARD_CYCLES = 4_000_000  # between two looks at the wall clock
# What ``hold`` says; a debugger or the reset line sets it, never the firmware by itself.
FREE, HALTED, STEPPING, IN_RESET = 0, 1, 2, 3
LOCKUP_PC = 0xEFFF_FFFE
_WIDE_HINT = b"\xaf\xf3"
_MASKS = (eng.PRIMASK, eng.BASEPRI, eng.FAULTMASK)


class Clockwork:
    """Where the core is, in cycles and addresses; shared with the BLOCK hook.

    The block that runs began at ``cycle`` and costs ``cost``; it is [start, end). ``limit`` is
    the cycle by which the block that is about to run must have ended, else the core looks;
    with ``attention`` it stops; it looks at blocks that have a flag of ``look``, too, and stops
    behind those that have one of ``heed``. ``refill`` is what a taken branch out of the block that
    runs costs, ``near`` what it waits for the line of the flash that follows, ``hot`` how many
    backward entries make a loop worth a look. ``NativeClockwork`` has the same names. What native
    code does of accesses (``answers``): it may while they are ``plain``; what it was told holds for
    one ``epoch``; of some ``looks`` we do not know yet.
    """

    __slots__ = (
        "attention", "cost", "cycle", "end", "epoch", "heed", "hot", "limit", "look", "looks",
        "near", "plain", "refill", "start",
    )  # fmt: skip

    def __init__(self) -> None:
        self.cycle = self.cost = self.start = self.end = 0
        self.limit = self.attention = self.refill = self.near = self.hot = self.look = 0
        self.heed = self.plain = self.epoch = self.looks = 0


def look_around() -> None:
    """The reason of a stop that only lets the run loop look; ``next_pc`` is set already."""


class CoreState(ABC):
    """The state of a core, and the smallest things that can be done to it.

    ``hold`` is FREE unless a debugger halts or steps the core, or the reset line holds it; held,
    it counts as asleep. ``until_ps`` is the time up to which the core was asked to run, ``due``
    the cycle at which something is to be done at the latest. ``access_pc`` and ``access_cycle``
    hold within an access to the bus. ``event`` is the event register of WFE. ``imprecise`` is the
    address of a store that failed after the core had gone on, and the store's PC.
    """

    def __init__(
        self, soc: Soc, memory: MemoryMap, *, native: bool | None, pace: Pace = "typical"
    ) -> None:
        self.soc, self.memory = soc, memory
        soc.memory = memory
        self.kind = soc.chip.core
        self.pace = pace
        self.exceptions = soc.exceptions
        self.hclk = soc.clock("HCLK")
        self.engine = Engine(self.kind)
        self.native = library() if native is not False else None
        if native and self.native is None:
            raise BenchError(
                "the native code was not built",
                hint="install a C compiler and reinstall, or let it be chosen by itself",
            )
        self.at: Any = Clockwork() if self.native is None else NativeClockwork()
        self.at.limit, self.at.attention = ATTENTION, 1
        self.image: Image | None = None  # for fault reports
        self.asleep = self.locked = self.event = False
        self.hold = FREE
        self.asleep_cycles = self.asleep_since = 0
        self.next_pc = 0
        self.until = NOWHERE
        self.until_ps = self.deadline = self.due = 0
        self.ask_at = GUARD_CYCLES
        self.reason: Callable[[], None] | None = None
        self.failure: BaseException | None = None
        self.access_pc: int | None = None
        self.access_cycle = 0
        self.reset_cause: str | None = None
        self.imprecise: tuple[int, int] | None = None
        self.fp_enabled = False
        self.guarded = False  # the MPU forbids something
        self.uses_monitor = False  # the exclusive one: code with LDREX was run
        self.watching: tuple[Break, ...] = ()  # data on the bus, for a debugger
        self.hit: Break | None = None  # the break or watchpoint that halted the core last
        # Told of what meets a Break that does not halt: the instruction's address, and which.
        self.heard: Callable[[int, Break], None] = lambda _pc, _one: None
        self.scb: Any = soc.peripherals.get("SCB")
        self.fpu: Any = soc.peripherals.get("FPU")
        self.systick: Any = soc.peripherals.get("SYSTICK")
        self.rcc: Any = soc.peripherals.get("RCC")
        self.pwr: Any = soc.peripherals.get("PWR")
        self.flash: Any = soc.peripherals.get("FLASH")
        self.dcb: Any = soc.peripherals.get("DCB")
        self.scnscb: Any = soc.peripherals.get("SCNSCB")

    # ------------------------------------------------------------------ where it is

    @property
    def fp_look(self) -> bool:
        """Whether to look before the next floating-point instruction."""
        return bool(self.at.look & FP)

    @fp_look.setter
    def fp_look(self, look: bool) -> None:
        self.at.look = FP if look else 0

    @property
    def pc(self) -> int:
        """Address of the instruction being executed."""
        return self.next_pc if self.access_pc is None else self.access_pc

    @property
    def cycle(self) -> int:
        """The cycle that it is: exact within a bus access."""
        if self.access_pc is not None:
            return self.access_cycle
        now: int = self.at.cycle + self.at.cost
        return now

    @property
    def awake_cycles(self) -> int:
        """Cycles not spent asleep so far."""
        asleep = self.asleep_cycles
        if self.asleep or self.locked or self.hold:
            asleep += self.cycle - self.asleep_since
        return self.cycle - asleep

    @property
    def now_ps(self) -> int:
        """The time at ``cycle``."""
        return self.hclk.time_of(self.cycle)

    @property
    def exception(self) -> int:
        """The number of the exception being handled; 0 in Thread mode."""
        return self.engine.read(eng.XPSR) & 0x1FF

    def masks(self) -> list[int]:
        """PRIMASK, BASEPRI and FAULTMASK.

        The engine hides them from unprivileged code, so they are read as a handler would.
        """
        engine = self.engine
        xpsr, control = engine.read_many((eng.XPSR, eng.CONTROL))
        if not control & 1 or xpsr & 0x1FF:
            return engine.read_many(_MASKS)
        engine.write(eng.XPSR, xpsr | exc.NMI)
        masks = engine.read_many(_MASKS)
        engine.write_many((eng.XPSR, eng.APSR_NZCV), (xpsr, xpsr & 0xF0000000))
        return masks

    def vector_base(self) -> int:
        """Where the vector table is."""
        return self.scb.vtor.value if self.scb is not None else 0

    def in_flash(self, address: int) -> bool:
        """Whether code at an address comes from the flash, or an alias of it."""
        region = self.memory.find(address)
        return region is not None and region.kind == "flash"

    def last_hint(self) -> int:
        """The number of the hint, narrow or wide, that the block that ran ends in; -1 for none."""
        data = self.memory.read(self.at.end - 4, 4) or self.memory.read(self.at.end - 2, 2) or b""
        narrow = int.from_bytes(data[-2:], "little")
        if narrow & 0xFF0F == 0xBF00:
            return narrow >> 4 & 15
        wide = narrow & 0xFF00 == 0x8000 and data[:-2] == _WIDE_HINT
        return narrow & 0xFF if wide else -1

    # ------------------------------------------------------------------ stopping

    def attend(self) -> None:
        """Look around before the next block."""
        self.at.attention, self.at.limit = 1, ATTENTION

    def stop(self, reason: Callable[[], None]) -> None:
        """From a hook: leave the engine, then do ``reason``."""
        self.reason = reason
        self.engine.stop()

    def pause(self) -> None:
        """From the block hook, with ``next_pc`` set: leave the engine, only to look around."""
        self.stop(look_around)

    def fail(self, error: BaseException) -> None:
        """From a hook, which must not raise: leave the engine, then raise this."""
        if self.failure is None:
            self.failure = error
        self.engine.stop()
        self.attend()

    # ------------------------------------------------------------------ what is due

    def cycle_of(self, t_ps: int) -> int:
        """The first cycle that does not begin before a time."""
        if t_ps >= NEVER:
            return NEVER
        cycle = self.hclk.ticks_at(t_ps)
        return cycle if self.hclk.time_of(cycle) >= t_ps else cycle + 1

    def set_limit(self) -> None:
        """Find out anew what is due first, and have the block hook look by then."""
        self.deadline = self.soc.scheduler.next_ps
        self.due = self.cycle_of(min(self.deadline, self.until_ps))
        self.arm()

    @abstractmethod
    def code_matters_anew(self) -> None:
        """What the engine must stop before changed: what is known of code is not true any more."""

    @abstractmethod
    def lasts(self) -> bool:
        """Whether the run may go on: firmware must not hold the bench for ever."""

    @abstractmethod
    def arm(self) -> None:
        """Tell the block hook by when to look."""
