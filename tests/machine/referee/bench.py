"""Many small programs in one image, run by the machine and by QEMU; what each left behind.

Every program starts from its own registers, flags and floating-point registers, and may use the
RAM window round its stack pointer. A fault ends it, and is part of what it left. Both benches run
the same bytes from address 0 with RAM at 0x20000000; only the very last instructions, which tell
QEMU to write the results to a file, differ.
"""

from __future__ import annotations

import shutil
import struct
import subprocess
import tempfile
from dataclasses import dataclass, fields, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from fwgen.board import load_board
from fwgen.image.types import Image, Segment
from fwgen.machine.machine import Machine

from .asm import assemble

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from fwgen.board.types import Board

QEMU = "qemu-system-arm"
needs_qemu = pytest.mark.skipif(
    shutil.which(QEMU) is None, reason=f"{QEMU} (the referee) is not installed"
)

STATE = 0x2000_0000  # TABLE, OUT, FAULT, CFSR, RESUME, DONE
WINDOW, WINDOW_SIZE = 0x2000_0400, 512
STACK = WINDOW + 256
RESULTS = 0x2000_2000
RAM_SIZE = 0x20_0000
FIRST_PROGRAM = 0x1800  # literals may lie up to 4095 bytes before a program
NOISE = 0x1000
MS = 10**9  # picoseconds

_RUNTIME = f"""
reset:
    set r0, 0xe000ed88          ; CPACR: the floating-point unit
    set r1, 0x00f00000
    str r1, [r0]
    set r0, 0xe000ed24          ; SHCSR: every fault has its handler
    set r1, 0x00070000
    str r1, [r0]
    set r0, 0xe000ef34          ; FPCCR: whole frames at once, as only then they must be alike
    set r1, 0x80000000
    str r1, [r0]
    dsb
    isb
    set r0, {STATE}
    movs r1, #0
    str r1, [r0, #24]           ; how often it interrupted
    set r0, 0xe000e014          ; SysTick
    set r1, RELOAD
    str r1, [r0]
    str r1, [r0, #4]
    cmp r1, #0
    beq quiet
    movs r1, #7
    str r1, [r0, #-4]
quiet:
    set r0, {STATE}
    set r1, table
    str r1, [r0]
    set r1, {RESULTS}
    str r1, [r0, #4]

load:                           ; the next row of the table: where, and from what state
    set r11, {STATE}
    ldr r10, [r11]
    set r0, {STACK}
    mov sp, r0
    set r8, {NOISE}
    set r9, {WINDOW}
    movs r0, #{WINDOW_SIZE // 32}
    mov r12, r0
fill:
    ldmia.w r8!, {{r0-r7}}
    stmia.w r9!, {{r0-r7}}
    subs.w r12, r12, #1
    bne fill
    movs r0, #0
    str r0, [r11, #8]
    str r0, [r11, #12]
    ldr r12, [r10], #4
    ldr r0, [r10], #4
    str r0, [r11, #16]
    ldr r0, [r10], #4
    vmsr fpscr, r0
    ldr r1, [r10], #4
    vldmia r10!, {{s0-s31}}
    sub sp, sp, #60
    mov r9, sp
    ldmia.w r10!, {{r2-r8}}
    stmia.w r9!, {{r2-r8}}
    ldmia.w r10!, {{r2-r8}}
    stmia.w r9!, {{r2-r8}}
    str.w r12, [r9]
    str.w r10, [r11]
    msr apsr_nzcvqg, r1
    pop.w {{r0-r12, lr}}
    pop {{pc}}

dump:                           ; r0-r12 and lr are pushed
    mrs r0, apsr
    set r11, {STATE}
    ldr r10, [r11, #4]
    mov r9, sp
    ldmia.w r9!, {{r1-r7}}
    stmia.w r10!, {{r1-r7}}
    ldmia.w r9!, {{r1-r7}}
    stmia.w r10!, {{r1-r7}}
    mov r1, r9
    mov r2, r0
    vmrs r3, fpscr
    ldr r4, [r11, #8]
    ldr r5, [r11, #12]
    stmia.w r10!, {{r1-r5}}
    vstmia r10!, {{s0-s31}}
    set r8, {WINDOW}
    movs r0, #{WINDOW_SIZE // 32}
    mov r9, r0
copy:
    ldmia.w r8!, {{r0-r7}}
    stmia.w r10!, {{r0-r7}}
    subs.w r9, r9, #1
    bne copy
    str.w r10, [r11, #4]
    b.w load

tick:                           ; leaves nothing as it was but what an exception keeps
    set r0, {STATE + 24}
    ldr r1, [r0]
    adds r1, #1
    str r1, [r0]
    vmov s1, r1
    vadd.f32 s2, s1, s1
    set r2, 0x03c00000
    vmsr fpscr, r2
    mvns r3, r1
    mov r12, r3
    bx lr

fault:                          ; note it, and end the program
    set r0, {STATE}
    mrs r1, ipsr
    str r1, [r0, #8]
    set r2, 0xe000ed28
    ldr r1, [r2]
    str r1, [r0, #12]
    str r1, [r2]
    ldr r1, [r0, #16]
    str r1, [sp, #24]
    ldr r1, [sp, #28]
    set r2, 0xf9ff03ff          ; no IT block any more
    ands r1, r2
    orr r1, r1, #0x01000000
    str r1, [sp, #28]
    bx lr
"""

# What an image does at its end, by bench: both say so in DONE first.
_END = f"""
    set r0, {STATE}
    movs r1, #1
    str r1, [r0, #20]
"""
END_MACHINE = _END + "stay:\n b stay\n"
END_QEMU = (
    _END
    + f"""
    movs r0, #1                 ; SYS_OPEN
    set r1, open
    bkpt #0xab
    set r1, {STATE + 32}
    str r0, [r1]
    set r2, {STATE}
    str r2, [r1, #4]
    set r2, SIZE
    str r2, [r1, #8]
    movs r0, #5                 ; SYS_WRITE
    bkpt #0xab
    movs r0, #24                ; SYS_EXIT
    set r1, 0x20026
    bkpt #0xab
    .align
open:
    .word name, 5, 1
name:
    .word 0x74                  ; "t"
"""
)


@dataclass(frozen=True, slots=True)
class State:
    """Registers as a program finds them. ``apsr`` holds NZCVQ and GE."""

    r: tuple[int, ...] = (0,) * 13
    lr: int = 0
    apsr: int = 0
    fpscr: int = 0
    s: tuple[int, ...] = (0,) * 32


@dataclass(frozen=True, slots=True)
class Program:
    """Code that runs from its first byte past its last; ``units`` may be left out singly."""

    start: State
    units: tuple[bytes, ...]

    @property
    def code(self) -> bytes:
        """All of it."""
        return b"".join(self.units)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a program left: registers, flags, memory; ``fault`` is an exception number or 0."""

    r: tuple[int, ...]
    lr: int
    sp: int
    apsr: int
    fpscr: int
    fault: int
    cfsr: int
    s: tuple[int, ...]
    window: bytes

    def differences(self, other: Outcome) -> list[str]:
        """In words, what is not the same."""
        found = []
        for field in fields(self):
            mine, theirs = getattr(self, field.name), getattr(other, field.name)
            if mine == theirs:
                continue
            if field.name == "window":
                found += [
                    f"[{WINDOW + n:#x}] {mine[n : n + 4].hex()} != {theirs[n : n + 4].hex()}"
                    for n in range(0, WINDOW_SIZE, 4)
                    if mine[n : n + 4] != theirs[n : n + 4]
                ]
            elif isinstance(mine, tuple):
                found += [
                    f"{field.name}{n} {a:#010x} != {b:#010x}"
                    for n, (a, b) in enumerate(zip(mine, theirs, strict=True))
                    if a != b
                ]
            else:
                found.append(f"{field.name} {mine:#010x} != {theirs:#010x}")
        return found


_SIZE = 19 * 4 + 32 * 4 + WINDOW_SIZE
_TABLE = 4 * (4 + 32 + 14)
_FLASH = 500 << 10


def _outcome(data: bytes) -> Outcome:
    words = struct.unpack(f"<{_SIZE // 4}I", data)
    return Outcome(
        words[:13], words[13], words[14], words[15], words[16], words[17], words[18],
        words[19:51], data[51 * 4 :],
    )  # fmt: skip


def _noise() -> bytes:
    """What the window holds when a program starts: words that are no good addresses."""
    return b"".join((n * 0x9E3779B9 & 0xFFFFFFFF).to_bytes(4, "little") for n in range(128))


def build(programs: Sequence[Program], end: str, reload: int = 0) -> bytes:
    """An image for address 0. Programs of the same code share it.

    With ``reload``, SysTick interrupts every so many cycles.
    """
    labels = {"table": 0, "RELOAD": reload}
    _, runtime = assemble(_RUNTIME, 0x100, labels)
    code, places = b"", dict[bytes, tuple[int, int]]()
    table: list[int] = []
    for program in programs:
        body = program.code
        if body not in places:
            begin = FIRST_PROGRAM + len(code)
            finish, _ = assemble("push.w {r0-r12, lr}\n b.w dump\n nop", begin + len(body), runtime)
            places[body] = begin | 1, begin + len(body) | 1
            both = body + finish
            code += both[:-2] if len(both) & 2 else both
        first = program.start
        table += [*places[body], first.fpscr, first.apsr, *first.s, *first.r, first.lr]
    code += bytes(4096)  # what literals past the last program read must not be the end's code
    finish_at = FIRST_PROGRAM + len(code)
    tail, _ = assemble(end, finish_at, {"SIZE": RESULTS - STATE + _SIZE * len(programs)})
    table += [finish_at | 1] + [0] * (_TABLE // 4 - 1)
    code += tail + bytes(-len(tail) % 4)
    labels["table"] = FIRST_PROGRAM + len(code)
    text, runtime = assemble(_RUNTIME, 0x100, labels)
    vectors = [STACK, runtime["reset"] | 1] + [runtime["fault"] | 1] * 46
    vectors[15] = runtime["tick"] | 1
    image = struct.pack("<48I", *vectors)
    image += bytes(0x100 - len(image)) + text
    assert len(image) <= NOISE
    image += bytes(NOISE - len(image)) + _noise()
    image += bytes(FIRST_PROGRAM - len(image))
    return image + code + struct.pack(f"<{len(table)}I", *table)


@cache
def roomy_board() -> Board:
    """nucleo-f401 with as much RAM as QEMU's board."""
    board = load_board("nucleo-f401")
    memories = {
        name: replace(memory, size=RAM_SIZE) if memory.kind == "ram" else memory
        for name, memory in board.chip.memories.items()
    }
    return replace(board, chip=replace(board.chip, memories=memories))


def ram_of_machine(image: bytes, size: int, *, accelerate: bool = True) -> bytes:
    """Run an image for address 0 here until it says that it is done; the first RAM bytes."""
    board = roomy_board()
    flash = board.chip.flash.base
    with Machine(board, accelerate=accelerate) as machine:
        entry = int.from_bytes(image[4:8], "little")
        machine.load(Image((Segment(flash, image),), entry, STACK))
        memory = machine.core.memory
        for n in range(1, 2000):
            machine.advance(20 * n * MS)
            if memory.word(STATE + 20) == 1:
                break
        else:
            raise AssertionError(f"not done; pc is {machine.core.pc:#x}")
        return memory.read(STATE, size) or b""


def ram_of_qemu(image: bytes, *options: str) -> bytes:
    """Run an image for address 0 in QEMU's Cortex-M4F; the RAM bytes that it wrote."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder)
        (path / "image").write_bytes(image)
        subprocess.run(
            [
                QEMU, "-M", "mps2-an386", "-display", "none", "-serial", "none",
                "-monitor", "none", "-semihosting-config", "enable=on,target=native",
                "-device", "loader,file=image,addr=0", *options,
            ],
            cwd=path, timeout=60, check=False, capture_output=True, stdin=subprocess.DEVNULL,
        )  # fmt: skip
        return (path / "t").read_bytes()


def _outcomes(ram: bytes, count: int) -> list[Outcome]:
    base = RESULTS - STATE
    return [_outcome(ram[base + n * _SIZE : base + (n + 1) * _SIZE]) for n in range(count)]


def batches(programs: Sequence[Program]) -> Iterator[Sequence[Program]]:
    """Runs of programs that fit one image, and whose results fit the RAM."""
    first, flash, ram, last = 0, 0, 0, b""
    for n, program in enumerate(programs):
        flash += _TABLE + (0 if program.code == last else len(program.code) + 16)
        last = program.code
        ram += _SIZE
        if flash > _FLASH - 0x4000 or ram > RAM_SIZE - 0x2000:
            yield programs[first:n]
            first, flash, ram, last = n, 0, 0, b""
    yield programs[first:]


def on_machine(
    programs: Sequence[Program], *, accelerate: bool = True, reload: int = 0
) -> list[Outcome]:
    """What each program leaves here, interrupted every ``reload`` cycles if that is not 0."""
    found = []
    for batch in batches(programs):
        size = RESULTS - STATE + _SIZE * len(batch)
        ram = ram_of_machine(build(batch, END_MACHINE, reload), size, accelerate=accelerate)
        ticks = int.from_bytes(ram[24:28], "little")
        assert ticks > len(batch) if reload else not ticks
        found += _outcomes(ram, len(batch))
    return found


def on_qemu(programs: Sequence[Program]) -> list[Outcome]:
    """What each program leaves in QEMU."""
    found = []
    for batch in batches(programs):
        found += _outcomes(ram_of_qemu(build(batch, END_QEMU)), len(batch))
    return found
