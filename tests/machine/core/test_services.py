"""Interrupts of a serial port that native code serves: the same as by the engine."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fwgen.board import load_board
from fwgen.contract import Send
from fwgen.image.types import Image, Segment
from fwgen.machine import Machine
from fwgen.machine.native import library
from fwgen.trace import Fault, Hazard, SerialByte, Sleep, Wake, dump_trace
from tests.effort import often
from tests.machine.core.firmware import FLASH, STACK, TABLE, assemble
from tests.machine.core.serving import bytes_of, run, same

if TYPE_CHECKING:
    from fwgen.board.types import Board
    from fwgen.trace import Event, Trace

pytestmark = pytest.mark.skipif(library() is None, reason="the native code was not built")

BOARD = load_board("nucleo-f401")
MS, US = 10**9, 10**6
RAM = 0x2000_0000
USART2 = 0x4000_4400
IRQ = 38
TXEIE, TCIE, RXNEIE = 0x80, 0x40, 0x20
ON = 0x200C  # UE, TE, RE

ECHO = """
ldr r0, =0x40004400
ldr r1, [r0, #0]
lsls r2, r1, #26
bpl done
ldrb r1, [r0, #4]
strb r1, [r0, #4]
done: bx lr
"""
COUNT = """
ldr r0, =0x40004400
ldr r1, [r0, #0]
ldr r1, [r0, #4]
ldr r2, =0x20000000
ldr r3, [r2, #0]
adds r3, r3, r1
str r3, [r2, #0]
cmp r1, #10
bne done
ldr r3, [r2, #4]
adds r3, #1
str r3, [r2, #4]
done: bx lr
"""
# A ring in each direction; what came in goes out by TXE, which is off while nothing waits.
RINGS = """
push {r4, r5, lr}
ldr r0, =0x40004400
ldr r4, =0x20000000
ldr r1, [r0, #0]
lsls r2, r1, #26
bpl sends
ldr r2, [r0, #4]
uxtb r2, r2
ldrh r3, [r4, #0]
adds r5, r4, r3
strb r2, [r5, #16]
adds r3, #1
uxtb r3, r3
strh r3, [r4, #0]
ldr r2, [r0, #12]
movs r3, #128
orrs r2, r3
str r2, [r0, #12]
sends: ldr r2, [r0, #12]
ands r1, r2
lsls r1, r1, #24
bpl done
ldrh r3, [r4, #2]
ldrh r5, [r4, #0]
cmp r3, r5
beq empty
adds r5, r4, r3
ldrb r2, [r5, #16]
strh r2, [r0, #4]
adds r3, #1
uxtb r3, r3
strh r3, [r4, #2]
b done
empty: movs r3, #128
bics r2, r3
str r2, [r0, #12]
done: pop {r4, r5, pc}
"""
# Sends what lies in memory, over and over, with its own counter in the stack's way.
STREAM = """
ldr r0, =0x40004400
ldr r1, =0x20000000
ldr r2, [r1, #0]
adds r2, #1
str r2, [r1, #0]
lsls r3, r2, #25
lsrs r3, r3, #25
adds r3, r3, r1
ldrb r3, [r3, #4]
str r3, [r0, #4]
nop
nop
done: bx lr
"""
# Looks at TC, and sends again when a byte is out.
LAST = """
ldr r0, =0x40004400
ldr r1, [r0, #0]
lsls r2, r1, #25
bpl done
movs r1, #0x55
str r1, [r0, #4]
nop
nop
done: bx lr
"""
HANDLERS = {"echo": ECHO, "count": COUNT, "rings": RINGS, "stream": STREAM, "last": LAST}
WAIT = "again: wfi\nb again"
# What came in is added up, with a call, before it sleeps again.
WORK = """
again: wfi
bl work
b again
work: push {r4, lr}
ldr r4, =0x20000200
movs r1, #5
more: ldr r0, [r4, #0]
adds r0, r0, r1
str r0, [r4, #0]
subs r1, #1
bne more
pop {r4, pc}
"""
# It puts off what came in until it is awake anyway: then the port asks while it works.
LONG = WORK.replace("movs r1, #5", "movs r1, #200")


SPIN = "again: b again"
COUNTS = """
ldr r4, =0x20000200
again: ldr r5, [r4, #0]
adds r5, #3
str r5, [r4, #0]
ldr r6, [r4, #4]
cmp r6, r5
ite hi
movhi r7, #1
movls r7, #2
b again
"""
# Awake, it takes from the ring what the handler put there, and sends it as soon as it can.
DRAINS = """
ldr r4, =0x20000000
ldr r5, =0x40004400
again: ldrh r6, [r4, #0]
ldrh r7, [r4, #2]
cmp r6, r7
beq again
adds r6, r4, r7
ldrb r6, [r6, #16]
full: ldr r0, [r5, #0]
lsls r0, r0, #24
bpl full
strb r6, [r5, #4]
adds r7, #1
uxtb r7, r7
strh r7, [r4, #2]
b again
"""
KEEPS = """
ldr r0, =0x40004400
ldr r1, [r0, #0]
lsls r1, r1, #26
bpl done
ldr r1, [r0, #4]
ldr r2, =0x20000000
ldrh r3, [r2, #0]
adds r0, r2, r3
strb r1, [r0, #16]
adds r3, #1
uxtb r3, r3
strh r3, [r2, #0]
done: bx lr
"""
HANDLERS["keeps"] = KEEPS
TICK = """
ldr r0, =0x20000300
ldr r1, [r0, #0]
adds r1, #1
str r1, [r0, #0]
bx lr
"""
# What is shared is looked at with interrupts masked; WFI wakes up with them masked, too.
MASKS = """
ldr r4, =0x20000200
again: cpsid i
ldr r5, [r4, #0]
adds r5, #1
str r5, [r4, #0]
wfi
mrs r6, primask
cpsie i
str r6, [r4, #4]
mrs r6, primask
cpsid i
ldr r7, [r4, #8]
adds r7, r7, r6
str r7, [r4, #8]
msr primask, r6
movs r6, #8
rest: subs r6, #1
bne rest
b again
"""
# A queue's count, by exclusive accesses.
TAKES = """
ldr r4, =0x20000200
again: ldrex r5, [r4]
adds r5, #1
movs r6, #6
slow: subs r6, #1
bne slow
strex r7, r5, [r4]
ldr r6, [r4, #4]
adds r6, r6, r7
str r6, [r4, #4]
b again
"""
WAITS = {"sleeps": WAIT, "works": WORK, "long": LONG, "spins": SPIN, "counts": COUNTS,
         "drains": DRAINS, "masks": MASKS, "takes": TAKES}  # fmt: skip


# Nobody interrupts: it sends and receives by looking at SR.
POLLS = {
    "sends": """
ldr r4, =0x40004400
movs r5, #0
again: ldr r0, [r4, #0]
lsls r0, r0, #24
bpl again
uxtb r5, r5
str r5, [r4, #4]
adds r5, #1
b again
""",
    "echoes": """
ldr r4, =0x40004400
again: ldr r0, [r4, #0]
lsls r1, r0, #26
bpl again
ldr r1, [r4, #4]
full: ldr r0, [r4, #0]
lsls r2, r0, #24
bpl full
strb r1, [r4, #4]
b again
""",
    "waits for the last": """
ldr r4, =0x40004400
movs r5, #65
again: bl put
adds r5, #1
uxtb r5, r5
b again
put: push {r4, lr}
strb r5, [r4, #4]
out: ldr r0, [r4, #0]
lsls r0, r0, #25
bpl out
pop {r4, pc}
""",
}


@dataclass(frozen=True)
class Firmware:
    """What runs, and what is sent to it."""

    handler: str = ECHO
    wait: str = WAIT
    asks: int = RXNEIE
    brr: int = 16
    baud: int = 1_000_000
    begins_ps: int = MS
    length: int = 300
    ticks: int = 0  # of SysTick; 0: it is off
    priority: int = 0
    late: str = ""  # before the handler returns
    before: str = ""  # of the wait, which is what is interrupted
    cuts: tuple[int, ...] = field(default=())  # times at which the run stops and goes on


def image(one: Firmware) -> Image:
    body = FLASH + TABLE
    text = one.handler.replace("done:", f"done: {one.late}\n" if one.late else "done:")
    handler, _ = assemble(text, body)
    handler += bytes(-len(handler) % 4)
    tick, _ = assemble(TICK, body + len(handler))
    tick += bytes(-len(tick) % 4)
    lines: list[str] = []

    def write(address: int, value: int) -> None:
        lines.extend((f"ldr r0, ={address:#x}", f"ldr r1, ={value:#x}", "str r1, [r0, #0]"))

    write(0x4002_3830, 1)
    write(0x4002_3840, 1 << 17)
    write(0x4002_0020, 0x7700)
    write(0x4002_0000, 0xA800_00A0)
    write(USART2 + 8, one.brr)
    write(0xE000_E400 + IRQ // 4 * 4, one.priority << 8 * (IRQ % 4))
    write(0xE000_E104, 1 << IRQ - 32)
    if one.ticks:
        write(0xE000_E014, one.ticks - 1)
        write(0xE000_E018, 0)
        write(0xE000_E010, 7)
    write(USART2 + 0xC, ON | one.asks)
    lines += [one.before, one.wait]
    start = body + len(handler) + len(tick)
    code, _ = assemble("\n".join(lines), start)
    table = [STACK, start | 1] + [body | 1] * (TABLE // 4 - 2)
    table[15] = body + len(handler) | 1
    data = struct.pack(f"<{TABLE // 4}I", *table) + handler + tick + code
    return Image((Segment(FLASH, data),), table[1], STACK, (), core="cortex-m4f")


def both_ways(
    board: Board, one: Firmware, span_ps: int, *, unskipped: bool = False
) -> tuple[Trace, int]:
    """The trace, and how often native code served."""
    data = bytes(n * 5 + 10 & 0xFF for n in range(one.length))
    stimuli = [Send("USART2", one.begins_ps, data, one.baud)] if one.length else []
    return same(board, image(one), stimuli, span_ps, cuts=one.cuts, unskipped=unskipped)


def test_an_echo_is_served(board: Board) -> None:
    trace, served = both_ways(board, Firmware(), 5 * MS)
    assert bytes_of(trace, "tx") == bytes_of(trace, "rx")
    assert len(bytes_of(trace, "tx")) == 300
    assert served > 270
    assert len(list(trace.of(Wake))) == 300
    assert len(list(trace.of(Sleep))) == 301


@pytest.mark.parametrize("wait", ["sleeps", "works", "spins", "counts", "drains", "masks", "takes"])
@pytest.mark.parametrize("handler", ["echo", "count", "rings", "keeps"])
def test_what_comes_in_is_served(board: Board, handler: str, wait: str) -> None:
    one = Firmware(HANDLERS[handler], WAITS[wait], brr=32, baud=500_000)
    _, served = both_ways(board, one, 8 * MS)
    assert served > 150


@pytest.mark.parametrize(("handler", "asks"), [("stream", TXEIE), ("last", TCIE)])
def test_what_goes_out_is_served(board: Board, handler: str, asks: int) -> None:
    one = Firmware(HANDLERS[handler], asks=asks, length=0, brr=32)
    trace, served = both_ways(board, one, 8 * MS)
    assert len(bytes_of(trace, "tx")) > 300
    assert served > 250


def test_work_that_takes_longer_than_a_byte_is_the_engine_s(board: Board) -> None:
    both_ways(board, Firmware(COUNT, LONG), 5 * MS)


def test_what_is_lost_is_lost(board: Board) -> None:
    """The handler takes longer than a byte."""
    slow = COUNT.replace("bx lr", "movs r3, #90\nslow: subs r3, #1\nbne slow\nbx lr")
    trace, _ = both_ways(board, Firmware(slow), 5 * MS)
    assert any(e.error == "overrun" for e in trace.of(SerialByte))


@pytest.mark.parametrize("gap", range(4))
def test_a_flag_cleared_with_the_last_store_is_told(board: Board, gap: int) -> None:
    late = "\n".join(["ldr r1, [r0, #4]", *["nop"] * gap])
    one = Firmware(ECHO.replace("ldrb r1, [r0, #4]\nstrb r1, [r0, #4]\n", ""), late=late)
    trace, served = both_ways(board, one, 5 * MS)
    told = any(e.code.startswith("flag-cleared") for e in trace.of(Hazard))
    assert told == (served == 0)


USES_FP = "ldr r0, =0xe000ed88\nldr r1, =0xf00000\nstr r1, [r0]\ndsb\nisb\nvmov.f32 s0, #1.0"
TRAPS = "ldr r0, =0xe000ed14\nldr r1, =0x218\nstr r1, [r0]\ndsb"  # CCR
FLASH_WAITS = "ldr r0, =0x40023c00\nldr r1, ={acr}\nstr r1, [r0]"
BEFORE = {
    "floating point": USES_FP,
    "process stack": f"ldr r0, ={STACK - 0x800:#x}\nmsr psp, r0\nmovs r0, #2\nmsr control, r0\nisb",
    "both": f"{USES_FP}\nldr r0, ={STACK - 0x7FC:#x}\nmsr psp, r0\nmrs r0, control\n"
    "movs r1, #2\norrs r0, r1\nmsr control, r0\nisb",
    "unprivileged": "movs r0, #1\nmsr control, r0\nisb",
    "monitor": "ldr r0, =0x20000280\nldrex r1, [r0]",
    "stack not aligned": "sub sp, #4",
    "traps": TRAPS,
    "flash with caches": "ldr r0, =0x40023c00\nldr r1, =0x703\nstr r1, [r0]",
    "flash that waits": FLASH_WAITS.format(acr=3),
    "flash with prefetch": FLASH_WAITS.format(acr=0x507),
}


@pytest.mark.parametrize("handler", ["echo", "rings"])
@pytest.mark.parametrize("wait", ["sleeps", "counts"])
@pytest.mark.parametrize("before", BEFORE)
def test_whatever_is_interrupted_is_served(
    board: Board, before: str, wait: str, handler: str
) -> None:
    one = Firmware(HANDLERS[handler], WAITS[wait], before=BEFORE[before], brr=32, baud=500_000)
    _, served = both_ways(board, replace(one, length=200), 6 * MS)
    assert served > 150


def test_a_core_that_sleeps_on_exit_is_served(board: Board) -> None:
    before = "ldr r0, =0xe000ed10\nmovs r1, #2\nstr r1, [r0]\ndsb"
    trace, served = both_ways(board, Firmware(before=before, wait="again: wfi\nb ."), 5 * MS)
    assert served > 270
    assert len(list(trace.of(Sleep))) == 301


@pytest.mark.parametrize(
    "changes",
    [
        "ldr r0, =0xe000e100\nldr r1, [r0]",  # looks at the NVIC
        "ldr r1, =0x40020018\nmovs r2, #32\nstr r2, [r1]",  # moves a pin
        "svc #0",
        "cpsid f\ncpsie f",
        "mrs r1, basepri",
        "ldr r1, =0x08000000\nstr r1, [r1]",  # stores into the flash, which is locked
    ],
)
def test_a_handler_that_does_more_is_the_engine_s(board: Board, changes: str) -> None:
    both_ways(board, Firmware(late=changes, length=60), 3 * MS)


@pytest.mark.parametrize("before", ["", TRAPS])
@pytest.mark.parametrize(
    "does", ["ldr r2, =0x20000281\nldr r2, [r2]", "movs r2, #0\nudiv r2, r2, r2"]
)
def test_what_may_be_trapped_is_trapped(board: Board, does: str, before: str) -> None:
    trace, served = both_ways(board, Firmware(before=before, late=does, length=60), 3 * MS)
    assert any(trace.of(Fault)) == bool(before)
    assert served == 0 if before or "udiv" in does else served > 30


def test_systick_comes_between(board: Board) -> None:
    _, served = both_ways(board, Firmware(ticks=16_000), 6 * MS)
    assert served > 150


def test_a_run_in_pieces_is_the_same_run(board: Board) -> None:
    whole, _ = both_ways(board, Firmware(), 4 * MS)
    cuts = tuple(range(MS, 4 * MS, 37 * US + 1))
    parts, served = both_ways(board, Firmware(cuts=cuts), 4 * MS)
    assert served > 100
    assert dump_trace(parts) == dump_trace(whole)


def test_who_listens_hears_each_event_at_its_time(board: Board) -> None:
    with Machine(board, native=True) as machine:
        machine.load(image(Firmware()))
        heard: list[int] = []
        machine.soc.recorder.listeners.append(lambda event: heard.append(event.t_ps))
        machine.stimulate(Send("USART2", MS, b"x" * 50, 1_000_000))
        machine.advance(3 * MS)
        assert machine.core.services.served == 0
        assert heard == sorted(heard)


def test_who_only_reads_hears_all_before_time_is_up(board: Board) -> None:
    with Machine(board, native=True) as machine:
        heard: list[Event] = []
        machine.listen(heard.append, at_once=False)
        machine.load(image(Firmware()))
        machine.stimulate(Send("USART2", MS, b"x" * 50, 1_000_000))
        machine.advance(3 * MS)
        assert machine.core.services.served > 40
        assert heard == list(machine.trace().events)[: len(heard)]
        assert len([event for event in heard if isinstance(event, SerialByte)]) == 100


def test_bytes_that_follow_others_later_are_served(board: Board) -> None:
    data = [Send("USART2", MS + n * 1000 * US, b"abcdefgh" * 12, 1_000_000) for n in range(4)]
    _, served = same(board, image(Firmware()), data, 6 * MS)
    assert served > 300


lates = st.sampled_from(("", "", "nop", "movs r1, #1", "ldr r1, [r0, #4]", "ldr r1, [r0, #0]"))
firmwares = st.builds(
    Firmware,
    handler=st.sampled_from(tuple(HANDLERS.values())),
    wait=st.sampled_from((*WAITS.values(), *POLLS.values())),
    asks=st.sampled_from((0, RXNEIE, RXNEIE, TXEIE, TCIE, RXNEIE | TXEIE, RXNEIE | TCIE, 0xE0)),
    brr=st.sampled_from((16, 16, 17, 32, 33, 139)),
    baud=st.sampled_from((1_000_000, 990_000, 941_177, 500_000, 484_000, 115_200, 115_108)),
    begins_ps=st.integers(MS // 2, MS),
    length=st.integers(0, 120),
    ticks=st.sampled_from((0, 0, 2000, 16_000)),
    priority=st.sampled_from((0, 0x10, 0xF0)),
    late=lates,
    before=st.sampled_from(("", "", FLASH_WAITS.format(acr=2), FLASH_WAITS.format(acr=0x105))),
    cuts=st.lists(st.integers(0, 4 * MS), max_size=3).map(tuple),
)


@settings(max_examples=often(45), deadline=None)
@given(firmwares)
def test_whatever_is_served_is_the_same_by_the_engine(one: Firmware) -> None:
    both_ways(BOARD, one, 4 * MS, unskipped=True)


@pytest.mark.parametrize("wait", POLLS.values(), ids=POLLS)
def test_a_port_that_is_polled_is_the_same(board: Board, wait: str) -> None:
    one = Firmware(wait=wait, asks=0, brr=32, baud=500_000)
    trace, _ = both_ways(board, one, 6 * MS)
    assert len(bytes_of(trace, "tx")) > 200


def test_without_the_native_code_nothing_is_served(board: Board) -> None:
    sent = [Send("USART2", MS, b"x" * 20, 1_000_000)]
    assert run(board, image(Firmware()), sent, 2 * MS, native=False)[2] == 0
