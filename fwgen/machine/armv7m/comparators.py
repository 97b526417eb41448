"""What the comparators of the FPB and the DWT ask of the core."""

from __future__ import annotations

from typing import NamedTuple


class Break(NamedTuple):
    """Halt for the instructions in [begin, end), or for data there that is read or written.

    ``why`` is the field of DFSR that says so. Without one nothing halts: ``core.heard`` is told.
    """

    begin: int
    end: int
    why: str
    execute: bool = False
    read: bool = False
    write: bool = False
