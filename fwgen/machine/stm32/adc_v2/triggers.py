"""What starts a group from outside: timers' lines and EXTI, by the edges that EXTEN selects."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fwgen.machine.stm32.exti_v1 import Exti
from fwgen.machine.stm32.tim_v1.timer import Tim

if TYPE_CHECKING:
    from collections.abc import Callable

    from fwgen.machine.soc import Soc

RISING, FALLING = 1, 2  # EXTEN, JEXTEN; 3 is both


class Trigger:
    """The trigger input of one group. ``start(t_ps)`` is called on each edge that counts.

    ``sources`` names what EXTSEL selects: "TIM2_TRGO", "TIM1_CH1" (the compare output, which
    needs CCxE and on TIM1 MOE), "EXTI11"; "" is reserved.
    """

    def __init__(self, soc: Soc, sources: tuple[str, ...], start: Callable[[int], None]) -> None:
        self._soc = soc
        self._sources = sources
        self._start = start
        self._selected: tuple[int, int] = (0, 0)
        self._stops: list[Callable[[int], None]] = []

    def source(self, select: int) -> str:
        """What a value of EXTSEL means; "" when it is reserved."""
        return self._sources[select] if select < len(self._sources) else ""

    def select(self, t_ps: int, edges: int, select: int) -> bool:
        """Listen to what EXTEN and EXTSEL say. False: the chip's model lacks it."""
        wanted = (edges, select) if edges else (0, 0)
        if wanted == self._selected:
            return True
        self._selected = wanted
        for stop in self._stops:
            stop(t_ps)
        self._stops = []
        name = self.source(select)
        if not edges or not name:
            return True
        if name.startswith("EXTI"):
            return self._listen_to_exti(int(name.removeprefix("EXTI")))
        return self._listen_to_timer(t_ps, name)

    def _listen_to_exti(self, line: int) -> bool:
        exti = self._soc.peripherals.get("EXTI")
        if not isinstance(exti, Exti):
            return False
        calls = exti.on_line.setdefault(line, [])
        calls.append(self._start)  # EXTI has chosen the edge; what it gives is a pulse
        self._stops.append(lambda _: calls.remove(self._start))
        return True

    def _listen_to_timer(self, t_ps: int, name: str) -> bool:
        timer, _, line = name.partition("_")
        master = self._soc.peripherals.get(timer)
        if not isinstance(master, Tim):
            return False
        stop = self._soc.fabric.output(name).listen(self._edge)
        self._stops.append(lambda _: stop())
        if line == "TRGO":
            master.slave_listens(t_ps, 1)
            self._stops.append(lambda t: master.slave_listens(t, -1))
        return True

    def _edge(self, t_ps: int, level: int | None) -> None:
        edges, _ = self._selected
        if edges & (RISING if level else FALLING):
            self._start(t_ps)
