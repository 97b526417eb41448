"""Code that waits for the flash: each wait is that of the path, however a run was cut in pieces."""

from __future__ import annotations

import re
from types import SimpleNamespace

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from fwgen.errors import EmissionError
from fwgen.machine import Machine
from fwgen.machine.armv7m.blocks import Block
from fwgen.machine.armv7m.fetch import Fetch
from fwgen.thumb import encode
from fwgen.thumb.cycles import PACES
from tests.machine.core.firmware import firmware
from tests.machine.core.test_debug import DEBUGEN, HALT, debugged
from tests.machine.core.test_equivalence import (
    BOARD,
    COUNTING,
    TICK,
    WAYS,
    conditional,
    loops,
    plain,
    state,
)

CYCLE_PS = 62_500  # at 16 MHz
ACR = 0x4002_3C00
PRFTEN, ICEN, DCEN = 1 << 8, 1 << 9, 1 << 10
LOG = 0x2000_0800
LOGGED = 0x400  # bytes

# Notes when it came and where it came in between, so that a cycle more or less stays to be seen.
HANDLER = f"""
tick:
    ldr r0, ={LOG - 4}
    ldr r1, [r0, #0]
    adds r1, #8
    ubfx r1, r1, #0, #10
    str r1, [r0, #0]
    adds r1, r1, r0
    ldr r2, =0xe0001000
    ldr r2, [r2, #4]
    str r2, [r1, #4]
    ldr r2, [sp, #24]
    str r2, [r1, #8]
    bx lr
"""


def waiting(body: list[str], acr: int, period: int | None, skew: int = 0) -> str:
    """Firmware that runs ``body`` over and over, and counts what comes in between."""
    tick = TICK.format(period=period) if period is not None else ""
    lines = "\n ".join(re.sub(r"(loop\d|over)\b", rf"\1x{n}", one) for n, one in enumerate(body))
    nops = "\n ".join(["nop"] * skew)
    return (
        f"start:\n ldr r0, ={ACR}\n ldr r1, ={acr}\n str r1, [r0]\n{COUNTING}\n{tick}\n"
        f" ldr r0, =0x20000000\n {nops}\nround:\n {lines}\n b.w round\n{HANDLER}"
    )


@st.composite
def forward(draw) -> str:
    """A branch over some code, taken or not."""
    inner = "\n ".join(draw(st.lists(plain(), max_size=5)))
    branch = draw(st.sampled_from(["bne", "bls", "bmi", "bcs"]))
    n, i = draw(st.integers(1, 5)), draw(st.integers(0, 255))
    return f"cmp r{n}, #{i}\n {branch}.w over\n {inner}\nover:\n"


@st.composite
def literal(draw) -> str:
    """A load relative to pc."""
    return f"ldr r{draw(st.integers(1, 5))}, [pc, #{4 * draw(st.integers(0, 20))}]"


pieces = st.one_of(plain(), plain(), conditional(), forward(), literal(), loops())
settings_of_acr = st.builds(
    lambda latency, *bits: latency | sum(bits),
    st.integers(1, 7),
    st.sampled_from([0, PRFTEN, PRFTEN]),
    st.sampled_from([0, ICEN]),
    st.sampled_from([0, DCEN]),
)


def cut_up(text: str, vectors: dict[int, str], end: int, every: int, **way: object) -> dict:
    """The state after a run that was stopped each so many cycles."""
    with Machine(BOARD, **way) as machine:
        machine.load(firmware(text, vectors))
        for cycle in range(every, end, every):
            machine.advance(cycle * CYCLE_PS)
        machine.advance(end * CYCLE_PS)
        return state(machine)


def agree(text: str, end: int, every: int, pace: str) -> None:
    vectors = {15: "tick"}
    wanted = cut_up(text, vectors, end, end, accelerate=False, native=False, pace=pace)
    runs = [(end, way) for way in WAYS] + [(every, WAYS[-1]), (every * 7, WAYS[0])]
    for cut, way in runs:
        got = cut_up(text, vectors, end, cut, pace=pace, **way)
        for what, value in wanted.items():
            assert got[what] == value, f"{what} differs, {way}, {pace}, cut each {cut}:\n{text}"


@settings(max_examples=30, deadline=None)
@example(["cmp r1, #0\n itt eq\n moveq r1, #0\n moveq r1, #0"], 1, 150, 1, 2000, 1, "typical")
@example(["ldr r2, [pc, #8]"], 0x101, 150, 0, 2000, 1, "typical")
@given(
    body=st.lists(pieces, min_size=1, max_size=6),
    acr=settings_of_acr,
    period=st.integers(150, 2000),
    skew=st.integers(0, 7),
    end=st.integers(500, 3000),
    every=st.integers(1, 9),
    pace=st.sampled_from(("typical", *PACES)),
)
def test_what_code_waits_is_the_same_however_it_is_run(
    body, acr, period, skew, end, every, pace
) -> None:
    text = waiting(body, acr, period, skew)
    try:
        firmware(text, {15: "tick"})
    except EmissionError:
        return  # a register that an encoding does not take
    agree(text, end, every, pace)


CORE = "cortex-m4f"
LINE = 0x0800_0100  # begins there


class Code:
    """What lies in the flash: what was put there last; the rest is erased."""

    def __init__(self) -> None:
        self._bytes: dict[int, int] = {}

    def put(self, address: int, code: bytes) -> None:
        self._bytes |= enumerate(code, address)

    def read(self, address: int, size: int) -> bytes:
        return bytes(self._bytes.get(at, 0xFF) for at in range(address, address + size))


def fetch_of(
    latency: int, prefetch: bool = False, pace: str = "typical", icache: bool = False
) -> Fetch:
    flash = SimpleNamespace(latency=latency, prefetch=prefetch, icache=icache, dcache=False)
    core = SimpleNamespace(
        flash=flash, pace=pace, kind=CORE, memory=Code(), in_flash=lambda _address: True
    )
    return Fetch(core)


def block_of(
    lines: str, fetch: Fetch, address: int = LINE, pace: str = "typical", behind: str = ""
) -> Block:
    code, following = (
        b"".join(encode(line.strip()) for line in text.split(";") if line.strip())
        for text in (lines, behind)
    )
    fetch._core.memory.put(address, code)
    return Block(address, code, CORE, pace, fetch, 0, following)


@pytest.mark.parametrize("pace", PACES)
@pytest.mark.parametrize("prefetch", [False, True])
@pytest.mark.parametrize("offset", range(0, 16, 2))
def test_a_run_in_two_pieces_waits_as_in_one(offset: int, prefetch: bool, pace: str) -> None:
    fetch, at = fetch_of(5, prefetch, pace), LINE + offset
    lines = ["nop", "movw r1, #1", "ldr r2, [pc, #4]", "adds r2, #1", "add.w r3, r2, #4"] * 3
    whole = block_of(";".join(lines), fetch, at, pace)
    assert len(whole.stops) == len(lines) - 1
    for n, (cut, cycles) in enumerate(whole.stops, 1):
        first = block_of(";".join(lines[:n]), fetch, at, pace, ";".join(lines[n:]))
        second = block_of(";".join(lines[n:]), fetch, at + cut, pace)
        assert first.cost == cycles
        assert first.cost + second.cost == whole.cost
        assert [first.cost + before for before in second.prefix[:-1] if before] == [
            before for before in whole.prefix[cut // 2 : -1] if before > cycles
        ]


def test_each_line_that_follows_waits_once() -> None:
    nops = ";".join(["nop"] * 24)
    assert block_of(nops, fetch_of(3)).cost == 24 + 3 * 3
    assert block_of(nops, fetch_of(3), LINE + 2).cost == 24 + 3 * 3
    most = fetch_of(6, prefetch=True, pace="most")
    assert block_of(nops, most, pace="most").cost == 24 + 3 * 6


@pytest.mark.parametrize("icache", [False, True])
@pytest.mark.parametrize(
    ("lines", "ran"), [(["nop"] * 8, 8), (["movw r1, #1"] * 4, 4), (["udiv r1, r2, r3"] * 4, 28)]
)
def test_what_the_prefetch_buffer_gets_waits_for_what_the_line_before_did_not_take(
    lines: list[str], ran: int, icache: bool
) -> None:
    for latency in range(1, 16):
        fetch = fetch_of(latency, prefetch=True, icache=icache)
        fetch.landed(LINE)
        once = block_of(";".join([*lines, "nop"]), fetch, LINE)
        beyond = 0 if icache else latency  # it is branched to: into the cache with it
        assert once.cost + once.landing == ran + 1 + max(0, latency - ran) + beyond
        thrice = block_of(";".join([*lines * 3, "nop"]), fetch, LINE)
        assert thrice.cost - once.cost == 2 * (ran + max(0, latency - ran))


def test_a_line_that_was_branched_to_from_afar_is_in_the_cache() -> None:
    nops = ";".join(["movw r1, #1"] * 12)
    fetch = fetch_of(6, prefetch=True, icache=True)
    fetch.landed(LINE)
    assert block_of(nops, fetch).cost == 12 + 2 * 2
    assert fetch.landed(LINE + 16)
    assert block_of(nops, fetch).cost == 12 + 2
    assert not fetch.landed(LINE + 16)  # no news
    assert fetch.landed(LINE + 32)
    assert block_of(nops, fetch).cost == 12
    fetch.forget()
    assert block_of(nops, fetch).cost > 12


def test_a_branch_into_the_middle_of_a_line_leaves_less_time_to_prefetch_the_next() -> None:
    for offset in range(0, 16, 2):
        fetch = fetch_of(5, prefetch=True, icache=True)
        fetch.landed(LINE + offset)
        left = (16 - offset) // 2
        block = block_of(";".join(["nop"] * (left + 8)), fetch, LINE + offset)
        assert block.cost == left + 8 + max(0, 5 - left)


@pytest.mark.parametrize("icache", [False, True])
def test_a_branch_to_the_line_that_follows_finds_it_in_the_prefetch_buffer(icache: bool) -> None:
    fetch = fetch_of(6, prefetch=True, icache=icache)
    fetch.landed(LINE)
    source = block_of("movw r1, #1; b .+20", fetch, LINE)
    target = block_of("nop", fetch, LINE + 24)
    assert source.branch(target) == source.refill + 6 - 2 - source.refill
    fetch.landed(LINE + 24)
    target = block_of("nop", fetch, LINE + 24)
    assert source.branch(target) == source.refill + (0 if icache else 6 - 2 - source.refill)


def test_a_loop_waits_for_the_lines_that_it_runs_into_each_time_round() -> None:
    text = f"""
    start:
        ldr r0, ={ACR}
        ldr r1, ={PRFTEN | ICEN | 6}
        str r1, [r0]
        b.w loop
        nop
        nop
        nop
        nop
    loop:
        movw r1, #1
        movw r1, #1
        movw r1, #1
        movw r1, #1     @ the line took 4 cycles of the 6
        nop
        b loop
    """
    rounds = 1000
    for way in WAYS:
        with Machine(BOARD, **way) as machine:
            machine.load(firmware(text))
            machine.advance(1000 * CYCLE_PS)
            begun = machine.core.pc, machine.core.cycle
            machine.advance((begun[1] + 9 * rounds) * CYCLE_PS)
            assert (machine.core.pc, machine.core.cycle) == (begun[0], begun[1] + 9 * rounds)


def test_an_instruction_that_reaches_into_the_next_line_waits_for_it() -> None:
    wide = block_of("movw r1, #1; nop", fetch_of(3), LINE + 14)
    assert (wide.cost, wide.prefix[0], wide.stops) == (2 + 3, 3, ((4, 4),))


@pytest.mark.parametrize(
    ("offset", "line", "beyond"), [(0, 3, 0), (2, 0, 3), (12, 0, 3), (14, 3, 3)]
)
def test_a_branch_from_another_line_waits_for_all_that_it_needs(
    offset: int, line: int, beyond: int
) -> None:
    block = block_of("movw r1, #1", fetch_of(3), LINE + offset)
    assert (block.cost, block.landing) == (1 + line, beyond)


def test_a_branch_gains_nothing_from_the_prefetch_buffer() -> None:
    for offset in range(0, 16, 2):
        block = block_of("nop", fetch_of(6, prefetch=True), LINE + offset)
        assert block.cost + block.landing == 1 + 6


@pytest.mark.parametrize("acr", [3, PRFTEN | 6])
def test_steps_wait_as_a_run_does(acr: int) -> None:
    text = waiting(["ldr r1, [pc, #8]\n nop\n movw r2, #9\n movw r3, #9\n nop"], acr, None)
    seen = set()
    with Machine(BOARD, accelerate=False) as machine:
        machine.load(firmware(text))
        for cycle in range(1, 400):
            machine.advance(cycle * CYCLE_PS)
            seen.add((machine.core.pc, machine.core.cycle))
    lab = debugged(text)
    lab.control(DEBUGEN | HALT)
    stepped = {(lab.step(), lab.machine.core.awake_cycles) for _ in range(60)}
    lab.machine.close()
    assert len(stepped) == 60
    assert stepped <= seen
