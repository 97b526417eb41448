"""Faults: which, where, told how, and what firmware itself sees of them. Arm ARM B1.5.14."""

from __future__ import annotations

import re

import pytest

from fwgen.board import load_board
from fwgen.image.faults import Scene
from fwgen.machine import Machine
from fwgen.trace import Fault, Gap, Hazard, Reset
from tests.machine.core.firmware import firmware

UNMAPPED = "ldr r0, =0x60000000"
CASES = {
    "a load from nowhere": (f"{UNMAPPED}\n here: ldr r1, [r0, #8]", "PRECISERR"),
    "a jump to an even address": ("ldr r0, =0x08000300\n bx r0", "INVSTATE"),
    "a call to nowhere": ("ldr r0, =0x10000001\n blx r0", "IBUSERR"),
    "running a peripheral": ("ldr r0, =0x40020001\n bx r0", "IACCVIOL"),
    "an undefined instruction": ("here: udf #1", "UNDEFINSTR"),
    "floating point, unit off": ("here: vmov.f32 s0, #1.0", "NOCP"),
    "an unaligned LDM": ("ldr r0, =0x20000001\n here: ldm r0, {r1, r2}", "UNALIGNED"),
    "an unaligned LDRD": ("ldr r0, =0x20000002\n here: ldrd r1, r2, [r0]", "UNALIGNED"),
    "a peripheral misaligned": ("ldr r0, =0x40020001\n here: ldr r1, [r0]", "UNALIGNED"),
    "a breakpoint": ("here: bkpt #0", "DEBUGEVT"),
}
HFSR, CFSR = 0xE000_ED2C, 0xE000_ED28
ENABLE = """
    ldr r0, =0xe000ed24
    ldr r1, =0x70000
    str r1, [r0, #0]
"""


@pytest.mark.parametrize("case", sorted(CASES))
def test_each_fault_is_told_with_its_place_and_its_bit(lab, case):
    text, bit = CASES[case]
    lab.run(f"start: nop\n {text}\nend: b end\nhard: b hard", {3: "hard"})
    (fault,) = lab.of(Fault)
    assert fault.exception == "HardFault"
    scb = lab.machine.soc.peripherals["SCB"]
    assert scb.cfsr.value or scb.hfsr.DEBUGEVT
    assert f".{bit}:" in fault.report
    places = {s.name: s.address for s in lab.machine.core.image.symbols}
    if "here" in places:
        assert fault.pc == places["here"]
        assert "<here>" in fault.report
        assert "->" in fault.report
    assert fault.registers["sp"] == 0x2001_8000
    # The handler runs, and its frame names the place.
    assert lab.machine.core.pc == places["hard"]
    assert lab.word(0x2001_8000 - 32 + 24) == fault.pc & ~1


def test_a_trap_is_told_with_who_called_it_where_that_call_is_the_callers_last(lab):
    lab.run("start: nop\n bl trap\nnext: nop\nend: b end\ntrap: udf #0\nhard: b hard", {3: "hard"})
    (fault,) = lab.of(Fault)
    places = {s.name: s.address for s in lab.machine.core.image.symbols}
    caller = f"{places['next'] | 1:#010x} <start+{places['next'] - places['start']:#x}>"
    assert f"on purpose: a panic, an abort, a failed assertion; LR is {caller}" in fault.report
    assert fault.report.endswith(caller)
    assert "<next>" not in fault.report


def test_a_trap_in_a_handler_does_not_take_the_exceptions_return_for_a_caller(lab):
    text = f"start: {ENABLE}\n svc #0\nend: b end\ncall: udf #1\nusage: b usage\nhard: b hard"
    lab.run(text, {3: "hard", 6: "usage", 11: "call"})
    fault = lab.of(Fault)[0]
    assert "a trap set on purpose" in fault.report
    assert "LR is" not in fault.report


def test_semihosting_without_a_debugger_is_told_as_what_it_is(lab):
    lab.run("start: nop\nhere: bkpt #0xab\nend: b end\nhard: b hard", {3: "hard"})
    (fault,) = lab.of(Fault)
    assert "<here>" in fault.reason
    assert "probably: semihosting" in fault.report


class _Flash:
    """Ten bytes, the last two of them the first half of a BL."""

    regions = ()

    def read(self, address: int, size: int) -> bytes | None:
        code = bytes.fromhex("00de 00bf 00bf 00bf fff7")
        start = address - 0x0800_0200
        return code[start : start + size] if start + size <= len(code) else None


def test_the_code_around_a_fault_has_whole_instructions_only():
    scene = Scene(_Flash(), None, "cortex-m4", [0] * 16, 1 << 24, (0x0800_0200, 0x0800_0200))
    assert list(scene.around(0x0800_0200)) == [
        "  -> 0x08000200  de00       udf #0",
        "     0x08000202  bf00       nop",
        "     0x08000204  bf00       nop",
        "     0x08000206  bf00       nop",
    ]


def test_a_store_to_nowhere_faults_once_the_core_has_gone_on(lab):
    lab.run(
        f"start: {UNMAPPED}\nstore: str r0, [r0, #4]\n nop\n b on\non: b on\nhard: b hard",
        {3: "hard"},
    )
    (fault,) = lab.of(Fault)
    assert "IMPRECISERR" in fault.report
    assert "<store>" in fault.reason
    assert lab.machine.soc.peripherals["SCB"].cfsr.BFARVALID == 0


def test_an_enabled_usage_fault_has_its_own_handler_and_can_return(lab):
    lab.run(
        f"""
        start:
            {ENABLE}
            udf #0
            movs r7, #1
        end: b end
        usage:
            ldr r1, [sp, #24]
            adds r1, #2
            str r1, [sp, #24]
            ldr r0, =0xe000ed28
            ldr r6, [r0, #0]
            str r6, [r0, #0]
            ldr r5, [r0, #0]
            bx lr
        """,
        {6: "usage"},
    )
    assert lab.register(7) == 1
    assert lab.register(6) == 1 << 16
    assert lab.register(5) == 0  # write 1 clears
    (fault,) = lab.of(Fault)
    assert fault.exception == "UsageFault"
    assert lab.machine.soc.peripherals["SCB"].hfsr.value == 0


@pytest.mark.parametrize(
    ("bit", "text", "told"),
    [
        (4, "movs r2, #0\n udiv r1, r1, r2", "DIVBYZERO"),
        (4, "movs r2, #0\n sdiv r1, r1, r2", "DIVBYZERO"),
        (3, "ldr r2, =0x20000001\n ldr r1, [r2]", "UNALIGNED"),
        (3, "ldr r2, =0x20000001\n ldrh.w r1, [r2, #2]", "UNALIGNED"),
        (3, "ldr r2, =0x20000000\n movs r3, #3\n str r1, [r2, r3]", "UNALIGNED"),
    ],
)
def test_traps_hold_only_while_they_are_enabled(lab, bit, text, told):
    lab.run(f"start: {text}\nend: b end")
    assert not lab.of(Fault)
    lab.run(
        f"start: ldr r0, =0xe000ed14\n ldr r1, ={1 << bit | 0x200}\n str r1, [r0, #0]\n"
        f" {text}\nend: b end"
    )
    (fault,) = lab.of(Fault)
    assert f".{told}:" in fault.report


def test_a_stack_that_runs_out_of_ram_is_named_as_the_cause(lab):
    lab.run("start: push {r0-r7}\n bl start\nhard: b hard", {3: "hard"}, span_ps=50 * 10**9)
    faults = lab.of(Fault)
    assert faults
    assert all("the stack ran out of RAM" in fault.report for fault in faults)
    assert "STKERR" in faults[-1].report


def test_a_fault_in_the_hard_fault_handler_locks_up_for_good(lab):
    lab.run("start: udf #0\nhard: adds r7, #1\n udf #0", {3: "hard"}, span_ps=10**9)
    assert [fault.exception for fault in lab.of(Fault)] == ["HardFault", "Lockup"]
    assert lab.register(7) == 1
    awake = lab.trace.awake_cycles
    lab.machine.advance(2 * 10**9)
    assert lab.trace.awake_cycles == awake


def test_a_watchdog_brings_a_locked_up_core_back(lab):
    lab.run(
        """
        start:
            ldr r0, =0x40003000
            ldr r1, =0xcccc
            str r1, [r0, #0]
            udf #0
        hard: udf #0
        """,
        {3: "hard"},
        span_ps=2 * 10**12,
    )
    resets = lab.of(Reset)
    assert resets
    assert {reset.cause for reset in resets} == {"IWDGRSTF"}


def test_blank_flash_locks_up(lab):
    from fwgen.image.types import Image, Segment

    lab.machine.load(Image((Segment(0x0800_0000, b"\xff" * 16),), 0xFFFFFFFF, 0xFFFFFFFF))
    lab.machine.advance(10**9)
    assert lab.of(Fault)[-1].exception == "Lockup"


def test_svc_where_its_handler_may_not_run_is_a_hard_fault(lab):
    lab.run("start: cpsid i\n svc #0\nend: b end\nhard: b hard", {3: "hard"})
    (fault,) = lab.of(Fault)
    assert fault.exception == "HardFault"


def test_a_bad_exception_return_is_a_usage_fault(lab):
    lab.run(
        "start: svc #0\nend: b end\ncall: ldr r0, =0xfffffff3\n bx r0\nhard: b hard",
        {11: "call", 3: "hard"},
    )
    (fault,) = lab.of(Fault)
    assert "INVPC" in fault.report


def test_an_unpredictable_encoding_is_a_hazard(lab):
    # ldm r0!, {r0, r1} has write-back and the base in its list; encode it as bytes.
    lab.run("start: ldr r0, =0x20000000\n b go\ngo: .word 0x0003e8b0\nend: b end")
    hazards = [h for h in lab.of(Hazard) if h.code == "unpredictable"]
    assert len(hazards) == 1


LATE = """
    start:
        ldr r0, =0x40000000
        ldr r5, =0x40023840
        movs r1, #1
        str r1, [r5, #0]
        nop
        nop
        nop
        nop
        ldr r1, =1000
        str r1, [r0, #0x2c]
        movs r1, #1
        str r1, [r0, #0x0c]
        ldr r5, =0xe000e100
        ldr r1, =0x10000000
        str r1, [r5, #0]
        movs r1, #1
        str r1, [r0, #0]
    end: b end
    irq: movs r1, #0
        str r1, [r0, #0x10]
        {before}
        bx lr
"""


@pytest.mark.parametrize(("before", "late"), [("", True), ("dsb sy", False), ("nop\n nop", False)])
def test_a_flag_that_is_cleared_with_the_last_store_is_a_hazard(lab, before, late):
    lab.run(LATE.format(before=before), {16 + 28: "irq"})
    codes = [hazard.code for hazard in lab.of(Hazard)]
    assert ("flag-cleared-late" in codes) == late


LOOKS = """
    tst.w r1, #1
    it eq
    bxeq lr
"""


@pytest.mark.parametrize(("looks", "entries"), [(LOOKS, 1), ("", 2)])
@pytest.mark.parametrize("chance", [0, 1])
def test_a_handler_that_reads_its_flag_before_is_entered_twice_in_one_of_the_runs(
    looks: str, entries: int, chance: int
) -> None:
    """What counts by entries alone counts one too many there; what looks at the flag does not."""
    text = LATE.format(before="").replace(
        "irq: movs r1, #0",
        f"""irq: ldr r1, [r0, #0x10]
        {looks}
        ldr r2, =0x20000400
        ldr r1, [r2, #0]
        adds r1, #1
        str r1, [r2, #0]
        movs r1, #0""",
    )
    text = re.sub(r"movs r1, #1(\s+str r1, \[r0, #0\]\s+end)", r"movs r1, #9\1", text)  # OPM
    start = "ldr r2, =0x20000400\n movs r1, #0\n str r1, [r2, #0]\n"
    text = text.replace("start:", f"start: {start}", 1)
    machine = Machine(load_board("nucleo-f401"), chance=chance)
    machine.load(firmware(text, {16 + 28: "irq"}))
    machine.advance(10**9)
    codes = {e.code for e in machine.trace().of(Hazard)}
    assert "flag-cleared-last" in codes
    assert "flag-cleared-late" not in codes
    count = machine.core.memory.read(0x2000_0400, 4)
    assert int.from_bytes(count, "little") == (entries if chance else 1)
    machine.close()


def test_a_stack_that_reaches_the_data_is_a_hazard_before_it_is_a_fault(lab):
    from dataclasses import replace

    from tests.machine.core.firmware import firmware

    image = firmware("start: ldr r0, =0x20000110\n mov sp, r0\n svc #0\nend: b end")
    for used, expected in ((0x100, True), (0x40, False)):
        lab.machine.load(replace(image, ram_used=used))
        lab.machine.advance(10**6)
        codes = [hazard.code for hazard in lab.of(Hazard)]
        assert ("stack-into-data" in codes) == expected


@pytest.mark.parametrize(
    ("deep", "symbols", "told"), [(0xC0, True, False), (0x104, True, True), (0x104, False, False)]
)
def test_a_stack_that_is_put_into_the_data_may_use_its_object_and_no_more(lab, deep, symbols, told):
    from dataclasses import replace

    from fwgen.image.types import Symbol
    from tests.machine.core.firmware import firmware

    text = """
    start:
        ldr r0, =0x20000200
        msr msp, r0
        svc #0
        sub sp, #{deep}
        b deeper
    deeper: nop
    end: b end
    call: bx lr
    """
    held = Symbol("interrupt_stack", 0x2000_0100, 0x100, "zero")
    image = firmware(text.format(deep=deep), {11: "call"})
    more = (held,) if symbols else ()
    lab.machine.load(replace(image, ram_used=0x400, symbols=(*image.symbols, *more)))
    lab.machine.advance(10**7)
    codes = [hazard.code for hazard in lab.of(Hazard)]
    assert ("stack-into-data" in codes) == told


def test_without_the_write_buffer_a_store_to_nowhere_faults_at_its_place(lab):
    lab.run(
        f"""
        start:
            ldr r0, =0xe000e008
            movs r1, #2
            str r1, [r0]
            {UNMAPPED}
        store: str r0, [r0, #4]
            nop
        end: b end
        hard: b hard
        """,
        {3: "hard"},
    )
    (fault,) = lab.of(Fault)
    assert "PRECISERR" in fault.report
    assert "IMPRECISERR" not in fault.report
    places = {s.name: s.address for s in lab.machine.core.image.symbols}
    assert fault.pc == places["store"]
    assert lab.machine.soc.peripherals["SCB"].cfsr.BFARVALID == 1


def test_ictr_tells_the_interrupt_lines_in_groups_of_32(lab):
    lab.run("start: ldr r0, =0xe000e004\n ldr r7, [r0]\nend: b end")
    lines = lab.machine.soc.exceptions.lines
    assert lab.register(7) == (lines + 31) // 32 - 1
    assert not lab.of(Gap)
