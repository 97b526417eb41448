"""docs/farm.md, from its first command to its last, on ports that are free."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest

import fwgen
from tests.effort import LONG

from . import farm as farms

PAGE = farms.ROOT / "docs" / "farm.md"
EMBEDDED = farms.ROOT / ".farm" / "embedded"
READY = {
    "labgrid-coordinator": "listening on",
    "labgrid-exporter": "Exporter ready",
    "fwgen virtual": "Ctrl-C",
}
HELLO = """\
title = "hello"
board = "nucleo-f401"
span = "3 s"

[[expect]]
says = "hello {n}"
numbers.n = { first = 0, step = 1 }
"""


def blocks() -> list[tuple[str, str, str]]:
    """Section, language and text of everything that is fenced."""
    found, section = [], ""
    for match in re.finditer(
        r"^## (.*?)$|^```(\w+)\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.M | re.S
    ):
        if match[1]:
            section = match[1]
        else:
            found.append((section, match[2], match[3]))
    return found


def free_port() -> str:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return str(taken.getsockname()[1])


@pytest.fixture
def names(tmp_path: Path) -> dict[str, str]:
    """What stands on the page, and what it is here."""
    return {
        **{port: free_port() for port in ("20408", "5555", "4001", "6001")},
        "FWGEN": str(tmp_path / "bin" / "fwgen"),
    }


class Shell:
    """Runs what the page shows, in one folder."""

    def __init__(self, folder: Path, names: dict[str, str], held: ExitStack) -> None:
        self.folder, self.names, self.held = folder, names, held
        (folder / "bin").mkdir()
        (folder / "bin" / "fwgen").symlink_to(Path(sys.executable).with_name("fwgen"))
        self.env = farms.environment() | {
            "FWGEN_DATA": str(folder / "data"),
            "FWGEN_RUNTIME_DIR": str(folder / "run"),
        }
        self.env.pop("FWGEN_LABGRID", None)
        self.first(farms.ENVIRONMENT / "bin")
        self.first(folder / "bin")

    def first(self, folder: Path) -> None:
        """What is found before all else."""
        self.env["PATH"] = f"{folder}{os.pathsep}{self.env['PATH']}"

    def here(self, text: str) -> str:
        """The text with our ports."""
        return re.sub("|".join(self.names), lambda found: self.names[found[0]], text)

    def run(self, line: str) -> None:
        """One line of a shell."""
        line = self.here(line)
        if line.startswith("export "):
            key, _, value = line.removeprefix("export ").partition("=")
            self.env[key] = value
        elif line.endswith(" &"):
            (ready,) = (words for name, words in READY.items() if line.startswith(name))
            started = self.held.enter_context(
                farms.process("bash", "-c", f"exec {line[:-2]}", cwd=self.folder, env=self.env)
            )
            farms.said(started, ready)
            file = self.folder / f"{line.split()[0]}.{started.pid}"
            self.held.enter_context(farms.draining(started, file))
        else:
            ran = subprocess.run(
                ["bash", "-c", line], cwd=self.folder, env=self.env, capture_output=True,
                text=True, timeout=180, check=False, stdin=subprocess.DEVNULL,
            )  # fmt: skip
            assert ran.returncode == 0, f"$ {line}\n{ran.stdout}\n{ran.stderr}"

    def python(self, text: str, shown: str) -> None:
        """A piece of Python, and what it prints."""
        env = self.env | {"PYTHONPATH": str(farms.ROOT)}
        ran = subprocess.run(
            [sys.executable, "-c", self.here(text)], cwd=self.folder, env=env,
            capture_output=True, text=True, timeout=180, check=False,
        )  # fmt: skip
        assert ran.stdout == self.here(shown), ran.stderr


@pytest.mark.skipif(not LONG, reason="takes a minute: FWGEN_LONG=1, .ci/nightly")
@pytest.mark.usefixtures("labgrid")
def test_every_command_on_the_page_works(tmp_path: Path, names: dict[str, str]) -> None:
    made = fwgen.generate('print "hello" and a count over serial every 500 ms', "nucleo-f401")
    fwgen.write_hex(made.proof.image, tmp_path / "hello.hex")
    (tmp_path / "hello.toml").write_text(HELLO)
    first, *rest = blocks()
    assert len(rest) > 12
    # What is shown first needs all that is explained below.
    rest.append(first)
    with ExitStack() as held:
        shell = Shell(tmp_path, names, held)
        for number, (section, language, text) in enumerate(rest):
            if section == "pytest-embedded":
                shell.first(EMBEDDED / "bin")
                shell.first(tmp_path / "bin")
            named = re.match(r"# ([\w/]+\.\w+)\n", text)
            if language == "yaml" and not named:
                (tmp_path / "exporter.yaml").write_text(shell.here(text))
            elif named:
                file = tmp_path / named[1]
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_text(shell.here(text))
            elif language == "python":
                shell.python(text, rest[number + 1][2])
            elif language == "sh":
                for line in text.splitlines():
                    if line != "uv tool install labgrid":  # .ci/farm has done that
                        shell.run(line)
