"""A board's serial port: found, opened for ourselves, and heard with honest times.

Everything goes through ``serial.serial_for_url``: a device of this computer, ``rfc2217://`` over
the network, ``fwgen://`` of a virtual board. What goes wrong is a PortError in words.
"""

from __future__ import annotations

import contextlib
import errno
import os
import sys
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fwgen.errors import BenchError, did_you_mean
from fwgen.rig.clock import WallClock
from fwgen.trace import SerialByte
from fwgen.units import MHZ_PER_HZ, PS_PER_MS, PS_PER_S

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from fwgen.rig.clock import Clock

SLICE_PS = 2 * PS_PER_MS  # how long one read waits: what comes within is not told apart in time
USB_PS = 2 * PS_PER_MS  # from the wire to the host, at most: two frames of full-speed USB
FTDI, FTDI_PS = 0x0403, 18 * PS_PER_MS  # these wait 16 ms for more to come (FTDI AN232B-04)
NETWORK_PS = 100 * PS_PER_MS
FASTER = (96, 100)  # a sender may be this much faster than the port and still be understood


class PortError(BenchError):
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
        hint=f"there is {others}; name one with --port" if others
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
    except _port_errors() as error:
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


def _port_errors() -> tuple[type[Exception], ...]:
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
    except _port_errors() as error:
        raise explain(error, device, opened=True) from error


# ---------------------------------------------------------------------------- listening


@dataclass(frozen=True, slots=True)
class Heard:
    """A byte, and when its stop bit can have ended: between ``early_ps`` and ``late_ps``."""

    byte: int
    early_ps: int
    late_ps: int

    @property
    def t_ps(self) -> int:
        """The middle."""
        return (self.early_ps + self.late_ps) // 2

    @property
    def uncertainty_ps(self) -> int:
        """How far from the middle the truth may be."""
        return (self.late_ps - self.early_ps + 1) // 2


class Capture:
    """Listens to an open port from now until left, and knows when each byte came.

    By the wall clock a thread of its own listens. By a virtual board's clock nothing happens
    by itself: time passes in ``wait``, and ``poll`` takes what came while it passed elsewhere.

    A byte reaches us later than it was on the wire, by what the adapter and the system take
    (``latency_ps`` at most), and within one look we cannot tell earlier from later: ``Heard``
    has both ends. Bytes that come at once were on the wire one after another, at the port's rate.
    """

    def __init__(self, port: Any, clock: Clock, *, latency_ps: int = USB_PS) -> None:
        self.port, self.clock, self.latency_ps = port, clock, latency_ps
        halves = 2 * (1 + port.bytesize + (port.parity != "N")) + round(2 * port.stopbits)
        self.frame_ps = halves * PS_PER_S // (2 * port.baudrate)
        self._least_ps = self.frame_ps * FASTER[0] // FASTER[1]
        self._baud_mhz = port.baudrate * MHZ_PER_HZ
        self._heard: list[Heard] = []
        self._empty_ps = clock.now_ps  # when nothing was waiting, as far as we know
        self._trouble: PortError | None = None
        self._over = False
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Capture:
        if isinstance(self.clock, WallClock):
            self._thread = threading.Thread(target=self._listen, name=f"hears {self.port.name}")
            self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over = True
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    @property
    def heard(self) -> tuple[Heard, ...]:
        """All bytes so far; they stay when the port is lost."""
        return tuple(self._heard)

    def wait(self, ps: int) -> None:
        """Let time pass, listening. Raises PortLostError when the port goes away."""
        until = self.clock.now_ps + ps
        while (left := until - self.clock.now_ps) > 0:
            self._check()
            if self._thread is not None:
                self.clock.sleep(min(left, 10 * SLICE_PS))
            else:
                self._look(min(left, SLICE_PS))
        self._check()

    def poll(self) -> None:
        """Take what came. Raises PortLostError when the port went away."""
        if self._thread is None:
            self._look(0)
        self._check()

    def settle(self, quiet_ps: int, *, most_ps: int) -> bool:
        """Wait until nothing came for ``quiet_ps``; False when that takes more than ``most_ps``.

        With the board held in reset, what comes after is said by what runs then.
        """
        until = self.clock.now_ps + most_ps
        count, since = len(self._heard), self.clock.now_ps
        while (now := self.clock.now_ps) - since < quiet_ps:
            if now >= until:
                return False
            self.wait(min(SLICE_PS, quiet_ps))
            if len(self._heard) != count:
                count, since = len(self._heard), self.clock.now_ps
        return True

    def send(self, data: bytes) -> None:
        """Send bytes to the board. Raises PortLostError when the port went away."""
        with port_errors(self.port.name):
            self.port.write(data)

    def said(self) -> bytes:
        """All bytes so far."""
        return bytes(one.byte for one in tuple(self._heard))

    def since(self, zero_ps: int) -> tuple[Heard, ...]:
        """What came since a moment at which the line was quiet: that of reset.

        The first byte cannot have ended before a frame has passed, and so on: what would have to
        was sent before.
        """
        found: list[Heard] = []
        early = zero_ps
        for one in tuple(self._heard):
            early = max(one.early_ps, early + self._least_ps)
            if one.late_ps < early:
                early = zero_ps  # said before the reset, and so was all until here
                found.clear()
            else:
                found.append(Heard(one.byte, early, one.late_ps))
        return tuple(found)

    def events(self, uart: str, zero_ps: int) -> tuple[SerialByte, ...]:
        """What came since ``zero_ps``, the moment of reset, as a trace tells it.

        A time is the middle of when it can have been; ``uncertainty_ps`` bounds how far off it
        may be. The rate is the port's: what the board really had can be a few percent off, or it
        would not have been understood.
        """
        return tuple(
            SerialByte(
                one.t_ps - zero_ps,
                uart,
                "tx",
                one.byte,
                self._baud_mhz,
                max(one.t_ps - zero_ps - self.frame_ps, 0),
            )
            for one in self.since(zero_ps)
        )

    @property
    def uncertainty_ps(self) -> int:
        """How far off the time of any byte may be."""
        return max((one.uncertainty_ps for one in tuple(self._heard)), default=0)

    # ------------------------------------------------------------------ inside

    def _check(self) -> None:
        if self._trouble is not None:
            raise self._trouble

    def _listen(self) -> None:
        while not self._over and self._trouble is None:
            self._look(SLICE_PS)

    def _look(self, ps: int) -> None:
        """Take what comes within a time, or what waits already."""
        port, clock, before = self.port, self.clock, self._empty_ps
        asked = clock.now_ps
        try:
            port.timeout = ps / PS_PER_S
            data = port.read(1)
            if data:
                asked = clock.now_ps
                data += port.read(port.in_waiting)
        except _port_errors() as error:
            self._trouble = explain(error, port.name, opened=True)
            return
        # A read that waited in vain for so long found nothing at its end, not only at its start.
        self._empty_ps = asked if data else asked + ps
        if data:
            self._note(data, before, clock.now_ps)

    def _note(self, data: bytes, empty_ps: int, now_ps: int) -> None:
        least = self._least_ps
        early = empty_ps - self.latency_ps
        if self._heard:
            early = max(early, self._heard[-1].early_ps + least)
        for n, byte in enumerate(data):
            late = now_ps - (len(data) - 1 - n) * least
            self._heard.append(Heard(byte, early, max(early, late)))
            early += least
