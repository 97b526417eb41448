"""A board's time by the wall clock: caught up with when somebody asks, and seldom otherwise.

What nobody looks at need not happen yet. A thread wakes only as often as it must:

- while somebody watches (a program has the serial port open, a listener hears the events), before
  the next thing that can happen by itself is due, or every two milliseconds while the core runs;
  with bytes on their way, when the port's host next asks for what came;
- while nobody does, so rarely that catching up is still done at once when somebody comes.
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Protocol

from fwgen.units import PS_PER_MS, PS_PER_S

if TYPE_CHECKING:
    from collections.abc import Callable

LEAST_S = 0.0002  # of wall time, between two steps
TICK_S = 0.002  # of wall time, between two steps while the core runs and somebody watches
NAP_S = 0.5  # the longest time between two steps, whoever watches
AT_ONCE_S = 0.005  # of processor time: catching up after a nap takes no more
PATIENCE_S = 0.02  # of processor time: who asks gets no more, and takes the board as it is then
LONGEST_STEP_PS = 20 * PS_PER_MS  # between two looks at how long it takes
MOST_LAG_PS = 100 * PS_PER_MS  # behind the wall; what is beyond is given up


class Following(Protocol):
    """What is needed of a board. Its lock is held whenever one of these is called."""

    lock: threading.RLock

    @property
    def reached_ps(self) -> int:
        """Virtual time that it has come to."""

    @property
    def still_until_ps(self) -> int | None:
        """Until when nothing happens by itself; None while its core runs."""

    @property
    def asked_for_ps(self) -> int | None:
        """When somebody outside takes what the board made; None while that is nothing."""

    def move_to(self, ps: int) -> None:
        """Let time pass up to then."""


class Follower:
    """Lets a board follow the wall clock, ``pace`` times as fast, until stopped.

    A board that cannot keep up runs as fast as it can: time that it is late by more than 100 ms
    is given up.
    """

    def __init__(
        self, board: Following, name: str, pace: float, watched: Callable[[], bool]
    ) -> None:
        self.pace = pace
        self.failure: BaseException | None = None
        self._board, self._watched = board, watched
        self._stopping = False
        self._bell = threading.Event()
        self._nap_s = TICK_S
        self._moving = False  # from within: a listener asks for the time
        self.lost_ps = 0  # given up so far
        self._set_origin()
        self.thread = threading.Thread(target=self._run, name=name, daemon=True)
        self.thread.start()

    @property
    def running(self) -> bool:
        """Whether it still follows: not after a failure of the board's."""
        return not self._stopping and self.failure is None

    def stop(self) -> None:
        """Follow no more."""
        self._stopping = True
        self._bell.set()
        if self.thread is not threading.current_thread():
            self.thread.join()

    def wake(self) -> None:
        """Something changed: look again when to wake next."""
        self._bell.set()

    def catch_up(self) -> None:
        """It is now. The caller holds the board's lock."""
        if self._moving or not self.running:
            return
        # What a busy computer does meanwhile is no reason to give time up: a board that is cheap
        # to catch up with is caught up with.
        began = time.thread_time()
        passed_s = time.monotonic() - self._origin_s
        due = self._origin_ps + int(passed_s * self.pace * PS_PER_S)
        self._moving = True
        try:
            while (now := self._board.reached_ps) < due:
                self._board.move_to(min(due, now + LONGEST_STEP_PS))
                if time.thread_time() - began > PATIENCE_S:
                    break
        finally:
            self._moving = False
        late_ps = due - self._board.reached_ps
        if late_ps > MOST_LAG_PS:
            self.lost_ps += late_ps
            self._set_origin()

    def _set_origin(self) -> None:
        self._origin_s, self._origin_ps = time.monotonic(), self._board.reached_ps

    # ------------------------------------------------------------------ the thread

    def _run(self) -> None:
        try:
            while not self._stopping:
                self._bell.clear()
                with self._board.lock:
                    began = time.thread_time()
                    self.catch_up()
                    pause_s = self._pause(time.thread_time() - began)
                self._bell.wait(pause_s)
        except BaseException as error:  # noqa: BLE001 - raised where the board is used
            self.failure = error

    def _pause(self, took_s: float) -> float:
        """How long to sleep, after a step that took so long."""
        if not self._watched():
            # What took too long after this nap will not after a shorter one.
            fits = self._nap_s * AT_ONCE_S / took_s if took_s else NAP_S
            self._nap_s = max(TICK_S, min(2 * self._nap_s, fits, NAP_S))
            return self._nap_s
        self._nap_s = TICK_S  # as long as it was watched, we do not know what a nap costs
        still, asked = self._board.still_until_ps, self._board.asked_for_ps
        pause_s = TICK_S if still is None else max(TICK_S, min(self._left_s(still), NAP_S))
        return pause_s if asked is None else max(LEAST_S, min(self._left_s(asked), pause_s))

    def _left_s(self, ps: int) -> float:
        return (ps - self._board.reached_ps) / PS_PER_S / self.pace
