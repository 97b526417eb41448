"""Blocks as what native/ops.c runs: each instruction as ops, or an op that refuses.

``translate`` turns a block into ops, ``Program`` packs many blocks for a ``Hart``. What silicon
leaves open (UNPREDICTABLE), what a debugger or a fault handler must see, and what has state of its
own (floating-point, Q and GE, special registers) is left to the engine.
Encodings: Arm ARM DDI0403 A5, A7.
"""

from __future__ import annotations

import ctypes
import struct
from typing import TYPE_CHECKING, Any, NamedTuple

from fwgen.machine.armv7m.steps import compares
from fwgen.machine.armv7m.symbolic import AL, LR, PC, SP, M
from fwgen.machine.native.ops import HELD, KEEP, SHIFTED, ZERO, Kind, Op, Run
from fwgen.thumb.forms import is_wide
from fwgen.thumb.operands import expand_modified

if TYPE_CHECKING:
    from collections.abc import Iterable

    from fwgen.machine.armv7m.blocks import Block
    from fwgen.machine.native.ops import Hart

_RUN = struct.Struct("<IIqqqqqiiq")  # as ``Run``
_DIRECT = frozenset((Kind.B, Kind.BCC, Kind.CBZ, Kind.CBNZ, Kind.BL))
_ENDS = _DIRECT | {Kind.BLX, Kind.BX, Kind.JUMP, Kind.WAIT}
_STORES = (Kind.STR_I, Kind.STRH_I, Kind.STRB_I)
_LOADS = (Kind.LDR_I, Kind.LDRH_I, Kind.LDRB_I)
_SIGNED = (Kind.LDR_I, Kind.LDRSH_I, Kind.LDRSB_I)
_SHIFTS = (Kind.LSL_I, Kind.LSR_I, Kind.ASR_I, Kind.ROR_I)
# By the four-bit code of A5.3.1 and A5.3.11.
_DATA = {
    0: Kind.AND_I, 1: Kind.BIC_I, 2: Kind.ORR_I, 3: Kind.ORN_I, 4: Kind.EOR_I, 8: Kind.ADD_I,
    10: Kind.ADC_I, 11: Kind.SBC_I, 13: Kind.SUB_I, 14: Kind.RSB_I,
}  # fmt: skip
_COMPARES = (0, 4, 8, 13)  # TST, TEQ, CMN, CMP
_ALONE = {2: Kind.MOV_I, 3: Kind.MVN_I}  # where Rn is 15


class Step(NamedTuple):
    """An op without its place: see ``struct Op`` in native/ops.c."""

    kind: int
    d: int = 0
    n: int = 0
    m: int = 0
    s: int = 0
    carry: int = KEEP
    x: int = 0
    condition: int = AL
    imm: int = 0


Steps = list[Step]


def translate(block: Block, *, aligned: bool = False) -> list[Op] | None:
    """The ops of a block; None where nothing of it is handled.

    From the first instruction on that is not handled, all is one op that refuses. ``aligned``:
    every access must be (UNALIGN_TRP).
    """
    if block.begins_in_it:
        return None
    code, size, at = block.code, block.size, 0
    sound = size if block.problem is None else block.problem.offset
    stops = dict(block.stops)
    conditions: list[int] = []  # of the instructions left in the IT block
    ops: list[Op] = []
    while at < size:
        first = int.from_bytes(code[at : at + 2], "little")
        end = at + (4 if is_wide(first) else 2)
        address = block.address + at
        steps: Steps | None = None
        in_it, condition = bool(conditions), conditions.pop(0) if conditions else AL
        if end <= sound:
            if end - at == 4:
                steps = _wide(address, first, int.from_bytes(code[at + 2 : end], "little"), aligned)
            elif first >> 8 == 0xBF and first & 15:
                steps, conditions = [], _conditions(first)
            else:
                flags = not in_it or compares(first)
                steps = _narrow(address, first, int(flags), int(aligned))
        if steps is None or (end < size and any(step.kind in _ENDS for step in steps)):
            ops.append(_placed(block, at, Step(Kind.REFUSE)))
            break
        steps = _guarded(steps)
        if condition != AL and steps:
            steps.insert(0, Step(Kind.SKIP, condition=condition, x=len(steps)))
        made = [_placed(block, at, step) for step in steps or [Step(Kind.NOTHING)]]
        made[0].stop = stops.get(at, -1)
        ops += made
        at = end
    else:
        if conditions:  # what follows is in the IT block, too
            ops.append(_placed(block, at, Step(Kind.REFUSE)))
    at_once = ops and ops[0].kind == Kind.REFUSE and ops[0].address == block.address
    return None if at_once else ops


def _placed(block: Block, at: int, step: Step) -> Op:
    return Op(*step[:8], step.imm & M, block.address + at & M, block.prefix[at >> 1], -1, -1)


def _conditions(op: int) -> list[int]:
    """Of the instructions that an IT holds. A7.3.1."""
    count = 4 - ((op & -op).bit_length() - 1)
    return [op >> 4 & 14 | (op >> (4 - n) & 1 if n else op >> 4 & 1) for n in range(count)]


def _guarded(steps: Steps) -> Steps:
    """With a look at SP wherever it may no longer be aligned: only so is it defined (A5.1.3)."""
    made: Steps = []
    for step in steps:
        made.append(step)
        moves = step.kind in (Kind.ADD_I, Kind.SUB_I) and step.n == SP and not step.imm & 3
        if step.d == SP and not moves:
            made.append(Step(Kind.ALIGNED_SP))
    return made


class Translation:
    """What blocks are as ops, remembered: only new ones are looked at."""

    def __init__(self) -> None:
        self._made: dict[tuple[int, int], tuple[Block, bytes]] = {}
        self._aligned = False

    def __call__(self, block: Block, *, aligned: bool) -> bytes:
        """A block's ops, packed; nothing where it has none."""
        if aligned != self._aligned:
            self._made.clear()
            self._aligned = aligned
        key = block.address, block.size
        found = self._made.get(key)
        if found is None or found[0] is not block:
            ops = translate(block, aligned=aligned) or []
            found = self._made[key] = block, bytes((Op * len(ops))(*ops))
        return found[1]


class Program:
    """Blocks packed for a Hart: ``runs`` and ``ops`` are its arrays.

    Of blocks at the same address the longest is taken.
    """

    def __init__(
        self,
        blocks: Iterable[Block],
        *,
        aligned: bool = False,
        translation: Translation | None = None,
    ) -> None:
        translation = translation or Translation()
        chosen: dict[int, Block] = {}
        for block in blocks:
            other = chosen.get(block.address)
            if other is None or block.size > other.size:
                chosen[block.address] = block
        self.blocks: list[Block] = []
        ops: list[bytes] = []
        runs: list[bytes] = []
        first = 0
        for address in sorted(chosen):
            block = chosen[address]
            made = translation(block, aligned=aligned)
            if not made:
                continue
            count = len(made) // ctypes.sizeof(Op)
            self.blocks.append(block)
            runs.append(
                _RUN.pack(
                    address, block.size, block.cost, block.refill, block.landing, block.near,
                    block.flags, first, count, block.has_it,
                )
            )  # fmt: skip
            ops.append(made)
            first += count
        self.runs: Any = (Run * len(runs)).from_buffer_copy(b"".join(runs) or b"")
        self.ops: Any = (Op * first).from_buffer_copy(b"".join(ops) or b"")

    def load(self, hart: Hart, library: Any) -> None:
        """Let a hart run this: the arrays live as long as it does."""
        hart.runs = ctypes.cast(self.runs, type(hart.runs))
        hart.ops = ctypes.cast(self.ops, type(hart.ops))
        hart.run_count = len(self.runs)
        library.fwgen_link_ops(hart, len(self.ops))


# -------------------------------------------------------------------- building steps


def _memory(kinds: tuple[Kind, ...], size: int, aligned: int) -> tuple[Kind, int]:
    """The kind for an immediate offset, by size in bytes, and whether it must be aligned."""
    return kinds[(4, 2, 1).index(size)], aligned if size > 1 else 0


def _access(
    t: int, n: int, imm: int, size: int, aligned: int, *, load: bool, sign: bool = False
) -> Step:
    kind, s = _memory(_STORES if not load else _SIGNED if sign else _LOADS, size, aligned)
    return Step(kind, t, n, s=s, imm=imm)


def _indexed(
    t: int, n: int, m: int, size: int, aligned: int, *, load: bool, sign: bool, shift: int = 0
) -> Step:
    kind, s = _memory(_STORES if not load else _SIGNED if sign else _LOADS, size, aligned)
    return Step(kind + 1, t, n, m, s, x=shift)


def _multiple(n: int, registers: int, *, load: bool, before: bool, back: bool) -> Steps:
    """LDM, STM, PUSH, POP; a loaded pc is branched to afterwards."""
    size = 4 * registers.bit_count()
    kind = Kind.LDM if load else Kind.STM
    steps = [Step(kind, size, n, s=int(back), x=int(before), imm=registers)]
    if load and registers >> PC & 1:
        steps.append(Step(Kind.BX, m=HELD))
    return steps


def _data(op: int, d: int, n: int, s: int, operand: Step) -> Step | None:
    """Data processing; ``operand`` has the immediate and its carry, or ``m`` (and ``x`` is 1)."""
    if d == PC:
        if not s or op not in _COMPARES:
            return None
        d = HELD
    kind = _ALONE.get(op) if n == PC else _DATA.get(op)
    if kind is None:
        return None
    return operand._replace(kind=kind + operand.x, d=d, n=ZERO if n == PC else n, s=s, x=0)


# -------------------------------------------------------------------- 16-bit encodings


def _narrow(address: int, op: int, s: int, aligned: int) -> Steps | None:
    d, n, m = op & 7, op >> 3 & 7, op >> 6 & 7
    rd8, imm8 = op >> 8 & 7, op & 0xFF
    imm5 = op >> 6 & 31
    pc = address + 4 & ~3
    match op >> 11:
        case 0b00000:
            if not imm5:
                return [Step(Kind.MOV_R, d, m=n, s=s)]
            return [Step(Kind.LSL_I, d, n, s=s, imm=imm5)]
        case 0b00001 | 0b00010:
            return [Step(_SHIFTS[op >> 11], d, n, s=s, imm=imm5 or 32)]
        case 0b00011:
            kind = Kind.SUB_I if op >> 9 & 1 else Kind.ADD_I
            if op >> 10 & 1:
                return [Step(kind, d, n, s=s, imm=m)]
            return [Step(kind + 1, d, n, m, s)]
        case 0b00100:
            return [Step(Kind.MOV_I, rd8, s=s, imm=imm8)]
        case 0b00101:
            return [Step(Kind.SUB_I, HELD, rd8, s=1, imm=imm8)]
        case 0b00110:
            return [Step(Kind.ADD_I, rd8, rd8, s=s, imm=imm8)]
        case 0b00111:
            return [Step(Kind.SUB_I, rd8, rd8, s=s, imm=imm8)]
        case 0b01000:
            return _special(address, op) if op >> 10 & 1 else _register(op, s)
        case 0b01001:
            return [_access(rd8, ZERO, pc + 4 * imm8, 4, aligned, load=True)]
        case 0b01010 | 0b01011:
            kind3 = op >> 9 & 7
            size = (4, 2, 1, 1, 4, 2, 1, 2)[kind3]
            sign = kind3 in (3, 7)
            return [_indexed(d, n, m, size, aligned, load=kind3 > 2, sign=sign)]
        case 0b01100 | 0b01101:
            return [_access(d, n, 4 * imm5, 4, aligned, load=bool(op >> 11 & 1))]
        case 0b01110 | 0b01111:
            return [_access(d, n, imm5, 1, aligned, load=bool(op >> 11 & 1))]
        case 0b10000 | 0b10001:
            return [_access(d, n, 2 * imm5, 2, aligned, load=bool(op >> 11 & 1))]
        case 0b10010 | 0b10011:
            return [_access(rd8, SP, 4 * imm8, 4, aligned, load=bool(op >> 11 & 1))]
        case 0b10100:
            return [Step(Kind.MOV_I, rd8, imm=pc + 4 * imm8)]
        case 0b10101:
            return [Step(Kind.ADD_I, rd8, SP, imm=4 * imm8)]
        case 0b10110 | 0b10111:
            return _miscellaneous(address, op)
        case 0b11000:
            return _multiple(rd8, imm8, load=False, before=False, back=True)
        case 0b11001:
            return _multiple(rd8, imm8, load=True, before=False, back=not imm8 >> rd8 & 1)
        case 0b11010 | 0b11011:
            condition = op >> 8 & 15
            if condition >= AL:
                return None  # UDF, SVC
            offset = imm8 - (256 if imm8 >> 7 else 0)
            return [Step(Kind.BCC, condition=condition, imm=address + 4 + 2 * offset)]
        case 0b11100:
            offset = (op & 0x7FF) - (0x800 if op >> 10 & 1 else 0)
            return [Step(Kind.B, imm=address + 4 + 2 * offset)]
    return None


def _register(op: int, s: int) -> Steps:
    """Data processing on two low registers. A5.2.2."""
    d, m = op & 7, op >> 3 & 7
    code = op >> 6 & 15
    if code == 8:
        return [Step(Kind.AND_R, HELD, d, m, 1)]
    if code == 9:
        return [Step(Kind.RSB_I, d, m, s=s)]
    if code in (10, 11):
        return [Step(Kind.SUB_R if code == 10 else Kind.ADD_R, HELD, d, m, 1)]
    kind = {
        0: Kind.AND_R, 1: Kind.EOR_R, 2: Kind.LSL_R, 3: Kind.LSR_R, 4: Kind.ASR_R, 5: Kind.ADC_R,
        6: Kind.SBC_R, 7: Kind.ROR_R, 12: Kind.ORR_R, 13: Kind.MUL, 14: Kind.BIC_R, 15: Kind.MVN_R,
    }[code]  # fmt: skip
    return [Step(kind, d, d, m, s)]


def _special(address: int, op: int) -> Steps | None:
    """On any registers: ADD, CMP, MOV, BX, BLX. A5.2.3; pc is never a register of an op."""
    m, d = op >> 3 & 15, op & 7 | op >> 4 & 8
    match op >> 8 & 3:
        case 0:
            if PC not in (m, d):
                return [Step(Kind.ADD_R, d, d, m)]
            if m == PC:
                return [Step(Kind.ADD_I, d, d, imm=address + 4)] if d != PC else None
            return [Step(Kind.ADD_I, HELD, m, imm=address + 4), Step(Kind.JUMP, m=HELD)]
        case 1:
            return [Step(Kind.SUB_R, HELD, d, m, 1)] if PC not in (m, d) else None
        case 2:
            if m == PC:
                return [Step(Kind.MOV_I, d, imm=address + 4)] if d != PC else None
            return [Step(Kind.JUMP, m=m) if d == PC else Step(Kind.MOV_R, d, m=m)]
    if m == PC or op & 7:
        return None
    return [Step(Kind.BLX if op >> 7 & 1 else Kind.BX, m=m)]


def _miscellaneous(address: int, op: int) -> Steps | None:
    """A5.2.5."""
    if op & 0xFFEF == 0xB662:  # CPSIE i, CPSID i
        return [Step(Kind.CPS, x=op >> 4 & 1)]
    d, m = op & 7, op >> 3 & 7
    if op >> 8 == 0xB0:
        kind = Kind.SUB_I if op >> 7 & 1 else Kind.ADD_I
        return [Step(kind, SP, SP, imm=4 * (op & 0x7F))]
    if op & 0xF500 == 0xB100:
        target = address + 4 + 2 * (op >> 3 & 31 | op >> 4 & 32)
        return [Step(Kind.CBNZ if op >> 11 & 1 else Kind.CBZ, n=op & 7, imm=target)]
    if op >> 8 == 0xB2:
        return [Step((Kind.SXTH, Kind.SXTB, Kind.UXTH, Kind.UXTB)[op >> 6 & 3], d, m=m)]
    if op >> 8 == 0xBA:
        return _reverse((Kind.REV, Kind.REV16, None, Kind.REVSH)[op >> 6 & 3], d, m)
    if op & 0xFE00 == 0xB400:
        registers = op & 0xFF | (op >> 8 & 1) << LR
        return _multiple(SP, registers, load=False, before=True, back=True)
    if op & 0xFE00 == 0xBC00:
        registers = op & 0xFF | (op >> 8 & 1) << PC
        return _multiple(SP, registers, load=True, before=False, back=True)
    if op & 0xFF0F == 0xBF00:
        return _hint(op >> 4 & 15)
    return None


def _reverse(kind: Kind | None, d: int, m: int) -> Steps | None:
    return None if kind is None else [Step(kind, d, m=m)]


def _hint(number: int) -> Steps | None:
    """NOP and YIELD do nothing; WFI is for the caller. A7.7.88, A7.7.261, A7.7.263."""
    if number in (0, 1):
        return []
    return [Step(Kind.WAIT)] if number == 3 else None


# -------------------------------------------------------------------- 32-bit encodings


def _wide(address: int, first: int, second: int, aligned: bool) -> Steps | None:
    strict = int(aligned)
    if first >> 11 == 0b11110:
        if second >> 15:
            return _control(address, first, second)
        if first >> 9 & 1:
            return _plain_immediate(address, first, second)
        return _modified_immediate(first, second)
    if first & 0xFE00 == 0xEA00:
        return _shifted_register(first, second)
    if first & 0xFE40 == 0xE800 and first >> 7 & 3 in (1, 2):  # LDM, LDMDB, STM, STMDB
        before, back = first >> 7 & 3 == 2, bool(first >> 5 & 1)
        return _multiple(first & 15, second, load=bool(first >> 4 & 1), before=before, back=back)
    if first & 0xFE40 == 0xE840:
        return _double_or_table(address, first, second, strict)
    if first & 0xFE00 == 0xF800:
        return _single(address, first, second, strict)
    if first & 0xFF00 == 0xFA00:
        return _wide_register(first, second)
    if first & 0xFF00 == 0xFB00:
        return _multiply(first, second)
    return None


def _control(address: int, first: int, second: int) -> Steps | None:
    """Branches, hints, barriers. A5.3.4."""
    sign = first >> 10 & 1
    if second >> 12 & 1:  # B.W T4, BL
        j1, j2 = second >> 13 & 1, second >> 11 & 1
        offset = (
            -(sign << 24) + ((~(j1 ^ sign) & 1) << 23) + ((~(j2 ^ sign) & 1) << 22)
            + ((first & 0x3FF) << 12) + ((second & 0x7FF) << 1)
        )  # fmt: skip
        return [Step(Kind.BL if second >> 14 & 1 else Kind.B, imm=address + 4 + offset & M)]
    if second >> 14 & 1:
        return None
    if first == 0xF3AF and second >> 4 == 0x800:
        return _hint(second & 15)
    if second & 0x10FF == 0x10 and first & 0xFFE0 in (0xF380, 0xF3E0):
        return _primask(first, second)
    if first == 0xF3BF:  # CLREX, DSB and DMB, not ISB
        if second == 0x8F2F:
            return [Step(Kind.CLREX)]
        return [] if second & 0xFFE0 == 0x8F40 else None
    condition = first >> 6 & 15
    if condition >= AL:
        return None
    offset = (
        -(sign << 20) + ((second >> 11 & 1) << 19) + ((second >> 13 & 1) << 18)
        + ((first & 0x3F) << 12) + ((second & 0x7FF) << 1)
    )  # fmt: skip
    return [Step(Kind.BCC, condition=condition, imm=address + 4 + offset & M)]


def _primask(first: int, second: int) -> Steps | None:
    """MRS and MSR of PRIMASK. B5.2.2, B5.2.3."""
    n, d = first & 15, second >> 8 & 15
    if second & 0xFFFF == 0x8810 and first & 0xFFF0 == 0xF380 and n not in (SP, PC):
        return [Step(Kind.SET_MASK, n=n)]
    if first == 0xF3EF and second & 0xF0FF == 0x8010 and d not in (SP, PC):
        return [Step(Kind.GET_MASK, d)]
    return None


def _plain_immediate(address: int, first: int, second: int) -> Steps | None:
    """A5.3.3."""
    n, d = first & 15, second >> 8 & 15
    imm12 = (first >> 10 & 1) << 11 | (second >> 12 & 7) << 8 | second & 0xFF
    lsb = (second >> 12 & 7) << 2 | second >> 6 & 3
    if d == PC:
        return None
    match first >> 4 & 31:
        case 0b00000 | 0b01010:
            negative = first >> 7 & 1
            if n == PC:
                base = address + 4 & ~3
                return [Step(Kind.MOV_I, d, imm=base - imm12 if negative else base + imm12)]
            return [Step(Kind.SUB_I if negative else Kind.ADD_I, d, n, imm=imm12)]
        case 0b00100:
            return [Step(Kind.MOV_I, d, imm=n << 12 | imm12)]
        case 0b01100:
            return [Step(Kind.MOVT, d, imm=(n << 12 | imm12) << 16)]
        case 0b10110:
            mask = (2 << (second & 31)) - 1 & ~((1 << lsb) - 1)
            return [Step(Kind.BFI, d, ZERO if n == PC else n, x=lsb, imm=mask)]
        case 0b11100:
            return [Step(Kind.UBFX, d, n, x=lsb, imm=(2 << (second & 31)) - 1)]
        case 0b10100:
            rest = 31 - (second & 31)
            return [Step(Kind.SBFX, d, n, x=rest - lsb, imm=rest)] if rest >= lsb else None
    return None


def _modified_immediate(first: int, second: int) -> Steps | None:
    """A5.3.1; what is rotated sets C: A5.3.2."""
    raw = (first >> 10 & 1) << 11 | (second >> 12 & 7) << 8 | second & 0xFF
    value = expand_modified(raw)
    if value is None:
        return None
    carry = value >> 31 if raw >> 10 else KEEP
    operand = Step(0, carry=carry, imm=value)
    made = _data(first >> 5 & 15, second >> 8 & 15, first & 15, first >> 4 & 1, operand)
    return None if made is None else [made]


def _shifted_register(first: int, second: int) -> Steps | None:
    """A5.3.11: the shift is a step before."""
    n, d, m, s = first & 15, second >> 8 & 15, second & 15, first >> 4 & 1
    amount, turn = (second >> 12 & 7) << 2 | second >> 6 & 3, second >> 4 & 3
    op = first >> 5 & 15
    if m == PC:
        return None
    if not turn and not amount:
        made = _data(op, d, n, s, Step(0, m=m, x=1))
        return None if made is None else [made]
    shift = Step(_SHIFTS[turn], HELD, m, imm=amount or 32)
    if turn == 3 and not amount:
        shift = Step(Kind.RRX, HELD, m)
    if op == 2 and n == PC:
        return [shift._replace(d=d, s=s)] if d != PC else None
    made = _data(op, d, n, s, Step(0, m=HELD, carry=SHIFTED, x=1))
    return None if made is None else [shift, made]


def _double_or_table(address: int, first: int, second: int, strict: int) -> Steps | None:
    """LDRD, STRD, TBB, TBH, exclusive accesses. A5.3.6."""
    n, t, other = first & 15, second >> 12, second >> 8 & 15
    if not first & 0x120:
        if first & 0xFFF0 != 0xE8D0 or second & 0xFFE0 != 0xF000:
            return _exclusive(first, second)
        size = 2 if second >> 4 & 1 else 1
        kind, s = _memory(_LOADS, size, strict)
        where = Step(kind + 1, HELD, n, second & 15, s, x=size - 1)
        if n == PC:
            where = where._replace(n=ZERO, imm=address + 4)
        return [where, Step(Kind.TABLE, imm=address + 4)]
    load, indexed, back = first >> 4 & 1, first >> 8 & 1, first >> 5 & 1
    offset = 4 * (second & 0xFF) * (1 if first >> 7 & 1 else -1)
    if PC in (t, other) or (n == PC and (back or not load)):
        return None
    if n == PC:
        n, offset = ZERO, (address + 4 & ~3) + offset
    kind = Kind.LDRD if load else Kind.STRD
    move = Step(Kind.ADD_I, n, n, imm=offset & M)
    if not back:
        return [Step(kind, t, n, x=other, imm=offset & M)]
    access = Step(kind, t, n, x=other)
    return [move, access] if indexed else [access, move]


def _exclusive(first: int, second: int) -> Steps | None:
    """LDREX, STREX, and those of a byte or half-word."""
    n, t, load = first & 15, second >> 12, bool(first >> 4 & 1)
    if first >> 7 & 1:
        size, d, fixed, imm = (
            {4: 1, 5: 2}.get(second >> 4 & 15, 0),
            second & 15,
            second >> 8 & 15,
            0,
        )
    else:
        size, d, fixed, imm = 4, second >> 8 & 15, 15, 4 * (second & 0xFF)
    if not size or fixed != 15 or n == PC or t in (SP, PC):
        return None
    if load:
        return [Step(Kind.LDREX, t, n, x=size, imm=imm)] if d == PC else None
    return None if d in (SP, PC, n, t) else [Step(Kind.STREX, d, n, t, x=size, imm=imm)]


def _single(address: int, first: int, second: int, strict: int) -> Steps | None:
    """A5.3.7 to A5.3.10: one register; write-back is a step of its own."""
    n, t = first & 15, second >> 12
    sign, load = bool(first >> 8 & 1), bool(first >> 4 & 1)
    size = (1, 2, 4, 0)[first >> 5 & 3]
    if not size or (sign and not (load and size < 4)) or (not load and PC in (n, t)):
        return None
    after: Steps = []
    if t == PC:
        if size != 4:
            return None  # PLD, PLI
        t, after, strict = HELD, [Step(Kind.BX, m=HELD)], 1
    if n == PC:
        offset = second & 0xFFF if first >> 7 & 1 else -(second & 0xFFF)
        where = (address + 4 & ~3) + offset
        return [_access(t, ZERO, where, size, strict, load=load, sign=sign), *after]
    if first >> 7 & 1:
        imm = second & 0xFFF
        return [_access(t, n, imm, size, strict, load=load, sign=sign), *after]
    if second & 0xFC0 == 0:
        m, shift = second & 15, second >> 4 & 3
        if m == PC:
            return None
        return [_indexed(t, n, m, size, strict, load=load, sign=sign, shift=shift), *after]
    if not second >> 11 & 1:
        return None
    indexed, up, back = second >> 10 & 1, second >> 9 & 1, second >> 8 & 1
    offset = second & 0xFF if up else -(second & 0xFF)
    if not back:  # else LDRT and the like
        return (
            [_access(t, n, offset, size, strict, load=load, sign=sign), *after]
            if indexed and not up
            else None
        )
    if n == SP and offset & 3:
        return None
    move, access = (
        Step(Kind.ADD_I, n, n, imm=offset & M),
        _access(t, n, 0, size, strict, load=load, sign=sign),
    )
    return [move, access, *after] if indexed else [access, move, *after]


def _wide_register(first: int, second: int) -> Steps | None:
    """A5.3.12: shifts by a register, extends, bits."""
    n, d, m = first & 15, second >> 8 & 15, second & 15
    if second >> 12 != 15 or PC in (d, m):
        return None
    if first >> 7 & 1:
        if n != m:
            return None
        if first & 0xF0 == 0x90 and second & 0xC0 == 0x80:
            kinds = (Kind.REV, Kind.REV16, Kind.RBIT, Kind.REVSH)
            return [Step(kinds[second >> 4 & 3], d, m=m)]
        return [Step(Kind.CLZ, d, m=m)] if first & 0xF0 == 0xB0 and second & 0xF0 == 0x80 else None
    if second & 0xF0 == 0:
        if n == PC:
            return None
        return [Step(_SHIFTS[first >> 5 & 3] + 1, d, n, m, first >> 4 & 1)]
    if second & 0xC0 == 0x80 and n == PC:
        kind = {0: Kind.SXTH, 1: Kind.UXTH, 4: Kind.SXTB, 5: Kind.UXTB}.get(first >> 4 & 7)
        return None if kind is None else [Step(kind, d, m=m, x=8 * (second >> 4 & 3))]
    return None


def _multiply(first: int, second: int) -> Steps | None:
    """A5.3.16, A5.3.17."""
    n, low, high, m = first & 15, second >> 12, second >> 8 & 15, second & 15
    code, minor = first >> 4 & 15, second >> 4 & 15
    if PC in (n, high, m):
        return None
    if code == 0 and minor == 0:
        if low == PC:
            return [Step(Kind.MUL, high, n, m)]
        return [Step(Kind.MLA, high, n, m, x=low)]
    if code == 0 and minor == 1 and low != PC:
        return [Step(Kind.MLS, high, n, m, x=low)]
    if code in (9, 11) and minor == 15 and low == PC:
        return [Step(Kind.SDIV if code == 9 else Kind.UDIV, high, n, m)]
    long = {8: Kind.SMULL, 10: Kind.UMULL, 12: Kind.SMLAL, 14: Kind.UMLAL}.get(code)
    if long is None or minor or low == PC:
        return None
    return [Step(long, low, n, m, x=high)]
