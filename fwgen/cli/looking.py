"""A real board, or one behind an emulated probe, as something to watch: looked at now and then.

Who reaches the board may flash it and hold it at its first instruction: then it is let go when
somebody looks. Else it goes on with what it does. A cable that is pulled is waited for.
"""

from __future__ import annotations

import random
import time
from collections import deque
from contextlib import ExitStack
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from fwgen.cli.faulted import Faults
from fwgen.cli.watched import Said
from fwgen.errors import FwgenError, InputError, RigError
from fwgen.interrupt import held
from fwgen.rig import fault as faults
from fwgen.rig.clock import WallClock
from fwgen.trace import Edge, Reset, SerialByte
from fwgen.units import MHZ_PER_HZ, PPM, PS_PER_MS, PS_PER_S, show_duration

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from contextlib import AbstractContextManager

    from fwgen.board.types import Board, Part
    from fwgen.contract import Stimulus
    from fwgen.hil.place import Place
    from fwgen.image.types import Image
    from fwgen.rig.pads import Pads, PortMap
    from fwgen.trace import Event

    Reach = Callable[[bool], AbstractContextManager[Place]]
    """Reaches the board; True: again, after it went away."""

STEP_PS = 20 * PS_PER_MS  # so long is looked before what was seen is shown
REST_PS = PS_PER_MS  # between two rounds of looks, at the most
AGAIN_S = 0.5  # between two tries to reach a board that went away
LATELY_PS = 2 * PS_PER_S  # what the sampling rate is told of
TAP_PS = 100 * PS_PER_MS
DFSR, VCATCH = 0xE000_ED30, 8  # Arm ARM DDI0403 C1.6.1: the core stopped because of a caught fault


class Looking:
    """A board behind a probe, as a source of what can be seen there.

    The pins of parts, and those that have moved, are looked at in each round, the others by turns.
    ``span_ps`` None: for ever. ``image`` is what was flashed, and waits to be let go. Without
    ``reconnect``, a board that goes away is an error. Raises RigError when it is not there.
    """

    def __init__(
        self,
        board: Board,
        reach: Reach,
        stimuli: Sequence[Stimulus] = (),
        *,
        image: Image | None = None,
        span_ps: int | None = None,
        reconnect: bool = True,
        patient: bool = False,
    ) -> None:
        self.board, self.image = board, image
        self.now_ps = 0
        self.initial: Mapping[str, int | None] = {}
        self._reach, self._reconnect, self._patient = reach, reconnect, patient
        self._span_ps = span_ps
        self._clock = WallClock()
        self._zero = self._clock.now_ps
        self._held = ExitStack()
        self._place: Place | None = None
        self._pads: Pads | None = None
        self._port: Any = None
        self._events: list[Event] = []
        self._seen: dict[str, tuple[int, int | None]] = {}  # since when, and the level
        self._often: list[PortMap] = []
        self._seldom: deque[PortMap] = deque()
        self._rounds: deque[int] = deque()
        self._core: deque[tuple[int, bool]] = deque()
        self._chance = random.Random(0)
        self._stands = False  # the core, for a debugger
        self._locked = False  # the core, and that was told
        self._faults = Faults()
        self._tries_at = 0.0
        self._stimuli = list(stimuli)
        self._due: list[tuple[int, Callable[[], None]]] = []
        self._finger_free_ps = 0
        self._uid = ""

    def __enter__(self) -> Looking:
        try:
            try:
                self._open(again=False)
            except RigError as error:
                if not self._patient:
                    raise
                self._say(f"{error.message}; waiting for it")
            for stimulus in self._stimuli:
                self._plan(stimulus)
            self._zero = self._clock.now_ps
            if self._place is not None:
                self._begin(again=False)
                self.initial = {pin: level for pin, (_, level) in self._seen.items()}
        except BaseException:
            self._close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._close()

    # ------------------------------------------------------------------ what it is

    @property
    def title(self) -> str:
        """The board, and by what it is seen."""
        if self._place is None:
            return f"{self.board.title}, away"
        where = "in software, behind" if self._place.virtual is not None else "at"
        return f"{self.board.title}, {where} probe {self._uid}"

    @property
    def over(self) -> bool:
        """Whether the time that was asked for has passed, or each fault is only the last again."""
        ended = self._span_ps is not None and self.now_ps >= self._span_ps
        return ended or bool(self._faults.returns())

    @property
    def every_ps(self) -> int:
        """How far apart two looks at a pin are, usually; as measured lately."""
        gaps = self._gaps()
        return sum(gaps) // len(gaps) if gaps else 0

    @property
    def resolution_ps(self) -> int:
        """How far apart two looks were at the most, lately: what lasts that long is seen."""
        return max(self._gaps(), default=0)

    @property
    def awake_ppm(self) -> int | None:
        """The share of looks, lately, at which the core ran."""
        if not self._core:
            return None
        return PPM * sum(not asleep for _, asleep in self._core) // len(self._core)

    @property
    def summary(self) -> str:
        """What was seen and how well, in one line."""
        how = f"watched for {show_duration(self.now_ps, 3)}"
        if self.every_ps:
            how += (
                f", pins looked at every {show_duration(self.every_ps, 2)}, "
                f"{show_duration(self.resolution_ps, 2)} at the longest: what is shorter may be "
                "missed"
            )
        return "; ".join(filter(None, (how, self._faults.told(), self._faults.returns())))

    def _gaps(self) -> list[int]:
        return [b - a for a, b in pairwise(self._rounds)]

    # ------------------------------------------------------------------ the cable

    def _open(self, *, again: bool) -> None:
        from fwgen.rig.pads import Pads

        with ExitStack() as held:
            place = held.enter_context(self._reach(again))
            connection = place.connection
            self._pads = Pads(self.board, connection, place.wires)
            control = connection.read_word(faults.DEMCR)
            connection.write_word(faults.DEMCR, control | faults.CATCH)
            connection.read_word(faults.DHCSR)  # S_RESET_ST is told once
            try:
                self._port = self._tuned(place.console())
            except RigError as error:
                self._port = None
                self._say(f"the console is not heard: {error.message}")
            self._place, self._uid = place, place.probe.uid
            self._held = held.pop_all()
        if self._port is None and self.board.console is not None and not self._events:
            self._say("the console is not heard: no serial port is there")
        parts = {part.pin for part in self.board.parts.values()}
        ports = self._pads.ports
        self._often = [port for port in ports if parts & set(port.pins)]
        self._seldom = deque(port for port in ports if port not in self._often)

    def _begin(self, *, again: bool) -> None:
        """A first look at everything, from which changes count; what was flashed is let go."""
        assert self._pads is not None
        assert self._place is not None
        self._rounds.clear()
        before = self._now
        for port in self._pads.ports:
            for pin, level in self._pads.levels(port).items():
                known = self._seen.get(pin)
                if known is not None and known[1] != level:
                    self._events.append(Edge(max(1, self._now), pin, level))
                self._seen[pin] = before, level
        if self.image is not None and not again:
            self._place.connection.run()

    def _lose(self, error: RigError) -> None:
        """The board is gone, or its probe. Raises what it was when nobody waits for it."""
        self._close()
        if not self._reconnect:
            raise error
        self._say(f"{error.message}; waiting for it to come back")
        self._tries_at = time.monotonic() + AGAIN_S

    def _retry(self) -> None:
        if time.monotonic() < self._tries_at:
            return
        self._tries_at = time.monotonic() + AGAIN_S
        try:
            again = bool(self._uid)
            self._open(again=again)
            self._begin(again=again)
        except RigError:
            self._close()  # not yet
            return
        self._say("it is there")

    def _close(self) -> None:
        place, self._place, self._port, self._pads = self._place, None, None, None
        self._rounds.clear()
        self._core.clear()
        try:
            if place is not None:
                control = place.connection.read_word(faults.DEMCR)
                place.connection.write_word(faults.DEMCR, control & ~faults.CATCH)
        except FwgenError:
            pass  # it is gone: there is nobody to tell
        finally:
            held_, self._held = self._held, ExitStack()
            held_.close()

    # ------------------------------------------------------------------ looking

    @property
    def _now(self) -> int:
        return self._clock.now_ps - self._zero

    def poll(self) -> tuple[Sequence[Event], float]:
        """Look for a while; what was seen, and for how many seconds nothing more will be."""
        wait_s = 0.0
        try:
            if self._place is None:
                with held():
                    self._retry()
                wait_s = AGAIN_S / 10
            until = self._now + STEP_PS
            while self._place is not None and self._now < until:
                with held():  # not in the middle of a transaction
                    self._round()
                self._clock.sleep(REST_PS * self._chance.randint(0, 1000) // 1000)
        except RigError as error:
            self._lose(error)
        self.now_ps = self._now
        if self._span_ps is not None:
            self.now_ps = min(self.now_ps, self._span_ps)
        events = sorted(self._events, key=lambda event: event.t_ps)
        self._events = []
        for event in events:
            self._faults.take(event)
        return events, wait_s

    def _round(self) -> None:
        now = self._now
        while self._due and self._due[0][0] <= now:
            self._due.pop(0)[1]()
        began = self._now
        for port in self._often:
            self._look(port)
        if self._seldom:
            port = self._seldom.popleft()
            if self._look(port):
                self._often.append(port)  # somebody uses it: it is looked at as often as any
            else:
                self._seldom.append(port)
        self._rounds.append(began)
        while self._rounds[0] < began - LATELY_PS:
            self._rounds.popleft()
        self._look_at_core()
        self._hear()

    def _look(self, port: PortMap) -> bool:
        """Look at the pins of a port; whether one has moved."""
        assert self._pads is not None
        before = self._now
        levels = self._pads.levels(port)
        after = self._now
        moved = False
        for pin, level in levels.items():
            since, was = self._seen.get(pin, (before, level))
            self._seen[pin] = before, level
            if level != was:
                moved = True
                t_ps = max(1, (since + after) // 2)
                self._events.append(Edge(t_ps, pin, level, (after - since + 1) // 2))
        return moved

    def _look_at_core(self) -> None:
        assert self._place is not None
        connection = self._place.connection
        now = self._now
        status = connection.read_word(faults.DHCSR)
        if status & faults.S_RESET_ST:
            self._events.append(Reset(max(1, now), self._cause()))
        if status & (faults.S_HALT | faults.S_LOCKUP):
            self._stopped(now, locked=bool(status & faults.S_LOCKUP))
        else:
            self._stands = self._locked = False
        self._core.append((now, bool(status & faults.S_SLEEP)))
        while self._core[0][0] < now - LATELY_PS:
            self._core.popleft()

    def _stopped(self, now: int, *, locked: bool) -> None:
        assert self._place is not None
        connection = self._place.connection
        if locked and self._locked:  # still: nothing but a reset gets it out
            return
        self._locked = locked
        if locked or connection.read_word(DFSR) & VCATCH:
            if locked:
                self._say("the core is locked up: only a reset gets it going")
                connection.halt()
            self._events.append(faults.read_fault(connection, self.board, self.image, max(1, now)))
            connection.write_word(DFSR, VCATCH)  # written 1: cleared
            connection.write_word(faults.DHCSR, faults.DBGKEY | faults.C_DEBUGEN)
        elif not self._stands:
            self._stands = True
            self._say("the core stands still: a debugger has stopped it, or a breakpoint")

    def _cause(self) -> str:
        """Why it was reset: all that the chip keeps until its firmware clears them."""
        from fwgen.image.facts import Facts

        assert self._place is not None
        found = faults.reset_causes(Facts(self.board.chip))
        if found is None:
            return "unknown"
        where, bits = found
        value = self._place.connection.read_word(where)
        names = [name for name, bit in bits.items() if value & bit]
        more = [name for name in names if name not in ("PINRSTF", "PORRSTF", "BORRSTF")]
        return " or ".join(more or names) or "unknown"

    def _tuned(self, port: Any) -> Any:
        """A serial port, at the console's rate and in its format."""
        console = self.board.console
        if port is not None and console is not None:
            frame = console.frame
            port.baudrate, port.bytesize, port.parity = console.baud, frame.bits, frame.parity
            port.stopbits = frame.stop_halves / 2
        return port

    def _hear(self) -> None:
        port, console = self._port, self.board.console
        if port is None or console is None:
            return
        from fwgen.rig.ports import PortError, port_errors

        try:
            with port_errors(port.name):
                data = port.read(port.in_waiting or 1) if port.timeout == 0 else b""
        except PortError as error:
            self._port = None
            self._say(f"the console is no longer heard: {error.message}")
            return
        now, frame = self._now, console.frame.halves * PS_PER_S // (2 * port.baudrate)
        for n, byte in enumerate(data):
            end = now - (len(data) - 1 - n) * frame
            self._events.append(
                SerialByte(max(1, end), console.uart, "tx", byte, port.baudrate * MHZ_PER_HZ,
                           max(0, end - frame))
            )  # fmt: skip

    # ------------------------------------------------------------------ what is done to it

    def press(self, part: Part) -> None:
        """Press a button and let go, if something is wired to it."""
        from fwgen.contract import Press

        if self._place is None or part.pin not in self._place.wires:
            self._say(f"nothing is wired to {part.pin}: press {part.name} by hand")
            return
        at = max(self._now, self._finger_free_ps)
        self._finger_free_ps = at + 2 * TAP_PS
        self._plan(Press(part.name, at, TAP_PS))

    def _plan(self, stimulus: Stimulus) -> None:
        from fwgen.contract import Analog, Send, Sense, Turn
        from fwgen.rig.wires import moves_of, pin_of

        if isinstance(stimulus, Send):
            if self._place is not None and self._port is None:
                raise InputError("there is no serial port to send to", hint="leave --send out")
            self._later(stimulus.at_ps, lambda: self._send(stimulus.data))
            return
        if isinstance(stimulus, (Sense, Turn)):
            raise InputError("nothing here does that", where=stimulus.subject)
        if isinstance(stimulus, Analog):
            raise InputError("nothing here gives a voltage", where=stimulus.subject)
        pin = pin_of(stimulus, self.board)
        if self._place is not None and pin not in self._place.wires:
            raise InputError(
                f"nothing is wired to {pin or stimulus.subject}",
                hint="a rig file names what drives a pin: [wires]",
            )
        for move in moves_of(stimulus, self.board):
            self._later(move.at_ps, lambda move=move: self._drive(move.pin, move.level))  # type: ignore[misc]

    def _later(self, at_ps: int, do: Callable[[], None]) -> None:
        self._due.append((at_ps, do))
        self._due.sort(key=lambda one: one[0])

    def _drive(self, pin: str, level: int | None) -> None:
        assert self._place is not None
        assert self._pads is not None
        if pin in self._place.wires:
            self._place.wires[pin].drive(level, 0)  # now
            self._pads.drive(pin, level)

    def _send(self, data: bytes) -> None:
        from fwgen.rig.ports import PortError, port_errors

        if self._port is None:
            return
        try:
            with port_errors(self._port.name):
                self._port.write(data)
        except PortError as error:
            self._port = None
            self._say(f"the console is no longer heard: {error.message}")

    def _say(self, text: str) -> None:
        self._events.append(Said(max(0, self._now), text))
