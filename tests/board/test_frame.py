"""A serial line's format, as terminals write it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fwgen.board.frame import PLAIN, Frame, parse_frame
from fwgen.errors import InputError

frames = st.builds(Frame, st.integers(5, 8), st.sampled_from("NEOMS"), st.sampled_from((2, 3, 4)))


@given(frames)
def test_a_frame_reads_as_it_is_written(frame: Frame) -> None:
    assert parse_frame(str(frame)) == parse_frame(f" {str(frame).lower()} ") == frame


@pytest.mark.parametrize("text", ["", "8", "8N", "8N3", "9N1", "4N1", "8X1", "8N1.25", "8-N-1"])
def test_nonsense_is_refused_with_what_to_write(text: str) -> None:
    with pytest.raises(InputError, match="is no format") as refused:
        parse_frame(text)
    assert "8N1" in refused.value.hint


@given(frames, st.integers(0, 255))
def test_parity_makes_the_ones_of_a_frame_even_or_odd(frame: Frame, byte: int) -> None:
    levels = frame.levels(byte)
    assert len(levels) == frame.bits + (frame.parity != "N")
    if frame.parity in "EO":
        assert sum(levels) % 2 == (frame.parity == "O")
    assert frame.halves == 2 * (1 + len(levels)) + frame.stop_halves


def test_eight_n_one_takes_ten_bits() -> None:
    assert str(PLAIN) == "8N1"
    assert PLAIN.halves == 20
    assert Frame(7, "E", 4).halves == 22
