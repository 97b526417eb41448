"""For every kind of expectation: a firmware that meets it, and ones that depart slightly and fail.

The firmwares are real images, run in the machine; the departures are what a model gets wrong: a
rate a little off, a press counted twice, a letter missing.
"""

from __future__ import annotations

from functools import cache
from typing import get_args

import pytest

from fwgen.board import load_board
from fwgen.contract import (
    Asleep,
    Blinks,
    Bound,
    Contract,
    Counts,
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
)
from fwgen.image.emission import CodeLine, Emission, Relocation, Unit, WordLine
from fwgen.image.link import link
from fwgen.machine.machine import Machine
from fwgen.model.embedded.model import EmbeddedModel
from fwgen.thumb import encode
from fwgen.verdict import Outcome, judge

BOARD = load_board("nucleo-f401")
MS, S = 10**9, 10**12
PRESSES = (Press("B1", 500 * MS, 300 * MS, 4 * MS), Press("B1", 1500 * MS, 400 * MS, 4 * MS))


@cache
def image_of(prompt: str):
    model = EmbeddedModel()
    return link(model.emit(model.read(prompt, BOARD)), BOARD)


def outcome(image, expectation, stimuli=(), span_ps=4 * S):
    contract = Contract("near miss", BOARD.name, span_ps, tuple(stimuli), (expectation,))
    with Machine(BOARD) as machine:
        trace = machine.run(image, contract.stimuli, span_ps)
    return judge(contract, trace, BOARD)


def step(duration, **levels):
    return Step(tuple(levels.items()), duration)


# (expectation, prompt that meets it, prompts that just do not, stimuli)
CASES = [
    (
        Level("LED", 1, window=Window(1100 * MS, None)),
        "after 1 second turn on LED",
        ["after 1.2 seconds turn on LED", "after 1 second turn on D4"],
        (),
    ),
    (
        Blinks("LED", 500 * MS),
        "blink LED at 2 Hz",
        [
            "blink LED at 2.06 Hz",
            "blink LED at 1.94 Hz",
            "blink LED at 2 Hz with 53 % duty",
            "blink LED at 2 Hz for 3 seconds",
            "blink D4 at 2 Hz",
            "turn on LED",
        ],
        (),
    ),
    (
        Blinks("D7", 500 * MS, phase=Phase("LED", 250 * MS)),
        "blink LED and D7 alternately at 2 Hz",
        ["blink LED and D7 at 2 Hz"],
        (),
    ),
    (
        Pattern(
            (step(100 * MS, LED=1), step(200 * MS, LED=0), step(300 * MS, LED=1), step(S, LED=0))
        ),
        "LED on 100 ms, off 200 ms, on 300 ms, off 1 s",
        [
            "LED on 104 ms, off 200 ms, on 300 ms, off 1 s",
            "LED on 100 ms, off 200 ms, on 300 ms, off 0.97 s",
            "LED on 300 ms, off 200 ms, on 100 ms, off 1 s",
        ],
        (),
    ),
    (
        Pattern(
            (step(200 * MS, D2=1, D3=0), step(200 * MS, D2=0, D3=1), step(None, D2=0, D3=0)),
            repeat=False,
        ),
        "cycle through D2 and D3, 200 ms each, once",
        ["cycle through D2 and D3, 200 ms each", "cycle through D3 and D2, 200 ms each, once"],
        (),
    ),
    (
        Counts("LED", "pulse", 3, 3),
        "blink LED 3 times at 2 Hz",
        ["blink LED 4 times at 2 Hz", "blink LED twice at 2 Hz"],
        (),
    ),
    (
        Pwm("LED", 1_000_000, 250_000),
        "blink LED at 1 kHz with 25 % duty",
        ["blink LED at 1 kHz with 27 % duty", "blink LED at 1.03 kHz with 25 % duty"],
        (),
    ),
    (
        Tone("LED", 440_000),
        "blink LED at 440 Hz",
        ["blink LED at 443 Hz", "blink LED at 437 Hz", "turn on LED"],
        (),
    ),
    (
        Follows("LED", "B1", latency_ps=60 * MS),
        "LED follows the button",
        ["LED inverts the button", "toggle LED on each press of the button", "turn on the LED"],
        PRESSES,
    ),
    (
        Responds(Trigger("B1", "rising"), Trigger("LED", "rising"), 60 * MS),
        "pulse LED for 100 ms when the button is pressed",
        ["pulse LED for 100 ms when the button is released"],
        PRESSES,
    ),
    (
        Never(Trigger("LED", "rising")),
        "blink D4 at 2 Hz",
        ["after 3 seconds turn on LED"],
        (),
    ),
    (
        Exclusive(("D2", "D3")),
        "cycle through D2 and D3, 200 ms each",
        ["blink D2 and D3 at 2 Hz"],
        (),
    ),
    (
        Says("console", "count {n}", (("n", Bound(first=0, step=1)),), period_ps=500 * MS),
        'print "count" and a counter every 500 ms',
        [
            'print "count" and a counter every 520 ms',
            'print "count" and a counter from 1 every 500 ms',
            'print "count" and a counter from 0 in steps of 2 every 500 ms',
            'print "Count" and a counter every 500 ms',
            'print "count" and a counter every 500 ms and print "x" every 3 s',
        ],
        (),
    ),
    (
        Says("console", "{n}", (("n", Bound(tracks="presses:B1", first=1, step=1)),), times=2),
        "print the press count on each press of the button",
        ["print a counter on each press of the button", "print the press count every second"],
        PRESSES,
    ),
    (
        Asleep(999_000),
        "blink LED at 2 Hz",
        ["blink LED and D2 and D3 at 700 Hz and PC0 at 10 kHz"],
        (),
    ),
    (Quiet(("LED",)), "blink LED at 2 Hz", ["blink LED at 2 Hz and D4 at 1 Hz"], ()),
]


@pytest.mark.parametrize(("expectation", "good", "bad", "stimuli"), CASES)
def test_a_firmware_that_departs_slightly_fails(expectation, good, bad, stimuli):
    verdict = outcome(image_of(good), expectation, stimuli)
    assert verdict.outcome is Outcome.PASS, [f.text for f in verdict.all]
    for prompt in bad:
        finding = outcome(image_of(prompt), expectation, stimuli).findings[0]
        assert finding.outcome is Outcome.FAIL, f"{prompt}: {finding.text}"
        assert finding.departure is not None


def echo(reply: str):
    """A firmware that answers every byte on the console with ``reply`` and a line end."""
    text = reply.encode() + b"\r\n\0"
    code = [
        ("ldr r0, rcc", "THM_PC8 rcc"), ("movs r1, #1", ""), ("str r1, [r0, #0x30]", ""),
        ("lsls r1, r1, #17", ""), ("str r1, [r0, #0x40]", ""), ("dsb", ""),
        ("ldr r2, gpioa", "THM_PC8 gpioa"), ("ldr r1, moder", "THM_PC8 moder"),
        ("str r1, [r2, #0]", ""), ("ldr r1, afrl", "THM_PC8 afrl"), ("str r1, [r2, #0x20]", ""),
        ("ldr r3, usart", "THM_PC8 usart"), ("movs r1, #0x8b", ""), ("str r1, [r3, #8]", ""),
        ("ldr r1, cr1", "THM_PC8 cr1"), ("str r1, [r3, #12]", ""),
        ("wait: ldr r1, [r3, #0]", ""), ("lsls r1, r1, #26", ""), ("bpl wait", "THM_JUMP8 wait"),
        ("ldr r1, [r3, #4]", ""), ("ldr r4, text_at", "THM_PC8 text_at"),
        ("next: ldrb r5, [r4, #0]", ""), ("cbz r5, wait_again", "THM_JUMP6 wait_again"),
        ("full: ldr r1, [r3, #0]", ""), ("lsls r1, r1, #24", ""), ("bpl full", "THM_JUMP8 full"),
        ("str r5, [r3, #4]", ""), ("adds r4, #1", ""), ("b next", "THM_JUMP11 next"),
        ("wait_again: b wait", "THM_JUMP11 wait"),
    ]  # fmt: skip
    lines = []
    for asm, relocation in code:
        label, _, rest = asm.rpartition(": ")
        kind, _, symbol = relocation.partition(" ")
        placed = Relocation(kind, symbol) if kind else None
        lines.append(CodeLine(rest, encode(rest), placed, label or None))
    words = {
        "rcc": "RCC", "gpioa": "GPIOA", "moder": "0xa80000a0", "afrl": "0x7700",
        "usart": "USART2", "cr1": "0x200c", "text_at": "text",
    }  # fmt: skip
    units = [Unit("reset", "code", tuple(lines))]
    units += [Unit(name, "words", (WordLine(text_),)) for name, text_ in words.items()]
    units.append(Unit("text", "bytes", data=text))
    return link(Emission("answers every byte", tuple(units), (("Reset", "reset"),)), BOARD)


def test_a_reply_that_departs_slightly_fails():
    expectation = Replies("console", "?", "ready", within_ps=20 * MS)
    sent = (Send("console", 300 * MS, b"?"), Send("console", 900 * MS, b"?"))
    assert outcome(echo("ready"), expectation, sent, 2 * S).findings[0].outcome is Outcome.PASS
    for wrong in ("Ready", "read", "ready!"):
        finding = outcome(echo(wrong), expectation, sent, 2 * S).findings[0]
        assert finding.outcome is Outcome.FAIL, finding.text


def test_no_kind_of_expectation_is_left_out():
    # What parts show and what goes over buses is missed nearly by the programs of tests/firmware.
    tried = {type(case[0]) for case in CASES} | {Replies, Shows, Transfers}
    assert tried == set(get_args(Expectation))
