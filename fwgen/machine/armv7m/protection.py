"""What a memory protection unit allows: pure rules, made from its registers.

Source: Arm ARM DDI0403 B3.5.1 to B3.5.3 (ValidateAddress, CheckPermission), B3.1 (default map).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

PPB, PPB_END = 0xE000_0000, 0xE010_0000
SMALLEST = 32  # bytes: nothing changes within so many
# Where the default map lets nothing execute.
_NEVER_RUN = ((0x4000_0000, 0x6000_0000), (0xA000_0000, 1 << 32))
# By AP, what privileged and unprivileged code may do; 4 is reserved and allows nothing here.
_RIGHTS = (
    ("", ""), ("rw", ""), ("rw", "r"), ("rw", "rw"), ("", ""), ("r", ""), ("r", "r"), ("r", "r"),
)  # fmt: skip


class Allowed(NamedTuple):
    """What some code may do with some bytes."""

    read: bool
    write: bool
    run: bool


_NOTHING = Allowed(read=False, write=False, run=False)


@dataclass(frozen=True, slots=True)
class Region:
    """An enabled region: [base, base + size) but for the eighths whose bit is in ``without``."""

    base: int
    size: int
    without: int
    ap: int
    xn: bool

    def holds(self, address: int) -> bool:
        """Whether the region decides about an address."""
        into = address - self.base
        if not 0 <= into < self.size:
            return False
        return self.size < 256 or not self.without >> into // (self.size // 8) & 1

    def allowed(self, *, privileged: bool) -> Allowed:
        """What code may do in it."""
        rights = _RIGHTS[self.ap][0 if privileged else 1]
        return Allowed("r" in rights, "w" in rights, "r" in rights and not self.xn)


def region(rbar: int, rasr: int) -> Region | None:
    """The region that a pair of registers describes; None when it is off, or too small."""
    size = rasr >> 1 & 31
    if not rasr & 1 or size < 4:
        return None
    span = 2 << size
    base = rbar & ~0x1F & ~(span - 1)
    return Region(base, span, rasr >> 8 & 0xFF, rasr >> 24 & 7, bool(rasr >> 28 & 1))


@dataclass(frozen=True)
class Rules:
    """An enabled MPU: its regions by number, and whether the default map backs privileged code."""

    regions: tuple[Region | None, ...]
    default: bool

    def allowed(self, address: int, *, privileged: bool) -> Allowed:
        """What code may do with a byte."""
        if PPB <= address < PPB_END:
            return by_default(address)
        for one in reversed(self.regions):
            if one is not None and one.holds(address):
                found = one.allowed(privileged=privileged)
                return found._replace(run=found.run and by_default(address).run)
        return by_default(address) if self.default and privileged else _NOTHING

    @cached_property
    def borders(self) -> tuple[int, ...]:
        """Where what is allowed may change."""
        found = {0, 1 << 32, PPB, PPB_END, *(edge for span in _NEVER_RUN for edge in span)}
        for one in self.regions:
            if one is not None:
                eighth = one.size // 8 if one.size >= 256 else one.size
                found.update(range(one.base, one.base + one.size + 1, eighth))
        return tuple(sorted(border for border in found if border <= 1 << 32))


def by_default(address: int) -> Allowed:
    """What the default memory map allows (B3.1)."""
    never = any(begin <= address < end for begin, end in _NEVER_RUN)
    return Allowed(read=True, write=True, run=not never)
