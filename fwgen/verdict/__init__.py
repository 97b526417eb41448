"""The judge: one pure function that holds a trace against a contract."""

from __future__ import annotations

from fwgen.verdict.judge import judge
from fwgen.verdict.types import Departure, Figure, Finding, Outcome, Verdict

__all__ = ["Departure", "Figure", "Finding", "Outcome", "Verdict", "judge"]
