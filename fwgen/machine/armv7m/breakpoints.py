"""Where a debugger wants the core to halt: before an instruction, or after an access to data.

The FPB and the DWT hold the comparators; here they become hooks of the engine, which exist only
while a comparator is on.

Source: Arm ARM DDI0403 C1.8 (DWT), C1.11 (FPB).
Not modelled: matching of the boot alias for the memory behind it; a data watchpoint on an
exception's stacking. Silicon may run an instruction more before a watchpoint halts it.
"""

from __future__ import annotations

import ctypes
from typing import TYPE_CHECKING, Any

from unicorn import unicorn_const as uc

from fwgen.machine.armv7m import engine as eng

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from fwgen.machine.armv7m.comparators import Break
    from fwgen.machine.armv7m.debug import Debug
    from fwgen.machine.armv7m.state import CoreState
    from fwgen.machine.armv7m.traps import Traps

ACCESS = ctypes.CFUNCTYPE(
    None, ctypes.c_void_p, ctypes.c_int, ctypes.c_uint64, ctypes.c_int, ctypes.c_int64,
    ctypes.c_void_p,
)  # fmt: skip


class Breakpoints:
    """The comparators that are on, by who holds them, and their hooks.

    ``run_one`` runs a single instruction, ``may_skip`` says whether loops may be skipped.
    """

    def __init__(
        self,
        core: CoreState,
        traps: Traps,
        debug: Debug,
        run_one: Callable[[], None],
        may_skip: Callable[[bool], None],
    ) -> None:
        self._core = core
        self._engine = core.engine
        self._traps, self._debug = traps, debug
        self._run_one, self._may_skip = run_one, may_skip
        self._by: dict[str, tuple[Break, ...]] = {}
        self._hooks: list[Any] = []

    def set(self, holder: str, breaks: Sequence[Break]) -> None:
        """What a unit's comparators say now."""
        if self._by.get(holder, ()) == tuple(breaks):
            return
        self._by[holder] = tuple(breaks)
        self._take_out()
        self._put_in()

    def clear(self) -> None:
        """Power came on: no comparator is."""
        if any(self._by.values()):
            self._by.clear()
            self._take_out()

    @property
    def _listens(self) -> bool:
        return self._debug.enabled or self._debug.monitored

    def _put_in(self) -> None:
        core, every = self._core, [one for breaks in self._by.values() for one in breaks]
        for one in every:
            if one.execute:
                self._hook(uc.UC_HOOK_CODE, eng.BLOCK, self._on_code(one), one)
            else:
                kinds = uc.UC_HOOK_MEM_READ if one.read else 0
                kinds |= uc.UC_HOOK_MEM_WRITE if one.write else 0
                self._hook(kinds, ACCESS, self._on_access(one), one, reach=3)
        core.watching = tuple(one for one in every if one.read or one.write)
        self._may_skip(not core.watching and all(one.why for one in every))

    def _take_out(self) -> None:
        for hook in self._hooks:
            self._engine.unhook(hook)
        self._hooks.clear()
        self._core.watching = ()
        self._may_skip(True)
        self._engine.drop_all_code()

    def _hook(self, kind: int, signature: Any, call: Any, one: Break, reach: int = 0) -> None:
        begin = max(0, one.begin - reach)  # an access may begin before and reach into it
        hook = self._engine.hook(kind, signature, call, begin, one.end - 1)
        self._hooks.append(hook)

    def _on_code(self, one: Break) -> Callable[..., None]:
        core = self._core

        def on_code(_uc: Any, address: int, _size: int, _user: Any) -> None:
            try:
                if not one.why:
                    core.heard(address, one)
                elif self._listens:
                    core.stop(lambda: self._reached(address, one))
            except BaseException as error:  # noqa: BLE001 - re-raised by _step
                core.fail(error)

        return on_code

    def _reached(self, address: int, one: Break) -> None:
        self._traps.cut_short(address)
        if self._debug.enabled:
            self._core.hit = one
            self._debug.halt(one.why)
        elif not self._debug.monitor(one.why):
            self._run_unwatched()

    def _run_unwatched(self) -> None:
        """The instruction at hand, by itself, with no comparator to stop it."""
        self._take_out()
        self._run_one()
        self._put_in()

    def _on_access(self, one: Break) -> Callable[..., None]:
        core = self._core

        def on_access(
            _uc: Any, kind: int, address: int, size: int, _value: int, _user: Any
        ) -> None:
            try:
                hit = address < one.end and one.begin < address + size
                region = core.memory.find(address) if hit else None
                # A store into flash, and the rest, is the bus's to see (``watching``).
                ours = ("ram",) if kind == uc.UC_MEM_WRITE else ("ram", "flash")
                if region is None or region.kind not in ours:
                    return
                pc = self._engine.read(eng.PC)
                if not one.why:
                    core.heard(pc, one)
                elif self._listens:
                    core.stop(lambda: self._touched(pc, one))
            except BaseException as error:  # noqa: BLE001 - re-raised by _step
                core.fail(error)

        return on_access

    def _touched(self, pc: int, one: Break) -> None:
        """The engine went back to before the access: let it do it, unwatched, then halt."""
        self._traps.cut_short(pc)
        self._run_unwatched()
        if self._debug.enabled:
            self._core.hit = one
            self._debug.halt(one.why)
        else:
            self._debug.monitor(one.why)
