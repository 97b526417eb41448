"""The bus: every access of the core that is not plain memory, at its exact cycle.

The engine maps RAM and flash by itself; all else comes here, first to ``on_protected`` (the PC
is exact there, and the access can still be refused), then to a callback that reads or writes.

Source: Arm ARM DDI0403 B3.1; RM0368 §2.3.
Not modelled: bus waits of peripherals.
"""

from __future__ import annotations

import ctypes
from typing import TYPE_CHECKING, Any

from unicorn import unicorn_const as uc

from fwgen.machine.armv7m import engine as eng
from fwgen.machine.armv7m.answers import Answers
from fwgen.machine.armv7m.itstate import IT_BITS
from fwgen.machine.armv7m.state import NOWHERE_YET
from fwgen.machine.memory import PAGE
from fwgen.machine.native import READ, REFUSED, WRITE, NativeStretch
from fwgen.machine.time import NEVER
from fwgen.thumb.forms import is_wide

if TYPE_CHECKING:
    from collections.abc import Callable

    from fwgen.board.types import PeripheralSpec
    from fwgen.machine.armv7m.answers import Place
    from fwgen.machine.armv7m.codebook import Codebook
    from fwgen.machine.armv7m.debug import Debug
    from fwgen.machine.armv7m.guard import Guard
    from fwgen.machine.armv7m.state import CoreState
    from fwgen.machine.armv7m.symbolic import Outcome
    from fwgen.machine.armv7m.traps import Traps
    from fwgen.machine.memory import Region

PPB, STIR = 0xE000_0000, 0xE000_EF00
BITBANDS = ((0x2000_0000, 0x2200_0000), (0x4000_0000, 0x4200_0000))
BITBAND_SIZE = 32 << 20
_FETCHES = (uc.UC_MEM_FETCH_PROT, uc.UC_MEM_FETCH_UNMAPPED)
_STORE = uc.UC_MEM_WRITE_PROT


def _banded(address: int) -> tuple[int, int] | None:
    """The byte and bit that a bit-band alias means, or None. Arm ARM DDI0403 B3.1."""
    for region, alias in BITBANDS:
        if alias <= address < alias + BITBAND_SIZE:
            return region + (address - alias >> 5), address - alias >> 2 & 7
    return None


def _touches_once(first: int) -> bool:
    """Whether an instruction that accesses memory does so once: no multiple, no double."""
    if is_wide(first):
        return first & 0xFE00 == 0xF800
    return first >> 12 != 0b1100 and first >> 12 != 0b1011


class Bus:
    """What the core reaches outside its memories."""

    def __init__(
        self, core: CoreState, book: Codebook, traps: Traps, debug: Debug, guard: Guard
    ) -> None:
        self._core = core
        self._engine = core.engine
        self._at = core.at
        self._memory = core.memory
        self._soc = core.soc
        self._hclk = core.hclk
        self._book, self._traps, self._debug, self._guard = book, traps, debug, guard
        self._repeated: int | None = None  # what the access that is run again gives
        self._pages: dict[int, list[tuple[int, int, PeripheralSpec]]] = {}
        # Who programs what is stored into the flash; None where the chip has no such controller.
        self._program: Callable[[int, int, int, int], None] | None
        self._program = getattr(core.flash, "program", None)
        self._flash_base = core.soc.chip.flash.base
        self._native = core.native
        self._answers = Answers(core, core.native) if core.native is not None else None

    def install(self) -> None:
        """Have the engine ask before each access that is not plain memory."""
        engine, at, kind = self._engine, self._at, uc.UC_HOOK_MEM_INVALID
        if self._native is None:
            engine.hook(kind, eng.MEMORY, self.on_protected)
            return
        at.reg_read, at.reg_write = eng.READ_ONE, eng.WRITE_ONE
        at.pc, at.control, at.epsr = eng.PC, eng.CONTROL, eng.EPSR
        at.refused = REFUSED(self.on_protected)
        at.read, at.write = READ(self._native_read), WRITE(self._native_write)
        hook = ctypes.cast(self._native.fwgen_on_access, eng.MEMORY)
        engine.hook(kind, eng.MEMORY, hook, user=ctypes.addressof(at))

    def close(self) -> None:
        """Nothing will be accessed any more."""
        if self._answers is not None:
            self._answers.close()

    def told(self) -> None:
        """Know of the reads that native code answered."""
        if self._answers is not None:
            self._answers.told()

    def map(self) -> None:
        """Map memories; everything else in the 4 GiB is for ``read`` and ``write``."""
        covered = []
        for region in self._memory.regions:
            size = region.size & ~(PAGE - 1)  # a part of a page is served by the bus
            if size:
                self._engine.map(
                    region.base, region.buffer, size,
                    write=region.kind == "ram", execute=region.executable,
                )  # fmt: skip
                covered.append((region.base, region.base + size))
        self._engine.map_scratch()  # to whatever runs, nothing is there
        covered.append((eng.SCRATCH, eng.SCRATCH + eng.SCRATCH_SIZE))
        covered.sort()
        at = 0
        for base, end in [*covered, (1 << 32, 1 << 32)]:
            if at < base:
                self._map_io(at, base)
            at = max(at, end)

    def _map_io(self, base: int, end: int) -> None:
        if self._native is not None:
            stretch = NativeStretch(ctypes.pointer(self._at), base)
            self._engine.map_io(
                base, end - base, self._native.fwgen_on_read, self._native.fwgen_on_write, stretch
            )
            return

        def read(_uc: Any, offset: int, size: int, _user: Any) -> int:
            try:
                return self._io_read(base + offset, size)
            except BaseException as error:  # noqa: BLE001 - re-raised by _step
                self._core.fail(error)
                return 0

        def write(_uc: Any, offset: int, size: int, value: int, _user: Any) -> None:
            try:
                self._io_write(base + offset, size, value)
            except BaseException as error:  # noqa: BLE001 - re-raised by _step
                self._core.fail(error)

        self._engine.map_io(base, end - base, read, write)

    def _native_read(self, address: int, size: int, pc: int, cycle: int, keep: int) -> int:
        """A read that native code does not answer; ``pc`` -1: ``on_protected`` saw it."""
        if self._repeated is not None:
            return self._repeated
        core, at, answers = self._core, self._at, self._answers
        assert answers is not None
        try:
            if at.looks:
                answers.told()
            if pc < 0:
                pc, cycle = core.access_pc or core.next_pc, core.access_cycle
            else:
                core.access_pc, core.access_cycle = pc, cycle
            key, soc, looks = address << 3 | size, self._soc, False
            place = answers.places.get(key) or self._place(address, size)
            if place is None:
                value = self.read(address, size)
                at.epoch += 1
            else:
                t_ps, peripheral = self._hclk.time_of(cycle), place.peripheral
                if peripheral is not None and soc.scheduler.next_ps > t_ps:
                    looks = peripheral.only_looks(place.offset, size, t_ps)
                at.epoch += not looks  # else what is answered ahead stays true
                value = soc.bus_read(place.spec, place.offset, size, t_ps)
            self._after_access(pc, value)
            if keep:
                answers.keep(key, value, cycle, looked=looks)
        except BaseException as error:  # noqa: BLE001 - re-raised by _step
            core.fail(error)
            return 0
        return value

    def _native_write(self, address: int, size: int, value: int, pc: int, cycle: int) -> None:
        """A write; ``pc`` -1: ``on_protected`` saw it."""
        if self._repeated is not None:
            return
        core, answers = self._core, self._answers
        assert answers is not None
        try:
            if self._at.looks:
                answers.told()
            if pc < 0:
                pc, cycle = core.access_pc or core.next_pc, core.access_cycle
            else:
                core.access_pc, core.access_cycle = pc, cycle
            place = answers.places.get(address << 3 | size) or self._place(address, size)
            if place is None:
                self.write(address, size, value)
            else:
                t_ps = self._hclk.time_of(cycle)
                self._soc.bus_write(place.spec, place.offset, size, value, t_ps)
            self._after_access(pc, 0)
        except BaseException as error:  # noqa: BLE001 - re-raised by _step
            core.fail(error)

    def _place(self, address: int, size: int) -> Place | None:
        """What a peripheral has at an address, which native code knows from now on."""
        spec = self.spec_at(address)
        if spec is None or size > 4 or address & (size - 1) or self._answers is None:
            return None
        return self._answers.know(spec, address, size)

    def foresee(self, cycle: int) -> Callable[[int, int], tuple[int, int | None] | None]:
        """How to read without effects at a cycle: value, and until when it holds (None: RAM)."""
        memory, t_ps = self._memory, self._hclk.time_of(cycle)

        def fetch(address: int, size: int) -> tuple[int, int | None] | None:
            region = memory.find(address)
            rom = region is not None and region.kind != "ram"
            if not self._guard.open(address, size, write=not rom):
                return None
            if region is not None:
                at = address - region.base
                if at + size > region.size:
                    return None
                value = int.from_bytes(region.view[at : at + size], "little")
                return value, None if region.kind == "ram" else NEVER
            spec = self.spec_at(address)
            if spec is None or address & (size - 1):
                return None
            return self._soc.bus_peek(spec, address - spec.base, size, t_ps)

        return fetch

    def looked(self, address: int, cycle: int) -> None:
        """Reads that were foreseen were left out, the last one at a cycle."""
        spec = self.spec_at(address)
        if spec is not None:
            self._soc.bus_looked(spec, address - spec.base, self._hclk.time_of(cycle))

    def count_at(self, address: int, cycle: int) -> tuple[int, int, int] | None:
        """A register that counts cycles: its value at one, what each adds, until when so."""
        spec = self.spec_at(address)
        if spec is None or address & 3 or not self._guard.open(address, 4, write=False):
            return None
        peripheral = self._soc.peripherals.get(spec.name)
        return None if peripheral is None else peripheral.count_at(address - spec.base, cycle)

    def latch_at(self, address: int) -> tuple[int, Outcome] | None:
        """Where a write only moves pins: the register that holds its outcome, and what it is."""
        spec = self.spec_at(address)
        latch = None if spec is None else self._soc.bus_latch(spec, address - spec.base)
        return None if spec is None or latch is None else (spec.base + latch.home, latch.outcome)

    def on_protected(
        self, _uc: Any, kind: int, address: int, size: int, value: int, _user: Any
    ) -> bool:
        """Before an access outside memory: the PC is exact here. False makes it a fault."""
        core = self._core
        try:
            if self._at.looks:
                self.told()
            if kind in _FETCHES:
                if not self._guard.fetch_refused(address):
                    return True
                core.stop(lambda: self._traps.fetch_fault(address))
                return False
            if self._repeated is not None:
                return True
            store = kind == _STORE
            if self._guard.on:
                answer = self._ask_guard(address, size, value, store=store)
                if answer is not None:
                    return answer
            pc = self._engine.read(eng.PC)
            at = self._at
            block = self._book.running()
            core.access_cycle = at.cycle + (block.before(pc) if block is not None else 0)
            core.access_pc = pc
            if block is None or block.has_it or core.hold:
                self._engine.write(eng.EPSR, 1 << 24)  # else the engine leaks the IT state
            if address >= PPB and self._unprivileged(address):
                core.stop(lambda: self._traps.bus_fault(pc, address))
                return False
            if core.watching:
                self._look_for(address, size, store=store)
            if self.spec_at(address) is not None and not address & (size - 1):
                return True
            region = self._memory.find(address)
            if region is not None and (not store or region.kind == "flash" or self._buffers()):
                if store:
                    self._store_to_rom(region, address, size, value & ((1 << (8 * size)) - 1))
                return True
            if region is None and self._reachable(address):
                if address & (size - 1):
                    core.stop(lambda: self._traps.value_fault(pc, "UNALIGNED", address))
                    return False
                return True
            if store and self._buffers():
                # The write buffer took it: the core has gone on when the bus answers.
                core.imprecise = address, pc
                core.attend()
                return True
            if self._ignored(address):
                return True
            core.stop(lambda: self._traps.bus_fault(pc, address))
        except BaseException as error:  # noqa: BLE001 - re-raised by _step
            core.fail(error)
        return False

    def _buffers(self) -> bool:
        """Whether stores go through the write buffer. Arm ARM DDI0403 B3.2.24; PM0214 §4.4.1."""
        unit = self._core.scnscb
        return unit is None or not unit.actlr.DISDEFWBUF

    def _ask_guard(self, address: int, size: int, value: int, *, store: bool) -> bool | None:
        """The MPU's answer to an access; None where the bus must do it, or refuse it itself."""
        core = self._core
        refused = self._guard.refused_now(address, size, write=store)
        if refused is not None:
            pc = self._engine.read(eng.PC)
            block = self._book.running()
            # What is run alone is at its own place in its IT block, which the frame must tell.
            held = self._engine.read(eng.XPSR) & IT_BITS if core.hold else 0
            if block is None or block.has_it or core.hold:
                self._engine.write(eng.EPSR, 1 << 24)

            def fault() -> None:
                if held:
                    xpsr = self._engine.read(eng.XPSR)
                    pair = (xpsr | held, xpsr & 0xF0000000)
                    self._engine.write_many((eng.XPSR, eng.APSR_NZCV), pair)
                self._traps.protection_fault(pc, refused)

            if core.reason is None:  # an access in parts goes on after the first that is refused
                core.stop(fault)
            return False
        region = self._memory.find(address)
        if region is None or self.spec_at(address) is not None:
            return None
        if store and region.kind != "ram":
            return None
        if store:  # what the engine may not write, it does not
            data = (value & (1 << 8 * size) - 1).to_bytes(size, "little")
            self._memory.program(address, data)
        return True

    def _look_for(self, address: int, size: int, *, store: bool) -> None:
        """A debugger watches data on the bus: the core halts after the access."""
        for one in self._core.watching:
            hit = address < one.end and one.begin < address + size
            if not hit or not (one.write if store else one.read):
                continue
            if not one.why:
                self._core.heard(self._core.pc, one)
            elif self._debug.enabled:
                self._core.hit = one
                self._debug.halt(one.why)
            else:
                self._debug.monitor(one.why)

    def _ignored(self, address: int) -> bool:
        """CCR.BFHFNMIGN: a handler at priority -1 or -2 may look where nothing is (B3.2.8)."""
        core = self._core
        if core.scb is None or not core.scb.ccr.BFHFNMIGN:
            return False
        if core.exceptions.execution_priority(*core.masks()) >= 0:
            return False
        self._traps.note("PRECISERR", address)
        return True

    def _unprivileged(self, address: int) -> bool:
        """Whether the private peripheral bus refuses whoever runs (B3.1.1)."""
        control, xpsr = self._engine.read_many((eng.CONTROL, eng.XPSR))
        if not control & 1 or xpsr & 0x1FF:
            return False
        return address != STIR or not (
            self._core.scb is not None and self._core.scb.ccr.USERSETMPEND
        )

    def reaches(self, address: int) -> bool:
        """Whether anything is at an address: memory, a peripheral, or an alias of either."""
        return self._memory.find(address) is not None or self._reachable(address)

    def _reachable(self, address: int) -> bool:
        banded = _banded(address)
        if banded is not None:
            target = banded[0]
            return self.spec_at(target) is not None or self._memory.find(target) is not None
        return self.spec_at(address) is not None

    def spec_at(self, address: int) -> PeripheralSpec | None:
        """The peripheral at an address, or None."""
        page = address >> 10
        found = self._pages.get(page)
        if found is None:
            found = self._pages[page] = [
                (spec.base, spec.end, spec)
                for spec in self._soc.chip.peripherals.values()
                if spec.base >> 10 <= page < (spec.end + 0x3FF) >> 10
            ]
        for base, end, spec in found:
            if base <= address < end:
                return spec
        return None

    def _io_read(self, address: int, size: int) -> int:
        """The engine's read outside memory."""
        if self._repeated is not None:
            return self._repeated
        pc = self._core.access_pc or self._core.next_pc
        value = self.read(address, size)
        self._after_access(pc, value)
        return value

    def _io_write(self, address: int, size: int, value: int) -> None:
        """The engine's write outside memory."""
        if self._repeated is not None:
            return
        pc = self._core.access_pc or self._core.next_pc
        self.write(address, size, value)
        self._after_access(pc, 0)

    def read(self, address: int, size: int) -> int:
        """A read on the bus, now."""
        spec = self.spec_at(address)
        if spec is not None:
            t_ps = self._hclk.time_of(self._core.access_cycle)
            return self._soc.bus_read(spec, address - spec.base, size, t_ps)
        banded = _banded(address)
        if banded is not None:
            byte, bit = banded
            return self.read(byte, 1) >> bit & 1
        data = self._memory.read(address, size)
        return int.from_bytes(data, "little") if data is not None else 0

    def write(self, address: int, size: int, value: int) -> None:
        """A write on the bus, now."""
        spec = self.spec_at(address)
        if spec is not None:
            t_ps = self._hclk.time_of(self._core.access_cycle)
            self._soc.bus_write(spec, address - spec.base, size, value, t_ps)
            return
        banded = _banded(address)
        if banded is not None:
            # Reads, changes one bit and writes back, in one go and as wide as the access: B3.1.
            byte, bit = banded
            target, bit = byte & ~(size - 1), bit + 8 * (byte & (size - 1))
            before = self.read(target, size)
            self.write(target, size, before & ~(1 << bit) | (value & 1) << bit)
            return
        self._memory.write_ram(address, value.to_bytes(size, "little"))

    def _after_access(self, pc: int, value: int) -> None:
        """See whether the access brought something that is due within the block that runs."""
        core, at = self._core, self._at
        core.access_pc = None
        busy = getattr(core.flash, "busy_until_ps", 0) > self._soc.scheduler.now_ps
        if busy and core.in_flash(pc):
            core.attend()  # the bus will stall
        if self._soc.scheduler.next_ps != core.deadline:
            core.set_limit()
        if at.attention or core.due < at.cycle + at.cost:
            self._pause_after(pc, value)

    def _pause_after(self, pc: int, value: int) -> None:
        """Stop after the access at ``pc``, not only after its block.

        A stop within an access makes the engine go back to the instruction: it is run again by
        itself, with the access's outcome given (``_repeat_access``).
        """
        block = self._book.running()
        if block is None or block.has_it or not block.address <= pc < block.address + block.size:
            return
        code = block.code[pc - block.address :]
        first = code[0] | code[1] << 8
        following = pc + (4 if is_wide(first) else 2)
        if following < self._at.end and _touches_once(first):
            self._core.stop(lambda: self._repeat_access(pc, following, value))

    def _repeat_access(self, pc: int, following: int, value: int) -> None:
        core = self._core
        at, end = self._at, self._at.end
        if core.next_pc != pc:
            return  # the engine went on: nothing to repeat
        self._traps.cut_short(pc)
        at.start, at.end, at.attention = NOWHERE_YET, pc, 0
        at.limit = core.due = NEVER
        self._repeated, at.plain = value, 0
        self._engine.drop_code(pc, end)
        core.reason = None
        self._engine.start(pc, following)
        self._repeated = None
        core.reason = None
        core.next_pc = self._engine.read(eng.PC)

    def _store_to_rom(self, region: Region, address: int, size: int, value: int) -> None:
        """A store into the flash: its controller decides what becomes of it."""
        core = self._core
        t_ps = self._hclk.time_of(core.access_cycle)
        self._soc.scheduler.catch_up(t_ps)
        pc = core.access_pc or core.next_pc
        if region.kind == "flash" and self._program is not None:
            self._program(self._flash_base + address - region.base, size, value, t_ps)
        else:
            core.imprecise = address, pc
            core.attend()
        self._after_access(pc, 0)
