"""Firmware that lets the DMA work, on the whole chip."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

from fwgen.trace import Edge, Gap, Hazard, SerialByte, Sleep
from tests.machine.core.dma import (
    BUFFER,
    DMA1,
    DMA2,
    GPIOA,
    NVIC,
    TARGET,
    TIM1,
    USART2,
    clocks,
    poke,
    serial,
    stream,
)
from tests.machine.core.firmware import firmware

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.machine.core.conftest import Lab

US, MS = 10**6, 10**9
CIRC, PINC, MINC, DBM, TO_PERIPHERAL, COPY = 1 << 8, 1 << 9, 1 << 10, 1 << 18, 1 << 6, 2 << 6
TCIE, HTIE, WORDS = 1 << 4, 1 << 3, 2 << 11 | 2 << 13
TEXT = b"Hello by DMA, while the core sleeps\r\n"


def bad(lab: Lab) -> list[str]:
    found = [h.code for h in lab.of(Hazard) if h.severity != "note"]
    return found + [f"gap {g.peripheral}.{g.register}" for g in lab.of(Gap)]


def run(
    lab: Lab, text: str, vectors: dict[int, str], span_ps: int, after: bytes = b"",
    feed: Callable[[Any], None] | None = None,
) -> None:  # fmt: skip
    """Load with ``after`` right behind the code (label "after"), perhaps feed the port, run."""
    image = firmware(text, vectors, after=after)
    lab.machine.load(image)
    if feed is not None:
        feed(lab.machine)
    lab.machine.advance(span_ps)


def test_a_text_is_sent_while_the_core_sleeps(lab: Lab) -> None:
    text = f"""
    start:
        {clocks()}
        {serial(0x08, 0x80)}
        {poke((NVIC, 1 << 17))}
        {stream(DMA1, 6, 4 << 25 | MINC | TO_PERIPHERAL | TCIE, len(TEXT), USART2 + 4, "text")}
    idle:
        wfi
        b idle
    done:
        ldr r0, ={DMA1:#x}
        ldr r1, =0x3d0000
        str r1, [r0, #0xC]
        ldr r0, ={TARGET:#x}
        movs r1, #1
        str r1, [r0, #0]
        bx lr
    text:
    """
    run(lab, text, {33: "done"}, 6 * MS, TEXT)
    assert bytes(e.byte for e in lab.of(SerialByte)) == TEXT
    assert lab.word(TARGET) == 1
    starts = [e.start_ps for e in lab.of(SerialByte)]
    assert {round((b - a) / US, 1) for a, b in pairwise(starts)} == {86.9}
    assert len(lab.of(Sleep)) == 2  # before the interrupt, and after
    assert bad(lab) == []


RECEIVER = f"""
start:
    {clocks()}
    {serial(0x04 | 0x10, 0x40)}
    {poke((NVIC, 1 << 16), (NVIC + 4, 1 << 6))}
    {stream(DMA1, 5, 4 << 25 | MINC | CIRC | TCIE | HTIE, 8, USART2 + 4, BUFFER)}
idle:
    wfi
    b idle
filled:
    ldr r0, ={DMA1:#x}
    ldr r1, [r0, #4]
    str r1, [r0, #0xC]
    ldr r2, ={TARGET:#x}
    ldr r3, [r2, #0]
    lsls r3, r3, #8
    lsrs r1, r1, #10
    orrs r3, r1
    str r3, [r2, #0]
    bx lr
line:
    ldr r0, ={USART2:#x}
    ldr r1, [r0, #0]
    ldr r1, [r0, #4]
    ldr r0, ={DMA1 + 0x8C:#x}
    ldr r1, [r0, #0]
    ldr r2, ={TARGET:#x}
    str r1, [r2, #4]
    bx lr
"""


def test_half_full_and_idle_tell_what_a_circular_buffer_holds(lab: Lab) -> None:
    def feed(machine: Any) -> None:
        at = 500 * US
        for byte in b"0123456789abc":
            at = machine.soc.peripherals["USART2"].receive(at, byte, 115_200_000)

    run(lab, RECEIVER, {32: "filled", 54: "line"}, 4 * MS, feed=feed)
    machine = lab.machine
    assert machine.core.memory.read(BUFFER, 8) == b"89abc567"
    # HTIF5, then TCIF5, then HTIF5 again; what came when the line fell silent.
    assert lab.word(TARGET) == 0x01_02_01
    assert lab.word(TARGET + 4) == 3
    assert bad(lab) == []


def test_a_copy_is_waited_for_by_polling(lab: Lab) -> None:
    text = f"""
    start:
        {clocks()}
        {stream(DMA2, 0, COPY | PINC | MINC | WORDS, 256, 0x0800_0000, TARGET, fcr=7)}
        ldr r0, ={DMA2:#x}
    wait:
        ldr r1, [r0, #0]
        tst r1, #0x20
        beq wait
        ldr r2, [r0, #0x10]
        ldr r3, [r0, #0x14]
    done: b done
    """
    run(lab, text, {}, 2 * MS)
    memory = lab.machine.core.memory
    assert memory.read(TARGET, 1024) == memory.read(0x0800_0000, 1024)
    assert (lab.register(2) & 1, lab.register(3)) == (0, 0)
    assert bad(lab) == []


def test_a_waveform_comes_out_of_memory(lab: Lab) -> None:
    pattern = [1, 1 << 16, 1, 0, 1 << 16, 0]  # PA0: high, low, high, high, low, low
    fill = "\n".join(poke((BUFFER + 4 * n, bits)) for n, bits in enumerate(pattern))
    text = f"""
    start:
        {clocks()}
        {poke((GPIOA, 0xA800_0001))}
        {fill}
        {stream(DMA2, 5, 6 << 25 | MINC | TO_PERIPHERAL | CIRC | WORDS, 6, GPIOA + 0x18, BUFFER)}
        {poke((TIM1 + 0x2C, 159), (TIM1 + 0xC, 0x100), (TIM1, 1))}
    idle:
        wfi
        b idle
    """
    run(lab, text, {}, MS)
    edges = [e for e in lab.of(Edge) if e.pin == "PA0"][1:]  # the first: it becomes an output
    assert [e.level for e in edges][:8] == [1, 0] * 4
    steps = [round((b.t_ps - a.t_ps) / (10 * US)) for a, b in pairwise(edges[:9])]
    assert steps == [1, 1, 2, 2] * 2
    assert bad(lab) == []


def test_two_buffers_are_told_apart_by_the_handler(lab: Lab) -> None:
    text = f"""
    start:
        {clocks()}
        {serial(0x04, 0x40)}
        {poke((NVIC, 1 << 16))}
        {stream(DMA1, 5, 4 << 25 | MINC | DBM | TCIE, 4, USART2 + 4, BUFFER, m1ar=BUFFER + 4)}
        movs r7, #0
    idle:
        wfi
        b idle
    filled:
        ldr r0, ={DMA1:#x}
        ldr r1, =0xC00
        str r1, [r0, #0xC]
        ldr r1, [r0, #0x88]
        lsrs r1, r1, #19
        and r1, r1, #1
        lsls r7, r7, #1
        orrs r7, r1
        bx lr
    """

    def feed(machine: Any) -> None:
        at = 500 * US
        for byte in b"aaaabbbbccccdddd":
            at = machine.soc.peripherals["USART2"].receive(at, byte, 115_200_000)

    run(lab, text, {32: "filled"}, 4 * MS, feed=feed)
    assert lab.machine.core.memory.read(BUFFER, 8) == b"ccccdddd"
    assert lab.register(7) == 0b1010  # CT after each of four
    assert bad(lab) == []


def test_dma1_does_not_reach_a_port(lab: Lab) -> None:
    text = f"""
    start:
        {clocks()}
        {poke((BUFFER, 1))}
        {stream(DMA1, 1, 3 << 25 | TO_PERIPHERAL | WORDS, 1, GPIOA + 0x18, BUFFER)}
        {poke((0x4000_002C, 99), (0x4000_000C, 0x100), (0x4000_0000, 1))}
        ldr r0, ={DMA1:#x}
    wait:
        ldr r1, [r0, #0]
        tst r1, #0x200
        beq wait
        movs r2, #1
    done: b done
    """
    run(lab, text, {}, MS)
    assert lab.register(2) == 1  # TEIF1
    assert bad(lab) == ["dma-bus-error"]


def test_code_that_a_copy_brings_is_the_code_that_runs(lab: Lab) -> None:
    def fetch_and_call(label: str) -> str:
        return f"""
        {stream(DMA2, 0, COPY | PINC | MINC, 4, label, TARGET, fcr=7)}
        ldr r0, ={DMA2:#x}
    wait{label}:
        ldr r1, [r0, #0]
        tst r1, #0x20
        beq wait{label}
        movs r1, #0x30
        str r1, [r0, #8]
        ldr r3, ={TARGET | 1:#x}
        blx r3
        """

    text = f"""
    start:
        {clocks()}
        {fetch_and_call("one")}
        mov r5, r4
        {fetch_and_call("two")}
        mov r6, r4
    done: b done
    one:
        movs r4, #11
        bx lr
    two:
        movs r4, #22
        bx lr
    """
    run(lab, text, {}, MS)
    assert (lab.register(5), lab.register(6)) == (11, 22)
    assert bad(lab) == []
