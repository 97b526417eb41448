"""What SCR, CCR, DEMCR and FPCCR change in how the core behaves. Arm ARM B1.5, B3.2, C1.5."""

from __future__ import annotations

import pytest

from fwgen.machine.armv7m import engine as eng
from fwgen.trace import Fault, Sleep

EVENT_BY_PENDING = """
    start:
        ldr r0, =0xe000ed10
        movs r1, #{scr}
        str r1, [r0, #0]
        ldr r0, =0xe000e010
        movs r1, #0
        str r1, [r0, #0]
        ldr r0, =0xe000e200
        movs r1, #4
        str r1, [r0, #0]
        dsb
        wfe
        movs r7, #1
        wfe
        movs r7, #2
    end: b end
"""


@pytest.mark.parametrize(("scr", "reached"), [(0, 0), (16, 1)])
def test_with_sevonpend_a_disabled_interrupt_that_pends_is_an_event_once(lab, scr, reached):
    lab.run(EVENT_BY_PENDING.format(scr=scr))
    assert lab.register(7) == reached
    assert len(lab.of(Sleep)) == 1


def test_with_sevonpend_a_line_that_rises_while_masked_wakes_wfe(lab):
    lab.run(
        """
        start:
            ldr r0, =0xe000ed10
            movs r1, #16
            str r1, [r0, #0]
            cpsid i
            movs r0, #0xf0
            msr basepri, r0
            ldr r0, =0xe000e010
            ldr r1, =1000
            str r1, [r0, #4]
            str r1, [r0, #8]
            ldr r2, =0xe000ed23
            movs r1, #0xf0
            strb r1, [r2]
            movs r1, #7
            str r1, [r0, #0]
            wfe
            movs r7, #1
        end: b end
        """
    )
    assert lab.register(7) == 1


PROBE = """
    start:
        ldr r0, =0xe000ed14
        movw r1, #{ccr}
        str r1, [r0, #0]
        svc #0
        movs r7, #9
    end: b end
    call:
        cpsid f
        ldr r5, =0x70000000
        ldr r6, [r5, #0]
        movs r7, #1
        ldr r4, =0xe000ed28
        ldr r4, [r4, #0]
        cpsie f
        bx lr
"""


@pytest.mark.parametrize(("ccr", "ignored"), [(0x200, False), (0x300, True)])
def test_bfhfnmign_lets_a_handler_that_masks_faults_look_where_nothing_is(lab, ccr, ignored):
    lab.run(PROBE.format(ccr=ccr), {11: "call"})
    assert bool(list(lab.of(Fault))) != ignored
    assert lab.machine.core.locked != ignored
    if ignored:
        assert lab.register(7) == 9
        assert lab.register(4) == 0x8200  # PRECISERR and BFARVALID


def test_nmi_preempts_a_lockup_and_returns_to_it(lab):
    lab.run(
        "start: udf #0\nend: b end\nagain: udf #1\n nmi: adds r7, r7, #1\n bx lr",
        {3: "again", 2: "nmi"},
        span_ps=10**7,
    )
    core = lab.machine.core
    assert core.locked
    core.exceptions.pend(2, lab.machine.soc.now_ps)
    lab.machine.advance(10**9)
    assert lab.register(7) == 1
    assert core.locked
    assert core.exceptions.active == 1 << 3


MONITOR = """
    start:
        ldr r0, =0xe000edfc
        ldr r1, =0x00010000
        str r1, [r0, #0]
        {before}
        movs r4, #1
        bkpt #5
        movs r5, #1
    end: b end
    monitor:
        mrs r6, ipsr
        ldr r0, =0xe000ed30
        ldr r7, [r0, #0]
        str r7, [r0, #0]
        ldr r0, [sp, #24]
        adds r0, #2
        str r0, [sp, #24]
        bx lr
"""


def test_a_breakpoint_instruction_enters_the_debug_monitor(lab):
    lab.run(MONITOR.format(before=""), {12: "monitor"})
    assert not list(lab.of(Fault))
    assert (lab.register(6), lab.register(7), lab.register(5)) == (12, 2, 1)


@pytest.mark.parametrize("before", ["cpsid i", "movs r2, #0\n str r2, [r0, #0]"])
def test_where_the_monitor_may_not_run_a_breakpoint_is_a_hard_fault(lab, before):
    lab.run(MONITOR.format(before=before), {12: "monitor"})
    (fault, *_) = lab.of(Fault)
    assert fault.exception == "HardFault"
    assert lab.register(6) == 0


def test_the_monitor_steps_instruction_by_instruction(lab):
    lab.run(
        """
        start:
            ldr r4, =0x20000100
            ldr r0, =0xe000edfc
            ldr r1, =0x00030000
            str r1, [r0, #0]
            movs r5, #1
            movs r5, #2
            b over
            nop
        over: movs r5, #3
            movs r5, #4
        end: b end
        monitor:
            ldr r0, [sp, #24]
            str r0, [r4, #0]
            adds r4, #4
            ldr r0, =0xe000edfc
            ldr r1, =0x00050000
            cmp r5, #3
            bne go
            ldr r1, =0x00010000
        go: str r1, [r0, #0]
            bx lr
        """,
        {12: "monitor"},
    )
    first = lab.word(0x2000_0100)
    seen = [lab.word(0x2000_0100 + 4 * n) - first for n in range(5)]
    assert seen == [0, 2, 4, 8, 10]  # before each of the five, the branch's target among them
    assert lab.register(5) == 4
    assert lab.register(4) == 0x2000_0114


def test_a_handler_without_floating_point_leaves_the_reserved_place_as_it_was(lab):
    text = """
        start:
            ldr r0, =0xe000ed88
            ldr r1, =0x00f00000
            str r1, [r0, #0]
            dsb
            isb
            vmov s0, r1
            svc #0
        end: b end
        call: mov r4, sp
            {handler}
            bx lr
    """
    lab.run(text.format(handler="nop"), {11: "call"})
    place = lab.register(4) + 32
    untouched = lab.word(place)
    assert untouched != 0x00F0_0000
    assert not lab.machine.soc.peripherals["FPU"].fpccr.LSPACT
    assert lab.machine.core.engine.read(eng.S0) == 0x00F0_0000
    lab.machine.close()
    lab.run(text.format(handler="vmov s0, r4"), {11: "call"})
    assert lab.word(place) == 0x00F0_0000
    assert lab.machine.core.engine.read(eng.S0) == 0x00F0_0000


def test_lazy_state_that_cannot_be_saved_is_a_bus_fault(lab):
    lab.run(
        """
        start:
            ldr r0, =0xe000ed88
            ldr r1, =0x00f00000
            str r1, [r0, #0]
            ldr r0, =0xe000ed24
            ldr r1, =0x00070000
            str r1, [r0, #0]
            dsb
            isb
            vmov s0, r1
            svc #0
        end: b end
        call: ldr r0, =0xe000ef38
            ldr r1, =0x70000000
            str r1, [r0, #0]
            dsb
            vmov s1, r1
            bx lr
        """,
        {11: "call"},
    )
    (fault, *_) = lab.of(Fault)
    assert "floating-point state could not be saved" in fault.reason


def test_code_runs_from_no_hidden_place(lab):
    """CLREX is run from a page that firmware must not find."""
    lab.run("start: ldr r0, =0x9ffff001\n bx r0\nend: b end")
    (fault, *_) = lab.of(Fault)
    assert "0x9ffff000" in fault.reason
    lab.machine.close()
    lab.run("start: ldr r0, =0x9ffff000\n ldr r1, [r0, #0]\nend: b end")
    assert "0x9ffff000" in next(iter(lab.of(Fault))).reason
