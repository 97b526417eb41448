"""A keypad of 4 by 4 keys: each joins a row to a column while it is pressed.

Source: Parallax 4x4 matrix membrane keypad, 27899 (bounce up to 5 ms). It has no diodes: three keys
at three corners join the fourth, as on the real one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fwgen.machine.parts.module import ModuleModel

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fwgen.board.types import Module
    from fwgen.machine.soc import Soc

LAYOUT = ("123A", "456B", "789C", "*0#D")
ROWS, COLUMNS = ("r1", "r2", "r3", "r4"), ("c1", "c2", "c3", "c4")


class Keypad(ModuleModel):
    """What drives one line of a net of pressed keys drives all of it."""

    def __init__(self, soc: Soc, spec: Module) -> None:
        super().__init__(soc, spec)
        self._closed: set[tuple[str, str]] = set()
        self._driven: set[str] = set()
        self._busy = False
        for pad in self.pads.values():
            pad.listen(lambda t, _level: self._join(t))

    def press(self, t_ps: int, key: str, *, closed: bool) -> None:
        """A contact closes or opens."""
        row = next(i for i, keys in enumerate(LAYOUT) if key in keys)
        at = ROWS[row], COLUMNS[LAYOUT[row].index(key)]
        (self._closed.add if closed else self._closed.discard)(at)
        self._join(t_ps)

    def _join(self, t_ps: int) -> None:
        if self._busy or not (self._closed or self._driven):
            return
        self._busy = True  # what it drives moves the pads that it listens to
        levels: dict[str, int] = {}
        for net in self._nets():
            inside = {role: self.pads[role].driven_inside for role in net}
            strong = [level for level in inside.values() if level is not None]
            if strong:
                # Low wins where outputs fight: and the other one is told to be fought against.
                level = min(strong)
                for role in net:
                    if inside[role] != level:
                        levels[role] = level
        for role in self._driven - set(levels):
            self.drive(t_ps, role, None)
        for role, level in levels.items():
            self.drive(t_ps, role, level)
        self._driven = set(levels)
        self._busy = False

    def _nets(self) -> Iterator[set[str]]:
        left = set(self._closed)
        while left:
            net = set(left.pop())
            while more := {pair for pair in left if net & set(pair)}:
                left -= more
                for pair in more:
                    net |= set(pair)
            yield net


MODEL = Keypad
