"""What parts show, told to who watches: lines for pipes, a screen, notes of a run."""

from __future__ import annotations

import io
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from fwgen.board import load_board
from fwgen.cli.dashboard import Dashboard, Lines
from fwgen.cli.shown import EVERY_PS, ShownParts
from fwgen.cli.watched import Watched
from fwgen.picture import from_pixels
from fwgen.trace import Pictured, Shown
from tests.firmware.build import compile_firmware, installed

MS, S = 10**9, 10**12
BOARD = load_board("nucleo-f401")
CORNER = from_pixels([[x < 4 and y < 2 for x in range(128)] for y in range(64)])
PICTURE = Pictured.of(S, "OLED", CORNER)
SAYS = "OLED shows a picture of 128 x 64, 8 lit, within 4 x 2 at (0, 0)"


@given(st.lists(st.tuples(st.integers(1, 3 * S), st.integers(0, 9)), max_size=30))
def test_the_last_value_is_told_and_none_more_often_than_every_second(
    values: list[tuple[int, int]],
) -> None:
    parts, told = ShownParts(), list[tuple[int, str]]()
    values.sort()
    parts.take(Shown(0, "X", "angle", -1))
    for n, (t, value) in enumerate(values):
        parts.take(Shown(t, "X", "angle", value))
        if n + 1 == len(values) or values[n + 1][0] > t:
            told += [(t, text) for text in parts.due(t, 80)]
    assert all(b[0] - a[0] >= EVERY_PS for a, b in pairwise(told))
    told += [(0, text) for text in parts.due(4 * S, 80, last=True)]
    assert bool(told) == bool(values)
    if values:
        assert told[-1][1].endswith(f"X shows angle {values[-1][1]}")


def test_a_run_tells_of_a_picture_in_blocks() -> None:
    parts = ShownParts()
    parts.take(Pictured.of(0, "OLED", from_pixels([[False]])))
    assert parts.due(0, 80) == []
    parts.take(PICTURE)
    parts.take(Shown(S, "OLED", "lit", 8))
    assert parts.due(S, 80) == [f"1 s: {SAYS}\n████"]


def watched() -> Watched:
    made = Watched(BOARD, {}, window_ps=S)
    made.feed([PICTURE, Shown(S, "LCD", "text", "hi")], 2 * S)
    return made


class _Still:
    title, now_ps, every_ps, resolution_ps, awake_ppm = "a board", 2 * S, 0, 0, None


@pytest.mark.parametrize(("height", "drawn"), [(40, True), (8, False)])
def test_a_screen_has_what_is_shown_and_draws_it_where_there_is_room(
    height: int, drawn: bool
) -> None:
    out = io.StringIO()
    console = Console(file=out, width=90, height=height, force_terminal=False)
    console.print(Dashboard(_Still(), watched(), "keys"))
    text = out.getvalue()
    assert ("████" in text) == drawn
    assert (SAYS in text) == drawn
    assert ("LCD shows text 'hi'" in text) == drawn


def test_lines_tell_of_it_too() -> None:
    lines = Lines(watched()).told([PICTURE, Shown(2 * S, "LCD", "text", "hi")], 0, 0)
    assert lines == [f"1.000000 {SAYS}", "2.000000 LCD shows text 'hi'"]


@pytest.mark.skipif(not installed(), reason="arm-none-eabi-gcc is not installed")
def test_fwgen_run_shows_the_display_of_a_board(tmp_path: Path, fwgen) -> None:
    board = tmp_path / "with-oled.toml"
    source = Path(__file__).parents[2] / "boards" / "nucleo-f401.toml"
    part = '[parts.OLED]\nkind = "ssd1306"\nscl = "PB8"\nsda = "PB9"\npull = "up"\n'
    board.write_text(f"{source.read_text(encoding='utf-8')}\n{part}", encoding="utf-8")
    image = compile_firmware("oled", ("-Os",), tmp_path / "oled.elf")
    ran = fwgen("run", image, "--board", board, "--pace", "virtual", "--for", "1s")
    assert ran.code == 0, ran.said
    assert "OLED shows a picture of 128 x 64, 406 lit" in ran.said
    assert "⡏⠉⠉⠉⠉" in ran.said
