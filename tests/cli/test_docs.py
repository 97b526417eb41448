"""Every example on the pages about the command line is run as it stands."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from typer.main import get_command

from fwgen.cli.main import COMMANDS, build

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from .conftest import Ran

DOCS = Path(__file__).parents[2] / "docs"
PAGE = DOCS / "cli.md"


def examples() -> list[tuple[str, str]]:
    """Each command with what is shown below it."""
    text = PAGE.read_text(encoding="utf-8")
    blocks = re.findall(r"^```console\n(.*?)^```", text, re.M | re.S)
    found = []
    for block in blocks:
        for part in re.split(r"^\$ ", block, flags=re.M)[1:]:
            command, _, shown = part.partition("\n")
            found.append((command, shown))
    return found


def looks_like(shown: str, said: str) -> bool:
    """Whether ``said`` is what is shown, "..." standing for anything; blanks do not count."""
    pieces = [re.escape(" ".join(piece.split())) for piece in shown.split("...")]
    return re.fullmatch(" ?.*? ?".join(pieces), " ".join(said.split()), re.S) is not None


@pytest.fixture
def empty_stdin(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with Path("/dev/null").open() as nothing:
        monkeypatch.setattr("sys.stdin", nothing)
        yield


@pytest.mark.usefixtures("empty_stdin", "nothing_plugged_in")
def test_every_example_does_what_is_shown(
    fwgen: Callable[..., Ran], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    assert len(examples()) > 20
    for command, shown in examples():
        program, *arguments = shlex.split(command)
        assert program == "fwgen"
        ran = fwgen(*arguments)
        assert looks_like(shown, ran.out + ran.err), (command, ran.out + ran.err)


def test_every_command_and_option_is_on_the_page() -> None:
    text = PAGE.read_text(encoding="utf-8")
    commands = get_command(build()).commands  # type: ignore[attr-defined]
    for name in COMMANDS:
        assert f"fwgen {name}" in text
        for parameter in commands[name].params:
            for option in (*parameter.opts, *parameter.secondary_opts):
                if option.startswith("-"):
                    assert f"`{option}" in text or f" {option} " in text, (name, option)
