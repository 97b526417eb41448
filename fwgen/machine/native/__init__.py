"""The native code, when it was built: the block hook, and what runs known code without the engine.

Everything works without it, and the same.
"""

from __future__ import annotations

import ctypes
import os
from functools import cache
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path
from typing import Any

SWITCH = "FWGEN_NATIVE"  # "0" in the environment: as if it had not been built

LAYOUT = 6  # of the structures, as the library was built with

MOST_LOOKS = 64

SLOW = ctypes.CFUNCTYPE(None, ctypes.c_int64, ctypes.c_uint64, ctypes.c_uint32)
REFUSED = ctypes.CFUNCTYPE(
    ctypes.c_bool, ctypes.c_void_p, ctypes.c_int, ctypes.c_uint64, ctypes.c_int, ctypes.c_int64,
    ctypes.c_void_p,
)  # fmt: skip
READ = ctypes.CFUNCTYPE(
    ctypes.c_uint64, ctypes.c_uint64, ctypes.c_uint32, ctypes.c_int64, ctypes.c_int64, ctypes.c_int
)
WRITE = ctypes.CFUNCTYPE(
    None, ctypes.c_uint64, ctypes.c_uint32, ctypes.c_uint64, ctypes.c_int64, ctypes.c_int64
)
WATCHED = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_uint64, ctypes.c_uint32, ctypes.c_void_p)


class NativeClockwork(ctypes.Structure):
    """``core.Clockwork`` as C has it, with the table of known blocks."""

    _fields_ = (
        *((name, ctypes.c_int64) for name in (
            "cycle", "cost", "start", "end", "limit", "attention", "refill", "near",
            "hot", "look", "heed",
        )),
        ("slow", SLOW),
        ("table", ctypes.c_void_p),
        ("capacity", ctypes.c_int64),
        ("used", ctypes.c_int64),
        *((name, ctypes.c_int64) for name in (
            "plain", "epoch", "looks", "access_pc", "access_cycle",
        )),
        ("places", ctypes.c_void_p),
        ("places_used", ctypes.c_int64),
        ("looked", ctypes.c_void_p),
        ("reg_read", ctypes.c_void_p),
        ("reg_write", ctypes.c_void_p),
        *((name, ctypes.c_int64) for name in ("pc", "control", "epsr")),
        ("refused", REFUSED),
        ("read", READ),
        ("write", WRITE),
    )  # fmt: skip


class NativeStretch(ctypes.Structure):
    """A stretch of addresses outside memory, for the hooks of its accesses."""

    _fields_ = (("at", ctypes.POINTER(NativeClockwork)), ("base", ctypes.c_uint64))


class NativeWatch(ctypes.Structure):
    """``watch.Watch`` as C has it: ``slow`` is called where it may fault, or is to be converted."""

    _fields_ = (
        *((name, ctypes.c_int64) for name in ("base", "by", "shift", "offset", "mask")),
        ("at", ctypes.POINTER(NativeClockwork)),
        ("slow", WATCHED),
    )


class NativeLook(ctypes.Structure):
    """A read that C answered for."""

    _fields_ = (("key", ctypes.c_uint64), ("cycle", ctypes.c_int64))


@cache
def library() -> Any:
    """The library, or None where it was not built, does not load, or is switched off."""
    if os.environ.get(SWITCH) == "0":
        return None
    for suffix in EXTENSION_SUFFIXES:
        path = Path(__file__).with_name(f"_blocks{suffix}")
        if path.exists():
            try:
                return _declare(ctypes.CDLL(str(path)))
            except (OSError, AttributeError):
                return None
    return None


def _declare(lib: Any) -> Any:
    state, u64, i64 = ctypes.POINTER(NativeClockwork), ctypes.c_uint64, ctypes.c_int64
    lib.fwgen_clear.argtypes, lib.fwgen_clear.restype = (state,), None
    lib.fwgen_put.argtypes = (state, u64, i64, i64, i64, i64, i64, i64, ctypes.c_void_p)
    lib.fwgen_put.restype = ctypes.c_int
    lib.fwgen_entries.argtypes, lib.fwgen_entries.restype = (state, u64), i64
    lib.fwgen_know.argtypes, lib.fwgen_know.restype = (state, u64), None
    lib.fwgen_answer.argtypes, lib.fwgen_answer.restype = (state, u64, i64, i64, i64, i64), None
    lib.fwgen_looks.argtypes = (state, ctypes.POINTER(NativeLook))
    lib.fwgen_looks.restype = i64
    lib.fwgen_end.argtypes, lib.fwgen_end.restype = (state,), None
    lib.fwgen_on_block  # noqa: B018 - AttributeError when it is another library
    return lib if lib.fwgen_layout() == LAYOUT else None
