"""``fwgen virtual``: a board in software that debuggers and terminals can use."""

from __future__ import annotations

import contextlib
import signal
import threading
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fwgen.cli.options import BoardOption, the_board
from fwgen.errors import InputError
from fwgen.units import PS_PER_S

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fwgen.virtual.board import VirtualBoard
    from fwgen.virtual.server import Served

LOOK_S = 0.1


class Kind(StrEnum):
    """Which debug probe is on the board."""

    PLAIN = "plain"
    STLINK = "stlink"
    CMSIS_DAP = "cmsis-dap"


def virtual(
    *,
    board: BoardOption = "",
    image: Annotated[
        Path | None, typer.Option(help="Firmware that is in its flash: .hex, .bin or .elf.")
    ] = None,
    probe: Annotated[
        Kind, typer.Option(help="The debug probe on it: nothing but its wires, or one of USB.")
    ] = Kind.PLAIN,
    remote: Annotated[
        int, typer.Option(metavar="PORT", help="Serve the probe to pyocd there; 0: any free port.")
    ] = 0,
    gdb: Annotated[
        str, typer.Option(metavar=":PORT", help='Serve gdb there: ":3333"; ":0": any free port.')
    ] = "",
    serial: Annotated[
        int | None,
        typer.Option(metavar="PORT", help="Serve its console there, as rfc2217; 0: any free port."),
    ] = None,
    uid: Annotated[str, typer.Option(help="Serial number of its probe. [default: made up]")] = "",
    pace: Annotated[
        float, typer.Option(metavar="X", help="How many times as fast as a real board.")
    ] = 1.0,
    span: Annotated[
        str, typer.Option("--for", metavar="TIME", help='Switch off after this time: "10 min".')
    ] = "",
) -> int:
    """Switch a virtual board on, for pyocd, gdb and terminals as if it were real.

    ``pyocd list`` shows it. It runs until Ctrl-C. Exit codes: 0 switched off, 2 error.
    """
    from fwgen.units import parse_duration
    from fwgen.virtual.board import VirtualBoard

    the = the_board(board)
    span_s = parse_duration(span) / PS_PER_S if span else None
    port = _gdb_port(gdb)
    if pace <= 0:
        raise InputError(f"--pace {pace:g} is no pace", hint="1 is that of a real board")
    flash = None
    if image is not None:
        from fwgen.image.load import load_image
        from fwgen.image.write import bin_bytes

        flash = bin_bytes(load_image(image, the))
    with VirtualBoard(the, uid=uid or None, flash=flash) as made, _console(made, serial) as url:
        served = _served(made, probe, remote, port, board, url)
        made.start_free_running(pace)
        with served:
            _greet(made, served, url)
            _wait(made, span_s)
    return 0


def _gdb_port(text: str) -> int | None:
    """The number in ":3333"; None when gdb is not asked for."""
    if not text:
        return None
    number = text.removeprefix("localhost").removeprefix(":")
    if not number.isdecimal() or int(number) > 0xFFFF:
        raise InputError(f"--gdb {text!r} is no port", hint='write it as ":3333"')
    return int(number)


@contextlib.contextmanager
def _console(made: VirtualBoard, port: int | None) -> Iterator[str]:
    """Serves the console over TCP; gives its URL, "" for none."""
    if port is None:
        yield ""
        return
    if made.board.console is None:
        raise InputError(f"{made.board.title} has no console", where="--serial")
    from fwgen.virtual.serial.rfc2217 import Rfc2217Server

    with Rfc2217Server(made.serial, tcp_port=port) as server:
        yield server.url


def _served(
    made: VirtualBoard, probe: Kind, remote: int, gdb: int | None, name: str, serial: str
) -> Served:
    from fwgen.rig.targets import register
    from fwgen.virtual.server import Served

    path = Path(name)
    return Served(
        made,
        probe=probe.value,
        remote=remote,
        gdb=gdb,
        target=register(made.board),
        board_name=str(path.resolve()) if path.suffix == ".toml" else name,
        serial=serial,
    )


def _greet(made: VirtualBoard, served: Served, serial: str) -> None:
    from fwgen.cli.output import screen

    console = screen()
    console.print(f" board  {made.board.title}, probe {made.uid}", highlight=False)
    console.print(f" pyocd  pyocd cmd -u {made.uid}", highlight=False)
    console.print(
        f"        or from elsewhere: -u remote:localhost:{served.remote}", highlight=False
    )
    if served.gdb is not None:
        console.print(f" gdb    target remote localhost:{served.gdb}", highlight=False)
    if serial:
        console.print(f" serial {serial}", highlight=False)
    console.print(" Ctrl-C switches it off", highlight=False)


def _wait(made: VirtualBoard, span_s: float | None) -> None:
    """Until Ctrl-C, until told to end, or for a time."""
    over = threading.Event()
    for name in ("SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)
        if number is not None and threading.current_thread() is threading.main_thread():
            signal.signal(number, lambda *_: over.set())
    left = span_s
    try:
        while not over.wait(LOOK_S if left is None else min(LOOK_S, left)):
            made.check()
            if left is not None:
                left -= LOOK_S
                if left <= 0:
                    return
    except KeyboardInterrupt:
        return
