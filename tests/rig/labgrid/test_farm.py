"""Virtual boards behind labgrid's coordinator and exporter, flashed and checked by many at once.

bench/farm.py does the same with eight.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

import fwgen
from tests.effort import LONG

from .farm import fwgens, held
from .jobs import BOARD, verify

if TYPE_CHECKING:
    from pathlib import Path

    from .farm import Farm


def test_many_boards_are_flashed_and_checked_at_once(farm: Farm, tmp_path: Path) -> None:
    rigs = [f"labgrid:{place}" for place in farm.boards]
    with held(farm) as most:
        ran = verify(farm, tmp_path, rigs)
    assert len(ran) == 4
    for one in ran:
        assert one.passed, one.said
    assert len({one.means for one in ran}) == 4
    assert most() > 1
    assert farm.client("who").stdout.count("desk") == 0


@pytest.mark.skipif(not LONG, reason="takes half a minute: FWGEN_LONG=1, .ci/nightly")
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
