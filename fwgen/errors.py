"""Every error fwgen raises on purpose.

    FwgenError              message, where it is, what to do about it
    ├── InputError          something the user gave us is wrong
    │   ├── BoardError      a board or chip file, or an unknown board
    │   ├── ContractError   a contract file, or a contract that cannot be met
    │   ├── PromptError     a sentence we could not read; names the words
    │   ├── EmissionError   what a model emitted does not hold together
    │   ├── ImageError      a firmware file we cannot load or place
    │   └── UnitError       a quantity we could not parse
    ├── ModelError          a model could not be reached or gave no answer
    ├── BenchError          a bench (machine or rig) could not do its work
    │   └── RigError        the road to the real board: probe, cable, chip, port
    │       ├── WrongChipError      the chip is another than the board's; nothing was written
    │       └── ProtectedChipError  the chip's flash is protected; nothing was written
    └── OutputError         a result could not be written

Firmware that misbehaves raises nothing: that is evidence, and goes into the trace.
"""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


class FwgenError(Exception):
    """What was wrong, where, and what to do.

    ``where`` names the place as the user knows it ("boards/x.toml: parts.LD2.pin");
    ``hint`` says what to do next. Both are optional, both are whole phrases.
    """

    def __init__(self, message: str, *, where: str | None = None, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.where = where
        self.hint = hint

    def __str__(self) -> str:
        place = f"{self.where}: " if self.where else ""
        advice = f" ({self.hint})" if self.hint else ""
        return f"{place}{self.message}{advice}"


class InputError(FwgenError):
    """Something the user gave us is wrong."""


class BoardError(InputError):
    """A board or chip description is wrong, or there is no such board."""


class ContractError(InputError):
    """A contract cannot be read, names what the board lacks, or contradicts itself."""


class PromptError(InputError):
    """A sentence could not be read in full; ``words`` are the ones not understood."""

    def __init__(
        self,
        message: str,
        *,
        words: tuple[str, ...] = (),
        where: str | None = None,
        hint: str | None = None,
    ) -> None:
        super().__init__(message, where=where, hint=hint)
        self.words = words


class EmissionError(InputError):
    """What a model emitted does not hold together; ``where`` is unit and offset."""


class ImageError(InputError):
    """A firmware file cannot be loaded, or does not fit the chip."""


class UnitError(InputError):
    """A quantity with a unit could not be parsed."""


class ModelError(FwgenError):
    """A model could not be reached, or gave no usable answer."""


class BenchError(FwgenError):
    """A bench could not do its work (not: the firmware misbehaved)."""


class RigError(BenchError):
    """Something on the road to the real board fails: probe, cable, chip or port."""


class WrongChipError(RigError):
    """The chip is not the one that the board has; nothing was written to it."""


class ProtectedChipError(RigError):
    """The chip's flash is protected against what was asked; nothing was written to it."""


class OutputError(FwgenError):
    """A result could not be written; nothing was half-written."""


def did_you_mean(word: str, known: Iterable[str]) -> str | None:
    """A hint that names the closest known words, or None when nothing is close."""
    pool = {name.casefold(): name for name in known}
    close = get_close_matches(word.casefold(), pool, n=3, cutoff=0.6)
    return f"did you mean {' or '.join(pool[name] for name in close)}?" if close else None
