"""A peripheral of the machine: registers as its manual names them, behaviour hung on them.

    class Iwdg(Peripheral, registers="stm32.iwdg_v1"):
        '''Independent watchdog. RM0368 §17.'''

        kr, pr = Reg(), Reg()

        @kr.on_write
        def _key(self, t_ps: int, written: int, before: int) -> None: ...

Names, offsets, reset values and access kinds come from the register map (``boards/registers``);
a ``Reg`` that the map lacks fails when the class is made. Registers of the map that the class
does not declare are not modelled: touching one is a Gap.

The module of a kind ("stm32.iwdg_v1" is ``fwgen.machine.stm32.iwdg_v1``) names its class
``PERIPHERAL``.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

from fwgen.board.registers import RegisterMap, RegisterSpec, load_register_map
from fwgen.machine.time import NEVER

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from fwgen.board.types import PeripheralSpec
    from fwgen.machine.leap import Flow
    from fwgen.machine.soc import Soc
    from fwgen.machine.talk import Beating, Outputs, Talk
    from fwgen.trace import Event


class Peek(NamedTuple):
    """What a read would give, without its side effects, and until when that holds."""

    value: int
    stable_until_ps: int


class Latch(NamedTuple):
    """What a 32-bit write to a register does, where all it does is move pins.

    ``home`` is the offset of the register that holds the outcome. ``outcome(held, written)`` gives
    what it holds then, and the pins that change, as (name, level) in the order of their edges;
    None where more would follow from the write.
    """

    home: int
    outcome: Callable[[int, int], tuple[int, list[tuple[str, int]]] | None]


class Register:
    """The state of one register of one peripheral.

    ``value`` is what is stored; ``reg.UE`` reads a field; ``reg.set(UE=1)`` sets fields as
    hardware does, whatever the access kind.
    """

    __slots__ = (
        "_fields", "_rc_w0", "_rc_w1", "_reserved", "_rs", "_rw", "_t", "name", "rc_r", "readable",
        "reset_value", "spec", "value",
    )  # fmt: skip

    def __init__(self, spec: RegisterSpec, reset: int | None = None) -> None:
        self.spec, self.name, self._fields = spec, spec.name, spec.fields
        (
            self._rw, self._rc_w0, self._rc_w1, self._rs, self._t,
            self.rc_r, self.readable, self._reserved,
        ) = spec.layout  # fmt: skip
        self.reset_value = spec.reset if reset is None else reset
        self.value = self.reset_value

    def __getattr__(self, field: str) -> int:
        try:
            f = self._fields[field]
        except KeyError:
            raise AttributeError(f"{self.name} has no field {field}") from None
        return (self.value >> f.lsb) & ((1 << f.width) - 1)

    def set(self, **fields: int) -> None:
        """Set fields as hardware does. Raises KeyError for a field the map lacks."""
        for name, bits in fields.items():
            f = self._fields[name]
            self.value = (self.value & ~f.mask) | ((bits << f.lsb) & f.mask)

    def mask(self, *fields: str) -> int:
        """The bits of the named fields. Raises KeyError."""
        mask = 0
        for name in fields:
            mask |= self._fields[name].mask
        return mask

    def field(self, field: str, of: int) -> int:
        """A field of some value of this register (what was written, what was before)."""
        f = self._fields[field]
        return (of >> f.lsb) & ((1 << f.width) - 1)

    @property
    def inverts(self) -> bool:
        """It holds flags that a 0 clears, for which writing ``~flag`` is the usual way."""
        return self.cleared_by_0 != 0

    @property
    def cleared_by_0(self) -> int:
        """The bits that a 0 clears."""
        return self._rc_w0

    def software_write(self, written: int) -> int:
        """Apply a write by access kinds; returns the reserved bits that it tried to change."""
        value = self.value
        value = (value & ~self._rw) | (written & self._rw)
        value &= ~(self._rc_w0 & ~written) & ~(self._rc_w1 & written)
        self.value = (value | (written & self._rs)) ^ (written & self._t)
        return (written ^ self.reset_value) & self._reserved


Writer = "Callable[[Any, int, int, int], None]"  # self, t_ps, written, before
Reader = "Callable[[Any, int], int]"  # self, t_ps
Peeker = "Callable[[Any, int], Peek]"  # self, t_ps


class Reg:
    """Declares that a register of the map is modelled; hangs behaviour on it.

    ``unmodelled`` names fields in which anything but the reset value is a Gap.
    """

    def __init__(self, *, name: str | None = None, unmodelled: tuple[str, ...] = ()) -> None:
        self.name = name or ""
        self.unmodelled = unmodelled
        self.writer: Callable[[Any, int, int, int], None] | None = None
        self.reader: Callable[[Any, int], int] | None = None
        self.peeker: Callable[[Any, int], Peek] | None = None

    def __set_name__(self, owner: type, attribute: str) -> None:
        self.name = self.name or attribute.upper()

    def __get__(self, instance: Peripheral, owner: type | None = None) -> Register:
        if instance is None:
            return self
        return instance.states[self.name]

    def on_write(self, method: Callable[[Any, int, int, int], None]) -> Callable[..., None]:
        """``method(self, t_ps, written, before)`` runs after a write took effect on ``value``.

        ``written`` is the full register width: bits that a narrow write left out are as before.
        """
        self.writer = method
        return method

    def on_read(self, method: Callable[[Any, int], int]) -> Callable[..., int]:
        """``method(self, t_ps) -> value`` answers a read, and may have effects."""
        self.reader = method
        return method

    def on_peek(self, method: Callable[[Any, int], Peek]) -> Callable[..., Peek]:
        """``method(self, t_ps) -> Peek``: pure; answers reads too when there is no reader."""
        self.peeker = method
        return method


_FLAGS = re.compile(r"[A-Z]*SR\d?|PR")  # registers that say what an interrupt is for


class Peripheral:
    """Base of all peripherals. Subclasses name their register map and declare registers.

    ``soc`` is the chip around it; ``clock`` its clock domain (0 Hz while its gate is closed).

    ``MAP`` is the register map of the class; an instance has that of its chip file, where the
    same IP lacks a register or has fields besides. Of what the class declares, it then has what
    its own map names (``has``). ``also`` are maps of chips that have more than ``registers``.
    """

    MAP: RegisterMap
    DECLARED: ClassVar[dict[str, Reg]] = {}
    REPEATABLE: ClassVar[frozenset[str]] = frozenset()
    """Registers with a behaviour that has none where a write changes no bit."""

    def __init_subclass__(
        cls, registers: str | None = None, also: tuple[str, ...] = (), **kwargs: object
    ) -> None:
        super().__init_subclass__(**kwargs)
        if registers is not None:
            cls.MAP = load_register_map(registers)
        cls.DECLARED = dict(cls.DECLARED)
        for item in vars(cls).values():
            if isinstance(item, Reg):
                maps = (cls.MAP, *map(load_register_map, also))
                specs = [m.registers[item.name] for m in maps if item.name in m.registers]
                if not specs:
                    raise TypeError(f"{cls.__name__}: {cls.MAP.name} has no register {item.name}")
                for field in item.unmodelled:
                    if not any(field in spec.fields for spec in specs):
                        raise TypeError(f"{cls.__name__}: {item.name} has no field {field}")
                cls.DECLARED[item.name] = item

    def __init__(self, spec: PeripheralSpec, soc: Soc) -> None:
        self.spec = spec
        self.name = spec.name
        self.soc = soc
        self.clock = soc.peripheral_clock(spec)
        if spec.registers is not None and spec.registers != self.MAP.name:
            self.MAP = load_register_map(spec.registers)
        resets = spec.options.get("reset", {})
        assert isinstance(resets, dict)
        self.states = {
            name: Register(self.MAP.registers[name], resets.get(name))
            for name in self.DECLARED
            if name in self.MAP.registers
        }
        self._by_offset: dict[int, tuple[Register, Reg, int]] = {}
        for name, state in self.states.items():
            for lane in range(state.spec.width // 8):
                self._by_offset[state.spec.offset + lane] = (state, self.DECLARED[name], lane)
        self.flags_at = frozenset(
            state.spec.offset for name, state in self.states.items() if _FLAGS.fullmatch(name)
        )

    def has(self, register: str, field: str | None = None) -> bool:
        """Whether this chip's instance has a register that is modelled, and in it a field."""
        state = self.states.get(register)
        return state is not None and (field is None or field in state.spec.fields)

    # ------------------------------------------------------------------ for subclasses

    def on_reset(self, t_ps: int) -> None:
        """Called after the registers took their reset values."""

    def on_clock(self, t_ps: int) -> None:
        """Called after the peripheral's clock changed its rate, stopped or started."""

    def standby(self, t_ps: int) -> None:
        """Called when Standby takes the supply away; what keeps its own overrides this."""
        self.reset(t_ps)

    def freeze(self, t_ps: int, *, frozen: bool) -> None:
        """Called when a debugger halts the core, and when it goes on."""

    def unfinished(self, t_ps: int) -> Iterable[Event]:
        """What a run that ends at ``t_ps`` leaves open, as evidence; told without effects."""
        return ()

    @property
    def watches(self) -> bool:
        """Whether it resets the chip unless the firmware goes on."""
        return False

    def irq(self, t_ps: int, request: str, level: bool) -> None:
        """Raise or lower an interrupt request line, by its name in the chip file."""
        self.soc.interrupts.set(self.spec.irqs[request], f"{self.name}.{request}", level, t_ps)

    def dma(self, t_ps: int, request: str, level: bool, *, last: bool = False) -> None:
        """Raise or lower a DMA request line, by its name in the chip file.

        ``last``: of a transfer whose length only this peripheral knows (SDIO). A request that the
        chip does not wire is nobody's.
        """
        self.soc.dma.set(self, request, level, t_ps, last=last)

    def on_dma(self, t_ps: int, request: str, left: int) -> None:
        """Called after a DMA controller served a request; ``left`` items are still to come.

        The data register was accessed before, with all that an access does. A request that is no
        flag of its own (a timer's) is lowered here; I2C looks at ``left`` for its NACK.
        """

    def flows(self) -> Iterable[Flow]:
        """Rows of bytes that go by DMA and are known ahead (``fwgen.machine.leap``).

        Who has any now is in ``soc.flowing``.
        """
        return ()

    # ------------------------------------------------------------------ for the bus

    def reset(self, t_ps: int) -> None:
        """Back to reset values."""
        for state in self.states.values():
            state.value = state.reset_value
        self.soc.dma.clear(self)
        self.on_reset(t_ps)

    def talk(self) -> Talk | None:
        """What goes byte by byte now and is known ahead (``fwgen.machine.talk``).

        Who has any now is in ``soc.talking``.
        """
        return None

    def beating(self) -> Beating | None:
        """A timer that only counts and interrupts (``fwgen.machine.talk``).

        Who may be one is in ``soc.beating``.
        """
        return None

    def outputs(self) -> Outputs | None:
        """Pins that code moves while a port is served natively (``fwgen.machine.talk``)."""
        return None

    def read(self, offset: int, size: int, t_ps: int) -> int:
        """A read by the bus: ``size`` 1, 2 or 4 bytes at ``offset``."""
        found = self._by_offset.get(offset)
        if found is None:
            return self._gap(offset, "read", size)
        state, declared, lane = found
        if declared.reader is not None:
            value = declared.reader(self, t_ps)
        elif declared.peeker is not None:
            value = declared.peeker(self, t_ps).value
        else:
            value = state.value
        if state.rc_r:
            state.value &= ~state.rc_r
        return ((value & state.readable) >> (8 * lane)) & ((1 << (8 * size)) - 1)

    def write(self, offset: int, size: int, value: int, t_ps: int) -> None:
        """A write by the bus. A narrow write keeps the other lanes."""
        found = self._by_offset.get(offset)
        if found is None:
            self._gap(offset, "write")
            return
        state, declared, lane = found
        mask = ((1 << (8 * size)) - 1) << (8 * lane)
        before = state.value
        written = (before & ~mask) | ((value << (8 * lane)) & mask)
        reserved = state.software_write(written) & mask
        if reserved and not state.inverts:
            self.soc.hazard(
                "reserved-bits",
                f"{self.name}.{state.name}: reserved bits {reserved:#x} written",
                section=self.MAP.source,
            )
        for name in declared.unmodelled:
            if name not in state.spec.fields:
                continue
            if state.field(name, state.value) != state.field(name, state.reset_value):
                self.soc.gap(self.name, f"{state.name}.{name}", "write", self.spec.base + offset)
        if declared.writer is not None:
            declared.writer(self, t_ps, written, before)

    def defined(self, offset: int) -> int:
        """The bits of the register at an offset that are no reserved ones."""
        found = self._by_offset.get(offset)
        return found[0].spec.defined if found is not None else 0

    def peek(self, offset: int, size: int, t_ps: int) -> Peek | None:
        """What a read would give, purely; None when reading has effects or is not modelled."""
        found = self._by_offset.get(offset)
        if found is None:
            return None
        state, declared, lane = found
        if declared.peeker is not None:
            value, until = declared.peeker(self, t_ps)
        elif declared.reader is not None or state.rc_r:
            return None
        else:
            value, until = state.value, NEVER
        return Peek(((value & state.readable) >> (8 * lane)) & ((1 << (8 * size)) - 1), until)

    def looked(self, offset: int, t_ps: int) -> None:
        """Reads that ``peek`` foresaw were left out: do what the last of them leaves behind."""
        found = self._by_offset.get(offset)
        if found is not None and found[1].reader is not None and found[1].peeker is not None:
            found[1].reader(self, t_ps)

    def keeps(self, offset: int, size: int, written: int) -> bool:
        """Whether a write would leave all as it is; False where that is not known."""
        found = self._by_offset.get(offset)
        if found is None or found[1].reader is not None or found[1].peeker is not None:
            return False
        state, declared, lane = found
        if declared.writer is not None and state.name not in self.REPEATABLE:
            return False
        return (state.value ^ written << 8 * lane) & ((1 << 8 * size) - 1) << 8 * lane == 0

    def only_looks(self, offset: int, size: int, t_ps: int) -> bool:
        """Whether a read now changes nothing but what ``looked`` does, too.

        Where it is answered by a reader, only while ``peek`` foresees the same for later: what a
        reader does beside is the end of what it gives.
        """
        found = self._by_offset.get(offset)
        if found is None or found[0].rc_r:
            return False
        declared = found[1]
        if declared.reader is None:
            return True
        if declared.peeker is None:
            return False
        seen = self.peek(offset, size, t_ps)
        return seen is not None and seen.stable_until_ps > t_ps

    def tells(self, offset: int) -> bool:
        """Whether a read may tell the firmware anything of time, or of the world outside."""
        return True

    def count_at(self, offset: int, cycle: int) -> tuple[int, int, int] | None:
        """Of a register that counts the core's cycles: value at one, growth, until when.

        The time in ps. None for any other, and for one that stands still.
        """
        return None

    def latch(self, offset: int) -> Latch | None:
        """What a write would do, purely; None when it does more than move pins."""
        return None

    def declared(self) -> Iterator[RegisterSpec]:
        """The registers that are modelled."""
        return (state.spec for state in self.states.values())

    def _gap(self, offset: int, access: str, size: int = 4) -> int:
        spec = self.MAP.at(offset)
        register = spec.name if spec else f"+{offset:#x}"
        self.soc.gap(self.name, register, access, self.spec.base + offset)
        return self.MAP.after_reset(offset, size)
