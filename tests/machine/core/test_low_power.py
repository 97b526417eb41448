"""Stop and Standby with a core: who wakes it, with which clock, and what is left."""

from __future__ import annotations

from itertools import pairwise

import pytest

from fwgen.machine import Machine
from fwgen.machine.armv7m.engine import GENERAL
from fwgen.trace import Hazard, Reset, Sleep, Wake
from tests.machine.core.firmware import firmware
from tests.machine.core.test_equivalence import same_run

MS, S = 10**9, 10**12

# LSI, the RTC on it, unlocked; r6: RTC, r7: PWR, r5: EXTI.
RTC = """
    ldr r0, =0x40023800
    ldr r1, =0x10000000
    str r1, [r0, #0x40]
    ldr r7, =0x40007000
    movs r1, #1
    str r1, [r0, #0x74]
    dsb sy
    ldr r1, =0x8100
    str r1, [r7]
lsi:
    ldr r1, [r0, #0x74]
    lsls r1, r1, #30
    bpl lsi
    ldr r1, =0x8200
    str r1, [r0, #0x70]
    ldr r6, =0x40002800
    movs r1, #0xca
    str r1, [r6, #0x24]
    movs r1, #0x53
    str r1, [r6, #0x24]
    ldr r5, =0x40013c00
"""
# The wake-up timer each 16 * 20 ticks of the LSI: 10 ms.
WAKE = """
    movs r1, #19
    str r1, [r6, #0x14]
    ldr r1, =0x400000
    str r1, [r5, #0]
    str r1, [r5, #8]
    ldr r1, =0x4400
    str r1, [r6, #8]
    ldr r2, =0xe000e100
    movs r1, #8
    str r1, [r2]
"""
DEEP = """
    ldr r2, =0xe000ed10
    movs r1, #4
    str r1, [r2]
"""
HANDLER = """
wake:
    ldr r1, =0xfffffb7f
    str r1, [r6, #0xc]
    ldr r1, =0x400000
    str r1, [r5, #0x14]
    dsb sy
    bx lr
"""
IRQ = {16 + 3: "wake"}


def run(board, text, span=100 * MS, vectors=IRQ):
    return Machine(board).run(firmware(text, vectors), [], span)


def codes(trace):
    return [h.code for h in trace.of(Hazard) if h.severity != "note"]


@pytest.mark.parametrize(("cr", "us"), [(0x8100, 13.5), (0x8101, 21), (0x8300, 105), (0x8301, 113)])
def test_the_rtc_wakes_from_stop_after_the_regulators_time(board, cr, us):
    text = (
        f"start: {RTC} ldr r1, ={cr}\n str r1, [r7]\n {WAKE} {DEEP} round: wfi\n b round {HANDLER}"
    )
    machine = Machine(board)
    machine.load(firmware(text, IRQ))
    machine.advance(100 * MS)
    trace, lsi = machine.trace(), machine.soc.clock("LSI")
    machine.close()
    assert codes(trace) == []
    assert [e.mode for e in trace.of(Sleep)] == ["stop"] * 10
    assert trace.asleep_ps(mode="stop") == trace.asleep_ps()
    wakes = list(trace.of(Wake))
    assert {e.cause for e in wakes} == {"RTC_WKUP"}
    for wake, after in pairwise(wakes):
        assert abs(after.t_ps - wake.t_ps - 10 * MS) < 10**6
    for wake in wakes:  # a tick of the LSI, and the way back
        due = wake.t_ps - int(us * 10**6)
        assert 0 <= due - lsi.time_of(lsi.ticks_at(due)) < 10**6


def test_a_pending_line_keeps_the_chip_out_of_stop(board):
    text = f"""start: {RTC} {WAKE} {DEEP}
        cpsid i
        ldr r2, =0xe000e180
        movs r1, #8
        str r1, [r2]
        movs r1, #1
        str r1, [r5, #0]
        str r1, [r5, #0x10]
        movs r4, #0
    round: wfi
        adds r4, #1
        b round {HANDLER}"""
    trace = run(board, text, span=MS)
    assert codes(trace) == ["stop-refused"]
    assert not list(trace.of(Sleep))


def test_standby_ends_in_a_reset_that_only_the_backup_domain_outlives(board):
    text = f"""start: {RTC}
        ldr r1, [r6, #0x50]
        adds r1, #1
        str r1, [r6, #0x50]
        ldr r0, =0x20001000
        ldr r4, [r0]
        movs r2, #42
        str r2, [r0]
        ldr r0, =0x40007004
        ldr r3, [r0]
        {WAKE}
        ldr r1, =0xfffffb7f
        str r1, [r6, #0xc]
        ldr r1, =0x810e
        str r1, [r7]
        {DEEP}
        wfi
    round: b round {HANDLER}"""
    machine = Machine(board)
    machine.load(firmware(text, IRQ))
    machine.advance(45 * MS)
    trace = machine.trace()
    assert [e.mode for e in trace.of(Sleep)] == ["standby"] * 5
    assert [e.cause for e in trace.of(Reset)] == ["STANDBY"] * 4
    assert not list(trace.of(Wake))
    assert machine.soc.peripherals["RTC"].states["BKP0R"].value == 5
    general = machine.core.engine.read_many(GENERAL)
    assert general[3] & 3 == 3  # SBF and WUF, as the last boot saw them
    assert general[4] != 42  # RAM is noise
    asleep = trace.asleep_ps(mode="standby")
    assert asleep > 40 * MS
    assert trace.asleep_ps() == asleep
    machine.close()


def test_a_debugger_keeps_the_clock_in_stop_and_systick_wakes_then(board):
    tick = """
        ldr r2, =0xe000e010
        ldr r1, =15999
        str r1, [r2, #4]
        str r1, [r2, #8]
        movs r1, #7
        str r1, [r2]
    """
    debug = "ldr r2, =0xe0042004\n movs r1, #2\n str r1, [r2]\n"
    body = "{} " + tick + DEEP + "round: wfi\n b round\n tick: bx lr"
    plain = run(board, "start: " + body.format(""), span=20 * MS, vectors={15: "tick"})
    kept = run(board, "start: " + body.format(debug), span=20 * MS, vectors={15: "tick"})
    assert len(list(plain.of(Wake))) == 0
    assert len(list(kept.of(Wake))) == 19
    assert {e.mode for e in kept.of(Sleep)} == {"stop"}


def test_the_independent_watchdog_bites_in_stop_at_its_time(board):
    text = f"""start:
        ldr r0, =0x40003000
        ldr r1, =0xcccc
        str r1, [r0]
        {DEEP}
    round: wfi
        b round"""
    trace = run(board, text, span=600 * MS, vectors={})
    (reset,) = trace.of(Reset)
    assert reset.cause == "IWDGRSTF"
    assert 512 * MS < reset.t_ps < 513 * MS


# Seconds of 16 ticks of the LSI: 0.5 ms.
QUICK = """
    movs r1, #0x80
    str r1, [r6, #0xc]
mode:
    ldr r1, [r6, #0xc]
    lsls r1, r1, #25
    bpl mode
    movs r1, #3
    str r1, [r6, #0x10]
    ldr r1, =0x30003
    str r1, [r6, #0x10]
    movs r1, #0
    str r1, [r6, #0xc]
"""
POLLS = {
    "the time": ("movs r2, #0", "ldr r1, [r6, #0]\n ldr r3, [r6, #4]\n cmp r1, r4\n beq wait"),
    "the time alone": ("movs r2, #0", "ldr r1, [r6, #0]\n cmp r1, r4\n beq wait"),
    "sub-seconds": (
        "movs r2, #0",
        "ldr r1, [r6, #0x28]\n ldr r3, [r6, #0]\n ldr r3, [r6, #4]\n cmp r1, #2\n bne wait",
    ),
    "the counters": (
        "movs r1, #0x20\n str r1, [r6, #8]",
        "ldr r1, [r6, #0]\n cmp r1, r4\n beq wait",
    ),
    "RSF": ("movs r2, #0", "ldr r1, [r6, #0xc]\n lsls r1, r1, #26\n bpl wait"),
    "the wake-up flag": (
        "movs r1, #9\n str r1, [r6, #0x14]\n ldr r1, =0x400\n str r1, [r6, #8]",
        "ldr r1, [r6, #0xc]\n lsls r1, r1, #21\n bpl wait",
    ),
    "the window watchdog": (
        "ldr r6, =0x40002c00",
        "ldr r1, [r6, #0]\n cmp r1, #0x60\n bne wait",
    ),
    "its early flag": ("ldr r6, =0x40002c00", "ldr r1, [r6, #8]\n cmp r1, #0\n beq wait"),
}


@pytest.mark.parametrize("poll", sorted(POLLS))
def test_waiting_for_it_is_the_same_run_however_it_is_sped_up(poll):
    before, wait = POLLS[poll]
    text = f"""
    start: {RTC} {QUICK}
        ldr r1, =0x10000800
        str r1, [r0, #0x40]
        dsb sy
        {before}
        movs r2, #0
    again:
        ldr r4, [r6, #0]
    wait:
        adds r2, #1
        {wait}
        ldr r1, =0xfffffb5f
        str r1, [r6, #0xc]
        b again
    """
    same_run(text, {}, [MS, 3 * MS, 13 * MS])
