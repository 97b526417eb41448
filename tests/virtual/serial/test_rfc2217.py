"""The console over TCP: pyserial's own client, its miniterm, and clients that misbehave."""

from __future__ import annotations

import socket
import sys
import time
from random import Random
from typing import TYPE_CHECKING

import pytest
import serial

from fwgen.errors import BenchError
from fwgen.virtual.serial import Lines
from fwgen.virtual.serial.rfc2217 import Rfc2217Server

from . import firmware

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import ExitStack

    from fwgen.image.types import Image
    from fwgen.virtual.serial import VirtualPort

# pyserial 3.5 still says setDaemon() and setName().
pytestmark = pytest.mark.filterwarnings("ignore:set(Daemon|Name):DeprecationWarning")


def until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.002)


def address(server: Rfc2217Server) -> tuple[str, int]:
    host, _, tcp_port = server.url.removeprefix("rfc2217://").partition(":")
    return host, int(tcp_port)


def test_pyserial_talks_to_the_board_over_tcp(
    running: Callable[[Image], VirtualPort], stack: ExitStack
) -> None:
    port = running(firmware.echo())
    server = stack.enter_context(Rfc2217Server(port))
    one = stack.enter_context(serial.serial_for_url(server.url, 115_200, timeout=10))
    data = bytes(range(256)) * 2  # 0xFF is Telnet's own escape
    one.write(data)
    assert one.read(len(data)) == data


def test_settings_purge_and_control_lines(
    running: Callable[[Image], VirtualPort], stack: ExitStack
) -> None:
    port = running(firmware.echo(9600, firmware.EVEN))
    server = stack.enter_context(Rfc2217Server(port))
    one = stack.enter_context(
        serial.serial_for_url(f"{server.url}?poll_modem", 9600, parity="E", timeout=10)
    )
    assert str(port.framing) == "9600 baud, 8E1"
    one.write(b"even")
    assert one.read(4) == b"even"
    one.stopbits, one.bytesize, one.parity = 2, 7, "N"
    assert str(port.framing) == "9600 baud, 7N2"
    one.rts = one.dtr = False
    assert port.lines == Lines(rts=False, dtr=False)
    assert (one.cts, one.dsr, one.ri, one.cd) == (True, False, False, False)
    one.bytesize, one.parity = 8, "E"
    one.write(b"x" * 500)  # half a second
    one.reset_output_buffer()
    assert port.unsent == 0
    one.break_condition = True
    assert port.sending_break
    one.break_condition = False
    assert not port.sending_break


def test_a_wrong_rate_garbles(running: Callable[[Image], VirtualPort], stack: ExitStack) -> None:
    port = running(firmware.echo())
    server = stack.enter_context(Rfc2217Server(port))
    one = stack.enter_context(serial.serial_for_url(server.url, 9600, timeout=0.5))
    one.write(b"hello")
    assert one.read(5) != b"hello"


def test_one_client_at_a_time_and_the_next_after_it(
    running: Callable[[Image], VirtualPort], stack: ExitStack
) -> None:
    port = running(firmware.echo())
    server = stack.enter_context(Rfc2217Server(port))
    with serial.serial_for_url(server.url, 115_200, timeout=10) as first:
        with socket.create_connection(address(server), 10) as second:
            assert second.recv(100) == b""
        first.write(b"still here")
        assert first.read(10) == b"still here"
    until(lambda: not port._holders)
    with serial.serial_for_url(server.url, 115_200, timeout=10) as third:
        third.write(b"me now")
        assert third.read(6) == b"me now"


def test_a_client_that_vanishes_with_a_break_on_leaves_the_line_free(
    running: Callable[[Image], VirtualPort], stack: ExitStack
) -> None:
    port = running(firmware.echo())
    server = stack.enter_context(Rfc2217Server(port))
    one = serial.serial_for_url(server.url, 115_200, timeout=10)
    one.break_condition = True
    one.close()
    until(lambda: not port._holders)
    assert not port.sending_break


@pytest.mark.parametrize(
    "hostile",
    [
        b"\xff\xf0",  # the end of what did not begin
        b"\xff\xfa\x2c\x03\x63\xff\xf0",  # no such parity
        b"\xff\xfa\x2c\x01\x00\xff\xf0",  # a rate cut short
        b"\xff\xfa\x2c\x0a\xff\xf0",  # a mask that is not there
        Random(4).randbytes(3000).replace(b"\xff", b"") + b"\xff\xf0",  # much, then the same
    ],
)
def test_hostile_clients_are_hung_up_on_and_the_next_is_served(
    running: Callable[[Image], VirtualPort], stack: ExitStack, hostile: bytes
) -> None:
    port = running(firmware.echo())
    server = stack.enter_context(Rfc2217Server(port))
    with socket.create_connection(address(server), 10) as bad:
        bad.sendall(hostile)
        while bad.recv(4096):
            pass
    until(lambda: not port._holders)
    port.discard_output()
    with serial.serial_for_url(server.url, 115_200, timeout=10) as good:
        time.sleep(0.01)
        good.reset_input_buffer()
        good.write(b"ok")
        assert good.read_until(b"ok").endswith(b"ok")


def test_questions_about_control_lines_are_answered(
    running: Callable[[Image], VirtualPort], stack: ExitStack
) -> None:
    port = running(firmware.echo())
    server = stack.enter_context(Rfc2217Server(port))
    with socket.create_connection(address(server), 10) as client:
        port.set_lines(Lines(rts=False, dtr=True))
        for asked, answered in ((4, 6), (7, 8), (10, 11)):
            client.sendall(b"\xff\xfa\x2c\x05" + bytes([asked]) + b"\xff\xf0")
            reply = b"\xff\xfa\x2c\x69" + bytes([answered]) + b"\xff\xf0"
            got = b""
            while reply not in got:
                piece = client.recv(100)
                assert piece
                got += piece


def test_line_errors_are_notified_to_who_asks(
    running: Callable[[Image], VirtualPort], stack: ExitStack
) -> None:
    port = running(firmware.echo(115_200, firmware.EVEN))
    server = stack.enter_context(Rfc2217Server(port))
    with socket.create_connection(address(server), 10) as client:
        client.sendall(b"\xff\xfa\x2c\x0a\x04\xff\xf0")  # of parity errors
        client.sendall(b"\xff\xfa\x2c\x03\x02\xff\xf0")  # odd, and the board sends even
        client.sendall(b"\xff\xfa\x2c\x01\x00\x01\xc2\x00\xff\xf0")
        client.sendall(b"x")
        got = b""
        while b"\xff\xfa\x2c\x6a\x04\xff\xf0" not in got:
            piece = client.recv(100)
            assert piece
            got += piece


def test_an_unplugged_board_hangs_up(
    running: Callable[[Image], VirtualPort], stack: ExitStack
) -> None:
    port = running(firmware.echo())
    server = stack.enter_context(Rfc2217Server(port))
    with socket.create_connection(address(server), 10) as client:
        client.recv(100)
        port.unplug()
        while client.recv(100):
            pass


def test_an_address_that_is_taken_is_told(
    running: Callable[[Image], VirtualPort], stack: ExitStack
) -> None:
    port = running(firmware.echo())
    server = stack.enter_context(Rfc2217Server(port))
    with (
        pytest.raises(BenchError, match="cannot serve"),
        Rfc2217Server(port, tcp_port=address(server)[1]),
    ):
        pass


def test_miniterm_works_unmodified(
    running: Callable[[Image], VirtualPort], stack: ExitStack
) -> None:
    pexpect = pytest.importorskip("pexpect")
    port = running(firmware.echo())
    server = stack.enter_context(Rfc2217Server(port))
    arguments = ["-m", "serial.tools.miniterm", server.url, "115200", "--eol", "LF"]
    child = pexpect.spawn(sys.executable, arguments, timeout=30, echo=False)
    stack.callback(child.close, force=True)
    child.expect_exact("Quit: Ctrl+]")
    child.send("hello board")
    child.expect_exact("hello board")
    child.send("\x14\x09")
    child.expect_exact("115200,8,N,1")
    child.expect("RTS: active .*DTR: active")
    child.send("\x14\x12")
    child.expect_exact("RTS inactive")
    assert not port.lines.rts
    child.send("\x1d")
    child.expect(pexpect.EOF)
    until(lambda: not port._holders)
