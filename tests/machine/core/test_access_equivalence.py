"""However an access is done, it is the same access: native code answers as the models would.

Random firmware whose loop touches peripherals: flags that a byte raises and a read clears, a
button, counters, pins, clocks that are off, in and out of IT blocks, through pairs and multiples.
"""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fwgen.contract import Press, Send
from fwgen.errors import EmissionError
from fwgen.machine import Machine
from fwgen.machine.armv7m import engine as eng
from fwgen.machine.native import library
from fwgen.machine.peripheral import Peripheral
from tests.machine.core.firmware import firmware
from tests.machine.core.test_equivalence import BOARD, HANDLER, TICK, same_run

MS = 10**9
RCC, GPIOA, GPIOC, USART2 = 0x4002_3800, 0x4002_0000, 0x4002_0800, 0x4000_4400
TIM2, SYSTICK, DWT = 0x4000_0000, 0xE000_E010, 0xE000_1000
SETUP = f"""
    ldr r0, ={RCC:#x}
    movs r1, #5
    str r1, [r0, #0x30]
    ldr r1, =0x20001
    str r1, [r0, #0x40]
    ldr r1, [r0, #0x40]
    ldr r0, ={GPIOA:#x}
    ldr r1, =0xa80004a0
    str r1, [r0]
    ldr r1, =0x7700
    str r1, [r0, #0x20]
    ldr r0, =0xe000edfc
    ldr r1, =0x1000000
    str r1, [r0]
    ldr r0, ={DWT:#x}
    movs r1, #1
    str r1, [r0]
    ldr r0, ={USART2:#x}
    movs r1, #139
    str r1, [r0, #8]
    ldr r1, =0x200c
    str r1, [r0, #12]
    ldr r0, ={TIM2:#x}
    ldr r1, ={{psc}}
    str r1, [r0, #0x28]
    ldr r1, ={{arr}}
    str r1, [r0, #0x2c]
    movs r1, #1
    str r1, [r0, #0x14]
    str r1, [r0]
"""


def of(base: int, *lines: str) -> str:
    return f"ldr r0, ={base:#x}\n" + "\n".join(lines)


ACCESSES = [
    of(USART2, "ldr r1, [r0]"),
    of(USART2, "ldrb r1, [r0]", "ldrh r2, [r0]"),
    of(USART2, "ldr r1, [r0]", "ldr r2, [r0, #4]", "eors r5, r2"),
    of(USART2, "ldr r1, [r0]", "lsls r1, r1, #26", "it mi", "ldrmi r2, [r0, #4]"),
    of(USART2, "movs r1, #65", "str r1, [r0, #4]"),
    of(TIM2, "ldr r2, [r0, #0x24]"),
    of(TIM2, "ldr r3, [r0, #0x10]", "bics r3, r2", "str r3, [r0, #0x10]"),
    of(TIM2, "ldr r3, [r0, #0x10]", "ldr r4, [r0, #0x10]"),
    of(SYSTICK, "ldr r3, [r0, #8]"),
    of(SYSTICK, "ldr r4, [r0]"),
    of(DWT, "ldr r4, [r0, #4]", "ldr r3, [r0, #4]", "subs r3, r3, r4"),
    of(GPIOC, "ldr r1, [r0, #16]", "ldr r2, [r0, #16]"),
    of(GPIOA, "ldr r1, [r0, #16]", "eors r5, r1"),
    of(GPIOA, "movs r3, #32", "str r3, [r0, #24]"),
    of(GPIOA, "ldr r3, [r0, #20]", "movs r4, #32", "eors r3, r4", "str r3, [r0, #20]"),
    of(GPIOA, "cmp r2, r1", "ite hi", "ldrhi r3, [r0, #16]", "ldrls r3, [r0, #20]"),
    of(GPIOA, "ldm r0, {r1, r2, r3, r4}"),
    of(GPIOA, "ldrd r1, r2, [r0, #16]"),
    of(0x4002_0400, "ldr r1, [r0, #16]"),  # its clock is off
    of(RCC, "ldr r1, [r0, #0x30]", "orr r1, r1, #8", "str r1, [r0, #0x30]"),
    of(RCC, "ldr r1, [r0]", "ldr r2, [r0, #8]"),
    of(0x4002_0C00, "ldr r1, [r0, #16]"),  # which may have been clocked just now
    of(0xE000_E104, "movs r1, #64", "str r1, [r0]", "ldr r2, [r0]"),
    of(0x4242_0210, "ldr r1, [r0]"),  # a bit of GPIOA_IDR, through its alias
    of(0x2000_0040, "ldrd r1, r2, [r0]", "adds r1, #1", "strd r2, r1, [r0]"),
    of(0x2000_0040, "ldm r0!, {r1, r2}", "stm r0!, {r1, r2}"),
]  # fmt: skip


@settings(max_examples=20, deadline=None)
@given(
    body=st.lists(st.sampled_from(ACCESSES), min_size=1, max_size=8),
    psc=st.sampled_from([0, 1, 15, 159]), arr=st.sampled_from([3, 40, 999]),
    tick=st.one_of(st.none(), st.integers(300, 9000)),
    again=st.integers(1, 40),
    spans=st.lists(st.integers(10**7, 3 * 10**8), min_size=2, max_size=3),
)  # fmt: skip
def test_what_a_loop_reads_and_writes_is_the_same_in_native_code(
    body: list[str], psc: int, arr: int, tick: int | None, again: int, spans: list[int]
) -> None:
    text = f"""
    start:
        {SETUP.format(psc=psc, arr=arr)}
        {TICK.format(period=tick) if tick else ""}
        movs r5, #0
    turn:
        movs r6, #{again}
    repeat:
        {chr(10).join(body)}
        subs r6, #1
        bne.w repeat
        b.w turn
    {HANDLER}
    """
    try:
        firmware(text, {15: "tick"})
    except EmissionError:
        return  # a branch that does not reach
    stimuli = [Send("USART2", 6 * 10**7, b"AB"), Press("B1", 10**8, 10**8)]
    ends = [sum(spans[: n + 1]) for n in range(len(spans))]
    same_run(text, {15: "tick"}, ends, stimuli=stimuli)


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Offsets of the reads that Python does from now on."""
    made: list[int] = []
    plainly = Peripheral.read
    monkeypatch.setattr(
        Peripheral, "read", lambda self, at, size, t: made.append(at) or plainly(self, at, size, t)
    )
    return made


@pytest.mark.skipif(library() is None, reason="the native code was not built")
def test_native_code_answers_for_registers_that_only_events_change(
    reads: list[int],
) -> None:
    text = f"""
    start:
        {SETUP.format(psc=0, arr=999)}
        ldr r0, ={USART2:#x}
        ldr r4, ={SYSTICK:#x}
        movs r2, #5
        str r2, [r4]
        ldr r3, =0xffffff
        str r3, [r4, #4]
        ldr r6, ={DWT:#x}
    turn:
        ldr r1, [r0]
        ldr r2, [r4, #8]
        adds r5, r5, r2
        ldr r2, [r6, #4]
        adds r5, r5, r2
        b turn
    """
    with Machine(BOARD, accelerate=False, native=True) as machine:
        machine.load(firmware(text))
        machine.advance(MS)
        before = len(reads)
        machine.advance(2 * MS)
    assert len(reads) - before < 10


@pytest.mark.skipif(library() is None, reason="the native code was not built")
def test_who_waits_for_countflag_is_answered_by_native_code_until_it_rises(
    reads: list[int],
) -> None:
    text = f"""
    start:
        ldr r4, ={SYSTICK:#x}
        ldr r3, =1599
        str r3, [r4, #4]
        movs r3, #5
        str r3, [r4]
        movs r5, #0
    turn:
        ldr r1, [r4]
        lsls r1, r1, #15
        bpl turn
        adds r5, #1     @ a tenth of a millisecond
        b turn
    """
    seen = []
    for way in ({"native": True}, {"native": False}, {"native": True, "accelerate": True}):
        with Machine(BOARD, **({"accelerate": False} | way)) as machine:
            machine.load(firmware(text))
            reads.clear()
            machine.advance(10 * MS)
            core = machine.core
            seen.append((core.engine.read(eng.R0 + 5), core.cycle, core.pc, len(reads)))
    assert seen[0][:3] == seen[1][:3] == seen[2][:3]
    assert seen[0][0] in (99, 100)
    assert seen[0][3] < 4 * 100  # some 22,000 were made
