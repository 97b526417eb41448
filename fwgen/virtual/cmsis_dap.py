"""A CMSIS-DAP probe, version 1 (HID reports) or 2 (bulk), at the level of its packets.

A packet is a command, or several of them; the answer repeats the command's number. A command that
the probe does not know is answered by 0xFF in place of the number.

Source: Arm CMSIS-DAP 2.1.2, https://arm-software.github.io/CMSIS-DAP/latest/ (the command's name
leads to its page).

Not modelled: JTAG, UART, Manchester-coded trace, time stamps; the attributes of single clocks
(idle cycles, turnaround) change nothing.
"""

from __future__ import annotations

import struct
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from fwgen.virtual import usb
from fwgen.virtual.cable import TRANSACTION_PS
from fwgen.virtual.swj import Protocol, SwjPort
from fwgen.virtual.usb import (
    CLASS_HID,
    CLASS_VENDOR,
    US_PS,
    Endpoint,
    Identity,
    Interface,
    UsbDevice,
)
from fwgen.virtual.wire import BoardWire, FaultAnswerError, NoAnswerError, WaitAnswerError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from fwgen.virtual.board import VirtualBoard
    from fwgen.virtual.wire import Wire

_OUT, _IN, _TRACE = 0x01, 0x81, 0x82
_OK, _ERROR = 0x00, 0xFF
_UNKNOWN = b"\xff"
_ACK_OK, _ACK_WAIT, _ACK_FAULT, _NO_ACK, _MISMATCH = 1, 2, 4, 7, 0x10
_APNDP, _RNW, _ADDRESS, _MATCH_VALUE, _MATCH_MASK = 0x01, 0x02, 0x0C, 0x10, 0x20
_DP_ABORT, _DP_SELECT = 0x0, 0x8
_SELECT_AP_AND_BANK = 0xFF00_00F0
_SWDIO, _NRESET = 1 << 1, 1 << 7
_PULLED_UP = 0x2F  # SWCLK, SWDIO, TDI, TDO, nTRST idle high
_SWO_BUFFER = 4096
_SWO_MAX_BAUD = 10_000_000
_CAPTURING, _OVERRUN = 0x01, 0x80
_RESET_PULSE_PS = 100 * US_PS
_QUEUE, _EXECUTE, _ABORT_TRANSFER = 0x7E, 0x7F, 0x07


@dataclass(frozen=True, kw_only=True)
class Names:
    """What the probe tells of what it is soldered to; None where it does not know."""

    target_vendor: str | None = None
    target: str | None = None
    board_vendor: str | None = None
    board: str | None = None


class _Short(Exception):  # noqa: N818 - not an error: a packet that ends too early
    """The packet ends before the command does."""


class _Packet:
    """A request, read from the front."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def take(self, count: int) -> bytes:
        taken = self._data[self._at : self._at + count]
        if len(taken) < count:
            raise _Short
        self._at += count
        return taken

    def byte(self) -> int:
        return self.take(1)[0]

    def short(self) -> int:
        return int.from_bytes(self.take(2), "little")

    def word(self) -> int:
        return int.from_bytes(self.take(4), "little")


class CmsisDap(UsbDevice):
    """One CMSIS-DAP probe and the target at the end of its cable.

    With the USB identity of DAPLink (the default), hosts take the first four characters of
    ``serial`` for the board's id. Packets are 64 bytes long in version 1 and 512 in version 2
    unless ``packet_bytes`` says otherwise, and the probe keeps ``packet_count`` of them.
    ``trace_pipe`` gives version 2 a pipe of its own for trace.
    """

    def __init__(
        self,
        wire: Wire,
        *,
        serial: str,
        version: Literal[1, 2] = 2,
        packet_bytes: int | None = None,
        packet_count: int = 4,
        trace_pipe: bool = False,
        names: Names | None = None,
        vid: int = 0x0D28,
        pid: int = 0x0204,
        product: str = "DAPLink CMSIS-DAP",
        elapse: Callable[[int], None] | None = None,
        latency_ps: int = 0,
        cable_moved: Callable[[bool], None] | None = None,
    ) -> None:
        size = packet_bytes or (64 if version == 1 else 512)
        kind: Literal["bulk", "interrupt"] = "interrupt" if version == 1 else "bulk"
        pipes = [
            Endpoint(address=_OUT, kind=kind, packet_bytes=size),
            Endpoint(address=_IN, kind=kind, packet_bytes=size),
        ]
        self._has_trace_pipe = trace_pipe and version == 2
        if self._has_trace_pipe:
            pipes.append(Endpoint(address=_TRACE, packet_bytes=size))
        super().__init__(
            Identity(
                vid=vid,
                pid=pid,
                maker="Arm",
                product=product,
                serial=serial,
                interfaces=(
                    Interface(
                        name=f"CMSIS-DAP v{version}",
                        endpoints=tuple(pipes),
                        usb_class=CLASS_HID if version == 1 else CLASS_VENDOR,
                    ),
                ),
            ),
            elapse=elapse,
            latency_ps=latency_ps,
            cable_moved=cable_moved,
        )
        self._wire = wire
        self._version = version
        self._size = size
        self._count = packet_count
        self._port = SwjPort()
        self._names = names or Names()
        self._begin()
        self._commands: dict[int, Callable[[_Packet], bytes]] = {
            0x00: self._info,
            0x01: self._host_status,
            0x02: self._connect,
            0x03: self._disconnect,
            0x04: self._configure_transfers,
            0x05: self._transfer,
            0x06: self._transfer_block,
            0x08: self._write_abort,
            0x09: self._delay,
            0x0A: self._reset_target,
            0x10: self._pins,
            0x11: self._clock,
            0x12: self._swj_sequence,
            0x13: self._configure_swd,
            0x17: self._trace_transport,
            0x18: self._trace_mode,
            0x19: self._set_trace_baud,
            0x1A: self._trace_control,
            0x1B: self._trace_status,
            0x1C: self._trace_data,
            0x1D: self._swd_sequence,
        }

    def _begin(self) -> None:
        self._connected = False
        self._reset_asserted = False
        self.clock_hz = 1_000_000
        self._wait_retries = 100
        self._match_retries = 0
        self._match_mask = 0xFFFFFFFF
        self._select = 0  # as the host last wrote it: where its AP transfers go
        self._queued: list[bytes] = []
        self._trace_way = self._trace_kind = self._trace_baud = 0
        self._capturing = self._overrun = False
        self._trace = bytearray()

    def _power_lost(self) -> None:
        self._pull_reset(False)
        self._listen(False)
        self._begin()

    # Packets.

    def _receive(self, endpoint: int, data: bytes) -> None:
        del endpoint
        if not data or data[0] == _ABORT_TRANSFER:
            return  # a transfer is over before the next packet arrives: nothing to abort
        if len(data) > self._size:
            self._answer(_UNKNOWN)
        elif data[0] == _QUEUE:
            self._queued.append(data)
        else:
            queued, self._queued = self._queued, []
            for packet in queued:
                self._answer(self._run_several(_Packet(packet[1:])))
            self._answer(self._run(_Packet(data)))

    def _answer(self, response: bytes) -> None:
        response = response[: self._size]
        self._send(_IN, response.ljust(self._size, b"\0") if self._version == 1 else response)

    def _full(self, endpoint: int) -> bool:
        """Whether the probe has no room for another request: it answers NAK until it has."""
        return endpoint == _OUT and self._waiting(_IN) + len(self._queued) >= self._count

    def _run(self, packet: _Packet) -> bytes:
        try:
            command = packet.byte()
            if command == _EXECUTE:
                return self._run_several(packet)
            perform = self._commands.get(command)
            return _UNKNOWN if perform is None else bytes((command,)) + perform(packet)
        except _Short:
            return _UNKNOWN

    def _run_several(self, packet: _Packet) -> bytes:
        count = packet.byte()
        done = b"".join(self._run(packet) for _ in range(count))
        return bytes((_EXECUTE, count)) + done

    # General commands.

    def _info(self, packet: _Packet) -> bytes:
        number = packet.byte()
        texts = {
            0x01: self.identity.maker,
            0x02: self.identity.product,
            0x03: self.identity.serial,
            0x04: "1.3.0" if self._version == 1 else "2.1.2",
            0x05: self._names.target_vendor,
            0x06: self._names.target,
            0x07: self._names.board_vendor,
            0x08: self._names.board,
            0x09: "1.0.0",
        }
        if number in texts:
            text = texts[number]
            info = b"" if text is None else text.encode() + b"\0"
        else:
            swd, swo_uart, atomic, swo_stream = 1 << 0, 1 << 2, 1 << 4, 1 << 6
            able = swd | swo_uart | atomic | (swo_stream if self._has_trace_pipe else 0)
            info = {
                0xF0: bytes((able,)),
                0xFD: _SWO_BUFFER.to_bytes(4, "little"),
                0xFE: bytes((self._count,)),
                0xFF: self._size.to_bytes(2, "little"),
            }.get(number, b"")
        return bytes((len(info),)) + info

    def _host_status(self, packet: _Packet) -> bytes:
        packet.take(2)  # the LEDs
        return bytes((_OK,))

    def _connect(self, packet: _Packet) -> bytes:
        port = packet.byte()
        if port > 1:
            return b"\0"  # JTAG: this probe has none
        self._connected = True
        return b"\1"

    def _disconnect(self, _packet: _Packet) -> bytes:
        self._connected = False
        self._pull_reset(False)
        return bytes((_OK,))

    def _delay(self, packet: _Packet) -> bytes:
        self._elapse(packet.short() * US_PS)
        return bytes((_OK,))

    def _reset_target(self, _packet: _Packet) -> bytes:
        """The device specific sequence is a pulse on nRESET."""
        self._pull_reset(True)
        self._elapse(_RESET_PULSE_PS)
        self._pull_reset(False)
        return bytes((_OK, 1))

    # Pins and clocks.

    def _pull_reset(self, asserted: bool) -> None:
        if asserted != self._reset_asserted:
            self._reset_asserted = asserted
            self._wire.reset_line(asserted)

    def _pins(self, packet: _Packet) -> bytes:
        output, selected, _wait_us = packet.byte(), packet.byte(), packet.word()
        if selected & _NRESET:
            self._pull_reset(not output & _NRESET)
        return bytes((_PULLED_UP | (0 if self._reset_asserted else _NRESET),))

    def _clock(self, packet: _Packet) -> bytes:
        wanted = packet.word()
        if not wanted:
            return bytes((_ERROR,))
        self.clock_hz = wanted
        return bytes((_OK,))

    def _swj_sequence(self, packet: _Packet) -> bytes:
        count = packet.byte() or 256
        bits = int.from_bytes(packet.take((count + 7) // 8), "little")
        self._port.clock(bits, count)
        return bytes((_OK,))

    def _configure_swd(self, packet: _Packet) -> bytes:
        packet.byte()
        return bytes((_OK,))

    def _swd_sequence(self, packet: _Packet) -> bytes:
        captured = b""
        for _ in range(packet.byte()):
            info = packet.byte()
            count = info & 0x3F or 64
            length = (count + 7) // 8
            if info & 0x80:
                captured += ((1 << count) - 1).to_bytes(length, "little")  # the pull-up
            else:
                self._port.clock(int.from_bytes(packet.take(length), "little"), count)
        return bytes((_OK,)) + captured

    # Transfers.

    def _configure_transfers(self, packet: _Packet) -> bytes:
        packet.byte()  # idle cycles
        self._wait_retries, self._match_retries = packet.short(), packet.short()
        return bytes((_OK,))

    def _one(self, request: int, value: int) -> tuple[int, int]:
        """One transfer on the wire: the acknowledge, and what was read."""
        if self._port.protocol is not Protocol.SWD:
            return _NO_ACK, 0
        for _ in range(self._wait_retries + 1):
            try:
                return _ACK_OK, self._on_wire(request, value)
            except WaitAnswerError:
                continue
            except FaultAnswerError:
                return _ACK_FAULT, 0
            except NoAnswerError:
                return _NO_ACK, 0
        return _ACK_WAIT, 0

    def _on_wire(self, request: int, value: int) -> int:
        address = request & _ADDRESS
        if request & _APNDP:
            address |= self._select & _SELECT_AP_AND_BANK
            if request & _RNW:
                return self._wire.read_ap(address)
            self._wire.write_ap(address, value)
        elif request & _RNW:
            return self._wire.read_dp(address)
        else:
            self._wire.write_dp(address, value)
            if address == _DP_SELECT:
                self._select = value
        return 0

    def _until_match(self, request: int, wanted: int) -> tuple[int, int]:
        for _ in range(self._match_retries + 1):
            ack, value = self._one(request, 0)
            if ack != _ACK_OK or value & self._match_mask == wanted:
                return ack, value
        return _ACK_OK | _MISMATCH, value

    def _transfer(self, packet: _Packet) -> bytes:
        packet.byte()  # index of the JTAG device
        count, done, ack, data = packet.byte(), 0, 0, bytearray()
        going = self._connected
        for _ in range(count):
            request = packet.byte()
            has_value = not request & _RNW or request & _MATCH_VALUE
            value = packet.word() if has_value else 0
            if not going:
                continue  # the rest is read past, as a packet may hold more commands
            if request & _RNW and request & _MATCH_VALUE:
                ack, _ = self._until_match(request, value)
            elif not request & _RNW and request & _MATCH_MASK:
                ack, self._match_mask = _ACK_OK, value
            else:
                ack, got = self._one(request, value)
                if request & _RNW and ack == _ACK_OK:
                    data += got.to_bytes(4, "little")
            done += ack == _ACK_OK
            going = ack == _ACK_OK and len(data) + 7 <= self._size
        return bytes((done, ack)) + bytes(data)

    def _transfer_block(self, packet: _Packet) -> bytes:
        packet.byte()
        count, request = packet.short(), packet.byte()
        done, ack, data = 0, 0, bytearray()
        if request & _RNW:
            values: tuple[int, ...] = ()
            count = min(count, (self._size - 4) // 4)  # what the answer has room for
        else:
            values = struct.unpack(f"<{count}I", packet.take(4 * count))
        while self._connected and done < count:
            got = self._many(request, count - done, values[done:])
            if got is None:
                ack, value = self._one(request, values[done] if values else 0)
                if ack != _ACK_OK:
                    break
                got = (value,)
            ack = _ACK_OK
            done += len(got)
            if request & _RNW:
                data += struct.pack(f"<{len(got)}I", *got)
        return struct.pack("<HB", done, ack) + data

    def _many(self, request: int, count: int, values: Sequence[int]) -> Sequence[int] | None:
        """As many AP transfers as go well at once: what was read or written; None for none."""
        if not request & _APNDP or self._port.protocol is not Protocol.SWD:
            return None
        address = request & _ADDRESS | self._select & _SELECT_AP_AND_BANK
        try:
            if request & _RNW:
                return self._wire.read_ap_many(address, count) or None
            return values[: self._wire.write_ap_many(address, values)] or None
        except (WaitAnswerError, FaultAnswerError, NoAnswerError):
            return None  # the next one tells which, if it still is so

    def _write_abort(self, packet: _Packet) -> bytes:
        packet.byte()
        ack, _ = self._one(_DP_ABORT, packet.word())
        return bytes((_OK if ack == _ACK_OK else _ERROR,))

    # Trace.

    def _trace_transport(self, packet: _Packet) -> bytes:
        way = packet.byte()
        if self._capturing or way > (2 if self._has_trace_pipe else 1):
            return bytes((_ERROR,))
        self._trace_way = way
        return bytes((_OK,))

    def _trace_mode(self, packet: _Packet) -> bytes:
        mode = packet.byte()
        if mode > 1:
            return bytes((_ERROR,))
        self._trace_kind = mode
        if not mode:
            self._listen(False)
        return bytes((_OK,))

    def _set_trace_baud(self, packet: _Packet) -> bytes:
        """The baud rate that was set; 0 if it cannot be."""
        wanted = packet.word()
        self._trace_baud = wanted if 0 < wanted <= _SWO_MAX_BAUD else 0
        return self._trace_baud.to_bytes(4, "little")

    def _trace_control(self, packet: _Packet) -> bytes:
        start = bool(packet.byte() & 1)
        if start and not (self._trace_kind and self._trace_way and self._trace_baud):
            return bytes((_ERROR,))
        if start:
            self._trace.clear()
            self._overrun = False
        self._listen(start)
        return bytes((_OK,))

    def _listen(self, start: bool) -> None:
        self._capture()
        if self._capturing and not start:
            self._wire.trace_stop()
        self._capturing = start
        if start:
            self._wire.trace_start(self._trace_baud)

    def _capture(self) -> None:
        if self._capturing:
            self._trace += self._wire.trace_read()
            self._overrun |= len(self._trace) > _SWO_BUFFER
            del self._trace[_SWO_BUFFER:]

    def _trace_flags(self) -> int:
        return (_CAPTURING if self._capturing else 0) | (_OVERRUN if self._overrun else 0)

    def _trace_status(self, _packet: _Packet) -> bytes:
        self._capture()
        return struct.pack("<BI", self._trace_flags(), len(self._trace))

    def _trace_data(self, packet: _Packet) -> bytes:
        self._capture()
        count = min(packet.short(), self._size - 4, len(self._trace))
        data = bytes(self._trace[:count])
        del self._trace[:count]
        return struct.pack("<BH", self._trace_flags(), count) + data

    def _poll(self, endpoint: int) -> None:
        if endpoint == _TRACE and self._trace_way == 2:
            self._capture()
            if self._trace:
                self._send(endpoint, bytes(self._trace[: self._size]))
                del self._trace[: self._size]

    def _patience_s(self, endpoint: int, timeout_ms: int) -> float | None:
        """Trace comes by itself: nobody would wake a reader of an empty pipe."""
        return 0.01 if endpoint == _TRACE else super()._patience_s(endpoint, timeout_ms)


@contextmanager
def plugged(
    board: VirtualBoard, *, version: Literal[1, 2] = 2, trace_pipe: bool = False
) -> Iterator[CmsisDap]:
    """While entered, this process's pyOCD finds the board behind a CMSIS-DAP probe.

    The board has a supply of its own: pulling the probe's cable leaves it running.

    Raises:
        BenchError: Another device on the virtual bus has the board's uid.

    """
    wire = BoardWire(board)
    own = board.board
    probe = CmsisDap(
        wire,
        serial=board.uid,
        version=version,
        trace_pipe=trace_pipe,
        names=Names(board=own.title, target=own.probe.get("target")),
        vid=0x1209,  # not DAPLink's: a board's uid does not begin with an id of mbed
        pid=0xDA42,
        product="fwgen CMSIS-DAP",
        elapse=wire.spend,
        latency_ps=TRANSACTION_PS,
        cable_moved=lambda attached: board.cable_moved(attached=attached),
    )
    probe.suffer(drop_after=board.faults.drop_after, replug=board.faults.replug)
    with usb.plugged(probe):
        yield probe
