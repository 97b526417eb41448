"""A port that firmware serves byte by byte: what doing that quickly needs to know.

While nothing but one serial port is about to happen, all that matters is the port and the code that
serves it. ``armv7m.services`` runs that natively, for as long as the port says that it is plain.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable

    from fwgen.machine.native.service import Course, Service
    from fwgen.machine.time import ClockDomain, Timer


class Talk(Protocol):
    """What a port sends and receives from now on, as far as it is known ahead."""

    kernel: ClockDomain
    baud_mhz: int
    heard_mhz: int  # the rate of who sends to it

    @property
    def name(self) -> str:
        """The port's."""

    @property
    def interrupts(self) -> bool:
        """Whether it asks for its interrupt; else it is polled."""

    @property
    def irq(self) -> int:
        """The number of its interrupt."""

    @property
    def timers(self) -> Iterable[Timer]:
        """Its own calls to come, which serving makes needless."""

    def fill(self, service: Service) -> None:
        """Put the port's part into the structure."""

    def take(self, course: Course) -> None:
        """Go on from where serving it came to."""
