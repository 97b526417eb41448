"""Which chip it is, and the refusal of another."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

import pytest

from fwgen.errors import ProtectedChipError, RigError, WrongChipError
from fwgen.rig.identity import (
    Identity,
    Protection,
    devices,
    identify,
    refuse_protected,
    refuse_wrong_chip,
)

if TYPE_CHECKING:
    from fwgen.board.types import Board
    from fwgen.rig.connection import Connection

CPUID, IDCODE, OPTCR, UID, F_SIZE = (
    0xE000_ED00, 0xE004_2000, 0x4002_3C14, 0x1FFF_7A10, 0x1FFF_7A22,
)  # fmt: skip
CHIP = {CPUID: 0x410F_C241, IDCODE: 0x1000_6433, OPTCR: 0x0FFF_AAED, UID: 0x0039_003A,
        UID + 4: 0x3436_5119, UID + 8: 0x3535_3835, F_SIZE: 512}  # fmt: skip


def chip(**changed: int | None) -> tuple[Connection, list[int]]:
    """A connection to a chip with these words, and what was read of it."""
    words = CHIP | {globals()[name]: value for name, value in changed.items()}
    read: list[int] = []

    def word(address: int) -> int:
        read.append(address)
        value = words.get(address)
        if value is None:
            raise RigError(f"the chip refuses the access at {address:#010x}")
        return value

    def maybe(address: int) -> int | None:
        try:
            return word(address)
        except RigError:
            return None

    made = SimpleNamespace(read_word=word, read_half=word, try_word=maybe)
    return cast("Connection", made), read


def test_a_chip_tells_who_it_is(board: Board) -> None:
    connection, _ = chip()
    identity = identify(connection, board.chip)
    assert identity == Identity(
        core="Cortex-M4", idcode=0x1000_6433, flash_bytes=512 * 1024,
        unique_id="0039003a3436511935353835", protection=Protection(),
    )  # fmt: skip
    assert (identity.dev_id, identity.rev_id) == (0x433, 0x1000)
    assert identity.name == "an STM32F401xD/E"
    refuse_wrong_chip(board, identity)
    refuse_protected(identity, range(8))


@pytest.mark.parametrize("revision", [0x1000, 0x1001, 0x2003])
def test_any_revision_will_do(board: Board, revision: int) -> None:
    connection, _ = chip(IDCODE=revision << 16 | 0x6433)
    refuse_wrong_chip(board, identify(connection, board.chip))


@pytest.mark.parametrize(
    ("idcode", "name"),
    [(0x1000_6423, "STM32F401xB/C"), (0x1000_6431, "STM32F411"), (0x1000_6ABC, "0xabc"),
     (0, "does not say"), (None, "does not say")],
)  # fmt: skip
def test_another_chip_is_refused_and_asked_for_no_more(
    board: Board, idcode: int | None, name: str
) -> None:
    connection, read = chip(IDCODE=idcode)
    identity = identify(connection, board.chip)
    assert set(read) == {CPUID, IDCODE}
    with pytest.raises(WrongChipError, match=name) as caught:
        refuse_wrong_chip(board, identity)
    assert "STM32F401RE" in caught.value.message
    assert "nothing was written" in (caught.value.hint or "")


def test_another_core_is_named(board: Board) -> None:
    connection, _ = chip(CPUID=0x410C_C601, IDCODE=None)
    with pytest.raises(WrongChipError, match=r"Cortex-M0\+"):
        refuse_wrong_chip(board, identify(connection, board.chip))


def test_a_variant_with_less_flash_is_refused(board: Board) -> None:
    connection, _ = chip(F_SIZE=384)
    with pytest.raises(WrongChipError, match=r"384 KB of flash, not the 512 KB"):
        refuse_wrong_chip(board, identify(connection, board.chip))


def test_a_description_that_could_not_tell_the_wrong_chip_is_refused(board: Board) -> None:
    bare = replace(board, chip=replace(board.chip, idcode=None))
    connection, _ = chip()
    with pytest.raises(RigError, match="no idcode"):
        refuse_wrong_chip(bare, identify(connection, bare.chip))


@pytest.mark.parametrize(("rdp", "level"), [(0xAA, 0), (0x00, 1), (0x55, 1), (0xFF, 1), (0xCC, 2)])
def test_the_read_out_protection_is_read(board: Board, rdp: int, level: int) -> None:
    connection, _ = chip(OPTCR=0x0FFF_00ED | rdp << 8)
    identity = identify(connection, board.chip)
    assert identity.protection.level == level
    if level:
        with pytest.raises(ProtectedChipError, match=f"level {level}"):
            refuse_protected(identity)
    else:
        refuse_protected(identity)


def test_write_protected_sectors_are_told_when_they_matter(board: Board) -> None:
    connection, _ = chip(OPTCR=0x0FFF_AAED & ~(1 << 16 | 1 << 18))
    identity = identify(connection, board.chip)
    assert identity.protection == Protection(0, (0, 2))
    refuse_protected(identity, [1, 3, 7])
    with pytest.raises(ProtectedChipError, match="sector 2 is write-protected"):
        refuse_protected(identity, [2, 3])
    with pytest.raises(ProtectedChipError, match=r"sectors \[0, 2\] are"):
        refuse_protected(identity, range(8))


def test_with_code_protection_a_one_protects(board: Board) -> None:
    connection, _ = chip(OPTCR=0x8000_AAED | 0b100 << 16)
    assert identify(connection, board.chip).protection == Protection(0, (2,))


def test_a_chip_that_stops_answering_is_an_error(board: Board) -> None:
    connection, _ = chip(UID=None)
    with pytest.raises(RigError, match="refuses the access"):
        identify(connection, board.chip)


@pytest.mark.parametrize("at", [CPUID, IDCODE, OPTCR, UID + 8, F_SIZE])
def test_what_is_not_read_twice_the_same_is_not_believed(board: Board, at: int) -> None:
    connection, read = chip()
    steady = connection.read_word

    def shaky(address: int) -> int:
        return steady(address) ^ (address == at and read.count(at) > 1) << 3

    connection.read_word = connection.read_half = connection.try_word = shaky  # type: ignore[method-assign]
    with pytest.raises(RigError, match=f"two reads of {at:#010x} differ"):
        identify(connection, board.chip)


def test_the_names_of_devices_are_phrases() -> None:
    assert len(devices()) > 50
    assert all(0x400 < number < 0x500 for number in devices())
    assert all(name.startswith("an STM32") for name in devices().values())
