"""The Python API: what docs/api.md says runs, and is typed."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import fwgen

ROOT = Path(__file__).parents[2]
API = ROOT / "docs" / "api.md"

CONSUMER = """\
from __future__ import annotations

import fwgen


def sizes(prompt: str) -> dict[str, int]:
    result: fwgen.Result = fwgen.generate(prompt, "nucleo-f401")
    proof: fwgen.Proof = fwgen.verify(result.proof.image, "nucleo-f401", result.proof.contract)
    outcome: fwgen.Outcome = proof.verdict.outcome
    return {finding.text: len(finding.figures) for finding in proof.verdict.all if outcome}


def hint(board: str) -> str | None:
    try:
        fwgen.load_board(board)
    except fwgen.FwgenError as error:
        return error.hint
    return None


reveal_type(fwgen.generate)
"""


def blocks(page: Path) -> list[str]:
    return re.findall(r"^```python\n(.*?)^```", page.read_text(encoding="utf-8"), re.M | re.S)


def test_every_python_block_of_the_page_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    found = blocks(API)
    assert len(found) >= 8
    for number, block in enumerate(found, 1):
        exec(compile(block, f"{API.name}, block {number}", "exec"), names)
    said = capsys.readouterr().out
    assert "('LD2 blinks at 2 Hz: 250 ms on, 250 ms off',)" in said
    assert "500000000000 ps between two flashes" in said
    assert "('coffee',)" in said or "coffee" in said
    assert "did you mean nucleo-f4" in said


def test_the_page_names_all_that_is_exported() -> None:
    said = set(re.findall(r"\w+", API.read_text(encoding="utf-8").split("## Errors")[1]))
    assert set(fwgen.__all__) <= said


def test_every_exported_name_is_there() -> None:
    for name in fwgen.__all__:
        assert getattr(fwgen, name).__name__ == name
        assert name in dir(fwgen)
    with pytest.raises(AttributeError, match="no attribute 'generat'"):
        fwgen.generat  # noqa: B018


def test_importing_the_package_loads_nothing_else() -> None:
    code = (
        "import sys; before = set(sys.modules); import fwgen; "
        "print([m for m in set(sys.modules) - before if m.startswith('fwgen')])"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=30
    )
    assert ran.stdout.strip() == "['fwgen']"


def test_a_consumer_is_typed(tmp_path: Path) -> None:
    pytest.importorskip("mypy")
    consumer = tmp_path / "consumer.py"
    consumer.write_text(CONSUMER)
    ran = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--cache-dir", tmp_path / "cache",
         "--follow-imports", "silent", consumer],
        capture_output=True, text=True, check=False, timeout=300, cwd=tmp_path,
        env={**os.environ, "MYPYPATH": str(ROOT)},  # an editable install is invisible to mypy
    )  # fmt: skip
    assert ran.returncode == 0, ran.stdout
    assert "-> fwgen.pipeline.Result" in ran.stdout
    assert "Any" not in ran.stdout.split("Revealed type")[1]


def test_a_firmware_that_fails_is_a_result_not_an_error(tmp_path: Path) -> None:
    other = fwgen.read("blink LED at 3Hz", "nucleo-f401").contract
    result = fwgen.generate("blink LED at 2Hz", "nucleo-f401", contract=other)
    assert not result.passed
    assert result.proof.verdict.outcome is fwgen.Outcome.FAIL
    assert result.attempts == 1
    saved = fwgen.save_result(result, tmp_path / "failed")
    assert json.loads((saved / "report.json").read_text())["outcome"] == "fail"


def test_a_watcher_hears_each_stage() -> None:
    stages: list[str] = []
    fwgen.generate(
        "blink LED at 2Hz", "nucleo-f401", observe=lambda s: stages.append(type(s).__name__)
    )
    assert stages == ["Reading", "Emission", "Image", "Proof"]


def test_a_run_in_steps_is_the_run_in_one() -> None:
    """The pipeline advances the machine in steps, to hear a Ctrl-C: that must not show."""
    from fwgen.machine.machine import Machine

    result = fwgen.generate("toggle LED on each press of the button", "nucleo-f401")
    proof = result.proof
    stimuli, span_ps = proof.contract.stimuli, proof.contract.span_ps
    assert Machine(proof.board).run(proof.image, stimuli, span_ps) == proof.trace
