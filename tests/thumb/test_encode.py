"""What the assembler chooses, and what it says when it cannot."""

from __future__ import annotations

import pytest

from fwgen.errors import EmissionError
from fwgen.thumb import EncodeError, encode


def halves(code: bytes) -> str:
    return " ".join(code[at : at + 2][::-1].hex() for at in range(0, len(code), 2))


# The encodings are worked out by hand from DDI0403 A7.7.
@pytest.mark.parametrize(
    ("asm", "code"),
    [
        ("movs r0, #1", "2001"),
        ("MOVS R0, #0x1", "2001"),
        ("movs\tr0, 1", "2001"),
        ("moveq r0, #1", "2001"),
        ("mov r0, #1", "f04f 0001"),
        ("movs r8, #1", "f05f 0801"),
        ("mov r8, r1", "4688"),
        ("mov r0, #0x00ff00ff", "f04f 10ff"),
        ("mov r0, #0xff00ff00", "f04f 20ff"),
        ("mov r0, #-1", "f04f 30ff"),
        ("mov r0, #0x80000000", "f04f 4000"),
        ("mov r0, #0x1fe", "f44f 70ff"),
        ("mov r0, #0x1234", "f241 2034"),
        ("movw r0, #0x1234", "f241 2034"),
        ("movt r0, #0x4002", "f2c4 0002"),
        ("adds r0, #1", "3001"),
        ("adds r0, r1, #7", "1dc8"),
        ("add r0, r1, #7", "f101 0007"),
        ("addeq r0, r1, #7", "1dc8"),
        ("addseq r0, r1, #7", "f111 0007"),
        ("add r0, r1, #0x7ff", "f201 70ff"),
        ("add r0, r8", "4440"),
        ("add sp, #8", "b002"),
        ("sub sp, sp, #8", "b082"),
        ("add r0, sp, #4", "a801"),
        ("add.w r0, sp, #4", "f10d 0004"),
        ("ands r0, r1", "4008"),
        ("ands r0, r1, r0", "4008"),
        ("and r0, r1", "ea00 0001"),
        ("muls r0, r1", "4348"),
        ("negs r0, r1", "4248"),
        ("cmp r0, #200", "28c8"),
        ("cmp r8, r0", "4580"),
        ("cmp r0, #0x100", "f5b0 7f80"),
        ("ldr r1, [r0, #0x14]", "6941"),
        ("ldr r1, [r0]", "6801"),
        ("ldr r1, [r0, #-4]", "f850 1c04"),
        ("ldr r1, [r0], #4", "f850 1b04"),
        ("ldr r1, [r0, r2, lsl #2]", "f850 1022"),
        ("str.w r1, [r0, #0x800]", "f8c0 1800"),
        ("str r1, [sp, #4]", "9101"),
        ("ldr r1, [pc, #8]", "4902"),
        ("ldr r1, somewhere", "4900"),
        ("ldr.w r1, somewhere", "f8df 1000"),
        ("ldr pc, somewhere", "f8df f000"),
        ("push {r4, lr}", "b510"),
        ("push {lr, r4}", "b510"),
        ("push {r4-r11, lr}", "e92d 4ff0"),
        ("push {r8}", "f84d 8d04"),
        ("pop {r4, pc}", "bd10"),
        ("ldmia r0!, {r1-r3}", "c80e"),
        ("ldm r1, {r1-r3}", "c90e"),
        ("bne somewhere", "d100"),
        ("bne.w somewhere", "f040 8000"),
        ("b somewhere", "e000"),
        ("b .", "e7fe"),
        ("bl somewhere", "f000 f800"),
        ("bl .", "f7ff fffe"),
        ("cbz r0, somewhere", "b100"),
        ("bx lr", "4770"),
        ("blx r3", "4798"),
        ("adr r0, somewhere", "a000"),
        ("adr.w r0, somewhere", "f20f 0000"),
        ("it eq", "bf08"),
        ("ite ne", "bf14"),
        ("itte eq", "bf06"),
        ("ittee ne", "bf19"),
        ("wfi", "bf30"),
        ("nop", "bf00"),
        ("nop.w", "f3af 8000"),
        ("dsb", "f3bf 8f4f"),
        ("isb sy", "f3bf 8f6f"),
        ("cpsid i", "b672"),
        ("cpsie if", "b663"),
        ("msr basepri, r0", "f380 8811"),
        ("msr apsr_nzcvq, r1", "f381 8800"),
        ("mrs r0, ipsr", "f3ef 8005"),
        ("svc #3", "df03"),
        ("bkpt #0xab", "beab"),
        ("udf #1", "de01"),
        ("ubfx r0, r1, #3, #4", "f3c1 00c3"),
        ("bfi r0, r1, #4, #8", "f361 100b"),
        ("bfc r0, #4, #8", "f36f 100b"),
        ("udiv r0, r1, r2", "fbb1 f0f2"),
        ("umull r0, r1, r2, r3", "fba2 0103"),
        ("mls r0, r1, r2, r3", "fb01 3012"),
        ("rbit r0, r1", "fa91 f0a1"),
        ("clz r0, r1", "fab1 f081"),
        ("ssat r0, #8, r1, asr #3", "f321 00c7"),
        ("ldrd r0, r1, [r2, #-8]", "e952 0102"),
        ("strex r0, r1, [r2]", "e842 1000"),
        ("tbh [pc, r0, lsl #1]", "e8df f010"),
        ("uxtb.w r0, r1, ror #8", "fa5f f091"),
        ("vadd.f32 s0, s1, s2", "ee30 0a81"),
        ("vmov.f32 s0, #1.0", "eeb7 0a00"),
        ("vmov s0, r1", "ee00 1a10"),
        ("vldr s1, [r0, #-4]", "ed50 0a01"),
        ("vpush {s16-s31}", "ed2d 8a10"),
        ("vpop {d8-d15}", "ecbd 8b10"),
        ("vcvt.s32.f32 s0, s1", "eebd 0ae0"),
        ("vcmp.f32 s0, #0", "eeb5 0a40"),
        ("vmrs apsr_nzcv, fpscr", "eef1 fa10"),
        ("vsqrtge.f32 s0, s1", "eeb1 0ae0"),
    ],
)
def test_the_form_that_the_manual_gives(asm: str, code: str) -> None:
    assert halves(encode(asm)) == code


def test_a_number_as_target_is_an_address_and_addresses_wrap() -> None:
    assert halves(encode("b #0x08000010", address=0x0800_0000)) == "e006"
    assert halves(encode("bl 0xfffffff0", address=0x10)) == "f7ff ffee"
    assert halves(encode("beq .+8")) == "d002"


def test_inside_an_it_block_a_conditional_branch_is_the_plain_one() -> None:
    assert halves(encode("beq somewhere", it=True)) == "e000"
    assert halves(encode("beq somewhere")) == "d000"


@pytest.mark.parametrize(
    ("asm", "message"),
    [
        ("", "an instruction is missing"),
        ("frobnicate r0", "there is no instruction 'frobnicate'"),
        ("mvos r0, #1", "did you mean mvns or movs"),
        ("movs.n r0, #256", "#256 does not fit 8 bits (#0..255)"),
        ("movs r0, #0x101", "#0x101 is not a modified immediate"),
        ("movs r0, #0x101", "movw Rd, #0..65535"),
        ("movw r0, #0x10000", "#65536 does not fit 16 bits (#0..65535)"),
        ("ldr r0, [r1, #4096]", "#4096 does not fit 12 bits (#0..4095)"),
        ("ldr.n r0, [r1, #6]", "#6 is not a multiple of 4"),
        ("ldr.n r8, [r1]", "only r0-r7 here"),
        ("ldr r0, =0x40020000", "put the constant in a words unit"),
        ("add r0, r1, #0x1001", "modified immediate"),
        ("lsls r0, r1, #32", "#32 does not fit"),
        ("lsrs.n r0, r1, #33", "#1..32"),
        ("push {r0, sp}", "{sp} cannot be listed here"),
        ("push {r3-r1}", "runs backwards"),
        ("ldr r0, [r0], #4", "the base register is also Rt and written back"),
        ("bfi r0, r1, #30, #4", "a field of 4 bits from bit 30 is outside 1..2"),
        ("and sp, r0, r1", "sp is not allowed here"),
        ("movs r0", "is missing"),
        ("movs r0, #1, #2", "is left over"),
        ("movs r0, ?", "is not operand text"),
        ("movs r0, #" + "9" * 5000, "is not operand text"),
        ("wfi r0", "is left over"),
        ("itx eq", "there is no instruction 'itx'"),
        ("itt", "a condition is missing"),
        ("cbzeq r0, x", "there is no instruction"),
        ("msr nonsense, r0", "'nonsense' is not a special register"),
        ("vmov.f32 s0, #0.1", "is no constant of vmov"),
        ("vpush {s0, s2}", "consecutive"),
        ("vadd.f64 d16, d0, d1", "d16 does not exist"),
        ("b #3", "out of reach"),
        ("bne #0x1000000", "out of reach"),
        ("wfi.x", "there is no instruction"),
        ("sdiv.n r0, r1, r2", "sdiv has no 16-bit form"),
        ("strd r0, r1, [r2, #2]", "#2 is not a multiple of 4"),
        ("movs r0, #1.5", "not a whole number"),
    ],
)
def test_the_error_says_what_does_not_fit(asm: str, message: str) -> None:
    with pytest.raises(EncodeError) as caught:
        encode(asm)
    assert message in str(caught.value)
    assert isinstance(caught.value, EmissionError)
