"""The counter by itself: a jump is as many single steps, and what it foresees comes true."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from fwgen.machine.stm32.tim_v1.counter import CC1IF, FOREVER, UIF, Counter

WIDTH = 5
MASK = (1 << WIDTH) - 1


@st.composite
def counters(draw: st.DrawFn) -> Counter:
    counter = Counter(WIDTH, 2)
    value = st.one_of(st.integers(0, 7), st.integers(0, MASK))
    counter.centre = draw(st.sampled_from([0, 0, 1, 2, 3]))
    counter.down = draw(st.booleans())
    counter.arr = counter.arr_next = draw(value)
    counter.cnt = draw(value)
    counter.psc = counter.psc_next = draw(st.sampled_from([0, 0, 1, 4]))
    counter.pre = draw(st.integers(0, counter.psc))
    counter.rcr = draw(st.sampled_from([0, 0, 1, 2, 5]))
    counter.rep = draw(st.integers(0, counter.rcr))
    counter.udis = draw(st.sampled_from([False, False, True]))
    counter.ccr = [draw(value), draw(value)]
    counter.ccr_next = list(counter.ccr)
    counter.mode = [draw(st.integers(0, 7)), draw(st.integers(0, 7))]
    if draw(st.booleans()):  # preloads that wait
        counter.arr_next, counter.ccr_next = draw(value), [draw(value), draw(value)]
        counter.psc_next = draw(st.integers(0, 3))
    counter.opm = draw(st.sampled_from([False, False, True]))
    counter.normalise()
    return counter


def state(counter: Counter) -> dict[str, object]:
    shown = {name: getattr(counter, name) for name in Counter.__slots__}
    shown["levels"] = [counter.reference(i) for i in range(2)]
    return shown


@settings(max_examples=400, deadline=None)
@given(counter=counters(), ticks=st.one_of(st.integers(0, 40), st.integers(0, 600)))
def test_a_jump_equals_single_steps(counter: Counter, ticks: int) -> None:
    walked = counter.copy()
    for _ in range(ticks):
        walked.advance(1)
    counter.advance(ticks)
    assert state(counter) == state(walked)


@settings(max_examples=300, deadline=None)
@given(counter=counters())
def test_foreseen_flags_come_when_foreseen(counter: Counter) -> None:
    counter.psc = counter.psc_next = counter.pre = 0
    counter.arr_next, counter.ccr_next = counter.arr, list(counter.ccr)
    counter.opm = False
    foreseen = {UIF: counter.clocks_to_update()}
    foreseen |= {CC1IF << i: counter.clocks_to_flag(i) for i in range(2)}
    came: dict[int, int] = {}
    for clock in range(1, 500):
        counter.flags = 0
        counter.advance(1)
        for flag in foreseen:
            if counter.flags & flag:
                came.setdefault(flag, clock)
    assert {flag: came.get(flag, FOREVER) for flag in foreseen} == foreseen


@settings(max_examples=300, deadline=None)
@given(counter=counters(), channel=st.integers(0, 1))
def test_foreseen_changes_of_a_reference_come(counter: Counter, channel: int) -> None:
    counter.psc = counter.psc_next = counter.pre = 0
    counter.arr_next, counter.ccr_next = counter.arr, list(counter.ccr)
    counter.opm = False
    foreseen = counter.changes(channel)
    came, level = [], counter.reference(channel)
    for clock in range(1, 500):
        counter.advance(1)
        if counter.reference(channel) != level:
            level ^= 1
            came.append(clock)
    assert came[:3] == foreseen


def test_ten_to_the_fifteen_ticks_are_one_jump() -> None:
    counter = Counter(32, 4)
    counter.arr = counter.arr_next = 999
    counter.mode[0], counter.ccr[0], counter.ccr_next[0] = 3, 250, 250
    counter.advance(10**15 + 251)
    assert counter.cnt == (10**15 + 251) % 1000
    assert counter.updates == 10**12
    assert counter.ref[0] == (10**12 + 1) % 2
