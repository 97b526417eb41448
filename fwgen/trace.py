"""What a bench saw: timestamped evidence, as data.

Times are picoseconds since reset release (``_ps``). A trace is complete between 0 and
``span_ps``; every pin that never appears kept the level it had at reset (``Trace.initial``).
Stored as JSON Lines (one event a line, a header first).
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, fields
from fractions import Fraction
from typing import TYPE_CHECKING, ClassVar

from fwgen.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened at ``t_ps``."""

    KIND: ClassVar[str] = ""
    t_ps: int


@dataclass(frozen=True, slots=True)
class Edge(Event):
    """A pin took a level: 0, 1, or None when nothing drives or pulls it."""

    KIND: ClassVar[str] = "edge"
    pin: str
    level: int | None


@dataclass(frozen=True, slots=True)
class Wave(Event):
    """From ``t_ps`` a pin repeats: ``first_ps`` at ``level``, then ``second_ps`` at the other.

    Starts with ``level`` at ``t_ps`` and lasts until the next Edge or Wave of the same pin.
    Durations are exact rationals, written "n/d", as timers make them from their clock.
    """

    KIND: ClassVar[str] = "wave"
    pin: str
    level: int
    first_ps: Fraction
    second_ps: Fraction


@dataclass(frozen=True, slots=True)
class SerialByte(Event):
    """One frame on a port; ``t_ps`` is the end of its stop bit, ``start_ps`` its start edge.

    ``direction`` is seen from the chip ("tx", "rx"); ``baud_mhz`` the rate on the wire in
    millibaud; ``error`` is "", "framing", "parity", "noise", "overrun" or "break".
    """

    KIND: ClassVar[str] = "serial"
    port: str
    direction: str
    byte: int
    baud_mhz: int
    start_ps: int
    error: str = ""


@dataclass(frozen=True, slots=True)
class Sleep(Event):
    """The core stopped executing: ``mode`` "sleep", "stop" or "standby"."""

    KIND: ClassVar[str] = "sleep"
    mode: str


@dataclass(frozen=True, slots=True)
class Wake(Event):
    """The core runs again; ``cause`` names the interrupt or event."""

    KIND: ClassVar[str] = "wake"
    cause: str


@dataclass(frozen=True, slots=True)
class Reset(Event):
    """The chip was reset; ``cause`` as RCC_CSR names it ("SFTRSTF", "IWDGRSTF" ...)."""

    KIND: ClassVar[str] = "reset"
    cause: str


@dataclass(frozen=True, slots=True)
class Clock(Event):
    """The core clock (HCLK) changed to ``hclk_mhz`` millihertz, from ``source``."""

    KIND: ClassVar[str] = "clock"
    hclk_mhz: int
    source: str


@dataclass(frozen=True, slots=True)
class Stimulated(Event):
    """The bench did something to the board: ``what`` in plain words."""

    KIND: ClassVar[str] = "stimulus"
    subject: str
    what: str


@dataclass(frozen=True, slots=True)
class Fault(Event):
    """The CPU faulted, or locked up. ``report`` reads like a debugger's."""

    KIND: ClassVar[str] = "fault"
    exception: str  # "HardFault", "UsageFault", "Lockup" ...
    reason: str  # what and where, one sentence
    pc: int
    report: str = ""
    registers: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Hazard(Event):
    """Silicon would misbehave, though the CPU does not fault.

    ``code`` is a stable name ("clock-off", "swd-remapped"); ``severity`` "error", "warning" or
    "note"; ``section`` the manual's; ``cure`` what to do.
    """

    KIND: ClassVar[str] = "hazard"
    code: str
    severity: str
    message: str
    pc: int
    section: str = ""
    cure: str = ""


@dataclass(frozen=True, slots=True)
class Gap(Event):
    """Firmware touched something that is not modelled."""

    KIND: ClassVar[str] = "gap"
    peripheral: str
    register: str  # name, or "+0x14"
    access: str  # "read" or "write"
    address: int
    pc: int
    detail: str = ""


EVENTS: Mapping[str, type[Event]] = {
    cls.KIND: cls
    for cls in (
        Edge, Wave, SerialByte, Sleep, Wake, Reset, Clock, Stimulated, Fault, Hazard, Gap,
    )
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Run:
    """A stretch of a pin's life: a steady ``level``, or a Wave, in [start_ps, stop_ps)."""

    start_ps: int
    stop_ps: int
    level: int | None
    wave: Wave | None = None


@dataclass(frozen=True, slots=True)
class Trace:
    """All that a bench saw between reset (0) and ``span_ps``, in order of time.

    ``initial`` holds the level of each pin at reset; pins not named float (None).
    ``awake_cycles`` is the number of core cycles not spent asleep, over the whole span.
    ``resolution_ps`` is how well the bench can tell times apart: 0 for the machine.
    """

    bench: str
    board: str
    span_ps: int
    events: tuple[Event, ...]
    initial: Mapping[str, int | None] = field(default_factory=dict)
    awake_cycles: int = 0
    resolution_ps: int = 0

    def of(self, kind: type[Event]) -> Iterator[Event]:
        """The events of one class, in order of time."""
        return (e for e in self.events if isinstance(e, kind))

    def runs(self, pin: str) -> tuple[Run, ...]:
        """The life of a pin, as consecutive steady levels and waves covering [0, span)."""
        made: list[Run] = []
        start, level, wave = 0, self.initial.get(pin), None
        for event in self.events:
            if isinstance(event, (Edge, Wave)) and event.pin == pin:
                if event.t_ps > start:
                    made.append(Run(start, event.t_ps, level, wave))
                start, level = event.t_ps, event.level
                wave = event if isinstance(event, Wave) else None
        if self.span_ps > start:
            made.append(Run(start, self.span_ps, level, wave))
        return tuple(made)

    def edges(self, pin: str) -> Iterator[tuple[int, int | None]]:
        """Every change of level of a pin as (t_ps, new level), waves written out."""
        level = self.initial.get(pin)
        for run in self.runs(pin):
            for t, new in _expand(run):
                if new != level:
                    yield t, new
                    level = new

    def level(self, pin: str, t_ps: int) -> int | None:
        """The level of a pin at a time: after any change at that very instant."""
        for run in self.runs(pin):
            if run.start_ps <= t_ps < run.stop_ps:
                if run.wave is None:
                    return run.level
                into = (t_ps - run.start_ps) % (run.wave.first_ps + run.wave.second_ps)
                return run.wave.level ^ (into >= run.wave.first_ps)
        return None

    def asleep_ps(self, start_ps: int = 0, stop_ps: int | None = None) -> int:
        """Time spent asleep within a window."""
        stop = self.span_ps if stop_ps is None else min(stop_ps, self.span_ps)
        total, since = 0, None
        for event in self.events:
            if isinstance(event, Sleep) and since is None:
                since = event.t_ps
            elif isinstance(event, (Wake, Reset)) and since is not None:
                total += max(0, min(event.t_ps, stop) - max(since, start_ps))
                since = None
        if since is not None:
            total += max(0, stop - max(since, start_ps))
        return total


def _expand(run: Run) -> Iterator[tuple[int, int | None]]:
    if run.wave is None:
        yield run.start_ps, run.level
        return
    t, level = Fraction(run.start_ps), run.wave.level
    while (now := int(t)) < run.stop_ps:
        yield now, level
        t += run.wave.first_ps if level == run.wave.level else run.wave.second_ps
        level ^= 1


def dump_trace(trace: Trace) -> str:
    """The trace as JSON Lines: a header, then one event a line; the same trace, the same text."""
    header = {
        "fwgen_trace": 1,
        "bench": trace.bench,
        "board": trace.board,
        "span_ps": trace.span_ps,
        "awake_cycles": trace.awake_cycles,
        "resolution_ps": trace.resolution_ps,
        "initial": dict(sorted(trace.initial.items())),
    }
    lines = [json.dumps(header)]
    lines += [
        json.dumps({"kind": event.KIND, **asdict(event)}, default=str) for event in trace.events
    ]
    return "\n".join(lines) + "\n"


def load_trace(text: str, where: str = "trace") -> Trace:
    """Read what ``dump_trace`` wrote. Raises InputError that names the line."""
    number = 0
    try:
        lines = [json.loads(line) for line in text.splitlines() if line.strip()]
        header, *rest = lines
        events = []
        for number, data in enumerate(rest, 2):
            cls = EVENTS[data.pop("kind")]
            if cls is Wave:
                data |= {k: Fraction(data[k]) for k in ("first_ps", "second_ps")}
            events.append(cls(**{f.name: data[f.name] for f in fields(cls)}))
        if header.pop("fwgen_trace") != 1:
            raise InputError("this trace is of another version", where=where)  # noqa: TRY301
        return Trace(events=tuple(events), **header)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(
            f"not a trace: {type(error).__name__} {error}", where=f"{where}, line {number or 1}"
        ) from None
