"""Results: read from JUnit XML, counted, put together, shown as a page."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from html.parser import HTMLParser
from pathlib import Path

import pytest

from fwgen.errors import InputError
from fwgen.hil.page import to_html
from fwgen.hil.results import load_results


def case(name: str, inside: str = "", *, rig: str = "desk", verdict: str = "") -> str:
    facts = f'<property name="fwgen.rig" value="{rig}"/>' if rig else ""
    if verdict:
        facts += f'<property name="fwgen.verdict.1" value="{verdict}"/>'
        facts += '<property name="fwgen.verdict.1.frequency" value="2 Hz"/>'
    return (
        f'<testcase classname="hil.test_x" name="{name}" time="1.5">'
        f"<properties>{facts}</properties>{inside}</testcase>"
    )


def write(path: Path, *cases: str) -> Path:
    path.write_text(
        f'<testsuites><testsuite name="pytest">{"".join(cases)}</testsuite></testsuites>'
    )
    return path


FAILS = '<failure message="AssertionError: assert &lt;FAIL ...">def test(): E</failure>'
ERRS = '<error message="failed on setup with &quot;x.py:1: error: no probe&quot;">x</error>'
MISTAKE = '<failure message="x.py:1: error: no LD3">x.py:1: error: no LD3</failure>'
SKIPS = '<skipped type="pytest.skip" message="nothing is wired to B1">x</skipped>'


@pytest.mark.parametrize(
    ("inside", "verdict", "outcome", "code"),
    [
        ("", "PASS on the rig desk: fine", "pass", 0),
        (FAILS, "FAIL on the rig desk: too slow", "fail", 1),
        (FAILS, "UNSURE on the rig desk: looked at too seldom", "unsure", 3),
        (FAILS, "", "fail", 1),
        (ERRS, "", "error", 2),
        (MISTAKE, "", "error", 2),
        (SKIPS, "", "skip", 2),
    ],
)
def test_each_kind_of_end_has_its_outcome_and_its_exit_code(
    tmp_path: Path, inside: str, verdict: str, outcome: str, code: int
) -> None:
    file = write(tmp_path / "a.xml", case("test_a[desk]", inside, verdict=verdict))
    results, _ = load_results([file])
    assert [one.outcome for one in results.ran] == [outcome]
    assert results.exit_code == code
    if outcome in ("fail", "unsure") and verdict:
        assert results.ran[0].said == verdict


def test_the_worst_counts_and_skips_do_not(tmp_path: Path) -> None:
    cases = [case("test_a[desk]"), case("test_b[desk]", SKIPS)]
    assert load_results([write(tmp_path / "a.xml", *cases)])[0].exit_code == 0
    cases.append(case("test_c[desk]", FAILS, verdict="UNSURE: x"))
    assert load_results([write(tmp_path / "b.xml", *cases)])[0].exit_code == 3
    cases.append(case("test_d[desk]", FAILS, verdict="FAIL: x"))
    assert load_results([write(tmp_path / "c.xml", *cases)])[0].exit_code == 1


def test_runs_are_put_together_by_test_and_rig(tmp_path: Path) -> None:
    one = write(tmp_path / "1.xml", case("test_a[desk]"), case("test_b[x-desk-1of2]"))
    two = write(tmp_path / "2.xml", case("test_a[shelf]", rig="shelf"), case("test_plain", rig=""))
    results, merged = load_results([one, two])
    assert results.rigs == ("desk", "shelf", "no rig")
    assert results.tests == ("test_x.test_a", "test_x.test_b[x-1of2]", "test_x.test_plain")
    assert [r.outcome for r in results.cell("test_x.test_a", "shelf")] == ["pass"]
    root = ET.fromstring(merged)
    assert [c.get("name") for c in root.iter("testcase")] == [r.name[7:] for r in results.ran]


@pytest.mark.parametrize("text", ["", "not xml", "<html/>"])
def test_what_is_no_junit_is_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "a.xml"
    file.write_text(text)
    with pytest.raises(InputError, match="no JUnit XML"):
        load_results([file])
    with pytest.raises(InputError, match="no results here"):
        load_results([tmp_path / "none.xml"])


class Links(HTMLParser):
    """Collects what a page needs from elsewhere, and its tags that were left open."""

    def __init__(self) -> None:
        super().__init__()
        self.needed: list[str] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.needed += [str(value) for key, value in attrs if key in ("src", "href")]
        self.needed += [tag] if tag in ("script", "link", "img", "iframe") else []
        if tag not in ("meta", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_page_needs_nothing_else_and_escapes_what_tests_said(tmp_path: Path) -> None:
    said = "FAIL on the rig desk: &lt;b&gt; is off"
    file = write(tmp_path / "a.xml", case("test_a[desk]", FAILS, verdict=said))
    page = to_html(load_results([file])[0])
    links = Links()
    links.feed(page)
    assert links.needed == []
    assert links.open == []
    assert "url(" not in page
    assert "&lt;b&gt; is off" in page
    assert "<b> is off" not in page
    assert "2 Hz" in page
