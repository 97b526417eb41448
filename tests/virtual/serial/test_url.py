"""``fwgen://<uid>``: pyserial on a virtual board, in the board's own time."""

from __future__ import annotations

import errno
import threading
import time
from fractions import Fraction
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
import serial
from serial.serialutil import PortNotOpenError

from fwgen.board import load_board
from fwgen.image.write import bin_bytes
from fwgen.trace import SerialByte, Stimulated
from fwgen.units import PS_PER_MS, PS_PER_S, PS_PER_US
from fwgen.virtual.board import VirtualBoard
from fwgen.virtual.faults import Faults
from fwgen.virtual.serial import Framing, Noise, comports, plugged
from fwgen.virtual.serial.port import USB_FRAME_PS
from fwgen.virtual.serial.wire import Receiver

from . import firmware
from .boards import PoweredBoard

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from fwgen.image.types import Image

FRAME_PS = 10 * PS_PER_S // 115_200


class Bench:
    def __init__(self, image: Image, faults: Faults | None = None) -> None:
        self.board = PoweredBoard(image, faults=faults)
        self.port = self.board.port
        self._cable = plugged(self.port)
        self.url = self._cable.__enter__()
        self.pulled = False

    def open(self, baud: int = 115_200, **options: object) -> serial.SerialBase:
        return serial.serial_for_url(self.url, baud, **{"timeout": 0.05, **options})

    def pull(self) -> None:
        if not self.pulled:
            self.pulled = True
            self._cable.__exit__(None, None, None)


@pytest.fixture
def bench() -> Iterator[Callable[..., Bench]]:
    made: list[Bench] = []

    def make(image: Image | None = None, faults: Faults | None = None) -> Bench:
        made.append(Bench(image or firmware.echo(), faults))
        return made[-1]

    yield make
    for one in made:
        one.pull()
        one.board.close()


Make = "Callable[..., Bench]"

# ---------------------------------------------------------------------------- time


def test_a_read_lets_virtual_time_pass_and_returns_with_the_usb_frame(bench: Make) -> None:
    one = bench(firmware.count())
    port = one.open(timeout=2)
    assert port.read(18) == b"hello 0\r\nhello 1\r\n"
    sent = [e for e in one.board.events if isinstance(e, SerialByte)]
    assert 0 < one.board.now_ps - sent[-1].t_ps <= USB_FRAME_PS
    assert one.board.now_ps % USB_FRAME_PS < PS_PER_US


def test_a_read_in_vain_takes_its_timeout_exactly(bench: Make) -> None:
    one = bench()
    port = one.open(timeout=0.1234567)
    before = one.board.now_ps
    assert port.read(1) == b""
    assert 0 <= one.board.now_ps - before - 123_456_700_000 < PS_PER_US  # to an instruction
    port.timeout = 0
    assert port.read(1) == b""
    assert 0 <= one.board.now_ps - before - 123_456_700_000 < PS_PER_US  # to an instruction


def test_a_read_without_timeout_waits_as_long_as_it_takes(bench: Make) -> None:
    one = bench(firmware.count())
    port = one.open(timeout=None)
    assert port.read_until(b"hello 3\r\n").endswith(b"hello 3\r\n")
    assert one.board.now_ps > 1_500 * PS_PER_MS


def test_the_same_calls_give_the_same_times(bench: Make) -> None:
    def told() -> list[tuple[int, bytes]]:
        one = bench(None, Faults(serial_noise=0.02, seed=3))
        port = one.open()
        seen = []
        for line in (b"abc", b"defghi" * 10, b"\x00\xff"):
            port.write(line)
            seen.append((one.board.now_ps, port.read(100)))
        return seen

    assert told() == told()


def test_on_a_free_running_board_a_read_waits(bench: Make) -> None:
    one = bench(firmware.count())
    port = one.open(timeout=10)
    one.board.start_free_running()
    began = time.monotonic()
    assert port.read_until(b"hello 1\r\n").endswith(b"hello 1\r\n")
    assert time.monotonic() - began > 0.4
    port.timeout = 0.05
    port.reset_input_buffer()
    assert port.read(1) == b""


def test_a_waiting_read_can_be_cancelled_and_closed(bench: Make) -> None:
    one = bench()
    one.board.start_free_running()
    for end in ("cancel_read", "close"):
        port = one.open(timeout=None)
        got: list[bytes] = []
        reader = threading.Thread(target=lambda p=port, g=got: g.append(p.read(1)))
        reader.start()
        while not one.port._cond._waiters:  # type: ignore[attr-defined]
            time.sleep(0.001)
        getattr(port, end)()
        reader.join(10)
        assert got == [b""]
        port.close()


# ---------------------------------------------------------------------------- both ways


@pytest.mark.parametrize("baud", [9600, 115_200, 500_000])
def test_every_byte_goes_there_and_back(bench: Make, baud: int) -> None:
    one = bench(firmware.echo(baud))
    port = one.open(baud)
    port.read(1)  # let it start
    data = bytes(range(256))
    assert port.write(data) == 256
    port.timeout = 1
    assert port.read(256) == data
    assert one.port.errors == {}


def test_what_is_written_leaves_back_to_back_at_the_ports_rate(bench: Make) -> None:
    one = bench()
    port = one.open()
    port.read(1)
    port.write(b"0123456789")
    port.read(10)
    heard = [e for e in one.board.events if isinstance(e, SerialByte) and e.direction == "rx"]
    assert bytes(e.byte for e in heard) == b"0123456789"
    assert heard[0].start_ps % USB_FRAME_PS == 0
    steps = {b.start_ps - a.start_ps for a, b in pairwise(heard)}
    assert steps == {10 * PS_PER_S // 115_200}
    assert not [e for e in one.board.events if isinstance(e, Stimulated)]


def test_flush_waits_for_the_line(bench: Make) -> None:
    one = bench()
    port = one.open()
    port.read(1)
    before = one.board.now_ps
    port.write(b"x" * 1000)
    assert port.out_waiting == 1000
    port.flush()
    assert port.out_waiting == 0
    passed = one.board.now_ps - before
    assert 1000 * 10 * PS_PER_S // 115_200 <= passed <= 1003 * 10 * PS_PER_S // 115_200 + PS_PER_MS


def test_what_waits_can_be_thrown_away(bench: Make) -> None:
    one = bench()
    port = one.open()
    port.read(1)
    port.write(b"x" * 1000)
    port.read(1)
    port.reset_output_buffer()
    assert port.out_waiting == 0
    port.timeout = 1
    assert 0 < len(port.read(1000)) < 50
    port.write(b"abc")
    one.board.sleep(10 * PS_PER_MS)
    assert port.in_waiting == 3
    port.reset_input_buffer()
    assert port.in_waiting == 0


@pytest.mark.parametrize(
    ("cr1", "cr2", "settings"),
    [
        (firmware.EVEN, 0, {"parity": "E"}),
        (firmware.ODD, 0, {"parity": "O"}),
        (firmware.PLAIN, 2 << 12, {"stopbits": 2}),
        (firmware.NINE, 0, {"parity": "M"}),
    ],
)
def test_formats_that_agree_are_understood(
    bench: Make, cr1: int, cr2: int, settings: dict[str, object]
) -> None:
    one = bench(firmware.echo(115_200, cr1, cr2))
    port = one.open(**settings)
    port.read(1)
    port.write(bytes(range(256)))
    port.timeout = 1
    assert port.read(256) == bytes(range(256))
    assert one.port.errors == {}


def test_a_wrong_parity_is_counted_and_read_all_the_same(bench: Make) -> None:
    one = bench(firmware.echo(115_200, firmware.EVEN))
    port = one.open(parity="O")
    port.read(1)
    port.write(b"ok")
    assert port.read(2) == b"ok"
    assert one.port.errors == {"parity": 2}


@pytest.mark.parametrize("baud", [9600, 57_600, 230_400])
def test_another_rate_garbles_both_ways(bench: Make, baud: int) -> None:
    one = bench()
    port = one.open(baud)
    port.read(1)
    port.write(b"Hello\r\n")
    read = port.read(100)
    assert read
    assert read != b"Hello\r\n"
    port.baudrate = 115_200
    port.write(b"Hello\r\n")
    assert port.read(7) == b"Hello\r\n"


def test_firmware_that_moves_the_pin_by_itself_is_heard(bench: Make) -> None:
    one = bench(firmware.bit_banged(0x5A, 9600))
    assert one.open(9600).read(1) == b"\x5a"


def test_a_break_reaches_the_chip_and_bytes_wait_for_its_end(bench: Make) -> None:
    one = bench()
    port = one.open()
    port.read(1)
    port.break_condition = True
    port.write(b"later")
    assert port.read(100) == b"\x00"  # what the chip made of the break, sent back
    port.break_condition = False
    assert port.read(100) == b"later"
    port.send_break(0.01)
    assert port.read(100) == b"\x00"


@pytest.fixture
def quiet() -> Iterator[VirtualBoard]:
    """A board that nobody listens to, as ``fwgen virtual`` has it: it echoes at 500 kbaud."""
    image = firmware.echo(500_000)
    with VirtualBoard(load_board("nucleo-f401"), flash=bin_bytes(image)) as board:
        assert board.serial is not None
        board.serial.set_framing(Framing(500_000))
        board.serial.acquire()
        board.sleep(PS_PER_MS)
        yield board


DATA = bytes(n * 7 & 0xFF for n in range(2000))  # some 40 ms


def test_what_comes_is_handed_over_once_in_a_usb_frame_however_far_time_goes(quiet) -> None:
    port, came = quiet.serial, []

    def note() -> None:
        if data := port.take(4096):
            came.append((quiet.machine.soc.scheduler.now_ps, data))

    port.write(DATA)
    with port.notify(note), quiet.lock:
        quiet.move_to(quiet.now_ps + 50 * PS_PER_MS)  # at once
    assert b"".join(data for _, data in came) == DATA
    assert len(came) >= 40
    assert {at % USB_FRAME_PS for at, _ in came} == {0}
    assert max(len(data) for _, data in came) <= 51  # what fits into a millisecond


def test_the_port_does_not_stop_the_machine_at_each_byte(quiet) -> None:
    engine = quiet.machine.core.engine
    if quiet.machine.core.native is None:  # then the engine is entered at each byte
        pytest.skip("the native code was not built")
    start, starts = engine.start, []
    engine.start = lambda *what: (starts.append(what), start(*what))[1]
    quiet.serial.write(DATA)
    quiet.sleep(50 * PS_PER_MS)
    assert quiet.serial.take(4096) == DATA
    assert len(starts) < len(DATA) // 4


@pytest.mark.parametrize("ends", ["halted", "held in reset", "without power", "finished"])
def test_what_was_sent_before_reaches_the_host(quiet, ends: str) -> None:
    quiet.serial.write(DATA)
    quiet.sleep(10 * PS_PER_MS + 300 * PS_PER_US)  # in the middle of a USB frame
    match ends:
        case "halted":
            assert quiet.machine.core.debugger.write(0xE000_EDF0, 4, 0xA05F_0003)  # DHCSR
        case "held in reset":
            quiet.reset_line(True)
        case "without power":
            quiet.power_cycle()
        case _:
            quiet.serial.finish()
    if ends != "finished":
        quiet.sleep(2 * PS_PER_MS)
    got = quiet.serial.take(4096)
    assert got[:460] == DATA[:460]  # 9.3 ms of 20 µs a byte; some are on their way
    if ends != "without power":  # then it starts again, and misses some
        assert len(got) <= 465
        assert DATA.startswith(got)


def test_settings_hold_for_what_comes_after_them(quiet) -> None:
    port = quiet.serial
    port.write(DATA[:100])
    quiet.sleep(4 * PS_PER_MS)
    port.set_framing(Framing(250_000))
    port.write(b"abc")
    quiet.sleep(3 * PS_PER_MS)
    port.set_framing(Framing(500_000))
    port.write(DATA[100:200])
    quiet.sleep(4 * PS_PER_MS)
    got = port.take(4096)
    assert got.startswith(DATA[:100])
    assert got.endswith(DATA[100:200])
    assert b"abc" not in got
    assert len(got) > 200


def test_noise_garbles_by_its_seed(bench: Make) -> None:
    def through(share: float, seed: int = 0) -> bytes:
        one = bench(None, Faults(serial_noise=share, seed=seed))
        port = one.open()
        port.read(1)
        port.write(b"The quick brown fox jumps over the lazy dog" * 5)
        port.timeout = 0.2
        return port.read(1000)

    clean = b"The quick brown fox jumps over the lazy dog" * 5
    assert through(0) == clean
    noisy = through(0.01, 1)
    assert noisy != clean
    assert noisy == through(0.01, 1)
    assert noisy != through(0.01, 2)
    assert abs(len(noisy) - len(clean)) < 60


class StopsLow(Noise):
    """Inverts the stop bit of every other frame."""

    def flipped(self, direction: str, start_ps: int, bits: int) -> int:
        del direction
        return (start_ps // FRAME_PS % 2) << (bits - 1)


def test_a_stop_bit_lost_in_noise_runs_into_the_next_start(bench: Make) -> None:
    one = bench(firmware.count())
    one.port.noise = StopsLow(flips_ppm=1)
    read = one.open(timeout=0.1).read(100)
    receiver = Receiver(Framing(115_200))
    for event in one.board.events:
        if isinstance(event, SerialByte):
            flipped = StopsLow().flipped("tx", event.start_ps, 10)
            bit = Fraction(event.t_ps - event.start_ps, 10)
            levels = Framing(115_200).word(event.byte)
            receiver.line.put_frame(event.start_ps, bit, event.t_ps, levels, flipped=flipped)
    words = receiver.words(one.board.now_ps)
    assert read == bytes(word.byte for word in words)
    assert one.port.errors["framing"] == sum(word.error == "framing" for word in words)
    assert read != b"hello 0\r\n"


@pytest.mark.parametrize("baud", [57_600, 115_200, 230_400])
def test_a_line_that_somebody_else_listens_to_is_heard_once(bench: Make, baud: int) -> None:
    one, other = bench(firmware.count()), bench(firmware.count())
    edges = []
    output = one.board.machine.soc.fabric.output("USART2_TX")
    output.listen(lambda t_ps, level: edges.append((t_ps, level)))
    read = one.open(baud, timeout=0.6).read(100)
    assert len(edges) > 60  # so they are written out one by one
    assert read == other.open(baud, timeout=0.6).read(100)
    assert one.port.errors == other.port.errors


# ---------------------------------------------------------------------------- the cable


def test_what_is_said_while_nobody_listens_is_lost(bench: Make) -> None:
    one = bench(firmware.count())
    one.board.sleep(600 * PS_PER_MS)
    port = one.open(timeout=1)
    assert port.read(9) == b"hello 2\r\n"
    port.close()
    one.board.sleep(600 * PS_PER_MS)
    port.open()
    assert port.read(9) == b"hello 4\r\n"


def test_a_port_held_exclusively_is_busy(bench: Make) -> None:
    one = bench()
    first = one.open(exclusive=True)
    with pytest.raises(serial.SerialException, match="exclusively lock"):
        one.open()
    first.close()
    second = one.open()
    with pytest.raises(serial.SerialException) as caught:
        one.open(exclusive=True)
    assert caught.value.errno == errno.EBUSY
    assert second.is_open


def test_a_pulled_cable_is_an_error_at_once(bench: Make) -> None:
    one = bench()
    port = one.open()
    port.read(1)
    one.pull()
    for act in (lambda: port.read(1), lambda: port.write(b"x"), lambda: port.in_waiting):
        with pytest.raises(serial.SerialException, match="unplugged"):
            act()
    port.close()
    with pytest.raises(PortNotOpenError):
        port.read(1)
    with pytest.raises(serial.SerialException, match="no such virtual board"):
        port.open()


def test_the_probe_stays_powered_through_a_power_cycle_of_the_board(bench: Make) -> None:
    one = bench(firmware.count())
    port = one.open(timeout=1)
    assert port.read(9) == b"hello 0\r\n"
    one.board.power_cycle()
    assert port.read(9) == b"hello 0\r\n"
    one = bench()
    port = one.open()
    one.board.power_cycle()
    port.read(1)
    port.write(b"after")
    assert port.read(5) == b"after"


def test_control_lines_are_accepted_and_reach_nothing(bench: Make) -> None:
    one = bench()
    port = one.open()
    before = len(one.board.events)
    assert (one.port.lines.rts, one.port.lines.dtr) == (True, True)
    port.rts, port.dtr = False, False
    assert (one.port.lines.rts, one.port.lines.dtr) == (False, False)
    assert (port.cts, port.dsr, port.ri, port.cd) == (True, False, False, False)
    assert len(one.board.events) == before


def test_plugged_ports_are_listed_with_their_serial_numbers(bench: Make) -> None:
    one, other = bench(), bench()
    listed = {info.serial_number: info.device for info in comports()}
    assert listed[one.board.uid] == one.url
    assert listed[other.board.uid] == other.url
    other.pull()
    assert other.board.uid not in {info.serial_number for info in comports()}


def test_one_uid_is_plugged_once(bench: Make) -> None:
    one = bench()
    with pytest.raises(ValueError, match="plugged already"), plugged(one.port):
        pass


@pytest.mark.parametrize("url", ["fwgen://", "fwgen://a/b", "fwgen://a?x=1"])
def test_a_url_that_names_no_board_is_refused(bench: Make, url: str) -> None:
    bench()
    with pytest.raises(serial.SerialException, match="expected a string in the form"):
        serial.serial_for_url(url)


def test_a_rate_that_is_none_is_refused(bench: Make) -> None:
    one = bench()
    with pytest.raises(ValueError, match="invalid baudrate"):
        one.open(0)
    with pytest.raises(ValueError, match="is none"):
        one.port.set_framing(Framing(0))
