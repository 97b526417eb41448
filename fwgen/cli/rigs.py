"""Which rig is meant, opened: a board that is plugged in, a bench of boards, or a virtual one."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from fwgen.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import ExitStack

    from rich.console import Console

    from fwgen.board.types import Board
    from fwgen.contract import Contract
    from fwgen.hil.place import Place
    from fwgen.pipeline import Confirmed, Proof
    from fwgen.rig.bench import RigBench
    from fwgen.rig.connection import How
    from fwgen.rig.flash import Programmed, Progress
    from fwgen.rig.rigs import RigSpec

REAL, VIRTUAL = "real", "virtual"

RigNameOption = Annotated[
    str,
    typer.Option(
        "--rig",
        metavar="NAME",
        help="real: the board that is plugged in; virtual: the machine behind a probe, a port and "
        "wires; labgrid:PLACE or labgrid:TAG=VALUE: a board of a farm's; else a rig file's name or "
        "path.",
    ),
]


FlashOption = Annotated[
    bool,
    typer.Option("--flash", help="When it has passed, put it onto the board and check it there."),
]


ForceOption = Annotated[
    bool,
    typer.Option("--force", help="Flash also what may lock the board, if the contract accepts it."),
]


def check_rig(board: Board, rig: str) -> None:
    """Refuse now, not after the work, a rig that there is not. Raises InputError."""
    spec_of(rig, board)


def confirmed_on(
    proof: Proof,
    rig: str,
    *,
    probe: str = "",
    force: bool = False,
    console: Console | None = None,
) -> Confirmed:
    """Flash and check on a rig what has passed in the machine.

    With a ``console`` the flash is shown there as ``fwgen flash`` shows it, before the board is
    watched, and a person at the terminal presses what nothing is wired to. Raises RigError for what
    is not there or does not answer, InputError for a rig file, and for what may lock the board
    unless ``force``.
    """
    from fwgen.cli.output import screen
    from fwgen.cli.person import Person, somebody
    from fwgen.cli.plugged import progress, show_programmed
    from fwgen.pipeline import confirm, refuse_locking

    if not force:
        refuse_locking(proof)  # before anything is touched

    with (
        progress(screen(stderr=True)) as bar,
        opened(
            proof.board, rig, proof.contract, probe=probe, progress=bar if console else None
        ) as bench,
    ):
        if console is not None and somebody():
            bench.hand = Person(proof.board, screen(stderr=True))

        def flashed(done: Programmed) -> None:
            bar.close()
            if console is not None:
                console.print()
                show_programmed(console, done, proof.board, bench.connection.probe)
            if isinstance(bench.hand, Person):
                bench.hand.prepare(proof.contract, bench.wires)

        bench.flashed = flashed
        bench.backup = None  # what was on the board is kept, as "fwgen flash" keeps it
        return confirm(proof, bench, force=force)


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
    with reached(board, rig, probe=probe, progress=progress, contract=contract) as place:
        yield place.bench(contract)


@contextmanager
def reached(
    board: Board,
    rig: str,
    *,
    probe: str = "",
    progress: Progress | None = None,
    how: How = "halt",
    contract: Contract | None = None,
) -> Iterator[Place]:
    """The rig, its board halted (or, to "attach", as it runs) and ours alone.

    What a ``contract`` wires to the board is wired to a virtual one. Raises RigError for
    what is not there or does not answer, InputError for a rig file.
    """
    from fwgen.cli.output import screen
    from fwgen.cli.plugged import the_probe
    from fwgen.hil import place

    console = screen(stderr=True)
    with place.opened(
        spec_of(rig, board),
        probe=probe,
        choose=the_probe,
        progress=progress,
        how=how,
        say=lambda said: console.print(f" {said}", highlight=False),
        contract=contract,
    ) as there:
        yield there


def spec_of(rig: str, board: Board | None = None) -> RigSpec:
    """What is known of a rig; without ``board`` its own is taken, which a file names.

    Raises InputError when there is no such rig, or it has another board.
    """
    from fwgen.rig.labgrid.lease import SCHEME, parse_place
    from fwgen.rig.rigs import RigSpec, check_board, find_rig, load_rig

    name = board.name if board is not None else ""
    if rig in ("", REAL, VIRTUAL):
        if rig == VIRTUAL and board is None:
            raise InputError("a virtual board needs a name", hint="add --board NAME")
        return RigSpec(rig or REAL, name, virtual=rig == VIRTUAL)
    if rig.startswith(SCHEME):
        return RigSpec(rig, name, labgrid=parse_place(rig))
    spec = load_rig(find_rig(rig))
    if board is not None:
        check_board(spec, board)
    return spec


def lent_to_us(held: ExitStack, spec: RigSpec) -> RigSpec:
    """What a place of labgrid's has, ours until ``held`` is left; another rig as it is.

    Raises RigError when it cannot be had, InputError when it has another board.
    """
    if spec.labgrid is None:
        return spec
    from fwgen.cli.output import screen
    from fwgen.rig.labgrid.lease import borrowed
    from fwgen.rig.rigs import lent

    console = screen(stderr=True)
    place = borrowed(spec.labgrid, lambda said: console.print(f" {said}", highlight=False))
    return lent(spec, held.enter_context(place))
