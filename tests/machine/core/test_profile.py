"""Where cycles go, and how deep the stack does: told without changing what happens."""

from __future__ import annotations

import pytest

from fwgen.board import load_board
from fwgen.machine.armv7m.profile import Profile
from fwgen.machine.machine import Machine
from fwgen.report.profile import by_line, by_unit
from fwgen.units import PS_PER_MS
from tests.machine.core.firmware import GPIOA, firmware

BOARD = load_board("nucleo-f401")
TICKS = f"""
    start: {GPIOA}
        ldr r4, =0xe000e010
        ldr r1, =1599
        str r1, [r4, #4]
        movs r1, #7
        str r1, [r4, #0]
    nap: wfi
        movs r2, #100
    spin: subs r2, #1
        bne spin
        b nap
    tick: push {{r4, lr}}
        adds r5, #1
        lsls r3, r5, #31
        it eq
        addeq r6, #1
        pop {{r4, pc}}
"""
VECTORS = {15: "tick"}


def cycles_of(
    text: str, vectors: dict[int, str] | None, span_ps: int
) -> tuple[Machine, dict[int, int]]:
    machine = Machine(BOARD, profile=Profile())
    machine.load(firmware(text, vectors))
    machine.advance(span_ps)
    return machine, machine.core.profile()


def test_every_awake_cycle_is_somewhere_and_none_is_twice() -> None:
    machine, cycles = cycles_of(TICKS, VECTORS, 5 * PS_PER_MS)
    with machine:
        assert sum(cycles.values()) == machine.core.awake_cycles
        lsls = machine.core.memory.word(0x0800_0000 + 4 * 15) - 1 + 4
        assert [at for at, spent in cycles.items() if not spent] == [lsls]  # IT is folded onto it


def test_the_hot_loop_is_the_hot_line() -> None:
    image = firmware(TICKS, VECTORS)
    machine, cycles = cycles_of(TICKS, VECTORS, 20 * PS_PER_MS)
    machine.close()
    units = by_unit(cycles, image)
    assert units[0].what == "spin"
    assert units[0].ppm > 800_000
    names = {one.what for one in units}
    assert {"nap", "tick", "spin", "start"} <= names
    assert "forever" not in names
    assert by_line(cycles, image.listing)[0].cycles == max(cycles.values())


def test_a_loop_costs_what_the_manual_says() -> None:
    text = "start: movs r2, #100\nspin: subs r2, #1\nbne spin\nstay: wfi\nb stay\n"
    machine, cycles = cycles_of(text, None, PS_PER_MS)
    machine.close()
    spin = next(s.address & ~1 for s in firmware(text).symbols if s.name == "spin")
    assert cycles[spin] == 100
    # A branch takes one, and one more to refill the pipeline for each of the 99 that are taken.
    assert cycles[spin + 2] == 100 + 99


def test_what_is_seen_is_the_same_with_a_profile() -> None:
    image = firmware(TICKS, VECTORS)
    seen = [Machine(BOARD, profile=p).run(image, (), 5 * PS_PER_MS) for p in (None, Profile())]
    assert seen[0] == seen[1]


def test_without_a_profile_there_is_none() -> None:
    with Machine(BOARD) as machine:
        machine.load(firmware(TICKS, VECTORS))
        assert machine.core.profile() == {}


@pytest.mark.parametrize("depth", [1, 7, 40])
def test_the_stack_is_as_deep_as_it_was_written_to(depth: int) -> None:
    calls = f"""
        start: movs r0, #{depth}
            bl down
        stay: b stay
        down: push {{r4, lr}}
            subs r0, #1
            beq up
            bl down
        up: pop {{r4, pc}}
    """
    with Machine(BOARD) as machine:
        machine.load(firmware(calls))
        memory = machine.core.memory
        assert memory.touched_below(0x2001_8000, 256) is None
        machine.advance(PS_PER_MS)
        assert memory.touched_below(0x2001_8000, 256) == 0x2001_8000 - 8 * depth
        assert memory.touched_below(0x4000_0000, 256) is None
