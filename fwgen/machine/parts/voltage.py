"""What holds a pin at a voltage: a laboratory supply, a generator, a potentiometer, a sensor."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from fwgen.board.sensors import voltage_of
from fwgen.contract.words import say
from fwgen.errors import BenchError, did_you_mean
from fwgen.trace import Stimulated, Voltage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from fwgen.board.types import Part
    from fwgen.contract import Analog
    from fwgen.machine.soc import Soc


def hold(stimulus: Analog, soc: Soc) -> None:
    """Hold a pin at a voltage from a time on. Raises BenchError when the board has no such pin."""
    pin = soc.board.find_pin(stimulus.subject)
    if pin is None:
        raise BenchError(
            f"{soc.board.name} has no pin {stimulus.subject!r}",
            hint=did_you_mean(stimulus.subject, [*soc.board.chip.pins, *soc.board.parts]),
        )
    what = say(stimulus, soc.board)

    def told(t_ps: int) -> None:
        soc.recorder.add(Stimulated(t_ps, pin.name, what))

    soc.scheduler.at(stimulus.at_ps, told)
    for voltage in _pieces(stimulus, pin.name, soc.chance):
        soc.scheduler.at(voltage.t_ps, _apply(voltage, soc))


def _pieces(stimulus: Analog, pin: str, seed: int) -> Iterator[Voltage]:
    """A voltage as the straight lines that it is made of."""
    at, points = stimulus.at_ps, stimulus.points
    noise, ohm, every = stimulus.noise_uv, stimulus.ohm, stimulus.noise_ps
    seed += 2 * stimulus.seed  # the second run has another noise, whatever the seed
    if not points:
        yield Voltage(at, pin, None)
        return
    for (start, uv), (stop, to) in pairwise(points):
        yield Voltage(
            at + start, pin, uv, to, stop - start, noise_uv=noise, seed=seed, ohm=ohm,
            noise_ps=every,
        )  # fmt: skip
    if len(points) == 1:
        uv = points[0][1]
        yield Voltage(
            at, pin, uv, uv, 0, stimulus.amplitude_uv, stimulus.period_ps, noise, seed, ohm, every
        )


def _apply(voltage: Voltage, soc: Soc) -> Callable[[int], None]:
    def act(t_ps: int) -> None:
        soc.recorder.add(voltage)
        soc.fabric.pads[voltage.pin].set_voltage(t_ps, voltage)

    return act


def rest(part: Part, soc: Soc) -> None:
    """A part of the board gives the voltage of what it senses while nobody says otherwise."""
    assert part.sensor is not None
    uv, ohm = voltage_of(part, part.sensor.rests, soc.board.supply_uv)
    _apply(Voltage(0, part.pin, uv, uv, ohm=ohm), soc)(0)
