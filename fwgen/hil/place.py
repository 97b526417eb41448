"""A rig that stays open: its board reached once, and a bench for each contract."""

from __future__ import annotations

import time
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from fwgen.errors import InputError
from fwgen.rig.analyser import BoardAnalyser
from fwgen.rig.looks import Captured, Looks
from fwgen.rig.sigrok import SigrokAnalyser, configured
from fwgen.trace import Burst, Edge, Voltage, Wave
from fwgen.units import PS_PER_MS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from fwgen.board.types import Board
    from fwgen.contract import Contract, Stimulus
    from fwgen.rig.bench import RigBench
    from fwgen.rig.connection import Connection, How
    from fwgen.rig.flash import Progress
    from fwgen.rig.ports import Port
    from fwgen.rig.probes import Probe
    from fwgen.rig.rigs import RigSpec
    from fwgen.rig.wires import Wire
    from fwgen.trace import Event
    from fwgen.verdict.needs import Needs
    from fwgen.virtual.board import VirtualBoard

VIRTUAL = "virtual"
ANALYSER_PS = 41_667  # a sample of a 24 MHz logic analyser
PROBE_CAN_PS = 4 * PS_PER_MS
"""Tolerances finer than this are for a logic analyser: a probe's looks are too few."""
SELDOM_PS = 20 * PS_PER_MS  # between two looks at the core, where an analyser sees all pins
TOGETHER_PS = PS_PER_MS  # between two looks that tell when an analyser's samples were taken
LOOK_S = 0.2  # between two looks whether a board is free


def spec_of(name: str, board: str = "") -> RigSpec:
    """The rig of a name: a rig file's, or its path.

    Or "virtual" for a board in software, or "labgrid:..." for one of a farm's. ``board`` is which
    one "virtual" is, where no rig file of that name says so. Raises InputError.
    """
    from fwgen.rig.labgrid.lease import SCHEME, parse_place
    from fwgen.rig.rigs import RigSpec, find_rig, load_rig, rig_files

    if name.startswith(SCHEME):
        return RigSpec(name, board, labgrid=parse_place(name))

    if name == VIRTUAL and all(file.stem != VIRTUAL for file in rig_files()):
        if not board:
            raise InputError(
                "a virtual rig needs a board", hint="name it: --board, or --fwgen-board for pytest"
            )
        from fwgen.board import load_board

        return RigSpec(VIRTUAL, load_board(board).name, virtual=True)
    return load_rig(find_rig(name))


class Place:
    """An open rig. ``virtual`` is the board in software, if it is one; ``probe`` its probe."""

    def __init__(
        self,
        spec: RigSpec,
        connection: Connection,
        *,
        wires: Mapping[str, Wire],
        virtual: VirtualBoard | None = None,
        analyser: BoardAnalyser | SigrokAnalyser | None = None,
    ) -> None:
        self.spec, self.connection, self.virtual = spec, connection, virtual
        self.wires = wires
        self.progress: Progress | None = None
        self._analyser = VirtualAnalyser(virtual) if virtual is not None else analyser
        self._world = VirtualWorld(virtual) if virtual is not None else None
        self._port: Any = None
        self._latency_ps = 0

    @property
    def board(self) -> Board:
        """The board that is there."""
        return self.connection.board

    @property
    def probe(self) -> Probe:
        """The probe that reaches it."""
        return self.connection.probe

    def bench(self, contract: Contract) -> RigBench:
        """A bench that watches what the contract asks, as well as this rig can.

        Raises RigError when the contract is about a console whose port is not there.
        """
        from fwgen.contract import Asleep
        from fwgen.rig.bench import RigBench
        from fwgen.verdict.needs import needs

        asked = needs(contract, self.board)
        sleep = any(isinstance(one, Asleep) for one in contract.expectations)
        fine, pins, every_ps = self._shared(asked, sleep=sleep)
        port = self._console(asked.bauds)
        clock = self.virtual if self.virtual is not None else self.connection.clock
        return RigBench(
            self.connection,
            port,
            self._latency_ps if port is not None else 0,
            clock,
            pins,
            every_ps,
            self.wires,
            self._analyser if fine else None,
            world=self._world,
            name="virtual rig" if self.virtual is not None else "rig",
            means=self._means(fine, port),
            # A board in software is nobody's: what was on it need not be kept.
            backup=None if self.virtual is None else False,
            progress=self.progress,
        )

    def _shared(self, asked: Needs, *, sleep: bool) -> tuple[tuple[str, ...], tuple[str, ...], int]:
        """What the analyser sees, what the probe looks at, and how often that looks.

        ``sleep``: the core's sleep matters, which only the probe sees.
        """
        match self._analyser:
            case VirtualAnalyser() as analyser:
                fine = analyser.pins = asked.finer_than(PROBE_CAN_PS)
                return fine, tuple(p for p in asked.pins if p not in fine), asked.every_ps(fine)
            case BoardAnalyser() as analyser:
                fine = tuple(analyser.pins)
                return fine, (), asked.every_ps(fine) if sleep else SELDOM_PS
            case SigrokAnalyser() as analyser:
                fine = analyser.pins = tuple(p for p in asked.pins if p in analyser.spec.channels)
                if fine:
                    # The probe looks at its pins, too: that brings both into one time.
                    return fine, tuple(asked.pins), min(TOGETHER_PS, asked.every_ps(fine))
        return (), tuple(asked.pins), asked.every_ps()

    def _means(self, fine: Sequence[str], port: Any) -> str:
        if isinstance(self._analyser, BoardAnalyser):
            heard = f", port {port.name}" if port is not None else ""
            return f"probe {self.probe.uid}{heard}, analyser {self._analyser.place} on all pins"
        if self.virtual is None:
            return ""
        means = "probe, port and wires, all virtual"
        return f"{means}; a logic analyser on {', '.join(fine)}" if fine else means

    def console(self) -> Any:
        """The console's port as pyserial opened it, at the console's rate; None: there is none.

        Raises PortError when it cannot be opened.
        """
        return self._console(())

    def _console(self, bauds: Sequence[int]) -> Any:
        """The console's port, open at the rate that is asked for; None where there is none."""
        from fwgen.rig.ports import PortMissingError, open_port

        console = self.board.console
        baud = bauds[0] if bauds else console.baud if console is not None else 0
        if self._port is not None and self._port.baudrate == baud:
            return self._port
        self.close()
        try:
            found = self._find_port()
        except PortMissingError:
            if bauds:  # what the board says is asked for
                raise
            return None
        if found is not None:
            self._port = open_port(found.device, baud=baud)
            self._latency_ps = 0 if self.virtual is not None else found.latency_ps
        return self._port

    def _find_port(self) -> Port | None:
        from fwgen.rig.ports import find_port, port_named
        from fwgen.rig.rigs import NO_PORT

        if self.board.console is None or self.spec.port == NO_PORT:
            return None
        return port_named(self.spec.port) if self.spec.port else find_port(self.probe.uid)

    def close(self) -> None:
        """Give the console's port back; the rest is whose it was opened by."""
        port, self._port = self._port, None
        if port is not None:
            port.close()


@contextmanager
def opened(
    spec: RigSpec,
    *,
    probe: str = "",
    choose: Callable[[Board, str], Probe] | None = None,
    wait_s: float = 0,
    how: How = "halt",
    progress: Progress | None = None,
    say: Callable[[str], None] = lambda _: None,
    contract: Contract | None = None,
) -> Iterator[Place]:
    """The rig, its board halted and held for us alone until left; then the board runs.

    ``how`` "attach" does not stop it: it goes on with what it does.

    ``probe`` overrules the one that the rig names; ``choose`` picks one where several match, else
    that is an error. A board that somebody else uses is waited for,
    ``wait_s`` seconds at most; ``say`` hears of the queue of a farm. What a ``contract`` wires to
    the board is wired to a virtual one. Raises RigError for what is not there or does not answer.
    """
    from fwgen.board import load_board
    from fwgen.contract.subjects import on_bench
    from fwgen.rig.probes import choose_probe

    with ExitStack() as held:
        if spec.labgrid is not None:
            spec = _borrowed(held, spec, wait_s, say)
        board = load_board(spec.board)
        if spec.virtual:
            place = _virtual(held, spec, board if contract is None else on_bench(board, contract))
        else:
            chosen = (choose or choose_probe)(board, probe or spec.probe)
            place = _real(held, spec, board, chosen, wait_s, how)
        place.progress = progress
        held.callback(place.close)
        yield place


def _borrowed(
    held: ExitStack, spec: RigSpec, wait_s: float, say: Callable[[str], None]
) -> RigSpec:  # fmt: skip
    """A place of a farm's, until we leave."""
    from fwgen.rig.labgrid.lease import borrowed
    from fwgen.rig.rigs import lent

    assert spec.labgrid is not None
    wanted = replace(spec.labgrid, wait_s=max(wait_s, spec.labgrid.wait_s))
    return lent(spec, held.enter_context(borrowed(wanted, say)))


def _real(
    held: ExitStack, spec: RigSpec, board: Board, probe: Probe, wait_s: float, how: How
) -> Place:  # fmt: skip
    from fwgen.board import load_board
    from fwgen.rig.outputs import OutputWire
    from fwgen.rig.probes import choose_probe
    from fwgen.rig.rigs import OutputSpec
    from fwgen.rig.second import SecondBoard

    connection = _connected(held, board, probe, wait_s, how)
    seconds: dict[str, SecondBoard] = {}
    wires: dict[str, Wire] = {}
    for pin, wire in spec.wires.items():
        if isinstance(wire, OutputSpec):
            assert spec.switch is not None  # a place of labgrid's has one
            clock = connection.clock
            output = OutputWire(spec.switch, clock, wire.output, wire.on, wire.off)
            held.callback(output.rest)
            wires[pin] = output
            continue
        if wire.probe not in seconds:
            other = load_board(wire.board)
            link = _connected(held, other, choose_probe(other, wire.probe), wait_s)
            seconds[wire.probe] = SecondBoard(link, connection.clock)
        wires[pin] = seconds[wire.probe].wire(wire.pin)
    analyser: BoardAnalyser | SigrokAnalyser | None = None
    if isinstance(spec.analyser, str):
        analyser = BoardAnalyser(spec.analyser, board=board.name)
        held.callback(analyser.close)
    elif spec.analyser is not None:
        analyser = configured(spec.analyser, connection.clock)
    return Place(spec, connection, wires=wires, analyser=analyser)


def _connected(
    held: ExitStack, board: Board, probe: Probe, wait_s: float, how: How = "halt"
) -> Connection:  # fmt: skip
    """A connection; while another process has the probe, wait."""
    from fwgen.rig.connection import Connection
    from fwgen.rig.lock import ProbeInUseError

    give_up = time.monotonic() + wait_s
    while True:
        try:
            return held.enter_context(Connection(board, probe, how=how))
        except ProbeInUseError:
            left = give_up - time.monotonic()
            if left <= 0:
                raise
            time.sleep(min(left, LOOK_S))


def _virtual(held: ExitStack, spec: RigSpec, board: Board) -> Place:
    from fwgen.rig.connection import Connection
    from fwgen.rig.probes import choose_probe
    from fwgen.virtual.board import VirtualBoard

    virtual = held.enter_context(VirtualBoard(board))
    held.enter_context(virtual.plugged())
    probe = choose_probe(board, virtual.uid)
    connection = held.enter_context(Connection(board, probe, clock=virtual))
    wires = {name: VirtualWire(virtual, name) for name in board.chip.pins}
    return Place(spec, connection, wires=wires, virtual=virtual)


class VirtualWire:
    """A wire to a pin of a virtual board: it moves at the very moment."""

    def __init__(self, board: VirtualBoard, pin: str) -> None:
        self._board, self._pin = board, pin

    def drive(self, level: int | None, at_ps: int) -> tuple[int, int]:
        """Drive the pin, or let it go, at a time of the board's clock."""
        from fwgen.contract import Drive

        with self._board.lock:
            at_ps = max(at_ps, self._board.now_ps)
            self._board.machine.stimulate(Drive(self._pin, at_ps, level))
        return at_ps, at_ps


class VirtualWorld:
    """What surrounds a virtual board: whatever the machine can do to it."""

    def __init__(self, board: VirtualBoard) -> None:
        self._board = board
        self._voltages: list[Voltage] = []
        board.listen(self._hear, at_once=False)

    def _hear(self, event: Event) -> None:
        if isinstance(event, Voltage):
            self._voltages.append(event)

    def voltages(self, since_ps: int) -> list[Voltage]:
        """What held pins at voltages from a time of the board's clock on, which counts as 0."""
        with self._board.lock:
            last = {one.pin: one for one in self._voltages if one.t_ps <= since_ps}
            later = [one for one in self._voltages if one.t_ps > since_ps]
        return [replace(one, t_ps=max(0, one.t_ps - since_ps)) for one in (*last.values(), *later)]

    def change(self, stimulus: Stimulus, at_ps: int) -> int:
        """Do it at a time of the board's clock, or at once if that is past; gives when."""
        with self._board.lock:
            at_ps = max(at_ps, self._board.now_ps)
            self._board.machine.stimulate(replace(stimulus, at_ps=at_ps))
        return at_ps


class VirtualAnalyser:
    """A logic analyser of 24 MHz on ``pins`` of a virtual board.

    A pin that floats reads low, unless an LED hangs there from the supply, which draws it up.
    """

    words = "logic analyser of 24 MHz"

    def __init__(self, board: VirtualBoard) -> None:
        self.pins: Sequence[str] = ()
        self._board = board
        self._events: list[Event] = []
        self._levels: dict[str, int | None] = {}
        self._first: dict[str, int | None] = {}
        self._on = False
        leds = (part for part in board.board.parts.values() if part.kind == "led")
        self._floats = {led.pin: 1 - led.active for led in leds}
        board.listen(self._hear, at_once=False)

    def _read(self, pin: str, level: int | None) -> int:
        return self._floats.get(pin, 0) if level is None else level

    def _hear(self, event: Event) -> None:
        match event:
            case Edge() | Wave():
                level = event.level
            case Burst():
                level = event.level ^ len(event.after_ps) & 1
            case _:
                return
        if self._on and event.pin in self.pins:
            self._events.append(event)
        self._levels[event.pin] = level

    def start(self) -> None:
        """From now on everything is kept."""
        with self._board.lock:
            self._events.clear()
            self._first = dict(self._levels)
            self._on = True

    def cancel(self) -> None:
        """What is seen from now on matters to nobody."""
        self._on = False

    def stop(self, zero_ps: int, looks: Mapping[str, Looks]) -> Captured:
        """What was seen since a time of the board's clock, which is the probe's, too."""
        from fwgen.rig.looks import Captured, Looks
        from fwgen.trace import Trace

        with self._board.lock:
            self._on = False
            end = self._board.now_ps
            seen = Trace("", "", end, tuple(self._events), self._first)
        made: dict[str, Looks] = {}
        for pin in self.pins:
            one = made[pin] = Looks(pin, self._read(pin, self._first.get(pin)))
            samples: dict[int, int] = {}
            for t, level in seen.edges(pin):
                samples[-((zero_ps - t) // ANALYSER_PS)] = self._read(pin, level)  # the next one
            one.since_ps = min([0, *((k - 1) * ANALYSER_PS for k in samples)])
            for k, sampled in samples.items():
                one.skip((k - 1) * ANALYSER_PS)
                one.look(k * ANALYSER_PS, k * ANALYSER_PS, sampled)
            one.skip(end - zero_ps)
        return Captured(made)

    def released(self) -> None:
        """It is blind to that; and the probe's own time is the board's."""

    def heard(self, uart: str) -> tuple[()]:
        """Nothing: the port is heard by the board's own clock."""
        return ()
