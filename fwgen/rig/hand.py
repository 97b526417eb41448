"""Presses by hand, as they go: asked for, seen on the pin, and told with their times.

The pin is looked at through the probe in any case; nothing here reads anything. After a press that
does not come, or not as asked, nothing more is done: what would have come was not shown. A button
that is touched while nobody was asked spoils the run: what was seen is not what was asked for.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING

from fwgen.contract import Press
from fwgen.contract.subjects import find
from fwgen.errors import RigError
from fwgen.trace import ByHand
from fwgen.units import PS_PER_MS, PS_PER_S, show_duration

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from fwgen.board.types import Board
    from fwgen.contract import Stimulus
    from fwgen.rig.wires import Hand
    from fwgen.trace import Edge

WITHIN_PS = 30 * PS_PER_S
"""A person who was asked may take this long; also to let go."""

CHATTER_PS = 30 * PS_PER_MS
"""A contact that opens for less than this bounces: no finger is that quick."""


def can_be_pressed(stimulus: Stimulus, board: Board) -> bool:
    """Whether it is a button on the board that a person can press."""
    subject = find(stimulus.subject, board)
    part = subject.part if subject is not None else None
    return isinstance(stimulus, Press) and part is not None and part.kind == "button"


def one_by_one(presses: Sequence[Press]) -> bool:
    """Whether each is over before the next begins: a person has one pair of hands."""
    ordered = sorted(presses, key=lambda one: one.at_ps)
    return all(
        one.hold_ps is not None and one.at_ps + one.hold_ps < two.at_ps
        for one, two in pairwise(ordered)
    )


@dataclass(slots=True)
class _Act:
    """One press, as far as it has come."""

    stimulus: Press
    pin: str
    active: int
    asked_ps: int = -1  # when the person was asked
    edges: list[tuple[int, bool, int]] = field(default_factory=list)  # time, pressed, blur
    told_off: bool = False  # was asked to let go

    @property
    def asked_until_ps(self) -> int | None:
        hold = self.stimulus.hold_ps
        return None if hold is None else self.stimulus.at_ps + hold


class Presses:
    """The presses that a person is asked for, one after another.

    ``shift_ps`` is how much later than the contract says things are now; nothing that is due at
    ``barrier_ps`` of the contract's time or later may be done yet. ``blur_ps`` is how well the
    times of the acts are known. ``failed`` says why it came to nothing, with the stimulus.

    Raises RigError when a button moves that nobody was asked to press.
    """

    def __init__(self, hand: Hand, presses: Sequence[Press], board: Board) -> None:
        self._hand = hand
        self._left: deque[_Act] = deque()
        for press in sorted(presses, key=lambda one: one.at_ps):
            subject = find(press.subject, board)
            assert subject is not None
            self._left.append(_Act(press, subject.pin, subject.active))
        self.acts: list[ByHand] = []
        self.shift_ps = self.blur_ps = 0
        self.failed: tuple[Press, str] | None = None
        self._quiet_from_ps = 0
        self._pins = {act.pin for act in self._left}

    @property
    def barrier_ps(self) -> int | None:
        """The next moment of the contract that waits for the person; None: none does."""
        if not self._left:
            return None
        act = self._left[0]
        begun = act.edges and act.edges[0][1]
        return act.asked_until_ps if begun else act.stimulus.at_ps

    @property
    def refused(self) -> tuple[Press, ...]:
        """What was not done, once it has failed."""
        return tuple(act.stimulus for act in self._left) if self.failed is not None else ()

    def saw(self, edge: Edge) -> None:
        """Hear of an edge that was seen; of other pins it is no matter."""
        if edge.pin not in self._pins or self.failed is not None:
            return
        act = self._left[0] if self._left else None
        if act is None or edge.pin != act.pin or act.asked_ps < 0:
            if edge.t_ps >= self._quiet_from_ps and edge.level is not None:
                self._unasked(edge)
            return
        act.edges.append((edge.t_ps, edge.level == act.active, edge.blur_ps))
        if act.edges[0][1]:
            if len(act.edges) == 1:
                self.shift_ps = edge.t_ps - act.stimulus.at_ps
                self.blur_ps = max(self.blur_ps, edge.blur_ps)
        else:
            self._unasked(edge)

    def _unasked(self, edge: Edge) -> None:
        raise RigError(
            f"{edge.pin} moved at {show_duration(edge.t_ps, 4)}, and nobody was asked to press it "
            "then: nothing can be told from this run",
            hint="repeat it, and leave the button alone until you are asked",
        )

    def step(self, now_ps: int, can_see: Callable[[str], bool]) -> None:
        """Ask for what is due, and take what has come; ``can_see`` whether a pin can be read."""
        if not self._left or self.failed is not None:
            return
        act = self._left[0]
        press = act.stimulus
        if act.asked_ps < 0:
            if now_ps >= press.at_ps + self.shift_ps:
                if not can_see(act.pin):
                    self._fail(
                        act,
                        f"nobody was asked: whether {act.pin} is pressed cannot be read, the "
                        "firmware keeps the clock of its port off",
                    )
                    return
                act.asked_ps = now_ps
                self._hand.press(press, WITHIN_PS)
            return
        if not act.edges:
            if now_ps - act.asked_ps > WITHIN_PS:
                self._fail(act, f"nobody pressed it within {show_duration(WITHIN_PS)}")
            return
        began = act.edges[0][0]
        last, pressed, _ = act.edges[-1]
        if pressed or now_ps - last < CHATTER_PS:
            self._ask_to_let_go(act, now_ps - began)
        elif press.hold_ps is None:
            self._fail(act, f"it was let go at {show_duration(last, 4)}, and was to stay pressed")
        else:
            self._end(act)

    def _ask_to_let_go(self, act: _Act, held_ps: int) -> None:
        hold = act.stimulus.hold_ps
        if hold is None:
            return
        if held_ps >= hold and not act.told_off:
            act.told_off = True
            self._hand.let_go(act.stimulus)
        if held_ps > hold + WITHIN_PS:
            self._fail(act, f"nobody let it go within {show_duration(WITHIN_PS)}")

    def _end(self, act: _Act) -> None:
        """It was let go: what it came to."""
        began, last = act.edges[0][0], act.edges[-1][0]
        opened = [t for t, pressed, _ in act.edges if not pressed]
        until = next(t for t in opened if t > last - CHATTER_PS)
        between = [t for t in opened if began + CHATTER_PS <= t < until]
        if between:
            self._fail(act, f"its contact opened in between, at {show_duration(between[0], 4)}")
            return
        closing = [t for t, _, _ in act.edges if t < min(began + CHATTER_PS, until)]
        bounce = max(closing[-1] - began, last - until)
        assert act.asked_until_ps is not None
        self.acts.append(
            ByHand(began, act.stimulus.subject, act.stimulus.at_ps, until, act.asked_until_ps,
                   bounce)
        )  # fmt: skip
        self.shift_ps = until - act.asked_until_ps
        self.blur_ps = max(self.blur_ps, *(blur for _, _, blur in act.edges))
        self._quiet_from_ps = last + 1
        self._left.popleft()
        self._hand.seen(
            act.stimulus,
            f"seen: pressed at {show_duration(began, 4)}, for {show_duration(until - began, 3)}",
        )

    def finish(self) -> None:
        """The run is over: a press that was to last has lasted, all others have failed."""
        if self.failed is not None or not self._left:
            return
        act = self._left[0]
        if act.edges and act.edges[-1][1] and act.stimulus.hold_ps is None:
            began = act.edges[0][0]
            closing = [t for t, _, _ in act.edges if t < began + CHATTER_PS]
            self._left.popleft()
            self.acts.append(
                ByHand(began, act.stimulus.subject, act.stimulus.at_ps, None, None,
                       closing[-1] - began)
            )  # fmt: skip
        if self._left:
            self._fail(self._left[0], "the run ended before it was done")

    def _fail(self, act: _Act, why: str) -> None:
        self.failed = act.stimulus, why
        self._hand.seen(act.stimulus, why)
