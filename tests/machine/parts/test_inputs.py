"""Parts that sense something: keypad, encoder, sonar, DHT22, DS18B20, serial device."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fwgen.contract import Press, Turn
from fwgen.machine.parts.dht22 import frame
from fwgen.machine.parts.ds18b20 import crc8
from tests.machine.parts.bench import MS, US, Alone, S, Sense

# ------------------------------------------------------------------ keypad

COLUMNS = enumerate((0, 1, 2, 12), 1)
KEYS = "kind='keypad'\n" + "\n".join(
    [f"r{i + 1}='PC{i}'" for i in range(4)] + [f"c{i}='PB{p}'" for i, p in COLUMNS]
)  # fmt: skip
RELEASED = {f"{side}{i}": None for side in "rc" for i in range(1, 5)}


def scan(pad: Alone) -> set[str]:
    """Drive one row low at a time, the others open, and read the columns."""
    found = set()
    for row, keys in enumerate(("123A", "456B", "789C", "*0#D"), 1):
        pad.put(**RELEASED).put(**{f"r{row}": 0}).wait(10 * US)
        found |= {key for column, key in enumerate(keys, 1) if pad.level(f"c{column}") == 0}
    pad.put(**RELEASED).wait(10 * US)
    return found


@pytest.mark.parametrize("key", "123A456B789C*0#D")
def test_a_scan_finds_the_key_that_is_pressed(key: str) -> None:
    pad = Alone(KEYS)
    assert scan(pad) == set()
    pad.do(Press(f"X.{key}", 0, 10 * MS)).wait(MS)
    assert scan(pad) == {key}
    pad.wait(20 * MS)
    assert scan(pad) == set()


def test_three_corners_press_the_fourth() -> None:
    pad = Alone(KEYS)
    for key in "124":
        pad.do(Press(f"X.{key}", 0, None))
    pad.wait(MS)
    assert scan(pad) == {"1", "2", "4", "5"}


def test_outputs_that_meet_in_a_key_fight() -> None:
    pad = Alone(KEYS).put(**RELEASED).put(r1=0, c1=1)
    pad.do(Press("X.1", 0, None)).wait(MS)
    assert "output-fight" in pad.hazards()


# ------------------------------------------------------------------ encoder


def decode(moves: list[tuple[int, int]]) -> int:
    """Count full steps as a table does."""
    table = {(0b11, 0b01): 1, (0b01, 0b00): 1, (0b00, 0b10): 1, (0b10, 0b11): 1}
    total, state = 0, 0b11
    for a, b in moves:
        new = a << 1 | b
        total += table.get((state, new), 0) - table.get((new, state), 0)
        state = new
    return total // 4 if total >= 0 else -(-total // 4)


@given(steps=st.integers(-5, 5).filter(bool), bounce=st.sampled_from([0, 2 * MS]))
def test_an_encoder_turns_as_far_as_it_is_turned(steps: int, bounce: int) -> None:
    knob = Alone("kind='encoder'\na='PC0'\nb='PC1'").put(a=None, b=None)
    knob.do(Turn("X", 0, steps, bounce_ps=bounce))
    moves = []
    for _ in range(abs(steps) * 200 + 50):
        knob.wait(MS // 10)
        moves.append((knob.level("a"), knob.level("b")))
    assert decode(moves) == steps


def test_an_encoder_is_pressed() -> None:
    knob = Alone("kind='encoder'\na='PC0'\nb='PC1'\nsw='PC2'").put(sw=None)
    knob.do(Press("X.button", MS, MS)).wait(MS + US)
    assert knob.level("sw") == 0
    assert knob.wait(2 * MS).level("sw") == 1


# ------------------------------------------------------------------ sonar

SONAR = "kind='hc-sr04'\ntrig='PC0'\necho='PC1'"


@given(st.integers(2, 400))
def test_an_echo_is_58_us_for_each_centimetre(cm: int) -> None:
    sonar = Alone(f"{SONAR}\ndistance='{cm} cm'").put(trig=0).wait(MS)
    sonar.pulse("trig", 10 * US, 50 * MS)
    (rise, _), (fall, _) = sonar.edges("echo")
    assert fall - rise == cm * 58 * US
    assert not sonar.hazards()


def test_no_echo_comes_from_beyond_four_metres() -> None:
    sonar = Alone(f"{SONAR}\ndistance='5 m'").put(trig=0).wait(MS)
    sonar.pulse("trig", 10 * US, 50 * MS)
    (rise, _), (fall, _) = sonar.edges("echo")
    assert fall - rise == 38 * MS


def test_a_distance_moves_along_its_ramp() -> None:
    sonar = Alone(SONAR).put(trig=0).wait(MS)
    sonar.do(Sense("X.distance", 0, 100_000, 300_000, S)).wait(S // 2)
    sonar.pulse("trig", 10 * US, 50 * MS)
    (rise, _), (fall, _) = sonar.edges("echo")
    assert abs((fall - rise) // (58 * US) - 20) <= 1


@pytest.mark.parametrize(
    ("pulses", "codes"),
    [([(9, 70)], ["sonar-trigger"]), ([(10, 59), (10, 70)], ["sonar-too-soon"]),
     ([(10, 61), (10, 70)], [])],
)  # fmt: skip
def test_a_sonar_tells_of_bad_triggers(pulses: list[tuple[int, int]], codes: list[str]) -> None:
    sonar = Alone(SONAR).put(trig=0).wait(MS)
    for high, low in pulses:
        sonar.pulse("trig", high * US, low * MS)
    assert sonar.hazards() == codes


# ------------------------------------------------------------------ DHT22

DHT = "kind='dht22'\ndata='PC0'"


def ask(sensor: Alone, low: int = MS) -> bytes | None:
    """As a host: start, then measure how long the line is high."""
    since = len(sensor.edges("data"))
    sensor.put(data=0).wait(low).put(data=None).wait(10 * MS)
    edges = [t for t, level in sensor.edges("data")[since + 2 :]]
    if len(edges) < 84:
        return None
    highs = [b - a for a, b in zip(edges[3::2], edges[4::2], strict=False)][:40]
    bits = "".join("1" if high > 48 * US else "0" for high in highs)
    return int(bits, 2).to_bytes(5, "big")


@given(
    warm=st.integers(-400, 800).map(lambda t: t * 100),
    wet=st.integers(0, 1000).map(lambda h: h * 1000),
)  # fmt: skip
def test_a_dht22_answers_with_what_it_senses(warm: int, wet: int) -> None:
    sensor = Alone(DHT).put(data=None).wait(2 * S)
    sensor.do(Sense("X.temperature", 0, warm, warm)).do(Sense("X.humidity", 0, wet, wet)).wait(MS)
    data = ask(sensor)
    assert data is not None
    assert sum(data[:4]) & 0xFF == data[4]
    assert int.from_bytes(data[:2], "big") == wet // 1000
    raw = int.from_bytes(data[2:4], "big")
    assert (raw & 0x7FFF) * (-1 if raw & 0x8000 else 1) == warm // 100
    assert not sensor.hazards()


def test_a_frame_of_the_manual() -> None:
    # The manual's own example: 65.2 %, 35.1 °C.
    assert frame(652_000, 35_100).hex(" ") == "02 8c 01 5f ee"


def test_a_dht22_does_not_answer_too_soon() -> None:
    sensor = Alone(DHT).put(data=None).wait(S // 2)
    assert ask(sensor) is None
    sensor.wait(S)
    assert ask(sensor) is not None
    sensor.wait(S)
    assert ask(sensor) is None
    assert sensor.hazards() == ["dht-too-soon"]  # both from one place: told once


def test_a_start_that_is_too_short_is_no_start() -> None:
    sensor = Alone(DHT).put(data=None).wait(2 * S)
    assert ask(sensor, 700 * US) is None
    assert sensor.hazards() == ["dht-start"]


# ------------------------------------------------------------------ DS18B20

ONE = "kind='ds18b20'\ndata='PC0'"


def reset(bus: Alone) -> bool:
    bus.put(data=0).wait(500 * US).put(data=None).wait(70 * US)
    present = bus.level("data") == 0
    bus.wait(430 * US)
    return present


def write(bus: Alone, *data: int) -> None:
    for byte in data:
        for n in range(8):
            bit(bus, byte >> n & 1)


def bit(bus: Alone, value: int) -> None:
    low = 6 * US if value else 65 * US
    bus.put(data=0).wait(low).put(data=None).wait(75 * US - low)


def sample(bus: Alone) -> int:
    bus.put(data=0).wait(3 * US).put(data=None).wait(9 * US)
    level = bus.level("data")
    bus.wait(63 * US)
    return level


def read(bus: Alone, count: int) -> bytes:
    return bytes(sum(sample(bus) << n for n in range(8)) for _ in range(count))


@given(st.integers(-55 * 16, 125 * 16), st.integers(-30, 30))
def test_a_ds18b20_converts_to_the_nearest_sixteenth(raw: int, beside: int) -> None:
    millidegrees = round(raw * 62.5) + beside
    bus = Alone(ONE).put(data=None).wait(MS)
    bus.do(Sense("X.temperature", 0, millidegrees, millidegrees)).wait(MS)
    assert reset(bus)
    write(bus, 0xCC, 0x44)
    bus.wait(750 * MS)
    assert reset(bus)
    write(bus, 0xCC, 0xBE)
    pad = read(bus, 9)
    assert int.from_bytes(pad[:2], "little", signed=True) == raw
    assert crc8(pad) == 0
    assert not bus.hazards()


def test_85_degrees_stand_there_until_something_was_converted() -> None:
    bus = Alone(ONE).put(data=None).wait(MS)
    reset(bus)
    write(bus, 0xCC, 0x44)
    bus.wait(700 * MS)
    reset(bus)
    write(bus, 0xCC, 0xBE)
    assert read(bus, 2) == bytes([0x50, 0x05])


def test_a_conversion_of_9_bits_takes_an_eighth_of_the_time() -> None:
    bus = Alone(f"{ONE}\ntemperature='20.9 °C'").put(data=None).wait(MS)
    reset(bus)
    write(bus, 0xCC, 0x4E, 0, 0, 0x1F)
    reset(bus)
    write(bus, 0xCC, 0x44)
    bus.wait(92 * MS)
    assert sample(bus) == 0
    bus.wait(2 * MS)
    assert sample(bus) == 1
    reset(bus)
    write(bus, 0xCC, 0xBE)
    assert read(bus, 2) == (20 * 16 + 8).to_bytes(2, "little")


def test_a_rom_code_is_read_and_matched() -> None:
    bus = Alone(f"{ONE}\nserial=4711").put(data=None).wait(MS)
    reset(bus)
    write(bus, 0x33)
    code = read(bus, 8)
    assert code[0] == 0x28
    assert int.from_bytes(code[1:7], "little") == 4711
    assert crc8(code) == 0
    for wanted, answer in ((code, 0x50), (bytes([code[0] ^ 1]) + code[1:], 0xFF)):
        reset(bus)
        write(bus, 0x55, *wanted)
        write(bus, 0xBE)
        assert read(bus, 1)[0] == answer


def test_a_search_finds_the_code() -> None:
    bus = Alone(f"{ONE}\nserial=99").put(data=None).wait(MS)
    reset(bus)
    write(bus, 0xF0)
    found = 0
    for n in range(64):
        one, other = sample(bus), sample(bus)
        assert one != other
        found |= one << n
        bit(bus, one)
    assert found.to_bytes(8, "little") == bus.model.rom


def test_the_crc_of_the_maxim_note() -> None:
    # Application note 27: the CRC of this ROM code is 0xA2.
    assert crc8(bytes.fromhex("02 1c b8 01 00 00 00")) == 0xA2


@pytest.mark.parametrize(("low", "code"), [(35, "onewire-slot"), (200, "onewire-slot")])
def test_a_slot_that_is_neither_is_told(low: int, code: str) -> None:
    bus = Alone(ONE).put(data=None).wait(MS)
    reset(bus)
    bus.put(data=0).wait(low * US).put(data=None).wait(100 * US)
    assert bus.hazards() == [code]


def test_slots_that_follow_too_soon_are_told() -> None:
    bus = Alone(ONE).put(data=None).wait(MS)
    reset(bus)
    for _ in range(2):
        bus.put(data=0).wait(6 * US).put(data=None).wait(40 * US)
    assert bus.hazards() == ["onewire-slot"]


# ------------------------------------------------------------------ serial device

METER = "kind='serial-device'\ntx='PC0'\nrx='PC1'\nbaud=9600\nscript='''\nAT -> OK\n -> READY\n'''"


def say(device: Alone, text: bytes, baud: int = 9600) -> None:
    for byte in text:
        for n in range(10):
            device.put(rx=(byte << 1 | 0x200) >> n & 1).wait(S // baud)


def heard(device: Alone) -> bytes:
    """Decode what it says."""
    edges, out, at = device.edges("tx"), b"", 0

    def level_at(t: int) -> int:
        return next((level for since, level in reversed(edges) if since <= t), 1)

    bit_ps = S // 9600
    while start := next((t for t, lv in edges if t >= at and lv == 0), None):
        bits = [level_at(start + n * bit_ps + bit_ps // 2) for n in range(10)]
        out += bytes([sum(b << n for n, b in enumerate(bits[1:9]))])
        at = start + 9 * bit_ps
    return out


def test_a_serial_device_answers_by_its_script() -> None:
    device = Alone(METER).put(rx=1).wait(100 * MS)
    assert heard(device) == b"READY\r\n"
    say(device, b"AT\r\n")
    device.wait(50 * MS)
    assert heard(device) == b"READY\r\nOK\r\n"
    assert device.shown("heard") == ["AT"]
    say(device, b"AT+X\r\n")
    device.wait(50 * MS)
    assert heard(device) == b"READY\r\nOK\r\n"
    assert not device.hazards()


@pytest.mark.parametrize(("baud", "fine"), [(9500, True), (9900, False), (9300, False)])
def test_a_serial_device_tells_of_a_rate_that_is_off(baud: int, fine: bool) -> None:
    device = Alone(METER).put(rx=1).wait(100 * MS)
    say(device, b"AT\r\n", baud)
    device.wait(50 * MS)
    assert (not device.hazards()) == fine


def test_noise_keeps_its_value_as_long_as_it_says_and_a_seed_is_another() -> None:
    def drawn(seed: int, every: int) -> list[int]:
        one = Alone(SONAR)
        one.do(Sense("X.distance", 0, 400_000, 400_000, noise=20_000, seed=seed, noise_ps=every))
        one.wait(1)
        return [one.model.sensed("distance", n * MS + 1) for n in range(40)]

    slow = drawn(1, 10 * MS)
    assert [slow[n : n + 10] for n in range(0, 40, 10)] == [[slow[n]] * 10 for n in (0, 10, 20, 30)]
    assert len(set(slow)) > 1
    assert slow == drawn(1, 10 * MS)
    assert slow != drawn(2, 10 * MS)
    assert len(set(drawn(1, 0))) > 20
    assert all(abs(value - 400_000) <= 20_000 for value in slow)
