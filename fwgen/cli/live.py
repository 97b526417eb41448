"""A live board: the machine, paced, between what comes in and what is shown."""

from __future__ import annotations

import shutil
import time
from collections import deque
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from fwgen.cli.faulted import Faults
from fwgen.cli.hearing import Hearing
from fwgen.cli.shown import ShownParts
from fwgen.contract import Drive, Press, Send
from fwgen.interrupt import held
from fwgen.trace import Edge, Event, Fault, Gap, Hazard, Reset, SerialByte, Sleep, Wake, Wave
from fwgen.units import MHZ_PER_HZ, PPM, PS_PER_MS, PS_PER_S, show_duration, show_frequency

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from fwgen.board.types import Board, Part
    from fwgen.cli.terminal import Terminal, Typed
    from fwgen.contract import Stimulus
    from fwgen.image.types import Image
    from fwgen.machine.armv7m.profile import Profile
    from fwgen.machine.machine import Machine
    from fwgen.thumb.cycles import Pace
    from fwgen.virtual.gdb import GdbServer
    from fwgen.virtual.serial.wire import Word

STEP_PS = 20 * PS_PER_MS  # how far time goes before input and output are looked at again
LEAST_PS = 10 * PS_PER_MS  # in real time: more often would only keep this computer busy
LAG_PS = 200 * PS_PER_MS  # behind the wall clock by more than this, we stop chasing it
TAP_PS = 100 * PS_PER_MS
SLOW_MHZ = 12 * MHZ_PER_HZ  # an LED that blinks faster is shown as lit in part
DEAF_AFTER_PS = 500 * PS_PER_MS
MOST_TOLD = 20  # hazards and gaps told one by one
GRACE_S = 0.25  # how long a script's input may take to begin when time does not wait
REDRAW_S = 0.05
MOST_EVENTS = 2_000_000  # that are kept for a trace: some 500 MB
HALTED_S = 0.02  # while a debugger has the core halted: how long each look for his next wish takes

MENU, QUIT, INTERRUPT = 0x14, 0x1D, 0x03  # Ctrl-T, Ctrl-], Ctrl-C
KEYS_HELP = """\
Ctrl-]       quit                    Ctrl-T b   press the button and let go
Ctrl-T q     quit                    Ctrl-T h   hold the button down, or let go
Ctrl-T r     power off and on        Ctrl-T 1…9 choose the button that b and h mean
Ctrl-T t     send Ctrl-T itself      Ctrl-T ?   this help"""


@dataclass
class _Pin:
    """What a pin does since ``since_ps``."""

    level: int | None
    active: int
    since_ps: int = 0
    wave: Wave | None = None
    changes: int = 0  # between lit and dark, pressed and not

    def after(self, event: Edge | Wave) -> _Pin:
        changed = (event.level == self.active) != (self.level == self.active)
        wave = event if isinstance(event, Wave) else None
        return _Pin(event.level, self.active, event.t_ps, wave, self.changes + changed)

    def at(self, t_ps: int) -> int | None:
        if self.wave is None:
            return self.level
        into = (t_ps - self.since_ps) % (self.wave.first_ps + self.wave.second_ps)
        return self.wave.level ^ (into >= self.wave.first_ps)


def _error(kind: str) -> str:
    return "a break" if kind == "break" else f"{kind} errors"


class Live:
    """Runs one image on one board until told to stop.

    ``real_time``: a second takes a second; else as fast as it goes. ``span_ps`` None: for ever.
    ``debug`` makes the server of a debugger, who then says when time passes. ``keep`` keeps what
    was seen, and ``after`` is told of the machine when the run is over, however it ended.
    """

    def __init__(
        self,
        board: Board,
        image: Image,
        stimuli: Sequence[Stimulus],
        terminal: Terminal,
        *,
        real_time: bool,
        span_ps: int | None,
        debug: Callable[[Machine], GdbServer] | None = None,
        profile: Profile | None = None,
        keep: bool = False,
        after: Callable[[Machine], None] = lambda _: None,
        cycles: Pace = "typical",
    ) -> None:
        from fwgen.machine.machine import Machine

        self.board, self.image, self.terminal = board, image, terminal
        self.real_time, self.span_ps = real_time, span_ps
        self._faults, self._fault_ended = Faults(), False
        self.quit = False
        self.ended_by = 0  # the signal that told us to end
        self.t_ps = 0
        self._stimuli = stimuli
        self._machine = Machine(board, profile=profile, pace=cycles)
        self._keep, self._after = keep, after
        self.kept_ps: int | None = None  # when it was too much to keep
        self._machine.listen(self._hear, at_once=False)
        self._pins: dict[str, _Pin] = {}
        self._hearing = Hearing(board.console) if board.console is not None else None
        self._sent = 0
        self._out = bytearray()
        self._notes: deque[tuple[str, str]] = deque()
        self._told: set[str] = set()
        self._shown = ShownParts()
        self._in = bytearray()
        self._line_free_ps = self._finger_free_ps = 0
        self._asleep_ps, self._asleep_since = 0, -1
        self._menu = False
        self._buttons = [p for p in board.parts.values() if p.kind == "button"]
        self._leds = [p for p in board.parts.values() if p.kind == "led"]
        self._button = 0
        self._holding: set[str] = set()
        self._origin = self._drawn = 0.0
        self._pace = 1.0
        self._debug = debug
        self._gdb: GdbServer | None = None

    def run(self, typed: Typed | None, *, keys: bool) -> None:
        """Run; ``keys`` says that ``typed`` are keys of a person, who may use the menu."""
        try:
            self._load()
            if self._debug is not None:
                self._gdb = self._debug(self._machine)
                self._gdb.went_back = self._went_back
            self._begin()
            if self._gdb is not None:
                self.terminal.note(f"gdb: target remote {self._gdb.address}")
            if typed is not None and not self.real_time and not keys:
                self._await_script(typed)
            while not self._over():
                wait_s = self._advance() if self._may_run() else 0.0
                data = typed.take(wait_s) if typed is not None and not typed.ended else b""
                if not data and wait_s > 0 and (typed is None or typed.ended):
                    time.sleep(wait_s)
                self._take(data, keys=keys)
                self._show()
            self._show(last=True)
            if self._gdb is not None:
                self._gdb.ended()
        finally:
            if self._gdb is not None:
                self._gdb.close()
            try:
                if self._machine.loaded:
                    self._after(self._machine)
            finally:
                self._machine.close()

    @property
    def fault(self) -> Fault | None:
        """The first."""
        return self._faults.first

    def summary(self) -> str:
        """What was seen, in one line."""
        ended = self._faults.seen_ps if self._fault_ended else self.t_ps
        parts = [f"ran {show_duration(ended, 4)}"]
        if faults := self._faults.told():
            parts.append(faults)
        for led in self._leds:
            pin = self._pins.get(led.pin)
            if pin is not None and pin.wave is not None:
                period = pin.wave.first_ps + pin.wave.second_ps
                rate = round(PS_PER_S * MHZ_PER_HZ / period)
                parts.append(f"{led.name} at {show_frequency(rate, 4)} driven by a timer")
            elif pin is not None and pin.changes:
                plural = "" if pin.changes == 1 else "s"
                parts.append(f"{led.name} changed {pin.changes} time{plural}")
        parts.append(f"{self._sent} byte{'' if self._sent == 1 else 's'} sent")
        if self.t_ps:
            asleep = self._asleep_ps
            if self._asleep_since >= 0:
                asleep += self.t_ps - self._asleep_since
            ppm = asleep * PPM // self.t_ps  # rounded down: 100 % would be a core that never woke
            parts.append(f"asleep {ppm / 10_000:.4f} % of the time")
        if self._in:
            parts.append(f"{len(self._in)} bytes of input not taken")
        return ", ".join(parts)

    # ------------------------------------------------------------------ time

    def _load(self) -> None:
        self._machine.load(self.image, keep_events=self._keep)
        self._faults.power_off()
        if self._debug is None:
            self._machine.give_up(self._faults.returns)

    def _begin(self) -> None:
        for stimulus in self._stimuli:
            self._machine.stimulate(stimulus)
        initial = self._machine.trace().initial
        self._pins = {
            part.pin: _Pin(initial.get(part.pin), part.active) for part in self.board.parts.values()
        }
        self.t_ps = self._line_free_ps = self._finger_free_ps = self._asleep_ps = 0
        self._asleep_since = -1
        self._holding.clear()
        self._shown = ShownParts()
        self._origin = time.monotonic()

    def _went_back(self) -> None:
        """Who debugs went back in time: the board is as it was, and so is what is shown of it."""
        now_ps = self.t_ps = self._machine.core.now_ps
        pads = self._machine.soc.fabric.pads
        self._pins = {
            pin: replace(one, level=pads[pin].level, since_ps=now_ps, wave=None)
            for pin, one in self._pins.items()
        }
        self._faults.forget_from(now_ps)
        self._asleep_ps, self._asleep_since = min(self._asleep_ps, now_ps), -1
        self._shown = ShownParts()
        self._origin = time.monotonic() - now_ps / PS_PER_S

    def _over(self) -> bool:
        ended = self.span_ps is not None and self.t_ps >= self.span_ps
        if self._gdb is not None:  # a fault is for who debugs to look at
            return ended or self.quit or bool(self.ended_by) or self._gdb.killed
        return ended or self.quit or bool(self.ended_by) or self._ended_by_fault()

    def _ended_by_fault(self) -> bool:
        """Whether nothing more comes after a fault; what was under way then has come out."""
        why = self._faults.why_over(self.t_ps, lambda: self._machine.stuck)
        if why:
            self._fault_ended = True
            self._tell(f"{why}: the run ends", at=self._faults.seen_ps)
        return self._fault_ended

    def _may_run(self) -> bool:
        """Whether time passes: not while a debugger has halted the core."""
        if self._gdb is None:
            return True
        stood = not self._gdb.target.running
        runs = self._gdb.poll(HALTED_S)
        if stood and runs:  # the wall clock went on without us
            self._origin = time.monotonic() - self.t_ps / PS_PER_S
        return runs

    def _advance(self) -> float:
        """Let some time pass; returns the seconds that the wall clock still has to catch up."""
        self._send_waiting()
        until = self.t_ps + STEP_PS
        if self.real_time:
            now = round((time.monotonic() - self._origin) * PS_PER_S)
            behind = now - self.t_ps
            if behind > LAG_PS:  # too much work for this computer: time runs slower
                self._pace = 0.8 * self._pace + 0.2 * STEP_PS / behind
                self._origin += (behind - STEP_PS) / PS_PER_S
            else:
                self._pace = 0.95 * self._pace + 0.05
            until = min(until, max(now, self.t_ps + LEAST_PS))
        if self.span_ps is not None:
            until = min(until, self.span_ps)
        with held():
            self._machine.advance(until)
        self._forget()
        self.t_ps = min(until, self._machine.core.now_ps) if self._machine.core.gave_up else until
        if self._gdb is not None and not self._gdb.target.running:
            self.t_ps = self._machine.core.now_ps  # halted before
        if not self.real_time:
            return 0.0
        return max(0.0, self._origin + until / PS_PER_S - time.monotonic())

    def _forget(self) -> None:
        """What was heard is done with: a run may be long."""
        recorder = self._machine.soc.recorder
        if self._keep and len(recorder.events) >= MOST_EVENTS:
            self._keep, self.kept_ps = False, self._machine.core.now_ps
            recorder.keeps = False
            self._tell(f"{MOST_EVENTS} events are kept; what follows is not", "warning",
                       at=self.kept_ps)  # fmt: skip

    # ------------------------------------------------------------------ what the board does

    def _hear(self, event: Event) -> None:
        self._shown.take(event)
        self._faults.take(event)
        match event:
            case Edge() | Wave() if event.pin in self._pins:
                self._pins[event.pin] = self._pins[event.pin].after(event)
            case SerialByte():
                self._hear_byte(event)
            case Sleep():
                self._asleep_since = event.t_ps
            case Wake() | Reset() if self._asleep_since >= 0:
                self._asleep_ps += event.t_ps - self._asleep_since
                self._asleep_since = -1
            case _:
                pass
        match event:
            case Fault():
                self._hear_fault(event)
            case Hazard():
                about = f"{event.message}{f' ({event.section})' if event.section else ''}"
                cure = f"; {event.cure}" if event.cure else ""
                severity = event.severity if event.severity in ("error", "warning") else "note"
                self._tell(f"hazard {event.code}: {about}{cure}", severity, at=event.t_ps)
            case Gap():
                what = f"{event.peripheral}.{event.register}: {event.access} is not modelled"
                self._tell(what, "warning", at=event.t_ps)
            case Reset():
                self._tell(f"reset ({event.cause})", at=event.t_ps, once=False)
            case _:
                pass

    def _hear_fault(self, event: Fault) -> None:
        taken = "" if event.reason.startswith(event.exception) else f"{event.exception}: "
        self._tell(f"{taken}{event.reason}", "error", at=event.t_ps)

    def _hear_byte(self, event: SerialByte) -> None:
        console = self.board.console
        if console is None or self._hearing is None or event.port != console.uart:
            return
        if event.direction != "tx":
            if event.error:
                how = f"{console.baud} baud, {console.frame}"
                self._tell(f"{event.port} reads {_error(event.error)} in what the console sends "
                           f"({how})", "warning", at=event.t_ps)  # fmt: skip
            return
        if self._hearing.off_rate(event):
            baud = round(event.baud_mhz / 1000)
            self._tell(f"{event.port} sends at {baud} baud, the console is at {console.baud}",
                       "warning", at=event.t_ps)  # fmt: skip
        self._read(self._hearing.hear(event, self._uart(console.uart)))

    def _uart(self, name: str) -> object:
        return self._machine.soc.peripherals.get(name)

    def _read(self, words: Sequence[Word]) -> None:
        """What the terminal makes of it."""
        console, hearing = self.board.console, self._hearing
        assert console is not None
        assert hearing is not None
        for word in words:
            self._out.append(word.byte)
            self._sent += 1
            if word.error:
                self._tell(f"{console.uart} sends {hearing.sent_as}, the console is set to "
                           f"{console.frame} and reads {_error(word.error)}",
                           "warning", at=word.t_ps)  # fmt: skip

    def _tell(self, text: str, severity: str = "note", *, at: int, once: bool = True) -> None:
        if once:
            if text in self._told or len(self._told) > MOST_TOLD:
                return
            self._told.add(text)
            if len(self._told) > MOST_TOLD:
                text, severity = "and more, no longer told one by one", "note"
        self._notes.append((f"{show_duration(at, 4)}: {text}", severity))

    # ------------------------------------------------------------------ what is done to it

    def _await_script(self, typed: Typed) -> None:
        """Input that a script has ready belongs to the beginning, however fast time runs."""
        deadline = time.monotonic() + GRACE_S
        while not typed.ended and time.monotonic() < deadline and len(self._in) < 1 << 20:
            data = typed.take(0.01)
            if data:
                deadline = time.monotonic() + GRACE_S
            self._in += data

    def _take(self, data: bytes, *, keys: bool) -> None:
        if not keys:
            self._in += data
            return
        for key in data:
            if self._menu:
                self._menu = False
                self._choose(key)
            elif key == MENU:
                self._menu = True
            elif key == QUIT:
                self.quit = True
            elif key == INTERRUPT:
                raise KeyboardInterrupt
            else:
                self._in.append(key)

    def _choose(self, key: int) -> None:
        match chr(key).casefold():
            case "q" | "\x1d":
                self.quit = True
            case "b":
                self._push(self._tap)
            case "h":
                self._push(self._hold)
            case "r" if self._gdb is not None:
                self.terminal.note("the debugger has the board: monitor reset")
            case "r":
                self.terminal.note("power off and on")
                self._load()
                self._begin()
            case "t" | "\x14":
                self._in.append(MENU)
            case "?":
                self.terminal.note(KEYS_HELP)
            case digit if digit.isdecimal() and 0 < int(digit) <= len(self._buttons):
                self._button = int(digit) - 1
            case _:
                self.terminal.note(f"Ctrl-T {chr(key)!r} means nothing; Ctrl-T ? helps")

    def _push(self, what: Callable[[Part], Stimulus]) -> None:
        if not self._buttons:
            self.terminal.note(f"{self.board.title} has no button")
            return
        self._machine.stimulate(what(self._buttons[self._button]))

    def _tap(self, part: Part) -> Press:
        return Press(part.name, self._finger(2 * TAP_PS), TAP_PS)

    def _hold(self, part: Part) -> Drive:
        down = part.name not in self._holding
        (self._holding.add if down else self._holding.remove)(part.name)
        return Drive(part.name, self._finger(TAP_PS), 1 if down else None)

    def _finger(self, takes_ps: int) -> int:
        """When the finger is free, however fast the keys come; it then is busy for a while."""
        at = max(self.t_ps, self._finger_free_ps)
        self._finger_free_ps = at + takes_ps
        return at

    def _send_waiting(self) -> None:
        """Put waiting input on the wire, as soon as the line is free and the firmware listens."""
        console = self.board.console
        if not self._in or console is None or self._line_free_ps > self.t_ps + STEP_PS:
            return
        signal = f"{console.uart}_RX"
        fabric = self._machine.soc.fabric
        if not fabric.has_input(signal) or fabric.input(signal).pad is None:
            if self.t_ps > DEAF_AFTER_PS:
                self._tell(f"the firmware does not listen on {console.uart}; input waits",
                           "warning", at=self.t_ps)  # fmt: skip
            return
        at = max(self.t_ps, self._line_free_ps)
        byte_ps = console.frame.halves * PS_PER_S // (2 * console.baud)
        most = max(1, STEP_PS // byte_ps)
        data = bytes(self._in[:most])
        del self._in[:most]
        self._machine.stimulate(Send(console.uart, at, data))
        self._line_free_ps = at + len(data) * byte_ps

    # ------------------------------------------------------------------ what is shown

    def _show(self, *, last: bool = False) -> None:
        console = self.board.console
        if self._hearing is not None and console is not None:
            self._read(self._hearing.rest(self.t_ps, self._uart(console.uart)))
        if self._out:
            self.terminal.serial(bytes(self._out))
            self._out.clear()
        while self._notes:
            self.terminal.note(*self._notes.popleft())
        columns = max(20, shutil.get_terminal_size().columns - 3)
        for text in self._shown.due(self.t_ps, columns, last=last):
            self.terminal.note(text)
        now = time.monotonic()
        if last or now - self._drawn >= REDRAW_S:
            self._drawn = now
            self.terminal.status(self._status())

    def _status(self) -> str:
        cells = [f"{led.name} {self._led(led)}" for led in self._leds]
        for number, part in enumerate(self._buttons):
            down = self._pins[part.pin].at(self.t_ps) == part.active
            chosen = "*" if len(self._buttons) > 1 and number == self._button else ""
            cells.append(f"{part.name}{chosen} {'down' if down else 'up'}")
        cells.append(f"{self.t_ps / PS_PER_S:.1f} s")
        if not self.real_time:
            cells.append("as fast as it goes")
        elif self._pace < 0.9:
            cells.append(f"{self._pace:.2f} of real time")
        cells.append("Ctrl-T: b h r q ?" if self._menu else "Ctrl-T menu, Ctrl-] quit")
        return "   ".join(cells)

    def _led(self, led: Part) -> str:
        pin = self._pins[led.pin]
        if pin.wave is not None:
            period = pin.wave.first_ps + pin.wave.second_ps
            rate = round(PS_PER_S * MHZ_PER_HZ / period)
            if rate > SLOW_MHZ:
                first = pin.wave.first_ps if pin.wave.level == led.active else pin.wave.second_ps
                return f"{100 * first / period:.0f} % at {show_frequency(rate, 3)}"
        return "on " if pin.at(self.t_ps) == led.active else "off"
