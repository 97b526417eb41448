"""A probe on another computer, behind pyocd's own probe server (``pyocd server``)."""

from __future__ import annotations

import contextlib
import socket
from typing import TYPE_CHECKING, Any

from fwgen.errors import RigError
from fwgen.rig.probes import REMOTE, Probe

if TYPE_CHECKING:
    from pyocd.probe.tcp_client_probe import TCPClientProbe

SERVER_CURE = "does its server run (pyocd server), and at this address?"
PATIENCE_S = 10.0  # for the connection


def remote_probe(name: str) -> Probe:
    """The probe at "remote:HOST:PORT"; a connection is made when it is used, and tried now.

    Raises RigError when the name is none, or nobody answers there.
    """
    host, port = _address(name)
    try:
        socket.create_connection((host, port), PATIENCE_S).close()
    except OSError as error:
        said = "nobody answers in time" if isinstance(error, TimeoutError) else error.strerror
        raise RigError(
            f"the probe's server cannot be reached: {said or error}",
            where=f"{host}:{port}",
            hint=SERVER_CURE,
        ) from None
    return Probe(f"{REMOTE}{host}:{port}", "behind a server", handle=_handle(host, port))


def _address(name: str) -> tuple[str, int]:
    host, _, port = name.removeprefix(REMOTE).rpartition(":")
    if not host or not port.isdecimal() or not 0 < int(port) <= 0xFFFF:
        raise RigError(f"{name!r} names no probe", hint="write it as remote:HOST:PORT")
    return host, int(port)


def _handle(host: str, port: int) -> TCPClientProbe:
    """What pyocd has for it, on a socket that tells when the server goes away.

    pyocd's own would read nothing from it, for ever, and stay open (pyocd 0.46:
    ClientSocket.readline, TCPClientProbe.close and unlock).
    """
    from pyocd.core.exceptions import ProbeDisconnected
    from pyocd.probe.tcp_client_probe import TCPClientProbe
    from pyocd.utility.sockets import ClientSocket

    class Socket(ClientSocket):  # type: ignore[misc]
        _socket: socket.socket | None

        def read(self, packet_size: int | None = None) -> bytes:
            try:
                data: bytes = super().read(packet_size)
            except ConnectionError as error:
                raise ProbeDisconnected(f"the server went away: {error.strerror}") from error
            if not data:
                raise ProbeDisconnected("the server went away")
            return data

        def write(self, data: bytes) -> Any:
            try:
                return super().write(data)
            except ConnectionError as error:
                raise ProbeDisconnected(f"the server went away: {error.strerror}") from error

        def close(self) -> None:
            with contextlib.suppress(OSError):  # of a connection that is gone
                super().close()
            if self._socket is not None:
                self._socket.close()
                self._socket = None

    class Remote(TCPClientProbe):  # type: ignore[misc]
        def close(self) -> None:
            try:
                super().close()
            finally:
                self._socket.close()
                self._is_open = False

        def unlock(self) -> None:
            if self._lock_count:  # else the lock was never had, which says why
                super().unlock()

    handle = Remote(f"{host}:{port}")
    handle._socket = Socket(host, port)
    return handle
