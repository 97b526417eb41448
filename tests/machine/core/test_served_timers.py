"""Timers that interrupt, which native code serves: the same as by the engine."""

from __future__ import annotations

import struct
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fwgen.board import load_board
from fwgen.contract import Send
from fwgen.image.types import Image, Segment
from fwgen.machine.native import library
from fwgen.trace import Edge, Hazard, Sleep, Wake, dump_trace
from tests.effort import often
from tests.machine.core.firmware import FLASH, STACK, TABLE, assemble
from tests.machine.core.serving import same
from tests.machine.core.test_served_dma import MOVES

if TYPE_CHECKING:
    from fwgen.board.types import Board
    from fwgen.trace import Trace

pytestmark = pytest.mark.skipif(library() is None, reason="the native code was not built")

BOARD = load_board("nucleo-f401")
MS, US = 10**9, 10**6
BASES = {"TIM1": 0x4001_0000, "TIM2": 0x4000_0000, "TIM3": 0x4000_0400, "TIM10": 0x4001_4400}
IRQS = {"TIM1": 25, "TIM2": 28, "TIM3": 29, "TIM10": 25}
USART2 = 0x4000_4400
UIE, CC1IE, CC2IE = 1, 2, 4

# Each counts its interrupts; the flags it found are told by a register that adds them up.
HANDLER = """
{name}: ldr r0, ={base:#x}
ldr r1, [r0, #16]
ldr r2, [r0, #12]
ands r1, r2
mvns r2, r1
str r2, [r0, #16]
ldr r2, ={cell:#x}
ldr r3, [r2, #0]
adds r3, #1
str r3, [r2, #0]
ldr r3, [r2, #4]
adds r3, r3, r1
str r3, [r2, #4]
{does}
bx lr
"""
DOES = {
    "nothing": "",
    "reads the count": "ldr r3, [r0, #36]\nstr r3, [r2, #8]",
    "reads the rest": "ldr r3, [r0]\nldr r3, [r0, #40]\nldr r3, [r0, #44]\nldr r3, [r0, #52]\n"
    "str r3, [r2, #8]",
    "turns one off and on": "ldr r3, [r2]\nands r3, r3, #1\nldr r1, [r0, #12]\n"
    "bfi r1, r3, #1, #1\nstr r1, [r0, #12]",
    "compares anew": "ldr r3, [r0, #52]\nadds r3, #7\nstr r3, [r0, #52]",
    "another period": "ldr r3, [r0, #44]\neor r3, r3, #1\nstr r3, [r0, #44]",
    "switches off": "ldr r3, [r2]\ncmp r3, #20\nbne stay\n"
    "movs r3, #0\nstr r3, [r0, #12]\nstay: nop",
    **{what: MOVES[what] for what in ("toggles", "sets and clears", "open drain")},
}
LAST = "movs r2, #0\nstr r2, [r0, #16]"
WAITS = {
    "sleeps": "again: wfi\nb again",
    "spins": "again: b again",
    "counts": "ldr r4, =0x20000040\nagain: ldr r5, [r4]\nadds r5, #3\nstr r5, [r4]\nb again",
    "masks": "ldr r4, =0x20000040\nagain: cpsid i\nldr r5, [r4, #0]\nadds r5, #3\n"
    "str r5, [r4, #0]\nwfi\ncpsie i\nb again",
    "watches": "ldr r4, =0x40000000\nldr r5, =0x20000040\nagain: ldr r6, [r4, #36]\n"
    "str r6, [r5]\nldr r6, [r4, #16]\nstr r6, [r5, #4]\nb again",
}


@dataclass(frozen=True)
class Counts:
    """A timer, and what its handler does."""

    name: str = "TIM2"
    psc: int = 0
    arr: int = 999
    dier: int = UIE
    compares: tuple[int, ...] = ()  # CCR1 ...
    does: str = ""
    priority: int = 0
    cr1: int = 1


@dataclass(frozen=True)
class Firmware:
    """What runs."""

    timers: tuple[Counts, ...] = (Counts(),)
    wait: str = WAITS["sleeps"]
    ticks: int = 0  # of SysTick
    echoes: int = 0  # bytes that USART2 is sent, and echoes
    cuts: tuple[int, ...] = ()
    handler: str = HANDLER


ECHO = """
echo: ldr r0, =0x40004400
ldr r1, [r0, #0]
lsls r2, r1, #26
bpl over
ldrb r1, [r0, #4]
strb r1, [r0, #4]
over: bx lr
tick: ldr r0, =0x20000020
ldr r1, [r0, #0]
adds r1, #1
str r1, [r0, #0]
bx lr
"""


def image(one: Firmware) -> Image:
    text = ECHO
    for n, timer in enumerate(one.timers):
        text += one.handler.format(
            name=f"on_{n}", base=BASES[timer.name], cell=0x2000_0100 + 16 * n,
            does=timer.does.replace("stay", f"stay_{n}"),
        )  # fmt: skip
    lines: list[str] = []

    def write(address: int, value: int) -> None:
        lines.extend((f"ldr r0, ={address:#x}", f"ldr r1, ={value:#x}", "str r1, [r0, #0]"))

    write(0x4002_3830, 1)
    write(0x4002_3840, 1 << 17 | 3)
    write(0x4002_3844, 1 | 1 << 17)
    write(0x4002_0020, 0x7700)
    write(0x4002_0004, 1 << 8)  # PA8 is an open drain
    write(0x4002_0000, 0xA801_14A0)  # PA5, PA6 and PA8 are outputs
    if one.echoes:
        write(USART2 + 8, 16)
        write(0xE000_E104, 1 << 6)
        write(USART2 + 0xC, 0x202C)
    if one.ticks:
        write(0xE000_E014, one.ticks - 1)
        write(0xE000_E018, 0)
        write(0xE000_E010, 7)
    for timer in one.timers:
        base, irq = BASES[timer.name], IRQS[timer.name]
        for n, compare in enumerate(timer.compares):
            write(base + 0x34 + 4 * n, compare)
        write(base + 0x28, timer.psc)
        write(base + 0x2C, timer.arr)
        write(base + 0x14, 1)  # UG
        write(base + 0x10, 0)
        write(base + 0x0C, timer.dier)
        lines += [f"ldr r0, ={0xE000_E400 + irq:#x}", f"movs r1, #{timer.priority}",
                  "strb r1, [r0]"]  # fmt: skip
        write(0xE000_E100, 1 << irq)
        write(base, timer.cr1)
    lines.append(one.wait)
    base = FLASH + TABLE
    code, labels = assemble(text + "\nforever: b forever\nbegin:" + "\n".join(["", *lines]), base)
    table = [STACK, labels["begin"] | 1] + [labels["forever"] | 1] * (TABLE // 4 - 2)
    table[15], table[54] = labels["tick"] | 1, labels["echo"] | 1
    for n, timer in enumerate(one.timers):
        table[16 + IRQS[timer.name]] = labels[f"on_{n}"] | 1
    data = struct.pack(f"<{TABLE // 4}I", *table) + code
    return Image((Segment(FLASH, data),), table[1], STACK, (), core="cortex-m4f")


def both_ways(
    board: Board, one: Firmware, span_ps: int = 5 * MS, *, unskipped: bool = False
) -> tuple[Trace, int]:
    """The trace, and how often native code served."""
    data = bytes(n * 5 + 10 & 0xFF for n in range(one.echoes))
    stimuli = [Send("USART2", MS, data, 1_000_000)] if data else []
    return same(board, image(one), stimuli, span_ps, cuts=one.cuts, unskipped=unskipped)


@pytest.mark.parametrize("wait", WAITS)
def test_a_timer_s_interrupt_is_served(board: Board, wait: str) -> None:
    trace, served = both_ways(board, Firmware(wait=WAITS[wait]))
    assert served > (70 if wait in ("sleeps", "spins") else 30)
    if wait == "sleeps":
        assert len(list(trace.of(Wake))) == 79
        assert len(list(trace.of(Sleep))) == 80


@pytest.mark.parametrize("does", DOES)
def test_what_a_handler_does_is_the_same(board: Board, does: str) -> None:
    one = Counts(psc=3, arr=249, dier=UIE | CC1IE, compares=(100,), does=DOES[does])
    _, served = both_ways(board, Firmware((one,)))
    still = does not in ("compares anew", "another period", "open drain", "switches off")
    assert served > (60 if still else -1)


@pytest.mark.parametrize("compares", [(0,), (999,), (1000,), (5000,), (1, 2), (500, 500)])
@pytest.mark.parametrize("dier", [UIE, CC1IE, UIE | CC1IE, CC2IE | CC1IE])
def test_flags_rise_where_the_count_matches(
    board: Board, dier: int, compares: tuple[int, ...]
) -> None:
    _, served = both_ways(board, Firmware((Counts(dier=dier, compares=compares),)))
    assert served > 65


@pytest.mark.parametrize("name", ["TIM1", "TIM3", "TIM10"])
def test_each_timer_is_served(board: Board, name: str) -> None:
    _, served = both_ways(board, Firmware((Counts(name),)))
    assert served > 65


@pytest.mark.parametrize("cr1", [0x81, 0x11, 0x21, 0x05, 0x03, 0x09])
def test_modes_of_counting_are_the_same(board: Board, cr1: int) -> None:
    both_ways(board, Firmware((Counts(cr1=cr1, does=DOES["another period"]),)))


def test_timers_systick_and_a_port_take_turns(board: Board) -> None:
    timers = (
        Counts("TIM2", arr=739, priority=0x40, does=DOES["toggles"]),
        Counts("TIM3", psc=2, arr=310, dier=UIE | CC1IE, compares=(77,), priority=0x20),
    )
    trace, served = both_ways(board, Firmware(timers, ticks=1777, echoes=200))
    assert served > 300
    assert {event.cause for event in trace.of(Wake)} == {"TIM2", "TIM3", "USART2", "SysTick"}
    assert len([event for event in trace.of(Edge) if event.pin == "PA5"]) > 90


def test_two_timers_of_one_interrupt_are_the_same(board: Board) -> None:
    both_ways(board, Firmware((Counts("TIM10", arr=700), Counts("TIM1", arr=510))))


@pytest.mark.parametrize("gap", range(4))
def test_a_flag_cleared_with_the_last_store_is_told(board: Board, gap: int) -> None:
    text = HANDLER.replace("str r2, [r0, #16]", "nop").replace("{does}", "{does}" + "\nnop" * gap)
    trace, served = both_ways(board, Firmware((Counts(does=LAST),), handler=text))
    told = any(event.code.startswith("flag-cleared") for event in trace.of(Hazard))
    assert told == (served == 0)


def test_a_run_in_pieces_is_the_same_run(board: Board) -> None:
    whole, _ = both_ways(board, Firmware())
    parts, served = both_ways(board, Firmware(cuts=tuple(range(MS, 5 * MS, 37 * US + 1))))
    assert served > 45
    assert dump_trace(parts) == dump_trace(whole)


timers = st.builds(
    Counts,
    name=st.sampled_from(("TIM1", "TIM2", "TIM3")),
    psc=st.sampled_from((0, 0, 1, 7, 99)),
    arr=st.integers(60, 3000),
    dier=st.sampled_from((UIE, UIE, CC1IE, UIE | CC1IE, 0x1F, 0)),
    compares=st.lists(st.integers(0, 3000), max_size=4).map(tuple),
    does=st.sampled_from(tuple(DOES.values())),
    priority=st.sampled_from((0, 0x10, 0x40, 0xF0)),
    cr1=st.sampled_from((1, 1, 1, 0x81, 0x05, 0x11, 0x101)),
)
firmwares = st.builds(
    Firmware,
    timers=st.lists(timers, min_size=1, max_size=3, unique_by=lambda one: one.name).map(tuple),
    wait=st.sampled_from(tuple(WAITS.values())),
    ticks=st.sampled_from((0, 977, 16_000)),
    echoes=st.sampled_from((0, 0, 60)),
    cuts=st.lists(st.integers(0, 3 * MS), max_size=3).map(tuple),
)


@settings(max_examples=often(45), deadline=None)
@given(firmwares)
def test_whatever_is_served_is_the_same_by_the_engine(one: Firmware) -> None:
    slow = tuple(replace(timer, psc=max(timer.psc, 200 // timer.arr)) for timer in one.timers)
    both_ways(BOARD, replace(one, timers=slow), 3 * MS, unskipped=True)
