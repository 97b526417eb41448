"""What the core knows of a straight run of code: what it costs and what it must watch.

A block is what the engine runs between two branches. Its cost depends on its bytes, on where it
lies and on the flash's wait states, so it is computed once and kept until one of them changes. It
may run in several pieces, which cost the same together: what an instruction waits for the flash
comes after the place where the core may pause before it.
"""

from __future__ import annotations

import ctypes
from typing import TYPE_CHECKING, Any

from fwgen.machine.armv7m.fetch import LINE
from fwgen.machine.armv7m.opcodes import (
    is_exclusive,
    is_fp,
    is_store,
    reads_control,
    stops_within_it,
)
from fwgen.thumb import cycles, isa

if TYPE_CHECKING:
    from fwgen.machine.armv7m.fetch import Fetch
    from fwgen.thumb.cycles import Pace

LONGEST_REST = 1 << 14  # backward entries
NEVER_AGAIN = -(1 << 62)
PATIENCE = 4  # failures of a plan before another path is recorded
WFE, WFI = 2, 3  # hints, by number
# Flags of a block, for the hooks.
SYSTEM, FP, UNALIGNED, MASKS, SYNC, CONDITIONAL, NEAR, FAR = (1 << n for n in range(8))
ISB = 0x8F6F_F3BF  # ISB SY, as it lies in memory
_STACKS_AND_CONTROL = (8, 9, 20)  # MSP, PSP, CONTROL, as MSR numbers them
SEV = 0xBF40
SEV_WIDE = b"\xaf\xf3\x04\x80"


class Block:
    """A run of instructions at ``address``: ``cost`` in cycles, ``prefix`` by halfword.

    ``prefix`` is when an instruction begins, ``stops`` are the offsets at which the core may pause,
    with the cycles before each: every instruction but those within an IT block. Between the two an
    instruction ``waits`` for its line of the flash (by offset, where it does).
    ``flags``: SYSTEM says that the block ends in a write to a stack pointer or to CONTROL, MASKS
    that what it ends in may let interrupts through (CPS, MSR, a barrier), SYNC that it ends in ISB,
    FP that it has floating-point instructions, UNALIGNED that a branch to it takes a cycle more,
    CONDITIONAL that it has instructions of an IT block, NEAR that a branch to it out of the line
    before waits ``near`` of the block that has it, FAR that one from elsewhere changes what code
    waits (``Fetch.landed``).
    ``problem`` is the first instruction that the core does not have, ``first`` the size of the
    first of all. ``fp``, ``control``, ``barrier`` are the offsets of the first floating-point
    instruction, the first that reads CONTROL, and the first that must not be left to the engine
    within an IT block, ``guarded`` that of the first store there; -1 where there is none. ``in_it``
    instructions at its start belong to an IT block that began before. ``refill`` is what a taken
    branch at its end costs, ``landing`` what a branch to it from another line of the flash waits.
    ``writes`` is the special register that the last instruction, an MSR, writes, or -1.
    ``exclusive``: it opens the exclusive monitor.
    """

    __slots__ = (
        "address", "barrier", "begins_in_it", "code", "control", "cost", "entries", "exclusive",
        "first", "flags", "fp", "guarded", "has_it", "in_it", "landing", "last", "native", "near",
        "plan", "prefix", "problem", "refill", "refused", "sends_event", "size", "stops", "waits",
        "watched", "writes",
    )  # fmt: skip

    def __init__(
        self,
        address: int,
        code: bytes,
        core: str,
        pace: Pace,
        fetch: Fetch,
        in_it: int = 0,
        following: bytes = b"",
    ) -> None:
        self.address, self.size, self.code = address, len(code), code
        self.native: Any = None  # ``prefix`` as C reads it
        self.entries = 0  # backward entries, counted towards acceleration
        self.plan: Any = None  # the accelerator's Loop that starts here
        self.refused = 0  # times that the accelerator could do nothing
        made = cycles.cost(code, core, pace, in_it, following, address)
        self.refill = made.refill
        self.prefix = [0] * (len(code) // 2 + 1)
        stops: list[tuple[int, int]] = []
        self.fp = self.control = self.barrier = self.guarded = self.writes = -1
        self.watched: list[int] = []
        self.waits: dict[int, int] = {}
        self.in_it = in_it
        self.begins_in_it = self.has_it = in_it > 0
        self.sends_event = self.exclusive = False
        waited, last = 0, 0
        for index, (offset, before) in enumerate(made.prefix):
            end = made.prefix[index + 1][0] if index + 1 < len(made.prefix) else len(code)
            if offset and not in_it:
                stops.append((offset, before + waited))
            wait = fetch.line(address + offset, end - offset)
            if wait:
                self.waits[offset] = wait
                waited += wait
            self.prefix[offset >> 1] = before + waited
            if offset in made.literals:
                waited += fetch.literal(address + offset)
            conditional, in_it = in_it > 0, max(0, in_it - 1)
            first = code[offset] | code[offset + 1] << 8
            if self.guarded < 0 and conditional and is_store(first):
                self.guarded = offset
            if first == SEV or code[offset:end] == SEV_WIDE:
                self.sends_event = True
            if end - offset == 2 and first >> 8 == 0xBF and first & 15:
                in_it = 4 - ((first & -first).bit_length() - 1)
                self.has_it = True
            elif end - offset == 4:
                second = code[offset + 2] | code[offset + 3] << 8
                if self.fp < 0 and is_fp(first, second):
                    self.fp = offset
                self.exclusive |= is_exclusive(first, second)
                if self.control < 0 and reads_control(first, second):
                    self.control = offset
                if self.barrier < 0 and conditional and stops_within_it(first, second):
                    self.barrier = offset
            last = offset
        self.first = made.prefix[1][0] if len(made.prefix) > 1 else len(code)
        self.landing = fetch.landing(address, self.first)
        self.near = fetch.near(address + len(code), made.refill)
        self.cost = made.total + waited
        self.prefix[-1] = self.cost
        self.stops = tuple(stops)
        self.last = int.from_bytes(code[last : last + 4], "little")
        problem = isa.first_problem(code, core)
        self.problem = problem
        low = self.last & 0xFFFF
        if low & 0xFFE0 == 0xF380:
            self.writes = self.last >> 16 & 0xFF
        self.flags = FP if self.fp >= 0 else 0
        if self.writes in _STACKS_AND_CONTROL:
            self.flags |= SYSTEM
        # CPS; MSR and the barriers (0xF38x, 0xF3Bx).
        if low & 0xFFE8 == 0xB660 or low & 0xFFE0 in (0xF380, 0xF3A0):
            self.flags |= MASKS
        if self.last == ISB:
            self.flags |= SYNC
        if self.has_it:
            self.flags |= CONDITIONAL
        if fetch.follows(address):
            self.flags |= NEAR
        if not fetch.knows(address):
            self.flags |= FAR
        if cycles.unaligned(address, int.from_bytes(code[:2], "little"), core, pace):
            self.flags |= UNALIGNED

    def native_prefix(self) -> int:
        """Where ``prefix`` lies for native code: as long as the block is known."""
        if self.native is None:
            self.native = (ctypes.c_int32 * len(self.prefix))(*self.prefix)
        return ctypes.addressof(self.native)

    def rest(self, *, for_good: bool = False, keep: bool = False) -> None:
        """The accelerator could do nothing: let the loop run, longer each time.

        ``keep`` the plan: these values may just have been the wrong ones.
        """
        self.refused += 1
        if not keep or self.refused > PATIENCE:
            self.plan = None
        self.entries = NEVER_AGAIN if for_good else -min(2 << self.refused, LONGEST_REST)

    def branch(self, to: Block) -> int:
        """Cycles that going on at ``to`` costs: none where it is what comes next."""
        end = self.address + self.size
        if to.address == end:
            return 0
        more = bool(to.flags & UNALIGNED) and self.refill < cycles.MOST_REFILL
        lines = (to.address >> LINE) - (end - 1 >> LINE)
        waits = self.near if lines == 1 and to.flags & NEAR else to.landing
        return self.refill + more + (waits if lines else 0)

    def before(self, pc: int) -> int:
        """Cycles from the start of the block to the instruction at ``pc``."""
        return self.prefix[(pc - self.address) >> 1]

    def reached(self, pc: int) -> int:
        """Cycles from the start of the block to where the instruction at ``pc`` is fetched."""
        return self.before(pc) - self.waits.get(pc - self.address, 0)

    def following(self, pc: int) -> tuple[int, int]:
        """Offset of the first place to pause behind the instruction at ``pc``, and cycles to it."""
        ends = (self.size, self.cost)
        return next((stop for stop in self.stops if stop[0] > pc - self.address), ends)

    def stop_after(self, cycles_in: int) -> int:
        """Offset of the first place to pause at least ``cycles_in`` cycles into the block."""
        for offset, before in self.stops:
            if before >= cycles_in:
                return offset
        return self.size
