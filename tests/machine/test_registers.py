"""Registers behave as their maps say: access kinds, reserved bits, reset; for all of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fwgen.board.registers import Access, RegisterSpec, known_register_maps, load_register_map
from fwgen.machine.peripheral import Peripheral, Reg, Register
from fwgen.trace import Gap, Hazard

if TYPE_CHECKING:
    from collections.abc import Callable

    from fwgen.machine.soc import Soc

words = st.integers(0, 0xFFFF_FFFF)


def after_write(access: Access, before: int, written: int) -> int:
    """One bit, as RM0368 §1.1 defines each kind."""
    match access:
        case Access.RW:
            return written
        case Access.RC_W0:
            return before & written
        case Access.RC_W1:
            return before & (written ^ 1)
        case Access.RS:
            return before | written
        case Access.T:
            return before ^ written
        case _:
            return before


@pytest.mark.parametrize("name", known_register_maps())
def test_every_bit_of_every_register_follows_its_access_kind(name: str) -> None:
    for spec in load_register_map(name).registers.values():
        check_access_kinds(spec)


def check_access_kinds(spec: RegisterSpec) -> None:
    kinds = {bit: f.access for f in spec.fields.values() for bit in range(f.lsb, f.lsb + f.width)}
    everything = (1 << spec.width) - 1
    for before in (0, everything, spec.reset, 0x5555_5555 & everything):
        for written in (0, everything, 0xAAAA_AAAA & everything, 0x1234_5678 & everything):
            register = Register(spec)
            register.value = before
            reserved = register.software_write(written)
            for bit in range(spec.width):
                old, new = before >> bit & 1, register.value >> bit & 1
                kind = kinds.get(bit, Access.R)  # reserved bits stay as they are
                expected = after_write(kind, old, written >> bit & 1)
                assert new == expected, f"{spec.name} bit {bit}"
            assert reserved == (written ^ spec.reset) & ~spec.defined & everything


@pytest.mark.parametrize("name", known_register_maps())
def test_write_only_bits_read_as_zero(name: str) -> None:
    for spec in load_register_map(name).registers.values():
        register = Register(spec)
        for f in spec.fields.values():
            assert bool(register.readable & f.mask) == (f.access is not Access.W)


# Registers whose content is not the map's alone, and why.
FUSED = {
    ("DBGMCU", "IDCODE"),
    ("UID", "UID0"),
    ("UID", "UID1"),
    ("UID", "UID2"),
    ("UID", "F_SIZE"),
} | {("UID", name) for name in ("VREFIN_CAL", "TS_CAL1", "TS_CAL2")}
OURS = ("rcc_f4", "flash_f4", "pwr_f4", "gpio_v2", "syscfg_f4", "exti_v1", "dbgmcu_v1", "uid_v1")


def test_a_fresh_chip_reads_as_the_manual_says(soc: Soc) -> None:
    for name, peripheral in soc.peripherals.items():
        if str(peripheral.spec.kind).removeprefix("stm32.") not in OURS:
            continue
        overrides = peripheral.spec.options.get("reset", {})
        assert isinstance(overrides, dict)
        for register, state in peripheral.states.items():
            if (name, register) in FUSED:
                continue
            expected = overrides.get(register, state.spec.reset)
            if register == "IDR":
                continue  # what the pads say
            size = state.spec.width // 8
            got = peripheral.read(state.spec.offset, size, 0)
            assert got == expected & state.readable, f"{name}.{register}"


def test_a_chip_is_identified_as_its_data_says(soc: Soc) -> None:
    assert soc.read("DBGMCU", "IDCODE") == soc.chip.idcode
    assert soc.read("UID", "F_SIZE") == soc.chip.flash.size // 1024
    assert len({soc.read("UID", f"UID{n}") for n in range(3)}) == 3


# What a system bus master may do, and how long it waits before.
accesses = st.lists(
    st.tuples(
        st.integers(0, 999), st.integers(0, 0x90), st.sampled_from((1, 2, 4)),
        st.one_of(words, st.sampled_from([1 << n for n in range(32)])),
        st.booleans(), st.sampled_from((0, 10**5, 10**8, 10**10)),
    ),
    max_size=40,
)  # fmt: skip


def clock_everything(soc: Soc) -> None:
    for register in ("AHB1ENR", "AHB2ENR", "APB1ENR", "APB2ENR"):
        soc.write("RCC", register, 0xFFFF_FFFF)


def play(soc: Soc, names: list[str], accesses: list[tuple[int, int, int, int, bool, int]]) -> None:
    """Do the accesses; a peek tells what the read gives."""
    for which, offset, size, value, write, wait in accesses:
        spec = soc.peripherals[names[which % len(names)]].spec
        offset -= offset % size
        soc.run_until(soc.now_ps + wait)
        if write:
            soc.bus_write(spec, offset, size, value, soc.now_ps)
            continue
        peeked = soc.peripherals[spec.name].peek(offset, size, soc.now_ps)
        got = soc.bus_read(spec, offset, size, soc.now_ps)
        assert 0 <= got < 1 << 8 * size
        if peeked is not None and (spec.gate is None or soc.gated[spec.name]):
            assert peeked.value == got, f"{spec.name}+{offset:#x}"
            assert peeked.stable_until_ps > soc.now_ps


@settings(max_examples=60)
@given(accesses=accesses)
def test_no_sequence_of_accesses_breaks_the_machine_and_reset_restores(
    session_soc: Callable[[], Soc], accesses: list[tuple[int, int, int, int, bool, int]]
) -> None:
    soc = session_soc()
    names = [n for n, p in soc.peripherals.items() if p.spec.bus != "PPB"]
    fresh = {n: {r: s.value for r, s in soc.peripherals[n].states.items()} for n in names}
    initial = {name: pad.level for name, pad in soc.fabric.pads.items()}
    clock_everything(soc)
    play(soc, names, accesses)
    soc.run_until(soc.now_ps + 10**10)
    soc.reset(soc.now_ps, "PORRSTF")
    options = soc.peripherals["FLASH"].states["OPTCR"].value
    fresh["FLASH"]["OPTCR"] = options  # option bytes outlive every reset
    now = {n: {r: s.value for r, s in soc.peripherals[n].states.items()} for n in names}
    assert now == fresh
    assert {name: pad.level for name, pad in soc.fabric.pads.items()} == initial


@settings(max_examples=60)
@given(accesses=accesses, part=st.integers(1, 999))
def test_what_a_peek_tells_holds_as_long_as_it_says(
    session_soc: Callable[[], Soc],
    accesses: list[tuple[int, int, int, int, bool, int]],
    part: int,
) -> None:
    soc = session_soc()
    names = [n for n, p in soc.peripherals.items() if p.spec.bus != "PPB"]
    clock_everything(soc)
    play(soc, names, accesses)
    for name in names:
        peripheral = soc.peripherals[name]
        for spec in peripheral.declared():
            size, t = spec.width // 8, soc.now_ps
            peeked = peripheral.peek(spec.offset, size, t)
            if peeked is None:
                continue
            until = min(peeked.stable_until_ps, soc.scheduler.next_ps, t + 10**12)
            for later in (t + (until - t) * part // 1000, until - 1):
                if t < later < until:
                    again = peripheral.peek(spec.offset, size, later)
                    assert again is not None
                    assert again.value == peeked.value, f"{name}.{spec.name} at {later}"


def all_given(soc: Soc, names: list[str]) -> dict[str, int | None]:
    """What reads of all registers would give now."""
    given: dict[str, int | None] = {}
    for name in names:
        peripheral = soc.peripherals[name]
        for spec in peripheral.declared():
            seen = peripheral.peek(spec.offset, spec.width // 8, soc.now_ps)
            given[f"{name}.{spec.name}"] = None if seen is None else seen.value
    return given


@settings(max_examples=12)
@given(accesses=accesses, rising=st.integers(0, 0xFFFF))
def test_a_read_that_only_looks_leaves_what_every_other_read_gives(
    session_soc: Callable[[], Soc],
    accesses: list[tuple[int, int, int, int, bool, int]],
    rising: int,
) -> None:
    soc = session_soc()
    names = [n for n, p in soc.peripherals.items() if p.spec.bus != "PPB"]
    clock_everything(soc)
    play(soc, names, accesses)
    i2c = soc.peripherals["I2C1"].sr1
    i2c.value |= rising & i2c.spec.defined  # what comes in raises these
    before = all_given(soc, names)
    for name in names:
        peripheral, own = soc.peripherals[name], all_given(soc, [name])
        for spec in peripheral.declared():
            size = spec.width // 8
            if peripheral.only_looks(spec.offset, size, soc.now_ps):
                peripheral.read(spec.offset, size, soc.now_ps)
                assert all_given(soc, [name]) == own, f"{name}.{spec.name}"
    assert all_given(soc, names) == before


def test_whether_a_read_only_looks_is_said_of_now(soc: Soc) -> None:
    clock_everything(soc)
    usart, i2c = soc.peripherals["USART2"], soc.peripherals["I2C1"]
    sr1, sr2 = i2c.sr1.spec.offset, i2c.sr2.spec.offset
    assert usart.only_looks(usart.brr.spec.offset, 4, 0)
    assert usart.only_looks(usart.sr.spec.offset, 4, 0)
    assert not usart.only_looks(usart.dr.spec.offset, 4, 0)  # it clears RXNE
    assert not usart.only_looks(0x1C, 4, 0)  # a Gap
    assert i2c.only_looks(sr2, 4, 0)
    i2c.sr1.set(ADDR=1)
    i2c.read(sr1, 4, 0)
    assert not i2c.only_looks(sr2, 4, 0)  # it clears ADDR, after a read of SR1
    i2c.read(sr2, 4, 0)
    assert i2c.only_looks(sr2, 4, 0)


@given(value=words, size=st.sampled_from((1, 2)), lane=st.integers(0, 3))
def test_a_narrow_write_keeps_the_other_lanes(
    session_soc: Callable[[], Soc], value: int, size: int, lane: int
) -> None:
    lane -= lane % size
    soc = session_soc()
    gpio = soc.peripherals["GPIOC"]
    gpio.write(0x08, 4, 0xA5A5_A5A5, 0)
    gpio.write(0x08 + lane, size, value, 0)
    mask = ((1 << 8 * size) - 1) << 8 * lane
    assert gpio.read(0x08, 4, 0) == 0xA5A5_A5A5 & ~mask | value << 8 * lane & mask
    assert gpio.read(0x08 + lane, size, 0) == value & (1 << 8 * size) - 1


def test_reserved_bits_are_told_and_keep_their_value(soc: Soc) -> None:
    soc.write("RCC", "CFGR", 1 << 8)
    notes = [e for e in soc.recorder.events if isinstance(e, Hazard)]
    assert [n.code for n in notes] == ["reserved-bits"]
    assert notes[0].severity == "note"
    assert soc.read("RCC", "CFGR") == 0


def test_what_is_not_modelled_is_a_gap_by_its_name(soc: Soc) -> None:
    soc.write("RCC", "SSCGR", 1 << 31)
    soc.write("RCC", "APB2ENR", 1 << 14)
    soc.run_until(10**6)
    soc.write("SYSCFG", "MEMRMP", 3)
    gaps = [(e.peripheral, e.register, e.access) for e in soc.recorder.events if isinstance(e, Gap)]
    assert gaps == [("RCC", "SSCGR.SSCGEN", "write"), ("SYSCFG", "MEMRMP.MEM_MODE", "write")]


def test_a_register_that_the_map_lacks_fails_when_the_class_is_made() -> None:
    with pytest.raises(TypeError, match="has no register MODDER"):
        type("Wrong", (Peripheral,), {"modder": Reg()}, registers="stm32.gpio_v2")
    fields = {"moder": Reg(unmodelled=("MODER99",))}
    with pytest.raises(TypeError, match="has no field MODER99"):
        type("Wrong", (Peripheral,), fields, registers="stm32.gpio_v2")


def test_a_peripheral_whose_clock_is_off_reads_zero_and_loses_writes(
    soc: Soc, hazards: Callable[[], list[str]]
) -> None:
    soc.write("GPIOA", "ODR", 0xFFFF)
    assert hazards() == ["clock-off"]
    assert soc.read("GPIOA", "MODER") == 0
    soc.write("RCC", "AHB1ENR", 1)
    soc.run_until(10**6)
    assert soc.read("GPIOA", "ODR") == 0
    assert soc.read("GPIOA", "MODER") == 0xA800_0000
