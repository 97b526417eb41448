"""One firmware at an end of the manuals' cycle counts, beside the same at the typical ones."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from fwgen.thumb.cycles import MANUAL
from fwgen.verdict.types import Outcome, Verdict

if TYPE_CHECKING:
    from fwgen.thumb.cycles import Pace
    from fwgen.verdict.types import Finding

_WORDS: dict[Pace, str] = {"least": "the fewest", "typical": "the typical", "most": "the most"}


def between(typical: Verdict, end: Verdict, pace: Pace, core: str) -> Verdict:
    """What holds typically and not at an end is UNSURE: silicon may lie anywhere between.

    Both verdicts are of one contract; ``core`` is the chip's. The evidence is the end's.
    """
    said = (
        f"holds with the typical cycle counts, not with {_WORDS[pace]} that the manual allows "
        f"({MANUAL[core]})"
    )
    findings = tuple(
        _between(one, two, said) for one, two in zip(typical.findings, end.findings, strict=True)
    )
    usual = {finding.about: finding for finding in typical.implied}
    implied = tuple(_between(usual.get(two.about), two, said) for two in end.implied)
    return Verdict(end.contract, findings, implied)


def _between(typical: Finding | None, end: Finding, said: str) -> Finding:
    if end.outcome is Outcome.PASS or (typical and typical.outcome is not Outcome.PASS):
        return end
    usual = f"; typically: {typical.text}" if typical is not None else ""
    return replace(end, outcome=Outcome.UNSURE, text=f"{said}: {end.text}{usual}")
