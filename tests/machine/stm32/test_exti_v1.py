"""SYSCFG and EXTI: which pin feeds which line, and what an edge on it does."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fwgen.machine.stm32.exti_v1 import GRACE_PS, REQUESTS, Exti
from fwgen.machine.stm32.rcc_f4 import Rcc
from fwgen.trace import Hazard

if TYPE_CHECKING:
    from collections.abc import Callable

    from fwgen.machine.soc import Soc

SYSCFGEN = 1 << 14


def exti(soc: Soc) -> Exti:
    return cast("Exti", soc.peripherals["EXTI"])


@pytest.fixture
def soc(make_soc: Callable[..., Soc]) -> Soc:
    """A chip whose PC13 (the button, pulled up) feeds line 13, falling edge, unmasked."""
    soc = make_soc()
    soc.fabric.pads["PC13"].set_resistor(0, 1)
    choose(soc, 13, 2)
    soc.write("EXTI", "FTSR", 1 << 13)
    soc.write("EXTI", "IMR", 1 << 13)
    return soc


def choose(soc: Soc, line: int, port: int) -> None:
    soc.write("RCC", "APB2ENR", SYSCFGEN)
    soc.run_until(soc.now_ps + 10**6)
    soc.write("SYSCFG", f"EXTICR{line // 4 + 1}", port << 4 * (line % 4))
    soc.write("RCC", "APB2ENR", 0)


def press(soc: Soc, level: int, pin: str = "PC13") -> None:
    soc.run_until(soc.now_ps + 10**6)
    soc.fabric.pads[pin].drive_outside(soc.now_ps, "B1", level)


def requested(soc: Soc) -> set[str]:
    irqs = exti(soc).spec.irqs
    return {name for name, irq in irqs.items() if soc.interrupts.level(irq)}


def test_the_selected_edge_pends_until_software_clears_it(soc: Soc) -> None:
    assert soc.read("EXTI", "PR") == 0
    press(soc, 0)
    assert soc.read("EXTI", "PR") == 1 << 13
    assert requested(soc) == {"exti15_10"}
    press(soc, 1)
    soc.write("EXTI", "PR", 0xFFFF & ~(1 << 13))
    assert soc.read("EXTI", "PR") == 1 << 13
    soc.write("EXTI", "PR", 1 << 13)
    assert soc.read("EXTI", "PR") == 0
    assert requested(soc) == set()


def test_the_other_edge_does_nothing_until_selected(soc: Soc) -> None:
    press(soc, 0)
    soc.write("EXTI", "PR", 1 << 13)
    press(soc, 1)
    assert soc.read("EXTI", "PR") == 0
    soc.write("EXTI", "RTSR", 1 << 13)
    press(soc, 0)
    soc.write("EXTI", "PR", 1 << 13)
    press(soc, 1)
    assert soc.read("EXTI", "PR") == 1 << 13


def test_a_masked_line_does_not_pend(soc: Soc) -> None:
    soc.write("EXTI", "IMR", 0)
    press(soc, 0)
    assert soc.read("EXTI", "PR") == 0
    soc.write("EXTI", "IMR", 1 << 13)
    assert requested(soc) == set()


def test_masking_a_pending_line_withdraws_its_request(soc: Soc) -> None:
    press(soc, 0)
    soc.write("EXTI", "IMR", 0)
    assert requested(soc) == set()
    soc.write("EXTI", "IMR", 1 << 13)
    assert requested(soc) == {"exti15_10"}


def test_only_the_chosen_port_feeds_a_line(soc: Soc) -> None:
    press(soc, 0, "PB13")
    assert soc.read("EXTI", "PR") == 0
    press(soc, 1, "PB13")
    choose(soc, 13, 1)
    press(soc, 0)
    assert soc.read("EXTI", "PR") == 0
    press(soc, 0, "PB13")
    assert soc.read("EXTI", "PR") == 1 << 13


def test_choosing_a_pin_of_another_level_is_an_edge(soc: Soc) -> None:
    press(soc, 0, "PB13")
    choose(soc, 13, 1)
    assert soc.read("EXTI", "PR") == 1 << 13


def test_a_reserved_choice_feeds_nothing(soc: Soc) -> None:
    soc.write("EXTI", "FTSR", 0)
    choose(soc, 13, 9)
    soc.write("EXTI", "FTSR", 1 << 13)
    press(soc, 0)
    assert soc.read("EXTI", "PR") == 0


def test_an_event_reaches_the_core_and_does_not_pend(soc: Soc) -> None:
    events: list[int] = []
    exti(soc).on_event = events.append
    soc.write("EXTI", "IMR", 0)
    soc.write("EXTI", "EMR", 1 << 13)
    press(soc, 0)
    assert events == [soc.now_ps]
    assert soc.read("EXTI", "PR") == 0
    assert requested(soc) == set()


def test_software_raises_a_line_once_until_its_flag_is_cleared(soc: Soc) -> None:
    soc.write("EXTI", "IMR", 1 << 13 | 1 << 17)
    soc.write("EXTI", "SWIER", 1 << 17)
    assert soc.read("EXTI", "PR") == soc.read("EXTI", "SWIER") == 1 << 17
    assert requested(soc) == {"rtc_alarm"}
    soc.write("EXTI", "PR", 1 << 17)
    assert soc.read("EXTI", "SWIER") == soc.read("EXTI", "PR") == 0
    soc.write("EXTI", "SWIER", 1)  # masked
    assert soc.read("EXTI", "PR") == 0


@given(line=st.sampled_from([*range(19), 21, 22]))
def test_each_line_raises_its_own_request(session_soc: Callable[[], Soc], line: int) -> None:
    soc = session_soc()
    soc.write("EXTI", "IMR", 1 << line)
    soc.write("EXTI", "SWIER", 1 << line)
    assert requested(soc) == {name for name, lines in REQUESTS.items() if line in lines}


def test_lines_that_share_a_request_keep_it_up_together(soc: Soc) -> None:
    soc.write("EXTI", "IMR", 0xFFFF)
    soc.write("EXTI", "SWIER", 0x0C00)
    assert requested(soc) == {"exti15_10"}
    soc.write("EXTI", "PR", 1 << 10)
    assert requested(soc) == {"exti15_10"}
    soc.write("EXTI", "PR", 1 << 11)
    assert requested(soc) == set()


def test_it_works_in_stop(soc: Soc) -> None:
    cast("Rcc", soc.peripherals["RCC"]).enter_sleep(soc.now_ps, "stop")
    press(soc, 0)
    assert requested(soc) == {"exti15_10"}


def test_a_system_reset_disarms_every_line(soc: Soc) -> None:
    press(soc, 0)
    soc.reset(soc.now_ps, "SFTRSTF")
    assert requested(soc) == set()
    press(soc, 1)
    press(soc, 0)
    assert soc.read("EXTI", "PR") == 0


def floating(soc: Soc) -> list[str]:
    return [e.message for e in soc.recorder.events if isinstance(e, Hazard)]


def test_an_enabled_line_on_a_floating_pin_is_a_hazard(make_soc: Callable[..., Soc]) -> None:
    soc = make_soc()
    soc.write("EXTI", "RTSR", 1 << 4)
    soc.write("EXTI", "IMR", 1 << 4)
    assert floating(soc) == []
    soc.run_until(GRACE_PS + 1)
    assert floating(soc) == ["EXTI line 4 listens to PA4, which nothing drives or pulls"]


def test_a_pin_that_is_pulled_in_time_is_none(soc: Soc) -> None:
    soc.run_until(soc.now_ps + 2 * GRACE_PS)
    assert floating(soc) == []


def test_the_compensation_cell_becomes_ready(make_soc: Callable[..., Soc]) -> None:
    soc = make_soc()
    soc.write("RCC", "APB2ENR", SYSCFGEN)
    soc.run_until(10**6)
    soc.write("SYSCFG", "CMPCR", 1)
    assert soc.read("SYSCFG", "CMPCR") == 1
    soc.run_until(10**8)
    assert soc.read("SYSCFG", "CMPCR") == 0x101
    soc.write("SYSCFG", "CMPCR", 0)
    assert soc.read("SYSCFG", "CMPCR") == 0
