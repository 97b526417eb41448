"""Faults, special registers and frames, scene by scene: what both record and stack is the same."""

from __future__ import annotations

import pytest

from fwgen.thumb.forms import all_forms

from .bench import needs_qemu
from .scene import assert_same_scene, left_by_machine, log_of

pytestmark = needs_qemu

# The one handler of every fault: it records what the core says, and goes on at r11.
_FAULTS = """
note_fault:
    push.w {r4, r5, r6, lr}
    bl record                   ; EXC_RETURN
    mrs r0, ipsr
    bl record
    set r4, 0xe000ed28
    ldr r0, [r4]                ; CFSR
    mov r5, r0
    bl record
    str r0, [r4]
    ldr r0, [r4, #4]            ; HFSR
    bl record
    str r0, [r4, #4]
    tst r5, #0x8000
    beq no_bfar
    ldr r0, [r4, #16]
    bl record
no_bfar:
    tst r5, #0x80
    beq no_mmfar
    ldr r0, [r4, #12]
    bl record
no_mmfar:
    mrs r0, msp
    bl record
    mrs r0, psp
    bl record
    mrs r0, control
    bl record
    pop.w {r4, r5, r6, lr}
    tst lr, #4
    ite eq
    moveq r1, sp
    mrsne r1, psp
    ldr r0, [r1, #24]
    push {r1, lr}
    bl record                   ; the pc
    ldr r0, [r1, #28]
    bl record                   ; and xpsr that were stacked
    pop.w {r1, lr}
    str r11, [r1, #24]
    ldr r2, [r1, #28]
    and r2, r2, #0x200
    orr r2, r2, #0x01000000
    str r2, [r1, #28]
    bx lr
hard_fault:
    mov r0, lr
    b.w note_fault
mem_manage:
    mov r0, lr
    b.w note_fault
bus_fault:
    mov r0, lr
    b.w note_fault
usage_fault:
    mov r0, lr
    b.w note_fault
"""


def _steps(*steps: str) -> str:
    """A scene that tries one thing after another, whatever faults."""
    lines = ["main:"]
    for n, step in enumerate(steps):
        lines += [f"set r11, after_{n}", step, ".align", f"after_{n}:"]
        lines += [f"set r0, {0xA000 + n}", "bl record"]
    return "\n".join([*lines, "b.w finish", _FAULTS])


def _load(address: int) -> str:
    return f"set r1, {address}\n ldr r2, [r1]"


def _store(address: int, value: int) -> str:
    return f"set r0, {address}\n set r1, {value}\n str r1, [r0]"


def _at(address: int, instruction: str) -> str:
    return f"set r1, {address}\n {instruction}"


def _move(register: str, value: int) -> str:
    name = register.partition("_nz")[0].partition("_g")[0].replace("_max", "")
    return f"set r0, {value}\n msr {register}, r0\n isb\n mrs r0, {name}\n bl record"


def _show(*addresses: int) -> str:
    return "\n".join(f"set r4, {address}\n ldr r0, [r4]\n bl record" for address in addresses)


_FPU_OFF = "set r1, 0xe000ed88\n movs r0, #0\n str r0, [r1]\n dsb\n isb"
_ALIAS = [  # byte, bit, value, store, load
    (0x2400, 0, 1, "str", "ldr"), (0x2401, 7, 0xFF, "strb", "ldrb"), (0x2403, 3, 3, "strh", "ldrh"),
    (0x2403, 3, 2, "str", "ldr"), (0x2402, 5, 1, "str", "ldrb"),
    (0x2400, 0, 0xFFFFFFFE, "strb", "ldr"),
]  # fmt: skip

FAULTS = {
    "a load from nowhere, of any size": _steps(
        _load(0x70000000), _at(0x70000002, "ldrh r2, [r1]"), _at(0x70000003, "ldrb r2, [r1]"),
        _at(0x70000004, "ldm r1, {r2, r3}"), _at(0x6FFFFFFC, "ldrd r2, r3, [r1]"),
        _at(0x70000000, "vldr s0, [r1]"), _at(0x70000010, "ldr r2, [r1, #4]!"),
        _at(0x70000010, "ldr r2, [r1], #4"),
    ),
    "undefined instructions, conditional ones too": _steps(
        "udf #3", "udf.w #3", ".bytes 00de", ".bytes f0ffffff", "it eq\n udfeq #1",
        "it ne\n udfne #1",
    ),
    "coprocessors that are not there": _steps(
        ".bytes 40ec0000", "mrc p15, #0, r0, c0, c0", "mcr p3, #0, r0, c0, c0",
    ),
    "the floating-point unit switched off": _steps(
        _FPU_OFF, "vmov s0, r1", "vldr s0, [sp]", "cmp r0, r0\n it eq\n vaddeq.f32 s0, s1, s2",
        "vmrs r0, fpscr", "mrc p15, #0, r0, c0, c0",
    ),
    "division by zero, trapped and not": _steps(
        "movs r0, #1\n movs r1, #0\n udiv r0, r0, r1\n bl record", _store(0xE000ED14, 0x210),
        "movs r0, #1\n movs r1, #0\n udiv r2, r0, r1",
        "movs r0, #1\n movs r1, #0\n sdiv r2, r0, r1",
    ),
    "unaligned accesses, trapped and not": _steps(
        "vmov s0, r0", _at(0x20000101, "ldrd r2, r3, [r1]"), _at(0x20000102, "ldm r1, {r2, r3}"),
        _at(0x20002001, "stm r1!, {r2, r3}"), _at(0x20002001, "ldrex r2, [r1]"),
        _at(0x20002002, "strd r2, r3, [r1]"), _at(0x20002001, "vldr s0, [r1]"),
        _at(0x20002002, "vstr s0, [r1]"), _at(0x20002002, "vldmia r1, {s0-s3}"),
        _at(0x20002001, "ldrexh r2, [r1]"), _store(0xE000ED14, 0x208),
        _at(0x20000101, "ldr r2, [r1]"), _at(0x20002001, "strh r2, [r1]"),
        _at(0x20002002, "str r2, [r1]"), _at(0x20002001, "ldrb r2, [r1]"),
    ),
    "jumps to even addresses": _steps(
        "set r1, after_0\n bx r1", "set r1, after_1\n blx r1",
        "set r1, after_2\n push {r1}\n pop {pc}",
        "set r1, after_3\n mov pc, r1",
    ),
    "jumps to where nothing can run": _steps(
        _at(0x40000001, "bx r1"), _at(0xE0000001, "blx r1"), _at(0x70000001, "bx r1"),
        _at(0xA0000001, "bx r1"), _at(0xC0000001, "bx r1"), _at(0xFFFFFFF9, "bx r1"),
    ),
    "supervisor calls that are masked": _steps(
        "cpsid i\n svc #1", "nop",
        "cpsie i\n movs r0, #0x80\n msr basepri, r0\n set r0, 0xe000ed1f\n movs r1, #0x80\n"
        "strb r1, [r0]\n svc #1", "svc #1", "udf #1",
    ),
    "faults whose handlers may not run": _steps(
        "cpsid i\n udf #1", _load(0x70000000),
        "cpsie i\n movs r0, #0x40\n msr basepri, r0\n set r0, 0xe000ed1a\n movs r1, #0x40\n"
        "strb r1, [r0]\n udf #1", _load(0x70000000), _store(0xE000ED24, 0),
        "movs r0, #0\n msr basepri, r0\n udf #1", _load(0x70000000),
    ),
    "unprivileged code": _steps(
        "movs r0, #1\n msr control, r0\n isb", _load(0xE000ED04), _store(0xE000E100, 1),
        "movs r0, #0\n msr control, r0\n isb\n mrs r0, control\n bl record",
        "cpsid i\n mrs r0, primask\n bl record", _move("basepri", 8), "mrs r0, msp\n bl record",
        "mrs r0, psp\n bl record", "mrs r0, xpsr\n bl record", "mrs r0, ipsr\n bl record",
        "set r0, 0xffffffff\n msr apsr_nzcvq, r0\n mrs r0, apsr\n bl record",
        "set r0, 0x20002000\n msr msp, r0\n mov r0, sp\n bl record", _store(0xE000EF00, 1),
        "svc #0",
    ) + "\nsvc:\n b.w finish\n",
    "special registers": _steps(
        *(_move(*pair) for pair in (
            ("apsr_nzcvqg", 0xFFFFFFFF), ("apsr_g", 0xFFF5FFFF), ("apsr_nzcvq", 0x50000000),
            ("xpsr_nzcvqg", 0xFFFFFFFF), ("primask", 3), ("primask", 2), ("basepri", 0x1F0),
            ("basepri_max", 0x80), ("basepri_max", 0xA0), ("basepri_max", 0),
            ("basepri_max", 0x20), ("basepri", 0), ("basepri_max", 0x40), ("basepri", 0),
            ("msp", 0x20002000), ("psp", 0x20002FF0), ("control", 4), ("control", 0),
        )),
        *(f"mrs r0, {name}\n bl record" for name in ("iapsr", "eapsr", "epsr", "iepsr", "xpsr")),
        "cpsid f\n mrs r0, faultmask\n bl record\n cpsie f\n mrs r0, faultmask\n bl record",
    ),
    "bit-banding of RAM": _steps(*(
        f"set r1, {0x22000000 + 32 * byte + 4 * bit}\n set r2, {value}\n {store} r2, [r1]\n"
        f"{load} r0, [r1]\n bl record\n set r1, {0x20000000 + byte & ~3}\n ldr r0, [r1]\n bl record"
        for byte, bit, value, store, load in _ALIAS
    )),
    "what the interrupt controller says of itself": _steps(
        _store(0xE000E100, 7) + "\n cpsid i\n" + _store(0xE000E200, 7),
        _show(0xE000ED04, 0xE000E200, 0xE000E100, 0xE000E180, 0xE000E300),
        "movs r0, #0x10\n msr basepri, r0\n" + _show(0xE000ED04),
        _store(0xE000E180, 1) + "\n" + _show(0xE000ED04), _store(0xE000E280, 6),
        _show(0xE000ED04, 0xE000E200, 0xE000ED0C, 0xE000ED14, 0xE000ED24, 0xE000ED88),
        _show(0xE000ED40, 0xE000ED44, 0xE000EF38, 0xE000EF3C, 0xE000EF40, 0xE000EF44),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", FAULTS)
def test_faults_and_registers_agree(name: str) -> None:
    log = assert_same_scene(FAULTS[name])
    assert log[-1] >> 8 == 0xA0 or "unprivileged" in name  # every step was done


_CALL = """
svc:
    mov r0, lr
    push.w {r4, lr}
    bl record
    mov r0, sp
    bl record
    mrs r0, control
    bl record
"""
_RETURN = " pop.w {r4, pc}\n"

FRAMES = {
    "padding on and off": "main:\n" + _store(0xE000ED14, 0) + """
    sub sp, sp, #4
    svc #1
    sub sp, sp, #4
    svc #2
""" + _store(0xE000ED14, 0x200) + """
    sub sp, sp, #4
    svc #1
    sub sp, sp, #4
    svc #2
    vmov s0, r0
    svc #3
    sub sp, sp, #4
    svc #3
    b.w finish
""" + _CALL + _RETURN,
    "lazy floating-point frames": "main:\n" + _store(0xE000EF34, 0xC0000000) + """
    set r0, 0x3f800000
    vmov s0, r0
    vmov s15, r0
    vmov s31, r0
    svc #1
    vmov r0, s0
    bl record
    vmov r0, s31
    bl record
    mrs r0, control
    bl record
    set r0, 0x20c00000
    vmsr fpscr, r0
    svc #2
    vmrs r0, fpscr
    bl record
    b.w finish
""" + _CALL + """
    set r0, 0x40000000
    vmov s0, r0
    vmov s31, r0
    mrs r0, control
    bl record
    vmrs r0, fpscr
    bl record
    set r0, 0x00400000
    vmsr fpscr, r0
""" + _RETURN,
    "threads on the process stack": """
main:
    movs r0, #2
    msr control, r0
    isb
    svc #1
    vmov s3, r0
    svc #2
    movs r0, #3
    msr control, r0
    isb
    svc #3
    svc #4
    movs r7, #1
    svc #5
""" + _CALL + " cmp r7, #1\n beq.w finish\n" + _RETURN,
    "a moved vector table": "main:\n" + _store(0xE000ED08, 0x20000400) + """
    set r0, 0x20000400
    set r1, @mine
    str r1, [r0, #44]
    svc #1
    b.w finish
mine:
    mov r4, lr
    set r0, 0x11
    bl record
    bx r4
""",
    "exception returns that no exception has": """
main:
    set r4, values
each:
    ldr r5, [r4], #4
    cmp r5, #0
    beq.w finish
    mov r0, r5
    bl record
    svc #1
    nop
    b.w each
svc:
    mov r6, lr
    mov r7, sp
    bx r5
usage_fault:
    mov r0, lr
    bl record
    set r0, 0xe000ed28
    ldr r1, [r0]
    str r1, [r0]
    mov r0, r1
    bl record
    mrs r0, ipsr
    bl record
    set r0, 0xe000ed24
    ldr r0, [r0]
    bl record
    mov r0, sp
    bl record
    ldr r0, [sp, #24]
    bl record
    ldr r0, [sp, #28]
    bl record
    mov sp, r7
    bx r6
    .align
values:
    .word 0xfffffff9, 0xfffffff3, 0xffffffff, 0xfffffff5, 0xfffffff1, 0
""",
    "waking without taking the interrupt": "main:\n" + _store(0xE000E014, 99999) + """
    set r4, 0x20000040
    set r0, 0xe000e018
    str r0, [r0]
    set r0, 0xe000e010
    movs r1, #7
    str r1, [r0]
    movs r0, #0
again:
    wfi
    ldr r1, [r4]
    cmp r1, #3
    bne again
    cpsid i
    wfi
    set r0, 0xe000ed04
    ldr r0, [r0]
    bl record
    b.w finish
systick:
    ldr r0, [r4]
    adds r0, #1
    str r0, [r4]
    movs r0, #0
    bx lr
""",
}  # fmt: skip


@pytest.mark.parametrize("name", FRAMES)
def test_frames_and_returns_agree(name: str) -> None:
    log = assert_same_scene(FRAMES[name])
    assert log
    assert not any(word >> 20 == 0xBA for word in log)


# ---------------------------------------------------------------------- subtle

_EXCLUSIVE = (
    _at(0x20002400, "ldrex r2, [r1]\n svc #1")
    + """
    set r1, 0x20002400
    strex r0, r2, [r1]
    bl record
"""
)
_FPDSCR = (
    "main:\n"
    + _store(0xE000EF3C, 0x07C00000)
    + """
    svc #1
    b.w finish
svc:
    vmrs r0, fpscr
    push.w {r4, lr}
    bl record
    pop.w {r4, pc}
"""
)
_LAZY = _store(0xE000EF34, 0xC0000000)
_NESTED = (
    _store(0xE000ED1C, 0x40000000)  # SVCall below PendSV
    + """
    svc #1
    movs r0, #0x33
    bl record
    mrs r0, ipsr
    bl record
    set r0, 0xe000ed24
    ldr r0, [r0]
    bl record
    b.w finish
svc:
    mov r6, lr
    set r0, 0x10000000
    set r1, 0xe000ed04
    str r0, [r1]
    dsb
    isb
    movs r0, #0x44
    bl record
    bx r6
pendsv:
    set r0, 0x01000000          ; no exception number: a frame of Thread mode
    str r0, [sp, #28]
    mvn r0, #6
    bx r0
usage_fault:
    mov r0, lr
    bl record
    mrs r0, ipsr
    bl record
    set r0, 0xe000ed28
    ldr r0, [r0]
    bl record
    set r0, 0xe000ed24
    ldr r0, [r0]
    bl record
    b.w finish
"""
)
SUBTLE = {
    "an exception between LDREX and STREX clears the monitor": (
        _steps(_EXCLUSIVE) + "\nsvc:\n bx lr\n"
    ),
    "FPDSCR is where a new floating-point context starts": _FPDSCR,
    "CONTROL.FPCA stays clear without FPCCR.ASPEN": (
        "main:\n"
        + _store(0xE000EF34, 0)
        + "\n vmov s0, r0\n mrs r0, control\n bl record\n b.w finish"
    ),
    "MSR clears the low bits of a stack pointer": _steps(_move("psp", 0x20002FF3)),
    "a floating-point instruction whose condition fails needs no unit": _steps(
        _FPU_OFF, "movs r0, #0\n it ne\n vaddne.f32 s0, s1, s2"
    ),
    "ISB within an IT block keeps the block's conditions": _steps(
        "movs r0, #1\n cmp r0, #1\n itee eq\n isbeq\n movne r0, #2\n addne r0, #4\n bl record",
        "movs r0, #1\n cmp r0, #1\n itet eq\n isbeq\n isbne\n addeq r0, #4\n bl record",
    ),
    "a handler's LDREX is not the thread's": (
        _steps(
            "set r1, 0x20002400\n svc #1\n strex r0, r2, [r1]\n bl record",
            _at(0x20002400, "ldrex r2, [r1]\n strex r0, r2, [r1]\n bl record"),
            _at(0x20002400, "ldrexb r2, [r1]\n clrex\n strexb r0, r2, [r1]\n bl record"),
            _at(0x20002400, "ldrexh r2, [r1]\n svc #1\n strexh r0, r2, [r1]\n bl record"),
        )
        + "\nsvc:\n ldrex r2, [r1]\n bx lr\n"
    ),
    "what FPCCR and FPCAR say before and after lazy saving": "main:\n" + _LAZY + """
    vmov s0, r0
    svc #1
    vmov r0, s0
    bl record
    svc #2
    vmov r0, s0
    bl record
    movs r0, #1
    msr control, r0
    isb
    vmov s1, r0
    svc #2
    svc #3
    b.w finish
svc:
    mov r6, lr
    movs r4, #4
    bl lazy_state
    ldr r0, [sp, #24]
    ldrb r0, [r0, #-2]
    cmp r0, #3
    beq.w finish
    cmp r0, #2
    it eq
    vmoveq s0, r4
    bl lazy_state
    set r0, 0x10000000
    set r1, 0xe000ed04
    str r0, [r1]
    dsb
    bl lazy_state
    bx r6
pendsv:
    mov r5, lr
    bl lazy_state
    vmov s0, r5
    bl lazy_state
    bx r5
lazy_state:
    push.w {r4, lr}
    set r4, 0xe000ef34
    ldr r0, [r4]
    bic r0, r0, #0x400          ; UFRDY, which ARMv7-M has not
    bl record
    ldr r0, [r4, #4]
    bl record
    mrs r0, control
    bl record
    pop.w {r4, pc}
""",
    "a return to Thread mode while another exception is active": "main:\n" + _NESTED,
    "a return to Thread mode that CCR.NONBASETHRDENA allows": (
        "main:\n" + _store(0xE000ED14, 0x201) + "\n" + _NESTED
    ),
}  # fmt: skip


_COPROCESSORS = [  # each form once for a coprocessor of whoever makes the chip, and for 15
    f".bytes {form.pack(fields).hex()}"
    for form in all_forms()
    if form.cost == "coprocessor" and form.needs <= {"v7m"}
    for number in (3, 15)
    for fields in [form.fields_of(form.value | number << 8 | 0x2_1000)]
]
# What no drawn program holds, as it would sleep, fault or move what programs stand on.
WHOLE = {
    "coprocessors of every encoding": _steps(*_COPROCESSORS),
    "hints, narrow and wide": _steps(
        "yield",
        "yield.w",
        "sev\n wfe",
        "sev.w\n wfe.w",
        "dbg #3",
        "hint #9",
        "hint.w #200",
        "csdb",
        "cpsid i\n"
        + _store(0xE000ED04, 1 << 28)
        + "\n wfi.w\n wfi\n"
        + _store(0xE000ED04, 1 << 27)
        + "\n cpsie i",
        "cpsid if\n mrs r0, primask\n mrs r1, faultmask\n add r0, r0, r1, lsl #1\n bl record\n"
        "cpsie if\n mrs r0, primask\n mrs r1, faultmask\n add r0, r0, r1, lsl #1\n bl record",
    ),
    "short branches": _steps(
        "movs r0, #1\n b over\n movs r0, #2\n over:\n bl record",
        "movs r0, #3\n b on\n back:\n b out\n on:\n b back\n udf #0\n out:\n bl record",
    ),
    "doubles on the stack": _steps(
        "set r0, 0x3f8ccccd\n vmov s0, r0\n vmov s1, r2\n vmov s16, r0\n vmov s17, r0\n"
        "vpush {d0}\n vpush {d8, d9}\n vpop {d1, d2}\n vpop {d3}\n vmov r0, s2\n bl record\n"
        "vmov r0, s6\n bl record\n vmov r0, s7\n bl record\n mov r0, sp\n bl record",
    ),
}


@pytest.mark.parametrize("name", WHOLE)
def test_what_is_never_drawn_agrees(name: str) -> None:
    assert len(assert_same_scene(WHOLE[name])) >= 2


@pytest.mark.parametrize("name", SUBTLE)
def test_what_emulators_easily_get_wrong_agrees(name: str) -> None:
    assert assert_same_scene(SUBTLE[name])


def test_a_store_to_nowhere_is_imprecise_here_and_precise_in_qemu() -> None:
    """Cortex-M4 buffers stores (TRM 100166 §3.4); QEMU answers at once."""
    scene = _steps(_at(0x70000000, "str r2, [r1]\n nop\n nop"))
    with pytest.raises(AssertionError, match="0x00000400"):
        assert_same_scene(scene)


def test_a_floating_point_frame_is_aligned_whatever_stkalign_says() -> None:
    """B1.5.7 forces the alignment of an extended frame; QEMU does not."""
    scene = "main:\n" + _store(0xE000ED14, 0) + " \n vmov s0, r0\n sub sp, sp, #4\n svc #1\n"
    scene += " b.w finish\n" + _CALL + _RETURN
    log = log_of(left_by_machine(scene))
    assert (log[1] + 8) % 8 == 0
    with pytest.raises(AssertionError, match="part at word 1"):
        assert_same_scene(scene)
