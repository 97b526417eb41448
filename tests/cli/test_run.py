"""A firmware, live: through pipes for scripts, at a terminal for people."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from fractions import Fraction
from typing import TYPE_CHECKING

import pytest

import fwgen
from fwgen.board import load_board
from fwgen.cli import script, terminal
from fwgen.contract import Drive, Press, Send
from fwgen.image.load import load_image
from fwgen.trace import SerialByte, load_trace
from fwgen.units import PS_PER_MS, PS_PER_S
from fwgen.virtual.gdb.packets import framed
from fwgen.virtual.serial.wire import Framing, Receiver
from tests.machine.core.firmware import GPIOA, firmware
from tests.virtual.serial import firmware as serial_firmware

from .conftest import BOARD
from .firmware import hex_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

MENU, QUIT = "\x14", "\x1d"


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """The firmware of a prompt, or one of the small programs, as a file."""
    folder = tmp_path_factory.mktemp("images")
    known: dict[str, Path] = {}

    def make(what: str) -> Path:
        if what not in known:
            path = folder / f"{len(known)}.hex"
            if " " in what:
                fwgen.write_hex(fwgen.generate(what, BOARD).proof.image, path)
            else:
                path.write_bytes(hex_of(what))
            known[what] = path
        return known[what]

    return make


COUNT = 'print "hello" and a count over serial every 500 ms'
TOGGLE = "toggle LED on each press of the button and print the press count"


@pytest.fixture
def live(command: list[str]) -> Callable[..., subprocess.CompletedProcess[bytes]]:
    def call(image: Path, *more: str, given: bytes = b"") -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            [*command, "run", str(image), "--board", BOARD, *more],
            input=given, capture_output=True, check=False, timeout=60,
        )  # fmt: skip

    return call


def image_bytes(path: Path) -> bytes:
    """What a firmware's file puts into the flash."""
    (segment,) = load_image(path, load_board(BOARD)).segments
    return segment.data


Live = "Callable[..., subprocess.CompletedProcess[bytes]]"

# ---------------------------------------------------------------------------- pipes


def test_serial_output_goes_to_stdout_as_it_is(live: Live, made: Callable[[str], Path]) -> None:
    ran = live(made(COUNT), "--for", "1.2s")
    assert ran.returncode == 0
    assert ran.stdout == b"hello 0\r\nhello 1\r\nhello 2\r\n"
    assert ran.stderr.startswith(b"fwgen: ran 1.2 s, 27 bytes sent, asleep 99.")


def test_virtual_time_does_not_wait(live: Live, made: Callable[[str], Path]) -> None:
    ran = live(made(COUNT), "--for", "60s", "--quiet")
    assert ran.stdout.count(b"\n") == 120
    assert ran.stderr == b""


def test_input_reaches_the_board_byte_for_byte(live: Live, made: Callable[[str], Path]) -> None:
    given = bytes(range(256)) + b"the quick brown fox\n"
    ran = live(made("echo"), "--for", "500ms", given=given)
    assert ran.returncode == 0
    assert ran.stdout == given


def test_input_may_be_scripted_in_time(live: Live, made: Callable[[str], Path]) -> None:
    ran = live(made("echo"), "--for", "1s", "--send", r"b\x41\n@20ms", "--send", r"a\\@10ms")
    assert ran.stdout == b"a\\bA\n"


def test_the_consoles_rate_may_be_set(live: Live, made: Callable[[str], Path]) -> None:
    fast = made("echo")
    slow = fast.with_name("slow.bin")
    data = bytearray(image_bytes(fast))
    at = data.index(b"\x8b\x21")  # movs r1, #139: 16 MHz / 115200
    data[at : at + 2] = b"\xd0\x21"  # 208: 76923 baud
    slow.write_bytes(data)
    ran = live(slow, "--for", "500ms", "--baud", "76800", given=b"hello")
    assert ran.stdout == b"hello"
    assert b"baud" not in ran.stderr
    ran = live(slow, "--for", "500ms", given=b"hello")
    assert ran.stdout != b"hello"
    assert b"sends at 76923 baud, the console is at 115200" in ran.stderr


@pytest.mark.parametrize(
    ("cr1", "cr2", "how"),
    [
        (serial_firmware.EVEN, 0, "8E1"),
        (serial_firmware.ODD, 0, "8o1"),
        (serial_firmware.EVEN & ~serial_firmware.M, 0, "7E1"),
        (serial_firmware.PLAIN, 2 << 12, "8N2"),
        (serial_firmware.NINE, 0, "8M1"),
    ],
)
def test_firmware_in_another_format_is_talked_to(
    live: Live, tmp_path: Path, cr1: int, cr2: int, how: str
) -> None:
    fwgen.write_hex(serial_firmware.echo(115_200, cr1, cr2), tmp_path / "f.hex")
    given = bytes(range(128)) if how[0] == "7" else bytes(range(256))
    ran = live(tmp_path / "f.hex", "--for", "500ms", "--format", how, given=given)
    assert ran.stdout == given
    assert b"errors" not in ran.stderr
    assert b"serial-format" not in ran.stderr or how in ("7E1", "8M1")


@pytest.mark.parametrize(
    ("cr1", "how", "says"),
    [
        (serial_firmware.EVEN, "8O1", "USART2 sends 8E1, the console is set to 8O1 and reads"),
        (serial_firmware.EVEN, "8O1", "USART2 reads parity errors in what the console sends"),
        (serial_firmware.EVEN, "8N1", "the console is set to 8N1 and reads framing errors"),
        (serial_firmware.PLAIN, "8E1", "the console is set to 8E1 and reads parity"),
        (serial_firmware.PLAIN, "8E1", "USART2 reads framing errors in what the console sends"),
    ],
)  # fmt: skip
def test_a_format_that_differs_gives_errors_at_both_ends(
    live: Live, tmp_path: Path, cr1: int, how: str, says: str
) -> None:
    fwgen.write_hex(serial_firmware.echo(115_200, cr1), tmp_path / "f.hex")
    ran = live(tmp_path / "f.hex", "--for", "500ms", "--format", how, given=b"Hello, you\nthere\n")
    assert ran.returncode == 0
    assert says in ran.stderr.decode()


def test_a_terminal_reads_another_format_as_on_a_wire(live: Live, tmp_path: Path) -> None:
    fwgen.write_hex(serial_firmware.count(), tmp_path / "f.hex")
    ran = live(tmp_path / "f.hex", "--for", "100ms", "--format", "8E1")
    receiver = Receiver(Framing(115_200, 8, "E"))
    start, bit = 0, Fraction(PS_PER_S, 115_200)
    for byte in b"hello 0\r\n":  # back to back
        end = start + int(10 * bit)
        receiver.line.put_frame(start, bit, end, Framing(115_200).word(byte))
        start = end
    assert ran.stdout == bytes(word.byte for word in receiver.words(PS_PER_S))


@pytest.mark.parametrize("how", ["9E1", "8Q1", "8E", "even"])
def test_a_format_that_is_none_is_refused(
    live: Live, made: Callable[[str], Path], how: str
) -> None:
    ran = live(made("echo"), "--format", how)
    assert ran.returncode == 2
    assert b"is no format of a serial line" in ran.stderr
    assert b"8N1" in ran.stderr


def test_buttons_may_be_scripted(live: Live, made: Callable[[str], Path]) -> None:
    ran = live(made(TOGGLE), "--for", "3s", "--press", "B1@500ms:200ms", "--press", "B1@1.5s")
    assert ran.stdout.split() == [b"1", b"2"]
    assert b"LD2 changed 2 times" in ran.stderr


def test_input_that_nobody_takes_is_told(live: Live, made: Callable[[str], Path]) -> None:
    ran = live(made("spin"), "--for", "600ms", given=b"hello")
    assert b"the firmware does not listen on USART2" in ran.stderr
    assert b"5 bytes of input not taken" in ran.stderr


def test_a_fault_is_reported_and_is_the_exit_code(live: Live, made: Callable[[str], Path]) -> None:
    ran = live(made("overflow"), "--for", "1s")
    assert ran.returncode == 1
    report = " ".join(ran.stderr.decode().split())
    assert "fwgen: ran 3.841 ms, 3 faults, " in report
    assert "HardFault" in report
    assert "push {r0, r1}" in report
    assert "the stack ran out of RAM" in report


BUS_FAULT = "ldr r0, =0xe000ed24\n ldr r1, =0x20000\n str r1, [r0]\n"  # SHCSR.BUSFAULTENA
STEP_OVER = "ldr r1, [sp, #24]\n adds r1, #2\n str r1, [sp, #24]\n bx lr\n"
PROBE = "ldr r0, =0x60000000\nprobe: ldr r1, [r0, #8]\n"
LIGHT = f"{GPIOA}\n movs r1, #32\n str r1, [r0, #20]\n"  # LD2 on
LIGHT_LATER = f"ldr r2, =800000\nwait: subs r2, #1\n bne wait\n {LIGHT}"  # beyond 100 ms
FEED = "ldr r0, =0x40003000\n ldr r1, =0xcccc\n str r1, [r0]\n"  # IWDG: 512 ms, never fed
HANDLED = {
    "probes an address": (
        f"start: {BUS_FAULT}{PROBE}{LIGHT_LATER}end: b end\nbus: {STEP_OVER}", {5: "bus"},
        ("1 fault", "LD2 changed 1 time", "BusFault"),
    ),
    "works on in the handler": (
        f"start: {PROBE}end: b end\nhard: {GPIOA}"
        "blink: ldr r2, =400000\nwait: subs r2, #1\n bne wait\n"
        "ldr r1, [r0, #20]\n eor r1, r1, #32\n str r1, [r0, #20]\n b blink", {3: "hard"},
        ("1 fault", "LD2 changed 9 times", "HardFault"),
    ),
    "resets": (
        f"start: {PROBE}end: b end\n"
        "hard: ldr r2, =800000\nwait: subs r2, #1\n bne wait\n"
        "ldr r0, =0xe000ed0c\n ldr r1, =0x05fa0004\n str r1, [r0]\nlast: b last", {3: "hard"},
        ("reset (SFTRSTF)", "HardFault"),
    ),
    "is reset by its watchdog": (
        f"start: {FEED}{PROBE}end: b end\nhard: b hard", {3: "hard"},
        ("reset (IWDGRSTF)", "HardFault"),
    ),
    "locks up under a watchdog": (
        f"start: {FEED}{PROBE}end: b end\nhard: udf #0", {3: "hard"},
        ("reset (IWDGRSTF)", "Lockup"),
    ),
    "is interrupted in its handler": (
        "start: ldr r0, =0xe000ed18\n ldr r1, =0xf000\n str r1, [r0]\n"  # BusFault below all
        "ldr r0, =0xe000e010\n ldr r1, =1599999\n str r1, [r0, #4]\n movs r1, #7\n str r1, [r0]\n"
        f"{BUS_FAULT}{PROBE}end: b end\nbus: b bus\ntick: {LIGHT} bx lr", {5: "bus", 15: "tick"},
        ("1 fault", "LD2 changed 1 time", "BusFault"),
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", HANDLED)
def test_firmware_goes_on_after_a_fault_as_its_handler_has_it(
    live: Live, tmp_path: Path, what: str
) -> None:
    text, vectors, said = HANDLED[what]
    image = tmp_path / "faults.hex"
    fwgen.write_hex(firmware(text, vectors), image)
    ran = live(image, "--for", "700ms")
    assert ran.returncode == 1
    told = " ".join(ran.stderr.decode().split())
    assert "fwgen: ran 700 ms, " in told
    assert "touched 0x60000008, where there is nothing" in told
    for part in said:
        assert part in told


ENDS = {
    "spins": ("hard: b hard", "the handler of HardFault only spins", 1),
    "sleeps for ever": ("hard: cpsid i\nl: wfi\n nop\n b.w l", "HardFault only spins", 1),
    "locks up": ("hard: udf #0", "the core is locked up", 2),
    "returns to the culprit": ("hard: bx lr", "the handler returns to what faults again", 0),
}


@pytest.mark.parametrize("what", ENDS)
def test_a_run_ends_where_a_fault_has_ended_the_firmware(
    live: Live, tmp_path: Path, what: str
) -> None:
    handler, why, faults = ENDS[what]
    image = tmp_path / "faults.hex"
    fwgen.write_hex(firmware(f"start: {PROBE}end: b end\n{handler}", {3: "hard"}), image)
    ran = live(image)  # without an end of its own
    assert ran.returncode == 1
    told = ran.stderr.decode()
    assert f"{why}: the run ends\n" in told
    assert not faults or f"s, {faults} fault" in told
    assert "CFSR.PRECISERR" in told


def test_hazards_and_gaps_are_told_once(live: Live, made: Callable[[str], Path]) -> None:
    ran = live(made("no-swd"), "--for", "1s")
    assert ran.returncode == 0
    assert ran.stderr.count(b"PA13 leaves the debugger") == 1
    ran = live(made("unmodelled"), "--for", "1s")
    assert ran.stderr.count(b"I2S2ext.CR1: write is not modelled") == 1


def test_what_was_seen_can_be_kept_and_cycles_and_stack_are_told(
    live: Live, made: Callable[[str], Path], tmp_path: Path
) -> None:
    trace, vcd = tmp_path / "seen.jsonl", tmp_path / "seen.vcd"
    ran = live(
        made(COUNT),
        "--for",
        "1.2s",
        "--profile",
        "--stack",
        "--trace",
        str(trace),
        "--vcd",
        str(vcd),
    )
    assert ran.returncode == 0
    assert ran.stdout.split() == [b"hello", b"0", b"hello", b"1", b"hello", b"2"]
    said = ran.stderr.decode()
    assert re.search(r"^ cycles +\d+ awake", said, re.MULTILINE)
    assert re.search(r"^ stack +written to \d+ bytes deep, from 0x20018000", said, re.MULTILINE)
    seen = load_trace(trace.read_text())
    assert seen.span_ps == 12 * PS_PER_S // 10
    assert bytes(e.byte for e in seen.of(SerialByte)) == ran.stdout
    assert "$enddefinitions" in vcd.read_text()


def test_a_debugger_is_waited_for_and_may_end_the_run(
    command: list[str], made: Callable[[str], Path]
) -> None:
    with subprocess.Popen(
        [*command, "run", str(made(COUNT)), "--board", BOARD, "--gdb", "localhost:0"],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    ) as run:  # fmt: skip
        assert run.stderr is not None
        place = re.search(rb"target remote (\S+):(\d+)", run.stderr.readline())
        assert place is not None
        with socket.create_connection((place[1].decode(), int(place[2])), timeout=20) as gdb:
            gdb.sendall(framed(b"qRcmd," + b"time".hex().encode()))
            heard = b""
            while b"#" not in heard:
                heard += gdb.recv(200)
            answer = heard.partition(b"$")[2].partition(b"#")[0]
            assert bytes.fromhex(answer.decode()) == b"0 s, 0 cycles awake\n"
            gdb.sendall(framed(b"k"))
            said, _ = run.communicate(timeout=20)
    assert said == b""
    assert run.returncode == 0


@pytest.mark.parametrize("where", ["3333x", ":70000", "localhost:"])
def test_a_port_that_is_none_is_refused(
    live: Live, made: Callable[[str], Path], where: str
) -> None:
    ran = live(made(COUNT), "--gdb", where)
    assert ran.returncode == 2
    assert b"names no port" in ran.stderr


def test_real_time_is_real(live: Live, made: Callable[[str], Path]) -> None:
    started = time.monotonic()
    live(made(COUNT), "--for", "1s", "--pace", "real")
    assert time.monotonic() - started >= 1


def test_a_reader_that_has_enough_ends_the_run(
    command: list[str], made: Callable[[str], Path]
) -> None:
    with subprocess.Popen(
        [*command, "run", str(made(COUNT)), "--board", BOARD],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    ) as child:  # fmt: skip
        assert child.stdout is not None
        assert child.stdout.readline() == b"hello 0\r\n"
        child.stdout.close()
        assert child.wait(30) == 0
        assert child.stderr is not None
        assert b"Traceback" not in child.stderr.read()


def test_ctrl_c_ends_a_run_through_pipes(command: list[str], made: Callable[[str], Path]) -> None:
    with subprocess.Popen(
        [*command, "run", str(made(COUNT)), "--board", BOARD],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    ) as child:  # fmt: skip
        assert child.stdout is not None
        assert child.stdout.readline()  # it runs
        child.send_signal(signal.SIGINT)
        _, err = child.communicate(timeout=60)
        assert child.returncode == 130
    assert "Traceback" not in err
    assert "fwgen: ran " in err


# ---------------------------------------------------------------------------- a terminal


class Screen:
    """A person at a terminal of 24 rows."""

    def __init__(self, arguments: list[str]) -> None:
        pexpect = pytest.importorskip("pexpect")
        self.child = pexpect.spawn(
            "sh", ["-c", 'stty -a; "$@"; echo "exit code $?"; stty -a', "sh", *arguments],
            encoding="utf-8", timeout=30, dimensions=(24, 100),
            env={**os.environ, "TERM": "xterm", "NO_COLOR": "1"},
        )  # fmt: skip

    def sees(self, text: str) -> None:
        self.child.expect_exact(text)

    def reads(self, line: str) -> None:
        """A line of serial output; the status may be drawn anew within it."""
        self.child.expect(line + r"(\x1b7[^\n]*?\x1b8)*\r")

    def types(self, keys: str) -> None:
        self.child.send(keys)

    def ends_with(self, code: int) -> None:
        self.sees(f"exit code {code}")
        settings = self.child.read()
        for flag in ("icanon", "echo", "isig", "icrnl", "iexten"):
            assert f" {flag}" in settings.replace("\r\n", " ")
            assert f"-{flag} " not in settings


@pytest.fixture
def screen(command: list[str]) -> Iterator[Callable[..., Screen]]:
    opened: list[Screen] = []

    def start(image: Path, *more: str) -> Screen:
        made = Screen([*command, "run", str(image), "--board", BOARD, *more])
        opened.append(made)
        return made

    yield start
    for one in opened:
        one.child.close(force=True)


needs_termios = pytest.mark.skipif(os.name == "nt", reason="needs a POSIX terminal")


@needs_termios
def test_the_state_of_the_board_is_shown_and_a_key_presses_the_button(
    screen: Callable[..., Screen], made: Callable[[str], Path]
) -> None:
    one = screen(made(TOGGLE))
    one.sees("Ctrl-] quits, Ctrl-T b presses the button")
    one.sees("LD2 off   B1 up")
    one.types(MENU + "b")
    one.reads("1")
    one.sees("LD2 on")
    one.types(MENU + "b")
    one.reads("2")
    one.sees("LD2 off")
    one.types(MENU + "h")
    one.reads("3")
    one.sees("B1 down")
    one.types(MENU + "h")
    one.sees("B1 up")
    one.types(MENU + "q")
    one.sees("LD2 changed 3 times")
    one.ends_with(0)


@needs_termios
def test_keys_go_to_the_board_and_are_not_echoed_by_us(
    screen: Callable[..., Screen], made: Callable[[str], Path]
) -> None:
    one = screen(made("echo"))
    one.sees("Ctrl-] quits")
    one.types("ping")
    one.sees("ping")
    one.types(MENU + MENU)
    one.sees(MENU)
    one.types(MENU + "?")
    one.sees("power off and on")
    one.types(MENU + "x")
    one.sees("means nothing")
    one.types(QUIT)
    one.sees("5 bytes sent")
    one.ends_with(0)


@needs_termios
def test_power_off_and_on_starts_again(
    screen: Callable[..., Screen], made: Callable[[str], Path]
) -> None:
    one = screen(made(COUNT))
    one.sees("hello 1")
    one.types(MENU + "r")
    one.sees("hello 0")
    one.types(QUIT)
    one.ends_with(0)


@needs_termios
@pytest.mark.parametrize("how", ["key", "SIGINT", "SIGTERM"])
def test_to_be_ended_leaves_the_terminal_sane(
    screen: Callable[..., Screen], made: Callable[[str], Path], how: str
) -> None:
    one = screen(made(COUNT))
    one.sees("hello 1")
    if how != "key" and shutil.which("ps") is None:
        pytest.skip("ps, which finds the process to end, is not installed")
    if how == "key":
        one.types("\x03")
    else:
        # To fwgen alone, as "kill" would.
        children = subprocess.run(
            ["ps", "-o", "pid=", "--ppid", str(one.child.pid)], capture_output=True, check=True
        ).stdout.split()
        os.kill(int(children[0]), signal.Signals[how])
    one.sees("\x1b[r")
    one.ends_with(143 if how == "SIGTERM" else 130)


@needs_termios
def test_a_fault_at_a_terminal_leaves_it_sane(
    screen: Callable[..., Screen], made: Callable[[str], Path]
) -> None:
    one = screen(made("overflow"))
    one.sees("probably: SP is 0x1ffffff8")
    one.ends_with(1)


@needs_termios
def test_a_run_ends_by_itself(screen: Callable[..., Screen], made: Callable[[str], Path]) -> None:
    one = screen(made("blink LED at 2Hz"), "--for", "300ms")
    one.sees("LD2 at 2 Hz driven by a timer")
    one.ends_with(0)


def test_without_termios_input_comes_line_by_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "termios", None)
    with terminal.Keys() as raw:
        assert not raw


# ---------------------------------------------------------------------------- the script's words


def test_what_a_script_says() -> None:
    assert script.press("B1@1s:200ms", "100 ms") == Press("B1", PS_PER_S, 200 * PS_PER_MS)
    assert script.press(" B1 @ 1 s", "100 ms") == Press("B1", PS_PER_S, 100 * PS_PER_MS)
    assert script.press("B1@0s:ever", "100 ms") == Press("B1", 0, None)
    assert script.drive("D2@5ms=low") == Drive("D2", 5 * PS_PER_MS, 0)
    assert script.drive("D2@5ms=float") == Drive("D2", 5 * PS_PER_MS, None)
    assert script.send(r"me@home\x00\xff é@1s") == Send(
        "console", PS_PER_S, b"me@home\0\xff \xc3\xa9"
    )
