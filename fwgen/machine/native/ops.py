"""The structures of ops.h and ops.c, and the library's functions on them."""

from __future__ import annotations

import ctypes
from enum import IntEnum
from functools import cache
from typing import Any

from fwgen.machine import native

LAYOUT = 7  # of the structures, as the library was built with

HELD, ZERO = 16, 17  # registers that the core does not have: a value between two ops, and 0
CLOSED, NOT_KNOWN = -1, -2  # the exclusive monitor, where it is not open
KEEP, SHIFTED = 2, 3  # what becomes of the carry; 0 and 1 are what it becomes

REFUSED, RETURNED, WAITS, PAUSED = range(4)  # how a stretch of code ended
UNKNOWN_BLOCK, NO_OP, NO_ACCESS, NO_ROOM, TOO_LONG, NEWS = range(1, 7)  # why it was refused

# In pairs: with an immediate, and with a register.
Kind = IntEnum(
    "Kind",
    "REFUSE"
    " AND_I AND_R BIC_I BIC_R ORR_I ORR_R ORN_I ORN_R EOR_I EOR_R MOV_I MOV_R MVN_I MVN_R"
    " ADD_I ADD_R ADC_I ADC_R SBC_I SBC_R SUB_I SUB_R RSB_I RSB_R"
    " LSL_I LSL_R LSR_I LSR_R ASR_I ASR_R ROR_I ROR_R RRX"
    " MOVT BFI UBFX SBFX"
    " MUL MLA MLS UMULL SMULL UMLAL SMLAL UDIV SDIV"
    " SXTH SXTB UXTH UXTB REV REV16 REVSH RBIT CLZ"
    " LDR_I LDR_R LDRH_I LDRH_R LDRB_I LDRB_R LDRSH_I LDRSH_R LDRSB_I LDRSB_R"
    " STR_I STR_R STRH_I STRH_R STRB_I STRB_R"
    " LDRD STRD LDM STM LDREX STREX CLREX"
    " CPS GET_MASK SET_MASK"
    " B BCC CBZ CBNZ BL BLX BX JUMP TABLE"
    " SKIP ALIGNED_SP NOTHING WAIT",
    start=0,
)


class Op(ctypes.Structure):
    """One instruction, or a step of one."""

    _fields_ = (
        *((name, ctypes.c_uint8) for name in (
            "kind", "d", "n", "m", "s", "carry", "x", "condition",
        )),
        ("imm", ctypes.c_uint32),
        ("address", ctypes.c_uint32),
        ("before", ctypes.c_int32),
        ("link", ctypes.c_int32),
        ("stop", ctypes.c_int32),
    )  # fmt: skip


class Run(ctypes.Structure):
    """A block."""

    _fields_ = (
        *((name, ctypes.c_uint32) for name in ("address", "size")),
        *((name, ctypes.c_int64) for name in ("cost", "refill", "landing", "near", "flags")),
        ("first", ctypes.c_int32),
        ("count", ctypes.c_int32),
        ("has_it", ctypes.c_int64),
    )


class Area(ctypes.Structure):
    """Plain memory."""

    _fields_ = (
        ("base", ctypes.c_uint32),
        ("size", ctypes.c_uint32),
        ("data", ctypes.c_void_p),
        ("writable", ctypes.c_int32),
    )


class Undo(ctypes.Structure):
    """A store that can be taken back."""

    _fields_ = (
        ("address", ctypes.c_uint32),
        ("before", ctypes.c_uint32),
        ("size", ctypes.c_int32),
    )


# (world, address, size, cycle, value) -> whether it was done
LOAD = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.c_void_p, ctypes.c_uint32, ctypes.c_int, ctypes.c_int64,
    ctypes.POINTER(ctypes.c_uint32),
)  # fmt: skip
STORE = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.c_void_p, ctypes.c_uint32, ctypes.c_int, ctypes.c_int64, ctypes.c_uint32
)


class Hart(ctypes.Structure):
    """What runs: registers, time, code, memory."""

    _fields_ = (
        ("r", ctypes.c_uint32 * 16),
        ("nzcv", ctypes.c_uint32),
        ("attend", ctypes.c_int32),
        *((name, ctypes.c_int64) for name in ("cycle", "cost", "refill", "near", "end", "start")),
        ("runs", ctypes.POINTER(Run)),
        ("ops", ctypes.POINTER(Op)),
        ("areas", ctypes.POINTER(Area)),
        ("run_count", ctypes.c_int32),
        ("area_count", ctypes.c_int32),
        ("undo", ctypes.POINTER(Undo)),
        ("undone", ctypes.c_int32),
        ("undo_size", ctypes.c_int32),
        ("load", LOAD),
        ("store", STORE),
        ("world", ctypes.c_void_p),
        ("due", ctypes.c_int64),
        ("exclusive", ctypes.c_int64),
        ("exclusive_value", ctypes.c_uint32),
        ("primask", ctypes.c_uint32),
        ("patience", ctypes.c_int64),
        ("why", ctypes.c_int32),
        ("where", ctypes.c_uint32),
        ("no_masks", ctypes.c_int32),
    )


def layout() -> int:
    """What ``fwgen_ops_layout`` of a library for these structures says."""
    made = LAYOUT << 56 | len(Kind) << 48
    for shift, one in ((40, Op), (32, Run), (24, Area), (16, Undo), (0, Hart)):
        made |= ctypes.sizeof(one) << shift
    return made


@cache
def library() -> Any:
    """The library, or None where there is none, or it is for other structures."""
    lib = native.library()
    return None if lib is None else _declare(lib)


def _declare(lib: Any) -> Any:
    hart = ctypes.POINTER(Hart)
    try:
        lib.fwgen_ops_layout.argtypes, lib.fwgen_ops_layout.restype = (), ctypes.c_uint64
        lib.fwgen_run_ops.argtypes, lib.fwgen_run_ops.restype = (hart,), ctypes.c_int
        lib.fwgen_link_ops.argtypes, lib.fwgen_link_ops.restype = (hart, ctypes.c_int32), None
        lib.fwgen_take_back.argtypes = (hart, ctypes.c_int32)
        lib.fwgen_take_back.restype = None
    except AttributeError:  # an older one
        return None
    return lib if lib.fwgen_ops_layout() == layout() else None
