"""What each client of a farm does: a firmware of its own onto a board, and what it must do."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import fwgen

from .farm import fwgens

if TYPE_CHECKING:
    from pathlib import Path

    from .farm import Farm

BOARD = "nucleo-f401"
PROMPT = 'blink LED at {rate} Hz and print "board {number}" and a count over serial every 500 ms'
CONTRACT = """\
title = "blinks, and says who it is"
board = "nucleo-f401"
span = "3 s"

[[expect]]
blinks = "LD2"
rate = "{rate} Hz"
duty = "50 %"
tolerance = "2 %"

[[expect]]
says = "board {number} {{count}}"
numbers.count = {{ first = 0, step = 1 }}
every = "500 ms"
tolerance = "2 %"

[[expect]]
quiet = true
but = ["LD2", "console"]
"""
CLAIMS = 3


@dataclass(frozen=True)
class Checked:
    """What came of one client: fwgen's exit code, the verdict of each claim, who looked."""

    code: int
    claims: tuple[str, ...]
    means: str
    programmed: bool
    said: str

    @property
    def passed(self) -> bool:
        """Whether all is as asked: flashed, LED, serial, and no other pin moves."""
        return self.code == 0 and self.programmed and self.claims == ("pass",) * CLAIMS


def verify(farm: Farm, folder: Path, rigs: list[str]) -> list[Checked]:
    """One fwgen for each rig, all at once: each flashes a firmware and checks it."""
    lines = []
    for number, rig in enumerate(rigs):
        what = {"number": number, "rate": 2 + number % 4}
        image, contract = folder / f"{number}.hex", folder / f"{number}.toml"
        fwgen.write_hex(fwgen.generate(PROMPT.format(**what), BOARD).proof.image, image)
        contract.write_text(CONTRACT.format(**what))
        lines.append(("verify", image, "-c", contract, "-b", BOARD, "--rig", rig, "--json"))
    return [checked(ran) for ran in fwgens(farm, *lines, folder=folder / "data")]


def checked(ran: dict[str, Any]) -> Checked:
    """Reads fwgen's report."""
    report = json.loads(ran["out"])
    rig = report.get("rig", {})
    claims = (f for f in rig.get("findings", ()) if f["about"] == "expectation")
    return Checked(
        ran["code"],
        tuple(f["outcome"] for f in claims),
        rig.get("means", ""),
        bool(rig.get("programmed", report.get("programmed", True))),
        json.dumps(report),
    )
