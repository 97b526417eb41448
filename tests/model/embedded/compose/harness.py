"""Compose, link, run in the machine, and hold what was seen against the reference."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import zip_longest

from fwgen.board import load_board
from fwgen.contract import Press
from fwgen.image.link import link
from fwgen.image.types import Image
from fwgen.machine.machine import Machine
from fwgen.model.embedded.behaviour import Follow, Line, Play, Program, Put, Rule, Step
from fwgen.model.embedded.compose import compose
from fwgen.model.embedded.compose.blocks.edges import SETTLE_PS
from fwgen.trace import Fault, Gap, Hazard, SerialByte, Trace
from tests.model.embedded.compose.reference import Expected, Hold, Reference

US, MS, S = 10**6, 10**9, 10**12
BOARD = load_board("nucleo-f401")
CLOCK = 16_000_000
LED = Line("PA5", "LD2")
B1 = Line("PC13", "B1", active=0)
LATENCY = 60 * US  # from a moment to what the core does about it
GLITCH = 30 * US  # two rules at one moment on one line


def line(pin: str, active: int = 1) -> Line:
    return Line(pin, pin, active)


def blink(lines: tuple[Line, ...] | Line, on: int, off: int, times: int | None = None) -> Play:
    lines = (lines,) if isinstance(lines, Line) else lines
    return Play(
        (Step(tuple((x, 1) for x in lines), on), Step(tuple((x, 0) for x in lines), off)), times
    )


@dataclass
class Seen:
    image: Image
    trace: Trace
    program: Program

    def edges(self, what: Line) -> list[tuple[int, int]]:
        """When a line went on (1) and off (0), from off at reset, glitches left out."""
        found: list[tuple[int, int]] = []
        for t, level in self.trace.edges(what.pin):
            on = int(level == what.active) if level is not None else 0
            if found and t - found[-1][0] < GLITCH:
                found.pop()
            if on != (found[-1][1] if found else 0):
                found.append((t, on))
        return found

    def text(self, port: str = "USART2") -> str:
        return bytes(e.byte for e in self._bytes(port)).decode()

    def lines(self, port: str = "USART2") -> list[tuple[int, str]]:
        """Every whole line with the time of its first start bit."""
        found, begun, data = [], 0, bytearray()
        for event in self._bytes(port):
            if not data:
                begun = event.start_ps
            data.append(event.byte)
            if data.endswith(b"\r\n"):
                found.append((begun, data[:-2].decode()))
                data = bytearray()
        return found

    def _bytes(self, port: str) -> list[SerialByte]:
        return [e for e in self.trace.events if isinstance(e, SerialByte) and e.port == port]

    @property
    def awake(self) -> float:
        return self.trace.awake_cycles / (self.trace.span_ps * CLOCK / 10**12)


def program(*rules: Rule) -> Program:
    return Program(rules)


def run(what: Program, span: int, holds: tuple[Hold, ...] = ()) -> Seen:
    """Run a program; whatever is wrong with it anyway fails here."""
    image = link(compose(what, BOARD), BOARD)
    assert image == link(compose(what, BOARD), BOARD)
    stimuli = [Press(h.source.name, h.down, h.up - h.down, h.bounce) for h in holds]
    trace = Machine(BOARD).run(image, stimuli, span)
    wrong = [e for e in trace.events if isinstance(e, (Fault, Hazard, Gap))]
    assert not wrong, (wrong, str(image.listing))
    return Seen(image, trace, what)


def expect(what: Program, span: int, holds: tuple[Hold, ...] = ()) -> Expected:
    bauds = {baud: CLOCK / round(CLOCK / baud) for baud in (9600, 19200, 57600, 115_200)}
    return Reference(what, holds, SETTLE_PS, bauds).run(span)


def check(what: Program, span: int, holds: tuple[Hold, ...] = (), *, slack: int = 0) -> Seen:
    """Run a program and hold every edge and every line of text against the reference."""
    seen, expected = run(what, span, holds), expect(what, span, holds)
    lines = {x.pin: x for rule in what.rules for x in _lines(rule)}
    for pin, levels in expected.levels.items():
        edges = seen.edges(lines[pin])
        _compare(pin, edges, levels, span, slack, seen)
    for port, said in expected.said.items():
        _compare(port, seen.lines(port), said, span, slack + 400 * US, seen)
    return seen


def _lines(rule: Rule) -> tuple[Line, ...]:
    action = rule.action
    if isinstance(action, Play):
        return action.lines
    return (action.line,) if isinstance(action, (Put, Follow)) else ()


def _compare(name: str, got: list, wanted: list, span: int, slack: int, seen: Seen) -> None:
    margin = 2 * MS + slack  # of the end: what is due there may or may not be seen yet
    got = [x for x in got if x[0] < span - margin]
    wanted = [x for x in wanted if x[0] < span - margin]
    for i, (one, two) in enumerate(zip_longest(got, wanted)):
        shown = (
            f"{name}, number {i}: got {got[max(0, i - 2) : i + 4]}, "
            f"wanted {wanted[max(0, i - 2) : i + 4]}\n{seen.program}\n{seen.image.listing}"
        )
        assert one is not None, shown
        assert two is not None, shown
        assert one[1] == two[1], shown
        drift = two[0] // 10_000  # 100 ppm, where ticks of unlike lengths take turns
        assert -US - slack - drift <= one[0] - two[0] <= LATENCY + slack + drift, shown
