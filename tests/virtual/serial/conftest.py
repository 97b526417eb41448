from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from .boards import PoweredBoard

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from fwgen.image.types import Image
    from fwgen.virtual.serial import VirtualPort


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    """Whatever is entered here is left when the test is over."""
    with ExitStack() as made:
        yield made


@pytest.fixture
def running(stack: ExitStack) -> Callable[[Image], VirtualPort]:
    """The port of a board that follows the wall clock."""

    def make(image: Image) -> VirtualPort:
        board = stack.enter_context(PoweredBoard(image))
        board.start_free_running()
        return board.port

    return make
