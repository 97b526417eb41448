"""Which rig is meant, opened: a board that is plugged in, a bench of boards, or a virtual one."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fwgen.board.types import Board
    from fwgen.contract import Contract
    from fwgen.hil.place import Place
    from fwgen.pipeline import Confirmed, Proof
    from fwgen.rig.bench import RigBench
    from fwgen.rig.flash import Progress
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
    if rig in ("", REAL, VIRTUAL):
        return
    _spec(rig, board)


def confirmed_on(
    proof: Proof,
    rig: str,
    *,
    probe: str = "",
    force: bool = False,
    progress: Progress | None = None,
) -> Confirmed:
    """Check on a rig what has passed in the machine.

    Raises RigError for what is not there or does not answer, InputError for a rig file, and for
    what may lock the board unless ``force``.
    """
    from fwgen.pipeline import confirm, refuse_locking

    if not force:
        refuse_locking(proof)  # before anything is touched
    with opened(proof.board, rig, proof.contract, probe=probe, progress=progress) as bench:
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
    with reached(board, rig, probe=probe, progress=progress) as place:
        yield place.bench(contract)


@contextmanager
def reached(
    board: Board, rig: str, *, probe: str = "", progress: Progress | None = None
) -> Iterator[Place]:
    """The rig, its board halted and ours alone.

    Raises RigError for what is not there or does not answer, InputError for a rig file.
    """
    from fwgen.cli.output import screen
    from fwgen.cli.plugged import the_probe
    from fwgen.hil import place

    console = screen(stderr=True)
    with place.opened(
        _spec(rig, board),
        probe=probe,
        choose=the_probe,
        progress=progress,
        say=lambda said: console.print(f" {said}", highlight=False),
    ) as there:
        yield there


def _spec(rig: str, board: Board) -> RigSpec:
    """What is known of a rig. Raises InputError when it has another board."""
    from fwgen.rig.labgrid.lease import SCHEME, parse_place
    from fwgen.rig.rigs import RigSpec, check_board, find_rig, load_rig

    if rig in ("", REAL, VIRTUAL):
        return RigSpec(rig or REAL, board.name, virtual=rig == VIRTUAL)
    if rig.startswith(SCHEME):
        return RigSpec(rig, board.name, labgrid=parse_place(rig))
    spec = load_rig(find_rig(rig))
    check_board(spec, board)
    return spec
