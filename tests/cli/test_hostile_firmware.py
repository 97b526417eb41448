"""Firmware that misbehaves is judged, not trusted: FAIL or UNSURE, with the reason in words."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from .conftest import BOARD, QUIET

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from .conftest import Ran

    Call = Callable[..., Ran]
    Write = Callable[[str], Path]

FAIL, UNSURE = 1, 3


@pytest.mark.parametrize(
    ("name", "code", "messages"),
    [
        ("overflow", FAIL, ("HardFault at", "the stack ran out of RAM", "push {r0, r1}")),
        ("option-bytes", FAIL, ("read-out protection is set to level 2", "[option-bytes]")),
        ("no-swd", FAIL, ("PA13 leaves the debugger", "[swd-remapped]", "PA13 moves at")),
        ("clock-off", FAIL, ("GPIOA touched while its clock is off", "RCC_AHB1ENR")),
        ("unmodelled", UNSURE, ("I2C1.CR1", "not modelled", "UNSURE")),
    ],
)
def test_what_silicon_would_punish_does_not_pass(
    fwgen: Call, image: Write, quiet: Path, name: str, code: int, messages: tuple[str, ...]
) -> None:
    ran = fwgen("verify", image(name), "--board", BOARD, "--contract", quiet)
    assert ran.code == code
    assert ran.err == ""
    for message in messages:
        assert message in ran.said


@pytest.mark.parametrize("name", ["spin", "compute"])
def test_an_endless_loop_without_effect_does_not_blink(
    fwgen: Call, image: Write, tmp_path: Path, name: str
) -> None:
    contract = tmp_path / "blinks.toml"
    text = QUIET.replace("quiet = true", 'blinks = "LD2"\nrate = "50 Hz"')
    contract.write_text(text.replace("50 ms", "100 ms"))
    ran = fwgen("verify", image(name), "--board", BOARD, "--contract", contract)
    assert ran.code == FAIL
    assert "LD2 floats from 0 s: nothing drives PA5" in ran.said
    assert "asked: LD2 blinks at 50 Hz" in ran.said


def test_the_same_in_json(fwgen: Call, image: Write, quiet: Path) -> None:
    ran = fwgen("verify", image("no-swd"), "--board", BOARD, "--contract", quiet, "--json")
    said = json.loads(ran.out)
    assert (ran.code, said["outcome"], said["exit_code"]) == (FAIL, "fail", FAIL)
    assert {h["code"] for h in said["hazards"]} == {"swd-remapped"}
    assert said["hazards"][0]["cure"]
    ran = fwgen("verify", image("overflow"), "--board", BOARD, "--contract", quiet, "--json")
    assert json.loads(ran.out)["faults"][0]["exception"] == "HardFault"
    ran = fwgen("verify", image("unmodelled"), "--board", BOARD, "--contract", quiet, "--json")
    said = json.loads(ran.out)
    assert (said["outcome"], said["gaps"][0]["peripheral"]) == ("unsure", "I2C1")


def test_evidence_is_written_on_demand(
    fwgen: Call, image: Write, quiet: Path, tmp_path: Path
) -> None:
    arguments = ("verify", image("spin"), "--board", BOARD, "--contract", quiet)
    ran = fwgen(*arguments, "--vcd", "deep/seen.vcd", "--trace", "seen.jsonl")
    assert ran.code == 0
    assert (tmp_path / "deep/seen.vcd").read_text().startswith("$comment fwgen")
    assert '"fwgen_trace"' in (tmp_path / "seen.jsonl").read_text()
    ran = fwgen(*arguments, "--vcd", quiet / "seen.vcd")
    assert ran.code == 2
    assert "cannot be written: File exists" in ran.said


def test_foreign_firmware_is_explained(fwgen: Call, image: Write) -> None:
    ran = fwgen("explain", image("no-swd"), "--board", BOARD)
    assert ran.code == 0
    assert "str r1, [r0]" in ran.said.replace("[r0, #0]", "[r0]")
    assert "GPIOA.MODER" in ran.said
    said = json.loads(fwgen("explain", image("no-swd"), "--board", BOARD, "--json").out)
    assert said["image"]["flash_bytes"] == 40
    assert any(line["address"] == 0x08000008 for line in said["listing"])


def test_what_locks_the_board_is_flashed_only_by_force(
    fwgen: Call, image: Write, quiet: Path, tmp_path: Path
) -> None:
    contract = tmp_path / "accepting.toml"
    contract.write_text(
        'span = "100 ms"\n[[expect]]\nasleep = "0 %"\n'
        '[[accept]]\nhazard = "swd-remapped"\nbecause = "it has a boot loader"\n'
    )
    verify = ("verify", image("no-swd"), "--board", BOARD, "--contract", contract)
    ran = fwgen(*verify)
    assert ran.code == 0
    assert "is accepted: it has a boot loader" in ran.said
    assert "accepted: PA13 leaves the debugger" in ran.said
    said = json.loads(fwgen(*verify, "--json").out)
    assert said["accepted"] == [
        {"what": "hazard", "name": "swd-remapped", "because": "it has a boot loader", "times": 2}
    ]
    assert {h["accepted"] for h in said["hazards"]} == {"it has a boot loader"}
    assert all(h["locks"] for h in said["hazards"])
    ran = fwgen(*verify, "--rig", "virtual")
    assert ran.code == 2
    assert "not flashed: PA13 leaves the debugger" in ran.said
    assert "--force" in ran.said
    assert "not flashed" not in fwgen(*verify, "--rig", "virtual", "--force").said
