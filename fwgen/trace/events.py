"""What can be seen: one class of event for each kind of evidence."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from collections.abc import Mapping
    from fractions import Fraction


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
    ``end`` is "stop", "restart", "lost" (arbitration), "error" or "cut" (the port was switched off).
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

    ``code`` is a stable name ("clock-off", "swd-remapped"); ``severity`` "error", "warning" or
    "note"; ``section`` the manual's; ``cure`` what to do.
    """

    KIND: ClassVar[str] = "hazard"
    code: str
    severity: str
    message: str
    pc: int
    section: str = ""
    cure: str = ""


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
        Edge, Wave, Burst, SpiFrame, I2cTransfer, SerialByte, Sleep, Wake, Reset, Clock, Stimulated, NotDone, Looked, Fault,
        Hazard, Gap,
    )
}  # fmt: skip
