"""Judging what follows on a voltage: a level by its threshold, a number that tells it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fwgen.contract.sensing import VOLTAGE_UNITS, told
from fwgen.units import show_duration, show_voltage
from fwgen.verdict.view import Seg

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fwgen.contract.types import Bound, Follows
    from fwgen.trace import Voltage
    from fwgen.verdict.view import View

_FINEST = 4096
"""A voltage that moves is looked at in so many steps a slope; the band is widened by a step."""


def above_segments(e: Follows, view: View, start: int, stop: int) -> list[Seg]:
    """A voltage as levels: 1 above the threshold and its band, 0 below, None between."""
    assert e.above_uv is not None
    high, low = e.above_uv + e.band_uv, e.above_uv - e.band_uv
    made: list[Seg] = []
    for begin, end, least, most in _courses(view, e.source, start, stop):
        level = 1 if least > high else 0 if most < low else None
        if level is not None and e.invert:
            level = 1 - level
        last = made[-1] if made else None
        if last is not None and last.level == level and last.stop == begin:
            made[-1] = last._replace(stop=end)
        else:
            made.append(Seg(begin, end, level))
    return made


def threshold_words(e: Follows, level: int) -> str:
    """On which side of a threshold and its band a voltage is."""
    assert e.above_uv is not None
    if level:
        return f"above {show_voltage(e.above_uv + e.band_uv, 7)}"
    return f"below {show_voltage(e.above_uv - e.band_uv, 7)}"


def _courses(view: View, name: str, start: int, stop: int) -> Iterator[tuple[int, int, int, int]]:
    """(start, stop, lowest, highest) of a pin's voltage in short stretches, where it has one."""
    for begin, end, voltage in view.trace.voltages(view.subject(name).pin):
        begin, end = max(begin, start), min(end, stop)
        if voltage.uv is None or begin >= end:
            continue
        slope = min(end, max(begin, voltage.t_ps + voltage.over_ps))
        yield from _stretches(voltage, begin, slope, max(1, (slope - begin) // _FINEST))
        step = end - slope
        if voltage.period_ps:
            step = max(1, voltage.period_ps // 128, step // (64 * _FINEST))
        yield from _stretches(voltage, slope, end, step)


def _stretches(voltage: Voltage, a: int, b: int, step: int) -> Iterator[tuple[int, int, int, int]]:
    for t in range(a, b, step) if a < b else ():
        until = min(b, t + step)
        least, most = voltage.bounds(t, until)
        yield t, until, least, most


def out_of_voltage(value: int, bound: Bound, t_ps: int, off: int, view: View) -> str | None:
    """Why a number said at ``t_ps`` does not tell of a pin's voltage; None: it does."""
    assert bound.tracks is not None
    kind, _, name = bound.tracks.partition(":")
    assert kind in VOLTAGE_UNITS
    start, stop = max(0, t_ps - bound.age_ps - off), t_ps + off + 1
    found = [
        voltage.bounds(max(begin, start), min(end, stop))
        for begin, end, voltage in view.trace.voltages(view.subject(name).pin)
        if voltage.uv is not None and begin < stop and end > start
    ]
    if not found:
        return f"though nothing gave {name} a voltage in the {show_duration(bound.age_ps)} before"
    supply, part = view.board.supply_uv, view.subject(name).part
    ends = [told(kind, part, uv, supply) for pair in found for uv in pair]
    low, high = min(ends) - bound.slack, max(ends) + bound.slack
    if low <= value <= high:
        return None
    span = f"{low}" if low == high else f"{low} to {high}"
    return f"though {name} was such that {span} would tell it"
