"""The one test that every case is: collected by pytest for ``fwgen hil run FOLDER``."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fwgen.hil.board import RigBoard
    from fwgen.hil.cases import Case


def test_case(board: RigBoard, fwgen_case: Case) -> None:
    """The board meets the contract with the firmware that is in the folder."""
    board.run_case(fwgen_case)
