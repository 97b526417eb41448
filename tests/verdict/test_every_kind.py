"""For every kind of expectation: what just passes, and what departs slightly and must not.

A case holds an expectation, firmware that just meets it, the same expectation with each of its
fields changed a little (which that firmware must then fail), and firmware that departs a little
(with the moment of the first departure, and the words that tell it).
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import get_args

import pytest

from fwgen.contract import (
    Analog,
    Asleep,
    Blinks,
    Bound,
    Counts,
    Drive,
    Exclusive,
    Expectation,
    Follows,
    Level,
    Never,
    Pattern,
    Phase,
    Press,
    Pwm,
    Quiet,
    Replies,
    Responds,
    Says,
    Send,
    Shows,
    Step,
    Tone,
    Transfers,
    Trigger,
    Window,
    check_contract,
)
from fwgen.picture import Picture, from_pixels
from fwgen.verdict import Outcome
from tests.verdict.trace_painter import BOARD, MS, SETUP, US, Painter, S, found


@dataclass(frozen=True)
class Bad:
    """Firmware that departs: at ``t_ps``, told with ``words``."""

    name: str
    painter: Painter
    t_ps: int
    words: str


@dataclass(frozen=True)
class Case:
    name: str
    expectation: Expectation
    good: Painter
    changed: dict[str, object]  # field -> a value with which ``good`` must fail
    bad: tuple[Bad, ...]
    stimuli: tuple = ()
    unsure: frozenset[str] = frozenset()  # fields whose change leaves nothing to judge


def two_hertz(*wrong, n=8, start=SETUP):
    """2 Hz on LD2, with (index of the half period, its duration) put wrong."""
    halves = [250 * MS] * n
    for i, duration in wrong:
        halves[i] = duration
    return Painter().holds("PA5", start, *halves)


STEPS = (
    Analog("PA0", 0, ((0, 1_000_000),)),
    Analog("PA0", 500 * MS, ((0, 2_000_000),)),
    Analog("PA0", S, ((0, 1_000_000),)),
)


def stepped(paint):
    """1 V at A0, 2 V from 0.5 s to 1 s."""
    made = Painter()
    for step in STEPS:
        made.does(step.at_ps, "PA0").volts("PA0", step.at_ps, step.points[0][1])
    return paint(made)


def counting(*wrong, period=500 * MS, baud=115_200, last="\r\n"):
    made = Painter()
    lines = [f"n = {i}" for i in range(4)]
    for i, text in wrong:
        lines[i] = text
    for i, line in enumerate(lines):
        made.says(5 * MS + i * period, line + (last if i == 3 else "\r\n"), baud)
    return made


def lights(*durations, skew=US):
    """Red for 300 ms, green for 200 ms, over and over; PA6 red, PA7 green."""
    made = Painter()
    t = SETUP
    for i, duration in enumerate(durations):
        red = int(i % 2 == 0)
        made.levels("PA6", (t, red)).levels("PA7", (t + (skew if i else US), 1 - red))
        t += duration
    return made


def pulses(n, width=10 * MS, gap=100 * MS):
    made = Painter().levels("PA5", (SETUP, 0))
    for i in range(n):
        made.levels("PA5", (gap * (i + 1), 1), (gap * (i + 1) + width, 0))
    return made


def pressed(led, **chatter):
    return led(Painter().presses(500 * MS, 300 * MS, **chatter).levels("PA5", (SETUP, 0)))


PRESS = (Press("B1", 500 * MS, 300 * MS),)
PING = (Send("console", 500 * MS, b"ping\r\n"),)
ASKED = 500 * MS + 6 * 10 * S // 115_200


def ping(reply, t=ASKED + 5 * MS):
    made = Painter().does(500 * MS, "console", "ping").hears(500 * MS, "ping\r\n")
    return made.says(t, reply)


def asleep(ms):
    return Painter(span_ps=S).sleeps(0, ms * MS)


def spots(*lit: tuple[int, int]) -> Picture:
    """A picture of 128 x 32 with these pixels lit."""
    return from_pixels([[(x, y) in lit for x in range(128)] for y in range(32)])


BLANK = spots()

CASES = [
    Case(
        "level throughout a window",
        Level("LD2", 1, window=Window(100 * MS, 900 * MS)),
        Painter(S).levels("PA5", (SETUP, 0), (100 * MS, 1), (900 * MS, 0)),
        {
            "subject": "PA6",
            "level": 0,
            "at_ps": 50 * MS,
            "window": Window(100 * MS, 900 * MS + 1),
        },
        (
            Bad(
                "a glitch of a nanosecond",
                Painter(S).levels("PA5", (SETUP, 1), (500 * MS, 0), (500 * MS + 1000, 1)),
                500 * MS,
                "LD2 became off at 500 ms; expected on throughout",
            ),
            Bad("never set up", Painter(S), 100 * MS, "floating (nothing drives or pulls it)"),
            Bad(
                "floats later",
                Painter(S).levels("PA5", (SETUP, 1), (300 * MS, None)),
                300 * MS,
                "floating",
            ),
            Bad("late", Painter(S).levels("PA5", (101 * MS, 1)), 100 * MS, "is floating"),
        ),
    ),
    Case(
        "level at a moment",
        Level("B1", 1, 550 * MS),
        Painter().presses(500 * MS, 100 * MS),
        {"subject": "LD2", "level": 0, "at_ps": 601 * MS},
        (
            Bad("released", Painter().presses(400 * MS, 100 * MS), 550 * MS, "B1 is released"),
            Bad("floats", Painter().levels("PC13", (MS, None)), 550 * MS, "B1 is floating"),
        ),
    ),
    Case(
        "blinks",
        Blinks("LD2", 500 * MS, window=Window(0, 2 * S), starts=1, first_on_by_ps=SETUP),
        two_hertz((2, 255 * MS), (3, 245 * MS), (5, 255 * MS)),
        {
            "subject": "PA6",
            "period_ps": 490 * MS,
            "duty_ppm": 540_000,
            "phase": Phase("PA6", 0),
            "tolerance_ppm": 19_000,
            "window": Window(100 * MS, 2 * S),  # then it does not begin on, nor on by then
            "starts": 0,
            "first_on_by_ps": SETUP - 1,
        },
        (
            Bad("one time off too long", two_hertz((3, 256 * MS)), 1005 * MS + SETUP, "256 ms off"),
            Bad("one time off too short", two_hertz((3, 244 * MS)), 994 * MS + SETUP, "244 ms off"),
            Bad(
                "the first time on too long",
                two_hertz((0, 512 * MS)),
                255 * MS + SETUP,
                "LD2 first turned off at 512.02 ms, after 512 ms on; expected 250 ms ± 2 %",
            ),
            Bad("the first time on too short", two_hertz((0, 200 * MS)), 200 * MS + SETUP, "first"),
            Bad("stuck on", two_hertz(n=4), 1255 * MS + SETUP, "stays on from 1.00002 s on"),
            Bad("never on", Painter().levels("PA5", (SETUP, 0)), SETUP, "never turned on"),
            Bad("never set up", Painter(), 0, "floats"),
            Bad(
                "1 Hz",
                Painter().blinks("PA5", 500 * MS, 500 * MS),
                255 * MS + SETUP,
                "it blinks at 1 Hz",
            ),
            Bad(
                "floats instead of off",
                two_hertz().at(*Painter().levels("PA5", (900 * MS, None)).events),
                900 * MS,
                "floats",
            ),
            Bad(
                "late",
                two_hertz(start=11 * MS).levels("PA5", (SETUP // 2, 0)),
                SETUP,
                "first turned on at 11 ms; expected by 20 µs",
            ),
        ),
    ),
    Case(
        "blinks with any duty, in step with another",
        Blinks("LD2", 500 * MS, None, Phase("PA6", 125 * MS), starts=None),
        Painter()
        .blinks("PA6", 250 * MS, 250 * MS)
        .levels("PA5", (SETUP, 0))
        .blinks("PA5", 40 * MS, 460 * MS, start=130 * MS),
        {
            "duty_ppm": 500_000,
            "phase": Phase("PA6", 114 * MS),
            "period_ps": 511 * MS,
            "starts": 1,
            "first_on_by_ps": 129 * MS,
            "tolerance_ppm": 9_000,
        },
        (
            Bad(
                "out of step",
                Painter()
                .blinks("PA6", 250 * MS, 250 * MS)
                .levels("PA5", (SETUP, 0))
                .blinks("PA5", 250 * MS, 250 * MS, start=140 * MS),
                140 * MS,
                "LD2 turned on at 140 ms, 139.98 ms after PA6; expected 125 ms",
            ),
            Bad(
                "nothing to keep step with",
                Painter().blinks("PA5", 250 * MS, 250 * MS),
                0,
                "PA6 never blinks",
            ),
            Bad(
                "one period too long",
                Painter()
                .blinks("PA6", 250 * MS, 250 * MS)
                .levels("PA5", (SETUP, 0))
                .holds("PA5", 125 * MS, *[40 * MS, 460 * MS, 40 * MS, 471 * MS] * 2),
                1136 * MS,
                "511 ms after the time before; expected 500 ms ± 2 %",
            ),
        ),
    ),
    Case(
        "pattern of two, over and over",
        Pattern(
            (
                Step((("PA6", 1), ("PA7", 0)), 300 * MS),
                Step((("PA6", 0), ("PA7", 1)), 200 * MS),
            ),
            start_within_ps=SETUP + US,
            window=Window(0, 2 * S),
        ),
        lights(*[MS * t for t in (300, 200, 306, 196, 300, 200, 300, 200)]),
        {
            "steps": (
                Step((("PA6", 1), ("PA7", 0)), 290 * MS),
                Step((("PA6", 0), ("PA7", 1)), 200 * MS),
            ),
            "tolerance_ppm": 19_000,
            "start_within_ps": SETUP - US,
            "window": Window(50 * MS, 2 * S),
        },
        (
            Bad(
                "a step too long",
                lights(300 * MS, 200 * MS, 307 * MS, 200 * MS, 300 * MS, 200 * MS, 600 * MS),
                806 * MS + SETUP,
                "step 1 (PA6 high PA7 low), from 500.02 ms on, lasts 307 ms",
            ),
            Bad(
                "a step too short",
                lights(300 * MS, 195 * MS, 300 * MS, 200 * MS, 300 * MS, 200 * MS, 600 * MS),
                495 * MS + SETUP,
                "step 2",
            ),
            Bad(
                "stops",
                lights(300 * MS, 200 * MS, 300 * MS),
                806 * MS + SETUP,
                "lasts at least",
            ),
            Bad(
                "two seen apart",
                lights(300 * MS, 200 * MS, 300 * MS, 200 * MS, 300 * MS, 200 * MS, skew=2 * MS),
                SETUP + 300 * MS,
                "PA6 low PA7 low",
            ),
            Bad("never begins", Painter().levels("PA6", (SETUP, 0)), SETUP + US, "does not come"),
        ),
    ),
    Case(
        "pattern once, then for ever",
        Pattern(
            (Step((("LD2", 0),), 500 * MS), Step((("LD2", 1),), None)),
            repeat=False,
            window=Window(0, 2 * S),
        ),
        Painter().levels("PA5", (SETUP, 0), (518 * MS, 1)),
        {
            "steps": (Step((("LD2", 1),), 500 * MS), Step((("LD2", 0),), None)),
            "tolerance_ppm": 10,
            "start_within_ps": 10 * US,
            "window": Window(100 * MS, 2 * S),
        },
        (
            Bad(
                "too early",
                Painter().levels("PA5", (SETUP, 0), (489 * MS, 1)),
                489 * MS,
                "lasts 488.98 ms; expected 500 ms ± 2 %",
            ),
            Bad(
                "too late",
                Painter().levels("PA5", (SETUP, 0), (521 * MS, 1)),
                520 * MS,
                "step 1 (LD2 off)",
            ),
            Bad(
                "not for ever",
                Painter().levels("PA5", (SETUP, 0), (500 * MS, 1), (1900 * MS, 0)),
                1900 * MS,
                "for good",
            ),
        ),
    ),
    Case(
        "pattern once",
        Pattern((Step((("LD2", 1),), 300 * MS), Step((("LD2", 0),), 300 * MS)), repeat=False),
        Painter().levels("PA5", (SETUP, 1), (300 * MS, 0)),
        {"repeat": True},
        (
            Bad(
                "its last step cut short",
                Painter().levels("PA5", (SETUP, 1), (300 * MS, 0), (590 * MS, 1)),
                590 * MS,
                "for 300 ms",
            ),
        ),
    ),
    Case(
        "counts pulses",
        Counts("LD2", "pulse", 3, 3, Window(0, 2 * S)),
        pulses(3),
        {
            "subject": "PA6",
            "what": "both",
            "least": 4,
            "most": 2,
            "window": Window(105 * MS, 2 * S),
        },
        (
            Bad("one too many", pulses(4), 410 * MS, "shows 4 by the end"),
            Bad("one too few", pulses(2), 2 * S, "only 2"),
            Bad(
                "floats",
                pulses(3).levels("PA5", (S, None)),
                S,
                "LD2 floats from 1 s: nothing drives PA5",
            ),
        ),
    ),
    Case(
        "counts presses",
        Counts("B1", "rising", 2, 2, Window(0, 2 * S)),
        Painter().presses(200 * MS).presses(600 * MS),
        {"subject": "LD2", "what": "both", "least": 3, "most": 1, "window": Window(0, 600 * MS)},
        (
            Bad(
                "once more",
                Painter().presses(200 * MS, bounces=(MS, 2 * MS)).presses(600 * MS),
                600 * MS,
                "expected exactly 2 changes to pressed",
            ),
        ),
        stimuli=(Press("B1", 200 * MS, 100 * MS), Press("B1", 600 * MS, 100 * MS)),
    ),
    Case(
        "PWM",
        Pwm("LD2", 1_000_000, 250_000, None, window=Window(0, S)),
        Painter().wave("PA5", SETUP, 260 * US, 760 * US).levels("PA5", (S, 0)),
        {
            "subject": "PA6",
            "frequency_mhz": 1_001_000,
            "duty_ppm": 240_000,
            "to_duty_ppm": 500_000,
            "tolerance_ppm": 19_900,
            "duty_tolerance_ppm": 4_000,
            "window": Window(0, 2 * S),
        },
        (
            Bad(
                "1 % too much duty",
                Painter(S).wave("PA5", SETUP, 261 * US, 739 * US),
                SETUP,
                "LD2 is on for 26.1 % of a period at 20 µs; expected 25 % ± 1 %",
            ),
            Bad(
                "too slow",
                Painter(S).wave("PA5", SETUP, 256 * US, 765 * US),
                SETUP,
                "expected 1 kHz",
            ),
            Bad(
                "one long period among millions",
                Painter(S)
                .wave("PA5", SETUP, 250 * US, 750 * US)
                .levels("PA5", (SETUP + 500 * MS, 0))
                .wave("PA5", SETUP + 500 * MS + 30 * US, 250 * US, 750 * US),
                SETUP + 499 * MS,
                "has a period of 1.03 ms",
            ),
            Bad(
                "stops",
                Painter(S)
                .wave("PA5", SETUP, 250 * US, 750 * US)
                .levels("PA5", (SETUP + 500 * MS, 0)),
                SETUP + 500 * MS + 270 * US,
                "stays off",
            ),
            Bad("floats", Painter(S), 0, "floats"),
        ),
    ),
    Case(
        "PWM whose duty ramps",
        Pwm("LD2", 1_000_000, 0, 1_000_000, duty_tolerance_ppm=10_000, window=Window(0, S)),
        Painter(S).at(
            *(
                event
                for k in range(100)
                for event in Painter()
                .wave("PA5", k * 10 * MS, (k * 10 + 5) * US, (995 - k * 10) * US)
                .events
            )
        ),
        {
            "duty_ppm": 20_000,
            "to_duty_ppm": None,
            "duty_tolerance_ppm": 4_000,
            "frequency_mhz": 1_021_000,
        },
        (
            Bad(
                "does not ramp",
                Painter(S).wave("PA5", SETUP, 10 * US, 990 * US),
                21 * MS,
                "expected",
            ),
        ),
    ),
    Case(
        "tone",
        Tone("PA8", 440_000, window=Window(0, S)),
        Painter().wave("PA8", SETUP, 1131 * US, 1131 * US).levels("PA8", (S, 0)),
        {
            "subject": "PA9",
            "frequency_mhz": 439_000 - 4_000,
            "tolerance_ppm": 4_500 - 500,
            "window": Window(0, 2 * S),
        },
        (
            Bad(
                "a quarter tone flat",
                Painter(S).wave("PA8", SETUP, 1150 * US, 1150 * US),
                SETUP,
                "PA8 sounds at 434.78 Hz at 20 µs; expected 440 Hz ± 0.5 %",
            ),
            Bad(
                "thin",
                Painter(S).wave("PA8", SETUP, 800 * US, 1473 * US),
                SETUP,
                "no square wave",
            ),
            Bad(
                "falls silent",
                Painter(S).wave("PA8", SETUP, 1136 * US, 1136 * US).levels("PA8", (500 * MS, 0)),
                502 * MS,
                "silent",
            ),
        ),
    ),
    Case(
        "follows a voltage",
        Follows("LD2", "A0", False, 20 * MS, Window(100 * MS, 2 * S), 1_650_000, 50_000),
        stepped(lambda p: p.levels("PA5", (30 * MS, 0), (520 * MS, 1), (1020 * MS, 0))),
        {
            "subject": "PA6",
            "source": "A1",
            "invert": True,
            "latency_ps": 19 * MS,
            "above_uv": 900_000,
            "window": Window(0, 2 * S),
        },
        (
            Bad(
                "too slow",
                stepped(lambda p: p.levels("PA5", (0, 0), (521 * MS, 1), (1020 * MS, 0))),
                520 * MS,
                "LD2 is off at 520 ms, though A0 has been above 1.7 V since 500 ms",
            ),
            Bad(
                "stays on",
                stepped(lambda p: p.levels("PA5", (0, 0), (500 * MS, 1))),
                1020 * MS,
                "LD2 is on at 1.02 s, though A0 has been below 1.6 V since 1 s",
            ),
            Bad(
                "comes on by itself",
                stepped(lambda p: p.levels("PA5", (0, 0), (400 * MS, 1), (1020 * MS, 0))),
                400 * MS,
                "LD2 is on at 400 ms",
            ),
        ),
        stimuli=STEPS,
        unsure=frozenset({"source"}),
    ),
    Case(
        "follows a voltage within its band",
        Follows("LD2", "A0", False, 20 * MS, Window(100 * MS, 2 * S), 1_650_000, 50_000),
        stepped(
            lambda p: p.volts("PA0", 1500 * MS, 1_690_000).levels(
                "PA5", (30 * MS, 0), (520 * MS, 1), (1020 * MS, 0)
            )
        ),
        {"band_uv": 30_000},
        (),
        stimuli=STEPS,
    ),
    Case(
        "follows",
        Follows("LD2", "B1", latency_ps=20 * MS, window=Window(100 * MS, 2 * S)),
        pressed(
            lambda p: p.levels("PA5", (30 * MS, 1), (50 * MS, 0), (520 * MS, 1), (819 * MS, 0))
        ),
        {
            "subject": "PA6",
            "source": "PC13",
            "invert": True,
            "latency_ps": 19 * MS,
            "window": Window(0, 2 * S),
        },
        (
            Bad(
                "too slow",
                pressed(lambda p: p.levels("PA5", (521 * MS, 1), (820 * MS, 0))),
                520 * MS,
                "LD2 is off at 520 ms, though B1 has been pressed since 500 ms",
            ),
            Bad("never", pressed(lambda p: p), 520 * MS, "expected it on within 20 ms"),
            Bad(
                "falls off again",
                pressed(lambda p: p.levels("PA5", (500 * MS, 1), (600 * MS, 0), (610 * MS, 1))),
                600 * MS,
                "LD2 is off at 600 ms",
            ),
            Bad(
                "comes on by itself",
                pressed(lambda p: p.levels("PA5", (400 * MS, 1), (820 * MS, 0))),
                400 * MS,
                "LD2 is on at 400 ms",
            ),
        ),
        stimuli=PRESS,
    ),
    Case(
        "responds",
        Responds(
            Trigger("B1", "rising"), Trigger("LD2", "both"), 50 * MS, 10 * MS, Window(0, 2 * S)
        ),
        pressed(lambda p: p.levels("PA5", (550 * MS, 1))),
        {
            "trigger": Trigger("B1", "falling"),
            "response": Trigger("LD2", "falling"),
            "within_ps": 49 * MS,
            "after_ps": 51 * MS - MS // 2,
            "window": Window(501 * MS, 2 * S),
        },
        (
            Bad(
                "too late",
                pressed(lambda p: p.levels("PA5", (551 * MS, 1))),
                550 * MS,
                "B1 is pressed at 500 ms, and it came only 51 ms later",
            ),
            Bad(
                "too early",
                pressed(lambda p: p.levels("PA5", (509 * MS, 1))),
                509 * MS,
                "already 9 ms after",
            ),
            Bad("never", pressed(lambda p: p), 550 * MS, "it never came"),
        ),
        stimuli=PRESS,
        unsure=frozenset({"window"}),
    ),
    Case(
        "never",
        Never(Trigger("LD2", "rising"), Window(0, S)),
        Painter().levels("PA5", (SETUP, 0), (S, 1)).levels("PA6", (MS, 1)),
        {"moment": Trigger("PA6", "rising"), "window": Window(0, S + 1)},
        (
            Bad("once", Painter().levels("PA5", (SETUP, 0), (S - 1, 1)), S - 1, "LD2 turns on"),
            Bad("from floating", Painter().levels("PA5", (SETUP, 1)), SETUP, "LD2 turns on"),
        ),
    ),
    Case(
        "exclusive",
        Exclusive(("PA6", "PA7", "LD2"), Window(0, S)),
        Painter()
        .levels("PA6", (SETUP, 1), (500 * MS, 0))
        .levels("PA7", (500 * MS, 1), (S, 0))
        .levels("PA6", (S, 1))
        .levels("PA7", (1100 * MS, 1))
        .levels("PA8", (600 * MS, 1)),
        {"subjects": ("PA7", "PA8"), "window": Window(0, 2 * S)},
        (
            Bad(
                "a microsecond together",
                Painter()
                .levels("PA6", (SETUP, 1), (500 * MS + US, 0))
                .levels("PA7", (500 * MS, 1)),
                500 * MS,
                "PA7 and PA6 are both on at 500 ms, for 1 µs",
            ),
        ),
    ),
    Case(
        "says",
        Says(
            "console",
            "n = {n}",
            (("n", Bound(0, 3, 0, 1)),),
            500 * MS,
            115_200,
            None,
            True,
            5 * MS,
            window=Window(0, 2 * S),
        ),
        counting(period=495 * MS),
        {
            "port": "USART1",
            "pattern": "n: {n}",
            "bounds": (("n", Bound(0, 2, 0, 1)),),
            "period_ps": 507 * MS,
            "baud": 9_600,
            "times": 3,
            "first_by_ps": 4 * MS,
            "tolerance_ppm": 9_000,
            "window": Window(6 * MS, 2 * S),
        },
        (
            Bad("skips one", counting((2, "n = 3")), 1005 * MS, "n is 3, after 1 should come 2"),
            Bad(
                "starts at one",
                counting(*((i, f"n = {i + 1}") for i in range(4))),
                5 * MS,
                "the first should be 0",
            ),
            Bad("a letter off", counting((1, "N = 1")), 505 * MS, 'console said "N = 1"'),
            Bad("something else too", counting().says(1700 * MS, "oops\n"), 1700 * MS, "oops"),
            Bad("too slow", counting(period=511 * MS), 515 * MS, "511 ms after the time before"),
            Bad("too quick", counting(period=489 * MS), 494 * MS, "489 ms after"),
            Bad("baud 3 % off", counting(baud=118_700), 5 * MS, "118700 baud"),
            Bad("nothing", Painter(), 5 * MS, "never"),
            Bad("no line's end", counting(last=""), 1506 * MS, "without ending the line"),
            Bad(
                "a broken frame",
                Painter().says(5 * MS, "n = 0\r\n", error="framing"),
                5 * MS,
                "framing",
            ),
            Bad(
                "falls silent",
                Painter().says(5 * MS, "n = 0\n").says(505 * MS, "n = 1\n"),
                1015 * MS,
                "for the last time at 505 ms; expected it again by 1.015 s",
            ),
        ),
    ),
    Case(
        "says so often, among other things",
        Says("console", "hello", times=2, only=False, window=Window(0, 2 * S)),
        Painter().says(10 * MS, "hello\n").says(S, "other\n").says(1200 * MS, "hello\n"),
        {"times": 1, "only": True, "pattern": "hell", "period_ps": 500 * MS},
        (
            Bad(
                "thrice",
                Painter().says(10 * MS, "hello\nhello\nhello\n"),
                11 * MS,
                "3 times, the one too many",
            ),
            Bad("once", Painter().says(10 * MS, "hello\n"), 2 * S, "only 1 times"),
        ),
    ),
    Case(
        "replies",
        Replies("console", "ping", "pong {n}", (("n", Bound(most=7)),), 100 * MS, Window(0, 2 * S)),
        ping("pong 7\r\n"),
        {
            "port": "USART1",
            "text": "pin ",
            "pattern": "pong",
            "bounds": (("n", Bound(most=6)),),
            "within_ps": 5 * MS,
            "window": Window(600 * MS, 2 * S),
        },
        (
            Bad("says nothing", ping(""), 600 * MS, "it said nothing"),
            Bad("says something else", ping("pang 7\r\n"), 600 * MS, 'said only "pang 7"'),
            Bad("too big", ping("pong 8\r\n"), 505 * MS, "n is 8, above 7"),
            Bad("too late", ping("pong 7\r\n", 700 * MS), 600 * MS, "within 100 ms"),
        ),
        stimuli=PING,
        unsure=frozenset({"port", "text", "window"}),
    ),
    Case(
        "a display shows",
        Shows("LCD", "text", "hello", within_ps=100 * MS, window=Window(S, 2 * S)),
        Painter().shows("LCD", "text", (0, ""), (S + 100 * MS, "hello")),
        {
            "subject": "SERVO",
            "what": "picture",
            "value": "hell",
            "within_ps": 100 * MS - 1,
            "window": Window(S - 1, 2 * S),
        },
        (
            Bad(
                "a picosecond late",
                Painter().shows("LCD", "text", (0, ""), (S + 100 * MS + 1, "hello")),
                S + 100 * MS,
                'shows the text "" at 1.1 s; expected "hello"',
            ),
            Bad(
                "another text for a moment",
                Painter().shows(
                    "LCD", "text", (S, "hello"), (1500 * MS, "hullo"), (1500 * MS + 1, "hello")
                ),
                1500 * MS,
                'shows the text "hullo" at 1.5 s',
            ),
            Bad("nothing", Painter(), S + 100 * MS, "nothing that can be told"),
            Bad(
                "another line",
                Painter().shows("LCD", "text", (S, "hello\n.")),
                S + 100 * MS,
                '"hello\\n."',
            ),
        ),
    ),
    Case(
        "a transfer on I2C",
        Transfers(
            "I2C1", 0x50, writes=(0x10,), reads=(0xA1, None), least=1, most=2, window=Window(0, S)
        ),
        Painter()
        .i2c(100 * MS, 0x50, writes="10", reads="a1a2")
        .i2c(200 * MS, 0x51, writes="10", reads="a1a2")
        .i2c(300 * MS, 0x50, writes="10a1")
        .i2c(400 * MS, 0x50, answered=False),
        {
            "port": "I2C2",
            "address": 0x52,
            "writes": (0x11,),
            "reads": (0xA1, 0xA3),
            "least": 2,
            "most": 0,
            "window": Window(101 * MS, S),
        },
        (
            Bad(
                "another byte",
                Painter().i2c(MS, 0x50, writes="10", reads="a2a2"),
                MS,
                "it made another at 1 ms: wrote 10, read a2 a2",
            ),
            Bad("a byte more", Painter().i2c(MS, 0x50, writes="1010", reads="a1a2"), MS, "10 10"),
            Bad("nobody there", Painter().i2c(MS, 0x50, answered=False), MS, "nobody answered"),
            Bad(
                "not acknowledged",
                Painter().i2c(MS, 0x50, writes="10", reads="a1a2", acked=0),
                MS,
                "not all acknowledged",
            ),
            Bad("nothing", Painter(), S, "none at all"),
            Bad(
                "thrice",
                Painter()
                .i2c(MS, 0x50, writes="10", reads="a1a2")
                .i2c(11 * MS, 0x50, writes="10", reads="a1a2")
                .i2c(21 * MS, 0x50, writes="10", reads="a1a2"),
                21 * MS,
                "the one too many",
            ),
        ),
    ),
    Case(
        "a display shows a picture",
        Shows(
            "OLED", "picture", "#.\n.#", within_ps=100 * MS, window=Window(S, 2 * S), corner=(8, 4)
        ),
        Painter().pictures("OLED", (0, BLANK), (S + 100 * MS, spots((8, 4), (9, 5)))),
        {"corner": (9, 4), "value": "#.\n##", "within_ps": 100 * MS - 1},
        (
            Bad(
                "a picosecond late",
                Painter().pictures("OLED", (0, BLANK), (S + 100 * MS + 1, spots((8, 4), (9, 5)))),
                S + 100 * MS,
                "all is dark there, 2 pixels should be lit",
            ),
            Bad(
                "one pixel more for a moment",
                Painter().pictures(
                    "OLED",
                    (S, spots((8, 4), (9, 5))),
                    (1500 * MS, spots((8, 4), (9, 4), (9, 5))),
                    (1500 * MS + 1, spots((8, 4), (9, 5))),
                ),
                1500 * MS,
                "1 of 4 pixels differ (3 lit of 2), the first at (9, 4) is lit instead of dark",
            ),
            Bad(
                "what cannot be told",
                Painter()
                .pictures("OLED", (S, spots((8, 4), (9, 5))))
                .shows("OLED", "picture", (1500 * MS, None)),
                1500 * MS,
                "nothing that can be told",
            ),
            Bad("nothing", Painter(), S + 100 * MS, "nothing that can be told"),
        ),
    ),
    Case(
        "a display shows a picture on all of it",
        Shows("OLED", "picture", spots((127, 31)).text(), window=Window(0, S)),
        Painter().pictures("OLED", (0, spots((127, 31)))),
        {"value": BLANK.text()},
        (
            Bad(
                "a pixel elsewhere",
                Painter().pictures("OLED", (0, spots((127, 31), (0, 0)))),
                100 * MS,
                "the first at (0, 0) is lit instead of dark",
            ),
        ),
    ),
    Case(
        "so many pixels are lit",
        Shows("OLED", "lit", 12, within_ps=0, window=Window(0, S)),
        Painter().shows("OLED", "lit", (0, 12)),
        {"value": 13},
        (Bad("one less", Painter().shows("OLED", "lit", (0, 11)), 0, "shows 11 lit pixels"),),
    ),
    Case(
        "a servo shows",
        Shows("SERVO", "angle", 90_000, 2_000, 0, Window(S, 2 * S)),
        Painter().shows("SERVO", "angle", (0, None), (S, 92_000)),
        {"tolerance": 1_999, "value": 89_999},
        (
            Bad(
                "a little further",
                Painter().shows("SERVO", "angle", (S, 92_001)),
                S,
                "shows the angle 92.001° at 1 s; expected 90°",
            ),
            Bad(
                "no pulses",
                Painter().shows("SERVO", "angle", (S, 90_000), (1800 * MS, None)),
                1800 * MS,
                "nothing that can be told",
            ),
        ),
    ),
    Case(
        "a colour is shown",
        Shows("RGB", "colour", "#ff8000", 10, 0, Window(S, 2 * S)),
        Painter().shows("RGB", "colour", (S, "#f5760a")),
        {"tolerance": 9},
        (
            Bad(
                "too blue",
                Painter().shows("RGB", "colour", (S, "#ff800b")),
                S,
                "#ff800b",
            ),
        ),
    ),
    Case(
        "nobody acknowledges",
        Transfers("I2C1", 0x23, answered=False),
        Painter().i2c(100 * MS, 0x23, answered=False),
        {"answered": True},
        (Bad("somebody does", Painter().i2c(MS, 0x23, writes="00"), MS, "wrote 00"),),
    ),
    Case(
        "a transfer on SPI",
        Transfers("SPI1", select="PB6", writes=(0x9F, None), reads=(None, 0xEF), most=1),
        Painter().spi(MS, "PB6", (0x9F, 0xFF), (0, 0xEF)).spi(10 * MS, "PB6", (6, 0xFF)),
        {"select": "PB5", "writes": (0x9E, None), "reads": (None, 0xEE)},
        (
            Bad(
                "cut in two",
                Painter().spi(MS, "PB6", (0x9F, 0)).spi(9 * MS, "PB6", (0, 0xEF)),
                MS,
                "wrote 9f",
            ),
            Bad(
                "a frame more", Painter().spi(MS, "PB6", (0x9F, 0), (0, 0xEF), (0, 0)), MS, "00 00"
            ),
        ),
    ),
    Case(
        "asleep",
        Asleep(900_000, Window(0, S)),
        asleep(900),
        {"least_ppm": 900_001, "window": Window(1 * MS, S)},
        (
            Bad("a millisecond less", asleep(899), S, "89.9 % of the time; expected at least 90 %"),
            Bad("never", Painter(S), S, "sleeps 0 %"),
        ),
    ),
    Case(
        "quiet",
        Quiet(("LD2", "console")),
        Painter().levels("PA5", (SETUP, 1)).levels("PA2", (SETUP, 1)).presses(500 * MS),
        {"but": ("LD2",)},
        (
            Bad("another pin", Painter().levels("PB3", (S, 0)), S, "PB3 moves at 1 s, from float"),
            Bad("a wave", Painter().wave("PA7", S, MS, MS), S, "PA7 moves"),
            Bad("a debug pin", Painter().levels("PA13", (S, None)), S, "from high to floating"),
        ),
        stimuli=(Press("B1", 500 * MS, 100 * MS),),
    ),
]


def test_every_kind_of_expectation_has_cases() -> None:
    covered = {type(case.expectation) for case in CASES}
    assert covered == set(get_args(Expectation))


def test_every_field_of_every_kind_is_changed_somewhere() -> None:
    for kind in get_args(Expectation):
        changed = {field for c in CASES if type(c.expectation) is kind for field in c.changed}
        assert changed == {f.name for f in fields(kind)}, kind.__name__


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_what_just_meets_it_passes(case: Case) -> None:
    finding = found(case.expectation, case.good, case.stimuli)
    assert finding.outcome is Outcome.PASS, finding.text
    assert finding.departure is None


@pytest.mark.parametrize(
    ("case", "bad"),
    [pytest.param(c, bad, id=f"{c.name}: {bad.name}") for c in CASES for bad in c.bad],
)
def test_a_slight_departure_fails_at_its_moment_in_words(case: Case, bad: Bad) -> None:
    finding = found(case.expectation, bad.painter, case.stimuli)
    assert finding.outcome is Outcome.FAIL, finding.text
    assert finding.departure is not None
    assert bad.words in finding.text
    assert abs(finding.departure.t_ps - bad.t_ps) <= MS, finding


@pytest.mark.parametrize(
    ("case", "field", "value"),
    [
        pytest.param(c, field, value, id=f"{c.name}: {field}")
        for c in CASES
        for field, value in c.changed.items()
    ],
)
def test_another_expectation_does_not_pass(case: Case, field: str, value: object) -> None:
    other = replace(case.expectation, **{field: value})
    finding = found(other, case.good, case.stimuli)
    if field in case.unsure:
        assert finding.outcome is not Outcome.PASS, finding.text
    else:
        assert finding.outcome is Outcome.FAIL, finding.text


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_contract_of_each_case_makes_sense(case: Case) -> None:
    from tests.verdict.trace_painter import contract

    made = contract(case.expectation, span_ps=case.good.span_ps, stimuli=case.stimuli)
    check_contract(made, BOARD)


def test_drive_is_a_stimulus_that_frees_its_pin() -> None:
    painter = Painter().does(500 * MS, "PA0").levels("PA0", (500 * MS, 1))
    finding = found(Quiet(), painter, (Drive("PA0", 500 * MS, 1),))
    assert finding.outcome is Outcome.PASS
