"""Judging what is said on a port: lines, their numbers and times, replies."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

from fwgen.contract.lines import compile_line
from fwgen.contract.sensing import VOLTAGE_UNITS
from fwgen.contract.timing import end_of, slack_of
from fwgen.contract.types import Press, Replies, Says, Send
from fwgen.contract.words import bound_words, quoted
from fwgen.trace import Reset
from fwgen.units import PPM, PS_PER_MS, PS_PER_S, show_duration, show_ratio
from fwgen.verdict.levels import duration, number
from fwgen.verdict.relations import text_moments
from fwgen.verdict.types import Figure, Outcome
from fwgen.verdict.view import Span, failed, fits, passed, unsure
from fwgen.verdict.voltages import out_of_voltage

if TYPE_CHECKING:
    import re
    from collections.abc import Sequence

    from fwgen.contract.types import Bound
    from fwgen.trace import SerialByte
    from fwgen.verdict.view import Seen, View

BAUD_PPM = 20_000
"""How far the rate on the wire may be off before frames are misread."""

_FRAME_BITS = 10


class Line(NamedTuple):
    """A line said on a port: from its first start bit to the end of its last frame."""

    text: str
    start: int
    stop: int
    ended: bool


def lines_of(frames: Sequence[SerialByte]) -> list[Line]:
    """Frames as lines, which end in LF or CR LF; the last may lack its end."""
    made: list[Line] = []
    text = bytearray()
    start = 0
    for frame in frames:
        if not text:
            start = frame.start_ps
        text.append(frame.byte)
        if frame.byte == 0x0A:
            made.append(Line(_decode(text[:-1]), start, frame.t_ps, ended=True))
            text = bytearray()
    if text:
        made.append(Line(_decode(text), start, frames[-1].t_ps, ended=False))
    return made


def _decode(raw: bytearray) -> str:
    return raw.removesuffix(b"\r").decode("utf-8", "backslashreplace")


# ---------------------------------------------------------------------------- says


def judge_says(e: Says, view: View) -> Seen:
    """Every line: its text, its numbers, when it comes, at what rate."""
    span = view.span(e.window)
    seen = _judge_says(e, view, span)
    return _at_borders(seen, e.port, view, span)


def _at_borders(seen: Seen, port: str, view: View, span: Span) -> Seen:
    """A failure as doubt where a byte may lie on the other side of the window's border."""
    blur = view.port_blur(port)
    if seen.outcome is not Outcome.FAIL or not blur + span.blur:
        return seen
    frames = view.bytes_on(view.subject(port).port, "tx")
    if not any(span.at_border(f.start_ps, blur) for f in frames):
        return seen
    at_ps = seen.departure.t_ps if seen.departure is not None else None
    text = f"{seen.text}; something was said too close to the window's border to tell"
    return unsure(text, *seen.figures, at_ps=at_ps)


def _judge_says(e: Says, view: View, span: Span) -> Seen:
    port = view.subject(e.port).port
    frames = [f for f in view.bytes_on(port, "tx") if span.start <= f.start_ps < span.stop]
    wrong = _wire(e, frames, port, view)
    pattern = compile_line(e.pattern)
    found: list[tuple[Line, re.Match[str]]] = []
    strange: Seen | None = None
    for line in lines_of(frames):
        match = pattern.fullmatch(line.text) if line.ended else None
        if match is not None:
            found.append((line, match))
        elif strange is None and e.only:
            strange = _strange(e, line, view, span, frames)
    problems = [wrong, strange, _rhythm(e, found, view, span), _numbers(e, found, view)]
    figures = _figures(found, frames)
    worst = _first_failure([seen for seen in problems if seen is not None])
    if worst is not None:
        return type(worst)(worst.outcome, worst.text, figures, worst.departure)
    said = {0: "never", 1: "once"}.get(len(found), f"{len(found)} times")
    return passed(f"{e.port} said {_examples(found, e)} {said}{_pace(figures)}", *figures)


def _examples(found: Sequence[tuple[Line, re.Match[str]]], e: Says) -> str:
    """What was really said: the first and the last line where numbers make them differ."""
    if not found:
        return quoted(e.pattern)
    first, last = quoted(found[0][0].text), quoted(found[-1][0].text)
    return first if first == last else f"{first} to {last},"


def _first_failure(seen: Sequence[Seen]) -> Seen | None:
    """The failure that comes first in time, or else a doubt."""
    failures = [s for s in seen if s.outcome is Outcome.FAIL and s.departure is not None]
    if failures:
        return min(failures, key=lambda s: s.departure.t_ps if s.departure else 0)
    return seen[0] if seen else None


def _figures(
    found: Sequence[tuple[Line, re.Match[str]]], frames: Sequence[SerialByte]
) -> tuple[Figure, ...]:
    made = [number("lines", len(found))]
    if found:
        made.append(duration("first", found[0][0].start))
    gaps = _gaps(found)
    if gaps:
        made += [duration("shortest period", min(gaps)), duration("longest period", max(gaps))]
    if frames:
        baud = frames[0].baud_mhz
        made.append(Figure("baud", baud, "mBd", f"{baud / 1000:.6g} baud"))
    return tuple(made)


def _gaps(found: Sequence[tuple[Line, re.Match[str]]]) -> list[int]:
    return [two.start - one.start for (one, _), (two, _) in pairwise(found)]


def _pace(figures: Sequence[Figure]) -> str:
    by_name = {figure.name: figure.text for figure in figures}
    low, high = by_name.get("shortest period"), by_name.get("longest period")
    if low is None or high is None:
        return ""
    return f", every {low}" if low == high else f", every {low} to {high}"


def _wire(e: Says, frames: Sequence[SerialByte], port: str, view: View) -> Seen | None:
    """Each frame is whole and at the rate that the listener expects."""
    console = view.board.console
    asked = e.baud or (console.baud if console is not None and console.uart == port else None)
    for frame in frames:
        at = show_duration(frame.start_ps)
        if frame.error:
            return failed(
                frame.start_ps, f"{e.port} sends a frame with a {frame.error} error at {at}"
            )
        if asked and abs(frame.baud_mhz - asked * 1000) * PPM > asked * 1000 * BAUD_PPM:
            return failed(
                frame.start_ps,
                f"{e.port} sends at {frame.baud_mhz / 1000:.6g} baud at {at}; expected {asked} ± "
                f"{show_ratio(BAUD_PPM)}",
            )
    return None


def _strange(
    e: Says, line: Line, view: View, span: Span, frames: Sequence[SerialByte]
) -> Seen | None:
    """A line that no expectation of the contract explains."""
    asked = f"expected {quoted(e.pattern)}"
    if not line.ended:
        # The run may end within a line: then it is a line's beginning, still being sent.
        frame_ps = _FRAME_BITS * PS_PER_S * 1000 // max(1, frames[-1].baud_mhz)
        if span.stop - line.stop <= 2 * frame_ps + 2 * view.port_blur(e.port) + span.blur:
            return None
        if _explained(line.text, view, e, span):
            text = f"{e.port} said {quoted(line.text)} without ending the line"
            return failed(line.stop, f"{text} at {show_duration(line.stop)}")
    elif _explained(line.text, view, e, span):
        return None
    return failed(
        line.start, f"{e.port} said {quoted(line.text)} at {show_duration(line.start)}; {asked}"
    )


def _explained(text: str, view: View, e: Says, span: Span) -> bool:
    port = view.subject(e.port).port
    return any(
        isinstance(other, (Says, Replies))
        and view.subject(other.port).port == port
        and _overlap(view.span(other.window), span)
        and compile_line(other.pattern).fullmatch(text) is not None
        for other in view.contract.expectations
    )


def _overlap(one: Span, two: Span) -> bool:
    return one.start < two.stop and two.start < one.stop


def _rhythm(
    e: Says, found: Sequence[tuple[Line, re.Match[str]]], view: View, span: Span
) -> Seen | None:
    """The first line in time, each period, how often, and that it goes on."""
    what = quoted(e.pattern)
    grace = span.settled - span.start
    slack = slack_of(e.period_ps or 0, e.tolerance_ppm)
    first_by = e.first_by_ps
    if first_by is None and e.period_ps is not None:
        first_by = span.start + e.period_ps + slack + grace
    if e.times == 0:
        first_by = None
    starts = [line.start for line, _ in found]
    blur = view.blur + 2 * view.port_blur(e.port)
    if first_by is not None and (not starts or starts[0] - blur - span.blur > first_by):
        late = f"only at {show_duration(starts[0])}" if starts else "never"
        return failed(
            min(first_by, span.stop),
            f"{e.port} said {what} {late}; expected it first by {show_duration(first_by)}",
        )
    doubt: Seen | None = None
    for one, two in pairwise(starts):
        if e.period_ps is None:
            break
        fit = fits(two - one, e.period_ps - slack, e.period_ps + slack, blur)
        if fit is Outcome.PASS:
            continue
        text = (
            f"{e.port} said {what} at {show_duration(two)}, {show_duration(two - one)} after the "
            f"time before; expected {show_duration(e.period_ps)} ± {show_ratio(e.tolerance_ppm)}"
        )
        if fit is Outcome.FAIL:
            return failed(min(two, one + e.period_ps + slack + 1), text)
        doubt = doubt or unsure(text, at_ps=two)
    if e.times is not None and len(starts) > e.times:
        t = starts[e.times]
        return failed(
            t, f"{e.port} said {what} {len(starts)} times, the one too many at {show_duration(t)}"
        )
    goes_on = e.period_ps is not None and e.times is None
    longest = (e.period_ps or 0) + slack + blur + span.blur
    if goes_on and e.period_ps and starts and span.stop - starts[-1] > longest:
        t = starts[-1] + e.period_ps + slack
        return failed(
            t,
            f"{e.port} said {what} for the last time at {show_duration(starts[-1])}; expected it "
            f"again by {show_duration(t)}",
        )
    least = 1 if e.times is None else e.times
    if len(starts) < least:
        seen = "never" if not starts else f"only {len(starts)} times"
        often = "" if e.times is None else f"; expected {e.times} times"
        return failed(span.stop, f"{e.port} {seen} said {what}{often}")
    return doubt


# ---------------------------------------------------------------------------- numbers


@dataclass(slots=True)
class _Follower:
    """Holds the numbers of one name against its bound, one after the other."""

    bound: Bound
    last: int | None = None


def _numbers(e: Says, found: Sequence[tuple[Line, re.Match[str]]], view: View) -> Seen | None:
    followers = {name: _Follower(bound) for name, bound in e.bounds}
    presses = {name: _presses(f.bound, view) for name, f in followers.items()}
    resets = [event.t_ps for event in view.trace.of(Reset)]
    for line, match in found:
        for name, follower in followers.items():
            value = int(match[name])
            why = _out_of_bound(value, follower, line, e, presses[name], resets, view)
            if why is not None:
                return failed(
                    line.start,
                    f"{e.port} said {quoted(line.text)} at {show_duration(line.start)}: {name} is "
                    f"{value}, {why}; expected that it {bound_words(follower.bound)}",
                )
            follower.last = value
    return None


def _presses(bound: Bound, view: View) -> tuple[list[int], list[int]]:
    """When a button was pressed, and when each press counts at the latest (its chatter over)."""
    if bound.tracks is None or not bound.tracks.startswith("presses:"):
        return [], []
    key = view.subject(bound.tracks.partition(":")[2]).key
    made = [
        s
        for s in view.contract.stimuli
        if isinstance(s, Press) and view.subject(s.subject).key == key
    ]
    times = sorted((view.happened(s) or s.at_ps, s.bounce_ps) for s in made)
    return [t for t, _ in times], [t + bounce + SETTLE_PS for t, bounce in times]


SETTLE_PS = 100 * PS_PER_MS
"""A press may be counted this much after its contact is quiet: debouncing takes its time."""


def _out_of_bound(
    value: int,
    follower: _Follower,
    line: Line,
    e: Says,
    presses: tuple[list[int], list[int]],
    resets: Sequence[int],
    view: View,
) -> str | None:
    bound, last = follower.bound, follower.last
    if last is None and bound.first is not None and value != bound.first:
        return f"the first should be {bound.first}"
    if last is not None and bound.step is not None and value != last + bound.step:
        return f"after {last} should come {last + bound.step}"
    if bound.least is not None and value < bound.least:
        return f"below {bound.least}"
    if bound.most is not None and value > bound.most:
        return f"above {bound.most}"
    if bound.tracks is None:
        return None
    off = view.port_blur(e.port) + view.zero
    if bound.tracks.partition(":")[0] in VOLTAGE_UNITS:
        return out_of_voltage(value, bound, line.start, off, view)
    if bound.tracks.startswith("presses:"):
        low = sum(t < line.start - off for t in presses[1]) - bound.slack
        high = sum(t <= line.start + off for t in presses[0]) + bound.slack
        return None if low <= value <= high else f"though {high - bound.slack} presses were made"
    unit = PS_PER_MS if bound.tracks == "uptime_ms" else PS_PER_S
    up = line.start - max((t for t in resets if t <= line.start), default=0)
    give = slack_of(up, e.tolerance_ppm) + view.blur + off
    # A count of whole units lags the time by less than one.
    low_ps, high_ps = up - give - (bound.slack + 1) * unit, up + give + bound.slack * unit
    if low_ps < value * unit <= high_ps:
        return None
    return f"though {up / unit:.6g} {'ms' if unit == PS_PER_MS else 's'} went by since reset"


# ---------------------------------------------------------------------------- replies


def judge_replies(e: Replies, view: View) -> Seen:
    """After each time the text has arrived, the pattern is said in time."""
    span = view.span(e.window)
    return _at_borders(_judge_replies(e, view, span), e.port, view, span)


def _judge_replies(e: Replies, view: View, span: Span) -> Seen:
    port = view.subject(e.port).port
    asked = _asked(e, view, span)
    frames = view.bytes_on(port, "tx")
    pattern = compile_line(e.pattern)
    waits: list[int] = []
    doubt: Seen | None = None
    blur = view.blur + 2 * view.port_blur(e.port) + view.zero
    # A receiver has the byte in the middle of its stop bit, and may answer from then on.
    early = blur + (PS_PER_S * 1000 // frames[0].baud_mhz if frames else 0)
    for i, t in enumerate(asked):
        deadline = t + e.within_ps
        until = deadline + blur
        if i + 1 < len(asked):
            until = min(until, asked[i + 1])
        said = lines_of([f for f in frames if t - early <= f.start_ps < until])
        answer = next((line for line in said if pattern.fullmatch(line.text)), None)
        if answer is None:
            if deadline + blur > span.stop:
                continue
            heard = f"said only {quoted(said[0].text)}" if said else "said nothing"
            return failed(
                deadline,
                f"{quoted(e.text)} was sent to {e.port} by {show_duration(t)}, and it {heard}; "
                f"expected {quoted(e.pattern)} within {show_duration(e.within_ps)}",
            )
        wrong = _wrong_reply(e, answer, pattern, view)
        if wrong is not None:
            return wrong
        bad = next(
            (f for f in frames if answer.start <= f.start_ps <= answer.stop and f.error), None
        )
        if bad is not None:
            return failed(bad.start_ps, f"{e.port} replies with a {bad.error} error")
        if answer.stop - blur > deadline:
            return failed(deadline, f"{e.port} is still replying at {show_duration(deadline)}")
        if view.trace.watched is not None and answer.stop + blur > deadline:
            text = f"{e.port} ends its reply at {show_duration(answer.stop)}, too close to tell"
            doubt = doubt or unsure(text, at_ps=deadline)
        waits.append(answer.stop - t)
    unasked = _unasked(e, view, span, frames, early)
    if unasked is not None:
        return unasked
    if doubt is not None:
        return doubt
    if not waits:
        return unsure(f"{quoted(e.text)} never reached {e.port} with time left to answer")
    return passed(
        f"{e.port} said {quoted(e.pattern)} {show_duration(max(waits))} after "
        f"{quoted(e.text)} at the slowest",
        number("times", len(waits)),
        duration("slowest", max(waits)),
    )


def _unasked(
    e: Replies, view: View, span: Span, frames: Sequence[SerialByte], early: int
) -> Seen | None:
    """The same words said where no text asked for them: that is chatter, not a reply."""
    others = [
        other
        for other in view.contract.expectations
        if isinstance(other, Replies) and view.subject(other.port) == view.subject(e.port)
    ]
    asked = [(t, other) for other in others for t in _asked(other, view, view.span(other.window))]
    said = [other for other in view.contract.expectations if isinstance(other, Says)]
    blur = 2 * view.port_blur(e.port)
    for line in lines_of([f for f in frames if span.start <= f.start_ps < span.stop]):
        if not line.ended or compile_line(e.pattern).fullmatch(line.text) is None:
            continue
        if any(
            t - early <= line.start <= t + other.within_ps + blur
            and compile_line(other.pattern).fullmatch(line.text)
            for t, other in asked
        ):
            continue
        if any(
            view.subject(other.port) == view.subject(e.port)
            and compile_line(other.pattern).fullmatch(line.text)
            for other in said
        ):
            continue
        return failed(
            line.start,
            f"{e.port} said {quoted(line.text)} at {show_duration(line.start)} though "
            f"{quoted(e.text)} had not been sent; expected it as a reply only",
        )
    return None


def _asked(e: Replies, view: View, span: Span) -> list[int]:
    """When the text had arrived: as the port saw it, else as the contract sent it."""
    heard = text_moments(e.port, e.text, "rx", view, span)
    if heard:
        return heard
    key = view.subject(e.port).key
    return [
        end_of(s)
        for s in sorted(view.contract.stimuli, key=lambda s: s.at_ps)
        if isinstance(s, Send)
        and view.subject(s.subject).key == key
        and e.text.encode() in s.data
        and view.happened(s) is not None
        and span.start <= end_of(s) < span.stop
    ]


def _wrong_reply(e: Replies, line: Line, pattern: re.Pattern[str], view: View) -> Seen | None:
    match = pattern.fullmatch(line.text)
    assert match is not None
    asked = Says(e.port, e.pattern, bounds=e.bounds)
    return _numbers(asked, [(line, match)], view)
