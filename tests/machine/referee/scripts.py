"""Random scripts of exceptions: who pends whom, raises what, masks which, in what order.

Every handler does something of its own at its first and second call, and only logs after that,
so every script ends. The log holds, at each entry and each step, what the core says of itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .scene import COUNTS, NAMES

if TYPE_CHECKING:
    from random import Random

LINES = 6  # interrupt lines that scripts use
LAST = 0x1A57  # in r7: the supervisor call that ends the scene

_SNAPSHOT = """
snapshot:                       ; masks, what is pending and active; keeps everything
    push.w {r0, r1, r2, lr}
    mrs r0, primask
    mrs r1, faultmask
    orr r0, r0, r1, lsl #1
    mrs r1, control
    orr r0, r0, r1, lsl #4
    mrs r1, basepri
    orr r0, r0, r1, lsl #8
    bl record
    mrs r1, control
    ands r1, #1
    mrs r2, ipsr
    cmp r2, #0
    bne privileged
    cmp r1, #0
    bne done_snapshot
privileged:
    set r1, 0xe000ed04          ; ICSR
    ldr r0, [r1]
    bl record
    set r1, 0xe000ed24          ; SHCSR
    ldr r0, [r1]
    bl record
    set r1, 0xe000e200          ; ISPR
    ldr r0, [r1]
    bl record
    set r1, 0xe000e300          ; IABR
    ldr r0, [r1]
    bl record
done_snapshot:
    pop.w {r0, r1, r2, pc}

bump:                           ; the frame's pc goes two bytes on; lr's copy is in r6
    tst r6, #4
    ite eq
    addeq r1, sp, #24
    mrsne r1, psp
    ldr r0, [r1, #24]
    adds r0, #2
    str r0, [r1, #24]
    bx lr
"""


class Script:
    """Writes one scene."""

    def __init__(self, rng: Random) -> None:
        self.rng = rng
        self.steps = 0

    def source(self) -> str:
        """The scene's assembly."""
        rng = self.rng
        lines = ["main:"]
        for irq in range(LINES):
            lines += self._store(0xE000E400 + irq, rng.randrange(16) << 4, "strb")
        for place in (0xE000ED18, 0xE000ED19, 0xE000ED1A, 0xE000ED1F, 0xE000ED22, 0xE000ED23):
            lines += self._store(place, rng.choice((0, 0, rng.randrange(16) << 4)), "strb")
        lines += self._store(0xE000E100, rng.choice((0x3F, 0x3F, 0x3D, 0x2B)))
        if rng.random() < 0.4:
            lines += self._store(0xE000ED0C, 0x05FA0000 | rng.randrange(8) << 8)
        if rng.random() < 0.3:
            lines += self._store(0xE000ED14, rng.choice((0x210, 0x200, 0x010)))  # CCR
        if rng.random() < 0.3:
            lines += self._store(0xE000ED24, rng.randrange(8) << 16)  # SHCSR
        lines += [f"set r{n}, {rng.getrandbits(32)}" for n in (4, 5, 6, 8, 9, 10, 11)]
        lines += self._actions(rng.randint(6, 14), thread=True)
        lines += [f"set r7, {LAST}", "svc #0", "nop", "udf #0", "b.w finish", _SNAPSHOT]
        for number, name in NAMES.items():
            lines += self._handler(number, name)
        return "\n".join(lines)

    def _store(self, address: int, value: int, how: str = "str") -> list[str]:
        return [f"set r0, {address}", f"set r1, {value}", f"{how} r1, [r0]"]

    def _handler(self, number: int, name: str) -> list[str]:
        rng = self.rng
        faulted = name.endswith("fault") or name == "mem_manage"
        severe = name in ("nmi", "hard_fault")
        lines = [
            f"{name}:", "mov r0, lr", "mov r12, r6", "mov r6, lr",
            "push.w {r4, r5, r6, r7, r12, lr}", "bl record", "mrs r0, xpsr", "bl record",
        ]  # fmt: skip
        if name in ("svc", "hard_fault"):
            lines += [f"set r0, {LAST}", "cmp r7, r0", "beq.w finish"]
        lines.append("bl snapshot")
        if faulted:
            lines += ["set r4, 0xe000ed28", "ldr r0, [r4]", "bl record", "str r0, [r4]"]
            lines += ["ldr r0, [r4, #4]", "bl record", "str r0, [r4, #4]"]
            lines += ["ldr r0, [r4, #16]", "bl record"]
            lines += ["bl bump"]
        lines += [
            f"set r4, {COUNTS + 4 * number}", "ldr r5, [r4]", "adds r5, #1", "str r5, [r4]",
            "cmp r5, #1", f"bne.w {name}_second",
        ]  # fmt: skip
        lines += self._actions(rng.randint(0, 3), severe=severe)
        lines += [f"b.w {name}_out", f"{name}_second:", "cmp r5, #2", f"bne.w {name}_out"]
        lines += self._actions(rng.randint(0, 2), severe=severe)
        lines += [f"{name}_out:", f"set r0, {0xE0000 + number}", "bl record"]
        lines += ["pop.w {r4, r5, r6, r7, r12, lr}", "mov r6, r12", "bx lr"]
        return lines

    def _actions(self, count: int, *, thread: bool = False, severe: bool = False) -> list[str]:
        lines: list[str] = []
        masked = severe
        for _ in range(count):
            self.steps += 1
            step, masked = self._action(thread, masked, severe)
            lines += [*step, f"set r0, {0xA0000 + self.steps}", "bl record", "bl snapshot"]
        if masked and not severe:
            lines.append("cpsie f")
        return lines

    def _action(self, thread: bool, masked: bool, severe: bool) -> tuple[list[str], bool]:
        """A step, and whether FAULTMASK is set after it."""
        rng = self.rng
        line = rng.randrange(LINES)
        level = rng.randrange(16) << 4
        kinds = ["pend"] * 5 + ["system"] * 3 + ["basepri"] * 2
        kinds += ["primask", "priority", "enable", "disable", "unpend", "float", "priority", "nmi"]
        if not masked:
            kinds += ["svc"] * 3 + ["undefined", "bus"]
        if not severe:
            kinds += ["faultmask"]
        if thread and not masked:
            kinds += ["control", "control"]
        kind = rng.choice(kinds)
        if kind == "pend":
            how = rng.choice((0xE000E200, 0xE000EF00))
            mask = 1 << line | (1 << rng.randrange(LINES) if rng.random() < 0.4 else 0)
            return self._store(how, mask if how == 0xE000E200 else line), masked
        if kind == "system":
            return self._store(0xE000ED04, rng.choice((1 << 28, 1 << 26, 5 << 26, 1 << 27))), masked
        if kind == "nmi":
            return self._store(0xE000ED04, 1 << 31), masked
        if kind == "basepri":
            name = rng.choice(("basepri", "basepri", "basepri_max"))
            return [f"movs r0, #{rng.choice((0, level))}", f"msr {name}, r0"], masked
        if kind == "primask":
            return [rng.choice(("cpsid i", "cpsie i", "cpsie i"))], masked
        if kind == "faultmask":
            return ["cpsie f" if masked else "cpsid f"], not masked
        if kind == "priority":
            place = rng.choice((0xE000E400 + line, 0xE000ED1F, 0xE000ED22, 0xE000ED23))
            return self._store(place, level, "strb"), masked
        if kind in ("enable", "disable", "unpend"):
            base = {"enable": 0xE000E100, "disable": 0xE000E180, "unpend": 0xE000E280}[kind]
            return self._store(base, 1 << line), masked
        if kind == "float":
            return ["vmov s1, r5", "vadd.f32 s2, s1, s1", "vmov s17, r4"], masked
        if kind == "control":
            lines = [f"movs r0, #{rng.choice((0, 1, 2, 3, 2, 0))}", "msr control, r0", "isb"]
            return lines, masked
        if kind == "svc":
            return [f"svc #{line}", "nop"], masked
        if kind == "undefined":
            return [f"udf #{line}"], masked
        return ["set r1, 0x70000000", "ldr r1, [r1]"], masked
