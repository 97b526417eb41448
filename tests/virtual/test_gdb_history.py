"""Going back in time: every state that was seen on the way is met again, exactly, on the way back."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from fwgen.board import load_board
from fwgen.contract import Press, Send
from fwgen.machine.machine import Machine
from fwgen.units import PS_PER_MS, PS_PER_US
from fwgen.virtual.gdb.history import CannotGoBackError, Found, History
from fwgen.virtual.gdb.target import Target
from tests.machine.core.firmware import GPIOA, firmware

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from fwgen.image.types import Image

    State = tuple[object, ...]

TICKS = """
    start: ldr r0, =0xe000e010
        ldr r1, =799
        str r1, [r0, #4]
        movs r1, #7
        str r1, [r0, #0]
        movs r4, #0
        ldr r6, =0x20000100
    work: adds r4, #1
        muls r7, r4
        eors r7, r4
        str r7, [r6, #0]
        ands r3, r4, #3
        cmp r3, #1
        ite eq
        addeq r2, r2, #3
        subne r2, r2, #1
        cmp r3, #2
        bne work
        lsrs r3, r7, #3
        b work
    tick: adds r5, #1
        ldr r1, =0x20000104
        str r5, [r1, #0]
        bx lr
"""
"""Computes, with IT blocks, while SysTick interrupts every 50 us."""
NAPS = """
    start: ldr r0, =0xe000e010
        ldr r1, =15999
        str r1, [r0, #4]
        movs r1, #7
        str r1, [r0, #0]
        movs r4, #0
    nap: wfi
        adds r4, #1
        b nap
    tick: adds r5, #1
        bx lr
"""
"""Sleeps for a millisecond at a time."""
ECHO = f"""
    start: {GPIOA}
        ldr r0, =0x40023840
        ldr r1, [r0, #0]
        ldr r2, =0x20000
        orrs r1, r2
        str r1, [r0, #0]
        nop
        nop
        ldr r0, =0x40020000
        ldr r1, [r0, #0]
        ldr r2, =0xa0
        orrs r1, r2
        str r1, [r0, #0]
        ldr r1, =0x7700
        str r1, [r0, #32]
        ldr r0, =0x40004400
        movs r1, #139
        str r1, [r0, #8]
        ldr r1, =0x202c
        str r1, [r0, #12]
        ldr r2, =0xe000e104
        movs r1, #64
        str r1, [r2, #0]
    rest: wfi
        adds r4, #1
        b rest
    heard: ldr r2, =0x40004400
        ldr r3, [r2, #0]
        ldr r1, [r2, #4]
        str r1, [r2, #4]
        adds r5, #1
        bx lr
"""
"""USART2 by interrupt: what comes is sent back."""
FAULTS = """
    start: adds r4, #1
        ldr r0, =0x60000000
        ldr r1, [r0, #0]
        b start
    hard: adds r5, #1
        ldr r0, =0xe000ed0c
        ldr r1, =0x05fa0004
        str r1, [r0, #0]
        dsb
    stay: b stay
"""
"""A bus fault, whose handler resets the chip: over and over."""
KINDS: dict[str, tuple[str, dict[int, str]]] = {
    "ticks": (TICKS, {15: "tick"}),
    "naps": (NAPS, {15: "tick"}),
    "echo": (ECHO, {16 + 38: "heard"}),
    "faults": (FAULTS, {3: "hard"}),
}


WHY_IT_STANDS = (("DCB", "DHCSR"), ("DCB", "DEMCR"), ("SCB", "DFSR"))


class Bench:
    """A machine that a debugger has, without the wire between."""

    def __init__(self, kind: str) -> None:
        self.image: Image = firmware(*KINDS[kind])
        self.labels = {one.name: one.address & ~1 for one in self.image.symbols}
        self.machine = Machine(load_board("nucleo-f401"), patience_s=None)
        self.machine.load(self.image)
        self.target = Target(self.machine)
        self.history = History(self.machine, self.target)
        self.history.do(Target.attach)
        self.do(lambda t: t.machine.core.debugger.write(0xE000EDFC, 4, 0))  # catch no faults

    def do(self, act: Callable[[Target], object]) -> None:
        self.history.do(act)

    def step(self) -> None:
        self.history.do(Target.step, goes=True)
        while self.target.running:
            self.machine.advance(self.machine.core.now_ps + 10 * PS_PER_MS)
        self.history.do(Target.stood)

    def go(self, until_ps: int) -> None:
        """Run to a break, or to a time: then as by Ctrl-C."""
        self.history.do(Target.resume, goes=True)
        while self.target.running and self.machine.core.now_ps < until_ps:
            self.machine.advance(min(until_ps, self.machine.core.now_ps + 7 * PS_PER_US * 100))
        if self.target.running:
            self.history.do(Target.halt)
        self.history.do(Target.stood)

    def on(self) -> None:
        """Over the break where it stands, and on to the next."""
        breaks = self.target.breaks
        for one in breaks:
            self.history.do(lambda t, one=one: t.clear_break(*one))
        self.step()
        for one in breaks:
            self.history.do(lambda t, one=one: t.set_break(*one))
        self.go(1 << 60)

    def back(self) -> Found:
        return done(self.history.step())

    def back_to_hit(self) -> Found:
        return done(self.history.resume())

    @property
    def pc(self) -> int:
        return self.machine.core.next_pc

    @property
    def state(self) -> State:
        return state(self.machine)

    def register(self, number: int) -> int:
        return self.machine.core.debug.register(number)


def done(way: Generator[None, None, Found]) -> Found:
    while True:
        try:
            next(way)
        except StopIteration as there:
            found: Found = there.value
            return found


def state(machine: Machine) -> State:
    """All that there is to see of a machine."""
    core, soc = machine.core, machine.soc
    registers = tuple(core.debug.register(n) for n in (*range(19), 20, 33, *range(64, 96)))
    chip = {
        (one.name, name): held.value
        for one in soc.peripherals.values()
        for name, held in one.states.items()
        if (one.name, name) not in WHY_IT_STANDS
    }
    pads = {name: pad.level for name, pad in soc.fabric.pads.items()}
    pending = (core.exceptions.pending, core.exceptions.active)
    ram = core.memory.read(0x2000_0000, 0x18000)
    clock = core.systick._value(core.systick._tick(core.now_ps))
    return (core.now_ps, core.cycle, core.awake_cycles, registers, ram, sorted(chip.items()),
            pads, pending, clock, tuple(soc.recorder.events))  # fmt: skip


def same(one: State, other: State) -> bool:
    """Whether two states are; if not, the first difference is shown."""
    for number, (here, there) in enumerate(zip(one, other, strict=True)):
        if here != there and isinstance(here, list) and isinstance(there, list):
            print(number, [pair for pair in zip(here, there, strict=True) if pair[0] != pair[1]])
        elif here != there:
            print(number, here, there)
    return one == other


@pytest.fixture
def bench() -> Generator[Callable[[str], Bench], None, None]:
    made: list[Bench] = []

    def make(kind: str) -> Bench:
        made.append(Bench(kind))
        return made[-1]

    yield make
    for one in made:
        one.machine.close()


def test_stepping_back_meets_every_state_that_stepping_met(bench: Callable[[str], Bench]) -> None:
    it = bench("ticks")
    seen = []
    for _ in range(40):  # IT blocks are among them
        seen.append(it.state)
        it.step()
    for number, expected in enumerate(reversed(seen)):
        assert it.back() == Found(), number
        assert same(it.state, expected), number
    assert it.back() == Found(at_start=True)
    assert same(it.state, seen[0])


SPANS = {
    "ticks": 102 * PS_PER_US, "naps": 2001 * PS_PER_US, "echo": 210 * PS_PER_US,
    "faults": 30 * PS_PER_US,
}  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_stepping_back_from_a_run_meets_every_instruction_of_it(
    bench: Callable[[str], Bench], kind: str
) -> None:
    """Interrupts, sleep, bytes on the port, faults and resets: held against a run in slices."""
    free = bench(kind)
    truth: dict[tuple[int, int], State] = {}
    places: list[tuple[int, int]] = []
    executed: list[bool] = []
    bytes_in = Send("console", 25 * PS_PER_US, b"ab")
    free.machine.stimulate(bytes_in)
    free.do(Target.resume)
    core = free.machine.core
    while core.now_ps < SPANS[kind]:
        if core.asleep:
            core_due = min(free.machine.soc.scheduler.next_ps, SPANS[kind])
            free.machine.advance(max(core_due, core.now_ps + 1))
            continue
        places.append((core.cycle, core.next_pc))
        truth[places[-1]] = free.state
        active = core.exceptions.active
        free.machine.advance(core.now_ps + 1)
        # Not where a handler was entered instead.
        executed.append(not core.exceptions.active & ~active)
    it = bench(kind)
    it.machine.stimulate(bytes_in)
    it.go(SPANS[kind])
    assert it.target.here[0] == core.cycle
    met = []
    for _ in range(70):
        if it.back().at_start:
            break
        place = it.target.here
        met.append(place)
        if place in truth:
            assert same(it.state, truth[place]), place
        else:
            assert kind == "ticks", place
            assert 14 < it.pc - it.labels["work"] < 20, "time does not stop within an IT block"
    left_out = [p for p, ran in zip(places, executed, strict=True) if ran and p not in met]
    left_out = [place for place in left_out if place >= met[-1]]
    assert not left_out
    assert len(met) >= 14
    assert free.machine.soc.recorder.events
