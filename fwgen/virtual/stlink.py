"""An ST-Link at the level of its USB commands: V2, V2-1 (on every NUCLEO of its time) and V3.

The host sends a command of 16 bytes on one pipe, then the data that belong to it, and reads the
answer from another. Answers of the debug commands begin with a status; those of memory reads do
not, whose status is asked for with a command of its own.

ST does not publish the protocol. Source: what pyOCD, OpenOCD (``stlink_usb.c``) and psdb
(``cdb.py``) rely on with real probes; UM1075 and UM2448 (voltages, clocks).

Not modelled: JTAG, SWIM, the mass storage and serial interfaces, attributes of memory accesses
(CSW), the queue of commands (MISC_OUT), updating the firmware.
"""

from __future__ import annotations

import re
import struct
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from fwgen.virtual import usb
from fwgen.virtual.cable import TRANSACTION_PS
from fwgen.virtual.usb import US_PS, Endpoint, Identity, Interface, UsbDevice
from fwgen.virtual.wire import BoardWire, FaultAnswerError, NoAnswerError, WaitAnswerError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from fwgen.virtual.board import VirtualBoard
    from fwgen.virtual.wire import Wire

T = TypeVar("T")

_MAX_TRANSFER = 6144  # bytes, for 16- and 32-bit accesses; bytes singly: one packet
_SWO_BUFFER = 4096
_SWO_MAX_BAUD = {2: 2_000_000, 3: 24_000_000}
_MIN_TARGET_MV = 1650  # UM1075: applications of 1.65 V to 3.6 V
_WAIT_RETRIES = 32
_RESET_PULSE_PS = 100 * US_PS
_REFERENCE_ADC = 1500  # of the probe's own 1.2 V; the target's is halved before it is measured
_DP_PORT = 0xFFFF
_DP_ABORT, _DP_CTRL_STAT, _DP_SELECT = 0x0, 0x4, 0x8
_CLEAR_STICKY = 0x1E  # ABORT: ORUNERRCLR, WDERRCLR, STKERRCLR, STKCMPCLR (ADIv5.2 B2.2.1)
_POWER_UP = 0x5000_0000  # CTRL/STAT: CSYSPWRUPREQ, CDBGPWRUPREQ (ADIv5.2 B2.2.2)
_AP_IDR = 0xFC

# Modes.
DFU, MASS_STORAGE, DEBUG, SWIM = range(4)

# Statuses.
OK = 0x80
COMMAND_ERROR = 0x08
IDCODE_ERROR = 0x09
ALIGNMENT_ERROR = 0x0A
AP_WAIT, AP_FAULT, AP_ERROR = 0x10, 0x11, 0x12
DP_WAIT, DP_FAULT, DP_ERROR = 0x14, 0x15, 0x16
BAD_AP = 0x1D
FREQUENCY_NOT_SUPPORTED = 0x41
UNKNOWN_COMMAND = 0x42

# Delay counts of V2 and what they make of the clock, in hertz; V3 has a list of clocks, in kHz.
_V2_SWD_HZ = {
    0: 4_600_000,
    1: 1_800_000,
    2: 1_200_000,
    3: 950_000,
    5: 650_000,
    7: 480_000,
    9: 400_000,
    10: 360_000,
    15: 240_000,
    25: 150_000,
    31: 125_000,
    40: 100_000,
}
_V3_KHZ = (24_000, 8_000, 3_300, 1_000, 200, 50, 5)


@dataclass(frozen=True, kw_only=True)
class Firmware:
    """A version as ST writes it: V2J45M31 is hardware 2, JTAG/SWD 45, mass storage 31."""

    hardware: int = 2
    jtag: int = 45
    swim: int = 0
    storage: int = 31
    bridge: int = 0

    @classmethod
    def parse(cls, version: str) -> Firmware:
        """Read ``V2J45M31`` or ``V3J15M7B5S1``.

        Raises:
            ValueError: It is not written like this.

        """
        names = {"V": "hardware", "J": "jtag", "S": "swim", "M": "storage", "B": "bridge"}
        if not re.fullmatch(r"V\d+J\d+([SMB]\d+)*", version):
            raise ValueError(f"{version!r} is not a version such as V2J45M31")
        given = dict.fromkeys(names.values(), 0)
        for letter, number in re.findall(r"([VJSMB])(\d+)", version):
            given[names[letter]] = int(number)
        return cls(**given)


@dataclass(frozen=True, kw_only=True)
class Kind:
    """A product: what it says on USB, and which pipes it has."""

    pid: int
    product: str
    host_to_probe: int
    probe_to_host: int
    trace: int
    packet_bytes: int = 64
    default: Firmware = Firmware()


V2 = Kind(pid=0x3748, product="STM32 STLink", host_to_probe=0x02, probe_to_host=0x81, trace=0x83)
V2_1 = Kind(pid=0x374B, product="STM32 STLink", host_to_probe=0x01, probe_to_host=0x81, trace=0x82)
V3 = Kind(
    pid=0x374E,
    product="STLINK-V3",
    host_to_probe=0x01,
    probe_to_host=0x81,
    trace=0x82,
    packet_bytes=512,
    default=Firmware(hardware=3, jtag=15, swim=1, storage=7, bridge=5),
)


class StLink(UsbDevice):
    """One ST-Link and the target at the end of its cable.

    ``board_id`` is what mbed calls the board ("0720" is a NUCLEO-F401RE), None on a probe of its
    own; firmware from V2J36 or V3J6 on gives it by command, and an older one in MBED.HTM on its
    drive. Where the target has too little voltage, nobody answers on the wire.
    """

    def __init__(
        self,
        wire: Wire,
        *,
        serial: str,
        kind: Kind = V2_1,
        firmware: Firmware | None = None,
        board_id: str | None = None,
        elapse: Callable[[int], None] | None = None,
        latency_ps: int = 0,
        cable_moved: Callable[[bool], None] | None = None,
    ) -> None:
        pipes = (
            Endpoint(address=kind.host_to_probe, packet_bytes=kind.packet_bytes),
            Endpoint(address=kind.probe_to_host, packet_bytes=kind.packet_bytes),
            Endpoint(address=kind.trace, packet_bytes=kind.packet_bytes),
        )
        super().__init__(
            Identity(
                vid=0x0483,
                pid=kind.pid,
                maker="STMicroelectronics",
                product=kind.product,
                serial=serial,
                interfaces=(Interface(name="ST-Link Debug", endpoints=pipes),),
            ),
            elapse=elapse,
            latency_ps=latency_ps,
            cable_moved=cable_moved,
        )
        self._wire = wire
        self._kind = kind
        self.firmware = firmware or kind.default
        self._board_id = board_id
        self.board_id_on_drive = board_id
        self.swd_hz = 1_800_000
        self._reset_asserted = False
        self._begin()
        self._commands: dict[int, Callable[[bytes], bytes | None]] = {
            0xF1: self._version,
            0xF2: self._debug,
            0xF3: self._leave,
            0xF4: self._leave,
            0xF5: lambda _command: bytes((self._mode, 0)),
            0xF7: self._voltage,
        }
        if self.firmware.hardware >= 3:
            self._commands[0xFB] = self._version_extended
        self._debug_commands = self._known_debug_commands()

    def _known_debug_commands(self) -> dict[int, Callable[[bytes], bytes | None]]:
        """Firmware knows more with each version; V3 began with everything but a few."""
        since: list[tuple[int, int, int, Callable[[bytes], bytes | None]]] = [
            # command, since V2J, since V3J
            (0x07, 0, 0, lambda command: self._read_memory(command, 4)),
            (0x08, 0, 0, lambda command: self._write_memory(command, 4)),
            (0x0C, 0, 0, lambda command: self._read_memory(command, 1)),
            (0x0D, 0, 0, lambda command: self._write_memory(command, 1)),
            (0x21, 0, 0, self._leave),
            (0x30, 0, 0, self._enter),
            (0x3C, 0, 0, self._drive_reset),
            (0x3E, 15, 0, self._last_status),
            (0x40, 13, 0, self._start_trace),
            (0x41, 13, 0, self._stop_trace),
            (0x42, 13, 0, self._trace_waiting),
            (0x43, 20, 99, self._set_v2_clock),
            (0x45, 24, 0, self._read_register),
            (0x46, 24, 0, self._write_register),
            (0x47, 26, 0, lambda command: self._read_memory(command, 2)),
            (0x48, 26, 0, lambda command: self._write_memory(command, 2)),
            (0x4B, 28, 0, self._open_ap),
            (0x4C, 28, 0, lambda _command: _status(OK)),
            (0x56, 36, 6, self._board_identifiers),
            (0x61, 99, 0, self._set_v3_clock),
            (0x62, 99, 0, self._v3_clocks),
            (0x63, 99, 0, lambda _command: _status(OK).ljust(8, b"\0")),
        ]
        old = self.firmware.hardware < 3
        return {
            command: perform
            for command, since_v2, since_v3, perform in since
            if self.firmware.jtag >= (since_v2 if old else since_v3)
        }

    def _begin(self) -> None:
        self._mode = MASS_STORAGE
        self._failed_at: int | None = None
        self._last = (OK, 0)  # status of the last memory access, address that failed
        self._data_for: tuple[int, int, int] | None = None  # address, unit, bytes to come
        self._trace: bytearray | None = None  # what was captured; None: not capturing
        self._announced = 0  # bytes of it that the host may fetch

    def _power_lost(self) -> None:
        self._let_reset_go()
        self._wire.trace_stop()
        self._begin()

    # The pipes.

    def _receive(self, endpoint: int, data: bytes) -> None:
        del endpoint
        if self._data_for is not None:
            self._store(data)
            return
        self._drop_answers(self._kind.probe_to_host)  # of a command whose answer nobody fetched
        command = data.ljust(16, b"\0")
        perform = self._commands.get(command[0])
        answer = _status(UNKNOWN_COMMAND) if perform is None else perform(command)
        if answer is not None:
            self._send(self._kind.probe_to_host, answer)

    def _poll(self, endpoint: int) -> None:
        if endpoint == self._kind.trace and self._trace is not None and self._announced:
            self._send(endpoint, bytes(self._trace[: self._announced]))
            del self._trace[: self._announced]
            self._announced = 0

    # About the probe.

    def _version(self, _command: bytes) -> bytes:
        own = self.firmware
        jtag, last = (own.jtag, own.storage or own.swim) if own.hardware < 3 else (0, 0)
        return struct.pack(">H", own.hardware << 12 | jtag << 6 | last) + self._usb_id()

    def _version_extended(self, _command: bytes) -> bytes:
        own = self.firmware
        numbers = (own.hardware, own.swim, own.jtag, own.storage, own.bridge, 0, 0, 0)
        return bytes(numbers) + self._usb_id()

    def _usb_id(self) -> bytes:
        return struct.pack("<HH", self.identity.vid, self.identity.pid)

    def _voltage(self, _command: bytes) -> bytes:
        return struct.pack(
            "<II", _REFERENCE_ADC, round(self._wire.supply_mv * _REFERENCE_ADC / 2400)
        )

    def _board_identifiers(self, _command: bytes) -> bytes:
        return (_status(OK) + (self._board_id or "").encode("ascii")).ljust(128, b"\0")

    # Modes, clock, reset.

    def _debug(self, command: bytes) -> bytes | None:
        perform = self._debug_commands.get(command[1])
        return _status(UNKNOWN_COMMAND) if perform is None else perform(command)

    def _leave(self, _command: bytes) -> None:
        """Back from any mode. The reset line is let go, whoever pulled it."""
        self._let_reset_go()
        self._mode = MASS_STORAGE

    def _let_reset_go(self) -> None:
        if self._reset_asserted:
            self._reset_asserted = False
            self._wire.reset_line(False)

    def _enter(self, command: bytes) -> bytes:
        if command[2] != 0xA3:
            return _status(COMMAND_ERROR)
        status, _ = self._on_wire(self._connect, IDCODE_ERROR, IDCODE_ERROR, IDCODE_ERROR)
        if status == OK:
            self._mode = DEBUG
        return _status(status)

    def _connect(self) -> None:
        self._wire.read_dp(0)
        self._wire.write_dp(_DP_ABORT, _CLEAR_STICKY)
        self._wire.write_dp(_DP_SELECT, 0)
        self._wire.write_dp(_DP_CTRL_STAT, _POWER_UP)

    def _drive_reset(self, command: bytes) -> bytes:
        match command[2]:
            case 0:
                self._reset_asserted = True
                self._wire.reset_line(True)
            case 1:
                self._reset_asserted = False
                self._wire.reset_line(False)
            case 2:
                self._wire.reset_line(True)
                self._elapse(_RESET_PULSE_PS)
                self._reset_asserted = False
                self._wire.reset_line(False)
            case _:
                return _status(COMMAND_ERROR)
        return _status(OK)

    def _set_v2_clock(self, command: bytes) -> bytes:
        (delay,) = struct.unpack_from("<H", command, 2)
        if delay not in _V2_SWD_HZ:
            return _status(FREQUENCY_NOT_SUPPORTED)
        self.swd_hz = _V2_SWD_HZ[delay]
        return _status(OK)

    def _set_v3_clock(self, command: bytes) -> bytes:
        (wanted_khz,) = struct.unpack_from("<I", command, 4)
        possible = [khz for khz in _V3_KHZ if khz <= wanted_khz]
        if not possible:
            return _status(COMMAND_ERROR).ljust(8, b"\0")
        self.swd_hz = possible[0] * 1000
        return struct.pack("<HHI", OK, 0, possible[0])

    def _v3_clocks(self, _command: bytes) -> bytes:
        answer = struct.pack("<HHII", OK, 0, self.swd_hz // 1000, len(_V3_KHZ))
        return (answer + struct.pack(f"<{len(_V3_KHZ)}I", *_V3_KHZ)).ljust(52, b"\0")

    # The wire.

    def _on_wire(
        self, access: Callable[[], T], wait: int, fault: int, error: int
    ) -> tuple[int, T | None]:
        """Do it; with the status that the firmware makes of the target's answer."""
        if self._wire.supply_mv < _MIN_TARGET_MV:
            return error, None
        for _ in range(_WAIT_RETRIES):
            try:
                return OK, access()
            except WaitAnswerError:
                continue
            except FaultAnswerError as answer:
                self._failed_at = answer.address
                return fault, None
            except NoAnswerError:
                return error, None
        return wait, None

    def _register(self, command: bytes) -> tuple[bool, int]:
        port, address = struct.unpack_from("<HH", command, 2)
        if port == _DP_PORT:
            return True, address
        return False, port << 24 | address

    def _banked(self, address: int, access: Callable[[int], T]) -> T:
        """A DP register in its bank: the firmware keeps SELECT to itself."""
        bank = address >> 4 & 0xF
        if not bank:
            return access(address & 0xC)
        self._wire.write_dp(_DP_SELECT, bank)
        try:
            return access(address & 0xC)
        finally:
            self._wire.write_dp(_DP_SELECT, 0)

    def _read_register(self, command: bytes) -> bytes:
        if self._mode != DEBUG:
            return struct.pack("<HHI", DP_ERROR, 0, 0)
        is_dp, address = self._register(command)
        if is_dp:
            status, value = self._on_wire(
                lambda: self._banked(address, self._wire.read_dp), DP_WAIT, DP_FAULT, DP_ERROR
            )
        else:
            status, value = self._on_wire(
                lambda: self._wire.read_ap(address), AP_WAIT, AP_FAULT, AP_ERROR
            )
        return struct.pack("<HHI", status, 0, value or 0)

    def _write_register(self, command: bytes) -> bytes:
        if self._mode != DEBUG:
            return _status(DP_ERROR)
        is_dp, address = self._register(command)
        (value,) = struct.unpack_from("<I", command, 6)
        if is_dp:
            status, _ = self._on_wire(
                lambda: self._banked(address, lambda within: self._wire.write_dp(within, value)),
                DP_WAIT,
                DP_FAULT,
                DP_ERROR,
            )
        else:
            status, _ = self._on_wire(
                lambda: self._wire.write_ap(address, value), AP_WAIT, AP_FAULT, AP_ERROR
            )
        return _status(status)

    def _open_ap(self, command: bytes) -> bytes:
        status, idr = self._on_wire(
            lambda: self._wire.read_ap(command[2] << 24 | _AP_IDR), AP_WAIT, AP_FAULT, AP_ERROR
        )
        return _status(BAD_AP if status == OK and not idr else status)

    # Memory.

    def _refused(self, address: int, unit: int, length: int, ap: int) -> int | None:
        """Why the firmware does not even try, as a status."""
        if self._mode != DEBUG:
            return AP_ERROR
        if ap:
            return BAD_AP
        if not length or length > (self._kind.packet_bytes if unit == 1 else _MAX_TRANSFER):
            return COMMAND_ERROR
        return ALIGNMENT_ERROR if address % unit or length % unit else None

    def _read_memory(self, command: bytes, unit: int) -> bytes:
        address, length, ap = struct.unpack_from("<IHB", command, 2)
        data = None
        refused = self._refused(address, unit, length, ap)
        if refused is None:
            status, data = self._on_memory(
                address, lambda: self._wire.read_memory(address, unit, length // unit)
            )
        else:
            status = refused
            self._last = (refused, 0)
        if status != OK:
            data = bytes(length)  # the host has asked for that many: it gets them, and the status
        return (data or b"").ljust(2, b"\0")

    def _write_memory(self, command: bytes, unit: int) -> None:
        address, length, ap = struct.unpack_from("<IHB", command, 2)
        refused = self._refused(address, unit, length, ap)
        self._last = (OK, 0) if refused is None else (refused, 0)
        self._data_for = (address, unit, length) if length else None

    def _store(self, data: bytes) -> None:
        assert self._data_for is not None
        address, unit, length = self._data_for
        self._data_for = None
        if self._last[0] == OK:
            self._on_memory(address, lambda: self._wire.write_memory(address, unit, data[:length]))

    def _on_memory(self, address: int, access: Callable[[], T]) -> tuple[int, T | None]:
        self._failed_at = None
        status, value = self._on_wire(access, AP_WAIT, AP_FAULT, AP_ERROR)
        failed_at = address if self._failed_at is None else self._failed_at
        self._last = (status, 0 if status == OK else failed_at)
        return status, value

    def _last_status(self, _command: bytes) -> bytes:
        return struct.pack("<HHII", self._last[0], 0, self._last[1], 0)

    # Trace.

    def _start_trace(self, command: bytes) -> bytes:
        (baud,) = struct.unpack_from("<I", command, 4)
        if not 0 < baud <= _SWO_MAX_BAUD[min(self.firmware.hardware, 3)]:
            return _status(FREQUENCY_NOT_SUPPORTED)
        self._wire.trace_start(baud)
        self._trace, self._announced = bytearray(), 0
        return _status(OK)

    def _stop_trace(self, _command: bytes) -> bytes:
        self._wire.trace_stop()
        self._trace, self._announced = None, 0
        return _status(OK)

    def _trace_waiting(self, _command: bytes) -> bytes:
        if self._trace is None:
            return struct.pack("<H", 0)
        self._trace += self._wire.trace_read()
        del self._trace[_SWO_BUFFER:]  # what came when the buffer was full is lost
        self._announced = len(self._trace)
        return struct.pack("<H", self._announced)


def _status(status: int) -> bytes:
    return struct.pack("<H", status)


@contextmanager
def plugged(
    board: VirtualBoard,
    *,
    kind: Kind = V2_1,
    firmware: Firmware | None = None,
    supply_mv: int | None = None,
) -> Iterator[StLink]:
    """While entered, this process's pyOCD finds the board behind an ST-Link.

    The board has its power from the probe's cable, as a NUCLEO has: when that was pulled, it
    starts anew.

    Raises:
        BenchError: Another device on the virtual bus has the board's uid.

    """
    wire = BoardWire(board, supply_mv=supply_mv)

    def cable_moved(attached: bool) -> None:
        board.cable_moved(attached=attached)
        if attached:
            board.power_cycle()

    link = StLink(
        wire,
        serial=board.uid,
        kind=kind,
        firmware=firmware,
        board_id=board.board.probe.get("board_id"),
        elapse=wire.spend,
        latency_ps=TRANSACTION_PS,
        cable_moved=cable_moved,
    )
    link.suffer(drop_after=board.faults.drop_after, replug=board.faults.replug)
    with usb.plugged(link):
        yield link
