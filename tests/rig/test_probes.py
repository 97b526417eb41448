"""Which probe is meant: the one named, the only one, or the only one that can be; never a guess."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest

from fwgen.errors import RigError
from fwgen.rig import probes
from fwgen.rig.probes import Probe, choose_probe, find_probes

if TYPE_CHECKING:
    from fwgen.board.types import Board


def probe(uid: str, board_id: str | None = None) -> Probe:
    return Probe(uid, "STM32 STLink", "ST", SimpleNamespace(board_id=board_id))


ONE, TWO, THREE = probe("066BFF3033", "0720"), probe("0670FF5555", "0745"), probe("066BFF9999")


def test_the_only_one_is_taken(board: Board) -> None:
    assert choose_probe(board, None, [THREE]) is THREE


def test_none_is_told(board: Board) -> None:
    with pytest.raises(RigError, match="no debug probe is plugged in") as caught:
        choose_probe(board, None, [])
    assert caught.value.hint is not None
    assert "fwgen doctor" in caught.value.hint


def test_several_are_listed_and_not_guessed_from(board: Board) -> None:
    with pytest.raises(RigError, match="I do not guess") as caught:
        choose_probe(board, None, [ONE, THREE])
    assert ONE.uid in caught.value.message
    assert THREE.uid in caught.value.message
    assert caught.value.hint is not None
    assert "--probe" in caught.value.hint


def test_what_the_probes_say_of_themselves_rules_others_out(board: Board) -> None:
    assert choose_probe(board, None, [TWO, ONE]) is ONE


def test_two_of_the_same_board_are_not_guessed_from(board: Board) -> None:
    with pytest.raises(RigError, match="2 debug probes"):
        choose_probe(board, None, [ONE, probe("0671", "0720")])
    with pytest.raises(RigError, match="2 debug probes"):
        choose_probe(board, None, [TWO, probe("0671", "0745")])


@pytest.mark.parametrize("wanted", ["0670ff5555", "0670FF5555", "5555"])
def test_a_name_or_a_part_of_it_chooses(board: Board, wanted: str) -> None:
    assert choose_probe(board, wanted, [ONE, TWO, THREE]) is TWO


def test_a_whole_name_wins_over_a_longer_one(board: Board) -> None:
    short = probe("066BFF")
    assert choose_probe(board, "066BFF", [ONE, short, THREE]) is short


def test_a_part_that_two_have_is_refused(board: Board) -> None:
    with pytest.raises(RigError, match="2 probes have '066B'") as caught:
        choose_probe(board, "066B", [ONE, TWO, THREE])
    assert TWO.uid not in caught.value.message


def test_a_name_that_none_has_is_refused_also_when_there_is_only_one(board: Board) -> None:
    with pytest.raises(RigError, match="no probe 'ABCD'") as caught:
        choose_probe(board, "ABCD", [ONE])
    assert caught.value.hint is not None
    assert ONE.uid in caught.value.hint


@pytest.mark.parametrize("board_id", [None, "0000", 7])
def test_an_id_of_zeros_is_none(board_id: object) -> None:
    assert Probe("1", "x", "", SimpleNamespace(board_id=board_id)).board_id is None


def test_a_probe_that_cannot_say_its_board_is_no_error() -> None:
    class Gone:
        @property
        def board_id(self) -> str:
            raise OSError(19, "No such device")

    assert Probe("1", "x", "", Gone()).board_id is None


def test_they_come_sorted_from_pyocd(monkeypatch: pytest.MonkeyPatch) -> None:
    from pyocd.probe.aggregator import DebugProbeAggregator

    handles = [
        SimpleNamespace(unique_id=uid, product_name="P", vendor_name=None) for uid in ("b", "a")
    ]
    monkeypatch.setattr(DebugProbeAggregator, "get_all_connected_probes", lambda: handles)
    assert [(p.uid, p.name, p.vendor) for p in find_probes()] == [("a", "P", ""), ("b", "P", "")]


def test_what_goes_wrong_while_looking_is_told_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    from pyocd.probe.aggregator import DebugProbeAggregator

    def fail() -> None:
        raise OSError(13, "Access denied (insufficient permissions)")

    monkeypatch.setattr(DebugProbeAggregator, "get_all_connected_probes", fail)
    with pytest.raises(RigError, match="no permission"):
        probes.find_probes()
