"""Judging what is transferred on an I2C or SPI bus."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from fwgen.contract.words import hex_words, say
from fwgen.trace import I2cTransfer, SpiFrame
from fwgen.units import show_duration
from fwgen.verdict.levels import number
from fwgen.verdict.view import failed, passed

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from fwgen.contract.types import Transfers
    from fwgen.verdict.view import Seen, Span, View

_SHOWN = 16  # bytes of a transfer that a message spells out


@dataclass(slots=True)
class _Transfer:
    """What the master sent and got between two ends of the bus's own."""

    start_ps: int
    address: int | None = None
    answered: bool = True
    whole: bool = True  # nothing refused, nothing cut off
    writes: list[int | None] = field(default_factory=list)
    reads: list[int | None] = field(default_factory=list)


def judge_transfers(e: Transfers, view: View) -> Seen:
    """How many transfers within the window look as asked; what else was seen where too few do."""
    span = view.span(e.window)
    port = view.subject(e.port).bus
    found = _on_i2c(port, view) if port.startswith("I2C") else _on_spi(e, port, view, span)
    all_ = [t for t in found if span.start <= t.start_ps < span.stop]
    alike = [t for t in all_ if _fits(e, t)]
    count = number("transfers", len(alike))
    if e.most is not None and len(alike) > e.most:
        t_ps = alike[e.most].start_ps
        return failed(
            t_ps,
            f"{e.port} makes the transfer {_often(len(alike))}, the one too many at"
            f" {show_duration(t_ps)}",
            count,
        )
    if len(alike) < e.least:
        other = next((t for t in all_ if t not in alike and _near(e, t)), None)
        seen = f"; it made another at {show_duration(other.start_ps)}: {_told(other)}" if (
            other is not None
        ) else ("" if all_ else "; it made none at all")  # fmt: skip
        at_ps = other.start_ps if other is not None and not alike else span.stop
        return failed(at_ps, f"{say(e, view.board)}: seen {_often(len(alike))}{seen}", count)
    return passed(f"{e.port} made the transfer {_often(len(alike))}", count)


def _often(count: int) -> str:
    return {0: "never", 1: "once"}.get(count, f"{count} times")


def _on_i2c(port: str, view: View) -> Iterator[_Transfer]:
    """Transfers from START to STOP: what a repeated START goes on with belongs to it."""
    made: _Transfer | None = None
    for event in view.trace.of(I2cTransfer):
        if event.port != port:
            continue
        if made is None or made.address != event.address:
            if made is not None:
                yield made
            made = _Transfer(event.start_ps, event.address)
        data = list(bytes.fromhex(event.data))
        (made.reads if event.direction == "read" else made.writes).extend(data)
        made.answered &= event.answered
        refused = len(data) - event.acked > (event.direction == "read")
        made.whole &= not refused and event.end in ("stop", "restart")
        if event.end != "restart":
            yield made
            made = None
    if made is not None:
        yield made


def _on_spi(e: Transfers, port: str, view: View, span: Span) -> Iterator[_Transfer]:
    """The frames while the select pin is low, each time; or all of the window."""
    frames = [f for f in view.trace.of(SpiFrame) if f.port == port]
    if e.select is None:
        inside = [f for f in frames if span.start <= f.start_ps < span.stop]
        if inside:
            yield _of_frames(inside, inside[0].start_ps)
        return
    pin, at = view.subject(e.select).pin, 0
    for start, stop in _low(pin, view):
        while at < len(frames) and frames[at].start_ps < start:
            at += 1
        first = at
        while at < len(frames) and frames[at].t_ps <= stop:
            at += 1
        if at > first:
            yield _of_frames(frames[first:at], start)


def _low(pin: str, view: View) -> Iterator[tuple[int, int]]:
    for run in view.trace.runs(pin):
        if run.level == 0 and run.wave is None:
            yield run.start_ps, run.stop_ps


def _of_frames(frames: Sequence[SpiFrame], start_ps: int) -> _Transfer:
    made = _Transfer(start_ps)
    for frame in frames:
        for data, value in ((made.writes, frame.sent), (made.reads, frame.heard)):
            if frame.role == "slave":
                data = made.reads if data is made.writes else made.writes
            if frame.bits == 16:
                data.append(None if value is None else value >> 8)
            data.append(None if value is None else value & 0xFF)
    return made


def _near(e: Transfers, t: _Transfer) -> bool:
    return e.address is None or t.address == e.address


def _fits(e: Transfers, t: _Transfer) -> bool:
    if not _near(e, t):
        return False
    if e.address is not None and t.answered != e.answered:
        return False
    if not e.answered:
        return True
    return t.whole and _same(e.writes, t.writes) and _same(e.reads, t.reads)


def _same(asked: Sequence[int | None] | None, seen: Sequence[int | None]) -> bool:
    if asked is None:
        return True
    return len(asked) == len(seen) and all(
        one is None or one == other for one, other in zip(asked, seen, strict=True)
    )


def _told(t: _Transfer) -> str:
    if not t.answered:
        return "nobody answered"
    parts = []
    for verb, data in (("wrote", t.writes), ("read", t.reads)):
        if data:
            more = f" and {len(data) - _SHOWN} more" if len(data) > _SHOWN else ""
            parts.append(f"{verb} {hex_words(data[:_SHOWN])}{more}")
    return (", ".join(parts) or "no byte") + ("" if t.whole else ", not all acknowledged")
