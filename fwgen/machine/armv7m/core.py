"""The core: runs code on the engine in exact virtual time, and takes exceptions itself.

Time is the number of cycles of HCLK, which the clock controller may change at any moment. A BLOCK
hook adds the cached cost of each block before it runs; an access to a peripheral happens at the
block's start plus the cost of what comes before it. What is due within a block makes the block
run in two parts, so that interrupts are taken between the two instructions where silicon takes
them. Everything that bends the flow (exceptions, sleep, faults, reset) happens outside the
engine: a hook notes why, stops it, and ``_step`` acts.

Source: Arm ARM DDI0403 B1.5; Cortex-M4 TRM 100166 §3.9.
Not modelled: interrupts within an IT block or within one instruction (a load or store multiple
is not cut short; a divide is not abandoned); bus waits of peripherals.
"""

from __future__ import annotations

import ctypes
from struct import Struct
from typing import TYPE_CHECKING, Any

from unicorn import unicorn_const as uc

from fwgen.errors import BenchError
from fwgen.machine.armv7m import engine as eng
from fwgen.machine.armv7m import exceptions as exc
from fwgen.machine.armv7m.accelerate import HOT, MOST_ITEMS, WORTH, Inner, Loop
from fwgen.machine.armv7m.blocks import WFE, WFI, Block
from fwgen.machine.armv7m.engine import Engine
from fwgen.machine.armv7m.faults import Scene, likely_cause, reason_of, report
from fwgen.machine.armv7m.rounds import Rounds
from fwgen.machine.armv7m.symbolic import NotLinear
from fwgen.machine.armv7m.watch import watches
from fwgen.machine.memory import PAGE
from fwgen.machine.native import SLOW, NativeClockwork, library
from fwgen.machine.time import NEVER
from fwgen.thumb.cycles import REFILL
from fwgen.thumb.forms import is_wide
from fwgen.trace import Fault, Reset, Sleep, Wake

if TYPE_CHECKING:
    from collections.abc import Callable

    from fwgen.board.types import PeripheralSpec
    from fwgen.image.types import Image
    from fwgen.machine.armv7m.symbolic import Outcome
    from fwgen.machine.armv7m.watch import Watch
    from fwgen.machine.memory import MemoryMap
    from fwgen.machine.soc import Soc

NOWHERE = 1  # an ``until`` that no instruction has: odd
ENTRY_CYCLES = 12  # TRM §3.9.1, zero wait states
RETURN_CYCLES = 10
TAIL_CHAIN_CYCLES = 6
LATE_CYCLES = 2  # a store, then at once the return
FP_STACK_CYCLES = 17  # s0-s15 and fpscr, when they are moved
_LINE_CYCLES = 4  # a line of eight 16-bit or four 32-bit instructions runs at least so long
GUARD_CYCLES = 4_000_000  # between two looks at the wall clock
ATTENTION = -1  # a ``limit`` that every block meets
NOWHERE_YET = -1  # a ``start`` from which no entry is backward
REST = 64  # backward entries to let pass before a loop that was not worth it is tried again

_CALLER = (
    eng.R0, eng.R0 + 1, eng.R0 + 2, eng.R0 + 3, eng.R0 + 12, eng.LR, eng.SP, eng.XPSR, eng.CONTROL,
)  # fmt: skip
REGISTER_NAMES = (*(f"r{n}" for n in range(13)), "sp", "lr", "pc")
_GENERAL = eng.GENERAL
_MASKS = (eng.PRIMASK, eng.BASEPRI, eng.FAULTMASK)
_ENTER = (eng.SP, eng.XPSR, eng.CONTROL, eng.APSR_NZCV, eng.LR)
_SELECT_MAIN = (eng.CONTROL, eng.XPSR, eng.CONTROL, eng.XPSR, eng.APSR_NZCV)
_LEAVE = (
    eng.CONTROL, eng.XPSR, eng.CONTROL, eng.APSR_NZCV,
    eng.R0, eng.R0 + 1, eng.R0 + 2, eng.R0 + 3, eng.R0 + 12, eng.LR, eng.SP,
)  # fmt: skip
_FP = tuple(range(eng.S0, eng.S0 + 16))
_FRAME, _FP_FRAME = Struct("<8I"), Struct("<17I")  # the word above fpscr is not written
_RETURN = (
    eng.XPSR, eng.PRIMASK, eng.BASEPRI, eng.FAULTMASK, eng.CONTROL, eng.MSP, eng.PSP,
)  # fmt: skip

PPB, STIR = 0xE000_0000, 0xE000_EF00
BITBANDS = ((0x2000_0000, 0x2200_0000), (0x4000_0000, 0x4200_0000))
BITBAND_SIZE = 32 << 20


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


class Clockwork:
    """Where the core is, in cycles and addresses; shared with the BLOCK hook.

    The block that runs began at ``cycle`` and costs ``cost``; it is [start, end). ``limit`` is
    the cycle by which the block that is about to run must have ended, else ``_slow_block`` looks;
    with ``attention`` it stops. ``refill`` is what a taken branch costs, ``hot`` how many
    backward entries make a loop worth a look. ``NativeClockwork`` has the same names.
    """

    __slots__ = ("attention", "cost", "cycle", "end", "hot", "limit", "refill", "start")

    def __init__(self) -> None:
        self.cycle = self.cost = self.start = self.end = 0
        self.limit = self.attention = self.refill = self.hot = 0


class Core:
    """An ARMv7-M core in a chip. ``soc`` sees it as its bus master."""

    def __init__(
        self,
        soc: Soc,
        memory: MemoryMap,
        *,
        accelerate: bool = True,
        native: bool | None = None,
    ) -> None:
        self.soc, self.memory = soc, memory
        self.kind = soc.chip.core
        self.exceptions = soc.exceptions
        self.hclk = soc.clock("HCLK")
        self.engine = Engine(self.kind)
        self._native = library() if native is not False else None
        if native and self._native is None:
            raise BenchError(
                "the compiled block hook was not built",
                hint="install a C compiler and reinstall, or let it be chosen by itself",
            )
        self.at: Any = Clockwork() if self._native is None else NativeClockwork()
        self.at.refill = REFILL[self.kind]
        self.at.limit, self.at.attention = ATTENTION, 1
        self.at.hot = HOT if accelerate else NEVER
        self.blocks: dict[int, Block] = {}
        self.image: Image | None = None  # for fault reports
        self.asleep = False
        self.locked = False
        self.event = False  # the event register of WFE
        self.asleep_cycles = 0
        self.steps = 0  # times the engine was entered: what a runaway costs
        self._pc = 0
        self._until = NOWHERE
        self.until_ps = 0
        self._deadline = 0
        self._due = 0
        self._accelerates = accelerate
        self.patience: Callable[[], bool] | None = None  # asked now and then: go on?
        self.gave_up = False
        self._ask_at = GUARD_CYCLES
        self._watched: dict[int, Watch] = {}
        self._watch_hooks: list[Any] = []
        self._recording: list[Block | Inner] | None = None
        self.rounds = Rounds(self)
        self._woken = False  # by an exception, and has not run since
        self._head: Any = None
        self._reason: Callable[[], None] | None = None
        self._failure: BaseException | None = None
        self._access_pc: int | None = None
        self._access_cycle = 0
        self._repeated: int | None = None  # what the access that is run again gives
        self._reset_cause: str | None = None
        self._imprecise: tuple[int, int] | None = None  # address, and the store's PC
        self._asleep_since = 0
        self._io_pages: dict[int, list[tuple[int, int, PeripheralSpec]]] = {}
        self._scb: Any = soc.peripherals.get("SCB")
        self._fpu: Any = soc.peripherals.get("FPU")
        self.systick: Any = soc.peripherals.get("SYSTICK")
        self._rcc: Any = soc.peripherals.get("RCC")
        self._pwr: Any = soc.peripherals.get("PWR")
        self._fp_enabled = False
        self._traps = (False, False)  # UNALIGN_TRP, DIV_0_TRP
        self._rewatch = False
        self._standby = self._waits_for_event = False
        self.hclk.on_change(self._clock_changed)
        soc.core = self
        soc.on_system_reset = self._request_reset
        self.exceptions.changed = self.wake_up
        memory.code_changed = self._code_changed
        flash: Any = soc.peripherals.get("FLASH")
        self._flash = flash
        if flash is not None:
            flash.on_timing(lambda _t_ps: self.forget_blocks())
            flash.on_changed(lambda address, size: memory.changed(address, address + size))
        exti: Any = soc.peripherals.get("EXTI")
        if exti is not None:
            exti.on_event = self._external_event
        rcc: Any = self._rcc
        if rcc is not None:
            rcc.on_nmi = self._nmi_request
        self._map()
        self._install()

    # ------------------------------------------------------------------ what the chip sees

    @property
    def pc(self) -> int:
        """Address of the instruction being executed."""
        return self._pc if self._access_pc is None else self._access_pc

    @property
    def cycle(self) -> int:
        """The cycle that it is: exact within a bus access."""
        if self._access_pc is not None:
            return self._access_cycle
        now: int = self.at.cycle + self.at.cost
        return now

    @property
    def awake_cycles(self) -> int:
        """Cycles not spent asleep so far."""
        asleep = self.asleep_cycles
        if self.asleep or self.locked:
            asleep += self.cycle - self._asleep_since
        return self.cycle - asleep

    @property
    def now_ps(self) -> int:
        """The time at ``cycle``."""
        return self.hclk.time_of(self.cycle)

    @property
    def exception(self) -> int:
        """The number of the exception being handled; 0 in Thread mode."""
        return self.engine.read(eng.XPSR) & 0x1FF

    def wake_up(self, t_ps: int) -> None:
        """Something changed that may interrupt: look before the next block."""
        if self.exceptions.best() is not None:
            self.attend()

    def _external_event(self, t_ps: int) -> None:
        """A pulse on the event input: it ends WFE, now or the next (RXEV, B1.5.18)."""
        self.event = True
        self.attend()

    def _nmi_request(self, t_ps: int, level: bool) -> None:
        """The clock security system asks for NMI."""
        if level:
            self.exceptions.pend(exc.NMI, t_ps)

    def configure(self) -> None:
        """CCR or CPACR changed: what blocks must watch may have, too."""
        self._fp_enabled = self._scb is None or self._scb.cpacr.CP10 == 3
        traps = (bool(self._scb.ccr.UNALIGN_TRP), bool(self._scb.ccr.DIV_0_TRP))
        if traps != self._traps:
            self._traps = traps
            self._rewatch = True
            self.attend()
        self.forget_blocks()

    def forget_blocks(self) -> None:
        """What blocks cost changed (flash wait states), or what they must watch."""
        self.blocks.clear()
        self.rounds.forget()
        if self._native is not None:
            self._native.fwgen_clear(self.at)

    def _publish(self, key: int, block: Block) -> None:
        """Let the quick hook know a block."""
        self.blocks[key] = block
        if self._native is not None:
            self._native.fwgen_put(self.at, key, block.cost, block.entries, block.system)

    def _request_reset(self, t_ps: int, cause: str) -> None:
        if self._reset_cause is None:
            self._reset_cause = cause
        self.attend()

    def _code_changed(self, start: int, end: int) -> None:
        self.engine.drop_code(start, end)
        self.rounds.forget()
        for key in [
            k for k, b in self.blocks.items() if b.address < end and start < b.address + b.size
        ]:
            del self.blocks[key]

    def close(self) -> None:
        """Give the engine back."""
        self.engine.close()
        self.forget_blocks()

    # ------------------------------------------------------------------ setting up

    def _map(self) -> None:
        """Map memories; everything else in the 4 GiB is for ``_bus_read`` and ``_bus_write``."""
        covered = []
        for region in self.memory.regions:
            size = region.size & ~(PAGE - 1)  # a part of a page is served by the bus
            if size:
                self.engine.map(region.base, region.buffer, size, write=region.kind == "ram")
                covered.append((region.base, region.base + size))
        covered.sort()
        at = 0
        for base, end in [*covered, (1 << 32, 1 << 32)]:
            if at < base:
                self._map_io(at, base)
            at = max(at, end)
        for spec in self.soc.chip.peripherals.values():
            for page in range(spec.base >> 10, (spec.end + 0x3FF) >> 10):
                self._io_pages.setdefault(page, []).append((spec.base, spec.end, spec))

    def _map_io(self, base: int, end: int) -> None:
        def read(_uc: Any, offset: int, size: int, _user: Any) -> int:
            try:
                return self._io_read(base + offset, size)
            except BaseException as error:  # noqa: BLE001 - re-raised by _step
                self._fail(error)
                return 0

        def write(_uc: Any, offset: int, size: int, value: int, _user: Any) -> None:
            try:
                self._io_write(base + offset, size, value)
            except BaseException as error:  # noqa: BLE001 - re-raised by _step
                self._fail(error)

        self.engine.map_io(base, end - base, read, write)

    def _install(self) -> None:
        engine = self.engine
        if self._native is None:
            engine.hook(uc.UC_HOOK_BLOCK, eng.BLOCK, self._block_hook())
        else:
            self.at.slow = SLOW(self._slow_block)
            hook = ctypes.cast(self._native.fwgen_on_block, eng.BLOCK)
            engine.hook(uc.UC_HOOK_BLOCK, eng.BLOCK, hook, user=ctypes.addressof(self.at))
        engine.hook(uc.UC_HOOK_INTR, eng.INTR, self._on_interrupt)
        engine.hook(uc.UC_HOOK_INSN_INVALID, eng.INVALID, self._on_invalid)
        engine.hook(uc.UC_HOOK_MEM_INVALID, eng.MEMORY, self._on_protected)

    def _block_hook(self) -> Callable[..., None]:
        at, blocks, slow = self.at, self.blocks, self._slow_block
        hot = at.hot

        def on_block(_uc: Any, address: int, size: int, _user: Any) -> None:
            cycle = at.cycle + at.cost
            if address != at.end:
                cycle += at.refill
            block = blocks.get(address << 12 | size)
            if block is None or cycle + block.cost > at.limit:
                slow(cycle, address, size)
                return
            if address <= at.start:
                block.entries += 1
                if block.entries > hot:
                    slow(cycle, address, size)
                    return
            at.cycle, at.cost, at.start, at.end = cycle, block.cost, address, address + size
            if block.system:
                at.attention, at.limit = 1, ATTENTION

        return on_block

    def attend(self) -> None:
        """Look around before the next block."""
        self.at.attention, self.at.limit = 1, ATTENTION

    # ------------------------------------------------------------------ hooks

    def _fail(self, error: BaseException) -> None:
        if self._failure is None:
            self._failure = error
        self.engine.stop()
        self.attend()

    def _stop(self, reason: Callable[[], None]) -> None:
        self._reason = reason
        self.engine.stop()

    def _slow_block(self, cycle: int, address: int, size: int) -> None:
        """A block that is new, or does not end before something is due."""
        try:
            at = self.at
            backward = address <= at.start
            at.cycle, at.cost, at.start, at.end = cycle, 0, NOWHERE_YET, address
            self._pc = address
            if at.attention or cycle >= self._due:
                self.rounds.tour = None
                self._stop(self._nothing)
                return
            if cycle + GUARD_CYCLES // 2 >= self._ask_at:
                self._ask(cycle)
            block = self.blocks.get(address << 12 | size)
            if block is None:
                block = self._learn(address, size)
                if self._watch(block):
                    self._stop(lambda: self.engine.drop_code(address, address + size))
                    return
            if backward and self._accelerates:
                key = address << 12 | size
                if self._native is not None:
                    block.entries = self._native.fwgen_entries(at, key)
                if block.entries > HOT:
                    skipped = self._skip(block, cycle)
                    if self._native is not None and key in self.blocks:
                        self._publish(key, block)
                    if skipped is None:
                        return
                    cycle = at.cycle = cycle + skipped
            stop = self._must_stop(block)
            if stop == 0:
                self._stop(self._bad_instruction)
                return
            if cycle + block.cost > self._due:
                self.rounds.tour = None
                if cycle >= self._due:
                    self._stop(self._nothing)
                    return
                stop = min(stop, block.stop_after(self._due - cycle))
            if stop < size:
                self._until = address + stop
                self._stop(lambda: self.engine.drop_code(address, address + size))
                return
            at.cost, at.start, at.end = block.cost, address, address + size
            if self._recording is not None:
                self._record(block)
            self.rounds.ran(block)
            self.event |= block.sends_event
            if block.system:
                self.attend()
        except BaseException as error:  # noqa: BLE001 - re-raised by _step
            self._fail(error)

    def _ask(self, cycle: int) -> None:
        """Whether to go on: firmware that computes for ever must not hold the bench for ever."""
        self._ask_at = cycle + GUARD_CYCLES
        self._arm()
        if self.patience is not None and not self.patience():
            self.gave_up = True
            self._stop(self._nothing)

    # ------------------------------------------------------------------ acceleration

    def _skip(self, head: Block, cycle: int) -> int | None:
        """At a loop that has been entered often: skip what can be; gives the cycles skipped.

        None when the core already stands where something is due.
        """
        if head.plan is None:
            if self._recording is None:
                self._recording, self._head = [], head
                self.at.limit = ATTENTION
            elif self._head is head:
                self._compile(head)
            if head.plan is None:
                return 0
        loop: Loop = head.plan
        if self._due - cycle < 2 * loop.cycles:
            return 0
        self.rounds.tour = None
        rounds = self.rounds.polling(loop, cycle)
        if rounds is None:
            return 0
        if rounds:
            self._stop_recording()
            self._set_limit()
            cycle += rounds
            if self._due - cycle < 2 * loop.cycles:
                return rounds
        try:
            times, whole, cut = loop.jump(self, cycle, self._due)
        except NotLinear as why:
            self._rest(head, for_good=why.for_good, keep=True)
            if self._recording is not None and self._head is not head:
                self._stop_recording()
            return rounds
        head.refused = 0
        skipped = times * loop.cycles
        if self._recording is not None and times:
            # Cut short by the time, this is not what the outer loop does each time round.
            if whole:
                self._recording.append(Inner(loop, times))
            else:
                self._stop_recording()
        if cut is not None:
            # The iteration is already run up to where something is due: stop there.
            into, self._pc = cut
            self.at.cycle = cycle + skipped + into
            self.at.end = self._pc
            self._stop(self._nothing)
            return None
        if skipped < WORTH and whole:
            head.entries -= REST
        return rounds + skipped

    def _rest(self, head: Block, *, for_good: bool = False, keep: bool = False) -> None:
        """Nothing could be skipped: let the loop run for a while."""
        head.rest(for_good=for_good, keep=keep)
        key = head.address << 12 | head.size
        if key in self.blocks:
            self._publish(key, head)

    def _record(self, block: Block) -> None:
        assert self._recording is not None
        self._recording.append(block)
        if len(self._recording) > MOST_ITEMS:
            self._rest(self._head)
            self._stop_recording()

    def _compile(self, head: Block) -> None:
        """The path came back to its head: make a loop of it."""
        items = self._recording
        self._stop_recording()
        if not items:
            return
        try:
            head.plan = Loop(items, self.at.refill)
        except NotLinear as why:
            self._rest(head, for_good=why.for_good)

    def _stop_recording(self) -> None:
        self._recording = None
        self._arm()

    def foresee(self, cycle: int) -> Callable[[int, int], tuple[int, int | None] | None]:
        """How to read without effects at a cycle: value, and until when it holds (None: RAM)."""
        memory, t_ps = self.memory, self.hclk.time_of(cycle)

        def fetch(address: int, size: int) -> tuple[int, int | None] | None:
            region = memory.find(address)
            if region is not None:
                at = address - region.base
                if at + size > region.size:
                    return None
                value = int.from_bytes(region.view[at : at + size], "little")
                return value, None if region.kind == "ram" else NEVER
            spec = self._spec_at(address)
            if spec is None or address & (size - 1):
                return None
            return self.soc.bus_peek(spec, address - spec.base, size, t_ps)

        return fetch

    def latch_at(self, address: int) -> tuple[int, Outcome] | None:
        """Where a write only moves pins: the register that holds its outcome, and what it is."""
        spec = self._spec_at(address)
        latch = None if spec is None else self.soc.bus_latch(spec, address - spec.base)
        return None if spec is None or latch is None else (spec.base + latch.home, latch.outcome)

    def _running(self) -> Block | None:
        """The block that runs, also when what was known of blocks was just forgotten."""
        at = self.at
        block = self.blocks.get(at.start << 12 | at.end - at.start)
        if block is None and 0 <= at.start < at.end:
            code = self.memory.read(at.start, at.end - at.start)
            block = Block(at.start, code, self.kind, self._wait_states) if code else None
        return block

    def _must_stop(self, block: Block) -> int:
        """Offset of the first instruction that must not run; the block's size when all may."""
        stop = block.size
        if block.problem is not None and block.problem.kind != "unpredictable":
            stop = block.problem.offset
        if block.fp >= 0 and not self._fp_enabled:
            stop = min(stop, block.fp)
        return stop

    def _learn(self, address: int, size: int) -> Block:
        code = self.memory.read(address, size) or b""
        block = Block(address, code, self.kind, self._wait_states)
        if not self.engine.read(eng.CONTROL) & 2:
            self._check_stack(self.engine.read(eng.SP))
        problem = block.problem
        if problem is not None and problem.kind == "unpredictable":
            self.soc.hazard(
                "unpredictable",
                "error",
                f"at {address + problem.offset:#010x}: {problem.message}",
                section="Arm ARM DDI0403 A5",
                cure="use an encoding that the manual defines",
            )
        # A block that must not run whole is never found by the quick hook.
        if self._must_stop(block) == block.size and not block.sends_event:
            self._publish(address << 12 | size, block)
        return block

    def _watch(self, block: Block) -> bool:
        """Hook what may fault by its values; True when the block must be translated anew."""
        unaligned, divide = self._traps
        new = False
        for offset, watch in watches(block.code, unaligned=unaligned, divide=divide):
            address = block.address + offset
            if address not in self._watched:
                hook = self.engine.hook(
                    uc.UC_HOOK_CODE, eng.BLOCK, self._on_watched, address, address
                )
                self._watch_hooks.append(hook)
                new = True
            self._watched[address] = watch
        return new

    def _watch_anew(self) -> None:
        """The traps changed: forget what was watched, and all translations."""
        self._rewatch = False
        self._watched.clear()
        for hook in self._watch_hooks:
            self.engine.unhook(hook)
        self._watch_hooks.clear()
        self.engine.drop_all_code()

    def _on_watched(self, _uc: Any, address: int, _size: int, _user: Any) -> None:
        """Before a watched instruction: the PC is exact, and it can still be kept from running."""
        try:
            watch = self._watched.get(address)
            if watch is None:
                return
            target = watch.faults(self.engine.read_many(_GENERAL))
            if target is not None:
                self._stop(lambda: self._value_fault(address, watch.reason, target))
        except BaseException as error:  # noqa: BLE001 - re-raised by _step
            self._fail(error)

    def _value_fault(self, pc: int, bit: str, address: int) -> None:
        self._cut_short(pc)
        self._fault(exc.USAGE_FAULT, bit, pc, address)

    def _wait_states(self, address: int, cycles_in: int) -> int:
        """Cycles that fetching the instruction at ``address`` waits for the flash.

        The first instruction of each 128-bit line waits for the line, unless the instruction
        cache has it (always, once it is on: 64 lines hold any waiting loop) or the prefetch
        buffer got it while the line before was running. RM0368 §3.4.2.
        """
        flash = self._flash
        latency = getattr(flash, "latency", 0)
        if not latency or address & 15 or not self._in_flash(address) or flash.icache:
            return 0
        if flash.prefetch:
            return max(0, latency - min(cycles_in, _LINE_CYCLES))
        return int(latency)

    def _on_interrupt(self, _uc: Any, number: int, _user: Any) -> None:
        """The engine met an exception of its own: it becomes one of ours."""
        try:
            self._stop(lambda: self._engine_exception(number))
        except BaseException as error:  # noqa: BLE001 - re-raised by _step
            self._fail(error)

    def _on_invalid(self, _uc: Any, _user: Any) -> bool:
        try:
            self._stop(self._invalid)
        except BaseException as error:  # noqa: BLE001 - re-raised by _step
            self._fail(error)
        return False

    def _on_protected(
        self, _uc: Any, kind: int, address: int, size: int, value: int, _user: Any
    ) -> bool:
        """Before an access outside memory: the PC is exact here. False makes it a fault."""
        try:
            if kind in (uc.UC_MEM_FETCH_PROT, uc.UC_MEM_FETCH_UNMAPPED):
                self._stop(lambda: self._fetch_fault(address))
                return False
            if self._repeated is not None:
                return True
            pc = self.engine.read(eng.PC)
            at = self.at
            block = self._running()
            self._access_cycle = at.cycle + (block.before(pc) if block is not None else 0)
            self._access_pc = pc
            if block is None or block.has_it:
                self.engine.write(eng.EPSR, 1 << 24)  # else the engine leaks the IT state
            if address >= PPB and self._unprivileged(address):
                self._stop(lambda: self._bus_fault(pc, address))
                return False
            if self._spec_at(address) is not None and not address & (size - 1):
                return True
            store = kind == uc.UC_MEM_WRITE_PROT
            if self.memory.find(address) is not None:
                if store:
                    self._store_to_rom(address, size, value & ((1 << (8 * size)) - 1))
                return True
            if self._reachable(address):
                if address & (size - 1):
                    self._stop(lambda: self._value_fault(pc, "UNALIGNED", address))
                    return False
                return True
            if store:
                # The write buffer took it: the core has gone on when the bus answers.
                self._imprecise = address, pc
                self.attend()
                return True
            self._stop(lambda: self._bus_fault(pc, address))
        except BaseException as error:  # noqa: BLE001 - re-raised by _step
            self._fail(error)
        return False

    # ------------------------------------------------------------------ the bus

    def _unprivileged(self, address: int) -> bool:
        """Whether the private peripheral bus refuses whoever runs (B3.1.1)."""
        control, xpsr = self.engine.read_many((eng.CONTROL, eng.XPSR))
        if not control & 1 or xpsr & 0x1FF:
            return False
        return address != STIR or not (self._scb is not None and self._scb.ccr.USERSETMPEND)

    def _reachable(self, address: int) -> bool:
        banded = _banded(address)
        if banded is not None:
            target = banded[0]
            return self._spec_at(target) is not None or self.memory.find(target) is not None
        return self._spec_at(address) is not None

    def _spec_at(self, address: int) -> PeripheralSpec | None:
        for base, end, spec in self._io_pages.get(address >> 10, ()):
            if base <= address < end:
                return spec
        return None

    def _io_read(self, address: int, size: int) -> int:
        """The engine's read outside memory."""
        if self._repeated is not None:
            return self._repeated
        pc = self._access_pc or self._pc
        value = self._bus_read(address, size)
        self._after_access(pc, value)
        return value

    def _io_write(self, address: int, size: int, value: int) -> None:
        """The engine's write outside memory."""
        if self._repeated is not None:
            return
        pc = self._access_pc or self._pc
        self._bus_write(address, size, value)
        self._after_access(pc, 0)

    def _bus_read(self, address: int, size: int) -> int:
        spec = self._spec_at(address)
        if spec is not None:
            t_ps = self.hclk.time_of(self._access_cycle)
            return self.soc.bus_read(spec, address - spec.base, size, t_ps)
        banded = _banded(address)
        if banded is not None:
            byte, bit = banded
            return self._bus_read(byte, 1) >> bit & 1
        data = self.memory.read(address, size)
        return int.from_bytes(data, "little") if data is not None else 0

    def _bus_write(self, address: int, size: int, value: int) -> None:
        spec = self._spec_at(address)
        if spec is not None:
            t_ps = self.hclk.time_of(self._access_cycle)
            self.soc.bus_write(spec, address - spec.base, size, value, t_ps)
            return
        banded = _banded(address)
        if banded is not None:
            # Reads, changes one bit and writes back, in one go and as wide as the access: B3.1.
            byte, bit = banded
            target, bit = byte & ~(size - 1), bit + 8 * (byte & (size - 1))
            before = self._bus_read(target, size)
            self._bus_write(target, size, before & ~(1 << bit) | (value & 1) << bit)
            return
        self.memory.write_ram(address, value.to_bytes(size, "little"))

    def _after_access(self, pc: int, value: int) -> None:
        """See whether the access brought something that is due within the block that runs."""
        at = self.at
        self._access_pc = None
        if getattr(self._flash, "busy_until_ps", 0) > self.soc.scheduler.now_ps:
            self.attend()  # the bus will stall
        if self.soc.scheduler.next_ps != self._deadline:
            self._set_limit()
        if at.attention or self._due < at.cycle + at.cost:
            self._pause_after(pc, value)

    def _pause_after(self, pc: int, value: int) -> None:
        """Stop after the access at ``pc``, not only after its block.

        A stop within an access makes the engine go back to the instruction: it is run again by
        itself, with the access's outcome given (``_repeat_access``).
        """
        block = self._running()
        if block is None or block.has_it or not block.address <= pc < block.address + block.size:
            return
        code = block.code[pc - block.address :]
        first = code[0] | code[1] << 8
        following = pc + (4 if is_wide(first) else 2)
        if following < self.at.end and _touches_once(first):
            self._stop(lambda: self._repeat_access(pc, following, value))

    def _repeat_access(self, pc: int, following: int, value: int) -> None:
        at, end = self.at, self.at.end
        if self._pc != pc:
            return  # the engine went on: nothing to repeat
        self._cut_short(pc)
        at.start, at.end, at.attention = NOWHERE_YET, pc, 0
        at.limit = self._due = NEVER
        self._repeated = value
        self.engine.drop_code(pc, end)
        self._reason = None
        self.engine.start(pc, following)
        self._repeated = None
        self._reason = None
        self._pc = self.engine.read(eng.PC)

    def _store_to_rom(self, address: int, size: int, value: int) -> None:
        """A store into the flash: its controller decides what becomes of it."""
        flash = self._flash
        region = self.memory.find(address)
        t_ps = self.hclk.time_of(self._access_cycle)
        self.soc.scheduler.catch_up(t_ps)
        if region is not None and region.kind == "flash" and hasattr(flash, "program"):
            flash.program(self.soc.chip.flash.base + address - region.base, size, value, t_ps)
        else:
            self._imprecise = address, self._access_pc or self._pc
            self.attend()
        self._after_access(self._access_pc or self._pc, 0)

    # ------------------------------------------------------------------ time

    def cycle_of(self, t_ps: int) -> int:
        """The first cycle that does not begin before a time."""
        if t_ps >= NEVER:
            return NEVER
        cycle = self.hclk.ticks_at(t_ps)
        return cycle if self.hclk.time_of(cycle) >= t_ps else cycle + 1

    def _clock_changed(self, t_ps: int) -> None:
        """What is due comes after another number of cycles now."""
        self._deadline = -1

    def _set_limit(self) -> None:
        self._deadline = self.soc.scheduler.next_ps
        self._due = self.cycle_of(min(self._deadline, self.until_ps))
        self._arm()

    def _arm(self) -> None:
        due = min(self._due, self._ask_at)
        watch = self.at.attention or self._recording is not None or self.rounds.tour is not None
        self.at.limit = ATTENTION if watch else due

    def advance(self, until_ps: int) -> None:
        """Run until a time: to the first place between two instructions not before it.

        Raises whatever a peripheral's model raised: that is our defect, not the firmware's.
        """
        self.until_ps = until_ps
        scheduler = self.soc.scheduler
        while not self.gave_up:
            scheduler.catch_up(self.now_ps)
            if self._reset_cause is not None:
                self._reset_now()
                continue
            if self.asleep or self.locked:
                if not self._idle():
                    return
                continue
            if self.hclk.time_of(self.at.cycle + self.at.cost) >= until_ps:
                return
            if self._rewatch:
                self._watch_anew()
            self._stall()
            self._take_pending()
            self._woken = False
            if self.at.cost == 0 and self.now_ps >= until_ps:
                continue
            self.at.attention, self._recording = 0, None
            self._set_limit()
            self._step()

    def _step(self) -> None:
        """Let the engine run until something needs us."""
        self._reason = None
        self.steps += 1
        until, self._until = self._until, NOWHERE
        error = self.engine.start(self._pc, until)
        if self._failure is not None:
            failure, self._failure = self._failure, None
            self._access_pc = None
            raise failure
        self._access_pc = None
        if self._reason == self._nothing:
            self._reason = None  # the block hook has set the PC
        else:
            self._pc = self.engine.read(eng.PC)
        if self._reason is not None:
            reason, self._reason = self._reason, None
            reason()
        elif error:
            self._bad_instruction()
        elif self._pc == self.at.end and self.at.cost and self._last_halfword() == WFI:
            self._wait(event=False)
        if self._imprecise is not None and not self.locked:
            (address, store), self._imprecise = self._imprecise, None
            self._fault(exc.BUS_FAULT, "IMPRECISERR", self._pc, address, store)

    def _stall(self) -> None:
        """While the flash programs or erases, fetching from it waits (RM0368 §3.5)."""
        busy = getattr(self._flash, "busy_until_ps", 0)
        if busy > self.now_ps and self._in_flash(self._pc):
            at = self.at
            until = min(busy, self.until_ps)
            self.soc.scheduler.catch_up(until)
            at.cost += max(0, self.cycle_of(until) - at.cycle - at.cost)

    def _in_flash(self, address: int) -> bool:
        region = self.memory.find(address)
        return region is not None and region.kind == "flash"

    def _nothing(self) -> None:
        """The block hook stopped the engine to look around; ``_pc`` is the block's start."""

    def _last_halfword(self) -> int:
        data = self.memory.read(self.at.end - 2, 2)
        return int.from_bytes(data or b"", "little")

    # ------------------------------------------------------------------ sleep

    def _wait(self, *, event: bool) -> None:
        """WFI or WFE: sleep unless something waits already."""
        if self._recording is not None:
            self._rest(self._head)  # a loop that sleeps is not one that waits
        if event and self.event:
            self.event = False
            return
        if self._would_wake():
            return
        self.soc.scheduler.catch_up(self.now_ps)
        if self._would_wake():
            return
        deep = self._scb is not None and bool(self._scb.scr.SLEEPDEEP)
        mode = getattr(self._pwr, "deep_mode", "stop") if deep else "sleep"
        self._standby = mode == "standby"
        self.asleep = True
        self._waits_for_event = event
        self._asleep_since = self.at.cycle + self.at.cost
        if event:
            self.rounds.tour = None
        else:
            self.rounds.slept()
        self.soc.recorder.add(Sleep(self.now_ps, mode))
        if hasattr(self._rcc, "enter_sleep"):
            self._rcc.enter_sleep(self.now_ps, mode)

    def _would_wake(self) -> bool:
        """Whether an interrupt would be taken if PRIMASK were clear (B1.5.19)."""
        if self.exceptions.best() is None:
            return False
        _, basepri, faultmask = self._masks()
        priority = self.exceptions.execution_priority(0, basepri, faultmask)
        return self.exceptions.preempting(priority) is not None

    def _idle(self) -> bool:
        """Asleep or locked up: let events happen. False when the time is over."""
        scheduler, until = self.soc.scheduler, self.until_ps
        while True:
            if self._reset_cause is not None:
                self._move_to(scheduler.now_ps)
                return True
            if (
                self.asleep
                and not self._standby
                and (self._would_wake() or (self._waits_for_event and self.event))
            ):
                self._wake_now()
                return True
            due = scheduler.next_ps
            if due > until:
                scheduler.catch_up(until)
                self._move_to(until)
                return False
            scheduler.catch_up(due)

    def _move_to(self, t_ps: int) -> None:
        """Asleep: time passes without a cycle being run."""
        at = self.at
        at.cycle = max(at.cycle + at.cost, self.cycle_of(t_ps) if self.hclk.hz else 0)
        at.cost = 0

    def _wake_now(self) -> None:
        best = self.exceptions.best()
        cause = self.exceptions.name(best[1]) if best is not None else "event"
        t_ps = self.soc.scheduler.now_ps
        if self._waits_for_event:
            self.event = False
        if hasattr(self._rcc, "leave_sleep"):
            ready = self._rcc.leave_sleep(t_ps)
            self.soc.scheduler.catch_up(ready)
        self._move_to(self.soc.scheduler.now_ps)
        self._end_idle()
        self._woken = True
        self.soc.recorder.add(Wake(self.now_ps, cause))

    def _end_idle(self) -> None:
        self.asleep_cycles += self.at.cycle + self.at.cost - self._asleep_since
        self.asleep = self.locked = False

    # ------------------------------------------------------------------ reset

    def power_on(self) -> None:
        """Come out of power-on reset at time 0."""
        self._reset_cause = None
        self.soc.reset(0, "PORRSTF")
        self._restart()

    def _reset_now(self) -> None:
        cause, self._reset_cause = self._reset_cause, None
        assert cause is not None
        if self.asleep or self.locked:
            self._end_idle()
        t_ps = self.now_ps
        self.soc.recorder.add(Reset(t_ps, cause))
        self.soc.reset(t_ps, cause)
        self._restart()

    def _restart(self) -> None:
        """B1.5.5 TakeReset: the core's registers, then SP and PC from the table at 0."""
        engine = self.engine
        self.exceptions.reset()
        self.asleep = self.locked = self.event = False
        self._imprecise = None
        self.configure()
        engine.write_many((eng.PRIMASK, eng.BASEPRI, eng.FAULTMASK), (0, 0, 0))
        # From Handler mode the IPSR write swaps the stacks: go there first, whatever it was.
        engine.write(eng.XPSR, 1 << 24)
        engine.write(eng.CONTROL, 0)
        engine.write(eng.APSR_NZCV, 0)
        engine.write(eng.LR, 0xFFFFFFFF)
        stack = self.memory.word(0)
        start = self.memory.word(4)
        engine.write(eng.SP, (stack or 0) & ~3)
        self._go_to(start if start is not None else 0)

    def _go_to(self, target: int) -> None:
        """Continue at a vector or a return address; bit 0 is the Thumb bit."""
        self._pc = target & ~1
        self.at.start = self.at.end = self._pc
        if not target & 1:
            self._fault(exc.USAGE_FAULT, "INVSTATE", self._pc)

    # ------------------------------------------------------------------ exceptions

    def _masks(self) -> list[int]:
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

    def _take_pending(self) -> None:
        state = self.exceptions
        if state.best() is None:
            return
        priority = state.execution_priority(*self._masks())
        number = state.preempting(priority)
        if number is not None:
            if number == exc.SYSTICK and not state.active and self._accelerates:
                self.rounds.taken(woken=self._woken)
            self._enter(number, priority)

    def vector_base(self) -> int:
        """Where the vector table is."""
        return self._scb.vtor.value if self._scb is not None else 0

    def _enter(self, number: int, priority: int, *, synchronous: bool = False) -> None:
        """Stack the frame and go to the handler (B1.5.6). A later, higher one goes first."""
        engine, at = self.engine, self.at
        r0, r1, r2, r3, r12, lr, sp, xpsr, control = engine.read_many(_CALLER)
        frame, padded, fp = self._frame_at(sp, control)
        stacked = xpsr & ~0x200 | padded << 9
        data = _FRAME.pack(r0, r1, r2, r3, r12, lr, self._pc, stacked)
        if fp:
            data += _FP_FRAME.pack(*engine.read_many(_FP), engine.read(eng.FPSCR))
        thread = not xpsr & 0x1FF
        link = 0xFFFFFFE1 if fp else 0xFFFFFFF1
        if thread:
            link |= 0xC if control & 2 else 0x8
        at.cost += ENTRY_CYCLES
        if fp and self._fpu is not None and not self._fpu.fpccr.LSPEN:
            at.cost += FP_STACK_CYCLES
        if not control & 2:
            self._check_stack(frame)
        if not self.memory.write_ram(frame, data):
            number = self._stacking_failed(number, frame)
        elif not synchronous:
            self.soc.scheduler.catch_up(self.now_ps)
            number = self.exceptions.preempting(priority) or number
        self._begin(number, frame, xpsr, control, link)

    def _frame_at(self, sp: int, control: int) -> tuple[int, int, bool]:
        """Where a frame goes, whether SP was padded for it, and whether s0-s15 are in it."""
        # The engine sets FPCA as if ASPEN always were.
        fp = bool(control & 4) and (self._fpu is None or bool(self._fpu.fpccr.ASPEN))
        frame = (sp - (104 if fp else 32)) & 0xFFFFFFFF
        if fp or self._scb is None or self._scb.ccr.STKALIGN:
            return frame & ~7, frame >> 2 & 1, fp
        return frame, 0, fp

    def frame_of_thread(self, sp: int) -> tuple[int, int, bool]:
        """``_frame_at`` an exception in Thread mode. Raises NotLinear where it is told of."""
        control = self.engine.read(eng.CONTROL)
        made = self._frame_at(sp, control)
        if control & 2 or bool(control & 4) != made[2] or self._in_data(made[0]):
            raise NotLinear("an exception that is not plain")
        return made

    def fp_words(self) -> tuple[int, ...]:
        """What of the floating-point registers goes into a frame."""
        return (*self.engine.read_many(_FP), self.engine.read(eng.FPSCR))

    def stacking_cycles(self, *, fp: bool) -> tuple[int, int]:
        """What entry to and return from an exception cost."""
        moved = FP_STACK_CYCLES if fp and self._fp_dirty() else 0
        return ENTRY_CYCLES + moved, RETURN_CYCLES + moved

    def takes(self, number: int) -> bool:
        """Whether an exception would be taken now if it were pending."""
        state = self.exceptions
        if not state.enabled >> number & 1 or (self._scb is not None and self._scb.scr.SLEEPONEXIT):
            return False
        return state.group(state.priority[number]) < state.execution_priority(*self._masks())

    @property
    def sleeps_evenly(self) -> bool:
        """Whether WFI stops nothing but the core's clock."""
        deep = self._scb is not None and bool(self._scb.scr.SLEEPDEEP)
        return not deep and not getattr(self._rcc, "sleepers", ())

    def cost_from(self, block: Block, address: int) -> int:
        """Cycles of the rest of a block when the core goes on within it."""
        code = block.code[address - block.address :]
        return Block(address, code, self.kind, self._wait_states).cost

    def _begin(self, number: int, sp: int, xpsr: int, control: int, link: int) -> None:
        """Enter a handler whose frame is in place."""
        if number != exc.SYSTICK:
            self.rounds.tour = None
        self.event = True
        self.exceptions.activate(number)
        self.engine.write_many(
            _ENTER,
            (sp, xpsr & 0xF80F0000 | 1 << 24 | number, control & ~4, xpsr & 0xF0000000, link),
        )
        if control & 2:  # SPSEL is clear in a handler; only privileged Thread mode can clear it
            after = self.engine.read(eng.XPSR)
            self.engine.write_many(
                _SELECT_MAIN, (2, 1 << 24, control & 1, after, xpsr & 0xF0000000)
            )
        vector = self.memory.word(self.vector_base() + 4 * number)
        if vector is None:
            self._vector_failed(number)
            return
        self._go_to(vector)

    def _leave(self, link: int) -> None:
        """Return from an exception (B1.5.8), or go straight to the next (tail-chain)."""
        engine, at, state = self.engine, self.at, self.exceptions
        values = engine.read_many(_RETURN)
        xpsr, primask, basepri, faultmask, control, main, process = values
        number = xpsr & 0x1FF
        known = link & 0xF in (0x1, 0x9, 0xD) and link | 0x1F == 0xFFFFFFFF
        if not known or not state.active >> number & 1:
            state.deactivate(number)
            self._chain_fault(exc.USAGE_FAULT, "INVPC", link)
            return
        self._late_clear(number)
        if number != exc.NMI and faultmask:
            engine.write(eng.FAULTMASK, 0)
            faultmask = 0
        state.deactivate(number)
        self.event = True
        self.soc.scheduler.catch_up(self.now_ps)
        following = state.preempting(state.execution_priority(primask, basepri, faultmask))
        if following is not None:
            at.cost += TAIL_CHAIN_CYCLES
            self._begin(following, main, xpsr, control, link)
            return
        to_process = bool(link & 4)
        frame = process if to_process else main
        fp = not link & 0x10
        size = 104 if fp else 32
        data = self.memory.read(frame, size)
        if data is None:
            self._chain_fault(exc.BUS_FAULT, "UNSTKERR", link, frame)
            return
        r0, r1, r2, r3, r12, lr, pc, stacked = _FRAME.unpack_from(data)
        to_handler = bool(link & 0xF == 1)
        if to_handler != bool(stacked & 0x1FF):
            self._chain_fault(exc.USAGE_FAULT, "INVPC", link)
            return
        at.cost += RETURN_CYCLES
        if fp:
            at.cost += FP_STACK_CYCLES if self._fp_dirty() else 0
            words = _FP_FRAME.unpack_from(data, 32)
            engine.write_many(_FP, words[:16])
            engine.write(eng.FPSCR, words[16])
        sp = frame + size + (4 if stacked & 0x200 else 0)
        final = control & 1 | (2 if to_process else 0) | (4 if fp else 0)
        first = control & 3 & ~1 if to_handler else 0
        engine.write_many(
            _LEAVE,
            (first | (4 if fp else 0), stacked & ~0x200, final, stacked & 0xF0000000,
             r0, r1, r2, r3, r12, lr, sp),
        )  # fmt: skip
        self._pc = pc & ~1
        at.start = at.end = self._pc
        if not stacked >> 24 & 1:
            self._fault(exc.USAGE_FAULT, "INVSTATE", self._pc)
            return
        if self.rounds.tour is not None:
            self.rounds.returned(link, self.stacking_cycles(fp=fp))
        if not to_handler and self._scb is not None and self._scb.scr.SLEEPONEXIT:
            self._wait(event=False)

    def _fp_dirty(self) -> bool:
        return self._fpu is not None and not self._fpu.fpccr.LSPEN

    def _late_clear(self, number: int) -> None:
        """A request that fell just before the return would still be seen by silicon's NVIC."""
        fell = self.exceptions.fell.pop(number, None)
        if fell is None:
            return
        if self.at.cycle + self.at.cost - self.cycle_of(fell) <= LATE_CYCLES:
            name = self.exceptions.name(number)
            self.soc.hazard(
                "flag-cleared-late",
                "warning",
                f"the handler of {name} clears its flag with its last store: silicon may enter "
                "it again, as the store is still under way at the return",
                section="Arm Cortex-M4 TRM 100166 §2.3.3 (write buffer); PM0214 §2.2.4",
                cure="clear the flag first thing in the handler, or put DSB before the return",
            )

    def _check_stack(self, sp: int) -> None:
        """The main stack below the end of what the image keeps in RAM: it eats data.

        Looked at when code is first run and when an exception is taken.
        """
        if self._in_data(sp):
            top = self.soc.chip.ram.base + (self.image.ram_used if self.image is not None else 0)
            self.soc.hazard(
                "stack-into-data",
                "error",
                f"the stack has reached the firmware's own data, which ends at {top:#010x}",
                cure="use less stack (recursion, large locals), or less data",
            )

    def _in_data(self, sp: int) -> bool:
        image = self.image
        if image is None or not image.ram_used:
            return False
        base = self.soc.chip.ram.base
        return base <= sp < base + image.ram_used < image.initial_sp

    # ------------------------------------------------------------------ what the engine met

    def _engine_exception(self, number: int) -> None:
        if number == 2:
            self._supervisor_call()
        elif number == 8:
            self._leave(self._pc | 1)
        elif number == 7:
            self._breakpoint()
        elif number == 3:
            self._fetch_fault(self._pc)
        else:
            self._bad_instruction()

    def _supervisor_call(self) -> None:
        priority = self.exceptions.execution_priority(*self._masks())
        if self.exceptions.group(self.exceptions.priority[exc.SVCALL]) < priority:
            self._enter(exc.SVCALL, priority, synchronous=True)
        else:
            self._note("FORCED", None)
            self._fault(exc.HARD_FAULT, "SVC", self._pc)

    def _breakpoint(self) -> None:
        self._fault(exc.HARD_FAULT, "DEBUGEVT", self._pc)

    def _invalid(self) -> None:
        """An instruction that the engine does not run: WFE, YIELD and SEV are ours."""
        hint = self._last_halfword() if self._pc == self.at.end else 0
        if not self.engine.read(eng.EPSR) >> 24 & 1:
            self._fault(exc.USAGE_FAULT, "INVSTATE", self._pc)
        elif hint == WFE:
            self._wait(event=True)
        elif hint & 0xFF0F != 0xBF00:
            self._bad_instruction()

    def _bad_instruction(self) -> None:
        """The instruction at ``_pc`` is one that the core does not have."""
        code = self.memory.read(self._pc, 4) or b""
        first = int.from_bytes(code[:2], "little")
        second = int.from_bytes(code[2:4], "little")
        if not self.engine.read(eng.EPSR) >> 24 & 1:
            self._fault(exc.USAGE_FAULT, "INVSTATE", self._pc)
        elif (
            # A5.3.18: to a coprocessor that is off, or that the core lacks.
            first & 0xEC00 == 0xEC00
            and first & 0x3E0
            and first & 0x300 != 0x300
            and (second >> 9 & 7 != 5 or not self._fp_enabled)
        ):
            self._fault(exc.USAGE_FAULT, "NOCP", self._pc)
        else:
            self._fault(exc.USAGE_FAULT, "UNDEFINSTR", self._pc)

    def _cut_short(self, pc: int) -> None:
        """An instruction of the block that runs did not complete: time stops before it."""
        at = self.at
        block = self._running()
        if block is not None and at.start <= pc < at.end:
            at.cost = block.before(pc)
        self._pc = pc

    def _bus_fault(self, pc: int, address: int) -> None:
        self._cut_short(pc)
        self._fault(exc.BUS_FAULT, "PRECISERR", pc, address)

    def _fetch_fault(self, address: int) -> None:
        if address >= 0xA000_0000 or 0x4000_0000 <= address < 0x6000_0000:
            self._fault(exc.MEM_MANAGE, "IACCVIOL", address)  # execute never: B3.1
        else:
            self._fault(exc.BUS_FAULT, "IBUSERR", address)

    def _scene(self) -> Scene:
        at = self.at
        registers = self.engine.read_many(_GENERAL)
        xpsr = self.engine.read(eng.XPSR)
        block = (at.start, at.end)
        return Scene(self.memory, self.image, self.kind, registers, xpsr, block)

    def _note(self, bit: str, address: int | None) -> None:
        """Set the fault status bits that firmware can read."""
        scb = self._scb
        if scb is None:
            return
        for register in (scb.cfsr, scb.hfsr):
            if bit in register.spec.fields:
                register.set(**{bit: 1})
        if bit == "PRECISERR" and address is not None:
            scb.cfsr.set(BFARVALID=1)
            scb.bfar.value = address

    def _tell_fault(
        self, taken: str, bit: str, who: str, address: int | None, culprit: int | None = None
    ) -> None:
        """Record a fault with its report; ``culprit`` is where it comes from, if not the PC."""
        scene, pc = self._scene(), self._pc if culprit is None else culprit
        reason = reason_of(scene, bit, pc, address, who)
        flags, addresses = {}, {}
        if self._scb is not None:
            for name in ("cfsr", "hfsr"):
                register = getattr(self._scb, name)
                set_bits = [field for field in register.spec.fields if getattr(register, field)]
                if set_bits:
                    flags[name.upper()] = set_bits
            if self._scb.cfsr.BFARVALID:
                addresses["BFAR"] = self._scb.bfar.value
        addresses["LR"] = scene.registers[14]
        text = report(
            scene,
            taken=taken,
            reason=reason,
            cause=likely_cause(scene, bit, pc, address),
            t_ps=self.now_ps,
            pc=pc,
            flags=flags,
            addresses=addresses,
        )
        values = dict(zip(REGISTER_NAMES, [*scene.registers[:15], pc], strict=True))
        values["xpsr"] = scene.xpsr
        self.soc.recorder.add(Fault(self.now_ps, taken, reason, pc, text, values))

    def _fault(
        self,
        number: int,
        bit: str,
        pc: int,
        address: int | None = None,
        culprit: int | None = None,
    ) -> None:
        """A synchronous fault: to its handler, else to HardFault, else lock up (B1.5.14)."""
        self._pc = pc
        taken = self._escalate(number, bit, address, culprit)
        if taken is not None:
            self._enter(taken, exc.THREAD, synchronous=True)

    def _escalate(
        self, number: int, bit: str, address: int | None, culprit: int | None = None
    ) -> int | None:
        """Which exception takes a fault, told and noted; None when the core locks up."""
        state = self.exceptions
        self._note(bit, address)
        priority = state.execution_priority(*self._masks())
        who = state.name(number)
        if number != exc.HARD_FAULT and not (
            state.enabled >> number & 1 and state.group(state.priority[number]) < priority
        ):
            number = exc.HARD_FAULT
            self._note("FORCED", None)
        if number == exc.HARD_FAULT and priority <= -1:
            self._lock_up(bit, f"{who} while a fault was being handled", address, culprit)
            return None
        self._tell_fault(state.name(number), bit, who, address, culprit)
        return number

    def _lock_up(
        self, bit: str, who: str, address: int | None = None, culprit: int | None = None
    ) -> None:
        """The core gives up until reset (B1.5.15)."""
        self._tell_fault("Lockup", bit, who, address, culprit)
        self.locked = True
        self._asleep_since = self.at.cycle + self.at.cost

    def _stacking_failed(self, number: int, frame: int) -> int:
        """A frame could not be written: a BusFault on top; gives the exception to enter.

        The handler is entered all the same, as on silicon: what it pushes faults again.
        """
        state = self.exceptions
        self._note("STKERR", frame)
        bus = state.priority[exc.BUS_FAULT]
        if number not in (exc.NMI, exc.HARD_FAULT):
            enabled = state.enabled >> exc.BUS_FAULT & 1
            if enabled and state.group(bus) < state.group(state.priority[number]):
                number = exc.BUS_FAULT
            else:
                number = exc.HARD_FAULT
                self._note("FORCED", None)
        self._tell_fault(state.name(number), "STKERR", "BusFault", frame)
        return number

    def _chain_fault(self, number: int, bit: str, link: int, address: int | None = None) -> None:
        """A fault of an exception return: its handler follows without stacking anew."""
        engine = self.engine
        taken = self._escalate(number, bit, address)
        if taken is not None:
            xpsr, control, sp = engine.read_many((eng.XPSR, eng.CONTROL, eng.SP))
            self.at.cost += TAIL_CHAIN_CYCLES
            self._begin(taken, sp, xpsr, control, link)

    def _vector_failed(self, number: int) -> None:
        self._note("VECTTBL", None)
        if number in (exc.HARD_FAULT, exc.NMI):
            self._lock_up("VECTTBL", "the HardFault vector")
            return
        self.exceptions.deactivate(number)
        self._fault(exc.HARD_FAULT, "VECTTBL", self._pc)
