"""What tests of the rig start from: nothing of the user's own is read or written."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from fwgen.board import load_board

if TYPE_CHECKING:
    from pathlib import Path

    from fwgen.board.types import Board


@pytest.fixture(scope="session")
def board() -> Board:
    """nucleo-f401."""
    return load_board("nucleo-f401")


@pytest.fixture(autouse=True)
def data_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where backups, records and locks go."""
    folder = tmp_path / "data"
    monkeypatch.setenv("FWGEN_DATA", str(folder))
    return folder
