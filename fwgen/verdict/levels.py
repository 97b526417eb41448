"""Judging what one subject does by itself: levels, blinking, counts, PWM, tones."""

from __future__ import annotations

from bisect import bisect_left
from typing import TYPE_CHECKING, NamedTuple

from fwgen.contract.timing import slack_of
from fwgen.contract.words import count_words, show_hertz
from fwgen.units import (
    PPM,
    frequency_mhz,
    period_ps,
    show_duration,
    show_frequency,
    show_ratio,
)
from fwgen.verdict.types import Figure, Outcome
from fwgen.verdict.view import Seg, Span, failed, fits, passed, unsure

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from fwgen.contract.types import Blinks, Counts, Level, Phase, Pwm, Tone
    from fwgen.verdict.view import Seen, View

_FEWEST_CYCLES = 2  # complete ones; three periods of window hold at least two


def duration(name: str, ps: int) -> Figure:
    """A measured time."""
    return Figure(name, ps, "ps", show_duration(ps))


def frequency(name: str, mhz: int) -> Figure:
    """A measured frequency."""
    return Figure(name, mhz, "mHz", show_hertz(mhz))


def ratio(name: str, ppm: int) -> Figure:
    """A measured share."""
    return Figure(name, ppm, "ppm", show_ratio(ppm))


def number(name: str, value: int) -> Figure:
    """A count."""
    return Figure(name, value, "", str(value))


# ---------------------------------------------------------------------------- level


def judge_level(e: Level, view: View) -> Seen:
    """At one moment, or throughout a window once the pins are set up."""
    subject = view.subject(e.subject)
    wanted = subject.word(e.level)
    if e.at_ps is not None:
        off = view.blur + view.zero + view.pin_blur(e.subject)
        near = view.segments(e.subject, max(0, e.at_ps - off), e.at_ps + off + 1)
        seen = {seg.level for seg in near if not seg.skipped}
        at = show_duration(e.at_ps)
        if seen == {e.level}:
            return passed(f"{e.subject} is {wanted} at {at}")
        if e.level in seen:
            return unsure(f"{e.subject} changes at {at}, too close to tell", at_ps=e.at_ps)
        level = view.level(e.subject, e.at_ps)
        seen_other = failed(e.at_ps, f"{e.subject} is {_is(level, subject.word(level))} at {at}; "
                            f"expected {wanted}")  # fmt: skip
        return in_doubt(seen_other, e.subject, view, Span(e.at_ps - off, e.at_ps + off + 1))
    span = view.span(e.window)
    held = False
    for seg in view.segments(e.subject, span.start, span.stop):
        if seg.level == e.level and not seg.skipped:
            held = True
            continue
        # Set-up is over when the level was first there, or when its time is up.
        if not held and seg.stop - seg.after <= span.settled and seg.stop < span.stop:
            continue
        if outside(seg, span):
            continue
        t = seg.start if held else max(seg.start, min(span.settled, span.stop - 1))
        verb = "is" if t == span.start else "became" if held else "is still"
        return failed(
            t,
            f"{e.subject} {verb} {_is(seg.level, subject.word(seg.level))} at {show_duration(t)}; "
            f"expected {wanted} throughout",
        )
    stop = show_duration(span.stop)
    return passed(f"{e.subject} is {wanted} from {show_duration(span.start)} to {stop}")


def outside(seg: Seg, span: Span) -> bool:
    """Whether a bench that tells time roughly may see this of what comes before or after."""
    before = span.start > 0 and seg.stop - seg.after - span.blur <= span.start
    return before or seg.start + seg.before + span.blur >= span.stop


def trimmed(segs: Sequence[Seg], span: Span) -> list[Seg]:
    """Segments without those at the ends that may belong to what comes before or after."""
    kept = list(segs)
    while len(kept) > 1 and outside(kept[0], span):
        del kept[0]
        more = kept[0].start - span.start
        kept[0] = kept[0]._replace(start=span.start, before=kept[0].before + more)
    while len(kept) > 1 and outside(kept[-1], span):
        del kept[-1]
    return kept


def too_seldom(name: str, shortest_ps: int, view: View, span: Span) -> Seen | None:
    """Doubt about what asks for times at one level so short that they may not be seen, or None."""
    unseen = view.unseen(name, span)
    if not unseen or unseen < shortest_ps:
        return None
    return unsure(
        f"{name} was looked at every {show_duration(unseen)} at the longest, too seldom to see "
        f"times of {show_duration(max(0, shortest_ps))}"
    )


def in_doubt(seen: Seen, name: str, view: View, span: Span) -> Seen:
    """A failure that rests on what was not seen, as doubt where it may only have been missed."""
    if seen.outcome is not Outcome.FAIL or not view.may_hide(name, span):
        return seen
    unseen = show_duration(view.unseen(name, span))
    return unsure(
        f"{seen.text}; but {name} was looked at every {unseen} at the longest, and a change that "
        "is undone sooner leaves no mark",
        *seen.figures,
        at_ps=seen.departure.t_ps if seen.departure is not None else None,
    )


def _is(level: int | None, word: str) -> str:
    return f"{word} (nothing drives or pulls it)" if level is None else word


# ---------------------------------------------------------------------------- blinking


class Cycle(NamedTuple):
    """One period, from turning on to turning on again; ``repeats`` such in a row.

    ``blur`` is how far its length, and the time on in it, may be off.
    """

    start: int
    on: int
    off: int
    repeats: int = 1
    blur: int = 0

    @property
    def period(self) -> int:
        """Its length."""
        return self.on + self.off


def cycles_of(segs: Sequence[Seg], span: Span) -> list[Cycle]:
    """The complete periods among segments (those with an edge at each end), in order."""
    made: list[Cycle] = []
    for i, seg in enumerate(segs):
        if seg.skipped and made:
            last, before = made[-1], segs[i - 1]
            # Left out after a time on, each cycle completes the one before it, and the next
            # segment the last of them.
            inside = before.level == 1
            start = before.start if inside else seg.start
            made.append(Cycle(start, last.on, last.off, seg.skipped + inside, last.blur))
        elif seg.level == 1 and i < len(segs) - 2 and segs[i + 1].level == 0:
            if not _began(segs, i, span):
                continue
            off = segs[i + 1]
            blur = max(seg.blur, seg.before + off.after)
            made.append(Cycle(seg.start, seg.stop - seg.start, off.stop - off.start, 1, blur))
    return made


def _began(segs: Sequence[Seg], i: int, span: Span) -> bool:
    """Whether a segment begins with an edge: not cut by the window, nor off since set-up."""
    return i > 0 or (segs[i].level == 1 and segs[i].start > span.start)


def _set_up(segs: list[Seg], span: Span) -> list[Seg]:
    """The segments without the floating that set-up is allowed right after reset."""
    kept = list(segs)
    while kept and kept[0].level is None and not kept[0].skipped:
        if kept[0].stop - kept[0].after > span.settled:
            break
        del kept[0]
    return kept


def floats(name: str, segs: Sequence[Seg], view: View, span: Span) -> Seen | None:
    """The failure of a pin that nothing drives or pulls, or None."""
    for seg in segs:
        if seg.level is None and not seg.skipped and not outside(seg, span):
            pin = view.subject(name).pin
            return failed(
                seg.start,
                f"{name} floats from {show_duration(seg.start)}: nothing drives {pin}",
            )
    return None


def judge_blinks(e: Blinks, view: View) -> Seen:
    """Every single time on, time off and period; the beginning; the phase."""
    span = view.span(e.window)
    if e.duty_ppm is None:
        return in_doubt(_judge_blinks(e, view, span), e.subject, view, span)
    shorter = min(e.duty_ppm, PPM - e.duty_ppm) * e.period_ps // PPM
    shortest = shorter - slack_of(shorter, e.tolerance_ppm) - e.period_ps // (2 * PPM)
    return too_seldom(e.subject, shortest, view, span) or _judge_blinks(e, view, span)


def _judge_blinks(e: Blinks, view: View, span: Span) -> Seen:
    segs = _set_up(trimmed(view.segments(e.subject, span.start, span.stop), span), span)
    subject = view.subject(e.subject)
    on_word, off_word = subject.words
    cycles = cycles_of(segs, span)
    figures = _blink_figures(segs, cycles)
    trend = _trend(cycles)

    begins = _judge_beginning(e, view, segs, span)
    if begins is not None and span.start and view.edge_near(e.subject, span.start):
        begins = unsure(f"{begins.text}; something is too close to the window's border to tell")
    if begins is not None and begins.outcome is Outcome.FAIL:
        floating = floats(e.subject, segs, view, span)
        if floating is not None and floating.departure and begins.departure:
            early = floating.departure.t_ps <= begins.departure.t_ps
            return floating if early else begins
        return begins
    doubt = begins

    slack = slack_of(e.period_ps, e.tolerance_ppm)
    wanted: dict[int, tuple[int, int, int]] = {}
    if e.duty_ppm is not None:
        on = e.period_ps * e.duty_ppm // PPM
        for level, length in ((1, on), (0, e.period_ps - on)):
            # Duty is given in ppm: half a ppm of the period is rounding, not tolerance.
            give = slack_of(length, e.tolerance_ppm) + e.period_ps // (2 * PPM)
            wanted[level] = (length, length - give, length + give)
    else:
        most = e.period_ps + slack
        wanted = dict.fromkeys((0, 1), (e.period_ps, 0, most))

    last_rise: Seg | None = None
    turns = 0
    for i, seg in enumerate(segs):
        if seg.skipped:
            last_rise = None
            continue
        if seg.level is None:
            return floats(e.subject, segs[i:], view, span) or unsure("floating")
        began, ended = _began(segs, i, span), i < len(segs) - 1
        length, low, high = wanted[seg.level]
        lasted = seg.stop - seg.start
        # A time that ends in floating may be short: the floating is the departure then.
        whole = began and ended and (segs[i + 1].level is not None or segs[i + 1].skipped > 0)
        word, other = (on_word, off_word) if seg.level else (off_word, on_word)
        fit = fits(lasted, low if whole else 0, high, view.blur + seg.blur)
        if not began and not seg.level:
            fit = Outcome.PASS  # the wait before the first time on was judged above
        if fit is not Outcome.PASS:
            turns += 1
            first = "first " if _first_of_level(segs, i) else ""
            if ended:
                text = (
                    f"{e.subject} {first}turned {other} at {show_duration(seg.stop)}, after "
                    f"{show_duration(lasted)} {word}; expected {show_duration(length)} ± "
                    f"{show_ratio(e.tolerance_ppm)}{trend}"
                )
                t = min(seg.stop, seg.start + high + 1)
            else:
                t = seg.start + high + 1
                text = (
                    f"{e.subject} stays {word} from {show_duration(seg.start)} on; expected it to "
                    f"turn {other} after {show_duration(length)} ± {show_ratio(e.tolerance_ppm)}"
                    f"{trend}"
                )
            if fit is Outcome.FAIL:
                return failed(t, text, *figures)
            doubt = doubt or unsure(text, *figures, at_ps=t)
        if seg.level == 1 and began:
            if last_rise is not None:
                period = seg.start - last_rise.start
                blur = view.blur + last_rise.before + seg.before
                fit = fits(period, e.period_ps - slack, e.period_ps + slack, blur)
                if fit is not Outcome.PASS:
                    text = (
                        f"{e.subject} turned {on_word} at {show_duration(seg.start)}, "
                        f"{show_duration(period)} after the time before; expected "
                        f"{show_duration(e.period_ps)} ± {show_ratio(e.tolerance_ppm)}{trend}"
                    )
                    if fit is Outcome.FAIL:
                        return failed(seg.start, text, *figures)
                    doubt = doubt or unsure(text, *figures, at_ps=seg.start)
            last_rise = seg
    if e.phase is not None:
        seen = _judge_phase(e, e.phase, view, span, cycles)
        if seen is not None and (seen.outcome is Outcome.FAIL or doubt is None):
            return seen
    if doubt is not None:
        return doubt
    count = sum(cycle.repeats for cycle in cycles)
    if count < _FEWEST_CYCLES:
        return unsure(f"{e.subject} was seen to go on and off only {count} times", *figures)
    return passed(f"{e.subject} {_rate(cycles)}", *figures)


def _first_of_level(segs: Sequence[Seg], i: int) -> bool:
    return all(seg.level != segs[i].level for seg in segs[:i])


def _mean(cycles: Sequence[Cycle]) -> int | None:
    count = sum(cycle.repeats for cycle in cycles)
    return sum(cycle.period * cycle.repeats for cycle in cycles) // count if count else None


def _trend(cycles: Sequence[Cycle]) -> str:
    mean = _mean(cycles)
    return f": it blinks at {show_hertz(frequency_mhz(mean), 3)}" if mean else ""


def _rate(cycles: Sequence[Cycle]) -> str:
    mean = _mean(cycles) or 1
    on = {cycle.on for cycle in cycles}
    off = {cycle.off for cycle in cycles}
    return (
        f"blinks at {show_hertz(frequency_mhz(mean))}: {_range(on)} on, {_range(off)} off, "
        f"seen {sum(cycle.repeats for cycle in cycles)} times"
    )


def _range(values: set[int]) -> str:
    low, high = show_duration(min(values)), show_duration(max(values))
    return low if low == high else f"{low} to {high}"


def _blink_figures(segs: Sequence[Seg], cycles: Sequence[Cycle]) -> tuple[Figure, ...]:
    made = []
    first_on = next((seg.start for seg in segs if seg.level == 1), None)
    if first_on is not None:
        made.append(duration("first on", first_on))
    mean = _mean(cycles)
    if mean:
        on, off = [c.on for c in cycles], [c.off for c in cycles]
        made += [
            number("periods", sum(c.repeats for c in cycles)),
            frequency("frequency", frequency_mhz(mean)),
            duration("shortest on", min(on)),
            duration("longest on", max(on)),
            duration("shortest off", min(off)),
            duration("longest off", max(off)),
        ]
    return tuple(made)


def _judge_beginning(e: Blinks, view: View, segs: Sequence[Seg], span: Span) -> Seen | None:
    """None when it begins as asked."""
    on, off = view.subject(e.subject).words
    first = next((seg for seg in segs if seg.level == 1), None)
    first_on = first.start if first is not None else None
    slack = slack_of(e.period_ps, e.tolerance_ppm)
    grace = span.settled - span.start
    earliest, latest = span.start, span.start + e.period_ps + slack + grace
    if e.starts == 1:
        latest = span.settled
    elif e.starts == 0 and e.duty_ppm is not None:
        wait = e.period_ps - e.period_ps * e.duty_ppm // PPM
        give = slack_of(wait, e.tolerance_ppm)
        earliest, latest = span.start + wait - give, span.start + wait + give + grace
    if e.first_on_by_ps is not None:
        latest = e.first_on_by_ps
    if first_on is None:
        return failed(
            min(latest, span.stop),
            f"{e.subject} never turned {on}; expected it {on} by {show_duration(latest)}",
        )
    if e.starts == 0 and segs[0].level == 1:
        return failed(segs[0].start, f"{e.subject} begins {on}; expected it to begin {off}")
    assert first is not None
    blur = view.blur + span.blur + first.before if first_on else 0
    match fits(first_on, earliest, latest, blur):
        case Outcome.FAIL:
            early = first_on < earliest
            bound = f"not before {show_duration(earliest)}" if early else (
                f"by {show_duration(latest)}")  # fmt: skip
            return failed(
                min(first_on, latest),
                f"{e.subject} first turned {on} at {show_duration(first_on)}; expected {bound}",
                duration("first on", first_on),
            )
        case Outcome.UNSURE if first_on + blur > latest:
            return unsure(
                f"{e.subject} first turned {on} at {show_duration(first_on)}, too close to "
                f"{show_duration(latest)} to tell",
                at_ps=first_on,
            )
    return None


def _judge_phase(
    e: Blinks, phase: Phase, view: View, span: Span, cycles: Sequence[Cycle]
) -> Seen | None:
    """None when every time on comes the offset after one of the reference."""
    reference = cycles_of(
        _set_up(trimmed(view.segments(phase.reference, span.start, span.stop), span), span), span
    )
    seen = _phase_departure(e, phase, view, span, cycles, reference)
    return seen and in_doubt(seen, phase.reference, view, span)


def _phase_departure(
    e: Blinks, phase: Phase, view: View, span: Span, cycles: Sequence[Cycle],
    reference: Sequence[Cycle],
) -> Seen | None:  # fmt: skip
    blur = view.blur + view.pin_blur(e.subject) + view.pin_blur(phase.reference)
    rises = [cycle.start for cycle in reference]
    slack = slack_of(e.period_ps, e.tolerance_ppm)
    if not rises:
        return failed(
            span.start, f"{phase.reference} never blinks, so {e.subject} cannot keep step with it"
        )
    doubt = None
    for cycle in cycles:
        off = _phase_error(cycle.start - phase.offset_ps, rises, e.period_ps)
        fit = fits(abs(off), 0, slack, blur if off else 0)
        if fit is Outcome.PASS:
            continue
        text = (
            f"{e.subject} turned on at {show_duration(cycle.start)}, "
            f"{show_duration((phase.offset_ps + off) % e.period_ps)} after {phase.reference}; "
            f"expected {show_duration(phase.offset_ps)} ± {show_duration(slack)}"
        )
        if fit is Outcome.FAIL:
            return failed(cycle.start, text)
        doubt = doubt or unsure(text, at_ps=cycle.start)
    return doubt


def _phase_error(t: int, rises: Sequence[int], period: int) -> int:
    """How far ``t`` is from the nearest reference edge.

    Before the first edge and after the last, the reference is taken to go on as it should.
    """
    if rises[0] <= t <= rises[-1]:
        i = bisect_left(rises, t)
        near = min(rises[max(0, i - 1) : i + 1], key=lambda rise: abs(t - rise))
        return t - near
    away = t - (rises[0] if t < rises[0] else rises[-1])
    return (away + period // 2) % period - period // 2


# ---------------------------------------------------------------------------- counts


def judge_counts(e: Counts, view: View) -> Seen:
    """Edges or complete pulses; the one too many is the first departure."""
    span = view.span(e.window)
    segs = view.segments(e.subject, max(0, span.start - 1), span.stop)
    floating = _floats_unasked(e.subject, segs, view, span)
    if floating is not None:
        return floating
    seen, over = _count(e, segs)
    figure = number("seen", seen)
    asked = count_words(e, view.board)
    fewest, most = _count_range(e, view, span, seen)
    if e.most is not None and fewest <= e.most < most:
        return unsure(f"{e.subject} shows {seen}, one of them too close to the window's border to "
                      f"tell; expected {asked}", figure, at_ps=over)  # fmt: skip
    if over is not None and fewest == seen:
        return failed(
            over,
            f"{e.subject} shows {seen} by the end, the one too many at {show_duration(over)}; "
            f"expected {asked}",
            figure,
        )
    if e.most is not None and fewest > e.most:
        return failed(span.stop, f"{e.subject} shows {seen} by the end; expected {asked}", figure)
    if fewest < e.least:
        text = (
            f"{e.subject} shows only {seen} by {show_duration(span.stop)}; expected {asked}"
        )  # fmt: skip
        if most >= e.least:
            return unsure(f"{text}; one is too close to the window's border to tell", figure)
        return in_doubt(failed(span.stop, text, figure), e.subject, view, span)
    what = "pulse" if e.what == "pulse" else "change"
    return passed(f"{e.subject} shows {seen} {what}{'' if seen == 1 else 's'}", figure)


def _count_range(e: Counts, view: View, span: Span, seen: int) -> tuple[int, int]:
    """How few and how many of those seen lie in the window for a bench that tells time roughly."""
    off = span.blur + view.pin_blur(e.subject)
    if not off:
        return seen, seen
    start = span.start and span.start + off
    few, _ = _count(e, view.segments(e.subject, max(0, start - 1), max(start, span.stop - off)))
    many, _ = _count(
        e, view.segments(e.subject, max(0, span.start - off - 1), span.stop + off)
    )  # fmt: skip
    return few, many


def _count(e: Counts, segs: Sequence[Seg]) -> tuple[int, int | None]:
    """How many there are, and when the one too many comes."""
    seen = 0
    most = e.most
    over: int | None = None
    was = bool(segs[0].level) if segs else False
    risen = False
    for seg in segs[1:]:
        before = seen
        if seg.skipped:
            seen += seg.skipped * (2 if e.what == "both" else 1)
            risen = False if not was else risen
        else:
            now = bool(seg.level)
            rising, falling = now and not was, was and not now
            if e.what == "pulse":
                seen += falling and risen
                risen = rising or (risen and now)
            else:
                wanted = {"rising": rising, "falling": falling, "both": rising or falling}
                seen += wanted[e.what]
            was = now
        if most is not None and over is None and seen > most:
            # Inside a wave the offending edge is found by proportion: its cycles are all alike.
            each = max(1, seen - before)
            into = (seg.stop - seg.start) * (most - before) // each if seg.skipped else 0
            over = seg.start + into
    return seen, over


def _floats_unasked(name: str, segs: Sequence[Seg], view: View, span: Span) -> Seen | None:
    """Floating beyond set-up, unless the contract itself drives or floats that pin."""
    key = view.subject(name).key
    if any(view.subject(s.subject).key == key for s in view.contract.stimuli):
        return None
    late = [seg for seg in segs if seg.stop - seg.after > span.settled]
    return floats(name, late, view, span)


# ---------------------------------------------------------------------------- PWM and tones


def judge_pwm(e: Pwm, view: View) -> Seen:
    """Every period, and its duty against the ramp at that moment."""
    span = view.span(e.window)
    period = period_ps(e.frequency_mhz)
    slack = slack_of(period, e.tolerance_ppm)
    if _constant(e):
        return in_doubt(_judge_pwm(e, view, span, period, slack), e.subject, view, span)
    duties = (e.duty_ppm, e.duty_ppm if e.to_duty_ppm is None else e.to_duty_ppm)
    least = min(*duties, *(PPM - duty for duty in duties)) - e.duty_tolerance_ppm
    shortest = (period - slack) * least // PPM
    seldom = too_seldom(e.subject, shortest, view, span)
    return seldom or _judge_pwm(e, view, span, period, slack)


def _judge_pwm(e: Pwm, view: View, span: Span, period: int, slack: int) -> Seen:
    segs = _set_up(trimmed(view.segments(e.subject, span.start, span.stop), span), span)
    subject = view.subject(e.subject)
    floating = floats(e.subject, segs, view, span)
    if floating is not None:
        return floating
    cycles = cycles_of(segs, span)
    figures = _pwm_figures(cycles)

    def wanted(t_ps: int) -> int:
        if e.to_duty_ppm is None:
            return e.duty_ppm
        return e.duty_ppm + (e.to_duty_ppm - e.duty_ppm) * (t_ps - span.start) // max(
            1, span.stop - span.start
        )

    doubt: Seen | None = None
    for cycle in cycles:
        blur = view.blur + cycle.blur
        fit = fits(cycle.period, period - slack, period + slack, blur)
        if fit is not Outcome.PASS:
            text = (
                f"{e.subject} has a period of {show_duration(cycle.period)} at "
                f"{show_duration(cycle.start)}, {show_frequency(frequency_mhz(cycle.period), 4)}; "
                f"expected {show_frequency(e.frequency_mhz)} ± {show_ratio(e.tolerance_ppm)}"
            )
            if fit is Outcome.FAIL:
                return failed(cycle.start, text, *figures)
            doubt = doubt or unsure(text, *figures, at_ps=cycle.start)
        duty = cycle.on * PPM // cycle.period
        k, fit = _duty_departure(e, cycle, wanted, _duty_blur(cycle, blur))
        if fit is Outcome.PASS:
            continue
        t = cycle.start + k * cycle.period
        text = (
            f"{e.subject} is {subject.word(1)} for {show_ratio(duty)} of a period at "
            f"{show_duration(t)}; expected {show_ratio(wanted(t))} ± "
            f"{show_ratio(e.duty_tolerance_ppm)}"
        )
        if fit is Outcome.FAIL:
            return failed(t, text, *figures)
        doubt = doubt or unsure(text, *figures, at_ps=t)
    steady = _steady_too_long(e, segs, span, period + slack, wanted, view)
    if steady is not None:
        return steady
    if doubt is not None:
        return doubt
    if not cycles and not _constant(e):
        return unsure(f"no complete period of {e.subject} was seen", *figures)
    if not cycles:
        return passed(f"{e.subject} stays {subject.word(segs[0].level if segs else 0)}")
    return passed(
        f"{e.subject} carries {figures[1].text}, {_duties(cycles)} on, seen {figures[0].text} "
        "periods",
        *figures,
    )


def _duty_blur(cycle: Cycle, blur: int) -> int:
    """How far a measured duty may be off, in ppm, where each of two times is off by ``blur``."""
    if not cycle.blur:
        return blur * PPM // cycle.period
    # on / period with both off the other way, and half a ppm for the rounding.
    return 2 * blur * PPM // max(1, cycle.period - blur) + 1


def _constant(e: Pwm) -> bool:
    """Whether a duty of nothing or all, which shows no period, is within what is asked."""
    return e.to_duty_ppm is None and not (
        e.duty_tolerance_ppm < e.duty_ppm < PPM - e.duty_tolerance_ppm
    )


def _duty_departure(
    e: Pwm, cycle: Cycle, wanted: Callable[[int], int], blur: int
) -> tuple[int, Outcome]:
    """Which of a row of equal cycles is the first off the ramp, and how surely."""
    duty = cycle.on * PPM // cycle.period

    def fit(k: int) -> Outcome:
        want = wanted(cycle.start + k * cycle.period)
        return fits(duty, want - e.duty_tolerance_ppm, want + e.duty_tolerance_ppm, blur)

    last = cycle.repeats - 1
    if fit(0) is not Outcome.PASS or fit(last) is Outcome.PASS:
        return 0, fit(0)
    # The ramp leaves this duty behind somewhere on the way.
    return bisect_left(range(last), x=True, key=lambda k: fit(k) is not Outcome.PASS), fit(last)


def _steady_too_long(
    e: Pwm,
    segs: Sequence[Seg],
    span: Span,
    longest: int,
    wanted: Callable[[int], int],
    view: View,
) -> Seen | None:
    """A stretch without edges is only right where the duty asked for is none or all."""
    for i, seg in enumerate(segs):
        limit = longest + (span.settled - span.start if i == 0 else 0)
        if seg.skipped or seg.stop - seg.start <= limit + view.blur + seg.blur:
            continue
        for t in (seg.start + limit + 1, max(seg.start, seg.stop - 1 - longest)):
            duty = wanted(t)
            edge = PPM if seg.level else 0
            if abs(duty - edge) > e.duty_tolerance_ppm:
                return failed(
                    t,
                    f"{e.subject} stays {view.subject(e.subject).word(seg.level)} at "
                    f"{show_duration(t)}; expected {show_frequency(e.frequency_mhz)} with "
                    f"{show_ratio(duty)} on",
                )
    return None


def _pwm_figures(cycles: Sequence[Cycle]) -> tuple[Figure, ...]:
    mean = _mean(cycles)
    if not mean:
        return ()
    duties = [cycle.on * PPM // cycle.period for cycle in cycles]
    return (
        number("periods", sum(cycle.repeats for cycle in cycles)),
        frequency("frequency", frequency_mhz(mean)),
        ratio("least duty", min(duties)),
        ratio("most duty", max(duties)),
    )


def _duties(cycles: Sequence[Cycle]) -> str:
    duties = [cycle.on * PPM // cycle.period for cycle in cycles]
    low, high = show_ratio(min(duties), 4), show_ratio(max(duties), 4)
    return low if low == high else f"{low} to {high}"


SQUARE_PPM = (400_000, 600_000)
"""The duty that a square wave may have: outside it the tone turns thin."""


def judge_tone(e: Tone, view: View) -> Seen:
    """Every period of a square wave, without a break."""
    span = view.span(e.window)
    period = period_ps(e.frequency_mhz)
    slack = slack_of(period, e.tolerance_ppm)
    shortest = (period - slack) * SQUARE_PPM[0] // PPM
    seldom = too_seldom(e.subject, shortest, view, span)
    if seldom is not None:
        return seldom
    segs = _set_up(trimmed(view.segments(e.subject, span.start, span.stop), span), span)
    floating = floats(e.subject, segs, view, span)
    if floating is not None:
        return floating
    cycles = cycles_of(segs, span)
    figures = _pwm_figures(cycles)
    doubt: Seen | None = None
    asked = f"expected {show_frequency(e.frequency_mhz)} ± {show_ratio(e.tolerance_ppm)}"
    for i, seg in enumerate(segs):
        limit = period + slack + (span.settled - span.start if i == 0 else 0)
        if not seg.skipped and seg.stop - seg.start > limit + view.blur + seg.blur:
            t = seg.start + limit + 1
            return failed(t, f"{e.subject} is silent at {show_duration(t)}; {asked}", *figures)
    for cycle in cycles:
        blur = view.blur + cycle.blur
        fit = fits(cycle.period, period - slack, period + slack, blur)
        duty = cycle.on * PPM // cycle.period
        square = fits(duty, *SQUARE_PPM, _duty_blur(cycle, blur))
        if fit is Outcome.PASS and square is Outcome.PASS:
            continue
        sounds = show_frequency(frequency_mhz(cycle.period), 5)
        text = f"{e.subject} sounds at {sounds} at {show_duration(cycle.start)}; {asked}"
        if fit is Outcome.PASS:
            text = (
                f"{e.subject} is no square wave at {show_duration(cycle.start)}: on for "
                f"{show_ratio(duty)} of its period"
            )
        if Outcome.FAIL in (fit, square):
            return failed(cycle.start, text, *figures)
        doubt = doubt or unsure(text, *figures, at_ps=cycle.start)
    if doubt is not None:
        return doubt
    if sum(cycle.repeats for cycle in cycles) < _FEWEST_CYCLES:
        return unsure(f"too little of {e.subject} was heard to tell its pitch", *figures)
    return passed(f"{e.subject} sounds at {figures[1].text}", *figures)
