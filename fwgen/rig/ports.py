"""Serial ports: which there are, which belongs to a probe, opened for ourselves alone.

Everything goes through ``serial.serial_for_url``: a device of this computer, ``rfc2217://`` over
the network, ``fwgen://`` of a virtual board. What goes wrong is a PortError in words.
"""

from __future__ import annotations

import contextlib
import errno
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fwgen.errors import RigError, did_you_mean
from fwgen.units import PS_PER_MS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

USB_PS = 2 * PS_PER_MS  # from the wire to the host, at most: two frames of full-speed USB
FTDI, FTDI_PS = 0x0403, 18 * PS_PER_MS  # these wait 16 ms for more to come (FTDI AN232B-04)
NETWORK_PS = 100 * PS_PER_MS


class PortError(RigError):
    """A serial port cannot be used."""


class PortMissingError(PortError):
    """There is no such port, at least not now."""


class PortBusyError(PortError):
    """Another program has the port."""


class PortDeniedError(PortError):
    """We may not use the port."""


class PortLostError(PortError):
    """The port went away while it was open."""


# ---------------------------------------------------------------------------- finding


@dataclass(frozen=True, slots=True)
class Port:
    """A serial port of this computer. ``uid`` is the USB device's serial number, "" for none."""

    device: str
    title: str
    uid: str = ""
    vendor: int | None = None

    @property
    def latency_ps(self) -> int:
        """How long a byte may take from the wire to us, at most."""
        if self.vendor == FTDI:
            return FTDI_PS
        return NETWORK_PS if "://" in self.device and not self.uid else USB_PS

    def __str__(self) -> str:
        known = [text for text in (self.title, self.uid) if text and text != self.device]
        return f"{self.device} ({', '.join(known)})" if known else self.device


def find_ports() -> tuple[Port, ...]:
    """The ports there are now, USB devices and plugged virtual boards first, by name."""
    import serial
    from serial.tools import list_ports

    infos = list(list_ports.comports())
    for name in serial.protocol_handler_packages:
        # A package of URL handlers that can list what it has says so as pyserial's own list does.
        listed = getattr(sys.modules.get(name), "comports", None)
        infos += listed() if listed is not None else []
    found = [
        Port(info.device, info.description or info.device, info.serial_number or "", info.vid)
        for info in infos
    ]
    return tuple(sorted(found, key=lambda port: (not port.uid, port.device)))


def find_port(uid: str, ports: Iterable[Port] | None = None) -> Port:
    """The port of the probe whose serial number this is: a probe with a port is one USB device.

    Raises PortMissingError, with what there is.
    """
    found = find_ports() if ports is None else tuple(ports)
    for port in found:
        if port.uid and port.uid.casefold() == uid.casefold():
            return port
    others = ", ".join(str(port) for port in found if port.uid)
    raise PortMissingError(
        f"no serial port belongs to the probe {uid}",
        hint=f"there is {others}" if others
        else "its cable must carry data, not only power; a probe without a port needs an adapter",
    )  # fmt: skip


def choose_port(wanted: str | None = None, ports: Iterable[Port] | None = None) -> Port:
    """The USB port that is meant: by (part of) its probe's serial number, or the only one.

    Raises PortMissingError or PortError that lists what there is; several are never guessed from.
    """
    found = [port for port in (find_ports() if ports is None else ports) if port.uid]
    key = (wanted or "").casefold()
    matching = [port for port in found if port.uid.casefold() == key]
    matching = matching or [port for port in found if key in port.uid.casefold()]
    if len(matching) == 1:
        return matching[0]
    listed = ", ".join(str(port) for port in matching or found)
    if matching:
        raise PortError(
            f"there are {len(matching)} serial ports, and I do not guess: {listed}",
            hint=f"name one: {matching[0].device}",
        )
    if wanted:
        return find_port(wanted, found)
    raise PortMissingError(
        "no USB serial port is plugged in",
        hint="plug the board in with a cable that carries data; or name a port",
    )


def port_named(device: str) -> Port:
    """What is known of the port at a device or URL; one that is not listed is taken as it is."""
    real = os.path.realpath(device) if "://" not in device else device
    for port in find_ports():
        if device == port.device or real == os.path.realpath(port.device):
            return port
    return Port(device, device)


# ---------------------------------------------------------------------------- opening


def open_port(
    device: str,
    *,
    baud: int,
    bits: int = 8,
    parity: str = "N",
    stop_bits: float = 1,
    timeout_s: float | None = 0,
    rts: bool = True,
    dtr: bool = True,
) -> Any:
    """Open a port for ourselves alone; what had come before is dropped.

    ``device`` is a path, or any URL that pyserial takes; ``rts`` and ``dtr`` are how the control
    lines are set from the start. Gives the pyserial port. Raises PortMissingError,
    PortBusyError, PortDeniedError, or PortError with what the system said.
    """
    import serial

    try:
        port = serial.serial_for_url(
            device,
            do_not_open=True,
            baudrate=baud,
            bytesize=bits,
            parity=parity,
            stopbits=stop_bits,
            timeout=timeout_s,
            exclusive=True,
        )
        port.rts, port.dtr = rts, dtr
        port.open()
    except port_failures() as error:
        raise explain(error, device) from error
    except (ValueError, KeyError) as error:
        # Some of pyserial's URL handlers fail with a KeyError at an option they do not know.
        url = "://" in device and (isinstance(error, KeyError) or "URL" in str(error))
        what = "the URL" if url else "a setting"
        raise PortError(f"{what} is not possible: {error}", where=device) from error
    return port


def explain(error: Exception, device: str, *, opened: bool = False) -> PortError:
    """What a failure of a port means, in words; ``opened``: the port had been open."""
    number = error.args[0] if error.args and isinstance(error.args[0], int) else None
    number = number or getattr(error, "errno", None)
    said = str(error.args[1] if len(error.args) == 2 else error)
    if opened:
        return PortLostError(
            "the serial port went away",
            where=device,
            hint="was the cable pulled, or the board switched off?",
        )
    if number in (errno.EBUSY, errno.EAGAIN) or "Access is denied" in said:
        holder = _holder(device)
        return PortBusyError(
            f"the serial port is in use by {holder or 'another program'}",
            where=device,
            hint="close it there (a terminal program, an IDE, ModemManager), then try again",
        )
    if number in (errno.EACCES, errno.EPERM):
        return PortDeniedError(
            "you may not use the serial port", where=device, hint=_permission(device)
        )
    if number in (errno.ENOENT, errno.ENODEV, errno.ENXIO) or "FileNotFoundError" in said:
        return _missing(device)
    if isinstance(error, OSError) and "://" in device:
        return PortMissingError(
            f"the port cannot be reached: {_core(said, device)}",
            where=device,
            hint="does its server run, and at this address?",
        )
    return PortError(f"the serial port does not work: {_core(said, device)}", where=device)


def _missing(device: str) -> PortMissingError:
    found = find_ports()
    listed = ", ".join(str(port) for port in found)
    hint = did_you_mean(device, [port.device for port in found if port.device != device])
    there = f"there is {listed}" if listed else "none is plugged in"
    return PortMissingError(
        "there is no such serial port",
        where=device,
        hint=f"{hint} {there}" if hint else there,
    )


def _core(said: str, device: str) -> str:
    """What the system said, without pyserial's wrapping."""
    for wrapping in (f"could not open port {device}: ", f"Could not open port {device}: "):
        _, found, rest = said.partition(wrapping)
        if found:
            said = rest
    return said


def _permission(device: str) -> str:
    """How to be allowed to use a device."""
    with contextlib.suppress(ImportError, OSError, KeyError):
        import grp

        group = grp.getgrgid(Path(device).stat().st_gid).gr_name
        if group != "root":
            return f"sudo usermod -aG {group} $USER, then log in again: the group {group} may"
    return "ask whoever looks after this computer"


def _holder(device: str) -> str:
    """The program that has a device open, as far as we may see; "" when we may not."""
    real = os.path.realpath(device)
    for link in Path("/proc").glob("[0-9]*/fd/*"):
        with contextlib.suppress(OSError):
            if str(link.readlink()) == real:
                pid = link.parts[2]
                if int(pid) == os.getpid():
                    return "this fwgen"
                name = Path("/proc", pid, "comm").read_text(encoding="utf-8", errors="replace")
                return f"{name.strip()} (process {pid})"
    return ""


def port_failures() -> tuple[type[Exception], ...]:
    """What pyserial's ports raise when the system refuses."""
    errors: list[type[Exception]] = [OSError]  # a SerialException is one
    with contextlib.suppress(ImportError):
        import termios

        errors.append(termios.error)
    return tuple(errors)


@contextlib.contextmanager
def port_errors(device: str) -> Iterator[None]:
    """While an open port is used, its failure is PortLostError."""
    try:
        yield
    except port_failures() as error:
        raise explain(error, device, opened=True) from error
