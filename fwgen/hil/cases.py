"""Folders with a firmware and its contract, as tests: what ``fwgen --out`` leaves behind."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from fwgen.errors import InputError, PromptError

if TYPE_CHECKING:
    from fwgen.board.types import Board
    from fwgen.contract import Contract
    from fwgen.hil.board import Firmware

CONTRACT, PROMPT = "contract.toml", "prompt.txt"
IMAGES = ("firmware.hex", "firmware.elf", "firmware.bin")


@dataclass(frozen=True, slots=True)
class Case:
    """A folder with a contract, and the firmware or the prompt that is to meet it."""

    folder: Path

    @property
    def name(self) -> str:
        """The folder's."""
        return self.folder.name

    def __str__(self) -> str:
        return self.name

    def firmware(self, board: Board) -> tuple[Firmware, Contract]:
        """The firmware that is in the folder, with its contract.

        For another board than the contract's the prompt is made anew. Raises InputError where
        there is neither, or what the board cannot do.
        """
        from fwgen.contract import load_contract

        path = self.folder / CONTRACT
        if self._is_for(board):
            contract = load_contract(path, board)
            for name in IMAGES:
                if (self.folder / name).is_file():
                    return self.folder / name, contract
            return self._made(board, contract)
        return self._made(board, None)

    def _is_for(self, board: Board) -> bool:
        import tomllib

        path = self.folder / CONTRACT
        try:
            named = tomllib.loads(path.read_text(encoding="utf-8")).get("board", board.name)
        except OSError as error:
            raise InputError(error.strerror or str(error), where=str(path)) from None
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise InputError(f"not valid TOML: {error}", where=str(path)) from None
        known = {name.casefold() for name in (board.name, *board.aliases)}
        return str(named).casefold() in known

    def _made(self, board: Board, contract: Contract | None) -> tuple[Firmware, Contract]:
        from fwgen.pipeline import generate

        path = self.folder / PROMPT
        if not path.is_file():
            raise PromptError(
                f"there is no firmware here for {board.name}, and no {PROMPT} to make one of",
                where=str(self.folder),
            )
        prompt = path.read_text(encoding="utf-8").strip()
        result = generate(prompt, board, contract=contract)
        return result, result.proof.contract


def cases(folder: Path | str) -> tuple[Case, ...]:
    """The cases in a folder, or the one that the folder is, by name.

    Raises InputError when there is none.
    """
    path = Path(folder)
    if (path / CONTRACT).is_file():
        return (Case(path),)
    found = tuple(Case(file.parent) for file in sorted(path.glob(f"*/{CONTRACT}")))
    if not found:
        raise InputError(
            f"there is no case here: no folder with a {CONTRACT}", where=str(folder),
            hint="a case is what fwgen PROMPT --out DIR writes",
        )  # fmt: skip
    return found
