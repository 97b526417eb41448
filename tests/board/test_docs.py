"""The board in the documentation loads, and its errors are those that it shows."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from fwgen.board import check_board_file, load_board

PAGE = Path(__file__).resolve().parents[2] / "docs" / "adding-a-board.md"
EXAMPLE = re.findall(r"```toml\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)[0]


def test_the_example_board_loads(tmp_path: Path) -> None:
    path = tmp_path / "my-board.toml"
    path.write_text(EXAMPLE, encoding="utf-8")
    assert check_board_file(path) == []
    board = load_board(path)
    lamp = board.find_part("the big light")
    assert lamp is not None
    assert (lamp.name, lamp.active) == ("LAMP", 0)
    found = board.find_pin("J2-3")
    assert found is not None
    assert found.name == "PA0"


@pytest.mark.parametrize(
    ("old", "new"), [('"PB0", lit', '"PB11", lit'), ('tx = "PA9"', 'tx = "PA8"')]
)
def test_the_errors_shown_are_the_errors_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, old: str, new: str
) -> None:
    assert old in EXAMPLE
    monkeypatch.chdir(tmp_path)
    Path("my-board.toml").write_text(EXAMPLE.replace(old, new), encoding="utf-8")
    (finding,) = check_board_file("my-board.toml")
    assert str(finding.error()) in PAGE.read_text(encoding="utf-8")
