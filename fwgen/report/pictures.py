"""The pictures that displays show: the last of each, and as files."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from fwgen.trace import Pictured

if TYPE_CHECKING:
    from fwgen.trace import Trace

PICTURE = re.compile(r"picture-[A-Za-z0-9_-]+\.png")


def last_pictures(trace: Trace, until_ps: int | None = None) -> list[Pictured]:
    """What each display shows at a time, by default at the end."""
    last: dict[str, Pictured] = {}
    for event in trace.of(Pictured):
        if until_ps is None or event.t_ps <= until_ps:
            last[event.part] = event
    return list(last.values())


def picture_files(trace: Trace) -> dict[str, bytes]:
    """A PNG of what each display shows at the end, by name of file."""
    made: dict[str, bytes] = {}
    for event in last_pictures(trace):
        stem = re.sub(r"[^A-Za-z0-9_-]+", "-", event.part)
        name, number = f"picture-{stem}.png", 1
        while name in made:
            number += 1
            name = f"picture-{stem}-{number}.png"
        made[name] = event.picture.png()
    return made
