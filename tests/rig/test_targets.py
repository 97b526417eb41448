"""Targets of our own in pyocd, made from the chip's description."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from pyocd.core.memory_map import MemoryType
from pyocd.core.session import Session
from pyocd.target import TARGET
from pyocd.target.pack.pack_target import ManagedPacks

from fwgen.rig.targets import algorithm_of, register

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fwgen.board.types import Board

NAME = "stm32f401retx"


@pytest.fixture(autouse=True)
def table() -> Iterator[None]:
    before = dict(TARGET)
    TARGET.pop(NAME, None)
    yield
    TARGET.clear()
    TARGET.update(before)


def target(name: str) -> Any:
    from pyocd.probe.debug_probe import DebugProbe

    class Nothing(DebugProbe):
        unique_id = "nothing"

    session = Session(Nothing(), no_config=True, target_override=name)
    assert session.board is not None
    return session.board.target


def test_a_chip_that_pyocd_lacks_gets_one_of_ours(board: Board) -> None:
    assert register(board) == NAME
    made = target(NAME)
    assert made.part_number == "STM32F401RE"
    assert algorithm_of(made) is not None


def test_its_memories_and_sectors_are_the_chips(board: Board) -> None:
    register(board)
    memory = target(NAME).memory_map
    flash = [
        (r.start, r.length, r.sector_size, r.page_size)
        for r in memory.iter_matching_regions(type=MemoryType.FLASH)
    ]
    assert flash == [
        (0x0800_0000, 0x1_0000, 0x4000, 0x1000),
        (0x0801_0000, 0x1_0000, 0x1_0000, 0x1000),
        (0x0802_0000, 0x6_0000, 0x2_0000, 0x1000),
    ]
    assert memory.get_boot_memory().start == 0x0800_0000
    ram = memory.get_default_region_of_type(MemoryType.RAM)
    assert (ram.start, ram.length) == (0x2000_0000, 0x1_8000)
    assert memory.get_region_for_address(0x1FFF_0000).is_rom
    for register_of in (0x1FFF_7A10, 0x4002_0000, 0xE004_2000):  # UID, GPIOA, DBGMCU
        assert memory.get_region_for_address(register_of).is_device


def test_its_algorithm_is_in_pyocds_form(board: Board) -> None:
    register(board)
    made = target(NAME)
    algorithm = algorithm_of(made)
    assert algorithm is not None
    region = made.memory_map.get_boot_memory()
    dictionary = region.algo
    code = b"".join(word.to_bytes(4, "little") for word in dictionary["instructions"])
    assert code == algorithm.code
    assert dictionary["instructions"][0] & 0xFFFF == 0xBE00
    for name in ("init", "unInit", "eraseAll", "erase_sector", "program_page"):
        assert dictionary[f"pc_{name}"] & 1
    assert len(dictionary["page_buffers"]) == 2


def test_what_pyocd_has_stays(board: Board) -> None:
    own = TARGET["stm32f412xe"]
    like = replace(board, probe={"target": "STM32F412xE"})
    assert register(like) == "stm32f412xe"
    assert TARGET["stm32f412xe"] is own


def test_a_pack_of_the_users_comes_before_ours(
    board: Board, monkeypatch: pytest.MonkeyPatch
) -> None:
    from_pack = type("FromPack", (), {})
    monkeypatch.setattr(
        ManagedPacks, "populate_target", lambda name: TARGET.__setitem__(name, from_pack)
    )
    register(board)
    assert TARGET[NAME] is from_pack
    register(replace(board, supply_uv=1_800_000))
    assert TARGET[NAME] is from_pack


def test_another_supply_gets_another_algorithm(board: Board) -> None:
    register(board)
    register(replace(board, supply_uv=2_400_000))
    algorithm = algorithm_of(target(NAME))
    assert algorithm is not None
    assert algorithm.unit == 2
    first = TARGET[NAME]
    register(replace(board, supply_uv=2_400_000))
    assert TARGET[NAME] is first


def test_a_board_without_a_target_is_called_by_its_chip(board: Board) -> None:
    try:
        assert register(replace(board, probe={})) == "stm32f401re"
    finally:
        TARGET.pop("stm32f401re", None)
