"""The console as a pseudo-terminal: for pyserial, and for whatever opens a tty."""

from __future__ import annotations

import os
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import serial

from fwgen.board import load_board
from fwgen.board.frame import Frame
from fwgen.errors import OutputError
from fwgen.image.write import bin_bytes
from fwgen.units import PS_PER_MS, PS_PER_US
from fwgen.virtual.board import VirtualBoard
from fwgen.virtual.serial.pty import Pty

from . import firmware
from .boards import PoweredBoard

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import ExitStack

    from fwgen.image.types import Image
    from fwgen.virtual.serial import VirtualPort

pytestmark = pytest.mark.skipif(os.name != "posix", reason="needs pseudo-terminals")


def until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.002)


def test_pyserial_talks_to_the_board_through_it(
    running: Callable[[Image], VirtualPort], stack: ExitStack
) -> None:
    port = running(firmware.echo())
    path = stack.enter_context(Pty(port)).path
    one = stack.enter_context(serial.Serial(path, 115_200, timeout=10, exclusive=True))
    data = bytes(range(256))
    one.write(data)
    assert one.read(256) == data
    assert port.errors == {}


@pytest.mark.skipif(sys.platform != "linux", reason="a rate without a name needs termios2")
@pytest.mark.parametrize("baud", [9600, 123_456])
def test_the_rate_that_a_program_sets_is_the_lines(
    running: Callable[[Image], VirtualPort], stack: ExitStack, baud: int
) -> None:
    port = running(firmware.echo(baud))
    path = stack.enter_context(Pty(port)).path
    one = stack.enter_context(serial.Serial(path, baud, timeout=10))
    until(lambda: port.framing.baud == baud)
    one.write(b"hello")
    assert one.read(5) == b"hello"
    one.baudrate = 57_600
    until(lambda: port.framing.baud == 57_600)
    one.timeout = 0.5
    one.write(b"hello")
    assert one.read(5) != b"hello"


def test_a_plain_reader_needs_no_settings(
    running: Callable[[Image], VirtualPort], stack: ExitStack
) -> None:
    port = running(firmware.count())
    path = stack.enter_context(Pty(port)).path
    with Path(path).open("rb", buffering=0) as tty:  # as cat does
        text = b""
        while b"hello 1\r\n" not in text:
            text += os.read(tty.fileno(), 100)
    assert text.startswith(b"hello ")


def test_what_is_said_while_it_is_closed_is_lost(
    running: Callable[[Image], VirtualPort], stack: ExitStack
) -> None:
    port = running(firmware.echo())
    path = stack.enter_context(Pty(port)).path
    for text in (b"first", b"again"):
        one = serial.Serial(path, 115_200, timeout=10)
        one.write(text)
        assert one.read(5) == text
        one.write(b"unheard")
        one.close()
        until(lambda: not port._holders)
        until(lambda: not port.unsent)


def test_what_was_said_before_the_board_is_switched_off_can_still_be_read(
    stack: ExitStack,
) -> None:
    board = stack.enter_context(PoweredBoard(firmware.count()))
    got: list[bytes] = []
    with Pty(board.port) as pty:
        one = os.open(pty.path, os.O_RDWR | os.O_NOCTTY)
        stack.callback(os.close, one)
        until(lambda: board.port._holders == 1)
        board.sleep(500 * PS_PER_MS + 950 * PS_PER_US)  # the last byte has just come
        late = threading.Timer(0.05, lambda: got.append(os.read(one, 100)))
        late.start()
    late.join()
    assert got == [b"hello 0\r\nhello 1\r\n"]


def test_the_consoles_parity_is_the_lines_though_a_pseudo_terminal_has_none(
    stack: ExitStack,
) -> None:
    plain = load_board("nucleo-f401")
    assert plain.console is not None
    even = replace(plain, console=replace(plain.console, frame=Frame(8, "E")))
    flash = bin_bytes(firmware.echo(115_200, firmware.EVEN))
    board = stack.enter_context(VirtualBoard(even, flash=flash))
    board.start_free_running()
    port = board.serial
    assert port is not None
    path = stack.enter_context(Pty(port)).path
    one = stack.enter_context(serial.Serial(path, 115_200, stopbits=2, timeout=10))
    until(lambda: str(port.framing) == "115200 baud, 8E2")
    one.write(b"hello")
    assert one.read(5) == b"hello"
    assert board.serial.errors == {}


def test_a_link_gives_it_a_name_that_stays(
    running: Callable[[Image], VirtualPort], stack: ExitStack, tmp_path: Path
) -> None:
    port = running(firmware.echo())
    link = tmp_path / "board"
    link.symlink_to(tmp_path / "gone")
    with Pty(port, link=link) as pty:
        assert str(link.readlink()) == pty.path
        one = stack.enter_context(serial.Serial(str(link), 115_200, timeout=10))
        one.write(b"x")
        assert one.read(1) == b"x"
        with pytest.raises(OutputError, match="cannot make a link"), Pty(port, link=link):
            pass
        assert link.is_symlink()
    assert not link.is_symlink()


def test_a_program_that_does_not_read_holds_nothing_up(
    running: Callable[[Image], VirtualPort], stack: ExitStack
) -> None:
    port = running(firmware.echo())
    path = stack.enter_context(Pty(port)).path
    one = stack.enter_context(serial.Serial(path, 115_200, timeout=20))
    one.write(b"x")
    assert one.read(1) == b"x"
    data = bytes(i % 251 for i in range(300_000))  # more than any terminal's buffer holds
    with port._cond:
        port._inbox += data
    until(lambda: port.waiting < len(data) - 4000)
    before = port.board.now_ps
    until(lambda: port.board.now_ps > before)
    assert port.waiting
    assert one.read(len(data)) == data
