"""``service.c``'s structures, as C has them."""

from __future__ import annotations

import ctypes
from functools import cache
from typing import Any

from fwgen.machine.native import ops

WOKE, SLEPT, RECEIVED, SENT = range(4)  # kinds of what happened
SR, DR, BRR, CR1, CR2, CR3 = range(6)  # registers of the port, by the order of their offsets
REGISTERS = 6
NEVER = -1  # a time
WORDS = 3  # of what happened

_i64, _i32, _u32 = ctypes.c_int64, ctypes.c_int32, ctypes.c_uint32


class Clock(ctypes.Structure):
    """``machine.time.ClockDomain``: tick n lies at ``time0 + (n - ticks0) * den // num``."""

    _fields_ = (("time0", _i64), ("ticks0", _i64), ("num", _i64), ("den", _i64))


class Happened(ctypes.Structure):
    """What goes into the trace: ``WORDS`` words; ``kind`` is that of a frame with its byte << 8."""

    _fields_ = (("t_ps", _i64), ("start_ps", _i64), ("kind", _i64))


class Course(ctypes.Structure):
    """What serving changes."""

    _fields_ = (
        ("r", _u32 * 16), ("nzcv", _u32),
        *((name, _i64) for name in (
            "cycle", "cost", "refill", "end", "start", "now_ps",
            "sr", "cr1", "dr", "rdr", "tdr", "seen",
            "content", "start_tick", "end_tick", "start_ps", "end_ps",
            "received", "over", "asked", "end_order", "sample_order", "sent_order",
            "asleep_since", "asleep_cycles",
            "read_ps", "asked_ps", "entered_ps", "fell_ps",
        )),
        *((name, _i32) for name in (
            "level", "pending", "active", "asleep", "happened", "served",
        )),
        ("frame", _u32), ("unused", _u32),
    )  # fmt: skip


class Service(ctypes.Structure):
    """All of it: see ``service.c``."""

    _fields_ = (
        ("course", Course), ("kept", Course), ("hart", ops.Hart),
        ("hclk", Clock), ("kernel", Clock), ("until_ps", _i64),
        *((name, _u32) for name in (
            "handler", "link", "status", "aligned", "least", "frame_size", "process", "main",
            "sleeps_on_exit", "base",
        )),
        *((name, _i64) for name in ("entry_cycles", "return_cycles", "vector_cycles")),
        ("offsets", _u32 * REGISTERS), ("readable", _u32 * REGISTERS),
        ("tells", _u32 * REGISTERS), ("held", _u32 * REGISTERS),
        ("free_bits", _u32), ("room", _i32),
        *((name, _i64) for name in ("frame_ticks", "frames", "began", "step", "sampled")),
        ("data", ctypes.c_char_p), ("told", ctypes.POINTER(Happened)),
    )  # fmt: skip


@cache
def library() -> Any:
    """The library, or None where there is none, or it is for other structures."""
    lib = ops.library()
    if lib is None:
        return None
    try:
        lib.fwgen_serve.argtypes, lib.fwgen_serve.restype = (ctypes.POINTER(Service),), _i32
        lib.fwgen_service_layout.argtypes, lib.fwgen_service_layout.restype = (), _i64
    except AttributeError:  # an older one
        return None
    return lib if lib.fwgen_service_layout() == layout() else None


def layout() -> int:
    """What ``fwgen_service_layout`` of a library for these structures says."""
    return ctypes.sizeof(Service) << 32 | ctypes.sizeof(Course)
