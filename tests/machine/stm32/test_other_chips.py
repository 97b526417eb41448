"""The same models on the STM32F411 and the STM32F407: what differs comes from their chip files."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings

from fwgen.board import list_boards, load_board
from fwgen.errors import BoardError
from fwgen.machine import Machine
from fwgen.machine.soc import Soc
from fwgen.trace import Fault, Hazard
from tests.machine.core.firmware import firmware
from tests.machine.test_registers import FUSED, OURS, accesses, clock_everything, play

if TYPE_CHECKING:
    from collections.abc import Iterator

BOARDS = [board.name for board in list_boards()]
NEW = [name for name in BOARDS if name != "nucleo-f401"]
US, MS, MHZ = 10**6, 10**9, 10**6
HSEON, HSEBYP, PLLON, PLLI2SON, PLLSRC = 1 << 16, 1 << 18, 1 << 24, 1 << 26, 1 << 22
SCALE_1 = {"stm32f411re": 0xC000, "stm32f411ce": 0xC000, "stm32f407vg": 0x4000}

# Board -> M, N, P, wait states, PPRE1, PPRE2, and what HCLK and the timers' clocks then are.
TOP = {
    "nucleo-f411": (4, 100, 2, 3, 4, 0, (100, 100, 100)),
    "blackpill-f411": (25, 200, 2, 3, 4, 0, (100, 100, 100)),
    "stm32f4-discovery": (8, 336, 2, 5, 5, 4, (168, 84, 168)),
}


def fresh(name: str) -> Soc:
    soc = Soc(load_board(name))
    soc.reset(0, "PORRSTF")
    soc.recorder.started = True
    return soc


def wait(soc: Soc, ps: int) -> None:
    soc.run_until(soc.now_ps + ps)


def run_at_top(soc: Soc, *, states: int = 0, vos: int | None = None) -> None:
    """As the manuals ask: regulator, HSE, flash, PLL, prescalers, switch."""
    m, n, p, latency, ppre1, ppre2, _ = TOP[soc.board.name]
    soc.write("RCC", "APB1ENR", 1 << 28)
    wait(soc, US)
    soc.write("PWR", "CR", SCALE_1[soc.chip.name] if vos is None else vos)
    cr = soc.read("RCC", "CR") | (HSEBYP if soc.board.hse_bypass else 0)
    soc.write("RCC", "CR", cr)
    soc.write("RCC", "CR", cr | HSEON)
    wait(soc, 3 * MS)
    soc.write("FLASH", "ACR", 0x700 | (states or latency))
    soc.write("RCC", "PLLCFGR", 0x2000_0000 | 7 << 24 | PLLSRC | (p // 2 - 1) << 16 | n << 6 | m)
    soc.write("RCC", "CR", soc.read("RCC", "CR") | PLLON)
    wait(soc, MS)
    prescalers = ppre2 << 13 | ppre1 << 10
    soc.write("RCC", "CFGR", prescalers)
    soc.write("RCC", "CFGR", prescalers | 2)
    wait(soc, US)


def told(soc: Soc) -> list[Hazard]:
    events = soc.recorder.events
    return [e for e in events if isinstance(e, Hazard) and e.severity != "note"]


@pytest.mark.parametrize("name", TOP)
def test_a_chip_runs_at_its_top_speed_without_a_hazard(name: str) -> None:
    soc = fresh(name)
    run_at_top(soc)
    assert told(soc) == []
    clocks = [soc.clock(clock).hz / MHZ for clock in ("HCLK", "APB1_TIM", "APB2_TIM")]
    assert clocks == list(TOP[name][-1])


@pytest.mark.parametrize("name", TOP)
def test_one_wait_state_too_few_is_a_hazard(name: str) -> None:
    soc = fresh(name)
    run_at_top(soc, states=TOP[name][3] - 1)
    assert {hazard.code for hazard in told(soc)} == {"flash-latency"}


@pytest.mark.parametrize("name", TOP)
def test_a_lower_scale_than_the_clock_needs_is_a_hazard(name: str) -> None:
    soc = fresh(name)
    run_at_top(soc, vos=SCALE_1[soc.chip.name] - 0x4000)
    (hazard,) = told(soc)
    assert hazard.code == "regulator-scale"
    assert f"set PWR_CR.VOS to {SCALE_1[soc.chip.name] >> 14}" in hazard.cure


def test_the_f407_may_change_its_scale_while_the_pll_runs_and_pays_at_once() -> None:
    soc = fresh("stm32f4-discovery")
    run_at_top(soc)
    soc.write("PWR", "CR", 0)
    assert soc.read("PWR", "CR") == 0
    assert [hazard.code for hazard in told(soc)] == ["regulator-scale"]


def test_the_f407_needs_no_pll_for_its_scale_to_hold() -> None:
    """Scale 2 carries 144 MHz there: the HSI is far from it whatever VOS says."""
    soc = fresh("stm32f4-discovery")
    assert soc.chip.clocks.vos_pll_off is None
    soc.write("RCC", "APB1ENR", 1 << 28)
    wait(soc, US)
    soc.write("PWR", "CR", 0)
    assert told(soc) == []


def test_plli2s_of_the_f411_has_a_divider_of_its_own() -> None:
    soc = fresh("nucleo-f411")
    soc.write("RCC", "PLLCFGR", 0x2400_0000 | 192 << 6 | 16)
    soc.write("RCC", "PLLI2SCFGR", 2 << 28 | 96 << 6 | 8)
    soc.write("RCC", "CR", soc.read("RCC", "CR") | PLLI2SON)
    wait(soc, MS)
    assert soc.clock("PLLI2S").hz == Fraction(16 * MHZ * 96, 8 * 2)
    other = fresh("stm32f4-discovery")
    other.write("RCC", "PLLCFGR", 0x2400_0000 | 192 << 6 | 16)
    other.write("RCC", "PLLI2SCFGR", 2 << 28 | 192 << 6)
    other.write("RCC", "CR", other.read("RCC", "CR") | PLLI2SON)
    wait(other, MS)
    assert other.clock("PLLI2S").hz == 96 * MHZ


def test_a_hazard_cites_the_chips_own_manual() -> None:
    for name, cited in (
        ("nucleo-f401", "RM0368 §6.3"),
        ("nucleo-f411", "RM0383 §6.3"),
        ("stm32f4-discovery", "RM0090 §7 (as RM0368 §6.3)"),
    ):
        soc = fresh(name)
        soc.write("GPIOA", "ODR", 1)
        assert [hazard.section for hazard in told(soc)] == [cited]


def test_no_chapter_is_taken_for_another_whose_number_it_begins() -> None:
    cite = fresh("stm32f4-discovery").recorder.cite
    assert cite("RM0368 §1.1") == "RM0368 §1.1"  # it has none of its own for that
    assert cite("RM0368 §13.4.7") == "RM0090 §18 (as RM0368 §13.4.7)"
    assert cite("DS10086 §6.3.1, RM0368 §6.2") == (
        "DS8626 §5 (as DS10086 §6.3.1), RM0090 §7 (as RM0368 §6.2)"
    )
    assert cite("DS10086, alternate function mapping") == "DS8626, alternate function mapping"


def test_three_adcs_are_reset_by_one_bit() -> None:
    chip = load_board("stm32f4-discovery").chip
    gates = [chip.peripherals[f"ADC{n}"].gate for n in (1, 2, 3)]
    assert [gate.bit for gate in gates if gate] == [8, 9, 10]
    assert [gate.reset_at for gate in gates if gate] == [8, 8, 8]


def test_stop_takes_the_chips_own_time_to_leave() -> None:
    times = {n: fresh(n).peripherals["PWR"].stop_wake_ps for n in ("nucleo-f411", BOARDS[-1])}  # type: ignore[attr-defined]
    assert times == {"nucleo-f411": 13_500_000, "stm32f4-discovery": 13_000_000}


def test_a_regulator_without_its_times_is_refused() -> None:
    from dataclasses import replace

    board = load_board("nucleo-f411")
    bare = replace(board.chip.peripherals["PWR"], options={})
    chip = replace(board.chip, peripherals={**board.chip.peripherals, "PWR": bare})
    with pytest.raises(BoardError, match="wake_ns names run, run_flash_down"):
        Soc(replace(board, chip=chip))


@pytest.mark.parametrize("name", NEW)
def test_a_fresh_chip_reads_as_its_own_maps_say(name: str) -> None:
    soc = fresh(name)
    for peripheral in soc.peripherals.values():
        if str(peripheral.spec.kind).removeprefix("stm32.") not in OURS:
            continue
        overrides = peripheral.spec.options.get("reset", {})
        assert isinstance(overrides, dict)
        for register, state in peripheral.states.items():
            if (peripheral.name, register) in FUSED or register == "IDR":
                continue
            expected = overrides.get(register, state.spec.reset)
            got = peripheral.read(state.spec.offset, state.spec.width // 8, 0)
            assert got == expected & state.readable, f"{peripheral.name}.{register}"


@pytest.mark.parametrize("name", NEW)
@settings(max_examples=15)
@given(accesses=accesses)
def test_no_sequence_of_accesses_breaks_any_chip_and_reset_restores(
    name: str, accesses: list[tuple[int, int, int, int, bool, int]]
) -> None:
    soc = fresh(name)
    names = [n for n, p in soc.peripherals.items() if p.spec.bus != "PPB"]
    before = {n: {r: s.value for r, s in soc.peripherals[n].states.items()} for n in names}
    clock_everything(soc)
    play(soc, names, accesses)
    soc.run_until(soc.now_ps + 10**10)
    soc.reset(soc.now_ps, "PORRSTF")
    before["FLASH"]["OPTCR"] = soc.peripherals["FLASH"].states["OPTCR"].value
    assert {n: {r: s.value for r, s in soc.peripherals[n].states.items()} for n in names} == before


@pytest.fixture
def discovery() -> Iterator[Machine]:
    machine = Machine(load_board("stm32f4-discovery"))
    yield machine
    machine.close()


def test_ccm_holds_data(discovery: Machine) -> None:
    discovery.load(
        firmware("start: ldr r0, =0x10000100\n ldr r1, =0x12345678\n str r1, [r0]\nend: b end")
    )
    discovery.advance(MS)
    assert discovery.core.memory.word(0x1000_0100) == 0x1234_5678
    assert not list(discovery.trace().of(Fault))


def test_code_in_ccm_cannot_be_fetched(discovery: Machine) -> None:
    """The instruction bus does not reach it. RM0090 §2.1."""
    discovery.load(
        firmware(
            "start: ldr r0, =0x10000101\n ldr r1, =0x47704770\n str r1, [r0, #-1]\n dsb\n"
            " blx r0\nend: b end\nhard: b hard",
            {3: "hard"},
        )
    )
    discovery.advance(MS)
    (fault,) = discovery.trace().of(Fault)
    assert ".IBUSERR:" in fault.report


def test_ram_runs_code_up_to_its_last_byte_on_every_chip(discovery: Machine) -> None:
    discovery.load(
        firmware(
            "start: ldr r0, =0x2001fff1\n ldr r1, =0x47704770\n str r1, [r0, #-1]\n dsb\n isb\n"
            " blx r0\n movs r7, #7\nend: b end\nhard: b hard",
            {3: "hard"},
        )
    )
    discovery.advance(MS)
    assert not list(discovery.trace().of(Fault))
