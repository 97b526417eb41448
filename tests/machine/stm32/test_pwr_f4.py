"""Power control: the regulator's readiness, the backup domain's lock, what woke the chip."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import pytest

from fwgen.machine.stm32.pwr_f4 import Pwr
from fwgen.trace import Gap
from tests.machine.conftest import hazard_codes

if TYPE_CHECKING:
    from collections.abc import Callable

    from fwgen.machine.soc import Soc
    from fwgen.machine.stm32.rcc_f4 import Rcc

VOSRDY, EWUP, PVDO = 1 << 14, 1 << 8, 1 << 2
US, MS = 10**6, 10**9


@pytest.fixture
def soc(make_soc: Callable[..., Soc]) -> Soc:
    """A chip with PWR's clock on."""
    return clocked(make_soc())


def clocked(soc: Soc) -> Soc:
    soc.write("RCC", "APB1ENR", 1 << 28)
    soc.run_until(soc.now_ps + 10**6)
    return soc


def pwr(soc: Soc) -> Pwr:
    return cast("Pwr", soc.peripherals["PWR"])


def test_the_scale_is_ready_once_the_pll_runs(soc: Soc) -> None:
    soc.write("PWR", "CR", 0x8000)
    assert not soc.read("PWR", "CSR") & VOSRDY
    soc.write("RCC", "PLLCFGR", 0x2400_0000 | 336 << 6 | 1 << 16 | 16)
    soc.write("RCC", "CR", soc.read("RCC", "CR") | 1 << 24)
    soc.run_until(soc.now_ps + 10**9)
    assert soc.read("PWR", "CSR") & VOSRDY


@pytest.mark.parametrize(("cr", "mode"), [(0x8000, "stop"), (0x8002, "standby")])
def test_deep_sleep_is_what_pdds_says(soc: Soc, cr: int, mode: str) -> None:
    soc.write("PWR", "CR", cr)
    assert pwr(soc).deep_mode == mode


def test_the_way_back_from_stop_is_longer_the_deeper_it_was(soc: Soc) -> None:
    times = []
    for cr in (0x8000, 0x8001, 0x8200, 0x8201):
        soc.write("PWR", "CR", cr)
        times.append(pwr(soc).stop_wake_ps)
    assert times == sorted(times)
    assert len(set(times)) == 4


def test_flags_of_standby_outlive_a_system_reset_and_are_cleared_by_hand(soc: Soc) -> None:
    stand_by(soc)
    pwr(soc).wake_line(soc.now_ps, "RTC.ALARM", 1)
    resets = listen(soc)
    soc.run_until(soc.now_ps + MS)
    assert [cause for _, cause in resets] == ["STANDBY"]
    soc.reset(soc.now_ps, "STANDBY")
    clocked(soc)
    assert soc.read("PWR", "CSR") & 3 == 3
    soc.write("PWR", "CR", 0x8004)
    assert soc.read("PWR", "CSR") & 3 == 2
    pwr(soc).wake_line(soc.now_ps, "RTC.ALARM", 0)
    pwr(soc).wake_line(soc.now_ps, "RTC.ALARM", 1)
    assert soc.read("PWR", "CSR") & 3 == 3
    soc.reset(soc.now_ps, "SFTRSTF")  # clears WUF, not SBF (§5.4.2)
    clocked(soc)
    assert soc.read("PWR", "CSR") & 3 == 2
    soc.write("PWR", "CR", 0x8008)
    assert soc.read("PWR", "CSR") & 3 == 0
    assert soc.read("PWR", "CR") == 0x8000  # CWUF and CSBF read as 0
    stand_by(soc)
    soc.reset(soc.now_ps, "PORRSTF")
    clocked(soc)
    assert soc.read("PWR", "CSR") & 3 == 0


def stand_by(soc: Soc) -> None:
    cast("Rcc", soc.peripherals["RCC"]).enter_sleep(soc.now_ps, "standby")
    soc.enter_standby(soc.now_ps, powered=False)


def listen(soc: Soc) -> list[tuple[int, str]]:
    resets: list[tuple[int, str]] = []
    soc.on_system_reset = lambda t, cause: resets.append((t, cause))
    return resets


def test_standby_takes_the_state_of_the_peripherals_and_lets_pins_go(soc: Soc) -> None:
    soc.write("RCC", "AHB1ENR", 1)
    soc.run_until(soc.now_ps + MS)
    soc.write("GPIOA", "BSRR", 1 << 5)
    soc.write("GPIOA", "MODER", 0xA800_0400)
    assert soc.fabric.pads["PA5"].level == 1
    stand_by(soc)
    assert soc.fabric.pads["PA5"].level is None
    assert soc.clock("HCLK").hz == 0
    soc.reset(soc.now_ps, "STANDBY")
    assert soc.read("RCC", "CSR") == 0x0E00_0000  # as from power-on (§6.1.2)


def test_the_wkup_pin_ends_standby_after_its_time(soc: Soc) -> None:
    soc.write("PWR", "CSR", EWUP)
    stand_by(soc)
    assert soc.fabric.pads["PA0"].level == 0  # pulled down by PWR
    resets = listen(soc)
    soc.run_until(soc.now_ps + MS)
    at = soc.now_ps
    soc.fabric.pads["PA0"].drive_outside(at, "wire", 1)
    soc.run_until(at + MS)
    assert resets == [(at + 314 * US, "STANDBY")]
    soc.reset(soc.now_ps, "STANDBY")
    clocked(soc)
    assert soc.read("PWR", "CSR") == 3 | EWUP


def test_a_high_pin_wakes_as_soon_as_it_may_and_a_wuf_left_set_ends_standby_at_once(
    soc: Soc,
) -> None:
    soc.fabric.pads["PA0"].drive_outside(soc.now_ps, "wire", 1)
    assert not soc.read("PWR", "CSR") & 1
    soc.write("PWR", "CSR", EWUP)
    assert soc.read("PWR", "CSR") & 1
    resets = listen(soc)
    at = soc.now_ps
    stand_by(soc)
    soc.run_until(at + MS)
    assert resets == [(at + 314 * US, "STANDBY")]


def test_the_independent_watchdog_goes_on_in_standby(soc: Soc) -> None:
    soc.write("IWDG", "KR", 0xCCCC)
    resets = listen(soc)
    stand_by(soc)
    soc.run_until(soc.now_ps + 600 * MS)
    assert [cause for _, cause in resets] == ["IWDGRSTF"]
    soc.reset(soc.now_ps, "IWDGRSTF")
    assert soc.read("RCC", "CSR") == 0x2E00_0000
    clocked(soc)
    assert soc.read("PWR", "CSR") & 3 == 2


def test_the_voltage_detector_compares_with_some_hysteresis_and_is_line_16(soc: Soc) -> None:
    soc.write("EXTI", "IMR", 1 << 16)
    soc.write("EXTI", "RTSR", 1 << 16)
    soc.write("PWR", "CR", 0x8010 | 5 << 5)  # 2.93 V rising, 2.84 V falling
    assert not soc.read("PWR", "CSR") & PVDO
    pwr(soc).supply(soc.now_ps, 2_850_000)
    assert not soc.read("PWR", "CSR") & PVDO
    assert soc.read("EXTI", "PR") == 0
    pwr(soc).supply(soc.now_ps, 2_830_000)
    assert soc.read("PWR", "CSR") & PVDO
    assert soc.read("EXTI", "PR") == 1 << 16
    pwr(soc).supply(soc.now_ps, 2_900_000)
    assert soc.read("PWR", "CSR") & PVDO
    pwr(soc).supply(soc.now_ps, 2_940_000)
    assert not soc.read("PWR", "CSR") & PVDO
    pwr(soc).supply(soc.now_ps, 2_000_000)
    soc.write("PWR", "CR", 0x8000)
    assert not soc.read("PWR", "CSR") & PVDO


def test_stop_is_refused_while_a_line_is_pending(soc: Soc) -> None:
    assert not pwr(soc).refuses_stop()
    soc.write("EXTI", "IMR", 1)
    soc.write("EXTI", "SWIER", 1)
    assert pwr(soc).refuses_stop()
    assert hazard_codes(soc) == ["stop-refused"]
    soc.write("EXTI", "PR", 1)
    assert not pwr(soc).refuses_stop()


def test_the_low_voltage_modes_are_gaps(soc: Soc) -> None:
    soc.write("PWR", "CR", 0x8C00)
    gaps = [e.register for e in soc.recorder.events if isinstance(e, Gap)]
    assert gaps == ["CR.LPLVDS", "CR.MRLVDS"]


BRE, BRR, DBP = 1 << 9, 1 << 3, 1 << 8


def test_the_backup_regulator_gets_ready_and_outlasts_a_system_reset(soc: Soc) -> None:
    soc.write("PWR", "CR", DBP)
    soc.write("PWR", "CSR", BRE)
    assert soc.read("PWR", "CSR") & (BRE | BRR) == BRE
    soc.run_until(soc.now_ps + MS)
    assert soc.read("PWR", "CSR") & (BRE | BRR) == BRE | BRR
    soc.reset(soc.now_ps, "SFTRSTF")
    clocked(soc)
    assert soc.read("PWR", "CSR") & (BRE | BRR) == BRE | BRR
    soc.write("PWR", "CR", DBP)
    soc.write("PWR", "CSR", 0)
    assert not soc.read("PWR", "CSR") & (BRE | BRR)


def test_the_backup_regulator_is_locked_as_its_domain_is(soc: Soc) -> None:
    soc.write("PWR", "CSR", BRE)
    soc.run_until(soc.now_ps + MS)
    assert not soc.read("PWR", "CSR") & (BRE | BRR)
    assert "backup-locked" in hazard_codes(soc)
