"""The emulated board: a bench that takes an image and stimuli and gives a trace."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fwgen.machine.machine import Machine

__all__ = ["Machine"]


def __getattr__(name: str) -> object:
    # Lazy: whoever imports one of our modules does not pay for the instruction engine.
    if name == "Machine":
        from fwgen.machine.machine import Machine

        return Machine
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
