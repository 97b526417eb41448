"""Firmware that an emulator could forgive and silicon does not, each beside one that is right.

Every firmware here shows what its contract asks for, or would on a forgiving machine. Only the
right neighbour may pass; the wrong one must fail and say why.
"""

from __future__ import annotations

import pytest

from fwgen import pipeline
from fwgen.board import load_board
from fwgen.contract import Blinks, Contract, Level, Says, Window
from fwgen.verdict import Outcome
from tests.machine.core.firmware import firmware

BOARD = load_board("nucleo-f401")
MS = 10**9

CLOCK = "ldr r0, =0x40023830\nmovs r1, #1\nstr r1, [r0, #0]\nldr r1, [r0, #0]\n"
OUTPUT = "ldr r2, =0x40020000\nldr r1, =0xa8000400\nstr r1, [r2, #0]\n"
LIT = "movs r1, #32\nstr r1, [r2, #24]\n"
END = "halt: wfi\nb halt\n"
GOOD = CLOCK + OUTPUT + LIT
LED_ON = Level("LED", 1, window=Window(20 * MS, None))


def uart(*, moder=0xA80000A0, afrl=0x7700, brr=0x8B, cr1=0x200C, before="", send="") -> str:
    """USART2 on PA2 and PA3; says "A" and a line end, one byte after the other."""
    say = "".join(
        f"movs r4, #{byte}\nfull{byte}: ldr r1, [r3, #0]\nlsls r1, r1, #24\nbpl full{byte}\n"
        "str r4, [r3, #4]\n"
        for byte in b"A\n"
    )
    return (
        "ldr r0, =0x40023830\nmovs r1, #1\nstr r1, [r0, #0]\nldr r1, =0x20000\n"
        "str r1, [r0, #16]\nldr r1, [r0, #16]\nldr r2, =0x40020000\n"
        f"ldr r1, ={afrl:#x}\nstr r1, [r2, #32]\nldr r1, ={moder:#x}\nstr r1, [r2, #0]\n{before}"
        f"ldr r3, =0x40004400\nldr r1, ={brr:#x}\nstr r1, [r3, #8]\n"
        f"ldr r1, ={cr1:#x}\nstr r1, [r3, #12]\n{send or say}"
    )


def timer(base: int, enable: int, moder: int, afr: int, *, af_high: bool, more: str = "") -> str:
    """A timer of APB1 or APB2 puts 10 Hz out on its channel 1."""
    apb = 20 if base >= 0x40010000 else 16
    return (
        f"ldr r0, =0x40023830\nmovs r1, #1\nstr r1, [r0, #0]\nmovs r1, #{enable}\n"
        f"str r1, [r0, #{apb}]\nldr r1, [r0, #{apb}]\nldr r2, =0x40020000\n"
        f"ldr r1, ={afr:#x}\nstr r1, [r2, #{36 if af_high else 32}]\n"
        f"ldr r1, ={moder:#x}\nstr r1, [r2, #0]\nldr r3, ={base:#x}\n"
        "ldr r1, =15999\nstr r1, [r3, #0x28]\nmovs r1, #99\nstr r1, [r3, #0x2c]\n"
        "movs r1, #50\nstr r1, [r3, #0x34]\nmovs r1, #0x60\nstr r1, [r3, #0x18]\n"
        f"movs r1, #1\nstr r1, [r3, #0x20]\nstr r1, [r3, #0x14]\n{more}"
        "movs r1, #1\nstr r1, [r3, #0]\n"
    )


MOE = "ldr r1, =0x8000\nstr r1, [r3, #0x44]\n"
SAYS = Says("console", "A", times=1)

# (what, right, wrong, what must be seen, words of the reason)
CASES = [
    ("its clock is off", GOOD, OUTPUT + LIT, LED_ON, "touched while its clock is off"),
    ("touched right after its clock was enabled", GOOD,
     "ldr r0, =0x40023830\nldr r2, =0x40020000\nldr r3, =0xa8000400\nmovs r1, #1\n"
     "str r1, [r0, #0]\nstr r3, [r2, #0]\n" + LIT, LED_ON, "right after enabling its clock"),
    ("MODER written whole: the debugger is out", GOOD,
     (GOOD).replace("0xa8000400", "0x400"), LED_ON, "leaves the debugger"),
    ("AFRH written whole: the debugger is out", GOOD,
     GOOD + "ldr r1, =0x00100000\nstr r1, [r2, #0x24]\n", LED_ON, "leaves the debugger"),
    ("the latch is set, the pin is analog", GOOD,
     GOOD.replace("0xa8000400", "0xa8000c00"), LED_ON, "nothing drives"),
    ("an open drain lights nothing", GOOD,
     GOOD + "movs r1, #32\nstr r1, [r2, #4]\n", LED_ON, "nothing drives"),
    ("the pull lights the LED", GOOD,
     CLOCK + "ldr r2, =0x40020000\nldr r1, =0x64000400\nstr r1, [r2, #12]\n", LED_ON,
     "hangs on the weak pull"),
    ("the latch was set through a byte of RAM", GOOD,
     GOOD.replace("0x40020000", "0x20000000"), LED_ON, "floating"),
    ("no pin carries TX", uart(), uart(moder=0xA8000000), SAYS, "nothing comes out"),
    ("TX has the wrong alternate function", uart(), uart(afrl=0x7100), SAYS, "nothing comes out"),
    ("TX is an open drain without a pull", uart(),
     uart(before="movs r1, #4\nstr r1, [r2, #4]\n"), SAYS, "sends with an open drain"),
    ("the baud rate is 2.4 % off", uart(), uart(brr=0x8E), SAYS, "baud"),
    ("bytes written while one waits", uart(),
     uart(send="movs r4, #65\nmovs r5, #10\n" + "str r4, [r3, #4]\n" * 2 + "str r5, [r3, #4]\n"),
     SAYS, "lost"),
    ("TIM3 has no clock", timer(0x40000400, 2, 0xA8002000, 0x02000000, af_high=False),
     timer(0x40000400, 1, 0xA8002000, 0x02000000, af_high=False), Blinks("PA6", 100 * MS),
     "touched while its clock is off"),
    ("TIM3's pin is given to TIM1", timer(0x40000400, 2, 0xA8002000, 0x02000000, af_high=False),
     timer(0x40000400, 2, 0xA8002000, 0x01000000, af_high=False), Blinks("PA6", 100 * MS),
     "nothing drives"),
    ("TIM1 without MOE", timer(0x40010000, 1, 0xA8020000, 1, af_high=True, more=MOE),
     timer(0x40010000, 1, 0xA8020000, 1, af_high=True), Blinks("PA8", 100 * MS), "nothing drives"),
    ("a store into flash", GOOD,
     GOOD + "ldr r4, =0x08000200\nstr r1, [r4, #0]\n", LED_ON, "the flash refused"),
    ("a store into flash through its alias", GOOD,
     GOOD + "ldr r4, =0x00000200\nstr r1, [r4, #0]\n", LED_ON, "the flash refused"),
    ("LDM from an odd address", GOOD,
     GOOD + "ldr r4, =0x20000002\nldmia r4!, {r5, r6}\n", LED_ON, "must be aligned"),
    ("an odd address in a peripheral", GOOD,
     GOOD + "ldr r4, =0x40020011\nldrh r5, [r4, #0]\n", LED_ON, "must be aligned"),
    ("code in a peripheral", GOOD,
     GOOD + "ldr r4, =0x40020001\nbx r4\n", LED_ON, "where nothing may execute"),
    ("a jump to an even address", GOOD,
     GOOD + "ldr r4, =0x08000194\nbx r4\n", LED_ON, "even address"),
    ("beyond the end of RAM", GOOD,
     GOOD + "ldr r4, =0x20018000\nldr r5, [r4, #0]\n", LED_ON, "where there is nothing"),
    ("off the end of the code", GOOD, GOOD.replace(END, "") + "nop\n.word 0xffffffff\n", LED_ON,
     "does not have"),
    ("floating point with the FPU off", GOOD, GOOD + "vmov.f32 s0, #1.0\n", LED_ON, "FPU is off"),
    ("a breakpoint nobody waits at", GOOD, GOOD + "bkpt #0\n", LED_ON, "breakpoint"),
    ("a watchdog started and not fed", GOOD,
     GOOD + "ldr r4, =0x40003000\nldr r5, =0xcccc\nstr r5, [r4, #0]\n", LED_ON, "never fed"),
    ("a watchdog fed while it is set up only", GOOD,
     GOOD + "ldr r4, =0x40003000\nldr r5, =0xcccc\nstr r5, [r4, #0]\nldr r5, =0xaaaa\n"
     "str r5, [r4, #0]\n", LED_ON, "never fed"),
    ("RAM that nobody wrote decides", GOOD,
     CLOCK + OUTPUT + "ldr r4, =0x20000100\nldr r5, [r4, #0]\nlsls r5, r5, #31\nbpl halt\n" + LIT,
     LED_ON, "what RAM holds at power-on"),
    ("RAM that nobody wrote decides, the other way", GOOD,
     CLOCK + OUTPUT + "ldr r4, =0x20000100\nldr r5, [r4, #0]\nlsls r5, r5, #31\nbmi halt\n" + LIT,
     LED_ON, "LED"),
    ("a floating input decides",
     CLOCK + OUTPUT + "ldr r5, =0x64000002\nstr r5, [r2, #12]\nldr r5, [r2, #16]\n"
     "lsls r5, r5, #31\nbmi halt\n" + LIT,
     CLOCK + OUTPUT + "ldr r5, [r2, #16]\nlsls r5, r5, #31\nbmi halt\n" + LIT,
     LED_ON, "what a floating input reads"),
    ("an output against the board's serial line", GOOD,
     GOOD.replace("0xa8000400", "0xa8000440"), LED_ON, "two outputs on one wire"),
    ("an output against the board's crystal", GOOD,
     "ldr r0, =0x40023830\nmovs r1, #5\nstr r1, [r0, #0]\nldr r1, [r0, #0]\nldr r2, =0x40020800\n"
     "ldr r1, =0x10000000\nstr r1, [r2, #0]\n" + OUTPUT + LIT, LED_ON, "two outputs on one wire"),
    ("sleep so deep that no timer wakes it",
     CLOCK + OUTPUT + "ldr r4, =0xe000e010\nldr r5, =400000\nstr r5, [r4, #4]\nmovs r5, #7\n"
     "str r5, [r4, #0]\nwfi\n" + LIT,
     CLOCK + OUTPUT + "ldr r4, =0xe000ed10\nmovs r5, #4\nstr r5, [r4, #0]\nldr r4, =0xe000e010\n"
     "ldr r5, =400000\nstr r5, [r4, #4]\nmovs r5, #7\nstr r5, [r4, #0]\nwfi\n" + LIT,
     Level("LED", 1, window=Window(60 * MS, None)), "LED"),
]  # fmt: skip


def prove(text, expectation, stimuli=(), span_ps=400 * MS, vectors=None):
    contract = Contract("", BOARD.name, span_ps, tuple(stimuli), (expectation,))
    image = firmware(f"start: {text}{END}", vectors)
    return pipeline.prove(image, BOARD, contract)


@pytest.mark.parametrize(
    ("right", "wrong", "expectation", "reason"), [c[1:] for c in CASES], ids=[c[0] for c in CASES]
)
def test_only_the_right_one_passes(right, wrong, expectation, reason):
    handler = {15: "tick"}
    right, wrong = (f"b go\ntick: bx lr\ngo: {text}" for text in (right, wrong))
    good = prove(right, expectation, vectors=handler).verdict
    assert good.passed, [f.text for f in good.all if f.outcome.exit_code]
    bad = prove(wrong, expectation, vectors=handler).verdict
    told = [f.text for f in bad.all if f.outcome.exit_code]
    assert bad.outcome is Outcome.FAIL, told
    assert any(reason in text for text in told), told
