"""A board that runs by itself: it computes when somebody asks or would notice, and is in time."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

import pytest
import serial

import fwgen
from fwgen.image.write import bin_bytes
from fwgen.trace import SerialByte
from fwgen.units import PS_PER_MS, PS_PER_S
from fwgen.virtual.board import VirtualBoard
from fwgen.virtual.follow import MOST_LAG_PS, Follower
from fwgen.virtual.serial.pty import Pty
from fwgen.virtual.serial.rfc2217 import Rfc2217Server

from .conftest import BOARD

if TYPE_CHECKING:
    from fwgen.trace import Event

SPEED = 5.0


class Moved:
    """A board that does nothing but count how often it is moved."""

    def __init__(self, still_ps: int | None = None, *, breaks: bool = False) -> None:
        self.lock = threading.RLock()
        self.reached_ps = self.moves = 0
        self._still_ps, self._breaks = still_ps, breaks

    @property
    def still_until_ps(self) -> int | None:
        return None if self._still_ps is None else self.reached_ps + self._still_ps

    asked_for_ps: int | None = None

    def move_to(self, ps: int) -> None:
        if self._breaks:
            raise RuntimeError("a model of ours is broken")
        self.reached_ps, self.moves = ps, self.moves + 1


def moves_in_a_second(board: Moved, *, watched: bool) -> int:
    """Each move is of 20 ms at the most: a nap of half a second is 25 of them."""
    follower = Follower(board, "board", 1.0, lambda: watched)
    try:
        time.sleep(1)
        return board.moves
    finally:
        follower.stop()


def test_what_nobody_watches_sleeps() -> None:
    steps = moves_in_a_second(Moved(), watched=False)
    assert 1 <= steps < 150  # every 2 ms would be 500


def test_what_sleeps_itself_is_left_alone_until_it_wakes_also_when_watched() -> None:
    assert 1 <= moves_in_a_second(Moved(still_ps=PS_PER_S // 4), watched=True) < 150


def test_a_board_that_breaks_while_it_follows_is_no_longer_followed() -> None:
    follower = Follower(Moved(breaks=True), "board", 1.0, lambda: True)
    follower.thread.join(20)
    assert not follower.running
    assert "a model of ours" in str(follower.failure)


def test_who_looks_at_a_board_that_slept_finds_it_as_it_is_now() -> None:
    image = fwgen.generate('print "hello" over serial every 20 ms', "nucleo-f401").proof.image
    with VirtualBoard(BOARD, flash=bin_bytes(image)) as board:
        heard: list[Event] = []
        board.listen(heard.append, watching=False)
        board.start_free_running(SPEED)
        lags: list[int] = []
        for _ in range(3):
            before, began = board.now_ps, time.monotonic()
            time.sleep(0.2)
            passed_ps = int((time.monotonic() - began) * SPEED * PS_PER_S)
            now = board.now_ps
            lags.append(before + passed_ps - now)
            # All has happened that must have by now, and nothing that must not.
            assert now - 30 * PS_PER_MS <= heard[-1].t_ps <= now
        assert min(lags) <= MOST_LAG_PS  # a busy computer may be late, not each time


def test_a_byte_for_a_board_that_slept_is_sent_now_and_not_in_the_past() -> None:
    image = fwgen.generate("blink LED at 2 Hz", "nucleo-f401").proof.image
    with VirtualBoard(BOARD, flash=bin_bytes(image)) as board:
        port = board.serial
        assert port is not None
        board.start_free_running(SPEED)
        for _ in range(3):
            time.sleep(0.1)
            with board.lock:
                began = board.now_ps
                port.write(b"x")
                due = board.machine.soc.scheduler.next_ps
            assert began < due
            board.sleep(5 * PS_PER_MS)
            assert port.unsent == 0


@pytest.mark.filterwarnings("ignore:set(Daemon|Name):DeprecationWarning")  # pyserial's rfc2217
@pytest.mark.parametrize("served", [Pty, Rfc2217Server])
def test_a_listener_hears_what_comes_without_asking(served: type[Pty | Rfc2217Server]) -> None:
    made = fwgen.generate('print "hello" and a count over serial every 500 ms', "nucleo-f401")
    with VirtualBoard(BOARD, flash=bin_bytes(made.proof.image)) as board:
        assert board.serial is not None
        board.start_free_running(SPEED)
        with served(board.serial) as place:
            time.sleep(0.6)  # by now it sleeps for as long as it may
            url = place.path if isinstance(place, Pty) else f"{place.url}?ign_set_control"
            with serial.serial_for_url(url, 115_200, timeout=20) as console:
                console.readline()  # it may have begun before we came
                first = int(console.readline().split()[1])
                for n in range(1, 6):
                    assert int(console.readline().split()[1]) == first + n
                assert board.serial.errors == {}


def test_what_happens_does_not_depend_on_when_it_is_computed() -> None:
    image = fwgen.generate('print "hello" over serial every 20 ms', "nucleo-f401").proof.image
    told: list[list[Event]] = []
    for alone in (True, False):
        with VirtualBoard(BOARD, flash=bin_bytes(image)) as board:
            heard: list[Event] = []
            board.listen(heard.append, watching=not alone)
            if alone:
                board.start_free_running(20.0)
                board.sleep(4 * PS_PER_S)
                board.stop()
            else:
                board.sleep(4 * PS_PER_S)
            told.append([e for e in heard if e.t_ps < 4 * PS_PER_S])
    assert told[0] == told[1]
    assert sum(isinstance(e, SerialByte) for e in told[0]) > 1000
