"""A virtual board with a firmware in its flash, and what it did."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fwgen.board import load_board
from fwgen.image.write import bin_bytes
from fwgen.virtual.board import VirtualBoard

if TYPE_CHECKING:
    from fwgen.image.types import Image
    from fwgen.trace import Event
    from fwgen.virtual.faults import Faults
    from fwgen.virtual.serial import VirtualPort


class PoweredBoard(VirtualBoard):
    """A nucleo-f401 that runs an image; ``events`` is all that it did."""

    def __init__(self, image: Image, *, faults: Faults | None = None) -> None:
        super().__init__(load_board("nucleo-f401"), flash=bin_bytes(image), faults=faults)
        self.events: list[Event] = []
        self.listen(self.events.append)

    @property
    def port(self) -> VirtualPort:
        """Its serial port."""
        assert self.serial is not None
        return self.serial
