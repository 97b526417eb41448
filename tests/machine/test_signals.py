"""Lines and pads: waves are the same as their edges, and a pad's level follows its drivers."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import TYPE_CHECKING

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from fwgen.machine.pads import Pad, join
from fwgen.machine.signals import Fabric, Signal
from fwgen.machine.soc import Recorder
from fwgen.machine.time import Scheduler
from fwgen.machine.waves import SquareWave
from fwgen.trace import Hazard, Trace, Voltage, Wave

if TYPE_CHECKING:
    from collections.abc import Callable

phases = st.builds(Fraction, st.integers(21, 5000), st.integers(1, 21))  # a picosecond or more
END = 4_000


class Bench:
    """A signal, a pad, a recorder, and time."""

    def __init__(self) -> None:
        self.scheduler = Scheduler()
        self.recorder = Recorder()
        self.recorder.started = True
        self.signal = Signal("TIM2_CH1", self.scheduler)
        self.pad = Pad("PA5", self.recorder)

    def connect(self, *, open_drain: bool = False, pull: int | None = None) -> None:
        self.pad.connect(self.scheduler.now_ps, self.signal, open_drain=open_drain, pull=pull)

    def edges(self, span: int = END) -> list[tuple[int, int | None]]:
        trace = Trace("machine", "x", span, tuple(self.recorder.events), {"PA5": None})
        return list(trace.edges("PA5"))


# ---------------------------------------------------------------------- waves


@given(phases, phases, st.integers(0, 1), st.integers(0, 1000))
def test_a_wave_changes_level_at_its_next_edge_and_not_before(
    first: Fraction, second: Fraction, level: int, into: int
) -> None:
    wave = SquareWave(100, level, first, second)
    t = 100 + into
    edge = wave.next_edge(t)
    assert edge > t
    assert wave.level_at(edge - 1) == wave.level_at(t)
    assert wave.level_at(edge) != wave.level_at(t)


@given(phases, phases, st.integers(0, 5000))
def test_a_wave_told_again_is_the_same_wave(first: Fraction, second: Fraction, after: int) -> None:
    wave = SquareWave(100, 1, first, second)
    again = wave.again(100 + after)
    assert again.t_ps > 100 + after
    for t in range(again.t_ps, again.t_ps + 400, 7):
        assert again.level_at(t) == wave.level_at(t)
        assert again.next_edge(t) == wave.next_edge(t)


steps = st.lists(
    st.tuples(
        st.integers(1, 800),
        st.one_of(
            st.sampled_from([("steady", None), ("steady", 0), ("steady", 1)]),
            st.tuples(st.just("wave"), st.integers(0, 1), phases, phases),
            st.sampled_from([("listen",), ("unlisten",), ("outside", 1), ("outside", None)]),
            st.sampled_from([("disconnect", 0), ("disconnect", None), ("connect",)]),
        ),
    ),
    max_size=10,
)


def play(script: list[tuple[int, tuple[object, ...]]], *, listening: bool) -> Bench:
    """Run a script on a pad; ``listening`` keeps a listener throughout, so no wave passes."""
    bench = Bench()
    if listening:
        bench.pad.listen(lambda _t, _level: None)
    bench.connect()
    stops: list[Callable[[], None]] = []
    t = 0
    for wait, step in script:
        t += wait
        bench.scheduler.catch_up(t)
        match step:
            case ("steady", level):
                bench.signal.drive(t, level)  # type: ignore[arg-type]
            case ("wave", int(level), Fraction() as first, Fraction() as second):
                bench.signal.drive_wave(SquareWave(t, level, first, second))
            case ("listen",):
                stops.append(bench.pad.listen(lambda _t, _level: None))
            case ("unlisten",) if stops:
                stops.pop()()
            case ("outside", level):
                bench.pad.drive_outside(t, "wire", level)  # type: ignore[arg-type]
            case ("disconnect", level):
                bench.pad.drive(t, level, None)  # type: ignore[arg-type]
            case ("connect",):
                bench.connect()
    bench.scheduler.catch_up(END * 2)
    return bench


@given(steps)
@example(  # somebody listens, and the line stays where it is: no edge would end the wave
    [(1, ("wave", 1, Fraction(21), Fraction(21))), (1, ("listen",)), (1, ("steady", 1))]
)
def test_a_trace_of_waves_tells_the_same_edges_as_a_trace_of_edges(
    script: list[tuple[int, tuple[object, ...]]],
) -> None:
    waves, edges = play(script, listening=False), play(script, listening=True)
    assert not any(isinstance(e, Wave) for e in edges.recorder.events)
    assert waves.edges(END * 2) == edges.edges(END * 2)


@given(steps)
def test_the_level_of_a_pad_is_what_the_trace_tells(
    script: list[tuple[int, tuple[object, ...]]],
) -> None:
    bench = play(script, listening=False)
    edges = bench.edges(END * 2 + 1)
    assert bench.pad.level == (edges[-1][1] if edges else None)


def test_a_wave_reaches_the_trace_whole_while_nobody_listens() -> None:
    bench = Bench()
    bench.connect()
    bench.signal.drive_wave(SquareWave(0, 1, Fraction(100), Fraction(300)))
    bench.scheduler.catch_up(10**9)
    assert [type(e) for e in bench.recorder.events] == [Wave]


def test_a_pad_connected_in_the_middle_of_a_wave_soon_hands_it_on_whole() -> None:
    bench = Bench()
    bench.signal.drive_wave(SquareWave(0, 1, Fraction(250, 3), Fraction(100)))
    bench.scheduler.catch_up(1000)
    bench.connect()
    bench.scheduler.catch_up(10**6)
    assert isinstance(bench.recorder.events[-1], Wave)
    assert len(bench.recorder.events) < 20


def test_a_wave_ends_in_the_trace_even_at_the_level_it_has() -> None:
    bench = Bench()
    bench.connect()
    bench.signal.drive_wave(SquareWave(0, 1, Fraction(100), Fraction(100)))
    bench.scheduler.catch_up(250)
    bench.signal.drive(250, 1)
    bench.scheduler.catch_up(10_000)
    assert bench.edges(10_000) == [(0, 1), (100, 0), (200, 1)]


def test_whoever_listens_to_a_signal_hears_the_edges_of_a_wave() -> None:
    bench = Bench()
    heard: list[tuple[int, int | None]] = []
    bench.signal.drive_wave(SquareWave(0, 1, Fraction(10), Fraction(30)))
    bench.scheduler.catch_up(5)
    stop = bench.signal.listen(lambda t, level: heard.append((t, level)))
    bench.scheduler.catch_up(60)
    stop()
    bench.scheduler.catch_up(200)
    assert heard == [(10, 0), (40, 1), (50, 0)]


# ---------------------------------------------------------------------- pads


@pytest.mark.parametrize(
    ("inside", "outside", "resistor", "pull", "level"),
    [
        (None, None, None, None, None),
        (None, None, None, 1, 1),
        (None, None, 0, 1, 0),
        (None, 1, 0, 0, 1),
        (1, None, 0, 0, 1),
        (0, 0, 1, 1, 0),
        (1, 0, None, None, 0),
    ],
)
def test_the_strongest_driver_sets_the_level(
    inside: int | None, outside: int | None, resistor: int | None, pull: int | None,
    level: int | None,
) -> None:  # fmt: skip
    pad = Pad("PA0", Recorder())
    pad.set_resistor(0, resistor)
    pad.drive_outside(0, "wire", outside)
    pad.drive(0, inside, pull)
    assert pad.level == level
    assert pad.wired == (outside is not None or resistor is not None)


def test_two_strong_drivers_that_disagree_are_told_once() -> None:
    bench = Bench()
    bench.pad.drive_outside(0, "button B1", 0)
    for t in (1, 2, 3):
        bench.pad.drive(t, t % 2, None)
    fights = [e for e in bench.recorder.events if isinstance(e, Hazard)]
    assert [h.code for h in fights] == ["output-fight"]
    assert "button B1 against the chip" in fights[0].message


def test_an_open_drain_pad_is_pulled_up_while_its_line_is_high() -> None:
    bench = Bench()
    bench.connect(open_drain=True, pull=1)
    bench.signal.drive(0, 0)
    assert bench.pad.level == 0
    bench.signal.drive(1, 1)
    assert bench.pad.level == 1
    bench.pad.drive_outside(2, "wire", 0)
    assert bench.pad.level == 0
    assert not [e for e in bench.recorder.events if isinstance(e, Hazard)]


def test_whoever_hears_of_a_wire_first_sees_the_new_level_on_all_of_it() -> None:
    """A slave lets go of SDA as SCL falls: the master's own pin of SCL must be low by then."""
    recorder = Recorder()
    near, far = Pad("PB6", recorder), Pad("PB10", recorder)
    for pad in (near, far):
        pad.set_resistor(0, 1)
    join(0, (near, far))
    seen: list[tuple[int | None, int | None]] = []
    near.listen(lambda _t, level: seen.append((level, far.level)))
    far.listen(lambda _t, level: seen.append((level, near.level)))
    far.drive(10, 0, None)
    far.drive(20, None, None)
    assert seen == [(0, 0), (0, 0), (1, 1), (1, 1)]


def test_an_input_line_takes_the_level_of_its_pad_and_gives_up_its_waves_only_when_heard() -> None:
    bench = Bench()
    line = Fabric(bench.scheduler).input("TIM2_CH1")
    bench.connect()
    line.connect(0, bench.pad)
    bench.signal.drive_wave(SquareWave(0, 1, Fraction(10), Fraction(10)))
    bench.scheduler.catch_up(15)
    assert line.level(15) == 0
    assert line.stable_until(15) == 20
    assert len(bench.recorder.events) == 1
    heard: list[tuple[int, int | None]] = []
    stop = line.listen(lambda t, level: heard.append((t, level)))
    bench.scheduler.catch_up(35)
    assert heard == [(20, 1), (30, 0)]
    stop()
    line.connect(35, None)
    assert line.level(35) is None


# ---------------------------------------------------------------------- voltages

SUPPLY = 3_300_000
S = 10**12


class Analog(Bench):
    """A pad on a supply of 3.3 V."""

    def __init__(self) -> None:
        super().__init__()
        self.pad = Pad("PA5", self.recorder, self.scheduler, SUPPLY)

    def hold(self, uv: int | None, **shape: int) -> None:
        now = self.scheduler.now_ps
        shape.setdefault("to_uv", uv or 0)
        self.pad.set_voltage(now, Voltage(now, "PA5", uv, **shape))

    def hazards(self) -> list[str]:
        return [e.code for e in self.recorder.events if isinstance(e, Hazard)]


@pytest.mark.parametrize(
    ("uv", "level"),
    [(0, 0), (990_000, 0), (990_001, None), (2_309_999, None), (2_310_000, 1), (3_300_000, 1)],
)
def test_a_voltage_is_a_level_outside_of_vil_and_vih(uv: int, level: int | None) -> None:
    bench = Analog()
    bench.hold(uv)
    assert bench.pad.level == level
    assert bench.pad.voltage_at(0) == (uv, 0)


def test_a_ramp_changes_the_level_when_it_comes_to_vil_and_vih() -> None:
    bench = Analog()
    bench.hold(0, to_uv=SUPPLY, over_ps=S)
    bench.scheduler.catch_up(2 * S)
    found = bench.edges(2 * S)
    assert [level for _, level in found] == [0, None, 1]
    for (t, _), share in zip(found[1:], (3, 7), strict=True):
        assert t == pytest.approx(share * S // 10, abs=10**6)


@given(
    amplitude=st.integers(0, 1_650_000), period=st.integers(1000, S), noise=st.integers(0, 10**5)
)
def test_a_sine_has_the_level_of_its_voltage_at_any_time(
    amplitude: int, period: int, noise: int
) -> None:
    bench = Analog()
    bench.hold(1_650_000, amplitude_uv=amplitude, period_ps=period, noise_uv=noise)
    for part in range(1, 40):
        t = period * part // 17
        bench.scheduler.catch_up(t)
        assert bench.pad.voltage is not None
        base = bench.pad.voltage.base(t)
        wanted = 0 if base + noise <= 990_000 else 1 if base - noise >= 2_310_000 else None
        assert bench.pad.level == wanted


def test_in_analog_mode_no_level_is_told() -> None:
    bench = Analog()
    bench.pad.set_digital(0, on=False)
    bench.hold(0, to_uv=SUPPLY, over_ps=S)
    bench.scheduler.catch_up(2 * S)
    assert bench.edges(2 * S) == []
    bench.pad.set_digital(2 * S, on=True)
    assert bench.pad.level == 1


@pytest.mark.parametrize(("ohm", "codes"), [(0, ["output-fight"]), (10_000, [])])
def test_an_output_fights_a_voltage_unless_its_source_is_weak(ohm: int, codes: list[str]) -> None:
    bench = Analog()
    bench.hold(1_000_000, ohm=ohm)
    bench.pad.drive(0, 1, None)
    assert bench.hazards() == codes
    assert bench.pad.level == 1
    assert bench.pad.voltage_at(0) == (SUPPLY, 0)
    bench.pad.drive(0, None, None)
    assert bench.pad.voltage_at(0) == (1_000_000, ohm)


def test_whoever_samples_hears_before_anything_changes() -> None:
    bench = Analog()
    bench.hold(1_000_000)
    seen: list[int | None] = []
    stop = bench.pad.watch(lambda t: seen.append(bench.pad.voltage_at(t)[0]))
    bench.hold(2_000_000)
    bench.pad.drive_outside(0, "test", 1)
    bench.pad.drive_outside(0, "test", None)
    bench.hold(None)
    stop()
    bench.hold(0)
    assert seen == [1_000_000, 2_000_000, SUPPLY, 2_000_000]


def test_pulls_and_resistors_give_a_voltage_of_their_own() -> None:
    bench = Analog()
    assert bench.pad.voltage_at(0)[0] is None
    bench.pad.drive(0, None, 1)
    assert bench.pad.voltage_at(0) == (SUPPLY, 40_000)
    bench.hold(0, ohm=40_000)
    assert bench.pad.voltage_at(0) == (SUPPLY // 2, 20_000)


def test_a_voltage_s_noise_keeps_its_value_as_long_as_it_says() -> None:
    one = Voltage(0, "PA1", 10**6, 10**6, noise_uv=5000, seed=1, noise_ps=10**9)
    seen = [one.at(n * 10**8) for n in range(40)]
    assert [seen[n : n + 10] for n in range(0, 40, 10)] == [[seen[n]] * 10 for n in (0, 10, 20, 30)]
    assert len(set(seen)) > 1
    other = replace(one, seed=2)
    assert seen != [other.at(n * 10**8) for n in range(40)]
