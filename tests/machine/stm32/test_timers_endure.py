"""Whatever firmware writes, timers, ports and watchdogs go on: firmware's faults are evidence."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fwgen.machine.peripheral import Peek
from tests.machine.stm32.alone import MHZ, soc_with

NAMES = ("TIM1", "TIM2", "TIM3", "TIM9", "TIM10", "USART1", "USART2", "IWDG")
LINES = (
    "TIM1_CH1",
    "TIM1_BKIN",
    "TIM1_ETR",
    "TIM2_CH2",
    "TIM3_CH1",
    "TIM9_CH1",
    "USART2_RX",
    "USART2_CTS",
)
VALUE = st.one_of(
    st.integers(0, 0xFFFF_FFFF), st.integers(0, 31), st.sampled_from([0x5555, 0xCCCC])
)
ACCESS = st.tuples(
    st.sampled_from(NAMES),
    st.integers(0, 0x15).map(lambda n: 4 * n),
    st.sampled_from([1, 2, 4, 4, 4]),
    st.one_of(st.none(), VALUE),  # a read, or what to write
)
STEP = st.one_of(
    ACCESS,
    st.integers(0, 3_000_000).map(lambda n: n * 1000),  # picoseconds that pass
    st.tuples(st.sampled_from(LINES), st.sampled_from([0, 1, None])),
    st.sampled_from([0, 16 * MHZ, 84 * MHZ]).map(lambda hz: ("clock", hz)),
)


@settings(max_examples=150, deadline=None)
@given(steps=st.lists(STEP, max_size=60))
def test_any_access_in_any_order_is_survived(steps: list[object]) -> None:
    soc = soc_with(*NAMES)
    soc.clock("LSI").set(32_000, 0)
    events = 0
    for step in steps:
        match step:
            case int(passes):
                until = soc.now_ps + passes
                while soc.scheduler.next_ps <= until and events < 20_000:
                    soc.run_until(soc.scheduler.next_ps)
                    events += 1
                soc.run_until(until)
            case ("clock", int(hz)):
                for name in NAMES[:-1]:
                    soc.clock(name).set(hz, soc.now_ps)
            case (str(line), level):
                soc.fabric.input(line).drive(soc.now_ps, level)  # type: ignore[arg-type]
            case (str(name), int(offset), int(size), value):
                peripheral = soc.peripherals[name]
                spec = peripheral.spec
                if value is not None:
                    masked = int(value) & ((1 << 8 * size) - 1)  # type: ignore[call-overload]
                    soc.bus_write(spec, offset, size, masked, soc.now_ps)
                    continue
                peeked = peripheral.peek(offset, size, soc.now_ps)
                read = soc.bus_read(spec, offset, size, soc.now_ps)
                assert 0 <= read < 1 << 8 * size
                assert peeked is None or peeked == Peek(read, peeked.stable_until_ps)
                assert peeked is None or peeked.stable_until_ps > soc.now_ps


@settings(max_examples=80, deadline=None)
@given(data=st.data(), name=st.sampled_from(NAMES))
def test_reserved_bits_read_as_reset_and_reset_restores(data: st.DataObject, name: str) -> None:
    soc = soc_with(name)
    peripheral = soc.peripherals[name]
    for spec in peripheral.declared():
        soc.bus_write(peripheral.spec, spec.offset, 4, data.draw(VALUE), 0)
        value = soc.bus_read(peripheral.spec, spec.offset, 4, 0)
        assert value & ~spec.defined == spec.reset & ~spec.defined
    soc.reset(0, "SFTRSTF")
    for spec in peripheral.declared():
        write_only = sum(f.mask for f in spec.fields.values() if f.access.value == "w")
        assert soc.bus_read(peripheral.spec, spec.offset, 4, 0) == spec.reset & ~write_only


@pytest.mark.parametrize("name", ["TIM10", "TIM11"])
def test_a_timer_of_one_channel_hears_nothing_on_an_input_that_it_lacks(name: str) -> None:
    soc = soc_with(name)
    timer = soc.peripherals[name]
    for register, value in (("CCMR1", 2), ("CCER", 1), ("CR1", 1)):  # CC1S = TI2, CC1E, CEN
        soc.bus_write(timer.spec, timer.MAP.registers[register].offset, 4, value, 0)
    soc.run_until(1_000_000)
    assert not soc.bus_read(timer.spec, timer.MAP.registers["SR"].offset, 4, soc.now_ps) & 2
