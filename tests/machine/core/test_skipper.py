"""A loop that cannot be skipped is left alone: watching it costs more than running it."""

from __future__ import annotations

import pytest

from fwgen.machine.armv7m.skipper import MOST_CUTS, Skipper

WORDS = 400
PROGRAM = f"""
    start:
        ldr r0, =0x40023C04     @ FLASH_KEYR
        ldr r1, =0x45670123
        str r1, [r0]
        ldr r1, =0xCDEF89AB
        str r1, [r0]
        ldr r0, =0x40023C00
        movw r1, #0x201         @ FLASH_CR: PSIZE, PG
        str r1, [r0, #0x10]
        ldr r2, =0x08060000
        ldr r3, ={WORDS}
    word:
        movs r4, #1
        b one
    one: adds r4, #1
        b two
    two: adds r4, #1
        b three
    three:
        str r3, [r2]            @ done when the flash says so: the recording ends here
    busy:
        ldr r1, [r0, #0x0C]     @ FLASH_SR.BSY
        lsls r1, r1, #15
        bmi busy
        adds r2, #4
        subs r3, #1
        bne word
    end: b end
"""


def test_a_loop_that_is_interrupted_each_time_round_is_not_recorded_for_ever(
    make_lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorded: list[object] = []
    record = Skipper.record
    monkeypatch.setattr(
        Skipper, "record", lambda self, block: recorded.append(block) or record(self, block)
    )
    lab = make_lab()
    lab.run(PROGRAM, span_ps=20 * 10**9)
    assert lab.register(3) == 0
    assert len(recorded) < WORDS  # one each time round would be four times as many


def test_a_recording_that_a_jump_within_cuts_each_time_round_is_given_up(make_lab) -> None:
    lab = make_lab()
    lab.run(PROGRAM, span_ps=10**9)
    skipper, book = lab.machine.core._skipper, lab.machine.core._book
    head = next(block for block in book.blocks.values() if block.entries > 0)
    skipper._cuts = 0
    for _ in range(MOST_CUTS):
        assert head.entries > 0
        skipper.recording, skipper._head = [], head
        skipper._cut_short()  # a delay within that what falls due, or another value, cut
        assert skipper.recording is None
    assert head.entries < 0
