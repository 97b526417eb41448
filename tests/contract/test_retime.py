"""A contract in the time of what a person did."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fwgen.contract import (
    Blinks,
    Contract,
    Drive,
    Level,
    Press,
    Quiet,
    Responds,
    Says,
    Send,
    Trigger,
    Window,
)
from fwgen.contract.retime import Timeline, readings, retimed
from fwgen.errors import ContractError
from fwgen.trace import ByHand
from fwgen.units import PS_PER_MS

MS = PS_PER_MS


def act(asked: int, until: int | None, t: int, t_until: int | None, bounce: int = 0) -> ByHand:
    return ByHand(
        t * MS, "B1", asked * MS, None if t_until is None else t_until * MS,
        None if until is None else until * MS, bounce * MS,
    )  # fmt: skip


TOGGLE = Contract(
    "toggle", "nucleo-f401", 3000 * MS,
    (Press("B1", 700 * MS, 440 * MS, 4 * MS), Press("B1", 1600 * MS, 200 * MS),
     Drive("D2", 2000 * MS, 1), Send("console", 1300 * MS, b"x")),
    (
        Level("LD2", 0, window=Window(10 * MS, 700 * MS)),
        Level("LD2", 1, window=Window(760 * MS, 1600 * MS)),
        Level("LD2", 0, at_ps=1700 * MS),
        Level("LD2", 0, window=Window(1900 * MS)),
        Responds(Trigger("B1"), Trigger("LD2", "both"), 50 * MS),
        Quiet(("LD2",)),
    ),
)  # fmt: skip
ACTS = (act(700, 1140, 2100, 2800, 6), act(1600, 1800, 4000, 4250))


def test_times_count_from_the_press_that_there_was() -> None:
    moved = retimed(TOGGLE, ACTS)
    first, second, third, fourth, fifth, sixth = moved.expectations
    assert first == Level("LD2", 0, window=Window(10 * MS, 2100 * MS))  # it ends with the press
    assert second == Level("LD2", 1, window=Window(2160 * MS, 4000 * MS))
    assert third == Level("LD2", 0, at_ps=4100 * MS)
    assert fourth == Level("LD2", 0, window=Window(4350 * MS))
    assert fifth == TOGGLE.expectations[4]
    assert sixth == TOGGLE.expectations[5]
    assert moved.stimuli == (
        Press("B1", 2100 * MS, 700 * MS, 6 * MS), Press("B1", 4000 * MS, 250 * MS),
        Drive("D2", 4450 * MS, 1), Send("console", 2960 * MS, b"x"),
    )  # fmt: skip
    assert moved.span_ps == 5450 * MS


def test_deadlines_move_too() -> None:
    contract = replace(
        TOGGLE,
        stimuli=TOGGLE.stimuli[:1],
        expectations=(
            Says("console", "1", first_by_ps=820 * MS),
            Blinks("LD2", 100 * MS, window=Window(800 * MS, 1100 * MS), first_on_by_ps=850 * MS),
        ),
    )
    says, blinks = retimed(contract, (act(700, 1140, 1700, 2140),)).expectations
    assert says == Says("console", "1", first_by_ps=1820 * MS)
    assert blinks == Blinks(
        "LD2", 100 * MS, window=Window(1800 * MS, 2100 * MS), first_on_by_ps=1850 * MS
    )


def test_both_readings_are_told_where_they_differ() -> None:
    moved, both = readings(TOGGLE, ACTS)
    assert [len(ways) for ways in both] == [2, 2, 2, 2, 1, 1]
    for ways, new, old in zip(both, moved.expectations, TOGGLE.expectations, strict=True):
        assert ways[0] == new
        assert ways[-1] == old


@pytest.mark.parametrize(
    ("acts", "says"),
    [
        # It was let go before the time at which the contract still looks at it.
        ((act(700, 1140, 2100, 2300), act(1600, 1800, 2310, 2600)),
         "B1 was pressed too early: the contract looks at what is there 160 ms after B1 was let"),
        ((act(1600, 1800, 2000, 2300), act(700, 1140, 2100, 2200)), "another order"),
    ],
)  # fmt: skip
def test_what_came_too_early_leaves_no_meaning(acts: tuple[ByHand, ...], says: str) -> None:
    with pytest.raises(ContractError, match=says):
        retimed(TOGGLE, acts)


def test_a_press_that_lasts_to_the_end_has_no_end() -> None:
    contract = replace(TOGGLE, stimuli=(Press("B1", 700 * MS),), expectations=())
    moved = retimed(contract, (act(700, None, 900, None),))
    assert moved.stimuli == (Press("B1", 900 * MS),)
    assert moved.span_ps == 3200 * MS


times = st.integers(1, 10_000)


@given(st.lists(st.tuples(times, times), min_size=1, max_size=6), st.data())
def test_done_at_the_time_it_was_asked_for_nothing_moves(
    gaps: list[tuple[int, int]], data: st.DataObject
) -> None:
    acts, now = [], 0
    for before, hold in gaps:
        acts.append(act(now + before, now + before + hold, now + before, now + before + hold))
        now += before + hold
    t = data.draw(st.integers(0, 2 * now)) * MS
    assert Timeline(acts).start(t) == Timeline(acts).stop(t) == t


@given(st.lists(st.tuples(times, times, times, times), min_size=1, max_size=6), st.data())
def test_later_moments_never_come_before_earlier_ones(
    gaps: list[tuple[int, int, int, int]], data: st.DataObject
) -> None:
    acts, asked, came = [], 0, 0
    for before, hold, late, longer in gaps:
        asked, came = asked + before, came + before + late
        acts.append(act(asked, asked + hold, came, came + hold + longer))
        asked, came = asked + hold, came + hold + longer
    line = Timeline(acts)
    one, two = sorted(data.draw(st.integers(0, 2 * asked)) * MS for _ in range(2))
    assert line.start(one) <= line.start(two)
    assert line.stop(one) <= line.stop(two)
    assert one <= line.start(one)
    assert line.start(one) <= line.stop(two) or one == two
