"""What an emulated debug probe meets at the end of its cable: the target, by the two wires.

Source: ADIv5.2 (Arm IHI 0031) B4.2, the acknowledges of a Serial Wire packet and their absence.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from fwgen.virtual.cable import WORD_PS
from fwgen.virtual.dap import FaultAnswerError, NoAnswerError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fwgen.virtual.board import VirtualBoard

__all__ = ["BoardWire", "FaultAnswerError", "NoAnswerError", "WaitAnswerError", "Wire"]


class WaitAnswerError(Exception):
    """The debug port answered WAIT: an earlier access is not finished."""


class Wire(Protocol):
    """A target over SWD: one debug port and its access ports, the reset line, the trace output.

    Every access raises :class:`FaultAnswerError`, :class:`WaitAnswerError` or
    :class:`NoAnswerError` as the wire would answer. AP addresses carry APSEL in bits 31:24, the
    bank and the register in bits 7:0.
    """

    @property
    def supply_mv(self) -> int:
        """The target's supply as a probe measures it, millivolts."""

    def read_dp(self, address: int) -> int:
        """0x0 DPIDR, 0x4 CTRL/STAT and its banks, 0x8 RESEND, 0xC RDBUFF."""

    def write_dp(self, address: int, value: int) -> None:
        """0x0 ABORT, 0x4 CTRL/STAT and its banks, 0x8 SELECT."""

    def read_ap(self, address: int) -> int:
        """Read an AP register; the posted result is collected."""

    def write_ap(self, address: int, value: int) -> None:
        """Write an AP register."""

    def read_ap_many(self, address: int, count: int) -> list[int]:
        """Read one AP register many times, up to the first that is not answered OK.

        To learn that answer, ask for it by ``read_ap``.
        """

    def write_ap_many(self, address: int, values: Sequence[int]) -> int:
        """Write one AP register many times; how many were answered OK before one was not."""

    def read_memory(self, address: int, size: int, count: int) -> bytes:
        """Read ``count`` units of ``size`` bytes (1, 2, 4) through AP 0."""

    def write_memory(self, address: int, size: int, data: bytes) -> None:
        """Write ``data`` in units of ``size`` bytes (1, 2, 4) through AP 0."""

    def reset_line(self, asserted: bool) -> None:
        """Pull nRST low (True) or let it go."""

    def trace_start(self, baud: int) -> None:
        """Listen on the trace output."""

    def trace_stop(self) -> None:
        """Stop listening."""

    def trace_read(self) -> bytes:
        """What came since the last call."""


class BoardWire:
    """The wires of a virtual board. ``supply_mv`` is measured in place of the board's own.

    Words of data cost the board virtual time; what a transaction costs, the probe charges.
    """

    def __init__(self, board: VirtualBoard, *, supply_mv: int | None = None) -> None:
        self._board = board
        self._supply_mv = board.board.supply_uv // 1000 if supply_mv is None else supply_mv

    @property
    def supply_mv(self) -> int:
        """The target's supply as a probe measures it, millivolts."""
        return self._supply_mv if self._board.powered else 0

    def spend(self, ps: int) -> None:
        """The probe took its time."""
        with self._board.lock:
            self._board.spend(ps)

    def _need_answer(self) -> None:
        if self._board.silence:
            raise NoAnswerError(self._board.silence)

    def read_dp(self, address: int) -> int:
        """Read a register of the debug port."""
        with self._board.lock:
            self._need_answer()
            return self._board.dap.read_dp(address)

    def write_dp(self, address: int, value: int) -> None:
        """Write a register of the debug port."""
        with self._board.lock:
            self._need_answer()
            self._board.dap.write_dp(address, value)

    def read_ap(self, address: int) -> int:
        """Read an AP register."""
        with self._board.lock:
            self._need_answer()
            return self._board.dap.read_ap(address)

    def write_ap(self, address: int, value: int) -> None:
        """Write an AP register."""
        with self._board.lock:
            self._need_answer()
            self._board.dap.write_ap(address, value)

    def read_ap_many(self, address: int, count: int) -> list[int]:
        """Read one AP register many times, up to the first that faults."""
        with self._board.lock:
            self._need_answer()
            self._board.spend(count * WORD_PS)
            try:
                return self._board.dap.read_ap_many(address, count)
            except FaultAnswerError as fault:
                return fault.values

    def write_ap_many(self, address: int, values: Sequence[int]) -> int:
        """Write one AP register many times, up to the first that faults."""
        with self._board.lock:
            self._need_answer()
            self._board.spend(len(values) * WORD_PS)
            try:
                self._board.dap.write_ap_many(address, values)
            except FaultAnswerError as fault:
                return fault.done
            return len(values)

    def read_memory(self, address: int, size: int, count: int) -> bytes:
        """Read memory through the access port."""
        with self._board.lock:
            self._need_answer()
            self._board.spend(count * WORD_PS)
            return self._board.dap.read_memory(address, size, count)

    def write_memory(self, address: int, size: int, data: bytes) -> None:
        """Write memory through the access port."""
        with self._board.lock:
            self._need_answer()
            self._board.spend(len(data) // size * WORD_PS)
            self._board.dap.write_memory(address, size, data)

    def reset_line(self, asserted: bool) -> None:
        """Pull nRST low or let it go."""
        self._board.reset_line(asserted)

    def trace_start(self, baud: int) -> None:
        """Listen on SWO."""
        self._board.trace_start(baud)

    def trace_stop(self) -> None:
        """Stop listening on SWO."""
        self._board.trace_stop()

    def trace_read(self) -> bytes:
        """What came on SWO."""
        return self._board.trace_read()
