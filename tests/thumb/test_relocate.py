"""Relocations against the targets that capstone decodes, over their whole reach."""

from __future__ import annotations

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from fwgen.thumb import RelocationError, decode, encode, relocate

# type, an instruction, lowest and highest distance from pc, grid, pc rounded down to 4
BRANCHES = [
    ("THM_JUMP8", "bne x", -256, 254, 2),
    ("THM_JUMP11", "b x", -2048, 2046, 2),
    ("THM_JUMP19", "bne.w x", -(2**20), 2**20 - 2, 2),
    ("THM_JUMP24", "b.w x", -(2**24), 2**24 - 2, 2),
    ("THM_CALL", "bl x", -(2**24), 2**24 - 2, 2),
    ("THM_JUMP6", "cbz r3, x", 0, 126, 2),
]
LITERALS = [
    ("THM_PC8", "ldr r3, x", 0, 1020, 4),
    ("THM_PC8", "adr r3, x", 0, 1020, 4),
    ("THM_PC12", "ldr.w r3, x", -4095, 4095, 1),
    ("THM_PC12", "ldrsb.w r3, x", -4095, 4095, 1),
    ("THM_ALU_PREL_11_0", "adr.w r3, x", 0, 4095, 1),
]
PLACE = 0x0A00_0000


def target_of(code: bytes, place: int) -> int:
    """Where capstone says the instruction points."""
    read = decode(code, place)
    if absolute := re.search(r"#(0x[0-9a-f]+|\d+)$", read.operands):
        return int(absolute[1], 0)
    offset = re.search(r"\[pc(?:, #(-?)(0x[0-9a-f]+|\d+))?\]", read.operands)
    assert offset is not None, read.text
    size = int(offset[2] or "0", 0)
    return ((place + 4) & ~3) + (-size if offset[1] else size)


@pytest.mark.parametrize(("kind", "asm", "low", "high", "step"), BRANCHES + LITERALS)
@pytest.mark.parametrize("place", [PLACE, PLACE + 2])
def test_the_ends_of_the_reach_and_one_step_beyond(
    kind: str, asm: str, low: int, high: int, step: int, place: int
) -> None:
    pc = place + 4 if kind in dict.fromkeys(b[0] for b in BRANCHES) else (place + 4) & ~3
    for distance in (low, low + step, -step, 0, step, high - step, high):
        if low <= distance <= high:
            code = relocate.apply(kind, encode(asm), place, pc + distance)
            assert target_of(code, place) == pc + distance
    for distance in (low - step, high + step):
        with pytest.raises(RelocationError, match=r"bytes from pc .* reaches") as caught:
            relocate.apply(kind, encode(asm), place, pc + distance)
        assert f"{distance:+} bytes" in caught.value.message


@given(st.sampled_from(BRANCHES), st.data())
@example(BRANCHES[4], None)
def test_any_distance_in_reach(
    row: tuple[str, str, int, int, int], data: st.DataObject | None
) -> None:
    kind, asm, low, high, step = row
    distance = data.draw(st.integers(low // step, high // step)) * step if data else 2**22
    code = relocate.apply(kind, encode(asm), PLACE, (PLACE + 4 + distance) | 1)
    assert target_of(code, PLACE) == PLACE + 4 + distance
    assert relocate.blank(kind, code) == relocate.blank(kind, encode(asm))


@given(st.integers(0, 2**32 - 1))
def test_movw_and_movt_make_any_address(value: int) -> None:
    low = relocate.apply("THM_MOVW_ABS_NC", encode("movw r9, x"), 0, value)
    high = relocate.apply("THM_MOVT_ABS", encode("movt r9, x"), 0, value)
    assert decode(low).operands.split("#")[1] in (hex(value & 0xFFFF), str(value & 0xFFFF))
    assert decode(high).operands.split("#")[1] in (hex(value >> 16), str(value >> 16))
    assert relocate.apply("ABS32", b"\xff\xff\xff\xff", 0, value) == value.to_bytes(4, "little")


def test_old_bits_are_overwritten_not_added() -> None:
    dirty = encode("bl #0x1234", address=0)
    clean = encode("bl x")
    assert relocate.apply("THM_CALL", dirty, 0, 0x100) == relocate.apply(
        "THM_CALL", clean, 0, 0x100
    )


def test_a_pointer_keeps_the_thumb_bit_and_a_branch_drops_it() -> None:
    assert relocate.apply("ABS32", bytes(4), 0, 0x0800_0101) == b"\x01\x01\x00\x08"
    assert relocate.apply("THM_JUMP11", encode("b x"), 0, 0x101) == relocate.apply(
        "THM_JUMP11", encode("b x"), 0, 0x100
    )


@pytest.mark.parametrize(
    ("kind", "field", "place", "target", "message"),
    [
        ("THM_JUMP8", encode("b x"), 0, 0, "cannot sit in e000"),
        ("THM_JUMP11", encode("bne x"), 0, 0, "cannot sit in d100"),
        ("THM_JUMP8", encode("nop"), 0, 0, "it sits in b<c>"),
        ("THM_CALL", encode("b.w x"), 0, 0, "it sits in bl"),
        ("THM_JUMP24", encode("bl x"), 0, 0, "cannot sit in"),
        ("THM_PC8", encode("ldr r0, [r1]"), 0, 4, "(ldr r0, [r1])"),
        ("THM_PC12", encode("ldr.w r0, [r1]"), 0, 4, "cannot sit in"),
        ("THM_MOVT_ABS", encode("movw r0, x"), 0, 0, "cannot sit in"),
        ("THM_JUMP6", b"\x00\xff", 0, 0, "no instruction"),
        ("THM_CALL", encode("b x"), 0, 0, "fills 4 bytes, not 2"),
        ("ABS32", b"\0\0", 0, 0, "fills 4 bytes, not 2"),
        ("THM_PC8", encode("ldr r0, x"), 0, 6, "align the target to 4 bytes"),
        ("THM_JUMP8", encode("bne x"), 0, 0x4000, "THM_JUMP19"),
        ("THM_JUMP6", encode("cbz r0, x"), 0x100, 0, "conditional branch reach further"),
        ("GLOB_DAT", bytes(4), 0, 0, "not a relocation we do"),
    ],
)
def test_what_does_not_fit_is_said_in_words(
    kind: str, field: bytes, place: int, target: int, message: str
) -> None:
    with pytest.raises(RelocationError) as caught:
        relocate.apply(kind, field, place, target)
    assert message in str(caught.value)
