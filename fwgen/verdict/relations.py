"""Judging how subjects relate: following, responding, never, exclusive, quiet."""

from __future__ import annotations

from bisect import bisect_left
from typing import TYPE_CHECKING

from fwgen.contract.subjects import bus_pins, port_pins
from fwgen.contract.types import Follows, Press, Send
from fwgen.contract.words import listed, moment
from fwgen.units import show_duration
from fwgen.verdict.levels import duration, in_doubt, number, outside
from fwgen.verdict.types import Outcome
from fwgen.verdict.view import Seg, Span, failed, passed, unsure
from fwgen.verdict.voltages import above_segments, threshold_words

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fwgen.board.types import Board
    from fwgen.contract.subjects import Subject
    from fwgen.contract.types import Exclusive, Never, Quiet, Responds, Trigger
    from fwgen.verdict.types import Figure
    from fwgen.verdict.view import Seen, View

# ---------------------------------------------------------------------------- following


def judge_follows(e: Follows, view: View) -> Seen:
    """At any time the subject has a level that the source had within the latency before."""
    span = view.span(e.window)
    begin = span.settled
    source = _source_segments(e, view, span)
    mine = view.segments(e.subject, span.start, span.stop, whole=True)
    for seg in mine:
        if seg.level is None and seg.stop - seg.after > begin and not outside(seg, span):
            pin = view.subject(e.subject).pin
            t = max(seg.start, begin)
            return failed(t, f"{e.subject} floats at {show_duration(t)}: nothing drives {pin}")
    worst = _worst_latency(source, mine, begin)
    figures = (duration("slowest", worst),) if worst is not None else ()
    sure = _narrowed(mine, span), _narrowed(source, span)
    late = _first_overlap(sure[1], sure[0], e.latency_ps + view.blur, begin)
    if late is not None:
        t, since, level = late
        subject, src = view.subject(e.subject), view.subject(e.source)
        other = level if e.invert else 1 - level
        been = src.word(other) if e.above_uv is None else threshold_words(e, other)
        seen = failed(
            t,
            f"{e.subject} is {subject.word(level)} at {show_duration(t)}, though {e.source} has "
            f"been {been} since {show_duration(since)}; expected it "
            f"{subject.word(1 - level)} within {show_duration(e.latency_ps)}",
            *figures,
        )
        return in_doubt(in_doubt(seen, e.source, view, span), e.subject, view, span)
    blur = view.blur + view.pin_blur(e.subject) + view.pin_blur(e.source)
    changes = sum(seg.start > span.start for seg in source)
    if blur:
        if view.trace.watched is not None:
            # A change that is seen to come a little before its cause may have come after it.
            source, mine, blur = sure[1], sure[0], 2 * blur
        close = _first_overlap(source, mine, max(0, e.latency_ps - blur), begin)
        if close is not None:
            return unsure(
                f"{e.subject} changes too close to {show_duration(e.latency_ps)} after {e.source} "
                "for this bench to tell",
                *figures,
                at_ps=close[0],
            )
    if not changes:
        return unsure(f"{e.source} never changed, so nothing was shown", *figures)
    return passed(
        f"{e.subject} {'does the opposite of' if e.invert else 'follows'} {e.source}"
        + (f", at the slowest after {figures[0].text}" if figures else ""),
        *figures,
        number("changes", changes),
    )


def _narrowed(segs: Sequence[Seg], span: Span) -> list[Seg]:
    """Each segment for as long as it surely lasted, within what is surely the window."""
    made = []
    for seg in segs:
        start, stop = seg.start + seg.before, seg.stop - seg.after
        if span.blur:
            start = max(start, span.start + span.blur) if span.start else start
            stop = min(stop, span.stop - span.blur)
        if start < stop:
            made.append(seg._replace(start=start, stop=stop))
    return made


def _source_segments(e: Follows, view: View, span: Span) -> list[Seg]:
    """The levels that the subject should take, from a latency before the window on."""
    if e.above_uv is not None:
        return above_segments(e, view, max(0, span.start - e.latency_ps), span.stop)
    segs = view.segments(
        e.source,
        max(0, span.start - e.latency_ps - view.blur - span.blur - view.pin_blur(e.source)),
        span.stop,
        whole=True,
    )
    if not e.invert:
        return segs
    return [s if s.level is None else s._replace(level=1 - s.level) for s in segs]


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
            off = view.blur + view.zero + view.pin_blur(trigger.subject)
            low, high = at - off, at + press.bounce_ps + off
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
    # How far the time between the two may be off, and each of them by itself.
    own = (view.moment_blur(e.trigger.subject), view.moment_blur(e.response.subject))
    if e.trigger.edge is None and e.trigger.text is None:
        own = view.zero, own[1]
    blur = view.blur + sum(own)
    waits: list[int] = []
    doubt: Seen | None = None
    for t in causes:
        i = bisect_left(answers, t - blur)
        wait = max(0, answers[i] - t) if i < len(answers) else None
        at = show_duration(t)
        border = span.at_border(t, own[0])
        if wait is not None and wait + blur < e.after_ps:
            seen = failed(
                answers[i],
                f"{answer} already {show_duration(wait)} after {what} at {at}; expected not "
                f"before {show_duration(e.after_ps)}",
                duration("wait", wait),
            )
            if not border:
                return seen
            doubt = doubt or unsure(seen.text, at_ps=t)
            continue
        if wait is None or wait - blur > e.within_ps:
            if t + e.within_ps + blur >= span.stop - span.blur:
                if blur + span.blur and t + e.within_ps < span.stop:
                    doubt = doubt or unsure(f"{what} at {at}, too close to the end", at_ps=t)
                continue  # its time runs beyond the window: nothing to hold against it
            came = (
                f"it came only {show_duration(wait)} later" if wait is not None else "it never came"
            )
            seen = failed(
                t + e.within_ps,
                f"{what} at {at}, and {came}; expected that {answer} within "
                f"{show_duration(e.within_ps)}",
            )
            seen = in_doubt(seen, e.response.subject, view, span)
            if seen.outcome is Outcome.FAIL and border:
                seen = unsure(f"{seen.text}; too close to the window's border", at_ps=t)
            if seen.outcome is Outcome.FAIL:
                return seen
            doubt = doubt or seen
            continue
        waits.append(wait)
        if blur and not e.after_ps <= wait - blur <= wait + blur <= e.within_ps:
            at_once = e.after_ps == 0 and wait + blur <= e.within_ps
            if view.trace.watched is None or not at_once:
                doubt = doubt or unsure(
                    f"{answer} {show_duration(wait)} after {what}, too close to call", at_ps=t
                )
    figures: tuple[Figure, ...] = (number("times", len(waits)),)
    if waits:
        figures += (duration("slowest", max(waits)), duration("quickest", min(waits)))
    if doubt is not None:
        return doubt
    if not causes and e.trigger.edge is not None and not _stimulated(e.trigger.subject, view):
        seen = failed(span.stop, f"it never came that {what}, so there was nothing to answer")
        return in_doubt(seen, e.trigger.subject, view, span)
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
    blur = view.moment_blur(e.moment.subject)
    if found and all(span.at_border(t, blur) for t in found):
        return unsure(
            f"{what} at {show_duration(found[0])}, too close to the window's border to tell",
            at_ps=found[0],
        )
    found = [t for t in found if not span.at_border(t, blur)]
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
        (seg.start, seg.stop, name, seg.before, seg.after)
        for name in e.subjects
        for seg in view.segments(name, span.start, span.stop, whole=True)
        if seg.level == 1
    )
    doubt: Seen | None = None
    until, holder, after = -1, "", 0
    for start, stop, name, before, off in on:
        if start < until:
            overlap = min(stop, until) - start
            text = (
                f"{name} and {holder} are both on at {show_duration(start)}, for "
                f"{show_duration(overlap)}"
            )
            blur = view.blur + before + max(after, off)
            if span.blur and (start <= span.start > 0 or min(stop, until) >= span.stop):
                blur += span.blur
            seen = unsure(text, at_ps=start)
            if overlap > blur:
                seen = failed(start, text, duration("overlap", overlap))
                for one in (name, holder):
                    seen = in_doubt(seen, one, view, span)
            if seen.outcome is Outcome.FAIL:
                return seen
            doubt = doubt or seen
        if stop > until:
            until, holder, after = stop, name, off
    if doubt is not None:
        return doubt
    if not on:
        return passed(f"none of {listed(e.subjects)} is ever on")
    return passed(f"never two of {listed(e.subjects)} on at once")


def _pins_of(subject: Subject, board: Board) -> tuple[str, ...]:
    if subject.port:
        return port_pins(subject.port, board)
    return bus_pins(subject.bus, board) if subject.bus else (subject.pin,)


def judge_quiet(e: Quiet, view: View) -> Seen:
    """No pin moves but those named, those that the contract moves, and a named port's own."""
    span = Span(0, view.contract.span_ps, view.zero)
    free = {view.subject(stimulus.subject).pin for stimulus in view.contract.stimuli}
    for name in e.but:
        subject = view.subject(name)
        free |= set(_pins_of(subject, view.board))
    for other in view.contract.expectations:
        # A pin that is only listened to belongs to whoever drives it.
        if isinstance(other, Follows):
            free.add(view.subject(other.source).pin)
    moves = (
        (next(view.trace.edges(pin), None), pin)
        for pin in view.trace.moving_pins()
        if pin not in free
    )
    found = [(*edge, pin) for edge, pin in moves if edge is not None and edge[0] < span.stop]
    if not found:
        return _quiet_where_seen(free, view) or passed(
            f"no pin but {listed(e.but)} moves" if e.but else "no pin moves"
        )
    t, now, pin = min(found, key=lambda move: (move[0], move[2]))
    part = next((p.name for p in view.board.parts.values() if p.pin == pin), None)
    known = f"{pin} ({part})" if part else pin
    was = view.trace.level(pin, t - 1) if t else view.trace.initial.get(pin)
    word = {None: "floating", 0: "low", 1: "high"}
    text = f"{known} moves at {show_duration(t)}, from {word[was]} to {word[now]}; expected quiet"
    if span.at_border(t, max((run.blur_ps for run in view.trace.runs(pin)), default=0)):
        return unsure(f"{text}; too close to the end to tell", at_ps=t)
    return failed(t, text)


def _quiet_where_seen(free: set[str], view: View) -> Seen | None:
    """Doubt about the pins that were not watched, or None."""
    watched = view.trace.watched
    if watched is None:
        return None
    left = [pin for pin in view.board.chip.pins if pin not in free and pin not in watched.pins]
    if not left:
        return None
    shown = ", ".join(left[:4]) + (f" and {len(left) - 4} more" if len(left) > 4 else "")
    return unsure(f"no pin moves of those that were watched; not watched: {shown}")
