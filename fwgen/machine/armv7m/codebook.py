"""What a core knows of the code it runs: each block once, until its bytes or its cost change."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fwgen.machine.armv7m import engine as eng
from fwgen.machine.armv7m.blocks import SYNC, Block
from fwgen.machine.armv7m.fetch import LINE, Fetch
from fwgen.machine.armv7m.itstate import it_left, it_of
from fwgen.machine.armv7m.state import STEPPING
from fwgen.thumb import cycles
from fwgen.thumb.forms import is_wide

if TYPE_CHECKING:
    from fwgen.machine.armv7m.rounds import Rounds
    from fwgen.machine.armv7m.stack import StackGuard
    from fwgen.machine.armv7m.state import CoreState

_PAGE = 8  # bits


class Codebook:
    """The blocks that were run so far, by address << 12 | size."""

    def __init__(self, core: CoreState, rounds: Rounds, stack: StackGuard) -> None:
        self._core = core
        self._engine = core.engine
        self._at = core.at
        self._memory = core.memory
        self._soc = core.soc
        self._rounds, self._stack = rounds, stack
        self.fetch = Fetch(core)
        self.blocks: dict[int, Block] = {}
        self._pages: set[int] = set()  # that code was run from
        self.version = 0  # another one: something that was known is no longer true
        self.in_ram: list[Block] = []  # blocks that the core itself may change

    def forget(self) -> None:
        """What blocks cost changed (flash wait states), or what they must watch."""
        core = self._core
        self.version += 1
        self.blocks.clear()
        self.in_ram.clear()
        self._rounds.forget()
        if core.native is not None:
            core.native.fwgen_clear(self._at)

    def publish(self, key: int, block: Block) -> None:
        """Let the quick hook know a block."""
        known = self.blocks.get(key)
        if known is not block:
            self.version += known is not None
            self.blocks[key] = block
        if self._core.native is not None:
            self._core.native.fwgen_put(
                self._at, key, block.cost, block.refill, block.landing, block.near,
                block.entries, block.flags, block.native_prefix(),
            )  # fmt: skip

    def entered_again(self, block: Block) -> None:
        """Count a backward entry that the block hook did not, as every block is looked at."""
        key = block.address << 12 | block.size
        native = self._core.native
        if native is not None and key in self.blocks:
            block.entries = native.fwgen_entries(self._at, key)
        block.entries += 1
        if key in self.blocks:
            self.publish(key, block)

    def changed(self, start: int, end: int) -> None:
        """The bytes in [start, end) are new."""
        first, last, pages = start >> _PAGE, end - 1 >> _PAGE, self._pages
        if first not in pages and (first == last or pages.isdisjoint(range(first, last + 1))):
            return  # no code of it was run
        self._engine.drop_code(start, end)
        if any(b.address < end and start < b.address + b.size for b in self.blocks.values()):
            self.forget()  # loops that run through it, too
        else:
            self._rounds.forget()

    def synchronised(self) -> None:
        """An ISB ran: what the core itself stored as code holds from here on (A3.7.3).

        The engine sees such stores; what is known of the blocks does not.
        """
        if any(self._memory.read(b.address, b.size) != b.code for b in self.in_ram):
            self.forget()

    def running(self) -> Block | None:
        """The block that runs, also when what was known of blocks was just forgotten."""
        at = self._at
        block = self.blocks.get(at.start << 12 | at.end - at.start)
        if block is None and 0 <= at.start < at.end:
            code = self._memory.read(at.start, at.end - at.start)
            block = self._block(at.start, code) if code else None
        return block

    def must_stop(self, block: Block) -> int:
        """Offset of the first instruction that must not run; the block's size when all may."""
        stop = block.size
        if block.problem is not None and block.problem.kind != "unpredictable":
            stop = block.problem.offset
        core = self._core
        if block.fp >= 0 and (not core.fp_enabled or core.fp_look):
            stop = min(stop, block.fp)
        if block.barrier >= 0:
            stop = min(stop, block.barrier)
        if block.guarded >= 0 and core.guarded and core.hold != STEPPING:
            stop = min(stop, block.guarded)
        if block.control >= 0 and core.fpu is not None and not core.fpu.fpccr.ASPEN:
            stop = min(stop, block.control)
        return stop

    def look_at(self, address: int, size: int, in_it: int = 0) -> Block:
        """What the code there is, without learning it."""
        code = self._memory.read(address, size) or b""
        return self._block(address, code, in_it)

    def _block(self, address: int, code: bytes, in_it: int = 0) -> Block:
        core, end = self._core, address + len(code)
        read = self._memory.read
        following = read(end, cycles.LOOK_AHEAD) or read(end, 4) or read(end, 2) or b""
        return Block(address, code, core.kind, core.pace, self.fetch, in_it, following)

    def learn(self, address: int, size: int) -> Block:
        """Look at code that is about to run for the first time."""
        in_it = it_left(it_of(self._engine.read(eng.XPSR)))
        if self.fetch.ran(address, size):
            self.forget()  # what was known of costs
            self._core.attend()
        block = self.look_at(address, size, in_it)
        self._pages.update(range(address >> _PAGE, (address + size - 1 >> _PAGE) + 1))
        if not self._engine.read(eng.CONTROL) & 2:
            self._stack.check(self._engine.read(eng.SP))
        self._core.uses_monitor |= block.exclusive
        problem = block.problem
        if problem is not None and problem.kind == "unpredictable":
            self._soc.hazard(
                "unpredictable",
                f"at {address + problem.offset:#010x}: {problem.message}",
            )
        # A block that must not run whole is never found by the quick hook.
        alone = block.guarded >= 0 and self._core.guarded
        if self.must_stop(block) == block.size and not (block.sends_event or alone):
            self.publish(address << 12 | size, block)
            if not self._core.in_flash(address):
                self.in_ram.append(block)
                self._at.heed |= SYNC
        return block

    def landing(self, address: int) -> int:
        """What a branch from the block that ran takes beyond its refill."""
        core, at = self._core, self._at
        more = 0
        if at.refill < cycles.MOST_REFILL:
            first = int.from_bytes(self._memory.read(address, 2) or b"", "little")
            more += cycles.unaligned(address, first, core.kind, core.pace)
        lines = (address >> LINE) - (at.end - 1 >> LINE)
        if lines == 1 and self.fetch.follows(address):
            more += at.near
        elif lines:
            more += self.fetch.landing(address, self._first_size(address))
        return more

    def landed(self, address: int) -> bool:
        """A branch goes to an address. Whether that changes what code costs."""
        line = address >> LINE
        if line - (self._at.end - 1 >> LINE) in (0, 1) or not self.fetch.landed(address):
            return False
        self._rounds.forget()
        for key, block in list(self.blocks.items()):
            block.plan = None  # it may run through what is renewed
            last = block.address + block.size - 1 >> LINE
            if block.address >> LINE <= line + 1 and line <= last:
                renewed = self.look_at(block.address, block.size, block.in_it)
                renewed.entries, renewed.refused = block.entries, block.refused
                self.publish(key, renewed)
        return True

    def _first_size(self, address: int) -> int:
        """Bytes of the instruction there."""
        code = self._memory.read(address, 2) or b""
        return 4 if is_wide(int.from_bytes(code, "little")) else 2

    def cost_from(self, block: Block, address: int) -> int:
        """Cycles of the rest of a block when the core goes on within it."""
        code = block.code[address - block.address :]
        return self._block(address, code).cost
