"""Rounds of a periodic interrupt, skipped: firmware that waits while SysTick counts.

A round is one underflow of SysTick, its handler, and the wait for the next one: in a polling loop
that changes nothing by itself, or asleep. A round that ran is remembered as a path. Where the
core comes to such a place again, the round is read symbolically (``symbolic``): if all that it
adds is the same each time round and every condition on the way keeps its outcome for n rounds,
the state after n rounds is their closed form.

Nothing else may be due meanwhile, and the last round is always left to the engine. Where in a
polling loop the interrupt falls differs from round to round: that is worked out round by round, in
cycles, and each place that is met is read symbolically by itself.

Rounds of a core that sleeps may move pins that nobody but the trace looks at. They need not be all
alike: a few that take turns, and leave the pins as they were, are read as one.
"""

from __future__ import annotations

from collections import deque
from itertools import chain, islice, pairwise, repeat
from typing import TYPE_CHECKING

from fwgen.machine.armv7m import exceptions as exc
from fwgen.machine.armv7m.accelerate import MOST_ITEMS, REGISTERS, instructions, settle
from fwgen.machine.armv7m.engine import XPSR
from fwgen.machine.armv7m.symbolic import (
    ENDLESS,
    LR,
    OPAQUE,
    PC,
    SP,
    M,
    Moves,
    NotLinear,
    Walk,
    at,
)
from fwgen.trace import Edge, Sleep, Wake

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from fwgen.machine.armv7m.accelerate import Loop
    from fwgen.machine.armv7m.blocks import Block
    from fwgen.machine.armv7m.skippable import Core
    from fwgen.machine.armv7m.symbolic import Carry, Pair, Step
    from fwgen.trace import Event

    Path = tuple[tuple[Step, int], ...]  # each step, and cycles from the tour's start to it

FEWEST = 4  # rounds to come before one is read
LONGEST_REST = 1 << 10  # rounds
PATIENCE = 5  # refusals in a row until all is forgotten, and recorded anew later
MOST_TURNS = 8  # rounds that may take turns
MOST_PATHS = 4  # through the code, that they may take
_STACKED = (0, 1, 2, 3, 12, LR)
_ZEROS = [0] * 16


class Tour:
    """What ran since SysTick's exception was taken at ``pc``, ``since`` the cycle of that."""

    __slots__ = (
        "asleep", "blocks", "handler", "link", "overhead", "path", "pc", "since", "spent", "steps",
        "vector",
    )  # fmt: skip

    def __init__(self, pc: int, since: int) -> None:
        self.pc, self.since = pc, since
        self.blocks: list[Block] = []
        self.path: tuple[int, ...] = ()  # the addresses of all blocks, once it sleeps
        self.vector = 0
        self.link = 0  # EXC_RETURN, once it has returned
        self.overhead = 0, 0  # cycles that entry and return cost
        self.handler: Path = ()
        self.spent = 0  # cycles from the interrupted instruction until it goes on
        self.steps: Path = ()  # then, until WFI
        self.asleep = 0  # cycles until it sleeps


class Rounds:
    """What a core knows of the rounds of SysTick's interrupt; ``tour`` is being recorded."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self.tour: Tour | None = None
        self._known: Tour | None = None  # its handler is complete
        self._sleepers: list[Tour] = []  # complete until WFI, each on a path of its own
        self._failed = self._rest = 0
        self._asked = 0  # the underflow before which an iteration more was asked for
        self.skipped = 0

    # ------------------------------------------------------------------ recording

    def forget(self) -> None:
        """What code costs, or the code itself, changed."""
        self.tour = self._known = None
        self._sleepers = []
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
            if not self._sleepers or self._sleepers[0].pc != pc or not self._skip_sleeping():
                self.tour = Tour(pc, at.cycle + at.cost)
        elif self._known is None:
            self.tour = Tour(pc, at.cycle + at.cost)

    def ran(self, block: Block) -> None:
        """A block runs."""
        tour = self.tour
        if tour is not None:
            tour.blocks.append(block)
            if len(tour.blocks) > MOST_ITEMS:
                self._fail()

    def returned(self, link: int, cycles: tuple[int, int]) -> None:
        """The exception returned to Thread mode; entry and return cost ``cycles``."""
        tour, core = self.tour, self._core
        if tour is None:
            return
        if tour.link or not tour.blocks:
            self.tour = None
            return
        tour.link, tour.overhead, tour.vector = link, cycles, tour.blocks[0].address | 1
        tour.spent = sum(cycles) + self._cost(tour.blocks)
        handler = _compile(tour.blocks, link & ~1, cycles[0])
        if handler is None or core.at.cycle + core.at.cost - tour.since != tour.spent:
            self._fail()
            return
        tour.path = tuple(block.address for block in tour.blocks)
        tour.handler, tour.blocks = handler, []
        self._known = tour

    def slept(self) -> None:
        """The core falls asleep, by WFI."""
        tour, core = self.tour, self._core
        self.tour = None
        if tour is None or not tour.link or core.pc != tour.pc or not tour.blocks:
            return
        tour.asleep = tour.spent + self._cost(tour.blocks)
        steps = _compile(tour.blocks, None, tour.spent)
        if steps is None or core.at.cycle + core.at.cost - tour.since != tour.asleep:
            self._fail()
            return
        tour.steps = steps
        tour.path += tuple(block.address for block in tour.blocks)
        if self._sleepers and self._sleepers[0].pc != tour.pc:
            self._sleepers = []
        if all(tour.path != known.path for known in self._sleepers):
            self._sleepers = [*self._sleepers[1 - MOST_PATHS :], tour]

    def _cost(self, blocks: Sequence[Block]) -> int:
        """Cycles that a path costs from its first instruction on."""
        jumps = sum(block.branch(to) for block, to in pairwise(blocks))
        return jumps + sum(block.cost for block in blocks)

    def _refuse(self) -> None:
        """A round cannot be skipped: this one may be another than the others."""
        if self._failed < PATIENCE:
            self._failed += 1
        else:
            self._fail()

    def _fail(self) -> None:
        """What was recorded is of no use: another round may be, later."""
        self.tour = self._known = None
        self._sleepers = []
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
            reading = _Reading(core, cycle, tour)
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
                taken = more + reading.tours[0].spent + loop.rest_of(index, core)
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

    def _skip_sleeping(self) -> bool:
        """Just woken by SysTick where known rounds start from: skip rounds.

        False when this round is unlike those that are known: it should be, too.
        """
        core, known = self._core, self._sleepers
        cycle, period = core.at.cycle + core.at.cost, core.systick.period
        first = core.cycle_of(core.systick.due_ps)
        room = (self._limit() - cycle) // period if period else 0
        evenly = core.sleeps_evenly and first - cycle == period > max(t.asleep for t in known)
        if not evenly or not self._ready(pending=1 << exc.SYSTICK) or room < FEWEST:
            return True
        try:
            reading = _Reading(core, cycle, *known)
            turns, walk = reading.turns(period)
        except NotLinear:
            self._refuse()
            return self._failed > PATIENCE
        cycles = len(turns) * period
        until = (reading.until() - cycle) // cycles
        times = min(reading.bound, room // len(turns), until) - 1
        if times <= 0:
            return True
        self._tell(turns, walk, times)
        core.at.cycle += times * cycles
        core.asleep_cycles += times * sum(period - tour.asleep for tour in turns)
        self._after(walk, times, len(turns))
        self._rest = len(turns) if times + 1 == reading.bound else 0  # those that differ
        core.soc.scheduler.catch_up(core.now_ps)
        return True

    def _tell(self, turns: Sequence[Tour], walk: Walk, times: int) -> None:
        """Into the trace: what the rounds do to pins, and when the core sleeps and wakes."""
        core, period = self._core, self._core.systick.period
        cause = core.exceptions.name(exc.SYSTICK)
        cycle, step = core.at.cycle + core.at.cost, len(turns) * period

        def when(into: int) -> Sequence[int]:
            return core.hclk.times_of(cycle + into, times, step)

        assert walk.moves is not None
        told: list[Iterator[Event]] = []
        moves = deque(walk.moves.made)
        for number, tour in enumerate(turns):
            while moves and moves[0][0] < (number + 1) * period:
                into, pin, level = moves.popleft()
                told.append(map(Edge, when(into), repeat(pin), repeat(level)))
            told.append(map(Sleep, when(number * period + tour.asleep), repeat("sleep")))
            told.append(map(Wake, when((number + 1) * period), repeat(cause)))
        core.soc.recorder.add_all(chain.from_iterable(zip(*told, strict=True)))

    def _after(self, walk: Walk, times: int, each: int = 1) -> None:
        """Put everything into the state after a walk of ``each`` rounds, so many times."""
        settle(self._core, walk, times - 1)
        self._core.systick.skip(times * each)
        self._failed = 0
        self.skipped += times * each

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

    def __init__(self, core: Core, cycle: int, *tours: Tour) -> None:
        self.tours = tours
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
        for tour in tours:
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
            self._slopes, self._cells = self._growth(self._walk(start, after, pc).walk)
            if not self._rests(self._slopes, self._cells):
                raise NotLinear("a wait that goes on")
            self._ahead = [one.copy() for one in self._before(self._slopes, self._cells)]
        made = self._walk(self._ahead[count].copy(), after, pc)
        self._expect(made.walk, self._slopes)
        self._hold(made.walk)
        return made

    def turns(self, period: int) -> tuple[list[Tour], Walk]:
        """Rounds of ``period`` cycles from now on that, together, all add the same.

        Each is one of the known ones. Raises NotLinear where there are none.
        """
        made = _Round(self._start(_ZEROS, {}), self.tours[0].pc)
        turns: list[Tour] = []
        while len(turns) < MOST_TURNS:
            made, tour = self._turn(made.walk, len(turns) * period)
            turns.append(tour)
            assert made.walk.moves is not None
            if not made.walk.moves.settled:
                continue
            slopes, cells = self._growth(made.walk)
            walk = self._start(slopes, cells)
            try:
                for number, tour in enumerate(turns):
                    walk = self._walk(walk, None, tour.pc, tour, number * period).walk
                self._expect(walk, slopes)
            except NotLinear:
                continue
            assert walk.moves is not None
            if walk.moves.seen:
                raise NotLinear("a look at the pins that it moves")
            self._hold(walk)
            return turns, walk
        raise NotLinear("too many turns")

    def _turn(self, walk: Walk, base: int) -> tuple[_Round, Tour]:
        """One more round, on whichever known path it takes."""
        for tour in self.tours:
            try:
                return self._walk(walk.copy(), None, tour.pc, tour, base), tour
            except NotLinear:
                continue
        raise NotLinear("another path")

    def _start(self, slopes: list[int], cells: dict[int, int]) -> Walk:
        moves = Moves(self._core.latch_at)
        return Walk(list(self._registers), list(slopes), cells, self._fetch, moves)

    def _growth(self, walk: Walk) -> tuple[list[int], dict[int, int]]:
        """What a walk adds to registers and to cells."""
        slopes = [(now - then) & M for then, now in zip(self._registers, walk.r, strict=True)]
        slopes[PC] = 0
        cells = {}
        for address, (value, _) in walk.first.items():
            growth = walk.cells[address][1] - value & M
            if growth:
                cells[address] = growth
        return slopes, cells

    def _expect(self, walk: Walk, slopes: list[int]) -> None:
        """Raises NotLinear unless a walk adds what it assumed to grow."""
        for number in range(15):
            grown = self._registers[number] + slopes[number] & M
            if walk.s[number] != slopes[number] or walk.r[number] != grown:
                raise NotLinear("growth that changes")
        for address, (value, slope) in walk.first.items():
            size, now, growth = walk.cells[address]
            if not size or growth != slope or (now - value - slope) & M:
                raise NotLinear("growth that changes")

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

    def _walk(
        self,
        walk: Walk,
        after: Sequence[Step] | None,
        pc: int,
        tour: Tour | None = None,
        base: int = 0,
    ) -> _Round:
        """From where the interrupt comes, at cycle ``base``; None ``after``: until WFI."""
        tour = tour or self.tours[0]
        made, sp = _Round(walk, pc), walk.r[SP]
        self._enter(made, tour)
        _run(tour.handler, walk, base)
        if walk.s[SP] or walk.r[SP] != made.frame:
            raise NotLinear("a handler that moves the stack")
        if walk.cells[made.frame + 24][0] or walk.cells[made.frame + 28][0]:
            raise NotLinear("a handler that returns elsewhere")
        for place, number in enumerate(_STACKED):
            walk.r[number], walk.s[number] = walk.load(made.frame + 4 * place, 4)
        walk.r[SP] = sp
        walk.nz, walk.c, walk.v = made.flags
        if after is None:
            _run(tour.steps, walk, base)
        else:
            for step in after:
                step(walk)
        return made

    def _enter(self, made: _Round, tour: Tour) -> None:
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
        walk.r[SP], walk.r[LR], walk.s[LR] = made.frame, tour.link, 0


def _run(path: Path, walk: Walk, base: int) -> None:
    moves = walk.moves
    for step, into in path:
        if moves is not None:
            moves.cycle = base + into
        step(walk)


def _compile(blocks: Sequence[Block], target: int | None, begin: int) -> Path | None:
    """A path from cycle ``begin`` on that goes on at ``target``, or ends in WFI.

    None when it holds an instruction that has no step.
    """
    path: list[tuple[Step, int]] = []
    targets = [*(block.address for block in blocks[1:]), target]
    cycle, before = begin, None
    try:
        for block, following in zip(blocks, targets, strict=True):
            if before is not None:
                cycle += before.branch(block)
            before = block
            size = block.size if following is not None else block.size - 2
            for offset, _, made in instructions(block, following or 0, size):
                into = cycle + block.before(block.address + offset)
                path += [(step, into) for step in made]
            cycle += block.cost
    except NotLinear:
        return None
    return tuple(path)
