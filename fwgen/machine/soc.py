"""The chip: time, lines, peripherals and the bus between them, without the core.

A Soc can be driven by a test with no core at all: ``soc.write("USART2", "BRR", 139)``,
``soc.run_until(t_ps)``. The core plugs in as its master.
"""

from __future__ import annotations

import re
from dataclasses import replace
from importlib import import_module
from typing import TYPE_CHECKING, Protocol

from fwgen.errors import BoardError
from fwgen.machine.armv7m.exceptions import Exceptions
from fwgen.machine.dma import DmaRequests
from fwgen.machine.pads import Pad
from fwgen.machine.signals import Fabric
from fwgen.machine.time import NEVER, ClockDomain, Scheduler
from fwgen.machine.unclocked import Unclocked
from fwgen.machine.waves import Pulses
from fwgen.trace import Burst, Edge, Event, Gap, Hazard, Wave

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from fwgen.board.types import Board, PeripheralSpec
    from fwgen.machine.armv7m.comparators import Break
    from fwgen.machine.memory import MemoryMap
    from fwgen.machine.parts.module import ModuleModel
    from fwgen.machine.peripheral import Latch, Peripheral
    from fwgen.machine.waves import SquareWave


CORE_ONLY = "VECTRESET"  # a cause that leaves the peripherals alone
FROM_STANDBY = "STANDBY"  # a cause: what Standby waited for came


class Debugging(Protocol):
    """What the debug registers of the chip need of the core's halting debug."""

    @property
    def halted(self) -> bool:
        """Whether the core is in debug state."""

    def control(self, value: int) -> None:
        """DHCSR was written."""

    def status(self, *, clear: bool) -> int:
        """What DHCSR reads; reading clears its sticky bits."""

    def register(self, selector: int) -> int:
        """A register of the halted core, by DCRSR.REGSEL."""

    def set_register(self, selector: int, value: int) -> None:
        """Set a register of the halted core, by DCRSR.REGSEL."""


class Breaks(Protocol):
    """Who halts the core where a comparator matches."""

    def set(self, holder: str, breaks: Sequence[Break]) -> None:
        """What a unit's comparators say now."""


class Core(Protocol):
    """What the chip needs of its core."""

    @property
    def debug(self) -> Debugging:
        """Its halting debug."""

    @property
    def breakpoints(self) -> Breaks:
        """Where it halts for a debugger."""

    @property
    def pc(self) -> int:
        """Address of the instruction being executed (exact also within a bus access)."""

    @property
    def exception(self) -> int:
        """The number of the exception being handled; 0 in Thread mode."""

    @property
    def cycle(self) -> int:
        """Cycles of HCLK so far (exact within a bus access)."""

    @property
    def awake_cycles(self) -> int:
        """Cycles of HCLK not spent asleep so far (exact within a bus access)."""

    def wake_up(self, t_ps: int) -> None:
        """An interrupt line or event changed: look again before going on."""

    def configure_sleep(self) -> None:
        """SCR was written: what wakes the core may have changed."""

    def mpu_written(self) -> None:
        """A register of the memory protection unit was written, or reset."""

    def fp_written(self) -> None:
        """A register of the floating-point context was written."""

    def configure(self) -> None:
        """What the core traps, or may execute, changed (CCR, CPACR)."""


class Recorder:
    """Collects the events of a run; the same hazard or gap at the same place is told once."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.initial: dict[str, int | None] = {}
        self.listeners: list[Callable[[Event], None]] = []  # each hears an event as it happens
        self.readers: list[Callable[[Event], None]] = []  # hear all, perhaps some time later
        self.started = False  # before reset release, pads only settle
        self.keeps = True  # else events are only told
        self.cite: Callable[[str], str] = str  # a section, as this chip's manuals have it
        self._told: set[tuple[object, ...]] = set()

    def add(self, event: Event) -> None:
        """Keep an event, and tell whoever watches live."""
        if isinstance(event, Hazard) and event.section:
            event = replace(event, section=self.cite(event.section))
        if self.keeps:
            self.events.append(event)
        for listener in self.listeners:
            listener(event)
        for reader in self.readers:
            reader(event)

    def add_all(self, events: Iterable[Event]) -> None:
        """Keep many events."""
        if self.listeners or self.readers or not self.keeps:
            for event in events:
                self.add(event)
        else:
            self.events.extend(events)

    def add_once(self, event: Event, key: tuple[object, ...]) -> None:
        """Keep an event unless one with this key was told."""
        if key not in self._told:
            self._told.add(key)
            self.add(event)

    def edge(self, t_ps: int, pin: str, level: int | None) -> None:
        """A pad took a level."""
        if self.started:
            self.add(Edge(t_ps, pin, level))
        else:
            self.initial[pin] = level

    def wave(self, pin: str, wave: SquareWave | Pulses) -> None:
        """A pad repeats, or goes through pulses, until its next edge or wave."""
        if self.started and isinstance(wave, Pulses):
            self.add(Burst(wave.t_ps, pin, wave.level, wave.after_ps))
        elif self.started:
            assert not isinstance(wave, Pulses)
            self.add(Wave(wave.t_ps, pin, wave.level, wave.first_ps, wave.second_ps))
        else:
            self.initial[pin] = wave.level

    def fight(self, t_ps: int, pin: str, who: str) -> None:
        """Two strong drivers disagree on a pad."""
        message = f"{pin} is driven both ways: {who}"
        self.add_once(Hazard.of("output-fight", message, t_ps), ("output-fight", pin))


class Interrupts:
    """Request lines into the NVIC: sources that share a line are or-ed."""

    def __init__(self) -> None:
        self._sources: dict[int, set[str]] = {}
        self.on_level: Callable[[int, bool, int], None] | None = None  # the NVIC: irq, level, t_ps

    def set(self, irq: int, source: str, level: bool, t_ps: int) -> None:
        """A source raises or lowers its request."""
        active = self._sources.setdefault(irq, set())
        before = bool(active)
        if level:
            active.add(source)
        else:
            active.discard(source)
        if bool(active) != before and self.on_level is not None:
            self.on_level(irq, bool(active), t_ps)

    def level(self, irq: int) -> bool:
        """Whether any source requests."""
        return bool(self._sources.get(irq))

    def pulse(self, irq: int, t_ps: int) -> None:
        """A request that lasts one cycle (EXTI lines are levels; events are pulses)."""
        if self.on_level is not None:
            self.on_level(irq, True, t_ps)
            if not self.level(irq):
                self.on_level(irq, False, t_ps)


class Soc:
    """A chip on its board, ready to be reset and run.

    Clock domains exist by name from the start at 0 Hz; the clock controller (RCC) sets them:
    "SYSCLK", "HCLK" (the core's), "APB1", "APB2" (PCLK), "APB1_TIM", "APB2_TIM" (timer
    kernels), "LSI", "LSE", "HSE". A peripheral's own domain is "<NAME>": it follows its bus (or
    its timer kernel), and is 0 Hz while its gate is closed; RCC keeps it.

    ``chance`` (0 or 1) picks one of two ways in which everything that nothing defines happens to
    be: what RAM holds at power-on, what a floating input reads, how a contact chatters.
    """

    def __init__(self, board: Board, *, chance: int = 0) -> None:
        self.board = board
        self.chance = chance
        self.chip = board.chip
        self.scheduler = Scheduler()
        self.recorder = Recorder()
        self.recorder.cite = _citation(self.chip.chapters)
        self.fabric = Fabric(self.scheduler)
        self.interrupts = Interrupts()
        self.dma = DmaRequests()
        self.flowing: list[Peripheral] = []  # that send or receive by DMA (``flows``)
        self.beating: list[Peripheral] = []  # timers that interrupt (``beating``)
        self.talking: list[Peripheral] = []  # that send or receive byte by byte (``talk``)
        self.exceptions = Exceptions(
            self.chip.nvic_lines, self.chip.priority_bits, self.chip.interrupts
        )
        self.clocks: dict[str, ClockDomain] = {}
        self.gated: dict[str, bool] = {}  # peripheral -> its clock is enabled (kept by RCC)
        self.unclocked = Unclocked(self)
        self.settling: dict[str, int] = {}  # peripheral -> until when its new clock may be absent
        self.debugger_cut: set[str] = set()  # peripherals that keep a debugger from its wires
        self.core: Core | None = None
        self.memory: MemoryMap | None = None  # what masters other than the core reach
        self.on_system_reset: Callable[[int, str], None] | None = None  # t_ps, cause
        self.flags_read: dict[str, int] = {}  # peripheral -> when the core last read its flags
        self.asked_ps = 0  # when the firmware last learned anything of time or the world outside
        self.acting = False  # what happens now is the core's own store
        self.by_debugger = False  # what happens on the bus now is not the firmware's doing
        self.reset_cause = "PORRSTF"  # of the reset under way, or the last one
        self.in_standby = False
        self._unpowered = False  # Standby has switched the supply of core and peripherals off
        self.on_trace: Callable[[bytes, int, int], None] | None = None  # SWO: data, t_ps, baud
        for name in self.chip.pins:
            self.fabric.pads[name] = Pad(name, self.recorder, self.scheduler, board.supply_uv)
        for name in board.wired_outputs:
            owner = name.partition(".")[0]
            self.fabric.pads[name] = Pad(
                name, self.recorder, self.scheduler, board.supply_uv, owner
            )
        self.powering = False  # the supply comes back: levels settle, and nobody is to blame
        self.modules: dict[str, ModuleModel] = {}  # parts with a behaviour, by name
        self.peripherals: dict[str, Peripheral] = {}
        for spec in self.chip.peripherals.values():
            if spec.kind is not None:
                self.peripherals[spec.name] = _make(spec, self)

    # ------------------------------------------------------------------ time

    @property
    def now_ps(self) -> int:
        """The time of the event or access being handled."""
        return self.scheduler.now_ps

    def run_until(self, t_ps: int) -> None:
        """Let time pass without a core."""
        self.scheduler.catch_up(t_ps)

    def clock(self, name: str) -> ClockDomain:
        """A clock domain by name; made, standing still, when first asked for."""
        if name not in self.clocks:
            self.clocks[name] = ClockDomain(name)
        return self.clocks[name]

    def peripheral_clock(self, spec: PeripheralSpec) -> ClockDomain:
        """The domain that a peripheral counts in; its ``on_clock`` hears changes."""
        domain = self.clock(spec.name)
        domain.on_change(lambda t_ps: self.peripherals[spec.name].on_clock(t_ps))
        return domain

    # ------------------------------------------------------------------ reset

    def reset(self, t_ps: int, cause: str) -> None:
        """System reset of every peripheral; RCC records ``cause`` ("PORRSTF", "IWDGRSTF" ...).

        A peripheral whose state outlives a system reset keeps it in its own ``reset``.
        """
        self.reset_cause = cause
        for peripheral in self.peripherals.values():
            if cause != CORE_ONLY or peripheral.spec.bus == "PPB":
                peripheral.reset(t_ps)
        self.in_standby = self._unpowered = False

    @property
    def powered_up(self) -> bool:
        """Whether the reset under way is one of the supply: it clears what outlives the others.

        Leaving Standby is one, whatever ended it (RM0368 §6.1.2).
        """
        return self._unpowered or self.reset_cause in ("PORRSTF", "BORRSTF")

    @property
    def backup_lost(self) -> bool:
        """Whether the reset under way found the backup domain without any supply."""
        return self.reset_cause == "PORRSTF"

    def enter_standby(self, t_ps: int, *, powered: bool) -> None:
        """Core and peripherals lose their supply, unless a debugger keeps it (``powered``)."""
        self.in_standby, self._unpowered = True, not powered
        # PWR last: it pulls a pin that its port lets go.
        for peripheral in sorted(self.peripherals.values(), key=lambda p: p.name == "PWR"):
            if not powered or peripheral.spec.bus != "PPB":
                peripheral.standby(t_ps)

    def freeze(self, t_ps: int, *, frozen: bool) -> None:
        """The core was halted by a debugger, or goes on: some peripherals stand still."""
        for peripheral in self.peripherals.values():
            peripheral.freeze(t_ps, frozen=frozen)

    def request_reset(self, t_ps: int, cause: str) -> None:
        """A watchdog or software asks for a system reset; the core does it at its next step."""
        if self.on_system_reset is not None:
            self.on_system_reset(t_ps, cause)

    # ------------------------------------------------------------------ evidence

    @property
    def pc(self) -> int:
        """Where the firmware is; 0 without a core."""
        return self.core.pc if self.core is not None else 0

    def hazard(self, code: str, message: str, *, section: str = "", cure: str = "") -> None:
        """Silicon would misbehave here. Told once per code, place and message.

        ``code`` stands in the register (``fwgen.hazards``), with severity, section and cure;
        what is given here is more to the point.
        """
        if self.by_debugger:
            return
        event = Hazard.of(code, message, self.now_ps, self.pc, section=section, cure=cure)
        self.recorder.add_once(event, (code, message, event.pc))

    def gap(
        self, peripheral: str, register: str, access: str, address: int, detail: str = ""
    ) -> None:
        """Firmware touched something not modelled. Told once per register and place."""
        if self.by_debugger:
            return
        event = Gap(self.now_ps, peripheral, register, access, address, self.pc, detail)
        self.recorder.add_once(event, ("gap", peripheral, register, access, event.pc))

    # ------------------------------------------------------------------ bus

    def bus_read(self, spec: PeripheralSpec, offset: int, size: int, t_ps: int) -> int:
        """A core's read of a peripheral, at an exact time. Due events come first."""
        self.scheduler.catch_up(t_ps)
        peripheral = self.peripherals.get(spec.name)
        if peripheral is None:
            return self.master_read(spec, offset, size, t_ps)
        self._note_read(peripheral, offset, t_ps)
        if self._clock_off(spec):
            self.unclocked.read(spec, offset, size, t_ps)
            return 0
        return peripheral.read(offset, size, t_ps)

    def bus_looked(self, spec: PeripheralSpec, offset: int, t_ps: int) -> None:
        """The core's reads that ``bus_peek`` foresaw were left out, the last one at ``t_ps``."""
        peripheral = self.peripherals.get(spec.name)
        if peripheral is None:
            return
        self._note_read(peripheral, offset, t_ps)
        if spec.gate is None or self.gated.get(spec.name, False):
            peripheral.looked(offset, t_ps)

    def _note_read(self, peripheral: Peripheral, offset: int, t_ps: int) -> None:
        """What firmware learns by a read."""
        if peripheral.tells(offset):
            self.asked_ps = t_ps
        if offset in peripheral.flags_at:
            self.flags_read[peripheral.name] = t_ps

    def master_read(self, spec: PeripheralSpec, offset: int, size: int, t_ps: int) -> int:
        """A read by whichever master, within an event: what else is due now comes after it."""
        peripheral = self.peripherals.get(spec.name)
        if self._clock_off(spec):
            self.unclocked.read(spec, offset, size, t_ps)
            return 0
        if peripheral is None:
            return self._unmodelled(spec, offset, "read", size)
        return peripheral.read(offset, size, t_ps)

    def bus_write(
        self, spec: PeripheralSpec, offset: int, size: int, value: int, t_ps: int
    ) -> None:
        """A core's write to a peripheral, at an exact time. Due events come first."""
        self.scheduler.catch_up(t_ps)
        self.acting = self.core is not None and not self.by_debugger
        self.master_write(spec, offset, size, value, t_ps)
        self.acting = False

    def master_write(
        self, spec: PeripheralSpec, offset: int, size: int, value: int, t_ps: int
    ) -> None:
        """A write by whichever master, within an event: what else is due now comes after it."""
        peripheral = self.peripherals.get(spec.name)
        if self._clock_off(spec):
            self.unclocked.write(spec, offset, size, value)
            return
        if peripheral is None:
            self._unmodelled(spec, offset, "write", size)
            return
        peripheral.write(offset, size, value, t_ps)

    def bus_peek(
        self, spec: PeripheralSpec, offset: int, size: int, t_ps: int
    ) -> tuple[int, int] | None:
        """What a read would give and until when, purely; None when it cannot be foreseen.

        Events due at ``t_ps`` must have come. Hazards and gaps are left to a real read.
        """
        if spec.name in self.settling:
            return None
        if spec.gate is not None and not self.gated.get(spec.name, False):
            return 0, NEVER
        peripheral = self.peripherals.get(spec.name)
        if peripheral is not None:
            return peripheral.peek(offset, size, t_ps)
        return None

    def bus_latch(self, spec: PeripheralSpec, offset: int) -> Latch | None:
        """What a 32-bit write would do, purely; None when it does more than move pins."""
        peripheral = self.peripherals.get(spec.name)
        if peripheral is None or spec.name in self.settling:
            return None
        if spec.gate is not None and not self.gated.get(spec.name, False):
            return None
        return peripheral.latch(offset)

    def _clock_off(self, spec: PeripheralSpec) -> bool:
        if spec.gate is None or self.gated.get(spec.name, False):
            if self.settling and self.now_ps < self.settling.pop(spec.name, 0):
                self.hazard(
                    "clock-settling",
                    f"{spec.name} touched right after enabling its clock: the access may be lost",
                )
            return False
        return True

    def _unmodelled(self, spec: PeripheralSpec, offset: int, access: str, size: int) -> int:
        from fwgen.board.registers import load_register_map

        known = load_register_map(spec.registers) if spec.registers else None
        found = known.at(offset) if known is not None else None
        name = found.name if found is not None else f"+{offset:#x}"
        self.gap(spec.name, name, access, spec.base + offset)
        return known.after_reset(offset, size) if known is not None else 0

    # ------------------------------------------------------------------ for tests

    def read(self, peripheral: str, register: str) -> int:
        """Read a register by name, now, as 32 bits of the bus."""
        spec, offset = self._find(peripheral, register)
        return self.bus_read(spec, offset, 4, self.now_ps)

    def write(self, peripheral: str, register: str, value: int) -> None:
        """Write a register by name, now."""
        spec, offset = self._find(peripheral, register)
        self.bus_write(spec, offset, 4, value, self.now_ps)

    def _find(self, peripheral: str, register: str) -> tuple[PeripheralSpec, int]:
        registers: Mapping[str, object]
        model = self.peripherals[peripheral]
        registers = model.MAP.registers
        if register not in registers:
            raise KeyError(f"{peripheral} has no register {register}")
        return model.spec, model.MAP.registers[register].offset


def _citation(chapters: Mapping[str, str]) -> Callable[[str], str]:
    """How a section of a sister chip's manual is cited: the chapter here, and the one meant."""
    if not chapters:
        return str
    known = "|".join(re.escape(name) for name in sorted(chapters, key=len, reverse=True))
    pattern = re.compile(rf"({known})((?:\.\d+)*)(?!\d)")

    def cited(found: re.Match[str]) -> str:
        ours, whole = chapters[found[1]], found[0]
        return f"{ours} (as {whole})" if "§" in ours else ours + found[2]

    return lambda section: pattern.sub(cited, section)


def _make(spec: PeripheralSpec, soc: Soc) -> Peripheral:
    try:
        module = import_module(f"fwgen.machine.{spec.kind}")
    except ModuleNotFoundError as error:
        raise BoardError(
            f"{spec.name} is of kind {spec.kind!r}, which the machine does not have",
            where=soc.chip.name,
            hint='leave out "kind" to declare it not modelled',
        ) from error
    made: Peripheral = module.PERIPHERAL(spec, soc)
    return made
