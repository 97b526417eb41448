"""``fwgen virtual``: served to programs outside until it is told to end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from fwgen.virtual import registry

from .conftest import BOARD

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from .conftest import Ran


@pytest.fixture(autouse=True)
def runtime(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FWGEN_RUNTIME_DIR", str(tmp_path / "runtime"))


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--gdb", "here"), "--gdb 'here' is no port"),
        (("--gdb", ":70000"), "--gdb ':70000' is no port"),
        (("--pace", "0"), "--pace 0 is no pace"),
        (("--serial", "usb"), "--serial 'usb' is no kind of serial port"),
        (("--serial", "pty:1"), "--serial 'pty:1' is no kind of serial port"),
        (("--image", "none.hex"), "there is no such file"),
        (("--probe", "jlink"), "jlink"),
    ],
)
def test_what_it_cannot_do_is_told_at_once(
    fwgen: Callable[..., Ran], arguments: tuple[str, ...], said: str
) -> None:
    ran = fwgen("virtual", "--board", BOARD, *arguments)
    assert ran.code == 2
    assert said in ran.said
    assert registry.running() == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_runs_until_told_to_end_and_leaves_nothing(number: signal.Signals) -> None:
    command = [
        sys.executable, "-m", "fwgen", "virtual", "--board", BOARD, "--uid", "VIRTHERE",
        "--serial", "rfc2217:0", "--analyser", "0",
    ]  # fmt: skip
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=os.environ.copy()
    ) as process:
        assert process.stdout is not None
        shown = []
        for line in process.stdout:
            shown.append(line)
            if "Ctrl-C" in line:
                break
        found = registry.running()
        process.send_signal(number)
        rest, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors
    assert [one.uid for one in found] == ["VIRTHERE"]
    assert found[0].serial.startswith("rfc2217://")
    assert "VIRTHERE" in "".join(shown) + rest
    assert 'analyser = "localhost:' in "".join(shown)
    assert registry.running() == []


def test_pyocd_loads_nothing_of_ours_where_no_board_runs() -> None:
    asked = (
        "import sys; from pyocd.probe.aggregator import PROBE_CLASSES; "
        "print('fwgen' in PROBE_CLASSES, 'fwgen.machine' in sys.modules)"
    )
    ran = subprocess.run(
        [sys.executable, "-c", asked], capture_output=True, text=True, check=True, timeout=60
    )
    assert ran.stdout.split() == ["False", "False"]
