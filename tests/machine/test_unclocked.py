"""Without its clock a peripheral reads 0 and loses writes: when that matters, and when not."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from fwgen.machine.soc import Soc
from fwgen.trace import Hazard

if TYPE_CHECKING:
    from fwgen.board.types import Board

RESET_MODER = 0xA800_0000
ADCPRE_4 = 1 << 16


@pytest.fixture
def soc(board: Board) -> Soc:
    made = Soc(board)
    made.recorder.started = True
    return made


def told(soc: Soc) -> list[str]:
    return [event.code for event in soc.recorder.events if isinstance(event, Hazard)]


def test_a_write_that_would_have_done_something_matters(soc: Soc) -> None:
    soc.write("GPIOA", "MODER", RESET_MODER | 1 << 10)
    assert told(soc) == ["clock-off"]


def test_writing_what_is_there_does_not(soc: Soc) -> None:
    soc.write("GPIOA", "MODER", RESET_MODER)
    soc.write("DMA1", "S6FCR", 0x21)
    assert told(soc) == ["clock-off-idle", "clock-off-idle"]


def test_clearing_flags_matters_only_if_one_is_set(soc: Soc) -> None:
    soc.write("DMA1", "LIFCR", 0x3D)
    assert told(soc) == ["clock-off-idle"]
    soc.peripherals["DMA1"].states["LISR"].value = 0x20
    soc.write("DMA1", "LIFCR", 0x3D)
    assert told(soc) == ["clock-off-idle", "clock-off"]


def test_writing_back_the_zero_that_was_read_does_not(soc: Soc) -> None:
    common = soc.peripherals["ADC1_COMMON"].states["CCR"]
    common.value = ADCPRE_4
    for _ in range(2):
        assert soc.read("ADC1_COMMON", "CCR") == 0
        soc.write("ADC1_COMMON", "CCR", 0)
    assert set(told(soc)) == {"clock-off-idle"}
    soc.write("ADC1_COMMON", "CCR", 0)  # not as read: this would have changed the prescaler
    assert told(soc)[-1] == "clock-off"
    assert common.value == ADCPRE_4


def test_nor_where_zero_is_what_it_holds(soc: Soc) -> None:
    soc.write("ADC1_COMMON", "CCR", soc.read("ADC1_COMMON", "CCR"))
    assert set(told(soc)) == {"clock-off-idle"}


def test_a_changed_value_that_is_written_back_matters(soc: Soc) -> None:
    soc.write("GPIOA", "MODER", soc.read("GPIOA", "MODER") | 1 << 10)
    assert told(soc) == ["clock-off-idle", "clock-off"]


def test_asking_again_for_what_is_not_zero_matters(soc: Soc) -> None:
    assert soc.read("GPIOA", "MODER") == 0
    assert told(soc) == ["clock-off-idle"]
    assert soc.read("GPIOA", "MODER") == 0
    assert told(soc) == ["clock-off-idle", "clock-off"]


def test_what_was_read_before_the_clock_came_on_is_past(soc: Soc) -> None:
    assert soc.read("GPIOA", "MODER") == 0
    soc.write("RCC", "AHB1ENR", 1)
    soc.run_until(10**6)
    soc.write("RCC", "AHB1ENR", 0)
    assert soc.read("GPIOA", "MODER") == 0
    assert set(told(soc)) == {"clock-off-idle"}


def test_asking_again_for_what_is_zero_anyway_does_not(soc: Soc) -> None:
    for _ in range(3):
        assert soc.read("TIM2", "SR") == 0
    assert told(soc) == ["clock-off-idle"]


def test_sending_a_zero_byte_matters_although_the_register_holds_one(soc: Soc) -> None:
    soc.write("USART2", "DR", 0)
    assert told(soc) == ["clock-off"]


def test_a_read_that_would_have_an_effect_matters(soc: Soc) -> None:
    soc.read("USART2", "DR")
    assert told(soc) == ["clock-off"]
