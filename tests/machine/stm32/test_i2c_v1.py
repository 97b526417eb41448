"""I2C of the STM32F4, on its registers. RM0368 §18."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fwgen.trace import Burst, Edge, Hazard
from tests.machine.stm32.alone import Requests
from tests.machine.stm32.buses import MS, US, alternate, soc_with
from tests.machine.stm32.i2c_bus import (
    ACK,
    ADD10,
    ADDR,
    AF,
    ARLO,
    BTF,
    BUSY,
    DUALF,
    EE,
    ENGC,
    ENPEC,
    GENCALL,
    MSL,
    NOSTRETCH,
    OVR,
    PEC,
    RXNE,
    SB,
    START,
    STOP,
    STOPF,
    SWRST,
    TRA,
    TXE,
    WIRES,
    address,
    as_bytes,
    change,
    codes,
    decoded,
    idle,
    on,
    pins,
    read,
    step,
    trace,
    transfers,
    until,
    write,
)


@pytest.mark.parametrize("listens", [False, True])
@pytest.mark.parametrize("count", [1, 2, 3, 4, 7])
def test_an_eeprom_gives_back_what_was_written_whoever_looks_on(count: int, listens: bool) -> None:
    soc = soc_with(EE=EE)
    if listens:
        soc.fabric.pads["PB8"].listen(lambda t, level: None)
    on(soc)
    data = bytes(range(0xA1, 0xA1 + count))
    assert write(soc, 0x50, b"\x10" + data)
    polls = 0
    while not address(soc, 0xA0):  # the write cycle: nobody answers
        polls += 1
    assert 30 < polls < 60
    soc.read("I2C1", "SR2")
    until(soc, TXE)
    soc.write("I2C1", "DR", 0x10)
    until(soc, BTF)
    assert read(soc, 0x50, count) == data
    assert not codes(soc)
    told = transfers(soc)
    assert (told[0].data, told[0].acked, told[0].end) == ("10" + data.hex(), count + 1, "stop")
    assert {(t.answered, t.end) for t in told[1:-2]} == {(False, "stop")}
    assert (told[-2].data, told[-2].end) == ("10", "restart")
    last = told[-1]
    assert (last.address, last.direction, last.data) == (0x50, "read", data.hex())
    assert (last.acked, last.end) == (count - 1, "stop")
    assert as_bytes(decoded(soc)[0]) == [0xA0, 0x10, *data]
    assert as_bytes(decoded(soc)[-1]) == [0xA1, *data]
    bursts = [e for e in soc.recorder.events if isinstance(e, Burst)]
    assert bool(bursts) != listens


def test_the_clock_is_as_ccr_says_and_no_edge_is_told_one_by_one() -> None:
    soc = soc_with(EE=EE)
    on(soc)
    assert write(soc, 0x50, b"\x00")
    rises = [t for t, level in trace(soc).edges("PB8") if level and t > 2 * US]
    first = rises[:9]
    assert {b - a for a, b in pairwise(first)} == {10 * US}
    assert not [e for e in soc.recorder.events if isinstance(e, Edge) and e.t_ps > 100 * US]


@pytest.mark.parametrize(("ccr", "low", "high"), [
    (80, 80, 80), (1 << 15 | 20, 40, 20), (3 << 14 | 2, 32, 18),
])  # fmt: skip
def test_low_and_high_follow_mode_and_duty(ccr: int, low: int, high: int) -> None:
    soc = soc_with(EE=EE)
    on(soc, ccr=ccr)
    address(soc, 0xA0)
    edges = [(t, v) for t, v in trace(soc).edges("PB8") if t > US]
    spans = [(b[0] - a[0], a[1]) for a, b in pairwise(edges)][3:15]
    assert set(spans) == {(low * US // 16, 0), (high * US // 16, 1)}


def test_a_flag_falls_only_by_its_sequence() -> None:
    soc = soc_with(EE=EE)
    on(soc)
    change(soc, set=START)
    while not soc.peripherals["I2C1"].sr1.SB:
        step(soc)
    soc.write("I2C1", "DR", 0xA0)  # SR1 was not read: nothing is sent
    assert codes(soc) == ["i2c-sequence"]
    soc.run_until(soc.now_ps + MS)
    assert soc.read("I2C1", "SR1") == SB
    soc.write("I2C1", "DR", 0xA0)
    while not soc.peripherals["I2C1"].sr1.ADDR:
        step(soc)
    port = soc.peripherals["I2C1"]
    ahead = port.peek(port.sr2.spec.offset, 4, soc.now_ps)
    assert ahead.stable_until_ps == soc.now_ps  # it may clear ADDR: no loop is skipped over it
    soc.read("I2C1", "SR2")  # without SR1 before: ADDR stays
    assert soc.read("I2C1", "SR1") == ADDR
    soc.read("I2C1", "SR2")
    assert soc.read("I2C1", "SR1") == TXE
    soc.write("I2C1", "DR", 5)
    assert soc.read("I2C1", "SR1") == TXE  # it went on into the shift register
    until(soc, BTF)
    assert soc.read("I2C1", "SR1") == TXE | BTF
    soc.write("I2C1", "DR", 6)
    assert soc.read("I2C1", "SR1") == TXE


def test_a_scan_finds_who_is_there() -> None:
    soc = soc_with(
        EE=EE,
        E2={"kind": "24c04", "scl": "PB8", "sda": "PB9", "address": 0x54},
    )
    on(soc)
    found = []
    for n in range(0x08, 0x78):
        if address(soc, n << 1):
            found.append(n)
            soc.read("I2C1", "SR2")
            change(soc, set=STOP)
            idle(soc)
    assert found == [0x50, 0x54, 0x55]
    assert not codes(soc)


def test_without_a_pull_up_nothing_works_and_the_cure_is_told() -> None:
    soc = soc_with()
    on(soc)
    assert soc.read("I2C1", "SR2") & BUSY
    soc = soc_with()
    pins(soc)
    for pin in ("PB8", "PB9"):
        alternate(soc, pin, 4, open_drain=True, pull=1)
    on(soc)
    alternate(soc, "PB8", 4, open_drain=True, pull=1)


def test_a_floating_bus_is_a_hazard_when_a_start_is_asked_for() -> None:
    soc = soc_with(
        EE={**EE, "pull": "up"},
    )
    soc.fabric.pads["PB9"].set_resistor(0, None)
    on(soc)
    soc.peripherals["I2C1"].sr2.set(BUSY=0)  # as an erratum's workaround would have it
    change(soc, set=START)
    assert codes(soc) == ["i2c-no-pull-up"]


def test_push_pull_lines_are_a_hazard() -> None:
    soc = soc_with(EE=EE)
    on(soc)
    alternate(soc, "PB9", 4, open_drain=False)
    soc.write("GPIOB", "OTYPER", 1 << 8)
    change(soc, set=START)
    assert "i2c-push-pull" in codes(soc)


def two(**more):
    soc = soc_with(**WIRES, **more)
    return soc


def test_a_master_and_a_slave_of_one_chip_talk_both_ways() -> None:
    soc = two()
    on(soc, "I2C2", cr1=ACK, oar1=0x32 << 1)
    change(soc, "I2C2", set=ACK)
    on(soc)
    change(soc, set=START)
    until(soc, SB)
    soc.write("I2C1", "DR", 0x64)
    until(soc, ADDR, "I2C2")
    # The slave holds the clock until it has seen its address.
    soc.run_until(soc.now_ps + MS)
    assert not soc.fabric.pads["PB8"].level
    soc.read("I2C2", "SR1")
    assert not soc.read("I2C2", "SR2") & TRA
    until(soc, ADDR)
    soc.read("I2C1", "SR2")
    got = []
    for byte in (0x11, 0x22, 0x33):
        until(soc, TXE)
        soc.write("I2C1", "DR", byte)
        until(soc, RXNE, "I2C2")
        got.append(soc.read("I2C2", "DR"))
    until(soc, BTF)
    change(soc, set=STOP)
    until(soc, STOPF, "I2C2")
    change(soc, "I2C2")
    assert not soc.read("I2C2", "SR1") & STOPF
    assert got == [0x11, 0x22, 0x33]
    idle(soc)
    # And back: three bytes, the last one not acknowledged.
    change(soc, set=ACK | START)
    until(soc, SB)
    soc.write("I2C1", "DR", 0x65)
    assert until(soc, ADDR, "I2C2") & TXE
    assert soc.read("I2C2", "SR2") & TRA
    soc.write("I2C2", "DR", 0xAB)
    until(soc, ADDR)
    soc.read("I2C1", "SR2")
    until(soc, TXE, "I2C2")
    soc.write("I2C2", "DR", 0xCD)
    until(soc, RXNE)
    assert soc.read("I2C1", "DR") == 0xAB
    until(soc, TXE, "I2C2")
    change(soc, clear=ACK)
    change(soc, set=STOP)
    until(soc, RXNE)
    assert soc.read("I2C1", "DR") == 0xCD
    until(soc, AF, "I2C2")
    idle(soc)
    assert not soc.read("I2C2", "SR1") & STOPF
    assert not codes(soc)
    assert [(t.direction, t.data, t.role) for t in transfers(soc, "I2C2")] == [
        ("write", "112233", "slave"), ("read", "abcd", "slave"),
    ]  # fmt: skip


def test_ten_bit_addresses_both_ways() -> None:
    soc = two()
    on(soc, "I2C2", oar1=1 << 15 | 0x2A5)
    change(soc, "I2C2", set=ACK)
    on(soc)
    change(soc, set=START | ACK)
    until(soc, SB)
    soc.write("I2C1", "DR", 0xF0 | 0x2 << 1)
    until(soc, ADD10)
    soc.write("I2C1", "DR", 0xA5)
    until(soc, ADDR, "I2C2")
    soc.read("I2C2", "SR2")
    until(soc, ADDR)
    soc.read("I2C1", "SR2")
    soc.write("I2C1", "DR", 0x77)
    until(soc, RXNE, "I2C2")
    assert soc.read("I2C2", "DR") == 0x77
    until(soc, BTF)
    change(soc, set=START)
    until(soc, SB)
    soc.write("I2C1", "DR", 0xF0 | 0x2 << 1 | 1)
    until(soc, ADDR, "I2C2")
    assert soc.read("I2C2", "SR2") & TRA
    soc.write("I2C2", "DR", 0x99)
    until(soc, ADDR)
    change(soc, clear=ACK)
    soc.read("I2C1", "SR2")
    change(soc, set=STOP)
    until(soc, RXNE)
    assert soc.read("I2C1", "DR") == 0x99
    idle(soc)
    assert [(t.address, t.ten_bit, t.direction, t.data) for t in transfers(soc)] == [
        (0x2A5, True, "write", "77"), (0x2A5, True, "read", "99"),
    ]  # fmt: skip


def test_the_second_address_and_the_general_call() -> None:
    soc = two()
    on(soc, "I2C2", oar1=0x10 << 1)
    soc.write("I2C2", "OAR2", 0x11 << 1 | 1)
    change(soc, "I2C2", set=ACK | ENGC)
    on(soc)
    for byte, flag in ((0x20, 0), (0x22, DUALF), (0x00, GENCALL)):
        change(soc, set=START)
        until(soc, SB)
        soc.write("I2C1", "DR", byte)
        until(soc, ADDR, "I2C2")
        assert soc.read("I2C2", "SR2") & (DUALF | GENCALL) == flag
        until(soc, ADDR)
        soc.read("I2C1", "SR2")
        change(soc, set=STOP)
        until(soc, STOPF, "I2C2")
        change(soc, "I2C2")
        idle(soc)


def test_of_two_masters_the_lower_address_wins() -> None:
    soc = two(EE=EE, E2={"kind": "24c02", "scl": "PB8", "sda": "PB9", "address": 0x57})
    on(soc)
    on(soc, "I2C2")
    sda = soc.fabric.pads["PB9"]
    sda.drive_outside(soc.now_ps, "a third master", 0)
    for port in ("I2C1", "I2C2"):
        change(soc, port, set=START)
    soc.run_until(soc.now_ps + 50 * US)
    sda.drive_outside(soc.now_ps, "a third master", None)  # its STOP: both begin together
    for port, byte in (("I2C1", 0xAE), ("I2C2", 0xA0)):
        until(soc, SB, port)
        soc.write(port, "DR", byte)
    until(soc, ADDR, "I2C2")
    assert soc.read("I2C1", "SR1") & ARLO
    assert not soc.read("I2C1", "SR2") & MSL
    soc.read("I2C2", "SR2")
    soc.write("I2C2", "DR", 3)
    until(soc, BTF, "I2C2")
    change(soc, "I2C2", set=STOP)
    idle(soc, "I2C1")
    assert [t.end for t in transfers(soc)] == ["lost"]
    assert [(t.address, t.data) for t in transfers(soc, "I2C2")] == [(0x50, "03")]


def test_a_start_waits_for_a_busy_bus() -> None:
    soc = two()
    on(soc)
    on(soc, "I2C2", oar1=0x20)
    change(soc, "I2C2", set=ACK)
    change(soc, set=START)
    until(soc, SB)
    change(soc, "I2C2", set=START)
    soc.run_until(soc.now_ps + MS)
    assert not soc.read("I2C2", "SR1") & SB
    soc.write("I2C1", "DR", 0xEE)
    until(soc, AF)
    change(soc, set=STOP)
    until(soc, SB, "I2C2")


def test_without_stretching_what_comes_too_late_is_told() -> None:
    soc = two()
    on(soc, "I2C2", cr1=NOSTRETCH, oar1=0x20)
    change(soc, "I2C2", set=ACK)
    on(soc)
    assert write(soc, 0x10, b"\x01\x02\x03")
    assert soc.read("I2C2", "SR1") & OVR
    assert soc.read("I2C2", "DR") == 1


def test_the_packet_error_code_is_sent_and_checked() -> None:
    soc = soc_with(EE=EE)
    on(soc)
    change(soc, set=ENPEC)
    assert address(soc, 0xA0)
    soc.read("I2C1", "SR2")
    soc.write("I2C1", "DR", 0x20)
    until(soc, TXE)
    soc.write("I2C1", "DR", 0x55)
    change(soc, set=PEC)
    until(soc, BTF)
    change(soc, set=STOP)
    idle(soc)
    assert soc.modules["EE"].memory[0x21] == pec(b"\xa0\x20\x55")
    assert transfers(soc)[0].data == f"2055{pec(bytes([0xA0, 0x20, 0x55])):02x}"


def pec(data: bytes) -> int:
    value = 0
    for byte in data:
        value ^= byte
        for _ in range(8):
            value = (value << 1) ^ (0x107 if value & 0x80 else 0)
    return value


def test_a_software_reset_frees_everything() -> None:
    soc = soc_with(EE=EE)
    on(soc)
    assert address(soc, 0xA0)
    assert not soc.fabric.pads["PB8"].level
    soc.write("I2C1", "CR1", SWRST)
    assert soc.fabric.pads["PB8"].level
    soc.write("I2C1", "CR1", 0)
    assert soc.read("I2C1", "SR1") == soc.read("I2C1", "CCR") == 0
    on(soc)
    assert write(soc, 0x50, b"\x00")


def test_events_and_errors_ask_for_interrupts_only_where_enabled() -> None:
    soc = soc_with(EE=EE)
    requests = Requests(soc)
    on(soc)
    soc.write("I2C1", "CR2", 16 | 1 << 8 | 1 << 9)
    change(soc, set=START)
    until(soc, SB)
    assert requests.changes[-1][1:] == (31, True)
    soc.write("I2C1", "DR", 0xA0)
    assert requests.changes[-1][1:] == (31, False)
    until(soc, ADDR)
    soc.read("I2C1", "SR2")
    assert requests.changes[-1][1:] == (31, False)  # TXE alone asks with ITBUFEN only
    soc.write("I2C1", "CR2", 16 | 7 << 8)
    assert requests.changes[-1][1:] == (31, True)
    soc.write("I2C1", "CR2", 16 | 3 << 8)
    change(soc, set=STOP)
    idle(soc)
    assert not address_asks(soc, requests, 0x90)


def address_asks(soc, requests, byte: int) -> bool:
    change(soc, set=START)
    until(soc, SB)
    soc.write("I2C1", "DR", byte)
    until(soc, AF)
    assert requests.changes[-1][1:] == (32, True)
    soc.write("I2C1", "SR1", 0xFFFF & ~AF)
    assert requests.changes[-1][1:] == (32, False)
    change(soc, set=STOP)
    idle(soc)
    return False


@pytest.mark.parametrize(("cr2", "ccr", "code"), [
    (16, 40, "i2c-too-fast"), (8, 80, "i2c-freq"), (16, 1 << 15 | 10, "i2c-too-fast"),
    (16, 0, "i2c-no-rate"),
])  # fmt: skip
def test_wrong_timing_is_told(cr2: int, ccr: int, code: str) -> None:
    soc = soc_with(EE=EE)
    on(soc, ccr=ccr)
    soc.write("I2C1", "CR2", cr2)
    change(soc, set=START)
    assert code in codes(soc)


@settings(max_examples=15, deadline=None)
@given(
    at=st.integers(0, 7), data=st.binary(min_size=1, max_size=8), listens=st.booleans()
)  # fmt: skip
def test_a_page_wraps_within_itself(at: int, data: bytes, listens: bool) -> None:
    soc = soc_with(EE=EE)
    if listens:
        soc.fabric.pads["PB9"].listen(lambda t, level: None)
    on(soc)
    assert write(soc, 0x50, bytes([0x40 + at]) + data)
    wanted = bytearray(b"\xff" * 8)
    for n, byte in enumerate(data):
        wanted[(at + n) % 8] = byte
    assert soc.modules["EE"].memory[0x40:0x48] == wanted
    assert ("part-page-wrap" in codes(soc)) == (at + len(data) > 8)


def test_i2c_switched_off_before_its_stop_is_out_is_told_as_that() -> None:
    soc = soc_with(EE=EE)
    on(soc)
    address(soc, 0xA0)
    soc.read("I2C1", "SR2")
    soc.write("I2C1", "DR", 0)
    until(soc, BTF)
    change(soc, set=STOP)
    change(soc, clear=1)
    (told,) = [e for e in trace(soc).of(Hazard) if e.code == "i2c-cut"]
    assert "STOP that was asked for" in told.message
