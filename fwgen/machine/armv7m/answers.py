"""What reads of registers will give, told to native code ahead: it answers them by itself.

An answer holds up to a cycle at which something is due, or the register changes by itself, and
only until anything else happens: a write, a read that does more than look, a skipped loop. What
native code answered is looked up (``told``) before that, and before anyone can tell the
difference.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from fwgen.machine.native import MOST_LOOKS, NativeLook

if TYPE_CHECKING:
    from fwgen.board.types import PeripheralSpec
    from fwgen.machine.armv7m.state import CoreState
    from fwgen.machine.peripheral import Peripheral


class Place(NamedTuple):
    """What an access of a known address and size is of."""

    spec: PeripheralSpec
    offset: int
    peripheral: Peripheral | None


class Answers:
    """``places`` are those of a core's peripherals that native code knows: address << 3 | size."""

    def __init__(self, core: CoreState, library: Any) -> None:
        self._core, self._library = core, library
        self._at = core.at
        self._soc, self._hclk = core.soc, core.hclk
        self.places: dict[int, Place] = {}
        self._looks = (NativeLook * MOST_LOOKS)()

    def know(self, spec: PeripheralSpec, address: int, size: int) -> Place:
        """An aligned access to a peripheral was done: the next one native code lets pass."""
        key, offset = address << 3 | size, address - spec.base
        peripheral = self._soc.peripherals.get(spec.name)
        place = self.places[key] = Place(spec, offset, peripheral)
        self._library.fwgen_know(self._at, key)
        return place

    def keep(self, key: int, value: int, cycle: int, *, looked: bool) -> None:
        """A read at a cycle gave a value: tell native code until when it would again.

        ``looked``: it did nothing else, and so the next does nothing else.
        """
        core, at, soc = self._core, self._at, self._soc
        spec, offset, peripheral = self.places[key]
        now_ps = soc.scheduler.now_ps
        if peripheral is None:
            return
        if any(until > now_ps for until in soc.settling.values()):
            return
        if at.attention or core.due < at.cycle + at.cost:
            return  # a read would stop the core behind it
        if spec.gate is not None and not soc.gated.get(spec.name, False):
            return  # that is told of, place by place
        if getattr(core.flash, "busy_until_ps", 0) > now_ps:
            return
        size, t_ps = key & 7, self._hclk.time_of(cycle)
        if not looked and not peripheral.only_looks(offset, size, t_ps):
            return
        counts = peripheral.count_at(offset, cycle) if size == 4 else None
        if counts is None:
            seen = peripheral.peek(offset, size, t_ps)
            if seen is None:
                return
            counts = seen.value, 0, seen.stable_until_ps
        again, growth, until = counts
        if again != value:
            return
        last = core.cycle_of(min(until, soc.scheduler.next_ps))
        self._library.fwgen_answer(at, key, value, growth, cycle, last)

    def told(self) -> None:
        """Do what the reads leave behind that native code answered."""
        soc, looks = self._soc, self._looks
        for look in looks[: self._library.fwgen_looks(self._at, looks)]:
            key, t_ps = look.key, self._hclk.time_of(look.cycle)
            place = self.places[key]
            soc.scheduler.catch_up(t_ps)
            soc.bus_looked(place.spec, place.offset, t_ps)

    def close(self) -> None:
        """Give the places back."""
        self._library.fwgen_end(self._at)
