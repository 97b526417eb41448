"""Going back: what was done to a board is done again to a twin of it, up to a moment before.

A machine is a function of its firmware and of what is done to it from outside, so that a record of
the latter (acts of the debugger, stimuli, how far time was let pass) holds its whole past. To go
back, a twin runs from power-on along the record. First it is watched, to find the place: the
last instruction before the present, or the last that a breakpoint or watchpoint means. Then another
runs up to that place, and the machine becomes it. What the record holds beyond is dropped, but for
stimuli, which come again at their time.

What it costs: two runs from power-on at the machine's own pace; more where the place is far from
the present. Nothing else than the record is kept: no state of the past.

Not covered: who changes the board without the machine's knowledge. A twin that arrives elsewhere
than the machine did is noticed, and nothing is changed then.
"""

from __future__ import annotations

from collections import deque
from contextlib import contextmanager
from dataclasses import dataclass
from time import monotonic
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from fwgen.errors import BenchError
from fwgen.interrupt import held
from fwgen.machine.armv7m.comparators import Break
from fwgen.machine.armv7m.state import HALTED
from fwgen.thumb.forms import is_wide
from fwgen.trace import Sleep
from fwgen.units import PS_PER_MS, PS_PER_US
from fwgen.virtual.gdb.target import Target

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator, Sequence

    from fwgen.contract import Stimulus
    from fwgen.machine.machine import Machine
    from fwgen.trace import Event

T = TypeVar("T")

MOST_ENTRIES = 1_000_000  # some 300 MB
LONGEST_S = 120.0  # of wall time, for one wish to go back
SLICE_S = 0.05  # of wall time, between two looks at whether to go on
FIRST_STEP_PS = PS_PER_MS
NEAR_PS = 20 * PS_PER_US  # before the present: where its last instruction is looked for at first
LAST_HIT_PS = PS_PER_MS  # and the last hit
FARTHER = 16  # times, where there was none
MOST_MARKS = 4096
HOLDER = "history"
EVERYWHERE = Break(0, 1 << 32, "", execute=True)
IT = 0xBF00
NOT_AGAIN = (
    "there is no way back: what happened does not happen again when the same is done, so that "
    "something else than gdb and the terminal changes this board"
)


class CannotGoBackError(BenchError):
    """There is no way back, or it takes too long; the machine stands where it stood."""


class Mark(NamedTuple):
    """A place before the instruction at ``pc``.

    It is in the run that entry ``at`` of the record is, or before the act that it is. With
    ``steps`` it is as many instructions further, at ``to``: within an IT block no time stops.
    """

    at: int
    t_ps: int
    cycle: int
    pc: int
    steps: int = 0
    to: int = 0


class Found(NamedTuple):
    """Where one came to: at the beginning of everything, or at ``hit``; neither after a step."""

    at_start: bool = False
    hit: Break | None = None


@dataclass(slots=True)
class _Act:
    """Something done to the board: ``goes`` lets the core run, ``resets`` makes a new beginning."""

    do: Callable[[Target], object]
    goes: bool = False
    resets: bool = False
    stimulus: Stimulus | None = None
    t_ps: int = 0


@dataclass(slots=True)
class _Run:
    """Time that passed up to ``until_ps``, or to where the core halted; ``end`` is where."""

    until_ps: int
    end: tuple[int, int] | None = None


class _Twin:
    """A machine on its way along the record; ``entry`` is what it does, or will do next."""

    def __init__(self, machine: Machine) -> None:
        self.machine, self.target = machine, Target(machine)
        self.entry = 0

    def act(self, do: Callable[[Target], object], *, goes: bool = False) -> _Act:
        """Do something that the record does not hold yet."""
        do(self.target)
        return _Act(do, goes)


class _Watch:
    """What a twin meets of ``breaks`` from ``since_ps`` on, before it comes to ``present``.

    EVERYWHERE is met by what a debugger does, too. ``slept_ps`` is when it fell asleep last.
    """

    def __init__(
        self, twin: _Twin, breaks: Sequence[Break], since_ps: int, present: tuple[int, int]
    ) -> None:
        self._twin, self._breaks, self.since_ps = twin, tuple(breaks), since_ps
        self._core = twin.machine.core
        self._present = present
        self.on = False
        self.marks: deque[Mark] = deque(maxlen=MOST_MARKS)
        self.hit: Break | None = None
        self.slept_ps: int | None = None
        twin.machine.listen(self._event)

    def begin(self) -> None:
        """The time has come."""
        self.on = True
        self._core.heard = self._heard
        self._core.breakpoints.set(HOLDER, self._breaks)

    def before(self, act: _Act) -> None:
        """Something is about to be done."""
        if self.on and (act.goes or act.resets) and EVERYWHERE in self._breaks:
            self._mark(self._core.now_ps, *self._twin.target.here)

    def _heard(self, pc: int, one: Break) -> None:
        if self._core.engine.clearing:  # no instruction of the firmware's
            return
        cycle = self._core.cycle_at(pc)
        if self._mark(self._core.hclk.time_of(cycle), cycle, pc):
            self.hit = one

    def _mark(self, t_ps: int, cycle: int, pc: int) -> bool:
        last = self.marks[-1] if self.marks else None
        if (cycle, pc) == self._present:
            return False
        if last is None or (cycle, pc) != (last.cycle, last.pc) or EVERYWHERE not in self._breaks:
            self.marks.append(Mark(self._twin.entry, t_ps, cycle, pc, to=pc))
        return True

    def _event(self, event: Event) -> None:
        if isinstance(event, Sleep):
            self.slept_ps = event.t_ps


class History:
    """The record of a machine that a debugger has, and the ways back along it.

    ``target`` is acted upon through ``do`` only. The machine stands as it was loaded, and nothing
    was arranged for yet. The ways back are generators: they go on for a moment at a time, and
    to give one up is to forget it. They raise CannotGoBackError.
    """

    def __init__(self, machine: Machine, target: Target) -> None:
        self._machine, self._target = machine, target
        self._entries: list[_Act | _Run] = []
        self._later: list[tuple[int, Stimulus]] = []  # what comes again, and when
        self._before: list[Mark] = []  # places right before the present that are known
        self._acting = False
        self._missing = ""  # why there is no way back
        self._give_up_at = 0.0
        if machine.core.until_ps or machine.core.cycle:
            self._missing = "the board ran before the debugger came"
        machine.witness = self

    # ------------------------------------------------------------------ the record

    def do(self, act: Callable[[Target], T], *, goes: bool = False, resets: bool = False) -> T:
        """Do something to the board."""
        self._record(_Act(act, goes, resets))
        self._acting = True
        try:
            return act(self._target)
        finally:
            self._acting = False

    def advance(self, until_ps: int) -> None:
        """Let time pass; what was done to the board in a future that was left comes again."""
        if self._acting:
            self._machine.core.advance(until_ps)
            return
        while self._later and self._later[0][0] <= until_ps:
            t_ps, stimulus = self._later[0]
            self._run(t_ps)
            if not self._target.running:
                return
            del self._later[0]
            self._machine.stimulate(stimulus)
        self._run(until_ps)

    def stimulated(self, stimulus: Stimulus) -> None:
        """Something is arranged for from outside."""
        core = self._machine.core
        t_ps = core.until_ps if self._target.running else core.now_ps
        self._record(_Act(lambda t: t.machine.stimulate(stimulus), stimulus=stimulus, t_ps=t_ps))

    def broke(self, why: str) -> None:
        """Something was done that cannot be done again."""
        self._missing = self._missing or why
        self._entries.clear()

    def _run(self, until_ps: int) -> None:
        last = self._entries[-1] if self._entries else None
        if isinstance(last, _Run):
            last.until_ps = until_ps
        else:
            self._record(_Run(until_ps))
        self._before.clear()
        self._machine.core.advance(until_ps)

    def _record(self, entry: _Act | _Run) -> None:
        if self._missing:
            return
        if len(self._entries) >= MOST_ENTRIES:
            self.broke(f"more than {MOST_ENTRIES:,} things were done to the board")
            return
        self._end()
        self._entries.append(entry)

    def _end(self) -> None:
        """The run that was last is over."""
        if self._entries and isinstance(last := self._entries[-1], _Run):
            last.end = self._target.here

    # ------------------------------------------------------------------ the ways back

    def step(self) -> Generator[None, None, Found]:
        """Back to before the instruction that ran last."""
        self._begin()
        present_ps, near_ps = _now(self._machine), NEAR_PS
        known, self._before = self._before, []
        while not known:
            watch = yield from self._watched((EVERYWHERE,), present_ps - near_ps)
            known = self._places(watch.marks)
            if near_ps >= present_ps:
                break
            near_ps *= FARTHER
            if watch.slept_ps is not None:  # asleep nothing runs, however long
                near_ps = max(near_ps, present_ps - watch.slept_ps + NEAR_PS)
        while known:
            if (yield from self._land(known.pop())):
                self._before = known
                return Found()
        yield from self._to_start()
        return Found(at_start=True)

    def resume(self) -> Generator[None, None, Found]:
        """Back to before the last instruction that a breakpoint or watchpoint of now means."""
        self._begin()
        self._before = []
        breaks = list(dict.fromkeys(one._replace(why="") for one in self._target.breaks.values()))
        present_ps, near_ps = _now(self._machine), LAST_HIT_PS
        while breaks:
            watch = yield from self._watched(breaks, present_ps - near_ps)
            if watch.marks:
                yield from self._land_at_hit(watch.marks[-1])
                return Found(hit=watch.hit)
            if near_ps >= present_ps:
                break
            near_ps *= FARTHER
        yield from self._to_start()
        return Found(at_start=True)

    def _begin(self) -> None:
        self._give_up_at = monotonic() + LONGEST_S
        if self._missing:
            raise CannotGoBackError(f"there is no way back: {self._missing}")
        self._end()

    def _watched(self, breaks: Sequence[Break], since_ps: int) -> Generator[None, None, _Watch]:
        """What met ``breaks`` from a time on, before the present."""
        with self._twin() as twin:
            watch = _Watch(twin, breaks, since_ps, self._target.here)
            yield from self._along(twin, len(self._entries), watch)
            return watch

    def _places(self, marks: Iterable[Mark]) -> list[Mark]:
        """All places before the present, those within IT blocks, too, in the order of time."""
        made: list[Mark] = []
        block: list[int] = []  # the instructions of the IT block that is run
        for mark in marks:
            if mark.pc in block:
                if isinstance(self._entries[mark.at], _Act):
                    _cut(made, block, mark.pc)
                    made.append(mark)
                continue
            block = self._it_block(mark.pc)
            made.append(mark)
            made += [mark._replace(steps=n + 1, to=pc) for n, pc in enumerate(block)]
        _cut(made, block, self._target.here[1])
        return made

    def _it_block(self, pc: int) -> list[int]:
        """The addresses of the instructions that an IT at ``pc`` holds."""
        memory = self._machine.core.memory
        first = int.from_bytes(memory.read(pc, 2) or b"", "little")
        if first & 0xFF00 != IT or not first & 15:
            return []
        made, at = [], pc + 2
        for _ in range(4 - ((first & -first).bit_length() - 1)):
            made.append(at)
            at += 4 if is_wide(int.from_bytes(memory.read(at, 2) or b"", "little")) else 2
        return made

    def _land_at_hit(self, mark: Mark) -> Iterator[None]:
        if (yield from self._land(mark)):
            return
        # Within an IT block: which one, and how far in?
        watch = yield from self._watched((EVERYWHERE,), mark.t_ps - NEAR_PS)
        places = [one for one in self._places(watch.marks) if one.cycle <= mark.cycle]
        if places and places[-1].steps:
            within = [one for one in places if one.at == places[-1].at and one.to == mark.pc]
            if within and (yield from self._land(within[-1])):
                return
        raise CannotGoBackError(NOT_AGAIN)

    def _land(self, mark: Mark) -> Generator[None, None, bool]:
        """Go there and stay; False where the way does not lead there."""
        with self._twin() as twin:
            made: list[_Act | _Run] = []
            end = self._launch(mark.at)
            yield from self._along(twin, end)
            if twin.target.here != (mark.cycle, mark.pc) and isinstance(
                self._entries[mark.at], _Run
            ):
                end = mark.at
                yield from self._along(twin, end)
                yield from self._pass(twin, mark.t_ps)
                made.append(_Run(mark.t_ps, twin.target.here))
            place = mark.cycle, mark.pc
            apart = twin.target.here != place
            if apart and twin.target.here[0] != mark.cycle:
                return False
            if apart or mark.steps:
                made.append(twin.act(Target.halt))
            if (
                apart
            ):  # an IT that is folded takes no time: where time stops is before its neighbour
                made += _step(twin)
            if twin.target.here != place:
                return False
            for _ in range(mark.steps):
                made += _step(twin)
            if twin.target.here[1] != mark.to:
                return False
            self._stay(twin, end, made)
            return True

    def _launch(self, at: int) -> int:
        """The act that let a run go, where nothing ran since; else the run itself."""
        before = at - 1
        while before >= 0 and isinstance(one := self._entries[before], _Act):
            if one.goes:
                return before
            before -= 1
        return at

    def _to_start(self) -> Iterator[None]:
        """To before the core first ran."""
        first = next(
            (n for n, one in enumerate(self._entries) if isinstance(one, _Act) and one.goes), None
        )
        if first is not None:
            with self._twin() as twin:
                yield from self._along(twin, first)
                self._stay(twin, first, [])

    def _stay(self, twin: _Twin, end: int, made: list[_Act | _Run]) -> None:
        """Be where a twin is, after entry ``end`` and what was ``made`` then."""
        dropped = self._entries[end:]
        self._later = [
            *((one.t_ps, one.stimulus) for one in dropped
              if isinstance(one, _Act) and one.stimulus is not None),
            *self._later,
        ]  # fmt: skip
        self._entries[end:] = made
        breaks = self._target.breaks
        self._machine.become(twin.machine)
        self.do(lambda target: target.stand(breaks))

    # ------------------------------------------------------------------ along the record

    @contextmanager
    def _twin(self) -> Iterator[_Twin]:
        machine = self._machine.twin()
        try:
            yield _Twin(machine)
        finally:
            machine.close()

    def _along(self, twin: _Twin, end: int, watch: _Watch | None = None) -> Iterator[None]:
        """Do all up to entry ``end``. Raises CannotGoBackError where it comes out otherwise."""
        while twin.entry < end:
            entry = self._entries[twin.entry]
            if watch is not None and not watch.on:
                if watch.since_ps <= 0:
                    watch.begin()
                elif isinstance(entry, _Run) and entry.until_ps >= watch.since_ps:
                    yield from self._pass(twin, watch.since_ps)
                    watch.begin()
            if isinstance(entry, _Act):
                if watch is not None:
                    watch.before(entry)
                entry.do(twin.target)
            else:
                yield from self._pass(twin, entry.until_ps)
                if twin.target.here != entry.end:
                    raise CannotGoBackError(NOT_AGAIN)
            twin.entry += 1

    def _pass(self, twin: _Twin, until_ps: int) -> Iterator[None]:
        """Let time pass for a twin, in pieces that are short on the wall."""
        core, step_ps = twin.machine.core, FIRST_STEP_PS
        while True:
            began = monotonic()
            if began > self._give_up_at:
                raise CannotGoBackError(
                    f"that is too far back: the way there takes more than {LONGEST_S:g} s"
                )
            to_ps = _now(twin.machine) + step_ps
            with held():
                core.advance(min(until_ps, to_ps))
            if core.hold == HALTED or to_ps >= until_ps:
                return
            step_ps = step_ps * 2 if monotonic() - began < SLICE_S else max(step_ps // 2, 1)
            yield


def _step(twin: _Twin) -> list[_Act | _Run]:
    """One instruction further."""
    step = twin.act(Target.step, goes=True)
    until_ps = _now(twin.machine) + 1
    twin.machine.core.advance(until_ps)
    return [step, _Run(until_ps, twin.target.here), twin.act(Target.stood)]


def _now(machine: Machine) -> int:
    """The time, also while no clock tells it."""
    return max(machine.core.now_ps, machine.soc.scheduler.now_ps)


def _cut(places: list[Mark], block: Sequence[int], pc: int) -> None:
    """One did not come beyond ``pc``, which is within the IT block that was run last."""
    while pc in block and places and places[-1].steps and places[-1].to >= pc:
        places.pop()
