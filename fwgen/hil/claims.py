"""What a test asked of a board, and the answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fwgen.verdict import Outcome

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from fwgen.pipeline import Confirmed
    from fwgen.trace import Trace
    from fwgen.verdict import Figure
    from fwgen.verdict.both import Joint


class UndecidedError(AssertionError):
    """Neither yes nor no: the evidence does not decide, or the firmware went wrong otherwise."""


class Seen:
    """The answer to a claim: what the machine and the board showed of it.

    It is true when all was seen as asked, and false when what was asked for departs. It is
    neither when the evidence does not decide, or when the firmware went wrong in another way
    (a fault, a hazard, a reset): then ``if`` and ``assert`` raise UndecidedError, also behind a
    ``not``: nobody passes by luck.
    """

    __slots__ = ("confirmed", "rig")

    def __init__(self, confirmed: Confirmed, rig: str) -> None:
        self.confirmed, self.rig = confirmed, rig

    @property
    def outcome(self) -> Outcome:
        """What machine and board say together."""
        return self.confirmed.outcome

    @property
    def claims(self) -> tuple[Joint, ...]:
        """Each claim, with what either saw of it."""
        return self.confirmed.claims

    @property
    def trace(self) -> Trace:
        """What was seen on the rig."""
        return self.confirmed.rig.trace

    @property
    def figures(self) -> Mapping[str, Figure]:
        """What was measured on the rig, by its name."""
        verdict = self.confirmed.rig.verdict
        return {figure.name: figure for finding in verdict.all for figure in finding.figures}

    def __bool__(self) -> bool:
        __tracebackhide__ = True
        outcome = self.outcome
        if outcome is Outcome.PASS:
            return True
        asked = {claim.outcome for claim in self.claims if _is_asked(claim)}
        besides = {claim.outcome for claim in self.claims if not _is_asked(claim)}
        if outcome is Outcome.FAIL and Outcome.FAIL in asked and Outcome.FAIL not in besides:
            return False
        raise UndecidedError(str(self))

    def __repr__(self) -> str:
        return f"<{' '.join(str(self).split())}>"

    def __str__(self) -> str:
        sentences = "; ".join(self.sentences())
        return f"{self.outcome.name} on the rig {self.rig}: {sentences}"

    def sentences(self) -> Iterator[str]:
        """What was seen of each claim that does not hold; of those asked for, when all hold."""
        outcome = self.outcome
        for claim in self.claims:
            if claim.outcome is outcome and (outcome is not Outcome.PASS or _is_asked(claim)):
                yield sentence(claim)


def _is_asked(claim: Joint) -> bool:
    found = claim.machine or claim.rig
    return found is not None and found.about == "expectation"


def sentence(claim: Joint) -> str:
    """What was seen of a claim; where machine and board disagree, what each saw."""
    machine, rig = claim.machine, claim.rig
    if rig is None or (machine is not None and rig.about == "hazards"):
        return f"in the machine: {machine.text}" if machine is not None else ""
    if machine is None or machine.outcome is rig.outcome or claim.outcome is Outcome.PASS:
        return rig.text
    if machine.outcome is Outcome.FAIL:
        return f"in the machine: {machine.text}; on the board: {rig.text}"
    if rig.outcome is Outcome.FAIL:
        return f"{rig.text}; the machine saw otherwise: {machine.text}"
    return rig.text
