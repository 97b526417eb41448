"""Random programs do in the machine what a plain interpreter says they mean."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from fwgen.model.embedded.behaviour import (
    AtBoot,
    Count,
    Held,
    OnEdge,
    Play,
    Presses,
    Program,
    Put,
    Rule,
    Say,
    Step,
    Uptime,
)
from tests.effort import often
from tests.model.embedded.compose.harness import B1, BOARD, LED, MS, S, blink, check, line, program
from tests.model.embedded.compose.reference import Hold

PINS = ("PA5", "PA8", "PA9", "PB5", "PC0", "PC1", "PC9", "PB0", "PB12", "PA6", "PC3", "PB14")
ms = st.integers(2, 400).map(lambda n: n * MS)
short = st.sampled_from([5, 7, 10, 20, 33, 50, 100, 250]).map(lambda n: n * MS)


@st.composite
def plays(draw, lines):
    if len(lines) == 1 and draw(st.booleans()):
        return blink(lines, draw(short), draw(short), draw(st.sampled_from([None, 1, 2, 3])))
    steps = draw(
        st.lists(
            st.tuples(st.lists(st.integers(0, 1), min_size=len(lines), max_size=len(lines)), short),
            min_size=2,
            max_size=5,
        )
    )
    made = tuple(Step(tuple(zip(lines, levels, strict=True)), d) for levels, d in steps)
    return Play(made, draw(st.sampled_from([None, None, 1, 2, 4])))


@st.composite
def rules(draw, lines, *, button: bool):
    """One rule on lines that no other rule has."""
    kinds = ["boot", "boot", "after"] + (
        ["edge", "edge_after", "gate", "not_gate"] if button else []
    )
    kind = draw(st.sampled_from(kinds))
    start, gate = AtBoot(), None
    if kind == "after":
        start = AtBoot(draw(ms))
    elif kind.startswith("edge"):
        after = draw(ms) if kind == "edge_after" else 0
        start = OnEdge(B1, draw(st.booleans()), after)
    elif "gate" in kind:
        gate = Held(B1, invert=kind == "not_gate")
    stop = draw(st.sampled_from([None, None, 55 * MS, 300 * MS, 777 * MS]))
    if len(lines) > 1 or draw(st.booleans()):
        return Rule(draw(plays(lines)), start, gate=gate, stop_ps=stop)
    if draw(st.booleans()):
        put = Put(lines[0], draw(st.sampled_from(["on", "toggle"])))
        return Rule(put, start, every_ps=draw(short), at_once=draw(st.booleans()), gate=gate,
                    stop_ps=stop)  # fmt: skip
    put = Put(lines[0], draw(st.sampled_from(["on", "off", "toggle"])))
    if put.level == "toggle":
        stop = None
    return Rule(put, start, gate=gate, stop_ps=stop)


@st.composite
def programs(draw):
    button = draw(st.booleans())
    pins = list(draw(st.permutations(PINS)))
    made = []
    for _ in range(draw(st.integers(1, 4))):
        lines = tuple(
            line(pins.pop(), draw(st.integers(0, 1))) for _ in range(draw(st.integers(1, 3)))
        )
        if draw(st.booleans()):
            lines = lines[:1]
        made.append(draw(rules(lines, button=button)))
    if draw(st.booleans()):
        parts = draw(
            st.lists(
                st.sampled_from(["a", "temperature: ", Count(), Count(7, 3), Uptime("s"), "\t"]),
                min_size=1, max_size=4,
            )
        )  # fmt: skip
        every = draw(st.sampled_from([None, 100 * MS, 333 * MS]))
        made.append(Rule(Say("USART2", tuple(parts)), AtBoot(), every, draw(st.booleans())))
        if draw(st.booleans()):
            made.append(Rule(Say("USART2", ("other ", Count())), AtBoot(), 150 * MS))
        if button:
            text = ("pressed ", Presses(B1))
            made.append(Rule(Say("USART2", text), OnEdge(B1)))
    return Program(tuple(made))


@given(programs())
@settings(max_examples=often(30), deadline=None)
def test_random_programs_do_what_they_mean(what: Program):
    holds = (
        Hold(B1, 250 * MS, 500 * MS, 3 * MS),
        Hold(B1, 620 * MS, 700 * MS, 0),
        Hold(B1, 1100 * MS, 1500 * MS, 5 * MS),
    )
    uses = any(isinstance(r.start, OnEdge) or r.gate for r in what.rules)
    check(what, 2 * S, holds if uses else (), slack=slack(what) if uses else 0)


def slack(what: Program) -> int:
    """Where the alarms' counter counts milliseconds, a press comes between two of them."""
    says = [r.action for r in what.rules if isinstance(r.action, Say)]
    return 3 * MS if any(isinstance(p, Uptime) for say in says for p in say.parts) else 0


def test_the_reference_sees_a_wrong_program():
    """The comparison can fail: a blink held against another is refused."""
    import pytest

    from tests.model.embedded.compose.harness import _compare, expect, run

    seen = run(program(Rule(blink(LED, 100 * MS, 100 * MS))), S)
    other = expect(program(Rule(blink(LED, 100 * MS, 101 * MS))), S)
    with pytest.raises(AssertionError):
        _compare("PA5", seen.edges(LED), other.levels["PA5"], S, 0, seen)
    assert BOARD.name == "nucleo-f401"
