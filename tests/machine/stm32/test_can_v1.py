"""bxCAN as the manual describes it, without a core: CAN1 and CAN2 of the STM32F407."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fwgen.board import load_board
from fwgen.machine.soc import Soc
from fwgen.machine.stm32.can_v1.frame import Frame, crc15, stuffed
from fwgen.trace import Gap, Hazard
from tests.machine.stm32.alone import Requests
from tests.machine.stm32.buses import join_can

if TYPE_CHECKING:
    from collections.abc import Sequence

US = 10**6
BIT = US  # 16 MHz through 2, 8 quanta: 1 Mbit/s
BTR = 1 << 0 | 4 << 16 | 1 << 20  # BRP 2, TS1 5, TS2 2
LBKM, SILM = 1 << 30, 1 << 31
INRQ, SLEEP, TXFP, RFLM, NART, AWUM, ABOM, TTCM = (1 << n for n in range(8))
INAK, SLAK = 1, 2
TME = 7 << 26


def fresh() -> Soc:
    soc = Soc(load_board("stm32f4-discovery"))
    soc.reset(0, "PORRSTF")
    soc.recorder.started = True
    soc.write("RCC", "AHB1ENR", 0xF)
    soc.write("RCC", "APB1ENR", 3 << 25)
    wait(soc, US)
    return soc


def wait(soc: Soc, ps: int) -> None:
    soc.run_until(soc.now_ps + ps)


def enter(soc: Soc, name: str = "CAN1", *, mcr: int = 0, btr: int = BTR | LBKM | SILM) -> None:
    """Through initialisation, and out of it."""
    soc.write(name, "MCR", 1 << 16 | INRQ | mcr)
    assert soc.read(name, "MSR") & (INAK | SLAK) == INAK
    soc.write(name, "BTR", btr)
    soc.write(name, "MCR", 1 << 16 | mcr)


def accept_all(soc: Soc, banks: Sequence[int] = (0,)) -> None:
    soc.write("CAN1", "FMR", 0x2A1C_0E01)
    chosen = sum(1 << bank for bank in banks)
    soc.write("CAN1", "FS1R", chosen)
    soc.write("CAN1", "FA1R", chosen)
    soc.write("CAN1", "FMR", 0x2A1C_0E00)


def looped(*, mcr: int = 0, btr: int = BTR | LBKM | SILM) -> Soc:
    """CAN1 in self-test, with a filter that lets everything pass."""
    soc = fresh()
    enter(soc, mcr=mcr, btr=btr)
    accept_all(soc)
    wait(soc, 11 * BIT)
    assert soc.read("CAN1", "MSR") & (INAK | SLAK) == 0
    return soc


def send(soc: Soc, identifier: int, data: bytes = b"", box: int = 0, *, can: str = "CAN1",
         extended: bool = False, remote: bool = False) -> None:  # fmt: skip
    padded = data.ljust(8, b"\0")
    soc.write(can, f"TDT{box}R", len(data))
    soc.write(can, f"TDL{box}R", int.from_bytes(padded[:4], "little"))
    soc.write(can, f"TDH{box}R", int.from_bytes(padded[4:], "little"))
    head = identifier << 3 | 4 if extended else identifier << 21
    soc.write(can, f"TI{box}R", head | remote << 1 | 1)


def received(soc: Soc, fifo: int = 0, can: str = "CAN1") -> list[tuple[int, bytes]]:
    """Takes what a FIFO holds."""
    made = []
    while soc.read(can, f"RF{fifo}R") & 3:
        head, size = soc.read(can, f"RI{fifo}R"), soc.read(can, f"RDT{fifo}R") & 15
        data = b"".join(
            soc.read(can, f"{name}{fifo}R").to_bytes(4, "little") for name in ("RDL", "RDH")
        )
        made.append((head >> 3 if head & 4 else head >> 21, data[:size]))
        soc.write(can, f"RF{fifo}R", 1 << 5)
    return made


def told(soc: Soc) -> list[str]:
    return [
        e.code
        for e in soc.recorder.events
        if isinstance(e, Hazard) and e.code not in ("reserved-bits", "counted-time")
    ]


# ---------------------------------------------------------------------------- frames


@given(
    identifier=st.integers(0, (1 << 29) - 1), extended=st.booleans(), remote=st.booleans(),
    data=st.binary(max_size=8),
)  # fmt: skip
def test_a_frame_can_be_read_from_its_bits(
    identifier: int, extended: bool, remote: bool, data: bytes
) -> None:
    frame = Frame(identifier if extended else identifier & 0x7FF, extended, remote, len(data), data)
    bits = list(stuffed(frame))
    run = max(
        len(piece) for level in "01" for piece in "".join(map(str, bits)).split("10"[int(level)])
    )
    assert run <= 5
    plain: list[int] = []
    count, last = 0, None
    for bit in bits:
        if count == 5:
            assert bit != last
            count, last = 1, bit
            continue
        count = count + 1 if bit == last else 1
        last = bit
        plain.append(bit)
    assert plain == frame.plain()
    assert crc15(plain) == 0  # of a frame with its CRC


def test_the_crc_is_that_of_a_known_frame() -> None:
    """Identifier 0x014, DLC 8, data 01 02 ... 08: its CRC by long division over x^15 + 0x4599."""
    frame = Frame(0x14, extended=False, remote=False, dlc=8, data=bytes(range(1, 9)))
    body = frame.plain()[:-15]
    rest = int("".join(map(str, body)), 2) << 15
    for at in range(rest.bit_length() - 16, -1, -1):
        if rest >> (at + 15) & 1:
            rest ^= 0xC599 << at
    assert rest == crc15(body)


# ---------------------------------------------------------------------------- modes


def test_after_reset_it_sleeps_and_the_registers_are_as_the_manual_says() -> None:
    soc = fresh()
    assert soc.read("CAN1", "MCR") == 0x0001_0002
    assert soc.read("CAN1", "MSR") & ~0x800 == 0x402
    assert soc.read("CAN1", "TSR") == 0x1C00_0000
    assert soc.read("CAN1", "BTR") == 0x0123_0000


def test_initialisation_is_left_after_eleven_recessive_bits() -> None:
    soc = fresh()
    enter(soc)
    wait(soc, 11 * BIT - 1)
    assert soc.read("CAN1", "MSR") & INAK
    wait(soc, 1)
    assert not soc.read("CAN1", "MSR") & INAK


def test_inrq_goes_before_sleep() -> None:
    """ST's HAL sets INRQ while SLEEP is still 1, and waits for INAK."""
    soc = fresh()
    soc.write("CAN1", "MCR", 1 << 16 | INRQ | SLEEP)
    assert soc.read("CAN1", "MSR") & (INAK | SLAK) == INAK
    soc.write("CAN1", "MCR", 1 << 16 | SLEEP)
    assert soc.read("CAN1", "MSR") & (INAK | SLAK) == SLAK


def test_sleep_may_be_left_on_the_way_to_initialisation() -> None:
    """As ST's libraries do: nothing is configured yet, so nothing is amiss."""
    soc = fresh()
    soc.write("CAN1", "MCR", 1 << 16)
    soc.write("CAN1", "MCR", 1 << 16 | INRQ)
    assert soc.read("CAN1", "MSR") & (INAK | SLAK) == INAK
    assert told(soc) == []


@pytest.mark.parametrize("pin", ["", "floats", "low"])
def test_without_a_bus_initialisation_is_never_left(pin: str) -> None:
    soc = fresh()
    if pin:
        soc.write("GPIOD", "AFRL", 9)
        soc.write("GPIOD", "MODER", 2)
        soc.write("GPIOD", "PUPDR", 2 if pin == "low" else 0)
    enter(soc, btr=BTR)
    wait(soc, 10**10)
    assert soc.read("CAN1", "MSR") & INAK
    assert told(soc) == ["can-no-bus"]


def test_a_bus_that_comes_later_is_joined() -> None:
    soc = fresh()
    enter(soc, btr=BTR)
    wait(soc, 100 * BIT)
    soc.write("GPIOD", "PUPDR", 1)
    soc.write("GPIOD", "AFRL", 9)
    soc.write("GPIOD", "MODER", 2)
    wait(soc, 11 * BIT)
    assert not soc.read("CAN1", "MSR") & INAK


def test_bit_timing_is_written_in_initialisation_only() -> None:
    soc = looped()
    soc.write("CAN1", "BTR", 0)
    assert soc.read("CAN1", "BTR") == BTR | LBKM | SILM
    assert told(soc) == ["can-locked"]


def test_sleep_is_acknowledged_and_told() -> None:
    soc = looped()
    heard = Requests(soc)
    soc.write("CAN1", "IER", 1 << 17)
    soc.write("CAN1", "MCR", 1 << 16 | SLEEP)
    assert soc.read("CAN1", "MSR") & 0x1F == SLAK | 1 << 4
    assert heard.changes[-1][1:] == (22, True)
    soc.write("CAN1", "MSR", 1 << 4)
    assert heard.changes[-1][1:] == (22, False)


def test_a_master_reset_puts_it_to_sleep() -> None:
    soc = looped()
    send(soc, 1)
    soc.write("CAN1", "MCR", 1 << 15)
    assert soc.read("CAN1", "MCR") == 0x0001_0002
    assert soc.read("CAN1", "MSR") & (INAK | SLAK) == SLAK
    assert soc.read("CAN1", "TSR") == 0x1C00_0000


# ---------------------------------------------------------------------------- self-test


@pytest.mark.parametrize("extended", [False, True])
def test_loop_back_hears_what_it_sends(extended: bool) -> None:
    soc = looped()
    identifier = 0x1234_5678 & 0x1FFF_FFFF if extended else 0x321
    send(soc, identifier, b"\1\2\3\4\5", extended=extended)
    assert soc.read("CAN1", "TSR") & TME == 6 << 26
    wait(soc, 200 * BIT)
    assert soc.read("CAN1", "TSR") == TME | 3  # RQCP0, TXOK0
    assert received(soc) == [(identifier, b"\1\2\3\4\5")]
    soc.write("CAN1", "TSR", 1)
    assert soc.read("CAN1", "TSR") == TME
    assert told(soc) == []


def test_a_frame_takes_its_bits() -> None:
    soc = looped()
    start = soc.now_ps
    send(soc, 0x555)
    frame = Frame(0x555, extended=False, remote=False, dlc=0, data=b"")
    end = start + (len(stuffed(frame)) + 3 + 7) * BIT
    soc.run_until(end - BIT - 1)
    assert not soc.read("CAN1", "RF0R") & 3
    soc.run_until(end - BIT)
    assert soc.read("CAN1", "RF0R") & 3 == 1
    soc.run_until(end - 1)
    assert not soc.read("CAN1", "TSR") & 1
    soc.run_until(end)
    assert soc.read("CAN1", "TSR") & 3 == 3


def test_loop_back_shows_its_frames_on_the_pin_and_silence_does_not() -> None:
    for silent, edges in ((0, True), (SILM, False)):
        soc = looped(btr=BTR | LBKM | silent)
        soc.write("GPIOD", "AFRL", 9 << 4)
        soc.write("GPIOD", "MODER", 2 << 2)
        seen: list[int | None] = []
        soc.fabric.pads["PD1"].listen(lambda _t, level, into=seen: into.append(level))
        send(soc, 0x555)
        wait(soc, 200 * BIT)
        assert bool(seen) is edges
        assert received(soc) == [(0x555, b"")]


@pytest.mark.parametrize(("mcr", "order"), [(0, [3, 7, 9]), (TXFP, [9, 3, 7])])
def test_mailboxes_go_by_identifier_or_by_request(mcr: int, order: list[int]) -> None:
    soc = looped(mcr=mcr)
    send(soc, 0x100)  # on its way while the others are asked for
    wait(soc, BIT)
    send(soc, 9, box=1)
    wait(soc, 70 * BIT)  # the first is over, the second under way
    got = received(soc)
    assert [one for one, _ in got] == [0x100]
    soc = looped(mcr=mcr)
    soc.write("CAN1", "MCR", 1 << 16 | mcr | INRQ)
    for box, identifier in ((0, 9), (1, 3), (2, 7)):
        send(soc, identifier, box=box)
    tsr = soc.read("CAN1", "TSR")
    assert tsr >> 24 & 3 == 0  # CODE: the mailbox of lowest priority
    assert tsr >> 29 == 1  # LOW0
    soc.write("CAN1", "MCR", 1 << 16 | mcr)
    wait(soc, 500 * BIT)
    assert [one for one, _ in received(soc)] == order


def test_of_equal_identifiers_the_lower_mailbox_goes_first() -> None:
    soc = looped()
    soc.write("CAN1", "MCR", 1 << 16 | INRQ)
    for box in (2, 1, 0):
        send(soc, 5, bytes([box]), box=box)
    soc.write("CAN1", "MCR", 1 << 16)
    wait(soc, 500 * BIT)
    assert [data for _, data in received(soc)] == [b"\0", b"\1", b"\2"]


def test_a_mailbox_that_is_pending_is_write_protected() -> None:
    soc = looped()
    send(soc, 5, b"a")
    soc.write("CAN1", "TDL0R", 0)
    wait(soc, 200 * BIT)
    assert received(soc) == [(5, b"a")]
    assert told(soc) == ["can-mailbox"]


def test_abort_empties_what_waits_and_lets_go_on_what_is_sent() -> None:
    soc = looped()
    send(soc, 1)
    send(soc, 2, box=1)
    wait(soc, 5 * BIT)
    soc.write("CAN1", "TSR", 1 << 7 | 1 << 15)
    assert soc.read("CAN1", "TSR") & 0xFFFF == 1 << 8 | 1 << 7  # RQCP1 alone; ABRQ0 waits
    wait(soc, 200 * BIT)
    assert soc.read("CAN1", "TSR") & 0xFFFF == 1 << 8 | 3
    assert [one for one, _ in received(soc)] == [1]


def test_time_stamps_count_bits_and_go_into_the_data() -> None:
    soc = looped(mcr=TTCM)
    wait(soc, 1000 * BIT)
    soc.write("CAN1", "TDT0R", 8 | 1 << 8)
    soc.write("CAN1", "TI0R", 5 << 21 | 1)
    wait(soc, 300 * BIT)
    assert soc.read("CAN1", "TDT0R") >> 16 == 1000
    assert soc.read("CAN1", "RDT0R") >> 16 == 1000
    assert soc.read("CAN1", "RDH0R") >> 16 == 1000  # DATA6, DATA7


# ---------------------------------------------------------------------------- receive FIFOs


@pytest.mark.parametrize(("mcr", "kept"), [(0, [0, 1, 4]), (RFLM, [0, 1, 2])])
def test_a_full_fifo_overruns(mcr: int, kept: list[int]) -> None:
    soc = looped(mcr=mcr)
    heard = Requests(soc)
    soc.write("CAN1", "IER", 1 << 2 | 1 << 3)  # full, overrun
    for n in range(5):
        send(soc, n)
        wait(soc, 200 * BIT)
        soc.write("CAN1", "TSR", 1)
    assert soc.read("CAN1", "RF0R") == 3 | 1 << 3 | 1 << 4
    assert heard.changes[-1][1:] == (20, True)
    soc.write("CAN1", "RF0R", 1 << 3 | 1 << 4)
    assert heard.changes[-1][1:] == (20, False)
    assert [one for one, _ in received(soc)] == kept
    assert set(told(soc)) == {"can-overrun"}


def test_interrupts_follow_the_flags() -> None:
    soc = looped()
    heard = Requests(soc)
    soc.write("CAN1", "IER", 1 | 1 << 1)
    send(soc, 1)
    wait(soc, 200 * BIT)
    assert [(irq, level) for _, irq, level in heard.changes] == [(20, True), (19, True)]
    soc.write("CAN1", "TSR", 1)
    received(soc)
    assert [(irq, level) for _, irq, level in heard.changes[2:]] == [(19, False), (20, False)]


# ---------------------------------------------------------------------------- filters


def bank(soc: Soc, number: int, one: int, two: int, *, listed: bool = False, wide: bool = True,
         fifo: int = 0) -> None:  # fmt: skip
    soc.write("CAN1", "FMR", soc.read("CAN1", "FMR") | 1)
    for name, bit in (("FM1R", listed), ("FS1R", wide), ("FFA1R", fifo), ("FA1R", 1)):
        soc.write("CAN1", name, soc.read("CAN1", name) & ~(1 << number) | bit << number)
    soc.write("CAN1", f"F{number}R1", one)
    soc.write("CAN1", f"F{number}R2", two)
    soc.write("CAN1", "FMR", soc.read("CAN1", "FMR") & ~1)


def filtered() -> Soc:
    soc = looped()
    soc.write("CAN1", "FMR", 0x2A1C_0E01)
    soc.write("CAN1", "FA1R", 0)
    soc.write("CAN1", "FMR", 0x2A1C_0E00)
    return soc


def index_of(soc: Soc, identifier: int, **how: bool) -> tuple[int, int] | None:
    """Which FIFO a frame came into, and by which filter."""
    send(soc, identifier, **how)
    wait(soc, 300 * BIT)
    soc.write("CAN1", "TSR", 1)
    for fifo in (0, 1):
        if soc.read("CAN1", f"RF{fifo}R") & 3:
            found = soc.read("CAN1", f"RDT{fifo}R") >> 8 & 0xFF
            soc.write("CAN1", f"RF{fifo}R", 1 << 5)
            return fifo, found
    return None


def test_without_a_filter_nothing_is_received() -> None:
    assert index_of(filtered(), 5) is None


def test_a_mask_of_32_bits() -> None:
    soc = filtered()
    bank(soc, 0, 0x120 << 21, 0x7F0 << 21 | 4 | 2)
    assert index_of(soc, 0x12A) == (0, 0)
    assert index_of(soc, 0x13A) is None
    assert index_of(soc, 0x12A, remote=True) is None
    assert index_of(soc, 0x12A << 18, extended=True) is None


def test_a_list_of_32_bits_tells_its_two_apart() -> None:
    soc = filtered()
    bank(soc, 3, 7 << 21, 0x1ABC_DEF0 << 3 | 4, listed=True, fifo=1)
    assert index_of(soc, 7) == (1, 0)
    assert index_of(soc, 0x1ABC_DEF0, extended=True) == (1, 1)
    assert index_of(soc, 8) is None


def test_a_list_of_16_bits_holds_four() -> None:
    soc = filtered()
    bank(soc, 0, 1 << 5 | 2 << 21, 3 << 5 | (4 << 5 | 1 << 4) << 16, listed=True, wide=False)
    assert [index_of(soc, n) for n in (1, 2, 3)] == [(0, 0), (0, 1), (0, 2)]
    assert index_of(soc, 4) is None
    assert index_of(soc, 4, remote=True) == (0, 3)


def test_masks_of_16_bits_see_the_top_of_a_long_identifier() -> None:
    soc = filtered()
    bank(soc, 0, 0x555 << 5 | 1 << 3 | 5 | 0xFFEF << 16, 0, wide=False)
    assert index_of(soc, 0x555 << 18 | 5 << 15 | 0x7ABC, extended=True) == (0, 0)
    assert index_of(soc, 0x555 << 18 | 4 << 15, extended=True) == (0, 1)  # the second lets all pass


def test_priorities_of_filters_and_their_numbers() -> None:
    """32 bits before 16, list before mask, then the number; inactive banks count. §32.7.4."""
    soc = filtered()
    bank(soc, 0, 0, 0, wide=False)  # numbers 0, 1: two masks, all pass
    bank(soc, 1, 9 << 21, 9 << 21, listed=True)  # 2, 3
    bank(soc, 2, 0, 0)  # 4: all pass
    bank(soc, 3, 9 << 21, 0x7FF << 21)  # 5
    assert index_of(soc, 9) == (0, 2)
    assert index_of(soc, 8) == (0, 4)
    soc.write("CAN1", "FA1R", 0b1001)
    assert index_of(soc, 9) == (0, 5)
    assert index_of(soc, 8) == (0, 0)


def test_filters_in_use_are_locked() -> None:
    soc = looped()
    soc.write("CAN1", "F0R1", 5)
    soc.write("CAN1", "FM1R", 1)
    assert (soc.read("CAN1", "F0R1"), soc.read("CAN1", "FM1R")) == (0, 0)
    assert told(soc) == ["can-filter-locked", "can-filter-locked"]
    soc.write("CAN1", "F5R1", 5)  # of an inactive bank
    assert soc.read("CAN1", "F5R1") == 5


# ---------------------------------------------------------------------------- on a wire


def wired(*, mcr: int = 0, second: bool = True, silent: bool = False) -> Soc:
    """CAN1 on PD0, PD1 and CAN2 on PB12, PB13: open drains and one pull-up, a bus of one wire."""
    soc = fresh()
    join_can(soc)
    accept_all(soc, (0, 14))
    enter(soc, mcr=mcr, btr=BTR)
    if second:
        enter(soc, "CAN2", mcr=mcr, btr=BTR | (SILM if silent else 0))
    wait(soc, 20 * BIT)
    assert not soc.read("CAN1", "MSR") & INAK
    return soc


def test_two_controllers_talk() -> None:
    soc = wired()
    send(soc, 0x123, b"hello")
    wait(soc, 300 * BIT)
    assert soc.read("CAN1", "TSR") & 0xF == 3
    assert received(soc, can="CAN2") == [(0x123, b"hello")]
    assert received(soc) == []
    send(soc, 0x456, b"yes", can="CAN2")
    wait(soc, 300 * BIT)
    assert received(soc) == [(0x456, b"yes")]
    assert told(soc) == []
    assert not [e for e in soc.recorder.events if isinstance(e, Gap)]


def test_the_lower_identifier_wins_and_the_other_follows() -> None:
    soc = wired()
    send(soc, 0x300)
    wait(soc, 5 * BIT)  # under way: the two that wait arbitrate after it
    send(soc, 0x200, box=1)
    send(soc, 0x100, can="CAN2")
    wait(soc, 400 * BIT)
    assert [one for one, _ in received(soc, can="CAN2")] == [0x300, 0x200]
    assert [one for one, _ in received(soc)] == [0x100]
    assert soc.read("CAN1", "TSR") >> 8 & 0xF == 0b111  # RQCP1, TXOK1, and ALST1 of the first try
    assert soc.read("CAN2", "TSR") & 0xF == 3


def test_alone_a_sender_becomes_error_passive_and_never_goes_off() -> None:
    soc = wired(second=False)
    send(soc, 1)
    wait(soc, 100 * BIT)
    assert soc.read("CAN1", "ESR") == 8 << 16 | 3 << 4  # TEC 8, LEC: acknowledgement
    wait(soc, 10**11)
    assert soc.read("CAN1", "ESR") == 128 << 16 | 3 << 4 | 3
    assert soc.read("CAN1", "TSR") & 0xF == 8  # TERR0, still pending
    assert told(soc) == ["can-alone"]


def test_a_passive_sender_waits_before_it_tries_again() -> None:
    """An error flag, its delimiter and the intermission; passive: 8 bits more (ISO 11898-1)."""
    soc = wired(second=False)
    edges: list[tuple[int, int | None]] = []
    soc.fabric.output("CAN1_TX").listen(lambda t, level: edges.append((t, level)))
    send(soc, 0x555)
    wait(soc, 2500 * BIT)
    frame = Frame(0x555, extended=False, remote=False, dlc=0, data=b"")
    starts = [edges[0][0]]
    for (before, _), (at, level) in pairwise(edges):
        if level == 0 and at - before > 10 * BIT:
            starts.append(at)
    apart = [(after - before) // BIT for before, after in pairwise(starts)]
    again = len(stuffed(frame)) + 2 + 6 + 8 + 3
    assert apart[:15] == [again] * 15
    assert set(apart[16:]) == {again + 8}


def test_a_silent_listener_acknowledges_nothing() -> None:
    soc = wired(silent=True, mcr=NART)
    send(soc, 1)
    wait(soc, 300 * BIT)
    assert soc.read("CAN1", "TSR") & 0xF == 9  # RQCP0, TERR0
    assert received(soc, can="CAN2") == []


def unheard(mcr: int = 0) -> Soc:
    """CAN1 whose receiver is pulled up and hears nothing of what it sends."""
    soc = fresh()
    soc.write("GPIOD", "PUPDR", 1)
    soc.write("GPIOD", "AFRL", 0x99)
    soc.write("GPIOD", "MODER", 0xA)
    enter(soc, mcr=mcr, btr=BTR)
    wait(soc, 20 * BIT)
    soc.write("CAN1", "IER", 1 << 15 | 1 << 10)  # bus-off
    return soc


@pytest.mark.parametrize("automatic", [False, True])
def test_who_does_not_hear_itself_goes_off_the_bus(automatic: bool) -> None:
    soc = unheard(ABOM if automatic else 0)
    heard = Requests(soc)
    send(soc, 1)
    while not soc.read("CAN1", "ESR") & 4:
        wait(soc, 10 * BIT)
    assert soc.read("CAN1", "ESR") & 0x77 == 7 | 5 << 4
    assert heard.changes[-1][1:] == (22, True)
    assert told(soc) == ["can-no-bus"]
    soc.write("CAN1", "TSR", 1 << 7)
    if not automatic:
        wait(soc, 10**10)
        assert soc.read("CAN1", "ESR") & 4
        soc.write("CAN1", "MCR", 1 << 16 | INRQ)
        soc.write("CAN1", "MCR", 1 << 16)
    wait(soc, 129 * 11 * BIT)
    assert not soc.read("CAN1", "ESR") & 7
    assert soc.read("CAN1", "TSR") & 0xF == 1 | 8  # given up


def test_the_bus_wakes_a_sleeper() -> None:
    soc = wired(mcr=AWUM)
    soc.write("CAN2", "MCR", 1 << 16 | AWUM | SLEEP)
    assert soc.read("CAN2", "MSR") & SLAK
    soc.write("CAN1", "MCR", 1 << 16 | NART)
    send(soc, 1)
    wait(soc, 300 * BIT)
    assert soc.read("CAN2", "MSR") & (SLAK | 8) == 8  # WKUI
    send(soc, 2)
    wait(soc, 300 * BIT)
    assert received(soc, can="CAN2") == [(2, b"")]


def test_unlike_bit_rates_are_told() -> None:
    soc = wired(second=False, mcr=NART)
    enter(soc, "CAN2", btr=BTR & ~1 | 3)
    wait(soc, 50 * BIT)
    send(soc, 1)
    wait(soc, 300 * BIT)
    assert "can-bit-rate" in told(soc)
    assert soc.read("CAN1", "TSR") & 0xF == 9


def test_what_somebody_else_puts_on_the_bus_is_a_gap() -> None:
    soc = wired()
    soc.fabric.pads["PD0"].drive_outside(soc.now_ps, "somebody", 0)
    assert [e.peripheral for e in soc.recorder.events if isinstance(e, Gap)] == ["CAN1", "CAN2"]


def test_the_filters_of_can2_are_can1s() -> None:
    soc = fresh()
    soc.write("CAN2", "FMR", 0x2A1C_0E00)
    assert [e.register for e in soc.recorder.events if isinstance(e, Gap)] == ["FMR"]
