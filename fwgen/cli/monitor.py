"""``fwgen monitor``: a serial terminal."""

from __future__ import annotations

import signal
import sys
from contextlib import ExitStack
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fwgen.cli.options import BoardOption, FormatOption, the_board
from fwgen.cli.plugged import ProbeOption
from fwgen.cli.rigs import VIRTUAL, RigNameOption, lent_to_us, spec_of
from fwgen.errors import InputError

if TYPE_CHECKING:
    from fwgen.board.types import Board
    from fwgen.cli.talk import Talk
    from fwgen.cli.terminal import Terminal
    from fwgen.rig.ports import Port

USUAL_BAUD = 115_200
INTERRUPTED = 130


class Eol(StrEnum):
    """What ends a line."""

    CRLF = "crlf"
    CR = "cr"
    LF = "lf"


class Switch(StrEnum):
    """A control line's state."""

    ON = "on"
    OFF = "off"


def monitor(
    port: Annotated[
        str,
        typer.Argument(
            metavar="[PORT]",
            help="A device, or a URL (rfc2217://host:port); else the board's, or the only one.",
        ),
    ] = "",
    *,
    board: BoardOption = "",
    probe: ProbeOption = "",
    rig: RigNameOption = "",
    baud: Annotated[
        int,
        typer.Option(help="Baud rate.  [default: the board's, else 115200]", show_default=False),
    ] = 0,
    framing: FormatOption = "8N1",
    eol: Annotated[
        Eol | None,
        typer.Option(
            help="What Enter sends (default crlf); through a pipe, what a newline becomes."
        ),
    ] = None,
    timestamps: Annotated[
        bool, typer.Option("--timestamps", "-t", help="Begin each line with the time it came.")
    ] = False,
    in_hex: Annotated[bool, typer.Option("--hex", "-x", help="Show bytes in hex.")] = False,
    by_line: Annotated[
        bool, typer.Option("--line", help="Edit a line and send it with Enter, not each key.")
    ] = False,
    echo: Annotated[bool, typer.Option("--echo", help="Also show what is typed.")] = False,
    log: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Add what is shown to a file, at once.")
    ] = None,
    span: Annotated[
        str, typer.Option("--for", metavar="TIME", help='Stop after this time: "5s", "200 ms".')
    ] = "",
    rts: Annotated[Switch, typer.Option(help="RTS when the port is opened.")] = Switch.ON,
    dtr: Annotated[Switch, typer.Option(help="DTR when the port is opened.")] = Switch.ON,
    wait: Annotated[
        bool, typer.Option("--wait", help="Wait for a port that is not there yet.")
    ] = False,
    reconnect: Annotated[
        bool, typer.Option(help="Wait for a port that goes away to come back.")
    ] = True,
    listed: Annotated[bool, typer.Option("--list", help="List the ports there are.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No summary at the end.")] = False,
) -> int:
    """Talk with a serial port: what comes on stdout, what is typed or piped in is sent.

    At a terminal Ctrl-] quits and Ctrl-T opens the menu (Ctrl-T ? helps), as in pyserial's
    miniterm; every other key, Ctrl-C too, goes to the board. Through pipes, bytes pass as they
    are. A port that is unplugged is waited for. Exit codes: 0 ended as asked, 2 error,
    130 interrupted.
    """
    from fwgen.board.frame import parse_frame
    from fwgen.cli.line import Line, Settings
    from fwgen.cli.log import Log
    from fwgen.cli.scroll import Scroll
    from fwgen.cli.talk import EOLS, Talk
    from fwgen.cli.terminal import opened
    from fwgen.units import PS_PER_S, parse_duration

    if listed:
        return _list()
    span_ps = parse_duration(span) if span else None
    if span_ps is not None and span_ps <= 0:
        raise InputError(f"--for {span!r} is no time to listen", hint='write it as "5s"')
    if baud < 0:
        raise InputError(f"--baud {baud} is no baud rate")
    frame = parse_frame(framing)
    the = the_board(board) if board else None
    with ExitStack() as held:
        if rig:
            chosen, the = _port_of(rig, the, port, probe, held)
        else:
            chosen = _port(port, the, probe)
        usual = the.console.baud if the is not None and the.console is not None else USUAL_BAUD
        settings = Settings(
            baud or usual,
            frame.bits,
            frame.parity,
            frame.stop_halves / 2,
            rts=rts is Switch.ON,
            dtr=dtr is Switch.ON,
        )
        file = Log(log) if log is not None else None
        if file is not None:
            held.callback(file.close)
        with opened() as terminal:
            talk = Talk(
                Line(chosen, settings),
                terminal,
                scroll=Scroll(stamped=timestamps, in_hex=in_hex),
                log=file,
                eol=eol or Eol.CRLF,
                in_eol=EOLS[eol] if eol is not None else None,
                echo=echo,
                by_line=by_line,
                reconnect=reconnect,
                patient=wait,
                span_s=None if span_ps is None else span_ps / PS_PER_S,
            )
            return _run(talk, terminal, quiet=quiet)


def _run(talk: Talk, terminal: Terminal, *, quiet: bool) -> int:
    from fwgen.cli.terminal import Keys, Typed
    from fwgen.report.layout import silence

    def told_to_end(number: int, _frame: object) -> None:
        talk.ended_by = number

    for name in ("SIGTERM", "SIGHUP"):
        if (number := getattr(signal, name, None)) is not None:
            signal.signal(number, told_to_end)
    code = 0
    try:
        if sys.stdin.isatty():
            with Keys() as raw:
                _greet(talk, terminal, raw=raw)
                talk.run(Typed(), keys=raw)
        else:
            talk.run(Typed(), keys=False)
    except KeyboardInterrupt:
        code = INTERRUPTED
    except BrokenPipeError:  # whoever read the output has enough
        silence(sys.stdout)
    if not quiet:
        terminal.note(talk.summary())
    return 128 + talk.ended_by if talk.ended_by else code


def _greet(talk: Talk, terminal: Terminal, *, raw: bool) -> None:
    if raw:
        terminal.note(f"{talk.line.port}: {talk.line.settings}; Ctrl-] quits, Ctrl-T ? helps")
    else:
        terminal.note("this system has no raw keys: input goes to the port line by line, "
                      "Ctrl-C quits", "warning")  # fmt: skip


def _port(named: str, board: Board | None, probe: str) -> Port:
    from fwgen.rig.ports import choose_port, find_port, port_named

    if named and probe:
        raise InputError(
            f"both a port ({named}) and a probe ({probe}) were named", hint="leave one out"
        )
    if named:
        return port_named(named)
    if board is not None:
        from fwgen.cli.plugged import the_probe
        from fwgen.rig.probes import find_probes

        if find_probes():  # else it may be one that only its port can be used of
            return find_port(the_probe(board, probe).uid)
    return choose_port(probe or None)


def _port_of(
    rig: str, board: Board | None, named: str, probe: str, held: ExitStack
) -> tuple[Port, Board | None]:
    """The port of a rig, and the board that is there, as far as it is known."""
    from fwgen.board import load_board
    from fwgen.rig.ports import port_named
    from fwgen.rig.rigs import NO_PORT

    if named:
        raise InputError(f"both a port ({named}) and a rig ({rig}) were named",
                         hint="leave one out")  # fmt: skip
    if rig == VIRTUAL:
        raise InputError(
            "a virtual rig lasts no longer than one command, and has nothing to say",
            hint='"fwgen virtual --serial pty" switches a board on whose port can be opened',
        )
    spec = lent_to_us(held, spec_of(rig, board))
    if spec.virtual:
        raise InputError(f"the rig {spec.name} is a board in software: it has no port that lasts",
                         where=spec.where,
                         hint='"fwgen virtual --serial pty" switches one on')  # fmt: skip
    if board is None and spec.board:
        board = load_board(spec.board)
    if spec.port == NO_PORT:
        raise InputError(f"the rig {spec.name} has no serial port", where=spec.where or rig,
                         hint='its file says port = "none"')  # fmt: skip
    if spec.port:
        return port_named(spec.port), board
    return _port("", board, probe or spec.probe), board


def _list() -> int:
    from fwgen.cli.output import screen
    from fwgen.report.layout import Columns
    from fwgen.rig.ports import find_ports

    console = screen()
    ports = find_ports()
    if not ports:
        console.print(" no serial port is plugged in")
        return 0
    rows = [(port.device, port.title, port.uid) for port in ports]
    console.print(Columns(("port", "what it is", "serial number"), rows))
    return 0
