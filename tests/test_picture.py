"""Pictures: text, bits, PNG and block characters say the same."""

from __future__ import annotations

import struct
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fwgen.errors import UnitError
from fwgen.picture import Picture, from_pixels, parse_picture, unpack


@st.composite
def pictures(draw: st.DrawFn) -> Picture:
    width, high = draw(st.integers(1, 40)), draw(st.integers(1, 20))
    row = st.lists(st.booleans(), min_size=width, max_size=width)
    return from_pixels(draw(st.lists(row, min_size=high, max_size=high)))


def pixels(picture: Picture) -> list[list[bool]]:
    return [[picture.at(x, y) for x in range(picture.width)] for y in range(picture.height)]


@given(pictures())
def test_text_and_bits_come_back_as_they_were(picture: Picture) -> None:
    assert parse_picture(picture.text()) == picture
    assert unpack(picture.width, picture.height, picture.packed()) == picture
    assert from_pixels(pixels(picture)) == picture
    assert picture.lit == sum(map(sum, pixels(picture)))


@given(pictures())
def test_the_bounds_hold_all_that_is_lit_and_no_less(picture: Picture) -> None:
    bounds = picture.bounds()
    spots = [(x, y) for y, row in enumerate(pixels(picture)) for x, on in enumerate(row) if on]
    if bounds is None:
        assert not spots
        return
    xs, ys = [x for x, _ in spots], [y for _, y in spots]
    assert bounds == (min(xs), min(ys), max(xs) - min(xs) + 1, max(ys) - min(ys) + 1)
    assert picture.part(*bounds).lit == picture.lit


def decoded(png: bytes) -> tuple[int, int, list[int]]:
    """Width, height and rows of a two-colour PNG without filters."""
    assert png[:8] == b"\x89PNG\r\n\x1a\n"
    chunks, at = {}, 8
    while at < len(png):
        (length,) = struct.unpack_from(">I", png, at)
        kind, data = png[at + 4 : at + 8], png[at + 8 : at + 8 + length]
        assert struct.unpack_from(">I", png, at + 8 + length)[0] == zlib.crc32(kind + data)
        chunks[kind], at = data, at + 12 + length
    width, high, depth, colour, *rest = struct.unpack(">IIBBBBB", chunks[b"IHDR"])
    assert (depth, colour, rest, chunks[b"IEND"]) == (1, 0, [0, 0, 0], b"")
    raw, stride = zlib.decompress(chunks[b"IDAT"]), (width + 7) // 8 + 1
    lines = [raw[n : n + stride] for n in range(0, len(raw), stride)]
    assert all(line[0] == 0 for line in lines)
    return width, high, [int.from_bytes(line[1:]) >> -width % 8 for line in lines]


@given(pictures(), st.integers(1, 5))
def test_a_png_holds_each_pixel_as_a_square(picture: Picture, scale: int) -> None:
    width, high, rows = decoded(picture.png(scale))
    assert (width, high, len(rows)) == (picture.width * scale, picture.height * scale, high)
    for y, row in enumerate(rows):
        for x in range(width):
            assert bool(row >> (width - 1 - x) & 1) == picture.at(x // scale, y // scale)


@given(pictures())
def test_half_blocks_show_two_rows_a_line(picture: Picture) -> None:
    halves = {" ": (0, 0), "▀": (1, 0), "▄": (0, 1), "█": (1, 1)}
    lines = picture.draw(columns=40)
    assert len(lines) == (picture.height + 1) // 2
    for n, line in enumerate(lines):
        for x, cell in enumerate(line.ljust(picture.width)):
            assert halves[cell] == (picture.at(x, 2 * n), picture.at(x, 2 * n + 1))


def test_what_is_too_wide_is_set_in_braille() -> None:
    picture = parse_picture("#...\n.#..\n..#.\n...#")
    assert picture.draw(columns=4) == ["▀▄", "  ▀▄"]
    assert picture.draw(columns=3) == ["⠑⢄"]


@pytest.mark.parametrize(
    ("text", "message"),
    [("", "no rows"), ("#.\n#", "row 2 of the picture is 1 wide"), ("#x", "'x'"),
     ("." * 1025, "larger than any display")],
)  # fmt: skip
def test_what_is_no_picture_is_refused(text: str, message: str) -> None:
    with pytest.raises(UnitError, match=message):
        parse_picture(text)


def test_an_indent_that_all_rows_have_does_not_count() -> None:
    assert parse_picture("\n    #.\n    .#\n").text() == "#.\n.#"


@pytest.mark.parametrize("bits", ["", "AA==", "?"])
def test_bits_of_another_size_are_refused(bits: str) -> None:
    with pytest.raises(ValueError, match=r"bits|bytes"):
        unpack(9, 1, bits)
