"""Boards in software, and pyocd sessions on them that read nothing of the user's."""

from __future__ import annotations

import os
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from fwgen.board import load_board
from fwgen.image.write import bin_bytes
from fwgen.virtual.board import VirtualBoard
from tests.machine.core.firmware import firmware

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from fwgen.image.types import Image

BOARD = load_board("nucleo-f401")
COUNTS = """
start: movs r5, #0
again: adds r5, #1
    bl work
    ldr r2, =0x20000100
    str r5, [r2, #0]
    b again
work: movs r6, #7
    adds r6, r6, r5
    bx lr
"""


@pytest.fixture(autouse=True)
def nothing_of_the_users(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FWGEN_RUNTIME_DIR", str(tmp_path / "runtime"))
    monkeypatch.setenv("FWGEN_DATA", str(tmp_path / "data"))


@pytest.fixture
def counts() -> Image:
    """It counts in r5 and at 0x20000100, and calls "work" each time."""
    return firmware(COUNTS)


@pytest.fixture
def make() -> Iterator[Callable[..., VirtualBoard]]:
    """Makes boards, and switches them off at the end."""
    made: list[VirtualBoard] = []

    def board(image: Image | None = None, **options: Any) -> VirtualBoard:
        flash = None if image is None else bin_bytes(image)
        made.append(VirtualBoard(BOARD, flash=flash, **options))
        return made[-1]

    yield board
    for one in made:
        one.close()


@contextmanager
def session(
    board: VirtualBoard,
    tmp_path: Path,
    probe: str | None = None,
    target: str = "cortex_m",
    **options: object,
) -> Iterator[Any]:
    """A session of pyocd on a board that is plugged in."""
    from pyocd.core.session import Session
    from pyocd.probe.aggregator import DebugProbeAggregator

    options.setdefault("connect_mode", "halt")
    options.setdefault("reset.post_delay", 0.0)
    options.setdefault("swv_raw_port", 0)  # any that is free: tests run side by side
    here = Path.cwd()
    with board.plugged(probe):
        found = DebugProbeAggregator.get_probe_with_id(board.uid)
        try:
            made = Session(
                found, target_override=target, no_config=True, project_dir=str(tmp_path),
                options=options,
            )  # fmt: skip
        finally:
            os.chdir(here)
        with made:
            yield made
