"""docs/report.md and what is printed name the same keys."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from fwgen.cli.main import run
from fwgen.image.write import hex_bytes
from tests.cli.firmware import hex_of
from tests.rig.bench_firmware import image_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PAGE = Path(__file__).parents[2] / "docs" / "report.md"
BOARD = "nucleo-f401"
ALWAYS = {"fwgen_report", "outcome", "exit_code"}
OPEN = ("files", "words")  # objects whose keys are names, not ours
QUIET = '[[expect]]\nquiet = true\nbut = ["LD2"]\n\n[[expect]]\nblinks = "LD2"\nrate = "50 Hz"\n'
QUIET_TOML = f'board = "{BOARD}"\nspan = "100 ms"\n\n[[expect]]\nquiet = true\nbut = ["LD2"]\n'
CONTRACT = f'title = "all"\nboard = "{BOARD}"\nspan = "200 ms"\n{QUIET}'


def documented() -> dict[str, set[str]]:
    """The keys of each section, by its heading."""
    sections = re.split(r"^## ", PAGE.read_text(encoding="utf-8"), flags=re.M)
    return {
        part.partition(":")[0].strip(): set(re.findall(r"^\| `([^`]+)` +\|", part, re.M))
        for part in sections[1:]
    }


def keys(value: object, path: str = "") -> Iterator[str]:
    """Every key of a value as the page writes it; a list's entries as []."""
    if isinstance(value, dict) and value:
        for name, inner in value.items():
            at = "*" if path in OPEN else name
            yield from keys(inner, f"{path}.{at}" if path else at)
    elif isinstance(value, list):
        for inner in value:
            yield from keys(inner, f"{path}[]")
    else:
        yield path


@pytest.fixture
def printed(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., set[str]]:
    monkeypatch.chdir(tmp_path)

    def call(*arguments: str) -> set[str]:
        run([*arguments, "--json"])
        data = json.loads(capsys.readouterr().out)
        assert set(data) >= ALWAYS
        return set(keys(data)) - ALWAYS

    return call


def without_parents(names: set[str]) -> set[str]:
    """Keys that say "or null" stand for themselves only when they are null."""
    return {n for n in names if not any(o.startswith((f"{n}.", f"{n}[]")) for o in names)}


def agrees(seen: set[str], said: set[str], *, all_of_them: bool = True) -> None:
    assert seen <= said, f"not on the page: {sorted(seen - said)}"
    if all_of_them:
        missing = without_parents(said) - seen
        assert not missing, f"never printed: {sorted(missing)}"


def test_a_made_firmware(printed: Callable[..., set[str]], tmp_path: Path) -> None:
    page = documented()
    said = page["A proof"] | page["A firmware"]
    seen = printed("blink LED at 2Hz", "--board", BOARD, "--out", "out")
    report = json.loads((tmp_path / "out/report.json").read_text())
    assert set(keys(report)) - ALWAYS == seen - {"folder"}
    agrees(seen, said | {"findings[].departure", "assumed"}, all_of_them=False)
    assert page["A firmware"] - {"assumed[]"} <= seen


def test_a_dry_run(printed: Callable[..., set[str]]) -> None:
    said = documented()["A reading"]
    seen = printed("print the count each second", "--board", BOARD, "--dry-run")
    seen |= printed("blink LED at 2Hz", "--board", BOARD, "--dry-run")
    seen |= printed("toggle LED and print the count on each press", "--board", BOARD, "--dry-run")
    agrees(seen, said | documented()["An error"], all_of_them=False)
    assert said - {"assumed[]"} <= seen


def test_models(printed: Callable[..., set[str]], monkeypatch: pytest.MonkeyPatch) -> None:
    from fwgen.model.remote import reach

    found = reach.Reach(True, "1 model at http://x", ("m",))
    monkeypatch.setattr(reach, "reach", lambda provider: found)
    agrees(printed("models"), documented()["Models"])


def test_a_score(printed: Callable[..., set[str]], tmp_path: Path) -> None:
    score = ("score", "-t", "led-on", "-t", "analog-read", "-j", "1", "-o")
    seen = printed(*score, "s")
    old = (tmp_path / "s/results.jsonl").read_text().replace('"pass"', '"fail"')
    (tmp_path / "old.jsonl").write_text(old)
    seen |= printed(*score, "s", "--compare", "old.jsonl")
    agrees(seen | {"left_out[]"}, documented()["A score"] | {"left_out"})
    agrees(printed("score", "--list"), documented()["The tasks"] | {"tasks[].needs"})


def test_an_error(printed: Callable[..., set[str]]) -> None:
    said = documented()["An error"]
    seen = printed("blink LED and make coffee", "--board", BOARD)
    seen |= printed("explain", "x.hex", "--board", BOARD)
    agrees(seen, said)


def test_a_listing(printed: Callable[..., set[str]]) -> None:
    printed("blink LED at 2Hz", "--board", BOARD, "--out", "out")
    seen = printed("explain", "out/firmware.elf", "--board", BOARD)
    agrees(seen, documented()["A listing"])


def test_hazards(printed: Callable[..., set[str]]) -> None:
    agrees(printed("hazards"), documented()["Hazards"])
    agrees(printed("hazards", "clock-off"), documented()["Hazards"])


def test_boards(printed: Callable[..., set[str]], tmp_path: Path) -> None:
    page = documented()
    agrees(printed("boards"), page["Boards"])
    agrees(printed("boards", "show", BOARD), page["A board"])
    (tmp_path / "mine.toml").write_text('chip = "stm32f401re"\nnonsense = 1\n')
    agrees(printed("boards", "check", "mine.toml"), page["A check"])


def test_a_proof_of_firmware_that_does_everything_wrong(
    printed: Callable[..., set[str]], tmp_path: Path
) -> None:
    """Gaps, hazards, departures and faults: every key of a proof is printed by something."""
    accepting = '[[accept]]\nhazard = "output-fight"\nbecause = "it is a test"\n'
    (tmp_path / "c.toml").write_text(CONTRACT + accepting)
    seen: set[str] = set()
    for name in ("overflow", "no-swd", "unmodelled"):
        (tmp_path / f"{name}.hex").write_bytes(hex_of(name))
        seen |= printed("verify", f"{name}.hex", "--board", BOARD, "--contract", "c.toml")
    printed("blink LED at 2Hz", "--board", BOARD, "--out", "out")
    seen |= printed("verify", "out/firmware.elf", "-b", BOARD, "-c", "out/contract.toml")
    agrees(seen, documented()["A proof"])


def test_a_proof_on_a_rig(printed: Callable[..., set[str]], tmp_path: Path) -> None:
    (tmp_path / "lit.hex").write_bytes(hex_bytes(image_of("lit")))
    (tmp_path / "c.toml").write_text(QUIET_TOML)
    seen = printed(
        "verify", "lit.hex", "--board", BOARD, "--contract", "c.toml", "--rig", "virtual"
    )  # fmt: skip
    ours = {key for key in seen if key.startswith("rig.")}
    of_findings = {key for key in ours if key.startswith("rig.findings[].")}
    page = documented()
    assert {key.removeprefix("rig.") for key in of_findings} <= page["A proof"]
    said = page["On a rig"] - {"rig.findings[]", "rig.faults[]"}
    differing = {key for key in said if key.startswith("rig.differences[].")}
    agrees(ours - of_findings, said - differing)
