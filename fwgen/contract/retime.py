"""A contract in the time of what a person did: each of its times counts from what came before it.

Nobody presses a button at 700 ms sharp. What a contract asks of the time after a press is asked
of the time after the press that there was: a time of the contract between two of a person's acts
lies as long after the first of them as it does in the contract. What stands before the first act
stays; a window that ends with a press ends with the one that there was.

That is one reading. Of some times the contract means the other one, that they count from reset
whatever is pressed: which of the two holds a contract does not say, and ``readings`` gives both.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from fwgen.contract.types import (
    Analog,
    Blinks,
    Drive,
    Level,
    Press,
    Quiet,
    Says,
    Send,
    Window,
)
from fwgen.errors import ContractError
from fwgen.units import show_duration

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from fwgen.contract.types import Contract, Expectation, Stimulus
    from fwgen.trace import ByHand


@dataclass(frozen=True, slots=True)
class _Anchor:
    """A moment of the contract, and when it came. ``what`` is it in words."""

    at_ps: int
    came_ps: int
    what: str


class Timeline:
    """When the moments of a contract came. Raises ContractError for acts out of order."""

    def __init__(self, acts: Iterable[ByHand]) -> None:
        made: list[_Anchor] = []
        for act in acts:
            made.append(_Anchor(act.asked_ps, act.t_ps, f"{act.subject} was pressed"))
            if act.until_ps is not None and act.asked_until_ps is not None:
                made.append(_Anchor(act.asked_until_ps, act.until_ps, f"{act.subject} was let go"))
        self._anchors = sorted(made, key=lambda anchor: anchor.at_ps)
        came = [anchor.came_ps for anchor in self._anchors]
        if came != sorted(came):
            raise ContractError("what was done by hand was done in another order than asked")

    def start(self, t_ps: int) -> int:
        """When a moment came from which something holds, or at which something is done."""
        return self._moved(t_ps, [a for a in self._anchors if a.at_ps <= t_ps])

    def stop(self, t_ps: int) -> int:
        """When a moment came until which something holds: what ends there ends with an act."""
        ends = next((a for a in self._anchors if a.at_ps == t_ps), None)
        if ends is not None:
            return ends.came_ps
        return self._moved(t_ps, [a for a in self._anchors if a.at_ps < t_ps])

    def _moved(self, t_ps: int, past: Sequence[_Anchor]) -> int:
        moved = t_ps + (past[-1].came_ps - past[-1].at_ps if past else 0)
        if len(past) < len(self._anchors):
            after = self._anchors[len(past)]
            if moved > after.came_ps:
                since = f"after {past[-1].what}" if past else "after reset"
                gone = t_ps - (past[-1].at_ps if past else 0)
                raise ContractError(
                    f"{after.what} too early: the contract looks at what is there "
                    f"{show_duration(gone)} {since}"
                )
        return moved


def retimed(contract: Contract, acts: Sequence[ByHand]) -> Contract:
    """The contract with every time moved by what was done by hand.

    Raises ContractError, with the reason in words, when a moment that the contract asks about
    did not come: it was overtaken by the next act.
    """
    line = Timeline(acts)
    by_hand = {(act.subject, act.asked_ps): act for act in acts}
    return replace(
        contract,
        span_ps=line.stop(contract.span_ps),
        stimuli=tuple(_done(s, by_hand, line) for s in contract.stimuli),
        expectations=tuple(_moved(e, line) for e in contract.expectations),
    )


def readings(
    contract: Contract, acts: Sequence[ByHand]
) -> tuple[Contract, tuple[tuple[Expectation, ...], ...]]:
    """The contract in the time of what was done, and each expectation in both readings.

    The first counts from what was done, the second from reset; one, where they are the same.
    Raises ContractError as ``retimed`` does.
    """
    moved = retimed(contract, acts)
    both = tuple(
        (new,) if new == old else (new, old)
        for new, old in zip(moved.expectations, contract.expectations, strict=True)
    )
    return moved, both


def _done(
    stimulus: Stimulus, by_hand: dict[tuple[str, int], ByHand], line: Timeline
) -> Stimulus:  # fmt: skip
    act = by_hand.get((stimulus.subject, stimulus.at_ps))
    if act is not None and isinstance(stimulus, Press):
        hold = None if act.until_ps is None else act.until_ps - act.t_ps
        return replace(stimulus, at_ps=act.t_ps, hold_ps=hold, bounce_ps=act.bounce_ps)
    at = line.start(stimulus.at_ps)
    match stimulus:
        case Press(hold_ps=int(hold)):
            return replace(stimulus, at_ps=at, hold_ps=line.start(stimulus.at_ps + hold) - at)
        case Analog():
            points = ((line.start(stimulus.at_ps + t) - at, uv) for t, uv in stimulus.points)
            return replace(stimulus, at_ps=at, points=tuple(points))
        case Press() | Drive() | Send():
            return replace(stimulus, at_ps=at)


def _moved(e: Expectation, line: Timeline) -> Expectation:
    if isinstance(e, Quiet):
        return e  # of the whole run
    if isinstance(e, Level) and e.at_ps is not None:
        return replace(e, at_ps=line.start(e.at_ps))
    stop = e.window.stop_ps
    window = Window(
        line.start(e.window.start_ps) if e.window.start_ps else 0,
        stop if stop is None else line.stop(stop),
    )
    match e:
        case Blinks(first_on_by_ps=int(by)):
            return replace(e, window=window, first_on_by_ps=line.stop(by))
        case Says(first_by_ps=int(by)):
            return replace(e, window=window, first_by_ps=line.stop(by))
        case _:
            return replace(e, window=window)
