"""What a core cannot run: instructions it lacks, encodings that are UNDEFINED or UNPREDICTABLE.

Emulators let much of this pass; silicon faults, or does what the manual does not say.
Source: Arm ARM DDI0403 A5, A7; DDI0419 (ARMv6-M) A5, A6; DDI0553 (ARMv8-M) C2.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from fwgen.thumb.forms import Match, is_wide, recognise

CORES: dict[str, frozenset[str]] = {
    "cortex-m0": frozenset(),
    "cortex-m0plus": frozenset(),
    "cortex-m3": frozenset({"v7m"}),
    "cortex-m4": frozenset({"v7m", "dsp"}),
    "cortex-m4f": frozenset({"v7m", "dsp", "fp"}),
    "cortex-m7": frozenset({"v7m", "dsp", "fp", "fp5", "dp"}),
    "cortex-m33": frozenset({"v7m", "dsp", "fp", "fp5", "v8m"}),
}
_LACKS = {
    "v7m": "an ARMv7-M instruction",
    "dsp": "a DSP instruction",
    "fp": "a floating-point instruction",
    "fp5": "an FPv5 instruction",
    "dp": "a double-precision instruction",
    "v8m": "an ARMv8-M instruction",
}
# ARMv6-M has these registers only (DDI0419 B4.1); BASEPRI_MAX and FAULTMASK came with v7-M.
_V7M_SYSTEM = {17, 18, 19}
_V8M_SYSTEM = {10, 11}


@dataclass(frozen=True, slots=True)
class Problem:
    """One instruction that a core cannot run as meant."""

    offset: int
    code: bytes
    kind: str  # "undefined", "missing" (another core has it) or "unpredictable"
    message: str


@lru_cache(maxsize=65536)
def _fault(code: bytes, core: str) -> tuple[str, str] | None:
    """What is wrong with one instruction by itself."""
    if len(code) == 2 and is_wide(int.from_bytes(code, "little")):
        return "undefined", "half of a 32-bit instruction"
    match = recognise(code)
    if match is None:
        return "undefined", "not an instruction"
    has = CORES[core]
    name = match.form.show(match.fields) if match.fault is None else match.form.texts[0]
    lacks = match.form.needs - has
    if lacks:
        # The most telling lack: an M0 told that it has no double precision would be misled.
        first = next(feature for feature in _LACKS if feature in lacks)
        return "missing", f"{name} is {_LACKS[first]}, which {core} does not have"
    if match.fault is not None:
        return "unpredictable", f"{name}: {match.fault}"
    system = match.fields.get("s") if match.form.cost == "system" else None
    if system is not None and (
        (system in _V7M_SYSTEM and "v7m" not in has) or (system in _V8M_SYSTEM and "v8m" not in has)
    ):
        return "unpredictable", f"{name}: {core} has no such special register"
    return None


def _problems(code: bytes, core: str) -> Iterator[Problem]:
    at, size, block = 0, len(code), 0  # block: the instructions left in the IT block
    while at < size:
        length = 2
        if size - at >= 4 and is_wide(code[at] | code[at + 1] << 8):
            length = 4
        one = code[at : at + length]
        fault = ("undefined", "half an instruction") if len(one) < 2 else _fault(one, core)
        if fault is None and block:
            fault = _in_it(one, block)
        if fault is not None:
            yield Problem(at, one, *fault)
        block = max(0, block - 1)
        if one[-1:] == b"\xbf" and length == 2 and one[0] & 15:
            block = 4 - ((one[0] & -one[0]).bit_length() - 1)
        at += length


def _in_it(code: bytes, left: int) -> tuple[str, str] | None:
    """What is wrong with an instruction inside an IT block with ``left`` to go. A7.7.37."""
    match = recognise(code)
    if match is None:
        return None
    name = match.form.show(match.fields)
    if match.form.barred_in_it:
        return "unpredictable", f"{name} may not stand in an IT block"
    if left > 1 and leaves(match):
        return "unpredictable", f"{name} may only be the last of an IT block"
    return None


def leaves(match: Match) -> bool:
    """Whether an instruction may write pc."""
    return match.form.leaves(match.fields)


def check(code: bytes, core: str) -> list[Problem]:
    """Every problem of a run of instructions on a core.

    Raises: KeyError for a core that CORES does not name.
    """
    return list(_problems(code, core))


def first_problem(code: bytes, core: str) -> Problem | None:
    """The first problem of a run of instructions on a core, or None; quick on code seen before."""
    return next(_problems(code, core), None)
