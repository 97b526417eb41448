"""Loops that only wait, skipped: whole iterations at once, up to where something happens.

The block hook counts backward entries. At a loop that has been entered often the path of one
iteration is recorded, then read symbolically (``symbolic``): if every register, flag and memory
cell grows by a constant, all conditions keep their outcome for n iterations, nothing is written
outside RAM (but a pin may be set to what it is; PRIMASK and BASEPRI, with nothing pending, if they
are restored)
and every peripheral read can be foreseen, then n iterations are their closed form.
The state afterwards is exactly that of running them, cycles included; the iteration that changes
something is always run by the engine.

A recorded path may hold jumps of inner loops: an inner loop whose trip count is the same each
time round is one step of the outer one.
"""

from __future__ import annotations

from operator import itemgetter
from typing import TYPE_CHECKING

from fwgen.machine.armv7m import engine as eng
from fwgen.machine.armv7m.itstate import is_it, it_left, stepped
from fwgen.machine.armv7m.steps import NOTHING, compares, compile_one
from fwgen.machine.armv7m.symbolic import (
    AL,
    ENDLESS,
    EQ,
    MASKS,
    PC,
    M,
    NotLinear,
    Still,
    Walk,
    at,
)
from fwgen.thumb.forms import is_wide

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from fwgen.machine.armv7m.blocks import Block
    from fwgen.machine.armv7m.skippable import Core
    from fwgen.machine.armv7m.steps import Compiled
    from fwgen.machine.armv7m.symbolic import Counter, Step

HOT = 8  # backward entries before a loop is looked at
MOST_ITEMS = 96  # blocks and inner jumps of a recorded path
PAGE = 1 << 10  # bytes that the engine translates by themselves
WORTH = 500  # cycles that a jump should skip to have been worth its price

REGISTERS = (*range(eng.R0, eng.R0 + 13), eng.SP, eng.LR)
_ZEROS = [0] * 16
_MASKS = (eng.PRIMASK, eng.BASEPRI)
NO_PLACE = -1  # a mark up to which an inner loop runs: a place to pause lies within it


class Inner:
    """A jump of an inner loop, as an item of a recorded path."""

    __slots__ = ("loop", "times")

    def __init__(self, loop: Loop, times: int) -> None:
        self.loop, self.times = loop, times


class Loop:
    """A recorded path, compiled: the steps of one iteration from the head, and its ``cycles``.

    Raises NotLinear when the path holds an instruction that has no step.
    """

    __slots__ = (
        "_into", "_parts", "_rests", "_slopes", "cycles", "live", "marks", "steps", "whole",
        "written",
    )  # fmt: skip

    def __init__(self, items: Sequence[Block | Inner]) -> None:
        blocks = [item for item in items if not isinstance(item, Inner)]
        targets = iter([*(block.address for block in blocks[1:]), blocks[0].address])
        self.cycles = 0
        self.live = self.written = 0  # registers read before they are written; written
        self._slopes: tuple[list[int], dict[int, int]] = (_ZEROS, {})
        # Each place where the core may pause: cycles into the iteration, address, steps before.
        self.marks: list[tuple[int, int, int]] = []
        self._parts: list[tuple[Block, int]] = []  # for each mark: its block, and when that ends
        self._rests: dict[int, int] = {}
        # All of it is blocks that end in a branch, or at a page: what goes on within one ends
        # where it does.
        self.whole = len(blocks) == len(items)
        steps: list[Step] = []
        self._into: list[int] = []  # for each step: cycles into the iteration
        before: Block | None = None
        for item in items:
            if isinstance(item, Inner):
                self.cycles += item.times * item.loop.cycles
                self.marks.append((self.cycles, NO_PLACE, 0))
                steps.append(_repeat(item))
                self._into.append(self.cycles)
                self._note(item.loop.live, item.loop.written)
                continue
            if before is not None:
                self.cycles += before.branch(item)
            before = item
            self._compile(item, next(targets), steps)
            self.cycles += item.cost
        self.cycles += blocks[-1].branch(blocks[0])
        self.steps = tuple(steps)

    def _note(self, reads: int, writes: int) -> None:
        self.live |= reads & ~self.written
        self.written |= writes

    def _compile(self, block: Block, target: int, steps: list[Step]) -> None:
        """Add the steps of a block that goes on at ``target``."""
        made = None
        pauses = {0: 0, **dict(block.stops)}  # not within an IT block
        for offset, made, added in instructions(block, target, block.size):
            if offset in pauses:
                address = block.address + offset
                self.marks.append((self.cycles + pauses[offset], address, len(steps)))
                self._parts.append((block, self.cycles + block.cost))
            self._note(made.reads, made.writes & ~(1 << PC))
            steps += added
            self._into += [self.cycles + block.before(block.address + offset)] * len(added)
        branches = made is not None and (made.condition is not None or made.writes >> PC & 1)
        # It ends at a page of the engine's, whole or before an instruction across two, wherever
        # it was entered, too.
        ends = branches or (block.address + block.size & PAGE - 1) in (0, PAGE - 2)
        self.whole &= bool(ends) and block.problem is None

    def timed(self) -> Iterator[tuple[Step, int]]:
        """Each step, and cycles into the iteration of the access that it makes."""
        return zip(self.steps, self._into, strict=True)

    def place_from(self, cycles_in: int) -> tuple[int, int]:
        """The first place to pause not before: which mark, and how much later it comes."""
        for index, (cycles, _, _) in enumerate(self.marks):
            if cycles >= cycles_in:
                return index, cycles - cycles_in
        return 0, self.cycles - cycles_in

    def rest_of(self, index: int, core: Core) -> int:
        """Cycles from a mark to the head, when the core goes on from there."""
        if index not in self._rests:
            block, end = self._parts[index]
            rest = core.cost_from(block, self.marks[index][1]) + self.cycles - end
            self._rests[index] = rest
        return self._rests[index]

    # ------------------------------------------------------------------ jumping

    def jump(self, core: Core, cycle: int, due: int) -> tuple[int, bool, tuple[int, int] | None]:
        """Skip iterations of the loop whose head is about to run at ``cycle``, up to ``due``.

        Gives how many were skipped; whether the loop itself (not the time, nor a peripheral) set
        the bound; and, when the last iteration was cut where ``due`` falls, how many cycles into
        it and where the core stands. Raises NotLinear when nothing can be skipped.
        """
        room = (due - cycle) // self.cycles
        registers = core.engine.read_many(REGISTERS)
        registers.append(0)
        masks = _masks(core) if (self.live | self.written) & MASKS else None
        walk = self._walk(core, registers, cycle, masks, *self._slopes)
        if not self._steady(walk, registers):
            # Not the growth of last time: see what one iteration adds, then hold it to that.
            walk = self._walk(core, registers, cycle, masks, _ZEROS, {})
            slopes = [
                (after - before) & M if self.live >> number & 1 else 0
                for number, (before, after) in enumerate(zip(registers, walk.r, strict=True))
            ]
            cells = {
                address: (walk.cells[address][1] - value) & M
                for address, (value, _) in walk.first.items()
                if walk.cells[address][1] != value
            }
            self._slopes = (slopes, cells)
            if any(slopes) or cells:
                walk = self._walk(core, registers, cycle, masks, slopes, cells)
                if not self._steady(walk, registers):
                    raise NotLinear("growth that changes")
        if walk.masks != masks:
            raise NotLinear("a mask that stays")
        times = min(room, walk.bound)
        if walk.stable_ps < ENDLESS:
            stable = core.cycle_of(walk.stable_ps)
            times = min(times, (stable - cycle) // self.cycles)
            if times < room or stable < due:
                room = -1  # the rest of an iteration cannot be foreseen
        if times <= 0:
            return 0, False, None
        if times < room or walk.bound <= room or room < 0:
            settle(core, walk, times - 1)
            _leave_looks(core, walk, cycle + (times - 1) * self.cycles)
            return times, times == walk.bound, None
        return times, False, self._cut(core, walk, cycle, times, due)

    def _cut(
        self, core: Core, walk: Walk, cycle: int, times: int, due: int
    ) -> tuple[int, int] | None:
        """After ``times`` iterations, go on to the first place to pause not before ``due``."""
        last = cycle + (times - 1) * self.cycles
        _leave_looks(core, walk, last)
        into = due - last - self.cycles
        found = next((mark for mark in self.marks if mark[0] >= into), None)
        if not into or found is None or found[1] == NO_PLACE:
            settle(core, walk, times - 1)
            return None
        cycles, address, count = found
        k = times - 1
        registers = [(v + s * k) & M for v, s in zip(walk.r, walk.s, strict=True)]
        rest = Walk(registers, [0] * 16, {}, walk.fetch, walk.moves)
        rest.owner, rest.masks = walk.owner, walk.masks
        for cell, (size, value, slope) in walk.cells.items():
            rest.cells[cell] = size, (value + slope * k) & ((1 << (8 * size)) - 1), 0
        if walk.nz is not None:
            rest.nz = at(walk.nz, k), 0
        if walk.c is not None:
            rest.c = walk.c[0], tuple((at(pair, k), 0) for pair in walk.c[1])
        if walk.v is not None:
            rest.v = walk.v[0], tuple((at(pair, k), 0) for pair in walk.v[1])
        rest.counter = self._counter(core, cycle, times)
        for step, rest.into in zip(self.steps[:count], self._into, strict=False):
            step(rest)
        if rest.outside >= into:
            # It waits for the flash across what falls due, and sees that: the engine runs it.
            settle(core, walk, times - 1)
            return None
        settle(core, rest, 0)
        _leave_looks(core, rest, last + self.cycles)
        return cycles, address

    def _walk(
        self,
        core: Core,
        registers: list[int],
        cycle: int,
        masks: tuple[int, int] | None,
        slopes: list[int],
        cells: dict[int, int],
    ) -> Walk:
        still = Still(core.latch_at)
        walk = Walk(list(registers), list(slopes), cells, core.foresee(cycle), still)
        walk.counter, walk.masks = self._counter(core, cycle), masks
        for step, walk.into in self.timed():
            step(walk)
        return walk

    def _counter(self, core: Core, cycle: int, lap: int | None = None) -> Counter:
        """What a counter reads within an iteration of this loop, whose first began at ``cycle``.

        Value, growth by each iteration, until when so; within iteration ``lap`` alone, no growth.
        """

        def counter(address: int, into: int) -> tuple[int, int, int] | None:
            found = core.count_at(address, cycle + into)
            if found is None:
                return None
            value, step, until_ps = found
            slope = step * self.cycles
            return (value, slope & M, until_ps) if lap is None else (
                (value + slope * lap) & M, 0, until_ps
            )  # fmt: skip

        return counter

    def _steady(self, walk: Walk, registers: list[int]) -> bool:
        """Whether an iteration adds to what it needs just the slope that it assumed."""
        slopes = self._slopes[0]
        r, s, live = walk.r, walk.s, self.live
        for number in range(15):
            if live >> number & 1:
                slope = slopes[number]
                if s[number] != slope or (r[number] - registers[number] - slope) & M:
                    return False
        for address, (value, slope) in walk.first.items():
            _, after, growth = walk.cells[address]
            if growth != slope or (after - value - slope) & M:
                return False
        return True


def settle(core: Core, walk: Walk, k: int) -> None:
    """Put the core into the state after iteration ``k``."""
    values = [(value + slope * k) & M for value, slope in zip(walk.r, walk.s, strict=True)]
    core.engine.write_many(REGISTERS, values[:15])
    if walk.masks is not None:
        core.engine.write_many(_MASKS, walk.masks)
    if walk.nz is not None:
        value = at(walk.nz, k)
        flags = (value >> 31) << 3 | (value == 0) << 2
        before = core.engine.read(eng.APSR_NZCV) >> 28
        carry, overflow = before >> 1 & 1, before & 1
        if walk.c is not None:
            carry = walk.c[0](*(at(pair, k) for pair in walk.c[1]))
        if walk.v is not None:
            overflow = walk.v[0](*(at(pair, k) for pair in walk.v[1]))
        core.engine.write(eng.APSR_NZCV, (flags | carry << 1 | overflow) << 28)
    for address, (size, value, slope) in walk.cells.items():
        cell = (value + slope * k) & ((1 << (8 * size)) - 1)
        core.memory.write_ram(address, cell.to_bytes(size, "little"))


def _masks(core: Core) -> tuple[int, int]:
    """PRIMASK and BASEPRI at the head of a loop that masks, with none that a mask holds back.

    What comes to be pending comes with an event, up to which is skipped at most.
    """
    if core.exceptions.best() is not None:
        raise NotLinear("an interrupt that a mask may hold back")
    xpsr, control, primask, basepri = core.engine.read_many((eng.XPSR, eng.CONTROL, *_MASKS))
    if control & 1 and not xpsr & 0x1FF:
        raise NotLinear("a mask that is out of reach")
    return primask & 1, basepri & 0xFF


def _leave_looks(core: Core, walk: Walk, cycle: int) -> None:
    """What an iteration that began at ``cycle`` read outside memory, it has read."""
    for address, into in sorted(walk.looks.items(), key=itemgetter(1)):
        core.looked(address, cycle + into)


def instructions(
    block: Block, target: int, size: int
) -> Iterator[tuple[int, Compiled, list[Step]]]:
    """The instructions of a block that goes on at ``target``: offset, what it is, its steps.

    Raises NotLinear at one that has no step.
    """
    if block.begins_in_it:
        raise NotLinear("the rest of an IT block", for_good=True)
    offset, code, it = 0, block.code, 0
    while offset < size:
        first = code[offset] | code[offset + 1] << 8
        width = 4 if is_wide(first) else 2
        address = block.address + offset
        if is_it(first) and not it:
            it = first & 0xFF
            yield offset, NOTHING, []
            offset += width
            continue
        made = compile_one(address, code[offset : offset + width])
        if made is None:
            raise NotLinear("an instruction without a step", for_good=True)
        if it_left(it):
            taken = target != address + width if offset + width == size else None
            made, steps = _in_it(made, it >> 4, first if width == 2 else None, target, taken)
            yield offset, made, steps
            it = stepped(it)
            offset += width
            continue
        steps = [] if made.step is None else [made.step]
        if made.condition is not None and made.condition != AL:
            taken = target == made.target
            if made.zero_of is None:
                steps.append(_expect(made.condition, taken))
            else:
                steps.append(_expect_zero(made.zero_of, taken == (made.condition == EQ)))
        elif made.writes >> PC & 1:
            steps.append(_expect_pc(target))
        yield offset, made, steps
        offset += width


def _in_it(
    made: Compiled, condition: int, narrow: int | None, target: int, taken: bool | None
) -> tuple[Compiled, list[Step]]:
    """An instruction of an IT block, run where its condition holds (A7.3.3).

    ``narrow`` is its encoding when it has 16 bits: then it sets flags only if it compares.
    ``taken``: for a branch, whether the path goes there. Raises NotLinear for what no one predicts.
    """
    branches = made.condition is not None or bool(made.writes >> PC & 1)
    if made.condition not in (None, AL) or (branches and taken is None) or condition > AL:
        raise NotLinear("a branch within an IT block", for_good=True)
    inner = made.step
    if inner is not None and narrow is not None and not compares(narrow):
        inner = _keep_flags(inner)
    steps: list[Step] = []
    if branches:
        steps.append(_expect(condition, bool(taken)) if condition != AL else _always(bool(taken)))
        if taken and inner is not None:
            steps.append(inner)
        if taken and made.writes >> PC & 1:
            steps.append(_expect_pc(target))
    elif inner is not None:
        steps.append(inner if condition == AL else _where(condition, inner))
    # What it would write may stay as it was: then that is what later instructions read.
    return made._replace(reads=made.reads | made.writes & ~(1 << PC)), steps


def _keep_flags(inner: Step) -> Step:
    def step(walk: Walk) -> None:
        flags = walk.nz, walk.c, walk.v
        inner(walk)
        walk.nz, walk.c, walk.v = flags

    return step


def _where(condition: int, inner: Step) -> Step:
    def step(walk: Walk) -> None:
        if walk.decide(condition):
            inner(walk)

    return step


def _always(taken: bool) -> Step:
    def step(walk: Walk) -> None:
        if not taken:
            raise NotLinear("another path")

    return step


def _expect(condition: int, taken: bool) -> Step:
    return lambda walk: walk.expect(condition, taken)


def _expect_zero(register: int, outcome: bool) -> Step:
    return lambda walk: walk.expect_zero((walk.r[register], walk.s[register]), outcome)


def _expect_pc(target: int) -> Step:
    def step(walk: Walk) -> None:
        if walk.s[PC] or walk.r[PC] & ~1 != target:
            raise NotLinear("another path")

    return step


def _repeat(inner: Inner) -> Step:
    """An inner loop's jump as one step: what it adds is the same each time round.

    Within it no condition may rest on what the outer loop changes, so that the trip count holds;
    then what the first iteration adds, every iteration adds.
    """
    loop, live, times = inner.loop, inner.loop.live, inner.times
    registers = [number for number in range(15) if live >> number & 1]

    def once(walk: Walk) -> dict[int, int]:
        """Run one iteration. Gives what it adds: by register, or by -1 - address of a cell."""
        r, s, cells = list(walk.r), list(walk.s), dict(walk.cells)
        end, masks = walk.into, walk.masks
        for step, into in loop.timed():
            walk.into = end - loop.cycles + into  # as in the last iteration
            step(walk)
        walk.into = end
        if walk.masks != masks:
            raise NotLinear("a mask that an inner loop leaves")
        if any(walk.s[number] != s[number] for number in registers):
            raise NotLinear("an inner loop that adds what grows")
        added = {number: (walk.r[number] - r[number]) & M for number in registers}
        for address, (_, value, slope) in walk.cells.items():
            if address in cells:
                _, before, growth = cells[address]
            elif address in walk.first:
                before, growth = walk.first[address]
            else:
                continue
            if slope != growth:
                raise NotLinear("an inner loop that adds what grows")
            added[-1 - address] = (value - before) & M
        return added

    def skip(walk: Walk, added: dict[int, int], iterations: int) -> None:
        for key, d in added.items():
            if key >= 0:
                walk.r[key] = (walk.r[key] + d * iterations) & M
            else:
                size, value, slope = walk.cells[-1 - key]
                walk.cells[-1 - key] = size, (value + d * iterations) & M, slope

    def again(walk: Walk, added: dict[int, int]) -> None:
        now = once(walk)
        if any(now[key] != d for key, d in added.items()):
            raise NotLinear("an inner loop whose growth changes")

    def step(walk: Walk) -> None:
        outer, walk.strict = walk.strict, True
        added = once(walk)
        if times > 1:
            again(walk, added)
        if times > 2:
            skip(walk, added, times - 3)
            again(walk, added)
        walk.strict = outer

    return step
