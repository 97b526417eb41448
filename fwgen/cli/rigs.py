"""Which rig is meant, opened: a board that is plugged in, a bench of boards, or a virtual one."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fwgen.units import PS_PER_MS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from fwgen.board.types import Board
    from fwgen.contract import Contract
    from fwgen.pipeline import Confirmed, Proof
    from fwgen.rig.bench import RigBench
    from fwgen.rig.flash import Progress
    from fwgen.rig.looks import Looks
    from fwgen.rig.probes import Probe
    from fwgen.rig.rigs import RigSpec
    from fwgen.rig.wires import Wire
    from fwgen.trace import Event
    from fwgen.verdict.needs import Needs
    from fwgen.virtual.board import VirtualBoard

REAL, VIRTUAL = "real", "virtual"
LABGRID = "labgrid:"  # what the name of a place in a farm begins with
ANALYSER_PS = 41_667  # a sample of a 24 MHz logic analyser
PROBE_CAN_PS = 4 * PS_PER_MS
"""Tolerances finer than this are for the virtual rig's analyser: a probe's looks are too few."""

RigNameOption = Annotated[
    str,
    typer.Option(
        "--rig",
        metavar="NAME",
        help="real: the board that is plugged in; virtual: the machine behind a probe, a port and "
        "wires; labgrid:PLACE or labgrid:TAG=VALUE: one of a farm's; else a rig file's name or "
        "path.",
    ),
]


FlashOption = Annotated[
    bool,
    typer.Option("--flash", help="When it has passed, put it onto the board and check it there."),
]


def check_rig(board: Board, rig: str) -> None:
    """Refuse now, not after the work, a rig that there is not. Raises InputError."""
    if rig in ("", REAL, VIRTUAL):
        return
    if rig.startswith(LABGRID):
        from fwgen.rig.labgrid.lease import parse_place

        parse_place(rig)
        return
    from fwgen.rig.rigs import check_board, find_rig, load_rig

    check_board(load_rig(find_rig(rig)), board)


def confirmed_on(
    proof: Proof, rig: str, *, probe: str = "", progress: Progress | None = None
) -> Confirmed:
    """Check on a rig what has passed in the machine.

    Raises RigError for what is not there or does not answer, InputError for a rig file.
    """
    from fwgen.pipeline import confirm

    with opened(proof.board, rig, proof.contract, probe=probe, progress=progress) as bench:
        return confirm(proof, bench)


@contextmanager
def opened(
    board: Board,
    rig: str,
    contract: Contract,
    *,
    probe: str = "",
    progress: Progress | None = None,
) -> Iterator[RigBench]:
    """The rig as a bench that can decide a contract, as far as it can.

    Raises RigError for what is not there or does not answer, InputError for a rig file.
    """
    from fwgen.verdict.needs import needs

    asked = needs(contract, board)
    with ExitStack() as held:
        if rig == VIRTUAL:
            yield _virtual(held, board, asked, progress)
            return
        spec = held.enter_context(described(board, rig))
        yield _real(held, board, spec, asked, probe or spec.probe, progress)


@contextmanager
def described(board: Board, rig: str) -> Iterator[RigSpec]:
    """What a rig other than the virtual one is made of; one of a farm's is ours while entered.

    Raises RigError for a place that cannot be had, InputError for a rig file.
    """
    from fwgen.rig.rigs import RigSpec, check_board, find_rig, load_rig

    spec = RigSpec(REAL, board.name)
    if rig.startswith(LABGRID):
        from fwgen.rig.labgrid.lease import parse_place

        spec = RigSpec(rig, board.name, labgrid=parse_place(rig))
    elif rig not in ("", REAL):
        spec = load_rig(find_rig(rig))
        check_board(spec, board)
    if spec.labgrid is None:
        yield spec
        return
    from fwgen.cli.output import screen
    from fwgen.rig.labgrid.lease import borrowed
    from fwgen.rig.rigs import lent

    console = screen(stderr=True)
    with borrowed(spec.labgrid, lambda said: console.print(f" {said}", highlight=False)) as place:
        spec = lent(spec, place)
        check_board(spec, board)
        yield spec


@contextmanager
def reached(board: Board, rig: str, probe: str = "") -> Iterator[tuple[Probe, VirtualBoard | None]]:
    """The probe of a rig, and the virtual board when it is one (fresh from the factory).

    Raises RigError for what is not there, InputError for a rig file.
    """
    from fwgen.cli.plugged import the_probe

    if rig == VIRTUAL:
        from fwgen.virtual.board import VirtualBoard

        with VirtualBoard(board) as virtual, virtual.plugged():
            yield the_probe(board, probe, virtual), virtual
        return
    with described(board, rig) as spec:
        yield the_probe(board, probe or spec.probe), None


def _baud(board: Board, asked: Needs) -> int:
    """The rate to listen at: what the contract asks for, else the console's own."""
    console = board.console
    assert console is not None
    return asked.bauds[0] if asked.bauds else console.baud


def _real(
    held: ExitStack, board: Board, spec: RigSpec, asked: Needs, probe: str,
    progress: Progress | None,
) -> RigBench:  # fmt: skip
    from fwgen.cli.plugged import the_probe
    from fwgen.rig.bench import RigBench
    from fwgen.rig.connection import Connection
    from fwgen.rig.ports import PortMissingError, find_port, open_port, port_named
    from fwgen.rig.rigs import NO_PORT

    chosen = the_probe(board, probe)
    connection = held.enter_context(Connection(board, chosen))
    port, latency = None, 0
    if board.console is not None and spec.port != NO_PORT:
        try:
            found = port_named(spec.port) if spec.port else find_port(chosen.uid)
        except PortMissingError:
            if asked.bauds:  # what the board says is asked for
                raise
        else:
            port = held.enter_context(open_port(found.device, baud=_baud(board, asked)))
            latency = found.latency_ps
    return RigBench(
        connection,
        port,
        latency,
        connection.clock,
        tuple(asked.pins),
        asked.every_ps(),
        _wires(held, spec, connection.clock),
        progress=progress,
    )


def _wires(held: ExitStack, spec: RigSpec, clock: Any) -> Mapping[str, Wire]:
    """The wires of a rig file, their second boards connected."""
    from fwgen.board import load_board
    from fwgen.rig.connection import Connection
    from fwgen.rig.probes import choose_probe
    from fwgen.rig.second import SecondBoard

    seconds: dict[str, SecondBoard] = {}
    made: dict[str, Wire] = {}
    for pin, wire in spec.wires.items():
        if wire.probe not in seconds:
            other = load_board(wire.board)
            link = held.enter_context(Connection(other, choose_probe(other, wire.probe)))
            seconds[wire.probe] = SecondBoard(link, clock)
        made[pin] = seconds[wire.probe].wire(wire.pin)
    return made


# ---------------------------------------------------------------------------- virtual


def _virtual(
    held: ExitStack, board: Board, asked: Needs, progress: Progress | None
) -> RigBench:  # fmt: skip
    from fwgen.rig.bench import RigBench
    from fwgen.rig.connection import Connection
    from fwgen.rig.ports import open_port
    from fwgen.rig.probes import choose_probe
    from fwgen.virtual.board import VirtualBoard

    fine = asked.finer_than(PROBE_CAN_PS)
    virtual = held.enter_context(VirtualBoard(board))
    held.enter_context(virtual.plugged())
    connection = held.enter_context(
        Connection(board, choose_probe(board, virtual.uid), clock=virtual)
    )
    port = None
    if board.console is not None:
        port = held.enter_context(open_port(f"fwgen://{virtual.uid}", baud=_baud(board, asked)))
    return RigBench(
        connection,
        port,
        0,
        virtual,
        tuple(pin for pin in asked.pins if pin not in fine),
        asked.every_ps(fine),
        {name: VirtualWire(virtual, name) for name in board.chip.pins},
        VirtualAnalyser(virtual, fine) if fine else None,
        name="virtual rig",
        means="probe, port and wires, all virtual"
        + (f"; a logic analyser on {', '.join(fine)}" if fine else ""),
        backup=False,  # a chip that is gone when this ends
        progress=progress,
    )


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


class VirtualAnalyser:
    """A logic analyser of 24 MHz on pins of a virtual board. A pin that floats reads low."""

    def __init__(self, board: VirtualBoard, pins: Sequence[str]) -> None:
        self.pins = tuple(pins)
        self._board = board
        self._events: list[Event] = []
        board.listen(self._hear)
        self._since_ps = 0
        self._levels: dict[str, int | None] = {}

    def _hear(self, event: Event) -> None:
        if getattr(event, "pin", None) in self.pins:
            self._events.append(event)

    def start(self) -> None:
        """From now on everything is kept."""
        with self._board.lock:
            self._since_ps = self._board.now_ps
            for event in self._events:
                self._levels[event.pin] = event.level  # type: ignore[attr-defined]
            self._events.clear()

    def stop(self, zero_ps: int) -> dict[str, Looks]:
        """What was seen since a time of the board's clock, by pin."""
        from fwgen.rig.looks import Looks
        from fwgen.trace import Trace

        with self._board.lock:
            end = self._board.now_ps
            seen = Trace("", "", end, tuple(self._events), self._levels)
        made: dict[str, Looks] = {}
        for pin in self.pins:
            looks = made[pin] = Looks(pin, int(bool(self._levels.get(pin))))
            samples: dict[int, int] = {}
            for t, level in seen.edges(pin):
                samples[-((zero_ps - t) // ANALYSER_PS)] = int(bool(level))  # the next one sees it
            looks.since_ps = min([0, *((k - 1) * ANALYSER_PS for k in samples)])
            for k, sampled in samples.items():
                looks.skip((k - 1) * ANALYSER_PS)
                looks.look(k * ANALYSER_PS, k * ANALYSER_PS, sampled)
            looks.skip(end - zero_ps)
        return made
