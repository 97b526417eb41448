"""A serial port as a session has it: opened, lost, found again; read and written."""

from __future__ import annotations

import contextlib
import queue
import threading
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from fwgen.rig.ports import Port, PortError, find_ports, open_port, port_errors

if TYPE_CHECKING:
    from collections.abc import Sequence

LOOK_S = 0.01  # how long a read waits
CHUNK = 4096
LINES = {"rts": "RTS", "dtr": "DTR", "break_condition": "break"}
STATES = ("cts", "dsr", "ri", "cd")


@dataclass(frozen=True, slots=True)
class Settings:
    """How a port is opened."""

    baud: int = 115_200
    bits: int = 8
    parity: str = "N"
    stop_bits: float = 1
    rts: bool = True
    dtr: bool = True

    def __str__(self) -> str:
        return f"{self.baud} {self.bits}{self.parity}{self.stop_bits:g}"


class Line:
    """One port with its settings. It may be closed, by us or because it went away.

    What was not sent when it closed is kept and sent when it is open again, unless ``forget``.
    """

    def __init__(self, port: Port, settings: Settings) -> None:
        self.port, self.settings = port, settings
        self._serial: Any = None
        self._sender: _Sender | None = None
        self._kept: list[bytes] = []
        self._cut = 0  # bytes that were being sent when the port closed

    @property
    def is_open(self) -> bool:
        """Whether it can be read and written."""
        return self._serial is not None

    @property
    def unsent(self) -> int:
        """Bytes that the port has not taken."""
        kept = sum(len(data) for data in self._kept)
        return self._cut + kept + (self._sender.left if self._sender is not None else 0)

    def open(self) -> None:
        """Open the port, for ourselves alone. Raises PortError."""
        s = self.settings
        self._serial = open_port(
            self.port.device,
            baud=s.baud,
            bits=s.bits,
            parity=s.parity,
            stop_bits=s.stop_bits,
            timeout_s=LOOK_S,
            rts=s.rts,
            dtr=s.dtr,
        )
        kept, self._kept = self._kept, []
        self._sender = _Sender(self._serial, kept)

    def open_again(self) -> bool:
        """Open a port that went away, under whatever name the same device has now."""
        before = self.port
        if before.uid:
            here = [one for one in find_ports() if one.uid == before.uid]
            if not here:
                return False
            same = [one for one in here if one.device == before.device]
            self.port = (same or here)[0]
        try:
            self.open()
        except PortError:
            self.port = before
            return False
        return True

    def close(self) -> None:
        """Close it; closing a closed one does nothing."""
        if self._sender is not None:
            kept = self._sender.stop()
            self._cut += self._sender.left - sum(len(data) for data in kept)
            self._kept += kept
            self._sender = None
        if self._serial is not None:
            serial, self._serial = self._serial, None
            with contextlib.suppress(*_refusals()):
                serial.close()

    def forget(self) -> None:
        """What is not sent yet shall not be."""
        self._kept.clear()

    def receive(self) -> tuple[bytes, datetime]:
        """What came, and when; waits a moment for it. Raises PortLostError."""
        port = self._serial
        with port_errors(self.port.device):
            data = port.read(1)
            at = datetime.now()  # the time on the wall is the one to show
            if data:
                data += port.read(min(port.in_waiting, CHUNK))
            if self._sender is not None and self._sender.trouble is not None:
                raise self._sender.trouble
        return data, at

    def send(self, data: bytes) -> None:
        """Send, after what was sent before; never waits."""
        if self._sender is not None:
            self._sender.put(data)
        else:
            self._kept.append(data)

    # ------------------------------------------------------------------ settings

    def change(self, settings: Settings) -> str:
        """Other settings, at once. Gives what the port said against them; then nothing changed."""
        port = self._serial
        if port is not None:
            wanted = {
                "baudrate": settings.baud,
                "bytesize": settings.bits,
                "parity": settings.parity,
                "stopbits": settings.stop_bits,
            }
            before = {name: getattr(port, name) for name in wanted}
            try:
                for name, value in wanted.items():
                    if value != before[name]:
                        setattr(port, name, value)
            except _refusals(ValueError) as error:
                for name, value in before.items():
                    with contextlib.suppress(*_refusals(ValueError)):
                        setattr(port, name, value)
                return _said(error)
        self.settings = settings
        return ""

    def set_line(self, name: str, on: bool) -> str:
        """Set "rts", "dtr" or "break_condition". Gives why the port cannot; "" when it did."""
        if self._serial is not None:
            try:
                setattr(self._serial, name, on)
            except _refusals() as error:
                return _said(error)
        if name == "rts":
            self.settings = replace(self.settings, rts=on)
        elif name == "dtr":
            self.settings = replace(self.settings, dtr=on)
        return ""

    def set_flow(self, name: str, on: bool) -> str:
        """Flow control "xonxoff" or "rtscts". Gives why the port cannot; "" when it did."""
        if self._serial is not None:
            try:
                setattr(self._serial, name, on)
            except _refusals(ValueError) as error:
                return _said(error)
        return ""

    def line(self, name: str) -> bool:
        """How a control line was set."""
        return bool(getattr(self._serial, name, False))

    def states(self) -> str:
        """The control lines, ours and the other side's, as far as the port has them."""
        told = [f"{shown} {_on(self.line(name))}" for name, shown in LINES.items()]
        for name in STATES:
            with contextlib.suppress(*_refusals()):
                told.append(f"{name.upper()} {_on(getattr(self._serial, name))}")
        return ", ".join(told)


class _Sender:
    """Writes to a port from a thread of its own: one that takes nothing holds nothing up."""

    def __init__(self, port: Any, first: Sequence[bytes] = ()) -> None:
        self.trouble: Exception | None = None
        self.left = 0  # bytes not taken
        self._port = port
        self._queue: queue.Queue[bytes | None] = queue.Queue()
        self._lock = threading.Lock()
        for data in first:
            self.put(data)
        self._thread = threading.Thread(target=self._write, name="sends", daemon=True)
        self._thread.start()

    def put(self, data: bytes) -> None:
        """Send, after what was put before."""
        for at in range(0, len(data), CHUNK):
            piece = data[at : at + CHUNK]
            with self._lock:
                self.left += len(piece)
            self._queue.put(piece)

    def stop(self) -> list[bytes]:
        """Send no more; gives what was not begun."""
        kept = []
        with contextlib.suppress(queue.Empty):
            while (data := self._queue.get_nowait()) is not None:
                kept.append(data)
        self._queue.put(None)
        if hasattr(self._port, "cancel_write"):
            with contextlib.suppress(*_refusals()):
                self._port.cancel_write()
        self._thread.join(1)
        return kept

    def _write(self) -> None:
        while (data := self._queue.get()) is not None:
            try:
                self._port.write(data)
            except Exception as error:  # noqa: BLE001 - raised again where the port is read
                self.trouble = error
                return
            with self._lock:
                self.left -= len(data)


def _on(state: object) -> str:
    return "on" if state else "off"


def _said(error: Exception) -> str:
    """What the system said, without the number."""
    return str(error.args[1]) if len(error.args) == 2 else str(error)


def _refusals(*more: type[Exception]) -> tuple[type[Exception], ...]:
    """What a port raises that cannot do something."""
    try:
        import termios
    except ImportError:
        return (OSError, *more)
    return (OSError, termios.error, *more)
