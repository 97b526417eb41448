"""An ST-LINK/V2-1 as a USB device: the probe that is on a NUCLEO board, at its command level.

pyocd's own ST-LINK driver runs on it. Commands, answers and error codes are those that the
driver, OpenOCD and stlink-org's tools agree on; ST publishes no specification.

Not modelled: JTAG, SWIM, the mass storage and virtual COM port interfaces (the serial port is
``fwgen.virtual.serial``), firmware update.
"""

from __future__ import annotations

from contextlib import contextmanager
from struct import pack, unpack_from
from typing import TYPE_CHECKING

from fwgen.virtual import usb
from fwgen.virtual.cable import Cable, UnpluggedError
from fwgen.virtual.dap import ABORT, CDBGPWRUPREQ, CSYSPWRUPREQ, CTRL_STAT, FaultAnswerError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from fwgen.virtual.board import VirtualBoard
    from fwgen.virtual.dap import Dap

OUT, IN, SWV = 0x01, 0x81, 0x82
VERSION = (2, 46, 33)  # V2J46M33
CMD_SIZE = 16
LONGEST = 6144  # bytes of one memory command
GET_VERSION, JTAG, DFU, SWIM, GET_MODE, GET_VOLTAGE = 0xF1, 0xF2, 0xF3, 0xF4, 0xF5, 0xF7
MASS_MODE, DEBUG_MODE = 0x01, 0x02
DP_PORT = 0xFFFF
CLEAR_ALL = 0x1E

OK, UNKNOWN_ERROR, NO_DEVICE, IDCODE_ERROR = 0x80, 0x01, 0x05, 0x09
AP_FAULT, AP_ERROR, DP_FAULT, DP_ERROR = 0x11, 0x12, 0x15, 0x16
BAD_AP, SWV_NOT_AVAILABLE, UNKNOWN_CMD = 0x1D, 0x20, 0x42

_READS = {0x07: 4, 0x0C: 1, 0x47: 2}  # command -> bytes of an access
_WRITES = {0x08: 4, 0x0D: 1, 0x48: 2}


@contextmanager
def plugged(board: VirtualBoard) -> Iterator[None]:
    """While entered, the board's ST-LINK is on this process's USB bus."""
    with usb.plugged(StLink(board)):
        yield


class StLink(usb.Device):
    """The probe. A command is 16 bytes out, then data out or in."""

    idVendor, idProduct = 0x0483, 0x374B  # noqa: N815 - as the descriptor spells it
    manufacturer, product = "STMicroelectronics", "STM32 STLink"

    def __init__(self, board: VirtualBoard) -> None:
        super().__init__(board.uid)
        self.board = board
        self._cable = Cable(board)
        self._in = usb.Endpoint(self, IN)
        self._swv = usb.Endpoint(self, SWV)
        pipes = [usb.Endpoint(self, OUT), self._in, self._swv]
        self.configuration.interfaces.append(usb.Interface(self, 0, pipes))
        self._mode = MASS_MODE
        self._awaited: tuple[int, int, int] | None = None  # a write: width, address, bytes
        self._status, self._fault_at = OK, 0  # of the last memory command
        self._tracing = False
        self._commands: dict[int, Callable[[bytes], bytes | None]] = {
            0x21: self._exit, 0x30: self._enter, 0x3C: self._drive_nrst, 0x3E: self._last_status,
            0x40: self._trace_start, 0x41: self._trace_stop, 0x42: self._trace_count,
            0x43: self._fine, 0x44: self._fine, 0x45: self._read_dap, 0x46: self._write_dap,
            0x49: self._fine, 0x4B: self._open_ap, 0x4C: self._fine, 0x56: self._board_id,
        }  # fmt: skip

    # ------------------------------------------------------------------ USB

    def there(self) -> bool:
        """Whether the cable is in."""
        return not self._cable.out

    def opened(self) -> None:
        """A host has it; what another left behind is gone."""
        self._cable.open()
        self._awaited = None

    def receive(self, endpoint: int, data: bytes) -> None:
        """A command, or the data of a write."""
        try:
            with self._cable.access(powered=False):
                answer = self._take(data)
        except UnpluggedError:
            self.check()
            raise
        if answer is not None:
            self._in.sent.put(answer)

    def _take(self, data: bytes) -> bytes | None:
        if self._awaited is not None:
            width, address, size = self._awaited
            self._awaited = None
            self._write_memory(width, address, data[:size])
            return None
        if len(data) < CMD_SIZE:
            return pack("<H", UNKNOWN_CMD)
        command = data[0]
        if command == GET_VERSION:
            hardware, jtag, mass = VERSION
            return pack(">H", hardware << 12 | jtag << 6 | mass) + pack(
                "<HH", self.idVendor, self.idProduct
            )
        if command == GET_MODE:
            return bytes([self._mode, 0])
        if command == GET_VOLTAGE:
            reference = 1500  # of its converter, at 1.2 V
            volts = self.board.board.supply_uv if self.board.powered else 0
            return pack("<II", reference, reference * volts // 2_400_000)
        if command in (DFU, SWIM):
            return None
        if command != JTAG:
            return pack("<H", UNKNOWN_CMD)
        return self._debug_command(data)

    def _debug_command(self, data: bytes) -> bytes | None:
        code = data[1]
        if code in _READS:
            return self._read_memory(_READS[code], *unpack_from("<IH", data, 2))
        if code in _WRITES:
            address, size = unpack_from("<IH", data, 2)
            self._awaited = (_WRITES[code], address, size)
            return None
        handler = self._commands.get(code)
        return pack("<H", UNKNOWN_CMD) if handler is None else handler(data)

    # ------------------------------------------------------------------ the session

    def _fine(self, data: bytes) -> bytes:
        return pack("<H", OK)

    def _enter(self, data: bytes) -> bytes:
        """Take the wires: a line reset, the IDCODE, debug power."""
        if not self.board.powered:
            return pack("<H", IDCODE_ERROR)
        dap = self.board.dap
        dap.write_dp(ABORT, CLEAR_ALL)
        dap.write_dp(CTRL_STAT, CDBGPWRUPREQ | CSYSPWRUPREQ)
        self._mode = DEBUG_MODE
        return pack("<H", OK)

    def _exit(self, data: bytes) -> None:
        self._mode = MASS_MODE
        if self._tracing:
            self._trace_stop(data)

    def _drive_nrst(self, data: bytes) -> bytes:
        """0 low, 1 high, 2 a pulse."""
        if data[2] in (0, 2):
            self.board.reset_line(True)
        if data[2] in (1, 2):
            self.board.reset_line(False)
        return pack("<H", OK)

    def _open_ap(self, data: bytes) -> bytes:
        return pack("<H", OK if data[2] == 0 else BAD_AP)

    def _board_id(self, data: bytes) -> bytes:
        """The four characters that name the board, as its mass storage would."""
        name = self.board.board.probe.get("board_id", "").encode("ascii")
        return (pack("<H", OK) + name[:4].ljust(4, b"\0")).ljust(128, b"\0")

    # ------------------------------------------------------------------ registers and memory

    def _try(self, do: Callable[[Dap], int], fault: int, error: int) -> tuple[int, int]:
        """Status and value of a transfer."""
        try:
            return (OK, do(self.board.dap)) if self.board.powered else (error, 0)
        except FaultAnswerError as refused:
            self._fault_at = refused.address
            return fault, 0

    def _read_dap(self, data: bytes) -> bytes:
        port, address = unpack_from("<HH", data, 2)
        if port == DP_PORT:
            status, value = self._try(lambda d: d.read_dp(address), DP_FAULT, DP_ERROR)
        else:
            where = port << 24 | address
            status, value = self._try(lambda d: d.read_ap(where), AP_FAULT, AP_ERROR)
        return pack("<HHI", status, 0, value)

    def _write_dap(self, data: bytes) -> bytes:
        port, address, value = unpack_from("<HHI", data, 2)

        def write(dap: Dap) -> int:
            if port == DP_PORT:
                dap.write_dp(address, value)
            else:
                dap.write_ap(port << 24 | address, value)
            return 0

        faults = (DP_FAULT, DP_ERROR) if port == DP_PORT else (AP_FAULT, AP_ERROR)
        return pack("<H", self._try(write, *faults)[0])

    def _read_memory(self, width: int, address: int, size: int) -> bytes:
        """All bytes come, whatever happened; the status is asked for by itself."""
        found = bytearray()

        def read(dap: Dap) -> int:
            found.extend(dap.read_memory(address, width, size // width))
            return 0

        self._cable.charge(size // width)
        self._status = self._try(read, AP_FAULT, AP_ERROR)[0]
        return bytes(found[:size].ljust(size, b"\0"))

    def _write_memory(self, width: int, address: int, data: bytes) -> None:
        def write(dap: Dap) -> int:
            dap.write_memory(address, width, data)
            return 0

        self._cable.charge(len(data) // width)
        self._status = self._try(write, AP_FAULT, AP_ERROR)[0]

    def _last_status(self, data: bytes) -> bytes:
        return pack("<HHI", self._status, 0, self._fault_at).ljust(12, b"\0")

    # ------------------------------------------------------------------ SWO

    def _trace_start(self, data: bytes) -> bytes:
        _, baud = unpack_from("<HI", data, 2)
        self.board.trace_start(baud)
        self._tracing = True
        return pack("<H", OK)

    def _trace_stop(self, data: bytes) -> bytes:
        self.board.trace_stop()
        self._tracing = False
        return pack("<H", OK)

    def _trace_count(self, data: bytes) -> bytes:
        """How many bytes wait; they follow on the trace endpoint."""
        captured = self.board.trace_read(4096)
        if captured:
            self._swv.sent.put(captured)
        return pack("<H", len(captured))
