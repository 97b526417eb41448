"""Looks now and then, as evidence."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from fwgen.rig.looks import Looks
from fwgen.trace import Edge, Sampled

MS = 10**9


def test_an_edge_lies_between_two_looks() -> None:
    looks = Looks("PA5", None)
    assert looks.look(9 * MS, 11 * MS, None) is None
    assert looks.look(19 * MS, 21 * MS, 1) == Edge(15 * MS, "PA5", 1, 6 * MS)
    assert looks.look(29 * MS, 31 * MS, 1) is None
    assert looks.edges == (Edge(15 * MS, "PA5", 1, 6 * MS),)
    assert looks.sampled() == Sampled(12 * MS)
    assert looks.until_ps == 29 * MS
    assert looks.first is None


def test_what_was_there_at_once_is_an_edge_all_the_same() -> None:
    looks = Looks("PA5", 0, -MS)
    edge = looks.look(0, MS // 2, 1)
    assert edge is not None
    assert edge.t_ps > 0  # at 0 it would be no change
    assert edge.t_ps - edge.blur_ps <= -MS


def test_a_long_time_without_a_look_is_a_hole() -> None:
    looks = Looks("PA5", 0)
    for t in (*range(1, 11), 30, *range(31, 40)):
        looks.look(t * MS, t * MS, 0)
    assert looks.sampled() == Sampled(MS, ((10 * MS, 30 * MS),))
    assert looks.sampled().longest_ps(0, 9 * MS) == MS
    assert looks.sampled().longest_ps(0, 11 * MS) == 20 * MS


@given(
    st.lists(st.tuples(st.integers(1, 50), st.integers(0, 20), st.integers(0, 100)), max_size=40),
    st.lists(st.integers(1, 300), max_size=30),
)
def test_the_truth_lies_where_the_looks_say(looks, levels) -> None:
    """Where every level is seen, each edge was within its blur."""
    edges = [sum(levels[: i + 1]) for i in range(len(levels))]

    def level(t):
        return sum(edge <= t for edge in edges) % 2

    seen, t, moments = Looks("PA5", 0), 0, []
    for gap, taken, when in looks:
        t += gap
        moment = t + taken * when // 100
        moments.append(moment)
        seen.look(t, t + taken, level(moment))
        t += taken
    for edge in seen.edges:
        assert any(edge.t_ps - edge.blur_ps <= true <= edge.t_ps + edge.blur_ps for true in edges)
    sampled = seen.sampled()
    for one, two in zip([0, *moments], moments, strict=False):
        assert two - one <= sampled.longest_ps(one, two)


def test_a_pin_that_was_let_go_is_where_it_is_seen_to_rest() -> None:
    """Nothing on the board holds it: where the chip's own pull brings it is seen later."""
    seen = Looks("PA0", None)
    seen.look(0, 10, 1)  # the firmware pulled it up
    done = seen.so_far()
    done.look(100, 100, 0)  # a wire pulls it down
    done.look(200, 200, None)  # and lets it go
    assert seen.level == 1
    done.rests_at(None)
    assert done.level is None
    done.rests_at(1)
    assert [edge.level for edge in done.edges] == [1, 0, 1]
    assert (done.first, done.level) == (None, 1)
