"""A person at the terminal presses the button: a real pty, a board of its own, a real finger."""

from __future__ import annotations

import os
import re
import sys
import threading
from typing import TYPE_CHECKING

import pytest

from fwgen.board import load_board
from fwgen.contract import Drive
from fwgen.rig.targets import register
from fwgen.virtual.board import VirtualBoard
from fwgen.virtual.server import Served

from .conftest import BOARD

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from .conftest import Ran

HELD = "while the button is held blink the LED at 1 Hz"
# A slow blink with a wide tolerance: how long this computer may look away is no matter.
CONTRACT = """\
title = "a blink while held"
board = "nucleo-f401"
span = "5 s"

[[do]]
press = "B1"
at = "300 ms"
for = "100 ms"

[[do]]
press = "B1"
at = "900 ms"
for = "3.6 s"

[[expect]]
blinks = "LD2"
rate = "1 Hz"
duty = "any"
tolerance = "25 %"
from = "1 s"
until = "4.4 s"
"""


@pytest.fixture
def asked(fwgen: Callable[..., Ran], tmp_path: Path) -> list[str]:
    """The command line that holds the blink against a contract of two presses."""
    ran = fwgen(HELD, "--board", BOARD, "--out", tmp_path / "made")
    assert ran.code == 0
    (tmp_path / "two.toml").write_text(CONTRACT)
    return [
        sys.executable, "-m", "fwgen", "verify", str(tmp_path / "made" / "firmware.hex"),
        "-b", BOARD, "-c", str(tmp_path / "two.toml"), "--trace", str(tmp_path / "seen.jsonl"),
    ]  # fmt: skip


def press(board: VirtualBoard, level: int | None) -> None:
    with board.lock:
        board.machine.stimulate(Drive("PC13", board.now_ps, level))


@pytest.mark.skipif(os.name != "posix", reason="needs a pseudo-terminal")
def test_who_is_asked_presses_and_the_contract_is_judged_by_when(
    asked: list[str], tmp_path: Path
) -> None:
    pexpect = pytest.importorskip("pexpect")
    the = load_board(BOARD)
    with VirtualBoard(the) as board:
        board.start_free_running()
        with Served(board, target=register(the)):
            child = pexpect.spawn(
                "sh", ["-c", '"$@"; echo "exit code $?"', "sh", *asked, "--probe", board.uid],
                encoding="utf-8", timeout=90, dimensions=(50, 150),
                env={**os.environ, "TERM": "xterm", "NO_COLOR": "1", "PYTHONUTF8": "1"},
            )  # fmt: skip
            child.expect_exact("you are asked 2 times to press it")
            child.expect_exact("press the blue button B1 now (within 30 s)")
            threading.Timer(0.4, press, (board, 0)).start()
            threading.Timer(0.6, press, (board, None)).start()
            child.expect(r"B1 seen: pressed at [\d.]+ \w+, for \d+ ms")
            child.expect_exact("press the blue button B1 now and hold it until you are told, 3.6 s")
            press(board, 0)
            child.expect_exact("let go of B1 now")
            press(board, None)
            child.expect(r"B1 seen: pressed at [\d.]+ s")
            child.expect(r"by hand.*B1 was pressed at [\d.]+ \w+ for \d+ ms \(to be at 300 ms\)")
            child.expect_exact("everything was seen as asked, in the machine and on the rig")
            child.expect_exact("exit code 0")
            child.close(force=True)
    assert '"by-hand"' in (tmp_path / "seen.rig.jsonl").read_text()


@pytest.mark.usefixtures("nothing_plugged_in")
def test_where_nobody_sits_nobody_is_asked_and_the_cure_is_told(
    asked: list[str], fwgen: Callable[..., Ran]
) -> None:
    from fwgen.image.write import bin_bytes
    from tests.rig.bench_firmware import image_of

    with VirtualBoard(load_board(BOARD), flash=bin_bytes(image_of("lit"))) as board:
        board.start_free_running()
        with board.plugged():
            ran = fwgen(*asked[3:], "--probe", board.uid)
    assert ran.code == 3, ran.err
    assert "nothing is wired to PC13" in ran.said
    assert re.search(r"hint +a wire from a pin of a second board, named under \[wires\]", ran.said)
    assert "now (within" not in ran.said
