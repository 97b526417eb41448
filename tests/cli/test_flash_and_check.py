"""``--flash --rig``: after the machine's PASS, flashed, watched, judged by the same contract."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path

import pytest

from fwgen.board import load_board
from fwgen.cli.main import run
from fwgen.cli.rigs import opened
from fwgen.contract import load_contract
from fwgen.image.load import load_image
from fwgen.image.write import hex_bytes
from fwgen.pipeline import confirm, prove
from fwgen.rig.connection import Connection
from fwgen.trace import load_trace
from fwgen.verdict import Outcome
from fwgen.virtual.board import VirtualBoard
from tests.effort import some
from tests.rig.bench_firmware import image_of

EXAMPLES = Path(__file__).parents[2] / "examples"
BOARD = load_board("nucleo-f401")


@pytest.fixture(autouse=True)
def data_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("FWGEN_DATA", str(tmp_path / "data"))


@pytest.mark.parametrize("name", some(sorted(p.name for p in EXAMPLES.iterdir() if p.is_dir())))
def test_every_example_has_the_same_verdict_on_the_virtual_rig(name) -> None:
    image = load_image(EXAMPLES / name / "firmware.hex", BOARD)
    contract = load_contract(EXAMPLES / name / "contract.toml", BOARD)
    proof = prove(image, BOARD, contract)
    with opened(BOARD, "virtual", contract) as rig:
        confirmed = confirm(proof, rig)
    for claim in confirmed.claims:
        if claim.machine is not None and claim.rig is not None and claim.rig.about != "hazards":
            assert claim.rig.outcome is claim.machine.outcome, claim.rig.text
    assert confirmed.outcome is proof.verdict.outcome is Outcome.PASS
    assert not confirmed.differences


# ---------------------------------------------------------------------------- the command line

SHORT = """\
title = "short"
board = "nucleo-f401"
span = "200 ms"

[[expect]]
level = "LD2"
is = "{level}"
from = "10 ms"

[[expect]]
quiet = true
but = ["LD2"]
"""


@pytest.fixture
def firmware(tmp_path):
    """An LED that is lit, and a contract that asks for it."""
    (tmp_path / "lit.hex").write_bytes(hex_bytes(image_of("lit")))
    for level in ("on", "off"):
        (tmp_path / f"{level}.toml").write_text(SHORT.format(level=level))
    return tmp_path


def fwgen(capsys, *arguments):
    code = run([str(argument) for argument in arguments])
    told = capsys.readouterr()
    return code, told.out, told.err


def test_verify_on_a_rig_shows_both_verdicts_and_keeps_both_traces(firmware, capsys) -> None:
    code, out, _ = fwgen(
        capsys, "verify", firmware / "lit.hex", "-b", "nucleo-f401", "-c", firmware / "on.toml",
        "--rig", "virtual", "--trace", firmware / "seen.jsonl", "--vcd", firmware / "seen.vcd",
    )  # fmt: skip
    assert code == 0
    told = " ".join(out.split())
    # The flash is shown as "fwgen flash" shows it, before what was seen.
    assert "chip STM32F401RE, unique id" in told
    assert "kept all of the flash, as it was: fwgen restore" in told
    assert str(firmware / "data" / "backups") in told
    assert "bytes programmed, read back and compared in" in told
    assert told.index("read back and compared") < told.index("machine, rig")
    assert "machine, rig" in out
    assert "✔✔ LD2 is on from 10 ms to 200 ms (looked at every" in out
    assert "everything was seen as asked, in the machine and on the rig" in out
    machine = load_trace((firmware / "seen.jsonl").read_text())
    rig = load_trace((firmware / "seen.rig.jsonl").read_text())
    assert (machine.bench, rig.bench) == ("machine", "virtual rig")
    assert machine.watched is None
    assert rig.watched.pins["PA5"].every_ps > 0
    assert (firmware / "seen.rig.vcd").is_file()


def test_what_fails_in_the_machine_is_not_flashed(firmware, capsys) -> None:
    code, out, _ = fwgen(
        capsys, "verify", firmware / "lit.hex", "-b", "nucleo-f401", "-c", firmware / "off.toml",
        "--rig", "virtual",
    )  # fmt: skip
    assert code == 1
    assert "not flashed: it failed in the machine" in out
    assert "machine, rig" not in out


def test_a_prompt_goes_all_the_way_and_its_folder_tells_of_the_rig(
    tmp_path, capsys, monkeypatch
) -> None:
    monkeypatch.chdir(tmp_path)
    asked = ("turn on the LED", "--board", "nucleo-f401", "--out", "here", "--json")
    code, out, _ = fwgen(capsys, *asked, "--flash", "--rig", "virtual")
    data = json.loads(out)
    assert (code, data["outcome"], data["rig"]["outcome"]) == (0, "pass", "unsure")
    assert {c["outcome"] for c in data["rig"]["claims"]} == {"pass"}
    folder = tmp_path / "here"
    assert {"rig-trace.jsonl", "rig-trace.vcd"} <= set(data["files"])
    assert load_trace((folder / "rig-trace.jsonl").read_text()).bench == "virtual rig"
    assert json.loads((folder / "report.json").read_text())["rig"] == data["rig"]
    assert not (folder / "difference.txt").exists()
    code, out, _ = fwgen(capsys, *asked)
    assert "rig" not in json.loads(out)
    assert not (folder / "rig-trace.jsonl").exists()  # nothing is left of a rig not seen


@pytest.mark.parametrize(
    ("rig", "message"),
    [("desk", "there is no rig 'desk'"), ("rigs/desk.toml", "there is no such rig file")],
)
def test_a_rig_that_there_is_not_is_refused_before_any_work(
    tmp_path, capsys, monkeypatch, rig, message
) -> None:
    monkeypatch.chdir(tmp_path)
    code, out, told = fwgen(
        capsys, "turn on the LED", "-b", "nucleo-f401", "--flash", "--rig", rig
    )  # fmt: skip
    assert code == 2
    assert message in told
    assert "understood" not in out
    assert not (tmp_path / "fwgen-out").exists()


def test_without_a_probe_the_error_says_so_and_what_was_made_is_kept(
    tmp_path, capsys, monkeypatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("fwgen.rig.probes.find_probes", lambda: ())
    code, out, told = fwgen(capsys, "turn on the LED", "-b", "nucleo-f401", "--flash", "-o", "here")
    assert code == 2
    assert "no debug probe is plugged in" in told
    assert "everything was seen as asked, in the machine" in out
    assert (tmp_path / "here" / "firmware.bin").is_file()


def test_a_rig_file_may_name_a_virtual_board_that_is_plugged_in(
    firmware, capsys, monkeypatch
) -> None:
    monkeypatch.chdir(firmware)
    with VirtualBoard(BOARD) as virtual, virtual.plugged():
        (firmware / "rigs").mkdir()
        (firmware / "rigs" / "desk.toml").write_text(
            f'board = "nucleo-f401"\nprobe = "{virtual.uid}"\nport = "none"\n'
        )
        connected = partial(Connection, clock=virtual)  # its own time, not the wall's
        monkeypatch.setattr("fwgen.rig.connection.Connection", connected)
        code, out, told = fwgen(
            capsys, "verify", "lit.hex", "-b", "nucleo-f401", "-c", "on.toml", "--rig", "desk"
        )  # fmt: skip
    assert code == 0, told
    assert f"probe {virtual.uid}" in " ".join(out.split())
