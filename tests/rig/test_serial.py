"""A board's serial port: found, opened with clear errors, heard with honest times."""

from __future__ import annotations

import errno
import os
import socket
import subprocess
import sys
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest
import serial
from hypothesis import given
from hypothesis import strategies as st

from fwgen.rig.clock import WallClock
from fwgen.rig.serial import (
    Capture,
    Heard,
    Port,
    PortBusyError,
    PortDeniedError,
    PortError,
    PortLostError,
    PortMissingError,
    explain,
    find_port,
    find_ports,
    open_port,
    port_named,
)
from fwgen.trace import SerialByte
from fwgen.units import PS_PER_MS, PS_PER_S
from fwgen.virtual.serial import VirtualPort, plugged
from tests.virtual.serial import firmware
from tests.virtual.serial.boards import PoweredBoard

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from fwgen.image.types import Image

needs_pty = pytest.mark.skipif(os.name != "posix", reason="needs pseudo-terminals")


class Cable:
    """A tty whose other end the test holds."""

    def __init__(self) -> None:
        self.end, slave = os.openpty()
        self.device = os.ttyname(slave)
        os.close(slave)

    def pull(self) -> None:
        if self.end >= 0:
            os.close(self.end)
            self.end = -1


@pytest.fixture
def cable() -> Iterator[Cable]:
    one = Cable()
    yield one
    one.pull()


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as made:
        yield made


@pytest.fixture
def virtual(stack: ExitStack) -> Callable[[Image], tuple[PoweredBoard, str]]:
    """A virtual board that moves only when told, and its URL."""

    def make(image: Image) -> tuple[PoweredBoard, str]:
        board = PoweredBoard(image)
        stack.callback(board.stop)
        return board, stack.enter_context(plugged(VirtualPort(board)))

    return make


# ---------------------------------------------------------------------------- finding

LISTED = (
    Port("/dev/ttyACM0", "STM32 STLink", "066DFF515055", 0x0483),
    Port("/dev/ttyUSB0", "FT232R", "A10KZP", 0x0403),
    Port("/dev/ttyS0", "ttyS0"),
)


def test_a_probes_port_is_the_one_with_its_serial_number() -> None:
    assert find_port("066dff515055", LISTED).device == "/dev/ttyACM0"


def test_a_probe_without_a_port_is_told_with_what_there_is() -> None:
    with pytest.raises(PortMissingError) as caught:
        find_port("0671", LISTED)
    assert "belongs to the probe 0671" in str(caught.value)
    assert "/dev/ttyACM0 (STM32 STLink, 066DFF515055)" in str(caught.value)
    assert "ttyS0" not in str(caught.value)
    with pytest.raises(PortMissingError, match="not only power"):
        find_port("0671", ())
    with pytest.raises(PortMissingError):  # not the port that has no number
        find_port("", LISTED)


def test_latency_depends_on_what_lies_between() -> None:
    assert [port.latency_ps for port in LISTED] == [2 * PS_PER_MS, 18 * PS_PER_MS, 2 * PS_PER_MS]
    assert Port("rfc2217://host:1", "").latency_ps == 100 * PS_PER_MS


def test_plugged_virtual_boards_are_found_like_real_ones(
    virtual: Callable[[Image], tuple[PoweredBoard, str]],
) -> None:
    board, url = virtual(firmware.echo())
    found = find_port(board.uid)
    assert found.device == url
    assert found in find_ports()
    assert found.latency_ps == 2 * PS_PER_MS
    assert port_named(url) == found


@needs_pty
def test_a_port_that_is_not_listed_is_taken_as_it_is(cable: Cable) -> None:
    assert port_named(cable.device) == Port(cable.device, cable.device)


# ---------------------------------------------------------------------------- opening


@needs_pty
def test_a_port_that_is_open_elsewhere_is_busy_and_says_by_whom(cable: Cable) -> None:
    first = open_port(cable.device, baud=115_200)
    with pytest.raises(PortBusyError) as caught:
        open_port(cable.device, baud=115_200)
    assert cable.device in str(caught.value)
    if sys.platform == "linux":
        assert "in use by this fwgen" in str(caught.value)
    first.close()
    open_port(cable.device, baud=115_200).close()


@needs_pty
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_another_process_is_named(cable: Cable) -> None:
    code = (
        "import serial, sys\n"
        f"port = serial.Serial({cable.device!r}, exclusive=True)\n"
        "print('open', flush=True)\n"
        "sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"open\n"
        with pytest.raises(PortBusyError, match=rf"python.* \(process {child.pid}\)"):
            open_port(cable.device, baud=115_200)
        assert child.stdin is not None
        child.stdin.close()


def test_a_port_that_is_not_there_is_told_with_what_there_is(
    virtual: Callable[[Image], tuple[PoweredBoard, str]],
) -> None:
    _, url = virtual(firmware.echo())
    with pytest.raises(PortMissingError, match="no such serial port") as caught:
        open_port("/dev/ttyNONE7", baud=115_200)
    assert "there is " in str(caught.value)
    assert url in str(caught.value)
    with pytest.raises(PortMissingError, match="did you mean"):
        open_port(url + "0", baud=115_200)


@needs_pty
def test_a_port_that_we_may_not_use_says_which_group_may(tmp_path: object) -> None:
    refused = serial.SerialException(
        errno.EACCES, "could not open port /dev/null: [Errno 13] Permission denied"
    )
    error = explain(refused, "/dev/null")
    assert isinstance(error, PortDeniedError)
    import grp
    from pathlib import Path

    group = grp.getgrgid(Path("/dev/null").stat().st_gid).gr_name
    if group == "root":
        assert "ask whoever" in str(error)
    else:
        assert f"usermod -aG {group} $USER" in str(error)


@needs_pty
@pytest.mark.skipif(os.name == "posix" and os.geteuid() == 0, reason="root may everything")
def test_a_device_without_permission_is_denied(cable: Cable) -> None:
    os.chmod(cable.device, 0)  # noqa: PTH101
    with pytest.raises(PortDeniedError):
        open_port(cable.device, baud=115_200)


def test_a_file_is_no_port(tmp_path: object) -> None:
    path = f"{tmp_path}/file"
    with open(path, "w", encoding="ascii"):  # noqa: PTH123
        pass
    with pytest.raises(PortError, match="does not work") as caught:
        open_port(path, baud=115_200)
    assert path in str(caught.value)


@pytest.mark.parametrize(
    ("url", "says"),
    [("nonsense://x", "the URL is not possible"), ("loop://?x=1", "the URL is not possible")],
)
def test_urls_that_do_not_work_are_told(url: str, says: str) -> None:
    with pytest.raises(PortError, match=says):
        open_port(url, baud=115_200)


def test_a_setting_that_is_not_possible_is_told() -> None:
    with pytest.raises(PortError, match="a setting is not possible"):
        open_port("loop://", baud=115_200, parity="X")


def test_a_server_that_is_not_there_is_told() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        number = taken.getsockname()[1]
    with pytest.raises(PortMissingError, match=r"cannot be reached.*does its server run"):
        open_port(f"socket://127.0.0.1:{number}", baud=115_200)


# ---------------------------------------------------------------------------- listening


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
    assert board.now_ps == 25 * PS_PER_MS + 7 * 1_300_000_000 + 30 * PS_PER_MS


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
    assert capture.said() == b"hello 0\r\nhello 1\r\n" * 2
    events = capture.events("USART2", zero)
    truth = [e for e in board.events if isinstance(e, SerialByte)]
    assert bytes(e.byte for e in events) == bytes(e.byte for e in truth)
    for got, true in zip(events, truth, strict=True):
        assert abs(got.t_ps - true.t_ps) <= capture.uncertainty_ps
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
    board = PoweredBoard(firmware.count())
    stack.callback(board.stop)
    with ExitStack() as plug:
        url = plug.enter_context(plugged(VirtualPort(board)))
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
