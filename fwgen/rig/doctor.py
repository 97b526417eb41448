"""What stands between this computer and the board, looked at from the cable inward.

Each check says what it found and, where something is wrong, the cure. Nothing is written; the
core is not stopped; only a chip that does not answer is tried once more in reset.
"""

from __future__ import annotations

import errno
import os
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from fwgen.errors import FwgenError, RigError
from fwgen.rig.analyser import BoardAnalyser
from fwgen.rig.backup import Store
from fwgen.rig.connection import Connection
from fwgen.rig.errors import BUSY_CURE, FIRMWARE_CURE, UDEV_CURE, UDEV_FILE, UDEV_RULE
from fwgen.rig.identity import RDP_CURE, WRP_CURE, refuse_wrong_chip
from fwgen.rig.lock import locked
from fwgen.rig.places import data_folder
from fwgen.rig.ports import Port, PortError, find_port, find_ports, open_port, port_named
from fwgen.rig.probes import REMOTE, Probe, choose_probe, find_probes
from fwgen.rig.rigs import NO_PORT, OutputSpec, RigSpec
from fwgen.rig.sigrok import channels_of, scan, version
from fwgen.units import show_voltage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from fwgen.board.types import Board
    from fwgen.rig.identity import Identity

State = Literal["ok", "problem", "unknown"]
SYSFS = Path("/sys/bus/usb/devices")
ST_LINKS = {0x3744, 0x3748, 0x374A, 0x374B, 0x374D, 0x374E, 0x374F, 0x3752, 0x3753, 0x3754,
            0x3755, 0x3757}  # fmt: skip
ST, DAPLINK, SEGGER = 0x0483, 0x0D28, 0x1366
ST_LINK_V1, ST_LINK_V3_DFU = 0x3744, 0x374D
GOOD_J = {2: 36, 3: 6, 4: 6}  # firmware from which an ST-LINK says which board it sits on
POWERED_UV = 1_600_000  # an STM32 needs 1.7 V


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at. ``cure`` says what to do about a problem."""

    name: str
    state: State
    said: str
    cure: str = ""


@dataclass(frozen=True, slots=True)
class UsbDevice:
    """A debug probe as the operating system sees it; ``node`` is its file, "" where it has none."""

    vid: int
    pid: int
    serial: str
    product: str
    node: str

    @property
    def name(self) -> str:
        """What people know it by."""
        return self.product or f"USB {self.vid:04x}:{self.pid:04x}"


def usb_probes(folder: Path | None = None) -> tuple[UsbDevice, ...]:
    """Debug probes on the USB bus, whether they may be used or not. Linux only; elsewhere none."""
    found = []
    for path in sorted((folder or SYSFS).glob("*")):
        vid, pid = _hex(path / "idVendor"), _hex(path / "idProduct")
        if vid is None or pid is None:
            continue
        product = _text(path / "product")
        if not _is_probe(vid, pid, product):
            continue
        bus, number = _text(path / "busnum"), _text(path / "devnum")
        node = ""
        if bus.isdigit() and number.isdigit():
            node = f"/dev/bus/usb/{int(bus):03}/{int(number):03}"
        found.append(UsbDevice(vid, pid, _text(path / "serial"), product, node))
    return tuple(found)


def has_libusb() -> bool:
    """Whether the library through which probes are reached is there."""
    try:
        import libusb_package

        return libusb_package.get_libusb1_backend() is not None
    except ImportError:
        import usb.backend.libusb1

        return usb.backend.libusb1.get_backend() is not None


def trouble_opening(path: str) -> int | None:
    """The system's error number when a device file cannot be opened for reading and writing."""
    try:
        os.close(os.open(path, os.O_RDWR | getattr(os, "O_NONBLOCK", 0)))
    except OSError as error:
        return error.errno
    return None


def trouble_with_port(device: str) -> PortError | None:
    """Why a port cannot be opened for ourselves; None: it can."""
    try:
        open_port(device, baud=115_200).close()
    except PortError as error:
        return error
    return None


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the checks look at; a test gives others."""

    platform: str = sys.platform
    usb: Callable[[], Sequence[UsbDevice]] = usb_probes
    libusb: Callable[[], bool] = has_libusb
    opening: Callable[[str], int | None] = trouble_opening
    probes: Callable[[], tuple[Probe, ...]] = find_probes
    ports: Callable[[], Sequence[Port]] = find_ports
    port_opening: Callable[[str], PortError | None] = trouble_with_port
    boards: Callable[[str], Board | None] = field(default=lambda _board_id: None)
    sigrok: Callable[[], str] = version
    analyser: Callable[[str], str] = scan


def examine(
    board: Board | None = None,
    wanted: str | None = None,
    around: Surroundings | None = None,
    rig: RigSpec | None = None,
) -> Iterator[Check]:
    """Look at everything, from the cable inward, until nothing more can be seen.

    ``wanted`` is a probe's serial number. Without ``board`` the probe is asked which it sits on.
    ``rig`` is what a rig file says: its probe and its port are meant, its wires and its logic
    analyser are looked for.
    """
    around = around or Surroundings()
    yield _check_folder()
    if not around.libusb():
        yield Check("USB library", "problem", "libusb, which reaches the probes, is missing",
                    'install it: "python3 -m pip install libusb-package"')  # fmt: skip
    yield from _check_analyser(rig, around)
    seen = around.usb()
    yield from _check_access(seen, around)
    wanted = wanted or (rig.probe if rig is not None else "")
    try:
        if wanted.startswith(REMOTE) and board is not None:
            found: Sequence[Probe] = (choose_probe(board, wanted),)
            wanted = ""
        else:
            found = around.probes()
        listed = ", ".join(str(probe) for probe in found)
        if not found:
            yield _no_probe(seen)
            return
        if len(found) == 1 and not wanted:
            probe = found[0]
        elif wanted or board is not None:
            probe = choose_probe(board, wanted or None, found) if board else _pick(found, wanted)
        else:
            yield Check("probe", "problem", f"there are {len(found)}: {listed}",
                        f"say which: --probe {found[0].uid}")  # fmt: skip
            return
    except FwgenError as error:
        yield _problem("probe", error)
        return
    yield Check("probe", "ok", f"{probe}" + (f"; of {len(found)}" if len(found) > 1 else ""))
    try:
        with locked(probe.uid):
            pass
    except FwgenError as error:
        yield _problem("in use", error)
        return
    board = board or around.boards(probe.board_id or "")
    if board is None:
        yield Check("board", "unknown", "the probe does not say which board it sits on",
                    "name the board: --board NAME")  # fmt: skip
    else:
        yield from _check_chip(board, probe)
        yield from _check_port(board, probe, around, rig.port if rig is not None else "")
        yield from _check_wires(rig, found)


# ---------------------------------------------------------------------- this computer


def _check_folder() -> Check:
    folder = data_folder()
    at = folder
    while not at.exists() and at != at.parent:
        at = at.parent
    if os.access(at, os.W_OK | os.X_OK) and at.is_dir():
        return Check("folder", "ok", f"backups are kept in {folder}")
    return Check(
        "folder", "problem", f"backups cannot be kept in {folder}: it cannot be written",
        "set FWGEN_DATA to a folder that can be written",
    )  # fmt: skip


def _check_analyser(rig: RigSpec | None, around: Surroundings) -> Iterator[Check]:
    """The logic analyser of a rig; of others only whether one could be read."""
    wanted = rig.analyser if rig is not None else None
    if isinstance(wanted, str):
        assert rig is not None
        yield _served_analyser(wanted, rig.board)
        return
    try:
        said = around.sigrok()
    except FwgenError as error:
        if wanted is not None:
            yield _problem("analyser", error)
        else:
            yield Check("analyser", "ok", f"{error.message}; only a rig file that names a logic "
                        "analyser needs it")  # fmt: skip
        return
    if wanted is None:
        who = "the rig has no" if rig is not None else "no rig file names a"
        yield Check("analyser", "ok", f"{said} is there; {who} logic analyser")
        return
    try:
        device = around.analyser(wanted.driver)
    except FwgenError as error:
        yield _problem("analyser", error)
        return
    has = channels_of(device)
    missing = [channel for channel in wanted.channels.values() if has and channel not in has]
    if missing:
        yield Check("analyser", "problem", f"{device}: there is no channel {missing[0]}",
                    "name those that there are in the rig file")  # fmt: skip
        return
    wired = ", ".join(f"{channel} on {pin}" for pin, channel in wanted.channels.items())
    yield Check("analyser", "ok", f"{device.partition(' with ')[0]}; {wired}")


def _served_analyser(place: str, board: str) -> Check:
    """The analyser of a board in software."""
    try:
        BoardAnalyser(place, board=board).close()
    except FwgenError as error:
        return _problem("analyser", error)
    return Check("analyser", "ok", f"{place} answers, on all pins of a {board}")


def _check_wires(rig: RigSpec | None, found: Sequence[Probe]) -> Iterator[Check]:
    """The boards whose pins drive those of ours."""
    for pin, wire in rig.wires.items() if rig is not None else ():
        if isinstance(wire, OutputSpec):
            said = f"{pin} is driven by the digital output {wire.output} of the place"
            yield Check("wire", "ok", said)
            continue
        try:
            probe = _pick(found, wire.probe)
        except FwgenError as error:
            yield Check("wire", "problem", f"{pin} is driven by {wire.pin} of another board: "
                        f"{error.message}", error.hint or "")  # fmt: skip
        else:
            yield Check("wire", "ok", f"{pin} is driven by {wire.pin} of the board at {probe}")


def _check_access(seen: Sequence[UsbDevice], around: Surroundings) -> Iterator[Check]:
    for device in seen:
        if device.vid == ST and device.pid in (ST_LINK_V1, ST_LINK_V3_DFU):
            what = "an ST-LINK/V1, which no one supports any more"
            if device.pid == ST_LINK_V3_DFU:
                what = "an ST-LINK/V3 whose firmware update was cut short"
            yield Check("probe", "problem", f"{device.name} is {what}", FIRMWARE_CURE)
        trouble = around.opening(device.node) if device.node else None
        if trouble in (errno.EACCES, errno.EPERM):
            yield Check(
                "permission", "problem",
                f"{device.name} is plugged in, but only root may use it ({device.node})",
                f"{UDEV_CURE}\nthe rule, for {UDEV_FILE}:\n{UDEV_RULE}".rstrip(),
            )  # fmt: skip
        elif trouble == errno.ENOENT:
            yield Check(
                "permission", "problem",
                f"{device.name} is on the USB bus, but {device.node} is not there",
                "in a container, pass the device through: --device /dev/bus/usb",
            )  # fmt: skip


def _no_probe(seen: Sequence[UsbDevice]) -> Check:
    if seen:
        return Check(
            "probe", "problem",
            f"{', '.join(device.name for device in seen)} is plugged in, but cannot be used",
            BUSY_CURE,
        )  # fmt: skip
    return Check(
        "probe", "problem", "no debug probe is plugged in",
        "plug the board in at the connector of its probe, with a cable that carries data: "
        "many only charge; then without a hub",
    )  # fmt: skip


def _pick(found: Sequence[Probe], wanted: str | None) -> Probe:
    key = (wanted or "").casefold()
    matching = [probe for probe in found if key in probe.uid.casefold()]
    if len(matching) == 1:
        return matching[0]
    listed = ", ".join(str(probe) for probe in found)
    raise RigError(
        f"{wanted!r} is in the serial number of {len(matching) or 'none'} of the probes",
        hint=f"there is {listed}",
    )  # fmt: skip


# ---------------------------------------------------------------------- probe and chip


def _check_chip(board: Board, probe: Probe) -> Iterator[Check]:
    """Connect, let the core run meanwhile, and see who is there."""
    failed: FwgenError | None = None
    try:
        with Connection(board, probe, how="attach", check=False) as connection:
            yield from _check_probe(connection)
            yield Check("debug pins", "ok", "the chip answers")
            yield from _check_identity(board, connection.identity, probe)
            return
    except FwgenError as error:
        failed = error
    if "firmware" in failed.message and "too old" in failed.message:
        yield Check("firmware", "problem", failed.message, failed.hint or "")
        return
    power = _power(Connection(board, probe).target_uv)
    if power is not None and power.state == "problem":
        yield power
        return
    if "does not answer" in failed.message:
        try:
            with Connection(board, probe, how="under-reset", check=False) as connection:
                identity = connection.identity
                connection.reset()
            yield Check(
                "debug pins", "problem",
                "the chip answers only while it is held in reset: its firmware sleeps deeply, or "
                "has switched the debug pins off",
                '"fwgen flash" connects under reset by itself; other tools need it as an option',
            )  # fmt: skip
            yield from _check_identity(board, identity, probe)
        except FwgenError as error:
            yield _problem("debug pins", error)
        return
    yield _problem("connection", failed)


def _check_probe(connection: Connection) -> Iterator[Check]:
    version = getattr(getattr(connection.probe.handle, "_link", None), "version_str", None)
    if isinstance(version, str):
        yield _firmware(version)
    power = _power(connection.target_uv)
    if power is not None:
        yield power


def _firmware(version: str) -> Check:
    """Whether an ST-LINK's firmware, "V2J37M26", is new enough to tell its board."""
    hardware, _, rest = version.removeprefix("V").partition("J")
    digits = "".join(c for c in rest.split("M")[0].split("S")[0] if c.isdigit())
    least = GOOD_J.get(int(hardware) if hardware.isdigit() else 0)
    if least is not None and digits and int(digits) < least:
        return Check(
            "firmware", "problem",
            f"the probe's firmware {version} works, but does not say which board it sits on",
            FIRMWARE_CURE,
        )  # fmt: skip
    return Check("firmware", "ok", f"the probe's firmware is {version}")


def _power(supply_uv: int | None) -> Check | None:
    if supply_uv is None:
        return None
    said = show_voltage(round(supply_uv, -4))
    if supply_uv < POWERED_UV:
        return Check(
            "power", "problem", f"the chip has no power: the probe measures {said}",
            "check the jumpers for power (JP5, JP6 on a Nucleo-64) and what else feeds the board",
        )  # fmt: skip
    return Check("power", "ok", f"the chip has {said}")


def _check_identity(board: Board, identity: Identity, probe: Probe) -> Iterator[Check]:
    try:
        refuse_wrong_chip(board, identity)
    except FwgenError as error:
        yield _problem("chip", error)
        return
    yield Check("chip", "ok", f"{board.chip.title}, revision {identity.rev_id:#06x}, "
                f"unique id {identity.unique_id}")  # fmt: skip
    level, sectors = identity.protection.level, identity.protection.sectors
    if level:
        yield Check("protection", "problem",
                    f"the chip is protected against being read (level {level})",
                    RDP_CURE if level == 1 else "level 2 is for ever")  # fmt: skip
    elif sectors:
        yield Check("protection", "problem",
                    f"sectors {', '.join(map(str, sectors))} are write-protected",
                    WRP_CURE)  # fmt: skip
    else:
        yield Check("protection", "ok", "nothing is protected")
    store = Store(identity.unique_id or probe.uid)
    if store.pending:
        yield Check("flash", "problem", "the last flash of this chip was interrupted",
                    'flash it again, or "fwgen restore" puts back what was there')  # fmt: skip
    else:
        kept = len(store.backups())
        yield Check("backups", "ok", f"{kept or 'none'} kept of this chip")


# ---------------------------------------------------------------------- the serial port


def _check_port(
    board: Board, probe: Probe, around: Surroundings, named: str
) -> Iterator[Check]:  # fmt: skip
    if board.console is None:
        return
    if named == NO_PORT:
        yield Check("serial port", "ok", "the rig has none: what the board says is not heard")
        return
    try:
        port = port_named(named) if named else find_port(probe.uid, around.ports())
    except FwgenError as error:
        yield _problem("serial port", error)
        return
    trouble = around.port_opening(port.device)
    if trouble is None:
        yield Check("serial port", "ok", port.device)
    else:
        yield Check("serial port", "problem", f"{port.device}: {trouble.message}",
                    trouble.hint or "plug the board in again")  # fmt: skip


# ---------------------------------------------------------------------- helpers


def _problem(name: str, error: FwgenError) -> Check:
    return Check(name, "problem", error.message, error.hint or "")


def _is_probe(vid: int, pid: int, product: str) -> bool:
    return (vid == ST and pid in ST_LINKS) or vid in (DAPLINK, SEGGER) or "CMSIS-DAP" in product


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""


def _hex(path: Path) -> int | None:
    try:
        return int(_text(path), 16)
    except ValueError:
        return None
