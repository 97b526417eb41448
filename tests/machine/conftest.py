"""A chip on its board, without a core: what every test of the machine's peripherals starts from."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from fwgen.board import load_board
from fwgen.machine.soc import Soc
from fwgen.trace import Hazard

if TYPE_CHECKING:
    from collections.abc import Callable

    from fwgen.board.types import Board


@pytest.fixture(scope="session")
def board() -> Board:
    """nucleo-f401."""
    return load_board("nucleo-f401")


@pytest.fixture
def make_soc(board: Board) -> Callable[..., Soc]:
    """A chip fresh from power-on; keywords replace facts of the board (``hse_hz=None``)."""

    def make(**facts: object) -> Soc:
        soc = Soc(replace(board, **facts))  # type: ignore[arg-type]
        soc.reset(0, "PORRSTF")
        soc.recorder.started = True
        return soc

    return make


@pytest.fixture
def soc(make_soc: Callable[..., Soc]) -> Soc:
    """nucleo-f401 fresh from power-on, no core."""
    return make_soc()


@pytest.fixture(scope="session")
def session_soc(board: Board) -> Callable[[], Soc]:
    """As ``make_soc``, for tests that make many chips by themselves."""

    def make() -> Soc:
        soc = Soc(board)
        soc.reset(0, "PORRSTF")
        soc.recorder.started = True
        return soc

    return make


@pytest.fixture
def hazards(soc: Soc) -> Callable[[], list[str]]:
    """The codes of the hazards of ``soc`` so far, notes left out."""

    def codes() -> list[str]:
        return hazard_codes(soc)

    return codes


def hazard_codes(soc: Soc) -> list[str]:
    """The codes of a chip's hazards so far, notes left out."""
    return [
        event.code
        for event in soc.recorder.events
        if isinstance(event, Hazard) and event.severity != "note"
    ]
