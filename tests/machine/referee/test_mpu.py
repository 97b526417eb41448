"""Random regions of the MPU, and accesses at their edges: allowed and refused as in QEMU."""

from __future__ import annotations

from random import Random

import pytest

from .bench import needs_qemu
from .compare import RUNS
from .scene import STATE, assert_same_scene

pytestmark = needs_qemu

WINDOW, WINDOW_SIZE = STATE + 0x4000, 0x4000
MPU = 0xE000_ED90
STACKS = STATE + 0x2000

# What every fault does: it tells, and the thread goes on at r11. SVC gives the privileges back.
_HANDLERS = """
svc:
    movs r0, #0
    msr control, r0
    bx lr
hard_fault:
bus_fault:
usage_fault:
mem_manage:
    mov r6, lr
    mrs r0, ipsr
    bl record
    set r4, 0xe000ed28
    ldr r0, [r4]
    bl record
    str r0, [r4]
    tst r0, #0x80
    beq no_address
    ldr r0, [r4, #12]
    bl record
no_address:
    ldr r0, [r4, #4]
    bl record
    str r0, [r4, #4]
    ldr r0, [sp, #24]
    bl record
    ldr r0, [sp, #28]
    bl record
    str r11, [sp, #24]
    set r0, 0x01000000
    str r0, [sp, #28]
    bx r6
"""


def _register(offset: int, value: int) -> list[str]:
    return [f"set r0, {MPU + offset}", f"set r1, {value}", "str r1, [r0]"]


def _region(number: int, base: int, size: int, ap: int, *, xn: bool, srd: int = 0) -> list[str]:
    bits = size.bit_length() - 2
    rasr = xn << 28 | ap << 24 | srd << 8 | bits << 1 | 1
    return [*_register(0x0C, base | 16 | number), *_register(0x10, rasr)]


class Script:
    """Writes one scene: some regions, then probes."""

    def __init__(self, rng: Random) -> None:
        self.rng = rng
        self.edges = [WINDOW, WINDOW + WINDOW_SIZE]
        self.hfnmiena = rng.random() < 0.3

    def source(self) -> str:
        """The scene's assembly."""
        rng = self.rng
        lines = ["main:", f"set r0, {WINDOW - 64}", f"set r2, {WINDOW + WINDOW_SIZE + 64}"]
        lines += ["set r1, 0x47704770", "fill:", "str r1, [r0], #4", "cmp r0, r2", "bne fill"]
        for number in range(6):
            lines += self._some_region(number)
        lines += _region(6, STACKS, 0x1000, 3, xn=True)
        lines += _region(7, 0, 0x8_0000, 6, xn=False)  # the code, for everybody
        lines += _register(0x04, 1 | self.hfnmiena << 1 | (rng.random() < 0.9) << 2)
        if lines[-2].endswith(" 1") or lines[-2].endswith(" 3"):  # else ``record`` could not write
            lines += _region(5, STATE, 0x2000, 1, xn=True)
        lines += ["dsb", "isb"]
        for n in range(24):
            if rng.random() < 0.1:
                lines += self._some_region(rng.randrange(5))
            lines += self._probe(n)
        return "\n".join([*lines, "b.w finish", _HANDLERS])

    def _some_region(self, number: int) -> list[str]:
        rng = self.rng
        size = 32 << rng.randrange(10)
        base = WINDOW + rng.randrange(WINDOW_SIZE // size) * size
        # Of subregions below 1 KB QEMU forgets which are off once it has seen one of them.
        srd = rng.getrandbits(8) if size >= 8192 and rng.random() < 0.6 else 0
        step = size // 8 if srd else size
        self.edges += range(base, base + size + 1, step)
        ap = rng.choice((0, 1, 2, 3, 3, 5, 6, 7))
        return _region(number, base, size, ap, xn=rng.random() < 0.4, srd=srd)

    def _probe(self, n: int) -> list[str]:
        rng = self.rng
        at = rng.choice(self.edges) + rng.choice((-4, -3, -2, -1, 0, 0, 1, 2, 4))
        what = rng.choice(("ldr", "ldrh", "ldrb", "str", "strh", "strb", "two", "run"))
        if what == "two":
            at &= ~3
            access = rng.choice(("ldm r1, {r2, r3}", "stm r1, {r2, r3}", "ldrd r2, r3, [r1]"))
        elif what == "run":
            at = at & ~1 | 1
            access = "blx r1"
        else:
            access = f"{what} r2, [r1]"
            if at // 32 != (at + 3) // 32:
                at &= ~3  # across a border QEMU does not look at each part; tests of ours do
        before, after = [], []
        if rng.random() < 0.5:
            before = ["movs r0, #1", "msr control, r0", "isb"]
        elif not self.hfnmiena and rng.random() < 0.2:
            before, after = ["cpsid f"], ["cpsie f"]
        lines = [f"set r11, after_{n}", "movs r2, #0", f"set r1, {at}", *before, access]
        if what != "run":
            lines += ["b after_" + str(n)]
        lines += [".align", f"after_{n}:", *after, "svc #0", f"set r0, {0xA000 + n}", "bl record"]
        return [*lines, "mov r0, r2", "bl record"]


@pytest.mark.parametrize("seed", range(12 * RUNS))
def test_random_regions_agree(seed: int) -> None:
    assert len(assert_same_scene(Script(Random(seed)).source())) >= 48
