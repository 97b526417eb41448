"""Thumb instructions as steps over a symbolic ``Walk``: the ones that waiting loops are made of.

``compile_one`` gives an instruction's step and the registers it reads and writes; None for one
that keeps a loop from being summed up. Encodings: Arm ARM DDI0403 A5, A7.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from fwgen.machine.armv7m.symbolic import (
    AL,
    BASEPRI,
    LR,
    PC,
    PRIMASK,
    SP,
    M,
    NotLinear,
    Walk,
    bit,
    carry_of_add,
    carry_of_sub,
    overflow_of_add,
    overflow_of_sub,
)
from fwgen.thumb.operands import expand_modified

if TYPE_CHECKING:
    from collections.abc import Callable

    from fwgen.machine.armv7m.symbolic import Pair, Step

    Operand = Callable[[Walk], Pair]


class Compiled(NamedTuple):
    """A step, the registers it reads and writes as masks, and where it may branch.

    ``condition`` is that of a branch to ``target``; the recorded path says whether it was taken.
    """

    step: Step | None
    reads: int
    writes: int
    condition: int | None = None
    target: int | None = None
    zero_of: int | None = None  # CBZ and CBNZ: the register that decides


def compile_one(address: int, code: bytes) -> Compiled | None:
    """The step of one instruction, or None where there is none."""
    first = code[0] | code[1] << 8
    if len(code) == 2:
        return _narrow(address, first)
    return _wide(address, first, code[2] | code[3] << 8)


def compares(op: int) -> bool:
    """Whether a 16-bit instruction sets flags within an IT block, too: TST, CMP, CMN (A7.3.3)."""
    return op >> 11 == 0b00101 or op >> 8 == 0x45 or op >> 6 in (0x108, 0x10A, 0x10B)


# -------------------------------------------------------------------- building steps


def _reg(number: int) -> Operand:
    return lambda w: (w.r[number], w.s[number])


def _const(value: int) -> Operand:
    pair = (value & M, 0)
    return lambda w: pair


def _set(d: int, operand: Operand, reads: int, *, flags: bool = False) -> Compiled:
    """A move; ``flags`` sets N and Z and leaves C and V."""

    def step(w: Walk) -> None:
        pair = operand(w)
        w.r[d], w.s[d] = pair
        if flags:
            w.nz = pair

    return Compiled(step, reads, 1 << d)


def _add(d: int | None, x: Operand, y: Operand, reads: int, *, flags: bool) -> Compiled:
    def step(w: Walk) -> None:
        (a, p), (b, q) = one, other = x(w), y(w)
        result = (a + b & M, p + q & M)
        if d is not None:
            w.r[d], w.s[d] = result
        if flags:
            w.nz = result
            w.c, w.v = (carry_of_add, (one, other)), (overflow_of_add, (one, other))

    return Compiled(step, reads, 0 if d is None else 1 << d)


def _sub(d: int | None, x: Operand, y: Operand, reads: int, *, flags: bool) -> Compiled:
    def step(w: Walk) -> None:
        (a, p), (b, q) = one, other = x(w), y(w)
        result = (a - b & M, p - q & M)
        if d is not None:
            w.r[d], w.s[d] = result
        if flags:
            w.nz = result
            w.c, w.v = (carry_of_sub, (one, other)), (overflow_of_sub, (one, other))

    return Compiled(step, reads, 0 if d is None else 1 << d)


def _bitwise(
    d: int | None,
    x: Operand,
    y: Operand,
    reads: int,
    combine: Callable[[int, int], int],
    *,
    flags: bool,
    carry: int | None = None,
) -> Compiled:
    """And, or, and the like: only of what does not grow. ``carry``: an immediate's carry out."""

    def step(w: Walk) -> None:
        (a, p), (b, q) = x(w), y(w)
        if p or q:
            raise NotLinear("bitwise logic on what grows")
        result = (combine(a, b) & M, 0)
        if d is not None:
            w.r[d], w.s[d] = result
        if flags:
            w.nz = result
            if carry is not None:
                w.c = (lambda: carry, ())

    return Compiled(step, reads, 0 if d is None else 1 << d)


_LOGIC: dict[str, Callable[[int, int], int]] = {
    "and": lambda a, b: a & b,
    "eor": lambda a, b: a ^ b,
    "orr": lambda a, b: a | b,
    "bic": lambda a, b: a & ~b,
    "orn": lambda a, b: a | ~b,
}


def _shift(kind: int, d: int, m: int, amount: int, *, flags: bool) -> Compiled:
    """LSL, LSR, ASR, ROR by an immediate; an LSL of what grows stays linear."""

    def step(w: Walk) -> None:
        value, slope = w.r[m], w.s[m]
        if kind == 0:
            result = (value << amount & M, slope << amount & M)
            out = 32 - amount
        else:
            if slope:
                raise NotLinear("a right shift of what grows")
            out = amount - 1
            if kind == 1:
                result = (value >> amount, 0)
            elif kind == 2:
                number = value - (1 << 32) if value >> 31 else value
                result = (number >> amount & M, 0)
                out = min(out, 31)
            else:
                result = ((value >> amount | value << (32 - amount)) & M, 0)
        w.r[d], w.s[d] = result
        if flags:
            w.nz = result
            if amount:
                w.c = (bit(out), ((value, slope),))

    return Compiled(step, 1 << m, 1 << d)


def _extend(d: int, m: int, bits: int, *, sign: bool) -> Compiled:
    mask = (1 << bits) - 1

    def step(w: Walk) -> None:
        value, slope = w.r[m], w.s[m]
        if slope:
            if sign or value > mask:
                raise NotLinear("an extension of what grows")
            w.within(value, slope, bits // 8)
        else:
            value &= mask
            if sign and value >> (bits - 1):
                value |= M & ~mask
        w.r[d], w.s[d] = value, slope

    return Compiled(step, 1 << m, 1 << d)


def _load(d: int, address: Callable[[Walk], int], size: int, reads: int, *, sign: bool) -> Compiled:
    top = 1 << (8 * size - 1)

    def step(w: Walk) -> None:
        value, slope = w.load(address(w), size)
        if sign:
            if slope:
                raise NotLinear("a signed load of what grows")
            if value & top:
                value |= M & ~(2 * top - 1)
        w.r[d], w.s[d] = value, slope

    return Compiled(step, reads, 1 << d)


def _store(t: int, address: Callable[[Walk], int], size: int, reads: int) -> Compiled:
    def step(w: Walk) -> None:
        w.store(address(w), size, (w.r[t], w.s[t]))

    return Compiled(step, reads | 1 << t, 0)


def _at(n: int, offset: int) -> Callable[[Walk], int]:
    """The address base + offset, which must not move."""

    def address(w: Walk) -> int:
        if w.s[n]:
            raise NotLinear("an address that moves")
        return w.r[n] + offset & M

    return address


def _indexed(n: int, m: int, shift: int = 0) -> Callable[[Walk], int]:
    def address(w: Walk) -> int:
        if w.s[n] or w.s[m]:
            raise NotLinear("an address that moves")
        return w.r[n] + (w.r[m] << shift) & M

    return address


def _multiple(n: int, registers: int, *, load: bool, before: bool, back: bool) -> Compiled | None:
    """LDM, STM, PUSH, POP. A load of pc ends the path's block; the path knows where it goes."""
    listed = [number for number in range(16) if registers >> number & 1]
    size = 4 * len(listed)
    if load and back and registers >> n & 1:
        return None

    def step(w: Walk) -> None:
        if w.s[n]:
            raise NotLinear("an address that moves")
        base = w.r[n]
        address = base - size if before else base
        for number in listed:
            if load:
                w.r[number], w.s[number] = w.load(address & M, 4)
            else:
                w.store(address & M, 4, (w.r[number], w.s[number]))
            address += 4
        if back:
            w.r[n] = (base - size if before else base + size) & M

    reads, writes = 1 << n, 1 << n if back else 0
    return Compiled(step, reads if load else reads | registers, writes | (registers if load else 0))


def _jump(m: int) -> Compiled:
    """BX, BLX, MOV to pc: it takes the register's value, which the path must agree with."""

    def step(w: Walk) -> None:
        w.r[PC], w.s[PC] = w.r[m], w.s[m]

    return Compiled(step, 1 << m, 1 << PC)


def _link(address: int, target: int) -> Compiled:
    def step(w: Walk) -> None:
        w.r[LR], w.s[LR] = address + 4 | 1, 0

    return Compiled(step, 0, 1 << LR, AL, target)


def _read_mask(d: int, mask: int) -> Compiled:
    def step(w: Walk) -> None:
        w.r[d], w.s[d] = w.masked(mask), 0

    return Compiled(step, 1 << mask, 1 << d)


def _write_mask(operand: Operand, reads: int, mask: int, *, only_raise: bool = False) -> Compiled:
    def step(w: Walk) -> None:
        w.mask(mask, operand(w), only_raise=only_raise)

    return Compiled(step, reads | 1 << mask, 1 << mask)


_BASEPRI_MAX = 0x12
_MASKS = {0x10: PRIMASK, 0x11: BASEPRI, _BASEPRI_MAX: BASEPRI}  # by SYSm, B5.2.2

NOTHING = Compiled(None, 0, 0)


# -------------------------------------------------------------------- 16-bit encodings


def _narrow(address: int, op: int) -> Compiled | None:
    d, n, m = op & 7, op >> 3 & 7, op >> 6 & 7
    rd8, imm8 = op >> 8 & 7, op & 0xFF
    imm5 = op >> 6 & 31
    match op >> 11:
        case 0b00000:
            return _shift(0, d, n, imm5, flags=True)
        case 0b00001:
            return _shift(1, d, n, imm5 or 32, flags=True) if imm5 else None
        case 0b00010:
            return _shift(2, d, n, imm5 or 32, flags=True)
        case 0b00011:
            operand = _const(m) if op >> 10 & 1 else _reg(m)
            reads = 1 << n | (0 if op >> 10 & 1 else 1 << m)
            make = _sub if op >> 9 & 1 else _add
            return make(d, _reg(n), operand, reads, flags=True)
        case 0b00100:
            return _set(rd8, _const(imm8), 0, flags=True)
        case 0b00101:
            return _sub(None, _reg(rd8), _const(imm8), 1 << rd8, flags=True)
        case 0b00110:
            return _add(rd8, _reg(rd8), _const(imm8), 1 << rd8, flags=True)
        case 0b00111:
            return _sub(rd8, _reg(rd8), _const(imm8), 1 << rd8, flags=True)
        case 0b01000:
            return _data_or_special(op)
        case 0b01001:
            literal = (address + 4 & ~3) + 4 * imm8
            return _load(rd8, lambda w: literal, 4, 0, sign=False)
        case 0b01010 | 0b01011:
            return _register_offset(op >> 9 & 7, d, n, m)
        case 0b01100:
            return _store(d, _at(n, 4 * imm5), 4, 1 << n)
        case 0b01101:
            return _load(d, _at(n, 4 * imm5), 4, 1 << n, sign=False)
        case 0b01110:
            return _store(d, _at(n, imm5), 1, 1 << n)
        case 0b01111:
            return _load(d, _at(n, imm5), 1, 1 << n, sign=False)
        case 0b10000:
            return _store(d, _at(n, 2 * imm5), 2, 1 << n)
        case 0b10001:
            return _load(d, _at(n, 2 * imm5), 2, 1 << n, sign=False)
        case 0b10010:
            return _store(rd8, _at(SP, 4 * imm8), 4, 1 << SP)
        case 0b10011:
            return _load(rd8, _at(SP, 4 * imm8), 4, 1 << SP, sign=False)
        case 0b10100:
            return _set(rd8, _const((address + 4 & ~3) + 4 * imm8), 0)
        case 0b10101:
            return _add(rd8, _reg(SP), _const(4 * imm8), 1 << SP, flags=False)
        case 0b10110 | 0b10111:
            return _miscellaneous(address, op)
        case 0b11000 | 0b11001:
            load, listed = bool(op >> 11 & 1), bool(imm8 >> rd8 & 1)
            if listed and not load:
                return None  # what is stored of the base depends on which register is the lowest
            return _multiple(rd8, imm8, load=load, before=False, back=not listed)
        case 0b11010 | 0b11011:
            condition = op >> 8 & 15
            offset = imm8 - (256 if imm8 >> 7 else 0)
            return Compiled(None, 0, 0, condition, address + 4 + 2 * offset)
        case 0b11100:
            offset = (op & 0x7FF) - (0x800 if op >> 10 & 1 else 0)
            return Compiled(None, 0, 0, AL, address + 4 + 2 * offset)
    return None


def _data_or_special(op: int) -> Compiled | None:
    if op >> 10 & 1:  # special data, branch and exchange
        m, d = op >> 3 & 15, op & 7 | op >> 4 & 8
        if d == PC and op >> 8 & 3 == 2:
            return _jump(m) if m != PC else None
        if PC in (m, d) and op >> 8 & 3 != 3:
            return None
        match op >> 8 & 3:
            case 0:
                return _add(d, _reg(d), _reg(m), 1 << d | 1 << m, flags=False)
            case 1:
                return _sub(None, _reg(d), _reg(m), 1 << d | 1 << m, flags=True)
            case 2:
                return _set(d, _reg(m), 1 << m)
            case _:
                return None if op >> 7 & 1 else _jump(m)
    d, m = op & 7, op >> 3 & 7
    both = 1 << d | 1 << m
    match op >> 6 & 15:
        case 0:
            return _bitwise(d, _reg(d), _reg(m), both, _LOGIC["and"], flags=True)
        case 1:
            return _bitwise(d, _reg(d), _reg(m), both, _LOGIC["eor"], flags=True)
        case 8:
            return _bitwise(None, _reg(d), _reg(m), both, _LOGIC["and"], flags=True)
        case 9:
            return _sub(d, _const(0), _reg(m), 1 << m, flags=True)
        case 10:
            return _sub(None, _reg(d), _reg(m), both, flags=True)
        case 11:
            return _add(None, _reg(d), _reg(m), both, flags=True)
        case 12:
            return _bitwise(d, _reg(d), _reg(m), both, _LOGIC["orr"], flags=True)
        case 14:
            return _bitwise(d, _reg(d), _reg(m), both, _LOGIC["bic"], flags=True)
        case 15:

            def inverse(w: Walk) -> Pair:
                return ~w.r[m] & M, -w.s[m] & M

            return _set(d, inverse, 1 << m, flags=True)
    return None


def _register_offset(kind: int, t: int, n: int, m: int) -> Compiled:
    reads = 1 << n | 1 << m
    address = _indexed(n, m)
    if kind < 3:
        return _store(t, address, (4, 2, 1)[kind], reads)
    size, sign = ((1, True), (4, False), (2, False), (1, False), (2, True))[kind - 3]
    return _load(t, address, size, reads, sign=sign)


def _miscellaneous(address: int, op: int) -> Compiled | None:
    if op >> 8 == 0xB0:
        offset = 4 * (op & 0x7F)
        make = _sub if op >> 7 & 1 else _add
        return make(SP, _reg(SP), _const(offset), 1 << SP, flags=False)
    if op & 0xF500 == 0xB100:  # CBZ, CBNZ
        target = address + 4 + 2 * (op >> 3 & 31 | op >> 4 & 32)
        register = op & 7
        return Compiled(None, 1 << register, 0, op >> 11 & 1, target, register)
    if op >> 8 == 0xB2:
        d, m = op & 7, op >> 3 & 7
        bits, sign = ((16, True), (8, True), (16, False), (8, False))[op >> 6 & 3]
        return _extend(d, m, bits, sign=sign)
    if op & 0xFE00 == 0xB400:
        registers = op & 0xFF | (op >> 8 & 1) << LR
        return _multiple(SP, registers, load=False, before=True, back=True)
    if op & 0xFE00 == 0xBC00:
        registers = op & 0xFF | (op >> 8 & 1) << PC
        return _multiple(SP, registers, load=True, before=False, back=True)
    if op in (0xB662, 0xB672):  # CPSIE i, CPSID i
        return _write_mask(_const(op >> 4 & 1), 0, PRIMASK)
    if op == 0xBF00:
        return NOTHING
    return None


# -------------------------------------------------------------------- 32-bit encodings


def _wide(address: int, first: int, second: int) -> Compiled | None:
    if first >> 11 == 0b11110:
        if second >> 15:
            return _wide_branch(address, first, second)
        if first >> 9 & 1:
            return _plain_immediate(address, first, second)
        return _modified_immediate(first, second)
    if first & 0xFE00 == 0xEA00:
        return _shifted_register(first, second)
    if first & 0xFE40 == 0xE800 and first >> 7 & 3 in (1, 2):  # LDM, LDMDB, STM, STMDB
        n, back = first & 15, bool(first >> 5 & 1)
        return _multiple(
            n, second, load=bool(first >> 4 & 1), before=first >> 7 & 3 == 2, back=back
        )
    if first & 0xFE00 == 0xF800:
        return _wide_memory(address, first, second)
    if first & 0xFFF0 == 0xFB00 and second & 0xF0F0 == 0xF000:
        return _multiply(second >> 8 & 15, first & 15, second & 15)
    if first == 0xF3AF and second == 0x8000:
        return NOTHING
    return None


def _wide_branch(address: int, first: int, second: int) -> Compiled | None:
    sign = first >> 10 & 1
    if first == 0xF3BF:  # barriers
        return NOTHING if second & 0xFF00 == 0x8F00 else None
    if first == 0xF3AF and second == 0x8000:
        return NOTHING
    mask = _MASKS.get(second & 0xFF)
    if mask is not None and first == 0xF3EF and second & 0xF000 == 0x8000 and second >> 8 & 15 < SP:
        return _read_mask(second >> 8 & 15, mask)
    if mask is not None and first & 0xFFF0 == 0xF380 and second >> 8 == 0x88 and first & 15 < SP:
        n, only_raise = first & 15, second & 0xFF == _BASEPRI_MAX
        return _write_mask(_reg(n), 1 << n, mask, only_raise=only_raise)
    if second >> 12 & 1:  # B.W T4, BL
        j1, j2 = second >> 13 & 1, second >> 11 & 1
        high = ~(j1 ^ sign) & 1, ~(j2 ^ sign) & 1
        offset = (
            -(sign << 24) + (high[0] << 23) + (high[1] << 22)
            + ((first & 0x3FF) << 12) + ((second & 0x7FF) << 1)
        )  # fmt: skip
        target = address + 4 + offset & M
        return _link(address, target) if second >> 14 & 1 else Compiled(None, 0, 0, AL, target)
    condition = first >> 6 & 15
    if condition >= AL or second >> 14 & 1:
        return None
    offset = (
        -(sign << 20) + ((second >> 11 & 1) << 19) + ((second >> 13 & 1) << 18)
        + ((first & 0x3F) << 12) + ((second & 0x7FF) << 1)
    )  # fmt: skip
    return Compiled(None, 0, 0, condition, address + 4 + offset & M)


def _plain_immediate(address: int, first: int, second: int) -> Compiled | None:
    n, d = first & 15, second >> 8 & 15
    imm12 = (first >> 10 & 1) << 11 | (second >> 12 & 7) << 8 | second & 0xFF
    if d in (SP, PC):
        return None
    match first >> 4 & 31:
        case 0b00000 | 0b01010:
            negative = first >> 7 & 1
            if n == PC:
                base = address + 4 & ~3
                return _set(d, _const(base - imm12 if negative else base + imm12), 0)
            make = _sub if negative else _add
            return make(d, _reg(n), _const(imm12), 1 << n, flags=False)
        case 0b00100:
            return _set(d, _const(n << 12 | imm12), 0)
        case 0b01100:
            high = (n << 12 | imm12) << 16

            def top(w: Walk) -> Pair:
                if w.s[d]:
                    raise NotLinear("half of what grows is replaced")
                return w.r[d] & 0xFFFF | high, 0

            return _set(d, top, 1 << d)
        case 0b11100 | 0b10100:
            lsb, width = (second >> 12 & 7) << 2 | second >> 6 & 3, (second & 31) + 1
            sign = first >> 7 & 1 == 0

            def extract(w: Walk) -> Pair:
                if w.s[n]:
                    raise NotLinear("bits of what grows")
                value = w.r[n] >> lsb & ((1 << width) - 1)
                if sign and value >> (width - 1):
                    value |= M & ~((1 << width) - 1)
                return value, 0

            return _set(d, extract, 1 << n)
    return None


def _modified_immediate(first: int, second: int) -> Compiled | None:
    n, d, flags = first & 15, second >> 8 & 15, bool(first >> 4 & 1)
    raw = (first >> 10 & 1) << 11 | (second >> 12 & 7) << 8 | second & 0xFF
    value = expand_modified(raw)
    if value is None:
        return None
    carry = value >> 31 if raw >> 10 else None  # a rotated immediate sets C
    return _data(first >> 5 & 15, d, n, _const(value), 0, carry, flags=flags)


def _shifted_register(first: int, second: int) -> Compiled | None:
    n, d, m, flags = first & 15, second >> 8 & 15, second & 15, bool(first >> 4 & 1)
    amount, kind = (second >> 12 & 7) << 2 | second >> 6 & 3, second >> 4 & 3
    op = first >> 5 & 15
    if m in (PC, SP):
        return None
    if op == 2 and n == PC:  # MOV and the shifts
        if d in (SP, PC) or (kind and not amount):
            return None
        if not kind and not amount:
            return _set(d, _reg(m), 1 << m, flags=flags)
        return _shift(kind, d, m, amount, flags=flags)
    if kind or (flags and amount and op not in (8, 13, 14)):
        return None

    def operand(w: Walk) -> Pair:
        return w.r[m] << amount & M, w.s[m] << amount & M

    return _data(op, d, n, operand, 1 << m, None, flags=flags)


def _data(
    op: int, d: int, n: int, operand: Operand, reads: int, carry: int | None, *, flags: bool
) -> Compiled | None:
    """The data-processing operations by their four-bit code (A5.3.1, A5.3.11)."""
    to: int | None = d
    if d == PC:
        if not flags or op not in (0, 4, 8, 13):
            return None
        to = None  # TST, TEQ, CMN, CMP
    elif d == SP and n != SP:
        return None
    if n == PC:
        if op == 2:
            return _move_immediate(d, operand, reads, carry, flags=flags)
        if op == 3 and to is not None:

            def inverse(w: Walk) -> Pair:
                value, slope = operand(w)
                return ~value & M, -slope & M

            return _move_immediate(d, inverse, reads, carry, flags=flags)
        return None
    reads |= 1 << n
    names = {0: "and", 1: "bic", 2: "orr", 3: "orn", 4: "eor"}
    if op in names:
        logic = _LOGIC[names[op]]
        return _bitwise(to, _reg(n), operand, reads, logic, flags=flags, carry=carry)
    if op == 8:
        return _add(to, _reg(n), operand, reads, flags=flags)
    if op == 13:
        return _sub(to, _reg(n), operand, reads, flags=flags)
    if op == 14:
        return _sub(to, operand, _reg(n), reads, flags=flags)
    return None


def _move_immediate(
    d: int, operand: Operand, reads: int, carry: int | None, *, flags: bool
) -> Compiled:
    made = _set(d, operand, reads, flags=flags)
    if not flags or carry is None:
        return made
    inner = made.step
    assert inner is not None

    def step(w: Walk) -> None:
        inner(w)
        w.c = (lambda: carry, ())

    return made._replace(step=step)


def _multiply(d: int, n: int, m: int) -> Compiled | None:
    if PC in (d, n, m) or SP in (d, n, m):
        return None

    def product(w: Walk) -> Pair:
        if w.s[n] and w.s[m]:
            raise NotLinear("a product of two that grow")
        return w.r[n] * w.r[m] & M, w.s[n] * w.r[m] + w.s[m] * w.r[n] & M

    return _set(d, product, 1 << n | 1 << m)


def _wide_memory(address: int, first: int, second: int) -> Compiled | None:
    n, t = first & 15, second >> 12
    sign, load = bool(first >> 8 & 1), bool(first >> 4 & 1)
    size = (1, 2, 4, 0)[first >> 5 & 3]
    if not size or (sign and not load) or (not load and n == PC):
        return None
    if t == PC and not (load and size == 4):
        return None
    if n == PC:
        base = address + 4 & ~3
        literal = base + (second & 0xFFF) if first >> 7 & 1 else base - (second & 0xFFF)
        return _load(t, lambda w: literal, size, 0, sign=sign)
    reads = 1 << n
    if first >> 7 & 1:
        where = _at(n, second & 0xFFF)
    elif second & 0xFC0 == 0:
        m = second & 15
        if m in (SP, PC):
            return None
        where, reads = _indexed(n, m, second >> 4 & 3), reads | 1 << m
    elif second >> 8 & 15 == 0b1100:
        where = _at(n, -(second & 0xFF))
    elif second >> 8 & 1 and t != n:
        return _with_write_back(second, n, t, size, load=load, sign=sign)
    else:
        return None
    if load:
        return _load(t, where, size, reads, sign=sign)
    return _store(t, where, size, reads)


def _with_write_back(
    second: int, n: int, t: int, size: int, *, load: bool, sign: bool
) -> Compiled | None:
    """A load or store that moves its base, before the access or after it. Arm ARM A7.7.43."""
    moved = second & 0xFF if second >> 9 & 1 else -(second & 0xFF)
    where = _at(n, moved if second >> 10 & 1 else 0)
    access = _load(t, where, size, 1 << n, sign=sign) if load else _store(t, where, size, 1 << n)

    def step(w: Walk) -> None:
        assert access.step is not None
        access.step(w)
        w.r[n] = w.r[n] + moved & M

    return Compiled(step, access.reads, access.writes | 1 << n)
