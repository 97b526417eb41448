"""What is kept of a chip: whole, unharmed, and found again."""

from __future__ import annotations

import json
import zipfile
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from fwgen.errors import InputError, OutputError
from fwgen.rig import backup as module
from fwgen.rig.backup import Store, all_backups, choose_backup, open_backup
from fwgen.rig.connection import Sector
from fwgen.rig.identity import Identity
from fwgen.rig.places import write_whole

if TYPE_CHECKING:
    from pathlib import Path

    from fwgen.board.types import Board
    from fwgen.rig.backup import Backup

BASE = 0x0800_0000
IDENTITY = Identity("Cortex-M4", 0x1000_6433, 512 * 1024, "00112233")
WHOLE = bytes(range(256)) * 2048


@pytest.fixture
def store() -> Store:
    return Store("00112233")


def keep(store: Store, board: Board, there: dict[int, bytes], **how: object) -> Backup:
    facts = {"kind": "part", "why": "before a flash", **how}
    return store.keep(board, IDENTITY, there, **facts)  # type: ignore[arg-type]


def test_what_was_kept_is_what_comes_back(store: Store, board: Board) -> None:
    made = keep(store, board, {BASE: WHOLE}, kind="whole", why="first seen")
    assert store.backups() == (made,)
    assert made.read() == {BASE: WHOLE}
    assert (made.board, made.chip, made.dev_id, made.size) == (
        "nucleo-f401", "stm32f401re", 0x433, len(WHOLE),
    )  # fmt: skip
    assert open_backup(made.path) == made


def test_any_tool_opens_it(store: Store, board: Board) -> None:
    made = keep(store, board, {BASE: b"ab", BASE + 0x4000: b"cd"})
    with zipfile.ZipFile(made.path) as archive:
        assert archive.namelist() == ["about.json", "flash-08000000.bin", "flash-08004000.bin"]
        assert archive.read("flash-08004000.bin") == b"cd"


def test_a_chip_counts_as_seen_once_all_of_it_is_kept(store: Store, board: Board) -> None:
    keep(store, board, {BASE: b"ab"})
    assert not store.seen
    keep(store, board, {BASE: WHOLE}, kind="whole")
    assert store.seen
    assert not Store("another").seen


def test_two_in_one_second_are_two(store: Store, board: Board) -> None:
    made = {keep(store, board, {BASE: bytes([n])}).name for n in range(5)}
    assert len(made) == 5
    assert {b.name for b in store.backups()} == made


def test_what_is_kept_already_is_known(store: Store, board: Board) -> None:
    assert store.lacks({BASE: b"abcd"})
    keep(store, board, {BASE: WHOLE}, kind="whole")
    keep(store, board, {BASE: b"abcd"})
    assert not store.lacks({BASE: b"abcd"})
    assert not store.lacks({BASE + 0x4000: WHOLE[0x4000:0x8000]})
    assert store.lacks({BASE + 0x4000: b"abcd"}), "the same bytes elsewhere are something else"
    assert store.lacks({BASE: b"abcd", BASE + 4: b"abcd"})


@pytest.mark.parametrize("at", [0, 40, -30])
def test_a_damaged_one_is_refused(store: Store, board: Board, at: int) -> None:
    made = keep(store, board, {BASE: WHOLE}, kind="whole")
    data = bytearray(made.path.read_bytes())
    data[at] ^= 0xFF
    made.path.write_bytes(data)
    with pytest.raises(InputError, match="damaged"):
        open_backup(made.path).read()


def test_one_whose_bytes_were_exchanged_is_refused(store: Store, board: Board) -> None:
    made = keep(store, board, {BASE: b"abcd"})
    with zipfile.ZipFile(made.path) as archive:
        about = archive.read("about.json")
    with zipfile.ZipFile(made.path, "w") as archive:
        archive.writestr("about.json", about)
        archive.writestr("flash-08000000.bin", b"abce")
    with pytest.raises(InputError, match="not what was kept"):
        open_backup(made.path).read()


def test_one_of_a_later_version_says_so(store: Store, board: Board) -> None:
    made = keep(store, board, {BASE: b"abcd"})
    with zipfile.ZipFile(made.path) as archive:
        about = json.loads(archive.read("about.json"))
    with zipfile.ZipFile(made.path, "w") as archive:
        archive.writestr("about.json", json.dumps(about | {"fwgen_backup": 2}))
    with pytest.raises(InputError, match="version 2"):
        open_backup(made.path)


def test_files_that_are_no_backups_are_passed_over(store: Store, board: Board) -> None:
    made = keep(store, board, {BASE: b"abcd"})
    (store.folder / "stray.zip").write_bytes(b"PK")
    (store.folder / ".half.zip.1.tmp").write_bytes(b"PK")
    assert store.backups() == (made,)
    assert all_backups() == (made,)


def test_no_room_is_told_and_leaves_nothing_half(
    store: Store, board: Board, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_number: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("fwgen.rig.places.os.fsync", full)
    with pytest.raises(OutputError, match=r"No space left.*nothing was erased") as caught:
        keep(store, board, {BASE: b"abcd"})
    assert caught.value.hint is not None
    assert "--no-backup" in caught.value.hint
    assert list(store.folder.iterdir()) == []


def test_a_file_is_replaced_whole(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b"
    write_whole(path, b"one")
    write_whole(path, b"two")
    assert path.read_bytes() == b"two"
    assert list(path.parent.iterdir()) == [path]


def test_the_oldest_parts_make_room_and_whole_ones_stay(
    store: Store, board: Board, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = keep(store, board, {BASE: WHOLE}, kind="whole")
    first = keep(store, board, {BASE: b"1" * 100})
    monkeypatch.setattr(module, "MOST_BYTES", 2 * first.path.stat().st_size)
    made = [keep(store, board, {BASE: f"{n}".encode() * 100}) for n in range(2, 6)]
    assert [b for b in store.backups() if b.kind == "part"] == made[-2:]
    assert whole in store.backups()


# ---------------------------------------------------------------------- the record


def test_the_record_says_what_was_under_way(store: Store) -> None:
    assert store.pending == ()
    store.begin([Sector(3, BASE + 0xC000, 0x4000), Sector(0, BASE, 0x4000)])
    assert Store("00112233").pending == (0, 3)
    store.begin([Sector(1, BASE + 0x4000, 0x4000)])
    assert store.pending == (0, 1, 3), "what is still open stays so"
    store.settle([3])
    assert store.pending == (3,)
    store.settle()
    assert store.pending == ()


@pytest.mark.parametrize("text", ["", "{", '{"pending": 3}', "[]", '{"pending": ["x"]}'])
def test_a_record_that_cannot_be_read_is_none(store: Store, text: str) -> None:
    store.folder.mkdir(parents=True)
    (store.folder / "record.json").write_text(text)
    assert store.pending == ()


# ---------------------------------------------------------------------- choosing


@pytest.fixture
def three(store: Store, board: Board) -> tuple[Backup, ...]:
    made = [
        keep(store, board, {BASE: WHOLE}, kind="whole", why="first seen"),
        keep(store, board, {BASE: b"mine"}),
        keep(store, board, {BASE: b"torn"}, interrupted=True),
    ]
    return tuple(replace(b, made=b.made + timedelta(hours=n)) for n, b in enumerate(made))


def test_by_itself_it_is_the_whole_as_first_seen(three: tuple[Backup, ...]) -> None:
    assert choose_backup(three, None) is three[0]


def test_last_is_what_the_last_flash_replaced_not_what_was_torn(three: tuple[Backup, ...]) -> None:
    assert choose_backup(three, "last") is three[1]


def test_a_name_or_its_beginning_chooses(three: tuple[Backup, ...]) -> None:
    assert choose_backup(three, three[2].name) is three[2]
    assert choose_backup(three, three[0].name[:-2]) is three[0]
    with pytest.raises(InputError, match="several backups begin with '2'"):
        choose_backup(three, "2")
    with pytest.raises(InputError, match="no backup '1999'") as caught:
        choose_backup(three, "1999")
    assert caught.value.hint is not None
    assert three[0].name in caught.value.hint


def test_a_file_chooses_whatever_chip_it_is_of(three: tuple[Backup, ...]) -> None:
    assert choose_backup((), str(three[1].path)).name == three[1].name
    with pytest.raises(InputError, match="no such file"):
        choose_backup((), "nowhere.zip")


def test_nothing_kept_is_told(three: tuple[Backup, ...]) -> None:
    with pytest.raises(InputError, match="nothing is kept"):
        choose_backup((), None)
    with pytest.raises(InputError, match="no such backup"):
        choose_backup(three[1:], None)
