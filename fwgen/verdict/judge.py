"""The judge: a contract held against a trace."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from fwgen.contract.subjects import fitted
from fwgen.contract.timing import window_of
from fwgen.contract.types import (
    Asleep,
    Blinks,
    Counts,
    Exclusive,
    Follows,
    Level,
    Never,
    Pattern,
    Pwm,
    Quiet,
    Replies,
    Responds,
    Says,
    Tone,
    Transfers,
)
from fwgen.contract.words import say
from fwgen.trace import Gap
from fwgen.units import PPM, show_duration, show_ratio
from fwgen.verdict.implied import accepted_gap, gap_words, implied
from fwgen.verdict.levels import (
    judge_blinks,
    judge_counts,
    judge_level,
    judge_pwm,
    judge_tone,
    ratio,
)
from fwgen.verdict.patterns import judge_pattern
from fwgen.verdict.relations import (
    judge_exclusive,
    judge_follows,
    judge_never,
    judge_quiet,
    judge_responds,
)
from fwgen.verdict.speech import judge_replies, judge_says
from fwgen.verdict.transfers import judge_transfers
from fwgen.verdict.types import Departure, Finding, Outcome, Verdict
from fwgen.verdict.view import Seen, TooFastError, View, failed, passed, unsure
from fwgen.verdict.watching import as_far_as_seen, judge_looked, unwatched

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from fwgen.board.types import Board
    from fwgen.contract.types import Contract, Expectation
    from fwgen.trace import Trace


def judge(
    contract: Contract, trace: Trace, board: Board, *, beside: Trace | None = None
) -> Verdict:
    """Hold a trace against a contract. Pure: the same evidence, the same verdict.

    A departure is certain evidence; a pass is none while something unmodelled was touched
    before the end of its window, or while the trace ends early: then it is UNSURE. So is what a
    bench that watches only some things, now and then, did not see (``trace.watched``).
    ``beside``: what the machine saw of the same firmware. Where it shows that every level lasts
    longer than this bench looked away, an edge that was not seen did not come; else that is
    UNSURE, too.
    Raises ContractError when the contract names what the board lacks.
    """
    board = fitted(board, contract.parts, contract.devices)
    view = View(contract, trace, board, beside)
    gaps = tuple(gap for gap in trace.of(Gap) if not accepted_gap(gap, view))
    findings = tuple(_find(e, view, gaps) for e in contract.expectations)
    ends = [view.span(window_of(e)).stop for e in contract.expectations]
    last = max(ends, default=contract.span_ps)
    return Verdict(contract, findings, implied(view, tuple(g for g in gaps if g.t_ps < last)))


def _find(e: Expectation, view: View, gaps: tuple[Gap, ...]) -> Finding:
    span = view.span(window_of(e))
    try:
        seen = unwatched(e, view) or as_far_as_seen(e, _JUDGES[type(e)](e, view), view, span)
    except TooFastError:
        seen = unsure("it changes more often than can be compared change by change")
    end = view.trace.span_ps
    if end < span.stop and not _certain(seen, end):
        seen = unsure(f"the run ended at {show_duration(end)}; until then: {seen.text}",
                      *seen.figures, at_ps=end)  # fmt: skip
    if seen.outcome is Outcome.PASS:
        gap = next((gap for gap in gaps if gap.t_ps < span.stop), None)
        if gap is not None:
            text = f"{seen.text}; but {gap_words(gap)}, which is not modelled"
            seen = replace(
                seen, outcome=Outcome.UNSURE, text=text, departure=Departure(gap.t_ps, text)
            )
    return Finding(
        "expectation", say(e, view.board), seen.outcome, seen.text, e, seen.figures, seen.departure
    )


def _certain(seen: Seen, end_ps: int) -> bool:
    """Whether a departure lies within what was seen, rather than in what is missing."""
    return (
        seen.outcome is Outcome.FAIL and seen.departure is not None and seen.departure.t_ps < end_ps
    )


def judge_asleep(e: Asleep, view: View) -> Seen:
    """The share of the window that the core sleeps."""
    span = view.span(e.window)
    if view.trace.watched is not None:
        return judge_looked(e, view, span)
    stop = min(span.stop, view.trace.span_ps)
    share = view.trace.asleep_ps(span.start, stop) * PPM // max(1, stop - span.start)
    text = f"the core sleeps {show_ratio(share, 6)} of the time"
    if share < e.least_ppm:
        return failed(
            span.stop,
            f"{text}; expected at least {show_ratio(e.least_ppm)}",
            ratio("asleep", share),
        )
    return passed(text, ratio("asleep", share))


_JUDGES: Mapping[type, Callable[..., Seen]] = {
    Level: judge_level,
    Blinks: judge_blinks,
    Pattern: judge_pattern,
    Counts: judge_counts,
    Pwm: judge_pwm,
    Tone: judge_tone,
    Follows: judge_follows,
    Responds: judge_responds,
    Never: judge_never,
    Exclusive: judge_exclusive,
    Says: judge_says,
    Replies: judge_replies,
    Transfers: judge_transfers,
    Asleep: judge_asleep,
    Quiet: judge_quiet,
}
