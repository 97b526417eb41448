"""What is known of a hazard before any firmware is run."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    """How sure it is that silicon departs, and so what a hazard does to a verdict.

    ERROR: silicon does not do what the firmware asks of it, or is run outside its limits.
    WARNING: it may not, by chance, temperature, or what is wired to it. Both fail a contract that
    does not accept them by name. NOTE: worth knowing; no verdict changes.
    """

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of hazard: what is the same wherever it occurs.

    ``code`` is its stable name, ``title`` a phrase, ``section`` where the manual says so,
    ``meaning`` what silicon does then, ``cure`` what to do (an occurrence may know better).
    ``locks``: it may keep a debugger out of the board for good, so nothing that shows it is
    flashed unless somebody insists.
    """

    code: str
    severity: Severity
    title: str
    section: str
    meaning: str
    cure: str
    locks: bool = False

    @property
    def fails(self) -> bool:
        """Whether it fails a contract that does not accept it."""
        return self.severity is not Severity.NOTE


ERROR, WARNING, NOTE = Severity
