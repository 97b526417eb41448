"""Two benches, one firmware: what each says of every claim, and what both together are worth.

The machine sees everything, of a model. A rig sees the real thing, now and then. So the two do not
vote: a departure on either is one; what a rig can see must be seen there too; what no rig can see
(hazards) rests on the machine, and what the machine does not model rests on the rig.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from fwgen.verdict.types import Outcome

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fwgen.verdict.types import Finding, Verdict

UNSEEN_BY_RIGS = ("hazards",)
"""What no board tells of itself."""


@dataclass(frozen=True, slots=True)
class Joint:
    """One claim on both benches. ``machine`` or ``rig`` is None where it was not judged there."""

    machine: Finding | None
    rig: Finding | None
    outcome: Outcome

    @property
    def claim(self) -> str:
        """What was asked."""
        found = self.machine or self.rig
        assert found is not None
        return found.claim


def joint(machine: Verdict, rig: Verdict) -> tuple[Joint, ...]:
    """Each claim with both findings and what they come to, in the contract's order."""
    made = [
        Joint(one, two, _both(one, two))
        for one, two in zip(machine.findings, rig.findings, strict=True)
    ]
    ours = {f.about: f for f in machine.implied}
    theirs = {f.about: f for f in rig.implied}
    for about in dict.fromkeys((*ours, *theirs)):
        one, two = ours.get(about), theirs.get(about)
        made.append(Joint(one, two, _both(one, two)))
    return tuple(made)


def _both(machine: Finding | None, rig: Finding | None) -> Outcome:
    outcomes = [f.outcome for f in (machine, rig) if f is not None]
    if Outcome.FAIL in outcomes:
        return Outcome.FAIL
    if rig is None or rig.about in UNSEEN_BY_RIGS:
        return outcomes[0]
    # What the machine is unsure of, it does not model: the rig is what can tell.
    return rig.outcome


def outcome_of(claims: Sequence[Joint]) -> Outcome:
    """FAIL if any claim fails, else UNSURE if any is unsure, else PASS."""
    outcomes = {claim.outcome for claim in claims}
    for worst in (Outcome.FAIL, Outcome.UNSURE):
        if worst in outcomes:
            return worst
    return Outcome.PASS
