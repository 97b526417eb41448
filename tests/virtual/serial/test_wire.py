"""The line and its receiver: equal formats understand each other, others garble as wires do."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fwgen.board.frame import PARITIES
from fwgen.trace import SerialByte
from fwgen.units import PS_PER_S
from fwgen.virtual.serial.wire import Framing, Noise, Receiver, Word
from tests.machine.stm32.test_usart import RE, quiet, wired

RATES = (1200, 9600, 19_200, 57_600, 115_200, 230_400, 921_600)

framings = st.builds(
    Framing,
    st.sampled_from(RATES),
    st.integers(5, 8),
    st.sampled_from("NEOMS"),
    st.sampled_from((2, 3, 4)),
)


def hear(sent: Framing, heard: Framing, data: bytes, gap_ps: int = 0) -> list[Word]:
    receiver, start = Receiver(heard), 1000
    for byte in data:
        end = start + sent.frame_ps
        receiver.line.put_frame(start, Fraction(PS_PER_S, sent.baud), end, sent.word(byte))
        start = end + gap_ps
    return receiver.words(start + 3 * heard.frame_ps)


@given(framings, st.binary(max_size=40), st.integers(0, 10**9))
def test_equal_formats_understand_each_other(how: Framing, data: bytes, gap_ps: int) -> None:
    words = hear(how, how, data, gap_ps)
    mask = (1 << how.bits) - 1
    # Zeros with a low parity bit are still no break: the stop bit is high.
    assert bytes(w.byte for w in words) == bytes(b & mask for b in data)
    assert not any(w.error for w in words)


@given(framings, st.binary(min_size=1, max_size=20), st.floats(-0.04, 0.04))
def test_a_rate_that_is_almost_right_is_understood(how: Framing, data: bytes, off: float) -> None:
    sent = Framing(round(how.baud * (1 + off)), how.bits, how.parity, how.stop_halves)
    words = hear(sent, how, data, 2 * how.frame_ps)
    assert bytes(w.byte for w in words) == bytes(b & (1 << how.bits) - 1 for b in data)


@pytest.mark.parametrize(
    ("sent", "heard", "data", "read"),
    [  # worked out by hand on squared paper: low and high runs of bits, sampled at the middles
        (9600, 19_200, b"U", b"\xe6\x66"[::-1]),
        (19_200, 9600, b"\x80", b"\xf8"),
        (19_200, 9600, b"\xfe", b"\xff"),
        (9600, 19_200, b"\xff", b"\xfe"),
    ],
)
def test_half_and_double_rates_garble_as_by_hand(
    sent: int, heard: int, data: bytes, read: bytes
) -> None:
    words = hear(Framing(sent), Framing(heard), data)
    assert bytes(w.byte for w in words) == read


@settings(max_examples=60)
@given(st.sampled_from(RATES), st.binary(min_size=1, max_size=6))
def test_it_reads_garbage_as_the_chips_own_receiver_does(baud: int, data: bytes) -> None:
    soc = wired(RE)  # 115108 baud
    usart = soc.peripherals["USART2"]
    got: list[tuple[int, bool]] = []
    at = soc.now_ps + 10**6
    began = at
    for byte in data:
        at = usart.receive(at, byte, baud * 1000)
    while soc.scheduler.next_ps < 1 << 62:
        soc.run_until(soc.scheduler.next_ps)
        status = soc.read("USART2", "SR")
        if status & 0x20:
            got.append((soc.read("USART2", "DR"), bool(status & 2)))
    receiver = Receiver(Framing(115_108))
    bit = Fraction(PS_PER_S, baud)
    start = began
    for byte in data:
        end = start + int(10 * bit)
        receiver.line.put_frame(start, bit, end, Framing(baud).word(byte))
        start = end
    words = receiver.words(at + 10**11)
    assert [(w.byte, w.error in ("framing", "break")) for w in words] == got


def test_a_break_and_a_missing_stop_bit_differ() -> None:
    receiver = Receiver(Framing(115_200))
    bit = PS_PER_S // 115_200
    receiver.line.put(1000, 0)
    receiver.line.put(1000 + 15 * bit, 1)
    receiver.line.put(1000 + 20 * bit, 0)
    receiver.line.put(1000 + 22 * bit, 1)
    receiver.line.put(1000 + 23 * bit, 0)
    receiver.line.put(1000 + 31 * bit, 1)
    words = receiver.words(10**12)
    assert [(w.byte, w.error) for w in words] == [(0, "break"), (0x02, "framing")]
    assert words[0].start_ps == 1000


def test_parity_is_checked() -> None:
    words = hear(Framing(9600, parity="E"), Framing(9600, parity="O"), b"\x01\x03", 10**9)
    assert [w.error for w in words] == ["parity", "parity"]
    words = hear(Framing(9600, parity="M"), Framing(9600, parity="O"), b"\x01\x03", 10**9)
    assert [w.error for w in words] == ["parity", ""]


def test_a_glitch_shorter_than_half_a_bit_is_no_start() -> None:
    receiver = Receiver(Framing(9600))
    receiver.line.put(1000, 0)
    receiver.line.put(1000 + PS_PER_S // 9600 // 3, 1)
    assert receiver.words(10**12) == []


def test_words_come_when_the_line_is_known_and_not_before() -> None:
    how = Framing(9600)
    receiver = Receiver(how)
    receiver.line.put_frame(0, Fraction(PS_PER_S, 9600), how.frame_ps, how.word(0x55))
    due = receiver.due_ps
    assert due is not None
    assert receiver.words(due - 1) == []
    assert [w.byte for w in receiver.words(due)] == [0x55]
    assert receiver.due_ps is None


@given(st.binary(max_size=30), st.integers(0, 3))
def test_asking_more_often_changes_nothing(data: bytes, seed: int) -> None:
    sent, heard = Framing(115_200), Framing((9600, 57_600, 115_200, 230_400)[seed])
    often = Receiver(heard)
    start, words = 0, []
    for byte in data:
        end = start + sent.frame_ps
        often.line.put_frame(start, Fraction(PS_PER_S, sent.baud), end, sent.word(byte))
        for part in range(5):
            words += often.words(start + (end - start) * part // 5)
        start = end
    words += often.words(start + 3 * heard.frame_ps)
    assert [(w.byte, w.error) for w in words] == [
        (w.byte, w.error) for w in hear(sent, heard, data)
    ]


@given(
    framings,
    st.one_of(st.none(), framings),
    st.floats(-0.06, 0.06),
    st.lists(st.tuples(st.integers(0, 255), st.sampled_from((0, 0, 1, 10**6, 10**8)))),
)
def test_a_word_that_is_told_without_sampling_is_the_sampled_one(heard, sent, off, frames) -> None:
    sent = sent or heard
    baud_mhz = round(sent.baud * 1000 * (1 + off))
    bit = Fraction(PS_PER_S * 1000, baud_mhz)
    quick, plain, start = Receiver(heard), Receiver(heard), 1000
    found: list[list[Word]] = [[], []]
    for byte, gap_ps in frames:
        byte &= (1 << sent.bits) - 1
        levels = sent.word(byte)
        end = start + int((len(levels) + 1) * bit + sent.stop_halves * bit / 2)
        sent_as = sent.bits, sent.parity, sent.stop_halves
        word = quick.clear_word(start, sent_as, baud_mhz, byte)
        if word is None:
            quick.line.put_frame(start, bit, end, levels)
        else:
            found[0].append(word)
        plain.line.put_frame(start, bit, end, levels)
        found[0] += quick.words(end)
        found[1] += plain.words(end)
        start = end + gap_ps
    later = start + 3 * heard.frame_ps
    assert found[0] + quick.words(later) == found[1] + plain.words(later)


def test_a_clear_frame_is_told_without_sampling() -> None:
    receiver = Receiver(Framing(115_200))
    word = receiver.clear_word(10**9, (8, "N", 2), 115_107_914, 0x55)
    assert word is not None
    assert word.byte == 0x55
    assert receiver.line.untouched
    assert receiver.clear_word(2 * 10**9, (8, "E", 2), 115_200_000, 0x55) is None
    assert receiver.clear_word(2 * 10**9, (8, "N", 2), 107_000_000, 0x55) is None


def test_a_new_rate_holds_from_its_moment_on() -> None:
    receiver = Receiver(Framing(9600))
    how = Framing(115_200)
    receiver.retune(how, 10**9)
    bit = Fraction(PS_PER_S, how.baud)
    receiver.line.put_frame(10**8, bit, 10**8 + how.frame_ps, how.word(1))
    receiver.line.put_frame(2 * 10**9, bit, 2 * 10**9 + how.frame_ps, how.word(2))
    assert [w.byte for w in receiver.words(10**12)] == [2]


# ---------------------------------------------------------------------------- noise


def test_noise_is_the_same_for_the_same_seed_and_as_frequent_as_said() -> None:
    noise, other = Noise(7, 50_000), Noise(8, 50_000)
    masks = [noise.flipped("tx", t, 10) for t in range(0, 4_000)]
    assert masks == [Noise(7, 50_000).flipped("tx", t, 10) for t in range(0, 4_000)]
    assert masks != [other.flipped("tx", t, 10) for t in range(0, 4_000)]
    assert masks != [noise.flipped("rx", t, 10) for t in range(0, 4_000)]
    assert 1850 < sum(mask.bit_count() for mask in masks) < 2150  # of 40 000 bits, 5 %


def test_no_noise_flips_nothing() -> None:
    assert Noise(1).flipped("tx", 5, 10) == 0


@given(st.integers(0, 255), st.integers(0, (1 << 11) - 1))
def test_the_chip_hears_flipped_bits_as_a_receiver_would(byte: int, flipped: int) -> None:
    soc = wired(RE)
    at = soc.now_ps + 10**6
    soc.peripherals["USART2"].receive(at, byte, 115_108_000, flipped=flipped)
    words = []
    while soc.scheduler.next_ps < 1 << 62:
        soc.run_until(soc.scheduler.next_ps)
        if soc.read("USART2", "SR") & 0x20:
            words.append(soc.read("USART2", "DR"))
    how = Framing(115_108)
    receiver = Receiver(how)
    bit = Fraction(PS_PER_S, how.baud)
    receiver.line.put_frame(at, bit, at + how.frame_ps, how.word(byte), flipped=flipped)
    assert [w.byte for w in receiver.words(at + 10**12)] == words


@pytest.mark.parametrize("letter", "NEOMS")
def test_the_chip_hears_each_parity_as_it_was_sent(letter: str) -> None:
    soc = wired(RE | 1 << 12)  # nine bits: the ninth is the sender's parity bit
    for byte in (0x00, 0x01, 0xFF, 0xA7):
        how = Framing(115_108, parity=letter)
        usart = soc.peripherals["USART2"]
        usart.receive(soc.now_ps + 10**6, byte, how.baud_mhz, parity=PARITIES[letter])
        quiet(soc)
        ninth = how.word(byte)[8] if letter != "N" else 1  # the stop bit
        assert soc.read("USART2", "DR") == byte | ninth << 8


def test_what_was_sent_can_be_told_in_full() -> None:
    soc = wired(1 << 3 | 1 << 12 | 1 << 10, cr2=2 << 12)  # TE, M, PCE: 8E2
    usart = soc.peripherals["USART2"]
    soc.write("USART2", "DR", 0x41)
    soc.run_until(soc.now_ps + 10**7)
    assert usart.sending_since is not None
    quiet(soc)
    assert usart.sending_since is None
    assert usart.sent_as == (8, "E", 4)
    sent = [e for e in soc.recorder.events if isinstance(e, SerialByte)]
    assert sent[-1].byte == 0x41
