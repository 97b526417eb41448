"""Stimuli and expectations: what is done to the board, and what must be seen.

A *subject* is a part, a pin or a port as the user names it ("LD2", "PA5", "D13", "console").
Levels of a part are its own: 1 is lit or pressed, whatever the wiring. Times are picoseconds
from reset release, ratios parts per million, frequencies millihertz.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from fwgen.board.types import Device, Module, Part

Edge = Literal["rising", "falling", "both"]

# ---------------------------------------------------------------------------- stimuli


@dataclass(frozen=True, slots=True)
class Press:
    """Press a button at ``at_ps``; release it after ``hold_ps`` (None: never).

    ``bounce_ps`` is how long the contact chatters at each end; 0 for a clean contact.
    On a plain pin it is a button wired from that pin to ground.
    """

    subject: str
    at_ps: int
    hold_ps: int | None = None
    bounce_ps: int = 0


@dataclass(frozen=True, slots=True)
class Drive:
    """Drive a pin from outside to a level; None lets it float."""

    subject: str
    at_ps: int
    level: int | None


@dataclass(frozen=True, slots=True)
class Send:
    """Send bytes to a port, back to back, from ``at_ps``; baud None: the port's usual rate."""

    subject: str
    at_ps: int
    data: bytes
    baud: int | None = None


@dataclass(frozen=True, slots=True)
class Sensed:
    """What a part senses: from ``value`` to ``to``, in its own unit (fwgen.board.sensors)."""

    part: str
    value: int
    to: int


@dataclass(frozen=True, slots=True)
class Analog:
    """Hold a pin at a voltage from outside, from ``at_ps`` on.

    ``points`` are (time since ``at_ps``, microvolts) with straight lines between them; the last
    one stays, none at all lets the pin float. A sine of ``amplitude_uv`` and ``period_ps``, and a
    noise of up to ``noise_uv`` either way, ride on it; the noise takes a new value every
    ``noise_ps`` (0: faster than anybody looks), and another ``seed`` is another noise. ``ohm`` is
    the source's resistance. ``sensed`` says what part gives this voltage, and why.
    """

    subject: str
    at_ps: int
    points: tuple[tuple[int, int], ...]
    amplitude_uv: int = 0
    period_ps: int = 0
    noise_uv: int = 0
    ohm: int = 0
    sensed: Sensed | None = None
    seed: int = 0
    noise_ps: int = 0


@dataclass(frozen=True, slots=True)
class Sense:
    """A module senses a ``value`` from ``at_ps`` on, or goes evenly to ``to`` within ``over_ps``.

    ``subject`` is "part.quantity"; values are in the quantity's unit (fwgen.board.quantities). A
    noise of up to ``noise`` either way rides on it, a new value every ``noise_ps`` (0: each time it
    is looked at); another ``seed``, another noise.
    """

    subject: str
    at_ps: int
    value: int
    to: int
    over_ps: int = 0
    noise: int = 0
    seed: int = 0
    noise_ps: int = 0


@dataclass(frozen=True, slots=True)
class Turn:
    """Turn a rotary encoder by ``steps`` (to the right; less than 0: to the left).

    Each takes ``step_ps``; each contact chatters for ``bounce_ps`` when it moves.
    """

    subject: str
    at_ps: int
    steps: int
    step_ps: int = 20 * 10**9
    bounce_ps: int = 0


Stimulus = Press | Drive | Send | Analog | Sense | Turn

# ---------------------------------------------------------------------------- expectations


@dataclass(frozen=True, slots=True)
class Window:
    """When an expectation holds: [start, stop); stop None is the end of the run."""

    start_ps: int = 0
    stop_ps: int | None = None


ALWAYS = Window()


@dataclass(frozen=True, slots=True)
class Level:
    """The subject is at ``level`` at ``at_ps`` or, with at None, throughout the window."""

    subject: str
    level: int
    at_ps: int | None = None
    window: Window = ALWAYS


@dataclass(frozen=True, slots=True)
class Phase:
    """Rising edges come ``offset_ps`` after those of ``reference``."""

    reference: str
    offset_ps: int


@dataclass(frozen=True, slots=True)
class Blinks:
    """The subject goes on and off with a period and, if given, a duty and a phase.

    Each single period is judged, not their mean. ``starts`` is the level that it must begin
    with; ``first_on_by_ps`` bounds when it is first seen on (None: within one period).
    """

    subject: str
    period_ps: int
    duty_ppm: int | None = 500_000
    phase: Phase | None = None
    tolerance_ppm: int = 20_000
    window: Window = ALWAYS
    starts: int | None = None
    first_on_by_ps: int | None = None


@dataclass(frozen=True, slots=True)
class Step:
    """For ``duration_ps`` (None: for ever) the subjects hold these levels."""

    levels: tuple[tuple[str, int], ...]
    duration_ps: int | None


@dataclass(frozen=True, slots=True)
class Pattern:
    """Subjects go through steps, once or over and over.

    Begins at the window's start give or take ``start_within_ps``.
    """

    steps: tuple[Step, ...]
    repeat: bool = True
    tolerance_ppm: int = 20_000
    start_within_ps: int = 10 * 10**9
    window: Window = ALWAYS


@dataclass(frozen=True, slots=True)
class Counts:
    """The subject shows between ``least`` and ``most`` edges or pulses in the window."""

    subject: str
    what: Literal["rising", "falling", "both", "pulse"]
    least: int
    most: int | None
    window: Window = ALWAYS


@dataclass(frozen=True, slots=True)
class Pwm:
    """A PWM of a frequency and a duty, or a duty that ramps linearly to ``to_duty_ppm``."""

    subject: str
    frequency_mhz: int
    duty_ppm: int
    to_duty_ppm: int | None = None
    tolerance_ppm: int = 20_000
    duty_tolerance_ppm: int = 10_000  # absolute
    window: Window = ALWAYS


@dataclass(frozen=True, slots=True)
class Tone:
    """A square wave that sounds at a frequency (10 cents = 5780 ppm is a good ear)."""

    subject: str
    frequency_mhz: int
    tolerance_ppm: int = 5_000
    window: Window = ALWAYS


@dataclass(frozen=True, slots=True)
class Follows:
    """The subject takes the level of ``source`` (inverted if asked) within a latency.

    With ``above_uv`` the source is a voltage: it counts as 1 above that threshold and ``band_uv``,
    as 0 below it by as much; between the two either level is right.
    """

    subject: str
    source: str
    invert: bool = False
    latency_ps: int = 10**9
    window: Window = ALWAYS
    above_uv: int | None = None
    band_uv: int = 10_000


@dataclass(frozen=True, slots=True)
class Trigger:
    """A moment: an edge of a subject, or a stimulus on it, or text on a port."""

    subject: str
    edge: Edge | None = None
    text: str | None = None


@dataclass(frozen=True, slots=True)
class Responds:
    """After each trigger, ``response`` is seen within ``within_ps`` (and not before ``after_ps``).

    ``response`` is a Trigger: an edge of a pin, or a text on a port.
    """

    trigger: Trigger
    response: Trigger
    within_ps: int
    after_ps: int = 0
    window: Window = ALWAYS


@dataclass(frozen=True, slots=True)
class Never:
    """The moment never comes in the window."""

    moment: Trigger
    window: Window = ALWAYS


@dataclass(frozen=True, slots=True)
class Exclusive:
    """No two of the subjects are on at the same time."""

    subjects: tuple[str, ...]
    window: Window = ALWAYS


USUAL_AGE_PS = 10**11
"""How old a measured voltage may be when a number tells of it."""


@dataclass(frozen=True, slots=True)
class Bound:
    """What a captured number must be: a range, and how each relates to the one before.

    ``step`` (None: free) is the exact difference to the last capture; ``first`` the first value.
    ``tracks``: "uptime_ms" or "uptime_s" (the number tells the time since reset, within
    ``slack``), "presses:<subject>" (the number of presses so far). "mV:<pin>", "uV:<pin>",
    "percent:<pin>" (of the supply), "adc12:<pin>" (or adc10, adc8, adc6: an ideal converter's
    code) and "sensed:<part>" (°C, %, lx) tell what was at a pin within the last ``age_ps``.
    """

    least: int | None = None
    most: int | None = None
    first: int | None = None
    step: int | None = None
    tracks: str | None = None
    slack: int = 0
    age_ps: int = USUAL_AGE_PS


@dataclass(frozen=True, slots=True)
class Says:
    """Lines on a port.

    ``pattern`` is literal text with ``{name}`` for a decimal number captured as ``name``
    (``{{`` and ``}}`` for braces), bounded by ``bounds``. Lines end in CR LF or LF.
    ``period_ps`` between lines (None: free), ``times`` exactly so often (None: one or more),
    ``only``: nothing else is said on the port in the window. ``first_by_ps`` bounds the first.
    """

    port: str
    pattern: str
    bounds: tuple[tuple[str, Bound], ...] = ()
    period_ps: int | None = None
    baud: int | None = None
    times: int | None = None
    only: bool = True
    first_by_ps: int | None = None
    tolerance_ppm: int = 20_000
    window: Window = ALWAYS


@dataclass(frozen=True, slots=True)
class Replies:
    """After ``text`` was sent to the port, ``pattern`` is said within ``within_ps``."""

    port: str
    text: str
    pattern: str
    bounds: tuple[tuple[str, Bound], ...] = ()
    within_ps: int = 10**11
    window: Window = ALWAYS


@dataclass(frozen=True, slots=True)
class Shows:
    """A module shows a value all the time, from ``within_ps`` after the window's start on.

    ``what`` is one of the things that its kind shows ("text", "angle", "colour"); ``value`` and
    ``tolerance`` are in that quantity's unit (a colour's tolerance: levels of 255, per channel). A
    picture is one of the display's whole, or of the region whose upper left corner is ``corner``.
    """

    subject: str
    what: str
    value: int | str
    tolerance: int = 0
    within_ps: int = 10**11
    window: Window = ALWAYS
    corner: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class Transfers:
    """Between ``least`` and ``most`` transfers on a bus of the chip that look like this.

    On I2C a transfer lasts from a START to the STOP, repeated STARTs included, and goes to
    ``address`` (``answered`` False: nobody acknowledges it). On SPI it lasts while the pin
    ``select`` is low, or without one for the whole window. ``writes`` and ``reads`` are all the
    bytes that the master sends and gets in it; a byte None, or None for all: whatever.
    """

    port: str
    address: int | None = None
    select: str | None = None
    writes: tuple[int | None, ...] | None = None
    reads: tuple[int | None, ...] | None = None
    answered: bool = True
    least: int = 1
    most: int | None = None
    window: Window = ALWAYS


@dataclass(frozen=True, slots=True)
class Asleep:
    """The core sleeps at least this share of the window."""

    least_ppm: int
    window: Window = ALWAYS


@dataclass(frozen=True, slots=True)
class Quiet:
    """No pin moves but those named (and the console's, if ``ports`` are named)."""

    but: tuple[str, ...] = ()


Expectation = (
    Level | Blinks | Pattern | Counts | Pwm | Tone | Follows | Responds
    | Never | Exclusive | Says | Replies | Transfers | Shows | Asleep | Quiet
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Contract:
    """What must be seen on a board.

    ``devices`` are on buses, wires and pull-ups (``subjects.fitted`` puts them on the board).
    ``accept`` has what is accepted here, each with the reason: a hazard's code, "reset:CAUSE",
    "gap:PERIPHERAL" (``fwgen.contract.accept``).
    Implicit in every contract: no fault, no hazard, no gap that could matter.
    """

    title: str
    board: str
    span_ps: int
    stimuli: tuple[Stimulus, ...] = ()
    expectations: tuple[Expectation, ...] = ()
    accept: tuple[tuple[str, str], ...] = ()
    prompt: str = ""
    notes: tuple[str, ...] = field(default_factory=tuple)
    parts: tuple[Part, ...] = ()  # on one pin, wired to the board for this
    devices: tuple[Device, ...] = ()  # on buses, wires and pull-ups, wired for this
    modules: tuple[Module, ...] = ()  # with a behaviour, likewise
