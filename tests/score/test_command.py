"""``fwgen score`` as it is typed: tables, pages, exit codes, Ctrl-C, clusters."""

from __future__ import annotations

import importlib.util
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from fwgen.board import list_boards
from fwgen.cli.main import run
from fwgen.contract import dump_contract
from fwgen.score.ledger import RESULTS, load_records
from tests.model.remote.brain import Brain, contract_of, replaced

from .making import BLINK, BOARD, QUIET, write_task

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.model.remote.server import Server

    Lab = Callable[..., Server]

WRONG = replaced('"CLK / 2 - 1"', '"CLK / 4 - 1"')
LONG = QUIET.replace("100 ms", "10 h")


@pytest.fixture
def said(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str]]:
    def call(*arguments: object) -> tuple[int, str]:
        code = run(["score", *map(str, arguments)])
        out, err = capsys.readouterr()
        return code, out + err

    return call


@pytest.fixture
def tasks(tmp_path: Path) -> Path:
    """Three tasks: the embedded model passes one, fails one and refuses one."""
    folder = tmp_path / "tasks"
    write_task(folder, "blinks", BLINK, dump_contract(contract_of(BLINK)))
    write_task(folder, "coffee", "make some coffee", QUIET)
    write_task(folder, "quiet", BLINK, QUIET)
    return folder


def test_a_score_is_told_kept_and_gone_on_with(said, tasks: Path) -> None:
    code, out = said("--set", tasks, "-o", "s", "-j", 1)
    assert code == 0
    assert "33.3 %" in out
    assert "1 pass, 1 fail, 1 refused" in out
    order = [out.index(f" {name} ") for name in ("blinks", "coffee", "quiet")]
    assert order == sorted(order)
    lines = Path("s", RESULTS).read_bytes()
    assert "<h1>fwgen score</h1>" in Path("s/report.html").read_text()
    code, out = said("--set", tasks, "-o", "s", "-j", 1)
    assert "3 of 3 were there already" in out
    assert Path("s", RESULTS).read_bytes() == lines
    code, out = said("--set", tasks, "-o", "s", "-j", 1, "--again", "-t", "blinks")
    assert len(load_records(Path("s"))) == 4


def test_min_pass_decides_the_exit_code(said, tasks: Path) -> None:
    for least, code in ((0.33, 0), (0.34, 1)):
        assert said("--set", tasks, "-o", "s", "-j", 1, "--min-pass", least)[0] == code


def test_json_is_one_object(said, tasks: Path) -> None:
    code, out = said("--set", tasks, "-o", "s", "-j", 1, "--json")
    data = json.loads(out)
    assert (code, data["exit_code"], data["outcome"]) == (0, 0, "scored")
    assert [entry["outcome"] for entry in data["entries"]] == ["pass", "refused", "fail"]


def test_a_regression_is_told_and_fails(said, tasks: Path) -> None:
    assert said("--set", tasks, "-o", "s", "-j", 1)[0] == 0
    old = Path("old.jsonl")
    lines = Path("s", RESULTS).read_text().replace('"outcome": "fail"', '"outcome": "pass"')
    old.write_text(lines)
    code, out = said("--set", tasks, "-o", "s", "--compare", old)
    assert code == 1
    assert "worse" in out
    assert said("--set", tasks, "-o", "s", "--compare", Path("s", RESULTS))[0] == 0


def test_a_model_behind_an_endpoint_in_processes_of_its_own(said, lab: Lab, tasks: Path) -> None:
    lab(Brain(BLINK, [WRONG]))
    code, out = said(
        "--set", tasks, "-t", "blinks", "-o", "s", "-m", "lab/m", "-m", "embedded", "-j", 1,
        "--samples", 2, "--max-cost", "0.5", "--json",
    )  # fmt: skip
    assert code == 0, out
    remote, embedded = json.loads(out)["summaries"]
    assert [p["share"] for p in remote["pass_at"]] == [1.0, 1.0]
    assert (remote["at_once"], remote["repairs"]) == (0.5, 0.5)
    assert remote["cost"] == (remote["tokens_read"] + remote["tokens_written"]) / 1e6
    assert embedded["counts"]["pass"] == 1, "it has one answer"
    code, again = said(
        "--set", tasks, "-t", "blinks", "-o", "r", "-m", "replay:s/transcripts", "-j", 1,
        "--samples", 2, "--json",
    )  # fmt: skip
    assert code == 0, again
    (replayed,) = json.loads(again)["summaries"]
    assert {k: v for k, v in replayed.items() if k != "model"} == {
        k: v for k, v in remote.items() if k != "model"
    }


def test_a_limit_of_all_costs_stops_before_the_next(said, lab: Lab, tasks: Path) -> None:
    server = lab(Brain(BLINK))
    code, out = said(
        "--set", tasks, "-t", "blinks", "-o", "s", "-m", "lab/m", "--samples", 3, "-j", 1,
        "--total-cost", "0.0001",
    )  # fmt: skip
    assert code == 2
    assert "2 were not begun" in out
    assert len(server.asked) == 1


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        (("-t", "nonsense"), "no task is called 'nonsense'"),
        (("--set", "nowhere"), "no such folder"),
        (("-m", "lab/x"), "no provider of that name"),
        (("-m", "replay:none.jsonl"), "no such transcript"),
        (("-b", "nucleo-f999"), "there is no board"),
        (("--compare", "none.jsonl"), "no results here"),
        (("--max-cost", "much"), "no amount of dollars"),
        (("--min-pass", "2"), "--min-pass"),
        (("--dask", "127.0.0.1:1", "-t", "blink"), "dask"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_done(said, arguments, what) -> None:
    code, out = said(*arguments, "-o", "s")
    assert code == 2
    assert what in " ".join(out.split())
    assert not Path("s", RESULTS).exists() or not Path("s", RESULTS).read_bytes()


def test_tasks_are_listed(said) -> None:
    code, out = said("--list", "-t", "servo*")
    assert code == 0
    assert "servo-sweep" in out
    assert "blink" not in out
    data = json.loads(said("--list", "--json")[1])
    assert len(data["tasks"]) >= 60


# ---------------------------------------------------------------------------- processes


def start(*arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "fwgen", "score", *arguments],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
        # As a shell starts a command: with Ctrl-C working, whoever runs the tests.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )  # fmt: skip


def wait_for(what: Callable[[], bool], child: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + 60
    while not what():
        assert child.poll() is None, child.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.05)


def lines(folder: str) -> int:
    path = Path(folder, RESULTS)
    return path.read_bytes().count(b"\n") if path.exists() else 0


@pytest.mark.skipif(os.name == "nt", reason="sends signals to processes of its own")
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_ended_in_the_middle_it_keeps_what_was_done_and_goes_on(
    said, lab: Lab, tasks: Path, how: signal.Signals
) -> None:
    """The second sample never ends: its server says nothing."""
    from tests.model.remote.server import Reply

    brain, asked = Brain(BLINK), []

    def stuck(request):
        asked.append(request)
        return Reply([b" "], hold=True) if len(asked) == 2 else brain(request)

    lab(stuck)
    arguments = ["--set", str(tasks), "-t", "blinks", "-o", "s", "-m", "lab/m", "-j", "1",
                 "--samples", "2"]  # fmt: skip
    child = start(*arguments)
    wait_for(lambda: lines("s") == 1 and len(asked) == 2, child)
    group = children_of(child.pid)
    # A terminal's Ctrl-C goes to the whole group.
    os.killpg(child.pid, how) if how is signal.SIGINT else child.kill()
    _, err = child.communicate(timeout=60)
    if how is signal.SIGINT:
        assert child.returncode == 130
        assert err.strip().startswith("interrupted: 1 of 2 are kept in s; the same command goes on")
        assert "Traceback" not in err
    deadline = time.monotonic() + 30
    while any(Path(f"/proc/{pid}").exists() for pid in group):  # the workers end, too
        assert time.monotonic() < deadline, group
        time.sleep(0.05)
    code, out = said(*arguments)
    assert code == 0, out
    assert "1 of 2 were there already" in out
    assert len(asked) == 3
    assert [record.number for record in load_records(Path("s"))] == [1, 2]


def children_of(pid: int) -> list[int]:
    """The processes below one, where /proc tells."""
    found = []
    for path in Path("/proc").glob(f"{pid}/task/*/children"):
        for child in map(int, path.read_text().split()):
            found += [child, *children_of(child)]
    return found


@pytest.mark.skipif(os.name == "nt", reason="folders are not locked there")
def test_a_second_run_on_the_same_folder_is_refused(said, lab: Lab, tasks: Path) -> None:
    from tests.model.remote.server import Reply

    server = lab(lambda asked: Reply([b" "], hold=True))
    arguments = ["--set", str(tasks), "-t", "blinks", "-o", "s", "-m", "lab/m", "-j", "1"]
    child = start(*arguments)
    wait_for(lambda: bool(server.asked), child)
    code, out = said(*arguments)
    child.send_signal(signal.SIGINT)
    child.communicate(timeout=60)
    assert code == 2
    assert "another run is writing here" in out


@pytest.mark.skipif(
    importlib.util.find_spec("distributed") is None, reason="dask's distributed is not installed"
)
@pytest.mark.filterwarnings("ignore")  # dask's own
def test_a_dask_cluster_does_the_work(said, tasks: Path) -> None:
    from distributed import LocalCluster

    with LocalCluster(
        n_workers=1, threads_per_worker=1, processes=True, host="127.0.0.1", dashboard_address=None
    ) as cluster:
        code, out = said("--set", tasks, "-o", "s", "--dask", cluster.scheduler_address, "--json")
    assert code == 0, out
    assert [entry["outcome"] for entry in json.loads(out)["entries"]] == ["pass", "refused", "fail"]


def test_all_boards_are_scored_side_by_side(said, tasks: Path) -> None:
    code, out = said("--set", tasks, "-t", "coffee", "-o", "s", "-j", 1, "-b", "all", "--json")
    assert code == 0
    known = {board.name for board in list_boards()}
    assert {entry["board"] for entry in json.loads(out)["entries"]} == known > {BOARD}


def test_a_task_that_a_board_has_no_pins_for_is_left_out_there_and_told(said, tasks: Path) -> None:
    write_task(
        tasks, "header", "set D7 high", 'span = "1 s"\n[[expect]]\nlevel = "D7"\nis = "on"\n'
    )
    boards = ("-b", BOARD, "-b", "blackpill-f411")
    code, out = said("--set", tasks, "-t", "header", "-o", "s", "-j", 1, *boards, "--json")
    data = json.loads(out)
    assert [entry["board"] for entry in data["entries"]] == [BOARD]
    assert data["left_out"][0].startswith("header on blackpill-f411")
    assert code == 0
