"""A board watched through its probe: the same lines, with how sharply it was looked at."""

from __future__ import annotations

import os
import re
import sys
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

import fwgen as api
from fwgen.board import load_board
from fwgen.image.write import bin_bytes
from fwgen.virtual.board import VirtualBoard
from fwgen.virtual.faults import Faults
from tests.machine.core.firmware import firmware
from tests.rig.bench_firmware import image_of

from .conftest import BOARD
from .test_run import HANDLED

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from fwgen.image.types import Image

    from .conftest import Ran

pytestmark = pytest.mark.usefixtures("nothing_plugged_in")
BLINK = "blink LED at 5 Hz and print uptime every second"


@pytest.fixture(scope="module")
def blink() -> Image:
    return api.generate(BLINK, BOARD).proof.image


@contextmanager
def running(image: Image, *, uid: str | None = None, **faults: Any) -> Iterator[VirtualBoard]:
    """A board that is plugged in, and has run its firmware for a while."""
    with VirtualBoard(
        load_board(BOARD), uid=uid, flash=bin_bytes(image), faults=Faults(**faults)
    ) as made:
        made.start_free_running()
        with made.plugged():
            yield made


def told(ran: Ran, what: str) -> list[str]:
    return [line.split(" ", 1)[1] for line in ran.out.splitlines() if what in line]


def test_what_runs_is_watched_and_not_disturbed(fwgen: Callable[..., Ran], blink: Image) -> None:
    with running(blink) as board:
        resets: list[object] = []
        board.listen(lambda event: resets.append(event) if event.KIND == "reset" else None)
        ran = fwgen("watch", "-b", BOARD, "--probe", board.uid, "--for", "1.5s")
        assert board.flash()[:64] == bin_bytes(blink)[:64]
    assert ran.code == 0, ran.err
    lit = told(ran, "LD2")
    assert len(lit) >= 10
    assert set(lit) == {"LD2 on", "LD2 off"}
    assert told(ran, "console")
    assert not resets
    assert re.search(r"pins looked at every \S+ \ws, \S+ \ws at the longest", ran.said)


def test_a_firmware_is_flashed_first_and_watched_from_its_first_instruction(
    fwgen: Callable[..., Ran], blink: Image, tmp_path: Path
) -> None:
    api.write_hex(blink, tmp_path / "blink.hex")
    ran = fwgen(
        "watch", tmp_path / "blink.hex", "-b", BOARD, "--rig", "virtual", "--for", "700ms",
        "--press", "B1@200ms:100ms",
    )  # fmt: skip
    assert ran.code == 0, ran.err
    assert "programmed, read back and compared" in ran.err
    assert "kept" in ran.err
    assert "console 0" in told(ran, "console")
    assert told(ran, "B1") == ["B1 down", "B1 up"]
    assert told(ran, "LD2")[0] == "LD2 on"


def test_a_cable_that_is_pulled_is_waited_for(fwgen: Callable[..., Ran], blink: Image) -> None:
    with running(blink, drop_after=400, replug=True) as board:
        ran = fwgen("watch", "-b", BOARD, "--probe", board.uid, "--for", "3s")
    assert ran.code == 0, ran.err
    away, back = told(ran, "rig the probe is gone"), told(ran, "rig it is there")
    assert len(away) == len(back) == 1
    assert "waiting for it to come back" in away[0]
    assert told(ran, "LD2")
    after = ran.out[ran.out.index("rig it is there") :]
    assert "LD2" in after


def test_a_cable_that_is_pulled_is_an_error_where_nobody_waits(
    fwgen: Callable[..., Ran], blink: Image
) -> None:
    with running(blink, drop_after=400) as board:
        ran = fwgen("watch", "-b", BOARD, "--probe", board.uid, "--for", "9s", "--no-reconnect")
    assert ran.code == 2
    assert "the probe is gone" in ran.said


def test_a_board_that_is_not_there_yet_can_be_waited_for(
    fwgen: Callable[..., Ran], blink: Image
) -> None:
    there = threading.Event()

    def plug() -> None:
        with running(blink, uid="LATE01"):
            there.set()
            over.wait(30)

    over, late = threading.Event(), threading.Timer(0.5, plug)
    late.start()
    ran = fwgen("watch", "-b", BOARD, "--probe", "LATE01", "--for", "3s", "--wait")
    over.set()
    late.join()
    assert there.is_set()
    assert ran.code == 0, ran.err
    assert "waiting for it" in ran.out
    assert told(ran, "LD2")


def test_a_fault_is_reported_as_a_debugger_reports_it(
    fwgen: Callable[..., Ran], tmp_path: Path
) -> None:
    api.write_hex(image_of("nowhere"), tmp_path / "f.hex")
    ran = fwgen("watch", tmp_path / "f.hex", "-b", BOARD, "--rig", "virtual", "--for", "1s")
    assert ran.code == 1
    assert "fault: HardFault" in ran.out
    assert "the core is locked up" in ran.out  # it has no handler
    assert re.search(r"may be missed; \d faults?\n", ran.err)
    assert "Fault" in ran.err
    assert "pc" in ran.err


def test_a_board_is_watched_on_after_a_fault_as_its_firmware_goes_on(
    fwgen: Callable[..., Ran], tmp_path: Path
) -> None:
    for what, seen in {
        "works on in the handler": ("LD2 off", "LD2 on"),
        "resets": ("reset (SFTRSTF)",),
        "locks up under a watchdog": ("the core is locked up", "reset (IWDGRSTF or SFTRSTF)"),
    }.items():
        text, vectors, _ = HANDLED[what]
        api.write_hex(firmware(text, vectors), tmp_path / "f.hex")
        ran = fwgen("watch", tmp_path / "f.hex", "-b", BOARD, "--rig", "virtual", "--for", "1s")
        assert ran.code == 1
        first = ran.out.index("fault: HardFault")
        for line in seen:
            assert line in ran.out[first:], what


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("-b", BOARD), "nothing to watch was named"),
        (("-b", BOARD, "--rig", "real"), "no debug probe is plugged in"),
        (("-b", BOARD, "--rig", "desk"), "there is no rig 'desk'"),
        (("-b", BOARD, "--rig", "virtual"), "nothing in its flash"),
        (("-b", BOARD, "--rig", "real", "--pace", "virtual"), "a second takes a second"),
        (("--rig", "real"), "no board was named"),
    ],
)
def test_what_cannot_be_watched_is_told(
    fwgen: Callable[..., Ran], arguments: tuple[str, ...], says: str
) -> None:
    ran = fwgen("watch", *arguments)
    assert ran.code == 2
    assert says in ran.said
    assert "Traceback" not in ran.err


def test_of_two_probes_none_is_guessed(fwgen: Callable[..., Ran], blink: Image) -> None:
    with running(blink, uid="ONE"), running(blink, uid="TWO"):
        ran = fwgen("watch", "-b", BOARD, "--rig", "real", "--for", "1s")
    assert ran.code == 2
    assert "I do not guess" in ran.said


def test_a_press_without_a_wire_is_refused(fwgen: Callable[..., Ran], blink: Image) -> None:
    with running(blink) as board:
        ran = fwgen(
            "watch", "-b", BOARD, "--probe", board.uid, "--for", "1s", "--press", "B1@100ms"
        )
    assert ran.code == 2
    assert "nothing is wired to PC13" in ran.said


@pytest.mark.skipif(os.name != "posix", reason="needs a pseudo-terminal")
def test_a_screen_tells_how_often_it_looks_and_leaves_the_terminal_as_it_was(
    blink: Image, tmp_path: Path
) -> None:
    pexpect = pytest.importorskip("pexpect")
    api.write_hex(blink, tmp_path / "b.hex")
    child = pexpect.spawn(
        "sh", ["-c", '"$@"; echo "exit code $?"; stty -a', "sh", sys.executable, "-m", "fwgen",
               "watch", str(tmp_path / "b.hex"), "-b", BOARD, "--rig", "virtual"],
        encoding="utf-8", timeout=60, dimensions=(24, 110),
        env={**os.environ, "TERM": "xterm", "NO_COLOR": "1", "PYTHONUTF8": "1"},
    )  # fmt: skip
    child.expect_exact("in software, behind probe VIRT")
    child.expect(r"awake [\d.]+ %")
    child.expect(r"sampled every [\d.]+ \ws, [\d.]+ \ws at the longest")
    child.expect(r"LD2.{0,99}Hz")
    child.send("b")
    child.expect(r"B1.{0,60}for \d")  # it has moved
    child.send("\x03")
    child.expect_exact("exit code 0")
    assert " icanon" in child.read().replace("\r\n", " ")
    child.close(force=True)
