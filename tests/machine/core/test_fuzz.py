"""Whatever the firmware is, a run ends with a trace, and is the same however it is sped up."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fwgen.board import load_board
from fwgen.trace import Fault, Gap
from tests.machine.core.fuzz import (
    BODY,
    Access,
    any_access,
    any_image,
    any_masters,
    both_ways,
    clocks_on,
    endure,
    image,
    registers,
    touching,
)  # fmt: skip

if TYPE_CHECKING:
    from fwgen.board.types import Board

PLACES = registers(load_board("nucleo-f401"))
words = st.one_of(
    st.integers(0, 0xFFFFFFFF),
    st.integers(0, 31).map(lambda bit: 1 << bit),
    st.sampled_from((0, 1, 0xFF, 0xFFFF, 0xFFFFFFFF)),
)


@st.composite
def accesses(draw) -> list[Access]:
    """Accesses to the registers of up to three peripherals."""
    names = draw(st.lists(st.sampled_from(sorted(PLACES)), min_size=1, max_size=3, unique=True))
    near = [place for name in names for place in PLACES[name]]
    one = st.builds(
        Access,
        address=st.builds(int.__add__, st.sampled_from(near), st.sampled_from((0, 0, 0, 1, 2, 3))),
        size=st.sampled_from((4, 4, 2, 1)),
        value=st.one_of(words, words, st.none()),
    )
    return draw(st.lists(one, min_size=1, max_size=40))


@settings(max_examples=25)
@given(st.binary(min_size=2, max_size=200), st.integers(0, 0xFFFFFFFF))
def test_any_bytes_may_be_firmware(board: Board, body: bytes, stack: int) -> None:
    both_ways(board, image(body, stack=stack))


@settings(max_examples=25)
@given(st.integers(0, 1 << 32).map(Random))
def test_any_instructions_and_vectors_may_be_firmware(board: Board, rng: Random) -> None:
    both_ways(board, any_image(rng))


@settings(max_examples=40)
@given(accesses())
def test_any_register_may_be_touched_with_anything(board: Board, touched: list[Access]) -> None:
    both_ways(board, touching([*clocks_on(board), *touched]))


@settings(max_examples=15)
@given(st.sampled_from(("nucleo-f401", "stm32f4-discovery")), st.integers(0, 1 << 32).map(Random))
def test_masters_of_the_bus_may_be_set_up_anyhow(name: str, rng: Random) -> None:
    board = load_board(name)
    both_ways(board, any_masters(board, rng))


@pytest.mark.parametrize("name", sorted(PLACES))
def test_every_register_of_a_peripheral_may_be_touched_at_any_width(
    board: Board, name: str
) -> None:
    rng = Random(name)
    touched = [any_access(rng, (place,)) for place in PLACES[name][:40] for _ in range(4)]
    endure(board, touching([*clocks_on(board), *touched], waits=True))


def test_the_firmware_that_touches_goes_on_after_a_fault(board: Board) -> None:
    """Else the tests above would see the first access alone."""
    nowhere = Access(0x7000_0000, 4, None)
    trace, left = endure(board, touching([nowhere, nowhere, Access(0xE004_1000, 4, 1)]))
    assert len(list(trace.of(Fault))) == 2
    assert [gap.peripheral for gap in trace.of(Gap)] == ["ETM"]
    assert left[-3] > BODY


# What was once found so.


def test_half_an_instruction_at_the_end_of_a_memory_is_no_more_than_a_fault(board: Board) -> None:
    trace, _ = endure(board, any_image(Random("bytes 5433")))
    assert list(trace.of(Fault))


def test_a_loop_whose_head_waits_long_for_the_flash_ends_where_it_ends_unskipped(
    board: Board,
) -> None:
    slow = Access(board.chip.peripherals["FLASH"].base, 4, 9)
    for wait in range(4):
        both_ways(board, touching([slow, *[Access(0x2000_0000, 4, None)] * wait]))
