"""Each hazard of a part: waveforms that commit it, and neighbours that do not."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from fwgen.hazards import REGISTER
from fwgen.hazards.modules import KINDS
from tests.machine.parts.bench import MS, US, Alone, S
from tests.machine.parts.bus_bench import I2c, Spi
from tests.machine.parts.buses import OnI2c
from tests.machine.parts.test_hd44780 import LCD, byte, nibble, started
from tests.machine.parts.test_inputs import DHT, METER, ONE, SONAR, ask, bit, reset, say
from tests.machine.parts.test_outputs import SR, colours, shift
from tests.machine.parts.test_ssd1306 import OLED, SPI
from tests.machine.parts.test_ssd1306 import reset as oled_reset

if TYPE_CHECKING:
    from collections.abc import Callable

NS = 1000


def servo(width: int, period: int) -> Alone:
    made = Alone("kind='servo'\nsignal='PC0'").put(signal=0)
    for _ in range(3):
        made.pulse("signal", width, period - width)
    return made


def motor(period: int) -> Alone:
    made = Alone("kind='l293d'\nen='PC0'\nin1='PC1'\nin2='PC2'").put(en=0, in1=1, in2=0)
    for _ in range(5):
        made.pulse("en", period // 2, period // 2)
    return made


def register(gap: int) -> Alone:
    made = Alone(SR).put(data=0, clock=0, latch=0).wait(US)
    shift(made, 0x5A, 8, gap)
    return made


def dht(after: int, low: int) -> Alone:
    made = Alone(DHT).put(data=None).wait(after)
    ask(made, low)
    return made


def lcd_twice(pause: int) -> Alone:
    made = started()
    byte(made, 0x41, 1, wait=pause)
    byte(made, 0x42, 1)
    return made


def lcd_pulse(width: int) -> Alone:
    made = started(LCD)
    nibble(made, 0xC, width=width)
    nibble(made, 0x0)
    return made


def sonar(width: int, pause: int) -> Alone:
    made = Alone(SONAR).put(trig=0).wait(MS)
    return made.pulse("trig", width, pause).pulse("trig", width, 80 * MS)


def slots(low: int, high: int) -> Alone:
    made = Alone(ONE).put(data=None).wait(MS)
    reset(made)
    for _ in range(2):
        made.put(data=0).wait(low).put(data=None).wait(high)
    return made


def meter(baud: int) -> Alone:
    made = Alone(METER).put(rx=1).wait(100 * MS)
    say(made, b"AT\r\n", baud)
    return made.wait(50 * MS)


def unstopped(stop: int) -> Alone:
    made = Alone(METER).put(rx=1).wait(100 * MS)
    for level in (0, *[1] * 8, stop):
        made.put(rx=level).wait(S // 9600)
    return made.put(rx=1).wait(50 * MS)


def chain(count: int, off: int = 0) -> Alone:
    made = Alone("kind='ws2812'\ndata='PC0'").put(data=0).wait(MS)
    if count == 24:
        return colours(made, 0, off=off)
    for _ in range(count):
        made.pulse("data", 400 * NS, 850 * NS)
    return made.wait(300 * US)


def written(low: int) -> Alone:
    made = Alone(ONE).put(data=None).wait(MS)
    reset(made)
    bit(made, 0)
    return made.put(data=0).wait(low).put(data=None).wait(100 * US)


def oled(*commands: int) -> Alone:
    made = I2c(OLED, 0x3C)
    made.send(0x00, *commands)
    return made


def dc_moves(bits: int) -> Alone:
    made = Spi(SPI).put(dc=0, cs=0).wait(US)
    for _ in range(bits):
        made.pulse("sck", US, US)
    return made.put(dc=1)


def imu(*, filled: bool) -> Alone:
    made = OnI2c("kind='mpu6050'")
    made.wait(101 * MS)
    made.write(0x23, 0x08)
    made.write(0x6A, 0x40)
    if filled:
        made.write(0x6B, 0)
        made.wait(10 * MS)
    made.read(0x74)
    return made


def air(*writes: int, after: int = 3 * MS, pieces: int = 8) -> Alone:
    made = OnI2c("kind='bme280'")
    made.wait(after)
    made.write(*writes)
    for at in range(0, 8, pieces):
        made.read(0xF7 + at, pieces)
        made.wait(10 * MS)
    return made


def early(after: int) -> Alone:
    made = OnI2c("kind='bme280'")
    made.wait(after)
    made.write(0xD0)
    return made


PAIRS: dict[str, tuple[Callable[[], Alone], Callable[[], Alone]]] = {
    "74hc595-timing": (lambda: register(40 * NS), lambda: register(60 * NS)),
    "dht-start": (lambda: dht(2 * S, 700 * US), lambda: dht(2 * S, 900 * US)),
    "dht-too-soon": (lambda: dht(900 * MS, MS), lambda: dht(1100 * MS, MS)),
    "lcd-busy": (lambda: lcd_twice(30 * US), lambda: lcd_twice(45 * US)),
    "lcd-timing": (lambda: lcd_pulse(220 * NS), lambda: lcd_pulse(240 * NS)),
    "lcd-too-soon": (lambda: started(wait=14 * MS), lambda: started(wait=16 * MS)),
    "motor-pwm": (lambda: motor(190 * US), lambda: motor(210 * US)),
    "oled-command": (lambda: oled(0xE4), lambda: oled(0xE3)),
    "oled-dc": (lambda: dc_moves(7), lambda: dc_moves(8)),
    "oled-no-pump": (lambda: oled(0xAF), lambda: oled(0x8D, 0x14, 0xAF)),
    "oled-reset": (lambda: oled_reset(2 * US, 9 * US), lambda: oled_reset(4 * US, 9 * US)),
    "onewire-recovery": (lambda: slots(65 * US, US // 2), lambda: slots(65 * US, 2 * US)),
    "onewire-slot": (lambda: written(20 * US), lambda: written(14 * US)),
    "part-empty": (lambda: imu(filled=False), lambda: imu(filled=True)),
    "part-ignored": (lambda: air(0xD0, 1), lambda: air(0xE0, 1)),
    "part-reserved": (lambda: air(0xF2, 0x81), lambda: air(0xF2, 0x01)),
    "part-too-soon": (lambda: early(2 * MS - 60 * US), lambda: early(2 * MS)),
    "part-torn": (lambda: air(0xF4, 0x27, pieces=1), lambda: air(0xF4, 0x27)),
    "serial-baud": (lambda: meter(9350), lambda: meter(9500)),
    "serial-framing": (lambda: unstopped(0), lambda: unstopped(1)),
    "servo-pulse": (lambda: servo(2011 * US, 20 * MS), lambda: servo(2009 * US, 20 * MS)),
    "servo-rate": (lambda: servo(1500 * US, 23 * MS), lambda: servo(1500 * US, 21 * MS)),
    "sonar-too-soon": (lambda: sonar(10 * US, 59 * MS), lambda: sonar(10 * US, 61 * MS)),
    "sonar-trigger": (lambda: sonar(9 * US, 70 * MS), lambda: sonar(10 * US, 70 * MS)),
    "ws2812-bits": (lambda: chain(23), lambda: chain(24)),
    "ws2812-timing": (lambda: chain(24, 160), lambda: chain(24, 140)),
}


def test_every_kind_has_its_pair() -> None:
    assert set(PAIRS) == {kind.code for kind in KINDS}


@pytest.mark.parametrize("code", sorted(PAIRS))
def test_only_the_one_that_commits_it_is_told_of(code: str) -> None:
    wrong, right = PAIRS[code]
    made = wrong()
    assert set(made.hazards()) == {code}
    assert made.hazard().severity == REGISTER[code].severity
    assert made.hazard().section
    assert made.hazard().cure
    assert right().hazards() == []
