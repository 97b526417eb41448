"""What each core lacks, and what no core may be given."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fwgen.thumb import encode, isa
from tests.thumb.corpus import sample

CORES = list(isa.CORES)
V7M = CORES[2:]
V6M_WIDE = ["bl x", "dsb", "dmb", "isb", "mrs r0, primask", "msr control, r0", "udf.w #1"]


def code(*lines: str) -> bytes:
    return b"".join(encode(line) for line in lines)


@pytest.mark.parametrize(
    ("asm", "has"),
    [
        ("movs r0, #1", CORES),
        ("mov r8, r1", CORES),
        ("blx r0", CORES),
        ("rev r0, r1", CORES),
        ("muls r0, r1", CORES),
        ("cpsid i", CORES),
        ("wfi", CORES),
        *((asm, CORES) for asm in V6M_WIDE),
        ("cpsid f", V7M),
        ("it eq", V7M),
        ("cbz r0, x", V7M),
        ("movw r0, #1", V7M),
        ("bne.w x", V7M),
        ("b.w x", V7M),
        ("ldr.w r0, [r1]", V7M),
        ("udiv r0, r1, r2", V7M),
        ("ldrex r0, [r1]", V7M),
        ("msr basepri, r0", V7M),
        ("smlad r0, r1, r2, r3", V7M[1:]),
        ("qadd r0, r1, r2", V7M[1:]),
        ("sadd8 r0, r1, r2", V7M[1:]),
        ("uxtab r0, r1, r2", V7M[1:]),
        ("vadd.f32 s0, s1, s2", ["cortex-m4f", "cortex-m7", "cortex-m33"]),
        ("vldr d0, [r0]", ["cortex-m4f", "cortex-m7", "cortex-m33"]),
        ("vpush {s16}", ["cortex-m4f", "cortex-m7", "cortex-m33"]),
        ("vadd.f64 d0, d1, d2", ["cortex-m7"]),
        ("vcvt.f64.f32 d0, s0", ["cortex-m7"]),
        ("vmaxnm.f32 s0, s1, s2", ["cortex-m7", "cortex-m33"]),
        ("lda r0, [r1]", ["cortex-m33"]),
        ("msr msplim, r0", ["cortex-m33"]),
    ],
)
def test_a_core_has_what_its_architecture_says(asm: str, has: list[str]) -> None:
    found = [core for core in CORES if isa.first_problem(code(asm), core) is None]
    assert found == has


def test_the_message_names_the_instruction_the_lack_and_the_core() -> None:
    (problem,) = isa.check(code("nop", "udiv r0, r1, r2", "nop"), "cortex-m0")
    assert problem.offset == 2
    assert problem.kind == "missing"
    assert problem.message == (
        "udiv r0, r1, r2 is an ARMv7-M instruction, which cortex-m0 does not have"
    )


@pytest.mark.parametrize(
    ("hexed", "kind", "message"),
    [
        ("afff", "undefined", "half of a 32-bit instruction"),
        ("00", "undefined", "half an instruction"),
        ("00b8", "undefined", "not an instruction"),
        ("ffffffff", "undefined", "not an instruction"),
        ("00ea010d", "unpredictable", "sp as Rd"),  # and sp, r0, r1
        ("00fb0ff0", "unpredictable", "pc as Rm"),  # mul r0, r0, pc
        ("51f8041b", "unpredictable", None),  # ldr r1, [r1], #4
        ("b1e80700", "unpredictable", "listed and written back"),  # ldm r1!, {r0, r1, r2}
        ("90e800c0", "unpredictable", "pc and lr"),  # ldm r0, {lr, pc}
        ("00b4", "unpredictable", "list is empty"),  # push {}
        ("03c1", "unpredictable", "not the lowest"),  # stm r1!, {r0, r1}
        ("82fb1111", "undefined", None),
        ("82fb0211", "unpredictable", "RdLo and RdHi"),  # smull r1, r1, r2, r2
        ("d1e90000", "unpredictable", "both registers"),  # ldrd r0, r0, [r1]
        ("0045", "unpredictable", "two low registers"),  # cmp r0, r0 the long way
        ("eff31e80", "unpredictable", "special register 30"),
        ("6ff38370", "unpredictable", "before it begins"),  # bfc with msb below lsb
        ("ecbf", "unpredictable", "IT condition"),  # ite al
        ("ff44", "unpredictable", "pc"),  # add pc, pc
    ],
)
def test_encodings_that_silicon_does_not_promise(
    hexed: str, kind: str, message: str | None
) -> None:
    problem = isa.first_problem(bytes.fromhex(hexed), "cortex-m4f")
    assert problem is not None
    assert problem.kind == kind
    assert message is None or message in problem.message


@pytest.mark.parametrize(
    ("lines", "offset", "message"),
    [
        (["it eq", "beq x"], None, ""),  # plain b, last of its block
        (["itt eq", "beq x", "moveq r0, #1"], 2, "last of an IT block"),
        (["ittt eq", "moveq r0, #1", "bxeq lr", "nop"], 4, "last of an IT block"),
        (["itt eq", "moveq r0, #1", "popeq {r4, pc}"], None, ""),
        (["itt eq", "popeq {r4, pc}", "moveq r0, #1"], 2, "last of an IT block"),
        (["itt eq", "moveq pc, r0", "moveq r0, #1"], 2, "last of an IT block"),
        (["itt eq", "ldreq pc, [r0]", "moveq r0, #1"], 2, "last of an IT block"),
        (["it eq", "cbz r0, x"], 2, "may not stand in an IT block"),
        (["it eq", "cpsid i"], 2, "may not stand in an IT block"),
        (["it eq", "it eq"], 2, "may not stand in an IT block"),
        (["it eq", "moveq r0, #1", "cbz r0, x"], None, ""),
        (["ite eq", "moveq r0, #1", "movne r0, #1", "bx lr", "nop"], None, ""),
    ],
)
def test_the_rules_of_it_blocks(lines: list[str], offset: int | None, message: str) -> None:
    block = b"".join(encode(line, it=n > 0) for n, line in enumerate(lines))
    problem = isa.first_problem(block, "cortex-m4")
    assert (problem and problem.offset) == offset
    assert problem is None or message in problem.message


def test_every_form_is_sound_on_some_core_and_reported_on_every_other() -> None:
    for line in sample(1, seed=9):
        verdicts = {core: isa.first_problem(line.code, core) for core in CORES}
        assert None in verdicts.values(), line.text
        for core, problem in verdicts.items():
            lacking = line.form.needs - isa.CORES[core]
            assert (problem is not None and problem.kind == "missing") == bool(lacking), line.text


@given(st.binary(max_size=12), st.sampled_from(CORES))
def test_garbage_gives_problems_within_the_code_and_never_raises(block: bytes, core: str) -> None:
    problems = isa.check(block, core)
    assert all(block[p.offset : p.offset + len(p.code)] == p.code for p in problems)
    assert isa.first_problem(block, core) == (problems[0] if problems else None)
