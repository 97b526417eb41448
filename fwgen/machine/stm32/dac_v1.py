"""Digital-to-analog converter of the STM32F2/F4: two channels of 12 bits. RM0090 §14."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fwgen.machine.pads import Source
from fwgen.machine.peripheral import Peripheral, Reg
from fwgen.machine.stm32.adc_v2.triggers import RISING, Trigger
from fwgen.machine.stm32.gpio_v2 import ANALOG, Gpio
from fwgen.trace import Hazard, Voltage
from fwgen.units import PS_PER_US, show_duration, show_voltage

if TYPE_CHECKING:
    from collections.abc import Callable

    from fwgen.board.types import PeripheralSpec
    from fwgen.machine.peripheral import Register
    from fwgen.machine.soc import Soc

# DS8626, 12-bit DAC electrical characteristics: typical wake-up, longest settling, what the buffer
# leaves to either rail, the output's resistance without it (highest).
WAKE_UP_PS = 6_500_000
SETTLING_PS = 6 * PS_PER_US
RAIL_UV = 200_000
BARE_OHM = 15_000

SOFTWARE = 7  # TSEL
LFSR_START = 0xAAA  # §14.3.8
MOST = 0xFFF
AUTOMATIC, BY_TRIGGER = 1, 3  # cycles of PCLK1 from a write or a trigger to DOR (§14.3.4)


class Channel:
    """One converter: what it holds, what it is to add, and its pin."""

    def __init__(self, dac: Dac, number: int, soc: Soc) -> None:
        self._dac, self._soc, self.number = dac, soc, number
        wanted = f"DAC_OUT{number}"
        self.pin = next((p for p in soc.chip.pins.values() if wanted in p.additional), None)
        names = dac.spec.options.get("triggers")
        sources = tuple(map(str, names)) if isinstance(names, list) else ()
        self._trigger = Trigger(soc, sources, self._triggered)
        self._round = 0  # what was begun in another one comes to nothing
        self._clear()

    def stop(self, t_ps: int) -> None:
        """A reset: nothing held, nothing under way, the pin let go."""
        driven = self._awake_ps is not None
        self._trigger.select(t_ps, 0, 0)
        self._clear()
        if driven:
            self._put_out(t_ps)

    def _clear(self) -> None:
        self.held = 0  # DHR: not a register of the bus, but what the aligned ones write to
        self._lfsr, self._count, self._rises = LFSR_START, 0, True
        self._asked = False  # a DMA request has not been served
        self._stopped = False  # by an underrun, until DMAUDR is cleared
        self._awake_ps: int | None = None  # from when on the output is driven
        self._changed_ps: int | None = None
        self._round += 1

    # ------------------------------------------------------------------ CR

    def _bits(self, name: str, of: int | None = None) -> int:
        register = self._dac.cr
        return register.field(f"{name}{self.number}", register.value if of is None else of)

    def control(self, t_ps: int, before: int) -> None:
        """CR was written."""
        was_on, on = self._bits("EN", before), self._bits("EN")
        if was_on and on:
            self._check_locked(before)
        if not self._bits("WAVE"):  # resetting WAVE resets what it makes (§14.3.8, §14.3.9)
            self._lfsr, self._count, self._rises = LFSR_START, 0, True
        if not self._bits("DMAEN"):
            self._ask(t_ps, on=False)
        listens = on and self._bits("TEN") and self._bits("TSEL") != SOFTWARE
        if not self._trigger.select(t_ps, RISING if listens else 0, self._bits("TSEL")):
            self._dac.gap(f"TSEL{self.number}", self._trigger.source(self._bits("TSEL")))
        if on and not was_on:
            self._wake(t_ps)
        elif was_on and not on:
            self._round += 1
            self._awake_ps = None
            self._ask(t_ps, on=False)
            self._put_out(t_ps)
        elif on and self._bits("BOFF") != self._bits("BOFF", before):
            self._put_out(t_ps)
        if not self._bits("TEN"):
            self._load_after(t_ps, AUTOMATIC, triggered=False)

    def _check_locked(self, before: int) -> None:
        changed = [
            name
            for name, matters in (("TSEL", self._bits("TEN")), ("MAMP", self._bits("WAVE")))
            if matters and self._bits(name) != self._bits(name, before)
        ]
        if changed:
            self._soc.hazard(
                "dac-locked",
                f"{changed[0]}{self.number} is written while EN{self.number} is set: it cannot be "
                "changed then",
            )

    def _wake(self, t_ps: int) -> None:
        self._awake_ps = t_ps + WAKE_UP_PS
        mine = self._round

        def awake(at_ps: int) -> None:
            if mine == self._round:
                self._put_out(at_ps)

        self._soc.scheduler.at(self._awake_ps, awake)
        self._check_pin()

    def _check_pin(self) -> None:
        if self.pin is None:
            return
        port = self._soc.peripherals.get(f"GPIO{self.pin.port}")
        if isinstance(port, Gpio) and port.mode(self.pin.index) != ANALOG:
            self._soc.hazard(
                "dac-pin-mode",
                f"EN{self.number} is set, but {self.pin.name} is not in analog mode",
                cure=f"set MODER of {self.pin.name} to 11 before EN{self.number}",
            )

    # ------------------------------------------------------------------ DHR to DOR

    def hold(self, t_ps: int, code: int) -> None:
        """A data holding register was written."""
        self.held = code & MOST
        if not self._bits("TEN"):
            self._load_after(t_ps, AUTOMATIC, triggered=False)

    def software(self, t_ps: int) -> None:
        """SWTRIG was set."""
        if not (self._bits("EN") and self._bits("TEN") and self._bits("TSEL") == SOFTWARE):
            self._soc.hazard(
                "dac-trigger",
                f"SWTRIG{self.number} is set, but EN{self.number} and TEN{self.number} are not 1 "
                f"with TSEL{self.number} = 7",
            )
            return
        self._load_after(t_ps, AUTOMATIC, triggered=True)  # no DMA request: §14.3.7

    def _triggered(self, t_ps: int) -> None:
        self._load_after(t_ps, BY_TRIGGER, triggered=True)
        if self._bits("DMAEN") and not self._stopped:
            if self._asked:
                self._underrun(t_ps)
            else:
                self._ask(t_ps, on=True)

    def _load_after(self, t_ps: int, cycles: int, *, triggered: bool) -> None:
        clock, mine = self._dac.clock, self._round

        def load(at_ps: int) -> None:
            if mine == self._round:
                self._load(at_ps, triggered=triggered)

        self._soc.scheduler.at(clock.time_of(clock.ticks_at(t_ps) + cycles), load)

    def _load(self, t_ps: int, *, triggered: bool) -> None:
        code = self.held + (self._wave() if triggered else 0)
        if code > MOST:
            self._dac.gap(f"WAVE{self.number}", "a wave that goes beyond 12 bits")
            code = MOST
        output = self.output
        if code != output.value:
            moved = abs(code - output.value)
            output.value = code
            self._put_out(t_ps, moved)

    def _wave(self) -> int:
        """What is added to DHR at a trigger: noise (1) or a triangle (2, 3). §14.3.8, §14.3.9."""
        kind = self._bits("WAVE")
        if not kind:
            return 0
        top = (2 << min(self._bits("MAMP"), 11)) - 1
        if kind == 1:
            made = self._lfsr & top
            self._lfsr = shifted(self._lfsr)
            return made
        made = self._count
        self._rises = made < top if self._rises else made == 0
        self._count += 1 if self._rises else -1
        return made

    # ------------------------------------------------------------------ DMA

    def _ask(self, t_ps: int, *, on: bool) -> None:
        self._asked = on
        self._dac.dma(t_ps, f"ch{self.number}", on)

    def served(self) -> None:
        """The DMA wrote a data holding register."""
        self._asked = False

    def _underrun(self, t_ps: int) -> None:
        """A trigger came before the last one's request was served. §14.3.7."""
        self._stopped = True
        self._ask(t_ps, on=False)
        self._dac.sr.set(**{f"DMAUDR{self.number}": 1})
        self._dac.settle(t_ps)
        self._soc.hazard(
            "dac-underrun", f"channel {self.number}: a trigger came before the DMA brought data"
        )

    def acknowledged(self) -> None:
        """DMAUDR was cleared."""
        self._stopped = False

    # ------------------------------------------------------------------ the pin

    @property
    def output(self) -> Register:
        """DOR."""
        return self._dac.states[f"DOR{self.number}"]

    def _put_out(self, t_ps: int, moved: int = 0) -> None:
        if self.pin is None:
            return
        pad = self._soc.fabric.pads[self.pin.name]
        add, by = self._soc.recorder.add, self._dac.name
        if self._awake_ps is None:
            pad.drive_voltage(t_ps, None)
            add(Voltage(t_ps, self.pin.name, None, by=by))
            return
        if t_ps < self._awake_ps:
            return
        if moved > 1 and self._changed_ps is not None and t_ps < self._changed_ps + SETTLING_PS:
            self._soc.hazard(
                "dac-settling",
                f"channel {self.number} is given another value before the last one settled, "
                f"which takes {show_duration(SETTLING_PS)}",
            )
        self._changed_ps = t_ps
        self._check_pin()
        source = self._source(told=bool(moved))
        pad.drive_voltage(t_ps, source)
        add(Voltage(t_ps, self.pin.name, source.uv, source.uv, ohm=source.ohm, by=by))

    def _source(self, *, told: bool) -> Source:
        supply = self._soc.board.supply_uv
        uv = round(self.output.value * supply / MOST)  # §14.3.5
        if self._bits("BOFF"):
            return Source(uv, BARE_OHM)
        within = max(RAIL_UV, min(uv, supply - RAIL_UV))
        if within != uv and told:
            said = (
                f"channel {self.number} is to give {show_voltage(uv)}: with its buffer it comes to "
                f"{show_voltage(RAIL_UV)} of either rail"
            )
            hazard = Hazard.of("dac-swing", said, self._soc.now_ps, self._soc.pc)
            self._soc.recorder.add_once(hazard, ("dac-swing", self.number))
        return Source(within, 0)


class Dac(Peripheral, registers="stm32.dac_v1"):
    """Two 12-bit converters with their triggers, DMA, noise and triangles. RM0090 §14.

    The output goes to its voltage at once (an ideal converter; VREF+ is the board's supply), 6.5 us
    after EN at the earliest, and no nearer to a rail than the buffer comes. A code that changes by
    more than 1 LSB before the last one settled is a note. An aligned register reads what was
    written to it itself.

    Not modelled: settling, drift and load of the output; a wave that exceeds 12 bits (a Gap: the
    manual says "without overflow", and no more).
    """

    cr, swtrigr, sr, dor1, dor2 = Reg(), Reg(), Reg(), Reg(), Reg()
    dhr12r1, dhr12l1, dhr8r1 = Reg(), Reg(), Reg()
    dhr12r2, dhr12l2, dhr8r2 = Reg(), Reg(), Reg()
    dhr12rd, dhr12ld, dhr8rd = Reg(), Reg(), Reg()

    def __init__(self, spec: PeripheralSpec, soc: Soc) -> None:
        super().__init__(spec, soc)
        self.channels = (Channel(self, 1, soc), Channel(self, 2, soc))

    def on_reset(self, t_ps: int) -> None:
        """Off: both pins are let go."""
        for channel in self.channels:
            channel.stop(t_ps)
        self.settle(t_ps)

    def settle(self, t_ps: int) -> None:
        """The interrupt follows the flags."""
        cr, sr = self.cr, self.sr
        level = (sr.DMAUDR1 and cr.DMAUDRIE1) or (sr.DMAUDR2 and cr.DMAUDRIE2)
        self.irq(t_ps, "dac", bool(level))

    def gap(self, field: str, detail: str) -> None:
        """Something that CR asks for is not modelled."""
        self.soc.gap(self.name, f"CR.{field}", "write", self.spec.base, detail)

    @cr.on_write
    def _control(self, t_ps: int, _written: int, before: int) -> None:
        for channel in self.channels:
            channel.control(t_ps, before)
        self.settle(t_ps)

    @swtrigr.on_write
    def _software(self, t_ps: int, written: int, _before: int) -> None:
        for channel in self.channels:
            if written >> (channel.number - 1) & 1:
                channel.software(t_ps)

    @sr.on_write
    def _status(self, t_ps: int, _written: int, before: int) -> None:
        for channel in self.channels:
            name = f"DMAUDR{channel.number}"
            if self.sr.field(name, before) and not self.sr.field(name, self.sr.value):
                channel.acknowledged()
        self.settle(t_ps)

    def on_dma(self, t_ps: int, request: str, left: int) -> None:
        """The request was a pulse: the next trigger asks again."""
        self.channels[request == "ch2"].served()
        self.dma(t_ps, request, False)


def _holding(register: str, *channels: tuple[int, str]) -> Callable[[Dac, int, int, int], None]:
    """What a write to an aligned register does: (channel, shift of its code) each."""

    def write(self: Dac, t_ps: int, _written: int, _before: int) -> None:
        state = self.states[register]
        for number, field in channels:
            code = state.field(field, state.value)
            self.channels[number - 1].hold(t_ps, code << 4 if "8R" in register else code)

    return write


ONE, TWO = (1, "DACC1DHR"), (2, "DACC2DHR")
for _name, _channels in {
    **{f"DHR{form}1": (ONE,) for form in ("12R", "12L", "8R")},
    **{f"DHR{form}2": (TWO,) for form in ("12R", "12L", "8R")},
    **{f"DHR{form}D": (ONE, TWO) for form in ("12R", "12L", "8R")},
}.items():
    Dac.DECLARED[_name].on_write(_holding(_name, *_channels))


def shifted(lfsr: int) -> int:
    """The next state of the noise's shift register: X12 + X6 + X4 + X + 1. RM0090 §14.3.8."""
    if not lfsr:
        return 0x800  # the NOR that keeps it from locking up
    bit = (lfsr ^ lfsr >> 1 ^ lfsr >> 4 ^ lfsr >> 6) & 1
    return lfsr >> 1 | bit << 11


PERIPHERAL = Dac
