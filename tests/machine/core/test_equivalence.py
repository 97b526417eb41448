"""However a run is sped up, it is the same run: registers, memory, cycles and trace agree.

Random programs of loops: counting in registers and in memory, nested, through calls, waiting for
peripherals and for what an interrupt handler counts.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fwgen.board import load_board
from fwgen.board.types import Board
from fwgen.contract import Send, Stimulus
from fwgen.errors import BenchError, EmissionError
from fwgen.machine import Machine
from fwgen.machine.armv7m.engine import GENERAL, XPSR
from fwgen.machine.native import library
from fwgen.trace import dump_trace
from tests.machine.core.firmware import GPIOA, firmware

WAYS = [{"accelerate": True, "native": False}]
if library() is not None:
    WAYS += [{"accelerate": True, "native": True}, {"accelerate": False, "native": True}]

low = st.integers(1, 5)  # r0 is the base of RAM or of a peripheral, r6 and r7 count, r8 is DWT's
small = st.integers(0, 255)


@st.composite
def plain(draw) -> str:
    """One instruction of the kind that stands in loops."""
    d, n, m = draw(low), draw(low), draw(low)
    i, j = draw(small), draw(st.integers(0, 7))
    slot = 4 * draw(st.integers(0, 7))
    return draw(
        st.sampled_from(
            [
                f"adds r{d}, #{i}", f"subs r{d}, #{i}", f"adds r{d}, r{n}, r{m}",
                f"subs r{d}, r{n}, r{m}", f"movs r{d}, #{i}", f"mov r{d}, r{n}",
                f"adds r{d}, r{n}, #{j}", f"lsls r{d}, r{n}, #{j}", f"lsrs r{d}, r{n}, #{j + 1}",
                f"asrs r{d}, r{n}, #{j + 1}", f"ands r{d}, r{n}", f"eors r{d}, r{n}",
                f"orrs r{d}, r{n}", f"bics r{d}, r{n}", f"mvns r{d}, r{n}", f"rsbs r{d}, r{n}, #0",
                f"uxtb r{d}, r{n}", f"uxth r{d}, r{n}", f"sxtb r{d}, r{n}", f"sxth r{d}, r{n}",
                f"cmp r{n}, r{m}", f"cmp r{n}, #{i}", f"tst r{n}, r{m}", f"cmn r{n}, r{m}",
                f"ldr r{d}, [r0, #{slot}]", f"str r{d}, [r0, #{slot}]",
                f"ldrb r{d}, [r0, #{slot + 32}]", f"strb r{d}, [r0, #{slot + 32}]",
                f"ldrh r{d}, [r0, #{slot + 64}]", f"strh r{d}, [r0, #{slot + 64}]",
                f"ldr.w r{d}, [r8, #4]",
                f"add.w r{d}, r{n}, #{i}", f"sub.w r{d}, r{n}, r{m}, lsl #{j}",
                f"movw r{d}, #{i * 251}", f"movt r{d}, #{i}", f"mul r{d}, r{n}, r{m}",
                f"ubfx r{d}, r{n}, #{j}, #5", f"and r{d}, r{n}, #{i}", f"rsb r{d}, r{n}, #{i}",
                f"push {{r{d}}}\n pop {{r{n}}}", "nop", "cpsid i", "cpsie i",
                f"mrs r{d}, primask\n cpsid i\n ldr r{n}, [r0, #{slot}]\n msr primask, r{d}",
                f"msr primask, r{n}\n mrs r{d}, primask",
                f"mrs r{d}, basepri\n movs r{n}, #{16 * j}\n msr basepri, r{n}\n msr basepri, r{d}",
                f"msr basepri, r{n}\n mrs r{d}, basepri", f"msr basepri_max, r{n}",
                f"push.w {{r{d}, lr}}\n pop.w {{r{n}, lr}}",
                f"stm.w r0, {{r{d}, r0}}\n ldm.w r0, {{r{n}, r0}}",
                f"stmdb.w sp, {{r{d}, r0}}\n ldmdb.w sp, {{r{n}, r0}}",
                f"stm r0!, {{r{d}}}\n subs r0, #4", f"ldm r0!, {{r{d}}}\n subs r0, #4",
                f"str.w r{d}, [sp, #-4]!\n ldr.w r{n}, [sp], #4",
                f"strb.w r{d}, [r0], #{i}\n sub.w r0, r0, #{i}",
                f"ldrsh.w r{d}, [r0, #{2 * j}]!\n subs r0, #{2 * j}",
            ]
        )
    )  # fmt: skip


CONDITIONS = ("eq", "ne", "cs", "cc", "mi", "pl", "vs", "vc", "hi", "ls", "ge", "lt", "gt", "le")


@st.composite
def conditional(draw) -> str:
    """An IT block, as compilers make them of ?: and of short ifs."""
    chosen = draw(st.integers(0, len(CONDITIONS) - 1))
    pattern = draw(st.sampled_from(["", "t", "e", "te", "ee", "tet"]))
    lines = [f"it{pattern} {CONDITIONS[chosen]}"]
    for letter in f"t{pattern}":
        d, n, m, i = draw(low), draw(low), draw(low), draw(small)
        slot = 4 * draw(st.integers(0, 7))
        c = CONDITIONS[chosen if letter == "t" else chosen ^ 1]
        lines.append(
            draw(
                st.sampled_from(
                    [
                        f"mov{c} r{d}, #{i}", f"add{c} r{d}, #{i}", f"sub{c} r{d}, r{n}, r{m}",
                        f"lsl{c} r{d}, r{n}, #3", f"and{c} r{d}, r{n}", f"mov{c} r{d}, r{n}",
                        f"ldr{c} r{d}, [r0, #{slot}]", f"str{c} r{d}, [r0, #{slot}]",
                        f"cmp{c} r{n}, #{i}", f"cmp{c} r{n}, r{m}", f"tst{c} r{n}, r{m}",
                        f"add{c}.w r{d}, r{n}, #{i}", f"adds{c}.w r{d}, r{n}, #{i}",
                    ]
                )
            )
        )  # fmt: skip
    return f"cmp r{draw(low)}, #{draw(small)}\n " + "\n ".join(lines)


ENDS = {
    "down": ("ldr r6, ={count}", "subs r6, #1", "bne"),
    "up": ("movs r6, #0\n ldr r7, ={count}", "adds r6, #1\n cmp r6, r7", "blo"),
    "signed": ("movs r6, #0\n ldr r7, ={count}", "adds r6, #3\n cmp r7, r6", "bgt"),
    "memory": (
        "movs r6, #0\n str r6, [r0, #100]",
        "ldr r6, [r0, #100]\n adds r6, #1\n str r6, [r0, #100]\n ldr r7, ={count}\n cmp r6, r7",
        "blt",
    ),
    "byte": (
        "movs r6, #0\n strb r6, [r0, #96]",
        "ldrb r6, [r0, #96]\n adds r6, #1\n strb r6, [r0, #96]\n cmp r6, #200",
        "bls",
    ),
    "wrap": ("ldr r6, =-{count} & 0xffffffff", "adds r6, #1", "bcc"),
    "negative": ("ldr r6, ={count}", "subs r6, #2", "bpl"),
}


@st.composite
def loops(draw, depth: int = 0) -> str:
    """A loop with a body, perhaps with another loop in it."""
    before, step, branch = ENDS[draw(st.sampled_from(sorted(ENDS)))]
    body = draw(st.lists(st.one_of(plain(), plain(), conditional()), max_size=4))
    count = draw(st.integers(2, 400 if depth else 3000))
    if depth == 0 and draw(st.booleans()):
        inner = draw(loops(depth=1))
        body.insert(draw(st.integers(0, len(body))), f"push {{r6, r7}}\n{inner}\n pop {{r6, r7}}")
        count = draw(st.integers(2, 60))
    label = f"loop{depth}"
    lines = "\n ".join(body)
    return (
        f"{before.format(count=count)}\n{label}:\n {lines}\n {step.format(count=count)}\n"
        f" {branch}.w {label}"
    )


TICK = """
    ldr r0, =0xe000e010
    ldr r1, ={period}
    str r1, [r0, #4]
    movs r1, #0
    str r1, [r0, #8]
    movs r1, #7
    str r1, [r0, #0]
"""
HANDLER = """
tick:
    ldr r0, =0x20000400
    ldr r1, [r0, #0]
    adds r1, #1
    str r1, [r0, #0]
    bx lr
"""


LEFT = ("_seen", "_modf_seen", "_read_since_ovr")  # what reads leave behind in a peripheral


def state(machine: Machine) -> dict[str, object]:
    core, soc = machine.core, machine.soc
    return {
        "asked": soc.asked_ps,
        "flags read": soc.flags_read,
        "looked": {
            (name, what): getattr(one, what)
            for name, one in soc.peripherals.items()
            for what in LEFT
            if hasattr(one, what)
        },
        "status": {
            (name, register): state.value
            for name, one in soc.peripherals.items()
            for register, state in one.states.items()
            if register in ("SR", "SR1", "SR2")
        },
        "registers": core.engine.read_many(GENERAL)[:15],
        "xpsr": core.engine.read(XPSR),
        "masks": core.masks(),
        "pc": core.pc,
        "cycle": core.cycle,
        "awake": core.awake_cycles,
        "ram": core.memory.read(0x2000_0000, 0x18000),
        "trace": dump_trace(machine.trace()),
    }


BOARD = load_board("nucleo-f401")

COUNTING = """
    ldr r7, =0xe000edfc
    mov.w r6, #0x1000000
    str r6, [r7]
    ldr r7, =0xe0001000
    movs r6, #1
    str r6, [r7]
    mov r8, r7
"""  # CYCCNT runs


def same_run(
    text: str,
    vectors: dict[int, str],
    spans: list[int],
    board: Board = BOARD,
    stimuli: Sequence[Stimulus] = (),
) -> None:
    image = firmware(text, vectors)
    plainly = Machine(board, accelerate=False, native=False)
    others = [Machine(board, **way) for way in WAYS]
    try:
        for machine in (plainly, *others):
            machine.load(image)
            for stimulus in stimuli:
                machine.stimulate(stimulus)
        for span in spans:
            plainly.advance(span)
            wanted = state(plainly)
            for machine, way in zip(others, WAYS, strict=True):
                machine.advance(span)
                got = state(machine)
                for what, value in wanted.items():
                    assert got[what] == value, f"{what} differs, {way}, at {span}:\n{text}"
    finally:
        for machine in (plainly, *others):
            machine.close()


@settings(max_examples=40, deadline=None)
@given(
    body=st.lists(st.one_of(plain(), loops()), min_size=1, max_size=6),
    period=st.one_of(st.none(), st.integers(300, 9000)),
    spans=st.lists(st.integers(10**6, 2 * 10**9), min_size=1, max_size=3),
    registers=st.lists(st.integers(0, 0xFFFFFFFF), min_size=5, max_size=5),
)
def test_random_loops_run_the_same_however_they_are_sped_up(body, period, spans, registers) -> None:
    tick = TICK.format(period=period) if period is not None else ""
    values = "\n ".join(f"ldr r{n + 1}, ={value:#x}" for n, value in enumerate(registers))
    lines = "\n ".join(re.sub(r"loop(\d)", rf"loop\1x{n}", one) for n, one in enumerate(body))
    text = (
        f"start:\n{tick}\n{COUNTING}\n ldr r0, =0x20000000\n {values}\nround:\n {lines}\n"
        f" b.w round\n{HANDLER}"
    )
    try:
        firmware(text, {15: "tick"})
    except EmissionError:
        return  # a register that an encoding does not take
    same_run(text, {15: "tick"}, sorted(spans))


MASKED = """
start:
    {tick}
    ldr r0, =0x20000400
    movs r1, #0
    str r1, [r0]
    ldr r5, =0x40020000
    {before}
wait:
    bl get
    adds r3, #1
    cmp.w r1, #{enough}
    blo wait
done:
    b done
get:
    push {{r4, lr}}
    {enter}
    ldr r1, [r0]
    ldr r2, [r5, #16]
    dsb
    {leave}
    pop {{r4, pc}}
"""
SECTIONS = {
    "saved and restored": ("", "mrs r4, primask\n cpsid i", "msr primask, r4"),
    "restored where they were on": (
        "", "mrs r4, primask\n cpsid i", "cmp r4, #0\n bne out\n cpsie i\nout:",
    ),
    "switched off and on": ("", "cpsid i", "cpsie i"),
    "off all the time": ("cpsid i", "mrs r4, primask\n cpsid i", "msr primask, r4"),
    "on within": ("cpsid i", "cpsie i", "cpsid i"),
    "BASEPRI, saved, raised and restored": (
        "", "mrs r4, basepri\n movs r3, #0x50\n msr basepri, r3\n isb\n dsb", "msr basepri, r4",
    ),
    "BASEPRI, raised and cleared": (
        "", "movs r3, #0x50\n msr basepri, r3", "movs r3, #0\n msr basepri, r3",
    ),
    "BASEPRI, raised where that is more": (
        "movs r4, #0x80\n msr basepri, r4",
        "mrs r4, basepri\n movs r3, #0x50\n msr basepri_max, r3\n"
        "movs r3, #0x90\n msr basepri_max, r3\n movs r3, #0\n msr basepri_max, r3",
        "msr basepri, r4",
    ),
    "BASEPRI, lifted within": (
        "movs r3, #0x50\n msr basepri, r3", "movs r4, #0\n msr basepri, r4", "msr basepri, r3",
    ),
    "both masks": (
        "", "mrs r4, basepri\n movs r3, #0x10\n cpsid i\n msr basepri, r3\n cpsie i",
        "msr basepri, r4",
    ),
    "BASEPRI, without privilege": (
        "movs r4, #1\n msr control, r4", "mrs r4, basepri\n movs r3, #0x50\n msr basepri, r3",
        "msr basepri, r4",
    ),
    "of nobody's without privilege": (
        "movs r4, #1\n msr control, r4", "mrs r4, primask\n cpsid i", "msr primask, r4",
    ),
}  # fmt: skip


@pytest.mark.parametrize("section", sorted(SECTIONS))
@pytest.mark.parametrize("period", [1999, 8003, 15999])
def test_a_wait_that_masks_interrupts_each_time_round_is_the_same_run(section, period) -> None:
    before, enter, leave = SECTIONS[section]
    tick = TICK.format(period=period)
    text = MASKED.format(tick=tick, before=before, enter=enter, leave=leave, enough=20) + HANDLER
    same_run(text, {15: "tick"}, [7 * 10**7, 123456789, 10**9, 6 * 10**9])


@pytest.mark.parametrize(
    "section",
    [
        "saved and restored", "BASEPRI, saved, raised and restored", "BASEPRI, raised and cleared",
        "BASEPRI, raised where that is more",
    ],
)  # fmt: skip
def test_a_wait_that_masks_interrupts_is_skipped(section) -> None:
    before, enter, leave = SECTIONS[section]
    tick = TICK.format(period=159999)
    text = MASKED.format(tick=tick, before=before, enter=enter, leave=leave, enough=1000) + HANDLER
    image = firmware(text, {15: "tick"})

    def looks(*, accelerate: bool) -> int:
        """How often the pin was really looked at in five ticks."""
        with Machine(BOARD, accelerate=accelerate, native=False) as machine:
            machine.load(image)
            read, done = machine.soc.bus_read, []
            machine.soc.bus_read = lambda *what: (done.append(what), read(*what))[1]
            machine.advance(5 * 10**10)
            return len(done)

    assert looks(accelerate=False) > 20_000
    assert looks(accelerate=True) < 200


PORT = """
    ldr r5, =0x40023830
    movs r1, #1
    str r1, [r5]
    ldr r1, =0x20000
    str r1, [r5, #16]
    nop
    nop
    nop
    nop
    ldr r5, =0x40020000
    ldr r1, =0x7700
    str r1, [r5, #32]
    ldr r1, =0xa80000a0
    str r1, [r5]
    ldr r0, =0x40004400
    movs r1, #139
    str r1, [r0, #8]
    ldr r1, =0x200c
    str r1, [r0, #12]
    ldr r5, =0x40020000
"""  # USART2 at 115200 baud listens; r0 is its base, r5 GPIOA's
TAKE = """
tick:
    ldr r4, =0x20000500
    {take}
    ldr r1, [r0, #0]
    str r1, [r4, #4]
    bx lr
"""
LOOKS = ("ldr r1, [r0, #0]", "ldr r2, [r5, #16]", "nop", "adds r3, #1", "ldrh r1, [r0, #0]")


@settings(max_examples=25, deadline=None)
@given(
    body=st.lists(st.sampled_from(LOOKS), min_size=1, max_size=6),
    inner=st.lists(st.sampled_from(LOOKS), max_size=3),
    period=st.integers(1500, 9000),
    take=st.sampled_from(("ldr r1, [r0, #4]\n str r1, [r4]", "nop")),
    first=st.integers(10**6, 10**8),
    count=st.integers(0, 5),
    spans=st.lists(st.integers(10**6, 10**9), min_size=1, max_size=4),
)
def test_a_loop_that_polls_a_port_leaves_behind_what_its_last_look_does(
    body, inner, period, take, first, count, spans
) -> None:
    # The handler reads DR: which flags that clears follows from the last read of SR before it.
    wait = "\n ".join(body)
    if inner:
        lines = "\n ".join(inner)
        wait += f"\n movs r6, #30\nagain: {lines}\n subs r6, #1\n bne again"
    text = (
        f"start:\n{PORT}\n{TICK.format(period=period).replace('r0', 'r4')}\n movs r3, #0\n"
        f"wait: {wait}\n b wait\n{TAKE.format(take=take)}"
    )
    sent = [Send("console", first, bytes(range(count)))] if count else []
    same_run(text, {15: "tick"}, sorted(spans), stimuli=sent)


@pytest.mark.parametrize("nops", range(8))
def test_an_overrun_that_a_skipped_loop_saw_is_cleared_by_the_read_of_dr(nops) -> None:
    # SR is read once in some 20 cycles, and the second byte's overrun comes between two reads.
    more = "nop\n" * nops
    text = f"""
    start:
        {PORT}
        {TICK.format(period=15999).replace("r0", "r4")}
        {more}
    wait:
        ldr r1, [r0, #0]
        nop
        nop
        nop
        nop
        nop
        nop
        nop
        b wait
    tick:
        ldr r4, =0x20000500
        ldr r1, [r0, #4]
        bx lr
    """
    same_run(text, {15: "tick"}, [10**9, 2 * 10**9], stimuli=[Send("console", 10**6, b"abcd")])


WAITS = {
    "COUNTFLAG": """
        movs r2, #5
        ldr r5, =0xe000e010
        ldr r1, =7777
        str r1, [r5, #4]
        str r1, [r5, #8]
        str r2, [r5, #0]
    wait:
        ldr r1, [r5, #0]
        tst r1, #0x10000
        beq wait
    """,
    "SysTick's counter": """
        movs r2, #5
        ldr r5, =0xe000e010
        ldr r1, =9999
        str r1, [r5, #4]
        str r1, [r5, #8]
        str r2, [r5, #0]
        nop
        nop
    wait:
        ldr r1, [r5, #8]
        cmp r1, #100
        bhi wait
    """,
    "CYCCNT": """
        ldr r5, =0xe000edfc
        mov.w r1, #0x1000000
        str r1, [r5]
        ldr r5, =0xe0001000
        movs r1, #1
        str r1, [r5, #0]
        ldr r2, [r5, #4]
    wait:
        ldr r1, [r5, #4]
        subs r1, r1, r2
        cmp.w r1, #3008
        blo wait
    """,
    "CYCCNT, read twice": """
        ldr r5, =0xe000edfc
        mov.w r1, #0x1000000
        str r1, [r5]
        ldr r5, =0xe0001000
        movs r1, #1
        str r1, [r5, #0]
        movs r3, #0
        ldr r2, [r5, #4]
    wait:
        ldr r1, [r5, #4]
        adds r3, #1
        nop
        ldr r4, [r5, #4]
        subs r4, r4, r1
        subs r1, r1, r2
        cmp.w r1, #6016
        blo wait
        ldr r5, =0x20000600
        str r3, [r5, #0]
        str r4, [r5, #4]
    """,
    "the current value of SysTick, from lap to lap": """
        ldr r5, =0xe000e010
        ldr r1, =999
        str r1, [r5, #4]
        str r1, [r5, #8]
        movs r1, #5
        str r1, [r5, #0]
        movs r3, #0
        movs r2, #0
    wait:
        ldr r1, [r5, #8]
        subs r4, r2, r1
        it mi
        addmi.w r4, r4, #1000
        adds r3, r3, r4
        mov r2, r1
        cmp.w r3, #6016
        blo wait
        ldr r5, =0x20000600
        str r3, [r5, #0]
        str r4, [r5, #4]
    """,
    "a pin": """
        movs r2, #0
    wait:
        ldr r1, [r0, #0x10]
        adds r2, #1
        lsrs r1, r1, #14
        bcc wait
        ldr r5, =0x40020800
    """,
    "a pin that is set each time round": """
        movs r1, #0
    wait:
        movs r2, #0x20
        str r2, [r0, #0x18]
        adds r1, #1
        cmp.w r1, #1000
        blo wait
    """,
    "a pin that is set anew in one round of many": """
        movs r1, #0
        movs r3, #0x20
        mov.w r4, #0x200000
    wait:
        cmp.w r1, #500
        ite lo
        movlo r2, r3
        movhs r2, r4
        str r2, [r0, #0x18]
        ldr r5, [r0, #0x14]
        adds r1, #1
        cmp.w r1, #1000
        blo wait
        ldr r4, =0x20000600
        str r5, [r4, #0]
    """,
    "a latch that is written as it stands": """
        movs r1, #0
    wait:
        ldr r2, [r0, #0x14]
        str r2, [r0, #0x14]
        push.w {r1, lr}
        bl nothing
        pop.w {r1, lr}
        adds r1, #1
        cmp.w r1, #1000
        blo wait
    """,
    "a call that reads a counter": """
        ldr r5, =0x20000500
        movs r1, #0
        str r1, [r5, #0]
    wait:
        bl count
        cmp.w r1, #1000
        blo wait
    """,
    "a pin, through HAL_GPIO_ReadPin": """
    wait:
        bl read
        cmp r1, #1
        bne wait
        ldr r5, =0x40020800
    """,
    "a function that may return early": """
        ldr r5, =0x20000500
        movs r1, #0
        str r1, [r5, #0]
    wait:
        bl early
        cmp.w r1, #1000
        blo wait
    """,
    "a word of Forth, called by its address": """
        ldr r5, =0x20000600
        mov r7, r5
        ldr r4, =there + 1
        ldr r3, =further + 1
        movs r6, #0
    wait:
        str.w r6, [r7, #-4]!
        str.w r3, [r5, #4]!
        mov pc, r4
    there:
        ldr.w pc, [r5], #-4
    further:
        ldm r7!, {r6}
        adds r6, #1
        cmp.w r6, #1000
        blo wait
    """,
    "what happens in one round of many": """
        movs r1, #0
        movs r2, #0
    wait:
        adds r1, #1
        cmp r1, #250
        ite eq
        moveq r2, #77
        addne r2, #1
        cmp.w r1, #1000
        blo wait
        ldr r5, =0x20000600
        str r2, [r5, #0]
    """,
    "an inner loop with a choice": """
        movs r2, #20
    outer:
        ldr r1, =1500
    wait:
        subs r1, #1
        cmp r1, r2
        it eq
        addeq r3, #1
        cmp r1, #0
        bne wait
        subs r2, #1
        bne outer
    """,
    "an inner loop": """
        movs r2, #20
    outer:
        ldr r1, =1500
    wait:
        subs r1, #1
        bne wait
        subs r2, #1
        bne outer
    """,
}


@pytest.mark.parametrize("wait", sorted(WAITS))
def test_a_blink_that_waits_for_something_is_the_same_run(wait) -> None:
    text = f"""
    start:
        {GPIOA}
    round:
        ldr r1, [r0, #0x14]
        eor r1, r1, #0x20
        str r1, [r0, #0x14]
        {WAITS[wait]}
        b.w round
    count:
        push {{r4, lr}}
        ldr r1, [r5, #0]
        adds r1, #1
        str r1, [r5, #0]
        pop {{r4, pc}}
    nothing:
        bx lr
    read:
        ldr r1, [r0, #0x10]
        tst.w r1, #0x2000
        ite ne
        movne r1, #1
        moveq r1, #0
        bx lr
    early:
        push {{r4, lr}}
        ldr r1, [r5, #0]
        adds r1, #1
        str r1, [r5, #0]
        cmp r1, #0
        it mi
        popmi {{r4, pc}}
        lsls r4, r1, #24
        it ne
        popne {{r4, pc}}
        pop {{r4, pc}}
    """
    same_run(text, {}, [10**6, 5 * 10**8, 3 * 10**9])


@pytest.mark.skipif(library() is None, reason="the compiled block hook was not built")
def test_the_environment_can_switch_the_compiled_hook_off(monkeypatch) -> None:
    library.cache_clear()
    monkeypatch.setenv("FWGEN_NATIVE", "0")
    assert library() is None
    machine = Machine(BOARD, native=True)
    with pytest.raises(BenchError, match="not built"):
        machine.load(firmware("start: b start"))
    library.cache_clear()
    monkeypatch.delenv("FWGEN_NATIVE")
    assert library() is not None
