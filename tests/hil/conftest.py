"""What tests of tests on boards start from: nothing of the user's own is read or written."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import pytest

from fwgen.board import load_board

if TYPE_CHECKING:
    from collections.abc import Callable

    from fwgen.board.types import Board

ON_VIRTUAL = ("--fwgen-rig=virtual", "--fwgen-board=nucleo-f401")


@pytest.fixture(scope="session")
def nucleo() -> Board:
    return load_board("nucleo-f401")


@pytest.fixture(autouse=True)
def own_data(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("FWGEN_RIG", "FWGEN_BOARD", "FWGEN_TRACEBACK", "PYTEST_ADDOPTS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("FWGEN_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("COLUMNS", "200")


@pytest.fixture(scope="session")
def loaded() -> None:
    """All that a run on a rig imports is there before pytester looks at what is.

    What a run within this process imports first, pytester forgets again; importlib_metadata, which
    pyocd loads, does not survive that.
    """
    code = """
def test_blink(board, fwgen):
    board.flash(fwgen("blink LED at 20 Hz"))
    assert board.pin("LD2").blinks("20 Hz")
"""
    with TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        file = Path(folder, "test_loading.py")
        file.write_text(code)
        patch.setenv("FWGEN_DATA", folder)
        patch.chdir(folder)
        options = ["-q", "-p", "no:cacheprovider", f"--rootdir={folder}", "--import-mode=importlib"]
        assert pytest.main([*options, *ON_VIRTUAL, str(file)]) == 0


@pytest.fixture
def tests(loaded: None, pytester: pytest.Pytester) -> Callable[..., pytest.RunResult]:
    """Runs a text as a file of tests, in this process, on a virtual rig unless told otherwise."""

    def run(text: str, *options: str, on: tuple[str, ...] = ON_VIRTUAL) -> pytest.RunResult:
        pytester.makepyfile(text)
        return pytester.runpytest_inprocess("-rs", "-p", "no:cacheprovider", *on, *options)

    return run
