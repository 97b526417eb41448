"""The hazard register: each way in which silicon would punish what an emulated CPU forgives.

A hazard is raised by its code where it occurs (``soc.hazard("clock-off", message)``); what is
the same every time stands here, for the trace, the verdict, contracts, reports and the page
docs/hazards.md, which ``python -m fwgen.hazards`` writes. Each code has a firmware that commits
it and a neighbour that does not in tests/machine/test_hazards.py.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fwgen.errors import InputError, did_you_mean
from fwgen.hazards import (
    adc,
    buses,
    can,
    clocks,
    core,
    dac,
    dma,
    flash,
    modules,
    pins,
    rtc,
    serial,
    timers,
)
from fwgen.hazards.types import Kind, Severity

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["GROUPS", "REGISTER", "Kind", "Severity", "find_hazard"]

GROUPS: Mapping[str, tuple[Kind, ...]] = {
    "Core and memory": core.KINDS,
    "Clocks, resets and supply": clocks.KINDS,
    "Flash and option bytes": flash.KINDS,
    "Pins and registers": pins.KINDS,
    "Analog inputs": adc.KINDS,
    "Analog outputs": dac.KINDS,
    "Serial ports": serial.KINDS,
    "SPI and I2S": buses.SPI,
    "I2C": buses.I2C,
    "CAN": can.KINDS,
    "Parts on buses": buses.PARTS,
    "Parts with a behaviour": modules.KINDS,
    "Timers": timers.KINDS,
    "Real-time clock": rtc.KINDS,
    "DMA": dma.KINDS,
}
"""The kinds of hazards, as a reader looks for them."""

REGISTER: Mapping[str, Kind] = {kind.code: kind for kinds in GROUPS.values() for kind in kinds}
"""Every kind of hazard by its code."""


def find_hazard(code: str, *, where: str | None = None) -> Kind:
    """A kind of hazard by its code. Raises InputError for one that there is not."""
    kind = REGISTER.get(code)
    if kind is None:
        hint = did_you_mean(code, REGISTER) or '"fwgen hazards" lists them'
        raise InputError(f"there is no hazard {code!r}", where=where, hint=hint)
    return kind
