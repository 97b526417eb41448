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

LAYOUT = 4  # of the structures, as the library was built with

SLOW = ctypes.CFUNCTYPE(None, ctypes.c_int64, ctypes.c_uint64, ctypes.c_uint32)


class NativeClockwork(ctypes.Structure):
    """``core.Clockwork`` as C has it, with the table of known blocks."""

    _fields_ = (
        *((name, ctypes.c_int64) for name in (
            "cycle", "cost", "start", "end", "limit", "attention", "refill", "hot", "look",
            "heed",
        )),
        ("slow", SLOW),
        ("table", ctypes.c_void_p),
        ("capacity", ctypes.c_int64),
        ("used", ctypes.c_int64),
    )  # fmt: skip


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
    lib.fwgen_put.argtypes = (state, u64, i64, i64, i64, i64, i64)
    lib.fwgen_put.restype = ctypes.c_int
    lib.fwgen_entries.argtypes, lib.fwgen_entries.restype = (state, u64), i64
    lib.fwgen_on_block  # noqa: B018 - AttributeError when it is another library
    return lib if lib.fwgen_layout() == LAYOUT else None
