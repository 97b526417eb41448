"""The console over TCP, with rate, format and control lines: RFC 2217 (Telnet COM port control).

Tested with pyserial's ``rfc2217://``; the protocol's server side is pyserial's own.
"""

from __future__ import annotations

import contextlib
import logging
import select
import socket
import struct
import threading
from typing import TYPE_CHECKING, Any

from serial import rfc2217
from serial.serialutil import SerialException

from fwgen.errors import BenchError
from fwgen.virtual.serial.protocol_fwgen import Serial
from fwgen.virtual.serial.wake import Bell

if TYPE_CHECKING:
    from collections.abc import Callable

    from fwgen.virtual.serial.port import VirtualPort

logger = logging.getLogger(__name__)

CHUNK = 4096
AHEAD = 1 << 16  # bytes that may wait for a client that reads slowly
_STATES = {"break": 16, "framing": 8, "parity": 4}  # of NOTIFY-LINESTATE (RFC 2217)


class Rfc2217Server:
    """Serves a port over TCP while entered, to one client at a time; ``url`` is what to open.

    ``tcp_port`` 0 takes a free one. Raises BenchError when the address cannot be had.
    """

    def __init__(self, port: VirtualPort, *, host: str = "127.0.0.1", tcp_port: int = 0) -> None:
        self.port, self._address = port, (host, tcp_port)
        self._bell = Bell()
        self._over = False
        self._listener: socket.socket | None = None
        self._thread: threading.Thread | None = None
        self.url = ""

    def __enter__(self) -> Rfc2217Server:
        host, tcp_port = self._address
        try:
            self._listener = socket.create_server(self._address)
        except OSError as error:
            self._bell.close()
            raise BenchError(
                f"cannot serve the virtual board's serial port: {error.strerror or error}",
                where=f"{host}:{tcp_port}",
                hint="choose another TCP port; 0 takes one that is free",
            ) from error
        self.url = f"rfc2217://{host}:{self._listener.getsockname()[1]}"
        self._thread = threading.Thread(target=self._serve, name=self.url)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over = True
        self._bell.ring()
        if self._thread is not None:
            self._thread.join()
        if self._listener is not None:
            self._listener.close()
        self._bell.close()

    def _serve(self) -> None:
        assert self._listener is not None
        session: _Session | None = None
        with self.port.notify(self._bell.ring):
            while not self._over:
                reading: list[Any] = [self._listener, self._bell]
                writing = []
                full = self.port.unsent > AHEAD
                if session is not None:
                    reading += [] if full else [session.client]
                    writing = [session.client] if session.to_send else []
                ready, writable, _ = select.select(reading, writing, [], 0.05 if full else None)
                self._bell.quiet()
                if self._listener in ready:
                    session = self._accept(session)
                if session is not None and not session.turn(
                    readable=session.client in ready, writable=session.client in writable
                ):
                    session.close()
                    session = None
        if session is not None:
            session.close()

    def _accept(self, session: _Session | None) -> _Session | None:
        assert self._listener is not None
        client, address = self._listener.accept()
        if session is None and self.port.present:
            with contextlib.suppress(SerialException):  # held exclusively elsewhere
                return _Session(client, self.port)
        logger.info("turned %s away: the port is taken", address)
        client.close()
        return session


class _Session:
    """One client."""

    def __init__(self, client: socket.socket, port: VirtualPort) -> None:
        self.client, self._port = client, port
        self.to_send = bytearray()
        self._serial = Serial(attached=port, timeout=0, baudrate=port.framing.baud)
        self._serial.port = f"fwgen://{port.board.uid}"
        self._serial.open()
        self._errors = dict(port.errors)
        client.setblocking(False)
        with contextlib.suppress(OSError):
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._typed = bytearray()
        self._manager = _Manager(self._serial, self, before=self._send_typed)

    def write(self, data: bytes) -> None:
        """Telnet's own bytes, for the client; what pyserial calls a connection."""
        self.to_send += data

    def turn(self, *, readable: bool, writable: bool) -> bool:
        """Pass on what can be; False when the client has gone, or the port."""
        try:
            if readable and not self._receive():
                return False
            self._fetch()
            if self.to_send and (writable or not readable):
                sent = self.client.send(self.to_send)
                del self.to_send[:sent]
        except BlockingIOError:
            return True
        except (OSError, SerialException):
            return False
        return self._port.present

    def close(self) -> None:
        """Hang up."""
        with contextlib.suppress(SerialException):  # of a port that went
            if self._serial.break_condition:
                self._serial.break_condition = False
        self._serial.close()
        with contextlib.suppress(OSError):
            self.client.shutdown(socket.SHUT_RDWR)
        self.client.close()

    def _receive(self) -> bool:
        try:
            data = self.client.recv(CHUNK)
        except BlockingIOError:
            return True
        if not data:
            return False
        try:
            for byte in self._manager.filter(data):
                self._typed += byte
        except (KeyError, IndexError, TypeError, struct.error):
            logger.warning("a client sent what RFC 2217 does not know: hanging up")
            return False
        self._send_typed()
        return True

    def _send_typed(self) -> None:
        """Send what came before a command is obeyed that came after it."""
        if self._typed:
            self._serial.write(self._typed)
            self._typed.clear()

    def _fetch(self) -> None:
        if len(self.to_send) < AHEAD and not self._manager.suspended:
            data = self._port.take(CHUNK)
            self.to_send += b"".join(self._manager.escape(data))
        mask = 0
        for name, count in self._port.errors.items():
            if count != self._errors.get(name, 0):
                self._errors[name] = count
                mask |= _STATES.get(name, 0)
        if mask & self._manager.linstate_mask:
            value = bytes([mask & self._manager.linstate_mask])
            self._manager.rfc2217_send_subnegotiation(rfc2217.SERVER_NOTIFY_LINESTATE, value)


class _Manager(rfc2217.PortManager):  # type: ignore[misc]
    """pyserial's side of the protocol, and the answers that it leaves out.

    ``before`` is called before anything that the client asks for is done.
    """

    def __init__(self, port: Serial, session: _Session, *, before: Callable[[], None]) -> None:
        self._before = before
        super().__init__(port, session)

    @property
    def suspended(self) -> bool:
        """Whether the client asked us to send nothing for now."""
        return getattr(self, "_remote_suspend_flow", False)

    def _telnet_process_subnegotiation(self, suboption: bytes) -> None:
        self._before()
        if suboption[:2] == rfc2217.COM_PORT_OPTION + rfc2217.SET_CONTROL:
            port, asked = self.serial, suboption[2:3]
            answers = {
                rfc2217.SET_CONTROL_REQ_BREAK_STATE: (
                    port.break_condition,
                    rfc2217.SET_CONTROL_BREAK_ON,
                    rfc2217.SET_CONTROL_BREAK_OFF,
                ),
                rfc2217.SET_CONTROL_REQ_DTR: (
                    port.dtr,
                    rfc2217.SET_CONTROL_DTR_ON,
                    rfc2217.SET_CONTROL_DTR_OFF,
                ),
                rfc2217.SET_CONTROL_REQ_RTS: (
                    port.rts,
                    rfc2217.SET_CONTROL_RTS_ON,
                    rfc2217.SET_CONTROL_RTS_OFF,
                ),
            }
            if asked in answers:
                on, yes, no = answers[asked]
                answer = yes if on else no
                self.rfc2217_send_subnegotiation(rfc2217.SERVER_SET_CONTROL, answer)
                return
        super()._telnet_process_subnegotiation(suboption)
