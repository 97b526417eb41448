"""Timers, USART and watchdog within the whole chip: clock tree, gates and pins as firmware sees."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

from fwgen.trace import Edge, Hazard, SerialByte, Wave

if TYPE_CHECKING:
    from fwgen.machine.soc import Soc

US, MS = 10**6, 10**9
TICK = 62_500


def alternate(soc: Soc, port: str, pin: int, function: int) -> None:
    register = "AFRL" if pin < 8 else "AFRH"
    shift = 4 * (pin % 8)
    soc.write(port, register, soc.read(port, register) & ~(15 << shift) | function << shift)
    soc.write(port, "MODER", soc.read(port, "MODER") & ~(3 << 2 * pin) | 2 << 2 * pin)


def clocks(soc: Soc, register: str, bits: int) -> None:
    soc.write("RCC", register, soc.read("RCC", register) | bits)
    soc.run_until(soc.now_ps + US)


def test_pwm_reaches_the_pin_as_a_wave(soc: Soc) -> None:
    clocks(soc, "AHB1ENR", 1)
    clocks(soc, "APB1ENR", 1)
    alternate(soc, "GPIOA", 5, 1)
    for register, value in (
        ("PSC", 15), ("ARR", 999), ("CCR1", 250), ("CCMR1", 0x68), ("CCER", 1), ("EGR", 1),
        ("CR1", 1),
    ):  # fmt: skip
        soc.write("TIM2", register, value)
    start = soc.now_ps
    soc.run_until(start + 100 * MS)
    seen = [e for e in soc.recorder.events if isinstance(e, Edge | Wave) and e.pin == "PA5"]
    assert seen[-1] == Wave(
        start + TICK * (1 + 250 * 16), "PA5", 0, Fraction(750 * US), Fraction(250 * US)
    )
    assert len(seen) <= 4
    assert not [e for e in soc.recorder.events if isinstance(e, Hazard)]


def test_the_timer_clock_doubles_when_the_bus_is_divided(soc: Soc) -> None:
    clocks(soc, "APB1ENR", 1)
    soc.write("RCC", "CFGR", 5 << 10)  # APB1 = HCLK / 4: timers run at HCLK / 2
    soc.run_until(soc.now_ps + US)
    soc.write("TIM2", "CR1", 1)
    soc.run_until(soc.now_ps + 100 * US)
    assert soc.read("TIM2", "CNT") == 800 - 1


def test_a_gated_timer_stands_still(soc: Soc) -> None:
    clocks(soc, "APB1ENR", 1)
    soc.write("TIM2", "CR1", 1)
    soc.run_until(soc.now_ps + 10 * US)
    soc.write("RCC", "APB1ENR", 0)
    soc.run_until(soc.now_ps + 10 * US)
    clocks(soc, "APB1ENR", 1)
    assert 170 <= soc.read("TIM2", "CNT") <= 180


def test_one_timer_measures_the_pwm_of_another_through_pins(soc: Soc) -> None:
    clocks(soc, "AHB1ENR", 7)
    clocks(soc, "APB1ENR", 6)
    alternate(soc, "GPIOA", 6, 2)  # TIM3_CH1
    alternate(soc, "GPIOB", 6, 2)  # TIM4_CH1
    pa6, pb6 = soc.fabric.pads["PA6"], soc.fabric.pads["PB6"]
    pa6.listen(lambda t, level: pb6.drive_outside(t, "wire", level))
    for timer, register, value in (
        ("TIM3", "ARR", 1233), ("TIM3", "CCR1", 321), ("TIM3", "CCMR1", 0x68), ("TIM3", "CCER", 1),
        ("TIM3", "EGR", 1), ("TIM4", "CCMR1", 0x0201), ("TIM4", "CCER", 0x31),
        ("TIM4", "SMCR", 0x54), ("TIM4", "CR1", 1), ("TIM3", "CR1", 1),
    ):  # fmt: skip
        soc.write(timer, register, value)
    soc.run_until(soc.now_ps + 1234 * 5 * TICK)
    assert (soc.read("TIM4", "CCR1"), soc.read("TIM4", "CCR2")) == (1234, 321)


def test_the_console_speaks_and_hears(soc: Soc) -> None:
    clocks(soc, "AHB1ENR", 1)
    clocks(soc, "APB1ENR", 1 << 17)
    alternate(soc, "GPIOA", 2, 7)
    alternate(soc, "GPIOA", 3, 7)
    soc.fabric.pads["PA3"].drive_outside(soc.now_ps, "console", 1)
    soc.write("USART2", "BRR", 139)
    soc.write("USART2", "CR1", 0x200C)
    for byte in b"ok":
        while not soc.read("USART2", "SR") & 0x80:
            soc.run_until(soc.scheduler.next_ps)
        soc.write("USART2", "DR", byte)
    soc.run_until(soc.now_ps + MS)
    usart = soc.peripherals["USART2"]
    soc.run_until(usart.receive(soc.now_ps, 0x42, 115_200_000))  # type: ignore[attr-defined]
    assert soc.read("USART2", "DR") == 0x42
    serial = [e for e in soc.recorder.events if isinstance(e, SerialByte)]
    assert [(e.direction, e.byte) for e in serial] == [("tx", 111), ("tx", 107), ("rx", 0x42)]
    pins = [e for e in soc.recorder.events if isinstance(e, Edge) and e.pin == "PA2"]
    assert [e.level for e in pins] == [1]


def test_the_watchdog_starts_the_lsi(soc: Soc) -> None:
    resets: list[tuple[int, str]] = []
    soc.on_system_reset = lambda t, cause: resets.append((t, cause))
    soc.write("IWDG", "KR", 0xCCCC)
    soc.run_until(soc.now_ps + 600 * MS)
    ((t, cause),) = resets
    assert cause == "IWDGRSTF"
    assert 512 * MS <= t <= 513 * MS
