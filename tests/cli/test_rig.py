"""The commands for a real board, where there is none."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from fwgen.errors import RigError
from fwgen.rig.backup import Store
from fwgen.rig.identity import Identity

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from .conftest import Ran

BOARD = "nucleo-f401"


pytestmark = pytest.mark.usefixtures("nothing_plugged_in")


def test_flash_without_a_probe_says_what_to_do(
    fwgen: Callable[..., Ran], image: Callable[[str], Path]
) -> None:
    ran = fwgen("flash", image("spin"), "-b", BOARD)
    assert ran.code == 2
    assert "no debug probe is plugged in" in ran.said
    assert "fwgen doctor" in ran.said


def test_flash_reads_the_image_before_it_looks_for_a_probe(
    fwgen: Callable[..., Ran], tmp_path: Path
) -> None:
    ran = fwgen("flash", tmp_path / "none.hex", "-b", BOARD)
    assert ran.code == 2
    assert "none.hex" in ran.said
    assert "probe" not in ran.said


def test_a_probe_that_is_not_there_is_told_as_json(
    fwgen: Callable[..., Ran], image: Callable[[str], Path]
) -> None:
    ran = fwgen("flash", image("spin"), "-b", BOARD, "--probe", "066B", "--json")
    assert ran.code == 2
    said = json.loads(ran.out)
    assert said["outcome"] == "error"
    assert "no probe '066B'" in ran.out


def test_doctor_finds_no_probe_and_says_so_with_its_exit_code(fwgen: Callable[..., Ran]) -> None:
    ran = fwgen("doctor")
    assert ran.code == 1
    assert "no debug probe is plugged in" in ran.said
    assert "1 problem found" in ran.said
    data = json.loads(fwgen("doctor", "--json").out)
    assert (data["outcome"], data["exit_code"]) == ("problems", 1)
    assert {check["state"] for check in data["checks"]} == {"ok", "problem"}


def test_doctor_prints_the_udev_rule_in_one_piece(
    fwgen: Callable[..., Ran], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from fwgen.rig import doctor

    device = tmp_path / "usb" / "1-1"
    device.mkdir(parents=True)
    facts = {"idVendor": "0483", "idProduct": "374b", "product": "STM32 STLink", "busnum": "1"}
    for name, value in facts.items():
        (device / name).write_text(value)
    (device / "devnum").write_text("4")
    monkeypatch.setattr(doctor, "SYSFS", tmp_path / "usb")

    def refused(path: str, *_rest: object) -> int:
        raise PermissionError(13, "Permission denied", path)

    monkeypatch.setattr("fwgen.rig.doctor.os.open", refused)
    ran = fwgen("doctor")
    assert ran.code == 1
    assert "only root may use it (/dev/bus/usb/001/004)" in ran.said
    lines = [line for line in ran.out.splitlines() if line.startswith("SUBSYSTEM")]
    assert len(lines) == 2
    assert all('MODE="0666"' in line for line in lines)


def test_restore_lists_nothing_before_the_first_flash(fwgen: Callable[..., Ran]) -> None:
    ran = fwgen("restore", "--list")
    assert ran.code == 0
    assert "nothing is kept yet" in ran.said
    data = json.loads(fwgen("restore", "--list", "--json").out)
    assert data == {"fwgen_report": 1, "outcome": "listed", "exit_code": 0, "backups": []}


def test_restore_lists_what_is_kept_of_all_chips(fwgen: Callable[..., Ran]) -> None:
    from fwgen.board import load_board

    board, identity = load_board(BOARD), Identity("Cortex-M4", 0x1000_6433)
    for uid in ("0011", "0022"):
        Store(uid).keep(board, identity, {0x0800_0000: bytes(1024)}, kind="part", why="asked for",
                        interrupted=uid == "0022")  # fmt: skip
    ran = fwgen("restore", "--list")
    assert ran.code == 0
    for said in ("0011", "0022", "1 KB", "left by an interrupted flash"):
        assert said in ran.said
    data = json.loads(fwgen("restore", "--list", "--json").out)
    assert [entry["unique_id"] for entry in data["backups"]] == ["0011", "0022"]
    assert data["backups"][0]["bytes"] == 1024


def test_restore_without_a_board_is_told(fwgen: Callable[..., Ran]) -> None:
    ran = fwgen("restore")
    assert ran.code == 2
    assert "no board was named" in ran.said


def test_several_probes_are_not_asked_about_where_nobody_answers(
    fwgen: Callable[..., Ran], image: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    from fwgen.rig import probes

    two = tuple(probes.Probe(uid, "STM32 STLink") for uid in ("A1", "A2"))
    monkeypatch.setattr(probes, "find_probes", lambda: two)
    ran = fwgen("flash", image("spin"), "-b", BOARD)
    assert ran.code == 2
    assert "I do not guess" in ran.said
    assert "--probe A1" in ran.said


def test_at_a_terminal_one_is_asked_which(monkeypatch: pytest.MonkeyPatch) -> None:
    import io

    from fwgen.board import load_board
    from fwgen.cli.plugged import the_probe
    from fwgen.rig import probes

    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    two = tuple(probes.Probe(uid, "STM32 STLink") for uid in ("A1", "A2"))
    monkeypatch.setattr(probes, "find_probes", lambda: two)
    monkeypatch.setattr("sys.stdin", Terminal("7\n2\n"))
    monkeypatch.setattr("sys.stderr", Terminal())
    assert the_probe(load_board(BOARD), "") is two[1]
    with pytest.raises(RigError, match="I do not guess"):  # the input ended
        the_probe(load_board(BOARD), "")
    with pytest.raises(RigError, match="no probe 'B'"):
        the_probe(load_board(BOARD), "B")


# ---------------------------------------------------------------------------- rigs by name

DESK = """\
board = "nucleo-f401"
probe = "DESK01"
port = "{port}"

[wires]
B1 = {{ probe = "OTHER", board = "nucleo-f401", pin = "PA8" }}

[analyser]
driver = "no-such-driver"
rate = "1 MHz"
channels = {{ D0 = "LD2" }}
"""


@pytest.fixture
def desk(tmp_path: Path) -> Callable[..., Path]:
    """Writes the rig file "desk"."""

    def write(port: str = "none", text: str = DESK) -> Path:
        path = tmp_path / "rigs" / "desk.toml"
        path.parent.mkdir(exist_ok=True)
        path.write_text(text.format(port=port))
        return path

    return write


def test_doctor_looks_for_all_that_a_rig_file_names(
    fwgen: Callable[..., Ran], desk: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    from fwgen.board import load_board
    from fwgen.virtual.board import VirtualBoard

    monkeypatch.setenv("FWGEN_SIGROK", "no-sigrok-anywhere")
    desk()
    with (
        VirtualBoard(load_board(BOARD), uid="DESK01") as board, board.plugged(),
        VirtualBoard(load_board(BOARD), uid="STRAY") as other, other.plugged(),
    ):  # fmt: skip
        ran = fwgen("doctor", "--rig", "desk", "--json")
    checks = {check["name"]: check for check in json.loads(ran.out)["checks"]}
    assert ran.code == 1
    assert "DESK01" in checks["probe"]["said"]
    assert checks["chip"]["state"] == "ok"
    assert "the rig has none" in checks["serial port"]["said"]
    assert checks["wire"]["state"] == "problem"
    assert "PC13 is driven by PA8 of another board" in checks["wire"]["said"]
    assert checks["analyser"]["state"] == "problem"
    assert "no-sigrok-anywhere" in checks["analyser"]["said"]
    assert "apt install sigrok-cli" in checks["analyser"]["cure"]


def test_doctor_says_of_a_rig_that_its_probe_is_not_there(
    fwgen: Callable[..., Ran], desk: Callable[..., Path]
) -> None:
    desk()
    ran = fwgen("doctor", "--rig", "desk")
    assert ran.code == 1
    assert "no debug probe is plugged in" in ran.said
    assert "there is no rig 'dask'" in fwgen("doctor", "--rig", "dask").said


def test_monitor_takes_the_port_and_the_rate_of_a_rig(
    fwgen: Callable[..., Ran], desk: Callable[..., Path]
) -> None:
    desk("loop://")
    ran = fwgen("monitor", "--rig", "desk", "--for", "50ms")
    assert ran.code == 0, ran.err
    assert "loop:// at 115200 8N1: 0 bytes received" in ran.said


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--rig", "desk"), "the rig desk has no serial port"),
        (("loop://", "--rig", "desk"), "both a port (loop://) and a rig (desk)"),
        (("--rig", "virtual", "-b", BOARD), "lasts no longer than one command"),
        (("--rig", "soft"), "it has no port that lasts"),
        (("--rig", "dusk"), "did you mean desk"),
    ],
)
def test_a_rig_without_a_port_of_its_own_is_told(
    fwgen: Callable[..., Ran], desk: Callable[..., Path], arguments: tuple[str, ...], says: str
) -> None:
    desk().with_name("soft.toml").write_text(f'board = "{BOARD}"\nvirtual = true\n')
    ran = fwgen("monitor", *arguments)
    assert ran.code == 2
    assert says in ran.said
