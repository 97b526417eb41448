"""Costs against the tables of the technical reference manuals."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fwgen.thumb import cycles, encode
from fwgen.thumb.forms import all_forms
from tests.thumb.corpus import sample

CORES = list(cycles.REFILL)


def price(core: str, *lines: str) -> int:
    return cycles.cost(b"".join(encode(line) for line in lines), core).total


@pytest.mark.parametrize(
    ("asm", "expected"),
    [
        # Cortex-M4 TRM table 3-1
        ("movs r0, #1", 1), ("add.w r0, r1, r2, lsl #3", 1), ("mul r0, r1, r2", 1),
        ("mla r0, r1, r2, r3", 1), ("smull r0, r1, r2, r3", 1), ("ubfx r0, r1, #1, #2", 1),
        ("ldr r0, [r1]", 2), ("ldrb r0, [r1, r2]", 2), ("ldr r0, [r1], #4", 2),
        ("str r0, [r1, #4]", 1), ("str r0, [r1, r2]", 2),
        ("ldrd r0, r1, [r2]", 3), ("strd r0, r1, [r2]", 3),
        ("ldm r0!, {r1-r4}", 5), ("stm r0!, {r1-r4}", 5),
        ("push {r4-r7, lr}", 6), ("pop {r4-r7}", 5), ("push.w {r4-r11, lr}", 10),
        ("b x", 1), ("bne x", 1), ("bl x", 1), ("bx lr", 1), ("cbz r0, x", 1),
        ("tbb [pc, r0]", 2), ("nop", 1), ("wfi", 1), ("it eq", 1), ("dsb", 3),
        ("mrs r0, primask", 2), ("cpsid i", 2), ("ldrex r0, [r1]", 2),
        # FPU: table 7-1
        ("vadd.f32 s0, s1, s2", 1), ("vmul.f32 s0, s1, s2", 1), ("vmla.f32 s0, s1, s2", 3),
        ("vfma.f32 s0, s1, s2", 3), ("vdiv.f32 s0, s1, s2", 14), ("vsqrt.f32 s0, s1", 14),
        ("vldr s0, [r0]", 2), ("vldr d0, [r0]", 3), ("vstr s0, [r0]", 2),
        ("vpush {s16-s31}", 17), ("vmov s0, s1, r0, r1", 2), ("vmov s0, r0", 1),
    ],
)  # fmt: skip
def test_the_cortex_m4_costs_what_its_manual_says(asm: str, expected: int) -> None:
    assert price("cortex-m4f", asm) == expected


def test_divides_stay_in_the_manuals_range() -> None:
    for core in ("cortex-m3", "cortex-m4", "cortex-m33"):
        assert 2 <= price(core, "udiv r0, r1, r2") <= 12
        assert price(core, "sdiv r0, r1, r2") == price(core, "udiv r0, r1, r2")


def test_other_cores_differ_where_their_manuals_do() -> None:
    assert price("cortex-m3", "mla r0, r1, r2, r3") == 2
    assert 3 <= price("cortex-m3", "umull r0, r1, r2, r3") <= 5
    assert 4 <= price("cortex-m3", "umlal r0, r1, r2, r3") <= 7
    assert price("cortex-m0", "str r0, [r1]") == 2
    assert price("cortex-m0", "pop {r4, r5}") == 3
    # bne taken: 3 cycles on the M0, 2 on the M0+.
    assert price("cortex-m0", "bne x") + cycles.REFILL["cortex-m0"] == 3
    assert price("cortex-m0plus", "bne x") + cycles.REFILL["cortex-m0plus"] == 2
    assert 1 <= cycles.REFILL["cortex-m4"] <= 3


def test_a_load_overlaps_the_load_before_unless_it_needs_its_result() -> None:
    assert price("cortex-m4", "ldr r0, [r2]", "ldr r1, [r3]") == 3
    assert price("cortex-m4", *["ldr r0, [r2]"] * 8) == 9
    assert price("cortex-m4", "ldr r0, [r2]", "ldr r1, [r0]") == 4
    assert price("cortex-m4", "ldr r0, [r2]", "ldr r1, [r3, r0]") == 4
    assert price("cortex-m4", "ldr r0, [r2]", "nop", "ldr r1, [r3]") == 5
    assert price("cortex-m4", "ldr r0, [sp, #4]", "ldr r1, [sp, #8]") == 3
    assert price("cortex-m0", "ldr r0, [r2]", "ldr r1, [r3]") == 4


def test_a_load_that_writes_its_base_back_delays_nobody_but_its_result() -> None:
    assert price("cortex-m4", "pop.w {r0}", "pop.w {r1}") == 3


def test_the_prefix_counts_the_cycles_before_each_instruction() -> None:
    lines = ["ldr r0, x", "ldr r1, [r0]", "orr.w r1, r1, #4", "str r1, [r0]", "bne x"]
    block = cycles.cost(b"".join(encode(line) for line in lines), "cortex-m4")
    assert block.prefix == ((0, 0), (2, 2), (4, 4), (8, 5), (10, 6))
    assert block.total == 7


def test_every_form_has_a_price_on_every_core_that_has_it() -> None:
    from fwgen.thumb.isa import CORES as HAS

    for form in all_forms():
        for core in CORES:
            if form.needs <= HAS[core]:
                assert form.cost in cycles.CYCLES[core], (form, core)


def test_appending_code_never_changes_what_came_before() -> None:
    lines = [line.code for line in sample(1, seed=3)][:400]
    whole = b"".join(lines)
    full = cycles.cost(whole, "cortex-m4f")
    half = cycles.cost(b"".join(lines[:200]), "cortex-m4f")
    assert full.prefix[: len(half.prefix)] == half.prefix
    assert full.prefix[len(half.prefix)][1] == half.total


@given(st.binary(max_size=40), st.sampled_from(CORES))
def test_any_bytes_have_a_cost(block: bytes, core: str) -> None:
    priced = cycles.cost(block, core)
    offsets = [offset for offset, _ in priced.prefix]
    assert offsets == sorted(set(offsets))
    assert [before for _, before in priced.prefix] == sorted(before for _, before in priced.prefix)
    assert priced.total >= len(priced.prefix)
