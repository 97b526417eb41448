"""The converter: its groups, its flags, and what of it happens only when somebody looks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fwgen.machine.peripheral import Peek, Peripheral, Reg
from fwgen.machine.stm32.adc_v2.conversion import (
    BITS,
    Conversion,
    aligned,
    quantised,
    sampling_cycles,
)
from fwgen.machine.stm32.adc_v2.inputs import Flaw, Inputs, Switches
from fwgen.machine.stm32.adc_v2.triggers import Trigger
from fwgen.machine.time import NEVER, ClockDomain
from fwgen.trace import Gap, Hazard
from fwgen.units import MHZ_PER_HZ, PS_PER_US, show_duration, show_frequency

if TYPE_CHECKING:
    from collections.abc import Callable

    from fwgen.board.types import PeripheralSpec
    from fwgen.machine.pads import Pad
    from fwgen.machine.soc import Soc
    from fwgen.machine.stm32.adc_v2.multi import Companions
    from fwgen.machine.time import Timer

STABLE_PS = 3 * PS_PER_US  # tSTAB, longest (DS10086, ADC characteristics)
# Cycles of ADCCLK from a trigger to the start, at the most (tlatr, tlat; DS10086).
REGULAR_LATENCY, INJECTED_LATENCY = 2, 3


class Adc(Peripheral, registers="stm32.adc_v2"):
    """12-bit successive approximation converter. RM0368 §11.

    Two groups: the regular one into DR, the injected one, which interrupts it, into JDR1 to JDR4.
    A channel is sampled for SMPx cycles of ADCCLK; the voltage at the end of that is converted,
    which takes one cycle a bit. The converter is ideal; VREF+ is the board's supply.

    Nothing happens while nobody would notice: conversions are done when a register is read, a
    voltage is about to change, or one would interrupt or ask the DMA. Rounds of a continuous
    conversion that leave no mark are skipped.

    A start by software takes effect at the next edge of ADCCLK, a trigger as late as the data sheet
    allows. After an overrun DR keeps what was not read (§11.8.2).

    Not modelled (a Gap where firmware asks for it): the watchdog's thresholds and the injected
    offsets at less than 12 bits, and the watchdog on an injected channel with an offset, where ST's
    own libraries differ on their alignment; EOC within a discontinuous group while EOCS = 0.
    Triggers by a timer's compare are taken after the output stage, with its polarity.
    """

    sr, cr1, cr2, smpr1, smpr2 = Reg(), Reg(), Reg(), Reg(), Reg()
    jofr1, jofr2, jofr3, jofr4, htr, ltr = Reg(), Reg(), Reg(), Reg(), Reg(), Reg()
    sqr1, sqr2, sqr3, jsqr, dr = Reg(), Reg(), Reg(), Reg(), Reg()
    jdr1, jdr2, jdr3, jdr4 = Reg(), Reg(), Reg(), Reg()

    def __init__(self, spec: PeripheralSpec, soc: Soc) -> None:
        super().__init__(spec, soc)
        self.inputs = Inputs(spec, soc)
        self.companions: Companions | None = None  # on a chip with more than one
        self._parent: ClockDomain | None = None  # what all of them count by
        self.adcclk = ClockDomain(f"{self.name}_ADCCLK")
        self._divider = 2
        self._switches = Switches(None, vbat=False)
        self._alarm: Timer | None = None
        self._watched: dict[int, Callable[[], None]] = {}  # channel -> stop hearing of its pad
        self._irq = False
        options = spec.options
        self._triggers = {
            injected: Trigger(soc, _names(options.get(key)), self._on_trigger(injected=injected))
            for injected, key in ((False, "triggers"), (True, "injected_triggers"))
        }
        # Highest ADCCLK in hertz from a supply in microvolts on; lowest at any.
        self._clock_max = sorted(_pairs(options.get("clock_max")))
        self._clock_min = _number(options.get("clock_min"))
        self._idle()

    def _idle(self) -> None:
        self._on_ps: int | None = None
        self._pc = 0  # who started what is under way
        self._stop_groups()
        self._unread = False  # a regular result that nobody has read
        self._dma_over = False  # the last transfer came, and DDS is 0

    def _stop_groups(self) -> None:
        self._now: Conversion | None = None
        self._regular_at = self._injected_at = 0  # where a discontinuous group goes on
        self._regular_left = self._injected_left = 0  # conversions until this start is served
        self._regular_waits = self._interrupted = False
        self._automatic = False  # the injected group runs by JAUTO
        self._held: int | None = (
            None  # where the regular group goes on after another's injected one
        )
        self._afterwards: Callable[[int], None] | None = None  # once the injected group is over
        self._looks = 0  # conversions that have not been looked at since something changed

    # ------------------------------------------------------------------ for the bus and the chip

    def on_reset(self, t_ps: int) -> None:
        """Powered down."""
        self._idle()
        self._triggers[False].select(t_ps, 0, 0)
        self._triggers[True].select(t_ps, 0, 0)
        self._set_clock(t_ps)
        self._settle(t_ps)

    def on_clock(self, t_ps: int) -> None:
        """Conversions go on at another pace."""
        self._do(t_ps)
        self._set_clock(t_ps)
        self._settle(t_ps)

    def common_changed(
        self,
        t_ps: int,
        divider: int,
        *,
        sensor: bool,
        vbat: bool,
        parent: ClockDomain | None = None,
    ) -> None:
        """CCR was written: the prescaler of ADCCLK, TSVREFE and VBATE.

        ``parent`` is the clock that several converters share, edge by edge.
        """
        self._parent = parent
        since = self._switches.since_ps
        self._switches = Switches((t_ps if since is None else since) if sensor else None, vbat)
        self._divider = divider
        self._set_clock(t_ps)
        self._look_anew()
        self._settle(t_ps)

    def _set_clock(self, t_ps: int) -> None:
        self.adcclk.set(self.clock.hz / self._divider, t_ps, self._parent)

    def bring_up_to(self, t_ps: int) -> None:
        """Do what is due up to a time."""
        self._do(t_ps)
        self._settle(t_ps)

    def read(self, offset: int, size: int, t_ps: int) -> int:
        """A read: the state is first brought up to now."""
        self.bring_up_to(t_ps)
        return super().read(offset, size, t_ps)

    def looked(self, offset: int, t_ps: int) -> None:
        """Reads that were left out: the last one would have brought it up to then."""
        self.bring_up_to(t_ps)
        super().looked(offset, t_ps)

    def write(self, offset: int, size: int, value: int, t_ps: int) -> None:
        """A write: the state is first brought up to now."""
        self._do(t_ps)
        super().write(offset, size, value, t_ps)
        self._look_anew()
        self._settle(t_ps)

    def peek(self, offset: int, size: int, t_ps: int) -> Peek | None:
        """What moves by itself holds until the conversion under way is over."""
        found = super().peek(offset, size, t_ps)
        now = self._now
        if found is None or now is None or not self._moves(offset):
            return found
        if self.adcclk.ticks_at(t_ps) >= now.end:
            return None  # not brought up to then
        until = max(self._rest_until(t_ps), self.adcclk.time_of(now.end))
        return Peek(found.value, min(found.stable_until_ps, until))

    def _moves(self, offset: int) -> bool:
        return offset == self.sr.spec.offset or offset >= self.jdr1.spec.offset

    def _rest_until(self, t_ps: int) -> int:
        """Until when, round after round, the flags stay as they are and nothing is injected."""
        sr = self.sr
        if not self._endless() or self.cr1.JAUTO or not (sr.EOC and sr.STRT):
            return t_ps
        return NEVER if sr.AWD or not self.cr1.AWDEN else self._calm_until(t_ps)

    # ------------------------------------------------------------------ registers

    @sr.on_write
    def _status(self, t_ps: int, _written: int, before: int) -> None:
        if self.sr.field("OVR", before) and not self.sr.OVR:
            self._unread = False

    @cr1.on_write
    def _control_1(self, t_ps: int, _written: int, _before: int) -> None:
        cr1 = self.cr1
        if cr1.RES and (cr1.AWDEN or cr1.JAWDEN):
            self._gap_in("CR1", "RES", "the analog watchdog's thresholds at less than 12 bits")
        if cr1.JAWDEN and any(self._offset(rank) for rank in range(4)):
            self._gap_in(
                "CR1", "JAWDEN", "the analog watchdog on an injected channel with an offset"
            )
        both = cr1.DISCEN and cr1.JDISCEN
        if both or (cr1.JAUTO and (cr1.DISCEN or cr1.JDISCEN)):
            self._warn(
                "adc-mode",
                "discontinuous mode is for one group only, and not together with JAUTO",
                "RM0368 §11.3.11", "clear DISCEN, JDISCEN or JAUTO",
            )  # fmt: skip

    @cr2.on_write
    def _control_2(self, t_ps: int, _written: int, before: int) -> None:
        cr2 = self.cr2
        was_on = cr2.field("ADON", before)
        if cr2.ADON and not was_on:
            self._on_ps = t_ps
        elif was_on and not cr2.ADON:
            self._on_ps = None
            self._stop_groups()
        if not cr2.DMA or not cr2.field("DMA", before):
            self._dma_over = False
        if not cr2.DMA:
            self.dma(t_ps, "adc", False)
        self._select(t_ps, injected=False, edges=cr2.EXTEN, select=cr2.EXTSEL)
        self._select(t_ps, injected=True, edges=cr2.JEXTEN, select=cr2.JEXTSEL)
        for injected, bit in ((False, "SWSTART"), (True, "JSWSTART")):
            if getattr(cr2, bit):
                cr2.set(**{bit: 0})
                if was_on:
                    self._pc = self.soc.pc
                    self._triggered(t_ps, injected=injected, latency=0)
                else:
                    self._warn(
                        "adc-off", f"{self.name}: {bit} set while ADON is 0 starts nothing",
                        "RM0368 §11.12.3", "set ADON first, and wait for tSTAB",
                    )  # fmt: skip

    def _select(self, t_ps: int, *, injected: bool, edges: int, select: int) -> None:
        trigger = self._triggers[injected]
        field = "JEXTSEL" if injected else "EXTSEL"
        if edges and not trigger.source(select):
            self._warn(
                "reserved-value", f"{self.name}_CR2.{field} = {select} is reserved",
                "RM0368 §11.12.3", "choose a trigger that this chip has",
            )  # fmt: skip
        if edges:
            self._pc = self.soc.pc
        if not trigger.select(t_ps, edges, select):
            self._gap_in("CR2", field, trigger.source(select))
        if injected and edges and self.cr1.JAUTO:
            self._warn(
                "adc-mode", "a trigger of the injected group while JAUTO is set",
                "RM0368 §11.3.9", "clear JEXTEN",
            )  # fmt: skip

    @sqr1.on_write
    @sqr2.on_write
    @sqr3.on_write
    def _sequence(self, t_ps: int, written: int, before: int) -> None:
        """The current conversion is reset, and the new group begun (§11.3.3)."""
        now = self._now
        if written != before and now is not None and not now.injected:
            self._regular_at = 0
            self._begin_regular(self.adcclk.ticks_at(t_ps) + 1)

    @jsqr.on_write
    def _injected_sequence(self, t_ps: int, written: int, before: int) -> None:
        now = self._now
        if written != before and now is not None and now.injected:
            self._injected_at = 0
            self._begin_injected(self.adcclk.ticks_at(t_ps) + 1)

    @jofr1.on_write
    @jofr2.on_write
    @jofr3.on_write
    @jofr4.on_write
    def _offsets(self, t_ps: int, written: int, _before: int) -> None:
        if written and self.cr1.RES:
            self._gap_in("JOFR1", "JOFFSET1", "injected offsets at less than 12 bits")
        self._control_1(t_ps, written, _before)

    @dr.on_read
    def _data(self, t_ps: int) -> int:
        """Reading clears EOC, and answers the DMA's request."""
        self.sr.set(EOC=0)
        self._unread = False
        self.dma(t_ps, "adc", False)
        self._settle(t_ps)
        return self.dr.value

    def on_dma(self, t_ps: int, request: str, left: int) -> None:
        """After the last transfer no more is asked for, unless DDS is set (§11.8.1)."""
        if self._transferred():
            assert self.companions is not None
            self.companions.served(t_ps, left)
        elif left == 0 and not self.cr2.DDS:
            self._dma_over = True
            self._settle(t_ps)

    # ------------------------------------------------------------------ groups

    def _regular_length(self) -> int:
        return self.sqr1.L + 1 if self.cr1.SCAN else 1

    def _regular_channel(self, rank: int) -> int:
        register = (self.sqr3, self.sqr2, self.sqr1)[rank // 6]
        return register.value >> 5 * (rank % 6) & 31

    def _injected_length(self) -> int:
        return self.jsqr.JL + 1 if self.cr1.SCAN else 1

    def _injected_channel(self, rank: int) -> int:
        # The sequence ends with JSQ4, wherever it begins (§11.12.12).
        return self.jsqr.value >> 5 * (3 - self.jsqr.JL + rank) & 31

    def _offset(self, rank: int) -> int:
        return self.states[f"JOFR{rank + 1}"].value & 0xFFF

    def _on_trigger(self, *, injected: bool) -> Callable[[int], None]:
        latency = INJECTED_LATENCY if injected else REGULAR_LATENCY

        def start(t_ps: int) -> None:
            self._do(t_ps)
            if self.cr2.ADON:
                self._triggered(t_ps, injected=injected, latency=latency)
            self._settle(t_ps)

        return start

    def _triggered(self, t_ps: int, *, injected: bool, latency: int) -> None:
        if self.companions is None:
            self.start(t_ps, injected=injected, latency=latency)
        else:
            self.companions.start(self, t_ps, injected=injected, latency=latency)

    def start(self, t_ps: int, *, injected: bool, latency: int) -> None:
        """A group is asked for; one that runs already is not started again."""
        if not self.cr2.ADON:
            return
        self._begin_group(t_ps, injected=injected, latency=latency)
        self._settle(t_ps)

    def _begin_group(self, t_ps: int, *, injected: bool, latency: int) -> None:
        tick = self.adcclk.ticks_at(t_ps) + 1 + latency
        now = self._now
        if injected:
            if now is not None and now.injected:
                return
            self._interrupted = now is not None
            if now is not None:  # the regular conversion is begun again afterwards (§11.3.9)
                self._regular_at = now.rank
            self._begin_injected(tick)
            return
        stopped = self.sr.OVR and (self.cr2.DMA or self.cr2.EOCS or self._transferred())
        if stopped or self._regular_waits or self._interrupted or self._held is not None:
            return
        if now is None:
            self._begin_regular(tick)
        elif now.injected:
            self._regular_waits = True

    def _begin_regular(self, tick: int) -> None:
        length = self._regular_length()
        if not self.cr1.DISCEN or self._regular_at >= length:
            self._regular_at = 0
        left = length - self._regular_at
        self._regular_left = min(left, self.cr1.DISCNUM + 1) if self.cr1.DISCEN else left
        self._convert(tick, self._regular_at, injected=False)
        self._look_anew()

    def _begin_injected(self, tick: int) -> None:
        length = self._injected_length()
        if not self.cr1.JDISCEN or self._injected_at >= length:
            self._injected_at = 0
        self._injected_left = 1 if self.cr1.JDISCEN else length
        self._convert(tick, self._injected_at, injected=True)
        self._look_anew()

    def _cycles(self, channel: int) -> int:
        return sampling_cycles(self.smpr1, self.smpr2, channel)

    def _convert(self, tick: int, rank: int, *, injected: bool) -> None:
        channel = self._injected_channel(rank) if injected else self._regular_channel(rank)
        sampled = tick + self._cycles(channel)
        bits = BITS[self.cr1.RES]
        self._now = Conversion(injected, rank, channel, tick, sampled, sampled + bits, bits)
        self.sr.set(**{"JSTRT" if injected else "STRT": 1})

    # ------------------------------------------------------------------ for its companions

    @property
    def unread(self) -> bool:
        """Whether there is a regular result that nobody has read."""
        return self._unread

    @property
    def injecting(self) -> bool:
        """Whether the injected group runs."""
        return self._now is not None and self._now.injected

    def take(self, t_ps: int) -> int:
        """The regular result is read through the common data register."""
        self.sr.set(EOC=0)
        self._unread = False
        self._settle(t_ps)
        return self.dr.value

    def look_anew(self, t_ps: int) -> None:
        """What it does together with others changed."""
        self._look_anew()
        self._settle(t_ps)

    def follow(self, t_ps: int, master: Adc) -> None:
        """A master is about to start it: be up to now, and blame who started that."""
        self._do(t_ps)
        self._pc = master._pc

    def first_sampling(self) -> int:
        """Cycles for which its first regular channel is sampled."""
        return self._cycles(self._regular_channel(0))

    def plan(self, *, injected: bool) -> list[tuple[int, int]]:
        """The conversions of a group: channel, and cycles of each."""
        bits = BITS[self.cr1.RES]
        if injected:
            channels = [self._injected_channel(r) for r in range(self._injected_length())]
        else:
            channels = [self._regular_channel(r) for r in range(self._regular_length())]
        return [(channel, self._cycles(channel) + bits) for channel in channels]

    def hold(self) -> bool:
        """Another's injected group stops the regular one, which is begun again by ``resume``."""
        now = self._now
        if now is None or now.injected:
            return False
        self._held, self._now = now.rank, None
        return True

    def resume(self, t_ps: int) -> None:
        """The regular conversion that was held is begun again."""
        rank, self._held = self._held, None
        if rank is not None and self.cr2.ADON:
            self._convert(self.adcclk.ticks_at(t_ps), rank, injected=False)
            self._look_anew()
            self._settle(t_ps)

    def afterwards(self, call: Callable[[int], None] | None) -> None:
        """What is to be done once the injected group is over."""
        self._afterwards = call

    # ------------------------------------------------------------------ conversions

    def _do(self, t_ps: int) -> None:
        """Everything up to a time, as far as it is not skipped."""
        tick = self.adcclk.ticks_at(t_ps)
        while (now := self._now) is not None:
            if now.value is None:
                self._skip(now, tick, t_ps)
                if now.sample > tick:
                    return
                self._hold(now)
            if now.end > tick:
                return
            self._looks = max(0, self._looks - 1)
            self._finish(now)

    def _hold(self, now: Conversion) -> None:
        t_ps = self.adcclk.time_of(now.sample)
        self._check(now, t_ps)
        uv = self.inputs.sample(now.channel, t_ps, self._switches)
        now.value = quantised(uv, self.soc.board.supply_uv, now.bits)

    def _finish(self, now: Conversion) -> None:
        assert now.value is not None
        self._now = None
        if now.injected:
            self._finish_injected(now, now.value)
        else:
            self._finish_regular(now, now.value)

    def _finish_regular(self, now: Conversion, value: int) -> None:
        t_ps = self.adcclk.time_of(now.end)
        cr2 = self.cr2
        if self._overruns() and self._unread:
            self.sr.set(OVR=1)
            self._regular_at = 0
            if self.companions is not None:
                self.companions.overran(t_ps)
            self._tell(t_ps, Flaw(
                "adc-overrun",
                f"{self.name}: a result was not read before the next one: the regular group stops",
                "RM0368 §11.8.2", "read DR in time, or clear OVR and start again",
            ))  # fmt: skip
            return
        self.dr.value = aligned(value, now.bits, left=bool(cr2.ALIGN), injected=False)
        self._unread = True
        self._guard(now, value)
        last = now.rank + 1 >= self._regular_length()
        if cr2.EOCS or last:
            self.sr.set(EOC=1)
        elif self.cr1.DISCEN and self._regular_left == 1:
            detail = "EOC at the end of a part of the group, EOCS = 0"
            address = self.spec.base + self.cr1.spec.offset
            gap = Gap(t_ps, self.name, "CR1.DISCEN", "write", address, self._pc, detail)
            self.soc.recorder.add_once(gap, ("gap", self.name, detail))
        self._regular_left -= 1
        self._regular_at = 0 if last else now.rank + 1
        if self._regular_left > 0 and not last:
            self._convert(now.end, now.rank + 1, injected=False)
        elif last and self.cr1.JAUTO:
            self._automatic = True
            self._begin_next_injected(now.end)
        elif cr2.CONT and not self.cr1.DISCEN:
            self._next_round(now.end)
        if self._transferred():
            assert self.companions is not None
            self.companions.converted(t_ps)
        elif cr2.DMA and not self._dma_over:
            self.dma(t_ps, "adc", True)

    def _begin_next_injected(self, tick: int) -> None:
        looks = self._looks
        self._injected_at = 0
        self._begin_injected(tick)
        self._looks = looks

    def _next_round(self, tick: int) -> None:
        looks = self._looks
        self._begin_regular(tick)
        self._looks = looks

    def _finish_injected(self, now: Conversion, value: int) -> None:
        raw, cr1 = value, self.cr1
        value -= self._offset(now.rank)
        data = aligned(value, now.bits, left=bool(self.cr2.ALIGN), injected=True)
        self.states[f"JDR{now.rank + 1}"].value = data
        self._guard(now, raw)
        last = now.rank + 1 >= self._injected_length()
        self._injected_left -= 1
        self._injected_at = 0 if last else now.rank + 1
        if last:
            self.sr.set(JEOC=1)
        if self._injected_left > 0 and not last:
            self._convert(now.end, now.rank + 1, injected=True)
            return
        if self._afterwards is not None:
            resume, self._afterwards = self._afterwards, None
            resume(self.adcclk.time_of(now.end))
        interrupted, waits, automatic = self._interrupted, self._regular_waits, self._automatic
        self._interrupted = self._regular_waits = self._automatic = False
        if interrupted:
            at = self._regular_at if self._regular_at < self._regular_length() else 0
            self._convert(now.end, at, injected=False)
        elif waits:
            self._begin_regular(now.end)
        elif automatic and self.cr2.CONT and not cr1.DISCEN:
            self._next_round(now.end)

    def _guard(self, now: Conversion, value: int) -> None:
        """The analog watchdog: outside its thresholds it barks (§11.3.6)."""
        if self._guarded(now.channel, injected=now.injected) and not (
            self.ltr.LT <= value <= self.htr.HT
        ):
            self.sr.set(AWD=1)

    def _guarded(self, channel: int, *, injected: bool) -> bool:
        cr1 = self.cr1
        if not (cr1.JAWDEN if injected else cr1.AWDEN):
            return False
        return not cr1.AWDSGL or channel == cr1.AWDCH

    def _overruns(self) -> bool:
        by_dma = self._transferred() or (self.cr2.DMA and not self._dma_over)
        return bool(self.cr2.EOCS or by_dma)

    def _transferred(self) -> bool:
        """Whether the DMA of several converters takes the regular data."""
        return self.companions is not None and self.companions.transfers(self)

    # ------------------------------------------------------------------ what may be skipped

    def _round(self) -> list[tuple[int, bool]]:
        """The channels of one round, each with whether it is injected."""
        made = [(self._regular_channel(r), False) for r in range(self._regular_length())]
        now = self._now
        if self.cr1.JAUTO or (now is not None and now.injected) or self._interrupted:
            made += [(self._injected_channel(r), True) for r in range(self._injected_length())]
        return made

    def _look_anew(self) -> None:
        """Something changed: the next round is really done, and told of."""
        self._looks = len(self._round()) + 1

    def _endless(self) -> bool:
        """Whether round follows round, and no result that nobody reads stops that."""
        cr2 = self.cr2
        discontinuous = self.cr1.DISCEN or self.cr1.JDISCEN
        return bool(cr2.CONT and not discontinuous and not self._overruns())

    def _skip(self, now: Conversion, tick: int, t_ps: int) -> None:
        """Be at the last whole round before ``tick``, where those before leave no mark."""
        if now.injected or now.rank or self._looks or not self._endless():
            return
        length = sum(self._cycles(channel) + now.bits for channel, _ in self._round())
        rounds = (tick - now.start) // length - 1
        if rounds <= 0:
            return
        if not self.sr.AWD:
            # Those that surely see nothing; the conversion before the last may be under way.
            calm_ps = self._calm_until(self.adcclk.time_of(now.start))
            if calm_ps < t_ps:
                rounds = min(rounds, (self.adcclk.ticks_at(calm_ps) - now.start) // length - 1)
        if rounds > 0:
            now.shift(rounds * length)

    def _calm_until(self, t_ps: int) -> int:
        """Until when the analog watchdog surely sees nothing, if nobody does anything.

        ``t_ps`` itself while the last change has not been looked at.
        """
        if self._looks:
            return t_ps
        low, high = self.ltr.LT, self.htr.HT
        return min(
            (
                self.inputs.between_until(channel, t_ps, low, high)
                for channel, injected in self._round()
                if self._guarded(channel, injected=injected)
            ),
            default=NEVER,
        )

    def _next_event(self, t_ps: int) -> int:
        """When somebody would notice what happens by itself."""
        now = self._now
        if now is None:
            return NEVER
        cr1, cr2, sr = self.cr1, self.cr2, self.sr
        end = self.adcclk.time_of(now.end)
        regular = not now.injected or self._interrupted or self._regular_waits
        if (
            self._looks > 0
            or self._afterwards is not None
            or self._transferred()
            or (cr2.DMA and not self._dma_over)
            or (cr1.EOCIE and not sr.EOC and (regular or self._automatic))
            or (cr1.OVRIE and not sr.OVR and self._overruns())
            or (cr1.JEOCIE and not sr.JEOC and (now.injected or cr1.JAUTO))
        ):
            return end
        if cr1.AWDIE and not sr.AWD and (cr1.AWDEN or cr1.JAWDEN):
            return max(end, self._calm_until(t_ps)) if self._endless() else end
        return NEVER

    def _settle(self, t_ps: int) -> None:
        """The state is new: interrupts, whom to hear, and when to be called again."""
        sr, cr1 = self.sr, self.cr1
        level = bool(
            (sr.EOC and cr1.EOCIE)
            or (sr.JEOC and cr1.JEOCIE)
            or (sr.AWD and cr1.AWDIE)
            or (sr.OVR and cr1.OVRIE)
        )
        if level != self._irq:
            self._irq = level
            self.irq(t_ps, "global", level)
        self._watch()
        at = self._next_event(t_ps)
        alarm = self._alarm
        if alarm is not None:
            if alarm.pending and alarm.t_ps == at:
                return
            alarm.cancel()
            self._alarm = None
        if at < NEVER:
            self._alarm = self.soc.scheduler.at(at, self._on_alarm)

    def _on_alarm(self, t_ps: int) -> None:
        self._alarm = None
        self.bring_up_to(t_ps)

    def _watch(self) -> None:
        """Hear of the pads that are being converted, before they change."""
        wanted: dict[int, Pad] = {}
        if self._now is not None:
            for channel, _ in (*self._round(), (self._now.channel, False)):
                pad = self.inputs.pad(channel)
                if pad is not None:
                    wanted[channel] = pad
        for channel in [one for one in self._watched if one not in wanted]:
            self._watched.pop(channel)()
        for channel, pad in wanted.items():
            if channel not in self._watched:
                self._watched[channel] = pad.watch(self._before_change)

    def _before_change(self, t_ps: int) -> None:
        self._do(t_ps)
        self._look_anew()
        self._settle(t_ps)

    # ------------------------------------------------------------------ what silicon would not do

    def _check(self, now: Conversion, t_ps: int) -> None:
        hz = self.adcclk.hz
        if not hz:
            return
        supply = self.soc.board.supply_uv
        most = max((limit for least, limit in self._clock_max if supply >= least), default=0)
        shown = show_frequency(int(hz * MHZ_PER_HZ))
        if most and hz > most:
            self._tell(t_ps, Flaw(
                "adc-clock",
                f"ADCCLK is {shown}: at most {show_frequency(most * MHZ_PER_HZ)} at this supply",
                "DS10086, ADC characteristics", "raise ADCPRE in ADC_CCR",
            ))  # fmt: skip
        if hz < self._clock_min:
            least = show_frequency(self._clock_min * MHZ_PER_HZ)
            self._tell(t_ps, Flaw(
                "adc-clock-slow", f"ADCCLK is {shown}: at least {least}",
                "DS10086, ADC characteristics", "lower ADCPRE in ADC_CCR",
            ))  # fmt: skip
        started = self.adcclk.time_of(now.start)
        if self._on_ps is not None and started < self._on_ps + STABLE_PS:
            self._tell(t_ps, Flaw(
                "adc-stabilising",
                f"{self.name} converts {show_duration(started - self._on_ps, 4)} after ADON was "
                f"set: it takes {show_duration(STABLE_PS)} to be accurate",
                "RM0368 §11.3.5", "wait after setting ADON",
            ))  # fmt: skip
        cycles = self._cycles(now.channel)
        for flaw in self.inputs.flaws(
            now.channel, t_ps, self._switches, cycles, float(hz), now.bits
        ):
            self._tell(t_ps, flaw, now.channel)

    def _tell(self, t_ps: int, flaw: Flaw, channel: int | None = None) -> None:
        """A hazard at the moment it happens, where the group was started, whenever it is found."""
        hazard = Hazard.of(
            flaw.code, flaw.message, t_ps, self._pc, section=flaw.section, cure=flaw.cure
        )
        self.soc.recorder.add_once(hazard, (self.name, flaw.code, channel, self._pc))

    def _warn(self, code: str, message: str, section: str, cure: str) -> None:
        self.soc.hazard(code, message, section=section, cure=cure)

    def _gap_in(self, register: str, field: str, detail: str) -> None:
        offset = self.MAP.registers[register].offset
        self.soc.gap(self.name, f"{register}.{field}", "write", self.spec.base + offset, detail)


def _names(value: object) -> tuple[str, ...]:
    return tuple(map(str, value)) if isinstance(value, list) else ()


def _number(value: object) -> int:
    return value if isinstance(value, int) else 0


def _pairs(value: object) -> list[tuple[int, int]]:
    return [(int(a), int(b)) for a, b in value] if isinstance(value, list) else []
