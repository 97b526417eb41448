"""The independent watchdog as the manual describes it, without a core."""

from __future__ import annotations

import pytest

from fwgen.machine.soc import Soc
from tests.machine.scheduled import asked_of
from tests.machine.stm32.alone import gaps, hazards, soc_with

LSI = 32_000
TICK = 10**12 // LSI  # 31.25 us
MS = 10**9
UNLOCK, RELOAD, START = 0x5555, 0xAAAA, 0xCCCC


def dog(*, lsi: int = LSI) -> tuple[Soc, list[tuple[int, str]]]:
    soc = soc_with("IWDG")
    soc.clock("LSI").set(lsi, 0)
    resets: list[tuple[int, str]] = []
    soc.on_system_reset = lambda t, cause: resets.append((t, cause))
    return soc, resets


def keys(soc: Soc, *values: int) -> None:
    for value in values:
        soc.write("IWDG", "KR", value)


def test_nothing_happens_before_the_start() -> None:
    soc, resets = dog()
    soc.run_until(100_000 * MS)
    assert resets == []


def test_it_bites_after_the_longest_period_of_the_shortest_prescaler() -> None:
    soc, resets = dog()
    keys(soc, START)
    soc.run_until(512 * MS - 1)
    assert resets == []
    soc.run_until(512 * MS)
    assert resets == [(512 * MS, "IWDGRSTF")]
    assert "not fed for 512 ms" in hazards(soc, "watchdog-expired")[0].message


@pytest.mark.parametrize(
    ("pr", "rlr", "ms"), [(0, 0xFFF, 512), (1, 999, 250), (3, 99, 100), (6, 124, 1000), (7, 0, 8)]
)
def test_period_by_prescaler_and_reload(pr: int, rlr: int, ms: int) -> None:
    soc, resets = dog()
    keys(soc, START, UNLOCK)
    soc.write("IWDG", "PR", pr)
    soc.write("IWDG", "RLR", rlr)
    while soc.read("IWDG", "SR"):
        soc.run_until(soc.scheduler.next_ps)
    keys(soc, RELOAD)
    fed = soc.now_ps
    soc.run_until(fed + ms * MS - 1)
    assert resets == []
    soc.run_until(fed + ms * MS)
    assert resets == [(fed + ms * MS, "IWDGRSTF")]


def test_feeding_keeps_it_quiet_and_costs_no_events() -> None:
    soc, resets = dog()
    keys(soc, START)
    asked = asked_of(soc)
    for _ in range(5000):
        soc.run_until(soc.now_ps + MS)
        keys(soc, RELOAD)
    assert resets == []
    assert len(asked) < 15
    last = soc.now_ps
    soc.run_until(last + 600 * MS)
    assert resets == [(last + 512 * MS, "IWDGRSTF")]


def test_a_new_reload_value_takes_effect_with_the_next_reload() -> None:
    soc, resets = dog()
    keys(soc, START, UNLOCK)
    soc.write("IWDG", "RLR", 7)
    soc.run_until(MS)
    assert soc.read("IWDG", "SR") == 0
    soc.run_until(511 * MS)
    assert resets == []
    keys(soc, RELOAD)
    soc.run_until(512 * MS)
    assert resets == [(512 * MS, "IWDGRSTF")]


def test_updates_take_five_cycles_of_the_lsi() -> None:
    soc, _ = dog()
    keys(soc, UNLOCK)
    soc.write("IWDG", "PR", 2)
    soc.run_until(TICK)
    soc.write("IWDG", "RLR", 100)
    assert soc.read("IWDG", "SR") == 3
    soc.run_until(5 * TICK - 1)
    assert soc.read("IWDG", "SR") == 3
    soc.run_until(5 * TICK)
    assert soc.read("IWDG", "SR") == 2
    soc.run_until(6 * TICK)
    assert soc.read("IWDG", "SR") == 0


def test_a_prescaler_that_changes_on_the_way_stretches_the_rest() -> None:
    soc, resets = dog()
    keys(soc, START, UNLOCK)
    soc.write("IWDG", "PR", 1)
    soc.run_until(5 * TICK)  # one step of the count is over, from 0xFFF to 0xFFE
    end = 5 * TICK + 0xFFF * 8 * TICK
    soc.run_until(end - 1)
    assert resets == []
    soc.run_until(end)
    assert resets == [(end, "IWDGRSTF")]


@pytest.mark.parametrize("locks_again", [RELOAD, START, 0])
def test_prescaler_and_reload_are_write_protected(locks_again: int) -> None:
    soc, _ = dog()
    soc.write("IWDG", "PR", 3)
    keys(soc, UNLOCK, locks_again)
    soc.write("IWDG", "RLR", 3)
    assert (soc.read("IWDG", "PR"), soc.read("IWDG", "RLR")) == (0, 0xFFF)
    assert soc.read("IWDG", "SR") == 0
    assert len(hazards(soc, "watchdog-write")) == 2


def test_a_second_write_before_the_update_is_lost() -> None:
    soc, _ = dog()
    keys(soc, UNLOCK)
    soc.write("IWDG", "RLR", 100)
    soc.write("IWDG", "RLR", 200)
    assert soc.read("IWDG", "RLR") == 100
    assert "while RVU is set" in hazards(soc, "watchdog-write")[0].message


def test_without_the_lsi_updates_stand_still() -> None:
    soc, _ = dog(lsi=0)
    keys(soc, UNLOCK)
    soc.write("IWDG", "PR", 2)
    soc.run_until(1000 * MS)
    assert soc.read("IWDG", "SR") == 1
    soc.clock("LSI").set(LSI, soc.now_ps)
    soc.run_until(soc.now_ps + 5 * TICK)
    assert soc.read("IWDG", "SR") == 0


def test_a_started_dog_cannot_be_stopped_but_by_reset() -> None:
    soc, resets = dog()
    keys(soc, START, 0, UNLOCK, 0x1234)
    soc.run_until(300 * MS)
    soc.reset(soc.now_ps, "SFTRSTF")
    soc.run_until(10_000 * MS)
    assert resets == []
    assert soc.read("IWDG", "RLR") == 0xFFF
    assert gaps(soc) == []


def test_starting_it_again_does_not_feed_it() -> None:
    soc, resets = dog()
    keys(soc, START)
    soc.run_until(500 * MS)
    keys(soc, START)
    soc.run_until(512 * MS)
    assert len(resets) == 1
