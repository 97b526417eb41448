"""Judging how subjects relate: following, responding, never, exclusive, quiet."""

from __future__ import annotations

from bisect import bisect_left
from typing import TYPE_CHECKING

from fwgen.contract.subjects import port_pins
from fwgen.contract.types import Follows, Press, Send
from fwgen.contract.words import listed, moment
from fwgen.units import show_duration
from fwgen.verdict.levels import duration, number
from fwgen.verdict.view import Seg, failed, passed, unsure

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fwgen.contract.types import Exclusive, Never, Quiet, Responds, Trigger
    from fwgen.verdict.types import Figure
    from fwgen.verdict.view import Seen, Span, View

# ---------------------------------------------------------------------------- following


def judge_follows(e: Follows, view: View) -> Seen:
    """At any time the subject has a level that the source had within the latency before."""
    span = view.span(e.window)
    begin = span.settled
    source = _source_segments(e, view, span)
    mine = view.segments(e.subject, span.start, span.stop, whole=True)
    for seg in mine:
        if seg.level is None and seg.stop > begin:
            pin = view.subject(e.subject).pin
            t = max(seg.start, begin)
            return failed(t, f"{e.subject} floats at {show_duration(t)}: nothing drives {pin}")
    worst = _worst_latency(source, mine, begin)
    figures = (duration("slowest", worst),) if worst is not None else ()
    late = _first_overlap(source, mine, e.latency_ps + view.blur, begin)
    if late is not None:
        t, since, level = late
        subject, src = view.subject(e.subject), view.subject(e.source)
        other = level if e.invert else 1 - level
        return failed(
            t,
            f"{e.subject} is {subject.word(level)} at {show_duration(t)}, though {e.source} has "
            f"been {src.word(other)} since {show_duration(since)}; expected it "
            f"{subject.word(1 - level)} within {show_duration(e.latency_ps)}",
            *figures,
        )
    if view.blur:
        close = _first_overlap(source, mine, max(0, e.latency_ps - view.blur), begin)
        if close is not None:
            return unsure(
                f"{e.subject} changes too close to {show_duration(e.latency_ps)} after {e.source} "
                "for this bench to tell",
                *figures,
                at_ps=close[0],
            )
    changes = sum(seg.start > span.start for seg in source)
    if not changes:
        return unsure(f"{e.source} never changed, so nothing was shown", *figures)
    return passed(
        f"{e.subject} {'does the opposite of' if e.invert else 'follows'} {e.source}"
        + (f", at the slowest after {figures[0].text}" if figures else ""),
        *figures,
        number("changes", changes),
    )


def _source_segments(e: Follows, view: View, span: Span) -> list[Seg]:
    """The levels that the subject should take, from a latency before the window on."""
    segs = view.segments(
        e.source, max(0, span.start - e.latency_ps - view.blur), span.stop, whole=True
    )
    if not e.invert:
        return segs
    return [s if s.level is None else Seg(s.start, s.stop, 1 - s.level) for s in segs]


def _first_overlap(
    source: Sequence[Seg], mine: Sequence[Seg], latency: int, begin: int
) -> tuple[int, int, int] | None:
    """First (time, since when the source asks otherwise, level) at which mine is out of date."""
    k = 0
    for asked in source:
        start, stop = max(asked.start + latency, begin), asked.stop
        if asked.level is None or start >= stop:
            continue
        while k < len(mine) and mine[k].stop <= start:
            k += 1
        for seg in mine[k:]:
            if seg.start >= stop:
                break
            if seg.level == 1 - asked.level:
                return max(start, seg.start), asked.start, seg.level
    return None


def _worst_latency(source: Sequence[Seg], mine: Sequence[Seg], begin: int) -> int | None:
    """The longest wait from a change of the source until the subject has its level."""
    starts = [seg.start for seg in mine]
    worst: int | None = None
    for asked in source[1:]:
        if asked.level is None or asked.start < begin:
            continue
        i = max(0, bisect_left(starts, asked.start + 1) - 1)
        while i < len(mine) and mine[i].start < asked.stop:
            if mine[i].level == asked.level:
                wait = max(0, mine[i].start - asked.start)
                worst = wait if worst is None else max(worst, wait)
                break
            i += 1
    return worst


# ---------------------------------------------------------------------------- moments


def moments(trigger: Trigger, view: View, span: Span, *, cause: bool) -> list[int]:
    """When a moment comes within the window. Raises TooFastError.

    As a cause, the chatter of a contact that the contract makes bounce is one moment, and a text
    that the contract sends is that text as sent, not as said.
    """
    if trigger.text is not None:
        sent = cause and any(
            isinstance(s, Send) and _same(s.subject, trigger.subject, view)
            for s in view.contract.stimuli
        )
        return text_moments(trigger.subject, trigger.text, "rx" if sent else "tx", view, span)
    if trigger.edge is None:
        times = (
            view.happened(s)
            for s in view.contract.stimuli
            if _same(s.subject, trigger.subject, view)
        )
        return sorted(t for t in times if t is not None and span.start <= t < span.stop)
    edges = list(view.edges(trigger.subject, trigger.edge, span.start, span.stop))
    return _debounced(trigger, edges, view) if cause else edges


def _same(one: str, two: str, view: View) -> bool:
    return view.subject(one).key == view.subject(two).key


def _debounced(trigger: Trigger, edges: list[int], view: View) -> list[int]:
    """One edge for each press and each release, however the contact chatters."""
    kept = edges
    for press in view.contract.stimuli:
        if not isinstance(press, Press) or not press.bounce_ps:
            continue
        if not _same(press.subject, trigger.subject, view):
            continue
        begun = view.happened(press)
        begun = press.at_ps if begun is None else begun
        ends = [(begun, "rising")]
        if press.hold_ps is not None:
            ends.append((begun + press.hold_ps, "falling"))
        for at, real in ends:
            low, high = at - view.blur, at + press.bounce_ps + view.blur
            chatter = [t for t in kept if low <= t <= high]
            keep = chatter[:1] if trigger.edge in ("both", real) else []
            kept = [t for t in kept if not low <= t <= high] + keep
    return sorted(kept)


def text_moments(port: str, text: str, direction: str, view: View, span: Span) -> list[int]:
    """When a text has just been transferred on a port, in order of time."""
    frames = view.bytes_on(view.subject(port).port, direction)
    stream = bytes(frame.byte for frame in frames)
    wanted = text.encode()
    found: list[int] = []
    i = stream.find(wanted)
    while i >= 0 and wanted:
        t = frames[i + len(wanted) - 1].t_ps
        if span.start <= t < span.stop:
            found.append(t)
        i = stream.find(wanted, i + len(wanted))
    return found


def judge_responds(e: Responds, view: View) -> Seen:
    """Each trigger is answered in time, and not before its time."""
    span = view.span(e.window)
    causes = moments(e.trigger, view, span, cause=True)
    answers = moments(e.response, view, span, cause=False)
    what, answer = moment(e.trigger, view.board), moment(e.response, view.board)
    waits: list[int] = []
    doubt: Seen | None = None
    for t in causes:
        i = bisect_left(answers, t)
        wait = answers[i] - t if i < len(answers) else None
        at = show_duration(t)
        if wait is not None and wait + view.blur < e.after_ps:
            return failed(
                answers[i],
                f"{answer} already {show_duration(wait)} after {what} at {at}; expected not "
                f"before {show_duration(e.after_ps)}",
                duration("wait", wait),
            )
        if wait is None or wait - view.blur > e.within_ps:
            if t + e.within_ps >= span.stop:
                continue  # its time runs beyond the window: nothing to hold against it
            came = (
                f"it came only {show_duration(wait)} later" if wait is not None else "it never came"
            )
            return failed(
                t + e.within_ps,
                f"{what} at {at}, and {came}; expected that {answer} within "
                f"{show_duration(e.within_ps)}",
            )
        waits.append(wait)
        if view.blur and not e.after_ps <= wait - view.blur <= wait + view.blur <= e.within_ps:
            doubt = doubt or unsure(
                f"{answer} {show_duration(wait)} after {what}, too close to call", at_ps=t
            )
    figures: tuple[Figure, ...] = (number("times", len(waits)),)
    if waits:
        figures += (duration("slowest", max(waits)), duration("quickest", min(waits)))
    if doubt is not None:
        return doubt
    if not causes and e.trigger.edge is not None and not _stimulated(e.trigger.subject, view):
        return failed(span.stop, f"it never came that {what}, so there was nothing to answer")
    if not waits:
        return unsure(f"there was no moment at which {what}, so nothing was shown")
    return passed(
        f"{answer} after {what}, at the slowest after {show_duration(max(waits))}", *figures
    )


def _stimulated(name: str, view: View) -> bool:
    return any(_same(s.subject, name, view) for s in view.contract.stimuli)


def judge_never(e: Never, view: View) -> Seen:
    """The moment must not come."""
    span = view.span(e.window)
    found = moments(e.moment, view, span, cause=False)
    what = moment(e.moment, view.board)
    if found:
        return failed(
            found[0],
            f"{what} at {show_duration(found[0])}; expected never",
            number("times", len(found)),
        )
    return passed(f"it never came that {what}")


# ---------------------------------------------------------------------------- together


def judge_exclusive(e: Exclusive, view: View) -> Seen:
    """No two on at once, for as little as a picosecond."""
    span = view.span(e.window)
    on = sorted(
        (seg.start, seg.stop, name)
        for name in e.subjects
        for seg in view.segments(name, span.start, span.stop, whole=True)
        if seg.level == 1
    )
    doubt: Seen | None = None
    until, holder = -1, ""
    for start, stop, name in on:
        if start < until:
            overlap = min(stop, until) - start
            text = (
                f"{name} and {holder} are both on at {show_duration(start)}, for "
                f"{show_duration(overlap)}"
            )
            if overlap > view.blur:
                return failed(start, text, duration("overlap", overlap))
            doubt = doubt or unsure(text, at_ps=start)
        if stop > until:
            until, holder = stop, name
    if doubt is not None:
        return doubt
    if not on:
        return passed(f"none of {listed(e.subjects)} is ever on")
    return passed(f"never two of {listed(e.subjects)} on at once")


def judge_quiet(e: Quiet, view: View) -> Seen:
    """No pin moves but those named, those that the contract moves, and a named port's own."""
    free = {view.subject(stimulus.subject).pin for stimulus in view.contract.stimuli}
    for name in e.but:
        subject = view.subject(name)
        free |= set(port_pins(subject.port, view.board)) if subject.port else {subject.pin}
    for other in view.contract.expectations:
        # A pin that is only listened to belongs to whoever drives it.
        if isinstance(other, Follows):
            free.add(view.subject(other.source).pin)
    moves = (
        (next(view.trace.edges(pin), None), pin)
        for pin in view.trace.moving_pins()
        if pin not in free
    )
    found = [(*edge, pin) for edge, pin in moves if edge is not None]
    if not found:
        return passed(f"no pin but {listed(e.but)} moves" if e.but else "no pin moves")
    t, now, pin = min(found, key=lambda move: (move[0], move[2]))
    part = next((p.name for p in view.board.parts.values() if p.pin == pin), None)
    known = f"{pin} ({part})" if part else pin
    was = view.trace.level(pin, t - 1) if t else view.trace.initial.get(pin)
    word = {None: "floating", 0: "low", 1: "high"}
    return failed(
        t, f"{known} moves at {show_duration(t)}, from {word[was]} to {word[now]}; expected quiet"
    )
