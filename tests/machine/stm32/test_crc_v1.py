"""The CRC unit, without a core. Reference: zlib's CRC-32, which reflects and inverts."""

from __future__ import annotations

import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fwgen.machine.soc import Soc
from tests.machine.stm32.alone import hazards, soc_with

words = st.integers(0, 0xFFFF_FFFF)


def crc() -> Soc:
    return soc_with("CRC")


def reflected(word: int) -> int:
    return int(f"{word:032b}"[::-1], 2)


@given(st.lists(words, min_size=1, max_size=20))
def test_it_is_ethernets_crc_neither_reflected_nor_inverted(data: list[int]) -> None:
    soc = crc()
    for word in data:
        soc.write("CRC", "DR", word)
    seen = b"".join(reflected(word).to_bytes(4, "little") for word in data)
    assert soc.read("CRC", "DR") == reflected(zlib.crc32(seen) ^ 0xFFFF_FFFF)


def test_a_known_word() -> None:
    soc = crc()
    soc.write("CRC", "DR", 0x1234_5678)
    assert soc.read("CRC", "DR") == 0xDF8A_8A2B  # as measured on an STM32F4


def test_reset_begins_anew_and_leaves_the_byte_alone() -> None:
    soc = crc()
    assert soc.read("CRC", "DR") == 0xFFFF_FFFF
    soc.write("CRC", "IDR", 0x1A5)
    soc.write("CRC", "DR", 1)
    soc.write("CRC", "CR", 0)
    assert soc.read("CRC", "DR") != 0xFFFF_FFFF
    soc.write("CRC", "CR", 1)
    assert soc.read("CRC", "DR") == 0xFFFF_FFFF
    assert soc.read("CRC", "IDR") == 0xA5
    assert soc.read("CRC", "CR") == 0
    soc.reset(soc.now_ps, "SFTRSTF")
    assert soc.read("CRC", "IDR") == 0


@pytest.mark.parametrize("size", [1, 2])
def test_a_part_of_a_word_is_told(size: int) -> None:
    soc = crc()
    soc.bus_write(soc.peripherals["CRC"].spec, 0, size, 0x55, 0)
    assert [h.severity for h in hazards(soc, "access-size")] == ["error"]
