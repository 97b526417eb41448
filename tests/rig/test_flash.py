"""An image onto the board, through pyocd's own code and a virtual board's debug port."""

from __future__ import annotations

import os
from contextlib import contextmanager, suppress
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

import pytest

from fwgen.errors import (
    FwgenError,
    ImageError,
    InputError,
    ProtectedChipError,
    RigError,
    WrongChipError,
)
from fwgen.image.types import Image, Segment
from fwgen.rig.backup import Store, all_backups, choose_backup
from fwgen.rig.connection import Connection
from fwgen.rig.flash import flash_board, program, restore
from fwgen.rig.lock import locked
from fwgen.rig.probes import choose_probe, find_probes
from fwgen.trace import Edge
from fwgen.virtual.board import VirtualBoard
from fwgen.virtual.faults import Faults
from tests.machine.core.firmware import GPIOA, firmware
from tests.rig.cycles import Cycles

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from fwgen.board.types import Board
    from fwgen.rig.flash import Programmed

BASE, SIZE = 0x0800_0000, 0x8_0000
FIRST = 0x4000  # size of a small sector
MS = 10**9
BLINK = f"""
start:
{GPIOA}
    mov r2, #0x20
loop:
    ldr r1, [r0, #0x14]
    eor r1, r1, r2
    str r1, [r0, #0x14]
    ldr r3, =4000
wait:
    subs r3, r3, #1
    bne wait
    b loop
"""


def image(size: int, seed: int = 1, at: int = BASE) -> Image:
    """Something with a vector table that leads to itself."""
    data = bytearray(Random(seed).randbytes(size))
    data[:8] = (0x2001_8000).to_bytes(4, "little") + (at + 9).to_bytes(4, "little")
    return Image(segments=(Segment(at, bytes(data)),), entry=at + 9, initial_sp=0x2001_8000)


def bytes_of(what: Image) -> bytes:
    return what.segments[0].data


@pytest.fixture
def plug(board: Board) -> Iterator[Callable[..., VirtualBoard]]:
    """Plugs virtual boards in until the test ends."""
    from contextlib import ExitStack

    with ExitStack() as held:

        def make(flash: bytes | None = None, **faults: object) -> VirtualBoard:
            made = VirtualBoard(board, flash=flash, faults=Faults(**faults))  # type: ignore[arg-type]
            held.callback(made.close)
            held.enter_context(made.plugged())
            return made

        yield make


@pytest.fixture
def flash(board: Board) -> Callable[..., Programmed]:
    """Flashes a plugged-in board."""

    def run(made: VirtualBoard, what: Image, **how: object) -> Programmed:
        return flash_board(board, what, probe=made.uid, clock=made, **how)  # type: ignore[arg-type]

    return run


Plug = "Callable[..., VirtualBoard]"
Flash = "Callable[..., Programmed]"


# ---------------------------------------------------------------------- it lands, and it runs


def test_the_board_holds_the_image_and_runs_it(plug: Plug, flash: Flash) -> None:
    made = plug()
    edges: list[Edge] = []
    made.listen(lambda event: edges.append(event) if isinstance(event, Edge) else None)
    blink = firmware(BLINK)
    done = flash(made, blink)
    assert made.flash()[: blink.flash_used] == bytes_of(blink)
    edges.clear()
    made.sleep(10 * MS)
    assert len([edge for edge in edges if edge.pin == "PA5"]) > 5
    assert done.identity.dev_id == 0x433
    assert done.bytes == blink.flash_used
    assert done.ps > 0


@pytest.mark.parametrize("size", [9, 1000, FIRST, FIRST + 1, 0x1_0000 + 5])
def test_any_size_lands_whole_and_the_rest_of_its_sectors_is_blank(
    plug: Plug, flash: Flash, size: int
) -> None:
    made = plug(flash=bytes(SIZE))
    what = image(size)
    done = flash(made, what, backup=False)
    end = BASE + size
    touched = [s for s in sectors() if s[0] < end]
    after = made.flash()
    assert after[:size] == bytes_of(what)
    last = touched[-1][0] + touched[-1][1] - BASE
    assert after[size:last] == b"\xff" * (last - size)
    assert after[last:] == bytes(SIZE - last)
    assert done.erased == done.programmed == tuple(range(len(touched)))


def sectors() -> list[tuple[int, int]]:
    found, at = [], BASE
    for size in [0x4000] * 4 + [0x1_0000] + [0x2_0000] * 3:
        found.append((at, size))
        at += size
    return found


def test_an_image_elsewhere_leaves_the_vector_table_alone(plug: Plug, flash: Flash) -> None:
    made = plug(flash=bytes(SIZE))
    what = image(300, at=BASE + 0x8100)
    assert flash(made, what).programmed == (2,)
    after = made.flash()
    assert after[:0x8000] == bytes(0x8000)
    assert after[0x8100 : 0x8100 + 300] == bytes_of(what)
    assert after[0x8000:0x8100] == b"\xff" * 0x100


def test_an_image_in_pieces_lands_in_pieces(plug: Plug, flash: Flash) -> None:
    made = plug()
    pieces = tuple(
        Segment(BASE + at, bytes([n] * 10)) for n, at in enumerate((0, 0x3FFB, 0x2_0000))
    )
    flash(made, Image(segments=pieces, entry=BASE + 9, initial_sp=0x2001_8000))
    after = made.flash()
    for piece in pieces:
        at = piece.address - BASE
        assert after[at : at + 10] == piece.data
    assert after.count(b"\xff") == SIZE - 30


def test_what_lies_beside_the_image_can_be_kept(plug: Plug, flash: Flash) -> None:
    before = Random(3).randbytes(SIZE)
    made = plug(flash=before)
    what = image(1000)
    assert flash(made, what, keep=True).erased == (0,)
    assert made.flash() == bytes_of(what) + before[1000:]


# ---------------------------------------------------------------------- no more than is needed


def test_a_sector_that_holds_it_already_is_skipped(plug: Plug, flash: Flash) -> None:
    made, what = plug(), image(3 * FIRST)
    flash(made, what)
    again = flash(made, what)
    assert (again.erased, again.programmed, again.bytes) == ((), (), 0)
    assert again.skipped == (0, 1, 2)
    data = bytearray(bytes_of(what))
    data[FIRST + 7] ^= 0x55
    other = Image(segments=(Segment(BASE, bytes(data)),), entry=BASE + 9, initial_sp=0x2001_8000)
    third = flash(made, other)
    assert (third.erased, third.programmed, third.skipped) == ((1,), (1,), (0, 2))
    assert made.flash()[: 3 * FIRST] == bytes(data)


def test_blank_flash_is_not_erased(plug: Plug, flash: Flash) -> None:
    made = plug()
    done = flash(made, image(2 * FIRST))
    assert done.erased == ()
    assert done.programmed == (0, 1)


def test_with_force_it_is_written_anew(plug: Plug, flash: Flash) -> None:
    made, what = plug(), image(1000)
    flash(made, what)
    done = flash(made, what, force=True)
    assert done.erased == done.programmed == (0,)
    assert made.flash()[:1000] == bytes_of(what)


def test_progress_is_told_up_to_the_end(plug: Plug, flash: Flash) -> None:
    told: dict[str, list[tuple[int, int]]] = {}

    def progress(what: str, done: int, total: int) -> None:
        told.setdefault(what, []).append((done, total))

    made = plug(flash=bytes(SIZE))
    flash(made, image(2 * FIRST), progress=progress)
    assert list(told) == ["read", "back up", "check", "erase", "program", "verify"]
    for steps in told.values():
        dones = [done for done, _total in steps]
        assert dones == sorted(dones)
        assert steps[-1][0] == steps[-1][1]


# ---------------------------------------------------------------------- what it refuses


def test_an_image_that_does_not_fit_is_refused_before_anything(plug: Plug, flash: Flash) -> None:
    made = plug(flash=bytes(SIZE))
    for bad in (image(16, at=BASE - 16), image(16, at=BASE + SIZE - 8), image(16, at=0x2000_0000)):
        with pytest.raises(ImageError, match="not in the flash"):
            flash(made, bad)
    with pytest.raises(ImageError, match="empty"):
        flash(made, Image(segments=(), entry=0, initial_sp=0))
    assert made.flash() == bytes(SIZE)


@pytest.mark.parametrize("idcode", [0x1000_6423, 0x1000_6431, 0x1000_6FFF, 0])
def test_the_wrong_chip_is_never_written(plug: Plug, flash: Flash, idcode: int) -> None:
    before = Random(4).randbytes(SIZE)
    made = plug(flash=before, idcode=idcode)
    with pytest.raises(WrongChipError, match="not the STM32F401RE"):
        flash(made, image(1000))
    assert made.flash() == before
    assert all_backups() == ()


def test_a_chip_protected_against_reading_is_left_alone(plug: Plug, flash: Flash) -> None:
    before = Random(5).randbytes(SIZE)
    made = plug(flash=before, read_protected=True)
    with pytest.raises(ProtectedChipError, match="level 1"):
        flash(made, image(1000))
    assert made.flash() == before


def test_a_write_protected_sector_is_refused_before_any_is_erased(plug: Plug, flash: Flash) -> None:
    before = Random(6).randbytes(SIZE)
    made = plug(flash=before, write_protected=frozenset({1}))
    with pytest.raises(ProtectedChipError, match="sector 1 is write-protected"):
        flash(made, image(2 * FIRST))
    assert made.flash() == before
    assert flash(made, image(FIRST)).erased == (0,)


def test_a_controller_that_stays_busy_is_told(plug: Plug, flash: Flash) -> None:
    made = plug(flash=bytes(SIZE), stuck_busy=0)
    with pytest.raises(RigError, match="stays busy") as caught:
        flash(made, image(1000))
    assert "incomplete" in caught.value.message
    assert "kept as" in caught.value.message
    assert "flash it again" in (caught.value.hint or "")


def test_a_probe_in_use_is_refused(plug: Plug, flash: Flash) -> None:
    made = plug(flash=bytes(SIZE))
    with locked(made.uid), pytest.raises(RigError, match="in use by another fwgen"):
        flash(made, image(1000))
    assert made.flash() == bytes(SIZE)


def test_two_boards_are_not_guessed_from(plug: Plug, board: Board) -> None:
    one, two = plug(), plug()
    with pytest.raises(RigError, match="I do not guess"):
        flash_board(board, image(100))
    flash_board(board, image(100), probe=two.uid)
    assert one.flash() == b"\xff" * SIZE
    assert two.flash()[:100] == bytes_of(image(100))


# ---------------------------------------------------------------------- what is kept


def test_the_whole_flash_is_kept_the_first_time(plug: Plug, flash: Flash) -> None:
    before = Random(7).randbytes(SIZE)
    made = plug(flash=before)
    done = flash(made, image(1000))
    assert done.backup is not None
    assert (done.backup.kind, done.backup.why) == ("whole", "first seen")
    assert done.backup.read() == {BASE: before}
    assert done.backup.unique_id == done.identity.unique_id


def test_later_what_is_erased_is_kept_once(plug: Plug, flash: Flash) -> None:
    made = plug()
    one, two = image(1000, seed=1), image(1000, seed=2)
    flash(made, one)
    second = flash(made, two)
    assert second.backup is not None
    assert second.backup.kind == "part"
    assert second.backup.read() == {BASE: bytes_of(one) + b"\xff" * (FIRST - 1000)}
    assert flash(made, one).backup is not None
    assert flash(made, two).backup is None, "both are kept by now"
    assert flash(made, two).backup is None


def test_keeping_can_be_asked_for_and_forbidden(plug: Plug, flash: Flash) -> None:
    made = plug(flash=bytes(SIZE))
    assert flash(made, image(1000), backup=False).backup is None
    assert all_backups() == ()
    for _ in range(2):
        done = flash(made, image(1000), backup=True)
        assert done.backup is not None
        assert (done.backup.kind, done.backup.why) == ("whole", "asked for")


def test_a_folder_that_cannot_be_written_stops_it_before_erasing(
    plug: Plug, flash: Flash, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = plug(flash=bytes(SIZE))

    def full(_number: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("fwgen.rig.places.os.fsync", full)
    with pytest.raises(FwgenError, match="nothing was erased"):
        flash(made, image(1000))
    assert made.flash() == bytes(SIZE)


def test_what_was_there_is_put_back(plug: Plug, flash: Flash, board: Board) -> None:
    before = Random(8).randbytes(SIZE)
    made = plug(flash=before)
    flash(made, image(2 * FIRST + 50))
    flash(made, image(3000, seed=2))
    with Connection(board, choose_probe(board, made.uid), clock=made) as connection:
        store = Store(str(connection.identity.unique_id))
        done = restore(connection, choose_backup(store.backups(), None))
    assert made.flash() == before
    assert done.skipped, "sectors that were never touched are left alone"
    with Connection(board, choose_probe(board, made.uid), clock=made) as connection:
        restore(connection, choose_backup(store.backups(), "last"))
    assert made.flash()[:3000] == bytes_of(image(3000, seed=2)), "restoring can be undone, too"


def test_a_backup_of_another_kind_of_chip_is_refused(
    plug: Plug, flash: Flash, board: Board
) -> None:
    from dataclasses import replace

    made = plug(flash=bytes(SIZE))
    kept = flash(made, image(100)).backup
    assert kept is not None
    with (
        Connection(board, choose_probe(board, made.uid), clock=made) as connection,
        pytest.raises(InputError, match="the backup is of stm32f401re"),
    ):
        restore(connection, replace(kept, dev_id=0x431))
    assert made.flash()[:100] == bytes_of(image(100))


# ---------------------------------------------------------------------- interrupted


def test_a_cable_pulled_anywhere_is_told_and_repeating_mends_it(
    plug: Plug, flash: Flash, board: Board
) -> None:
    before = Random(9).randbytes(2 * FIRST)
    what = image(FIRST + 2000)
    whole = plug(flash=before)
    flash(whole, what, backup=False)
    said, states = set(), set()
    for after in (20, 90, 120, 150, 182, 200, 260, 300, 400, 600):
        made = plug(flash=before, drop_after=after)
        with suppress(RigError), told(said):
            flash(made, what)
        states.add(state_of(made, before, bytes_of(what)))
        made.faults = Faults()  # plugged in again
        flash(made, what)
        assert made.flash() == whole.flash()
    assert said
    assert all("the probe is gone" in text for text in said)
    assert "as before" in states
    assert states & {"torn", "no vectors"}


@contextmanager
def told(said: set[str]) -> Iterator[None]:
    """Collects what errors say, each of which has a cure."""
    try:
        yield
    except FwgenError as error:
        said.add(error.message if error.hint else f"{error.message}, without a cure")
        raise


def state_of(made: VirtualBoard, before: bytes, data: bytes) -> str:
    now = made.flash()
    if now[: len(before)] == before:
        return "as before"
    if now[: len(data)] == data:
        return "as it shall be"
    return "no vectors" if now[:8] == b"\xff" * 8 else "torn"


def test_an_interrupted_flash_is_remembered_until_it_is_repeated(
    plug: Plug, flash: Flash, board: Board
) -> None:
    made = plug(flash=bytes(SIZE), power_fails_after=20)
    with pytest.raises(RigError, match="incomplete"):
        flash(made, image(1000))
    uid = all_backups()[0].unique_id
    assert Store(uid).pending == (0,)
    made.power_cycle()
    done = flash(made, image(1000))
    assert "the last flash of this chip was interrupted" in done.notes
    assert Store(uid).pending == ()
    assert flash(made, image(1000)).notes == ()


@pytest.mark.parametrize("during", ["back up", "erase", "program", "verify"])
def test_ctrl_c_says_whether_anything_was_written(plug: Plug, flash: Flash, during: str) -> None:
    made = plug(flash=bytes(SIZE))

    def stop(what: str, _done: int, _total: int) -> None:
        if what == during:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt) as caught:
        flash(made, image(1000), progress=stop)
    if during == "back up":
        assert str(caught.value) == ""
        assert made.flash() == bytes(SIZE)
    else:
        assert "incomplete" in str(caught.value)
        assert Store(all_backups()[0].unique_id).pending == (0,)
    flash(made, image(1000))
    assert made.flash()[:1000] == bytes_of(image(1000))


def test_the_vector_table_is_gone_first_and_back_last(
    plug: Plug, flash: Flash, board: Board, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = plug(flash=bytes(SIZE))
    order: list[tuple[str, int]] = []
    erase, one = Connection.erase, Connection.program

    def erased(self: Connection, sector: object) -> None:
        order.append(("erase", sector.number))  # type: ignore[attr-defined]
        erase(self, sector)  # type: ignore[arg-type]

    def programmed(self: Connection, address: int, *rest: object, **how: object) -> None:
        order.append(("program", address))
        if address == BASE:
            assert how["first_page_last"]
        one(self, address, *rest, **how)  # type: ignore[arg-type]

    monkeypatch.setattr(Connection, "erase", erased)
    monkeypatch.setattr(Connection, "program", programmed)
    flash(made, image(2 * FIRST + 100))
    assert order == [
        ("erase", 0), ("erase", 1), ("erase", 2),
        ("program", BASE + 2 * FIRST), ("program", BASE + FIRST), ("program", BASE),
    ]  # fmt: skip


def test_bad_reads_never_pass_for_good_ones(plug: Plug, flash: Flash) -> None:
    before = Random(11).randbytes(SIZE)
    outcomes = set()
    for seed in range(4):
        made = plug(flash=before, bit_errors=10 ** -(2 + seed % 3), seed=seed)
        try:
            done = flash(made, image(1000))
        except FwgenError:
            outcomes.add("refused")
            continue
        outcomes.add("flashed")
        assert made.flash()[:1000] == bytes_of(image(1000))
        assert done.backup is not None
        assert done.backup.read() == {BASE: before}
    assert "refused" in outcomes


def test_faults_of_every_kind_leave_no_board_in_a_state_that_nobody_knows(board: Board) -> None:
    tally = Cycles(board, seed=2).run(9)
    assert tally.flashed >= 2
    assert tally.refused >= 2


# ---------------------------------------------------------------------- the connection


def test_nothing_in_the_current_folder_is_run_or_left(
    plug: Plug, flash: Flash, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "pyocd_user.py").write_text("raise SystemExit('ran')")
    (tmp_path / "pyocd.yaml").write_text("target_override: nothing\n")
    flash(plug(), image(100))
    assert Path.cwd() == tmp_path
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["data", "pyocd.yaml", "pyocd_user.py"]


def test_a_folder_that_is_gone_is_no_obstacle(
    plug: Plug, flash: Flash, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    made = plug()
    try:
        flash(made, image(100))
    finally:
        os.chdir(tmp_path)
    assert made.flash()[:100] == bytes_of(image(100))


def test_memory_registers_and_state(plug: Plug, board: Board) -> None:
    made = plug(flash=bytes_of(firmware(BLINK)))
    with Connection(board, choose_probe(board, made.uid), clock=made) as connection:
        assert connection.halted
        connection.write(0x2000_0101, b"unaligned")
        assert connection.read(0x2000_0101, 9) == b"unaligned"
        connection.write_word(0x2000_0200, 0x1234_5678)
        assert connection.read_word(0x2000_0200) == 0x1234_5678
        assert connection.read_half(0x2000_0202) == 0x1234
        assert connection.try_word(0x3000_0000) is None
        with pytest.raises(RigError, match="0x30000000"):
            connection.read_word(0x3000_0000)
        connection.reset(halt=True)
        pc, sp = connection.registers("pc", "sp")
        assert pc == connection.read_word(BASE + 4) & ~1
        assert sp == connection.read_word(BASE)
        connection.run()
        assert not connection.halted
        connection.halt()
        assert connection.halted
    assert made.machine.core is not None


def test_the_core_runs_after_the_connection(plug: Plug, board: Board) -> None:
    made = plug(flash=bytes_of(firmware(BLINK)))
    with Connection(board, choose_probe(board, made.uid)):
        pass
    edges: list[object] = []
    made.listen(lambda event: edges.append(event) if isinstance(event, Edge) else None)
    made.sleep(10 * MS)
    assert edges


@pytest.mark.parametrize("kind", ["stlink", "cmsis-dap", "plain"])
def test_firmware_that_switched_the_debug_pins_off_is_caught_in_reset(
    board: Board, kind: str
) -> None:
    """All pins of GPIOA become outputs: SWDIO and SWCLK among them."""
    cut = f"start:\n{GPIOA}\nldr r1, =0x55555555\nstr r1, [r0, #0]\nforever:\nb forever"
    with VirtualBoard(board, flash=bytes_of(firmware(cut))) as made, made.plugged(kind):
        made.sleep(10 * MS)
        assert made.silence
        done = flash_board(board, image(1000), probe=made.uid, clock=made)
        assert any("only while held in reset" in note for note in done.notes)
        assert made.flash()[:1000] == bytes_of(image(1000))
        assert not made.silence


@pytest.mark.parametrize("kind", ["stlink", "cmsis-dap", "plain"])
def test_any_probe_will_do(board: Board, kind: str) -> None:
    before = Random(12).randbytes(SIZE)
    with VirtualBoard(board, flash=before) as made, made.plugged(kind):
        probes = [probe.uid for probe in find_probes() if made.uid in probe.uid]
        assert len(probes) == 1
        done = flash_board(board, image(2000), probe=probes[0], clock=made)
        assert done.backup is not None
        assert done.backup.read() == {BASE: before}
        assert made.flash()[:2000] == bytes_of(image(2000))


@pytest.mark.parametrize("kind", ["stlink", "cmsis-dap"])
def test_the_wrong_chip_is_refused_over_any_probe(board: Board, kind: str) -> None:
    before = Random(12).randbytes(SIZE)
    faults = Faults(idcode=0x1000_6431)
    with VirtualBoard(board, flash=before, faults=faults) as made, made.plugged(kind):
        with pytest.raises(WrongChipError, match="STM32F411"):
            flash_board(board, image(2000), probe=made.uid, clock=made)
        assert made.flash() == before


@pytest.mark.parametrize("kind", ["stlink", "cmsis-dap"])
@pytest.mark.parametrize("after", [8, 60, 150, 250, 400])
def test_any_cable_may_be_pulled(board: Board, kind: str, after: int) -> None:
    before = Random(12).randbytes(FIRST)
    made = VirtualBoard(board, flash=before, faults=Faults(drop_after=after, replug=False))
    with made, made.plugged(kind):
        with pytest.raises(RigError, match=r"the probe is gone|no debug probe|no probe") as caught:
            flash_board(board, image(2000), probe=made.uid, clock=made)
        assert caught.value.hint
        now = made.flash()
    kept = [b.read()[BASE] for b in all_backups()]
    assert now[:FIRST] == before or kept[0][:FIRST] == before


def test_after_an_error_the_probe_is_free_again(plug: Plug, flash: Flash, board: Board) -> None:
    made = plug(flash=bytes(SIZE), idcode=0x1000_6431)
    for _ in range(2):
        with pytest.raises(WrongChipError):
            flash(made, image(100))
    with Connection(board, choose_probe(board, made.uid), check=False) as connection:
        assert connection.identity.dev_id == 0x431


def test_several_flashes_over_one_connection(plug: Plug, board: Board) -> None:
    made = plug()
    with Connection(board, choose_probe(board, made.uid), clock=made) as connection:
        for seed in range(3):
            program(connection, image(5000, seed=seed))
            assert made.flash()[:5000] == bytes_of(image(5000, seed=seed))


def test_boards_are_flashed_side_by_side(plug: Plug, flash: Flash) -> None:
    from concurrent.futures import ThreadPoolExecutor

    boards = [plug(flash=Random(n).randbytes(FIRST)) for n in range(4)]
    with ThreadPoolExecutor(4) as pool:
        done = list(pool.map(lambda n: flash(boards[n], image(900, seed=n)), range(4)))
    for n, made in enumerate(boards):
        assert made.flash()[:900] == bytes_of(image(900, seed=n))
        assert done[n].programmed == (0,)
    kept = [b.read() for b in all_backups()]
    for n in range(4):
        before = Random(n).randbytes(FIRST)
        assert any(before in data for regions in kept for data in regions.values())


def test_it_is_listed(plug: Plug) -> None:
    made = plug()
    assert made.uid in [probe.uid for probe in find_probes()]
