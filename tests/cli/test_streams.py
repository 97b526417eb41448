"""What comes out is plain where nobody looks, readable where it is narrow, and never in the way."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from .conftest import BOARD
from .firmware import hex_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from .conftest import Ran

    Call = Callable[..., Ran]

COMMANDS = [
    ["blink LED at 2Hz", "--board", BOARD],
    ["blink LED at 2Hz", "--board", BOARD, "--dry-run"],
    ["boards"],
    ["boards", "show", BOARD],
    ["explain", "no-swd.hex", "--board", BOARD],
    ["verify", "overflow.hex", "--board", BOARD, "--contract", "quiet.toml"],
    ["verify", "--board", BOARD],
]
WHOLE = re.compile(r"^( *(next|flash|watch|read|pins|verify|where) )")  # lines meant to be copied


@pytest.fixture(autouse=True)
def files(quiet: Path) -> None:
    for name in ("no-swd", "overflow"):
        Path(f"{name}.hex").write_bytes(hex_of(name))


@pytest.mark.parametrize("arguments", COMMANDS, ids=" ".join)
def test_piped_output_is_plain(fwgen: Call, arguments: list[str]) -> None:
    ran = fwgen(*arguments)
    assert ran.out + ran.err
    assert "\x1b" not in ran.out + ran.err
    for line in (ran.out + ran.err).splitlines():
        assert line == line.rstrip()


@pytest.mark.parametrize("width", [40, 60, 100])
@pytest.mark.parametrize("arguments", COMMANDS, ids=" ".join)
def test_a_narrow_terminal_cuts_nothing(
    fwgen: Call, monkeypatch: pytest.MonkeyPatch, arguments: list[str], width: int
) -> None:
    monkeypatch.setenv("COLUMNS", "400")
    wide = fwgen(*arguments)
    monkeypatch.setenv("COLUMNS", str(width))
    ran = fwgen(*arguments)

    def letters(text: str) -> list[str]:
        return sorted(text.replace(" ", "").replace("\n", ""))

    assert letters(ran.out + ran.err) == letters(wide.out + wide.err)
    if arguments[0] != "explain":
        long = [line for line in ran.out.splitlines() if len(line) > width]
        assert all(WHOLE.match(line) for line in long)


def test_no_color_is_obeyed_at_a_terminal(command: list[str]) -> None:
    pexpect = pytest.importorskip("pexpect")
    for no_color, coloured in (("", True), ("1", False)):
        child = pexpect.spawn(
            command[0], [*command[1:], "boards"], encoding="utf-8", timeout=30,
            env={**os.environ, "TERM": "xterm-256color", "NO_COLOR": no_color},
        )  # fmt: skip
        said = child.read()
        child.close()
        assert ("\x1b[2m" in said or "\x1b[1m" in said) or not coloured
        assert not re.search(r"\x1b\[[0-9;]*3[0-9]m", said) or coloured


@pytest.mark.parametrize(
    "arguments",
    [["boards", "show", BOARD], ["boards", "show", BOARD, "--json"], ["--help"]],
    ids=" ".join,
)
def test_a_reader_that_goes_away_is_no_error(command: list[str], arguments: list[str]) -> None:
    with subprocess.Popen(
        [*command, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as child:
        assert child.stdout is not None
        assert child.stderr is not None
        child.stdout.close()
        said = child.stderr.read()
        assert child.wait(30) == 0
    assert said == b""


def test_the_work_is_done_though_nobody_reads(command: list[str], tmp_path: Path) -> None:
    with subprocess.Popen(
        [*command, "blink LED at 2Hz", "--board", BOARD, "--out", "made"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    ) as child:  # fmt: skip
        assert child.stdout is not None
        child.stdout.close()
        assert child.wait(60) == 0
    assert (tmp_path / "made/report.json").exists()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
@pytest.mark.parametrize("arguments", [["--help"], ["boards"], ["boards", "--json"]], ids=" ".join)
def test_a_full_disk_is_an_error_in_words(command: list[str], arguments: list[str]) -> None:
    with Path("/dev/full").open("wb") as full:
        ran = subprocess.run(
            [*command, *arguments], stdout=full, stderr=subprocess.PIPE, text=True,
            check=False, timeout=30,
        )  # fmt: skip
    assert ran.returncode == 2
    assert "Traceback" not in ran.stderr
    if "--json" not in arguments:
        assert "No space left on device" in ran.stderr


def test_a_terminal_without_unicode_shows_what_it_can(command: list[str]) -> None:
    ran = subprocess.run(
        [*command, "boards", "show", BOARD], capture_output=True, check=False, timeout=30,
        env={**os.environ, "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"},
    )  # fmt: skip
    assert ran.returncode == 0
    assert b"NUCLEO-F401RE" in ran.stdout
    assert ran.stdout.isascii()


def test_every_command_with_json_prints_one_object(fwgen: Call) -> None:
    for arguments in COMMANDS:
        ran = fwgen(*arguments, "--json")
        assert isinstance(json.loads(ran.out), dict)
        assert json.loads(ran.out)["exit_code"] == ran.code
        assert ran.err == ""


def test_a_board_file_of_ones_own_is_checked(fwgen: Call, tmp_path: Path) -> None:
    own = tmp_path / "mine.toml"
    own.write_text(
        'chip = "stm32f401re"\ntitle = "Mine"\n[parts]\nL = { kind = "led", pin = "PZ1" }\n'
    )
    ran = fwgen("boards", "check", own)
    assert ran.code == 2
    assert "parts.L.pin" in ran.said
    said = json.loads(fwgen("boards", "check", own, "--json").out)
    assert said["outcome"] == "error"
    assert any("parts.L" in f["where"] for f in said["findings"])


def test_a_second_run_in_another_process_changes_no_byte(
    command: list[str], tmp_path: Path
) -> None:
    prompt = "toggle the LED on each press of the button and blink D7 at 3 Hz"
    seen = []
    for seed in ("1", "2"):
        ran = subprocess.run(
            [*command, prompt, "--board", BOARD, "--out", "made"],
            capture_output=True, check=False, timeout=60,
            env={**os.environ, "PYTHONHASHSEED": seed},
        )  # fmt: skip
        assert ran.returncode == 0
        files = sorted((tmp_path / "made").iterdir())
        seen.append((ran.stdout, [(p.name, p.read_bytes(), p.stat().st_mtime_ns) for p in files]))
    assert seen[0] == seen[1]


@pytest.mark.skipif(os.name == "nt", reason="closes streams with a POSIX shell")
@pytest.mark.parametrize(
    "arguments",
    ["--help", "boards", "run no-swd.hex --board nucleo-f401 --for 1ms", "verify x.hex -b x -c y"],
)
def test_closed_streams_are_no_surprise(command: list[str], arguments: str) -> None:
    for closed, other in (("<&- >&-", 2), ("<&- 2>&-", 1)):
        ran = subprocess.run(
            ["sh", "-c", f'"$@" {arguments} {closed}', "sh", *command],
            capture_output=True, check=False, timeout=60,
        )  # fmt: skip
        assert ran.returncode == (2 if "verify" in arguments else 0)
        assert b"Traceback" not in (ran.stdout, ran.stderr)[other - 1]
