"""The flash algorithm of the STM32F4, called in the machine against its flash controller."""

from __future__ import annotations

from dataclasses import replace
from itertools import accumulate
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

import pytest

from fwgen.board.types import Memory
from fwgen.errors import BoardError
from fwgen.machine.time import NEVER
from fwgen.rig.algorithms import Algorithm, make_algorithm
from fwgen.rig.algorithms.stm32.flash_f4 import BUSY, LOCKED, ODD, OUTSIDE
from fwgen.thumb import isa
from tests.rig.algorithms.caller import MS, Caller

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from fwgen.board.types import Board

FLASH = 0x0800_0000
END = 0x0808_0000
SECTORS = [0x4000] * 4 + [0x1_0000] + [0x2_0000] * 3
STARTS = [FLASH + start for start in accumulate([0, *SECTORS[:-1]])]
WRPERR, PGSERR = 1 << 4, 1 << 7
LOCK = 1 << 31
LISTING = Path(__file__).parent / "flash_f4.lst"
SUPPLIES = {4: 3_300_000, 2: 2_400_000, 1: 1_800_000}


@pytest.fixture(scope="session")
def algorithm(board: Board) -> Algorithm:
    return make_algorithm(board.chip, board.supply_uv)


@pytest.fixture
def make(board: Board) -> Iterator[Callable[..., Caller]]:
    made: list[Caller] = []

    def caller(supply_uv: int = 3_300_000, at: int | None = None) -> Caller:
        powered = replace(board, supply_uv=supply_uv)
        made.append(Caller(powered, make_algorithm(board.chip, supply_uv), at))
        return made[-1]

    yield caller
    for one in made:
        one.machine.close()


@pytest.fixture
def caller(make: Callable[..., Caller]) -> Caller:
    return make()


# ---------------------------------------------------------------------- what it is


def test_word_0_is_a_breakpoint_and_the_entries_lie_behind_it(algorithm: Algorithm) -> None:
    assert algorithm.code[:2] == bytes.fromhex("00be")
    assert len(algorithm.code) % 4 == 0
    for entry in algorithm.entries.values():
        assert algorithm.base + 4 <= entry < algorithm.base + len(algorithm.code)
        assert entry % 2 == 0


def test_code_stack_and_buffers_lie_apart_in_ram(board: Board, algorithm: Algorithm) -> None:
    ram = board.chip.ram
    first, second = algorithm.buffers
    edges = [
        ram.base, algorithm.base, algorithm.base + len(algorithm.code), algorithm.stack_end,
        algorithm.stack_top, first, first + algorithm.page_size, second,
        second + algorithm.page_size, ram.base + ram.size,
    ]  # fmt: skip
    assert edges == sorted(edges)
    assert algorithm.stack_top - algorithm.stack_end >= 0x200
    assert algorithm.stack_top % 4 == 0


def test_pages_shrink_with_the_ram(board: Board) -> None:
    def with_ram(size: int) -> Algorithm:
        memories = dict(board.chip.memories)
        memories["sram"] = Memory("sram", 0x2000_0000, size, "ram")
        return make_algorithm(replace(board.chip, memories=memories), 3_300_000)

    assert with_ram(0x2000).page_size == 0x800
    assert with_ram(0x1000).page_size == 0x400
    with pytest.raises(BoardError, match="too small"):
        with_ram(0x600)


def test_a_controller_without_an_algorithm_is_told(board: Board) -> None:
    other = replace(board.chip.peripherals["FLASH"], kind="stm32.flash_of_the_future")
    chip = replace(board.chip, peripherals={**board.chip.peripherals, "FLASH": other})
    with pytest.raises(BoardError, match="cannot be programmed yet"):
        make_algorithm(chip, 3_300_000)


def test_the_listing_is_the_one_that_was_read_over(algorithm: Algorithm) -> None:
    assert algorithm.listing == LISTING.read_text(encoding="utf-8")


@pytest.mark.parametrize("supply_uv", SUPPLIES.values())
def test_the_code_is_within_what_the_core_can(board: Board, supply_uv: int) -> None:
    made = make_algorithm(board.chip, supply_uv)
    code_end = made.code.index(bytes.fromhex("003c0240"))  # the first constant: FLASH
    assert list(isa.check(made.code[:code_end], board.chip.core)) == []


# ---------------------------------------------------------------------- erasing


@pytest.mark.parametrize("number", range(len(SECTORS)))
def test_a_sector_is_erased_and_no_other(caller: Caller, number: int) -> None:
    caller.put(FLASH, bytes(END - FLASH))
    assert caller.call("init", FLASH, 0, 1) == 0
    assert caller.call("erase_sector", STARTS[number]) == 0
    for start, size in zip(STARTS, SECTORS, strict=True):
        blank = b"\xff" if start == STARTS[number] else b"\0"
        assert caller.read(start, size) == blank * size
    assert caller.call("uninit", 1) == 0
    assert caller.hazards == []


@pytest.mark.parametrize("offset", [4, 0x100, 0xFFFC])
def test_any_address_means_the_sector_that_holds_it(caller: Caller, offset: int) -> None:
    caller.put(FLASH, bytes(END - FLASH))
    caller.call("init", FLASH, 0, 1)
    assert caller.call("erase_sector", STARTS[4] + offset) == 0
    assert caller.read(STARTS[4], SECTORS[4]) == b"\xff" * SECTORS[4]
    assert caller.read(STARTS[3], SECTORS[3]) == bytes(SECTORS[3])
    assert caller.read(STARTS[5], SECTORS[5]) == bytes(SECTORS[5])


def test_waiting_in_ram_for_an_erase_is_skipped(caller: Caller) -> None:
    caller.call("init", FLASH, 0, 1)
    before = caller.machine.core.steps
    assert caller.call("erase_sector", STARTS[7]) == 0
    assert caller.took_ps >= 1000 * MS
    assert caller.machine.core.steps - before < 200


def test_the_whole_flash_is_erased(caller: Caller) -> None:
    caller.put(FLASH, bytes(END - FLASH))
    caller.call("init", FLASH, 0, 1)
    assert caller.call("erase_all") == 0
    assert caller.read(FLASH, END - FLASH) == b"\xff" * (END - FLASH)
    assert caller.flash.cr.value == 0
    assert caller.hazards == []


@pytest.mark.parametrize("address", [0, FLASH - 4, END, 0x2000_0000, 0xFFFF_FFFC])
def test_what_is_not_flash_is_not_erased(caller: Caller, address: int) -> None:
    caller.put(FLASH, bytes(END - FLASH))
    caller.call("init", FLASH, 0, 1)
    assert caller.call("erase_sector", address) == OUTSIDE
    assert caller.read(FLASH, END - FLASH) == bytes(END - FLASH)


# ---------------------------------------------------------------------- programming


@pytest.mark.parametrize("unit", SUPPLIES)
@pytest.mark.parametrize("seed", range(3))
def test_what_was_programmed_is_what_is_there(
    make: Callable[..., Caller], unit: int, seed: int
) -> None:
    caller, random = make(SUPPLIES[unit]), Random(seed)
    size = random.randrange(1, 0x1000 // unit + 1) * unit
    address = random.randrange(STARTS[1], STARTS[4] - size) // unit * unit
    data = random.randbytes(size)
    caller.call("init", FLASH, 0, 2)
    assert caller.program(address, data) == 0
    assert caller.read(address, size) == data
    assert caller.read(address - 16, 16) == caller.read(address + size, 16) == b"\xff" * 16
    assert caller.call("uninit", 2) == 0
    assert caller.hazards == []


def test_a_page_takes_as_long_as_its_words(caller: Caller) -> None:
    caller.call("init", FLASH, 0, 2)
    assert caller.program(STARTS[2], bytes(0x1000)) == 0
    assert 16 * MS < caller.took_ps < 35 * MS  # 1024 words, 16 us each and some code


def test_what_is_there_already_takes_no_time(caller: Caller) -> None:
    data = Random(1).randbytes(0x1000)
    caller.call("init", FLASH, 0, 2)
    caller.program(STARTS[2], data)
    assert caller.program(STARTS[2], data) == 0
    assert caller.took_ps < 4 * MS
    assert caller.program(STARTS[3], b"\xff" * 0x1000) == 0
    assert caller.took_ps < 4 * MS


def test_the_last_words_of_flash_can_be_programmed(caller: Caller) -> None:
    caller.call("init", FLASH, 0, 2)
    assert caller.program(END - 8, b"\1\2\3\4\5\6\7\x08") == 0
    assert caller.read(END - 8, 8) == b"\1\2\3\4\5\6\7\x08"


@pytest.mark.parametrize(
    ("address", "size"),
    [(FLASH - 4, 8), (END - 4, 8), (END, 4), (0, 4), (0x2000_0000, 4), (FLASH, 0xFFFF_FFF0)],
)
def test_what_is_not_flash_is_not_programmed(caller: Caller, address: int, size: int) -> None:
    caller.call("init", FLASH, 0, 2)
    assert caller.program(address, bytes(8), size=size) == OUTSIDE
    assert caller.read(FLASH + 8, END - FLASH - 8) == b"\xff" * (END - FLASH - 8)


@pytest.mark.parametrize("unit", [4, 2])
@pytest.mark.parametrize("part", ["address", "size", "buffer"])
def test_what_is_not_a_whole_word_is_refused(
    make: Callable[..., Caller], unit: int, part: str
) -> None:
    caller = make(SUPPLIES[unit])
    values = {"address": STARTS[1], "size": 16, "buffer": caller.algorithm.buffers[0]}
    values[part] += unit // 2
    caller.call("init", FLASH, 0, 2)
    assert caller.call("program_page", *values.values()) == ODD
    assert caller.read(STARTS[1], 32) == b"\xff" * 32


# ---------------------------------------------------------------------- when it cannot


def protect(caller: Caller, *sectors: int) -> None:
    bits = sum(1 << number for number in sectors)
    flash = caller.flash
    flash.optcr.set(nWRP=flash.optcr.nWRP & ~bits)


def test_a_write_protected_sector_is_told(caller: Caller) -> None:
    caller.put(FLASH, bytes(END - FLASH))
    protect(caller, 2)
    caller.call("init", FLASH, 0, 1)
    assert caller.call("erase_sector", STARTS[2]) == WRPERR
    assert "write-protected" in caller.algorithm.meaning(WRPERR)
    assert caller.call("erase_all") == WRPERR
    assert caller.read(FLASH, END - FLASH) == bytes(END - FLASH)
    assert caller.call("erase_sector", STARTS[3]) == 0, "an error must not outlive its call"
    caller.put(STARTS[2], b"\xff" * 64)
    caller.call("uninit", 1)
    caller.call("init", FLASH, 0, 2)
    assert caller.program(STARTS[2], bytes(64)) == WRPERR
    assert caller.read(STARTS[2], 64) == b"\xff" * 64
    assert caller.program(STARTS[3], bytes(64)) == 0


def test_a_call_after_uninit_changes_nothing_and_says_so(caller: Caller) -> None:
    caller.put(STARTS[1], bytes(SECTORS[1]))
    caller.call("init", FLASH, 0, 2)
    caller.call("uninit", 2)
    assert caller.flash.cr.value == LOCK
    assert caller.program(STARTS[2], bytes(64)) == PGSERR
    assert caller.read(STARTS[2], 64) == b"\xff" * 64
    caller.call("erase_sector", STARTS[1])
    assert caller.read(STARTS[1], SECTORS[1]) == bytes(SECTORS[1])


def test_errors_of_the_firmware_before_are_forgotten(caller: Caller) -> None:
    caller.flash.sr.set(PGSERR=1, WRPERR=1)
    assert caller.call("init", FLASH, 0, 2) == 0
    assert caller.program(STARTS[2], bytes(64)) == 0


def test_a_controller_locked_until_the_next_reset_is_told(caller: Caller) -> None:
    soc = caller.machine.soc
    soc.write("FLASH", "KEYR", 0x1234_5678)
    assert caller.call("init", FLASH, 0, 1) == LOCKED
    assert "reset" in caller.algorithm.meaning(LOCKED)


def test_a_controller_that_is_open_already_stays_so(caller: Caller) -> None:
    soc = caller.machine.soc
    for key in (0x4567_0123, 0xCDEF_89AB):
        soc.write("FLASH", "KEYR", key)
    assert caller.call("init", FLASH, 0, 1) == 0
    assert caller.call("init", FLASH, 0, 1) == 0
    assert caller.call("erase_sector", STARTS[3]) == 0


def test_init_waits_for_an_operation_under_way(caller: Caller) -> None:
    caller.flash.busy_until_ps = caller.now_ps + 500 * MS
    assert caller.call("init", FLASH, 0, 1) == 0
    assert caller.took_ps >= 500 * MS


def test_a_controller_that_stays_busy_is_told(caller: Caller) -> None:
    caller.flash.busy_until_ps = NEVER
    assert caller.call("init", FLASH, 0, 1) == BUSY
    assert caller.took_ps > 8000 * MS
    caller.flash.busy_until_ps = 0
    caller.call("init", FLASH, 0, 2)
    caller.flash.busy_until_ps = caller.now_ps + 25_000 * MS
    assert caller.program(STARTS[2], bytes(64)) == BUSY


def test_several_flags_are_all_told(algorithm: Algorithm) -> None:
    assert algorithm.meaning(WRPERR | PGSERR).count(" and ") == 1
    assert "0x580" in algorithm.meaning(PGSERR | 0x500)


# ---------------------------------------------------------------------- the rest of the chip


def test_caches_are_off_and_empty(caller: Caller) -> None:
    acr = caller.flash.acr
    acr.set(PRFTEN=1, ICEN=1, DCEN=1, LATENCY=2)
    caller.call("init", FLASH, 0, 1)
    assert (acr.PRFTEN, acr.ICEN, acr.DCEN, acr.ICRST, acr.DCRST) == (0, 0, 0, 0, 0)
    assert acr.LATENCY == 2


@pytest.mark.parametrize("by_software", [True, False])
def test_a_watchdog_that_the_option_bytes_started_gets_its_longest_period(
    caller: Caller, by_software: bool
) -> None:
    caller.flash.optcr.set(WDG_SW=int(by_software))
    soc = caller.machine.soc
    caller.call("init", FLASH, 0, 1)
    assert caller.call("erase_sector", STARTS[1]) == 0
    written = (soc.read("IWDG", "PR"), soc.read("IWDG", "RLR"))
    assert written == ((0, 0xFFF) if by_software else (6, 0xFFF))


def test_a_running_watchdog_is_fed_by_every_call(caller: Caller) -> None:
    soc = caller.machine.soc
    soc.write("IWDG", "KR", 0xCCCC)  # 512 ms
    caller.call("init", FLASH, 0, 2)
    for page in range(12):
        caller.now_ps += 100 * MS
        caller.machine.advance(caller.now_ps)
        assert caller.program(STARTS[2] + 64 * page, bytes(64)) == 0
    assert "watchdog" not in " ".join(caller.hazards)


def test_it_runs_wherever_it_is_loaded(make: Callable[..., Caller], board: Board) -> None:
    caller = make(at=board.chip.ram.base + 0x4000)
    caller.put(STARTS[1], bytes(SECTORS[1]))
    caller.call("init", FLASH, 0, 1)
    assert caller.call("erase_sector", STARTS[1]) == 0
    assert caller.read(STARTS[1], SECTORS[1]) == b"\xff" * SECTORS[1]
    assert caller.program(STARTS[1], b"elsewhere no") == 0
    assert caller.read(STARTS[1], 12) == b"elsewhere no"
