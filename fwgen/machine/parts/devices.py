"""What a board has on its buses: parts made from their kinds, wires and pull-ups put in place."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Protocol

from fwgen.errors import BoardError
from fwgen.machine.signals import join

if TYPE_CHECKING:
    from fwgen.board.types import Device
    from fwgen.machine.soc import Soc


class Fitted(Protocol):
    """A part on the board that has a supply."""

    def power_on(self, t_ps: int) -> None:
        """The supply came back."""


def fit(soc: Soc) -> dict[str, Fitted]:
    """Put the board's devices onto the chip's pads. Raises BoardError for one without a model."""
    pads = soc.fabric.pads
    made: dict[str, Fitted] = {}
    for device in soc.board.devices.values():
        if device.kind == "wire":
            join(0, [pads[pin] for pin in device.pins.values()])
        elif device.kind == "resistor":
            pads[device.pins["pin"]].set_resistor(0, device.pull)
        elif device.pull is not None:
            for pin in device.pins.values():
                pads[pin].set_resistor(0, device.pull)
    for device in soc.board.devices.values():
        if device.model:
            made[device.name] = _make(soc, device)
    return made


def _make(soc: Soc, spec: Device) -> Fitted:
    try:
        module = import_module(f"fwgen.machine.parts.{spec.model}")
    except ModuleNotFoundError as error:
        raise BoardError(
            f"{spec.name} behaves as {spec.model!r}, which the machine does not have",
            where=f"boards/parts/{spec.kind}.toml",
        ) from error
    part = module.PART(soc, spec)
    if spec.bus == "spi":
        from fwgen.machine.buses.spi import SpiPort

        SpiPort(soc, spec, part)
    else:
        from fwgen.machine.buses.i2c import I2cPort

        I2cPort(soc, spec, part)
    fitted: Fitted = part
    return fitted
