"""What firmware serves by its interrupts: what doing that quickly needs to know.

While nothing but one serial port, and timers, are about to do something, all that matters is these,
who moves the port's bytes, and the code that serves them. ``armv7m.services`` runs that natively,
for as long as they say that they are plain.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from fwgen.machine.native.service import Course, Service
    from fwgen.machine.time import Timer


class Part(Protocol):
    """Who takes part: a port, SysTick, a timer, a port of pins."""

    @property
    def timers(self) -> Iterable[Timer]:
        """Its own calls to come, which serving makes needless."""

    def fill(self, service: Service, seat: int) -> None:
        """Put it into the structure, at its seat of those that its kind has there.

        Its interrupts are in the structure already.
        """

    def take(self, service: Service, seat: int) -> Iterable[tuple[int, Callable[[], None]]]:
        """Go on from where serving it came to.

        Gives what asks for its calls anew, each with its order among all that do.
        """


class Talk(Part, Protocol):
    """What a port sends and receives from now on, as far as it is known ahead."""

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

    def fill(self, service: Service) -> None:
        """Put its part into the structure."""

    def take(self, course: Course) -> None:
        """Go on from where serving came to."""


class Outputs(Part, Protocol):
    """A port of pins that code moves while it serves."""

    def pin(self, index: int) -> str:
        """The name of a pin."""


class Beating(Part, Protocol):
    """A timer that only counts and interrupts."""

    @property
    def irq(self) -> int:
        """The number of its interrupt."""
