"""The person at the terminal, asked to press a button that nothing is wired to."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from fwgen.contract.subjects import resolve
from fwgen.rig.hand import can_be_pressed
from fwgen.units import PS_PER_MS, show_duration

if TYPE_CHECKING:
    from collections.abc import Collection

    from rich.console import Console

    from fwgen.board.types import Board
    from fwgen.contract import Contract, Press

LONG_PS = 150 * PS_PER_MS  # a press that is shorter nobody has to hold


def somebody() -> bool:
    """Whether there is a person who sees what is asked, and can stop it."""
    return sys.stdin.isatty() and sys.stderr.isatty()


class Person:
    """Asks on the terminal. Where the finger goes, and for how long; what was seen of it."""

    def __init__(self, board: Board, console: Console) -> None:
        self._board, self._console = board, console

    def prepare(self, contract: Contract, wired: Collection[str]) -> None:
        """Say beforehand what will be asked for, if anything."""
        asked = [
            s
            for s in contract.stimuli
            if can_be_pressed(s, self._board) and resolve(s.subject, self._board).pin not in wired
        ]
        if asked:
            names = ", ".join(dict.fromkeys(self._name(s.subject) for s in asked))
            times = "once" if len(asked) == 1 else f"{len(asked)} times"
            self._say(
                f"nothing is wired to {names}: you are asked {times} to press it. "
                "Leave it alone until then"
            )

    def press(self, stimulus: Press, within_ps: int) -> None:
        """Ask to press a button now."""
        how = ""
        if stimulus.hold_ps is None:
            how = " and keep it pressed"
        elif stimulus.hold_ps > LONG_PS:
            how = f" and hold it until you are told, {show_duration(stimulus.hold_ps, 2)}"
        name = self._name(stimulus.subject)
        self._say(f"press {name} now{how} (within {show_duration(within_ps)})", ring=True)

    def let_go(self, stimulus: Press) -> None:
        """Ask to let go of it."""
        if stimulus.hold_ps is not None and stimulus.hold_ps > LONG_PS:
            self._say(f"let go of {stimulus.subject} now", ring=True)

    def seen(self, stimulus: Press, text: str) -> None:
        """Tell what was seen of it."""
        self._say(f"{stimulus.subject} {text}")

    def _name(self, subject: str) -> str:
        """What a person looks for: "the blue button B1"."""
        part = resolve(subject, self._board).part
        if part is None:
            return subject
        colour = f"{part.colour} " if part.colour else ""
        return f"the {colour}{part.kind} {part.name}"

    def _say(self, text: str, *, ring: bool = False) -> None:
        self._console.print(f" [bold cyan]{'▶' if ring else '·'}[/] {text}", highlight=False)
        if ring:
            self._console.bell()
