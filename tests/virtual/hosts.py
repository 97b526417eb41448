"""pyOCD and pyusb on the other end of a virtual cable."""

from __future__ import annotations

import errno
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import libusb_package
import usb.util
from pyocd.core.helpers import ConnectHelper
from pyocd.core.session import Session

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def probes(unique_id: str | None = None) -> list[Any]:
    """What pyOCD lists."""
    return list(
        ConnectHelper.get_all_connected_probes(
            blocking=False, unique_id=unique_id, print_wait_message=False
        )
    )


def session(probe: Any, folder: Path, **options: Any) -> Session:
    """A session that knows the core only, and does not wait on the wall clock."""
    return Session(
        probe,
        project_dir=str(folder),
        no_config=True,
        target_override="cortex_m",
        options={
            "reset.post_delay": 0,
            "reset.hold_time": 0,
            "swv_raw_port": 0,
            **options,
        },
    )


@contextmanager
def only_session(folder: Path, **options: Any) -> Iterator[Session]:
    """A session through the one probe there is."""
    (probe,) = probes()
    with session(probe, folder, **options) as opened:
        yield opened


class Pipes:
    """A device by its endpoints, for what pyOCD never sends."""

    def __init__(self, serial: str) -> None:
        self._device = libusb_package.find(custom_match=lambda d: d.serial_number == serial)
        interface = self._device.get_active_configuration()[(0, 0)]
        usb.util.claim_interface(self._device, interface)
        self.out, self.back = interface[0], interface[1]

    def send(self, *data: int | bytes) -> None:
        self.out.write(b"".join(d if isinstance(d, bytes) else bytes((d,)) for d in data), 50)

    def ask(self, *data: int | bytes) -> bytes:
        self.send(*data)
        return self.fetch()

    def fetch(self) -> bytes:
        return bytes(self.back.read(8192, 50))

    def close(self) -> None:
        usb.util.dispose_resources(self._device)


NO_DEVICE = f"[Errno {errno.ENODEV}] No such device (it may have been disconnected)"
