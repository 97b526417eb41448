"""The TI frame format, the moment of RXNE, and CRC with DMA. RM0368 §20.3.4, §20.3.9, §20.3.10."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.machine.stm32.alone import Requests
from tests.machine.stm32.buses import US, alternate, output, soc_with
from tests.machine.stm32.i2c_bus import step
from tests.machine.stm32.test_spi_v2 import (
    BSY,
    CRCEN,
    CRCERR,
    DFF,
    FLASH,
    LSB,
    MSTR,
    OVR,
    RXNE,
    RXONLY,
    SOFT,
    SPE,
    SSM,
    TXE,
    exchange,
    frames,
    master,
    told,
    trace,
    wired,
)

FRF, ERRIE, FRE = 1 << 4, 1 << 5, 1 << 8
RAM = 0x2000_1000


def both_ti(soc, how: int = 0, br: int = 3) -> None:
    """SPI1 masters SPI2 in TI frames."""
    for port, role in (("SPI2", 0), ("SPI1", MSTR)):
        soc.write(port, "CR2", FRF)
        soc.write(port, "CR1", how | role | br << 3)
        if port == "SPI2":
            soc.write(port, "CR1", how | role | br << 3 | SPE)


@settings(max_examples=20, deadline=None)
@given(
    how=st.sampled_from([0, 1, 2, 3, LSB, DFF, DFF | LSB, SSM]),
    data=st.lists(
        st.tuples(st.integers(0, 0xFFFF), st.integers(0, 0xFFFF)), min_size=1, max_size=3
    ),
)
def test_ti_frames_reach_the_other_end_whatever_mode_and_order_cr1_says(how, data) -> None:
    soc = wired()
    both_ti(soc, how)
    mask = 0xFFFF if how & DFF else 0xFF
    soc.write("SPI2", "DR", data[0][1])
    soc.write("SPI1", "CR1", how | MSTR | SPE | 3 << 3)
    for n, (there, back) in enumerate(data):
        assert exchange(soc, there) == back & mask
        assert soc.read("SPI2", "DR") == there & mask
        if n + 1 < len(data):
            soc.write("SPI2", "DR", data[n + 1][1])
    assert not told(soc)


def test_nss_pulses_for_a_bit_before_a_frame_or_in_the_last_bit_of_the_one_before() -> None:
    soc = wired()
    both_ti(soc)
    soc.write("SPI1", "CR1", MSTR | SPE | 3 << 3)
    soc.write("SPI1", "DR", 0xA5)
    step(soc)
    while not soc.read("SPI1", "SR") & TXE:
        step(soc)
    soc.write("SPI1", "DR", 0x5A)
    while soc.read("SPI1", "SR") & BSY:
        step(soc)
    first, second = frames(soc)
    seen = trace(soc)
    nss = [(t, level) for t, level in seen.edges("PA4") if t > 2 * US or level]
    assert nss == [
        (first.start_ps - US, 1), (first.start_ps, 0),
        (first.start_ps + 7 * US, 1), (second.start_ps, 0),
    ]  # fmt: skip
    assert second.start_ps == first.t_ps
    rises = [t for t, level in seen.edges("PA5") if level and t >= first.start_ps - US]
    assert len(rises) == 17  # one with the pulse
    assert {b - a for a, b in pairwise(rises)} == {US}
    bits = [seen.level("PA7", first.start_ps + n * US + US // 2) for n in range(16)]
    assert bits == [int(b) for b in f"{0xA55A:016b}"]
    assert [f.heard for f in frames(soc, "SPI2")] == [0xA5, 0x5A]


def test_miso_is_let_go_of_half_a_bit_and_some_clocks_after_the_last_edge() -> None:
    soc = wired()
    both_ti(soc)
    soc.write("SPI2", "DR", 0x01)
    soc.write("SPI1", "CR1", MSTR | SPE | 3 << 3)
    soc.write("SPI1", "DR", 0xFF)
    while soc.read("SPI1", "SR") & BSY:
        step(soc)
    soc.run_until(soc.now_ps + 5 * US)
    (frame,) = frames(soc, "SPI2")
    gone = [t for t, level in trace(soc).edges("PB14") if level is None][-1]
    tick = US // 16
    assert US // 2 + 4 * tick <= gone - frame.t_ps <= US // 2 + 6 * tick


def test_a_pulse_amid_a_frame_is_a_frame_error_and_the_next_pulse_begins_anew() -> None:
    soc = soc_with()
    requests = Requests(soc)
    for pin in ("PB12", "PB13", "PB14", "PB15"):
        alternate(soc, pin, 5)
    pads = soc.fabric.pads

    def bit(nss: int, data: int) -> None:
        for pin, level in (("PB12", nss), ("PB15", data), ("PB13", 1)):
            pads[pin].drive_outside(soc.now_ps, "a master", level)
        soc.run_until(soc.now_ps + US)
        pads["PB13"].drive_outside(soc.now_ps, "a master", 0)
        soc.run_until(soc.now_ps + US)

    soc.write("SPI2", "CR2", FRF | ERRIE)
    soc.write("SPI2", "CR1", SPE)
    soc.write("SPI2", "DR", 0)
    bit(1, 0)
    for n in range(3):
        bit(0, n & 1)
    bit(1, 0)
    assert requests.changes[-1][1:] == (36, True)
    for _ in range(9):
        bit(0, 1)  # the pulse is ignored: nothing begins
    assert soc.read("SPI2", "SR") & (FRE | RXNE) == FRE
    assert not soc.read("SPI2", "SR") & FRE
    assert requests.changes[-1][1:] == (36, False)
    assert soc.read("SPI2", "CR1") & SPE
    bit(1, 0)
    for n in range(8):
        bit(0, n & 1)
    assert soc.read("SPI2", "DR") == 0x55


def test_ti_needs_no_nss_of_software_s() -> None:
    soc = wired()
    both_ti(soc)
    soc.write("SPI1", "CR1", MSTR | SPE | 3 << 3)  # neither SSM nor SSOE: no mode fault
    assert soc.read("SPI1", "CR1") & (MSTR | SPE) == MSTR | SPE
    assert not told(soc)


# ---------------------------------------------------------------------- when RXNE rises


@pytest.mark.parametrize("mode", range(4))
def test_rxne_rises_where_the_last_bit_is_sampled_and_bsy_falls_half_a_bit_later(mode: int) -> None:
    soc = soc_with()
    master(soc)
    soc.fabric.pads["PA6"].drive_outside(soc.now_ps, "somebody", 1)
    soc.write("SPI1", "CR1", SOFT | MSTR | SPE | 4 << 3 | mode)  # 1 us a half
    soc.write("SPI1", "DR", 0xA5)
    seen = {}
    while soc.read("SPI1", "SR") & BSY:
        step(soc)
        for name, flag in (("RXNE", RXNE), ("BSY", BSY)):
            if bool(soc.peripherals["SPI1"].sr.value & flag) is (name == "RXNE"):
                seen.setdefault(name, soc.now_ps)
    (frame,) = frames(soc)
    assert seen == {"RXNE": frame.t_ps - US, "BSY": frame.t_ps}


def test_a_part_deselected_after_its_last_bit_was_sampled_has_the_byte() -> None:
    soc = soc_with(FL=FLASH)
    master(soc)
    output(soc, "PB6", 1)
    soc.write("SPI1", "CR1", SOFT | MSTR | SPE | 5 << 3)
    output(soc, "PB6", 0)
    soc.write("SPI1", "DR", 0x06)
    while not soc.read("SPI1", "SR") & RXNE:
        step(soc)
    output(soc, "PB6", 1)  # half a bit before BSY falls
    soc.run_until(soc.now_ps + 100 * US)
    assert not told(soc)
    assert soc.modules["FL"]._status[0] == 2  # WEL


# ---------------------------------------------------------------------- CRC with DMA


def stream(soc, number: int, channel: int, register: int, at: int, count: int, **how: int) -> None:
    base = f"S{number}"
    wide = how.get("wide", 0)
    soc.write("DMA2", f"{base}PAR", register)
    soc.write("DMA2", f"{base}M0AR", at)
    soc.write("DMA2", f"{base}NDTR", count)
    soc.write(
        "DMA2", f"{base}CR",
        channel << 25 | wide << 13 | wide << 11 | 1 << 10 | how.get("out", 0) << 6 | 1,
    )  # fmt: skip


@pytest.mark.parametrize("wide", [0, 1])
def test_dma_sends_the_crc_by_itself_and_the_other_end_finds_it_right(wide: int) -> None:
    soc = wired()
    how = CRCEN | (DFF if wide else 0)
    soc.memory.program(RAM, bytes(range(1, 9)))
    soc.memory.program(RAM + 256, bytes(8))
    for port, role in (("SPI2", SSM), ("SPI1", SOFT | MSTR | 4 << 3)):
        soc.write(port, "CRCPR", 0x1021 if wide else 7)
        soc.write(port, "CR1", role | how)
    count = 4 if wide else 8
    soc.write("SPI1", "CR2", 3)
    stream(soc, 0, 3, 0x4001_300C, RAM + 256, count, wide=wide)
    stream(soc, 3, 3, 0x4001_300C, RAM, count, wide=wide, out=1)
    soc.write("SPI2", "CR1", SSM | how | SPE)
    soc.write("SPI1", "CR1", SOFT | MSTR | 4 << 3 | how | SPE)
    got = []
    for n in range(count + 1):
        soc.write("SPI2", "DR", n) if n < count else None
        if n == count - 1:
            soc.write("SPI2", "CR1", soc.read("SPI2", "CR1") | 1 << 12)  # CRCNEXT
        while not soc.read("SPI2", "SR") & RXNE:
            step(soc)
        got.append(soc.read("SPI2", "DR"))
    while soc.read("SPI1", "SR") & BSY:
        step(soc)
    size = 2 if wide else 1
    assert got[:-1] == [
        int.from_bytes(bytes(range(1, 9))[n : n + size], "little") for n in range(0, 8, size)
    ]
    assert got[-1] == soc.read("SPI1", "TXCRCR")
    assert not (soc.read("SPI1", "SR") | soc.read("SPI2", "SR")) & (CRCERR | OVR)
    # What DMA took are the data alone: the CRC waits in DR to be read (§20.3.10).
    assert soc.read("SPI1", "SR") & RXNE
    assert len(frames(soc)) == count + 1


@pytest.mark.parametrize("fits", [True, False])
def test_a_slave_that_only_receives_by_dma_takes_the_next_frame_for_the_crc(fits: bool) -> None:
    soc = wired()
    soc.write("SPI2", "CR1", SOFT | MSTR | 4 << 3)
    soc.write("SPI1", "CR1", SSM | CRCEN | RXONLY)
    soc.write("SPI1", "CR2", 1)
    soc.memory.program(RAM, bytes(4))
    stream(soc, 0, 3, 0x4001_300C, RAM, 3)
    soc.write("SPI1", "CR1", SSM | CRCEN | RXONLY | SPE)
    soc.write("SPI2", "CR1", SOFT | MSTR | 4 << 3 | SPE)
    value = 0
    for byte in b"abc":
        value ^= byte
        for _ in range(8):
            value = (value << 1) ^ (0x107 if value & 0x80 else 0)
    for byte in (*b"abc", value if fits else value ^ 1):
        soc.write("SPI2", "DR", byte)
        while soc.read("SPI2", "SR") & BSY:
            step(soc)
    assert soc.memory.read(RAM, 3) == b"abc"
    assert bool(soc.read("SPI1", "SR") & CRCERR) is not fits
