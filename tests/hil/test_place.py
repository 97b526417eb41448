"""A rig that stays open: one user at a time, several questions, one board."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from fwgen.errors import InputError
from fwgen.hil.board import LackError, RigBoard
from fwgen.hil.place import opened, spec_of
from fwgen.pipeline import generate
from fwgen.rig.lock import ProbeInUseError, is_held, locked
from fwgen.rig.rigs import RigSpec, load_rig
from fwgen.virtual.board import VirtualBoard

if TYPE_CHECKING:
    from pathlib import Path

    from fwgen.board.types import Board

VIRTUAL = RigSpec("virtual", "nucleo-f401", virtual=True)


def test_a_board_that_is_in_use_is_waited_for(nucleo: Board) -> None:
    with VirtualBoard(nucleo) as made, made.plugged():
        spec = RigSpec("desk", nucleo.name, probe=made.uid)
        with locked(made.uid):
            assert is_held(made.uid) == " (this one)"
            with pytest.raises(ProbeInUseError, match="in use"), opened(spec):
                pass
            freed = threading.Event()
        holder = threading.Thread(target=_hold, args=(made.uid, freed))
        holder.start()
        assert freed.wait(10)
        with opened(spec, wait_s=20) as place:
            assert place.probe.uid == made.uid
            assert is_held(made.uid)
        holder.join()
        assert not is_held(made.uid)


def _hold(uid: str, held: threading.Event) -> None:
    with locked(uid):
        held.set()
        threading.Event().wait(0.5)


def test_the_second_flash_of_a_test_is_on_the_same_board(nucleo: Board) -> None:
    with opened(VIRTUAL) as place:
        board = RigBoard(place)
        first = board.flash(generate("blink LED at 20 Hz", nucleo))
        assert first.programmed
        again = board.flash(generate("blink LED at 20 Hz", nucleo))
        assert not again.programmed
        assert again.skipped == first.programmed
        assert place.virtual is not None
        assert place.virtual.flash()[:4] != bytes(4)


def test_everything_is_free_again_after_it(nucleo: Board) -> None:
    with opened(VIRTUAL) as place:
        uid = place.probe.uid
        RigBoard(place).flash(generate("blink LED at 20 Hz", nucleo))
        assert is_held(uid)
    assert not is_held(uid)


def test_what_nothing_is_wired_to_cannot_be_pressed(nucleo: Board) -> None:
    made = VirtualBoard(nucleo)
    spec = RigSpec("desk", nucleo.name, probe=made.uid, port="none")
    with made, made.plugged(), opened(spec) as place:
        board = RigBoard(place)
        with pytest.raises(LackError, match="nothing on the rig desk is wired to B1"):
            board.press("B1", at="1 s")
        with pytest.raises(LackError, match="no serial port"):
            board.send("x", at="1 s")


def test_virtual_is_a_name_that_a_rig_file_may_have(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match="needs a board"):
        spec_of("virtual")
    assert spec_of("virtual", "f401re").board == "nucleo-f401"
    (tmp_path / "rigs").mkdir()
    file = tmp_path / "rigs" / "virtual.toml"
    file.write_text('board = "nucleo-f401"\nvirtual = true\n')
    assert spec_of("virtual").virtual
    for line in ('probe = "1"', 'port = "x"', "[wires]"):
        file.write_text(f'board = "nucleo-f401"\nvirtual = true\n{line}\n')
        with pytest.raises(InputError, match="a virtual board has its own"):
            load_rig(file)
    file.write_text('board = "nucleo-f401"\nvirtual = "yes"\n')
    with pytest.raises(InputError, match="neither true nor false"):
        load_rig(file)
