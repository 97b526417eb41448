"""Waiting for the ADC is the same run however it is sped up, and costs next to nothing."""

from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from fwgen.board import load_board
from fwgen.contract import Analog
from fwgen.machine import Machine
from tests.effort import often
from tests.machine.core.firmware import GPIOA, firmware
from tests.machine.core.test_equivalence import WAYS, state
from tests.machine.scheduled import asked_of

BOARD = load_board("nucleo-f401")
US, MS = 10**6, 10**9

SETUP = f"""
start:
    {GPIOA}
    ldr r1, [r0, #0]
    orr r1, r1, #0x0f
    str r1, [r0, #0]
    ldr r1, =0x40023844
    mov.w r2, #0x100
    str r2, [r1]
    nop
    nop
    nop
    nop
    ldr r4, =0x40012000
    ldr r7, =0x20000800
    movs r1, #1
    str r1, [r4, #8]
    movs r1, #60
settle:
    subs r1, #1
    bne settle
"""
HANDLER = """
adc1:
    ldr r3, [r4, #0]
    ldr r5, [r4, #0x4c]
    str r5, [r7, #8]
    ldr r5, [r7, #12]
    adds r5, #1
    str r5, [r7, #12]
    movs r3, #0
    str r3, [r4, #0]
    bx lr
"""


def program(
    cr1: int, cr2: int, smp: int, channels: int, wait: int, delay: int, *, irq: bool
) -> str:
    """Start, wait for a flag, read, add up; wait a little; and again."""
    enable = "ldr r1, =0xe000e100\n mov.w r2, #0x40000\n str r2, [r1]" if irq else "nop"
    return f"""
    {SETUP}
        {enable}
        ldr r1, ={smp | smp << 3}
        str r1, [r4, #0x10]
        ldr r1, ={(channels - 1) << 20:#x}
        str r1, [r4, #0x2c]
        ldr r1, =0x20
        str r1, [r4, #0x34]
        ldr r1, =0x100000
        str r1, [r4, #0x38]
        ldr r1, =2500
        str r1, [r4, #0x24]
        ldr r1, ={cr1:#x}
        str r1, [r4, #4]
    round:
        ldr r1, ={cr2 | 0x4000_0001:#x}
        str r1, [r4, #8]
        ldr r6, =3000
    wait:
        subs r6, #1
        beq over
        ldr r1, [r4, #0]
        tst r1, #{wait}
        beq wait
    over:
        ldr r1, [r4, #0x4c]
        ldr r2, [r7, #0]
        adds r2, r2, r1
        str r2, [r7, #0]
        ldr r1, [r4, #0x3c]
        str r1, [r7, #4]
        ldr r1, ={delay}
    pause:
        subs r1, #1
        bne pause
        b.w round
    {HANDLER}
    """


voltage = st.one_of(
    st.tuples(st.integers(0, 3_300_000)).map(lambda v: {"points": ((0, v[0]),)}),
    st.tuples(st.integers(0, 3_300_000), st.integers(US, 3 * MS), st.integers(0, 3_300_000)).map(
        lambda v: {"points": ((0, v[0]), (v[1], v[2]))}
    ),
    st.just({"points": ((0, 1_650_000),), "amplitude_uv": 1_000_000, "period_ps": 700 * US}),
    st.just({"points": ((0, 1_650_000),), "noise_uv": 50_000}),
    st.just({"points": ()}),
)


@settings(max_examples=often(30), deadline=None)
@example(cr1=0, ie=0, cr2=0, smp=3, channels=1, wait=1, delay=1, volts=[], spans=[22_413_093])
@given(
    cr1=st.sampled_from([0, 0x100, 0x500, 0x80_0100, 0x900]),
    ie=st.sampled_from([0, 0, 0x20, 0x40, 0x400_0000]),
    cr2=st.sampled_from([0, 2, 0x400, 0x402, 0x800]),
    smp=st.sampled_from([0, 3, 7]),
    channels=st.integers(1, 3),
    wait=st.sampled_from([1, 2, 4]),
    delay=st.integers(1, 4000),
    volts=st.lists(st.tuples(st.sampled_from(["PA0", "PA1"]), st.integers(0, 8 * MS), voltage),
                   max_size=4),
    spans=st.lists(st.integers(US, 12 * MS), min_size=1, max_size=3),
)  # fmt: skip
def test_it_is_the_same_run(cr1, ie, cr2, smp, channels, wait, delay, volts, spans) -> None:
    image = firmware(
        program(cr1 | ie, cr2, smp, channels, wait, delay, irq=bool(ie)), {16 + 18: "adc1"}
    )
    plainly = Machine(BOARD, accelerate=False, native=False)
    others = [Machine(BOARD, **way) for way in WAYS]
    machines = (plainly, *others)
    try:
        for machine in machines:
            machine.load(image)
            for pin, at, shape in volts:
                machine.stimulate(Analog(pin, at, **shape))
        for span in sorted(spans):
            plainly.advance(span)
            wanted = state(plainly)
            for machine, way in zip(others, WAYS, strict=True):
                machine.advance(span)
                got = state(machine)
                for what, value in wanted.items():
                    assert got[what] == value, f"{what} differs, {way}, at {span}"
    finally:
        for machine in machines:
            machine.close()


def steps(program: str, span_ps: int) -> int:
    """How many times the scheduler was asked, in a run with one steady voltage."""
    machine = Machine(BOARD)
    try:
        machine.load(firmware(program, {16 + 18: "adc1"}))
        machine.stimulate(Analog("PA0", 0, ((0, 1_000_000),)))
        machine.stimulate(Analog("PA1", 0, ((0, 1_000_000),)))
        asked = asked_of(machine.soc)
        machine.advance(span_ps)
        return len(asked)
    finally:
        machine.close()


@pytest.mark.parametrize("wait", [1, 4])
def test_continuous_conversion_that_nobody_notices_costs_nothing(wait: int) -> None:
    # It waits for the watchdog, or the injected group, which never come.
    text = program(0x80_0100, 2, 3, 2, wait, 100, irq=False).replace("=3000", "=0x7fffffff")
    assert steps(text, 100 * MS) == steps(text, 10**12)
