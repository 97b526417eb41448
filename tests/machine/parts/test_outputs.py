"""Parts that show something: RGB LED, servo, motor, 7-segment, 74HC595, WS2812."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fwgen.machine.parts.seven_segment import GLYPHS
from tests.machine.parts.bench import MS, US, Alone

NS = 1000

# ------------------------------------------------------------------ RGB LED


@pytest.mark.parametrize(("common", "on"), [("cathode", 1), ("anode", 0)])
def test_an_rgb_led_has_the_colour_of_its_duties(common: str, on: int) -> None:
    led = Alone(f"kind='rgb-led'\nred='PC0'\ngreen='PC1'\nblue='PC2'\ncommon='{common}'")
    led.put(red=on, green=1 - on, blue=1 - on)
    for _ in range(40):
        led.put(green=on).wait(MS // 4).put(green=1 - on).wait(3 * MS // 4)
    assert led.shown("colour")[-1] == "#ff4000"


def test_a_slow_blink_is_seen_going_on_and_off() -> None:
    led = Alone("kind='rgb-led'\nred='PC0'\ngreen='PC1'\nblue='PC2'")
    led.put(red=0, green=0, blue=0)
    for _ in range(3):
        led.pulse("red", 100 * MS, 100 * MS)
    assert led.shown("colour") == ["#000000", *["#ff0000", "#000000"] * 3]


# ------------------------------------------------------------------ servo


@given(width=st.integers(1000, 2000), travel=st.sampled_from([90, 180, 270]))
def test_a_servo_turns_in_proportion_to_the_pulse(width: int, travel: int) -> None:
    servo = Alone(f"kind='servo'\nsignal='PC0'\ntravel='{travel}°'").put(signal=0)
    for _ in range(3):
        servo.pulse("signal", width * US, (20_000 - width) * US)
    assert servo.shown("angle") == [None, (width - 1000) * travel]
    assert not servo.hazards()


@pytest.mark.parametrize(
    ("width", "period", "code"),
    [(985, 20, "servo-pulse"), (2015, 20, "servo-pulse"), (1500, 10, "servo-rate"),
     (1500, 23, "servo-rate")],
)  # fmt: skip
def test_a_servo_tells_of_pulses_that_it_does_not_take(width: int, period: int, code: str) -> None:
    servo = Alone("kind='servo'\nsignal='PC0'").put(signal=0)
    for _ in range(3):
        servo.pulse("signal", width * US, period * MS - width * US)
    assert set(servo.hazards()) == {code}
    assert "SG90" in servo.hazard().section
    assert servo.hazard().cure


def test_a_servo_without_pulses_holds_no_angle() -> None:
    servo = Alone("kind='servo'\nsignal='PC0'").put(signal=0)
    servo.pulse("signal", 1500 * US, 200 * MS)
    assert servo.shown("angle") == [None, 90_000, None]


# ------------------------------------------------------------------ motor drivers

TB = "kind='tb6612'\npwm='PC0'\nin1='PC1'\nin2='PC2'\nstby='PC3'"


@pytest.mark.parametrize(
    ("levels", "direction", "speed"),
    [
        ({"pwm": 1, "in1": 1, "in2": 0, "stby": 1}, "forward", 1_000_000),
        ({"pwm": 1, "in1": 0, "in2": 1, "stby": 1}, "reverse", -1_000_000),
        ({"pwm": 1, "in1": 1, "in2": 1, "stby": 1}, "brake", 0),
        ({"pwm": 0, "in1": 1, "in2": 0, "stby": 1}, "brake", 0),
        ({"pwm": 1, "in1": 0, "in2": 0, "stby": 1}, "coast", 0),
        ({"pwm": 1, "in1": 1, "in2": 0, "stby": 0}, "coast", 0),
    ],
)
def test_a_tb6612_follows_its_table(levels: dict[str, int], direction: str, speed: int) -> None:
    motor = Alone(TB).put(**levels).wait(100 * MS)
    assert motor.shown("direction")[-1] == direction
    assert motor.shown("speed")[-1] == speed


@pytest.mark.parametrize(
    ("en", "in1", "in2", "direction"),
    [(1, 1, 0, "forward"), (1, 0, 1, "reverse"), (1, 1, 1, "brake"), (1, 0, 0, "brake"),
     (0, 1, 0, "coast")],
)  # fmt: skip
def test_an_l293d_follows_its_table(en: int, in1: int, in2: int, direction: str) -> None:
    motor = Alone("kind='l293d'\nen='PC0'\nin1='PC1'\nin2='PC2'")
    motor.put(en=en, in1=in1, in2=in2).wait(100 * MS)
    assert motor.shown("direction")[-1] == direction


def test_a_motor_has_the_duty_of_its_pwm_and_turns_back() -> None:
    motor = Alone(TB).put(pwm=0, in1=1, in2=0, stby=1)
    for _ in range(30):
        motor.pulse("pwm", 600 * US, 400 * US)
    assert motor.shown("speed")[-1] == 600_000
    motor.put(in1=0, in2=1)
    for _ in range(30):
        motor.pulse("pwm", 250 * US, 750 * US)
    assert motor.shown("speed")[-1] == -250_000
    assert motor.shown("direction")[-1] == "reverse"
    assert not motor.hazards()


def test_an_l293d_tells_of_a_pwm_that_is_too_fast() -> None:
    motor = Alone("kind='l293d'\nen='PC0'\nin1='PC1'\nin2='PC2'").put(en=0, in1=1, in2=0)
    for _ in range(5):
        motor.pulse("en", 50 * US, 50 * US)
    assert motor.hazards() == ["motor-pwm"]


# ------------------------------------------------------------------ 7-segment

SEG = "kind='7-segment'\n" + "\n".join(f"{s}='PC{i}'" for i, s in enumerate("abcdefg"))
FOUR = SEG + "\n" + "\n".join(f"d{i + 1}='PB{p}'" for i, p in enumerate((0, 1, 2, 12)))
SHAPES = {glyph: shape for shape, glyph in reversed(GLYPHS.items())}


def lit(glyph: str) -> dict[str, int]:
    return {s: int(s in SHAPES[glyph]) for s in "abcdefg"}


@pytest.mark.parametrize("glyph", "0123456789AbCdEF-")
def test_a_digit_is_read(glyph: str) -> None:
    display = Alone(SEG).put(**lit(glyph)).wait(100 * MS)
    assert display.shown("text")[-1] == glyph


def multiplex(display: Alone, text: str, each: int, rounds: int, *, blank: bool = True) -> None:
    for _ in range(rounds):
        for n, glyph in enumerate(text, 1):
            if blank:
                display.put(**{f"d{i}": 1 for i in range(1, 5)})
            display.put(**lit(glyph))
            display.put(**{f"d{i}": int(i != n) for i in range(1, 5)}).wait(each)


@given(number=st.integers(0, 9999), each=st.sampled_from([1, 2, 4]))
def test_four_digits_in_turn_are_read_as_one_number(number: int, each: int) -> None:
    display = Alone(FOUR)
    multiplex(display, f"{number:04d}", each * MS, 40 // each)
    assert display.shown("text")[-1] == f"{number:04d}"


def test_digits_that_come_too_seldom_flicker() -> None:
    display = Alone(FOUR)
    multiplex(display, "1234", 30 * MS, 12)
    assert "1234" not in display.shown("text")


def test_a_segment_that_glimmers_is_a_ghost() -> None:
    display = Alone(FOUR)
    for _ in range(60):
        for n, glyph in enumerate("1234", 1):
            # The segments change 300 us after the digit: the last digit's are seen in this one.
            display.put(**{f"d{i}": int(i != n) for i in range(1, 5)}).wait(300 * US)
            display.put(**lit(glyph)).wait(2700 * US)
    assert "1234" not in display.shown("text")


# ------------------------------------------------------------------ 74HC595

SR = "kind='74hc595'\ndata='PC0'\nclock='PC1'\nlatch='PC2'"


def shift(register: Alone, value: int, bits: int, gap: int = 100 * NS) -> None:
    for n in reversed(range(bits)):
        register.put(data=value >> n & 1).wait(gap).pulse("clock", gap, gap)
    register.pulse("latch", gap, gap)


@given(value=st.integers(0, 0xFFFF), chips=st.sampled_from([1, 2]))
def test_a_shift_register_takes_the_first_bit_furthest(value: int, chips: int) -> None:
    register = Alone(f"{SR}\nchips={chips}").put(data=0, clock=0, latch=0).wait(US)
    value &= (1 << 8 * chips) - 1
    shift(register, value, 8 * chips)
    assert register.shown("outputs")[-1] == f"{value:0{8 * chips}b}"
    assert not register.hazards()


def test_nothing_changes_before_the_latch() -> None:
    register = Alone(SR).put(data=1, clock=0, latch=0).wait(US)
    register.pulse("clock", US, US)
    assert register.shown("outputs") == ["00000000"]


@pytest.mark.parametrize(("gap", "fine"), [(45 * NS, False), (60 * NS, True)])
def test_a_shift_register_tells_of_edges_that_are_too_close(gap: int, fine: bool) -> None:
    register = Alone(SR).put(data=0, clock=0, latch=0).wait(US)
    shift(register, 0x5A, 8, gap)
    assert (not register.hazards()) == fine


# ------------------------------------------------------------------ WS2812

TIMES = {0: (400, 850), 1: (800, 450)}


def colours(chain: Alone, *values: int, off: int = 0) -> Alone:
    for value in values:
        for n in reversed(range(24)):
            high, low = TIMES[value >> n & 1]
            chain.pulse("data", (high + off) * NS, low * NS)
    return chain.wait(300 * US)


@given(st.lists(st.tuples(*[st.integers(0, 255)] * 3), min_size=1, max_size=3))
def test_ws2812_take_green_first(leds: list[tuple[int, int, int]]) -> None:
    chain = Alone("kind='ws2812'\ndata='PC0'\ncount=3").put(data=0).wait(MS)
    colours(chain, *(g << 16 | r << 8 | b for r, g, b in leds))
    wanted = ["#" + bytes(led).hex() for led in leds] + ["#000000"] * (3 - len(leds))
    assert chain.shown("colours")[-1] == " ".join(wanted)
    assert not chain.hazards()


@pytest.mark.parametrize(("off", "fine"), [(140, True), (-140, True), (160, False), (-160, False)])
def test_ws2812_hold_each_pulse_to_150_ns(off: int, fine: bool) -> None:
    chain = Alone("kind='ws2812'\ndata='PC0'").put(data=0).wait(MS)
    colours(chain, 0, off=off)
    assert (not chain.hazards()) == fine


def test_ws2812_tell_of_bits_that_make_no_colour() -> None:
    chain = Alone("kind='ws2812'\ndata='PC0'").put(data=0).wait(MS)
    for _ in range(23):
        chain.pulse("data", 400 * NS, 850 * NS)
    chain.wait(300 * US)
    assert chain.hazards() == ["ws2812-bits"]
