"""USART and timers served by the DMA, without a core."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fwgen.machine.memory import MemoryMap
from fwgen.machine.time import NEVER
from tests.machine.stm32.alone import Requests, Wire, gaps, hazards, soc_with
from tests.machine.stm32.test_dma_v2 import (
    CIRC,
    DBM,
    HT,
    MINC,
    OTHER,
    TARGET,
    TC,
    TCIE,
    TO_PERIPHERAL,
    flags,
    quiet,
    ram,
    start,
)
from tests.machine.stm32.test_usart import BIT, RE, TE, UE, frames, port, sr

if TYPE_CHECKING:
    from fwgen.machine.soc import Soc

BUFFER = 0x2000_0100
USART2_DR, CR3_DMAR, CR3_DMAT, EIE = 0x4000_4404, 1 << 6, 1 << 7, 1
RX, TX = (5, 4 << 25), (6, 4 << 25)  # DMA1: stream, CHSEL
TXEIE, TC_FLAG, RXNE, ORE, TXE = 0x80, 0x40, 0x20, 0x08, 0x80
TICK = 62_500


def serial(cr1: int = TE | RE) -> Soc:
    """USART2 at 115200 baud on PA2 and PA3, with DMA1; its preamble sent."""
    soc = soc_with("USART2", "DMA1")
    soc.memory = MemoryMap(soc.chip)
    soc.fabric.pads["PA2"].connect(0, soc.fabric.output("USART2_TX"), open_drain=False, pull=None)
    soc.fabric.input("USART2_RX").connect(0, soc.fabric.pads["PA3"])
    soc.fabric.pads["PA3"].drive_outside(0, "console", 1)
    soc.write("USART2", "BRR", 139)
    soc.write("USART2", "CR1", UE | cr1)
    quiet(soc)
    soc.read("USART2", "SR")
    soc.read("USART2", "DR")
    return soc


def transmit(soc: Soc, data: bytes, cr: int = 0) -> None:
    assert soc.memory is not None
    soc.memory.program(BUFFER, data)
    stream, channel = TX
    where = {"PAR": USART2_DR, "M0AR": BUFFER, "NDTR": len(data)}
    start(soc, "DMA1", stream, **where, CR=MINC | TO_PERIPHERAL | channel | cr)
    soc.run_until(soc.now_ps + 100 * TICK)  # the first byte is loaded
    soc.write("USART2", "CR3", CR3_DMAT)


def collect(soc: Soc, size: int, cr: int = 0) -> None:
    stream, channel = RX
    start(soc, "DMA1", stream, PAR=USART2_DR, M0AR=TARGET, NDTR=size, CR=MINC | channel | cr)
    soc.write("USART2", "CR3", CR3_DMAR | EIE)


# ---------------------------------------------------------------- USART


@settings(max_examples=25, deadline=None)
@given(data=st.binary(min_size=1, max_size=40))
def test_a_buffer_leaves_back_to_back(data: bytes) -> None:
    soc = serial()
    soc.write("USART2", "SR", 0)  # TC
    transmit(soc, data)
    quiet(soc)
    sent = frames(soc, "tx")
    assert bytes(frame.byte for frame in sent) == data
    starts = [frame.start_ps for frame in sent]
    assert [after - before for before, after in pairwise(starts)] == [10 * BIT] * (len(data) - 1)
    assert sr(soc) & TC_FLAG
    assert flags(soc, "DMA1", 6) == HT | TC
    assert not hazards(soc)


def test_transfer_complete_comes_before_the_last_byte_is_out() -> None:
    soc = serial()
    soc.write("USART2", "SR", 0)
    transmit(soc, b"abc", TCIE)
    while not soc.interrupts.level(17):
        soc.run_until(soc.scheduler.next_ps)
    assert len(frames(soc, "tx")) == 1  # one in the shift register, one in DR
    assert not sr(soc) & TC_FLAG
    quiet(soc)
    assert len(frames(soc, "tx")) == 3
    assert sr(soc) & TC_FLAG


def test_sending_takes_two_events_a_byte() -> None:
    soc = serial()
    transmit(soc, bytes(1024))
    events = 0
    while soc.scheduler.next_ps < NEVER:
        soc.run_until(soc.scheduler.next_ps)
        events += 1
    assert len(frames(soc, "tx")) == 1024
    assert events <= 2 * 1024 + 2


def test_received_bytes_are_in_memory_without_the_core() -> None:
    soc = serial()
    collect(soc, 4, CIRC)
    at = soc.now_ps + 10 * TICK
    for byte in b"hello!":
        at = port(soc).receive(at, byte, 115_107_914)
    quiet(soc)
    assert ram(soc, TARGET, 4) == b"o!ll"
    assert soc.read("DMA1", "S5NDTR") == 2
    assert flags(soc, "DMA1", 5) == HT | TC
    assert not sr(soc) & (RXNE | ORE)
    assert [frame.error for frame in frames(soc, "rx")] == [""] * 6
    assert not hazards(soc)


def test_bytes_that_nobody_fetches_overrun() -> None:
    soc = serial()
    heard = Requests(soc)
    collect(soc, 2)
    at = soc.now_ps + 10 * TICK
    for byte in b"wxyz":
        at = port(soc).receive(at, byte, 115_107_914)
    quiet(soc)
    assert ram(soc, TARGET, 2) == b"wx"
    assert sr(soc) & (RXNE | ORE) == RXNE | ORE
    assert [frame.error for frame in frames(soc, "rx")] == ["", "", "", "overrun"]
    assert 38 in [irq for _, irq, _ in heard.changes]  # EIE


def test_two_receive_buffers_take_turns() -> None:
    soc = serial()
    soc.write("DMA1", "S5M1AR", OTHER)
    collect(soc, 2, DBM)
    at = soc.now_ps + 10 * TICK
    for byte in b"abcdef":
        at = port(soc).receive(at, byte, 115_107_914)
    quiet(soc)
    assert (ram(soc, TARGET, 2), ram(soc, OTHER, 2)) == (b"ef", b"cd")


def test_without_its_enable_bit_a_port_asks_nobody() -> None:
    soc = serial()
    transmit(soc, b"abc")
    soc.run_until(soc.now_ps + 50 * TICK)
    soc.write("USART2", "CR3", 0)
    quiet(soc)
    assert len(frames(soc, "tx")) == 2  # what DR and the shift register had
    assert soc.read("DMA1", "S6NDTR") == 1


def test_a_port_that_is_off_asks_nobody() -> None:
    soc = serial(cr1=TE)
    soc.write("USART2", "CR1", 0)
    transmit(soc, b"abc")
    quiet(soc)
    assert soc.read("DMA1", "S6NDTR") == 3
    soc.write("USART2", "CR1", UE | TE)
    quiet(soc)
    assert len(frames(soc, "tx")) == 3


# ---------------------------------------------------------------- timers

UDE, CC1DE, COMDE, TDE = 1 << 8, 1 << 9, 1 << 13, 1 << 14
TIM1, TIM2, TIM3 = 0x4001_0000, 0x4000_0000, 0x4000_0400
CCR1, ARR, DMAR = 0x34, 0x2C, 0x4C
HALVES, LONG = 1 << 11 | 1 << 13, 2 << 11 | 2 << 13


def timed(*names: str) -> Soc:
    soc = soc_with("DMA1", "DMA2", *names)
    soc.memory = MemoryMap(soc.chip)
    return soc


def words(soc: Soc, *values: int, size: int = 4) -> None:
    assert soc.memory is not None
    soc.memory.program(BUFFER, b"".join(value.to_bytes(size, "little") for value in values))


def registers(soc: Soc, timer: str, **values: int) -> None:
    for name, value in values.items():
        soc.write(timer, name, value)


def to_timer(
    soc: Soc, dma: str, stream: int, channel: int, address: int, items: int, **more: int
) -> None:
    cr = MINC | TO_PERIPHERAL | channel << 25 | more.pop("CR", HALVES)
    start(soc, dma, stream, PAR=address, M0AR=BUFFER, NDTR=items, CR=cr, **more)


def test_each_update_fetches_the_next_period() -> None:
    soc = timed("TIM3")
    words(soc, 19, 29, 39, size=2)
    wire = Wire(soc, "TIM3_CH1")
    to_timer(soc, "DMA1", 2, 5, TIM3 + ARR, 3)
    registers(soc, "TIM3", ARR=9, CCR1=5, CCMR1=0x60, CCER=1, DIER=UDE, CR1=1)
    soc.run_until(200 * TICK)
    # ARR has no preload here: the period that an update begins is already the new one.
    rises = [t // TICK for t, level in wire.edges if level == 1]
    assert [b - a for a, b in pairwise(rises)][1:4] == [20, 30, 40]
    assert flags(soc, "DMA1", 2) == HT | TC
    assert not hazards(soc)


def test_an_update_moves_pins_of_a_port() -> None:
    soc = timed("TIM1", "GPIOA")
    soc.write("GPIOA", "MODER", soc.read("GPIOA", "MODER") | 1)
    words(soc, 1, 1 << 16)
    start(
        soc, "DMA2", 5, PAR=0x4002_0018, M0AR=BUFFER, NDTR=2,
        CR=MINC | TO_PERIPHERAL | LONG | CIRC | 6 << 25,
    )  # fmt: skip
    edges: list[tuple[int, int | None]] = []
    soc.fabric.pads["PA0"].listen(lambda t, level: edges.append((t // TICK, level)))
    registers(soc, "TIM1", ARR=99, DIER=UDE, CR1=1)
    soc.run_until(1000 * TICK)
    assert [level for _, level in edges][:6] == [1, 0] * 3
    times = [t for t, _ in edges]
    assert {b - a for a, b in pairwise(times)} == {100}
    assert not hazards(soc)


def test_requests_come_while_their_flag_is_still_set() -> None:
    soc = timed("TIM3")
    words(soc, *range(1, 9), size=2)
    to_timer(soc, "DMA1", 2, 5, TIM3 + CCR1, 8)
    registers(soc, "TIM3", ARR=99, DIER=UDE, CR1=1)
    soc.run_until(450 * TICK)
    assert soc.read("TIM3", "SR") & 1
    assert soc.read("DMA1", "S2NDTR") == 4
    assert soc.read("TIM3", "CCR1") == 4


@pytest.mark.parametrize("selected", [0, 1])
def test_a_compare_match_asks_at_its_time_or_at_the_update(selected: int) -> None:
    soc = timed("TIM3")
    words(soc, 7, 7, size=2)
    to_timer(soc, "DMA1", 4, 5, TIM3 + 0x38, 2)  # CCR2
    registers(soc, "TIM3", CR2=selected << 3, ARR=99, CCR1=30, DIER=CC1DE, CR1=1)
    while soc.read("DMA1", "S4NDTR") == 2:
        soc.run_until(soc.scheduler.next_ps)
    moment = 101 if selected else 31  # the count begins one tick after CEN
    assert moment <= soc.now_ps // TICK <= moment + 20


def test_a_capture_asks_and_its_reading_clears_the_flag() -> None:
    soc = timed("TIM3")
    start(soc, "DMA1", 4, PAR=TIM3 + CCR1, M0AR=TARGET, NDTR=3, CR=MINC | HALVES | 5 << 25)
    soc.fabric.input("TIM3_CH1").connect(0, soc.fabric.pads["PA6"])
    soc.fabric.pads["PA6"].drive_outside(0, "sensor", 0)
    registers(soc, "TIM3", CCMR1=1, CCER=1, DIER=CC1DE, CR1=1)
    for at in (100, 250, 475):
        soc.run_until(at * TICK)
        soc.fabric.pads["PA6"].drive_outside(soc.now_ps, "sensor", 1)
        soc.run_until(soc.now_ps + 50 * TICK)
        soc.fabric.pads["PA6"].drive_outside(soc.now_ps, "sensor", 0)
    seen = [int.from_bytes(ram(soc, TARGET + 2 * n, 2), "little") for n in range(3)]
    assert [seen[1] - seen[0], seen[2] - seen[1]] == [150, 225]
    assert not soc.read("TIM3", "SR") & 0x202  # neither CC1IF nor CC1OF


def test_one_event_asks_for_a_whole_burst() -> None:
    soc = timed("TIM3")
    words(soc, 1, 2, 3, 11, 12, 13, size=2)
    to_timer(soc, "DMA1", 2, 5, TIM3 + DMAR, 6)
    registers(soc, "TIM3", DCR=13 | 2 << 8, ARR=999, DIER=UDE, CR1=1)  # CCR1, CCR2, CCR3
    soc.run_until(1100 * TICK)
    assert [soc.read("TIM3", f"CCR{n}") for n in (1, 2, 3, 4)] == [1, 2, 3, 0]
    assert soc.read("DMA1", "S2NDTR") == 3
    soc.run_until(2100 * TICK)
    assert [soc.read("TIM3", f"CCR{n}") for n in (1, 2, 3, 4)] == [11, 12, 13, 0]
    assert not hazards(soc)


def test_a_burst_reads_registers_too() -> None:
    soc = timed("TIM3")
    start(soc, "DMA1", 2, PAR=TIM3 + DMAR, M0AR=TARGET, NDTR=4, CR=MINC | HALVES | 5 << 25)
    registers(soc, "TIM3", DCR=10 | 3 << 8, PSC=1, ARR=999, CCR1=7, DIER=UDE, EGR=1)
    quiet(soc)
    seen = [int.from_bytes(ram(soc, TARGET + 2 * n, 2), "little") for n in range(4)]
    assert seen == [1, 999, 0, 7]  # PSC, ARR, RCR, which TIM3 lacks, CCR1
    assert flags(soc, "DMA1", 2) == HT | TC


def test_a_burst_beyond_the_last_register_is_a_hazard() -> None:
    soc = timed("TIM3")
    registers(soc, "TIM3", DCR=17 | 1 << 8)
    soc.write("TIM3", "DMAR", 1)
    assert [h.code for h in hazards(soc) if h.severity != "note"] == []
    soc.write("TIM3", "DMAR", 1)
    assert [h.code for h in hazards(soc) if h.severity != "note"] == ["timer-burst"]


def test_the_window_reads_what_is_behind_it() -> None:
    soc = timed("TIM3")
    registers(soc, "TIM3", ARR=77, PSC=3, DCR=10 | 1 << 8)
    assert [soc.read("TIM3", "DMAR") for _ in range(3)] == [3, 77, 3]


def test_commutation_and_trigger_ask_when_software_makes_them() -> None:
    soc = timed("TIM1")
    words(soc, 5, 6, size=2)
    to_timer(soc, "DMA2", 4, 6, TIM1 + CCR1, 2)
    registers(soc, "TIM1", DIER=COMDE | TDE, EGR=0x20)
    quiet(soc)
    assert (soc.read("TIM1", "CCR1"), soc.read("TIM1", "SR")) == (5, 0x20)
    registers(soc, "TIM1", EGR=0x40)
    quiet(soc)
    assert (soc.read("TIM1", "CCR1"), soc.read("TIM1", "SR")) == (6, 0x60)
    assert gaps(soc) == []


def test_an_event_that_nobody_serves_waits_and_costs_nothing_more() -> None:
    soc = timed("TIM2")
    registers(soc, "TIM2", ARR=99, DIER=UDE, CR1=1)
    soc.run_until(150 * TICK)
    assert soc.scheduler.next_ps == NEVER
    soc.run_until(950 * TICK)
    words(soc, 42)
    to_timer(soc, "DMA1", 1, 3, TIM2 + CCR1, 5, CR=LONG)
    soc.run_until(soc.now_ps + 40 * TICK)
    assert soc.read("DMA1", "S1NDTR") == 4  # the one request of nine updates
    assert soc.read("TIM2", "CCR1") == 42


def test_a_halfword_into_a_register_of_32_bits_is_doubled() -> None:
    soc = timed("TIM2")
    words(soc, 0x1234, size=2)
    to_timer(soc, "DMA1", 1, 3, TIM2 + CCR1, 1)
    registers(soc, "TIM2", DIER=UDE, EGR=1)
    quiet(soc)
    assert soc.read("TIM2", "CCR1") == 0x1234_1234


def test_a_reset_takes_the_requests_back() -> None:
    soc = timed("TIM2")
    registers(soc, "TIM2", DIER=UDE, EGR=1)
    assert soc.dma.level("DMA1", 1, 3)
    soc.reset(soc.now_ps, "SFTRSTF")
    assert not soc.dma.level("DMA1", 1, 3)
