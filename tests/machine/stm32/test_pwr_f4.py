"""Power control: the regulator's readiness, the backup domain's lock, what woke the chip."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import pytest

from fwgen.machine.stm32.pwr_f4 import Pwr
from fwgen.trace import Gap

if TYPE_CHECKING:
    from collections.abc import Callable

    from fwgen.machine.soc import Soc

VOSRDY = 1 << 14


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
    pwr(soc).wake_from_standby()
    soc.reset(soc.now_ps, "PINRSTF")
    clocked(soc)
    assert soc.read("PWR", "CSR") & 3 == 3
    soc.write("PWR", "CR", 0x8004)
    assert soc.read("PWR", "CSR") & 3 == 2
    soc.write("PWR", "CR", 0x8008)
    assert soc.read("PWR", "CSR") & 3 == 0
    assert soc.read("PWR", "CR") == 0x8000  # CWUF and CSBF read as 0
    pwr(soc).wake_from_standby()
    soc.reset(soc.now_ps, "PORRSTF")
    clocked(soc)
    assert soc.read("PWR", "CSR") & 3 == 0


def test_the_voltage_detector_is_a_gap(soc: Soc) -> None:
    soc.write("PWR", "CR", 0x8010)
    assert [e.register for e in soc.recorder.events if isinstance(e, Gap)] == ["CR.PVDE"]
