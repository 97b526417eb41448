"""A virtual board with a firmware in its flash, and what it did."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fwgen.board import load_board
from fwgen.virtual.board import VirtualBoard

if TYPE_CHECKING:
    from fwgen.image.types import Image
    from fwgen.trace import Event
    from fwgen.virtual.faults import Faults
    from fwgen.virtual.serial import VirtualPort


class PoweredBoard(VirtualBoard):
    """A nucleo-f401 that runs an image; ``events`` is all that it did."""

    def __init__(self, image: Image, *, faults: Faults | None = None) -> None:
        board = load_board("nucleo-f401")
        super().__init__(board, flash=_flash(image, board.chip.flash.base), faults=faults)
        self.events: list[Event] = []
        self.listen(self.events.append)

    @property
    def port(self) -> VirtualPort:
        """Its serial port."""
        assert self.serial is not None
        return self.serial


def _flash(image: Image, base: int) -> bytes:
    data = bytearray()
    for segment in sorted(image.segments, key=lambda one: one.address):
        data = data.ljust(segment.address - base, b"\xff") + segment.data
    return bytes(data)
