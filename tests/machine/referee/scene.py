"""A whole image with its own handlers, run here and in QEMU: the RAM that both leave is compared.

A scene is assembly with a label ``main`` and a label for each handler it brings. All RAM that is
compared is zero when ``main`` begins, stacks included, so that every stacked frame counts byte by
byte. A scene ends by branching to ``finish``, from any mode that is privileged.
"""

from __future__ import annotations

import struct

from .asm import assemble
from .bench import END_MACHINE, END_QEMU, STATE, ram_of_machine, ram_of_qemu

SIZE = 0x3000  # bytes of RAM that are compared
LOG = STATE + 0x100  # what ``record`` writes, in words; the next place is in STATE
COUNTS = STATE + 0x40  # a word for each exception, for scenes that count
MSP_TOP, PSP_TOP = STATE + 0x2800, STATE + 0x3000
LOG_END = STATE + 0x2000
NAMES = {
    2: "nmi", 3: "hard_fault", 4: "mem_manage", 5: "bus_fault", 6: "usage_fault", 11: "svc",
    14: "pendsv", 15: "systick", **{16 + n: f"irq{n}" for n in range(8)},
}  # fmt: skip

_BEFORE = f"""
reset:
    set r0, {STATE}
    set r1, {STATE + SIZE}
    movs r2, #0
clear:
    str r2, [r0], #4
    cmp r0, r1
    bne clear
    set r0, {STATE}
    set r1, {LOG}
    str r1, [r0]
    set r0, 0xe000ed88          ; CPACR
    set r1, 0x00f00000
    str r1, [r0]
    set r0, 0xe000ed24          ; SHCSR: every fault has its handler
    set r1, 0x00070000
    str r1, [r0]
    set r0, 0xe000ef34          ; FPCCR: whole frames at once
    set r1, 0x80000000
    str r1, [r0]
    set r0, {PSP_TOP}
    msr psp, r0
    dsb
    isb
    movs r0, #0
    movs r1, #0
    mov r2, r0
    b.w main

record:                         ; r0 into the log; everything else is kept
    push.w {{r1, r2}}
    set r1, {STATE}
    ldr r2, [r1]
    str r0, [r2], #4
    str r2, [r1]
    pop.w {{r1, r2}}
    bx lr

unexpected:
    mrs r0, ipsr
    orr r0, r0, #0x0ba00000
    bl record
    set r1, 0xe000ed28
    ldr r0, [r1]                ; CFSR
    bl record
    ldr r0, [r1, #4]            ; HFSR
    bl record
    b.w finish
"""


def image_of(source: str, end: str) -> bytes:
    """A scene's image for address 0."""
    text = f"{_BEFORE}\n{source}\nfinish:\n{end}"
    code, labels = assemble(text, 0x100, {"SIZE": SIZE})
    vectors = [MSP_TOP, labels["reset"] | 1]
    for number in range(2, 48):
        name = NAMES.get(number, "")
        vectors.append(labels.get(name, labels["unexpected"]) | 1)
    return struct.pack("<48I", *vectors) + bytes(0x100 - 4 * 48) + code


def left_by_machine(source: str, *, accelerate: bool = True) -> bytes:
    """The RAM after a scene here."""
    return ram_of_machine(image_of(source, END_MACHINE), SIZE, accelerate=accelerate)


def left_by_qemu(source: str) -> bytes:
    """The RAM after a scene in QEMU, which looks for exceptions after every instruction."""
    return ram_of_qemu(image_of(source, END_QEMU), "-singlestep")


def log_of(ram: bytes) -> list[int]:
    """What a scene recorded."""
    words = struct.unpack(f"<{len(ram) // 4}I", ram)
    return list(words[(LOG - STATE) // 4 : (words[0] - STATE) // 4])


def assert_same_scene(source: str) -> list[int]:
    """Both leave the same log and the same stacks; gives the log."""
    ours, theirs = left_by_machine(source), left_by_qemu(source)
    mine, other = log_of(ours), log_of(theirs)
    if mine != other:
        first = next(
            (n for n, (a, b) in enumerate(zip(mine, other, strict=False)) if a != b),
            min(len(mine), len(other)),
        )
        here = [f"{n:3} {word:#010x}" for n, word in enumerate(mine)][max(0, first - 6) : first + 6]
        there = [f"{n:3} {w:#010x}" for n, w in enumerate(other)][max(0, first - 6) : first + 6]
        raise AssertionError(
            f"the logs part at word {first}\nhere: {', '.join(here)}\nQEMU: {', '.join(there)}"
        )
    differing = [
        f"[{STATE + n:#x}] {ours[n : n + 4].hex()} != {theirs[n : n + 4].hex()}"
        for n in range(0, SIZE, 4)
        if ours[n : n + 4] != theirs[n : n + 4] and not 32 <= n < 48
    ]
    assert not differing, "here != QEMU\n" + "\n".join(differing[:24])
    return mine
