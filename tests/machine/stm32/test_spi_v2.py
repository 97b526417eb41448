"""SPI of the STM32F4, on its registers. RM0368 §20."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fwgen.machine.stm32.spi_v2.crc import crc
from fwgen.trace import Burst, Edge, SpiFrame, Trace
from tests.machine.stm32.alone import Requests, hazards
from tests.machine.stm32.buses import MS, US, alternate, output, soc_with

MSTR, SPE, SSI, SSM, LSB, DFF, RXONLY = 1 << 2, 1 << 6, 1 << 8, 1 << 9, 1 << 7, 1 << 11, 1 << 10
CRCNEXT, CRCEN, BIDIOE, BIDIMODE = 1 << 12, 1 << 13, 1 << 14, 1 << 15
CPHA, CPOL = 1, 2
words = st.integers(0, 0xFFFF)
SOFT = SSM | SSI
RXNE, TXE, CRCERR, MODF, OVR, BSY = 1, 2, 1 << 4, 1 << 5, 1 << 6, 1 << 7
FLASH = {"kind": "w25q32", "sck": "PA5", "miso": "PA6", "mosi": "PA7", "cs": "PB6"}
LOOP = {
    f"W{n}": {"kind": "wire", "pins": [*pins]}
    for n, pins in enumerate(
        (("PA5", "PB13"), ("PA6", "PB14"), ("PA7", "PB15"), ("PA4", "PB12")), 1
    )
}


def master(soc, *, nss: bool = False) -> None:
    for pin in ("PA5", "PA6", "PA7", *(("PA4",) if nss else ())):
        alternate(soc, pin, 5)


def frames(soc, port: str = "SPI1") -> list[SpiFrame]:
    return [e for e in soc.recorder.events if isinstance(e, SpiFrame) and e.port == port]


def told(soc) -> list[str]:
    return [h.code for h in hazards(soc) if h.severity != "note"]


def exchange(soc, value: int, port: str = "SPI1") -> int:
    assert soc.read(port, "SR") & TXE
    soc.write(port, "DR", value)
    while not soc.read(port, "SR") & RXNE:
        soc.run_until(soc.scheduler.next_ps)
    got = soc.read(port, "DR")
    while soc.read(port, "SR") & BSY:
        soc.run_until(soc.scheduler.next_ps)
    return got


def trace(soc) -> Trace:
    events = tuple(sorted(soc.recorder.events, key=lambda e: e.t_ps))
    return Trace("machine", "b", soc.now_ps + MS, events, dict(soc.recorder.initial))


def test_a_frame_is_eight_bits_of_the_bus_clock_divided_and_the_pins_show_it() -> None:
    soc = soc_with()
    master(soc)
    soc.write("SPI1", "CR1", SOFT | MSTR | SPE | 2 << 3)  # 16 MHz / 8
    assert soc.read("SPI1", "SR") == TXE
    soc.write("SPI1", "DR", 0xA5)
    assert soc.read("SPI1", "SR") == TXE | BSY
    start = frames(soc) or soc.now_ps
    soc.run_until(soc.now_ps + 3 * US)
    assert not soc.read("SPI1", "SR") & RXNE
    soc.run_until(start + 5 * US)
    assert soc.read("SPI1", "SR") == TXE | RXNE
    (frame,) = frames(soc)
    assert frame.sent == 0xA5
    assert frame.t_ps - frame.start_ps == 4 * US
    seen = trace(soc)
    clock = [(t - frame.start_ps, level) for t, level in seen.edges("PA5") if t >= frame.start_ps]
    assert clock == [(n * US // 4, n & 1) for n in range(1, 17)]
    bits = [seen.level("PA7", frame.start_ps + n * US // 2 + US // 4) for n in range(8)]
    assert bits == [1, 0, 1, 0, 0, 1, 0, 1]
    assert not [e for e in soc.recorder.events if isinstance(e, Edge) and e.t_ps > frame.start_ps]
    assert len([e for e in soc.recorder.events if isinstance(e, Burst)]) == 2


def test_the_level_within_a_frame_is_what_a_read_of_idr_gives() -> None:
    soc = soc_with()
    master(soc)
    soc.write("SPI1", "CR1", SOFT | MSTR | SPE | 2 << 3)
    soc.write("SPI1", "DR", 0x55)
    start = soc.scheduler.next_ps - 4 * US + US // 4
    for n in range(8):
        soc.run_until(start + n * US // 2 + US // 8)
        assert soc.read("GPIOA", "IDR") >> 7 & 1 == n & 1
        assert not soc.read("GPIOA", "IDR") >> 5 & 1
        soc.run_until(start + n * US // 2 + 3 * US // 8)
        assert soc.read("GPIOA", "IDR") >> 5 & 1


@pytest.mark.parametrize("listens", [False, True])
def test_a_flash_tells_its_identity(listens: bool) -> None:
    soc = soc_with(FL=FLASH)
    edges: list = []
    if listens:  # whoever looks bit by bit makes it happen bit by bit
        soc.fabric.pads["PA5"].listen(lambda t, level: edges.append(t))
    master(soc)
    output(soc, "PB6", 1)
    soc.write("SPI1", "CR1", SOFT | MSTR | SPE | 2 << 3)
    output(soc, "PB6", 0)
    assert [exchange(soc, b) for b in (0x9F, 0, 0, 0)][1:] == [0xEF, 0x40, 0x16]
    output(soc, "PB6", 1)
    assert not hazards(soc)
    assert len(edges) == (65 if listens else 0)
    first = frames(soc)[1]
    seen = trace(soc)
    assert [seen.level("PA6", first.start_ps + n * US // 2 + US // 4) for n in range(8)] == [
        int(b) for b in f"{0xEF:08b}"
    ]


@pytest.mark.parametrize("mode", range(4))
def test_only_modes_0_and_3_reach_a_flash(mode: int) -> None:
    soc = soc_with(FL=FLASH)
    master(soc)
    output(soc, "PB6", 1)
    soc.write("SPI1", "CR1", SOFT | MSTR | SPE | 2 << 3 | mode)
    output(soc, "PB6", 0)
    got = [exchange(soc, b) for b in (0x9F, 0, 0, 0)][1:]
    assert (got == [0xEF, 0x40, 0x16]) == (mode in (0, 3))


def wired():
    soc = soc_with(**LOOP)
    master(soc, nss=True)
    for pin in ("PB12", "PB13", "PB14", "PB15"):
        alternate(soc, pin, 5)
    return soc


@settings(max_examples=25, deadline=None)
@given(
    mode=st.integers(0, 3), lsb=st.booleans(), wide=st.booleans(), hard=st.booleans(),
    data=st.lists(st.tuples(words, words), min_size=1, max_size=4),
)  # fmt: skip
def test_what_a_master_and_a_slave_on_one_wire_send_the_other_gets(mode, lsb, wide, hard, data):
    soc = wired()
    how = mode | LSB * lsb | DFF * wide
    mask = 0xFFFF if wide else 0xFF
    soc.write("SPI2", "CR1", how | (0 if hard else SSM))
    soc.write("SPI1", "CR2", 4 if hard else 0)  # SSOE
    soc.write("SPI1", "CR1", how | MSTR | 3 << 3 | (0 if hard else SOFT))
    soc.write("SPI2", "CR1", how | SPE | (0 if hard else SSM))
    soc.write("SPI2", "DR", data[0][1])
    soc.write("SPI1", "CR1", how | MSTR | SPE | 3 << 3 | (0 if hard else SOFT))
    for n, (there, back) in enumerate(data):
        assert exchange(soc, there) == back & mask
        assert soc.read("SPI2", "SR") & RXNE
        assert soc.read("SPI2", "DR") == there & mask
        if n + 1 < len(data):
            soc.write("SPI2", "DR", data[n + 1][1])
    assert [f.heard for f in frames(soc, "SPI2")] == [there & mask for there, _ in data]
    assert not hazards(soc)


def test_a_frame_that_nobody_read_in_time_is_lost_and_overrun_tells() -> None:
    soc = wired()
    soc.write("SPI1", "CR1", SOFT | MSTR | SPE)
    for value in (1, 2):
        soc.write("SPI1", "DR", value)
        soc.run_until(soc.now_ps + 2 * US)
    assert soc.read("SPI1", "SR") == TXE | RXNE | OVR
    assert soc.read("SPI1", "SR") & OVR  # a read of SR alone clears nothing
    soc.read("SPI1", "DR")
    assert soc.read("SPI1", "SR") & OVR  # it still shows in the read that clears it
    assert soc.read("SPI1", "SR") == TXE


def test_data_written_over_data_that_waits_is_a_hazard() -> None:
    soc = soc_with()
    master(soc)
    soc.write("SPI1", "CR1", SOFT | MSTR | SPE)
    for value in (1, 2, 3):
        soc.write("SPI1", "DR", value)
    soc.run_until(soc.now_ps + 20 * US)
    assert [f.sent for f in frames(soc)] == [1, 3]
    assert [h.code for h in hazards(soc)] == ["tx-overrun"]


def test_switching_off_within_a_frame_loses_it() -> None:
    soc = soc_with()
    master(soc)
    soc.write("SPI1", "CR1", SOFT | MSTR | SPE)
    soc.write("SPI1", "DR", 1)
    soc.write("SPI1", "CR1", SOFT | MSTR)
    soc.run_until(soc.now_ps + 20 * US)
    assert not frames(soc)
    assert [h.code for h in hazards(soc)] == ["spi-cut"]


@pytest.mark.parametrize("how", ["pin", "bit"])
def test_a_master_whose_nss_is_low_falls_back(how: str) -> None:
    soc = soc_with()
    requests = Requests(soc)
    master(soc, nss=True)
    soc.fabric.pads["PA4"].drive_outside(soc.now_ps, "another master", 1)
    soc.write("SPI1", "CR2", 1 << 5)
    soc.write("SPI1", "CR1", MSTR | SPE | (SOFT if how == "bit" else 0))
    assert soc.read("SPI1", "CR1") & (MSTR | SPE) == MSTR | SPE
    if how == "bit":
        soc.write("SPI1", "CR1", MSTR | SPE | SSM)
    else:
        soc.fabric.pads["PA4"].drive_outside(soc.now_ps, "another master", 0)
    assert not soc.read("SPI1", "CR1") & (MSTR | SPE)
    assert requests.changes[-1][2]
    assert soc.read("SPI1", "SR") & MODF
    soc.write("SPI1", "CR1", MSTR | SPE | SOFT)
    assert not soc.read("SPI1", "SR") & MODF
    assert not soc.read("SPI1", "CR1") & (MSTR | SPE)  # this write only cleared the fault
    soc.write("SPI1", "CR1", MSTR | SPE | SOFT)
    assert soc.read("SPI1", "CR1") & (MSTR | SPE) == MSTR | SPE
    assert [h.code for h in hazards(soc)] == ["spi-mode-fault"]


@pytest.mark.parametrize(("later_ps", "in_all"), [(0, 3), (US // 10, 4)])
def test_receive_only_clocks_on_until_it_is_switched_off_and_the_last_frame_ends(
    later_ps: int, in_all: int
) -> None:
    soc = soc_with(FL=FLASH)
    master(soc)
    soc.fabric.pads["PA6"].drive_outside(soc.now_ps, "somebody", 1)
    soc.write("SPI1", "CR1", SOFT | MSTR | SPE | RXONLY)
    got = []
    for _ in range(3):
        while not soc.read("SPI1", "SR") & RXNE:
            soc.run_until(soc.scheduler.next_ps)
        got.append(soc.read("SPI1", "DR"))
    soc.run_until(soc.now_ps + later_ps)  # RXNE rises half a bit before the frame is over
    soc.write("SPI1", "CR1", SOFT | MSTR | RXONLY)
    soc.run_until(soc.now_ps + 20 * US)
    assert len(frames(soc)) == in_all
    assert {f.sent for f in frames(soc)} == {None}
    assert soc.read("SPI1", "SR") == TXE | RXNE * (in_all - 3)
    assert got == [0xFF] * 3
    assert not hazards(soc)


def test_one_line_serves_both_ways() -> None:
    soc = wired()
    pair = {"kind": "wire", "pins": ["PA7", "PB14"]}  # MOSI of the master, MISO of the slave
    soc = soc_with(W1=LOOP["W1"], W2=pair)
    for pin in ("PA5", "PA7", "PB13", "PB14"):
        alternate(soc, pin, 5)
    soc.write("SPI2", "CR1", SSM | BIDIMODE | SPE)
    soc.write("SPI1", "CR1", SOFT | MSTR | BIDIMODE | BIDIOE | SPE)
    soc.write("SPI1", "DR", 0x3C)
    soc.run_until(soc.now_ps + 10 * US)
    assert soc.read("SPI2", "DR") == 0x3C
    assert soc.read("SPI1", "SR") == TXE  # nothing is received while it sends
    soc.write("SPI1", "CR1", SOFT | MSTR | BIDIMODE)
    soc.write("SPI2", "CR1", SSM | BIDIMODE | BIDIOE)
    soc.write("SPI2", "DR", 0x96)
    soc.write("SPI2", "CR1", SSM | BIDIMODE | BIDIOE | SPE)
    soc.write("SPI1", "CR1", SOFT | MSTR | BIDIMODE | SPE)
    while not soc.read("SPI1", "SR") & RXNE:
        soc.run_until(soc.scheduler.next_ps)
    soc.write("SPI1", "CR1", SOFT | MSTR | BIDIMODE)
    assert soc.read("SPI1", "DR") == 0x96


def test_the_crc_follows_the_data_and_both_ends_check_it() -> None:
    soc = wired()
    for port, role in (("SPI2", SSM), ("SPI1", SOFT | MSTR | 3 << 3)):
        soc.write(port, "CR1", role | CRCEN)
        soc.write(port, "CR1", role | CRCEN | SPE)
    for n, value in enumerate(b"123456789"):
        soc.write("SPI2", "DR", value)
        soc.write("SPI1", "DR", value)
        if n == 8:
            for port in ("SPI1", "SPI2"):
                soc.write(port, "CR1", soc.read(port, "CR1") | CRCNEXT)
        soc.run_until(soc.now_ps + 9 * US)
        assert soc.read("SPI2", "DR") == value
        assert soc.read("SPI1", "DR") == value
    soc.run_until(soc.now_ps + 20 * US)
    assert soc.read("SPI1", "TXCRCR") == soc.read("SPI2", "RXCRCR") != 0
    assert not (soc.read("SPI1", "SR") | soc.read("SPI2", "SR")) & CRCERR
    assert len(frames(soc)) == 10


def test_the_crc_is_the_textbooks() -> None:
    # CRC-16/XMODEM and CRC-8/SMBUS of "123456789": the catalogue's check values.
    eight = sixteen = 0
    for byte in b"123456789":
        eight = crc(eight, byte, 0x07, 8)
    data = b"\x00" + b"123456789"  # a leading zero changes nothing from 0
    for n in range(0, 10, 2):
        sixteen = crc(sixteen, data[n] << 8 | data[n + 1], 0x1021, 16)
    assert (eight, sixteen) == (0xF4, 0x31C3)


def test_reading_what_nothing_gives_is_a_hazard() -> None:
    soc = soc_with()
    master(soc)
    soc.write("SPI1", "CR1", SOFT | MSTR | SPE)
    assert exchange(soc, 0) in (0, 0xFF)
    assert [h.code for h in hazards(soc)] == ["floating-input"]


def test_a_flash_deselected_within_a_frame_is_told_and_does_nothing() -> None:
    soc = soc_with(FL=FLASH)
    master(soc)
    output(soc, "PB6", 1)
    soc.write("SPI1", "CR1", SOFT | MSTR | SPE | 5 << 3)
    output(soc, "PB6", 0)
    soc.write("SPI1", "DR", 0x06)
    output(soc, "PB6", 1)
    soc.run_until(soc.now_ps + 100 * US)
    assert [h.code for h in hazards(soc)] == ["cs-within-frame"]
    assert not soc.modules["FL"]._status[0]


def test_the_clock_on_no_pin_is_a_hazard() -> None:
    soc = soc_with()
    soc.write("SPI1", "CR1", SOFT | MSTR | SPE)
    soc.write("SPI1", "DR", 1)
    soc.run_until(soc.now_ps + 9 * US)
    assert [h.code for h in hazards(soc)] == ["spi-not-connected"]


@pytest.mark.parametrize("flag", ["UDR", "FRE"])
def test_a_read_of_sr_that_clears_a_flag_is_not_foreseen_to_repeat(flag: str) -> None:
    soc = soc_with()
    port = soc.peripherals["SPI1"]
    status = port.sr.spec.offset
    assert port.peek(status, 4, soc.now_ps).stable_until_ps > soc.now_ps
    port.sr.set(**{flag: 1})
    assert port.peek(status, 4, soc.now_ps).stable_until_ps == soc.now_ps
    shown = soc.read("SPI1", "SR")
    assert shown & port.sr.mask(flag)
    assert soc.read("SPI1", "SR") == shown & ~port.sr.mask(flag)
