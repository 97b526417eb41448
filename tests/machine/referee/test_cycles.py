"""Time is the sum of what instructions cost: counted again, one instruction at a time.

The second count runs the same image on a bare engine with a hook before every instruction. It
knows prices of single instructions, the refill after every jump, that a load or store right behind
a load overlaps it, what a load waits for a store, that an address just computed is waited for, and
that rows of wide instructions outrun the fetch; nothing of blocks, limits, skipped loops or hooks
in C. Firmware compares: it reads the cycle counter at random places.
"""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from random import Random

import pytest
from unicorn import UC_HOOK_CODE, UC_HOOK_MEM_READ

from fwgen.machine.armv7m import engine as eng
from fwgen.thumb import cycles
from fwgen.thumb.forms import recognise

from .asm import assemble
from .bench import END_MACHINE, RAM_SIZE, STACK, STATE, Program, build, ram_of_machine
from .compare import RUNS
from .draw import draw_state
from .structured import Shape

CORE = "cortex-m4f"
CYCCNT = 0xE000_1004
LOG = STATE + 0x18_0000
PLACE = STATE + 0x200  # where the next reading goes
SIZE = LOG - STATE + 0x4_0000

CODE_HOOK = ctypes.CFUNCTYPE(
    None, ctypes.c_void_p, ctypes.c_uint64, ctypes.c_uint32, ctypes.c_void_p
)

_READ = f"""
    push.w {{r0, r1, r2}}
    set r0, {CYCCNT}
    ldr r1, [r0]
    set r0, {PLACE}
    ldr r2, [r0]
    str r1, [r2], #4
    str r2, [r0]
    pop.w {{r0, r1, r2}}
"""
_START = f"""
    push.w {{r0, r1}}
    set r0, 0xE000EDFC
    set r1, 0x01000000
    str r1, [r0]
    set r0, {CYCCNT - 4}
    movs r1, #1
    str r1, [r0]
    set r0, {PLACE}
    set r1, {LOG}
    str r1, [r0]
    pop.w {{r0, r1}}
"""


class Timed(Shape):
    """A shape that reads the cycle counter here and there."""

    def plain(self, depth: int) -> None:
        """A reading, or what a shape does."""
        if self.rng.random() < 0.5:
            self.say(*_READ.strip().splitlines())
        else:
            super().plain(depth)


def _programs(seed: int, count: int) -> list[Program]:
    rng = Random(seed)
    first = Program(draw_state(rng), (assemble(_START)[0],))
    return [
        first,
        *(Timed(Random(f"{seed} {n}"), conditional=False).program() for n in range(count)),
    ]


def _readings(ram: bytes) -> list[int]:
    words = memoryview(ram).cast("I")
    count = (words[(PLACE - STATE) // 4] - LOG) // 4
    first = (LOG - STATE) // 4
    return list(words[first : first + count])


@dataclass(frozen=True)
class Seen:
    """An instruction: its price and size, the refill after it, and the registers that matter."""

    price: int = 0
    refill: int = 0
    fills: int = -1  # by a single load
    follows: bool = False  # it overlaps a load
    needs: int = 0  # for an address
    leaves: int = 0  # by data processing
    size: int = 0
    literal: bool = False
    stores: bool = False  # at an immediate offset
    loads: bool = False
    jumps: bool = False
    it: bool = False


def look(code: bytes) -> Seen:
    """What an instruction is, as the form of its bytes tells."""
    made = cycles.cost(code, CORE)
    match = recognise(code)
    assert match is not None
    kind, fields, text = match.form.cost, match.fields, match.form.texts[0]
    memory = any(word in kind for word in ("load", "store", "table", "multiple"))
    needs = sum(1 << fields[name] for name in "nm" if name in fields) if memory else 0
    if memory and "n" not in fields and "[pc" not in text:
        needs |= 1 << 13
    leaves = 0
    if kind in ("alu", "mul", "mla", "mull", "mlal", "divide"):
        leaves = sum(1 << fields[name] for name in "dlh" if name in fields)
        leaves |= ("{sp,}" in text) << 13
    single = kind in ("load", "load-exclusive")
    fills = fields["d"] if kind == "store-exclusive" else fields.get("t", -1) if single else -1
    follows = single or kind in ("store-reg", "store-exclusive")
    jumps = kind in ("branch", "table-branch") or 15 in (fields.get("d"), fields.get("t"))
    jumps |= kind == "load-multiple" and text.startswith("pop") and fields.get("P", 0) > 0
    jumps |= kind == "load-multiple" and fields.get("r", 0) >> 15 & 1 > 0
    return Seen(
        made.total, made.refill, fills, follows, needs, leaves, len(code),
        kind == "load" and "[pc" in text, kind == "store", kind in ("load", "load-multiple"),
        jumps, kind == "it",
    )  # fmt: skip


class Counter:
    """Counts cycles before each instruction of a run on a bare engine."""

    def __init__(self, image: bytes) -> None:
        self.cycle = 0
        self.readings: list[int] = []
        self._next = -1  # where the next instruction is unless there was a jump
        self._before = Seen()
        self._rows: list[int] = []  # wide ones since each of several cycles
        self._known: dict[int, Seen] = {}
        self._image = image
        self._now = 0

    def before(self, _uc: object, address: int, size: int, _user: object) -> None:
        """An instruction is about to run."""
        now = self._known.get(address)
        if now is None:
            now = self._known[address] = look(self._image[address : address + size])
        before = self._before
        if address != self._next:
            self.cycle += before.refill
            wide = now.size == 4 and address & 2 > 0
            self.cycle += wide and before.refill < 3
            before = Seen()
            self._rows = []
        overlaps = before.fills >= 0 and now.follows and not now.needs >> before.fills & 1
        overlaps &= before.literal == now.literal
        folds = now.it and before.size == 2 and not before.jumps
        waits = bool(before.leaves & now.needs) + (before.stores and now.loads)
        self._now = self.cycle + waits - overlaps - folds
        self.cycle = self._now + now.price
        across = now.size == 4 and address & 2 > 0
        rows = [count + 1 for count in self._rows if across]
        self.cycle += rows.count(3)
        self._rows = [] if now.jumps else [count for count in rows if count < 3]
        if now.price > 1 and not now.jumps:
            self._rows.append(0)
        self._before, self._next = now, address + now.size

    def read(self, *_: object) -> None:
        """The instruction reads the cycle counter."""
        self.readings.append(self._now)


def _counted(image: bytes, stay: int) -> list[int]:
    """The readings of a run on a bare engine, as counted."""
    engine = eng.Engine(CORE)
    counter = Counter(image)
    flash = (ctypes.c_ubyte * (-(-len(image) // 4096) * 4096)).from_buffer_copy(
        image.ljust(-(-len(image) // 4096) * 4096, b"\xff")
    )
    ram, control = (ctypes.c_ubyte * RAM_SIZE)(), (ctypes.c_ubyte * 0x10000)()
    engine.map(0, flash, len(flash), write=False)
    engine.map(STATE, ram, RAM_SIZE, write=True)
    engine.map(0xE000_0000, control, 0x10000, write=True)
    engine.hook(UC_HOOK_CODE, CODE_HOOK, counter.before)
    engine.hook(UC_HOOK_MEM_READ, eng.MEMORY, counter.read, CYCCNT, CYCCNT + 3)
    engine.write(eng.SP, STACK)
    error = engine.start(int.from_bytes(image[4:8], "little") & ~1, stay)
    engine.close()
    assert error == 0
    return counter.readings


@pytest.mark.parametrize("seed", range(3 * RUNS))
@pytest.mark.parametrize("accelerate", [True, False], ids=["skipping loops", "step by step"])
def test_every_reading_of_the_cycle_counter_is_the_sum_of_prices(
    seed: int, accelerate: bool
) -> None:
    image = build(_programs(seed, 40), END_MACHINE)
    end = assemble(END_MACHINE)[0]
    stay = image.index(end) + len(end) - 2
    counted = _counted(image, stay)
    read = _readings(ram_of_machine(image, SIZE, accelerate=accelerate))
    assert len(read) == len(counted) > 20
    assert [value - read[0] for value in read] == [value - counted[0] for value in counted]
