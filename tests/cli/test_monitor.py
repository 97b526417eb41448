"""The serial terminal: through pipes for scripts, at a terminal for people."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
import time
from contextlib import ExitStack, suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from fwgen.cli.editor import Editor
from fwgen.cli.log import Log
from fwgen.cli.scroll import Scroll
from fwgen.errors import OutputError
from fwgen.virtual.serial.pty import Pty
from fwgen.virtual.serial.rfc2217 import Rfc2217Server
from tests.virtual.serial import firmware
from tests.virtual.serial.boards import PoweredBoard

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from fwgen.image.types import Image
    from fwgen.virtual.serial import VirtualPort

    from .conftest import Ran

pexpect = pytest.importorskip("pexpect")
termios = pytest.importorskip("termios")
MENU, QUIT = "\x14", "\x1d"
NOON = datetime(2026, 5, 1, 12, 0, 0, 7000)


class Device:
    """The far end of a serial port, at a path that stays while it is unplugged and plugged."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.end = -1
        self.plug()

    def plug(self) -> None:
        self.end, slave = os.openpty()
        self.path.unlink(missing_ok=True)
        self.path.symlink_to(os.ttyname(slave))
        os.close(slave)

    def unplug(self) -> None:
        if self.end >= 0:
            os.close(self.end)
            self.end = -1

    def says(self, data: bytes) -> None:
        os.write(self.end, data)

    def await_open(self) -> None:
        """Until somebody has it open (and so will not flush what we say)."""
        deadline = time.monotonic() + 30
        while termios.tcgetattr(self.end)[3] & termios.ECHO:  # pyserial sets it raw
            assert time.monotonic() < deadline
            time.sleep(0.002)
        time.sleep(0.05)  # and drops what came before

    def hears(self, data: bytes) -> None:
        got = b""
        while len(got) < len(data):
            with suppress(BlockingIOError):
                got += os.read(self.end, len(data) - len(got))
        assert got == data


@pytest.fixture
def device(tmp_path: Path) -> Iterator[Device]:
    one = Device(tmp_path / "port")
    yield one
    one.unplug()


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as made:
        yield made


@pytest.fixture
def board(stack: ExitStack) -> Callable[[Image], VirtualPort]:
    def make(image: Image) -> VirtualPort:
        powered = stack.enter_context(PoweredBoard(image))
        powered.start_free_running()
        return powered.port

    return make


@pytest.fixture
def monitor(command: list[str], stack: ExitStack) -> Callable[..., subprocess.Popen[bytes]]:
    """The real command, through pipes."""

    def start(*arguments: object) -> subprocess.Popen[bytes]:
        child = subprocess.Popen(
            [*command, "monitor", *map(str, arguments)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
        stack.enter_context(child)
        stack.callback(child.kill)
        return child

    return start


class Person:
    """Somebody at a terminal."""

    def __init__(self, arguments: list[str]) -> None:
        self.child = pexpect.spawn(
            "sh", ["-c", '"$@"; echo "exit code $?"; stty -a', "sh", *arguments],
            encoding="utf-8", timeout=30, dimensions=(40, 250),
            env={**os.environ, "TERM": "xterm", "NO_COLOR": "1", "COLUMNS": "250"},
        )  # fmt: skip

    def sees(self, text: str) -> None:
        self.child.expect_exact(text)

    def types(self, keys: str) -> None:
        self.child.send(keys)

    def ends_with(self, code: int) -> None:
        self.sees(f"exit code {code}")
        settings = self.child.read().replace("\r\n", " ")
        for flag in ("icanon", "echo", "isig", "icrnl", "iexten"):
            assert f" {flag}" in settings
            assert f"-{flag} " not in settings


@pytest.fixture
def person(command: list[str], stack: ExitStack) -> Callable[..., Person]:
    def start(*arguments: object) -> Person:
        one = Person([*command, "monitor", *map(str, arguments)])
        stack.callback(one.child.close, force=True)
        return one

    return start


# ---------------------------------------------------------------------------- pipes


def test_bytes_pass_both_ways_as_they_are(
    monitor: Callable[..., subprocess.Popen[bytes]], device: Device
) -> None:
    child = monitor(device.path)
    device.await_open()
    every = bytes(range(256))
    device.says(every)
    assert child.stdout is not None
    assert child.stdin is not None
    assert child.stdout.read(256) == every
    child.stdin.write(every)
    child.stdin.flush()
    device.hears(every)
    child.send_signal(signal.SIGINT)
    _, err = child.communicate(timeout=30)
    assert child.returncode == 130
    assert err.endswith(f"{device.path} at 115200 8N1: 256 bytes received, 256 sent\n".encode())
    assert b"Traceback" not in err


def test_it_ends_when_the_time_is_over_also_without_input(
    monitor: Callable[..., subprocess.Popen[bytes]], device: Device
) -> None:
    child = monitor(device.path, "--for", "300ms", "--quiet", "--baud", "9600")
    device.await_open()
    assert termios.tcgetattr(device.end)[4] == termios.B9600
    device.says(b"hello")
    out, err = child.communicate(timeout=30)
    assert (child.returncode, out, err) == (0, b"hello", b"")


def test_newlines_of_a_pipe_become_what_the_board_wants(
    monitor: Callable[..., subprocess.Popen[bytes]], device: Device
) -> None:
    child = monitor(device.path, "--eol", "crlf", "--for", "2s")
    device.await_open()
    assert child.stdin is not None
    child.stdin.write(b"one\ntwo\n")
    child.stdin.close()
    device.hears(b"one\r\ntwo\r\n")


def test_a_reader_that_has_enough_ends_it(
    monitor: Callable[..., subprocess.Popen[bytes]], device: Device
) -> None:
    child = monitor(device.path)
    device.await_open()
    device.says(b"a line\n")
    assert child.stdout is not None
    assert child.stdout.readline() == b"a line\n"
    child.stdout.close()
    device.says(b"another\n")
    assert child.wait(30) == 0
    assert child.stderr is not None
    assert b"Traceback" not in child.stderr.read()


def test_whoever_ends_it_is_told_by_the_exit_code(
    monitor: Callable[..., subprocess.Popen[bytes]], device: Device
) -> None:
    child = monitor(device.path)
    device.await_open()
    child.send_signal(signal.SIGTERM)
    assert child.wait(30) == 128 + signal.SIGTERM


def test_a_port_that_is_unplugged_is_waited_for(
    monitor: Callable[..., subprocess.Popen[bytes]], device: Device, tmp_path: Path
) -> None:
    log = tmp_path / "log"
    child = monitor(device.path, "--log", log)
    device.await_open()
    device.says(b"before\n")
    assert child.stdout is not None
    assert child.stderr is not None
    assert child.stdout.readline() == b"before\n"
    device.unplug()
    assert b"went away: waiting for" in child.stderr.readline()
    assert log.read_bytes() == b"before\n"
    device.plug()
    assert b"is back" in child.stderr.readline()
    device.says(b"after\n")
    assert child.stdout.readline() == b"after\n"
    child.send_signal(signal.SIGINT)
    assert child.wait(30) == 130
    assert log.read_bytes() == b"before\nafter\n"


def test_without_reconnecting_a_lost_port_is_an_error(
    monitor: Callable[..., subprocess.Popen[bytes]], device: Device
) -> None:
    child = monitor(device.path, "--no-reconnect")
    device.await_open()
    device.unplug()
    _, err = child.communicate(timeout=30)
    assert child.returncode == 2
    assert b"the serial port went away" in err
    assert b"cable pulled" in err


def test_a_port_that_is_not_there_yet_can_be_waited_for(
    monitor: Callable[..., subprocess.Popen[bytes]], device: Device
) -> None:
    device.unplug()
    device.path.unlink()
    child = monitor(device.path, "--wait", "--for", "20s")
    assert child.stderr is not None
    assert b"there is no such serial port: waiting for" in child.stderr.readline()
    device.plug()
    assert b"is back" in child.stderr.readline()
    device.says(b"hello\n")
    assert child.stdout is not None
    assert child.stdout.readline() == b"hello\n"


def test_a_port_that_takes_nothing_does_not_stop_what_comes(
    monitor: Callable[..., subprocess.Popen[bytes]], device: Device
) -> None:
    child = monitor(device.path, "--for", "4s")
    device.await_open()
    assert child.stdin is not None
    assert child.stdout is not None
    child.stdin.write(b"x" * 300_000)  # more than a terminal's buffer holds; nobody reads
    child.stdin.close()
    device.says(b"still here\n")
    assert child.stdout.readline() == b"still here\n"
    assert child.stderr is not None
    assert re.search(rb"300000 sent \(\d+ of them not taken\)", child.stderr.read())


def test_the_log_has_what_was_seen_even_when_killed(
    monitor: Callable[..., subprocess.Popen[bytes]], device: Device, tmp_path: Path
) -> None:
    log = tmp_path / "log"
    log.write_bytes(b"earlier\n")
    child = monitor(device.path, "--log", log, "-t")
    device.await_open()
    device.says(b"one\ntwo\n")
    assert child.stdout is not None
    seen = child.stdout.readline() + child.stdout.readline()
    child.kill()
    child.wait()
    assert log.read_bytes() == b"earlier\n" + seen
    assert re.fullmatch(rb"(\d\d:\d\d:\d\d\.\d{3} (one|two)\n){2}", seen)


# ---------------------------------------------------------------------------- the board


def test_it_talks_with_a_virtual_board_over_tcp(
    monitor: Callable[..., subprocess.Popen[bytes]],
    board: Callable[[Image], VirtualPort],
    stack: ExitStack,
) -> None:
    server = stack.enter_context(Rfc2217Server(board(firmware.echo())))
    child = monitor(server.url, "--for", "20s")
    assert child.stdin is not None
    assert child.stdout is not None
    child.stdin.write(b"hello board\n")
    child.stdin.flush()
    assert child.stdout.readline() == b"hello board\n"


def test_it_talks_with_a_virtual_board_on_a_pty(
    person: Callable[..., Person], board: Callable[[Image], VirtualPort], stack: ExitStack
) -> None:
    port = board(firmware.echo())
    pty = stack.enter_context(Pty(port))
    one = person(pty.path)
    one.sees("Ctrl-] quits")
    one.types("hello\r")
    one.sees("hello\r")
    one.types(MENU + "b")
    one.sees("baud rate:")
    one.types("9600\r")
    one.sees("9600 8N1")
    deadline = time.monotonic() + 20
    while port.framing.baud != 9600:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    one.types(QUIT)
    one.ends_with(0)


def test_a_boards_port_is_found_by_its_probe(
    fwgen: Callable[..., Ran], stack: ExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    nothing = Path("/dev/null").open()  # noqa: SIM115 - closed by the stack
    monkeypatch.setattr("sys.stdin", stack.enter_context(nothing))
    powered = stack.enter_context(PoweredBoard(firmware.count()))
    stack.enter_context(powered.plugged())
    ran = fwgen("monitor", "--board", "nucleo-f401", "--for", "200ms")
    assert ran.code == 0
    assert ran.out.startswith("hello 0\r\nhello 1\r\n")  # in the board's time, faster than ours
    assert f"fwgen://{powered.uid} at 115200 8N1" in ran.err
    other = stack.enter_context(PoweredBoard(firmware.count()))
    stack.enter_context(other.plugged())
    ran = fwgen("monitor", "--board", "nucleo-f401", "--for", "1s")
    assert ran.code == 2
    assert "I do not guess" in ran.said
    ran = fwgen("monitor", "--board", "nucleo-f401", "--probe", other.uid, "--for", "100ms")
    assert f"fwgen://{other.uid} at 115200 8N1" in ran.err


# ---------------------------------------------------------------------------- a terminal


def test_keys_reach_the_board_as_they_are_typed(
    person: Callable[..., Person], device: Device
) -> None:
    one = person(device.path)
    one.sees("Ctrl-] quits, Ctrl-T ? helps")
    device.await_open()
    one.types("a\x03\x7f\r")  # Ctrl-C too, as in miniterm
    device.hears(b"a\x03\b\r\n")
    one.types(MENU + "\x0c")
    one.sees("Enter sends CR")
    one.types("\r")
    device.hears(b"\r")
    device.says(b"such a line\rand another\r")  # ends in CR alone, and is shown as a line
    one.sees("such a line\r\nand another\r\n")
    one.types(MENU + MENU + MENU + QUIT)
    device.hears(b"\x14\x1d")
    device.says(b"seen\r\n")
    one.sees("seen")
    one.types(QUIT)
    one.sees("30 bytes received")
    one.ends_with(0)


def test_the_menu_helps_and_says_what_it_does_not_know(
    person: Callable[..., Person], device: Device
) -> None:
    one = person(device.path)
    one.sees("Ctrl-T ? helps")
    for key in "?hH\x08":
        one.types(MENU + key)
        one.sees("Ctrl-T Ctrl-L   what Enter sends")
    one.types(MENU + "y")
    one.sees("Ctrl-T 'y' means nothing")
    one.types(MENU + "q")
    one.ends_with(0)


def test_lines_can_be_edited_before_they_are_sent(
    person: Callable[..., Person], device: Device
) -> None:
    one = person(device.path, "--line", "--eol", "lf")
    one.sees("Ctrl-] quits")
    device.await_open()
    one.types("wrong\x15hellp\x7fo\r")
    device.hears(b"hello\n")
    one.types(MENU + "l")
    one.sees("key by key")
    one.types("x")
    device.hears(b"x")
    one.types(QUIT)
    one.ends_with(0)


def test_settings_are_changed_from_the_menu(person: Callable[..., Person], device: Device) -> None:
    one = person(device.path)
    one.sees("Ctrl-] quits")
    device.await_open()
    one.types(MENU + "2")
    one.sees("115200 8N2")
    assert termios.tcgetattr(device.end)[2] & termios.CSTOPB
    one.types(MENU + "b")
    one.sees("baud rate:")
    one.types("fast\r")
    one.sees("'fast' is no baud rate")
    one.types(MENU + "b")
    one.sees("baud rate:")
    one.types("57600\r")
    one.sees("57600 8N2")
    assert termios.tcgetattr(device.end)[4] == termios.B57600
    one.types(MENU + "X")
    one.sees("flow control by XON/XOFF: on")
    one.types(MENU + "e")  # a pseudo-terminal has no parity
    one.sees("the port refuses 57600 8E2: Invalid argument")
    assert termios.tcgetattr(device.end)[0] & termios.IXON
    one.types(MENU + "\x12")
    one.sees("this port has no RTS")
    one.types(MENU + "\x09")
    one.sees("57600 8N2, Enter sends CRLF")
    one.types(QUIT)
    one.ends_with(0)


def test_control_lines_and_break_over_the_network(
    person: Callable[..., Person], board: Callable[[Image], VirtualPort], stack: ExitStack
) -> None:
    port = board(firmware.echo())
    server = stack.enter_context(Rfc2217Server(port))
    one = person(server.url, "--dtr", "off")
    one.sees("Ctrl-] quits")
    one.types(MENU + "\x09")
    one.sees("RTS on, DTR off, break off, CTS on, DSR off, RI off, CD off")
    one.types(MENU + "\x12")
    one.sees("RTS off")
    assert not port.lines.rts
    for key, said in (("7", "115200 7N1"), ("e", "115200 7E1"), ("E", "115200 7E1"),
                      ("2", "115200 7E2"), ("8", "115200 8E2"), ("N", "115200 8N2")):  # fmt: skip
        one.types(MENU + key)
        one.sees(f" {said}\r")
        assert str(port.framing) == said.replace(" ", " baud, ")
    one.types(MENU + "\x02")
    one.sees("break on")
    assert port.sending_break
    one.types(QUIT)
    one.ends_with(0)


def test_views_change_while_it_runs(person: Callable[..., Person], device: Device) -> None:
    one = person(device.path)
    one.sees("Ctrl-] quits")
    device.await_open()
    one.types(MENU + "v")
    one.sees("in hex")
    device.says(b"\x00\x01AB")
    one.sees("00 01 41 42                                      ..AB")
    one.types(MENU + "t")
    one.sees("the time of each line: on")
    device.says(b"z")
    one.child.expect(r"\d\d:\d\d:\d\d\.\d{3} 7a ")
    one.types(MENU + "v")
    one.sees("as text")
    device.says(b"plain\r\n")
    one.child.expect(r"\d\d:\d\d:\d\d\.\d{3} plain\r")
    one.types(MENU + "\x05")
    one.sees("what is typed is shown")
    one.types("typed")
    one.sees("typed")
    one.types(QUIT)
    one.ends_with(0)


def test_a_file_is_sent(person: Callable[..., Person], device: Device, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"content\n" * 100)
    one = person(device.path)
    one.sees("Ctrl-] quits")
    device.await_open()
    one.types(f"{MENU}\x15{tmp_path}/none\r")
    one.sees("cannot read")
    one.types(f"{MENU}\x15{tmp_path}/file\r")
    one.sees("sending 800 bytes")
    device.hears(b"content\n" * 100)
    one.types(MENU + "\x15nothing\x1b")  # given up
    one.types("x")
    device.hears(b"x")
    one.types(QUIT)
    one.ends_with(0)


def test_the_port_can_be_lent_and_changed(
    person: Callable[..., Person], device: Device, stack: ExitStack, tmp_path: Path
) -> None:
    other = Device(tmp_path / "other")
    stack.callback(other.unplug)
    one = person(device.path)
    one.sees("Ctrl-] quits")
    device.await_open()
    one.types(MENU + "z")
    one.sees("is closed; any key opens it again")
    with pytest.raises(OSError, match="Input/output error"):
        os.read(device.end, 1)
    one.types("x")
    one.sees("is back")
    device.await_open()
    one.types(f"{MENU}p{tmp_path}/none\r")
    one.sees("there is no such serial port")
    one.types(f"{MENU}p{other.path}\r")
    one.sees("115200 8N1")
    other.await_open()
    one.types("y")
    other.hears(b"y")
    one.types(QUIT)
    one.ends_with(0)


def test_an_unplugged_port_comes_back_at_a_terminal(
    person: Callable[..., Person], device: Device
) -> None:
    one = person(device.path)
    one.sees("Ctrl-] quits")
    device.await_open()
    device.unplug()
    one.sees("waiting for")
    one.types("unheard")
    device.plug()
    one.sees("is back")
    device.await_open()
    one.types("heard")
    device.hears(b"heard")
    device.unplug()
    one.sees("waiting for")
    one.types(QUIT)
    one.ends_with(0)


# ---------------------------------------------------------------------------- errors


def test_a_busy_port_is_told_with_who_has_it(fwgen: Callable[..., Ran], device: Device) -> None:
    code = f"import serial, time; p = serial.Serial({str(device.path)!r}, exclusive=True)"
    with subprocess.Popen(
        [sys.executable, "-c", f"{code}; print(flush=True); time.sleep(60)"],
        stdout=subprocess.PIPE,
    ) as child:
        assert child.stdout is not None
        child.stdout.readline()
        ran = fwgen("monitor", device.path)
        child.kill()
    assert ran.code == 2
    assert "the serial port is in use by" in ran.said
    if sys.platform == "linux":
        assert f"(process {child.pid})" in ran.said


def test_a_port_that_is_not_there_is_told(fwgen: Callable[..., Ran]) -> None:
    ran = fwgen("monitor", "/dev/ttyNONE7")
    assert ran.code == 2
    assert "there is no such serial port" in ran.said


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("loop://", "--format", "9N1"), "--format '9N1' is no format"),
        (("loop://", "--for", "0s"), "no time to listen"),
        (("loop://", "--baud", "-5"), "--baud -5 is no baud rate"),
        (("loop://", "--probe", "066"), "both a port"),
        (("loop://", "--log", "/no/such/folder/log"), "cannot write the log"),
        (("--probe", "no-such-probe"), "no serial port belongs to the probe no-such-probe"),
        (("loop://", "--board", "nucleo-f999"), "there is no board 'nucleo-f999'"),
    ],
)
def test_wrong_arguments_are_told(
    fwgen: Callable[..., Ran], arguments: tuple[str, ...], says: str
) -> None:
    ran = fwgen("monitor", *arguments)
    assert ran.code == 2
    assert says in ran.said


def test_a_full_disk_is_an_error_and_not_a_gap_in_the_log(
    monitor: Callable[..., subprocess.Popen[bytes]], device: Device
) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("this system has no /dev/full")
    child = monitor(device.path, "--log", "/dev/full")
    device.await_open()
    device.says(b"hello")
    out, err = child.communicate(timeout=30)
    assert child.returncode == 2
    assert out == b""  # what cannot be kept is not shown as if it were
    assert b"cannot write the log" in err


def test_a_boards_rate_is_the_usual_one(fwgen: Callable[..., Ran], tmp_path: Path) -> None:
    source = (Path(__file__).parents[2] / "boards" / "nucleo-f401.toml").read_text()
    mine = tmp_path / "mine.toml"
    mine.write_text(source.replace("baud = 115200", "baud = 38400"))
    with open("/dev/null") as nothing, pytest.MonkeyPatch.context() as patch:  # noqa: PTH123
        patch.setattr("sys.stdin", nothing)
        ran = fwgen("monitor", "loop://", "--board", mine, "--for", "10ms")
    assert "loop:// at 38400 8N1: 0 bytes received" in ran.said


def test_ports_are_listed(fwgen: Callable[..., Ran], monkeypatch: pytest.MonkeyPatch) -> None:
    from serial.tools import list_ports
    from serial.tools.list_ports_common import ListPortInfo

    info = ListPortInfo("/dev/ttyACM7")
    info.serial_number, info.product, info.vid, info.pid = "066DFF", "STM32 STLink", 0x483, 0x374B
    info.apply_usb_info()
    monkeypatch.setattr(list_ports, "comports", lambda: [info])
    ran = fwgen("monitor", "--list")
    assert ran.code == 0
    assert re.search(r"/dev/ttyACM7 +STM32 STLink +066DFF", ran.out)
    monkeypatch.setattr(list_ports, "comports", list)
    assert "no serial port is plugged in" in fwgen("monitor", "--list").out
    assert "no USB serial port is plugged in" in fwgen("monitor").said


def test_several_ports_are_never_guessed_from(
    fwgen: Callable[..., Ran], monkeypatch: pytest.MonkeyPatch
) -> None:
    from serial.tools import list_ports
    from serial.tools.list_ports_common import ListPortInfo

    infos = []
    for number in (1, 2):
        info = ListPortInfo(f"/dev/ttyNONE{number}")
        info.serial_number = f"06{number}DFF"
        infos.append(info)
    monkeypatch.setattr(list_ports, "comports", lambda: infos)
    ran = fwgen("monitor")
    assert ran.code == 2
    assert "there are 2 serial ports, and I do not guess: /dev/ttyNONE1" in ran.said
    # One is named by a part of its number, and is tried.
    tried = fwgen("monitor", "--probe", "062").said
    assert "there is no such serial port where /dev/ttyNONE2" in tried


# ---------------------------------------------------------------------------- parts


def test_a_line_is_stamped_when_its_first_byte_came() -> None:
    scroll = Scroll(stamped=True)
    later = NOON + timedelta(seconds=1)
    assert scroll.take(b"half", NOON) == b"12:00:00.007 half"
    assert scroll.take(b" a line\r\nnext\n\n", later) == (
        b" a line\r\n12:00:01.007 next\n12:00:01.007 \n"
    )
    assert scroll.take(b"10%\r20%\r", NOON) == b"12:00:00.007 10%\r20%\r"
    assert scroll.take(b"", later) == b""
    assert scroll.take(b"30%\n", later) == b"30%\n"


def test_hex_rows_are_full_or_quiet() -> None:
    scroll = Scroll(in_hex=True)
    shown = scroll.take(bytes(range(20)), NOON)
    assert shown == (bytes(range(16)).hex(" ") + "  ................\n").encode()
    assert scroll.idle(NOON + timedelta(milliseconds=10)) == b""
    rest = scroll.idle(NOON + timedelta(milliseconds=60))
    assert rest == ("10 11 12 13".ljust(47) + "  ....\n").encode()
    assert scroll.idle(NOON + timedelta(seconds=9)) == b""
    assert scroll.rest() == b""


def test_a_view_that_changes_within_a_line_starts_a_new_one() -> None:
    scroll = Scroll()
    scroll.take(b"text", NOON)
    scroll.in_hex = True
    assert scroll.take(b"x", NOON) == b"\n"
    scroll.in_hex = False
    assert scroll.rest().startswith(b"78 ")
    scroll.stamped = True
    assert scroll.take(b"text", NOON) == b"12:00:00.007 text"


def edited(keys: bytes) -> tuple[str, bool]:
    editor = Editor()
    for key in keys:
        assert not editor.ended
        editor.key(key)
    return editor.text, editor.given_up


@pytest.mark.parametrize(
    ("keys", "text"),
    [
        (b"abc\r", "abc"),
        (b"abc\x7f\x08d\r", "ad"),
        ("aé€\x7f\r".encode(), "aé"),
        ("é\x7f\x7f\x7fx\r".encode(), "x"),
        (b"one two\x17three\r", "one three"),
        (b"one\x17two\r", "two"),
        (b"one two\x15x\r", "x"),
        (b"a\x01b\n", "ab"),
    ],
)
def test_a_line_is_edited(keys: bytes, text: str) -> None:
    assert edited(keys) == (text, False)


def test_a_line_is_given_up() -> None:
    assert edited(b"abc\x1b") == ("", True)


def test_two_sessions_add_to_one_log_whole(tmp_path: Path) -> None:
    path = tmp_path / "log"
    lines = [b"a" * 99 + b"\n", b"b" * 99 + b"\n"]

    def write(line: bytes) -> None:
        log = Log(path)
        for _ in range(300):
            log.add(line)
        log.close()

    threads = [threading.Thread(target=write, args=(line,)) for line in lines]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    written = path.read_bytes().splitlines(keepends=True)
    assert sorted(written) == sorted(lines * 300)


def test_a_log_in_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="cannot write the log"):
        Log(tmp_path / "none" / "log")
