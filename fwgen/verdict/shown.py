"""Judging what parts show: a display's text, a servo's angle, the colour of LEDs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fwgen.board.quantities import channels
from fwgen.contract.words import value_words
from fwgen.trace import Shown
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
        event.t_ps: event.value
        for event in view.trace.of(Shown)
        if event.part == module.name and event.what == e.what and event.t_ps < span.stop
    }
    settled = span.start + e.within_ps
    since, value = 0, None
    right_from: int | None = None
    for t, new in [*told.items(), (span.stop, None)]:
        if t > settled and max(since, settled) < t and not _fits(e, value):
            at = max(since, settled)
            return failed(
                at,
                f"{e.subject} shows the {e.what} {value_words(e, value, view.board)} at "
                f"{show_duration(at)}; expected {value_words(e, e.value, view.board)}",
            )
        if not _fits(e, value):
            right_from = None
        elif right_from is None:
            right_from = since
        since, value = t, new
    took = max(0, (right_from or 0) - span.start)
    return passed(
        f"{e.subject} shows the {e.what} {value_words(e, e.value, view.board)} from "
        f"{show_duration(right_from or 0)} on",
        duration("after", took),
    )


def _fits(e: Shows, value: int | str | None) -> bool:
    if value is None or isinstance(value, str) != isinstance(e.value, str):
        return False
    if isinstance(value, int):
        return abs(value - int(e.value)) <= e.tolerance
    if value == e.value:
        return True
    if not e.tolerance:
        return False
    asked, seen = channels(str(e.value)), channels(value)
    return len(asked) == len(seen) and all(
        abs(a - b) <= e.tolerance for a, b in zip(asked, seen, strict=True)
    )
