"""The DMA controllers as the manual describes them, without a core."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fwgen.errors import BoardError
from fwgen.machine.memory import MemoryMap
from fwgen.machine.soc import Soc
from fwgen.machine.time import NEVER
from fwgen.trace import Hazard
from tests.machine.stm32.alone import MHZ, Requests, board_with, gaps, hazards, soc_with
from tests.machine.stm32.mouth import RX, TX, Mouth, soc_with_mouth

if TYPE_CHECKING:
    from collections.abc import Iterator

EN, DMEIE, TEIE, HTIE, TCIE, PFCTRL = (1 << n for n in range(6))
CIRC, PINC, MINC, PINCOS, DBM, CT = 1 << 8, 1 << 9, 1 << 10, 1 << 15, 1 << 18, 1 << 19
TO_PERIPHERAL, COPY = 1 << 6, 2 << 6
WORDS = 2 << 11 | 2 << 13
DMDIS, FEIE, FULL = 1 << 2, 1 << 7, 3
FE, DME, TE, HT, TC = 0x01, 0x04, 0x08, 0x10, 0x20
LOWEST = (0, 6, 16, 22)
SOURCE, TARGET, OTHER = 0x2000_0000, 0x2000_8000, 0x2001_0000
TICK = 62_500  # picoseconds at 16 MHz
SPI1_DR, SPI2_DR = 0x4001_300C, 0x4000_380C
BYTES = bytes((7 * n + n // 256) & 0xFF for n in range(4096))


def dma_soc(*others: str) -> Soc:
    soc = soc_with("DMA1", "DMA2", *others)
    soc.memory = MemoryMap(soc.chip)
    soc.memory.program(SOURCE, BYTES)
    soc.memory.program(TARGET, bytes(len(BYTES) + 64))
    return soc


def start(soc: Soc, dma: str, stream: int, **registers: int) -> None:
    """Write a stream's registers, CR last."""
    control = registers.pop("CR")
    for name, value in {**registers, "CR": control | EN}.items():
        soc.write(dma, f"S{stream}{name}", value)


def flags(soc: Soc, dma: str, stream: int) -> int:
    return soc.read(dma, "LISR" if stream < 4 else "HISR") >> LOWEST[stream % 4] & 0x3F


def clear(soc: Soc, dma: str, stream: int, which: int = 0x3D) -> None:
    soc.write(dma, "LIFCR" if stream < 4 else "HIFCR", which << LOWEST[stream % 4])


def steps(soc: Soc) -> Iterator[int]:
    """Run from event to event."""
    while soc.scheduler.next_ps < NEVER:
        soc.run_until(soc.scheduler.next_ps)
        yield soc.now_ps


def quiet(soc: Soc) -> None:
    for _ in steps(soc):
        pass


def ram(soc: Soc, address: int, size: int) -> bytes:
    assert soc.memory is not None
    data = soc.memory.read(address, size)
    assert data is not None
    return data


def receive(
    mouth_name: str = "SPI2", *values: int, cr: int = 0, fcr: int = 0, items: int | None = None
) -> tuple[Soc, Mouth, str, int]:
    """A stream from the mouth to TARGET."""
    soc, mouth = soc_with_mouth(mouth_name)
    assert soc.memory is not None
    soc.memory.program(TARGET, bytes(256))
    dma, (stream, channel) = ("DMA2" if mouth_name == "SPI1" else "DMA1"), RX[mouth_name]
    data = SPI1_DR if mouth_name == "SPI1" else SPI2_DR
    number = len(values) if items is None else items
    start(
        soc, dma, stream, PAR=data, M0AR=TARGET, NDTR=number, FCR=fcr, CR=cr | MINC | channel << 25
    )
    mouth.offer(soc.now_ps, *values)
    return soc, mouth, dma, stream


def send(cr: int = 0, fcr: int = 0, items: int = 8, hz: int = 16 * MHZ) -> tuple[Soc, Mouth, int]:
    """A stream of DMA1 from SOURCE to the mouth at SPI2."""
    soc, mouth = soc_with_mouth("SPI2", hz=hz)
    assert soc.memory is not None
    soc.memory.program(SOURCE, BYTES)
    stream, channel = TX["SPI2"]
    where = {"PAR": SPI2_DR, "M0AR": SOURCE, "NDTR": items, "FCR": fcr}
    start(soc, "DMA1", stream, **where, CR=cr | MINC | TO_PERIPHERAL | channel << 25)
    return soc, mouth, stream


# ---------------------------------------------------------------- memory to memory

sizes = st.sampled_from([0, 1, 2])


@settings(max_examples=120, deadline=None)
@given(
    psize=sizes, msize=sizes,
    increments=st.sampled_from([PINC, MINC, PINC | MINC, PINC | MINC | PINCOS]),
    threshold=st.integers(0, 3), bursts=st.tuples(st.integers(0, 3), st.integers(0, 3)),
    units=st.integers(1, 90),
)  # fmt: skip
def test_a_copy_packs_and_unpacks_whatever_the_sizes(
    psize: int, msize: int, increments: int, threshold: int, bursts: tuple[int, int], units: int
) -> None:
    pbeats, mbeats = ((1, 4, 8, 16)[n] for n in bursts)
    p, m = 1 << psize, 1 << msize
    level = 4 * (threshold + 1)
    if mbeats > 1 and level % (mbeats * m):
        mbeats, bursts = 1, (bursts[0], 0)
    if pbeats * p > 16 or (pbeats * p == 16 and level == 12):
        pbeats, bursts = 1, (0, bursts[1])
    items = units * max(m // p, 1)
    soc = dma_soc()
    cr = COPY | increments | psize << 11 | msize << 13 | bursts[0] << 21 | bursts[1] << 23
    start(soc, "DMA2", 1, PAR=SOURCE, M0AR=TARGET, NDTR=items, FCR=threshold, CR=cr)
    quiet(soc)

    step = 0 if not increments & PINC else 4 if increments & PINCOS and pbeats == 1 else p
    stream = b"".join(BYTES[n * step : n * step + p] for n in range(items))
    expected = bytearray(len(BYTES))
    for n in range(0, len(stream), m):
        at = n if increments & MINC else 0
        expected[at : at + m] = stream[n : n + m]
    assert ram(soc, TARGET, len(BYTES)) == expected
    assert soc.read("DMA2", "S1NDTR") == 0
    assert soc.read("DMA2", "S1CR") & EN == 0
    assert flags(soc, "DMA2", 1) == HT | TC


def test_a_copy_takes_the_time_of_its_accesses() -> None:
    soc = dma_soc()
    start(
        soc, "DMA2", 0, PAR=SOURCE, M0AR=TARGET, NDTR=64, FCR=FULL,
        CR=COPY | PINC | MINC | WORDS | 1 << 21 | 1 << 23,
    )  # fmt: skip
    quiet(soc)
    # Sixteen loads of the FIFO, each a burst of four words in and one out: 2 * (3 + 4) cycles.
    assert soc.now_ps == 16 * 14 * TICK


def test_half_of_a_copy_is_told_when_it_is_there() -> None:
    soc = dma_soc()
    start(
        soc, "DMA2", 0, PAR=SOURCE, M0AR=TARGET, NDTR=100, FCR=FULL,
        CR=COPY | PINC | MINC | WORDS,
    )  # fmt: skip
    for _ in steps(soc):
        if flags(soc, "DMA2", 0):
            break
    assert flags(soc, "DMA2", 0) == HT
    assert soc.read("DMA2", "S0NDTR") == 50
    assert ram(soc, TARGET, 201) == BYTES[:200] + b"\0"


def test_a_copy_is_cheap_alone_and_fair_among_others() -> None:
    def events(busy: bool) -> int:
        soc, _ = soc_with_mouth("SPI1")
        if busy:  # another stream is enabled, and must get its turn
            start(soc, "DMA2", 0, PAR=SPI1_DR, M0AR=OTHER, NDTR=1, CR=3 << 25)
        start(
            soc, "DMA2", 1, PAR=SOURCE, M0AR=TARGET, NDTR=1024, FCR=FULL,
            CR=COPY | PINC | MINC | WORDS,
        )  # fmt: skip
        return sum(1 for _ in steps(soc))

    assert events(busy=False) == 32
    assert events(busy=True) == 256


def test_direct_mode_does_not_exist_for_a_copy() -> None:
    soc = dma_soc()
    start(soc, "DMA2", 0, PAR=SOURCE, M0AR=TARGET, NDTR=8, FCR=0, CR=COPY | PINC | MINC)
    assert soc.read("DMA2", "S0FCR") & DMDIS
    quiet(soc)
    assert ram(soc, TARGET, 9) == BYTES[:8] + b"\0"


# ---------------------------------------------------------------- to and from peripherals


@settings(max_examples=80, deadline=None)
@given(
    psize=st.integers(0, 1), msize=sizes, direct=st.booleans(), threshold=st.integers(0, 3),
    burst=st.integers(0, 3), values=st.lists(st.integers(0, 0xFFFF), min_size=1, max_size=40),
)  # fmt: skip
def test_whatever_arrives_is_in_memory_in_order(
    psize: int, msize: int, direct: bool, threshold: int, burst: int, values: list[int]
) -> None:
    p, m = 1 << psize, 1 << (psize if direct else msize)
    beats = (1, 4, 8, 16)[burst]
    if 4 * (threshold + 1) % (beats * m):
        burst = 0
    values = values[: len(values) - len(values) * p % m // p] or values * (m // p)
    cr = psize << 11 | msize << 13 | burst << 23
    soc, mouth, dma, stream = receive(
        "SPI2", *values, cr=cr, fcr=threshold | (0 if direct else DMDIS)
    )
    quiet(soc)
    mask = (1 << 8 * p) - 1
    expected = b"".join((value & mask).to_bytes(p, "little") for value in values)
    assert ram(soc, TARGET, len(expected) + 1) == expected + b"\0"
    assert flags(soc, dma, stream) == HT | TC
    assert [left for _, _, left in mouth.served] == list(range(len(values)))[::-1]
    assert not hazards(soc)


@settings(max_examples=80, deadline=None)
@given(
    psize=st.integers(0, 1), msize=sizes, direct=st.booleans(), threshold=st.integers(0, 3),
    burst=st.integers(0, 3), items=st.integers(1, 40),
)  # fmt: skip
def test_whatever_is_in_memory_leaves_in_order(
    psize: int, msize: int, direct: bool, threshold: int, burst: int, items: int
) -> None:
    p, m = 1 << psize, 1 << (psize if direct else msize)
    if 4 * (threshold + 1) % ((1, 4, 8, 16)[burst] * m):
        burst = 0
    items = -(-items * p // m) * m // p or m // p
    if items * p % m:
        items *= m // p
    cr = psize << 11 | msize << 13 | burst << 23
    soc, mouth, stream = send(cr, threshold | (0 if direct else DMDIS), items)
    quiet(soc)  # the FIFO is filled
    for _ in range(items):
        mouth.make_room(soc.now_ps, 1)
        quiet(soc)
    double = 0x0101 if psize == 0 else 1
    values = [int.from_bytes(BYTES[n * p : n * p + p], "little") * double for n in range(items)]
    assert [value for _, value in mouth.takes] == values
    assert flags(soc, "DMA1", stream) == HT | TC
    assert soc.read("DMA1", f"S{stream}NDTR") == 0
    assert not hazards(soc)


def test_an_item_takes_what_its_two_accesses_take() -> None:
    soc, mouth, _, _ = receive("SPI2", 1, items=2)
    quiet(soc)
    # APB over the port's own wire: 2 + 1 + 2; RAM over the matrix: 2 + 1 + 1.
    assert mouth.served[0][0] == 9 * TICK
    soc.clock("HCLK").set(16 * MHZ, soc.now_ps)
    soc.clock("APB1").set(4 * MHZ, soc.now_ps)
    before = soc.now_ps
    mouth.offer(before, 2)
    quiet(soc)
    assert mouth.served[1][0] - before == (9 + 3 * 2) * TICK


def test_what_is_to_be_sent_is_loaded_before_it_is_asked_for() -> None:
    soc, mouth, _ = send()
    quiet(soc)
    before = soc.now_ps
    mouth.make_room(before, 1)
    quiet(soc)
    assert mouth.takes[0][0] - before == 5 * TICK


def test_a_burst_is_one_request() -> None:
    soc, mouth = soc_with_mouth("SPI1")
    start(
        soc, "DMA2", 0, PAR=SPI1_DR, M0AR=TARGET, NDTR=8, FCR=DMDIS | 1,
        CR=MINC | 1 << 11 | 1 << 13 | 1 << 21 | 3 << 25,
    )  # fmt: skip
    mouth.offer(0, *range(0x100, 0x108))
    quiet(soc)
    assert [left for _, _, left in mouth.served] == [4, 0]
    assert ram(soc, TARGET, 4) == b"\x00\x01\x01\x01"


def test_the_bridge_to_apb_doubles_a_narrow_item() -> None:
    soc, mouth, _ = send(items=1)
    mouth.make_room(0, 1)
    quiet(soc)
    assert mouth.takes[0][1] == BYTES[0] * 0x0101
    assert not hazards(soc)


def test_the_counter_counts() -> None:
    soc, mouth, dma, stream = receive("SPI2", items=5)
    seen = []
    for value in range(3):
        mouth.offer(soc.now_ps, value)
        quiet(soc)
        seen.append(soc.read(dma, f"S{stream}NDTR"))
    assert seen == [4, 3, 2]


def test_fifo_status_tells_the_level() -> None:
    soc, mouth, dma, stream = receive("SPI2", fcr=DMDIS | FULL, items=32)
    assert soc.read(dma, f"S{stream}FCR") >> 3 & 7 == 4
    seen = []
    for value in range(15):
        mouth.offer(soc.now_ps, value)
        quiet(soc)
        seen.append(soc.read(dma, f"S{stream}FCR") >> 3 & 7)
    assert seen == [0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3]
    assert ram(soc, TARGET, 1) == b"\0"
    mouth.offer(soc.now_ps, 15)
    quiet(soc)
    assert soc.read(dma, f"S{stream}FCR") >> 3 & 7 == 4
    assert ram(soc, TARGET, 16) == bytes(range(16))


# ---------------------------------------------------------------- flags and interrupts


@pytest.mark.parametrize("stream", range(8))
def test_each_stream_has_its_flags_and_its_interrupt(stream: int) -> None:
    soc = dma_soc()
    line = soc.chip.peripherals["DMA2"].irqs[f"stream{stream}"]
    heard = Requests(soc)
    start(soc, "DMA2", stream, PAR=SOURCE, M0AR=TARGET, NDTR=4, CR=COPY | PINC | MINC | TCIE)
    quiet(soc)
    assert [(irq, level) for _, irq, level in heard.changes] == [(line, True)]
    status = "LISR" if stream < 4 else "HISR"
    assert soc.read("DMA2", status) == (HT | TC) << LOWEST[stream % 4]
    clear(soc, "DMA2", stream, HT)
    assert flags(soc, "DMA2", stream) == TC
    assert soc.interrupts.level(line)
    clear(soc, "DMA2", stream, TC)
    assert not soc.interrupts.level(line)
    assert soc.read("DMA2", "LIFCR") == soc.read("DMA2", "HIFCR") == 0


def test_clearing_with_the_usual_mask_of_six_bits_is_worth_no_note() -> None:
    soc = dma_soc()
    soc.write("DMA2", "LIFCR", 0x3F << 16)
    soc.write("DMA2", "HIFCR", 0x3F << 6)
    assert not hazards(soc)


def test_an_interrupt_enabled_late_comes_at_once() -> None:
    soc = dma_soc()
    start(soc, "DMA2", 0, PAR=SOURCE, M0AR=TARGET, NDTR=4, CR=COPY | PINC | MINC)
    quiet(soc)
    assert not soc.interrupts.level(56)
    soc.write("DMA2", "S0CR", soc.read("DMA2", "S0CR") | HTIE)
    assert soc.interrupts.level(56)


# ---------------------------------------------------------------- circular, double buffer


def test_a_circular_stream_goes_round() -> None:
    soc, mouth, dma, stream = receive("SPI2", 1, 2, 3, cr=CIRC)
    quiet(soc)
    assert flags(soc, dma, stream) == HT | TC
    assert soc.read(dma, f"S{stream}NDTR") == 3
    assert soc.read(dma, f"S{stream}CR") & EN
    mouth.offer(soc.now_ps, 9, 8)
    quiet(soc)
    assert ram(soc, TARGET, 3) == bytes((9, 8, 3))
    assert soc.read(dma, f"S{stream}NDTR") == 1


def test_two_buffers_take_turns() -> None:
    soc, mouth, dma, stream = receive("SPI2", cr=DBM, items=2)
    soc.write(dma, f"S{stream}M1AR", OTHER)
    assert soc.read(dma, f"S{stream}CR") & (CIRC | CT) == CIRC
    for turn, (buffer, address) in enumerate(((0, TARGET), (1, OTHER), (0, TARGET + 16))):
        assert bool(soc.read(dma, f"S{stream}CR") & CT) == buffer
        mouth.offer(soc.now_ps, 16 * turn, 16 * turn + 1)
        quiet(soc)
        assert ram(soc, address, 2) == bytes((16 * turn, 16 * turn + 1))
        assert flags(soc, dma, stream) & TC
        clear(soc, dma, stream)
        if turn == 0:  # buffer 1 is in use: the other may be moved
            soc.write(dma, f"S{stream}M0AR", TARGET + 16)
    assert not hazards(soc)


@pytest.mark.parametrize("buffer", [0, 1])
def test_the_buffer_in_use_cannot_be_moved(buffer: int) -> None:
    soc, _, dma, stream = receive("SPI2", cr=DBM | (CT if buffer else 0), items=2)
    before = soc.read(dma, f"S{stream}M{buffer}AR")
    soc.write(dma, f"S{stream}M{buffer}AR", OTHER)
    assert flags(soc, dma, stream) == TE
    assert soc.read(dma, f"S{stream}CR") & EN == 0
    assert soc.read(dma, f"S{stream}M{buffer}AR") == before
    assert [h.code for h in hazards(soc)] == ["dma-protected"]


# ---------------------------------------------------------------- enabling and stopping


def test_what_en_protects_keeps_its_value() -> None:
    soc, _, dma, stream = receive("SPI2", items=5)
    for register, value in (("NDTR", 9), ("PAR", 0x4000_4404), ("M0AR", OTHER), ("FCR", 7)):
        before = soc.read(dma, f"S{stream}{register}")
        soc.write(dma, f"S{stream}{register}", value)
        assert soc.read(dma, f"S{stream}{register}") == before, register
    cr = soc.read(dma, f"S{stream}CR")
    soc.write(dma, f"S{stream}CR", cr ^ (3 << 16 | PINC | 7 << 25 | DBM))
    assert soc.read(dma, f"S{stream}CR") == cr
    assert len(hazards(soc, "dma-protected")) == 5
    soc.write(dma, f"S{stream}CR", cr | TCIE)  # not protected
    soc.write(dma, f"S{stream}FCR", 0x20 | FEIE)
    assert soc.read(dma, f"S{stream}CR") == cr | TCIE
    assert soc.read(dma, f"S{stream}FCR") == 0x20 | FEIE
    assert len(hazards(soc)) == 5


def test_a_stopped_stream_keeps_its_count_and_tells() -> None:
    soc, mouth, dma, stream = receive("SPI2", 1, 2, items=5)
    quiet(soc)
    clear(soc, dma, stream)
    soc.write(dma, f"S{stream}CR", soc.read(dma, f"S{stream}CR") & ~EN)
    assert soc.read(dma, f"S{stream}CR") & EN == 0
    assert flags(soc, dma, stream) == TC
    assert soc.read(dma, f"S{stream}NDTR") == 3
    mouth.offer(soc.now_ps, 7)
    quiet(soc)
    assert ram(soc, TARGET, 3) == b"\1\2\0"


def test_en_reads_1_until_the_item_on_its_way_has_arrived() -> None:
    soc, _, dma, stream = receive("SPI2", 1, 2, items=5)
    soc.run_until(soc.now_ps + 3 * TICK)
    soc.write(dma, f"S{stream}CR", soc.read(dma, f"S{stream}CR") & ~EN)
    assert soc.read(dma, f"S{stream}CR") & EN
    assert flags(soc, dma, stream) == 0
    quiet(soc)
    assert soc.read(dma, f"S{stream}CR") & EN == 0
    assert soc.read(dma, f"S{stream}NDTR") == 4
    assert flags(soc, dma, stream) == TC


def test_a_stop_flushes_the_fifo() -> None:
    soc, _, dma, stream = receive("SPI2", 1, 2, 3, fcr=DMDIS | FULL, items=16)
    quiet(soc)
    assert ram(soc, TARGET, 3) == bytes(3)
    soc.write(dma, f"S{stream}CR", soc.read(dma, f"S{stream}CR") & ~EN)
    assert soc.read(dma, f"S{stream}CR") & EN
    quiet(soc)
    assert ram(soc, TARGET, 4) == b"\1\2\3\0"
    assert soc.read(dma, f"S{stream}CR") & EN == 0
    assert soc.read(dma, f"S{stream}NDTR") == 13
    assert flags(soc, dma, stream) == TC


def test_a_copy_that_is_stopped_says_how_far_it_came() -> None:
    soc = dma_soc()
    start(
        soc, "DMA2", 0, PAR=SOURCE, M0AR=TARGET, NDTR=512, FCR=FULL, CR=COPY | PINC | MINC | WORDS
    )
    soc.run_until(1000 * TICK)
    soc.write("DMA2", "S0CR", soc.read("DMA2", "S0CR") & ~EN)
    quiet(soc)
    done = 4 * (512 - soc.read("DMA2", "S0NDTR"))
    assert 0 < done < 1024
    assert ram(soc, TARGET, 2048) == BYTES[:done] + bytes(2048 - done)
    assert flags(soc, "DMA2", 0) == TC


def test_enabling_again_begins_with_the_count_that_was_written() -> None:
    soc, mouth, dma, stream = receive("SPI2", 1, 2)
    quiet(soc)
    clear(soc, dma, stream)
    soc.write(dma, f"S{stream}CR", soc.read(dma, f"S{stream}CR") | EN)
    assert soc.read(dma, f"S{stream}NDTR") == 2
    mouth.offer(soc.now_ps, 5, 6)
    quiet(soc)
    assert ram(soc, TARGET, 2) == b"\5\6"
    assert not hazards(soc)


def test_flags_of_the_last_transfer_are_to_be_cleared_first() -> None:
    soc, _, dma, stream = receive("SPI2", 1, 2)
    quiet(soc)
    soc.write(dma, f"S{stream}CR", soc.read(dma, f"S{stream}CR") | EN)
    assert [h.code for h in hazards(soc)] == ["dma-flags"]


def test_direct_mode_forces_single_transfers_of_one_size() -> None:
    soc, _, dma, stream = receive(
        "SPI2", items=4, cr=1 << 11 | 2 << 13 | 1 << 21 | 1 << 23 | PINC | PINCOS
    )
    cr = soc.read(dma, f"S{stream}CR")
    assert (cr >> 11 & 3, cr >> 13 & 3, cr >> 21 & 3, cr >> 23 & 3) == (1, 1, 0, 0)
    assert not cr & PINCOS


def test_without_its_clock_the_controller_stands_still() -> None:
    soc, _, dma, stream = receive("SPI2", 1, 2)
    soc.run_until(4 * TICK)
    soc.clock(dma).set(0, soc.now_ps)
    quiet(soc)
    assert ram(soc, TARGET, 1) == b"\0"
    soc.clock(dma).set(16 * MHZ, soc.now_ps + 10**6)
    quiet(soc)
    assert ram(soc, TARGET, 2) == b"\1\2"
    assert flags(soc, dma, stream) == HT | TC


def test_reset_stops_everything() -> None:
    soc, mouth, dma, stream = receive("SPI2", 1, 2, cr=TCIE)
    quiet(soc)
    assert soc.interrupts.level(14)
    mouth.offer(soc.now_ps, 5)
    soc.reset(soc.now_ps, "SFTRSTF")
    assert not soc.interrupts.level(14)
    assert flags(soc, dma, stream) == 0
    start(soc, dma, stream, PAR=SPI2_DR, M0AR=TARGET, NDTR=1, CR=MINC)
    quiet(soc)
    assert soc.read(dma, f"S{stream}NDTR") == 1  # the request went with the reset


# ---------------------------------------------------------------- errors

ALLOWED = {  # §9.3.12: MSIZE, FTH -> the bursts that fit
    (0, 0): (1,), (0, 1): (1, 2), (0, 2): (1,), (0, 3): (1, 2, 3),
    (1, 0): (), (1, 1): (1,), (1, 2): (), (1, 3): (1, 2),
    (2, 0): (), (2, 1): (), (2, 2): (), (2, 3): (1,),
}  # fmt: skip


@pytest.mark.parametrize("msize", range(3))
@pytest.mark.parametrize("threshold", range(4))
@pytest.mark.parametrize("burst", range(1, 4))
def test_threshold_and_burst_must_go_together(msize: int, threshold: int, burst: int) -> None:
    soc = dma_soc()
    start(
        soc, "DMA2", 0, PAR=SOURCE, M0AR=TARGET, NDTR=64, FCR=threshold | DMDIS | FEIE,
        CR=COPY | PINC | MINC | 2 << 11 | msize << 13 | burst << 23,
    )  # fmt: skip
    if burst in ALLOWED[msize, threshold]:
        assert soc.read("DMA2", "S0CR") & EN
        assert not hazards(soc)
    else:
        assert flags(soc, "DMA2", 0) == FE
        assert soc.read("DMA2", "S0CR") & EN == 0
        assert soc.interrupts.level(56)
        assert [h.code for h in hazards(soc)] == ["dma-burst"]


@pytest.mark.parametrize(
    ("dma", "source", "target", "why"),
    [
        ("DMA2", 0x3000_0000, TARGET, "read of 0x30000000 (nothing)"),
        ("DMA2", SOURCE, 0x3000_0000, "write of 0x30000000"),
        ("DMA2", SOURCE, 0x0800_0000, "write of 0x08000000 (flash)"),
        ("DMA2", SOURCE, 0xE000_E100, "write of 0xe000e100 (NVIC on PPB)"),
        ("DMA2", SOURCE, 0x2200_0000, "write of 0x22000000 (nothing)"),  # no bit band here
        ("DMA1", SOURCE, TARGET, "peripheral port reaches APB1"),  # only DMA2 copies memory
    ],
)
def test_a_bus_error_stops_the_stream(dma: str, source: int, target: int, why: str) -> None:
    soc = Soc(board_with("DMA1", "DMA2", "NVIC"))
    for name in ("DMA1", "DMA2"):
        soc.gated[name] = True
        soc.clock(name).set(16 * MHZ, 0)
    soc.reset(0, "PORRSTF")
    soc.recorder.started = True
    soc.memory = MemoryMap(soc.chip)
    start(soc, dma, 0, PAR=source, M0AR=target, NDTR=8, CR=COPY | PINC | MINC | WORDS | TEIE)
    quiet(soc)
    assert flags(soc, dma, 0) == TE
    assert soc.read(dma, "S0CR") & EN == 0
    assert soc.interrupts.level(soc.chip.peripherals[dma].irqs["stream0"])
    (hazard,) = hazards(soc)
    assert hazard.code == "dma-bus-error"
    assert why in hazard.message


def test_whether_an_alias_is_reached_is_not_known() -> None:
    soc = dma_soc()
    start(soc, "DMA2", 0, PAR=0, M0AR=TARGET, NDTR=4, CR=COPY | PINC | MINC)
    quiet(soc)
    assert gaps(soc) == ["DMA2.stream 0"]
    assert not hazards(soc)


@pytest.mark.parametrize(
    ("peripheral", "data"), [("SPI1", SPI1_DR), ("GPIOA", 0x4002_0014)]
)  # APB2 and AHB1
def test_dma1_has_no_way_beyond_apb1(peripheral: str, data: int) -> None:
    soc, mouth = soc_with_mouth("SPI2", peripheral)
    start(soc, "DMA1", 4, PAR=data, M0AR=SOURCE, NDTR=2, CR=MINC | TO_PERIPHERAL)
    mouth.make_room(0, 1)
    quiet(soc)
    assert flags(soc, "DMA1", 4) & TE
    assert f"{peripheral} on" in hazards(soc, "dma-bus-error")[0].message


def test_memory_that_only_the_core_reaches_is_a_bus_error() -> None:
    board = board_with("DMA1", "DMA2")
    chip = board.chip  # as the F407's CCM: no controller names it
    ccm = replace(chip.memories["sram"], name="ccm", base=0x1000_0000, size=0x1_0000)
    soc = Soc(replace(board, chip=replace(chip, memories={**chip.memories, "ccm": ccm})))
    soc.gated["DMA2"] = True
    soc.clock("DMA2").set(16 * MHZ, 0)
    soc.reset(0, "PORRSTF")
    soc.memory = MemoryMap(soc.chip)
    start(soc, "DMA2", 0, PAR=SOURCE, M0AR=0x1000_0000, NDTR=4, CR=COPY | PINC | MINC)
    quiet(soc)
    assert flags(soc, "DMA2", 0) == TE
    assert "(ccm) fails" in hazards(soc, "dma-bus-error")[0].message


def test_a_request_before_there_is_data_is_an_underrun() -> None:
    soc, mouth = soc_with_mouth("SPI2")
    mouth.make_room(0, 1)
    start(soc, "DMA1", 4, PAR=SPI2_DR, M0AR=SOURCE, NDTR=2, FCR=FEIE, CR=MINC | TO_PERIPHERAL)
    assert flags(soc, "DMA1", 4) == FE
    assert soc.interrupts.level(15)
    assert soc.read("DMA1", "S4CR") & EN  # "not automatically disabled"
    quiet(soc)
    assert len(mouth.takes) == 1


# ---------------------------------------------------------------- who comes first


@pytest.mark.parametrize(
    ("priorities", "first"), [((0, 0), 0), ((0, 1), 1), ((2, 1), 0), ((2, 3), 1), ((3, 3), 0)]
)
def test_priority_then_number_decides(priorities: tuple[int, int], first: int) -> None:
    soc = dma_soc()
    # Each copies many loads: the one that comes first is over before the other begins.
    for stream, priority in ((0, priorities[0]), (1, priorities[1])):
        start(
            soc, "DMA2", stream, PAR=SOURCE, M0AR=TARGET + 0x400 * stream, NDTR=64, FCR=FULL,
            CR=COPY | PINC | MINC | WORDS | priority << 16,
        )  # fmt: skip
        if stream == 0:
            soc.run_until(soc.now_ps)  # nothing of it is done yet
    for _ in steps(soc):
        done = [stream for stream in (0, 1) if flags(soc, "DMA2", stream) & TC]
        if done:
            break
    assert done == [first]


def test_a_copy_of_low_priority_lets_requests_through() -> None:
    soc, mouth = soc_with_mouth("SPI1")
    start(soc, "DMA2", 0, PAR=SPI1_DR, M0AR=OTHER, NDTR=4, CR=MINC | 3 << 25 | 2 << 16)
    start(
        soc, "DMA2", 1, PAR=SOURCE, M0AR=TARGET, NDTR=1024, FCR=FULL, CR=COPY | PINC | MINC | WORDS
    )
    soc.run_until(1000 * TICK)
    asked = soc.now_ps
    mouth.offer(asked, 1)
    while not mouth.served:
        soc.run_until(soc.scheduler.next_ps)
    assert mouth.served[0][0] - asked <= (32 + 9) * TICK  # a load of the FIFO, then its item


# ---------------------------------------------------------------- the peripheral controls


def test_the_peripheral_says_where_a_transfer_ends() -> None:
    soc, mouth = soc_with_mouth("SPI1")
    start(
        soc, "DMA2", 0, PAR=SPI1_DR, M0AR=TARGET, NDTR=1, FCR=DMDIS | FULL,
        CR=MINC | 3 << 25 | PFCTRL | CIRC,
    )  # fmt: skip
    assert soc.read("DMA2", "S0NDTR") == 0xFFFF  # whatever was written
    assert not soc.read("DMA2", "S0CR") & CIRC
    for value in range(5):
        mouth.offer(soc.now_ps, value)
        quiet(soc)
    assert flags(soc, "DMA2", 0) == 0
    mouth.length = 6
    mouth.offer(soc.now_ps, 5)
    quiet(soc)
    assert flags(soc, "DMA2", 0) & TC
    assert 0xFFFF - soc.read("DMA2", "S0NDTR") == 6
    assert ram(soc, TARGET, 6) == bytes(range(6))
    assert soc.read("DMA2", "S0CR") & EN == 0


# ---------------------------------------------------------------- what is wrong from the start


@pytest.mark.parametrize(
    ("registers", "code"),
    [
        ({"CR": COPY | PINC | MINC | CIRC}, "dma-mode"),
        ({"CR": COPY | PINC | MINC | DBM}, "dma-mode"),
        ({"CR": COPY | PINC | MINC | 3 << 11}, "dma-mode"),
        ({"CR": 3 << 6}, "dma-mode"),
        ({"CR": COPY | PINC | MINC | 2 << 11 | 2 << 21}, "dma-burst"),  # 32 bytes
        ({"CR": COPY | PINC | MINC | 2 << 11 | 1 << 21, "FCR": 2}, "dma-burst"),  # 3/4
        ({"NDTR": 0}, "dma-empty"),
        ({"CR": COPY | PINC | MINC | 2 << 13, "NDTR": 6}, "dma-incomplete"),
        ({"M0AR": TARGET + 2, "CR": COPY | PINC | MINC | WORDS}, "dma-misaligned"),
        ({"PAR": SOURCE + 1, "CR": COPY | PINC | MINC | 1 << 11}, "dma-misaligned"),
        ({"M0AR": TARGET + 1020, "CR": COPY | PINC | MINC | WORDS | 1 << 23}, "dma-burst"),
    ],
)
def test_a_stream_that_cannot_be_right_is_a_hazard(registers: dict[str, int], code: str) -> None:
    soc = dma_soc()
    usual = {"PAR": SOURCE, "M0AR": TARGET, "NDTR": 64, "FCR": FULL, "CR": COPY | PINC | MINC}
    start(soc, "DMA2", 0, **{**usual, **registers})
    assert code in [h.code for h in hazards(soc)]
    quiet(soc)


def test_circular_bursts_must_come_out_even() -> None:
    soc, _, _, _ = receive("SPI2", items=6, cr=CIRC | 1 << 23, fcr=DMDIS)
    assert [h.code for h in hazards(soc)] == ["dma-incomplete"]


def test_a_stream_that_nobody_asks_is_a_hazard() -> None:
    soc = dma_soc()
    start(soc, "DMA1", 0, PAR=SPI2_DR, M0AR=TARGET, NDTR=4, CR=MINC | 4 << 25)
    (hazard,) = hazards(soc)
    assert (hazard.code, "channel 4" in hazard.message) == ("dma-no-request", True)


def test_a_stream_may_be_enabled_before_the_clock_of_who_asks_but_not_for_good() -> None:
    """ST's LL examples configure the stream first, then the timer or the ADC."""
    soc, _ = soc_with_mouth("SPI2")
    soc.gated["SPI2"] = False
    start(soc, "DMA1", 3, PAR=SPI2_DR, M0AR=TARGET, NDTR=4, CR=MINC)
    assert hazards(soc) == []
    (hazard,) = soc.peripherals["DMA1"].unfinished(soc.now_ps)
    assert isinstance(hazard, Hazard)
    assert (hazard.code, hazard.severity) == ("dma-no-request", "warning")
    assert "SPI2" in hazard.message
    soc.gated["SPI2"] = True
    assert list(soc.peripherals["DMA1"].unfinished(soc.now_ps)) == []


def test_a_peripheral_without_its_clock_gives_nothing() -> None:
    soc, mouth, _, _ = receive("SPI2", items=1)
    soc.gated["SPI2"] = False
    mouth.offer(soc.now_ps, 7)
    quiet(soc)
    assert ram(soc, TARGET, 1) == b"\0"
    assert [h.code for h in hazards(soc)] == ["clock-off"]


# ---------------------------------------------------------------- the chip file


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"memory_port": ["sram"]}, "needs peripheral_port"),
        ({"peripheral_port": ["APB1"], "memory_port": "sram"}, "needs memory_port"),
        ({"peripheral_port": [], "memory_port": [], "ports": 3}, "no option 'ports'"),
    ],
)
def test_the_chip_file_says_what_the_ports_reach(options: dict[str, object], message: str) -> None:
    board = board_with("DMA1")
    spec = replace(board.chip.peripherals["DMA1"], options=options)
    with pytest.raises(BoardError, match=message):
        Soc(replace(board, chip=replace(board.chip, peripherals={"DMA1": spec})))


def test_nothing_of_it_is_a_gap() -> None:
    soc = dma_soc()
    for name in soc.peripherals["DMA1"].MAP.registers:
        soc.read("DMA1", name)
    assert gaps(soc) == []


# ---------------------------------------------------------------- whatever is written

ADDRESSES = st.one_of(
    st.integers(SOURCE, SOURCE + 0x1_8000),
    st.sampled_from([SPI1_DR, SPI2_DR, 0x4000_0034, 0x4002_6010, 0x0800_0000, 0, 0xE000_E100]),
    st.integers(0, 0xFFFF_FFFF),
)
WRITES = st.tuples(
    st.sampled_from(["DMA1", "DMA2"]), st.integers(0, 7), st.integers(0, 0xFFFF_FFFF),
    st.integers(0, 300), ADDRESSES, ADDRESSES, ADDRESSES, st.integers(0, 7),
)  # fmt: skip


@settings(max_examples=100, deadline=None)
@given(plans=st.lists(WRITES, min_size=1, max_size=6), tail=st.integers(0, 400))
def test_whatever_is_written_it_goes_on_and_comes_to_rest(
    plans: list[tuple[str, int, int, int, int, int, int, int]], tail: int
) -> None:
    soc, mouth = soc_with_mouth("SPI2", "TIM2", "TIM3")
    for dma, stream, cr, ndtr, par, m0ar, m1ar, fcr in plans:
        known = 0x0FEF_FFFF
        where = {"NDTR": ndtr, "PAR": par, "M0AR": m0ar, "M1AR": m1ar, "FCR": fcr}
        start(soc, dma, stream, **where, CR=cr & known)
        mouth.offer(soc.now_ps, *range(5))
        mouth.make_room(soc.now_ps, 5)
        soc.run_until(soc.now_ps + tail * TICK)
        soc.write(dma, f"S{stream}CR", cr & known & ~EN)
        soc.run_until(soc.now_ps + tail * TICK)
    for _ in range(3):  # a stream may have switched on another
        for dma in ("DMA1", "DMA2"):
            for stream in range(8):
                soc.write(dma, f"S{stream}CR", 0)
        soc.run_until(soc.now_ps + 10_000 * TICK)
    assert soc.scheduler.next_ps == NEVER
    assert not any(soc.read(d, f"S{n}CR") & EN for d in ("DMA1", "DMA2") for n in range(8))
