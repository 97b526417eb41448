"""What was transferred, as the trace tells it: one I2cTransfer for each START."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fwgen.trace import I2cTransfer

if TYPE_CHECKING:
    from fwgen.machine.soc import Recorder


class TransferLog:
    """The transfer that is under way."""

    def __init__(self, recorder: Recorder, port: str) -> None:
        self._recorder, self._port = recorder, port
        self._role = ""  # "": none under way
        self._last_ten = 0  # a repeated START with a read header means the address before
        self._clear(0)

    def _clear(self, t_ps: int) -> None:
        self._began = t_ps
        self._first: int | None = None
        self._address, self._ten_bit, self._reads = 0, False, False
        self._answered = False
        self._data = bytearray()
        self._acked = 0

    def start(self, t_ps: int, role: str) -> None:
        """A START."""
        self._clear(t_ps)
        self._role = role

    def address(self, byte: int, *, second: bool = False) -> None:
        """The first byte; ``second``: a 10-bit header that comes again, to read."""
        self._first, self._reads = byte, bool(byte & 1)
        self._address = byte >> 1
        if second:
            self._ten_bit, self._address = True, self._last_ten

    def second(self, byte: int) -> None:
        """The low byte of a 10-bit address."""
        assert self._first is not None
        self._ten_bit = True
        self._address = self._last_ten = (self._first >> 1 & 3) << 8 | byte

    def answered(self) -> None:
        """The address was acknowledged."""
        self._answered = True

    def byte(self, byte: int, *, acked: bool) -> None:
        """A byte of data."""
        self._data.append(byte)
        self._acked += acked

    def end(self, t_ps: int, how: str) -> None:
        """Tell it, if an address was sent."""
        role, self._role = self._role, ""
        if not role or self._first is None:
            return
        self._recorder.add(
            I2cTransfer(
                t_ps, self._port, role, self._address, "read" if self._reads else "write",
                self._data.hex(), self._answered, self._acked, self._began, how, self._ten_bit,
            )
        )  # fmt: skip

    def cut(self, t_ps: int) -> None:
        """The port was switched off."""
        self.end(t_ps, "cut")
