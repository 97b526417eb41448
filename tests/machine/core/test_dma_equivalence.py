"""However a run is sped up, it is the same run, also while the DMA changes RAM and registers.

Random firmware: some streams at work (copies, a timer that stores its count over and over, a
text on its way out), perhaps SysTick, and loops that count, wait for the controllers' registers,
for cells that they change, or for their interrupts.
"""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fwgen.errors import EmissionError
from tests.machine.core.dma import (
    BUFFER,
    DMA1,
    DMA2,
    NVIC,
    TIM2,
    USART2,
    clocks,
    poke,
    serial,
    stream,
)
from tests.machine.core.firmware import firmware
from tests.machine.core.test_equivalence import HANDLER as TICKS
from tests.machine.core.test_equivalence import TICK, loops, plain, same_run

CIRC, PINC, MINC, DBM, TO_PERIPHERAL, COPY = 1 << 8, 1 << 9, 1 << 10, 1 << 18, 1 << 6, 2 << 6
TCIE, HTIE, WORDS = 1 << 4, 1 << 3, 2 << 11 | 2 << 13
CELLS = 0x2000_0000  # what the loops count in, too
FLASH = 0x0800_0000

# What is at work. TIM2's update stores CNT, which counts on, into one cell, or into many.
ENGINES = {
    "a cell": lambda period: (
        stream(DMA1, 1, 3 << 25 | WORDS | CIRC, 7, TIM2 + 0x24, CELLS + 16)
        + "\n" + poke((TIM2 + 0x2C, period), (TIM2 + 0xC, 0x100), (TIM2, 1))
    ),
    "cells": lambda period: (
        stream(DMA1, 1, 3 << 25 | WORDS | MINC | CIRC | TCIE | HTIE, 6, TIM2 + 0x24, CELLS)
        + "\n" + poke((NVIC, 1 << 12), (TIM2 + 0x2C, period), (TIM2 + 0xC, 0x100), (TIM2, 1))
    ),
    "two buffers": lambda period: (
        stream(
            DMA1, 1, 3 << 25 | WORDS | MINC | DBM | TCIE, 3, TIM2 + 0x24, CELLS, m1ar=CELLS + 16
        )
        + "\n" + poke((NVIC, 1 << 12), (TIM2 + 0x2C, period), (TIM2 + 0xC, 0x100), (TIM2, 1))
    ),
    "FIFO": lambda period: (
        stream(DMA1, 1, 3 << 25 | WORDS | MINC | CIRC, 8, TIM2 + 0x24, CELLS, fcr=5)
        + "\n" + poke((TIM2 + 0x2C, period), (TIM2 + 0xC, 0x100), (TIM2, 1))
    ),
    "copy": lambda period: (
        poke((NVIC + 4, 1 << 24))
        + "\n" + stream(
            DMA2, 0, COPY | WORDS | PINC | MINC | TCIE, 40 + period % 3000, FLASH, BUFFER, fcr=7
        )
    ),
    "text": lambda period: (
        serial(0x08, 0x80)
        + "\n" + stream(
            DMA1, 6, 4 << 25 | MINC | TO_PERIPHERAL | TCIE, 20, USART2 + 4, 0x0800_0200
        )
        + "\n" + poke((NVIC, 1 << 17))
    ),
}  # fmt: skip

# Loops that wait, each for a bounded time, for what the streams do.
WAITS = {
    "the counter": f"""
        ldr r0, ={DMA1 + 0x2C:#x}
        ldr r2, [r0, #0]
        ldr r6, =2000
    wait:
        subs r6, #1
        beq over
        ldr r1, [r0, #0]
        cmp r1, r2
        beq wait
    over:
    """,
    "a flag": f"""
        ldr r0, ={DMA1:#x}
        movs r1, #0
        mvns r1, r1
        str r1, [r0, #8]
        ldr r6, =3000
    wait:
        subs r6, #1
        beq over
        ldr r1, [r0, #0]
        lsls r1, r1, #20
        bpl wait
    over:
    """,
    "the end of a copy": f"""
        ldr r0, ={DMA2:#x}
        ldr r6, =3000
    wait:
        subs r6, #1
        beq over
        ldr r1, [r0, #16]
        lsls r1, r1, #31
        bne wait
    over:
    """,
    "a cell": f"""
        ldr r0, ={CELLS + 16:#x}
        ldr r2, [r0, #0]
        ldr r6, =2500
    wait:
        subs r6, #1
        beq over
        ldr r1, [r0, #0]
        cmp r1, r2
        beq wait
    over:
    """,
    "the end of a buffer": f"""
        ldr r0, ={BUFFER:#x}
        ldr r6, =4000
    wait:
        subs r6, #1
        beq over
        ldr r1, [r0, #80]
        cmp r1, r3
        bne wait
    over:
    """,
    "the handler's count": f"""
        ldr r0, ={CELLS + 0x400:#x}
        ldr r2, [r0, #0]
        ldr r6, =2500
    wait:
        subs r6, #1
        beq over
        ldr r1, [r0, #0]
        cmp r1, r2
        beq wait
    over:
    """,
    "a counter in a cell": f"""
        ldr r0, ={CELLS:#x}
        ldr r6, =900
    wait:
        ldr r1, [r0, #20]
        adds r1, #1
        str r1, [r0, #20]
        subs r6, #1
        bne wait
    """,
}

HANDLER = f"""
done:
    ldr r0, ={DMA1:#x}
    ldr r1, [r0, #0]
    str r1, [r0, #8]
    ldr r1, [r0, #4]
    str r1, [r0, #12]
    ldr r0, ={DMA2:#x}
    ldr r1, [r0, #0]
    str r1, [r0, #8]
    ldr r0, ={CELLS + 0x400:#x}
    ldr r1, [r0, #0]
    adds r1, #1
    str r1, [r0, #0]
    bx lr
"""
VECTORS = {15: "tick", 28: "done", 33: "done", 72: "done"}


def labelled(body: str, n: int) -> str:
    return re.sub(r"\b(loop\d|wait|over)\b", rf"\1x{n}", body)


@settings(max_examples=20, deadline=None)
@given(
    engines=st.lists(st.sampled_from(sorted(ENGINES)), min_size=1, max_size=3, unique=True),
    period=st.integers(60, 6000),
    body=st.lists(
        st.one_of(plain(), loops(), st.sampled_from(sorted(WAITS)).map(WAITS.get)),
        min_size=1, max_size=5,
    ),
    sleeps=st.booleans(),
    tick=st.one_of(st.none(), st.integers(300, 9000)),
    spans=st.lists(st.integers(10**6, 2 * 10**9), min_size=1, max_size=3),
)  # fmt: skip
def test_random_firmware_with_streams_runs_the_same_however_it_is_sped_up(
    engines, period, body, sleeps, tick, spans
) -> None:
    setup = "\n".join(ENGINES[name](period) for name in engines)
    lines = "\n".join(labelled(one, n) for n, one in enumerate(body))
    text = f"""
    start:
        {clocks()}
        {setup}
        {TICK.format(period=tick) if tick else ""}
        ldr r0, ={CELLS:#x}
        movs r1, #0
        movs r2, #0
        movs r3, #0
        movs r4, #0
        movs r5, #0
    round:
        {lines}
        {"wfi" if sleeps else "nop"}
        ldr r0, ={CELLS:#x}
        b.w round
    {TICKS}
    {HANDLER}
    """
    try:
        firmware(text, VECTORS)
    except EmissionError:
        return  # a register that an encoding does not take
    same_run(text, VECTORS, sorted(spans))


@pytest.mark.parametrize("engine", sorted(ENGINES))
@pytest.mark.parametrize("wait", sorted(WAITS))
def test_each_wait_beside_each_stream_is_the_same_run(engine: str, wait: str) -> None:
    text = f"""
    start:
        {clocks()}
        {ENGINES[engine](777)}
        movs r3, #0
    round:
        {WAITS[wait]}
        b.w round
    {TICKS}
    {HANDLER}
    """
    same_run(text, VECTORS, [10**6, 3 * 10**8, 2 * 10**9])
