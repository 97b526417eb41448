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
        return base <= sp < base + image.ram_used < image.initial_sp
