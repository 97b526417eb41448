"""What instructions do, against QEMU's Cortex-M4F (mps2-an386), on random straight-line code.

Registers, flags, memory and floating point; one QEMU run holds hundreds of cases. QEMU is a
referee of another lineage than the engine's age: both may be wrong together, but not by slip.
"""

from __future__ import annotations

import shutil
import subprocess
from random import Random

import pytest

from fwgen.errors import EmissionError
from fwgen.machine import Machine
from fwgen.thumb import encode, isa
from tests.effort import often
from tests.machine.core.firmware import FLASH, TABLE, assemble, firmware

QEMU = shutil.which("qemu-system-arm")
pytestmark = pytest.mark.skipif(QEMU is None, reason="qemu-system-arm is not installed")

DUMP = 0x2000_1000
SCRATCH = 0x2000_0800
WORDS = 10  # a case's dump: r0-r7, APSR, a word of memory
CASES = 150
LENGTH = 12

THREE = (
    "adds", "subs", "adcs.w", "sbcs.w", "ands.w", "orrs.w", "eors.w", "bics.w", "orns", "rsbs.w",
    "mul", "sdiv", "udiv", "lsls.w", "lsrs.w", "asrs.w", "rors.w", "qadd", "qsub", "qdadd",
    "qdsub", "sadd8", "sadd16", "ssub8", "ssub16", "uadd8", "uadd16", "usub8", "usub16", "sasx",
    "ssax", "uasx", "usax", "qadd8", "qadd16", "uqadd8", "uqsub16", "shadd8", "uhadd16", "uhsub8",
    "smulbb", "smulbt", "smultb", "smultt", "smulwb", "smulwt", "smuad", "smuadx", "smusd",
    "smmul", "smmulr", "usad8", "sel", "uxtab", "sxtab", "uxtah", "sxtah", "uxtab16", "sxtab16",
)  # fmt: skip
TWO = ("clz", "rbit", "rev", "rev16", "revsh", "uxtb16", "sxtb16", "mvns", "tst", "teq", "cmp",
       "cmn", "uxtb", "sxth")  # fmt: skip
FOUR = ("mla", "mls", "smlabb", "smlatt", "smlawb", "smlad", "smlsdx", "smmla", "smmlsr", "usada8")
LONG = ("umull", "smull", "umlal", "smlal", "umaal", "smlalbb", "smlaltt", "smlald", "smlsld")
FLOAT = ("vadd.f32", "vsub.f32", "vmul.f32", "vdiv.f32", "vnmul.f32", "vmla.f32", "vmls.f32",
         "vfma.f32", "vfms.f32")  # fmt: skip


def instruction(random: Random) -> list[str]:
    """A random instruction or a few that belong together."""
    d, n, m, a = (random.randrange(8) for _ in range(4))
    e = random.choice([r for r in range(8) if r != d])
    i, j, k = random.randrange(256), random.randrange(1, 32), random.randrange(0, 64, 4)
    s, t, u = (random.randrange(8) for _ in range(3))
    kind = random.randrange(16)
    if kind < 5:
        return [f"{random.choice(THREE)} r{d}, r{n}, r{m}"]
    return random.choice(
        [
            [f"{random.choice(TWO)} r{d}, r{n}"],
            [f"{random.choice(FOUR)} r{d}, r{n}, r{m}, r{a}"],
            [f"{random.choice(LONG)} r{d}, r{e}, r{n}, r{m}"],
            [f"ssat r{d}, #{j}, r{n}, lsl #{j & 7}"],
            [f"usat r{d}, #{j}, r{n}, asr #{j}"],
            [f"ssat16 r{d}, #{(j & 15) + 1}, r{n}"],
            [f"bfi r{d}, r{n}, #{j // 2}, #{j // 2 + 1}"],
            [f"bfc r{d}, #{j // 2}, #{j // 2 + 1}"],
            [f"ubfx r{d}, r{n}, #{j // 2}, #{j // 2 + 1}"],
            [f"sbfx r{d}, r{n}, #{j // 2}, #{j // 2 + 1}"],
            [f"pkhbt r{d}, r{n}, r{m}, lsl #{j}"],
            [f"pkhtb r{d}, r{n}, r{m}, asr #{j}"],
            [f"adds.w r{d}, r{n}, r{m}, ror #{j}"],
            [f"movs.w r{d}, r{n}, lsr #{j}"],
            [f"movs.w r{d}, r{n}, rrx"],
            [f"adds.w r{d}, r{n}, #{i << (j & 15)}"],
            [f"ands.w r{d}, r{n}, #{i * 0x01010101}"],
            [f"str r{d}, [r12, #{k}]", f"ldrsh.w r{n}, [r12, #{k + 2}]"],
            [f"strh.w r{d}, [r12, #{k + 1}]", f"ldrsb.w r{n}, [r12, #{k + 1}]"],
            [f"strd r{d}, r{n}, [r12, #{k}]", f"ldr.w r{m}, [r12, #{k + 3}]"],
            [f"ldrex r{d}, [r12, #{k}]", f"strex r{e}, r{n}, [r12, #{k}]"],
            ["itete ne", f"addne r{d}, r{n}, #1", f"subeq r{d}, r{m}, #1", f"mvnne r{a}, r{n}",
             f"moveq r{a}, r{d}"],
            ["itt gt", f"ldrgt.w r{d}, [r12, #{k}]", f"addgt r{d}, r{n}, r{m}"],
            [f"vmov s{s}, r{n}", f"vmov s{t}, r{m}", f"{random.choice(FLOAT)} s{u}, s{s}, s{t}",
             f"vmov r{d}, s{u}"],
            [f"vmov s{s}, r{n}", f"vcvt.s32.f32 s{t}, s{s}", f"vcvt.f32.u32 s{u}, s{t}",
             f"vmov r{d}, s{u}"],
            [f"vmov s{s}, r{n}", f"vmov s{t}, r{m}", f"vcmp.f32 s{s}, s{t}",
             "vmrs apsr_nzcv, fpscr"],
            [f"vmov s{s}, r{n}", f"vsqrt.f32 s{t}, s{s}", f"vmov r{d}, s{t}"],
            [f"vmov s{s}, r{n}", f"vstr s{s}, [r12, #{k}]", f"vldr s{t}, [r12, #{k}]",
             f"vneg.f32 s{t}, s{t}", f"vabs.f32 s{u}, s{t}", f"vmov r{d}, s{u}"],
        ]
    )  # fmt: skip


def sound(lines: list[str]) -> bool:
    """Whether the encoder takes the lines and the manual defines what they do."""
    try:
        inside = any(line.startswith("it") for line in lines)
        code = b"".join(encode(line, it=inside and n > 0) for n, line in enumerate(lines))
    except EmissionError:
        return False
    return isa.first_problem(code, "cortex-m4f") is None


def value(random: Random) -> int:
    """An operand: often one at an edge."""
    edges = (0, 1, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 0x3F800000, 0xC0490FDB, 0x7FC00000,
             0x7F800000, 0x00000001, 0x80008000, 0x7FFF7FFF)  # fmt: skip
    return random.choice(edges) if random.random() < 0.4 else random.getrandbits(32)


def case(random: Random) -> str:
    lines = [f"ldr r{n}, ={value(random):#x}" for n in range(8)]
    lines += [f"ldr r10, ={random.getrandbits(5) << 27:#x}", "msr apsr_nzcvq, r10"]
    lines += [f"str r{n & 7}, [r12, #{4 * n}]" for n in range(20)]
    while len(lines) < 30 + LENGTH:
        made = instruction(random)
        if sound(made):
            lines += made
    lines += ["mrs r10, apsr", "stm r11!, {r0-r7, r10}", "ldr r10, [r12, #8]", "str r10, [r11], #4"]
    return "\n".join(lines)


START = f"""
start:
    ldr r0, =0xe000ed88
    ldr r1, =0x00f00000
    str r1, [r0, #0]
    dsb sy
    isb sy
    ldr r12, ={SCRATCH:#x}
    ldr r11, ={DUMP:#x}
    b.w cases
cases:
"""
# SYS_OPEN(":tt", "w"), SYS_WRITE(handle, DUMP, length), SYS_EXIT.
FINISH = """
    ldr r4, =0x20000700
    ldr r0, =0x0074743a
    str r0, [r4, #0x20]
    add r0, r4, #0x20
    str r0, [r4, #0]
    movs r0, #4
    str r0, [r4, #4]
    movs r0, #3
    str r0, [r4, #8]
    movs r0, #1
    mov r1, r4
    bkpt #0xab
    str r0, [r4, #0]
    ldr r0, ={dump:#x}
    str r0, [r4, #4]
    ldr r0, ={length}
    str r0, [r4, #8]
    movs r0, #5
    mov r1, r4
    bkpt #0xab
    movs r0, #0x18
    ldr r1, =0x20026
    bkpt #0xab
end: b end
"""


def qemu(text: str, length: int, folder) -> bytes:
    """Run at address 0 in QEMU, which says what lies at DUMP."""
    code, labels = assemble(text + FINISH.format(dump=DUMP, length=length), TABLE)
    table = [0x2001_8000, labels["start"] | 1] + [labels["end"] | 1] * (TABLE // 4 - 2)
    image = folder / "case.bin"
    image.write_bytes(b"".join(word.to_bytes(4, "little") for word in table) + code)
    done = subprocess.run(
        [str(QEMU), "-M", "mps2-an386", "-nographic", "-monitor", "none", "-serial", "none",
         "-semihosting-config", "enable=on,target=native",
         "-device", f"loader,file={image},addr=0,force-raw=on"],
        capture_output=True, timeout=60, check=False,
    )  # fmt: skip
    return done.stdout + done.stderr


@pytest.mark.parametrize("seed", range(often(6)))
def test_random_instructions_do_what_they_do_in_qemu(board, seed, tmp_path):
    random = Random(seed)
    cases = [case(random) for _ in range(CASES)]
    text = START + "\n".join(cases)
    length = CASES * WORDS * 4
    wanted = qemu(text, length, tmp_path)
    assert len(wanted) == length, wanted[:200]
    with Machine(board) as machine:
        machine.load(firmware(f"{text}\nend: b end"))
        machine.advance(10**10)
        got = machine.core.memory.read(DUMP, length)
        assert machine.core.pc >= FLASH
    for number, text in enumerate(cases):
        at = slice(number * WORDS * 4, (number + 1) * WORDS * 4)
        assert got[at].hex(" ", 4) == wanted[at].hex(" ", 4), text
