"""How often what a contract accepts did occur."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from fwgen.contract.accept import accepted
from fwgen.trace import Gap, Hazard, Reset

if TYPE_CHECKING:
    from fwgen.contract.accept import Accepted
    from fwgen.contract.types import Contract
    from fwgen.trace import Trace


def occurrences(contract: Contract, trace: Trace) -> list[tuple[Accepted, int]]:
    """Each thing that the contract accepts, with how often it was seen; 0 is worth telling."""
    seen: Counter[str] = Counter()
    for event in trace.events:
        match event:
            case Hazard():
                seen[event.code] += 1
            case Reset() if event.t_ps > 0:
                seen[f"reset:{event.cause}"] += 1
            case Gap():
                seen[f"gap:{event.peripheral}"] += 1
                seen[f"gap:{event.peripheral}.{event.register}"] += 1
            case _:
                pass
    return [(one, seen[one.key]) for one in accepted(contract.accept)]
