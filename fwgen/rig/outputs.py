"""A digital output of a farm's, as a wire: a relay's contact, a pin of another computer.

It has two states and takes its time: when it was told, and when it said that it was done, are the
times between which the pin moved.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fwgen.errors import RigError

if TYPE_CHECKING:
    from collections.abc import Callable

    from fwgen.rig.clock import Clock

WORDS = {0: "low", 1: "high", None: "floating"}


@dataclass(frozen=True, slots=True)
class OutputWire:
    """Drives a pin to ``on`` or to ``off``: 0, 1, or None where it lets the pin go.

    A push-pull output lets nothing go: what is to float is then as when it is off, as long as
    the board's own pull would take the pin there; the rig finds out where it would not.
    """

    switch: Callable[[str, bool], None]
    clock: Clock
    output: str
    on: int | None
    off: int | None

    def __post_init__(self) -> None:
        self.switch(self.output, False)

    def rest(self) -> None:
        """Off, if it can still be told."""
        with contextlib.suppress(RigError):
            self.switch(self.output, False)

    def drive(self, level: int | None, at_ps: int) -> tuple[int, int]:
        """Drive at a time of the clock; gives between which times it came about.

        Raises RigError for a level that it cannot drive.
        """
        if level is not None and level not in (self.on, self.off):
            raise RigError(
                f"the output {self.output!r} cannot drive its pin {WORDS[level]}: on it is "
                f"{WORDS[self.on]}, off it is {WORDS[self.off]}"
            )
        left = at_ps - self.clock.now_ps
        if left > 0:
            self.clock.sleep(left)
        before = self.clock.now_ps
        self.switch(self.output, level == self.on)
        return before, self.clock.now_ps
