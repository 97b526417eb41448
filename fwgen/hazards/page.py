"""The page docs/hazards.md, from the register."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fwgen.hazards import GROUPS
from fwgen.hazards.types import Severity

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from fwgen.hazards.types import Kind

SEVERITIES: Mapping[Severity, str] = {
    Severity.ERROR: "silicon does not do what the firmware asks, or is run outside its limits; it "
    "fails a contract that does not accept it",
    Severity.WARNING: "silicon may not do it, by chance, temperature or what is wired to it; it "
    "fails a contract that does not accept it",
    Severity.NOTE: "worth knowing; it changes no verdict",
}
LOCKS = "nothing that shows it is flashed without --force, also where a contract accepts it"

HEAD = """\
# Hazards

<!-- Written by `python -m fwgen.hazards` from fwgen/hazards/. Do not edit by hand. -->

What silicon punishes though the CPU of an emulator goes on. Each is told once for each place,
with the time, the manual's section and a cure; `fwgen hazards CODE` explains one in the terminal.
Each has a tiny firmware that commits it, beside a neighbour that does not
(`tests/machine/test_hazards.py`).

## What a severity does to a verdict
"""
ACCEPT = """\
A contract accepts a hazard by its code, with a reason ([contracts.md](contracts.md)); it is then
shown as accepted, and one that was accepted and did not occur is told, too. Notes need no
acceptance. What is marked *locks the board* may keep every debugger out: {locks}; agents never
flash it.

What the CPU itself notices is no hazard but a *fault*, which no contract can accept: a stack that
runs out of RAM, accesses to nowhere, undefined instructions, unaligned multiple accesses, floating
point while the FPU is off. Reads of RAM that nobody wrote are found by running twice, with other
contents (`by-luck`).
"""


def page() -> str:
    """The whole page."""
    return "\n".join(_lines()) + "\n"


def _lines() -> Iterator[str]:
    yield HEAD
    for severity, said in SEVERITIES.items():
        yield f"- **{severity}**: {said}."
    yield ""
    yield ACCEPT.format(locks=LOCKS).rstrip()
    for title, kinds in GROUPS.items():
        yield f"\n## {title}\n"
        for number, kind in enumerate(kinds):
            yield from ["", *_kind(kind)] if number else _kind(kind)


def _kind(kind: Kind) -> Iterator[str]:
    yield f"### `{kind.code}`"
    yield ""
    mark = "; **locks the board**" if kind.locks else ""
    yield f"*{kind.severity}*{mark}: {kind.title}. {kind.section}."
    yield ""
    yield kind.meaning
    yield ""
    yield f"Cure: {kind.cure}."
