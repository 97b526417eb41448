"""A core as skipping sees it: its state, and a few questions about what would happen."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING

from fwgen.machine.armv7m.state import CoreState

if TYPE_CHECKING:
    from collections.abc import Callable

    from fwgen.machine.armv7m.blocks import Block
    from fwgen.machine.armv7m.symbolic import Outcome


class Core(CoreState):
    """What ``accelerate``, ``rounds`` and ``services`` may ask, and what they tell."""

    @property
    @abstractmethod
    def sleeps_evenly(self) -> bool:
        """Whether WFI stops nothing but the core's clock."""

    @property
    @abstractmethod
    def looked_at(self) -> bool:
        """Whether each access, or each instruction, matters to somebody."""

    @abstractmethod
    def foresee(self, cycle: int) -> Callable[[int, int], tuple[int, int | None] | None]:
        """How to read without effects at a cycle: value, and until when it holds (None: RAM)."""

    @abstractmethod
    def looked(self, address: int, cycle: int) -> None:
        """Reads that were foreseen were left out, the last one at a cycle."""

    @abstractmethod
    def count_at(self, address: int, cycle: int) -> tuple[int, int, int] | None:
        """A register that counts cycles: its value at one, what each adds, until when so."""

    @abstractmethod
    def latch_at(self, address: int) -> tuple[int, Outcome] | None:
        """Where a write only moves pins: the register that holds its outcome, and what it is."""

    @abstractmethod
    def cost_from(self, block: Block, address: int) -> int:
        """Cycles of the rest of a block when the core goes on within it."""

    @abstractmethod
    def takes(self, number: int) -> bool:
        """Whether an exception would be taken now if it were pending."""

    @abstractmethod
    def frame_of_thread(self, sp: int) -> tuple[int, int, bool]:
        """Of an exception in Thread mode: frame, padding of SP, whether s0-s15 are in it.

        Raises NotLinear where taking it would be told of.
        """

    @abstractmethod
    def frame_size(self, control: int) -> int:
        """Bytes of the frame of an exception; 0 where floating-point state would be moved."""

    @abstractmethod
    def fp_words(self) -> tuple[int, ...]:
        """What of the floating-point registers goes into a frame."""

    @abstractmethod
    def stacking_cycles(self, *, fp: bool) -> tuple[int, int]:
        """What entry to and return from an exception cost."""

    @abstractmethod
    def served(self, frame: int, control: int, xpsr: int) -> None:
        """Exceptions were taken elsewhere, and returned from: what the last one leaves behind."""
