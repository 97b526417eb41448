"""A USB bus in software, as far as pyusb shows one: pyocd's own probe classes find devices on it.

Nothing of pyocd is replaced but the function by which it asks for devices: what it then does
with one - descriptors, endpoints, transfers - it does with ours as with a real one.
"""

from __future__ import annotations

import errno
import itertools
import queue
from array import array
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

# Where pyocd has bound pyusb's ``find`` (under this name).
FINDERS = (
    "pyocd.probe.stlink.usb",
    "pyocd.probe.pydapaccess.interface.pyusb_backend",
    "pyocd.probe.pydapaccess.interface.pyusb_v2_backend",
)
BULK = 2
FULL_SPEED_PACKET = 64
LANGUAGE = 0x0409
_GET_DESCRIPTOR, _STRING = 6, 3

_devices: list[Device] = []
_originals: dict[str, Any] = {}
_addresses = itertools.count(1)


class Endpoint:
    """One end of a pipe, as the host sees it."""

    bmAttributes = BULK  # noqa: N815 - as the descriptor spells it

    def __init__(self, device: Device, address: int, packet: int = FULL_SPEED_PACKET) -> None:
        self.device = device
        self.bEndpointAddress = address
        self.wMaxPacketSize = packet
        self.sent: queue.SimpleQueue[bytes] = queue.SimpleQueue()  # by the device

    def write(self, data: Any, timeout: int | None = None) -> int:
        """To the device. Raises USBError when it is gone."""
        self.device.check()
        data = bytes(data)
        self.device.receive(self.bEndpointAddress, data)
        return len(data)

    def read(self, size: int, timeout: int | None = None) -> Any:
        """From the device. Raises USBTimeoutError when nothing came in time."""
        from usb.core import USBTimeoutError

        self.device.check()
        try:
            data = self.device.answer(self.bEndpointAddress)
            if data is None:
                data = self.sent.get(timeout=(timeout or 1000) / 1000)
        except queue.Empty:
            raise USBTimeoutError("Operation timed out", -7, errno.ETIMEDOUT) from None
        return array("B", data[:size])


@dataclass
class Interface:
    """An interface with its endpoints, in order."""

    device: Device
    bInterfaceNumber: int  # noqa: N815 - as the descriptor spells it
    pipes: list[Endpoint]
    iInterface: int = 0  # noqa: N815
    bInterfaceClass: int = 0xFF  # noqa: N815
    bInterfaceSubClass: int = 0  # noqa: N815

    @property
    def bNumEndpoints(self) -> int:  # noqa: N802
        """How many there are."""
        return len(self.pipes)

    def endpoints(self) -> list[Endpoint]:
        """All of them."""
        return self.pipes

    def __iter__(self) -> Iterator[Endpoint]:
        return iter(self.pipes)

    def __getitem__(self, index: int) -> Endpoint:
        return self.pipes[index]


@dataclass
class Configuration:
    """The one configuration of a device."""

    interfaces: list[Interface] = field(default_factory=list)

    def __iter__(self) -> Iterator[Interface]:
        return iter(self.interfaces)

    def __getitem__(self, index: tuple[int, int]) -> Interface:
        return self.interfaces[index[0]]


class _Context:
    """What pyusb keeps for an open device; here nothing is to be kept."""

    def managed_claim_interface(self, device: Device, interface: int) -> None:
        device.check()
        device.opened()

    def managed_release_interface(self, device: Device, interface: int) -> None:
        device.released()

    def dispose(self, device: Device) -> None:
        """Nothing is held."""


class Device:
    """A device on the bus. A subclass answers what is written to its OUT endpoint."""

    bDeviceClass = 0xEF  # noqa: N815 - as the descriptor spells it
    idVendor = idProduct = 0  # noqa: N815
    manufacturer = product = ""

    def __init__(self, serial_number: str) -> None:
        self.serial_number = serial_number
        self.bus, self.address = 1, next(_addresses)
        self.strings: list[str] = []  # by descriptor index, from 1
        self.configuration = Configuration()
        self.langids = (LANGUAGE,)
        self._ctx = _Context()

    def get_active_configuration(self) -> Configuration:
        """The one that it has."""
        self.check()
        return self.configuration

    def ctrl_transfer(
        self,
        bmRequestType: int,  # noqa: N803 - pyusb's names
        bRequest: int,  # noqa: N803
        wValue: int = 0,  # noqa: N803
        wIndex: int = 0,  # noqa: N803
        data_or_wLength: Any = None,  # noqa: N803
        timeout: int | None = None,
    ) -> Any:
        """Requests to the device itself: string descriptors only."""
        from usb.core import USBError

        self.check()
        if bRequest != _GET_DESCRIPTOR or wValue >> 8 != _STRING:
            raise USBError("Pipe error", -9, errno.EPIPE)
        text = self.strings[(wValue & 0xFF) - 1].encode("utf-16-le")
        return array("B", bytes([len(text) + 2, _STRING]) + text)

    def check(self) -> None:
        """Raises USBError when the cable is out."""
        from usb.core import USBError

        if self not in _devices or not self.there():
            message = "No such device (it may have been disconnected)"
            raise USBError(message, -4, errno.ENODEV)

    # ------------------------------------------------------------------ for subclasses

    def there(self) -> bool:
        """Whether the cable is in."""
        return True

    def opened(self) -> None:
        """A host claimed the interface."""

    def released(self) -> None:
        """The host let it go."""

    def receive(self, endpoint: int, data: bytes) -> None:
        """The host wrote."""
        raise NotImplementedError

    def answer(self, endpoint: int) -> bytes | None:
        """What a read gives at once; None waits for what is ``sent``."""
        return None


@contextmanager
def plugged(device: Device) -> Iterator[Device]:
    """While entered, the device is on the bus."""
    if not _devices:
        _patch()
    _devices.append(device)
    try:
        yield device
    finally:
        _devices.remove(device)
        if not _devices:
            _unpatch()


def _patch() -> None:
    for name in FINDERS:
        module: Any = import_module(name)
        _originals[name] = module.usb_find
        module.usb_find = _finder(module.usb_find)


def _unpatch() -> None:
    for name, original in _originals.items():
        module: Any = import_module(name)
        module.usb_find = original
    _originals.clear()


def _finder(real: Callable[..., Any]) -> Callable[..., Any]:
    def find(
        find_all: bool = False, backend: Any = None, custom_match: Any = None, **args: Any
    ) -> Any:
        """Ours first, then the real ones."""
        from usb.core import NoBackendError

        def matches(device: Device) -> bool:
            wanted = all(getattr(device, name) == value for name, value in args.items())
            return wanted and (custom_match is None or bool(custom_match(device)))

        ours = [device for device in tuple(_devices) if matches(device)]
        if not find_all and ours:
            return ours[0]
        try:
            theirs = real(find_all=find_all, backend=backend, custom_match=custom_match, **args)
        except NoBackendError:  # no libusb: no real ones
            theirs = iter(()) if find_all else None
        return itertools.chain(ours, theirs) if find_all else theirs

    return find
