"""What a bench could see, where it could not see everything.

The machine sees all, and its traces say nothing here. A real board is watched through a probe: some
pins, looked at now and then, some ports, heard a little later. What is not named here was not
watched, and proves nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Sampled:
    """How a pin was looked at: never more than ``every_ps`` apart, but for the ``holes``.

    ``holes`` are the longer stretches without a look, as (start_ps, stop_ps). A level that comes
    and goes between two looks leaves no mark.
    """

    every_ps: int
    holes: tuple[tuple[int, int], ...] = ()

    def longest_ps(self, start_ps: int, stop_ps: int) -> int:
        """The longest time without a look that reaches into [start_ps, stop_ps)."""
        inside = [b - a for a, b in self.holes if a < stop_ps and b > start_ps]
        return max([self.every_ps, *inside])


@dataclass(frozen=True, slots=True)
class Heard:
    """How a port was listened to: the time of a byte may be off by ``blur_ps`` either way.

    ``baud`` is the rate that the listener was set to: the one on the wire was not measured.
    """

    blur_ps: int
    baud: int


@dataclass(frozen=True, slots=True)
class Watched:
    """What a bench observed, and how well. Nothing else was.

    ``zero_ps``: how far the release of reset, from which times count, and the moments of what was
    done to the board may be off, either way.
    ``core``: whether it would have known of faults and resets. ``asleep``: whether it looked for
    sleep. ``means`` says in words what looked ("probe 0670FF...").
    """

    pins: Mapping[str, Sampled] = field(default_factory=dict)
    ports: Mapping[str, Heard] = field(default_factory=dict)
    zero_ps: int = 0
    core: bool = False
    asleep: bool = False
    means: str = ""
