"""Random programs drawn from the table of instruction forms, the same for the same seed.

Every load and store comes with the instructions that point its base into the RAM window, so a
program never faults unless a fault is what was drawn.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from fwgen.thumb import decode, encode
from fwgen.thumb.forms import Form, all_forms, recognise
from fwgen.thumb.isa import first_problem
from fwgen.thumb.operands import CONDITIONS, Reg, listed

from .asm import load_constant
from .bench import STACK, WINDOW, WINDOW_SIZE, Program, State

if TYPE_CHECKING:
    from random import Random

CORE = "cortex-m4f"
CORNERS = (
    0, 1, 2, 3, 7, 0x1F, 0x20, 0x21, 0x7F, 0x80, 0xFF, 0x100, 0x7FFF, 0x8000, 0xFFFF, 0x10000,
    0x7FFF_FFFE, 0x7FFF_FFFF, 0x8000_0000, 0x8000_0001, 0xFFFF_FFFE, 0xFFFF_FFFF, 0x7F80_FF01,
    0x8080_8080, 0x7F7F_7F7F, 0x0080_FF7F, 0x8000_7FFF, 0x7FFF_8000, 0x5555_5555, 0xAAAA_AAAA,
)  # fmt: skip
FLOATS = (
    0x0000_0000, 0x8000_0000,  # zeroes
    0x3F80_0000, 0xBF80_0000, 0x4000_0000, 0x3F00_0000, 0x3FC0_0000, 0xC020_0000,
    0x7F80_0000, 0xFF80_0000,  # infinities
    0x7FC0_0000, 0xFFC0_0000, 0x7FC1_2345, 0x7F80_0001, 0xFF81_2345, 0x7FBF_FFFF,  # NaNs
    0x0000_0001, 0x8000_0001, 0x007F_FFFF, 0x807F_FFFF, 0x0040_0000,  # denormals
    0x0080_0000, 0x8080_0000, 0x7F7F_FFFF, 0xFF7F_FFFF, 0x0080_0001, 0x3F7F_FFFF, 0x3F80_0001,
    0x4F00_0000, 0x4EFF_FFFF, 0xCF00_0000, 0xCF00_0001, 0x4F80_0000, 0x4F7F_FFFF,  # near 2^31, 2^32
    0x4780_0000, 0x477F_E000, 0x477F_F000, 0x3880_0000, 0x3380_0000, 0x3300_0001,  # near half's
    0x4B00_0000, 0x4B00_0001, 0x3EFF_FFFF, 0x1A00_0000, 0x5F00_0000, 0x3400_0000,
)  # fmt: skip

_STRAIGHT = frozenset((
    "alu", "mul", "mla", "mull", "mlal", "divide", "load", "store", "store-reg", "load-double",
    "store-double", "load-multiple", "store-multiple", "load-exclusive", "store-exclusive",
    "barrier",
    "fp-alu", "fp-mla", "fp-divide", "fp-sqrt", "fp-move-two", "fp-load", "fp-store",
    "fp-load-double", "fp-store-double", "fp-multiple",
))  # fmt: skip
_NOT = frozenset(("wfi", "wfe", "sev", "yield", "hint", "udf", "dbg", "csdb"))
# Where the engine is known to be wrong; tests of their own hold these.
DEPARTS = ("vcvt.f32.s16", "vcvt.f32.u16", "vcvt.f32.s32 Fd, Fd", "vcvt.f32.u32 Fd, Fd")
_FEATURES = frozenset(("v7m", "dsp", "fp"))
_LOW, _HIGH = WINDOW, WINDOW + WINDOW_SIZE


@cache
def straight_forms() -> dict[str, tuple[Form, ...]]:
    """The forms of this core that go on to the next instruction, by kind of cost."""
    kinds: dict[str, list[Form]] = {}
    for form in all_forms():
        name = form.texts[0].split()[0]
        departs = form.texts[0].startswith(DEPARTS)
        if form.cost in _STRAIGHT and name not in _NOT and form.needs <= _FEATURES and not departs:
            kinds.setdefault(form.cost, []).append(form)
    return {kind: tuple(forms) for kind, forms in kinds.items()}


def draw_value(rng: Random) -> int:
    """A register's value: often one at which something turns over."""
    kind = rng.random()
    if kind < 0.45:
        return rng.choice(CORNERS)
    if kind < 0.6:
        return rng.choice(CORNERS) + rng.randint(-2, 2) & 0xFFFFFFFF
    if kind < 0.75:
        return rng.getrandbits(rng.randint(1, 32))
    return rng.getrandbits(32)


def draw_float(rng: Random) -> int:
    """Bits of a single: corners, numbers of like size, anything."""
    kind = rng.random()
    if kind < 0.5:
        return rng.choice(FLOATS)
    if kind < 0.8:
        return rng.getrandbits(1) << 31 | rng.randint(110, 150) << 23 | rng.getrandbits(23)
    return rng.getrandbits(32)


def draw_state(rng: Random) -> State:
    """Registers to start from."""
    fpscr = 0
    if rng.random() < 0.6:
        fpscr = rng.getrandbits(5) << 22  # RMode, FZ, DN, AHP
    if rng.random() < 0.3:
        fpscr |= rng.getrandbits(4) << 28 | rng.getrandbits(32) & 0x9F
    return State(
        r=tuple(draw_value(rng) for _ in range(13)),
        lr=draw_value(rng),
        apsr=rng.getrandbits(5) << 27 | rng.getrandbits(4) << 16,
        fpscr=fpscr,
        s=tuple(draw_float(rng) for _ in range(32)),
    )


def _one(form: Form, rng: Random) -> bytes | None:
    """One sound instruction of a form that keeps off sp and pc, or None."""
    for _ in range(60):
        fields = form.fields_of(form.value | rng.getrandbits(form.size * 8) & ~form.mask)
        for one, other in form.copies:
            fields[one] = fields[other]
        code = form.pack(fields)
        match = recognise(code)
        if match is None or match.form is not form or match.fault is not None:
            continue
        if form.leaves(fields) or first_problem(code, CORE) is not None:
            continue
        return code
    return None


def _writes_sp(code: bytes) -> bool:
    match = recognise(code)
    assert match is not None
    form, fields = match.form, match.fields
    name = form.texts[0].split()[0]
    if name in ("push", "pop", "vpush", "vpop"):
        return True
    back = "!" in form.texts[0] or "], #" in form.texts[0]  # write-back of a base
    text = form.texts[0]
    if text.startswith(("add {sp,}", "sub {sp,}")):
        return True
    for part in form.operands:
        if not isinstance(part, Reg) or fields[part.field] != 13:
            continue
        if part.field == "d" or (part.field == "t" and "load" in form.cost) or back:
            return True
    return False


def _aims(code: bytes, rng: Random, low: int = _LOW) -> bytes | None:
    """What must run first for a load or store to stay in the window; None when it cannot."""
    match = recognise(code)
    assert match is not None
    form, fields = match.form, match.fields
    memory = decode(code).memory
    if memory is None:
        return b""
    size, align = _span(form, fields)
    if memory.base == "pc":
        return b""
    index, setup = 0, b""
    if memory.index:
        if memory.index in (memory.base, "sp", "pc"):
            return None
        value = rng.choice((0, 1, 2, 4, rng.randint(0, 255), 0xFFFFFFFC, 0xFFFFFFFF))
        scale = fields.get("i", 0) if form.size == 4 else 0
        index = value << scale
        if align > 1:
            index &= -align
            value = index >> scale
        setup = load_constant(memory.index, value & 0xFFFFFFFF)
    if memory.base == "sp":
        at = STACK + memory.displacement + index & 0xFFFFFFFF
        return setup if at >= _LOW and at + size <= _HIGH else None
    at = rng.randrange(low, _HIGH - size + 1) // align * align
    base = at - memory.displacement - index & 0xFFFFFFFF
    return load_constant(memory.base, base) + setup


def _span(form: Form, fields: dict[str, int]) -> tuple[int, int]:
    """Bytes that a load or store moves, and how they must be aligned."""
    if form.cost in ("load-multiple", "store-multiple"):
        return 4 * listed(fields).bit_count(), 4
    if form.cost == "fp-multiple":
        return 4 * fields["i"], 4
    if "double" in form.cost:
        return 8, 4
    name = form.texts[0].split()[0]
    size = 4 if name.startswith("v") else 1 if "b" in name[3:] else 2 if "h" in name[3:] else 4
    strict = "exclusive" in form.cost or name.startswith("v")
    return size, size if strict else 1


def draw_of(form: Form, rng: Random) -> bytes | None:
    """An instruction of a form after what aims it, or None where none came up."""
    for _ in range(20):
        code = _one(form, rng)
        setup = None if code is None or _writes_sp(code) else _aims(code, rng)
        if code is not None and setup is not None:
            return setup + code
    return None


def draw_instruction(
    rng: Random, kinds: tuple[str, ...] | None = None, low: int = _LOW
) -> tuple[bytes, bytes]:
    """One instruction, and what must run before it; accesses stay at or above ``low``."""
    forms = straight_forms()
    names = [k for k in (kinds or tuple(forms)) if k in forms]
    while True:
        code = _one(rng.choice(forms[rng.choice(names)]), rng)
        if code is None or _writes_sp(code):
            continue
        setup = _aims(code, rng, low)
        if setup is not None:
            return setup, code


def mentions(code: bytes) -> set[int]:
    """The core registers that an instruction names."""
    match = recognise(code)
    assert match is not None
    fields = match.fields
    named: set[int] = {fields[part.field] for part in match.form.operands if isinstance(part, Reg)}
    if "multiple" in match.form.cost and "r" in fields:
        named |= {n for n in range(16) if listed(fields) >> n & 1}
    return named


def _instructions(code: bytes) -> list[bytes]:
    return [code[at : at + 4] for at in range(0, len(code), 4)]


def draw_it(rng: Random, kinds: tuple[str, ...] | None = None) -> bytes:
    """An IT block of one to four instructions, after what aims their accesses."""
    while True:
        count = rng.randint(1, 4)
        condition = rng.choice(CONDITIONS)
        pattern = "".join(rng.choice("te") for _ in range(count - 1))
        setup, body, named = b"", encode(f"it{pattern} {condition}"), set[int]()
        for _ in range(count):
            before, code = draw_instruction(rng, kinds)
            match = recognise(code)
            assert match is not None
            aimed = set().union(*map(mentions, _instructions(before)))
            # What aims one access must not be disturbed by the instructions before it.
            if match.form.barred_in_it or match.form.cost == "barrier" or aimed & named:
                break
            named |= aimed | mentions(code)
            setup, body = setup + before, body + code
        else:
            return setup + body


def draw_program(rng: Random, length: int, kinds: tuple[str, ...] | None = None) -> Program:
    """A straight run of instructions, IT blocks among them."""
    units = []
    for _ in range(length):
        if rng.random() < 0.15:
            units.append(draw_it(rng, kinds))
        else:
            units.append(b"".join(draw_instruction(rng, kinds)))
    return Program(draw_state(rng), tuple(units))
