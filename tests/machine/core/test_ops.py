"""Code that is run again without the engine does what the engine does, in the same cycles.

The engine itself is the referee: every encoding alone, random programs in the whole core.
"""

from __future__ import annotations

import ctypes
from functools import cache
from random import Random
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from unicorn import unicorn_const as uc

from fwgen.board import load_board
from fwgen.errors import EmissionError
from fwgen.image.types import Image, Segment
from fwgen.machine import Machine
from fwgen.machine.armv7m import engine as eng
from fwgen.machine.armv7m.blocks import Block
from fwgen.machine.armv7m.ops import Program, translate
from fwgen.machine.native import ops as c
from fwgen.machine.native.ops import Area, Hart, Kind, Undo
from fwgen.thumb import encode
from fwgen.thumb.forms import all_forms, recognise
from fwgen.thumb.isa import first_problem
from tests.machine.referee.asm import assemble, load_constant
from tests.machine.referee.draw import (
    CONDITIONS,
    CORE,
    draw_instruction,
    draw_of,
    draw_state,
    draw_value,
    mentions,
)
from tests.machine.referee.structured import _KINDS, Shape, mentions_all

LIB = c.library()
pytestmark = pytest.mark.skipif(LIB is None, reason="the compiled library was not built")

FLASH, FLASH_SIZE = 0x0800_0000, 0x6000
RAM, RAM_SIZE = 0x2000_0000, 0x1000
CODE = FLASH + 0x2000
STACK = RAM + 0x500
WFI = b"\x30\xbf"
AGAIN = settings(max_examples=60, deadline=None)
seeds = st.integers(0, 1 << 48)

NOT_HANDLED = frozenset((
    "bkpt", "svc", "udf", "cpsie", "cpsid", "wfe", "sev", "hint", "csdb", "dbg", "isb", "mrs",
    "msr", "ssat", "usat",
    "pld", "pli", "ldrt", "ldrbt", "ldrht", "ldrsbt", "ldrsht", "strt", "strbt", "strht",
    "mcr", "mrc", "mcr2", "mrc2", "cdp", "cdp2", "mcrr", "mcrr2", "mrrc", "mrrc2",
))  # fmt: skip
NOT_HANDLED_BEGIN = ("ldc", "stc", "v")


class NoWait:
    """A flash that never waits, but where landing costs."""

    def __init__(self, landing: int = 0) -> None:
        self._landing = landing

    def landing(self, _address: int, _size: int) -> int:
        return self._landing

    def line(self, _address: int, _size: int) -> int:
        return 0

    def literal(self, _address: int) -> int:
        return 0

    def near(self, _end: int, _refill: int) -> int:
        return 0

    def follows(self, _address: int) -> bool:
        return False

    def knows(self, _address: int) -> bool:
        return True


def block_of(code: bytes, address: int = CODE, in_it: int = 0) -> Block:
    return Block(address, code, CORE, "typical", NoWait(), in_it)


def handled(code: bytes) -> bool:
    ops = translate(block_of(code))
    return ops is not None and all(op.kind != Kind.REFUSE for op in ops)


class Left(NamedTuple):
    """What code left behind."""

    registers: tuple[int, ...]  # r0 to r14
    flags: int
    memory: bytes


class Bare:
    """The engine with a flash and a RAM, and nothing else."""

    def __init__(self) -> None:
        self.engine = eng.Engine(CORE)
        self.flash = (ctypes.c_ubyte * FLASH_SIZE)(*Random(1).randbytes(FLASH_SIZE))
        self.ram = (ctypes.c_ubyte * RAM_SIZE)()
        self.engine.map(FLASH, self.flash, FLASH_SIZE, write=False)
        self.engine.map(RAM, self.ram, RAM_SIZE, write=True)
        self.engine.hook(uc.UC_HOOK_INTR, eng.INTR, lambda *_: self.engine.stop())

    def run(self, code: bytes, registers: list[int], flags: int, memory: bytes) -> Left | None:
        """None: it faulted."""
        self.put(code)
        self.engine.drop_code(CODE, CODE + len(code) + 2)
        self.ram[:] = memory
        self.engine.write_many(eng.GENERAL[:15], registers)
        self.engine.write(eng.XPSR, 1 << 24)  # no IT block any more
        self.engine.write(eng.APSR_NZCV, flags << 28)
        error = self.engine.start(CODE, CODE + len(code))
        if error or self.engine.read(eng.PC) & ~1 != CODE + len(code):
            return None
        found = self.engine.read_many(eng.GENERAL[:15])
        return Left(tuple(found), self.engine.read(eng.APSR_NZCV) >> 28, bytes(self.ram))

    def put(self, code: bytes) -> None:
        at = CODE - FLASH
        self.flash[at : at + len(code) + 2] = code + WFI


@cache
def bare() -> Bare:
    return Bare()


class Ours:
    """A hart with a flash and a RAM; what it does outside is in ``accesses``."""

    def __init__(
        self, blocks, flash, ram, registers, flags=0, *, areas=None, answers=None, room=4096, **how
    ) -> None:
        self.hart, self.accesses = Hart(), []
        self.program = Program(blocks, **how)
        self.program.load(self.hart, LIB)
        self._keep = flash, ram
        places = areas or [
            Area(FLASH, len(flash), ctypes.addressof(flash), 0),
            Area(RAM, len(ram), ctypes.addressof(ram), 1),
        ]
        self._areas = (Area * len(places))(*places)
        self._undo = (Undo * max(room, 1))()
        hart = self.hart
        hart.areas, hart.area_count = self._areas, len(places)
        hart.undo, hart.undo_size = self._undo, room
        hart.r[:] = [*registers, CODE]
        hart.nzcv, hart.patience, hart.due = flags, 10_000_000, 1 << 62
        hart.exclusive = c.CLOSED
        self._answers = {} if answers is None else answers
        hart.load, hart.store = c.LOAD(self._load), c.STORE(self._store)

    def _load(self, _world, address, size, cycle, value) -> int:
        self.accesses.append(("load", address, size, cycle))
        if address not in self._answers:
            return 0
        value[0] = self._answers[address]
        return 1

    def _store(self, _world, address, size, cycle, value) -> int:
        self.accesses.append(("store", address, size, cycle, value))
        return int(address in self._answers)

    def run(self) -> int:
        return LIB.fwgen_run_ops(self.hart)

    @property
    def left(self) -> Left:
        return Left(tuple(self.hart.r[:15]), self.hart.nzcv, bytes(self._keep[1]))


def told(code: bytes, registers: list[int], flags: int, ours: Left, theirs: Left) -> str:
    from fwgen.thumb import decode_all

    text = [decoded.text for decoded in decode_all(code)]
    given = [f"r{n}={value:#x}" for n, value in enumerate(registers)]
    differ = [
        f"r{n}: {a:#x} != {b:#x}"
        for n, (a, b) in enumerate(zip(ours.registers, theirs.registers, strict=True))
        if a != b
    ]
    if ours.flags != theirs.flags:
        differ.append(f"nzcv: {ours.flags:04b} != {theirs.flags:04b}")
    differ += [
        f"[{RAM + n:#x}]: {a:#x} != {b:#x}"
        for n, (a, b) in enumerate(zip(ours.memory, theirs.memory, strict=True))
        if a != b
    ]
    return f"{text} from {' '.join(given)} nzcv={flags:04b}; here != engine: {differ}"


def same_as_engine(code: bytes, rng: Random) -> bool:
    """Whether it ran; fails where both ran and do not agree."""
    state = draw_state(rng)
    registers, flags = [*state.r, STACK, state.lr], state.apsr >> 28
    memory = rng.randbytes(RAM_SIZE)
    theirs = bare().run(code, registers, flags, memory)
    bare().put(code)
    ram = (ctypes.c_ubyte * RAM_SIZE)(*memory)
    ours = Ours([block_of(code + WFI)], bare().flash, ram, registers, flags)
    how = ours.run()
    if how == c.REFUSED:
        assert ours.hart.why != c.UNKNOWN_BLOCK
        LIB.fwgen_take_back(ours.hart, 0)
        assert bytes(ram) == memory
        return False
    assert how == c.WAITS
    assert ours.hart.r[15] == CODE + len(code) + 2
    assert theirs is not None, f"the engine refused {code.hex()}"
    assert ours.left == theirs, told(code, registers, flags, ours.left, theirs)
    LIB.fwgen_take_back(ours.hart, 0)
    assert bytes(ram) == memory
    return True


# -------------------------------------------------------------------- single instructions

STRAIGHT = ("alu", "mul", "mla", "mull", "mlal", "divide", "load", "store", "store-reg",
            "load-double", "store-double", "load-multiple", "store-multiple")  # fmt: skip


def forms_of(kind: str) -> list:
    return [
        form
        for form in all_forms()
        if form.cost == kind
        and form.needs <= {"v7m", "dsp", "fp"}
        and form.texts[0].split()[0] not in ("wfi", "wfe", "yield")  # they end a block
    ]


@pytest.mark.parametrize("kind", STRAIGHT)
def test_every_instruction_does_what_the_engine_does(kind: str) -> None:
    for form in forms_of(kind):
        rng, ran, tried = Random(form.texts[0]), 0, 0
        for _ in range(40):
            code = draw_of(form, rng)
            if code is None or not handled(code):
                continue
            tried += 1
            ran += same_as_engine(code, rng)
        assert 2 * ran > tried or not tried or kind == "divide", (
            f"{form.texts[0]}: {ran} of {tried} ran"
        )


def test_what_is_handled_is_what_is_meant_to_be() -> None:
    """An instruction that silently became the engine's affair would only be slow."""
    for form in all_forms():
        if not form.needs <= {"v7m", "v6m", "dsp", "fp"}:
            continue
        rng, name = Random(form.texts[0]), form.texts[0].split()[0].removesuffix("{s}")
        wanted = (
            form.needs <= {"v7m", "v6m"}
            and not name.startswith(NOT_HANDLED_BEGIN)
            and name.rstrip("S{") not in NOT_HANDLED
        )
        for _ in range(16):
            word = form.value | rng.getrandbits(8 * form.size) & ~form.mask
            fields = form.fields_of(word)
            for one, other in form.copies:
                fields[one] = fields[other]
            code = form.pack(fields)
            match = recognise(code)
            if match is None or match.form is not form or name in ("IT", "hint", "dbg"):
                continue
            if first_problem(code, CORE) is not None:
                continue
            if name.startswith(("nop", "yield", "wfe", "wfi", "sev", "csdb")):
                wanted = name in ("nop", "yield", "wfi")
            if name in ("cpsie", "cpsid", "mrs", "msr"):
                wanted = code[0] in (0x62, 0x72) if len(code) == 2 else code[2] == 16  # PRIMASK
            assert handled(code) == wanted or _back(code), f"{form.texts[0]} {code.hex()}"


def _back(code: bytes) -> bool:
    """A write-back that leaves SP unaligned, which is refused."""
    first, second = int.from_bytes(code[:2], "little"), int.from_bytes(code[2:], "little")
    return first & 0xFE0F == 0xF80D and second & 0x900 == 0x900 and bool(second & 3)


@pytest.mark.parametrize("name", ["lsl", "lsr", "asr", "ror"])
@pytest.mark.parametrize("by", [0, 1, 2, 31, 32, 33, 63, 64, 255, 256, 0xFFFF_FF01])
def test_shifts_by_a_register_turn_over_where_the_engine_does(name: str, by: int) -> None:
    for text in (f"{name}s r1, r2", f"{name}s.w r3, r1, r2", f"{name}.w r3, r1, r2"):
        for seed in range(6):
            assert same_as_engine(load_constant("r2", by) + encode(text), Random(seed))


@AGAIN
@given(seed=seeds)
def test_runs_of_instructions_and_it_blocks_do_what_the_engine_does(seed: int) -> None:
    rng = Random(seed)
    code, used = b"", set[int]()
    for _ in range(12):
        setup, one = _plain(rng)
        if rng.random() < 0.3:
            other = _plain(rng)
            if not {*mentions_all(setup), *mentions_all(other[0])} & (
                mentions(one) | mentions(other[1])
            ) or not (setup or other[0]):
                letter = rng.choice("te")
                code += setup + other[0] + encode(f"it{letter} {rng.choice(CONDITIONS)}")
                code += one + other[1]
                continue
        code += setup + one
        used |= mentions(one)
    if handled(code):
        same_as_engine(code, rng)


def _plain(rng: Random) -> tuple[bytes, bytes]:
    while True:
        setup, code = draw_instruction(rng, STRAIGHT)
        if handled(code):
            return setup, code


SP_CODE = st.sampled_from(
    [
        "push {{r{a}, r{b}, lr}}", "pop {{r{a}, r{b}}}", "push.w {{r{a}, r{h}}}",
        "pop.w {{r{a}, r{h}}}", "add sp, sp, #{i4}", "sub sp, sp, #{i4}", "add.w sp, sp, #{i4}",
        "sub.w sp, sp, #{i}", "mov r{a}, sp", "mov sp, r{b}", "add r{a}, sp, #{i4}",
        "add sp, r{b}", "add r{h}, sp", "cmp r{a}, sp", "str r{a}, [sp, #-{i4}]!",
        "ldr r{a}, [sp], #{i4}", "ldr.w sp, [sp, #{i4}]", "strd r{a}, r{b}, [sp, #-{i4}]!",
        "ldrd r{a}, r{h}, [sp], #{i4}", "stmdb sp, {{r{a}, r{b}}}", "ldr.w sp, [r{b}], #4",
        "mov r{h}, pc", "add r{a}, pc", "add.w sp, sp, r{a}, lsl #2", "sub.w sp, sp, r{a}",
        "it eq\nmoveq sp, r{b}", "it lo\nldrlo.w sp, [sp, #{i4}]", "it mi\naddmi sp, r{b}",
        "str.w sp, [sp, #{i4}]", "subw r{a}, sp, #{i}", "tst.w r{a}, r{b}, rrx",
    ]
)  # fmt: skip


@settings(max_examples=400, deadline=None)
@given(
    texts=st.lists(SP_CODE, min_size=1, max_size=4), seed=seeds,
    aim=st.sampled_from((RAM + 0x400, RAM + 0x480, RAM + 0x402, 4, 5)),
)  # fmt: skip
def test_the_stack_pointer_is_what_the_engine_makes_of_it(texts, seed, aim) -> None:
    rng = Random(seed)
    code = load_constant("r2", aim)
    for text in texts:
        a, h = rng.choice((0, 1, 3)), rng.choice((7, 8, 9, 12))
        lines = text.format(a=a, b=2, h=h, i=rng.randrange(256), i4=4 * rng.randrange(32))
        if f"{{r{a}, r2" in lines and a == 3:
            lines = lines.replace("r3, r2", "r2, r3")
        try:
            code += assemble(lines)[0]
        except EmissionError:
            return  # a register that an encoding does not take
    if first_problem(code, CORE) is None:
        same_as_engine(code, rng)


# -------------------------------------------------------------------- programs


class Plain(Shape):
    """Programs of what is handled."""

    def plain(self, depth: int) -> None:
        rng = self.rng
        for _ in range(60):
            setup, code = draw_instruction(rng, _KINDS, STACK)
            named = mentions(code) | mentions_all(setup)
            if not named & self._held and handled(setup + code):
                self._raw(setup + code)
                return

    def _stack(self, depth: int) -> None:
        rng = self.rng
        free = [n for n in range(13) if n not in self._held]
        count = min(len(free), rng.randint(2, 5))
        if count < 2:
            return
        put, got = sorted(rng.sample(range(13), count)), sorted(rng.sample(free, count))
        self.say(f"push.w {{{', '.join(f'r{n}' for n in put)}}}")
        self._linear(depth)
        self.say(f"pop.w {{{', '.join(f'r{n}' for n in got)}}}")


BOARD = load_board("nucleo-f401")


def machine_at(code: bytes, registers: list[int], flags: int, acr: int = 0, **options) -> Machine:
    """A machine about to run code at CODE, from a flash with some wait states."""
    rest = Random(2).randbytes(FLASH_SIZE - 0x2000 - len(code) - 4)
    data = (STACK.to_bytes(4, "little") + (CODE | 1).to_bytes(4, "little")) * 64
    data += Random(3).randbytes(0x2000 - len(data)) + code + WFI + b"\xfe\xe7" + rest
    machine = Machine(BOARD, accelerate=False, native=True, **options)
    machine.load(Image((Segment(FLASH, data),), CODE | 1, STACK, (), core=CORE))
    machine.core.flash.acr.value = acr
    machine.core.code_matters_anew()
    machine.core.engine.write_many(eng.GENERAL[:15], registers)
    machine.core.engine.write(eng.APSR_NZCV, flags << 28)
    return machine


def areas_of(machine: Machine, ram) -> list[Area]:
    places = []
    for region in machine.core.memory.regions:
        kept = ram if region.base == RAM else region.buffer
        places.append(
            Area(region.base, region.size, ctypes.addressof(kept), int(region.kind == "ram"))
        )
    return places


def divides(word: int) -> bool:
    """By 0, perhaps, which is left to the engine."""
    return word & 0xFFD0 == 0xFB90


def same_as_core(code: bytes, rng: Random, **options) -> Ours:
    """Run code in a core, and again from the blocks that it has learned."""
    state = draw_state(rng)
    registers, flags = [*state.r, STACK, state.lr], state.apsr >> 28
    with machine_at(code, registers, flags, **options) as first:
        first.advance(40 * 10**9)
        knows = first.core._book.fetch  # where code is branched to, and what that spares
    machine = machine_at(code, registers, flags, **options)
    core = machine.core
    for name in ("_begun", "_cached", "_first"):
        setattr(core._book.fetch, name, getattr(knows, name))
    try:
        region = core.memory.find(RAM)
        before = bytes(region.view[: region.size])
        ram = (ctypes.c_ubyte * len(region.view))(*before)
        at = core.at
        clock = at.cycle, at.cost, at.refill, at.end
        machine.advance(40 * 10**9)
        assert core.asleep, f"it stands at {core.pc:#x}"
        blocks = list(core._book.blocks.values())
        ours = Ours(blocks, region.buffer, ram, registers, flags, areas=areas_of(machine, ram),
                    room=1 << 20)  # fmt: skip
        hart = ours.hart
        hart.cycle, hart.cost, hart.refill, hart.end = clock
        how = ours.run()
        while how == c.PAUSED and hart.attend:  # something was unmasked: nothing waits
            hart.attend = 0
            how = ours.run()
        if how == c.REFUSED and divides(core.memory.word(hart.where)):
            LIB.fwgen_take_back(hart, 0)
            assert bytes(ram)[: len(before)] == before
            return ours
        assert how == c.WAITS, (hart.why, hex(hart.where))
        theirs = core.engine.read_many((*eng.GENERAL[:15], eng.APSR_NZCV))
        assert [*hart.r[:15], hart.nzcv << 28] == theirs
        assert bytes(ram)[: len(before)] == bytes(region.view[: region.size])
        assert hart.cycle + hart.cost == core.asleep_since
        assert (hart.refill, hart.start, hart.end) == (at.refill, at.start, at.end)
        return ours
    finally:
        machine.close()


@AGAIN
@given(
    seed=seeds,
    pace=st.sampled_from(("least", "typical", "most")),
    acr=st.sampled_from((0, 2, 7, 0x102, 0x702)),
)
def test_a_program_takes_the_cycles_that_it_takes_in_the_core(seed, pace, acr) -> None:
    rng = Random(seed)
    same_as_core(Plain(rng).program().code, rng, pace=pace, acr=acr)


@pytest.mark.parametrize("acr", [0, 3])
def test_calls_returns_and_tables_are_gone_through(acr: int) -> None:
    code, _ = assemble("""
        movs r4, #0
        movs r5, #0
    again:
        bl leaf
        .pointer r6 other
        blx r6
        .pointer lr other
        blx lr
        and.w r0, r4, #3
        tbb [pc, r0]
    table:
        .quarters table one two one three
    one:
        adds r5, #1
        yield
        nop
        b.w next
    two:
        adds r5, #16
        b.w next
    three:
        adds r5, #64
    next:
        adds r4, #1
        cmp r4, #200
        blo.w again
        b.w done
    leaf:
        push {r4, lr}
        adds r5, #3
        pop {r4, pc}
    other:
        cmp r5, #9
        it hi
        bxhi lr
        cbz r4, quick
        adds r5, #2
    quick:
        str lr, [sp, #-4]!
        ldr pc, [sp], #4
    done:
        nop
    """, CODE)  # fmt: skip
    ours = same_as_core(code, Random(4), acr=acr)
    assert ours.hart.r[4] == 200


EXCLUSIVE = (
    "ldrex r4, [r0]\nadds r4, #1\nstrex r5, r4, [r0]\nldr r6, [r0]",
    "ldrexb r4, [r0]\nmvns r4, r4\nstrexb r5, r4, [r0]\nldr r6, [r0]",
    "ldrexh r4, [r0]\nmvns r4, r4\nstrexh r5, r4, [r0]\nldr r6, [r0]",
    "ldrex r4, [r0, #8]\nstrex r5, r1, [r0, #8]\nstrex r6, r2, [r0, #8]\nldr r7, [r0, #8]",
    "ldrex r4, [r0]\nclrex\nstrex r5, r1, [r0]\nldr r6, [r0]",
    "ldrex r4, [r0]\nstrex r5, r1, [r0, #4]\nstrex r6, r1, [r0]\nldr r7, [r0, #4]",
    "ldrex r4, [r0]\nstr r1, [r0]\nstrex r5, r2, [r0]\nldr r6, [r0]",
    "ldrex r4, [r0]\nstr r4, [r0]\nstrex r5, r2, [r0]\nldr r6, [r0]",
    "strex r5, r1, [r0]\nldr r6, [r0]",
    "ldrex r4, [r0]\nldrex r5, [r0, #4]\nstrex r6, r1, [r0]\nldr r7, [r0]",
)


@pytest.mark.parametrize("text", EXCLUSIVE)
@pytest.mark.parametrize("seed", range(3))
def test_exclusive_accesses_are_as_in_the_core(text: str, seed: int) -> None:
    begin = f"movw r0, #{RAM + 0x100 & 0xFFFF}\nmovt r0, #{RAM >> 16}\n"
    same_as_core(assemble(begin + text, CODE)[0], Random(seed))


def test_an_exclusive_store_whose_load_was_elsewhere_is_left_to_the_caller() -> None:
    code = encode("strex r2, r1, [r0]") + WFI
    ours = alone(code, [RAM])
    ours.hart.exclusive = c.NOT_KNOWN
    assert ours.run() == c.REFUSED
    ours = alone(encode("ldrex r1, [r0]") + code, [RAM])
    ours.hart.exclusive = c.NOT_KNOWN
    assert ours.run() == c.WAITS
    assert ours.hart.r[2] == 0


@pytest.mark.parametrize(
    "text",
    [
        "cpsid i\nmrs r4, primask\ncpsie i\nmrs r5, primask",
        "movs r4, #3\nmsr primask, r4\nmrs r5, primask\nmovs r4, #2\nmsr primask, r4\n"
        "mrs r6, primask",
    ],
)
def test_primask_is_as_in_the_core(text: str) -> None:
    same_as_core(assemble(text, CODE)[0], Random(5))


@pytest.mark.parametrize("text", ["cpsid i", "mrs r0, primask", "msr primask, r0"])
def test_primask_out_of_reach_is_left_to_the_caller(text: str) -> None:
    ours = alone(encode(text) + WFI, [])
    ours.hart.no_masks = 1
    assert ours.run() == c.REFUSED
    assert alone(encode(text) + WFI, []).run() == c.WAITS


def test_what_unmasks_pauses_for_who_may_wait() -> None:
    ours = alone(encode("cpsie i") + encode("nop") + WFI, [])
    ours.hart.primask = 1
    assert ours.run() == c.PAUSED
    assert ours.hart.r[15] == CODE + 2


@pytest.mark.parametrize("text", ["ldrex r1, [r0]", "ldrexh r1, [r0]"])
def test_an_exclusive_access_must_be_aligned(text: str) -> None:
    ours = alone(encode(text) + WFI, [RAM + 1])
    assert ours.run() == c.REFUSED
    assert ours.hart.why == c.NO_ACCESS


# -------------------------------------------------------------------- refusals


def alone(code: bytes, registers=(), flags: int = 0, **how) -> Ours:
    first = [*registers, *[0] * (13 - len(registers)), STACK, 0xFFFF_FFF9]
    bare().put(code)
    ram = (ctypes.c_ubyte * RAM_SIZE)()
    blocks = how.pop("blocks", None) or [block_of(code)]
    return Ours(blocks, bare().flash, ram, first, flags, **how)


def test_a_return_from_an_exception_is_left_to_the_caller() -> None:
    for text in ("bx lr", "push {lr}\npop {pc}", "push {lr}\nldr pc, [sp], #4"):
        code, _ = assemble(text, CODE)
        ours = alone(code)
        assert ours.run() == c.RETURNED
        assert ours.hart.r[15] == 0xFFFF_FFF9
        assert ours.hart.r[13] == STACK


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("bx r0", c.NO_OP), ("blx r0", c.NO_OP), ("push {r0}\npop {pc}", c.NO_OP),
        ("udiv r0, r1, r2", c.NO_OP), ("sdiv r0, r1, r2", c.NO_OP), ("svc #0", None),
        ("isb", None), ("cpsid f", None), ("mrs r0, basepri", None), ("vmov s0, r0", None),
        ("ldrex r0, [r1]", c.NO_ACCESS), ("qadd r0, r1, r2", None), ("wfe", None), ("sev", None),
        ("ldr r0, [r1]", c.NO_ACCESS), ("str r0, [r1]", c.NO_ACCESS),
        ("mov sp, r0\nbx lr", c.NO_OP), ("b.w #0x8003000", c.UNKNOWN_BLOCK),
        ("nop\nisb", c.NO_OP), ("nop", c.UNKNOWN_BLOCK),
    ],
)  # fmt: skip
def test_what_is_not_done_is_refused(text: str, why: int | None) -> None:
    code = assemble(text, CODE)[0]
    ours = alone(code, [2])
    assert ours.run() == c.REFUSED
    assert ours.hart.why == (why if why is not None else c.UNKNOWN_BLOCK)
    assert (translate(block_of(code)) is None) == (why is None)


@pytest.mark.parametrize(
    "text",
    ["ldmia.w r0, {r1, r2}", "stmia.w r0, {r1, r2}", "ldrd r1, r2, [r0]", "strd r1, r2, [r0]"],
)
@pytest.mark.parametrize("off", [1, 2, 3])
def test_several_words_must_be_aligned(text: str, off: int) -> None:
    ours = alone(encode(text) + WFI, [RAM + off])
    assert ours.run() == c.REFUSED
    assert ours.hart.why == c.NO_ACCESS
    assert alone(encode(text) + WFI, [RAM]).run() == c.WAITS


def test_accesses_can_be_held_to_their_alignment() -> None:
    code = encode("ldr r1, [r0]") + encode("ldrh r1, [r0]") + WFI
    assert alone(code, [RAM + 2]).run() == c.WAITS
    assert alone(code, [RAM + 2], aligned=True).run() == c.REFUSED
    assert alone(code[2:], [RAM + 2], aligned=True).run() == c.WAITS
    assert alone(code[2:], [RAM + 1], aligned=True).run() == c.REFUSED


def test_a_block_within_an_it_block_is_refused() -> None:
    assert translate(block_of(encode("movs r0, #1"), in_it=1)) is None
    torn = encode("it eq") + encode("moveq r0, r1")
    ours = alone(torn[:2] + WFI, blocks=[block_of(torn[:2])])
    assert ours.run() == c.REFUSED


def test_patience_ends() -> None:
    code = assemble("stay:\nadds r0, #1\nb stay", CODE)[0]
    ours = alone(code)
    ours.hart.patience = 1000
    assert ours.run() == c.REFUSED
    assert ours.hart.why == c.TOO_LONG
    assert ours.hart.r[0] == 500


def test_without_room_to_take_it_back_nothing_is_stored() -> None:
    ours = alone(encode("stmia.w r0, {r1, r2, r3}") + WFI, [RAM, 1, 2, 3], room=2)
    assert ours.run() == c.REFUSED
    assert ours.hart.why == c.NO_ROOM
    assert ours.left.memory[8:12] == bytes(4)
    LIB.fwgen_take_back(ours.hart, 0)
    assert ours.left.memory == bytes(RAM_SIZE)


def test_what_is_no_memory_is_asked_for_at_its_cycle() -> None:
    code = assemble("""
        nop
        mul r3, r3, r3
        ldrh r1, [r0, #2]
        strb r1, [r0, #1]
        ldr r2, [r0]
        wfi
    """)[0]  # fmt: skip
    answers = {0x4000_0000: 0x1234_5678, 0x4000_0002: 0xFFFF_BEEF, 0x4000_0001: 0}
    ours = alone(code, [0x4000_0000], answers=answers)
    ours.hart.cycle, ours.hart.cost, ours.hart.end = 1000, 10, CODE
    block = ours.program.blocks[0]
    assert ours.run() == c.WAITS
    assert ours.accesses == [
        ("load", 0x4000_0002, 2, 1010 + block.before(CODE + 6)),
        ("store", 0x4000_0001, 1, 1010 + block.before(CODE + 8), 0xEF),
        ("load", 0x4000_0000, 4, 1010 + block.before(CODE + 10)),
    ]
    assert ours.hart.r[1:3] == [0xBEEF, 0x1234_5678]
    assert alone(code, [0x4000_0001], answers=answers).run() == c.REFUSED


def test_the_flash_is_not_written() -> None:
    ours = alone(encode("str r1, [r0]") + WFI, [FLASH, 7], answers={FLASH: 0})
    assert ours.run() == c.WAITS
    assert ours.accesses == [("store", FLASH, 4, 0, 7)]
    assert ours.hart.undone == 0
    assert alone(encode("str r1, [r0]") + WFI, [FLASH + 8, 7]).run() == c.REFUSED


MEMORY_CODE = st.sampled_from(
    [
        "ldr r1, [r0]", "ldrh r1, [r0]", "ldrb r1, [r0]", "ldrsh.w r1, [r0]", "ldrsb.w r1, [r0]",
        "str r1, [r0]", "strh r1, [r0]", "strb r1, [r0]", "ldrd r1, r2, [r0]",
        "strd r1, r2, [r0]", "ldmia.w r0, {r1, r2, r3}", "stmia.w r0, {r1, r2, r3}",
        "ldmdb r0, {r1, r2, r3}", "stmdb r0!, {r1, r2, r3}", "ldr.w r1, [r0, #-4]!",
        "ldr.w r1, [r0, r3, lsl #3]", "str.w r1, [r0, r3, lsl #2]", "str r1, [r0], #4",
    ]
)  # fmt: skip
GUARD = 64


@settings(max_examples=500, deadline=None)
@given(
    text=MEMORY_CODE,
    base=st.sampled_from((0, RAM, RAM + 2, 0xFFFF_FFE0, 0xFFFF_FFC0)),
    size=st.integers(0, 32), off=st.integers(-20, 50), by=st.sampled_from((0, 1, 0x2000_0000)),
)  # fmt: skip
def test_nothing_outside_an_area_is_touched(text, base, size, off, by) -> None:
    whole = (ctypes.c_ubyte * (size + 2 * GUARD))(*b"\xa5" * (size + 2 * GUARD))
    area = Area(base, size, ctypes.addressof(whole) + GUARD, 1)
    secret = bytes(range(1, 1 + size))
    whole[GUARD : GUARD + size] = secret
    ours = alone(
        encode(text) + WFI,
        [base + off & 0xFFFF_FFFF, 0x1111_1111, 0x2222_2222, by],
        areas=[area],
    )
    how = ours.run()
    assert bytes(whole[:GUARD]) == bytes(whole[GUARD + size :]) == b"\xa5" * GUARD
    if how == c.WAITS:
        assert all(0xA5 not in n.to_bytes(4, "little") for n in ours.hart.r[1:4] if n != by)
    for kind, address, width, *_ in ours.accesses:
        assert kind in ("load", "store")
        assert not size or not address - base & 0xFFFF_FFFF < size
        assert not address % width
    LIB.fwgen_take_back(ours.hart, 0)
    assert bytes(whole[GUARD : GUARD + size]) == secret


@AGAIN
@given(code=st.binary(min_size=2, max_size=24).filter(lambda b: len(b) % 2 == 0), seed=seeds)
def test_any_bytes_end_somehow(code: bytes, seed: int) -> None:
    rng = Random(seed)
    ours = alone(code, [draw_value(rng) for _ in range(13)], rng.getrandbits(4))
    ours.hart.patience = 1000
    assert ours.run() in (c.REFUSED, c.RETURNED, c.WAITS)


def test_a_library_for_other_structures_is_not_used() -> None:
    assert LIB.fwgen_ops_layout() == c.layout()
