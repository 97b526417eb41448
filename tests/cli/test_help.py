"""Help is there at once, and tells the truth."""

from __future__ import annotations

import re
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from typer.main import get_command

from fwgen import __version__
from fwgen.cli.main import COMMANDS, HELP, build

if TYPE_CHECKING:
    from collections.abc import Callable

    from .conftest import Ran

HEAVY = {
    "unicorn", "capstone", "openai", "pyocd", "elftools", "intelhex", "vcd", "hypothesis", "serial",
}  # fmt: skip


def imported_by(*arguments: str) -> set[str]:
    ran = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "fwgen", *arguments],
        capture_output=True, text=True, check=True, timeout=60,
    )  # fmt: skip
    names = [line.rpartition("|")[2].strip() for line in ran.stderr.splitlines() if "|" in line]
    return {name.partition(".")[0] for name in names}


@pytest.mark.parametrize("arguments", [["--help"], ["-h"], [], ["--version"]])
def test_help_imports_nothing_that_takes_time(arguments: list[str]) -> None:
    imported = imported_by(*arguments)
    assert not imported & (HEAVY | {"typer", "rich"})
    assert "fwgen" in imported


@pytest.mark.parametrize("arguments", [["verify", "--help"], ["boards"], ["run", "-h"]])
def test_a_command_imports_only_what_it_needs(arguments: list[str]) -> None:
    assert not imported_by(*arguments) & HEAVY


def test_the_main_job_does_without_what_it_does_not_use(tmp_path: object) -> None:
    imported = imported_by(
        "blink LED at 2Hz", "--board", "nucleo-f401", "--out", f"{tmp_path}/out", "--json"
    )
    assert not imported & {"openai", "pyocd", "elftools", "serial", "hypothesis", "rich"}


def test_the_help_by_hand_names_every_command_and_every_option_of_a_prompt() -> None:
    commands = get_command(build()).commands  # type: ignore[attr-defined]
    assert set(COMMANDS) == set(commands)
    for name in COMMANDS:
        assert re.search(rf"^  {name}\b", HELP, re.MULTILINE)
    options = {o for p in commands["make"].params for o in (*p.opts, *p.secondary_opts)}
    said = set(re.findall(r"(?<![\w-])--?[a-z][\w-]*", HELP.split("Options of a prompt:")[1]))
    assert {o for o in options if o.startswith("-")} <= said | {"--board"}
    assert said - {"--help", "--version", "--install-completion"} <= options


def test_the_help_fits_a_terminal() -> None:
    assert max(len(line) for line in HELP.splitlines()) < 100


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help(fwgen: Callable[..., Ran], name: str) -> None:
    ran = fwgen(name, "--help")
    assert ran.code == 0
    assert ran.out.startswith("Usage: fwgen ")


def test_the_version(fwgen: Callable[..., Ran]) -> None:
    assert fwgen("--version").out == f"fwgen {__version__}\n"


def test_a_shell_is_told_what_completes(command: list[str]) -> None:
    ran = subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=60,
        env={"_FWGEN_COMPLETE": "complete_bash", "COMP_WORDS": "fwgen ve", "COMP_CWORD": "1"},
    )  # fmt: skip
    assert ran.stdout.split() == ["verify"]
