"""A logic analyser behind sigrok-cli: its stream, its time, and what a contract gets from it."""

from __future__ import annotations

import os
import shutil
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import fwgen as api
from fwgen.contract import Blinks, Contract, Counts, Level, Pwm
from fwgen.errors import InputError, RigError
from fwgen.hil.place import opened
from fwgen.pipeline import Confirmed, confirm, verify
from fwgen.rig import connection
from fwgen.rig.clock import WallClock
from fwgen.rig.looks import Looks
from fwgen.rig.rigs import RigSpec, load_rig
from fwgen.rig.sigrok import (
    AnalyserSpec,
    NotVcdError,
    SigrokAnalyser,
    Stream,
    align,
    channels_of,
    configured,
    scan,
    version,
)
from fwgen.units import MHZ_PER_HZ, PS_PER_MS, PS_PER_S, PS_PER_US
from fwgen.verdict import Outcome
from fwgen.virtual.board import VirtualBoard
from tests.rig.bench_firmware import image_of
from tests.rig.sigrok_stand_in import stand_in

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from fwgen.board.types import Board
    from fwgen.image.types import Image

real = pytest.mark.skipif(shutil.which("sigrok-cli") is None, reason="needs sigrok-cli")
posix = pytest.mark.skipif(os.name != "posix", reason="needs Unix sockets")
HEAD = (
    b"$date today $end\n$version libsigrok 0.5.2 $end\n$comment\n  Acquisition $end\n"
    b"$timescale 100 ps $end\n$scope module libsigrok $end\n"
    b'$var wire 1 ! D0 $end\n$var wire 1 " D3 $end\n$upscope $end\n$enddefinitions $end\n'
)
BODY = b'#0 1! 0"\n#417 0! 1"\n#1667 1! 0"\n#2083 1"\n#12500\n'


# ---------------------------------------------------------------------------- the stream


@given(st.lists(st.integers(1, 40), max_size=40))
def test_a_stream_says_the_same_in_whatever_pieces_it_comes(sizes: list[int]) -> None:
    data, stream, at = HEAD + BODY, Stream(), 0
    for size in [*sizes, len(data)]:
        stream.feed(data[at : at + size])
        at += size
    stream.end()
    assert stream.levels == {
        "D0": [(0, 1), (41_700, 0), (166_700, 1)],
        "D3": [(0, 0), (41_700, 1), (166_700, 0), (208_300, 1)],
    }
    assert stream.until_ps == 1_250_000
    assert stream.unit_ps == 100


def test_a_pin_that_rests_goes_on_resting() -> None:
    stream = Stream()
    stream.feed(HEAD + b'#0 1! 0"\n')
    assert stream.until_ps == 0
    stream.feed(b"#900")  # cut in the middle of a number
    assert stream.until_ps == 0
    stream.feed(b"00\n")
    assert stream.until_ps == 9_000_000


@pytest.mark.parametrize(
    "data",
    [b"#-nan\n", b"logic,logic\n1,0\n", HEAD.replace(b"100 ps", b"fast") + BODY,
     HEAD + b"#x 1!\n", HEAD + b"#0 1?\n", HEAD + b"#5 hello\n"],
)  # fmt: skip
def test_what_is_no_vcd_is_not_read(data: bytes) -> None:
    with pytest.raises(NotVcdError):
        Stream().feed(data)


# ---------------------------------------------------------------------------- in time


@given(
    st.lists(st.integers(2_000, 400_000), min_size=1, max_size=30),
    st.lists(st.tuples(st.integers(100, 9_000), st.integers(10, 700)), min_size=30, max_size=120),
    st.integers(-300_000, 0),
)
def test_the_probes_looks_never_rule_out_the_true_time(
    gaps: list[int], looks: list[tuple[int, int]], offset: int
) -> None:
    us = PS_PER_US
    told, t, level = [(0, 0)], -offset * us, 0
    for gap in gaps:
        t, level = t + gap * us, 1 - level
        told.append((t, level))
    seen, now = Looks("PA5", 0), 0
    for wait, takes in looks:
        start, stop = (now + wait) * us, (now + wait + takes) * us
        now += wait + takes
        moment = (start + stop) // 2 - offset * us
        true = [lv for at, lv in told if at <= moment][-1]
        seen.look(start, stop, true)
    ranges = align({"PA5": told}, {"PA5": seen}, (-400_000 * us, 0), us)
    assert any(low <= offset * us <= high for low, high in ranges)


def test_a_blink_that_both_have_seen_tells_the_time_to_a_look() -> None:
    told = [(0, 0), *((300 * PS_PER_MS + n * 100 * PS_PER_MS, n % 2 ^ 1) for n in range(9))]
    seen = Looks("PA5", 0)
    for n in range(800):
        start = n * PS_PER_MS
        seen.look(start, start + PS_PER_MS // 4, start // (100 * PS_PER_MS) % 2 ^ 1)
    ((low, high),) = align({"PA5": told}, {"PA5": seen}, (-1500 * PS_PER_MS, 0), PS_PER_US)
    assert low <= -300 * PS_PER_MS <= high
    assert high - low < 2 * PS_PER_MS


def test_what_is_not_of_the_same_pin_fits_nowhere() -> None:
    seen = Looks("PA5", 0)
    for n in range(100):
        seen.look(n * PS_PER_MS, n * PS_PER_MS + 1, n // 10 % 2)
    assert align({"PA5": [(0, 0)]}, {"PA5": seen}, (-PS_PER_S, 0), PS_PER_US) == []


# ---------------------------------------------------------------------------- the real tool


@real
def test_the_real_tool_names_itself_and_its_devices() -> None:
    assert version().startswith("sigrok-cli ")
    found = scan("demo")
    assert {"D0", "D7"} <= set(channels_of(found))
    with pytest.raises(RigError, match="sigrok"):
        scan("no-such-driver")
    with pytest.raises(RigError, match="no channel 'D99'"):
        configured(AnalyserSpec("demo", 1000, {"PA5": "D99"}), WallClock())


@real
def test_the_real_tool_samples_until_told_to_stop() -> None:
    """The demo device counts: its pattern has an edge of D0 every few samples."""
    analyser = SigrokAnalyser(AnalyserSpec("demo", 10_000, {"PA5": "D0", "PA8": "D3"}), WallClock())
    analyser.start()
    zero = WallClock().now_ps
    WallClock().sleep(PS_PER_S // 2)
    captured = analyser.stop(zero, {pin: Looks(pin, None) for pin in ("PA5", "PA8")})
    for pin in ("PA5", "PA8"):
        looks = captured.looks[pin]
        assert looks.until_ps >= PS_PER_S // 2 - captured.off_ps
        assert len(looks.edges) > 100
        assert max(edge.blur_ps for edge in looks.edges[1:]) <= PS_PER_MS // 20 + 1


@real
@pytest.mark.parametrize(
    ("driver", "rate", "channel", "says"),
    [
        ("no-such-driver", 1000, "D0", "no-such-driver"),
        ("demo", 1000, "Q7", "Q7"),
    ],
)
def test_what_the_real_tool_refuses_is_told_in_its_words(
    driver: str, rate: int, channel: str, says: str
) -> None:
    analyser = SigrokAnalyser(AnalyserSpec(driver, rate, {"PA5": channel}), WallClock())
    with pytest.raises(RigError, match=says):
        analyser.start()


def test_a_tool_that_is_not_installed_is_told_with_the_cure(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(RigError, match="not installed") as told:
        version()
    assert "apt install sigrok-cli" in (told.value.hint or "")
    monkeypatch.setenv("FWGEN_SIGROK", str(tmp_path / "none"))
    with pytest.raises(RigError, match="no program"):
        version()


# ---------------------------------------------------------------------------- a rig with one

PWM = "blink D7 at 1 kHz with 25% duty"


@pytest.fixture(scope="module")
def fade() -> Image:
    return api.generate(PWM, "nucleo-f401").proof.image


@pytest.fixture
def confirmed(
    board: Board, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Confirmed]:
    """Holds a firmware against a contract on a board with a stand-in of an analyser."""

    def run(
        image: Image,
        contract: Contract,
        *,
        rate: int = 1_000_000,
        channels: dict[str, str] | None = None,
        wired: dict[str, str] | None = None,
        **how: Any,
    ) -> Confirmed:
        channels = {"PA8": "D0"} if channels is None else channels
        wired = wired or {"D0": "PA8", "D1": "PA5"}
        with (
            VirtualBoard(board) as virtual,
            virtual.plugged(),
            stand_in(virtual, wired, tmp_path, **how),
        ):
            connected = partial(connection.Connection, clock=virtual)
            with monkeypatch.context() as patch:
                patch.setattr(connection, "Connection", connected)
                analyser = AnalyserSpec("stand-in", rate, channels) if channels else None
                spec = RigSpec(
                    "desk", board.name, probe=virtual.uid, port="none", analyser=analyser
                )
                proof = verify(image, board, contract)
                with opened(spec) as place:
                    bench = place.bench(contract)
                    bench.backup = False
                    return confirm(proof, bench)

    return run


def pwm(**more: Any) -> Contract:
    e = Pwm("D7", 1000 * MHZ_PER_HZ, 250_000, **more)
    return Contract("t", "nucleo-f401", 400 * PS_PER_MS, (), (e,))


def outcome(confirmed: Confirmed) -> tuple[Outcome, str]:
    finding = confirmed.rig.verdict.findings[0]
    return finding.outcome, finding.text


@posix
def test_what_a_probe_cannot_tell_an_analyser_can(
    confirmed: Callable[..., Confirmed], fade: Image
) -> None:
    blind = confirmed(fade, pwm(), channels={})
    assert outcome(blind)[0] is Outcome.UNSURE
    seen = confirmed(fade, pwm())
    assert outcome(seen)[0] is Outcome.PASS, outcome(seen)
    watched = seen.rig.trace.watched
    assert watched is not None
    assert watched.pins["PA8"].every_ps <= 2 * PS_PER_US
    assert watched.pins["PA5"].every_ps > PS_PER_MS // 2  # not wired: the probe's
    assert "logic analyser stand-in" in watched.means
    assert not seen.differences


@posix
def test_what_departs_fails_with_the_analysers_figures(
    confirmed: Callable[..., Confirmed], fade: Image
) -> None:
    e = Pwm("D7", 1000 * MHZ_PER_HZ, 300_000)
    found = confirmed(fade, Contract("t", "nucleo-f401", 400 * PS_PER_MS, (), (e,)))
    told, text = outcome(found)
    assert told is Outcome.FAIL
    assert "25" in text


@posix
def test_a_rate_that_is_too_low_for_the_contract_is_unsure(
    confirmed: Callable[..., Confirmed], fade: Image
) -> None:
    found = confirmed(fade, pwm(), rate=20_000)
    assert outcome(found)[0] is Outcome.UNSURE, outcome(found)


@posix
def test_a_channel_that_is_not_wired_as_told_is_found_out(
    confirmed: Callable[..., Confirmed], board: Board
) -> None:
    blink = api.generate("blink LED at 5 Hz", board.name).proof.image
    e = Blinks("LD2", 200 * PS_PER_MS, tolerance_ppm=1000)
    fine = Contract("t", board.name, PS_PER_S, (), (e,))
    good = confirmed(blink, fine, channels={"PA5": "D1"})
    assert outcome(good)[0] is Outcome.PASS, outcome(good)
    bad = confirmed(blink, fine, channels={"PA5": "D0"})  # where nothing happens
    assert outcome(bad)[0] is Outcome.UNSURE, outcome(bad)
    watched = bad.rig.trace.watched
    assert watched is not None
    assert "channel D0 does not see what the probe sees of PA5" in watched.means


@posix
def test_an_analysers_own_clock_may_be_off_a_little(
    confirmed: Callable[..., Confirmed], board: Board
) -> None:
    blink = api.generate("blink LED at 5 Hz", board.name).proof.image
    contract = Contract("t", board.name, 3 * PS_PER_S, (), (Blinks("LD2", 200 * PS_PER_MS),))
    found = confirmed(blink, contract, channels={"PA5": "D1"}, skew_ppm=100)
    assert outcome(found)[0] is Outcome.PASS, outcome(found)


@posix
def test_the_very_first_edge_is_seen_though_it_comes_at_once(
    confirmed: Callable[..., Confirmed], board: Board
) -> None:
    contract = Contract("t", board.name, 200 * PS_PER_MS, (), (Counts("LD2", "rising", 1, 1),))
    found = confirmed(image_of("lit"), contract, channels={"PA5": "D1"})
    edges = list(found.rig.trace.edges("PA5"))
    assert [level for _, level in edges] == [1]
    watched = found.rig.trace.watched
    assert watched is not None
    assert edges[0][0] <= 2 * watched.zero_ps
    assert outcome(found)[0] is Outcome.PASS, outcome(found)


@posix
def test_a_pin_that_floats_is_told_by_the_probe(
    confirmed: Callable[..., Confirmed], fade: Image
) -> None:
    contract = Contract("t", "nucleo-f401", 200 * PS_PER_MS, (), (Level("PB5", 0),))
    found = confirmed(fade, contract, channels={"PB5": "D0"}, wired={"D0": "PB5"})
    told, text = outcome(found)
    assert told is Outcome.FAIL
    assert "floating" in text


@posix
def test_a_device_that_is_pulled_out_is_an_error_in_its_words(
    confirmed: Callable[..., Confirmed], fade: Image
) -> None:
    with pytest.raises(RigError, match="device disconnected"):
        confirmed(fade, pwm(), dies_after=1)


# ---------------------------------------------------------------------------- the rig file

FILE = """\
board = "nucleo-f401"

[analyser]
driver = "fx2lafw"
rate = "1 MHz"
channels = { D0 = "LD2", D1 = "D7" }
"""


def test_a_rig_file_names_an_analyser(tmp_path: Path) -> None:
    path = tmp_path / "desk.toml"
    path.write_text(FILE)
    spec = load_rig(path).analyser
    assert spec == AnalyserSpec("fx2lafw", 1_000_000, {"PA5": "D0", "PA8": "D1"})
    assert spec.sample_ps == PS_PER_US


@pytest.mark.parametrize(
    ("old", "new", "says", "where"),
    [
        ('driver = "fx2lafw"\n', "", "driver is missing", "analyser"),
        ('rate = "1 MHz"\n', "", "rate is missing", "analyser"),
        ('"1 MHz"', '"often"', "often", "analyser: rate"),
        ('"1 MHz"', '"100 Hz"', "no more than the probe", "analyser: rate"),
        ('"LD2"', '"LD9"', "no pin 'LD9'", "channels.D0"),
        ('"D7"', '"D13"', "PA5 is on channel D0 already", "channels.D1"),
        ("channels =", "chanels =", "no key 'chanels'", "analyser"),
        ('{ D0 = "LD2", D1 = "D7" }', "{}", "not said which channel", "analyser"),
        ('board = "nucleo-f401"', 'board = "nucleo-f401"\nvirtual = true', "its own analyser",
         "analyser"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_it_is_named_with_its_place(
    tmp_path: Path, old: str, new: str, says: str, where: str
) -> None:
    path = tmp_path / "desk.toml"
    assert old in FILE
    path.write_text(FILE.replace(old, new))
    with pytest.raises(InputError) as told:
        load_rig(path)
    assert says in str(told.value)
    assert where in str(told.value.where)
