"""Exceptions: entry, return, priorities, preemption, tail-chaining, masks. Arm ARM B1.5."""

from __future__ import annotations

import pytest

RAM = 0x2000_0000
PEND = """
    ldr r0, =0xe000e100
    ldr r1, =0xff
    str r1, [r0, #0]
"""


def test_a_handler_sees_the_frame_and_returns_to_the_next_instruction(lab):
    lab.run(
        """
        start:
            movs r0, #1
            movs r1, #2
            movs r2, #3
            movs r3, #4
            svc #7
            movs r7, #9
        end: b end
        call:
            mov r4, sp
            ldr r5, [sp, #0]
            mrs r6, ipsr
            ldr r0, [sp, #24]
            ldrb r8, [r0, #-2]
            bx lr
        """,
        {11: "call"},
    )
    assert lab.register(4) == 0x2001_8000 - 32
    assert lab.register(5) == 1
    assert lab.register(6) == 11
    assert lab.register(8) == 7
    assert [lab.register(n) for n in range(4)] == [1, 2, 3, 4]
    assert lab.register(7) == 9
    assert lab.register(13) == 0x2001_8000


def test_flags_survive_an_interrupt(lab):
    lab.run(
        """
        start:
            movs r0, #0
            cmp r0, #1
            svc #0
            bcc less
            movs r7, #1
        end: b end
        less: movs r7, #2
        end2: b end2
        call:
            movs r0, #5
            cmp r0, #1
            bx lr
        """,
        {11: "call"},
    )
    assert lab.register(7) == 2


ORDER = """
    start:
        ldr r6, =0x20000100
        ldr r0, =0xe000e400
        ldr r1, ={priorities}
        str r1, [r0, #0]
        ldr r0, =0xe000e100
        movs r1, #7
        str r1, [r0, #0]
        cpsid i
        ldr r0, =0xe000e200
        str r1, [r0, #0]
        cpsie i
        nop
        nop
    end: b end
    one: movs r1, #1
        strb r1, [r6]
        adds r6, r6, #1
        bx lr
    two: movs r1, #2
        strb r1, [r6]
        adds r6, r6, #1
        bx lr
    three: movs r1, #3
        strb r1, [r6]
        adds r6, r6, #1
        bx lr
"""
IRQS = {16: "one", 17: "two", 18: "three"}


@pytest.mark.parametrize(
    ("priorities", "order"),
    [
        ("0x000000", [1, 2, 3]),  # equal: lowest number first
        ("0x102030", [3, 2, 1]),
        ("0x301020", [2, 1, 3]),
        ("0x0f0f10", [2, 3, 1]),  # the low four bits are not there
    ],
)
def test_pending_interrupts_go_by_priority_then_number(lab, priorities, order):
    lab.run(ORDER.format(priorities=priorities), IRQS)
    data = lab.machine.core.memory.read(0x2000_0100, 3)
    assert list(data) == order


NESTED = """
    start:
        ldr r6, =0x20000100
        ldr r0, =0xe000ed0c
        ldr r1, ={aircr}
        str r1, [r0, #0]
        ldr r0, =0xe000e400
        ldr r1, =0x2040
        str r1, [r0, #0]
        ldr r0, =0xe000e100
        movs r1, #3
        str r1, [r0, #0]
        ldr r5, =0xe000e200
        movs r1, #1
        str r1, [r5, #0]
        nop
        nop
    end: b end
    low: movs r1, #2
        str r1, [r5, #0]
        dsb sy
        isb sy
        movs r1, #1
        strb r1, [r6]
        adds r6, r6, #1
        bx lr
    high: movs r1, #2
        strb r1, [r6]
        adds r6, r6, #1
        bx lr
"""


@pytest.mark.parametrize(
    ("aircr", "order"),
    [("0x05fa0000", [2, 1]), ("0x05fa0600", [1, 2]), ("0x00000600", [2, 1])],
    ids=["preempts", "same group", "wrong key changes nothing"],
)
def test_a_higher_group_preempts_and_a_subpriority_does_not(lab, aircr, order):
    lab.run(NESTED.format(aircr=aircr), {16: "low", 17: "high"})
    assert list(lab.machine.core.memory.read(0x2000_0100, 2)) == order


@pytest.mark.parametrize(
    ("mask", "taken"),
    [
        ("cpsid i", 0),
        ("cpsid f", 0),
        ("movs r0, #0x40\nmsr basepri, r0", 0),
        ("movs r0, #0x60\nmsr basepri, r0", 1),
        ("nop", 1),
    ],
)
def test_masks_hold_back_an_interrupt_of_priority_0x50(lab, mask, taken):
    lab.run(
        f"""
        start:
            ldr r0, =0xe000e400
            movs r1, #0x50
            str r1, [r0, #0]
            ldr r0, =0xe000e100
            movs r1, #1
            str r1, [r0, #0]
            {mask}
            ldr r0, =0xe000e200
            movs r1, #1
            str r1, [r0, #0]
            nop
        end: b end
        irq: movs r7, #1
            bx lr
        """,
        {16: "irq"},
    )
    assert lab.register(7) == taken


def test_tail_chaining_spares_the_stacking(lab):
    text = """
        start:
            ldr r0, =0xe000e100
            movs r1, #3
            str r1, [r0, #0]
            ldr r5, =0xe000edfc
            mov.w r1, #0x1000000
            str r1, [r5]
            ldr r5, =0xe0001000
            movs r1, #1
            str r1, [r5, #0]
            cpsid i
            ldr r0, =0xe000e200
            movs r1, #3
            str r1, [r0, #0]
            cpsie i
            nop
        end: b end
        one: ldr r8, [r5, #4]
            bx lr
        two: ldr r9, [r5, #4]
            bx lr
    """
    lab.run(text, {16: "one", 17: "two"})
    # ldr (2), bx (1), tail-chain (6).
    assert lab.register(9) - lab.register(8) == 2 + 1 + 6


def test_entry_takes_twelve_cycles(lab):
    lab.run(
        """
        start:
            ldr r5, =0xe000edfc
            mov.w r1, #0x1000000
            str r1, [r5]
            ldr r5, =0xe0001000
            movs r1, #1
            str r1, [r5, #0]
            ldr r8, [r5, #4]
            svc #0
        end: b end
        call: ldr r9, [r5, #4]
            bx lr
        """,
        {11: "call"},
    )
    # From the first read: ldr (2), svc (its own price), then stacking and the vector (12).
    from fwgen.thumb import cycles, encode

    svc = cycles.cost(encode("svc #0"), "cortex-m4f").total
    assert lab.register(9) - lab.register(8) == 2 + svc + 12


def test_pendsv_switches_between_two_process_stacks(lab):
    lab.run(
        """
        start:
            ldr r0, =0x20001000
            msr psp, r0
            movs r0, #2
            msr control, r0
            isb sy
            mov r4, sp
            ldr r0, =0xe000ed04
            ldr r1, =0x10000000
            str r1, [r0, #0]
            dsb sy
            isb sy
            mov r8, sp
            mrs r9, control
        end: b end
        switch:
            mov r5, lr
            mov r6, sp
            mrs r7, psp
            bx lr
        """,
        {14: "switch"},
    )
    assert lab.register(4) == 0x2000_1000
    assert lab.register(5) == 0xFFFF_FFFD
    assert lab.register(6) == 0x2001_8000
    assert lab.register(7) == 0x2000_1000 - 32
    assert lab.register(8) == 0x2000_1000
    assert lab.register(9) == 2


def test_floating_point_state_lives_through_a_handler_that_uses_it(lab):
    lab.run(
        """
        start:
            ldr r0, =0xe000ed88
            ldr r1, =0x00f00000
            str r1, [r0, #0]
            dsb sy
            isb sy
            vmov.f32 s0, #1.0
            vmov.f32 s15, #2.0
            svc #0
            vmov r2, s0
            vmov r3, s15
            mov r8, sp
        end: b end
        call:
            mov r4, lr
            mov r5, sp
            vmov.f32 s0, #3.0
            vmov.f32 s15, #3.0
            bx lr
        """,
        {11: "call"},
    )
    assert lab.register(2) == 0x3F80_0000
    assert lab.register(3) == 0x4000_0000
    assert lab.register(4) == 0xFFFF_FFE9
    assert lab.register(5) == 0x2001_8000 - 104
    assert lab.register(8) == 0x2001_8000


def test_a_level_that_stays_up_enters_the_handler_again(lab):
    lab.run(
        """
        start:
            ldr r0, =0xe000e100
            movs r1, #1
            str r1, [r0, #0]
        end: b end
        irq: adds r7, r7, #1
            bx lr
        """,
        {16: "irq"},
        span_ps=10**6,
    )
    core = lab.machine.core
    core.soc.interrupts.set(0, "a test", True, core.now_ps)
    lab.machine.advance(10**7)
    held = lab.register(7)
    assert held > 3
    core.soc.interrupts.set(0, "a test", False, core.now_ps)
    lab.machine.advance(2 * 10**7)
    settled = lab.register(7)
    assert settled - held <= 2
    lab.machine.advance(3 * 10**7)
    assert lab.register(7) == settled


def test_an_interrupt_comes_between_the_two_instructions_where_it_is_due(lab):
    # A SysTick that expires in the middle of a long run of nops: the stacked PC lies in it.
    lab.run(
        "start:\n ldr r0, =0xe000e010\n movs r1, #99\n str r1, [r0, #4]\n movs r1, #0\n"
        " str r1, [r0, #8]\n movs r1, #7\n str r1, [r0, #0]\nrun:\n"
        + " nop\n" * 300
        + "end: b end\ntick: ldr r7, [sp, #24]\n movs r1, #0\n str r1, [r0, #0]\n bx lr\n",
        {15: "tick"},
    )
    run = next(s.address for s in firmware_symbols(lab) if s.name == "run")
    # The enabling store is cycle 0; LOAD + 1 ticks later the counter is 0, and nops take one each.
    assert lab.register(7) == run + 2 * 99


def firmware_symbols(lab):
    return lab.machine.core.image.symbols


def test_sleep_until_an_interrupt_even_while_it_is_masked(lab):
    from fwgen.trace import Sleep, Wake

    lab.run(
        """
        start:
            ldr r0, =0xe000e010
            ldr r1, =15999
            str r1, [r0, #4]
            movs r1, #0
            str r1, [r0, #8]
            movs r1, #7
            str r1, [r0, #0]
            cpsid i
            wfi
            movs r7, #1
        end: b end
        tick: movs r6, #1
            bx lr
        """,
        {15: "tick"},
        span_ps=3 * 10**9,
    )
    assert lab.register(7) == 1
    assert lab.register(6) == 0
    assert len(lab.of(Sleep)) == 1
    (wake,) = lab.of(Wake)
    assert wake.cause == "SysTick"
    assert 0 <= wake.t_ps - 10**9 < 2 * 10**6


def test_an_event_sent_before_keeps_wfe_from_sleeping_once(lab):
    from fwgen.trace import Sleep

    lab.run("start: sev\n wfe\n movs r7, #1\n wfe\n movs r7, #2\nend: b end")
    assert lab.register(7) == 1
    assert len(lab.of(Sleep)) == 1


def test_sleep_on_exit_returns_to_no_thread_code(lab):
    lab.run(
        """
        start:
            ldr r0, =0xe000ed10
            movs r1, #2
            str r1, [r0, #0]
            ldr r0, =0xe000e010
            ldr r1, =15999
            str r1, [r0, #4]
            str r1, [r0, #8]
            movs r1, #7
            str r1, [r0, #0]
            wfi
            movs r7, #1
        end: b end
        tick: adds r6, r6, #1
            bx lr
        """,
        {15: "tick"},
        span_ps=10 * 10**9 + 10**7,
    )
    assert lab.register(6) == 10
    assert lab.register(7) == 0


def test_a_system_reset_request_starts_anew_and_keeps_ram(lab):
    from fwgen.trace import Reset

    lab.run(
        """
        start:
            ldr r5, =0x20000200
            ldr r6, =0x12345678
            ldr r7, [r5, #0]
            cmp r7, r6
            beq again
            str r6, [r5, #0]
            ldr r0, =0xe000ed0c
            ldr r1, =0x05fa0004
            str r1, [r0, #0]
            dsb sy
        end: b end
        again: movs r4, #1
        end2: b end2
        """
    )
    assert lab.register(4) == 1
    assert [event.cause for event in lab.of(Reset)] == ["SFTRSTF"]
