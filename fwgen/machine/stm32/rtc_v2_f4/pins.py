"""What the RTC takes in on RTC_AF1: timestamps and tamper detection. RM0368 §17.3.12, §17.3.13."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from fwgen.machine.pads import Pad
    from fwgen.machine.stm32.rtc_v2_f4.clock import Rtc

SLOWEST = 32768  # ticks between samples with TAMPFREQ 0; each step halves it (§17.6.17)


class Pins:
    """Watches the pad while TSE or TAMP1E is set.

    Edges are seen at once, whatever the clocks do. With a filter the level is sampled: nothing is
    scheduled while it is inactive.
    """

    def __init__(self, rtc: Rtc) -> None:
        self._rtc, self._soc = rtc, rtc.soc
        self._pad: Pad | None = None
        for pin in rtc.soc.chip.pins.values():
            if "RTC_TAMP1" in pin.additional:
                self._pad = rtc.soc.fabric.pads[pin.name]
        self._stop: Callable[[], None] | None = None
        self._level: int | None = None
        self._samples = 0

    def configure(self, t_ps: int, *, enabled: bool) -> None:
        """TSE or RTC_TAFCR changed; ``enabled``: TAMP1E was set just now."""
        rtc = self._rtc
        wanted = bool(rtc.tafcr.TAMP1E or rtc.cr.TSE)
        if wanted and self._stop is None and self._pad is not None:
            self._level = self._pad.level
            self._stop = self._pad.listen(lambda t, level: self._changed(t, level))
        elif not wanted and self._stop is not None:
            self._stop()
            self._stop = None
        if not rtc.tafcr.TAMP1E or not rtc.tafcr.TAMPFLT:
            self._rest()
        if enabled and self._pad is not None:
            self._enabled(t_ps)

    def look_again(self, t_ps: int) -> None:
        """TAMP1F was cleared: a level that is still active is detected anew by the filter."""
        if self._rtc.tafcr.TAMP1E and self._rtc.tafcr.TAMPFLT:
            self._sample_soon()

    def _enabled(self, t_ps: int) -> None:
        """An active level is a tamper event even without an edge (§17.3.13)."""
        tafcr = self._rtc.tafcr
        if self._pad is not None and self._pad.level is None and not self._pulled:
            self._soc.hazard(
                "floating-input",
                f"tamper detection watches {self._pad.name}, which nothing drives or pulls",
                section="RM0368 §17.3.13",
                cure="tie the pin to the level that is not detected",
            )
        if tafcr.TAMPFLT:
            self._sample_soon()
        elif self._now() == (0 if tafcr.TAMP1TRG else 1):
            self._rtc.tampered(t_ps)

    @property
    def _pulled(self) -> bool:
        """The filter charges the pin through the pull-up before each sample."""
        return bool(self._rtc.tafcr.TAMPFLT and not self._rtc.tafcr.TAMPPUDIS)

    def _now(self) -> int:
        level = self._pad.level if self._pad is not None else None
        if level is None:
            return 1 if self._pulled else self._soc.chance
        return level

    def _changed(self, t_ps: int, level: int | None) -> None:
        before, self._level = self._level, level
        if level is None or level == before:
            return
        cr, tafcr = self._rtc.cr, self._rtc.tafcr
        if tafcr.TAMP1E and tafcr.TAMPFLT:
            self._sample_soon()
        elif tafcr.TAMP1E and level == (0 if tafcr.TAMP1TRG else 1):
            self._rtc.tampered(t_ps)
        if cr.TSE and level == (0 if cr.TSEDGE else 1):
            self._rtc.stamp(t_ps)

    # ------------------------------------------------------------------ the filter

    @property
    def _active(self) -> bool:
        return self._now() == self._rtc.tafcr.TAMP1TRG

    def _sample_soon(self) -> None:
        rtc = self._rtc
        if "TAMPER" not in rtc.waits and self._active and not rtc.isr.TAMP1F:
            self._samples = 0
            self._await_sample()

    def _await_sample(self) -> None:
        rtc = self._rtc
        period = SLOWEST >> rtc.tafcr.TAMPFREQ
        tick = rtc.tick // period * period + period
        rtc.waits.at("TAMPER", tick, self._sample)

    def _sample(self, t_ps: int) -> None:
        rtc = self._rtc
        if not self._active or rtc.isr.TAMP1F:
            return
        self._samples += 1
        if self._samples >> rtc.tafcr.TAMPFLT:  # 2, 4 or 8 in a row
            rtc.tampered(t_ps)
        else:
            self._await_sample()

    def _rest(self) -> None:
        self._rtc.waits.cancel("TAMPER")
        self._samples = 0
