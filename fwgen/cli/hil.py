"""``fwgen hil``: tests on boards: run them, list the rigs, report."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fwgen.cli.options import JsonOption
from fwgen.cli.output import put_json, screen
from fwgen.errors import FwgenError, InputError, OutputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fwgen.hil.results import Results
    from fwgen.rig.probes import Probe
    from fwgen.rig.rigs import RigSpec

HERE, OUT = Path("hil"), Path("fwgen-out", "hil")
JUNIT, HTML, EVIDENCE = OUT / "junit.xml", OUT / "report.html", OUT / "failed"

JunitOption = Annotated[
    Path, typer.Option("--junit", metavar="FILE", help="Where the JUnit XML goes.")
]
HtmlOption = Annotated[
    Path, typer.Option("--html", metavar="FILE", help="Where the HTML page goes.")
]


def app() -> typer.Typer:
    """The ``hil`` commands."""
    made = typer.Typer(
        help="Tests on boards: run them on rigs, list the rigs, report.",
        rich_markup_mode=None,
    )
    made.command("run")(run)
    made.command("list")(listed)
    made.command("report")(report)
    return made


def run(
    paths: Annotated[
        list[Path] | None,
        typer.Argument(help="Tests (.py, folders), or folders of cases. [default: hil]"),
    ] = None,
    *,
    rig: Annotated[
        list[str] | None,
        typer.Option("--rig", metavar="NAME", help="Rig file's name or path, or virtual; repeat."),
    ] = None,
    board: Annotated[
        str,
        typer.Option("--board", "-b", envvar="FWGEN_BOARD", help="Which board virtual is."),
    ] = "",
    select: Annotated[
        str, typer.Option("--select", "-k", metavar="WORDS", help="Only tests that match (pytest).")
    ] = "",
    repeat: Annotated[
        int, typer.Option(min=1, metavar="N", help="Each test so often; it must pass every time.")
    ] = 1,
    wait: Annotated[
        str, typer.Option(metavar="TIME", help="How long to wait for a board that is in use.")
    ] = "60 s",
    junit: JunitOption = JUNIT,
    html: HtmlOption = HTML,
    evidence: Annotated[
        Path,
        typer.Option(metavar="DIR", help="Where goes what was seen in tests that fail."),
    ] = EVIDENCE,
    as_json: JsonOption = False,
) -> int:
    """Run tests and cases on rigs, through pytest.

    Nothing is tried again. Exit codes: 0 pass, 1 fail, 2 error or nothing was run, 3 unsure.
    """
    from fwgen.units import parse_duration

    parse_duration(wait)
    rigs = rig or []
    _check_rigs(rigs, board)
    tests, folders = _sorted(paths or [HERE])
    if importlib.util.find_spec("pytest") is None:
        raise InputError("pytest is not installed", hint="python3 -m pip install pytest")
    arguments = ["-p", "no:cacheprovider", "-rs", f"--junitxml={junit}", "-o", "junit_logging=no"]
    arguments += [f"--fwgen-rig={name}" for name in rigs]
    arguments += [f"--fwgen-board={board}", f"--fwgen-wait={wait}", f"--fwgen-repeat={repeat}"]
    arguments += [f"--fwgen-evidence={evidence}"]
    arguments += ["-k", select] if select else []
    arguments += [f"--fwgen-cases={folder}" for folder in folders]
    # Cases are ours: how the tests of the project around them are run is no matter.
    arguments += ["-o", "addopts=", "--pyargs", "fwgen.hil.suite"] if folders else []
    _make_room(junit)
    code = _pytest([*arguments, *map(str, tests)], quiet=as_json)
    if not junit.is_file() or code not in (0, 1):
        raise FwgenError(_WRONG.get(code, f"pytest ended with {code}"))
    return _tell([junit], None, html, as_json=as_json)


_WRONG = {
    2: "the tests could not be read, or were interrupted",
    4: "pytest did not understand what it was told",
    5: "there is no test here",
}


def _check_rigs(rigs: Sequence[str], board: str) -> None:
    """Refuse here, in our words, what pytest would refuse in its own."""
    from fwgen.hil.place import spec_of
    from fwgen.rig.rigs import rig_files

    if not rigs:
        known = ", ".join([*sorted(file.stem for file in rig_files()), "virtual"])
        raise InputError("on which rig?", hint=f"add --rig NAME, once or more; there is {known}")
    for name in rigs:
        spec_of(name, board)


def _sorted(paths: Sequence[Path]) -> tuple[list[Path], list[Path]]:
    """Tests of their own, and folders of cases."""
    from fwgen.hil.cases import CONTRACT

    tests: list[Path] = []
    folders: list[Path] = []
    for path in paths:
        if not Path(str(path).partition("::")[0]).exists():
            raise InputError(
                "there are no tests here", where=str(path),
                hint="name a folder of tests, or one of cases such as fwgen --out writes",
            )  # fmt: skip
        is_case = (path / CONTRACT).is_file() or any(path.glob(f"*/{CONTRACT}"))
        (folders if is_case else tests).append(path)
    return tests, folders


def _make_room(file: Path) -> None:
    """A folder for the file, and nothing of an earlier run in its place."""
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.unlink(missing_ok=True)
    except OSError as error:
        raise OutputError(
            f"the results cannot be written: {error.strerror}", where=str(file)
        ) from None


def _pytest(arguments: Sequence[str], *, quiet: bool) -> int:
    """Run pytest in a process of its own; what it says goes where ours goes, or to stderr."""
    environment = dict(os.environ)
    environment.pop("PYTEST_ADDOPTS", None)
    sys.stdout.flush()
    stdout = 2 if quiet else None
    process = subprocess.Popen(
        [sys.executable, "-m", "pytest", *arguments], env=environment, stdout=stdout
    )
    with process:
        try:
            return process.wait()
        except KeyboardInterrupt:
            process.wait()  # it was told, too: boards are let go
            raise KeyboardInterrupt("the boards were let go") from None


def report(
    results: Annotated[
        list[Path] | None, typer.Argument(help=f"JUnit XML of earlier runs. [default: {JUNIT}]")
    ] = None,
    *,
    junit: Annotated[
        Path | None, typer.Option("--junit", metavar="FILE", help="All of them as one JUnit XML.")
    ] = None,
    html: HtmlOption = HTML,
    as_json: JsonOption = False,
) -> int:
    """Put results of one or many runs together: one HTML page, one JUnit XML.

    Exit codes as those of the runs: 0 pass, 1 fail, 2 error or nothing was run, 3 unsure.
    """
    return _tell(results or [JUNIT], junit, html, as_json=as_json)


def _tell(files: Sequence[Path], junit: Path | None, html: Path, *, as_json: bool) -> int:
    from fwgen.hil.page import to_html
    from fwgen.hil.results import load_results

    results, merged = load_results(files)
    for file, content in ((junit, merged), (html, to_html(results).encode())):
        if file is not None:
            _write(file, content)
    if as_json:
        put_json(_data(results, html))
    else:
        _show(results, html)
    return results.exit_code


def _write(file: Path, content: bytes) -> None:
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
    except OSError as error:
        raise OutputError(
            f"the report cannot be written: {error.strerror}", where=str(file)
        ) from None


def _data(results: Results, html: Path) -> dict[str, object]:
    from fwgen.report.data import VERSION

    return {
        "fwgen_report": VERSION,
        "outcome": results.outcome,
        "exit_code": results.exit_code,
        "counts": dict(results.counts),
        "html": str(html),
        "tests": [
            {"name": one.test, "rig": one.rig, "outcome": one.outcome, "said": one.said,
             "facts": dict(one.facts or {})}
            for one in results.ran
        ],
    }  # fmt: skip


def _show(results: Results, html: Path) -> None:
    from rich.text import Text

    from fwgen.report.layout import Columns, Paragraph

    styles = {"pass": "green", "fail": "bold red", "error": "bold red", "unsure": "bold yellow",
              "skip": "dim"}  # fmt: skip
    console = screen()
    console.print()
    rows: list[tuple[str | Text, ...]] = []
    for test in results.tests:
        cells = []
        for rig in results.rigs:
            found = results.cell(test, rig)
            worst = next((o for o in styles if o != "pass" and any(r.outcome == o for r in found)),
                         "pass" if found else "")  # fmt: skip
            passed = sum(one.outcome == "pass" for one in found)
            many = f" {passed} of {len(found)}" if len(found) > 1 else ""
            cells.append(Text(f"{worst}{many}", style=styles.get(worst, "")))
        rows.append((test, *cells))
    console.print(Columns(("test", *results.rigs), rows))
    for one in results.ran:
        if one.outcome in ("fail", "error", "unsure"):
            console.print()
            console.print(Paragraph(Text(one.outcome, style=styles[one.outcome]),
                                    [f"{one.test} on {one.rig}", one.said]))  # fmt: skip
    console.print()
    counted = ", ".join(f"{count} {outcome}" for outcome, count in results.counts.items())
    console.print(
        Paragraph(Text(f" {results.outcome.upper()} ", style="reverse"), [counted]), soft_wrap=True
    )
    console.print(Paragraph("page", [str(html)]), soft_wrap=True)
    console.print()


# ---------------------------------------------------------------------------- list


def listed(*, as_json: JsonOption = False) -> int:
    """List the rigs that there are files of, and what is plugged in.

    Nothing is touched. Exit codes: 0 listed, 2 a rig's file is wrong.
    """
    from fwgen.rig.probes import find_probes
    from fwgen.rig.rigs import load_rig, rig_files

    probes = find_probes()
    rows: list[dict[str, str]] = []
    meant: set[str] = set()
    wrong = 0
    for file in rig_files():
        try:
            spec = load_rig(file)
        except FwgenError as error:
            wrong += 1
            rows.append({"rig": file.stem, "board": "", "state": "wrong", "said": str(error)})
            continue
        state, said, uids = _state(spec, probes)
        meant.update(uids)
        rows.append({"rig": spec.name, "board": spec.board, "state": state, "said": said})
    others = [probe for probe in probes if probe.uid not in meant]
    if as_json:
        from fwgen.report.data import VERSION

        put_json(
            {"fwgen_report": VERSION, "outcome": "listed", "exit_code": 2 if wrong else 0,
             "rigs": rows, "others": [{"probe": p.uid, "name": p.name} for p in others]}
        )  # fmt: skip
    else:
        _show_list(rows, others)
    return 2 if wrong else 0


def _state(spec: RigSpec, probes: Sequence[Probe]) -> tuple[str, str, list[str]]:
    """How it is with a rig, in a word and in words, and the probes that are its own."""
    from fwgen.board import load_board
    from fwgen.rig.lock import is_held
    from fwgen.rig.probes import choose_probe
    from fwgen.rig.rigs import WireSpec

    if spec.virtual:
        return "virtual", "in software: always there", []
    wanted = [(spec.board, spec.probe)]
    wanted += dict.fromkeys(
        (wire.board, wire.probe) for wire in spec.wires.values() if isinstance(wire, WireSpec)
    )
    uids = []
    for board, probe in wanted:
        try:
            uids.append(choose_probe(load_board(board), probe or None, probes).uid)
        except FwgenError as error:
            return "missing", error.message, uids
    for uid in uids:
        if who := is_held(uid):
            return "in use", f"the probe {uid} is in use{who}", uids
    return "plugged in", f"probe {', '.join(uids)}", uids


def _show_list(rows: Sequence[dict[str, str]], others: Sequence[Probe]) -> None:
    from rich.text import Text

    from fwgen.report.layout import Columns

    console = screen()
    console.print()
    if rows:
        table: list[tuple[str | Text, ...]] = [
            (Text(r["rig"], style="bold"), r["board"], r["state"], r["said"]) for r in rows
        ]
        console.print(Columns(("rig", "board", "", ""), table))
    else:
        console.print(" there is no rig file: write hil/rigs/NAME.toml", markup=False)
    for probe in others:
        console.print(f"\n no rig names the probe {probe}", markup=False, soft_wrap=True)
    console.print("\n fwgen hil run --rig NAME   runs the tests there\n", markup=False)
