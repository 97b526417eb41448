"""The SSD1306 controller alone: bytes in, a picture out."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fwgen.machine.parts.ssd1306_core import Controller
from fwgen.picture import Picture

UPRIGHT = (0xA1, 0xC8)
COLUMN, PAGE, BYTE = st.integers(0, 127), st.integers(0, 7), st.integers(0, 255)


class Bare:
    """A controller, and what it complained of."""

    def __init__(self, panel: str = "128x64", *, external: bool = False) -> None:
        self.codes: list[str] = []
        self.gaps: list[str] = []
        self.made = Controller(
            panel,
            lambda t, code, *_: self.codes.append(code),
            lambda t, what, _: self.gaps.append(what),
            external=external,
        )

    def do(self, *commands: int) -> Bare:
        for byte in commands:
            self.made.command(0, byte)
        return self

    def put(self, *data: int) -> Bare:
        for byte in data:
            self.made.data(0, byte)
        return self

    def on(self) -> Bare:
        return self.do(0x8D, 0x14, 0xAF)

    def see(self) -> Picture:
        picture = self.made.picture()
        assert picture is not None
        return picture

    def spots(self) -> set[tuple[int, int]]:
        picture = self.see()
        return {
            (x, y) for y in range(picture.height) for x in range(picture.width) if picture.at(x, y)
        }


def upright(panel: str = "128x64") -> Bare:
    pins, ratio = (0x12, 63) if panel == "128x64" else (0x02, 31)
    return Bare(panel).do(*UPRIGHT, 0xA8, ratio, 0xDA, pins).on()


@given(COLUMN, PAGE, BYTE)
def test_a_byte_is_a_column_of_eight_with_its_lowest_bit_on_top(c: int, p: int, b: int) -> None:
    made = upright().do(0xB0 | p, c & 15, 0x10 | c >> 4).put(b)
    assert made.spots() == {(c, 8 * p + n) for n in range(8) if b >> n & 1}
    assert not made.codes


@given(COLUMN, PAGE, BYTE)
def test_without_remaps_the_picture_stands_on_its_head(c: int, p: int, b: int) -> None:
    made = Bare().on().do(0xB0 | p, c & 15, 0x10 | c >> 4).put(b)
    assert made.spots() == {(127 - c, 63 - 8 * p - n) for n in range(8) if b >> n & 1}


ENDS = st.tuples(COLUMN, COLUMN).map(sorted)
PAGES = st.tuples(PAGE, PAGE).map(sorted)


@given(st.sampled_from((0, 1)), ENDS, PAGES, st.lists(BYTE, max_size=60))
def test_windows_are_filled_in_the_order_of_their_mode(
    mode: int, columns: list[int], pages: list[int], data: list[int]
) -> None:
    made = Bare().do(0x20, mode, 0x21, *columns, 0x22, *pages).put(*data)
    cells = [
        (p, c)
        for p in range(pages[0], pages[1] + 1)
        for c in range(columns[0], columns[1] + 1)
    ]  # fmt: skip
    if mode:
        cells.sort(key=lambda cell: cell[1])
    wanted = bytearray(1024)
    for n, byte in enumerate(data):
        p, c = cells[n % len(cells)]
        wanted[128 * p + c] = byte
    assert made.made.memory == wanted


def test_in_page_mode_a_page_goes_round() -> None:
    made = Bare().do(0xB2).put(*range(128), 0xFF)
    assert made.made.memory[256] == 0xFF
    assert list(made.made.memory[257:384]) == list(range(1, 128))
    assert not any(made.made.memory[384:])
    made.do(0x05, 0x10).put(*[0] * 124)
    assert made.gaps == ["data"]


def test_a_segment_remap_concerns_only_what_is_written_after_it() -> None:
    made = Bare().on().do(0xC8).put(1).do(0xA1, 0x00, 0x10).put(1)
    assert made.spots() == {(127, 0), (0, 0)}
    made.do(0xA0)
    assert made.spots() == {(127, 0), (0, 0)}


def lines(made: Bare) -> list[int | None]:
    """Which line of the memory each row of the panel shows; None: dark."""
    found: list[int | None] = [None] * made.see().height
    for line in range(64):
        made.made.memory[:] = bytes(1024)
        made.made.memory[line // 8 * 128] = 1 << line % 8
        for _, y in made.spots():
            assert found[y] is None
            found[y] = line
    return found


@pytest.mark.parametrize(
    ("ratio", "offset", "start", "first", "dark"),
    [
        (64, 0, 0, {0: 0, 63: 63}, set()),
        (64, 8, 0, {0: 8, 55: 63, 56: 0, 63: 7}, set()),
        (64, 0, 8, {0: 8, 55: 63, 56: 0, 63: 7}, set()),
        (56, 0, 0, {0: 0, 55: 55}, set(range(56, 64))),
        (56, 8, 0, {0: 8, 47: 55, 56: 0, 63: 7}, set(range(48, 56))),
        (56, 0, 8, {0: 8, 55: 63}, set(range(56, 64))),
    ],
)
def test_rows_go_to_coms_as_table_10_1_has_it(
    ratio: int, offset: int, start: int, first: dict[int, int], dark: set[int]
) -> None:
    made = Bare().on().do(0xA8, ratio - 1, 0xD3, offset, 0x40 | start)
    coms = lines(made)[::-1]  # COM0 is at the bottom
    assert {n for n, line in enumerate(coms) if line is None} == dark
    assert {n: coms[n] for n in first} == first


@pytest.mark.parametrize(
    ("ratio", "offset", "first", "dark"),
    [
        (64, 0, {0: 63, 63: 0}, set()),
        (64, 8, {0: 7, 7: 0, 8: 63, 63: 8}, set()),
        (48, 0, {0: 47, 47: 0}, set(range(48, 64))),
        (48, 8, {8: 47, 55: 0}, {*range(8), *range(56, 64)}),
    ],
)
def test_rows_go_to_coms_the_other_way_as_table_10_2_has_it(
    ratio: int, offset: int, first: dict[int, int], dark: set[int]
) -> None:
    made = Bare().on().do(0xC8, 0xA8, ratio - 1, 0xD3, offset)
    coms = lines(made)[::-1]
    assert {n for n, line in enumerate(coms) if line is None} == dark
    assert {n: coms[n] for n in first} == first


def test_a_panel_of_64_with_sequential_pins_shows_its_halves_in_each_other() -> None:
    made = Bare().on().do(*UPRIGHT, 0xDA, 0x02)
    assert lines(made)[:4] == [0, 32, 1, 33]


def test_swapped_halves_swap_neighbours() -> None:
    assert lines(Bare().on().do(*UPRIGHT, 0xDA, 0x32))[:4] == [1, 0, 3, 2]


def test_a_panel_of_32_needs_sequential_pins_and_its_own_ratio() -> None:
    assert lines(upright("128x32")) == list(range(32))
    assert lines(upright("128x32").do(0xDA, 0x12))[::2] != list(range(0, 32, 2))
    assert lines(upright("128x32").do(0xDA, 0x12)).count(None) == 16
    assert lines(upright("128x32").do(0xA8, 63))[0] == 32


def test_inverse_all_on_and_off() -> None:
    made = upright().put(1)
    assert made.see().lit == 1
    assert made.do(0xA7).see().lit == 8191
    assert made.do(0xA5).see().lit == 8192
    assert made.do(0xA4, 0xA6).see().lit == 1
    assert made.do(0xAE).see().lit == 0
    assert made.made.status & 0x40


def test_without_its_charge_pump_it_stays_dark() -> None:
    made = Bare().do(0xA5, 0xAF)
    assert made.codes == ["oled-no-pump"]
    assert made.see().lit == 0
    assert Bare(external=True).do(0xA5, 0xAF).see().lit == 8192


@pytest.mark.parametrize(
    "commands",
    [(0x20, 3), (0x21, 9, 8), (0x22, 2, 1), (0xA8, 14), (0xD9, 0x20), (0xD9, 0x02), (0xDA, 0x00),
     (0xE4,), (0xC1,), (0xFF,), (0x82,)],
)  # fmt: skip
def test_what_the_command_table_does_not_have_is_told(commands: tuple[int, ...]) -> None:
    assert Bare().do(*commands).codes == ["oled-command"]


def test_a_command_that_data_cut_short_is_told() -> None:
    made = Bare().do(0x21, 0).put(1)
    assert made.codes == ["oled-command"]
    assert made.made.memory[0] == 1


def test_while_it_scrolls_nothing_can_be_told() -> None:
    made = upright().do(0x26, 0, 0, 0, 7, 0, 0xFF, 0x2F)
    assert made.gaps == ["2Fh"]
    assert made.made.picture() is None
    assert made.do(0x2E).made.picture() is not None


@given(st.lists(st.tuples(st.booleans(), BYTE), max_size=300))
def test_whatever_comes_it_shows_a_picture_of_its_size(sent: list[tuple[bool, int]]) -> None:
    for panel, high in (("128x64", 64), ("128x32", 32)):
        made = Bare(panel)
        for is_data, byte in sent:
            (made.put if is_data else made.do)(byte)
        picture = made.made.picture()
        assert picture is None or (picture.width, picture.height) == (128, high)


@given(st.lists(BYTE, max_size=40))
def test_a_reset_restores_everything_but_the_memory(commands: list[int]) -> None:
    made, fresh = Bare().do(*commands), Bare()
    made.made.reset()
    fresh.made.memory[:] = made.made.memory
    for one in (made, fresh):
        one.put(0x5A).on()
    assert made.see() == fresh.see()
