"""The main stack against the firmware's own data: what silicon would silently let happen."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fwgen.machine.armv7m.state import CoreState


class StackGuard:
    """Tells when the main stack reaches what the image keeps in RAM."""

    def __init__(self, core: CoreState) -> None:
        self._core = core
        self._soc = core.soc
        self._given: set[tuple[int, int]] = set()  # what of its data the firmware made a stack

    def reset(self) -> None:
        """After a reset the main stack is the vector table's."""
        self._given.clear()

    def given(self, sp: int) -> None:
        """MSR MSP: a stack within the firmware's data is the object that it reserved for that.

        Without symbols it is all of the data below.
        """
        if not self.in_data(sp - 4):
            return
        image = self._core.image
        held = image.symbol_at(sp - 4) if image is not None else None
        if held is not None:
            self._given.add((held.address, held.address + held.size))
        else:
            self._given.add((self._soc.chip.ram.base, sp))

    def check(self, sp: int) -> None:
        """The main stack below the end of what the image keeps in RAM: it eats data.

        Looked at when code is first run and when an exception is taken.
        """
        if self.in_data(sp):
            image = self._core.image
            top = self._soc.chip.ram.base + (image.ram_used if image is not None else 0)
            self._soc.hazard(
                "stack-into-data",
                f"the stack has reached the firmware's own data, which ends at {top:#010x}",
            )

    def in_data(self, sp: int) -> bool:
        """Whether a stack pointer lies among the firmware's own data."""
        image = self._core.image
        if image is None or not image.ram_used:
            return False
        base = self._soc.chip.ram.base
        if not base <= sp < base + image.ram_used < image.initial_sp:
            return False
        return not any(low <= sp <= top for low, top in self._given)
