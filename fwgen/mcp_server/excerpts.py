"""A trace in few lines: what moved, what was said, what went wrong; naps folded."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fwgen.trace import (
    Clock,
    Edge,
    Fault,
    Gap,
    Hazard,
    Reset,
    SerialByte,
    Sleep,
    Stimulated,
    Wake,
    Wave,
)
from fwgen.units import show_duration

if TYPE_CHECKING:
    from collections.abc import Iterable

    from fwgen.board.types import Board
    from fwgen.trace import Event, Trace

LONGEST_SAID = 60  # bytes of a serial line on one line of the excerpt
LONGEST = 240


def excerpt(
    trace: Trace,
    board: Board,
    *,
    start_ps: int = 0,
    stop_ps: int | None = None,
    subjects: Iterable[str] = (),
) -> list[str]:
    """The events of a window, a line each. ``subjects``: only of these pins and ports."""
    stop_ps = trace.span_ps if stop_ps is None else stop_ps
    only = frozenset(subjects)
    lines = _Lines(board)
    for event in trace.events:
        if start_ps <= event.t_ps <= stop_ps and _wanted(event, only):
            lines.add(event)
    return lines.done()


def _wanted(event: Event, only: frozenset[str]) -> bool:
    if not only or isinstance(event, Fault | Hazard | Reset):
        return True
    return any(getattr(event, name, None) in only for name in ("pin", "port", "subject"))


class _Lines:
    def __init__(self, board: Board) -> None:
        self._parts = {part.pin: part for part in board.parts.values()}
        self._lines: list[str] = []
        self._naps = 0
        self._said: dict[tuple[str, str], tuple[int, bytearray]] = {}

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
        self._naps = 0
        self._said.clear()

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
