"""Virtual boards behind labgrid's coordinator and exporter, flashed and checked by many at once."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import fwgen

from .farm import fwgens

if TYPE_CHECKING:
    from pathlib import Path

    from .farm import Farm

BOARD = "nucleo-f401"
CONTRACT = """\
title = "says who it is"
board = "nucleo-f401"
span = "4 s"

[[expect]]
says = "board {number} {{count}}"
numbers.count = {{ first = 0, step = 1 }}
"""


def test_eight_boards_are_flashed_and_checked_at_once(farm: Farm, tmp_path: Path) -> None:
    lines = []
    for number in range(len(farm.boards)):
        said = f'print "board {number}" and a count over serial every 1 s'
        image, contract = tmp_path / f"{number}.hex", tmp_path / f"{number}.toml"
        fwgen.write_hex(fwgen.generate(said, BOARD).proof.image, image)
        contract.write_text(CONTRACT.format(number=number))
        rig = f"labgrid:board={BOARD}"  # not queued for: each must find a board that is free
        lines.append(("verify", image, "-c", contract, "-b", BOARD, "--rig", rig, "--json"))
    assert len(lines) == 8
    probes = set()
    for number, ran in enumerate(fwgens(farm, *lines, folder=tmp_path / "data")):
        report = json.loads(ran["out"])
        (says,) = (f for f in report["rig"]["findings"] if f["about"] == "expectation")
        assert (ran["code"], report["outcome"]) == (0, "pass"), report
        assert f"board {number} 0" in says["text"]
        probes.add(report["rig"]["means"])
    assert len(probes) == 8
    assert farm.client("who").stdout.count("desk") == 0


def test_more_clients_than_boards_wait_their_turn(farm: Farm, tmp_path: Path) -> None:
    image = tmp_path / "spin.hex"
    fwgen.write_hex(fwgen.generate("blink LED at 2 Hz", BOARD).proof.image, image)
    rig = "labgrid:name=p1,wait=2min"
    line = ("flash", image, "-b", BOARD, "--rig", rig, "--json")
    ran = fwgens(farm, line, line, line, folder=tmp_path / "data")
    reports = [json.loads(one["out"]) for one in ran]
    assert [one["code"] for one in ran] == [0, 0, 0], ran
    assert sum(bool(report["programmed"]) for report in reports) == 1  # the others find it there
    assert any("waiting for name=p1: p1 is with desk/me" in one["err"] for one in ran)
