"""Flash: keys, programming, erasing, option bytes, wait states."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fwgen.machine.stm32.flash_f4 import PROGRAM_PS, Flash
from fwgen.trace import Gap, Hazard

if TYPE_CHECKING:
    from collections.abc import Callable

    from fwgen.machine.soc import Soc

PG, SER, MER, STRT, EOPIE, ERRIE, LOCK = 1, 2, 4, 1 << 16, 1 << 24, 1 << 25, 1 << 31
X32 = 2 << 8
EOP, OPERR, WRPERR, PGAERR, PGPERR, PGSERR, BSY = 1, 2, 16, 32, 64, 128, 1 << 16
BASE = 0x0800_0000
MS = 10**9


def flash(soc: Soc) -> Flash:
    return cast("Flash", soc.peripherals["FLASH"])


def unlock(soc: Soc) -> None:
    soc.write("FLASH", "KEYR", 0x4567_0123)
    soc.write("FLASH", "KEYR", 0xCDEF_89AB)


def codes(soc: Soc) -> list[str]:
    return [e.code for e in soc.recorder.events if isinstance(e, Hazard) and e.severity != "note"]


def word(soc: Soc, address: int) -> int:
    offset = address - BASE
    return int.from_bytes(flash(soc).memory[offset : offset + 4], "little")


# ---------------------------------------------------------------------- locks


def test_the_control_register_is_locked_until_both_keys_came(soc: Soc) -> None:
    soc.write("FLASH", "CR", PG)
    assert soc.read("FLASH", "CR") == LOCK
    unlock(soc)
    assert soc.read("FLASH", "CR") == 0
    soc.write("FLASH", "CR", PG)
    assert soc.read("FLASH", "CR") == PG
    soc.write("FLASH", "CR", LOCK)
    soc.write("FLASH", "CR", 0)
    assert soc.read("FLASH", "CR") == LOCK


@pytest.mark.parametrize(
    "keys", [(0x1234_5678,), (0x4567_0123, 0x4567_0123), (0xCDEF_89AB, 0x4567_0123)]
)
def test_a_wrong_key_locks_until_the_next_reset(soc: Soc, keys: tuple[int, ...]) -> None:
    for key in keys:
        soc.write("FLASH", "KEYR", key)
    unlock(soc)
    assert soc.read("FLASH", "CR") == LOCK
    assert "flash-key" in codes(soc)
    soc.reset(soc.now_ps, "SFTRSTF")
    unlock(soc)
    assert soc.read("FLASH", "CR") == 0


# ---------------------------------------------------------------------- programming


def test_programming_takes_its_time_and_tells_whoever_listens(soc: Soc) -> None:
    changes: list[tuple[int, int]] = []
    flash(soc).on_changed(lambda address, length: changes.append((address, length)))
    unlock(soc)
    soc.write("FLASH", "CR", PG | X32 | EOPIE)
    flash(soc).program(BASE + 0x8000, 4, 0x1234_5678, soc.now_ps)
    assert flash(soc).busy_until_ps == soc.now_ps + PROGRAM_PS
    assert soc.read("FLASH", "SR") == BSY
    peek = flash(soc).peek(0x0C, 4, soc.now_ps)
    assert peek is not None
    assert peek.stable_until_ps == flash(soc).busy_until_ps
    soc.run_until(PROGRAM_PS - 1)
    assert word(soc, BASE + 0x8000) == 0xFFFF_FFFF
    soc.run_until(PROGRAM_PS)
    assert word(soc, BASE + 0x8000) == 0x1234_5678
    assert soc.read("FLASH", "SR") == EOP
    assert soc.interrupts.level(soc.peripherals["FLASH"].spec.irqs["global"])
    soc.write("FLASH", "SR", EOP)
    assert not soc.interrupts.level(soc.peripherals["FLASH"].spec.irqs["global"])
    assert changes == [(BASE + 0x8000, 4)]
    assert codes(soc) == []


def test_the_end_of_an_operation_is_flagged_only_when_its_interrupt_is_enabled(soc: Soc) -> None:
    unlock(soc)
    soc.write("FLASH", "CR", PG | X32)
    flash(soc).program(BASE, 4, 0, soc.now_ps)
    soc.run_until(MS)
    assert soc.read("FLASH", "SR") == 0


@given(values=st.lists(st.integers(0, 0xFFFF_FFFF), min_size=1, max_size=4))
def test_programming_can_only_clear_bits(session_soc: Callable[[], Soc], values: list[int]) -> None:
    soc = session_soc()
    unlock(soc)
    soc.write("FLASH", "CR", PG | X32)
    expected = 0xFFFF_FFFF
    needs_erase = False
    for value in values:
        needs_erase |= bool(value & ~expected)
        expected &= value
        flash(soc).program(BASE + 16, 4, value, soc.now_ps)
        soc.run_until(soc.now_ps + PROGRAM_PS)
        assert word(soc, BASE + 16) == expected
    assert ("flash-not-erased" in codes(soc)) == needs_erase


def test_operations_queue_behind_each_other(soc: Soc) -> None:
    unlock(soc)
    soc.write("FLASH", "CR", PG | X32)
    for n in range(3):
        flash(soc).program(BASE + 4 * n, 4, n, 0)
    assert flash(soc).busy_until_ps == 3 * PROGRAM_PS
    soc.run_until(3 * PROGRAM_PS)
    assert [word(soc, BASE + 4 * n) for n in range(3)] == [0, 1, 2]


@pytest.mark.parametrize(
    ("control", "address", "size", "flag"),
    [
        (X32, BASE, 4, PGSERR),  # PG not set
        (PG | SER | X32, BASE, 4, PGSERR),
        (PG | X32, BASE, 2, PGPERR),
        (PG, BASE, 4, PGPERR),
        (PG | X32, BASE + 14, 4, PGAERR),
        (PG | X32, BASE + 0x8_0000, 4, PGSERR),  # past the end
    ],
)
def test_a_store_that_cannot_program_says_why(
    soc: Soc, control: int, address: int, size: int, flag: int
) -> None:
    unlock(soc)
    soc.write("FLASH", "CR", control | ERRIE)
    flash(soc).program(address, size, 0, soc.now_ps)
    soc.run_until(MS)
    assert soc.read("FLASH", "SR") == flag | OPERR
    assert soc.interrupts.level(soc.peripherals["FLASH"].spec.irqs["global"])
    assert set(flash(soc).memory) == {0xFF}
    assert codes(soc) == ["flash-refused"]
    soc.write("FLASH", "SR", flag | OPERR)
    assert soc.read("FLASH", "SR") == 0


def test_a_store_while_locked_programs_nothing(soc: Soc) -> None:
    flash(soc).program(BASE, 4, 0, soc.now_ps)
    soc.run_until(MS)
    assert soc.read("FLASH", "SR") == PGSERR
    assert word(soc, BASE) == 0xFFFF_FFFF


def test_too_wide_a_store_for_the_supply_is_a_hazard(make_soc: Callable[..., Soc]) -> None:
    soc = make_soc(supply_uv=2_500_000)
    unlock(soc)
    soc.write("FLASH", "CR", PG | X32)
    flash(soc).program(BASE, 4, 0, soc.now_ps)
    assert codes(soc) == ["flash-psize"]


# ---------------------------------------------------------------------- erasing


@pytest.mark.parametrize(
    ("sector", "offset", "size", "took"),
    [(0, 0, 0x4000, 250), (4, 0x1_0000, 0x1_0000, 550), (7, 0x6_0000, 0x2_0000, 1000)],
)
def test_a_sector_erase_blanks_the_sector_and_no_more(
    soc: Soc, sector: int, offset: int, size: int, took: int
) -> None:
    memory = flash(soc).memory
    memory[:] = bytes(len(memory))
    unlock(soc)
    soc.write("FLASH", "CR", SER | X32 | sector << 3)
    soc.write("FLASH", "CR", SER | X32 | sector << 3 | STRT)
    soc.run_until(took * MS - 1)
    assert soc.read("FLASH", "SR") == BSY
    assert soc.read("FLASH", "CR") & STRT
    soc.run_until(took * MS)
    assert soc.read("FLASH", "SR") == 0
    assert not soc.read("FLASH", "CR") & STRT
    assert memory.count(0xFF) == size
    assert set(memory[offset : offset + size]) == {0xFF}


def test_a_mass_erase_blanks_everything(soc: Soc) -> None:
    memory = flash(soc).memory
    memory[:] = bytes(len(memory))
    unlock(soc)
    soc.write("FLASH", "CR", MER | X32 | STRT)
    soc.run_until(4000 * MS)
    assert set(memory) == {0xFF}


@pytest.mark.parametrize("control", [0, PG | SER, SER | 9 << 3])
def test_an_erase_of_nothing_sensible_is_refused(soc: Soc, control: int) -> None:
    unlock(soc)
    soc.write("FLASH", "CR", control | X32 | STRT)
    assert soc.read("FLASH", "SR") == PGSERR
    assert not soc.read("FLASH", "CR") & STRT


def test_a_reset_cuts_an_operation_short(soc: Soc) -> None:
    flash(soc).memory[0] = 0
    unlock(soc)
    soc.write("FLASH", "CR", SER | X32 | STRT)
    soc.reset(soc.now_ps, "SFTRSTF")
    assert soc.read("FLASH", "SR") == 0
    soc.run_until(1000 * MS)
    assert flash(soc).memory[0] == 0


def test_the_content_outlives_a_reset(soc: Soc) -> None:
    flash(soc).memory[:4] = b"code"
    soc.reset(soc.now_ps, "PORRSTF")
    assert flash(soc).memory[:4] == b"code"


# ---------------------------------------------------------------------- option bytes


def unlock_options(soc: Soc) -> None:
    soc.write("FLASH", "OPTKEYR", 0x0819_2A3B)
    soc.write("FLASH", "OPTKEYR", 0x4C5D_6E7F)


def test_option_bytes_are_locked_until_their_keys_came(soc: Soc) -> None:
    before = soc.read("FLASH", "OPTCR")
    soc.write("FLASH", "OPTCR", 0)
    assert soc.read("FLASH", "OPTCR") == before
    assert codes(soc) == []


def test_programming_option_bytes_is_a_hazard_and_protects_sectors(soc: Soc) -> None:
    unlock_options(soc)
    value = soc.read("FLASH", "OPTCR") & ~(1 << 16)
    soc.write("FLASH", "OPTCR", value)
    soc.write("FLASH", "OPTCR", value | 2)
    soc.run_until(MS)
    assert codes(soc) == ["option-bytes"]
    soc.reset(soc.now_ps, "PORRSTF")
    assert not soc.read("FLASH", "OPTCR") >> 16 & 1
    unlock(soc)
    soc.write("FLASH", "CR", PG | X32)
    flash(soc).program(BASE, 4, 0, soc.now_ps)
    assert soc.read("FLASH", "SR") == WRPERR


@pytest.mark.parametrize(("rdp", "said"), [(0x55, "level 1"), (0xCC, "level 2, for ever")])
def test_a_change_of_read_out_protection_is_a_hazard(soc: Soc, rdp: int, said: str) -> None:
    unlock_options(soc)
    soc.write("FLASH", "OPTCR", soc.read("FLASH", "OPTCR") & ~0xFF00 | rdp << 8)
    (hazard,) = [e for e in soc.recorder.events if isinstance(e, Hazard)]
    assert hazard.code == "option-bytes"
    assert hazard.severity == "error"
    assert said in hazard.message


def test_proprietary_protection_is_a_gap(soc: Soc) -> None:
    unlock_options(soc)
    soc.write("FLASH", "OPTCR", soc.read("FLASH", "OPTCR") | 1 << 31)
    assert [e.register for e in soc.recorder.events if isinstance(e, Gap)] == ["OPTCR.SPRMOD"]


# ---------------------------------------------------------------------- access time


def test_access_control_is_told_to_the_core(soc: Soc) -> None:
    told: list[int] = []
    flash(soc).on_timing(told.append)
    soc.write("FLASH", "ACR", 0x702)
    f = flash(soc)
    assert (f.latency, f.prefetch, f.icache, f.dcache) == (2, True, True, True)
    soc.write("FLASH", "ACR", 0x702)
    assert told == [0]
    assert soc.read("FLASH", "ACR") == 0x702


@pytest.mark.parametrize(
    ("supply_uv", "hz", "states"),
    [
        (3_300_000, 30_000_000, 0), (3_300_000, 30_000_001, 1), (3_300_000, 84_000_000, 2),
        (2_500_000, 84_000_000, 3), (1_800_000, 16_000_000, 0), (1_800_000, 84_000_000, 5),
        (3_300_000, 84_000_001, None),
    ],
)  # fmt: skip
def test_wait_states_by_clock_and_supply(
    make_soc: Callable[..., Soc], supply_uv: int, hz: int, states: int | None
) -> None:
    assert flash(make_soc(supply_uv=supply_uv)).wait_states_needed(hz) == states


def test_prefetch_wants_a_supply(make_soc: Callable[..., Soc]) -> None:
    soc = make_soc(supply_uv=1_800_000)
    soc.write("FLASH", "ACR", 1 << 8)
    assert codes(soc) == ["flash-prefetch"]
