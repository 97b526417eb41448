"""The console of a virtual board, in three shapes.

- ``fwgen://<uid>``, for pyserial in this process, in the board's own time
  (``protocol_fwgen``; this package is the one that pyserial is told of);
- a pseudo-terminal that any terminal program can open (``pty``);
- rfc2217 over TCP, for pyserial's ``rfc2217://`` and others (``rfc2217``).

All three are views of one ``VirtualPort``, the virtual COM port of the board's probe.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from fwgen.virtual.serial.port import Lines, SerialBoard, VirtualPort
from fwgen.virtual.serial.wire import Framing, Noise

if TYPE_CHECKING:
    from collections.abc import Iterator

    from serial.tools.list_ports_common import ListPortInfo

__all__ = [
    "Framing",
    "Lines",
    "Noise",
    "SerialBoard",
    "VirtualPort",
    "comports",
    "find_port",
    "plugged",
]

_plugged: dict[str, VirtualPort] = {}


@contextmanager
def plugged(port: VirtualPort) -> Iterator[str]:
    """While entered, ``serial.serial_for_url("fwgen://<uid>")`` opens this port; gives the URL.

    Leaving pulls the cable: whoever has the port open loses it. Raises ValueError when a port
    of this uid is plugged already.
    """
    import serial

    uid = port.board.uid
    if uid in _plugged:
        raise ValueError(f"a virtual board with the uid {uid!r} is plugged already")
    if __name__ not in serial.protocol_handler_packages:
        serial.protocol_handler_packages.append(__name__)
    _plugged[uid] = port
    port.replug()
    try:
        yield f"fwgen://{uid}"
    finally:
        del _plugged[uid]
        port.unplug()


def find_port(uid: str) -> VirtualPort | None:
    """The plugged port of a board's uid; None also while its cable is out."""
    port = _plugged.get(uid)
    return port if port is not None and port.present else None


def comports() -> list[ListPortInfo]:
    """The plugged ports, as ``serial.tools.list_ports.comports`` lists real ones."""
    from serial.tools.list_ports_common import ListPortInfo

    found = []
    for uid, port in _plugged.items():
        if not port.present:
            continue
        info = ListPortInfo(f"fwgen://{uid}")
        info.name = info.device
        info.serial_number = uid
        info.manufacturer, info.product = "fwgen", f"virtual {port.board.board.title}"
        info.apply_usb_info()
        info.hwid = f"SER={uid}"
        found.append(info)
    return found
