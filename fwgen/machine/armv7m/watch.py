"""Instructions that may fault by the values they meet, which the engine lets pass.

Source: Arm ARM DDI0403 A3.2.1 (alignment), B3.2.8 (CCR.UNALIGN_TRP, CCR.DIV_0_TRP).
"""

from __future__ import annotations

import ctypes
from typing import TYPE_CHECKING, Any, NamedTuple

from unicorn import unicorn_const as uc

from fwgen.machine.armv7m import engine as eng
from fwgen.machine.armv7m.conditional import NEAREST
from fwgen.machine.armv7m.opcodes import from_fixed
from fwgen.machine.native import WATCHED, NativeWatch
from fwgen.thumb.forms import is_wide

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from fwgen.machine.armv7m.blocks import Block
    from fwgen.machine.armv7m.state import CoreState
    from fwgen.machine.armv7m.traps import Traps

SP, PC = 13, 15


class Watch(NamedTuple):
    """``reason`` is the fault's bit: when base + (by << shift) + offset has bits of ``mask``.

    For a divide, when the ``base`` register is 0. FIXED is no fault: a number to convert.
    """

    reason: str
    base: int
    mask: int
    offset: int = 0
    by: int | None = None
    shift: int = 0

    @property
    def native(self) -> NativeWatch:
        """As C has it: a mask of 0 asks whether the register is 0."""
        if self.reason == "FIXED":
            return NativeWatch(eng.FPSCR, -1, 0, 0, NEAREST)
        by = -1 if self.by is None else eng.GENERAL[self.by]
        return NativeWatch(eng.GENERAL[self.base], by, self.shift, self.offset, self.mask)

    def faults(self, registers: list[int]) -> int | None:
        """The address that is not aligned, 0 for a divide by zero, None when all is well."""
        value = registers[self.base]
        if self.reason == "DIVBYZERO":
            return 0 if value == 0 else None
        if self.by is not None:
            value += registers[self.by] << self.shift
        value = (value + self.offset) & 0xFFFFFFFF
        return value if value & self.mask else None


def watches(code: bytes, *, unaligned: bool, divide: bool) -> Iterator[tuple[int, Watch]]:
    """What to watch in a run of code: (offset, watch).

    Multiple, double, exclusive and floating-point accesses must always be aligned; others when
    ``unaligned`` (UNALIGN_TRP); ``divide`` is DIV_0_TRP. SP is always aligned and not watched.
    """
    at = 0
    while at + 1 < len(code):
        first = code[at] | code[at + 1] << 8
        if is_wide(first) and at + 3 < len(code):
            found = _wide(first, code[at + 2] | code[at + 3] << 8, unaligned, divide)
            size = 4
        else:
            found = _narrow(first, unaligned)
            size = 2
        if found is not None and found.base not in (SP, PC):
            yield at, found
        at += size


def _narrow(op: int, unaligned: bool) -> Watch | None:
    if op >> 12 == 0b1100:  # STM, LDM
        return Watch("UNALIGNED", op >> 8 & 7, 3)
    if not unaligned:
        return None
    n, m, imm5 = op >> 3 & 7, op >> 6 & 7, op >> 6 & 31
    match op >> 11:
        case 0b01100 | 0b01101:
            return Watch("UNALIGNED", n, 3, 4 * imm5)
        case 0b10000 | 0b10001:
            return Watch("UNALIGNED", n, 1, 2 * imm5)
        case 0b01010 | 0b01011:
            kind = op >> 9 & 7
            if kind in (2, 3, 6):
                return None  # bytes
            return Watch("UNALIGNED", n, 3 if kind in (0, 4) else 1, 0, m)
    return None


def _wide(first: int, second: int, unaligned: bool, divide: bool) -> Watch | None:
    n = first & 15
    if first & 0xFFD0 == 0xFB90 and second & 0xF0F0 == 0xF0F0:
        return Watch("DIVBYZERO", second & 15, 0) if divide else None
    if first & 0xFE40 == 0xE800:  # LDM, STM
        return Watch("UNALIGNED", n, 3)
    if first & 0xFE40 == 0xE840:
        if first & 0xFF60 == 0xE840 and first & 0x0180 == 0:  # LDREX, STREX
            return Watch("UNALIGNED", n, 3, 4 * (second & 0xFF))
        if first & 0x0120:  # LDRD, STRD
            return Watch("UNALIGNED", n, 3)
        if second >> 4 & 15 == 5:  # LDREXH, STREXH
            return Watch("UNALIGNED", n, 1)
        return None  # table branches, LDREXB, STREXB
    if from_fixed(first, second):
        return Watch("FIXED", 0, 0)
    if first & 0xFE00 == 0xEC00 and second >> 9 & 7 == 5:  # VLDR, VLDM and their stores
        return None if first & 0xFFE0 == 0xEC40 else Watch("UNALIGNED", n, 3)
    if first & 0xFE00 == 0xF800 and unaligned:
        size = first >> 5 & 3
        if size in (1, 2):
            mask = (0, 1, 3)[size]
            if first >> 7 & 1:
                return Watch("UNALIGNED", n, mask, second & 0xFFF)
            if second & 0xFC0 == 0:
                return Watch("UNALIGNED", n, mask, 0, second & 15, second >> 4 & 3)
            offset = second & 0xFF if second >> 9 & 1 else -(second & 0xFF)
            return Watch("UNALIGNED", n, mask, offset if second >> 10 & 1 else 0)
    return None


class Watches:
    """The watched instructions of a core, each with a hook of the engine.

    ``stale``: what is trapped changed, so all must be looked at anew before code runs.
    """

    def __init__(self, core: CoreState, traps: Traps) -> None:
        self._core = core
        self._engine = core.engine
        self._traps = traps
        self._trapped = (False, False)  # UNALIGN_TRP, DIV_0_TRP
        self._watched: dict[int, Watch] = {}
        self._hooked: dict[int, NativeWatch | None] = {}  # what native code asks
        self._slow = WATCHED(self._on_watched)
        self._hooks: list[Any] = []
        self.stale = False
        self.before_fixed: Callable[[int], None] = lambda _address: None

    def trap(self, *, unaligned: bool, divide: bool) -> None:
        """What CCR says is to be trapped."""
        if (unaligned, divide) != self._trapped:
            self._trapped = unaligned, divide
            self.stale = True
            self._core.attend()

    def add(self, block: Block) -> bool:
        """Hook what may fault by its values; True when the block must be translated anew."""
        unaligned, divide = self._trapped
        found = {
            block.address + offset: watch
            for offset, watch in watches(block.code, unaligned=unaligned, divide=divide)
        }
        for address in range(block.address, block.address + block.size, 2):
            if address not in found:
                self._watched.pop(address, None)  # of other code, that was there before
        new = [address for address in found if address not in self._hooked]
        for address, watch in found.items():
            if self._watched.get(address) != watch:
                self._watched[address] = watch
                self._hook(address, watch)
        return bool(new)

    def _hook(self, address: int, watch: Watch) -> None:
        """Ask before what is there; by native code, where a look will do."""
        core, kind = self._core, uc.UC_HOOK_CODE
        if core.native is None:
            if address not in self._hooked:
                self._hooked[address] = None
                self._hooks.append(
                    self._engine.hook(kind, eng.BLOCK, self._on_watched, address, address)
                )
            return
        made = watch.native
        made.at, made.slow = ctypes.pointer(core.at), self._slow
        known = self._hooked.get(address)
        if known is not None:  # its hook goes on asking, now this
            ctypes.pointer(known)[0] = made
            return
        self._hooked[address] = made
        call = ctypes.cast(core.native.fwgen_on_watched, eng.BLOCK)
        user = ctypes.addressof(made)
        self._hooks.append(self._engine.hook(kind, eng.BLOCK, call, address, address, user=user))

    def renew(self) -> None:
        """The traps changed: forget what was watched, and all translations."""
        self.stale = False
        self._watched.clear()
        for hook in self._hooks:
            self._engine.unhook(hook)
        self._hooks.clear()
        self._hooked.clear()
        self._engine.drop_all_code()

    def _on_watched(self, _uc: Any, address: int, _size: int, _user: Any) -> None:
        """Before a watched instruction: the PC is exact, and it can still be kept from running."""
        try:
            watch = self._watched.get(address)
            if watch is None:
                return
            if watch.reason == "FIXED":
                self.before_fixed(address)
                return
            target = watch.faults(self._engine.read_many(eng.GENERAL))
            if target is not None:
                self._core.stop(lambda: self._traps.value_fault(address, watch.reason, target))
        except BaseException as error:  # noqa: BLE001 - re-raised by _step
            self._core.fail(error)
