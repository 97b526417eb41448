"""The lazy timer against one that counts tick by tick, on random programs of register writes."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise

from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.machine.stm32.alone import MHZ, Requests, Wire, soc_with

TICK = 1_000_000  # picoseconds: the kernel runs at 1 MHz
MASK = 0x3F  # a short counter, so that overruns of ARR come round in a test
CEN, UDIS, URS, OPM, DIR, CMS, ARPE = 1, 2, 4, 8, 16, 0x60, 0x80
CHANNELS = (0, 1)


@dataclass
class Ticking:
    """One step per kernel tick, written from the manual's prose and nothing else."""

    cr1: int = 0
    psc: int = 0
    arr: int = MASK
    ccr: list[int] = field(default_factory=lambda: [0, 0])
    modes: list[int] = field(default_factory=lambda: [0, 0])
    preload: list[bool] = field(default_factory=lambda: [False, False])
    rcr: int = 0
    sr: int = 0
    cnt: int = 0
    down: bool = False
    pre: int = 0
    rep: int = 0
    waits: int = 0
    ref: list[int] = field(default_factory=lambda: [0, 0])

    def __post_init__(self) -> None:
        self.psc_acts, self.arr_acts, self.ccr_acts = self.psc, self.arr, list(self.ccr)

    def tick(self) -> None:
        if not self.cr1 & CEN:
            return
        if self.waits:
            self.waits -= 1
            return
        self.pre += 1
        if self.pre > self.psc_acts:
            self.pre = 0
            self.clock()

    def clock(self) -> None:
        if self.arr_acts == 0:
            return
        centre = self.cr1 & CMS
        if centre and not self.down and self.cnt == self.arr_acts - 1:
            self.boundary(over=True)
            self.cnt, self.down, end = self.arr_acts, True, True
        elif centre and self.down and self.cnt == 1:
            self.boundary(over=False)
            self.cnt, self.down, end = 0, False, True
        elif not centre and not self.down and self.cnt == self.arr_acts:
            self.boundary(over=True)
            self.cnt, end = 0, True
        elif not centre and self.down and self.cnt == 0:
            self.boundary(over=True)
            self.cnt, end = self.arr_acts, True
        else:
            end = not self.down and self.cnt == MASK
            self.cnt = (self.cnt + (-1 if self.down else 1)) & MASK
        self.compare(end=end)

    def boundary(self, *, over: bool) -> None:
        for i in CHANNELS:
            if over and self.ccr_acts[i] > self.arr_acts:
                self.sr |= 2 << i
        if self.rep:
            self.rep -= 1
        else:
            self.update(flag=True)

    def update(self, *, flag: bool) -> None:
        self.rep = self.rcr
        if self.cr1 & UDIS:
            return
        self.psc_acts, self.arr_acts, self.ccr_acts = self.psc, self.arr, list(self.ccr)
        if flag:
            self.sr |= 1
        if self.cr1 & OPM:
            self.cr1 &= ~CEN

    def compare(self, *, end: bool) -> None:
        for i in CHANNELS:
            if self.cnt != self.ccr_acts[i]:
                continue
            cms = (self.cr1 & CMS) >> 5
            if cms == 0 or cms == 3 or end or (cms == 1) == self.down:
                self.sr |= 2 << i
            if self.modes[i] == 3:
                self.ref[i] ^= 1
            elif self.modes[i] in (1, 2):
                self.ref[i] = int(self.modes[i] == 1)

    def level(self, i: int) -> int:
        mode = self.modes[i]
        if mode in (4, 5):
            return mode - 4
        if mode in (6, 7):
            below = self.cnt <= self.ccr_acts[i] if self.down else self.cnt < self.ccr_acts[i]
            return int(below) ^ (mode == 7)
        return self.ref[i]

    def turn_if_at_an_end(self) -> None:
        if self.cr1 & CMS and self.arr_acts:
            if self.cnt == 0 and self.down:
                self.down = False
            elif self.cnt == self.arr_acts and not self.down:
                self.down = True

    def write(self, register: str, value: int) -> None:
        if register == "CR1":
            if value & CEN and not self.cr1 & CEN:
                self.waits = 1
            if not value & CMS and not self.cr1 & CMS:
                self.down = bool(value & DIR)
            elif not value & CMS:
                value = value & ~DIR | (DIR if self.down else 0)
            self.cr1 = value
            if not value & ARPE:
                self.arr_acts = self.arr
        elif register == "PSC":
            self.psc = value
        elif register == "ARR":
            self.arr = value
            if not self.cr1 & ARPE:
                self.arr_acts = value
        elif register == "RCR":
            self.rcr = value
        elif register in ("CCR1", "CCR2"):
            i = int(register[3]) - 1
            self.ccr[i] = value
            if not self.preload[i]:
                self.ccr_acts[i] = value
        elif register == "CNT":
            self.cnt = value
        elif register == "SR":
            self.sr &= value
        elif register == "EGR":
            self.update(flag=not self.cr1 & URS)
            self.pre = 0
            if self.cr1 & CMS:
                self.down = False
            self.cnt = self.arr_acts if self.down else 0
            self.compare(end=True)
        elif register == "CCMR1":
            for i in CHANNELS:
                byte = value >> 8 * i
                if byte >> 4 & 7 != self.modes[i]:
                    self.ref[i] = self.level(i)
                self.modes[i] = byte >> 4 & 7
                self.preload[i] = bool(byte & 8)
                if not self.preload[i]:
                    self.ccr_acts[i] = self.ccr[i]
        self.turn_if_at_an_end()


SMALL = st.integers(0, 9)
COUNT = st.one_of(SMALL, st.integers(0, MASK))
BYTE = st.builds(lambda mode, pre: mode << 4 | pre << 3, st.integers(0, 7), st.integers(0, 1))
CONTROL = st.builds(
    lambda bits, cms: bits | cms << 5,
    st.sampled_from([CEN, CEN | ARPE, CEN | DIR, CEN | DIR | ARPE, CEN | OPM, CEN | UDIS, 0, URS]),
    st.sampled_from([0, 0, 0, 1, 2, 3]),
)
WRITE = st.one_of(
    st.tuples(st.just("CR1"), CONTROL),
    st.tuples(st.just("PSC"), st.integers(0, 3)),
    st.tuples(st.just("ARR"), COUNT),
    st.tuples(st.sampled_from(["CCR1", "CCR2"]), COUNT),
    st.tuples(st.just("CNT"), COUNT),
    st.tuples(st.just("EGR"), st.just(1)),
    st.tuples(st.just("SR"), st.integers(0, 7)),
    st.tuples(st.just("RCR"), st.integers(0, 3)),
    st.tuples(st.just("CCMR1"), st.builds(lambda a, b: a | b << 8, BYTE, BYTE)),
)
PROGRAM = st.lists(
    st.tuples(st.one_of(st.integers(0, 12), st.integers(0, 150)), WRITE), min_size=1, max_size=14
)


@settings(max_examples=150, deadline=None)
@given(program=PROGRAM, listens=st.booleans(), dier=st.integers(0, 7))
@example(
    program=[(0, ("ARR", 7)), (0, ("CCR1", 3)), (0, ("CCMR1", 0x68)), (0, ("EGR", 1)),
             (0, ("CR1", 1)), (40, ("CCR1", 5)), (40, ("ARR", 2))],
    listens=False, dier=0,
)  # fmt: skip
def test_lazy_timer_equals_ticking_timer(
    program: list[tuple[int, tuple[str, int]]], listens: bool, dier: int
) -> None:
    soc = soc_with("TIM1", hz=MHZ)
    soc.peripherals["TIM1"]._counter.mask = MASK
    slow = Ticking()
    requests = Requests(soc)
    outputs = [soc.fabric.output(f"TIM1_CH{i + 1}") for i in CHANNELS]
    wires = [Wire(soc, s.name) for s in outputs] if listens else []
    soc.write("TIM1", "ARR", MASK)
    soc.write("TIM1", "BDTR", 0x8000)
    soc.write("TIM1", "CCER", 0x11)
    soc.write("TIM1", "DIER", dier)
    levels: list[list[int]] = []
    tick = 0
    for wait, (register, value) in [*program, (130, ("SR", 7))]:
        for _ in range(wait):
            tick += 1
            slow.tick()
            if not listens:  # let time pass as a core does: in jumps, looking now and then
                continue
            soc.run_until(tick * TICK)
            levels.append([slow.level(i) for i in CHANNELS])
            assert [s.level(tick * TICK) for s in outputs] == levels[-1], (tick, slow)
            up = bool(slow.sr & dier & 1)
            assert soc.interrupts.level(25) == up, (tick, slow)
            assert soc.interrupts.level(27) == bool(slow.sr & dier & 6), (tick, slow)
        soc.run_until(tick * TICK)
        peeked = soc.peripherals["TIM1"].peek(0x10, 4, tick * TICK)
        assert soc.read("TIM1", "SR") & 7 == peeked.value & 7 == slow.sr & 7, (tick, slow)
        assert soc.read("TIM1", "CNT") == slow.cnt, (tick, slow)
        assert soc.read("TIM1", "CR1") & CEN == slow.cr1 & CEN, (tick, slow)
        assert [s.level(soc.now_ps) for s in outputs] == [slow.level(i) for i in CHANNELS]
        soc.write("TIM1", register, value)
        slow.write(register, value)
        assert soc.read("TIM1", "CNT") == slow.cnt, (tick, register, slow)
    for wire in wires:
        assert all(a[1] != b[1] for a, b in pairwise(wire.edges))
    assert requests.changes == sorted(requests.changes, key=lambda c: c[0])


@settings(max_examples=60, deadline=None)
@given(program=PROGRAM, register=st.sampled_from(["SR", "CNT", "CR1"]))
def test_a_peek_holds_until_it_says(
    program: list[tuple[int, tuple[str, int]]], register: str
) -> None:
    soc = soc_with("TIM1", hz=MHZ)
    tim = soc.peripherals["TIM1"]
    tim._counter.mask = MASK
    soc.write("TIM1", "ARR", MASK)
    tick = 0
    for wait, (name, value) in program:
        tick += wait
        soc.run_until(tick * TICK)
        soc.write("TIM1", name, value)
    offset = {"SR": 0x10, "CNT": 0x24, "CR1": 0}[register]
    start = tick * TICK
    value, until = tim.peek(offset, 4, start)
    for t in range(start, min(until, start + 300 * TICK), TICK):
        assert tim.peek(offset, 4, t).value == value, (t, until)
    if until < start + 300 * TICK and register != "CR1":
        changed = tim.peek(offset, 4, until).value
        reloads = tim._counter.settled and not tim._counter.opm
        assert changed != value or not reloads  # a preload may come first and change nothing
