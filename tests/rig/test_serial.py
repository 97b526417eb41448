"""What a board says, heard with honest times."""

from __future__ import annotations

import os
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fwgen.rig.clock import WallClock
from fwgen.rig.ports import (
    PortLostError,
    open_port,
)
from fwgen.rig.serial import Capture, Heard, stamped
from fwgen.trace import SerialByte
from fwgen.units import PS_PER_MS, PS_PER_S, PS_PER_US
from fwgen.virtual.serial import plugged
from tests.virtual.serial import firmware
from tests.virtual.serial.boards import PoweredBoard

from .ends import Cable, needs_pty

if TYPE_CHECKING:
    from collections.abc import Callable

    from fwgen.image.types import Image


def check(heard: tuple[Heard, ...], truth: list[SerialByte]) -> None:
    """Each byte's true time lies where we said that it can be."""
    assert [one.byte for one in heard] == [event.byte for event in truth]
    for one, event in zip(heard, truth, strict=True):
        assert one.early_ps <= event.t_ps <= one.late_ps
        assert abs(event.t_ps - one.t_ps) <= one.uncertainty_ps


def test_times_are_honest_by_a_virtual_clock(
    virtual: Callable[[Image], tuple[PoweredBoard, str]],
) -> None:
    board, url = virtual(firmware.echo())
    port = open_port(url, baud=115_200)
    with Capture(port, board) as capture:
        capture.wait(5 * PS_PER_MS)
        capture.send(b"hello")
        capture.wait(20 * PS_PER_MS)
        capture.send(b"x" * 50)
        for _ in range(7):  # as when time passes in reads of the probe
            board.sleep(1_300_000_000)
            capture.poll()
        capture.send(bytes(range(256)))
        board.sleep(30 * PS_PER_MS)
        capture.poll()
    truth = [e for e in board.events if isinstance(e, SerialByte) and e.direction == "tx"]
    assert len(truth) == 5 + 50 + 256
    check(capture.heard, truth)
    assert all(one.uncertainty_ps <= 3 * PS_PER_MS for one in capture.heard[:55])
    assert capture.uncertainty_ps < 20 * PS_PER_MS
    passed = board.now_ps - 25 * PS_PER_MS - 7 * 1_300_000_000 - 30 * PS_PER_MS
    assert 0 <= passed < 5 * PS_PER_US  # each time to the end of an instruction


def test_what_came_becomes_events_since_the_reset(
    virtual: Callable[[Image], tuple[PoweredBoard, str]],
) -> None:
    board, url = virtual(firmware.count())
    with open_port(url, baud=115_200) as port, Capture(port, board) as capture:
        capture.wait(600 * PS_PER_MS)
        zero = board.now_ps
        board.power_cycle()
        del board.events[:]
        capture.wait(600 * PS_PER_MS)
    # How badly the line was heard before the reset is no matter.
    assert capture.uncertainty_since(zero) <= capture.uncertainty_ps
    assert capture.uncertainty_since(board.now_ps) == 0
    assert capture.said() == b"hello 0\r\nhello 1\r\n" * 2
    events = capture.events("USART2", zero)
    truth = [e for e in board.events if isinstance(e, SerialByte)]
    assert bytes(e.byte for e in events) == bytes(e.byte for e in truth)
    for got, true in zip(events, truth, strict=True):
        assert abs(got.t_ps + zero - true.t_ps) <= capture.uncertainty_since(zero)
        assert (got.port, got.direction, got.error) == ("USART2", "tx", "")
        frame = 10 * PS_PER_S // 115_200
        assert frame * 0.96 <= got.t_ps - got.start_ps <= frame
        assert abs(got.baud_mhz - true.baud_mhz) < true.baud_mhz / 50
    assert list(events) == sorted(events, key=lambda e: e.t_ps)


@given(st.lists(st.integers(0, 30), max_size=30), st.integers(0, 30 * 100))
def test_bytes_of_before_the_reset_are_told_apart(gaps: list[int], zero: int) -> None:
    port = open_port("loop://", baud=115_200)
    capture = Capture(port, WallClock(), latency_ps=0)
    frame, at, truth = capture.frame_ps, 0, []
    zero *= frame // 100
    capture._empty_ps = 0
    for n, gap in enumerate(gaps):
        at += frame + gap * frame // 10
        if at - frame < zero < at:
            at += frame  # the line is quiet at the reset
        truth.append(at)
        capture._note(bytes([n]), at - frame // 3, at + frame // 3)
    after = [n for n, t in enumerate(truth) if t > zero]
    told = [one.byte for one in capture.since(zero)]
    assert told[len(told) - len(after) :] == after
    assert len(told) <= len(after) + 1  # one that may have been either
    for one in capture.since(zero)[len(told) - len(after) :]:
        assert one.early_ps <= truth[one.byte] <= one.late_ps


@needs_pty
def test_a_thread_listens_on_a_real_port_with_honest_times(cable: Cable) -> None:
    clock = WallClock()
    written = []
    with open_port(cable.device, baud=1_000_000) as port, Capture(port, clock) as capture:
        for n in range(40):
            before = clock.now_ps
            os.write(cable.end, bytes([n]))
            written.append((before, clock.now_ps))
            time.sleep(0.003 if n % 5 else 0)
        deadline = time.monotonic() + 20
        while len(capture.heard) < 40:
            assert time.monotonic() < deadline
            capture.wait(PS_PER_MS)
    assert capture.said() == bytes(range(40))
    for one, (before, after) in zip(capture.heard, written, strict=True):
        assert one.early_ps <= after
        # Bytes that came together are spread over the time that they took on a wire, which a
        # pseudo-terminal is not: what is late must not be earlier than that.
        assert one.late_ps >= before - 5 * capture.frame_ps


@needs_pty
def test_a_pulled_cable_is_told_and_what_came_is_kept(cable: Cable) -> None:
    with open_port(cable.device, baud=115_200) as port:
        with Capture(port, WallClock()) as capture:
            os.write(cable.end, b"last words")
            deadline = time.monotonic() + 20
            while len(capture.heard) < 10:
                assert time.monotonic() < deadline
                capture.wait(PS_PER_MS)
            cable.pull()
            with pytest.raises(PortLostError, match=r"went away.*cable pulled"):
                capture.wait(20 * PS_PER_S)
            with pytest.raises(PortLostError):
                capture.poll()
            with pytest.raises(PortLostError):
                capture.send(b"x")
        assert capture.said() == b"last words"


def test_a_virtual_cable_can_be_pulled_too(stack: ExitStack) -> None:
    board = stack.enter_context(PoweredBoard(firmware.count()))
    with ExitStack() as plug:
        url = plug.enter_context(plugged(board.port))
        capture = stack.enter_context(Capture(open_port(url, baud=115_200), board))
        capture.wait(100 * PS_PER_MS)
    with pytest.raises(PortLostError):
        capture.wait(PS_PER_MS)
    assert capture.said() == b"hello 0\r\n"


def test_settling_waits_for_quiet_and_no_longer_than_told(
    virtual: Callable[[Image], tuple[PoweredBoard, str]],
) -> None:
    board, url = virtual(firmware.count())
    with open_port(url, baud=115_200) as port, Capture(port, board) as capture:
        assert capture.settle(20 * PS_PER_MS, most_ps=PS_PER_S)
        assert capture.said() == b"hello 0\r\n"
        assert 20 * PS_PER_MS < board.now_ps < 50 * PS_PER_MS
        before = board.now_ps
        assert not capture.settle(PS_PER_S, most_ps=2 * PS_PER_S)  # it speaks every 500 ms
        assert 2 * PS_PER_S <= board.now_ps - before < 2_010 * PS_PER_MS


def test_a_port_over_the_network_is_heard(stack: ExitStack) -> None:
    port = open_port("loop://", baud=115_200)
    with Capture(port, WallClock()) as capture:
        capture.send(b"there and back")
        deadline = time.monotonic() + 20
        while capture.said() != b"there and back":
            assert time.monotonic() < deadline
            capture.wait(PS_PER_MS)


def on_the_line(text: bytes, start_ms: int) -> list[SerialByte]:
    return [
        SerialByte(
            (start_ms + i + 1) * PS_PER_MS, "USART2", "tx", byte, 0, (start_ms + i) * PS_PER_MS
        )
        for i, byte in enumerate(text)
    ]


@pytest.mark.parametrize(
    ("said", "known"),
    [
        (b"hello", b"hello"),
        (b"hello and more", b"hello"),  # sent after the span
        (b"ld.hello", b"hello"),  # sent before, come late
        (b"old.hello", b"hello"),
        (b"hell", None),  # not all has come
        (b"hfllo", None),  # garbled on its way
        (b"?hello", None),  # nobody sent that
        (b"ol.hello", None),
    ],
)
def test_who_saw_the_line_gives_times_to_what_came_and_to_nothing_else(
    said: bytes, known: bytes | None
) -> None:
    line = on_the_line(b"old.", -20) + on_the_line(b"hello", 0)
    found = stamped(said, line)
    assert (None if found is None else bytes(one.byte for one in found)) == known
    assert found is None or list(found) == line[4:]


def test_what_was_sent_before_is_not_said_since() -> None:
    line = on_the_line(b"old", -20)
    assert stamped(b"ld", line) == ()
    assert stamped(b"", line) == ()
    assert stamped(b"x", line) is None
    assert stamped(b"", ()) is None  # nobody saw the line
