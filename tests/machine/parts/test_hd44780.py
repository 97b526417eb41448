"""The character display: initialised, written, read, and misused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.machine.parts.bench import MS, US, Alone

NS = 1000
LCD = "kind='hd44780'\nrs='PC0'\ne='PC1'\nd4='PB0'\nd5='PB1'\nd6='PB2'\nd7='PB12'\nrw='PC2'"


def nibble(lcd: Alone, value: int, rs: int = 0, width: int = 500 * NS) -> None:
    lcd.put(rs=rs, rw=0, **{f"d{4 + n}": value >> n & 1 for n in range(4)}).wait(500 * NS)
    lcd.put(e=1).wait(width).put(e=0).wait(US)


def byte(lcd: Alone, value: int, rs: int = 0, wait: int = 50 * US) -> None:
    nibble(lcd, value >> 4, rs)
    nibble(lcd, value & 15, rs)
    lcd.wait(wait)


def started(part: str = LCD, wait: int = 50 * MS) -> Alone:
    lcd = Alone(part)
    lcd.put(rs=0, rw=0, e=0, d4=0, d5=0, d6=0, d7=0).wait(wait)
    for value, pause in ((3, 5 * MS), (3, 200 * US), (3, 50 * US), (2, 50 * US)):
        nibble(lcd, value)
        lcd.wait(pause)
    for command in (0x28, 0x0C, 0x06):
        byte(lcd, command)
    byte(lcd, 0x01, wait=2 * MS)
    return lcd


def write(lcd: Alone, text: str) -> Alone:
    for letter in text:
        byte(lcd, ord(letter), 1)
    return lcd


TEXT = st.text("abcXYZ 0189!?-+", max_size=16)


@given(TEXT, TEXT)
def test_what_is_written_is_read(one: str, two: str) -> None:
    lcd = write(started(), one)
    byte(lcd, 0xC0)
    write(lcd, two).wait(20 * MS)
    wanted = f"{one.rstrip()}\n{two.rstrip()}".rstrip()
    assert lcd.shown("text")[-1] == wanted
    assert not lcd.hazards()


def test_the_four_rows_of_20_lie_as_they_do_on_the_glass() -> None:
    lcd = write(started(f"{LCD}\ncolumns=20\nrows=4"), "a" * 20 + "c" * 20)
    byte(lcd, 0xC0)
    write(lcd, "b" * 20 + "d").wait(20 * MS)
    assert lcd.shown("text")[-1] == "\n".join(("a" * 20, "b" * 20, "c" * 20, "d"))


def test_shifts_move_the_glass_over_the_memory() -> None:
    lcd = write(started(), "hello")
    byte(lcd, 0x18)
    lcd.wait(20 * MS)
    assert lcd.shown("text")[-1] == "ello"
    byte(lcd, 0x1C)
    byte(lcd, 0x1C)
    lcd.wait(20 * MS)
    assert lcd.shown("text")[-1] == " hello"
    byte(lcd, 0x02, wait=2 * MS)
    byte(lcd, 0x08)
    lcd.wait(20 * MS)
    assert lcd.shown("text")[-1] == ""


def test_own_characters_and_those_of_the_rom() -> None:
    lcd = started()
    byte(lcd, 0x48)
    for _ in range(8):
        byte(lcd, 0x1F, 1)
    byte(lcd, 0x80)
    for code in (1, 0xDF, 0x7E):
        byte(lcd, code, 1)
    lcd.wait(20 * MS)
    assert lcd.shown("text")[-1] == "②°→"


def test_the_busy_flag_and_the_address_are_read() -> None:
    lcd = write(started(), "abc")
    nibble(lcd, 0x0)
    nibble(lcd, 0x1)
    free = {f"d{n}": None for n in range(4, 8)}

    def half() -> int:
        lcd.put(rs=0, rw=1, **free).wait(500 * NS).put(e=1).wait(500 * NS)
        value = sum(lcd.level(f"d{4 + n}") << n for n in range(4))
        lcd.put(e=0).wait(US)
        return value

    assert half() & 8
    half()
    lcd.wait(2 * MS)
    assert (half(), half()) == (0, 0)
    assert not lcd.hazards()


def test_what_comes_while_it_is_busy_is_lost() -> None:
    lcd = started()
    byte(lcd, ord("A"), 1, wait=0)
    byte(lcd, ord("B"), 1)
    write(lcd, "C").wait(20 * MS)
    assert lcd.shown("text")[-1] == "AC"
    assert lcd.hazards() == ["lcd-busy"]


def test_it_needs_its_time_after_power_on() -> None:
    lcd = started(wait=14 * MS)
    assert lcd.hazards() == ["lcd-too-soon"]
    assert "figure 24" in lcd.hazard().section


@pytest.mark.parametrize(
    ("supply", "width", "fine"),
    [("5 V", 240, True), ("5 V", 220, False), ("3.3 V", 440, False), ("3.3 V", 460, True)],
)
def test_enable_is_high_long_enough(supply: str, width: int, fine: bool) -> None:
    lcd = started(f"{LCD}\nsupply='{supply}'")
    nibble(lcd, 0xC, width=width * NS)
    nibble(lcd, 0x0, width=width * NS)
    assert lcd.hazards() == ([] if fine else ["lcd-timing"])


def test_data_that_change_with_enable_are_told() -> None:
    lcd = started()
    lcd.put(rs=0, d4=0, d5=0, d6=0, d7=1).wait(US).put(e=1).wait(US).put(e=0, d7=0)
    assert lcd.hazards() == ["lcd-timing"]


@pytest.mark.parametrize("pauses", [(4 * MS, 200 * US), (5 * MS, 90 * US)])
def test_the_first_steps_take_longer(pauses: tuple[int, int]) -> None:
    lcd = Alone(LCD)
    lcd.put(rs=0, rw=0, e=0, d4=0, d5=0, d6=0, d7=0).wait(50 * MS)
    for pause in (*pauses, US):
        nibble(lcd, 3)
        lcd.wait(pause)
    assert lcd.hazards() == ["lcd-busy"]
