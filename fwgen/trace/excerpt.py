"""A trace in few lines: what moved, what was said, what went wrong.

Naps, frames, and what the pins of parts with a protocol do are folded: what a display shows tells
more than the pulses that wrote it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fwgen.board.modules import load_module_kind
from fwgen.board.quantities import QUANTITIES
from fwgen.trace.events import (
    Burst,
    Clock,
    Edge,
    Event,
    Fault,
    Gap,
    Hazard,
    I2cTransfer,
    Pictured,
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
    from collections.abc import Iterable, Mapping

    from fwgen.board.types import Board, Device, Module
    from fwgen.trace.record import Trace

LONGEST_SAID = 60  # bytes of a serial line, or frames of a bus, on one line of the excerpt
LONGEST = 240
WIDEST = 128  # columns of a drawing: for models, who read blocks and no braille
_WORDS = {"led": ("lit", "dark"), "button": ("pressed", "released")}


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
    pulses of a bus's pins are told only of pins that are asked for: the transfers tell more. Pins
    of parts have names where the board has the parts (those of a contract: ``subjects.fitted``).
    The last picture of each part is drawn, in lines of its own within its element.
    """
    stop_ps = trace.span_ps if stop_ps is None else stop_ps
    asked = frozenset(subjects)
    wired: list[Module | Device] = [*board.modules.values(), *board.devices.values()]
    roles = {pin: (part.name, role) for part in wired for role, pin in part.pins.items()}
    only = asked | {pin for pin, (name, _) in roles.items() if name in asked}
    told = [
        event
        for event in trace.events
        if start_ps <= event.t_ps <= stop_ps
        and not isinstance(event, without)
        and not (isinstance(event, Burst) and not only)
        and _wanted(event, only)
    ]
    last = {event.part: event for event in told if isinstance(event, Pictured)}
    lines = _Lines(board, {pin: f"{name}.{role}" for pin, (name, role) in roles.items()}, asked)
    for event in told:
        lines.add(event)
        if isinstance(event, Pictured) and last[event.part] is event:
            lines.draw(event)
    return lines.done()


def _wanted(event: Event, only: frozenset[str]) -> bool:
    if not only or isinstance(event, Fault | Hazard | Reset):
        return True
    if isinstance(event, Stimulated) and event.subject.partition(".")[0] in only:
        return True
    return any(getattr(event, name, None) in only for name in ("pin", "port", "part", "subject"))


class _Lines:
    def __init__(self, board: Board, roles: Mapping[str, str], asked: frozenset[str]) -> None:
        self._parts = {part.pin: part for part in board.parts.values()}
        self._modules = board.modules
        self._roles = roles
        self._folded = frozenset(roles) - asked - set(self._parts)
        self._moves: dict[str, list[Edge]] = {}
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
        if isinstance(event, Edge) and event.pin in self._folded:
            self._moves.setdefault(event.pin, []).append(event)
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

    def draw(self, event: Pictured) -> None:
        """The picture under the line that tells of it."""
        self._lines[-1] += "".join(f"\n  {row}" for row in drawn(event, WIDEST))

    def done(self) -> list[str]:
        self._flush()
        return self._lines

    def _flush(self) -> None:
        """What was put off: an echo comes between the bytes that it repeats."""
        if self._naps:
            self._lines.append(f"(slept {self._naps} times)" if self._naps > 1 else "(slept)")
        for pin, edges in self._moves.items():
            first, last = edges[0], edges[-1]
            does = self._level(pin, last.level)
            if len(edges) > 1:
                lasts = show_duration(last.t_ps - first.t_ps)
                does = f"moves {len(edges)} times in {lasts}, last {does}"
            self._lines.append(f"{show_duration(first.t_ps)} {self._pin(pin)} {does}")
        for (port, verb), (since, said) in sorted(self._said.items(), key=lambda item: item[1][0]):
            self._lines.append(f"{show_duration(since)} {port} {verb} {bytes(said)!r}")
        for port, frames in self._frames.items():
            sent, heard = (_words(f.sent for f in frames), _words(f.heard for f in frames))
            line = f"{show_duration(frames[0].start_ps)} {port} sends {sent}, hears {heard}"
            self._lines.append(line[:LONGEST])
        self._naps = 0
        self._moves.clear()
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
                return f"{event.part} shows {event.what} {self._value(event)}"
            case Pictured():
                return picture_words(event)
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

    def _value(self, event: Shown) -> str:
        """What a part shows, in the units of its kind."""
        module = self._modules.get(event.part)
        return shown_value(event, module.kind if module is not None else "")

    def _pin(self, pin: str) -> str:
        part = self._parts.get(pin)
        name = part.name if part is not None else self._roles.get(pin)
        return f"{pin} ({name})" if name else pin

    def _level(self, pin: str, level: int | None) -> str:
        if level is None:
            return "floats"
        part = self._parts.get(pin)
        if part is None:
            return "high" if level else "low"
        words = _WORDS.get(part.kind, ("on", "off"))
        return words[level != part.active]


def drawn(event: Pictured, columns: int) -> list[str]:
    """What is lit of a picture in block characters, without the dark about it."""
    bounds = event.picture.bounds()
    return event.picture.part(*bounds).draw(columns) if bounds is not None else []


def picture_words(event: Pictured) -> str:
    """That a part shows a picture: how large, and how much of it is lit where."""
    said = f"{event.part} shows a picture of {event.width} x {event.height}, "
    bounds = event.picture.bounds()
    if bounds is None:
        return f"{said}all dark"
    x, y, width, height = bounds
    return f"{said}{event.picture.lit} lit, within {width} x {height} at ({x}, {y})"


def shown_value(event: Shown, kind: str = "") -> str:
    """What a part of a kind shows, in its units; as it stands where the kind is not known."""
    measure = load_module_kind(kind).shows.get(event.what) if kind else None
    if event.value is None:
        return "nothing"
    if measure is None or isinstance(event.value, str):
        return repr(event.value)
    return QUANTITIES[measure.quantity].show(event.value)


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
