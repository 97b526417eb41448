"""Nothing is left behind by a test run that is killed. No labgrid is needed."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from . import farm as farms

KILLED = """
import json, sys, time
from tests.rig.labgrid import farm
with (
    farm.boards(2) as boards,
    farm.process(sys.executable, "-c", sys.argv[1]) as stubborn,
):
    pid = int(farm.said(stubborn, ""))
    print(json.dumps([pid, *(board["pid"] for board in boards)]), flush=True)
    time.sleep(600)
"""
STUBBORN = "import os, time; print(os.getpid(), flush=True); time.sleep(600)"


def lives(pid: int) -> bool:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"


def all_end(pids: list[int]) -> bool:
    """Whether none lives in the end; a busy computer takes a while."""
    deadline = time.monotonic() + 30
    while any(lives(pid) for pid in pids):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


@pytest.mark.skipif(sys.platform != "linux", reason="/proc tells a zombie from who lives")
def test_a_killed_run_takes_its_boards_and_its_programs_with_it() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", KILLED, STUBBORN], stdout=subprocess.PIPE, text=True, cwd=farms.ROOT
    ) as run:
        assert run.stdout is not None
        pids = json.loads(run.stdout.readline())
        assert len(pids) == 3
        assert all(lives(pid) for pid in pids)
        run.send_signal(signal.SIGKILL)
    assert all_end(pids), "left behind"


def test_a_program_that_ends_by_itself_ends_its_leash() -> None:
    with farms.process(sys.executable, "-c", "print('over'); raise SystemExit(3)") as program:
        assert farms.said(program, "over") == "over\n"
        assert program.wait(20) == 3


@pytest.mark.skipif(sys.platform != "linux", reason="/proc tells a zombie from who lives")
def test_boards_end_when_nobody_needs_them_any_more() -> None:
    with farms.boards(2) as boards:
        pids = [board["pid"] for board in boards]
        assert all(lives(pid) for pid in pids)
    assert all_end(pids)
