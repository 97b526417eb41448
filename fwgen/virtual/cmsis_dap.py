"""A CMSIS-DAP v2 probe as a USB device: what most boards that have no ST-LINK carry.

pyocd's own CMSIS-DAP driver runs on it.

Source: Arm CMSIS-DAP 2.1, "Commands".
Not modelled: JTAG, raw SWD sequences, the streaming SWO endpoint, command queues (none of which
its capabilities claim), timestamps.
"""

from __future__ import annotations

from contextlib import contextmanager
from struct import pack, unpack_from
from typing import TYPE_CHECKING

from fwgen.units import PS_PER_US
from fwgen.virtual import usb
from fwgen.virtual.cable import Cable
from fwgen.virtual.dap import ABORT, DRW, FaultAnswerError, NoAnswerError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from fwgen.virtual.board import VirtualBoard

OUT, IN = 0x01, 0x81
PACKET, PACKETS = 512, 4
INTERFACE = "fwgen CMSIS-DAP v2"
CAN_SWD, CAN_SWO_UART = 1 << 0, 1 << 2
SWO_BUFFER = 1 << 16
SWD_PORT = 1
OK, ERROR = 0x00, 0xFF
ACK_OK, ACK_FAULT, ACK_NONE, MISMATCH = 1, 4, 7, 1 << 4
AP, READ, ADDRESS, MATCH, MASK = 1 << 0, 1 << 1, 0xC, 1 << 4, 1 << 5  # a transfer's request
PIN_RESET = 1 << 7
PINS_IDLE = 0x2F | PIN_RESET  # nothing pulls low
SWO_CAPTURING = 1


@contextmanager
def plugged(board: VirtualBoard) -> Iterator[None]:
    """While entered, the board's CMSIS-DAP is on this process's USB bus."""
    with usb.plugged(CmsisDap(board)):
        yield


class CmsisDap(usb.Device):
    """The probe. Each packet is a command; each is answered by one, but for an abort."""

    idVendor, idProduct = 0x1209, 0x0001  # noqa: N815 - pid.codes: for testing
    manufacturer = "fwgen"

    def __init__(self, board: VirtualBoard) -> None:
        super().__init__(board.uid)
        self.board = board
        self.product = f"virtual {board.board.title} CMSIS-DAP"
        self._cable = Cable(board)
        self.strings = [INTERFACE]
        self._in = usb.Endpoint(self, IN, PACKET)
        pipes = [usb.Endpoint(self, OUT, PACKET), self._in]
        self.configuration.interfaces.append(usb.Interface(self, 0, pipes, iInterface=1))
        self._retries, self._mask = 0, 0xFFFF_FFFF  # of a match
        self._reset = False
        self._swo_baud, self._swo_running = 0, False
        self._commands: dict[int, Callable[[bytes], bytes]] = {
            0x00: self._info, 0x01: self._fine, 0x02: self._connect, 0x03: self._disconnect,
            0x04: self._configure, 0x05: self._transfer, 0x06: self._transfer_block,
            0x08: self._write_abort, 0x09: self._delay, 0x0A: self._reset_target,
            0x10: self._pins, 0x11: self._fine, 0x12: self._fine, 0x13: self._fine,
            0x17: self._swo_transport, 0x18: self._swo_mode, 0x19: self._swo_baudrate,
            0x1A: self._swo_control, 0x1B: self._swo_status, 0x1C: self._swo_data,
        }  # fmt: skip

    # ------------------------------------------------------------------ USB

    def there(self) -> bool:
        """Whether the cable is in."""
        return not self._cable.out

    def opened(self) -> None:
        """A host has it."""
        self._cable.open()

    def receive(self, endpoint: int, data: bytes) -> None:
        """A command."""
        if not data or data[0] == 0x07:
            return  # nothing is under way that could be aborted
        with self._cable.access(powered=False):
            handler = self._commands.get(data[0])
            answer = bytes([ERROR]) if handler is None else data[:1] + handler(data)
        self._in.sent.put(answer[:PACKET])

    # ------------------------------------------------------------------ the session

    def _fine(self, data: bytes) -> bytes:
        return bytes([OK])

    def _info(self, data: bytes) -> bytes:
        board, chip = self.board.board, self.board.board.chip
        answers: dict[int, bytes | str] = {
            0x01: self.manufacturer, 0x02: self.product, 0x03: self.board.uid, 0x04: "2.1.0",
            0x06: chip.title, 0x08: board.title, 0x09: "1.0",
            0xF0: bytes([CAN_SWD | CAN_SWO_UART]), 0xFD: pack("<I", SWO_BUFFER),
            0xFE: bytes([PACKETS]), 0xFF: pack("<H", PACKET),
        }  # fmt: skip
        answer = answers.get(data[1], b"")
        if isinstance(answer, str):
            answer = answer.encode("utf-8") + b"\0"
        return bytes([len(answer)]) + answer

    def _connect(self, data: bytes) -> bytes:
        return bytes([SWD_PORT if data[1] in (0, SWD_PORT) else 0])

    def _disconnect(self, data: bytes) -> bytes:
        return bytes([OK])

    def _configure(self, data: bytes) -> bytes:
        self._retries = unpack_from("<H", data, 4)[0]
        return bytes([OK])

    def _delay(self, data: bytes) -> bytes:
        self.board.spend(unpack_from("<H", data, 1)[0] * PS_PER_US)
        return bytes([OK])

    def _reset_target(self, data: bytes) -> bytes:
        return bytes([OK, 0])  # there is no sequence of the device's own

    def _pins(self, data: bytes) -> bytes:
        """Set the pins that are selected, then tell all."""
        if data[2] & PIN_RESET:
            low = not data[1] & PIN_RESET
            if low != self._reset:
                self.board.reset_line(low)
            self._reset = low
        return bytes([PINS_IDLE & ~PIN_RESET if self._reset else PINS_IDLE])

    # ------------------------------------------------------------------ transfers

    def _one(self, request: int, value: int | None) -> tuple[int, int]:
        """A transfer's answer and value."""
        try:
            if not self.board.powered:
                return ACK_NONE, 0
            address = request & ADDRESS
            return ACK_OK, self.board.dap.transfer(
                ap=bool(request & AP), address=address, value=value
            )
        except FaultAnswerError:
            return ACK_FAULT, 0
        except NoAnswerError:
            return ACK_NONE, 0

    def _transfer(self, data: bytes) -> bytes:
        at, done, answer, found = 3, 0, ACK_OK, b""
        for _ in range(data[2]):
            request = data[at]
            at += 1
            value = None
            if not request & READ or request & MATCH:
                value = unpack_from("<I", data, at)[0]
                at += 4
            if request & READ:
                answer, got = self._read(request, value)
                if answer == ACK_OK and not request & MATCH:
                    found += pack("<I", got)
            elif request & MASK:
                assert value is not None
                self._mask = value
            else:
                answer, _ = self._one(request, value)
            if answer != ACK_OK:
                break
            done += 1
        self._cable.charge(done)
        return bytes([done, answer]) + found

    def _read(self, request: int, wanted: int | None) -> tuple[int, int]:
        """Read once, or until the value matches."""
        answer, got = self._one(request, None)
        if wanted is None:
            return answer, got
        tries = self._retries
        while answer == ACK_OK and got & self._mask != wanted:
            if not tries:
                return ACK_OK | MISMATCH, got
            tries -= 1
            self._cable.charge(1)
            answer, got = self._one(request, None)
        return answer, got

    def _transfer_block(self, data: bytes) -> bytes:
        count, request = unpack_from("<HB", data, 2)
        self._cable.charge(count)
        fast = self._fast_block(request, count, data)
        if fast is not None:
            return fast
        done, answer, found = 0, ACK_OK, b""
        for n in range(count):
            value = None if request & READ else unpack_from("<I", data, 5 + 4 * n)[0]
            answer, got = self._one(request, value)
            if answer != ACK_OK:
                break
            done += 1
            found += pack("<I", got) if request & READ else b""
        return pack("<HB", done, answer) + found

    def _fast_block(self, request: int, count: int, data: bytes) -> bytes | None:
        """All words at once, where that is all right; None to see which one is not."""
        dap, where = self.board.dap, self.board.dap.selected(request & ADDRESS)
        if not request & AP or where & 0xFC != DRW or not self.board.powered:
            return None
        try:
            if request & READ:
                values = dap.read_ap_many(where, count)
                return pack(f"<HB{count}I", count, ACK_OK, *values)
            dap.write_ap_many(where, unpack_from(f"<{count}I", data, 5))
        except FaultAnswerError:
            return pack("<HB", 0, ACK_FAULT)
        return pack("<HB", count, ACK_OK)

    def _write_abort(self, data: bytes) -> bytes:
        self.board.dap.write_dp(ABORT, unpack_from("<I", data, 2)[0])
        return bytes([OK])

    # ------------------------------------------------------------------ SWO

    def _swo_transport(self, data: bytes) -> bytes:
        return bytes([OK if data[1] in (0, 1) else ERROR])

    def _swo_mode(self, data: bytes) -> bytes:
        if data[1] == 0:
            self._swo_stop()
        return bytes([OK if data[1] in (0, 1) else ERROR])

    def _swo_baudrate(self, data: bytes) -> bytes:
        self._swo_baud = unpack_from("<I", data, 1)[0]
        return pack("<I", self._swo_baud)

    def _swo_control(self, data: bytes) -> bytes:
        if data[1]:
            self.board.trace_start(self._swo_baud)
            self._swo_running = True
        else:
            self._swo_stop()
        return bytes([OK])

    def _swo_stop(self) -> None:
        if self._swo_running:
            self.board.trace_stop()
        self._swo_running = False

    def _swo_status(self, data: bytes) -> bytes:
        return pack("<BI", self._swo_running * SWO_CAPTURING, self.board.trace_waiting)

    def _swo_data(self, data: bytes) -> bytes:
        most = min(unpack_from("<H", data, 1)[0], PACKET - 4)
        captured = self.board.trace_read(most)
        return pack("<BH", self._swo_running * SWO_CAPTURING, len(captured)) + captured
