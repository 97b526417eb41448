"""``fwgen virtual``: a board in software that debuggers and terminals can use."""

from __future__ import annotations

import signal
import threading
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Annotated

import typer

from fwgen.cli.options import BoardOption, FormatOption, the_board, with_console
from fwgen.errors import BenchError, InputError
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
    contract: Annotated[
        Path | None,
        typer.Option(
            "--contract", "-c", metavar="FILE", help="Wire a contract's parts to the board."
        ),
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
        str,
        typer.Option(
            metavar="pty|rfc2217:PORT", help="Its serial port, as a pseudo-terminal or over TCP."
        ),
    ] = "",
    analyser: Annotated[
        int | None,
        typer.Option(
            metavar="PORT", help="Serve a logic analyser on all its pins there; 0: any free port."
        ),
    ] = None,
    framing: FormatOption = "8N1",
    uid: Annotated[str, typer.Option(help="Serial number of its probe. [default: made up]")] = "",
    pace: Annotated[
        float, typer.Option(metavar="X", help="How many times as fast as a real board.")
    ] = 1.0,
    span: Annotated[
        str, typer.Option("--for", metavar="TIME", help='Switch off after this time: "10 min".')
    ] = "",
) -> int:
    """Switch a virtual board on, for pyocd and gdb as if it were real.

    ``pyocd list`` shows it. It runs until Ctrl-C. Exit codes: 0 switched off, 2 error.
    """
    from fwgen.units import parse_duration
    from fwgen.virtual.board import VirtualBoard

    the = with_console(the_board(board), 0, framing)
    span_s = parse_duration(span) / PS_PER_S if span else None
    port = _gdb_port(gdb)
    if pace <= 0:
        raise InputError(f"--pace {pace:g} is no pace", hint="1 is that of a real board")
    flash = None
    if image is not None:
        from fwgen.image.load import load_image
        from fwgen.image.write import bin_bytes

        flash = bin_bytes(load_image(image, the))
    if contract is not None:
        from fwgen.contract import load_contract
        from fwgen.contract.subjects import on_bench

        the = on_bench(the, load_contract(contract, the))
    with _told_to_end() as over, VirtualBoard(the, uid=uid or None, flash=flash) as made:
        made.start_free_running(pace)
        with (
            _serial(made, serial) as place,
            _analyser(made, analyser) as watching,
            _served(made, probe, remote, port, board, place) as at,
        ):
            _greet(made, at, place, watching)
            _wait(made, over, span_s)
    return 0


@contextmanager
def _serial(made: VirtualBoard, how: str) -> Iterator[str]:
    """Serve the board's serial port; gives what a terminal program opens, "" for nothing."""
    kind, _, number = how.partition(":")
    if kind not in ("", "pty", "rfc2217") or (
        number and (kind != "rfc2217" or not _is_port(number))
    ):
        raise InputError(f"--serial {how!r} is no kind of serial port", hint="pty, or rfc2217:PORT")
    if not kind:
        yield ""
        return
    if made.serial is None:
        raise BenchError(
            f"{made.board.name} has no console, so its virtual board has no serial port",
            hint="a board's TOML names it under [console]",
        )
    if kind == "pty":
        from fwgen.virtual.serial.pty import Pty

        with Pty(made.serial) as pty:
            yield pty.path
        return
    from fwgen.virtual.serial.rfc2217 import Rfc2217Server

    with Rfc2217Server(made.serial, tcp_port=int(number or 0)) as server:
        yield server.url


@contextmanager
def _analyser(made: VirtualBoard, port: int | None) -> Iterator[int | None]:
    """Serve the board's logic analyser; gives its port."""
    if port is None:
        yield None
        return
    from fwgen.virtual.analyser import AnalyserServer

    with AnalyserServer(made, tcp_port=port) as server:
        yield server.port


def _gdb_port(text: str) -> int | None:
    """The number in ":3333"; None when gdb is not asked for."""
    if not text:
        return None
    number = text.removeprefix("localhost").removeprefix(":")
    if not _is_port(number):
        raise InputError(f"--gdb {text!r} is no port", hint='write it as ":3333"')
    return int(number)


def _is_port(text: str) -> bool:
    return text.isdecimal() and int(text) <= 0xFFFF


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


def _greet(made: VirtualBoard, served: Served, serial: str, analyser: int | None) -> None:
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
        console.print(f" serial fwgen monitor {serial}", highlight=False)
    if analyser is not None:
        console.print(f' analyser  in a rig file: analyser = "localhost:{analyser}"',
                      highlight=False)  # fmt: skip
    console.print(" Ctrl-C switches it off", highlight=False)


@contextmanager
def _told_to_end() -> Iterator[threading.Event]:
    """While entered, Ctrl-C and whoever else ends us only set the event."""
    over = threading.Event()
    before = {}
    if threading.current_thread() is threading.main_thread():
        for name in ("SIGINT", "SIGTERM", "SIGHUP"):
            if (number := getattr(signal, name, None)) is not None:
                before[number] = signal.signal(number, lambda *_: over.set())
    try:
        yield over
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _wait(made: VirtualBoard, over: threading.Event, span_s: float | None) -> None:
    """Until told to end, or for a time. Raises what ended the board, if anything did."""
    until = None if span_s is None else monotonic() + span_s
    while not over.wait(LOOK_S if until is None else max(0.0, min(LOOK_S, until - monotonic()))):
        made.check()
        if until is not None and monotonic() >= until:
            return
