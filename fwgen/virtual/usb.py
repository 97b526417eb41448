"""A USB bus in software, with what is plugged into it, as pyusb sees it.

pyOCD reaches every probe through pyusb, and pyusb reaches the operating system through a
*backend*. :class:`Bus` is such a backend: pyOCD's own classes down to the endpoints run on it
unmodified, claims, threads, time-outs and errors included. :func:`plugged` puts devices on the
bus and the bus in libusb's place, so that pyOCD finds exactly these devices; nothing on the real
bus is looked at meanwhile.

Errors carry the words and numbers that libusb has on Linux, since people and programs read them.

Source: USB 2.0 §9.6 (descriptors), §9.4.3 (GET_DESCRIPTOR); libusb 1.0, ``enum libusb_error``.
"""

from __future__ import annotations

import errno
import threading
from collections import deque
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Literal

import usb.core
import usb.util

from fwgen.errors import BenchError

if TYPE_CHECKING:
    from array import array
    from collections.abc import Callable, Iterator

US_PS = 1_000_000
CLASS_HID, CLASS_MISCELLANEOUS, CLASS_VENDOR = 0x03, 0xEF, 0xFF
_ENGLISH = 0x0409
_GET_DESCRIPTOR = (0x80, 6)
_STRING = 3
_MAKER, _PRODUCT, _SERIAL, _FIRST_INTERFACE = 1, 2, 3, 4  # string descriptor indexes


@dataclass(frozen=True, kw_only=True)
class Endpoint:
    """One pipe; bit 7 of ``address`` set means towards the host."""

    address: int
    kind: Literal["bulk", "interrupt"] = "bulk"
    packet_bytes: int = 64


@dataclass(frozen=True, kw_only=True)
class Interface:
    """One function of a device, with its pipes in the order of the descriptor."""

    name: str
    endpoints: tuple[Endpoint, ...]
    usb_class: int = CLASS_VENDOR


@dataclass(frozen=True, kw_only=True)
class Identity:
    """What a device says of itself when it is plugged in."""

    vid: int
    pid: int
    maker: str
    product: str
    serial: str
    interfaces: tuple[Interface, ...]
    usb_class: int = CLASS_MISCELLANEOUS


class UsbDevice:
    """A device with a cable: what arrives goes to :meth:`_receive`, answers leave by :meth:`_send`.

    ``latency_ps`` is the virtual time that each transfer from the host costs; ``elapse`` is told
    to let it pass. ``permitted`` False is a missing udev rule. ``cable_moved`` hears when the cable
    goes out (False) and in (True): a board may have its power from it. Everything runs under one
    lock, so that threads of a host may talk to it as they like.
    """

    def __init__(
        self,
        identity: Identity,
        *,
        elapse: Callable[[int], None] | None = None,
        latency_ps: int = 0,
        cable_moved: Callable[[bool], None] | None = None,
    ) -> None:
        self.identity = identity
        self.permitted = True
        self.board_id_on_drive: str | None = None  # in MBED.HTM, for hosts that look there
        self.latency_ps = latency_ps
        self.transfers = 0  # from the host, since the device was made
        self._elapse = elapse or (lambda _ps: None)
        self._cable_moved = cable_moved or (lambda _attached: None)
        self._moved = threading.Condition(threading.RLock())
        self._answers: dict[int, deque[bytes]] = {}
        self._claims: dict[int, _Handle] = {}
        self._attached = True
        self._arrivals = 1  # how often it was plugged in: a handle belongs to one arrival
        self._cut_at: int | None = None
        self._comes_back = False

    @property
    def attached(self) -> bool:
        """Whether the cable is in."""
        return self._attached

    def unplug(self) -> None:
        """Pull the cable: whatever the host does next fails, for good on what it has open."""
        with self._moved:
            if not self._attached:
                return
            self._attached = False
            self._cut_at = None
            self._answers.clear()
            self._claims.clear()
            self._power_lost()
            self._cable_moved(False)
            self._moved.notify_all()

    def plug(self) -> None:
        """Put the cable back in. The host sees a device that has just arrived."""
        with self._moved:
            if not self._attached:
                self._attached = True
                self._arrivals += 1
                self._cable_moved(True)

    def unplug_after(self, transfers: int) -> None:
        """Pull the cable when this many more transfers from the host have arrived whole.

        Transfers towards the host do not count: those a host fetches from a thread of its own, and
        where the cut falls would be a matter of luck.
        """
        if transfers < 0:
            raise ValueError("a cable cannot have been pulled in the past")
        with self._moved:
            self._cut_at = self.transfers + transfers

    def suffer(self, *, drop_after: int | None, replug: bool) -> None:
        """Pull the cable after so many transfers; with ``replug`` it is in when next looked for."""
        self._comes_back = replug
        if drop_after is not None:
            self.unplug_after(drop_after)

    def _looked_for(self) -> bool:
        """Whether a host that lists the bus now sees this device."""
        with self._moved:
            if self._comes_back:
                self.plug()
            return self._attached

    def _leave_bus(self) -> None:
        with self._moved:
            self._arrivals += 1
            self._cut_at = None
            self._answers.clear()
            self._claims.clear()
            self._power_lost()
            self._moved.notify_all()

    # For the device's own work.

    def _receive(self, endpoint: int, data: bytes) -> None:
        """Take what the host sent. Runs in the host's thread, under the lock."""
        raise NotImplementedError

    def _full(self, endpoint: int) -> bool:
        """Whether the device has no room for what the host wants to send."""
        del endpoint
        return False

    def _poll(self, endpoint: int) -> None:
        """The host reads and nothing waits: a chance to send what comes by itself."""

    def _power_lost(self) -> None:
        """The cable is out: back to what the device is when it gets power."""

    def _send(self, endpoint: int, data: bytes) -> None:
        self._answers.setdefault(endpoint, deque()).append(data)
        self._moved.notify_all()

    def _drop_answers(self, endpoint: int) -> None:
        self._answers.pop(endpoint, None)

    def _waiting(self, endpoint: int) -> int:
        return len(self._answers.get(endpoint, ()))

    # For the bus.

    def _open(self) -> _Handle:
        with self._moved:
            if not self._attached:
                raise _gone()
            if not self.permitted:
                raise usb.core.USBError(
                    "Access denied (insufficient permissions)", -3, errno.EACCES
                )
            return _Handle(self, self._arrivals)

    def _check(self, handle: _Handle) -> None:
        if not self._attached or handle.arrival != self._arrivals:
            raise _gone()

    def _claim(self, handle: _Handle, interface: int) -> None:
        with self._moved:
            self._check(handle)
            if self._claims.setdefault(interface, handle) is not handle:
                raise usb.core.USBError("Resource busy", -6, errno.EBUSY)

    def _release(self, handle: _Handle, interface: int) -> None:
        with self._moved:
            self._check(handle)
            if self._claims.get(interface) is handle:
                del self._claims[interface]

    def _close(self, handle: _Handle) -> None:
        with self._moved:
            for interface in [number for number, by in self._claims.items() if by is handle]:
                del self._claims[interface]

    def _write(self, handle: _Handle, endpoint: int, data: bytes, timeout_ms: int) -> int:
        def ready() -> bool:
            self._check(handle)
            return not self._full(endpoint)

        with self._moved:
            if not self._moved.wait_for(ready, timeout_ms / 1000 if timeout_ms else None):
                raise _late()
            if self._cut_at is not None and self.transfers >= self._cut_at:
                self.unplug()
                raise _gone()
            self.transfers += 1
            if self.latency_ps:
                self._elapse(self.latency_ps)
            self._receive(endpoint, data)
            return len(data)

    def _read(self, handle: _Handle, endpoint: int, size: int, timeout_ms: int) -> bytes:
        def arrived() -> bool:
            self._check(handle)
            if not self._waiting(endpoint):
                self._poll(endpoint)
            return bool(self._waiting(endpoint))

        with self._moved:
            if not self._moved.wait_for(arrived, self._patience_s(endpoint, timeout_ms)):
                raise _late()
            answers = self._answers[endpoint]
            message = answers.popleft()
            if len(message) > size:
                answers.appendleft(message[size:])
            self._moved.notify_all()
            return message[:size]

    def _patience_s(self, endpoint: int, timeout_ms: int) -> float | None:
        """How long a read with nothing to read lasts, in seconds; None is for ever."""
        del endpoint
        return timeout_ms / 1000 if timeout_ms else None

    def _string(self, index: int) -> str:
        own = self.identity
        fixed = {_MAKER: own.maker, _PRODUCT: own.product, _SERIAL: own.serial}
        if index in fixed:
            return fixed[index]
        if 0 <= index - _FIRST_INTERFACE < len(own.interfaces):
            return own.interfaces[index - _FIRST_INTERFACE].name
        raise usb.core.USBError("Pipe error", -9, errno.EPIPE)


class _Handle:
    """An open device, until that cable is pulled."""

    def __init__(self, device: UsbDevice, arrival: int) -> None:
        self.device = device
        self.arrival = arrival


def _gone() -> Exception:
    error: Exception = usb.core.USBError(
        "No such device (it may have been disconnected)", -4, errno.ENODEV
    )
    return error


def _late() -> Exception:
    error: Exception = usb.core.USBTimeoutError("Operation timed out", -7, errno.ETIMEDOUT)
    return error


class Bus:
    """What pyusb takes for a backend. Source: pyusb, ``usb.backend.IBackend``."""

    def __init__(self) -> None:
        self._devices: list[UsbDevice] = []

    # Devices, as ``plugged`` puts them here.

    def attach(self, device: UsbDevice) -> None:
        """Add a device.

        Raises:
            BenchError: Another device has its serial number; hosts tell probes apart by it.

        """
        serial = device.identity.serial
        if any(other.identity.serial == serial for other in self._devices):
            raise BenchError(
                f"two devices on the bus say that their serial number is {serial}",
                where="virtual USB bus",
                hint="give each virtual board an id of its own",
            )
        self._devices.append(device)

    def detach(self, device: UsbDevice) -> None:
        """Remove a device; what a host has open on it is dead, the board keeps its power."""
        self._devices.remove(device)
        device._leave_bus()

    # Descriptors.

    def enumerate_devices(self) -> list[UsbDevice]:
        """Give the devices whose cable is in."""
        return [device for device in self._devices if device._looked_for()]

    def get_parent(self, dev: UsbDevice) -> None:
        """No hub."""
        del dev

    def get_device_descriptor(self, dev: UsbDevice) -> SimpleNamespace:
        """USB 2.0 §9.6.1, and where on the bus the device is."""
        own = dev.identity
        return SimpleNamespace(
            bLength=18,
            bDescriptorType=1,
            bcdUSB=0x0200,
            bDeviceClass=own.usb_class,
            bDeviceSubClass=2 if own.usb_class == CLASS_MISCELLANEOUS else 0,
            bDeviceProtocol=1 if own.usb_class == CLASS_MISCELLANEOUS else 0,
            bMaxPacketSize0=64,
            idVendor=own.vid,
            idProduct=own.pid,
            bcdDevice=0x0100,
            iManufacturer=_MAKER,
            iProduct=_PRODUCT,
            iSerialNumber=_SERIAL,
            bNumConfigurations=1,
            address=id(dev) & 0x7FFFFFFF,
            bus=1,
            port_number=1,
            port_numbers=(1,),
            speed=2,
        )

    def get_configuration_descriptor(self, dev: UsbDevice, config: int) -> SimpleNamespace:
        """USB 2.0 §9.6.3: one configuration."""
        if config:
            raise IndexError(config)
        return SimpleNamespace(
            bLength=9,
            bDescriptorType=2,
            wTotalLength=9,
            bNumInterfaces=len(dev.identity.interfaces),
            bConfigurationValue=1,
            iConfiguration=0,
            bmAttributes=0x80,
            bMaxPower=150,
            extra_descriptors=[],
        )

    def get_interface_descriptor(
        self, dev: UsbDevice, intf: int, alt: int, config: int
    ) -> SimpleNamespace:
        """USB 2.0 §9.6.5: no alternate settings."""
        del config
        if alt:
            raise IndexError(alt)
        own = dev.identity.interfaces[intf]
        return SimpleNamespace(
            bLength=9,
            bDescriptorType=4,
            bInterfaceNumber=intf,
            bAlternateSetting=0,
            bNumEndpoints=len(own.endpoints),
            bInterfaceClass=own.usb_class,
            bInterfaceSubClass=0,
            bInterfaceProtocol=0,
            iInterface=_FIRST_INTERFACE + intf,
            extra_descriptors=[],
        )

    def get_endpoint_descriptor(
        self, dev: UsbDevice, ep: int, intf: int, alt: int, config: int
    ) -> SimpleNamespace:
        """USB 2.0 §9.6.6."""
        del alt, config
        own = dev.identity.interfaces[intf].endpoints[ep]
        kind = usb.util.ENDPOINT_TYPE_BULK if own.kind == "bulk" else usb.util.ENDPOINT_TYPE_INTR
        return SimpleNamespace(
            bLength=7,
            bDescriptorType=5,
            bEndpointAddress=own.address,
            bmAttributes=kind,
            wMaxPacketSize=own.packet_bytes,
            bInterval=1,
            bRefresh=0,
            bSynchAddress=0,
            extra_descriptors=[],
        )

    # Handles.

    def open_device(self, dev: UsbDevice) -> _Handle:
        """Open, if the device is there and the user may."""
        return dev._open()

    def close_device(self, dev_handle: _Handle) -> None:
        """Close: claims fall back."""
        dev_handle.device._close(dev_handle)

    def set_configuration(self, dev_handle: _Handle, config_value: int) -> None:
        """There is one configuration, and it is set."""
        dev_handle.device._check(dev_handle)
        del config_value

    def get_configuration(self, dev_handle: _Handle) -> int:
        """The one that is set."""
        dev_handle.device._check(dev_handle)
        return 1

    def set_interface_altsetting(self, dev_handle: _Handle, intf: int, altsetting: int) -> None:
        """There are no alternate settings."""
        dev_handle.device._check(dev_handle)
        del intf, altsetting

    def claim_interface(self, dev_handle: _Handle, intf: int) -> None:
        """One handle at a time has an interface."""
        dev_handle.device._claim(dev_handle, intf)

    def release_interface(self, dev_handle: _Handle, intf: int) -> None:
        """Give it back."""
        dev_handle.device._release(dev_handle, intf)

    def is_kernel_driver_active(self, dev_handle: _Handle, intf: int) -> bool:
        """No kernel knows these devices."""
        dev_handle.device._check(dev_handle)
        del intf
        return False

    # Transfers.

    def bulk_write(
        self, dev_handle: _Handle, ep: int, intf: int, data: array[int], timeout: int
    ) -> int:
        """Hand the bytes to the device, whole."""
        del intf
        return dev_handle.device._write(dev_handle, ep, data.tobytes(), timeout)

    intr_write = iso_write = bulk_write  # one bus: pyusb asks for all three by name

    def bulk_read(
        self, dev_handle: _Handle, ep: int, intf: int, buff: array[int], timeout: int
    ) -> int:
        """Fill ``buff`` with what waits, or wait for it."""
        del intf
        got = dev_handle.device._read(dev_handle, ep, len(buff), timeout)
        memoryview(buff).cast("B")[: len(got)] = got
        return len(got)

    intr_read = iso_read = bulk_read

    def ctrl_transfer(
        self,
        dev_handle: _Handle,
        bmRequestType: int,  # noqa: N803 - pyusb's names
        bRequest: int,  # noqa: N803
        wValue: int,  # noqa: N803
        wIndex: int,  # noqa: N803
        data: array[int],
        timeout: int,
    ) -> int:
        """String descriptors; everything else stalls."""
        del wIndex, timeout
        device = dev_handle.device
        device._check(dev_handle)
        if (bmRequestType, bRequest) != _GET_DESCRIPTOR or wValue >> 8 != _STRING:
            raise usb.core.USBError("Pipe error", -9, errno.EPIPE)
        index = wValue & 0xFF
        text = (
            device._string(index).encode("utf-16-le") if index else _ENGLISH.to_bytes(2, "little")
        )
        answer = (bytes((len(text) + 2, _STRING)) + text)[: len(data)]
        memoryview(data).cast("B")[: len(answer)] = answer
        return len(answer)


_bus = Bus()
_plugging = threading.RLock()
_users = 0
_undo = ExitStack()


@contextmanager
def plugged(*devices: UsbDevice) -> Iterator[None]:
    """While this lasts, pyOCD finds these devices, and others plugged likewise, and no real ones.

    May be nested and used from several threads; the last one to leave gives pyOCD the real bus
    back. Without devices it is an empty bus.

    Raises:
        BenchError: A serial number is on the bus already.

    """
    global _users
    added: list[UsbDevice] = []
    with _plugging:
        if not _users:
            _take_over()
        _users += 1
    try:
        with _plugging:
            for device in devices:
                _bus.attach(device)
                added.append(device)
                _set_drive(device.identity.serial, device.board_id_on_drive)
        yield
    finally:
        with _plugging:
            for device in reversed(added):
                _bus.detach(device)
                _forget_drive(device.identity.serial)
            _users -= 1
            if not _users:
                _undo.close()


def _take_over() -> None:
    """Put the bus where pyOCD looks, and remember how to take it back.

    libusb_package hands out the backend for ST-Link, both CMSIS-DAP and Picoprobe. On other
    systems than Linux, CMSIS-DAP v1 goes through hidapi unless told otherwise. J-Link has a
    library of its own, which would look at the real bus.
    """
    import libusb_package
    from pyocd.probe import aggregator, common
    from pyocd.probe.pydapaccess import dap_access_cmsis_dap as cmsis_dap

    _swap(libusb_package, "get_libusb1_backend", lambda: _bus)
    _swap(cmsis_dap, "USB_BACKEND", "pyusb")
    _swap(common, "libusb_error_device_set", set())  # else each warning is given once a process
    classes: dict[str, Any] = aggregator.PROBE_CLASSES
    if "jlink" in classes:
        order = dict(classes)
        del classes["jlink"]

        def put_back() -> None:
            now = dict(classes)
            classes.clear()
            classes.update({name: now.get(name, known) for name, known in order.items()})
            classes.update(now)

        _undo.callback(put_back)


def _swap(owner: Any, name: str, value: object) -> None:
    _undo.callback(setattr, owner, name, getattr(owner, name))
    setattr(owner, name, value)


def _drives() -> dict[str, str | None]:
    from pyocd.probe.stlink_probe import StlinkProbe

    known: dict[str, str | None] = StlinkProbe._mbed_board_id_cache
    return known


def _set_drive(serial: str, board_id: str | None) -> None:
    """What pyOCD would find in MBED.HTM; known beforehand, it does not search real drives."""
    _drives()[serial] = board_id


def _forget_drive(serial: str) -> None:
    _drives().pop(serial, None)
