"""Random programs with a shape: loops of many trip counts, nested, calls, branches, tables.

A loop's counter is kept by its own register or by a cell on the stack, and what stands in the
loop leaves it alone; everything else may happen to everything else.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fwgen.thumb import decode
from fwgen.thumb.operands import CONDITIONS

from .asm import assemble
from .bench import STACK, Program
from .draw import draw_instruction, draw_state, mentions

if TYPE_CHECKING:
    from random import Random

TRIPS = (1, 2, 3, 5, 8, 9, 10, 11, 16, 17, 31, 64, 100, 255, 1000, 4000)
_KINDS = ("alu", "alu", "alu", "mul", "load", "store", "store-reg", "load-multiple", "divide")
_FRAME = 64  # bytes below the stack's start that cells may use


class Shape:
    """Writes one program as assembly."""

    def __init__(self, rng: Random, *, conditional: bool = True) -> None:
        self.rng = rng
        self._conditional = conditional  # IT blocks, too
        self.lines: list[str] = []
        self._functions: list[str] = []
        self._labels = 0
        self._cells = 0
        self._held: set[int] = {13}  # registers that must keep their value just now
        self._budget = 6_000  # trips in all

    def program(self) -> Program:
        """A program in one piece: what branches may not be taken apart."""
        rng = self.rng
        self._open()
        self._some(rng.randint(4, 12), depth=0)
        self.say(f"add sp, sp, #{_FRAME}")
        if self._functions:
            over = self._label()
            self.lines = [*self.lines, f"b.w {over}", *self._functions, f"{over}:"]
        code, _ = assemble("\n".join(self.lines))
        return Program(draw_state(rng), (code,))

    def _open(self) -> None:
        """A frame whose cells hold something: below the stack pointer nothing lasts."""
        self.say(f"sub sp, sp, #{_FRAME}")
        for cell in range(0, _FRAME, 8):
            low = self.rng.randrange(12)
            self.say(f"strd r{low}, r{low + 1}, [sp, #{cell}]")

    # ------------------------------------------------------------------ pieces

    def say(self, *lines: str) -> None:
        self.lines += lines

    def _label(self) -> str:
        self._labels += 1
        return f"label_{self._labels}"

    def _free(self, *, low: bool = False) -> int | None:
        names = [n for n in range(8 if low else 13) if n not in self._held]
        return self.rng.choice(names) if names else None

    def _some(self, count: int, depth: int) -> None:
        for _ in range(count):
            kinds = [self.plain, self.plain, self._linear, self._linear, self._linear]
            if depth < 3:
                kinds += [self._loop, self._loop, self._skip, self._table]
                if depth < 2:
                    kinds += [self._call, self._stack]
            make = self.rng.choice(kinds)
            if make in (self.plain, self._linear):
                make(depth)
            else:
                make(depth + 1)

    def _raw(self, code: bytes) -> None:
        self.say(f".bytes {code.hex()}")

    def plain(self, depth: int) -> None:
        """Any instruction that keeps off what is held."""
        for _ in range(30):
            setup, code = draw_instruction(self.rng, _KINDS, STACK)
            memory = decode(code).memory
            if memory is not None and memory.base == "sp":
                continue
            if not (mentions(code) | mentions_all(setup)) & self._held:
                self._raw(setup + code)
                return

    def _linear(self, depth: int) -> None:
        """What loops are made of: small steps, copies, cells, bytes, compares."""
        rng = self.rng
        d = self._free()
        low = self._free(low=True)
        if d is None or low is None:
            return
        n, m = rng.randrange(13), rng.randrange(13)
        s = rng.choice(("", "s"))
        cell = 4 * rng.randrange(_FRAME // 4 // 2)  # loops' cells are in the upper half
        i = rng.choice((0, 1, 2, 3, 4, 7, 8, 100, 255))
        wide = rng.choice((1, 256, 1000, 4095))
        condition = rng.choice(CONDITIONS)
        lines = rng.choice((
            [f"add{s}.w r{d}, r{n}, #{i}"],
            [f"sub{s}.w r{d}, r{n}, #{i}"],
            [f"adds r{low}, #{i}"],
            [f"subs r{low}, #{i}"],
            [f"add{s}.w r{d}, r{n}, r{m}, lsl #{rng.randrange(4)}"],
            [f"sub{s}.w r{d}, r{n}, r{m}"],
            [f"rsb{s}.w r{d}, r{n}, #{i}"],
            [f"addw r{d}, r{n}, #{wide}"],
            [f"mov r{d}, r{m}"],
            [f"movw r{d}, #{wide}"],
            [f"mvn{s}.w r{d}, r{m}"],
            [f"lsl{s}.w r{d}, r{n}, #{rng.randint(1, 31)}"],
            [f"lsr{s}.w r{d}, r{n}, #{rng.randint(1, 31)}"],
            [f"and{s}.w r{d}, r{n}, #{i}"],
            [f"orr{s}.w r{d}, r{n}, #{i}"],
            [f"eor{s}.w r{d}, r{n}, #{i}"],
            [f"uxtb.w r{d}, r{n}"],
            [f"sxth.w r{d}, r{n}"],
            [f"ubfx r{d}, r{n}, #{rng.randrange(8)}, #{rng.randint(1, 24)}"],
            [f"mul r{d}, r{n}, r{m}"],
            [f"mla r{d}, r{n}, r{m}, r{d}"],
            [f"adc{s}.w r{d}, r{n}, #0"],
            [f"cmp.w r{n}, #{i}"],
            [f"tst.w r{n}, #{rng.choice((1, 2, 4, 128))}"],
            [f"ldr.w r{d}, [sp, #{cell}]"],
            [f"str.w r{n}, [sp, #{cell}]"],
            [f"ldr r{low}, [sp, #{cell}]", f"adds r{low}, #{i}", f"str r{low}, [sp, #{cell}]"],
            [f"ldrb.w r{d}, [sp, #{cell + rng.randrange(4)}]"],
            [f"strb.w r{n}, [sp, #{cell + rng.randrange(4)}]"],
            [f"ldrh.w r{d}, [sp, #{cell}]", f"strh.w r{d}, [sp, #{cell + 2}]"],
            [f"ldrsb.w r{d}, [sp, #{cell + rng.randrange(4)}]"],
            [f"it {condition}", f"add.w r{d}, r{n}, #{i}"],
            [f"ite {condition}", f"mov.w r{d}, #{i}", f"sub.w r{d}, r{n}, #{i}"],
            ["nop"],
            [f"strd r{n}, r{m}, [sp, #{min(cell, 24)}]"],
        ))  # fmt: skip
        self.say(*(n for n in lines if self._conditional or not n.startswith("it")))

    def _loop(self, depth: int) -> None:
        """A counted loop: by register or cell, up or down, with many ways to end."""
        rng = self.rng
        left = [n for n in TRIPS if n <= self._budget]
        counter = self._free(low=True)
        if not left or counter is None or len(self._held) > 4:
            return
        trips = rng.choice(left)
        before, self._budget = self._budget, self._budget // trips
        head, c = self._label(), f"r{counter}"
        if rng.random() < 0.35:
            self._cell_loop(head, c, counter, trips, depth)
        else:
            self._held.add(counter)
            self._register_loop(head, c, trips, depth)
            self._held.discard(counter)
        self._budget = max(0, before - trips)

    def _register_loop(self, head: str, c: str, trips: int, depth: int) -> None:
        rng = self.rng
        step = rng.choice((1, 1, 1, 2, 3, 7))
        size = rng.choice((0, 1, 1, 2, 3))
        kind = rng.randrange(9)
        if kind == 0:
            self.say(f"set {c}, {trips * step}", f"{head}:")
            self._some(size, depth)
            self.say(f"subs.w {c}, {c}, #{step}", f"bne.w {head}")
        elif kind == 1:
            self.say(f"set {c}, {trips * step - rng.randrange(step)}", f"{head}:")
            self._some(size, depth)
            self.say(f"subs {c}, #{step}", f"bgt.w {head}")
        elif kind == 2:
            self.say(f"set {c}, {trips * step - 1}", f"{head}:")
            self._some(size, depth)
            self.say(f"subs {c}, #{step}", f"bpl.w {head}")
        elif kind == 3:
            self.say(f"set {c}, 0", f"{head}:")
            self._some(size, depth)
            over = rng.choice(("blo.w", "blt.w", "bne.w"))
            self.say(f"adds {c}, #{step}")
            self._compare(c, trips * step)
            self.say(f"{over} {head}")
        elif kind == 4:
            done = self._label()
            self.say(f"set {c}, {trips}", f"{head}:")
            self._some(size, depth)
            self.say(f"subs {c}, #1", f"cmp {c}, #0", f"beq.w {done}", f"b.w {head}", f"{done}:")
        elif kind == 5:  # towards zero from below, by carry
            self.say(f"set {c}, {-trips * step}", f"{head}:")
            self._some(size, depth)
            self.say(f"adds {c}, #{step}", f"bcc.w {head}")
        elif kind == 6:  # through the sign
            self.say(f"set {c}, {0x7FFF_FFFF - trips * step}", f"{head}:")
            self._some(size, depth)
            self.say(f"adds {c}, #{step}", f"bvc.w {head}")
        elif kind == 7:  # tested at the head
            done = self._label()
            self.say(f"set {c}, {trips}", f"{head}:", f"cmp {c}, #0", f"beq.w {done}")
            self._some(size, depth)
            self.say(f"sub.w {c}, {c}, #1", f"b.w {head}", f"{done}:")
        else:  # bounds from both sides
            self.say(f"set {c}, {trips + 3}", f"{head}:")
            self._some(size, depth)
            self.say(f"subs {c}, #1", f"cmp {c}, #3", f"bhi.w {head}")

    def _compare(self, c: str, bound: int) -> None:
        other = self._free()
        if bound < 256:
            self.say(f"cmp {c}, #{bound}")
        elif other is None:
            self.say(f"cmp.w {c}, #0x{1 << bound.bit_length() - 1:x}")
        else:
            self.say(f"set r{other}, {bound}", f"cmp {c}, r{other}")

    def _cell_loop(self, head: str, c: str, counter: int, trips: int, depth: int) -> None:
        """As compilers without optimisation write it: the counter lives on the stack."""
        rng = self.rng
        if self._cells >= _FRAME // 8:
            return
        at = _FRAME // 2 + 4 * self._cells
        self._cells += 1
        size = rng.choice((0, 0, 1, 2))
        if rng.random() < 0.5:
            test = self._label()
            self.say(f"movs {c}, #0", f"str {c}, [sp, #{at}]", f"b.w {test}", f"{head}:")
            self._some(size, depth)
            self.say(
                f"ldr {c}, [sp, #{at}]", f"adds {c}, #1", f"str {c}, [sp, #{at}]", f"{test}:",
                f"ldr {c}, [sp, #{at}]",
            )  # fmt: skip
            self._held.add(counter)
            self._compare(c, trips)
            self._held.discard(counter)
            self.say(f"blo.w {head}")
        else:
            self.say(f"set {c}, {trips}", f"str {c}, [sp, #{at}]", f"{head}:")
            self._some(size, depth)
            self.say(
                f"ldr {c}, [sp, #{at}]", f"subs {c}, #1", f"str {c}, [sp, #{at}]", f"bne.w {head}"
            )
        self._cells -= 1

    def _skip(self, depth: int) -> None:
        """A branch over something, taken or not."""
        rng, past = self.rng, self._label()
        kind = rng.randrange(4)
        n = rng.randrange(8)
        if kind == 0:
            # A short branch reaches over little.
            self.say(f"cb{rng.choice(('', 'n'))}z r{n}, {past}")
            self._linear(depth)
        elif kind == 1:
            self.say(f"b{rng.choice(CONDITIONS)} {past}")
            self._linear(depth)
            self._linear(depth)
        elif kind == 2:
            self.say(f"cmp r{n}, #{rng.randrange(256)}", f"b{rng.choice(CONDITIONS)}.w {past}")
            self._some(2, depth)
        else:
            other = self._label()
            self.say(f"b{rng.choice(CONDITIONS)}.w {past}")
            self._some(1, depth)
            self.say(f"b.w {other}", f"{past}:")
            self._some(1, depth)
            past = other
        self.say(f"{past}:")

    def _table(self, depth: int) -> None:
        """A switch by TBB or TBH over four cases."""
        rng = self.rng
        d = self._free()
        if d is None:
            return
        cases = [self._label() for _ in range(4)]
        table, past = self._label(), self._label()
        self.say(f"and.w r{d}, r{rng.randrange(13)}, #3")
        half = rng.random() < 0.5
        self.say(f"tbh [pc, r{d}, lsl #1]" if half else f"tbb [pc, r{d}]", f"{table}:")
        self.say(f".{'halves' if half else 'quarters'} {table} {' '.join(cases)}")
        for case in cases:
            self.say(f"{case}:")
            self._linear(depth)
            self.say(f"b.w {past}")
        self.say(f"{past}:")

    def _call(self, depth: int) -> None:
        """A function: called by BL or BLX, returning by BX or by loading pc."""
        rng, name = self.rng, self._label()
        lines, self.lines = self.lines, []
        frame, self._cells = self._cells, _FRAME  # the caller's cells are elsewhere now
        leave = rng.randrange(3)
        saved = sorted(rng.sample(range(4, 12), rng.randrange(4)))
        self.say(f"{name}:")
        if leave == 0:
            self._held.add(14)
            self._some(2, 3)
            self._held.discard(14)
            self.say("bx lr")
        elif leave == 1:
            regs = ", ".join([f"r{n}" for n in saved] + ["lr"])
            self.say(f"push.w {{{regs}}}" if saved else "push {lr}")
            self._open()
            self._some(2, depth)
            regs = regs.replace("lr", "pc")
            self.say("add sp, #64", f"pop.w {{{regs}}}" if saved else "pop {pc}")
        else:
            self.say("str lr, [sp, #-4]!")
            self._open()
            self._some(2, depth)
            self.say("add sp, #64", "ldr pc, [sp], #4")
        self._functions += self.lines
        self.lines, self._cells = lines, frame
        pointer = self._free()
        if pointer is None or rng.random() < 0.6:
            self.say(f"bl {name}")
        else:
            self.say(f".pointer r{pointer} {name}", f"blx r{pointer}")

    def _stack(self, depth: int) -> None:
        """Registers put by and fetched back, perhaps into others."""
        rng = self.rng
        free = [n for n in range(13) if n not in self._held]
        count = min(len(free), rng.randint(2, 5))
        if count < 2:
            return
        put = sorted(rng.sample(range(13), count))
        got = sorted(rng.sample(free, count))
        fp = rng.randrange(20), rng.randint(1, 8)
        if rng.random() < 0.3:
            self.say(f"vpush {{s{fp[0]}-s{fp[0] + fp[1] - 1}}}")
        else:
            fp = 0, 0
        self.say(f"push.w {{{', '.join(f'r{n}' for n in put)}}}")
        self._linear(depth)
        self.say(f"pop.w {{{', '.join(f'r{n}' for n in got)}}}")
        if fp[1]:
            first = rng.randrange(20)
            self.say(f"vpop {{s{first}-s{first + fp[1] - 1}}}")


def mentions_all(code: bytes) -> set[int]:
    """The core registers that a run of 32-bit instructions names."""
    return set().union(*(mentions(code[n : n + 4]) for n in range(0, len(code), 4)))


def draw_structured(rng: Random) -> Program:
    """A program with loops, calls and branches."""
    return Shape(rng).program()
