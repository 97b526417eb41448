"""What a sentence means: a program of rules, free of words and of machine code.

The reader makes a ``Program`` from a sentence; the composer makes machine code from it, and the
specifier makes the contract. Times are picoseconds; a ``Line`` is a pin with its own idea of
"on". Everything that happens is a ``Rule``: an action, when it starts, and what limits it.

    "blink the LED at 2 Hz"            Rule(Play(on 250 ms, off 250 ms, for ever))
    "send SOS in morse on D7"          Rule(Play(the dots and dashes, for ever))
    "traffic light on D2, D3, D4"      Rule(Play(steps over three lines, for ever))
    "print hello every second"         Rule(Say("hello"), every_ps=1 s)
    "toggle the LED on each press"     Rule(Put(LED, "toggle"), start=OnEdge(B1, pressed))
    "the LED follows the button"       Rule(Follow(LED, B1))
    "while B1 is held blink at 5 Hz"   Rule(Play(...), gate=Held(B1))
    "after 5 seconds turn on D4"       Rule(Put(D4, "on"), start=AtBoot(5 s))
    "LED on for 3 s then blink 1 Hz"   Rule(Put(on), stop 3 s) and Rule(Play, start=AtBoot(3 s))
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Line:
    """A pin used as an output or an input; ``active`` is the level that is on / pressed.

    ``name`` is what the user calls it, and the contract's subject. ``pull`` (inputs): what the
    chip must pull it to, None when the board does.
    """

    pin: str
    name: str
    active: int = 1
    pull: int | None = None


@dataclass(frozen=True, slots=True)
class Step:
    """For ``duration_ps`` these lines are on (1) or off (0); others keep what they had."""

    levels: tuple[tuple[Line, int], ...]
    duration_ps: int


@dataclass(frozen=True, slots=True)
class Play:
    """Go through steps ``times`` times (None: for ever); afterwards all its lines are off."""

    steps: tuple[Step, ...]
    times: int | None = None

    @property
    def lines(self) -> tuple[Line, ...]:
        """Every line that it drives, in order of first use."""
        return tuple(dict.fromkeys(line for step in self.steps for line, _ in step.levels))

    @property
    def period_ps(self) -> int:
        """How long one round takes."""
        return sum(step.duration_ps for step in self.steps)


@dataclass(frozen=True, slots=True)
class Put:
    """Turn a line on or off, or toggle it. A line that is toggled begins off."""

    line: Line
    level: Literal["on", "off", "toggle"]


@dataclass(frozen=True, slots=True)
class Follow:
    """The line is on while the source is pressed (``invert``: while it is not)."""

    line: Line
    source: Line
    invert: bool = False


@dataclass(frozen=True, slots=True)
class Count:
    """How often this text has been said, from ``first`` in steps of ``step``; wraps at 2**32."""

    first: int = 0
    step: int = 1


@dataclass(frozen=True, slots=True)
class Uptime:
    """Time since reset when the line is begun, in whole units, rounded down."""

    unit: Literal["s", "ms"] = "s"


@dataclass(frozen=True, slots=True)
class Presses:
    """How often a button has been pressed (debounced) since reset."""

    source: Line


@dataclass(frozen=True, slots=True)
class State:
    """The state of a line as a word: ``on`` or ``off`` text."""

    line: Line
    on: str = "on"
    off: str = "off"


Part = str | Count | Uptime | Presses | State


@dataclass(frozen=True, slots=True)
class Say:
    """Send a line of text on a port; the composer ends it with CR LF."""

    port: str  # "USART2"
    parts: tuple[Part, ...]
    baud: int = 115_200


Action = Play | Put | Follow | Say


@dataclass(frozen=True, slots=True)
class AtBoot:
    """From ``after_ps`` after reset."""

    after_ps: int = 0


@dataclass(frozen=True, slots=True)
class OnEdge:
    """Each time a button is pressed (or released), debounced; ``after_ps`` later."""

    source: Line
    pressed: bool = True
    after_ps: int = 0


@dataclass(frozen=True, slots=True)
class Held:
    """Only while a button is held (``invert``: while it is not); lines are off otherwise."""

    source: Line
    invert: bool = False


@dataclass(frozen=True, slots=True)
class Rule:
    """An action, when it starts, how often, until when, and under which condition.

    ``every_ps``: the action (Say, Put) is done again and again at this interval, first at the
    start itself when ``at_once``, else one interval later. ``stop_ps``: it ends so long after
    its start, and its lines go off. ``clause`` is the user's words that it came from.
    """

    action: Action
    start: AtBoot | OnEdge = AtBoot()
    every_ps: int | None = None
    at_once: bool = True
    stop_ps: int | None = None
    gate: Held | None = None
    clause: str = ""


@dataclass(frozen=True, slots=True)
class Program:
    """All rules of a sentence, in its order."""

    rules: tuple[Rule, ...]
    prompt: str = ""
