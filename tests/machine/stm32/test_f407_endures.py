"""ADCs, DAC and CAN of the STM32F407 endure whatever they are told, and looking changes nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import given, settings
from hypothesis import strategies as st

from fwgen.board import load_board
from fwgen.machine.memory import MemoryMap
from fwgen.machine.soc import Soc
from fwgen.trace import Voltage
from tests.effort import often
from tests.machine.stm32.buses import join_can

if TYPE_CHECKING:
    from collections.abc import Sequence

NAMES = ("ADC1", "ADC2", "ADC3", "ADC123_COMMON", "DAC", "CAN1", "CAN2")
US = 10**6
Write = tuple[str, str, int, int]


def fresh() -> Soc:
    """All clocked; PA4 and PA5 are the DAC's, PD0, PD1, PB12 and PB13 one bus of CAN."""
    soc = Soc(load_board("stm32f4-discovery"))
    soc.memory = MemoryMap(soc.chip)
    soc.reset(0, "PORRSTF")
    soc.recorder.started = True
    for register in ("AHB1ENR", "APB1ENR", "APB2ENR"):
        soc.write("RCC", register, {"AHB1ENR": 0x60_00FF}.get(register, 0xFFFF_FFFF))
    soc.run_until(US)
    soc.write("GPIOA", "MODER", soc.read("GPIOA", "MODER") | 0xFFFF)
    join_can(soc)
    for nth, pin in enumerate(("PA0", "PA1", "PA2", "PA3")):
        uv = 500_000 * (nth + 1)
        soc.fabric.pads[pin].set_voltage(soc.now_ps, Voltage(soc.now_ps, pin, uv, uv))
    soc.write("TIM6", "CR2", 2 << 4)
    soc.write("TIM6", "ARR", 99)
    soc.write("TIM6", "CR1", 1)
    return soc


REGISTERS = [
    (name, register)
    for name, peripheral in fresh().peripherals.items()
    if name in NAMES
    for register in peripheral.states
    if not (register[0] == "F" and register[1].isdecimal() and int(register[1]) > 1)
]
# Values that do something: modes entered, groups started, mailboxes sent, triggers chosen.
TELLING = [
    ("CAN1", "MCR", 0x1_0001), ("CAN1", "MCR", 0x1_0000), ("CAN2", "MCR", 0x1_0001),
    ("CAN2", "MCR", 0x1_0000), ("CAN1", "BTR", 0x0014_0001), ("CAN2", "BTR", 0x0014_0001),
    ("CAN1", "BTR", 0xC014_0001), ("CAN1", "FA1R", 0x4001), ("CAN1", "FS1R", 0x4001),
    ("CAN1", "FMR", 0x2A1C_0E00), ("CAN1", "TI0R", 0x0060_0001), ("CAN2", "TI1R", 0x0040_0001),
    ("CAN1", "RF0R", 0x20), ("CAN2", "TSR", 0x8000), ("CAN1", "MCR", 0x1_0050),
    ("ADC1", "CR2", 1), ("ADC2", "CR2", 1), ("ADC3", "CR2", 3), ("ADC1", "CR2", 0x4000_0001),
    ("ADC1", "CR2", 0x4000_0003), ("ADC1", "CR2", 0x0040_0001), ("ADC2", "SQR3", 1),
    ("ADC3", "SQR3", 2), ("ADC123_COMMON", "CCR", 0x8006), ("ADC123_COMMON", "CCR", 0x4016),
    ("ADC123_COMMON", "CCR", 0x8017), ("ADC123_COMMON", "CCR", 0x12), ("ADC2", "JSQR", 0x8000),
    ("DAC", "CR", 0x0001_0001), ("DAC", "CR", 0x1FC5), ("DAC", "CR", 0x0F85), ("DAC", "SWTRIGR", 3),
    ("DAC", "DHR12RD", 0x0400_0200),
]  # fmt: skip
writes = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(TELLING), st.sampled_from((0, US, 100 * US))).map(
            lambda pair: (*pair[0], pair[1])
        ),
        st.tuples(
            st.sampled_from(REGISTERS), st.integers(0, 0xFFFF_FFFF), st.sampled_from((0, US))
        ).map(lambda found: (*found[0], found[1], found[2])),
    ),
    max_size=40,
)


def state(soc: Soc) -> dict[str, dict[str, int]]:
    return {name: {r: s.value for r, s in soc.peripherals[name].states.items()} for name in NAMES}


def play(soc: Soc, told: Sequence[Write], *, looks: int = 0) -> None:
    for name, register, value, wait in told:
        for _ in range(looks):
            soc.run_until(soc.now_ps + wait // (looks + 1))
            for one in NAMES[:3]:
                soc.read(one, "SR")
            soc.read("CAN1", "TSR")
            soc.read("ADC123_COMMON", "CSR")
        soc.run_until(soc.now_ps + wait - looks * (wait // (looks + 1)))
        soc.write(name, register, value)
    soc.run_until(soc.now_ps + 1000 * US)


@settings(max_examples=often(90), deadline=None)
@given(told=writes)
def test_nothing_breaks_them_and_a_reset_restores(told: list[Write]) -> None:
    soc = fresh()
    before = state(soc)
    play(soc, told)
    soc.reset(soc.now_ps, "PORRSTF")
    assert state(soc) == before


@settings(max_examples=often(90), deadline=None)
@given(told=writes, looks=st.integers(1, 3))
def test_who_looks_more_often_sees_the_same(told: list[Write], looks: int) -> None:
    once, often = fresh(), fresh()
    play(once, told)
    play(often, told, looks=looks)
    for soc in (once, often):
        for one in NAMES[:3]:
            soc.read(one, "SR")
    assert state(once) == state(often)
