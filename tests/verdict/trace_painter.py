"""Paints traces by hand: what a bench would have seen of firmware that nobody wrote."""

from __future__ import annotations

from fractions import Fraction

from fwgen.board import load_board
from fwgen.contract import Contract, load_contract
from fwgen.trace import (
    Edge,
    I2cTransfer,
    Pictured,
    SerialByte,
    Shown,
    Sleep,
    SpiFrame,
    Stimulated,
    Trace,
    Voltage,
    Wake,
    Wave,
)
from fwgen.verdict import judge

US, MS, S = 10**6, 10**9, 10**12
SETUP = 20 * US  # when firmware has its pins set up

BOARD = load_board("nucleo-f401")
MODULES = load_contract(
    """
    [parts.LCD]
    kind = "hd44780"
    rs = "PC0"
    e = "PC1"
    d4 = "PC2"
    d5 = "PC3"
    d6 = "PC4"
    d7 = "PC5"
    [parts.OLED]
    kind = "ssd1306"
    scl = "PB8"
    sda = "PB9"
    size = "128x32"
    [parts.SERVO]
    kind = "servo"
    signal = "PB0"
    [parts.RGB]
    kind = "rgb-led"
    red = "PC8"
    green = "PC9"
    blue = "PC10"
    [[expect]]
    level = "LD2"
    is = "off"
    """,
    BOARD,
).modules


class Painter:
    """Events of one run, in any order; ``trace()`` sorts them. Levels are the pins'."""

    def __init__(self, span_ps=2 * S, resolution_ps=0):
        self.span_ps, self.resolution_ps = span_ps, resolution_ps
        self.events = []

    def at(self, *events):
        self.events += events
        return self

    def levels(self, pin, *changes):
        """Changes as (t_ps, level)."""
        return self.at(*(Edge(t, pin, level) for t, level in changes))

    def holds(self, pin, start, *durations, level=1):
        """From ``start`` one level after the other, each for its duration; then it stays."""
        t = start
        for duration in durations:
            self.at(Edge(t, pin, level))
            t += duration
            level ^= 1
        return self.at(Edge(t, pin, level))

    def blinks(self, pin, on, off, start=SETUP, stop=None, level=1):
        stop = self.span_ps if stop is None else stop
        t = start
        while t < stop:
            self.at(Edge(t, pin, level))
            t += on if level else off
            level ^= 1
        return self

    def wave(self, pin, start, first, second, level=1):
        return self.at(Wave(start, pin, level, Fraction(first), Fraction(second)))

    def volts(self, pin, t, uv, to=None, over=0, **shape):
        """Something outside holds a pin at a voltage from ``t`` on."""
        return self.at(Voltage(t, pin, uv, uv if to is None else to, over, **shape))

    def says(self, t, text, baud=115_200, port="USART2", error="", direction="tx"):
        frame = 10 * S // baud
        for i, byte in enumerate(text.encode()):
            start = t + i * frame
            self.at(SerialByte(start + frame, port, direction, byte, baud * 1000, start, error))
        return self

    def hears(self, t, text):
        return self.says(t, text, direction="rx")

    def shows(self, part, what, *values):
        """What a part shows, as (t_ps, value)."""
        return self.at(*(Shown(t, part, what, value) for t, value in values))

    def pictures(self, part, *values):
        """What part shows which picture, as (t_ps, picture)."""
        return self.at(*(Pictured.of(t, part, picture) for t, picture in values))

    def does(self, t, subject, what="done"):
        return self.at(Stimulated(t, subject, what))

    def presses(self, t, hold=100 * MS, bounces=()):
        """The button B1, active low: pressed, with extra chatter edges at t + each bounce."""
        self.does(t, "B1", "pressed")
        level = 0
        for dt in (0, *bounces):
            self.at(Edge(t + dt, "PC13", level))
            level ^= 1
        assert level == 1, "chatter comes in pairs"
        return self.at(Edge(t + hold, "PC13", 1))

    def i2c(self, t, address, *, writes="", reads="", answered=True, acked=None, end="stop"):
        """A transfer on I2C1 from ``t`` on: what is written, then after a repeated START read."""
        for way, data, how in (
            ("write", writes, "restart" if reads else end),
            ("read", reads, end),
        ):
            if way == "write" and reads and not writes:
                continue
            if way == "read" and not reads:
                continue
            count = len(bytes.fromhex(data)) - (way == "read") if acked is None else acked
            self.at(I2cTransfer(
                t + MS, "I2C1", "master", address, way, data, answered, count, t, how
            ))  # fmt: skip
            t += MS
        return self

    def spi(self, t, select, *words):
        """Frames of (sent, heard) on SPI1, 100 us each, while a pin is low."""
        self.levels(select, (t, 0), (t + len(words) * 100 * US + 2, 1))
        for n, (sent, heard) in enumerate(words):
            start = t + 1 + n * 100 * US
            self.at(SpiFrame(start + 100 * US, "SPI1", "master", sent, heard, 8, start))
        return self

    def sleeps(self, start, stop):
        return self.at(Sleep(start, "sleep"), Wake(stop, "SysTick"))

    def trace(self):
        events = sorted((e for e in self.events if e.t_ps < self.span_ps), key=lambda e: e.t_ps)
        return Trace(
            "machine", BOARD.name, self.span_ps, tuple(events), {"PC13": 1, "PA13": 1},
            resolution_ps=self.resolution_ps,
        )  # fmt: skip


def contract(*expectations, span_ps=2 * S, stimuli=(), accept=()):
    return Contract(
        "t", BOARD.name, span_ps, tuple(stimuli), tuple(expectations), tuple(accept),
        modules=MODULES,
    )  # fmt: skip


def found(expectation, painter, stimuli=()):
    """The finding on one expectation."""
    made = contract(expectation, span_ps=painter.span_ps, stimuli=stimuli)
    return judge(made, painter.trace(), BOARD).findings[0]
