"""What firmware serves by its interrupts: what doing that quickly needs to know.

While nothing but one serial port, and timers, are about to do something, all that matters is these,
who moves the port's bytes, and the code that serves them. ``armv7m.services`` runs that natively,
for as long as they say that they are plain.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping

    from fwgen.machine.native.service import Beat, Course, Latch, Pads, Service
    from fwgen.machine.native.service import Timer as Served
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
    def irqs(self) -> Mapping[int, int]:
        """The numbers of the interrupts that may come of it, by line (``native.service``)."""

    def asks(self, line: int) -> bool:
        """Whether a line may interrupt, as its registers are now."""

    @property
    def timers(self) -> Iterable[Timer]:
        """Its own calls to come, which serving makes needless."""

    def fill(self, service: Service, taken: Collection[int]) -> None:
        """Put the port's part into the structure. Only the lines ``taken`` may interrupt."""

    def take(self, course: Course) -> Iterable[tuple[int, Callable[[], None]]]:
        """Go on from where serving it came to.

        Gives what asks for its calls anew, each with its order among all that do.
        """


class Server(Protocol):
    """Who moves a port's bytes between its data register and memory."""

    @property
    def name(self) -> str:
        """The controller's."""

    @property
    def irqs(self) -> Mapping[int, int]:
        """The numbers of its interrupts, by line."""

    def asks(self, line: int) -> bool:
        """Whether a line may interrupt."""

    def fill(self, service: Service, taken: Collection[int]) -> None:
        """Put its part into the structure."""

    def take(self, course: Course) -> None:
        """Go on from where serving came to."""


class Outputs(Protocol):
    """A port of pins that code moves while it serves."""

    def fill(self, pads: Pads, latch: Latch, t_ps: int) -> int:
        """Put it into the structures; until when (ps) what is outside holds."""

    def take(self, latch: Latch) -> None:
        """Go on from where serving came to."""

    def pin(self, index: int) -> str:
        """The name of a pin."""


class Beating(Protocol):
    """A timer that only counts and interrupts."""

    @property
    def irq(self) -> int:
        """The number of its interrupt."""

    @property
    def alarm(self) -> Timer | None:
        """Its own call to come, which serving makes needless."""

    def fill(self, timer: Served, beat: Beat) -> None:
        """Put it into the structures."""

    def take(
        self, timer: Served, beat: Beat, now_ps: int
    ) -> Iterable[tuple[int, Callable[[], None]]]:
        """Go on from where serving came to; what asks for its call anew, with its order."""
