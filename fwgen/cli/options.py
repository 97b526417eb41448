"""Options that several commands share, and what they mean."""

from __future__ import annotations

from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fwgen.errors import BoardError, InputError

if TYPE_CHECKING:
    from fwgen.board.types import Board

BoardOption = Annotated[
    str,
    typer.Option("--board", "-b", envvar="FWGEN_BOARD", help="Board name, or a board's TOML file."),
]
JsonOption = Annotated[
    bool, typer.Option("--json", help="Print one JSON object for programs, and nothing else.")
]
ContractOption = Annotated[
    Path | None, typer.Option("--contract", "-c", help="Contract (TOML) to hold it against.")
]
ImageArgument = Annotated[Path, typer.Argument(help="Firmware: .hex, .bin or .elf.")]


class Pace(StrEnum):
    """How time passes."""

    REAL = "real"
    VIRTUAL = "virtual"


PaceOption = Annotated[
    Pace | None,
    typer.Option(
        help="real: a second takes a second (default at a terminal); "
        "virtual: as fast as it goes (default otherwise)."
    ),
]


class Cycles(StrEnum):
    """Which of the cycle counts that the manuals allow."""

    LEAST = "least"
    TYPICAL = "typical"
    MOST = "most"


CyclesOption = Annotated[
    Cycles | None,
    typer.Option(
        "--cycles", help="Where the manuals give a range of cycles: its least, typical or most."
    ),
]
SpanOption = Annotated[
    str, typer.Option("--for", metavar="TIME", help='Stop after this time: "5s", "200 ms".')
]
PressOption = Annotated[
    list[str] | None,
    typer.Option(metavar="B@T[:HOLD]", help='Press a button: "B1@1s:200ms". May be repeated.'),
]
DriveOption = Annotated[
    list[str] | None,
    typer.Option(
        metavar="PIN@T=LEVEL", help='Drive a pin high, low or float: "D2@1s=high". Repeatable.'
    ),
]
SendOption = Annotated[
    list[str] | None,
    typer.Option(
        metavar="TEXT@T", help=r'Send text to the console: "hi\n@500ms". May be repeated.'
    ),
]
FormatOption = Annotated[
    str,
    typer.Option(
        "--format",
        metavar="8N1",
        help="Data bits, parity (NEOMS), stop bits of the console's other end.",
    ),
]


def the_board(name: str) -> Board:
    """The board that ``--board`` names. Raises BoardError that lists the boards when none is."""
    from fwgen.board import list_boards, load_board

    if not name:
        known = ", ".join(summary.name for summary in list_boards())
        raise BoardError("no board was named", hint=f"add --board NAME; known: {known}")
    return load_board(name)


def with_console(board: Board, baud: int, framing: str) -> Board:
    """The board with its console's other end set to a rate and format, as a terminal sets them.

    ``baud`` 0: the board's own. Raises InputError.
    """
    from fwgen.board.frame import PLAIN, parse_frame

    frame, console = parse_frame(framing), board.console
    if baud < 0:
        raise InputError(f"--baud {baud} is no baud rate")
    if console is None:
        if baud or frame != PLAIN:
            raise InputError(f"{board.title} has no console to set the rate or format of")
        return board
    return replace(board, console=replace(console, baud=baud or console.baud, frame=frame))
