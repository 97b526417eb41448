"""The serial port that belongs to a probe: the one with the same serial number."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from fwgen.errors import RigError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from fwgen.rig.probes import Probe


@dataclass(frozen=True, slots=True)
class Port:
    """A serial port: what pyserial opens, and the serial number of the device it belongs to."""

    url: str
    serial_number: str
    description: str = ""


def list_ports() -> tuple[Port, ...]:
    """The serial ports of USB devices, by name."""
    from serial.tools.list_ports import comports

    found = [
        Port(info.device, info.serial_number, info.description or "")
        for info in comports()
        if info.serial_number
    ]
    return tuple(sorted(found, key=lambda port: port.url))


def find_port(probe: Probe, ports: Iterable[Port] | None = None) -> Port:
    """The port of the board that a probe sits on. Raises RigError when there is none.

    A virtual board's is a URL that its plugging in taught pyserial.
    """
    listed = tuple(list_ports() if ports is None else ports)
    uid = probe.uid.casefold()
    for port in listed:
        if port.serial_number.casefold() == uid:
            return port
    if _knows(f"fwgen://{probe.uid}"):
        return Port(f"fwgen://{probe.uid}", probe.uid, "virtual board")
    others = ", ".join(port.url for port in listed)
    raise RigError(
        "there is no serial port with the probe's serial number"
        + (f"; there is {others}" if others else ""),
        where=f"probe {probe.uid}",
        hint="plug the board in again; a probe that is no part of a board may have none",
    )


def _knows(url: str) -> bool:
    import serial

    try:
        serial.serial_for_url(url, do_not_open=True)
    except (ValueError, serial.SerialException):
        return False
    return True
