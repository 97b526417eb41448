"""fwgen hil: run, list, report."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from fwgen.rig import probes
from fwgen.rig.lock import locked

if TYPE_CHECKING:
    from collections.abc import Callable

    from .conftest import Ran

    Fwgen = Callable[..., Ran]

pytestmark = pytest.mark.usefixtures("nothing_plugged_in")
VIRTUAL = ("--rig", "virtual", "-b", "nucleo-f401")


@pytest.fixture
def two_cases(fwgen: Fwgen, tmp_path: Path) -> Path:
    """One that is met; and one whose firmware blinks at another rate than asked."""
    for name in ("good", "wrong"):
        folder = tmp_path / "cases" / name
        assert fwgen("blink LED at 20 Hz", "-b", "nucleo-f401", "-o", folder).code == 0
    contract = tmp_path / "cases" / "wrong" / "contract.toml"
    contract.write_text(contract.read_text().replace("20 Hz", "30 Hz"))
    return tmp_path / "cases"


def test_cases_run_on_a_rig_and_leave_a_report(fwgen: Fwgen, two_cases: Path) -> None:
    ran = fwgen("hil", "run", two_cases, *VIRTUAL)
    assert ran.code == 1
    assert "good pass" in ran.said
    assert "wrong fail" in ran.said
    assert "expected 16.6667 ms" in ran.said
    assert "FAIL 1 pass, 1 fail" in ran.said
    page = Path("fwgen-out/hil/report.html").read_text(encoding="utf-8")
    assert "expected 16.6667 ms" in page
    again = fwgen("hil", "report", "--json", "--html", "again.html", "--junit", "all.xml")
    assert again.code == 1
    told = json.loads(again.out)
    assert told["counts"] == {"pass": 1, "fail": 1}
    good = next(test for test in told["tests"] if test["name"] == "good")
    assert good["facts"]["verdict.1.frequency"] == "20 Hz"
    assert Path("again.html").read_text(encoding="utf-8") == page
    assert fwgen("hil", "report", "all.xml").code == 1


def test_tests_run_with_their_own_settings(fwgen: Fwgen, tmp_path: Path) -> None:
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "pytest.ini").write_text("[pytest]\naddopts = --strict-markers\n")
    (tmp_path / "own" / "test_it.py").write_text(
        "import pytest\n"
        "@pytest.mark.fwgen_needs('virtual')\n"
        "def test_a(board): assert board.is_virtual\n"
        "@pytest.mark.fwgen_needs('real')\n"
        "def test_b(board): pass\n"
    )
    ran = fwgen("hil", "run", "own", *VIRTUAL, "--repeat", "2", "--json")
    assert ran.code == 0, ran.said
    assert json.loads(ran.out)["counts"] == {"pass": 2, "skip": 2}
    assert fwgen("hil", "run", "own", *VIRTUAL, "-k", "test_b").code == 2  # nothing was run
    none = fwgen("hil", "run", "own", *VIRTUAL, "-k", "test_c")
    assert none.code == 2
    assert "there is no test here" in none.said


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["run", "."], "on which rig? hint add --rig NAME"),
        (["run", ".", "--rig", "nosuch"], "there is no rig 'nosuch'"),
        (["run", ".", "--rig", "virtual"], "a virtual rig needs a board"),
        (["run", "none", *VIRTUAL], "there are no tests here"),
        (["run", *VIRTUAL], "there are no tests here where hil"),
        (["run", ".", *VIRTUAL, "--wait", "long"], "'long' is not a duration"),
        (["report"], "there are no results here"),
        (["report", "x.xml"], "there are no results here where x.xml"),
    ],
)
def test_mistakes_are_told_before_anything_runs(
    fwgen: Fwgen, arguments: list[str], said: str
) -> None:
    ran = fwgen("hil", *arguments)
    assert ran.code == 2
    assert said in ran.said
    assert not Path("fwgen-out").exists()


def test_the_list_tells_of_every_rig_how_it_is(
    fwgen: Fwgen, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "hil" / "rigs"
    folder.mkdir(parents=True)
    for name, text in {
        "desk": 'board = "nucleo-f401"\nprobe = "066A"\n',
        "away": 'board = "nucleo-f401"\nprobe = "0FFF"\n',
        "soft": 'board = "nucleo-f401"\nvirtual = true\n',
        "typo": 'board = "nucleo-f402"\n',
    }.items():
        (folder / f"{name}.toml").write_text(text)
    there = tuple(probes.Probe(uid, "STM32 STLink") for uid in ("066A01", "077B02"))
    monkeypatch.setattr(probes, "find_probes", lambda: there)
    ran = fwgen("hil", "list")
    assert ran.code == 2
    assert "desk nucleo-f401 plugged in probe 066A01" in ran.said
    assert "away nucleo-f401 missing there is no probe '0FFF'" in ran.said
    assert "soft nucleo-f401 virtual" in ran.said
    assert "typo wrong" in ran.said
    assert "no rig names the probe 077B02 (STM32 STLink)" in ran.said
    with locked("066A01"):
        told = json.loads(fwgen("hil", "list", "--json").out)
    assert {row["rig"]: row["state"] for row in told["rigs"]} == {
        "desk": "in use", "away": "missing", "soft": "virtual", "typo": "wrong"
    }  # fmt: skip
    assert told["others"] == [{"probe": "077B02", "name": "STM32 STLink"}]


def test_with_no_rig_at_all_the_list_says_what_to_write(fwgen: Fwgen) -> None:
    ran = fwgen("hil", "list")
    assert ran.code == 0
    assert "write hil/rigs/NAME.toml" in ran.said
