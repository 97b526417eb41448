"""BME280 alone, on both buses: what was set comes back through the data sheet's compensation."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fwgen.machine.parts import bme280_numbers as n
from fwgen.trace import Gap
from tests.machine.parts.bench import MS, US
from tests.machine.parts.buses import OnI2c, OnSpi

FORCED = 0b001_001_01


def made() -> OnI2c:
    return OnI2c("kind='bme280'").wait(3 * MS)


def compensated(data: bytes) -> tuple[float, float, float]:
    """Degrees, pascals, percent, as firmware makes them of F7h to FEh."""
    pressure = int.from_bytes(data[:3], "big") >> 4
    fine = n.fine(temperature := int.from_bytes(data[3:6], "big") >> 4)
    return (
        n.centidegrees(temperature) / 100,
        n.pascals_q8(pressure, fine) / 256,
        n.percent_q10(int.from_bytes(data[6:], "big"), fine) / 1024,
    )


@given(
    mc=st.integers(-40_000, 85_000), mpa=st.integers(30_000_000, 110_000_000),
    ppm=st.integers(0, 10**6),
)  # fmt: skip
@settings(max_examples=300, deadline=None)
def test_the_way_back_is_exact_over_the_whole_range(mc: int, mpa: int, ppm: int) -> None:
    temperature = n.raw_temperature(mc)
    assert 0 < temperature < n.TOP_20
    assert abs(n.centidegrees(temperature) * 10 - mc) <= 10
    fine = n.fine(temperature)
    pressure, humidity = n.raw_pressure(mpa, fine), n.raw_humidity(ppm, fine)
    assert 0 < pressure < n.TOP_20
    # As near as any raw value comes, to a unit of the fixed point.
    steps = [n.pascals_q8(pressure + k, fine) for k in (-1, 0, 1)]
    assert steps[0] > steps[1] > steps[2]
    off = [abs(step - mpa * 256 / 1000) for step in steps]
    assert off[1] <= min(off) + 1
    assert abs(n.percent_q10(humidity, fine) / 1024 - ppm / 10_000) < 0.01


@given(mc=st.integers(-40_000, 85_000), ppm=st.integers(0, 10**6))
@settings(max_examples=25, deadline=None)
def test_a_forced_measurement_gives_what_was_set(mc: int, ppm: int) -> None:
    one = made().senses(mc).senses(ppm, "humidity").senses(95_000_000, "pressure")
    one.write(0xF2, 5, 0xF4, 0b101_101_01)
    degrees, pascals, percent = compensated(one.wait(120 * MS).read(0xF7, 8))
    assert abs(degrees - mc / 1000) <= 0.01
    assert abs(pascals - 95_000) < 0.5
    assert abs(percent - ppm / 10_000) < 0.05
    assert one.read(0xF4) == bytes([0b101_101_00]), "asleep again"
    assert not one.hazards()


def test_nothing_is_there_before_a_measurement_is_over() -> None:
    one = made()
    assert one.read(0xD0) == b"\x60"
    one.write(0xF2, 1, 0xF4, FORCED)
    assert one.read(0xF3) == b"\x08"
    assert one.read(0xF7, 8) == bytes.fromhex("80 00 00 80 00 00 80 00")
    one.wait(8 * MS)
    assert one.read(0xF3) == b"\x08", "9.3 ms at the longest"
    one.wait(2 * MS)
    assert one.read(0xF3) == b"\x00"
    assert compensated(one.read(0xF7, 8))[0] == pytest.approx(25, abs=0.01)


def test_humidity_waits_for_a_write_to_ctrl_meas() -> None:
    one = made()
    one.write(0xF4, FORCED, 0xF2, 1)
    one.wait(20 * MS)
    assert one.read(0xFD, 2) == b"\x80\x00"
    one.write(0xF4, FORCED)
    one.wait(20 * MS)
    assert one.read(0xFD, 2) != b"\x80\x00"


def test_what_is_not_sampled_is_skipped_and_one_sample_has_sixteen_bits() -> None:
    one = made()
    one.write(0xF4, 0b001_000_01)
    data = one.wait(20 * MS).read(0xF7, 8)
    assert data[:3] == b"\x80\x00\x00"
    assert data[5] == 0
    one.write(0xF5, 0b000_100_00, 0xF4, FORCED)
    data = one.wait(20 * MS).read(0xF7, 8)
    assert data[:3] != b"\x80\x00\x00"


def test_normal_mode_goes_on_and_a_filter_follows_slowly() -> None:
    one = made()
    one.write(0xF5, 0b100_010_00, 0xF4, 0b001_001_11)  # 500 ms, a quarter each
    one.wait(20 * MS)
    one.senses(35_000)
    seen = [compensated(one.wait(510 * MS).read(0xF7, 8))[0] for _ in range(4)]
    assert seen == pytest.approx([27.5, 29.375, 30.78, 31.84], abs=0.02)


def test_a_burst_is_of_one_measurement_and_pieces_are_told() -> None:
    one = made()
    one.write(0xF4, 0b001_001_11)
    one.wait(10 * MS)
    one.senses(60_000)
    one.read(0xFA, 1)
    one.wait(20 * MS)
    one.read(0xFB, 2)
    assert one.hazards() == ["part-torn"]
    assert one.hazard().cure


def test_a_reset_forgets_and_takes_two_milliseconds() -> None:
    one = made()
    one.write(0xF2, 3)
    assert one.read(0xF2) == b"\x03"
    one.write(0xE0, 0x42)
    assert one.read(0xF2) == b"\x03"
    one.write(0xE0, 0xB6)
    assert one.write(0xF2, 1) == 0
    assert one.hazards() == ["part-too-soon"]
    assert one.wait(2 * MS).read(0xF2) == b"\x00"


def test_modes_wait_for_a_measurement_and_config_for_sleep() -> None:
    one = made()
    one.write(0xF4, 0b001_001_11)
    one.wait(MS)
    one.write(0xF4, 0b001_001_00)
    assert one.read(0xF3) == b"\x08"
    one.write(0xF4, 0b001_001_01)
    assert one.hazards() == ["part-ignored"]
    one.wait(10 * MS)
    assert one.read(0xF3) == b"\x00"
    one.write(0xF5, 0x10)
    assert one.read(0xF5) == b"\x10"
    one.write(0xF4, 0b001_001_11)
    one.write(0xF5, 0)
    assert one.read(0xF5) == b"\x10", "in normal mode it is not written"


def test_reserved_registers_are_gaps_and_reserved_bits_are_told() -> None:
    one = made()
    one.read(0xF6)
    one.write(0xF2, 0x81)
    one.write(0xD0, 1)
    assert [e.register for e in one.soc.recorder.events if isinstance(e, Gap)] == ["register F6h"]
    assert one.hazards() == ["part-reserved", "part-ignored"]


def test_both_buses_read_the_same() -> None:
    one, other = made(), OnSpi("kind='bme280'")
    other.wait(3 * MS)
    assert other.does(0xD0, count=1) == b"\x60"
    other.does(0x72, 1, 0x74, FORCED)
    one.write(0xF2, 1, 0xF4, FORCED)
    for part in (one, other):
        part.wait(15 * MS)
    assert other.does(0xF7, count=8) == one.read(0xF7, 8)
    assert other.does(0x88, count=26) == one.read(0x88, 26)
    assert not [e for e in other.soc.recorder.events if isinstance(e, Gap)], "FFh was not read"
    other.does(0xF7, count=1, bits=3)
    assert other.hazards() == ["part-cut-short"]


def test_it_takes_ten_megahertz_on_spi() -> None:
    other = OnSpi("kind='bme280'")
    other.model.clocked(other.wait(3 * MS).t, 10_000_000)
    assert not other.hazards()
    other.model.clocked(other.wait(US).t, 10_500_000)
    assert other.hazards() == ["part-too-fast"]
