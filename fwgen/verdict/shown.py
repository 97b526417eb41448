"""Judging what parts show: a display's text or picture, a servo's angle, the colour of LEDs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fwgen.board.modules import load_module_kind
from fwgen.board.quantities import channels
from fwgen.contract.words import corner_words, shown_words, value_words
from fwgen.picture import Picture, parse_picture
from fwgen.trace import Pictured, Shown
from fwgen.units import show_duration
from fwgen.verdict.levels import duration
from fwgen.verdict.view import failed, passed

if TYPE_CHECKING:
    from fwgen.contract.types import Shows
    from fwgen.verdict.view import Seen, View


def judge_shows(e: Shows, view: View) -> Seen:
    """From ``within_ps`` after the window's start on, each value that is shown is the one asked."""
    span = view.span(e.window)
    module = view.subject(e.subject).module
    assert module is not None
    # Names of the trace are the module's own; several values at one moment: the last one counts.
    told = {
        event.t_ps: event.picture if isinstance(event, Pictured) else event.value
        for event in view.trace.events
        if isinstance(event, Pictured | Shown) and event.t_ps < span.stop
        and event.part == module.name and _what(event) == e.what
    }  # fmt: skip
    asked = parse_picture(str(e.value)) if _is_picture(e, view) else None
    settled = span.start + e.within_ps
    since: int = 0
    value: int | str | Picture | None = None
    right_from: int | None = None
    for t, new in [*told.items(), (span.stop, None)]:
        right = _fits(e, value) if asked is None else _alike(e, value, asked)
        if t > settled and max(since, settled) < t and not right:
            at = max(since, settled)
            return failed(at, _other(e, value, asked, at, view))
        if not right:
            right_from = None
        elif right_from is None:
            right_from = since
        since, value = t, new
    took = max(0, (right_from or 0) - span.start)
    return passed(
        f"{e.subject} shows {shown_words(e, e.value, view.board)}{corner_words(e)} "
        f"from {show_duration(right_from or 0)} on",
        duration("after", took),
    )


def _what(event: Pictured | Shown) -> str:
    return "picture" if isinstance(event, Pictured) else event.what


def _is_picture(e: Shows, view: View) -> bool:
    module = view.subject(e.subject).module
    measure = load_module_kind(module.kind).shows.get(e.what) if module is not None else None
    return measure is not None and measure.quantity == "picture"


def _other(
    e: Shows, value: int | str | Picture | None, asked: Picture | None, at: int, view: View
) -> str:
    """What is shown instead."""
    if asked is not None and isinstance(value, Picture):
        return (
            f"{e.subject} shows another picture at {show_duration(at)} than the one "
            f"{value_words(e, e.value, view.board)}{corner_words(e)}: {_apart(e, value, asked)}"
        )
    assert not isinstance(value, Picture)
    return (
        f"{e.subject} shows {shown_words(e, value, view.board)} at "
        f"{show_duration(at)}; expected {value_words(e, e.value, view.board)}"
    )


def _region(e: Shows, shown: Picture, asked: Picture) -> Picture:
    x, y = e.corner or (0, 0)
    return shown.part(x, y, asked.width, asked.height)


def _alike(e: Shows, value: object, asked: Picture) -> bool:
    if not isinstance(value, Picture):
        return False
    if e.corner is None:
        return value == asked
    return _region(e, value, asked) == asked


def _apart(e: Shows, shown: Picture, asked: Picture) -> str:
    """How two pictures differ, the first pixel in the display's own columns and rows."""
    seen, (left, top) = _region(e, shown, asked), e.corner or (0, 0)
    wrong = [
        (x, y)
        for y in range(asked.height)
        for x in range(asked.width)
        if seen.at(x, y) != asked.at(x, y)
    ]
    x, y = wrong[0]
    if not seen.lit:
        return f"all is dark there, {asked.lit} pixels should be lit"
    states = ("dark instead of lit", "lit instead of dark")
    first = f"({left + x}, {top + y}) is {states[seen.at(x, y)]}"
    return (
        f"{len(wrong)} of {asked.width * asked.height} pixels differ ({seen.lit} lit of "
        f"{asked.lit}), the first at {first}"
    )


def _fits(e: Shows, value: object) -> bool:
    if value is None or isinstance(value, str) != isinstance(e.value, str):
        return False
    if isinstance(value, int):
        return abs(value - int(e.value)) <= e.tolerance
    if value == e.value:
        return True
    if not e.tolerance or not isinstance(value, str):
        return False
    asked, seen = channels(str(e.value)), channels(value)
    return len(asked) == len(seen) and all(
        abs(a - b) <= e.tolerance for a, b in zip(asked, seen, strict=True)
    )
