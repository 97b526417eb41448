"""The machine as a bench: stimuli, live advance, giving up, many at once."""

from __future__ import annotations

import pytest

from fwgen.contract import Contract, Drive, Press, Quiet, Send
from fwgen.errors import BenchError
from fwgen.machine import Machine
from fwgen.trace import Edge, Gap, SerialByte, Stimulated, dump_trace
from fwgen.verdict import Outcome, judge
from tests.machine.core.firmware import GPIOA, firmware

MS = 10**9
IDLE = "start: wfi\n b start"
BLINK = f"""
    start:
        {GPIOA}
    round:
        ldr r1, [r0, #0x14]
        eor r1, r1, #0x20
        str r1, [r0, #0x14]
        ldr r2, =53330
    wait: subs r2, #1
        bne wait
        b round
"""


def edges(trace, pin):
    return [(e.t_ps, e.level) for e in trace.of(Edge) if e.pin == pin]


def test_the_same_image_and_stimuli_give_the_same_trace(board):
    stimuli = [Press("B1", 5 * MS, 20 * MS, 2 * MS), Drive("D7", 3 * MS, 1)]
    machine = Machine(board)
    first = machine.run(firmware(BLINK), stimuli, 50 * MS)
    assert dump_trace(machine.run(firmware(BLINK), stimuli, 50 * MS)) == dump_trace(first)
    assert dump_trace(Machine(board).run(firmware(BLINK), stimuli, 50 * MS)) == dump_trace(first)
    assert len(edges(first, "PA5")) > 4


def test_a_press_bounces_and_settles_within_its_bounce(board):
    trace = Machine(board).run(firmware(IDLE), [Press("B1", 5 * MS, 20 * MS, 2 * MS)], 50 * MS)
    seen = edges(trace, "PC13")
    down = [e for e in seen if e[0] <= 7 * MS]
    up = [e for e in seen if e[0] > 7 * MS]
    assert down[0] == (5 * MS, 0)
    assert len(down) > 3
    assert down[-1][1] == 0
    assert up[0] == (25 * MS, 1)
    assert up[-1][1] == 1
    assert up[-1][0] <= 27 * MS
    assert [e.what for e in trace.of(Stimulated)] == ["pressed, bouncing", "released, bouncing"]


def test_a_clean_press_for_ever_has_one_edge(board):
    trace = Machine(board).run(firmware(IDLE), [Press("the blue button", 5 * MS)], 50 * MS)
    assert edges(trace, "PC13") == [(5 * MS, 0)]


def test_a_driven_pin_takes_its_level_and_floats_again(board):
    stimuli = [Drive("D7", MS, 1), Drive("PA8", 2 * MS, 0), Drive("PA8", 3 * MS, None)]
    trace = Machine(board).run(firmware(IDLE), stimuli, 5 * MS)
    assert edges(trace, "PA8") == [(MS, 1), (2 * MS, 0), (3 * MS, None)]


@pytest.mark.parametrize(
    ("stimulus", "said"),
    [
        (Press("B2", 0), "no button 'B2'"),
        (Press("LD2", 0), "no button 'LD2'"),
        (Drive("PX1", 0, 1), "no pin 'PX1'"),
        (Send("UART9", 0, b"x"), "no port 'UART9'"),
    ],
)
def test_what_the_board_lacks_is_refused_by_name(board, stimulus, said):
    with pytest.raises(BenchError, match=said):
        Machine(board).run(firmware(IDLE), [stimulus], MS)


ECHO = """
    start:
        ldr r0, =0x40023800
        movs r1, #1
        str r1, [r0, #0x30]
        ldr r1, =0x20000
        str r1, [r0, #0x40]
        nop
        nop
        nop
        nop
        ldr r0, =0x40020000
        ldr r1, =0xa80000a0
        str r1, [r0, #0]
        ldr r1, =0x7700
        str r1, [r0, #0x20]
        ldr r0, =0x40004400
        movs r1, #139
        str r1, [r0, #8]
        ldr r1, =0x200c
        str r1, [r0, #0xc]
    round:
        ldr r1, [r0, #0]
        lsls r1, r1, #26
        bpl round
        ldr r1, [r0, #4]
        adds r1, #1
        str r1, [r0, #4]
        b round
"""


def test_sent_bytes_reach_the_uart_and_what_it_says_is_heard(board):
    trace = Machine(board).run(firmware(ECHO), [Send("console", 2 * MS, b"HAL")], 10 * MS)
    said = bytes(e.byte for e in trace.of(SerialByte) if e.direction == "tx")
    heard = bytes(e.byte for e in trace.of(SerialByte) if e.direction == "rx")
    assert said == b"IBM"
    assert heard == b"HAL"


def test_a_run_can_go_on_piece_by_piece_and_tells_events_as_they_come(board):
    whole = Machine(board).run(firmware(BLINK), [], 60 * MS)
    heard = []
    with Machine(board) as machine:
        machine.listen(heard.append)
        machine.load(firmware(BLINK))
        for step in range(1, 61):
            machine.advance(step * MS)
        pieces = machine.trace()
    assert edges(pieces, "PA5") == edges(whole, "PA5")
    assert [e for e in heard if e.t_ps < 60 * MS] == list(pieces.events)


def test_firmware_that_computes_for_ever_is_given_up_with_evidence(board):
    # A linear-congruence generator: no acceleration knows it.
    text = """
    start: movs r0, #1
        ldr r1, =1664525
        ldr r2, =1013904223
    round: mul r0, r0, r1
        add r0, r0, r2
        eor r0, r0, r0, lsr #7
        b round
    """
    trace = Machine(board, patience_s=0.2).run(firmware(text), [], 10**15)
    (gap,) = trace.of(Gap)
    assert gap.peripheral == "machine"
    assert "wall time" in gap.detail
    assert trace.span_ps < 10**15


CHATTERS = """
    start: ldr r0, =0x40023830
        ldr r1, =0x200001
        str r1, [r0, #0]
        ldr r1, =0x20000
        str r1, [r0, #16]
        ldr r0, =0x40020000
        ldr r1, =0xa80000a0
        str r1, [r0, #0]
        ldr r1, =0x7700
        str r1, [r0, #32]
        ldr r2, =0x40004400
        movs r1, #139
        str r1, [r2, #8]
        ldr r0, =0x400260a0
        adds r3, r2, #4
        str r3, [r0, #8]
        ldr r1, =0x20000000
        str r1, [r0, #12]
        movs r1, #100
        str r1, [r0, #4]
        ldr r1, =0x8000541
        str r1, [r0, #0]
        movs r1, #0x80
        str r1, [r2, #20]
        ldr r1, =0x2008
        str r1, [r2, #12]
    asleep: wfi
        b asleep
"""
"""Sends for ever by DMA, and never wakes."""


def test_firmware_that_sleeps_and_chatters_for_ever_is_given_up_too(board):
    trace = Machine(board, patience_s=0.3, accelerate=False).run(firmware(CHATTERS), [], 10**16)
    gap = trace.events[-1]
    assert isinstance(gap, Gap)
    assert "wall time" in gap.detail
    assert trace.span_ps < 10**16


def test_no_more_events_are_kept_than_memory_is_given_for(board, monkeypatch):
    monkeypatch.setattr("fwgen.machine.machine.MOST_EVENTS", 5000)
    trace = Machine(board, patience_s=None).run(firmware(CHATTERS), [], 3600 * 10**12)
    gap = trace.events[-1]
    assert isinstance(gap, Gap)
    assert "5,000 events" in gap.detail
    assert 5000 <= len(trace.events) < 60_000
    # The port was heard up to the end that is told, and no verdict goes beyond it.
    assert trace.span_ps - 10**9 < trace.events[-2].t_ps < trace.span_ps
    contract = Contract("quiet", board.name, 3600 * 10**12, (), (Quiet(("PA2",)),))
    assert judge(contract, trace, board).findings[0].outcome is Outcome.UNSURE


def test_machines_do_not_share_anything(board):
    one, two = Machine(board), Machine(board)
    one.load(firmware(BLINK))
    two.load(firmware(IDLE))
    one.advance(20 * MS)
    two.advance(20 * MS)
    one.advance(40 * MS)
    assert len(edges(one.trace(), "PA5")) > 2
    assert not edges(two.trace(), "PA5")
    assert two.trace().awake_cycles < 10
    one.close()
    two.close()


def test_an_image_outside_the_memory_is_refused(board):
    from fwgen.image.types import Image, Segment

    with pytest.raises(BenchError, match="not in the memory"):
        Machine(board).run(Image((Segment(0x0900_0000, b"1234"),), 1, 2), [], MS)


def test_what_a_peripheral_raises_is_raised_here(board, monkeypatch):
    from fwgen.machine.stm32.gpio_v2 import PERIPHERAL

    def broken(self, *_):
        raise ZeroDivisionError("a defect of the model")

    monkeypatch.setattr(PERIPHERAL, "write", broken)
    with pytest.raises(ZeroDivisionError, match="a defect"):
        Machine(board).run(firmware(BLINK), [], MS)


def test_stop_mode_stops_the_clock_and_a_press_wakes_through_exti(board):
    from fwgen.trace import Sleep, Wake

    text = """
    start:
        ldr r0, =0x40023800
        ldr r1, =0x10000000
        str r1, [r0, #0x40]
        ldr r1, =0x4000
        str r1, [r0, #0x44]
        movs r1, #4
        str r1, [r0, #0x30]
        nop
        nop
        nop
        nop
        ldr r0, =0x40013800
        movs r1, #0x20
        str r1, [r0, #0x14]
        ldr r0, =0x40013c00
        ldr r1, =0x2000
        str r1, [r0, #0]
        str r1, [r0, #0xc]
        ldr r2, =0xe000e104
        ldr r3, =0x100
        str r3, [r2]
        ldr r2, =0xe000ed10
        movs r3, #4
        str r3, [r2]
    round: wfi
        b round
    irq: str r1, [r0, #0x14]
        dsb sy
        bx lr
    """
    presses = [Press("B1", 10 * MS, 10 * MS), Press("B1", 40 * MS, 10 * MS)]
    trace = Machine(board).run(firmware(text, {16 + 40: "irq"}), presses, 100 * MS)
    assert [e.mode for e in trace.of(Sleep)] == ["stop"] * 3
    wakes = list(trace.of(Wake))
    assert [e.cause for e in wakes] == ["EXTI15_10"] * 2
    assert all(wake.t_ps > press.at_ps for wake, press in zip(wakes, presses, strict=True))
    assert trace.awake_cycles < 300
