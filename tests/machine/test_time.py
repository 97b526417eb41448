"""Virtual time: ticks are exact, keep counting through changes, and fall on common edges."""

from __future__ import annotations

from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from fwgen.machine.time import NEVER, ClockDomain, Scheduler
from fwgen.units import PS_PER_S

hertz = st.one_of(
    st.integers(1, 200_000_000),
    st.builds(Fraction, st.integers(1, 10**9), st.integers(1, 1000)),
)
times = st.integers(0, 10 * PS_PER_S)


@given(hertz, times)
def test_a_tick_is_counted_from_the_picosecond_at_which_it_comes(hz: Fraction, t: int) -> None:
    clock = ClockDomain("x")
    clock.set(hz, 0)
    tick = clock.ticks_at(t)
    assert clock.time_of(tick) <= t < clock.time_of(tick + 1)
    assert clock.ticks_at(clock.time_of(tick)) == tick


@given(hertz, times)
def test_the_next_edge_is_the_first_tick_not_before(hz: Fraction, t: int) -> None:
    clock = ClockDomain("x")
    clock.set(hz, 0)
    edge = clock.next_edge(t)
    assert edge >= t
    assert clock.time_of(clock.ticks_at(edge)) == edge
    if edge > t:
        assert clock.ticks_at(edge - 1) == clock.ticks_at(t) == clock.ticks_at(edge) - 1


@given(st.lists(st.tuples(st.one_of(st.just(0), hertz), st.integers(0, PS_PER_S)), max_size=6))
def test_counting_goes_on_without_a_jump_when_the_frequency_changes(
    changes: list[tuple[Fraction, int]],
) -> None:
    clock, t = ClockDomain("x", 1_000_000), 0
    for hz, after in changes:
        t += after
        before = clock.ticks_at(t)
        clock.set(hz, t)
        assert clock.ticks_at(t) == before


def test_a_stopped_clock_never_ticks() -> None:
    clock = ClockDomain("x", 1000)
    clock.set(0, 5 * 10**9)
    assert clock.ticks_at(10**12) == 5
    assert clock.time_of(6) == NEVER


@given(st.integers(1, 500), times, times)
def test_a_clock_that_follows_a_parent_ticks_on_the_parents_edges(
    divider: int, started: int, later: int
) -> None:
    parent, child = ClockDomain("parent"), ClockDomain("child")
    parent.set(Fraction(84_000_000, divider), 7)
    child.set(parent.hz, 7 + started, parent)
    assert child.ticks_at(7 + started) == 0
    t = 7 + started + later
    assert child.ticks_at(t) == parent.ticks_at(t) - parent.ticks_at(7 + started)
    assert child.next_edge(t) == parent.next_edge(t)


def test_a_listener_hears_a_change_once_it_holds_and_only_a_change() -> None:
    clock, heard = ClockDomain("x", 10), []
    clock.on_change(lambda t: heard.append((t, clock.hz)))
    clock.set(10, 5)
    clock.set(20, 6)
    assert heard == [(6, 20)]


@given(st.lists(st.integers(0, 100), max_size=20))
def test_calls_come_in_order_of_time_then_of_asking(asked: list[int]) -> None:
    scheduler = Scheduler()
    came: list[tuple[int, int]] = []
    for order, t in enumerate(asked):
        scheduler.at(t, lambda now, order=order: came.append((now, order)))  # type: ignore[misc]
    scheduler.catch_up(100)
    assert came == sorted((t, order) for order, t in enumerate(asked))


def test_a_cancelled_call_never_comes_and_the_next_is_told() -> None:
    scheduler, came = Scheduler(), []
    first = scheduler.at(10, came.append)
    scheduler.at(20, came.append)
    assert first.pending
    first.cancel()
    assert not first.pending
    assert scheduler.next_ps == 20
    scheduler.catch_up(50)
    assert came == [20]
    assert scheduler.next_ps == NEVER


def test_a_call_may_ask_for_another_at_the_same_time() -> None:
    scheduler, came = Scheduler(), []
    scheduler.at(10, lambda t: scheduler.at(t, came.append))
    scheduler.catch_up(10)
    assert came == [10]


def test_a_call_for_the_past_is_due_at_once() -> None:
    scheduler, came = Scheduler(), []
    scheduler.catch_up(100)
    scheduler.at(3, came.append)
    scheduler.catch_up(100)
    assert came == [100]
