"""I2S of the STM32F4: as a master, as a slave, and full duplex. RM0368 §20.4."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.machine.stm32.alone import Requests
from tests.machine.stm32.buses import US, alternate, soc_with
from tests.machine.stm32.i2c_bus import step
from tests.machine.stm32.test_spi_v2 import BSY, OVR, RXNE, TXE, frames, told, trace

CHSIDE, UDR, FRE = 1 << 2, 1 << 3, 1 << 8
I2SMOD, I2SE = 1 << 11, 1 << 10


def i2s(soc, cfg: int, divider: int = 4, *, mck: bool = False) -> None:
    """I2S2 on PB12 (WS), PB13 (CK), PB15 (SD), from a PLLI2S of 192 / 5 = 38.4 MHz."""
    soc.write("RCC", "PLLCFGR", 16 | 192 << 6 | 4 << 24)
    soc.write("RCC", "PLLI2SCFGR", 192 << 6 | 5 << 28)
    soc.write("RCC", "CR", soc.read("RCC", "CR") | 1 << 26)
    while not soc.read("RCC", "CR") & 1 << 27:
        step(soc)
    for pin in ("PB12", "PB13", "PB15"):
        alternate(soc, pin, 5)
    alternate(soc, "PC6", 5)
    soc.write("SPI2", "I2SPR", divider | mck << 9)
    soc.write("SPI2", "I2SCFGR", I2SMOD | cfg)
    soc.write("SPI2", "I2SCFGR", I2SMOD | I2SE | cfg)


def send_samples(soc, halves: list[int]) -> None:
    for half in halves:
        while not soc.read("SPI2", "SR") & TXE:
            step(soc)
        soc.write("SPI2", "DR", half)
    while soc.read("SPI2", "SR") & BSY:
        step(soc)


def heard_on_the_wires(soc, wait: int) -> list[tuple[int, int]]:
    """(WS, SD) at each rising edge of CK; WS as it was ``wait`` bits before."""
    seen = trace(soc)
    rises = [t for t, level in seen.edges("PB13") if level and t > 2 * US]
    select = [seen.level("PB12", t) for t in rises]
    data = [seen.level("PB15", t) for t in rises]
    return list(zip(select, data[wait:], strict=False))


@pytest.mark.parametrize(("standard", "left"), [(0, 0), (1, 1)])
def test_sixteen_bit_samples_alternate_between_left_and_right(standard: int, left: int) -> None:
    soc = soc_with()
    i2s(soc, 2 << 8 | standard << 4)
    send_samples(soc, [0x8001, 0x7FFE, 0x1234, 0xABCD])
    assert [f.sent for f in frames(soc, "SPI2")] == [0x8001, 0x7FFE, 0x1234, 0xABCD]
    bits = heard_on_the_wires(soc, 1 if standard == 0 else 0)
    words = [bits[n : n + 16] for n in range(0, 64, 16)]
    assert [int("".join(str(d) for _, d in w), 2) for w in words] == [
        0x8001, 0x7FFE, 0x1234, 0xABCD,
    ]  # fmt: skip
    sides = [{ws for ws, _ in w} for w in words]
    assert sides == [{left}, {1 - left}, {left}, {1 - left}]
    assert not told(soc)


def test_the_sampling_rate_follows_divider_and_master_clock() -> None:
    for mck, divider, wide, wanted in (
        (False, 25, 0, 38_400_000 / (32 * 50)), (False, 12, 1, 38_400_000 / (64 * 24)),
        (True, 3, 0, 38_400_000 / (256 * 6)), (True, 3, 1, 38_400_000 / (256 * 6)),
    ):  # fmt: skip
        soc = soc_with()
        i2s(soc, 2 << 8 | wide, divider, mck=mck)
        send_samples(soc, [1, 2, 3, 4])
        starts = [f.start_ps for f in frames(soc, "SPI2")]
        assert abs((starts[2] - starts[0]) - 1e12 / wanted) < 5
        edges = [t for t, level in trace(soc).edges("PC6") if level and t > 2 * US]
        if mck:
            assert abs((edges[9] - edges[1]) / 8 - 1e12 / (256 * wanted)) < 2


def test_longer_samples_take_two_halves_of_dr() -> None:
    soc = soc_with()
    i2s(soc, 2 << 8 | 1 << 1)
    send_samples(soc, [0x8EAA, 0x3300, 0x1111, 0x2200])
    assert [f.sent for f in frames(soc, "SPI2")] == [0x8EAA33, 0x111122]


def test_a_master_that_receives_clocks_on_by_itself() -> None:
    soc = soc_with()
    soc.fabric.pads["PB15"].drive_outside(soc.now_ps, "a microphone", 1)
    i2s(soc, 3 << 8 | 1 << 1)
    got = []
    for _ in range(4):
        while not soc.read("SPI2", "SR") & RXNE:
            step(soc)
        got.append(soc.read("SPI2", "DR"))
    assert got == [0xFFFF, 0xFF00] * 2
    soc.write("SPI2", "I2SCFGR", I2SMOD | 3 << 8 | 1 << 1)
    assert not soc.read("SPI2", "SR") & BSY


@pytest.mark.parametrize(
    ("divider", "pll", "code"), [(1, True, "i2s-divider"), (4, False, "i2s-no-clock")]
)
def test_what_keeps_i2s_still_is_told(divider: int, pll: bool, code: str) -> None:
    soc = soc_with()
    if pll:
        i2s(soc, 2 << 8, divider)
    else:
        soc.write("SPI2", "I2SPR", divider)
        soc.write("SPI2", "I2SCFGR", I2SMOD | I2SE | 2 << 8)
    assert told(soc) == [code]


def test_a_clock_from_a_pin_that_is_not_set_up_is_told() -> None:
    soc = soc_with()
    soc.write("RCC", "CFGR", soc.read("RCC", "CFGR") | 1 << 23)
    i2s(soc, MASTER_TX)
    assert told(soc) == ["i2s-no-clock"]


@pytest.mark.parametrize(("register", "value"), [("I2SPR", 9), ("I2SCFGR", 0xE01)])
def test_a_change_of_shape_or_rate_while_it_is_on_is_told(register: str, value: int) -> None:
    soc = soc_with()
    i2s(soc, MASTER_TX)
    soc.write("SPI2", register, soc.read("SPI2", register))
    assert not told(soc)
    soc.write("SPI2", register, value)
    assert told(soc) == ["spi-reconfigured"]


# ---------------------------------------------------------------------- slaves

# SPI3 on PC10 (CK), PC12 (SD) and PA15 (WS) hears what SPI2 on PB13, PB15 and PB12 sends.
PAIR = {
    "W1": {"kind": "wire", "pins": ["PB13", "PC10"]},
    "W2": {"kind": "wire", "pins": ["PB12", "PA15"]},
    "W3": {"kind": "wire", "pins": ["PB15", "PC12"]},
}
SLAVE_TX, SLAVE_RX, MASTER_TX, MASTER_RX = (n << 8 for n in range(4))


def beside(soc, cfg: int) -> None:
    """I2S3 as a slave, on before its master."""
    for pin in ("PC10", "PC12", "PA15"):
        alternate(soc, pin, 6)
    soc.write("SPI3", "I2SCFGR", I2SMOD | cfg)
    soc.write("SPI3", "I2SCFGR", I2SMOD | I2SE | cfg)


def collect(soc, port: str, count: int) -> list[tuple[int, int]]:
    """(side, DR) of so many reads."""
    got = []
    for _ in range(count):
        while not (sr := soc.read(port, "SR")) & RXNE:
            step(soc)
        got.append((sr >> 2 & 1, soc.read(port, "DR")))
    return got


SHAPES = [
    (standard, length, channel, sync)
    for standard in range(4)
    for length, channel in ((0, 0), (0, 1), (1, 1), (2, 1))
    for sync in ((0, 1) if standard == 3 else (0,))
]


def cfg_of(shape: tuple[int, int, int, int], ckpol: int = 0) -> int:
    standard, length, channel, sync = shape
    return sync << 7 | standard << 4 | ckpol << 3 | length << 1 | channel


def sent_as(shape: tuple[int, int, int, int], halves: list[int]) -> list[int]:
    """What of the halves written is data, as the other end reads it (§20.4.3)."""
    standard, length, _, _ = shape
    if length != 1:
        return halves
    masks = (0xFF, 0xFFFF) if standard == 2 else (0xFFFF, 0xFF00)
    return [half & masks[n % 2] for n, half in enumerate(halves)]


halves16 = st.lists(st.integers(0, 0xFFFF), min_size=4, max_size=4)


@pytest.mark.parametrize("shape", SHAPES)
@settings(max_examples=4, deadline=None)
@given(halves=halves16, ckpol=st.integers(0, 1))
def test_what_a_master_sends_a_slave_hears_on_the_same_side(shape, halves, ckpol) -> None:
    soc = soc_with(**PAIR)
    cfg = cfg_of(shape, ckpol)
    beside(soc, SLAVE_RX | cfg)
    i2s(soc, MASTER_TX | cfg, 10)
    left, got = [*halves], []
    while len(got) < 4:
        if left and soc.read("SPI2", "SR") & TXE:
            soc.write("SPI2", "DR", left.pop(0))
        elif soc.peripherals["SPI3"].sr.RXNE:
            got += collect(soc, "SPI3", 1)
        else:
            step(soc)
    assert [value for _, value in got] == sent_as(shape, halves)
    per_slot = 1 if shape[1] == 0 else 2
    if shape[0] != 3:
        assert [side for side, _ in got] == [n // per_slot & 1 for n in range(4)]
    assert not soc.read("SPI3", "SR") & (FRE | OVR)
    while soc.read("SPI2", "SR") & BSY:
        step(soc)
    assert [f.heard for f in frames(soc, "SPI3")] == [f.sent for f in frames(soc, "SPI2")]
    assert not told(soc)


@pytest.mark.parametrize("shape", SHAPES)
@settings(max_examples=4, deadline=None)
@given(halves=halves16, ckpol=st.integers(0, 1))
def test_what_a_slave_sends_a_master_hears(shape, halves, ckpol) -> None:
    soc = soc_with(**PAIR)
    cfg = cfg_of(shape, ckpol)
    beside(soc, SLAVE_TX | cfg)
    soc.write("SPI3", "DR", halves[0])
    i2s(soc, MASTER_RX | cfg, 20)
    left, got = halves[1:], []
    while len(got) < 4:
        if left and soc.read("SPI3", "SR") & TXE:
            soc.write("SPI3", "DR", left.pop(0))
        if soc.read("SPI2", "SR") & RXNE:
            assert not soc.read("SPI2", "SR") & BSY  # a master that receives never shows it
            got += collect(soc, "SPI2", 1)
        step(soc)
    assert [value for _, value in got] == sent_as(shape, halves)
    assert not told(soc)


def test_a_slave_that_is_given_nothing_in_time_underruns() -> None:
    soc = soc_with(**PAIR)
    requests = Requests(soc)
    beside(soc, SLAVE_TX)
    soc.write("SPI3", "CR2", 1 << 5)
    soc.write("SPI3", "DR", 0x1234)
    i2s(soc, MASTER_RX, 20)
    assert collect(soc, "SPI2", 2) == [(0, 0x1234), (1, 0)]
    assert requests.changes[-1][1:] == (51, True)
    assert soc.read("SPI3", "SR") & UDR
    assert not soc.read("SPI3", "SR") & UDR  # the read cleared it


def test_samples_that_nobody_reads_are_lost_and_told() -> None:
    soc = soc_with(**PAIR)
    beside(soc, SLAVE_RX)
    i2s(soc, MASTER_TX, 10)
    send_samples(soc, [1, 2, 3])
    assert soc.read("SPI3", "SR") & OVR
    assert soc.read("SPI3", "DR") == 1
    soc.read("SPI3", "SR")
    assert not soc.read("SPI3", "SR") & OVR


@pytest.mark.parametrize("standard", range(4))
def test_a_slot_shorter_than_the_slave_expects_is_a_frame_error(standard: int) -> None:
    soc = soc_with(**PAIR)
    beside(soc, SLAVE_RX | standard << 4 | 1)  # 32 bits in a channel
    i2s(soc, MASTER_TX | standard << 4, 10)  # 16
    seen = 0
    for half in (1, 2, 3):
        while not soc.read("SPI2", "SR") & TXE:
            step(soc)
        soc.write("SPI2", "DR", half)
        seen |= soc.read("SPI3", "SR")
    soc.run_until(soc.now_ps + 40 * US)
    assert (seen | soc.read("SPI3", "SR")) & FRE


def test_a_slave_switched_on_amid_a_slot_is_out_of_step() -> None:
    soc = soc_with(**PAIR)
    for pin in ("PC10", "PC12", "PA15"):
        alternate(soc, pin, 6)
    i2s(soc, MASTER_RX, 20)
    ws = soc.fabric.pads["PB12"]
    while ws.level_at(soc.now_ps) or soc.now_ps < 300 * US:
        soc.run_until(soc.now_ps + US)
    soc.run_until(soc.now_ps + 3 * US)
    soc.write("SPI3", "I2SCFGR", I2SMOD | SLAVE_RX)
    soc.write("SPI3", "I2SCFGR", I2SMOD | I2SE | SLAVE_RX)
    soc.run_until(soc.now_ps + 40 * US)
    assert soc.read("SPI3", "SR") & FRE


# ---------------------------------------------------------------------- full duplex


def extension(soc, cfg: int, port: str = "I2S2ext") -> None:
    soc.write(port, "I2SCFGR", I2SMOD | cfg)
    soc.write(port, "I2SCFGR", I2SMOD | I2SE | cfg)


@pytest.mark.parametrize("first", ["extension", "port"])
@pytest.mark.parametrize("standard", range(4))
def test_full_duplex_sends_and_hears_at_once(standard: int, first: str) -> None:
    soc = soc_with(W1={"kind": "wire", "pins": ["PB14", "PB15"]})  # ext_SD hears SD
    requests = Requests(soc)
    alternate(soc, "PB14", 6)
    soc.write("I2S2ext", "CR2", 1 << 6)
    if first == "extension":
        extension(soc, SLAVE_RX | standard << 4)
    i2s(soc, MASTER_TX | standard << 4, 10)
    if first == "port":
        extension(soc, SLAVE_RX | standard << 4)
    got = []
    for half in (0x1111, 0x8222, 0x3333, 0xC444):
        soc.write("SPI2", "DR", half)
        got += collect(soc, "I2S2ext", 1)
    assert [value for _, value in got] == [0x1111, 0x8222, 0x3333, 0xC444]
    assert {irq for _, irq, level in requests.changes if level} == {36}  # the port's own
    assert not told(soc)


def test_a_receiving_master_and_its_extension_share_one_clock() -> None:
    soc = soc_with(W1={"kind": "wire", "pins": ["PB14", "PB15"]})
    alternate(soc, "PB14", 6)
    soc.write("I2S2ext", "DR", 0x5A5A)
    extension(soc, SLAVE_TX)
    soc.write("I2S2ext", "DR", 0xA5A5) if soc.read("I2S2ext", "SR") & TXE else None
    i2s(soc, MASTER_RX, 10)
    assert collect(soc, "SPI2", 1) == [(0, 0x5A5A)]
    soc.write("I2S2ext", "DR", 0xA5A5)


def test_an_extension_of_a_slave_hears_the_master_of_both() -> None:
    soc = soc_with(**PAIR, W4={"kind": "wire", "pins": ["PB15", "PB4"]})
    alternate(soc, "PB4", 7)
    extension(soc, SLAVE_RX, "I2S3ext")
    beside(soc, SLAVE_RX)
    i2s(soc, MASTER_TX, 10)
    soc.write("SPI2", "DR", 0x4321)
    assert collect(soc, "I2S3ext", 1) == [(0, 0x4321)]
    assert collect(soc, "SPI3", 1) == [(0, 0x4321)]


def test_an_extension_set_up_as_a_master_is_told() -> None:
    soc = soc_with()
    extension(soc, MASTER_TX)
    assert told(soc) == ["i2s-extension-master"]


def test_dma_feeds_a_master_and_empties_its_extension() -> None:
    soc = soc_with(W1={"kind": "wire", "pins": ["PB14", "PB15"]})
    alternate(soc, "PB14", 6)
    out, back = 0x2000_1000, 0x2000_2000
    data = bytes(range(1, 17))
    soc.memory.program(out, data)
    soc.memory.program(back, bytes(16))
    for stream, channel, register, at, direction in (
        (4, 0, 0x4000_380C, out, 1), (3, 3, 0x4000_340C, back, 0),
    ):  # fmt: skip
        soc.write("DMA1", f"S{stream}PAR", register)
        soc.write("DMA1", f"S{stream}M0AR", at)
        soc.write("DMA1", f"S{stream}NDTR", 8)
        soc.write("DMA1", f"S{stream}CR",
                  channel << 25 | 1 << 13 | 1 << 11 | 1 << 10 | direction << 6 | 1)  # fmt: skip
    soc.write("I2S2ext", "CR2", 1)
    extension(soc, SLAVE_RX | 1)
    i2s(soc, MASTER_TX | 1, 5)
    soc.write("SPI2", "CR2", 2)
    while soc.read("DMA1", "S3CR") & 1:
        step(soc)
    assert soc.memory.read(back, 16) == data
    assert not told(soc)


# ---------------------------------------------------------------------- clocks


def test_pcm_synchronises_each_sample() -> None:
    for long in (0, 1):
        soc = soc_with()
        i2s(soc, MASTER_TX | 3 << 4 | long << 7, 10)
        send_samples(soc, [1, 2, 3])
        edges = [t for t, _ in trace(soc).edges("PB12") if t > 2 * US][1:]  # it is driven low
        starts = [f.start_ps for f in frames(soc, "SPI2")]
        bit = (starts[1] - starts[0]) // 16
        assert edges[::2][:3] == starts
        assert {round((b - a) / bit) for a, b in pairwise(edges[:2])} == {13 if long else 1}


def test_a_clock_from_outside_sets_the_rate_and_without_it_nothing_moves() -> None:
    soc = soc_with(W1={"kind": "wire", "pins": ["PA6", "PC9"]})
    alternate(soc, "PC9", 5)
    soc.write("RCC", "CFGR", soc.read("RCC", "CFGR") | 1 << 23)
    for pin in ("PB12", "PB13", "PB15"):
        alternate(soc, pin, 5)
    soc.write("SPI2", "I2SPR", 2)
    soc.write("SPI2", "I2SCFGR", I2SMOD | MASTER_TX)
    soc.write("SPI2", "I2SCFGR", I2SMOD | I2SE | MASTER_TX)
    soc.write("SPI2", "DR", 0x1234)
    soc.run_until(soc.now_ps + 100 * US)
    assert not frames(soc, "SPI2")
    # TIM3 makes 1 MHz of 16 MHz on PA6.
    for register, value in (("ARR", 15), ("CCR1", 8), ("CCMR1", 6 << 4), ("CCER", 1), ("CR1", 1)):
        soc.write("TIM3", register, value)
    alternate(soc, "PA6", 2)
    for sample in (0x2345, 0x3456):
        while not soc.read("SPI2", "SR") & TXE:
            step(soc)
        soc.write("SPI2", "DR", sample)
    while soc.read("SPI2", "SR") & BSY:
        step(soc)
    told_of = frames(soc, "SPI2")
    assert [f.sent for f in told_of] == [0x1234, 0x2345, 0x3456]
    assert told_of[1].start_ps - told_of[0].start_ps == 16 * 4 * US
    soc.write("TIM3", "CR1", 0)
    soc.write("SPI2", "DR", 1)
    soc.run_until(soc.now_ps + 500 * US)
    assert len(frames(soc, "SPI2")) == 3
    assert not told(soc)


def test_a_plli2s_that_stops_amid_a_sample_holds_it_and_one_that_comes_back_ends_it() -> None:
    soc = soc_with()
    i2s(soc, MASTER_TX, 10, mck=True)
    soc.write("SPI2", "DR", 0x0F0F)
    soc.run_until(soc.now_ps + 20 * US)
    soc.write("RCC", "CR", soc.read("RCC", "CR") & ~(1 << 26))
    soc.run_until(soc.now_ps + 300 * US)
    assert not frames(soc, "SPI2")
    assert soc.read("SPI2", "SR") & BSY
    assert told(soc) == ["i2s-no-clock"]
    soc.write("RCC", "PLLI2SCFGR", 192 << 6 | 2 << 28)  # 96 MHz now
    soc.write("RCC", "CR", soc.read("RCC", "CR") | 1 << 26)
    while soc.read("SPI2", "SR") & BSY:
        step(soc)
    assert [f.sent for f in frames(soc, "SPI2")] == [0x0F0F]
    rises = [t for t, level in trace(soc).edges("PB13") if level and t > 2 * US]
    assert len(rises) == 17  # one of them before the first bit
    late = [b - a for a, b in pairwise(rises)][-4:]
    assert {round(gap * 96 / 1e6) for gap in late} == {20 * 8}
