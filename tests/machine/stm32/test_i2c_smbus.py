"""PEC, SMBus, clock stretching and synchronisation of the STM32F4's I2C. RM0368 §18.3, UM10204."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fwgen.machine.buses.i2c import I2cPort
from fwgen.machine.parts.eeprom_24c import Eeprom24c
from tests.machine.stm32.alone import Requests
from tests.machine.stm32.buses import MS, US, alternate, soc_with
from tests.machine.stm32.i2c_bus import (
    ACK,
    ADDR,
    AF,
    ARLO,
    BTF,
    BUSY,
    EE,
    ENPEC,
    MSL,
    OVR,
    PE,
    PEC,
    PECERR,
    RXNE,
    SB,
    START,
    STOP,
    STOPF,
    TXE,
    WIRES,
    address,
    as_bytes,
    change,
    codes,
    decoded,
    idle,
    on,
    read,
    step,
    trace,
    transfers,
    until,
    write,
)

if TYPE_CHECKING:
    from fwgen.machine.soc import Soc

SMBUS, SMBTYPE, ENARP, ALERT = 1 << 1, 1 << 3, 1 << 4, 1 << 13
TIMEOUT, SMBALERT = 1 << 14, 1 << 15
SMBDEFAULT, SMBHOST = 1 << 5, 1 << 6
DMAEN, LAST = 1 << 11, 1 << 12
RAM = 0x2000_1000


def pec(data: bytes) -> int:
    """CRC-8 of SMBus, bit by bit."""
    value = 0
    for byte in data:
        value ^= byte
        for _ in range(8):
            value = (value << 1) ^ (0x107 if value & 0x80 else 0)
    return value


def two(cr1: int = 0, *, slave: int = 0) -> Soc:
    """I2C1 as a master, I2C2 as a slave at 0x32."""
    soc = soc_with(**WIRES)
    on(soc, "I2C2", oar1=0x32 << 1, cr1=slave)
    change(soc, "I2C2", set=ACK)
    on(soc, cr1=cr1)
    return soc


def call(soc: Soc, byte: int) -> None:
    """Both see the address."""
    change(soc, set=START)
    until(soc, SB)
    soc.write("I2C1", "DR", byte)
    until(soc, ADDR, "I2C2")
    soc.read("I2C2", "SR2")
    until(soc, ADDR)
    soc.read("I2C1", "SR2")


def stream(soc: Soc, number: int, channel: int, register: int, count: int, out: bool) -> None:
    """A stream of DMA1 between RAM and a register of I2C."""
    base = f"S{number}"
    soc.write("DMA1", f"{base}PAR", register)
    soc.write("DMA1", f"{base}M0AR", RAM)
    soc.write("DMA1", f"{base}NDTR", count)
    soc.write("DMA1", f"{base}CR", channel << 25 | 1 << 10 | (1 << 6 if out else 0) | 1)


# ---------------------------------------------------------------------- PEC


@pytest.mark.parametrize("fits", [True, False])
def test_a_slave_that_receives_checks_the_pec_and_refuses_a_wrong_one(fits: bool) -> None:
    soc = two(slave=ENPEC)
    call(soc, 0x64)
    for byte in (0x11, 0x22):
        soc.write("I2C1", "DR", byte)
        until(soc, RXNE, "I2C2")
        assert soc.read("I2C2", "DR") == byte
    change(soc, "I2C2", set=PEC)
    soc.write("I2C1", "DR", pec(b"\x64\x11\x22") ^ (0 if fits else 1))
    until(soc, BTF | AF)
    assert bool(soc.read("I2C1", "SR1") & AF) is not fits
    assert bool(soc.read("I2C2", "SR1") & PECERR) is not fits
    assert not soc.read("I2C2", "CR1") & PEC


def test_a_slave_that_sends_appends_the_pec_and_the_master_checks_it() -> None:
    soc = two(cr1=ENPEC | ACK, slave=ENPEC)
    call(soc, 0x65)
    soc.write("I2C2", "DR", 0x5A)
    until(soc, RXNE)
    assert soc.read("I2C1", "DR") == 0x5A
    change(soc, "I2C2", set=PEC)
    change(soc, set=PEC, clear=ACK)
    until(soc, RXNE)
    assert soc.read("I2C1", "DR") == pec(b"\x65\x5a")
    change(soc, set=STOP)
    idle(soc)
    assert not soc.read("I2C1", "SR1") & PECERR
    assert not soc.read("I2C2", "SR1") & OVR
    assert transfers(soc)[-1].acked == 1  # the PEC is not acknowledged
    assert not codes(soc)


def test_a_repeated_start_is_part_of_the_message() -> None:
    soc = two(cr1=ENPEC | ACK, slave=ENPEC)
    call(soc, 0x64)
    soc.write("I2C1", "DR", 0x07)
    until(soc, RXNE, "I2C2")
    soc.read("I2C2", "DR")
    until(soc, BTF)
    call(soc, 0x65)
    for port in ("I2C1", "I2C2"):
        assert soc.read(port, "SR2") >> 8 == pec(b"\x64\x07\x65")


def test_dma_sends_the_pec_after_its_last_item() -> None:
    soc = soc_with(EE=EE)
    on(soc, cr1=ENPEC)
    soc.write("I2C1", "CR2", 16 | DMAEN)
    for n, byte in enumerate((0x20, 0x55, 0x66)):
        soc.memory.program(RAM + n, bytes([byte]))
    assert address(soc, 0xA0)
    stream(soc, 6, 1, 0x4000_5410, 3, out=True)
    soc.read("I2C1", "SR2")
    until(soc, BTF)
    change(soc, set=STOP)
    idle(soc)
    sent = b"\xa0\x20\x55\x66"
    assert transfers(soc)[0].data == (sent[1:] + bytes([pec(sent)])).hex()
    assert not codes(soc)


@pytest.mark.parametrize("fits", [True, False])
def test_dma_takes_its_last_item_for_the_pec_and_checks_it(fits: bool) -> None:
    soc = soc_with(EE=EE)
    memory = soc.modules["EE"].memory
    memory[0], memory[1] = 0x12, 0x34
    memory[2] = pec(b"\xa1\x12\x34") ^ (0 if fits else 0x80)
    on(soc)
    assert write(soc, 0x50, b"\x00")
    change(soc, set=ENPEC | ACK)
    soc.write("I2C1", "CR2", 16 | DMAEN | LAST)
    stream(soc, 0, 1, 0x4000_5410, 3, out=False)
    assert address(soc, 0xA1)
    soc.read("I2C1", "SR2")
    while soc.read("DMA1", "S0CR") & 1:
        step(soc)
    change(soc, set=STOP)
    idle(soc)
    assert bool(soc.read("I2C1", "SR1") & PECERR) is not fits
    assert soc.memory.read(RAM, 3) == bytes([0x12, 0x34, memory[2]])
    assert transfers(soc)[-1].acked == 2
    assert not codes(soc)


# ---------------------------------------------------------------------- SMBus


@pytest.mark.parametrize(("cr1", "byte", "flag"), [
    (SMBUS | ENARP, 0xC2, SMBDEFAULT), (SMBUS | SMBTYPE | ENARP, 0x10, SMBHOST),
])  # fmt: skip
def test_arp_s_address_and_the_host_s_are_answered_where_enabled(
    cr1: int, byte: int, flag: int
) -> None:
    soc = two(slave=cr1)
    change(soc, set=START)
    until(soc, SB)
    soc.write("I2C1", "DR", byte)
    until(soc, ADDR, "I2C2")
    assert soc.read("I2C2", "SR2") & (SMBDEFAULT | SMBHOST) == flag
    until(soc, ADDR)
    soc.read("I2C1", "SR2")
    change(soc, set=STOP)
    until(soc, STOPF, "I2C2")
    assert not soc.read("I2C2", "SR2") & flag
    for other in (SMBUS, SMBUS | ENARP | (cr1 ^ SMBTYPE) & SMBTYPE, ENARP):
        soc = two(slave=other)
        assert not address(soc, byte)


SMBA = {"W3": {"kind": "wire", "pins": ["PB5", "PA9"]},
        "W4": {"kind": "wire", "pins": ["PB8", "PA8"]},
        "W5": {"kind": "wire", "pins": ["PB9", "PC9"]},
        "W6": {"kind": "wire", "pins": ["PB5", "PB12"]},
        "R3": {"kind": "resistor", "pin": "PB5", "pull": "up"}}  # fmt: skip


def test_the_host_hears_an_alert_and_of_two_that_raise_it_the_lower_address_answers() -> None:
    soc = soc_with(**WIRES, **SMBA)
    requests = Requests(soc)
    for pin, af in (("PB5", 4), ("PA9", 4), ("PB12", 4), ("PA8", 4), ("PC9", 4)):
        alternate(soc, pin, af, open_drain=True)
    on(soc, cr1=SMBUS | SMBTYPE)
    soc.write("I2C1", "CR2", 16 | 1 << 8)
    for port, own in (("I2C2", 0x32), ("I2C3", 0x22)):
        if port == "I2C2":
            on(soc, port, oar1=own << 1, cr1=SMBUS)
        else:
            for register, value in (
                ("CR2", 16), ("CCR", 80), ("TRISE", 17), ("OAR1", 1 << 14 | own << 1),
                ("CR1", PE | SMBUS),
            ):  # fmt: skip
                soc.write(port, register, value)
        change(soc, port, set=ACK | ALERT)
    assert soc.read("I2C1", "SR1") & SMBALERT
    assert requests.changes[-1][1:] == (32, True)
    soc.write("I2C1", "SR1", 0xFFFF & ~SMBALERT)
    change(soc, set=START)
    until(soc, SB)
    soc.write("I2C1", "DR", 0x19)
    for port, own in (("I2C2", 0x32), ("I2C3", 0x22)):
        until(soc, ADDR, port)
        assert soc.read(port, "SR1") & SMBALERT
        soc.read(port, "SR2")
        soc.write(port, "DR", own << 1)
    until(soc, ADDR)
    soc.read("I2C1", "SR2")
    until(soc, RXNE)
    assert soc.read("I2C1", "DR") == 0x44
    assert soc.read("I2C2", "SR1") & ARLO
    assert not soc.read("I2C3", "SR1") & ARLO
    change(soc, set=STOP)
    idle(soc)
    change(soc, "I2C3", clear=ALERT)
    assert not soc.fabric.pads["PB5"].level  # the other one has still to be heard
    change(soc, "I2C2", clear=ALERT)
    assert soc.fabric.pads["PB5"].level
    assert not codes(soc)


def test_scl_low_for_25_ms_is_a_timeout_and_a_slave_lets_go() -> None:
    soc = two(slave=SMBUS)
    change(soc, set=START)
    until(soc, SB)
    soc.write("I2C1", "DR", 0x64)
    until(soc, ADDR, "I2C2")
    soc.run_until(soc.now_ps + 24 * MS)
    assert not soc.read("I2C2", "SR1") & TIMEOUT
    assert not soc.fabric.pads["PB8"].level
    soc.run_until(soc.now_ps + 2 * MS)
    assert soc.read("I2C2", "SR1") & (TIMEOUT | ADDR) == TIMEOUT
    until(soc, ADDR)  # SCL is free, and the master goes on
    soc.write("I2C2", "SR1", 0xFFFF & ~TIMEOUT)
    assert not soc.read("I2C2", "SR1") & TIMEOUT


def test_what_a_slave_holds_is_summed_up_from_start_to_stop() -> None:
    soc = two(slave=SMBUS)
    change(soc, set=START)
    until(soc, SB)
    soc.write("I2C1", "DR", 0x64)
    for byte in range(4):
        until(soc, ADDR if byte == 0 else BTF, "I2C2")
        soc.run_until(soc.now_ps + 8 * MS)
        if soc.read("I2C2", "SR1") & TIMEOUT:
            break
        soc.read("I2C2", "SR2")
        if byte == 0:
            until(soc, ADDR)
            soc.read("I2C1", "SR2")
            soc.write("I2C1", "DR", 1)
            until(soc, TXE)
            soc.write("I2C1", "DR", 2)
            continue
        soc.read("I2C2", "DR")
        until(soc, TXE)
        soc.write("I2C1", "DR", 3)
    assert byte == 3
    assert soc.read("I2C2", "SR1") & TIMEOUT


def test_a_master_that_holds_scl_for_10_ms_sends_a_stop_by_itself() -> None:
    soc = soc_with(EE=EE)
    requests = Requests(soc)
    on(soc, cr1=SMBUS)
    soc.write("I2C1", "CR2", 16 | 1 << 8)
    assert address(soc, 0xA0)
    soc.read("I2C1", "SR2")
    soc.run_until(soc.now_ps + 9 * MS)
    assert not soc.read("I2C1", "SR1") & TIMEOUT
    soc.run_until(soc.now_ps + 2 * MS)
    assert soc.read("I2C1", "SR1") == TIMEOUT
    assert not soc.read("I2C1", "SR2") & (MSL | BUSY)
    assert requests.changes[-1][1:] == (32, True)
    assert transfers(soc)[0].end == "stop"


def test_without_smbus_nobody_minds_how_long_scl_is_low() -> None:
    soc = two()
    change(soc, set=START)
    until(soc, SB)
    soc.run_until(soc.now_ps + 100 * MS)
    assert soc.read("I2C1", "SR1") == SB


# ---------------------------------------------------------------------- stretching


class Slow(Eeprom24c):
    """An EEPROM that needs a while for each byte."""

    hold_ps = 70 * US

    def holds_scl(self, t_ps: int) -> int:
        return t_ps + self.hold_ps


def with_slow(*, listens: bool, hold_ps: int = 70 * US) -> Soc:
    soc = soc_with(EE=EE)
    old = next(c for c in soc.fabric.pads["PB8"].clients if isinstance(c, I2cPort))
    old.attend(edges=False)
    for pad in (old.scl_pad, old.sda_pad):
        pad.clients.remove(old)
    slow = type("Slow", (Slow,), {"hold_ps": hold_ps})(soc, soc.board.modules["EE"])
    I2cPort(soc, soc.board.modules["EE"], slow)
    soc.modules["EE"] = slow
    slow.power_on(soc.now_ps)
    if listens:
        soc.fabric.pads["PB8"].listen(lambda t, level: None)
    on(soc)
    return soc


@pytest.mark.parametrize("listens", [False, True])
def test_a_part_that_holds_scl_is_waited_for_and_loses_nothing(listens: bool) -> None:
    soc = with_slow(listens=listens)
    assert write(soc, 0x50, b"\x00\xa1\xa2")
    soc.run_until(soc.now_ps + 10 * MS)
    assert write(soc, 0x50, b"\x00", stop=False)
    change(soc, clear=STOP)
    assert read(soc, 0x50, 3) == b"\xa1\xa2\xff"
    assert as_bytes(decoded(soc)[0]) == [0xA0, 0x00, 0xA1, 0xA2]
    assert as_bytes(decoded(soc)[-1]) == [0xA1, 0xA1, 0xA2, 0xFF]
    assert not codes(soc)


def lows(soc: Soc) -> list[int]:
    """How long SCL was low, each time."""
    edges = [(t, v) for t, v in trace(soc).edges("PB8") if t > US]
    return [b[0] - a[0] for a, b in pairwise(edges) if not a[1]]


def test_told_bytes_and_watched_edges_show_the_same_clock() -> None:
    seen = []
    for listens in (False, True):
        soc = with_slow(listens=listens)
        assert write(soc, 0x50, b"\x00\xa1")
        seen.append(lows(soc))
    assert seen[0] == seen[1]
    assert seen[0].count(70 * US) == 3  # after the address and both bytes
    assert set(seen[0]) == {5 * US, 70 * US}


@settings(max_examples=20, deadline=None)
@given(hold=st.integers(0, 30 * US), listens=st.booleans(), data=st.binary(min_size=1, max_size=4))
def test_however_long_it_holds_the_data_are_the_same(hold, listens, data) -> None:
    soc = with_slow(listens=listens, hold_ps=hold)
    assert write(soc, 0x50, b"\x00" + data)
    assert soc.modules["EE"].memory[: len(data)] == data


# ---------------------------------------------------------------------- two masters


def begin_together(soc: Soc) -> None:
    sda = soc.fabric.pads["PB9"]
    sda.drive_outside(soc.now_ps, "a third master", 0)
    for port in ("I2C1", "I2C2"):
        change(soc, port, set=START)
    soc.run_until(soc.now_ps + 50 * US)
    sda.drive_outside(soc.now_ps, "a third master", None)  # its STOP


def test_masters_of_unlike_speed_share_a_clock_as_low_as_the_slower_as_high_as_the_faster() -> None:
    soc = soc_with(**WIRES, EE=EE)
    on(soc, ccr=80)  # 5 us each
    on(soc, "I2C2", ccr=200)  # 12.5 us each
    begin_together(soc)
    for port in ("I2C1", "I2C2"):
        until(soc, SB, port)
    first = soc.now_ps
    for port in ("I2C1", "I2C2"):
        soc.write(port, "DR", 0xA0)
    until(soc, ADDR)
    edges = [(t, v) for t, v in trace(soc).edges("PB8") if t > first]
    spans = [(b[0] - a[0], a[1]) for a, b in pairwise(edges)]
    assert set(spans) == {(12_500_000, 0), (5 * US, 1)}


def test_of_two_masters_that_read_the_same_the_one_that_wants_more_wins() -> None:
    soc = soc_with(**WIRES, EE=EE)
    on(soc)
    on(soc, "I2C2", cr1=ACK)
    change(soc, "I2C2", set=ACK)
    begin_together(soc)
    for port in ("I2C1", "I2C2"):
        until(soc, SB, port)
        soc.write(port, "DR", 0xA1)
    for port in ("I2C1", "I2C2"):
        until(soc, ADDR, port)
        soc.read(port, "SR2")
    until(soc, RXNE, "I2C2")
    assert soc.read("I2C1", "SR1") & ARLO
    assert soc.read("I2C2", "SR2") & MSL
    assert [t.end for t in transfers(soc)] == ["lost"]


def test_cr1_written_while_a_stop_is_pending_is_told() -> None:
    soc = soc_with(EE=EE)
    on(soc)
    assert write(soc, 0x50, b"\x00", stop=False)
    change(soc, set=STOP)
    change(soc, set=ACK)
    assert codes(soc) == ["i2c-cr1-pending"]
    idle(soc)


def test_the_rate_changed_while_the_port_is_on_is_told() -> None:
    soc = soc_with(EE=EE)
    on(soc)
    soc.write("I2C1", "CCR", 80)  # no change
    assert not codes(soc)
    soc.write("I2C1", "CCR", 90)
    assert codes(soc) == ["i2c-reconfigured"]
