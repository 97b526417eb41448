"""Two or three converters that work together: dual and triple mode. RM0090 §13.9."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from fwgen.machine.soc import Soc
    from fwgen.machine.stm32.adc_v2.adc import Adc

SIMULTANEOUS, INTERLEAVED, ALTERNATE = "simultaneous", "interleaved", "alternate"
SHORTEST_DELAY = 5  # cycles of ADCCLK for DELAY = 0 (§13.13.16)

# MULTI[3:0]: what the regular and the injected groups do together; bit 4 adds the third converter.
MODES = {
    0b0001: (SIMULTANEOUS, SIMULTANEOUS),
    0b0010: (SIMULTANEOUS, ALTERNATE),
    0b0101: (None, SIMULTANEOUS),
    0b0110: (SIMULTANEOUS, None),
    0b0111: (INTERLEAVED, None),
    0b1001: (None, ALTERNATE),
}


class Mode(NamedTuple):
    """What CCR.MULTI selects: how many converters, and what their groups do together."""

    converters: int = 1
    regular: str | None = None
    injected: str | None = None


def mode_of(multi: int) -> Mode | None:
    """None for a value that is reserved."""
    if not multi:
        return Mode()
    found = MODES.get(multi & 0xF)
    return None if found is None else Mode(3 if multi & 16 else 2, *found)


class Settings(NamedTuple):
    """CCR, as far as it is about working together."""

    mode: Mode = Mode()
    delay: int = 0
    dma: int = 0
    dds: bool = False


class Companions(Protocol):
    """What a converter needs of those that it works together with."""

    def start(self, adc: Adc, t_ps: int, *, injected: bool, latency: int) -> None:
        """A converter was triggered."""

    def transfers(self, adc: Adc) -> bool:
        """Whether the common DMA takes its regular data."""

    def converted(self, t_ps: int) -> None:
        """A regular conversion is over."""

    def overran(self, t_ps: int) -> None:
        """One of them lost a result."""

    def served(self, t_ps: int, left: int) -> None:
        """The DMA took an item."""


class Group:
    """The converters of a chip, ADC1 first: it is the master of the others."""

    def __init__(self, soc: Soc, adcs: Sequence[Adc]) -> None:
        self._soc, self.adcs = soc, adcs
        self._settings = Settings()
        self._turn = 0  # whose injected group the next alternate trigger starts
        self._item = 0  # of the DMA's order
        self._ended = False  # no more requests: after an overrun, or the last transfer

    @property
    def together(self) -> Sequence[Adc]:
        """Those that MULTI joins."""
        return self.adcs[: self._settings.mode.converters]

    def configure(self, t_ps: int, settings: Settings) -> None:
        """CCR was written."""
        before, self._settings = self._settings, settings
        if settings.mode != before.mode:
            self._turn = 0
            if before.mode.converters > 1 and settings.mode.converters > 1:
                self._warn("MULTI goes from one mode to another without 0 between them")
        if settings.mode != before.mode or settings.dma != before.dma:
            self._item, self._ended = 0, False
            self.adcs[0].dma(t_ps, "adc", False)
        for adc in self.adcs:
            adc.look_anew(t_ps)

    # ------------------------------------------------------------------ triggers

    def start(self, adc: Adc, t_ps: int, *, injected: bool, latency: int) -> None:
        """A converter was triggered: the master starts the others by its mode."""
        mode = self._settings.mode
        how = mode.injected if injected else mode.regular
        together = self.together
        if how is None or adc not in together:
            adc.start(t_ps, injected=injected, latency=latency)
            return
        if adc is not together[0]:
            self._warn(f"{adc.name} is triggered by itself, though {together[0].name} starts it")
            adc.start(t_ps, injected=injected, latency=latency)
            return
        for other in together[1:]:
            other.follow(t_ps, adc)
        if how == ALTERNATE:
            self._alternate(t_ps, latency)
            return
        self._check(together, injected=injected, how=how)
        for nth, one in enumerate(together):
            late = latency + nth * self._delay() if how == INTERLEAVED else latency
            one.start(t_ps, injected=injected, latency=late)

    def _alternate(self, t_ps: int, latency: int) -> None:
        """Each trigger starts the injected group of the next one (§13.9.4)."""
        together = self.together
        chosen = together[self._turn]
        self._turn = (self._turn + 1) % len(together)
        if self._settings.mode.regular is not None:
            # The regular conversions of all stop, and go on together afterwards (§13.9.6).
            if any(one.injecting for one in together):
                return
            held = [one for one in together if one is not chosen and one.hold()]

            def resume(at_ps: int) -> None:
                for one in held:
                    one.resume(at_ps)

            chosen.afterwards(resume if held else None)
        chosen.start(t_ps, injected=True, latency=latency)

    def _delay(self) -> int:
        """Cycles between two starts: two never sample at once (§13.9.3)."""
        delay = self._settings.delay + SHORTEST_DELAY
        sampling = max(one.first_sampling() for one in self.together)
        return delay if sampling < delay else sampling + 2

    def _check(self, together: Sequence[Adc], *, injected: bool, how: str) -> None:
        first = together[0]
        for other in together[1:]:
            if not other.cr2.ADON:
                self._warn(f"{first.name} starts {other.name}, which is off")
        rounds = [one.plan(injected=injected) for one in together]
        if how == SIMULTANEOUS:
            if len({tuple(cycles for _, cycles in one) for one in rounds}) > 1:
                self._warn("the converters' sequences differ in length: they do not stay together")
            pairs = zip(*rounds, strict=False)
            if any(len({channel for channel, _ in step}) < len(step) for step in pairs):
                self._warn("two converters sample one channel at the same time")
        elif first.cr2.CONT:
            shortest = min(cycles for one in rounds for _, cycles in one)
            if self._delay() * len(together) > shortest:
                detail = "interleaved without end, with a delay that outlasts a conversion"
                self._soc.gap(first.name, "CCR.DELAY", "write", first.spec.base, detail)
        if not injected and len({one.cr2.CONT for one in together}) > 1:
            self._warn("CONT is not the same in all converters")

    # ------------------------------------------------------------------ DMA

    def transfers(self, adc: Adc) -> bool:
        """Whether the common DMA takes a converter's regular data."""
        mode = self._settings.mode
        taken = mode.regular is not None and bool(self._settings.dma) and not self._ended
        return taken and adc in self.together

    def _order(self) -> list[tuple[int, ...]]:
        """Whose data each request brings, the lower half first (§13.9, DMA modes 1 to 3)."""
        count = self._settings.mode.converters
        if self._settings.dma == 1:
            return [(one,) for one in range(count)]
        return [(0, 1)] if count == 2 else [(0, 1), (2, 0), (1, 2)]

    def converted(self, t_ps: int) -> None:
        """A regular conversion is over: a request, once all that it brings is there."""
        ready = not self._ended and self._settings.dma and self._settings.mode.regular
        if ready and all(self.adcs[one].unread for one in self._order()[self._item]):
            self.adcs[0].dma(t_ps, "adc", True)

    def overran(self, t_ps: int) -> None:
        """No more requests, so that what is in memory is whole (§13.9)."""
        if self._settings.dma:
            self._ended = True
            self.adcs[0].dma(t_ps, "adc", False)

    def served(self, t_ps: int, left: int) -> None:
        """After the last transfer no more is asked for, unless CCR.DDS is set."""
        if left == 0 and not self._settings.dds:
            self._ended = True

    def data(self, t_ps: int, gap: Callable[[str], None]) -> int:
        """A read of CDR: the data of the item that is next, which are then read."""
        mode, dma = self._settings.mode, self._settings.dma
        if mode.regular is None:
            gap("common data without a mode that makes them")
            return 0
        if not dma:
            if any(one.sr.EOC for one in self.together):
                gap("whether reading the common data without DMA clears EOC")
            low, high = (one.dr.value for one in self.adcs[:2])
            return high << 16 | low
        order = self._order()
        halves = [self.adcs[one].take(t_ps) for one in order[self._item % len(order)]]
        self._item = (self._item + 1) % len(order)
        self.adcs[0].dma(t_ps, "adc", False)
        self.converted(t_ps)
        width = 8 if dma == 3 else 16
        return sum((half & (1 << width) - 1) << width * nth for nth, half in enumerate(halves))

    def _warn(self, message: str) -> None:
        self._soc.hazard("adc-multi", message)
