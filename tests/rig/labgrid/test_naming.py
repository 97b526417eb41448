"""How a place is named, and what is said where labgrid is not installed. No labgrid is needed."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from fwgen.errors import InputError, RigError, UnitError
from fwgen.rig.labgrid.lease import (
    Borrowed,
    Wanted,
    borrowed,
    labgrid_python,
    parse_place,
)
from fwgen.rig.rigs import RigSpec, lent, load_rig

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("labgrid:p1", Wanted("p1")),
        ("labgrid: p1 , wait = 2 min", Wanted("p1", wait_s=120)),
        ("labgrid:board=nucleo-f401", Wanted(tags={"board": "nucleo-f401"})),
        ("labgrid:wait=5s,a=b,c=d", Wanted(tags={"a": "b", "c": "d"}, wait_s=5)),
    ],
)
def test_a_place_or_tags_and_how_long_to_wait(text: str, wanted: Wanted) -> None:
    assert parse_place(text) == wanted


@pytest.mark.parametrize(
    "text", ["labgrid:", "labgrid:p1,p2", "labgrid:p1,a=b", "labgrid:a=", "labgrid:wait=5s"]
)
def test_what_names_no_place_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="names no place of labgrid's"):
        parse_place(text)


@pytest.mark.parametrize("wait", ["soon", "-1 s"])
def test_a_wait_is_a_time(wait: str) -> None:
    with pytest.raises((UnitError, InputError)):
        parse_place(f"labgrid:p1,wait={wait}")


def test_labgrid_is_found_by_its_client_or_by_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home, links = tmp_path / "labgrid", tmp_path / "links"
    (home / "bin").mkdir(parents=True)
    links.mkdir()
    for name in ("python", "labgrid-client"):
        (home / "bin" / name).write_text("#!/bin/sh\n")
        (home / "bin" / name).chmod(0o755)
    (links / "labgrid-client").symlink_to(home / "bin" / "labgrid-client")
    monkeypatch.setenv("PATH", str(links))
    monkeypatch.delenv("FWGEN_LABGRID", raising=False)
    assert labgrid_python() == home / "bin" / "python"
    monkeypatch.setenv("PATH", "")
    for named in (home, home / "bin" / "python", home / "bin" / "labgrid-client"):
        monkeypatch.setenv("FWGEN_LABGRID", str(named))
        assert labgrid_python() == home / "bin" / "python"
    monkeypatch.setenv("FWGEN_LABGRID", str(tmp_path / "nowhere"))
    with pytest.raises(RigError, match="there is no Python with labgrid at"):
        labgrid_python()
    monkeypatch.delenv("FWGEN_LABGRID")
    with pytest.raises(RigError, match="labgrid is not installed") as error:
        labgrid_python()
    assert "uv tool install labgrid" in str(error.value.hint)


def test_a_python_without_labgrid_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FWGEN_LABGRID", sys.executable)
    with pytest.raises(RigError, match="has no labgrid that we can use"):
        borrowed(parse_place("labgrid:p1")).__enter__()


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("print('hello'); import sys; sys.exit('it broke')", "labgrid does not work: it broke"),
        ("", "labgrid does not work: it says nothing"),
    ],
)
def test_a_python_that_ends_without_an_answer_is_told(
    body: str, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    python = tmp_path / "python"
    python.write_text(f"#!{sys.executable}\n{body}\n")
    python.chmod(0o755)
    monkeypatch.setenv("FWGEN_LABGRID", str(python))
    with pytest.raises(RigError, match=words):
        borrowed(parse_place("labgrid:p1")).__enter__()


# ---------------------------------------------------------------------------- rig files


def rig_file(folder: Path, text: str) -> Path:
    path = folder / "attic.toml"
    path.write_text('board = "nucleo-f401"\n' + text)
    return path


def test_a_rig_file_names_a_place(tmp_path: Path) -> None:
    path = rig_file(
        tmp_path, '[labgrid]\nplace = "p1"\nwait = "10 min"\ncoordinator = "lab:20408"\n'
    )
    assert load_rig(path).labgrid == Wanted("p1", {}, 600, "lab:20408")
    path = rig_file(tmp_path, '[labgrid]\ntags = { lab = "attic" }\n')
    assert load_rig(path).labgrid == Wanted(tags={"lab": "attic"})


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("labgrid = 1\n", "labgrid is no table"),
        ("[labgrid]\n", "either a place or tags"),
        ('[labgrid]\nplace = "a"\ntags = { b = "c" }\n', "either a place or tags"),
        ("[labgrid]\ntags = { b = 1 }\n", "tags is no table of texts"),
        ('[labgrid]\nplaec = "a"\n', "no key 'plaec'"),
        ('probe = "1"\n[labgrid]\nplace = "a"\n', "has its own probe"),
        ("virtual = true\n[labgrid]\nplace = 'a'\n", "has its own virtual"),
    ],
)
def test_what_is_wrong_in_a_rig_file_is_told(text: str, words: str, tmp_path: Path) -> None:
    with pytest.raises(InputError) as error:
        load_rig(rig_file(tmp_path, text))
    assert words in str(error.value)


def test_the_farm_may_say_which_board_it_is_and_is_held_to_it() -> None:
    place = Borrowed("p1", "nucleo-f401", "remote:h:1", "")
    spec = lent(RigSpec("x", "", labgrid=Wanted("p1")), place)
    assert (spec.board, spec.probe, spec.port, spec.labgrid) == (
        "nucleo-f401", "remote:h:1", "none", None
    )  # fmt: skip
    with pytest.raises(InputError, match="there is a nucleo-f401, not a other"):
        lent(RigSpec("x", "other"), place)
    with pytest.raises(InputError, match="nobody says which board"):
        lent(RigSpec("x", ""), Borrowed("p1", "", "remote:h:1"))
