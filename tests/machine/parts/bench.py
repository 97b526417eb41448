"""A module alone: pin waveforms in, events out, no firmware."""

from __future__ import annotations

from dataclasses import replace
from typing import Self

from fwgen.board import load_board
from fwgen.contract import Sense, load_contract
from fwgen.contract.subjects import fitted
from fwgen.machine import parts
from fwgen.machine.parts.module import fit
from fwgen.machine.soc import Soc
from fwgen.trace import Edge, Hazard, Shown

BOARD = load_board("nucleo-f401")
US, MS, S = 10**6, 10**9, 10**12

__all__ = ["BOARD", "MS", "US", "Alone", "S", "Sense"]


class Alone:
    """A board with one module, whose pins a test drives as the chip would."""

    def __init__(self, part: str, *, chance: int = 0) -> None:
        text = f"[parts.X]\n{part}\n[[expect]]\nlevel = 'LD2'\nis = 'off'\n"
        contract = load_contract(text, BOARD)
        self.soc = Soc(fitted(BOARD, contract), chance=chance)
        (self.spec,) = contract.modules
        self.soc.modules = fit(self.soc)
        self.model = self.soc.modules["X"]
        self.soc.recorder.started = True
        self.t = 0

    def wait(self, ps: int) -> Self:
        self.t += ps
        self.soc.scheduler.catch_up(self.t)
        return self

    def put(self, **levels: int | None) -> Self:
        """The chip drives pins of the module, or (None) lets go, all at once, pulled up."""
        for role, level in levels.items():
            pad = self.soc.fabric.pads[self.spec.pins[role]]
            pad.drive(self.t, level, 1 if level is None else None)
        return self

    def level(self, role: str) -> int | None:
        return self.soc.fabric.pads[self.spec.pins[role]].level

    def pulse(self, role: str, high: int, low: int) -> Self:
        return self.put(**{role: 1}).wait(high).put(**{role: 0}).wait(low)

    def do(self, stimulus) -> Self:
        parts.apply(replace(stimulus, at_ps=max(stimulus.at_ps, self.t)), self.soc)
        return self

    def hazards(self) -> list[str]:
        return [e.code for e in self.soc.recorder.events if isinstance(e, Hazard)]

    def hazard(self) -> Hazard:
        return next(e for e in self.soc.recorder.events if isinstance(e, Hazard))

    def shown(self, what: str) -> list[int | str | None]:
        events = self.soc.recorder.events
        return [e.value for e in events if isinstance(e, Shown) and e.what == what]

    def edges(self, role: str) -> list[tuple[int, int | None]]:
        events, pin = self.soc.recorder.events, self.spec.pins[role]
        return [(e.t_ps, e.level) for e in events if isinstance(e, Edge) and e.pin == pin]
