"""Rig files: what they say, and what is refused."""

from __future__ import annotations

import pytest

from fwgen.errors import InputError
from fwgen.rig.rigs import RigSpec, WireSpec, check_board, find_rig, load_rig, rig_files

GOOD = """\
board = "nucleo-f401"
probe = "066AFF"
port = "/dev/ttyACM3"

[wires]
B1 = { probe = "0668FF", board = "nucleo-f401", pin = "D7" }
"""


def written(tmp_path, text, name="desk.toml"):
    path = tmp_path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_a_rig_file_is_read(tmp_path) -> None:
    path = written(tmp_path, GOOD)
    assert load_rig(path) == RigSpec(
        "desk", "nucleo-f401", "066AFF", "/dev/ttyACM3",
        {"PC13": WireSpec("0668FF", "nucleo-f401", "PA8")}, str(path),
    )  # fmt: skip


def test_a_board_alone_is_enough(tmp_path) -> None:
    spec = load_rig(written(tmp_path, 'board = "nucleo-f401"'))
    assert (spec.probe, spec.port, spec.wires) == ("", "", {})


@pytest.mark.parametrize(
    ("text", "message", "where"),
    [
        ("", "the board is not named", "desk.toml"),
        ("board = [", "not TOML", "desk.toml"),
        ('board = "nucleo-f402"', "nucleo-f402", "desk.toml: board"),
        ('board = "nucleo-f401"\nprob = "x"', "no key 'prob'", "desk.toml"),
        ('board = "nucleo-f401"\nprobe = 3', "probe is no text", "desk.toml"),
        ('board = "nucleo-f401"\nwires = 3', "wires is no table", "desk.toml"),
        ('board = "nucleo-f401"\n[wires]\nB1 = "PA8"', "a wire is a table", "wires.B1"),
        ('board = "nucleo-f401"\n[wires]\nB7 = {}', "has no pin 'B7'", "wires.B7"),
        (GOOD.replace(', pin = "D7"', ""), "pin is missing", "wires.B1"),
        (GOOD.replace('"D7"', '"PZ7"'), "has no pin 'PZ7'", "wires.B1"),
        (GOOD.replace("pin =", "pan ="), "no key 'pan'", "wires.B1"),
        (GOOD + 'PC13 = { probe = "1", board = "nucleo-f401", pin = "D8" }', "a wire already",
         "wires.PC13"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named_with_its_place(tmp_path, text, message, where) -> None:
    with pytest.raises(InputError) as told:
        load_rig(written(tmp_path, text))
    assert message in told.value.message
    assert told.value.where.endswith(where)


def test_a_name_is_looked_for_where_rigs_are(tmp_path, monkeypatch, data_folder) -> None:
    monkeypatch.chdir(tmp_path)
    near = written(tmp_path, GOOD, "hil/rigs/desk.toml")
    written(tmp_path, GOOD, "rigs/desk.toml")
    far = written(data_folder, GOOD, "rigs/lab.toml")
    assert find_rig("desk").resolve() == near
    assert find_rig("lab") == far
    assert find_rig(str(near)) == near
    assert [file.stem for file in rig_files()] == ["desk", "lab"]
    with pytest.raises(InputError, match="no rig 'desc'") as told:
        find_rig("desc")
    assert "desk" in told.value.hint
    with pytest.raises(InputError, match="no such rig file"):
        find_rig("elsewhere/desk.toml")


def test_another_board_is_refused(tmp_path, board) -> None:
    check_board(RigSpec("x", board.name), board)
    with pytest.raises(InputError, match="has a other, not a nucleo-f401"):
        check_board(RigSpec("x", "other"), board)
