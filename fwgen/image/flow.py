"""What an instruction says about where control and values go.

A thin reading of what the decoder knows, enough to follow code through memory.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fwgen.thumb import decode, decode_all

if TYPE_CHECKING:
    from fwgen.thumb import Decoded

_IT = re.compile(r"it[te]{0,3}")
_LONGEST_BLOCK = 2 + 4 * 4  # bytes: an IT and four 32-bit instructions


@dataclass(frozen=True, slots=True)
class Step:
    """One instruction: its name without width suffix or condition, and its operands."""

    address: int
    size: int
    text: str
    name: str
    operands: tuple[str, ...]
    conditional: bool = False  # it may not execute, or it may not branch
    leaves: bool = False  # it writes pc
    is_call: bool = False  # and control comes back
    target: int | None = None  # of a direct branch or call
    literal: int | None = None  # the address of a pc-relative load

    @property
    def end(self) -> int:
        """Address of the next instruction in memory."""
        return self.address + self.size

    @property
    def falls_through(self) -> bool:
        """Whether the next instruction in memory may run after this one."""
        return self.conditional or self.is_call or not self.leaves


def steps_of(code: bytes, address: int) -> list[Step]:
    """Instructions in a row until the bytes end or are no instruction."""
    found: list[Step] = []
    for decoded in decode_all(code, address):
        if not decoded.valid:
            break
        found.append(_step(decoded))
    return found


def next_steps(code: bytes, address: int) -> list[Step]:
    """The instruction at the start of ``code``; an IT comes with the block it governs."""
    first = decode(code[:4], address)
    if not first.valid:
        return []
    step = _step(first)
    length = it_length(step)
    return steps_of(code[:_LONGEST_BLOCK], address)[: 1 + length] if length else [step]


def it_length(step: Step) -> int:
    """How many instructions an IT makes conditional; 0 for any other instruction."""
    return len(step.name) - 1 if _IT.fullmatch(step.name) else 0


def _step(decoded: Decoded) -> Step:
    name, dot, suffix = decoded.mnemonic.lower().partition(".")
    if decoded.condition and name.endswith(decoded.condition):
        name = name.removesuffix(decoded.condition)
    if dot and suffix not in ("w", "n"):
        name += dot + suffix  # the type of a floating-point instruction
    return Step(
        decoded.address,
        decoded.size,
        decoded.text,
        name,
        split_operands(decoded.operands),
        conditional=decoded.condition is not None or name in ("cbz", "cbnz"),
        leaves=decoded.is_branch or name == "udf",
        is_call=decoded.is_call,
        target=decoded.target,
        literal=decoded.literal,
    )


def split_operands(text: str) -> tuple[str, ...]:
    """Operands at the commas outside brackets and braces."""
    parts, depth, start = [], 0, 0
    for at, char in enumerate(text):
        depth += (char in "[{") - (char in "]}")
        if char == "," and not depth:
            parts.append(text[start:at].strip())
            start = at + 1
    parts.append(text[start:].strip())
    return tuple(part for part in parts if part)


def number(text: str) -> int | None:
    """The value of "#4", "0x10" or "#-8", or None for anything else."""
    try:
        return int(text.strip().removeprefix("#"), 0)
    except ValueError:
        return None
