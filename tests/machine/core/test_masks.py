"""What the core does not stop for: masks with nothing to mask. Held against one that stops."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fwgen.machine import Machine
from fwgen.machine.armv7m.blocks import MASKS, SYNC, SYSTEM
from tests.effort import often
from tests.machine.core.firmware import firmware
from tests.machine.core.test_equivalence import BOARD, WAYS, state

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fwgen.image.types import Image


def attentive(image: Image) -> Machine:
    """A machine that looks around behind each block that may matter."""
    machine = Machine(BOARD, accelerate=False, native=False)
    machine.load(image)
    vars(machine.core)["_what_matters"] = lambda: SYSTEM | MASKS | SYNC
    return machine


def same_as_attentive(image: Image, spans: Sequence[int]) -> dict[str, object]:
    """Runs it in every way, and gives the state at the end."""
    plainly = attentive(image)
    ways = [*WAYS, {"accelerate": False, "native": False}]
    others = [Machine(BOARD, **way) for way in ways]
    wanted: dict[str, object] = {}
    try:
        for machine in others:
            machine.load(image)
        for span in spans:
            plainly.advance(span)
            wanted = state(plainly)
            for machine, way in zip(others, ways, strict=True):
                machine.advance(span)
                got = state(machine)
                for what, value in wanted.items():
                    assert got[what] == value, f"{what} differs, {way}, at {span}"
    finally:
        for machine in (plainly, *others):
            machine.close()
    return wanted


MASKING = (
    "cpsid i", "cpsie i", "cpsid f", "cpsie f", "dsb", "isb", "dmb",
    "movs r1, #0x40\n msr basepri, r1", "movs r1, #0\n msr basepri, r1",
    "movs r1, #0x80\n msr basepri_max, r1", "movs r1, #1\n msr primask, r1",
    "movs r1, #0\n msr primask, r1",
)  # fmt: skip
PENDING = (
    "ldr r1, =0x10000000\n str r1, [r4]",  # PendSV
    "ldr r1, =0x08000000\n str r1, [r4]",  # PENDSVCLR
    "movs r1, #1\n str r1, [r5]",  # interrupts 0 and 1
    "movs r1, #2\n str r1, [r5]",
    "movs r1, #3\n str.w r1, [r5, #0x80]",  # ICPR
    "movs r1, #1\n str.w r1, [r3]", "movs r1, #1\n str.w r1, [r3, #0x80]",  # ISER, ICER
)  # fmt: skip
BETWEEN = ("adds r2, #3", "nop", "ldr r1, [r0]", "str r2, [r0, #4]", "push {r2}\n pop {r1}")


@settings(max_examples=often(25), deadline=None)
@given(
    body=st.lists(
        st.one_of(st.sampled_from(MASKING), st.sampled_from(PENDING), st.sampled_from(BETWEEN)),
        min_size=2,
        max_size=14,
    ),
    priorities=st.lists(st.sampled_from([0x00, 0x40, 0x80, 0xC0]), min_size=4, max_size=4),
    period=st.integers(200, 3000),
)
def test_masked_interrupts_come_when_they_are_let_through(body, priorities, period) -> None:
    zero, one, pendsv, systick = priorities
    lines = "\n ".join(body)
    handlers = "".join(
        f"""
    h{number}:
        ldr r1, =0x20000400
        ldr r2, [r1]
        adds r2, #1
        str r2, [r1]
        ldr r3, =0xe0001004
        ldr r3, [r3]
        and r2, r2, #63
        add r1, r1, r2, lsl #2
        str.w r3, [r1, #{256 * number + 16}]
        bx lr
    """
        for number in range(1, 5)
    )
    text = f"""
    start:
        ldr r7, =0xe000edfc
        mov.w r6, #0x1000000
        str r6, [r7]
        ldr r7, =0xe0001000
        movs r6, #1
        str r6, [r7]
        ldr r0, =0xe000e400
        ldr r1, ={one << 8 | zero:#x}
        str r1, [r0]
        ldr r0, =0xe000ed20
        ldr r1, ={systick << 24 | pendsv << 16:#x}
        str r1, [r0]
        ldr r0, =0x20000400
        movs r1, #0
        str r1, [r0]
        ldr r0, =0xe000e010
        ldr r1, ={period}
        str r1, [r0, #4]
        str r1, [r0, #8]
        movs r1, #7
        str r1, [r0]
        ldr r0, =0x20000000
        ldr r3, =0xe000e100
        movs r1, #3
        str r1, [r3]
        ldr r4, =0xe000ed04
        ldr r5, =0xe000e200
        movs r2, #0
    round:
        {lines}
        b.w round
    {handlers}
    """
    image = firmware(text, {14: "h1", 15: "h2", 16: "h3", 17: "h4"})
    same_as_attentive(image, [10**8, 10**9])


PAIRS = (
    ("cpsid i", "cpsie i"),
    ("movs r1, #0x40\n msr basepri, r1", "movs r1, #0\n msr basepri, r1"),
    ("movs r1, #1\n msr primask, r1", "movs r1, #0\n msr primask, r1"),
)
HELD_BACK = """
    start:
        ldr r7, =0xe000edfc
        mov.w r6, #0x1000000
        str r6, [r7]
        ldr r7, =0xe0001000
        movs r6, #1
        str r6, [r7]
        ldr r0, =0x20000400
        movs r1, #0
        str r1, [r0]
        ldr r0, =0xe000e010
        ldr r1, =997
        str r1, [r0, #4]
        str r1, [r0, #8]
        movs r1, #7
        str r1, [r0]
        ldr r0, =0xe000ed20
        ldr r1, ={priority}
        str r1, [r0]
        ldr r0, =0x20000000
    round:
        {off}
        movs r2, #60
    one: subs r2, #1
        bne one
        {on}
        movs r2, #60
    two: subs r2, #1
        bne two
        b.w round
    tick:
        ldr r1, =0x20000400
        ldr r2, [r1]
        adds r2, #1
        str r2, [r1]
        ldr r3, =0xe0001004
        ldr r3, [r3]
        and r2, r2, #63
        add r1, r1, r2, lsl #2
        str r3, [r1, #16]
        bx lr
"""


@pytest.mark.parametrize(("off", "on"), PAIRS)
@pytest.mark.parametrize("priority", [0x4000_0000, 0xC000_0000])
def test_what_a_mask_held_back_is_taken_where_the_mask_is_lifted(off, on, priority) -> None:
    image = firmware(HELD_BACK.format(off=off, on=on, priority=priority), {15: "tick"})
    ram = same_as_attentive(image, [10**8, 10**9])["ram"]
    assert isinstance(ram, bytes)
    assert int.from_bytes(ram[0x400:0x404], "little") > 10


LOW_BITS = """
    start:
        ldr r0, =0xe000ed20
        ldr r1, =0xf0000000
        str r1, [r0]
        movs r1, #{mask}
        msr basepri, r1
        ldr r0, =0xe000e010
        ldr r1, =997
        str r1, [r0, #4]
        movs r1, #7
        str r1, [r0]
        movs r2, #0
    end: b end
    tick: adds r2, #1
        bx lr
"""


@pytest.mark.parametrize(("mask", "comes"), [(0x0F, True), (0x05, True), (0x1F, False)])
def test_basepri_has_the_upper_bits_of_a_priority_only(mask, comes) -> None:
    """PM0214 §2.1.3: bits 3 to 0 ignore writes. A mask that was not shifted masks nothing."""
    with Machine(BOARD) as machine:
        machine.load(firmware(LOW_BITS.format(mask=mask), {15: "tick"}))
        machine.advance(10**9)
        held_back = bool(machine.core.exceptions.pending >> 15 & 1)
        assert held_back != comes


SECTIONS = """
    start:
        ldr r0, =0x20000000
        movs r1, #0
        ldr r2, =2000
    round:
        {enter}
        ldr r3, [r0]
        adds r3, #1
        str r3, [r0]
        {leave}
        eor r1, r1, r3, lsl #3
        subs r2, #1
        bne round
    end: b end
"""


@pytest.mark.parametrize(
    ("enter", "leave"),
    [
        ("cpsid i", "cpsie i"),
        ("movs r4, #0x50\n msr basepri, r4\n isb\n dsb", "movs r4, #0\n msr basepri, r4"),
    ],
)
def test_masking_stops_the_engine_only_while_something_is_pending(make_lab, enter, leave) -> None:
    lab = make_lab()
    lab.run(SECTIONS.format(enter=enter, leave=leave), span_ps=10**10)
    assert lab.register(2) == 0
    assert lab.machine.core.steps < 100
