"""The clock tree of the STM32F401, driven as firmware drives it."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fwgen.machine.stm32.rcc_f4 import Rcc
from fwgen.trace import Clock, Gap, Hazard, Wave
from tests.machine.conftest import hazard_codes

if TYPE_CHECKING:
    from collections.abc import Callable

    from fwgen.machine.soc import Soc

US, MS, S = 10**6, 10**9, 10**12

HSION, HSEON, HSERDY, HSEBYP, CSSON = 1, 1 << 16, 1 << 17, 1 << 18, 1 << 19
PLLON, PLLRDY, PLLI2SON, PLLI2SRDY = 1 << 24, 1 << 25, 1 << 26, 1 << 27
PLLSRC = 1 << 22
TRIM = 16 << 3


def rcc(soc: Soc) -> Rcc:
    return cast("Rcc", soc.peripherals["RCC"])


def hz(soc: Soc, clock: str) -> Fraction:
    return soc.clock(clock).hz


def modify(soc: Soc, register: str, clear: int, put: int) -> None:
    soc.write("RCC", register, soc.read("RCC", register) & ~clear | put)


def wait(soc: Soc, ps: int) -> None:
    soc.run_until(soc.now_ps + ps)


def pllcfgr(m: int, n: int, p: int, q: int, source: int = PLLSRC) -> int:
    return 0x2000_0000 | q << 24 | source | (p // 2 - 1) << 16 | n << 6 | m


def run_at_84_mhz(soc: Soc) -> None:
    """HSE 8 MHz from the ST-LINK, PLL, in the order the manual asks for."""
    modify(soc, "CR", 0, HSEON | HSEBYP)
    wait(soc, 3 * MS)
    soc.write("FLASH", "ACR", 0x702)
    soc.write("RCC", "PLLCFGR", pllcfgr(8, 336, 4, 7))
    modify(soc, "CR", 0, PLLON)
    wait(soc, MS)
    modify(soc, "CFGR", 0x3, 4 << 10)
    modify(soc, "CFGR", 0x3, 2)
    wait(soc, US)


# ---------------------------------------------------------------------- at reset


def test_after_reset_the_chip_runs_from_the_hsi(soc: Soc) -> None:
    for clock in ("SYSCLK", "HCLK", "APB1", "APB2", "APB1_TIM", "APB2_TIM", "HSI"):
        assert hz(soc, clock) == 16_000_000
    for clock in ("HSE", "PLL", "LSI", "LSE", "PLLI2S", "USART2", "TIM2", "GPIOA"):
        assert hz(soc, clock) == 0
    assert soc.read("RCC", "CR") == 0x83
    assert soc.read("RCC", "CSR") == 0x0E00_0000


def test_a_reset_at_84_mhz_falls_back_to_the_hsi(
    soc: Soc, hazards: Callable[[], list[str]]
) -> None:
    run_at_84_mhz(soc)
    soc.reset(soc.now_ps, "SFTRSTF")
    assert hz(soc, "HCLK") == 16_000_000
    assert soc.read("RCC", "CR") == 0x83
    assert hz(soc, "USART2") == 0
    assert hazards() == []


@pytest.mark.parametrize(
    ("cause", "bit"), [("SFTRSTF", 28), ("IWDGRSTF", 29), ("WWDGRSTF", 30), ("LPWRRSTF", 31)]
)
def test_the_cause_of_a_reset_is_told_until_rmvf(soc: Soc, cause: str, bit: int) -> None:
    soc.write("RCC", "CSR", 1 << 24)
    assert soc.read("RCC", "CSR") == 0
    soc.reset(soc.now_ps, cause)
    assert soc.read("RCC", "CSR") == 1 << bit | 1 << 26  # NRST is pulled low as well
    soc.reset(soc.now_ps, "PINRSTF")
    assert soc.read("RCC", "CSR") == 1 << bit | 1 << 26
    soc.write("RCC", "CSR", 1 << 24)
    assert soc.read("RCC", "CSR") == 0


# ---------------------------------------------------------------------- oscillators


def test_the_hse_takes_its_time_and_falls_after_six_cycles(
    soc: Soc, hazards: Callable[[], list[str]]
) -> None:
    startup = soc.chip.clocks.startup_ps["hse"]
    modify(soc, "CR", 0, HSEON | HSEBYP)
    soc.run_until(startup - 1)
    assert not soc.read("RCC", "CR") & HSERDY
    assert hz(soc, "HSE") == 0
    soc.run_until(startup)
    assert soc.read("RCC", "CR") & HSERDY
    assert hz(soc, "HSE") == 8_000_000
    modify(soc, "CR", HSEON, 0)
    wait(soc, 6 * S // 8_000_000 - 1)
    assert soc.read("RCC", "CR") & HSERDY
    wait(soc, 1)
    assert not soc.read("RCC", "CR") & HSERDY
    assert hazards() == []


def test_peeks_hold_until_the_moment_a_flag_rises(soc: Soc) -> None:
    modify(soc, "CR", 0, HSEON | HSEBYP)
    t = soc.now_ps
    peek = rcc(soc).peek(0, 4, t)
    assert peek is not None
    assert not peek.value & HSERDY
    assert peek.stable_until_ps == t + soc.chip.clocks.startup_ps["hse"]
    soc.run_until(peek.stable_until_ps - 1)
    assert not soc.read("RCC", "CR") & HSERDY
    soc.run_until(peek.stable_until_ps)
    assert soc.read("RCC", "CR") & HSERDY


def test_an_hse_that_the_board_lacks_is_never_ready(make_soc: Callable[..., Soc]) -> None:
    soc = make_soc(hse_hz=None)
    modify(soc, "CR", 0, HSEON)
    wait(soc, 10 * S)
    assert not soc.read("RCC", "CR") & HSERDY
    assert [e.code for e in soc.recorder.events if isinstance(e, Hazard)] == ["hse-absent"]


def test_a_crystal_in_bypass_never_swings(make_soc: Callable[..., Soc]) -> None:
    soc = make_soc(hse_bypass=False)
    modify(soc, "CR", 0, HSEON | HSEBYP)
    wait(soc, 10 * S)
    assert not soc.read("RCC", "CR") & HSERDY


def test_a_fed_clock_without_bypass_is_doubtful(soc: Soc, hazards: Callable[[], list[str]]) -> None:
    modify(soc, "CR", 0, HSEON)
    assert hazards() == ["hse-mode"]


def test_the_lsi_runs_when_asked_or_when_the_watchdog_needs_it(soc: Soc) -> None:
    soc.write("RCC", "CSR", 1)
    wait(soc, soc.chip.clocks.startup_ps["lsi"])
    assert soc.read("RCC", "CSR") & 3 == 3
    assert hz(soc, "LSI") == 32_000
    soc.write("RCC", "CSR", 0)
    wait(soc, 100 * US)
    assert hz(soc, "LSI") == 0
    rcc(soc).force_lsi(soc.now_ps)
    wait(soc, 100 * US)
    soc.write("RCC", "CSR", 0)
    wait(soc, MS)
    assert hz(soc, "LSI") == 32_000


def test_the_backup_domain_is_locked_until_dbp(soc: Soc, hazards: Callable[[], list[str]]) -> None:
    soc.write("RCC", "BDCR", 1)
    assert soc.read("RCC", "BDCR") == 0
    assert hazards() == ["backup-locked"]
    soc.write("RCC", "APB1ENR", 1 << 28)
    wait(soc, US)
    soc.write("PWR", "CR", 0x8100)
    soc.write("RCC", "BDCR", 0x101)
    wait(soc, soc.chip.clocks.startup_ps["lse"])
    assert soc.read("RCC", "BDCR") == 0x103
    assert (hz(soc, "LSE"), hz(soc, "RTCCLK")) == (32_768, 0)
    soc.write("RCC", "BDCR", 0x8101)
    assert hz(soc, "RTCCLK") == 32_768
    soc.write("RCC", "BDCR", 0x201)  # the choice of the RTC's clock is final
    assert soc.read("RCC", "BDCR") == 0x103
    assert hazards() == ["backup-locked", "rtc-source"]
    soc.write("RCC", "BDCR", 0x001)
    assert soc.read("RCC", "BDCR") == 0x103
    assert hazards() == ["backup-locked", "rtc-source"]  # no more than a note
    soc.reset(soc.now_ps, "SFTRSTF")
    assert soc.read("RCC", "BDCR") == 0x103  # outlives a system reset
    soc.write("RCC", "APB1ENR", 1 << 28)
    wait(soc, US)
    soc.write("PWR", "CR", 0x8100)
    soc.write("RCC", "BDCR", 1 << 16)
    wait(soc, MS)
    assert soc.read("RCC", "BDCR") == 1 << 16


def test_the_lse_cannot_be_bypassed_where_there_is_a_crystal(
    soc: Soc, hazards: Callable[[], list[str]]
) -> None:
    soc.write("RCC", "APB1ENR", 1 << 28)
    wait(soc, US)
    soc.write("PWR", "CR", 0x8100)
    soc.write("RCC", "BDCR", 5)
    wait(soc, 10 * soc.chip.clocks.startup_ps["lse"])
    assert soc.read("RCC", "BDCR") == 5
    soc.write("RCC", "BDCR", 1)  # only while the LSE is off
    assert soc.read("RCC", "BDCR") == 5
    assert "lse-mode" in hazards()


def test_a_board_without_an_lse_is_told(make_soc: Callable[..., Soc]) -> None:
    soc = make_soc(lse_hz=None)
    soc.write("RCC", "APB1ENR", 1 << 28)
    wait(soc, US)
    soc.write("PWR", "CR", 0x8100)
    soc.write("RCC", "BDCR", 1)
    wait(soc, 10 * soc.chip.clocks.startup_ps["lse"])
    assert soc.read("RCC", "BDCR") == 1
    assert hazard_codes(soc) == ["lse-absent"]


def test_the_rtc_from_the_hse_must_be_1_mhz_at_most(soc: Soc) -> None:
    modify(soc, "CR", 0, HSEON | HSEBYP)
    modify(soc, "CFGR", 0, 4 << 16)
    wait(soc, 10 * MS)
    soc.write("RCC", "APB1ENR", 1 << 28)
    wait(soc, US)
    soc.write("PWR", "CR", 0x8100)
    soc.write("RCC", "BDCR", 0x8300)
    assert hz(soc, "RTCCLK") == 2_000_000
    assert hazard_codes(soc) == ["rtc-clock"]


# ---------------------------------------------------------------------- PLL and switching


def test_84_mhz_from_the_stlinks_clock(soc: Soc, hazards: Callable[[], list[str]]) -> None:
    run_at_84_mhz(soc)
    assert soc.read("RCC", "CFGR") & 0xC == 0x8
    assert hz(soc, "SYSCLK") == hz(soc, "HCLK") == hz(soc, "APB2") == 84_000_000
    assert hz(soc, "APB1") == 42_000_000
    assert hz(soc, "APB1_TIM") == hz(soc, "APB2_TIM") == 84_000_000
    assert hz(soc, "PLL48") == 48_000_000
    assert hazards() == []
    clocks = [e for e in soc.recorder.events if isinstance(e, Clock)]
    assert [(c.hclk_mhz, c.source) for c in clocks] == [(84 * 10**9, "PLL")]


def test_the_switch_happens_when_the_source_becomes_ready(soc: Soc) -> None:
    modify(soc, "CR", 0, HSEON | HSEBYP)
    modify(soc, "CFGR", 3, 1)
    wait(soc, MS)
    assert soc.read("RCC", "CFGR") & 0xC == 0
    assert hz(soc, "SYSCLK") == 16_000_000
    wait(soc, 2 * MS)
    assert soc.read("RCC", "CFGR") & 0xC == 4
    assert hz(soc, "SYSCLK") == 8_000_000


def test_a_source_that_is_being_left_may_be_switched_off_and_lasts_until_the_switch(
    soc: Soc,
) -> None:
    run_at_84_mhz(soc)
    modify(soc, "CFGR", 3, 0)
    assert soc.read("RCC", "CFGR") >> 2 & 3 == 2  # the PLL, still
    modify(soc, "CR", PLLON | HSEON, 0)
    assert hz(soc, "HCLK") == 84 * 10**6
    assert soc.read("RCC", "CR") & PLLRDY
    wait(soc, 2 * US)
    assert hz(soc, "HCLK") == 16 * 10**6
    assert not soc.read("RCC", "CR") & (PLLON | PLLRDY | HSEON | HSERDY)


def test_a_source_in_use_cannot_be_switched_off(soc: Soc) -> None:
    modify(soc, "CR", HSION, 0)
    assert soc.read("RCC", "CR") & HSION
    run_at_84_mhz(soc)
    modify(soc, "CR", HSEON | PLLON, 0)
    wait(soc, MS)
    assert soc.read("RCC", "CR") & (HSEON | PLLON) == HSEON | PLLON
    assert hz(soc, "HCLK") == 84_000_000
    modify(soc, "CR", HSION, 0)  # the HSI is idle now
    wait(soc, US)
    assert soc.read("RCC", "CR") & 3 == 0


def test_the_pll_waits_for_its_source(soc: Soc) -> None:
    soc.write("RCC", "PLLCFGR", pllcfgr(8, 336, 4, 7))
    modify(soc, "CR", 0, HSEON | HSEBYP | PLLON)
    startup = soc.chip.clocks.startup_ps
    soc.run_until(startup["hse"] + startup["pll"] - 1)
    assert not soc.read("RCC", "CR") & PLLRDY
    wait(soc, 1)
    assert soc.read("RCC", "CR") & PLLRDY


def test_a_running_pll_keeps_its_configuration(soc: Soc, hazards: Callable[[], list[str]]) -> None:
    soc.write("RCC", "PLLCFGR", pllcfgr(16, 336, 4, 7, 0))
    modify(soc, "CR", 0, PLLON)
    soc.write("RCC", "PLLCFGR", pllcfgr(16, 192, 4, 7, 0))
    assert soc.read("RCC", "PLLCFGR") == pllcfgr(16, 336, 4, 7, 0)
    assert hazards() == ["pll-running"]


@given(
    m=st.integers(0, 63), n=st.integers(0, 511), p=st.sampled_from((2, 4, 6, 8)),
    q=st.integers(0, 15),
)  # fmt: skip
def test_the_pll_multiplies_as_the_manual_says_and_tells_when_it_may_not(
    session_soc: Callable[[], Soc], m: int, n: int, p: int, q: int
) -> None:
    soc = session_soc()
    soc.write("RCC", "PLLCFGR", pllcfgr(m, n, p, q, 0))
    modify(soc, "CR", 0, PLLON)
    wait(soc, MS)
    vco_in = Fraction(16_000_000, m) if m else Fraction(0)
    assert hz(soc, "PLL") == vco_in * n / p
    legal = (
        m >= 2 and 50 <= n <= 432
        and 950_000 <= vco_in <= 2_100_000 and 192_000_000 <= vco_in * n <= 432_000_000
    )  # fmt: skip
    told = {e.code for e in soc.recorder.events if isinstance(e, Hazard)} - {"reserved-bits"}
    assert told == (set() if legal else {"pll-range"}) | (set() if q >= 2 else {"pll-q"})


def test_a_faster_vco_input_allows_a_smaller_factor(
    soc: Soc, hazards: Callable[[], list[str]]
) -> None:
    """Arduino's core for the NUCLEO-F401RE: 16 MHz / 8 * 168 = 336 MHz, / 4 = 84 MHz."""
    soc.write("RCC", "PLLCFGR", pllcfgr(8, 168, 4, 7, 0))
    modify(soc, "CR", 0, PLLON)
    wait(soc, MS)
    assert hz(soc, "PLL") == 84_000_000
    assert hazards() == []


@pytest.mark.parametrize(
    ("hpre", "divider"), [(0, 1), (7, 1), (8, 2), (11, 16), (12, 64), (15, 512)]
)
@pytest.mark.parametrize(("ppre", "apb"), [(0, 1), (3, 1), (4, 2), (5, 4), (6, 8), (7, 16)])
@pytest.mark.parametrize("timpre", [0, 1])
def test_prescalers_and_the_timers_doubling(
    soc: Soc, hpre: int, divider: int, ppre: int, apb: int, timpre: int
) -> None:
    soc.write("RCC", "DCKCFGR", timpre << 24)
    soc.write("RCC", "CFGR", hpre << 4 | ppre << 10 | ppre << 13)
    hclk = Fraction(16_000_000, divider)
    assert hz(soc, "HCLK") == hclk
    assert hz(soc, "APB1") == hz(soc, "APB2") == hclk / apb
    if timpre:
        timer = hclk if apb <= 4 else 4 * hclk / apb
    else:
        timer = hclk if apb == 1 else 2 * hclk / apb
    assert hz(soc, "APB1_TIM") == hz(soc, "APB2_TIM") == timer


def test_plli2s_locks_and_divides(soc: Soc) -> None:
    soc.write("RCC", "PLLCFGR", pllcfgr(16, 336, 4, 7, 0))
    soc.write("RCC", "PLLI2SCFGR", 3 << 28 | 192 << 6)
    modify(soc, "CR", 0, PLLI2SON)
    wait(soc, MS)
    assert soc.read("RCC", "CR") & PLLI2SRDY
    assert hz(soc, "PLLI2S") == 64_000_000


# ---------------------------------------------------------------------- hazards


def codes(soc: Soc) -> set[str]:
    return {e.code for e in soc.recorder.events if isinstance(e, Hazard) and e.severity != "note"}


def test_raising_the_clock_before_the_wait_states_is_a_hazard(soc: Soc) -> None:
    soc.write("RCC", "PLLCFGR", pllcfgr(16, 336, 4, 7, 0))
    modify(soc, "CR", 0, PLLON)
    wait(soc, MS)
    soc.write("RCC", "CFGR", 4 << 10 | 2)
    wait(soc, US)
    assert codes(soc) == {"flash-latency"}


def test_lowering_the_wait_states_before_the_clock_is_a_hazard(soc: Soc) -> None:
    run_at_84_mhz(soc)
    soc.write("FLASH", "ACR", 0x701)
    assert codes(soc) == {"flash-latency"}


def test_a_lower_supply_asks_for_more_wait_states(make_soc: Callable[..., Soc]) -> None:
    soc = make_soc(supply_uv=1_800_000)
    run_at_84_mhz(soc)
    assert "flash-latency" in codes(soc)


def test_a_bus_above_its_limit_is_a_hazard(soc: Soc) -> None:
    soc.write("RCC", "PLLCFGR", pllcfgr(16, 336, 4, 7, 0))
    soc.write("FLASH", "ACR", 2)
    modify(soc, "CR", 0, PLLON)
    wait(soc, MS)
    soc.write("RCC", "CFGR", 2)
    wait(soc, US)
    limits = [e for e in soc.recorder.events if isinstance(e, Hazard)]
    assert [h.code for h in limits if h.severity == "error"] == ["clock-limit"]
    assert any("APB1 runs at 84 MHz; its limit is 42 MHz" in h.message for h in limits)


def test_the_regulators_scale_must_carry_the_clock(soc: Soc) -> None:
    soc.write("RCC", "APB1ENR", 1 << 28)
    wait(soc, US)
    soc.write("PWR", "CR", 0x4000)  # scale 3
    run_at_84_mhz(soc)
    assert codes(soc) == {"regulator-scale"}


def test_vos_is_locked_while_the_pll_runs(soc: Soc) -> None:
    run_at_84_mhz(soc)
    soc.write("RCC", "APB1ENR", 1 << 28)
    wait(soc, US)
    soc.write("PWR", "CR", 0x4000)
    assert soc.read("PWR", "CR") == 0x8000
    assert codes(soc) == {"vos-locked"}


def test_selecting_no_clock_is_a_hazard(soc: Soc) -> None:
    soc.write("RCC", "CFGR", 3)
    wait(soc, MS)
    assert soc.read("RCC", "CFGR") & 0xC == 0
    assert codes(soc) == {"clock-select"}


@pytest.mark.parametrize(
    ("register", "bit", "peripheral", "ppre", "nops"),
    [
        ("AHB1ENR", 0, "GPIOA", 0, 2),
        ("APB1ENR", 0, "TIM2", 0, 2),
        ("APB1ENR", 0, "TIM2", 4, 3),
        ("APB1ENR", 0, "TIM2", 5, 5),
    ],
)
def test_a_new_clock_wants_a_few_cycles_before_the_peripheral_is_touched(
    make_soc: Callable[..., Soc], register: str, bit: int, peripheral: str, ppre: int, nops: int
) -> None:
    cycle = S // 16_000_000
    for between in (nops - 1, nops):
        soc = make_soc()
        soc.write("RCC", "CFGR", ppre << 10)
        soc.write("RCC", register, 1 << bit)
        wait(soc, (1 + between) * cycle)  # the store's own cycle, and that many NOPs
        soc.bus_write(soc.peripherals[peripheral].spec, 0x0C, 4, 0, soc.now_ps)
        assert codes(soc) == ({"clock-settling"} if between < nops else set())


def test_reading_the_enable_register_back_is_delay_enough(soc: Soc) -> None:
    soc.write("RCC", "AHB1ENR", 4)
    soc.read("RCC", "AHB1ENR")
    soc.write("GPIOC", "ODR", 1)
    assert codes(soc) == set()


# ---------------------------------------------------------------------- gates, resets, sleep


def test_every_gate_of_the_chip_file_opens_by_its_bit(soc: Soc) -> None:
    for spec in soc.chip.peripherals.values():
        if spec.gate is None or not spec.gate.register.endswith("ENR"):
            continue
        assert not soc.gated[spec.name]
        soc.write("RCC", spec.gate.register, 1 << spec.gate.bit)
        assert soc.gated[spec.name], spec.name
        assert soc.read("RCC", spec.gate.register) == 1 << spec.gate.bit, spec.name
        if spec.kind is not None:
            assert hz(soc, spec.name) == 16_000_000
        soc.write("RCC", spec.gate.register, 0)
        assert not soc.gated[spec.name]
        assert hz(soc, spec.name) == 0


def test_resetting_an_ahb3_that_is_not_there_is_a_note_and_no_gap(soc: Soc) -> None:
    soc.write("RCC", "AHB3RSTR", 0xFFFF_FFFF)  # ST's HAL_DeInit
    assert soc.read("RCC", "AHB3RSTR") == 0
    soc.write("RCC", "AHB3RSTR", 0)
    seen = [event for event in soc.recorder.events if isinstance(event, (Hazard, Gap))]
    assert [(type(event), getattr(event, "severity", "")) for event in seen] == [(Hazard, "note")]


def test_timers_follow_their_kernel_and_others_their_bus(soc: Soc) -> None:
    soc.write("RCC", "APB1ENR", 1 | 1 << 17)
    soc.write("RCC", "CFGR", 5 << 10)
    assert hz(soc, "TIM2") == 8_000_000
    assert hz(soc, "USART2") == 4_000_000


def test_a_peripheral_held_in_reset_stands_still_and_forgets(soc: Soc) -> None:
    soc.write("RCC", "AHB1ENR", 1)
    wait(soc, US)
    soc.write("GPIOA", "MODER", 0xA800_0400)
    soc.write("GPIOA", "ODR", 0x20)
    assert soc.fabric.pads["PA5"].level == 1
    soc.write("RCC", "AHB1RSTR", 1)
    assert soc.fabric.pads["PA5"].level is None
    assert hz(soc, "GPIOA") == 0
    soc.write("GPIOA", "ODR", 0x20)
    soc.write("RCC", "AHB1RSTR", 0)
    assert soc.read("GPIOA", "ODR") == 0
    assert hz(soc, "GPIOA") == 16_000_000


def test_sleep_stops_what_its_low_power_bit_does_not_keep(soc: Soc) -> None:
    soc.write("RCC", "APB1ENR", 1 | 1 << 17)
    modify(soc, "APB1LPENR", 1, 0)
    rcc(soc).enter_sleep(soc.now_ps, "sleep")
    assert hz(soc, "TIM2") == 0
    assert hz(soc, "USART2") == 16_000_000
    assert rcc(soc).leave_sleep(soc.now_ps) == soc.now_ps
    assert hz(soc, "TIM2") == 16_000_000


def test_stop_leaves_the_low_speed_clocks_and_wakes_on_the_hsi(
    soc: Soc, hazards: Callable[[], list[str]]
) -> None:
    run_at_84_mhz(soc)
    soc.write("RCC", "APB1ENR", 1)
    soc.write("RCC", "CSR", 1)
    wait(soc, MS)
    rcc(soc).enter_sleep(soc.now_ps, "stop")
    for clock in ("SYSCLK", "HCLK", "APB1", "APB2", "TIM2", "HSI", "HSE", "PLL"):
        assert hz(soc, clock) == 0
    assert hz(soc, "LSI") == 32_000
    wait(soc, S)
    wake = rcc(soc).leave_sleep(soc.now_ps)
    assert wake > soc.now_ps
    soc.run_until(wake)
    assert hz(soc, "HCLK") == hz(soc, "TIM2") == 16_000_000
    assert soc.read("RCC", "CR") & (HSION | HSEON | PLLON | HSERDY | PLLRDY) == HSION
    assert soc.read("RCC", "CFGR") & 0xF == 0
    assert hazards() == []


# ---------------------------------------------------------------------- interrupts, CSS, MCO


def test_a_ready_interrupt_is_asked_for_and_cleared(soc: Soc) -> None:
    irq = soc.peripherals["RCC"].spec.irqs["global"]
    modify(soc, "CR", 0, HSEON | HSEBYP)
    wait(soc, 3 * MS)
    assert soc.read("RCC", "CIR") == 0  # nobody asked
    soc.write("RCC", "CIR", 1 << 8)
    soc.write("RCC", "CSR", 1)
    wait(soc, MS)
    assert soc.read("RCC", "CIR") == 1 << 8 | 1
    assert soc.interrupts.level(irq)
    soc.write("RCC", "CIR", 1 << 16)
    assert soc.read("RCC", "CIR") == 0
    assert not soc.interrupts.level(irq)


def test_the_clock_security_system_saves_a_run_from_a_dead_hse(soc: Soc) -> None:
    nmi: list[tuple[int, bool]] = []
    rcc(soc).on_nmi = lambda t, level: nmi.append((t, level))
    run_at_84_mhz(soc)
    modify(soc, "CR", 0, CSSON)
    rcc(soc).fail_hse(soc.now_ps)
    assert hz(soc, "HCLK") == 16_000_000
    assert soc.read("RCC", "CIR") == 1 << 7
    assert soc.read("RCC", "CR") & (HSEON | PLLON | PLLRDY | HSERDY) == 0
    soc.write("RCC", "CIR", 1 << 23)
    assert nmi == [(soc.now_ps, True), (soc.now_ps, False)]


def test_without_the_clock_security_system_a_dead_hse_stops_the_chip(soc: Soc) -> None:
    run_at_84_mhz(soc)
    rcc(soc).fail_hse(soc.now_ps)
    assert hz(soc, "HCLK") == 0


def test_clock_outputs_reach_their_pins_as_waves(soc: Soc) -> None:
    soc.write("RCC", "AHB1ENR", 5)
    soc.write("RCC", "CFGR", 7 << 24 | 4 << 27)  # MCO1: HSI / 5; MCO2: SYSCLK / 2
    wait(soc, US)
    soc.write("GPIOA", "MODER", 0xA802_0000)
    soc.write("GPIOC", "MODER", 2 << 18)
    wait(soc, 10 * US)
    waves = {e.pin: e for e in soc.recorder.events if isinstance(e, Wave)}
    assert waves["PA8"].first_ps + waves["PA8"].second_ps == Fraction(5 * S, 16_000_000)
    assert waves["PC9"].first_ps + waves["PC9"].second_ps == Fraction(2 * S, 16_000_000)
    assert codes(soc) == set()


def test_enabling_what_is_enabled_leaves_the_clocks_alone(
    soc: Soc, monkeypatch: pytest.MonkeyPatch
) -> None:
    soc.write("RCC", "AHB1ENR", 1)
    told: list[str] = []
    settle = Rcc._gate
    monkeypatch.setattr(Rcc, "_gate", lambda self, t_ps: told.append("gate") or settle(self, t_ps))
    soc.write("RCC", "AHB1ENR", 1)
    assert not told
    soc.write("RCC", "AHB1ENR", 3)
    assert told == ["gate"]
