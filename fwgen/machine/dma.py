"""DMA requests: lines from peripherals to the controllers that move their data.

A peripheral raises a request by the name that the chip file gives it (``Peripheral.dma``); here it
becomes a level on a line of a controller: stream and channel. The controller accesses the data
register over the bus, where the access has the effects that the register's own hooks give it, and
then acknowledges (``Peripheral.on_dma``). Neither side knows what the other is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from fwgen.board.types import DmaLine, PeripheralSpec
    from fwgen.machine.leap import Carrier
    from fwgen.machine.peripheral import Peripheral
    from fwgen.machine.talk import Server

    Source = tuple[Peripheral, str]
    Raised = Callable[[int, int, int], None]  # stream, channel, t_ps
    Carriers = Callable[[int, int, int], Carrier | None]  # stream, channel, register
    Servers = Callable[[Mapping[int, Sequence[DmaLine]], int], Server | None]  # lines, register


class DmaRequests:
    """The level of every DMA request line of a chip. Requests that share a line are or-ed."""

    def __init__(self) -> None:
        # By line (controller, stream, channel): who requests, by name and request; last or not.
        self._active: dict[tuple[str, int, int], dict[Source, bool]] = {}
        self._lines: dict[Source, list[tuple[DmaLine, dict[Source, bool]]]] = {}
        self._controllers: dict[str, Raised] = {}
        self._carriers: dict[str, Carriers] = {}
        self._servers: dict[str, Servers] = {}

    def connect(
        self,
        controller: str,
        raised: Raised,
        carriers: Carriers | None = None,
        servers: Servers | None = None,
    ) -> None:
        """A controller hears when a line of its own rises: ``raised(stream, channel, t_ps)``.

        ``carriers(stream, channel, register)`` gives who would serve a line for many rounds,
        ``servers(lines, register)`` who serves a port natively (``fwgen.machine.talk``).
        """
        self._controllers[controller] = raised
        if carriers is not None:
            self._carriers[controller] = carriers
        if servers is not None:
            self._servers[controller] = servers

    def carrier(self, peripheral: Peripheral, request: str, register: int) -> Carrier | None:
        """Who serves a request, where that is one stream and all its rounds are alike."""
        found = [
            carrier
            for line in peripheral.spec.dma.get(request, ())
            if line.controller in self._carriers
            and (carrier := self._carriers[line.controller](line.stream, line.channel, register))
        ]
        return found[0] if len(found) == 1 else None

    def server(
        self, peripheral: Peripheral, requests: Mapping[int, str], register: int
    ) -> Server | None:
        """Who serves a port natively; None where that is not one controller, or not plain."""
        lines = {n: peripheral.spec.dma.get(request, ()) for n, request in requests.items()}
        controllers = {line.controller for wired in lines.values() for line in wired}
        servers = self._servers.get(controllers.pop()) if len(controllers) == 1 else None
        return servers(lines, register) if servers is not None else None

    def put(self, peripheral: Peripheral, request: str, level: bool) -> None:
        """A request is at a level of which its controller knows already."""
        for line in peripheral.spec.dma.get(request, ()):
            active = self.line(line.controller, line.stream, line.channel)
            if level:
                active[peripheral, request] = False
            else:
                active.pop((peripheral, request), None)

    def set(
        self, peripheral: Peripheral, request: str, level: bool, t_ps: int, *, last: bool = False
    ) -> None:
        """A peripheral raises or lowers a request. One that the chip does not wire goes nowhere."""
        source = (peripheral, request)
        lines = self._lines.get(source)
        if lines is None:
            lines = self._lines[source] = [
                (line, self._active.setdefault((line.controller, line.stream, line.channel), {}))
                for line in peripheral.spec.dma.get(request, ())
            ]
        for line, active in lines:
            if not level:
                active.pop(source, None)
                continue
            rises = source not in active
            active[source] = last
            if rises and line.controller in self._controllers:
                self._controllers[line.controller](line.stream, line.channel, t_ps)

    def clear(self, peripheral: Peripheral) -> None:
        """A peripheral was reset: it requests nothing."""
        for lines in peripheral.spec.dma.values():
            for line in lines:
                active = self._active.get((line.controller, line.stream, line.channel), {})
                for source in [one for one in active if one[0] is peripheral]:
                    del active[source]

    def level(self, controller: str, stream: int, channel: int) -> bool:
        """Whether anybody requests on a line."""
        return bool(self._active.get((controller, stream, channel)))

    def line(self, controller: str, stream: int, channel: int) -> dict[Source, bool]:
        """Who requests on a line, now and later: a view."""
        return self._active.setdefault((controller, stream, channel), {})

    def is_last(self, controller: str, stream: int, channel: int) -> bool:
        """Whether the request on a line is the last of its transfer."""
        return any(self._active.get((controller, stream, channel), {}).values())

    def requesting(
        self, controller: str, stream: int, channel: int
    ) -> tuple[tuple[Peripheral, str], ...]:
        """Who requests on a line: they are to hear (``on_dma``) when they were served."""
        return tuple(self._active.get((controller, stream, channel), ()))


def wired_to(
    peripherals: Mapping[str, PeripheralSpec], controller: str, stream: int, channel: int
) -> list[tuple[PeripheralSpec, str]]:
    """The requests that a line of a controller carries, as (peripheral, request)."""
    return [
        (spec, request)
        for spec in peripherals.values()
        for request, lines in spec.dma.items()
        if any((x.controller, x.stream, x.channel) == (controller, stream, channel) for x in lines)
    ]
