"""What a peripheral asks the scheduler for: little, where nobody would notice."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from fwgen.machine.soc import Soc


def asked_of(soc: Soc) -> list[int]:
    """The times for which something is scheduled from now on; all of it still happens."""
    times: list[int] = []
    original: Callable[..., Any] = soc.scheduler.at

    def at(t_ps: int, call: Any) -> Any:
        times.append(t_ps)
        return original(t_ps, call)

    vars(soc.scheduler)["at"] = at
    return times
