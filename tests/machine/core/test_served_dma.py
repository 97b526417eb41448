"""A serial port by DMA, beside SysTick, that native code serves: the same as by the engine."""

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
from fwgen.machine import Machine
from fwgen.machine.native import library
from fwgen.machine.pads import join
from fwgen.trace import Edge, Hazard, Sleep, Wake, dump_trace
from tests.effort import often
from tests.machine.core.firmware import FLASH, STACK, TABLE, assemble
from tests.machine.core.serving import bytes_of, left_by, same

if TYPE_CHECKING:
    from fwgen.board.types import Board
    from fwgen.trace import Trace

pytestmark = pytest.mark.skipif(library() is None, reason="the native code was not built")

BOARD = load_board("nucleo-f401")
MS, US = 10**9, 10**6
USART2, DMA1, SYSTICK = 0x4000_4400, 0x4002_6000, 0xE000_E010
IN, OUT = DMA1 + 0x10 + 0x18 * 5, DMA1 + 0x10 + 0x18 * 6
BUFFER = 0x2000_0100
MINC, CIRC, TO_PERIPHERAL, TCIE, HTIE, TEIE, EN = 1 << 10, 1 << 8, 1 << 6, 16, 8, 4, 1
CHANNEL_4 = 4 << 25
RXNEIE, IDLEIE, TCIE_1, EIE = 0x20, 0x10, 0x40, 1

# What has come is sent, up to the end of the buffer, from where it lies: as good drivers do it.
SEND = """
send: push {{r4, r5, lr}}
ldr r4, =0x20000000
ldr r0, [r4, #4]
cmp r0, #0
bne out
ldr r1, ={input:#x}
ldr r1, [r1, #4]
ldr r2, ={size}
subs r1, r2, r1
ldr r3, [r4, #0]
cmp r1, r3
beq out
bhi some
mov r1, r2
some: subs r1, r1, r3
beq out
str r1, [r4, #4]
ldr r0, ={dma:#x}
ldr r2, =0x3d0000
str r2, [r0, #12]
{before_start}
ldr r0, ={output:#x}
ldr r2, ={buffer:#x}
adds r2, r2, r3
str r2, [r0, #12]
str r1, [r0, #4]
ldr r2, ={start:#x}
str r2, [r0, #0]
out: pop {{r4, r5, pc}}
came: push {{r4, lr}}
ldr r0, ={dma:#x}
{looks}
ldr r1, =0xf40
str r1, [r0, #12]
bl send
pop {{r4, pc}}
gone: push {{r4, lr}}
ldr r0, ={dma:#x}
ldr r1, =0x3d0000
str r1, [r0, #12]
{after_end}
ldr r4, =0x20000000
ldr r0, [r4, #0]
ldr r1, [r4, #4]
adds r0, r0, r1
ldr r1, ={size}
cmp r0, r1
bcc low
subs r0, r0, r1
low: str r0, [r4, #0]
movs r1, #0
str r1, [r4, #4]
bl send
pop {{r4, pc}}
port: push {{r4, lr}}
ldr r0, ={usart:#x}
ldr r1, [r0, #0]
ldr r1, [r0, #4]
{port}
bl send
pop {{r4, pc}}
tick: ldr r0, =0x20000020
ldr r1, [r0, #0]
adds r1, #1
str r1, [r0, #0]
{tick}
bx lr
"""
# The HAL's way: DMAT is on while something is sent, and TC tells that it is out.
DMAT_ON = (
    f"ldr r2, ={USART2:#x}\nldr r5, =0xffffffbf\nstr r5, [r2]\nldr r5, =0xc1\nstr r5, [r2, #20]"
)
DMAT_OFF_AS_THE_HAL = (
    f"ldr r0, ={USART2 + 0x14:#x}\nagain_off: ldrex r1, [r0]\nbic r1, r1, #0x80\n"
    "strex r2, r1, [r0]\ncmp r2, #0\nbne again_off"
)
DMAT_OFF = (
    f"{DMAT_OFF_AS_THE_HAL}\nldr r0, ={USART2:#x}\n"
    "ldr r1, [r0, #12]\norr r1, r1, #0x40\nstr r1, [r0, #12]"
)
TC_HEARD = "ldr r1, [r0, #12]\nbic r1, r1, #0x40\nstr r1, [r0, #12]"
LOOKS = {
    "no look": "",
    "flags": "ldr r1, [r0, #4]\nldr r2, [r0, #0]",
    "registers": f"ldr r2, ={IN:#x}\nldr r1, [r2]\nldr r1, [r2, #8]\nldr r1, [r2, #12]\n"
    "ldr r1, [r2, #20]",
    "interrupts anew": f"ldr r2, ={IN:#x}\nldr r1, [r2]\nbic r3, r1, #8\n"
    "str r3, [r2]\nstr r1, [r2]",
}
# Outputs that are moved, and what cannot be: an open drain, an input, a reserved bit.
MOVES = {
    "toggles": "ldr r2, =0x40020000\nldr r1, [r2, #20]\neor r1, r1, #0x20\nstr r1, [r2, #20]",
    "sets and clears": "ldr r2, =0x40020000\nmovs r1, #0x60\nstr r1, [r2, #24]\n"
    "lsls r1, r1, #16\nstr r1, [r2, #24]",
    "both at once": "ldr r2, =0x40020000\nldr r1, =0x00600020\nstr r1, [r2, #24]\n"
    "ldr r1, =0x00200040\nstr r1, [r2, #24]",
    "reads back": "ldr r2, =0x40020000\nldr r1, [r2, #16]\nmvns r1, r1\nand r1, r1, #0x60\n"
    "str r1, [r2, #20]",
    "open drain": "ldr r2, =0x40020000\nldr r1, [r2, #20]\neor r1, r1, #0x100\nstr r1, [r2, #20]",
    "no output": "ldr r2, =0x40020000\nmovs r1, #0x80\nstr r1, [r2, #24]",
    "another port": "ldr r2, =0x40020800\nmovs r1, #0x80\nstr r1, [r2, #24]",
}
TICKS = {
    "counts": "",
    "looks": f"ldr r2, ={SYSTICK:#x}\nldr r1, [r2]\nldr r3, [r2, #8]\nstr r3, [r0, #4]\n"
    "ldr r3, [r2, #4]\nstr r1, [r0, #8]",
}


def slow(turns: int, label: str) -> str:
    """A loop that does nothing."""
    return f"movs r3, #{turns}\n{label}: subs r3, #1\nbne {label}"


WAITS = {
    "sleeps": "again: wfi\nb again",
    "spins": "again: b again",
    "counts": "ldr r4, =0x20000040\n"
    "again: ldr r5, [r4, #0]\nadds r5, #3\nstr r5, [r4, #0]\nb again",
    "works": "again: wfi\nldr r4, =0x20000040\nmovs r6, #40\n"
    "more: ldr r5, [r4, #0]\nadds r5, r5, r6\nstr r5, [r4, #0]\nsubs r6, #1\nbne more\nb again",
    "watches": f"ldr r4, =0x20000040\nldr r6, ={IN:#x}\nagain: ldr r5, [r6, #4]\nstr r5, [r4, #0]\n"
    f"ldr r5, ={SYSTICK:#x}\nldr r5, [r5, #8]\nstr r5, [r4, #4]\nwfi\nb again",
    "masks": "ldr r4, =0x20000040\nagain: cpsid i\nldr r5, [r4, #0]\nadds r5, #3\n"
    "str r5, [r4, #0]\nwfi\ncpsie i\nb again",
    "takes": f"ldr r4, ={USART2:#x}\nagain: add r5, r4, #20\nldrex r6, [r5]\n"
    "orr r6, r6, #1\nstrex r7, r6, [r5]\ncmp r7, #0\nbne again\nwfi\nb again",
    "stops and starts": f"ldr r4, ={IN:#x}\nldr r7, ={DMA1:#x}\nagain: wfi\nadds r6, #1\n"
    "tst r6, #7\nbne again\nldr r5, [r4]\nbic r5, r5, #1\nstr r5, [r4]\n"
    "ldr r5, =0xf40\nstr r5, [r7, #12]\nldr r5, ={size}\nstr r5, [r4, #4]\n"
    "ldr r5, [r4]\norr r5, r5, #1\nstr r5, [r4]\nb again",
}


@dataclass(frozen=True)
class Firmware:
    """What runs, and what is sent to it."""

    size: int = 32
    brr: int = 16
    baud: int = 1_000_000
    length: int = 300
    begins_ps: int = MS
    wait: str = WAITS["sleeps"]
    looks: str = ""
    hal: bool = False
    port: str = ""
    tick: str = ""
    ticks: int = 0
    divided: bool = False
    in_flags: int = TCIE | HTIE
    out_flags: int = TCIE
    in_level: int = 0  # PL
    out_level: int = 0
    priorities: tuple[int, int, int, int] = (0, 0, 0, 0)  # in, out, port, SysTick
    grouping: int = 0
    before: str = ""  # of all that
    cuts: tuple[int, ...] = ()


def image(one: Firmware) -> Image:
    start = CHANNEL_4 | MINC | TO_PERIPHERAL | one.out_flags | one.out_level << 16 | EN
    text = SEND.format(
        input=IN, output=OUT, dma=DMA1, usart=USART2, size=one.size, buffer=BUFFER, start=start,
        before_start=DMAT_ON if one.hal else "", after_end=DMAT_OFF if one.hal else "",
        looks=one.looks, port=TC_HEARD if one.hal else one.port, tick=one.tick,
    )  # fmt: skip
    lines: list[str] = [one.before]

    def write(address: int, value: int) -> None:
        lines.extend((f"ldr r0, ={address:#x}", f"ldr r1, ={value:#x}", "str r1, [r0, #0]"))

    write(0x4002_3830, 1 | 1 << 21)
    write(0x4002_3840, 1 << 17)
    write(0x4002_0020, 0x7700)
    write(0x4002_0004, 1 << 8)  # PA8 is an open drain
    write(0x4002_0000, 0xA801_14A0)  # PA5, PA6 and PA8 are outputs
    write(USART2 + 8, one.brr)
    write(0xE000_ED0C, 0x05FA_0000 | one.grouping << 8)
    into, out, port, tick = one.priorities
    write(0xE000_E410, into | out << 8)
    write(0xE000_E424, port << 16)
    write(0xE000_ED20, tick << 24)
    write(0xE000_E100, 1 << 16 | 1 << 17)
    write(0xE000_E104, 1 << 6)
    write(IN + 8, USART2 + 4)
    write(OUT + 8, USART2 + 4)
    write(IN + 12, BUFFER)
    write(IN + 4, one.size)
    write(IN, CHANNEL_4 | MINC | CIRC | one.in_flags | one.in_level << 16 | EN)
    write(USART2 + 0x14, 0x40 | EIE if one.hal else 0xC0)
    write(USART2 + 0xC, 0x200C | IDLEIE)
    if one.ticks:
        write(SYSTICK + 4, one.ticks - 1)
        write(SYSTICK + 8, 0)
        write(SYSTICK, 3 if one.divided else 7)
    lines += ["movs r6, #0", one.wait.replace("{size}", str(one.size))]
    base = FLASH + TABLE
    code, labels = assemble(text + "\nforever: b forever\nbegin:" + "\n".join(["", *lines]), base)
    table = [STACK, labels["begin"] | 1] + [labels["forever"] | 1] * (TABLE // 4 - 2)
    for number, name in ((15, "tick"), (32, "came"), (33, "gone"), (54, "port")):
        table[number] = labels[name] | 1
    data = struct.pack(f"<{TABLE // 4}I", *table) + code
    return Image((Segment(FLASH, data),), table[1], STACK, (), core="cortex-m4f")


def both_ways(
    board: Board, one: Firmware, span_ps: int = 5 * MS, *, unskipped: bool = False
) -> tuple[Trace, int]:
    """The trace, and how often native code served."""
    data = bytes(n * 5 + 10 & 0xFF for n in range(one.length))
    stimuli = [Send("USART2", one.begins_ps, data, one.baud)] if one.length else []
    return same(board, image(one), stimuli, span_ps, cuts=one.cuts, unskipped=unskipped)


@pytest.mark.parametrize("wait", WAITS)
@pytest.mark.parametrize("hal", [False, True])
def test_what_comes_and_goes_by_dma_is_served(board: Board, hal: bool, wait: str) -> None:
    trace, served = both_ways(board, Firmware(hal=hal, wait=WAITS[wait]))
    came = bytes_of(trace, "rx")
    assert len(came) == 300
    if wait != "stops and starts":
        assert bytes_of(trace, "tx") == came
        assert served > 30
        assert not list(trace.of(Hazard))


def test_most_of_it_is_served(board: Board) -> None:
    """Two interrupts for each half of the buffer, and for the end of what is sent."""
    trace, served = both_ways(board, Firmware(length=960), 12 * MS)
    woken = [event for event in trace.of(Wake) if event.cause != "USART2"]
    assert len(woken) >= 100
    assert served >= 0.8 * len(woken)
    assert len(list(trace.of(Sleep))) == len(list(trace.of(Wake))) + 1


@pytest.mark.parametrize("looks", LOOKS)
@pytest.mark.parametrize("tick", TICKS)
def test_what_a_handler_reads_is_what_the_engine_reads(board: Board, tick: str, looks: str) -> None:
    one = Firmware(looks=LOOKS[looks], tick=TICKS[tick], ticks=1600)
    _, served = both_ways(board, one)
    assert served > 60


@pytest.mark.parametrize(
    "priorities",
    [(0, 0, 0, 0xF0), (0xF0, 0xF0, 0xF0, 0), (0x80, 0x40, 0xC0, 0), (0x40, 0x80, 0, 0xC0)],
)
@pytest.mark.parametrize("grouping", [3, 5, 7])
def test_a_higher_priority_preempts(
    board: Board, grouping: int, priorities: tuple[int, int, int, int]
) -> None:
    one = Firmware(
        size=16, tick=slow(30, "rest"), looks=slow(20, "idle"), ticks=977,
        priorities=priorities, grouping=grouping, brr=32, baud=500_000,
    )  # fmt: skip
    _, served = both_ways(board, one, 8 * MS)
    assert served > 100


BEFORE = {
    "floating point": "ldr r0, =0xe000ed88\nldr r1, =0xf00000\nstr r1, [r0]\ndsb\nisb\n"
    "vmov.f32 s0, #1.0",
    "process stack": f"ldr r0, ={STACK - 0x800:#x}\nmsr psp, r0\nmovs r0, #2\nmsr control, r0\nisb",
    "unprivileged": None,
    "sleeps on exit": "ldr r0, =0xe000ed10\nmovs r1, #2\nstr r1, [r0]\ndsb",
    "flash that waits": "ldr r0, =0x40023c00\nmovs r1, #3\nstr r1, [r0]",
    "flash with prefetch": "ldr r0, =0x40023c00\nldr r1, =0x107\nstr r1, [r0]",
}


@pytest.mark.parametrize("before", BEFORE)
def test_whatever_is_interrupted_is_served(board: Board, before: str) -> None:
    text = BEFORE[before]
    one = Firmware(ticks=1600, priorities=(0x80, 0x40, 0x20, 0), tick=TICKS["looks"])
    if text is None:
        one = replace(one, wait="movs r0, #1\nmsr control, r0\nisb\n" + WAITS["sleeps"])
    else:
        one = replace(one, before=text)
    _, served = both_ways(board, one)
    assert served > 60


@pytest.mark.parametrize("move", MOVES)
def test_a_handler_that_moves_pins_is_served(board: Board, move: str) -> None:
    trace, served = both_ways(board, Firmware(looks=MOVES[move], ticks=1600, tick=MOVES["toggles"]))
    assert served > (0 if move in ("open drain", "another port") else 60)
    assert len([event for event in trace.of(Edge) if event.pin == "PA5"]) > 40


def test_a_pin_that_somebody_listens_to_is_moved_by_the_engine(board: Board) -> None:
    """PA5 is wired to PA8: that follows at once."""
    left = []
    for native in (True, False):
        with Machine(board, native=native) as machine:
            machine.load(image(Firmware(looks=MOVES["toggles"])))
            join(0, [machine.soc.fabric.pads[name] for name in ("PA5", "PA7")])
            machine.stimulate(Send("USART2", MS, bytes(100), 1_000_000))
            machine.advance(3 * MS)
            left.append((dump_trace(machine.trace()), left_by(machine)))
    assert left[0] == left[1]


def test_systick_by_itself_is_served_where_a_port_talks(board: Board) -> None:
    one = Firmware(ticks=160, tick=TICKS["looks"], divided=True, length=500)
    trace, served = both_ways(board, one, 7 * MS)
    assert served > 100
    assert any(event.cause == "SysTick" for event in trace.of(Wake))


@pytest.mark.parametrize("flags", [0, TCIE, HTIE, TCIE | HTIE | TEIE])
@pytest.mark.parametrize("levels", [(0, 0), (3, 0), (0, 2)])
def test_streams_share_the_ports_as_by_the_engine(
    board: Board, levels: tuple[int, int], flags: int
) -> None:
    one = Firmware(in_flags=flags, in_level=levels[0], out_level=levels[1], length=400)
    both_ways(board, one, 6 * MS)


def test_a_run_in_pieces_is_the_same_run(board: Board) -> None:
    whole, _ = both_ways(board, Firmware(), 5 * MS)
    parts, served = both_ways(board, Firmware(cuts=tuple(range(MS, 5 * MS, 37 * US + 1))), 5 * MS)
    assert served > 20
    assert dump_trace(parts) == dump_trace(whole)


firmwares = st.builds(
    Firmware,
    size=st.integers(1, 70),
    brr=st.sampled_from((16, 16, 17, 32, 33, 139)),
    baud=st.sampled_from((1_000_000, 990_000, 941_177, 500_000, 484_000, 115_200)),
    begins_ps=st.integers(MS // 2, MS),
    length=st.integers(0, 200),
    wait=st.sampled_from(tuple(WAITS.values())),
    looks=st.sampled_from((*LOOKS.values(), *MOVES.values(), slow(90, "idle"))),
    hal=st.booleans(),
    port=st.sampled_from(("", "ldr r1, [r0, #0]", "nop")),
    tick=st.sampled_from((*TICKS.values(), *MOVES.values(), slow(90, "rest"))),
    ticks=st.sampled_from((0, 500, 977, 16_000)),
    divided=st.booleans(),
    in_flags=st.sampled_from((0, TCIE, HTIE, TCIE | HTIE, TCIE | HTIE | TEIE)),
    out_flags=st.sampled_from((0, TCIE, TCIE, TCIE | HTIE)),
    in_level=st.integers(0, 3),
    out_level=st.integers(0, 3),
    priorities=st.tuples(*[st.sampled_from((0, 0x10, 0x40, 0xF0))] * 4),
    grouping=st.integers(3, 7),
    before=st.sampled_from(("", "", *filter(None, BEFORE.values()))),
    cuts=st.lists(st.integers(0, 4 * MS), max_size=3).map(tuple),
)


@settings(max_examples=often(45), deadline=None)
@given(firmwares)
def test_whatever_is_served_is_the_same_by_the_engine(one: Firmware) -> None:
    both_ways(BOARD, one, 4 * MS, unskipped=True)
