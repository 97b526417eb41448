from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from fwgen.cli.main import run

from .firmware import hex_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

BOARD = "nucleo-f401"
QUIET = """\
title = "nothing moves"
board = "nucleo-f401"
span = "50 ms"

[[expect]]
quiet = true
"""


@dataclass(frozen=True, slots=True)
class Ran:
    """What a command line did."""

    code: int
    out: str
    err: str

    @property
    def said(self) -> str:
        """All that was printed, in one line: where it was wrapped does not matter."""
        return " ".join((self.out + self.err).split())


@pytest.fixture(autouse=True)
def plain_terminal(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    for name in list(os.environ):
        if name.endswith(("_API_KEY", "_BASE_URL")):
            monkeypatch.delenv(name)
    for kind in ("CONFIG", "STATE", "CACHE"):
        monkeypatch.setenv(f"XDG_{kind}_HOME", str(tmp_path / ".home" / kind.lower()))
    monkeypatch.delenv("FWGEN_CONFIG", raising=False)
    for name in ("FWGEN_BOARD", "FWGEN_TRACEBACK", "FORCE_COLOR", "NO_COLOR", "TTY_COMPATIBLE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("FWGEN_DATA", str(tmp_path / "data"))
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def nothing_plugged_in(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No probe of whoever runs the tests is found, or touched."""
    from pyocd.probe import aggregator

    from fwgen.rig import doctor

    monkeypatch.setattr(aggregator, "PROBE_CLASSES", {})
    monkeypatch.setattr(doctor, "SYSFS", tmp_path / "no-usb")


@pytest.fixture
def fwgen(capsys: pytest.CaptureFixture[str]) -> Callable[..., Ran]:
    """Runs one command line within this process."""

    def call(*arguments: object) -> Ran:
        code = run([str(argument) for argument in arguments])
        out, err = capsys.readouterr()
        return Ran(code, out, err)

    return call


@pytest.fixture
def image(tmp_path: Path) -> Callable[[str], Path]:
    """Writes one of the small programs as a .hex file."""

    def write(name: str) -> Path:
        path = tmp_path / f"{name}.hex"
        path.write_bytes(hex_of(name))
        return path

    return write


@pytest.fixture
def quiet(tmp_path: Path) -> Path:
    """A contract that asks for nothing but what every contract implies, and silence."""
    path = tmp_path / "quiet.toml"
    path.write_text(QUIET)
    return path


@pytest.fixture(scope="session")
def command() -> list[str]:
    """The real command, for a process of its own."""
    return [sys.executable, "-m", "fwgen"]
