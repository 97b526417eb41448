"""A machine with a core, and eyes for what it holds."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from fwgen.machine import Machine
from tests.machine.core.firmware import firmware

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from fwgen.board.types import Board

MS = 10**9


class Lab:
    """Runs firmware for some time and lets one look inside."""

    def __init__(self, board: Board, **options: bool) -> None:
        self.machine = Machine(board, **options)

    def run(
        self, text: str, vectors: dict[int, str] | None = None, span_ps: int = MS, **how: object
    ) -> Lab:
        self.machine.load(firmware(text, vectors, **how))
        self.machine.advance(span_ps)
        return self

    def register(self, number: int) -> int:
        from fwgen.machine.armv7m.engine import GENERAL

        return self.machine.core.engine.read(GENERAL[number])

    def word(self, address: int) -> int:
        word = self.machine.core.memory.word(address)
        assert word is not None
        return word

    @property
    def trace(self):
        return self.machine.trace()

    def of(self, kind):
        return list(self.trace.of(kind))


@pytest.fixture
def lab(board: Board) -> Iterator[Lab]:
    made = Lab(board)
    yield made
    made.machine.close()


@pytest.fixture
def make_lab(board: Board) -> Iterator[Callable[..., Lab]]:
    made: list[Lab] = []

    def make(**options: bool) -> Lab:
        made.append(Lab(board, **options))
        return made[-1]

    yield make
    for one in made:
        one.machine.close()
