"""What can be seen: one class of event for each kind of evidence."""

from __future__ import annotations

from dataclasses import field
from math import pi, sin
from typing import TYPE_CHECKING, ClassVar

from fwgen.hazards import find_hazard
from fwgen.picture import unpack
from fwgen.trace.making import dataclass

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from fractions import Fraction

    from fwgen.picture import Picture


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened at ``t_ps``."""

    KIND: ClassVar[str] = ""
    t_ps: int


@dataclass(frozen=True, slots=True)
class Edge(Event):
    """A pin took a level: 0, 1, or None when nothing drives or pulls it.

    ``blur_ps``: it did so at ``t_ps`` give or take this; 0 where the bench knows the moment.
    """

    KIND: ClassVar[str] = "edge"
    pin: str
    level: int | None
    blur_ps: int = 0


@dataclass(frozen=True, slots=True)
class Wave(Event):
    """From ``t_ps`` a pin repeats: ``first_ps`` at ``level``, then ``second_ps`` at the other.

    Starts with ``level`` at ``t_ps`` and lasts until the next Edge or Wave of the same pin.
    Durations are exact rationals, written "n/d", as timers make them from their clock.
    """

    KIND: ClassVar[str] = "wave"
    pin: str
    level: int
    first_ps: Fraction
    second_ps: Fraction


@dataclass(frozen=True, slots=True)
class Burst(Event):
    """From ``t_ps`` a pin is at ``level`` and goes the other way at each of ``after_ps``.

    These count from ``t_ps``, in ascending order; then the pin rests. It ends early at the next
    Edge, Wave or Burst of the same pin. What a bus does within a byte, in one event.
    """

    KIND: ClassVar[str] = "burst"
    pin: str
    level: int
    after_ps: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class SpiFrame(Event):
    """One frame on an SPI or I2S bus; ``t_ps`` is its end, ``start_ps`` its beginning.

    ``sent`` and ``heard`` are what the chip's own port shifted out and in, as DR holds them; None
    where it drives no line, or listens to none. ``role`` is "master" or "slave"; ``bits`` how many.
    """

    KIND: ClassVar[str] = "spi"
    port: str
    role: str
    sent: int | None
    heard: int | None
    bits: int
    start_ps: int


@dataclass(frozen=True, slots=True)
class I2cTransfer(Event):
    """What one START began, up to the STOP or the repeated START that ends it at ``t_ps``.

    ``role`` is the chip's own ("master", "slave"), ``direction`` the master's ("write", "read"),
    ``data`` the bytes as hexadecimal digits, ``address`` without the R/W bit (10 bits where
    ``ten_bit``). ``answered``: the address was acknowledged; ``acked``: how many of the bytes were.
    ``end`` is "stop", "restart", "lost" (arbitration) or "cut" (the port was switched off).
    """

    KIND: ClassVar[str] = "i2c"
    port: str
    role: str
    address: int
    direction: str
    data: str
    answered: bool
    acked: int
    start_ps: int
    end: str
    ten_bit: bool = False


@dataclass(frozen=True, slots=True)
class Voltage(Event):
    """From ``t_ps`` something holds a pin at a voltage, until the next Voltage of that pin.

    ``by`` names the chip's own peripheral that does (a DAC); "" is something outside.

    It goes straight from ``uv`` to ``to_uv`` within ``over_ps`` and stays there; a sine of
    ``amplitude_uv`` and ``period_ps`` (0: none) and a noise of up to ``noise_uv`` either way ride
    on it. Microvolts. ``uv`` None: nothing holds the pin any more. ``ohm`` is the source's
    resistance.
    """

    KIND: ClassVar[str] = "voltage"
    pin: str
    uv: int | None
    to_uv: int = 0
    over_ps: int = 0
    amplitude_uv: int = 0
    period_ps: int = 0
    noise_uv: int = 0
    seed: int = 0  # another one, another noise
    ohm: int = 0
    noise_ps: int = 0  # the noise takes a new value so often; 0: every NOISE_PS
    by: str = ""

    def at(self, t_ps: int) -> int:
        """The voltage at a time from ``t_ps`` on, rounded to a microvolt. ``uv`` is not None."""
        value = self.base(t_ps)
        if self.noise_uv:
            # The same at the same time: a run can be repeated, and asked in any order.
            piece = t_ps // (self.noise_ps or NOISE_PS)
            drawn = _mixed(piece, f"{self.pin} {self.seed}") % (2 * self.noise_uv + 1)
            value += drawn - self.noise_uv
        return value

    def base(self, t_ps: int) -> int:
        """The voltage without its noise."""
        assert self.uv is not None
        into = t_ps - self.t_ps
        value = self.to_uv
        if into < self.over_ps:
            value = self.uv + (self.to_uv - self.uv) * into // self.over_ps
        if self.period_ps:
            value += round(
                self.amplitude_uv * sin(2 * pi * (into % self.period_ps) / self.period_ps)
            )
        return value

    def steady_until(self, t_ps: int, never: int) -> int:
        """Until when it stays as it is at ``t_ps``; ``t_ps`` itself while it moves."""
        if self.uv is None:
            return never
        moves = self.period_ps or self.noise_uv or t_ps < self.t_ps + self.over_ps
        return t_ps if moves else never

    def turns(self, t_ps: int, of: Callable[[int], object], never: int) -> int:
        """When ``of(time)`` is first another than at ``t_ps``; ``never`` when that does not come.

        ``of`` must follow from the voltage so that it changes one way while that goes one way.
        """
        now, end = of(t_ps), self.t_ps + self.over_ps
        stops = [end] if t_ps < end else []
        if self.period_ps:
            # Between its extremes a sine goes one way only.
            quarters = 4 * (max(t_ps, end) - self.t_ps) // self.period_ps
            ahead = range(quarters + 1, quarters + 7)
            stops += [self.t_ps - (-n * self.period_ps // 4) for n in ahead]
        begin = t_ps
        for stop in stops:
            if of(stop) != now:
                while stop - begin > 1:
                    middle = (begin + stop) // 2
                    if of(middle) == now:
                        begin = middle
                    else:
                        stop = middle
                return stop
            begin = stop
        return never

    def bounds(self, start_ps: int, stop_ps: int) -> tuple[int, int]:
        """The lowest and the highest voltage within [start, stop], or a little beyond them."""
        ends = [self._line(start_ps), self._line(stop_ps)]
        swing = self.noise_uv + (self.amplitude_uv if self.period_ps else 0)
        if self.period_ps and stop_ps - start_ps < self.period_ps // 8:
            # A sine moves at most so far in so short a time.
            reach = 7 * self.amplitude_uv * (stop_ps - start_ps) // self.period_ps + 1
            ends = [self.base(start_ps)]
            swing = self.noise_uv + reach + abs(self._line(stop_ps) - self._line(start_ps))
        return min(ends) - swing, max(ends) + swing

    def _line(self, t_ps: int) -> int:
        assert self.uv is not None
        into = t_ps - self.t_ps
        if into >= self.over_ps:
            return self.to_uv
        return self.uv + (self.to_uv - self.uv) * into // self.over_ps


NOISE_PS = 100_000
"""Noise takes a new value so often: faster than an ADC samples."""


def _mixed(number: int, salt: str) -> int:
    """A number that looks like chance, and is the same for the same arguments."""
    mixed = number * 0x9E37_79B9_7F4A_7C15
    for letter in salt:
        mixed = (mixed ^ ord(letter)) * 0x100_0000_01B3 & 0xFFFF_FFFF_FFFF_FFFF
    # SplitMix64's finaliser: Steele, Lea and Flood, OOPSLA 2014.
    mixed = (mixed ^ mixed >> 30) * 0xBF58_476D_1CE4_E5B9 & 0xFFFF_FFFF_FFFF_FFFF
    mixed = (mixed ^ mixed >> 27) * 0x94D0_49BB_1331_11EB & 0xFFFF_FFFF_FFFF_FFFF
    return mixed ^ mixed >> 31


@dataclass(frozen=True, slots=True)
class SerialByte(Event):
    """One frame on a port; ``t_ps`` is the end of its stop bit, ``start_ps`` its start edge.

    ``direction`` is seen from the chip ("tx", "rx"); ``baud_mhz`` the rate on the wire in
    millibaud; ``error`` is "", "framing", "parity", "noise", "overrun" or "break".
    """

    KIND: ClassVar[str] = "serial"
    port: str
    direction: str
    byte: int
    baud_mhz: int
    start_ps: int
    error: str = ""


@dataclass(frozen=True, slots=True)
class Shown(Event):
    """From ``t_ps`` a part shows a value of ``what``, until its next one.

    A number is in the unit of what is shown (an angle: thousandths of a degree; a share: parts per
    million); None where nothing can be told (a servo without pulses).
    """

    KIND: ClassVar[str] = "shown"
    part: str
    what: str
    value: int | str | None


@dataclass(frozen=True, slots=True)
class Pictured(Event):
    """From ``t_ps`` a part shows a picture, until its next one.

    ``bits`` are its pixels in base64: rows from the top, each in whole bytes, the leftmost pixel
    in the most significant bit, 1 lit (``fwgen.picture``).
    """

    KIND: ClassVar[str] = "picture"
    part: str
    width: int
    height: int
    bits: str

    @classmethod
    def of(cls, t_ps: int, part: str, picture: Picture) -> Pictured:
        """The event that a part begins to show a picture."""
        return cls(t_ps, part, picture.width, picture.height, picture.packed())

    @property
    def picture(self) -> Picture:
        """The picture. Raises ValueError where the bits are none of its size."""
        return unpack(self.width, self.height, self.bits)


@dataclass(frozen=True, slots=True)
class Sleep(Event):
    """The core stopped executing: ``mode`` "sleep", "stop" or "standby"."""

    KIND: ClassVar[str] = "sleep"
    mode: str


@dataclass(frozen=True, slots=True)
class Wake(Event):
    """The core runs again; ``cause`` names the interrupt or event."""

    KIND: ClassVar[str] = "wake"
    cause: str


@dataclass(frozen=True, slots=True)
class Reset(Event):
    """The chip was reset; ``cause`` as RCC_CSR names it ("SFTRSTF", "IWDGRSTF" ...)."""

    KIND: ClassVar[str] = "reset"
    cause: str


@dataclass(frozen=True, slots=True)
class Clock(Event):
    """The core clock (HCLK) changed to ``hclk_mhz`` millihertz, from ``source``."""

    KIND: ClassVar[str] = "clock"
    hclk_mhz: int
    source: str


@dataclass(frozen=True, slots=True)
class Stimulated(Event):
    """The bench did something to the board: ``what`` in plain words."""

    KIND: ClassVar[str] = "stimulus"
    subject: str
    what: str


@dataclass(frozen=True, slots=True)
class NotDone(Event):
    """The bench left out what was asked of it at ``t_ps``: ``what`` in plain words, and ``why``."""

    KIND: ClassVar[str] = "not-done"
    subject: str
    what: str
    why: str


@dataclass(frozen=True, slots=True)
class ByHand(Event):
    """A person pressed at ``t_ps`` what was to be pressed at ``asked_ps``, and was seen to.

    They let go at ``until_ps`` (None: not before the end), which was to be at ``asked_until_ps``
    (None: never). The contact chattered for ``bounce_ps`` at most.
    """

    KIND: ClassVar[str] = "by-hand"
    subject: str
    asked_ps: int
    until_ps: int | None
    asked_until_ps: int | None
    bounce_ps: int = 0


@dataclass(frozen=True, slots=True)
class Looked(Event):
    """From ``start_ps`` to ``t_ps`` the core was looked at ``times``, and slept at ``asleep``."""

    KIND: ClassVar[str] = "looked"
    start_ps: int
    times: int
    asleep: int


@dataclass(frozen=True, slots=True)
class Fault(Event):
    """The CPU faulted, or locked up. ``report`` reads like a debugger's."""

    KIND: ClassVar[str] = "fault"
    exception: str  # "HardFault", "UsageFault", "Lockup" ...
    reason: str  # what and where, one sentence
    pc: int
    report: str = ""
    registers: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Hazard(Event):
    """Silicon would misbehave, though the CPU does not fault.

    ``code`` is its name in the register (``fwgen.hazards``), "clock-off"; ``severity`` "error",
    "warning" or "note"; ``section`` the manual's; ``cure`` what to do.
    """

    KIND: ClassVar[str] = "hazard"
    code: str
    severity: str
    message: str
    pc: int
    section: str = ""
    cure: str = ""

    @classmethod
    def of(
        cls, code: str, message: str, t_ps: int, pc: int = 0, *, section: str = "", cure: str = ""
    ) -> Hazard:
        """One that occurred; ``section`` and ``cure`` only where the register's are too general.

        Raises InputError for a code that the register does not have.
        """
        kind = find_hazard(code)
        return cls(
            t_ps, code, kind.severity.value, message, pc, section or kind.section, cure or kind.cure
        )


@dataclass(frozen=True, slots=True)
class Gap(Event):
    """Firmware touched something that is not modelled."""

    KIND: ClassVar[str] = "gap"
    peripheral: str
    register: str  # name, or "+0x14"
    access: str  # "read" or "write"
    address: int
    pc: int
    detail: str = ""


EVENTS: Mapping[str, type[Event]] = {
    cls.KIND: cls
    for cls in (
        Edge, Wave, Burst, Voltage, SpiFrame, I2cTransfer, SerialByte, Shown, Pictured, Sleep, Wake,
        Reset, Clock, Stimulated, NotDone, ByHand, Looked, Fault, Hazard, Gap,
    )
}  # fmt: skip
