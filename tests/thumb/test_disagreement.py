"""Beliefs held against bytes: what passes, and that no slip which changes the meaning does."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fwgen.thumb import decode, disagreement, disagreements, encode
from fwgen.thumb.assembler import encodings
from tests.thumb.corpus import sample

BLINK = [
    ("ldr r0, k_rcc", "4800", "THM_PC8"),
    ("ldr r1, [r0, #0]", "6801", None),
    ("movs r2, #1", "2201", None),
    ("orrs r1, r2", "4311", None),
    ("str r1, [r0]", "6001", None),
    ("ldr r0, k_gpioa", "4800", "THM_PC8"),
    ("movs r2, #3", "2203", None),
    ("lsls r2, r2, #0xa", "0292", None),
    ("bics r1, r1, r2", "4391", None),
    ("ldr r3, k_syst", "4b00", "THM_PC8"),
    ("push {lr, r4-r6}", "b570", None),
    ("str.w r1, [r3, #0x800]", "f8c3 1800", None),
    ("eors r1, r5", "4069", None),
    ("bpl wait", "d500", "THM_JUMP8"),
    ("subs r4, #1", "3c01", None),
    ("it ne", "bf18", None),
    ("movne r0, #4", "2004", None),
    ("bl helper", "f000 f800", "THM_CALL"),
    ("movw r7, table", "f240 0700", "THM_MOVW_ABS_NC"),
    ("movt r7, table", "f2c0 0700", "THM_MOVT_ABS"),
    ("add r13, r13, #8", "b002", None),
    ("ubfx r0, r1, #3, #4", "f3c1 00c3", None),
    ("wfi", "bf30", None),
    ("b loop", "e000", "THM_JUMP11"),
    ("pop {r4-r6, pc}", "bd70", None),
]


def memory_order(manual: str) -> bytes:
    return b"".join(bytes.fromhex(half)[::-1] for half in manual.split())


@pytest.mark.parametrize(("belief", "manual", "relocation"), BLINK)
def test_a_true_line_agrees(belief: str, manual: str, relocation: str | None) -> None:
    assert disagreement(belief, memory_order(manual), relocation) is None


@pytest.mark.parametrize(
    ("belief", "manual"),
    [
        ("ldr r0, [r1]", "6808"),
        ("ldr r0, [r1, #0x0]", "6808"),
        ("ldr r0, [r1, #0]", "f8d1 0000"),
        ("add r0, r13, #4", "a801"),
        ("mov sl, r11", "46da"),
        ("adds r0, #1", "1c40"),
        ("adds r0, r0, #1", "3001"),
        ("push {r4, r5, lr}", "b530"),
        ("stmdb sp!, {r4, r5, lr}", "b530"),
        ("bhs .", "d2fe"),
        ("bcs .", "d2fe"),
        ("mov r0, #-1", "f04f 30ff"),
        ("mov r0, #0xffffffff", "f04f 30ff"),
        ("rsbs r0, r1, #0", "4248"),
        ("negs r0, r1", "4248"),
        ("asrs r0, r1, #32", "1008"),
        ("movs r0, r1", "0008"),
        ("dmb", "f3bf 8f5f"),
        ("nop", "46c0"),  # what ARMv6-M code uses
        ("mov r8, r8", "46c0"),
        ("vmov.f32 s0, #1.0", "eeb7 0a00"),
        ("ldmfd sp!, {r4, pc}", "bd10"),
    ],
)
def test_two_spellings_of_one_instruction_agree(belief: str, manual: str) -> None:
    assert disagreement(belief, memory_order(manual)) is None


def test_no_one_nibble_slip_passes() -> None:
    """Every nibble of every line, every other value, outside what a relocation fills."""
    slipped = caught = 0
    for belief, manual, relocation in BLINK:
        code = memory_order(manual)
        same = {one.code for one in encodings(belief)}
        for position in range(len(code) * 2):
            for value in range(1, 16):
                flip = bytearray(code)
                flip[position // 2] ^= value << 4 * (position % 2)
                other = bytes(flip)
                filled = relocation and _differs_only_in_field(code, other, relocation)
                if other in same or filled:
                    continue
                slipped += 1
                caught += disagreement(belief, other, relocation) is not None
    assert slipped > 1000
    assert caught == slipped


def _differs_only_in_field(code: bytes, other: bytes, relocation: str) -> bool:
    """By the masks of AAELF32 §5.6.1.6, written out here apart from the table of forms."""
    mask = {
        "THM_PC8": 0x00FF, "THM_JUMP8": 0x00FF, "THM_JUMP11": 0x07FF,
        "THM_CALL": 0x07FF2FFF, "THM_MOVW_ABS_NC": 0x040F70FF, "THM_MOVT_ABS": 0x040F70FF,
    }[relocation]  # fmt: skip

    def word(b: bytes) -> int:
        value = 0
        for at in range(0, len(b), 2):
            value = value << 16 | int.from_bytes(b[at : at + 2], "little")
        return value

    return (word(code) ^ word(other)) & ~mask == 0


def test_the_disagreement_tells_both_sides() -> None:
    wrong = disagreement("movs r0, #5", b"\x06\x20")
    assert wrong is not None
    assert wrong.decodes_to == "movs r0, #6"
    assert wrong.encodes_to == b"\x05\x20"
    assert str(wrong) == "'movs r0, #5' is 2005, but the bytes 2006 are movs r0, #6"


@pytest.mark.parametrize(
    ("belief", "code", "relocation", "reason"),
    [
        ("frob r1", "1143", None, "no instruction 'frob'"),
        ("b loop", "f5e7", None, "no relocation fills it in"),
        ("b\tloop", "f5e7", None, "no relocation fills it in"),
        ("bne loop", "00e1", "THM_JUMP8", "cannot sit in"),
        ("ldr r0, k", "0149", "THM_PC8", "are ldr r1, [pc, #4]"),
        ("ldr r0, k", "0068", "THM_PC8", "cannot sit in"),
        ("bl f", "00f000e8", "THM_CALL", "cannot sit in"),
        ("movs r0, #1", "ff", None, "no instruction (ff)"),
        ("movs r0, #1", "", None, "no instruction"),
        ("movs r0, #1", "01200000", None, "no instruction"),
        ("", "0120", None, "an instruction is missing"),
        ("nop", "00bf", "NONSENSE", "not a relocation"),
    ],
)
def test_what_cannot_be_compared_is_a_disagreement(
    belief: str, code: str, relocation: str | None, reason: str
) -> None:
    wrong = disagreement(belief, bytes.fromhex(code), relocation)
    assert wrong is not None
    assert reason in wrong.reason


@given(st.text(max_size=30), st.binary(max_size=6), st.sampled_from([None, "THM_PC8", "ABS32"]))
def test_garbage_never_raises(belief: str, code: bytes, relocation: str | None) -> None:
    disagreement(belief, code, relocation)


def test_it_blocks_are_followed() -> None:
    lines = ["ite eq", "moveq r0, #1", "movne r0, #2", "adds r0, #1"]
    good = [(line, encode(line), None) for line in lines]
    assert disagreements(good) == []
    branch = [("it ne", encode("it ne"), None), ("bne x", encode("b x"), "THM_JUMP11")]
    assert disagreements(branch) == []
    assert disagreements([branch[0], ("beq x", encode("b x"), "THM_JUMP11")])
    assert disagreements([branch[0], ("bne x", encode("bne x"), "THM_JUMP8")])
    for index, belief, said in [
        (1, "movne r0, #1", "its IT block says eq"),
        (2, "moveq r0, #2", "its IT block says ne"),
        (3, "addeq r0, #1", "no IT block makes it so"),
        (1, "movs r0, #1", "unconditional"),
    ]:
        bad = list(good)
        bad[index] = (belief, bad[index][1], None)
        (found,) = disagreements(bad)
        assert found[0] == index
        assert said in found[1].reason


def test_every_form_agrees_with_itself_and_with_no_random_neighbour() -> None:
    rng = random.Random(7)
    for line in sample(1, seed=5):
        if line.conditional or line.form.cost == "coprocessor":
            continue
        assert disagreement(line.text, line.code) is None, line.text
        slip = bytearray(line.code)
        slip[rng.randrange(len(slip))] ^= 1 << rng.randrange(8)
        other = bytes(slip)
        if other not in {one.code for one in encodings(line.text)}:
            assert disagreement(line.text, other) is not None, (line.text, decode(other).text)
