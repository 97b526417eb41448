"""A bench: what takes an image and stimuli, and gives evidence.

The emulated board (``machine``) and the real one (``rig``) are both benches. A bench never sees
the contract, so it cannot cheat.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from fwgen.contract import Stimulus
    from fwgen.image.types import Image
    from fwgen.trace import Trace


class Bench(Protocol):
    """Runs firmware on a board, emulated or real."""

    def run(self, image: Image, stimuli: Sequence[Stimulus], span_ps: int) -> Trace:
        """Reset, run for ``span_ps`` while doing the stimuli, and tell what was seen.

        Each stimulus leaves one ``Stimulated`` event with its subject, when it begins; a text that
        was sent also leaves its bytes as "rx", where the firmware's port could hear them. A pin
        moved from outside shows its edges like any other, the chatter of a contact included.
        Raises BenchError when the bench itself could not do its work; firmware that misbehaves
        is evidence in the trace.
        """
        ...


@dataclass(frozen=True, slots=True)
class Look:
    """A board at one moment: where the core is, and what its registers hold.

    ``core`` has r0 to r12, sp and lr; ``peripherals`` what is not as after reset, by name
    ("GPIOA_MODER").
    """

    t_ps: int
    pc: int
    asleep: bool
    core: Mapping[str, int] = field(default_factory=dict)
    peripherals: Mapping[str, int] = field(default_factory=dict)
