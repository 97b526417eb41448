"""Boards and chips as data: what is where, what is wired to what, what people call it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fwgen.board.load import (
        BoardSummary,
        board_of_probe,
        check_board_file,
        list_boards,
        load_board,
        load_chip,
    )
    from fwgen.board.table import Finding

__all__ = [
    "BoardSummary",
    "Finding",
    "board_of_probe",
    "check_board_file",
    "list_boards",
    "load_board",
    "load_chip",
]


def __getattr__(name: str) -> object:
    # Lazy: whoever imports only fwgen.board.types pays for no TOML reader.
    if name in __all__:
        from fwgen.board import load

        return getattr(load, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
