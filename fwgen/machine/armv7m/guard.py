"""The MPU's say over what runs, while it is on. None of it costs anything while it is off.

A page whose every byte both privileged and unprivileged code may use as its memory allows is left
to the engine. Of every other page each access is looked at; and where code may run only in part
of a page, or only some code, each block is looked at before it runs.

Source: Arm ARM DDI0403 B3.5.
Not modelled: LDRT and STRT (their accesses have the rights of whoever runs).
"""

from __future__ import annotations

import ctypes
from typing import TYPE_CHECKING, Any

from unicorn import unicorn_const as uc

from fwgen.machine.armv7m import engine as eng
from fwgen.machine.armv7m.protection import PPB, PPB_END, SMALLEST, Rules
from fwgen.machine.memory import PAGE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fwgen.machine.armv7m.state import CoreState
    from fwgen.machine.memory import Region

ACCESS = ctypes.CFUNCTYPE(
    None, ctypes.c_void_p, ctypes.c_int, ctypes.c_uint64, ctypes.c_int, ctypes.c_int64,
    ctypes.c_void_p,
)  # fmt: skip
Run = tuple[int, int, int]  # first address, first past, the engine's rights


class Guard:
    """Asks the MPU. ``look``: each block must be looked at before it runs."""

    def __init__(self, core: CoreState) -> None:
        self._core = core
        self._engine = core.engine
        self._mpu: Any = core.soc.peripherals.get("MPU")
        self._rules: Rules | None = None
        self._mapped: dict[int, list[Run]] = {}  # by the base of a memory, while it is split up
        self._slow_path: Any = None
        self._runs_from: dict[tuple[int, int, bool], int] = {}
        self.stale = self.look = False

    @property
    def on(self) -> bool:
        """Whether anything is forbidden."""
        return self._rules is not None

    def written(self) -> None:
        """A register of the MPU was written."""
        self.stale = True
        self._core.attend()

    # ------------------------------------------------------------------ questions

    def refused(self, address: int, size: int, *, write: bool, privileged: bool) -> int | None:
        """The first byte that code of these rights may not access, at the priority that runs."""
        rules = self._rules
        if rules is None or PPB <= address < PPB_END:
            return None
        for at in _places(address, size):
            allowed = rules.allowed(at & 0xFFFF_FFFF, privileged=privileged)
            if not (allowed.write if write else allowed.read):
                return None if self._not_watched() else at
        return None

    def allows(self, address: int, size: int, *, write: bool, privileged: bool) -> bool:
        """Whether data may be accessed by code of these rights, at the priority that runs."""
        return self.refused(address, size, write=write, privileged=privileged) is None

    def refused_now(self, address: int, size: int, *, write: bool) -> int | None:
        """The first byte that the code that runs may not access."""
        if self._rules is None:
            return None
        return self.refused(address, size, write=write, privileged=self.privileged())

    def open(self, address: int, size: int, *, write: bool) -> bool:
        """Whether all code that may run before CONTROL is written again may access data."""
        if self._rules is None:
            return True
        levels = (False, True) if self._engine.read(eng.CONTROL) & 1 else (True,)
        return all(self.allows(address, size, write=write, privileged=who) for who in levels)

    def privileged(self) -> bool:
        """Whether the code that runs is."""
        control, xpsr = self._engine.read_many((eng.CONTROL, eng.XPSR))
        return not control & 1 or bool(xpsr & 0x1FF)

    def runs_up_to(self, address: int, size: int) -> int:
        """How many bytes of a block may run, from its start."""
        rules, privileged = self._rules, self.privileged()
        if rules is None:
            return size
        key = address, size, privileged
        found = self._runs_from.get(key)
        if found is None:
            refused = (
                at for at in _places(address, size)
                if not rules.allowed(at, privileged=privileged).run
            )  # fmt: skip
            found = next(refused, address + size) - address
            self._runs_from[key] = found
        return size if found < size and self._not_watched() else found

    def fetch_refused(self, address: int) -> bool:
        """Whether a fetch that the engine would not do is the MPU's to refuse; else look from now.

        The engine keeps what it translated, whoever runs it next.
        """
        if self._rules is None or self._core.memory.find(address) is None:
            return True
        if self.runs_up_to(address, 2) == 0:
            return True
        self.look = True
        self._core.arm()
        return False

    def _not_watched(self) -> bool:
        """Without HFNMIENA, handlers at a negative priority are not watched."""
        core = self._core
        if self._mpu.ctrl.HFNMIENA:
            return False
        return core.exceptions.execution_priority(*core.masks()) < 0

    # ------------------------------------------------------------------ the engine's rights

    def renew(self) -> None:
        """The registers were written: map memory anew where what it may be used for changed."""
        self.stale = False
        rules = self._mpu.rules if self._mpu is not None else None
        if rules == self._rules:
            return
        self._rules = rules
        self._runs_from.clear()
        self.look, split = False, False
        for region in self._core.memory.regions:
            size = region.size & ~(PAGE - 1)
            if size:
                runs = list(self._runs(region, size))
                split |= len(runs) > 1 or runs[0][2] != _full(region)
                self._map(region, size, runs)
        self._watch_all(yes=split)
        self._core.arm()

    def _runs(self, region: Region, size: int) -> Iterator[Run]:
        """A memory's pages with their rights, those of the same rights together."""
        begin, rights = region.base, -1
        for page in self._pages(region, size):
            now = self._rights(region, page)
            if now != rights and rights >= 0:
                yield begin, page, rights
                begin = page
            rights = now
        yield begin, region.base + size, rights

    def _pages(self, region: Region, size: int) -> Iterator[int]:
        """The pages at which rights may change."""
        rules, end = self._rules, region.base + size
        found = {region.base}
        for border in rules.borders if rules is not None else ():
            page = border & ~(PAGE - 1)
            found.update(at for at in (page, page + PAGE) if region.base <= at < end)
        yield from sorted(found)

    def _rights(self, region: Region, page: int) -> int:
        rules, full = self._rules, _full(region)
        if rules is None:
            return full
        places = [page, *(b for b in rules.borders if page < b < page + PAGE)]
        seen = [rules.allowed(at, privileged=who) for at in places for who in (False, True)]
        read = all(one.read for one in seen)
        write = all(one.write for one in seen)
        runs = [one.run for one in seen]
        if any(runs) and not all(runs):
            self.look = True
        rights = uc.UC_PROT_EXEC if any(runs) else 0
        rights |= uc.UC_PROT_READ if read else 0
        rights |= uc.UC_PROT_WRITE if read and write else 0
        return rights & full

    def _map(self, region: Region, size: int, runs: list[Run]) -> None:
        plain = [(region.base, region.base + size, _full(region))]
        if self._mapped.get(region.base, plain) == runs:
            return
        self._mapped[region.base] = runs
        self._engine.unmap(region.base, size)
        for begin, end, rights in runs:
            self._engine.map_part(begin, region.buffer, begin - region.base, end - begin, rights)

    def _watch_all(self, *, yes: bool) -> None:
        """The engine looks at rights once a page, unless a hook has it look at each access."""
        if yes == (self._slow_path is not None):
            return
        if yes:
            kinds = uc.UC_HOOK_MEM_READ | uc.UC_HOOK_MEM_WRITE
            self._slow_path = self._engine.hook(
                kinds, ACCESS, lambda *_: None, eng.SCRATCH, eng.SCRATCH
            )
        else:
            self._engine.unhook(self._slow_path)
            self._slow_path = None
        self._engine.drop_all_code()


def _places(address: int, size: int) -> Iterator[int]:
    """The first byte of each stretch of bytes that the MPU cannot tell apart."""
    yield address
    yield from range(address // SMALLEST * SMALLEST + SMALLEST, address + size, SMALLEST)


def _full(region: Region) -> int:
    """The rights of a memory with no MPU."""
    rights = uc.UC_PROT_READ | (uc.UC_PROT_WRITE if region.kind == "ram" else 0)
    return int(rights | (uc.UC_PROT_EXEC if region.executable else 0))
