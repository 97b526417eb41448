"""What a judgement is: an outcome for the whole, a finding for each expectation."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fwgen.contract.types import Contract, Expectation


class Outcome(Enum):
    """PASS: seen as asked. FAIL: it departs. UNSURE: the evidence does not decide."""

    PASS = "pass"
    FAIL = "fail"
    UNSURE = "unsure"

    @property
    def exit_code(self) -> int:
        """What a command that judged so exits with (2 is an error of ours or of the input)."""
        return {Outcome.PASS: 0, Outcome.FAIL: 1, Outcome.UNSURE: 3}[self]


@dataclass(frozen=True, slots=True)
class Figure:
    """Something measured. ``unit`` is "ps", "mHz", "ppm", "mBd" or "" for a count."""

    name: str
    value: int
    unit: str
    text: str


@dataclass(frozen=True, slots=True)
class Departure:
    """The first moment at which what was seen is no longer what was asked."""

    t_ps: int
    text: str


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing judged.

    ``about`` is "expectation", or the name of what every contract implies: "faults", "hazards",
    "resets", "gaps", "stimuli", "span". ``claim`` says what was asked, ``text`` what was seen.
    """

    about: str
    claim: str
    outcome: Outcome
    text: str
    expectation: Expectation | None = None
    figures: tuple[Figure, ...] = ()
    departure: Departure | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """The judgement of a trace by a contract: a finding per expectation, then those implied."""

    contract: Contract
    findings: tuple[Finding, ...]
    implied: tuple[Finding, ...]

    @property
    def all(self) -> tuple[Finding, ...]:
        """Every finding."""
        return (*self.findings, *self.implied)

    @property
    def outcome(self) -> Outcome:
        """FAIL if anything fails, else UNSURE if anything is unsure, else PASS."""
        outcomes = {finding.outcome for finding in self.all}
        for worst in (Outcome.FAIL, Outcome.UNSURE):
            if worst in outcomes:
                return worst
        return Outcome.PASS

    @property
    def passed(self) -> bool:
        """Whether everything was seen as asked."""
        return self.outcome is Outcome.PASS

    @property
    def exit_code(self) -> int:
        """0 pass, 1 fail, 3 unsure."""
        return self.outcome.exit_code

    @property
    def first_departure(self) -> Departure | None:
        """The earliest departure of any finding that fails, or None."""
        found = [f.departure for f in self.all if f.outcome is Outcome.FAIL and f.departure]
        return min(found, key=lambda departure: departure.t_ps, default=None)
