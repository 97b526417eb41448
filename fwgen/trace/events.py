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
        Edge, Wave, SerialByte, Sleep, Wake, Reset, Clock, Stimulated, NotDone, ByHand, Looked,
        Fault, Hazard, Gap,
    )
}  # fmt: skip
