"""The output folder: all files or none, ours alone, the same bytes each time."""

from __future__ import annotations

import errno
import hashlib
import json
import multiprocessing
import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import fwgen
from fwgen.errors import OutputError
from fwgen.picture import parse_picture
from fwgen.report import folder as folders
from fwgen.report.folder import NAMES, check_folder, contents, folder_name, save
from fwgen.report.pictures import picture_files
from fwgen.trace import Pictured, Trace

if TYPE_CHECKING:
    from fwgen import Result


@pytest.fixture(scope="module")
def result() -> Result:
    return fwgen.generate("blink LED at 2Hz", "nucleo-f401")


@pytest.fixture(scope="module")
def files(result: Result) -> dict[str, bytes]:
    return contents(result)


def state(folder: Path) -> dict[str, tuple[bytes, int]]:
    return {p.name: (p.read_bytes(), p.stat().st_mtime_ns) for p in folder.iterdir()}


def test_every_artefact_is_there(files: dict[str, bytes], tmp_path: Path) -> None:
    made = save(files, tmp_path / "deep" / "er" / "out")
    assert {p.name for p in made.iterdir()} == set(NAMES) == set(files)
    assert {p.stat().st_mode & 0o777 for p in made.iterdir()} == {0o644}


def test_the_report_knows_what_lies_beside_it(files: dict[str, bytes]) -> None:
    report = json.loads(files["report.json"])
    assert set(report["files"]) == set(NAMES) - {"report.json"}
    for name, told in report["files"].items():
        assert told["sha256"] == hashlib.sha256(files[name]).hexdigest()
        assert told["bytes"] == len(files[name])


def test_a_second_run_changes_no_byte(tmp_path: Path) -> None:
    out = tmp_path / "out"
    fwgen.save_result(fwgen.generate("blink LED at 2Hz", "nucleo-f401"), out)
    before = state(out)
    fwgen.save_result(fwgen.generate("blink LED at 2Hz", "nucleo-f401"), out)
    assert state(out) == before


def test_pictures_come_and_go_with_the_result_that_shows_them(
    files: dict[str, bytes], tmp_path: Path
) -> None:
    lit = Pictured.of(0, "MY OLED", parse_picture("#."))
    trace = Trace("machine", "nucleo-f401", 1, (lit, Pictured.of(1, "B", parse_picture("##"))))
    pictures = picture_files(trace)
    assert sorted(pictures) == ["picture-B.png", "picture-MY-OLED.png"]
    assert all(content.startswith(b"\x89PNG") for content in pictures.values())
    report = json.loads(files["report.json"])
    report["files"] |= {name: {} for name in pictures}
    theirs = tmp_path / "picture-of-mine.png"
    theirs.write_bytes(b"mine")
    with_pictures = {**files, **pictures, "report.json": json.dumps(report).encode()}
    save(with_pictures, tmp_path)
    assert {*with_pictures, theirs.name} == {p.name for p in tmp_path.iterdir()}
    save(files, tmp_path)
    assert {*files, theirs.name} == {p.name for p in tmp_path.iterdir()}
    assert theirs.read_bytes() == b"mine"


def test_a_picture_of_somebody_else_is_not_written_over(
    files: dict[str, bytes], tmp_path: Path
) -> None:
    (tmp_path / "picture-OLED.png").write_bytes(b"mine")
    with pytest.raises(OutputError, match=r"picture-OLED\.png, which fwgen did not write"):
        save({**files, "picture-OLED.png": b"ours"}, tmp_path)


def test_another_result_replaces_the_first(files: dict[str, bytes], tmp_path: Path) -> None:
    save(files, tmp_path)
    other = contents(fwgen.generate("blink LED at 3Hz", "nucleo-f401"))
    save(other, tmp_path)
    assert {n: b for n, (b, _) in state(tmp_path).items()} == other


def test_foreign_files_of_these_names_are_refused_and_untouched(
    files: dict[str, bytes], tmp_path: Path
) -> None:
    (tmp_path / "firmware.hex").write_text("a week of work")
    (tmp_path / "report.json").write_text("{}")
    before = state(tmp_path)
    with pytest.raises(OutputError, match=r"holds firmware\.hex, report\.json, which"):
        save(files, tmp_path)
    assert state(tmp_path) == before


def test_foreign_files_of_other_names_stay(files: dict[str, bytes], tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    save(files, tmp_path)
    assert (tmp_path / "notes.txt").read_text() == "mine"


def test_a_folder_in_the_place_of_a_file(files: dict[str, bytes], tmp_path: Path) -> None:
    save(files, tmp_path)
    (tmp_path / "firmware.bin").unlink()
    (tmp_path / "firmware.bin").mkdir()
    with pytest.raises(OutputError, match=r"holds firmware\.bin"):
        save(files, tmp_path)


def test_a_file_in_the_place_of_the_folder(files: dict[str, bytes], tmp_path: Path) -> None:
    taken = tmp_path / "out"
    taken.write_text("mine")
    with pytest.raises(OutputError, match="the output folder is a file"):
        save(files, taken)
    with pytest.raises(OutputError, match="Not a directory"):
        save(files, taken / "below")
    assert taken.read_text() == "mine"


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="needs /proc")
def test_a_folder_that_cannot_be_made(files: dict[str, bytes]) -> None:
    with pytest.raises(OutputError, match="cannot be written: ") as caught:
        save(files, Path("/proc/fwgen/out"))
    assert caught.value.hint == "choose another folder with --out"


@pytest.mark.parametrize("name", ["a\0b", "x" * 300])
def test_an_impossible_name(files: dict[str, bytes], tmp_path: Path, name: str) -> None:
    with pytest.raises(OutputError, match="cannot be written"):
        save(files, tmp_path / name)


@pytest.mark.parametrize("at", range(9))
def test_a_disk_that_fills_up_leaves_all_as_it_was(
    files: dict[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at: int
) -> None:
    old = contents(fwgen.generate("blink LED at 3Hz", "nucleo-f401"))
    kept, fresh = tmp_path / "kept", tmp_path / "new" / "out"
    save(old, kept)
    before = state(kept)
    count = 0
    real = os.fdopen

    def fdopen(handle: int, mode: str) -> object:
        nonlocal count
        count += 1
        if count > at:
            os.close(handle)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return real(handle, mode)

    for folder in (kept, fresh):
        count = 0
        monkeypatch.setattr(folders.os, "fdopen", fdopen)
        changed = sum(not folders._holds(folder / n, c) for n, c in files.items())
        if at >= changed:
            continue
        with pytest.raises(OutputError, match="No space left on device"):
            save(files, folder)
    assert state(kept) == before
    assert not (tmp_path / "new").exists()


def _save_many(files: dict[str, bytes], folder: Path) -> None:
    for _ in range(20):
        save(files, folder)


def test_two_runs_at_once_leave_one_whole_result(files: dict[str, bytes], tmp_path: Path) -> None:
    other = contents(fwgen.generate("blink LED at 3Hz", "nucleo-f401"))
    context = multiprocessing.get_context("spawn")
    workers = [context.Process(target=_save_many, args=(f, tmp_path)) for f in (files, other)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
    assert [worker.exitcode for worker in workers] == [0, 0]
    assert {n: b for n, (b, _) in state(tmp_path).items()} in (files, other)


def test_a_missing_folder_is_no_obstacle_and_is_not_made_by_looking(tmp_path: Path) -> None:
    check_folder(tmp_path / "nothing" / "here")
    assert not (tmp_path / "nothing").exists()


@pytest.mark.parametrize(
    ("prompt", "name"),
    [
        ("blink LED at 2Hz", "blink-led-at-2hz-nucleo-f401"),
        ("../../etc/passwd", "etc-passwd-nucleo-f401"),
        ("…", "firmware-nucleo-f401"),
        ("x" * 200, "x" * 48 + "-nucleo-f401"),
        ("con", "con-nucleo-f401"),
    ],
)
def test_a_folder_is_named_for_its_prompt(prompt: str, name: str) -> None:
    assert folder_name(prompt, "nucleo-f401") == name
