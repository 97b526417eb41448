"""What came of tests on rigs, over any number of runs: read from JUnit XML, put together again."""

from __future__ import annotations

import copy
import xml.etree.ElementTree as ET
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from fwgen.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

Outcome = Literal["pass", "fail", "error", "unsure", "skip"]
OUTCOMES: tuple[Outcome, ...] = ("pass", "fail", "error", "unsure", "skip")
_CODES = {"fail": 1, "error": 2, "unsure": 3}
"""What a command exits with; the first of these that there is."""
PREFIX = "fwgen."
NO_RIG = "no rig"
CASES = "test_case"  # the one test in fwgen.hil.suite


@dataclass(frozen=True, slots=True)
class Ran:
    """One test on one rig. ``said`` is why it did not pass; ``facts`` are its properties."""

    name: str
    outcome: Outcome
    seconds: float
    said: str = ""
    details: str = ""
    facts: Mapping[str, str] | None = None

    @property
    def rig(self) -> str:
        """The rig that it ran on."""
        return (self.facts or {}).get("rig", NO_RIG)

    @property
    def test(self) -> str:
        """Its name without the rig."""
        base, bracket, inside = self.name.partition("[")
        if not bracket or self.rig == NO_RIG:
            return self.name
        left = "-".join(part for part in _without(inside.rstrip("]"), self.rig) if part)
        if "case" in (self.facts or {}) and base.rpartition(".")[2] == CASES:
            return left
        return f"{base}[{left}]" if left else base


def _without(text: str, rig: str) -> tuple[str, str]:
    """What stands before and behind the rig's name in the parameters of a test."""
    before, found, behind = f"-{text}-".partition(f"-{rig}-")
    return (before.strip("-"), behind.strip("-")) if found else (text, "")


@dataclass(frozen=True, slots=True)
class Results:
    """All tests of some runs."""

    ran: tuple[Ran, ...]

    @property
    def rigs(self) -> tuple[str, ...]:
        """The rigs, in the order of their first test."""
        return tuple(dict.fromkeys(one.rig for one in self.ran))

    @property
    def counts(self) -> Mapping[Outcome, int]:
        """How many tests came out how."""
        found = Counter(one.outcome for one in self.ran)
        return {outcome: found[outcome] for outcome in OUTCOMES if found[outcome]}

    @property
    def outcome(self) -> str:
        """The worst: fail, error, unsure, pass; "skip" when nothing was run at all."""
        found = self.counts
        worst = next((name for name in _CODES if name in found), None)
        return worst or ("pass" if "pass" in found else "skip")

    @property
    def exit_code(self) -> int:
        """0 pass, 1 fail, 2 error or nothing run, 3 unsure."""
        return {"pass": 0, "skip": 2}.get(self.outcome, _CODES.get(self.outcome, 2))

    def cell(self, test: str, rig: str) -> tuple[Ran, ...]:
        """The runs of a test on a rig: several, where it was repeated."""
        return tuple(one for one in self.ran if one.test == test and one.rig == rig)

    @property
    def tests(self) -> tuple[str, ...]:
        """The tests without their rigs, in order."""
        return tuple(dict.fromkeys(one.test for one in self.ran))


def load_results(paths: Iterable[Path]) -> tuple[Results, bytes]:
    """The results in some JUnit files, and one JUnit file that holds them all.

    Raises InputError for what is no JUnit XML.
    """
    suites = ET.Element("testsuites", name="fwgen hil")
    ran: list[Ran] = []
    for path in paths:
        for suite in _suites(path):
            suites.append(copy.deepcopy(suite))
            ran += [_ran(case) for case in suite.iter("testcase")]
    ET.indent(suites)
    return Results(tuple(ran)), ET.tostring(suites, encoding="utf-8", xml_declaration=True) + b"\n"


def _suites(path: Path) -> Sequence[ET.Element]:
    try:
        root = ET.fromstring(path.read_bytes())
    except FileNotFoundError:
        raise InputError(
            "there are no results here", where=str(path), hint="fwgen hil run leaves some"
        ) from None
    except OSError as error:
        raise InputError(error.strerror or str(error), where=str(path)) from None
    except ET.ParseError as error:
        raise InputError(f"this is no JUnit XML: {error}", where=str(path)) from None
    found = [root] if root.tag == "testsuite" else root.findall("testsuite")
    if not found:
        raise InputError(f"this is no JUnit XML: <{root.tag}>", where=str(path))
    return found


def _ran(case: ET.Element) -> Ran:
    facts = {
        name.removeprefix(PREFIX): one.get("value", "")
        for one in case.iter("property")
        if (name := one.get("name", "")).startswith(PREFIX)
    }
    outcome, said, details = _came(case, facts)
    module = case.get("classname", "").rpartition(".")[2]
    name = f"{module}.{case.get('name', '')}".lstrip(".")
    return Ran(name, outcome, float(case.get("time") or 0), said, details, facts)


def _came(case: ET.Element, facts: Mapping[str, str]) -> tuple[Outcome, str, str]:
    for tag in ("failure", "error", "skipped"):
        found = case.find(tag)
        if found is None:
            continue
        said, details = found.get("message", ""), found.text or ""
        if tag == "skipped":
            return "skip", said.removeprefix("Skipped: "), ""
        last = [text for name, text in facts.items() if _is_verdict(name)][-1:]
        if last and not last[0].startswith("PASS"):
            unsure = last[0].startswith("UNSURE")
            return "unsure" if unsure else "fail", last[0], details
        is_error = tag == "error" or details.lstrip().partition(": ")[2].startswith("error:")
        return "error" if is_error else "fail", said.partition("\n")[0], details
    return "pass", "", ""


def _is_verdict(name: str) -> bool:
    return name.startswith("verdict.") and name.removeprefix("verdict.").isdecimal()
