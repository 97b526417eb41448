"""SysTick, the cycle counter, bit-banding, memories and the flash as the core meets them."""

from __future__ import annotations

from itertools import pairwise

import pytest

from fwgen.trace import Fault, Gap

TICK = """
    ldr r0, =0xe000e010
    ldr r1, ={load}
    str r1, [r0, #4]
    movs r1, #0
    str r1, [r0, #8]
    movs r1, #{control}
    str r1, [r0, #0]
"""


@pytest.mark.parametrize(("control", "divider"), [(7, 1), (3, 8)])
def test_the_period_is_load_plus_one_ticks(lab, control, divider):
    lab.run(
        f"""
        start:
            {TICK.format(load=999, control=control)}
            ldr r5, =0xe000edfc
            mov.w r1, #0x1000000
            str r1, [r5]
            ldr r5, =0xe0001000
            movs r1, #1
            str r1, [r5, #0]
            ldr r6, =0x20000000
        end: b end
        tick:
            ldr r1, [r5, #4]
            str r1, [r6]
            adds r6, #4
            bx lr
        """,
        {15: "tick"},
        span_ps=5 * 10**9,
    )
    times = [lab.word(0x2000_0000 + 4 * n) for n in range(9)]
    gaps = {b - a for a, b in pairwise(times)}
    # A loop of `b end` (3 cycles) lets an interrupt in at its instruction boundaries only.
    assert all(abs(gap - 1000 * divider) <= 3 for gap in gaps)
    assert abs((times[8] - times[0]) - 8 * 1000 * divider) <= 3


def test_countflag_is_set_by_one_to_zero_and_cleared_by_reading_control(lab):
    lab.run(
        f"""
        start:
            {TICK.format(load=50, control=5)}
            ldr r2, [r0, #0]
            {"nop; " * 0}
            movs r5, #40
        wait: subs r5, #1
            bne wait
            ldr r3, [r0, #0]
            ldr r4, [r0, #0]
            str r1, [r0, #8]
            ldr r6, [r0, #8]
        end: b end
        """
    )
    assert lab.register(2) >> 16 == 0
    assert lab.register(3) >> 16 == 1
    assert lab.register(4) >> 16 == 0
    assert 48 <= lab.register(6) <= 50  # cleared, then loaded at the next tick


def test_a_new_load_holds_from_the_next_reload(lab):
    lab.run(
        f"""
        start:
            {TICK.format(load=1000, control=5)}
            movs r1, #9
            str r1, [r0, #4]
            ldr r2, [r0, #8]
            ldr r5, =400
        wait: subs r5, #1
            bne wait
            ldr r3, [r0, #8]
        end: b end
        """
    )
    assert lab.register(2) > 900
    assert lab.register(3) <= 9


def test_load_zero_never_counts(lab):
    lab.run(
        f"start: {TICK.format(load=0, control=7)}\nend: b end\ntick: movs r7, #1\n bx lr",
        {15: "tick"},
    )
    assert lab.register(7) == 0


def test_the_cycle_counter_counts_on_through_sleep_by_wfi(lab):
    lab.run(
        f"""
        start:
            ldr r5, =0xe000edfc
            mov.w r1, #0x1000000
            str r1, [r5]
            ldr r5, =0xe0001000
            movs r1, #1
            str r1, [r5, #0]
            {TICK.format(load=15999, control=7)}
            ldr r2, [r5, #4]
            wfi
            ldr r3, [r5, #4]
        end: b end
        tick: bx lr
        """,
        {15: "tick"},
        span_ps=2 * 10**9,
    )
    # From the first tick to the next is 16000 cycles, and the handler takes some more.
    assert 16_000 - 10 < lab.register(3) - lab.register(2) < 16_060


def test_bit_band_aliases_reach_ram_and_peripherals(lab):
    from tests.machine.core.firmware import GPIOA

    bit = 0x2200_0000 + 0x100 * 32 + 5 * 4
    odr5 = 0x4200_0000 + (0x20014) * 32 + 5 * 4
    lab.run(
        f"""
        start:
            {GPIOA}
            ldr r2, =0x20000100
            movs r3, #0
            str r3, [r2]
            ldr r2, ={bit}
            movs r3, #1
            str r3, [r2]
            ldr r4, [r2]
            ldr r2, ={odr5}
            str r3, [r2]
            ldr r5, [r2]
            ldr r6, [r0, #0x14]
        end: b end
        """
    )
    assert lab.word(0x2000_0100) == 1 << 5
    assert lab.register(4) == 1
    assert lab.register(5) == 1
    assert lab.register(6) == 1 << 5
    assert lab.machine.soc.fabric.pads["PA5"].level == 1


def test_flash_is_seen_at_both_of_its_addresses(lab):
    lab.run("start: ldr r0, =0x08000000\n ldr r1, [r0]\n movs r2, #0\n ldr r3, [r2]\nend: b end")
    assert lab.register(1) == lab.register(3) == 0x2001_8000


def test_a_store_to_locked_flash_changes_nothing(lab):
    lab.run("start: ldr r0, =0x08004000\n movs r1, #0\n str r1, [r0]\n nop\nend: b end")
    assert lab.word(0x0800_4000) == 0xFFFF_FFFF
    assert not lab.of(Fault)


def test_unlocked_flash_is_programmed_and_code_there_runs(lab):
    # movs r7, #42; bx lr = 0x4770272a
    lab.run(
        """
        start:
            ldr r0, =0x40023c00
            ldr r1, =0x45670123
            str r1, [r0, #4]
            ldr r1, =0xcdef89ab
            str r1, [r0, #4]
            ldr r1, =0x201
            str r1, [r0, #0x10]
            ldr r2, =0x08004000
            ldr r3, =0x4770272a
            str r3, [r2]
        busy: ldr r1, [r0, #0x0c]
            lsls r1, r1, #15
            bmi busy
            adds r2, #1
            blx r2
        end: b end
        """
    )
    assert lab.word(0x0800_4000) == 0x4770_272A
    assert lab.register(7) == 42


def test_wait_states_slow_a_core_without_caches(lab):
    text = """
        start:
            ldr r0, =0x40023c00
            movs r1, #{acr}
            str r1, [r0, #0]
            b.w go
        go:
            ldr r5, =0xe000edfc
            mov.w r1, #0x1000000
            str r1, [r5]
            ldr r5, =0xe0001000
            movs r1, #1
            str r1, [r5, #0]
            ldr r2, [r5, #4]
            {nops}
            ldr r3, [r5, #4]
        end: b end
    """
    nops = "nop\n" * 64

    def took(acr: int) -> int:
        lab.run(text.format(acr=acr, nops=nops))
        return lab.register(3) - lab.register(2)

    assert took(0) == 66
    assert took(2) > took(0) + 8
    assert took(0) < took(1) < took(2)


def test_ram_after_power_on_is_noise_but_the_same_noise(lab):
    text = "start: ldr r0, =0x20004000\n ldr r1, [r0]\n ldr r2, [r0, #4]\nend: b end"
    lab.run(text)
    first = lab.register(1), lab.register(2)
    lab.run(text)
    assert (lab.register(1), lab.register(2)) == first
    assert first[0] != first[1]


def test_the_core_follows_the_clock_that_firmware_selects(lab):
    from fwgen.trace import Clock

    lab.run(
        """
        start:
            ldr r0, =0x40023800
            movs r1, #0x80
            str r1, [r0, #8]
            ldr r5, =0xe000edfc
            mov.w r1, #0x1000000
            str r1, [r5]
            ldr r5, =0xe0001000
            movs r1, #1
            str r1, [r5, #0]
        end: b end
        """,
        span_ps=10**9,
    )
    # HPRE = 8: 16 MHz / 2.
    assert lab.of(Clock)[-1].hclk_mhz == 8_000_000_000
    assert abs(lab.machine.core.cycle - 8000) < 20


def test_the_cycle_counter_takes_the_key_of_a_lock_that_it_lacks(make_lab) -> None:
    lab = make_lab()
    lab.run(
        """
    start:
        ldr r0, =0xE000EDFC     @ DEMCR: TRCENA
        ldr r1, =0x01000000
        str r1, [r0]
        ldr r0, =0xE0001FB0     @ DWT_LAR
        ldr r1, =0xC5ACCE55
        str r1, [r0]
        ldr r2, [r0, #4]        @ DWT_LSR
        ldr r0, =0xE0001000
        movs r1, #1
        str r1, [r0]
        ldr r3, [r0, #4]
        ldr r3, [r0, #4]
    end: b end
    """,
        span_ps=10**9,
    )
    assert lab.register(2) == 0
    assert lab.register(3) > 0
    assert not lab.of(Gap)
