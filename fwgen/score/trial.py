"""Tries one cell. Runs wherever an executor runs it; what it needs and gives is plain data."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal, get_args

from fwgen.errors import (
    BenchError,
    EmissionError,
    FwgenError,
    InputError,
    ModelError,
    PromptError,
)
from fwgen.image.problems import UnsoundEmissionError
from fwgen.model.protocol import Samples, TakesContract

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fwgen.board.types import Board
    from fwgen.contract import Contract
    from fwgen.image.emission import Emission
    from fwgen.model.protocol import Feedback, Model, Reading
    from fwgen.pipeline import Result
    from fwgen.score.cell import Cell

Outcome = Literal["pass", "fail", "unsure", "refused", "error"]
"""Only pass counts as passed. fail: its firmware departs from the contract, or it made none that
holds together. unsure: nobody can tell. refused: it says that it does not understand, or will not.
error: it could not be asked, or the bench broke: that says nothing about the model."""
OUTCOMES: tuple[Outcome, ...] = get_args(Outcome)

_REFUSED = "the model refused to answer"  # how fwgen.model.remote says so
VERSION = 1


@dataclass(frozen=True, slots=True)
class Record:
    """What came of a cell. Sizes in bytes, ``cost`` in US dollars (None: price not known).

    ``attempts`` is how many emissions there were, ``said`` why it did not pass;
    ``awake_cycles`` of the core over ``span_ps`` of the contract's run.
    """

    key: str
    task: str
    board: str
    model: str
    number: int
    outcome: Outcome
    said: str = ""
    attempts: int = 0
    tokens_read: int = 0
    tokens_written: int = 0
    cost: str | None = None
    flash_bytes: int | None = None
    ram_bytes: int | None = None
    awake_cycles: int | None = None
    span_ps: int | None = None
    seconds: float = 0.0
    digest: str = ""  # of the task: an old record of a task that has changed since is told apart

    @property
    def passed(self) -> bool:
        """Whether its firmware was proven."""
        return self.outcome == "pass"

    @property
    def measured(self) -> bool:
        """Whether it tells something about the model."""
        return self.outcome != "error"

    def data(self) -> dict[str, Any]:
        """As it is kept, one line of JSON."""
        return {"fwgen_score": VERSION, **asdict(self)}

    @classmethod
    def of(cls, data: Mapping[str, Any]) -> Record:
        """From what ``data`` gave. Raises ValueError for what is none."""
        if data.get("fwgen_score") != VERSION or data.get("outcome") not in OUTCOMES:
            raise ValueError("is no record of a score")
        try:
            return cls(**{k: v for k, v in data.items() if k != "fwgen_score"})
        except TypeError:
            raise ValueError("is no record of a score of this version") from None


@dataclass(frozen=True, slots=True)
class Trial:
    """A Record, and the files that go beside it by what follows their label."""

    record: Record
    files: Mapping[str, bytes] = field(default_factory=dict)


def attempt(cell: Cell) -> Trial:
    """Try a cell; whatever goes wrong comes back as a Trial. Raises KeyboardInterrupt only."""
    began = time.monotonic()
    blank = Record(
        cell.key, cell.task.name, cell.board, cell.model, cell.number, "error",
        digest=cell.task.digest,
    )  # fmt: skip
    heard: _Heard | None = None
    try:
        from fwgen.score.models import open_model

        model, number = open_model(cell)
        heard = (_Taking if isinstance(model, TakesContract) else _Heard)(model, number)
        trial = _tried(cell, heard, blank)
    except FwgenError as error:
        outcome, said = _why_none(error, heard)
        trial = Trial(replace(blank, outcome=outcome, said=said))
    except Exception as error:  # noqa: BLE001 - one broken cell must not end the others
        said = f"fwgen itself failed: {type(error).__name__}: {error}"
        trial = Trial(replace(blank, said=said))
    record = replace(trial.record, seconds=round(time.monotonic() - began, 3))
    return _with_spent(Trial(record, trial.files), heard)


def _tried(cell: Cell, heard: _Heard, blank: Record) -> Trial:
    from fwgen.board import load_board
    from fwgen.image.write import hex_bytes
    from fwgen.pipeline import generate

    board = load_board(cell.board)
    contract = cell.task.contract_for(board)
    result = generate(
        cell.task.prompt, board, model=heard, contract=contract, attempts=cell.wishes.attempts
    )
    outcome, said = _outcome(cell, result, heard)
    image, trace = result.proof.image, result.proof.trace
    return Trial(
        replace(
            blank, outcome=outcome, said=said, attempts=result.attempts,
            flash_bytes=image.flash_used, ram_bytes=image.ram_used,
            awake_cycles=trace.awake_cycles, span_ps=trace.span_ps,
        ),
        {".hex": hex_bytes(image)},
    )  # fmt: skip


def _outcome(cell: Cell, result: Result, heard: _Heard) -> tuple[Outcome, str]:
    """What a firmware that was made is worth."""
    verdict = result.proof.verdict
    if not result.passed:
        broke = heard.error
        if isinstance(broke, ModelError) and _is_endpoint(broke):
            return "error", f"after {result.attempts} attempts: {broke}"
        bad = [f for f in verdict.all if f.outcome is verdict.outcome]
        return verdict.outcome.value, bad[0].text if bad else ""
    if cell.task.needs:
        # What such a contract can ask for, another firmware can fake.
        needs = ", ".join(cell.task.needs)
        return "unsure", f"seen as asked, but nothing here can tell whether {needs} was used"
    return "pass", ""


def _why_none(error: FwgenError, heard: _Heard | None) -> tuple[Outcome, str]:
    """What it means that there is no firmware at all."""
    trusted = heard is None or heard.trusted
    outcome: Outcome = "error"
    match error:
        case PromptError():
            outcome = "refused"
        case UnsoundEmissionError() | EmissionError():
            outcome = "fail"
            broke = heard.error if heard is not None else None
            if isinstance(broke, ModelError) and _is_endpoint(broke):
                return "error", f"{broke} (before that: {error})"
        case BenchError():
            outcome = "error" if trusted else "fail"
        case ModelError():
            if trusted or error.message.startswith(_REFUSED):
                outcome = "refused"
            elif _is_spent(error):
                outcome = "fail" if heard is not None and heard.answers else "error"
    return outcome, str(error)


def _is_endpoint(error: ModelError) -> bool:
    """Whether it is about reaching the model: such errors name the model, others do not."""
    return error.where is not None and not _is_spent(error)


def _is_spent(error: ModelError) -> bool:
    from fwgen.model.remote.budget import BudgetSpentError

    return isinstance(error, BudgetSpentError)


def _with_spent(trial: Trial, heard: _Heard | None) -> Trial:
    """What it took, and its transcript."""
    from fwgen.model import is_remote

    if heard is None:
        return trial
    model, record, files = heard.model, trial.record, dict(trial.files)
    record = replace(record, attempts=max(record.attempts, heard.emissions))
    if is_remote(model):
        from fwgen.score.models import TRANSCRIPT

        try:
            budget = model.budget
        except InputError:
            return trial
        cost = budget.cost
        record = replace(
            record, tokens_read=budget.read, tokens_written=budget.written,
            cost=None if cost is None else f"{float(cost):.6f}",
        )  # fmt: skip
        if transcript := model.transcript():
            files[TRANSCRIPT] = transcript
        model.close()
    return Trial(record, files)


class _Heard:
    """A model in one of its conversations, and what went wrong in it."""

    def __init__(self, model: Model, number: int) -> None:
        self.model = model
        self.trusted = getattr(model, "trusted", False)
        self.error: FwgenError | None = None
        self.emissions = 0
        self._emitting = model.sample(number) if isinstance(model, Samples) else model

    @property
    def name(self) -> str:
        return self.model.name

    @property
    def answers(self) -> int:
        """How many answers came from a remote model."""
        from fwgen.model import is_remote

        return self.model.budget.calls if is_remote(self.model) else self.emissions

    def read(self, prompt: str, board: Board) -> Reading:
        return self.model.read(prompt, board)

    def emit(self, reading: Reading, feedback: Feedback | None = None) -> Emission:
        try:
            made = self._emitting.emit(reading, feedback)
        except UnsoundEmissionError:
            self.emissions += 1
            raise
        except FwgenError as error:
            self.error = error
            raise
        self.emissions += 1
        return made


class _Taking(_Heard):
    """A model that need not read where the contract is given."""

    def take(self, prompt: str, board: Board, contract: Contract) -> Reading:
        assert isinstance(self.model, TakesContract)
        return self.model.take(prompt, board, contract)
