"""One probe has one user at a time."""

from __future__ import annotations

import subprocess
import sys
import threading
from typing import TYPE_CHECKING

import pytest

from fwgen.errors import OutputError, RigError
from fwgen.rig.lock import locked

if TYPE_CHECKING:
    from pathlib import Path

HOLDER = """
import sys
from fwgen.rig.lock import locked
with locked("P1"):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def other_process() -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def test_another_process_is_named(other_process: subprocess.Popen[str]) -> None:
    try:
        with (
            pytest.raises(
                RigError, match=rf"in use by another fwgen \(process {other_process.pid}\)"
            ),
            locked("P1"),
        ):
            raise AssertionError
        with locked("P2"):
            pass
    finally:
        other_process.communicate()
    with locked("P1"):
        pass


def test_a_process_that_dies_leaves_no_lock(other_process: subprocess.Popen[str]) -> None:
    other_process.kill()
    other_process.communicate()
    with locked("P1"):
        pass


def test_threads_shut_each_other_out_too() -> None:
    said: list[str] = []

    def attempt() -> None:
        try:
            with locked("P1"):
                said.append("taken")
        except RigError as error:
            said.append(error.message)

    with locked("P1"):
        thread = threading.Thread(target=attempt)
        thread.start()
        thread.join()
    assert len(said) == 1
    assert "(this one)" in said[0]


def test_it_is_let_go_after_an_error() -> None:
    with pytest.raises(ZeroDivisionError), locked("P1"):
        raise ZeroDivisionError
    with locked("P1"):
        pass


def test_names_that_are_no_file_names(data_folder: Path) -> None:
    with locked("../../P 1/\0"):
        pass
    assert [path.parent for path in data_folder.rglob("*.lock")] == [data_folder / "locks"]


def test_a_folder_that_cannot_be_written_is_told(
    data_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data_folder.write_text("not a folder")
    with pytest.raises(OutputError, match="cannot be written"), locked("P1"):
        pass
