"""The registers of an ARMv7-M core as gdb numbers them, and the description it is given.

Source: "Debugging with GDB", G.5.3 (ARM features); Arm ARM DDI0403 C1.6.3 (DCRSR.REGSEL).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from fwgen.machine.armv7m.debug import FPSCR, MSP, PC, PSP, S0, SPECIAL, XPSR

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fwgen.board.types import Chip
    from fwgen.machine.armv7m.debug import Debug

_M_PROFILE, _M_SYSTEM = "org.gnu.gdb.arm.m-profile", "org.gnu.gdb.arm.m-system"
_VFP = "org.gnu.gdb.arm.vfp"
_SHIFTS = {"primask": 0, "basepri": 8, "faultmask": 16, "control": 24}  # in SPECIAL


class Register(NamedTuple):
    """One register: ``selector`` is what DCRSR takes, ``shift`` where it stands in SPECIAL."""

    name: str
    feature: str
    bits: int = 32
    selector: int = 0
    shift: int | None = None
    kind: str = "int"

    @property
    def size(self) -> int:
        """Bytes of it in a packet."""
        return self.bits // 8

    def read(self, debug: Debug) -> bytes:
        """Its value, the least significant byte first."""
        value = debug.register(self.selector)
        if self.shift is not None:
            value = value >> self.shift & 0xFF
        elif self.bits == 64:
            value |= debug.register(self.selector + 1) << 32
        return value.to_bytes(self.size, "little")

    def write(self, debug: Debug, data: bytes) -> None:
        """Set it."""
        value = int.from_bytes(data, "little")
        if self.shift is not None:
            others = debug.register(SPECIAL) & ~(0xFF << self.shift)
            debug.set_register(SPECIAL, others | (value & 0xFF) << self.shift)
        elif self.bits == 64:
            debug.set_register(self.selector, value & 0xFFFFFFFF)
            debug.set_register(self.selector + 1, value >> 32)
        else:
            debug.set_register(self.selector, value)


def registers(*, fpu: bool) -> tuple[Register, ...]:
    """The registers of a core, by their number."""
    made = [Register(f"r{n}", _M_PROFILE, selector=n) for n in range(13)]
    made += [
        Register("sp", _M_PROFILE, selector=13, kind="data_ptr"),
        Register("lr", _M_PROFILE, selector=14),
        Register("pc", _M_PROFILE, selector=PC, kind="code_ptr"),
        Register("xpsr", _M_PROFILE, selector=XPSR),
        Register("msp", _M_SYSTEM, selector=MSP, kind="data_ptr"),
        Register("psp", _M_SYSTEM, selector=PSP, kind="data_ptr"),
    ]
    made += [
        Register(name, _M_SYSTEM, 8, SPECIAL, shift, "uint8") for name, shift in _SHIFTS.items()
    ]
    if fpu:
        made += [
            Register(f"d{n}", _VFP, 64, S0 + 2 * n, kind="ieee_double") for n in range(16)
        ]  # fmt: skip
        made.append(Register("fpscr", _VFP, selector=FPSCR))
    return tuple(made)


def description(known: tuple[Register, ...]) -> str:
    """The target description, XML."""
    return "".join(_described(known))


def _described(known: tuple[Register, ...]) -> Iterator[str]:
    yield '<?xml version="1.0"?><!DOCTYPE target SYSTEM "gdb-target.dtd">'
    yield '<target version="1.0"><architecture>arm</architecture>'
    feature = ""
    for number, one in enumerate(known):
        if one.feature != feature:
            yield "</feature>" if feature else ""
            feature = one.feature
            yield f'<feature name="{feature}">'
        yield f'<reg name="{one.name}" bitsize="{one.bits}" regnum="{number}" type="{one.kind}"/>'
    yield "</feature></target>"


def memory_map(chip: Chip) -> str:
    """Where memory is, XML: flash by its sectors, everything else as RAM, which gdb just accesses.

    gdb may touch only what is listed, so that peripherals are listed, too.
    """
    return "".join(_mapped(chip))


def _mapped(chip: Chip) -> Iterator[str]:
    yield '<?xml version="1.0"?><!DOCTYPE memory-map PUBLIC "'
    yield "+//IDN gnu.org//DTD GDB Memory Map V1.0//EN"
    yield '" "http://sourceware.org/gdb/gdb-memory-map.dtd"><memory-map>'
    for memory in chip.memories.values():
        if memory.kind == "flash":
            at = memory.base
            for size in memory.sectors or (memory.size,):
                yield f'<memory type="flash" start="{at:#x}" length="{size:#x}">'
                yield f'<property name="blocksize">{size:#x}</property></memory>'
                at += size
        else:
            kind = "ram" if memory.kind == "ram" else "rom"
            yield f'<memory type="{kind}" start="{memory.base:#x}" length="{memory.size:#x}"/>'
    for start, length in ((0x4000_0000, 0x2000_0000), (0xE000_0000, 0x2000_0000)):
        yield f'<memory type="ram" start="{start:#x}" length="{length:#x}"/>'
    yield "</memory-map>"
