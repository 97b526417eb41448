"""What fwgen asks of an AI model: read a sentence, emit machine code.

A model is named "provider" or "provider/name" on the command line ("embedded"). It never judges
itself: what it emits is linked, run and judged by others, and it hears what was seen.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    from fwgen.bench import Look
    from fwgen.board.types import Board
    from fwgen.contract import Contract
    from fwgen.image.emission import Emission
    from fwgen.image.problems import Problem
    from fwgen.image.types import Image
    from fwgen.trace import Trace
    from fwgen.verdict import Verdict


@dataclass(frozen=True, slots=True)
class Reading:
    """What a sentence was understood to mean.

    ``understood`` says it back, one phrase a clause; ``assumed`` tells what the sentence left
    open and how it was filled in; ``contract`` states what must be seen. ``board`` is the board
    it was read for; ``meaning`` is the model's own, opaque to others. ``doubts`` are the points
    in which another reader understood it otherwise.
    """

    prompt: str
    understood: tuple[str, ...]
    contract: Contract
    board: Board
    assumed: tuple[str, ...] = ()
    meaning: object = None
    doubts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Feedback:
    """Why the last emission was refused.

    ``problems`` says it in words, and is never empty. ``emission`` is None where what came was
    none; ``unsound`` has what the linker found; ``image``, ``trace`` and ``verdict`` are there
    where it ran; ``look`` shows the board at the first departure.
    """

    emission: Emission | None
    problems: tuple[str, ...]
    unsound: tuple[Problem, ...] = ()
    image: Image | None = None
    trace: Trace | None = None
    verdict: Verdict | None = None
    look: Look | None = None


class Model(Protocol):
    """Reads sentences and emits firmware.

    A model may also have ``trusted = True`` (its firmware runs in this process; any other's runs
    in a confined worker), and be a TakesContract or a Samples.
    """

    @property
    def name(self) -> str:
        """As the user names it ("embedded")."""
        ...

    def read(self, prompt: str, board: Board) -> Reading:
        """Understand a sentence in full. Raises PromptError naming the words not understood."""
        ...

    def emit(self, reading: Reading, feedback: Feedback | None = None) -> Emission:
        """Emit firmware for what was read.

        Raises UnsoundEmissionError for an answer that is no emission (it counts as an attempt),
        ModelError when the model has nothing (more) to give.
        """
        ...


@runtime_checkable
class TakesContract(Protocol):
    """A model that need not read the sentence where the contract is given."""

    def take(self, prompt: str, board: Board, contract: Contract) -> Reading:
        """A Reading that holds this contract."""
        ...


@runtime_checkable
class Samples(Protocol):
    """A model that can be asked several times, side by side."""

    def sample(self, number: int) -> Model:
        """The model in a conversation of its own; ``number`` counts from 1."""
        ...
