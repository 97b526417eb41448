"""What can be wrong with a board, its cable or its chip: injected, seeded, the same every time."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Faults:
    """Injections into a virtual board. The default has none.

    ``write_protected`` names sectors of the flash that the option bytes protect. ``stuck_busy``
    is the number of flash operations after which the next one never ends (None: never happens).
    ``bit_errors`` is the share of words that a debug probe reads with one bit wrong. ``idcode``
    is what the chip says it is. ``read_protected``: read-out protection of level 1.
    ``drop_after`` pulls the cable of the debug probe, which carries the serial port too, after so
    many transfers, for good; ``replug`` gives it back when the probe is looked for the next time.
    ``power_fails_after`` takes the supply away after so many flash operations, in the middle of
    the last one. ``serial_noise`` is the share of bits on the serial line that arrive flipped.
    ``latency`` multiplies what the probe takes.
    """

    write_protected: frozenset[int] = frozenset()
    stuck_busy: int | None = None
    bit_errors: float = 0.0
    idcode: int | None = None
    read_protected: bool = False
    drop_after: int | None = None
    replug: bool = True
    power_fails_after: int | None = None
    serial_noise: float = 0.0
    latency: int = 1
    seed: int = 0
