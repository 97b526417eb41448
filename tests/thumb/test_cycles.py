"""Costs against the tables of the technical reference manuals."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fwgen.thumb import cycles, encode
from fwgen.thumb.forms import all_forms
from tests.thumb.corpus import sample

CORES = cycles.CORES
PIPELINED = ("cortex-m3", "cortex-m4", "cortex-m4f", "cortex-m33")


def made(core: str, *lines: str, pace: cycles.Pace = "typical") -> cycles.BlockCost:
    return cycles.cost(b"".join(encode(line) for line in lines), core, pace)


def price(core: str, *lines: str, pace: cycles.Pace = "typical") -> int:
    return made(core, *lines, pace=pace).total


def span(core: str, *lines: str) -> tuple[int, ...]:
    return tuple(price(core, *lines, pace=pace) for pace in cycles.PACES)


def taken(core: str, line: str) -> tuple[int, ...]:
    """Least, typical and most of a branch that is taken."""
    costs = [made(core, line, pace=pace) for pace in cycles.PACES]
    return tuple(one.total + one.refill for one in costs)


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


def test_where_the_manual_gives_a_range_both_ends_are_known() -> None:
    for core in ("cortex-m3", "cortex-m4"):
        assert span(core, "udiv r0, r1, r2") == span(core, "sdiv r0, r1, r2") == (2, 7, 12)
        assert span(core, "mrs r0, primask") == span(core, "cpsid i") == (1, 2, 2)
        assert span(core, "ldr r0, x") == (2, 2, 3)  # may contend with the fetch unit
        assert span(core, "add r0, r1") == (1, 1, 1)
    assert span("cortex-m3", "umull r0, r1, r2, r3") == (3, 4, 5)
    assert span("cortex-m3", "umlal r0, r1, r2, r3") == (4, 5, 7)
    assert span("cortex-m4", "umlal r0, r1, r2, r3") == (1, 1, 1)
    assert span("cortex-m3", "mla r0, r1, r2, r3") == (2, 2, 2)
    assert span("cortex-m4f", "vdiv.f32 s0, s1, s2") == (1, 14, 14)
    for core in ("cortex-m0", "cortex-m0plus"):
        assert span(core, "muls r0, r1, r0") == (1, 1, 32)
    assert span("cortex-m0", "ldr r0, [r1]") == (2, 2, 2)
    assert span("cortex-m0plus", "ldr r0, [r1]") == (1, 2, 2)  # 1 at the single-cycle I/O port


def test_the_small_cores_cost_what_their_manuals_say() -> None:
    for core, system in (("cortex-m0", 4), ("cortex-m0plus", 3)):
        assert price(core, "mrs r0, primask") == price(core, "dsb") == system
        assert price(core, "cpsid i") == price(core, "nop") == 1
        assert price(core, "wfi") == 2
        assert price(core, "pop {r4, r5}") == price(core, "push {r4, r5}") == 3
    assert taken("cortex-m0", "bne x") == taken("cortex-m0", "bx lr") == (3, 3, 3)
    assert taken("cortex-m0", "bl x") == (4, 4, 4)
    assert taken("cortex-m0", "pop {r4, r5, pc}") == (7, 7, 7)  # 4 + N
    assert taken("cortex-m0plus", "bne x") == taken("cortex-m0plus", "bx lr") == (2, 2, 2)
    assert taken("cortex-m0plus", "bl x") == (3, 3, 3)
    assert taken("cortex-m0plus", "pop {r4, r5, pc}") == (6, 6, 6)  # 3 + N


def test_a_branch_costs_the_less_the_earlier_it_is_seen() -> None:
    for core in ("cortex-m3", "cortex-m4", "cortex-m4f"):
        for early in ("b x", "bne x", "b.w x", "bl x", "bx lr", "mov pc, lr"):
            assert taken(core, early) == (2, 2, 4), early
        for late in ("cbz r0, x", "bx r3", "blx r3", "mov pc, r3"):
            assert taken(core, late) == (2, 3, 4), late
        assert taken(core, "pop {r4, pc}") == (4, 6, 6)
        assert taken(core, "ldr pc, [r0]") == (3, 5, 5)
        assert taken(core, "tbb [pc, r0]") == (3, 5, 6)


@pytest.mark.parametrize("core", PIPELINED)
def test_an_address_that_was_just_computed_is_waited_for(core: str) -> None:
    assert price(core, "adds r0, #4", "ldr r1, [r0]") == 4
    assert price(core, "adds r0, #4", "str r1, [r0]") == 3
    assert price(core, "adds r0, #4", "str r0, [r1]") == 2  # its value is no address
    assert price(core, "adds r0, #4", "ldr r1, [r2, r0]") == 4
    assert price(core, "adds r0, #4", "nop", "ldr r1, [r0]") == 4
    assert price(core, "sub sp, #8", "str r0, [sp, #4]") == 3
    assert price(core, "sub sp, #8", "push {r4}") == 4
    assert price(core, "adds r0, #4", "ldr r1, x") == 3
    assert price(core, "cmp r0, #4", "ldr r1, [r0]") == 3  # leaves no register


def test_a_float_that_was_just_computed_is_waited_for() -> None:
    assert price("cortex-m4f", "vadd.f32 s0, s1, s2", "vmul.f32 s3, s0, s4") == 3
    assert price("cortex-m4f", "vadd.f32 s0, s1, s2", "vmul.f32 s3, s5, s4") == 2
    assert price("cortex-m4f", "vadd.f32 s0, s1, s2", "vstr s0, [r0]") == 4
    # What a multiplication adds to comes a cycle later.
    assert price("cortex-m4f", "vadd.f32 s0, s1, s2", "vmla.f32 s0, s3, s4") == 4
    assert price("cortex-m4f", "vmov.f32 s0, s1", "vmul.f32 s3, s0, s4") == 2


def test_it_may_be_folded_and_what_it_skips_may_cost_one() -> None:
    lines = ("ite eq", "ldreq r0, [r1]", "ldrne r0, [r2]", "ldr r3, [r4]")
    assert price("cortex-m4", *lines) == 1 + 2 + 1 + 1
    # Passed by, one takes 1; or 2, and then the next overlaps it: never less than either way.
    assert price("cortex-m4", *lines, pace="least") == 0 + 1 + 0 + 1
    inside = b"".join(encode(line) for line in ("ldr r0, [r1]", "nop"))
    assert cycles.cost(inside, "cortex-m4", "least", 1).total == 2


def test_a_load_overlaps_the_load_before_unless_it_needs_its_result() -> None:
    assert price("cortex-m4", "ldr r0, [r2]", "ldr r1, [r3]") == 3
    assert price("cortex-m4", *["ldr r0, [r2]"] * 8) == 9
    assert price("cortex-m4", "ldr r0, [r2]", "ldr r1, [r0]") == 4
    assert price("cortex-m4", "ldr r0, [r2]", "ldr r1, [r3, r0]") == 4
    assert price("cortex-m4", "ldr r0, [r2]", "nop", "ldr r1, [r3]") == 5
    assert price("cortex-m4", "ldr r0, [sp, #4]", "ldr r1, [sp, #8]") == 3
    assert price("cortex-m4", "ldr r0, [r1, r2]", "str r1, [r3, r2]") == 3
    assert price("cortex-m4", "str r0, [r1, r2]", "ldr r3, [r4]") == 4
    assert price("cortex-m4", "ldrd r0, r1, [r2]", "ldr r3, [r4]") == 5
    assert price("cortex-m0", "ldr r0, [r2]", "ldr r1, [r3]") == 4


MEASURED = ("cortex-m3", "cortex-m4", "cortex-m4f")


@pytest.mark.parametrize("core", MEASURED)
def test_loads_of_two_memories_do_not_overlap_but_in_the_fewest_cycles(core: str) -> None:
    assert span(core, "ldr r0, x", "ldr r1, [r2]") == (3, 4, 5)
    assert span(core, "ldr r1, [r2]", "ldr r0, x") == (3, 4, 5)
    assert span(core, "ldr r1, [r2]", "ldr r0, [r3]") == (3, 3, 3)
    assert span(core, "ldr r1, x", "ldr r0, x") == (3, 3, 5)
    assert span(core, "ldr r0, x", "str r1, [r2, r3]") == (3, 4, 5)
    assert price("cortex-m33", "ldr r0, x", "ldr r1, [r2]") == 3


@pytest.mark.parametrize("core", MEASURED)
def test_a_load_behind_a_store_waits_for_it_but_in_the_fewest_cycles(core: str) -> None:
    assert span(core, "str r0, [r1]", "ldr r2, [r3]") == (3, 4, 4)
    assert span(core, "str r0, [r1]", "pop {r2, r3}") == (4, 5, 5)
    assert span(core, "str r0, [r1]", "str r2, [r3]") == (2, 2, 2)
    assert span(core, "str r0, [r1]", "nop", "ldr r2, [r3]") == (4, 4, 4)
    assert span(core, "str r0, [r1, r2]", "ldr r3, [r4]") == (4, 4, 4)
    assert price("cortex-m33", "str r0, [r1]", "ldr r2, [r3]") == 3


@pytest.mark.parametrize("core", MEASURED)
def test_it_is_folded_behind_a_narrow_instruction_that_is_no_branch(core: str) -> None:
    assert span(core, "cmp r0, r1", "it eq", "moveq r0, #1") == (2, 2, 3)
    assert span(core, "cmp.w r0, #256", "it eq", "moveq r0, #1") == (2, 3, 3)
    assert span(core, "bne x", "it eq", "moveq r0, #1") == (2, 3, 3)
    assert span(core, "it eq", "moveq r0, #1") == (1, 2, 2)
    assert price("cortex-m33", "cmp r0, r1", "it eq", "moveq r0, #1") == 3


def row(core: str, *lines: str, address: int = 0) -> tuple[int, ...]:
    code = b"".join(encode(line) for line in lines)
    return tuple(cycles.cost(code, core, pace, address=address).total for pace in cycles.PACES)


@pytest.mark.parametrize("core", MEASURED)
def test_a_row_of_wide_instructions_across_words_outruns_the_fetch(core: str) -> None:
    wide = ["add.w r0, r1, #1"] * 3
    assert row(core, "ldr r2, [r3]", *wide) == (5, 6, 6)
    assert row(core, "ldr r2, [r3]", *wide, address=2) == (5, 5, 5)
    assert row(core, "ldr.w r2, [r3]", *wide, address=2) == (5, 6, 6)
    assert row(core, "ldr r2, [r3]", *wide[:2]) == (4, 4, 4)
    assert row(core, "movs r2, #1", *wide) == (4, 4, 4)  # a row behind what takes one
    assert row(core, "pop {r2, pc}", *wide) == (6, 6, 6)  # runs on elsewhere
    assert row(core, "ldr r2, [r3]", wide[0], "b.w x", wide[0]) == (5, 5, 5)
    assert row(core, "ldr r2, [r3]", *wide[:2], "b.w x") == (5, 6, 6)
    assert row("cortex-m33", "ldr r2, [r3]", *wide)[1] == 5
    head = b"".join(encode(line) for line in ("ldr r2, [r3]", wide[0]))
    behind = b"".join(encode(line) for line in wide[1:])
    assert cycles.cost(head, core, following=behind).total == 4
    assert cycles.cost(head[:2], core, following=head[2:] + behind).total == 3


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


@given(st.integers(1, 399), st.sampled_from(PIPELINED), st.sampled_from(("typical", "most")))
def test_a_run_costs_the_same_in_one_piece_and_in_two(
    cut: int, core: str, pace: cycles.Pace
) -> None:
    lines = [line.code for line in sample(1, seed=3)][:400]
    first, second = b"".join(lines[:cut]), b"".join(lines[cut:])
    whole = cycles.cost(first + second, core, pace)
    head = cycles.cost(first, core, pace, 0, second[: cycles.LOOK_AHEAD])
    tail = cycles.cost(second, core, pace, address=len(first))
    assert whole.prefix[: len(head.prefix)] == head.prefix
    assert whole.prefix[len(head.prefix)][1] == head.total
    assert whole.total == head.total + tail.total


@given(st.binary(max_size=40), st.sampled_from(CORES), st.sampled_from(cycles.PACES))
def test_any_bytes_have_a_cost(block: bytes, core: str, pace: cycles.Pace) -> None:
    priced = cycles.cost(block, core, pace)
    offsets = [offset for offset, _ in priced.prefix]
    assert offsets == sorted(set(offsets))
    assert [before for _, before in priced.prefix] == sorted(before for _, before in priced.prefix)
    assert priced.total >= (len(priced.prefix) if pace == "most" else 0)


@given(st.integers(0, 1 << 30), st.sampled_from(CORES))
def test_the_least_is_never_above_the_typical_nor_that_above_the_most(seed: int, core: str) -> None:
    block = b"".join(line.code for line in sample(1, seed=seed)[:20])
    least, typical, most = (cycles.cost(block, core, pace) for pace in cycles.PACES)
    assert least.total <= typical.total <= most.total
    assert least.refill <= typical.refill <= most.refill
    for one, two, three in zip(least.prefix, typical.prefix, most.prefix, strict=True):
        assert one <= two <= three


def test_every_span_is_in_order() -> None:
    for core in CORES:
        for kind, cost in cycles.CYCLES[core].items():
            assert 0 <= cost.least <= cost.typical <= cost.most, (core, kind)
