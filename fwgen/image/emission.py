"""What a model gives: what an object file holds, with the model's beliefs beside the bytes.

Nothing here assumes who emits. The hex is what runs; ``asm`` is what it is held against.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Relocation:
    """A place to be filled by the linker: ELF type name without "R_ARM_", and a symbol.

    Types: THM_CALL, THM_JUMP24, THM_JUMP19, THM_JUMP11, THM_JUMP8, THM_JUMP6, THM_PC8,
    THM_PC12, THM_ALU_PREL_11_0, THM_MOVW_ABS_NC, THM_MOVT_ABS, ABS32. Where a value and not a
    place is wanted (the last three), ``symbol`` may be an expression: "CLK/1000 - 1".
    RELA meaning: the bits in place are overwritten; ``addend`` (bytes) is all there is.
    Source: ELF for the Arm Architecture (AAELF32) §5.6.
    """

    type: str
    symbol: str
    addend: int = 0


@dataclass(frozen=True, slots=True)
class CodeLine:
    """One instruction: what the model believes it wrote, and the bytes it wrote (memory order)."""

    asm: str
    code: bytes
    relocation: Relocation | None = None
    label: str | None = None  # a local label on this instruction
    comment: str = ""  # why, for the listing


@dataclass(frozen=True, slots=True)
class WordLine:
    """One 32-bit constant: an expression over integers, board symbols and labels."""

    expression: str
    comment: str = ""


PROVEN = "proven block "  # what the purpose of a unit begins with that a model named, not wrote

Kind = Literal["code", "words", "bytes", "zero"]


@dataclass(frozen=True, slots=True)
class Unit:
    """A run of code, constants, text or zeroed RAM under one label.

    ``kind`` "code": ``lines`` are CodeLine; "words": WordLine; "bytes": ``data``;
    "zero": ``size`` bytes of RAM, zero at reset only if the emission itself clears it.
    ``align`` in bytes (a power of two). ``purpose`` is one phrase for the listing.
    """

    label: str
    kind: Kind
    lines: tuple[CodeLine | WordLine, ...] = ()
    data: bytes = b""
    size: int = 0
    align: int = 0  # 0: the kind's own (code 2, words 4, bytes 1, zero 4)
    purpose: str = ""


@dataclass(frozen=True, slots=True)
class Emission:
    """A whole firmware before linking.

    ``vectors`` maps an exception or interrupt ("Reset", "SysTick", "TIM2", "EXTI15_10", or a
    number as text: "15") to a code label; entry 0 (initial MSP) is the linker's.
    ``plan`` is the model's own words: registers and arithmetic, for the listing's head.
    """

    plan: str
    units: tuple[Unit, ...]
    vectors: tuple[tuple[str, str], ...]
