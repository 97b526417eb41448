"""A push button: a contact that chatters before it rests."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING

from fwgen.board.types import Part
from fwgen.errors import BenchError, did_you_mean
from fwgen.trace import Stimulated

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from fwgen.contract import Press
    from fwgen.machine.soc import Soc

LEAST_BOUNCES, MOST_BOUNCES = 3, 8


def press(stimulus: Press, soc: Soc) -> None:
    """Close the contact at a time and, unless held for ever, open it again.

    Raises BenchError when the board has no such button.
    """
    part = _button(stimulus.subject, soc)
    # The same press of the same button always chatters in the same way, by the same chance.
    random = Random(f"{part.name} {stimulus.at_ps}{' again' * soc.chance}")
    _contact(part, stimulus.at_ps, stimulus.bounce_ps, random, soc, closed=True)
    if stimulus.hold_ps is not None:
        released = stimulus.at_ps + stimulus.hold_ps
        _contact(part, released, stimulus.bounce_ps, random, soc, closed=False)


def _button(subject: str, soc: Soc) -> Part:
    part = soc.board.find_part(subject)
    if part is None and (pin := soc.board.find_pin(subject)) is not None:
        return Part(subject, "button", pin.name, active=0)  # wired from the pin to ground
    if part is None or part.kind != "button":
        buttons = [p.name for p in soc.board.parts.values() if p.kind == "button"]
        raise BenchError(
            f"{soc.board.name} has no button {subject!r}",
            hint=did_you_mean(subject, buttons) or f"its buttons: {', '.join(buttons) or 'none'}",
        )
    return part


def _contact(
    part: Part, at_ps: int, bounce_ps: int, random: Random, soc: Soc, *, closed: bool
) -> None:
    """Open or close the contact, with chatter of ``bounce_ps``."""
    pad = soc.fabric.pads[part.pin]

    def move(closed: bool) -> Callable[[int], None]:
        level = part.active if closed else None
        return lambda t_ps: pad.drive_outside(t_ps, part.name, level)

    def told(t_ps: int) -> None:
        verb = "pressed" if closed else "released"
        how = ", bouncing" if bounce_ps else ""
        soc.recorder.add(Stimulated(t_ps, part.name, f"{verb}{how}"))

    soc.scheduler.at(at_ps, told)
    for t_ps, state in chatter(at_ps, bounce_ps, random, closed=closed):
        soc.scheduler.at(t_ps, move(state))


def chatter(
    at_ps: int, bounce_ps: int, random: Random, *, closed: bool
) -> Iterator[tuple[int, bool]]:
    """When the contact changes, and to what: an odd number of changes that end as wanted."""
    yield at_ps, closed
    if bounce_ps <= 0:
        return
    bounces = random.randint(LEAST_BOUNCES, MOST_BOUNCES)
    # Contacts settle: most of the chatter comes early.
    times = sorted(int(bounce_ps * random.random() ** 1.5) for _ in range(2 * bounces - 1))
    state = closed
    for into in (*times, bounce_ps):
        state = not state
        yield at_ps + into, state
