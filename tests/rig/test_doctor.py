"""Each thing that can stand in the way is found and told with its cure."""

from __future__ import annotations

import errno
from dataclasses import replace
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest

from fwgen.rig.doctor import (
    Check,
    Surroundings,
    UsbDevice,
    _firmware,
    _power,
    examine,
    trouble_opening,
    usb_probes,
)
from fwgen.rig.lock import locked
from fwgen.rig.probes import Probe

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from fwgen.board.types import Board

LINK = UsbDevice(0x0483, 0x374B, "066BFF", "STM32 STLink", "/dev/bus/usb/001/004")
NONE = Surroundings(
    platform="linux", usb=tuple, libusb=lambda: True, opening=lambda _node: None, probes=tuple,
    ports=tuple, port_opening=lambda _url: None,
)  # fmt: skip


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
    assert "names 2" in found(None, around, "A")["probe"].said
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
