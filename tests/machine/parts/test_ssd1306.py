"""The OLED display on its buses: control bytes, D/C, reset, and when its picture is told."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fwgen.picture import Picture
from fwgen.trace import Gap, Pictured
from tests.machine.parts.bench import MS, US, Alone
from tests.machine.parts.bus_bench import I2c, Spi

OLED = "kind='ssd1306'"
SPI = "kind='ssd1306-spi'\ndc='PC0'"
START = (0xA1, 0xC8, 0x20, 0, 0x8D, 0x14, 0xAF)


def pictures(made: Alone) -> list[Picture]:
    return [e.picture for e in made.soc.recorder.events if isinstance(e, Pictured)]


def clear() -> list[int]:
    return [0x40, *[0] * 1024]


def oled(part: str = OLED, **more: int) -> I2c:
    made = I2c(part, 0x3C, half_ps=US // 2, **more)
    made.send(0x00, 0x20, 0)
    made.send(*clear())
    made.send(0x00, *START)
    return made


def test_a_picture_is_told_once_nothing_was_written_for_a_frame() -> None:
    made = oled()
    made.wait(120 * MS)
    assert pictures(made)[-1].lit == 0
    made.send(0x40, 0xFF)
    made.wait(9 * MS).send(0x40, 0x01)
    made.wait(9 * MS)
    assert pictures(made)[-1].lit == 0
    made.wait(2 * MS)
    assert pictures(made)[-1].text().split("\n")[:2] == ["##" + "." * 126, "#" + "." * 127]
    assert made.shown("lit")[-1] == 9
    assert not made.hazards()


def test_it_lights_up_100_ms_after_it_was_switched_on() -> None:
    made = oled()
    made.send(0x40, 0xFF)
    made.wait(95 * MS)
    assert pictures(made)[-1].lit == 0
    made.wait(20 * MS)
    assert pictures(made)[-1].lit == 8


def test_what_is_not_cleared_is_chance() -> None:
    seen = []
    for chance in (0, 1):
        made = I2c(OLED, 0x3C, half_ps=US // 2, chance=chance)
        made.send(0x00, *START)
        made.wait(120 * MS)
        seen.append(pictures(made)[-1])
    assert seen[0] != seen[1]
    assert all(one.lit > 1000 for one in seen)


@settings(max_examples=20)
@given(st.lists(st.tuples(st.booleans(), st.integers(0, 255)), min_size=1, max_size=8))
def test_one_byte_after_each_control_byte_is_as_many_after_one(
    sent: list[tuple[bool, int]],
) -> None:
    one, other = oled(), oled()
    made = [(data, value if data else 0xE3) for data, value in sent]
    one.send(*(b for data, value in made for b in (0x80 | data << 6, value)))
    for data, value in made:
        other.send(data << 6, value)
    assert one.model.controller.memory == other.model.controller.memory
    assert not one.hazards()


def test_a_control_byte_has_six_zeros() -> None:
    made = oled()
    made.send(0x41, 0)
    assert made.hazards() == ["oled-command"]


def test_it_answers_at_its_own_address_only() -> None:
    assert I2c(OLED, 0x3D).send(0x00) == [False, False]
    assert I2c(f"{OLED}\naddress=0x3D", 0x3D).send(0x00) == [True, True]


def test_reading_it_is_a_gap_but_tells_whether_it_is_off() -> None:
    made = I2c(OLED, 0x3C)
    assert made.get() == [0x40]
    assert any(isinstance(e, Gap) for e in made.soc.recorder.events)


def test_on_spi_a_pin_tells_data_from_commands() -> None:
    made = Spi(SPI, half_ps=US // 10)
    made.send(0x20, 0, dc=0)
    made.send(*clear()[1:], dc=1)
    made.send(*START, dc=0)
    made.send(0x0F, dc=1)
    made.wait(130 * MS)
    assert pictures(made)[-1].lit == 4
    assert not made.hazards()


def test_dc_that_moves_within_a_byte_is_told() -> None:
    made = Spi(SPI)
    made.put(dc=0, cs=0).wait(US)
    for _ in range(4):
        made.pulse("sck", US, US)
    made.put(dc=1)
    assert made.hazards() == ["oled-dc"]


def test_a_display_that_is_turned_stands_upright_without_the_remaps() -> None:
    made = I2c(f"{OLED}\nturned='yes'", 0x3C, half_ps=US // 2)
    made.send(0x00, 0x20, 0)
    made.send(*clear())
    made.send(0x00, 0x8D, 0x14, 0xAF)
    made.send(0x40, 0x01)
    made.wait(120 * MS)
    assert pictures(made)[-1].at(0, 0)


RESET = f"{SPI}\nres='PC1'"


def reset(low: int, high: int) -> Spi:
    made = Spi(RESET).put(res=1, dc=0).wait(MS)
    made.put(res=0).wait(low).put(res=1).wait(high)
    made.put(cs=0)
    made.byte(0xE3)
    return made


@pytest.mark.parametrize(
    ("low", "high", "fine"),
    [(10 * US, 10 * US, True), (2 * US, 10 * US, False), (10 * US, 0, True)],
)
def test_the_reset_is_low_long_enough(low: int, high: int, fine: bool) -> None:
    assert set(reset(low, high).hazards()) == (set() if fine else {"oled-reset"})


def test_a_wired_reset_must_be_used() -> None:
    made = Spi(RESET).put(res=1).wait(MS)
    made.send(0xE3, dc=0)
    assert made.hazards() == ["oled-reset"]


def test_in_reset_nothing_is_heard() -> None:
    made = Spi(RESET).put(res=0).wait(MS)
    made.send(0x8D, 0x14, 0xAF, dc=0)
    assert not made.model.controller.on
    assert made.hazards() == ["oled-reset"]
    assert I2c(f"{OLED}\nres='PC1'", 0x3C).put(res=0).start() is False
