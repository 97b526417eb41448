"""Every example does on silicon what its contract says."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fwgen.hil.board import RigBoard
    from fwgen.hil.cases import Case


def test_example(board: RigBoard, example: Case) -> None:
    board.run_case(example)
