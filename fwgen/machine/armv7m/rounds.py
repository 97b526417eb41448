"""Rounds of a periodic interrupt, skipped: firmware that waits while SysTick counts.

A round is one underflow of SysTick, its handler, and the wait for the next one: in a polling loop
that changes nothing by itself, or asleep. A round that ran is remembered as a path. Where the
core comes to such a place again, the round is read symbolically (``symbolic``): if all that it
adds is the same each time round and every condition on the way keeps its outcome for n rounds,
the state after n rounds is their closed form.

Nothing else may be due meanwhile, and the last round is always left to the engine. Where in a
polling loop the interrupt falls differs from round to round: that is worked out round by round, in
cycles, and each place that is met is read symbolically by itself.
"""

from __future__ import annotations

from itertools import chain, islice, repeat
from typing import TYPE_CHECKING

from fwgen.machine.armv7m import exceptions as exc
from fwgen.machine.armv7m.accelerate import MOST_ITEMS, REGISTERS, instructions, settle
from fwgen.machine.armv7m.engine import XPSR
from fwgen.machine.armv7m.symbolic import ENDLESS, LR, OPAQUE, PC, SP, M, NotLinear, Walk, at
from fwgen.trace import Sleep, Wake

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from fwgen.machine.armv7m.accelerate import Loop
    from fwgen.machine.armv7m.blocks import Block
    from fwgen.machine.armv7m.core import Core
    from fwgen.machine.armv7m.symbolic import Carry, Pair, Step

FEWEST = 4  # rounds to come before one is read
LONGEST_REST = 1 << 10  # rounds
PATIENCE = 3  # refusals in a row until another round is recorded
_STACKED = (0, 1, 2, 3, 12, LR)
_ZEROS = [0] * 16


class Tour:
    """What ran since SysTick's exception was taken at ``pc``, ``since`` the cycle of that."""

    __slots__ = (
        "asleep", "blocks", "handler", "link", "overhead", "pc", "since", "spent", "steps",
        "vector",
    )  # fmt: skip

    def __init__(self, pc: int, since: int) -> None:
        self.pc, self.since = pc, since
        self.blocks: list[Block] = []
        self.vector = 0
        self.link = 0  # EXC_RETURN, once it has returned
        self.overhead = 0  # cycles that entry and return cost
        self.handler: tuple[Step, ...] = ()
        self.spent = 0  # cycles from the interrupted instruction until it goes on
        self.steps: tuple[Step, ...] = ()  # then, until WFI
        self.asleep = 0  # cycles until it sleeps


class Rounds:
    """What a core knows of the rounds of SysTick's interrupt; ``tour`` is being recorded."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self.tour: Tour | None = None
        self._known: Tour | None = None  # its handler is complete
        self._sleeper: Tour | None = None  # complete until WFI
        self._failed = self._rest = 0
        self._asked = 0  # the underflow before which an iteration more was asked for
        self.skipped = 0

    # ------------------------------------------------------------------ recording

    def forget(self) -> None:
        """What code costs, or the code itself, changed."""
        self.tour = self._known = self._sleeper = None
        self._failed = self._rest = 0

    def taken(self, *, woken: bool) -> None:
        """SysTick's exception is about to be taken in Thread mode, perhaps right after WFI."""
        self.tour = None
        if self._rest:
            self._rest -= 1
            return
        at = self._core.at
        pc = self._core.pc
        if woken:
            if self._sleeper is None or self._sleeper.pc != pc:
                self.tour = Tour(pc, at.cycle + at.cost)
            else:
                self._try(self._skip_sleeping, self._sleeper)
        elif self._known is None:
            self.tour = Tour(pc, at.cycle + at.cost)

    def ran(self, block: Block) -> None:
        """A block runs."""
        tour = self.tour
        if tour is not None:
            tour.blocks.append(block)
            if len(tour.blocks) > MOST_ITEMS:
                self._fail()

    def returned(self, link: int, cycles: int) -> None:
        """The exception returned to Thread mode; entry and return cost ``cycles``."""
        tour, core = self.tour, self._core
        if tour is None:
            return
        if tour.link or not tour.blocks:
            self.tour = None
            return
        tour.link, tour.overhead, tour.vector = link, cycles, tour.blocks[0].address | 1
        tour.spent = cycles + self._cost(tour.blocks)
        handler = _compile(tour.blocks, link & ~1)
        if handler is None or core.at.cycle + core.at.cost - tour.since != tour.spent:
            self._fail()
            return
        tour.handler, tour.blocks = handler, []
        self._known = tour

    def slept(self) -> None:
        """The core falls asleep, by WFI."""
        tour, core = self.tour, self._core
        self.tour = None
        if tour is None or not tour.link or core.pc != tour.pc or not tour.blocks:
            return
        tour.asleep = tour.spent + self._cost(tour.blocks)
        steps = _compile(tour.blocks, None)
        if steps is None or core.at.cycle + core.at.cost - tour.since != tour.asleep:
            self._fail()
            return
        tour.steps = steps
        self._sleeper = tour

    def _cost(self, blocks: Sequence[Block]) -> int:
        """Cycles that a path costs from its first instruction on."""
        total, end = 0, blocks[0].address
        for block in blocks:
            if block.address != end:
                total += self._core.at.refill
            total += block.cost
            end = block.address + block.size
        return total

    def _refuse(self) -> None:
        """A round cannot be skipped: this one may be another than the others."""
        if self._failed < PATIENCE:
            self._failed += 1
        else:
            self._fail()

    def _fail(self) -> None:
        """What was recorded is of no use: another round may be, later."""
        self.tour = self._known = self._sleeper = None
        self._failed = max(self._failed, PATIENCE) + 1
        self._rest = min(1 << self._failed - PATIENCE, LONGEST_REST)

    # ------------------------------------------------------------------ skipping

    def polling(self, loop: Loop, cycle: int) -> int | None:
        """At the head of a polling loop, at ``cycle``: skip rounds. Gives the cycles skipped.

        None: after one more iteration rounds may be skipped.
        """
        tour, core = self._known, self._core
        if tour is None or self._rest or not loop.whole or not self._ready():
            return 0
        period, first = core.systick.period, core.cycle_of(core.systick.due_ps)
        limit = self._limit()
        if limit - first < FEWEST * period:
            return 0
        try:
            reading = _Reading(core, tour, cycle)
            if not reading.idle(loop.steps):
                # The iteration that the interrupt cut in two may still be seen in registers.
                again, self._asked = self._asked != first, first
                return None if again else 0
            return self._skip_polling(reading, loop, cycle, first, limit)
        except NotLinear:
            self._refuse()
            return 0

    def _skip_polling(
        self, reading: _Reading, loop: Loop, cycle: int, first: int, limit: int
    ) -> int:
        core, length, steps = self._core, loop.cycles, loop.steps
        period = core.systick.period
        # By cycles into the iteration: what the round that begins there does, and how long it is.
        starts: dict[int, tuple[_Round, int]] = {}
        rounds: dict[int, _Round] = {}
        # ``here``: cycle at the head, ``due``: of the tick that begins the round being looked at.
        here, due, times, bound = cycle, first, 0, 0
        last: _Round | None = None
        done = cycle
        while here + length <= due:
            into = (due - here) % length
            if into not in starts:
                index, more = loop.place_from(into)
                if index not in rounds:
                    _, pc, count = loop.marks[index]
                    rounds[index] = reading.round(count, (*steps[count:], *steps), pc)
                    bound = reading.bound
                    limit = min(limit, reading.until())
                taken = more + reading.tour.spent + loop.rest_of(index, core)
                starts[into] = rounds[index], taken
            this, taken = starts[into]
            # This round is there for the engine to run: then those before it may be skipped.
            if times >= bound or due + taken + length > limit:
                break
            if last is not None:
                last.last = times - 1
            last, done, here = this, here, due + taken
            times += 1
            due += period
        if times < 2:
            return 0
        seen = sorted((one for one in rounds.values() if one.last >= 0), key=lambda one: one.last)
        for one in seen:
            reading.leave(one)
        self._after(seen[-1].walk, times - 1)
        self._rest = 2 if times == bound else 0  # the one left, and the one that differs
        return done + length - cycle

    def _skip_sleeping(self, tour: Tour) -> None:
        """Just woken by SysTick at the place that a known round starts from: skip rounds."""
        core = self._core
        at, tick = core.at, core.systick
        cycle, period = at.cycle + at.cost, tick.period
        first = core.cycle_of(tick.due_ps)
        sleeps = core.sleeps_evenly and first - cycle == period > tour.asleep
        room = (self._limit() - cycle) // period
        if not sleeps or not self._ready(pending=1 << exc.SYSTICK) or room < FEWEST:
            return
        reading = _Reading(core, tour, cycle)
        walk = reading.round(0, tour.steps, core.pc).walk
        times = min(reading.bound, room, (reading.until() - cycle) // period) - 1
        if times <= 0:
            return
        sleeps = core.hclk.times_of(cycle + tour.asleep, times, period)
        wakes = core.hclk.times_of(cycle + period, times, period)
        events = zip(
            map(Sleep, sleeps, repeat("sleep")),
            map(Wake, wakes, repeat(core.exceptions.name(exc.SYSTICK))),
            strict=True,
        )
        core.soc.recorder.add_all(chain.from_iterable(events))
        at.cycle += times * period
        core.asleep_cycles += times * (period - tour.asleep)
        self._after(walk, times)
        self._rest = 1 if times + 1 == reading.bound else 0  # the one that differs
        core.soc.scheduler.catch_up(core.now_ps)

    def _after(self, walk: Walk, times: int) -> None:
        """Put everything into the state after ``times`` rounds."""
        settle(self._core, walk, times - 1)
        self._core.systick.skip(times)
        self._failed = 0
        self.skipped += times

    def _ready(self, *, pending: int = 0) -> bool:
        """Whether nothing but SysTick's interrupt is to come, and it will be taken."""
        core = self._core
        state, tick = core.exceptions, core.systick
        return (
            tick.due_ps == core.soc.scheduler.next_ps
            and not state.active
            and state.pending & state.enabled == pending
            and core.takes(exc.SYSTICK)
        )

    def _limit(self) -> int:
        """The cycle at which something else is due."""
        core = self._core
        return core.cycle_of(min(core.soc.scheduler.next_but(core.systick.timer), core.until_ps))

    def _try(self, skip: Callable[[Tour], None], tour: Tour) -> None:
        try:
            skip(tour)
        except NotLinear:
            self._refuse()


class _Round:
    """A round as it was read: where its frame is, what ``pc`` and flags go there.

    ``last``: the last round that was skipped and was like this one.
    """

    __slots__ = ("flags", "frame", "last", "padded", "pc", "walk")

    def __init__(self, walk: Walk, pc: int) -> None:
        self.walk, self.pc, self.last = walk, pc, -1
        self.frame = self.padded = 0
        self.flags: tuple[Pair | None, Carry | None, Carry | None] = (None, None, None)


class _Reading:
    """Rounds read symbolically, from the state that the core is in at ``cycle``.

    ``bound``: for how many rounds all that was read holds.
    """

    def __init__(self, core: Core, tour: Tour, cycle: int) -> None:
        self.tour = tour
        self.bound = ENDLESS
        self._core = core
        self._fetch = core.foresee(cycle)
        self._registers = core.engine.read_many(REGISTERS)
        self._registers.append(0)
        self._slopes: list[int] | None = None
        self._cells: dict[int, int] = {}
        self._stable_ps = ENDLESS
        self._xpsr = core.engine.read(XPSR)
        self._idle: Sequence[Step] = ()
        self._ahead: list[Walk] = []
        fp = core.frame_of_thread(self._registers[SP])[2]
        self._moved = core.fp_words() if fp else ()
        vector = core.memory.word(core.vector_base() + 4 * exc.SYSTICK)
        if vector != tour.vector or tour.overhead != core.stacking_cycles(fp=fp):
            raise NotLinear("another handler")
        if tour.link != (0xFFFFFFE9 if fp else 0xFFFFFFF9):
            raise NotLinear("another frame")

    def idle(self, steps: Sequence[Step]) -> bool:
        """Whether an iteration of the polling loop leaves everything as it was."""
        self._idle = steps
        return self._rests(_ZEROS, {})

    def _rests(self, slopes: list[int], cells: dict[int, int]) -> bool:
        walk = Walk(list(self._registers), list(slopes), cells, self._fetch)
        for step in self._idle:
            step(walk)
        self._hold(walk)
        return (
            walk.r[:15] == self._registers[:15]
            and walk.s[:15] == slopes[:15]
            and all(walk.cells[address][1:] == before for address, before in walk.first.items())
        )

    def until(self) -> int:
        """The cycle until which what was read of peripherals holds."""
        return self._core.cycle_of(self._stable_ps)

    def _before(self, slopes: list[int], cells: dict[int, int]) -> Iterator[Walk]:
        """An iteration of the wait, to know the flags; then before each step of the next."""
        walk = Walk(list(self._registers), list(slopes), cells, self._fetch)
        for step in self._idle:
            step(walk)
        for step in self._idle:
            yield walk
            step(walk)
        yield walk

    def round(self, count: int, after: Sequence[Step], pc: int) -> _Round:
        """The first round: the wait, interrupted at ``pc`` after ``count`` steps, and ``after``.

        Raises NotLinear when rounds do not all add the same.
        """
        if self._slopes is None:
            start = next(islice(self._before(_ZEROS, {}), count, None))
            walk = self._walk(start, after, pc).walk
            self._slopes = [
                (now - then) & M for then, now in zip(self._registers, walk.r, strict=True)
            ]
            self._slopes[PC] = 0
            for address, (value, _) in walk.first.items():
                growth = walk.cells[address][1] - value & M
                if growth:
                    self._cells[address] = growth
            if not self._rests(self._slopes, self._cells):
                raise NotLinear("a wait that goes on")
            self._ahead = [one.copy() for one in self._before(self._slopes, self._cells)]
        slopes = self._slopes
        made = self._walk(self._ahead[count].copy(), after, pc)
        walk = made.walk
        for number in range(15):
            grown = self._registers[number] + slopes[number] & M
            if walk.s[number] != slopes[number] or walk.r[number] != grown:
                raise NotLinear("growth that changes")
        for address, (value, slope) in walk.first.items():
            size, now, growth = walk.cells[address]
            if not size or growth != slope or (now - value - slope) & M:
                raise NotLinear("growth that changes")
        self._hold(walk)
        return made

    def leave(self, one: _Round) -> None:
        """Put into memory what the last round like this one left there."""
        k, memory = one.last, self._core.memory
        for address, (size, value, slope) in one.walk.cells.items():
            if size != OPAQUE:
                cell = (value + slope * k) & ((1 << (8 * size)) - 1)
                memory.write_ram(address, cell.to_bytes(size, "little"))
        nz, carry, overflow = one.flags
        flags = self._xpsr >> 28
        if nz is not None:
            value = at(nz, k)
            flags = flags & 3 | (value >> 31) << 3 | (value == 0) << 2
        if carry is not None:
            flags = flags & ~2 | carry[0](*(at(pair, k) for pair in carry[1])) << 1
        if overflow is not None:
            flags = flags & ~1 | overflow[0](*(at(pair, k) for pair in overflow[1]))
        xpsr = self._xpsr & 0x0FFFFDFF | flags << 28 | one.padded << 9
        for address, word in ((one.frame + 24, one.pc), (one.frame + 28, xpsr)):
            if one.walk.cells[address][0] == OPAQUE:
                memory.write_ram(address, word.to_bytes(4, "little"))

    def _hold(self, walk: Walk) -> None:
        self.bound = min(self.bound, walk.bound)
        self._stable_ps = min(self._stable_ps, walk.stable_ps)

    def _walk(self, walk: Walk, after: Sequence[Step], pc: int) -> _Round:
        """From where the interrupt comes."""
        made, sp = _Round(walk, pc), walk.r[SP]
        self._enter(made)
        for step in self.tour.handler:
            step(walk)
        if walk.s[SP] or walk.r[SP] != made.frame:
            raise NotLinear("a handler that moves the stack")
        if walk.cells[made.frame + 24][0] or walk.cells[made.frame + 28][0]:
            raise NotLinear("a handler that returns elsewhere")
        for place, number in enumerate(_STACKED):
            walk.r[number], walk.s[number] = walk.load(made.frame + 4 * place, 4)
        walk.r[SP] = sp
        walk.nz, walk.c, walk.v = made.flags
        for step in after:
            step(walk)
        return made

    def _enter(self, made: _Round) -> None:
        """Stack the frame, and go to the handler."""
        walk = made.walk
        if walk.s[SP]:
            raise NotLinear("a stack that grows")
        made.frame, made.padded, _ = self._core.frame_of_thread(walk.r[SP])
        made.flags = walk.nz, walk.c, walk.v
        for place, number in enumerate(_STACKED):
            walk.store(made.frame + 4 * place, 4, (walk.r[number], walk.s[number]))
        walk.hide(made.frame + 24)
        walk.hide(made.frame + 28)
        for place, word in enumerate(self._moved):
            walk.store(made.frame + 4 * (8 + place), 4, (word, 0))
        walk.r[SP], walk.r[LR], walk.s[LR] = made.frame, self.tour.link, 0


def _compile(blocks: Sequence[Block], target: int | None) -> tuple[Step, ...] | None:
    """The steps of a path that goes on at ``target``, or ends in WFI; None when it has none."""
    steps: list[Step] = []
    targets = [*(block.address for block in blocks[1:]), target]
    try:
        for block, following in zip(blocks, targets, strict=True):
            size = block.size if following is not None else block.size - 2
            for _, _, made in instructions(block, following or 0, size):
                steps += made
    except NotLinear:
        return None
    return tuple(steps)
