"""The DAC as the manual describes it, without a core, on the STM32F407."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fwgen.board import load_board
from fwgen.machine.memory import MemoryMap
from fwgen.machine.pads import join
from fwgen.machine.soc import Soc
from fwgen.machine.stm32.dac_v1 import shifted
from fwgen.trace import Gap, Hazard, Voltage
from tests.machine.stm32.alone import Requests

if TYPE_CHECKING:
    from collections.abc import Callable

US = 10**6
CYCLE = 62_500  # of PCLK1
SUPPLY = 3_000_000  # of the board
EN, BOFF, TEN, DMAEN, DMAUDRIE = 1, 2, 4, 1 << 12, 1 << 13
NOISE, TRIANGLE = 1 << 6, 2 << 6
SOFTWARE = 7 << 3
RAM = 0x2000_0000


def fresh() -> Soc:
    """PA4 and PA5 in analog mode; DAC, timers and DMA clocked at 16 MHz."""
    soc = Soc(load_board("stm32f4-discovery"))
    soc.memory = MemoryMap(soc.chip)
    soc.reset(0, "PORRSTF")
    soc.recorder.started = True
    soc.write("RCC", "AHB1ENR", 3 << 21 | 0xFF)
    soc.write("RCC", "APB1ENR", 1 << 29 | 0x3F)
    soc.write("RCC", "APB2ENR", 1 << 14)
    wait(soc, US)
    soc.write("GPIOA", "MODER", soc.read("GPIOA", "MODER") | 0xF << 8)
    return soc


def wait(soc: Soc, ps: int) -> None:
    soc.run_until(soc.now_ps + ps)


def on(cr: int) -> Soc:
    soc = fresh()
    soc.write("DAC", "CR", cr)
    wait(soc, 20 * US)
    return soc


def uv(soc: Soc, pin: str = "PA4") -> int | None:
    return soc.fabric.pads[pin].voltage_at(soc.now_ps)[0]


def voltages(soc: Soc, pin: str = "PA4") -> list[int | None]:
    return [e.uv for e in soc.recorder.events if isinstance(e, Voltage) and e.pin == pin]


def told(soc: Soc) -> list[str]:
    return [e.code for e in soc.recorder.events if isinstance(e, Hazard)]


def triggered(soc: Soc, cr: int = 0) -> Callable[[], int]:
    """Channel 1 by software: what each trigger makes of it."""
    soc.write("DAC", "CR", SOFTWARE | TEN | cr)
    soc.write("DAC", "CR", SOFTWARE | TEN | EN | cr)

    def fire() -> int:
        soc.write("DAC", "SWTRIGR", 1)
        wait(soc, US)
        return soc.read("DAC", "DOR1")

    return fire


def timer(soc: Soc, name: str, period: int) -> None:
    """TRGO at each update, of so many cycles."""
    soc.write(name, "CR2", 2 << 4)
    soc.write(name, "ARR", period - 1)
    soc.write(name, "CR1", 1)


# ---------------------------------------------------------------------------- data


@given(code=st.integers(0, 4095))
def test_a_code_becomes_a_voltage_after_one_cycle(code: int) -> None:
    soc = on(EN | BOFF)
    soc.write("DAC", "DHR12R1", code)
    now = soc.now_ps
    soc.run_until(now + CYCLE)
    assert soc.read("DAC", "DOR1") == code
    assert uv(soc) == round(code * SUPPLY / 4095)


def test_the_output_floats_until_the_channel_is_awake_and_once_it_is_off() -> None:
    soc = fresh()
    soc.write("DAC", "DHR12R1", 2048)
    soc.write("DAC", "CR", EN)
    wait(soc, 6 * US)
    assert uv(soc) is None
    wait(soc, US)
    assert uv(soc) == round(2048 * SUPPLY / 4095)
    soc.write("DAC", "CR", 0)
    assert uv(soc) is None
    assert voltages(soc) == [round(2048 * SUPPLY / 4095), None]


@pytest.mark.parametrize(
    ("register", "written", "one", "two"),
    [
        ("DHR12R1", 0xABC, 0xABC, 0), ("DHR12L1", 0xABC0, 0xABC, 0), ("DHR8R1", 0xAB, 0xAB0, 0),
        ("DHR12R2", 0xABC, 0, 0xABC), ("DHR12L2", 0xABC0, 0, 0xABC), ("DHR8R2", 0xAB, 0, 0xAB0),
        ("DHR12RD", 0x123_0ABC, 0xABC, 0x123), ("DHR12LD", 0x1230_ABC0, 0xABC, 0x123),
        ("DHR8RD", 0x12AB, 0xAB0, 0x120),
    ],
)  # fmt: skip
def test_every_alignment(register: str, written: int, one: int, two: int) -> None:
    soc = on(EN | EN << 16)
    soc.write("DAC", register, written)
    wait(soc, US)
    assert (soc.read("DAC", "DOR1"), soc.read("DAC", "DOR2")) == (one, two)
    soc.reset(soc.now_ps, "SFTRSTF")
    assert uv(soc) is None
    assert uv(soc, "PA5") is None


def test_the_buffer_does_not_reach_the_rails() -> None:
    soc = on(EN)
    assert uv(soc) == 200_000
    soc.write("DAC", "DHR12R1", 4095)
    wait(soc, 10 * US)
    assert uv(soc) == SUPPLY - 200_000
    assert told(soc) == ["dac-swing"]
    soc.write("DAC", "CR", EN | BOFF)
    assert soc.fabric.pads["PA4"].voltage_at(soc.now_ps) == (SUPPLY, 15_000)


# ---------------------------------------------------------------------------- triggers


def test_a_software_trigger_loads_what_is_held() -> None:
    soc = fresh()
    fire = triggered(soc)
    soc.write("DAC", "DHR12R1", 1000)
    wait(soc, US)
    assert soc.read("DAC", "DOR1") == 0
    assert fire() == 1000
    assert soc.read("DAC", "SWTRIGR") == 0


@pytest.mark.parametrize(
    ("select", "name"), [(0, "TIM6"), (2, "TIM7"), (3, "TIM5"), (4, "TIM2"), (5, "TIM4")]
)
def test_a_timers_trgo_loads_it_three_cycles_later(select: int, name: str) -> None:
    soc = fresh()
    soc.write("DAC", "CR", select << 3 | TEN | EN)
    soc.write("DAC", "DHR12R1", 1000)
    heard: list[int] = []
    soc.fabric.output(f"{name}_TRGO").listen(lambda t, level: heard.append(t) if level else None)
    timer(soc, name, 160)
    while not heard:
        wait(soc, CYCLE)
    soc.run_until(heard[0] + 3 * CYCLE - 1)
    assert soc.read("DAC", "DOR1") == 0
    soc.run_until(heard[0] + 3 * CYCLE)
    assert soc.read("DAC", "DOR1") == 1000


def test_tim8_and_exti9_trigger_too() -> None:
    soc = fresh()
    soc.write("RCC", "APB2ENR", 1 << 14 | 2)
    wait(soc, US)
    soc.write("DAC", "CR", 1 << 3 | TEN | EN)
    soc.write("DAC", "DHR12R1", 1000)
    timer(soc, "TIM8", 160)
    wait(soc, 30 * US)
    assert soc.read("DAC", "DOR1") == 1000
    soc = fresh()
    soc.write("DAC", "CR", 6 << 3 | TEN | EN)
    soc.write("DAC", "DHR12R1", 1000)
    soc.write("EXTI", "EMR", 1 << 9)
    soc.write("EXTI", "RTSR", 1 << 9)
    pad = soc.fabric.pads["PA9"]
    pad.drive_outside(soc.now_ps, "test", 0)
    wait(soc, US)
    assert soc.read("DAC", "DOR1") == 0
    pad.drive_outside(soc.now_ps, "test", 1)
    wait(soc, US)
    assert soc.read("DAC", "DOR1") == 1000


def test_a_software_trigger_that_is_not_chosen_does_nothing_and_is_told() -> None:
    soc = on(EN)
    soc.write("DAC", "SWTRIGR", 1)
    assert told(soc) == ["dac-trigger"]


def test_a_trigger_changed_while_it_is_on_is_told() -> None:
    soc = fresh()
    triggered(soc)
    soc.write("DAC", "CR", TEN | EN)
    assert told(soc) == ["dac-locked"]


# ---------------------------------------------------------------------------- waves


def test_noise_begins_as_the_manual_shows_it() -> None:
    """RM0090 Figure 69: 0xAAA, then 0xD55."""
    soc = fresh()
    fire = triggered(soc, NOISE | 11 << 8)
    assert [fire() for _ in range(2)] == [0xAAA, 0xD55]
    soc.write("DAC", "CR", SOFTWARE | TEN | EN | 11 << 8)
    soc.write("DAC", "CR", SOFTWARE | TEN | EN | NOISE | 11 << 8)
    assert fire() == 0xAAA


def test_the_shift_register_goes_through_every_value_but_zero() -> None:
    seen, value = set(), 0xAAA
    while value not in seen:
        seen.add(value)
        value = shifted(value)
    assert len(seen) == 4095
    assert shifted(0) == 0x800


@pytest.mark.parametrize("mamp", range(13))
def test_noise_is_masked_and_added(mamp: int) -> None:
    soc = fresh()
    soc.write("DAC", "DHR12R1", 0x100)
    fire = triggered(soc, NOISE | mamp << 8)
    top = (2 << min(mamp, 11)) - 1
    got = [fire() for _ in range(4)]
    lfsr, expected = 0xAAA, []
    for _ in got:
        expected.append(min(0x100 + (lfsr & top), 4095))
        lfsr = shifted(lfsr)
    assert got == expected


def test_a_triangle_goes_up_to_its_amplitude_and_down() -> None:
    soc = fresh()
    soc.write("DAC", "DHR12R1", 0xABE)
    fire = triggered(soc, TRIANGLE | 1 << 8)
    assert [fire() - 0xABE for _ in range(9)] == [0, 1, 2, 3, 2, 1, 0, 1, 2]


def test_a_wave_that_goes_beyond_twelve_bits_is_a_gap() -> None:
    soc = fresh()
    soc.write("DAC", "DHR12R1", 4095)
    fire = triggered(soc, TRIANGLE)
    fire()
    assert not [e for e in soc.recorder.events if isinstance(e, Gap)]
    fire()
    assert [e.register for e in soc.recorder.events if isinstance(e, Gap)] == ["CR.WAVE1"]


# ---------------------------------------------------------------------------- DMA


def fed(period: int, *, channel: int = 1, stream: bool = True) -> Soc:
    """DMA1 stream 5 (6 for channel 2) brings 8 codes round and round, at TIM6's pace."""
    soc = fresh()
    assert soc.memory is not None
    for n in range(8):
        soc.memory.program(RAM + 2 * n, (1000 + 100 * n).to_bytes(2, "little"))
    s = 4 + channel
    if stream:
        soc.write("DMA1", f"S{s}PAR", 0x4000_7400 + (0x08 if channel == 1 else 0x14))
        soc.write("DMA1", f"S{s}M0AR", RAM)
        soc.write("DMA1", f"S{s}NDTR", 8)
        soc.write("DMA1", f"S{s}CR", 7 << 25 | 1 << 13 | 1 << 11 | 1 << 10 | 1 << 8 | 1 << 6 | 1)
    cr = (TEN | EN | DMAEN | DMAUDRIE) << 16 * (channel - 1)
    soc.write("DAC", "CR", cr)
    wait(soc, 10 * US)
    timer(soc, "TIM6", period)
    return soc


@pytest.mark.parametrize(("channel", "pin"), [(1, "PA4"), (2, "PA5")])
def test_dma_feeds_a_wave(channel: int, pin: str) -> None:
    soc = fed(160, channel=channel)
    wait(soc, 10 * 18 * US)
    codes = [round(v * 4095 / SUPPLY) for v in voltages(soc, pin) if v is not None]
    assert codes[1:17] == [1000 + 100 * n for n in range(8)] * 2
    assert soc.read("DAC", "SR") == 0


@pytest.mark.parametrize("channel", [1, 2])
def test_a_trigger_before_the_data_is_an_underrun(channel: int) -> None:
    soc = fed(160, channel=channel, stream=False)
    heard = Requests(soc)
    wait(soc, 25 * US)
    flag = 1 << (13 if channel == 1 else 29)
    assert soc.read("DAC", "SR") == flag
    assert [(irq, level) for _, irq, level in heard.changes if irq == 54 and level] == [(54, True)]
    assert not soc.dma.level("DMA1", 4 + channel, 7)
    wait(soc, 50 * US)  # triggers go on, but nothing is asked for
    assert not soc.dma.level("DMA1", 4 + channel, 7)
    soc.write("DAC", "SR", flag)
    assert soc.read("DAC", "SR") == 0
    wait(soc, 11 * US)
    assert soc.dma.level("DMA1", 4 + channel, 7)
    assert "dac-underrun" in told(soc)


def test_a_software_trigger_asks_for_no_data() -> None:
    soc = fresh()
    fire = triggered(soc, DMAEN)
    fire()
    fire()
    assert soc.read("DAC", "SR") == 0
    assert not soc.dma.level("DMA1", 5, 7)


# ---------------------------------------------------------------------------- the pin


def test_a_pin_that_is_not_in_analog_mode_is_told() -> None:
    soc = fresh()
    soc.write("GPIOA", "MODER", soc.read("GPIOA", "MODER") & ~(3 << 8))
    soc.write("DAC", "CR", EN)
    assert told(soc) == ["dac-pin-mode"]


def test_an_output_against_it_is_a_fight() -> None:
    soc = on(EN | BOFF)
    soc.write("DAC", "DHR12R1", 2000)
    wait(soc, 10 * US)
    soc.fabric.pads["PA4"].set_voltage(soc.now_ps, Voltage(soc.now_ps, "PA4", 10**6, 10**6))
    soc.write("DAC", "DHR12R1", 2001)
    wait(soc, 10 * US)
    assert "output-fight" in told(soc)


def test_a_weak_source_is_overcome_and_a_bare_output_is_pulled() -> None:
    soc = on(EN)
    soc.write("DAC", "DHR12R1", 2048)
    wait(soc, 10 * US)
    weak = Voltage(soc.now_ps, "PA4", 0, 0, ohm=15_000)
    soc.fabric.pads["PA4"].set_voltage(soc.now_ps, weak)
    stiff = round(2048 * SUPPLY / 4095)
    assert uv(soc) == stiff
    soc.write("DAC", "CR", EN | BOFF)
    assert soc.fabric.pads["PA4"].voltage_at(soc.now_ps) == (stiff // 2, 7_500)


def test_a_wire_carries_it_to_another_pin() -> None:
    soc = on(EN)
    soc.write("DAC", "DHR12R1", 1234)
    join(soc.now_ps, [soc.fabric.pads["PA4"], soc.fabric.pads["PA1"]])
    wait(soc, 10 * US)
    assert uv(soc, "PA1") == uv(soc) == round(1234 * SUPPLY / 4095)
    changes: list[int] = []
    soc.fabric.pads["PA1"].watch(changes.append)
    soc.write("DAC", "DHR12R1", 2000)
    wait(soc, US)
    assert len(changes) == 1


def test_large_steps_faster_than_it_settles_are_a_note_and_small_ones_are_not() -> None:
    for step, codes in ((1, []), (500, ["dac-settling"])):
        soc = on(EN)
        soc.write("DAC", "DHR12R1", 1000)
        wait(soc, 10 * US)
        soc.recorder.events.clear()
        for n in range(1, 4):
            soc.write("DAC", "DHR12R1", 1000 + n * step)
            wait(soc, US)
        assert told(soc) == codes
