"""What a Program means, said again in the plainest way: an interpreter with a list of moments.

It shares nothing with the composer but the Program. Times are picoseconds since reset; a press
counts ``quiet_ps`` after its first edge.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass, field
from itertools import count

from fwgen.model.embedded.behaviour import (
    AtBoot,
    Count,
    Follow,
    Held,
    Line,
    OnEdge,
    Play,
    Presses,
    Program,
    Put,
    Rule,
    Say,
    State,
    Uptime,
)

FRAME_BITS = 10


@dataclass(frozen=True)
class Hold:
    """A button is down from ``down`` to ``up``, chattering for ``bounce`` at both ends."""

    source: Line
    down: int
    up: int
    bounce: int = 0


@dataclass
class Expected:
    """Levels of each line (as (time, on?) from the first change) and lines of text by port."""

    levels: dict[str, list[tuple[int, int]]] = field(default_factory=dict)
    said: dict[str, list[tuple[int, str]]] = field(default_factory=dict)


class Reference:
    def __init__(
        self, program: Program, holds: tuple[Hold, ...], quiet_ps: int, baud_of: dict[int, float]
    ) -> None:
        self.program, self.holds, self.quiet = program, holds, quiet_ps
        self.baud_of = baud_of
        self.moments: list[tuple[int, int, int, object]] = []
        self.order = count()
        self.on: dict[Line, int] = {}
        self.owner: dict[Line, object] = {}
        self.token: dict[int, object] = {}  # rule -> what it is doing now
        self.delayed: dict[int, object] = {}
        self.held: dict[Line, bool] = {}
        self.presses: dict[Line, int] = {}
        self.counts: dict[tuple[int, int], int] = {}
        self.waiting: dict[str, list[int]] = {}
        self.free_at: dict[str, int] = {}
        self.seen = Expected()

    def run(self, span: int) -> Expected:
        for rule in self.program.rules:
            for line in _outputs(rule):
                self.on.setdefault(line, 0)
                self.seen.levels.setdefault(line.pin, [])
        for number, rule in enumerate(self.program.rules):
            if isinstance(rule.action, Follow):
                self._follow(rule.action)
            elif isinstance(rule.start, AtBoot) and (rule.gate is None or rule.gate.invert):
                self.at(rule.start.after_ps, number, self._start, number)
        for hold in self.holds:
            self.at(hold.down + self.quiet, -50, self._edge, hold.source, True)
            self.at(hold.up + self.quiet, -50, self._edge, hold.source, False)
        while self.moments and self.moments[0][0] < span:
            t, _, _, what = heapq.heappop(self.moments)
            function, args = what  # type: ignore[misc]
            function(t, *args)
        return self.seen

    def at(self, t: int, order: int, function: object, *args: object) -> None:
        heapq.heappush(self.moments, (t, order, next(self.order), (function, args)))

    # ------------------------------------------------------------------ lines

    def set(self, t: int, line: Line, on: int) -> None:
        if self.on[line] != on:
            self.on[line] = on
            seen = self.seen.levels[line.pin]
            if seen and seen[-1][0] == t:  # there and back in no time
                seen.pop()
            else:
                seen.append((t, on))

    def _follow(self, follow: Follow) -> None:
        def change(t: int, pressed: bool) -> None:
            self.set(t, follow.line, int(pressed != follow.invert))

        change(0, False)
        for hold in self.holds:
            if hold.source == follow.source:
                self.at(hold.down, -60, lambda t: change(t, True))
                self.at(hold.up, -60, lambda t: change(t, False))

    def _edge(self, t: int, source: Line, pressed: bool) -> None:
        self.held[source] = pressed
        if pressed:
            self.presses[source] = self.presses.get(source, 0) + 1
        for number, rule in enumerate(self.program.rules):
            gate = rule.gate
            if gate and gate.source == source and not self._open(gate):
                self._stop(t, number)
        for number, rule in enumerate(self.program.rules):
            gate, start = rule.gate, rule.start
            if isinstance(start, OnEdge):
                if start.source == source and start.pressed == pressed:
                    self._later(t + start.after_ps, number)
            elif gate and gate.source == source and self._open(gate):
                self.at(t, number, self._start, number)

    def _later(self, t: int, number: int) -> None:
        """An edge while the delay of an earlier one runs begins the delay anew."""
        self.delayed[number] = token = object()

        def begin(now: int) -> None:
            if self.delayed[number] is token:
                self._start(now, number)

        self.at(t, number, begin)

    def _open(self, gate: Held) -> bool:
        return self.held.get(gate.source, False) != gate.invert

    def _start(self, t: int, number: int) -> None:
        rule = self.program.rules[number]
        if rule.gate and not self._open(rule.gate):
            return
        token = object()
        self.token[number] = token
        action = rule.action
        if isinstance(action, Play):
            self._play(t, number, token, action, rule)
        elif rule.every_ps is None:
            self._do(t, number)
            if rule.stop_ps is not None:
                self.at(t + rule.stop_ps, number - 1000, self._end, number, token)
        else:
            first = 0 if rule.at_once else rule.every_ps
            self._again(t + first, number, token, t)
            if rule.stop_ps is not None and isinstance(action, Put):
                self.at(t + rule.stop_ps, number - 1000, self._end, number, token)

    def _again(self, due: int, number: int, token: object, began: int) -> None:
        rule = self.program.rules[number]

        def act(t: int) -> None:
            if self.token[number] is token:
                self._do(t, number)
                self._again(t + (rule.every_ps or 0), number, token, began)

        if rule.stop_ps is None or due < began + rule.stop_ps:
            self.at(due, number, act)

    def _end(self, t: int, number: int, token: object) -> None:
        if self.token[number] is token:
            self._stop(t, number)

    def _stop(self, t: int, number: int) -> None:
        token = self.token.get(number)
        self.token[number] = None
        for line in _outputs(self.program.rules[number]):
            if self.owner.get(line) is token or not isinstance(
                self.program.rules[number].action, Play
            ):
                self.owner[line] = None
                self.set(t, line, 0)

    def _play(self, t: int, number: int, token: object, play: Play, rule: Rule) -> None:
        for line in play.lines:
            self.owner[line] = token

        def step(now: int, index: int, rounds: int) -> None:
            if self.token[number] is not token:
                return
            if index == len(play.steps):
                index, rounds = 0, rounds + 1
            if rounds == play.times:
                self._stop(now, number)
                return
            for line, level in play.steps[index].levels:
                if self.owner.get(line) is token:
                    self.set(now, line, level)
            self.at(now + play.steps[index].duration_ps, number, step, index + 1, rounds)

        step(t, 0, 0)
        if rule.stop_ps is not None:
            self.at(t + rule.stop_ps, number - 1000, self._end, number, token)

    def _do(self, t: int, number: int) -> None:
        action = self.program.rules[number].action
        if isinstance(action, Put):
            self.owner[action.line] = self.token[number]
            on = {"on": 1, "off": 0, "toggle": 1 - self.on[action.line]}[action.level]
            self.set(t, action.line, on)
        elif isinstance(action, Say):
            queue = self.waiting.setdefault(action.port, [])
            if number not in queue:
                queue.append(number)
            self.at(max(t, self.free_at.get(action.port, 0)), 5000, self._speak, action.port)

    # ------------------------------------------------------------------ text

    def _speak(self, t: int, port: str) -> None:
        queue = self.waiting[port]
        if not queue or self.free_at.get(port, 0) > t:
            return
        number = min(queue)
        queue.remove(number)
        say = self.program.rules[number].action
        assert isinstance(say, Say)
        text = "".join(self._part(t, number, i, part) for i, part in enumerate(say.parts))
        self.seen.said.setdefault(port, []).append((t, text))
        bits = FRAME_BITS * (len(text.encode()) + 2)
        self.free_at[port] = t + int(bits * 10**12 / self.baud_of[say.baud])
        self.at(self.free_at[port], 5000, self._speak, port)

    def _part(self, t: int, number: int, index: int, part: object) -> str:
        if isinstance(part, str):
            return part
        if isinstance(part, Count):
            value = self.counts.get((number, index), part.first)
            self.counts[number, index] = value + part.step
            return str(value % 2**32)
        if isinstance(part, Uptime):
            return str(t // {"s": 10**12, "ms": 10**9}[part.unit])
        if isinstance(part, Presses):
            return str(self.presses.get(part.source, 0))
        assert isinstance(part, State)
        return part.on if self.on.get(part.line) else part.off


def _outputs(rule: Rule) -> tuple[Line, ...]:
    action = rule.action
    if isinstance(action, Play):
        return action.lines
    if isinstance(action, (Put, Follow)):
        return (action.line,)
    return ()
