"""One text said again and again: the SysTick paces its bytes, too.

A byte takes ten bits of the wire, and the wire's clock is the core's: a tick that is a little
longer always finds the transmitter free. So the transmitter needs no interrupt, and the SysTick
is all that wakes the core. A reload that is written counts from the next tick on; what the bytes
took is taken off the wait for the next line, which therefore is never late.
Source: RM0368 §19.3.2, §19.3.4; PM0214 §4.5.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

from fwgen.image.emission import Unit
from fwgen.model.embedded.behaviour import AtBoot, Count, Say, Uptime
from fwgen.model.embedded.compose.direct.ground import RELOADS, Beating, Ground
from fwgen.model.embedded.compose.direct.play import made_of
from fwgen.model.embedded.compose.direct.sharp import modified
from fwgen.model.embedded.compose.jobs import Do
from fwgen.model.embedded.compose.rates import cycles
from fwgen.model.embedded.compose.setup import Stage
from fwgen.units import PS_PER_MS, PS_PER_S

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fwgen.model.embedded.behaviour import Part
    from fwgen.model.embedded.compose.blocks.wave import WaveBlock
    from fwgen.model.embedded.compose.direct.play import Made
    from fwgen.model.embedded.compose.jobs import Job
    from fwgen.model.embedded.compose.silicon import Silicon

FRAME = 10  # bits of a byte on the wire
SPARE = 64  # a byte's tick is this part longer than the byte
_UE, _TE = 1 << 13, 1 << 3
_BAUD_PPM = 15_000
_DIGITS = 16  # bytes of the stack: ten digits, and the end
_FAR = 4  # ticks that a line takes beside its bytes


@dataclass(frozen=True, slots=True)
class Wire:
    """A serial port's speed: the divider, and the counts of a byte's tick."""

    divider: int
    pace: int


def wire(say: Say, silicon: Silicon) -> Wire | None:
    """How to send at a speed; None when the clock cannot."""
    divider = round(Fraction(silicon.clock_hz, say.baud))
    if not 16 <= divider < 1 << 16:
        return None
    if abs(Fraction(silicon.clock_hz, divider) / say.baud - 1) * 10**6 > _BAUD_PPM:
        return None
    byte = FRAME * divider
    pace = byte + max(byte // SPARE, 16)
    while not modified(pace):
        pace += 1
    return Wire(divider, pace)


def open_port(ground: Ground, say: Say, line: Wire, clause: str) -> None:
    """The port's pin, speed and transmitter."""
    silicon, setup, port = ground.silicon, ground.setup, say.port
    pin, af = silicon.transmitter(port, clause)
    setup.clock(port)
    setup.ask(
        f"{port}_BRR", line.divider, Stage.VALUE, mask=0xFFFF, text=f"round(CLK / {say.baud})",
        note=f"{say.baud} baud",
    )  # fmt: skip
    setup.ask(f"{port}_CR1", _UE | _TE, Stage.MODE, note="transmitter on")
    setup.pin(pin, 2, af, f"{pin} to {port}_TX")


def chunks(parts: Sequence[Part]) -> list[Part]:
    """The parts with neighbouring texts joined, and the end of the line."""
    joined: list[Part] = []
    for part in (*parts, "\r\n"):
        if isinstance(part, str) and joined and isinstance(joined[-1], str):
            joined[-1] += part
        elif part != "":
            joined.append(part)
    return joined


def longest(parts: Sequence[Part]) -> int:
    """The most bytes that a line can have."""
    return sum(len(p.encode()) if isinstance(p, str) else 10 for p in chunks(parts))


class Speaker:
    """Code that sends lines, with registers of its own.

    r0 what is at hand, r1 the next byte, r2 the wait that is left, r3 the port, r4 the SysTick
    and the SCB, r5 PENDSTCLR, r6 and r7 for digits, r8 the number.
    """

    def __init__(self, ground: Ground, say: Say, line: Wire) -> None:
        self.ground, self.say, self.line = ground, say, line
        self.code = ground.code
        self.silicon = ground.silicon
        self.parts = chunks(say.parts)
        self.numbers = len(self.parts) > 1

    def begin(self) -> None:
        """Load what stays in registers, and make room for digits."""
        code, silicon = self.code, self.silicon
        code.fix("r5", 1 << 25, "PENDSTCLR")
        code.fix("r3", silicon.chip.peripherals[self.say.port].base, self.say.port)
        self.settle()
        if self.numbers:
            code.op(f"sub sp, #{_DIGITS}", "room for digits")
            code.op_put("r0", 0)
            code.op(f"str r0, [sp, #{_DIGITS - 4}]", "what ends them")

    def settle(self) -> None:
        """The core's own registers have a base for ever."""
        self.code.fix("r4", self.silicon.address("SYST_CSR") & ~0xFFF, "the core's registers")

    def tick(self) -> None:
        """Sleep until the tick, and note it."""
        self.code.op("wfi", "sleep until the tick")
        self.code.op(f"str.w r5, [r4, #{self._far('SCB_ICSR')}]", "PENDSTCLR: seen")

    def reload(self, register: str, comment: str) -> None:
        """What the tick after the next one takes."""
        self.code.op(f"str {register}, [r4, #{self._far('SYST_RVR')}]", comment)

    def _far(self, register: str) -> int:
        return self.silicon.address(register) - (self.silicon.address("SYST_CSR") & ~0xFFF)

    def send(self, end: str, *, counted: bool) -> None:
        """Code: send from r1 on until a 0, then go to ``end`` (or return, where it is empty)."""
        code = self.code
        data = self.silicon.address(f"{self.say.port}_DR")
        offset = data - self.silicon.chip.peripherals[self.say.port].base
        done = end or code.unique("said")
        with code.loop("send", code.weight * 8) as head:
            code.op("ldrb r0, [r1, #0]")
            code.op("adds r1, #1")
            code.branch_if("cbz", "r0", done)
            code.op(f"str r0, [r3, #{offset}]", f"{self.say.port}_DR: send")
            if counted:
                code.op(f"sub.w r2, r2, #{self.line.pace}", "so much less to wait")
            self.tick()
            code.branch("b", head)
        if not end:
            code.label(done)
            code.op("bx lr")

    def digits(self) -> None:
        """Code: r8 in decimal, backwards, into the stack; r1 points to its first digit."""
        code = self.code
        code.op(f"add r1, sp, #{_DIGITS - 4}", "behind the last digit")
        code.op("mov r0, r8")
        code.op("movs r7, #10")
        with code.loop("digit", code.weight * 2) as head:
            code.op("udiv r6, r0, r7")
            code.op("mls r0, r6, r7, r0", "the last digit")
            code.op("adds r0, #48")
            code.op("subs r1, #1")
            code.op("strb r0, [r1, #0]")
            code.op("movs r0, r6", "what is left")
            code.branch("bne", head)

    def line_of(self, end: str, *, counted: bool) -> None:
        """Code: the whole line. Ends by falling through, or (one text) by going to ``end``."""
        code = self.code
        for number, part in enumerate(self.parts):
            if isinstance(part, str):
                label = f"text{number or ''}"
                code.address("r1", label)
                data = part.encode() + b"\0"
                unit = Unit(label, "bytes", data=data, align=4, purpose=ascii(part))
                self.ground.tables.append(unit)
            else:
                self.digits()
            if self.numbers:
                code.call("say")
            else:
                self.send(end, counted=counted)

    def subroutine(self, *, counted: bool) -> None:
        """Code behind everything else: what ``line_of`` calls."""
        if self.numbers:
            self.code.label("say")
            self.send("", counted=counted)


@dataclass(frozen=True, slots=True)
class Telling:
    """One line said every so often, from reset on."""

    say: Say
    every_ps: int
    at_once: bool
    line: Wire
    step: int  # what its number goes up by
    first: int
    clause: str
    waves: tuple[WaveBlock, ...] = ()

    @property
    def number(self) -> bool:
        """Whether there is a number in it."""
        return any(not isinstance(part, str) for part in self.say.parts)


def telling(jobs: Sequence[Job], waves: Sequence[WaveBlock], silicon: Silicon) -> Telling | None:
    """A program that is one line again and again; None when it is anything else."""
    if len(jobs) != 1:
        return None
    job = jobs[0]
    if not isinstance(job, Do) or len(job.actions) != 1 or not job.when.at_reset:
        return None
    say = job.actions[0]
    if not isinstance(say, Say) or job.every_ps is None or job.times is not None:
        return None
    numbers = [part for part in say.parts if not isinstance(part, str)]
    line = wire(say, silicon)
    if len(numbers) > 1 or line is None or any("\0" in p for p in texts(say)):
        return None
    first, step = 0, 0
    for part in numbers:
        if isinstance(part, Count):
            first, step = part.first, part.step
        elif isinstance(part, Uptime):
            unit = PS_PER_S if part.unit == "s" else PS_PER_MS
            if job.every_ps % unit:
                return None
            step = job.every_ps // unit
            first = 0 if job.at_once else step
        else:
            return None
    if not modified(abs(step)):
        return None
    whole = cycles(job.every_ps, silicon.clock_hz)
    room = whole - (longest(say.parts) + _FAR) * line.pace
    if whole.denominator > 1 or room < line.pace or not isinstance(job.when.start, AtBoot):
        return None
    return Telling(say, job.every_ps, job.at_once, line, step, first, job.clause, tuple(waves))


def texts(say: Say) -> list[str]:
    """The literal parts of a text."""
    return [part for part in say.parts if isinstance(part, str)]


def tell(what: Telling, silicon: Silicon) -> list[Made]:
    """Every way to say it."""
    found: list[Made] = []
    for wide in (False, True):
        teller = _Teller(what, silicon, wide)
        if teller.ticks is None:
            return []
        found += made_of(
            "the SysTick paces lines and bytes", silicon, Beating(1, ()), teller.build,
            max(2, 4 * what.every_ps / PS_PER_S),
        )  # fmt: skip
    return found


class _Teller:
    def __init__(self, what: Telling, silicon: Silicon, wide: bool) -> None:
        self.what, self.silicon, self.wide = what, silicon, wide
        whole = int(cycles(what.every_ps, silicon.clock_hz))
        # Ticks of a line's pause: the first takes off what the bytes took, others are whole.
        more = next((n for n in range(4) if whole - n * RELOADS <= RELOADS - 1), None)
        self.ticks = more
        self.whole = whole - (more or 0) * RELOADS

    def build(self, ground: Ground) -> None:
        """The whole program."""
        what, code = self.what, ground.code
        open_port(ground, what.say, what.line, what.clause)
        speaker = Speaker(ground, what.say, what.line)
        pace = what.line.pace
        counted = speaker.numbers or not what.at_once
        sent = sum(len(p.encode()) for p in speaker.parts if isinstance(p, str))

        def meanwhile() -> None:
            speaker.settle()
            ground.reload(pace)

        ground.begin(what.waves, {}, meanwhile)
        ground.run()
        speaker.begin()
        if speaker.numbers:
            code.op_put("r0", what.first)
            code.op("mov r8, r0", "the number")
        wait = self.whole - pace - 1
        if not what.at_once:
            code.op_put("r2", wait, "the first wait is a whole one")
            code.branch("b", "pause")
        else:
            code.branch("b", "soon", "an idle frame goes first")
        with code.loop("line", PS_PER_S / what.every_ps) as head:
            if counted:
                code.op_put("r2", wait, "the wait, less what the bytes take")
            speaker.line_of("pause", counted=counted)
            if speaker.numbers:
                self._step(ground)
            code.label("pause")
            if not counted:
                code.op_put("r2", wait - sent * pace, "the wait, less what the bytes took")
            for _ in range(self.ticks or 0):
                code.op_put("r0", RELOADS - 1)
                speaker.reload("r0", "first the longest ticks")
                speaker.tick()
            speaker.reload("r2", "then what is left")
            speaker.tick()
            code.op_put("r0", pace - 1, "a byte and a little")
            speaker.reload("r0", "then bytes")
            code.label("soon")
            speaker.tick()
            code.branch("b", head)
        speaker.subroutine(counted=counted)

    def _step(self, ground: Ground) -> None:
        step = self.what.step
        name = "add" if step >= 0 else "sub"
        if step:
            ground.code.op(f"{name}.w r8, r8, #{abs(step)}", "the next number")
