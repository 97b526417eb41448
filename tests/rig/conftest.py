"""What tests of the rig start from: nothing of the user's own is read or written."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from fwgen.board import load_board
from fwgen.virtual.serial import plugged
from tests.virtual.serial.boards import PoweredBoard

from .ends import Cable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from fwgen.board.types import Board
    from fwgen.image.types import Image


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


@pytest.fixture
def cable() -> Iterator[Cable]:
    one = Cable()
    yield one
    one.pull()


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as made:
        yield made


@pytest.fixture
def virtual(stack: ExitStack) -> Callable[[Image], tuple[PoweredBoard, str]]:
    """A virtual board that moves only when told, and its URL."""

    def make(image: Image) -> tuple[PoweredBoard, str]:
        board = stack.enter_context(PoweredBoard(image))
        return board, stack.enter_context(plugged(board.port))

    return make
