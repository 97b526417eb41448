"""The pytest plugin, on virtual rigs."""

from __future__ import annotations

import json
import subprocess
import sys
import xml.etree.ElementTree as ET
from typing import TYPE_CHECKING

import pytest

from fwgen.contract import load_contract
from fwgen.trace import load_trace
from tests.cli.firmware import hex_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from fwgen.board.types import Board

    Tests = Callable[..., pytest.RunResult]

TRACES = ("trace.jsonl", "rig-trace.jsonl")
BLINK = """
    def test_blink(board, fwgen):
        board.flash(fwgen("blink LED at 20 Hz"))
        assert board.pin("LD2").blinks("20 Hz")
"""


def test_unused_it_loads_nothing_of_ours_and_touches_nothing(tmp_path: Path) -> None:
    code = "import sys, fwgen.pytest_plugin; print(*[m for m in sys.modules if 'fwgen.' in m])"
    ran = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=tmp_path
    )
    assert ran.stdout.split() == ["fwgen.pytest_plugin"]


def test_without_a_rig_a_test_is_skipped_and_says_how_to_name_one(tests: Tests) -> None:
    result = tests(BLINK, on=())
    result.assert_outcomes(skipped=1)
    result.stdout.fnmatch_lines(["*no rig was named: --fwgen-rig NAME, FILE or virtual"])


def test_a_board_of_the_users_own_tests_is_left_alone(tests: Tests) -> None:
    result = tests("""
        import pytest

        @pytest.fixture
        def board():
            return "mine"

        def test_mine(board):
            assert board == "mine"
    """)
    result.assert_outcomes(passed=1)
    result.stdout.no_fnmatch_line("*[[]virtual[]]*")


def test_what_was_measured_is_in_the_junit_xml(tests: Tests, tmp_path: Path) -> None:
    file = tmp_path / "junit.xml"
    result = tests(BLINK, f"--junitxml={file}", "-v")
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["*test_blink*virtual* PASSED*"])
    result.stdout.fnmatch_lines(["fwgen rigs: virtual (nucleo-f401, virtual)*"])
    facts = {p.get("name"): p.get("value") or "" for p in ET.parse(file).iter("property")}
    assert facts["fwgen.board"] == "nucleo-f401"
    assert facts["fwgen.rig"] == "virtual"
    assert facts["fwgen.probe"].startswith("VIRT")
    assert len(facts["fwgen.chip"]) == 24
    assert len(facts["fwgen.image.sha256"]) == 64
    assert facts["fwgen.verdict.1"].startswith("PASS on the rig virtual: LD2 blinks at 20 Hz")
    assert facts["fwgen.verdict.1.longest-on"].endswith("ms")


def test_a_failure_is_told_in_the_judges_words_and_only_those(tests: Tests) -> None:
    result = tests("""
        def test_wrong(board, fwgen):
            board.flash(fwgen("blink LED at 20 Hz"))
            assert board.pin("LD2").blinks("30 Hz")

        def test_not(board, fwgen):
            board.flash(fwgen("blink LED at 20 Hz"))
            assert not board.pin("LD2").blinks("30 Hz")
    """)
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines([
        '>*assert board.pin("LD2").blinks("30 Hz")',
        "E*assert <FAIL on the rig virtual: LD2 first turned off at *expected 16.6667 ms*",
        "*Captured board*",
        "FAIL   LD2 blinks at 30 Hz*",
        "PASS   The CPU never faults: no fault",
    ])  # fmt: skip
    result.stdout.no_fnmatch_line("*claims.py*")


def test_what_was_seen_in_a_failing_test_is_kept(
    tests: Tests, tmp_path: Path, nucleo: Board
) -> None:
    kept, junit = tmp_path / "failed", tmp_path / "junit.xml"
    code = """
        def test_wrong(board, fwgen):
            board.flash(fwgen("blink LED at 20 Hz"))
            assert board.pin("LD2").blinks("20 Hz")
            assert board.pin("LD2").blinks("30 Hz")

        def test_right(board, fwgen):
            board.flash(fwgen("blink LED at 20 Hz"))
            assert board.pin("LD2").blinks("20 Hz")
    """
    for _ in range(2):  # what an earlier run left is replaced
        result = tests(code, f"--fwgen-evidence={kept}", f"--junitxml={junit}")
        result.assert_outcomes(passed=1, failed=1)
    (folder,) = kept.glob("*/*")
    assert folder.name == "question-2"
    assert folder.parent.name.endswith("test_wrong-virtual")
    result.stdout.fnmatch_lines([f"kept: {folder}"])
    facts = {p.get("name"): p.get("value") for p in ET.parse(junit).iter("property")}
    assert facts["fwgen.verdict.2.kept"] == str(folder)
    machine, rig = (load_trace((folder / name).read_text()) for name in TRACES)
    assert machine.watched is None
    assert rig.watched is not None
    assert load_contract(folder / "contract.toml", nucleo).expectations
    assert json.loads((folder / "report.json").read_text())["outcome"] == "fail"


def test_a_folder_that_cannot_be_written_costs_no_result(tests: Tests, tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("mine")
    result = tests(
        """
        def test_wrong(board, fwgen):
            board.flash(fwgen("blink LED at 20 Hz"))
            assert board.pin("LD2").blinks("30 Hz")
        """,
        f"--fwgen-evidence={tmp_path / 'taken'}",
    )
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["what was seen could not be kept: *"])
    assert (tmp_path / "taken").read_text() == "mine"


def test_firmware_that_faults_proves_nothing_either_way(tests: Tests, tmp_path: Path) -> None:
    (tmp_path / "overflow.hex").write_bytes(hex_of("overflow"))
    result = tests(f"""
        import pytest

        @pytest.mark.parametrize("wanted", [True, False])
        def test_it(board, wanted):
            board.flash({str(tmp_path / "overflow.hex")!r})
            seen = board.pin("LD2").stays("on", from_="10 ms")
            if wanted:
                assert seen
            else:
                assert not seen
    """)
    result.assert_outcomes(failed=2)
    result.stdout.fnmatch_lines(["E*UndecidedError: FAIL on the rig virtual: *HardFault*"])


def test_stimuli_are_done_to_the_board_until_it_is_flashed_again(tests: Tests) -> None:
    result = tests("""
        def test_press(board, fwgen):
            toggle = fwgen("toggle the LED on each press of the button")
            board.flash(toggle)
            board.press("button", at="100 ms", for_="50 ms", bounce="2 ms")
            assert board.pin("LED").turns("on", after="button", within="60 ms")
            assert board.pin("LED").changes(exactly=1, from_="50 ms", until="400 ms")
            board.flash(toggle)
            assert board.pin("LED").changes(exactly=0, from_="50 ms", until="400 ms")

        def test_drive(board, fwgen):
            board.flash(fwgen("LED follows D2"))
            board.drive("D2", "low", at="100 ms")  # a button to ground, held
            assert board.pin("LD2").is_("on", at="200 ms")
            board.leave_alone()
            board.drive("D2", "high", at="100 ms")
            assert board.pin("LD2").is_("off", at="200 ms")
    """)
    result.assert_outcomes(passed=2)


def test_the_console_is_heard_and_everything_is_watched(tests: Tests) -> None:
    result = tests("""
        def test_says(board, fwgen):
            board.flash(fwgen('print "hello" and a count over serial every 100 ms'))
            counts = {"n": {"first": 0, "step": 1}}
            seen = board.console.says("hello {n}", every="100 ms", tolerance="8 %", numbers=counts)
            assert seen
            assert seen.figures["lines"].value >= 3
            assert board.expect_all(
                {"says": "hello {n}", "until": "300 ms"}, {"quiet": True, "but": ["console"]}
            )
            trace = board.watch("150 ms")
            assert trace.span_ps >= 150 * 10**9
            assert bytes(e.byte for e in trace.events if e.KIND == "serial")[:7] == b"hello 0"
    """)
    result.assert_outcomes(passed=1)


def test_the_contract_that_was_read_from_the_prompt_or_one_of_a_file(
    tests: Tests, tmp_path: Path
) -> None:
    path = tmp_path / "slow.toml"
    path.write_text('[[expect]]\nblinks = "LD2"\nrate = "10 Hz"\n')
    result = tests(f"""
        import pytest

        def test_said(board, fwgen):
            board.flash(fwgen("blink LED at 20 Hz"))
            assert board.meets()

        def test_file(board, fwgen):
            board.flash(fwgen("blink LED at 20 Hz"))
            assert not board.meets({str(path)!r})
    """)
    result.assert_outcomes(passed=2)


def test_mistakes_are_told_as_sentences_with_their_line(tests: Tests) -> None:
    result = tests("""
        import pytest

        def test_early(board):
            assert board.pin("LD2").blinks("2 Hz")

        def test_name(board):
            board.pin("LD3")

        def test_key(board, fwgen):
            board.flash(fwgen("blink LED at 20 Hz"))
            board.pin("LD2").blinks("20 Hz", dutty="50 %")

        def test_words(board, fwgen):
            board.flash(fwgen("blink LED at 2Hz and make coffee"))

        @pytest.mark.fwgen_needs("teapot")
        def test_need(board):
            pass
    """)
    result.assert_outcomes(failed=4, errors=1)
    result.stdout.fnmatch_lines([
        "*.py:4: error: this test has flashed nothing yet",
        "hint:  board.flash(fwgen(*",
        "*.py:7: error: nucleo-f401 has no 'LD3'",
        "hint:  did you mean *LD2*",
        "*.py:11: error: *'dutty'*",
        "where: test: expect[[]1[]]*",
        "*.py:14: error: *coffee*",
    ])  # fmt: skip
    result.stdout.fnmatch_lines(["*error: a test cannot need 'teapot'"])
    result.stdout.no_fnmatch_line("*Traceback*")


def test_what_a_rig_lacks_skips_the_test_with_the_reason(
    tests: Tests, pytester: pytest.Pytester
) -> None:
    pytester.makefile(".toml", bare='board = "nucleo-f401"\nport = "none"\nprobe = "NOSUCH"\n')
    result = tests(
        """
        import pytest

        @pytest.mark.parametrize("need", [
            pytest.param(n, marks=pytest.mark.fwgen_needs(n))
            for n in ("serial", "press", "press B1", "drive D2", "analyser", "virtual",
                      "board pico", "has LD9")
        ])
        def test_it(board, need):
            pass
        """,
        on=("--fwgen-rig=bare.toml",),
    )
    result.assert_outcomes(skipped=8)
    for why in (
        "the rig bare has no serial port",
        "nothing on the rig bare can press a button",
        "nothing on the rig bare is wired to B1 (PC13)",
        "nothing on the rig bare is wired to D2 (PA10)",
        "the rig bare has no logic analyser",
        "the rig bare is real",
        "the rig bare has a nucleo-f401, not a pico",
        "nucleo-f401, on the rig bare, has no 'LD9'",
    ):
        result.stdout.fnmatch_lines([f"SKIPPED *{why}"])


def test_a_rig_that_is_not_there_is_an_error_and_no_skip(
    tests: Tests, pytester: pytest.Pytester
) -> None:
    pytester.makefile(".toml", away='board = "nucleo-f401"\nprobe = "NOSUCHPROBE"\n')
    result = tests("def test_it(board): pass", on=("--fwgen-rig=away.toml",))
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*.py:1: error: there is no probe 'NOSUCHPROBE'"])
    result.stdout.no_fnmatch_line("*place.py*")


def test_a_rig_file_that_is_wrong_ends_it_before_any_test(
    tests: Tests, pytester: pytest.Pytester
) -> None:
    pytester.makefile(".toml", wrong='board = "nucleo-f401"\nprob = "1"\n')
    result = tests("def test_it(board): pass", on=("--fwgen-rig=wrong.toml",))
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: wrong.toml: there is no key 'prob' here*"])


def test_a_test_runs_on_every_rig_and_as_often_as_told(
    tests: Tests, pytester: pytest.Pytester
) -> None:
    pytester.mkdir("rigs")
    for name in ("left", "right"):
        (pytester.path / "rigs" / f"{name}.toml").write_text(
            'board = "nucleo-f401"\nvirtual = true\n'
        )
    text = "def test_it(board): assert board.is_virtual"
    result = tests(text, "-v", on=("--fwgen-rig=left", "--fwgen-rig=right", "--fwgen-repeat=2"))
    result.assert_outcomes(passed=4)
    result.stdout.fnmatch_lines([
        f"*test_it*{name}-{n}of2* PASSED*" for name in ("left", "right") for n in (1, 2)
    ])  # fmt: skip


def test_the_environment_and_the_ini_file_name_rigs_too(
    tests: Tests, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytester.makeini("[pytest]\nfwgen_rig = virtual\nfwgen_board = nucleo-f401\n")
    text = "def test_it(board): assert board.rig == 'virtual'"
    tests(text, on=()).assert_outcomes(passed=1)
    monkeypatch.setenv("FWGEN_RIG", "nosuch")
    assert tests(text, on=()).ret == pytest.ExitCode.USAGE_ERROR


def test_trying_again_until_it_passes_is_refused(tests: Tests, pytester: pytest.Pytester) -> None:
    pytester.makeconftest("""
        def pytest_addoption(parser):
            parser.addoption("--reruns", type=int, default=0)
    """)
    result = tests(BLINK, "--reruns=2")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: --reruns: *--fwgen-repeat*"])


def test_fwgen_alone_needs_a_board_and_no_rig(tests: Tests) -> None:
    result = tests(
        """
        def test_named(fwgen):
            assert fwgen("blink LED at 20 Hz", board="nucleo-f401").passed
        """,
        on=(),
    )
    result.assert_outcomes(passed=1)
