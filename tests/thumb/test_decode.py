"""What is told about an instruction, and that garbage is told apart."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fwgen.thumb import Decoded, Memory, decode, decode_all, encode

BASE = 0x0800_0000


def of(asm: str, address: int = BASE) -> Decoded:
    return decode(encode(asm, address=address), address)


def test_text_reads_like_the_manual_and_encodes_again() -> None:
    read = of("str.w r1, [r0, #0x800]")
    assert (read.mnemonic, read.operands, read.size) == ("str.w", "r1, [r0, #0x800]", 4)
    for asm in (
        "bne #0x08000010",
        "adr r0, #0x08000010",
        "adr.w r0, #0x08000011",
        "b.w #0x07fffffe",
    ):
        assert encode(of(asm).text, address=BASE) == encode(asm, address=BASE)


@pytest.mark.parametrize(
    ("asm", "branch", "call", "target", "condition"),
    [
        ("b #0x08000010", True, False, 0x0800_0010, None),
        ("bne #0x08000010", True, False, 0x0800_0010, "ne"),
        ("bne.w #0x08000010", True, False, 0x0800_0010, "ne"),
        ("bl #0x08000010", True, True, 0x0800_0010, None),
        ("cbz r0, #0x08000010", True, False, 0x0800_0010, None),
        ("bx lr", True, False, None, None),
        ("blx r3", True, True, None, None),
        ("pop {r4, pc}", True, False, None, None),
        ("pop {r4, r5}", False, False, None, None),
        ("ldr pc, [r0]", True, False, None, None),
        ("mov pc, r0", True, False, None, None),
        ("tbb [pc, r0]", True, False, None, None),
        ("movs r0, #1", False, False, None, None),
        ("svc #0", False, False, None, None),
        ("blt #0x08000010", True, False, 0x0800_0010, "lt"),
    ],
)
def test_branches(
    asm: str, branch: bool, call: bool, target: int | None, condition: str | None
) -> None:
    read = of(asm)
    assert (read.is_branch, read.is_call) == (branch, call)
    assert (read.target, read.condition) == (target, condition)


@pytest.mark.parametrize(
    ("asm", "memory"),
    [
        ("ldr r1, [r0, #0x14]", Memory("r0", 0x14, "", True, False)),
        ("str r1, [r0]", Memory("r0", 0, "", False, True)),
        ("ldr r1, [r0, #-4]!", Memory("r0", -4, "", True, False)),
        ("ldr r1, [r0], #4", Memory("r0", 0, "", True, False)),
        ("strb r1, [r0, r2]", Memory("r0", 0, "r2", False, True)),
        ("ldrd r0, r1, [r2, #-8]", Memory("r2", -8, "", True, False)),
        ("push {r4, lr}", Memory("sp", -8, "", False, True)),
        ("pop {r4}", Memory("sp", 0, "", True, False)),
        ("push {r8}", Memory("sp", -4, "", False, True)),
        ("stmdb r0!, {r1, r2, r3}", Memory("r0", -12, "", False, True)),
        ("ldm r0!, {r1, r2}", Memory("r0", 0, "", True, False)),
        ("vldr s0, [r1, #-4]", Memory("r1", -4, "", True, False)),
        ("vpush {s16-s17}", Memory("sp", -8, "", False, True)),
        ("vldm r0!, {s0-s3}", Memory("r0", 0, "", True, False)),
        ("strex r0, r1, [r2]", Memory("r2", 0, "", False, True)),
        ("tbh [pc, r0, lsl #1]", Memory("pc", 0, "r0", True, False)),
        ("adds r0, r1, r2", None),
        ("vadd.f32 s0, s1, s2", None),
    ],
)
def test_memory_operands(asm: str, memory: Memory | None) -> None:
    assert of(asm).memory == memory


@pytest.mark.parametrize("address", [BASE, BASE + 2])
def test_literals_are_addresses_from_an_aligned_pc(address: int) -> None:
    pc = (address + 4) & ~3
    assert of("ldr r0, [pc, #8]", address).literal == pc + 8
    assert of("ldr.w r0, [pc, #-8]", address).literal == pc - 8
    assert of(f"adr r0, #{pc + 12}", address).literal == pc + 12
    assert of("vldr s0, [pc, #8]", address).literal == pc + 8
    assert of("ldr r0, [r1, #8]", address).literal is None


def test_registers_read_and_written() -> None:
    read = of("ldr r1, [r0, r2]")
    assert read.reads == {"r0", "r2"}
    assert read.writes == {"r1"}
    assert of("pop {r4, pc}").writes == {"r4", "pc", "sp"}


def test_it_blocks_give_their_conditions() -> None:
    code = b"".join(encode(line) for line in ("ite eq", "moveq r0, #1", "movne r0, #2", "nop"))
    assert [one.condition for one in decode_all(code)] == [None, "eq", "ne", None]
    assert [one.mnemonic for one in decode_all(code)] == ["ite", "moveq", "movne", "nop"]


def test_what_capstone_calls_otherwise_is_put_right() -> None:
    assert decode(b"\xfe\xde").text == "udf #254"
    assert decode(b"\xf9\xde").text == "udf #249"
    assert decode(b"\xaf\xf2\x00\x00").text == "sub.w r0, pc, #0"
    assert decode(bytes.fromhex("60fc000d")).text == "stc2l p13, c0, [r0], #-0"
    code = encode("it eq") + encode("adr.w r0, x")
    assert decode_all(code, BASE)[1].text == f"adreq.w r0, #{BASE + 4:#x}"


def test_garbage_is_marked_and_the_rest_still_read() -> None:
    code = encode("nop") + b"\xff\xff\xff\xff" + encode("movs r0, #1") + b"\x00"
    read = decode_all(code, BASE)
    assert [one.valid for one in read] == [True, False, True, False]
    assert [one.address - BASE for one in read] == [0, 2, 6, 8]
    assert read[1].mnemonic == "undecodable"
    assert read[1].operands == "ffffffff"


@given(st.binary(max_size=24), st.integers(0, 2**32 - 64))
def test_decoding_covers_every_byte_once_and_never_raises(code: bytes, address: int) -> None:
    read = decode_all(code, address)
    assert b"".join(one.code for one in read) == code
    assert decode(code[:4], address).address == address
