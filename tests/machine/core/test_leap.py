"""Bytes that a sleeping core's port moves by DMA, many at once: the same as one by one."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fwgen.contract import Send
from fwgen.image.types import Image, Segment
from fwgen.machine import Machine
from fwgen.machine.leap import Leaper
from fwgen.trace import SerialByte, Wake, dump_trace
from tests.effort import often
from tests.machine.core.firmware import FLASH, STACK, TABLE, assemble

if TYPE_CHECKING:
    from fwgen.board.types import Board
    from fwgen.trace import Trace

MS = 10**9
RAM = 0x2000_0000
USART2, DMA1 = 0x4000_4400, 0x4002_6000
RX, TX = DMA1 + 0x10 + 0x18 * 5, DMA1 + 0x10 + 0x18 * 6  # streams 5 and 6, channel 4
CHANNEL_4, MINC, CIRC, TO_PERIPHERAL, HTIE, TCIE = 4 << 25, 1 << 10, 1 << 8, 1 << 6, 8, 16

# Each interrupt clears the flags of the streams, and looks at SR and DR as a handler of IDLE does.
_HANDLER = """
ldr r0, =0x4002600c
ldr r1, =0x0f7d0f7d
str r1, [r0, #0]
ldr r0, =0x40004400
ldr r1, [r0, #0]
lsls r2, r1, #27
bpl done
ldr r1, [r0, #4]
done: bx lr
"""


@dataclass(frozen=True)
class Port:
    """What the firmware sets up, and what is sent to it."""

    brr: int = 139
    received: int = 0  # NDTR of the stream that receives; 0: none does
    sent: int = 0
    rx: int = CIRC | HTIE | TCIE
    tx: int = CIRC
    idle: bool = True
    to: int = RAM + 0x400
    source: int = RAM
    begins_ps: int = MS
    baud: int = 115_200
    length: int = 0
    ticks: int = 0  # of SysTick; 0: it is off


def image(port: Port) -> Image:
    body = FLASH + TABLE
    handler, _ = assemble(_HANDLER, body)
    handler += bytes(-len(handler) % 4)
    lines: list[str] = []

    def write(address: int, value: int) -> None:
        lines.extend((f"ldr r0, ={address:#x}", f"ldr r1, ={value:#x}", "str r1, [r0, #0]"))

    write(0x4002_3830, 1 | 1 << 21)
    write(0x4002_3840, 1 << 17)
    write(0x4002_0020, 0x7700)
    write(0x4002_0000, 0xA800_00A0)
    write(USART2 + 8, port.brr)
    write(0xE000_E100, 1 << 16 | 1 << 17)
    write(0xE000_E104, 1 << 6)
    ways = ((RX, port.received, port.to, port.rx), (TX, port.sent, port.source, port.tx))
    for stream, count, memory, flags in ways:
        if count:
            write(stream + 8, USART2 + 4)
            write(stream + 12, memory)
            write(stream + 4, count)
            way = TO_PERIPHERAL if stream == TX else 0
            write(stream, CHANNEL_4 | MINC | way | flags | 1)
    write(USART2 + 0x14, (0x80 if port.sent else 0) | (0x40 if port.received else 0))
    write(USART2 + 0xC, 0x200C | (0x10 if port.idle else 0))
    if port.ticks:
        write(0xE000_E014, port.ticks - 1)
        write(0xE000_E010, 7)
    lines += ["again: wfi", "b again"]
    code, _ = assemble("\n".join(lines), body + len(handler))
    table = [STACK, body + len(handler) | 1] + [body | 1] * (TABLE // 4 - 2)
    data = struct.pack(f"<{TABLE // 4}I", *table) + handler + code
    return Image((Segment(FLASH, data),), table[1], STACK, (), core="cortex-m4f")


def run(board: Board, port: Port, span_ps: int, *, accelerate: bool) -> tuple[Trace, bytes]:
    # Without the native code, which would serve the port before it leaps.
    with Machine(board, accelerate=accelerate, native=False) as machine:
        machine.load(image(port))
        machine.core.memory.write_ram(port.source, bytes(n * 7 & 0xFF for n in range(512)))
        if port.length:
            data = bytes(n * 5 & 0xFF for n in range(port.length))
            machine.stimulate(Send("USART2", port.begins_ps, data, port.baud))
        machine.advance(span_ps)
        states = machine.soc.peripherals
        left = [s.value for name in ("USART2", "DMA1") for s in states[name].states.values()]
        memory = machine.core.memory.read(RAM, 0x2000) or b""
        return machine.trace(), memory + repr((left, machine.core.cycle)).encode()


def both_ways(board: Board, port: Port, span_ps: int) -> Trace:
    quick, left = run(board, port, span_ps, accelerate=True)
    plain, kept = run(board, port, span_ps, accelerate=False)
    assert dump_trace(quick) == dump_trace(plain)
    assert left == kept
    return quick


@pytest.fixture
def leaps(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many rounds each leap did."""
    made: list[int] = []
    do = Leaper._do

    def counted(self, ahead, counts, stop) -> None:
        made.append(sum(counts))
        do(self, ahead, counts, stop)

    monkeypatch.setattr(Leaper, "_do", counted)
    return made


def test_a_stream_out_is_moved_many_bytes_at_once(board: Board, leaps: list[int]) -> None:
    trace = both_ways(board, Port(sent=200, tx=CIRC | TCIE), 40 * MS)
    assert sum(leaps) > 0.9 * len(list(trace.of(SerialByte)))


def test_a_stream_in_is_moved_many_bytes_at_once(board: Board, leaps: list[int]) -> None:
    trace = both_ways(board, Port(received=100, length=400), 50 * MS)
    assert sum(leaps) > 0.9 * len(list(trace.of(SerialByte)))
    # Twice a round of the buffer, and once for the line that falls idle.
    assert len(list(trace.of(Wake))) == 2 * 4 + 1 + 1  # and IDLE before anything came


def test_both_ways_at_once_are_moved_many_bytes_at_once(board: Board, leaps: list[int]) -> None:
    trace = both_ways(board, Port(received=64, sent=100, length=300), 40 * MS)
    assert sum(leaps) > 0.5 * len(list(trace.of(SerialByte)))


def test_a_buffer_that_is_sent_as_it_is_received_is_not_read_too_early(board: Board) -> None:
    both_ways(board, Port(received=256, sent=256, to=RAM, source=RAM, length=600), 70 * MS)


def test_a_receiver_at_another_rate_samples_each_bit_for_itself(
    board: Board, leaps: list[int]
) -> None:
    """5 % off: what is heard is not what was sent."""
    both_ways(board, Port(received=64, length=100, baud=121_000), 20 * MS)
    assert leaps == []


def test_bytes_of_two_senders_at_once_are_not_moved_ahead(board: Board, leaps: list[int]) -> None:
    with Machine(board) as machine:
        machine.load(image(Port(received=64)))
        for at in (MS, MS + 300_000_000):
            machine.stimulate(Send("USART2", at, b"U" * 50))
        machine.advance(6 * MS)
    assert leaps == []


flags = st.sampled_from((0, HTIE, TCIE, HTIE | TCIE)).flatmap(
    lambda bits: st.sampled_from((bits, bits | CIRC))
)
ports = st.builds(
    Port,
    brr=st.sampled_from((16, 17, 100, 139, 139, 160)),
    received=st.sampled_from((0, 1, 2, 3, 17, 64, 256)),
    sent=st.sampled_from((0, 1, 2, 3, 5, 33, 100)),
    rx=flags,
    tx=flags,
    idle=st.booleans(),
    to=st.sampled_from((RAM + 0x400, RAM + 0x400, RAM + 3, RAM)),
    begins_ps=st.integers(0, 3 * MS),
    baud=st.sampled_from((115_200, 115_200, 115_108, 116_300, 100_000, 1_000_000, 160_000)),
    length=st.integers(0, 200),
    ticks=st.sampled_from((0, 0, 3000, 16_000)),
)


@settings(max_examples=often(60))
@given(ports)
def test_whatever_is_set_up_is_the_same_byte_by_byte(board: Board, port: Port) -> None:
    both_ways(board, port, 12 * MS)
