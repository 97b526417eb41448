"""External interrupt and event controller of STM32F4. RM0368 §10."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fwgen.machine.peripheral import Peripheral, Reg
from fwgen.machine.stm32.syscfg_f4 import Syscfg
from fwgen.trace import Hazard
from fwgen.units import PS_PER_US

if TYPE_CHECKING:
    from collections.abc import Callable

    from fwgen.board.types import PeripheralSpec
    from fwgen.machine.soc import Soc

PIN_LINES = 16
# Request of the NVIC -> the lines that raise it (§10.2.5, Table 38).
REQUESTS = {
    **{f"exti{n}": (n,) for n in range(5)},
    "exti9_5": tuple(range(5, 10)),
    "exti15_10": tuple(range(10, 16)),
    "pvd": (16,),
    "rtc_alarm": (17,),
    "otg_fs_wkup": (18,),
    "eth_wkup": (19,),
    "otg_hs_wkup": (20,),
    "tamp_stamp": (21,),
    "rtc_wkup": (22,),
}
# How long a line may be enabled while its pin still floats: setting up takes several writes.
GRACE_PS = 100 * PS_PER_US


class Exti(Peripheral, registers="stm32.exti_v1"):
    """Edges on 16 pin lines and some internal ones become interrupts and events. RM0368 §10.

    Asynchronous: works whatever the clocks do, also in Stop. A masked line does not pend. The
    edge is looked for behind the multiplexer of SYSCFG_EXTICR: choosing another pin of another
    level is an edge. A floating pin keeps the level it last had.

    ``on_event(t_ps)`` is the pulse to the core that ends WFE; ``on_line`` those to peripherals (the
    ADC), of a line that is not masked for both interrupts and events.

    Lines 16 (PVD), 17, 21 and 22 (RTC) are levels of those peripherals: ``drive``.

    Not modelled: what raises lines 18 to 20 (USB, Ethernet), except SWIER.
    """

    imr, emr, rtsr, ftsr, swier, pr = Reg(), Reg(), Reg(), Reg(), Reg(), Reg()

    def __init__(self, spec: PeripheralSpec, soc: Soc) -> None:
        super().__init__(spec, soc)
        self.on_event: Callable[[int], None] | None = None
        self.on_line: dict[int, list[Callable[[int], None]]] = {}  # line -> who it triggers inside
        self._levels = [0] * PIN_LINES
        self._internal: dict[int, int] = {}  # line -> the level that a peripheral drives
        self._stops: dict[int, Callable[[], None]] = {}  # line -> stop listening to its pad
        self._pads: dict[int, str] = {}  # line -> the pad it listens to
        self._syscfg: Syscfg | None = None
        self._look_pending = False

    # ------------------------------------------------------------------ lines

    def drive(self, line: int, level: int, t_ps: int) -> None:
        """A peripheral drives an internal line: a change of its level is an edge."""
        if level != self._internal.get(line, 0):
            self._internal[line] = level
            self.edge(line, level, t_ps)

    def edge(self, line: int, level: int, t_ps: int) -> None:
        """A line took a level: an interrupt, an event, both or nothing."""
        mask = 1 << line
        selected = self.rtsr.value if level else self.ftsr.value
        if selected & mask:
            self._trigger(mask, t_ps)

    def _trigger(self, mask: int, t_ps: int) -> None:
        if self.imr.value & mask and not self.pr.value & mask:
            self.pr.value |= mask
            self._requests(t_ps)
        if self.emr.value & mask and self.on_event is not None:
            self.on_event(t_ps)
        if (self.imr.value | self.emr.value) & mask:
            for call in tuple(self.on_line.get(mask.bit_length() - 1, ())):
                call(t_ps)

    def _requests(self, t_ps: int) -> None:
        pending = self.pr.value & self.imr.value
        for request, lines in REQUESTS.items():
            if request in self.spec.irqs:
                self.irq(t_ps, request, any(pending >> n & 1 for n in lines))

    # ------------------------------------------------------------------ pins

    def _router(self) -> Syscfg | None:
        if self._syscfg is None:
            for other in self.soc.peripherals.values():
                if isinstance(other, Syscfg):
                    self._syscfg = other
                    other.on_route = self._route
        return self._syscfg

    def _route(self, line: int, t_ps: int) -> None:
        """Listen to the pad that a line is connected to, while it could trigger anything."""
        syscfg = self._router()
        if syscfg is None:
            return
        armed = bool((self.rtsr.value | self.ftsr.value) >> line & 1)
        name = f"P{syscfg.port(line)}{line}" if armed else ""
        if name == self._pads.get(line, ""):
            return
        was_armed = line in self._pads
        stop = self._stops.pop(line, None)
        if stop is not None:
            stop()
        self._pads.pop(line, None)
        if not armed:
            return
        self._pads[line] = name
        pad = self.soc.fabric.pads.get(name)
        level = pad.level if pad is not None else 0
        if was_armed:
            self._changed(line, level, t_ps)
        elif level is not None:
            self._levels[line] = level
        if pad is not None:
            self._stops[line] = pad.listen(lambda t, now: self._changed(line, now, t))

    def _changed(self, line: int, level: int | None, t_ps: int) -> None:
        if level is not None and level != self._levels[line]:
            self._levels[line] = level
            self.edge(line, level, t_ps)

    # ------------------------------------------------------------------ registers

    def on_reset(self, t_ps: int) -> None:
        """Nothing enabled, nothing pending."""
        self._route_all(t_ps)
        self._requests(t_ps)

    @rtsr.on_write
    @ftsr.on_write
    def _select(self, t_ps: int, written: int, before: int) -> None:
        self._route_all(t_ps)
        self._doubt(t_ps)

    def _route_all(self, t_ps: int) -> None:
        for line in range(PIN_LINES):
            self._route(line, t_ps)

    @imr.on_write
    @emr.on_write
    def _mask(self, t_ps: int, written: int, before: int) -> None:
        self._requests(t_ps)
        self._doubt(t_ps)

    @swier.on_write
    def _software(self, t_ps: int, written: int, before: int) -> None:
        """A 0 that becomes 1 triggers; clearing the pending bit clears it again. §10.3.5."""
        rose = self.swier.value & ~before
        while rose:
            mask = rose & -rose
            rose ^= mask
            self._trigger(mask, t_ps)

    @pr.on_write
    def _clear(self, t_ps: int, written: int, before: int) -> None:
        self.swier.value &= ~written
        self._requests(t_ps)

    # ------------------------------------------------------------------ floating inputs

    def _doubt(self, t_ps: int) -> None:
        if not self._look_pending:
            self._look_pending = True
            pc = self.soc.pc
            self.soc.scheduler.at(t_ps + GRACE_PS, lambda t: self._look(t, pc))

    def _look(self, t_ps: int, pc: int) -> None:
        self._look_pending = False
        live = self.imr.value | self.emr.value
        for line, name in self._pads.items():
            pad = self.soc.fabric.pads.get(name)
            if live >> line & 1 and pad is not None and pad.level is None:
                why = "nothing drives or pulls" if pad.voltage is None else "is between VIL and VIH"
                said = f"EXTI line {line} listens to {name}, which {why}"
                cure = f"set a pull in GPIO{name[1]}_PUPDR"
                hazard = Hazard.of("floating-input", said, t_ps, pc, cure=cure)
                self.soc.recorder.add_once(hazard, ("floating-input", name))


PERIPHERAL = Exti
