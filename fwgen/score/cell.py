"""What is tried: one task on one board by one model, once. Plain data that travels anywhere."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from fwgen.errors import ContractError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fwgen.score.task import Task


@dataclass(frozen=True, slots=True)
class Wishes:
    """What one sample may take, and how it is asked for; as the options of a prompt have it.

    ``max_cost`` in US dollars, as text (so that no binary fraction rounds it).
    """

    attempts: int = 3
    max_tokens: int | None = None
    max_cost: str | None = None
    timeout_s: float | None = None
    pure: bool = False


@dataclass(frozen=True, slots=True)
class Cell:
    """One sample of a model at a task on a board; ``number`` counts samples from 1.

    ``price`` are US dollars for a token read and one written, where that is known.
    """

    task: Task
    board: str
    model: str
    number: int
    wishes: Wishes
    price: tuple[str, str] | None = None

    @property
    def key(self) -> str:
        """The same for the same question: all that an answer can depend on, digested.

        A changed task, own board file or version of fwgen is another question.
        """
        own = Path(self.board)
        asked = {
            "task": self.task.name,
            "prompt": self.task.prompt,
            "contract": self.task.contract,
            "needs": self.task.needs,
            "board": own.read_text() if self.board.endswith(".toml") else self.board,
            "model": self.model,
            "number": self.number,
            "fwgen": version("fwgen"),
        }
        if self.model != "embedded":  # which has one answer, and takes nothing
            asked |= asdict(self.wishes)
        text = json.dumps(asked, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    @property
    def label(self) -> str:
        """A name for people and for files: "blink nucleo-f401 xai-grok-4 1"."""
        board = Path(self.board).stem if self.board.endswith(".toml") else self.board
        model = "".join(c if c.isalnum() or c in ".-" else "-" for c in self.model)
        return f"{self.task.name} {board} {model[-40:]} {self.number}"


@dataclass(frozen=True, slots=True)
class Plan:
    """The cells of a score in the order of its table; ``left_out`` tells what a board lacks."""

    tasks: tuple[Task, ...]
    boards: tuple[str, ...]
    models: tuple[str, ...]
    cells: tuple[Cell, ...]
    left_out: tuple[str, ...] = ()


def plan(
    tasks: Sequence[Task],
    boards: Sequence[str],
    models: Sequence[str],
    *,
    samples: int = 1,
    wishes: Wishes | None = None,
) -> Plan:
    """Every cell of so many samples: by task, then board, model and sample.

    A model whose answers are the same every time has one sample, transcripts as many as there are.
    A task that a board has no pins for is left out there, and told.

    Raises InputError for a model that cannot be asked, BoardError, and ContractError for a
    contract that fits none of the boards.
    """
    from fwgen.board import load_board
    from fwgen.score.models import look_at

    wishes = wishes or Wishes()
    boards, models = tuple(dict.fromkeys(boards)), tuple(dict.fromkeys(models))
    about = {name: look_at(name, wishes) for name in models}
    loaded = {name: load_board(name) for name in boards}
    cells: list[Cell] = []
    left_out: list[str] = []
    for task in tasks:
        fits: list[str] = []
        wrong: ContractError | None = None
        for name, board in loaded.items():
            try:
                task.contract_for(board)
                fits.append(name)
            except ContractError as error:
                wrong = error
                left_out.append(f"{task.name} on {name}: {error}")
        if wrong is not None and not fits:
            raise wrong
        cells += [
            Cell(task, board, model, number, wishes, about[model].price)
            for board in fits
            for model in models
            for number in range(
                1, about[model].samples(task.prompt, loaded[board].name, samples) + 1
            )
        ]
    return Plan(tuple(tasks), boards, models, tuple(cells), tuple(left_out))
