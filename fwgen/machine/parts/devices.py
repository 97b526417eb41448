"""Wires and resistors that join the pins of a board."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fwgen.machine.pads import join

if TYPE_CHECKING:
    from fwgen.machine.soc import Soc


def fit(soc: Soc) -> None:
    """Put the board's wires and resistors onto the chip's pads."""
    pads = soc.fabric.pads
    for device in soc.board.devices.values():
        if device.kind == "wire":
            join(0, [pads[pin] for pin in device.pins.values()])
        else:
            pads[device.pins["pin"]].set_resistor(0, device.pull)
