"""Ctrl-C at any moment: one line, exit code 130, nothing half-written."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from fwgen.interrupt import held

from .conftest import BOARD, QUIET
from .firmware import hex_of

INTERRUPTED = 130

pytestmark = pytest.mark.skipif(os.name == "nt", reason="sends SIGINT to a process of its own")


def interrupted(arguments: list[str]) -> tuple[int, str, str]:
    """Runs a command and sends it a Ctrl-C once the machine is at work."""
    with subprocess.Popen(
        arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        # As a shell starts a command: with Ctrl-C working, whoever runs the tests.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    ) as child:  # fmt: skip
        memory = Path(f"/proc/{child.pid}/maps")
        deadline = time.monotonic() + (60 if memory.exists() else 3)
        while time.monotonic() < deadline and "unicorn" not in _text(memory):
            assert child.poll() is None, child.communicate()
            time.sleep(0.02)
        time.sleep(1)
        child.send_signal(signal.SIGINT)
        out, err = child.communicate(timeout=60)
        return child.returncode, out, err


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""


@pytest.fixture
def endless(tmp_path: Path) -> list[str]:
    """A verification that would take hours: every instruction has to be run."""
    (tmp_path / "compute.hex").write_bytes(hex_of("compute"))
    (tmp_path / "long.toml").write_text(QUIET.replace("50 ms", "1 h"))
    return ["verify", "compute.hex", "--board", BOARD, "--contract", "long.toml"]


def test_a_long_run_stops_with_one_line(
    command: list[str], endless: list[str], tmp_path: Path
) -> None:
    before = sorted(tmp_path.iterdir())
    code, out, err = interrupted([*command, *endless])
    assert code == INTERRUPTED
    assert err.splitlines() == ["", "interrupted: nothing was written"]
    assert out == ""
    assert sorted(tmp_path.iterdir()) == before


def test_a_long_run_stops_with_one_object(command: list[str], endless: list[str]) -> None:
    code, out, err = interrupted([*command, *endless, "--json"])
    assert code == INTERRUPTED
    assert err == ""
    assert json.loads(out) == {"fwgen_report": 1, "outcome": "interrupted", "exit_code": 130}


@pytest.mark.parametrize("delay_s", [0.1, 0.3, 0.5, 0.7, 0.9, 1.1, 1.3])
def test_making_a_firmware_is_whole_or_not_at_all(
    command: list[str], tmp_path: Path, delay_s: float
) -> None:
    """Wherever the signal falls: the folder is complete, or not there."""
    make = [*command, "blink LED at 2Hz", "--board", BOARD, "--out", "made"]
    with subprocess.Popen(make, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as child:
        time.sleep(delay_s)
        child.send_signal(signal.SIGINT)
        child.wait(60)
    made = tmp_path / "made"
    assert not [path for path in tmp_path.rglob("*") if path.name.startswith(".")]
    if made.exists():
        report = json.loads((made / "report.json").read_text())
        assert set(report["files"]) | {"report.json"} == {path.name for path in made.iterdir()}


def test_an_interrupt_is_held_back_until_the_block_is_done() -> None:
    done = []

    def work() -> None:
        with held():
            signal.raise_signal(signal.SIGINT)
            done.append("block")

    with pytest.raises(KeyboardInterrupt):
        work()
    assert done == ["block"]
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)


def test_who_handles_ctrl_c_otherwise_goes_on_doing_so() -> None:
    heard = []
    before = signal.signal(signal.SIGINT, lambda *_: heard.append(1))
    try:
        with held():
            signal.raise_signal(signal.SIGINT)
    finally:
        signal.signal(signal.SIGINT, before)
    assert heard == [1]
