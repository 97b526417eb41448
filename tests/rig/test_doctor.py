"""Each thing that can stand in the way is found and told with its cure."""

from __future__ import annotations

import errno
from dataclasses import replace
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest

from fwgen.errors import RigError
from fwgen.rig.backup import Store
from fwgen.rig.connection import Connection, Sector
from fwgen.rig.doctor import (
    Check,
    Surroundings,
    UsbDevice,
    _firmware,
    _power,
    examine,
    trouble_opening,
    trouble_with_port,
    usb_probes,
)
from fwgen.rig.lock import locked
from fwgen.rig.ports import Port, PortBusyError, PortDeniedError, PortError, find_ports
from fwgen.rig.probes import Probe, find_probes
from fwgen.virtual.board import VirtualBoard
from fwgen.virtual.faults import Faults

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from fwgen.board.types import Board
    from fwgen.rig.connection import How

LINK = UsbDevice(0x0483, 0x374B, "066BFF", "STM32 STLink", "/dev/bus/usb/001/004")
NONE = Surroundings(
    platform="linux", usb=tuple, libusb=lambda: True, opening=lambda _node: None, probes=tuple,
    ports=tuple, port_opening=lambda _url: None, sigrok=lambda: "sigrok-cli 0.7.2",
)  # fmt: skip


def deaf_unless_in_reset(monkeypatch: pytest.MonkeyPatch) -> None:
    """Firmware that has switched the debug pins off."""
    one = Connection._try_open

    def try_open(self: Connection, way: How) -> None:
        if way != "under-reset":
            raise RigError("the chip does not answer on its debug pins, connecting", hint="x")
        one(self, way)

    monkeypatch.setattr(Connection, "_try_open", try_open)


def found(board: Board | None, around: Surroundings, wanted: str | None = None) -> dict[str, Check]:
    return {check.name: check for check in examine(board, wanted, around)}


def probe(uid: str) -> Probe:
    return Probe(uid, "STM32 STLink", "ST", SimpleNamespace(board_id=None))


def test_no_probe(board: Board) -> None:
    check = found(board, NONE)["probe"]
    assert check.state == "problem"
    assert "no debug probe is plugged in" in check.said
    assert "cable that carries data" in check.cure


def test_a_missing_library_is_told(board: Board) -> None:
    check = found(board, replace(NONE, libusb=lambda: False))["USB library"]
    assert check.state == "problem"
    assert "libusb-package" in check.cure


def test_a_missing_udev_rule_is_told_with_the_rule(board: Board) -> None:
    around = replace(NONE, usb=lambda: (LINK,), opening=lambda _node: errno.EACCES)
    checks = found(board, around)
    assert "only root may use it (/dev/bus/usb/001/004)" in checks["permission"].said
    assert 'ATTRS{idVendor}=="0483"' in checks["permission"].cure
    assert "udevadm control --reload" in checks["permission"].cure
    assert "STM32 STLink is plugged in, but cannot be used" in checks["probe"].said


def test_a_container_without_the_device_is_told(board: Board) -> None:
    around = replace(NONE, usb=lambda: (LINK,), opening=lambda _node: errno.ENOENT)
    assert "--device /dev/bus/usb" in found(board, around)["permission"].cure


@pytest.mark.parametrize(("pid", "said"), [(0x3744, "ST-LINK/V1"), (0x374D, "cut short")])
def test_a_probe_that_no_tool_can_use_is_told(board: Board, pid: int, said: str) -> None:
    around = replace(NONE, usb=lambda: (replace(LINK, pid=pid),))
    checks = list(examine(board, None, around))
    assert any(said in check.said and "STSW-LINK007" in check.cure for check in checks)


def test_several_probes_are_not_guessed_from(board: Board) -> None:
    around = replace(NONE, probes=lambda: (probe("A1"), probe("A2")))
    for the in (board, None):
        check = found(the, around)["probe"]
        assert check.state == "problem"
        assert "A1" in check.said
        assert "A2" in check.said
        assert "--probe A1" in check.cure
    assert "of 2 of the probes" in found(None, around, "A")["probe"].said
    assert found(None, around, "A2")["probe"].state == "ok"


def test_a_probe_in_use_is_told(board: Board) -> None:
    with locked("A1"):
        check = found(board, replace(NONE, probes=lambda: (probe("A1"),)))["in use"]
    assert check.state == "problem"
    assert "in use by another fwgen" in check.said


def test_a_probe_that_does_not_say_its_board_leaves_it_open() -> None:
    check = found(None, replace(NONE, probes=lambda: (probe("A1"),)))["board"]
    assert check.state == "unknown"
    assert "--board" in check.cure


def test_a_folder_that_cannot_be_written_is_told(board: Board, data_folder: Path) -> None:
    data_folder.write_text("a file")
    check = found(board, NONE)["folder"]
    assert check.state == "problem"
    assert "FWGEN_DATA" in check.cure


@pytest.mark.parametrize(
    ("version", "state"),
    [("V2J36M26", "ok"), ("V2J28M18", "problem"), ("V3J7M2", "ok"), ("V3J5M2", "problem"),
     ("V2J40S7", "ok"), ("V9J1", "ok")],
)  # fmt: skip
def test_the_firmware_of_a_probe_is_judged(version: str, state: str) -> None:
    check = _firmware(version)
    assert check.state == state
    assert version in check.said


@pytest.mark.parametrize(
    ("uv", "state"), [(3_250_000, "ok"), (1_700_000, "ok"), (2_000, "problem")]
)
def test_the_supply_of_the_chip_is_judged(uv: int, state: str) -> None:
    check = _power(uv)
    assert check is not None
    assert check.state == state
    assert _power(None) is None


# ---------------------------------------------------------------------- the system's own tables


@pytest.fixture
def usb_tree(tmp_path: Path) -> Callable[..., Path]:
    """Devices as sysfs shows them."""

    def make(*devices: tuple[str, str, str]) -> Path:
        for number, (vid, pid, product) in enumerate(devices, 1):
            folder = tmp_path / "usb" / f"1-{number}"
            folder.mkdir(parents=True)
            facts = {"idVendor": vid, "idProduct": pid, "product": product, "serial": f"S{number}",
                     "busnum": "1", "devnum": str(number)}  # fmt: skip
            for name, value in facts.items():
                (folder / name).write_text(f"{value}\n")
        (tmp_path / "usb" / "1-0:1.0").mkdir(parents=True)
        return tmp_path / "usb"

    return make


def test_probes_are_found_on_the_bus(usb_tree: Callable[..., Path]) -> None:
    tree = usb_tree(
        ("0483", "374b", "STM32 STLink"), ("046d", "c52b", "Mouse"), ("0483", "5740", "A port"),
        ("2e8a", "000c", "Debugprobe (CMSIS-DAP)"), ("0d28", "0204", ""),
    )  # fmt: skip
    devices = usb_probes(tree)
    assert [d.name for d in devices] == [
        "STM32 STLink", "Debugprobe (CMSIS-DAP)", "USB 0d28:0204",
    ]  # fmt: skip
    assert devices[0].node == "/dev/bus/usb/001/001"
    assert devices[0].serial == "S1"


def test_a_system_without_such_tables_has_none(tmp_path: Path) -> None:
    assert usb_probes(tmp_path / "nowhere") == ()


def test_opening_a_node_tells_the_systems_number(tmp_path: Path) -> None:
    node = tmp_path / "node"
    assert trouble_opening(str(node)) == errno.ENOENT
    node.touch()
    assert trouble_opening(str(node)) is None


# ---------------------------------------------------------------------- probe and chip


@pytest.fixture
def examined(board: Board) -> Callable[..., dict[str, Check]]:
    """What the doctor finds on a virtual board with faults."""

    def look(flash: bytes | None = None, **faults: object) -> dict[str, Check]:
        made = VirtualBoard(board, flash=flash, faults=Faults(**faults))  # type: ignore[arg-type]
        port = Port("/dev/ttyACM0", "STM32 STLink", made.uid)
        around = replace(NONE, probes=find_probes, ports=lambda: (port,))
        with made, made.plugged():
            return found(board, around, made.uid)

    return look


def test_a_board_in_good_health(examined: Callable[..., dict[str, Check]]) -> None:
    checks = examined()
    assert {check.state for check in checks.values()} == {"ok"}
    assert "STM32F401RE" in checks["chip"].said
    assert list(checks) == [
        "folder", "analyser", "probe", "debug pins", "chip", "protection", "backups", "serial port",
    ]  # fmt: skip


def test_another_chip_is_found(examined: Callable[..., dict[str, Check]]) -> None:
    checks = examined(idcode=0x1000_6431)
    assert checks["chip"].state == "problem"
    assert "STM32F411" in checks["chip"].said
    assert checks["serial port"].state == "ok"


@pytest.mark.parametrize(
    ("faults", "said"),
    [
        ({"read_protected": True}, "protected against being read (level 1)"),
        ({"write_protected": frozenset({1, 4})}, "sectors 1, 4 are write-protected"),
    ],
)
def test_protection_is_found(
    examined: Callable[..., dict[str, Check]], faults: dict[str, object], said: str
) -> None:
    check = examined(**faults)["protection"]
    assert check.state == "problem"
    assert said in check.said
    assert "STM32" in check.cure


def test_a_cable_that_falls_out_is_found(examined: Callable[..., dict[str, Check]]) -> None:
    checks = examined(drop_after=30, replug=False)
    assert checks["connection"].state == "problem"
    assert "the probe is gone" in checks["connection"].said


def test_the_core_is_not_stopped_by_being_examined(
    board: Board, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pyocd.coresight.cortex_m import CortexM

    def stop(_core: object) -> None:
        raise AssertionError

    monkeypatch.setattr(CortexM, "halt", stop)
    with VirtualBoard(board) as made, made.plugged():
        checks = found(board, replace(NONE, probes=find_probes), made.uid)
    assert checks["chip"].state == "ok"


def test_an_interrupted_flash_is_found(
    board: Board, examined: Callable[..., dict[str, Check]]
) -> None:
    checks = examined()
    uid = checks["chip"].said.rsplit(" ", 1)[1]
    Store(uid).begin([Sector(0, 0x0800_0000, 0x4000)])
    check = examined()["flash"]
    assert check.state == "problem"
    assert "interrupted" in check.said
    assert "fwgen restore" in check.cure


def test_a_chip_that_answers_only_in_reset_is_found(
    board: Board, examined: Callable[..., dict[str, Check]], monkeypatch: pytest.MonkeyPatch
) -> None:
    deaf_unless_in_reset(monkeypatch)
    checks = examined()
    assert checks["debug pins"].state == "problem"
    assert "held in reset" in checks["debug pins"].said
    assert checks["chip"].state == "ok"


def test_a_chip_without_power_is_found(
    board: Board, examined: Callable[..., dict[str, Check]], monkeypatch: pytest.MonkeyPatch
) -> None:
    deaf_unless_in_reset(monkeypatch)
    monkeypatch.setattr(Connection, "target_uv", 3000)
    checks = examined()
    assert "no power: the probe measures" in checks["power"].said
    assert "JP5" in checks["power"].cure


# ---------------------------------------------------------------------- the serial port


@pytest.mark.parametrize(
    "trouble",
    [
        PortBusyError("the serial port is in use by minicom (process 7)", hint="close it there"),
        PortDeniedError("you may not use the serial port", hint="sudo usermod -aG dialout $USER"),
    ],
)
def test_a_port_that_cannot_be_opened_is_told(board: Board, trouble: PortError) -> None:
    with VirtualBoard(board) as made, made.plugged():
        around = replace(
            NONE, probes=find_probes, port_opening=lambda _device: trouble,
            ports=lambda: (Port("/dev/ttyACM0", "STM32 STLink", made.uid),),
        )  # fmt: skip
        check = found(board, around, made.uid)["serial port"]
    assert check.state == "problem"
    assert check.said == f"/dev/ttyACM0: {trouble.message}"
    assert check.cure == trouble.hint


def test_a_port_that_is_not_there_is_told(board: Board) -> None:
    with VirtualBoard(board) as made, made.plugged():
        around = replace(
            NONE, probes=find_probes, ports=lambda: (Port("/dev/ttyACM3", "Other", "B2"),)
        )
        check = found(board, around, made.uid)["serial port"]
    assert check.state == "problem"
    assert "no serial port belongs to the probe" in check.said
    assert "/dev/ttyACM3" in check.cure


def test_a_virtual_board_has_its_port(board: Board) -> None:
    with VirtualBoard(board) as made, made.plugged():
        around = replace(NONE, probes=find_probes, ports=find_ports, port_opening=trouble_with_port)
        check = found(board, around, made.uid)["serial port"]
    assert check == Check("serial port", "ok", f"fwgen://{made.uid}")


def test_an_st_link_tells_its_firmware_and_the_supply(board: Board) -> None:
    with VirtualBoard(board) as made, made.plugged("stlink"):
        checks = found(board, replace(NONE, probes=find_probes), made.uid)
        mine = tuple(probe for probe in find_probes() if probe.uid == made.uid)
        by_itself = found(None, replace(NONE, probes=lambda: mine, boards=lambda _id: board))
    assert checks["firmware"].state == "ok"
    assert "the probe's firmware is V2J" in checks["firmware"].said
    assert checks["power"].state == "ok"
    assert "3." in checks["power"].said
    assert checks["chip"].state == by_itself["chip"].state == "ok"
