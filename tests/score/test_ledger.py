"""What was done is kept, whole, whatever ends a run; nothing is done twice."""

from __future__ import annotations

import json
import os
from concurrent.futures import BrokenExecutor, Executor, Future
from fractions import Fraction
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fwgen.errors import BenchError, InputError, OutputError
from fwgen.score import sweep as sweeping
from fwgen.score.ledger import RESULTS, load_records, open_ledger
from fwgen.score.models import TRANSCRIPT
from fwgen.score.sweep import spent, sweep, to_do
from fwgen.score.trial import Trial

from .making import a_cell, a_record, a_task, a_trial

if TYPE_CHECKING:
    from pathlib import Path

    from .conftest import Here

TASK = a_task()
CELLS = [a_cell(TASK, "lab/m", number) for number in range(1, 7)]


@pytest.fixture
def tried(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Cells are tried by nobody: each passes; their numbers are kept in the order of trial."""
    numbers: list[int] = []

    def attempt(cell):
        numbers.append(cell.number)
        return a_trial(cell, cost="0.4")

    monkeypatch.setattr(sweeping, "attempt", attempt)
    return numbers


def test_what_is_kept_is_there_again(tmp_path: Path) -> None:
    with open_ledger(tmp_path / "s") as ledger:
        ledger.keep(CELLS[0], Trial(a_record(CELLS[0]), {".hex": b":00", TRANSCRIPT: b"{}\n"}))
        ledger.keep(CELLS[1], a_trial(CELLS[1], "fail"))
    with open_ledger(tmp_path / "s") as ledger:
        assert [r.outcome for r in ledger.records.values()] == ["pass", "fail"]
        assert to_do(CELLS[:3], ledger) == [CELLS[2]]
    label = CELLS[0].label
    assert (tmp_path / "s/firmware" / f"{label}.hex").read_bytes() == b":00"
    assert (tmp_path / "s/transcripts" / f"{label}{TRANSCRIPT}").read_bytes() == b"{}\n"


def test_an_error_is_tried_again_and_its_last_word_counts(tmp_path: Path) -> None:
    with open_ledger(tmp_path) as ledger:
        ledger.keep(CELLS[0], a_trial(CELLS[0], "error"))
        assert to_do(CELLS[:1], ledger) == CELLS[:1]
        ledger.keep(CELLS[0], a_trial(CELLS[0], "refused"))
    with open_ledger(tmp_path) as ledger:
        assert to_do(CELLS[:1], ledger) == []
        assert to_do(CELLS[:1], ledger, again=True) == CELLS[:1]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(st.integers(0, 2000))
def test_a_file_cut_anywhere_loses_at_most_the_line_that_was_cut(tmp_path: Path, cut: int) -> None:
    folder = tmp_path / str(cut)
    with open_ledger(folder) as ledger:
        for cell in CELLS[:3]:
            ledger.keep(cell, a_trial(cell))
    path = folder / RESULTS
    whole = path.read_bytes()
    path.write_bytes(whole[:cut])
    lines = whole[:cut].count(b"\n")
    assert len(load_records(path)) == lines, "a reader sees no half line"
    with open_ledger(folder) as ledger:
        assert len(ledger.records) == lines
        for cell in to_do(CELLS[:3], ledger):
            ledger.keep(cell, a_trial(cell))
    assert path.read_bytes() == whole
    (folder / RESULTS).unlink()


def test_two_runs_at_once_are_refused(tmp_path: Path) -> None:
    with (
        open_ledger(tmp_path),
        pytest.raises(InputError, match="another run"),
        open_ledger(tmp_path),
    ):
        pass
    with open_ledger(tmp_path):
        pass


def test_a_file_of_somebody_else_is_refused_and_untouched(tmp_path: Path) -> None:
    path = tmp_path / RESULTS
    path.write_text('{"precious": 1}\n')
    with pytest.raises(InputError) as caught, open_ledger(tmp_path):
        pass
    assert "line 1" in (caught.value.where or "")
    assert path.read_text() == '{"precious": 1}\n'


def test_a_disk_that_is_full_leaves_no_half_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with open_ledger(tmp_path) as ledger:
        ledger.keep(CELLS[0], a_trial(CELLS[0]))
        before = (tmp_path / RESULTS).read_bytes()

        def full(handle: int) -> None:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(os, "fsync", full)
        with pytest.raises(OutputError, match="No space left"):
            ledger.keep(CELLS[1], a_trial(CELLS[1]))
        assert (tmp_path / RESULTS).read_bytes() == before
        assert CELLS[1].key not in ledger.records


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError), open_ledger(tmp_path / "file" / "s"):
        pass


# ---------------------------------------------------------------------------- sweeping


def test_everything_is_tried_once(tmp_path: Path, here: Here, tried: list[int]) -> None:
    with open_ledger(tmp_path) as ledger:
        assert sweep(CELLS, ledger, here) == 0
        assert sorted(tried) == [1, 2, 3, 4, 5, 6]
        assert to_do(CELLS, ledger) == []
    assert len(load_records(tmp_path)) == 6


def test_an_interruption_keeps_what_was_done(tmp_path: Path, here: Here, tried: list[int]) -> None:
    def stop(cell, record) -> None:
        if cell.number == 3:
            raise KeyboardInterrupt

    with open_ledger(tmp_path) as ledger, pytest.raises(KeyboardInterrupt):
        sweep(CELLS, ledger, here, width=1, tell=stop)
    with open_ledger(tmp_path) as ledger:
        left = to_do(CELLS, ledger)
        assert [cell.number for cell in left] == [4, 5, 6]
        sweep(left, ledger, here)
    assert tried == [1, 2, 3, 4, 5, 6]


def test_no_more_is_begun_once_the_money_is_spent(
    tmp_path: Path, here: Here, tried: list[int]
) -> None:
    with open_ledger(tmp_path) as ledger:
        left = sweep(
            CELLS, ledger, here, width=1, may_go_on=lambda: spent(ledger, CELLS) < Fraction(1)
        )
        assert (left, tried) == (3, [1, 2, 3])
        assert spent(ledger, CELLS) == Fraction("1.2")


class Broken(Executor):
    def submit(self, fn, /, *args, **kwargs):
        future: Future[object] = Future()
        future.set_exception(BrokenExecutor("a child ended"))
        return future


def test_a_worker_that_dies_is_an_error_that_says_how_to_go_on(tmp_path: Path) -> None:
    with open_ledger(tmp_path) as ledger, pytest.raises(BenchError) as caught:
        sweep(CELLS, ledger, Broken())
    assert "run it again" in (caught.value.hint or "")


def test_a_key_is_of_all_that_was_asked() -> None:
    keys = {cell.key for cell in CELLS}
    keys.add(a_cell(TASK, "lab/m", 1, attempts=9).key)
    keys.add(a_cell(TASK, "lab/n").key)
    keys.add(a_cell(a_task("blink LED at 3 Hz"), "lab/m").key)
    keys.add(a_cell(a_task(contract='span = "1 s"\n[[expect]]\nquiet = true\n'), "lab/m").key)
    assert len(keys) == len(CELLS) + 4
    assert a_cell(TASK).key == a_cell(TASK, attempts=9).key, "the embedded model takes nothing"


def test_lines_hold_no_time_of_day(tmp_path: Path) -> None:
    with open_ledger(tmp_path) as ledger:
        ledger.keep(CELLS[0], a_trial(CELLS[0]))
    (line,) = (tmp_path / RESULTS).read_text().splitlines()
    assert set(json.loads(line)) == {"fwgen_score", *a_record(CELLS[0]).__slots__}
