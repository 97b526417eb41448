"""Ports: what a pad does follows from registers, routing and the world outside."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fwgen.machine.stm32.gpio_v2 import GRACE_PS, Gpio
from fwgen.machine.waves import SquareWave
from fwgen.trace import Edge, Gap, Hazard, Wave

if TYPE_CHECKING:
    from collections.abc import Callable

    from fwgen.machine.soc import Soc

DEBUG_A = 0xA800_0000  # MODER of port A after reset
INPUT, OUTPUT, ALTERNATE, ANALOG = range(4)


@pytest.fixture
def soc(make_soc: Callable[..., Soc]) -> Soc:
    """A chip with its ports' clocks on."""
    return clocked(make_soc())


def clocked(soc: Soc) -> Soc:
    soc.write("RCC", "AHB1ENR", 0x9F)
    soc.run_until(soc.now_ps + 10**6)
    return soc


def level(soc: Soc, pin: str) -> int | None:
    return soc.fabric.pads[pin].level


def modify(soc: Soc, register: str, lane: int, width: int, value: int, port: str = "A") -> None:
    mask = ((1 << width) - 1) << lane * width
    old = soc.read(f"GPIO{port}", register)
    soc.write(f"GPIO{port}", register, old & ~mask | value << lane * width)


def found(soc: Soc, code: str) -> list[Hazard]:
    return [e for e in soc.recorder.events if isinstance(e, Hazard) and e.code == code]


# ---------------------------------------------------------------------- levels


def test_after_reset_pads_float_but_for_the_debug_pins(soc: Soc) -> None:
    levels = {name: pad.level for name, pad in soc.fabric.pads.items() if pad.level is not None}
    assert levels == {"PA13": 1, "PA14": 0, "PA15": 1, "PB4": 1}


def test_an_output_drives_its_latch_and_reads_back_in_idr(soc: Soc) -> None:
    modify(soc, "MODER", 5, 2, OUTPUT)
    assert level(soc, "PA5") == 0
    soc.write("GPIOA", "BSRR", 1 << 5)
    assert level(soc, "PA5") == 1
    assert soc.read("GPIOA", "ODR") == 1 << 5
    assert soc.read("GPIOA", "IDR") >> 5 & 1 == 1
    soc.write("GPIOA", "BSRR", 1 << 21)
    assert level(soc, "PA5") == 0
    edges = [e.level for e in soc.recorder.events if isinstance(e, Edge) and e.pin == "PA5"]
    assert edges == [0, 1, 0]


def test_the_latch_is_kept_whatever_the_mode(soc: Soc) -> None:
    soc.write("GPIOA", "ODR", 1 << 5)
    assert level(soc, "PA5") is None
    modify(soc, "MODER", 5, 2, OUTPUT)
    assert level(soc, "PA5") == 1


@given(odr=st.integers(0, 0xFFFF), put=st.integers(0, 0xFFFF), clear=st.integers(0, 0xFFFF))
def test_set_has_priority_over_reset_in_bsrr(
    session_soc: Callable[[], Soc], odr: int, put: int, clear: int
) -> None:
    soc = clocked(session_soc())
    soc.write("GPIOC", "ODR", odr)
    soc.write("GPIOC", "BSRR", clear << 16 | put)
    assert soc.read("GPIOC", "ODR") == odr & ~clear | put
    assert soc.read("GPIOC", "BSRR") == 0


def test_the_upper_half_of_bsrr_alone_clears(soc: Soc) -> None:
    gpio = soc.peripherals["GPIOA"]
    soc.write("GPIOA", "ODR", 0xFF)
    gpio.write(0x1A, 2, 0x0F, soc.now_ps)
    assert soc.read("GPIOA", "ODR") == 0xF0


@given(
    mode=st.integers(0, 3), drain=st.integers(0, 1), pull=st.integers(0, 2),
    latch=st.integers(0, 1), outside=st.sampled_from((None, 0, 1)),
)  # fmt: skip
def test_the_level_follows_from_mode_type_pull_latch_and_outside(
    session_soc: Callable[[], Soc], mode: int, drain: int, pull: int, latch: int,
    outside: int | None,
) -> None:  # fmt: skip
    soc = clocked(session_soc())
    pad = soc.fabric.pads["PC6"]
    pad.drive_outside(soc.now_ps, "wire", outside)
    for register, width, value in (
        ("PUPDR", 2, pull), ("OTYPER", 1, drain), ("ODR", 1, latch), ("MODER", 2, mode),
    ):  # fmt: skip
        modify(soc, register, 6, width, value, "C")
    driven = latch if mode == OUTPUT and not (drain and latch) else None
    pulled = None if mode == ANALOG else {1: 1, 2: 0}.get(pull)
    expected = next((v for v in (outside, driven, pulled) if v is not None), None)
    assert pad.level == expected
    assert pad.driven_inside == driven
    seen = 0 if mode == ANALOG else expected or 0
    assert soc.read("GPIOC", "IDR") >> 6 & 1 == seen
    fight = driven is not None and outside is not None and driven != outside
    assert bool(found(soc, "output-fight")) == fight


def test_pads_keep_their_state_while_the_ports_clock_is_off(soc: Soc) -> None:
    modify(soc, "MODER", 5, 2, OUTPUT)
    soc.write("GPIOA", "BSRR", 1 << 5)
    soc.write("RCC", "AHB1ENR", 0)
    assert level(soc, "PA5") == 1


def test_idr_is_peeked_without_effect_and_stable(soc: Soc) -> None:
    gpio = soc.peripherals["GPIOC"]
    soc.fabric.pads["PC13"].drive_outside(soc.now_ps, "B1", 1)
    before = len(soc.recorder.events)
    peek = gpio.peek(0x10, 4, soc.now_ps)
    assert peek is not None
    assert peek.value == 1 << 13
    assert peek.stable_until_ps > 10**18
    assert len(soc.recorder.events) == before


def test_a_pin_that_the_package_lacks_is_only_a_bit(soc: Soc) -> None:
    modify(soc, "MODER", 11, 2, OUTPUT, "B")
    soc.write("GPIOB", "BSRR", 1 << 11)
    assert soc.read("GPIOB", "ODR") == 1 << 11
    assert soc.read("GPIOB", "IDR") >> 11 & 1 == 0


# ---------------------------------------------------------------------- lock


def lock(soc: Soc, bits: int, words: tuple[int, ...] | None = None) -> int:
    key = 1 << 16
    for word in words or (key | bits, bits, key | bits):
        soc.write("GPIOA", "LCKR", word)
    return soc.read("GPIOA", "LCKR")


def test_the_lock_sequence_freezes_the_configuration_until_reset(soc: Soc) -> None:
    modify(soc, "MODER", 5, 2, OUTPUT)
    assert lock(soc, 1 << 5) == 1 << 16 | 1 << 5
    before = {r: soc.read("GPIOA", r) for r in ("MODER", "OTYPER", "OSPEEDR", "PUPDR", "AFRL")}
    for register, width in (("MODER", 2), ("OTYPER", 1), ("OSPEEDR", 2), ("PUPDR", 2), ("AFRL", 4)):
        modify(soc, register, 5, width, 1 if register != "MODER" else ANALOG)
        assert soc.read("GPIOA", register) == before[register], register
    modify(soc, "MODER", 6, 2, OUTPUT)  # not locked
    assert soc.read("GPIOA", "MODER") == before["MODER"] | 1 << 12
    soc.write("GPIOA", "BSRR", 1 << 5)  # data are free
    assert level(soc, "PA5") == 1
    soc.write("GPIOA", "LCKR", 0)
    assert soc.read("GPIOA", "LCKR") == 1 << 16 | 1 << 5
    soc.reset(soc.now_ps, "SFTRSTF")
    clocked(soc)
    assert soc.read("GPIOA", "LCKR") == 0


@pytest.mark.parametrize(
    "words",
    [
        (0x1_0020, 0x20),
        (0x1_0020, 0x1_0020, 0x1_0020),
        (0x1_0020, 0x20, 0x20),
        (0x1_0020, 0x21, 0x1_0020),
        (0x1_0020, 0x20, 0x1_0020, 0x20),
        (0x20, 0x1_0020, 0x20),
    ],
)
def test_any_error_in_the_lock_sequence_aborts_it(soc: Soc, words: tuple[int, ...]) -> None:
    assert not lock(soc, 0x20, words) >> 16
    modify(soc, "MODER", 5, 2, OUTPUT)
    assert level(soc, "PA5") == 0


# ---------------------------------------------------------------------- alternate functions


def route(soc: Soc, pin: str, number: int) -> None:
    port, index = pin[1], int(pin[2:])
    register = "AFRL" if index < 8 else "AFRH"
    modify(soc, register, index % 8, 4, number, port)
    modify(soc, "MODER", index, 2, ALTERNATE, port)


def test_a_peripherals_output_reaches_the_pin_its_function_selects(soc: Soc) -> None:
    line = soc.fabric.output("TIM2_CH1")
    line.drive(soc.now_ps, 1)
    route(soc, "PA5", 1)
    assert level(soc, "PA5") == 1
    line.drive(soc.now_ps, 0)
    assert level(soc, "PA5") == 0
    line.drive(soc.now_ps, None)
    assert level(soc, "PA5") is None
    modify(soc, "AFRL", 5, 4, 5)
    line.drive(soc.now_ps, 1)
    assert level(soc, "PA5") is None


def test_one_output_may_come_out_on_several_pins(soc: Soc) -> None:
    line = soc.fabric.output("TIM2_CH1")
    route(soc, "PA0", 1)
    route(soc, "PA5", 1)
    line.drive(soc.now_ps, 1)
    assert level(soc, "PA0") == level(soc, "PA5") == 1
    assert not found(soc, "shared-input")


def test_a_wave_passes_straight_to_the_trace(soc: Soc) -> None:
    line = soc.fabric.output("TIM2_CH1")
    route(soc, "PA5", 1)
    t = soc.now_ps
    line.drive_wave(SquareWave(t, 1, Fraction(250 * 10**9), Fraction(250 * 10**9)))
    soc.run_until(t + 10**13)
    waves = [e for e in soc.recorder.events if isinstance(e, Wave)]
    assert [(w.pin, w.t_ps, w.level) for w in waves] == [("PA5", t, 1)]
    assert soc.recorder.events[-1] is waves[-1]
    peek = soc.peripherals["GPIOA"].peek(0x10, 4, soc.now_ps)
    assert peek is not None
    assert peek.value >> 5 & 1 == 1
    assert peek.stable_until_ps == t + 10**13 + 250 * 10**9


def test_an_input_is_fed_by_the_pin_its_function_selects(soc: Soc) -> None:
    line = soc.fabric.input("USART2_RX")
    pad = soc.fabric.pads["PA3"]
    pad.drive_outside(soc.now_ps, "console", 1)
    assert line.level(soc.now_ps) is None
    heard: list[int | None] = []
    line.listen(lambda _t, now: heard.append(now))
    route(soc, "PA3", 7)
    pad.drive_outside(soc.now_ps, "console", 0)
    assert heard == [1, 0]
    modify(soc, "MODER", 3, 2, INPUT)
    pad.drive_outside(soc.now_ps, "console", 1)
    assert heard == [1, 0, None]


def test_an_input_fed_by_two_pins_is_a_hazard(soc: Soc) -> None:
    soc.fabric.input("USART1_RX")
    route(soc, "PA10", 7)
    route(soc, "PB7", 7)
    assert [h.message for h in found(soc, "shared-input")] == [
        "USART1_RX is fed by PA10 and by PB7"
    ]


def test_a_function_that_the_pin_lacks_is_told_once_it_stays(soc: Soc) -> None:
    route(soc, "PA5", 3)
    assert not found(soc, "wrong-alternate-function")
    soc.run_until(soc.now_ps + GRACE_PS)
    (hazard,) = found(soc, "wrong-alternate-function")
    assert hazard.message == "PA5 is set to AF3, which connects nothing there"
    assert "AF1 TIM2_CH1" in hazard.cure


def test_mode_before_function_is_no_hazard(soc: Soc) -> None:
    soc.fabric.output("TIM2_CH1")
    modify(soc, "MODER", 5, 2, ALTERNATE)
    modify(soc, "AFRL", 5, 4, 1)
    soc.run_until(soc.now_ps + 2 * GRACE_PS)
    assert not found(soc, "wrong-alternate-function")


def test_eventout_is_a_gap(soc: Soc) -> None:
    route(soc, "PA5", 15)
    soc.run_until(soc.now_ps + GRACE_PS)
    assert [e.register for e in soc.recorder.events if isinstance(e, Gap)] == ["AFRL"]


# ---------------------------------------------------------------------- the debugger, floating


@pytest.mark.parametrize(
    ("register", "value", "pin"),
    [
        ("MODER", 0x0000_0400, "PA13"),
        ("MODER", 0x8800_0400, "PA14"),
        ("MODER", 0x6800_0400, None),  # PA15 is JTAG's: SWD stays
        ("AFRH", 0x0F00_0000, "PA14"),
    ],
)
def test_pins_that_leave_the_debugger_are_told(
    soc: Soc, register: str, value: int, pin: str | None
) -> None:
    soc.write("GPIOA", register, value)
    told = {h.message.split()[0] for h in found(soc, "swd-remapped")}
    if pin is None:
        assert told == set()
    else:
        assert pin in told
        assert all(h.severity == "error" for h in found(soc, "swd-remapped"))


def test_a_read_modify_write_keeps_the_debugger(soc: Soc) -> None:
    modify(soc, "MODER", 5, 2, OUTPUT)
    assert not found(soc, "swd-remapped")


def test_a_floating_input_matters_only_when_it_decides(soc: Soc) -> None:
    gpio = cast("Gpio", soc.peripherals["GPIOC"])
    assert soc.read("GPIOC", "IDR") == 0
    assert not found(soc, "floating-input")
    gpio.used(1 << 13 | 1 << 5)
    assert [h.message.split()[0] for h in found(soc, "floating-input")] == ["PC5", "PC13"]
    modify(soc, "PUPDR", 6, 2, 1, "C")
    gpio.used(1 << 6)
    assert len(found(soc, "floating-input")) == 2


def test_a_reserved_pull_is_told(soc: Soc) -> None:
    modify(soc, "PUPDR", 5, 2, 3)
    assert [h.message for h in found(soc, "reserved-value")] == [
        "PA5: PUPDR is 11, which is reserved"
    ]
