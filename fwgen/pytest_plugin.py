"""The pytest plugin: fixtures ``board`` and ``fwgen``, and the rigs that tests run on.

    def test_blink(board, fwgen):
        board.flash(fwgen("blink LED at 2Hz"))
        assert board.pin("LD2").blinks("2 Hz")

    pytest --fwgen-rig virtual --fwgen-board nucleo-f401

pytest loads this file wherever fwgen is installed: it imports nothing but pytest, which is there.
A test runs once on every rig that is named; with none it is skipped, and says so. Nothing is ever
tried again: a test that fails now and then has found something.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator

    from fwgen.errors import FwgenError
    from fwgen.hil.board import RigBoard
    from fwgen.pipeline import Result
    from fwgen.rig.rigs import RigSpec

NEEDS = "fwgen_needs"
NO_RIG = "no rig was named: --fwgen-rig NAME, FILE or virtual"
SECTION = "board"
_SEEN = pytest.StashKey[list[str]]()
_ASKED = pytest.StashKey[list[Any]]()
_SPECS = pytest.StashKey[tuple[Any, ...]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Declare the options and settings."""
    group = parser.getgroup("fwgen", "firmware on boards")
    group.addoption(
        "--fwgen-rig", action="append", default=[], metavar="RIG",
        help="run on this rig: a rig file's name or path, or virtual; repeat it for several "
        "[env: FWGEN_RIG, several with commas]",
    )  # fmt: skip
    group.addoption(
        "--fwgen-board", default="", metavar="B",
        help="the board that a virtual rig is [env: FWGEN_BOARD]",
    )  # fmt: skip
    group.addoption(
        "--fwgen-wait", default="60 s", metavar="TIME",
        help="how long to wait for a board that somebody else uses (default: 60 s)",
    )  # fmt: skip
    group.addoption(
        "--fwgen-repeat", type=int, default=1, metavar="N",
        help="run each test so often on each rig; it must pass every time",
    )  # fmt: skip
    group.addoption(
        "--fwgen-cases", action="append", default=[], metavar="DIR",
        help="folder of cases for the tests that ask for fwgen_case",
    )  # fmt: skip
    group.addoption(
        "--fwgen-evidence", default="", metavar="DIR",
        help="of a test that fails, keep below DIR what machine and board showed",
    )  # fmt: skip
    parser.addini("fwgen_rig", "rigs to run on where none is named", type="args", default=[])
    parser.addini("fwgen_board", "the board that a virtual rig is", default="")


def pytest_configure(config: pytest.Config) -> None:
    """Declare the marker; read the rig files, if any is named."""
    config.addinivalue_line(
        "markers",
        f"{NEEDS}(*needs): what the test needs of a rig, else it is skipped: serial, "
        '"press B1", "drive D2", analyser, "board NAME", "has NAME", real, virtual',
    )
    names = _named(config)
    if config.getoption("fwgen_repeat") < 1:
        raise pytest.UsageError("--fwgen-repeat: once is the least")
    if names:
        _refuse_retries(config)
        config.stash[_SPECS] = tuple(_spec(config, name) for name in names)


def _named(config: pytest.Config) -> list[str]:
    names = config.getoption("fwgen_rig") or os.environ.get("FWGEN_RIG", "").split(",")
    names = [name.strip() for name in names if name.strip()]
    return list(dict.fromkeys(names or config.getini("fwgen_rig")))


def _spec(config: pytest.Config, name: str) -> Any:
    from fwgen.errors import FwgenError
    from fwgen.hil.place import spec_of

    try:
        return spec_of(name, _board_name(config))
    except FwgenError as error:
        raise pytest.UsageError(str(error)) from None


def _board_name(config: pytest.Config) -> str:
    named = config.getoption("fwgen_board") or os.environ.get("FWGEN_BOARD", "")
    return str(named or config.getini("fwgen_board"))


def _refuse_retries(config: pytest.Config) -> None:
    """Who tries again until it passes hides what a board does now and then."""
    if config.getoption("reruns", None):
        raise pytest.UsageError(
            "--reruns: a test on a board is not tried again until it passes; "
            "--fwgen-repeat N runs it N times, and it must pass every time"
        )


def pytest_report_header(config: pytest.Config) -> list[str]:
    """Name the rigs."""
    specs = config.stash.get(_SPECS, ())
    told = [
        f"{spec.name} ({spec.board}{', virtual' if spec.virtual else ''})"
        for spec in specs
    ]  # fmt: skip
    return [f"fwgen rigs: {', '.join(told)}; nothing is tried again"] if told else []


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run each test that asks for our ``board`` on every rig; each case as a test."""
    if "fwgen_rig" in metafunc.fixturenames:
        params = list(_params(metafunc.config))
        if params:
            metafunc.parametrize("fwgen_rig", params, indirect=True)
    if "fwgen_case" in metafunc.fixturenames:
        found = _cases(metafunc.config)
        metafunc.parametrize("fwgen_case", found, ids=[case.name for case in found])


def _params(config: pytest.Config) -> Iterator[Any]:
    repeat = config.getoption("fwgen_repeat")
    for spec in config.stash.get(_SPECS, ()):
        marks = []
        if not spec.virtual and config.pluginmanager.hasplugin("xdist"):
            # With --dist loadgroup, the tests of one board run one after the other.
            marks.append(pytest.mark.xdist_group(f"rig {spec.name}"))
        for n in range(1, repeat + 1):
            name = spec.name if repeat == 1 else f"{spec.name}-{n}of{repeat}"
            yield pytest.param(spec, id=name, marks=marks)


def _cases(config: pytest.Config) -> list[Any]:
    from fwgen.errors import FwgenError
    from fwgen.hil.cases import cases

    try:
        return [case for folder in config.getoption("fwgen_cases") for case in cases(folder)]
    except FwgenError as error:
        raise pytest.UsageError(str(error)) from None


# ---------------------------------------------------------------------------- fixtures


@pytest.fixture
def fwgen_rig(request: pytest.FixtureRequest) -> RigSpec:
    """The rig that this test runs on: what its file says."""
    spec: RigSpec | None = getattr(request, "param", None)
    if spec is None:
        pytest.skip(NO_RIG)
    from fwgen.board import load_board
    from fwgen.hil.needs import lack

    notes = _Notes(request.node)
    notes.property("rig", spec.name)
    notes.property("board", spec.board)
    needs = [str(need) for mark in request.node.iter_markers(NEEDS) for need in mark.args]
    why = lack(needs, spec, load_board(spec.board))
    if why:
        pytest.skip(why)
    return spec


@pytest.fixture
def board(request: pytest.FixtureRequest, fwgen_rig: RigSpec) -> Iterator[RigBoard]:
    """A board, held for this test alone: flash it, and ask what it does."""
    from fwgen.hil.board import RigBoard
    from fwgen.hil.place import opened
    from fwgen.units import PS_PER_S, parse_duration

    wait_ps = parse_duration(request.config.getoption("fwgen_wait"))
    with opened(fwgen_rig, wait_s=wait_ps / PS_PER_S) as place:
        notes = _Notes(request.node)
        notes.property("probe", place.probe.uid)
        yield RigBoard(place, noted=notes.take)


@pytest.fixture
def fwgen(request: pytest.FixtureRequest) -> Callable[..., Result]:
    """Makes a firmware of a sentence, for the board that the test runs on, and proves it.

    What does not pass in the machine fails the test. Keys: ``board``, ``model``, ``contract``,
    ``attempts``, as of ``fwgen.generate``.
    """

    def make(prompt: str, *, board: str = "", **keys: Any) -> Result:
        __tracebackhide__ = True
        from fwgen.errors import InputError
        from fwgen.pipeline import generate

        if not board and "fwgen_rig" in request.fixturenames:
            board = request.getfixturevalue("fwgen_rig").board
        board = board or _board_name(request.config)
        if not board:
            raise InputError("for which board?", hint='fwgen("...", board="nucleo-f401")')
        result = generate(prompt, board, **keys)
        verdict = result.proof.verdict
        if not verdict.passed:
            said = "; ".join(f.text for f in verdict.all if f.outcome is verdict.outcome)
            raise AssertionError(f"{verdict.outcome.name} in the machine: {prompt!r}: {said}")
        return result

    return make


class _Notes:
    """What a test's board has to tell, for the report and for JUnit."""

    def __init__(self, item: pytest.Item) -> None:
        self._item = item
        self._told = item.stash.setdefault(_SEEN, [])
        self._asked = item.stash.setdefault(_ASKED, [])

    def property(self, name: str, value: object) -> None:
        self._item.user_properties.append((f"fwgen.{name}", str(value)))

    def take(self, name: str, what: Any) -> None:
        getattr(self, f"_{name}")(what)

    def _case(self, name: str) -> None:
        self.property("case", name)

    def _flash(self, done: Any) -> None:
        if done.identity.unique_id:
            self.property("chip", done.identity.unique_id)
        for note in done.notes:
            self._told.append(f"note: {note}")

    def _image(self, image: Any) -> None:
        import hashlib

        from fwgen.image.write import bin_bytes

        self.property("image.sha256", hashlib.sha256(bin_bytes(image)).hexdigest())

    def _seen(self, seen: Any) -> None:
        from fwgen.hil.claims import sentence

        self._asked.append(seen)
        name = f"verdict.{len(self._asked)}"
        self.property(name, seen)
        for figure in seen.figures.values():
            self.property(f"{name}.{figure.name.replace(' ', '-')}", figure.text)
        for claim in seen.claims:
            self._told.append(f"{claim.outcome.name:6} {claim.claim or ''}: {sentence(claim)}")
        for difference in seen.confirmed.differences:
            self.property(f"{name}.differs", difference.text)
            self._told.append(f"machine and board differ: {difference.text}")


# ---------------------------------------------------------------------------- what is told


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Tell our errors in words, what a rig lacks as a skip, and what the board showed."""
    report = yield
    if "fwgen_rig" not in getattr(item, "fixturenames", ()):
        return report
    if call.excinfo is not None and not os.environ.get("FWGEN_TRACEBACK"):
        _in_words(report, item, call.excinfo)
    if report.when == "call" and report.failed:
        told = [*item.stash.get(_SEEN, []), *_keep(item)]
        if told:
            report.sections.append((f"Captured {SECTION}", "\n".join(told)))
    return report


def _keep(item: pytest.Item) -> Iterator[str]:
    """Keep what a failed test was shown; tells where."""
    asked, folder = item.stash.get(_ASKED, []), item.config.getoption("fwgen_evidence")
    if not asked or not folder:
        return
    from pathlib import Path

    from fwgen.errors import FwgenError
    from fwgen.hil.evidence import keep

    try:
        for number, where in keep(asked, item.nodeid, Path(folder)).items():
            item.user_properties.append((f"fwgen.verdict.{number}.kept", str(where)))
            yield f"kept: {where}"
    except FwgenError as error:
        yield f"what was seen could not be kept: {error}"


def _in_words(
    report: pytest.TestReport, item: pytest.Item, caught: pytest.ExceptionInfo[BaseException]
) -> None:
    from fwgen.errors import FwgenError
    from fwgen.hil.board import LackError

    error = caught.value
    if not isinstance(error, FwgenError):
        return
    path, line = _place(item, caught)
    if isinstance(error, LackError):
        report.outcome = "skipped"
        report.longrepr = (path, line, f"Skipped: {error}")
        return
    report.longrepr = f"{path}:{line}: {_told(error)}"


def _place(item: pytest.Item, caught: pytest.ExceptionInfo[BaseException]) -> tuple[str, int]:
    """The line of the test that it came from."""
    for entry in reversed(caught.traceback):
        if str(entry.path) == str(item.path):
            return item.location[0], entry.lineno + 1
    return item.location[0], (item.location[1] or 0) + 1


def _told(error: FwgenError) -> str:
    lines = [f"error: {error.message}"]
    lines += [f"where: {error.where}"] if error.where else []
    lines += [f"hint:  {error.hint}"] if error.hint else []
    return "\n".join(lines)
