"""A logic analyser on all pins of a board and its console's line, served over TCP.

It has a clock of its own. Its times count from the moment at which it saw the core let go; how its
clock lies beside ours is known from each of our questions: it read it between asking and answering.

The protocol is told in ``fwgen/virtual/analyser.py``.
"""

from __future__ import annotations

import contextlib
import json
import socket
from typing import TYPE_CHECKING, Any

from fwgen.errors import RigError
from fwgen.rig.clock import WallClock
from fwgen.rig.looks import Captured, Looks
from fwgen.trace import SerialByte

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

VERSION = 1
PATIENCE_S = 30.0  # for an answer
SAMPLE_PS = 41_667  # of 24 MHz: how well the time of an edge is taken to be known
ASKED = 8  # times, to learn how the clocks lie beside each other
CURE = 'is it the port of "fwgen virtual --analyser", and does that run?'
SLOW = "give the computer that it runs on less to do: fewer boards, or a simpler firmware"


class BoardAnalyser:
    """The analyser at HOST:PORT, connected until ``close``. Raises RigError when there is none."""

    def __init__(self, place: str, *, board: str) -> None:
        self.place = place
        self._clock = WallClock()
        host, _, port = place.rpartition(":")
        if not host or not port.isdecimal() or not 0 < int(port) <= 0xFFFF:
            raise RigError(f"{place!r} names no analyser", hint="write it as HOST:PORT")
        try:
            self._socket = socket.create_connection((host, int(port)), PATIENCE_S)
        except OSError as error:
            raise self._lost(error) from None
        self._file = self._socket.makefile("rwb")
        try:
            self._greet(board)
        except BaseException:
            self.close()
            raise

    def _greet(self, board: str) -> None:
        hello = self._read()
        if hello.get("analyser") != VERSION:
            raise RigError("what answers is no analyser of ours", where=self.place, hint=CURE)
        if hello["board"] != board:
            raise RigError(f"it is on a {hello['board']}, not on a {board}", where=self.place)
        if hello["pace"] != 1:
            raise RigError(
                f"its board runs at {hello['pace']:g} times the pace of a real one",
                where=self.place, hint='leave "--pace" out',
            )  # fmt: skip
        self._pins: tuple[str, ...] = tuple(hello["pins"])
        self._first: Mapping[str, int | None] = {}
        self._lost_ps = 0
        self._zero_ps = 0  # by its clock
        self._offset: tuple[int, int] | None = None  # of ours to its, at least and at most
        self._bytes: tuple[tuple[int, int, int, int, str], ...] = ()

    @property
    def words(self) -> str:
        """What it is, in words."""
        return f"analyser {self.place} on all pins"

    @property
    def pins(self) -> Sequence[str]:
        """All pins of the chip."""
        return self._pins

    def start(self) -> None:
        """From now on everything is kept."""
        self._offset = None
        answer = self._ask("start")
        self._first, self._lost_ps = answer["levels"], answer["lost_ps"]
        for _ in range(ASKED):
            self._ask("now")

    def released(self) -> tuple[int, int] | None:
        """Between which times of ours the core was let go last."""
        zero: int | None = self._ask("released")["released_ps"]
        if zero is None:
            return None
        self._zero_ps = zero
        assert self._offset is not None
        early, late = sorted(self._offset)
        return zero + early, zero + late

    def stop(self, zero_ps: int, looks: Mapping[str, Looks]) -> Captured:
        """What was seen since the core was let go. Raises RigError."""
        answer = self._ask("stop")
        lost_ps = answer["lost_ps"] - self._lost_ps
        if lost_ps:
            raise RigError(
                f"the board could not keep up with the clock: it is {lost_ps // 10**9} ms late",
                where=self.place, hint=SLOW,
            )  # fmt: skip
        self._bytes = tuple(tuple(one) for one in answer["bytes"])
        zero, end = self._zero_ps, answer["now_ps"]
        made: dict[str, Looks] = {}
        for pin in self._pins:
            if pin in answer["dense"]:
                continue
            one = made[pin] = Looks(pin, self._first.get(pin))
            for t_ps, level in answer["edges"].get(pin, ()):
                one.skip(t_ps - zero - SAMPLE_PS)
                one.look(t_ps - zero, t_ps - zero, level)
            one.skip(end - zero)
        return Captured(made)

    def cancel(self) -> None:
        """Nothing to do: the next ``start`` begins anew."""

    def heard(self, uart: str) -> tuple[SerialByte, ...]:
        """What the board sent on its console's line, by the last ``stop``.

        What it sent before it was let go has times below 0.
        """
        zero = self._zero_ps
        return tuple(
            SerialByte(t_ps - zero, uart, "tx", byte, baud_mhz, start_ps - zero, error)
            for t_ps, start_ps, byte, baud_mhz, error in self._bytes
        )

    def close(self) -> None:
        """Leave it."""
        with contextlib.suppress(OSError):
            self._file.close()
        self._socket.close()

    # ------------------------------------------------------------------ the line

    def _ask(self, what: str) -> dict[str, Any]:
        before = self._clock.now_ps
        try:
            self._file.write(json.dumps({"do": what}).encode() + b"\n")
            self._file.flush()
        except OSError as error:
            raise self._lost(error) from None
        answer = self._read()
        after = self._clock.now_ps
        if "error" in answer:
            raise RigError(f"the analyser: {answer['error']}", where=self.place)
        least, most = before - answer["now_ps"], after - answer["now_ps"]
        if self._offset is not None:
            # Where two questions contradict each other, it was late for one of them: by no more
            # than from one end to the other.
            least, most = max(least, self._offset[0]), min(most, self._offset[1])
        self._offset = least, most
        return answer

    def _read(self) -> dict[str, Any]:
        try:
            line = self._file.readline()
        except OSError as error:
            raise self._lost(error) from None
        if not line:
            raise RigError("the board's analyser went away", where=self.place, hint=CURE)
        try:
            answer = json.loads(line)
        except ValueError:
            answer = None
        if not isinstance(answer, dict):
            raise RigError("what answers is no analyser of ours", where=self.place, hint=CURE)
        return answer

    def _lost(self, error: OSError) -> RigError:
        said = "nobody answers in time" if isinstance(error, TimeoutError) else error.strerror
        return RigError(
            f"the board's analyser cannot be reached: {said or error}", where=self.place, hint=CURE
        )
