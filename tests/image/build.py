"""Emissions for tests, written as assembly and encoded by fwgen's own assembler."""

from __future__ import annotations

from fwgen.image.emission import CodeLine, Emission, Relocation, Unit, WordLine
from fwgen.thumb import encode


def code(label: str, *lines: str, purpose: str = "") -> Unit:
    """A code unit from "label: asm @ TYPE symbol" lines, encoded by our own assembler."""
    made = []
    for line in lines:
        text, _, rel = line.partition("@")
        name, colon, asm = text.partition(":")
        asm, name = (asm.strip(), name.strip()) if colon else (text.strip(), "")
        kind, _, symbol = rel.strip().partition(" ")
        relocation = Relocation(kind, symbol) if rel else None
        made.append(CodeLine(asm, encode(asm), relocation, name or None))
    return Unit(label, "code", tuple(made), purpose=purpose)


def words(label: str, *expressions: str) -> Unit:
    return Unit(label, "words", tuple(WordLine(text) for text in expressions))


def emission(
    *units: Unit, vectors: tuple[tuple[str, str], ...] = (("Reset", "reset"),)
) -> Emission:
    return Emission("a plan", units, vectors)


HALT = "halt: b halt @THM_JUMP11 halt"
SPIN = code("reset", "b reset @THM_JUMP11 reset")
