"""The record of one run, and its JSON Lines."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, fields
from fractions import Fraction
from math import lcm
from typing import TYPE_CHECKING, TypeVar

from fwgen.errors import InputError
from fwgen.picture import unpack
from fwgen.trace.events import (
    EVENTS,
    Burst,
    Edge,
    Event,
    Pictured,
    Reset,
    Sleep,
    Voltage,
    Wake,
    Wave,
)
from fwgen.trace.watched import Heard, Sampled, Watched

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_E = TypeVar("_E", bound=Event)


@dataclass(frozen=True, slots=True)
class Run:
    """A stretch of a pin's life: a steady ``level``, or a Wave, in [start_ps, stop_ps).

    It began at ``start_ps`` give or take ``blur_ps``.
    """

    start_ps: int
    stop_ps: int
    level: int | None
    wave: Wave | None = None
    blur_ps: int = 0


@dataclass(frozen=True, slots=True)
class Trace:
    """All that a bench saw between reset (0) and ``span_ps``, in order of time.

    ``initial`` holds the level of each pin at reset; pins not named float (None).
    ``awake_cycles`` is the number of core cycles not spent asleep, over the whole span.
    ``resolution_ps`` is how well the bench can tell times apart: 0 for the machine.
    ``cycles`` says which end of the manuals' cycle counts a machine took ("least" or "most"; "" is
    the typical). ``watched`` says what it could see and how well; None: everything, which only the
    machine can.
    """

    bench: str
    board: str
    span_ps: int
    events: tuple[Event, ...]
    initial: Mapping[str, int | None] = field(default_factory=dict)
    awake_cycles: int = 0
    resolution_ps: int = 0
    watched: Watched | None = None
    cycles: str = ""
    # Each pin's events and life, sorted out once: a trace of many events is asked many questions.
    _moves: dict[str, list[Edge | Wave]] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )
    _lives: dict[str, tuple[Run, ...]] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    def of(self, kind: type[_E]) -> Iterator[_E]:
        """The events of one class, in order of time."""
        return (e for e in self.events if isinstance(e, kind))

    def moving_pins(self) -> tuple[str, ...]:
        """The pins that an event of this trace moves or drives, by name."""
        return tuple(sorted(self._moves_by_pin()))

    def runs(self, pin: str) -> tuple[Run, ...]:
        """The life of a pin, as consecutive steady levels and waves covering [0, span)."""
        if pin not in self._lives:
            self._lives[pin] = self._life(pin)
        return self._lives[pin]

    def _moves_by_pin(self) -> dict[str, list[Edge | Wave]]:
        if not self._moves:
            bursts: set[str] = set()
            for event in self.events:
                if isinstance(event, (Edge, Wave)):
                    self._moves.setdefault(event.pin, []).append(event)
                elif isinstance(event, Burst):
                    moves = self._moves.setdefault(event.pin, [])
                    moves.append(Edge(event.t_ps, event.pin, event.level))
                    bursts.add(event.pin)
                    levels = (event.level ^ 1, event.level)
                    moves += [
                        Edge(event.t_ps + after, event.pin, levels[n & 1])
                        for n, after in enumerate(event.after_ps)
                    ]
            for pin in bursts:
                self._moves[pin] = _in_order(self._moves[pin])
        return self._moves

    def _life(self, pin: str) -> tuple[Run, ...]:
        made: list[Run] = []
        start, level, wave, blur = 0, self.initial.get(pin), None, 0
        for event in self._moves_by_pin().get(pin, ()):
            if event.t_ps >= self.span_ps:
                break
            if event.t_ps > start:
                made.append(Run(start, event.t_ps, level, wave, blur))
            start, level = event.t_ps, event.level
            wave = event if isinstance(event, Wave) else None
            blur = event.blur_ps if isinstance(event, Edge) else 0
        if self.span_ps > start:
            made.append(Run(start, self.span_ps, level, wave, blur))
        return tuple(made)

    def edges(self, pin: str) -> Iterator[tuple[int, int | None]]:
        """Every change of level of a pin as (t_ps, new level), waves written out."""
        level = self.initial.get(pin)
        for run in self.runs(pin):
            for t, new in expand(run):
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

    def voltages(self, pin: str) -> tuple[tuple[int, int, Voltage], ...]:
        """What held a pin at which voltage from outside, as (start_ps, stop_ps, what)."""
        told = [e for e in self.of(Voltage) if e.pin == pin and e.t_ps < self.span_ps]
        stops = [*(e.t_ps for e in told[1:]), self.span_ps]
        return tuple(
            (e.t_ps, stop, e) for e, stop in zip(told, stops, strict=False) if stop > e.t_ps
        )

    def asleep_ps(
        self, start_ps: int = 0, stop_ps: int | None = None, *, mode: str | None = None
    ) -> int:
        """Time spent asleep within a window; of one ``mode`` ("stop" ...), or of them all."""
        stop = self.span_ps if stop_ps is None else min(stop_ps, self.span_ps)
        total, since = 0, None
        for event in self.events:
            if isinstance(event, Sleep) and since is None:
                since = event.t_ps if mode in (None, event.mode) else None
            elif isinstance(event, (Wake, Reset)) and since is not None:
                total += max(0, min(event.t_ps, stop) - max(since, start_ps))
                since = None
        if since is not None:
            total += max(0, stop - max(since, start_ps))
        return total


def _in_order(moves: list[Edge | Wave]) -> list[Edge | Wave]:
    """The moves of a pin without those of a burst that a later event cut short."""
    made: list[Edge | Wave] = []
    for move in moves:
        while made and made[-1].t_ps > move.t_ps:
            made.pop()
        made.append(move)
    return made


def expand(run: Run) -> Iterator[tuple[int, int | None]]:
    """The changes of level within a run as (t_ps, level), its beginning first.

    Times that a wave puts between two picoseconds are rounded down.
    """
    yield run.start_ps, run.level
    if run.wave is None:
        return
    wave = run.wave
    # Integers of 1/d ps are many times faster than Fractions, and as exact.
    d = lcm(wave.first_ps.denominator, wave.second_ps.denominator)
    high, low = int(wave.first_ps * d), int(wave.second_ps * d)
    if high + low <= 0:
        return
    t, stop, level = run.start_ps * d, run.stop_ps * d, wave.level
    while True:
        t += high if level == wave.level else low
        if t // d * d >= stop:
            return
        level ^= 1
        yield t // d, level


_NAMES = {cls: tuple(f.name for f in fields(cls)) for cls in EVENTS.values()}
_NAMES[Edge] = _NAMES[Edge][:-1]  # blur_ps stands only where there is any


def dump_trace(trace: Trace) -> str:
    """The trace as JSON Lines: a header, then one event a line; the same trace, the same text."""
    header: dict[str, object] = {
        "fwgen_trace": 1,
        "bench": trace.bench,
        "board": trace.board,
        "span_ps": trace.span_ps,
        "awake_cycles": trace.awake_cycles,
        "resolution_ps": trace.resolution_ps,
        "initial": dict(sorted(trace.initial.items())),
    }
    if trace.cycles:
        header["cycles"] = trace.cycles
    if trace.watched is not None:
        header["watched"] = asdict(trace.watched)
    encode = json.JSONEncoder(default=_plain).encode
    lines = [encode(header)]
    for event in trace.events:
        names = _NAMES[type(event)]
        data = {"kind": event.KIND} | {name: getattr(event, name) for name in names}
        if isinstance(event, Edge) and event.blur_ps:
            data["blur_ps"] = event.blur_ps
        lines.append(encode(data))
    return "\n".join(lines) + "\n"


def _plain(value: object) -> object:
    return str(value) if isinstance(value, Fraction) else dict(value)  # type: ignore[call-overload]


def load_trace(text: str, where: str = "trace") -> Trace:
    """Read what ``dump_trace`` wrote. Raises InputError that names the line."""
    number = 0
    header: dict[str, object] | None = None
    events: list[Event] = []
    try:
        for line in text.splitlines():
            number += 1
            if not line.strip():
                continue
            data = json.loads(line)
            if header is None:
                header = _header(data)
            else:
                events.append(_event(data))
        if header is None:
            raise ValueError("it is empty")  # noqa: TRY301
        return Trace(events=tuple(events), **header)  # type: ignore[arg-type]
    except (ValueError, KeyError, TypeError, AttributeError, ZeroDivisionError) as error:
        raise InputError(
            f"not a trace: {error}",
            where=f"{where}, line {number}",
            hint="fwgen writes trace.jsonl",
        ) from None


def _header(data: dict[str, object]) -> dict[str, object]:
    if data.pop("fwgen_trace", None) != 1:
        raise ValueError("the first line is no header of version 1")
    if not isinstance(data.get("span_ps"), int):
        raise TypeError("span_ps is missing")
    if data.get("watched") is not None:
        data["watched"] = _watched(data["watched"])  # type: ignore[arg-type]
    return data


def _watched(data: dict[str, dict[str, dict[str, object]]]) -> Watched:
    pins = {
        name: Sampled(
            int(str(how["every_ps"])),
            tuple((int(a), int(b)) for a, b in how["holes"]),  # type: ignore[attr-defined]
        )
        for name, how in data["pins"].items()
    }
    ports = {name: Heard(**how) for name, how in data["ports"].items()}  # type: ignore[arg-type]
    return Watched(**{**data, "pins": pins, "ports": ports})  # type: ignore[arg-type]


def _event(data: dict[str, object]) -> Event:
    kind = data.pop("kind", None)
    cls = EVENTS.get(str(kind))
    if cls is None:
        raise ValueError(f"there is no kind of event {kind!r}")
    if not isinstance(data.get("t_ps"), int):
        raise TypeError("t_ps is missing")
    if cls is Burst:
        data["after_ps"] = tuple(int(after) for after in data["after_ps"])  # type: ignore[attr-defined]
    if cls is Wave:
        data |= {key: Fraction(str(data[key])) for key in ("first_ps", "second_ps")}
    if cls is Pictured:
        # Whatever a file holds: what is no picture is refused.
        unpack(data["width"], data["height"], data["bits"])  # type: ignore[arg-type]
    return cls(**data)  # type: ignore[arg-type]
