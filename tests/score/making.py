"""Tasks, cells and records for tests."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fwgen.contract import dump_contract
from fwgen.score.cell import Cell, Wishes
from fwgen.score.task import Task
from fwgen.score.trial import Outcome, Record, Trial
from tests.model.remote.brain import contract_of

if TYPE_CHECKING:
    from pathlib import Path

BOARD = "nucleo-f401"
BLINK = "blink LED at 2 Hz"
QUIET = 'span = "100 ms"\n\n[[expect]]\nquiet = true\n'


def a_task(prompt: str = BLINK, name: str = "a", **more: Any) -> Task:
    """A task judged by what the embedded reader makes of its prompt, or by ``contract``."""
    contract = more.pop("contract", None) or dump_contract(contract_of(prompt))
    return Task(name, name, prompt, contract, more.pop("level", 1), f"{name}.toml", **more)


def write_task(folder: Path, name: str, prompt: str, contract: str, *, needs: str = "") -> None:
    where = folder / name
    where.mkdir(parents=True)
    (where / "prompt.txt").write_text(prompt + "\n", encoding="utf-8")
    (where / "contract.toml").write_text(contract, encoding="utf-8")
    about = f'title = "{name}"\nlevel = 1\norigin = "o"\nurl = "https://example.org"\n'
    about += f'needs = ["{needs}"]\n' if needs else ""
    (where / "task.toml").write_text(about, encoding="utf-8")


def a_cell(
    task: Task | None = None, model: str = "embedded", number: int = 1, **wishes: Any
) -> Cell:
    return Cell(task or a_task(), BOARD, model, number, Wishes(**wishes))


def a_record(cell: Cell, outcome: Outcome = "pass", **more: Any) -> Record:
    return Record(
        cell.key, cell.task.name, cell.board, cell.model, cell.number, outcome,
        **{"attempts": 1, "digest": cell.task.digest, **more},
    )  # fmt: skip


def a_trial(cell: Cell, outcome: Outcome = "pass", **more: Any) -> Trial:
    return Trial(a_record(cell, outcome, **more))
