"""The USART's other modes as the manual describes them: LIN, flow control, clocked, one wire."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fwgen.board import load_board
from fwgen.machine.soc import Soc
from tests.machine.stm32.alone import MHZ, US, Wire, gaps, hazards, soc_with
from tests.machine.stm32.test_usart import (
    BIT,
    FE,
    ORE,
    OVER8,
    PCE,
    RE,
    RXNE,
    SBK,
    TC,
    TE,
    TXE,
    UE,
    M,
    frames,
    port,
    quiet,
    send,
    sr,
    wired,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

LBD, CTS = 1 << 8, 1 << 9
LINEN, LBDL, LBDIE = 1 << 14, 1 << 5, 1 << 6
CLKEN, CPOL, CPHA, LBCL = 1 << 11, 1 << 10, 1 << 9, 1 << 8
RTSE, CTSE, CTSIE, HDSEL = 1 << 8, 1 << 9, 1 << 10, 1 << 3


def line(soc: Soc, *bits: tuple[int, float]) -> None:
    """The RX pad: levels, each for so many bits."""
    t, pad = soc.now_ps, soc.fabric.pads["PA3"]
    for level, length in bits:
        soc.run_until(t)
        pad.drive_outside(t, "console", level)
        t += int(length * BIT)
    soc.run_until(t)


# ---------------------------------------------------------------- LIN


@pytest.mark.parametrize(
    ("lbdl", "low", "found"),
    [(0, 9, False), (0, 10, True), (0, 13, True), (LBDL, 10, False), (LBDL, 11, True)],
)
def test_a_break_is_ten_or_eleven_low_bits(lbdl: int, low: int, found: bool) -> None:
    """RM0368 §19.3.8, figure "Break detection in LIN mode (11-bit break length)"."""
    soc = wired(cr2=LINEN | lbdl | LBDIE)
    line(soc, (0, low), (1, 3))
    assert bool(sr(soc) & LBD) == found
    assert soc.interrupts.level(38) == found
    soc.write("USART2", "SR", ~LBD)
    assert not sr(soc) & LBD
    assert not soc.interrupts.level(38)


def test_a_break_waits_for_its_delimiter_and_is_a_framing_error_besides() -> None:
    soc = wired(cr2=LINEN)
    line(soc, (0, 30))
    assert sr(soc) & (LBD | RXNE | FE) == RXNE | FE
    line(soc, (1, 1))
    assert sr(soc) & LBD


def test_no_break_is_detected_outside_lin_mode() -> None:
    soc = wired()
    line(soc, (0, 14), (1, 3))
    assert sr(soc) & (LBD | FE) == FE


def test_a_break_that_begins_within_a_frame_is_detected() -> None:
    soc = wired(cr2=LINEN)
    line(soc, (0, 1), (1, 3), (0, 12), (1, 2))
    assert sr(soc) & LBD


def test_the_header_of_a_lin_frame_is_understood() -> None:
    soc = wired(cr2=LINEN | LBDL)
    t = soc.now_ps
    t = port(soc).receive(t, 0, 115_107_914, bits=12)  # break, thirteen low bits
    soc.run_until(t)
    assert soc.read("USART2", "SR") & (LBD | FE | RXNE) == LBD | FE | RXNE
    assert soc.read("USART2", "DR") == 0
    soc.write("USART2", "SR", ~LBD)
    for byte in (0x55, 0x3C):
        t = port(soc).receive(t, byte, 115_107_914)
        soc.run_until(t)
        assert soc.read("USART2", "SR") & (LBD | FE | RXNE) == RXNE
        assert soc.read("USART2", "DR") == byte


@pytest.mark.parametrize(("cr2", "low"), [(0, 10), (LINEN, 13)])
def test_a_lin_break_is_thirteen_bits(cr2: int, low: int) -> None:
    soc = wired(TE, cr2=cr2)
    wire = Wire(soc, "USART2_TX")
    soc.write("USART2", "CR1", UE | TE | SBK)
    soc.write("USART2", "DR", 0x55)
    quiet(soc)
    assert wire.edges[1][0] - wire.edges[0][0] == low * BIT
    assert wire.edges[2][0] - wire.edges[1][0] == BIT  # the delimiter, then 0x55
    assert [(f.byte, f.error) for f in frames(soc, "tx")] == [(0, "break"), (0x55, "")]


@settings(max_examples=60, deadline=None)
@given(
    lengths=st.lists(st.floats(0.55, 15), min_size=1, max_size=8),
    lbdl=st.booleans(),
    fed=st.booleans(),
)
def test_the_detector_equals_one_that_samples_every_bit(
    lengths: Sequence[float], lbdl: bool, fed: bool
) -> None:
    """Low and high in turn: against a plain search over the samples of the whole line."""
    soc = wired(cr2=LINEN | (LBDL if lbdl else 0))
    start, edges, t = soc.now_ps + US, [], soc.now_ps + US
    for n, length in enumerate([*lengths, *([1.0] if len(lengths) % 2 == 0 else []), 20.0]):
        edges.append((t, n % 2))
        t += int(length * BIT)

    def level(at: int) -> int:
        return next((lev for when, lev in reversed(edges) if when <= at), 1)

    want, at = [], start
    needed = 11 if lbdl else 10
    while falling := [when for when, lev in edges if when >= at and not lev]:
        began = falling[0]
        for n in range(needed):
            # Sample k of sixteen lies in the middle of its slot.
            slots = [began + int(BIT * (2 * (16 * n + k) - 1) / 32) for k in (8, 9, 10)]
            if sum(map(level, slots)) >= 2:
                at = slots[-1] + 1
                break
        else:
            last = began + int(BIT * (2 * (16 * needed - 6) - 1) / 32)
            at = last if level(last) else min(w for w, lev in edges if w > last and lev)
            want.append(at)
    seen: list[int] = []
    usart = port(soc)
    usart._lin._found = seen.append
    if fed:  # told ahead, as a terminal's frames are
        soc.scheduler.at(start, lambda t: usart._hear_lin(t, edges))
    else:
        for when, lev in edges:
            soc.scheduler.at(
                when, lambda t, lev=lev: soc.fabric.pads["PA3"].drive_outside(t, "console", lev)
            )
    soc.run_until(t)
    assert seen == want


def test_lin_forces_oversampling_by_sixteen() -> None:
    soc = wired(cr2=LINEN)
    soc.write("USART2", "CR1", UE | TE | RE | OVER8)
    assert soc.read("USART2", "CR1") & OVER8 == 0


@pytest.mark.parametrize(
    ("cr2", "cr3", "clash"),
    [
        (LINEN | 2 << 12, 0, "STOP must be clear while LINEN"),
        (LINEN | CLKEN, 0, "CLKEN must be clear while LINEN"),
        (LINEN, HDSEL, "HDSEL must be clear while LINEN"),
        (CLKEN, HDSEL, "HDSEL must be clear while CLKEN"),
    ],
)
def test_modes_that_exclude_each_other_are_told(cr2: int, cr3: int, clash: str) -> None:
    soc = wired(TE, cr2=cr2, cr3=cr3)
    assert clash in hazards(soc, "serial-mode")[0].message


# ---------------------------------------------------------------- flow control


def with_cts(level: int | None, cr3: int = CTSE) -> Soc:
    soc = wired()
    pad = soc.fabric.pads["PA0"]
    pad.drive_outside(soc.now_ps, "other", level)
    soc.fabric.input("USART2_CTS").connect(soc.now_ps, pad)
    soc.write("USART2", "CR3", cr3)
    return soc


def test_nothing_leaves_until_cts_is_low() -> None:
    soc = with_cts(1)
    soc.write("USART2", "DR", 65)
    soc.run_until(soc.now_ps + 50 * BIT)
    assert not frames(soc, "tx")
    assert sr(soc) & TXE == 0
    soc.fabric.pads["PA0"].drive_outside(soc.now_ps, "other", 0)
    low = soc.now_ps
    quiet(soc)
    assert [(f.byte, f.start_ps - low) for f in frames(soc, "tx")] == [(65, 62_500)]


def test_a_frame_under_way_is_finished_and_the_next_waits() -> None:
    soc = with_cts(0)
    send(soc, 1, 2)
    soc.run_until(soc.now_ps + 5 * BIT)
    soc.fabric.pads["PA0"].drive_outside(soc.now_ps, "other", 1)
    quiet(soc)
    assert [f.byte for f in frames(soc, "tx")] == [1]
    assert sr(soc) & (TXE | TC) == 0
    soc.fabric.pads["PA0"].drive_outside(soc.now_ps, "other", 0)
    quiet(soc)
    assert [f.byte for f in frames(soc, "tx")] == [1, 2]


def test_each_change_of_cts_is_a_flag_and_an_interrupt() -> None:
    soc = with_cts(1, CTSE | CTSIE)
    for level in (0, 1):
        assert not soc.interrupts.level(38)
        soc.fabric.pads["PA0"].drive_outside(soc.now_ps, "other", level)
        assert sr(soc) & CTS
        assert soc.interrupts.level(38)
        soc.write("USART2", "SR", ~CTS)


def test_a_break_does_not_ask_for_cts() -> None:
    soc = with_cts(1)
    soc.write("USART2", "CR1", UE | TE | RE | SBK)
    quiet(soc)
    assert [f.error for f in frames(soc, "tx")] == ["break"]


def test_switching_flow_control_off_lets_waiting_data_go() -> None:
    soc = with_cts(1)
    soc.write("USART2", "DR", 65)
    soc.write("USART2", "CR3", 0)
    quiet(soc)
    assert [f.byte for f in frames(soc, "tx")] == [65]


def test_cts_without_a_pin_or_a_driver_is_told() -> None:
    soc = wired(cr3=CTSE)
    soc.write("USART2", "DR", 65)
    assert hazards(soc, "cts-not-connected")
    soc = with_cts(None)
    soc.write("USART2", "DR", 65)
    assert hazards(soc, "floating-input")


def test_rts_is_high_while_a_byte_waits() -> None:
    soc = wired(cr3=RTSE)
    wire = Wire(soc, "USART2_RTS")
    rts = soc.fabric.output("USART2_RTS")
    assert rts.level(soc.now_ps) == 0
    end = port(soc).receive(soc.now_ps, 7, 115_107_914)
    soc.run_until(end)
    assert rts.level(end) == 1
    assert end - BIT < wire.edges[0][0] < end  # within the stop bit
    soc.read("USART2", "DR")
    assert rts.level(soc.now_ps) == 0
    soc.write("USART2", "CR3", 0)
    assert rts.level(soc.now_ps) is None


def test_a_sender_that_ignores_rts_is_let_in_again_as_the_erratum_says() -> None:
    """ES0222, "nRTS signal abnormally driven low after a protocol violation"."""
    soc = wired(cr3=RTSE)
    t = port(soc).receive(soc.now_ps, 1, 115_107_914)
    t = port(soc).receive(t, 2, 115_107_914)
    soc.run_until(t)
    assert sr(soc) & ORE
    assert soc.fabric.output("USART2_RTS").level(t) == 0


@settings(max_examples=30, deadline=None)
@given(data=st.binary(min_size=1, max_size=8), slow=st.integers(1, 40))
def test_two_ports_with_flow_control_lose_nothing(data: bytes, slow: int) -> None:
    """A reader that takes its time: RTS of one port is CTS of the other."""
    soc = soc_with("USART1", "USART2")
    for sender, receiver in (("USART1_TX", "USART2_RX"), ("USART2_RTS", "USART1_CTS")):
        source, sink = soc.fabric.output(sender), soc.fabric.input(receiver)
        source.listen(lambda t, level, sink=sink: sink.drive(t, level))
    for usart, cr3, enable in (("USART2", RTSE, RE), ("USART1", CTSE, TE)):
        soc.write(usart, "BRR", 139)
        soc.write(usart, "CR3", cr3)
        soc.write(usart, "CR1", UE | enable)
    waiting, got, since = list(data), [], 0
    while len(got) < len(data) and soc.now_ps < 10**12:
        if waiting and soc.read("USART1", "SR") & TXE:
            soc.write("USART1", "DR", waiting.pop(0))
        soc.run_until(soc.now_ps + BIT)
        flags = soc.read("USART2", "SR")
        assert not flags & ORE
        since = since + 1 if flags & RXNE else 0
        if since >= slow:
            got.append(soc.read("USART2", "DR"))
    assert bytes(got) == data


def test_uart4_has_neither_clock_nor_flow_control() -> None:
    soc = Soc(load_board("stm32f4-discovery"))
    soc.reset(0, "PORRSTF")
    soc.write("RCC", "APB1ENR", 1 << 19)
    soc.run_until(US)
    soc.write("UART4", "CR2", CLKEN | CPOL | LINEN)
    soc.write("UART4", "CR3", RTSE | CTSE | HDSEL)
    assert soc.read("UART4", "CR2") == LINEN
    assert soc.read("UART4", "CR3") == HDSEL
    assert not soc.fabric.has_output("UART4_CK")
    assert soc.fabric.has_output("USART3_RTS")
    soc.write("UART4", "CR2", 0)
    soc.write("UART4", "CR3", 0)
    soc.write("UART4", "BRR", 139)
    soc.write("UART4", "CR1", UE | TE | RE)
    soc.write("UART4", "DR", 0x55)
    soc.run_until(soc.now_ps + 30 * BIT)
    assert soc.read("UART4", "SR") & TC


# ---------------------------------------------------------------- synchronous


class Shift:
    """What is wired to CK and TX: it captures and shifts as CPOL and CPHA have it."""

    def __init__(self, soc: Soc, *, cpol: bool, cpha: bool, answers: list[int]) -> None:
        self.got: list[int] = []
        self.soc, self.first = soc, cpol ^ 1
        self.capture_at = self.first ^ cpha
        self.answers, self.cpha = answers, cpha
        if not cpha:
            self.give(soc.now_ps)
        soc.fabric.output("USART2_CK").listen(self.edge)

    def give(self, t_ps: int) -> None:
        if self.answers:
            self.soc.fabric.pads["PA3"].drive_outside(t_ps, "console", self.answers.pop(0))

    def edge(self, t_ps: int, level: int | None) -> None:
        if level == self.capture_at:
            self.got.append(self.soc.fabric.output("USART2_TX").level(t_ps) or 0)
        else:
            self.give(t_ps)


def clocked(cr1: int = TE | RE, cr2: int = LBCL, brr: int = 140) -> Soc:
    soc = wired(cr1, brr, cr2=CLKEN | cr2)
    return soc


def bits(value: int, count: int = 8) -> list[int]:
    return [value >> n & 1 for n in range(count)]


@pytest.mark.parametrize("cpol", [0, CPOL])
@pytest.mark.parametrize("cpha", [0, CPHA])
def test_a_shift_register_on_ck_exchanges_bytes(cpol: int, cpha: int) -> None:
    soc = clocked(cr2=LBCL | cpol | cpha)
    assert soc.fabric.output("USART2_CK").level(soc.now_ps) == bool(cpol)
    answers = bits(0xC5) + bits(0x3A)
    device = Shift(soc, cpol=bool(cpol), cpha=bool(cpha), answers=answers)
    got = []
    for byte in (0x9D, 0x62):
        send(soc, byte)
        quiet(soc)
        assert soc.read("USART2", "SR") & (RXNE | FE) == RXNE
        got.append(soc.read("USART2", "DR"))
    assert device.got == bits(0x9D) + bits(0x62)
    assert got == [0xC5, 0x3A]
    assert soc.fabric.output("USART2_CK").level(soc.now_ps) == bool(cpol)
    assert not gaps(soc)
    assert not hazards(soc)


@pytest.mark.parametrize(("cpha", "phase"), [(0, 0.5), (CPHA, 0)])
def test_pulses_come_for_data_bits_only(cpha: int, phase: float) -> None:
    soc = clocked(TE, LBCL | cpha)
    wire = Wire(soc, "USART2_CK")
    start = soc.now_ps + 62_500
    send(soc, 0x55)
    quiet(soc)
    bit = 140 * 62_500
    rising = [t for t, level in wire.edges if level]
    assert rising == [start + int((n + phase) * bit) for n in range(1, 9)]
    assert len(wire.edges) == 16


@pytest.mark.parametrize(
    ("m", "lbcl", "pulses"), [(0, 0, 7), (0, LBCL, 8), (M, 0, 8), (M, LBCL, 9)]
)
def test_the_last_pulse_is_optional(m: int, lbcl: int, pulses: int) -> None:
    soc = clocked(TE | m, lbcl)
    wire = Wire(soc, "USART2_CK")
    send(soc, 0)
    quiet(soc)
    assert len(wire.edges) == 2 * pulses


def test_no_clock_comes_with_a_break_or_the_preamble() -> None:
    soc = wired(0, 140, cr2=CLKEN | LBCL)
    wire = Wire(soc, "USART2_CK")
    soc.write("USART2", "CR1", UE | TE | SBK)
    quiet(soc)
    assert len(frames(soc, "tx")) == 1
    assert len(wire.edges) <= 1  # the idle level


def test_the_clocked_receiver_hears_no_start_bits() -> None:
    soc = clocked()
    line(soc, (0, 5), (1, 20))
    assert sr(soc) & (RXNE | FE) == 0


def test_parity_and_overrun_are_told_in_synchronous_mode_too() -> None:
    soc = clocked(TE | RE | M | PCE)
    device = Wire(soc, "USART2_CK")
    soc.fabric.pads["PA3"].drive_outside(soc.now_ps, "console", 0)
    send(soc, 1)
    quiet(soc)
    assert sr(soc) & (RXNE | 1) == RXNE  # nine zeros: parity even
    soc.fabric.pads["PA3"].drive_outside(soc.now_ps, "console", 1)
    soc.read("USART2", "DR")
    send(soc, 1, 2)
    quiet(soc)
    assert sr(soc) & (RXNE | 1 | ORE) == RXNE | 1 | ORE
    assert device.edges


def test_receiving_without_the_last_pulse_is_a_gap() -> None:
    soc = clocked(TE | RE, 0)
    send(soc, 1)
    assert gaps(soc) == ["USART2.CR2.LBCL"]


def test_a_clock_that_changes_its_shape_under_way_is_told() -> None:
    soc = clocked()
    soc.write("USART2", "CR2", CLKEN | LBCL | CPOL)
    assert "shape" in hazards(soc, "serial-mode")[0].message


def test_a_clock_that_no_pin_carries_is_told() -> None:
    soc = clocked()
    send(soc, 1)
    assert hazards(soc, "ck-not-connected")


# ---------------------------------------------------------------- one wire


def test_two_ports_talk_on_one_wire() -> None:
    soc = soc_with("USART1", "USART2")
    pads = {"USART1": soc.fabric.pads["PA9"], "USART2": soc.fabric.pads["PA2"]}
    for usart, pad in pads.items():
        pad.set_resistor(0, 1)
        pad.connect(0, soc.fabric.output(f"{usart}_TX"), open_drain=True, pull=None)
        soc.fabric.input(f"{usart}_TX").connect(0, pad)
        soc.write(usart, "CR3", HDSEL)
        soc.write(usart, "BRR", 139)
        soc.write(usart, "CR1", UE | TE | RE)
    for one, other in (("USART1", "USART2"), ("USART2", "USART1")):
        signal, there = soc.fabric.output(f"{one}_TX"), pads[other]
        signal.listen(lambda t, lv, p=there: p.drive_outside(t, "wire", 0 if lv == 0 else None))
    quiet(soc)
    for talker, listener, byte in (("USART1", "USART2", 0x5A), ("USART2", "USART1", 0xC3)):
        for usart in pads:
            soc.read(usart, "SR")
            soc.read(usart, "DR")
        soc.write(talker, "DR", byte)
        quiet(soc)
        assert soc.read(listener, "SR") & (RXNE | FE) == RXNE
        assert soc.read(listener, "DR") == byte
        assert soc.read(talker, "DR") == byte  # it hears itself
    assert not hazards(soc, "output-fight")


def test_a_clock_faster_than_any_terminal_is_fine_in_synchronous_mode() -> None:
    soc = soc_with("USART1", hz=84 * MHZ)
    soc.fabric.output("USART1_CK").listen(lambda t, level: None)
    soc.fabric.output("USART1_TX").listen(lambda t, level: None)
    soc.write("USART1", "BRR", 18)
    soc.write("USART1", "CR2", CLKEN | LBCL)
    soc.write("USART1", "CR1", UE | TE)
    soc.write("USART1", "DR", 1)
    quiet(soc)
    assert not hazards(soc)
