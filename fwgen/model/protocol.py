"""What fwgen asks of an AI model: read a sentence, emit machine code.

A model is named "provider" or "provider/name" on the command line ("embedded"). It never judges
itself: what it emits is linked, run and judged by others, and it hears what was seen.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from fwgen.board.types import Board
    from fwgen.contract import Contract
    from fwgen.image.emission import Emission


@dataclass(frozen=True, slots=True)
class Reading:
    """What a sentence was understood to mean.

    ``understood`` says it back, one phrase a clause; ``assumed`` tells what the sentence left
    open and how it was filled in; ``contract`` states what must be seen. ``board`` is the board
    it was read for; ``meaning`` is the model's own, opaque to others.
    """

    prompt: str
    understood: tuple[str, ...]
    contract: Contract
    board: Board
    assumed: tuple[str, ...] = ()
    meaning: object = None


@dataclass(frozen=True, slots=True)
class Feedback:
    """Why the last emission was refused: link problems, or what was seen and where it departed."""

    emission: Emission
    problems: tuple[str, ...]


class Model(Protocol):
    """Reads sentences and emits firmware."""

    @property
    def name(self) -> str:
        """As the user names it ("embedded")."""
        ...

    def read(self, prompt: str, board: Board) -> Reading:
        """Understand a sentence in full. Raises PromptError naming the words not understood."""
        ...

    def emit(self, reading: Reading, feedback: Feedback | None = None) -> Emission:
        """Emit firmware for what was read. Raises ModelError when it has nothing (more) to give."""
        ...
