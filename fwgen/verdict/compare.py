"""Where two benches saw different things of the same firmware.

A real clock is not exact (an HSI is good to 1 %), so pins are compared change by change, each
within a few percent of the time that has passed; text is compared line by line. What a rig cannot
see is left out: pins that move faster than it looks, and pins that were not watched.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from fwgen.contract.subjects import find, port_pins
from fwgen.contract.timing import STARTUP_PS
from fwgen.contract.words import quoted
from fwgen.trace import SerialByte
from fwgen.units import PPM, PS_PER_MS, show_duration
from fwgen.verdict.speech import lines_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from fwgen.board.types import Board
    from fwgen.contract.types import Contract
    from fwgen.trace import Trace

CLOCK_PPM = 30_000
"""How far the clocks of a board and of the machine may be apart: two oscillators at their worst."""

GRACE_PS = 5 * PS_PER_MS
"""What a press may be later or earlier on one bench than on the other."""

Change = tuple[int, int | None]


@dataclass(frozen=True, slots=True)
class Difference:
    """What the machine saw and what the rig saw instead, about ``t_ps``.

    ``subject`` is a pin, by the name of its part if it has one, or a port.
    """

    t_ps: int
    subject: str
    machine: str
    rig: str

    @property
    def text(self) -> str:
        """As a sentence."""
        return f"{self.subject}: in the machine {self.machine}; on the rig {self.rig}"


def differences(
    contract: Contract, machine: Trace, rig: Trace, board: Board
) -> tuple[Difference, ...]:
    """The first difference of each pin and port that both saw, in order of time."""
    watched = rig.watched
    if watched is None:
        return ()
    driven = {s.pin for s in (find(x.subject, board) for x in contract.stimuli) if s is not None}
    talking = {pin for port in watched.ports for pin in port_pins(port, board)}
    span = min(machine.span_ps, rig.span_ps, contract.span_ps)
    found = []
    for pin, sampled in watched.pins.items():
        if pin in driven or pin in talking:
            continue
        difference = _pin(pin, machine, rig, board, 2 * sampled.longest_ps(0, span), span)
        if difference is not None:
            found.append(difference)
    for port in watched.ports:
        difference = _port(port, machine, rig, span)
        if difference is not None:
            found.append(difference)
    return tuple(sorted(found, key=lambda d: d.t_ps))


def _give(t_ps: int, rig: Trace, blur_ps: int) -> int:
    zero = rig.watched.zero_ps if rig.watched is not None else 0
    return t_ps * CLOCK_PPM // PPM + zero + blur_ps + GRACE_PS


def _pin(
    pin: str, machine: Trace, rig: Trace, board: Board, unseen_ps: int, span: int
) -> Difference | None:
    runs = machine.runs(pin)
    for i, run in enumerate(runs):
        short = 0 < i < len(runs) - 1 and run.stop_ps - run.start_ps < unseen_ps
        if run.wave is not None or (short and run.start_ps > STARTUP_PS):
            return None  # too fast for this rig to follow
    part = next((p for p in board.parts.values() if p.pin == pin), None)
    name = part.name if part is not None else pin
    subject = find(name, board)
    assert subject is not None

    def word(level: int | None) -> str:
        if level is not None and not subject.active:
            level = 1 - level
        return subject.word(level)

    ours, theirs = _changes(machine, pin), _changes(rig, pin)
    blurs = max((run.blur_ps for run in rig.runs(pin)), default=0)
    for i in range(max(len(ours), len(theirs))):
        one = ours[i] if i < len(ours) else None
        two = theirs[i] if i < len(theirs) else None
        first = min(t for t, _ in (c for c in (one, two) if c is not None))
        give = _give(first, rig, blurs)
        if i == 0 and one is not None and one[1] is None:
            continue  # a rig cannot tell an input of the chip from an output
        if first + give >= span:
            return None  # the other may come just after the end
        if one is None or two is None or one[1] != two[1] or abs(one[0] - two[0]) > give:
            return Difference(
                first, name, _told(one, ours, i, word, first), _told(two, theirs, i, word, first)
            )
    return None


def _changes(trace: Trace, pin: str) -> list[Change]:
    """How a pin goes on once firmware has set it up: its level then, and its changes."""
    level = trace.level(pin, STARTUP_PS)
    return [(STARTUP_PS, level), *((t, new) for t, new in trace.edges(pin) if t > STARTUP_PS)]


def _told(
    change: Change | None,
    changes: Sequence[Change],
    i: int,
    word: Callable[[int | None], str],
    at_ps: int,
) -> str:
    before = changes[i - 1][1] if 0 < i <= len(changes) else None
    if change is None:
        return f"it stays {word(before)} from {show_duration(changes[-1][0])} on"
    if i == 0:
        return f"it is {word(change[1])} at {show_duration(at_ps)}"
    return f"it turns {word(change[1])} at {show_duration(change[0])}"


def _port(port: str, machine: Trace, rig: Trace, span: int) -> Difference | None:
    watched = rig.watched
    assert watched is not None
    ours, theirs = (
        lines_of([e for e in t.of(SerialByte) if e.port == port and e.direction == "tx"])
        for t in (machine, rig)
    )
    blur = 2 * watched.ports[port].blur_ps
    for i in range(max(len(ours), len(theirs))):
        one = ours[i] if i < len(ours) else None
        two = theirs[i] if i < len(theirs) else None
        at = min(line.start for line in (one, two) if line is not None)
        stop = max(line.stop for line in (one, two) if line is not None)
        give = _give(at, rig, blur)
        if stop + give >= span:
            return None
        said = [f"it said {quoted(line.text)} at {show_duration(line.start)}"
                if line is not None else "it said nothing more" for line in (one, two)]  # fmt: skip
        if one is None or two is None or one.text != two.text or abs(one.start - two.start) > give:
            return Difference(at, port, said[0], said[1])
    return None
