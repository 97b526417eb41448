"""Which debug probes are plugged in, and which one is meant."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from fwgen.errors import RigError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fwgen.board.types import Board

REMOTE = "remote:"  # what the name of a probe on another computer begins with

# What pyocd has to say we say in our own words; whoever configures logging hears it, too.
logging.getLogger("pyocd").addHandler(logging.NullHandler())


@dataclass(frozen=True, slots=True)
class Probe:
    """A debug probe that is plugged in. ``uid`` is its serial number; ``handle`` is pyocd's."""

    uid: str
    name: str
    vendor: str = ""
    handle: Any = field(default=None, repr=False, compare=False)

    @property
    def board_id(self) -> str | None:
        """The four characters by which the maker knows the board it sits on; None: no board's."""
        try:
            said = getattr(self.handle, "board_id", None)
        except Exception:  # noqa: BLE001 - asked of a device that may be busy, or just gone
            return None
        return said if isinstance(said, str) and said.strip("0") else None

    def __str__(self) -> str:
        return f"{self.uid} ({self.name})"


def find_probes() -> tuple[Probe, ...]:
    """The probes that can be used now, in the order of their serial numbers."""
    from pyocd.probe.aggregator import DebugProbeAggregator

    try:
        handles = DebugProbeAggregator.get_all_connected_probes()
    except Exception as error:
        from fwgen.rig.errors import explain

        raise explain(error, "looking for probes") from error
    found = [
        Probe(str(h.unique_id), str(h.product_name or "debug probe"), str(h.vendor_name or ""), h)
        for h in handles
    ]
    return tuple(sorted(found, key=lambda probe: probe.uid))


def choose_probe(
    board: Board, wanted: str | None = None, probes: Sequence[Probe] | None = None
) -> Probe:
    """The probe that is meant: the one named, else the only one, else the only one that can be.

    ``wanted`` is a serial number or a part of one that no other probe has; or "remote:HOST:PORT",
    where a probe server of pyocd is. Several probes are never guessed from: only what the probes
    themselves say (the maker's id of their board) rules others out. Raises RigError that lists
    what there is.
    """
    if wanted and wanted.startswith(REMOTE):
        from fwgen.rig.remote import remote_probe

        return remote_probe(wanted)
    found = find_probes() if probes is None else tuple(probes)
    listed = ", ".join(str(probe) for probe in found)
    if wanted:
        return _named(wanted, found, listed)
    if not found:
        raise RigError(
            "no debug probe is plugged in",
            where=board.title,
            hint='plug the board in; "fwgen doctor" looks further',
        )
    if len(found) == 1:
        return found[0]
    mine, ids = board.probe.get("board_id"), [probe.board_id for probe in found]
    if mine and ids.count(mine) == 1 and None not in ids:
        return found[ids.index(mine)]
    raise RigError(
        f"there are {len(found)} debug probes, and I do not guess: {listed}",
        where=board.title,
        hint=f"say which: --probe {found[0].uid}",
    )


def _named(wanted: str, found: Sequence[Probe], listed: str) -> Probe:
    key = wanted.casefold()
    exact = [probe for probe in found if probe.uid.casefold() == key]
    matching = exact or [probe for probe in found if key in probe.uid.casefold()]
    if len(matching) == 1:
        return matching[0]
    if matching:
        raise RigError(
            f"{len(matching)} probes have {wanted!r} in their serial number: "
            + ", ".join(str(probe) for probe in matching),
            hint="give more of it",
        )
    hint = did_you_mean(wanted, [probe.uid for probe in found])
    raise RigError(
        f"there is no probe {wanted!r}",
        hint=hint or (f"there is {listed}" if listed else 'none is plugged in; try "fwgen doctor"'),
    )
