"""What is wrong with an emission: every problem found, each with its unit and offset."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from fwgen.errors import EmissionError

ProblemKind = Literal[
    "format",  # not the wire format, or a declaration that makes no sense
    "encoding",  # the hex is not the instruction that the asm says
    "isa",  # the core does not have the instruction
    "symbol",  # a name that nothing defines
    "expression",  # a constant that cannot be computed
    "relocation",  # out of range, misaligned, or not for this instruction
    "duplicate",  # one name for two places
    "fallthrough",  # code runs off its end into something that is no code
    "size",  # too big for flash or RAM
    "vector",  # a table entry that names nothing, or is named twice
]


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong, where, and what to do about it.

    ``offset`` is in bytes from the start of ``unit``; ``line`` counts the unit's lines from 1.
    ``unit`` is empty for what concerns the whole emission.
    """

    kind: ProblemKind
    message: str
    unit: str = ""
    offset: int | None = None
    line: int | None = None
    hint: str | None = None

    @property
    def where(self) -> str:
        """The place, in words."""
        parts = [f"unit {self.unit}" if self.unit else "emission"]
        if self.line is not None:
            parts.append(f"line {self.line}")
        if self.offset is not None:
            parts.append(f"offset 0x{self.offset:x}")
        return ", ".join(parts)

    def __str__(self) -> str:
        advice = f" ({self.hint})" if self.hint else ""
        return f"{self.where}: {self.message}{advice}"


class UnsoundEmissionError(EmissionError):
    """An emission with one or more ``problems``; the message lists them all."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        first = problems[0]
        if len(problems) == 1:
            super().__init__(first.message, where=first.where, hint=first.hint)
        else:
            listed = "\n".join(f"  {problem}" for problem in problems)
            super().__init__(f"{len(problems)} problems in what was emitted:\n{listed}")
        self.problems = problems
