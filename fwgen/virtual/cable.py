"""The USB cable between a host and a board's debug probe: costs time, and can be pulled."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

from fwgen.units import PS_PER_US
from fwgen.virtual.dap import NoAnswerError

if TYPE_CHECKING:
    import threading
    from collections.abc import Iterator

    from fwgen.virtual.faults import Faults

TRANSACTION_PS = 250 * PS_PER_US  # a command out and its answer in, at full speed
WORD_PS = 12 * PS_PER_US  # some 46 bits of serial wire debug at 4 MHz


class Answering(Protocol):
    """What the cable needs of the board at its end."""

    lock: threading.RLock
    faults: Faults

    @property
    def silence(self) -> str:
        """Why the debug pins do not answer; "" when they do."""

    def spend(self, ps: int) -> None:
        """A debug access took its time."""

    def cable_moved(self, *, attached: bool) -> None:
        """The cable went out, or in."""


class UnpluggedError(Exception):
    """The cable is out."""


class Cable:
    """Counts transfers, charges the board for each, and drops where the faults say so."""

    def __init__(self, board: Answering) -> None:
        self._board = board
        self._left = board.faults.drop_after

    @property
    def out(self) -> bool:
        """Whether it was pulled for good."""
        return self._left == 0 and not self._board.faults.replug

    def open(self) -> None:
        """The host opens the device. Raises UnpluggedError."""
        if self.out:
            raise UnpluggedError("the cable was pulled")
        if self._left == 0:
            self._left = None
            self._board.cable_moved(attached=True)

    def charge(self, words: int) -> None:
        """So many words go over the wires. The caller is within ``access``."""
        self._board.spend(words * WORD_PS)

    @contextmanager
    def access(self, words: int = 0, *, answered: bool = True) -> Iterator[None]:
        """One transaction, with the board to itself. Raises UnpluggedError.

        Raises NoAnswerError where the chip does not answer, unless it need not.
        """
        board = self._board
        with board.lock:
            if self._left is not None:
                if self._left == 0:
                    board.cable_moved(attached=False)
                    raise UnpluggedError("the cable was pulled")
                self._left -= 1
            board.spend(TRANSACTION_PS + words * WORD_PS)
            if answered and board.silence:
                raise NoAnswerError(board.silence)
            yield
