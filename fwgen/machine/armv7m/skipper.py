"""When to skip: finds hot loops, records their path, and jumps as far as may be.

What can be skipped, and what is true afterwards, is worked out by ``accelerate`` and ``rounds``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fwgen.machine.armv7m.accelerate import MOST_ITEMS, WORTH, Inner, Loop
from fwgen.machine.armv7m.state import ATTENTION
from fwgen.machine.armv7m.symbolic import NotLinear

if TYPE_CHECKING:
    from fwgen.machine.armv7m.blocks import Block
    from fwgen.machine.armv7m.codebook import Codebook
    from fwgen.machine.armv7m.rounds import Rounds
    from fwgen.machine.armv7m.skippable import Core

BRIEF = 10_000  # cycles: a jump that a register cuts shorter costs more than native code takes
BRIEF_REST = 5 * BRIEF  # cycles to let pass after one
MOST_CUTS = 8  # recordings in a row that something else cut short
REST = 64  # backward entries to let pass before a loop that was not worth it is tried again


class Skipper:
    """Decides where loops are recorded and jumped. While ``recording``, every block is seen."""

    def __init__(self, core: Core, rounds: Rounds, book: Codebook) -> None:
        self._core = core
        self._at = core.at
        self._rounds, self._book = rounds, book
        self.recording: list[Block | Inner] | None = None
        self._head: Block | None = None  # of the loop being recorded
        self._cut: Block | None = None  # the head at which recording was cut short last
        self._cuts = 0  # in a row

    def skip(self, head: Block, cycle: int) -> int | None:
        """At a loop that has been entered often: skip what can be; gives the cycles skipped.

        None when the core already stands where something is due.
        """
        core = self._core
        if head.plan is None:
            if self.recording is None:
                self.recording, self._head = [], head
                self._at.limit = ATTENTION
            elif self._head is head:
                self._compile(head)
            if head.plan is None:
                return 0
        loop: Loop = head.plan
        if core.due - cycle < 2 * loop.cycles:
            return 0
        self._rounds.tour = None
        rounds = self._rounds.polling(loop, cycle)
        if rounds is None:
            return 0
        if rounds:
            self._cut_short()
            core.set_limit()
            cycle += rounds
            if core.due - cycle < 2 * loop.cycles:
                return rounds
        try:
            times, whole, cut = loop.jump(core, cycle, core.due)
        except NotLinear as why:
            self._rest(head, for_good=why.for_good, keep=True)
            if self.recording is not None and self._head is not head:
                self._cut_short()
            return rounds
        head.refused = 0
        skipped = times * loop.cycles
        if self.recording is not None and times:
            # Cut short by the time, this is not what the outer loop does each time round.
            if whole:
                self.recording.append(Inner(loop, times))
            else:
                self._cut_short()
        if cut is not None:
            # The iteration is already run up to where something is due: stop there.
            into, core.next_pc = cut
            self._at.cycle = cycle + skipped + into
            self._at.end = core.next_pc
            core.pause()
            return None
        timely = core.due - cycle - skipped <= 2 * loop.cycles  # the time cut it
        if skipped < WORTH and whole:
            head.entries -= REST
        elif skipped < BRIEF and core.native is not None and not (whole or timely):
            head.entries -= max(REST, BRIEF_REST // loop.cycles)
        return rounds + skipped

    def _rest(self, head: Block, *, for_good: bool = False, keep: bool = False) -> None:
        """Nothing could be skipped: let the loop run for a while."""
        head.rest(for_good=for_good, keep=keep)
        key = head.address << 12 | head.size
        if key in self._book.blocks:
            self._book.publish(key, head)

    def record(self, block: Block) -> None:
        """A block runs while a path is recorded."""
        assert self.recording is not None
        self.recording.append(block)
        if len(self.recording) > MOST_ITEMS:
            self.not_waiting()
            self.stop_recording()

    def not_waiting(self) -> None:
        """The loop being recorded is not one that only waits: leave it alone for a while."""
        assert self._head is not None
        self._rest(self._head)

    def interrupted(self) -> None:
        """Something else is seen to before the path came back to its head.

        A loop to which this happens each time round would be recorded, block by block, for ever.
        """
        if self.recording is None:
            return
        self.recording = None
        self._cuts = self._cuts + 1 if self._cut is self._head else 1
        self._cut = self._head
        if self._cuts >= MOST_CUTS:
            self._cuts = 0
            self.not_waiting()

    def _cut_short(self) -> None:
        """A loop within was skipped in a way that is not the path of each time round."""
        self.interrupted()
        self._core.arm()

    def _compile(self, head: Block) -> None:
        """The path came back to its head: make a loop of it."""
        items, self._cut = self.recording, None
        self.stop_recording()
        if not items:
            return
        try:
            head.plan = Loop(items)
        except NotLinear as why:
            self._rest(head, for_good=why.for_good)

    def stop_recording(self) -> None:
        """What follows is not what the loop does each time round."""
        self.recording = None
        self._core.arm()
