"""What tests of the rig start from."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from fwgen.board import load_board

if TYPE_CHECKING:
    from fwgen.board.types import Board


@pytest.fixture(scope="session")
def board() -> Board:
    """nucleo-f401."""
    return load_board("nucleo-f401")
