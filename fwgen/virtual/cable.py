"""The USB cable between a host and a board's debug probe: costs time, and can be pulled."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from fwgen.virtual.board import USB_TRANSACTION_PS
from fwgen.virtual.dap import NoAnswerError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fwgen.virtual.board import VirtualBoard


class UnpluggedError(Exception):
    """The cable is out."""


class Cable:
    """Counts transfers, charges the board for each, and drops where the faults say so."""

    def __init__(self, board: VirtualBoard) -> None:
        self.board = board
        self._left = board.faults.drop_after

    def open(self) -> None:
        """The host opens the device. Raises UnpluggedError."""
        if self._left == 0 and not self.board.faults.replug:
            raise UnpluggedError("the cable was pulled")
        if self._left == 0:
            self._left = None

    @contextmanager
    def access(self) -> Iterator[VirtualBoard]:
        """One transaction, with the board to itself. Raises UnpluggedError, NoAnswerError."""
        board = self.board
        with board.lock:
            if self._left is not None:
                if self._left == 0:
                    raise UnpluggedError("the cable was pulled")
                self._left -= 1
            board.spend(USB_TRANSACTION_PS)
            if not board.powered:
                raise NoAnswerError("the chip has no power")
            yield board
