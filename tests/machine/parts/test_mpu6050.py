"""MPU-6050 alone: power, ranges, rates, the interrupt pin, the FIFO, and what is told."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fwgen.contract import Sense
from fwgen.trace import Gap
from tests.machine.parts.bench import MS, US, S
from tests.machine.parts.buses import OnI2c

PART = "kind='mpu6050'\nint='PC0'"


def made(*, awake: bool = True) -> OnI2c:
    one = OnI2c(PART).put(int=None).wait(101 * MS)
    assert isinstance(one, OnI2c)
    if awake:
        one.write(0x6B, 0)
        one.wait(31 * MS)
    return one


def data(one: OnI2c) -> tuple[int, ...]:
    return struct.unpack(">7h", one.read(0x3B, 14))


def gaps(one: OnI2c) -> list[str]:
    return [e.register for e in one.soc.recorder.events if isinstance(e, Gap)]


def test_it_sleeps_at_power_on_and_needs_a_tenth_of_a_second() -> None:
    early = OnI2c(PART).put(int=None).wait(99 * MS)
    assert early.write(0x75) == 0
    assert early.hazards() == ["part-too-soon"]
    one = made(awake=False)
    assert one.read(0x75) == b"\x68"
    assert one.read(0x6B) == b"\x40"
    assert data(one.wait(S)) == (0,) * 7
    one.write(0x6B, 0)
    one.wait(31 * MS)
    assert data(one) == (0, 0, 16384, round((25 - 36.53) * 340), 0, 0, 0)
    assert not one.hazards()


@pytest.mark.parametrize(
    ("select", "per_g", "per_dps"),
    [(0, 16384, 131), (1, 8192, 65.5), (2, 4096, 32.8), (3, 2048, 16.4)],
)
@given(
    ug=st.integers(-16 * 10**6, 16 * 10**6), mdps=st.integers(-2 * 10**6, 2 * 10**6),
)  # fmt: skip
@settings(max_examples=15, deadline=None)
def test_each_range_has_its_scale_and_its_ends(select, per_g, per_dps, ug, mdps) -> None:
    one = made()
    one.write(0x1B, select << 3, select << 3)
    one.senses(ug, "accel_y").senses(mdps, "gyro_z").wait(MS)
    seen = data(one)
    for value, wanted in ((seen[1], ug * per_g / 1e6), (seen[6], mdps * per_dps / 1e3)):
        assert abs(value - max(-32768, min(32767, wanted))) <= 0.501


def test_a_sample_stands_until_the_next_one_is_due() -> None:
    one = made()
    one.write(0x19, 99, 3)  # 10 Hz
    one.wait(110 * MS)
    one.senses(-(10**6), "accel_x")
    assert data(one)[0] == 0
    assert data(one.wait(100 * MS))[0] == -16384
    one.write(0x6C, 0x20)  # X in standby
    assert data(one.senses(0, "accel_x").wait(S))[0] == -16384


def test_data_ready_pulses_at_the_sample_rate_and_latched_waits_for_a_read() -> None:
    one = made()
    one.write(0x19, 9, 1)  # 100 Hz
    one.write(0x38, 1)
    before = len(one.edges("int"))
    one.wait(95 * MS)
    edges = one.edges("int")[before:]
    assert [level for _, level in edges] == [1, 0] * 9
    assert {b[0] - a[0] for a, b in zip(edges[::2], edges[1::2], strict=True)} == {50 * US}
    assert {b[0] - a[0] for a, b in zip(edges[::2], edges[2::2], strict=False)} == {10 * MS}
    one.write(0x37, 0xA0)  # latched, low
    one.wait(20 * MS)
    assert one.level("int") == 0
    assert one.read(0x3A) == b"\x01"
    assert one.level("int") == 1
    assert one.read(0x3A) == b"\x00"
    one.write(0x38, 0)
    one.wait(20 * MS)
    assert one.read(0x3A) == b"\x00", "not enabled, not told"


def test_a_sample_that_something_else_made_up_first_is_told_at_the_pin_all_the_same() -> None:
    one = made()
    one.write(0x19, 9, 1)
    one.write(0x38, 1)
    one.wait(5 * MS)
    before = len(one.edges("int"))
    due = one.model._origin_ps + (one.model._number + 1) * 10 * MS
    one.model._timer.cancel()  # set at the very moment of a sample, and heard of first
    one.do(Sense("X.accel_x", due, 0, 0))
    one.model._watch(one.t)
    one.wait(6 * MS)
    assert [level for _, level in one.edges("int")[before:]] == [1, 0]


def test_the_fifo_takes_what_is_chosen_and_pushes_out_the_oldest() -> None:
    one = made()
    one.write(0x19, 9, 1)
    one.write(0x23, 0x78)  # accelerometer and gyroscope: 12 bytes
    one.write(0x38, 0x10)
    one.write(0x6A, 0x40)
    one.wait(55 * MS)
    assert one.read(0x72, 2) == (5 * 12).to_bytes(2, "big")
    assert struct.unpack(">6h", one.read(0x74, 12)) == (0, 0, 16384, 0, 0, 0)
    assert one.read(0x72, 2) == (4 * 12).to_bytes(2, "big")
    one.senses(10**6, "accel_x").wait(2 * S)
    assert one.read(0x72, 2) == b"\x04\x00"
    assert one.read(0x3A) == b"\x10"
    # 1024 is no multiple of 12: the oldest frame is cut.
    assert one.read(0x74, 4) == struct.pack(">2h", 0, 0)
    assert struct.unpack(">6h", one.read(0x74, 12)) == (16384, 0, 16384, 0, 0, 0)
    one.write(0x6A, 0x04)
    assert one.read(0x72, 2) == b"\x00\x00"
    assert not one.hazards()
    one.read(0x74)
    assert one.hazards() == ["part-empty"]


def test_a_burst_is_of_one_sample_and_pieces_are_told() -> None:
    one = made()
    one.write(0x1A, 1)
    one.read(0x3B)
    one.wait(2 * MS)
    one.read(0x3C)
    assert one.hazards() == ["part-torn"]


def test_a_reset_takes_its_time() -> None:
    one = made()
    one.write(0x1B, 8)
    one.write(0x6B, 0x80)
    assert one.read(0x6B) == b"\xc0"
    one.write(0x1B, 8)
    assert one.hazards() == ["part-too-soon"]
    one.wait(100 * MS)
    assert one.read(0x6B) == b"\x40"
    assert one.read(0x1B) == b"\x00"


def test_a_gyroscope_read_before_it_settled_is_told() -> None:
    one = made(awake=False)
    one.write(0x6B, 0)
    one.wait(MS).read(0x3B, 6)
    assert not one.hazards()
    one.read(0x43, 6)
    assert one.hazards() == ["part-too-soon"]


def test_what_is_not_modelled_is_a_gap_and_what_is_reserved_is_told() -> None:
    one = made()
    one.write(0x6A, 0x20)  # the I2C master
    one.write(0x1C, 0xE0)  # self-test
    one.read(0x0D)
    assert gaps(one) == ["register 6Ah", "register 1Ch", "register 0Dh"]
    one.write(0x6B, 0x10)
    one.write(0x75, 1)
    assert one.hazards() == ["part-reserved", "part-ignored"]
