"""Expanders and shift registers with parts behind them, and the display on a backpack."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fwgen.board import load_board
from fwgen.contract import load_contract
from fwgen.contract.subjects import fitted
from fwgen.machine.machine import Machine
from fwgen.machine.parts.module import fit
from fwgen.machine.soc import Soc
from fwgen.trace import Edge, Hazard, Shown
from tests.machine.parts.bench import MS, US, Alone
from tests.machine.parts.bus_bench import I2c
from tests.machine.parts.test_outputs import shift

if TYPE_CHECKING:
    from fwgen.machine.parts.module import ModuleModel

BOARD = load_board("nucleo-f401")
BYTE = st.integers(0, 255)


class Fitted:
    """Shared by benches of several parts: their board, their models, what was shown."""

    soc: Soc

    def model(self, name: str) -> ModuleModel:
        return self.soc.modules[name]

    def told(self, name: str, what: str) -> list[int | str | None]:
        return [
            e.value for e in self.soc.recorder.events
            if isinstance(e, Shown) and (e.part, e.what) == (name, what)
        ]  # fmt: skip


class Register(Alone, Fitted):
    """A 74HC595 named X, with more parts on its outputs."""

    def __init__(self, more: str, *, settings: str = "", chance: int = 0) -> None:
        text = (
            f"[parts.X]\nkind='74hc595'\ndata='D2'\nclock='D3'\nlatch='D4'\nenable='D5'\n{settings}"
            f"\n{more}\n[[expect]]\nlevel='LD2'\nis='off'\n"
        )
        contract = load_contract(text, BOARD)
        self.soc = Soc(fitted(BOARD, contract), chance=chance)
        self.spec = next(m for m in contract.modules if m.name == "X")
        self.soc.modules = fit(self.soc)
        self.soc.recorder.started = True
        self.t = 0
        self.put(data=0, clock=0, latch=0, enable=0).wait(US)


DIGIT = "[parts.SEG]\nkind='7-segment'\n" + "\n".join(
    f"{segment}='X.Q{output}'" for segment, output in zip("abcdefg", "ABCDEFG", strict=True)
)
LEDS = "\n".join(
    f"[parts.L{n}]\nkind='led'\npin='X.Q{own}'\nlit='high'" for n, own in enumerate("ABCDEFGH")
)


def levels(made: Register | Expander) -> int:
    pads = made.soc.fabric.pads
    names = made.soc.board.modules["X"].outputs
    return sum((pads[f"X.{own}"].level or 0) << n for n, own in enumerate(names))


@given(BYTE)
def test_outputs_of_a_register_follow_its_latch(value: int) -> None:
    made = Register(LEDS)
    shift(made, value, 8)
    assert levels(made) == value
    made.put(enable=1)
    assert made.soc.fabric.pads["X.QA"].level is None
    assert not made.hazards()


def test_a_digit_behind_a_register_is_read() -> None:
    made = Register(DIGIT)
    for value, glyph in ((0b0000110, "1"), (0b1011011, "2"), (0b1111111, "8")):
        shift(made, value, 8)
        made.wait(100 * MS)
        assert made.told("SEG", "text")[-1] == glyph


def test_what_a_register_comes_up_with_is_chance_and_no_edge() -> None:
    seen = set()
    for chance in (0, 1):
        made = Register(LEDS, chance=chance)
        seen.add(levels(made))
        assert not [e for e in made.soc.recorder.events if isinstance(e, Edge) and "X." in e.pin]
    assert seen == {0x00, 0xFF}


def test_a_register_behind_a_register_takes_its_bits() -> None:
    # Its clock and latch are outputs of the first: eight bits there make one step here.
    more = (
        "[parts.Y]\nkind='74hc595'\ndata='X.QA'\nclock='X.QB'\nlatch='X.QC'\n"
        "[parts.L]\nkind='led'\npin='Y.QA'\nlit='high'"
    )
    made = Register(more)
    for value in (0b000, 0b001, 0b011, 0b001, 0b101):
        shift(made, value, 8)
    assert made.soc.fabric.pads["Y.QA"].level == 1
    assert made.told("Y", "outputs")[-1] == "00000001"
    assert not made.hazards()


class Expander(I2c, Fitted):
    """A PCF8574 named X, with more parts on its pins."""

    def __init__(self, more: str = "", *, own: str = "") -> None:
        text = (
            f"[parts.X]\nkind='pcf8574'\nscl='D15'\nsda='D14'\npull='up'\n{own}\n{more}\n"
            "[[expect]]\nlevel='LD2'\nis='off'\n"
        )
        contract = load_contract(text, BOARD)
        self.soc = Soc(fitted(BOARD, contract))
        self.spec = next(m for m in contract.modules if m.name == "X")
        self.soc.modules = fit(self.soc)
        self.soc.recorder.started = True
        self.t, self.address, self.half = 0, 0x20, 5 * US
        self.put(scl=None, sda=None).wait(US)


LOW_LEDS = LEDS.replace("X.Q", "X.P").replace("'high'", "'low'")
for _n, _own in enumerate("ABCDEFGH"):
    LOW_LEDS = LOW_LEDS.replace(f"X.P{_own}", f"X.P{_n}")


@settings(max_examples=25)
@given(st.lists(BYTE, min_size=1, max_size=4))
def test_what_is_written_to_an_expander_is_on_its_pins_and_read_back(data: list[int]) -> None:
    made = Expander(LOW_LEDS)
    assert levels(made) == 0xFF
    assert all(made.send(*data))
    assert levels(made) == data[-1]
    assert made.get(2) == [data[-1]] * 2
    assert made.told("X", "outputs")[-1] == f"{data[-1]:08b}"
    assert not made.hazards()


def test_a_button_pulls_a_pin_that_is_high_and_int_tells() -> None:
    button = "[parts.B]\nkind='button'\npin='X.P3'\npressed='low'"
    made = Expander(button, own="int='D7'")
    made.put(int=None)
    pad = made.soc.fabric.pads["X.P3"]
    assert made.level("int") == 1
    pad.drive_outside(made.t, "B", 0)
    assert made.level("int") == 0
    assert made.get() == [0xF7]
    assert made.level("int") == 1
    pad.drive_outside(made.t, "B", None)
    assert made.level("int") == 0
    assert made.get() == [0xFF]
    assert not made.hazards()


def test_an_expander_that_drives_low_against_a_high_is_a_fight() -> None:
    made = Expander("[parts.B]\nkind='button'\npin='X.P3'\npressed='high'")
    made.send(0xF7)
    made.soc.fabric.pads["X.P3"].drive_outside(made.t, "B", 1)
    fight = next(e for e in made.soc.recorder.events if isinstance(e, Hazard))
    assert fight.code == "output-fight"
    assert fight.message == "X.P3 is driven both ways: B against X"


def test_a_display_wired_to_an_expander_by_hand_shows_its_text() -> None:
    pins = {"rs": 0, "rw": 1, "e": 2, "d4": 4, "d5": 5, "d6": 6, "d7": 7}
    more = "[parts.LCD]\nkind='hd44780'\n" + "\n".join(f"{r}='X.P{n}'" for r, n in pins.items())
    made = Expander(more)
    begin(made)
    write(made, "Hi")
    made.wait(20 * MS)
    assert made.told("LCD", "text")[-1] == "Hi"
    assert not made.hazards()


@pytest.mark.parametrize("rs", [0, 3])  # which moves before E, and after it
def test_register_select_may_not_move_with_enable(rs: int) -> None:
    pins = {"rs": rs, "rw": 1, "e": 2, "d4": 4, "d5": 5, "d6": 6, "d7": 7}
    more = "[parts.LCD]\nkind='hd44780'\n" + "\n".join(f"{r}='X.P{n}'" for r, n in pins.items())
    made = Expander(more)
    made.wait(50 * MS).send(0x00, 1 << rs | E, 1 << rs)
    assert made.hazards() == ["lcd-timing"]
    assert made.hazard().section.endswith("tAS")


def test_power_that_comes_back_is_nobody_s_fault() -> None:
    pins = {"rs": 0, "rw": 1, "e": 2, "d4": 4, "d5": 5, "d6": 6, "d7": 7}
    text = (
        "[parts.X]\nkind='pcf8574'\nscl='D15'\nsda='D14'\npull='up'\n[parts.LCD]\nkind='hd44780'\n"
        + "\n".join(f"{role}='X.P{n}'" for role, n in pins.items())
        + "\n[[expect]]\nlevel='LD2'\nis='off'\n"
    )
    idle = (0x2000_1000).to_bytes(4, "little") + (0x0800_0009).to_bytes(4, "little")
    with Machine(fitted(BOARD, load_contract(text, BOARD))) as machine:
        machine.load(flash=idle + b"\xfe\xe7")  # b .
        machine.advance(MS)
        machine.soc.modules["X"].written(MS, 0x00)
        machine.power_cycle()
        assert machine.soc.fabric.pads["X.P2"].level == 1
        machine.advance(2 * MS)
        assert not list(machine.trace().of(Hazard))


# ---------------------------------------------------------------------- the backpack


BACKPACK = "kind='hd44780-i2c'"
RS, RW, E, LIGHT = 1, 2, 4, 8


def nibble(made: I2c, value: int, rs: int = 0, light: int = LIGHT) -> None:
    base = value << 4 | rs | light
    made.send(base, base | E, base)


def byte(made: I2c, value: int, rs: int = 0, light: int = LIGHT) -> None:
    nibble(made, value >> 4, rs, light)
    nibble(made, value & 15, rs, light)


def begin(made: I2c, wait: int = 50 * MS) -> None:
    made.wait(wait)
    for value, pause in ((3, 5 * MS), (3, 200 * US), (3, 50 * US), (2, 50 * US)):
        nibble(made, value)
        made.wait(pause)
    for command in (0x28, 0x0C, 0x06, 0x01):
        byte(made, command)
    made.wait(2 * MS)


def write(made: I2c, text: str) -> None:
    for letter in text:
        byte(made, ord(letter), RS)


def backpack(part: str = BACKPACK, address: int = 0x27) -> I2c:
    made = I2c(part, address)
    begin(made)
    return made


@settings(max_examples=15)
@given(st.text("abcXYZ 0189!?-+", max_size=12))
def test_a_display_on_a_backpack_shows_what_is_written(text: str) -> None:
    made = backpack()
    write(made, text)
    made.wait(20 * MS)
    assert made.shown("text")[-1] == text.rstrip()
    assert not made.hazards()


def test_its_backlight_is_on_from_power_on_until_it_is_switched_off() -> None:
    made = I2c(BACKPACK, 0x27)
    made.send(0x00)
    made.send(0x08)
    assert made.shown("backlight") == ["on", "off", "on"]


def test_a_backpack_has_its_own_pull_ups_and_an_address_of_those_of_both_expanders() -> None:
    assert I2c(f"{BACKPACK}\naddress=0x3F", 0x3F).send(0x08) == [True, True]
    assert I2c(BACKPACK, 0x3F).send(0x08) == [False, False]


def test_the_busy_flag_is_read_through_the_expander() -> None:
    made = backpack()
    made.half = US  # faster than an expander is, so that it is still busy
    byte(made, 0x01)

    def half() -> int:
        made.send(0xF0 | RW | LIGHT, 0xF0 | RW | E | LIGHT)
        (value,) = made.get()
        made.send(0xF0 | RW | LIGHT)
        return value >> 4

    assert half() & 8
    half()
    made.wait(2 * MS)
    assert (half(), half()) == (0, 0)
    assert not made.hazards()


def test_reading_with_zeros_on_the_data_pins_is_a_fight() -> None:
    made = backpack()
    byte(made, 0x85)  # the address is 5: the second half reads 0101
    made.send(0x0 | RW | LIGHT, RW | E | LIGHT, RW | LIGHT)
    made.send(RW | E | LIGHT)
    assert made.hazards() == ["output-fight"]


@pytest.mark.parametrize(
    ("before", "after", "symbol"),
    [(0x08, 0x08 | RS | E, "tAS"), (0x08 | E, 0x08 | RS, "tAH"), (0x18 | E, 0x28, "tH")],
)
def test_all_pins_of_an_expander_move_at_once(before: int, after: int, symbol: str) -> None:
    made = backpack()
    made.send(before & ~E, before, after)
    assert made.hazards() == ["lcd-timing"]
    assert made.hazard().section.endswith(symbol)


def test_a_display_on_a_backpack_needs_its_time_too() -> None:
    made = I2c(BACKPACK, 0x27)
    begin(made, wait=10 * MS)
    assert made.hazards() == ["lcd-too-soon"]
