"""The real board as a bench: flashed, let go, listened to, and watched through its probe.

What it sees it sees now and then: the trace says how often each pin was looked at, and how well the
times are known (``Trace.watched``). What it cannot do to the board it says too (``NotDone``).

Looks come at random moments: in step with the firmware they would see only one side of it.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Protocol

from fwgen.contract import Analog, Drive, Press, Send, Sense, Turn
from fwgen.contract.timing import STARTUP_PS
from fwgen.contract.words import say
from fwgen.image.facts import Facts
from fwgen.rig import fault as faults
from fwgen.rig.clock import WallClock
from fwgen.rig.flash import program
from fwgen.rig.hand import Presses, can_be_pressed, one_by_one
from fwgen.rig.looks import Captured, Looks
from fwgen.rig.pads import Pads
from fwgen.rig.serial import Capture, stamped
from fwgen.rig.wires import Move, moves_of, pin_of
from fwgen.trace import (
    Edge,
    Event,
    Heard,
    Looked,
    NotDone,
    Reset,
    SerialByte,
    Stimulated,
    Trace,
    Watched,
)
from fwgen.units import MHZ_PER_HZ, PS_PER_MS, PS_PER_S, show_duration

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from fwgen.contract import Stimulus
    from fwgen.image.types import Image
    from fwgen.rig.clock import Clock
    from fwgen.rig.connection import Connection
    from fwgen.rig.flash import Programmed, Progress
    from fwgen.rig.pads import PortMap
    from fwgen.rig.wires import Hand, Wire
    from fwgen.trace import Fault, Sampled, Voltage


class Analyser(Protocol):
    """A logic analyser on some pins: sharper than a probe, and blind to what drives them."""

    @property
    def words(self) -> str:
        """What it is, and how sharply it sees."""

    @property
    def pins(self) -> Sequence[str]:
        """The pins that it is wired to."""

    def start(self) -> None:
        """From now on everything is kept."""

    def stop(self, zero_ps: int, looks: Mapping[str, Looks]) -> Captured:
        """What was seen since a time of the rig's clock; ``looks`` are what the probe saw."""

    def cancel(self) -> None:
        """What is seen from now on matters to nobody; ``stop`` does not follow."""

    def released(self) -> tuple[int, int] | None:
        """Between which times of the rig's clock it saw the core let go; None if it cannot."""

    def heard(self, uart: str) -> Sequence[SerialByte]:
        """What the board sent on its console's line; nothing if it cannot tell.

        Times count from that moment. What was sent some time before it is told, too.
        """


class World(Protocol):
    """What surrounds a board: gives it voltages, and its parts what they sense."""

    def change(self, stimulus: Stimulus, at_ps: int) -> int:
        """Do it at a time of the rig's clock, or at once if that is past; gives when."""

    def voltages(self, since_ps: int) -> Sequence[Voltage]:
        """What held pins at voltages from a time of the rig's clock on, which counts as 0."""


EVERY_PS = PS_PER_MS  # between two looks, where the probe is fast enough
OTHERS_PS = 9 * PS_PER_MS  # the ports that nobody asked for are looked at this often, or nearly
CORE_PS = 4 * PS_PER_MS  # the core is looked at after a random time, this on average
LEAD_PS = 3 * PS_PER_MS  # beyond a round: so long before its time a wire is told
AT_REST_PS = 5 * PS_PER_MS  # so long after a wire has moved its pin must have followed
SLICE_PS = 100 * PS_PER_MS  # of looks at the core that are told as one
QUIET_PS, MOST_NOISE_PS = 20 * PS_PER_MS, 500 * PS_PER_MS  # of serial, before it starts
SETTLE_ROUNDS = 4  # that the run goes on after its span, so that its last edges are seen whole
LATE_PS = 2 * PS_PER_S  # a byte that an analyser saw on the line comes to the port by then
FRAME_BITS = 10


@dataclass(slots=True)
class RigBench:
    """A board behind an open connection, as a bench. Each ``run`` flashes (if needed) and resets.

    ``port`` is its console, opened with pyserial, or None; ``latency_ps`` how late a byte may
    reach us. ``pins`` are looked at in each round, ``every_ps`` apart or as fast as the probe
    goes; the others as often as it can be done beside. ``wires`` are what can drive a pin, by the
    pin's name; a button that nothing is wired to a person presses, if there is a ``hand``. A
    ``world`` gives voltages, and parts what they sense; without one nothing does. What an
    ``analyser`` is wired to is taken from it. ``programmed`` tells of the last flash; ``progress``
    hears how far it is, ``flashed`` what it did, before the run begins.

    Raises RigError for whatever the rig cannot do; what the firmware does is in the trace.
    """

    connection: Connection
    port: Any = None
    latency_ps: int = 0
    clock: Clock = field(default_factory=WallClock)
    pins: Sequence[str] = ()
    every_ps: int = EVERY_PS
    wires: Mapping[str, Wire] = field(default_factory=dict)
    analyser: Analyser | None = None
    hand: Hand | None = None
    world: World | None = None
    name: str = "rig"
    means: str = ""  # what looks, in words; left out: the probe and the port by name
    backup: bool | None = None
    progress: Progress | None = None
    programmed: Programmed | None = None
    flashed: Callable[[Programmed], None] | None = None
    listener: Callable[[Event], None] | None = None

    def run(self, image: Image, stimuli: Sequence[Stimulus], span_ps: int) -> Trace:
        """Flash what is not there yet, reset, and tell what was seen for ``span_ps``."""
        # It is not let go yet: what it said then would come while we listen for what it says next.
        self.programmed = program(
            self.connection, image, backup=self.backup, run=False, progress=self.progress
        )
        if self.flashed is not None:
            self.flashed(self.programmed)
        return _Run(self, image, stimuli, span_ps).run()


class _Run:
    """One run, from the reset on."""

    def __init__(
        self, bench: RigBench, image: Image, stimuli: Sequence[Stimulus], span_ps: int
    ) -> None:
        self.bench, self.image, self.span_ps = bench, image, span_ps
        self.board, self.connection = bench.connection.board, bench.connection
        self.clock = bench.clock
        self.pads = Pads(self.board, self.connection, bench.wires)
        ports = {self.pads.port_of(pin) for pin in bench.pins}
        # What an analyser has all of need not be looked at; but whether a wire moves its pin must.
        sharper = set(bench.analyser.pins) - set(bench.wires) if bench.analyser else set()
        self.ports = [port for port in self.pads.ports if not sharper.issuperset(port.pins)]
        self.asked = [port for port in self.ports if port in ports]
        self.others = [port for port in self.ports if port not in ports]
        self.line: Sequence[SerialByte] = ()  # what the analyser saw on the console's
        self.facts = Facts(self.board.chip)
        self.chance = random.Random(span_ps)
        self.looks: dict[str, Looks] = {}
        self.events: list[Event] = []
        self.zero = self.zero_ps = self.late_ps = 0
        self.moves: list[Move] = []
        self.sends: list[Send] = []
        self.changes: list[Stimulus] = []  # of the world around
        self.refused: list[tuple[Stimulus, str]] = []
        by_hand = [s for s in stimuli if not self._plan(s) and isinstance(s, Press)]
        self.presses: Presses | None = None
        if bench.hand is not None and one_by_one(by_hand):
            self.presses = Presses(bench.hand, by_hand, self.board) if by_hand else None
        else:
            at_once = "nobody can be asked to press two buttons at once"
            self.refused += [(press, at_once) for press in by_hand]
        self.moves.sort(key=lambda move: move.at_ps)
        self.sent = bool(self.sends)
        self.sends.sort(key=lambda send: send.at_ps)
        self.changes.sort(key=lambda change: change.at_ps)
        self.fault: Fault | None = None
        self.capture: Capture | None = None
        self._slice: list[int] = []  # start, times, asleep
        # Of pins that are driven from outside: what was done, and which did not move for all that.
        self.done: dict[str, Looks] = {}
        self.told_ps: dict[str, int] = {}
        self.dead: set[str] = set()
        self.begun: list[tuple[str, Stimulated]] = []
        self.sharp: tuple[str, ...] = ()  # the pins that an analyser saw
        self.notes: tuple[str, ...] = ()  # why it did not see more
        self.off_ps = 0  # between its clock and the probe's
        self._line_free_ps = 0
        self._next_core_ps = 0
        self._other_due_ps: dict[str, int] = {}

    # ------------------------------------------------------------------ what to do

    def _plan(self, stimulus: Stimulus) -> bool:
        """Arrange for it to be done, or not; False when a person has to."""
        if isinstance(stimulus, Send):
            why = self._cannot_send(stimulus)
            if not why:
                self.sends.append(stimulus)
        elif isinstance(stimulus, (Sense, Turn, Analog)) or "." in stimulus.subject:
            why = ""
            if self.bench.world is not None:
                self.changes.append(stimulus)
            elif isinstance(stimulus, Analog):
                why = "nothing on this rig gives a voltage"
            else:
                why = f"nothing on this rig moves {stimulus.subject}"
        else:
            pin = pin_of(stimulus, self.board)
            why = "" if pin in self.bench.wires else f"nothing is wired to {pin or 'it'}"
            if why and self.bench.hand is not None and can_be_pressed(stimulus, self.board):
                return False
            if not why:
                self.moves += moves_of(stimulus, self.board)
        if why:
            self.refused.append((stimulus, why))
        return True

    def _cannot_send(self, stimulus: Send) -> str:
        port, console = self.bench.port, self.board.console
        if port is None or console is None:
            return "no serial port is connected"
        if stimulus.baud is not None and stimulus.baud != port.baudrate:
            return f"the port is open at {port.baudrate} baud"
        return ""

    # ------------------------------------------------------------------ the run

    def run(self) -> Trace:
        port = self.bench.port
        if port is None:
            self._go()
            return self._trace(None)
        with Capture(port, self.clock, latency_ps=self.bench.latency_ps) as capture:
            self.capture = capture
            self._go()
            capture.poll()
            self._await_bytes(capture)
        return self._trace(capture)

    def _go(self) -> None:
        connection = self.connection
        connection.reset(halt=True)
        if self.capture is not None:
            # What was said before may still be under way, for as long as a byte takes to us.
            quiet = max(QUIET_PS, self.bench.latency_ps)
            self.capture.settle(quiet, most_ps=MOST_NOISE_PS + quiet)
        self._forget_causes()
        connection.write_word(
            faults.DEMCR, connection.read_word(faults.DEMCR) | faults.CATCH
        )  # fmt: skip
        connection.read_word(faults.DHCSR)  # S_RESET_ST is told once
        for port in self.ports:
            for pin, level in self.pads.levels(port).items():
                self.looks[pin] = Looks(pin, level)
        analyser = self.bench.analyser
        captured = Captured({})
        heard: Sequence[SerialByte] = ()
        try:
            if analyser is not None:
                analyser.start()
            try:
                self._release()
                self._watch()
            finally:
                self._let_go()
            if analyser is not None:
                captured = analyser.stop(self.zero, self.looks)
                if self.board.console is not None:
                    heard = analyser.heard(self.board.console.uart)
                analyser = None
        finally:
            if analyser is not None:
                analyser.cancel()
        self.until_ps = self._seen_until
        for looks in self.done.values():
            looks.skip(self.until_ps)
        self._take_analyser(captured)
        self.line = [byte for byte in heard if byte.t_ps <= self.until_ps]
        self._take_over({pin: looks for pin, looks in self.done.items() if pin not in self.dead})

    def _take_analyser(self, captured: Captured) -> None:
        """What the analyser saw, where it saw more than the probe.

        Its input is high or low whatever drives it: of a pin that floats, the probe knows better.
        Its clock and the probe's are known to be together to ``off_ps`` only; that is told of
        what the probe saw, so that times of one pin by itself stay as sharp as they are.
        """
        floats = {
            pin
            for pin, looks in self.looks.items()
            if any(level is None for start, _, level in looks.seen if start > STARTUP_PS)
        }
        sharper = {pin: looks for pin, looks in captured.looks.items() if pin not in floats}
        self.sharp, self.notes = tuple(sharper), captured.notes
        if not sharper:
            return
        self.off_ps = captured.off_ps
        self.until_ps = min([self.until_ps, *(looks.until_ps for looks in sharper.values())])
        self._take_over(sharper)

    def _take_over(self, sharper: Mapping[str, Looks]) -> None:
        """What is known better of some pins replaces what the probe saw of them."""
        self.events = [e for e in self.events if not (isinstance(e, Edge) and e.pin in sharper)]
        for pin, looks in sharper.items():
            self.events += looks.edges
            self.looks[pin] = looks
            self.initial[pin] = looks.first

    def _forget_causes(self) -> None:
        """The causes of resets are kept until they are cleared: those before ours are no matter."""
        where, remove = self.facts.get("RCC_CSR"), self.facts.get("RCC_CSR_RMVF")
        if where is not None and remove is not None:
            self.connection.write_word(where, self.connection.read_word(where) | remove)

    def _release(self) -> None:
        before = self.clock.now_ps
        self.connection.write_word(faults.DHCSR, faults.DBGKEY | faults.C_DEBUGEN)
        after = self.clock.now_ps
        if self.bench.analyser is not None:
            before, after = self.bench.analyser.released() or (before, after)
        self.zero, self.zero_ps = (before + after) // 2, (after - before + 1) // 2
        for look in self.looks.values():
            look.since_ps = -self.zero_ps
        self.initial = {pin: look.level for pin, look in self.looks.items()}
        self._slice = [0, 0, 0]

    def _let_go(self) -> None:
        """Faults are no longer caught: the board is its firmware's."""
        control = self.connection.read_word(faults.DEMCR)
        self.connection.write_word(faults.DEMCR, control & ~faults.CATCH)
        if self.connection.read_word(faults.DHCSR) & faults.S_HALT:
            self.connection.write_word(faults.DHCSR, faults.DBGKEY | faults.C_DEBUGEN)

    @property
    def now(self) -> int:
        """Time since reset, as far as we know."""
        return self.clock.now_ps - self.zero

    def _watch(self) -> None:
        rest = SETTLE_ROUNDS
        while rest:
            began = self.now
            if self.presses is not None:
                self.presses.step(began, self.pads.is_readable)
            self._act()
            for port in self.asked:
                self._look_at(port)
            for port in self._some_others(began):
                self._look_at(port)
            if began >= self._next_core_ps:
                self._look_at_core()
                self._next_core_ps = began + CORE_PS * self.chance.randint(500, 1500) // 1000
            if self.capture is not None:
                self.capture.poll()
            self._wait(began)
            if self._seen_until > self._until():
                rest -= 1
        if self.presses is not None:
            self.presses.finish()

    def _until(self) -> float:
        """When enough was seen; not before a person has done what they were asked for."""
        if self.presses is None or self.presses.failed is not None:
            return self.span_ps + self.zero_ps
        if self.presses.barrier_ps is not None:
            return float("inf")
        return self.span_ps + self.presses.shift_ps + self.zero_ps + self.presses.blur_ps

    @property
    def _seen_until(self) -> int:
        """Up to when all that we look at by ourselves was seen."""
        return min((look.until_ps for look in self.looks.values()), default=self.now)

    def _some_others(self, now: int) -> list[PortMap]:
        """The ports beside those asked for whose turn it is."""
        due = [port for port in self.others if now >= self._other_due_ps.get(port.name, 0)]
        # One in a round, if all get their turn in time; else the rounds are long anyway.
        most = max(1, -(-len(self.others) * self.bench.every_ps // OTHERS_PS))
        chosen = sorted(due, key=lambda port: self._other_due_ps.get(port.name, 0))[:most]
        for port in chosen:
            self._other_due_ps[port.name] = now + OTHERS_PS * 3 // 4
        return chosen

    def _look_at(self, port: PortMap) -> None:
        before = self.now
        levels = self.pads.levels(port)
        after = self.now
        for pin, level in levels.items():
            if pin in self.done and before > self.told_ps[pin] + AT_REST_PS:
                self._check_wire(pin, level)
            edge = self.looks[pin].look(before, after, level)
            if edge is not None:
                self._tell(edge)
                if self.presses is not None:
                    self.presses.saw(edge)

    def _check_wire(self, pin: str, level: int | None) -> None:
        """A pin that is not at the level that its wire drives has no wire after all.

        Where the wire lets go and nothing on the board holds the pin, the chip decides.
        """
        done = self.done[pin]
        if done.level is None:
            done.rests_at(level)
        elif level != done.level:
            self.dead.add(pin)

    def _look_at_core(self) -> None:
        before = self.now
        status = self.connection.read_word(faults.DHCSR)
        after = self.now
        if status & faults.S_RESET_ST:
            self._tell(Reset(max(0, before), self._cause()))
        if status & (faults.S_HALT | faults.S_LOCKUP) and self.fault is None:
            self._tell_fault(before, locked=bool(status & faults.S_LOCKUP))
        since, times, asleep = self._slice
        times, asleep = times + 1, asleep + bool(status & faults.S_SLEEP)
        self._slice = [since, times, asleep]
        if after - since >= SLICE_PS:
            self._end_slice(after)

    def _end_slice(self, now: int) -> None:
        since, times, asleep = self._slice
        if times:
            self._tell(Looked(now, max(0, since), times, asleep))
        self._slice = [now, 0, 0]

    def _cause(self) -> str:
        found = faults.reset_causes(self.facts)
        if found is None:
            return "unknown"
        where, bits = found
        value = self.connection.read_word(where)
        # The reset pin is pulled by every reset from within, too: another cause says more.
        names = [name for name, bit in bits.items() if value & bit and name != "PINRSTF"]
        self._forget_causes()
        return names[0] if names else "PINRSTF"

    def _tell_fault(self, at: int, *, locked: bool) -> None:
        if locked:
            self.connection.halt()
        self.fault = faults.read_fault(self.connection, self.board, self.image, max(0, at))
        self._tell(self.fault)
        # Its handler may go on, as it would without us.
        self.connection.write_word(faults.DHCSR, faults.DBGKEY | faults.C_DEBUGEN)

    def _wait(self, began: int) -> None:
        """Until the next round, at a random moment about ``every_ps`` after the last."""
        every = self.bench.every_ps
        due = began + every * self.chance.randint(500, 1000) // 1000
        left = due - self.now
        if left <= 0:
            return
        if self.capture is not None:
            self.capture.wait(left)
        else:
            self.clock.sleep(left)

    # ------------------------------------------------------------------ stimuli

    def _act(self) -> None:
        if self.presses is not None and self.presses.failed is not None:
            return  # what comes after what was not done was not asked for
        shift = self.presses.shift_ps if self.presses is not None else 0
        now = self.now + self.bench.every_ps + LEAD_PS - shift
        barrier = self.presses.barrier_ps if self.presses is not None else None
        if barrier is not None:
            now = min(now, barrier - 1)
        while self.moves and self.moves[0].at_ps <= now:
            self._move(self.moves.pop(0), shift)
        while self.changes and self.changes[0].at_ps <= now:
            self._change(self.changes.pop(0), shift)
        while self.sends and self.sends[0].at_ps <= now:
            self._send(self.sends.pop(0), shift)

    def _move(self, move: Move, shift_ps: int) -> None:
        due = self.zero + move.at_ps + shift_ps
        early, late = self.bench.wires[move.pin].drive(move.level, due)
        rests = self.pads.drive(move.pin, move.level)
        self._was_late(due, early, late)
        looks = self.done.get(move.pin)
        if looks is None:
            looks = self.done[move.pin] = self.looks[move.pin].so_far()
        looks.skip(early - self.zero)
        looks.look(early - self.zero, late - self.zero, rests)
        self.told_ps[move.pin] = late - self.zero
        if move.begins is not None:
            t_ps = max(0, (early + late) // 2 - self.zero)
            event = Stimulated(t_ps, move.begins.subject, say(move.begins, self.board))
            self.begun.append((move.pin, event))
            self._tell(event)

    def _change(self, stimulus: Stimulus, shift_ps: int) -> None:
        assert self.bench.world is not None
        due = self.zero + stimulus.at_ps + shift_ps
        at_ps = self.bench.world.change(stimulus, due)
        self._was_late(due, at_ps, at_ps)
        told = say(stimulus, self.board)
        self._tell(Stimulated(max(0, at_ps - self.zero), stimulus.subject, told))

    def _was_late(self, due: int, early: int, late: int) -> None:
        self.late_ps = max(self.late_ps, abs(early - due), abs(late - due))

    def _send(self, send: Send, shift_ps: int) -> None:
        assert self.capture is not None
        assert self.board.console is not None
        due = send.at_ps + shift_ps
        left = due - self.now
        if left > 0:
            self.capture.wait(left)
        start = self.now
        self.capture.send(send.data)
        self._was_late(due, start, self.now + self.bench.latency_ps)
        self._tell(Stimulated(max(0, start), send.subject, say(send, self.board)))
        baud = self.bench.port.baudrate
        start = max(start, self._line_free_ps)
        for i, byte in enumerate(send.data):
            begin, end = (start + n * FRAME_BITS * PS_PER_S // baud for n in (i, i + 1))
            uart = self.board.console.uart
            self._tell(SerialByte(end, uart, "rx", byte, baud * MHZ_PER_HZ, begin))
        self._line_free_ps = start + len(send.data) * FRAME_BITS * PS_PER_S // baud

    # ------------------------------------------------------------------ what was said

    def _await_bytes(self, capture: Capture) -> None:
        """What the analyser saw on the line will come, too: a busy computer brings it late."""
        until = self.clock.now_ps + LATE_PS
        while self.line and self._stamped(capture) is None and self.clock.now_ps < until:
            capture.wait(EVERY_PS)

    def _stamped(self, capture: Capture) -> Sequence[SerialByte] | None:
        """What came to the port, with the times that the analyser has of it."""
        return stamped(bytes(one.byte for one in capture.since(self.zero)), self.line)

    # ------------------------------------------------------------------ what came of it

    def _tell(self, event: Event) -> None:
        self.events.append(event)
        if self.bench.listener is not None:
            self.bench.listener(event)

    def _trace(self, capture: Capture | None) -> Trace:
        self._end_slice(max(0, self.now))
        span = self.until_ps
        lost = {id(event): pin for pin, event in self.begun if pin in self.dead}
        events = [
            e if id(e) not in lost or not isinstance(e, Stimulated)
            else NotDone(e.t_ps, e.subject, "it", f"the wire to {lost[id(e)]} does not move it")
            for e in self.events
        ]  # fmt: skip
        events += self._by_hand()
        if self.bench.world is not None:
            events += self.bench.world.voltages(self.zero)
        for stimulus, why in self.refused:
            events.append(NotDone(stimulus.at_ps, stimulus.subject, _what(stimulus), why))
        ports: dict[str, Heard] = {}
        console = self.board.console
        if capture is not None and console is not None:
            known = self._stamped(capture)
            events += capture.events(console.uart, self.zero) if known is None else known
            blur = 0 if known is not None else capture.uncertainty_since(self.zero)
            if self.sent or known is None:
                blur = max(blur, self.bench.latency_ps)
            ports[console.uart] = Heard(blur + self.off_ps, self.bench.port.baudrate)
        events = [self._together(e) for e in events]
        return Trace(
            bench=self.bench.name,
            board=self.board.name,
            span_ps=span,
            events=tuple(sorted((e for e in events if e.t_ps < span), key=lambda e: e.t_ps)),
            initial=self.initial,
            watched=Watched(
                pins=self._pins(),
                ports=ports,
                zero_ps=self.zero_ps + self._late() + self.off_ps,
                core=True,
                asleep=True,
                means=self._means(),
            ),
        )

    def _late(self) -> int:
        """How far what was done to the board was off from when it is said to be done."""
        return max(self.late_ps, self.presses.blur_ps if self.presses is not None else 0)

    def _by_hand(self) -> list[Event]:
        """What a person did, and what they were asked for in vain."""
        if self.presses is None:
            return []
        made: list[Event] = []
        for act in self.presses.acts:
            hold = None if act.until_ps is None else act.until_ps - act.t_ps
            press = Press(act.subject, act.t_ps, hold)
            made += [act, Stimulated(act.t_ps, act.subject, f"{say(press, self.board)}, by hand")]
        if self.presses.failed is not None:
            stimulus, why = self.presses.failed
            self.refused.append((stimulus, why))
            later = "what was asked for before it was not done"
            self.refused += [(one, later) for one in self.presses.refused if one != stimulus]
            begins = [move.begins for move in self.moves if move.begins is not None]
            self.refused += [(one, later) for one in (*begins, *self.sends)]
        return made

    def _together(self, event: Event) -> Event:
        """An event in the analyser's time, if the probe saw it in its own."""
        if self.off_ps and isinstance(event, Edge) and event.pin not in self.sharp:
            return replace(event, blur_ps=event.blur_ps + self.off_ps)
        return event

    def _means(self) -> str:
        if self.bench.means:
            return "; ".join((self.bench.means, *self.notes))
        means = f"probe {self.connection.probe.uid}"
        if self.bench.port is not None:
            means += f", port {self.bench.port.name}"
        if self.bench.analyser is not None:
            means += f", {self.bench.analyser.words} on {', '.join(self.sharp) or 'no pin'}"
        if self.off_ps:
            means += f", the two together to {show_duration(self.off_ps, 2)}"
        return "; ".join((means, *self.notes))

    def _pins(self) -> dict[str, Sampled]:
        return {pin: look.sampled() for pin, look in sorted(self.looks.items())}


def _what(stimulus: Stimulus) -> str:
    match stimulus:
        case Press():
            return "the press"
        case Drive():
            return "the level from outside"
        case Analog():
            return "the voltage from outside"
        case Sense() | Turn():
            return "what was to happen to it"
        case _:
            return "the text"
