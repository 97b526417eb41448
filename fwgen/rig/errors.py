"""What pyocd, libusb and the operating system raise, as sentences with a cure."""

from __future__ import annotations

import errno
import re
from typing import TYPE_CHECKING

from fwgen.errors import FwgenError, RigError

if TYPE_CHECKING:
    from collections.abc import Callable

DOCTOR = '"fwgen doctor" looks for the cause'
UDEV_RULE = (
    'SUBSYSTEM=="usb", ATTRS{idVendor}=="0483", MODE="0666", TAG+="uaccess"  # ST-LINK\n'
    'SUBSYSTEM=="usb", ATTRS{idVendor}=="0d28", MODE="0666", TAG+="uaccess"  # DAPLink\n'
)
UDEV_FILE = "/etc/udev/rules.d/60-fwgen-probes.rules"
UDEV_CURE = (
    f'put the rule that "fwgen doctor" prints into {UDEV_FILE}, run '
    '"sudo udevadm control --reload && sudo udevadm trigger", and plug the board in again'
)
BUSY_CURE = "close what uses it: a debugger, an IDE, a gdb server, another fwgen"
CABLE_CURE = "plug it in again and repeat: nothing is lost by repeating"
SWD_CURE = (
    "hold the board's reset button and try again; else tie BOOT0 high, press reset, and flash: "
    "then no firmware runs that could switch the debug pins off"
)
POWER_CURE = "check that the board has power, and the two jumpers that join probe and chip (CN2)"
FIRMWARE_CURE = "update it with ST's STSW-LINK007 (it runs on Windows, macOS and Linux)"

_ERRNO = re.compile(r"\[Errno (\d+)\]")
_GONE = frozenset({errno.ENODEV, errno.ENXIO, errno.EIO, errno.EPIPE, errno.ESHUTDOWN})
_NO_ANSWER = (
    "no ack", "no device connected", "get idcode error", "dp wait", "dp error", "unable to",
    "no cores were discovered", "communication failure", "debug power error", "dap power",
    "target not detected",
)  # fmt: skip


def explain(
    error: BaseException,
    doing: str,
    *,
    probe: str = "",
    meaning: Callable[[int], str] | None = None,
) -> FwgenError:
    """The error in words: what failed, why, and what helps.

    ``doing`` is what was under way ("erasing the sector at 0x08000000"); ``meaning`` says what a
    flash algorithm's result is. Errors of ours are given back as they are.
    """
    if isinstance(error, FwgenError):
        return error
    from pyocd.core import exceptions as pyocd

    said = " ".join(str(error).split())
    folded = said.casefold()
    code = _errno(error)
    where = f"probe {probe}" if probe else None
    if code == errno.EACCES or code == errno.EPERM:
        return RigError(f"no permission to use the probe, {doing}", where=where, hint=UDEV_CURE)
    if code == errno.EBUSY or "resource busy" in folded:
        return RigError(f"the probe is busy, {doing}", where=where, hint=BUSY_CURE)
    gone = "reading from probe" in folded or "writing to probe" in folded
    if gone or code in _GONE or isinstance(error, pyocd.ProbeDisconnected):
        return RigError(f"the probe is gone, {doing}", where=where, hint=CABLE_CURE)
    if "firmware version" in folded or "firmware does not support" in folded:
        version = re.search(r"[Vv]\d+J\d+\w*", said)
        named = f" ({version[0]})" if version else ""
        return RigError(f"the probe's own firmware{named} is too old", where=where,
                        hint=FIRMWARE_CURE)  # fmt: skip
    if isinstance(error, pyocd.FlashFailure):
        return _of_flash(error, doing, where, meaning)
    if isinstance(error, pyocd.TransferFaultError):
        at = f" at {error.fault_address:#010x}" if error.fault_address is not None else ""
        return RigError(f"the chip refuses the access{at}, {doing}", where=where, hint=DOCTOR)
    silent = isinstance(error, (pyocd.TransferError, pyocd.DebugError, pyocd.TimeoutError))
    if silent or any(phrase in folded for phrase in _NO_ANSWER):
        return RigError(
            f"the chip does not answer on its debug pins, {doing} ({said})", where=where,
            hint=f"{POWER_CURE}; {SWD_CURE}",
        )  # fmt: skip
    if isinstance(error, pyocd.TargetSupportError):
        return RigError(f"pyocd does not know the chip: {said}", where=where)
    kind = type(error).__name__
    return RigError(f"{doing} failed: {kind}{': ' if said else ''}{said}", where=where, hint=DOCTOR)


def _errno(error: BaseException | None) -> int | None:
    """The number of the system's error, wherever it hides."""
    while error is not None:
        for name in ("errno", "backend_error_code"):
            number = getattr(error, name, None)
            if isinstance(number, int) and number > 0:
                return number
        hidden = _ERRNO.search(str(error))
        if hidden:
            return int(hidden[1])
        error = error.__cause__ or error.__context__
    return None


def _of_flash(
    error: BaseException, doing: str, where: str | None, meaning: Callable[[int], str] | None
) -> RigError:
    code = getattr(error, "result_code", None)
    if code is None:
        said = " ".join(str(error).split())
        return RigError(f"{doing} failed: {said}", where=where, hint=DOCTOR)
    reason = meaning(code) if meaning else f"result {code:#x}"
    return RigError(f"{doing} failed: {reason}", where=where,
                    hint="if it fails again, the flash may be worn out")  # fmt: skip
