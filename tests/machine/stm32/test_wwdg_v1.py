"""The window watchdog as the manual describes it, without a core."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fwgen.machine.soc import Soc
from tests.machine.scheduled import asked_of
from tests.machine.stm32.alone import MHZ, Requests, hazards, soc_with

PCLK = 16 * MHZ
STEP = 4096 * 10**12 // PCLK  # 256 us: exact
WDGA, EWI = 0x80, 0x200


def dog() -> tuple[Soc, list[tuple[int, str]]]:
    soc = soc_with("WWDG", hz=PCLK)
    resets: list[tuple[int, str]] = []
    soc.on_system_reset = lambda t, cause: resets.append((t, cause))
    return soc, resets


def test_it_counts_without_watching() -> None:
    soc, resets = dog()
    assert soc.read("WWDG", "CR") == 0x7F
    soc.run_until(STEP - 1)
    assert soc.read("WWDG", "CR") == 0x7F
    soc.run_until(STEP)
    assert soc.read("WWDG", "CR") == 0x7E
    soc.run_until(128 * STEP)  # through 0
    assert soc.read("WWDG", "CR") == 0x7F
    assert resets == []


@pytest.mark.parametrize(("base", "count", "steps"), [(0, 0x7F, 64), (3, 0x50, 17), (1, 0x40, 1)])
def test_it_bites_when_t6_falls(base: int, count: int, steps: int) -> None:
    soc, resets = dog()
    soc.write("WWDG", "CFR", 0x7F | base << 7)
    soc.write("WWDG", "CR", WDGA | count)
    due = steps * (STEP << base)
    soc.run_until(due - 1)
    assert resets == []
    soc.run_until(due)
    assert resets == [(due, "WWDGRSTF")]
    assert "not fed" in hazards(soc, "watchdog-expired")[0].message


def test_the_prescaler_is_not_restarted_by_a_feed() -> None:
    soc, resets = dog()
    soc.run_until(STEP - 1)
    soc.write("WWDG", "CR", WDGA | 0x40)
    soc.run_until(STEP)
    assert resets == [(STEP, "WWDGRSTF")]


def test_fed_within_the_window_it_stays_quiet_and_costs_no_events() -> None:
    soc, resets = dog()
    soc.write("WWDG", "CFR", 0x60)
    soc.write("WWDG", "CR", WDGA | 0x7F)
    asked = asked_of(soc)
    for _ in range(1000):
        soc.run_until(soc.now_ps + 40 * STEP)
        soc.write("WWDG", "CR", WDGA | 0x7F)
    assert resets == []
    assert len(asked) < 1000
    last = soc.now_ps
    soc.run_until(last + 100 * STEP)
    assert resets == [(last + 64 * STEP, "WWDGRSTF")]


def test_fed_before_the_window_opens_it_bites_and_says_when_it_would_have() -> None:
    soc, resets = dog()
    soc.write("WWDG", "CFR", 0x60)
    soc.write("WWDG", "CR", WDGA | 0x7F)  # not watching yet: no window
    assert resets == []
    soc.run_until(30 * STEP)
    soc.write("WWDG", "CR", WDGA | 0x7F)
    assert resets == [(30 * STEP, "WWDGRSTF")]
    (hazard,) = hazards(soc, "watchdog-early")
    assert "fed at 0x61, above the window's 0x60; the window opens 256 µs later" in hazard.message


def test_the_window_is_open_at_its_own_value() -> None:
    soc, resets = dog()
    soc.write("WWDG", "CFR", 0x60)
    soc.write("WWDG", "CR", WDGA | 0x7F)
    soc.run_until(31 * STEP)
    soc.write("WWDG", "CR", WDGA | 0x7F)
    assert resets == []


def test_t6_written_as_0_bites_at_once() -> None:
    soc, resets = dog()
    soc.write("WWDG", "CR", WDGA | 0x3F)
    assert resets == [(0, "WWDGRSTF")]
    assert "T6 is 0" in hazards(soc, "watchdog-expired")[0].message


def test_a_reset_alone_stops_it() -> None:
    soc, resets = dog()
    soc.write("WWDG", "CR", WDGA | 0x7F)
    soc.write("WWDG", "CR", 0x7F)
    assert soc.read("WWDG", "CR") & WDGA
    soc.reset(soc.now_ps, "SFTRSTF")
    assert soc.read("WWDG", "CR") == 0x7F
    soc.run_until(1000 * STEP)
    assert resets == []


def test_early_wakeup_comes_one_step_before_the_reset_and_is_cleared_by_0() -> None:
    soc, resets = dog()
    heard = Requests(soc)
    soc.write("WWDG", "CFR", 0x7F | EWI)
    soc.write("WWDG", "CR", WDGA | 0x42)
    soc.run_until(2 * STEP)
    assert heard.changes == [(2 * STEP, 0, True)]
    assert soc.read("WWDG", "SR") == 1
    soc.write("WWDG", "SR", 1)
    assert soc.read("WWDG", "SR") == 1
    soc.write("WWDG", "SR", 0)
    assert soc.read("WWDG", "SR") == 0
    assert heard.changes[1:] == [(2 * STEP, 0, False)]
    soc.write("WWDG", "CR", WDGA | 0x42)
    soc.run_until(4 * STEP)
    assert len(heard.changes) == 3
    soc.run_until(5 * STEP)
    assert resets == [(5 * STEP, "WWDGRSTF")]


def test_the_flag_rises_without_the_interrupt_too() -> None:
    soc, _ = dog()
    soc.run_until(63 * STEP - 1)
    assert soc.read("WWDG", "SR") == 0
    soc.run_until(63 * STEP)
    assert soc.read("WWDG", "SR") == 1


def test_without_its_clock_it_stands_still() -> None:
    soc, resets = dog()
    soc.write("WWDG", "CR", WDGA | 0x41)
    soc.run_until(STEP)
    soc.clock("WWDG").set(0, soc.now_ps)
    soc.run_until(1000 * STEP)
    soc.clock("WWDG").set(PCLK, soc.now_ps)
    soc.run_until(1001 * STEP - 1)
    assert resets == []
    soc.run_until(1001 * STEP)
    assert resets == [(1001 * STEP, "WWDGRSTF")]


def test_a_run_that_ends_before_the_first_deadline_shows_no_feeding() -> None:
    soc, _ = dog()
    wwdg = soc.peripherals["WWDG"]
    assert not list(wwdg.unfinished(STEP))
    soc.write("WWDG", "CR", WDGA | 0x7F)
    soc.run_until(STEP)
    assert [e.code for e in wwdg.unfinished(STEP)] == ["watchdog-unfed"]  # type: ignore[attr-defined]


@dataclass
class Plain:
    """The same counter, step by step."""

    count: int = 0x7F
    base: int = 0
    early: bool = False

    def step(self) -> None:
        self.count = (self.count - 1) & 0x7F
        self.early |= self.count == 0x40


acts = st.lists(
    st.tuples(st.sampled_from(("wait", "feed", "clear")), st.integers(1, 140)), max_size=30
)


@settings(max_examples=100)
@given(acts)
def test_counting_when_asked_is_counting_step_by_step(acts: list[tuple[str, int]]) -> None:
    soc, _ = dog()
    plain = Plain()
    for what, number in acts:
        if what == "wait":
            soc.run_until(soc.now_ps + number * STEP)
            for _ in range(number):
                plain.step()
        elif what == "feed":
            soc.write("WWDG", "CR", number & 0x7F)
            plain.count = number & 0x7F
        else:
            soc.write("WWDG", "SR", 0)
            plain.early = False
        assert soc.read("WWDG", "CR") == plain.count
        assert soc.read("WWDG", "SR") == plain.early
