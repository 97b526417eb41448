"""Finds and reads boards/*.toml and boards/chips/*.toml.

One pass over a file collects every finding; ``load_board`` raises the first as a BoardError,
``check_board_file`` gives them all to someone who writes a board of their own.
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from fwgen.board.board_file import read_board
from fwgen.board.chip_file import check_against_registers, read_chip
from fwgen.board.registers import boards_folder
from fwgen.board.table import Finding, suggest
from fwgen.errors import BoardError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Callable

    from fwgen.board.types import Board, Chip


@dataclass(frozen=True, slots=True)
class BoardSummary:
    """A board that this installation knows, without its chip."""

    name: str
    title: str
    chip: str
    aliases: tuple[str, ...]
    path: Path


def _read_toml(path: Path, where: str) -> dict[str, object]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise BoardError("there is no such file", where=where) from None
    except OSError as error:
        raise BoardError(
            f"the file cannot be read: {error.strerror or error}", where=where
        ) from None
    except (ValueError, RecursionError) as error:  # not UTF-8, not TOML, or nested without end
        raise BoardError(f"the file is not valid TOML: {error}", where=where) from None


def _raise_first(findings: list[Finding]) -> None:
    if findings:
        raise findings[0].error()


def _shown(path: Path) -> str:
    """How we name a file to the user: ours as boards/..., theirs as they wrote it."""
    try:
        return f"boards/{path.relative_to(boards_folder()).as_posix()}"
    except ValueError:
        return str(path)


def _load_chip_file(path: Path) -> Chip:
    findings: list[Finding] = []
    chip = read_chip(_read_toml(path, _shown(path)), path.stem, _shown(path), findings)
    _raise_first(findings)
    return chip


@lru_cache(maxsize=16)
def load_chip(name: str) -> Chip:
    """The chip ``boards/chips/<name>.toml``. Raises BoardError."""
    folder = boards_folder() / "chips"
    path = folder / f"{name.casefold()}.toml"
    known = sorted(p.stem for p in folder.glob("*.toml"))
    if path.stem not in known:
        raise BoardError(
            f"there is no chip {name!r}", where="boards/chips", hint=suggest(name, known)
        )
    return _load_chip_file(path)


def _chips_beside(board: Path) -> Callable[[str], Chip]:
    """How a board file names its chip: one that we know, or a file beside it ("./mychip.toml")."""

    def find(name: str) -> Chip:
        return _load_chip_file(board.parent / name) if name.endswith(".toml") else load_chip(name)

    return find


def list_boards() -> list[BoardSummary]:
    """Every board in the boards folder, by name; chips are not read. Raises BoardError."""
    found = []
    for path in sorted(boards_folder().glob("*.toml")):
        data = _read_toml(path, _shown(path))
        aliases = data.get("aliases", [])
        found.append(
            BoardSummary(
                name=path.stem,
                title=str(data.get("title", path.stem)),
                chip=str(data.get("chip", "")),
                aliases=tuple(map(str, aliases)) if isinstance(aliases, list) else (),
                path=path,
            )
        )
    return found


def _folded(name: str) -> str:
    return "-".join(re.split(r"[-_\s]+", name.strip().casefold()))


def _find_board(name: str) -> Path:
    folder = boards_folder()
    wanted = _folded(name)
    direct = folder / f"{wanted}.toml"
    if wanted and "/" not in wanted and "\\" not in wanted and direct.is_file():
        return direct
    boards = list_boards()
    names: dict[str, str] = {}
    for board in boards:
        for known in (board.name, *board.aliases):
            if _folded(known) == wanted:
                return board.path
            names[_folded(known)] = board.name
    close = did_you_mean(wanted, names)
    hint = close or f"known: {', '.join(board.name for board in boards)}"
    raise BoardError(f"there is no board {name!r}", hint=hint)


def load_board(name_or_path: str | Path) -> Board:
    """A board by name, by one of its aliases, or from a TOML file of the user's own.

    Raises BoardError for an unknown name (with what was probably meant) and for the first thing
    that is wrong with the file.
    """
    text = str(name_or_path)
    own = isinstance(name_or_path, Path) or text.endswith(".toml")
    path = Path(text) if own else _find_board(text)
    findings: list[Finding] = []
    data, where = _read_toml(path, _shown(path)), _shown(path)
    board = read_board(data, path.stem, where, _chips_beside(path), findings)
    _raise_first(findings)
    assert board is not None  # read_board gives None only with a finding
    return board


def board_of_probe(board_id: str) -> Board | None:
    """The board whose probe has this id; None where it has none, or nobody knows it."""
    known = [load_board(summary.name) for summary in list_boards()] if board_id else []
    return next((board for board in known if board.probe.get("board_id") == board_id), None)


def check_board_file(path: str | Path) -> list[Finding]:
    """Everything that is wrong with a board file (or a chip file), in the order of the file.

    Looks further than loading does: chip files are also held against the register maps.
    An empty list: nothing found. Raises nothing for a bad file; an unreadable one is a finding.
    """
    path = Path(path)
    where = _shown(path)
    findings: list[Finding] = []
    try:
        data = _read_toml(path, where)
    except BoardError as error:
        return [Finding(error.where or where, error.message, error.hint)]
    if "peripherals" in data:
        chip = read_chip(data, path.stem, where, findings)
        check_against_registers(chip, where, findings)
    else:
        read_board(data, path.stem, where, _chips_beside(path), findings)
    return findings
