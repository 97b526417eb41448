"""A chip with a few of its peripherals and no clock controller: the test sets the clocks."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING

from fwgen.board import load_board
from fwgen.machine.soc import Soc
from fwgen.trace import Gap, Hazard

if TYPE_CHECKING:
    from fwgen.board.types import Board

MHZ = 1_000_000
US = 1_000_000  # picoseconds


@cache
def board_with(*names: str) -> Board:
    board = load_board("nucleo-f401")
    kept = {name: board.chip.peripherals[name] for name in names}
    return replace(board, chip=replace(board.chip, peripherals=kept))


def soc_with(*names: str, hz: int = 16 * MHZ) -> Soc:
    """Reset at time 0 with the named peripherals' clocks on."""
    soc = Soc(board_with(*names))
    for name in names:
        soc.gated[name] = True
        soc.clock(name).set(hz, 0)
    soc.reset(0, "PORRSTF")
    soc.recorder.started = True
    return soc


def hazards(soc: Soc, code: str | None = None) -> list[Hazard]:
    found = [e for e in soc.recorder.events if isinstance(e, Hazard)]
    return [h for h in found if code is None or h.code == code]


def gaps(soc: Soc) -> list[str]:
    return [f"{e.peripheral}.{e.register}" for e in soc.recorder.events if isinstance(e, Gap)]


class Wire:
    """Hears every edge of an output."""

    def __init__(self, soc: Soc, name: str) -> None:
        self.edges: list[tuple[int, int | None]] = []
        self.stop = soc.fabric.output(name).listen(lambda t, level: self.edges.append((t, level)))


class Requests:
    """Hears interrupt lines as an NVIC would."""

    def __init__(self, soc: Soc) -> None:
        self.changes: list[tuple[int, int, bool]] = []
        soc.interrupts.on_level = lambda irq, level, t: self.changes.append((t, irq, level))
