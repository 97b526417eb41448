"""Rounds of SysTick's interrupt that are skipped leave everything as if they had been run."""

from __future__ import annotations

import re

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from fwgen.contract import Drive
from fwgen.errors import EmissionError
from fwgen.machine import Machine
from fwgen.trace import Edge, Hazard
from tests.effort import often
from tests.machine.core.firmware import GPIOA, firmware
from tests.machine.core.test_equivalence import BOARD, plain, same_run

MILLIS = 0x2000_0400
VECTORS = {15: "tick", 39: "line", 44: "overflow"}
PS = 10**12

START = """
start:
    {gpio}
    ldr r1, =0x40021000
    ldr r4, ={millis}
    movs r1, #0
    str r1, [r4, #0]
    str r1, [r4, #4]
    str r1, [r4, #8]
    ldr r0, =0xe000e010
    ldr r1, ={reload}
    str r1, [r0, #4]
    movs r1, #0
    str r1, [r0, #8]
    movs r1, #{control}
    str r1, [r0, #0]
    ldr r0, =0x40020000
    movs r6, #0
    {extra}
again:
    ldr r5, [r4, #0]
"""
TOGGLE = """
    ldr r1, [r0, #0x14]
    eor r1, r1, #0x20
    str r1, [r0, #0x14]
    b.w again
"""

# r4 points at the count, r5 is where it was, {n} is how long to wait.
WAITS = {
    "a poll": "wait:\n ldr r1, [r4, #0]\n subs r1, r1, r5\n cmp r1, #{n}\n blo wait",
    "a poll of equality": "wait:\n ldr r1, [r4, #0]\n subs r1, r1, r5\n cmp r1, #{n}\n bne wait",
    "a poll that reads twice": """
    wait:
        ldr r1, [r4, #0]
        ldr r2, [r4, #0]
        subs r3, r2, r1
        bne torn
        subs r1, r1, r5
        cmp r1, #{n}
        blo wait
    torn:
        str r1, [r4, #12]
    """,
    "a poll through calls": """
    wait:
        bl now
        mov r7, r1
        bl now
        subs r1, r1, r5
        cmp r1, #{n}
        blo wait
    """,
    "a poll that keeps things": """
    wait:
        ldr r1, [r4, #0]
        subs r2, r1, r5
        str r2, [r4, #16]
        lsls r3, r2, #3
        push {{r2, r3}}
        cmp r2, #{n}
        pop {{r2, r3}}
        bls wait
    """,
    "a poll of two counts": """
    wait:
        ldr r1, [r4, #4]
        cmp r1, #200
        bhi over
        ldr r1, [r4, #0]
        subs r1, r1, r5
        cmp r1, #{n}
        blo wait
    over:
    """,
    "a poll that counts": """
    wait:
        adds r6, #1
        ldr r1, [r4, #0]
        subs r1, r1, r5
        cmp r1, #{n}
        blo wait
    """,
    "a poll across a page": "wait:\n ldr r1, [r4, #0]\n subs r1, r1, r5\n"
    + " movw r7, #5\n" * 258
    + " cmp r1, #{n}\n bhs over\n b.w wait\nover:",
    "a poll of a pin": "wait:\n ldr r1, [r0, #0x10]\n lsls r1, r1, #26\n bpl wait",
    "nothing": "wait:\n b wait",
    "WFI": "wait:\n wfi\n ldr r1, [r4, #0]\n subs r1, r1, r5\n cmp r1, #{n}\n blo wait",
    "WFI after a look": """
    wait:
        ldr r1, [r4, #0]
        subs r1, r1, r5
        cmp r1, #{n}
        bhs over
        wfi
        b wait
    over:
    """,
    "WFI in a call": """
    wait:
        bl doze
        subs r1, r1, r5
        cmp r1, #{n}
        blo wait
    """,
    "WFI with interrupts off": """
    wait:
        cpsid i
        wfi
        cpsie i
        nop
        ldr r1, [r4, #0]
        subs r1, r1, r5
        cmp r1, #{n}
        blo wait
    """,
    "WFE": "wait:\n wfe\n ldr r1, [r4, #0]\n subs r1, r1, r5\n cmp r1, #{n}\n blo wait",
    "WFI for ever": "wait:\n wfi\n b wait",
    "WFI and work": """
    wait:
        wfi
        movs r2, #40
    work:
        subs r2, #1
        bne work
        ldr r1, [r4, #0]
        subs r1, r1, r5
        cmp r1, #{n}
        blo wait
    """,
}
CALLED = """
now:
    ldr r1, [r4, #0]
    bx lr
doze:
    push {r4, lr}
    wfi
    ldr r1, [r4, #0]
    pop {r4, pc}
"""

HANDLERS = {
    "counts": "ldr r0, ={millis}\n ldr r1, [r0, #0]\n adds r1, #1\n str r1, [r0, #0]",
    "counts in threes": "ldr r2, ={millis}\n ldr r3, [r2, #0]\n adds r3, #3\n str r3, [r2, #0]",
    "counts bytes": """
        ldr r0, ={millis}
        ldr r1, [r0, #0]
        adds r1, #1
        str r1, [r0, #0]
        ldrb r1, [r0, #8]
        adds r1, #7
        strb r1, [r0, #8]
        ldrh r2, [r0, #10]
        subs r2, #9
        strh r2, [r0, #10]
    """,
    "counts to ten": """
        ldr r0, ={millis}
        ldr r1, [r0, #0]
        adds r1, #1
        str r1, [r0, #0]
        ldr r1, [r0, #4]
        adds r1, #1
        cmp r1, #10
        bne fewer
        movs r1, #0
    fewer:
        str r1, [r0, #4]
    """,
    "counts two": """
        ldr r0, ={millis}
        ldr r1, [r0, #0]
        adds r1, #1
        str r1, [r0, #0]
        ldr r2, [r0, #4]
        adds r2, r2, r1
        str r2, [r0, #4]
    """,
    "toggles now and then": """
        ldr r0, ={millis}
        ldr r1, [r0, #0]
        adds r1, #1
        str r1, [r0, #0]
        lsls r1, r1, #28
        bne over2
        ldr r0, =0x40020000
        ldr r1, [r0, #0x14]
        eor r1, r1, #0x40
        str r1, [r0, #0x14]
    over2:
    """,
    "reads a pin": """
        ldr r0, =0x40020000
        ldr r1, [r0, #0x10]
        ldr r0, ={millis}
        str r1, [r0, #8]
        ldr r1, [r0, #0]
        adds r1, #1
        str r1, [r0, #0]
    """,
    "reads COUNTFLAG": """
        ldr r0, =0xe000e010
        ldr r1, [r0, #0]
        ldr r0, ={millis}
        ldr r1, [r0, #0]
        adds r1, #1
        str r1, [r0, #0]
    """,
    "sees what it interrupts": """
        ldr r0, ={millis}
        ldr r1, [sp, #24]
        str r1, [r0, #8]
        ldr r1, [r0, #0]
        adds r1, #1
        str r1, [r0, #0]
    """,
    "sees the flags": """
        ldr r0, ={millis}
        bcs over3
        ldr r1, [r0, #4]
        adds r1, #1
        str r1, [r0, #4]
    over3:
        ldr r1, [r0, #0]
        adds r1, #1
        str r1, [r0, #0]
    """,
    "waits": """
        ldr r0, ={millis}
        ldr r1, [r0, #0]
        adds r1, #1
        str r1, [r0, #0]
        movs r2, #14
    spin:
        subs r2, #1
        bne spin
    """,
}
MOVERS = {  # handlers that move pins; PA6 is an output where "a second output" is set
    "toggles": """
        ldr r0, =0x40020000
        ldr r1, [r0, #0x14]
        eor r1, r1, #0x60
        str r1, [r0, #0x14]
        ldr r0, ={millis}
        ldr r1, [r0, #0]
        adds r1, #1
        str r1, [r0, #0]
    """,
    "pulses": """
        ldr r0, =0x40020000
        movs r1, #0x60
        str r1, [r0, #0x18]
        ldr r2, ={millis}
        ldr r3, [r2, #0]
        adds r3, #1
        str r3, [r2, #0]
        lsls r1, r1, #16
        str r1, [r0, #0x18]
    """,
    "by turns": """
        ldr r2, ={millis}
        ldr r3, [r2, #0]
        adds r3, #1
        str r3, [r2, #0]
        ldr r0, =0x40020000
        ldr r1, [r0, #0x14]
        tst r1, #0x20
        bne lit
        movs r1, #0x20
        b put
    lit:
        mov.w r1, #0x200000
    put:
        str r1, [r0, #0x18]
    """,
    "walks": """
        ldr r2, ={millis}
        ldr r3, [r2, #0]
        adds r3, #1
        str r3, [r2, #0]
        ldr r0, =0x40020000
        ldr r1, [r0, #0x14]
        cmp r1, #0x20
        beq second
        cmp r1, #0x40
        beq none
        movs r1, #0x20
        b put2
    second:
        movs r1, #0x40
        b put2
    none:
        movs r1, #0
    put2:
        str r1, [r0, #0x14]
    """,
    "toggles and looks": """
        ldr r0, =0x40020000
        ldr r1, [r0, #0x14]
        eor r1, r1, #0x20
        str r1, [r0, #0x14]
        ldr r2, ={millis}
        ldr r1, [r0, #0x10]
        str r1, [r2, #8]
        ldr r1, [r2, #0]
        adds r1, #1
        str r1, [r2, #0]
    """,
    "toggles what nobody may": """
        ldr r0, =0x40020000
        ldr r1, [r0, #0x14]
        eor r1, r1, #0x20
        orr r1, r1, #0x10000
        str r1, [r0, #0x14]
        ldr r0, ={millis}
        ldr r1, [r0, #0]
        adds r1, #1
        str r1, [r0, #0]
    """,
    "toggles a byte": """
        ldr r0, =0x40020000
        ldrb r1, [r0, #0x14]
        eor r1, r1, #0x20
        strb r1, [r0, #0x14]
        ldr r0, ={millis}
        ldr r1, [r0, #0]
        adds r1, #1
        str r1, [r0, #0]
    """,
    "toggles for a while": """
        ldr r2, ={millis}
        ldr r3, [r2, #0]
        adds r3, #1
        str r3, [r2, #0]
        cmp r3, #90
        bhs over4
        ldr r0, =0x40020000
        ldr r1, [r0, #0x14]
        eor r1, r1, #0x20
        str r1, [r0, #0x14]
    over4:
    """,
}
HANDLERS |= MOVERS
EXTRAS = {
    "": "",
    "a second output": "ldr r1, [r0, #0]\n orr r1, r1, #0x1000\n str r1, [r0, #0]",
    "an open drain": "movs r1, #0x20\n str r1, [r0, #4]",
    "a listener": """
        ldr r1, =0x40023844
        mov.w r2, #0x4000
        str r2, [r1, #0]
        nop
        nop
        ldr r1, =0x40013c00
        movs r2, #0x20
        str r2, [r1, #0]
        str r2, [r1, #8]
        ldr r1, =0xe000e100
        mov.w r2, #0x800000
        str r2, [r1, #0]
    """,
    "floating point": """
        ldr r1, =0xe000ed88
        ldr r2, =0x00f00000
        str r2, [r1, #0]
        dsb
        isb
        ldr r2, =0x40490fdb
        vmov s3, r2
    """,
    "an odd stack": "sub sp, #4",
    "a timer": """
        ldr r1, =0x40023840
        movs r2, #1
        str r2, [r1, #0]
        nop
        nop
        ldr r1, =0x40000000
        ldr r2, =77777
        str r2, [r1, #0x2c]
        movs r2, #1
        str r2, [r1, #0x0c]
        str r2, [r1, #0]
        ldr r1, =0xe000e100
        ldr r2, =0x10000000
        str r2, [r1, #0]
        ldr r1, =0xe000e41c
        movs r2, #0x80
        strb r2, [r1, #0]
    """,
}
OVERFLOW = """
line:
    ldr r0, =0x40013c14
    movs r1, #0x20
    str r1, [r0, #0]
    dsb
    bx lr
overflow:
    ldr r0, =0x40000000
    movs r1, #0
    str r1, [r0, #0x10]
    dsb
    bx lr
"""

FRAMES = {
    "plain": ("", "bx lr"),
    "pushes": ("push {r4, r5, lr}", "pop {r4, r5, pc}"),
    "has locals": (
        "push {r7, lr}\n sub sp, #8\n mov r7, sp\n str r3, [sp, #4]",
        "add sp, #8\n pop {r7, pc}",
    ),
}


def program(
    wait: str,
    handler: str,
    frame: str,
    *,
    n: int,
    reload: int,
    control: int = 7,
    more: str = "",
    extra: str = "",
) -> str:
    """Firmware that toggles PA5 each time that the wait is over."""
    before, after = FRAMES[frame]
    start = START.format(
        gpio=GPIOA, millis=MILLIS, reload=reload, control=control, extra=EXTRAS[extra]
    )
    body = HANDLERS[handler].format(millis=MILLIS)
    waits = re.sub(r"\bwait:", f"wait:\n {more}", WAITS[wait].format(n=n))
    waits = re.sub(r"(\bb\w*) (wait|over|torn)$", r"\1.w \2", waits, flags=re.MULTILINE)
    return f"{start}\n{waits}\n{TOGGLE}\n{CALLED}\n{OVERFLOW}\ntick:\n {before}\n {body}\n {after}"


@settings(max_examples=often(45), deadline=None)
@given(
    wait=st.sampled_from(sorted(WAITS)),
    handler=st.sampled_from(sorted(HANDLERS)),
    frame=st.sampled_from(sorted(FRAMES)),
    n=st.integers(2, 255),
    reload=st.integers(150, 4000),
    control=st.sampled_from([7, 7, 7, 3]),
    more=st.lists(plain(), max_size=3),
    extra=st.sampled_from(sorted(EXTRAS)),
    spans=st.lists(st.integers(10**6, PS // 50), min_size=1, max_size=4),
)
@example(  # a loop whose length does not divide the period: the interrupt wanders through it
    wait="a poll through calls", handler="counts", frame="pushes", n=200, reload=1002, control=7,
    more=[], extra="", spans=[PS // 30, PS // 30 + 1],
)  # fmt: skip
def test_random_waits_for_a_tick_run_the_same(
    wait, handler, frame, n, reload, control, more, extra, spans
) -> None:
    lines = "\n ".join(re.sub(r"\br0\b", "r4", one) for one in more)
    text = program(
        wait, handler, frame, n=n, reload=reload, control=control, more=lines, extra=extra
    )
    try:
        firmware(text, VECTORS)
    except EmissionError:
        return  # a register that an encoding does not take
    same_run(text, VECTORS, sorted(set(spans)))


@st.composite
def settled(draw) -> str:
    """One instruction that a waiting loop may hold and still wait."""
    d, i, slot = draw(st.integers(2, 3)), draw(st.integers(0, 255)), 4 * draw(st.integers(5, 7))
    return draw(
        st.sampled_from(
            [
                f"movs r{d}, #{i}", f"mov r{d}, r5", f"ldr r{d}, [r4, #0]",
                f"str r5, [r4, #{slot}]", f"ldr r{d}, [r4, #4]\n lsls r{d}, r{d}, #2",
                f"ldr r{d}, [r4, #0]\n str r{d}, [r4, #{slot}]", f"cmp r5, #{i}",
                f"ldr r{d}, [r4, #0]\n adds r{d}, #{i}",
                f"ldr r{d}, [r4, #0]\n subs r{d}, r{d}, r5\n push {{r{d}}}\n nop\n pop {{r{d}}}",
                "nop", f"movw r7, #{i * 7}", f"mvns r{d}, r5", f"add.w r{d}, r5, #{i}",
            ]
        )
    )  # fmt: skip


SKIPS = [
    "a poll", "a poll of equality", "a poll of a pin", "a poll that keeps things",
    "a poll through calls", "a poll across a page", "nothing",
    "WFI", "WFI after a look", "WFI in a call", "WFI for ever",
]  # fmt: skip


@settings(max_examples=often(45), deadline=None)
@given(
    wait=st.sampled_from(SKIPS),
    handler=st.sampled_from(["counts", "counts in threes", "counts bytes", "counts to ten"]),
    frame=st.sampled_from(sorted(FRAMES)),
    n=st.integers(5, 255),
    reload=st.integers(200, 1200),
    control=st.sampled_from([7, 7, 3]),
    more=st.lists(settled(), max_size=4),
    extra=st.sampled_from(sorted(EXTRAS)),
    spans=st.lists(st.integers(PS // 1000, PS // 60), min_size=1, max_size=3),
)
def test_random_waits_that_settle_run_the_same(
    wait, handler, frame, n, reload, control, more, extra, spans
) -> None:
    lines = "\n ".join(more)
    text = program(
        wait, handler, frame, n=n, reload=reload, control=control, more=lines, extra=extra
    )
    same_run(text, VECTORS, sorted(set(spans)))


@pytest.mark.parametrize("frame", sorted(FRAMES))
@pytest.mark.parametrize("wait", SKIPS)
def test_rounds_are_skipped(wait, frame) -> None:
    machine = Machine(BOARD, native=False)
    machine.load(firmware(program(wait, "counts", frame, n=250, reload=15_999), VECTORS))
    machine.advance(PS)
    assert machine.core.rounds.skipped > 900
    assert machine.core.memory.word(MILLIS) == 999
    machine.close()


@pytest.mark.parametrize("wait", ["a poll through calls", "WFI"])
@pytest.mark.parametrize("extra", ["floating point", "an odd stack", "a timer"])
def test_rounds_are_skipped_beside(extra, wait) -> None:
    text = program(wait, "counts", "pushes", n=250, reload=1601, extra=extra)
    machine = Machine(BOARD, native=False)
    machine.load(firmware(text, VECTORS))
    machine.advance(PS // 10)
    assert machine.core.rounds.skipped > 800
    machine.close()
    same_run(text, VECTORS, [PS // 77])


@settings(max_examples=often(60), deadline=None)
@given(
    wait=st.sampled_from(sorted(one for one in WAITS if one.startswith("WFI"))),
    handler=st.sampled_from(sorted(MOVERS)),
    frame=st.sampled_from(sorted(FRAMES)),
    n=st.integers(2, 255),
    reload=st.integers(300, 4000),
    extra=st.sampled_from(sorted(EXTRAS)),
    spans=st.lists(st.integers(10**6, PS // 50), min_size=1, max_size=4),
)
def test_random_rounds_that_move_pins_run_the_same(
    wait, handler, frame, n, reload, extra, spans
) -> None:
    text = program(wait, handler, frame, n=n, reload=reload, extra=extra)
    same_run(text, VECTORS, sorted(set(spans)))


@pytest.mark.parametrize("handler", ["toggles", "pulses", "by turns", "walks"])
@pytest.mark.parametrize("wait", ["WFI for ever", "WFI after a look"])
def test_rounds_that_move_pins_are_skipped(wait, handler) -> None:
    text = program(wait, handler, "pushes", n=250, reload=15_999, extra="a second output")
    machine = Machine(BOARD, native=False)
    machine.load(firmware(text, VECTORS))
    machine.advance(PS)
    assert machine.core.rounds.skipped > 850
    assert machine.core.memory.word(MILLIS) == 999
    machine.close()


@pytest.mark.parametrize(
    ("handler", "extra"),
    [
        ("toggles", "a listener"),
        ("toggles", "an open drain"),
        ("toggles and looks", ""),
        ("toggles a byte", ""),
        ("toggles what nobody may", ""),
    ],
)
def test_rounds_whose_pins_mean_more_are_run(handler, extra) -> None:
    text = program("WFI for ever", handler, "plain", n=250, reload=15_999, extra=extra)
    machine = Machine(BOARD, native=False)
    machine.load(firmware(text, VECTORS))
    machine.advance(PS // 10)
    assert machine.core.rounds.skipped == 0
    machine.close()


def test_a_pin_that_is_driven_from_outside_meanwhile_is_seen() -> None:
    text = program("WFI for ever", "toggles", "plain", n=250, reload=15_999)
    machine = Machine(BOARD, native=False)
    machine.load(firmware(text, VECTORS))
    machine.stimulate(Drive("PA5", PS // 2, 0))
    machine.advance(PS)
    seen = machine.trace()
    machine.close()
    assert any(hazard.code == "output-fight" for hazard in seen.of(Hazard))
    assert not any(edge.t_ps > PS // 2 + PS // 500 for edge in seen.of(Edge) if edge.pin == "PA5")


@pytest.mark.parametrize("handler", ["reads COUNTFLAG", "sees what it interrupts"])
def test_rounds_that_cannot_be_foreseen_are_run(handler) -> None:
    machine = Machine(BOARD, native=False)
    machine.load(firmware(program("a poll", handler, "plain", n=250, reload=15_999), VECTORS))
    machine.advance(PS // 10)
    assert machine.core.rounds.skipped == 0
    machine.close()
