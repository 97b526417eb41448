"""The models that are scored: found by the names that ``--model`` takes, one for each sample.

``replay:FOLDER`` plays back every transcript of a folder (a score leaves one), each for the
prompt and board that it is of; ``replay:FILE`` a single one.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

from fwgen.errors import InputError
from fwgen.model import REPLAY, find_model, is_remote

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fwgen.model.protocol import Model
    from fwgen.score.cell import Cell, Wishes

TRANSCRIPT = ".transcript.jsonl"


@dataclass(frozen=True, slots=True)
class About:
    """What is known of a model before it is asked.

    ``varies``: its samples differ. ``price``: US dollars for a token read and one written.
    ``kept``: of transcripts, how many there are by prompt and board.
    """

    varies: bool
    price: tuple[str, str] | None = None
    kept: Mapping[tuple[str, str], int] | None = None

    def samples(self, prompt: str, board: str, asked: int) -> int:
        """How many samples there is sense in, where so many are asked for."""
        if self.kept is not None:
            return min(asked, self.kept.get((prompt, board), 0))
        return asked if self.varies else 1


def look_at(name: str, wishes: Wishes) -> About:
    """Find out, before anything is spent, whether a model can be asked, and at what price.

    Raises InputError where it cannot, and for a limit of cost without a price.
    """
    if name.startswith(REPLAY):
        return _replayed(name)
    model = find_model(name)
    if not is_remote(model):
        from fwgen.model.protocol import Samples

        return About(varies=isinstance(model, Samples))
    if wishes.max_cost is not None:
        model.look_up_price()
        _limit(model, wishes)
        model.budget.check()
    price = model.price
    return About(varies=True, price=(str(price.input), str(price.output)) if price else None)


def open_model(cell: Cell) -> tuple[Model, int]:
    """The model of a cell, with the cell's limits, and which of its conversations to have.

    Raises InputError.
    """
    name, number = cell.model, cell.number
    if name.startswith(REPLAY):
        path = _transcript_of(cell)
        name, number = f"{REPLAY}{path}", _sample_in(path)
    model = find_model(name)
    if is_remote(model):
        if cell.price is not None:
            from fwgen.model.remote.settings import Price

            model.price = Price(Fraction(cell.price[0]), Fraction(cell.price[1]))
        _limit(model, cell.wishes)
    return model, number


def _limit(model: Model, wishes: Wishes) -> None:
    from fwgen.model.remote.budget import TIMEOUT_S, Limits
    from fwgen.model.remote.model import Options

    assert is_remote(model)
    cost = None if wishes.max_cost is None else Fraction(wishes.max_cost)
    limits = Limits(wishes.max_tokens, cost, wishes.timeout_s or TIMEOUT_S)
    model.options = Options(limits, pure=wishes.pure)


def _replayed(name: str) -> About:
    """What transcripts there are; raises InputError where there is none."""
    known = _transcripts(Path(name.removeprefix(REPLAY)))
    return About(varies=True, kept={key: len(files) for key, files in known.items()})


def _transcripts(path: Path) -> dict[tuple[str, str], list[Path]]:
    """Transcripts by the prompt and the board that they are of; each list in order of samples."""
    from fwgen.model.remote.transcript import load_transcript

    files = sorted(path.glob("*.jsonl"), key=_natural) if path.is_dir() else [path]
    if not files:
        raise InputError("there is no transcript here", where=str(path))
    found: dict[tuple[str, str], list[Path]] = {}
    for file in files:
        header = load_transcript(file).header
        key = str(header.get("prompt", "")), str(header.get("board", ""))
        found.setdefault(key, []).append(file)
    return found


def _natural(path: Path) -> tuple[int, str]:
    number = path.name.removesuffix(TRANSCRIPT).rpartition(" ")[2]
    return int(number) if number.isdigit() else 0, path.name


def _sample_in(path: Path) -> int:
    """Which conversation a transcript holds: the first one, where it holds several."""
    from fwgen.model.remote.transcript import load_transcript

    talks = (talk.removeprefix("sample ") for talk, _ in load_transcript(path).exchanges)
    return min((int(talk) for talk in talks if talk.isdigit()), default=1)


def _transcript_of(cell: Cell) -> Path:
    from fwgen.board import load_board

    path = Path(cell.model.removeprefix(REPLAY))
    found = _transcripts(path).get((cell.task.prompt, load_board(cell.board).name), [])
    if len(found) < cell.number:
        raise InputError(
            f"there are {len(found)} transcripts of this task, not {cell.number}", where=str(path)
        )
    return found[cell.number - 1]
