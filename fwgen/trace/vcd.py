"""A trace as a Value Change Dump, for GTKWave, PulseView and Surfer.

Source: IEEE 1364-2005 §18; strings are GTKWave's extension.
"""

from __future__ import annotations

import io
from itertools import islice
from typing import TYPE_CHECKING, Protocol

from fwgen.trace.events import (
    Clock,
    Fault,
    Hazard,
    I2cTransfer,
    NotDone,
    Pictured,
    Reset,
    SerialByte,
    Shown,
    Sleep,
    SpiFrame,
    Stimulated,
    Voltage,
    Wake,
)
from fwgen.trace.record import expand

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from fwgen.trace.record import Run, Trace

WAVE_EDGES = 10_000
"""A wave longer than this many edges is written out for so many, then shown as unknown (x)."""


VOLTAGE_STEPS = 64
"""A voltage that moves is written out in so many steps for each slope or turn."""

MOST_STEPS = 100_000
"""A voltage that moves more often than this is written out in coarser steps."""


class _Part(Protocol):
    @property
    def name(self) -> str: ...
    @property
    def pin(self) -> str: ...
    @property
    def active(self) -> int: ...


class _Board(Protocol):
    """What is asked of a board here: the names of its parts."""

    @property
    def parts(self) -> Mapping[str, _Part]: ...


def dump_vcd(trace: Trace, board: _Board) -> str:
    """The trace as VCD text in picoseconds; the same trace, the same text.

    Scopes: ``pins`` (z where nothing drives), ``parts`` (1 is lit or pressed), ``volts`` (what
    holds a pin at a voltage from outside; NaN where nothing does), ``shown`` (what parts
    show; of a picture how many pixels are lit), ``ports`` (each byte when its
    frame ends, as a number and as text; SPI frames out and in; I2C transfers), ``core`` (asleep,
    clock, what happened).
    """
    from vcd import VCDWriter

    parts = sorted(board.parts.values(), key=lambda part: part.name)
    watched = trace.watched.pins if trace.watched is not None else ()
    pins = sorted({*trace.moving_pins(), *(part.pin for part in parts), *watched})
    lives = {pin: list(_changes(trace, pin)) for pin in pins}
    short = [] if trace.watched else [
        pin for pin in pins if any(level == "x" for _, level in lives[pin])
    ]  # fmt: skip
    comment = f"fwgen, {trace.board}, {trace.bench}"
    if short:
        comment += f"; waves cut short after {WAVE_EDGES} edges on {', '.join(short)}"
    if trace.watched is not None:
        comment += "; watched now and then: x where a level is not known"

    out = io.StringIO()
    with VCDWriter(out, timescale="1 ps", date="0", comment=comment, version="fwgen") as writer:
        changes: list[tuple[int, int, object, object]] = []

        def declare(scope: str, name: str, kind: str, size: int | None, init: object) -> object:
            return writer.register_var(scope, _word(name), kind, size, init)  # type: ignore[arg-type]

        def put(t_ps: int, variable: object, value: object) -> None:
            changes.append((t_ps, len(changes), variable, value))

        for pin in pins:
            variable = declare("pins", pin, "wire", 1, "z")
            for t, level in lives[pin]:
                put(t, variable, level)
        for part in parts:
            variable = declare("parts", part.name, "wire", 1, "z")
            for t, level in lives[part.pin]:
                put(t, variable, level if level in ("x", "z") else int(level == part.active))
        _voltages(trace, declare, put)
        _ports(trace, declare, put)
        _shown(trace, declare, put)
        _buses(trace, declare, put)
        _core(trace, declare, put)
        for t, _, variable, value in sorted(changes, key=lambda change: change[:2]):
            writer.change(variable, t, value)  # type: ignore[arg-type]
        writer.close(trace.span_ps)
    return out.getvalue()


def _changes(trace: Trace, pin: str) -> Iterator[tuple[int, int | str]]:
    watched = trace.watched
    if watched is not None and pin not in watched.pins:
        yield 0, "x"
        return
    known_ps = 0
    for run in trace.runs(pin):
        if run.blur_ps:
            # Between two looks that differ nobody knows; the earlier look ends what was known.
            yield max(known_ps, run.start_ps - run.blur_ps), "x"
            known_ps = run.start_ps + run.blur_ps
            yield min(known_ps, run.stop_ps), "z" if run.level is None else run.level
        else:
            yield from _run_changes(run)


def _run_changes(run: Run) -> Iterator[tuple[int, int | str]]:
    written = 0
    for written, (t, level) in enumerate(islice(expand(run), WAVE_EDGES + 1), 1):
        if written > WAVE_EDGES:
            yield t, "x"
        else:
            yield t, "z" if level is None else level


def _voltages(trace: Trace, declare: _Declare, put: _Put) -> None:
    for pin in sorted({event.pin for event in trace.of(Voltage)}):
        variable = declare("volts", pin, "real", None, float("nan"))
        for start, stop, voltage in trace.voltages(pin):
            for t in _moments(voltage, start, stop):
                value = float("nan") if voltage.uv is None else voltage.at(t) / 1_000_000
                put(t, variable, value)


def _moments(voltage: Voltage, start: int, stop: int) -> Iterator[int]:
    """When a voltage is written down: as often as its shape asks for."""
    yield start
    if voltage.uv is None:
        return
    slope_end = min(stop, start + voltage.over_ps)
    moves_until = stop if voltage.period_ps or voltage.noise_uv else slope_end
    shortest = min(x for x in (voltage.over_ps, voltage.period_ps, stop - start) if x)
    step = max(shortest // VOLTAGE_STEPS, (stop - start) // MOST_STEPS, 1)
    yield from range(start + step, moves_until, step)
    if voltage.over_ps and slope_end < stop:
        yield slope_end


def _ports(trace: Trace, declare: _Declare, put: _Put) -> None:
    lines = {(event.port, event.direction) for event in trace.of(SerialByte)}
    variables = {
        (port, way): (
            declare(f"ports.{_word(port)}", way, "wire", 8, "z"),
            declare(f"ports.{_word(port)}", f"{way}_text", "string", None, ""),
        )
        for port, way in sorted(lines)
    }
    for event in trace.of(SerialByte):
        number, text = variables[event.port, event.direction]
        put(event.t_ps, number, event.byte)
        put(event.t_ps, text, event.error or _glyph(event.byte))


def _shown(trace: Trace, declare: _Declare, put: _Put) -> None:
    variables: dict[tuple[str, str], object] = {}
    for event in trace.of(Shown):
        key = event.part, event.what
        if key not in variables:
            variables[key] = declare(f"shown.{_word(event.part)}", event.what, "string", None, "")
        put(event.t_ps, variables[key], "" if event.value is None else _line(str(event.value)))
    for picture in trace.of(Pictured):
        key = picture.part, "picture"
        if key not in variables:
            variables[key] = declare(f"shown.{_word(key[0])}", key[1], "string", None, "")
        put(picture.t_ps, variables[key], f"{picture.picture.lit}_lit")


def _buses(trace: Trace, declare: _Declare, put: _Put) -> None:
    words = {
        (port, way): declare(f"ports.{_word(port)}", way, "wire", 32, "z")
        for port in sorted({event.port for event in trace.of(SpiFrame)})
        for way in ("out", "in")
    }
    for event in trace.of(SpiFrame):
        for way, value in (("out", event.sent), ("in", event.heard)):
            put(event.t_ps, words[event.port, way], "z" if value is None else value)
    texts = {
        port: declare(f"ports.{_word(port)}", "transfer", "string", None, "")
        for port in sorted({event.port for event in trace.of(I2cTransfer)})
    }
    for transfer in trace.of(I2cTransfer):
        what = f"{transfer.direction} {transfer.address:#04x} {transfer.data}"
        put(
            transfer.t_ps, texts[transfer.port],
            _line(what if transfer.answered else f"{what} not answered"),
        )  # fmt: skip


def _core(trace: Trace, declare: _Declare, put: _Put) -> None:
    asleep = declare("core", "asleep", "wire", 1, 0)
    hclk = declare("core", "hclk_hz", "real", None, 0.0)
    happened = declare("core", "happened", "string", None, "")
    for event in trace.events:
        match event:
            case Sleep():
                put(event.t_ps, asleep, 1)
            case Wake():
                put(event.t_ps, asleep, 0)
            case Clock():
                put(event.t_ps, hclk, event.hclk_mhz / 1000)
            case Stimulated():
                put(event.t_ps, happened, _line(f"{event.subject}: {event.what}"))
            case Reset():
                put(event.t_ps, asleep, 0)
                put(event.t_ps, happened, _line(f"reset: {event.cause}"))
            case Fault():
                put(event.t_ps, happened, _line(f"{event.exception}: {event.reason}"))
            case Hazard():
                put(event.t_ps, happened, _line(f"hazard {event.code}: {event.message}"))
            case NotDone():
                put(event.t_ps, happened, _line(f"{event.subject}: not done, {event.why}"))
            case _:
                pass


class _Declare(Protocol):
    def __call__(
        self, scope: str, name: str, kind: str, size: int | None, init: object
    ) -> object: ...


class _Put(Protocol):
    def __call__(self, t_ps: int, variable: object, value: object) -> None: ...


def _word(name: str) -> str:
    """A name that VCD takes: no white space."""
    return "_".join(name.split()) or "_"


def _line(text: str) -> str:
    """Text that GTKWave takes as a string: one word, so spaces become underscores there."""
    return "_".join(text.split())


def _glyph(byte: int) -> str:
    names = {0x20: "SP", 0x0A: "LF", 0x0D: "CR", 0x09: "TAB", 0x08: "BS", 0x1B: "ESC", 0x00: "NUL"}
    return names.get(byte) or (chr(byte) if 0x21 <= byte < 0x7F else f"0x{byte:02x}")
