"""Every example of docs/hil.md works as it stands there."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from typer.main import get_command

import fwgen.pytest_plugin as plugin
from fwgen.cli.main import build
from fwgen.hil.board import Console, Pin, RigBoard
from fwgen.hil.needs import KINDS
from fwgen.rig.rigs import load_rig

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "hil.md").read_text(encoding="utf-8")


def blocks(kind: str) -> list[str]:
    return re.findall(rf"^```{kind}\n(.*?)^```", PAGE, re.M | re.S)


def test_every_test_on_the_page_passes(tests: Callable[..., pytest.RunResult]) -> None:
    code = blocks("python")
    written = "\n".join(code)
    count = written.count("def test_")
    assert count >= 4
    tests(written).assert_outcomes(passed=count)


def test_every_rig_file_on_the_page_can_be_read(tmp_path: Path) -> None:
    found = blocks("toml")
    assert len(found) == 2
    specs = []
    for n, text in enumerate(found):
        file = tmp_path / f"rig{n}.toml"
        file.write_text(text)
        specs.append(load_rig(file))
    assert [spec.virtual for spec in specs] == [False, True]
    assert specs[0].wires["PC13"].pin == "PA8"


def test_every_command_on_the_page_has_the_options_that_it_is_given() -> None:
    options = set()
    hil = get_command(build()).commands["hil"]  # type: ignore[attr-defined]
    for command in hil.commands.values():
        options |= {option for p in command.params for option in (*p.opts, *p.secondary_opts)}
    for line in blocks("sh")[0].splitlines():
        program, *words = shlex.split(line, comments=True)
        given = {word for word in words if word.startswith("--")}
        if program == "pytest":
            assert given <= {"--fwgen-rig", "--fwgen-board"}
        else:
            assert given <= options


def test_every_option_and_method_is_on_the_page() -> None:
    source = Path(plugin.__file__).read_text(encoding="utf-8")
    for option in set(re.findall(r'"(--fwgen-[a-z]+)"', source)):
        assert f"`{option}" in PAGE
    for kind in KINDS:
        assert re.search(rf'`"{kind}[ "]', PAGE), kind
    for cls in (Pin, Console):
        for name in vars(cls):
            if not name.startswith("_") and callable(getattr(cls, name)):
                assert f"`{name}`" in PAGE, name
    for name in ("flash", "press", "drive", "send", "leave_alone", "expect", "expect_all",
                 "meets", "watch"):  # fmt: skip
        assert hasattr(RigBoard, name)
        assert f"board.{name}" in PAGE


def test_every_option_of_fwgen_hil_is_on_the_page_of_the_command_line() -> None:
    page = (DOCS / "cli.md").read_text(encoding="utf-8")
    section = page.partition("## fwgen hil")[2].partition("\n## ")[0]
    hil = get_command(build()).commands["hil"]  # type: ignore[attr-defined]
    for name, command in hil.commands.items():
        assert f"fwgen hil {name}" in section
        for parameter in command.params:
            for option in (*parameter.opts, *parameter.secondary_opts):
                if option.startswith("--") and option != "--json":
                    assert f"`{option}" in section or f" `{option} " in section, option
