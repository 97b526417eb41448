"""Going back in time: each state that was seen on the way is met again on the way back, exactly."""

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
from tests.virtual.test_gdb import TICKS as SLEEPS

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
    "naps": (SLEEPS, {15: "tick"}),
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


def differences(one: State, other: State) -> list[object]:
    """What is not the same in two states."""
    found: list[object] = []
    for here, there in zip(one, other, strict=True):
        if isinstance(here, list) and isinstance(there, list):
            found += [pair for pair in zip(here, there, strict=True) if pair[0] != pair[1]]
        elif here != there:
            found.append((here, there))
    return found


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
        assert not differences(it.state, expected), number
    assert it.back() == Found(at_start=True)
    assert not differences(it.state, seen[0])


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
            assert not differences(it.state, truth[place]), place
        else:
            assert kind == "ticks", place
            assert 14 <= it.pc - it.labels["work"] < 20, "time does not stop in an IT block"
    left_out = [p for p, ran in zip(places, executed, strict=True) if ran and p not in met]
    left_out = [place for place in left_out if place >= met[-1]]
    assert not left_out
    assert len(met) >= 14
    assert free.machine.soc.recorder.events


def test_going_on_from_the_past_comes_to_the_same_present(bench: Callable[[str], Bench]) -> None:
    """What was typed comes again, at its time; what the debugger did, does not."""
    it = bench("echo")
    it.do(Target.stood)
    it.history.do(Target.resume, goes=True)
    it.machine.advance(30 * PS_PER_US)
    it.machine.stimulate(Send("console", 35 * PS_PER_US, b"x"))
    it.machine.stimulate(Press("B1", 40 * PS_PER_US, 10 * PS_PER_US))
    it.machine.advance(200 * PS_PER_US)
    it.do(Target.halt)
    present, events = it.state, it.machine.trace().events
    it.do(lambda t: t.write_memory(0x2000_0200, b"gone"))
    for _ in range(60):  # beyond the moment at which they were typed
        it.back()
    assert it.machine.core.now_ps < 30 * PS_PER_US
    it.go(200 * PS_PER_US)
    assert it.machine.trace().events == events
    assert not differences(it.state, present)


def test_reverse_continue_finds_the_last_hit_before_the_present_then_the_one_before_that(
    bench: Callable[[str], Bench],
) -> None:
    it = bench("ticks")
    handler, work = it.labels["tick"] + 2, it.labels["work"]
    it.do(lambda t: t.set_break(1, handler, 2))
    hits = []
    it.go(1 << 60)
    hits.append(it.state)
    for _ in range(3):
        it.on()
        hits.append(it.state)
    for number, expected in enumerate(reversed(hits[:-1])):
        found = it.back_to_hit()
        assert found.hit is not None, number
        assert not differences(it.state, expected), number
    assert it.back_to_hit() == Found(at_start=True)
    assert it.machine.core.cycle == 0
    assert it.back_to_hit() == Found(at_start=True), "and again"
    assert it.back() == Found(at_start=True)
    # Forward again, to a break that is set only now; the one of then is still set.
    it.do(lambda t: t.set_break(1, work, 2))
    it.go(1 << 60)
    assert it.pc == work


def test_a_hit_is_found_however_long_ago_it_was(bench: Callable[[str], Bench]) -> None:
    it = bench("naps")
    it.go(300 * PS_PER_MS)
    it.do(lambda t: t.set_break(1, it.labels["start"] + 8, 2))
    found = it.back_to_hit()
    assert found.hit is not None
    assert it.pc == it.labels["start"] + 8
    assert it.machine.core.now_ps < PS_PER_US


@pytest.mark.parametrize(
    ("kind", "address"), [(2, 0x2000_0104), (2, 0x2000_0102), (4, 0x2000_0104)]
)
def test_a_watchpoint_backwards_finds_the_write_that_made_the_value(
    bench: Callable[[str], Bench], kind: int, address: int
) -> None:
    it = bench("ticks")
    it.go(410 * PS_PER_US)  # eight ticks
    assert it.machine.core.memory.word(0x2000_0104) == 8
    it.do(lambda t: t.set_break(kind, address, 4))
    for before in (7, 6, 5):
        found = it.back_to_hit()
        assert found.hit is not None
        if address == 0x2000_0102:  # which the main program writes to, too
            assert it.pc in (it.labels["work"] + 6, it.labels["tick"] + 10)
            continue
        assert it.machine.core.memory.word(0x2000_0104) == before, "the write is undone"
        assert it.register(5) == before + 1
        assert it.pc == it.labels["tick"] + 10


def test_a_watchpoint_on_a_peripheral_is_found_backwards(bench: Callable[[str], Bench]) -> None:
    it = bench("echo")
    it.machine.stimulate(Send("console", 25 * PS_PER_US, b"a"))
    it.go(300 * PS_PER_US)
    it.do(lambda t: t.set_break(2, 0x4000_4404, 4))
    found = it.back_to_hit()
    assert found.hit is not None
    assert it.pc == it.labels["heard"] + 12
    assert it.register(1) == ord("a")


def test_a_breakpoint_within_an_it_block_is_found_backwards(bench: Callable[[str], Bench]) -> None:
    it = bench("ticks")
    it.go(20 * PS_PER_US)
    it.do(lambda t: t.set_break(1, it.labels["work"] + 16, 2))
    assert it.back_to_hit().hit is not None
    assert it.pc == it.labels["work"] + 16
    assert it.register(3) == 1, "its condition holds"


def test_one_goes_back_across_a_reset(bench: Callable[[str], Bench]) -> None:
    it = bench("ticks")
    it.go(60 * PS_PER_US)
    before = it.state
    it.history.do(Target.reset, resets=True)
    it.step()
    assert it.back() == Found()
    assert it.pc == it.labels["start"]
    assert it.back() == Found()
    assert not differences(it.state, before)


def test_back_from_a_fault_that_was_caught_is_what_faulted(bench: Callable[[str], Bench]) -> None:
    it = bench("faults")
    it.do(lambda t: t.machine.core.debugger.write(0xE000EDFC, 4, 0x7F0))
    it.go(1 << 60)
    assert it.target.reason() == (11, "")
    assert it.pc == it.labels["hard"]
    assert it.back() == Found()
    assert it.pc == it.labels["hard"] - 4, "the load; a branch of two bytes is behind it"
    assert it.register(0) == 0x6000_0000
    assert it.target.reason() == (5, "")
    it.step()
    assert it.pc == it.labels["hard"]


def test_back_from_an_interrupted_sleep_is_the_instruction_that_began_it(
    bench: Callable[[str], Bench],
) -> None:
    it = bench("naps")
    it.go(2500 * PS_PER_US)
    assert it.machine.core.now_ps >= 2500 * PS_PER_US
    assert it.back() == Found()
    assert it.pc == it.labels["nap"]
    assert it.machine.core.now_ps < 2010 * PS_PER_US


def test_what_the_debugger_changed_is_undone_by_going_back_beyond(
    bench: Callable[[str], Bench],
) -> None:
    it = bench("ticks")
    it.step()
    it.step()
    clean = it.state
    it.do(lambda t: t.write_memory(0x2000_0000, b"\x12\x34"))
    it.do(lambda t: t.machine.core.debug.set_register(2, 77))
    changed = it.state
    it.step()
    assert it.back() == Found()
    assert not differences(it.state, changed), "what was changed there led to what came then"
    it.back()
    it.step()
    assert not differences(it.state, clean)


def test_a_board_that_somebody_else_changes_is_refused_and_stands_where_it_stood(
    bench: Callable[[str], Bench],
) -> None:
    it = bench("ticks")
    it.go(60 * PS_PER_US)
    it.machine.core.exceptions.pend(15, it.machine.core.now_ps)  # past the record
    it.go(70 * PS_PER_US)
    stood = it.state
    with pytest.raises(CannotGoBackError, match="something else than gdb and the terminal"):
        it.back()
    assert not differences(it.state, stood)


def test_what_cannot_be_done_again_is_told(bench: Callable[[str], Bench]) -> None:
    it = bench("ticks")
    it.step()
    it.machine.power_cycle()
    with pytest.raises(CannotGoBackError, match="the power was off"):
        it.back()


def test_a_way_that_takes_too_long_is_not_gone(
    bench: Callable[[str], Bench], monkeypatch: pytest.MonkeyPatch
) -> None:
    it = bench("ticks")
    it.go(60 * PS_PER_US)
    stood = it.state
    monkeypatch.setattr("fwgen.virtual.gdb.history.LONGEST_S", -1.0)
    with pytest.raises(CannotGoBackError, match="too far back"):
        it.back()
    assert not differences(it.state, stood)


def test_a_record_that_is_too_long_is_given_up(
    bench: Callable[[str], Bench], monkeypatch: pytest.MonkeyPatch
) -> None:
    it = bench("ticks")
    monkeypatch.setattr("fwgen.virtual.gdb.history.MOST_ENTRIES", 20)
    for _ in range(8):
        it.step()
    with pytest.raises(CannotGoBackError, match="more than 20 things"):
        it.back()


def test_a_watchpoint_that_halts_costs_the_firmware_no_time(bench: Callable[[str], Bench]) -> None:
    plain, watched = bench("ticks"), bench("ticks")
    watched.do(lambda t: t.set_break(2, 0x2000_0100, 4))
    places = set()
    while plain.machine.core.now_ps < 9 * PS_PER_US:
        plain.step()
        places.add(plain.target.here)
    hits = 0
    while watched.machine.core.now_ps < 7 * PS_PER_US:
        watched.go(1 << 60)
        assert watched.target.here in places
        hits += 1
    assert hits > 5
