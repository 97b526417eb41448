"""A debug probe for pyocd that is nothing but the two wires: the plainest way to a board.

pyocd's own classes do everything above: discovery, cores, flashing, gdb.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from pyocd.core import exceptions
from pyocd.probe.debug_probe import DebugProbe

from fwgen.virtual.cable import UnpluggedError
from fwgen.virtual.dap import FaultAnswerError, NoAnswerError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from fwgen.virtual.board import VirtualBoard
    from fwgen.virtual.dap import Dap

_boards: dict[str, VirtualBoard] = {}


@contextmanager
def plugged(board: VirtualBoard) -> Iterator[None]:
    """While entered, pyocd in this process lists the board and can connect to it."""
    from pyocd.probe import aggregator

    aggregator.PROBE_CLASSES.setdefault("fwgen.here", VirtualProbe)
    _boards[board.uid] = board
    try:
        yield
    finally:
        del _boards[board.uid]


class VirtualProbe(DebugProbe):  # type: ignore[misc]
    """A debug probe on a virtual board. Each call costs the board one USB transaction's time."""

    @classmethod
    def get_all_connected_probes(
        cls, unique_id: str | None = None, is_explicit: bool = False
    ) -> list[VirtualProbe]:
        """One for each board that is plugged in this process."""
        return [cls(board) for board in _boards.values()]

    @classmethod
    def get_probe_with_id(cls, unique_id: str, is_explicit: bool = False) -> VirtualProbe | None:
        """The one of a board's uid, or None."""
        board = _boards.get(unique_id)
        return None if board is None else cls(board)

    def __init__(self, board: VirtualBoard, dap: Dap | None = None) -> None:
        super().__init__()
        self.board = board
        self._cable = board.cable
        self._dap = board.dap if dap is None else dap
        self._is_open = self._connected = self._reset = False

    # ------------------------------------------------------------------ who it is

    @property
    def vendor_name(self) -> str:
        """Ours."""
        return "fwgen"

    @property
    def product_name(self) -> str:
        """What it is on."""
        return f"virtual {self.board.board.title}"

    @property
    def unique_id(self) -> str:
        """The board's uid."""
        return self.board.uid

    @property
    def supported_wire_protocols(self) -> Collection[DebugProbe.Protocol]:
        """Serial wire debug only."""
        return [DebugProbe.Protocol.DEFAULT, DebugProbe.Protocol.SWD]

    @property
    def wire_protocol(self) -> DebugProbe.Protocol | None:
        """SWD while connected."""
        return DebugProbe.Protocol.SWD if self._connected else None

    @property
    def is_open(self) -> bool:
        """Whether a session has it."""
        return self._is_open

    @property
    def capabilities(self) -> set[DebugProbe.Capability]:
        """It selects registers by itself, and has SWO."""
        can = DebugProbe.Capability
        return {
            can.SWO, can.BANKED_DP_REGISTERS, can.MANAGED_AP_SELECTION, can.MANAGED_DPBANKSEL,
        }  # fmt: skip

    # ------------------------------------------------------------------ cable and wires

    def open(self) -> None:
        """Take it. Raises ProbeError when the cable is out."""
        try:
            self._cable.open()
        except UnpluggedError as error:
            raise exceptions.ProbeDisconnected(str(error)) from error
        self._is_open = True

    def close(self) -> None:
        """Give it back."""
        self._is_open = self._connected = False

    def connect(self, protocol: DebugProbe.Protocol | None = None) -> None:
        """Take the wires."""
        self._connected = True

    def disconnect(self) -> None:
        """Let the wires go."""
        self._connected = False

    def set_clock(self, frequency: float) -> None:
        """Any frequency is as good as another."""

    def reset(self) -> None:
        """A pulse on nRST."""
        self.assert_reset(True)
        self.assert_reset(False)

    def assert_reset(self, asserted: bool) -> None:
        """Drive nRST low, or let it go."""
        with self._wires(answered=False) as board:
            board.reset_line(asserted)
            self._reset = asserted

    def is_reset_asserted(self) -> bool:
        """Whether nRST is driven low."""
        return self._reset

    @contextmanager
    def _wires(self, words: int = 0, *, answered: bool = True) -> Iterator[VirtualBoard]:
        """The board, for one transaction; what goes wrong as pyocd has it."""
        try:
            with self._cable.access(words, answered=answered):
                yield self.board
        except UnpluggedError as error:
            raise exceptions.ProbeDisconnected(str(error)) from error
        except NoAnswerError as error:
            raise exceptions.TransferError(f"no answer: {error}") from error
        except FaultAnswerError as error:
            raise exceptions.TransferFaultError from error

    # ------------------------------------------------------------------ registers

    def read_dp(self, addr: int, now: bool = True) -> Any:
        """Read a register of the debug port."""
        with self._wires():
            value = self._dap.read_dp(addr & 0xC)
        return value if now else lambda: value

    def write_dp(self, addr: int, data: int) -> None:
        """Write a register of the debug port."""
        with self._wires():
            self._dap.write_dp(addr & 0xC, data)

    def read_ap(self, addr: int, now: bool = True) -> Any:
        """Read a register of an access port."""
        with self._wires():
            value = self._dap.read_ap(addr)
        return value if now else lambda: value

    def write_ap(self, addr: int, data: int) -> None:
        """Write a register of an access port."""
        with self._wires():
            self._dap.write_ap(addr, data)

    def read_ap_multiple(self, addr: int, count: int = 1, now: bool = True) -> Any:
        """Read a register of an access port many times, in one transaction."""
        with self._wires(count):
            values = self._dap.read_ap_many(addr, count)
        return values if now else lambda: values

    def write_ap_multiple(self, addr: int, values: Sequence[int]) -> None:
        """Write a register of an access port many times, in one transaction."""
        with self._wires(len(values)):
            self._dap.write_ap_many(addr, values)

    # ------------------------------------------------------------------ SWO

    def swo_start(self, baudrate: float) -> None:
        """Listen on SWO."""
        with self._wires() as board:
            board.trace_start(round(baudrate))

    def swo_stop(self) -> None:
        """Listen no more."""
        with self._wires() as board:
            board.trace_stop()

    def swo_read(self) -> bytearray:
        """What came on SWO."""
        with self._wires() as board:
            return bytearray(board.trace_read())
