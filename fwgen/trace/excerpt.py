"""A trace in few lines: what moved, what was said, what went wrong; naps and frames folded."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fwgen.trace.events import (
    Burst,
    Clock,
    Edge,
    Event,
    Fault,
    Gap,
    Hazard,
    I2cTransfer,
    Reset,
    SerialByte,
    Shown,
    Sleep,
    SpiFrame,
    Stimulated,
    Voltage,
    Wake,
    Wave,
)
from fwgen.units import show_duration, show_voltage

if TYPE_CHECKING:
    from collections.abc import Iterable

    from fwgen.board.types import Board
    from fwgen.trace.record import Trace

LONGEST_SAID = 60  # bytes of a serial line, or frames of a bus, on one line of the excerpt
LONGEST = 240


def excerpt(
    trace: Trace,
    board: Board,
    *,
    start_ps: int = 0,
    stop_ps: int | None = None,
    subjects: Iterable[str] = (),
    without: tuple[type[Event], ...] = (),
) -> list[str]:
    """The events of a window, a line each.

    ``subjects``: only of these pins, ports and parts; ``without``: no events of these kinds. The
    pulses of a bus's pins are told only of pins that are asked for: the transfers tell more.
    """
    stop_ps = trace.span_ps if stop_ps is None else stop_ps
    only = frozenset(subjects)
    lines = _Lines(board)
    for event in trace.events:
        if isinstance(event, without) or (isinstance(event, Burst) and not only):
            continue
        if start_ps <= event.t_ps <= stop_ps and _wanted(event, only):
            lines.add(event)
    return lines.done()


def _wanted(event: Event, only: frozenset[str]) -> bool:
    if not only or isinstance(event, Fault | Hazard | Reset):
        return True
    return any(getattr(event, name, None) in only for name in ("pin", "port", "part", "subject"))


class _Lines:
    def __init__(self, board: Board) -> None:
        self._parts = {part.pin: part for part in board.parts.values()}
        self._lines: list[str] = []
        self._naps = 0
        self._said: dict[tuple[str, str], tuple[int, bytearray]] = {}
        self._frames: dict[str, list[SpiFrame]] = {}

    def add(self, event: Event) -> None:
        if isinstance(event, Sleep | Wake):
            self._naps += isinstance(event, Sleep)
            return
        if isinstance(event, SerialByte) and not event.error:
            key = (event.port, "says" if event.direction == "tx" else "hears")
            _, said = self._said.setdefault(key, (event.start_ps, bytearray()))
            said.append(event.byte)
            if event.byte == 0x0A or len(said) >= LONGEST_SAID:
                self._flush()
            return
        if isinstance(event, SpiFrame):
            frames = self._frames.setdefault(event.port, [])
            frames.append(event)
            if len(frames) >= LONGEST_SAID:
                self._flush()
            return
        self._flush()
        if line := self._line(event):
            self._lines.append(f"{show_duration(event.t_ps)} {line}"[:LONGEST])

    def done(self) -> list[str]:
        self._flush()
        return self._lines

    def _flush(self) -> None:
        """What was put off: an echo comes between the bytes that it repeats."""
        if self._naps:
            self._lines.append(f"(slept {self._naps} times)" if self._naps > 1 else "(slept)")
        for (port, verb), (since, said) in sorted(self._said.items(), key=lambda item: item[1][0]):
            self._lines.append(f"{show_duration(since)} {port} {verb} {bytes(said)!r}")
        for port, frames in self._frames.items():
            sent, heard = (_words(f.sent for f in frames), _words(f.heard for f in frames))
            line = f"{show_duration(frames[0].start_ps)} {port} sends {sent}, hears {heard}"
            self._lines.append(line[:LONGEST])
        self._naps = 0
        self._said.clear()
        self._frames.clear()

    def _line(self, event: Event) -> str:
        match event:
            case Edge():
                return f"{self._pin(event.pin)} {self._level(event.pin, event.level)}"
            case Wave():
                first, second = (show_duration(round(t)) for t in (event.first_ps, event.second_ps))
                level = self._level(event.pin, event.level)
                return (
                    f"{self._pin(event.pin)} goes on by itself: {level} for {first}, then {second}"
                )
            case Burst():
                return f"{self._pin(event.pin)} changes {len(event.after_ps) + 1} times at once"
            case I2cTransfer():
                return _transfer(event)
            case Voltage():
                return f"{self._pin(event.pin)} from {event.by or 'outside'}: {_held(event)}"
            case Shown():
                return f"{event.part} shows {event.what} {event.value!r}"
            case SerialByte():
                return f"{event.port} {event.direction} {event.byte:#04x} {event.error}".rstrip()
            case Reset():
                return f"RESET ({event.cause})"
            case Clock():
                return f"clock {event.hclk_mhz / 10**9:g} MHz from {event.source}"
            case Stimulated():
                return f"done to {event.subject}: {event.what}"
            case Fault():
                return f"FAULT {event.exception}: {event.reason}"
            case Hazard():
                return f"HAZARD {event.code}: {event.message}"
            case Gap():
                return f"NOT MODELLED {event.access} of {event.peripheral}.{event.register}"
            case _:
                return ""

    def _pin(self, pin: str) -> str:
        part = self._parts.get(pin)
        return f"{pin} ({part.name})" if part is not None else pin

    def _level(self, pin: str, level: int | None) -> str:
        if level is None:
            return "floats"
        part = self._parts.get(pin)
        if part is None:
            return "high" if level else "low"
        words = ("lit", "dark") if part.kind == "led" else ("pressed", "released")
        return words[level != part.active]


def _words(values: Iterable[int | None]) -> str:
    """What went over a line, in hex; "-" where nobody drove it or listened."""
    return " ".join("-" if value is None else f"{value:02x}" for value in values)


def _held(event: Voltage) -> str:
    if event.uv is None:
        return "let go"
    held = show_voltage(event.at(event.t_ps))
    if event.over_ps:
        held += f", to {show_voltage(event.to_uv)} within {show_duration(event.over_ps)}"
    return held


def _transfer(event: I2cTransfer) -> str:
    data = " ".join(event.data[at : at + 2] for at in range(0, len(event.data), 2))
    verb = "writes to" if event.direction == "write" else "reads from"
    said = f"{event.port} ({event.role}) {verb} {event.address:#04x}: {data or 'no data'}"
    if not event.answered:
        return f"{said}, nobody answers"
    refused = len(event.data) // 2 - event.acked
    refused -= event.direction == "read" and refused > 0  # the last byte of a read is not acked
    return f"{said}{f', {refused} not acknowledged' if refused else ''}, {event.end}"
