"""The USART as the manual describes it, without a core."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fwgen.machine.stm32.usart_v2 import Usart
from fwgen.trace import SerialByte
from tests.machine.scheduled import asked_of
from tests.machine.stm32.alone import MHZ, US, Requests, Wire, gaps, hazards, soc_with

if TYPE_CHECKING:
    from collections.abc import Callable

    from fwgen.machine.soc import Soc

PE, FE, NE, ORE, IDLE, RXNE, TC, TXE = (1 << n for n in range(8))
UE, M, WAKE, PCE, PS = 1 << 13, 1 << 12, 1 << 11, 1 << 10, 1 << 9
TCIE, RXNEIE, IDLEIE, TE, RE, RWU, SBK, OVER8 = 0x40, 0x20, 0x10, 8, 4, 2, 1, 1 << 15
TXEIE = 0x80
BIT = 139 * 62_500  # picoseconds at BRR = 139 and 16 MHz: 115108 baud


def port(soc: Soc) -> Usart:
    usart = soc.peripherals["USART2"]
    assert isinstance(usart, Usart)
    return usart


def wired(
    cr1: int = TE | RE, brr: int = 139, hz: int = 16 * MHZ, *, cr2: int = 0, cr3: int = 0
) -> Soc:
    """USART2 on PA2 and PA3, its line idle, its preamble sent."""
    soc = soc_with("USART2", hz=hz)
    soc.fabric.pads["PA2"].connect(0, soc.fabric.output("USART2_TX"), open_drain=False, pull=None)
    soc.fabric.input("USART2_RX").connect(0, soc.fabric.pads["PA3"])
    soc.fabric.pads["PA3"].drive_outside(0, "console", 1)
    for register, value in (("CR2", cr2), ("CR3", cr3), ("BRR", brr), ("CR1", UE | cr1)):
        soc.write("USART2", register, value)
    while soc.scheduler.next_ps < 1 << 62:
        soc.run_until(soc.scheduler.next_ps)
    soc.read("USART2", "SR")
    soc.read("USART2", "DR")  # the line was idle: forget that
    return soc


def quiet(soc: Soc) -> None:
    """Run until nothing is on its way."""
    while soc.scheduler.next_ps < 1 << 62:
        soc.run_until(soc.scheduler.next_ps)


def frames(soc: Soc, direction: str) -> list[SerialByte]:
    events = soc.recorder.events
    return [e for e in events if isinstance(e, SerialByte) and e.direction == direction]


def sr(soc: Soc) -> int:
    """SR, looked at without arming a clearing sequence."""
    peek = port(soc).peek(0, 4, soc.now_ps)
    assert peek is not None
    return peek.value


def send(soc: Soc, *data: int) -> None:
    for byte in data:
        while not soc.read("USART2", "SR") & TXE:
            soc.run_until(soc.scheduler.next_ps)
        soc.write("USART2", "DR", byte)


# ---------------------------------------------------------------- sending


def test_bytes_leave_back_to_back_at_the_exact_rate() -> None:
    soc = wired()
    start = soc.now_ps + 62_500
    send(soc, *b"Hi!")
    quiet(soc)
    assert frames(soc, "tx") == [
        SerialByte(
            start + 10 * BIT * (n + 1), "USART2", "tx", byte, 115_107_914, start + 10 * BIT * n
        )
        for n, byte in enumerate(b"Hi!")
    ]
    assert not hazards(soc)


def test_the_first_byte_waits_for_the_preamble() -> None:
    soc = soc_with("USART2")
    soc.fabric.output("USART2_TX").follow(lambda t, level: None, lambda wave: None)
    soc.write("USART2", "BRR", 139)
    soc.write("USART2", "CR1", UE | TE)
    soc.write("USART2", "DR", 0x55)
    assert sr(soc) & TXE == 0  # the shift register sends the idle frame
    quiet(soc)
    assert frames(soc, "tx")[0].start_ps == 62_500 + 11 * BIT


def test_txe_and_tc_follow_the_shift_register() -> None:
    soc = wired(TE)
    assert sr(soc) & (TXE | TC) == TXE | TC
    send(soc, 1)  # reads SR, so that writing DR clears TC
    assert sr(soc) & (TXE | TC) == TXE
    soc.write("USART2", "DR", 2)
    assert sr(soc) & (TXE | TC) == 0
    soc.run_until(soc.scheduler.next_ps)
    assert sr(soc) & (TXE | TC) == TXE
    soc.run_until(soc.scheduler.next_ps)
    assert sr(soc) & (TXE | TC) == TXE | TC


def test_tc_stays_when_sr_was_not_read_before_dr_is_written() -> None:
    soc = wired(TE)
    soc.write("USART2", "CR1", UE | TE)
    port(soc)._seen = 0
    soc.write("USART2", "DR", 1)
    assert sr(soc) & TC


def test_writing_dr_too_early_loses_a_byte() -> None:
    soc = wired(TE)
    for byte in b"abc":
        soc.write("USART2", "DR", byte)
    quiet(soc)
    assert [f.byte for f in frames(soc, "tx")] == list(b"ac")
    assert hazards(soc, "tx-overrun")


def test_a_frame_costs_one_event() -> None:
    soc = wired(TE)
    asked = asked_of(soc)
    send(soc, *range(50))
    quiet(soc)
    assert len(asked) == len(frames(soc, "tx")) == 50


def test_the_line_idles_high_and_shows_bits_to_those_who_listen() -> None:
    soc = wired(TE)
    assert soc.fabric.pads["PA2"].level == 1
    send(soc, 0x00)
    quiet(soc)
    wire = Wire(soc, "USART2_TX")
    start = soc.now_ps + 62_500
    send(soc, 0x53)
    quiet(soc)
    bits = [0, 1, 1, 0, 0, 1, 0, 1, 0, 1]
    edges = [(start + n * BIT, b) for n, b in enumerate(bits) if n == 0 or b != bits[n - 1]]
    assert wire.edges == edges


def test_interrupts_follow_their_flags() -> None:
    soc = wired(TE)
    requests = Requests(soc)
    soc.write("USART2", "CR1", UE | TE | TXEIE)
    assert soc.interrupts.level(38)
    soc.write("USART2", "DR", 1)
    soc.write("USART2", "DR", 2)
    assert not soc.interrupts.level(38)
    soc.run_until(soc.scheduler.next_ps)
    assert soc.interrupts.level(38)
    soc.write("USART2", "CR1", UE | TE | TCIE)
    soc.write("USART2", "SR", 0)
    quiet(soc)
    assert soc.interrupts.level(38)
    soc.write("USART2", "SR", ~TC)
    assert [level for _, _, level in requests.changes] == [True, False, True, False, True, False]


def test_a_break_is_low_for_a_whole_frame() -> None:
    soc = wired(TE)
    wire = Wire(soc, "USART2_TX")
    soc.write("USART2", "CR1", UE | TE | SBK)
    quiet(soc)
    assert soc.read("USART2", "CR1") & SBK == 0
    assert wire.edges[1][0] - wire.edges[0][0] == 10 * BIT
    assert [f.error for f in frames(soc, "tx")] == ["break"]


def test_bytes_that_no_pin_carries_are_not_seen() -> None:
    soc = soc_with("USART2")
    soc.write("USART2", "BRR", 139)
    soc.write("USART2", "CR1", UE | TE)
    soc.write("USART2", "DR", 65)
    quiet(soc)
    assert not frames(soc, "tx")
    assert hazards(soc, "tx-not-connected")


def test_clearing_te_within_a_frame_loses_it() -> None:
    soc = wired(TE)
    send(soc, 65)
    soc.run_until(soc.now_ps + 3 * BIT)
    soc.write("USART2", "CR1", UE)
    quiet(soc)
    assert not frames(soc, "tx")
    assert hazards(soc, "tx-cut")
    assert soc.fabric.output("USART2_TX").level(soc.now_ps) is None


def test_clearing_ue_lets_the_frame_end() -> None:
    soc = wired(TE)
    send(soc, 65)
    soc.write("USART2", "CR1", TE)
    quiet(soc)
    assert [f.byte for f in frames(soc, "tx")] == [65]
    assert soc.fabric.output("USART2_TX").level(soc.now_ps) is None


@pytest.mark.parametrize(
    ("cr1", "cr2", "bits"),
    [(0, 0, 10), (M, 0, 11), (0, 2 << 12, 11), (0, 3 << 12, 10.5), (M | PCE, 0, 11)],
)
def test_frame_length(cr1: int, cr2: int, bits: float) -> None:
    soc = wired(TE | cr1, brr=140, cr2=cr2)
    send(soc, 0x41)
    quiet(soc)
    (frame,) = frames(soc, "tx")
    assert frame.t_ps - frame.start_ps == bits * 140 * 62_500
    assert frame.byte == 0x41


def test_seven_bits_and_parity_are_a_trap() -> None:
    soc = wired(TE | PCE)
    send(soc, 0xC1)
    quiet(soc)
    assert frames(soc, "tx")[0].byte == 0x41
    assert hazards(soc, "serial-seven-bits")


def test_oversampling_by_eight_doubles_the_fastest_rate() -> None:
    soc = wired(TE | OVER8, brr=0x10)
    assert port(soc).baud_mhz == 2_000_000_000
    soc.write("USART2", "BRR", 0x13)
    assert port(soc).bit_ticks == 11


def test_a_wrong_rate_is_a_hazard_with_its_cure() -> None:
    soc = wired(TE, brr=0x8B, hz=84 * MHZ // 2)  # meant for 16 MHz
    send(soc, 65)
    (hazard,) = hazards(soc, "baud-error")
    assert "302158 baud" in hazard.message
    assert frames(soc, "tx") == []
    soc = wired(TE, brr=133)
    send(soc, 65)
    (hazard,) = hazards(soc, "baud-error")
    assert hazard.severity == "error"
    assert "120301 baud, +4.4 % from 115200" in hazard.message
    assert hazard.cure == "write 0x8b to BRR (-0.08 %)"


def test_no_rate_sends_nothing() -> None:
    soc = wired(TE, brr=0)
    soc.write("USART2", "DR", 65)
    quiet(soc)
    assert "nothing is sent" in hazards(soc, "baud-error")[0].message
    assert not frames(soc, "tx")
    soc.write("USART2", "BRR", 139)
    quiet(soc)
    assert [f.byte for f in frames(soc, "tx")] == [65]


def test_a_clock_that_slows_down_within_a_frame_stretches_it() -> None:
    soc = wired(TE)
    send(soc, 65)
    start = soc.now_ps + 62_500
    soc.run_until(start + 5 * BIT)
    soc.clock("USART2").set(8 * MHZ, soc.now_ps)
    quiet(soc)
    assert frames(soc, "tx")[0].t_ps == start + 5 * BIT + 5 * 2 * BIT


# ---------------------------------------------------------------- receiving


def test_a_byte_arrives() -> None:
    soc = wired()
    soc.write("USART2", "CR1", UE | RE | RXNEIE)
    end = port(soc).receive(soc.now_ps, 0xA5, 115_200_000)
    soc.run_until(end)
    assert soc.interrupts.level(38)
    assert sr(soc) & (RXNE | FE | NE | PE | ORE) == RXNE
    assert soc.read("USART2", "DR") == 0xA5
    assert sr(soc) & RXNE == 0
    assert not soc.interrupts.level(38)
    assert frames(soc, "rx")[0].error == ""


def receive(soc: Soc, data: bytes, baud_mhz: int = 115_200_000) -> list[tuple[int, int]]:
    """Send bytes to the chip back to back; what its firmware reads, with SR's error flags."""
    got = []
    t = soc.now_ps + US
    for byte in data:
        t = port(soc).receive(t, byte, baud_mhz)
    while soc.now_ps < t + 20 * BIT:
        soc.run_until(min(soc.scheduler.next_ps, t + 20 * BIT))
        flags = soc.read("USART2", "SR")
        if flags & RXNE:
            got.append((soc.read("USART2", "DR"), flags & (PE | FE | NE | ORE)))
    return got


@pytest.mark.parametrize("percent", [-3, -2, 0, 2, 3])
def test_a_sender_a_little_off_is_understood(percent: int) -> None:
    soc = wired()
    got = receive(soc, b"UwU\x00\xff", 115_107_914 * (100 + percent) // 100)
    assert [byte for byte, _ in got] == list(b"UwU\x00\xff")
    assert not any(flags & (FE | ORE) for _, flags in got)


@pytest.mark.parametrize("baud_mhz", [9_600_000, 57_600_000, 230_400_000])
def test_a_sender_at_another_rate_is_garbled(baud_mhz: int) -> None:
    soc = wired()
    got = receive(soc, b"Hello", baud_mhz)
    assert [byte for byte, _ in got] != list(b"Hello")
    assert any(flags for _, flags in got) or len(got) != 5


def test_an_unread_byte_is_kept_and_the_next_lost() -> None:
    soc = wired()
    t = port(soc).receive(soc.now_ps, 1, 115_200_000)
    t = port(soc).receive(t, 2, 115_200_000)
    soc.run_until(t)
    assert sr(soc) & (ORE | RXNE) == ORE | RXNE
    assert [f.error for f in frames(soc, "rx")] == ["", "overrun"]
    assert soc.read("USART2", "DR") == 1  # SR was not read: ORE stays
    assert sr(soc) & (ORE | RXNE) == ORE
    soc.read("USART2", "SR")
    soc.read("USART2", "DR")
    assert sr(soc) & ORE == 0


def test_parity_is_checked() -> None:
    soc = wired(RE | M | PCE)
    end = port(soc).receive(soc.now_ps, 0x43, 115_200_000, parity="even")
    soc.run_until(end)
    assert sr(soc) & (RXNE | PE) == RXNE
    assert soc.read("USART2", "DR") == 0x143
    end = port(soc).receive(soc.now_ps, 0x43, 115_200_000, parity="odd")
    soc.run_until(end)
    assert sr(soc) & (RXNE | PE) == RXNE | PE
    assert frames(soc, "rx")[-1].error == "parity"


@pytest.mark.parametrize("access", ["read", "write"])
def test_a_parity_error_goes_with_any_access_to_dr_after_sr(access: str) -> None:
    soc = wired(RE | TE | M | PCE)
    soc.run_until(port(soc).receive(soc.now_ps, 0x43, 115_200_000, parity="odd"))
    soc.write("USART2", "DR", 1)  # SR was not read: nothing goes
    assert sr(soc) & PE
    assert soc.read("USART2", "SR") & PE
    if access == "read":
        soc.read("USART2", "DR")
    else:
        soc.write("USART2", "DR", 1)
    assert sr(soc) & PE == 0


@pytest.mark.parametrize("flag", [FE, NE, ORE, IDLE])
def test_error_flags_go_with_a_read_of_sr_and_then_of_dr(flag: int) -> None:
    soc = wired(RE | TE)
    now = soc.now_ps
    if flag == FE:
        end = port(soc).receive(now, 0x55, 115_107_914, flipped=1 << 9)
    elif flag == NE:  # a spike within a bit
        pad = soc.fabric.pads["PA3"]
        pad.drive_outside(now, "console", 0)
        soc.run_until(now + BIT * 17 // 32 - BIT // 64)
        pad.drive_outside(soc.now_ps, "console", 1)
        soc.run_until(now + BIT * 17 // 32 + BIT // 64)
        pad.drive_outside(soc.now_ps, "console", 0)
        soc.run_until(now + BIT)
        pad.drive_outside(soc.now_ps, "console", 1)
        end = now + 10 * BIT
    else:
        end = port(soc).receive(now, 1, 115_107_914)
        if flag == ORE:
            end = port(soc).receive(end, 1, 115_107_914)
        else:
            end += 11 * BIT
    soc.run_until(end)
    port(soc)._seen = 0
    soc.read("USART2", "DR")
    assert sr(soc) & flag, "DR alone clears nothing"
    assert soc.read("USART2", "SR") & flag
    soc.write("USART2", "DR", 1)
    assert sr(soc) & flag, "nor does a write"
    soc.read("USART2", "DR")
    assert sr(soc) & flag == 0


def test_one_bit_sampling_knows_no_noise() -> None:
    soc = wired(cr3=1 << 11)
    pad = soc.fabric.pads["PA3"]
    start = soc.now_ps + US
    spike = start + 3 * BIT + BIT * 15 // 32  # the eighth sample of bit 2, not the ninth
    edges = [(start, 0), (start + BIT, 1), (spike - BIT // 64, 0), (spike + BIT // 64, 1)]
    for t, level in edges:
        soc.run_until(t)
        pad.drive_outside(t, "console", level)
    quiet(soc)
    assert soc.read("USART2", "SR") & (RXNE | NE | FE) == RXNE
    assert soc.read("USART2", "DR") == 0xFF


def test_idle_comes_once_after_a_burst() -> None:
    soc = wired(RE)
    soc.write("USART2", "CR1", UE | RE | IDLEIE)
    t = soc.now_ps
    for byte in b"ab":
        t = port(soc).receive(t, byte, 115_107_914)
    soc.run_until(t + 9 * BIT)
    assert sr(soc) & IDLE == 0
    soc.run_until(t + 10 * BIT + US)
    assert sr(soc) & IDLE
    assert soc.interrupts.level(38)
    soc.read("USART2", "SR")
    soc.read("USART2", "DR")
    quiet(soc)
    assert sr(soc) & IDLE == 0


def test_a_muted_receiver_wakes_on_an_idle_line() -> None:
    soc = wired(RE)
    receive(soc, b"0")
    soc.read("USART2", "SR")
    soc.read("USART2", "DR")  # the line was idle after it: forget that
    soc.write("USART2", "CR1", UE | RE | RWU)
    assert not hazards(soc)
    t = port(soc).receive(soc.now_ps, 1, 115_200_000)
    soc.run_until(t + 5 * BIT)
    assert sr(soc) & RXNE == 0
    soc.run_until(t + 12 * BIT)
    assert soc.read("USART2", "CR1") & RWU == 0
    assert sr(soc) & IDLE == 0
    soc.run_until(port(soc).receive(soc.now_ps, 2, 115_200_000))
    assert soc.read("USART2", "DR") == 2


def test_muting_before_any_byte_came_is_told() -> None:
    soc = wired(RE)
    soc.write("USART2", "CR1", UE | RE | RWU)
    assert "before any byte came" in hazards(soc, "serial-mute")[0].message


def test_rwu_cannot_change_while_a_byte_waits_and_addresses_wake() -> None:
    soc = wired(RE | WAKE)
    soc.run_until(port(soc).receive(soc.now_ps, 0x11, 115_200_000))
    soc.write("USART2", "CR1", UE | RE | WAKE | RWU)
    assert soc.read("USART2", "CR1") & RWU == 0
    assert "is lost" in hazards(soc, "serial-mute")[0].message
    soc.read("USART2", "DR")
    soc.write("USART2", "CR1", UE | RE | WAKE | RWU)
    assert soc.read("USART2", "CR1") & RWU


def test_nine_bits_wake_on_the_ninth() -> None:
    soc = wired(RE | WAKE | M, cr2=0x5)
    soc.write("USART2", "CR1", UE | RE | WAKE | M | RWU)
    got, t = [], soc.now_ps + US
    for word in (0x0F5, 0x103, 0x005, 0x105, 0x085, 0x104, 0x001):
        t = port(soc).receive(t, word, 115_200_000, bits=9)
        soc.run_until(t + BIT)
        t = soc.now_ps
        if soc.read("USART2", "SR") & RXNE:
            got.append(soc.read("USART2", "DR"))
    assert got == [0x105, 0x085]
    assert soc.read("USART2", "CR1") & RWU  # another's address muted it again


def test_a_muted_receiver_raises_no_error_flags() -> None:
    soc = wired(RE | WAKE)
    soc.write("USART2", "CR1", UE | RE | WAKE | RWU)
    t = soc.now_ps
    for _ in range(3):  # the line is low where the stop bit belongs
        t = port(soc).receive(t, 0x11, 115_200_000, flipped=1 << 9)
    soc.run_until(t + BIT)
    assert sr(soc) & (RXNE | FE | NE | ORE | PE) == 0


def test_a_muted_receiver_wakes_on_its_address() -> None:
    soc = wired(RE | WAKE, cr2=0x5)
    soc.write("USART2", "CR1", UE | RE | WAKE | RWU)
    assert [byte for byte, _ in receive(soc, b"\x11\x83\x22\x85\x33\x84\x44")] == [0x85, 0x33]


def test_edges_of_the_pad_are_sampled_too() -> None:
    soc = wired()
    pad = soc.fabric.pads["PA3"]
    start = soc.now_ps + US
    for n, bit in enumerate([0, 0, 1, 0, 1, 0, 0, 1, 0, 1]):
        soc.run_until(start + n * BIT)
        pad.drive_outside(soc.now_ps, "console", bit)
    quiet(soc)
    assert soc.read("USART2", "SR") & (RXNE | FE | NE) == RXNE
    assert soc.read("USART2", "DR") == 0b01001010


def test_a_glitch_is_no_start_bit() -> None:
    soc = wired()
    pad = soc.fabric.pads["PA3"]
    pad.drive_outside(soc.now_ps, "console", 0)
    soc.run_until(soc.now_ps + BIT // 8)
    pad.drive_outside(soc.now_ps, "console", 1)
    quiet(soc)
    assert sr(soc) & (RXNE | FE | NE) == 0
    soc.run_until(port(soc).receive(soc.now_ps, 7, 115_200_000))
    assert soc.read("USART2", "DR") == 7


def test_noise_within_a_bit_is_outvoted_and_told() -> None:
    soc = wired()
    pad = soc.fabric.pads["PA3"]
    start = soc.now_ps + US
    soc.run_until(start)
    pad.drive_outside(start, "console", 0)
    soc.run_until(start + BIT)
    pad.drive_outside(soc.now_ps, "console", 1)  # all ones, but for a spike in bit 2 ...
    spike = start + 3 * BIT + BIT * 17 // 32  # ... at its ninth sample
    for t, level in ((spike - BIT // 64, 0), (spike + BIT // 64, 1)):
        soc.run_until(t)
        pad.drive_outside(t, "console", level)
    quiet(soc)
    assert soc.read("USART2", "SR") & (RXNE | NE | FE) == RXNE | NE
    assert soc.read("USART2", "DR") == 0xFF


def test_a_long_low_is_a_framing_error() -> None:
    soc = wired()
    pad = soc.fabric.pads["PA3"]
    pad.drive_outside(soc.now_ps, "console", 0)
    soc.run_until(soc.now_ps + 15 * BIT)
    pad.drive_outside(soc.now_ps, "console", 1)
    assert soc.read("USART2", "SR") & (RXNE | FE) == RXNE | FE
    assert soc.read("USART2", "DR") == 0


@pytest.mark.parametrize(
    "deaf",
    [
        lambda soc: soc.write("USART2", "CR1", UE | TE),
        lambda soc: soc.fabric.input("USART2_RX").connect(soc.now_ps, None),
    ],
)
def test_a_deaf_port_hears_nothing_but_the_byte_was_sent(deaf: Callable[[Soc], None]) -> None:
    soc = wired()
    deaf(soc)
    end = port(soc).receive(soc.now_ps, 7, 115_200_000)
    soc.run_until(end + US)
    assert sr(soc) & RXNE == 0
    assert [f.byte for f in frames(soc, "rx")] == [7]


def test_single_wire_hears_itself_and_lets_the_line_go() -> None:
    soc = soc_with("USART2")
    pad = soc.fabric.pads["PA2"]
    pad.set_resistor(0, 1)
    pad.connect(0, soc.fabric.output("USART2_TX"), open_drain=True, pull=None)
    soc.fabric.input("USART2_TX").connect(0, pad)
    for register, value in (("CR3", 8), ("BRR", 139), ("CR1", UE | TE | RE)):
        soc.write("USART2", register, value)
    quiet(soc)
    assert soc.fabric.output("USART2_TX").level(soc.now_ps) is None
    send(soc, 0x5A)
    quiet(soc)
    assert soc.read("USART2", "DR") == 0x5A
    assert soc.fabric.output("USART2_TX").level(soc.now_ps) is None
    soc.run_until(port(soc).receive(soc.now_ps, 0x33, 115_200_000))
    assert soc.read("USART2", "DR") == 0x33


# ---------------------------------------------------------------- both ways


@settings(max_examples=60, deadline=None)
@given(
    data=st.binary(min_size=1, max_size=6),
    rate=st.sampled_from([9600, 19_200, 38_400, 57_600, 115_200, 230_400]),
    clock=st.sampled_from([16, 42, 84]),
    over8=st.booleans(),
    parity=st.sampled_from(["none", "even", "odd"]),
    stop=st.sampled_from([0, 2]),
    off_permille=st.integers(-20, 20),
)
def test_what_is_sent_is_received(
    data: bytes, rate: int, clock: int, over8: bool, parity: str, stop: int, off_permille: int
) -> None:
    """A transmitter's real edges on a wire into a receiver with its own clock."""
    ticks = round(clock * MHZ / rate)
    brr = ticks // 8 << 4 | ticks % 8 if over8 else ticks
    mode = {"none": 0, "even": M | PCE, "odd": M | PCE | PS}[parity] | (OVER8 if over8 else 0)
    soc = soc_with("USART1", "USART2", hz=clock * MHZ)
    soc.clock("USART1").set(clock * MHZ * (1000 + off_permille) // 1000, 0)
    wire = soc.fabric.input("USART2_RX")
    wire.drive(0, 1)
    soc.fabric.output("USART1_TX").listen(lambda t, level: wire.drive(t, level))
    for usart, enable in (("USART2", RE), ("USART1", TE)):
        soc.write(usart, "CR2", stop << 12)
        soc.write(usart, "BRR", brr)
        soc.write(usart, "CR1", UE | mode | enable)
    soc.write("USART2", "CR1", UE | mode | RE)
    waiting, got, errors = list(data), [], 0
    while soc.scheduler.next_ps < 1 << 62:
        if waiting and soc.read("USART1", "SR") & TXE:
            soc.write("USART1", "DR", waiting.pop(0))
        soc.run_until(soc.scheduler.next_ps)
        status = soc.read("USART2", "SR")
        if status & RXNE:
            errors |= status & (PE | FE | ORE)
            got.append(soc.read("USART2", "DR") & 0xFF)
    assert bytes(got) == data
    assert not errors


@settings(max_examples=60, deadline=None)
@given(data=st.binary(min_size=1, max_size=5), off_permille=st.integers(-25, 25))
def test_stimulated_frames_equal_wired_ones(data: bytes, off_permille: int) -> None:
    baud = 115_107_914 * (1000 + off_permille) // 1000
    framed = receive(wired(), data, baud)
    soc = wired()
    pad, got = soc.fabric.pads["PA3"], []
    start = soc.now_ps + US
    length = 10**15 / baud
    for i, byte in enumerate(data):
        for n, bit in enumerate([0, *(byte >> k & 1 for k in range(8)), 1]):
            soc.run_until(start + int((10 * i + n) * length))
            pad.drive_outside(soc.now_ps, "console", bit)
            if (flags := soc.read("USART2", "SR")) & RXNE:
                got.append((soc.read("USART2", "DR"), flags & (PE | FE | NE | ORE)))
    quiet(soc)
    if (flags := soc.read("USART2", "SR")) & RXNE:
        got.append((soc.read("USART2", "DR"), flags & (PE | FE | NE | ORE)))
    assert got == framed


# ---------------------------------------------------------------- the rest


@pytest.mark.parametrize(
    ("register", "value", "gap"),
    [
        ("CR3", 0x02, "CR3.IREN"),
        ("CR3", 0x20, "CR3.SCEN"),
        ("CR3", 0x10, "CR3.NACK"),
        ("GTPR", 1, "GTPR"),
    ],
)
def test_what_is_not_modelled_is_a_gap(register: str, value: int, gap: str) -> None:
    soc = soc_with("USART2")
    soc.write("USART2", register, value)
    assert gaps(soc) == [f"USART2.{gap}"]


def test_reset_drops_what_was_on_its_way() -> None:
    soc = wired()
    send(soc, 1, 2)
    port(soc).receive(soc.now_ps, 3, 115_200_000)
    soc.run_until(soc.now_ps + 2 * BIT)
    soc.reset(soc.now_ps, "SFTRSTF")
    quiet(soc)
    assert soc.read("USART2", "SR") == TXE | TC
    assert not frames(soc, "tx")
    assert soc.fabric.output("USART2_TX").level(soc.now_ps) is None


def test_another_console_rate_is_no_error() -> None:
    soc = wired(TE, brr=1667)
    assert soc.board.console is not None
    soc.board = replace(soc.board, console=replace(soc.board.console, baud=115_200))
    send(soc, 65)
    assert not hazards(soc, "baud-error")  # 9598 baud is 9600
