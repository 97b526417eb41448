"""What pyocd, libusb and the system raise, told in words with a cure."""

from __future__ import annotations

import errno

import pytest
import usb.core
from pyocd.core import exceptions as pyocd

from fwgen.errors import RigError, WrongChipError
from fwgen.rig.errors import explain

CASES = [
    (usb.core.USBError("Access denied", -3, errno.EACCES), "no permission", "udev"),
    (PermissionError(errno.EPERM, "Operation not permitted"), "no permission", "udev"),
    (usb.core.USBError("Resource busy", -6, errno.EBUSY), "busy", "close what uses it"),
    (usb.core.USBError("No such device", -4, errno.ENODEV), "is gone", "plug it in again"),
    (usb.core.USBError("Input/Output Error", -1, errno.EIO), "is gone", "plug it in again"),
    (usb.core.USBError("Pipe error", -9, errno.EPIPE), "is gone", "plug it in again"),
    (pyocd.ProbeDisconnected("gone"), "is gone", "plug it in again"),
    (pyocd.ProbeError("Timeout reading from probe 066B"), "is gone", "plug it in again"),
    (pyocd.ProbeError("USB Error: [Errno 19] No such device"), "is gone", "plug it in again"),
    (pyocd.ProbeError("USB Error: [Errno 16] Resource busy"), "busy", "close what uses it"),
    (
        pyocd.ProbeError("STLink 066B is using an unsupported, older firmware version. Please "
                         "update to the latest STLink firmware. Current version is V2J17M4, must "
                         "be at least version v2J24."),
        "firmware (V2J17M4) is too old", "STSW-LINK007",
    ),
    (pyocd.Error("Target not detected. Check connection to target."), "does not answer", "reset"),
    (pyocd.ProbeError("No device connected"), "does not answer", "power"),
    (pyocd.TransferError("SWD/JTAG communication failure (No ACK)"), "does not answer", "BOOT0"),
    (pyocd.TransferTimeoutError("AP wait"), "does not answer", "reset"),
    (pyocd.DebugError("No cores were discovered!"), "does not answer", "reset"),
    (pyocd.TransferFaultError(fault_address=0x0800_0000), "access at 0x08000000", "doctor"),
    (pyocd.FlashEraseFailure("x", address=1, result_code=0x10), "it says 0x10", "worn out"),
    (pyocd.FlashProgramFailure("timed out"), "timed out", "doctor"),
    (pyocd.TargetSupportError("Target type x not recognized."), "not recognized", None),
    (KeyError("tar"), "KeyError: 'tar'", "doctor"),
    (ZeroDivisionError(), "ZeroDivisionError", "doctor"),
]  # fmt: skip


@pytest.mark.parametrize(("raised", "said", "cure"), CASES)
def test_every_failure_is_told_with_its_cure(
    raised: Exception, said: str, cure: str | None
) -> None:
    told = explain(raised, "erasing", probe="P1", meaning=lambda code: f"it says {code:#x}")
    assert isinstance(told, RigError)
    assert said in told.message
    assert told.where == "probe P1"
    assert cure is None or cure in (told.hint or "")


def test_what_was_under_way_is_told() -> None:
    told = explain(pyocd.ProbeDisconnected(), "erasing the sector at 0x08000000")
    assert "erasing the sector at 0x08000000" in told.message
    assert told.where is None


def test_the_cause_may_lie_deeper() -> None:
    outer = pyocd.ProbeError("transfer failed")
    outer.__cause__ = usb.core.USBError("gone", -4, errno.ENODEV)
    assert "is gone" in explain(outer, "reading").message


def test_ours_stay_as_they_are() -> None:
    ours = WrongChipError("another chip")
    assert explain(ours, "connecting") is ours
