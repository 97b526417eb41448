"""A board watched live: a screen for people, a line for each change through pipes."""

from __future__ import annotations

import io
import os
import re
import signal
import subprocess
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

import fwgen as api
from fwgen.board import load_board
from fwgen.cli.dashboard import Dashboard
from fwgen.cli.watched import BEFORE, MIXED, Track, Watched
from fwgen.machine.machine import Machine
from fwgen.trace import Edge, Event, Hazard, Reset, SerialByte, Sleep, Wake, Wave
from fwgen.units import MHZ_PER_HZ, PPM, PS_PER_MS, PS_PER_S
from tests.machine.core.firmware import firmware

from .conftest import BOARD
from .firmware import hex_of
from .test_run import ENDS, HANDLED, PROBE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from .conftest import Ran

BLINK = "blink LED at 2Hz and print uptime every second"
TOGGLE = "toggle LED on each press of the button and print the press count"
STYLE = r"(?:\x1b\[[0-9;]*m| )*"
FADE = "blink D7 at 1 kHz with 25% duty"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    folder = tmp_path_factory.mktemp("images")
    known: dict[str, Path] = {}

    def make(what: str) -> Path:
        if what not in known:
            path = folder / f"{len(known)}.hex"
            if " " in what:
                api.write_hex(api.generate(what, BOARD).proof.image, path)
            else:
                path.write_bytes(hex_of(what))
            known[what] = path
        return known[what]

    return make


# ---------------------------------------------------------------------------- pipes


def test_each_change_and_each_line_is_told_with_its_time(
    fwgen: Callable[..., Ran], made: Callable[[str], Path]
) -> None:
    ran = fwgen("watch", made(BLINK), "--board", BOARD, "--for", "2.2s")
    assert ran.code == 0
    lines = ran.out.splitlines()
    assert [line.split(" ", 1)[1] for line in lines] == [
        "LD2 on", "console 0", "LD2 2 Hz, 50 %", "console 1", "console 2",
    ]  # fmt: skip
    times = [float(line.split()[0]) for line in lines]
    assert times == sorted(times)
    assert abs(times[3] - times[1] - 1) < 0.001


def test_buttons_wires_and_input_are_scripted_as_in_a_run(
    fwgen: Callable[..., Ran], made: Callable[[str], Path]
) -> None:
    ran = fwgen(
        "watch", made(TOGGLE), "--board", BOARD, "--for", "1s",
        "--press", "B1@100ms:50ms", "--drive", "D2@200ms=high", "--send", r"x\n@300ms",
    )  # fmt: skip
    told = [line.split(" ", 1)[1] for line in ran.out.splitlines()]
    assert told == ["LD2 off", "B1 down", "LD2 on", "console 1", "B1 up", "PA10 high"]


def test_a_timers_wave_is_told_once_as_what_it_is(
    fwgen: Callable[..., Ran], made: Callable[[str], Path]
) -> None:
    ran = fwgen("watch", made(FADE), "--board", BOARD, "--for", "1s")
    assert ran.out.count("PA8 1 kHz, 25 %") == 1
    assert len(ran.out.splitlines()) < 5


def test_a_fault_is_told_where_it_happens_and_reported_at_the_end(
    fwgen: Callable[..., Ran], made: Callable[[str], Path]
) -> None:
    ran = fwgen("watch", made("overflow"), "--board", BOARD, "--for", "1s")
    assert ran.code == 1
    assert "fault: " in ran.out
    assert "the stack ran out of RAM" in ran.said


SEEN = {
    "probes an address": ("fault: BusFault", "LD2 on"),
    "works on in the handler": ("fault: HardFault", "0.600006 LD2 off"),
    "resets": ("fault: HardFault", "0.150001 reset (SFTRSTF)", "0.600005 reset (SFTRSTF)"),
    "is reset by its watchdog": ("0.512015 reset (IWDGRSTF)", "hazard watchdog-expired"),
    "locks up under a watchdog": ("fault: Lockup", "reset (IWDGRSTF)"),
    "is interrupted in its handler": ("fault: BusFault", "0.100003 LD2 on"),
}


@pytest.mark.parametrize("what", HANDLED)
def test_firmware_is_watched_on_after_a_fault(
    fwgen: Callable[..., Ran], tmp_path: Path, what: str
) -> None:
    text, vectors, _ = HANDLED[what]
    image = tmp_path / "faults.hex"
    api.write_hex(firmware(text, vectors), image)
    ran = fwgen("watch", image, "--board", BOARD, "--for", "700ms")
    assert ran.code == 1
    for line in SEEN[what]:
        assert line in ran.out
    assert re.search(r"^fwgen: \d faults?$", ran.err, re.MULTILINE)
    assert "touched 0x60000008, where there is nothing" in " ".join(ran.err.split())


@pytest.mark.parametrize("what", ENDS)
def test_watching_ends_where_a_fault_has_ended_the_firmware(
    fwgen: Callable[..., Ran], tmp_path: Path, what: str
) -> None:
    handler, why, _ = ENDS[what]
    image = tmp_path / "faults.hex"
    api.write_hex(firmware(f"start: {PROBE}end: b end\n{handler}", {3: "hard"}), image)
    ran = fwgen("watch", image, "--board", BOARD)  # without an end of its own
    assert ran.code == 1
    assert ran.out.count("HardFault") == 1
    assert f"{why}\n" in ran.err
    assert "CFSR.PRECISERR" in ran.err


@pytest.mark.parametrize(
    ("arguments", "says"),
    [(("--for", "0s"), "no time to watch"), (("--window", "0s"), "shows nothing")],
)
def test_wrong_arguments_are_told(
    fwgen: Callable[..., Ran], made: Callable[[str], Path], arguments: tuple[str, ...], says: str
) -> None:
    ran = fwgen("watch", made("spin"), "--board", BOARD, *arguments)
    assert ran.code == 2
    assert says in ran.said


def test_a_reader_that_has_enough_ends_it(command: list[str], made: Callable[[str], Path]) -> None:
    with subprocess.Popen(
        [*command, "watch", str(made(BLINK)), "--board", BOARD],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    ) as child:  # fmt: skip
        assert child.stdout is not None
        assert child.stdout.readline() == b"0.000002 LD2 on\n"
        child.stdout.close()
        assert child.wait(30) == 0
        assert child.stderr is not None
        assert child.stderr.read() == b""


# ---------------------------------------------------------------------------- a terminal


@pytest.fixture
def screen(command: list[str]) -> Iterator[Callable[..., Any]]:
    pexpect = pytest.importorskip("pexpect")
    opened = []

    def start(image: Path, *more: str) -> Any:
        child = pexpect.spawn(
            "sh", ["-c", '"$@"; echo "exit code $?"; stty -a', "sh", *command, "watch",
                   str(image), "--board", BOARD, *more],
            encoding="utf-8", timeout=30, dimensions=(24, 100),
            env={**os.environ, "TERM": "xterm", "NO_COLOR": "1", "PYTHONUTF8": "1"},
        )  # fmt: skip
        opened.append(child)
        return child

    yield start
    for child in opened:
        child.close(force=True)


def test_a_screen_shows_parts_console_and_sleep(
    screen: Callable[..., Any], made: Callable[[str], Path]
) -> None:
    child = screen(made(BLINK))
    child.expect_exact("ST NUCLEO-F401RE, in the machine")
    child.expect(r"awake 0\.\d+ %")
    child.expect(r"LD2.{0,99}2 Hz, 50 %.{0,99}[▁█]{2}")
    child.expect_exact("console, USART2")
    child.send("q")
    child.expect_exact("exit code 0")
    settings = child.read().replace("\r\n", " ")
    assert " icanon" in settings
    assert " echo" in settings


def test_a_screen_shows_a_fault_and_what_follows(
    screen: Callable[..., Any], tmp_path: Path
) -> None:
    text, vectors, _ = HANDLED["works on in the handler"]
    image = tmp_path / "faults.hex"
    api.write_hex(firmware(text, vectors), image)
    child = screen(image, "--pace", "real")
    child.expect_exact("fault: HardFault: BusFault")
    child.expect(r"LD2.{0,99}Hz")
    child.send("q")
    child.expect_exact("CFSR.PRECISERR")
    child.expect_exact("exit code 1")


def test_the_button_can_be_pressed(screen: Callable[..., Any], made: Callable[[str], Path]) -> None:
    child = screen(made(TOGGLE))
    child.expect(f"LD2{STYLE}off")
    child.send("b")
    child.expect(f"LD2{STYLE}on ")
    child.send("1")
    child.expect(f"LD2{STYLE}off")
    child.send("\x1d")
    child.expect_exact("exit code 0")


def test_a_terminated_screen_leaves_the_terminal_as_it_was(
    screen: Callable[..., Any], made: Callable[[str], Path]
) -> None:
    child = screen(made(BLINK))
    child.expect_exact("LD2")
    found = subprocess.run(
        ["pgrep", "-P", str(child.pid)],
        capture_output=True, check=False, text=True,
    )  # fmt: skip
    if found.returncode:
        pytest.skip("needs pgrep")
    os.kill(int(found.stdout.split()[0]), signal.SIGTERM)
    child.expect_exact(f"exit code {128 + signal.SIGTERM}")
    assert " icanon" in child.read().replace("\r\n", " ")


# ---------------------------------------------------------------------------- what is seen


def test_a_pins_rate_is_that_of_its_last_period() -> None:
    track = Track(0)
    for n in range(6):
        track.add(Edge(n * 500 * PS_PER_MS, "PA5", 1))
        track.add(Edge(n * 500 * PS_PER_MS + 100 * PS_PER_MS, "PA5", 0))
    rate = track.rate(2_700 * PS_PER_MS)
    assert rate is not None
    assert (rate.mhz, rate.duty_ppm) == (2 * MHZ_PER_HZ, 200_000)
    assert track.changes == 12
    assert track.rate(4_000 * PS_PER_MS) is None  # it no longer does
    assert Track(0).rate(PS_PER_S) is None


def test_a_wave_is_exact() -> None:
    track = Track(0)
    track.add(Wave(10, "PA8", 1, Fraction(1000, 3), Fraction(2000, 3)))
    rate = track.rate(10**15)
    assert rate is not None
    assert (rate.period_ps, rate.high_ps) == (1000, Fraction(1000, 3))
    track.add(Wave(10**6, "PA8", 0, Fraction(300), Fraction(100)))
    rate = track.rate(10**15)
    assert rate is not None
    assert (rate.period_ps, rate.high_ps) == (400, 100)
    track.add(Edge(10**7, "PA8", None))
    assert track.rate(10**15) is None
    assert track.level_at(10**8) is None


@given(
    st.lists(st.tuples(st.integers(1, 50), st.integers(0, 1)), max_size=30),
    st.integers(1, 40),
    st.integers(0, 2000),
)
def test_a_strip_shows_levels_where_they_were(
    moves: list[tuple[int, int]], columns: int, now: int
) -> None:
    track, at, truth = Track(0), 0, [0] * 4000
    for gap, level in moves:
        at += gap
        track.add(Edge(at, "PA5", level))
        truth[at:] = [level] * (4000 - at)
    width = max(1, 400 // columns)
    strip = track.strip(now, 400, columns)
    assert len(strip) == columns
    stop = (now // width + 1) * width
    for n, cell in enumerate(strip):
        begin = stop - (columns - n) * width
        seen = set(truth[begin : begin + width]) if begin >= 0 else set()
        if cell == BEFORE:
            assert begin < 0
        elif cell == MIXED:
            assert width > 1
        else:
            assert cell in seen


def test_a_strip_of_a_fast_wave_is_mixed_and_of_a_slow_one_is_not() -> None:
    track = Track(0)
    track.add(Wave(0, "PA8", 1, Fraction(PS_PER_MS), Fraction(PS_PER_MS)))
    assert set(track.strip(PS_PER_S - 1, PS_PER_S, 10)) == {MIXED}
    assert track.strip(20 * PS_PER_MS - 1, 4 * PS_PER_MS, 4) == [1, 0, 1, 0]


def feed(watched: Watched, *events: Event, now_ps: int) -> Watched:
    watched.feed(events, now_ps)
    return watched


def test_the_share_of_time_awake_is_the_cores_own() -> None:
    board = load_board(BOARD)
    image = api.generate(BLINK, BOARD).proof.image
    with Machine(board) as machine:
        watched = Watched(board, {}, window_ps=10 * PS_PER_S)
        heard: list[Event] = []
        machine.listen(heard.append)
        machine.load(image)
        for n in range(1, 150):
            machine.advance(n * 20 * PS_PER_MS)
            watched.feed(heard, n * 20 * PS_PER_MS)
            heard.clear()
        cycles = machine.core.awake_cycles
    awake = PPM * cycles / (149 * 0.020 * 16e6)
    assert watched.awake_ppm is not None
    assert abs(watched.awake_ppm - awake) <= 2
    assert watched.awake_ppm < 1000


def test_the_share_is_that_of_the_window() -> None:
    watched = Watched(load_board(BOARD), {}, window_ps=PS_PER_S)
    assert watched.awake_ppm is None
    for n in range(1, 40):
        events = [Sleep(n * 100 * PS_PER_MS, "sleep")] if n == 20 else []
        watched.feed(events, (n + 1) * 100 * PS_PER_MS)
        if n == 19:
            assert watched.awake_ppm == PPM
        if n == 24:
            assert watched.awake_ppm == PPM // 2
    assert watched.awake_ppm == 0
    feed(watched, Wake(4 * PS_PER_S, "TIM2"), now_ps=4_500 * PS_PER_MS)
    assert watched.awake_ppm == PPM // 2


def said(data: bytes) -> list[SerialByte]:
    return [SerialByte(n + 1, "USART2", "tx", b, 115_200_000, n) for n, b in enumerate(data)]


def test_lines_are_read_without_what_moves_the_cursor() -> None:
    watched = Watched(load_board(BOARD), {}, window_ps=PS_PER_S)
    watched.feed(said(b"one\r\n\x1b[2Jtwo\nth\xc3\xa9"), 100)
    assert [text for _, text in watched.lines] == ["one", "\ufffd[2Jtwo"]
    assert watched.line == "thé"
    assert watched.received == 17
    watched.feed(said(b"x" * 1000), 2000)
    assert all(len(text) <= 400 for _, text in watched.lines)
    other = [SerialByte(1, "USART1", "tx", 65, 1, 0), SerialByte(1, "USART2", "rx", 65, 1, 0)]
    before = watched.received
    watched.feed(other, 3000)
    assert watched.received == before


def test_hazards_are_noted_once_and_resets_each_time() -> None:
    watched = Watched(load_board(BOARD), {}, window_ps=PS_PER_S)
    hazard = Hazard(5, "clock-off", "error", "GPIOA touched", 0)
    feed(watched, hazard, hazard, Reset(6, "SFTRSTF"), Reset(7, "SFTRSTF"), now_ps=10)
    assert [text for _, text in watched.notes] == [
        "hazard clock-off: GPIOA touched", "reset (SFTRSTF)", "reset (SFTRSTF)",
    ]  # fmt: skip


def test_what_goes_wrong_again_and_again_does_not_flood_the_lines() -> None:
    watched = Watched(load_board(BOARD), {}, window_ps=PS_PER_S)
    found = [Hazard(n, "clock-off", "error", f"touched {n}", 0) for n in range(1, 1000)]
    feed(watched, *found, now_ps=1000)
    assert len(watched.notes) == 21
    assert watched.notes[-1] == (21, "and more, no longer told one by one")


class Still:
    """A source of which nothing more comes; sampled, as a rig's would be."""

    title = "a board"
    now_ps = PS_PER_S
    every_ps = PS_PER_MS
    resolution_ps = 2 * PS_PER_MS
    awake_ppm: int | None = 120_000

    @property
    def initial(self) -> Mapping[str, int | None]:
        return {}

    def poll(self) -> tuple[Sequence[Event], float]:
        return (), 1.0


@pytest.mark.parametrize(("width", "height"), [(100, 24), (60, 12), (40, 8), (200, 50)])
def test_a_screen_fits_where_it_is_shown(width: int, height: int) -> None:
    watched = Watched(load_board(BOARD), {"PA5": 0, "PC13": 1}, window_ps=PS_PER_S)
    watched.feed(
        [*said(b"".join(b"line %d\r\n" % n for n in range(100))), Edge(10**9, "PA10", 1)], PS_PER_S
    )
    watched.feed([Hazard(5, "clock-off", "error", "GPIOA " * 30, 0)], PS_PER_S)
    out = io.StringIO()
    console = Console(file=out, width=width, height=height, force_terminal=True, color_system=None)
    console.print(Dashboard(Still(), watched, "q quits"), height=height)
    lines = re.sub(r"\x1b\[[0-9;]*m", "", out.getvalue()).splitlines()
    assert len(lines) <= height
    assert max(map(len, lines)) <= width
    text = "\n".join(lines)
    assert "line 99" in text
    assert "q quits" in text
    if width >= 100:
        assert "awake 12 %" in text
        assert "sampled every 1 ms, 2 ms at the longest" in text
        assert re.search(r"LD2 +off +steady", text)
        assert re.search(r"B1 +up +steady", text)
        assert re.search(r"PA10 +high +for 999 ms", text)
