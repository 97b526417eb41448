"""The memory protection unit: who may do what where, and what a fault of it says. PM0214 §4.2."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fwgen.machine.armv7m.protection import Region, Rules, region
from fwgen.machine.soc import Soc
from fwgen.trace import Fault, Hazard
from tests.machine.core.fuzz import Access, both_ways, touching

MPU, SCB = 0xE000_ED90, 0xE000_ED00
RW, NONE = 3, 0


def setting(*regions: tuple[int, int, int], ctrl: int = 5, xn: int = 0, srd: int = 0) -> str:
    """Assembly that sets regions (base, size, AP), and switches the MPU on."""
    lines = ["ldr r0, =0xe000ed90"]
    for number, (base, size, ap) in enumerate(regions):
        rasr = xn << 28 | ap << 24 | srd << 8 | (size.bit_length() - 2) << 1 | 1
        lines += [f"ldr r1, ={base | 16 | number}", "str r1, [r0, #12]"]
        lines += [f"ldr r1, ={rasr}", "str r1, [r0, #16]"]
    return "\n".join([*lines, f"movs r1, #{ctrl}", "str r1, [r0, #4]", "dsb", "isb"])


ENABLE_FAULTS = "ldr r0, =0xe000ed24\n ldr r1, =0x70000\n str r1, [r0, #0]\n"
HANDLER = """
    fault: ldr r0, =0xe000ed28
        ldr r6, [r0, #0]
        ldr r7, [r0, #12]
        mrs r5, ipsr
    stay: b stay
"""
GUARD = 0x2000_4000


@pytest.mark.parametrize(
    ("access", "bits", "address"),
    [
        ("ldr r2, [r1, #0]", 0x82, GUARD),
        ("str r2, [r1, #28]", 0x82, GUARD + 28),
        ("strb r2, [r1, #31]", 0x82, GUARD + 31),
        ("ldr r2, [r1, #-2]", 0x82, GUARD),  # the first byte that may not be touched
        ("str r2, [r1, #-3]", 0x82, GUARD),
        ("push {r2}\n ldr r2, [r1, #32]\n ldr r2, [r1, #-4]", 0, 0),
        ("it ne\n strne r2, [r1]", 0, 0),
        ("it eq\n streq r2, [r1]", 0x82, GUARD),
    ],
)
def test_an_access_to_a_guarded_place_is_a_memory_fault_at_its_address(lab, access, bits, address):
    lab.run(
        f"start: {ENABLE_FAULTS} {setting((GUARD, 32, NONE))}\n"
        f"ldr r1, ={GUARD}\n cmp r1, r1\n {access}\n end: b end\n {HANDLER}",
        {4: "fault"},
    )
    assert lab.register(6) == bits
    if bits:
        assert lab.register(7) == address
        (fault, *_) = lab.of(Fault)
        assert f"{address:#010x}" in fault.reason
        assert "MPU" in fault.reason
        assert fault.registers["pc"] == fault.pc
    else:
        assert not list(lab.of(Fault))


@pytest.mark.parametrize(
    "store",
    [
        "streq r2, [r1]", "strbeq r2, [r1]", "streq.w r2, [r1, #-4]!", "stmeq r1!, {r2, r3}",
        "strdeq r2, r3, [r1]",
    ],
)  # fmt: skip
def test_what_follows_a_store_that_is_refused_in_an_it_block_does_not_run(lab, store):
    lab.run(
        f"start: {ENABLE_FAULTS} {setting((GUARD, 32, NONE))}\n ldr r1, ={GUARD + 4}\n"
        f"movs r4, #0\n cmp r1, r1\n b here\n here: itt eq\n moveq r3, #1\n {store}\n"
        f"adds r4, #1\n end: b end\n {HANDLER}",
        {4: "fault"},
    )
    (fault, *_) = lab.of(Fault)
    assert fault.registers["r4"] == 0
    assert fault.registers["r3"] == 1
    assert fault.registers["xpsr"] & 0x0600_FC00 == 0x800  # the store is the last of its block


def test_a_guard_below_the_stack_catches_its_overflow_while_stacking(lab):
    lab.run(
        f"""
        start: {ENABLE_FAULTS} {setting((GUARD, 32, NONE))}
            ldr r1, ={GUARD + 48}
            mov sp, r1
            svc #0
        end: b end
        {HANDLER}
        """,
        {4: "fault"},
    )
    # SVCall has the handler's own priority here: the fault is forced up.
    (fault, *_) = lab.of(Fault)
    assert "while stacking" in fault.reason
    assert lab.machine.soc.peripherals["SCB"].cfsr.MSTKERR
    assert not lab.machine.soc.peripherals["SCB"].cfsr.MMARVALID


def test_a_frame_that_may_not_be_read_back_is_a_fault_while_unstacking(lab):
    lab.run(
        f"""
        start: {ENABLE_FAULTS} svc #0
        end: b end
        call: mov r4, lr
            {setting((0x2001_7FE0, 32, NONE))}
            ldr r1, =0x20010000
            mov r2, sp
            bx r4
        fault: ldr r0, =0xe000ed28
            ldr r6, [r0, #0]
        stay: b stay
        """,
        {4: "fault", 11: "call"},
    )
    assert lab.register(6) == 0x08


def test_lazy_state_that_may_not_be_saved_is_a_memory_fault(lab):
    lab.run(
        f"""
        start: {ENABLE_FAULTS}
            ldr r0, =0xe000ed88
            ldr r1, =0x00f00000
            str r1, [r0, #0]
            dsb
            isb
            vmov s0, r1
            svc #0
        end: b end
        call: {setting((GUARD, 256, NONE))}
            ldr r0, =0xe000ef38
            ldr r1, ={GUARD}
            str r1, [r0, #0]
            dsb
            vmov s1, r1
            bx lr
        """,
        {11: "call"},
    )
    (fault, *_) = lab.of(Fault)
    assert "while saving floating-point state" in fault.reason
    assert lab.machine.soc.peripherals["SCB"].cfsr.MLSPERR


def test_code_in_ram_that_may_not_be_executed_faults_and_other_code_runs(lab):
    lab.run(
        f"""
        start: {ENABLE_FAULTS}
            ldr r1, =0x20004000
            ldr r2, =0x47704770
            str r2, [r1, #0]
            str r2, [r1, #32]
            {setting((GUARD + 32, 32, RW), xn=1)}
            ldr r1, =0x20004001
            blx r1
            movs r4, #1
            ldr r1, =0x20004021
            blx r1
            movs r4, #2
        end: b end
        {HANDLER}
        """,
        {4: "fault"},
    )
    assert (lab.register(4), lab.register(6)) == (1, 1)
    (fault, *_) = lab.of(Fault)
    assert fault.pc == GUARD + 32


def test_a_skipped_loop_stops_where_it_may_go_no_further(lab, make_lab):
    text = f"""
        start: {ENABLE_FAULTS} {setting((GUARD, 32, NONE))}
            ldr r1, ={GUARD - 8000}
            ldr r3, =5000
        fill: str r3, [r1]
            adds r1, r1, #4
            subs r3, #1
            bne fill
        end: b end
        {HANDLER}
    """
    lab.run(text, {4: "fault"})
    plain = make_lab(accelerate=False, native=False).run(text, {4: "fault"})
    assert lab.register(7) == GUARD
    assert [e.t_ps for e in lab.of(Fault)] == [e.t_ps for e in plain.of(Fault)]


@pytest.mark.parametrize("privileged", [True, False])
def test_privileged_code_waits_for_a_flag_without_being_run_step_by_step(
    make_lab, monkeypatch, privileged
):
    """RIOT guards its stacks, runs privileged behind the default map, and polls the USART."""
    text = f"""
        start: {ENABLE_FAULTS} {setting((GUARD, 32, NONE))}
            movs r1, #{int(not privileged)}
            msr control, r1
            isb
            ldr r0, =0x40023800
        wait: adds r3, #1
            ldr r1, [r0]
            lsls r1, r1, #6
            bpl wait
        {HANDLER}
    """
    reads = []
    whole = Soc.bus_read
    monkeypatch.setattr(Soc, "bus_read", lambda *what: reads.append(what) or whole(*what))
    fast, plain = make_lab(), make_lab(accelerate=False, native=False)
    fast.run(text, {4: "fault"})
    few = len(reads)
    plain.run(text, {4: "fault"})
    assert fast.register(3) == plain.register(3)
    assert (few < 100 < len(reads)) == privileged
    assert fast.of(Fault) == plain.of(Fault)
    assert bool(fast.of(Fault)) != privileged  # without a region of its own it may not even run


@pytest.mark.parametrize(("ctrl", "locked"), [(5, False), (7, True)])
def test_without_hfnmiena_the_hard_fault_handler_is_not_watched(lab, ctrl, locked):
    lab.run(
        f"""
        start: {setting((GUARD, 32, NONE), ctrl=ctrl)}
            udf #0
        end: b end
        hard: ldr r1, ={GUARD}
            ldr r2, [r1, #0]
            movs r7, #1
        stay: b stay
        """,
        {3: "hard"},
    )
    assert lab.machine.core.locked == locked
    assert lab.register(7) == (0 if locked else 1)


def test_once_off_again_it_forbids_nothing(lab):
    lab.run(
        f"""
        start: {setting((GUARD, 4096, NONE))}
            movs r1, #0
            str r1, [r0, #4]
            dsb
            ldr r1, ={GUARD}
            movs r2, #5
            str r2, [r1, #0]
            ldr r3, [r1, #0]
        end: b end
        """
    )
    assert lab.register(3) == 5
    assert not list(lab.of(Fault))


def test_registers_show_the_region_that_is_selected(lab):
    lab.run(
        """
        start: ldr r0, =0xe000ed90
            ldr r1, =0x20001013
            str r1, [r0, #12]
            ldr r1, =0x0300001b
            str r1, [r0, #16]
            ldr r1, =0x20002015
            str r1, [r0, #20]
            ldr r1, =0x06000009
            str r1, [r0, #32]
            ldr r2, [r0, #12]
            movs r1, #3
            str r1, [r0, #8]
            ldr r3, [r0, #12]
            ldr r4, [r0, #16]
            ldr r5, [r0, #0]
        end: b end
        """
    )
    assert [lab.register(n) for n in (2, 3, 4, 5)] == [
        0x2000_2005, 0x2000_1003, 0x0300_001B, 0x800,
    ]  # fmt: skip


@pytest.mark.parametrize("rasr", [0x0300_0007, 0x0400_0009, 0x0300_0109])
def test_a_region_that_cannot_be_is_a_hazard(lab, rasr):
    lab.run(
        f"start: ldr r0, =0xe000ed90\n ldr r1, ={rasr}\n str r1, [r0, #16]\n end: b end",
    )
    assert [hazard.code for hazard in lab.of(Hazard)] == ["mpu-setting"]


regions = st.builds(
    lambda size, place, srd, ap, xn, on: (
        0x2000_0000 + place * (2 << size) & 0xFFFF_FFE0,
        xn << 28 | ap << 24 | (srd << 8 if size >= 7 else 0) | size << 1 | on,
    ),
    st.integers(4, 15), st.integers(0, 5), st.integers(0, 255),
    st.sampled_from((0, 1, 2, 3, 5, 6, 7)), st.booleans(), st.integers(0, 1),
)  # fmt: skip


@given(st.lists(regions, min_size=8, max_size=8), st.booleans(), st.integers(0, 0x8_0000))
def test_the_highest_region_that_holds_an_address_decides(pairs, default, into) -> None:
    address = 0x2000_0000 + into
    found: Region | None = None
    for rbar, rasr in pairs:
        size = 2 << (rasr >> 1 & 31)
        inside = rbar // size * size <= address < rbar // size * size + size
        eighth = (address % size) * 8 // size
        if rasr & 1 and inside and not (size >= 256 and rasr >> 8 >> eighth & 1):
            found = region(rbar, rasr)
    rules = Rules(tuple(region(*pair) for pair in pairs), default)
    for privileged in (False, True):
        allowed = rules.allowed(address, privileged=privileged)
        if found is not None:
            assert allowed == found.allowed(privileged=privileged)
        else:
            assert tuple(allowed) == (default and privileged,) * 3
    # Between two borders nothing changes.
    below = max(b for b in rules.borders if b <= address)
    assert rules.allowed(below, privileged=False) == rules.allowed(address, privileged=False)


@given(st.lists(regions, min_size=1, max_size=4), st.lists(st.integers(0, 0x5FFF), max_size=12))
def test_watched_or_not_a_run_is_the_same_however_it_is_sped_up(board, pairs, places) -> None:
    setup = [
        Access(MPU + offset, 4, value)
        for number, (rbar, rasr) in enumerate(pairs)
        for offset, value in ((0x0C, rbar | 16 | number), (0x10, rasr))
    ]
    on = [Access(SCB + 0x24, 4, 0x7_0000), Access(MPU + 4, 4, 5)]
    touched = [Access(0x2000_0000 + place, 4, None if place & 1 else place) for place in places]
    both_ways(board, touching([*setup, *on, *touched]))
