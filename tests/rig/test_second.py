"""A second board as wires to the first: two virtual boards, a wire between them."""

from __future__ import annotations

import pytest

from fwgen.contract import Drive, Press
from fwgen.errors import RigError
from fwgen.rig.bench import RigBench
from fwgen.rig.connection import Connection
from fwgen.rig.probes import choose_probe
from fwgen.rig.second import SecondBoard
from fwgen.trace import Edge, NotDone, Stimulated
from fwgen.virtual.board import VirtualBoard

MS = 10**9


class Together:
    """One time for two boards: each lives through what the other does."""

    def __init__(self, one, two) -> None:
        self.boards = one, two

    @property
    def now_ps(self):
        latest = max(board.now_ps for board in self.boards)
        for board in self.boards:
            board.sleep(latest - board.now_ps)
        return latest

    def sleep(self, ps) -> None:
        until = self.now_ps + ps
        for board in self.boards:
            board.sleep(until - board.now_ps)


@pytest.fixture
def two(board, stack):
    """Boards with a wire from PA8 of the second to PC13 of the first; their connections."""
    mine, other = (stack.enter_context(VirtualBoard(board)) for _ in range(2))
    clock = Together(mine, other)

    def wire(event):
        if isinstance(event, Edge) and event.pin == "PA8":
            mine.machine.stimulate(Drive("PC13", mine.now_ps, event.level))

    other.listen(wire)
    links = []
    for virtual in (mine, other):
        stack.enter_context(virtual.plugged())
        probe = choose_probe(board, virtual.uid)
        links.append(stack.enter_context(Connection(board, probe, clock=clock)))
    return clock, *links


def test_a_press_by_a_second_board_is_a_press(board, two) -> None:
    clock, mine, other = two
    wire = SecondBoard(other, clock).wire("PA8")
    bench = RigBench(
        mine, clock=clock, pins=("PA5", "PC13"), wires={"PC13": wire}, backup=False
    )  # fmt: skip
    image = _follower()
    trace = bench.run(image, (Press("B1", 50 * MS, 40 * MS),), 150 * MS)
    assert not list(trace.of(NotDone))
    (done,) = trace.of(Stimulated)
    off = trace.watched.zero_ps
    assert off < 10 * MS
    assert abs(done.t_ps - 50 * MS) <= off
    (down, _), (up, _) = trace.edges("PC13")
    assert abs(down - 50 * MS) <= off + MS
    assert abs(up - 90 * MS) <= off + MS
    edges = [(t, level) for t, level in trace.edges("PA5") if t > 10 * MS]
    assert [level for _, level in edges] == [1, 0]
    blur = max(run.blur_ps for run in trace.runs("PA5")[1:])
    assert abs(edges[0][0] - down) <= blur + off
    assert abs(edges[1][0] - up) <= blur + off


def test_a_pin_that_there_is_not_cannot_be_a_wire(two) -> None:
    clock, _, other = two
    with pytest.raises(RigError, match="PZ1 of ST NUCLEO-F401RE cannot be driven"):
        SecondBoard(other, clock).wire("PZ1")


def test_a_wire_floats_until_it_is_driven_and_when_it_is_let_go(two) -> None:
    clock, _, other = two
    wire = SecondBoard(other, clock).wire("PA8")
    levels = []
    for level in (None, 0, 1, None):
        wire.drive(level, clock.now_ps + MS)
        levels.append(other.read_word(wire.moder) >> 2 * wire.number & 3)
    assert levels == [0, 1, 1, 0]


def _follower():
    import fwgen

    return fwgen.generate("LED is on while the button is held", "nucleo-f401").proof.image
