"""What parts show, for who watches a run: told as it changes, though not more than he can read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fwgen.trace import Pictured, Shown
from fwgen.trace.excerpt import drawn, picture_words
from fwgen.units import PS_PER_S, show_duration

if TYPE_CHECKING:
    from fwgen.trace import Event

EVERY_PS = PS_PER_S
"""What changes faster is told so often; its last value is never lost."""
COUNTED = ("lit",)
"""What only counts what is told anyway."""


class ShownParts:
    """The last value of each thing shown; what is new of it."""

    def __init__(self) -> None:
        self.last: dict[tuple[str, str], Shown | Pictured] = {}
        self._new: set[tuple[str, str]] = set()
        self._told: dict[tuple[str, str], int] = {}

    def take(self, event: Event) -> None:
        """Take the next event of a run."""
        if isinstance(event, Pictured):
            key = event.part, "picture"
        elif isinstance(event, Shown) and event.what not in COUNTED:
            key = event.part, event.what
        else:
            return
        first = key not in self.last
        self.last[key] = event
        if not (first and event.t_ps == 0):  # how it comes up is nothing new
            self._new.add(key)

    def due(self, now_ps: int, columns: int, *, last: bool = False) -> list[str]:
        """What is to be told now; ``last``: whatever is left."""
        made = []
        for key in sorted(self._new, key=lambda k: self.last[k].t_ps):
            if not last and now_ps - self._told.get(key, -EVERY_PS) < EVERY_PS:
                continue
            self._told[key] = now_ps
            self._new.discard(key)
            event = self.last[key]
            lines = [f"{show_duration(event.t_ps, 4)}: {shown_words(event)}"]
            if isinstance(event, Pictured):
                lines += drawn(event, columns)
            made.append("\n".join(lines))
        return made


def shown_words(event: Shown | Pictured) -> str:
    """What is shown, in a line."""
    if isinstance(event, Pictured):
        return picture_words(event)
    value = "nothing that can be told" if event.value is None else repr(event.value)
    return f"{event.part} shows {event.what} {value}"
