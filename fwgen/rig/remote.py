"""A probe on another computer, behind pyocd's own probe server (``pyocd server``)."""

from __future__ import annotations

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
    """Pyocd's probe, on a socket that tells when the server goes away.

    pyocd's own would read nothing from it, for ever (ClientSocket.readline, pyocd 0.46).
    """
    from pyocd.core.exceptions import ProbeDisconnected
    from pyocd.probe.tcp_client_probe import TCPClientProbe
    from pyocd.utility.sockets import ClientSocket

    class Socket(ClientSocket):  # type: ignore[misc]
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

    handle = TCPClientProbe(f"{host}:{port}")
    handle._socket = Socket(host, port)
    return handle
